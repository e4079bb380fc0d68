//! A worker on the embedded log, in a group that gives and takes partitions as the test says.

use std::{
    collections::VecDeque,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
};

use eventlog::{Cleanup, Record, TopicSpec, Watermarks, embedded::Embedded};
use tempfile::TempDir;

use super::*;
use crate::{
    Batch, Kind, Policy, Progress,
    checkpoint::{
        Checkpoints, Identity, Retention,
        tests::{
            faulty::{Fault, Faulty},
            over,
        },
    },
    state::Memory,
};

mod change;

const IN: &str = "numbers";
const OUT: &str = "sums";
const CHANGES: &str = "changes";
const STAGE: &str = "sum";
/// The record that closes an instant; others are numbers.
const TICK: u64 = 0;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Adds up numbers times a factor, and publishes the sum at ticks. A change is another factor, and publishes it times 1,000.
struct Sum {
    partition: u32,
    sum: u64,
    factor: u64,
}

impl Sum {
    fn open(partition: u32, state: &State) -> Result<Sum> {
        let sum = state.get("sum", b"sum")?;
        let factor = state.get("sum", b"factor")?.map_or(1, |bytes| number(&bytes));
        if sum.as_ref().is_some_and(|bytes| bytes.len() != 8) {
            return Err(state.damaged("the sum is no number"));
        }
        Ok(Sum { partition, sum: sum.map_or(0, |bytes| number(&bytes)), factor })
    }
}

impl Fold for Sum {
    const TABLES: &'static [&'static str] = &["sum"];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let mut progress = Progress { applied: 0, closed: None };
        for stored in records {
            progress.applied += 1;
            let value = number(stored.record.value.as_deref().unwrap());
            self.sum += value * self.factor;
            // As a fold with more state than memory: what damage is on disk is met in the middle of the work.
            state.get("sum", b"sum")?;
            if value == TICK {
                progress.closed = Some(stored.offset + 1);
                outputs.push(output(OUT, self.partition, self.sum));
                if pause {
                    break;
                }
            }
        }
        Ok(progress)
    }

    fn change(&mut self, body: &[u8], state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        let on_disk = state.get("sum", b"sum")?.map_or(0, |bytes| number(&bytes));
        assert_eq!(on_disk, self.sum, "the state on disk is as of here");
        self.factor = number(body);
        outputs.push(output(OUT, self.partition, 1_000 * self.factor));
        Ok(())
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        batch.put("sum", b"factor", &self.factor.to_be_bytes())?;
        batch.put("sum", b"sum", &self.sum.to_be_bytes())
    }

    fn dirty(&self) -> usize {
        0
    }
}

fn place(partition: u32) -> TopicPartition {
    TopicPartition::new(IN, partition)
}

fn places(partitions: &[u32]) -> Vec<TopicPartition> {
    partitions.iter().map(|partition| place(*partition)).collect()
}

fn inputs(generation: u64) -> Vec<Input> {
    vec![Input::new(IN, STAGE, generation)]
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn output(topic: &str, partition: u32, value: u64) -> Output {
    let record = Record { value: Some(value.to_be_bytes().to_vec().into()), ..Record::default() };
    Output { topic: topic.into(), partition, record }
}

/// What the group will say next.
type Script = Arc<Mutex<VecDeque<Poll>>>;

/// The embedded log, with a group that does as it is told.
struct Scripted {
    log: Arc<Embedded>,
    script: Script,
}

struct Member {
    log: Arc<Embedded>,
    script: Script,
    readers: BTreeMap<TopicPartition, Box<dyn Consumer>>,
}

impl Log for Scripted {
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
        let Assignment::Group { .. } = assignment else { return self.log.consumer(assignment) };
        let (log, script) = (self.log.clone(), self.script.clone());
        Ok(Box::new(Member { log, script, readers: BTreeMap::new() }))
    }

    fn producer(&self, name: &str) -> eventlog::Result<Box<dyn Producer>> {
        self.log.producer(name)
    }
}

impl Consumer for Member {
    fn poll(&mut self, max_bytes: usize, _wait: Duration) -> eventlog::Result<Poll> {
        if let Some(said) = self.script.lock().unwrap().pop_front() {
            if let Poll::Revoked(partitions) | Poll::Lost(partitions) = &said {
                self.readers.retain(|at, _| !partitions.contains(at));
            }
            return Ok(said);
        }
        for reader in self.readers.values_mut() {
            if let records @ Poll::Records { .. } = reader.poll(max_bytes, Duration::ZERO)? {
                return Ok(records);
            }
        }
        Ok(Poll::Idle)
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> eventlog::Result<()> {
        let reader = self.log.consumer(Assignment::Manual(vec![(at.clone(), offset)]))?;
        self.readers.insert(at.clone(), reader);
        Ok(())
    }

    fn producer(&self, name: &str) -> eventlog::Result<Box<dyn Producer>> {
        self.log.producer(name)
    }
}

/// A log of two partitions, and folders for workers.
struct Fixture {
    dir: TempDir,
    log: Arc<Embedded>,
    checkpoints: Option<Arc<Policy>>,
    opened: Arc<AtomicUsize>,
    /// States may be opened.
    gate: Arc<AtomicBool>,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let log = Embedded::open(dir.path().join("log"), eventlog::embedded::Config::default()).unwrap();
        for name in [IN, OUT] {
            log.create_topic(&TopicSpec { name: name.to_owned(), partitions: 2, cleanup: Cleanup::Keep }).unwrap();
        }
        let gate = Arc::new(AtomicBool::new(true));
        Fixture { dir, log, checkpoints: None, opened: Arc::default(), gate }
    }

    /// Saves a checkpoint at every flush.
    fn with_checkpoints(mut self) -> Fixture {
        let checkpoints = Checkpoints::open(&self.path("store"), Retention::default()).unwrap();
        self.checkpoints = Some(Arc::new(Policy::new(checkpoints, Duration::ZERO, "default").unwrap()));
        self
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn state(&self, home: &str, partition: u32) -> PathBuf {
        self.dir.path().join(home).join(format!("{STAGE}-{partition}"))
    }

    fn host(&self) -> Host {
        Host { memory: Memory::new(1 << 20, 1 << 20), checkpoints: self.checkpoints.clone() }
    }

    /// What is not asked for in a test does not happen by itself.
    fn config(&self, home: &str, partitions: Partitions) -> Config {
        let never = Duration::from_secs(3600);
        Config {
            commit_every: never,
            flush_every: never,
            ..Config::new(STAGE, inputs(5), partitions, home.to_owned(), self.dir.path().join(home))
        }
    }

    fn opener(&self) -> Open<Sum> {
        let (opened, gate) = (self.opened.clone(), self.gate.clone());
        Arc::new(move |at, state| {
            while !gate.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(1));
            }
            opened.fetch_add(1, Ordering::Relaxed);
            Sum::open(at.partition, state)
        })
    }

    fn open(&self, config: Config) -> Result<Worker<Sum>> {
        Worker::open(config, self.opener(), self.host(), self.log.clone())
    }

    /// A worker of its own on partition 0.
    fn alone(&self, home: &str) -> Worker<Sum> {
        self.open(self.config(home, Partitions::These(places(&[0])))).unwrap()
    }

    /// A member of the group, named after its folder.
    fn member(&self, home: &str) -> Scene {
        let script = Script::default();
        let log = Arc::new(Scripted { log: self.log.clone(), script: script.clone() });
        let config = self.config(home, Partitions::OfGroup);
        Scene { worker: Worker::open(config, self.opener(), self.host(), log).unwrap(), script }
    }

    fn append(&self, partition: u32, numbers: &[u64]) {
        let outputs = numbers.iter().map(|value| output(IN, partition, *value)).collect();
        self.log.producer("test").unwrap().commit(Commit { outputs, offsets: Vec::new() }).unwrap();
    }

    /// All that was published.
    fn sums(&self, partition: u32) -> Vec<u64> {
        let mut consumer = self.log.consumer(Assignment::manual(OUT, [(partition, 0)])).unwrap();
        let mut sums = Vec::new();
        while let Poll::Records { records, .. } = consumer.poll(1 << 20, Duration::ZERO).unwrap() {
            sums.extend(records.iter().map(|stored| number(stored.record.value.as_deref().unwrap())));
        }
        sums
    }

    /// G.
    fn committed(&self, partition: u32) -> Option<u64> {
        self.log.committed(STAGE, IN, partition).unwrap().map(|committed| committed.offset)
    }

    /// R of a state that nobody has open.
    fn flushed(&self, home: &str, partition: u32) -> Option<u64> {
        crate::state::Inside::read(&self.state(home, partition)).unwrap().next_offset
    }

    fn identity(&self, epoch: u64) -> Identity {
        Identity { tenant: "default".to_owned(), task: STAGE.to_owned(), partition: 0, generation: 5, epoch }
    }

    /// Waits until a checkpoint of partition 0 is in the store.
    fn saved(&self, offset: u64) {
        let policy = self.checkpoints.clone().unwrap();
        let newest = || policy.store().newest(&self.identity(0), &|| false).unwrap();
        let began = Instant::now();
        while newest().is_none_or(|newest| newest.next_offset < offset) {
            assert!(began.elapsed() < PATIENCE, "no checkpoint at {offset}: {:?}", newest());
            sleep(Duration::from_millis(2));
        }
    }
}

/// A worker of a group.
struct Scene {
    worker: Worker<Sum>,
    script: Script,
}

impl Scene {
    fn says(&mut self, said: Poll) {
        self.script.lock().unwrap().push_back(said);
        self.worker.step().unwrap();
    }

    /// Gives it partitions, whose states it opens.
    fn given(&mut self, partitions: &[u32]) {
        self.says(Poll::Assigned(places(partitions)));
        let began = Instant::now();
        while !self.worker.opening.is_empty() {
            assert!(began.elapsed() < PATIENCE, "states are never open");
            self.worker.begin_opened().unwrap();
        }
    }

    /// Reads and commits all that there is.
    fn works(&mut self) {
        // Once for the records of each partition, once to find nothing more, and to commit.
        (0..4).for_each(|_| self.worker.step().unwrap());
    }

    fn runs(&self) -> Vec<u32> {
        self.worker.parts.keys().map(|at| at.partition).collect()
    }
}

/// Runs a worker until it has nothing more to do, then to its end.
fn finish(worker: Worker<Sum>) -> Result<()> {
    let mut worker = worker;
    for _ in 0..4 {
        worker.step().inspect_err(home::condemn)?;
    }
    worker.rest()
}

#[test]
fn revoked_partitions_are_committed_and_flushed_before_they_go() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, 2, TICK, 4]);
    fixture.append(1, &[8, TICK]);
    let mut scene = fixture.member("a");
    scene.given(&[0, 1]);
    // Both are read, and nothing is committed yet.
    scene.worker.step().unwrap();
    scene.worker.step().unwrap();
    assert_eq!((fixture.committed(0), fixture.committed(1)), (None, None));
    scene.says(Poll::Revoked(places(&[0, 1])));
    assert_eq!((fixture.committed(0), fixture.committed(1)), (Some(3), Some(2)));
    assert_eq!((fixture.sums(0), fixture.sums(1)), (vec![3], vec![8]));
    assert_eq!(scene.runs(), Vec::<u32>::new());
    drop(scene);
    assert_eq!(fixture.flushed("a", 1), Some(2));
    // Its position is after the 4, which no tick has closed: it is read again.
    assert_eq!(fixture.flushed("a", 0), None);
}

#[test]
fn no_state_is_written_before_its_outputs() {
    let fixture = Fixture::new();
    let flushing = Config { flush_every: Duration::ZERO, ..fixture.config("a", Partitions::These(places(&[0]))) };
    let mut worker = fixture.open(flushing).unwrap();
    fixture.append(0, &[1, TICK]);
    // A newer worker of this name is there: nothing that this one commits is taken.
    let _newer = fixture.log.producer("a").unwrap();
    let failed = (0..4).find_map(|_| worker.step().err());
    assert!(matches!(failed, Some(Error::Log(eventlog::Error::Fenced { .. }))), "{failed:?}");
    drop(worker);
    assert_eq!((fixture.committed(0), fixture.flushed("a", 0)), (None, None));
}

#[test]
fn a_partition_that_comes_back_goes_on_from_memory() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK, 2]);
    let mut scene = fixture.member("a");
    scene.given(&[0, 1]);
    scene.works();
    scene.says(Poll::Revoked(places(&[0, 1])));
    fixture.append(0, &[4, TICK]);
    scene.given(&[0]);
    assert_eq!(scene.runs(), [0]);
    scene.works();
    assert_eq!(fixture.sums(0), [1, 7]);
    assert_eq!(fixture.opened.load(Ordering::Relaxed), 2, "each was opened once");
    // What went to others is closed: their state on disk serves when it comes back.
    scene.says(Poll::Revoked(places(&[0])));
    scene.given(&[1]);
    assert_eq!(fixture.opened.load(Ordering::Relaxed), 3);
}

#[test]
fn what_others_did_in_the_meantime_is_replayed_and_suppressed() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    let (mut first, mut second) = (fixture.member("a"), fixture.member("b"));
    first.given(&[0]);
    first.works();
    first.says(Poll::Revoked(places(&[0])));
    fixture.append(0, &[2, TICK]);
    second.given(&[0]);
    second.works();
    second.says(Poll::Revoked(places(&[0])));
    fixture.append(0, &[4, TICK]);
    first.given(&[0]);
    assert!(first.worker.replaying() > 0, "it is behind what the other has committed");
    first.works();
    assert_eq!(fixture.sums(0), [1, 3, 7]);
    assert_eq!(fixture.opened.load(Ordering::Relaxed), 2);
}

#[test]
fn lost_partitions_are_dropped_without_a_commit() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    let mut scene = fixture.member("a");
    scene.given(&[0]);
    scene.worker.step().unwrap();
    assert_eq!(scene.worker.parts[&place(0)].waiting(), Some(1), "a sum waits for its commit");
    scene.says(Poll::Lost(places(&[0])));
    scene.works();
    assert_eq!((fixture.committed(0), fixture.sums(0)), (None, vec![]));
    // Nothing of it is left in memory: the next owner, or this one, begins from disk.
    scene.given(&[0]);
    scene.works();
    assert_eq!((fixture.committed(0), fixture.sums(0)), (Some(2), vec![1]));
    assert_eq!(fixture.opened.load(Ordering::Relaxed), 2);
}

#[test]
fn a_partition_revoked_while_it_is_opened_is_not_begun() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    fixture.gate.store(false, Ordering::Relaxed);
    let mut scene = fixture.member("a");
    scene.says(Poll::Assigned(places(&[0])));
    assert_eq!(scene.worker.replaying(), 1, "it says that it is not ready");
    scene.says(Poll::Revoked(places(&[0])));
    fixture.gate.store(true, Ordering::Relaxed);
    let began = Instant::now();
    while !scene.worker.opening.is_empty() {
        assert!(began.elapsed() < PATIENCE);
        scene.worker.step().unwrap();
    }
    scene.works();
    assert_eq!((scene.runs(), fixture.sums(0)), (vec![], vec![]));
    // Given again, it waits for nobody.
    scene.given(&[0]);
    scene.works();
    assert_eq!(fixture.sums(0), [1]);
}

#[test]
fn other_definitions_are_refused_and_discard_nothing() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    finish(fixture.alone("a")).unwrap();
    let other = Config { inputs: inputs(6), ..fixture.config("a", Partitions::These(places(&[0]))) };
    let error = fixture.open(other).err().unwrap();
    assert!(matches!(error, Error::Definitions { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Fatal);
    assert_eq!(fixture.flushed("a", 0), Some(2), "the state of the others is still there");
}

/// Spoils what the fold keeps, so that only the fold notices.
fn spoil(state: &Path) {
    let state = State::open(state, Sum::TABLES, &Memory::new(1 << 20, 1 << 20)).unwrap();
    let mut batch = state.batch(0);
    batch.put("sum", b"sum", b"no number").unwrap();
    batch.write(state.next_offset().unwrap().unwrap()).unwrap();
}

/// Changes bytes of what the fold keeps in the files of a state, not of what the task keeps.
fn flip(state: &Path) {
    // Opened again, what was in the write-ahead log is in files of tables.
    drop(State::open(state, Sum::TABLES, &Memory::new(1 << 20, 1 << 20)).unwrap());
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    let mut flipped = 0;
    for entry in fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "sst") && !has(&bytes, b"next_offset") {
            // The first block has the keys; what opens a table is at its end.
            bytes[..8].iter_mut().for_each(|byte| *byte ^= 0x55);
            fs::write(path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert!(flipped > 0);
}

#[test]
fn damage_met_when_a_state_is_opened_discards_it_at_once() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    finish(fixture.alone("a")).unwrap();
    flip(&fixture.state("a", 0));
    fixture.append(0, &[2, TICK]);
    finish(fixture.alone("a")).unwrap();
    assert_eq!((fixture.sums(0), fixture.flushed("a", 0)), (vec![1, 3], Some(4)));
}

#[test]
fn damage_met_while_a_state_is_open_discards_it_and_the_log_makes_it_again() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    finish(fixture.alone("a")).unwrap();
    spoil(&fixture.state("a", 0));
    fixture.append(0, &[2, TICK]);
    let error = fixture.open(fixture.config("a", Partitions::These(places(&[0])))).err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Restart);
    assert!(fixture.state("a", 0).join("DAMAGED").exists(), "it is marked");
    finish(fixture.alone("a")).unwrap();
    assert!(!fixture.state("a", 0).join("DAMAGED").exists());
    assert_eq!((fixture.sums(0), fixture.flushed("a", 0)), (vec![1, 3], Some(4)));
}

#[test]
fn damage_ends_the_worker_of_a_group_and_the_next_one_goes_on() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK]);
    finish(fixture.alone("a")).unwrap();
    spoil(&fixture.state("a", 0));
    fixture.append(0, &[2, TICK]);
    let scene = fixture.member("a");
    scene.script.lock().unwrap().push_back(Poll::Assigned(places(&[0])));
    let (never, status) = (AtomicBool::new(false), Status::default());
    let error = scene.worker.run(&never, &status).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(!status.recovered());
    let mut scene = fixture.member("a");
    scene.given(&[0]);
    scene.works();
    assert_eq!(fixture.sums(0), [1, 3]);
}

#[test]
fn a_state_that_cannot_be_opened_is_made_again() {
    let fixture = Fixture::new();
    fixture.append(0, &[1, TICK, 2, TICK]);
    finish(fixture.alone("a")).unwrap();
    fs::write(fixture.state("a", 0).join("CURRENT"), "MANIFEST-nowhere\n").unwrap();
    finish(fixture.alone("a")).unwrap();
    assert_eq!((fixture.sums(0), fixture.flushed("a", 0)), (vec![1, 3], Some(4)));
}

#[test]
fn a_wiped_state_is_restored_and_goes_on_the_same() {
    let fixture = Fixture::new().with_checkpoints();
    fixture.append(0, &[1, TICK, 2, TICK]);
    finish(fixture.alone("a")).unwrap();
    fixture.saved(4);
    fixture.append(0, &[4, TICK]);
    // What it commits and does not flush is replayed from the checkpoint.
    let mut worker = fixture.alone("a");
    (0..4).for_each(|_| worker.step().unwrap());
    drop(worker);
    fs::remove_dir_all(fixture.state("a", 0)).unwrap();
    fixture.append(0, &[8, TICK]);
    let worker = fixture.alone("a");
    assert_eq!(
        (worker.parts[&place(0)].position(), worker.replaying()),
        (4, 1),
        "from the checkpoint, not from the start"
    );
    finish(worker).unwrap();
    assert_eq!(fixture.sums(0), [1, 3, 7, 15]);
}

#[test]
fn a_state_far_behind_a_checkpoint_is_replaced_by_it() {
    let fixture = Fixture::new().with_checkpoints();
    let (config, host) = (fixture.config("a", Partitions::These(places(&[0]))), fixture.host());
    let open = || home::open(&config, &place(0), Sum::TABLES, &host).unwrap().state;
    // The numbers of a checkpoint count records of a log that is not here.
    let save = |offset: u64| {
        let other = State::open(&fixture.dir.path().join("other"), Sum::TABLES, &host.memory).unwrap();
        other.set_generation(5).unwrap();
        other.batch(0).write(offset).unwrap();
        let dir = fixture.dir.path().join("checkpoint");
        other.checkpoint(&dir).unwrap();
        let policy = fixture.checkpoints.clone().unwrap();
        policy.store().save(&fixture.identity(1), &dir).unwrap();
        fs::remove_dir_all(dir).unwrap();
    };
    open().batch(0).write(7).unwrap();
    save(200_000);
    assert_eq!(open().next_offset().unwrap(), Some(7), "replay is as fast");
    save(200_008);
    assert_eq!(open().next_offset().unwrap(), Some(200_008));
}

#[test]
fn a_store_that_fails_stops_nobody() {
    let faulty = Faulty::new();
    let mut fixture = Fixture::new();
    fixture.checkpoints = Some(Arc::new(Policy::new(over(&faulty), Duration::ZERO, "default").unwrap()));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    faulty.fail(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Some(Fault::Error)
    });
    fixture.append(0, &[1, TICK]);
    finish(fixture.alone("a")).unwrap();
    // It comes back between the two halves of the work: what began without it can be saved the next time.
    faulty.fail(|_, _| None);
    fixture.append(0, &[2, TICK]);
    finish(fixture.alone("a")).unwrap();
    fixture.saved(4);
    faulty.fail(|_, _| Some(Fault::Error));
    fs::remove_dir_all(fixture.state("a", 0)).unwrap();
    fixture.append(0, &[4, TICK]);
    finish(fixture.alone("a")).unwrap();
    assert_eq!((fixture.sums(0), fixture.flushed("a", 0)), (vec![1, 3, 7], Some(6)));
    assert!(asked.load(Ordering::Relaxed) > 0, "the faults did not happen");
}
