//! CDNOW: a real shop's purchases (Fader and Hardie), as they come with the Python package `lifetimes`.
//!
//! The folder is `VITALS_CDNOW`, or the package is fetched once with pip into the target directory. Where neither is
//! possible a test says so and is skipped, but fails in CI.

use std::{env, path::PathBuf};

use crate::{
    data::Data,
    fetched::{self, Source},
    fleet::{self, Fleet, Role},
};

const PACKAGE: &str = "lifetimes==0.11.3";

/// Mapping of the sample.
pub(crate) const SAMPLE: &str = "deploy/mappings/cdnow-sample.yaml";
/// Mapping of the master.
const MASTER: &str = "deploy/mappings/cdnow-master.yaml";

/// The file, or nothing where it cannot be had.
pub(crate) fn file(name: &str) -> Option<PathBuf> {
    let folder = match env::var_os("VITALS_CDNOW").filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => fetched::path(Source::Pip, PACKAGE, "lifetimes/datasets"),
    };
    let path = folder.map(|folder| folder.join(name));
    match path.and_then(|path| if path.exists() { Ok(path) } else { Err(format!("{} is not there", path.display())) }) {
        Ok(path) => Some(path),
        Err(why) => {
            assert!(env::var_os("CI").is_none(), "CDNOW is needed in CI: {why}");
            eprintln!(
                "SKIPPED: no CDNOW data, so this test shows nothing: {why}; set VITALS_CDNOW to a folder with {name}"
            );
            None
        }
    }
}

/// Accounts whose silence of 90 days was due at or before `until`, by the alerts of the built-in rule that fire or fired.
fn silent(data: &Data, until: &str) -> i64 {
    let db = rusqlite::Connection::open(data.path().join(store::sqlite::FILE)).unwrap();
    let sql = "SELECT count(*) FROM alert_transitions_readable WHERE rule = 'silent_90d' AND state = 'firing' AND since <= ?1";
    db.query_row(sql, [until], |row| row.get(0)).unwrap()
}

/// The values of a metric in all years together.
fn total(data: &Data, metric: &str) -> f64 {
    let out = data.run(["query", metric, "--window", "1y", "--format", "json"]).done().out;
    let rows = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.map(|row| row["value"].as_f64().unwrap()).sum()
}

#[test]
#[ignore = "takes a minute; run it with `cargo test --release --workspace -- --ignored cdnow_master`"]
fn cdnow_master() {
    let Some(file) = file("CDNOW_master.txt") else { return };
    let data = Data::new();
    let run = data.import(&file, &["--mapping", MASTER]).done();
    run.says(&[
        "69659 lines: 69659 accepted, 0 rejected",
        "69659 counted (69659 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined",
    ]);
    assert_eq!(total(&data, "orders"), 69_659.0);
    assert_eq!(total(&data, "net_revenue"), 250_031_563.0);
    // An account that comes back starts again: each has a value, once.
    let accounts = data.run(["query", "account_value", "--format", "json"]).done().out;
    assert_eq!(accounts.lines().count(), 23_570);
    assert_eq!(silent(&data, "1998-06-30T00:00:00.000000Z"), 31_654);
    let rows = data.rows();
    let again = data.import(&file, &["--mapping", MASTER]).done();
    again.says(&["0 counted (0 on time, 0 late), 69659 duplicate, 0 conflict, 0 quarantined"]);
    assert_eq!(data.rows(), rows);

    let later = Data::new();
    later.import(&file, &["--mapping", MASTER, "--until", "1998-10-01T00:00:00Z"]).done();
    assert_eq!(silent(&later, "1998-10-01T00:00:00.000000Z"), 34_955);
}

/// Three processors on a real Kafka publish and store what one process does on its own log.
fn through_kafka(name: &str, mapping: &str) {
    let (Some(file), Some(mut fleet)) = (file(name), Fleet::new("CDNOW through Kafka", 4)) else { return };
    let embedded = fleet::alone(4);
    embedded.import(&file, &["--mapping", mapping]).done();
    (0..3).for_each(|_| fleet.start(Role::Processor));
    fleet.start(Role::Sink);
    fleet.data.import(&file, &["--mapping", mapping, "--brokers", &fleet.broker.address]).done();
    fleet.is(&embedded, name);
}

#[test]
fn cdnow_sample_through_kafka() {
    through_kafka("CDNOW_sample.txt", SAMPLE);
}

#[test]
#[ignore = "takes a minute; run it with `cargo test --release --workspace -- --ignored cdnow_master`"]
fn cdnow_master_through_kafka() {
    through_kafka("CDNOW_master.txt", MASTER);
}
