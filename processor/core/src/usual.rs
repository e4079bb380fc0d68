//! The usual range of a value: where the windows before it lead one to expect it (XmR chart: Wheeler, Understanding
//! Variation, chapter 3).
//!
//! Over the last [`WINDOWS`] final windows of the same kind and series that do not overlap with the one shown or with each
//! other, nulls left out: centre = their mean, half = 2.66 x the mean absolute difference of successive values. Fewer than
//! [`VALUES_MIN`] values give no range. From `centre - half` to `centre + half` is usual, both bounds included.
//!
//! Exact: a value is a double, so it is a whole number of steps of some power of two. Values are counted in steps of 2^-90 of
//! the greatest power of two in the largest of them, 2^-1000 at the finest (what is smaller than a step is cut off), all sums are of
//! integers, and whether a value is inside is decided on integers. So equal values have themselves as centre, and a value on
//! a bound is inside. Centre and bounds are rounded once, to the nearest double.
//!
//! It serves queries and rules alike, so it does not know where values come from, nor how windows without a row are filled
//! in: the caller does both.

use std::cmp::Ordering;

use crate::{
    calendar::{Calendar, Kind, Time},
    catalog::Direction,
    rational::Rational,
};

/// Number of final windows that a range is made of, at most.
pub const WINDOWS: usize = 24;

/// Number of values that a range is made of, at least.
pub const VALUES_MIN: usize = 8;

/// Bits of the largest value, in steps.
const BITS: i32 = 90;

/// A window of the series, as far as a range depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Its end.
    pub end: Time,
    /// Its value; `None` is null.
    pub value: Option<f64>,
    /// Whether it is final.
    pub is_final: bool,
}

/// How a value compares with its usual range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Inside, bounds included.
    Usual,
    /// Outside, on the good side.
    Better,
    /// Outside, on the bad side.
    Worse,
    /// Above, where neither side is good.
    Higher,
    /// Below, where neither side is good.
    Lower,
}

impl Verdict {
    /// Its name, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Usual => "usual",
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Higher => "higher",
            Verdict::Lower => "lower",
        }
    }
}

/// A usual range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// Sum of the values, in steps.
    sum: i128,
    /// Sum of the absolute differences of successive values, in steps.
    differences: i128,
    /// Number of values.
    count: i128,
    /// A step is 2^-scale.
    scale: i32,
}

impl Usual {
    /// The range for the window of `kind` that ends at `end`. `seen` has the windows of that kind and series in order of
    /// time; those that end at `end` or later are passed over. `None` for fewer than [`VALUES_MIN`] values.
    pub fn before(kind: Kind, end: Time, seen: &[Seen], calendar: &mut Calendar) -> Option<Usual> {
        let earlier = &seen[..seen.partition_point(|window| window.end < end)];
        let last: Vec<Seen> = match kind {
            Kind::Trailing(days) => apart(days, end, earlier, calendar),
            _ => earlier.iter().rev().filter(|window| window.is_final).take(WINDOWS).copied().collect(),
        };
        let values: Vec<f64> = last.iter().filter_map(|window| window.value).collect();
        Usual::of(&values)
    }

    /// The range of values that follow each other, from the earliest on or from the latest: it is the same. `None` for
    /// fewer than [`VALUES_MIN`].
    pub fn of(values: &[f64]) -> Option<Usual> {
        if values.len() < VALUES_MIN || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let scale = scale(values);
        let steps: Vec<i128> = values.iter().map(|value| steps(*value, scale)).collect();
        Some(Usual {
            sum: steps.iter().sum(),
            differences: steps.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum(),
            count: i128::try_from(steps.len()).ok()?,
            scale,
        })
    }

    /// Mean of the values.
    pub fn centre(&self) -> f64 {
        self.double(self.sum, self.count)
    }

    /// The least usual value.
    pub fn low(&self) -> f64 {
        self.double(self.middle() - self.reach(), self.parts())
    }

    /// The greatest usual value.
    pub fn high(&self) -> f64 {
        self.double(self.middle() + self.reach(), self.parts())
    }

    /// How a value compares with the range; `direction` says which side is good, if one is.
    pub fn verdict(&self, value: f64, direction: Option<Direction>) -> Verdict {
        match (self.side(value), direction) {
            (Ordering::Equal, _) => Verdict::Usual,
            (Ordering::Greater, Some(Direction::Up)) | (Ordering::Less, Some(Direction::Down)) => Verdict::Better,
            (Ordering::Greater, Some(Direction::Down)) | (Ordering::Less, Some(Direction::Up)) => Verdict::Worse,
            (Ordering::Greater, None) => Verdict::Higher,
            (Ordering::Less, None) => Verdict::Lower,
        }
    }

    /// Below, inside or above.
    fn side(&self, value: f64) -> Ordering {
        // Far outside, where products would not fit: no bound is that far from zero.
        let far = 1_i128 << (BITS + 6);
        let at = steps(value, self.scale).clamp(-far, far) * self.parts();
        if at < self.middle() - self.reach() {
            Ordering::Less
        } else if at > self.middle() + self.reach() {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// The common denominator of centre and half: 100 x count x (count - 1).
    fn parts(&self) -> i128 {
        100 * self.count * (self.count - 1)
    }

    /// The centre, in these parts of a step.
    fn middle(&self) -> i128 {
        self.sum * 100 * (self.count - 1)
    }

    /// Half the range, in these parts of a step: 2.66 times the differences over (count - 1).
    fn reach(&self) -> i128 {
        266 * self.count * self.differences
    }

    fn double(&self, num: i128, den: i128) -> f64 {
        let steps = Rational::new(num, den).map_or(f64::NAN, Rational::to_f64);
        steps * power(-self.scale)
    }
}

/// Final trailing windows that end `days`, 2 x `days`, ... days before `end`, by date, the latest first.
fn apart(days: u16, end: Time, seen: &[Seen], calendar: &mut Calendar) -> Vec<Seen> {
    let after_last = calendar.day(end - 1) + 1;
    let mut found = Vec::new();
    for back in (1..).map(|times: i32| after_last.saturating_sub(times.saturating_mul(days.into()))) {
        let end = calendar.midnight(back);
        if found.len() == WINDOWS || seen.first().is_none_or(|first| end < first.end) {
            break;
        }
        let window = seen.binary_search_by_key(&end, |window| window.end).ok().map(|at| seen[at]);
        found.extend(window.filter(|window| window.is_final));
    }
    found
}

/// By which power of two values are multiplied, so that the largest has [`BITS`] bits before its point.
fn scale(values: &[f64]) -> i32 {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let exponent = i32::try_from(largest.to_bits() >> 52).unwrap_or(0) - 1_023;
    // 2^1000 and its inverse are ordinary doubles.
    (BITS - 1 - exponent).clamp(-1_000, 1_000)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "cut off on purpose; what is too large becomes the largest integer"
)]
fn steps(value: f64, scale: i32) -> i128 {
    (value * power(scale)) as i128
}

/// 2^exponent, for exponents of ordinary doubles.
fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1_023).unsigned_abs()) << 52)
}

#[cfg(test)]
mod tests;
