//! Doors on a real log, with a clock that is set by hand.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use eventlog::{
    Assignment, Cleanup, Commit, Committed, Consumer, Producer, TopicSpec, Watermarks,
    embedded::{self, Embedded},
};
use proto::v1::entry::Entry;

use super::*;

const MS: i64 = 1_000;
const SECOND: i64 = 1_000 * MS;
const DAY: i64 = 86_400 * SECOND;
const NOON: i64 = 20_000 * DAY + DAY / 2;
const PARTITIONS: u32 = 3;

/// A clock that goes when it is told.
struct Hand(Mutex<Now>);

impl Hand {
    fn at(wall_us: i64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Now { wall_us, steady: Duration::from_secs(1_000) })))
    }

    fn pass(&self, us: i64) {
        let mut now = self.0.lock().unwrap();
        now.wall_us += us;
        now.steady += Duration::from_micros(u64::try_from(us).unwrap());
    }

    /// Somebody sets the wall clock.
    fn set(&self, by_us: i64) {
        self.0.lock().unwrap().wall_us += by_us;
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

fn log() -> (tempfile::TempDir, Arc<Embedded>) {
    let dir = tempfile::tempdir().unwrap();
    let log = Embedded::open(dir.path(), embedded::Config::default()).unwrap();
    let name = crate::EVENTS.to_owned();
    log.create_topic(&TopicSpec { name, partitions: PARTITIONS, cleanup: Cleanup::Keep }).unwrap();
    (dir, log)
}

fn config(name: &str) -> Config {
    Config { name: name.to_owned(), linger: Duration::ZERO, ..Config::new(TimeZone::UTC) }
}

fn event(id: &str) -> Event {
    Event { id: id.to_owned(), subject: id.to_owned(), r#type: "usage.recorded".to_owned(), ..Event::default() }
}

/// What the partitions hold: (id or tick, stamp).
fn entries(log: &dyn Log) -> Vec<Vec<(String, i64)>> {
    let read = |partition| {
        let past = eventlog::past(log, crate::EVENTS, partition, 0).unwrap();
        let entry = |stored| door::decode(crate::EVENTS, partition, &stored).unwrap().entry.unwrap();
        let shown = |entry| match entry {
            Entry::Event(event) => (event.id, event.recorded_at_us),
            Entry::Tick(tick) => ("tick".to_owned(), tick.at_us),
            Entry::Claim(claim) => (format!("claim {}", claim.account), 0),
        };
        past.map(|stored| shown(entry(stored.unwrap()))).collect()
    };
    (0..PARTITIONS).map(read).collect()
}

fn ticks(log: &dyn Log) -> Vec<i64> {
    let entries = entries(log);
    let ticks: Vec<Vec<i64>> = entries
        .iter()
        .map(|partition| partition.iter().filter(|(id, _)| id == "tick").map(|(_, at)| at - NOON).collect())
        .collect();
    assert!(ticks.iter().all(|partition| *partition == ticks[0]), "{ticks:?}");
    ticks[0].clone()
}

/// A door whose loop is turned by the test.
struct Turned {
    live: Live,
    open: Open,
    handle: Handle,
}

impl Turned {
    fn new(name: &str, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        let (live, handle) = Live::new(config(name), log, clock).unwrap();
        let open = Open::new(&live).unwrap();
        Self { live, open, handle }
    }

    fn turn(&mut self) -> Result<bool> {
        self.live.turn(&mut self.open)
    }

    fn close(self) {
        let Self { mut live, mut open, handle } = self;
        drop(handle);
        assert!(!live.turn(&mut open).unwrap(), "it goes on");
    }

    /// Hands in events and turns once.
    fn send(&mut self, events: Vec<Event>) -> Answer {
        let mut answer = self.handle.submit(events)?;
        let _ = self.turn();
        answer.try_recv().unwrap_or_else(|_| panic!("no answer"))
    }
}

#[test]
fn events_are_stamped_and_closed_on_the_grid() {
    let ((_dir, log), clock) = (log(), Hand::at(NOON + 30 * MS));
    let mut door = Turned::new("a", log.clone(), clock.clone());
    assert_eq!(door.handle.refusal().unwrap().reason, "the log is being opened");
    door.turn().unwrap();
    assert_eq!(door.handle.refusal(), None);
    door.send(vec![event("1"), event("2")]).unwrap();
    clock.pass(50 * MS);
    door.send(vec![event("3")]).unwrap();
    assert_eq!(ticks(log.as_ref()), [0]);
    clock.pass(21 * MS);
    door.turn().unwrap();
    assert_eq!(ticks(log.as_ref()), [0, 100 * MS]);
    let mut stamps: Vec<_> = entries(log.as_ref()).concat().into_iter().filter(|(id, _)| id != "tick").collect();
    stamps.sort();
    let expected = [("1", 30 * MS), ("2", 30 * MS), ("3", 80 * MS)];
    assert_eq!(stamps, expected.map(|(id, at)| (id.to_owned(), NOON + at)));
}

#[test]
fn a_door_that_was_away_says_each_midnight() {
    let ((_dir, log), clock) = (log(), Hand::at(NOON));
    let mut door = Turned::new("a", log.clone(), clock.clone());
    door.turn().unwrap();
    drop(door);
    clock.pass(2 * DAY + 5 * SECOND);
    let mut door = Turned::new("a", log.clone(), clock);
    door.send(vec![event("1")]).unwrap_err();
    door.turn().unwrap();
    door.send(vec![event("1")]).unwrap();
    assert_eq!(ticks(log.as_ref()), [0, DAY / 2, DAY + DAY / 2, 2 * DAY + 5 * SECOND]);
}

#[test]
fn a_clock_that_was_set_stops_the_door_until_it_is_right() {
    let ((_dir, log), clock) = (log(), Hand::at(NOON));
    let mut door = Turned::new("a", log.clone(), clock.clone());
    door.turn().unwrap();
    clock.set(3_600 * SECOND);
    let refusal = door.send(vec![event("1")]).unwrap_err();
    assert!(refusal.reason.starts_with("the wall clock was set forward by 3600 s"), "{refusal}");
    assert!(door.handle.submit(vec![event("1")]).is_err());
    clock.pass(2 * SECOND);
    door.turn().unwrap();
    assert_eq!(ticks(log.as_ref()), [0]);
    clock.set(-3_600 * SECOND);
    door.turn().unwrap();
    door.send(vec![event("1")]).unwrap();
    assert_eq!(ticks(log.as_ref()), [0, 2 * SECOND]);
}

#[test]
fn a_door_behind_the_clock_of_the_log_is_shut() {
    let ((_dir, log), clock) = (log(), Hand::at(NOON));
    let mut ahead = Turned::new("a", log.clone(), Hand::at(NOON + 400 * SECOND));
    let mut door = Turned::new("b", log.clone(), clock.clone());
    door.turn().unwrap();
    ahead.turn().unwrap();
    // It looks at the log every second.
    clock.pass(SECOND);
    door.turn().unwrap();
    let refusal = door.send(vec![event("1")]).unwrap_err();
    assert!(refusal.reason.starts_with("the wall clock is 399 s behind the clock of the log"), "{refusal}");
    clock.pass(100 * SECOND);
    door.turn().unwrap();
    door.send(vec![event("1")]).unwrap();
    let stamp = entries(log.as_ref()).concat().into_iter().find(|(id, _)| id == "1").unwrap().1;
    assert_eq!(stamp, NOON + 400 * SECOND + MS, "after what the log calls now");
    assert_eq!(ticks(log.as_ref()), [0, 400 * SECOND]);
}

#[test]
fn two_doors_write_to_one_log() {
    const EACH: usize = 300;
    let (_dir, log) = log();
    let doors: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let config = Config { tick: Duration::from_millis(10), ..config(name) };
            let (live, handle) = Live::new(config, log.clone(), Arc::new(crate::clock::System)).unwrap();
            (name, thread::spawn(move || live.run()), handle)
        })
        .collect();
    let senders = doors.into_iter().map(|(name, door, handle)| {
        let sender = thread::spawn(move || {
            while handle.refusal().is_some() {
                thread::sleep(Duration::from_millis(1));
            }
            for number in 0..EACH {
                let answer = handle.submit(vec![event(&format!("{name}{number}"))]).unwrap();
                answer.blocking_recv().unwrap().unwrap();
                thread::sleep(Duration::from_micros(200));
            }
        });
        (sender, door)
    });
    for (sender, door) in senders.collect::<Vec<_>>() {
        sender.join().unwrap();
        door.join().unwrap().unwrap();
    }
    let entries = entries(log.as_ref());
    assert_eq!(entries.iter().flatten().filter(|(id, _)| id != "tick").count(), 2 * EACH);
    assert!(ticks_of(&entries[0]).len() > 10);
    for partition in &entries {
        // Every partition has the same ticks in the same order, whoever put them there.
        assert_eq!(ticks_of(partition), ticks_of(&entries[0]));
        for name in ["a", "b"] {
            let stamps: Vec<_> = partition.iter().filter(|(id, _)| id.starts_with(name)).map(|(_, at)| *at).collect();
            assert!(stamps.is_sorted(), "{name}: {stamps:?}");
        }
        let clock = ticks_of(partition).into_iter().max().unwrap();
        assert!(partition.iter().all(|(_, at)| *at <= clock), "something is not closed by a tick");
    }
}

#[test]
fn a_door_that_closes_behind_the_clock_of_another_closes_its_events() {
    let (_dir, log) = log();
    let mut ahead = Turned::new("ahead", log.clone(), Hand::at(NOON + 30 * MS));
    let mut behind = Turned::new("behind", log.clone(), Hand::at(NOON + 10 * MS));
    behind.turn().unwrap();
    ahead.turn().unwrap();
    ahead.send(vec![event("1")]).unwrap();
    ahead.close();
    behind.send(vec![event("2")]).unwrap();
    behind.close();
    let greatest = |entries: &[(String, i64)]| entries.iter().filter(|(id, _)| id == "tick").map(|(_, at)| *at).max();
    let of =
        |entries: &Vec<(String, i64)>| entries.iter().position(|(id, _)| id == "2").map(|at| (entries.clone(), at));
    let (entries, at) = entries(log.as_ref()).iter().find_map(of).unwrap();
    assert!(greatest(&entries[at..]) > greatest(&entries[..at]), "{entries:?}");
}

fn ticks_of(partition: &[(String, i64)]) -> Vec<i64> {
    partition.iter().filter(|(id, _)| id == "tick").map(|(_, at)| *at).collect()
}

/// A log that can be away.
struct Flaky {
    log: Arc<dyn Log>,
    away: Arc<AtomicBool>,
    opened: AtomicU64,
}

fn away() -> eventlog::Error {
    eventlog::Error::Invalid { what: "the log is away".to_owned() }
}

impl Log for Flaky {
    fn create_topic(&self, spec: &TopicSpec) -> eventlog::Result<()> {
        self.log.create_topic(spec)
    }
    fn delete_topic(&self, name: &str) -> eventlog::Result<()> {
        self.log.delete_topic(name)
    }
    fn topics(&self) -> eventlog::Result<Vec<TopicSpec>> {
        self.log.topics()
    }
    fn watermarks(&self, topic: &str, partition: u32) -> eventlog::Result<Watermarks> {
        self.log.watermarks(topic, partition)
    }
    fn committed(&self, group: &str, topic: &str, partition: u32) -> eventlog::Result<Option<Committed>> {
        self.log.committed(group, topic, partition)
    }
    fn consumer(&self, assignment: Assignment) -> eventlog::Result<Box<dyn Consumer>> {
        self.log.consumer(assignment)
    }
    fn producer(&self, name: &str) -> eventlog::Result<Box<dyn Producer>> {
        if self.away.load(Ordering::Relaxed) {
            return Err(away());
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(FlakyProducer { producer: self.log.producer(name)?, away: self.away.clone() }))
    }
}

struct FlakyProducer {
    producer: Box<dyn Producer>,
    away: Arc<AtomicBool>,
}

impl Producer for FlakyProducer {
    fn commit(&mut self, commit: Commit) -> eventlog::Result<()> {
        if self.away.load(Ordering::Relaxed) { Err(away()) } else { self.producer.commit(commit) }
    }
}

#[test]
fn while_the_log_is_away_everything_is_refused_and_nothing_kept() {
    let (_dir, log) = log();
    let flaky = Arc::new(Flaky { log: log.clone(), away: Arc::default(), opened: AtomicU64::new(0) });
    let (live, handle) = Live::new(config("a"), flaky.clone(), Arc::new(crate::clock::System)).unwrap();
    let door = thread::spawn(move || live.run());
    let wait = |open: bool| {
        while handle.refusal().is_none() != open {
            thread::sleep(Duration::from_millis(1));
        }
    };
    wait(true);
    flaky.away.store(true, Ordering::Relaxed);
    // Whoever was there when it went away is told that nobody knows, or that it is away.
    if let Ok(answer) = handle.submit(vec![event("1")]) {
        answer.blocking_recv().unwrap().unwrap_err();
    }
    wait(false);
    let refusal = handle.submit(vec![event("2")]).unwrap_err();
    assert_eq!(refusal.reason, "the log cannot be written: the log is away");
    assert!(refusal.retry_after_s > 0);
    flaky.away.store(false, Ordering::Relaxed);
    wait(true);
    handle.submit(vec![event("1")]).unwrap().blocking_recv().unwrap().unwrap();
    drop(handle);
    door.join().unwrap().unwrap();
    assert_eq!(flaky.opened.load(Ordering::Relaxed), 2);
    let ids: Vec<_> = entries(log.as_ref()).concat().into_iter().filter(|(id, _)| id != "tick").collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn more_than_may_wait_is_refused() {
    let (_dir, log) = log();
    let config = Config { queue: 2, ..config("a") };
    let (live, handle) = Live::new(config, log, Hand::at(NOON)).unwrap();
    live.status.set(None);
    let _waiting = [handle.submit(vec![event("1")]).unwrap(), handle.submit(vec![event("2")]).unwrap()];
    assert_eq!(handle.submit(vec![event("3")]).unwrap_err(), Refusal::full());
    drop(live);
    assert_eq!(handle.submit(vec![event("3")]).unwrap_err(), Refusal::closed());
}

#[test]
fn a_newer_door_of_the_same_name_ends_this_one() {
    let ((_dir, log), clock) = (log(), Hand::at(NOON));
    let (live, handle) = Live::new(config("a"), log.clone(), clock.clone()).unwrap();
    let old = thread::spawn(move || live.run());
    while handle.refusal().is_some() {
        thread::sleep(Duration::from_millis(1));
    }
    let _new = Turned::new("a", log, clock.clone());
    clock.pass(SECOND);
    let error = old.join().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("producer a was fenced by a newer one of this name; run one process"), "{error}");
    assert_eq!(handle.refusal(), Some(Refusal::closed()));
}

#[test]
fn a_tick_is_a_part_of_a_second() {
    let (_dir, log) = log();
    for ms in [0, 5, 30, 2_000] {
        let config = Config { tick: Duration::from_millis(ms), ..config("a") };
        let error = Live::new(config, log.clone(), Hand::at(NOON)).err().unwrap();
        assert_eq!(error.kind(), crate::Kind::Reject, "{ms}: {error}");
    }
}
