//! The engine alone: events per CPU second, what its parts cost, and the bytes of an account.
//!
//!     cargo bench --workspace --bench engine -- [--events N] [--runs N] [--accounts N] [--loads-only] [--load N]
//!         [--catalog FILE] [--company N [--in-order] [--metrics N]]
//!
//! Events are prepared; ticks come every 50,000 records and at midnights, timers ring. `--company N` measures the
//! simulated company of N accounts alone, whose events come late, twice, corrected and retracted, too: what asks for the
//! journal gets it from memory, and reading it counts. For the bytes
//! of an account let the allocator give back what is free: `_RJEM_MALLOC_CONF=dirty_decay_ms:0`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/company.rs"]
mod company;

use std::{
    collections::{BTreeSet, HashMap},
    hint::black_box,
    sync::Arc,
    time::Duration,
};

use common::{Spread, Steps, Stream, median, option, resident, threads_cpu};
use processor::wire;
use processor_core::{
    calendar::{DAY, Time},
    catalog::{BUILT_IN, Catalog},
    engine::{Engine, Outcome},
    event::Event,
    plan::Plan,
    settings::Settings,
};
use proto::{Message, v1};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Metrics of accounts alone: no slices.
const ACCOUNTS_ONLY: [&str; 2] = ["account_value", "silence"];

fn main() {
    if common::flag("test") {
        return;
    }
    let (events, runs) = (option("events", 300_000), option("runs", 1));
    let accounts = option("company", 0);
    if accounts > 0 {
        return of_company(accounts as u32, runs);
    }
    println!("engine alone, {events} events over 90 days, median of {runs}\n");
    println!("| load | k events / CPU s | us / event |\n| --- | ---: | ---: |");
    let all = common::plan();
    for (name, spread) in common::loads() {
        let mut totals: Vec<f64> = Vec::new();
        for _ in 0..runs {
            totals.push(Run::new(all.clone()).feed(&mut Stream::new(spread.clone(), events), events).as_secs_f64());
        }
        let total = median(totals);
        println!("| {name} | {:.0} | {:.2} |", events as f64 / total / 1e3, total * 1e6 / events as f64);
    }
    if common::flag("loads-only") {
        return;
    }
    parts(&all, events);
    bytes(&all, option("accounts", 200_000) as u64);
}

/// The simulated company with catalogs of several sizes.
fn of_company(accounts: u32, runs: usize) {
    let in_order = common::flag("in-order");
    let records = company::records(accounts, in_order);
    let events = records.len();
    let how = if in_order { "in order" } else { "as they come" };
    println!("the simulated company, {accounts} accounts, {events} events over two years, {how}, median of {runs}\n");
    println!(
        "| metrics | k events / CPU s | us / event | apply | ring | close | journals |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let all = Catalog::parse(BUILT_IN).unwrap().metrics.len();
    let plans = company::plans(&[1, 20, all, 100]);
    let only = option("metrics", 0);
    for (size, plan) in plans.iter().filter(|(size, _)| only == 0 || *size == only) {
        let mut totals: Vec<f64> = Vec::new();
        let mut run = Run::new(plan.clone());
        for _ in 0..runs {
            run = Run::new(plan.clone());
            totals.push(run.arrivals(&records).as_secs_f64());
        }
        let total = median(totals);
        let [apply, ring, close] = ["apply", "ring", "close"].map(|step| run.steps.micros(step, events));
        println!(
            "| {size} | {:.0} | {:.2} | {apply:.2} | {ring:.2} | {close:.2} | {:.1} % |",
            events as f64 / total / 1e3,
            total * 1e6 / events as f64,
            run.looked_up as f64 * 100.0 / events as f64
        );
    }
}

/// What the parts cost, on the load with 10 k accounts by Zipf.
fn parts(all: &Arc<Plan>, events: usize) {
    let mut catalog = Catalog::parse(BUILT_IN).unwrap();
    catalog.metrics.retain(|metric| ACCOUNTS_ONLY.contains(&metric.name.value.as_str()));
    let few = Arc::new(Plan::lower(&catalog, &Settings::default()).unwrap());
    let measure = |plan: &Arc<Plan>| {
        let mut run = Run::new(plan.clone());
        run.feed(&mut Stream::new(Spread::zipf(10_000), events), events);
        (["apply", "close", "ring"].map(|step| run.steps.micros(step, events)), run.rows, run.rung)
    };
    let ([state, ..], ..) = measure(&few);
    let ([apply, close, ring], rows, rung) = measure(all);
    println!("\n| step, Zipf, 10 k | us / event |\n| --- | ---: |");
    println!("| state (look-up and fold) | {state:.2} |");
    println!("| slice (all dimensions) | {:.2} |", apply - state);
    println!("| timer ({:.3} an event) | {ring:.3} |", rung as f64 / events as f64);
    println!("| close ({:.2} changed slices an event) | {close:.2} |", rows as f64 / events as f64);
}

/// Bytes of hot state an account, with ten events each: of all types of the stream, and orders alone.
fn bytes(plan: &Arc<Plan>, accounts: u64) {
    weigh(plan, "ten events", accounts, Stream::new(Spread::Each(accounts), accounts as usize * 10));
    weigh(plan, "ten orders", accounts, Stream::new(Spread::Each(accounts), accounts as usize * 10).orders_alone());
}

fn weigh(plan: &Arc<Plan>, what: &str, accounts: u64, mut stream: Stream) {
    let mut run = Run::new(plan.clone());
    let before = resident();
    run.feed(&mut stream, accounts as usize * 10);
    // The timers are the benchmark's own.
    run.timers = BTreeSet::new();
    let (memory, reserved) = (resident().saturating_sub(before), run.engine.hot().reserved());
    let mut encoded = 0;
    run.engine.flush(usize::MAX, |_, key, bytes, ids| encoded += key.len() + bytes.len() + ids.len() * 8);
    println!("\n| bytes an account, {accounts} accounts with {what} | |\n| --- | ---: |");
    println!("| encoded, with its key | {:.0} |", encoded as f64 / accounts as f64);
    println!("| in memory, at rest (reserved) | {:.0} |", reserved as f64 / accounts as f64);
    println!(
        "| growth of the resident set, accounts open in an instant and freed memory included | {:.0} |",
        memory as f64 / accounts as f64
    );
    for (part, bytes) in run.engine.weigh() {
        println!("| of it: {part} | {:.1} |", bytes as f64 / accounts as f64);
    }
}

struct Run {
    engine: Engine,
    steps: Steps,
    timers: BTreeSet<(Time, Box<str>)>,
    rows: usize,
    rung: usize,
    /// Events that asked for a journal.
    looked_up: usize,
}

/// The events of each account so far, by the places of their records.
type Journals = HashMap<String, Vec<usize>>;

/// Journals in memory.
struct Kept<'r, 'j> {
    records: &'r [(Time, Vec<u8>)],
    journals: &'j mut Journals,
    /// Place of the first record of the batch.
    at: usize,
}

impl<'r> Kept<'r, '_> {
    fn journal(&self, key: &str) -> Vec<Event<'r>> {
        let places = self.journals.get(key).into_iter().flatten();
        places.map(|place| prepare(&self.records[*place].1).1).collect()
    }

    fn keep(&mut self, key: &str, place: usize) {
        match self.journals.get_mut(key) {
            Some(journal) => journal.push(self.at + place),
            None => drop(self.journals.insert(key.to_owned(), vec![self.at + place])),
        }
    }
}

impl Run {
    fn new(plan: Arc<Plan>) -> Run {
        let engine = Engine::new(plan, Time::MIN);
        Run { engine, steps: Steps::default(), timers: BTreeSet::new(), rows: 0, rung: 0, looked_up: 0 }
    }

    /// CPU time of records as they were accepted, a day at a time.
    fn arrivals(&mut self, records: &[(Time, Vec<u8>)]) -> Duration {
        let (mut total, mut journals, mut at) = (Duration::ZERO, Journals::new(), 0);
        while at < records.len() {
            let midnight = (records[at].0 / DAY + 1) * DAY;
            let length = records[at..].iter().take(common::TICK_EVERY).take_while(|(time, _)| *time < midnight).count();
            let batch: Vec<(String, Event<'_>)> =
                records[at..at + length].iter().map(|(_, record)| prepare(record)).collect();
            let before = threads_cpu();
            self.steps_of(&batch, midnight, Some(&mut Kept { records, journals: &mut journals, at }));
            total += threads_cpu().saturating_sub(before);
            at += length;
        }
        total
    }

    /// CPU time of all events, their preparation apart.
    fn feed(&mut self, stream: &mut Stream, events: usize) -> Duration {
        let mut total = Duration::ZERO;
        let mut midnight = common::START + DAY;
        let mut left = events;
        while left > 0 {
            let mut batch: Vec<v1::Event> = Vec::new();
            while batch.len() < common::TICK_EVERY.min(left)
                && batch.last().is_none_or(|event| event.time_us < midnight)
            {
                batch.push(stream.event());
            }
            left -= batch.len();
            let last = batch.last().map_or(0, |event| event.time_us);
            let clock = if last >= midnight { last + 1_000 } else { (last + 1_000).min(midnight) };
            midnight = if clock >= midnight { midnight + DAY } else { midnight };
            let records: Vec<Vec<u8>> = batch.into_iter().map(encode).collect();
            let events: Vec<(String, Event<'_>)> = records.iter().map(|record| prepare(record)).collect();
            let before = threads_cpu();
            self.instant(&events, clock);
            total += threads_cpu().saturating_sub(before);
        }
        total
    }

    fn instant(&mut self, batch: &[(String, Event<'_>)], clock: Time) {
        self.steps_of(batch, clock, None);
    }

    /// Without journals what asks for one is left out.
    fn steps_of<'r>(&mut self, batch: &[(String, Event<'r>)], clock: Time, mut kept: Option<&mut Kept<'r, '_>>) {
        let Run { engine, steps, timers, rows, rung, looked_up } = self;
        steps.time("apply", || {
            for (place, (key, event)) in batch.iter().enumerate() {
                let slot = engine.hot().find(key).unwrap_or_else(|| engine.load(key, &[], []).unwrap());
                let mut outcome = engine.apply(slot, event, None);
                let Some(kept) = &mut kept else {
                    assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::NeedsJournal), "{outcome:?}");
                    continue;
                };
                if outcome == Outcome::NeedsJournal {
                    *looked_up += 1;
                    outcome = engine.apply(slot, event, Some(kept.journal(key)));
                }
                assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::Duplicate), "{outcome:?}");
                if outcome != Outcome::Duplicate {
                    kept.keep(key, place);
                }
            }
            timers.extend(engine.timers().map(|(due, key)| (due, key.into())));
        });
        steps.time("ring", || {
            while timers.first().is_some_and(|(due, _)| *due <= clock)
                && let Some((due, key)) = timers.pop_first()
            {
                let slot = engine.hot().find(&key).unwrap();
                engine.ring(slot, due, clock);
                *rung += 1;
                timers.extend(engine.timers().map(|(due, key)| (due, key.into())));
            }
        });
        *rows += steps.time("close", || engine.close(clock, |change| _ = black_box(change))).len();
    }
}

fn encode(event: v1::Event) -> Vec<u8> {
    v1::Entry { entry: Some(v1::entry::Entry::Event(event)) }.encode_to_vec()
}

/// The event as the engine takes it, with the key of its account.
fn prepare(record: &[u8]) -> (String, Event<'_>) {
    let wire::Entry::Event(subject, event) = wire::entry(record).unwrap() else {
        unreachable!("it was encoded as one")
    };
    let mut key = String::new();
    subject.write_key(&mut key);
    (key, event)
}
