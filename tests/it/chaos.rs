//! Faults on a real fleet: three processors, a sink and two doors on a real Kafka, and a seeded nemesis.
//!
//! While events are sent, processes are killed and stopped, states and checkpoints are wiped and damaged, the broker dies.
//! Then the faults end, and: every acknowledged event is in the log, none is invented (O1, O2); topics and store are those
//! of one undisturbed process over the same `events.v1`, and the oracle's (O3, O5, O7), no transaction is open (O8), a probe
//! went through (O9), a rebuild gives the same (O12); and the faults did happen (O10).
//!
//! The tests have each fault of processes, of the broker and of the network once, and an abort at every failpoint; `make
//! chaos` after so many `KILLS` a broker that is away for two minutes, and faults at random for so many `MINUTES`.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use eventlog::failpoint;
use serde_json::{Value, json};

use crate::{
    fleet::{Fleet, PATIENCE, Role, TRANSACTION_TIMEOUT},
    generated::{self, Random},
    http::{get, post_once},
    network::Trouble,
    oracle,
};

const LINES: &str = "application/x-ndjson";
const PROCESSORS: usize = 3;
const DOORS: usize = 2;
/// Events of a request.
const BATCH: usize = 20;
/// Longer than the session time-out of the fleet: others take over.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// Between two requests, where not everything shall be over before the last fault.
const PAUSE: Duration = Duration::from_millis(30);

/// Lines between two that make an alert fire, or take it back.
const ALERT_EVERY: usize = 250;

/// Events up to now, and in between accounts that come back after a hundred days of silence.
pub(crate) fn recent(seed: u64, events: usize, accounts: u64, days: i64) -> Vec<u8> {
    let now = jiff::Timestamp::now();
    let events = generated::recent(seed, events, accounts, days, now.as_microsecond());
    let order = |number: usize, at: jiff::Timestamp| {
        let at = at.to_string();
        let data = json!({"order": at, "gross": 100, "currency": "EUR"});
        let (account, id) = (format!("silent-{number}"), format!("silent-{number}-{at}"));
        json!({"id": id, "source": "shop", "type": "order.completed", "time": at, "account": account, "data": data})
    };
    let mut bytes = Vec::new();
    for (number, lines) in
        events.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(ALERT_EVERY).enumerate()
    {
        let came = order(number, now - Duration::from_secs(100 * 86_400));
        writeln!(bytes, "{came}").unwrap();
        lines.iter().for_each(|line| bytes.extend_from_slice(line));
        if number % 2 == 0 {
            writeln!(bytes, "{}", order(number, now)).unwrap();
        }
    }
    bytes
}

/// What the nemesis does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillProcessor,
    KillSink,
    KillDoor,
    KillAll,
    StopAndTakeOver,
    KillRecovering,
    WipeState,
    DamageState(Damage),
    DamageCheckpoint,
    Storm,
    RestartBroker,
    KillBroker,
    BrokerAway(Duration),
    AbortAt(&'static str),
    StopInCommit,
    Meet(Trouble),
    BreakConnections,
    HalfOpen,
}

/// What happens to a file of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    FlipTable,
    TruncateTable,
    DeleteTable,
    TearLog,
    SpoilManifest,
}

/// Of processes and their states.
const FAULTS: [Fault; 14] = [
    Fault::KillProcessor,
    Fault::KillSink,
    Fault::StopAndTakeOver,
    Fault::WipeState,
    Fault::KillDoor,
    Fault::DamageState(Damage::FlipTable),
    Fault::KillRecovering,
    Fault::DamageState(Damage::TruncateTable),
    Fault::KillAll,
    Fault::DamageState(Damage::DeleteTable),
    Fault::Storm,
    Fault::DamageState(Damage::TearLog),
    Fault::DamageCheckpoint,
    Fault::DamageState(Damage::SpoilManifest),
];

/// Of the broker.
const BROKER_FAULTS: [Fault; 3] = [Fault::RestartBroker, Fault::KillBroker, Fault::BrokerAway(TAKE_OVER)];

/// Longer than a client waits for the end of a transaction: the answer comes when it has another one, or is gone.
const TOO_LATE: Trouble = Trouble::AnswerLate(TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(2)));

/// Of the network; doors and processors end transactions, and each has its share.
const NETWORK_FAULTS: [Fault; 9] = [
    Fault::Meet(Trouble::AnswerLost),
    Fault::Meet(TOO_LATE),
    Fault::Meet(Trouble::AnswerLost),
    Fault::StopInCommit,
    Fault::Meet(Trouble::AnswerLate(Duration::from_secs(2))),
    Fault::BreakConnections,
    Fault::Meet(TOO_LATE),
    Fault::HalfOpen,
    Fault::Meet(Trouble::AnswerLost),
];

/// Who sent what, and what was acknowledged.
#[derive(Default)]
struct Ledger {
    sent: Mutex<BTreeSet<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
    doors: Mutex<Vec<SocketAddr>>,
    refused: AtomicUsize,
    stop: AtomicBool,
    /// Everything was sent.
    through: AtomicBool,
}

impl Ledger {
    /// Sends each part until somebody acknowledges it, to one door after the other.
    fn send(&self, events: &[u8], pause: Duration) {
        let lines: Vec<&[u8]> = events.split_inclusive(|byte| *byte == b'\n').collect();
        let mut turn = 0;
        for part in lines.chunks(BATCH) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let part = part.concat();
            let ids = ids(&part);
            self.sent.lock().unwrap().extend(ids.iter().cloned());
            while !self.stop.load(Ordering::Relaxed) {
                turn += 1;
                let doors = self.doors.lock().unwrap().clone();
                let door = doors.get(turn % doors.len().max(1)).copied();
                match door.and_then(|door| post_once(door, LINES, &part)) {
                    Some(200) => {
                        self.has(&ids);
                        break;
                    }
                    _ => {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(50));
                    }
                }
            }
            sleep(pause);
        }
        self.through.store(true, Ordering::Relaxed);
    }

    /// Waits until doors accept events again, while there are any.
    fn goes_on(&self, fleet: &Fleet) {
        let acknowledged = || self.acknowledged.lock().unwrap().len();
        let (begun, before) = (Instant::now(), acknowledged());
        while acknowledged() < before + 20 * BATCH && !self.through.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < PATIENCE, "no door accepts events\n{}", fleet.said());
            sleep(Duration::from_millis(20));
        }
        eprintln!("events are accepted after {:.1} s", begun.elapsed().as_secs_f64());
    }

    /// They are in the log.
    fn has(&self, ids: &[String]) {
        self.sent.lock().unwrap().extend(ids.iter().cloned());
        self.acknowledged.lock().unwrap().extend(ids.iter().cloned());
    }

    /// One event more, which the first door has to take.
    fn probe(&self) {
        let event = json!({"id": "probe", "source": "probe", "type": "order.completed", "account": "probe",
            "data": {"order": "probe", "gross": 1, "currency": "EUR"}});
        let (door, begun) = (self.doors.lock().unwrap()[0], Instant::now());
        // Its log may still be opened again after the last fault.
        while post_once(door, LINES, format!("{event}\n").as_bytes()) != Some(200) {
            assert!(begun.elapsed() < PATIENCE, "the probe is not taken");
            sleep(Duration::from_millis(100));
        }
        self.has(&["probe".to_owned()]);
    }
}

/// Stops the sender when dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn ids(lines: &[u8]) -> Vec<String> {
    let id = |line: &[u8]| serde_json::from_slice::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    lines.split_inclusive(|byte| *byte == b'\n').map(id).collect()
}

/// Brings the fleet to its strength; waits until so many doors listen.
fn fill(fleet: &mut Fleet, doors: usize) {
    for (role, wanted) in [(Role::Processor, PROCESSORS), (Role::Sink, 1), (Role::Door, doors)] {
        fleet.reap(role);
        for _ in fleet.count(role)..wanted {
            fleet.start(role);
        }
    }
    let begun = Instant::now();
    while fleet.doors().len() < doors {
        assert!(begun.elapsed() < PATIENCE, "the doors do not open\n{}", fleet.said());
        sleep(Duration::from_millis(20));
    }
}

/// Whoever was fenced has ended: another starts in its seat.
fn act(fault: Fault, fleet: &mut Fleet, ledger: &Ledger, random: &mut Random) {
    let processor = usize::try_from(random.below(PROCESSORS as u64)).unwrap();
    match fault {
        Fault::KillProcessor => fleet.kill(Role::Processor, processor),
        Fault::KillSink => fleet.kill(Role::Sink, 0),
        Fault::KillDoor => fleet.kill(Role::Door, usize::try_from(random.below(DOORS as u64)).unwrap()),
        Fault::KillAll => {
            (0..PROCESSORS).for_each(|_| fleet.kill(Role::Processor, 0));
            (0..DOORS).for_each(|_| fleet.kill(Role::Door, 0));
            fleet.kill(Role::Sink, 0);
        }
        Fault::StopAndTakeOver => {
            fleet.signal(Role::Processor, processor, "-STOP");
            sleep(TAKE_OVER);
            fleet.signal(Role::Processor, processor, "-CONT");
            sleep(Duration::from_secs(1));
        }
        Fault::KillRecovering => {
            (0..PROCESSORS).for_each(|_| fleet.kill(Role::Processor, 0));
            for _ in 0..3 {
                fleet.start(Role::Processor);
                sleep(Duration::from_millis(300 + random.below(1_500)));
                fleet.kill(Role::Processor, 0);
            }
        }
        Fault::WipeState => {
            until_saved(fleet);
            fleet.kill(Role::Processor, processor);
            wipe(fleet);
        }
        Fault::DamageState(what) => {
            fleet.kill(Role::Processor, processor);
            fleet.free_seats().iter().flat_map(|seat| states(seat)).for_each(|state| damage(&state, what));
        }
        Fault::DamageCheckpoint => {
            until_saved(fleet);
            fleet.kill(Role::Processor, processor);
            damage_newest(&fleet.checkpoints());
            wipe(fleet);
        }
        Fault::Storm => {
            for _ in 0..3 {
                fleet.start(Role::Processor);
                sleep(Duration::from_millis(700));
                fleet.kill(Role::Processor, 0);
            }
        }
        Fault::RestartBroker => {
            fleet.broker.stop();
            fleet.broker.start_again();
        }
        Fault::KillBroker => {
            fleet.broker.kill();
            fleet.broker.start_again();
        }
        Fault::BrokerAway(span) => {
            fleet.broker.kill();
            sleep(span);
            fleet.broker.start_again();
        }
        Fault::AbortAt(name) => abort_at(name, fleet),
        Fault::StopInCommit => stop_in_commit(fleet),
        Fault::Meet(trouble) => fleet.network().meets(trouble, PATIENCE, || ()),
        Fault::BreakConnections => fleet.network().reset(),
        Fault::HalfOpen => fleet.network().silence(TAKE_OVER),
    }
    fill(fleet, DOORS);
    *ledger.doors.lock().unwrap() = fleet.doors();
    if matches!(fault, Fault::RestartBroker | Fault::KillBroker | Fault::BrokerAway(_)) {
        ledger.goes_on(fleet);
    }
}

/// One process is alone in its role, so that all goes through it, until it ends at the failpoint.
fn abort_at(name: &str, fleet: &mut Fleet) {
    let (role, times) = passer(name);
    (0..fleet.count(role)).for_each(|_| fleet.kill(role, 0));
    if [failpoint::IN_DOWNLOAD, failpoint::AFTER_RESTORE].contains(&name) {
        wipe(fleet);
    }
    fleet.start_with(role, Some(&format!("{name}:{times}")));
    let begun = Instant::now();
    let mut other = false;
    let status = loop {
        if let Some(status) = fleet.ended(role, 0) {
            break status;
        }
        // Somebody joins, so that partitions are taken from it.
        if name == failpoint::IN_REBALANCE && !other && begun.elapsed() > TAKE_OVER {
            other = true;
            fleet.start(role);
        }
        assert!(begun.elapsed() < PATIENCE, "{name} is not passed\n{}", fleet.said());
        sleep(Duration::from_millis(50));
    };
    assert_eq!(status.signal(), Some(6), "{name}: {status}\n{}", fleet.said());
}

/// A processor that is alone asks for the end of a transaction, and is stopped before that arrives; another takes over,
/// then it wakes up.
fn stop_in_commit(fleet: &mut Fleet) {
    (1..fleet.count(Role::Processor)).for_each(|_| fleet.kill(Role::Processor, 0));
    // The doors append a tick each second: it has something to commit when it goes on.
    fleet.signal(Role::Processor, 0, "-STOP");
    let (before, begun) = (fleet.end(), Instant::now());
    while fleet.end() < before + 1 {
        assert!(begun.elapsed() < PATIENCE, "no door ticks\n{}", fleet.said());
        sleep(Duration::from_millis(100));
    }
    // Transactions of others end, too.
    (0..DOORS).for_each(|_| fleet.kill(Role::Door, 0));
    let goes_on = || fleet.signal(Role::Processor, 0, "-CONT");
    fleet.network().meets(Trouble::RequestLate(TAKE_OVER), PATIENCE, goes_on);
    fleet.signal(Role::Processor, 0, "-STOP");
    fleet.start(Role::Processor);
    sleep(2 * TAKE_OVER);
    fleet.signal(Role::Processor, 0, "-CONT");
    sleep(Duration::from_secs(1));
}

/// Waits until there is a checkpoint to restore.
fn until_saved(fleet: &Fleet) {
    let begun = Instant::now();
    while !manifests(&fleet.checkpoints()).any(|of_task| !of_task.is_empty()) {
        assert!(begun.elapsed() < PATIENCE, "no checkpoint is saved\n{}", fleet.said());
        sleep(Duration::from_millis(100));
    }
}

/// The manifests of each task, the newest last.
fn manifests(store: &Path) -> impl Iterator<Item = Vec<PathBuf>> {
    let tasks = folders(store).into_iter().flat_map(|task| folders(&task));
    tasks.map(|task| {
        let mut manifests = folders(&task.join("manifests"));
        manifests.sort();
        manifests
    })
}

/// What is in a folder; nothing where there is none.
fn folders(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// Folders of states in a seat.
fn states(seat: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(seat).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.join("CURRENT").exists()).collect()
}

/// Deletes the states that no process has.
fn wipe(fleet: &Fleet) {
    let states = fleet.free_seats().into_iter().flat_map(|seat| states(&seat));
    states.for_each(|state| fs::remove_dir_all(state).unwrap());
}

/// Damages the newest file of its kind, if there is one.
fn damage(state: &Path, what: Damage) {
    let of_kind = |path: &PathBuf| match what {
        Damage::FlipTable | Damage::TruncateTable | Damage::DeleteTable => path.extension() == Some("sst".as_ref()),
        Damage::TearLog => path.extension() == Some("log".as_ref()),
        Damage::SpoilManifest => path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST"),
    };
    let mut files: Vec<PathBuf> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(of_kind);
    let Some(file) = files.iter().max() else { return };
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    match what {
        Damage::DeleteTable => return fs::remove_file(file).unwrap(),
        Damage::TruncateTable => bytes.truncate(middle),
        Damage::TearLog => bytes.truncate(bytes.len().saturating_sub(7)),
        Damage::FlipTable => bytes[middle] ^= 0x10,
        Damage::SpoilManifest => bytes[middle..].fill(0xA5),
    }
    fs::write(file, bytes).unwrap();
}

/// Flips a bit in an object of the newest checkpoint of each task.
fn damage_newest(store: &Path) {
    for manifests in manifests(store) {
        let Some(newest) = manifests.last() else { continue };
        let Some(partition) = newest.ancestors().nth(2) else { continue };
        let Ok(text) = fs::read_to_string(newest) else { continue };
        let named = |object: &PathBuf| text.contains(&*object.file_name().unwrap().to_string_lossy());
        let Some(object) = folders(&partition.join("objects")).into_iter().find(named) else { continue };
        let mut bytes = fs::read(&object).unwrap();
        if let Some(byte) = bytes.first_mut() {
            *byte ^= 0x10;
        }
        fs::write(&object, bytes).unwrap();
    }
}

/// Sends events to a fleet under these faults, and checks all that is promised.
fn survive(
    fleet: &mut Fleet,
    ledger: Ledger,
    events: &[u8],
    pause: Duration,
    seed: u64,
    mut next: impl FnMut(&mut Random) -> Option<Fault>,
) {
    let mut random = Random(seed);
    fill(fleet, DOORS);
    *ledger.doors.lock().unwrap() = fleet.doors();
    let mut done: Vec<Fault> = Vec::new();
    thread::scope(|scope| {
        let sender = scope.spawn(|| ledger.send(events, pause));
        // Also when a fault cannot be made: the scope waits for the sender.
        let _stop = Stop(&ledger.stop);
        while let Some(fault) = next(&mut random) {
            sleep(Duration::from_millis(500 + random.below(1_500)));
            eprintln!("{fault:?}, {} acknowledged", ledger.acknowledged.lock().unwrap().len());
            act(fault, fleet, &ledger, &mut random);
            done.push(fault);
        }
        // The last fault is over, too, when the doors accept events again.
        let ready = |door: &SocketAddr| get(*door, "/readyz").is_some_and(|answer| answer.status == 200);
        let begun = Instant::now();
        while !fleet.doors().iter().all(ready) {
            assert!(begun.elapsed() < PATIENCE, "the doors stay closed\n{}", fleet.said());
            sleep(Duration::from_millis(100));
        }
        ledger.stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
    });
    ledger.probe();
    fleet.stop(Role::Door);
    let (acknowledged, sent) = (ledger.acknowledged.into_inner().unwrap(), ledger.sent.into_inner().unwrap());
    let found: BTreeSet<String> = fleet.ids().into_iter().collect();
    assert!(acknowledged.is_subset(&found), "lost: {:?}", acknowledged.difference(&found).collect::<Vec<_>>());
    assert!(found.is_subset(&sent), "invented: {:?}", found.difference(&sent).collect::<Vec<_>>());
    let context = format!("seed {seed}, after {done:?}");
    let undisturbed = fleet.undisturbed();
    let compared = oracle::assert_true(&undisturbed, &context);
    fleet.is(&undisturbed, &context);
    // Computed again from the first event, it is the same once more.
    [Role::Processor, Role::Sink].into_iter().for_each(|role| fleet.stop(role));
    assert_eq!(fleet.broker.open_transactions(), Vec::<String>::new(), "{context}");
    fleet.rebuild();
    fill(fleet, 0);
    fleet.is(&undisturbed, &format!("{context}, rebuilt"));
    let seen = |text: &str| fleet.times(text);
    let (replays, restores, discarded, restarts) = (
        seen("replaying with outputs suppressed"),
        seen("restored from a checkpoint"),
        seen("the state is discarded"),
        seen("opens again from disk"),
    );
    let refused = ledger.refused.load(Ordering::Relaxed);
    eprintln!(
        "{} faults, {} events acknowledged, {compared} rows equal to the oracle's, {replays} replays, {restores} restores, {discarded} states discarded, \
         {restarts} restarts, {refused} requests sent again",
        done.len(),
        acknowledged.len()
    );
    assert!(replays > 0 && restores > 0, "the faults did not happen");
    assert!(!done.contains(&Fault::DamageState(Damage::SpoilManifest)) || discarded > 0, "no damage was met");
    assert!(!done.contains(&Fault::KillBroker) || refused > 0, "the broker was never away");
}

#[test]
fn a_fleet_whose_processes_fail_publishes_what_an_undisturbed_one_does() {
    let Some(mut fleet) = Fleet::new("the fleet under faults", 6) else { return };
    let mut faults = FAULTS.into_iter();
    survive(&mut fleet, Ledger::default(), &recent(4, 30_000, 300, 30), PAUSE, 4, |_| faults.next());
}

#[test]
fn a_fleet_whose_broker_fails_publishes_what_an_undisturbed_one_does() {
    let Some(mut fleet) = Fleet::new("the fleet without a broker", 6) else { return };
    let mut faults = BROKER_FAULTS.into_iter().chain([Fault::KillProcessor, Fault::WipeState]);
    survive(&mut fleet, Ledger::default(), &recent(6, 30_000, 300, 30), PAUSE, 6, |_| faults.next());
}

#[test]
fn a_fleet_whose_network_fails_publishes_what_an_undisturbed_one_does() {
    let Some(mut fleet) = Fleet::behind_a_network("the fleet and its network", 4) else { return };
    let mut faults = [Fault::KillProcessor, Fault::WipeState].into_iter().chain(NETWORK_FAULTS);
    survive(&mut fleet, Ledger::default(), &recent(8, 26_000, 300, 30), PAUSE, 8, |_| faults.next());
}

/// Which process passes a failpoint, and after how many times it ends there: some are first passed at rest.
fn passer(name: &str) -> (Role, u32) {
    match name {
        failpoint::STORED => (Role::Sink, 1),
        failpoint::IN_COLLECTION | failpoint::IN_DOWNLOAD | failpoint::AFTER_RESTORE => (Role::Processor, 0),
        _ => (Role::Processor, 2),
    }
}

#[test]
fn a_fleet_aborted_at_every_failpoint_publishes_what_an_undisturbed_one_does() {
    let Some(mut fleet) = Fleet::new("the fleet and its failpoints", 4) else { return };
    let mut names = failpoint::NAMES.into_iter();
    let events = recent(5, 26_000, 300, 30);
    survive(&mut fleet, Ledger::default(), &events, PAUSE, 5, |_| names.next().map(Fault::AbortAt));
}

/// Events that are sent live by `make chaos`, at most.
const LIVE: usize = 400_000;

/// How long `make chaos` does without a broker.
const LONG: Duration = Duration::from_secs(120);

/// `make chaos`: `VITALS_CHAOS_EVENTS` are imported, and the fleet has them all before it; meanwhile and while others come
/// live, `VITALS_CHAOS_KILLS` of kill -9, no broker for a long time, and then anything for `VITALS_CHAOS_MINUTES`.
#[test]
#[ignore = "for as long as one likes: make chaos SEED=... KILLS=... MINUTES=..."]
fn chaos_for_minutes() {
    let number = |name: &str, or: u64| {
        let text = std::env::var(format!("VITALS_CHAOS_{name}")).ok();
        text.map_or(or, |text| text.parse().unwrap())
    };
    let (seed, minutes, kills) = (number("SEED", 1), number("MINUTES", 5), number("KILLS", 10));
    let history = usize::try_from(number("EVENTS", 200_000)).unwrap();
    let mut fleet = Fleet::new("chaos", 12).expect("a real Kafka");
    let events = recent(seed, history + LIVE, 20_000, 60);
    let cut = events.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(history).unwrap().0 + 1;
    let file = fleet.data.file("history.ndjson", &events[..cut]);
    fleet.data.import(&file, &["--brokers", &fleet.broker.address]).done();
    let killed = [Fault::KillProcessor, Fault::KillSink, Fault::KillDoor];
    let any = [&FAULTS[..], &BROKER_FAULTS].concat();
    let (mut left, mut until) = (kills, None);
    let mut next = |random: &mut Random| {
        let mut one = |of: &[Fault]| of[usize::try_from(random.below(of.len() as u64)).unwrap()];
        if left > 0 {
            left -= 1;
            return Some(one(&killed));
        }
        let Some(until) = until else {
            until = Some(Instant::now() + LONG + Duration::from_secs(60 * minutes));
            return (minutes > 0).then_some(Fault::BrokerAway(LONG));
        };
        (Instant::now() < until).then(|| one(&any))
    };
    let ledger = Ledger::default();
    ledger.has(&ids(&events[..cut]));
    survive(&mut fleet, ledger, &events[cut..], Duration::ZERO, seed, &mut next);
}
