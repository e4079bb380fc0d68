//! `enters`: the value comes into a band from outside, and stays in it.
//!
//! The first value of a series enters nothing: nobody knows where it came from. A null is in no band, and what follows one
//! enters nothing either.

use processor_core::rational::Rational;

use super::{Answer, Check, Context, Point};
use crate::scope::Names;

/// A band, half-open: from `from` up to, and without, `to`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The least value of it; none for no bound.
    pub(crate) from: Option<Rational>,
    /// The least value above it; none for no bound.
    pub(crate) to: Option<Rational>,
    /// What people call it.
    pub(crate) name: String,
}

impl Entry {
    fn holds(&self, value: Rational) -> bool {
        self.from.is_none_or(|from| value.compare(from).is_ge()) && self.to.is_none_or(|to| value.compare(to).is_lt())
    }
}

impl Check for Entry {
    fn check(&self, _: &[Point], _: &Names, context: &Context<'_>) -> Answer {
        let is_inside = context.value.is_some_and(|value| self.holds(value));
        let was_outside = context.before.and_then(|(value, _)| value).is_some_and(|value| !self.holds(value));
        Answer::plain(is_inside && (context.is_active || was_outside), context)
    }

    fn words(&self) -> String {
        format!("enters {}", self.name)
    }
}
