//! Metrics of accounts: the snapshots of an account that changed in an instant, and ticks.

use std::sync::Arc;

use eventlog::Output;
use processor_core::{
    account::{Silence, Totals},
    calendar::{Calendar, Day, Kind, Time, Window},
    catalog::Per,
    engine::AccountChange,
    event::Cause,
    plan::{Metric, Plan},
    rollup::evaluate,
};
use proto::v1;

use super::{snapshot_output, tick_output};
use crate::{convert, wire};

/// An instant that is being published.
pub(super) struct Values<'a> {
    pub(super) plan: &'a Plan,
    /// One a metric.
    pub(super) topics: &'a [Arc<str>],
    pub(super) clock: Time,
    /// The clock before it.
    pub(super) previous: Time,
}

impl Values<'_> {
    /// Publishes what an account shows.
    pub(super) fn publish(
        &self,
        calendar: &mut Calendar,
        change: &AccountChange<'_>,
        partition: u32,
        outputs: &mut Vec<Output>,
    ) {
        for (metric, topic) in self.plan.metrics.iter().zip(self.topics) {
            if !metric.totals.is_empty() {
                for snapshot in self.totals(metric, change) {
                    outputs.push(snapshot_output(topic, partition, snapshot));
                }
            }
            if !metric.silence.is_empty() {
                for (day, silence) in change.silence.iter().filter(|(_, at_end)| at_end.changed) {
                    let snapshot = self.silence(calendar, metric, change.key, *day, silence.shown.as_ref());
                    outputs.push(snapshot_output(topic, partition, snapshot));
                }
            }
        }
    }

    /// Topics of metrics of accounts carry the first tick of each second.
    pub(super) fn tick(&self, partition: u32, outputs: &mut Vec<Output>) {
        if self.clock.div_euclid(convert::MICROS) <= self.previous.div_euclid(convert::MICROS) {
            return;
        }
        for (metric, topic) in self.plan.metrics.iter().zip(self.topics) {
            if metric.per == Per::Account {
                outputs.push(tick_output(topic, partition, self.clock, None));
            }
        }
    }

    /// The sums that changed, by currency.
    fn totals(&self, metric: &Metric, change: &AccountChange<'_>) -> Vec<v1::Snapshot> {
        let all = Window { kind: Kind::ToDate, start: Time::MIN, end: Time::MAX, opens: Time::MIN };
        let both = change.totals.iter().chain(change.before.iter());
        let mut currencies: Vec<(&str, u32)> = both.map(|(number, ..)| (change.names.text(number), number)).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let mut snapshots = Vec::new();
        for (currency, number) in currencies {
            let (before, now) =
                (Self::total(metric, change.before, number), Self::total(metric, change.totals, number));
            // Most have a later order than before: that is a change whatever the sums.
            let (was, is) = (before.as_ref().map(|total| total.0), now.as_ref().map(|total| total.0));
            let value = now.and_then(|(_, numbers)| evaluate(metric, self.plan, &numbers, 0).value);
            if was == is && before.and_then(|(_, numbers)| evaluate(metric, self.plan, &numbers, 0).value) == value {
                continue;
            }
            let mut snapshot = self.snapshot(metric, change.key, currency, &all);
            snapshot.value = Some(value.unwrap_or_default());
            snapshot.since_us = is.filter(|since| *since != Time::MIN);
            snapshots.push(snapshot);
        }
        snapshots
    }

    /// When a currency was last used, and the sums that a metric reads.
    fn total(metric: &Metric, totals: &Totals, currency: u32) -> Option<(Time, Vec<Option<i128>>)> {
        let (_, since, columns) = totals.iter().find(|(known, ..)| *known == currency)?;
        Some((since, metric.totals.iter().map(|column| Some(columns[*column])).collect()))
    }

    /// The silence at the end of a day.
    fn silence(
        &self,
        calendar: &mut Calendar,
        metric: &Metric,
        key: &str,
        day: Day,
        silence: Option<&(Silence, Option<Cause>)>,
    ) -> v1::Snapshot {
        let midnight = calendar.midnight(day);
        let window = calendar.window(Kind::Day, midnight);
        let complete = window.end.saturating_add(self.plan.settings.allowed_lateness);
        let mut snapshot = self.snapshot(metric, key, "", &window);
        snapshot.corrected = self.previous >= complete;
        snapshot.r#final = self.clock >= complete;
        snapshot.value = Some(silence.map_or(0.0, |(silence, _)| f64::from(silence.step)));
        if let Some((silence, cause)) = silence {
            snapshot.since_us = Some(silence.since);
            let reference = |id: &Cause| v1::EventRef { source: id.source.to_string(), id: id.id.to_string() };
            snapshot.causes = cause.iter().map(reference).collect();
        }
        snapshot
    }

    fn snapshot(&self, metric: &Metric, key: &str, currency: &str, window: &Window) -> v1::Snapshot {
        let mut parts = key.split(wire::SEPARATOR);
        let tenant = parts.next().unwrap_or_default().to_owned();
        let account = parts.nth(1).unwrap_or_default().to_owned();
        let dimensions = match currency {
            "" => Vec::new(),
            currency => vec![v1::Dimension { name: "currency".to_owned(), value: currency.to_owned() }],
        };
        v1::Snapshot {
            key: Some(v1::SnapshotKey {
                tenant,
                definition: metric.definition.clone(),
                dimensions,
                account: Some(account),
                window: Some(convert::window(window)),
            }),
            metric: metric.name.clone(),
            revision_us: self.clock,
            unit: metric.unit.clone(),
            currency: currency.to_owned(),
            ..v1::Snapshot::default()
        }
    }
}
