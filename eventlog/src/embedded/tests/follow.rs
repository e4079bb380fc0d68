//! Following a log beside the one that writes it.

use std::time::Duration;

use super::*;

const SOON: Duration = Duration::from_secs(180);

fn commit(log: &Embedded, value: &str) {
    let outputs = outputs(0, [value.to_owned()]);
    log.producer("p").unwrap().commit(Commit { outputs, offsets: Vec::new() }).unwrap();
}

fn next(consumer: &mut dyn Consumer) -> Vec<String> {
    match consumer.poll(usize::MAX, SOON).unwrap() {
        Poll::Records { records, .. } => {
            records.into_iter().map(|r| String::from_utf8(r.record.value.unwrap().to_vec()).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_follower_sees_what_the_writer_commits() {
    let harness = Harness::new();
    let log = harness.embedded();
    create(log, 2);
    commit(log, "before");
    let follower = Embedded::follow(harness.dir.path(), Config::default()).unwrap();
    let mut consumer = follower.consumer(Assignment::manual("t", [(0, 0)])).unwrap();
    assert_eq!(next(consumer.as_mut()), ["before"]);
    assert_eq!(consumer.poll(usize::MAX, Duration::from_millis(100)).unwrap(), Poll::Idle);
    for round in 0..50 {
        // Tables and the write-ahead logs that they replace come and go.
        if round % 10 == 9 {
            log.shared.storage.flush();
        }
        commit(log, &round.to_string());
        assert_eq!(next(consumer.as_mut()), [round.to_string()]);
    }
    assert_eq!(follower.watermarks("t", 0).unwrap(), Watermarks { low: 0, high: 51 });
}

#[test]
fn a_follower_writes_nothing() {
    let harness = Harness::new();
    create(harness.embedded(), 1);
    let follower = Embedded::follow(harness.dir.path(), Config::default()).unwrap();
    let refused = [
        follower.producer("p").err().unwrap().to_string(),
        follower.clean(0).unwrap_err().to_string(),
        follower.delete_topic("t").unwrap_err().to_string(),
    ];
    for message in refused {
        assert!(message.ends_with("was opened to follow another process, and cannot be written"), "{message}");
    }
}

#[test]
fn a_topic_made_anew_ends_its_readers() {
    let harness = Harness::new();
    let log = harness.embedded();
    create(log, 1);
    commit(log, "gone");
    let follower = Embedded::follow(harness.dir.path(), Config::default()).unwrap();
    let mut consumer = follower.consumer(Assignment::manual("t", [(0, 0)])).unwrap();
    assert_eq!(next(consumer.as_mut()), ["gone"]);
    log.delete_topic("t").unwrap();
    create(log, 1);
    let message = consumer.poll(usize::MAX, SOON).unwrap_err().to_string();
    assert_eq!(message, "topic t was made anew, its readers have to begin again");
}
