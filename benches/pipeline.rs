//! The embedded pipeline, from append to committed metric topics: journal, fsync, all dimensions.
//!
//!     cargo bench --workspace --bench pipeline -- [--events N] [--runs N] [--loads-only] [--load N] [--catalog FILE]
//!
//! First whole: all tasks as in a node (accounts of four partitions, rollup, alerts), each on its
//! thread, over a log in a temporary directory; CPU time of the whole process, the preparation of
//! the events apart. Then step by step on one thread, to see what an event costs where.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use alert::task::Alerts;
use common::{Spread, Steps, Stream, median, option, process_cpu, threads_cpu};
use eventlog::{
    Assignment, Commit, Committed, GroupOffsets, Log, Output, Poll, Stored, TopicPartition, embedded::Embedded,
};
use ingest::{
    door::{self, Door},
    partition,
    ticks::Grid,
};
use processor::{
    account::{self, Accounts},
    rollup::Rollups,
    topics,
};
use processor_core::{calendar::DAY, catalog::Per, plan::Plan};
use proto::v1;
use task::{Changes, Fold, Host, Input, Partitions, State, Status, Worker, state::Memory};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PARTITIONS: u32 = 4;

fn main() {
    if common::flag("test") {
        return;
    }
    let (events, runs) = (option("events", 200_000), option("runs", 1));
    println!("pipeline, {events} events over 90 days, {PARTITIONS} partitions, median of {runs}\n");
    println!("| load | k events / CPU s | us / event | of it append |\n| --- | ---: | ---: | ---: |");
    for (name, spread) in common::loads() {
        let results: Vec<(Duration, Duration)> = (0..runs).map(|_| whole(&spread, events)).collect();
        let of = |pick: fn(&(Duration, Duration)) -> Duration| {
            median(results.iter().map(|result| pick(result).as_secs_f64()).collect())
        };
        let (append, total) = (of(|result| result.0), of(|result| result.0 + result.1));
        let micros = 1e6 / events as f64;
        println!("| {name} | {:.0} | {:.2} | {:.2} |", events as f64 / total / 1e3, total * micros, append * micros);
    }
    if let (false, Some((name, spread))) = (common::flag("loads-only"), common::loads().first()) {
        by_step(name, spread, events);
    }
}

/// An embedded log in a temporary directory, with all topics.
struct Place {
    folder: tempfile::TempDir,
    log: Arc<dyn Log>,
    plan: Arc<Plan>,
    memory: Memory,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let log: Arc<dyn Log> =
            Embedded::open(folder.path().join("log"), eventlog::embedded::Config::default()).unwrap();
        let plan = common::plan();
        topics::create(log.as_ref(), &plan, PARTITIONS).unwrap();
        Place { folder, log, plan, memory: Memory::new(256 << 20, 256 << 20) }
    }

    fn state<F: Fold>(&self, name: &str) -> State {
        State::open(&self.folder.path().join(name), F::TABLES, &self.memory).unwrap()
    }

    fn accounts(&self, partition: u32, state: &State) -> Accounts {
        Accounts::open(self.plan.clone(), partition, account::Config::default(), state, Arc::default()).unwrap()
    }

    /// Appends events and ticks as a door does, a batch a synced commit; the CPU time that it took.
    fn append(&self, spread: &Spread, events: usize) -> Duration {
        let grid = Grid::new(self.plan.settings.zone.clone(), DAY).unwrap();
        let mut door = Door::open(self.log.as_ref(), door::Config::default(), grid).unwrap();
        let mut stream = Stream::new(spread.clone(), events);
        let (mut cpu, mut left, mut last) = (Duration::ZERO, events, 0);
        while left > 0 {
            let batch: Vec<v1::Event> = (0..left.min(20_000)).map(|_| stream.event()).collect();
            left -= batch.len();
            let before = threads_cpu();
            for event in batch {
                last = event.time_us;
                while let Some(at) = door.schedule().before(event.time_us) {
                    door.tick(at);
                }
                door.append(event);
                if door.is_full() {
                    door.commit(Vec::new()).unwrap();
                }
            }
            cpu += threads_cpu().saturating_sub(before);
        }
        door.tick(last + 1_000_000);
        door.commit(Vec::new()).unwrap();
        cpu
    }
}

/// CPU time of appending, and of everything after it.
fn whole(spread: &Spread, events: usize) -> (Duration, Duration) {
    let place = Place::new();
    let append = place.append(spread, events);
    let before = process_cpu();
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    let mut waits = Vec::new();
    for partition in 0..PARTITIONS {
        let plan = place.plan.clone();
        let open = move |at: &TopicPartition, state: &State| {
            Accounts::open(plan.clone(), at.partition, account::Config::default(), state, Arc::default())
        };
        let stage = Stage { name: "account", topic: topics::EVENTS, partition, changes: None };
        threads.push(run(&place, stage, Arc::new(open), &stop, &mut waits));
    }
    let plan = place.plan.clone();
    let open = move |_: &TopicPartition, state: &State| Rollups::open(plan.clone(), PARTITIONS, state, Arc::default());
    let stage = Stage { name: "rollup", topic: topics::PARTIALS, partition: 0, changes: None };
    threads.push(run(&place, stage, Arc::new(open), &stop, &mut waits));
    let rules = alert::Rules::built_in(&place.plan);
    let stages = rules.metrics.iter().map(|of| (alert::task::stage(&of.metric), of.text.clone().into()));
    task::found(place.log.as_ref(), topics::RULES, stages, || place.log.producer("rules")).unwrap();
    for rules in rules.metrics {
        let metric = place.plan.metrics.iter().find(|metric| metric.name == rules.metric).unwrap();
        let (stage, topic) = (alert::task::stage(&rules.metric), topics::metric(&metric.name));
        for partition in 0..if metric.per == Per::Account { PARTITIONS } else { 1 } {
            let (plan, name) = (place.plan.clone(), rules.metric.clone());
            let open =
                move |_: &TopicPartition, state: &State| Alerts::open(plan.clone(), &name, topics::ALERTS, state);
            let text = rules.text.clone();
            let changes = Changes { topic: topics::RULES.into(), wanted: Arc::new(move |_| text.clone().into()) };
            let stage = Stage { name: &stage, topic: &topic, partition, changes: Some(changes) };
            threads.push(run(&place, stage, Arc::new(open), &stop, &mut waits));
        }
    }
    for (group, at) in &waits {
        let done = || {
            let high = place.log.watermarks(&at.topic, at.partition).unwrap().high;
            place.log.committed(group, &at.topic, at.partition).unwrap().map_or(0, |position| position.offset) >= high
        };
        while !done() {
            assert!(!threads.iter().any(JoinHandle::is_finished), "a task stopped");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    // Stopping flushes the state: that is part of the work.
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    (append, process_cpu().saturating_sub(before))
}

/// One partition of a stage.
struct Stage<'a> {
    name: &'a str,
    topic: &'a str,
    partition: u32,
    changes: Option<Changes>,
}

fn run<F: Fold + 'static>(
    place: &Place,
    stage: Stage<'_>,
    open: task::Open<F>,
    stop: &Arc<AtomicBool>,
    waits: &mut Vec<(String, TopicPartition)>,
) -> JoinHandle<()> {
    let (name, home) = (format!("{}-{}", stage.name, stage.partition), place.folder.path().to_owned());
    let at = TopicPartition::new(stage.topic, stage.partition);
    let (inputs, partitions) = (vec![Input::new(stage.topic, stage.name, 0)], Partitions::These(vec![at.clone()]));
    let config = task::Config::new(stage.name, inputs, partitions, name.clone(), home);
    let config = task::Config { changes: stage.changes, ..config };
    let host = Host { memory: place.memory.clone(), checkpoints: None };
    let worker = Worker::open(config, open, host, place.log.clone()).unwrap();
    let stop = stop.clone();
    waits.push((stage.name.to_owned(), at));
    std::thread::Builder::new().name(name).spawn(move || worker.run(&stop, &Status::default()).unwrap()).unwrap()
}

/// One partition after the other on this thread, each step apart.
fn by_step(name: &str, spread: &Spread, events: usize) {
    let place = Place::new();
    let append = place.append(spread, events);
    let mut steps = Steps::default();
    for partition in 0..PARTITIONS {
        let records = read(&place, topics::EVENTS, partition, "read", &mut steps);
        micro(&records, &mut steps);
        let state = place.state::<Accounts>(&format!("account-{partition}"));
        let mut fold = place.accounts(partition, &state);
        drive(&place, (topics::EVENTS, partition), &mut fold, &state, &records, &mut steps, &ACCOUNT);
    }
    let partials = read(&place, topics::PARTIALS, 0, "partials: read", &mut steps);
    let state = place.state::<Rollups>("rollup-0");
    let mut fold = Rollups::open(place.plan.clone(), PARTITIONS, &state, Arc::default()).unwrap();
    drive(&place, (topics::PARTIALS, 0), &mut fold, &state, &partials, &mut steps, &ROLLUP);
    println!("\n| step, {name} | us / event |\n| --- | ---: |");
    println!("| append (door, encode, route, synced commit) | {:.2} |", append.as_secs_f64() * 1e6 / events as f64);
    for (step, what) in [
        ("read", "read"),
        ("decode", "decode (part of apply)"),
        ("route", "route (part of append)"),
        (ACCOUNT.apply, "apply (decode, state, slice, journal)"),
        (ACCOUNT.close, "emit (timers, slices, partials, per-account metrics at a tick)"),
        (ACCOUNT.commit, "commit"),
        (ACCOUNT.flush, "flush"),
        ("partials: read", "rollup: read"),
        (ROLLUP.close, "rollup: merge and emit"),
        (ROLLUP.commit, "rollup: commit"),
        (ROLLUP.flush, "rollup: flush"),
    ] {
        println!("| {what} | {:.3} |", steps.micros(step, events));
    }
}

/// Names of the steps of a stage.
struct Names {
    apply: &'static str,
    close: &'static str,
    commit: &'static str,
    flush: &'static str,
}

const ACCOUNT: Names = Names { apply: "apply", close: "emit", commit: "commit", flush: "flush" };
const ROLLUP: Names =
    Names { apply: "rollup: apply", close: "rollup: emit", commit: "rollup: commit", flush: "rollup: flush" };

fn read(place: &Place, topic: &str, partition: u32, step: &'static str, steps: &mut Steps) -> Vec<Stored> {
    let mut consumer = place.log.consumer(Assignment::manual(topic, [(partition, 0)])).unwrap();
    let mut all = Vec::new();
    while let Poll::Records { records, .. } = steps.time(step, || consumer.poll(1 << 20, Duration::ZERO)).unwrap() {
        all.extend(records);
    }
    all
}

/// Steps that are too small to be seen where they happen.
fn micro(records: &[Stored], steps: &mut Steps) {
    steps.time("decode", || records.iter().for_each(|stored| drop(std::hint::black_box(account::decode(stored)))));
    steps.time("route", || {
        records.iter().for_each(|stored| {
            std::hint::black_box(partition::of(&stored.record.key, PARTITIONS));
        });
    });
}

/// The loop of a task with each part apart: records up to a tick, the tick, commits, one flush.
fn drive<F: Fold>(
    place: &Place,
    (topic, partition): (&str, u32),
    fold: &mut F,
    state: &State,
    records: &[Stored],
    steps: &mut Steps,
    names: &Names,
) {
    let mut producer = place.log.producer("bench").unwrap();
    let mut outputs: Vec<Output> = Vec::new();
    // Ticks and partials have no key.
    for run in records.chunk_by(|a, b| a.record.key.is_empty() == b.record.key.is_empty()) {
        let step = if run[0].record.key.is_empty() { names.close } else { names.apply };
        for part in run.chunks(5_000) {
            steps.time(step, || fold.apply(part, state, false, &mut outputs)).unwrap();
        }
        let next = run.last().map_or(0, |stored| stored.offset + 1);
        if outputs.len() > 5_000 || next as usize == records.len() {
            let position = Committed { offset: next, metadata: String::new() };
            let offsets = vec![GroupOffsets {
                group: "bench".to_owned(),
                offsets: vec![(topic.into(), partition, Some(position))],
            }];
            let outputs = std::mem::take(&mut outputs);
            steps.time(names.commit, || producer.commit(Commit { outputs, offsets })).unwrap();
        }
    }
    steps.time(names.flush, || {
        let mut batch = state.batch(fold.dirty());
        fold.flush(state, &mut batch).unwrap();
        batch.write(records.len() as u64).unwrap();
    });
}
