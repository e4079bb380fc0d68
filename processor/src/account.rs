//! The account stage: one task a partition of `events.v1`.
//!
//! Invariants: hot accounts, slices and timers are caches of the state below them, written back at a
//! flush; a tick not after the clock changes nothing; at a tick the partials of the instant go out,
//! then the mark that closes it. What cannot be applied goes to the dead letters with the instant.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use eventlog::{Output, Record, Stored};
use processor_core::{
    calendar::{DAY, Kind, Time, Window},
    codec::{Reader, put, put_signed, put_text},
    engine::{AccountChange, Engine, Outcome},
    event::Event,
    map::Map,
    plan::{Metric, Plan},
    rollup::{evaluate, frozen},
    series::Rows,
};
use proto::{Message, v1};
use task::{Batch, Error, Fold, Progress, Result, State};

use crate::{convert, dead, telemetry, topics};

const HOT: &str = "hot";
const JOURNAL: &str = "journal";
const SLICES: &str = "slices";
const TIMERS: &str = "timers";
const META: &str = "meta";
const META_KEY: &[u8] = b"account";

/// The tables whose values grow at their end.
pub const APPENDED: &[&str] = &[JOURNAL];

/// Slices of a partial entry.
const ENTRY_SLICES: usize = 1_000;

/// What became of the events of a partition so far; accepted is their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Applied, not late.
    pub on_time: u64,
    /// Applied, dated over a minute before the clock.
    pub late: u64,
    /// Seen before.
    pub duplicate: u64,
    /// In the dead letters.
    pub quarantined: u64,
}

/// The counters of all partitions, as of the last flush or record, for whoever wants to look.
#[derive(Debug, Default)]
pub struct Shared {
    fates: [AtomicU64; 4],
    frozen: AtomicU64,
}

impl Shared {
    /// The sums now.
    pub fn counters(&self) -> Counters {
        let [on_time, late, duplicate, quarantined] =
            [0, 1, 2, 3].map(|fate: usize| self.fates[fate].load(Ordering::Relaxed));
        Counters { on_time, late, duplicate, quarantined }
    }

    /// Changes to rows past their keep: counted, not published.
    pub fn frozen(&self) -> u64 {
        self.frozen.load(Ordering::Relaxed)
    }

    /// Counts changes to rows past their keep.
    pub(crate) fn add_frozen(&self, changes: u64) {
        self.frozen.fetch_add(changes, Ordering::Relaxed);
        telemetry::frozen(changes);
    }

    fn add(&self, now: &Counters, before: &Counters) {
        let differences = [
            now.on_time - before.on_time,
            now.late - before.late,
            now.duplicate - before.duplicate,
            now.quarantined - before.quarantined,
        ];
        for (fate, difference) in self.fates.iter().zip(differences) {
            fate.fetch_add(difference, Ordering::Relaxed);
        }
    }
}

/// How much is held in memory.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Accounts kept after a flush.
    pub accounts: usize,
    /// Slices kept after a flush.
    pub slices: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { accounts: 1_000_000, slices: 500_000 }
    }
}

/// The fold of one partition.
pub struct Accounts {
    config: Config,
    partition: u32,
    engine: Engine,
    /// Events since the last flush, by account, as they go into its journal.
    journals: Map<Box<str>, Vec<u8>>,
    journal_bytes: usize,
    slices: Map<(u32, Time), Slice>,
    timers: Timers,
    counters: Counters,
    reported: Counters,
    shared: Arc<Shared>,
    letters: Vec<Output>,
    metric_topics: Vec<Arc<str>>,
    partials: Arc<str>,
    dirty_accounts: usize,
    dirty_slices: usize,
}

#[derive(Debug)]
struct Slice {
    row: Box<[i128]>,
    dirty: bool,
}

/// One record, decoded.
#[derive(Debug)]
pub enum Entry {
    /// An event of the account `key`.
    Event {
        /// Key of the account.
        key: String,
        /// The event.
        event: Box<Event>,
    },
    /// The clock.
    Tick(Time),
    /// What cannot be read, and why.
    Poison(String),
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
        Ok(Accounts {
            config,
            partition,
            metric_topics: plan.metrics.iter().map(|metric| Arc::from(topics::metric(&metric.name))).collect(),
            partials: Arc::from(topics::PARTIALS),
            engine: Engine::new(plan, clock),
            journals: Map::default(),
            journal_bytes: 0,
            slices: Map::default(),
            timers: Timers::default(),
            counters,
            reported: counters,
            shared,
            letters: Vec::new(),
            dirty_accounts: 0,
            dirty_slices: 0,
        })
    }

    /// Loads the accounts that are not held.
    fn prefetch<'a>(&mut self, keys: impl Iterator<Item = &'a str>, state: &State) -> Result<()> {
        let mut missing: Vec<&str> = keys.filter(|key| !self.engine.holds(key)).collect();
        missing.sort_unstable();
        missing.dedup();
        for (key, bytes) in missing.iter().zip(state.get_many(HOT, &missing)?) {
            self.engine.load(key, bytes.as_deref()).map_err(|what| state.damaged(what))?;
        }
        Ok(())
    }

    fn event(&mut self, stored: &Stored, key: &str, event: &Event, state: &State) -> Result<()> {
        let mut outcome = self.engine.apply(key, event, None);
        if outcome == Outcome::NeedsJournal {
            let journal = self.journal(key, state)?;
            telemetry::refolded(1);
            outcome = self.engine.apply(key, event, Some(journal));
        }
        match outcome {
            Outcome::Applied { late } => {
                *(if late { &mut self.counters.late } else { &mut self.counters.on_time }) += 1;
                self.keep(key, stored);
            }
            Outcome::Duplicate => self.counters.duplicate += 1,
            Outcome::Ahead => {
                self.quarantine(stored, "it is dated too long after it was recorded: check the sender's clock")
            }
            Outcome::NeedsAccount | Outcome::NeedsJournal => {
                return Err(state.damaged(format!("account {key:?} was not loaded")));
            }
        }
        for (due, key) in self.engine.take_timers() {
            self.timers.set(due, key);
        }
        Ok(())
    }

    /// Appends the event, as it came, to what goes into its account's journal.
    fn keep(&mut self, key: &str, stored: &Stored) {
        let Some(value) = &stored.record.value else { return };
        if !self.journals.contains_key(key) {
            self.journals.insert(key.into(), Vec::new());
            self.dirty_accounts += 1;
        }
        if let Some(journal) = self.journals.get_mut(key) {
            put(journal, value.len() as u128);
            journal.extend_from_slice(value);
        }
        self.journal_bytes += value.len() + 2;
    }

    fn journal(&self, key: &str, state: &State) -> Result<Vec<Event>> {
        let mut bytes = state.get(JOURNAL, key.as_bytes())?.unwrap_or_default();
        bytes.extend_from_slice(self.journals.get(key).map_or(&[], Vec::as_slice));
        let mut from = Reader(&bytes);
        let mut events = Vec::new();
        while !from.0.is_empty() {
            let entry = from.get_count().and_then(|length| from.0.split_at_checked(length));
            let Some((entry, rest)) = entry else {
                return Err(state.damaged(format!("the journal of {key:?} is cut off")));
            };
            from.0 = rest;
            match v1::Entry::decode(entry).ok().and_then(|entry| entry.entry) {
                Some(v1::entry::Entry::Event(event)) => events.push(convert::event(event)),
                _ => return Err(state.damaged(format!("the journal of {key:?} does not decode"))),
            }
        }
        Ok(events)
    }

    fn quarantine(&mut self, stored: &Stored, reason: &str) {
        self.counters.quarantined += 1;
        self.letters.push(dead::letter(topics::EVENTS, self.partition, stored, "account", reason));
    }

    /// Closes the instant: timers, partials, per-account metrics, the mark.
    fn close(&mut self, clock: Time, state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        let due = self.timers.due(clock, state)?;
        self.prefetch(due.iter().map(|(_, key)| key.as_ref()), state)?;
        for (at, key) in &due {
            self.engine.ring(key, *at, clock);
            self.dirty_accounts += 1;
        }
        for (due, key) in self.engine.take_timers() {
            self.timers.set(due, key);
        }
        let previous = self.engine.clock();
        let (rows, changes) = self.engine.close(clock);
        outputs.append(&mut self.letters);
        self.load_slices(rows.iter().map(|(key, _)| *key), state)?;
        self.publish_partials(clock, rows, outputs);
        for change in &changes {
            self.publish_account(clock, previous, change, outputs);
        }
        self.tick_metrics(clock, previous, outputs);
        Ok(())
    }

    /// Loads the slices that are not held; a missing one is zero.
    fn load_slices(&mut self, keys: impl Iterator<Item = (u32, Time)>, state: &State) -> Result<()> {
        let missing: Vec<(u32, Time)> = keys.filter(|key| !self.slices.contains_key(key)).collect();
        let stored: Vec<Vec<u8>> = missing.iter().map(|(series, start)| self.slice_key(*series, *start)).collect();
        for (key, bytes) in missing.into_iter().zip(state.get_many(SLICES, &stored)?) {
            let width = self.engine.plan().bundles[self.engine.describe(key.0).0].columns.len();
            let row = match bytes {
                None => vec![0; width],
                Some(bytes) => decode_row(&bytes, width).ok_or_else(|| state.damaged("a slice does not decode"))?,
            };
            self.slices.insert(key, Slice { row: row.into(), dirty: false });
        }
        Ok(())
    }

    fn slice_key(&self, series: u32, start: Time) -> Vec<u8> {
        let (bundle, values) = self.engine.describe(series);
        let mut key = self.engine.plan().bundles[bundle].hash.to_be_bytes().to_vec();
        values.iter().for_each(|value| put_text(&mut key, value));
        key.extend_from_slice(&ordered(start));
        key
    }

    fn publish_partials(&mut self, clock: Time, rows: Rows, outputs: &mut Vec<Output>) {
        let plan = self.engine.plan().clone();
        let entry = || v1::PartialEntry {
            source: self.partition,
            instant_us: clock,
            generation: plan.generation,
            series: Vec::new(),
            closes: false,
        };
        let mut entries = vec![entry()];
        let (mut last_series, mut count) = (None, 0);
        for ((series, start), delta) in rows {
            let Some(slice) = self.slices.get_mut(&(series, start)) else { continue };
            slice.row.iter_mut().zip(delta.iter()).for_each(|(sum, change)| *sum += change);
            self.dirty_slices += usize::from(!slice.dirty);
            slice.dirty = true;
            if count == ENTRY_SLICES {
                entries.push(entry());
                (last_series, count) = (None, 0);
            }
            count += 1;
            let last = entries.len() - 1;
            if last_series != Some(series) {
                let (bundle, values) = self.engine.describe(series);
                let dimensions = values.into_iter().map(str::to_owned).collect();
                entries[last].series.push(v1::SeriesPartial {
                    bundle: plan.bundles[bundle].hash,
                    dimensions,
                    slices: Vec::new(),
                });
                last_series = Some(series);
            }
            if let Some(partial) = entries[last].series.last_mut() {
                partial.slices.push(convert::slice(start, &slice.row));
            }
        }
        if let Some(last) = entries.last_mut() {
            last.closes = true;
        }
        outputs.extend(
            entries.into_iter().map(|entry| output(&self.partials, 0, Vec::new(), entry.encode_to_vec(), clock)),
        );
    }

    fn publish_account(&mut self, clock: Time, previous: Time, change: &AccountChange, outputs: &mut Vec<Output>) {
        let plan = self.engine.plan().clone();
        for (number, metric) in plan.metrics.iter().enumerate() {
            let topic = self.metric_topics[number].clone();
            if !metric.totals.is_empty() {
                for snapshot in total_snapshots(&plan, metric, change, clock) {
                    outputs.push(snapshot_output(&topic, self.partition, snapshot));
                }
            }
            if !metric.silence.is_empty() {
                for (day, silence) in &change.silence {
                    let midnight = self.engine.calendar().midnight(*day);
                    let window = self.engine.calendar().window(Kind::Day, midnight);
                    if frozen(&window, clock) {
                        self.shared.add_frozen(1);
                        continue;
                    }
                    let corrected = previous >= window.end.saturating_add(plan.settings.allowed_lateness);
                    let mut snapshot = account_snapshot(metric, &change.key, "", &window, clock);
                    snapshot.corrected = corrected;
                    snapshot.r#final = clock >= window.end.saturating_add(plan.settings.allowed_lateness);
                    match silence {
                        Some((silence, cause)) => {
                            snapshot.value = Some(f64::from(silence.step));
                            snapshot.since_us = Some(silence.since);
                            snapshot.causes = cause
                                .iter()
                                .map(|id| v1::EventRef { source: id.source.clone(), id: id.id.clone() })
                                .collect();
                        }
                        None => snapshot.value = Some(0.0),
                    }
                    outputs.push(snapshot_output(&topic, self.partition, snapshot));
                }
            }
        }
    }

    /// Metric topics carry the first tick of each second.
    fn tick_metrics(&self, clock: Time, previous: Time, outputs: &mut Vec<Output>) {
        if clock.div_euclid(convert::MICROS) <= previous.div_euclid(convert::MICROS) {
            return;
        }
        let plan = self.engine.plan();
        for (metric, topic) in plan.metrics.iter().zip(&self.metric_topics) {
            if metric.per == processor_core::catalog::Per::Account {
                outputs.push(tick_output(topic, self.partition, clock));
            }
        }
    }
}

impl Fold for Accounts {
    const TABLES: &'static [&'static str] = &[HOT, JOURNAL, SLICES, TIMERS, META];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let entries: Vec<Entry> = records.iter().map(decode).collect();
        let keys = entries
            .iter()
            .filter_map(|entry| if let Entry::Event { key, .. } = entry { Some(key.as_str()) } else { None });
        self.prefetch(keys, state)?;
        let before = self.counters;
        let mut progress = Progress { applied: 0, closed: None };
        for (stored, entry) in records.iter().zip(&entries) {
            progress.applied += 1;
            match entry {
                Entry::Event { key, event } => self.event(stored, key, event, state)?,
                Entry::Poison(reason) => self.quarantine(stored, reason),
                Entry::Tick(clock) if *clock > self.engine.clock() => {
                    self.close(*clock, state, outputs)?;
                    progress.closed = Some(stored.offset + 1);
                    if pause {
                        break;
                    }
                }
                Entry::Tick(_) => {}
            }
        }
        self.shared.add(&self.counters, &before);
        Ok(progress)
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        telemetry::events(&self.counters, &self.reported);
        self.reported = self.counters;
        for (key, bytes) in self.engine.flush(self.config.accounts) {
            batch.put(HOT, key.as_bytes(), &bytes)?;
        }
        let mut journals: Vec<_> = self.journals.drain().collect();
        journals.sort_unstable();
        for (key, bytes) in journals {
            batch.append(JOURNAL, key.as_bytes(), &bytes)?;
        }
        let mut dirty: Vec<(Vec<u8>, Vec<u8>)> = self
            .slices
            .iter()
            .filter(|(_, slice)| slice.dirty)
            .map(|((series, start), slice)| (self.slice_key(*series, *start), encode_row(&slice.row)))
            .collect();
        dirty.sort_unstable();
        for (key, row) in dirty {
            batch.put(SLICES, &key, &row)?;
        }
        self.slices.values_mut().for_each(|slice| slice.dirty = false);
        if self.slices.len() > self.config.slices {
            self.slices.clear();
        }
        self.timers.flush(batch)?;
        batch.put(META, META_KEY, &encode_meta(self.engine.clock(), &self.counters))?;
        (self.journal_bytes, self.dirty_accounts, self.dirty_slices) = (0, 0, 0);
        Ok(())
    }

    fn dirty(&self) -> usize {
        self.journal_bytes + self.dirty_accounts * 300 + self.dirty_slices * 100
    }
}

/// What a record of `events.v1` says.
pub fn decode(stored: &Stored) -> Entry {
    let Some(value) = &stored.record.value else { return Entry::Poison("the record has no value".to_owned()) };
    match v1::Entry::decode(value.clone()).map(|entry| entry.entry) {
        Ok(Some(v1::entry::Entry::Tick(tick))) => Entry::Tick(tick.at_us),
        Ok(Some(v1::entry::Entry::Event(event))) => {
            let key = convert::key(&event);
            Entry::Event { key, event: Box::new(convert::event(event)) }
        }
        Ok(None) => Entry::Poison("the record is neither an event nor a tick: a newer door wrote it".to_owned()),
        Err(error) => Entry::Poison(format!("the record does not decode: {error}")),
    }
}

/// Snapshots of the sums that changed, by currency.
fn total_snapshots(plan: &Plan, metric: &Metric, change: &AccountChange, clock: Time) -> Vec<v1::Snapshot> {
    let all = Window { kind: Kind::ToDate, start: Time::MIN, end: Time::MAX, opens: Time::MIN };
    let mut currencies: BTreeSet<&str> = change.totals.iter().map(|total| total.currency.as_ref()).collect();
    currencies.extend(change.totals_before.iter().map(|total| total.currency.as_ref()));
    let of = |totals: &[processor_core::account::Total], currency: &str| {
        let total = totals.iter().find(|total| *total.currency == *currency)?;
        let numbers: Vec<i128> = metric.totals.iter().map(|column| total.columns[*column]).collect();
        Some((evaluate(metric, plan, &numbers).value, total.since))
    };
    let mut snapshots = Vec::new();
    for currency in currencies {
        let (before, now) = (of(&change.totals_before, currency), of(&change.totals, currency));
        if before == now {
            continue;
        }
        let mut snapshot = account_snapshot(metric, &change.key, currency, &all, clock);
        snapshot.value = Some(now.and_then(|(value, _)| value).unwrap_or_default());
        snapshot.since_us = now.map(|(_, since)| since).filter(|since| *since != Time::MIN);
        snapshots.push(snapshot);
    }
    snapshots
}

fn account_snapshot(metric: &Metric, key: &str, currency: &str, window: &Window, clock: Time) -> v1::Snapshot {
    let mut parts = key.split(convert::SEPARATOR);
    let tenant = parts.next().unwrap_or_default().to_owned();
    let account = parts.nth(1).unwrap_or_default().to_owned();
    let dimensions = match currency {
        "" => Vec::new(),
        currency => vec![v1::Dimension { name: "currency".to_owned(), value: currency.to_owned() }],
    };
    v1::Snapshot {
        key: Some(v1::SnapshotKey {
            tenant,
            definition: metric.definition.clone(),
            dimensions,
            account: Some(account),
            window: Some(convert::window(window)),
        }),
        metric: metric.name.clone(),
        revision_us: clock,
        unit: metric.unit.clone(),
        currency: currency.to_owned(),
        ..v1::Snapshot::default()
    }
}

/// A snapshot as a record of its topic.
pub(crate) fn snapshot_output(topic: &Arc<str>, partition: u32, snapshot: v1::Snapshot) -> Output {
    let key = snapshot.key.as_ref().map(Message::encode_to_vec).unwrap_or_default();
    let revision = snapshot.revision_us;
    let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Snapshot(snapshot)) };
    output(topic, partition, key, entry.encode_to_vec(), revision)
}

/// A tick as a record of a metric topic.
pub(crate) fn tick_output(topic: &Arc<str>, partition: u32, clock: Time) -> Output {
    let tick = v1::MetricTick { at_us: clock };
    let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Tick(tick)) };
    output(topic, partition, Vec::new(), entry.encode_to_vec(), clock)
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

fn encode_meta(clock: Time, counters: &Counters) -> Vec<u8> {
    let mut out = Vec::new();
    put_signed(&mut out, clock.into());
    for count in [counters.on_time, counters.late, counters.duplicate, counters.quarantined] {
        put(&mut out, count.into());
    }
    out
}

fn decode_meta(bytes: &[u8]) -> Option<(Time, Counters)> {
    let mut from = Reader(bytes);
    let clock = from.get_time()?;
    let mut count = || from.get().and_then(|count| u64::try_from(count).ok());
    Some((clock, Counters { on_time: count()?, late: count()?, duplicate: count()?, quarantined: count()? }))
}

/// Timers of the partition: those due before the horizon in memory, later ones on disk.
#[derive(Debug)]
struct Timers {
    near: BTreeSet<(Time, Box<str>)>,
    horizon: Time,
    /// Set (true) and rung (false) since the last flush.
    writes: BTreeMap<(Time, Box<str>), bool>,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { near: BTreeSet::new(), horizon: Time::MIN, writes: BTreeMap::new() }
    }
}

impl Timers {
    fn set(&mut self, due: Time, key: Box<str>) {
        if due < self.horizon {
            self.near.insert((due, key.clone()));
        }
        self.writes.insert((due, key), true);
    }

    /// Takes all that are due at `clock` or before, in (due, account) order.
    fn due(&mut self, clock: Time, state: &State) -> Result<Vec<(Time, Box<str>)>> {
        if clock >= self.horizon {
            self.look_ahead(clock.saturating_add(DAY), state)?;
        }
        let later = self.near.split_off(&(clock.saturating_add(1), Box::from("")));
        let due: Vec<_> = std::mem::replace(&mut self.near, later).into_iter().collect();
        for timer in &due {
            self.writes.insert(timer.clone(), false);
        }
        Ok(due)
    }

    fn look_ahead(&mut self, horizon: Time, state: &State) -> Result<()> {
        let from = self.horizon;
        let start: &[u8] = if from == Time::MIN { &[] } else { &ordered(from) };
        let mut bad = false;
        state.scan(TIMERS, start, |key, _| match parse_timer(key) {
            Some((due, _)) if due >= horizon => false,
            Some((due, account)) => {
                self.near.insert((due, account.into()));
                true
            }
            None => {
                bad = true;
                false
            }
        })?;
        if bad {
            return Err(state.damaged("a timer does not decode"));
        }
        for (timer, set) in self.writes.range((from, Box::from(""))..(horizon, Box::from(""))) {
            match set {
                true => self.near.insert(timer.clone()),
                false => self.near.remove(timer),
            };
        }
        self.horizon = horizon;
        Ok(())
    }

    fn flush(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        for ((due, account), set) in std::mem::take(&mut self.writes) {
            let key = [&ordered(due)[..], account.as_bytes()].concat();
            match set {
                true => batch.put(TIMERS, &key, &[])?,
                false => batch.delete(TIMERS, &key)?,
            }
        }
        Ok(())
    }
}

fn parse_timer(key: &[u8]) -> Option<(Time, &str)> {
    let (due, account) = key.split_first_chunk::<8>()?;
    Some(((u64::from_be_bytes(*due) ^ (1 << 63)).cast_signed(), std::str::from_utf8(account).ok()?))
}

/// An error about a record that every version must read.
pub(crate) fn unreadable(task: &str, offset: u64, what: impl Into<String>) -> Error {
    Error::Record { task: task.to_owned(), offset, what: what.into() }
}
