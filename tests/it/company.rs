//! A simulated company through the whole program: the totals that the simulator knows by construction are the rows that
//! the engine publishes, whatever arrived late, twice, wrong at first or by mistake.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
};

use processor_core::catalog::BUILT_IN;
use serde_json::Value;

use crate::{data::Data, oracle};

/// A column of an answer.
#[derive(Debug, Clone, Copy)]
enum Column {
    Value,
    Num,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Column::Value => "value",
            Column::Num => "num",
        }
    }
}

/// Month and currency.
type Cell = (String, String);
/// A figure of the simulator, from its totals; by month and group.
type Figures = BTreeMap<String, BTreeMap<String, BTreeMap<String, i64>>>;

/// A metric and its column by month, the figure that it must be, and how much each group of the figure counts; no groups
/// where they are currencies.
type Check = (&'static str, Column, &'static str, &'static [(&'static str, i64)]);

/// What is compared, a line each.
const CHECKS: [Check; 8] = [
    ("orders", Column::Value, "orders", &[("", 1)]),
    ("avg_purchase_value", Column::Num, "order_revenue", &[]),
    ("avg_purchase_value_net", Column::Num, "order_revenue_net", &[]),
    ("whole_revenue", Column::Value, "net_revenue", &[]),
    ("mrr_moved", Column::Value, "net_new_mrr", &[]),
    ("recommending", Column::Value, "nps_answers", &[("promoters", 1), ("detractors", -1)]),
    ("recommendations", Column::Value, "nps_answers", &[("promoters", 1), ("passives", 1), ("detractors", 1)]),
    ("leads_created", Column::Value, "leads_created", &[("", 1)]),
];

/// Metrics beside the built-in ones: totals as the simulator keeps them, of facts that the engine knows.
const MORE: &str = r#"
  - name: whole_revenue
    title: Revenue of orders and invoices
    description: Orders and invoices less what is paid back.
    unit: money
    windows: [1mo]
    measures:
      sold: {sum: order, of: net}
      invoiced: {sum: invoice_paid, of: amount}
      refunded: {sum: refund, of: amount}
      credited: {sum: credit, of: amount}
    value: sold + invoiced - refunded - credited

  - name: mrr_moved
    title: Net new MRR
    description: What accounts pay a month, at the end of the month less at its start.
    unit: money
    windows: [1mo]
    measures:
      gained: {sum: mrr_moved, of: amount, where: 'kind in ["new", "expansion", "reactivation"]'}
      lost: {sum: mrr_moved, of: amount, where: 'kind in ["contraction", "churn"]'}
    value: gained - lost

  - name: recommending
    title: Promoters less detractors
    description: Answers of 9 and 10 less answers up to 6.
    unit: count
    windows: [1mo]
    measures:
      promoters: {count: survey.answered, where: 'data.kind == "nps" && data.score >= 9'}
      detractors: {count: survey.answered, where: 'data.kind == "nps" && data.score <= 6'}
    value: promoters - detractors

  - name: recommendations
    title: Answers to NPS surveys
    description: The latest of each respondent and survey.
    unit: count
    windows: [1mo]
    measures:
      answers: {count: survey.answered, where: 'data.kind == "nps"'}
    value: answers

  - name: leads_created
    title: Leads created
    description: Leads created.
    unit: count
    windows: [1mo]
    measures: {created: {count: lead.created}}
    value: created
"#;

/// The company of these tests: 150 accounts for a year, with two currencies.
const COMPANY: [&str; 7] = ["simulate", "--accounts", "150", "--from", "2024-01-01", "--to", "2025-01-01"];

/// Simulates and imports it with more flags; the totals as they were written.
fn company(flags: &[&str]) -> (Data, Value) {
    let data = Data::new();
    let catalog = data.file("catalog.yaml", format!("{BUILT_IN}{MORE}"));
    let data = data.config(&format!("[settings]\ncatalog = {catalog:?}\n"));
    let totals = data.file("totals.json", "");
    let mut arguments = COMPANY.to_vec();
    arguments.extend(flags);
    arguments.extend(["--totals", totals.to_str().unwrap()]);
    let events = data.file("events.ndjson", data.run(arguments).done().out);
    let run = data.import(&events, &["--order", "file", "--until", "2024-12-31T23:59:59Z"]).done();
    run.says(&[" accepted, 0 rejected", " 0 conflict, 0 quarantined, 0 waiting, "]);
    (data, serde_json::from_slice(&std::fs::read(totals).unwrap()).unwrap())
}

/// What the simulator knows.
fn known(figures: &Figures, figure: &str, weights: &[(&str, i64)]) -> BTreeMap<Cell, i64> {
    let mut known = BTreeMap::new();
    for (month, groups) in &figures[figure] {
        for (group, amount) in groups {
            let weight = weights.iter().find(|(name, _)| name == group).map_or(0, |(_, weight)| *weight);
            let (currency, weight) = if weights.is_empty() { (group.as_str(), 1) } else { ("", weight) };
            *known.entry((month.clone(), currency.to_owned())).or_default() += amount * weight;
        }
    }
    known.retain(|_, amount| *amount != 0);
    known
}

/// What the program answers; nothing is 0.
fn answered(data: &Data, metric: &str, column: Column) -> BTreeMap<Cell, i64> {
    let rows = data.run(["query", metric, "--window", "1mo", "--format", "json"]).done().out;
    let mut found = BTreeMap::new();
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let month = row["window"]["start"].as_str().unwrap()[..7].to_owned();
        let currency = row["currency"].as_str().unwrap_or_default().to_owned();
        let amount = &row[column.name()];
        let whole = |amount: f64| format!("{amount:.0}").parse().ok();
        let amount: i64 = amount.as_i64().or_else(|| amount.as_f64().and_then(whole)).unwrap_or_default();
        if amount != 0 {
            found.insert((month, currency), amount);
        }
    }
    found
}

fn agrees(flags: &[&str]) -> Value {
    let (data, totals) = company(flags);
    let figures: Figures = serde_json::from_value(totals["figures"].clone()).unwrap();
    for (metric, column, figure, weights) in CHECKS {
        let known = known(&figures, figure, weights);
        assert!(known.len() >= 12, "{figure}: {known:?}");
        assert_eq!(answered(&data, metric, column), known, "{metric}, {column:?}, and {figure}");
    }
    totals
}

#[test]
fn the_rows_are_what_the_simulator_knows() {
    let totals = agrees(&[]);
    assert_eq!(agrees(&["--shuffle-days", "30", "--duplicates", "5%", "--repairs", "2%"]), totals);
}

#[test]
fn the_same_flags_give_the_same_bytes_on_either_output() {
    let data = Data::new();
    let printed = data.run(COMPANY).done().out;
    let file = data.file("out.ndjson", "");
    data.run(COMPANY.into_iter().chain(["--out", file.to_str().unwrap()])).done();
    assert!(printed.lines().count() > 3_000);
    assert_eq!(std::fs::read_to_string(file).unwrap(), printed);
    let other = data.run(COMPANY.into_iter().chain(["--seed", "8"])).done().out;
    assert_ne!(other, printed);
}

#[test]
fn nonsense_is_refused_with_the_cure() {
    let data = Data::new();
    let with = |flags: &[&'static str]| data.run(COMPANY.into_iter().chain(flags.iter().copied()));
    let backwards = ["simulate", "--from", "2025-01-01", "--to", "2025-01-01"];
    data.run(backwards).fails(2, &["--to: is 2025-01-01, expected a day after --from (2025-01-01)"]);
    with(&["--duplicates", "5"]).fails(2, &["expected a percentage from 0% to 50%, like 2% or 0.5%"]);
    with(&["--shuffle-days", "400"]).fails(2, &["400 is not in 0..=366"]);
    with(&["--out", "/nowhere/events.ndjson"]).fails(2, &["/nowhere/events.ndjson: cannot be written"]);
    with(&["--out", "x", "--totals", "x"]).fails(2, &["--totals: is the file of --out, expected another one"]);
    data.run(["simulate", "--from", "yesterday", "--to", "2025-01-01"]).fails(2, &["expected a date like 2025-01-31"]);
}

/// Two years of a company against the oracle: every metric, window and dimension. Large ones by `make company`.
#[track_caller]
fn every_value_is_the_oracles(zone: &str, partitions: u32, parts: usize, arrival: &[&str]) {
    let accounts = std::env::var("VITALS_COMPANY_ACCOUNTS").unwrap_or_else(|_| "40".to_owned());
    let data = Data::new().config(&format!("[settings]\ntime_zone = {zone:?}\n[log]\npartitions = {partitions}\n"));
    let mut arguments = vec!["simulate", "--accounts", &accounts, "--from", "2023-01-01", "--to", "2025-01-01"];
    arguments.extend(arrival);
    let file = data.file("events.ndjson", "");
    arguments.extend(["--out", file.to_str().unwrap()]);
    data.run(arguments).done();
    let lines = || BufReader::new(File::open(&file).unwrap()).lines().map(Result::unwrap);
    let events = lines().count();
    let mut lines = lines().peekable();
    while lines.peek().is_some() {
        let part = data.file("part.ndjson", "");
        let mut out = BufWriter::new(File::create(&part).unwrap());
        lines.by_ref().take(events.div_ceil(parts)).for_each(|line| writeln!(out, "{line}").unwrap());
        drop(out);
        data.import(&part, &["--order", "file"]).done();
    }

    let settings =
        ::oracle::Settings { zone: ::oracle::settings::zone(zone).unwrap(), ..::oracle::Settings::default() };
    let context = format!("{accounts} accounts, {events} events, {zone}, {partitions} partitions {arrival:?}");
    let equal = oracle::assert_true_with(&data, &settings, &context);
    println!("{context}: {equal} values equal");
}

const REPAIRED: [&str; 6] = ["--shuffle-days", "30", "--duplicates", "5%", "--repairs", "2%"];

#[test]
fn every_value_of_a_repaired_company_is_the_oracles() {
    every_value_is_the_oracles("Europe/Berlin", 4, 3, &REPAIRED);
}

#[test]
#[ignore = "as the one above, in order and in one partition: `make company`"]
fn every_value_of_a_company_is_the_oracles() {
    every_value_is_the_oracles("America/New_York", 1, 1, &[]);
}

#[test]
#[ignore = "as the one above, in sixteen partitions and a zone that moves its clocks by half an hour: `make company`"]
fn every_value_of_a_shuffled_company_is_the_oracles() {
    every_value_is_the_oracles("Australia/Lord_Howe", 16, 5, &["--shuffle-days", "30"]);
}
