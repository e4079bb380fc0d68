//! What is published does not depend on the number of partitions, and its final values not on the order of arrival.

use crate::{
    data::{Data, assert_same_rows, assert_same_sequences},
    generated::{self, Random},
};

#[test]
fn one_four_and_sixteen_partitions_publish_the_same() {
    let input = generated::events(3, 4_000, 120);
    let imported = |partitions: u32| {
        let data = Data::new().config(&format!("[log]\npartitions = {partitions}\n"));
        let file = data.file("events.ndjson", &input);
        data.import(&file, &["--order", "file"]).done();
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
    let input = generated::events(4, 4_000, 120);
    let imported = |bytes: &[u8], flags: &[&str]| {
        let data = Data::new();
        let file = data.file("events.ndjson", bytes);
        let run = data.import(&file, &[flags, &["--until", "2026-01-01T00:00:00Z"]].concat()).done();
        (data, run.out)
    };
    let (sorted, said) = imported(&input, &[]);
    assert!(said.contains(", 0 late, "), "{said}");
    let expected = sorted.points("value, num, den, reason, since_us");
    for seed in [1, 2] {
        let (shuffled, said) = imported(&Random(seed).shuffled(&input), &["--order", "file"]);
        assert!(!said.contains(", 0 late, "), "{said}");
        assert_same_rows(&shuffled.points("value, num, den, reason, since_us"), &expected, &format!("shuffle {seed}"));
    }
}
