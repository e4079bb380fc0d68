//! Costs: `customer_retention_cost`, `customer_acquisition_cost`, `customer_acquisition_cost_lag`.

use crate::base::Counts;
use crate::calendar::Window;
use crate::fx::{Converter, Money};
use crate::read::Event;
use crate::row::{ALL, Answer, Row};
use crate::spread::spread;
use crate::{Micros, Settings, local};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The share of a cost that falls on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<'a> {
    /// The start of the local day.
    pub day: Micros,
    /// `acquisition` or `retention`.
    pub bucket: &'a str,
    /// ISO 4217.
    pub currency: &'a str,
    /// Minor units.
    pub amount: i128,
}

/// The shares of all costs by day, from the events in effect.
pub fn shares<'a>(events: &[&'a Event], settings: &Settings) -> Vec<Share<'a>> {
    let mut shares = Vec::new();
    for event in events.iter().filter(|event| event.kind == "cost.recorded") {
        let days = days(event, settings);
        let amounts = spread(event.amount("amount"), &vec![1; days.len()]);
        let text = |name| event.text(name).unwrap_or_default();
        let (bucket, currency) = (text("bucket"), text("currency"));
        shares.extend(days.into_iter().zip(amounts).map(|(day, amount)| Share { day, bucket, currency, amount }));
    }
    shares.sort_by_key(|share| share.day);
    shares
}

/// The days of its period, each by its first instant; a day that the zone skipped is none.
fn days(event: &Event, settings: &Settings) -> Vec<Micros> {
    let zone = &settings.zone;
    let bound = |name| event.text(name).and_then(|text| text.parse::<Date>().ok());
    let (from, to) = match (bound("period_from"), bound("period_to")) {
        (Some(from), Some(to)) => (from, to),
        _ => {
            let day = local::date(event.time, zone);
            (day, day.tomorrow().unwrap_or(day))
        }
    };
    let starts = local::dates(from, to).filter_map(|day| {
        let (start, end) = (local::midnight(day, zone)?, local::midnight(day.tomorrow().ok()?, zone)?);
        (start < end).then_some(start)
    });
    starts.collect()
}

/// Costs of a bucket in `[start, end)` by currency.
pub fn sums<'a>(
    shares: &[Share<'a>],
    bucket: &str,
    (start, end): (Micros, Micros),
    converter: &'a Converter,
) -> BTreeMap<&'a str, Money> {
    let mut sums: BTreeMap<&str, Money> = BTreeMap::new();
    let from = shares.partition_point(|share| share.day < start);
    let within = shares[from..].iter().take_while(|share| share.day < end);
    for share in within.filter(|share| share.bucket == bucket) {
        if let Some((currency, rate)) = converter.rate(share.currency, share.day) {
            sums.entry(currency).or_default().add(share.amount, rate);
        }
    }
    sums
}

/// The window as many local days earlier.
pub fn earlier(window: Window, days: i64, settings: &Settings) -> (Micros, Micros) {
    let shift = |at| local::midnight_of(local::day(at, &settings.zone) - days, &settings.zone).unwrap_or(at);
    (shift(window.start), shift(window.end))
}

/// The rows of a window, from what its counts of all accounts say. `seen` has the first event of each currency.
pub fn rows<'a>(
    shares: &[Share<'a>],
    window: Window,
    counts: Counts,
    seen: &BTreeMap<&'a str, (Micros, Option<Micros>)>,
    converter: &'a Converter,
    settings: &Settings,
    rows: &mut Vec<Row>,
) {
    let bounds = (window.start, window.end);
    let lagged = earlier(window, settings.lag_days, settings);
    let asked = [
        ("customer_retention_cost", "retention", bounds, counts.kept),
        ("customer_acquisition_cost", "acquisition", bounds, counts.fresh),
        ("customer_acquisition_cost_lag", "acquisition", lagged, counts.fresh),
    ];
    for (metric, bucket, bounds, den) in asked {
        let sums = sums(shares, bucket, bounds, converter);
        for (currency, (first, first_cost)) in seen {
            if *first >= window.end {
                continue;
            }
            let num = sums.get(currency).map_or(0, Money::total);
            // Over the customer base there is a row from the currency's first cost on; else where there was a cost.
            let base = metric == "customer_retention_cost" && first_cost.is_some_and(|at| at < window.end);
            let sure = base || sums.contains_key(currency);
            if sure || den > 0 {
                let answer = Answer::Ratio(num, den);
                rows.push(Row::aggregate(metric, window, ALL, Some(currency), answer).optional_if(!sure));
            }
        }
    }
}

/// The first event that names each currency, and the first day with a cost in it.
pub fn seen<'a>(
    events: &[&'a Event],
    shares: &[Share<'a>],
    converter: &'a Converter,
) -> BTreeMap<&'a str, (Micros, Option<Micros>)> {
    let mut seen: BTreeMap<&str, (Micros, Option<Micros>)> = BTreeMap::new();
    for event in events {
        let Some(currency) = event.text("currency").filter(|currency| !currency.is_empty()) else { continue };
        if let Some((shown, at)) = converter.since(currency, event.time) {
            let entry = seen.entry(shown).or_insert((at, None));
            entry.0 = entry.0.min(at);
        }
    }
    for share in shares {
        if let Some((shown, at)) = converter.since(share.currency, share.day) {
            let entry = seen.entry(shown).or_insert((at, None));
            entry.0 = entry.0.min(at);
            entry.1 = Some(entry.1.map_or(at, |first| first.min(at)));
        }
    }
    seen
}
