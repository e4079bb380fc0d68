//! Rows for programs: one as a line of JSON, exact, or as a line of CSV with money in major units.

use std::{collections::BTreeMap, io::Write};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Row, window::rfc3339};

use crate::output::{self, number};

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

/// Rows as CSV.
pub(crate) struct Csv<'a>(output::Csv<'a>);

impl<'a> Csv<'a> {
    /// Writes the header.
    pub(crate) fn open(out: &'a mut dyn Write) -> Result<Self> {
        Ok(Self(output::Csv::open(&HEADER, out)?))
    }

    /// Writes a row.
    pub(crate) fn write(&mut self, row: &Row) -> Result<()> {
        self.0.write(cells(row))
    }

    /// Hands everything to the output.
    pub(crate) fn close(self) -> Result<()> {
        self.0.close()
    }
}

fn cells(row: &Row) -> Vec<String> {
    let (series, point) = (&row.series, &row.point);
    let time = |at: Option<i64>| at.map(rfc3339).unwrap_or_default();
    let value = |value: f64| match series.currency.as_str() {
        currency if !currency.is_empty() && number::is_money(&series.unit) => number::decimal(value, currency),
        _ => value.to_string(),
    };
    vec![
        series.metric.clone(),
        point.window.kind.to_string(),
        time(point.window.start_us),
        time(point.window.end_us),
        serde_json::json!(series.dimensions).to_string(),
        series.account.clone().unwrap_or_default(),
        series.currency.clone(),
        point.value.map(value).unwrap_or_default(),
        point.num.clone().unwrap_or_default(),
        point.den.clone().unwrap_or_default(),
        unit(&series.unit, &series.currency),
        time(point.revision_us),
        point.is_final.to_string(),
        point.corrected.to_string(),
        time(point.since_us),
        series.definition.clone(),
        point.reason.clone(),
    ]
}

/// The unit of `value`: of money the currency, since it is in major units.
fn unit(unit: &str, currency: &str) -> String {
    if currency.is_empty() { unit.to_owned() } else { unit.replacen("money", currency, 1) }
}
