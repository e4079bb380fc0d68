//! What rules would have caught: their alerts against outcomes, as figures.
//!
//! ```text
//!     transitions -> firings ->
//!                               score -> figures of a rule
//!     outcomes --------------->
//! ```
//! Invariants: an alert is right if an outcome of its account falls in `(at, at + horizon]`; an outcome is caught if an alert
//! of the rule on its account lies in `[outcome - horizon, outcome)`, and its lead time is that of the first of these. An
//! alert whose horizon passes the end of the log, and an outcome whose horizon begins before the span, are counted apart and
//! are in no rate. It does not know the engine, nor how figures are shown.

mod score;

use std::collections::BTreeMap;

use processor_core::calendar::{DAY, Time};
use proto::v1::{AlertState, AlertTransition, Outlook, Snapshot};

use crate::{Judge, Rules};

pub use score::{Flaps, Leads, Owner, Score};

/// An account of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Tenant.
    pub tenant: String,
    /// Account.
    pub name: String,
}

/// An alert that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Rule.
    pub rule: String,
    /// Whom it is about; none for a metric of the tenant.
    pub account: Option<Account>,
    /// When it began to fire.
    pub at: Time,
    /// When it was resolved, if it was.
    pub resolved: Option<Time>,
    /// Who would have been told; empty for nobody in particular.
    pub owner: String,
    /// Whether the alert before it on the same series was resolved less than [`AGAIN`] before.
    pub again: bool,
}

/// An alert that fires so soon after the one before it on its series was resolved is a flap.
pub const AGAIN: Time = 7 * DAY;
/// An alert that is resolved so soon after it fired is a flap.
pub const SHORT: Time = DAY;

/// What an alert is of: rule, tenant, dimensions, account.
type Series = (String, String, Vec<(String, String)>, Option<String>);

/// Alerts that fired, from transitions in their order.
#[derive(Debug, Default)]
pub struct Firings {
    list: Vec<Firing>,
    /// By series: the last alert, by its place.
    last: BTreeMap<Series, usize>,
}

impl Firings {
    /// Takes the next transition.
    pub fn add(&mut self, transition: &AlertTransition) {
        let state = transition.state();
        if !matches!(state, AlertState::Firing | AlertState::Resolved) {
            return;
        }
        let Some(key) = &transition.key else { return };
        let dimensions = key.dimensions.iter().map(|of| (of.name.clone(), of.value.clone())).collect();
        let series = (key.rule.clone(), key.tenant.clone(), dimensions, key.account.clone());
        let before = self.last.get(&series).copied();
        let (at, open) = (transition.at_us, before.filter(|place| self.list[*place].resolved.is_none()));
        match (state, open) {
            (AlertState::Resolved, Some(place)) => self.list[place].resolved = Some(at),
            (AlertState::Firing, None) => {
                let ended = before.and_then(|place| self.list[place].resolved);
                let account = key.account.clone().map(|name| Account { tenant: key.tenant.clone(), name });
                let again = ended.is_some_and(|ended| at - ended < AGAIN);
                let (rule, owner) = (key.rule.clone(), transition.owner.clone());
                self.last.insert(series, self.list.len());
                self.list.push(Firing { rule, account, at, resolved: None, owner, again });
            }
            _ => {}
        }
    }

    /// All of them, in the order in which they fired.
    pub fn into_list(self) -> Vec<Firing> {
        self.list
    }
}

/// When outcomes happened, by account; each list ascends.
pub type Outcomes = BTreeMap<Account, Vec<Time>>;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Alerts from here on count; without it from the begin of the log.
    pub from: Option<Time>,
    /// Alerts and outcomes up to here count.
    pub to: Time,
    /// The end of the log, to which outcomes are known.
    pub end: Time,
    /// How far an outcome may lie after an alert.
    pub horizon: Time,
    /// Begins of the weeks that the span holds, ascending.
    pub weeks: Vec<Time>,
}

/// The rules of one file on what a log published, partition by partition, as tasks hold them live.
#[derive(Debug)]
pub struct Judges {
    rules: Rules,
    of: BTreeMap<u32, Judge>,
}

impl Judges {
    /// With these rules, before the first record.
    pub fn new(rules: Rules) -> Judges {
        Judges { rules, of: BTreeMap::new() }
    }

    /// Takes a snapshot of a partition of its metric.
    pub fn snapshot(&mut self, partition: u32, snapshot: &Snapshot, out: &mut Vec<AlertTransition>) {
        self.judge(partition).snapshot(snapshot, out);
    }

    /// Takes an outlook of a partition of its metric.
    pub fn outlook(&mut self, partition: u32, outlook: &Outlook, out: &mut Vec<AlertTransition>) {
        self.judge(partition).outlook(outlook, out);
    }

    /// Takes a tick of a partition.
    pub fn tick(&mut self, partition: u32, at: Time, out: &mut Vec<AlertTransition>) {
        self.judge(partition).tick(at, out);
    }

    fn judge(&mut self, partition: u32) -> &mut Judge {
        self.of.entry(partition).or_insert_with(|| Judge::new(&self.rules))
    }
}
