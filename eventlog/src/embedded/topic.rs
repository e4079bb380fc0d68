//! A topic and its partitions: what it is called, what it keeps, and how far it goes.
//!
//! Invariants: id and number of partitions never change; `low <= high <= next`; `high` moves only after the records
//! below it are durable, `low` before the records below it go.
//!
//! It does not know where records lie.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Cleanup, Error, Result, TopicSpec, Watermarks};

/// An open topic, shared by all its readers and writers.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    cleanup: Mutex<Cleanup>,
    partitions: Vec<Partition>,
}

/// How far a partition goes.
#[derive(Debug, Default)]
pub(super) struct Partition {
    low: AtomicU64,
    high: AtomicU64,
    /// What the next record gets; ahead of `high` while a commit is being written. Only the writing thread moves it.
    next: AtomicU64,
}

impl Topic {
    pub(super) fn new(id: u32, spec: &TopicSpec) -> Self {
        Self {
            id,
            name: spec.name.as_str().into(),
            cleanup: Mutex::new(spec.cleanup),
            partitions: (0..spec.partitions).map(|_| Partition::default()).collect(),
        }
    }

    pub(super) fn spec(&self) -> TopicSpec {
        TopicSpec { name: self.name.to_string(), partitions: self.count(), cleanup: self.cleanup() }
    }

    pub(super) fn cleanup(&self) -> Cleanup {
        *self.cleanup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_cleanup(&self, cleanup: Cleanup) {
        *self.cleanup.lock().unwrap_or_else(PoisonError::into_inner) = cleanup;
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).expect("made from a u32")
    }

    /// Whether this is what became of `known`.
    pub(super) fn continues(&self, known: &Self) -> bool {
        let grown = |(now, then): (&Partition, &Partition)| now.watermarks().high >= then.watermarks().high;
        self.id == known.id && self.count() == known.count() && self.partitions.iter().zip(&known.partitions).all(grown)
    }

    /// Goes as far as `other`, which was read from the storage.
    pub(super) fn follow(&self, other: &Self) {
        for (partition, other) in self.partitions.iter().zip(&other.partitions) {
            let marks = other.watermarks();
            partition.raise_low(marks.low);
            partition.publish(marks.high);
        }
    }

    pub(super) fn partition(&self, partition: u32) -> Result<&Partition> {
        let found = usize::try_from(partition).ok().and_then(|at| self.partitions.get(at));
        found.ok_or_else(|| Error::Unknown { topic: self.name.to_string(), partition })
    }
}

impl Partition {
    /// Sets what an opened log found.
    pub(super) fn restore(&self, low: u64, next: u64) {
        self.low.store(low, Ordering::Release);
        self.next.store(next, Ordering::Release);
        self.high.store(next, Ordering::Release);
    }

    /// Takes offsets for `records` records; returns the first.
    pub(super) fn take(&self, records: u64) -> u64 {
        self.next.fetch_add(records, Ordering::AcqRel)
    }

    pub(super) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Shows readers everything below `high`, which is durable.
    pub(super) fn publish(&self, high: u64) {
        self.high.fetch_max(high, Ordering::AcqRel);
    }

    pub(super) fn raise_low(&self, low: u64) {
        self.low.fetch_max(low, Ordering::AcqRel);
    }

    pub(super) fn watermarks(&self) -> Watermarks {
        let low = self.low.load(Ordering::Acquire);
        Watermarks { low, high: self.high.load(Ordering::Acquire) }
    }
}

/// The stored form of a topic: id, partitions, cleanup, its microseconds.
pub(super) fn encode(topic: &Topic) -> Vec<u8> {
    let (tag, time) = match topic.cleanup() {
        Cleanup::Keep => (0, 0),
        Cleanup::Delete { retention } => (1, micros(retention)),
        Cleanup::Compact { min_lag } => (2, micros(min_lag)),
    };
    let mut out = Vec::with_capacity(17);
    out.extend_from_slice(&topic.id.to_be_bytes());
    out.extend_from_slice(&topic.count().to_be_bytes());
    out.push(tag);
    out.extend_from_slice(&time.to_be_bytes());
    out
}

/// Reads the stored form; `None` if it is not one.
pub(super) fn decode(name: &[u8], bytes: &[u8]) -> Option<Topic> {
    let bytes: &[u8; 17] = bytes.try_into().ok()?;
    let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    let time = Duration::from_micros(u64::from_be_bytes(std::array::from_fn(|i| bytes[9 + i])));
    let cleanup = match bytes[8] {
        0 => Cleanup::Keep,
        1 => Cleanup::Delete { retention: time },
        2 => Cleanup::Compact { min_lag: time },
        _ => return None,
    };
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Topic::new(word(0), &TopicSpec { name, partitions: word(4), cleanup }))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
