//! How live it is, on a real Kafka: from an event to the records that it changes, and from kill -9 to the next record.
//!
//!     cargo bench --workspace --locked --profile release --bench live -- latency [--rate N] [--seconds N]
//!     cargo bench --workspace --locked --profile release --bench live -- recovery [--events N] [--accounts N]
//!
//! The door runs in this process, the processor is one of its own, a broker is started for it. An event counts as seen
//! when a read_committed reader has the first record that includes it: of its account (`account_value`, one stage), and
//! of all (`orders` of the year, two stages). `recovery` loads a history first, then kills the processor while events
//! come: with its state, with its state wiped (checkpoints every 10 s), and once more with nothing but the log.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use common::{Spread, Stream, option, resident_of};
use eventlog::{
    Assignment, Log, Poll,
    kafka::{self, Kafka, local},
};
use ingest::{
    clock::System,
    door::{self, Door},
    live::{Config, Handle, Live},
    ticks::Grid,
};
use jiff::{Timestamp, tz::TimeZone};
use processor::topics;
use processor_core::{calendar::DAY, plan::Plan, settings::Settings};
use proto::{Message as _, v1};

const PARTITIONS: u32 = 4;
/// Events of a request.
const BATCH: u64 = 20;
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(900);

fn main() {
    let command = std::env::args().nth(1).unwrap_or_default();
    if !["latency", "recovery"].contains(&command.as_str()) {
        // As a test of all benches runs it, too.
        return println!("live: latency or recovery, see benches/live.rs");
    }
    let Some(broker) = local::broker("the benchmark") else { return };
    if command == "latency" {
        println!("| ticks of | seen in | p50 ms | p99 ms | most |\n| --- | --- | ---: | ---: | ---: |");
        for tick in ["100ms", "10ms"] {
            latency(&broker, tick);
        }
    } else {
        recovery(&broker);
    }
}

/// A fleet of one processor with topics of its own on the broker.
struct Place {
    folder: tempfile::TempDir,
    config: PathBuf,
    log: Arc<Kafka>,
}

impl Place {
    fn new(broker: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (config, prefix) = (folder.path().join("vitals.toml"), local::prefix());
        let checkpoints = folder.path().join("checkpoints");
        let text = format!(
            "[kafka]\nbrokers = [{broker:?}]\nprefix = {prefix:?}\nreplication = 1\ninstance = \"bench\"\n\
             [checkpoints]\nstore = {checkpoints:?}\nevery = \"10s\"\n"
        );
        fs::write(&config, text).unwrap();
        let log =
            Kafka::connect(kafka::Config { brokers: vec![broker.to_owned()], prefix, ..kafka::Config::default() });
        let log = log.unwrap();
        let plan = Plan::built_in(&Settings::default()).unwrap();
        topics::create(log.as_ref(), &plan, PARTITIONS).unwrap();
        Place { folder, config, log }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn processor(&self) -> Processor {
        let said = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("said")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.args(["processor", "--listen", "127.0.0.1:0", "--config"]).arg(&self.config);
        let child = command.arg("--data").arg(self.data()).stdout(Stdio::null()).stderr(said).spawn();
        Processor(child.unwrap())
    }

    /// Returns when both stages are at the end, but for the ends of transactions, which take offsets of their own.
    fn caught_up(&self) {
        let events = (0..PARTITIONS).map(|partition| ("account", topics::EVENTS, partition));
        let begun = Instant::now();
        for (group, topic, partition) in events.chain([("rollup", topics::PARTIALS, 0)]) {
            loop {
                let high = self.log.watermarks(topic, partition).unwrap().high;
                let done = self.log.committed(group, topic, partition).unwrap().map_or(0, |position| position.offset);
                if high > 0 && done + 8 >= high {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{group} is at {done} of {high} in {topic}/{partition}");
                sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Killed when dropped.
struct Processor(Child);

impl Drop for Processor {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A live door, and what is sent through it at a steady rate.
struct Traffic {
    sent: Arc<Mutex<Sent>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// When each event was handed in.
#[derive(Default)]
struct Sent {
    in_order: Vec<Instant>,
    by_account: HashMap<String, Instant>,
}

impl Traffic {
    fn start(log: Arc<Kafka>, tick: Duration, rate: u64) -> Traffic {
        let config = Config { tick, ..Config::new(TimeZone::UTC) };
        let (live, handle) = Live::new(config, log, Arc::new(System)).unwrap();
        let (sent, stop) = (Arc::<Mutex<Sent>>::default(), Arc::<AtomicBool>::default());
        let door = thread::spawn(move || live.run().unwrap());
        let (noted, over) = (sent.clone(), stop.clone());
        let sender = thread::spawn(move || send(&handle, rate, &noted, &over));
        Traffic { sent, stop, threads: vec![door, sender] }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn send(handle: &Handle, rate: u64, sent: &Mutex<Sent>, stop: &AtomicBool) {
    while handle.refusal().is_some() {
        sleep(Duration::from_millis(10));
    }
    let (begun, mut number, mut answers) = (Instant::now(), 0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let due = begun + Duration::from_secs_f64(number as f64 / rate as f64);
        sleep(due.saturating_duration_since(Instant::now()));
        let events: Vec<v1::Event> = (number..number + BATCH).map(order).collect();
        let mut sent = sent.lock().unwrap();
        for event in &events {
            sent.in_order.push(Instant::now());
            sent.by_account.insert(event.subject.clone(), Instant::now());
        }
        drop(sent);
        answers.push(handle.submit(events).unwrap());
        number += BATCH;
    }
    let durable = answers.into_iter().all(|answer| answer.blocking_recv().is_ok_and(|answer| answer.is_ok()));
    assert!(durable, "an event was refused");
}

fn order(number: u64) -> v1::Event {
    let order = v1::OrderCompleted {
        order: format!("live-{number}"),
        gross: 100,
        currency: "USD".to_owned(),
        ..v1::OrderCompleted::default()
    };
    v1::Event {
        id: format!("live-{number}"),
        source: "live".to_owned(),
        r#type: "order.completed".to_owned(),
        time_us: Timestamp::now().as_microsecond(),
        subject: format!("live-{number}"),
        data: Some(v1::event::Data::OrderCompleted(order)),
        ..v1::Event::default()
    }
}

/// Follows a metric from its end until told to stop: (snapshot, when it came).
fn follow(
    log: &Arc<Kafka>,
    metric: &str,
    stop: &Arc<AtomicBool>,
    mut each: impl FnMut(v1::Snapshot, Instant) + Send + 'static,
) -> JoinHandle<()> {
    let topic = topics::metric(metric);
    let partitions = log.topics().unwrap().into_iter().find(|spec| spec.name == topic).unwrap().partitions;
    let ends = (0..partitions)
        .map(|partition| (partition, log.watermarks(&topic, partition).unwrap().high))
        .collect::<Vec<_>>();
    let mut consumer = log.consumer(Assignment::manual(&topic, ends)).unwrap();
    let stop = stop.clone();
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let Poll::Records { records, .. } = consumer.poll(1 << 20, Duration::from_millis(100)).unwrap() else {
                continue;
            };
            let now = Instant::now();
            for stored in records {
                let entry = v1::MetricEntry::decode(stored.record.value.unwrap_or_default()).unwrap().entry;
                if let Some(v1::metric_entry::Entry::Snapshot(snapshot)) = entry {
                    each(snapshot, now);
                }
            }
        }
    })
}

/// Orders of this year, of all.
fn of_the_year(snapshot: &v1::Snapshot) -> Option<u64> {
    let key = snapshot.key.as_ref()?;
    let yearly = key.window.as_ref().is_some_and(|window| window.kind == "1y");
    (yearly && key.dimensions.is_empty()).then_some(snapshot.value? as u64)
}

fn latency(broker: &str, tick: &str) {
    let place = Place::new(broker);
    let (rate, seconds) = (option("rate", 2_000) as u64, option("seconds", 30) as u64);
    let _processor = place.processor();
    let millis = tick.trim_end_matches("ms").parse().unwrap();
    let traffic = Traffic::start(place.log.clone(), Duration::from_millis(millis), rate);
    let (stop, waits) = (Arc::<AtomicBool>::default(), Arc::<Mutex<[Vec<f64>; 2]>>::default());
    let (sent, found) = (traffic.sent.clone(), waits.clone());
    let own = follow(&place.log, "account_value", &stop, move |snapshot, now| {
        let account = snapshot.key.and_then(|key| key.account).unwrap_or_default();
        if let Some(at) = sent.lock().unwrap().by_account.remove(&account) {
            found.lock().unwrap()[0].push((now - at).as_secs_f64());
        }
    });
    let (sent, found, mut seen) = (traffic.sent.clone(), waits.clone(), 0);
    let all = follow(&place.log, "orders", &stop, move |snapshot, now| {
        let Some(orders) = of_the_year(&snapshot) else { return };
        let sent = sent.lock().unwrap();
        let new = &sent.in_order[seen..(orders as usize).max(seen)];
        found.lock().unwrap()[1].extend(new.iter().map(|at| (now - *at).as_secs_f64()));
        seen += new.len();
    });
    // What is measured comes after the start.
    sleep(Duration::from_secs(10));
    waits.lock().unwrap().iter_mut().for_each(Vec::clear);
    sleep(Duration::from_secs(seconds));
    for (name, of) in [("its account", 0), ("the total", 1)] {
        let mut waits = std::mem::take(&mut waits.lock().unwrap()[of]);
        waits.sort_by(f64::total_cmp);
        assert!(waits.len() as u64 > rate * seconds / 2, "{} of {} events were seen", waits.len(), rate * seconds);
        let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize] * 1e3;
        println!("| {tick} | {name} | {:.0} | {:.0} | {:.0} |", at(0.5), at(0.99), at(1.0));
    }
    stop.store(true, Ordering::Relaxed);
    traffic.end();
    [own, all].into_iter().for_each(|thread| thread.join().unwrap());
}

fn recovery(broker: &str) {
    let place = Place::new(broker);
    let (events, accounts) = (option("events", 4_000_000), option("accounts", 1_000_000) as u64);
    load(&place.log, events, accounts);
    let mut processor = place.processor();
    let begun = Instant::now();
    place.caught_up();
    println!("{events} events of {accounts} accounts: processed in {:.0} s", begun.elapsed().as_secs_f64());
    // The state is written, and a checkpoint of it.
    let checkpoints = place.folder.path().join("checkpoints");
    let mut before = -1.0;
    while size(&checkpoints) != before {
        before = size(&checkpoints);
        sleep(Duration::from_secs(30));
    }
    println!(
        "state: {:.0} MB, resident: {:.0} MB",
        size(&place.data()) / 1e6,
        resident_of(processor.0.id()) as f64 / 1e6
    );
    let traffic = Traffic::start(place.log.clone(), Duration::from_millis(100), 200);
    let (stop, newest) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let seen = newest.clone();
    let reader = follow(&place.log, "orders", &stop, move |snapshot, _| {
        seen.fetch_max(snapshot.revision_us as u64, Ordering::Relaxed);
    });
    println!("| kill -9, restarted | seconds to the next record |\n| --- | ---: |");
    let cases: [(&str, Vec<PathBuf>); 3] = [
        ("state kept", vec![]),
        ("state wiped, restored from checkpoints", vec![place.data()]),
        ("state and checkpoints wiped", vec![place.data(), checkpoints]),
    ];
    for (name, wiped) in cases {
        sleep(Duration::from_secs(15));
        drop(processor);
        let (killed, at) = (Instant::now(), Timestamp::now().as_microsecond() as u64);
        wiped.iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
        processor = place.processor();
        while newest.load(Ordering::Relaxed) <= at {
            assert!(killed.elapsed() < PATIENCE, "nothing comes after {name}");
            sleep(Duration::from_millis(5));
        }
        println!("| {name} | {:.1} |", killed.elapsed().as_secs_f64());
    }
    drop(processor);
    stop.store(true, Ordering::Relaxed);
    traffic.end();
    reader.join().unwrap();
    let said = fs::read_to_string(place.folder.path().join("said")).unwrap();
    said.lines().filter(|line| line.contains("restored from a checkpoint")).for_each(|line| println!("{line}"));
}

/// A history of 90 days, as a door writes it that was away since.
fn load(log: &Arc<Kafka>, events: usize, accounts: u64) {
    let mut door = Door::open(log.as_ref(), door::Config::default(), Grid::new(TimeZone::UTC, DAY).unwrap()).unwrap();
    let mut stream = Stream::new(Spread::Each(accounts), events);
    for _ in 0..events {
        let event = stream.event();
        while let Some(at) = door.schedule().before(event.time_us) {
            door.tick(at);
        }
        door.append(event);
        if door.is_full() {
            door.commit(Vec::new()).unwrap();
        }
    }
    door.tick(Timestamp::now().as_microsecond());
    door.commit(Vec::new()).unwrap();
}

fn size(folder: &Path) -> f64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |path: PathBuf| {
        if path.is_dir() { size(&path) } else { fs::metadata(path).map_or(0.0, |meta| meta.len() as f64) }
    };
    entries.map(|entry| of(entry.path())).sum()
}
