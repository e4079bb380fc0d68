//! From the wire to what a store holds. A message that a store could not hold is refused with what is wrong.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message as _;
use proto::v1::{self, metric_entry::Entry};
use store::{
    About, Alert, AlertState, Cause, EvidenceWindow, Point, Row, Series, Window,
    account::{Contribution, Projected, Seen},
    window::{Kind, rfc3339},
};

use crate::{Error, Result};

/// What a record of a metric or alert topic says.
pub enum Said {
    /// A value of a metric.
    Row(Row),
    /// What time it is, and what it was at the first tick; microseconds since the Unix epoch.
    Tick(i64, Option<i64>),
    /// How a score will change: no value of its own.
    Outlook,
    /// A change of state of an alert.
    Alert(Box<Alert>),
}

/// Decodes the value of a metric topic.
///
/// # Errors
/// When it does not decode, or no store could hold it.
pub fn metric_entry(bytes: &[u8]) -> Result<Said> {
    let entry = v1::MetricEntry::decode(bytes).map_err(|error| Error::record(error.to_string()))?;
    match entry.entry {
        Some(Entry::Snapshot(snapshot)) => Ok(Said::Row(row(snapshot)?)),
        Some(Entry::Tick(tick)) => Ok(Said::Tick(tick.at_us, tick.since_us)),
        Some(Entry::Outlook(_)) => Ok(Said::Outlook),
        None => Err(Error::record("the entry is neither a snapshot nor a tick")),
    }
}

/// Decodes the value of the alert topic.
///
/// # Errors
/// When it does not decode, or no store could hold it.
pub fn transition(bytes: &[u8]) -> Result<Said> {
    let transition = v1::AlertTransition::decode(bytes).map_err(|error| Error::record(error.to_string()))?;
    Ok(Said::Alert(Box::new(alert(transition)?)))
}

/// What a snapshot of an account says beside its value, if that is what the value of a metric topic is; `row` is what
/// [`metric_entry`] makes of it.
pub fn seen(bytes: &[u8], row: &Row) -> Option<Seen> {
    let Some(Entry::Snapshot(snapshot)) = v1::MetricEntry::decode(bytes).ok()?.entry else { return None };
    Some(Seen {
        series: row.series.clone(),
        window: row.point.window,
        value: snapshot.value,
        reason: snapshot.reason,
        revision_us: snapshot.revision_us,
        caused_us: snapshot.causes.iter().filter_map(|cause| cause.time_us).max(),
        contributions: snapshot.contributions.into_iter().map(contribution).collect(),
        projection: snapshot.projection.into_iter().map(projected).collect(),
        traits: dimensions(snapshot.traits),
    })
}

fn contribution(of: v1::Contribution) -> Contribution {
    Contribution { component: of.name, tenths: of.tenths }
}

fn projected(of: v1::Projection) -> Projected {
    let moved = of.moved.into_iter().map(|moved| (moved.name, moved.points)).collect();
    Projected { at_us: of.at_us, score: of.value, reason: of.reason, moved }
}

fn row(snapshot: v1::Snapshot) -> Result<Row> {
    let key = snapshot.key.ok_or_else(|| Error::record("the snapshot has no key"))?;
    let window = window(key.window.as_ref())?;
    let mut dimensions = dimensions(key.dimensions);
    // Currency has a field of its own; in the key it is a dimension, so that two currencies are two keys.
    let currency = dimensions.remove("currency").unwrap_or_default();
    let currency = if snapshot.currency.is_empty() { currency } else { snapshot.currency };
    Ok(Row {
        series: Arc::new(Series {
            tenant: key.tenant,
            metric: snapshot.metric,
            definition: key.definition,
            dimensions,
            currency,
            account: key.account,
            unit: snapshot.unit,
        }),
        point: Point {
            window,
            value: snapshot.value,
            num: snapshot.num,
            den: snapshot.den,
            revision_us: Some(snapshot.revision_us),
            is_final: snapshot.r#final,
            corrected: snapshot.corrected,
            first: None,
            since_us: snapshot.since_us,
            reason: snapshot.reason,
        },
    })
}

fn window(window: Option<&v1::Window>) -> Result<Window> {
    let window = window.ok_or_else(|| Error::record("the key has no window"))?;
    let kind: Kind = window.kind.parse().map_err(|error: store::Error| Error::record(error.to_string()))?;
    match (kind, window.start_us, window.end_us) {
        (Kind::ToDate, None, None) => Ok(Window::to_date()),
        (Kind::ToDate, ..) => Err(Error::record("a to-date window has neither start nor end")),
        (_, Some(start), Some(end)) if start < end => Ok(Window::new(kind, start, end)),
        _ => Err(Error::record(format!("the {kind} window does not start before it ends"))),
    }
}

fn dimensions(dimensions: Vec<v1::Dimension>) -> BTreeMap<String, String> {
    dimensions.into_iter().map(|dimension| (dimension.name, dimension.value)).collect()
}

fn alert(transition: v1::AlertTransition) -> Result<Alert> {
    let state = state(transition.state());
    let key = transition.key.ok_or_else(|| Error::record("the transition has no key"))?;
    let evidence = transition.evidence.into_iter().map(evidence).collect::<Result<Vec<_>>>()?;
    Ok(Alert {
        tenant: key.tenant,
        rule: key.rule,
        account: key.account,
        dimensions: dimensions(key.dimensions),
        metric: transition.metric,
        state,
        since_us: transition.since_us,
        at_us: transition.at_us,
        value: transition.value,
        evidence: store::evidence_json(&evidence),
        about: About {
            id: transition.id,
            labels: dimensions(transition.labels),
            annotations: dimensions(transition.annotations),
            owner: transition.owner,
            reason: transition.reason,
            unit: transition.unit,
            fired_us: transition.fired_us,
            traits: dimensions(transition.traits),
        },
    })
}

fn state(state: v1::AlertState) -> AlertState {
    match state {
        v1::AlertState::Inactive => AlertState::Inactive,
        v1::AlertState::Pending => AlertState::Pending,
        v1::AlertState::Firing => AlertState::Firing,
        v1::AlertState::Resolved => AlertState::Resolved,
    }
}

fn evidence(evidence: v1::Evidence) -> Result<store::Evidence> {
    let window = window(evidence.window.as_ref())?;
    Ok(store::Evidence {
        definition: evidence.definition,
        window: EvidenceWindow {
            kind: window.kind,
            start: window.start_us.map(rfc3339),
            end: window.end_us.map(rfc3339),
        },
        value: evidence.value,
        revision: rfc3339(evidence.revision_us),
        causes: evidence.causes.into_iter().map(|cause| Cause { source: cause.source, id: cause.id }).collect(),
        before: evidence.before,
        before_at: evidence.before_us.map(rfc3339),
        compared: evidence.compared,
        changes: evidence.changes.into_iter().map(contribution).collect(),
    })
}
