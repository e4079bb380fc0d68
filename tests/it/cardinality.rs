//! Dimensions with more values than are kept apart: the first values have rows of their own, all others are `other`.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::{
    data::{Data, assert_same_rows},
    generated::Random,
    oracle::{assert_equal, expected},
};

/// Orders of some days, `each` a day; every one has a channel of its own, and there are more products and plans than five.
/// The lines of a day come in another order for each seed.
fn orders(seed: u64, days: i64, each: i64) -> Vec<u8> {
    let first: Timestamp = "2024-03-01T01:00:00Z".parse().unwrap();
    let mut random = Random(1);
    let mut lines = Vec::new();
    for day in 0..days {
        let mut of_day = String::new();
        for number in 0..each {
            let id = format!("{day}-{number}");
            let time = first + SignedDuration::from_hours(24 * day) + SignedDuration::from_secs(60 * number);
            let (account, plan, product) = (random.below(30), random.below(12), random.below(20));
            let event = |kind: &str, data: String| {
                format!(
                    r#"{{"specversion":"1.0","id":"{kind}-{id}","source":"s","type":"{kind}","time":"{time}","account":"a{account}","data":{data}}}"#
                )
            };
            let _ = writeln!(of_day, "{}", event("account.updated", format!(r#"{{"traits":{{"plan":"p{plan}"}}}}"#)));
            let lines = format!(
                r#"[{{"product":"t{product}","quantity":1,"amount":60}},{{"product":"t{}","quantity":1,"amount":40}}]"#,
                random.below(20)
            );
            let data = format!(r#"{{"order":"{id}","gross":100,"currency":"EUR","channel":"c{id}","lines":{lines}}}"#);
            let _ = writeln!(of_day, "{}", event("order.completed", data));
        }
        lines.extend(Random(seed).shuffled(of_day.as_bytes()));
    }
    lines
}

#[test]
fn values_past_the_limit_are_other_whatever_the_partitions_and_the_order_within_an_instant() {
    let imported = |partitions: u32, seed: u64| {
        let data =
            Data::new().config(&format!("[settings]\ndimension_values_max = 5\n[log]\npartitions = {partitions}\n"));
        let file = data.file("events.ndjson", orders(seed, 12, 9));
        let said = data.import(&file, &["--order", "file", "--until", "2024-07-15T00:00:00Z"]).done();
        said.says(&["channel has more than 5 values", "product has more than 5 values", "dimension_values_max"]);
        data
    };
    let first = imported(1, 1);
    let rows = first.rows();
    let settings = oracle::Settings { values_max: 5, ..oracle::Settings::default() };
    let equal = assert_equal(&first, &expected(&first, &settings), "five values");
    assert!(equal > 1_000, "only {equal} rows were compared");
    for (partitions, seed) in [(1, 2), (3, 3), (4, 4)] {
        assert_same_rows(
            &imported(partitions, seed).rows(),
            &rows,
            &format!("{partitions} partitions, shuffle {seed}"),
        );
    }

    let asked = ["query", "orders", "--window", "1y", "--by", "channel", "--format", "json"];
    let answer = first.run(asked).done();
    assert!(answer.err.contains("of channel the first 5 values are kept apart"), "{}", answer.err);
    let channels = answer.out;
    // Those of the first instant that come first as bytes.
    for channel in ["c0-0", "c0-1", "c0-2", "c0-3", "c0-4", "other"] {
        assert!(channels.contains(&format!(r#"{{"channel":"{channel}"}}"#)), "{channel}: {channels}");
    }
    assert_eq!(channels.lines().count(), 6, "{channels}");

    // A restart goes on as before.
    let later = orders(5, 14, 9);
    let file = first.file("later.ndjson", later);
    let said = first.import(&file, &["--order", "file", "--until", "2024-07-16T00:00:00Z"]).done();
    said.says(&["channel has more than 5 values"]);
    assert_equal(&first, &expected(&first, &settings), "after a restart");
}
