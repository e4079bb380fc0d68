//! What a rule sees of a metric: one value of one series, as it was published.
//!
//! Invariants: money is in major units here, so that a rule says `value < 1000` for 1,000 EUR; numbers are exact (a value is
//! `num / den` where the snapshot has them, else the shortest decimal of its double). It does not know how snapshots travel:
//! [`crate::convert`] does.

use processor_core::{calendar::Time, currency, rational::Rational};

/// The series that a value belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Series {
    /// Tenant.
    pub(crate) tenant: String,
    /// Dimensions and their values, `currency` included, by name.
    pub(crate) dimensions: Vec<(String, String)>,
    /// Of a metric of accounts: the account.
    pub(crate) account: Option<String>,
}

/// A window; both ends are absent for `to-date`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Kind, as in the catalog.
    pub(crate) kind: String,
    /// Start.
    pub(crate) start: Option<Time>,
    /// End.
    pub(crate) end: Option<Time>,
}

/// An event that brought a value about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Source of the event.
    pub(crate) source: String,
    /// Id within the source.
    pub(crate) id: String,
    /// Time of the event.
    pub(crate) time: Option<Time>,
}

/// A point of a projection: the value from `at` on, if nothing happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Projected {
    /// The instant of the change.
    pub(crate) at: Time,
    /// The value; `None` is null.
    pub(crate) value: Option<f64>,
    /// Why it is null.
    pub(crate) reason: String,
    /// Components that move, and their new points.
    pub(crate) moved: Vec<(String, Option<f64>)>,
}

/// How the latest value of a series will change: published where it stays, and what will come does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outlook {
    /// The series.
    pub(crate) series: Series,
    /// The instant that published it.
    pub(crate) revision: Time,
    /// How it will change.
    pub(crate) projection: Vec<Projected>,
    /// The traits of the account.
    pub(crate) traits: Vec<(String, String)>,
}

/// One value of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The series.
    pub(crate) series: Series,
    /// `name@version+hash` of the metric.
    pub(crate) definition: String,
    /// The window.
    pub(crate) window: Window,
    /// The instant that published it.
    pub(crate) revision: Time,
    /// The value as published: money in minor units. `None` is null.
    pub(crate) value: Option<f64>,
    /// Numerator of a ratio.
    pub(crate) num: Option<i128>,
    /// Denominator of a ratio.
    pub(crate) den: Option<i128>,
    /// Unit of the value.
    pub(crate) unit: String,
    /// ISO 4217; empty for what is not money.
    pub(crate) currency: String,
    /// Whether the value changes by corrections only.
    pub(crate) is_final: bool,
    /// Whether it changed after it was final.
    pub(crate) corrected: bool,
    /// Why the value is null.
    pub(crate) reason: String,
    /// Time of the cause of a level of an account.
    pub(crate) since: Option<Time>,
    /// The events behind it.
    pub(crate) causes: Vec<Cause>,
    /// Of a score: what each component adds, in tenths.
    pub(crate) contributions: Vec<(String, i64)>,
    /// Of a score: how it will change.
    pub(crate) projection: Vec<Projected>,
    /// Of an account: its traits.
    pub(crate) traits: Vec<(String, String)>,
}

impl Snapshot {
    /// The value as a rule compares it: exact, money in major units.
    pub(crate) fn number(&self) -> Option<Rational> {
        let published = match (self.num, self.den, self.value) {
            (Some(num), Some(den), Some(_)) => Rational::new(num, den).or_else(|| decimal(self.value?)),
            (_, _, value) => decimal(value?),
        };
        self.major(published?)
    }

    /// A value of the unit of this series, such as one of the projection, as a rule compares it.
    pub(crate) fn as_number(&self, value: f64) -> Option<Rational> {
        self.major(decimal(value)?)
    }

    /// A value in the unit of rules, as it would be published: money in minor units.
    pub(crate) fn published(&self, value: f64) -> f64 {
        let places = if self.unit == "money" { currency::places(&self.currency) } else { 0 };
        let scale = 10_i128.checked_pow(places).map(Rational::integer);
        let scaled = decimal(value).zip(scale).and_then(|(value, scale)| value.mul(scale));
        scaled.map_or(value, Rational::to_f64)
    }

    fn major(&self, number: Rational) -> Option<Rational> {
        if self.unit != "money" {
            return Some(number);
        }
        number.div(Rational::integer(10_i128.checked_pow(currency::places(&self.currency))?))
    }

    /// When the present value came about: the time of its cause where it is known, else when it was published.
    pub(crate) fn began(&self) -> Time {
        self.since.unwrap_or(self.revision)
    }

    /// Start of the window; the earliest time for `to-date`.
    pub(crate) fn start(&self) -> Time {
        self.window.start.unwrap_or(Time::MIN)
    }
}

/// The shortest decimal that reads as this double; `None` for what is no number.
#[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^53 fit")]
pub(crate) fn decimal(value: f64) -> Option<Rational> {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Rational::integer(value as i128));
    }
    if value.is_finite() { Rational::parse(&value.to_string()) } else { None }
}

/// The name's value in a list of pairs.
pub(crate) fn find<'a, T>(pairs: &'a [(String, T)], name: &str) -> Option<&'a T> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}
