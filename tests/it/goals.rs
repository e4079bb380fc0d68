//! Goals, from the door to the answer of a query.

use serde_json::Value;

use crate::{
    data::{Data, assert_same_rows},
    oracle,
};

const METRICS: [&str; 4] = ["goal_progress", "goal_expected", "goal_lead", "goal_state"];

/// The rows of goals that are stored, as JSON.
fn rows(data: &Data) -> Vec<Value> {
    let mut rows = Vec::new();
    for metric in METRICS {
        let answer = data.run(["query", metric, "--by", "goal", "--window", "1d", "--format", "json"]).done().out;
        rows.extend(answer.lines().map(row).filter(|row| !row["revision"].is_null()));
    }
    rows
}

/// A row of JSON; the standard library reads the digits of its value to the nearest double.
fn row(line: &str) -> Value {
    let mut row: Value = serde_json::from_str(line).unwrap();
    let digits = line.split_once("\"value\":").unwrap().1.split([',', '}']).next().unwrap();
    if let Ok(value) = digits.parse::<f64>() {
        row["value"] = value.into();
    }
    row
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// The scenario that people read, with the engine's answers; whatever the order of arrival and the partitions.
#[test]
fn the_scenario_of_goals_holds() {
    let scenario = ::oracle::scenario::parse(include_str!("../oracle/scenarios/goals.txt")).unwrap();
    let mut events = scenario.events.clone();
    for (partitions, until) in [(1, "1d"), (4, "1h"), (16, "1d")] {
        let data = Data::new().config(&format!("[log]\npartitions = {partitions}\n"));
        let file = data.file("events.ndjson", lines(&events));
        data.import(&file, &["--order", "file", "--until", "2024-05-01T00:00:00Z", "--tick", until]).done();
        let differences = scenario.differences(&rows(&data)).unwrap();
        assert!(differences.is_empty(), "{partitions} partitions\n{}", differences.join("\n"));
        events.reverse();
    }
}

const SET: &str = r#"{"id":"1","type":"order.completed","account":"acme","time":"2024-01-02T10:00:00Z","data":{"order":"1","gross":2500,"currency":"EUR"}}
{"id":"2","type":"goal.set","time":"2024-01-02T09:00:00Z","data":{"goal":"january","metric":"net_revenue","window":"1mo","target":10000,"currency":"EUR","due":"2024-01-31"}}
{"id":"3","type":"order.completed","account":"acme","time":"2024-01-20T10:00:00Z","data":{"order":"2","gross":5000,"currency":"EUR"}}
"#;

const CORRECTED: &str = r#"{"id":"4","type":"goal.set","corrects":"2","time":"2024-01-02T09:00:00Z","data":{"goal":"january","metric":"net_revenue","window":"1mo","target":7500,"currency":"EUR","due":"2024-01-31"}}
{"id":"5","type":"order.completed","account":"beta","time":"2024-01-03T10:00:00Z","data":{"order":"1","gross":1250,"currency":"EUR"}}
"#;

#[test]
fn a_goal_is_told_in_words_and_a_correction_moves_all_its_days() {
    let data = Data::new();
    let file = data.file("set.ndjson", SET);
    data.import(&file, &["--until", "2024-01-25T12:00:00Z"]).done();
    let last = |metric: &str| {
        let flags = ["--by", "goal", "--window", "1d", "--from", "2024-01-25", "--format", "csv"];
        let answer = data.run([&["query", metric][..], &flags].concat()).done().out;
        answer.lines().last().unwrap_or_default().to_owned()
    };
    assert!(last("goal_progress").contains(",0.75,"), "{}", last("goal_progress"));
    let table = data.run(["query", "goal_state", "--by", "goal", "--window", "1d"]).done().out;
    let has =
        |table: &str, day: &str, state: &str| table.lines().any(|line| line.contains(day) && line.contains(state));
    assert!(has(&table, " 2 Jan ", "on track") && has(&table, " 15 Jan ", "behind"), "{table}");
    oracle::assert_true(&data, "set");

    // A restart, then the correction: the target is met on the 20th, and what the late order adds stands from the 3rd on.
    let file = data.file("corrected.ndjson", CORRECTED);
    data.import(&file, &["--order", "file", "--until", "2024-02-10T00:00:00Z"]).done();
    let table = data.run(["query", "goal_state", "--by", "goal", "--window", "1d"]).done().out;
    assert!(has(&table, " 19 Jan ", "behind") && has(&table, " 20 Jan ", "met"), "{table}");
    oracle::assert_true(&data, "corrected");
    let stored = data.rows();
    data.run(["rebuild"]).done();
    assert_same_rows(&data.rows(), &stored, "rebuilt");
}
