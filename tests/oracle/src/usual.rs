//! The usual range of a value (XmR chart: Wheeler, Understanding Variation).
//!
//! Over the last 24 final windows of its kind before the one shown that do not overlap: centre = their mean, half = 2.66 x
//! the mean absolute difference of successive ones. Fewer than 8 values give no range.

use crate::calendar::{Kind, Window};
use crate::report::Truth;
use crate::row::{By, Row};

/// How many windows are looked at.
const WINDOWS: usize = 24;
/// How few values give a range.
const LEAST: usize = 8;
/// Of the mean moving range: three standard deviations of single values.
const FACTOR: f64 = 2.66;

/// Where values usually lie, bounds included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Mean of the windows before.
    pub centre: f64,
    /// How far from it is still usual.
    pub half: f64,
}

impl Usual {
    /// Whether a value is inside, bounds included.
    pub fn holds(&self, value: f64) -> bool {
        (value - self.centre).abs() <= self.half
    }
}

/// The usual range of a series (metric, dimension, currency) for the window shown. `fill` is what stands where a window
/// has no row: 0 of sums and counts, else nothing.
pub fn usual(
    truth: &Truth,
    (metric, group, currency): (&str, (By, &str), Option<&str>),
    shown: Window,
    fill: Option<f64>,
) -> Option<Usual> {
    let of_kind = truth.windows.iter().find(|(kind, _)| *kind == shown.kind)?;
    let step = if shown.kind == Kind::Trailing30 { 30 } else { 1 };
    let before: Vec<Window> = of_kind.1.iter().copied().filter(|window| window.end < shown.end).collect();
    // Windows of every day overlap: those that end 30, 60, ... days before.
    let apart = before.into_iter().rev().skip(step - 1).step_by(step);
    let last = apart.filter(|window| truth.is_final(metric, *window)).take(WINDOWS);
    let is = |row: &&Row, window: &Window| {
        let own = row.group.as_ref().map_or((By::Nothing, ""), |(by, value)| (*by, value.as_str()));
        row.metric == metric && row.window == *window && own == group && row.currency.as_deref() == currency
    };
    let value = |window: Window| match truth.rows.iter().find(|row| is(row, &window) && row.account.is_none()) {
        Some(row) => row.answer.value(),
        None => fill,
    };
    of_values(&last.filter_map(value).collect::<Vec<f64>>())
}

/// The range of values in their order, either way.
pub fn of_values(values: &[f64]) -> Option<Usual> {
    if values.len() < LEAST {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / u32::try_from(values.len()).map_or(f64::NAN, f64::from);
    let ranges: Vec<f64> = values.windows(2).map(|pair| (pair[0] - pair[1]).abs()).collect();
    Some(Usual { centre: mean(values), half: FACTOR * mean(&ranges) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_mean_and_the_moving_range() {
        assert_eq!(of_values(&[1.0; 7]), None);
        let usual = of_values(&[10.0, 12.0, 10.0, 12.0, 10.0, 12.0, 10.0, 12.0]).unwrap();
        assert_eq!((usual.centre, usual.half), (11.0, 2.66 * 2.0));
        assert!(usual.holds(11.0 + 5.32) && usual.holds(5.68) && !usual.holds(16.33));
    }
}
