//! The catalog: metrics as data, in YAML, type-checked when it loads.
//!
//! Invariants: a loaded catalog names only fields, facts and windows that exist; every error says
//! line and column of the file. Lowering to what the engine runs is in [`crate::plan`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::{
    calendar::{DAY, HOUR, Kind, Time},
    lifecycle::{
        Lifecycle,
        deal::{Deals, LISTED_BY},
    },
};

/// The built-in catalog.
pub const BUILT_IN: &str = include_str!("../../../deploy/catalogs/crm.yaml");

/// A catalog as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Facts and event types that count as meaningful activity of an account.
    pub meaningful: Vec<Spanned<String>>,
    /// The metrics.
    pub metrics: Vec<Metric>,
}

/// What a row of a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The tenant, by its dimensions.
    #[default]
    Tenant,
    /// Each account.
    Account,
}

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// What customers think and do.
    Loyalty,
    /// Who stays, and what they pay.
    #[serde(rename = "retention and revenue")]
    Revenue,
    /// What brings new customers and more revenue.
    Sales,
    /// What is done for customers who ask.
    Support,
}

impl Group {
    /// All, in the order in which people read them.
    pub const ALL: [Group; 4] = [Group::Loyalty, Group::Revenue, Group::Sales, Group::Support];
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Loyalty => "loyalty",
            Group::Revenue => "retention and revenue",
            Group::Sales => "sales",
            Group::Support => "support",
        })
    }
}

/// The good direction of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Up => "up",
            Direction::Down => "down",
        })
    }
}

/// How people read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A whole number.
    Number,
    /// A number with decimals.
    Decimal,
    /// A share of one, times 100.
    Percent,
    /// An amount in major units.
    Money,
    /// Seconds, in the largest units that fit.
    Duration,
    /// Days.
    Days,
    /// Points of a score.
    Points,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Number => "number",
            Format::Decimal => "decimal",
            Format::Percent => "percent",
            Format::Money => "money",
            Format::Duration => "duration",
            Format::Days => "days",
            Format::Points => "points",
        })
    }
}

/// One of the numbers of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// How much of the way is gone.
    Progress,
    /// How much of the time is gone.
    Expected,
    /// By how much progress is ahead of what is expected.
    Lead,
    /// Met, on track, behind or missed: 2, 1, 0, -1.
    State,
}

/// For people: nothing that a value depends on.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Where it stands among the others.
    pub group: Option<Group>,
    /// Which direction is good; none for a number that is neither good nor bad.
    pub direction: Option<Direction>,
    /// How its value is read.
    pub format: Option<Format>,
    /// What to do when it moves.
    pub moves: Option<String>,
}

/// One metric as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name: lower case, digits and `_`.
    pub name: Spanned<String>,
    /// For people.
    pub title: String,
    /// The exact definition in words.
    pub description: String,
    /// Where it stands among the others, for people.
    pub group: Option<Group>,
    /// Which direction is good; none for a number that is neither good nor bad.
    pub direction: Option<Direction>,
    /// How people read its value.
    pub format: Option<Format>,
    /// What to do when it moves.
    pub moves: Option<String>,
    /// Changes when the meaning does.
    #[serde(default = "one")]
    pub version: u32,
    /// `count`, `ratio`, `money`, `days`, `points`, `seconds`.
    pub unit: Spanned<String>,
    /// Per tenant (aggregate) or per account.
    #[serde(default)]
    pub per: Per,
    /// Whether anybody sees it; else it is kept with the state of each account, by local day.
    #[serde(default = "yes")]
    pub publish: bool,
    /// A row for every window since the first event, changed or not.
    #[serde(default)]
    pub every_window: bool,
    /// For how long after the end of a window its value is not final though no event is late, such as `7d`.
    pub maturity: Option<Spanned<String>>,
    /// Window kinds.
    pub windows: Vec<Spanned<String>>,
    /// Sets of dimensions.
    #[serde(default = "total")]
    pub by: Vec<Vec<Spanned<String>>>,
    /// Named measures.
    #[serde(default)]
    pub measures: BTreeMap<String, Measure>,
    /// Expression over the measures.
    pub value: Option<Spanned<String>>,
    /// Why the value is null: the first condition that holds; else `no denominator`.
    #[serde(default)]
    pub null_when: Vec<NullWhen>,
    /// Per account: the steps of silence in days, ascending.
    pub silence: Option<Spanned<Vec<u16>>>,
    /// By goal: which of the numbers of a goal.
    pub goal: Option<Spanned<Goal>>,
    /// Per account: what a score is made of.
    pub score: Option<Score>,
    /// Per account: what it has one value each for.
    pub list: Option<Spanned<Listed>>,
}

/// What an account may have several of, each with a value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Deals that are open.
    OpenDeals,
}

impl Listed {
    /// The event types that may change it.
    pub fn reads(self) -> &'static [&'static str] {
        match self {
            Listed::OpenDeals => Deals::READS,
        }
    }

    /// The dimensions of its values.
    pub fn by(self) -> &'static [&'static str] {
        match self {
            Listed::OpenDeals => &LISTED_BY,
        }
    }
}

/// A score as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Components, in the order in which they are shown.
    pub components: Vec<Component>,
    /// Bands, from the highest down.
    pub bands: Vec<Band>,
}

/// A component of a score as written; exactly one of `days_since`, `days_with`, `satisfaction`, `open`, `failing`, and at
/// most one of `steps`, `line`, `half_life`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name.
    pub name: Spanned<String>,
    /// What it counts for beside the others.
    pub weight: u32,
    /// Whole local days since the latest of these: `meaningful`, a fact or an event type.
    pub days_since: Option<Spanned<String>>,
    /// Days with an event of this type.
    pub days_with: Option<Spanned<String>>,
    /// Of `days_with`: the number of days looked at, today included.
    pub among: Option<Spanned<u16>>,
    /// Of `days_with`: filter over the event.
    #[serde(rename = "where")]
    pub filter: Option<Spanned<String>>,
    /// 100 times the mean satisfaction of the latest answer of each of these kinds of surveys.
    pub satisfaction: Option<Vec<Spanned<String>>>,
    /// Of `satisfaction`: up to which age an answer counts, days.
    pub within: Option<Spanned<u16>>,
    /// What is open: `tickets`.
    pub open: Option<Spanned<String>>,
    /// 1 while it fails, else 0: `payment`.
    pub failing: Option<Spanned<String>>,
    /// Points of the first [input, points] that the input does not exceed.
    pub steps: Option<Vec<(i64, i64)>>,
    /// Of `steps`: points above the last one.
    #[serde(default)]
    pub beyond: i64,
    /// Straight lines from one [input, points] to the next.
    pub line: Option<Vec<(i64, i64)>>,
    /// 100 points, halved every so many days.
    pub half_life: Option<u16>,
}

/// A band as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Its name.
    pub name: Spanned<String>,
    /// The least score of it.
    pub from: i64,
}

/// A reason for a null value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NullWhen {
    /// Condition over the measures.
    pub condition: Spanned<String>,
    /// The published reason.
    pub reason: String,
}

/// One measure as written; exactly one of `count`, `sum`, `mean`, `quantile`, `level`, `distinct`,
/// `cohort`, `min`, `max`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Number of these facts or events.
    pub count: Option<Spanned<String>>,
    /// Sum of `of` over these.
    pub sum: Option<Spanned<String>>,
    /// Mean of `of` over these.
    pub mean: Option<Spanned<String>>,
    /// Quantile of `of` over these, by nearest rank.
    pub quantile: Option<Spanned<String>>,
    /// The least value of `of`, over these or over what stands of a balance.
    pub min: Option<Spanned<String>>,
    /// The greatest one.
    pub max: Option<Spanned<String>>,
    /// A balance that carries over: `customer`.
    pub level: Option<Spanned<String>>,
    /// Accounts with one of these in the window: `meaningful`, a fact or an event type.
    pub distinct: Option<Spanned<String>>,
    /// Accounts by their state at start and end: `customer`.
    pub cohort: Option<Spanned<String>>,
    /// Field that is summed.
    pub of: Option<Spanned<String>>,
    /// Filter over the fields of the fact, or over the traits of the accounts.
    #[serde(rename = "where")]
    pub filter: Option<Spanned<String>>,
    /// Of a level and of `among: customer`: `start` or `end` (default); of a quantile: `p50`, `p90`.
    pub at: Option<Spanned<String>>,
    /// Of `distinct`: only accounts that are a `customer`.
    pub among: Option<Spanned<String>>,
    /// Of a cohort: their state at the end, `lost`.
    pub then: Option<Spanned<String>>,
    /// Of `count: customer_lost`: `start` takes the traits of the start that the loss ends.
    pub traits: Option<Spanned<String>>,
    /// Of what happened so many days before the window, such as `30d`.
    pub lag: Option<Spanned<String>>,
    /// Of `count`: `rate` counts the facts whose currency has no rate to the setting `reporting_currency`.
    pub without: Option<Spanned<String>>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn total() -> Vec<Vec<Spanned<String>>> {
    vec![Vec::new()]
}

/// What is wrong with a catalog, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// Line, from 1; 0 if unknown.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong; after `; ` what would be right.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.message)
        } else {
            write!(f, "{}:{}: {}", self.line, self.column, self.message)
        }
    }
}

impl Error {
    /// An error at a scalar of the file.
    pub fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> Error {
        Error { line: place.referenced.line(), column: place.referenced.column(), message: message.into() }
    }

    /// A text that is not YAML, or does not have the expected shape.
    pub fn of_yaml(error: &serde_saphyr::Error) -> Error {
        let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        let full = error.to_string();
        let first = full.lines().next().unwrap_or_default();
        // The place is said once, in our own form.
        let message = first.trim_start_matches("error: ");
        let message =
            message.split_once(": ").filter(|(place, _)| place.starts_with("line ")).map_or(message, |(_, rest)| rest);
        Error { line, column, message: message.replacen(", expected one of ", "; there are ", 1) }
    }

    /// An error `offset` characters into a scalar of the file.
    pub fn within<T>(place: &Spanned<T>, offset: usize, message: impl Into<String>) -> Error {
        let mut error = Error::at(place, message);
        error.column += u64::try_from(offset).unwrap_or(0);
        error
    }
}

/// How catalogs are read: metrics share windows and dimensions by alias, so there are many aliases of few anchors.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { budget: serde_saphyr::budget! { enforce_alias_anchor_ratio: false, }, }
}

impl Catalog {
    /// Leaves out every metric that is neither among these nor read by one of them. Metrics of accounts read no other; those
    /// of the tenant may count what a score makes, and a goal may name any.
    pub fn restrict(&mut self, names: &BTreeSet<String>) {
        let wanted = |metric: &Metric| names.contains(&metric.name.value);
        let of_tenant = self.metrics.iter().any(|metric| wanted(metric) && metric.per == Per::Tenant);
        let of_goal = self.metrics.iter().any(|metric| wanted(metric) && metric.goal.is_some());
        self.metrics.retain(|metric| wanted(metric) || of_goal || (of_tenant && metric.score.is_some()));
    }

    /// Reads a catalog.
    ///
    /// # Errors
    /// Where the text is not YAML or does not have the shape of a catalog.
    pub fn parse(text: &str) -> Result<Catalog, Error> {
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| Error::of_yaml(&error))
    }
}

impl Metric {
    /// What is for people alone.
    pub fn people(&self) -> People {
        People { group: self.group, direction: self.direction, format: self.format, moves: self.moves.clone() }
    }

    /// The window kinds, checked.
    ///
    /// # Errors
    /// For a kind that does not exist or is there twice, and where there is none.
    pub fn kinds(&self) -> Result<Vec<Kind>, Error> {
        if self.windows.is_empty() {
            return Err(Error::at(&self.name, "the metric needs a window; give `windows`, such as [1d, 1mo]"));
        }
        once(&self.windows)?;
        self.windows.iter().map(|text| text.value.parse().map_err(|message: String| Error::at(text, message))).collect()
    }

    /// For how long after the end of a window its value may change though no event is late.
    ///
    /// # Errors
    /// For what is no number of days or hours.
    pub fn maturity(&self) -> Result<Time, Error> {
        let Some(text) = &self.maturity else { return Ok(0) };
        let number = |unit: char| text.value.strip_suffix(unit)?.parse::<u16>().ok().filter(|number| *number > 0);
        let days = number('d').map(|days| Time::from(days) * DAY);
        days.or_else(|| number('h').map(|hours| Time::from(hours) * HOUR)).ok_or_else(|| {
            Error::at(text, format!("`{}` is no maturity; give days or hours, such as 7d or 24h", text.value))
        })
    }

    /// That the metric has what it needs, and no key that would change nothing.
    ///
    /// # Errors
    /// Where that is not so, with the cure.
    pub fn check_keys(&self) -> Result<(), Error> {
        let by = self.by.iter().flatten().next();
        let wrong = |message: &str| Err(Error::at(&self.name, message));
        if let Some(goal) = &self.goal {
            return self.check_goal(goal);
        }
        let is_of_tenant_or_hidden = self.per == Per::Tenant || !self.publish;
        if self.score.is_some() && (is_of_tenant_or_hidden || self.is_measured() || self.silence.is_some()) {
            return wrong(
                "a `score` is a metric `per: account` without `measures`, `value` and `silence`; leave them out",
            );
        }
        if let Some(list) = &self.list
            && (is_of_tenant_or_hidden || self.is_measured() || self.silence.is_some() || self.score.is_some())
        {
            let message =
                "a `list` is a metric `per: account` without `measures`, `value` and `silence`; leave them out";
            return Err(Error::at(list, message));
        }
        let is_made = self.silence.is_some() || self.score.is_some() || self.list.is_some();
        match (&self.silence, self.per) {
            (Some(steps), Per::Tenant) => {
                Err(Error::at(steps, "`silence` is a metric of each account: add `per: account`"))
            }
            (Some(steps), _) if self.is_measured() => {
                Err(Error::at(steps, "`silence` is measured by itself; leave `measures`, `value` and `null_when` out"))
            }
            (None, _) if !is_made && self.value.is_none() => {
                wrong("the metric needs a `value`, an expression over its measures")
            }
            (None, _) if !is_made && self.measures.is_empty() => wrong("the metric needs a measure; give `measures`"),
            (_, Per::Tenant) if self.by.is_empty() => {
                wrong("the metric needs a set of dimensions; the total is `by: [[]]`")
            }
            (_, Per::Account) if by.is_some() => Err(Error::at(
                by.unwrap_or(&self.name),
                "a metric `per: account` is by account alone; leave `by` out, or `per: account`",
            )),
            (_, Per::Account) if self.every_window => {
                wrong("`every_window` means nothing for a metric `per: account`; leave it out")
            }
            (_, Per::Account) if self.maturity.is_some() => {
                wrong("`maturity` means nothing for a metric `per: account`; leave it out")
            }
            _ => Ok(()),
        }
    }
}

impl Metric {
    /// Whether anything says how its value is measured.
    fn is_measured(&self) -> bool {
        self.value.is_some() || !self.measures.is_empty() || !self.null_when.is_empty()
    }

    /// That a metric of goals has what the others have, and nothing that it is measured by.
    fn check_goal(&self, goal: &Spanned<Goal>) -> Result<(), Error> {
        let wrong = |message: &str| Err(Error::at(goal, message));
        let [by] = self.by.as_slice() else {
            return wrong("a metric of goals has one set of dimensions: `by: [[goal]]`");
        };
        if by.iter().any(|name| name.value != "goal") || by.len() != 1 || self.per != Per::Tenant {
            return wrong("a metric of goals is by goal alone: `by: [[goal]]`, without `per`");
        }
        if self.windows.iter().any(|window| window.value != "1d") {
            return wrong("a metric of goals has a row for each day: `windows: [1d]`");
        }
        if self.is_measured() || self.silence.is_some() || !self.publish || self.every_window || self.maturity.is_some()
        {
            return wrong(
                "a goal is measured by the metric that it names; leave `measures`, `value`, `null_when`, `silence`, `publish`, `every_window` and `maturity` out",
            );
        }
        Ok(())
    }
}

/// That nothing is written twice.
fn once(all: &[Spanned<String>]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    match all.iter().find(|text| !seen.insert(&text.value)) {
        Some(again) => Err(Error::at(again, format!("`{}` is there twice; leave one out", again.value))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod reference;
