//! A worker: one thread, one consumer, one producer, and the tasks of its partitions.
//!
//! Invariants: one poll loop, which goes on while states are opened, so that a member of a group
//! stays one; a commit holds the outputs and offsets of all its tasks, whole instants of each;
//! partitions that are revoked are committed and flushed first, those that are lost are dropped with
//! what was not committed. After any error the worker is of no use: make another, from disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use eventlog::{
    Assignment, Commit, Committed, Consumer, GroupOffsets, Log, Output, Poll, Producer, Stored, TopicPartition,
    failpoint,
};

use crate::{
    Changes, Error, Fold, Result, State,
    home::{self, Host},
    part::{self, Part, state_group},
    telemetry,
};

/// Makes the fold of a partition, as its state left it.
pub type Open<F> = Arc<dyn Fn(&TopicPartition, &State) -> Result<F> + Send + Sync>;

/// Which partitions a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitions {
    /// These.
    These(Vec<TopicPartition>),
    /// Those that the group named after the stage gives it.
    OfGroup,
}

/// A topic that a stage folds, and the tasks of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The topic.
    pub topic: Arc<str>,
    /// What the names of its tasks begin with: the number of the partition follows.
    pub task: String,
    /// Hash of the definitions: what other ones made is not gone on with.
    pub generation: u64,
}

impl Input {
    /// A topic, the beginning of its tasks' names, and the hash of the definitions.
    pub fn new(topic: &str, task: &str, generation: u64) -> Input {
        Input { topic: topic.into(), task: task.to_owned(), generation }
    }
}

/// Where a worker reads, commits and keeps state.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the stage, and of its consumer group.
    pub stage: String,
    /// Topics that are folded.
    pub inputs: Vec<Input>,
    /// Partitions of them.
    pub partitions: Partitions,
    /// Name of the producer: a newer worker of this name fences this one.
    pub producer: String,
    /// The folder with a state for each task.
    pub home: PathBuf,
    /// Commit at the latest this long after the first output, when more records wait.
    pub commit_every: Duration,
    /// Flush the state of a task this often.
    pub flush_every: Duration,
    /// Flush it earlier when this much is dirty, bytes.
    pub flush_bytes: usize,
    /// Bytes of records a poll.
    pub poll_bytes: usize,
    /// Where changes of what the tasks do come from, if there are any.
    pub changes: Option<Changes>,
}

impl Config {
    /// The defaults for a stage.
    pub fn new(stage: &str, inputs: Vec<Input>, partitions: Partitions, producer: String, home: PathBuf) -> Config {
        Config {
            stage: stage.to_owned(),
            inputs,
            partitions,
            producer,
            home,
            commit_every: Duration::from_millis(100),
            flush_every: Duration::from_secs(5),
            flush_bytes: 32 << 20,
            poll_bytes: 1 << 20,
            changes: None,
        }
    }

    /// Name of the task of a partition.
    pub fn task(&self, at: &TopicPartition) -> String {
        home::name(&self.input(at).task, at.partition)
    }

    pub(crate) fn input(&self, at: &TopicPartition) -> &Input {
        let found = self.inputs.iter().find(|input| input.topic == at.topic);
        found.expect("a worker is given partitions of its own topics")
    }
}

/// How a worker is doing, for others to see.
#[derive(Debug, Default)]
pub struct Status {
    recovered: AtomicBool,
    settled: Mutex<BTreeMap<TopicPartition, u64>>,
}

impl Status {
    /// Whether no task replays.
    pub fn recovered(&self) -> bool {
        self.recovered.load(Ordering::Relaxed)
    }

    /// Offset before which all records of a partition are applied, and all instants that they close committed; 0 for a
    /// partition that is not the worker's. Past the committed offset lie records that no tick follows yet.
    pub fn settled(&self, at: &TopicPartition) -> u64 {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get(at).copied().unwrap_or(0)
    }
}

/// Outputs waiting for a commit are kept below about this many records.
const OUTPUTS_MAX: usize = 20_000;

/// How long a poll waits for records.
const WAIT: Duration = Duration::from_millis(50);

/// How long a poll waits while a state is opened.
const WAIT_OPENING: Duration = Duration::from_millis(5);

/// A state being opened on a thread of its own.
struct Opening<F> {
    /// Whether the partition is still this worker's.
    wanted: bool,
    thread: JoinHandle<Result<Part<F>>>,
}

/// A running worker.
pub struct Worker<F> {
    config: Config,
    open: Open<F>,
    host: Host,
    log: Arc<dyn Log>,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    parts: BTreeMap<TopicPartition, Part<F>>,
    opening: BTreeMap<TopicPartition, Opening<F>>,
    /// Given back to the group; it may give them to this worker again.
    resting: BTreeMap<TopicPartition, Part<F>>,
    first_output: Option<Instant>,
    /// R of tasks, where it moved since the last commit: told to the log with the next one, which
    /// keeps what is after it.
    flushed: BTreeMap<TopicPartition, u64>,
}

impl<F: Fold + 'static> Worker<F> {
    /// Joins the group, or opens the partitions that it was told.
    ///
    /// # Errors
    /// `Fatal` when R and G of a partition contradict each other; when storage or the log fails.
    pub fn open(config: Config, open: Open<F>, host: Host, log: Arc<dyn Log>) -> Result<Worker<F>> {
        let mut parts = BTreeMap::new();
        let assignment = match &config.partitions {
            Partitions::OfGroup => Assignment::Group {
                group: config.stage.clone(),
                topics: config.inputs.iter().map(|input| input.topic.clone()).collect(),
            },
            Partitions::These(partitions) => {
                for at in partitions {
                    let part = Part::open(&config, at, &open, &host, log.as_ref());
                    parts.insert(at.clone(), part.inspect_err(home::condemn)?);
                }
                Assignment::Manual(parts.iter().map(|(at, part)| (at.clone(), part.position())).collect())
            }
        };
        let consumer = log.consumer(assignment)?;
        let producer = consumer.producer(&config.producer)?;
        Ok(Worker {
            config,
            open,
            host,
            log,
            consumer,
            producer,
            parts,
            opening: BTreeMap::new(),
            resting: BTreeMap::new(),
            first_output: None,
            flushed: BTreeMap::new(),
        })
    }

    /// The whole loop: read, apply, commit, flush, until told to stop; then commits and flushes.
    ///
    /// # Errors
    /// The first failure; what was committed stays, the rest is replayed by the next worker.
    pub fn run(mut self, stop: &AtomicBool, status: &Status) -> Result<()> {
        let ended = self.turn_until(stop, status);
        status.recovered.store(false, Ordering::Relaxed);
        drop(self);
        ended.inspect_err(home::condemn)
    }

    fn turn_until(&mut self, stop: &AtomicBool, status: &Status) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.step()?;
            let replaying = self.replaying();
            status.recovered.store(replaying == 0, Ordering::Relaxed);
            telemetry::replaying(&self.config.producer, replaying);
            let settled = self.parts.iter().filter(|(_, part)| part.waiting().is_none());
            *status.settled.lock().unwrap_or_else(PoisonError::into_inner) =
                settled.map(|(at, part)| (at.clone(), part.position())).collect();
        }
        self.rest()
    }

    /// One turn of the loop.
    fn step(&mut self) -> Result<()> {
        self.begin_opened()?;
        self.change()?;
        let wait = match (self.first_output, self.opening.is_empty()) {
            (Some(_), _) => Duration::ZERO,
            (None, true) => WAIT,
            (None, false) => WAIT_OPENING,
        };
        let mut idle = false;
        match self.consumer.poll(self.config.poll_bytes, wait)? {
            Poll::Assigned(partitions) => self.assigned(&partitions)?,
            Poll::Revoked(partitions) => self.revoked(&partitions)?,
            Poll::Lost(partitions) => self.lost(&partitions),
            Poll::Records { topic, partition, records } => {
                failpoint::pass(failpoint::AFTER_POLL);
                self.apply(&TopicPartition { topic, partition }, &records)?;
            }
            Poll::Idle => idle = true,
        }
        let due = self.first_output.is_some_and(|first| first.elapsed() >= self.config.commit_every);
        let waiting: usize = self.parts.values().filter_map(Part::waiting).sum();
        if due || idle || waiting >= OUTPUTS_MAX {
            self.commit()?;
        }
        if idle {
            self.producer.tend();
            self.flush(|part| part.wants_flush())?;
        }
        Ok(())
    }

    /// Tasks that should do something else from now on: the change, what it brings about, and its place in one commit.
    fn change(&mut self) -> Result<()> {
        let Some(changes) = &self.config.changes else { return Ok(()) };
        for (at, part) in &mut self.parts {
            let wanted = (changes.wanted)(&at.topic);
            if !part.wants_change(&wanted) {
                continue;
            }
            let (outputs, closed) = part.begin_change(wanted.clone())?;
            let groups = vec![GroupOffsets {
                group: self.config.stage.clone(),
                offsets: vec![self.config.position(at, closed)],
            }];
            self.producer.commit(Commit { outputs, offsets: groups })?;
            self.flushed.insert(at.clone(), part.end_change()?);
        }
        Ok(())
    }

    /// Number of tasks that replay, or whose state is being opened.
    fn replaying(&self) -> usize {
        self.opening.len() + self.parts.values().filter(|part| part.replaying()).count()
    }

    fn apply(&mut self, at: &TopicPartition, mut records: &[Stored]) -> Result<()> {
        while !records.is_empty() {
            // Records of a partition that was given back in the meantime.
            let Some(part) = self.parts.get_mut(at) else { return Ok(()) };
            let applied = part.apply(records)?;
            records = &records[applied..];
            if part.waiting().is_some() {
                self.first_output.get_or_insert_with(Instant::now);
            }
            let full = part.waiting().is_some_and(|outputs| outputs >= OUTPUTS_MAX);
            if full || part.wants_flush() {
                self.commit()?;
                self.flush(|part| part.wants_flush())?;
            }
        }
        Ok(())
    }

    /// Outputs and offsets first, of all tasks in one commit of the log.
    fn commit(&mut self) -> Result<()> {
        self.first_output = None;
        let mut outputs: Vec<Output> = Vec::new();
        let mut offsets = Vec::new();
        for (at, part) in &mut self.parts {
            let Some((own, closed)) = part.take() else { continue };
            // Mostly one task has any; then they stay where they are.
            if outputs.is_empty() {
                outputs = own
            } else {
                outputs.extend(own)
            }
            offsets.push(self.config.position(at, closed));
        }
        if offsets.is_empty() {
            return Ok(());
        }
        let count = outputs.len();
        self.write(outputs, offsets)?;
        telemetry::committed(&self.config.stage, count);
        self.parts.values_mut().for_each(Part::committed);
        Ok(())
    }

    fn write(&mut self, outputs: Vec<Output>, offsets: Vec<(Arc<str>, u32, Option<Committed>)>) -> Result<()> {
        let mut groups = vec![GroupOffsets { group: self.config.stage.clone(), offsets }];
        // R as a group of its own: retention and compaction of the embedded log wait for it, too.
        let flushed = std::mem::take(&mut self.flushed);
        if !flushed.is_empty() {
            let offsets = flushed.iter().map(|(at, offset)| self.config.position(at, *offset)).collect();
            groups.push(GroupOffsets { group: state_group(&self.config.stage), offsets });
        }
        let begun = Instant::now();
        self.producer.commit(Commit { outputs, offsets: groups })?;
        telemetry::commit_took(&self.config.stage, begun.elapsed());
        Ok(())
    }

    /// State second, and only where it lies on an instant.
    fn flush(&mut self, wanted: impl Fn(&Part<F>) -> bool) -> Result<()> {
        for (at, part) in self.parts.iter_mut().filter(|(_, part)| wanted(part)) {
            if let Some(offset) = part.flush()? {
                self.flushed.insert(at.clone(), offset);
                failpoint::pass(failpoint::BETWEEN_TASKS);
            }
        }
        Ok(())
    }

    /// Commits and flushes everything.
    fn rest(&mut self) -> Result<()> {
        self.commit()?;
        self.flush(|_| true)?;
        if self.flushed.is_empty() {
            return Ok(());
        }
        self.write(Vec::new(), Vec::new())
    }

    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let given: BTreeSet<TopicPartition> = partitions.iter().cloned().collect();
        // What went to others is theirs: its state on disk serves when it comes back.
        self.resting.retain(|at, _| given.contains(at));
        for at in given {
            if let Some(mut part) = self.resting.remove(&at) {
                part.resume(&self.config, &at, self.log.as_ref())?;
                self.consumer.seek(&at, part.position())?;
                self.parts.insert(at, part);
            } else {
                self.open_aside(at)?;
            }
        }
        Ok(())
    }

    /// Opens the state of a partition on a thread of its own.
    fn open_aside(&mut self, at: TopicPartition) -> Result<()> {
        // One that was revoked while it was being opened still holds the lock of its state.
        if let Some(before) = self.opening.remove(&at) {
            drop(before.thread.join());
        }
        let (config, open, host) = (self.config.clone(), self.open.clone(), self.host.clone());
        let (log, own) = (self.log.clone(), at.clone());
        let body = move || Part::open(&config, &own, &open, &host, log.as_ref());
        let thread = std::thread::Builder::new().name(format!("open-{}", self.config.task(&at)));
        let thread = thread.spawn(body).map_err(|source| Error::Thread { source })?;
        self.opening.insert(at, Opening { wanted: true, thread });
        Ok(())
    }

    /// Begins the partitions whose state is open.
    fn begin_opened(&mut self) -> Result<()> {
        let done = |(at, opening): (&TopicPartition, &Opening<F>)| opening.thread.is_finished().then(|| at.clone());
        let done: Vec<TopicPartition> = self.opening.iter().filter_map(done).collect();
        for at in done {
            let Some(opening) = self.opening.remove(&at) else { continue };
            let opened = opening.thread.join().map_err(|_| Error::Panicked { task: self.config.task(&at) })?;
            if opening.wanted {
                let part = opened?;
                self.consumer.seek(&at, part.position())?;
                self.parts.insert(at, part);
            }
        }
        Ok(())
    }

    /// The group takes these back: they go with the next poll, so commit now.
    fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.rest()?;
        failpoint::pass(failpoint::IN_REBALANCE);
        for at in partitions {
            if let Some(part) = self.parts.remove(at) {
                self.resting.insert(at.clone(), part);
            }
            if let Some(opening) = self.opening.get_mut(at) {
                opening.wanted = false;
            }
        }
        Ok(())
    }

    /// Others have these already: what was not committed is theirs to do.
    fn lost(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            self.parts.remove(at);
            if let Some(opening) = self.opening.get_mut(at) {
                opening.wanted = false;
            }
        }
    }
}

impl Config {
    fn position(&self, at: &TopicPartition, offset: u64) -> (Arc<str>, u32, Option<Committed>) {
        let metadata = part::metadata(self.input(at).generation);
        (at.topic.clone(), at.partition, Some(Committed { offset, metadata }))
    }
}

#[cfg(test)]
mod tests;
