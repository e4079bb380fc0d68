//! A task: a fold over one partition of a topic, with its state, position, commits and recovery.
//!
//! Account stage, rollup stage and alerts are folds; all that they share is here. Invariants:
//! - a commit lies on an instant and holds whole instants; outputs and consumer offsets go first,
//!   in one commit of the log, state second, in one `WriteBatch` with `next_offset`. State may trail
//!   by many commits, so R (offset in the state) <= G (the group's committed offset);
//! - one recovery path: read R, fetch G, replay [R, G) with outputs suppressed, then live. Neither
//!   R nor G: a new start at 0. G without R: rebuild, suppressed up to G. R > G, or R without G:
//!   stop with a clear error;
//! - a failed write stops the task; it is reopened from disk, never repaired in memory.
//!
//! ```text
//!     0 ........ R ........... G ........ end of the partition
//!        state    suppressed      live
//! ```
//!
//! It does not know what is folded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use eventlog::{Assignment, Commit, Committed, Consumer, GroupOffsets, Log, Output, Poll, Producer, Stored};

pub mod checkpoint;
mod error;
pub mod state;
pub mod telemetry;

pub use error::{Error, Kind, Result};
pub use state::{Batch, State};

/// What a fold does with records. Everything that it does is a function of its state and the
/// records; outputs belong to instants.
pub trait Fold: Send {
    /// Tables (column families) of the state, beside the task's own.
    const TABLES: &'static [&'static str];

    /// Applies records in order, and appends the outputs of each instant that closes; with `pause`
    /// it returns after the first that does.
    ///
    /// # Errors
    /// When state cannot be read or is damaged; the task stops.
    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress>;

    /// Writes everything that changed since the last flush. Called with whole instants only.
    ///
    /// # Errors
    /// When state cannot be read.
    fn flush(&mut self, state: &State, batch: &mut Batch<'_>) -> Result<()>;

    /// Roughly how much changed state is held in memory, in bytes.
    fn dirty(&self) -> usize;
}

/// How far [`Fold::apply`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records applied.
    pub applied: usize,
    /// Offset after the last record that closed an instant, if any did.
    pub closed: Option<u64>,
}

/// Where a task reads, commits and keeps its state.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name: consumer group, producer, telemetry label.
    pub name: String,
    /// Topic that is folded.
    pub topic: Arc<str>,
    /// Partition of it.
    pub partition: u32,
    /// Commit at the latest this long after the first output, when more records wait.
    pub commit_every: Duration,
    /// Flush state this often.
    pub flush_every: Duration,
    /// Flush state earlier when this much is dirty, bytes.
    pub flush_bytes: usize,
    /// Bytes of records a poll.
    pub poll_bytes: usize,
}

impl Config {
    /// The defaults for a task.
    pub fn new(name: impl Into<String>, topic: &str, partition: u32) -> Config {
        Config {
            name: name.into(),
            topic: topic.into(),
            partition,
            commit_every: Duration::from_millis(100),
            flush_every: Duration::from_secs(5),
            flush_bytes: 256 << 20,
            poll_bytes: 1 << 20,
        }
    }
}

/// Outputs waiting for a commit are kept below about this many records.
const OUTPUTS_MAX: usize = 20_000;

/// A running task.
pub struct Task<F> {
    config: Config,
    fold: F,
    state: State,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    /// Offset after the last record applied.
    position: u64,
    /// Offset after the last instant closed.
    closed: u64,
    /// G: up to here outputs are suppressed.
    committed: u64,
    outputs: Vec<Output>,
    first_output: Option<Instant>,
    flushed: Instant,
    flushed_at: u64,
}

impl<F: Fold> Task<F> {
    /// Opens a task: decides where to begin from R and G.
    ///
    /// # Errors
    /// `Fatal` when R and G contradict each other, or storage fails.
    pub fn open(config: Config, fold: F, state: State, log: &dyn Log) -> Result<Task<F>> {
        let group = log.committed(&config.name, &config.topic, config.partition)?.map(|position| position.offset);
        let start = decide(&config, state.next_offset()?, group)?;
        let marks = log.watermarks(&config.topic, config.partition)?;
        if start.from < marks.low {
            return Err(Error::Retained { task: config.name, from: start.from, low: marks.low });
        }
        if start.suppressed_to > start.from {
            tracing::info!(
                task = config.name,
                from = start.from,
                to = start.suppressed_to,
                "replaying with outputs suppressed"
            );
        }
        let consumer = log.consumer(&config.topic, Assignment::Manual(vec![(config.partition, start.from)]))?;
        let producer = log.producer(&config.name)?;
        Ok(Task {
            position: start.from,
            closed: start.from,
            committed: start.suppressed_to,
            flushed_at: start.from,
            config,
            fold,
            state,
            consumer,
            producer,
            outputs: Vec::new(),
            first_output: None,
            flushed: Instant::now(),
        })
    }

    /// The whole loop: read, apply, commit, flush, until told to stop; then commits and flushes.
    ///
    /// # Errors
    /// The first failure; what was committed stays, the rest is replayed by the next run.
    pub fn run(mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.step(Duration::from_millis(50))?;
        }
        self.finish()
    }

    /// One turn of the loop; waits for records at most `wait`. Returns the number of records applied.
    ///
    /// # Errors
    /// As [`Task::run`].
    pub fn step(&mut self, wait: Duration) -> Result<usize> {
        let wait = if self.first_output.is_some() { Duration::ZERO } else { wait };
        let records = match self.consumer.poll(self.config.poll_bytes, wait)? {
            Poll::Records { records, .. } => records,
            _ => Vec::new(),
        };
        // Records below G were committed before: their outputs are known to the log.
        let split = records.partition_point(|stored| stored.offset < self.committed);
        let (known, new) = records.split_at(split);
        self.apply(known, true)?;
        self.apply(new, false)?;
        let due = self.first_output.is_some_and(|first| first.elapsed() >= self.config.commit_every);
        if due || records.is_empty() || self.outputs.len() >= OUTPUTS_MAX {
            self.commit()?;
        }
        if records.is_empty() && self.flush_due() {
            self.flush()?;
        }
        Ok(records.len())
    }

    fn apply(&mut self, mut records: &[Stored], suppressed: bool) -> Result<()> {
        while !records.is_empty() {
            let pause = self.flush_due();
            let mut known = Vec::new();
            let outputs = if suppressed { &mut known } else { &mut self.outputs };
            let progress = self.fold.apply(records, &self.state, pause, outputs)?;
            telemetry::suppressed(&self.config.name, known.len());
            let (applied, rest) = records.split_at(progress.applied);
            self.position = applied.last().map_or(self.position, |last| last.offset + 1);
            records = rest;
            if let Some(closed) = progress.closed {
                self.closed = closed;
                if !suppressed {
                    self.first_output.get_or_insert_with(Instant::now);
                }
            }
            if pause && progress.closed.is_some() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush_due(&self) -> bool {
        self.flushed.elapsed() >= self.config.flush_every || self.fold.dirty() >= self.config.flush_bytes
    }

    /// Outputs and offsets first.
    fn commit(&mut self) -> Result<()> {
        self.first_output = None;
        if self.closed <= self.committed {
            return Ok(());
        }
        let position = Committed { offset: self.closed, metadata: String::new() };
        let outputs = std::mem::take(&mut self.outputs);
        telemetry::committed(&self.config.name, outputs.len());
        let offsets = vec![(self.config.topic.clone(), self.config.partition, Some(position))];
        self.producer
            .commit(Commit { outputs, offsets: vec![GroupOffsets { group: self.config.name.clone(), offsets }] })?;
        self.committed = self.closed;
        Ok(())
    }

    /// State second, and only where it lies on an instant.
    fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        self.commit()?;
        if self.position != self.closed || self.closed == self.flushed_at || self.closed > self.committed {
            return Ok(());
        }
        let mut batch = self.state.batch();
        self.fold.flush(&self.state, &mut batch)?;
        batch.write(self.closed)?;
        self.flushed_at = self.closed;
        // R as a group of its own: retention and compaction wait for it, not only for G.
        let position = Committed { offset: self.closed, metadata: String::new() };
        let offsets = vec![(self.config.topic.clone(), self.config.partition, Some(position))];
        self.producer.commit(Commit {
            outputs: Vec::new(),
            offsets: vec![GroupOffsets { group: state_group(&self.config.name), offsets }],
        })?;
        telemetry::flushed(&self.config.name, self.flushed.elapsed());
        Ok(())
    }

    /// Commits what is closed and flushes, if the position lies on an instant.
    ///
    /// # Errors
    /// As [`Task::run`].
    pub fn finish(mut self) -> Result<()> {
        self.commit()?;
        self.flush()
    }
}

/// The group whose position is R of a task: what the log has to keep for its recovery.
pub fn state_group(task: &str) -> String {
    format!("{task}.state")
}

/// Where a task begins.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    from: u64,
    suppressed_to: u64,
}

/// The decision of invariant 5, from R and G alone.
fn decide(config: &Config, state: Option<u64>, group: Option<u64>) -> Result<Start> {
    match (state, group) {
        (None, None) => Ok(Start { from: 0, suppressed_to: 0 }),
        (None, Some(committed)) => Ok(Start { from: 0, suppressed_to: committed }),
        (Some(next), Some(committed)) if next <= committed => Ok(Start { from: next, suppressed_to: committed }),
        (Some(next), committed) => {
            Err(Error::AheadOfGroup { task: config.name.clone(), state: next, group: committed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_follows_from_r_and_g() {
        let config = Config::new("account", "events.v1", 0);
        let start = |state, group| decide(&config, state, group).map(|start| (start.from, start.suppressed_to)).ok();
        assert_eq!(start(None, None), Some((0, 0)));
        assert_eq!(start(None, Some(7)), Some((0, 7)));
        assert_eq!(start(Some(3), Some(7)), Some((3, 7)));
        assert_eq!(start(Some(8), Some(7)), None);
        let message = decide(&config, Some(8), None).unwrap_err().to_string();
        assert_eq!(
            message,
            "task account: the state is at offset 8, the log has committed none: the state is of another log or the log lost data; move the state directory away to rebuild it"
        );
    }
}
