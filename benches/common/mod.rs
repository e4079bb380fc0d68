//! What the benchmarks share: a seeded stream of events, CPU clocks, options, a table.
//!
//! The stream: 50 % `order.completed` (channel, source, two lines), 45 % `usage.recorded`, 5 %
//! `account.updated` (plan, segment, region), evenly over 90 days, of accounts drawn from Zipf
//! (s = 1) or uniformly. The same seed gives the same events.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use processor_core::{
    calendar::{DAY, Time},
    catalog::Catalog,
    plan::Plan,
    settings::Settings,
};
use proto::v1;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: Time = 1_767_225_600_000_000;
/// Length of the stream.
pub(crate) const SPAN: Time = 90 * DAY;
/// Records between ticks, unless a midnight comes first.
pub(crate) const TICK_EVERY: usize = 50_000;

/// How accounts are drawn.
#[derive(Debug, Clone)]
pub(crate) enum Spread {
    /// Each with the same probability.
    Uniform(u64),
    /// The k-th with probability in proportion to 1/k: the cumulative weights.
    Zipf(Vec<f64>),
    /// One after the other.
    Each(u64),
}

impl Spread {
    /// Zipf with s = 1.
    pub(crate) fn zipf(accounts: u64) -> Spread {
        let mut sum = 0.0;
        Spread::Zipf(
            (1..=accounts)
                .map(|rank| {
                    sum += 1.0 / rank as f64;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, number: u64, random: &mut Random) -> u64 {
        match self {
            Spread::Uniform(accounts) => random.below(*accounts),
            Spread::Zipf(sums) => {
                let at = random.fraction() * sums.last().copied().unwrap_or_default();
                sums.partition_point(|sum| *sum < at) as u64
            }
            Spread::Each(accounts) => number % accounts,
        }
    }
}

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// The stream of events.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    spread: Spread,
    random: Random,
    number: u64,
    step: Time,
    orders_alone: bool,
}

impl Stream {
    /// `events` over the whole span.
    pub(crate) fn new(spread: Spread, events: usize) -> Stream {
        Stream { spread, random: Random(7), number: 0, step: SPAN / events as Time, orders_alone: false }
    }

    /// The same without events of other types.
    pub(crate) fn orders_alone(self) -> Stream {
        Stream { orders_alone: true, ..self }
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> v1::Event {
        use v1::event::Data;
        let random = &mut self.random;
        // Account numbers are scattered, so that hot ones are not neighbours in sorted state.
        let account = self.spread.draw(self.number, random).wrapping_mul(0x9E37_79B1) % 100_000_007;
        let time = START + self.number as Time * self.step;
        let kind = random.below(if self.orders_alone { 50 } else { 100 });
        let (kind, data) = match kind {
            0..50 => {
                let amounts = [100 + random.below(20_000) as i64, 100 + random.below(5_000) as i64];
                let lines = amounts.map(|amount| v1::OrderLine {
                    product: format!("sku-{:03}", random.below(100)),
                    quantity: 1,
                    amount,
                });
                let order = v1::OrderCompleted {
                    order: format!("o-{}", self.number),
                    gross: amounts.iter().sum(),
                    discount: random.below(100) as i64,
                    currency: "USD".to_owned(),
                    channel: random.pick(&["web", "app", "store", "phone"]).to_owned(),
                    source: random.pick(&["search", "mail", "direct", "partner", "social"]).to_owned(),
                    lines: lines.into(),
                };
                ("order.completed", Data::OrderCompleted(order))
            }
            50..95 => {
                let name = random.pick(&["report", "export", "login", "search"]).to_owned();
                let user = format!("u{}", random.below(5));
                ("usage.recorded", Data::UsageRecorded(v1::UsageRecorded { user, name, count: 1 }))
            }
            _ => {
                let values = [
                    ("plan", random.pick(&["free", "basic", "pro", "team"])),
                    ("segment", random.pick(&["small", "middle", "large"])),
                    ("region", random.pick(&["eu", "us", "apac", "latam", "mea"])),
                ];
                let traits =
                    values.map(|(name, value)| v1::Trait { name: name.to_owned(), value: Some(value.to_owned()) });
                ("account.updated", Data::AccountUpdated(v1::AccountUpdated { traits: traits.into() }))
            }
        };
        self.number += 1;
        v1::Event {
            id: format!("e-{:012x}", self.number),
            source: "shop".to_owned(),
            r#type: kind.to_owned(),
            time_us: time,
            recorded_at_us: time + 1_000,
            subject: format!("acct-{account:08}"),
            data: Some(data),
            ..v1::Event::default()
        }
    }
}

/// CPU time of the process, threads that have ended included; in steps of 10 ms.
pub(crate) fn process_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|index| fields.get(*index)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// CPU time of the threads that live now, in nanoseconds; for phases in which none ends.
pub(crate) fn threads_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Resident memory of this process, bytes.
pub(crate) fn resident() -> u64 {
    resident_of(std::process::id())
}

/// Resident memory of a process, bytes.
pub(crate) fn resident_of(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// CPU time by step.
#[derive(Debug, Default)]
pub(crate) struct Steps(BTreeMap<&'static str, Duration>);

impl Steps {
    /// Runs `work` and adds what it cost, background threads included, to a step.
    pub(crate) fn time<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let before = threads_cpu();
        let result = work();
        *self.0.entry(step).or_default() += threads_cpu().saturating_sub(before);
        result
    }

    /// Microseconds of a step, of `events`.
    pub(crate) fn micros(&self, step: &str, events: usize) -> f64 {
        self.0.get(step).map_or(0.0, |time| time.as_secs_f64() * 1e6 / events as f64)
    }
}

/// The middle of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value of `--name VALUE`, or the default.
pub(crate) fn option(name: &str, default: usize) -> usize {
    let wanted = format!("--{name}");
    let mut arguments = std::env::args().skip_while(|argument| *argument != wanted).skip(1);
    arguments.next().and_then(|value| value.replace('_', "").parse().ok()).unwrap_or(default)
}

/// The text after `--name`, or nothing.
pub(crate) fn text(name: &str) -> String {
    let wanted = format!("--{name}");
    std::env::args().skip_while(|argument| *argument != wanted).nth(1).unwrap_or_default()
}

/// The plan of the catalog of `--catalog FILE`, else of the built-in one.
pub(crate) fn plan() -> Arc<Plan> {
    let file = text("catalog");
    let settings = Settings::default();
    let plan = match file.as_str() {
        "" => Plan::built_in(&settings),
        file => Plan::lower(&Catalog::parse(&std::fs::read_to_string(file).unwrap()).unwrap(), &settings),
    };
    Arc::new(plan.unwrap())
}

/// Whether `--name` is given.
pub(crate) fn flag(name: &str) -> bool {
    let wanted = format!("--{name}");
    std::env::args().any(|argument| argument == wanted)
}

/// The four loads, or the one of `--load NUMBER`, from 1 on: a name, and how accounts are drawn.
pub(crate) fn loads() -> Vec<(&'static str, Spread)> {
    let all = vec![
        ("Zipf, 10 k", Spread::zipf(10_000)),
        ("Zipf, 1 M", Spread::zipf(1_000_000)),
        ("uniform, 10 k", Spread::Uniform(10_000)),
        ("uniform, 1 M", Spread::Uniform(1_000_000)),
    ];
    let only = option("load", 0);
    all.into_iter().enumerate().filter(|(index, _)| only == 0 || index + 1 == only).map(|(_, load)| load).collect()
}
