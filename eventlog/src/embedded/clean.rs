//! Retention and compaction: what may go, decided from facts; then the reads and writes.
//!
//! Invariants: what goes is a prefix by offset and lies below the position of every group; of a key the newest record
//! below the *bound* stays, and a tombstone goes no earlier than what it removes, even if the machine stops half-way:
//! batches are rewritten in ascending order and what survives a crash is a prefix of the writes.
//!
//! It does not know what time it is, nor when to run.

use std::collections::HashMap;

use rocksdb::WriteBatch;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Shared,
    batch::{Builder, Malformed, Records, Summary},
    commit::decode_position,
    storage,
    topic::Topic,
};
use crate::{Cleanup, Record, Result, Stored, telemetry};

/// Bytes of rewritten batches written at once.
const WRITE_BYTES: usize = 4 << 20;

/// What a cleaning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records older than the retention.
    pub expired: u64,
    /// Records replaced by a newer one of their key, and tombstones.
    pub compacted: u64,
}

/// Newest offset of each key, by hash: 128 bits, so that two keys of a log never meet.
type Newest = HashMap<u128, u64>;

/// Cleans every partition of every topic.
pub(super) fn run(log: &Shared, now_us: i64) -> Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    for topic in log.all_topics() {
        for partition in 0..topic.count() {
            match topic.cleanup() {
                Cleanup::Keep => {}
                Cleanup::Delete { retention } => {
                    let horizon = before(now_us, retention);
                    cleaned.expired += Place { log, topic: &topic, partition }.expire(horizon)?;
                }
                Cleanup::Compact { min_lag } => {
                    let horizon = before(now_us, min_lag);
                    cleaned.compacted += Place { log, topic: &topic, partition }.compact(horizon)?;
                }
            }
        }
    }
    telemetry::cleaned(cleaned.expired, cleaned.compacted);
    Ok(cleaned)
}

fn before(now_us: i64, age: std::time::Duration) -> i64 {
    i64::try_from(age.as_micros()).map_or(i64::MIN, |age| now_us.saturating_sub(age))
}

/// Whether a whole batch is older than the horizon and behind every group.
fn is_expired(batch: Summary, horizon_us: i64, bound: u64) -> bool {
    batch.greatest_time < horizon_us && batch.last < bound
}

/// Whether a record below the bound makes way for a newer one, or is a tombstone that has nothing left to remove.
fn is_obsolete(stored: &Stored, newest: &Newest) -> bool {
    let Some(hash) = hash(&stored.record) else { return false };
    stored.record.value.is_none() || newest.get(&hash).is_some_and(|newest| *newest > stored.offset)
}

fn hash(record: &Record) -> Option<u128> {
    (!record.key.is_empty()).then(|| xxh3_128(&record.key))
}

/// The partition that is cleaned.
struct Place<'a> {
    log: &'a Shared,
    topic: &'a Topic,
    partition: u32,
}

impl Place<'_> {
    /// Removes the oldest batches, returns how many records they held.
    fn expire(&self, horizon_us: i64) -> Result<u64> {
        let partition = self.topic.partition(self.partition)?;
        let (marks, bound) = (partition.watermarks(), self.bound()?);
        let (mut low, mut records, mut batch) = (marks.low, 0, WriteBatch::default());
        let mut batches = self.log.storage.batches(self.topic.id, self.partition, marks.low, bound);
        while let Some((base, value)) = batches.next().map_err(|e| self.located(e, low))? {
            let summary = Summary::read(base, value).map_err(|e| self.damaged(e, base))?;
            if !is_expired(summary, horizon_us, bound) {
                break;
            }
            records += u64::from(summary.records);
            low = summary.last + 1;
            self.log.storage.delete_batch(&mut batch, self.key(base));
        }
        if low > marks.low {
            batch.put(storage::low_key(self.topic.id, self.partition), low.to_be_bytes());
            // First this, then the removal: a reader that misses a record finds out why.
            partition.raise_low(low);
            self.log.storage.write(batch, false)?;
        }
        Ok(records)
    }

    /// Rewrites batches without the records that newer ones replace, returns how many went.
    fn compact(&self, horizon_us: i64) -> Result<u64> {
        let cleaned_key = storage::cleaned_key(self.topic.id, self.partition);
        let done = self.log.storage.offset(&cleaned_key)?.unwrap_or(0);
        let (bound, newest) = self.newest(horizon_us, self.bound()?)?;
        if bound <= done {
            return Ok(0);
        }
        let (mut records, mut batch) = (0, WriteBatch::default());
        let mut batches = self.log.storage.batches(self.topic.id, self.partition, 0, bound);
        while let Some((base, value)) = batches.next().map_err(|e| self.located(e, 0))? {
            let rewritten = rewrite(base, value, bound, &newest).map_err(|e| self.damaged(e, base))?;
            if rewritten.removed == 0 {
                continue;
            }
            records += rewritten.removed;
            match rewritten.value {
                Some(value) => self.log.storage.put_batch(&mut batch, self.key(base), &value),
                None => self.log.storage.delete_batch(&mut batch, self.key(base)),
            }
            if batch.size_in_bytes() > WRITE_BYTES {
                self.log.storage.write(std::mem::take(&mut batch), false)?;
            }
        }
        batch.put(cleaned_key, bound.to_be_bytes());
        self.log.storage.write(batch, false)?;
        Ok(records)
    }

    /// The bound, which is the first record too young or else `limit`, and the newest record of each key below it.
    fn newest(&self, horizon_us: i64, limit: u64) -> Result<(u64, Newest)> {
        let mut newest = Newest::new();
        let mut batches = self.log.storage.batches(self.topic.id, self.partition, 0, limit);
        while let Some((base, value)) = batches.next().map_err(|e| self.located(e, 0))? {
            let malformed = |e| self.damaged(e, base);
            let mut records = Records::open(base, value).map_err(malformed)?;
            while let Some(stored) = records.next().map_err(malformed)? {
                if stored.record.timestamp_us >= horizon_us || stored.offset >= limit {
                    return Ok((stored.offset, newest));
                }
                if let Some(hash) = hash(&stored.record) {
                    newest.insert(hash, stored.offset);
                }
            }
        }
        Ok((limit, newest))
    }

    /// The end of what every group has read.
    fn bound(&self) -> Result<u64> {
        let mut bound = self.topic.partition(self.partition)?.watermarks().high;
        for (_, value) in self.log.storage.scan(&storage::group_key(self.topic.id, self.partition, ""))? {
            let position = decode_position(&value).ok_or_else(|| self.damaged(Malformed, bound))?;
            bound = bound.min(position.offset);
        }
        Ok(bound)
    }

    fn key(&self, base: u64) -> [u8; 16] {
        storage::batch_key(self.topic.id, self.partition, base)
    }

    fn located(&self, error: crate::Error, offset: u64) -> crate::Error {
        error.at(&self.topic.name, self.partition, offset)
    }

    fn damaged(&self, _: Malformed, offset: u64) -> crate::Error {
        let (topic, partition) = (&self.topic.name, self.partition);
        self.log.storage.damaged(format!("topic {topic} partition {partition} offset {offset}: does not decode"))
    }
}

/// A batch after compaction.
struct Rewritten {
    removed: u64,
    /// `None` when nothing is left.
    value: Option<Vec<u8>>,
}

fn rewrite(base: u64, value: &[u8], bound: u64, newest: &Newest) -> Result<Rewritten, Malformed> {
    let mut records = Records::open(base, value)?;
    let (mut kept, mut removed) = (Builder::new(), 0);
    while let Some(stored) = records.next()? {
        if stored.offset < bound && is_obsolete(&stored, newest) {
            removed += 1;
        } else {
            kept.push_at(delta(base, stored.offset)?, &stored.record);
        }
    }
    let last_delta = delta(base, records.summary().last)?;
    let value = (kept.records() > 0).then(|| kept.finish_spanning(last_delta));
    Ok(Rewritten { removed, value })
}

fn delta(base: u64, offset: u64) -> Result<u32, Malformed> {
    u32::try_from(offset - base).map_err(|_| Malformed)
}
