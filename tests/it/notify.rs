//! Notifications end to end: a silent account fires the built-in rule, and the live door sends to receivers that check
//! what comes to the letter ([`wire`]), to a real Alertmanager and to a real SMTP server ([`servers`]).

mod faults;
mod people;
mod receiver;
mod servers;
mod wire;

use serde_json::json;

use crate::{data::Data, http::Door};

/// A data directory in which these accounts have been silent for long, with the notifications of a file.
fn silent(accounts: &[&str], yaml: &str) -> Data {
    let data = Data::new();
    let file = data.file("notify.yaml", yaml);
    let data = data.config(&format!("[alerts]\nnotify = {:?}\n", file.display().to_string()));
    let line = |account: &&str| {
        let data = json!({"order": account, "gross": 1999, "currency": "EUR"});
        json!({"id": account, "type": "order.completed", "time": "2026-01-01T12:00:00Z", "account": account, "data": data}).to_string()
    };
    let lines: Vec<String> = accounts.iter().map(line).collect();
    let events = data.file("events.ndjson", lines.join("\n"));
    data.run(["import", events.to_str().unwrap(), "--until", "2026-06-01T00:00:00Z"]).done();
    data
}

/// The account orders again: its alert is over.
fn orders(door: &Door, account: &str) {
    let data = json!({"order": format!("{account}-2"), "gross": 100, "currency": "EUR"});
    let answer = door
        .send(&[json!({"id": format!("{account}-2"), "type": "order.completed", "account": account, "data": data})]);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A configuration in which every receiver gets everything at once; `receivers` are the entries of the list.
fn everything(names: &[&str], receivers: &str) -> String {
    let routes: String = names.iter().map(|name| format!("    - {{receiver: {name}, continue: true}}\n")).collect();
    format!(
        "external_url: https://vitals.example.com\nroute:\n  receiver: {}\n  group_wait: 0s\n  group_interval: 0s\n  group_by: [rule]\n  routes:\n{routes}receivers:\n{receivers}",
        names[0]
    )
}
