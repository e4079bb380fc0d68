//! What adds to a metric: dated contributions, and their sums in a window.
//!
//! A mark belongs to the window that holds its `time`; it came about `at` (a lead that was created in May and converts in
//! June adds to May from June on). A metric over marks is a sum of `num`, the ratio of the sums of `num` and `den`, or the
//! mean and the quantiles of elapsed times.

use crate::calendar::Window;
use crate::fx::{Converter, Money};
use crate::row::{Answer, Group, Row};
use crate::{Micros, deal};
use std::collections::HashMap;
use std::sync::Arc;

/// Microseconds in a second: elapsed times are counted in those and published in these.
pub const SECOND: i128 = 1_000_000;

/// A contribution.
#[derive(Clone, Debug)]
pub struct Mark<'a> {
    /// To which metric.
    pub metric: &'static str,
    /// Decides the window.
    pub time: Micros,
    /// When it came about; not before `time`, but for costs.
    pub at: Micros,
    /// Each group once.
    pub groups: Arc<[Group<'a>]>,
    /// ISO 4217; empty where the metric is no money.
    pub currency: &'a str,
    /// Added to the numerator.
    pub num: i128,
    /// Added to the denominator.
    pub den: i128,
}

/// What is made of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The sum of `num`.
    Sum,
    /// `num / den`.
    Ratio,
    /// `num` is in millionths: the ratio of the sums, exactly.
    Millionths,
    /// `num` is an elapsed time in microseconds; `den` counts. The mean in seconds, and these two quantiles.
    Elapsed(Option<[&'static str; 2]>),
}

/// The shape of a metric over marks.
pub fn shape(metric: &str) -> Shape {
    match metric {
        "ces" | "csat_mean" => Shape::Millionths,
        "response_time" => Shape::Elapsed(Some(["response_time_p50", "response_time_p90"])),
        "lead_response_time" => Shape::Elapsed(Some(["lead_response_time_p50", "lead_response_time_p90"])),
        "deal_velocity" | "sales_cycle_length" | "sales_cycle_length_lost" => Shape::Elapsed(None),
        "new_mrr" | "expansion_mrr" | "reactivation_mrr" | "contraction_mrr" | "churn_mrr" | "net_new_mrr" => {
            Shape::Sum
        }
        _ => Shape::Ratio,
    }
}

/// The sums of one series in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Sum of the numerators.
    pub num: Money,
    /// Sum of the denominators; money, too, where two amounts are divided.
    pub den: Money,
    /// The elapsed times, where quantiles are asked for.
    pub values: Vec<i128>,
}

/// Metric, group, currency.
pub type Name<'a> = (&'static str, Group<'a>, &'a str);

/// The sums of a window.
pub type Table<'a> = HashMap<Name<'a>, Tally>;

/// Sums the marks (ascending by time) that lie in `window` and came about before `seen_at`.
pub fn sum<'a>(marks: &[Mark<'a>], window: Window, seen_at: Micros, converter: &'a Converter) -> Table<'a> {
    let from = marks.partition_point(|mark| mark.time < window.start);
    let mut table = Table::new();
    let within = marks[from..].iter().take_while(|mark| mark.time < window.end);
    for mark in within.filter(|mark| mark.at < seen_at) {
        add(mark, converter, &mut table);
    }
    table
}

fn add<'a>(mark: &Mark<'a>, converter: &'a Converter, table: &mut Table<'a>) {
    // What is withdrawn takes back what it had added.
    let Some((currency, rate)) = converter.rate(mark.currency, mark.time) else { return };
    // Of a deal in some currency not all is money.
    let is_amount = ![deal::CLOSED, deal::DAYS].contains(&mark.metric);
    let timed = matches!(shape(mark.metric), Shape::Elapsed(Some(_)));
    for group in mark.groups.iter() {
        let tally = table.entry((mark.metric, *group, currency)).or_default();
        tally.num.add(mark.num, rate.filter(|_| is_amount));
        if mark.metric == "renewal_rate_dollar" {
            tally.den.add(mark.den, rate);
        } else {
            tally.den.add(mark.den, None);
        }
        if timed {
            tally.values.push(mark.num);
        }
    }
}

/// The rows of a window.
pub fn rows(table: Table<'_>, window: Window, rows: &mut Vec<Row>) {
    for ((metric, group, currency), mut tally) in table {
        tally.values.sort_unstable();
        let empty = tally.num.is_zero() && tally.den.is_zero();
        for (name, answer) in answers(metric, &tally) {
            let currency = (!currency.is_empty()).then_some(currency);
            let mut row = Row::aggregate(name, window, group, currency, answer).optional_if(empty);
            if matches!(shape(metric), Shape::Elapsed(_)) {
                row.unit = "seconds";
            }
            rows.push(row);
        }
    }
}

/// What a metric and its variants say.
pub fn answers(metric: &'static str, tally: &Tally) -> Vec<(&'static str, Answer)> {
    let (num, den) = (tally.num.total(), tally.den.total());
    match shape(metric) {
        Shape::Sum => vec![(metric, Answer::Whole(num))],
        Shape::Ratio => vec![(metric, Answer::Ratio(num, den))],
        Shape::Millionths => vec![(metric, Answer::Ratio(num, den * SECOND))],
        Shape::Elapsed(quantiles) => {
            let mut found = vec![(metric, Answer::Ratio(num, den * SECOND))];
            for (name, percent) in quantiles.into_iter().flatten().zip([50, 90]) {
                found.push((name, quantile(&tally.values, percent)));
            }
            found
        }
    }
}

/// The nearest rank: of n values the one at place n x percent / 100, rounded up.
fn quantile(ascending: &[i128], percent: usize) -> Answer {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    match ascending.get(rank - 1) {
        Some(value) => Answer::Quantile(*value, SECOND),
        None => Answer::Null(crate::row::NO_DENOMINATOR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let of = |values: &[i128], percent| quantile(values, percent);
        assert_eq!(of(&[10, 20, 30, 40], 50), Answer::Quantile(20, SECOND));
        assert_eq!(of(&[10, 20, 30, 40], 90), Answer::Quantile(40, SECOND));
        assert_eq!(of(&[7], 50), Answer::Quantile(7, SECOND));
        assert_eq!(of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90), Answer::Quantile(9, SECOND));
    }
}
