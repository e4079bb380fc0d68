//! Alert rules: a pure state machine over the snapshots of a series.
//!
//! Invariants:
//! - a snapshot of a window before the last one judged is a correction of the past, and ignored; so is one of a lower
//!   revision; the same snapshot again changes nothing; of one instant later windows count after earlier ones;
//! - a transition is dated by the snapshot: `at` = its revision, `since` = its `since`, else its revision.
//!
//! It does not know topics, stores or the time: it is folded by a task, keyed by (tenant, rule, dimensions, account).

mod error;
mod rule;
mod state;
pub mod task;

use proto::v1::{AlertKey, AlertState, AlertTransition, Evidence, Snapshot};

pub use error::{Error, Kind, Result};
pub use rule::{Op, Rule, built_in};
pub use state::State;

/// The key of the state that this snapshot belongs to.
pub fn key(rule: &Rule, snapshot: &Snapshot) -> AlertKey {
    let key = snapshot.key.clone().unwrap_or_default();
    AlertKey { tenant: key.tenant, rule: rule.name.clone(), dimensions: key.dimensions, account: key.account }
}

/// Judges a snapshot of the rule's metric. Gives the state to keep, and the transition if there is one.
pub fn apply(rule: &Rule, state: Option<State>, snapshot: &Snapshot) -> (State, Option<AlertTransition>) {
    let before = state.unwrap_or_default();
    let start_us = window_start_us(snapshot);
    // One instant may publish several windows of a series: a later window counts at an equal revision.
    let judged_before = (start_us, snapshot.revision_us) <= (before.window_start_us, before.revision_us);
    if state.is_some() && (judged_before || snapshot.revision_us < before.revision_us) {
        return (before, None);
    }
    let now = next(before.state, rule.holds(snapshot.value));
    let judged = State { window_start_us: start_us, revision_us: snapshot.revision_us, ..before };
    if now == before.state {
        return (judged, None);
    }
    let since_us = snapshot.since_us.unwrap_or(snapshot.revision_us);
    (State { state: now, since_us, ..judged }, Some(transition(rule, now, since_us, snapshot)))
}

fn next(before: AlertState, holds: bool) -> AlertState {
    match (before, holds) {
        (_, true) => AlertState::Firing,
        (AlertState::Firing, false) => AlertState::Resolved,
        (AlertState::Pending, false) => AlertState::Inactive,
        (AlertState::Inactive | AlertState::Resolved, false) => before,
    }
}

fn window_start_us(snapshot: &Snapshot) -> i64 {
    let window = snapshot.key.as_ref().and_then(|key| key.window.as_ref());
    window.and_then(|window| window.start_us).unwrap_or(i64::MIN)
}

fn transition(rule: &Rule, state: AlertState, since_us: i64, snapshot: &Snapshot) -> AlertTransition {
    let series = snapshot.key.clone().unwrap_or_default();
    AlertTransition {
        key: Some(key(rule, snapshot)),
        metric: snapshot.metric.clone(),
        state: state.into(),
        since_us,
        at_us: snapshot.revision_us,
        value: snapshot.value,
        evidence: vec![Evidence {
            definition: series.definition,
            window: series.window,
            value: snapshot.value,
            revision_us: snapshot.revision_us,
            causes: snapshot.causes.clone(),
            ..Evidence::default()
        }],
        ..AlertTransition::default()
    }
}

#[cfg(test)]
mod tests;
