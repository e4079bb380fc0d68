//! The engine alone: events per CPU second, what its parts cost, and the bytes of an account.
//!
//!     cargo bench --workspace --bench engine -- [--events N] [--runs N] [--accounts N] [--loads-only] [--load N]
//!
//! Events are prepared; ticks come every 50,000 records and at midnights, timers ring. For the bytes
//! of an account let the allocator give back what is free: `_RJEM_MALLOC_CONF=dirty_decay_ms:0`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{collections::BTreeSet, hint::black_box, sync::Arc, time::Duration};

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
    println!("engine alone, {events} events over 90 days, median of {runs}\n");
    println!("| load | k events / CPU s | us / event |\n| --- | ---: | ---: |");
    let all = Arc::new(Plan::built_in(&Settings::default()).unwrap());
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

/// Bytes of hot state an account, with ten events each.
fn bytes(plan: &Arc<Plan>, accounts: u64) {
    let mut run = Run::new(plan.clone());
    let events = accounts as usize * 10;
    let before = resident();
    run.feed(&mut Stream::new(Spread::Each(accounts), events), events);
    // The timers are the benchmark's own.
    run.timers = BTreeSet::new();
    let (memory, reserved) = (resident() - before, run.engine.hot().reserved());
    let mut encoded = 0;
    run.engine.flush(usize::MAX, |_, key, bytes, ids| encoded += key.len() + bytes.len() + ids.len() * 8);
    println!("\n| bytes an account, {accounts} accounts with ten events | |\n| --- | ---: |");
    println!("| encoded, with its key | {:.0} |", encoded as f64 / accounts as f64);
    println!("| in memory, at rest (reserved) | {:.0} |", reserved as f64 / accounts as f64);
    println!(
        "| growth of the resident set, accounts open in an instant and freed memory included | {:.0} |",
        memory as f64 / accounts as f64
    );
}

struct Run {
    engine: Engine,
    steps: Steps,
    timers: BTreeSet<(Time, Box<str>)>,
    rows: usize,
    rung: usize,
}

impl Run {
    fn new(plan: Arc<Plan>) -> Run {
        Run { engine: Engine::new(plan, Time::MIN), steps: Steps::default(), timers: BTreeSet::new(), rows: 0, rung: 0 }
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
        let Run { engine, steps, timers, rows, rung } = self;
        steps.time("apply", || {
            for (key, event) in batch {
                let slot = engine.hot().find(key).unwrap_or_else(|| engine.load(key, &[], []).unwrap());
                let outcome = engine.apply(slot, event, None);
                assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::NeedsJournal), "{outcome:?}");
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
