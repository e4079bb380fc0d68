//! Surveys: of one respondent to one survey only the latest answer exists.
//!
//! An answer that another one of the same (kind, survey, ticket, respondent) follows leaves its own window; without a
//! respondent each stands alone. Scores are brought to one scale: `effort` on 1..7 where lower is easier, `satisfaction` on
//! 0..1; both are rounded to 10^-6, half to even, after scaling, and counted in millionths.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Kept, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    expr::Type,
    rational::Rational,
    vocabulary::survey_answered as field,
};

/// An answer to a survey. `effort` and `satisfaction` are in millionths.
pub const ANSWER: FactType = FactType {
    name: "answer",
    event: "survey.answered",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("kind", Spelling::Both),
        FieldType::dimension("survey", Spelling::Both),
        FieldType::new("score", Type::Number, Spelling::Both),
        FieldType::new("effort", Type::Number, Spelling::Short),
        FieldType::new("satisfaction", Type::Number, Spelling::Short),
        FieldType::new("easy", Type::Flag, Spelling::Short),
        FieldType::new("satisfied", Type::Flag, Spelling::Short),
    ],
    whole: 7,
    money: false,
    stays: false,
    has_event: true,
    reads: Surveys::READS,
};
const ANSWERED: FactId = super::id(&ANSWER);

/// An answer as it was counted.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    /// Kind, survey, ticket and respondent, see [`key`].
    key: Box<str>,
    time: Time,
    profile: u32,
    /// As sent, an exact decimal.
    score: Box<str>,
    scaled: Scaled,
    custom: Kept,
}

/// A score on the scales of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scaled {
    /// Millionths on 1..7, lower is easier.
    effort: i64,
    /// Millionths on 0..1, higher is better.
    satisfaction: i64,
    /// Whether the effort is in the lowest third.
    easy: bool,
    /// Whether the satisfaction is in the highest quarter.
    satisfied: bool,
}

/// The answers of an account that a later one may replace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surveys {
    /// By time.
    answers: Vec<Answer>,
}

impl Lifecycle for Surveys {
    const TAG: u8 = b's';
    const READS: &'static [&'static str] = &["survey.answered"];
    const FACTS: &'static [&'static FactType] = &[&ANSWER];

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Owned(if is_alone(event) { String::new() } else { key(event) })
    }

    fn has(&self, about: &str) -> bool {
        self.answers.iter().any(|answer| *answer.key == *about)
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let (key, alone) = (key(event), is_alone(event));
        if let Some(place) = self.answers.iter().position(|known| !alone && *known.key == *key) {
            self.answers.remove(place).add(out, None, -1);
        }
        let Some(scaled) = scaled(event) else { return };
        let answer = Answer {
            key: key.into(),
            time: event.time,
            profile: out.profile(),
            score: event.data.text(field::SCORE).into(),
            scaled,
            custom: out.keep(&event.custom),
        };
        answer.add(out, Some(event), 1);
        if !alone {
            self.answers.push(answer);
        }
    }

    fn prune(&mut self, horizon: Time) {
        self.answers.retain(|answer| answer.time >= horizon);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.answers.iter(), |out, answer| {
            out.text(&answer.key);
            out.time(answer.time);
            out.profile(answer.profile);
            out.text(&answer.score);
            out.integer(answer.scaled.effort);
            out.integer(answer.scaled.satisfaction);
            out.flag(answer.scaled.easy);
            out.flag(answer.scaled.satisfied);
            answer.custom.encode(out);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Surveys> {
        let answers = from.list(|from| {
            Some(Answer {
                key: from.text()?.into(),
                time: from.time()?,
                profile: from.profile()?,
                score: from.text()?.into(),
                scaled: Scaled {
                    effort: from.integer()?,
                    satisfaction: from.integer()?,
                    easy: from.flag()?,
                    satisfied: from.flag()?,
                },
                custom: Kept::decode(from)?,
            })
        })?;
        Some(Surveys { answers })
    }
}

impl Answer {
    /// Adds the fact `times` times; `event` is there when it happens.
    fn add(&self, out: &mut Out<'_, '_>, event: Option<&Event<'_>>, times: i128) {
        let mut parts = self.key.split('\u{1f}');
        let (kind, survey) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Scaled { effort, satisfaction, easy, satisfied } = self.scaled;
        let values = [
            Slot::Text(kind),
            Slot::Text(survey),
            Slot::Decimal(&self.score),
            Slot::Integer(effort),
            Slot::Integer(satisfaction),
            Slot::Flag(easy),
            Slot::Flag(satisfied),
        ];
        let opening = self.custom.fields();
        let fact = Fact { values: &values, opening: &opening, ..Fact::new(self.time, self.profile, event) };
        if times > 0 { out.happen(ANSWERED, &fact) } else { out.add(ANSWERED, &fact, times) }
    }
}

/// Whether nothing makes it one with another answer.
fn is_alone(event: &Event<'_>) -> bool {
    event.data.text(field::RESPONDENT).is_empty()
}

/// What makes two answers of a respondent one: kind, survey, ticket, respondent.
fn key(event: &Event<'_>) -> String {
    [field::KIND, field::SURVEY, field::TICKET, field::RESPONDENT].map(|number| event.data.text(number)).join("\u{1f}")
}

/// Satisfaction from 0 to 1 and effort, which is the rest; `None` for no score, which doors refuse.
fn shares(event: &Event<'_>) -> Option<(Rational, Rational)> {
    let number = |field, default: i128| match event.data.text(field) {
        "" => Some(Rational::integer(default)),
        text => Rational::parse(text),
    };
    let (low, high, higher_is_better) = match event.data.text(field::KIND) {
        "nps" => (0, 10, true),
        "ces" => (1, 7, false),
        _ => (1, 5, true),
    };
    let (low, high) = (number(field::SCALE_MIN, low)?, number(field::SCALE_MAX, high)?);
    let share = number(field::SCORE, 0)?.sub(low)?.div(high.sub(low)?)?;
    let rest = Rational::integer(1).sub(share)?;
    let higher_is_better = event.data.flag(field::HIGHER_IS_BETTER).unwrap_or(higher_is_better);
    Some(if higher_is_better { (share, rest) } else { (rest, share) })
}

/// Satisfaction from 0 to 1, exactly; of an effort, ease. `None` for no score.
pub(super) fn satisfaction(event: &Event<'_>) -> Option<Rational> {
    Some(shares(event)?.0)
}

/// The score on the scales of the metrics; `None` if it is none, which doors refuse.
fn scaled(event: &Event<'_>) -> Option<Scaled> {
    let (satisfaction, effort) = shares(event)?;

    let millions = |factor: i128, number: Rational| Rational::integer(factor * 1_000_000).mul(number);
    let points = Rational::integer(1_000_000).add(millions(6, effort)?)?;
    Some(Scaled {
        effort: i64::try_from(points.round()).ok()?,
        satisfaction: i64::try_from(millions(1, satisfaction)?.round()).ok()?,
        easy: Rational::integer(3).mul(effort)?.compare(Rational::integer(1)).is_le(),
        satisfied: Rational::integer(4).mul(satisfaction)?.compare(Rational::integer(3)).is_ge(),
    })
}
