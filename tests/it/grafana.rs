//! The dashboards of `deploy/grafana`: every name of telemetry that they ask for is one that Vitals emits, and every query of
//! the store is answered by the store of a simulated company.

use std::{collections::BTreeSet, fs, path::Path};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::data::Data;

fn dashboard(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Title and text of each query: `key` is where a target has it.
fn queries(dashboard: &Value, key: &str) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let mut queries = Vec::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap().to_owned();
        assert!(ids.insert(panel["id"].as_i64()), "{title}: its id is another panel's");
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title}: it is not explained");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], panel["datasource"], "{title}");
            queries.push((title.clone(), target[key].as_str().unwrap().to_owned()));
        }
    }
    queries
}

/// Words of a query that name telemetry.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|other: char| !other.is_ascii_alphanumeric() && other != '_');
    words.filter(|word| word.starts_with("vitals_"))
}

#[test]
fn the_telemetry_that_dashboards_ask_for_is_emitted() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/telemetry.md")).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('`')).collect();
    let asked = queries(&dashboard("telemetry.json"), "expr");
    assert!(asked.len() > 20, "{} queries", asked.len());
    for (title, query) in &asked {
        for name in names(query) {
            let is_bucket = name.strip_suffix("_bucket");
            let row = rows.iter().find(|(known, _)| *known == is_bucket.unwrap_or(name));
            let (_, rest) = row.unwrap_or_else(|| panic!("{title}: nothing emits {name}"));
            assert_eq!(rest.contains("| histogram |"), is_bucket.is_some(), "{title}: {name}");
            let counts = ["rate(", "increase("].iter().any(|function| query.contains(&format!("{function}{name}")));
            assert_eq!(rest.contains("| counter |") || is_bucket.is_some(), counts, "{title}: {query}");
        }
        // Labels are those of the table, or Prometheus' own.
        for label in query.split("by (").skip(1).flat_map(|rest| rest.split(')').next().unwrap().split(',')) {
            let label = label.trim();
            let has =
                |name: &str| rows.iter().any(|(known, rest)| *known == name && rest.contains(&format!("`{label}`")));
            assert!(label == "le" || names(query).any(has), "{title}: no {label} in {query}");
        }
    }
}

#[test]
fn the_store_answers_the_queries_of_dashboards() {
    let data = Data::new();
    data.run(["demo", "--once", "--accounts", "120"]).done();
    let store = data.path().join("store.sqlite");
    let store = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let asked = queries(&dashboard("customers.json"), "rawQueryText");
    assert!(asked.len() > 10, "{} queries", asked.len());
    for (title, query) in asked {
        let query = query.replace("$window", "1mo").replace("$__from", "0").replace("$__to", "4102444800000");
        let mut statement = store.prepare(&query).unwrap_or_else(|error| panic!("{title}: {error}"));
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(1)).unwrap();
        let rows: Vec<_> = rows.map(|row| row.unwrap_or_else(|error| panic!("{title}: {error}"))).collect();
        // Of a company as small as this nothing may be alarming.
        assert!(!rows.is_empty() || title == "Alerts that fire", "{title}: no rows of {query}");
        assert!(columns.len() > 1, "{title}: {columns:?}");
    }
}
