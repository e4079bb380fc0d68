//! The embedded log: a durable partitioned log inside the process, in RocksDB.
//!
//! Invariants:
//! - one value is a batch of records ([`batch`]), one [`Commit`](crate::Commit) lies in one synced `WriteBatch` (see
//!   [`commit`]): a crash, of the process or of the machine, leaves whole commits, and all that were acknowledged;
//! - readers never wait for writers and see whole, durable commits ([`consumer`]);
//! - one process holds the directory for writing, any number follow it ([`Embedded::follow`]); a newer format is
//!   refused, damage is named with its cure ([`storage`]).
//!
//! It does not know what records mean, nor time: [`Embedded::clean`] is told what time it is.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rocksdb::WriteBatch;

mod batch;
mod clean;
mod commit;
mod consumer;
mod storage;
mod topic;

#[cfg(test)]
mod tests;

pub use clean::Cleaned;

use self::{
    commit::{Queue, Writer},
    consumer::{Reader, Signal},
    storage::Storage,
    topic::Topic,
};
use crate::{Assignment, Committed, Consumer, Error, Log, Producer, Result, TopicSpec, Watermarks};

/// Settings of the embedded log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether a commit waits for the disk. `false` is for benchmarks: a power cut may then lose commits.
    pub sync: bool,
    /// Bytes of batches held in memory before they become a file; the write-ahead log keeps at most four times that.
    pub write_buffer_bytes: usize,
    /// Bytes of stored batches cached for readers.
    pub cache_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { sync: true, write_buffer_bytes: 32 << 20, cache_bytes: 32 << 20 }
    }
}

/// The log of one directory. Closed when it and all its readers and writers are dropped.
pub struct Embedded {
    shared: Arc<Shared>,
}

/// What readers and writers share.
struct Shared {
    storage: Storage,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    queue: Queue,
    signal: Signal,
    cleaning: Mutex<()>,
    /// Held for writing while a commit becomes durable and visible: positions and records appear together.
    visible: RwLock<()>,
}

impl Embedded {
    /// Opens the log in `path`, or makes one.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::Newer`] and [`Error::Damaged`] say what to do.
    pub fn open(path: impl AsRef<Path>, config: Config) -> Result<Arc<Self>> {
        Self::with(Storage::open(path.as_ref(), &config)?)
    }

    /// Opens the log in `path` for reading, beside the process that writes it, if there is one. Readers see what that
    /// one writes, a little later and perhaps before it is durable; nothing can be written.
    ///
    /// # Errors
    /// When there is no log, and as [`Embedded::open`].
    pub fn follow(path: impl AsRef<Path>, config: Config) -> Result<Arc<Self>> {
        Self::with(Storage::follow(path.as_ref(), &config)?)
    }

    fn with(storage: Storage) -> Result<Arc<Self>> {
        let topics = load(&storage)?;
        let shared = Shared {
            storage,
            topics: RwLock::new(topics),
            queue: Queue::default(),
            signal: Signal::default(),
            cleaning: Mutex::default(),
            visible: RwLock::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// Tells the telemetry how RocksDB is.
    pub fn report(&self) {
        crate::telemetry::rocksdb("log", |property| self.shared.storage.figure(property));
    }

    /// Removes what the topics need not keep at `now_us`, in microseconds since the Unix epoch.
    ///
    /// `Delete` topics lose the oldest batches once all their records are older than the retention and every group
    /// with a position in the partition is past them; the low watermark moves. `Compact` topics lose records that a
    /// newer one of the same key replaces, and tombstones, where both are older than the lag and every group is past
    /// them; the low watermark stays, as Kafka's does, since a reader may always start at the first record. Records
    /// without a key stay. A reader that may go back behind its group's position (its state trails) holds its records
    /// with the position of a second group.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn clean(&self, now_us: i64) -> Result<Cleaned> {
        self.shared.writable()?;
        let _one = self.shared.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        clean::run(&self.shared, now_us)
    }
}

impl Shared {
    fn topic(&self, name: &str, partition: u32) -> Result<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned().ok_or_else(|| Error::Unknown { topic: name.to_owned(), partition })
    }

    /// Refuses what a follower cannot do.
    fn writable(&self) -> Result<()> {
        let path = self.storage.path();
        let what = || format!("{path} was opened to follow another process, and cannot be written");
        if self.storage.follows() { Err(Error::Invalid { what: what() }) } else { Ok(()) }
    }

    /// What a follower does instead of being told: sees new records, topics and low watermarks.
    fn catch_up(&self) -> Result<()> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        self.storage.catch_up()?;
        let mut found = load(&self.storage)?;
        for (name, topic) in &mut found {
            // A topic that became shorter is another one of that name.
            let Some(known) = topics.get(name).filter(|known| topic.continues(known)) else { continue };
            known.follow(topic);
            *topic = known.clone();
        }
        *topics = found;
        Ok(())
    }

    fn all_topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Log for Embedded {
    fn create_topic(&self, spec: &TopicSpec) -> Result<()> {
        self.shared.writable()?;
        spec.check()?;
        let mut topics = self.shared.topics.write().unwrap_or_else(PoisonError::into_inner);
        let topic = match topics.get(&spec.name) {
            None => {
                let id = topics.values().map(|t| t.id + 1).max().unwrap_or(0);
                Arc::new(Topic::new(id, spec))
            }
            Some(topic) if topic.count() != spec.partitions => {
                let topic_name = spec.name.clone();
                return Err(Error::Partitions { topic: topic_name, found: topic.count(), wanted: spec.partitions });
            }
            Some(topic) if topic.cleanup() == spec.cleanup => return Ok(()),
            Some(topic) => {
                topic.set_cleanup(spec.cleanup);
                topic.clone()
            }
        };
        let mut batch = WriteBatch::default();
        batch.put([&[storage::TOPIC], spec.name.as_bytes()].concat(), topic::encode(&topic));
        self.shared.storage.write(batch, true)?;
        topics.insert(spec.name.clone(), topic);
        Ok(())
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.shared.writable()?;
        let mut topics = self.shared.topics.write().unwrap_or_else(PoisonError::into_inner);
        let Some(topic) = topics.get(name) else { return Ok(()) };
        self.shared.storage.delete_topic(topic.id, name)?;
        topics.remove(name);
        Ok(())
    }

    fn topics(&self) -> Result<Vec<TopicSpec>> {
        Ok(self.shared.all_topics().iter().map(|topic| topic.spec()).collect())
    }

    fn watermarks(&self, topic: &str, partition: u32) -> Result<Watermarks> {
        Ok(self.shared.topic(topic, partition)?.partition(partition)?.watermarks())
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Committed>> {
        let found = self.shared.topic(topic, partition)?;
        found.partition(partition)?;
        let _settled = self.shared.visible.read().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = self.shared.storage.get(&storage::group_key(found.id, partition, group))? else {
            return Ok(None);
        };
        let what = || format!("topic {topic} partition {partition}: the position of group {group} does not decode");
        commit::decode_position(&bytes).map(Some).ok_or_else(|| self.shared.storage.damaged(what()))
    }

    fn consumer(&self, assignment: Assignment) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(Reader::new(self.shared.clone(), assignment)?))
    }

    fn producer(&self, name: &str) -> Result<Box<dyn Producer>> {
        self.shared.writable()?;
        Ok(Box::new(Writer::new(self.shared.clone(), name)))
    }
}

fn load(storage: &Storage) -> Result<BTreeMap<String, Arc<Topic>>> {
    let mut topics = BTreeMap::new();
    for (key, value) in storage.scan(&[storage::TOPIC])? {
        let name = &key[1..];
        let shown = String::from_utf8_lossy(name).into_owned();
        let topic = topic::decode(name, &value)
            .ok_or_else(|| storage.damaged(format!("topic {shown}: its description does not decode")))?;
        for partition in 0..topic.count() {
            restore(storage, &topic, partition)?;
        }
        topics.insert(shown, Arc::new(topic));
    }
    Ok(topics)
}

fn restore(storage: &Storage, topic: &Topic, partition: u32) -> Result<()> {
    let next = storage.offset(&storage::next_key(topic.id, partition))?.unwrap_or(0);
    let low = storage.offset(&storage::low_key(topic.id, partition))?.unwrap_or(0);
    if low > next {
        let what = format!("topic {} partition {partition}: first offset {low} is after the next {next}", topic.name);
        return Err(storage.damaged(what));
    }
    topic.partition(partition)?.restore(low, next);
    Ok(())
}
