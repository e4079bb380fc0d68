//! The stages over the past of a log, in this process: what they published at each instant, as it was known then.
//!
//! ```text
//!     events.v1, each partition up to its next tick -> accounts -> merged accounts -> rollup -> one instant
//! ```
//! Invariants: the folds are the very ones that run live, with states of their own in a folder that is given; what an instant
//! hands out is what topics of metrics hold of it, snapshots before ticks. It goes no further than the last tick that every
//! partition holds, and writes nothing to the log. It does not know what its snapshots are for.

use std::{path::Path, sync::Arc};

use eventlog::{Log, Output, Past, Stored};
use processor_core::{calendar::Time, lifecycle::customer::Run, plan::Plan};
use task::{Fold, Result, State, state::Memory};

use crate::{
    account::{self, Accounts, Merged},
    rollup::Rollups,
    topics,
    wire::{self, Entry, SEPARATOR},
};

/// Changed state that a stage holds before it is written, bytes; partitions share it.
const DIRTY: usize = 256 << 20;

/// What was published of an instant.
#[derive(Debug)]
pub struct Instant {
    /// Which.
    pub at: Time,
    /// Snapshots of metrics, each account's and each series' in order.
    pub snapshots: Vec<Output>,
    /// Ticks of topics of metrics, after them.
    pub ticks: Vec<Output>,
}

/// An account and its times as a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Tenant.
    pub tenant: String,
    /// Account.
    pub account: String,
    /// Oldest first.
    pub runs: Vec<Run>,
}

/// The stages over a log.
pub struct Replay {
    sources: Vec<Source>,
    merged: Stage<Merged>,
    /// None where no metric is of the tenant.
    rollup: Option<Stage<Rollups>>,
    /// The last instant.
    clock: Option<Time>,
    records: u64,
}

/// A partition of events.
struct Source {
    past: Past,
    stage: Stage<Accounts>,
    /// Records up to the next tick, that one included.
    next: Vec<Stored>,
    tick: Option<Time>,
}

/// A fold with its state.
struct Stage<F> {
    fold: F,
    state: State,
    /// Records so far.
    applied: u64,
    dirty: usize,
}

impl<F: Fold> Stage<F> {
    fn apply(&mut self, records: &[Stored], outputs: &mut Vec<Output>) -> Result<()> {
        let mut rest = records;
        while !rest.is_empty() {
            // A rollup pauses where it has very much to hand out.
            let progress = self.fold.apply(rest, &self.state, false, outputs)?;
            rest = &rest[progress.applied..];
            self.applied += progress.applied as u64;
        }
        if self.fold.dirty() > self.dirty {
            self.flush()?;
        }
        Ok(())
    }

    /// The same with outputs of another stage.
    fn take(&mut self, from: Vec<Output>, outputs: &mut Vec<Output>) -> Result<()> {
        let stored = |(output, offset): (Output, u64)| Stored { offset, record: output.record };
        let records: Vec<Stored> = from.into_iter().zip(self.applied..).map(stored).collect();
        self.apply(&records, outputs)
    }

    fn flush(&mut self) -> Result<()> {
        let mut batch = self.state.batch(self.fold.dirty());
        self.fold.flush(&self.state, &mut batch)?;
        batch.write(self.applied)
    }
}

impl Replay {
    /// Stages of a plan at the begin of a log, with states in `folder`.
    ///
    /// # Errors
    /// When the log cannot be read, or the states not be made.
    pub fn open(log: &dyn Log, plan: &Arc<Plan>, folder: &Path, memory: &Memory) -> Result<Replay> {
        let spec = log.topics()?.into_iter().find(|spec| spec.name == topics::EVENTS);
        let partitions = spec.map_or(0, |spec| spec.partitions);
        let dirty = DIRTY / usize::try_from(partitions).unwrap_or(1).max(1);
        let config = account::Config::default();
        let mut sources = Vec::new();
        for partition in 0..partitions {
            let state = State::open(&folder.join(format!("account-{partition}")), Accounts::TABLES, memory)?;
            let fold = Accounts::open(plan.clone(), partition, config, &state, Arc::default())?;
            let past = eventlog::past(log, topics::EVENTS, partition, 0)?;
            let stage = Stage { fold, state, applied: 0, dirty };
            sources.push(Source { past, stage, next: Vec::new(), tick: None });
        }
        let state = State::open(&folder.join("merged"), Merged::TABLES, memory)?;
        let fold = Merged::open(plan.clone(), partitions, config, &state, Arc::default())?;
        let merged = Stage { fold, state, applied: 0, dirty: DIRTY };
        let of_tenant = !plan.bundles.is_empty();
        let rollup = of_tenant.then(|| -> Result<_> {
            let state = State::open(&folder.join("rollup"), Rollups::TABLES, memory)?;
            // Merged accounts are a source of their own.
            let fold = Rollups::open(plan.clone(), partitions + 1, &state, Arc::default())?;
            Ok(Stage { fold, state, applied: 0, dirty: DIRTY })
        });
        Ok(Replay { sources, merged, rollup: rollup.transpose()?, clock: None, records: 0 })
    }

    /// The next instant; none at the end of the log.
    ///
    /// # Errors
    /// When the log cannot be read, or a state is damaged.
    pub fn advance(&mut self) -> Result<Option<Instant>> {
        for source in &mut self.sources {
            source.read()?;
        }
        let ticks: Option<Vec<Time>> = self.sources.iter().map(|source| source.tick).collect();
        let Some(at) = ticks.and_then(|ticks| ticks.into_iter().min()) else { return Ok(None) };

        let mut outputs = Vec::new();
        for source in self.sources.iter_mut().filter(|source| source.tick == Some(at)) {
            self.records += source.next.len() as u64;
            source.stage.apply(&source.next, &mut outputs)?;
            source.next.clear();
            source.tick = None;
        }
        let mut sorted = Sorted::default();
        sorted.add(outputs);
        let mut outputs = Vec::new();
        self.merged.take(std::mem::take(&mut sorted.moved), &mut outputs)?;
        sorted.add(outputs);
        if let Some(rollup) = &mut self.rollup {
            let mut outputs = Vec::new();
            rollup.take(std::mem::take(&mut sorted.partials), &mut outputs)?;
            sorted.add(outputs);
        }
        self.clock = Some(at);
        Ok(Some(Instant { at, snapshots: sorted.snapshots, ticks: sorted.ticks }))
    }

    /// The last instant so far.
    pub fn clock(&self) -> Option<Time> {
        self.clock
    }

    /// Records of the log so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The name of the account that this one counts as by now.
    pub fn root<'a>(&'a self, tenant: &str, account: &'a str) -> &'a str {
        let key = format!("{tenant}{SEPARATOR}a{SEPARATOR}{account}");
        let root = self.merged.fold.root(&key);
        root.and_then(|root| root.splitn(3, SEPARATOR).last()).unwrap_or(account)
    }

    /// All accounts that ever were customers, as they are known now. With [`Plan::keeps_runs`] from the begin of the log on,
    /// else as far back as windows look.
    ///
    /// # Errors
    /// When a state cannot be written or read.
    pub fn customers(&mut self, mut each: impl FnMut(Customer)) -> Result<()> {
        let mut of_key = |key: &str, runs: &[Run]| {
            let mut parts = key.splitn(3, SEPARATOR);
            if let (Some(tenant), Some("a"), Some(account)) = (parts.next(), parts.next(), parts.next())
                && !runs.is_empty()
            {
                each(Customer { tenant: tenant.to_owned(), account: account.to_owned(), runs: runs.to_vec() });
            }
        };
        for source in &mut self.sources {
            source.stage.flush()?;
            let Stage { fold, state, .. } = &mut source.stage;
            fold.customers(state, &mut of_key)?;
        }
        self.merged.flush()?;
        let Stage { fold, state, .. } = &mut self.merged;
        fold.customers(state, &mut of_key)
    }
}

impl Source {
    /// Reads up to the next tick; without one at the end of the log.
    fn read(&mut self) -> Result<()> {
        while self.tick.is_none() {
            let Some(stored) = self.past.next().transpose()? else { return Ok(()) };
            // Events have the subject as their key.
            if stored.record.key.is_empty()
                && let Some(Ok(Entry::Tick(at))) = stored.record.value.as_deref().map(wire::entry)
            {
                self.tick = Some(at);
            }
            self.next.push(stored);
        }
        Ok(())
    }
}

/// Outputs by where they go.
#[derive(Default)]
struct Sorted {
    moved: Vec<Output>,
    partials: Vec<Output>,
    snapshots: Vec<Output>,
    ticks: Vec<Output>,
}

impl Sorted {
    fn add(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match &*output.topic {
                topics::MOVED => self.moved.push(output),
                topics::PARTIALS => self.partials.push(output),
                topics::DEAD_LETTERS => {}
                _ if output.record.key == topics::TICK_KEY => self.ticks.push(output),
                _ => self.snapshots.push(output),
            }
        }
    }
}
