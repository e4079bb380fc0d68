//! What every implementation of the log must do: one suite, run against each.
//!
//! A case gets an empty log from the [`Harness`] and names in its failure what it wanted. Offsets are compared with
//! those that the log itself returned, never counted, since Kafka's control records take some.
//!
//! Nothing here waits without an end: a case that takes longer than [`LIMIT`] ends the whole process, with its name.
//!
//! It does not know any implementation, nor how a crash is made: those tests lie with each implementation.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Assignment, Cleanup, Commit, Committed, Consumer, Error, GroupOffsets, Header, Kind, Log, Output, Poll, Producer,
    Record, Result, Stored, TopicPartition, TopicSpec,
};

mod many_topics;

/// One empty log, and the power to do to it what the trait does not offer.
pub trait Harness {
    /// The log.
    fn log(&self) -> Arc<dyn Log>;

    /// Closes the log and opens it again, as a new process would. No consumer or producer is alive.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn reopen(&mut self) -> Result<()>;

    /// Applies retention and compaction as of this time; false where that cannot be asked for, and where they do not
    /// wait for groups.
    ///
    /// # Errors
    /// When it fails.
    fn clean(&self, now_us: i64) -> Result<bool>;

    /// Returns when readers see all that was committed: Kafka shows it moments after it said so.
    ///
    /// # Errors
    /// When that does not come.
    fn settle(&self) -> Result<()>;

    /// Whether the members of a group share its partitions. Else each member has them all, and producers fence.
    fn shares_groups(&self) -> bool;
}

type Case = fn(&mut dyn Harness) -> Result<()>;

const CASES: [(&str, Case); 24] = [
    ("topics are kept", topics_are_kept),
    ("what is not there is an error", what_is_not_there_is_an_error),
    ("records come back as they went in, in order", records_come_back),
    ("a reader starts where it asks to", a_reader_starts_anywhere),
    ("a reader takes as much as it asks for", a_reader_takes_what_it_asks_for),
    ("a reader can be rewound", a_reader_can_be_rewound),
    ("outputs and offsets are committed together", outputs_and_offsets_go_together),
    ("a refused commit leaves nothing", a_refused_commit_leaves_nothing),
    ("everything is there after reopening", everything_survives_reopening),
    ("positions have metadata and can be deleted", positions_have_metadata),
    ("a newer producer fences the older", a_newer_producer_fences),
    ("positions out of range are errors", out_of_range_is_an_error),
    ("a group is given its partitions", a_group_is_given_partitions),
    ("a member commits for its group", a_member_commits),
    ("members of a group share its partitions", members_share_partitions),
    ("who left a group cannot commit for it", who_left_cannot_commit),
    ("a reader reads many topics", many_topics::a_reader_reads_many),
    ("no topic waits for the backlog of another", many_topics::none_is_starved),
    ("a group is given the partitions of all its topics", many_topics::a_group_is_given_all),
    ("members share topics of one partition", many_topics::members_share),
    ("an idle reader is woken by a commit", an_idle_reader_is_woken),
    ("concurrent readers see a prefix without gaps", concurrent_readers_see_prefixes),
    ("retention removes what is old and read", retention_removes_old),
    ("compaction keeps the newest of each key", compaction_keeps_newest),
];

/// Runs every case, each on a log of its own, so many at a time: of a log on brokers most of a case is waiting.
///
/// # Panics
/// When a case fails; the message has its name.
pub fn run(at_once: usize, make: impl Fn() -> Box<dyn Harness> + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((name, case)) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _deadline = Deadline::start(name);
            let outcome = case(&mut *make());
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
        }
    };
    thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
}

/// The longest that a test of a log may take, on a machine that is busy with other things.
pub const LIMIT: Duration = Duration::from_secs(900);

/// A test that hangs would say nothing, for ever: while this lives, it has until [`LIMIT`].
pub struct Deadline {
    /// Closed when the test is over.
    _over: mpsc::Sender<()>,
}

impl Deadline {
    /// From now on; the process is aborted when it has passed.
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        let (over, waiting) = mpsc::channel();
        thread::spawn(move || {
            if waiting.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not captured, as what tests print is. Nobody is left to tell if it cannot be written.
                drop(writeln!(std::io::stderr(), "{name}: not over after {LIMIT:?}, the process is aborted"));
                std::process::abort();
            }
        });
        Self { _over: over }
    }
}

const T: &str = "topic";
/// How long anything that has to come is waited for.
const WAIT: Duration = Duration::from_secs(180);
const SECOND: i64 = 1_000_000;

fn topic(harness: &dyn Harness, partitions: u32, cleanup: Cleanup) -> Result<()> {
    harness.log().create_topic(&TopicSpec { name: T.to_owned(), partitions, cleanup })
}

fn record(key: &str, value: &str) -> Record {
    Record { key: key.to_owned().into(), value: Some(value.to_owned().into()), ..Record::default() }
}

fn output(partition: u32, record: Record) -> Output {
    Output { topic: T.into(), partition, record }
}

fn records(outputs: Vec<Output>) -> Commit {
    Commit { outputs, offsets: Vec::new() }
}

fn position(group: &str, partition: u32, position: Option<Committed>) -> GroupOffsets {
    GroupOffsets { group: group.to_owned(), offsets: vec![(T.into(), partition, position)] }
}

fn place(partition: u32) -> TopicPartition {
    TopicPartition::new(T, partition)
}

fn at(offset: u64) -> Committed {
    Committed { offset, metadata: String::new() }
}

/// Appends one record in a commit of its own.
fn append(harness: &dyn Harness, partition: u32, record: Record) -> Result<u64> {
    harness.settle()?;
    let log = harness.log();
    let offset = log.watermarks(T, partition)?.high;
    log.producer("append")?.commit(records(vec![output(partition, record)]))?;
    Ok(offset)
}

/// Everything from `offset` to the high watermark.
fn read(harness: &dyn Harness, partition: u32, offset: u64) -> Result<Vec<Stored>> {
    harness.settle()?;
    let mut consumer = harness.log().consumer(Assignment::manual(T, [(partition, offset)]))?;
    let mut all = Vec::new();
    while let Poll::Records { topic, partition: from, records } = consumer.poll(usize::MAX, Duration::ZERO)? {
        assert_eq!((&*topic, from), (T, partition));
        assert!(!records.is_empty(), "a poll brings at least one record");
        all.extend(records);
    }
    Ok(all)
}

fn values(records: &[Stored]) -> Vec<&[u8]> {
    records.iter().map(|stored| stored.record.value.as_deref().unwrap_or(b"tombstone")).collect()
}

fn assert_fatal<T>(what: &str, outcome: Result<T>) {
    assert_eq!(outcome.err().map(|e| e.kind()), Some(Kind::Fatal), "{what}");
}

fn topics_are_kept(harness: &mut dyn Harness) -> Result<()> {
    let specs = [("b-1", 3, Cleanup::Keep), ("a.v1", 1, Cleanup::Delete { retention: Duration::from_secs(9) })];
    let specs = specs.map(|(name, partitions, cleanup)| TopicSpec { name: name.to_owned(), partitions, cleanup });
    for spec in specs.iter().chain(&specs) {
        harness.log().create_topic(spec)?;
    }
    harness.reopen()?;
    let [b, a] = specs;
    assert_eq!(harness.log().topics()?, [a, b.clone()]);
    let other = harness.log().create_topic(&TopicSpec { partitions: 4, ..b });
    assert_fatal("another number of partitions", other);
    let slash = TopicSpec { name: "a/b".to_owned(), partitions: 1, cleanup: Cleanup::Keep };
    assert_fatal("a name that is not allowed", harness.log().create_topic(&slash));
    assert_fatal("no such topic", harness.log().watermarks("none", 0));
    assert_fatal("no such partition", harness.log().watermarks("a.v1", 1));
    Ok(())
}

fn what_is_not_there_is_an_error(harness: &mut dyn Harness) -> Result<()> {
    let log = harness.log();
    topic(harness, 1, Cleanup::Keep)?;
    log.delete_topic("none")?;
    let missing = |what: &str, outcome: Result<()>, name: &str, at: u32| {
        let right = matches!(&outcome, Err(Error::Unknown { topic, partition }) if topic == name && *partition == at);
        assert!(right, "{what}: {outcome:?}");
    };
    missing("a consumer", log.consumer(Assignment::group("g", &["none"])).map(drop), "none", 0);
    missing("of a partition", log.consumer(Assignment::manual(T, [(1, 0)])).map(drop), T, 1);
    missing("a position", log.committed("g", "none", 0).map(drop), "none", 0);
    missing("of a partition", log.committed("g", T, 1).map(drop), T, 1);
    missing("watermarks", log.watermarks("none", 3).map(drop), "none", 3);
    let mut producer = log.producer("p")?;
    let stray = Output { topic: "none".into(), partition: 0, record: record("k", "v") };
    missing("an output", producer.commit(records(vec![output(0, record("k", "v")), stray])), "none", 0);
    let offsets = vec![GroupOffsets { group: "g".to_owned(), offsets: vec![("none".into(), 0, Some(at(1)))] }];
    missing("an offset", producer.commit(Commit { outputs: Vec::new(), offsets }), "none", 0);
    log.delete_topic(T)?;
    missing("a deleted topic", log.watermarks(T, 0).map(drop), T, 0);
    assert_eq!(log.topics()?, []);
    topic(harness, 2, Cleanup::Keep)?;
    assert_eq!((log.watermarks(T, 1)?.high, log.committed("g", T, 0)?), (0, None), "made again, it is empty");
    Ok(())
}

fn records_come_back(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    let header = |name: &str, value: &'static [u8]| Header { name: name.to_owned(), value: Bytes::from_static(value) };
    let full = Record {
        headers: vec![header("a", b"\0\xff"), header("a", b""), header("", b"x")],
        timestamp_us: 1_700_000_000_123_000,
        ..record("key", "value")
    };
    let empty = Record { key: Bytes::new(), value: Some(Bytes::new()), ..full.clone() };
    let tombstone = Record { value: None, timestamp_us: 5_000, ..full.clone() };
    let large = Record { value: Some(vec![7; 300_000].into()), ..full.clone() };
    let wanted = [full, empty, tombstone, large];
    let mut producer = log.producer("p")?;
    for some in wanted.chunks(3) {
        let outputs = some.iter().flat_map(|r| [output(1, r.clone()), output(0, r.clone())]).collect();
        producer.commit(records(outputs))?;
    }
    for partition in [0, 1] {
        let found = read(&*harness, partition, 0)?;
        assert!(found.is_sorted_by(|a, b| a.offset < b.offset), "offsets grow");
        assert_eq!(found.into_iter().map(|stored| stored.record).collect::<Vec<_>>(), wanted);
    }
    Ok(())
}

fn a_reader_starts_anywhere(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    for from in (0..30).step_by(3) {
        let outputs = (from..from + 3).map(|i| output(0, record("k", &i.to_string()))).collect();
        log.producer("p")?.commit(records(outputs))?;
    }
    let all = read(&*harness, 0, 0)?;
    assert_eq!(all.len(), 30);
    for (index, stored) in all.iter().enumerate() {
        assert_eq!(read(&*harness, 0, stored.offset)?, all[index..]);
    }
    let mut consumer = log.consumer(Assignment::manual(T, [(0, all[20].offset)]))?;
    assert_eq!(next(&mut *consumer)?[0], all[20]);
    consumer.seek(&place(0), all[4].offset)?;
    assert_eq!(next(&mut *consumer)?[0], all[4]);
    assert_fatal("a partition that is not assigned", consumer.seek(&place(1), 0));
    Ok(())
}

fn next(consumer: &mut dyn Consumer) -> Result<Vec<Stored>> {
    let poll = consumer.poll(usize::MAX, WAIT)?;
    let Poll::Records { records, .. } = poll else {
        assert_eq!(poll, Poll::Records { topic: T.into(), partition: 0, records: Vec::new() }, "records were wanted");
        return Ok(Vec::new());
    };
    Ok(records)
}

fn a_reader_takes_what_it_asks_for(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    let outputs = (0..2_000).map(|i| output(i % 2, record("k", &i.to_string()))).collect();
    log.producer("p")?.commit(records(outputs))?;
    for max_bytes in [0, 1, 100, 5_000, usize::MAX] {
        let mut consumer = log.consumer(Assignment::manual(T, [(0, 0), (1, 0)]))?;
        let mut found: BTreeMap<u32, Vec<Stored>> = BTreeMap::new();
        while found.values().map(Vec::len).sum::<usize>() < 2_000 {
            let Poll::Records { partition, records, .. } = consumer.poll(max_bytes, WAIT)? else { break };
            let before_last: usize = records.iter().skip(1).map(|r| values(std::slice::from_ref(r))[0].len()).sum();
            assert!(before_last <= max_bytes, "at most {max_bytes} bytes and one record");
            found.entry(partition).or_default().extend(records);
        }
        for partition in [0, 1] {
            assert_eq!(found.get(&partition), Some(&read(&*harness, partition, 0)?), "max_bytes {max_bytes}");
        }
    }
    Ok(())
}

/// What a task does after a failed commit, with records fetched already.
fn a_reader_can_be_rewound(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    let mut producer = log.producer("p")?;
    for from in (0..6_000).step_by(2_000) {
        let outputs = (from..from + 2_000).map(|i| output(i % 2, record("k", &i.to_string()))).collect();
        producer.commit(records(outputs))?;
    }
    let all = [read(&*harness, 0, 0)?, read(&*harness, 1, 0)?];
    let mut consumer = log.consumer(Assignment::manual(T, [(0, 0), (1, 0)]))?;
    let mut next = [0, 0];
    for round in 0..40 {
        for _ in 0..7 {
            let Poll::Records { partition, records, .. } = consumer.poll(500, Duration::ZERO)? else { break };
            let (expected, place) = (&all[partition as usize], &mut next[partition as usize]);
            assert_eq!(expected[*place..][..records.len()], records, "round {round}");
            *place += records.len();
        }
        // Back, sometimes over a commit, and of one partition while the other goes on.
        let partition = round % 2;
        next[partition] = next[partition].saturating_sub(round * 37);
        let back = &all[partition][next[partition].min(2_999)];
        next[partition] = next[partition].min(2_999);
        consumer.seek(&place(u32::try_from(partition).unwrap_or(0)), back.offset)?;
    }
    Ok(())
}

fn outputs_and_offsets_go_together(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    let mut producer = log.producer("p")?;
    for offset in 1..=5 {
        let outputs = vec![output(1, record("k", "a")), output(0, record("k", "b")), output(1, record("k", "c"))];
        let offsets = vec![position("g", 0, Some(at(offset))), position("h", 1, Some(at(offset * 2)))];
        let before = [log.watermarks(T, 0)?.high, log.watermarks(T, 1)?.high];
        producer.commit(Commit { outputs, offsets })?;
        harness.settle()?;
        let [zero, one] = [log.watermarks(T, 0)?.high, log.watermarks(T, 1)?.high];
        assert!(before[0] < zero && before[1] < one);
        assert_eq!(values(&read(&*harness, 1, before[1])?), [b"a", b"c"]);
        assert_eq!(values(&read(&*harness, 0, before[0])?), [b"b"]);
        assert_eq!(log.committed("g", T, 0)?, Some(at(offset)));
        assert_eq!(log.committed("h", T, 1)?, Some(at(offset * 2)));
        assert_eq!(log.committed("h", T, 0)?, None);
    }
    producer.commit(Commit { outputs: Vec::new(), offsets: vec![position("g", 0, Some(at(9)))] })?;
    assert_eq!(log.committed("g", T, 0)?, Some(at(9)), "offsets alone");
    producer.commit(Commit::default())
}

fn a_refused_commit_leaves_nothing(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    let outputs = vec![output(0, record("k", "v")), output(7, record("k", "v"))];
    let offsets = vec![position("g", 0, Some(at(1)))];
    assert_fatal("no such partition", log.producer("p")?.commit(Commit { outputs, offsets }));
    let metadata = "x".repeat(4097);
    let offsets = vec![position("g", 0, Some(Committed { offset: 1, metadata }))];
    let outputs = vec![output(0, record("k", "v"))];
    assert_fatal("too much metadata", log.producer("p")?.commit(Commit { outputs, offsets }));
    assert_eq!(read(&*harness, 0, 0)?, []);
    assert_eq!(log.committed("g", T, 0)?, None);
    Ok(())
}

fn everything_survives_reopening(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    for round in 1..=3 {
        let outputs = vec![output(0, record("k", "a")), output(0, record("k", "b"))];
        let offsets = vec![position("g", 0, Some(at(round)))];
        harness.log().producer("p")?.commit(Commit { outputs, offsets })?;
        let before = (read(&*harness, 0, 0)?, harness.log().watermarks(T, 0)?);
        assert_eq!(before.0.len() as u64, 2 * round);
        harness.reopen()?;
        assert_eq!((read(&*harness, 0, 0)?, harness.log().watermarks(T, 0)?), before);
        assert_eq!(harness.log().committed("g", T, 0)?, Some(at(round)));
    }
    Ok(())
}

fn positions_have_metadata(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let mut producer = harness.log().producer("p")?;
    let mut commit = |offsets| producer.commit(Commit { outputs: Vec::new(), offsets });
    let long = Committed { offset: u64::from(u32::MAX), metadata: "ü".repeat(2048) };
    commit(vec![position("g", 0, Some(long.clone())), position("g2", 0, Some(at(0)))])?;
    assert_eq!(harness.log().committed("g", T, 0)?, Some(long));
    assert_eq!(harness.log().committed("g2", T, 0)?, Some(at(0)));
    commit(vec![position("g", 0, None), position("never", 0, None)])?;
    drop(producer);
    for _ in 0..2 {
        assert_eq!(harness.log().committed("g", T, 0)?, None);
        assert_eq!(harness.log().committed("g2", T, 0)?, Some(at(0)));
        harness.reopen()?;
    }
    Ok(())
}

fn a_newer_producer_fences(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    let commit = |value| records(vec![output(0, record("k", value))]);
    let (mut old, mut other) = (log.producer("p")?, log.producer("q")?);
    old.commit(commit("old"))?;
    let mut new = log.producer("p")?;
    for _ in 0..2 {
        let outcome = old.commit(commit("zombie"));
        assert!(matches!(outcome, Err(Error::Fenced { ref name }) if name == "p"), "{outcome:?}");
    }
    new.commit(commit("new"))?;
    other.commit(commit("other"))?;
    assert_eq!(values(&read(&*harness, 0, 0)?), [&b"old"[..], b"new", b"other"]);
    Ok(())
}

fn out_of_range_is_an_error(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    append(&*harness, 0, record("k", "v"))?;
    harness.settle()?;
    let high = log.watermarks(T, 0)?.high;
    let mut consumer = log.consumer(Assignment::manual(T, [(0, high)]))?;
    assert_eq!(consumer.poll(1, Duration::from_millis(50))?, Poll::Idle, "the end is in range");
    consumer.seek(&place(0), high + 1)?;
    let outcome = consumer.poll(1, WAIT);
    assert!(matches!(outcome, Err(Error::OutOfRange { offset, .. }) if offset == high + 1), "{outcome:?}");
    assert_fatal("no such topic", log.consumer(Assignment::manual("none", [(0, 0)])));
    Ok(())
}

fn a_group_is_given_partitions(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    append(&*harness, 0, record("k", "zero"))?;
    let one = append(&*harness, 1, record("k", "one"))?;
    let mut consumer = log.consumer(Assignment::group("g", &[T]))?;
    assert_eq!(consumer.poll(1, WAIT)?, Poll::Assigned(vec![place(0), place(1)]));
    assert_eq!(consumer.poll(1, Duration::from_millis(50))?, Poll::Idle, "nothing before the seek");
    consumer.seek(&place(1), one)?;
    assert_eq!(values(&next(&mut *consumer)?), [b"one"]);
    assert_eq!(consumer.poll(1, Duration::from_millis(50))?, Poll::Idle, "the other has no seek yet");
    consumer.seek(&place(0), 0)?;
    assert_eq!(values(&next(&mut *consumer)?), [b"zero"]);
    Ok(())
}

fn a_member_commits(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    let first = append(&*harness, 0, record("k", "v"))?;
    let mut consumer = log.consumer(Assignment::group("g", &[T]))?;
    assert_eq!(consumer.poll(1, WAIT)?, Poll::Assigned(vec![place(0)]));
    let mut producer = consumer.producer("p")?;
    consumer.seek(&place(0), first)?;
    for round in 1..=3 {
        let read = next(&mut *consumer)?;
        let outputs = vec![output(0, record("k", "v"))];
        let done = read.last().map_or(0, |last| last.offset + 1);
        let offsets = vec![position("g", 0, Some(at(done))), position("g.state", 0, Some(at(round)))];
        producer.commit(Commit { outputs, offsets })?;
        assert_eq!(log.committed("g", T, 0)?, Some(at(done)));
        assert_eq!(log.committed("g.state", T, 0)?, Some(at(round)));
    }
    let mut newer = log.producer("p")?;
    let commit = |at| Commit { outputs: Vec::new(), offsets: vec![position("h", 0, Some(at))] };
    let outcome = producer.commit(commit(at(1)));
    assert!(matches!(outcome, Err(Error::Fenced { ref name }) if name == "p"), "{outcome:?}");
    newer.commit(commit(at(2)))
}

/// Polls a member once; what it is given it seeks, what it is asked for it commits first.
fn live(
    member: &mut dyn Consumer,
    owned: &mut Vec<TopicPartition>,
    producer: &mut dyn Producer,
) -> Result<Option<Poll>> {
    let poll = member.poll(1, Duration::from_millis(100))?;
    match &poll {
        Poll::Assigned(partitions) => {
            assert!(owned.is_empty(), "what one has goes back first");
            owned.clone_from(partitions);
            partitions.iter().try_for_each(|at| member.seek(at, 0))?;
        }
        Poll::Revoked(partitions) => {
            assert_eq!(partitions, owned);
            let offsets = owned.drain(..).map(|it| (it.topic, it.partition, Some(at(7)))).collect();
            let group = GroupOffsets { group: "g".to_owned(), offsets };
            producer.commit(Commit { outputs: Vec::new(), offsets: vec![group] })?;
        }
        Poll::Lost(_) => owned.clear(),
        Poll::Records { topic, partition, .. } => {
            let from = TopicPartition::new(topic.clone(), *partition);
            assert!(owned.contains(&from), "records of what is not ours");
        }
        Poll::Idle => return Ok(None),
    }
    Ok(Some(poll))
}

fn members_share_partitions(harness: &mut dyn Harness) -> Result<()> {
    if !harness.shares_groups() {
        return Ok(());
    }
    topic(harness, 4, Cleanup::Keep)?;
    let log = harness.log();
    for partition in 0..4 {
        append(&*harness, partition, record("k", "v"))?;
    }
    let join = || log.consumer(Assignment::group("g", &[T]));
    let begun = Instant::now();
    let in_time = |what: &str| assert!(begun.elapsed() < 4 * WAIT, "not after {:?}: {what}", 4 * WAIT);
    let (mut one, mut ones) = (join()?, Vec::new());
    let mut first = one.producer("one")?;
    while ones.len() < 4 {
        in_time("the only member has all partitions");
        live(&mut *one, &mut ones, &mut *first)?;
    }
    let (mut two, mut twos) = (join()?, Vec::new());
    let mut second = two.producer("two")?;
    while ones.len() != 2 || twos.len() != 2 {
        in_time("each of two members has half");
        live(&mut *one, &mut ones, &mut *first)?;
        live(&mut *two, &mut twos, &mut *second)?;
    }
    for partition in 0..4 {
        assert_eq!(log.committed("g", T, partition)?, Some(at(7)), "committed before it was given back");
        assert!(ones.contains(&place(partition)) != twos.contains(&place(partition)));
    }
    let mut read = 0;
    while read < 2 {
        in_time("the second reads its share");
        read += u32::from(matches!(live(&mut *two, &mut twos, &mut *second)?, Some(Poll::Records { .. })));
        live(&mut *one, &mut ones, &mut *first)?;
    }
    drop((second, two));
    while ones.len() < 4 {
        in_time("the first has them all again");
        live(&mut *one, &mut ones, &mut *first)?;
    }
    Ok(())
}

fn who_left_cannot_commit(harness: &mut dyn Harness) -> Result<()> {
    if !harness.shares_groups() {
        return Ok(());
    }
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    let mut consumer = log.consumer(Assignment::group("g", &[T]))?;
    let mut producer = consumer.producer("p")?;
    let commit = || Commit { outputs: vec![output(0, record("k", "v"))], offsets: vec![position("g", 0, Some(at(1)))] };
    let mut refused = |what: &str| {
        let outcome = producer.commit(commit());
        assert!(matches!(outcome, Err(Error::Left { ref group, .. }) if group == "g"), "{what}: {outcome:?}");
    };
    refused("before it has partitions");
    assert_eq!(consumer.poll(1, WAIT)?, Poll::Assigned(vec![place(0)]));
    drop(consumer);
    refused("after it was closed");
    assert_eq!((read(&*harness, 0, 0)?, log.committed("g", T, 0)?), (Vec::new(), None), "nothing was written");
    producer.commit(records(vec![output(0, record("k", "v"))]))
}

fn an_idle_reader_is_woken(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Keep)?;
    let log = harness.log();
    let mut consumer = log.consumer(Assignment::manual(T, [(0, 0)]))?;
    thread::scope(|scope| {
        let reader = scope.spawn(move || next(&mut *consumer));
        thread::sleep(Duration::from_millis(100));
        append(&*harness, 0, record("k", "v"))?;
        let records = reader.join().expect("the reader does not panic")?;
        assert_eq!(values(&records), [b"v"]);
        Ok(())
    })
}

const WRITERS: u64 = 4;
const COMMITS: u64 = 60;

fn concurrent_readers_see_prefixes(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 2, Cleanup::Keep)?;
    let log = harness.log();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let log = log.clone();
                    move || write_numbers(&*log, writer)
                })
            })
            .collect();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn({
                    let log = log.clone();
                    move || read_numbers(&*log)
                })
            })
            .collect();
        for thread in writers {
            thread.join().expect("a writer does not panic")?;
        }
        let mut all = Vec::new();
        for thread in readers {
            all.push(thread.join().expect("a reader does not panic")?);
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "all readers see the same");
        Ok(())
    })
}

/// Commit `n` of a writer appends `n % 5 + 1` records to both partitions; a value is writer, commit, index.
fn write_numbers(log: &dyn Log, writer: u64) -> Result<()> {
    let mut producer = log.producer(&format!("writer {writer}"))?;
    for commit in 0..COMMITS {
        let indexes = (0..=commit % 5).flat_map(|index| [(index, 0), (index, 1)]);
        let outputs = indexes.map(|(index, p)| output(p, record("k", &format!("{writer} {commit} {index}")))).collect();
        producer.commit(records(outputs))?;
    }
    Ok(())
}

/// Reads all, and checks on the way that nothing of a writer is missing or out of order.
fn read_numbers(log: &dyn Log) -> Result<BTreeMap<(u32, u64), Bytes>> {
    let total = WRITERS * (0..COMMITS).map(|commit| commit % 5 + 1).sum::<u64>() * 2;
    let mut consumer = log.consumer(Assignment::manual(T, [(0, 0), (1, 0)]))?;
    let (mut all, mut expected, mut last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    while (all.len() as u64) < total {
        let Poll::Records { partition, records, .. } = consumer.poll(1_000, WAIT)? else { break };
        for stored in records {
            let value = stored.record.value.unwrap_or_default();
            let text = String::from_utf8_lossy(&value).into_owned();
            let numbers: Vec<u64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
            let (commit, index) = expected.entry((partition, numbers[0])).or_insert((0, 0));
            assert_eq!(numbers[1..], [*commit, *index], "partition {partition}: the next of writer {}", numbers[0]);
            (*commit, *index) = if index == &(*commit % 5) { (*commit + 1, 0) } else { (*commit, *index + 1) };
            assert!(last.insert(partition, stored.offset) < Some(stored.offset), "offsets grow");
            all.insert((partition, stored.offset), value);
        }
    }
    assert_eq!(all.len() as u64, total, "all records come");
    Ok(all)
}

fn retention_removes_old(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Delete { retention: Duration::from_secs(10) })?;
    let log = harness.log();
    let mut offsets = Vec::new();
    for second in 0..10 {
        let stamped = Record { timestamp_us: second * SECOND, ..record("k", &second.to_string()) };
        offsets.push(append(&*harness, 0, stamped)?);
    }
    let commit = |group, offset| {
        let offsets = vec![position(group, 0, Some(at(offset)))];
        log.producer("p")?.commit(Commit { outputs: Vec::new(), offsets })
    };
    commit("fast", offsets[8])?;
    commit("slow", offsets[3])?;
    if !harness.clean(16 * SECOND)? {
        return Ok(());
    }
    assert_eq!(log.watermarks(T, 0)?.low, offsets[3], "not past a group");
    commit("slow", offsets[9])?;
    harness.clean(16 * SECOND)?;
    assert_eq!(log.watermarks(T, 0)?.low, offsets[6], "not what is young");
    assert_eq!(values(&read(&*harness, 0, offsets[6])?), [b"6", b"7", b"8", b"9"]);
    let outcome = read(&*harness, 0, offsets[5]);
    assert!(matches!(outcome, Err(Error::OutOfRange { .. })), "{outcome:?}");
    drop(log);
    harness.reopen()?;
    assert_eq!(harness.log().watermarks(T, 0)?.low, offsets[6]);
    assert!(append(&*harness, 0, record("k", "next"))? > offsets[9]);
    Ok(())
}

fn compaction_keeps_newest(harness: &mut dyn Harness) -> Result<()> {
    topic(harness, 1, Cleanup::Compact { min_lag: Duration::from_secs(10) })?;
    let log = harness.log();
    let history =
        [("a", Some("1")), ("b", Some("2")), ("a", None), ("c", Some("3")), ("b", Some("4")), ("a", Some("5"))];
    let stamped = (0..).zip(history).map(|(second, (key, value))| Record {
        value: value.map(|v: &str| v.to_owned().into()),
        timestamp_us: second * SECOND,
        ..record(key, "")
    });
    log.producer("p")?.commit(records(stamped.map(|r| output(0, r)).collect()))?;
    let offsets: Vec<u64> = read(&*harness, 0, 0)?.iter().map(|stored| stored.offset).collect();
    let commit = |offset| {
        let offsets = vec![position("g", 0, Some(at(offset)))];
        log.producer("p")?.commit(Commit { outputs: Vec::new(), offsets })
    };
    let left =
        |from| -> Result<Vec<u64>> { Ok(read(&*harness, 0, from)?.iter().map(|stored| stored.offset).collect()) };
    let all = |indexes: &[usize]| indexes.iter().map(|i| offsets[*i]).collect::<Vec<_>>();
    commit(offsets[2])?;
    if !harness.clean(100 * SECOND)? {
        return Ok(());
    }
    assert_eq!(left(0)?, offsets, "not past a group");
    commit(offsets[5])?;
    harness.clean(13 * SECOND)?;
    assert_eq!(left(0)?, all(&[1, 3, 4, 5]), "not what is young; the tombstone went with what it removed");
    harness.clean(100 * SECOND)?;
    assert_eq!(left(0)?, all(&[3, 4, 5]), "the newest of each key");
    for (index, offset) in offsets.iter().enumerate() {
        let wanted: Vec<usize> = [3, 4, 5].into_iter().filter(|kept| *kept >= index).collect();
        assert_eq!(left(*offset)?, all(&wanted), "a reader may start in a gap");
    }
    append(&*harness, 0, Record { timestamp_us: 200 * SECOND, ..record("d", "6") })?;
    assert_eq!(values(&read(&*harness, 0, offsets[2])?), [b"3", b"4", b"5", b"6"]);
    Ok(())
}
