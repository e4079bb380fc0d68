//! Cleaning against a model, and while others read.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{GroupOffsets, Stored, TopicPartition};

const LAG: i64 = 10;

fn spec(cleanup: Cleanup) -> TopicSpec {
    TopicSpec { name: "t".into(), partitions: 1, cleanup }
}

fn stored(log: &Embedded) -> Vec<Stored> {
    let mut consumer = log.consumer(Assignment::manual("t", [(0, 0)])).unwrap();
    let mut all = Vec::new();
    while let Poll::Records { records, .. } = consumer.poll(usize::MAX, Duration::ZERO).unwrap() {
        all.extend(records);
    }
    all
}

/// What compaction shall leave, computed the slow way.
fn model(all: &[Stored], now: i64, group: u64) -> Vec<Stored> {
    let young = all.iter().find(|s| s.record.timestamp_us >= now - LAG).map_or(u64::MAX, |s| s.offset);
    let bound = young.min(group);
    let stays = |s: &&Stored| {
        let replaced = all.iter().any(|n| n.offset > s.offset && n.offset < bound && n.record.key == s.record.key);
        s.offset >= bound || s.record.key.is_empty() || !(replaced || s.record.value.is_none())
    };
    all.iter().filter(stays).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn compaction_leaves_what_the_model_leaves(
        commits in proptest::collection::vec(proptest::collection::vec((0u8..6, any::<bool>(), 0i64..100), 1..8), 1..12),
        runs in proptest::collection::vec((0i64..120, 0u64..60), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = Embedded::open(dir.path(), Config { sync: false, ..Config::default() }).unwrap();
        log.create_topic(&spec(Cleanup::Compact { min_lag: Duration::from_micros(LAG.unsigned_abs()) })).unwrap();
        let mut producer = log.producer("p").unwrap();
        for commit in commits {
            let record = |(key, tombstone, timestamp_us): (u8, bool, i64)| Record {
                key: vec![b'k'; key.into()].into(),
                value: (!tombstone).then(|| "v".into()),
                timestamp_us,
                ..Record::default()
            };
            let outputs = commit.into_iter().map(|r| Output { topic: "t".into(), partition: 0, record: record(r) });
            producer.commit(Commit { outputs: outputs.collect(), offsets: vec![] }).unwrap();
        }
        let (mut now, mut group) = (0, 0);
        for (later, further) in runs {
            (now, group) = (now.max(later), group.max(further));
            let position = Committed { offset: group, metadata: String::new() };
            let offsets = vec![GroupOffsets { group: "g".into(), offsets: vec![("t".into(), 0, Some(position))] }];
            producer.commit(Commit { outputs: vec![], offsets }).unwrap();
            let before = stored(&log);
            let wanted = model(&before, now, group);
            let cleaned = log.clean(now).unwrap();
            prop_assert_eq!(cleaned.compacted, (before.len() - wanted.len()) as u64);
            prop_assert_eq!(stored(&log), wanted);
        }
    }
}

/// A reader that retention overtakes is told; it never misses a record in silence.
#[test]
fn retention_overtakes_nobody_in_silence() {
    const RECORDS: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let log = Embedded::open(dir.path(), Config { sync: false, ..Config::default() }).unwrap();
    log.create_topic(&spec(Cleanup::Delete { retention: Duration::from_micros(1) })).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = log.producer("p").unwrap();
            for n in 0..RECORDS {
                let mut all = outputs(0, [n.to_string()]);
                all[0].record.timestamp_us = i64::try_from(n).unwrap();
                producer.commit(Commit { outputs: all, offsets: vec![] }).unwrap();
                log.clean(i64::try_from(n).unwrap()).unwrap();
            }
        });
        let counts: Vec<_> = (0..2).map(|_| scope.spawn(|| follow(&log, RECORDS))).collect();
        for count in counts {
            assert!(count.join().unwrap() > 0);
        }
    });
    assert_eq!(log.watermarks("t", 0).unwrap(), Watermarks { low: RECORDS - 2, high: RECORDS });
}

/// Reads to `end`, going on at the low watermark when overtaken; returns the records read.
fn follow(log: &Embedded, end: u64) -> u64 {
    let mut consumer = log.consumer(Assignment::manual("t", [(0, 0)])).unwrap();
    let (mut position, mut read) = (0, 0);
    while position < end {
        match consumer.poll(0, Duration::from_secs(180)) {
            Ok(Poll::Records { records, .. }) => {
                assert_eq!(records[0].offset, position, "the next record, or an error");
                assert_eq!(records[0].record.value.as_deref(), Some(position.to_string().as_bytes()));
                position += 1;
                read += 1;
            }
            Err(Error::OutOfRange { offset, low, .. }) => {
                assert!(offset == position && low > position);
                position = low;
                consumer.seek(&TopicPartition::new("t", 0), position).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

#[test]
fn what_a_group_deleted_holds_nothing() {
    let harness = Harness::new();
    let log = harness.embedded();
    log.create_topic(&spec(Cleanup::Delete { retention: Duration::ZERO })).unwrap();
    let mut producer = log.producer("p").unwrap();
    let mut commit = |outputs, offset: Option<u64>| {
        let position = offset.map(|offset| Committed { offset, metadata: String::new() });
        let offsets = vec![GroupOffsets { group: "g".into(), offsets: vec![("t".into(), 0, position)] }];
        producer.commit(Commit { outputs, offsets }).unwrap();
    };
    commit(outputs(0, ["a".to_owned()]), Some(0));
    assert_eq!(log.clean(1).unwrap().expired, 0);
    commit(vec![], None);
    assert_eq!(log.clean(1).unwrap().expired, 1);
    assert_eq!(log.watermarks("t", 0).unwrap().low, 1);
}
