//! What is known of one series: its latest snapshot, and where each rule's alert on it stands.
//!
//! Alerts that are as they were at the beginning are not kept, so thirty rules on a quiet series cost no more than one.

use processor_core::calendar::Time;

use crate::{condition::Point, snapshot::Snapshot};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The condition does not hold.
    #[default]
    Inactive,
    /// It holds, but not for long enough.
    Pending,
    /// It held for long enough.
    Firing,
}

/// The alert of one rule on one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Alert {
    /// Where it stands.
    pub(crate) phase: Phase,
    /// Its name, while pending or firing; else of the last one.
    pub(crate) id: String,
    /// When the condition began to hold.
    pub(crate) since: Time,
    /// When it began to fire; none while it did not.
    pub(crate) fired: Option<Time>,
    /// When a firing alert will end, after its condition ceased to hold.
    pub(crate) ending: Option<Time>,
    /// When the last one ended.
    pub(crate) resolved: Option<Time>,
    /// When it fired in the last 24 hours, where the rule limits that.
    pub(crate) fires: Vec<Time>,
    /// The next instant at which time alone may change it.
    pub(crate) due: Option<Time>,
    /// What the condition remembers.
    pub(crate) memory: Vec<Point>,
}

/// The value before the latest one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Before {
    /// In the unit of rules; `None` is null.
    pub(crate) value: Option<f64>,
    /// Its revision.
    pub(crate) at: Time,
    /// What each component added, in tenths.
    pub(crate) contributions: Vec<(String, i64)>,
}

/// A series of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// The latest snapshot; none before the first.
    pub(crate) last: Option<Snapshot>,
    /// What was before it.
    pub(crate) before: Option<Before>,
    /// Alerts that are not as at the beginning, by the place of the rule in its stream.
    pub(crate) alerts: Vec<(usize, Alert)>,
}

impl State {
    /// The alert of a rule, taken out.
    pub(crate) fn take(&mut self, rule: usize) -> Alert {
        let place = self.alerts.iter().position(|(known, _)| *known == rule);
        place.map(|place| self.alerts.remove(place).1).unwrap_or_default()
    }

    /// Puts the alert of a rule back.
    pub(crate) fn put(&mut self, rule: usize, alert: Alert) {
        if alert == Alert::default() {
            return;
        }
        let place = self.alerts.partition_point(|(known, _)| *known < rule);
        self.alerts.insert(place, (rule, alert));
    }

    /// The next instant at which time alone may change an alert, and its rule.
    pub(crate) fn due(&self) -> Option<(Time, usize)> {
        self.alerts.iter().filter_map(|(rule, alert)| Some((alert.due?, *rule))).min()
    }
}
