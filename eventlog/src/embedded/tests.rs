//! Tests of the embedded log: a smoke test.

use std::time::Duration;

use super::*;
use crate::{Assignment, Cleanup, Commit, Output, Poll, Record};

#[test]
fn appends_and_reads_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let log = Embedded::open(dir.path(), Config::default()).unwrap();
        log.create_topic(&TopicSpec { name: "t".into(), partitions: 2, cleanup: Cleanup::Keep }).unwrap();
        let mut producer = log.producer("p").unwrap();
        let record = Record { key: "k".into(), value: Some("v".into()), ..Record::default() };
        let output = Output { topic: "t".into(), partition: 1, record };
        let written = producer.commit(Commit { outputs: vec![output.clone(), output], offsets: vec![] }).unwrap();
        assert_eq!(written, [("t".into(), 1, round * 2)]);
        let mut consumer = log.consumer("t", Assignment::Manual(vec![(0, 0), (1, 1)])).unwrap();
        let wait = Duration::from_millis(1);
        let mut seen = Vec::new();
        while let Poll::Records { partition: 1, records } = consumer.poll(1, wait).unwrap() {
            seen.extend(records.iter().map(|r| r.offset));
        }
        assert_eq!(seen, (1..=round * 2 + 1).collect::<Vec<_>>());
    }
}
