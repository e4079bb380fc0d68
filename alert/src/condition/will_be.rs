//! `will_be`: the projection of a score becomes alarming within D if nothing happens.
//!
//! It begins only while the present value is not alarming: then another rule is in place. Once it holds it goes on until both
//! the value and its projection are out of the band again.

use processor_core::calendar::Time;

use super::{Answer, Check, Compared, Condition, Context, Point};
use crate::{scope::Names, span};

/// An expression over a value to come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WillBe {
    /// What is alarming: `value` is the value to come, `before` the present one.
    pub(crate) condition: Condition,
    /// Within this time, microseconds.
    pub(crate) within: Time,
}

impl Check for WillBe {
    fn check(&self, _: &[Point], names: &Names, context: &Context<'_>) -> Answer {
        let snapshot = context.snapshot;
        let is_alarming = self.condition.expr.holds(&context.view(names));
        if is_alarming && !context.is_active {
            return Answer::default();
        }
        let found = snapshot.projection.iter().position(|point| {
            let value = point.value.and_then(|value| snapshot.as_number(value));
            self.condition.expr.holds(&context.view_of(names, value))
        });
        let Some(place) = found else { return Answer { holds: is_alarming, ..Answer::default() } };

        let point = &snapshot.projection[place];
        let begins = point.at.saturating_sub(self.within);
        let compared = Compared {
            value: context.value.map(processor_core::rational::Rational::to_f64),
            at: Some(snapshot.revision),
            words: "the present value, projected".to_owned(),
            projected: Some(place),
        };
        let holds = is_alarming || begins <= context.now;
        Answer { holds, compared, next: (begins > context.now).then_some(begins) }
    }

    fn reads_projection(&self) -> bool {
        true
    }

    fn words(&self) -> String {
        format!("will be `{}` within {} if nothing happens", self.condition.text, span::words(self.within))
    }
}
