//! `vitals explain` against the oracle: the parts of a change at instants by chance, and what will come.

use std::{collections::BTreeMap, io::Cursor};

use oracle::{
    Micros, Settings,
    explain::{self, Cause},
    history::{self, Account},
    projection,
    read::{self, Event, Log, Subject},
    repair,
};
use processor_core::catalog::BUILT_IN;
use serde_json::Value;

use crate::{
    data::Data,
    generated::{self, Random},
    oracle::meaningful,
};

/// What an event of the log is to the oracle.
fn of<'l>(log: &'l Log, settings: &Settings, name: &str, at: Micros) -> Vec<&'l Event> {
    let distinct = repair::distinct(log, settings, at - 1);
    let of_it = distinct.into_iter().filter(|event| matches!(&event.subject, Subject::Account(of) if of == name));
    repair::effective(&of_it.collect::<Vec<_>>())
}

fn told(data: &Data, arguments: &[&str]) -> Value {
    let run = data.run([&["explain"], arguments, &["--json"]].concat()).done();
    serde_json::from_str(&run.out).unwrap()
}

/// Parts by what brought them and component, in tenths. Events are named by their time: of several of one instant the
/// oracle says that the first was the sign of life.
type Parts = BTreeMap<(String, String), i64>;

fn expected(now: &Account<'_>, then: &Account<'_>, between: (Micros, Micros), settings: &Settings) -> Parts {
    let parts = explain::explain(now, Some(then), between, settings);
    let of = |source: &str, id: &str| {
        let event = now.events.iter().find(|event| event.source == source && event.id == id).unwrap();
        oracle::row::stamp(event.time).unwrap()
    };
    let name = |cause: &Cause| match cause {
        Cause::Time => "time".to_owned(),
        Cause::Event(source, id) => format!("event of {}", of(source, id)),
        Cause::Correction => "correction".to_owned(),
    };
    let part = |((cause, component), tenths): (&(Cause, &str), &i128)| {
        ((name(cause), (*component).to_owned()), i64::try_from(*tenths).unwrap())
    };
    added(parts.iter().map(part))
}

fn added(parts: impl Iterator<Item = ((String, String), i64)>) -> Parts {
    let mut sums = Parts::new();
    for (key, tenths) in parts {
        *sums.entry(key).or_default() += tenths;
    }
    sums.retain(|_, tenths| *tenths != 0);
    sums
}

fn parts(told: &Value) -> Parts {
    let each = |part: &Value| -> Vec<((String, String), i64)> {
        let brought = match part["brought"].as_str().unwrap() {
            "event" => format!("event of {}", part["at"].as_str().unwrap()),
            other => other.to_owned(),
        };
        let by = part["by"].as_object().unwrap().iter();
        by.map(|(component, tenths)| ((brought.clone(), component.clone()), tenths.as_i64().unwrap())).collect()
    };
    added(told["parts"].as_array().unwrap().iter().flat_map(each))
}

/// (instant, tenths, components that move) of what will come.
fn coming(told: &Value) -> Vec<(String, Option<i64>, Vec<String>)> {
    let of = |change: &Value| {
        let moved = change["moved"].as_object().unwrap().keys().cloned().collect();
        (change["at"].as_str().unwrap().to_owned(), change["tenths"].as_i64(), moved)
    };
    told["projection"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn explanations_and_projections_are_the_oracles() {
    let data = Data::new();
    let file = data.file("events.ndjson", generated::late_events(5, 3_000, 25, 400, 60));
    data.import(&file, &["--order", "file", "--until", "2020-06-01T00:00:00Z"]).done();
    let log = read::log(Cursor::new(data.run(["events", "--ticks"]).done().out)).unwrap();
    let settings = Settings { meaningful: meaningful(BUILT_IN), ..Settings::default() };
    let accounts: Vec<&str> = log.events.iter().filter_map(Event::account).collect();

    let ticks: Vec<Micros> = log.ticks.iter().copied().collect();

    let mut random = Random(11);
    let mut any = |count: usize| usize::try_from(random.below(count as u64)).unwrap();
    let (mut changes, mut corrections, mut projected) = (0, 0, 0);
    for _ in 0..150 {
        let account = accounts[any(accounts.len())];
        let mut at = [(); 2].map(|()| ticks[any(ticks.len())] + 1);
        at.sort_unstable();
        let (from, to) = (at[0], at[1]);
        // One recorded in the very microsecond of a tick came after it.
        let on_tick = |event: &Event| event.recorded.is_some_and(|recorded| recorded + 1 == from || recorded + 1 == to);
        if from == to || log.events.iter().any(|event| event.account() == Some(account) && on_tick(event)) {
            continue;
        }
        let [since, until] = [from, to].map(|at| oracle::row::stamp(at).unwrap());
        let told = told(&data, &[account, "--since", &since, "--at", &until]);

        let events = [from, to].map(|at| of(&log, &settings, account, at));
        let known = [0, 1]
            .map(|place| history::account(account, false, events[place].clone(), &settings, [from, to][place] - 1));
        let expected = expected(&known[1], &known[0], (from, to), &settings);
        assert_eq!(parts(&told), expected, "{account} from {since} to {until}: {told:#}");
        let sum: i64 = expected.values().sum();
        assert_eq!(told["change"].as_i64(), Some(sum), "{account} from {since} to {until}");
        changes += expected.len();
        corrections += expected.keys().filter(|(brought, _)| brought == "correction").count();

        let seen: Vec<&Event> = events[1].iter().copied().filter(|event| event.time < to).collect();
        let coming_of_oracle: Vec<(String, Option<i64>, Vec<String>)> =
            projection::projection(account, &seen, &settings, to - 1)
                .iter()
                .map(|change| {
                    let mut moved: Vec<String> = change.moved.iter().map(|(name, _)| (*name).to_owned()).collect();
                    moved.sort();
                    let tenths = change.tenths.map(|tenths| i64::try_from(tenths).unwrap());
                    (oracle::row::stamp(change.at).unwrap(), tenths, moved)
                })
                .collect();
        assert_eq!(coming(&told), coming_of_oracle, "{account} at {until}");
        projected += coming_of_oracle.len();
    }
    assert!(changes > 500 && corrections > 10 && projected > 100, "{changes} {corrections} {projected}");
}
