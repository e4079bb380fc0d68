//! A consumer of several topics: what it delivers, in which turns, and how members share them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Harness, WAIT, at, live, record, values};
use crate::{Assignment, Cleanup, Commit, GroupOffsets, Log, Output, Poll, Record, Result, TopicPartition, TopicSpec};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn make(harness: &dyn Harness, names: &[&str], partitions: u32) -> Result<()> {
    let spec = |name: &&str| TopicSpec { name: (*name).to_owned(), partitions, cleanup: Cleanup::Keep };
    harness.log().create_topics(&names.iter().map(spec).collect::<Vec<_>>())
}

fn output(topic: &str, partition: u32, record: Record) -> Output {
    Output { topic: topic.into(), partition, record }
}

fn append(log: &dyn Log, outputs: Vec<Output>) -> Result<()> {
    log.producer("append")?.commit(Commit { outputs, offsets: Vec::new() })
}

/// Adds what a poll brought to what is known of each partition.
fn take(poll: Poll, read: &mut BTreeMap<TopicPartition, Vec<String>>) -> usize {
    let Poll::Records { topic, partition, records } = poll else { return 0 };
    let said = values(&records).into_iter().map(|value| String::from_utf8_lossy(value).into_owned());
    read.entry(TopicPartition { topic, partition }).or_default().extend(said);
    records.len()
}

pub(super) fn a_reader_reads_many(harness: &mut dyn Harness) -> Result<()> {
    make(harness, &NAMES, 2)?;
    let log = harness.log();
    let (mut wanted, mut outputs) = (BTreeMap::<_, Vec<String>>::new(), Vec::new());
    for i in 0..600 {
        let (topic, partition, value) = (NAMES[i % 3], u32::from(i % 4 > 1), i.to_string());
        outputs.push(output(topic, partition, record("k", &value)));
        wanted.entry(TopicPartition::new(topic, partition)).or_default().push(value);
    }
    append(&*log, outputs)?;
    harness.settle()?;
    let all = || wanted.keys().map(|at| (at.clone(), 0)).collect();
    let mut consumer = log.consumer(Assignment::Manual(all()))?;
    let mut read = BTreeMap::new();
    // A reader of the past: nothing is idle before its end.
    while take(consumer.poll(usize::MAX, Duration::ZERO)?, &mut read) > 0 {}
    assert_eq!(read, wanted);

    // One goes back, the others go on.
    let back = TopicPartition::new("b", 1);
    consumer.seek(&back, 0)?;
    append(&*log, vec![output("c", 0, record("k", "new"))])?;
    let mut more = BTreeMap::new();
    while more.values().map(Vec::len).sum::<usize>() <= wanted[&back].len() {
        assert!(take(consumer.poll(usize::MAX, WAIT)?, &mut more) > 0, "only {more:?} came");
    }
    let new = (TopicPartition::new("c", 0), vec!["new".to_owned()]);
    assert_eq!(more, BTreeMap::from([(back.clone(), wanted[&back].clone()), new]));
    super::assert_fatal("not assigned", consumer.seek(&TopicPartition::new("d", 0), 0));
    super::assert_fatal("no such topic", log.consumer(Assignment::group("g", &["a", "none"])));
    Ok(())
}

/// The last topic of the list has one record behind the large backlogs of the others.
pub(super) fn none_is_starved(harness: &mut dyn Harness) -> Result<()> {
    make(harness, &NAMES, 1)?;
    let log = harness.log();
    let large = noise(10_000);
    for _ in 0..20 {
        let backlog = (0..100).flat_map(|_| [output("a", 0, record("k", &large)), output("b", 0, record("k", &large))]);
        append(&*log, backlog.collect())?;
    }
    append(&*log, vec![output("c", 0, record("k", "alert"))])?;
    harness.settle()?;
    let from = NAMES.map(|topic| (TopicPartition::new(topic, 0), 0));
    let mut consumer = log.consumer(Assignment::Manual(from.to_vec()))?;
    let mut read = BTreeMap::new();
    while !read.contains_key(&TopicPartition::new("c", 0)) {
        assert!(take(consumer.poll(100_000, WAIT)?, &mut read) > 0, "the record of the last topic came");
    }
    let before: usize = read.values().map(Vec::len).sum();
    assert!(before < 2_000, "{before} of 4,001 records were read before the last topic had its turn");
    Ok(())
}

/// Text that does not compress: brokers count what they send in compressed bytes.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(33 + u8::try_from(state >> 33 & 63).unwrap_or(0))
    };
    (0..length).map(|_| next()).collect()
}

pub(super) fn a_group_is_given_all(harness: &mut dyn Harness) -> Result<()> {
    make(harness, &NAMES, 2)?;
    let log = harness.log();
    append(&*log, NAMES.map(|topic| output(topic, 1, record("k", topic))).to_vec())?;
    let mut consumer = log.consumer(Assignment::group("g", &NAMES))?;
    let poll = consumer.poll(1, WAIT)?;
    assert!(matches!(poll, Poll::Assigned(_)), "{poll:?}");
    let given = if let Poll::Assigned(given) = poll { given } else { Vec::new() };
    let each = |topic: &'static str| [0, 1].map(|partition| TopicPartition::new(topic, partition));
    let all: BTreeSet<_> = NAMES.into_iter().flat_map(each).collect();
    assert_eq!(given.iter().cloned().collect::<BTreeSet<_>>(), all);
    given.iter().try_for_each(|at| consumer.seek(at, 0))?;
    let mut read = BTreeMap::new();
    while read.len() < 3 {
        assert!(take(consumer.poll(1, WAIT)?, &mut read) > 0, "only {read:?} came");
    }
    assert_eq!(read, NAMES.map(|topic| (TopicPartition::new(topic, 1), vec![topic.to_owned()])).into());

    let mut producer = consumer.producer("p")?;
    let offsets = NAMES.into_iter().zip(5..).map(|(topic, offset)| (Arc::from(topic), 1, Some(at(offset)))).collect();
    let offsets = vec![GroupOffsets { group: "g".to_owned(), offsets }];
    producer.commit(Commit { outputs: Vec::new(), offsets })?;
    let asked: Vec<_> = all.into_iter().collect();
    let found = log.all_committed("g", &asked)?;
    assert_eq!(found, [None, Some(at(5)), None, Some(at(6)), None, Some(at(7))]);
    drop((producer, consumer));
    assert_eq!(log.all_committed("g", &asked)?, found, "asked by nobody in the group");
    Ok(())
}

pub(super) fn members_share(harness: &mut dyn Harness) -> Result<()> {
    if !harness.shares_groups() {
        return Ok(());
    }
    let names = ["m1", "m2", "m3", "m4", "m5", "m6"];
    make(harness, &names, 1)?;
    let log = harness.log();
    let join = || log.consumer(Assignment::group("g", &names));
    let (mut one, mut ones) = (join()?, Vec::new());
    let (mut two, mut twos) = (join()?, Vec::new());
    let (mut first, mut second) = (one.producer("one")?, two.producer("two")?);
    let begun = Instant::now();
    // By range, the first partition of every topic would be the first member's.
    while (ones.len(), twos.len()) != (3, 3) {
        assert!(begun.elapsed() < 4 * WAIT, "each of two members has half: {ones:?} {twos:?}");
        live(&mut *one, &mut ones, &mut *first)?;
        live(&mut *two, &mut twos, &mut *second)?;
    }
    assert!(ones.iter().all(|at| !twos.contains(at)));
    Ok(())
}
