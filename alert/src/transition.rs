//! A change of state of an alert, with what it rests on.

use processor_core::calendar::Time;

use crate::{
    condition::Answer,
    render::Facts,
    rule::Rule,
    series::{Alert, Before},
    snapshot::{Projected, Snapshot, find},
};

/// The state that a transition leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// A pending alert that never fired.
    Inactive,
    /// The condition holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It does not fire any more.
    Resolved(Reason),
}

/// Why an alert is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The value is no longer alarming.
    Recovered,
    /// A late correction took away what it rested on.
    Corrected,
    /// There is no value any more.
    NoValue,
    /// The filter of the rule does not hold any more.
    Excluded,
    /// The rule is gone.
    Removed,
    /// The rule is another one, and its condition does not hold.
    Changed,
}

impl Reason {
    /// As published.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Recovered => "recovered",
            Reason::Corrected => "corrected",
            Reason::NoValue => "no value",
            Reason::Excluded => "no longer matches",
            Reason::Removed => "rule removed",
            Reason::Changed => "rule changed",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transition {
    /// Rule.
    pub(crate) rule: String,
    /// The state from now on.
    pub(crate) into: Into,
    /// When the condition began to hold, or ceased to.
    pub(crate) since: Time,
    /// The instant that brought it about.
    pub(crate) at: Time,
    /// Name of the alert.
    pub(crate) id: String,
    /// When it began to fire.
    pub(crate) fired: Option<Time>,
    /// Rendered.
    pub(crate) labels: Vec<(String, String)>,
    /// Rendered.
    pub(crate) annotations: Vec<(String, String)>,
    /// The owner to notify.
    pub(crate) owner: String,
    /// The snapshot that it rests on.
    pub(crate) snapshot: Snapshot,
    /// What its value was compared with, as published: money in minor units.
    pub(crate) before: Option<f64>,
    /// The instant of that.
    pub(crate) before_at: Option<Time>,
    /// In words.
    pub(crate) compared: String,
    /// By how much each component of a score moved since the value before, in tenths.
    pub(crate) changes: Vec<(String, i64)>,
    /// The point of the projection that is alarming.
    pub(crate) projected: Option<Projected>,
}

impl Transition {
    /// The transition of an alert as it is now.
    pub(crate) fn new(
        (rule, alert, into): (&Rule, &Alert, Into),
        (since, at): (Time, Time),
        (snapshot, before, answer): (&Snapshot, Option<&Before>, &Answer),
    ) -> Transition {
        let compared = &answer.compared;
        let facts = Facts { rule, snapshot, since, at, fired: alert.fired, compared };
        Transition {
            rule: rule.name.clone(),
            into,
            since,
            at,
            id: alert.id.clone(),
            fired: alert.fired,
            labels: facts.render(&rule.labels),
            annotations: facts.render(&rule.annotations),
            owner: facts.owner(),
            snapshot: snapshot.clone(),
            before: compared.value.map(|value| snapshot.published(value)),
            before_at: compared.at,
            compared: compared.words.clone(),
            changes: before.map_or_else(Vec::new, |before| changes(&before.contributions, &snapshot.contributions)),
            projected: compared.projected.map(|place| snapshot.projection[place].clone()),
        }
    }
}

/// Components that moved, in the order in which they are listed now.
fn changes(before: &[(String, i64)], now: &[(String, i64)]) -> Vec<(String, i64)> {
    let tenths = |list: &[(String, i64)], name: &str| find(list, name).copied().unwrap_or(0);
    let gone = before.iter().filter(|(name, _)| find(now, name).is_none());
    let names = now.iter().chain(gone).map(|(name, _)| name);
    names
        .map(|name| (name.clone(), tenths(now, name) - tenths(before, name)))
        .filter(|(_, moved)| *moved != 0)
        .collect()
}
