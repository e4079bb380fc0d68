//! A log that is not what it was: positions are gone, set back or past the end, topics made anew, records deleted.
//!
//! Each time the processor stops with a message that names the place and the cure, publishes nothing and discards nothing;
//! and the cure helps.

use std::{fs, time::Instant};

use eventlog::{Commit, Committed, GroupOffsets, Log as _};

use crate::{
    data::{Data, sequences, without_ticks},
    fleet::{Fleet, PATIENCE, Role},
    generated,
};

const EVENTS: &str = "events.v1";
/// Stage and consumer group.
const GROUP: &str = "account";
/// Before both of them, for Kafka.
const PREFIX: &str = "vitals.";

/// The processor stops and says all of it; nothing is published and no state goes.
#[track_caller]
fn stops(fleet: &mut Fleet, undisturbed: &Data, says: &[&str]) {
    fleet.start(Role::Processor);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = fleet.ended(Role::Processor, 0) {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not stop\n{}", fleet.said());
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let said = fleet.said_by_newest();
    assert_eq!(status.code(), Some(1), "{said}");
    says.iter().for_each(|text| assert!(said.contains(text), "expected {text}\n   found {said}"));
    assert!(!said.contains("discarded"), "{said}");
    assert!(without_ticks(sequences(fleet.log.as_ref())) == undisturbed.snapshots(), "something was published");
}

/// Commits a position, as a task does.
fn commit(fleet: &Fleet, partition: u32, offset: u64) {
    let metadata = fleet.log.committed(GROUP, EVENTS, 1 - partition).unwrap().unwrap().metadata;
    let offsets = vec![(EVENTS.into(), partition, Some(Committed { offset, metadata }))];
    let mut producer = fleet.log.producer("history").unwrap();
    let offsets = vec![GroupOffsets { group: GROUP.to_owned(), offsets }];
    producer.commit(Commit { outputs: Vec::new(), offsets }).unwrap();
}

/// A member that ended by an error stays one until its session is over, and so long the tool refuses, without failing.
fn of_group(fleet: &Fleet, arguments: &[&str]) {
    let begun = Instant::now();
    loop {
        let said = fleet.broker.tool(&[&["consumer.group.ConsumerGroupCommand"], arguments].concat());
        if !said.contains("Error") {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{said}");
    }
}

/// The cure that every message names.
fn cure(fleet: &mut Fleet, undisturbed: &Data, context: &str) {
    fleet.stop(Role::Sink);
    fleet.rebuild();
    [Role::Processor, Role::Sink].into_iter().for_each(|role| fleet.start(role));
    fleet.is(undisturbed, context);
    fleet.stop(Role::Processor);
}

fn import(fleet: &Fleet, text: &[u8]) {
    let file = fleet.data.file("events.ndjson", text);
    fleet.data.import(&file, &["--brokers", &fleet.broker.address]).done();
}

#[test]
fn a_log_that_is_not_what_it_was_stops_processors_with_the_cure() {
    let Some(mut fleet) = Fleet::new("a log with another history", 2) else { return };
    let text = generated::events(9, 1_500, 300, 300);
    import(&fleet, &text);
    let undisturbed = fleet.undisturbed();
    [Role::Processor, Role::Sink].into_iter().for_each(|role| fleet.start(role));
    fleet.is(&undisturbed, "at first");
    fleet.stop(Role::Processor);
    let end = |fleet: &Fleet| fleet.log.watermarks(EVENTS, 0).unwrap().high;

    // R > G.
    commit(&fleet, 0, 3);
    stops(&mut fleet, &undisturbed, &["task account-0", "its group has committed only 3", "`vitals rebuild`"]);
    // G past the end: the log was cut off.
    let past = end(&fleet) + 5;
    commit(&fleet, 0, past);
    let says = format!("its group has committed offset {past}, but the log ends at");
    stops(&mut fleet, &undisturbed, &["task account-0", &says, "`vitals rebuild`"]);
    cure(&mut fleet, &undisturbed, "a position past the end");
    // Set back with Kafka's own tool.
    let (group, topic) = (format!("{PREFIX}{GROUP}"), format!("{PREFIX}{EVENTS}"));
    let set_back = ["--topic", &topic, "--reset-offsets", "--to-earliest", "--execute"];
    of_group(&fleet, &[&["--group", &group], &set_back[..]].concat());
    stops(&mut fleet, &undisturbed, &["task account-", "somebody has reset it", "`vitals rebuild`"]);
    // The group is gone, as after a week without members.
    of_group(&fleet, &["--group", &group, "--delete"]);
    stops(&mut fleet, &undisturbed, &["task account-", "its group has committed nothing", "`vitals rebuild`"]);

    // Made anew: empty at first, then with the events again.
    fleet.log.delete_topic(EVENTS).unwrap();
    fleet.data.run(["topics", "create", "--partitions", "2", "--brokers", fleet.broker.address.as_str()]).done();
    stops(&mut fleet, &undisturbed, &["task account-", "`vitals rebuild`"]);
    import(&fleet, &text);
    stops(&mut fleet, &undisturbed, &["task account-", "`vitals rebuild`"]);
    cure(&mut fleet, &undisturbed, "a topic made anew");

    // Retention passed R: state and checkpoints are gone, and so are the first events.
    let low = end(&fleet) / 2;
    let before = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":{low}}}],"version":1}}"#);
    let file = fleet.data.file("before.json", before);
    fleet.broker.tool(&["DeleteRecordsCommand", "--offset-json-file", file.to_str().unwrap()]);
    fleet.free_seats().iter().for_each(|seat| fs::remove_dir_all(seat).unwrap());
    fs::remove_dir_all(fleet.checkpoints()).unwrap();
    let says = format!("it has to read from offset 0, but the log begins at {low}");
    stops(&mut fleet, &undisturbed, &["task account-0", &says, "retention passed it", "checkpoint"]);
}
