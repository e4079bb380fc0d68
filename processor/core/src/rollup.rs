//! The rollup: merged slices in, changed rows of metrics out, instant by instant.
//!
//! Invariants: pure; a row is published when value, num, den, reason, final or corrected differ
//! from what was last published, and at most once an instant; `final` from the clock alone;
//! `corrected` when the value changed after it had been published as final, a row that is not
//! stored counting as its fill value. A row past its keep is frozen: its changes are counted only.
//!
//! Slices of a series are summed into local days (and hours, where a metric has `1h`), so a window
//! is a difference of two running sums. An instant closes in two steps, so that nothing here reads
//! storage: [`Rollup::prepare`] says which rows it must see, [`Rollup::close`] publishes.
//!
//! Rows that are not final are held; the others are let go at a flush and asked for when a
//! correction comes to them.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    calendar::{Kind, Time, Window},
    codec::{put, put_signed},
    map::{Map, Set},
    plan::{Plan, Read, Slicing},
    series::Series,
};

mod line;
mod published;
mod table;
mod windows;

pub use line::Line;
pub use published::{Published, evaluate};
pub use windows::{frozen, keep};

use line::Lines;
use table::Table;
use windows::Windows;

/// Identity of a row; numbers are the process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: u16,
    start: Time,
    line: u32,
}

/// A row that storage may hold, and its key there.
pub type Wanted = (Key, Vec<u8>);

/// A row to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The line, for [`Rollup::line`].
    pub line: u32,
    /// The window.
    pub window: Window,
    /// What the row shows now.
    pub row: Published,
}

/// A row as last published.
#[derive(Debug)]
struct Held {
    row: Published,
    /// Whether it changed since the last flush.
    dirty: bool,
}

/// The rollup of one partition of partials.
#[derive(Debug)]
pub struct Rollup {
    plan: Arc<Plan>,
    windows: Windows,
    series: Series,
    /// By the number of the series.
    tables: Vec<Table>,
    lines: Lines,
    /// For each metric, the place of each kind of window among its own.
    places: Vec<Vec<Option<usize>>>,
    rows: Map<Key, Held>,
    dirty: Vec<Key>,
    /// Rows that are not final, by when they will be.
    open: BTreeMap<Time, Vec<Key>>,
    /// Rows to look at in this instant.
    touched: Vec<Key>,
    /// Slices whose rows are in `touched` already.
    seen: Set<(u32, Time)>,
    clock: Time,
    /// The clock before the instant that is being closed.
    previous: Time,
    frozen: u64,
}

impl Rollup {
    /// An empty rollup at this clock.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Rollup {
        let windows = Windows::new(&plan);
        let place = |kinds: &[Kind], kind: Kind| kinds.iter().position(|known| *known == kind);
        Rollup {
            lines: Lines::new(&plan, &windows),
            places: plan
                .metrics
                .iter()
                .map(|metric| windows.kinds().map(|(_, kind)| place(&metric.kinds, kind)).collect())
                .collect(),
            windows,
            series: Series::default(),
            tables: Vec::new(),
            rows: Map::default(),
            dirty: Vec::new(),
            open: BTreeMap::new(),
            touched: Vec::new(),
            seen: Set::default(),
            clock,
            previous: clock,
            frozen: 0,
            plan,
        }
    }

    /// The last instant closed.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// Changes to rows past their keep since the rollup was made.
    pub fn frozen(&self) -> u64 {
        self.frozen
    }

    /// What a line is.
    pub fn line(&self, number: u32) -> &Line {
        &self.lines.list[number as usize]
    }

    /// The number of a series, for [`Rollup::add`].
    pub fn series(&mut self, bundle: usize, values: &[&str]) -> u32 {
        self.series.number(bundle, values.iter().copied())
    }

    /// Bundle and dimension values of a series.
    pub fn describe(&self, series: u32) -> (usize, Vec<&str>) {
        self.series.describe(series)
    }

    /// Whether anything was ever added to this slice (or the day that holds it).
    pub fn knows(&mut self, bundle: usize, series: u32, slice: Time) -> bool {
        let slice = self.kept(bundle, slice);
        self.tables.get(series as usize).is_some_and(|table| table.holds(slice, slice.saturating_add(1)))
    }

    /// Adds to a slice while state is loaded: nothing is published.
    pub fn restore(&mut self, bundle: usize, values: &[&str], slice: Time, row: &[i128]) {
        let slice = self.kept(bundle, slice);
        for values in with_pool(&self.plan, bundle, values) {
            let number = self.series.number(bundle, values.iter().copied());
            if self.table(number).slices().is_empty() {
                self.lines.enrol(&self.plan, &mut self.series, bundle, &values);
            }
            self.table(number).add(slice, row);
        }
    }

    /// After all slices are restored: the rows that may be open. Each that is there is to be handed
    /// to [`Rollup::supply`].
    pub fn restored(&mut self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if self.clock == Time::MIN {
            return wanted;
        }
        for (number, kind) in self.windows.kinds().filter(|(_, kind)| *kind != Kind::ToDate) {
            let end = self.clock.saturating_sub(self.plan.settings.allowed_lateness);
            for window in self.windows.open(kind, end, self.clock) {
                for (line, known) in (0..).zip(&self.lines.list) {
                    if self.places[known.metric][usize::from(number)].is_some() {
                        wanted.push(self.wanted(Key { kind: number, start: window.start, line }));
                    }
                }
            }
        }
        wanted
    }

    /// Takes a row from storage.
    pub fn supply(&mut self, key: Key, row: Published) {
        if !row.is_final {
            let window = self.windows.starting(key.kind, key.start);
            self.open.entry(final_at(&self.plan, &window)).or_default().push(key);
        }
        self.rows.insert(key, Held { row, dirty: false });
    }

    /// Adds the change of a slice and notes the rows that it moves.
    pub fn add(&mut self, bundle: usize, values: &[&str], slice: Time, delta: &[i128]) {
        let slice = self.kept(bundle, slice);
        for values in with_pool(&self.plan, bundle, values) {
            let number = self.series.number(bundle, values.iter().copied());
            let before = self.table(number).first();
            let new = self.table(number).slices().is_empty();
            self.table(number).add(slice, delta);
            if new {
                for line in self.lines.enrol(&self.plan, &mut self.series, bundle, &values) {
                    self.catch_up(line);
                }
            }
            let after = self.table(number).first();
            if self.seen.insert((number, slice)) || before != after {
                self.touch(number, bundle, slice, before, after);
            }
        }
    }

    /// The slice that is kept: without windows of an hour, hours are added up to days.
    fn kept(&mut self, bundle: usize, slice: Time) -> Time {
        match self.plan.bundles[bundle].slicing {
            Slicing::Hours if !self.plan.hourly => self.windows.day(slice),
            _ => slice,
        }
    }

    fn table(&mut self, number: u32) -> &mut Table {
        let needed = number as usize + 1;
        if self.tables.len() < needed {
            self.tables.resize_with(needed, Table::default);
        }
        &mut self.tables[number as usize]
    }

    /// Notes every row that a change of this slice moves.
    fn touch(&mut self, number: u32, bundle: usize, slice: Time, before: Option<Time>, after: Option<Time>) {
        let Rollup { lines, windows, touched, clock, .. } = self;
        for (line, reader) in lines.of(number, bundle) {
            let mut note = |kind: u16, from: Time, carries: bool| {
                let starts = windows.moved(kind, from, carries, *clock).iter();
                touched.extend(starts.map(|start| Key { kind, start: *start, line }));
            };
            if reader.present && before != after {
                let from = after.unwrap_or(slice).min(slice);
                reader.kinds.iter().for_each(|kind| note(*kind, from, true));
            } else {
                reader.reads.iter().for_each(|(kind, carries)| note(*kind, slice, *carries));
            }
        }
    }

    /// Notes the rows of a new line that series with data of their own have for it already.
    fn catch_up(&mut self, line: u32) {
        for (bundle, series) in self.lines.list[line as usize].reads(&self.plan) {
            let slices = self.table(series).slices().to_vec();
            let Rollup { lines, windows, touched, clock, .. } = self;
            let Some((_, reader)) = lines.of(series, bundle).find(|(reads, _)| *reads == line) else { continue };
            for (kind, carries) in &reader.reads {
                // A level carries on from its first slice into all later windows.
                for slice in if *carries { &slices[..slices.len().min(1)] } else { &slices[..] } {
                    let starts = windows.moved(*kind, *slice, *carries, *clock).iter();
                    touched.extend(starts.map(|start| Key { kind: *kind, start: *start, line }));
                }
            }
        }
    }

    /// Moves the clock to the instant; answers the rows that storage may hold and that are not held
    /// here: each that is there is to be handed to [`Rollup::supply`] before [`Rollup::close`].
    pub fn prepare(&mut self, clock: Time) -> Vec<Wanted> {
        self.previous = std::mem::replace(&mut self.clock, clock);
        self.open_windows();
        let later = self.open.split_off(&clock.saturating_add(1));
        let due = std::mem::replace(&mut self.open, later);
        self.touched.extend(due.into_values().flatten());
        self.touched.sort_unstable();
        self.touched.dedup();
        self.seen.clear();
        self.windows.forget();
        let mut wanted = Vec::new();
        for run in std::mem::take(&mut self.touched).chunk_by(|a, b| (a.kind, a.start) == (b.kind, b.start)) {
            let window = self.windows.starting(run[0].kind, run[0].start);
            if window.opens > clock {
                continue;
            }
            self.touched.extend_from_slice(run);
            // A window that opens now has no stored rows.
            if window.opens <= self.previous {
                wanted.extend(run.iter().filter(|key| !self.rows.contains_key(key)).map(|key| self.wanted(*key)));
            }
        }
        wanted
    }

    /// Closes the instant: every row that changed.
    pub fn close(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let touched = std::mem::take(&mut self.touched);
        for run in touched.chunk_by(|a, b| (a.kind, a.start) == (b.kind, b.start)) {
            let window = self.windows.starting(run[0].kind, run[0].start);
            changes.extend(run.iter().filter_map(|key| self.publish(*key, &window)));
        }
        changes
    }

    /// Notes the rows of windows that opened since the previous clock.
    fn open_windows(&mut self) {
        let first = || self.tables.iter().filter_map(|table| table.slices().first()).min().copied();
        let Some(previous) = (if self.previous == Time::MIN { first() } else { Some(self.previous) }) else { return };
        for (number, kind) in self.windows.kinds().filter(|(_, kind)| *kind != Kind::ToDate) {
            for window in self.windows.opened(kind, previous, self.clock) {
                for (line, known) in (0..).zip(&self.lines.list) {
                    let Some(place) = self.places[known.metric][usize::from(number)] else { continue };
                    let holds = |series: &u32| {
                        self.tables.get(*series as usize).is_some_and(|table| table.holds(window.start, window.end))
                    };
                    if known.presence.is_some() || known.sources[place].iter().any(holds) {
                        self.touched.push(Key { kind: number, start: window.start, line });
                    }
                }
            }
        }
    }

    /// The change of a row, if there is one.
    fn publish(&mut self, key: Key, window: &Window) -> Option<Change> {
        let plan = self.plan.clone();
        let line = &self.lines.list[key.line as usize];
        let metric = &plan.metrics[line.metric];
        let numbers = self.numbers(line, key.kind, window);
        let stored = self.rows.get(&key).map(|held| &held.row);
        if stored.is_none() && !self.exists(line, window, &numbers) {
            return None;
        }
        let mut row = evaluate(metric, &plan, &numbers);
        let final_at = final_at(&plan, window);
        row.is_final = self.clock >= final_at;
        let (before, was_final, was_corrected) = match stored {
            Some(stored) => (stored.value, stored.is_final, stored.corrected),
            None if self.previous >= final_at => (metric.fill_value(), true, false),
            None => (None, false, false),
        };
        row.corrected = was_corrected || (was_final && before.map(f64::to_bits) != row.value.map(f64::to_bits));
        if stored == Some(&row) {
            return None;
        }
        if frozen(window, self.clock) {
            self.frozen += 1;
            return None;
        }
        self.file(key, final_at, row.clone());
        Some(Change { line: key.line, window: *window, row })
    }

    /// Whether a row that is not stored yet belongs into the results.
    fn exists(&self, line: &Line, window: &Window, numbers: &[i128]) -> bool {
        match line.presence {
            None => numbers.iter().any(|number| *number != 0),
            Some(series) => self.tables.get(series as usize).and_then(Table::first).is_some_and(|at| at < window.end),
        }
    }

    /// The measures of a row.
    fn numbers(&self, line: &Line, kind: u16, window: &Window) -> Vec<i128> {
        let Some(place) = self.places[line.metric][usize::from(kind)] else { return Vec::new() };
        let readings = &self.plan.metrics[line.metric].views[line.view].readings[place];
        let series = line.sources[place].iter();
        let number = |(reading, series): (&crate::plan::Reading, &u32)| {
            let Some(table) = self.tables.get(*series as usize) else { return 0 };
            match reading.read {
                Read::Window => table.sum(reading.column, window.start, window.end),
                Read::Start => table.before(reading.column, window.start),
                Read::End => table.before(reading.column, window.end),
            }
        };
        readings.iter().zip(series).map(number).collect()
    }

    /// Keeps a row, and remembers when it becomes final.
    fn file(&mut self, key: Key, final_at: Time, row: Published) {
        let before = self.rows.get(&key);
        // A row that was open before is in `open` already.
        if !row.is_final && before.is_none_or(|held| held.row.is_final) {
            self.open.entry(final_at).or_default().push(key);
        }
        if before.is_none_or(|held| !held.dirty) {
            self.dirty.push(key);
        }
        self.rows.insert(key, Held { row, dirty: true });
    }

    /// Rows changed since the last flush.
    pub fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// Keys and encodings of all rows that changed since the last call, by key. With more than
    /// `keep` rows held, those that are final are let go afterwards.
    pub fn flush(&mut self, keep: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut encoded = Vec::with_capacity(self.dirty.len());
        for key in std::mem::take(&mut self.dirty) {
            let Some(held) = self.rows.get_mut(&key) else { continue };
            held.dirty = false;
            let mut row = Vec::with_capacity(24);
            held.row.encode(&mut row);
            encoded.push((self.wanted(key).1, row));
        }
        encoded.sort_unstable();
        if self.rows.len() > keep {
            self.rows.retain(|_, held| !held.row.is_final);
        }
        encoded
    }

    /// The key of a row in storage: stable across processes.
    fn wanted(&self, key: Key) -> Wanted {
        let mut out = self.lines.list[key.line as usize].key.to_vec();
        put(&mut out, self.windows.kind(key.kind).code().into());
        put_signed(&mut out, key.start.into());
        (key, out)
    }
}

/// The series of these values, and where they are money the sum over currencies.
fn with_pool<'a>(plan: &Plan, bundle: usize, values: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut all = Vec::with_capacity(2);
    if let Some((_, group)) = values.split_last().filter(|_| plan.bundles[bundle].money) {
        all.push(group.iter().copied().chain([""]).collect());
    }
    all.push(values.to_vec());
    all
}

/// When a window is final.
fn final_at(plan: &Plan, window: &Window) -> Time {
    window.end.saturating_add(plan.settings.allowed_lateness)
}

#[cfg(test)]
mod tests;
