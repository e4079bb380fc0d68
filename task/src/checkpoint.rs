//! Checkpoints: states kept in an object store, so that a task that lost its disk or its machine starts
//! from there and not from offset 0.
//!
//! ```text
//!     TASK/PARTITION/objects/HASH                  files of RocksDB, by content: each is uploaded once
//!     TASK/PARTITION/manifests/EPOCH-OFFSET.json   which of them are a state; written last, never changed
//! ```
//!
//! Invariants: a checkpoint is seen whole or not at all ([`save`]); what is restored is what was saved,
//! or nothing is ([`restore`]); nothing that a kept checkpoint needs is deleted ([`gc`]). No failure
//! here stops a task: without a checkpoint it replays more of the log. Every decision is a function of
//! facts, apart from I/O. It does not know when to save, nor what is in a state beside its position.
//!
//! Calls block: they belong on a side thread. Tokio stays inside.

use std::{collections::BTreeMap, fmt, future::Future, ops::ControlFlow, path::Path, time::Duration};

use object_store::path::Path as StorePath;
use tokio::{runtime::Runtime, sync::watch};

mod contents;
mod error;
mod gc;
mod manifest;
mod restore;
mod save;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod uploads;

pub use error::{Error, Kind, Result};
pub use gc::Garbage;
pub use manifest::{File, Hash, Key, Manifest, Refusal};
pub use uploads::Uploads;

use contents::Contents;
use restore::Restore;
use store::{Listed, Patience, Store};

/// Transfers at the same time; each holds at most 8 MiB.
const PARALLEL: usize = 4;

/// How soon it is noticed that somebody gave up.
const LOOK: Duration = Duration::from_millis(20);

/// Whose state it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose events.
    pub tenant: String,
    /// What folds them.
    pub task: String,
    /// Partition of the input.
    pub partition: u32,
    /// Hash of the definitions.
    pub generation: u64,
    /// Higher with each owner of the partition; a restored checkpoint's plus one is.
    pub epoch: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.partition)
    }
}

/// Which checkpoints to keep.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// The newest so many.
    pub keep: usize,
    /// And everything younger: an upload or a restore may take that long.
    pub grace: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { keep: 3, grace: Duration::from_secs(3600) }
    }
}

/// What a save did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// R of the saved state.
    pub next_offset: u64,
    /// Bytes of the state.
    pub bytes_total: u64,
    /// Bytes that were not in the store yet.
    pub bytes_uploaded: u64,
    /// Files of the state.
    pub files: usize,
    /// Files that were not in the store yet.
    pub files_uploaded: usize,
}

/// How far a restore is; bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Downloaded, or there before.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// A checkpoint as listed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name of the task.
    pub task: String,
    /// Partition of the input.
    pub partition: u32,
    /// Its place among those of the partition.
    pub key: Key,
    /// When it was written, by the clock of the store; microseconds since the Unix epoch.
    pub modified: i64,
    /// What it says, or why it cannot be used.
    pub manifest: Result<Manifest, Refusal>,
}

/// Where the checkpoints of a partition lie.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place(StorePath);

impl Place {
    fn of(id: &Identity) -> Result<Place> {
        Place::new(&id.task, id.partition)
    }

    fn new(task: &str, partition: u32) -> Result<Place> {
        if !manifest::harmless(task) {
            return Err(Error::Name(task.to_owned()));
        }
        Ok(Place(StorePath::from_iter([task, &partition.to_string()])))
    }

    fn objects(&self) -> StorePath {
        self.0.clone().join("objects")
    }

    fn object(&self, hash: Hash) -> StorePath {
        self.objects().join(hash.to_string())
    }

    fn manifest(&self, key: Key) -> StorePath {
        self.0.clone().join("manifests").join(key.to_string())
    }

    /// Every manifest and when it was written, oldest first.
    async fn manifests(&self, store: &Store) -> Result<Vec<(Key, i64)>> {
        let listed = store.list(&self.0.clone().join("manifests")).await?;
        let mut keys: Vec<(Key, i64)> =
            listed.into_iter().filter_map(|listed| Some((Key::parse(&listed.name)?, listed.modified))).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// Every object.
    async fn listed(&self, store: &Store) -> Result<BTreeMap<Hash, Listed>> {
        let listed = store.list(&self.objects()).await?.into_iter();
        Ok(listed.filter_map(|listed| Some((Hash::parse(&listed.name)?, listed))).collect())
    }
}

/// Checkpoints in an object store.
pub struct Checkpoints {
    store: Store,
    contents: Contents,
    retention: Retention,
    stopped: watch::Sender<bool>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Checkpoints {
    /// Opens the store at `address`: a directory, which is made if need be, or `s3://BUCKET/PREFIX` in
    /// a build with the feature `s3`, with credentials, region and endpoint in the environment under the
    /// names that AWS gives them.
    ///
    /// # Errors
    /// `Address`, or `File`.
    pub fn open(address: &str, retention: Retention) -> Result<Checkpoints> {
        Checkpoints::with(Store::open(address, Patience::default())?, retention)
    }

    fn with(store: Store, retention: Retention) -> Result<Checkpoints> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| Error::File { path: "tokio".into(), source })?;
        Ok(Checkpoints {
            store,
            contents: Contents::default(),
            retention,
            stopped: watch::Sender::new(false),
            runtime: Some(runtime),
        })
    }

    /// Saves the checkpoint that [`State::checkpoint`](crate::State::checkpoint) made in `dir`.
    ///
    /// # Errors
    /// `Fenced` when a later owner has saved; `Taken`; `Mismatch`; `State`, `Store` and `Silent`.
    pub fn save(&self, id: &Identity, dir: &Path) -> Result<Saved> {
        self.run(save::save(&self.store, &self.contents, &self.retention, id, dir))
    }

    /// Makes `target`, which must not exist or be empty, the newest whole checkpoint. `None`: there is
    /// none of these definitions, and the state has to be made from the log.
    ///
    /// # Errors
    /// `NoneWhole` when every one is damaged, `Newer` when the newest was written by a newer version,
    /// `Occupied`, `Stopped`, `Store` and `Silent`.
    pub fn restore(
        &self,
        id: &Identity,
        target: &Path,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<Manifest>> {
        let restore = self.restoring(id)?;
        self.run(restore.to(target, progress))
    }

    /// Keeps the newest whole checkpoint beside `target`, where [`Checkpoints::restore`] finds it; to be
    /// called again and again while another owner runs. Only what is new is downloaded. Not while it is restored; soon
    /// after it is `given_up` it ends with `Stopped`.
    ///
    /// # Errors
    /// As [`Checkpoints::restore`].
    pub fn follow(&self, id: &Identity, target: &Path, given_up: &dyn Fn() -> bool) -> Result<Option<Manifest>> {
        let restore = self.restoring(id)?;
        let (warm, mut watch) = (restore::warm(target), |_| ControlFlow::Continue(()));
        self.run_unless(given_up, restore.newest(&warm, &mut watch))
    }

    /// Deletes what [`Checkpoints::follow`] keeps beside `target`.
    ///
    /// # Errors
    /// `File`.
    pub fn forget(&self, target: &Path) -> Result<()> {
        let warm = restore::warm(target);
        match std::fs::remove_dir_all(&warm) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(store::disk(&warm, source)),
            _ => Ok(()),
        }
    }

    /// The newest checkpoint of the partition, of whatever definitions, whole or not; soon after it is `given_up` it
    /// ends with `Stopped`.
    ///
    /// # Errors
    /// `Store` and `Silent`.
    pub fn newest(&self, id: &Identity, given_up: &dyn Fn() -> bool) -> Result<Option<Key>> {
        let place = Place::of(id)?;
        Ok(self.run_unless(given_up, place.manifests(&self.store))?.last().map(|(key, _)| *key))
    }

    fn restoring<'a>(&'a self, id: &'a Identity) -> Result<Restore<'a>> {
        Ok(Restore { store: &self.store, contents: &self.contents, id, place: Place::of(id)? })
    }

    /// Deletes what no kept checkpoint needs. Only for the owner of the partition.
    ///
    /// # Errors
    /// `Fenced` when a later owner has saved, `Newer`, `Store` and `Silent`.
    pub fn collect(&self, id: &Identity) -> Result<Garbage> {
        self.run(gc::collect(&self.store, id, &self.retention))
    }

    /// Every checkpoint of every task, oldest first.
    ///
    /// # Errors
    /// `Store` and `Silent`.
    pub fn list(&self) -> Result<Vec<Entry>> {
        self.run(async {
            let mut entries = Vec::new();
            for task in self.store.folders(&StorePath::default()).await? {
                let Ok(folder) = StorePath::parse(&task) else { continue };
                let partitions = self.store.folders(&folder).await?;
                let mut partitions: Vec<u32> = partitions.iter().filter_map(|text| text.parse().ok()).collect();
                partitions.sort_unstable();
                for partition in partitions {
                    self.list_one(&task, partition, &mut entries).await?;
                }
            }
            Ok(entries)
        })
    }

    async fn list_one(&self, task: &str, partition: u32, entries: &mut Vec<Entry>) -> Result<()> {
        let Ok(place) = Place::new(task, partition) else { return Ok(()) };
        for (key, modified) in place.manifests(&self.store).await? {
            let bytes = self.store.get(&place.manifest(key)).await?;
            let manifest = bytes.ok_or(Refusal::Gone).and_then(|bytes| Manifest::parse(key, &bytes));
            let manifest = manifest.and_then(|manifest| manifest.lies_at(task, partition).map(|()| manifest));
            entries.push(Entry { task: task.to_owned(), partition, key, modified, manifest });
        }
        Ok(())
    }

    /// Deletes every checkpoint of every task, before all is computed again; their objects go with later collections.
    ///
    /// # Errors
    /// `Store` and `Silent`.
    pub fn delete_all(&self) -> Result<()> {
        let entries = self.list()?;
        self.run(async {
            for entry in &entries {
                let place = Place::new(&entry.task, entry.partition)?;
                self.store.delete(&place.manifest(entry.key)).await?;
            }
            Ok(())
        })
    }

    /// What is wrong with the objects of a checkpoint; nothing if it is whole. `quick` looks only whether
    /// they are there and have the right size.
    ///
    /// # Errors
    /// `Store` and `Silent`.
    pub fn verify(&self, manifest: &Manifest, quick: bool) -> Result<Vec<String>> {
        let place = Place::new(&manifest.task, manifest.partition)?;
        self.run(restore::verify(&self.store, &place, manifest, quick))
    }

    /// Ends what is under way, on whatever thread, with `Stopped`; and whatever is asked later.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn run_unless<T>(&self, given_up: &dyn Fn() -> bool, work: impl Future<Output = Result<T>>) -> Result<T> {
        let waits = async {
            while !given_up() {
                tokio::time::sleep(LOOK).await;
            }
        };
        self.run(async {
            tokio::select! {
                biased;
                () = waits => Err(Error::Stopped),
                done = work => done,
            }
        })
    }

    fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        let mut stopped = self.stopped.subscribe();
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => Err(Error::Stopped),
                done = work => done,
            }
        })
    }
}

impl Drop for Checkpoints {
    /// A directory that hangs (a dead mount) must not hold up the end of the process.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
