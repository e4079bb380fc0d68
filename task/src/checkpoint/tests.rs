//! Real states, saved to a directory or to a store that fails as told, and restored.

use std::{
    collections::BTreeSet,
    fs,
    ops::ControlFlow,
    os::unix::fs::DirEntryExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use self::faulty::{Fault, Faulty};
use super::{store::Patience, *};
use crate::{State, state::Memory};

pub(crate) mod faulty;
#[cfg(feature = "s3")]
mod s3;

const TABLES: [&str; 2] = ["a", "j"];

/// Keeps the newest so many, and gives no grace.
fn keep(keep: usize) -> Retention {
    Retention { keep, grace: Duration::ZERO }
}

fn id() -> Identity {
    Identity { tenant: "default".to_owned(), task: "account".to_owned(), partition: 3, generation: 5, epoch: 1 }
}

fn open(path: &Path) -> State {
    State::open(path, &TABLES, &Memory::new(8 << 20, 8 << 20)).unwrap()
}

/// Everything that a state says.
fn dump(state: &State) -> Vec<String> {
    let mut lines = vec![format!("{:?} {:?}", state.next_offset().unwrap(), state.generation().unwrap())];
    for table in TABLES {
        let line = |key: &[u8], value: &[u8]| {
            lines.push(format!("{table} {key:?} {} {}", value.len(), xxhash_rust::xxh3::xxh3_64(value)));
            true
        };
        state.scan(table, b"", line).unwrap();
    }
    lines
}

/// A state that goes on, and its checkpoints.
struct Fixture {
    dir: TempDir,
    state: State,
    checkpoints: Checkpoints,
    offset: u64,
    made: usize,
}

impl Fixture {
    fn new(retention: Retention) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(dir.path().join("store").to_str().unwrap(), retention).unwrap();
        Fixture::with(dir, checkpoints)
    }

    fn faulty(patience: Patience) -> (Fixture, Faulty) {
        let faulty = Faulty::new();
        let store = Store::new(Arc::new(faulty.clone()), "faulty", patience);
        let checkpoints = Checkpoints::with(store, Retention::default()).unwrap();
        (Fixture::with(tempfile::tempdir().unwrap(), checkpoints), faulty)
    }

    fn with(dir: TempDir, checkpoints: Checkpoints) -> Fixture {
        let state = open(&dir.path().join("state"));
        state.set_generation(id().generation).unwrap();
        Fixture { dir, state, checkpoints, offset: 0, made: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A flush of some records.
    fn advance(&mut self) {
        let mut batch = self.state.batch(0);
        for n in 0..200_u64 {
            let key = (self.offset * 31 + n * 7).to_be_bytes();
            batch.put("a", &key, format!("value {} {n}", self.offset).as_bytes()).unwrap();
            batch.put("j", &(n % 50).to_be_bytes(), &key).unwrap();
        }
        self.offset += 200;
        batch.write(self.offset).unwrap();
    }

    fn checkpoint(&mut self) -> PathBuf {
        self.made += 1;
        let dir = self.path(&format!("checkpoint-{}", self.made));
        self.state.checkpoint(&dir).unwrap();
        dir
    }

    fn save(&mut self) -> Saved {
        let dir = self.checkpoint();
        self.checkpoints.save(&id(), &dir).unwrap()
    }

    /// Advances, saves, and says what the saved state says.
    fn saved(&mut self) -> Vec<String> {
        self.advance();
        self.save();
        dump(&self.state)
    }

    fn restore(&self, name: &str) -> Result<Option<Manifest>> {
        self.checkpoints.restore(&id(), &self.path(name), &mut |_| ControlFlow::Continue(()))
    }

    /// Restores and says what the restored state says.
    fn restored(&self, name: &str) -> Vec<String> {
        let manifest = self.restore(name).unwrap().expect("there is a checkpoint");
        let state = open(&self.path(name));
        assert_eq!(state.next_offset().unwrap(), Some(manifest.next_offset));
        dump(&state)
    }

    fn place(&self) -> PathBuf {
        self.path("store").join("account/3")
    }

    fn newest(&self) -> Manifest {
        self.checkpoints.list().unwrap().pop().unwrap().manifest.unwrap()
    }

    /// An object that the newest manifest names and no other does.
    fn newest_object(&self) -> PathBuf {
        let entries = self.checkpoints.list().unwrap();
        let manifests: Vec<Manifest> = entries.into_iter().map(|entry| entry.manifest.unwrap()).collect();
        let (newest, older) = manifests.split_last().unwrap();
        let known = |hash| older.iter().any(|manifest| manifest.files.iter().any(|file| file.hash == hash));
        let file = newest.files.iter().find(|file| file.name.ends_with(".sst") && !known(file.hash)).unwrap();
        self.place().join("objects").join(file.hash.to_string())
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_saved_is_restored() {
    let mut fixture = Fixture::new(Retention::default());
    assert_eq!(fixture.restore("none").unwrap(), None);
    assert!(!fixture.path("none").exists(), "no checkpoint makes no state");
    fixture.saved();
    let expected = fixture.saved();
    fixture.advance();
    assert_eq!(fixture.restored("copy"), expected);
    assert!(!fixture.path("copy.restore").exists());
    let again = fixture.restore("copy").unwrap_err();
    assert!(matches!(again, Error::Occupied(_)), "{again}");
}

#[test]
fn a_restored_state_goes_on_and_is_saved_again() {
    let mut fixture = Fixture::new(Retention::default());
    fixture.saved();
    fixture.restored("copy");
    // RocksDB gives new files names that the first one used for others.
    fixture.state = open(&fixture.path("copy"));
    fixture.saved();
    let next = Identity { epoch: 2, ..id() };
    fixture.advance();
    let dir = fixture.checkpoint();
    fixture.checkpoints.save(&next, &dir).unwrap();
    assert_eq!(fixture.restored("again"), dump(&fixture.state));
    assert_eq!(fixture.newest().key(), Key { epoch: 2, next_offset: 600 });
}

#[test]
fn only_new_content_is_uploaded() {
    let mut fixture = Fixture::new(Retention::default());
    fixture.advance();
    let first = fixture.save();
    assert_eq!((first.files_uploaded, first.bytes_uploaded), (first.files, first.bytes_total));
    fixture.advance();
    let second = fixture.save();
    let ssts = |manifest: &Manifest| manifest.files.iter().filter(|file| file.name.ends_with(".sst")).count();
    assert_eq!(ssts(&fixture.newest()), 6, "three tables, flushed twice");
    // One SST a table, MANIFEST, OPTIONS and the log; CURRENT, at the most, says the same.
    assert!((3..=7).contains(&second.files_uploaded), "{second:?}");
    assert!(second.bytes_uploaded < second.bytes_total, "{second:?}");
    let objects = fs::read_dir(fixture.place().join("objects")).unwrap().count();
    assert_eq!(objects, first.files_uploaded + second.files_uploaded);
}

#[test]
fn a_file_of_many_pieces_is_whole() {
    let mut fixture = Fixture::new(Retention::default());
    let mut word = 1_u64;
    let mut noise = || {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        word.to_be_bytes()
    };
    let value: Vec<u8> = (0..(20 << 20) / 8).flat_map(|_| noise()).collect();
    let mut batch = fixture.state.batch(0);
    batch.put("a", b"big", &value).unwrap();
    batch.write(1).unwrap();
    fixture.save();
    assert!(fixture.newest().files.iter().any(|file| file.size > 2 * store::PIECE as u64));
    assert_eq!(fixture.restored("copy"), dump(&fixture.state));
}

#[test]
fn a_damaged_newest_gives_way_to_the_one_before() {
    type Damage = fn(&Fixture);
    let damages: [(&str, Damage); 6] = [
        ("bit flip", |fixture| flip(&fixture.newest_object())),
        ("missing", |fixture| fs::remove_file(fixture.newest_object()).unwrap()),
        ("cut", |fixture| fs::write(fixture.newest_object(), "short").unwrap()),
        ("empty", |fixture| fs::write(fixture.newest_object(), "").unwrap()),
        ("garbage manifest", |fixture| {
            let key = fixture.newest().key().to_string();
            fs::write(fixture.place().join("manifests").join(key), "{\"format\": 1, ").unwrap();
        }),
        ("another offset", |fixture| {
            let newest = fixture.newest();
            let lie = Manifest::new(&id(), newest.next_offset + 1, newest.files.clone());
            let manifests = fixture.place().join("manifests");
            fs::remove_file(manifests.join(newest.key().to_string())).unwrap();
            fs::write(manifests.join(lie.key().to_string()), lie.encode()).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let mut fixture = Fixture::new(Retention::default());
        let before = fixture.saved();
        fixture.saved();
        damage(&fixture);
        assert_eq!(fixture.restored("copy"), before, "{name}");
    }
}

/// Name of the newest manifest.
fn newest_key(fixture: &Fixture) -> String {
    fixture.newest().key().to_string()
}

#[test]
fn none_whole_is_an_error_and_makes_no_state() {
    let mut fixture = Fixture::new(Retention::default());
    fixture.saved();
    fixture.saved();
    for object in fs::read_dir(fixture.place().join("objects")).unwrap().map(|entry| entry.unwrap()) {
        // The log of RocksDB is empty after a flush.
        if object.metadata().unwrap().len() > 0 {
            flip(&object.path());
        }
    }
    let error = fixture.restore("copy").unwrap_err();
    assert_eq!(error.kind(), Kind::Rebuild);
    assert_eq!(error.to_string().matches("it is damaged").count(), 2, "{error}");
    assert!(!fixture.path("copy").exists());
}

#[test]
fn a_manifest_cannot_write_elsewhere() {
    let mut fixture = Fixture::new(Retention::default());
    let before = fixture.saved();
    let good = fixture.newest();
    let outside = fixture.path("outside");
    for (n, name) in ["../outside", outside.to_str().unwrap(), "..", "a/../../outside"].into_iter().enumerate() {
        let mut hostile = Manifest::new(&id(), 1_000 + n as u64, good.files.clone());
        hostile.files.push(File { name: name.to_owned(), ..good.files[0].clone() });
        let path = fixture.place().join("manifests").join(hostile.key().to_string());
        fs::write(path, hostile.encode()).unwrap();
    }
    assert_eq!(fixture.restored("copy"), before);
    assert!(!outside.exists());
}

#[test]
fn other_definitions_are_passed_over_and_a_newer_version_is_not() {
    let mut fixture = Fixture::new(Retention::default());
    let before = fixture.saved();
    let good = fixture.newest();
    let other = Manifest::new(&Identity { generation: 6, ..id() }, 1_000, good.files);
    let manifests = fixture.place().join("manifests");
    fs::write(manifests.join(other.key().to_string()), other.encode()).unwrap();
    assert_eq!(fixture.restored("copy"), before);
    let nobody = Identity { generation: 7, ..id() };
    let mut go_on = |_: Progress| ControlFlow::Continue(());
    assert_eq!(fixture.checkpoints.restore(&nobody, &fixture.path("nobody"), &mut go_on).unwrap(), None);

    let newer = String::from_utf8(other.encode()).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(manifests.join(other.key().to_string()), newer).unwrap();
    let error = fixture.restore("newer").unwrap_err();
    assert!(error.to_string().contains("written by a newer version"), "{error}");
    assert_eq!(error.kind(), Kind::Fatal);
}

#[test]
fn a_state_of_other_definitions_is_not_saved() {
    let mut fixture = Fixture::new(Retention::default());
    fixture.advance();
    let dir = fixture.checkpoint();
    let error = fixture.checkpoints.save(&Identity { generation: 6, ..id() }, &dir).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let error = fixture.checkpoints.save(&Identity { task: "../x".to_owned(), ..id() }, &dir).unwrap_err();
    assert!(matches!(error, Error::Name(_)), "{error}");
}

#[test]
fn who_was_replaced_saves_and_deletes_nothing() {
    let mut fixture = Fixture::new(keep(1));
    fixture.advance();
    let dir = fixture.checkpoint();
    fixture.checkpoints.save(&Identity { epoch: 2, ..id() }, &dir).unwrap();
    for error in [fixture.checkpoints.save(&id(), &dir).unwrap_err(), fixture.checkpoints.collect(&id()).unwrap_err()] {
        assert_eq!(error.to_string(), "checkpoint of account/3: epoch 2 has taken over, this is epoch 1");
    }
}

#[test]
fn a_checkpoint_is_never_replaced() {
    let mut fixture = Fixture::new(Retention::default());
    let before = fixture.saved();
    let dir = fixture.path("checkpoint-1");
    // The same again is the same.
    fixture.checkpoints.save(&id(), &dir).unwrap();
    let mut batch = fixture.state.batch(0);
    batch.put("a", b"x", b"another history").unwrap();
    batch.write(fixture.offset).unwrap();
    let other = fixture.checkpoint();
    let error = fixture.checkpoints.save(&id(), &other).unwrap_err();
    assert!(matches!(error, Error::Taken { .. }), "{error}");
    assert_eq!(fixture.restored("copy"), before);
}

#[test]
fn the_newest_are_kept_and_restorable_after_a_collection() {
    let mut fixture = Fixture::new(keep(2));
    let mut saved: Vec<Vec<String>> = (0..6).map(|_| fixture.saved()).collect();
    let garbage = fixture.checkpoints.collect(&id()).unwrap();
    assert_eq!(garbage.manifests.len(), 4);
    assert!(!garbage.objects.is_empty());
    assert_eq!(fixture.checkpoints.list().unwrap().len(), 2);
    assert_eq!(fixture.restored("newest"), saved.pop().unwrap());
    fs::remove_file(fixture.place().join("manifests").join(newest_key(&fixture))).unwrap();
    assert_eq!(fixture.restored("before"), saved.pop().unwrap());
    let again = fixture.checkpoints.collect(&id()).unwrap();
    assert_eq!(again.manifests, []);
}

#[test]
fn a_restore_survives_a_collection_under_way() {
    let mut fixture = Fixture::new(keep(1));
    fixture.saved();
    let store = fixture.path("store").to_str().unwrap().to_owned();
    // The first checkpoint is deleted under the restore, which has to begin again with a newer one.
    let restorer = Checkpoints::open(&store, keep(1)).unwrap();
    let target = fixture.path("copy");
    let mut raced = false;
    let mut expected = Vec::new();
    let mut progress = |_: Progress| {
        if !raced {
            raced = true;
            thread::scope(|scope| {
                let race = || {
                    let mut newest = Vec::new();
                    for _ in 0..6 {
                        newest = fixture.saved();
                    }
                    (newest, fixture.checkpoints.collect(&id()).unwrap())
                };
                let (newest, garbage) = scope.spawn(race).join().unwrap();
                assert!(!garbage.objects.is_empty());
                expected = newest;
            });
        }
        ControlFlow::Continue(())
    };
    let manifest = restorer.restore(&id(), &target, &mut progress).unwrap().unwrap();
    assert_eq!(manifest.next_offset, 1_400);
    assert_eq!(dump(&open(&target)), expected);
}

/// The inodes of a directory's files that never change.
fn ssts(dir: &Path) -> BTreeSet<u64> {
    let entries = fs::read_dir(dir).unwrap().map(std::result::Result::unwrap);
    let ssts = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".sst"));
    ssts.map(|entry| entry.ino()).collect()
}

#[test]
fn a_standby_has_little_left_to_do() {
    let mut fixture = Fixture::new(Retention::default());
    let target = fixture.path("standby");
    let follow = |fixture: &Fixture| fixture.checkpoints.follow(&id(), &target, &|| false).unwrap();
    assert_eq!(follow(&fixture), None);
    let mut before = BTreeSet::new();
    for turn in 0..3 {
        fixture.saved();
        assert_eq!(follow(&fixture).unwrap().next_offset, fixture.offset);
        let now = ssts(&fixture.path("standby.restore"));
        assert!(now.len() > before.len() && now.is_superset(&before), "turn {turn}: only what is new is downloaded");
        before = now;
    }
    assert!(!target.exists(), "a standby is no state yet");
    let mut left = None;
    let mut watch = |progress: Progress| {
        left.get_or_insert(progress.total - progress.done);
        ControlFlow::Continue(())
    };
    fixture.checkpoints.restore(&id(), &target, &mut watch).unwrap().unwrap();
    assert_eq!(left, Some(0));
    assert_eq!(dump(&open(&target)), dump(&fixture.state));
}

#[test]
fn an_interrupted_restore_goes_on_where_it_was() {
    let mut fixture = Fixture::new(Retention::default());
    let expected = fixture.saved();
    let mut pieces = 0;
    let mut watch = |_: Progress| {
        pieces += 1;
        if pieces > 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = fixture.checkpoints.restore(&id(), &fixture.path("copy"), &mut watch).unwrap_err();
    assert!(matches!(error, Error::Stopped), "{error}");
    assert!(!fixture.path("copy").exists());
    assert_eq!(fixture.restored("copy"), expected);
}

/// Checkpoints in a store that fails as told; one that hangs is waited for.
pub(crate) fn over(faulty: &Faulty) -> Checkpoints {
    let store = Store::new(Arc::new(faulty.clone()), "faulty", impatient());
    Checkpoints::with(store, Retention::default()).unwrap()
}

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// Tries again at once, so that the tests are quick.
fn impatient() -> Patience {
    Patience { attempt: PATIENCE, retries: 3, pause: Duration::from_millis(1) }
}

#[test]
fn passing_faults_of_the_store_are_not_noticed() {
    let (mut fixture, faulty) = Fixture::faulty(impatient());
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let mut turn = 0;
    faulty.fail(move |_, _| {
        turn += 1;
        let fault = [Some(Fault::Error), None, None, Some(Fault::ReplyLost), None][turn % 5];
        count.fetch_add(usize::from(fault.is_some()), Ordering::Relaxed);
        fault
    });
    fixture.saved();
    let expected = fixture.saved();
    assert_eq!(fixture.restored("copy"), expected);
    assert!(seen.load(Ordering::Relaxed) > 5, "the faults did not happen");
}

#[test]
fn a_manifest_whose_reply_was_lost_is_saved() {
    let (mut fixture, faulty) = Fixture::faulty(impatient());
    let mut lost = 0;
    faulty.fail(move |operation, key| {
        lost += usize::from(operation == "put" && key.contains("manifests"));
        (operation == "put" && key.contains("manifests") && lost == 1).then_some(Fault::ReplyLost)
    });
    let expected = fixture.saved();
    assert_eq!(fixture.restored("copy"), expected);
}

#[test]
fn an_upload_that_died_is_not_seen_and_is_used_by_the_next() {
    let (mut fixture, faulty) = Fixture::faulty(impatient());
    let before = fixture.saved();
    fixture.advance();
    let dir = fixture.checkpoint();
    let mut puts = 0;
    faulty.fail(move |operation, _| {
        puts += usize::from(operation == "put");
        (operation == "put" && puts > 2).then_some(Fault::Error)
    });
    let error = fixture.checkpoints.save(&id(), &dir).unwrap_err();
    assert_eq!(error.kind(), Kind::Retry, "{error}");
    assert_eq!(fixture.restored("before"), before);
    faulty.fail(|_, _| None);
    let whole = fixture.checkpoints.contents.of(&dir).unwrap().len();
    let saved = fixture.checkpoints.save(&id(), &dir).unwrap();
    assert!(saved.files_uploaded + 2 < whole, "{saved:?} of {whole}");
    assert_eq!(fixture.restored("after"), dump(&fixture.state));
}

#[test]
fn a_store_that_hangs_is_given_up() {
    let attempt = Duration::from_millis(200);
    let (mut fixture, faulty) = Fixture::faulty(Patience { attempt, retries: 1, ..impatient() });
    fixture.advance();
    let dir = fixture.checkpoint();
    faulty.fail(|operation, _| (operation == "put").then_some(Fault::Hang));
    let error = fixture.checkpoints.save(&id(), &dir).unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Retry);
}

#[test]
fn the_end_does_not_wait_for_a_store_that_hangs() {
    let patient = Patience { attempt: 10 * PATIENCE, ..impatient() };
    let (mut fixture, faulty) = Fixture::faulty(patient);
    fixture.advance();
    let dir = fixture.checkpoint();
    let hung = Arc::new(AtomicBool::new(false));
    let seen = hung.clone();
    faulty.fail(move |operation, _| {
        let put = operation == "put";
        seen.fetch_or(put, Ordering::Relaxed);
        put.then_some(Fault::Hang)
    });
    let checkpoints = Checkpoints::with(Store::new(Arc::new(faulty), "faulty", patient), Retention::default());
    let uploads = Uploads::start(Arc::new(checkpoints.unwrap())).unwrap();
    let began = Instant::now();
    uploads.offer(id(), dir.clone());
    while !hung.load(Ordering::Relaxed) {
        assert!(began.elapsed() < PATIENCE, "nothing is uploaded");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(uploads.busy("account", 3));
    drop(uploads);
    assert!(began.elapsed() < 5 * PATIENCE, "it waited for the store");
    assert!(!dir.exists());
}

#[test]
fn uploads_go_on_after_a_failure() {
    let (mut fixture, faulty) = Fixture::faulty(impatient());
    let uploads = Uploads::start(Arc::new(over(&faulty))).unwrap();
    let offer = |fixture: &mut Fixture| {
        fixture.advance();
        let dir = fixture.checkpoint();
        uploads.offer(id(), dir.clone());
        while uploads.busy("account", 3) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!dir.exists());
    };
    faulty.fail(|_, _| Some(Fault::Error));
    offer(&mut fixture);
    faulty.fail(|_, _| None);
    assert_eq!(fixture.restore("copy").unwrap(), None);
    for _ in 0..10 {
        offer(&mut fixture);
    }
    assert_eq!(fixture.restored("copy"), dump(&fixture.state));
}

#[test]
fn verify_finds_what_is_wrong() {
    let mut fixture = Fixture::new(Retention::default());
    fixture.saved();
    let manifest = fixture.newest();
    assert_eq!(fixture.checkpoints.verify(&manifest, false).unwrap(), Vec::<String>::new());
    flip(&fixture.newest_object());
    assert_eq!(fixture.checkpoints.verify(&manifest, true).unwrap(), Vec::<String>::new());
    let faults = fixture.checkpoints.verify(&manifest, false).unwrap();
    assert!(faults.len() == 1 && faults[0].contains("has the content"), "{faults:?}");
    fs::remove_file(fixture.newest_object()).unwrap();
    let faults = fixture.checkpoints.verify(&manifest, true).unwrap();
    assert!(faults.len() == 1 && faults[0].ends_with("is missing"), "{faults:?}");
}
