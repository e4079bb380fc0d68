//! Who follows a metric from outside, on a real broker: what the examples print of a topic with an old revision that
//! comes again, and that a client with nothing of ours, kcat, reads the records as they were published.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use eventlog::{
    Cleanup, Commit, Log as _, Output, Record, TopicSpec,
    kafka::{Config, Kafka, local},
};
use proto::{
    Message as _,
    v1::{Dimension, MetricEntry, MetricTick, Snapshot, SnapshotKey, Window, metric_entry::Entry},
};

const DAY: i64 = 86_400_000_000;
const REVISION: i64 = 20_000 * DAY + 1_000_000;

fn snapshot(plan: &str, revision_us: i64, value: Option<f64>) -> (Vec<u8>, Entry) {
    let window = Window { kind: "1d".to_owned(), start_us: Some(20_000 * DAY), end_us: Some(20_001 * DAY) };
    let key = SnapshotKey {
        tenant: "default".to_owned(),
        definition: "orders@1+00000000".to_owned(),
        dimensions: vec![Dimension { name: "plan".to_owned(), value: plan.to_owned() }],
        account: None,
        window: Some(window),
    };
    let bytes = key.encode_to_vec();
    let snapshot = Snapshot {
        key: Some(key),
        metric: "orders".to_owned(),
        revision_us,
        value,
        unit: "count".to_owned(),
        ..Snapshot::default()
    };
    (bytes, Entry::Snapshot(snapshot))
}

/// Two keys, one of them with a revision that is behind, and a tick.
fn records() -> [(Vec<u8>, Entry); 5] {
    [
        snapshot("pro", REVISION, Some(1.0)),
        snapshot("", REVISION, None),
        snapshot("pro", REVISION + 2, Some(3.0)),
        (b"tick".to_vec(), Entry::Tick(MetricTick { at_us: REVISION + 3, since_us: None })),
        snapshot("pro", REVISION + 1, Some(2.0)),
    ]
}

/// Makes a topic of the records; says with which prefix.
fn publish(broker: &str) -> String {
    let prefix = local::prefix();
    let log = Kafka::connect(Config { brokers: vec![broker.to_owned()], prefix: prefix.clone(), ..Config::default() });
    let log = log.unwrap();
    let cleanup = Cleanup::Compact { min_lag: std::time::Duration::from_secs(604_800) };
    let topic: Arc<str> = "metrics.orders.v1".into();
    log.create_topic(&TopicSpec { name: topic.to_string(), partitions: 1, cleanup }).unwrap();
    let output = |(key, entry): (Vec<u8>, Entry)| {
        let value = MetricEntry { entry: Some(entry) }.encode_to_vec();
        let record = Record { key: key.into(), value: Some(value.into()), headers: Vec::new(), timestamp_us: REVISION };
        Output { topic: topic.clone(), partition: 0, record }
    };
    let outputs = records().into_iter().map(output).collect();
    log.producer("p").unwrap().commit(Commit { outputs, offsets: Vec::new() }).unwrap();
    prefix
}

fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {err}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A Python with what the example needs, made once; why not, if it cannot be had.
fn python() -> Result<PathBuf, String> {
    let requirements = Path::new("examples/python/requirements.txt");
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache"))).ok_or("there is no HOME")?;
    let (folder, wanted) = (cache.join("vitals/python"), fs::read_to_string(requirements).unwrap());
    let (program, mark) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
        return Ok(program);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--timeout=20", "--retries=1", "-r"];
    run(Command::new(&program).args(pip).arg(requirements))?;
    fs::write(mark, wanted).map_err(|error| error.to_string())?;
    Ok(program)
}

#[test]
fn the_python_example_prints_what_is_newest() {
    let Some(broker) = local::broker("the example in Python") else { return };
    let python = match python() {
        Ok(python) => python,
        Err(missing) => {
            // Not captured, as what tests print is.
            return writeln!(std::io::stderr(), "SKIPPED: the example in Python needs its packages: {missing}")
                .unwrap();
        }
    };
    let prefix = publish(&broker);
    let script = Path::new("examples/python/subscribe.py");
    let found =
        lines(Command::new(python).arg(script).args(["orders", "--once", "--brokers", &broker, "--prefix", &prefix]));
    let values: Vec<serde_json::Value> = found.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = values.iter().map(|row| (row["dimensions"]["plan"].as_str(), row["value"].as_f64())).collect();
    assert_eq!(shown, [(Some("pro"), Some(1.0)), (Some(""), None), (Some("pro"), Some(3.0))]);
    assert_eq!(values[2]["start"], "2024-10-04T00:00:00Z");
    assert_eq!(values[2]["revision"], "2024-10-04T00:00:01.000002Z");
}

#[test]
fn the_rust_example_prints_what_is_newest() {
    let Some(broker) = local::broker("the example in Rust") else { return };
    // Beside the program: cargo builds examples together with all tests, not with those of one target.
    let program = Path::new(env!("CARGO_BIN_EXE_vitals")).with_file_name("examples").join("subscriber");
    if !program.exists() {
        return writeln!(std::io::stderr(), "SKIPPED: the example in Rust was not built").unwrap();
    }
    let prefix = publish(&broker);
    let found = lines(Command::new(program).args(["orders", &broker, &prefix, "--once"]));
    let start = 20_000 * DAY;
    let line = |plan: &str, value: &str, after: i64| {
        format!("orders [plan={plan}]  1d {start}: {value} count (revision {})", start + 1_000_000 + after)
    };
    assert_eq!(found, [line("pro", "1", 0), line("", "null, ", 0), line("pro", "3", 2)]);
}

#[test]
fn kcat_reads_what_was_published() {
    let Some(broker) = local::broker("kcat") else { return };
    if let Err(missing) = Command::new("kcat").arg("-V").output() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "kcat: {missing}");
        return writeln!(std::io::stderr(), "SKIPPED: kcat is not here: {missing}").unwrap();
    }
    let topic = format!("{}metrics.orders.v1", publish(&broker));
    let mut kcat = Command::new("kcat");
    kcat.args(["-C", "-e", "-q", "-X", "isolation.level=read_committed", "-b", &broker, "-t", &topic, "-f", "%R%s"]);
    let read = kcat.output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let (mut left, mut found) = (&read.stdout[..], Vec::new());
    while let Some((length, rest)) = left.split_first_chunk::<4>() {
        let (value, rest) = rest.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
        found.push(MetricEntry::decode(value).unwrap());
        left = rest;
    }
    assert_eq!(left, b"");
    assert_eq!(found, records().map(|(_, entry)| MetricEntry { entry: Some(entry) }));
}
