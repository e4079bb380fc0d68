//! Between the wire and the core of rules: snapshots in, transitions out.

use proto::v1;

use crate::{
    snapshot::{Cause, Outlook, Projected, Series, Snapshot, Window},
    transition::{Into, Transition},
};

/// A snapshot as the rules see it.
pub(crate) fn snapshot(from: v1::Snapshot) -> Snapshot {
    let key = from.key.unwrap_or_default();
    let window = key.window.unwrap_or_default();
    Snapshot {
        series: Series { tenant: key.tenant, dimensions: pairs(key.dimensions), account: key.account },
        definition: key.definition,
        window: Window { kind: window.kind, start: window.start_us, end: window.end_us },
        revision: from.revision_us,
        value: from.value,
        num: from.num.and_then(|text| text.parse().ok()),
        den: from.den.and_then(|text| text.parse().ok()),
        unit: from.unit,
        currency: from.currency,
        is_final: from.r#final,
        corrected: from.corrected,
        reason: from.reason,
        since: from.since_us,
        causes: from.causes.into_iter().map(|it| Cause { source: it.source, id: it.id, time: it.time_us }).collect(),
        contributions: from.contributions.into_iter().map(|it| (it.name, it.tenths)).collect(),
        projection: from.projection.into_iter().map(projected).collect(),
        traits: pairs(from.traits),
    }
}

/// An outlook as the rules see it.
pub(crate) fn outlook(from: v1::Outlook) -> Outlook {
    let key = from.key.unwrap_or_default();
    Outlook {
        series: Series { tenant: key.tenant, dimensions: pairs(key.dimensions), account: key.account },
        revision: from.revision_us,
        projection: from.projection.into_iter().map(projected).collect(),
        traits: pairs(from.traits),
    }
}

/// A snapshot as it is stored with the state of its series: without the metric's name, which the task knows.
pub(crate) fn stored(from: &Snapshot) -> v1::Snapshot {
    v1::Snapshot {
        key: Some(v1::SnapshotKey {
            tenant: from.series.tenant.clone(),
            definition: from.definition.clone(),
            dimensions: dimensions(&from.series.dimensions),
            account: from.series.account.clone(),
            window: Some(window(&from.window)),
        }),
        metric: String::new(),
        revision_us: from.revision,
        value: from.value,
        num: from.num.map(|num| num.to_string()),
        den: from.den.map(|den| den.to_string()),
        unit: from.unit.clone(),
        currency: from.currency.clone(),
        r#final: from.is_final,
        corrected: from.corrected,
        reason: from.reason.clone(),
        since_us: from.since,
        causes: causes(&from.causes),
        contributions: contributions(&from.contributions),
        projection: from.projection.iter().map(projection).collect(),
        traits: dimensions(&from.traits),
    }
}

/// A transition as it is published.
pub(crate) fn transition(metric: &str, from: Transition) -> v1::AlertTransition {
    let snapshot = from.snapshot;
    let (state, reason) = match from.into {
        Into::Inactive => (v1::AlertState::Inactive, ""),
        Into::Pending => (v1::AlertState::Pending, ""),
        Into::Firing => (v1::AlertState::Firing, ""),
        Into::Resolved(reason) => (v1::AlertState::Resolved, reason.name()),
    };
    v1::AlertTransition {
        key: Some(v1::AlertKey {
            tenant: snapshot.series.tenant,
            rule: from.rule,
            dimensions: dimensions(&snapshot.series.dimensions),
            account: snapshot.series.account,
        }),
        metric: metric.to_owned(),
        state: state.into(),
        since_us: from.since,
        at_us: from.at,
        value: snapshot.value,
        evidence: vec![v1::Evidence {
            definition: snapshot.definition,
            window: Some(window(&snapshot.window)),
            value: snapshot.value,
            revision_us: snapshot.revision,
            causes: causes(&snapshot.causes),
            before: from.before,
            before_us: from.before_at,
            compared: from.compared,
            changes: contributions(&from.changes),
            projected: from.projected.as_ref().map(projection),
        }],
        id: from.id,
        labels: dimensions(&from.labels),
        annotations: dimensions(&from.annotations),
        owner: from.owner,
        reason: reason.to_owned(),
        fired_us: from.fired,
        traits: dimensions(&snapshot.traits),
        unit: snapshot.unit,
    }
}

fn projected(from: v1::Projection) -> Projected {
    let moved = from.moved.into_iter().map(|it| (it.name, it.points)).collect();
    Projected { at: from.at_us, value: from.value, reason: from.reason, moved }
}

fn projection(from: &Projected) -> v1::Projection {
    let moved = from.moved.iter().map(|(name, points)| v1::Moved { name: name.clone(), points: *points }).collect();
    v1::Projection { at_us: from.at, value: from.value, reason: from.reason.clone(), moved }
}

fn window(from: &Window) -> v1::Window {
    v1::Window { kind: from.kind.clone(), start_us: from.start, end_us: from.end }
}

fn causes(from: &[Cause]) -> Vec<v1::EventRef> {
    let event = |it: &Cause| v1::EventRef { source: it.source.clone(), id: it.id.clone(), time_us: it.time };
    from.iter().map(event).collect()
}

pub(crate) fn contributions(from: &[(String, i64)]) -> Vec<v1::Contribution> {
    from.iter().map(|(name, tenths)| v1::Contribution { name: name.clone(), tenths: *tenths }).collect()
}

fn pairs(from: Vec<v1::Dimension>) -> Vec<(String, String)> {
    from.into_iter().map(|it| (it.name, it.value)).collect()
}

fn dimensions(from: &[(String, String)]) -> Vec<v1::Dimension> {
    from.iter().map(|(name, value)| v1::Dimension { name: name.clone(), value: value.clone() }).collect()
}
