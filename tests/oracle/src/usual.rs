//! The usual range of a value (XmR chart: Wheeler, Understanding Variation).
//!
//! Over the last 24 final windows of its kind before the one shown that do not overlap: centre = their mean, half = 2.66 x
//! the mean absolute difference of successive ones, nulls left out. Fewer than 8 values give no range.

use crate::Settings;
use crate::calendar::{Kind, Window};
use crate::diff::Fill;
use crate::report::Truth;
use crate::row::{By, Row};
use jiff::{Timestamp, ToSpan};
use std::collections::HashMap;

/// How many windows are looked at.
const WINDOWS: usize = 24;
/// How few values give a range.
const LEAST: usize = 8;
/// Of the mean moving range: three standard deviations of single values.
const FACTOR: f64 = 2.66;
/// By which share of the range a value on a bound may miss it: sums of doubles are rounded.
const ROUNDING: f64 = 1e-12;

/// Where values usually lie, bounds included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Mean of the windows before.
    pub centre: f64,
    /// How far from it is still usual.
    pub half: f64,
}

impl Usual {
    /// What a value is: `usual`, `better` or `worse` by the side that is good, `higher` or `lower` where none is.
    pub fn word(&self, value: f64, metric: &str) -> &'static str {
        let over = value - self.centre;
        if over.abs() <= self.half + ROUNDING * (self.half + self.centre.abs()) {
            return "usual";
        }
        match more_is_better(metric) {
            None if over > 0.0 => "higher",
            None => "lower",
            Some(more) if more == (over > 0.0) => "better",
            Some(_) => "worse",
        }
    }
}

/// Whether more of it is good, or less; none where neither is.
fn more_is_better(metric: &str) -> Option<bool> {
    match metric {
        "events" | "health_score_accounts" | "goal_expected" => None,
        "silence"
        | "ces"
        | "customers_lost"
        | "customer_churn_rate"
        | "customer_churn_rate_rolling"
        | "revenue_churn_rate"
        | "contraction_mrr"
        | "churn_mrr"
        | "customer_retention_cost"
        | "customer_acquisition_cost"
        | "customer_acquisition_cost_lag"
        | "lead_response_time"
        | "lead_response_time_p50"
        | "lead_response_time_p90"
        | "deal_velocity"
        | "sales_cycle_length"
        | "sales_cycle_length_lost"
        | "response_time"
        | "response_time_p50"
        | "response_time_p90"
        | "response_time_waiting"
        | "response_time_oldest_waiting" => Some(false),
        _ => Some(true),
    }
}

/// A series of a tenant's metric: metric, dimension and its value, currency.
pub type Series<'a> = (&'a str, (By, &'a str), Option<&'a str>);

/// What a window shows, and its usual range.
pub type Course = Vec<(Window, Option<f64>, Option<Usual>)>;

/// Every window of a kind with its value and its usual range. `None` where a row that matters may be there or not.
pub fn course(truth: &Truth, series: Series<'_>, kind: Kind, settings: &Settings) -> Option<Course> {
    let values = values(truth, series, kind)?;
    let mut course = Vec::new();
    for (shown, value) in &values {
        let last: Vec<f64> = before(&values, *shown, settings)
            .filter(|(window, _)| truth.is_final(series.0, *window))
            .take(WINDOWS)
            .filter_map(|(_, value)| value)
            .collect();
        course.push((*shown, *value, of_values(&last)));
    }
    Some(course)
}

/// The windows before one that overlap neither with it nor with each other, latest first.
fn before<'v>(
    values: &'v [(Window, Option<f64>)],
    shown: Window,
    settings: &'v Settings,
) -> Box<dyn Iterator<Item = (Window, Option<f64>)> + 'v> {
    let earlier = values.iter().rev().copied().filter(move |(window, _)| window.end < shown.end);
    if shown.kind != Kind::Trailing30 {
        return Box::new(earlier);
    }
    // One ends with every day: those are apart whose last days are 30, 60, ... dates before.
    let last_day = move |window: Window| {
        let end = Timestamp::from_microsecond(window.end - 1).ok()?;
        Some(end.to_zoned(settings.zone.clone()).date())
    };
    let apart = move |window: Window| {
        let (day, shown) = (last_day(window)?, last_day(shown)?);
        let mut back = shown;
        while back > day {
            back = back.checked_sub(30.days()).ok()?;
        }
        Some(back == day)
    };
    Box::new(earlier.filter(move |(window, _)| apart(*window) == Some(true)))
}

/// Every window of a kind with its value, as a query fills it in.
fn values(truth: &Truth, (metric, group, currency): Series<'_>, kind: Kind) -> Option<Vec<(Window, Option<f64>)>> {
    let (_, windows) = truth.windows.iter().find(|(of, _)| *of == kind)?;
    let is = |row: &&Row| {
        let own = row.group.as_ref().map_or((By::Nothing, ""), |(by, value)| (*by, value.as_str()));
        let series = row.metric == metric && own == group && row.currency.as_deref() == currency;
        series && row.window.kind == kind && row.account.is_none()
    };
    let rows: HashMap<Window, &Row> = truth.rows.iter().filter(is).map(|row| (row.window, row)).collect();
    let (mut values, mut last) = (Vec::new(), 0.0);
    for window in windows {
        let fill = match Fill::of(metric) {
            Fill::Carry => Some(last),
            Fill::Zero => Some(0.0),
            Fill::Null => None,
        };
        let row = rows.get(window);
        let value = row.map_or(fill, |row| row.answer.value());
        if row.is_some_and(|row| row.optional) && value != fill {
            return None;
        }
        last = value.unwrap_or(0.0);
        values.push((*window, value));
    }
    Some(values)
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
        let words = |metric| [5.67, 5.68, 16.32, 16.33].map(|value| usual.word(value, metric));
        assert_eq!(words("orders"), ["worse", "usual", "usual", "better"]);
        assert_eq!(words("ces"), ["better", "usual", "usual", "worse"]);
        assert_eq!(words("events"), ["lower", "usual", "usual", "higher"]);
    }

    #[test]
    fn trailing_windows_are_apart_by_their_dates() {
        let settings = Settings::default();
        let days = crate::calendar::windows(Kind::Trailing30, &settings, 0, 100 * 86_400_000_000).unwrap();
        let values: Vec<(Window, Option<f64>)> = days.iter().map(|window| (*window, None)).collect();
        let ends: Vec<i64> =
            before(&values, days[99], &settings).map(|(window, _)| window.end / 86_400_000_000).collect();
        assert_eq!(ends, [70, 40, 10]);
    }
}
