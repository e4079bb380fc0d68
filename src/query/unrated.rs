//! What a table of converted amounts leaves out: a line below it, from the metric that counts amounts without a rate.
//!
//! It does not know what is converted: without the setting `reporting_currency` that metric counts nothing.

use std::{collections::BTreeMap, ops::ControlFlow};

use anyhow::Result;
use store::{Ask, MetricInfo, Read as _, Row, ask, sqlite, window::Kind};

/// The built-in metric that counts them, by currency.
const METRIC: &str = "amounts_without_rate";

/// ` amounts without a rate are left out: GBP 2, USD 1 (amounts_without_rate)`; none where nothing is.
pub(super) fn note(asked: &Ask, rows: &[Row], catalog: &[MetricInfo], read: &sqlite::Reader) -> Result<Option<String>> {
    let of_accounts = rows.iter().any(|row| row.series.account.is_some());
    let money = rows.iter().any(|row| !row.series.currency.is_empty());
    let Some(kind) = rows.first().map(|row| row.point.window.kind) else { return Ok(None) };
    let counts = catalog.iter().find(|known| known.name == METRIC && known.windows.contains(&kind));
    let Some(counts) = counts.filter(|_| money && !of_accounts && asked.metric != METRIC) else { return Ok(None) };
    // Nothing to fill in where nothing was ever counted, as without a reporting currency.
    if read.groups(&asked.tenant, counts, &[])? == 0 {
        return Ok(None);
    }

    let mut lacking: BTreeMap<String, f64> = BTreeMap::new();
    let window = Some(kind.to_string());
    let (by, filter) = (Vec::new(), Vec::new());
    let lack = Ask { metric: METRIC.to_owned(), window, by, filter, ..asked.clone() };
    ask(read, &lack, &mut |row| {
        if let Some(count) = row.point.value.filter(|count| *count > 0.0) {
            let sum = lacking.entry(row.series.currency.clone()).or_default();
            // Trailing windows hold each other's days.
            *sum = if matches!(kind, Kind::Trailing(_)) { count.max(*sum) } else { *sum + count };
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let parts: Vec<String> = lacking.iter().map(|(currency, count)| format!("{currency} {count}")).collect();
    let left_out = parts.join(", ");
    Ok((!parts.is_empty()).then(|| format!(" amounts without a rate are left out: {left_out} ({METRIC})\n")))
}
