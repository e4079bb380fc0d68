//! Properties that hold whatever happens: of random events of all types.

use crate::explain::explain;
use crate::generate::{self, Config};
use crate::history::{self, Account};
use crate::projection::projection;
use crate::read::{Event, Log};
use crate::row::{Answer, Row};
use crate::{Micros, Settings, Truth, health, merge, movement, read, repair, settings, truth};
use std::collections::{BTreeMap, HashSet};

const DAY: Micros = 86_400_000_000;

/// Every metric of the definitions.
pub(super) const METRICS: &[&str] = &[
    "orders",
    "net_revenue",
    "customers",
    "customers_started",
    "customers_lost",
    "nps",
    "ces",
    "ces_easy_rate",
    "renewal_rate",
    "renewal_rate_dollar",
    "customer_churn_rate",
    "customer_churn_rate_rolling",
    "net_revenue_retention",
    "gross_revenue_retention",
    "revenue_churn_rate",
    "customer_retention_cost",
    "lead_conversion_rate",
    "customer_lifetime_value",
    "account_value",
    "pipeline_value",
    "weighted_pipeline_value",
    "deal_velocity",
    "win_rate",
    "sales_velocity",
    "csat",
    "csat_mean",
    "upsell_rate",
    "cross_sell_rate",
    "response_time",
    "response_time_p50",
    "response_time_p90",
    "response_time_waiting",
    "response_time_oldest_waiting",
    "engagement_rate",
    "first_contact_resolution",
    "lead_response_time",
    "lead_response_time_p50",
    "lead_response_time_p90",
    "lead_sla_rate",
    "lead_qualification_rate",
    "customer_acquisition_cost",
    "customer_acquisition_cost_lag",
    "sales_cycle_length",
    "sales_cycle_length_lost",
    "health_score",
    "health_score_accounts",
    "avg_purchase_value",
    "avg_purchase_value_net",
    "net_new_revenue",
    "net_new_mrr",
    "new_mrr",
    "expansion_mrr",
    "reactivation_mrr",
    "contraction_mrr",
    "churn_mrr",
    "silence",
    "goal_progress",
    "goal_expected",
    "goal_lead",
];

fn made(seed: u64, events: usize, accounts: u64) -> String {
    let mut bytes = Vec::new();
    let config = Config { seed, events, accounts, days: 300, all: true, log: true, ..Config::default() };
    generate::write(&config, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn solve(text: &str, settings: &Settings) -> Truth {
    truth(&read::log(text.as_bytes()).unwrap(), settings).unwrap()
}

fn berlin() -> Settings {
    Settings { zone: settings::zone("Europe/Berlin").unwrap(), ..Settings::default() }
}

fn lines(truth: &Truth) -> Vec<String> {
    // Rows of longer windows and of accounts: days are many, and say the same.
    let rows = truth.rows.iter().filter(|row| row.window.kind.name() != "trailing 30d");
    rows.map(|row| format!("{row:?}")).collect()
}

#[test]
fn every_metric_comes_about() {
    let truth = solve(&made(1, 3_500, 50), &berlin());
    let metrics: HashSet<&str> = truth.rows.iter().filter(|row| !row.answer.is_fill()).map(|row| row.metric).collect();
    for metric in METRICS {
        assert!(metrics.contains(metric), "{metric} has no row that says something");
    }
}

#[test]
fn the_order_of_arrival_changes_nothing() {
    let text = made(2, 1_500, 30);
    let mut known = HashSet::new();
    let (mut events, mut ticks) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if value.get("tick").is_some() {
            ticks.push(line);
        } else if known.insert((value["source"].to_string(), value["id"].to_string())) {
            events.push(line);
        }
    }
    let log = |events: &[&str]| [ticks.clone(), events.to_vec()].concat().join("\n");
    let forth = lines(&solve(&without_partition(&log(&events)), &berlin()));
    events.reverse();
    assert_eq!(forth, lines(&solve(&without_partition(&log(&events)), &berlin())));
    events.sort_unstable();
    assert_eq!(forth, lines(&solve(&without_partition(&log(&events)), &berlin())));
}

/// Without partitions an event is known from when it was recorded on, wherever it stands.
fn without_partition(log: &str) -> String {
    log.replace("\"partition\":0,", "")
}

/// The number that a row of this metric, group, currency and window says; 0 if there is none.
fn said(truth: &Truth, metric: &str, like: &Row) -> i128 {
    let row = truth.rows.iter().find(|row| {
        let same = (row.window, &row.group, &row.currency) == (like.window, &like.group, &like.currency);
        row.metric == metric && same && row.account.is_none()
    });
    match row.map(|row| &row.answer) {
        Some(Answer::Whole(n)) => *n,
        None => 0,
        other => panic!("{metric} is no number: {other:?}"),
    }
}

#[test]
fn customers_and_revenue_balance() {
    let truth = solve(&made(3, 2_000, 30), &berlin());
    let monthly = |metric: &str| {
        let rows = truth.rows.iter().filter(|row| row.metric == metric && row.window.kind.name() == "1mo");
        rows.filter(|row| row.account.is_none() && row.group.is_none()).cloned().collect::<Vec<Row>>()
    };
    let customers = monthly("customers");
    assert!(customers.len() > 8);
    for pair in customers.windows(2) {
        let [start, end] = [&pair[0], &pair[1]].map(|row| said(&truth, "customers", row));
        let (started, lost) = (said(&truth, "customers_started", &pair[1]), said(&truth, "customers_lost", &pair[1]));
        assert_eq!(start + started - lost, end, "{:?}", pair[1].window);
    }
    let net = monthly("net_new_mrr");
    assert!(net.len() > 8);
    for row in net {
        let of = |metric| said(&truth, metric, &row);
        let sum =
            of("new_mrr") + of("expansion_mrr") + of("reactivation_mrr") - of("contraction_mrr") - of("churn_mrr");
        assert_eq!(sum, of("net_new_mrr"), "{:?}", row.window);
    }
}

#[test]
fn parts_add_up_to_the_whole() {
    let truth = solve(&made(4, 2_000, 30), &berlin());
    let metrics =
        ["nps", "ces", "csat", "response_time", "win_rate", "renewal_rate", "lead_sla_rate", "customer_churn_rate"];
    let mut compared = 0;
    for metric in metrics {
        let mut sums: BTreeMap<(crate::calendar::Window, &str), (i128, i128)> = BTreeMap::new();
        for row in truth.rows.iter().filter(|row| row.metric == metric && row.account.is_none()) {
            let by = row.group.as_ref().map_or("", |(by, _)| by.name());
            if let Some((num, den)) = row.answer.fraction() {
                let sum = sums.entry((row.window, by)).or_default();
                *sum = (sum.0 + num, sum.1 + den);
            }
        }
        for ((window, by), sum) in &sums {
            compared += 1;
            let whole = sums.get(&(*window, "")).copied().unwrap_or_default();
            assert_eq!(*sum, whole, "{metric} by {by} {window:?}");
        }
    }
    assert!(compared > 5_000, "only {compared}");
}

/// The accounts of a log as they are known at a clock.
fn with_accounts(log: &Log, settings: &Settings, clock: Micros, each: impl Fn(&Account<'_>)) {
    let merged = merge::merged(log, settings, clock);
    let distinct = repair::distinct(&merged, settings, clock);
    let events = repair::effective(&distinct);
    let accounts = history::accounts(&events, settings, clock);
    accounts.iter().filter(|account| !account.guest).for_each(each);
}

#[test]
fn movements_are_what_lies_between_the_totals() {
    let (log, settings) = (read::log(made(5, 2_000, 30).as_bytes()).unwrap(), berlin());
    with_accounts(&log, &settings, *log.ticks.last().unwrap(), |account| {
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for movement in movement::movements(account) {
            *sums.entry(movement.currency).or_default() += movement.signed();
        }
        let totals = movement::totals(account);
        for (currency, sum) in sums {
            assert_eq!(sum, movement::at(&totals, currency, crate::NOW), "{} {currency}", account.name);
        }
    });
}

#[test]
fn explanations_add_up_and_projections_come_true() {
    let (log, settings) = (read::log(made(6, 2_500, 40).as_bytes()).unwrap(), berlin());
    let clock = *log.ticks.last().unwrap();
    let explained = std::cell::Cell::new(0);
    with_accounts(&log, &settings, clock, |account| {
        let inputs = health::Inputs::of(account, &settings.zone);
        let tenths = |at| {
            let state = health::Bound::Before(history::due(at));
            inputs.score(state, crate::local::day(at - 1, &settings.zone)).map_or(0, |score| score.tenths)
        };
        for back in [1, 17, 90, 200] {
            let (from, to) = (clock - back * DAY, clock - back * DAY / 3);
            let parts = explain(account, Some(account), (from, to), &settings);
            assert_eq!(parts.values().sum::<i128>(), tenths(to) - tenths(from), "{} {back}", account.name);
            explained.set(explained.get() + 1);
        }
        projections(account, &settings, clock);
    });
    assert!(explained.get() > 100);
}

/// What was projected from the middle on is what came about, up to the next event.
fn projections(account: &Account<'_>, settings: &Settings, clock: Micros) {
    let middle = clock - 100 * DAY;
    let known: Vec<&Event> = account.events.iter().copied().filter(|event| event.time <= middle).collect();
    let Some(first) = known.first() else { return };
    let next = account.events.iter().map(|event| event.time).find(|at| *at > middle).unwrap_or(clock);
    let until = next.min(middle + 89 * DAY).min(clock);
    let coming: Vec<(Micros, Option<i128>)> =
        projection(account.name, &known, settings, middle).iter().map(|change| (change.at, change.tenths)).collect();
    let happened = history::account(account.name, false, known.clone(), settings, until);
    let midnights = health::midnights(first.time, until, settings);
    let changes = health::Inputs::of(&happened, &settings.zone).changes(&midnights);
    let came: Vec<(Micros, Option<i128>)> =
        changes.iter().map(|change| (change.at, change.score.as_ref().map(|score| score.tenths))).collect();
    let within = |changes: Vec<(Micros, Option<i128>)>| {
        changes.into_iter().filter(|(at, _)| middle < *at && *at < until).collect::<Vec<_>>()
    };
    assert_eq!(within(coming), within(came), "{}", account.name);
}

#[test]
fn a_reporting_currency_has_no_other() {
    let settings = Settings { reporting_currency: Some("EUR".to_owned()), ..berlin() };
    let truth = solve(&made(7, 1_500, 30), &settings);
    // What lacks a rate is counted by its own currency, and accounts show theirs.
    let converted = truth.rows.iter().filter(|row| row.metric != "amounts_without_rate" && row.account.is_none());
    let known: HashSet<&str> = converted.filter_map(|row| row.currency.as_deref()).collect();
    assert_eq!(known, HashSet::from(["EUR"]));
}
