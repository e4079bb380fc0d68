//! What is published does not depend on the number of partitions, and its final values not on the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    answers::answers,
    data::{Data, assert_same_rows, assert_same_sequences},
    generated::{self, Random},
};

#[test]
fn one_four_and_sixteen_partitions_publish_the_same() {
    let input = generated::events(3, 1_000, 40, 60);
    let imported = |partitions: u32| {
        let data = Data::new().config(&format!("[log]\npartitions = {partitions}\n"));
        let file = data.file("events.ndjson", &input);
        data.import(&file, &["--order", "file", "--until", "2024-07-15T00:00:00Z"]).done();
        data
    };
    let four = imported(4);
    let (snapshots, rows) = (four.snapshots(), four.rows());
    for partitions in [1, 16] {
        let data = imported(partitions);
        let context = format!("{partitions} partitions");
        assert_same_sequences(&data.snapshots(), &snapshots, &context);
        assert_same_rows(&data.rows(), &rows, &context);
        let values = data.clocks().len();
        assert_ne!(values, four.clocks().len(), "{context}: there are as many");
    }
}

#[test]
fn shuffled_events_come_to_the_same_values() {
    let input = one_content(&generated::events(4, 1_000, 40, 60));
    let imported = |bytes: &[u8], flags: &[&str]| {
        let data = Data::new();
        let file = data.file("events.ndjson", bytes);
        let run = data.import(&file, &[flags, &["--until", "2024-07-15T00:00:00Z"]].concat()).done();
        (data, run.out)
    };
    let (sorted, said) = imported(&input, &[]);
    assert!(said.contains(", 0 late)"), "{said}");
    let expected = values(&sorted);
    for seed in [1, 2] {
        let (shuffled, said) = imported(&Random(seed).shuffled(&input), &["--order", "file"]);
        assert!(!said.contains(", 0 late)"), "{said}");
        let found = values(&shuffled);
        let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
        let empty = Answer::default();
        let same = |key: &&String| found.get(*key).unwrap_or(&empty) == expected.get(*key).unwrap_or(&empty);
        let different = keys.iter().copied().find(|key| !same(key));
        let shown = different.map(|key| (key, found.get(key), expected.get(key)));
        assert_eq!(shown, None, "shuffle {seed}: (found, expected) of {} and {} rows", found.len(), expected.len());
        eprintln!("shuffle {seed}: {} and {} rows with a value", found.len(), expected.len());
        assert!(expected.len() > 10_000, "only {} rows were compared", expected.len());
    }
}

/// Without the events that another one of the same identity and another content precedes: which of the two counts is
/// decided by the order of arrival.
pub(crate) fn one_content(text: &[u8]) -> Vec<u8> {
    let mut known = BTreeMap::new();
    let mut kept = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let event: Value = serde_json::from_slice(line).unwrap();
        let first = known.entry((event["source"].to_string(), event["id"].to_string())).or_insert(line);
        if *first == line {
            kept.extend_from_slice(line);
        }
    }
    assert!(kept.len() < text.len(), "no such event at all");
    kept
}

/// Value, num, den, reason and since.
type Answer = [Value; 5];

/// The answers to all questions. Where nothing is left (0, or no ratio of anything) one order of arrival may have brought
/// a row that another did not, and which event did so is as free: those are left out.
fn values(data: &Data) -> BTreeMap<String, Answer> {
    let rows = answers(data);
    let mut values = BTreeMap::new();
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let key = ["metric", "window", "dimensions", "account", "currency"].map(|name| row[name].to_string()).join(" ");
        let answer = ["value", "num", "den", "reason", "since"].map(|name| row[name].clone());
        let nothing = |cell: &Value| cell.is_null() || cell.as_f64() == Some(0.0) || cell == "0";
        if !answer[..3].iter().all(nothing) {
            assert!(values.insert(key, answer).is_none(), "asked once, answered twice: {row}");
        }
    }
    values
}
