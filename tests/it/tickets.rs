//! Tickets that wait for an answer, from the door to the answer of a query.

use std::{collections::BTreeSet, fmt::Write as _};

use ::oracle::{row, scenario};
use serde_json::Value;

use crate::{data::Data, oracle};

/// The scenario that people read, with the engine's answers: means, medians, who waits, and for how long the oldest has.
#[test]
fn the_scenario_of_response_times_holds() {
    let story = scenario::parse(include_str!("../oracle/scenarios/response_time.txt")).unwrap();
    let data = Data::new();
    let mut lines = String::new();
    story.events.iter().for_each(|event| writeln!(lines, "{event}").unwrap());
    let file = data.file("events.ndjson", lines);
    // A day and half a minute before the end: what time moves is published with the next minute, and not with each tick.
    let until = |time| row::stamp(time).unwrap();
    for time in [story.now - 86_370_000_000, story.now] {
        data.import(&file, &["--until", &until(time)]).done();
        oracle::assert_true(&data, &until(time));
    }

    let mut rows: Vec<Value> = Vec::new();
    let asked: BTreeSet<_> = story.expectations.iter().map(|wanted| (&wanted.metric, &wanted.window)).collect();
    for (metric, window) in asked {
        for by in [&[][..], &["--by", "channel"], &["--by", "topic"]] {
            let answer = data.run([&["query", metric, "--window", window, "--format", "json"], by].concat()).done().out;
            rows.extend(answer.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    assert_eq!(story.differences(&rows).unwrap(), Vec::<String>::new());
}
