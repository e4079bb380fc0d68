//! `vitals backtest`: its counts against the orders alone, its alerts against those of the live process, and what it refuses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use alert::{Rules, backtest::Judges};
use eventlog::{Log, embedded};
use oracle::backtest::{Figures, Orders, Question, figures};
use processor::{replay::Replay, topics};
use processor_core::{plan::Plan, settings::Settings};
use proto::{
    Message as _,
    v1::{AlertTransition, MetricEntry, metric_entry::Entry},
};
use serde_json::Value;
use task::state::Memory;

use crate::{
    cdnow::{self, SAMPLE},
    data::Data,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const SILENCE: &str = "\
groups:
  - name: silence
    rules:
      - {alert: silent_60d, silence: 60d}
      - {alert: silent_90d, silence: 90d}
      - {alert: silent_120d, silence: 120d}
";

/// The built-in catalog with steps of silence up to 120 days.
fn catalog() -> String {
    let text = fs::read_to_string(Path::new(ROOT).join("deploy/catalogs/crm.yaml")).unwrap();
    let (steps, more) = ("silence: [7, 14, 30, 60, 90]", "silence: [30, 60, 90, 120]");
    assert!(text.contains(steps), "the catalog has other steps");
    text.replace(steps, more)
}

/// A data directory with a catalog and rules on silence, where a customer is lost after 180 days.
fn shop() -> (Data, String) {
    let data = Data::new();
    let catalog = data.file("catalog.yaml", catalog());
    let rules = data.file("silence.yaml", SILENCE).display().to_string();
    let toml = format!("[settings]\ncatalog = \"{}\"\nsilent_after = \"180d\"\n", catalog.display());
    (data.config(&toml), rules)
}

/// Days since 1970 of the orders of a file: of which columns the account and the date are.
fn orders(file: &Path, account: usize, date: usize, header: usize) -> Orders {
    let mut orders = Orders::new();
    for line in fs::read_to_string(file).unwrap().lines().skip(header).filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let day = jiff::civil::Date::strptime("%Y%m%d", cells[date]).unwrap();
        let day = (day - jiff::civil::date(1970, 1, 1)).get_days();
        orders.entry(cells[account].to_owned()).or_default().insert(day.into());
    }
    orders
}

/// The counts of a rule in the JSON of a backtest; leads in days.
fn counted(rule: &Value) -> Figures {
    let count = |name: &str| rule[name].as_u64().unwrap();
    let lead = |name: &str| rule["lead"][name].as_i64().map(|seconds| seconds / 86_400);
    assert_eq!(count("judged") + count("censored"), count("alerts"));
    assert_eq!((count("outcomes_censored"), count("of_no_account")), (0, 0));
    let flaps = &rule["flaps"];
    assert_eq!((flaps["again"].as_u64(), flaps["all"].as_u64()), (Some(0), flaps["short"].as_u64()));
    let weeks: u64 = rule["alerts_by_week"].as_array().unwrap().iter().map(|week| week.as_u64().unwrap()).sum();
    assert_eq!(weeks, count("alerts"), "each alert is in a week");
    Figures {
        alerts: count("alerts"),
        accounts: count("accounts"),
        censored: count("censored"),
        right: count("right"),
        outcomes: count("outcomes"),
        caught: count("caught"),
        leads: lead("median").map(|median| [lead("quarter").unwrap(), median, lead("three_quarters").unwrap()]),
        short: flaps["short"].as_u64().unwrap(),
    }
}

/// Three rules on silence over a file of CDNOW: every count is what the orders alone say.
fn silence_of(file: &Path, mapping: &str, orders: &Orders) {
    let (data, rules) = shop();
    data.import(file, &["--mapping", mapping]).done();
    let end = *orders.values().flatten().max().unwrap();
    for (outcome, for_good, horizon) in [("left", true, 150), ("churned", false, 60), ("churned", false, 100)] {
        let days = format!("{horizon}d");
        let flags = ["backtest", "--rules", &rules, "--outcome", outcome, "--horizon", &days, "--format", "json"];
        let said: Value = serde_json::from_str(&data.run(flags).done().out).unwrap();
        for (rule, step) in said["files"][0]["rules"].as_array().unwrap().iter().zip([60, 90, 120]) {
            let expected = figures(orders, Question { step, gone: 180, horizon, end, for_good });
            assert!(expected.alerts > 100 && expected.outcomes > 100, "the test shows too little");
            assert_eq!(counted(rule), expected, "{outcome} {rule}");
        }
    }
}

#[test]
fn counts_are_those_of_the_orders_alone() {
    let Some(file) = cdnow::file("CDNOW_sample.txt") else { return };
    silence_of(&file, SAMPLE, &orders(&file, 0, 2, 0));
}

#[test]
#[ignore = "takes a minute; run it with `cargo test --release --workspace -- --ignored backtest`"]
fn counts_are_those_of_all_orders_alone() {
    let Some(file) = cdnow::file("CDNOW_master.txt") else { return };
    silence_of(&file, "deploy/mappings/cdnow-master.yaml", &orders(&file, 0, 1, 1));
}

/// Records of alerts by key, in order.
type Alerts = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// What rules say of the past of a log.
fn replayed(log: &dyn Log, plan: &Arc<Plan>, rules: Rules) -> Alerts {
    let folder = tempfile::tempdir().unwrap();
    let mut replay = Replay::open(log, plan, folder.path(), &Memory::new(16 << 20, 16 << 20)).unwrap();
    let mut judges = Judges::new(rules);
    let mut all: Vec<AlertTransition> = Vec::new();
    while let Some(instant) = replay.advance().unwrap() {
        for output in &instant.snapshots {
            let entry = MetricEntry::decode(output.record.value.clone().unwrap()).unwrap();
            match entry.entry {
                Some(Entry::Snapshot(snapshot)) => judges.snapshot(output.partition, &snapshot, &mut all),
                Some(Entry::Outlook(outlook)) => judges.outlook(output.partition, &outlook, &mut all),
                other => panic!("{other:?}"),
            }
        }
        for partition in instant.ticks.iter().map(|tick| tick.partition).collect::<BTreeSet<_>>() {
            judges.tick(partition, instant.at, &mut all);
        }
    }
    let mut alerts = Alerts::new();
    for transition in all {
        let key = transition.key.clone().unwrap().encode_to_vec();
        alerts.entry(key).or_default().push(transition.encode_to_vec());
    }
    alerts
}

/// What the live process published.
fn published(log: &dyn Log) -> Alerts {
    let mut alerts = Alerts::new();
    for stored in eventlog::past(log, topics::ALERTS, 0, 0).unwrap() {
        let record = stored.unwrap().record;
        // Records of another key say which rules there are.
        let value = record.value.unwrap();
        if AlertTransition::decode(value.clone()).is_ok_and(|alert| alert.key.is_some()) {
            alerts.entry(record.key.to_vec()).or_default().push(value.to_vec());
        }
    }
    alerts
}

/// The alerts of a backtest over what was imported are those that the process published meanwhile: with the plan of all
/// metrics, and with that of the one that the rule reads.
fn as_live(data: &Data) {
    let log = embedded::Embedded::follow(data.path().join("log"), embedded::Config::default()).unwrap();
    let plan = Plan::built_in(&Settings::default()).unwrap();
    let rules = Rules::built_in(&plan);
    let live = published(log.as_ref());
    assert!(live.values().map(Vec::len).sum::<usize>() > 100, "the test shows too little");

    let mut catalog = processor_core::catalog::Catalog::parse(processor_core::catalog::BUILT_IN).unwrap();
    catalog.restrict(&BTreeSet::from(["silence".to_owned()]));
    let narrow = Plan::lower(&catalog, &Settings::default()).unwrap();
    assert_eq!(narrow.metrics.len(), 1);
    for plan in [plan, narrow] {
        assert!(replayed(log.as_ref(), &Arc::new(plan), rules.clone()) == live, "other alerts than live");
    }
}

#[test]
fn alerts_are_those_of_the_live_process_byte_for_byte() {
    let Some(file) = cdnow::file("CDNOW_sample.txt") else { return };
    let data = Data::new();
    data.import(&file, &["--mapping", SAMPLE]).done();
    as_live(&data);
}

/// What a folder holds: names and contents of its files.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            all.extend(contents(&entry));
        } else {
            all.insert(entry.display().to_string(), fs::read(&entry).unwrap());
        }
    }
    all
}

#[test]
fn every_form_says_the_same_and_nothing_is_written() {
    let (data, rules) = shop();
    let mut lines = String::new();
    for (at, (account, day)) in
        [("a", "2025-01-01"), ("b", "2025-01-02"), ("c", "2025-01-03"), ("b", "2025-04-10"), ("c", "2025-10-01")]
            .into_iter()
            .enumerate()
    {
        lines += &format!(
            "{{\"id\":\"{at}\",\"type\":\"order.completed\",\"time\":\"{day}T00:00:00Z\",\"account\":\"{account}\",\
             \"data\":{{\"order\":\"{at}\",\"gross\":1000,\"currency\":\"EUR\"}}}}\n"
        );
    }
    let events = data.file("events.ndjson", lines);
    data.import(&events, &["--until", "2025-12-31"]).done();
    let before = contents(&data.path());
    let (page, alerts) = (data.file("page.html", ""), data.file("alerts.csv", ""));
    let (page, alerts) = (page.display().to_string(), alerts.display().to_string());
    let run = data.run(["backtest", "--rules", &rules, "--horizon", "130d", "--html", &page, "--alerts", &alerts]);
    // a is lost on 30 June, b on 7 October, c on 2 July and, had the log gone on, again.
    run.done().says(&[
        "silent_60d would have fired 5 times for 3 accounts; 75 % of 4 alerts were right; of 3 times that an account churned \
         it caught 3 (100 %), half of them 120 days or more before.",
    ]);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("it caught 3 (100 %)") && page.matches("<svg").count() == 3 && !page.contains("<script"));
    let alerts = fs::read_to_string(alerts).unwrap();
    assert!(alerts.contains("silent_60d,a,,2025-03-02T00:00:00Z,,yes,2025-06-30T00:00:00Z"), "{alerts}");
    assert!(
        alerts.contains("silent_60d,b,,2025-03-03T00:00:00Z,2025-04-10T00:00:00Z,no,2025-10-07T00:00:00Z"),
        "{alerts}"
    );

    // Two files side by side; what begins before --from is counted apart.
    let late = data.file("late.yaml", "groups: [{name: g, rules: [{alert: late, silence: 120d}]}]");
    let late = late.display().to_string();
    let flags = ["backtest", "--rules", &rules, "--rules", &late, "--from", "2025-04-01", "--format", "json"];
    let said: Value = serde_json::from_str(&data.run(flags).done().out).unwrap();
    let of = |file: usize, rule: usize| &said["files"][file]["rules"][rule];
    assert_eq!((of(0, 2)["alerts"].as_u64(), of(0, 2)["outcomes"].as_u64()), (Some(3), Some(3)));
    assert_eq!(of(0, 2)["lead"], of(1, 0)["lead"], "the same rule in both files");
    assert_eq!(contents(&data.path()), before, "a backtest writes nothing into the data directory");
}

#[test]
fn what_it_cannot_do_it_says() {
    let (data, rules) = shop();
    let wrong = data
        .file("wrong.yaml", "groups:\n  - name: g\n    rules:\n      - {alert: a, metric: nothing, expr: value < 1}\n");
    let wrong = wrong.display().to_string();
    data.run(["backtest", "--rules", &wrong]).fails(2, &["wrong.yaml:4:", "nothing"]);
    data.run(["backtest", "--rules", "none.yaml"]).fails(2, &["none.yaml: cannot be read"]);
    data.run(["backtest", "--rules", &rules]).fails(1, &["there is no log here"]);
    data.run(["backtest", "--rules", &rules, "--outcome", "gone"]).fails(2, &["expected churned, left"]);
    data.run(["backtest", "--rules", &rules, "--outcome", "helth < 4"]).fails(2, &["there is no metric `helth`"]);
    data.run(["backtest", "--rules", &rules, "--outcome", "orders < 4"]).fails(2, &["is not a metric of accounts"]);
    data.run(["backtest", "--rules", &rules, "--horizon", "0d"]).fails(2, &["expected days or hours"]);
    let flags = ["backtest", "--rules", &rules, "--from", "2026-01-02", "--to", "2026-01-01"];
    data.run(flags).fails(2, &["--to: is not after --from"]);
}
