//! The sink's loop: reads metric and alert topics, writes a batch to the store, then commits the offsets to the log.
//!
//! Invariants:
//! - the store first, the offsets second: after a crash in between, records are written again, and the store's
//!   guarded upserts make that change nothing;
//! - a record that cannot be stored goes to the dead letters in the same commit as the offsets past it.
//!
//! It does not know which store it writes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use eventlog::{
    Assignment, Commit, Committed, Consumer, GroupOffsets, Header, Log, Output, Poll, Producer, Record, Stored,
};
use prost::Message as _;
use proto::v1;
use store::{Batch, Clock, Write};

use crate::{
    Error, Result,
    convert::{self, Said},
    telemetry,
};

/// Consumer group of the sink, and name of its producer.
pub const GROUP: &str = "sink";

/// Where records go that cannot be stored.
pub const DEAD_LETTERS: &str = "dead-letters.v1";

const POLL_BYTES: usize = 1 << 20;
/// A batch is written when it holds so many records, or when nothing more is there.
const BATCH_RECORDS: usize = 20_000;
const WAIT: Duration = Duration::from_millis(100);

/// A topic that the sink reads: `[PREFIX.]metrics.NAME.v1` or `[PREFIX.]alerts.v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: u32,
}

struct Source {
    topic: Arc<str>,
    alerts: bool,
    partitions: u32,
    consumer: Box<dyn Consumer>,
}

/// What a batch has gathered so far.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    offsets: Vec<(Arc<str>, u32, Option<Committed>)>,
    dead: Vec<Output>,
    records: usize,
}

/// Writes what the topics say to a store.
pub struct Writer {
    log: Arc<dyn Log>,
    store: Box<dyn Write>,
    producer: Box<dyn Producer>,
    sources: Vec<Source>,
}

impl Writer {
    /// Reads on from the group's committed offsets, or from the first kept record.
    ///
    /// # Errors
    /// `Fatal` if a topic is missing.
    pub fn open(log: Arc<dyn Log>, store: Box<dyn Write>, topics: &[Topic]) -> Result<Self> {
        // Fences whoever wrote before, so that the offsets do not move after they were read.
        let producer = log.producer(GROUP)?;
        let sources = topics.iter().map(|topic| Source::open(&*log, topic)).collect::<Result<_>>()?;
        Ok(Self { log, store, producer, sources })
    }

    /// Writes and commits one batch; waits so long for a first record. Returns the number of records read.
    ///
    /// # Errors
    /// After an error, open another writer: it reads on from what was committed.
    pub fn step(&mut self, wait: Duration) -> Result<usize> {
        let mut gathered = self.gather(Duration::ZERO)?;
        if gathered.records == 0 && !wait.is_zero() {
            gathered = self.await_first(wait)?;
        }
        if gathered.records == 0 {
            return Ok(0);
        }
        if !gathered.batch.is_empty() {
            self.store.write(&gathered.batch)?;
        }
        telemetry::batch(gathered.records, gathered.dead.len());
        let group = GroupOffsets { group: GROUP.to_owned(), offsets: gathered.offsets };
        self.producer.commit(Commit { outputs: gathered.dead, offsets: vec![group] })?;
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

    /// Everything that the topics hold is in the store, and committed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn drained(&self) -> Result<bool> {
        for source in &self.sources {
            for partition in 0..source.partitions {
                let marks = self.log.watermarks(&source.topic, partition)?;
                let done = self.log.committed(GROUP, &source.topic, partition)?.map_or(marks.low, |at| at.offset);
                if done < marks.high {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn gather(&mut self, wait: Duration) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        for source in &mut self.sources {
            while gathered.records < BATCH_RECORDS {
                let Poll::Records { partition, records } = source.consumer.poll(POLL_BYTES, wait)? else { break };
                gathered.take(source, partition, records);
            }
        }
        Ok(gathered)
    }

    /// Sleeps in short naps: one topic of many wakes it, and no topic is waited for while another has records.
    fn await_first(&mut self, wait: Duration) -> Result<Gathered> {
        const NAP: Duration = Duration::from_millis(5);
        let mut left = wait;
        loop {
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
            let gathered = self.gather(Duration::ZERO)?;
            if gathered.records > 0 || left.is_zero() {
                return Ok(gathered);
            }
        }
    }
}

impl Source {
    fn open(log: &dyn Log, topic: &Topic) -> Result<Self> {
        let mut from = Vec::new();
        for partition in 0..topic.partitions {
            let low = log.watermarks(&topic.name, partition)?.low;
            // Compaction and retention may have passed what was committed long ago.
            let at = log.committed(GROUP, &topic.name, partition)?.map_or(low, |at| at.offset.max(low));
            from.push((partition, at));
        }
        let alerts = topic.name == "alerts.v1" || topic.name.ends_with(".alerts.v1");
        let consumer = log.consumer(&topic.name, Assignment::Manual(from))?;
        Ok(Self { topic: topic.name.as_str().into(), alerts, partitions: topic.partitions, consumer })
    }
}

impl Gathered {
    fn take(&mut self, source: &Source, partition: u32, records: Vec<Stored>) {
        let Some(next) = records.last().map(|last| last.offset + 1) else { return };
        self.records += records.len();
        for stored in records {
            // A tombstone: compaction's business.
            let Some(value) = stored.record.value.as_deref() else { continue };
            let said = if source.alerts { convert::transition(value) } else { convert::metric_entry(value) };
            match said {
                Ok(Said::Row(row)) => self.batch.rows.push(*row),
                Ok(Said::Alert(alert)) => self.batch.alerts.push(*alert),
                Ok(Said::Tick(at_us)) => {
                    self.batch.clocks.push(Clock { topic: source.topic.to_string(), partition, at_us });
                }
                Err(error) => self.dead.push(dead_letter(&source.topic, partition, stored, &error)),
            }
        }
        self.offsets.retain(|(topic, of, _)| (topic, *of) != (&source.topic, partition));
        self.offsets.push((source.topic.clone(), partition, Some(Committed { offset: next, metadata: String::new() })));
    }
}

fn dead_letter(topic: &str, partition: u32, stored: Stored, error: &Error) -> Output {
    tracing::warn!(topic, partition, offset = stored.offset, %error, "record goes to the dead letters");
    let letter = v1::DeadLetter {
        topic: topic.to_owned(),
        partition,
        offset: stored.offset,
        stage: GROUP.to_owned(),
        reason: error.to_string(),
    };
    let text = |name: &str, value: String| Header { name: format!("__connect.errors.{name}"), value: value.into() };
    let mut record: Record = stored.record;
    record.headers.extend([
        text("topic", letter.topic.clone()),
        text("partition", partition.to_string()),
        text("offset", letter.offset.to_string()),
        text("stage", letter.stage.clone()),
        text("exception.message", letter.reason.clone()),
        Header { name: "vitals.dead-letter".to_owned(), value: letter.encode_to_vec().into() },
    ]);
    Output { topic: dead_letters_of(topic).into(), partition: 0, record }
}

/// The dead letters beside a topic: of the same prefix.
fn dead_letters_of(topic: &str) -> String {
    let base = topic.find("metrics.").or_else(|| topic.rfind("alerts.")).unwrap_or(0);
    format!("{}{DEAD_LETTERS}", &topic[..base])
}
