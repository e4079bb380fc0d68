//! The objects of the API: what a browser shows, calculated.
//!
//! Money is in major units of its currency, ratios are 0 to 1, durations are in seconds, times RFC 3339 in UTC.

use std::collections::BTreeMap;

use processor_core::currency;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Direction, Fill, MetricInfo, Point, Series, usual::Verdict as Side, window::rfc3339};
use utoipa::ToSchema;

use crate::desk::Desk;

/// Data that may be older than this never looks live.
const LIVE_SECONDS: f64 = 120.0;
/// Fewer cases than this are few.
const FEW: f64 = 30.0;

/// How sure a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// Its window is not over.
    Open,
    /// Its window is over; late events may still change it.
    Settling,
    /// Nothing is expected to change it.
    Final,
    /// It changed after it had been final.
    Corrected,
    /// A level, as it stands now.
    Level,
    /// The data may be older than the clock on the wall says.
    Late,
}

/// A window; both bounds are null for `to-date`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WindowForm {
    /// `1h 1d 1w 1mo 1q 1y`, `trailing Nd`, `to-date`.
    pub kind: String,
    /// First instant in it.
    pub start: Option<String>,
    /// First instant after it.
    pub end: Option<String>,
}

impl From<&store::Window> for WindowForm {
    fn from(window: &store::Window) -> Self {
        let store::Window { kind, start_us, end_us } = *window;
        Self { kind: kind.to_string(), start: start_us.map(rfc3339), end: end_us.map(rfc3339) }
    }
}

/// A value in a window.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Value {
    /// The window.
    pub window: WindowForm,
    /// The value; null with a `reason`.
    pub value: Option<f64>,
    /// Numerator, a decimal integer of any size, in minor units if it is money.
    pub num: Option<String>,
    /// Denominator, likewise.
    pub den: Option<String>,
    /// `ratio`, `count`, `money`, `seconds`, `days`, `points`, ...
    pub unit: String,
    /// ISO 4217, of what is kept by currency.
    pub currency: Option<String>,
    /// The instant that published it; null for a window in which nothing happened.
    pub revision: Option<String>,
    /// Nothing is expected to change it.
    pub r#final: bool,
    /// It changed after it had been final.
    pub corrected: bool,
    /// Why the value is null.
    pub reason: Option<String>,
    /// How sure it is.
    pub stamp: Stamp,
}

impl Value {
    /// A point of a series.
    pub(crate) fn of(desk: &Desk<'_>, metric: &MetricInfo, series: &Series, point: &Point) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            window: WindowForm::from(&point.window),
            value: point.value.map(|value| shown(value, &series.unit, &series.currency)),
            num: point.num.clone(),
            den: point.den.clone(),
            unit: series.unit.clone(),
            currency: some(&series.currency),
            revision: point.revision_us.map(rfc3339),
            r#final: point.is_final,
            corrected: point.corrected,
            reason: if point.value.is_none() { some(&point.reason).or_else(|| some("no value")) } else { None },
            stamp: stamp(desk, metric, point),
        }
    }

    /// Whether it rests on few cases.
    pub(crate) fn is_few(&self) -> bool {
        let cases = self.den.as_deref().and_then(|den| den.parse::<f64>().ok());
        self.value.is_some() && !self.unit.starts_with("money") && cases.is_some_and(|cases| cases.abs() < FEW)
    }
}

fn stamp(desk: &Desk<'_>, metric: &MetricInfo, point: &Point) -> Stamp {
    if point.corrected {
        return Stamp::Corrected;
    }
    if point.is_final {
        return Stamp::Final;
    }
    let over = point.window.end_us.zip(desk.clock_us(&metric.name)).is_some_and(|(end, clock)| clock >= end);
    match metric.fill {
        _ if over => Stamp::Settling,
        _ if desk.lag_seconds().is_some_and(|lag| lag > LIVE_SECONDS) => Stamp::Late,
        Fill::Carry => Stamp::Level,
        Fill::Zero | Fill::Null => Stamp::Open,
    }
}

/// A value as people know it: money in major units, rounded to the minor unit, half to even.
pub(crate) fn shown(value: f64, unit: &str, code: &str) -> f64 {
    if !unit.starts_with("money") || code.is_empty() {
        return value;
    }
    let places = i32::try_from(currency::places(code)).unwrap_or(2);
    value.round_ties_even() / 10_f64.powi(places)
}

/// Where a value usually lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Usual {
    /// The least usual value.
    pub low: f64,
    /// The greatest usual value.
    pub high: f64,
    /// Mean of the windows before.
    pub centre: f64,
    /// Of how many windows it is made, at most.
    pub windows: usize,
}

/// How a value compares with its usual range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Inside, or outside where neither side is good.
    AsUsual,
    /// Outside, on the good side.
    Better,
    /// Outside, on the bad side.
    Worse,
    /// There is no range, or no value.
    NoRange,
}

impl From<Option<Side>> for Verdict {
    fn from(side: Option<Side>) -> Self {
        match side {
            Some(Side::Better) => Self::Better,
            Some(Side::Worse) => Self::Worse,
            Some(Side::Usual | Side::Higher | Side::Lower) => Self::AsUsual,
            None => Self::NoRange,
        }
    }
}

/// What a change is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A fraction of the other value.
    Relative,
    /// Now less the other: of a ratio a fraction, else points.
    Points,
    /// Now less the other, in the unit.
    Absolute,
}

/// The change from another value.
pub(crate) fn change(unit: &str, now: Option<f64>, other: Option<f64>) -> (Option<f64>, ChangeKind) {
    let difference = now.zip(other).map(|(now, other)| now - other);
    match unit {
        "ratio" | "points" | "score" => (difference, ChangeKind::Points),
        _ => match other {
            Some(0.0) => (difference, ChangeKind::Absolute),
            other => (difference.zip(other).map(|(difference, other)| difference / other.abs()), ChangeKind::Relative),
        },
    }
}

/// How a goal stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Goal {
    /// Its name.
    pub name: String,
    /// Where it ends.
    pub target: f64,
    /// Where the value should be today.
    pub expected: Option<f64>,
    /// `on_track`, `behind`, `met`, `missed` or `no_data`.
    pub state: String,
    /// When it is due, as it was set; null for the end of its window.
    pub by: Option<String>,
    /// The value now.
    pub value: Option<f64>,
    /// The metric.
    pub metric: String,
    /// The dimensions of the metric.
    pub dimensions: BTreeMap<String, String>,
    /// Title of the metric.
    pub title: String,
    /// Unit of value and target.
    pub unit: String,
    /// ISO 4217, if it is on money.
    pub currency: Option<String>,
    /// How much of the way is gone.
    pub progress: Option<f64>,
    /// Its window, as it was set.
    pub window: String,
}

/// A sign of a company: a value, what it is compared with, and what is usual.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Vital {
    /// Name of the metric.
    pub metric: String,
    /// Its title.
    pub title: String,
    /// The group in which people look for it.
    pub group: String,
    /// `up`, `down` or `none`: which side is good.
    pub direction: String,
    /// The value now.
    pub now: Value,
    /// The value that it is compared with.
    pub other: Option<Value>,
    /// Days of the other window that count, as many as have begun of this one; null where the other one counts whole.
    pub other_days: Option<i32>,
    /// The change from it.
    pub change: Option<f64>,
    /// What the change is counted in.
    pub change_kind: ChangeKind,
    /// Where it usually lies; null below 8 windows.
    pub usual: Option<Usual>,
    /// How it compares with that.
    pub verdict: Verdict,
    /// The goal on it.
    pub goal: Option<Goal>,
    /// The values up to now.
    pub spark: Vec<Option<f64>>,
    /// Whether it rests on few cases.
    pub few: bool,
}

/// `up`, `down` or `none`.
pub(crate) fn direction(metric: &MetricInfo) -> &'static str {
    match metric.direction {
        Some(Direction::Up) => "up",
        Some(Direction::Down) => "down",
        None => "none",
    }
}

/// Short name of a group: its last word.
pub(crate) fn group_id(group: &str) -> &str {
    group.rsplit(' ').next().unwrap_or_default()
}

/// A metric of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What exactly it counts.
    pub description: String,
    /// Its expression over measures; empty where the catalog in force does not have it.
    pub formula: String,
    /// The group in which people look for it.
    pub group: String,
    /// Unit of its values.
    pub unit: String,
    /// `up`, `down` or `none`: which side is good.
    pub direction: String,
    /// Dimensions that it can be broken down by.
    pub dimensions: Vec<String>,
    /// Sets of dimensions that it is kept by; the empty set is the whole.
    pub by: Vec<Vec<String>>,
    /// Windows that it is kept in.
    pub windows: Vec<String>,
    /// Whether each account has one.
    pub per_account: bool,
    /// `name@version+hash` of what is in force.
    pub definition: String,
    /// Facts and events that it reads.
    pub sources: Vec<String>,
}

/// A coming change of a score.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Next {
    /// The local day.
    pub day: String,
    /// The score from then on.
    pub score: f64,
    /// The component that moves.
    pub component: String,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountRow {
    /// Its name.
    pub account: String,
    /// Its score, 0 to 100.
    pub score: Option<f64>,
    /// Band of the score.
    pub band: Option<String>,
    /// The score 30 days ago.
    pub score_before: Option<f64>,
    /// Its change since.
    pub change: Option<f64>,
    /// The component that takes most off the score.
    pub reason: Option<String>,
    /// What it bought so far.
    pub value: Option<f64>,
    /// ISO 4217 of `value`.
    pub currency: Option<String>,
    /// Recurring revenue a month.
    pub mrr: Option<f64>,
    /// ISO 4217 of `mrr`.
    pub mrr_currency: Option<String>,
    /// The latest event that moved one of its numbers.
    pub last_seen: Option<String>,
    /// How the score changes next if nothing happens.
    pub next: Option<Next>,
    /// The owner of the account.
    pub owner: Option<String>,
    /// Its traits.
    pub traits: BTreeMap<String, String>,
    /// Alerts that fire on it.
    pub alerts: u64,
}

/// An alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Alert {
    /// Names one firing of a rule on a series.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The label `severity`; empty without one.
    pub severity: String,
    /// `pending`, `firing`, `resolved` or `inactive`.
    pub state: String,
    /// The account.
    pub account: Option<String>,
    /// The trait `name` of the account when it came to this.
    pub account_name: Option<String>,
    /// The metric that the rule reads.
    pub metric: String,
    /// Values of the dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// When the condition began to hold, or ceased to.
    pub since: String,
    /// The instant that brought the state about.
    pub at: String,
    /// When it began to fire.
    pub fired: Option<String>,
    /// The value that was judged, in the unit; of money in major units.
    pub value: Option<f64>,
    /// Unit of the value.
    pub unit: String,
    /// What is the matter, in a few words.
    pub summary: String,
    /// More of it.
    pub description: String,
    /// All texts of the rule.
    pub annotations: BTreeMap<String, String>,
    /// Why it is resolved.
    pub reason: Option<String>,
    /// The owner to notify.
    pub owner: Option<String>,
    /// Labels of the rule.
    pub labels: BTreeMap<String, String>,
    /// The acknowledgement, if there is one.
    pub acknowledged: Option<crate::backend::Acknowledged>,
    /// Until when it is not sent.
    pub silenced_until: Option<String>,
    /// What it rests on, as `vitals alerts --format json` prints it.
    #[schema(value_type = Vec<Object>)]
    pub evidence: Box<RawValue>,
}
