//! `vitals status`: how far each stage is behind, disk, retention, and how events ended; read beside the process that runs.
//!
//! It does not know what runs where: the log says what each group of readers has committed.

mod show;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
};

use eventlog::{Cleanup, Log, TopicPartition, TopicSpec};
use ingest::render_rfc3339;
use processor::{account::Counters, topics};
use serde::Serialize;
use store::{Read as _, sqlite};

use crate::{Usage, config::Config, engine::Engine, node::Node, outcomes, site};

/// Flags of `vitals status`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Leave out how events ended, for which the log is read
    #[arg(long)]
    quick: bool,
}

/// How everything is.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    stages: Vec<Stage>,
    clocks: Vec<Clock>,
    disk: Disk,
    retention: Vec<Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<BTreeMap<String, u64>>,
    /// The processes that can be asked: the one that answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processes: Vec<Process>,
}

/// A process that works.
#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    version: &'static str,
    /// What it runs.
    stages: BTreeSet<String>,
    since: String,
    /// Whether all stages run, and have replayed what they had published before.
    ready: bool,
    /// Of memory; none where the system does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_resident: Option<u64>,
}

/// How far a group has read a partition.
#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    topic: String,
    partition: u32,
    position: u64,
    end: u64,
    lag: u64,
}

/// What time it is on a partition of a topic in the store.
#[derive(Debug, Serialize)]
struct Clock {
    topic: String,
    partition: u32,
    at: String,
}

/// The data directory, and what is free beside it.
#[derive(Debug, Serialize)]
struct Disk {
    path: PathBuf,
    bytes_used: u64,
    bytes_free: u64,
    parts: BTreeMap<String, u64>,
}

/// What a topic keeps, and has.
#[derive(Debug, Serialize)]
struct Kept {
    topic: String,
    partitions: u32,
    keeps: String,
    records: u64,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let log = site::follow(config, path)?;
    let mut status = Status::of(log.as_ref(), path)?;
    if !args.quick {
        let counts = outcomes::Counts::of(log.as_ref(), &plan, path)?;
        status.outcomes = Some(by_outcome(counts.counters()));
    }
    write(&status, args, out)
}

/// The same beside the stages, which have counted.
pub(crate) fn beside(
    args: &Args,
    log: &dyn Log,
    path: &Path,
    counters: &Counters,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut status = Status::of(log, path)?;
    status.outcomes = Some(by_outcome(counters));
    write(&status, args, out)
}

/// The same of the process that asks: what its stages have counted, and itself. On Kafka it has counted a part of the events
/// only, and says none.
pub(crate) fn of_process(engine: &Engine, since: jiff::Timestamp) -> anyhow::Result<Status> {
    let mut status = Status::of(engine.site.log.as_ref(), &engine.site.path)?;
    let counted = engine.site.own_log().and_then(|_| engine.ask(|node| (node.counters(), node.frozen())));
    status.outcomes = counted.map(|(counters, frozen)| {
        let mut outcomes = by_outcome(&counters);
        outcomes.insert("frozen".to_owned(), frozen);
        outcomes
    });
    status.processes.push(Process {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
        stages: engine.ask(Node::stages).unwrap_or_default(),
        since: render_rfc3339(since.as_microsecond()),
        ready: engine.ready().is_ok(),
        bytes_resident: resident(),
    });
    Ok(status)
}

/// Memory of this process.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn by_outcome(counters: &Counters) -> BTreeMap<String, u64> {
    let all = [("events", counters.accepted()), ("counted", counters.on_time + counters.late)];
    all.into_iter().chain(counters.by_outcome()).map(|(name, events)| (name.replace(' ', "_"), events)).collect()
}

fn write(status: &Status, args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.json {
        serde_json::to_writer(&mut *out, status)?;
        return Ok(writeln!(out)?);
    }
    show::write(status, out)
}

impl Status {
    /// Everything but the outcomes.
    pub(crate) fn of(log: &dyn Log, path: &Path) -> anyhow::Result<Self> {
        let mut specs = log.topics()?;
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let mut stages = Vec::new();
        for (stage, group, reads) in GROUPS {
            let read = specs.iter().filter(|spec| reads(&spec.name));
            stages.extend(of_group(log, stage, group, &read.collect::<Vec<_>>())?);
        }
        let retention = specs.iter().map(|spec| kept(log, spec)).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            stages,
            clocks: clocks(path),
            disk: Disk::of(path)?,
            retention,
            outcomes: None,
            processes: Vec::new(),
        })
    }
}

/// Whether a group reads a topic.
type Reads = fn(&str) -> bool;

/// The stages in the order in which records pass, their groups, and what they read.
const GROUPS: [(&str, &str, Reads); 6] = [
    ("account", "account", |topic| topic == topics::EVENTS),
    ("merged", "merged", |topic| topic == topics::MOVED),
    ("rollup", "rollup", |topic| topic == topics::PARTIALS),
    ("alert", "alert", is_metric),
    ("sink", sink::GROUP, |topic| is_metric(topic) || topic == topics::ALERTS),
    ("notify", "notify", |topic| topic == topics::ALERTS),
];

fn is_metric(topic: &str) -> bool {
    topic.starts_with("metrics.")
}

/// Where a group is in topics. Alerts are read of metrics with rules only, and nobody may be notified: what such a group has
/// never committed is nothing that it waits for.
fn of_group(log: &dyn Log, stage: &'static str, group: &str, specs: &[&TopicSpec]) -> anyhow::Result<Vec<Stage>> {
    let places =
        specs.iter().flat_map(|spec| (0..spec.partitions).map(|number| TopicPartition::new(&*spec.name, number)));
    let places: Vec<TopicPartition> = places.collect();
    let mut stages = Vec::new();
    for (at, done) in places.iter().zip(log.all_committed(group, &places)?) {
        let optional = ["alert", "notify"].contains(&stage);
        if optional && done.is_none() {
            continue;
        }
        let marks = log.watermarks(&at.topic, at.partition)?;
        let position = done.map_or(marks.low, |done| done.offset);
        let lag = marks.high.saturating_sub(position);
        stages.push(Stage {
            stage,
            topic: at.topic.to_string(),
            partition: at.partition,
            position,
            end: marks.high,
            lag,
        });
    }
    Ok(stages)
}

fn kept(log: &dyn Log, spec: &TopicSpec) -> anyhow::Result<Kept> {
    let mut records = 0;
    for partition in 0..spec.partitions {
        let marks = log.watermarks(&spec.name, partition)?;
        records += marks.high.saturating_sub(marks.low);
    }
    let days = |span: std::time::Duration| format!("{}d", span.as_secs() / 86_400);
    let keeps = match spec.cleanup {
        Cleanup::Keep => "everything".to_owned(),
        Cleanup::Delete { retention } => days(retention),
        Cleanup::Compact { min_lag } => format!("the last of each key, and {}", days(min_lag)),
    };
    Ok(Kept { topic: spec.name.clone(), partitions: spec.partitions, keeps, records })
}

/// Those of the store; none where there is no store here.
fn clocks(path: &Path) -> Vec<Clock> {
    let read = sqlite::Reader::open(&path.join(sqlite::FILE)).and_then(|read| read.clocks());
    let clock =
        |clock: store::Clock| Clock { topic: clock.topic, partition: clock.partition, at: render_rfc3339(clock.at_us) };
    read.unwrap_or_default().into_iter().map(clock).collect()
}

impl Disk {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let mut parts = BTreeMap::new();
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let part = if name.starts_with(sqlite::FILE) { sqlite::FILE.to_owned() } else { name };
            *parts.entry(part).or_default() += bytes(&entry.path());
        }
        let free = rustix::fs::statvfs(if path.exists() { path } else { Path::new(".") })?;
        let bytes_free = free.f_bavail * free.f_frsize;
        Ok(Self { path: path.to_owned(), bytes_used: parts.values().sum(), bytes_free, parts })
    }
}

/// Bytes of the files below; what vanishes meanwhile counts as nothing.
fn bytes(path: &Path) -> u64 {
    let Ok(about) = std::fs::symlink_metadata(path) else { return 0 };
    if !about.is_dir() {
        return about.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_all_files_below() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("log/a")).unwrap();
        std::fs::write(dir.path().join("log/a/one"), [0; 100]).unwrap();
        std::fs::write(dir.path().join("log/two"), [0; 20]).unwrap();
        std::fs::write(dir.path().join("store.sqlite"), [0; 3]).unwrap();
        std::fs::write(dir.path().join("store.sqlite-wal"), [0; 4]).unwrap();
        let disk = Disk::of(dir.path()).unwrap();
        let expected = [("log", 120), ("store.sqlite", 7)].map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!((disk.parts, disk.bytes_used), (BTreeMap::from(expected), 127));
    }
}
