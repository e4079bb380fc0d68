//! Lines: one metric, one set of dimension values, all its windows; and who reads which series.
//!
//! Invariant: a line knows by number every series that it reads, and each of these series knows the
//! line, so neither looks the other up by text again. Numbers of lines are the process's own; in storage a line has an
//! id, which it is given once and keeps.

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    catalog::Per,
    codec::{put, put_text},
    map::Map,
    plan::{Metric, Plan, Read, View},
    rollup::windows::Windows,
    series::Series,
};

/// One metric for one set of values of its dimensions.
#[derive(Debug)]
pub struct Line {
    /// Metric, by its number in the plan.
    pub metric: usize,
    /// View of it.
    pub view: usize,
    /// Values of the view's dimensions; where the metric is money, then the currency.
    pub group: Box<[Box<str>]>,
    /// The series of each measure, for each [`Shape`] of the view.
    sources: Box<[Box<[u32]>]>,
    /// The series whose first slice is that of the group: no window before it has a row.
    pub(super) presence: Option<u32>,
    /// Whether storage may hold rows of it that are not held in memory.
    pub(super) stored: bool,
    /// What keys in storage know it by.
    pub(super) id: u32,
}

/// Which bundles a view reads, by kind of window: kinds that read the same ones (all but those of measures decided at the
/// account) share the list of series of a line.
#[derive(Debug)]
struct Shapes {
    /// For each kind of window of the metric, its place among the lists.
    of_kind: Box<[usize]>,
    /// For each list, a kind that has it.
    kinds: Box<[usize]>,
}

impl Shapes {
    fn new(view: &View) -> Shapes {
        let bundles = |kind: usize| view.readings[kind].iter().map(|reading| reading.bundle);
        let mut kinds: Vec<usize> = Vec::new();
        let mut of_kind = Vec::new();
        for kind in 0..view.readings.len() {
            let same = kinds.iter().position(|known| bundles(*known).eq(bundles(kind)));
            of_kind.push(same.unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            }));
        }
        Shapes { of_kind: of_kind.into(), kinds: kinds.into() }
    }
}

/// A view of a metric that reads a bundle.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) metric: usize,
    pub(super) view: usize,
    /// Whether the bundle says from when on the view has rows.
    pub(super) present: bool,
    /// Numbers of the kinds of window in which it reads the bundle, and whether as a level, so that a
    /// change carries on into all later windows.
    pub(super) reads: Vec<(u16, bool)>,
    /// All its kinds of window.
    pub(super) kinds: Vec<u16>,
}

/// Ids of lines in storage.
#[derive(Debug, Default)]
struct Ids {
    /// Ids that storage holds, by the name of the line, as long as the line is not made.
    restored: Map<Box<[u8]>, u32>,
    next: u32,
    /// Given out since the last flush.
    new: Vec<(Vec<u8>, u32)>,
}

impl Ids {
    fn of(&mut self, name: Vec<u8>) -> u32 {
        if let Some(id) = self.restored.remove(name.as_slice()) {
            return id;
        }
        let id = self.next;
        self.next = id.checked_add(1).expect("fewer than 2^32 lines fit into memory");
        self.new.push((name, id));
        id
    }
}

/// All lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) list: Vec<Line>,
    /// By metric, view and values.
    numbers: Map<Box<[u8]>, u32>,
    /// By metric and view.
    shapes: Vec<Vec<Shapes>>,
    /// Hash of each metric's definition, with which names of lines in storage begin.
    definitions: Vec<u64>,
    ids: Ids,
    /// For each bundle, who reads it.
    readers: Vec<Vec<Reader>>,
    /// For each series, lines that read it, each with its place among the readers of the bundle.
    subscribers: Vec<Vec<(u32, usize)>>,
}

impl Lines {
    pub(super) fn new(plan: &Plan, windows: &Windows) -> Lines {
        Lines {
            list: Vec::new(),
            numbers: Map::default(),
            shapes: plan.metrics.iter().map(|metric| metric.views.iter().map(Shapes::new).collect()).collect(),
            definitions: plan.metrics.iter().map(|metric| xxh3_64(metric.definition.as_bytes())).collect(),
            ids: Ids::default(),
            readers: (0..plan.bundles.len()).map(|bundle| readers(plan, windows, bundle)).collect(),
            subscribers: Vec::new(),
        }
    }

    /// Lines that read a series, and how.
    pub(super) fn of(&self, series: u32, bundle: usize) -> impl Iterator<Item = (u32, &Reader)> {
        let subscribers = self.subscribers.get(series as usize).into_iter().flatten();
        subscribers.map(move |(line, reader)| (*line, &self.readers[bundle][*reader]))
    }

    /// The series of each measure of a line, for the kind of window at this place among the metric's.
    pub(super) fn sources(&self, line: u32, kind: usize) -> &[u32] {
        let line = &self.list[line as usize];
        &line.sources[self.shapes[line.metric][line.view].of_kind[kind]]
    }

    /// The distinct (bundle, series) that a line reads.
    pub(super) fn reads(&self, plan: &Plan, line: u32) -> Vec<(usize, u32)> {
        let line = &self.list[line as usize];
        let view = &plan.metrics[line.metric].views[line.view];
        let kinds = self.shapes[line.metric][line.view].kinds.iter();
        let readings = kinds.flat_map(|kind| &view.readings[*kind]).map(|reading| reading.bundle);
        let sources = line.sources.iter().flat_map(|sources| sources.iter().copied());
        let mut reads: Vec<(usize, u32)> = readings.zip(sources).chain(view.presence.zip(line.presence)).collect();
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// The name of a line in storage: the same in every process.
    fn name(&self, metric: usize, view: usize, group: &[&str]) -> Vec<u8> {
        let mut name = Vec::with_capacity(48);
        name.extend_from_slice(&self.definitions[metric].to_be_bytes());
        put(&mut name, view as u128);
        group.iter().for_each(|value| put_text(&mut name, value));
        name
    }

    /// Takes the id of a line from storage, before any line is made.
    pub(super) fn restore(&mut self, name: &[u8], id: u32) {
        self.ids.restored.insert(name.into(), id);
        self.ids.next = self.ids.next.max(id.saturating_add(1));
    }

    /// Names and ids of the lines that are new since the last call.
    pub(super) fn flush(&mut self) -> Vec<(Vec<u8>, u32)> {
        std::mem::take(&mut self.ids.new)
    }

    /// Makes the lines that a new series brings into being; answers their numbers. `stored` says whether storage may hold
    /// rows of them.
    pub(super) fn enrol(
        &mut self,
        plan: &Plan,
        series: &mut Series,
        bundle: usize,
        values: &[&str],
        stored: bool,
    ) -> Vec<u32> {
        let pooled = plan.bundles[bundle].money && values.last().is_some_and(|currency| currency.is_empty());
        // Where all currencies are converted, the sum over them stands for the one that is left.
        let mut reported = values.to_vec();
        if let (true, Some(last), Some(to)) = (pooled, reported.last_mut(), &plan.settings.reporting_currency) {
            *last = to;
        }
        let wanted: Vec<(usize, usize, &[&str])> = self.readers[bundle]
            .iter()
            .filter_map(|reader| {
                let metric = &plan.metrics[reader.metric];
                let group = match (metric.money(), plan.bundles[bundle].money) {
                    (true, true) if metric.converted => pooled.then_some(reported.as_slice())?,
                    (true, true) if !pooled => values,
                    (false, false) => values,
                    (false, true) if pooled => &values[..values.len() - 1],
                    // Series without a currency tell no money metric in which currencies it has rows.
                    _ => return None,
                };
                Some((reader.metric, reader.view, group))
            })
            .collect();
        let open = |(metric, view, group)| self.open(plan, series, metric, view, group, stored);
        wanted.into_iter().filter_map(open).collect()
    }

    /// The number of a line, if it is made.
    pub(super) fn find(&self, metric: usize, view: usize, group: &[&str]) -> Option<u32> {
        self.numbers.get(key(metric, view, group).as_slice()).copied()
    }

    /// Makes a line; `None` if it is there.
    pub(super) fn open(
        &mut self,
        plan: &Plan,
        series: &mut Series,
        metric: usize,
        view: usize,
        group: &[&str],
        stored: bool,
    ) -> Option<u32> {
        let written = &plan.metrics[metric];
        let key = key(metric, view, group);
        if self.numbers.contains_key(key.as_slice()) {
            return None;
        }

        let mut number_of = |bundle| source(plan, series, written, bundle, group);
        let readings = &written.views[view].readings;
        let sources = self.shapes[metric][view]
            .kinds
            .iter()
            .map(|kind| readings[*kind].iter().map(|reading| number_of(reading.bundle)).collect())
            .collect();
        let presence = written.views[view].presence.map(&mut number_of);

        let number = u32::try_from(self.list.len()).expect("fewer than 2^32 lines fit into memory");
        self.numbers.insert(key.into(), number);
        let name = self.name(metric, view, group);
        let id = self.ids.of(name);
        let group = group.iter().map(|value| Box::from(*value)).collect();
        self.list.push(Line { metric, view, group, sources, presence, stored, id });
        self.subscribe(plan, number);
        Some(number)
    }

    fn subscribe(&mut self, plan: &Plan, number: u32) {
        for (bundle, series) in self.reads(plan, number) {
            let line = &self.list[number as usize];
            let own = |reader: &Reader| reader.metric == line.metric && reader.view == line.view;
            let reader =
                self.readers[bundle].iter().position(own).expect("a bundle that a view reads has it as reader");
            let needed = series as usize + 1;
            if self.subscribers.len() < needed {
                self.subscribers.resize_with(needed, Vec::new);
            }
            self.subscribers[series as usize].push((number, reader));
        }
    }
}

impl Line {
    /// The currency; empty for what is no money.
    pub fn currency(&self, plan: &Plan) -> &str {
        if plan.metrics[self.metric].money() { self.group.last().map_or("", AsRef::as_ref) } else { "" }
    }

    /// Values of the dimensions of the view, the currency apart.
    pub fn values(&self, plan: &Plan) -> &[Box<str>] {
        &self.group[..self.group.len() - usize::from(plan.metrics[self.metric].money())]
    }
}

/// What tells a line from all others of the process.
fn key(metric: usize, view: usize, group: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(32);
    put(&mut key, metric as u128);
    put(&mut key, view as u128);
    group.iter().for_each(|value| put_text(&mut key, value));
    key
}

/// The series of a bundle that a line reads; what is no money, or is converted, reads the sum over currencies.
fn source(plan: &Plan, series: &mut Series, metric: &Metric, bundle: usize, group: &[&str]) -> u32 {
    let values = group[..group.len() - usize::from(metric.money())].iter().copied();
    match (metric.money() && !metric.converted, plan.bundles[bundle].money) {
        (true, true) => series.number(bundle, group.iter().copied()),
        (false, true) => series.number(bundle, values.chain([""])),
        (_, false) => series.number(bundle, values),
    }
}

fn readers(plan: &Plan, windows: &Windows, bundle: usize) -> Vec<Reader> {
    let mut readers = Vec::new();
    for (metric, written) in plan.metrics.iter().enumerate().filter(|(_, metric)| metric.per == Per::Tenant) {
        let kinds: Vec<u16> = written.kinds.iter().map(|kind| windows.number(*kind)).collect();
        for (number, view) in written.views.iter().enumerate() {
            let mut reads = Vec::new();
            for (kind, readings) in kinds.iter().zip(&view.readings) {
                let own: Vec<Read> =
                    readings.iter().filter(|reading| reading.bundle == bundle).map(|reading| reading.read).collect();
                if !own.is_empty() {
                    reads.push((*kind, own.iter().any(|read| read.carries())));
                }
            }
            let present = view.presence == Some(bundle);
            // The bundle of currencies makes lines even where the metric reads nothing of it.
            if present || !reads.is_empty() || view.money == Some(bundle) {
                readers.push(Reader { metric, view: number, present, reads, kinds: kinds.clone() });
            }
        }
    }
    readers
}
