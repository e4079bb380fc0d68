//! Commits: threads queue them, one thread writes all that are queued with one fsync.
//!
//! ```text
//! thread A  encode -> queue -> leads:  take offsets, one WriteBatch, fsync, publish -> wakes B and the readers
//! thread B  encode ---------> queue -> waits ........................................> returns
//! ```
//!
//! Invariants: offsets are taken in the order of the queue by one thread at a time, and are shown to readers after the
//! fsync, so that a reader never sees a record while an earlier one is missing; each commit lies in one `WriteBatch`.
//! After a failed write nothing more is written: whether it survives is known after the log was opened again.
//!
//! Producers of dead processes need no fencing: the directory's lock does it. Names are fenced within the process.
//!
//! It does not know what offsets of groups mean, nor who reads.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rocksdb::WriteBatch;

use super::{
    Shared,
    batch::{self, Builder},
    storage,
    topic::Topic,
};
use crate::{Commit, Committed, Error, GroupOffsets, Output, Producer, Result, telemetry};

/// A batch is closed once it has this many bytes: what a reader decodes at once, what compaction rewrites at once.
const BATCH_BYTES: usize = 128 << 10;
/// As Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES: usize = 4096;

/// Where commits meet.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    epochs: HashMap<String, u64>,
    waiting: Vec<Request>,
    done: HashMap<u64, Result<()>>,
    next_ticket: u64,
    /// A thread is writing; `rounds` counts those that are over.
    writing: bool,
    rounds: u64,
    broken: Option<String>,
}

struct Request {
    ticket: u64,
    name: Arc<str>,
    epoch: u64,
    prepared: Prepared,
}

/// A commit, encoded, without offsets.
#[derive(Default)]
struct Prepared {
    parts: Vec<Part>,
    /// Key and value of each group position; no value deletes it.
    positions: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The outputs to one partition.
struct Part {
    topic: Arc<Topic>,
    partition: u32,
    /// Closed batches with the number of records in each.
    batches: Vec<(u32, Vec<u8>)>,
    open: Builder,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Fences producers of this name. Returns when nothing of theirs is still being written.
    fn next_epoch(&self, name: &str) -> u64 {
        let mut state = self.lock();
        let epoch = state.epochs.entry(name.to_owned()).or_default();
        *epoch += 1;
        let epoch = *epoch;
        let round = state.rounds;
        while state.writing && state.rounds == round {
            state = self.wait(state);
        }
        epoch
    }
}

impl State {
    fn check(&self, path: &str, name: &str, epoch: u64) -> Result<()> {
        if let Some(what) = &self.broken {
            return Err(Error::Stopped { path: path.to_owned(), what: what.clone() });
        }
        match self.epochs.get(name) {
            Some(newest) if *newest > epoch => Err(Error::Fenced { name: name.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// A writer to the embedded log.
pub(super) struct Writer {
    log: Arc<Shared>,
    name: Arc<str>,
    epoch: u64,
}

impl Writer {
    pub(super) fn new(log: Arc<Shared>, name: &str) -> Self {
        let epoch = log.queue.next_epoch(name);
        Self { log, name: name.into(), epoch }
    }
}

impl Producer for Writer {
    fn commit(&mut self, commit: Commit) -> Result<()> {
        let prepared = prepare(&self.log, &commit)?;
        let queue = &self.log.queue;
        let mut state = queue.lock();
        state.check(self.log.storage.path(), &self.name, self.epoch)?;
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push(Request { ticket, name: self.name.clone(), epoch: self.epoch, prepared });
        loop {
            if let Some(outcome) = state.done.remove(&ticket) {
                return outcome;
            }
            state = if state.writing {
                queue.wait(state)
            } else if state.waiting.iter().any(|request| request.ticket == ticket) {
                lead(&self.log, state)
            } else {
                let what = "the thread that wrote this commit panicked".to_owned();
                return Err(Error::Stopped { path: self.log.storage.path().to_owned(), what });
            };
        }
    }
}

/// Writes all that is queued, while the queue fills again.
fn lead<'a>(log: &'a Shared, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let mut round = Vec::new();
    for request in std::mem::take(&mut state.waiting) {
        match state.check(log.storage.path(), &request.name, request.epoch) {
            Ok(()) => round.push(request),
            Err(error) => drop(state.done.insert(request.ticket, Err(error))),
        }
    }
    state.writing = true;
    drop(state);
    let leading = Leading(&log.queue);
    let outcome = write(log, &round);
    std::mem::forget(leading);
    let mut state = log.queue.lock();
    match outcome {
        Ok(()) => state.done.extend(round.iter().map(|request| (request.ticket, Ok(())))),
        Err(error) => {
            let what = error.to_string();
            for request in &round {
                let error = Error::Stopped { path: log.storage.path().to_owned(), what: what.clone() };
                state.done.insert(request.ticket, Err(error));
            }
            state.broken = Some(what);
        }
    }
    state.writing = false;
    state.rounds += 1;
    log.queue.changed.notify_all();
    state
}

/// Lets nobody wait for ever when the writing thread panics.
struct Leading<'a>(&'a Queue);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.broken = Some("a writing thread panicked".to_owned());
        state.writing = false;
        state.rounds += 1;
        self.0.changed.notify_all();
    }
}

/// Takes offsets, writes the round durably, shows it to readers.
fn write(log: &Shared, round: &[Request]) -> Result<()> {
    let mut batch = WriteBatch::default();
    round.iter().try_for_each(|request| add(log, &mut batch, &request.prepared))?;
    let bytes = batch.size_in_bytes();
    let started = Instant::now();
    let mut records = 0;
    {
        // Whoever sees a position of this commit sees its records, too.
        let _writing = log.visible.write().unwrap_or_else(PoisonError::into_inner);
        log.storage.write(batch, true)?;
        telemetry::synced(started.elapsed());
        for part in round.iter().flat_map(|request| &request.prepared.parts) {
            let partition = part.topic.partition(part.partition)?;
            partition.publish(partition.next());
            records += part.records();
        }
    }
    log.signal.raise();
    telemetry::committed(round.len(), records, bytes);
    Ok(())
}

fn add(log: &Shared, batch: &mut WriteBatch, commit: &Prepared) -> Result<()> {
    for part in &commit.parts {
        let partition = part.topic.partition(part.partition)?;
        let mut base = partition.take(part.records());
        for (records, value) in &part.batches {
            log.storage.put_batch(batch, storage::batch_key(part.topic.id, part.partition, base), value);
            base += u64::from(*records);
        }
        batch.put(storage::next_key(part.topic.id, part.partition), base.to_be_bytes());
    }
    for (key, value) in &commit.positions {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
    }
    Ok(())
}

fn prepare(log: &Shared, commit: &Commit) -> Result<Prepared> {
    let mut prepared = Prepared { parts: collect(log, &commit.outputs)?, positions: Vec::new() };
    for group in &commit.offsets {
        positions(log, group, &mut prepared.positions)?;
    }
    Ok(prepared)
}

/// Encodes the outputs, partition by partition, in order of first touch.
fn collect(log: &Shared, outputs: &[Output]) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut places: HashMap<(&str, u32), usize> = HashMap::new();
    let mut last: Option<(&Output, usize)> = None;
    for output in outputs {
        let same = last.filter(|(l, _)| l.partition == output.partition && Arc::ptr_eq(&l.topic, &output.topic));
        let place = match same {
            Some((_, place)) => place,
            None => match places.get(&(&*output.topic, output.partition)) {
                Some(place) => *place,
                None => {
                    parts.push(Part::new(log, output)?);
                    places.insert((&*output.topic, output.partition), parts.len() - 1);
                    parts.len() - 1
                }
            },
        };
        last = Some((output, place));
        parts[place].push(output);
    }
    parts.iter_mut().for_each(Part::close);
    Ok(parts)
}

impl Part {
    fn new(log: &Shared, output: &Output) -> Result<Self> {
        let topic = log.topic(&output.topic, output.partition)?;
        topic.partition(output.partition)?;
        Ok(Self { topic, partition: output.partition, batches: Vec::new(), open: Builder::new() })
    }

    fn push(&mut self, output: &Output) {
        self.open.push(&output.record);
        if self.open.len() >= BATCH_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let records = self.open.records();
        if records > 0 {
            let full = std::mem::replace(&mut self.open, Builder::new());
            self.batches.push((records, full.finish()));
        }
    }

    fn records(&self) -> u64 {
        self.batches.iter().map(|(records, _)| u64::from(*records)).sum()
    }
}

fn positions(log: &Shared, group: &GroupOffsets, out: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<()> {
    for (name, partition, position) in &group.offsets {
        let topic = log.topic(name, *partition)?;
        topic.partition(*partition)?;
        let length = position.as_ref().map_or(0, |p| p.metadata.len());
        if length > METADATA_BYTES {
            let what = format!("metadata of group {} has {length} bytes, more than {METADATA_BYTES}", group.group);
            return Err(Error::Invalid { what: format!("topic {name} partition {partition}: {what}") });
        }
        let key = storage::group_key(topic.id, *partition, &group.group);
        out.push((key, position.as_ref().map(encode_position)));
    }
    Ok(())
}

fn encode_position(position: &Committed) -> Vec<u8> {
    let mut out = Vec::with_capacity(10 + position.metadata.len());
    batch::put_varint(&mut out, position.offset);
    out.extend_from_slice(position.metadata.as_bytes());
    out
}

/// Reads a stored group position; `None` if it is not one.
pub(super) fn decode_position(bytes: &[u8]) -> Option<Committed> {
    let mut at = 0;
    let offset = batch::get_varint(bytes, &mut at).ok()?;
    let metadata = std::str::from_utf8(bytes.get(at..)?).ok()?.to_owned();
    Some(Committed { offset, metadata })
}
