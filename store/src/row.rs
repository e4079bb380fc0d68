//! What a store holds: series and their points, alerts, the catalog, the clock.
//!
//! Identity of a row: tenant, metric, definition, dimensions, currency, account (the [`Series`]) and the window.
//! Times are microseconds since the Unix epoch, money is in minor units of `currency`.

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Contribution, Roles, Seen},
    window::{Kind, Window},
};

/// One line through time: what stays the same from window to window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Tenant.
    pub tenant: String,
    /// Metric.
    pub metric: String,
    /// `name@version+hash` of its definition.
    pub definition: String,
    /// Values of the dimensions, by name, without `currency`.
    pub dimensions: BTreeMap<String, String>,
    /// ISO 4217; empty for what is not money.
    pub currency: String,
    /// Account of a per-account metric.
    pub account: Option<String>,
    /// `ratio`, `count`, `money`, `seconds`, ... Not part of the identity.
    pub unit: String,
}

/// The value of a series in one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The window.
    pub window: Window,
    /// `None` is null; `reason` says why.
    pub value: Option<f64>,
    /// Decimal integer of any size; value = num / den.
    pub num: Option<String>,
    /// Decimal integer of any size.
    pub den: Option<String>,
    /// The instant that published it; `None` for a row that a query filled in.
    pub revision_us: Option<i64>,
    /// Nothing is expected to change it any more.
    pub is_final: bool,
    /// It changed after it had been final.
    pub corrected: bool,
    /// The value that it had before it was corrected for the first time, where a store has seen that; a store says it, and
    /// takes none.
    pub first: Option<f64>,
    /// Time of the cause of a per-account level.
    pub since_us: Option<i64>,
    /// Why the value is null; empty otherwise.
    pub reason: String,
}

/// A series and one of its points: a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The series. Rows that share it cost a store one look-up.
    pub series: Arc<Series>,
    /// The point.
    pub point: Point,
}

/// How far a partition of a topic has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Its greatest tick.
    pub at_us: i64,
    /// The first tick of all, where the topic says it: windows that had been past their keep by then have no rows.
    pub since_us: Option<i64>,
}

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition does not hold.
    Inactive,
    /// It holds, but not for long enough.
    Pending,
    /// It holds.
    Firing,
    /// It held, and does not any more.
    Resolved,
}

impl AlertState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inactive, Self::Pending, Self::Firing, Self::Resolved];

    /// Its name, lowercase.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A change of state of an alert; the latest one is the current state.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Tenant.
    pub tenant: String,
    /// Rule.
    pub rule: String,
    /// Account of a per-account metric.
    pub account: Option<String>,
    /// Values of the dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
    /// Metric that the rule reads.
    pub metric: String,
    /// New state.
    pub state: AlertState,
    /// When the condition began to hold, or ceased to.
    pub since_us: i64,
    /// Revision of the snapshot that brought it about.
    pub at_us: i64,
    /// Value that was judged.
    pub value: Option<f64>,
    /// JSON array of [`Evidence`].
    pub evidence: String,
    /// What it says to people.
    pub about: About,
}

/// What an alert says to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Names one firing of a rule on a series; empty in records of before there was such a name.
    pub id: String,
    /// Labels of the rule, with `severity`.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the rule, rendered.
    pub annotations: BTreeMap<String, String>,
    /// Who is told; empty for nobody in particular.
    pub owner: String,
    /// Why it is resolved; empty for other states.
    pub reason: String,
    /// The unit of the value.
    pub unit: String,
    /// When it began to fire.
    pub fired_us: Option<i64>,
    /// The account's traits then.
    pub traits: BTreeMap<String, String>,
}

/// What an alert rests on, as JSON with times in RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Definition of the metric.
    pub definition: String,
    /// Window judged.
    pub window: EvidenceWindow,
    /// Value judged.
    pub value: Option<f64>,
    /// Revision of the snapshot, RFC 3339.
    pub revision: String,
    /// Events that caused it.
    pub causes: Vec<Cause>,
    /// The value that the rule compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// The instant of that value, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_at: Option<String>,
    /// What the rule compared with, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub compared: String,
    /// Of a score: by how much each component moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Contribution>,
}

/// A JSON array of evidence, as [`Alert::evidence`] holds it.
pub fn evidence_json(evidence: &[Evidence]) -> String {
    serde_json::to_string(evidence).expect("strings, numbers and lists are JSON")
}

/// A window as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceWindow {
    /// Kind.
    pub kind: Kind,
    /// RFC 3339, absent for `to-date`.
    pub start: Option<String>,
    /// RFC 3339, absent for `to-date`.
    pub end: Option<String>,
}

/// An event: (source, id).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Source of the event.
    pub source: String,
    /// Id within the source.
    pub id: String,
}

/// What a query shows for a window without a stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// 0: sums and counts.
    Zero,
    /// Null with the reason of the catalog: ratios and means.
    Null,
    /// The value of the window before: levels. Before the first one: null if the catalog gives a reason, else 0.
    Carry,
}

impl Fill {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Null, Self::Carry];

    /// Its name, lowercase.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Null => "null",
            Self::Carry => "carry",
        }
    }
}

/// Which side of a value is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
}

/// A metric of the catalog, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInfo {
    /// Name, as asked for.
    pub name: String,
    /// `name@version+hash` in force: queries show its rows.
    pub definition: String,
    /// Title for people.
    pub title: String,
    /// What exactly it counts.
    pub description: String,
    /// `ratio`, `count`, `money`, `seconds`, ...
    pub unit: String,
    /// Windows that it is kept in.
    pub windows: Vec<Kind>,
    /// Sets of dimensions that it is kept by; the empty set is the total.
    pub by: Vec<Vec<String>>,
    /// One series an account.
    pub per_account: bool,
    /// What a window without a row shows.
    pub fill: Fill,
    /// Why a filled value is null.
    pub fill_reason: String,
    /// A window is final this long after its end, at least.
    pub maturity_us: i64,
    /// Values of windows that follow each other add up to that of the whole time: sums and counts. Not levels, ratios
    /// and distinct counts.
    pub additive: bool,
    /// The group in which people look for it, such as `loyalty`; empty for none.
    pub group: String,
    /// Which side is good; none for a number that is neither good nor bad.
    pub direction: Option<Direction>,
}

/// Settings that readers need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// IANA time zone of the tenant.
    pub time_zone: String,
    /// The day on which weeks begin.
    pub week_start: Weekday,
    /// The month (1 to 12) in which quarters and years begin.
    pub fiscal_year_start: i8,
    /// A window is final this long after its end.
    pub allowed_lateness_us: i64,
    /// A window of an hour takes corrections until this long after its end.
    pub keep_us: i64,
    /// Values of a dimension that have rows of their own; what comes later is counted as `other`.
    pub dimension_values_max: u64,
    /// Which metrics a list of accounts shows.
    pub roles: Roles,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            week_start: Weekday::Monday,
            fiscal_year_start: 1,
            allowed_lateness_us: 3_600_000_000,
            keep_us: 400 * 86_400_000_000,
            dimension_values_max: 10_000,
            roles: Roles::default(),
        }
    }
}

/// What is written together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Metric rows.
    pub rows: Vec<Row>,
    /// Alert transitions.
    pub alerts: Vec<Alert>,
    /// Ticks.
    pub clocks: Vec<Clock>,
    /// What accounts show, of each series its latest window.
    pub accounts: Vec<Seen>,
}

impl Batch {
    /// Empties it; its room stays.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.alerts.clear();
        self.clocks.clear();
        self.accounts.clear();
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.alerts.is_empty() && self.clocks.is_empty()
    }
}

/// Which series to read, and their points of one kind of window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Tenant.
    pub tenant: String,
    /// Metric.
    pub metric: String,
    /// Its definition.
    pub definition: String,
    /// Kind of window.
    pub kind: Kind,
    /// Exactly these dimensions, sorted.
    pub by: Vec<String>,
    /// Only series with these values; `currency` may be one.
    pub filter: Vec<(String, String)>,
    /// Only this account.
    pub account: Option<String>,
    /// Only these points.
    pub span: Span,
}

/// Which points of a series to read, by the bound that selects windows ([`Window::selector_us`]). The window `to-date` has
/// none: it is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From this instant on.
    pub from_us: i64,
    /// Before this instant.
    pub to_us: i64,
    /// Also the last point before `from_us`: the level that carries over.
    pub with_last_before: bool,
}

impl Default for Span {
    fn default() -> Self {
        Self { from_us: i64::MIN, to_us: i64::MAX, with_last_before: false }
    }
}

impl Span {
    /// Whether a window is in it.
    pub fn holds(&self, window: &Window) -> bool {
        window.selector_us().is_none_or(|at| (self.from_us..self.to_us).contains(&at))
    }
}

/// Which alerts to read; what is not given is not filtered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertSelect {
    /// State.
    pub state: Option<AlertState>,
    /// Rule.
    pub rule: Option<String>,
    /// Account.
    pub account: Option<String>,
    /// The one firing of this name.
    pub id: Option<String>,
}
