//! `baseline`: the value is off the account's own mean of the last D by an amount.
//!
//! The mean is weighted by time: a value counts for as long as it held. It is exact to a millionth of the unit. With less than
//! `at_least` of known values there is no baseline yet. While the alert is active the mean moves towards the new value, so the
//! condition is looked at once a day even when nothing happens.

use processor_core::{
    calendar::{DAY, Time},
    rational::Rational,
};

use super::{Answer, Check, Compared, Context, POINTS_MAX, Point, amount::Amount};
use crate::{scope::Names, snapshot::decimal, span};

/// Parts of the unit.
const PARTS: i128 = 1_000_000;

/// Below or above the own mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Baseline {
    /// Whether it looks for values below the mean.
    pub(crate) is_below: bool,
    /// By at least this much.
    pub(crate) by: Amount,
    /// The mean is over this time, microseconds.
    pub(crate) over: Time,
    /// Known values of at least this length make a mean, microseconds.
    pub(crate) at_least: Time,
}

impl Baseline {
    /// The mean up to `now`, and for how long values are known.
    fn mean(&self, memory: &[Point], now: Time) -> (Option<Rational>, Time) {
        let begins = now.saturating_sub(self.over);
        let (mut sum, mut known): (i128, Time) = (0, 0);
        let ends = memory.iter().skip(1).map(|next| next.at).chain([now]);
        for (point, end) in memory.iter().zip(ends) {
            let length = end.min(now) - point.at.max(begins).min(now);
            if let (Some(value), true) = (point.value.and_then(decimal), length > 0) {
                let parts = value.mul(Rational::integer(PARTS)).map_or(0, Rational::round);
                sum = sum.saturating_add(parts.saturating_mul(length.into()));
                known += length;
            }
        }
        let mean = Rational::new(sum, i128::from(known)).and_then(|mean| mean.div(Rational::integer(PARTS)));
        (mean, known)
    }

    /// The first instant at which `missing` more is known, if the present value stays. The present value adds to what is known
    /// as time goes on, and what leaves the last D takes away again: only where no value is known at the far end, more is known.
    fn enough(&self, memory: &[Point], now: Time, mut missing: Time) -> Time {
        let begins = now.saturating_sub(self.over);
        let first = memory.first().map(|first| (Time::MIN, first.at));
        let nulls = memory.windows(2).filter(|pair| pair[0].value.is_none()).map(|pair| (pair[0].at, pair[1].at));
        for (from, to) in first.into_iter().chain(nulls) {
            let from = from.max(begins);
            let length = to.saturating_sub(from).max(0);
            if length >= missing {
                return from.saturating_add(missing).saturating_add(self.over);
            }
            missing -= length;
        }
        now.saturating_add(self.over)
    }
}

impl Check for Baseline {
    fn remember(&self, memory: &mut Vec<Point>, context: &Context<'_>, is_past: bool) {
        let value = context.value.map(Rational::to_f64);
        if is_past || memory.last().is_some_and(|last| last.value == value) {
            return;
        }
        memory.push(Point { at: context.now, value, flag: false });
        let begins = context.now.saturating_sub(self.over);
        let over = memory.partition_point(|point| point.at <= begins);
        memory.drain(..over.saturating_sub(1));
        thin(memory);
    }

    fn check(&self, memory: &[Point], _: &Names, context: &Context<'_>) -> Answer {
        let (mean, known) = self.mean(memory, context.now);
        let words = format!("its own mean of the last {}", span::words(self.over));
        let (Some(value), Some(mean)) = (context.value, mean) else { return Answer::default() };
        if known < self.at_least {
            let next = self.enough(memory, context.now, self.at_least - known);
            return Answer { next: Some(next), ..Answer::default() };
        }
        let holds = if self.is_below { self.by.is_below(mean, value) } else { self.by.is_above(mean, value) };
        let compared = Compared { value: Some(mean.to_f64()), at: None, words, projected: None };
        let next = (holds || context.is_active).then(|| context.now.saturating_add(DAY));
        Answer { holds, compared, next }
    }

    fn words(&self) -> String {
        let side = if self.is_below { "below" } else { "above" };
        format!("is {} or more {side} its own mean of the last {}", self.by, span::words(self.over))
    }
}

/// Beyond the limit two neighbours become one that begins with the first and has the value of the second.
fn thin(memory: &mut Vec<Point>) {
    if memory.len() <= POINTS_MAX {
        return;
    }
    let last = memory.pop();
    let pairs = memory.chunks(2).map(|pair| Point { at: pair[0].at, ..pair[pair.len() - 1].clone() });
    *memory = pairs.chain(last).collect();
}
