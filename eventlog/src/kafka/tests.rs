//! The log on a real broker: the suite, and what only Kafka does. Where a broker cannot be had, each test says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, Producer as _},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

mod security;

use super::{Config, Kafka, local};
use crate::{
    Assignment, Cleanup, Commit, Committed, Error, GroupOffsets, Kind, Log, Output, Poll, Record, Result,
    TopicPartition, TopicSpec, Watermarks, conformance,
};

const T: &str = "topic";
/// How long anything that has to come is waited for, and longer than any of it takes on a busy machine.
const WAIT: Duration = Duration::from_secs(180);

struct Harness {
    config: Config,
    log: Option<Arc<Kafka>>,
    /// Sees what is not committed, too.
    all: BaseConsumer,
    _deadline: conformance::Deadline,
}

impl Harness {
    /// An empty log: a prefix of its own.
    fn new(who: &'static str) -> Option<Self> {
        let brokers = vec![local::broker(who)?];
        let deadline = conformance::Deadline::start(who);
        let config = Config { prefix: local::prefix(), brokers, ..patient() };
        let log = Some(Kafka::connect(config.clone()).unwrap());
        let all = foreign(&config).set("isolation.level", "read_uncommitted").create().unwrap();
        Some(Self { config, log, all, _deadline: deadline })
    }

    fn kafka(&self) -> &Arc<Kafka> {
        self.log.as_ref().unwrap()
    }

    /// A client of librdkafka that is not ours.
    fn foreign(&self) -> ClientConfig {
        foreign(&self.config)
    }

    /// Waits until the ends of transactions are written: Kafka answers a commit before.
    fn settle(&self, topic: &str, partition: u32) {
        let (end, begun) = (self.end(topic, partition), Instant::now());
        while self.kafka().watermarks(topic, partition).unwrap().high < end {
            assert!(begun.elapsed() < WAIT, "{topic}/{partition}: a transaction stays open");
        }
    }

    /// Where a partition ends, with what is not committed and the ends of transactions.
    fn end(&self, topic: &str, partition: u32) -> u64 {
        let full = format!("{}{topic}", self.config.prefix);
        let begun = Instant::now();
        loop {
            match self.all.fetch_watermarks(&full, i32::try_from(partition).unwrap(), WAIT) {
                Ok((_, end)) => return u64::try_from(end).unwrap(),
                // The topic was made anew, and this client asks who led the old one.
                Err(error) => assert!(begun.elapsed() < WAIT, "{topic}/{partition}: {error}"),
            }
        }
    }
}

fn foreign(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", config.brokers.join(","));
    client
}

/// No time-out is met because the machine is slow; a test that shows one has a shorter one.
fn patient() -> Config {
    Config {
        session_timeout: WAIT,
        poll_interval: WAIT,
        transaction_timeout: WAIT,
        request_timeout: WAIT,
        ..Config::default()
    }
}

/// The log with these settings, however many attempts that takes.
fn connected(config: &Config) -> Arc<Kafka> {
    let begun = Instant::now();
    loop {
        match Kafka::connect(config.clone()) {
            Ok(log) => return log,
            Err(error) => assert!(error.kind() == Kind::Retry && begun.elapsed() < WAIT, "{error}"),
        }
    }
}

/// Commits by new producers, until one goes through.
fn written(log: &Kafka, commit: &Commit) {
    let begun = Instant::now();
    while let Err(error) = log.producer("p").and_then(|mut producer| producer.commit(commit.clone())) {
        assert!(error.kind() != Kind::Fatal && begun.elapsed() < WAIT, "{error}");
    }
}

impl conformance::Harness for Harness {
    fn log(&self) -> Arc<dyn Log> {
        self.kafka().clone()
    }

    fn reopen(&mut self) -> Result<()> {
        self.log = None;
        self.log = Some(Kafka::connect(self.config.clone())?);
        Ok(())
    }

    fn clean(&self, _: i64) -> Result<bool> {
        Ok(false)
    }

    fn settle(&self) -> Result<()> {
        let metadata = self.all.fetch_metadata(None, WAIT).unwrap();
        for topic in metadata.topics() {
            let Some(name) = topic.name().strip_prefix(&self.config.prefix) else { continue };
            for partition in topic.partitions() {
                Harness::settle(self, name, u32::try_from(partition.id()).unwrap());
            }
        }
        Ok(())
    }

    fn shares_groups(&self) -> bool {
        true
    }
}

fn topic(log: &Kafka, cleanup: Cleanup) {
    log.create_topic(&TopicSpec { name: T.to_owned(), partitions: 1, cleanup }).unwrap();
}

fn record(key: &str, value: &str) -> Record {
    Record { key: key.to_owned().into(), value: Some(value.to_owned().into()), ..Record::default() }
}

fn outputs(records: impl IntoIterator<Item = Record>) -> Commit {
    let output = |record| Output { topic: T.into(), partition: 0, record };
    Commit { outputs: records.into_iter().map(output).collect(), offsets: Vec::new() }
}

fn position(group: &str, offset: u64) -> Commit {
    let position = Committed { offset, metadata: String::new() };
    let offsets = vec![(T.into(), 0, Some(position))];
    Commit { outputs: Vec::new(), offsets: vec![GroupOffsets { group: group.to_owned(), offsets }] }
}

/// Offsets and values from `from` to the end.
fn read(log: &Kafka, from: u64) -> Vec<(u64, String)> {
    let mut consumer = log.consumer(Assignment::manual(T, [(0, from)])).unwrap();
    let mut found = Vec::new();
    while let Poll::Records { records, .. } = consumer.poll(usize::MAX, Duration::ZERO).unwrap() {
        found.extend(records.into_iter().map(|stored| {
            (stored.offset, String::from_utf8(stored.record.value.unwrap_or_default().to_vec()).unwrap())
        }));
    }
    found
}

fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(offset, value)| (*offset, (*value).to_owned())).collect()
}

#[test]
fn passes_the_suite() {
    if local::broker("the suite of the log").is_some() {
        conformance::run(4, || Box::new(Harness::new("the suite of the log").unwrap()));
    }
}

#[test]
fn a_transaction_takes_an_offset_and_a_failed_one_is_never_seen() {
    let Some(harness) = Harness::new("aborts") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let mut producer = log.producer("p").unwrap();
    producer.commit(outputs([record("k", "a"), record("k", "b")])).unwrap();
    let too_large = Record { value: Some(vec![0; 2_000_000].into()), ..record("k", "") };
    let many = (0..500).map(|i| record("k", &format!("{i} {}", "never ".repeat(200))));
    let mut failing = outputs(many.chain([too_large]));
    failing.offsets = position("g", 1).offsets;
    let outcome = producer.commit(failing);
    assert_eq!(outcome.as_ref().map_err(Error::kind), Err(Kind::Fatal), "{outcome:?}");
    assert_eq!(log.committed("g", T, 0).unwrap(), None);
    let again = producer.commit(outputs([record("k", "c")])).map_err(|error| error.kind());
    assert_eq!(again, Err(Kind::Retry), "by another producer");
    log.producer("p").unwrap().commit(outputs([record("k", "c")])).unwrap();
    harness.settle(T, 0);
    let found = read(log, 0);
    let values: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["a", "b", "c"]);
    let last = found[2].0;
    assert!(last >= 3, "the first commit ends with a control record, at 2; found {last}");
    let marks = log.watermarks(T, 0).unwrap();
    assert_eq!(marks, Watermarks { low: 0, high: last + 2 }, "the end is past the last control record");
    for from in [2, 3, last / 2 + 1, last] {
        assert_eq!(read(log, from), pairs(&[(last, "c")]), "a reader may start in a gap, at {from}");
    }
    assert_eq!(read(log, marks.high), []);
}

/// A producer that has written one record, and ends its transaction when it is told.
fn zombie(harness: &Harness, name: &str, lives: Duration) -> BaseProducer {
    let mut client = harness.foreign();
    client.set("transactional.id", format!("{}{name}", harness.config.prefix));
    client.set("transaction.timeout.ms", lives.as_millis().to_string());
    let zombie: BaseProducer = client.create().unwrap();
    zombie.init_transactions(WAIT).unwrap();
    zombie.begin_transaction().unwrap();
    let full = format!("{}{T}", harness.config.prefix);
    zombie.send(BaseRecord::<str, str>::to(&full).partition(0).payload("zombie")).unwrap();
    zombie.flush(WAIT).unwrap();
    zombie
}

#[test]
fn an_open_transaction_hides_what_follows_until_its_name_is_taken() {
    let Some(harness) = Harness::new("an open transaction") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let full = format!("{}{T}", harness.config.prefix);
    let zombie = zombie(&harness, "p", 4 * WAIT);
    let group: BaseConsumer =
        harness.foreign().set("group.id", format!("{}g", harness.config.prefix)).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&full, 0, Offset::Offset(1)).unwrap();
    zombie.send_offsets_to_transaction(&offsets, &group.group_metadata().unwrap(), WAIT).unwrap();
    let impatient = Config { request_timeout: Duration::from_secs(1), ..harness.config.clone() };
    let error = connected(&impatient).committed("g", T, 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    assert!(error.to_string().contains("kafka-transactions.sh find-hanging"), "{error}");
    let mut other = log.producer("other").unwrap();
    other.commit(outputs([record("k", "after")])).unwrap();
    assert_eq!(log.watermarks(T, 0).unwrap(), Watermarks { low: 0, high: 0 }, "the last stable offset");
    assert_eq!(read(log, 0), []);
    let mut mine = log.producer("p").unwrap();
    harness.settle(T, 0);
    assert_eq!(read(log, 0), pairs(&[(1, "after")]));
    assert_eq!(log.committed("g", T, 0).unwrap(), None);
    assert!(zombie.commit_transaction(WAIT).is_err(), "fenced");
    mine.commit(outputs([record("k", "mine")])).unwrap();
    harness.settle(T, 0);
    assert_eq!(read(log, 2).len(), 1);
}

#[test]
fn an_open_transaction_hides_what_follows_no_longer_than_it_may_live() {
    let Some(harness) = Harness::new("a transaction left open") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let mut lives = Duration::from_secs(2);
    // Where the machine is too slow to see it open, it lives longer.
    let _zombie = loop {
        harness.settle(T, 0);
        let before = harness.end(T, 0);
        let zombie = zombie(&harness, &format!("zombie {lives:?}"), lives);
        log.producer("other").unwrap().commit(outputs([record("k", "after")])).unwrap();
        // A record of each, and the end of the other's transaction.
        while harness.end(T, 0) < before + 3 {}
        if log.watermarks(T, 0).unwrap().high == before {
            break zombie;
        }
        lives *= 2;
        assert!(lives < WAIT, "it hides nothing");
    };
    let written = lives.as_secs().ilog2();
    let mut consumer = log.consumer(Assignment::manual(T, [(0, 0)])).unwrap();
    let (begun, mut found) = (Instant::now(), 0);
    while found < written {
        match consumer.poll(usize::MAX, Duration::from_millis(100)).unwrap() {
            Poll::Records { records, .. } => {
                let value = |stored: &crate::Stored| stored.record.value.as_deref() == Some(&b"after"[..]);
                assert!(records.iter().all(value), "{records:?}");
                found += u32::try_from(records.len()).unwrap();
            }
            other => assert_eq!(other, Poll::Idle),
        }
        assert!(begun.elapsed() < WAIT, "readers stall");
    }
}

#[test]
fn retention_that_passed_a_position_is_an_exact_error() {
    let Some(harness) = Harness::new("retention") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let mut producer = log.producer("p").unwrap();
    for value in ["a", "b", "c"] {
        producer.commit(outputs([record("k", value)])).unwrap();
    }
    harness.settle(T, 0);
    let mut reader = log.consumer(Assignment::manual(T, [(0, 0)])).unwrap();
    assert!(matches!(reader.poll(0, WAIT).unwrap(), Poll::Records { .. }));
    let admin: AdminClient<DefaultClientContext> = harness.foreign().create().unwrap();
    let mut before = TopicPartitionList::new();
    let full = format!("{}{T}", harness.config.prefix);
    before.add_partition_offset(&full, 0, Offset::Offset(4)).unwrap();
    pollster::block_on(admin.delete_records(&before, &AdminOptions::new())).unwrap();
    assert_eq!(log.watermarks(T, 0).unwrap(), Watermarks { low: 4, high: 6 });
    reader.seek(&TopicPartition::new(T, 0), 1).unwrap();
    for _ in 0..2 {
        let outcome = reader.poll(1, WAIT);
        assert!(
            matches!(outcome, Err(Error::OutOfRange { offset: 1, low: 4, high: 6, partition: 0, .. })),
            "{outcome:?}"
        );
    }
    reader.seek(&TopicPartition::new(T, 0), 4).unwrap();
    assert!(matches!(reader.poll(1, WAIT).unwrap(), Poll::Records { .. }));
}

#[test]
fn a_member_that_slept_cannot_commit() {
    let Some(harness) = Harness::new("a member that slept") else { return };
    topic(harness.kafka(), Cleanup::Keep);
    let six = Duration::from_secs(6);
    let log = &connected(&Config { session_timeout: six, poll_interval: six, ..harness.config });
    let begun = Instant::now();
    // On a busy machine it may sleep before it has committed anything.
    let (mut sleeper, mut zombie) = loop {
        let mut sleeper = log.consumer(Assignment::group("g", &[T])).unwrap();
        let mut zombie = sleeper.producer("zombie").unwrap();
        assert_eq!(sleeper.poll(1, WAIT).unwrap(), Poll::Assigned(vec![TopicPartition::new(T, 0)]));
        match zombie.commit(position("g", 1)) {
            Ok(()) => break (sleeper, zombie),
            Err(error) => assert!(begun.elapsed() < WAIT, "{error}"),
        }
    };
    let mut successor = log.consumer(Assignment::group("g", &[T])).unwrap();
    let slept = Instant::now();
    while successor.poll(1, Duration::from_millis(100)).unwrap() != Poll::Assigned(vec![TopicPartition::new(T, 0)]) {
        assert!(slept.elapsed() < WAIT, "the sleeper keeps its partition");
    }
    written(log, &position("g", 5));
    let outcome = zombie.commit(position("g", 2));
    assert!(matches!(outcome, Err(Error::Left { .. })), "{outcome:?}");
    assert_eq!(log.committed("g", T, 0).unwrap().map(|at| at.offset), Some(5));
    let told = sleeper.poll(1, WAIT).unwrap();
    assert!(
        told == Poll::Lost(vec![TopicPartition::new(T, 0)]) || told == Poll::Revoked(vec![TopicPartition::new(T, 0)]),
        "{told:?}"
    );
}

#[test]
fn a_change_of_cleanup_leaves_the_settings_of_others() {
    let Some(harness) = Harness::new("settings of topics") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let admin: AdminClient<DefaultClientContext> = harness.foreign().create().unwrap();
    let full = format!("{}{T}", harness.config.prefix);
    let theirs = AlterConfig::new(ResourceSpecifier::Topic(&full)).set("segment.bytes", "2000000");
    pollster::block_on(admin.alter_configs([&theirs], &AdminOptions::new())).unwrap().remove(0).unwrap();
    let value = |key: &str| {
        let resource = [ResourceSpecifier::Topic(&full)];
        let found = pollster::block_on(admin.describe_configs(&resource, &AdminOptions::new()));
        let found = found.unwrap().remove(0).unwrap();
        found.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default()
    };
    let begun = Instant::now();
    while value("segment.bytes") != "2000000" {
        assert!(begun.elapsed() < WAIT, "their setting is not seen");
    }
    let cleanup = Cleanup::Compact { min_lag: Duration::from_secs(60) };
    topic(log, cleanup);
    assert_eq!(log.topics().unwrap(), [TopicSpec { name: T.to_owned(), partitions: 1, cleanup }]);
    assert_eq!([value("segment.bytes"), value("compression.type")], ["2000000", "lz4"]);
    let outcome = log.producer("p").unwrap().commit(outputs([record("", "a record without a key")]));
    assert_eq!(outcome.as_ref().map_err(Error::kind), Err(Kind::Fatal), "{outcome:?}");
}

#[test]
fn a_broker_that_is_not_there_is_a_reason_to_try_again() {
    let brokers = vec!["127.0.0.1:1".to_owned()];
    let config = Config { brokers, request_timeout: Duration::from_millis(300), ..patient() };
    let outcome = Kafka::connect(config).map(drop);
    assert_eq!(outcome.as_ref().map_err(Error::kind), Err(Kind::Retry), "{outcome:?}");
}

#[test]
fn a_commit_ends_when_the_brokers_are_away_for_longer_than_a_transaction_lives() {
    if local::broker("brokers that go away").is_none() {
        return;
    }
    let _deadline = conformance::Deadline::start("brokers that go away");
    let folder = std::env::temp_dir().join(format!("vitals-kafka-own-{}", std::process::id()));
    let own = local::own(&folder);
    let transaction_timeout = Duration::from_secs(5);
    let config = Config { prefix: local::prefix(), brokers: vec![own.clone()], transaction_timeout, ..patient() };
    let log = Kafka::connect(config).unwrap();
    topic(&log, Cleanup::Keep);
    written(&log, &outputs([record("k", "before")]));
    let mut producer = log.producer("p").unwrap();
    let (writes, written_once) = std::sync::mpsc::channel();
    // One after another, so that one of them is on its way when the broker dies.
    let writing = std::thread::spawn(move || {
        loop {
            if let Err(error) = producer.commit(outputs([record("k", "meanwhile")])) {
                return error;
            }
            let _ = writes.send(());
        }
    });
    // Or one has failed already, on a machine that is so busy that it took longer than a transaction lives.
    let _ = written_once.recv_timeout(WAIT);
    let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
    assert!(std::process::Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success());
    // Nobody brings the broker back before it ends.
    let error = writing.join().unwrap();
    assert_ne!(error.kind(), Kind::Fatal, "{error}");
    assert_eq!(local::own(&folder), own);
    written(&log, &outputs([record("k", "after")]));
}

/// librdkafka refuses what follows in a transaction that has failed with an error that does not say why.
#[test]
fn a_transaction_that_fails_while_it_commits_offsets_can_be_made_again() {
    let brokers = MockCluster::new(1).unwrap();
    let prefix = local::prefix();
    brokers.create_topic(&format!("{prefix}{T}"), 1, 1).unwrap();
    let config = Config {
        prefix,
        brokers: vec![brokers.bootstrap_servers()],
        transaction_timeout: Duration::from_secs(5),
        ..patient()
    };
    let log = Kafka::connect(config).unwrap();
    let commit = Commit { offsets: position("g", 1).offsets, ..outputs([record("k", "v")]) };
    written(&log, &commit);
    let mut producer = log.producer("p").unwrap();
    // Neither goes through before the record is given up.
    brokers
        .request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 5_000]);
    brokers.request_errors(
        RDKafkaApiKey::TxnOffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 5_000],
    );
    let error = producer.commit(commit.clone()).unwrap_err();
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    brokers.clear_request_errors(RDKafkaApiKey::Produce);
    brokers.clear_request_errors(RDKafkaApiKey::TxnOffsetCommit);
    written(&log, &commit);
}

/// `cargo test --release --workspace -- --ignored --nocapture kafka_speed`
#[test]
#[ignore = "a measurement"]
fn kafka_speed() {
    const COMMITS: usize = 200;
    const RECORDS: usize = 1_000;
    let Some(harness) = Harness::new("the speed") else { return };
    let log = harness.kafka();
    topic(log, Cleanup::Keep);
    let mut producer = log.producer("p").unwrap();
    let value = "v".repeat(100);
    let mut took: Vec<Duration> = (0..COMMITS)
        .map(|i| {
            let mut commit = outputs((0..RECORDS).map(|k| record(&k.to_string(), &value)));
            commit.offsets = position("g", i as u64).offsets;
            let begun = Instant::now();
            producer.commit(commit).unwrap();
            begun.elapsed()
        })
        .collect();
    took.sort();
    harness.settle(T, 0);
    let begun = Instant::now();
    let mut consumer = log.consumer(Assignment::manual(T, [(0, 0)])).unwrap();
    let (mut read, mut polls) = (0, 0);
    while let Poll::Records { records, .. } = consumer.poll(1 << 20, Duration::ZERO).unwrap() {
        (read, polls) = (read + records.len(), polls + 1);
    }
    assert_eq!(read, COMMITS * RECORDS);
    let told = format!(
        "commit of {RECORDS}: p50 {:?}, p99 {:?}; read {read} in {polls} polls, {:?}\n",
        took[COMMITS / 2],
        took[COMMITS * 99 / 100],
        begun.elapsed()
    );
    std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()).unwrap();
}
