//! A door: stamps events, appends them and the ticks to the log, batch by batch.
//!
//! Invariants: `recorded_at = max(time, clock + 1 ms)`, the clock being the log's greatest tick and the time the event's
//! in files of history, the wall clock's in a live door; a tick goes to every partition in one commit; nothing depends
//! on where batches end. The clock is read back from the tail of the log, so the log alone says where to go on.
//! It does not validate.

use std::sync::Arc;

use eventlog::{Commit, GroupOffsets, Header, Log, Output, Producer, Record, Stored};
use proto::{
    Message,
    bytes::Bytes,
    v1::{Claim, Entry, Event, Tick, entry, event},
};

use crate::{
    Error, Result, partition, telemetry,
    ticks::{Clock, Grid, ROWS_MAX, Schedule},
};

/// How far back the last tick can be: [`ROWS_MAX`] rows over all partitions, and slack.
const TAIL_MAX: u64 = ROWS_MAX + 10_000;

/// Settings of a door.
#[derive(Debug, Clone)]
pub struct Config {
    /// Topic of events, without the configurable prefix.
    pub topic: Arc<str>,
    /// Name of the log's producer; a newer door of this name fences this one.
    pub producer: String,
    /// Records of a batch.
    pub batch_records: usize,
    /// Bytes of a batch.
    pub batch_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { topic: crate::EVENTS.into(), producer: "door".to_owned(), batch_records: 1_000, batch_bytes: 1 << 20 }
    }
}

/// An open door.
pub struct Door {
    config: Config,
    partitions: u32,
    producer: Box<dyn Producer>,
    schedule: Schedule,
    /// Headers of the records of events.
    headers: Vec<Header>,
    outputs: Vec<Output>,
    bytes: usize,
    rows: u64,
    ticks: u64,
}

impl Door {
    /// Opens the topic, fences older doors of this name, and reads the clock from the tail.
    ///
    /// # Errors
    /// When the topic is not there or its tail cannot be read.
    pub fn open(log: &dyn Log, config: Config, grid: Grid) -> Result<Self> {
        let spec = log.topics()?.into_iter().find(|spec| *spec.name == *config.topic);
        let missing = || eventlog::Error::Unknown { topic: config.topic.to_string(), partition: 0 };
        let partitions = spec.ok_or_else(missing)?.partitions;
        let producer = log.producer(&config.producer)?;
        let clock = clock(log, &config.topic, partitions)?;
        let schedule = Schedule::new(grid, clock);
        let headers = Vec::new();
        Ok(Self { config, partitions, producer, schedule, headers, outputs: Vec::new(), bytes: 0, rows: 0, ticks: 0 })
    }

    /// Number of partitions of the topic.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Adds this header to the record of each event from now on.
    pub fn mark(&mut self, header: Header) {
        self.headers.push(header);
    }

    /// Adds a record of another topic to the batch.
    pub fn add(&mut self, output: Output) {
        self.bytes += output.record.value.as_ref().map_or(0, Bytes::len);
        self.outputs.push(output);
    }

    /// Which ticks are due, and the clock, with what is appended but not committed yet.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Another door moved the clock of the log.
    pub fn observe(&mut self, at_us: i64) {
        self.schedule.observe(at_us);
    }

    /// Adds an event recorded when it happened; the ticks due before it were appended already.
    pub fn append(&mut self, event: Event) {
        let time_us = event.time_us;
        self.append_at(event, time_us);
    }

    /// The same, with more headers.
    pub(crate) fn append_with(&mut self, event: Event, more: impl Iterator<Item = Header>) {
        let own = self.headers.len();
        self.headers.extend(more);
        self.append(event);
        self.headers.truncate(own);
    }

    /// Stamps an event that is recorded at `now_us` and adds it to the batch; returns the stamp.
    pub fn append_at(&mut self, mut event: Event, now_us: i64) -> i64 {
        event.recorded_at_us = self.schedule.row(now_us);
        let partition = partition::of(event.subject.as_bytes(), self.partitions);
        let key = Bytes::from(event.subject.clone().into_bytes());
        let at_us = event.recorded_at_us;
        let claims = claims(&event);
        self.push(partition, key, at_us, &Entry { entry: Some(entry::Entry::Event(event)) });
        if let Some(output) = self.outputs.last_mut() {
            output.record.headers.clone_from(&self.headers);
        }
        self.rows += 1;
        for claim in claims {
            let key = Bytes::from(claim.account.clone().into_bytes());
            let partition = partition::of(&key, self.partitions);
            self.push(partition, key, at_us, &Entry { entry: Some(entry::Entry::Claim(claim)) });
        }
        at_us
    }

    /// Adds a tick to every partition; `false` when the clock is there already.
    pub fn tick(&mut self, at_us: i64) -> bool {
        if !self.schedule.tick(at_us) {
            return false;
        }
        let tick = Entry { entry: Some(entry::Entry::Tick(Tick { at_us })) };
        for partition in 0..self.partitions {
            self.push(partition, Bytes::new(), at_us, &tick);
        }
        self.ticks += 1;
        true
    }

    fn push(&mut self, partition: u32, key: Bytes, timestamp_us: i64, entry: &Entry) {
        let value = Bytes::from(entry.encode_to_vec());
        self.bytes += key.len() + value.len();
        let record = Record { key, value: Some(value), headers: Vec::new(), timestamp_us };
        self.outputs.push(Output { topic: self.config.topic.clone(), partition, record });
    }

    /// Whether the batch should be committed.
    pub fn is_full(&self) -> bool {
        self.outputs.len() >= self.config.batch_records || self.bytes >= self.config.batch_bytes
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Commits the batch durably, together with `offsets`.
    ///
    /// # Errors
    /// When the log refuses; the door is of no use then, since its clock ran ahead: open another.
    pub fn commit(&mut self, offsets: Vec<GroupOffsets>) -> Result<()> {
        let outputs = std::mem::take(&mut self.outputs);
        self.producer.commit(Commit { outputs, offsets })?;
        telemetry::appended(std::mem::take(&mut self.rows), std::mem::take(&mut self.ticks));
        self.bytes = 0;
        Ok(())
    }
}

/// The accounts that an event merges, beside its own: a door writes a claim for each, because their partitions do not see the event.
pub fn claims(event: &Event) -> Vec<Claim> {
    let Some(event::Data::IdentityLinked(link)) = &event.data else { return Vec::new() };
    let others = [&link.from, &link.to].into_iter().filter(|account| **account != event.subject);
    others.map(|account| Claim { tenant: event.tenant.clone(), account: account.clone() }).collect()
}

/// The clock of the log: its greatest tick, and the rows after it.
///
/// # Errors
/// When the tail cannot be read.
pub fn clock(log: &dyn Log, topic: &str, partitions: u32) -> Result<Clock> {
    let mut clock = Clock::default();
    for partition in 0..partitions {
        let tail = tail(log, topic, partition)?;
        clock.at = clock.at.max(tail.at);
        clock.rows += tail.rows;
        clock.recorded = match (clock.recorded, tail.recorded) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        };
    }
    Ok(clock)
}

/// Looks back further and further until there is a tick.
fn tail(log: &dyn Log, topic: &str, partition: u32) -> Result<Clock> {
    let marks = log.watermarks(topic, partition)?;
    let mut back = 256;
    loop {
        let from = marks.high.saturating_sub(back).max(marks.low);
        let clock = scan(log, topic, partition, from)?;
        if clock.at.is_some() || from == marks.low || back >= TAIL_MAX {
            return Ok(clock);
        }
        back = (back * 16).min(TAIL_MAX);
    }
}

fn scan(log: &dyn Log, topic: &str, partition: u32, from: u64) -> Result<Clock> {
    let mut clock = Clock::default();
    for stored in eventlog::past(log, topic, partition, from)? {
        match decode(topic, partition, &stored?)?.entry {
            Some(entry::Entry::Tick(tick)) => clock = Clock { at: clock.at.max(Some(tick.at_us)), ..Clock::default() },
            Some(entry::Entry::Event(event)) => {
                let at = event.recorded_at_us;
                clock.rows += 1;
                clock.recorded = Some(clock.recorded.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
            }
            Some(entry::Entry::Claim(_)) | None => {}
        }
    }
    Ok(clock)
}

/// The time of a record that is a tick.
///
/// # Errors
/// When it does not decode.
pub(crate) fn tick(topic: &str, partition: u32, stored: &Stored) -> Result<Option<i64>> {
    match decode(topic, partition, stored)?.entry {
        Some(entry::Entry::Tick(tick)) => Ok(Some(tick.at_us)),
        _ => Ok(None),
    }
}

/// The entry of a record of the events topic.
///
/// # Errors
/// When it does not decode.
pub fn decode(topic: &str, partition: u32, stored: &Stored) -> Result<Entry> {
    let bytes = stored.record.value.clone().unwrap_or_default();
    Entry::decode(bytes).map_err(|source| Error::Damaged {
        topic: topic.to_owned(),
        partition,
        offset: stored.offset,
        source,
    })
}
