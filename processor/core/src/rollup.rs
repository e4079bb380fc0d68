//! The rollup: changes of slices in, changed rows of metrics out, instant by instant.
//!
//! Invariants: pure; a row is published when value, num, den, reason, final or corrected differ
//! from what was last published, and at most once an instant; `final` from the clock alone;
//! `corrected` when the value changed after it had been published as final, a row that is not
//! stored counting as its fill value. A row past its keep is frozen: its changes are counted only.
//!
//! Slices of a series are summed into local days (and hours, where a metric has `1h`), so a window
//! is a difference of two running sums. An instant closes in three steps, so that nothing here reads
//! storage: [`Rollup::merge`] takes its changes, [`Rollup::prepare`] says which rows it must see,
//! [`Rollup::close`] publishes.
//!
//! Memory is bounded by what is shown: `dimension_values_max` bounds the groups (see `values`), rows
//! that are final are evicted at a flush and loaded again when a correction reaches them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    calendar::{Kind, Time, Window},
    plan::{Metric, Plan, Read, Reading, Slicing},
    series::Series,
};

mod buckets;
mod changes;
mod exact;
mod goals;
mod line;
mod live;
mod published;
mod rates;
mod reporting;
mod rows;
mod table;
mod values;
mod windows;

pub use changes::Changes;
pub use line::Line;
pub use published::{Published, evaluate};
pub use values::OTHER;

use buckets::Buckets;
use exact::Sum;
use goals::Goals;
use line::Lines;
use live::Live;
use rates::Changed;
use reporting::{Reporting, Span};
use rows::{Rows, Shown};
use table::Table;
use values::Values;
use windows::Windows;

/// Identity of a row; numbers are the process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: u16,
    /// From when on the window exists: no two of a kind share that.
    opens: Time,
    line: u32,
}

/// Why a row is looked at. What comes first goes before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// It may show another value.
    Moved,
    /// It becomes final, and that alone.
    Due,
}

/// How often values that time moves are published, microseconds.
const MINUTE: Time = 60_000_000;

/// Room for this many rows to look at is kept from instant to instant.
const TOUCHED: usize = 100_000;

/// The key of a row in storage: its window, then the id of its line. Rows of a window lie together, as they are written.
pub type StoredKey = [u8; 16];

/// A row that storage may hold, and its key there.
pub type Wanted = (Key, StoredKey);

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

/// The rollup of one partition of partials.
#[derive(Debug)]
pub struct Rollup {
    plan: Arc<Plan>,
    windows: Windows,
    values: Values,
    series: Series,
    /// By the number of the series.
    tables: Vec<Table>,
    buckets: Buckets,
    /// Where amounts are converted.
    reporting: Option<Reporting>,
    lines: Lines,
    live: Live,
    /// For each metric, the place of each kind of window among its own.
    places: Vec<Vec<Option<usize>>>,
    rows: Rows,
    /// Rows to look at in this instant; after [`Rollup::prepare`] in the order of their keys, each once.
    touched: Vec<(Key, Why)>,
    /// By kind and line: from here on every row is to be looked at in this instant.
    carried: BTreeMap<(u16, u32), Time>,
    clock: Time,
    /// The clock before the instant that is being closed.
    previous: Time,
    frozen: u64,
    /// Lines whose open windows change as time passes.
    aging: BTreeSet<u32>,
    goals: Goals,
}

impl Rollup {
    /// An empty rollup at this clock.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Rollup {
        let windows = Windows::new(&plan);
        let place = |kinds: &[Kind], kind: Kind| kinds.iter().position(|known| *known == kind);
        Rollup {
            lines: Lines::new(&plan, &windows),
            live: Live::new(windows.kinds().count()),
            places: plan
                .metrics
                .iter()
                .map(|metric| windows.kinds().map(|(_, kind)| place(&metric.kinds, kind)).collect())
                .collect(),
            windows,
            values: Values::new(&plan),
            series: Series::default(),
            tables: Vec::new(),
            buckets: Buckets::default(),
            reporting: Reporting::new(&plan),
            rows: Rows::default(),
            touched: Vec::new(),
            carried: BTreeMap::new(),
            clock,
            previous: clock,
            frozen: 0,
            aging: BTreeSet::new(),
            goals: Goals::new(&plan),
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

    /// Dimensions of which values are counted as [`OTHER`], with the number of changes of slices that were since the last
    /// call.
    pub fn take_others(&mut self) -> Vec<(String, u64)> {
        self.values.take_others()
    }

    /// What a line is.
    pub fn line(&self, number: u32) -> &Line {
        &self.lines.list[number as usize]
    }

    /// Whether anything may have been added before to the slice of a series, or to the day that it is part of.
    pub fn knows(&mut self, bundle: usize, values: &[&str], slice: Time) -> bool {
        // Rates are few, and have no series here.
        if self.plan.rates == Some(bundle) {
            return true;
        }
        let slice = self.kept(bundle, slice);
        let (values, _) = buckets::split(&self.plan, bundle, values);
        let shown = self.values.shown(bundle, values);
        if shown != values {
            return true;
        }
        let table = self.series.find(bundle, shown.into_iter()).and_then(|series| self.tables.get(series as usize));
        table.is_some_and(|table| table.holds(slice, slice.saturating_add(1)))
    }

    /// Takes a value of a dimension that is kept apart, as [`Rollup::flush_values`] wrote it; `None` if it is damaged.
    /// Before any slice is restored.
    pub fn restore_value(&mut self, key: &[u8]) -> Option<()> {
        self.values.restore(key)
    }

    /// Takes the id of a line, as [`Rollup::flush_lines`] handed it out. Before any slice is restored.
    pub fn restore_line(&mut self, name: &[u8], id: u32) {
        self.lines.restore(name, id);
    }

    /// Takes slices of the state: nothing is published. Answers the rows that may be open: each that is there is to be
    /// handed to [`Rollup::supply`].
    pub fn restore(&mut self, slices: Changes) -> Vec<Wanted> {
        self.absorb(slices, false);
        let mut wanted = Vec::new();
        if self.clock == Time::MIN {
            return wanted;
        }
        for (number, kind) in self.windows.kinds().filter(|(_, kind)| *kind != Kind::ToDate) {
            let grace = self.plan.metrics.iter().map(|metric| metric.grace(&self.plan.settings)).max().unwrap_or(0);
            for window in self.windows.open(kind, self.clock.saturating_sub(grace), self.clock) {
                for (line, known) in (0..).zip(&self.lines.list) {
                    let may_be_open = self.clock < self.final_at(known.metric, &window);
                    if may_be_open && self.places[known.metric][usize::from(number)].is_some() {
                        wanted.push(self.wanted(Key { kind: number, opens: window.opens, line }));
                    }
                }
            }
        }
        wanted
    }

    /// Takes a row from storage.
    pub fn supply(&mut self, key: Key, row: &Published) {
        let window = self.windows.opening(key.kind, key.opens);
        let final_at = self.final_at(self.line(key.line).metric, &window);
        self.rows.supply(key, final_at, row);
        if self.plan.metrics[self.line(key.line).metric].ages() {
            self.aging.insert(key.line);
        }
    }

    /// Adds the changes of an instant, and notes the rows that they move.
    pub fn merge(&mut self, changes: Changes) {
        self.absorb(changes, true);
    }

    fn absorb(&mut self, changes: Changes, publish: bool) {
        let (of, changes) = changes.into_sorted();
        if publish {
            self.admit(&of, &changes);
        }

        let mut shown: BTreeMap<(u32, Time), Box<[i128]>> = BTreeMap::new();
        let mut settings = Vec::new();
        for same in changes.chunk_by(|a, b| a.0 == b.0) {
            let (bundle, values) = of.describe(same[0].0);
            if self.plan.rates == Some(bundle) {
                let times = same.iter().map(|(_, _, row)| row[0]).sum();
                let Rollup { reporting, windows, .. } = self;
                reporting.iter_mut().for_each(|reporting| reporting.add_rate(&values, times, windows));
                continue;
            }
            let (values, bucket) = buckets::split(&self.plan, bundle, &values);
            if bucket.is_none() && self.plan.bundles[bundle].bucket.is_some() {
                continue;
            }
            let of_goals = self.goals.bundle == Some(bundle);
            if of_goals {
                let change = same.iter().map(|(_, _, row)| row[0]).sum();
                settings.push((values.iter().map(|value| Box::from(*value)).collect(), change));
            }
            // What a goal says is no dimension that anybody is shown.
            let values_shown = if of_goals { values.to_vec() } else { self.values.shown(bundle, values) };
            if publish {
                let changed = same.iter().filter(|(_, _, row)| row.iter().any(|change| *change != 0));
                self.values.count(bundle, values, &values_shown, changed.count() as u64);
            }
            let mut numbers = Vec::with_capacity(2);
            for values in with_pool(&self.plan, bundle, &values_shown) {
                let series = self.series.number(bundle, values.into_iter());
                numbers.push(series);
                for (_, slice, row) in same {
                    let slice = self.kept(bundle, *slice);
                    let sums = shown.entry((series, slice)).or_insert_with(|| vec![0; row.len()].into());
                    sums.iter_mut().zip(row.iter()).for_each(|(sum, change)| *sum += change);
                    if let Some(bucket) = bucket {
                        self.buckets.note(series, bucket, slice, row);
                    }
                }
            }
            if let ([all, own], Some(currency), Some(reporting)) =
                (numbers.as_slice(), values_shown.last(), &mut self.reporting)
            {
                reporting.join(*all, *own, currency);
            }
        }
        self.buckets.add();

        let mut rows = shown.into_iter().map(|((series, slice), row)| (series, slice, row)).peekable();
        while let Some((series, slice, row)) = rows.next() {
            let mut own = vec![(slice, row)];
            let more = std::iter::from_fn(|| rows.next_if(|(other, ..)| *other == series));
            own.extend(more.map(|(_, slice, row)| (slice, row)));
            self.change(series, &own, publish);
        }
        self.set_goals(settings, publish);
        let Rollup { reporting, windows, .. } = self;
        let changed = reporting.as_mut().map(|reporting| reporting.settle(windows)).unwrap_or_default();
        if publish && !changed.is_empty() {
            self.revalue(&changed);
        }
    }

    /// Notes every row that new rates value in another way.
    fn revalue(&mut self, changed: &[Changed]) {
        for change in changed {
            let lines = (0..).zip(&self.lines.list).map(|(line, _)| line);
            let concerned: Vec<u32> = lines.filter(|line| self.is_valued(*line, change)).collect();
            concerned.iter().for_each(|line| self.goals.note(*line, change.from));
            for (kind, _) in self.windows.kinds() {
                let opens = self.windows.meeting(kind, (change.from, change.to), self.clock);
                let has =
                    |line: &&u32| self.places[self.lines.list[**line as usize].metric][usize::from(kind)].is_some();
                for line in concerned.iter().filter(has) {
                    self.touched.extend(opens.iter().map(|opens| moved(kind, *opens, *line)));
                }
            }
        }
    }

    /// Whether rates of this currency and lag are part of what a line shows.
    fn is_valued(&self, line: u32, change: &Changed) -> bool {
        let (Some(reporting), known) = (&self.reporting, self.line(line)) else { return false };
        let metric = &self.plan.metrics[known.metric];
        metric.money()
            && self.lines.reads(&self.plan, line).iter().any(|(bundle, series)| {
                let bundle = &self.plan.bundles[*bundle];
                let has = reporting.has(*series, &change.currency) || known.currency(&self.plan) == &*change.currency;
                bundle.money && reporting::lag(bundle.slicing) == change.lag && has
            })
    }

    /// Decides which values that are new are kept apart: only what stands somewhere is there, whatever the partitions.
    fn admit(&mut self, of: &Series, changes: &[(u32, Time, Box<[i128]>)]) {
        let mut unknown = BTreeSet::new();
        let stands = |(_, _, row): &(u32, Time, Box<[i128]>)| row.iter().any(|change| *change != 0);
        for same in changes.chunk_by(|a, b| a.0 == b.0).filter(|same| same.iter().any(stands)) {
            let (bundle, values) = of.describe(same[0].0);
            if self.goals.bundle != Some(bundle) && self.plan.rates != Some(bundle) {
                unknown.extend(self.values.unknown(bundle, &values));
            }
        }
        self.values.admit(unknown);
    }

    /// Adds to the slices of a series.
    fn change(&mut self, series: u32, slices: &[(Time, Box<[i128]>)], publish: bool) {
        let table = self.table(series);
        let (before, new) = (table.first(), table.slices().is_empty());
        table.add(slices);
        let after = table.first();
        let (bundle, values) = self.series.describe(series);
        if new {
            let values: Vec<Box<str>> = values.into_iter().map(Box::from).collect();
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            for line in self.lines.enrol(&self.plan, &mut self.series, bundle, &values, !publish) {
                self.begin(line, publish);
            }
        }
        if publish {
            self.touch(series, bundle, slices, before, after);
        }
    }

    /// The slice that is kept: where nothing looks closer, hours are added up to days.
    fn kept(&mut self, bundle: usize, slice: Time) -> Time {
        match self.plan.bundles[bundle].slicing {
            Slicing::Hours if !self.plan.bundles[bundle].hourly => self.windows.day(slice),
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

    /// Notes every row that changes of these slices move.
    fn touch(
        &mut self,
        series: u32,
        bundle: usize,
        slices: &[(Time, Box<[i128]>)],
        before: Option<Time>,
        after: Option<Time>,
    ) {
        let Rollup { lines, windows, live, touched, carried, clock, goals, reporting, .. } = self;
        let first = slices[0].0;
        // What begins in one currency may cancel out in the sum over all.
        let begins = before != after || reporting.is_some() && before.is_none_or(|before| first <= before);
        for (line, reader) in lines.of(series, bundle) {
            goals.note(line, first);
            if reader.present && begins {
                let from = [before, after].into_iter().flatten().fold(first, Time::min);
                reader.kinds.iter().for_each(|kind| carry(carried, *kind, line, from));
            }
            for (kind, carries) in &reader.reads {
                live.note(*kind, line);
                if *carries {
                    carry(carried, *kind, line, first);
                    continue;
                }
                for (slice, _) in slices {
                    let opens = windows.holding(*kind, *slice, *clock).iter();
                    touched.extend(opens.map(|opens| moved(*kind, *opens, line)));
                }
            }
        }
    }

    /// The line of a metric for these values, made if it is not there.
    fn line_of(&mut self, metric: usize, view: usize, group: &[&str], publish: bool) -> u32 {
        if let Some(line) = self.lines.find(metric, view, group) {
            return line;
        }
        let line = self.lines.open(&self.plan, &mut self.series, metric, view, group, !publish);
        let line = line.expect("it was not there");
        if self.plan.metrics[metric].goal.is_none() {
            self.begin(line, publish);
        }
        line
    }

    /// A new line: notes the rows that series with data of their own have for it already.
    fn begin(&mut self, line: u32, publish: bool) {
        for kind in 0..self.windows.kinds().count() {
            if self.places[self.lines.list[line as usize].metric][kind].is_some() {
                self.live.note(u16::try_from(kind).expect("kinds have numbers of 16 bits"), line);
            }
        }
        if !publish {
            return;
        }
        for (bundle, series) in self.lines.reads(&self.plan, line) {
            let slices = self.table(series).slices().to_vec();
            let Some(first) = slices.first() else { continue };
            let Rollup { lines, windows, touched, carried, clock, .. } = self;
            let reader = lines.of(series, bundle).find(|(reads, _)| *reads == line);
            let (_, reader) = reader.expect("a line is known to every series that it reads");
            for (kind, carries) in &reader.reads {
                // A level carries on from its first slice into all later windows.
                if *carries {
                    carry(carried, *kind, line, *first);
                    continue;
                }
                for slice in &slices {
                    let opens = windows.holding(*kind, *slice, *clock).iter();
                    touched.extend(opens.map(|opens| moved(*kind, *opens, line)));
                }
            }
        }
    }

    /// Moves the clock to the instant; answers the rows that storage may hold and that are not held
    /// here: each that is there is to be handed to [`Rollup::supply`] before [`Rollup::close`].
    pub fn prepare(&mut self, clock: Time) -> Vec<Wanted> {
        self.previous = std::mem::replace(&mut self.clock, clock);
        self.look_ahead();
        self.open_windows();
        self.age();
        self.turn();
        self.touch_goals();
        self.touched.extend(self.rows.due(clock).map(|key| (key, Why::Due)));
        self.touched.sort_unstable();
        self.touched.dedup_by_key(|(key, _)| *key);
        self.windows.forget();

        self.touched.retain(|(key, _)| key.opens <= clock);
        // There are no stored rows of a window that opens now, nor of a line whose rows were never evicted; and what is not
        // final yet is held.
        let before = self.touched.iter().filter(|(key, why)| *why == Why::Moved && key.opens <= self.previous);
        let lacking = before.filter(|(key, _)| self.line(key.line).stored && !self.rows.holds(key));
        lacking.map(|(key, _)| self.wanted(*key)).collect()
    }

    /// Notes the rows of windows that were open at the previous clock, of lines whose value changes as time passes: once a
    /// minute, for with each tick they would be published each second. Windows begin and end at minutes.
    fn age(&mut self) {
        if !self.passes_minute() {
            return;
        }
        let aging = std::mem::take(&mut self.aging);
        if aging.is_empty() {
            return;
        }
        for (number, kind) in self.windows.kinds() {
            let open = self.windows.open(kind, self.previous.max(Time::MIN + 1), self.clock);
            let has = |line: &&u32| self.places[self.lines.list[**line as usize].metric][usize::from(number)].is_some();
            for line in aging.iter().filter(has) {
                self.touched.extend(open.iter().map(|window| moved(number, window.opens, *line)));
            }
        }
    }

    /// Whether a minute begins with this instant.
    fn passes_minute(&self) -> bool {
        self.previous.div_euclid(MINUTE) != self.clock.div_euclid(MINUTE)
    }

    /// Notes the rows of open windows whose levels are valued at a rate that began to hold since the previous clock.
    fn turn(&mut self) {
        let (from, to) = (self.previous, self.clock);
        if from == Time::MIN || !self.reporting.as_ref().is_some_and(|reporting| reporting.turns(from, to)) {
            return;
        }
        let valued: Vec<bool> =
            self.plan.metrics.iter().map(|metric| reporting::values_levels(metric, &self.plan)).collect();
        for (kind, of_kind) in self.windows.kinds() {
            let open = self.windows.open(of_kind, from, to);
            for (line, known) in (0..).zip(&self.lines.list) {
                if valued[known.metric] && self.places[known.metric][usize::from(kind)].is_some() {
                    self.goals.note(line, from);
                    self.touched.extend(open.iter().map(|window| moved(kind, window.opens, line)));
                }
            }
        }
    }

    /// Notes the rows of all windows into which changes carry on. Only the earliest change of a line counts.
    fn look_ahead(&mut self) {
        let carried = std::mem::take(&mut self.carried);
        let carried: Vec<((u16, u32), Time)> = carried.into_iter().collect();
        for of_kind in carried.chunk_by(|a, b| a.0.0 == b.0.0) {
            let ((kind, _), mut first) = of_kind[0];
            let mut last = self.previous;
            for (_, from) in of_kind {
                (first, last) = (first.min(*from), last.max(*from));
            }
            let opens = self.windows.since(kind, first, last);
            for ((_, line), from) in of_kind {
                // From the window that holds the change on; up to that, or the clock.
                let holds = opens.partition_point(|opens| opens <= from).saturating_sub(1);
                let known = opens.partition_point(|opens| *opens <= self.previous.max(*from));
                let rows = opens[holds..known].iter();
                self.touched.extend(rows.map(|opens| moved(kind, *opens, *line)));
            }
        }
    }

    /// Closes the instant: hands out every row that changed, window by window.
    pub fn close(&mut self, mut each: impl FnMut(&Line, &Change)) {
        let mut numbers = Vec::new();
        let mut touched = std::mem::take(&mut self.touched);
        for run in touched.chunk_by(|(a, _), (b, _)| (a.kind, a.opens) == (b.kind, b.opens)) {
            let Key { kind, opens, .. } = run[0].0;
            let window = self.windows.opening(kind, opens);
            let mut shown = self.rows.take(kind, opens, run.len());
            for (key, why) in run {
                let change = match why {
                    Why::Due if self.stands(*key) => self.finish(*key, &window, &mut shown),
                    _ => self.publish(*key, &window, &mut shown, &mut numbers),
                };
                if let Some(change) = change {
                    each(&self.lines.list[key.line as usize], &change);
                }
            }
            self.rows.put_back(kind, opens, shown);
        }
        touched.clear();
        touched.shrink_to(TOUCHED);
        self.touched = touched;
    }

    /// Notes the rows of windows that opened since the previous clock.
    fn open_windows(&mut self) {
        let first = || self.tables.iter().filter_map(|table| table.slices().first()).min().copied();
        let Some(previous) = (if self.previous == Time::MIN { first() } else { Some(self.previous) }) else { return };
        for (number, kind) in self.windows.kinds().filter(|(_, kind)| *kind != Kind::ToDate) {
            let opened = self.windows.opened(kind, previous, self.clock);
            let Some(last) = opened.last().copied() else { continue };
            let Rollup { plan, lines, tables, places, live, touched, .. } = self;
            let every = |line: u32| plan.metrics[lines.list[line as usize].metric].every_window;
            for window in &opened {
                for line in live.of(number) {
                    if every(*line) || holds(lines, tables, places, number, *line, window.start, window.end) {
                        touched.push(moved(number, window.opens, *line));
                    }
                }
            }
            live.retain(number, |line| {
                every(line) || holds(lines, tables, places, number, line, last.start, Time::MAX)
            });
        }
    }

    /// Whether a row whose measures did not move shows what it showed: neither time nor a rate moves it.
    fn stands(&self, key: Key) -> bool {
        let ages = self.plan.metrics[self.line(key.line).metric].ages();
        self.reporting.is_none() && !ages && !self.goals.shows(key.line)
    }

    /// The change of a row that becomes final as it stands: nothing is computed for it.
    fn finish(&mut self, key: Key, window: &Window, shown: &mut Shown) -> Option<Change> {
        if self.windows.frozen(window, self.clock) {
            self.frozen += u64::from(shown.get(key.line).is_some_and(|row| !row.is_final));
            return None;
        }
        let row = self.rows.finish(shown, key.line)?;
        Some(Change { line: key.line, window: *window, row })
    }

    /// The change of a row, if there is one. `shown` are the rows of its window, `numbers` is scratch.
    fn publish(
        &mut self,
        key: Key,
        window: &Window,
        shown: &mut Shown,
        numbers: &mut Vec<Option<i128>>,
    ) -> Option<Change> {
        let stored = shown.get(key.line);
        let mut row = if self.goals.shows(key.line) {
            let row = self.goal_row(key.line, window);
            // A row of a goal that was withdrawn says what a day without a goal does.
            row.or_else(|| stored.map(|_| Published::new(None, "no denominator")))?
        } else {
            self.numbers(key, window, numbers);
            if !self.exists(key, window, numbers) {
                stored?;
                // What it showed was taken back: it says what a query says of a window without a row.
                clear(self.readings(key).1, numbers);
            }
            let metric = &self.plan.metrics[self.line(key.line).metric];
            evaluate(metric, &self.plan, numbers, self.clock.min(window.end))
        };
        let line = &self.lines.list[key.line as usize];
        let metric = &self.plan.metrics[line.metric];
        if self.clock < window.end && row.value != Some(0.0) && metric.ages() {
            self.aging.insert(key.line);
        }
        let final_at = self.final_at(line.metric, window);
        row.is_final = self.clock >= final_at;
        let value = row.value.map(f64::to_bits);
        let (before, was_final, was_corrected) = match stored {
            Some(stored) => (stored.bits(), stored.is_final, stored.corrected),
            None if self.previous >= final_at => (metric.fill_value().map(f64::to_bits), true, false),
            None => (None, false, false),
        };
        row.corrected = was_corrected || (was_final && before != value);

        let packed = self.rows.pack(&row);
        if stored == Some(&packed) {
            return None;
        }
        if self.windows.frozen(window, self.clock) {
            self.frozen += 1;
            return None;
        }
        self.rows.put(shown, key, final_at, packed);
        Some(Change { line: key.line, window: *window, row })
    }

    /// When a window of a metric is final.
    fn final_at(&self, metric: usize, window: &Window) -> Time {
        window.end.saturating_add(self.plan.metrics[metric].grace(&self.plan.settings))
    }

    /// Whether a row belongs into the results: a history without what was taken back has the same.
    fn exists(&self, key: Key, window: &Window, numbers: &[Option<i128>]) -> bool {
        let stands = |(reading, number): (&Reading, &Option<i128>)| match reading.read {
            Read::Quantile(_) | Read::Extreme { .. } => number.is_some(),
            Read::Window | Read::Unrated | Read::Start | Read::End => *number != Some(0),
        };
        let Line { metric, presence, .. } = *self.line(key.line);
        let begun = presence.is_none_or(|series| self.begins(metric, series).is_some_and(|at| at < window.end));
        begun && (self.plan.metrics[metric].every_window || self.readings(key).1.iter().zip(numbers).any(stands))
    }

    /// The place of a row's kind of window among those of its metric, and where its measures are.
    fn readings(&self, key: Key) -> (usize, &[Reading]) {
        let line = &self.lines.list[key.line as usize];
        let place = self.places[line.metric][usize::from(key.kind)];
        let place = place.expect("a row is of a kind of window that its metric has");
        (place, &self.plan.metrics[line.metric].views[line.view].readings[place])
    }

    /// From when on a line has rows, by the series that says so.
    fn begins(&self, metric: usize, series: u32) -> Option<Time> {
        match &self.reporting {
            Some(reporting) if self.plan.metrics[metric].converted => reporting.first(series, &self.tables),
            _ => self.tables.get(series as usize).and_then(Table::first),
        }
    }

    /// The measures of a row, then the sums of its metric.
    fn numbers(&self, key: Key, window: &Window, numbers: &mut Vec<Option<i128>>) {
        self.measure(key.line, self.readings(key).0, (window.start, window.end), numbers);
    }

    /// The measures of a line in `(start, end)`, for the kind of window at this place among those of its metric.
    fn measure(&self, line: u32, place: usize, (start, end): (Time, Time), numbers: &mut Vec<Option<i128>>) {
        numbers.clear();
        let known = self.line(line);
        let metric = &self.plan.metrics[known.metric];
        let readings = &metric.views[known.view].readings[place];
        let sources = readings.iter().zip(self.lines.sources(line, place).iter().copied());
        let span = Span { start, end, clock: self.clock };
        match &self.reporting {
            Some(reporting) if metric.converted => self.converted(metric, reporting, sources, span, numbers),
            _ => numbers.extend(sources.map(|(reading, series)| self.number(line, reading, series, span))),
        }
    }

    /// The same, of amounts in the reporting currency.
    fn converted<'a>(
        &self,
        metric: &Metric,
        reporting: &Reporting,
        sources: impl Iterator<Item = (&'a Reading, u32)>,
        span: Span,
        numbers: &mut Vec<Option<i128>>,
    ) {
        let mut sums: Vec<Sum> = Vec::with_capacity(metric.measures);
        for ((reading, series), is_amount) in sources.zip(&metric.amounts) {
            let bundle = &self.plan.bundles[reading.bundle];
            if !bundle.money || reading.read.may_lack() {
                // What has no currency is of all of them.
                numbers.push(self.plain(reading, series, span));
                sums.push(Sum::default());
                continue;
            }
            let sum = reporting.read(series, (bundle, reading), *is_amount, span, &self.tables);
            numbers.push(Some(sum.rounded()));
            sums.push(sum);
        }
        for parts in &metric.sums {
            let mut total = Sum::default();
            parts.iter().for_each(|(slot, plus)| total.add_all(&sums[*slot], *plus));
            numbers.push(Some(total.rounded()));
        }
    }

    /// What a line reads of a series.
    fn number(&self, line: u32, reading: &Reading, series: u32, span: Span) -> Option<i128> {
        if reading.read != Read::Unrated {
            return self.plain(reading, series, span);
        }
        let rated = self.reporting.as_ref().map(|reporting| reporting.rated_from(self.line(line).currency(&self.plan)));
        // Without a reporting currency nothing lacks a rate.
        let end = rated.map_or(span.start, |rated| rated.clamp(span.start, span.end));
        Some(self.tables.get(series as usize).map_or(0, |table| table.sum(reading.column, span.start, end)))
    }

    fn plain(&self, reading: &Reading, series: u32, span: Span) -> Option<i128> {
        match reading.read {
            Read::Extreme { greatest, standing } => {
                let from = if standing { Time::MIN } else { span.start };
                self.buckets.extreme(series, reading.column, (from, span.end), greatest).map(i128::from)
            }
            Read::Quantile(percent) => {
                let (from, to) = (span.start, span.end);
                self.buckets.quantile(series, reading.column, from, to, percent).map(i128::from)
            }
            // A series without data has no table.
            _ => Some(self.tables.get(series as usize).map_or(0, |table| table.read(reading, (span.start, span.end)))),
        }
    }

    /// Rows changed since the last flush.
    pub fn dirty(&self) -> usize {
        self.rows.dirty()
    }

    /// Hands out keys and encodings of all rows that changed since the last call. With more than `keep` rows held, those
    /// that are final are evicted afterwards.
    ///
    /// # Errors
    /// The first one of `each`; the rollup is of no use then.
    pub fn flush<E>(&mut self, keep: usize, mut each: impl FnMut(&StoredKey, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let Rollup { rows, lines, windows, .. } = self;
        let id = |line: u32| lines.list[line as usize].id;
        rows.flush(id, |kind, opens, line, row| each(&stored_key(windows.kind(kind), opens, line), row))?;
        rows.evict(keep, |key| lines.list[key.line as usize].stored = true);
        Ok(())
    }

    /// Names and ids of the lines that are new since the last call, for [`Rollup::restore_line`].
    pub fn flush_lines(&mut self) -> Vec<(Vec<u8>, u32)> {
        self.lines.flush()
    }

    /// Keys of the values of dimensions that are kept apart since the last call, for [`Rollup::restore_value`].
    pub fn flush_values(&mut self) -> Vec<Vec<u8>> {
        self.values.flush()
    }

    fn wanted(&self, key: Key) -> Wanted {
        (key, stored_key(self.windows.kind(key.kind), key.opens, self.line(key.line).id))
    }
}

fn moved(kind: u16, opens: Time, line: u32) -> (Key, Why) {
    (Key { kind, opens, line }, Why::Moved)
}

fn stored_key(kind: Kind, opens: Time, line: u32) -> StoredKey {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&kind.code().to_be_bytes());
    // The bytes sort as the times do.
    key[4..12].copy_from_slice(&(opens.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    key[12..].copy_from_slice(&line.to_be_bytes());
    key
}

/// Whether a series that the line reads in windows of this kind has a slice in `[from, to)`.
fn holds(
    lines: &Lines,
    tables: &[Table],
    places: &[Vec<Option<usize>>],
    kind: u16,
    line: u32,
    from: Time,
    to: Time,
) -> bool {
    let place = places[lines.list[line as usize].metric][usize::from(kind)];
    let place = place.expect("a line is live in the kinds of window of its metric only");
    let mut series = lines.sources(line, place).iter();
    series.any(|series| tables.get(*series as usize).is_some_and(|table| table.holds(from, to)))
}

/// Makes measures those of a window in which nothing happened.
fn clear(readings: &[Reading], numbers: &mut [Option<i128>]) {
    numbers.fill(Some(0));
    readings.iter().zip(numbers).filter(|(reading, _)| reading.read.may_lack()).for_each(|(_, number)| *number = None);
}

/// Notes that all rows of a line from `from` on are to be looked at.
fn carry(carried: &mut BTreeMap<(u16, u32), Time>, kind: u16, line: u32, from: Time) {
    carried.entry((kind, line)).and_modify(|first| *first = from.min(*first)).or_insert(from);
}

/// The series of these values, and where they are money the sum over currencies; what has no currency is in that alone.
fn with_pool<'a>(plan: &Plan, bundle: usize, values: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut all = Vec::with_capacity(2);
    if let Some((currency, group)) = values.split_last().filter(|_| plan.bundles[bundle].money) {
        all.push(group.iter().copied().chain([""]).collect());
        if currency.is_empty() {
            return all;
        }
    }
    all.push(values.to_vec());
    all
}

#[cfg(test)]
mod tests;
