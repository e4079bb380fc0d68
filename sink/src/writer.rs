//! The sink's loop: reads metric and alert topics, writes a batch to the store, then commits the offsets to the log.
//!
//! Invariants:
//! - the store first, the offsets second: after a crash in between, records are written again, and the store's
//!   guarded upserts make that change nothing; nor does a sink that lost its partitions and writes once more;
//! - all topics are read by one consumer in one group ([`GROUP`]), whose members are sinks: partitions that are taken back
//!   are written and committed first; in a backlog each partition has its turn, alerts like any other;
//! - a record that cannot be stored goes to the dead letters in the same commit as the offsets past it.
//!
//! It does not know which store it writes to.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use eventlog::{
    Assignment, Commit, Committed, Consumer, GroupOffsets, Log, Output, Poll, Producer, Stored, TopicPartition,
    failpoint,
};
use foldhash::fast::FixedState;
use prost::bytes::Bytes;
use store::{Batch, Clock, Row, Write};

use crate::{
    Error, Result,
    convert::{self, Said},
    reader::Reader,
    telemetry,
};

/// The consumer group in which sinks share the topics.
pub const GROUP: &str = "sink";

/// The topic that has alerts; all others have metrics.
const ALERTS: &str = "alerts.v1";

const POLL_BYTES: usize = 1 << 20;
/// A batch is written when it holds this many records, or when nothing more is there. In a backlog most rows come twice (open,
/// then final), often for many windows of a series: the larger a batch, the fewer rows and pages are written.
const BATCH_RECORDS: usize = 200_000;
const WAIT: Duration = Duration::from_millis(100);
/// A batch whose records span more time of the log than this is of history: live, ticks come every second.
const HISTORY_US: i64 = 60_000_000;
/// How long a batch of history waits for more records: in all, and while none come. It is written all the same when it is
/// full. A store that is faster than what writes the log would else write each row twice.
const LINGER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(100));

/// What a poll brought.
enum Turn {
    /// Records were gathered.
    Took,
    /// Nothing is there.
    Idle,
    /// Partitions go back with the next poll: what was gathered has to be written before.
    GivesBack,
}

/// What a batch has gathered so far.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    offsets: Vec<(Arc<str>, u32, Option<Committed>)>,
    dead: Vec<Output>,
    records: usize,
    /// The least and the greatest instant of the records.
    span: Option<(i64, i64)>,
    /// Of each series of an account the record of its latest window.
    accounts: HashMap<usize, (Row, Bytes), FixedState>,
}

/// Writes what the topics say to a store.
pub struct Writer {
    log: Arc<dyn Log>,
    store: Box<dyn Write>,
    producer: Box<dyn Producer>,
    consumer: Box<dyn Consumer>,
    reader: Reader,
    /// The room of the batch before, where that was of history: the next one will be as large.
    room: Batch,
}

impl Writer {
    /// Joins the group of the topics, `metrics.NAME.v1` and `alerts.v1`; each partition is read on from the group's committed
    /// offset, or from the first kept record. `name` is that of the producer: a newer sink of this name fences this one.
    ///
    /// # Errors
    /// `Fatal` if a topic is missing.
    pub fn open(log: Arc<dyn Log>, store: Box<dyn Write>, topics: &[String], name: &str) -> Result<Self> {
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let consumer = log.consumer(Assignment::group(GROUP, &topics))?;
        let producer = consumer.producer(name)?;
        Ok(Self { log, store, producer, consumer, reader: Reader::default(), room: Batch::default() })
    }

    /// Writes and commits one batch; waits so long for a first record. Returns the number of records read.
    ///
    /// # Errors
    /// After an error, open another writer: it reads on from what was committed.
    pub fn step(&mut self, wait: Duration) -> Result<usize> {
        let mut gathered = self.gather(wait)?;
        if gathered.records == 0 {
            self.producer.tend();
            return Ok(0);
        }
        gathered.close();
        if !gathered.batch.is_empty() {
            self.store.write(&gathered.batch)?;
        }
        failpoint::pass(failpoint::STORED);
        telemetry::batch(gathered.records, gathered.dead.len());
        let offsets = std::mem::take(&mut gathered.offsets);
        if gathered.is_history() {
            gathered.batch.clear();
            self.room = std::mem::take(&mut gathered.batch);
        }
        let offsets = vec![GroupOffsets { group: GROUP.to_owned(), offsets }];
        self.producer.commit(Commit { outputs: gathered.dead, offsets })?;
        Ok(gathered.records)
    }

    /// Steps until told to stop.
    ///
    /// # Errors
    /// The first one that a step has.
    pub fn run(mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.step(WAIT)?;
        }
        Ok(())
    }

    /// What is there, within the wait; of history also what comes soon.
    fn gather(&mut self, wait: Duration) -> Result<Gathered> {
        let mut gathered = Gathered { batch: std::mem::take(&mut self.room), ..Gathered::default() };
        let (mut begun, mut wait) = (Instant::now(), wait);
        while gathered.records < BATCH_RECORDS {
            let is_first = gathered.records == 0;
            match self.turn(wait, &mut gathered)? {
                Turn::Took if is_first => (begun, wait) = (Instant::now(), Duration::ZERO),
                Turn::Took => {}
                Turn::GivesBack => break,
                // Nothing came for as long as was waited: of history, a moment more is waited once.
                Turn::Idle if gathered.is_history() && wait.is_zero() && begun.elapsed() < LINGER.0 => wait = LINGER.1,
                Turn::Idle => break,
            }
            if begun.elapsed() >= LINGER.0 {
                wait = Duration::ZERO;
            }
        }
        Ok(gathered)
    }

    /// Polls once.
    fn turn(&mut self, wait: Duration, gathered: &mut Gathered) -> Result<Turn> {
        match self.consumer.poll(POLL_BYTES, wait)? {
            Poll::Records { topic, partition, records } => {
                gathered.take(&mut self.reader, &topic, partition, records);
                Ok(Turn::Took)
            }
            Poll::Assigned(given) => {
                self.begin(&given)?;
                Ok(Turn::Took)
            }
            Poll::Revoked(_) => Ok(Turn::GivesBack),
            Poll::Lost(partitions) => {
                // Others read them already: what is in the batch may be stored, not committed.
                let is_lost = |topic: &Arc<str>, partition| {
                    partitions.iter().any(|at| (&at.topic, at.partition) == (topic, partition))
                };
                gathered.offsets.retain(|(topic, partition, _)| !is_lost(topic, *partition));
                Ok(Turn::Took)
            }
            Poll::Idle => Ok(Turn::Idle),
        }
    }

    /// Reads partitions on from what is committed; compaction and retention may have passed what was long ago.
    fn begin(&mut self, given: &[TopicPartition]) -> Result<()> {
        let committed = self.log.all_committed(GROUP, given)?;
        for (at, known) in given.iter().zip(committed) {
            let low = self.log.watermarks(&at.topic, at.partition)?.low;
            self.consumer.seek(at, known.map_or(low, |known| known.offset.max(low)))?;
        }
        Ok(())
    }
}

impl Gathered {
    /// Whether more time of the log passed than passes in a batch of what is live.
    fn is_history(&self) -> bool {
        self.span.is_some_and(|(first, last)| last.saturating_sub(first) > HISTORY_US)
    }

    /// Keeps what an account shows in its latest window: of most series many windows come in a batch.
    fn keep(&mut self, row: &Row, value: &Bytes) {
        let rank = |row: &Row| (row.point.window.start_us, row.point.revision_us);
        match self.accounts.entry(Arc::as_ptr(&row.series).addr()) {
            Entry::Vacant(free) => drop(free.insert((row.clone(), value.clone()))),
            Entry::Occupied(mut kept) if rank(row) >= rank(&kept.get().0) => {
                kept.insert((row.clone(), value.clone()));
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Adds what accounts show to the batch.
    fn close(&mut self) {
        let seen = self.accounts.drain().filter_map(|(_, (row, value))| convert::seen(&value, &row));
        self.batch.accounts.extend(seen);
        // Whatever the order of a map is, the store gets the same batch.
        self.batch
            .accounts
            .sort_by(|a, b| (&a.series.account, &a.series.metric).cmp(&(&b.series.account, &b.series.metric)));
    }

    fn note(&mut self, instant_us: i64) {
        let (first, last) = self.span.unwrap_or((instant_us, instant_us));
        self.span = Some((first.min(instant_us), last.max(instant_us)));
    }

    fn take(&mut self, reader: &mut Reader, topic: &Arc<str>, partition: u32, records: Vec<Stored>) {
        let is_alerts = &**topic == ALERTS;
        let Some(next) = records.last().map(|last| last.offset + 1) else { return };
        self.records += records.len();
        for stored in records {
            // A tombstone: compaction's business.
            let Some(value) = stored.record.value.as_deref() else { continue };
            let said = if is_alerts { convert::transition(value) } else { reader.metric_entry(value) };
            match said {
                Ok(Said::Row(row)) => {
                    row.point.revision_us.into_iter().for_each(|revision| self.note(revision));
                    if let (Some(_), Some(value)) = (&row.series.account, &stored.record.value) {
                        self.keep(&row, value);
                    }
                    self.batch.rows.push(row);
                }
                Ok(Said::Outlook) => {}
                Ok(Said::Alert(alert)) => self.batch.alerts.push(*alert),
                Ok(Said::Tick(at_us, since_us)) => {
                    self.note(at_us);
                    self.batch.clocks.push(Clock { topic: topic.to_string(), partition, at_us, since_us });
                }
                Err(error) => self.dead.push(dead_letter(topic, partition, &stored, &error)),
            }
        }
        self.offsets.retain(|(known, of, _)| (known, *of) != (topic, partition));
        self.offsets.push((topic.clone(), partition, Some(Committed { offset: next, metadata: String::new() })));
    }
}

fn dead_letter(topic: &str, partition: u32, stored: &Stored, error: &Error) -> Output {
    tracing::warn!(topic, partition, offset = stored.offset, %error, "record goes to the dead letters");
    task::dead::letter(topic, partition, stored, GROUP, &error.to_string())
}
