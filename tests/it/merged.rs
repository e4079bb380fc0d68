//! Merged accounts: the source counts as the target, whatever the order, the partitions and the restarts.

use crate::{data::Data, oracle};

fn event(id: u32, day: u32, account: &str, kind: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"s","type":"{kind}","time":"2024-01-{day:02}T10:00:00Z","account":"{account}","data":{data}}}"#
    ) + "\n"
}

fn order(id: u32, day: u32, account: &str, gross: u32) -> String {
    event(id, day, account, "order.completed", &format!(r#"{{"order":"o{id}","gross":{gross},"currency":"EUR"}}"#))
}

fn link(id: u32, day: u32, from: &str, to: &str) -> String {
    event(id, day, from, "identity.linked", &format!(r#"{{"from":"{from}","to":"{to}"}}"#))
}

fn retracted(id: u32, day: u32, account: &str, what: u32) -> String {
    event(id, day, account, "retracted", &format!(r#"{{"event":"{what}"}}"#))
}

/// Imports each text at its own, with restarts in between, and compares with the oracle each time.
fn stories(partitions: u32, texts: &[String]) -> Data {
    let data = Data::new().config(&format!("[log]\npartitions = {partitions}\n"));
    for (at, text) in texts.iter().enumerate() {
        let file = data.file("events.ndjson", text);
        data.import(&file, &["--order", "file"]).done();
        oracle::assert_true(&data, &format!("{partitions} partitions, part {at}"));
    }
    data
}

#[test]
fn merges_chains_circles_and_retractions_are_the_oracles() {
    let begin = ["a", "b", "c", "d"].iter().zip(1..).map(|(account, id)| order(id, id, account, 100 * id)).collect();
    let texts: Vec<String> = vec![
        begin,
        // Merged, and what comes for the source later.
        link(10, 5, "a", "b") + &order(11, 6, "a", 50) + &order(12, 2, "a", 7),
        // A chain, a late event of its first, a correction of one merged.
        link(13, 7, "b", "c") + &order(14, 3, "a", 9),
        // A circle merges nothing.
        link(15, 8, "c", "a"),
        // It is opened again, and the first link, too.
        retracted(16, 9, "c", 15) + &order(17, 9, "a", 5),
        retracted(18, 10, "a", 10) + &order(19, 10, "a", 6) + &link(20, 11, "d", "new"),
    ];
    stories(4, &texts);
}
