//! The engine alone: events per CPU second, what its parts cost, and the bytes of an account.
//!
//!     cargo bench --workspace --bench engine -- [--events N] [--runs N] [--accounts N] [--loads-only]
//!
//! Events are prepared; ticks come every 50,000 records and at midnights, timers ring.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common::{Spread, Steps, Stream, median, option, resident, threads_cpu};
use processor_core::{
    calendar::{DAY, Time},
    catalog::{BUILT_IN, Catalog},
    engine::{Engine, Outcome},
    event::Event,
    plan::Plan,
    settings::Settings,
};

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
    let memory = resident() - before;
    let encoded: usize = run.engine.flush(usize::MAX).iter().map(|(key, bytes)| key.len() + bytes.len()).sum();
    println!("\n| bytes an account, {accounts} accounts with ten events | |\n| --- | ---: |");
    println!("| encoded, with its key | {:.0} |", encoded as f64 / accounts as f64);
    println!("| in memory (growth of the resident set) | {:.0} |", memory as f64 / accounts as f64);
}

struct Run {
    engine: Engine,
    steps: Steps,
    timers: BTreeMap<(Time, Box<str>), ()>,
    rows: usize,
    rung: usize,
}

impl Run {
    fn new(plan: Arc<Plan>) -> Run {
        Run { engine: Engine::new(plan, Time::MIN), steps: Steps::default(), timers: BTreeMap::new(), rows: 0, rung: 0 }
    }

    /// CPU time of all events, their preparation apart.
    fn feed(&mut self, stream: &mut Stream, events: usize) -> Duration {
        let mut total = Duration::ZERO;
        let mut midnight = common::START + DAY;
        let mut left = events;
        while left > 0 {
            let mut batch: Vec<(String, Event)> = Vec::new();
            while batch.len() < common::TICK_EVERY.min(left)
                && batch.last().is_none_or(|(_, event)| event.time < midnight)
            {
                batch.push(prepare(stream.event()));
            }
            left -= batch.len();
            let last = batch.last().map_or(0, |(_, event)| event.time);
            let clock = if last >= midnight { last + 1_000 } else { (last + 1_000).min(midnight) };
            midnight = if clock >= midnight { midnight + DAY } else { midnight };
            let before = threads_cpu();
            self.instant(&batch, clock);
            total += threads_cpu().saturating_sub(before);
        }
        total
    }

    fn instant(&mut self, batch: &[(String, Event)], clock: Time) {
        let Run { engine, steps, timers, rows, rung } = self;
        steps.time("apply", || {
            for (key, event) in batch {
                let mut outcome = engine.apply(key, event, None);
                if outcome == Outcome::NeedsAccount {
                    engine.load(key, None).unwrap();
                    outcome = engine.apply(key, event, None);
                }
                assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::NeedsJournal), "{outcome:?}");
            }
            timers.extend(engine.take_timers().into_iter().map(|timer| (timer, ())));
        });
        steps.time("ring", || {
            while let Some(((due, key), ())) =
                timers.first_key_value().map(|(timer, ())| (timer.clone(), ())).filter(|((due, _), ())| *due <= clock)
            {
                timers.remove(&(due, key.clone()));
                engine.ring(&key, due, clock);
                *rung += 1;
                timers.extend(engine.take_timers().into_iter().map(|timer| (timer, ())));
            }
        });
        *rows += steps.time("close", || engine.close(clock)).0.len();
    }
}

/// The event as the engine takes it, with the key of its account.
fn prepare(wire: proto::v1::Event) -> (String, Event) {
    (processor::convert::key(&wire), processor::convert::event(wire))
}
