//! The stages of the processor in one process, driven by hand: tasks of accounts, merged accounts and the rollup, each on a
//! state of its own, without a log between them.
//!
//! Invariants: a task reads what the one before it wrote, in that order; a restart flushes all and opens them again. How far
//! one task runs ahead of another is where rounds end. It does not know what events mean.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::{Output, Record, Stored};
use ingest::{door, partition};
use processor::{
    account::{self, Accounts, Merged},
    rollup::Rollups,
    topics,
};
use processor_core::{calendar::Time, plan::Plan};
use proto::{
    Message as _,
    v1::{self, entry::Entry, metric_entry},
};
use task::{Fold, State, state::Memory};
use tempfile::TempDir;

/// What comes next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// An event, stamped.
    Event(Box<v1::Event>),
    /// A tick to every partition.
    Tick(Time),
    /// What was written so far goes through all stages. After a tick only.
    Round { restart: bool },
}

/// Snapshots of each series and window, by topic and key, in the order in which they were published.
pub(crate) type Sequences = BTreeMap<(String, Vec<u8>), Vec<v1::Snapshot>>;

struct Task<F> {
    fold: F,
    state: State,
    /// Offset of the next record.
    next: u64,
}

impl<F: Fold> Task<F> {
    fn new(dir: &TempDir, name: &str, memory: &Memory, open: impl Fn(&State) -> F) -> Task<F> {
        let state = State::open(&dir.path().join(name), F::TABLES, memory).unwrap();
        Task { fold: open(&state), state, next: 0 }
    }

    /// Applies the values of records.
    fn apply(&mut self, values: Vec<Vec<u8>>) -> Vec<Output> {
        let record = |value: Vec<u8>| Record { value: Some(value.into()), ..Record::default() };
        let stored = |(offset, value)| Stored { offset, record: record(value) };
        let records: Vec<Stored> = (self.next..).zip(values).map(stored).collect();
        self.next += u64::try_from(records.len()).unwrap();
        let (mut outputs, mut rest) = (Vec::new(), &records[..]);
        while !rest.is_empty() {
            let progress = self.fold.apply(rest, &self.state, false, &mut outputs).unwrap();
            rest = &rest[progress.applied..];
        }
        outputs
    }

    fn restart(&mut self, open: impl Fn(&State) -> F) {
        let mut batch = self.state.batch(0);
        self.fold.flush(&self.state, &mut batch).unwrap();
        batch.write(self.next).unwrap();
        self.fold = open(&self.state);
    }
}

struct Stages<'p> {
    plan: &'p Arc<Plan>,
    partitions: u32,
    accounts: Vec<Task<Accounts>>,
    merged: Task<Merged>,
    rollup: Task<Rollups>,
    published: Sequences,
    _dir: TempDir,
}

/// What is published of these steps, of which the last is a round.
pub(crate) fn run(plan: &Arc<Plan>, partitions: u32, steps: &[Step]) -> Sequences {
    let mut stages = Stages::new(plan, partitions);
    let mut written = vec![Vec::new(); partitions as usize];
    for step in steps {
        match step {
            Step::Event(event) => {
                let at = |key: &str| partition::of(key.as_bytes(), partitions) as usize;
                written[at(&event.subject)].push(Entry::Event((**event).clone()));
                let claims = door::claims(event).into_iter();
                claims.for_each(|claim| written[at(&claim.account)].push(Entry::Claim(claim)));
            }
            Step::Tick(at_us) => {
                written.iter_mut().for_each(|all| all.push(Entry::Tick(v1::Tick { at_us: *at_us })));
            }
            Step::Round { restart } => {
                stages.round(written.iter_mut().map(std::mem::take).collect());
                if *restart {
                    stages.restart();
                }
            }
        }
    }
    stages.published
}

impl<'p> Stages<'p> {
    fn new(plan: &'p Arc<Plan>, partitions: u32) -> Stages<'p> {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 20, 1 << 20);
        let account =
            |at| Task::new(&dir, &format!("account-{at}"), &memory, |state: &State| accounts(plan, at, state));
        Stages {
            plan,
            partitions,
            accounts: (0..partitions).map(account).collect(),
            merged: Task::new(&dir, "merged", &memory, |state: &State| merged(plan, partitions, state)),
            rollup: Task::new(&dir, "rollup", &memory, |state: &State| rollup(plan, partitions, state)),
            published: Sequences::new(),
            _dir: dir,
        }
    }

    fn round(&mut self, written: Vec<Vec<Entry>>) {
        let (mut moved, mut partials) = (Vec::new(), Vec::new());
        for (task, entries) in self.accounts.iter_mut().zip(written) {
            let entries = entries.into_iter().map(|entry| v1::Entry { entry: Some(entry) }.encode_to_vec());
            for output in task.apply(entries.collect()) {
                keep(output, &mut moved, &mut partials, &mut self.published);
            }
        }
        for output in self.merged.apply(std::mem::take(&mut moved)) {
            keep(output, &mut moved, &mut partials, &mut self.published);
        }
        for output in self.rollup.apply(std::mem::take(&mut partials)) {
            keep(output, &mut moved, &mut partials, &mut self.published);
        }
        assert!(moved.is_empty() && partials.is_empty(), "nothing goes back");
    }

    fn restart(&mut self) {
        for (at, task) in (0..).zip(&mut self.accounts) {
            task.restart(|state| accounts(self.plan, at, state));
        }
        self.merged.restart(|state| merged(self.plan, self.partitions, state));
        self.rollup.restart(|state| rollup(self.plan, self.partitions, state));
    }
}

fn accounts(plan: &Arc<Plan>, partition: u32, state: &State) -> Accounts {
    Accounts::open(plan.clone(), partition, account::Config::default(), state, Arc::default()).unwrap()
}

fn merged(plan: &Arc<Plan>, partitions: u32, state: &State) -> Merged {
    Merged::open(plan.clone(), partitions, account::Config::default(), state, Arc::default()).unwrap()
}

fn rollup(plan: &Arc<Plan>, partitions: u32, state: &State) -> Rollups {
    Rollups::open(plan.clone(), partitions + 1, state, Arc::default()).unwrap()
}

fn keep(output: Output, moved: &mut Vec<Vec<u8>>, partials: &mut Vec<Vec<u8>>, published: &mut Sequences) {
    let value = output.record.value.unwrap_or_default();
    match &*output.topic {
        topics::MOVED => moved.push(value.into()),
        topics::PARTIALS => partials.push(value.into()),
        topics::DEAD_LETTERS => panic!("a record was quarantined"),
        topic => {
            let entry = v1::MetricEntry::decode(value).unwrap().entry;
            if let Some(metric_entry::Entry::Snapshot(snapshot)) = entry {
                published.entry((topic.to_owned(), output.record.key.into())).or_default().push(snapshot);
            }
        }
    }
}
