//! `vitals query`: the rows of one metric, from the store alone, as a table, JSON lines or CSV.
//!
//! JSON and CSV stream; a table, and sorted output, are held in memory. It does not know how windows are filled in.

use std::{cmp::Ordering, collections::BTreeMap, io::Write, ops::ControlFlow, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Ask, Row, sqlite, window::rfc3339};

use crate::output::{self, Format};

/// Arguments of `vitals query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Metric; `vitals metrics` lists all.
    metric: String,
    /// Window: 1h 1d 1w 1mo 1q 1y, "trailing Nd", to-date [default: 1mo, or the metric's only one].
    #[arg(long)]
    window: Option<String>,
    /// Dimensions, separated by commas.
    #[arg(long, value_delimiter = ',')]
    by: Vec<String>,
    /// Only this value of a dimension.
    #[arg(long = "where", value_name = "DIM=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
    /// Only this account.
    #[arg(long)]
    account: Option<String>,
    /// Windows from this time on: a date or RFC 3339.
    #[arg(long)]
    from: Option<String>,
    /// Windows before this time.
    #[arg(long)]
    to: Option<String>,
    /// Order of the rows.
    #[arg(long)]
    sort: Option<Sort>,
    /// At most so many rows.
    #[arg(long)]
    limit: Option<usize>,
    /// Form of the output.
    #[arg(long, default_value = "table")]
    format: Format,
}

/// What rows are sorted by; the greatest value first, nulls last.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Sort {
    Value,
    Account,
    Start,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not DIM=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// One row as JSON, keys in this order.
#[derive(Debug, Serialize)]
struct Json<'a> {
    metric: &'a str,
    window: JsonWindow,
    dimensions: &'a BTreeMap<String, String>,
    account: Option<&'a str>,
    currency: Option<&'a str>,
    value: Option<f64>,
    num: Option<Box<RawValue>>,
    den: Option<Box<RawValue>>,
    unit: &'a str,
    revision: Option<String>,
    r#final: bool,
    corrected: bool,
    since: Option<String>,
    definition: &'a str,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonWindow {
    kind: store::window::Kind,
    start: Option<String>,
    end: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, data: &Path, out: &mut dyn Write) -> Result<()> {
    let read = sqlite::Reader::open(&data.join(sqlite::FILE))?;
    let mut rows = Vec::new();
    let streams = args.sort.is_none() && args.format == Format::Json;
    let (mut left, mut failed) = (args.limit.unwrap_or(usize::MAX), None);
    store::ask(&read, &args.ask(), &mut |row| {
        if args.sort.is_none() {
            if left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            left -= 1;
        }
        if !streams {
            rows.push(row);
        } else if let Err(error) = json(&row, out) {
            failed = Some(error);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(sort) = args.sort {
        rows.sort_by(|a, b| order(sort, a, b));
    }
    rows.truncate(args.limit.unwrap_or(usize::MAX));
    match args.format {
        Format::Json => rows.iter().try_for_each(|row| json(row, out)),
        Format::Csv => output::csv(&HEADER, rows.iter().map(cells), out),
        Format::Table => output::table(&TABLE, rows.iter().map(readable), out),
    }
}

impl Args {
    fn ask(&self) -> Ask {
        Ask {
            tenant: "default".to_owned(),
            metric: self.metric.clone(),
            window: self.window.clone(),
            by: self.by.clone(),
            filter: self.filter.clone(),
            account: self.account.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
        }
    }
}

fn order(sort: Sort, a: &Row, b: &Row) -> Ordering {
    match sort {
        Sort::Account => a.series.account.cmp(&b.series.account),
        Sort::Start => a.point.window.selector_us().cmp(&b.point.window.selector_us()),
        Sort::Value => {
            let value = |row: &Row| row.point.value.unwrap_or(f64::NEG_INFINITY);
            value(b).total_cmp(&value(a))
        }
    }
}

/// One line of JSON.
pub(crate) fn json(row: &Row, out: &mut dyn Write) -> Result<()> {
    let (series, point) = (&row.series, &row.point);
    let line = Json {
        metric: &series.metric,
        window: JsonWindow {
            kind: point.window.kind,
            start: point.window.start_us.map(rfc3339),
            end: point.window.end_us.map(rfc3339),
        },
        dimensions: &series.dimensions,
        account: series.account.as_deref(),
        currency: some(&series.currency),
        value: point.value,
        num: integer(point.num.as_ref())?,
        den: integer(point.den.as_ref())?,
        unit: &series.unit,
        revision: point.revision_us.map(rfc3339),
        r#final: point.is_final,
        corrected: point.corrected,
        since: point.since_us.map(rfc3339),
        definition: &series.definition,
        reason: some(&point.reason),
    };
    serde_json::to_writer(&mut *out, &line)?;
    Ok(out.write_all(b"\n")?)
}

/// As written: no size is too big.
fn integer(text: Option<&String>) -> Result<Option<Box<RawValue>>> {
    text.map(|text| RawValue::from_string(text.clone()).with_context(|| format!("{text:?} is no integer"))).transpose()
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

const HEADER: [&str; 17] = [
    "metric",
    "window",
    "start",
    "end",
    "dimensions",
    "account",
    "currency",
    "value",
    "num",
    "den",
    "unit",
    "revision",
    "final",
    "corrected",
    "since",
    "definition",
    "reason",
];

fn cells(row: &Row) -> Vec<String> {
    let (series, point) = (&row.series, &row.point);
    let time = |at: Option<i64>| at.map(rfc3339).unwrap_or_default();
    vec![
        series.metric.clone(),
        point.window.kind.to_string(),
        time(point.window.start_us),
        time(point.window.end_us),
        serde_json::json!(series.dimensions).to_string(),
        series.account.clone().unwrap_or_default(),
        series.currency.clone(),
        point.value.map(|value| value.to_string()).unwrap_or_default(),
        point.num.clone().unwrap_or_default(),
        point.den.clone().unwrap_or_default(),
        series.unit.clone(),
        time(point.revision_us),
        point.is_final.to_string(),
        point.corrected.to_string(),
        time(point.since_us),
        series.definition.clone(),
        point.reason.clone(),
    ]
}

const TABLE: [&str; 6] = ["start", "end", "series", "value", "state", "reason"];

fn readable(row: &Row) -> Vec<String> {
    let (series, point) = (&row.series, &row.point);
    let time = |at: Option<i64>| at.map_or("-".to_owned(), rfc3339);
    let dimensions = series.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
    let account = series.account.iter().map(|account| format!("account={account}"));
    let state = match (point.is_final, point.corrected) {
        (true, true) => "final, corrected",
        (true, false) => "final",
        (false, _) => "open",
    };
    vec![
        time(point.window.start_us),
        time(point.window.end_us),
        dimensions.chain(account).collect::<Vec<_>>().join(" "),
        point.value.map_or("-".to_owned(), |value| output::value(value, &series.unit, &series.currency)),
        state.to_owned(),
        point.reason.clone(),
    ]
}
