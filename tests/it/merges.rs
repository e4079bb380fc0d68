//! Merged accounts against the history in which every event had been sent for the target from the start: any arrival, any
//! ticks, any partitions, restarts anywhere; merges late, chained, in circles, corrected and retracted; amounts as they come
//! and in one currency. `VITALS_MERGES` histories from seed `VITALS_MERGES_FROM` on, else a few.

use std::{collections::BTreeMap, io::Cursor, sync::Arc};

use ::oracle::{
    Settings,
    diff::Fill,
    generate, merge,
    read::{self, Subject},
};
use ingest::{event, near::UnknownTypes};
use processor_core::{
    calendar::Time,
    catalog::{BUILT_IN, Catalog},
    plan::Plan,
};
use proto::v1;
use serde_json::{Value, json};

use crate::{
    generated::Random,
    stages::{self, Sequences, Step},
};

const DAY: Time = 86_400_000_000;
/// 2024-01-01.
const START: Time = 19_723 * DAY;
const DAYS: u8 = 100;
/// The last tick: what time brings about up to here counts.
const END: Time = START + 200 * DAY;
const ACCOUNTS: u64 = 5;

/// Events in order of arrival.
type History = Vec<Value>;

/// Events of every lifecycle and the links between their accounts. Of one id there is one content: which of two came first
/// would be a matter of arrival.
fn history(seed: u64, events: usize) -> History {
    let config = generate::Config {
        seed,
        events,
        accounts: ACCOUNTS,
        start: START,
        days: DAYS.into(),
        all: true,
        ..generate::Config::default()
    };
    let mut bytes = Vec::new();
    generate::write(&config, &mut bytes).unwrap();
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    let mut history = History::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).unwrap();
        let id = format!("{}/{}", event["source"], event["id"]);
        // What a door refuses is in no journal.
        if parse(&event).is_ok() && known.entry(id).or_insert_with(|| event.clone()) == &event {
            history.push(event);
        }
    }
    let mut random = Random(seed ^ 0xA11);
    for link in links(&mut random) {
        let at = usize::try_from(random.below(history.len() as u64 + 1)).unwrap();
        history.insert(at, link);
    }
    history
}

/// Links of which some are retracted or corrected, and some stand in the journal of another account.
fn links(random: &mut Random) -> History {
    let mut links = History::new();
    for number in 0..1 + random.below(5) {
        let from = random.below(ACCOUNTS);
        let mut other = || format!("acc-{}", (from + 1 + random.below(ACCOUNTS)) % (ACCOUNTS + 1));
        let (from, to, corrected) = (format!("acc-{from}"), other(), other());
        let own = if random.below(5) == 0 { &to } else { &from };
        let time = |random: &mut Random| stamp(START + i64::try_from(random.below(DAYS.into())).unwrap() * DAY);
        let event = |id: String, kind: &str, time: String, data: Value| json!({"id": id, "source": "links", "type": kind, "time": time, "account": own, "data": data});
        let id = format!("l{number}");
        links.push(event(id.clone(), "identity.linked", time(random), json!({"from": from, "to": to})));
        if random.below(3) == 0 {
            let data = json!({"from": from, "to": corrected});
            let mut link = event(format!("c{number}"), "identity.linked", time(random), data);
            link["corrects"] = json!(id);
            links.push(link);
        }
        if random.below(3) == 0 {
            let what = if random.below(2) == 0 { id } else { format!("c{number}") };
            links.push(event(format!("r{number}"), "retracted", time(random), json!({"event": what})));
        }
    }
    links
}

fn stamp(time: Time) -> String {
    ::oracle::row::stamp(time).unwrap()
}

/// The same events, each sent for the account that it counts for in the end; links say nothing any more.
fn for_targets(history: &[Value]) -> History {
    let lines: String = history.iter().map(|event| format!("{event}\n")).collect();
    let log = read::log(Cursor::new(lines)).unwrap();
    let merged = merge::merged(&log, &Settings::default(), END);
    let mut sent = history.to_vec();
    for (event, counted) in sent.iter_mut().zip(&merged.events) {
        if let Subject::Account(target) = &counted.subject {
            event["account"] = json!(target);
        }
        if event["type"] == "identity.linked" {
            (event["type"], event["data"]) = (json!("note.added"), json!({}));
        }
    }
    sent.sort_by_key(|event| event["time"].as_str().map(|time| ingest::parse_rfc3339(time).unwrap()));
    sent
}

fn parsed(event: &Value) -> v1::Event {
    parse(event).unwrap()
}

/// The event as a door takes it.
fn parse(event: &Value) -> Result<v1::Event, ingest::Rejection> {
    let context = event::Context {
        now_us: END,
        until_us: END,
        floor_us: 0,
        source: String::new(),
        tenant: event::TENANT.to_owned(),
        unknown_types: UnknownTypes::Allow,
    };
    event::parse(event.to_string().as_bytes(), &context)
}

/// The events as a door stamps them, with ticks and rounds after some of them, which the seed says; without it one at the
/// end. What comes after an event does not depend on the others, so that events can be left out.
fn steps(history: &[Value], seed: Option<u64>) -> Vec<Step> {
    let (mut clock, mut recorded) = (0, 0);
    let mut steps = Vec::new();
    for event in history {
        let mut event = parsed(event);
        event.recorded_at_us = event.time_us.max(clock + 1_000);
        recorded = event.recorded_at_us.max(recorded);
        let number = event.id.bytes().fold(0, |sum: u64, byte| sum * 31 + u64::from(byte));
        steps.push(Step::Event(Box::new(event)));
        let Some(mut random) = seed.map(|seed| Random(seed ^ (number << 16))) else { continue };
        if random.below(8) == 0 {
            let ahead = [0, 1, DAY, 10 * DAY][usize::try_from(random.below(4)).unwrap()];
            clock = recorded.max(clock) + ahead;
            steps.push(Step::Tick(clock));
            if random.below(3) == 0 {
                steps.push(Step::Round { restart: random.below(2) == 0 });
            }
        }
    }
    assert!(clock.max(recorded) < END);
    steps.extend([Step::Tick(END), Step::Round { restart: false }]);
    steps
}

/// A row without what depends on when it was published.
type Said = (Option<f64>, Option<String>, Option<String>, String, Option<Time>, bool);

/// The rows that stand in the end, by series and end of the window, as text. Without what a query says where no row is: it
/// stays where something was taken back.
fn standing(published: &Sequences) -> BTreeMap<(String, Option<Time>), String> {
    let mut series: BTreeMap<String, BTreeMap<Option<Time>, Said>> = BTreeMap::new();
    for snapshot in published.values().filter_map(|all| all.last()) {
        let key = snapshot.key.clone().unwrap();
        let window = key.window.unwrap();
        let dimensions: Vec<String> = key.dimensions.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        let account = key.account.unwrap_or_default();
        let name = format!("{} {} {dimensions:?} {account} {}", snapshot.metric, window.kind, snapshot.currency);
        let v1::Snapshot { value, num, den, reason, since_us, r#final, .. } = snapshot.clone();
        // What an account shows is not published again when its day is final.
        let is_final = r#final && account.is_empty();
        series.entry(name).or_default().insert(window.end_us, (value, num, den, reason, since_us, is_final));
    }
    let mut standing = BTreeMap::new();
    for (name, rows) in series {
        let carries = Fill::of(name.split(' ').next().unwrap()) == Fill::Carry;
        let mut before = None;
        for (end, said) in rows {
            let none = |text: &Option<String>| text.as_deref().is_none_or(|text| text == "0");
            let empty = said.0.is_none_or(|value| value == 0.0) && none(&said.1) && none(&said.2);
            let now = (!empty || said.4.is_some()).then(|| (said.0, said.3.clone(), said.4));
            let differs = if carries { now != before } else { !empty };
            if differs {
                standing.insert((name.clone(), end), format!("{said:?}"));
            }
            before = now;
        }
    }
    standing
}

/// The built-in catalog, with money in one currency or in many.
fn plan(reporting_currency: Option<&str>) -> Arc<Plan> {
    let reporting_currency = reporting_currency.map(str::to_owned);
    let settings = processor_core::settings::Settings { reporting_currency, ..Default::default() };
    Arc::new(Plan::lower(&Catalog::parse(BUILT_IN).unwrap(), &settings).unwrap())
}

/// What a history is compared with, as one partition publishes it.
#[derive(Debug, Clone, Copy)]
enum Other {
    /// All that so many partitions publish, in its order.
    Partitions(u32),
    /// What stands in the end where all had been sent for the targets.
    Targets,
}

const OTHERS: [Other; 3] = [Other::Targets, Other::Partitions(4), Other::Partitions(16)];

/// How a history differs, if it does.
fn wrong(plan: &Arc<Plan>, history: &[Value], seed: u64, other: Other) -> Option<String> {
    let arrival = steps(history, Some(seed));
    let published = stages::run(plan, 1, &arrival);
    match other {
        Other::Partitions(partitions) => first_difference(&published, &stages::run(plan, partitions, &arrival)),
        Other::Targets => {
            let slow = stages::run(plan, 1, &steps(&for_targets(history), None));
            first_difference(&standing(&published), &standing(&slow))
        }
    }
}

fn first_difference<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    one: &BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
) -> Option<String> {
    let mut keys: Vec<&K> = one.keys().chain(other.keys()).collect();
    keys.sort();
    let key = keys.into_iter().find(|key| one.get(key) != other.get(key))?;
    Some(format!("{key:?}\n  {:?}\n  {:?}", one.get(key), other.get(key)))
}

/// Leaves out events as long as it stays wrong.
fn smallest(plan: &Arc<Plan>, mut history: History, seed: u64, other: Other) -> History {
    let mut size = history.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < history.len() {
            let mut fewer = history.clone();
            fewer.drain(at..(at + size).min(history.len()));
            match wrong(plan, &fewer, seed, other) {
                Some(_) => history = fewer,
                None => at += size,
            }
        }
        size /= 2;
    }
    history
}

/// Whether any event counts for another account than its own.
fn merges(history: &[Value]) -> bool {
    let accounts = |history: &[Value]| {
        let mut accounts: Vec<String> = history.iter().map(|event| event["account"].to_string()).collect();
        accounts.sort_unstable();
        accounts
    };
    accounts(history) != accounts(&for_targets(history))
}

#[test]
fn merged_accounts_are_as_if_all_had_been_sent_for_the_target() {
    let number = |name: &str, or: u64| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let (first, cases) = (number("VITALS_MERGES_FROM", 0), number("VITALS_MERGES", 8));
    let plans = [plan(None), plan(Some("EUR"))];
    let mut merged = 0;
    for seed in first..first + cases {
        let mut random = Random(seed);
        let plan = &plans[usize::try_from(random.below(2)).unwrap()];
        let mut history = history(seed, 10 + usize::try_from(random.below(60)).unwrap());
        if random.below(2) == 0 {
            for end in (1..history.len()).rev() {
                history.swap(end, usize::try_from(random.below(end as u64 + 1)).unwrap());
            }
        }
        merged += u64::from(merges(&history));
        for other in OTHERS {
            if wrong(plan, &history, seed, other).is_some() {
                let history = smallest(plan, history, seed, other);
                let difference = wrong(plan, &history, seed, other).unwrap_or_default();
                let lines: String = history.iter().map(|event| format!("{event}\n")).collect();
                panic!("seed {seed}, {other:?}: {difference}\n{lines}");
            }
        }
    }
    assert!(merged * 2 >= cases, "only {merged} of {cases} histories merge anything");
    println!("{merged} of {cases} histories merge accounts");
}

/// Events that arrive in one instant for accounts that are one, whichever comes first, and whatever the partitions. Of those
/// that have one id and differ the one that is first in the order of facts holds: their logs are two.
#[test]
fn events_of_one_instant_are_taken_in_the_order_of_facts() {
    let event = |id: &str, account: &str, day: &str, kind: &str, data: Value| json!({"id": id, "source": "app", "type": kind, "time": format!("2024-{day}T09:00:00Z"), "account": account, "data": data});
    let order = |account: &str, day: &str, order: &str, gross: i64| {
        event("2", account, day, "order.completed", json!({"order": order, "gross": gross, "currency": "EUR"}))
    };
    let link = event("1", "acc-1", "01-29", "identity.linked", json!({"from": "acc-1", "to": "acc-0"}));
    let (later, earlier) = (order("acc-0", "02-19", "o1", 500), order("acc-1", "02-07", "o2", 300));

    let plan = plan(None);
    let published = |partitions: u32, orders: [&Value; 2]| {
        let mut steps = Vec::new();
        for (events, tick) in [(&[&link][..], START + 100 * DAY), (&orders[..], END)] {
            for event in events {
                steps.push(Step::Event(Box::new(v1::Event { recorded_at_us: tick - 1, ..parsed(event) })));
            }
            steps.extend([Step::Tick(tick), Step::Round { restart: false }]);
        }
        stages::run(&plan, partitions, &steps)
    };
    let first = published(1, [&later, &earlier]);
    let value = first.values().flatten().rfind(|snapshot| snapshot.metric == "account_value");
    assert_eq!(value.and_then(|snapshot| snapshot.value), Some(300.0));
    for partitions in [1, 4, 16] {
        for orders in [[&earlier, &later], [&later, &earlier]] {
            let difference = first_difference(&first, &published(partitions, orders));
            assert_eq!(difference, None, "{partitions} partitions, first {}", orders[0]["account"]);
        }
    }
}
