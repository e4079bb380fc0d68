//! Costs: each is spread over the local days of its period.
//!
//! A cost counts by its period, whatever its time, also on days that the clock has not reached; without a period it is of
//! the day of its event. The amount is spread evenly by largest remainder, ties to the earlier day, so that the days add up
//! to it. A day that the zone skipped is none.
//!
//! Its subject is the tenant. Costs know nothing of each other, so there is no state.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    calendar::{Calendar, Time},
    event::Event,
    expr::Type,
    vocabulary::cost_recorded as field,
};

/// The share of a cost that falls on one day, at the start of the day. The amount is in minor units.
pub const COST: FactType = FactType {
    name: "cost",
    event: "",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("bucket", Spelling::Both),
        FieldType::dimension("channel", Spelling::Both),
        FieldType::dimension("source", Spelling::Both),
        FieldType::new("amount", Type::Money, Spelling::Both),
    ],
    whole: 4,
    money: true,
    stays: false,
    has_event: true,
    reads: Costs::READS,
};
const ID: FactId = super::id(&COST);

/// Costs of the tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs;

impl Lifecycle for Costs {
    const TAG: u8 = b'c';
    const READS: &'static [&'static str] = &[field::TYPE];
    const FACTS: &'static [&'static FactType] = &[&COST];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let days = days(event, out.context.calendar);
        let amount = event.data.integer(field::AMOUNT).unwrap_or(0);
        let [bucket, channel, source] =
            [field::BUCKET, field::CHANNEL, field::SOURCE].map(|number| Slot::Text(event.data.text(number)));
        let currency = out.context.currency(event.data.text(field::CURRENCY));

        let (profile, shares) = (out.profile(), spread(amount, days.len()));
        for (day, share) in days.into_iter().zip(shares) {
            let values = [bucket, channel, source, Slot::Integer(share)];
            let fact = Fact { currency, values: &values, ..Fact::new(day, profile, Some(event)) };
            out.add(ID, &fact, 1);
        }
    }

    fn encode(&self, _: &mut Writer<'_>) {}

    fn decode(_: &mut Decoder<'_, '_>) -> Option<Costs> {
        Some(Costs)
    }
}

/// The starts of the local days of its period.
fn days(event: &Event<'_>, calendar: &mut Calendar) -> Vec<Time> {
    let mut day = |number| {
        let start = calendar.instant(event.data.text(number))?;
        Some(calendar.day(start))
    };
    let (first, end) = match (day(field::PERIOD_FROM), day(field::PERIOD_TO)) {
        (Some(from), Some(to)) => (from, to),
        _ => {
            let day = calendar.day(event.time);
            (day, day + 1)
        }
    };
    let mut starts: Vec<Time> = (first..end).map(|day| calendar.midnight(day)).collect();
    // A skipped day begins where the next one does.
    let after = calendar.midnight(end);
    starts.retain(|start| *start < after);
    starts.dedup();
    starts
}

/// Even shares of an amount, which add up to it: what does not divide goes to the earlier days, a unit each.
fn spread(amount: i64, days: usize) -> impl Iterator<Item = i64> {
    let days = i64::try_from(days).unwrap_or(i64::MAX).max(1);
    let (share, rest) = (amount / days, amount % days);
    (0..days).map(move |day| if day < rest.abs() { share + rest.signum() } else { share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::golden::{event, sums};

    #[test]
    fn a_cost_is_spread_over_its_days_and_the_earlier_have_the_rest() {
        assert_eq!(spread(100, 3).collect::<Vec<_>>(), [34, 33, 33]);
        assert_eq!(spread(-5, 3).collect::<Vec<_>>(), [-2, -2, -1]);
        assert_eq!(spread(1, 1).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_cost_counts_by_its_period_also_after_the_clock() {
        let cost = |day, bucket, amount, from, to| {
            let fields = [(1, bucket), (2, amount), (3, "EUR"), (4, "ads"), (6, from), (7, to)];
            event(day, 7, "cost.recorded", &fields)
        };
        let events = vec![
            cost(9, "acquisition", "#100", "1970-01-03", "1970-01-06"),
            cost(3, "acquisition", "#5", "1970-02-01", "1970-02-02"),
            cost(5, "retention", "#7", "", ""),
        ];
        let measures = [("acquired", "{sum: cost, of: amount, where: bucket == \"acquisition\"}")];
        let days =
            ["acquired 2 ads EUR: 34", "acquired 3 ads EUR: 33", "acquired 31 ads EUR: 5", "acquired 4 ads EUR: 33"];
        let mut found = sums(&measures, "[channel]", events.clone(), 10);
        found.sort_unstable();
        assert_eq!(found, days);
        let later = [("acquired", "{sum: cost, of: amount, lag: 30d, where: bucket == \"acquisition\"}")];
        let days = ["acquired 32 EUR: 34", "acquired 33 EUR: 33", "acquired 34 EUR: 33", "acquired 61 EUR: 5"];
        assert_eq!(sums(&later, "[]", events, 10), days);
    }
}
