//! The rollup: merged slices in, changed rows of metrics out, instant by instant.
//!
//! Invariants: pure; a row is published when value, num, den, reason, final or corrected differ
//! from what was last published, and at most once an instant; `final` from the clock alone;
//! `corrected` when the value changed after it had been published as final, a row that is not
//! stored counting as its fill value.
//!
//! Slices of a series are summed into local days (and hours, where a metric has `1h`), so a window
//! is a range of a sorted map, and a level the total less what comes later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{
    calendar::{Calendar, Kind, Time, Window},
    catalog::Per,
    codec::{Reader, put, put_signed},
    expr::{Value, Values},
    map::{Map, Set},
    plan::{Metric, Plan, Read, Reading, Slicing},
    rational::Rational,
    series::Series,
};

/// Merged columns of one slice, added up over all sources.
type Row = Box<[i128]>;

/// One series: its slices, and what they sum to.
#[derive(Debug)]
struct Table {
    total: Row,
    slices: BTreeMap<Time, Row>,
}

impl Table {
    fn sum(&self, column: usize, from: Time, to: Time) -> i128 {
        self.slices.range(from..to).map(|(_, row)| row[column]).sum()
    }

    /// Sum of everything before `at`.
    fn before(&self, column: usize, at: Time) -> i128 {
        self.total[column] - self.slices.range(at..).map(|(_, row)| row[column]).sum::<i128>()
    }

    /// The first slice in which anything stands.
    fn first(&self) -> Option<Time> {
        self.slices.iter().find(|(_, row)| row.iter().any(|value| *value != 0)).map(|(at, _)| *at)
    }
}

/// What a row shows; compared with what was last published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The value; `None` is null, `reason` says why.
    pub value: Option<f64>,
    /// Numerator and denominator of ratios and means.
    pub ratio: Option<(i128, i128)>,
    /// Why the value is null; empty if it is not.
    pub reason: String,
    /// The clock has passed the window's end and the allowed lateness.
    pub is_final: bool,
    /// The value changed after it had been published as final.
    pub corrected: bool,
}

impl Published {
    fn same_value(&self, other: &Published) -> bool {
        self.value.map(f64::to_bits) == other.value.map(f64::to_bits)
            && self.ratio == other.ratio
            && self.reason == other.reason
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(1);
        out.push(
            u8::from(self.is_final)
                | u8::from(self.corrected) << 1
                | u8::from(self.value.is_some()) << 2
                | u8::from(self.ratio.is_some()) << 3,
        );
        out.extend_from_slice(&self.value.unwrap_or_default().to_bits().to_le_bytes());
        let (num, den) = self.ratio.unwrap_or_default();
        put_signed(out, num);
        put_signed(out, den);
        out.extend_from_slice(self.reason.as_bytes());
    }

    /// Decodes; `None` if damaged.
    pub fn decode(bytes: &[u8]) -> Option<Published> {
        let [1, flags, rest @ ..] = bytes else { return None };
        let (value, rest) = rest.split_first_chunk::<8>()?;
        let mut from = Reader(rest);
        let ratio = (from.get_signed()?, from.get_signed()?);
        Some(Published {
            value: (flags & 4 != 0).then(|| f64::from_bits(u64::from_le_bytes(*value))),
            ratio: (flags & 8 != 0).then_some(ratio),
            reason: std::str::from_utf8(from.0).ok()?.to_owned(),
            is_final: flags & 1 != 0,
            corrected: flags & 2 != 0,
        })
    }
}

/// Identity of a row; numbers are the process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    metric: u16,
    view: u16,
    kind: u16,
    group: u32,
    start: Time,
}

/// A view of a metric that reads a bundle.
#[derive(Debug)]
struct ReadBy {
    metric: usize,
    view: usize,
    /// Whether the bundle says from when on the view has rows.
    present: bool,
    /// For each kind of window of the metric: whether it reads the bundle there, and reads it as a
    /// level, so that a change carries on into all later windows.
    kinds: Vec<(Kind, bool, bool)>,
}

fn readers(plan: &Plan, bundle: usize) -> Vec<ReadBy> {
    let mut readers = Vec::new();
    for (number, metric) in plan.metrics.iter().enumerate().filter(|(_, metric)| metric.per == Per::Tenant) {
        for (view_number, view) in metric.views.iter().enumerate() {
            let kinds: Vec<(Kind, bool, bool)> = metric
                .kinds
                .iter()
                .zip(&view.readings)
                .map(|(kind, readings)| {
                    let own = readings.iter().filter(|reading| reading.bundle == bundle);
                    (*kind, own.clone().count() > 0, own.clone().any(|reading| reading.read != Read::Window))
                })
                .collect();
            let present = view.presence == Some(bundle);
            if present || kinds.iter().any(|(_, reads, _)| *reads) {
                readers.push(ReadBy { metric: number, view: view_number, present, kinds });
            }
        }
    }
    readers
}

/// A row to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Metric, by its number in the plan.
    pub metric: usize,
    /// View of it.
    pub view: usize,
    /// The window.
    pub window: Window,
    /// Values of the view's dimensions.
    pub values: Vec<String>,
    /// ISO 4217; empty for what is no money.
    pub currency: String,
    /// What the row shows now.
    pub row: Published,
    /// Key for storage; stable across processes.
    pub key: Vec<u8>,
}

/// The rollup of one partition of partials.
#[derive(Debug)]
pub struct Rollup {
    plan: Arc<Plan>,
    calendar: Calendar,
    /// For each bundle, who reads it.
    readers: Vec<Vec<ReadBy>>,
    series: Series,
    tables: Map<u32, Table>,
    /// Currencies of the series that sums over them.
    currencies: Map<u32, BTreeSet<Box<str>>>,
    groups: Series,
    rows: Map<Key, Published>,
    /// Rows that are not final, by when they will be.
    open: BTreeMap<Time, BTreeSet<Key>>,
    /// Rows to look at in this instant.
    touched: Set<Key>,
    /// Slices whose rows are in `touched` already.
    seen: Set<(u32, Time)>,
    clock: Time,
}

impl Rollup {
    /// An empty rollup at this clock.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Rollup {
        Rollup {
            calendar: Calendar::new(plan.settings.zone.clone()),
            readers: (0..plan.bundles.len()).map(|bundle| readers(&plan, bundle)).collect(),
            series: Series::default(),
            tables: Map::default(),
            currencies: Map::default(),
            groups: Series::default(),
            rows: Map::default(),
            open: BTreeMap::new(),
            touched: Set::default(),
            seen: Set::default(),
            clock,
            plan,
        }
    }

    /// The last instant closed.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// Adds to a slice while state is loaded: nothing is published.
    pub fn restore(&mut self, bundle: usize, values: &[&str], slice: Time, row: &[i128]) {
        self.sum(bundle, values, slice, row);
    }

    /// Takes a published row from storage; `None` if the key is of another catalog or damaged.
    pub fn restore_row(&mut self, key: &[u8], row: Published) -> Option<()> {
        let (key, window) = self.parse_key(key)?;
        self.file(key, &window, row);
        Some(())
    }

    /// Adds the change of a slice and notes the rows that it moves.
    pub fn add(&mut self, bundle: usize, values: &[&str], slice: Time, delta: &[i128]) {
        let number = self.series.number(bundle, values.iter().copied());
        let first = |rollup: &Rollup| rollup.tables.get(&number).and_then(Table::first);
        let before = first(self);
        let slice = self.sum(bundle, values, slice, delta);
        let after = first(self);
        if self.seen.insert((number, slice)) || before != after {
            self.touch(bundle, values, slice, before, after);
        }
    }

    /// Adds to a series, and where it is money to the sum over currencies; answers the slice kept.
    fn sum(&mut self, bundle: usize, values: &[&str], slice: Time, delta: &[i128]) -> Time {
        let slice = match self.plan.bundles[bundle].slicing {
            Slicing::Hours if !self.plan.hourly => self.calendar.window(Kind::Day, slice).start,
            _ => slice,
        };
        if self.plan.bundles[bundle].money {
            let (currency, group) = values.split_last().unwrap_or((&"", &[]));
            let pooled = self.series.number(bundle, group.iter().copied().chain([""]));
            let known = self.currencies.entry(pooled).or_default();
            if !known.contains(*currency) {
                known.insert((*currency).into());
                // What was touched before has rows of this currency, too.
                self.seen.clear();
            }
            self.add_to(pooled, slice, delta);
        }
        let number = self.series.number(bundle, values.iter().copied());
        self.add_to(number, slice, delta);
        slice
    }

    fn add_to(&mut self, number: u32, slice: Time, delta: &[i128]) {
        let zero = || -> Row { vec![0; delta.len()].into() };
        let table = self.tables.entry(number).or_insert_with(|| Table { total: zero(), slices: BTreeMap::new() });
        let row = table.slices.entry(slice).or_insert_with(zero);
        for (index, value) in delta.iter().enumerate() {
            row[index] += value;
            table.total[index] += value;
        }
    }

    /// Notes every row that a change of this slice moves.
    fn touch(&mut self, bundle: usize, values: &[&str], slice: Time, before: Option<Time>, after: Option<Time>) {
        let plan = self.plan.clone();
        let readers = std::mem::take(&mut self.readers[bundle]);
        // Few kinds of window, many views: each kind is looked up once.
        let mut known: Vec<((Kind, bool, bool), Vec<Window>)> = Vec::new();
        for reader in &readers {
            let moved = reader.present && before != after;
            let groups = self.groups_of(&plan.metrics[reader.metric], reader.view, bundle, values);
            let groups: Vec<u32> =
                groups.iter().map(|group| self.groups.number(reader.metric, group.iter().map(AsRef::as_ref))).collect();
            for (number, (kind, reads, carries)) in reader.kinds.iter().enumerate().filter(|(_, kind)| kind.1 || moved)
            {
                let question = (*kind, *carries || moved, moved);
                let index = known.iter().position(|(asked, _)| *asked == question).unwrap_or_else(|| {
                    let from = if moved { after.unwrap_or(slice).min(slice) } else { slice };
                    known.push((question, self.windows(*kind, from, question.1)));
                    known.len() - 1
                });
                debug_assert!(*reads || moved);
                for (group, window) in
                    groups.iter().flat_map(|group| known[index].1.iter().map(move |window| (group, window)))
                {
                    self.touched.insert(key(reader.metric, reader.view, number, *group, window.start));
                }
            }
        }
        self.readers[bundle] = readers;
    }

    /// Windows that a change at `slice` moves: those that hold it, or, where it carries on, all later.
    fn windows(&mut self, kind: Kind, slice: Time, carries: bool) -> Vec<Window> {
        let mut window = self.calendar.window(kind, slice);
        let mut windows = Vec::new();
        // A window that does not exist yet is looked at when it opens.
        while window.opens <= self.clock.max(slice) {
            windows.push(window);
            window = self.calendar.next(&window);
            let holds = window.start <= slice;
            if !(carries || holds) {
                break;
            }
        }
        windows
    }

    /// The groups of a view that a change of this series moves: dimension values, then the currency.
    fn groups_of(&mut self, metric: &Metric, view: usize, bundle: usize, values: &[&str]) -> Vec<Vec<Box<str>>> {
        let own: Vec<Box<str>> = values.iter().map(|value| Box::from(*value)).collect();
        match (metric.money(), self.plan.bundles[bundle].money) {
            (true, true) | (false, false) => vec![own],
            (false, true) => vec![own[..own.len() - 1].to_vec()],
            (true, false) => {
                let Some(money) = metric.views[view].money else { return Vec::new() };
                let pooled = self.series.number(money, values.iter().copied().chain([""]));
                let known = self.currencies.get(&pooled);
                let with = |currency: &str| own.iter().cloned().chain([Box::from(currency)]).collect();
                known.map(|set| set.iter().map(|currency| with(currency)).collect()).unwrap_or_default()
            }
        }
    }

    /// Closes the instant: every row that changed, in the order of keys.
    pub fn close(&mut self, clock: Time) -> Vec<Change> {
        let previous = std::mem::replace(&mut self.clock, clock);
        self.open_windows(previous);
        let due: Vec<Time> = self.open.range(..=clock).map(|(at, _)| *at).collect();
        for at in due {
            self.touched.extend(self.open.remove(&at).unwrap_or_default());
        }
        self.seen.clear();
        let mut touched: Vec<Key> = self.touched.drain().collect();
        touched.sort_unstable();
        touched.into_iter().filter_map(|key| self.publish(key, previous)).collect()
    }

    /// Notes the rows of windows that opened since `previous`.
    fn open_windows(&mut self, previous: Time) {
        let first = || self.tables.values().filter_map(|table| table.slices.keys().next()).min().copied();
        let Some(previous) = (if previous == Time::MIN { first() } else { Some(previous) }) else { return };
        let plan = self.plan.clone();
        let kinds: BTreeSet<Kind> = plan.metrics.iter().flat_map(|metric| metric.kinds.iter().copied()).collect();
        let mut opened: Vec<Window> = Vec::new();
        for kind in kinds.into_iter().filter(|kind| *kind != Kind::ToDate) {
            let mut window = self.calendar.window(kind, previous);
            loop {
                window = self.calendar.next(&window);
                if window.opens > self.clock {
                    break;
                }
                opened.push(window);
            }
        }
        for window in opened {
            self.open_window(&plan, &window);
        }
    }

    fn open_window(&mut self, plan: &Plan, window: &Window) {
        let mut known: Vec<u32> = self.tables.keys().copied().collect();
        known.sort_unstable();
        for number in known {
            let (bundle, values) = self.series.describe(number);
            let values: Vec<Box<str>> = values.into_iter().map(Box::from).collect();
            let pooled = plan.bundles[bundle].money && values.last().is_some_and(|currency| currency.is_empty());
            let Some(table) = self.tables.get(&number).filter(|_| !pooled) else { continue };
            let holds = table.slices.range(window.start..window.end).next().is_some();
            let texts: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            let readers = std::mem::take(&mut self.readers[bundle]);
            for reader in &readers {
                let kinds = reader.kinds.iter().enumerate();
                let wanted =
                    kinds.filter(|(_, (kind, reads, _))| *kind == window.kind && (reader.present || (holds && *reads)));
                for (kind, _) in wanted {
                    for group in self.groups_of(&plan.metrics[reader.metric], reader.view, bundle, &texts) {
                        let group = self.groups.number(reader.metric, group.iter().map(AsRef::as_ref));
                        self.touched.insert(key(reader.metric, reader.view, kind, group, window.start));
                    }
                }
            }
            self.readers[bundle] = readers;
        }
    }

    /// The change of a row, if there is one.
    fn publish(&mut self, key: Key, previous: Time) -> Option<Change> {
        let plan = self.plan.clone();
        let metric = &plan.metrics[usize::from(key.metric)];
        let window = self.window_of(metric, key);
        if window.opens > self.clock {
            return None;
        }
        let group: Vec<Box<str>> = self.groups.describe(key.group).1.into_iter().map(Box::from).collect();
        let numbers = self.numbers(metric, key, &window, &group);
        let mut row = evaluate(metric, &plan, &numbers);
        row.is_final = self.clock >= final_at(&plan, &window);
        if !self.rows.contains_key(&key) && !self.exists(metric, key, &window, &group, &numbers) {
            return None;
        }
        let stored = self.rows.get(&key);
        let was_final = previous >= final_at(&plan, &window);
        row.corrected = match stored {
            Some(stored) => stored.corrected || (stored.is_final && !stored.same_value(&row)),
            None => was_final && !Self::fill(metric).same_value(&row),
        };
        if stored == Some(&row) {
            return None;
        }
        self.file(key, &window, row.clone());
        let money = metric.money();
        let currency = if money { group.last().map(|c| c.to_string()).unwrap_or_default() } else { String::new() };
        let values = group[..group.len() - usize::from(money)].iter().map(|value| value.to_string()).collect();
        let stable = self.stable_key(key);
        Some(Change { metric: key.metric.into(), view: key.view.into(), window, values, currency, row, key: stable })
    }

    /// Whether a row that is not stored yet belongs into the results.
    fn exists(&mut self, metric: &Metric, key: Key, window: &Window, group: &[Box<str>], numbers: &[i128]) -> bool {
        match metric.views[usize::from(key.view)].presence {
            None => numbers.iter().any(|number| *number != 0),
            Some(bundle) => {
                let number = self.series.number(bundle, group.iter().map(AsRef::as_ref));
                self.tables.get(&number).and_then(Table::first).is_some_and(|first| first < window.end)
            }
        }
    }

    /// What a window that is not stored counts as.
    fn fill(metric: &Metric) -> Published {
        let null = metric.fill() == "null";
        Published {
            value: if null { None } else { Some(0.0) },
            ratio: if metric.ratio.is_some() { Some((0, 0)) } else { None },
            reason: if null { "no denominator".to_owned() } else { String::new() },
            is_final: true,
            corrected: false,
        }
    }

    /// The measures of a row.
    fn numbers(&mut self, metric: &Metric, key: Key, window: &Window, group: &[Box<str>]) -> Vec<i128> {
        let readings = &metric.views[usize::from(key.view)].readings[usize::from(key.kind)];
        readings.iter().map(|reading| self.read(metric, reading, window, group)).collect()
    }

    fn read(&mut self, metric: &Metric, reading: &Reading, window: &Window, group: &[Box<str>]) -> i128 {
        let dims = &group[..group.len() - usize::from(metric.money())];
        let values = dims.iter().map(AsRef::as_ref);
        let number = match (metric.money(), self.plan.bundles[reading.bundle].money) {
            (true, true) => self.series.number(reading.bundle, group.iter().map(AsRef::as_ref)),
            (false, true) => self.series.number(reading.bundle, values.chain([""])),
            (_, false) => self.series.number(reading.bundle, values),
        };
        let Some(table) = self.tables.get(&number) else { return 0 };
        match reading.read {
            Read::Window => table.sum(reading.column, window.start, window.end),
            Read::Start => table.before(reading.column, window.start),
            Read::End => table.before(reading.column, window.end),
        }
    }

    fn window_of(&mut self, metric: &Metric, key: Key) -> Window {
        let kind = metric.kinds[usize::from(key.kind)];
        match kind {
            Kind::Trailing(days) => {
                let last = self.calendar.day(key.start) + i32::from(days) - 1;
                let at = self.calendar.midnight(last);
                self.calendar.window(kind, at)
            }
            kind => self.calendar.window(kind, key.start),
        }
    }

    /// Keeps a row, and remembers when it becomes final.
    fn file(&mut self, key: Key, window: &Window, row: Published) {
        // A row that was open before is in `open` already.
        if !row.is_final && self.rows.get(&key).is_none_or(|before| before.is_final) {
            self.open.entry(final_at(&self.plan, window)).or_default().insert(key);
        }
        self.rows.insert(key, row);
    }

    fn stable_key(&self, key: Key) -> Vec<u8> {
        let metric = &self.plan.metrics[usize::from(key.metric)];
        let mut out = Vec::with_capacity(64);
        crate::codec::put_text(&mut out, &metric.definition);
        put(&mut out, key.view.into());
        put(&mut out, metric.kinds[usize::from(key.kind)].code().into());
        put_signed(&mut out, key.start.into());
        self.groups.describe(key.group).1.iter().for_each(|value| crate::codec::put_text(&mut out, value));
        out
    }

    fn parse_key(&mut self, bytes: &[u8]) -> Option<(Key, Window)> {
        let mut from = Reader(bytes);
        let definition = from.get_text()?;
        let metric = self.plan.metrics.iter().position(|metric| metric.definition == definition)?;
        let view = usize::try_from(from.get()?).ok()?;
        let kind = Kind::from_code(u32::try_from(from.get()?).ok()?)?;
        let kind = self.plan.metrics[metric].kinds.iter().position(|known| *known == kind)?;
        let start = from.get_time()?;
        let mut values = Vec::new();
        while !from.0.is_empty() {
            values.push(from.get_text()?);
        }
        let group = self.groups.number(metric, values.into_iter());
        let key = key(metric, view, kind, group, start);
        let plan = self.plan.clone();
        let window = self.window_of(&plan.metrics[metric], key);
        Some((key, window))
    }
}

fn key(metric: usize, view: usize, kind: usize, group: u32, start: Time) -> Key {
    let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Key { metric: small(metric), view: small(view), kind: small(kind), group, start }
}

/// When a window is final.
fn final_at(plan: &Plan, window: &Window) -> Time {
    window.end.saturating_add(plan.settings.allowed_lateness)
}

/// Measures of a row, then the margin.
struct Numbers<'a> {
    numbers: &'a [i128],
    margin: Rational,
}

impl Values for Numbers<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        Value::Number(self.numbers.get(slot).map_or(self.margin, |number| Rational::integer(*number)))
    }
}

/// Value, ratio and reason of a metric for these measures; `final` and `corrected` are the caller's.
pub fn evaluate(metric: &Metric, plan: &Plan, numbers: &[i128]) -> Published {
    let values = Numbers { numbers, margin: plan.settings.margin };
    let number = |expr: &crate::expr::Expr| match expr.eval(&values) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    let value = metric.value.as_ref().and_then(number);
    let ratio = metric.ratio.as_ref().and_then(|(num, den)| {
        // Fractions in either side (a decimal factor) are brought to whole numbers.
        let (num, den) = (number(num)?, number(den)?);
        Some((num.num().checked_mul(den.den())?, den.num().checked_mul(num.den())?))
    });
    let reason = match value {
        Some(_) => String::new(),
        None => metric
            .null_when
            .iter()
            .find(|(condition, _)| condition.holds(&values))
            .map_or_else(|| "no denominator".to_owned(), |(_, reason)| reason.clone()),
    };
    Published { value: value.map(Rational::to_f64), ratio, reason, is_final: false, corrected: false }
}

#[cfg(test)]
mod tests;
