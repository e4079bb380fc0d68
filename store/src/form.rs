//! Rows and alerts as JSON: one form for the command line, for what is followed, and for the API.
//!
//! Exact: times in UTC, money in minor units. It does not know where the objects go.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Alert, AlertState, Row, usual::Compared, window::rfc3339};

/// A row; keys in this order.
#[derive(Debug, Serialize)]
pub struct RowForm<'a> {
    metric: &'a str,
    window: WindowForm,
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
    /// Only where it was asked for; null for a row without a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    usual: Option<Option<RangeForm>>,
}

/// A usual range, in the unit of the value.
#[derive(Debug, Clone, Serialize)]
pub struct RangeForm {
    low: f64,
    centre: f64,
    high: f64,
    verdict: Option<&'static str>,
}

/// A window.
#[derive(Debug, Clone, Serialize)]
pub struct WindowForm {
    kind: crate::window::Kind,
    start: Option<String>,
    end: Option<String>,
}

/// An alert; keys in this order.
#[derive(Debug, Serialize)]
pub struct AlertForm<'a> {
    rule: &'a str,
    account: Option<&'a str>,
    metric: &'a str,
    state: AlertState,
    since: String,
    at: String,
    value: Option<f64>,
    evidence: Box<RawValue>,
}

impl From<&crate::Window> for WindowForm {
    fn from(window: &crate::Window) -> Self {
        Self { kind: window.kind, start: window.start_us.map(rfc3339), end: window.end_us.map(rfc3339) }
    }
}

impl From<Compared> for RangeForm {
    fn from(Compared { low, centre, high, verdict }: Compared) -> Self {
        Self { low, centre, high, verdict: verdict.map(|verdict| verdict.name()) }
    }
}

/// A row without its usual range.
///
/// # Errors
/// When a numerator or denominator is no integer.
pub fn row(row: &Row) -> serde_json::Result<RowForm<'_>> {
    with_range(row, None)
}

/// A row with its usual range, or null where it has none.
///
/// # Errors
/// When a numerator or denominator is no integer.
pub fn ranged(row: &Row, range: Option<Compared>) -> serde_json::Result<RowForm<'_>> {
    with_range(row, Some(range.map(RangeForm::from)))
}

fn with_range(row: &Row, usual: Option<Option<RangeForm>>) -> serde_json::Result<RowForm<'_>> {
    let (series, point) = (&row.series, &row.point);
    Ok(RowForm {
        metric: &series.metric,
        window: WindowForm::from(&point.window),
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
        usual,
    })
}

/// An alert.
///
/// # Errors
/// When its evidence is no JSON.
pub fn alert(alert: &Alert) -> serde_json::Result<AlertForm<'_>> {
    Ok(AlertForm {
        rule: &alert.rule,
        account: alert.account.as_deref(),
        metric: &alert.metric,
        state: alert.state,
        since: rfc3339(alert.since_us),
        at: rfc3339(alert.at_us),
        value: alert.value,
        evidence: RawValue::from_string(alert.evidence.clone())?,
    })
}

/// As written: no size is too big.
fn integer(text: Option<&String>) -> serde_json::Result<Option<Box<RawValue>>> {
    text.map(|text| RawValue::from_string(text.clone())).transpose()
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
