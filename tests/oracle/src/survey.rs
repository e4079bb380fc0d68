//! Surveys: `nps`, `ces`, `ces_easy_rate`, `csat`, `csat_mean`.
//!
//! Of one (kind, survey, ticket, respondent) of an account only the latest answer exists; without a respondent each
//! stands alone. Until the later answer came, the earlier one stood in its window.

use crate::decimal::{self, Fraction};
use crate::history::Account;
use crate::mark::Mark;
use crate::money::trait_groups;
use crate::read::{Event, Key};
use crate::row::Group;
use std::collections::HashMap;
use std::sync::Arc;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<'a> {
    /// Place in the order of facts.
    pub key: Key<'a>,
    /// `nps`, `ces`, `csat`.
    pub kind: &'a str,
    /// The score as given.
    pub score: Fraction,
    /// 0 to 1, the greater the better; for `ces` the easier.
    pub good: Fraction,
    /// The place of the answer that replaced it.
    pub replaced: Option<Key<'a>>,
}

/// All answers of an account, in the order of facts.
pub fn answers<'a>(account: &Account<'a>) -> Vec<Answered<'a>> {
    let mut answers: Vec<Answered<'a>> = Vec::new();
    let mut latest: HashMap<[&str; 4], usize> = HashMap::new();
    for event in account.of_kind("survey.answered") {
        let Some(answer) = answer(event) else { continue };
        let text = |name| event.text(name).unwrap_or_default();
        let who = text("respondent");
        if !who.is_empty() {
            let earlier = latest.insert([answer.kind, text("survey"), text("ticket"), who], answers.len());
            earlier.into_iter().for_each(|at| answers[at].replaced = Some(answer.key));
        }
        answers.push(answer);
    }
    answers
}

fn answer(event: &Event) -> Option<Answered<'_>> {
    let kind = event.text("kind")?;
    let (min, max, higher) = match kind {
        "nps" => (0, 10, true),
        "ces" => (1, 7, false),
        "csat" => (1, 5, true),
        _ => return None,
    };
    let number = |name: &str| event.data.get(name).and_then(decimal::fraction);
    let score = number("score")?;
    let (min, max) = (number("scale_min").unwrap_or((min, 1)), number("scale_max").unwrap_or((max, 1)));
    let higher = event.flag("higher_is_better").unwrap_or(higher);
    let good = if higher { share(min, score, max) } else { share(max, score, min) };
    Some(Answered { key: event.key(), kind, score, good, replaced: None })
}

/// (at - from) / (to - from), with a positive denominator.
fn share(from: Fraction, at: Fraction, to: Fraction) -> Fraction {
    let less = |a: Fraction, b: Fraction| (a.0 * b.1 - b.0 * a.1, a.1 * b.1);
    let (part, whole) = (less(at, from), less(to, from));
    crate::rational::reduce(part.0 * whole.1, part.1 * whole.0)
}

fn at_least(value: Fraction, bound: Fraction) -> bool {
    value.0 * bound.1 >= bound.0 * value.1
}

/// What each metric takes from an answer: its addition to the numerator.
fn additions(answer: &Answered<'_>) -> Vec<(&'static str, i128)> {
    let good = answer.good;
    match answer.kind {
        "nps" => {
            let promoter = at_least(answer.score, (9, 1));
            let detractor = !at_least(answer.score, (7, 1));
            vec![("nps", 100 * (i128::from(promoter) - i128::from(detractor)))]
        }
        "ces" => {
            // Effort is what lacks to easy: 1 + 6 x (1 - good), rounded after scaling.
            let points = decimal::millionths((7 * good.1 - 6 * good.0, good.1));
            vec![("ces", points), ("ces_easy_rate", i128::from(at_least(good, (2, 3))))]
        }
        _ => vec![("csat", i128::from(at_least(good, (3, 4)))), ("csat_mean", decimal::millionths(good))],
    }
}

/// The marks of an account.
pub fn marks<'a>(account: &'a Account<'a>, marks: &mut Vec<Mark<'a>>) {
    for answer in answers(account) {
        let groups: Arc<[Group<'a>]> = trait_groups(account.traits_before(answer.key)).into();
        for (metric, num) in additions(&answer) {
            let mark = Mark {
                metric,
                time: answer.key.0,
                at: answer.key.0,
                groups: groups.clone(),
                currency: "",
                num,
                den: 1,
            };
            if let Some(later) = answer.replaced {
                marks.push(Mark { at: later.0, num: -num, den: -1, ..mark.clone() });
            }
            marks.push(mark);
        }
    }
}
