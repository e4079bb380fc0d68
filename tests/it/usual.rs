//! The usual range of a value: `vitals query --usual` against the oracle, and as people and programs read it.

use std::collections::BTreeMap;

use ::oracle::{
    Settings, Truth,
    calendar::Kind,
    row::{By, stamp},
    usual::{self, Usual},
};
use serde_json::Value;

use crate::{data::Data, generated, oracle};

/// Dimensions and currency; each with its rows in order.
type Courses = BTreeMap<(String, Option<String>), Vec<Value>>;

fn asked(data: &Data, arguments: &[&str]) -> Vec<Value> {
    let run = data.run([&["query"], arguments, &["--usual", "--format", "json"]].concat()).done();
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn courses(rows: Vec<Value>) -> Courses {
    let mut courses = Courses::new();
    for row in rows {
        let value = row["dimensions"].as_object().unwrap().values().next().map_or("", |value| value.as_str().unwrap());
        let key = (value.to_owned(), row["currency"].as_str().map(str::to_owned));
        courses.entry(key).or_default().push(row);
    }
    courses
}

fn near(found: &Value, expected: f64, scale: f64) -> bool {
    (found.as_f64().unwrap() - expected).abs() <= 1e-9 * scale.max(1e-9)
}

/// Fails unless a row says what the oracle says; returns the verdict.
#[track_caller]
fn check(row: &Value, metric: &str, value: Option<f64>, expected: Option<Usual>) -> Option<&'static str> {
    let found = &row["usual"];
    let Some(expected) = expected else {
        assert!(found.is_null(), "no range: {row}");
        return None;
    };
    let (centre, half) = (expected.centre, expected.half);
    let scale = centre.abs() + half;
    let bounds = [("low", centre - half), ("centre", centre), ("high", centre + half)];
    assert!(bounds.iter().all(|(name, bound)| near(&found[name], *bound, scale)), "{expected:?}: {row}");
    let word = value.map(|value| expected.word(value, metric));
    assert_eq!(found["verdict"].as_str(), word, "{expected:?}: {row}");
    word
}

const WINDOWS: [(&str, Kind); 4] =
    [("1d", Kind::Day), ("1w", Kind::Week), ("1mo", Kind::Month), ("trailing 30d", Kind::Trailing30)];

/// Every window of a metric, with and without a dimension; counts the verdicts.
fn compare(
    data: &Data,
    truth: &Truth,
    settings: &Settings,
    (metric, by): (&str, By),
    words: &mut BTreeMap<&str, usize>,
) {
    for (window, kind) in WINDOWS {
        let by_name = by.name();
        let arguments = [metric, "--window", window, "--by", by_name];
        let arguments = &arguments[..if by == By::Nothing { 3 } else { 5 }];
        for ((value, currency), rows) in courses(asked(data, arguments)) {
            let series = (metric, (by, value.as_str()), currency.as_deref());
            let Some(course) = usual::course(truth, series, kind, settings) else { continue };
            assert_eq!(rows.len(), course.len(), "{metric} {window} {value:?}");
            for (row, (of, value, expected)) in rows.iter().zip(&course) {
                assert_eq!(row["window"]["end"].as_str(), Some(stamp(of.end).unwrap().as_str()));
                let word = check(row, metric, *value, *expected);
                *words.entry(word.unwrap_or("none")).or_default() += 1;
                *words.entry("open").or_default() += usize::from(word.is_some() && row["final"] == false);
            }
        }
    }
}

#[test]
fn usual_ranges_of_generated_events_are_the_oracles() {
    let data = Data::new().config("[settings]\ntime_zone = \"Europe/Berlin\"\n");
    let file = data.file("events.ndjson", generated::events(12, 5_000, 80, 450));
    data.import(&file, &["--order", "file"]).done();
    let settings = Settings { zone: ::oracle::settings::zone("Europe/Berlin").unwrap(), ..Settings::default() };
    let truth = oracle::expected(&data, &settings);
    let mut words = BTreeMap::new();
    for asked in [
        ("events", By::Nothing),
        ("orders", By::Nothing),
        ("orders", By::Channel),
        ("net_revenue", By::Nothing),
        ("net_revenue", By::Plan),
        ("customers", By::Nothing),
        ("customers", By::Segment),
        ("customer_churn_rate", By::Nothing),
        ("avg_purchase_value", By::Product),
        ("engagement_rate", By::Region),
        ("response_time", By::Nothing),
        ("renewal_rate", By::Nothing),
        ("pipeline_value", By::Stage),
    ] {
        compare(&data, &truth, &settings, asked, &mut words);
    }
    eprintln!("{words:?}");
    for (word, least) in
        [("usual", 10_000), ("better", 300), ("worse", 300), ("higher", 1), ("none", 1_000), ("open", 20)]
    {
        assert!(words.get(word).is_some_and(|count| *count >= least), "{word}: {words:?}");
    }
}

/// A shop with so many orders a day from 2024-01-01 on, imported until a time.
fn shop(orders: &[usize], until: &str) -> Data {
    let data = Data::new();
    let mut lines = String::new();
    for (day, count) in orders.iter().enumerate() {
        for nth in 0..*count {
            let time = format!("2024-01-{:02}T{nth:02}:00:00Z", day + 1);
            lines += &format!(
                "{{\"id\":\"{day}-{nth}\",\"source\":\"s\",\"type\":\"order.completed\",\"time\":\"{time}\",\"account\":\"a\",\
                 \"data\":{{\"order\":\"{day}-{nth}\",\"gross\":1050,\"currency\":\"EUR\",\"channel\":\"web\"}}}}\n"
            );
        }
    }
    let file = data.file("events.ndjson", lines);
    data.import(&file, &["--until", until]).done();
    data
}

/// Eight days of 2 and 4 orders by turns: 3, give or take 2.66 x 2.
const BY_TURNS: [usize; 11] = [2, 4, 2, 4, 2, 4, 2, 4, 9, 0, 3];

#[test]
fn people_read_centre_bounds_and_verdict_in_a_narrow_table() {
    let data = shop(&BY_TURNS, "2024-01-11T12:00:00Z");
    let table = data.run(["query", "orders", "--window", "1d", "--usual"]).done().out;
    expect_test::expect![[r#"
         Orders, by day (UTC)
        ───────────────────────────────────────────────────────
         day, 2024   orders     low   centre    high   verdict
        ───────────────────────────────────────────────────────
         1 Jan            2
         2 Jan            4
         3 Jan            2
         4 Jan            4
         5 Jan            2
         6 Jan            4
         7 Jan            2
         8 Jan            4
         9 Jan            9   -2.32     3.00    8.32   better
         10 Jan           0   -2.65     3.67    9.98   usual
         11 Jan *         3   -4.98     3.30   11.58   usual
        ───────────────────────────────────────────────────────
         * still open
         low to high is usual: mean of up to 24 final windows before, +- 2.66 times their mean change
         an open window is compared as far as it has come
         no range: fewer than 8 values before
    "#]]
    .assert_eq(&table);
    assert!(table.lines().all(|line| line.chars().count() <= 110), "{table}");
    let money =
        data.run(["query", "net_revenue", "--window", "1d", "--usual", "--by", "channel", "--limit", "9"]).done();
    expect_test::expect![[r#"
         Net revenue in EUR, by day and channel (UTC)
        ───────────────────────────────────────────────────────────────────────
         channel   day, 2024   net revenue      low   centre    high   verdict
        ───────────────────────────────────────────────────────────────────────
         web       1 Jan             21.00
         web       2 Jan             42.00
         web       3 Jan             21.00
         web       4 Jan             42.00
         web       5 Jan             21.00
         web       6 Jan             42.00
         web       7 Jan             21.00
         web       8 Jan             42.00
         web       9 Jan             94.50   -24.36    31.50   87.36   better
        ───────────────────────────────────────────────────────────────────────
         low to high is usual: mean of up to 24 final windows before, +- 2.66 times their mean change
         no range: fewer than 8 values before
         9 of 11 rows
    "#]]
    .assert_eq(&money.out);
}

#[test]
fn programs_read_the_range_in_the_unit_of_the_value() {
    let data = shop(&BY_TURNS, "2024-01-11T12:00:00Z");
    let of_day = |day: &str, format: &str| {
        let flags = ["--window", "1d", "--usual", "--from", day, "--limit", "1", "--format", format];
        data.run([&["query", "net_revenue"][..], &flags].concat()).done().out
    };
    // Eight days before: 3 x 10.50, give or take 2.66 x 2 x 10.50.
    let json: Value = serde_json::from_str(&of_day("2024-01-09", "json")).unwrap();
    let range = serde_json::json!({"low": -2436.0, "centre": 3150.0, "high": 8736.0, "verdict": "better"});
    assert_eq!((&json["value"], &json["usual"]), (&serde_json::json!(9450.0), &range));
    let csv = of_day("2024-01-09", "csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",reason,usual_low,usual_centre,usual_high,usual_verdict"), "{csv}");
    assert!(lines[1].contains(",94.50,") && lines[1].ends_with(",-24.36,31.50,87.36,better"), "{csv}");

    let json: Value = serde_json::from_str(&of_day("2024-01-08", "json")).unwrap();
    assert!(json["usual"].is_null() && json.as_object().unwrap().contains_key("usual"), "seven days before: {json}");
    assert!(of_day("2024-01-08", "csv").ends_with(",,,,\r\n"));
    let plain = data.run(["query", "net_revenue", "--format", "json", "--limit", "1"]).done().out;
    assert!(!plain.contains("usual"), "only where it is asked for: {plain}");
}

#[test]
fn windows_before_the_first_shown_count_and_open_ones_are_compared() {
    let data = shop(&BY_TURNS, "2024-01-11T12:00:00Z");
    let all = asked(&data, &["orders", "--window", "1d"]);
    let some = asked(&data, &["orders", "--window", "1d", "--from", "2024-01-10", "--limit", "1"]);
    assert_eq!(some, all[9..10]);
    let sorted = asked(&data, &["orders", "--window", "1d", "--sort", "value", "--limit", "1"]);
    assert_eq!(sorted, all[8..9]);
    let open = all.last().unwrap();
    assert_eq!((open["final"].as_bool(), open["usual"]["verdict"].as_str()), (Some(false), Some("usual")));

    data.run(["query", "orders", "--usual", "--chart"]).fails(2, &["--usual", "--chart"]);
}
