//! Metrics of accounts: the snapshots of an account that changed in an instant, and ticks.

use std::sync::Arc;

use eventlog::Output;
use processor_core::{
    calendar::{Kind, Time},
    catalog::Per,
    engine::AccountChange,
    event::Cause,
    plan::Plan,
    projection::Projected,
    rational::Rational,
    shown::AccountValue,
};
use proto::{
    Message,
    prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint},
    v1,
};

use super::{output, tick_output};
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
    pub(super) fn publish(&self, change: &AccountChange<'_>, partition: u32, outputs: &mut Vec<Output>) {
        let traits = encode_traits(&change.traits);
        for value in &change.values {
            let snapshot = self.snapshot(change.key, value);
            let key = snapshot.key.as_ref().map(Message::encode_to_vec).unwrap_or_default();
            outputs.push(output(&self.topics[value.metric], partition, key, entry(&snapshot, &traits), self.clock));
        }
        if let Some(coming) = &change.outlook {
            self.publish_outlook(change, coming, partition, outputs);
        }
    }

    fn publish_outlook(
        &self,
        change: &AccountChange<'_>,
        coming: &[Projected],
        partition: u32,
        outputs: &mut Vec<Output>,
    ) {
        let number = self.plan.metrics.iter().position(|metric| metric.score);
        let number = number.expect("what is projected is a score");
        let metric = &self.plan.metrics[number];
        let (tenant, account) = names_of(change.key);
        let key = v1::SnapshotKey {
            tenant,
            definition: metric.definition.clone(),
            dimensions: Vec::new(),
            account: Some(account),
            window: None,
        };
        let outlook = v1::Outlook {
            key: Some(key.clone()),
            metric: metric.name.clone(),
            revision_us: self.clock,
            projection: coming.iter().map(|coming| self.projection(coming)).collect(),
            traits: dimensions(&change.traits),
        };
        let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Outlook(outlook)) }.encode_to_vec();
        outputs.push(output(&self.topics[number], partition, key.encode_to_vec(), entry, self.clock));
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

    fn snapshot(&self, key: &str, value: &AccountValue<'_>) -> v1::Snapshot {
        let metric = &self.plan.metrics[value.metric];
        let (tenant, account) = names_of(key);
        let currency = Some(("currency", value.currency)).filter(|(_, currency)| !currency.is_empty());
        let named = value.dimensions.iter().copied().chain(currency);
        let dimension = |(name, value): (&str, &str)| v1::Dimension { name: name.to_owned(), value: value.to_owned() };
        let dimensions = named.map(dimension).collect();
        let is_day = value.window.kind == Kind::Day;
        let complete = value.window.end.saturating_add(self.plan.settings.allowed_lateness);
        let reference =
            |id: &Cause| v1::EventRef { source: id.source.to_string(), id: id.id.to_string(), time_us: Some(id.time) };
        let contribution =
            |(name, tenths): &(&str, i64)| v1::Contribution { name: (*name).to_owned(), tenths: *tenths };
        v1::Snapshot {
            key: Some(v1::SnapshotKey {
                tenant,
                definition: metric.definition.clone(),
                dimensions,
                account: Some(account),
                window: Some(convert::window(&value.window)),
            }),
            metric: metric.name.clone(),
            revision_us: self.clock,
            value: value.value,
            unit: metric.unit.clone(),
            currency: value.currency.to_owned(),
            r#final: is_day && self.clock >= complete,
            corrected: is_day && self.previous >= complete,
            reason: value.reason.to_owned(),
            since_us: value.since,
            causes: value.cause.into_iter().map(reference).collect(),
            contributions: value.contributions.iter().map(contribution).collect(),
            projection: value.projection.iter().map(|coming| self.projection(coming)).collect(),
            ..v1::Snapshot::default()
        }
    }

    fn projection(&self, coming: &Projected) -> v1::Projection {
        let components = self.plan.score.as_ref().map_or(&[][..], |score| &score.components);
        let moved = |(place, points): &(usize, Option<Rational>)| v1::Moved {
            name: components[*place].name.clone(),
            points: points.map(Rational::to_f64),
        };
        v1::Projection {
            at_us: coming.at,
            value: coming.value(),
            reason: coming.reason.to_owned(),
            moved: coming.moved.iter().map(moved).collect(),
        }
    }
}

/// The traits of an account, as they are at the end of a snapshot: all that an account shows in an instant has the same.
fn encode_traits(traits: &[(&str, &str)]) -> Vec<u8> {
    v1::Snapshot { traits: dimensions(traits), ..v1::Snapshot::default() }.encode_to_vec()
}

fn dimensions(pairs: &[(&str, &str)]) -> Vec<v1::Dimension> {
    let dimension = |(name, value): &(&str, &str)| v1::Dimension { name: (*name).into(), value: (*value).into() };
    pairs.iter().map(dimension).collect()
}

/// Tenant and account of a key of the engine.
fn names_of(key: &str) -> (String, String) {
    let mut parts = key.split(wire::SEPARATOR);
    (parts.next().unwrap_or_default().to_owned(), parts.nth(1).unwrap_or_default().to_owned())
}

/// A `v1::MetricEntry` of a snapshot with these traits, whose field is the last of it.
fn entry(snapshot: &v1::Snapshot, traits: &[u8]) -> Vec<u8> {
    let length = snapshot.encoded_len() + traits.len();
    let mut entry = Vec::with_capacity(1 + encoded_len_varint(length as u64) + length);
    // The field of a snapshot in an entry.
    encode_key(1, WireType::LengthDelimited, &mut entry);
    encode_varint(length as u64, &mut entry);
    snapshot.encode_raw(&mut entry);
    entry.extend_from_slice(traits);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_what_the_generated_code_writes() {
        let plain = v1::Snapshot { metric: "silence".to_owned(), since_us: Some(-3), ..v1::Snapshot::default() };
        for traits in [vec![], vec![("name", "Acme"), ("plan", "pro")]] {
            let bytes = entry(&plain, &encode_traits(&traits));
            let dimension =
                |(name, value): &(&str, &str)| v1::Dimension { name: (*name).into(), value: (*value).into() };
            let whole = v1::Snapshot { traits: traits.iter().map(dimension).collect(), ..plain.clone() };
            let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Snapshot(whole)) };
            assert_eq!(bytes, entry.encode_to_vec());
        }
    }
}
