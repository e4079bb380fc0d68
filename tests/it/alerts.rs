//! Rules of alerts that become others while many alerts fire, on the real program.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use eventlog::embedded;
use proto::{
    Message as _,
    v1::{AlertState, AlertTransition},
};

use crate::{
    data::{self, Data},
    http::{Door, PATIENCE},
};

const ACCOUNTS: usize = 10_000;

const BEFORE: &str = "groups:
  - name: g
    rules:
      - {alert: removed, silence: 60d}
      - {alert: kept, silence: 30d}
";

/// `kept` is another rule that still holds, `removed` is gone, `added` is new.
const AFTER: &str = "groups:
  - name: g
    rules:
      - {alert: kept, silence: 90d, labels: {team: b}}
      - {alert: added, silence: 7d}
";

/// States and reasons of each alert, by rule and account, in their order.
fn histories(data: &Data) -> BTreeMap<(String, String), Vec<(AlertState, String)>> {
    let log = embedded::Embedded::open(data.path().join("log"), embedded::Config::default()).unwrap();
    let mut histories: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in data::records(log.as_ref(), "alerts.v1", 0) {
        let transition = AlertTransition::decode(record.value.unwrap()).unwrap();
        let key = transition.key.clone().unwrap();
        let history = histories.entry((key.rule, key.account.unwrap())).or_default();
        history.push((transition.state(), transition.reason));
    }
    histories
}

/// Accounts that bought once, years ago.
fn silent() -> Data {
    let data = Data::new();
    let rules = data.file("rules.yaml", BEFORE);
    let data = data.config(&format!("[alerts]\nrules = [{rules:?}]\n"));
    let mut lines = String::new();
    for account in 0..ACCOUNTS {
        writeln!(
            lines,
            r#"{{"id":"{account}","source":"shop","type":"order.completed","time":"2025-01-01T00:00:00Z","account":"a{account}","data":{{"order":"{account}","gross":100,"currency":"EUR"}}}}"#
        )
        .unwrap();
    }
    let file = data.file("orders.ndjson", lines);
    data.import(&file, &["--until", "2025-06-01T00:00:00Z"]).done();
    data
}

#[test]
fn rules_change_while_ten_thousand_alerts_fire_and_nothing_is_lost_or_told_twice() {
    let data = silent();
    let firing = [(AlertState::Firing, String::new())];
    let before = histories(&data);
    assert_eq!(before.len(), 2 * ACCOUNTS);
    assert!(before.values().all(|history| *history == firing));

    let mut door = Door::open(&data);
    data.file("rules.yaml", AFTER);
    // A kill in the middle of what the change brings about, then again while that is made up for.
    for delay in [700, 1_000, 1_300, 400] {
        sleep(Duration::from_millis(delay));
        door.kill();
        door = Door::start(&data);
    }
    let added = || data.run(["tail", "alerts", "--once"]).out.matches(r#""rule":"added""#).count();
    let begun = Instant::now();
    while added() < ACCOUNTS {
        assert!(begun.elapsed() < PATIENCE, "{} of {ACCOUNTS} alerts of the new rule", added());
        sleep(Duration::from_millis(200));
    }
    assert!(door.stop().success());

    let after = histories(&data);
    assert_eq!(after.len(), 3 * ACCOUNTS);
    for ((rule, account), history) in &after {
        let resolved = (AlertState::Resolved, "rule removed".to_owned());
        let expected = if rule == "removed" { vec![firing[0].clone(), resolved] } else { firing.to_vec() };
        assert_eq!(*history, expected, "{rule} of {account}");
    }
}

#[test]
fn a_wrong_rule_file_changes_nothing_and_says_why() {
    let data = silent();
    let rules = data.path().with_file_name("rules.yaml");
    std::fs::write(&rules, "groups: [{name: g, rules: [{alert: a, silence: 61d}]}]").unwrap();
    data.run(["rules", "check", rules.to_str().unwrap()])
        .fails(2, &["rules.yaml:1:48: `silence` has no step of 61 days"]);
    let listen = data.command(["ingest", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(listen.status.code(), Some(2), "a start with a wrong file is refused");

    std::fs::write(&rules, BEFORE).unwrap();
    let door = Door::open(&data);
    std::fs::write(&rules, "groups: [{name: g, rules: [{alert: a, silence: 61d}]}]").unwrap();
    sleep(Duration::from_secs(3));
    assert!(door.stop().success());
    assert_eq!(histories(&data).len(), 2 * ACCOUNTS);
}

#[test]
fn the_tests_of_the_ready_packs_pass() {
    let data = Data::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rules/tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        data.run(["rules", "test", path.to_str().unwrap()]).done().says(&["0 failed"]);
    }
    data.run(["rules", "check", "support"]).done().says(&["support: 3 rules, nothing is wrong"]);
}
