//! Copies in a folder beside a store, which an owner elsewhere fills.

use std::{collections::BTreeSet, fs, os::unix::fs::DirEntryExt as _, path::Path, thread};

use eventlog::TopicPartition;
use tempfile::TempDir;

use super::*;
use crate::{
    Host, Partitions, State,
    checkpoint::{
        Checkpoints, Identity, Retention,
        tests::{
            faulty::{Fault, Faulty},
            over,
        },
    },
    home::Opened,
    state::Memory,
    worker::Config,
};

/// Longer than anything takes on a busy machine, and less than a store that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

const STAGE: &str = "account";
const TABLES: [&str; 1] = ["a"];

/// The owner of the partitions, on another machine.
struct Owner {
    dir: TempDir,
    store: Checkpoints,
    generation: u64,
}

impl Owner {
    fn over(faulty: &Faulty) -> Owner {
        Owner { dir: tempfile::tempdir().unwrap(), store: over(faulty), generation: 5 }
    }

    /// Saves a state at this offset, which keeps the files that it has.
    fn saves(&self, partition: u32, offset: u64) {
        let path = self.dir.path().join(partition.to_string());
        let state = State::open(&path, &TABLES, &memory()).unwrap();
        state.set_generation(self.generation).unwrap();
        let mut batch = state.batch(0);
        batch.put("a", &offset.to_be_bytes(), b"value").unwrap();
        batch.write(offset).unwrap();
        let dir = self.dir.path().join("checkpoint");
        state.checkpoint(&dir).unwrap();
        let (tenant, task) = ("default".to_owned(), STAGE.to_owned());
        let id = Identity { tenant, task, partition, generation: self.generation, epoch: self.generation };
        self.store.save(&id, &dir).unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}

fn memory() -> Memory {
    Memory::new(1 << 20, 1 << 20)
}

/// Another process, which may take over.
struct Other {
    dir: TempDir,
    host: Host,
    follower: Follower,
}

impl Other {
    fn over(faulty: &Faulty) -> Other {
        let dir = tempfile::tempdir().unwrap();
        let policy = Arc::new(Policy::new(over(faulty), Duration::from_secs(3600), "default").unwrap());
        let follower = Follower {
            policy: policy.clone(),
            home: dir.path().to_owned(),
            tasks: (0..2).map(|partition| (Input::new("events", STAGE, 5), partition)).collect(),
            stop: Arc::default(),
            known: BTreeMap::new(),
        };
        Other { host: Host { memory: memory(), checkpoints: Some(policy) }, dir, follower }
    }

    fn takes(&self, partition: u32) -> Opened {
        let producer = "other".to_owned();
        let (inputs, home) = (vec![Input::new("events", STAGE, 5)], self.dir.path().to_owned());
        let config = Config::new(STAGE, inputs, Partitions::OfGroup, producer, home);
        home::open(&config, &TopicPartition::new("events", partition), &TABLES, &self.host).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Offsets of the copies.
    fn copies(&self) -> Vec<Option<u64>> {
        let of = |partition| {
            let warm = self.path(&format!("{STAGE}-{partition}.restore"));
            crate::state::Inside::read(&warm).ok().and_then(|inside| inside.next_offset)
        };
        (0..2).map(of).collect()
    }
}

fn ssts(dir: &Path) -> BTreeSet<u64> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let ssts = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".sst"));
    ssts.map(|entry| entry.ino()).collect()
}

#[test]
fn what_others_own_is_kept_warm_until_it_is_taken() {
    let faulty = Faulty::new();
    let (owner, mut other) = (Owner::over(&faulty), Other::over(&faulty));
    other.follower.turn();
    assert_eq!(other.copies(), [None, None], "no checkpoints yet");
    owner.saves(0, 10);
    owner.saves(1, 20);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(10), Some(20)]);
    owner.saves(0, 11);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(11), Some(20)]);
    assert_eq!(other.follower.known.len(), 2);

    // The files that were there before are the state now: none was downloaded again.
    let before = ssts(&other.path("account-0.restore"));
    let taken = other.takes(0);
    assert_eq!(taken.state.next_offset().unwrap(), Some(11));
    assert!(ssts(&other.path("account-0")).is_superset(&before) && !before.is_empty());
    assert!(!other.path("account-0.restore").exists());

    // What is owned is not followed, until it is given away.
    owner.saves(0, 12);
    other.follower.turn();
    assert_eq!(other.copies(), [None, Some(20)]);
    drop(taken);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(12), Some(20)]);

    // Its state on disk is near enough: then the copy is not needed.
    assert_eq!(other.takes(0).state.next_offset().unwrap(), Some(11));
    assert_eq!(other.copies(), [None, Some(20)]);
}

#[test]
fn a_copy_of_other_definitions_is_deleted() {
    let faulty = Faulty::new();
    let (owner, mut other) = (Owner::over(&faulty), Other::over(&faulty));
    owner.saves(0, 10);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(10), None]);
    // What follows is of this generation, of which there is nothing yet.
    other.follower.tasks.iter_mut().for_each(|(input, _)| input.generation = 6);
    other.follower.known.clear();
    other.follower.turn();
    assert!(!other.path("account-0.restore").exists());
    Owner { generation: 6, ..Owner::over(&faulty) }.saves(0, 3);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(3), None]);
}

#[test]
fn who_takes_a_partition_does_not_wait_for_a_store_that_hangs() {
    let faulty = Faulty::new();
    let (owner, mut other) = (Owner::over(&faulty), Other::over(&faulty));
    owner.saves(0, 10);
    let (policy, hung) = (other.host.checkpoints.clone().unwrap(), Arc::new(AtomicBool::new(false)));
    let seen = hung.clone();
    faulty.fail(move |_, key| {
        let object = key.contains("objects/");
        seen.fetch_or(object, Ordering::Relaxed);
        object.then_some(Fault::Hang)
    });
    thread::scope(|scope| {
        let follower = &mut other.follower;
        let following = scope.spawn(move || follower.turn());
        while !hung.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        let began = Instant::now();
        let owned = policy.claims().take(STAGE, 0);
        assert!(began.elapsed() < PATIENCE, "took {:?}", began.elapsed());
        following.join().unwrap();
        drop(owned);
    });
    assert_eq!(other.copies(), [None, None]);
    faulty.fail(|_, _| None);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(10), None]);
}

#[test]
fn a_store_that_fails_leaves_the_copies_that_are_here() {
    let faulty = Faulty::new();
    let (owner, mut other) = (Owner::over(&faulty), Other::over(&faulty));
    owner.saves(0, 10);
    other.follower.turn();
    faulty.fail(|_, _| Some(Fault::Error));
    other.follower.turn();
    assert_eq!(other.copies(), [Some(10), None]);
    faulty.fail(|_, _| None);
    owner.saves(0, 11);
    other.follower.turn();
    assert_eq!(other.copies(), [Some(11), None]);
}

#[test]
fn the_thread_follows_and_ends() {
    let store = tempfile::tempdir().unwrap();
    let open = || Checkpoints::open(store.path().to_str().unwrap(), Retention::default()).unwrap();
    let owner = Owner { dir: tempfile::tempdir().unwrap(), store: open(), generation: 5 };
    let policy = Arc::new(Policy::new(open(), Duration::from_millis(1), "default").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let standby = Standby::start(policy, dir.path().to_owned(), vec![(Input::new("events", STAGE, 5), 2)]).unwrap();
    owner.saves(1, 30);
    let (warm, began) = (dir.path().join("account-1.restore"), Instant::now());
    while crate::state::Inside::read(&warm).ok().and_then(|inside| inside.next_offset) != Some(30) {
        assert!(began.elapsed() < PATIENCE, "no copy came");
        thread::sleep(Duration::from_millis(5));
    }
    drop(standby);
}
