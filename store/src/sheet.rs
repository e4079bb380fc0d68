//! Rows as cells of a sheet: one set of columns for the command line and the API, money in major units.
//!
//! A cell runs nothing in a spreadsheet ([`harmless`]). It does not know how cells are separated.

use processor_core::currency;

use crate::{Row, window::rfc3339};

/// The columns of a row.
pub const COLUMNS: [&str; 17] = [
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

/// The cells of a row, in the order of [`COLUMNS`].
pub fn cells(row: &Row) -> Vec<String> {
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

/// A value of a row's unit: money in major units.
pub fn decimal(row: &Row, value: f64) -> String {
    let currency = row.series.currency.as_str();
    if currency.is_empty() || !row.series.unit.starts_with("money") {
        return value.to_string();
    }
    major(value, places(currency))
}

/// The unit of a value in a sheet: of money the currency, since it is in major units.
fn unit(unit: &str, currency: &str) -> String {
    if currency.is_empty() { unit.to_owned() } else { unit.replacen("money", currency, 1) }
}

/// Decimals of a currency.
pub fn places(currency: &str) -> usize {
    usize::try_from(currency::places(currency)).unwrap_or(2)
}

/// Minor units in major ones. Digits are moved, nothing is divided: every whole number of minor units is shown exactly.
pub fn major(minor: f64, places: usize) -> String {
    shifted(&format!("{:.0}", minor.abs().round_ties_even()), minor < 0.0, places)
}

/// A whole number with a point before its last digits.
pub fn shifted(whole: &str, is_negative: bool, places: usize) -> String {
    let padded = format!("{whole:0>width$}", width = places + 1);
    let (units, rest) = padded.split_at(padded.len() - places);
    let sign = if is_negative && whole != "0" { "-" } else { "" };
    let point = if places > 0 { "." } else { "" };
    format!("{sign}{units}{point}{rest}")
}

/// A cell that a spreadsheet does not take for a formula; a number is left as it is.
pub fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_numbers_are_numbers() {
        let cells = ["=1+1", "+1", "-5", "@x", "\tx", "\r", "a,\"b", "-x"];
        let expected = ["'=1+1", "+1", "-5", "'@x", "'\tx", "'\r", "a,\"b", "'-x"];
        assert_eq!(cells.map(harmless), expected);
    }

    #[test]
    fn minor_units_are_moved_digits() {
        let shown = [(250_031_563.0, 2), (-7.0, 2), (-7.0, 0), (0.4, 2), (-0.4, 2), (1.0, 3)];
        let shown = shown.map(|(minor, places)| major(minor, places));
        assert_eq!(shown, ["2500315.63", "-0.07", "-7", "0.00", "0.00", "0.001"]);
    }
}
