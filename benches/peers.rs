//! The same job on the same broker: what a bare consumer, Vitals and Kafka Streams spend on it. `benches/peers/run.sh`
//! runs all of it; this is its events, the bare consumer, and the comparison of what was published.
//!
//!     cargo bench --workspace --locked --profile release --bench peers -- COMMAND --brokers HOST:PORT [--events N]
//!
//! `load` writes the events and ticks to the topic of Vitals, which the peers read, too. `floor` only reads and decodes
//! them. `check-vitals` and `check-streams` compare each published (type, plan, segment) and day with the truth.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Random, START, option, text};
use eventlog::{
    Assignment, Cleanup, Commit, Log, Output, Poll, Record, Stored, TopicSpec,
    kafka::{Config, Kafka},
};
use ingest::partition;
use processor::topics;
use processor_core::calendar::DAY;
use proto::{Message as _, v1};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

const PARTITIONS: u32 = 4;
const ACCOUNTS: u64 = 100_000;
const DAYS: i64 = 30;
/// Microseconds from one `recorded_at` to the next: 400,000 events a second.
const RECORDED_EVERY: f64 = 2.5;
/// Microseconds from tick to tick.
const TICK_EVERY: i64 = 100_000;
/// The longest that a reader waits for what has to be there.
const WAIT: Duration = Duration::from_secs(60);

/// (type, plan, segment) and day, to count and sum.
type Truth = BTreeMap<(String, i64), (i64, i64)>;

fn main() {
    let command = std::env::args().nth(1).unwrap_or_default();
    let events = option("events", 4_000_000);
    match command.as_str() {
        "load" => load(&*connect(), events),
        "floor" => floor(events),
        "await-vitals" => await_vitals(&*connect()),
        "check-vitals" => compare(&vitals(&*connect()), &truth(events)),
        "check-streams" => compare(&streams(&*connect()), &truth(events)),
        // As a test of all benches runs it, too.
        _ => println!("peers: load, floor, check-vitals or check-streams; see benches/peers/run.sh"),
    }
}

fn connect() -> Arc<Kafka> {
    Kafka::connect(Config { brokers: vec![text("brokers")], ..Config::default() }).unwrap()
}

/// Usage of 100,000 accounts over 30 days, evenly.
struct Usage {
    random: Random,
    number: i64,
    step_us: i64,
}

impl Usage {
    fn new(events: usize) -> Self {
        Self { random: Random::new(11), number: 0, step_us: DAYS * DAY / events as i64 }
    }

    fn next(&mut self) -> v1::Event {
        let random = &mut self.random;
        let account = random.below(ACCOUNTS);
        let kind = random.pick(&["api", "export", "import", "login", "report", "search", "share", "view"]);
        let plan = ["free", "plus", "pro", "team"][(account % 4) as usize];
        let segment = ["smb", "mid", "large", "public", "partner"][(account % 5) as usize];
        let amount = 1 + random.below(1_000) as i64;
        let field = |name: &str, value| v1::CustomField { name: name.to_owned(), value: Some(value) };
        let word = |name, value: &str| field(name, v1::custom_field::Value::Text(value.to_owned()));
        let custom = vec![
            field("amount", v1::custom_field::Value::Integer(amount)),
            word("plan", plan),
            word("segment", segment),
            word("type", kind),
        ];
        let number = self.number;
        self.number += 1;
        let usage = v1::UsageRecorded { user: String::new(), name: kind.to_owned(), count: 1 };
        v1::Event {
            id: format!("u-{number}"),
            source: "peers".to_owned(),
            r#type: "usage.recorded".to_owned(),
            time_us: START + number * self.step_us,
            recorded_at_us: START + DAYS * DAY + (number as f64 * RECORDED_EVERY) as i64,
            subject: format!("account-{account:06}"),
            data: Some(v1::event::Data::UsageRecorded(usage)),
            custom,
            ..v1::Event::default()
        }
    }
}

fn load(log: &dyn Log, events: usize) {
    // Where Kafka Streams publishes.
    let output_topic = TopicSpec { name: "streams".to_owned(), partitions: PARTITIONS, cleanup: Cleanup::Keep };
    log.create_topic(&output_topic).unwrap();
    let topic: Arc<str> = topics::EVENTS.into();
    let mut producer = log.producer("peers").unwrap();
    let (mut usage, mut outputs) = (Usage::new(events), Vec::new());
    let mut tick_us = START + DAYS * DAY;
    for number in 0..=events {
        let event = (number < events).then(|| usage.next());
        let now = event.as_ref().map_or(i64::MAX, |event| event.recorded_at_us);
        // The last one closes the last events.
        while now > tick_us {
            outputs.extend((0..PARTITIONS).map(|partition| {
                let entry = v1::entry::Entry::Tick(v1::Tick { at_us: tick_us });
                output(&topic, partition, String::new(), entry, tick_us)
            }));
            tick_us += TICK_EVERY;
            if event.is_none() {
                break;
            }
        }
        if let Some(event) = event {
            let (key, at) = (event.subject.clone(), event.recorded_at_us);
            let partition = partition::of(key.as_bytes(), PARTITIONS);
            outputs.push(output(&topic, partition, key, v1::entry::Entry::Event(event), at));
        }
        if outputs.len() >= 20_000 || number == events {
            producer.commit(Commit { outputs: std::mem::take(&mut outputs), offsets: Vec::new() }).unwrap();
        }
    }
}

fn output(topic: &Arc<str>, partition: u32, key: String, entry: v1::entry::Entry, timestamp_us: i64) -> Output {
    let value = v1::Entry { entry: Some(entry) }.encode_to_vec();
    let record = Record { key: key.into(), value: Some(value.into()), headers: Vec::new(), timestamp_us };
    Output { topic: topic.clone(), partition, record }
}

/// Reads all and decodes it, as little as any consumer of this topic can do.
fn floor(events: usize) {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", text("brokers")).set("group.id", "peers-floor");
    settings.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
    settings.set("fetch.queue.backoff.ms", "5");
    let consumer: BaseConsumer = settings.create().unwrap();
    let mut list = TopicPartitionList::new();
    let topic = format!("{}{}", Config::default().prefix, topics::EVENTS);
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&topic, partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut read, mut amount) = (0, 0);
    let mut last = Instant::now();
    while read < events {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            assert!(last.elapsed() < WAIT, "{read} of {events} events came");
            continue;
        };
        let entry = v1::Entry::decode(message.unwrap().payload().unwrap_or_default()).unwrap();
        if let Some(v1::entry::Entry::Event(event)) = entry.entry {
            read += 1;
            amount += number(&event, "amount");
        }
        if read % 1_000 == 0 {
            last = Instant::now();
        }
    }
    println!("read {read} events, amount {amount}");
}

fn custom<'a>(event: &'a v1::Event, name: &str) -> Option<&'a v1::custom_field::Value> {
    event.custom.iter().find(|field| field.name == name)?.value.as_ref()
}

fn number(event: &v1::Event, name: &str) -> i64 {
    if let Some(v1::custom_field::Value::Integer(number)) = custom(event, name) { *number } else { 0 }
}

fn word<'a>(event: &'a v1::Event, name: &str) -> &'a str {
    if let Some(v1::custom_field::Value::Text(text)) = custom(event, name) { text } else { "" }
}

fn truth(events: usize) -> Truth {
    let (mut usage, mut truth) = (Usage::new(events), Truth::new());
    for _ in 0..events {
        let event = usage.next();
        let key = ["type", "plan", "segment"].map(|name| word(&event, name)).join("|");
        let sums = truth.entry((key, event.time_us.div_euclid(DAY))).or_default();
        *sums = (sums.0 + 1, sums.1 + number(&event, "amount"));
    }
    truth
}

/// The newest of each key of what Kafka Streams published: 16 bytes, count and sum.
fn streams(log: &dyn Log) -> Truth {
    let mut truth = Truth::new();
    read("streams", log, |stored| {
        let key = String::from_utf8(stored.record.key.to_vec()).unwrap();
        let (segment, day) = key.rsplit_once('|').unwrap();
        let (count, sum) = stored.record.value.as_deref().unwrap().split_first_chunk::<8>().unwrap();
        let sums = (i64::from_be_bytes(*count), i64::from_be_bytes(sum.try_into().unwrap()));
        truth.insert((segment.to_owned(), day.parse().unwrap()), sums);
    });
    truth
}

/// The highest revision of each key of what Vitals published.
fn vitals(log: &dyn Log) -> Truth {
    let mut truth = Truth::new();
    for (metric, of_count) in [("usage_events", true), ("usage_amount", false)] {
        let mut newest: HashMap<Vec<u8>, v1::Snapshot> = HashMap::new();
        read(&topics::metric(metric), log, |stored| {
            let value = stored.record.value.as_deref().unwrap_or_default();
            let Some(v1::metric_entry::Entry::Snapshot(snapshot)) = v1::MetricEntry::decode(value).unwrap().entry
            else {
                return;
            };
            let before = newest.get(&stored.record.key[..]).map_or(i64::MIN, |known| known.revision_us);
            if snapshot.revision_us >= before {
                newest.insert(stored.record.key.to_vec(), snapshot);
            }
        });
        for snapshot in newest.into_values() {
            let key = snapshot.key.unwrap();
            let words: Vec<String> = key.dimensions.into_iter().map(|dimension| dimension.value).collect();
            let day = key.window.and_then(|window| window.start_us).unwrap().div_euclid(DAY);
            let sums = truth.entry((words.join("|"), day)).or_default();
            let value = snapshot.value.unwrap_or_default() as i64;
            *(if of_count { &mut sums.0 } else { &mut sums.1 }) = value;
        }
    }
    truth
}

/// Returns when both stages are at the end: up to the ends of the last transactions, which take offsets of their own.
fn await_vitals(log: &dyn Log) {
    let events = (0..PARTITIONS).map(|partition| ("account", topics::EVENTS, partition));
    for (group, topic, partition) in events.chain([("rollup", topics::PARTIALS, 0)]) {
        let (begun, slack) = (Instant::now(), u64::from(PARTITIONS) + 1);
        loop {
            let high = log.watermarks(topic, partition).unwrap().high;
            let done = log.committed(group, topic, partition).unwrap().map_or(0, |position| position.offset);
            if high > 0 && done + slack >= high {
                break;
            }
            assert!(begun.elapsed() < 10 * WAIT, "{group} is at {done} of {high} in {topic}/{partition}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Every record that a topic holds now.
fn read(topic: &str, log: &dyn Log, mut each: impl FnMut(Stored)) {
    let spec = log.topics().unwrap().into_iter().find(|spec| spec.name == topic);
    let all =
        (0..spec.unwrap_or_else(|| panic!("there is no topic {topic}")).partitions).map(|p| (p, 0)).collect::<Vec<_>>();
    let mut consumer = log.consumer(Assignment::manual(topic, all)).unwrap();
    while let Poll::Records { records, .. } = consumer.poll(1 << 20, Duration::ZERO).unwrap() {
        records.into_iter().for_each(&mut each);
    }
}

fn compare(found: &Truth, truth: &Truth) {
    let wrong = truth.iter().find(|(key, sums)| found.get(key) != Some(sums));
    if let Some((key, sums)) = wrong {
        panic!("{key:?}: {:?} was published, {sums:?} is right", found.get(key));
    }
    assert_eq!(found.len(), truth.len(), "rows that there should not be");
    let events: i64 = truth.values().map(|(count, _)| count).sum();
    println!("all {} rows are right; they count {events} events", truth.len());
}
