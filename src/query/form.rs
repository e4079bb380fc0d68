//! Rows for programs: one as a line of JSON, exact, or as a line of CSV with money in major units.

use std::io::Write;

use anyhow::Result;
use store::{Row, form, usual::Compared, window::rfc3339};

use crate::output::{self, number};

/// One line of JSON.
pub(crate) fn json(row: &Row, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &form::row(row)?)?;
    Ok(out.write_all(b"\n")?)
}

/// The same with the usual range.
pub(crate) fn json_with(row: &Row, range: Option<Compared>, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &form::ranged(row, range)?)?;
    Ok(out.write_all(b"\n")?)
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

/// What `--usual` adds.
const RANGE: [&str; 4] = ["usual_low", "usual_centre", "usual_high", "usual_verdict"];

/// Rows as CSV.
pub(crate) struct Csv<'a> {
    out: output::Csv<'a>,
    usual: bool,
}

impl<'a> Csv<'a> {
    /// Writes the header, with the columns of the usual range or without.
    pub(crate) fn open(usual: bool, out: &'a mut dyn Write) -> Result<Self> {
        let header = HEADER.into_iter().chain(RANGE.into_iter().filter(|_| usual)).collect::<Vec<_>>();
        Ok(Self { out: output::Csv::open(&header, out)?, usual })
    }

    /// Writes a row; its range where the header has it.
    pub(crate) fn write(&mut self, row: &Row, range: Option<Compared>) -> Result<()> {
        let mut cells = cells(row);
        if self.usual {
            cells.extend(range_cells(row, range));
        }
        self.out.write(cells)
    }

    /// Hands everything to the output.
    pub(crate) fn close(self) -> Result<()> {
        self.out.close()
    }
}

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
        point.value.map(|value| decimal(row, value)).unwrap_or_default(),
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

fn range_cells(row: &Row, range: Option<Compared>) -> [String; 4] {
    let Some(range) = range else { return Default::default() };
    let [low, centre, high] = [range.low, range.centre, range.high].map(|value| decimal(row, value));
    [low, centre, high, range.verdict.map(|verdict| verdict.name().to_owned()).unwrap_or_default()]
}

/// A value of a row's unit: money in major units.
fn decimal(row: &Row, value: f64) -> String {
    match row.series.currency.as_str() {
        currency if !currency.is_empty() && number::is_money(&row.series.unit) => number::decimal(value, currency),
        _ => value.to_string(),
    }
}

/// The unit of `value`: of money the currency, since it is in major units.
fn unit(unit: &str, currency: &str) -> String {
    if currency.is_empty() { unit.to_owned() } else { unit.replacen("money", currency, 1) }
}
