//! A small company: the same for the same seed, accepted by the door, with everything that happens in one.

use std::collections::{BTreeMap, BTreeSet};

use ingest::{event::Context, near::UnknownTypes};
use jiff::civil::date;
use serde_json::Value;

use super::{naive, *};
use crate::{Shares, calendar::DAY_US};

fn company(seed: u64, accounts: u32, shares: Shares) -> Company {
    Company::new(Settings { seed, accounts, linked: crate::LINKED, from: date(2024, 1, 1), shares }).unwrap()
}

/// All lines of the first days, asked for in steps.
fn lines(mut company: Company, days: i64, step_us: i64) -> (Vec<String>, Totals) {
    let (mut at_us, to_us) = (company.start_us(), company.start_us() + days * DAY_US);
    let mut lines = Vec::new();
    while at_us < to_us {
        at_us = to_us.min(at_us + step_us);
        lines.extend(company.arrivals(at_us).unwrap());
    }
    let (rest, totals) = company.finish(to_us).unwrap();
    lines.extend(rest);
    assert!(lines.is_sorted_by_key(|(at_us, _)| *at_us), "not in the order of arrival");
    (lines.into_iter().map(|(_, line)| line).collect(), totals)
}

fn year(seed: u64) -> (Vec<String>, Totals) {
    lines(company(seed, 300, Shares::default()), 365, DAY_US)
}

#[test]
fn the_same_seed_is_the_same_company_however_it_is_asked_for() {
    let whole = year(7);
    assert_eq!(lines(company(7, 300, Shares::default()), 365, 10 * DAY_US + 17), whole);
    assert_ne!(year(8).0, whole.0);
}

#[test]
fn a_longer_run_begins_with_the_shorter_one() {
    let shares = Shares { late: 100_000, ..Shares::default() };
    let mut short = company(7, 200, shares);
    let to_us = short.start_us() + 100 * DAY_US;
    let first: Vec<String> = short.arrivals(to_us).unwrap().into_iter().map(|(_, line)| line).collect();
    let whole: Vec<String> = lines(company(7, 200, shares), 160, DAY_US).0;
    assert_eq!(whole[..first.len()], first);
    // What was still on its way is the same, too.
    let rest: BTreeSet<String> = short.finish(to_us).unwrap().0.into_iter().map(|(_, line)| line).collect();
    assert!(!rest.is_empty() && rest.is_subset(&whole.into_iter().collect()));
}

#[test]
fn the_door_accepts_every_line_and_every_type_occurs() {
    let context = Context {
        now_us: i64::MAX / 2,
        until_us: i64::MAX / 2,
        floor_us: 0,
        source: String::new(),
        tenant: String::new(),
        unknown_types: UnknownTypes::default(),
    };
    let shares = Shares { late: 10_000, duplicates: 50_000, repairs: 200_000, shuffle_days: 3 };
    let mut company = company(7, 1_500, shares);
    let to_us = company.start_us() + 365 * DAY_US;
    let arrived = company.arrivals(to_us).unwrap();
    let live = (0..500).filter_map(|throw| company.now(to_us + 7, throw)).collect::<Vec<_>>();
    assert_eq!(live.len(), 500);
    let mut kinds = BTreeMap::<String, usize>::new();
    for line in arrived.into_iter().map(|(_, line)| line).chain(live) {
        match ingest::event::parse(line.as_bytes(), &context) {
            Ok(event) => *kinds.entry(event.r#type).or_default() += 1,
            Err(rejection) => panic!("{rejection}\n{line}"),
        }
    }
    assert_eq!(kinds.len(), 28, "{kinds:#?}");
    assert!(kinds.values().all(|count| *count >= 4), "{kinds:#?}");
}

#[test]
fn noise_changes_the_lines_and_no_total() {
    let still = Shares { late: 0, duplicates: 0, repairs: 0, shuffle_days: 0 };
    let loud = Shares { late: 0, duplicates: 50_000, repairs: 20_000, shuffle_days: 30 };
    let (quiet_lines, quiet) = lines(company(7, 300, still), 365, DAY_US);
    let (loud_lines, noisy) = lines(company(7, 300, loud), 365, DAY_US);
    assert_eq!(quiet, noisy);
    assert!(loud_lines.len() > quiet_lines.len() * 105 / 100);
    assert_ne!(loud_lines[..100], quiet_lines[..100]);
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_books_agree_with_a_count_of_the_lines() {
    let still = Shares { late: 0, duplicates: 0, repairs: 0, shuffle_days: 0 };
    let to_us = company(7, 1, still).start_us() + 500 * DAY_US;
    for seed in [7, 8] {
        let (lines, totals) = lines(company(seed, 400, still), 500, DAY_US);
        assert_eq!(naive::assert_true(&totals, &lines, to_us), 15, "seed {seed}");
        // Nothing is dated before the first day or after the last one.
        let events = parsed(&lines);
        let times: BTreeSet<&str> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
        assert!(*times.first().unwrap() >= "2024-01-01T00:00:00Z" && *times.last().unwrap() < "2025-05-15");
    }
}

#[test]
fn who_is_left_alone_or_cannot_pay_leaves() {
    let (lines, totals) = lines(company(7, 1_500, Shares::default()), 500, DAY_US);
    let mut causes = BTreeMap::<String, usize>::new();
    for event in parsed(&lines).iter().filter(|event| event["data"]["status"] == "canceled") {
        *causes.entry(event["data"]["cause"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for cause in ["service", "payment"] {
        assert!(causes.get(cause).is_some_and(|count| *count >= 10), "{causes:?}");
    }
    assert!(totals.lost.len() > 50, "{} lost", totals.lost.len());
    let reactivated = totals.series("customers", "").last().unwrap().1;
    assert!(reactivated > 300, "{reactivated} customers at the end");
}
