//! Feedback: how satisfied the latest answer of each kind of survey is.
//!
//! It emits nothing; a score reads it. Shares are exact: a score is rounded once, at its end.

use std::borrow::Cow;

use super::{FactType, Lifecycle, Out, survey};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    rational::Rational,
    vocabulary::survey_answered,
};

/// Kinds of surveys, by their place in the state.
pub const KINDS: [&str; 3] = ["nps", "csat", "ces"];

/// The latest answer of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    /// Time of the answer.
    pub time: Time,
    /// Satisfaction from 0 to 1; of an effort, ease.
    pub satisfaction: Rational,
}

/// The latest answers of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Feedback {
    /// By kind, see [`KINDS`].
    latest: [Option<Latest>; KINDS.len()],
}

impl Feedback {
    /// The latest answer of a kind, by its place in [`KINDS`].
    pub fn latest(&self, kind: usize) -> Option<Latest> {
        self.latest[kind]
    }
}

impl Lifecycle for Feedback {
    const TAG: u8 = b'f';
    const READS: &'static [&'static str] = &[survey_answered::TYPE];
    const FACTS: &'static [&'static FactType] = &[];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let kind = event.data.text(survey_answered::KIND);
        let place = KINDS.iter().position(|known| *known == kind);
        // Without a score nobody reads it.
        let (Some(place), Some(_)) = (place, &out.context.plan.score) else { return };
        if let Some(satisfaction) = survey::satisfaction(event) {
            self.latest[place] = Some(Latest { time: event.time, satisfaction });
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        for latest in &self.latest {
            out.flag(latest.is_some());
            if let Some(latest) = latest {
                out.time(latest.time);
                out.amount(latest.satisfaction.num());
                out.amount(latest.satisfaction.den());
            }
        }
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Feedback> {
        let mut feedback = Feedback::default();
        for latest in &mut feedback.latest {
            if from.flag()? {
                let time = from.time()?;
                let satisfaction = Rational::new(from.amount()?, from.amount()?)?;
                *latest = Some(Latest { time, satisfaction });
            }
        }
        Some(feedback)
    }
}
