//! The account stage: one task a partition of `events.v1`.
//!
//! Invariants: hot accounts, slices and timers are caches of the state below them, written back at a
//! flush; a tick not after the clock changes nothing; at a tick the partials of the instant go out,
//! then the mark that closes it. What cannot be applied goes to the dead letters with the instant.

use std::sync::Arc;

use eventlog::{Output, Record, Stored};
use processor_core::{
    account::ids_apart,
    calendar::Time,
    codec::{Reader, put, put_signed},
    engine::{Engine, Outcome},
    event::Event,
    hot::Slot,
    lifecycle::{customer::Run, journal},
    plan::Plan,
    vocabulary::identity_linked,
};
use proto::{Message, v1};
use task::{Batch, Error, Fold, Progress, Result, State};

use crate::{
    telemetry, topics,
    wire::{self, Entry},
};

mod counters;
mod journals;
pub(crate) mod kept;
pub(crate) mod merged;
mod moved;
mod slices;
mod timers;
mod values;

pub use counters::{Conflict, Counters, Findings, Shared};
pub(crate) use journals::same;
use journals::{IDS, JOURNAL, Journals};
pub use merged::Merged;
use moved::{MOVED, Moved};
use slices::{SLICES, Slices};
use timers::{TIMERS, Timers};
use values::Values;

const HOT: &str = "hot";
const META: &str = "meta";
const META_KEY: &[u8] = b"account";

/// Records that are decoded together: they stay in the cache of the processor until they are applied.
const TOGETHER: usize = 512;

/// Why an event is quarantined.
const AHEAD: &str = "it is dated too long after it was recorded: check the sender's clock";

/// How much is held in memory.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Accounts kept after a flush.
    pub accounts: usize,
    /// Slices kept after a flush.
    pub slices: usize,
    /// Texts, profiles and series kept after a flush: with more, all are read again as they are needed.
    pub numbers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { accounts: 1_000_000, slices: 500_000, numbers: 1_000_000 }
    }
}

/// The fold of one partition.
pub struct Accounts {
    config: Config,
    partition: u32,
    engine: Engine,
    journals: Journals,
    slices: Slices,
    timers: Timers,
    counters: Counters,
    reported: Counters,
    shared: Arc<Shared>,
    letters: Vec<Output>,
    moved: Moved,
    metric_topics: Vec<Arc<str>>,
    partials: Arc<str>,
}

impl Accounts {
    /// The fold of `partition`, as its state left it.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    pub fn open(
        plan: Arc<Plan>,
        partition: u32,
        config: Config,
        state: &State,
        shared: Arc<Shared>,
    ) -> Result<Accounts> {
        let (clock, counters) = match state.get(META, META_KEY)? {
            None => (Time::MIN, Counters::default()),
            Some(bytes) => decode_meta(&bytes).ok_or_else(|| state.damaged("the counters do not decode"))?,
        };
        shared.add(&counters, &Counters::default());
        shared.lend(partition, state.lend());
        Ok(Accounts {
            config,
            partition,
            metric_topics: plan.metrics.iter().map(|metric| Arc::from(topics::metric(&metric.name))).collect(),
            partials: Arc::from(topics::PARTIALS),
            engine: Engine::new(plan, clock),
            journals: Journals::default(),
            slices: Slices::default(),
            timers: Timers::default(),
            counters,
            reported: counters,
            shared,
            letters: Vec::new(),
            moved: Moved::load(state)?,
        })
    }

    /// The slot of each entry's account; those that are not held are loaded.
    fn slots(&mut self, entries: &[std::result::Result<Entry<'_>, String>], state: &State) -> Result<Vec<Slot>> {
        let mut slots = vec![Slot::MAX; entries.len()];
        let mut missing: Vec<(String, usize)> = Vec::new();
        let mut key = String::new();
        for (index, entry) in entries.iter().enumerate() {
            let Ok(Entry::Event(subject, _) | Entry::Claim(subject)) = entry else { continue };
            key.clear();
            subject.write_key(&mut key);
            match self.engine.hot().find(&key) {
                Some(slot) => slots[index] = slot,
                None => missing.push((key.clone(), index)),
            }
        }
        missing.sort_unstable();
        let missing: Vec<&[(String, usize)]> = missing.chunk_by(|a, b| a.0 == b.0).collect();
        let keys: Vec<&str> = missing.iter().map(|same| same[0].0.as_str()).collect();
        for (slot, same) in self.load(&keys, state)?.into_iter().zip(missing) {
            same.iter().for_each(|(_, index)| slots[*index] = slot);
        }
        Ok(slots)
    }

    /// Loads accounts that are not held, or makes them.
    fn load(&mut self, keys: &[&str], state: &State) -> Result<Vec<Slot>> {
        let mut slots = Vec::with_capacity(keys.len());
        for (key, bytes) in keys.iter().zip(state.get_many(HOT, keys)?) {
            let bytes = bytes.unwrap_or_default();
            let ids = if ids_apart(&bytes) { journals::ids(key, state)? } else { Vec::new() };
            slots.push(self.engine.load(key, &bytes, ids).map_err(|what| state.damaged(what))?);
        }
        Ok(slots)
    }

    /// Applies records in order; with `pause` up to the first that closes an instant.
    fn part(
        &mut self,
        records: &[Stored],
        state: &State,
        progress: &mut Progress,
        outputs: &mut Vec<Output>,
        pause: bool,
    ) -> Result<()> {
        let entries: Vec<_> = records.iter().map(decode).collect();
        let slots = self.slots(&entries, state)?;
        for ((stored, entry), slot) in records.iter().zip(&entries).zip(slots) {
            progress.applied += 1;
            match entry {
                Ok(Entry::Event(_, event)) if self.moved.has(self.engine.hot().key(slot)) => {
                    self.forward(stored, slot, event)
                }
                Ok(Entry::Event(_, event)) => {
                    self.event(stored, slot, event, state)?;
                    if event.kind == identity_linked::TYPE {
                        self.hand_over(slot, state)?;
                    }
                }
                Ok(Entry::Claim(_)) => self.hand_over(slot, state)?,
                Ok(Entry::Tick(clock)) if *clock > self.engine.clock() => {
                    self.close(*clock, state, outputs)?;
                    progress.closed = Some(stored.offset + 1);
                    if pause {
                        break;
                    }
                }
                Ok(Entry::Tick(_)) => {}
                Ok(Entry::Unknown) => {
                    self.quarantine(stored, "the record is neither an event nor a tick: a newer door wrote it")
                }
                Err(reason) => self.quarantine(stored, reason),
            }
        }
        Ok(())
    }

    fn event(&mut self, stored: &Stored, slot: Slot, event: &Event<'_>, state: &State) -> Result<()> {
        let mut outcome = self.engine.apply(slot, event, None);
        if outcome == Outcome::NeedsJournal {
            telemetry::refolded(1);
            outcome = self.again(slot, event, state)?;
        }
        match outcome {
            Outcome::Applied { .. } => {
                self.outcome(outcome);
                let value = stored.record.value.as_deref().unwrap_or_default();
                self.journals.keep(slot, stored.offset, value);
            }
            Outcome::Duplicate => self.again_or_other(stored, slot, event, state)?,
            Outcome::Ahead => self.quarantine(stored, AHEAD),
            Outcome::NeedsJournal => unreachable!("it was applied with its journal"),
        }
        Ok(())
    }

    /// Counts how an event ended, unless that is found elsewhere.
    fn outcome(&mut self, outcome: Outcome) {
        let counters = &mut self.counters;
        match outcome {
            Outcome::Applied { late, waits, measured, found } => {
                counters.found(found);
                let count = match (measured, waits) {
                    (false, _) => &mut counters.not_measured,
                    (true, true) => &mut counters.waiting,
                    (true, false) if late => &mut counters.late,
                    (true, false) => &mut counters.on_time,
                };
                *count = count.wrapping_add(1);
            }
            Outcome::Duplicate => counters.duplicate += 1,
            Outcome::Ahead | Outcome::NeedsJournal => {}
        }
    }

    /// Applies an event with the account's journal.
    fn again(&mut self, slot: Slot, event: &Event<'_>, state: &State) -> Result<Outcome> {
        let key = self.engine.hot().key(slot);
        let bytes = self.journals.read(slot, key, state)?;
        let damaged = || state.damaged(format!("the journal of {key:?} does not decode"));
        let journal = journals::events(&bytes).ok_or_else(damaged)?;
        let opening = journal::opens(event).map(|order| (order, journal.clone()));
        let outcome = self.engine.apply(slot, event, Some(journal));
        if let (Outcome::Applied { .. }, Some((order, mut all))) = (outcome, opening) {
            all.push(event.clone());
            all.sort_by(|one, other| one.order().cmp(&other.order()));
            let is_it = |at: usize| all[at].id == event.id;
            if journal::opened_again(&all).into_iter().any(|(again, holder)| is_it(again) || is_it(holder)) {
                let key = self.engine.hot().key(slot);
                self.shared.opened_again(order, key.splitn(3, wire::SEPARATOR).last().unwrap_or(key));
            }
        }
        Ok(outcome)
    }

    /// An event whose id is known: the same again, or other content, of which the first holds.
    fn again_or_other(&mut self, stored: &Stored, slot: Slot, event: &Event<'_>, state: &State) -> Result<()> {
        let key = self.engine.hot().key(slot);
        let bytes = self.journals.read(slot, key, state)?;
        let value = stored.record.value.as_deref().unwrap_or_default();
        if journals::records(&bytes).filter_map(wire::event).any(|known| known.retracts() == Some(event.id)) {
            self.shared.retracted();
        }
        if journals::has_same(&bytes, event.id, value) {
            self.counters.duplicate += 1;
            return Ok(());
        }
        self.counters.conflict += 1;
        self.shared.conflict(Conflict {
            source: event.id.source.to_owned(),
            id: event.id.id.to_owned(),
            partition: self.partition,
            offset: stored.offset,
        });
        Ok(())
    }

    /// Hands an account with its journal to the stage of merged accounts, unless that has it.
    fn hand_over(&mut self, slot: Slot, state: &State) -> Result<()> {
        let key = self.engine.hot().key(slot).to_owned();
        if self.moved.has(&key) {
            return Ok(());
        }
        let bytes = self.journals.read(slot, &key, state)?;
        let damaged = || state.damaged(format!("the journal of {key:?} does not decode"));
        let journal = journals::events(&bytes).ok_or_else(damaged)?;
        self.counters.waiting = self.counters.waiting.wrapping_sub(self.engine.waiting(&journal).all());
        let withdrawn = self.engine.give_away(slot, journal);
        self.moved.hand_over(key, journals::records(&bytes), &withdrawn);
        Ok(())
    }

    /// Hands on an event of an account that the stage of merged accounts has.
    fn forward(&mut self, stored: &Stored, slot: Slot, event: &Event<'_>) {
        if self.engine.ahead(event) {
            return self.quarantine(stored, AHEAD);
        }
        let value = stored.record.value.as_deref().unwrap_or_default();
        self.moved.forward(self.engine.hot().key(slot), value);
    }

    /// The times as a customer of every account of a state that was just flushed.
    pub(crate) fn customers(&mut self, state: &State, mut each: impl FnMut(&str, &[Run])) -> Result<()> {
        let mut intact = true;
        state.scan(HOT, &[], |key, bytes| {
            let account = std::str::from_utf8(key).ok().zip(self.engine.decode(bytes));
            intact = account.map(|(key, account)| each(key, &account.customer.runs)).is_some();
            intact
        })?;
        if intact { Ok(()) } else { Err(state.damaged("an account does not decode")) }
    }

    fn set_timers(&mut self) {
        for (due, key) in self.engine.timers() {
            self.timers.set(due, key);
        }
    }

    fn quarantine(&mut self, stored: &Stored, reason: &str) {
        self.counters.quarantined += 1;
        self.letters.push(task::dead::letter(topics::EVENTS, self.partition, stored, "account", reason));
    }

    /// Closes the instant: timers, per-account metrics, partials, the mark.
    fn close(&mut self, clock: Time, state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        let partition = self.partition;
        let previous = self.engine.clock();
        self.publish(clock, state, outputs, |_| partition)?;
        let plan = self.engine.plan().clone();
        Values { plan: &plan, topics: &self.metric_topics, clock, previous }.tick(partition, outputs);
        self.moved.close(clock, partition, self.engine.plan().generation, outputs);
        Ok(())
    }

    /// The same; `home` is the partition of an account's metrics.
    fn publish(
        &mut self,
        clock: Time,
        state: &State,
        outputs: &mut Vec<Output>,
        home: impl Fn(&str) -> u32,
    ) -> Result<()> {
        self.set_timers();
        self.ring(clock, state)?;
        outputs.append(&mut self.letters);
        let plan = self.engine.plan().clone();
        let values = Values { plan: &plan, topics: &self.metric_topics, clock, previous: self.engine.clock() };
        let rows = self.engine.close(clock, |change| values.publish(&change, home(change.key), outputs));
        self.slices.load(rows.iter().map(|(key, _)| *key), &self.engine, state)?;
        for entry in self.slices.add(clock, self.partition, rows, &self.engine) {
            outputs.push(output(&self.partials, 0, Vec::new(), entry.encode_to_vec(), clock));
        }
        Ok(())
    }

    fn ring(&mut self, clock: Time, state: &State) -> Result<()> {
        let due = self.timers.due(clock, state)?;
        let mut slots: Vec<Option<Slot>> = due.iter().map(|(_, key)| self.engine.hot().find(key)).collect();
        let mut missing: Vec<&str> =
            due.iter().zip(&slots).filter(|(_, slot)| slot.is_none()).map(|((_, key), _)| key.as_ref()).collect();
        missing.sort_unstable();
        missing.dedup();
        self.load(&missing, state)?;
        for ((at, key), slot) in due.iter().zip(&mut slots) {
            if let Some(slot) = slot.or_else(|| self.engine.hot().find(key)) {
                self.engine.ring(slot, *at, clock);
            }
        }
        self.set_timers();
        Ok(())
    }
}

impl Fold for Accounts {
    const TABLES: &'static [&'static str] = &[HOT, IDS, JOURNAL, MOVED, SLICES, TIMERS, META];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let before = self.counters;
        let mut progress = Progress { applied: 0, closed: None };
        for part in records.chunks(TOGETHER) {
            self.part(part, state, &mut progress, outputs, pause)?;
            if pause && progress.closed.is_some() {
                break;
            }
        }
        self.shared.add(&self.counters, &before);
        Ok(progress)
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        self.moved.flush(batch)?;
        self.write(batch, |journals, slot, key, ids, batch| journals.flush(slot, key, ids, batch))
    }

    fn dirty(&self) -> usize {
        let (bytes, accounts) = self.journals.dirty();
        bytes + accounts * 300 + self.slices.dirty() * 100
    }
}

impl Accounts {
    /// Writes what changed since the last flush; `chunk` writes what is new of the journal of an account.
    fn write(
        &mut self,
        batch: &mut Batch<'_>,
        mut chunk: impl FnMut(&Journals, Slot, &[u8], &[u64], &mut Batch<'_>) -> Result<()>,
    ) -> Result<()> {
        telemetry::events(self.partition, &self.counters, &self.reported);
        self.reported = self.counters;
        let mut result = Ok(());
        let journals = &self.journals;
        self.engine.flush(self.config.accounts, |slot, key, encoding, ids| {
            if result.is_ok() {
                result = batch.put(HOT, key, encoding).and_then(|()| chunk(journals, slot, key, ids, batch));
            }
        });
        result?;
        self.journals.clear();
        self.slices.flush(self.config.slices, &self.engine, batch)?;
        if self.engine.numbers() > self.config.numbers {
            self.engine.renumber();
            self.slices.forget();
        }
        self.timers.flush(batch)?;
        batch.put(META, META_KEY, &encode_meta(self.engine.clock(), &self.counters))
    }
}

/// What a record of `events.v1` says, or why it cannot be read.
///
/// # Errors
/// The reason for the dead letters.
pub fn decode(stored: &Stored) -> std::result::Result<Entry<'_>, String> {
    let value = stored.record.value.as_deref().ok_or("the record has no value")?;
    wire::entry(value).map_err(|_| match v1::Entry::decode(value) {
        Err(error) => format!("the record does not decode: {error}"),
        Ok(_) => "the record does not decode".to_owned(),
    })
}

/// A tick as a record of a metric topic.
///
/// `since` is the first instant of all: windows that were past their keep by then have no rows.
pub(crate) fn tick_output(topic: &Arc<str>, partition: u32, clock: Time, since: Option<Time>) -> Output {
    let tick = v1::MetricTick { at_us: clock, since_us: since };
    let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Tick(tick)) };
    output(topic, partition, topics::TICK_KEY.to_vec(), entry.encode_to_vec(), clock)
}

pub(crate) fn output(topic: &Arc<str>, partition: u32, key: Vec<u8>, value: Vec<u8>, clock: Time) -> Output {
    let record = Record { key: key.into(), value: Some(value.into()), headers: Vec::new(), timestamp_us: clock };
    Output { topic: topic.clone(), partition, record }
}

/// A time whose bytes sort as it does.
fn ordered(time: Time) -> [u8; 8] {
    (time.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(crate) fn encode_row(row: &[i128]) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.len() * 2 + 1);
    row.iter().for_each(|value| put_signed(&mut out, *value));
    out
}

pub(crate) fn decode_row(bytes: &[u8], width: usize) -> Option<Vec<i128>> {
    let mut from = Reader(bytes);
    let row: Option<Vec<i128>> = (0..width).map(|_| from.get_signed()).collect();
    row.filter(|_| from.0.is_empty())
}

/// Version of the counters; those of another one do not decode, and the state is made again.
const META_VERSION: u8 = 2;

fn encode_meta(clock: Time, counters: &Counters) -> Vec<u8> {
    let mut out = vec![META_VERSION];
    put_signed(&mut out, clock.into());
    for (_, count) in counters.by_outcome() {
        put(&mut out, count.into());
    }
    out
}

fn decode_meta(bytes: &[u8]) -> Option<(Time, Counters)> {
    let mut from = Reader(bytes.strip_prefix(&[META_VERSION])?);
    let clock = from.get_time()?;
    let mut counts = [0; counters::OUTCOMES];
    for count in &mut counts {
        *count = u64::try_from(from.get()?).ok()?;
    }
    Some((clock, Counters::from_counts(counts)))
}

/// An error about a record that every version must read.
pub(crate) fn unreadable(task: &str, offset: u64, what: impl Into<String>) -> Error {
    Error::Record { task: task.to_owned(), offset, what: what.into() }
}
