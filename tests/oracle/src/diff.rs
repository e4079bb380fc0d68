//! The engine's rows against the oracle's.
//!
//! Equal means: num and den as integers (decimals of seconds and points: both may be given in millionths), value as the same double (bit for bit; the text is parsed by the standard
//! library, which rounds correctly; a quantile within one in a hundred, and a goal on one within what that makes; how long the oldest has waited in a window that is not
//! over, up to a minute less: it is published once a minute), reason, since, final. Rows that the oracle has not are right if they say what
//! `query` fills in: levels carried, ratios null, sums and counts 0. Rows that the oracle marks optional may be absent,
//! equal, or filled. `unit`, `revision`, `corrected` and `definition` are not compared.

use crate::calendar::{Kind, Window};
use crate::decimal::{self, Fraction};
use crate::report::Truth;
use crate::row::{Answer, By, DEAL_BY, NO_DENOMINATOR, PAST_KEEP, Row, Series, stamp};
use crate::{Error, Micros, rational, settings};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::io::{BufRead, Write};

/// How to compare.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Differences shown for each metric and kind of window.
    pub limit: usize,
    /// Leave out metrics, kinds and dimensions of which the engine's file has no row at all.
    pub only_present: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 3, only_present: false }
    }
}

/// A series of the engine, and the window of one of its rows.
#[derive(Debug)]
struct Line {
    metric: String,
    kind: String,
    dimensions: BTreeMap<String, String>,
    account: Option<String>,
    currency: Option<String>,
    start: Option<Micros>,
    end: Option<Micros>,
}

impl Line {
    /// Its series, if the oracle knows such windows and dimensions.
    fn series(&self) -> Option<Series<'_>> {
        let named = |(name, value)| Some((*By::ALL.iter().find(|by| by.name() == name)?, value));
        let mut dimensions = self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let group = dimensions.next().map(named);
        if dimensions.next().is_some() || group == Some(None) {
            return None;
        }
        Some(Series {
            metric: &self.metric,
            group: group.flatten(),
            account: self.account.as_deref(),
            currency: self.currency.as_deref(),
            kind: Kind::ALL.into_iter().find(|kind| kind.name() == self.kind)?,
        })
    }
}

/// Kind of window, dimension, and whether of accounts: what one query asks of a metric.
type Query = (Kind, By, bool);

fn query(series: &Series<'_>) -> Query {
    (series.kind, series.group.map_or(By::Nothing, |(by, _)| by), series.account.is_some())
}

/// The compared part of a row.
#[derive(Clone, Debug)]
struct Said {
    value: Option<f64>,
    num: Option<Fraction>,
    den: Option<Fraction>,
    reason: Option<String>,
    since: Option<Micros>,
    is_final: bool,
}

/// The largest relative error of a quantile.
const QUANTILE_ERROR: f64 = 0.01;

/// What grows as time passes.
const OLDEST: &str = "response_time_oldest_waiting";

impl Said {
    /// Whether it says what a row of the oracle says.
    fn equals(&self, row: &Row) -> bool {
        let wanted = Self::of(row);
        let value = match (self.value, wanted.value, &row.answer) {
            (Some(said), Some(exact), Answer::Quantile(..)) => (said - exact).abs() <= QUANTILE_ERROR * exact.abs(),
            (Some(said), _, Answer::Between(low, high)) => {
                (rational::nearest(low.0, low.1)..=rational::nearest(high.0, high.1)).contains(&said)
            }
            (Some(said), Some(exact), _) if row.metric == OLDEST && !row.is_final => {
                said == exact || said > 0.0 && (0.0..60.0).contains(&(exact - said))
            }
            (said, exact, _) => said.map(f64::to_bits) == exact.map(f64::to_bits),
        };
        let fraction = same(self.num, wanted.num, 1) && same(self.den, wanted.den, 1)
            || same(self.num, wanted.num, 1_000_000) && same(self.den, wanted.den, 1_000_000);
        value
            && fraction
            && (&self.reason, self.since, self.is_final) == (&wanted.reason, wanted.since, wanted.is_final)
    }
}

/// Whether the first, as many times, is the second.
fn same(said: Option<Fraction>, wanted: Option<Fraction>, times: i128) -> bool {
    match (said, wanted) {
        (Some(said), Some(wanted)) => said.0 * times * wanted.1 == wanted.0 * said.1,
        (said, wanted) => said.is_none() && wanted.is_none(),
    }
}

impl Said {
    fn of(row: &Row) -> Self {
        let fraction = row.answer.fraction();
        Self {
            value: row.answer.value(),
            num: fraction.map(|f| (f.0, 1)),
            den: fraction.map(|f| (f.1, 1)),
            reason: row.answer.reason().map(str::to_owned),
            since: row.since,
            is_final: row.is_final,
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = self.since.and_then(|at| stamp(at).ok());
        write!(f, "value {:?} num {:?} den {:?}", self.value, self.num, self.den)?;
        write!(f, " reason {:?} since {since:?} final {}", self.reason, self.is_final)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// First differences and their number, by metric and kind of window.
    pub differences: BTreeMap<(String, String), (usize, Vec<String>)>,
    /// Rows that are equal.
    pub equal: usize,
    /// Rows of the engine that the oracle has not, filled rightly.
    pub filled: usize,
    /// Optional rows of the oracle that the engine has not.
    pub optional: usize,
    /// Rows of the oracle whose whole query the engine's file lacks, left out on demand.
    pub skipped: usize,
}

impl Report {
    /// Number of differences.
    pub fn wrong(&self) -> usize {
        self.differences.values().map(|(count, _)| count).sum()
    }

    fn add(&mut self, series: &Series<'_>, start: Option<Micros>, limit: usize, what: &str) {
        let group = series.group.map(|(by, value)| (by.name(), value));
        let dimensions: BTreeMap<&str, &str> = group.into_iter().collect();
        let at = Place { dimensions: &dimensions, account: series.account, currency: series.currency, start };
        self.note(series.metric, series.kind.name(), &at, limit, what);
    }

    fn note(&mut self, metric: &str, kind: &str, at: &Place<'_>, limit: usize, what: &str) {
        let group = self.differences.entry((metric.to_owned(), kind.to_owned())).or_default();
        group.0 += 1;
        if group.1.len() < limit {
            let start = at.start.and_then(|at| stamp(at).ok()).unwrap_or_else(|| "ever".to_owned());
            let account = at.account.map(|a| format!(" account {a:?}")).unwrap_or_default();
            let currency = at.currency.unwrap_or_default();
            group.1.push(format!("from {start} {:?}{account} {currency}\n{what}", at.dimensions));
        }
    }

    /// Prints it.
    pub fn print(&self, out: &mut impl Write) -> Result<(), Error> {
        for ((metric, kind), (count, shown)) in &self.differences {
            writeln!(out, "{metric} {kind}: {count} differences")?;
            for line in shown.iter().flat_map(|text| text.lines().enumerate()) {
                writeln!(out, "{}{}", if line.0 == 0 { "  " } else { "    " }, line.1)?;
            }
        }
        let Self { equal, filled, optional, skipped, .. } = self;
        let wrong = self.wrong();
        writeln!(
            out,
            "{wrong} different, {equal} equal, {filled} filled, {optional} optional absent, {skipped} skipped"
        )?;
        Ok(())
    }
}

/// What a window shows in which nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The value of the window before: levels.
    Carry,
    /// 0: sums and counts.
    Zero,
    /// Null.
    Null,
}

impl Fill {
    /// That of a metric.
    pub fn of(metric: &str) -> Self {
        match metric {
            "customers"
            | "pro_customers"
            | "silence"
            | "account_value"
            | "health_score"
            | "health_score_accounts"
            | "pipeline_value"
            | "weighted_pipeline_value"
            | "response_time_waiting"
            | "response_time_oldest_waiting" => Self::Carry,
            "orders"
            | "net_revenue"
            | "net_new_revenue"
            | "customers_started"
            | "customers_lost"
            | "events"
            | "web_buyers"
            | "new_mrr"
            | "expansion_mrr"
            | "reactivation_mrr"
            | "contraction_mrr"
            | "churn_mrr"
            | "net_new_mrr"
            | "amounts_without_rate" => Self::Zero,
            _ => Self::Null,
        }
    }
}

/// Where in a metric a difference is.
struct Place<'a> {
    dimensions: &'a dyn Debug,
    account: Option<&'a str>,
    currency: Option<&'a str>,
    start: Option<Micros>,
}

/// A comparison under way. It takes the engine's rows one at a time and keeps none of them: what it needs is a flag for each
/// row of the oracle.
#[derive(Debug)]
pub struct Comparison<'t> {
    truth: &'t Truth,
    /// By where they end, which no two of a kind share: trailing ones may begin together where the zone skipped a day.
    windows: HashMap<(Kind, Micros), Window>,
    /// The rows of the oracle that the engine has, by their place.
    met: Vec<bool>,
    /// What the engine was asked, by metric.
    queries: HashMap<String, HashSet<Query>>,
    options: Options,
    report: Report,
}

/// Compares the engine's rows, one JSON object a line, with the truth.
pub fn diff(truth: &Truth, engine: impl BufRead, options: Options) -> Result<Report, Error> {
    let mut comparison = Comparison::of(truth, options);
    for (number, line) in engine.lines().enumerate() {
        comparison.line(&line?).map_err(|e| Error(format!("engine line {}: {e}", number + 1)))?;
    }
    Ok(comparison.end())
}

impl<'t> Comparison<'t> {
    /// With nothing compared yet.
    pub fn of(truth: &'t Truth, options: Options) -> Self {
        let all = truth.windows.iter().flat_map(|(_, windows)| windows).copied().chain([Window::TO_DATE]);
        let windows = all.map(|w| ((w.kind, w.end), w)).collect();
        let met = vec![false; truth.rows.len()];
        Self { truth, windows, met, queries: HashMap::new(), options, report: Report::default() }
    }

    /// Compares a row of the engine, a JSON object.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let (line, said) = parse(text)?;
        let Some(series) = line.series() else {
            let at = Place {
                dimensions: &line.dimensions,
                account: line.account.as_deref(),
                currency: line.currency.as_deref(),
                start: line.start,
            };
            self.report.note(
                &line.metric,
                &line.kind,
                &at,
                self.options.limit,
                &format!("no such series; engine {said}"),
            );
            return Ok(());
        };
        if !self.queries.get(series.metric).is_some_and(|queries| queries.contains(&query(&series))) {
            self.queries.entry(series.metric.to_owned()).or_default().insert(query(&series));
        }
        self.check(&series, &line, &said);
        Ok(())
    }

    /// What was found, with the rows that the engine does not have.
    pub fn end(mut self) -> Report {
        for (row, _) in self.truth.rows.iter().zip(&self.met).filter(|(_, met)| !**met) {
            let series = row.series();
            let asked = self.queries.get(series.metric).is_some_and(|queries| queries.contains(&query(&series)));
            if row.optional {
                self.report.optional += 1;
            } else if self.options.only_present && !asked {
                self.report.skipped += 1;
            } else {
                let start = (row.window.kind != Kind::ToDate).then_some(row.window.start);
                let what = format!("engine no row\noracle {}", Said::of(row));
                self.report.add(&series, start, self.options.limit, &what);
            }
        }
        self.report
    }

    fn check(&mut self, series: &Series<'_>, line: &Line, said: &Said) {
        let limit = self.options.limit;
        let end = line.end.unwrap_or(Micros::MAX);
        let rows = self.truth.series(series);
        let before = &self.truth.rows[rows.clone()];
        let place = before.binary_search_by_key(&end, |row| row.window.end);
        if let Ok(place) = place {
            self.met[rows.start + place] = true;
        }

        let Some(&window) = self.windows.get(&(series.kind, end)) else {
            return self.report.add(series, line.start, limit, &format!("no such window; engine {said}"));
        };
        if line.start.unwrap_or(Micros::MIN) != window.start {
            let right = stamp(window.start).unwrap_or_default();
            return self.report.add(series, line.start, limit, &format!("the window starts at {right}; engine {said}"));
        }

        let row = place.ok().map(|place| &before[place]);
        let before = &before[..place.unwrap_or_else(|place| place)];
        if row.is_some_and(|row| said.equals(row)) {
            self.report.equal += 1;
        } else if row.is_none_or(|row| row.optional) && self.is_fill(series.metric, before, window, said) {
            self.report.filled += 1;
        } else {
            let oracle = row.map_or_else(|| "no row (not a fill either)".to_owned(), |row| Said::of(row).to_string());
            self.report.add(series, line.start, limit, &format!("engine {said}\noracle {oracle}"));
        }
    }

    /// Whether this is what `query` says of a window that is not stored, after the rows before it.
    fn is_fill(&self, metric: &str, before: &[Row], window: Window, said: &Said) -> bool {
        if said.is_final != self.truth.is_final(metric, window) {
            return false;
        }
        if window.kind == Kind::Hour && window.end <= self.truth.past_keep {
            return said.value.is_none() && said.num.is_none() && said.reason.as_deref() == Some(PAST_KEEP);
        }
        let zero = |n: Option<Fraction>| n.is_none_or(|n| n.0 == 0);
        match Fill::of(metric) {
            Fill::Carry => is_carried(metric, before, said),
            Fill::Zero => said.value == Some(0.0) && said.num.is_none() && said.reason.is_none(),
            Fill::Null => {
                let reason = said.reason.as_deref().is_none_or(|r| r == NO_DENOMINATOR);
                said.value.is_none() && zero(said.num) && zero(said.den) && reason
            }
        }
    }
}

fn is_carried(metric: &str, before: &[Row], said: &Said) -> bool {
    let last = before.last();
    let firm = before.iter().rev().find(|row| !row.optional);
    let value = match last.and_then(|row| row.answer.value()) {
        Some(value) => said.value == Some(value),
        None => said.value.is_none_or(|value| value == 0.0),
    };
    let since = |row: Option<&Row>| row.and_then(|row| row.since);
    // Of what is worth nothing any more (all orders withdrawn) nobody defines the cause.
    let free = metric == "account_value" || said.since.is_none();
    value && (free || said.since == since(last) || said.since == since(firm)) && said.num.is_none()
}

type Fields = BTreeMap<String, Box<RawValue>>;

fn parse(line: &str) -> Result<(Line, Said), Error> {
    let json = |e: serde_json::Error| Error(e.to_string());
    let fields: Fields = serde_json::from_str(line).map_err(json)?;
    let raw = |name: &str| fields.get(name).map_or("null", |v| v.get());
    let window: BTreeMap<String, Option<String>> = serde_json::from_str(raw("window")).map_err(json)?;
    let bound = |name: &str| window.get(name).cloned().flatten().map(|t| settings::instant(&t)).transpose();
    let mut dimensions: BTreeMap<String, String> = serde_json::from_str(raw("dimensions")).map_err(json)?;
    // Of a deal all its dimensions together say which one it is.
    let deal: Vec<&str> = DEAL_BY.iter().filter_map(|name| dimensions.get(*name).map(String::as_str)).collect();
    if deal.len() == DEAL_BY.len() {
        dimensions = BTreeMap::from([(By::Deal.name().to_owned(), deal.join("/"))]);
    }
    let line = Line {
        metric: text(raw("metric"))?.unwrap_or_default(),
        kind: window.get("kind").cloned().flatten().unwrap_or_default(),
        dimensions,
        account: serde_json::from_str(raw("account")).map_err(json)?,
        currency: text(raw("currency"))?,
        start: bound("start")?,
        end: bound("end")?,
    };
    let said = Said {
        value: number(raw("value"))?,
        num: decimal(raw("num"))?,
        den: decimal(raw("den"))?,
        reason: text(raw("reason"))?,
        since: text(raw("since"))?.map(|t| settings::instant(&t)).transpose()?,
        is_final: raw("final") == "true",
    };
    Ok((line, said))
}

/// Text; null and empty are `None`.
fn text(raw: &str) -> Result<Option<String>, Error> {
    let text: Option<String> = serde_json::from_str(raw).map_err(|e| Error(e.to_string()))?;
    Ok(text.filter(|t| !t.is_empty()))
}

/// A number, bare or as text, from its very digits.
fn number<T: std::str::FromStr>(raw: &str) -> Result<Option<T>, Error> {
    match raw.trim_matches('"') {
        "null" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| Error(format!("not a number: {raw}"))),
    }
}

/// A decimal, bare or as text, exactly.
fn decimal(raw: &str) -> Result<Option<Fraction>, Error> {
    match raw.trim_matches('"') {
        "null" => Ok(None),
        digits => decimal::parse(digits).map(Some).ok_or_else(|| Error(format!("not a number: {raw}"))),
    }
}
