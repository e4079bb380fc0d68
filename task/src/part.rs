//! One task: the fold of one partition, between its state and the log.
//!
//! Where it begins follows from R, the offset in the state, and G, the group's committed offset:
//! neither: a new start at 0; G without R: rebuild, suppressed up to G; R <= G: replay [R, G) with
//! outputs suppressed, then live; R > G, or R without G, or either where the log has no records: stop
//! with a clear error.
//!
//! ```text
//!     0 ........ R ........... G ........ end of the partition
//!        state    suppressed      live
//! ```
//! It neither reads nor commits: the worker does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{Log, Output, Stored, TopicPartition, Watermarks, failpoint};

use crate::{
    Changes, Error, Fold, Result, State,
    change::Change,
    home::{self, Host, Opened, Saver},
    standby::Owned,
    telemetry,
    worker::{Config, Open},
};

/// The group whose position is R of a stage's tasks: what the log has to keep for their recovery.
pub fn state_group(stage: &str) -> String {
    format!("{stage}.state")
}

/// A task at work.
pub(crate) struct Part<F> {
    name: String,
    fold: F,
    state: State,
    saver: Option<Saver>,
    _owned: Option<Owned>,
    /// Offset after the last record applied.
    position: u64,
    /// Offset after the last instant closed.
    closed: u64,
    /// G: up to here outputs are suppressed.
    committed: u64,
    /// Outputs of instants closed since the last commit.
    outputs: Vec<Output>,
    /// Where changes come from and go to, if the stage has any.
    source: Option<Changes>,
    /// The changes that the log remembers, and how many of them were applied.
    changes: Vec<Change>,
    applied: usize,
    /// Offset before which no first change happens.
    warm_until: u64,
    flush_every: Duration,
    flush_bytes: usize,
    flushed: Instant,
    flushed_at: u64,
    joined: Instant,
}

impl<F: Fold> Part<F> {
    /// Opens state and fold, and decides where to begin.
    pub(crate) fn open(
        config: &Config,
        at: &TopicPartition,
        open: &Open<F>,
        host: &Host,
        log: &dyn Log,
    ) -> Result<Part<F>> {
        let (name, begun) = (config.task(at), Instant::now());
        // First of all: who is not one of us discards no state of ours.
        published(&name, config, at, log)?;
        let Opened { state, saver, owned } = home::open(config, at, F::TABLES, host)?;
        let fold = open(at, &state)?;
        let (from, applied) = (state.next_offset()?, state.changes()?);
        let applied = usize::try_from(applied).map_err(|_| state.damaged(format!("{applied} changes")))?;
        let mut part = Part {
            name,
            fold,
            state,
            saver,
            _owned: owned,
            position: from.unwrap_or(0),
            closed: from.unwrap_or(0),
            committed: 0,
            outputs: Vec::new(),
            source: config.changes.clone(),
            changes: Vec::new(),
            applied,
            warm_until: 0,
            flush_every: config.flush_every,
            flush_bytes: config.flush_bytes,
            flushed: Instant::now(),
            flushed_at: from.unwrap_or(0),
            joined: begun,
        };
        part.join(config, at, from, log)?;
        Ok(part)
    }

    /// Takes the partition up again after the group gave it back; others may have gone on with it.
    pub(crate) fn resume(&mut self, config: &Config, at: &TopicPartition, log: &dyn Log) -> Result<()> {
        self.joined = Instant::now();
        self.join(config, at, Some(self.closed), log)
    }

    fn join(&mut self, config: &Config, at: &TopicPartition, own: Option<u64>, log: &dyn Log) -> Result<()> {
        let group = published(&self.name, config, at, log)?;
        // Asked after the group: the end only moves on.
        let kept = log.watermarks(&at.topic, at.partition)?;
        self.committed = decide(&self.name, own, group, kept)?;
        if self.committed > self.position {
            let (task, from, to) = (&self.name, self.position, self.committed);
            tracing::info!(task, from, to, "replaying with outputs suppressed");
        }
        self.find_changes(config, at, kept, log)
    }

    /// Reads the changes that the log remembers, and applies those of here.
    fn find_changes(&mut self, config: &Config, at: &TopicPartition, kept: Watermarks, log: &dyn Log) -> Result<()> {
        let Some(source) = self.source.clone() else { return Ok(()) };
        self.changes = source.of(&config.input(at).task, &self.name, log)?;
        if self.changes.len() < self.applied {
            let what = format!("it holds {} changes, but the log remembers {}", self.applied, self.changes.len());
            return Err(self.state.damaged(what));
        }
        if self.changes.is_empty() {
            self.warm_until = kept.high;
        }
        if self.applied == 0 {
            let body = self.changes.first().map_or_else(|| (source.wanted)(&at.topic), |first| first.body.clone());
            self.fold.prepare(&body, &self.state)?;
        }
        self.replay_changes()
    }

    /// Applies the remembered changes that happened here, with outputs suppressed.
    fn replay_changes(&mut self) -> Result<()> {
        while let Some(change) = self.changes.get(self.applied).filter(|change| change.offset <= self.position) {
            let body = change.body.clone();
            let mut suppressed = Vec::new();
            self.change(&body, &mut suppressed)?;
            telemetry::suppressed(&self.name, suppressed.len());
            self.write_state()?;
        }
        Ok(())
    }

    /// Changes the fold here; the state is on disk as of here before and, once written, after.
    fn change(&mut self, body: &Bytes, outputs: &mut Vec<Output>) -> Result<()> {
        assert!(self.position == self.closed, "a change happens on an instant");
        if self.closed != self.flushed_at || self.fold.dirty() > 0 {
            self.write_state()?;
        }
        self.fold.change(body, &self.state, outputs)?;
        self.applied += 1;
        Ok(())
    }

    /// Whether something else should hold than does, and this is the place to change it: live, on an instant, with all outputs
    /// committed.
    pub(crate) fn wants_change(&self, wanted: &Bytes) -> bool {
        let holds = self.applied.checked_sub(1).map(|last| &self.changes[last].body);
        holds != Some(wanted)
            && self.position == self.closed
            && self.position >= self.warm_until
            && self.committed == self.closed
    }

    /// Changes the fold; gives the outputs to commit, the record that remembers the change among them, and the offset.
    pub(crate) fn begin_change(&mut self, wanted: Bytes) -> Result<(Vec<Output>, u64)> {
        let source = self.source.clone().expect("a stage that changes has a source of changes");
        let mut outputs = Vec::new();
        self.change(&wanted, &mut outputs)?;
        let change = Change { offset: self.closed, body: wanted };
        outputs.push(source.record(&self.name, &change));
        self.changes.push(change);
        Ok((outputs, self.closed))
    }

    /// What [`Part::begin_change`] gave is committed: the state follows. Returns R.
    pub(crate) fn end_change(&mut self) -> Result<u64> {
        self.write_state()?;
        Ok(self.closed)
    }

    /// Offset of the next record to read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether it still replays what was committed before.
    pub(crate) fn replaying(&self) -> bool {
        self.position < self.committed
    }

    /// Applies records in order, as far as it can before a commit; answers how many.
    pub(crate) fn apply(&mut self, records: &[Stored]) -> Result<usize> {
        self.replay_changes()?;
        let change = self.changes.get(self.applied).map_or(u64::MAX, |change| change.offset);
        let records = &records[..records.partition_point(|stored| stored.offset < change)];

        // Records below G were committed before: their outputs are known to the log.
        let known = records.partition_point(|stored| stored.offset < self.committed);
        let pause = self.flush_due();
        let progress = if known > 0 {
            let mut suppressed: Vec<Output> = Vec::new();
            let progress = self.fold.apply(&records[..known], &self.state, pause, &mut suppressed)?;
            telemetry::suppressed(&self.name, suppressed.len());
            progress
        } else {
            self.fold.apply(records, &self.state, pause, &mut self.outputs)?
        };
        if let Some(last) = records[..progress.applied].last() {
            self.position = last.offset + 1;
        }
        if known > 0 && !self.replaying() {
            telemetry::recovered(&self.name, self.joined.elapsed());
        }
        self.closed = progress.closed.unwrap_or(self.closed);
        Ok(progress.applied)
    }

    /// The outputs and the offset to commit, if an instant closed since the last commit.
    pub(crate) fn take(&mut self) -> Option<(Vec<Output>, u64)> {
        // As many will follow: room that grows step by step is copied as often.
        let room = self.outputs.len();
        (self.closed > self.committed)
            .then(|| (std::mem::replace(&mut self.outputs, Vec::with_capacity(room)), self.closed))
    }

    /// Number of outputs that wait for a commit; `None` if nothing closed.
    pub(crate) fn waiting(&self) -> Option<usize> {
        (self.closed > self.committed).then_some(self.outputs.len())
    }

    /// What [`Part::take`] gave is committed.
    pub(crate) fn committed(&mut self) {
        self.committed = self.committed.max(self.closed);
    }

    /// Whether state should be written, and may be: after a commit, where it lies on an instant.
    pub(crate) fn wants_flush(&self) -> bool {
        self.flush_due() && self.can_flush()
    }

    fn flush_due(&self) -> bool {
        self.flushed.elapsed() >= self.flush_every || self.fold.dirty() >= self.flush_bytes
    }

    fn can_flush(&self) -> bool {
        self.position == self.closed && self.closed != self.flushed_at
    }

    /// Writes what changed, if it may be; answers R where it moved. State comes after its outputs.
    pub(crate) fn flush(&mut self) -> Result<Option<u64>> {
        let begun = Instant::now();
        self.flushed = begun;
        if !self.can_flush() || self.closed > self.committed {
            return Ok(None);
        }
        self.write_state()?;
        telemetry::flushed(&self.name, begun.elapsed());
        eventlog::telemetry::rocksdb(&self.name, |property| self.state.figure(property));
        if let Some(saver) = &mut self.saver {
            saver.flushed(&self.state);
        }
        Ok(Some(self.closed))
    }

    /// Writes what changed, as of the last instant.
    fn write_state(&mut self) -> Result<()> {
        let mut batch = self.state.batch(self.fold.dirty());
        self.fold.flush(&self.state, &mut batch)?;
        if self.source.is_some() {
            batch.set_changes(self.applied as u64);
        }
        failpoint::pass(failpoint::BEFORE_STATE);
        batch.write(self.closed)?;
        failpoint::pass(failpoint::AFTER_STATE);
        self.flushed_at = self.closed;
        Ok(())
    }
}

/// A generation as the metadata of a committed offset.
pub(crate) fn metadata(generation: u64) -> String {
    format!("{generation:016x}")
}

/// The group's position, if what it has published is of our definitions.
fn published(task: &str, config: &Config, at: &TopicPartition, log: &dyn Log) -> Result<Option<u64>> {
    let Some(group) = log.committed(&config.stage, &at.topic, at.partition)? else { return Ok(None) };
    if group.metadata.is_empty() {
        return Err(Error::Foreign { task: task.to_owned(), offset: group.offset });
    }
    same_definitions(task, &group.metadata, config.input(at).generation)?;
    Ok(Some(group.offset))
}

/// What a group has published is of the definitions that its committed offsets name.
fn same_definitions(task: &str, found: &str, generation: u64) -> Result<()> {
    let own = metadata(generation);
    if found == own {
        return Ok(());
    }
    Err(Error::Definitions { task: task.to_owned(), found: found.to_owned(), own })
}

/// G, up to which outputs are suppressed, if R, G and what the log keeps do not contradict each other.
fn decide(task: &str, state: Option<u64>, group: Option<u64>, kept: Watermarks) -> Result<u64> {
    let task = || task.to_owned();
    let (from, committed) = (state.unwrap_or(0), group.unwrap_or(0));
    // Where nothing was committed, a task that began is still at 0.
    if from > committed {
        return Err(Error::AheadOfGroup { task: task(), state: from, group });
    }
    if committed > kept.high {
        return Err(Error::Truncated { task: task(), group: committed, high: kept.high });
    }
    if from < kept.low {
        return Err(Error::Retained { task: task(), from, low: kept.low });
    }
    Ok(committed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_definitions_are_refused() {
        assert!(same_definitions("account-0", &metadata(7), 7).is_ok());
        let message = same_definitions("account-0", &metadata(7), 8).unwrap_err().to_string();
        assert!(message.contains("generation 0000000000000007, this is 0000000000000008"), "{message}");
    }

    #[test]
    fn the_start_follows_from_r_and_g_and_what_is_kept() {
        let start = |state, group, low, high| {
            decide("account-0", state, group, Watermarks { low, high }).map_err(|error| error.to_string())
        };
        assert_eq!(start(None, None, 0, 0), Ok(0));
        assert_eq!(start(None, Some(7), 0, 7), Ok(7));
        assert_eq!(start(Some(0), None, 0, 9), Ok(0));
        assert_eq!(start(Some(3), Some(7), 3, 9), Ok(7));
        let stops = |state, group, low, high, says: &str| {
            let message = start(state, group, low, high).unwrap_err();
            assert!(message.starts_with("task account-0: ") && message.contains(says), "{message}");
            assert!(message.contains("`vitals rebuild`"), "{message}");
        };
        stops(Some(8), Some(7), 0, 9, "the state is at offset 8, but its group has committed only 7");
        stops(Some(8), None, 0, 9, "the state is at offset 8, but its group has committed nothing");
        stops(Some(3), Some(7), 0, 6, "its group has committed offset 7, but the log ends at 6");
        stops(Some(3), Some(7), 4, 9, "it has to read from offset 3, but the log begins at 4");
        stops(None, Some(7), 1, 9, "it has to read from offset 0, but the log begins at 1");
        stops(None, None, 1, 9, "it has to read from offset 0, but the log begins at 1");
    }
}
