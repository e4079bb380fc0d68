//! Money in one currency: rates that come late, are corrected or missing; whatever the partitions and the restarts.

use std::{fmt::Write as _, path::Path};

use ::oracle::{Settings, row, scenario};
use serde_json::Value;

use crate::{
    data::{Data, assert_same_rows, assert_same_sequences},
    generated, oracle,
};

const EUROS: &str = "reporting_currency = \"EUR\"\n";
const FLAGS: [&str; 4] = ["--order", "file", "--until", "2024-07-15T00:00:00Z"];

fn settings() -> Settings {
    Settings { reporting_currency: Some("EUR".to_owned()), ..Settings::default() }
}

fn in_euros(partitions: u32) -> Data {
    Data::new().config(&format!("[settings]\n{EUROS}[log]\npartitions = {partitions}\n"))
}

/// Imports the lines in so many parts, each by a process of its own.
fn import(data: &Data, lines: &[u8], parts: usize) {
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    for part in lines.chunks(lines.len().div_ceil(parts)) {
        let file = data.file("events.ndjson", part.concat());
        data.import(&file, &["--order", "file"]).done();
    }
}

#[test]
fn generated_events_in_one_currency_are_the_oracles() {
    let data = in_euros(4);
    import(&data, &generated::of_every_type(11, 3_000, 60, 120), 3);
    let equal = oracle::assert_true_with(&data, &settings(), "in euros");
    assert!(equal > 30_000, "only {equal} rows were compared");

    let answer =
        |metric: &str, window: &str| data.run(["query", metric, "--window", window, "--format", "json"]).done().out;
    for metric in ["net_revenue", "net_revenue_retention", "pipeline_value", "customer_lifetime_value"] {
        let rows = answer(metric, "1mo");
        assert!(rows.contains(r#""currency":"EUR""#) && !rows.contains(r#""currency":"USD""#), "{metric}: {rows}");
    }
    let lacking = answer("amounts_without_rate", "1y");
    assert!(lacking.contains(r#""currency":"GBP""#), "{lacking}");
}

#[test]
fn one_four_and_sixteen_partitions_convert_the_same() {
    let input = generated::of_every_type(12, 800, 20, 60);
    let imported = |partitions| {
        let data = in_euros(partitions);
        let file = data.file("events.ndjson", &input);
        data.import(&file, &FLAGS).done();
        data
    };
    let four = imported(4);
    for partitions in [1, 16] {
        let data = imported(partitions);
        let context = format!("{partitions} partitions");
        assert_same_sequences(&data.snapshots(), &four.snapshots(), &context);
        assert_same_rows(&data.rows(), &four.rows(), &context);
    }
}

#[test]
fn another_reporting_currency_computes_money_again_from_the_log() {
    let (input, more) = (generated::of_every_type(13, 800, 20, 60), generated::events(9, 20, 5, 60));
    let filled = |data: &Data, bytes: &[u8]| {
        let file = data.file("events.ndjson", bytes);
        data.import(&file, &FLAGS).done().err
    };
    let changed = Data::new();
    filled(&changed, &input);
    let changed = changed.config(&format!("[settings]\n{EUROS}"));
    let said = filled(&changed, &more);
    let line = said.lines().find(|line| line.contains("the definitions changed")).unwrap_or_default();
    assert!(line.contains("net_revenue@") && !line.contains("orders@"), "{said}");

    let fresh = Data::new().config(&format!("[settings]\n{EUROS}"));
    filled(&fresh, &input);
    filled(&fresh, &more);
    assert_same_sequences(&changed.snapshots(), &fresh.snapshots(), "set later");
    assert_same_rows(&changed.rows(), &fresh.rows(), "set later");

    fresh.run(["rebuild"]).done();
    assert_same_rows(&fresh.rows(), &changed.rows(), "rebuilt");
}

/// What the engine says of a story, as the story expects it.
#[track_caller]
fn told(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/scenarios").join(name);
    let story = scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let data = in_euros(4);
    let mut lines = String::new();
    story.events.iter().for_each(|event| writeln!(lines, "{event}").unwrap());
    let file = data.file("events.ndjson", lines);
    data.import(&file, &["--order", "file", "--until", &row::stamp(story.now).unwrap()]).done();

    let mut rows: Vec<Value> = Vec::new();
    let asked: std::collections::BTreeSet<_> =
        story.expectations.iter().map(|wanted| (wanted.metric.clone(), wanted.window.clone())).collect();
    for (metric, window) in asked {
        let answer = data.run(["query", &metric, "--window", &window, "--format", "json"]).done().out;
        rows.extend(answer.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert_eq!(story.differences(&rows).unwrap(), Vec::<String>::new(), "{name}");
}

#[test]
fn a_story_in_one_currency() {
    told("reporting_currency.txt");
}

#[test]
fn a_rate_that_comes_late() {
    told("rate_that_comes_late.txt");
}

#[test]
fn an_amount_without_a_rate() {
    told("amount_without_a_rate.txt");
}
