//! Readers: each walks its partitions on its own iterators and takes no lock while there is something to read.
//!
//! Invariants: only records below the high watermark are delivered, in offset order, each once after a seek; a record
//! that retention took is never skipped in silence, the reader gets an error; partitions take turns, a poll each.
//!
//! There are no rebalances: the first poll of a group's member gives it every partition, each delivered after its
//! seek. A second member of the same group gets them all too; what fences is the producer's name.
//!
//! It does not know who writes: a [`Signal`] wakes it. Where another process does, it looks again now and then.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Shared, batch::Malformed, batch::Records, commit::Writer, topic::Topic};
use crate::{Assignment, Consumer, Error, Poll, Producer, Result, Stored, TopicPartition, Watermarks};

/// How often a follower looks.
const LOOK: Duration = Duration::from_millis(50);

/// Wakes readers when something was committed.
#[derive(Default)]
pub(super) struct Signal {
    /// Commits so far; moves under the lock.
    commits: AtomicU64,
    lock: Mutex<()>,
    raised: Condvar,
}

impl Signal {
    pub(super) fn raise(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.commits.fetch_add(1, Ordering::AcqRel);
        self.raised.notify_all();
    }

    fn count(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Waits for a commit after the `seen`th; false when none came within `wait`.
    fn wait_after(&self, seen: u64, wait: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.raised.wait_timeout_while(guard, wait, |()| self.count() == seen);
        let (_guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }
}

/// A reader of topics of the embedded log.
pub(super) struct Reader {
    log: Arc<Shared>,
    cursors: Vec<Cursor>,
    /// The partition whose turn it is.
    turn: usize,
    announce: bool,
}

/// Where a reader is in one partition.
struct Cursor {
    topic: Arc<Topic>,
    at: TopicPartition,
    /// Next offset to deliver; `None` before the seek.
    position: Option<u64>,
    /// What is left of the batch read last.
    rest: Option<Records>,
}

impl Reader {
    pub(super) fn new(log: Arc<Shared>, assignment: Assignment) -> Result<Self> {
        let (mut cursors, mut announce) = (Vec::new(), false);
        match assignment {
            Assignment::Manual(all) => {
                for (at, offset) in all {
                    cursors.push(Cursor::new(&log, at, Some(offset))?);
                }
            }
            Assignment::Group { topics, .. } => {
                announce = true;
                for name in topics {
                    for partition in 0..log.topic(&name, 0)?.count() {
                        cursors.push(Cursor::new(&log, TopicPartition::new(name.clone(), partition), None)?);
                    }
                }
            }
        }
        Ok(Self { log, cursors, turn: 0, announce })
    }

    /// Sees, after a nap, what another process wrote.
    fn look(&self, nap: Duration) -> Result<()> {
        std::thread::sleep(nap);
        self.log.catch_up()?;
        for cursor in &self.cursors {
            let name = &cursor.at.topic;
            if !Arc::ptr_eq(&self.log.topic(name, 0)?, &cursor.topic) {
                let what = format!("topic {name} was made anew, its readers have to begin again");
                return Err(Error::Invalid { what });
            }
        }
        Ok(())
    }

    /// Records of the next partition that has some.
    fn read(&mut self, max_bytes: usize) -> Result<Option<Poll>> {
        for _ in 0..self.cursors.len() {
            let turn = self.turn;
            self.turn = (turn + 1) % self.cursors.len();
            let cursor = &mut self.cursors[turn];
            let records = cursor.read(&self.log, max_bytes)?;
            if !records.is_empty() {
                let TopicPartition { topic, partition } = cursor.at.clone();
                return Ok(Some(Poll::Records { topic, partition, records }));
            }
        }
        Ok(None)
    }
}

impl Consumer for Reader {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Poll> {
        if std::mem::take(&mut self.announce) {
            return Ok(Poll::Assigned(self.cursors.iter().map(|cursor| cursor.at.clone()).collect()));
        }
        let started = Instant::now();
        loop {
            let seen = self.log.signal.count();
            if let Some(found) = self.read(max_bytes)? {
                return Ok(found);
            }
            let left = wait.saturating_sub(started.elapsed());
            if self.log.storage.follows() {
                if left.is_zero() {
                    return Ok(Poll::Idle);
                }
                self.look(left.min(LOOK))?;
            } else if !self.log.signal.wait_after(seen, left) {
                return Ok(Poll::Idle);
            }
        }
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        let found = self.cursors.iter_mut().find(|cursor| cursor.at == *at);
        let unknown = || Error::Unknown { topic: at.topic.to_string(), partition: at.partition };
        let cursor = found.ok_or_else(unknown)?;
        cursor.position = Some(offset);
        cursor.rest = None;
        Ok(())
    }

    fn producer(&self, name: &str) -> Result<Box<dyn Producer>> {
        Ok(Box::new(Writer::new(self.log.clone(), name)))
    }
}

impl Cursor {
    fn new(log: &Shared, at: TopicPartition, position: Option<u64>) -> Result<Self> {
        let topic = log.topic(&at.topic, at.partition)?;
        topic.partition(at.partition)?;
        Ok(Self { topic, at, position, rest: None })
    }

    fn read(&mut self, log: &Shared, max_bytes: usize) -> Result<Vec<Stored>> {
        let Some(position) = self.position else { return Ok(Vec::new()) };
        let mut taken = Taken { records: Vec::new(), bytes: 0, max_bytes, position };
        let read = self.fill(log, &mut taken);
        // What was read before damage is delivered; the damage comes with the next poll.
        if taken.records.is_empty() {
            read?;
        }
        self.position = Some(taken.position);
        Ok(taken.records)
    }

    fn fill(&mut self, log: &Shared, taken: &mut Taken) -> Result<()> {
        let (topic, number) = (&self.topic, self.at.partition);
        let damaged = |partition, offset| {
            log.storage.damaged(format!("topic {} partition {partition} offset {offset}: not a batch", topic.name))
        };
        if let Some(rest) = self.rest.take() {
            self.rest = taken.drain(rest).map_err(|_| damaged(number, taken.position))?;
        }
        let partition = topic.partition(number)?;
        let high = partition.watermarks().high;
        if taken.is_full() || taken.position == high {
            return Ok(());
        }
        let mut batches = log.storage.batches(topic.id, number, taken.position, high);
        // Read after the iterator was made: were something missing from it, this would say so.
        in_range(topic, number, taken.position, Watermarks { low: partition.watermarks().low, high })?;
        while let Some((base, value)) = batches.next().map_err(|e| e.at(&topic.name, number, taken.position))? {
            let records = Records::open(base, value);
            self.rest = records.and_then(|r| taken.drain(r)).map_err(|_| damaged(number, base))?;
            if taken.is_full() {
                return Ok(());
            }
        }
        taken.position = high;
        Ok(())
    }
}

fn in_range(topic: &Topic, partition: u32, offset: u64, marks: Watermarks) -> Result<()> {
    let Watermarks { low, high } = marks;
    if (low..=high).contains(&offset) {
        return Ok(());
    }
    Err(Error::OutOfRange { topic: topic.name.to_string(), partition, offset, low, high })
}

/// What one poll takes.
struct Taken {
    records: Vec<Stored>,
    bytes: usize,
    max_bytes: usize,
    position: u64,
}

impl Taken {
    fn is_full(&self) -> bool {
        !self.records.is_empty() && self.bytes >= self.max_bytes
    }

    /// Takes records at and after the position; gives back what is left of the batch when full.
    fn drain(&mut self, mut batch: Records) -> Result<Option<Records>, Malformed> {
        if !self.is_full() {
            self.records.reserve(batch.left());
        }
        while !self.is_full() {
            let Some(stored) = batch.next()? else {
                self.position = self.position.max(batch.summary().last + 1);
                return Ok(None);
            };
            if stored.offset >= self.position {
                self.position = stored.offset + 1;
                self.bytes += stored.record.key.len() + stored.record.value.as_ref().map_or(0, Bytes::len);
                self.records.push(stored);
            }
        }
        Ok(Some(batch))
    }
}
