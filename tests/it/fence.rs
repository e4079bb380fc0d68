//! Who ends and who goes on when brokers know a newer epoch of a producer.
//!
//! A process is stopped with an open transaction until the broker has taken that back. Where nobody took its place
//! meanwhile, it goes on with a new producer; where another process works under its name, it ends. Numbers are exact
//! both times.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    data::Data,
    fleet::{Fleet, PATIENCE, Role, Settings},
    generated,
    http::post_once,
};

/// Longer than any stop here: the group keeps the place of whoever is stopped.
const SESSION: Duration = Duration::from_secs(600);

/// In a transaction, whose end is not sent yet. The first ones are of a process that comes up.
const STOP: &str = "after-offsets:3:stop";

const FENCED: &str = "was fenced by a newer one of this name; run one process for each data directory";
const REPLACED: &str = "another process has taken the place of";
const EXPIRED: &str = "the brokers took its transaction back, which was open for longer than transaction_timeout";

fn fleet(who: &str, instance: &'static str) -> Option<(Fleet, Data)> {
    let fleet = Fleet::with_settings(who, 2, Settings { session: SESSION, instance, ..Settings::default() })?;
    let file = fleet.data.file("events.ndjson", generated::events(3, 1_500, 300, 300));
    fleet.data.import(&file, &["--brokers", &fleet.broker.address]).done();
    let undisturbed = fleet.undisturbed();
    Some((fleet, undisturbed))
}

/// Waits until a process of a role has stopped in a transaction, and the broker has taken that back.
fn until_expired(fleet: &Fleet, role: Role) {
    fleet.until_stopped(role, 0);
    assert_eq!(fleet.broker.open_transactions(), Vec::<String>::new());
}

#[test]
fn a_processor_whose_transaction_took_too_long_goes_on() {
    let Some((mut fleet, undisturbed)) = fleet("a transaction that takes too long", "") else { return };
    fleet.start_with(Role::Processor, Some(STOP));
    fleet.start(Role::Sink);
    let pid = fleet.pid(Role::Processor, 0);
    until_expired(&fleet, Role::Processor);
    assert_eq!(fleet.times(EXPIRED), 0, "{}", fleet.said());
    fleet.signal(Role::Processor, 0, "-CONT");
    fleet.is(&undisturbed, "after a transaction that took too long");
    assert_eq!(fleet.pid(Role::Processor, 0), pid, "another process had to go on\n{}", fleet.said());
    assert!(fleet.times(EXPIRED) > 0, "no transaction was taken back: this run shows nothing\n{}", fleet.said());
    assert_eq!((fleet.times(FENCED), fleet.times(REPLACED)), (0, 0), "{}", fleet.said());
    fleet.stop(Role::Processor);
}

#[test]
fn a_door_whose_transaction_took_too_long_goes_on() {
    let Some(mut fleet) = Fleet::new("a door whose transaction takes too long", 2) else { return };
    fleet.start_with(Role::Door, Some(STOP));
    let pid = fleet.pid(Role::Door, 0);
    until_expired(&fleet, Role::Door);
    fleet.signal(Role::Door, 0, "-CONT");
    let event = json!({"id": "1", "source": "shop", "type": "order.completed", "account": "a",
        "data": {"order": "1", "gross": 1, "currency": "EUR"}});
    let (body, begun) = (event.to_string(), Instant::now());
    let accepts = |door| post_once(door, "application/json", body.as_bytes()) == Some(200);
    while !fleet.doors().first().copied().is_some_and(accepts) {
        assert!(begun.elapsed() < PATIENCE, "the door accepts nothing\n{}", fleet.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(fleet.pid(Role::Door, 0), pid);
    fleet.stop(Role::Door);
    assert!(fleet.times(EXPIRED) > 0, "no transaction was taken back: this run shows nothing\n{}", fleet.said());
    assert!(fleet.ids().contains(&"1".to_owned()));
}

#[test]
fn a_processor_whose_place_another_took_ends() {
    let Some((mut fleet, undisturbed)) = fleet("a processor that another replaced", "pod") else { return };
    fleet.start(Role::Processor);
    fleet.start(Role::Sink);

    // All its stages have their places now. One that still came up would take its place back from the successor.
    fleet.is(&undisturbed, "before another takes its place");
    fleet.signal(Role::Processor, 0, "-STOP");
    // Ids are numbers: the second half of these events is new.
    let file = fleet.data.file("later.ndjson", generated::events(3, 3_000, 300, 300));
    fleet.data.import(&file, &["--brokers", &fleet.broker.address]).done();
    let later = fleet.undisturbed();

    // As an orchestrator does that no longer hears of a machine: another one gets its name.
    let elsewhere = fleet.elsewhere();
    fleet.start_elsewhere(Role::Processor, &elsewhere);
    let successor = fleet.pid(Role::Processor, 1);
    fleet.is(&later, "after another took its place");
    fleet.signal(Role::Processor, 0, "-CONT");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = fleet.ended(Role::Processor, 0) {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", fleet.said());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(1), "{}", fleet.said());
    assert!(fleet.times(FENCED) + fleet.times(REPLACED) > 0, "{}", fleet.said());
    assert_eq!(fleet.pid(Role::Processor, 0), successor, "its successor ended, too\n{}", fleet.said());
    fleet.is(&later, "after it has ended");
    fleet.stop(Role::Processor);
}
