//! The sink's loop: reads metric and alert topics, writes a batch to the store, then commits the offsets to the log.
//!
//! Invariants:
//! - the store first, the offsets second: after a crash in between, records are written again, and the store's
//!   guarded upserts make that change nothing; nor does a sink that lost its partitions and writes once more;
//! - each topic has a group of its own ([`group`]), whose members are sinks: partitions that are taken back are
//!   written and committed first;
//! - a record that cannot be stored goes to the dead letters in the same commit as the offsets past it.
//!
//! It does not know which store it writes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use eventlog::{Assignment, Commit, Committed, Consumer, GroupOffsets, Log, Output, Poll, Producer, Stored, failpoint};
use store::{Batch, Clock, Write};

use crate::{
    Error, Result,
    convert::{self, Said},
    reader::Reader,
    telemetry,
};

/// What the consumer groups of sinks begin with.
const GROUP: &str = "sink";

/// The consumer group in which sinks share a topic.
pub fn group(topic: &str) -> String {
    format!("{GROUP}.{topic}")
}

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
const NAP: Duration = Duration::from_millis(5);

struct Source {
    topic: Arc<str>,
    alerts: bool,
    consumer: Box<dyn Consumer>,
}

/// What a poll of a source brought.
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
}

/// Writes what the topics say to a store.
pub struct Writer {
    log: Arc<dyn Log>,
    store: Box<dyn Write>,
    producer: Box<dyn Producer>,
    sources: Vec<Source>,
    /// The source that the next batch begins with, so that each gets its turn in a backlog.
    turn: usize,
    reader: Reader,
    /// The room of the batch before, where that was of history: the next one will be as large.
    room: Batch,
}

impl Writer {
    /// Joins the groups of the topics, `[PREFIX.]metrics.NAME.v1` and `[PREFIX.]alerts.v1`; each partition is read on from the group's committed offset, or from the first
    /// kept record. `name` is that of the producer: a newer sink of this name fences this one.
    ///
    /// # Errors
    /// `Fatal` if a topic is missing.
    pub fn open(log: Arc<dyn Log>, store: Box<dyn Write>, topics: &[String], name: &str) -> Result<Self> {
        let producer = log.producer(name)?;
        let sources = topics.iter().map(|topic| Source::open(&*log, topic)).collect::<Result<_>>()?;
        Ok(Self { log, store, producer, sources, turn: 0, reader: Reader::default(), room: Batch::default() })
    }

    /// Writes and commits one batch; waits so long for a first record. Returns the number of records read.
    ///
    /// # Errors
    /// After an error, open another writer: it reads on from what was committed.
    pub fn step(&mut self, wait: Duration) -> Result<usize> {
        let mut gathered = self.gather()?;
        if gathered.records == 0 && !wait.is_zero() {
            gathered = self.await_first(wait)?;
        }
        if gathered.records == 0 {
            self.producer.tend();
            return Ok(0);
        }
        if !gathered.batch.is_empty() {
            self.store.write(&gathered.batch)?;
        }
        failpoint::pass(failpoint::STORED);
        telemetry::batch(gathered.records, gathered.dead.len());
        let mut offsets: Vec<GroupOffsets> = Vec::new();
        for position in std::mem::take(&mut gathered.offsets) {
            let group = group(&position.0);
            match offsets.iter_mut().find(|known| known.group == group) {
                Some(known) => known.offsets.push(position),
                None => offsets.push(GroupOffsets { group, offsets: vec![position] }),
            }
        }
        if gathered.is_history() {
            gathered.batch.clear();
            self.room = std::mem::take(&mut gathered.batch);
        }
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

    /// What is there; of history also what comes soon.
    fn gather(&mut self) -> Result<Gathered> {
        let mut gathered = Gathered { batch: std::mem::take(&mut self.room), ..Gathered::default() };
        let mut more = self.pass(&mut gathered)?;

        let (begun, mut quiet) = (Instant::now(), Instant::now());
        while more && gathered.is_history() && begun.elapsed() < LINGER.0 && quiet.elapsed() < LINGER.1 {
            std::thread::sleep(NAP);
            let before = gathered.records;
            more = self.pass(&mut gathered)?;
            if gathered.records > before {
                quiet = Instant::now();
            }
        }
        Ok(gathered)
    }

    /// Takes what the sources have, one after the other; false when the batch has to be written now.
    fn pass(&mut self, gathered: &mut Gathered) -> Result<bool> {
        let log = self.log.clone();
        for _ in 0..self.sources.len() {
            let source = &mut self.sources[self.turn];
            while gathered.records < BATCH_RECORDS {
                match source.turn(&*log, &mut self.reader, gathered)? {
                    Turn::Took => {}
                    Turn::Idle => break,
                    Turn::GivesBack => return Ok(false),
                }
            }
            self.turn = (self.turn + 1) % self.sources.len();
            if gathered.records >= BATCH_RECORDS {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sleeps in short naps: one topic of many wakes it, and no topic is waited for while another has records.
    fn await_first(&mut self, wait: Duration) -> Result<Gathered> {
        let mut left = wait;
        loop {
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
            let gathered = self.gather()?;
            if gathered.records > 0 || left.is_zero() {
                return Ok(gathered);
            }
        }
    }
}

impl Source {
    fn open(log: &dyn Log, topic: &str) -> Result<Self> {
        let alerts = topic == "alerts.v1" || topic.ends_with(".alerts.v1");
        let consumer = log.consumer(topic, Assignment::Group(group(topic)))?;
        Ok(Self { topic: topic.into(), alerts, consumer })
    }

    /// Polls once.
    fn turn(&mut self, log: &dyn Log, reader: &mut Reader, gathered: &mut Gathered) -> Result<Turn> {
        match self.consumer.poll(POLL_BYTES, Duration::ZERO)? {
            Poll::Records { partition, records } => {
                gathered.take(self, reader, partition, records);
                Ok(Turn::Took)
            }
            Poll::Assigned(partitions) => {
                for partition in partitions {
                    let low = log.watermarks(&self.topic, partition)?.low;
                    let known = log.committed(&group(&self.topic), &self.topic, partition)?;
                    // Compaction and retention may have passed what was committed long ago.
                    self.consumer.seek(partition, known.map_or(low, |at| at.offset.max(low)))?;
                }
                Ok(Turn::Took)
            }
            Poll::Revoked(_) => Ok(Turn::GivesBack),
            Poll::Lost(partitions) => {
                // Others read them already: what is in the batch may be stored, not committed.
                gathered
                    .offsets
                    .retain(|(topic, partition, _)| *topic != self.topic || !partitions.contains(partition));
                Ok(Turn::Took)
            }
            Poll::Idle => Ok(Turn::Idle),
        }
    }
}

impl Gathered {
    /// Whether more time of the log passed than passes in a batch of what is live.
    fn is_history(&self) -> bool {
        self.span.is_some_and(|(first, last)| last.saturating_sub(first) > HISTORY_US)
    }

    fn note(&mut self, instant_us: i64) {
        let (first, last) = self.span.unwrap_or((instant_us, instant_us));
        self.span = Some((first.min(instant_us), last.max(instant_us)));
    }

    fn take(&mut self, source: &Source, reader: &mut Reader, partition: u32, records: Vec<Stored>) {
        let Some(next) = records.last().map(|last| last.offset + 1) else { return };
        self.records += records.len();
        for stored in records {
            // A tombstone: compaction's business.
            let Some(value) = stored.record.value.as_deref() else { continue };
            let said = if source.alerts { convert::transition(value) } else { reader.metric_entry(value) };
            match said {
                Ok(Said::Row(row)) => {
                    row.point.revision_us.into_iter().for_each(|revision| self.note(revision));
                    self.batch.rows.push(row);
                }
                Ok(Said::Alert(alert)) => self.batch.alerts.push(*alert),
                Ok(Said::Tick(at_us, since_us)) => {
                    self.note(at_us);
                    self.batch.clocks.push(Clock { topic: source.topic.to_string(), partition, at_us, since_us });
                }
                Err(error) => self.dead.push(dead_letter(&source.topic, partition, &stored, &error)),
            }
        }
        self.offsets.retain(|(topic, of, _)| (topic, *of) != (&source.topic, partition));
        self.offsets.push((source.topic.clone(), partition, Some(Committed { offset: next, metadata: String::new() })));
    }
}

fn dead_letter(topic: &str, partition: u32, stored: &Stored, error: &Error) -> Output {
    tracing::warn!(topic, partition, offset = stored.offset, %error, "record goes to the dead letters");
    task::dead::letter(topic, partition, stored, GROUP, &error.to_string())
}
