//! What metrics are made of, in the words of the catalog.

use std::collections::HashMap;

use dashboard::backend::Formula;
use processor_core::catalog::{BUILT_IN, Catalog};

use crate::config::Config;

/// The expression of each metric, and what its measures read.
pub(super) fn formulas(config: &Config) -> anyhow::Result<HashMap<String, Formula>> {
    let text = match config.catalog() {
        Some(path) => std::fs::read_to_string(path)?,
        None => BUILT_IN.to_owned(),
    };
    // That it parses is known: the plan was made from it.
    let Ok(catalog) = Catalog::parse(&text) else { return Ok(HashMap::new()) };
    let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_default();
    let formula = |metric: &processor_core::catalog::Metric| {
        let name = metric.name.value.clone();
        let text = metric.value.as_ref().map(|value| value.value.clone()).unwrap_or_default();
        (name.clone(), Formula { text, sources: sources(&document, &name) })
    };
    Ok(catalog.metrics.iter().map(formula).collect())
}

/// Facts and events that the measures of a metric read: `{count: order, ...}` reads `order`.
fn sources(document: &serde_json::Value, name: &str) -> Vec<String> {
    const HOW: [&str; 9] = ["count", "sum", "mean", "min", "max", "quantile", "distinct", "level", "elapsed"];
    let metrics = document["metrics"].as_array().into_iter().flatten();
    let metric = metrics.into_iter().find(|metric| metric["name"] == name);
    let measures = metric.and_then(|metric| metric["measures"].as_object()).into_iter().flatten();
    let mut sources: Vec<String> = measures
        .flat_map(|(_, measure)| HOW.iter().filter_map(|how| measure[*how].as_str()).map(str::to_owned))
        .collect();
    sources.sort();
    sources.dedup();
    sources
}
