//! Windows in the tenant's calendar: the same for the engine, for readers and for the oracle.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use processor_core::calendar::{Calendar, Kind, Time};
use serde_json::Value;
use store::window;

use crate::{
    answers::answers,
    data::Data,
    generated,
    oracle::{assert_equal, expected, measured, with_windows},
    partitions::one_content,
};

/// Zones whose clocks do unusual things, each with an instant shortly before one of them.
const ZONES: [(&str, &str); 11] = [
    ("UTC", "2026-02-25T11:17:00Z"),
    ("Europe/Berlin", "2018-10-20T11:17:00Z"),
    ("Asia/Kolkata", "2018-10-20T11:17:00Z"),
    // Half an hour of daylight saving.
    ("Australia/Lord_Howe", "2018-10-01T11:17:00Z"),
    // Daylight saving begins at midnight, which is no time of that day.
    ("America/Sao_Paulo", "2018-10-30T11:17:00Z"),
    ("Asia/Beirut", "2022-03-20T11:17:00Z"),
    ("Africa/Cairo", "2023-04-20T11:17:00Z"),
    // Clocks that go back over midnight.
    ("America/St_Johns", "2010-10-30T11:17:00Z"),
    // A day that never was, and one that was twice.
    ("Pacific/Apia", "2011-12-20T11:17:00Z"),
    ("Pacific/Kwajalein", "1993-08-10T11:17:00Z"),
    ("Pacific/Kwajalein", "1969-09-20T11:17:00Z"),
];

const KINDS: [&str; 7] = ["1h", "1d", "1w", "1mo", "1q", "1y", "trailing 30d"];

fn instant(text: &str) -> Time {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// Bounds of the windows that the engine cuts from the one that holds `from` on.
fn of_engine(calendar: &mut Calendar, kind: &str, from: Time, count: usize) -> Vec<(Time, Time)> {
    let kind: Kind = kind.parse().unwrap();
    let mut window = calendar.window(kind, from);
    let mut found = Vec::new();
    for _ in 0..count {
        found.push((window.start, window.end));
        window = calendar.next(&window);
    }
    found
}

#[test]
fn readers_fill_in_exactly_the_windows_of_the_engine() {
    for (zone, from) in ZONES {
        for (week_start, fiscal_year_start) in [(Weekday::Monday, 1), (Weekday::Sunday, 4), (Weekday::Saturday, 12)] {
            let settings = store::Settings {
                time_zone: zone.to_owned(),
                week_start,
                fiscal_year_start,
                ..store::Settings::default()
            };
            let readers = window::Calendar::of(&settings).unwrap();
            let mut engine = Calendar::new(TimeZone::get(zone).unwrap(), week_start, fiscal_year_start);
            for kind in KINDS {
                let expected = of_engine(&mut engine, kind, instant(from), 300);
                let clock = expected.last().unwrap().1 - 1;
                let windows = readers.windows(kind.parse().unwrap(), instant(from), clock).unwrap();
                let found: Vec<_> = windows.iter().map(|w| (w.start_us.unwrap(), w.end_us.unwrap())).collect();
                let different = found.iter().zip(&expected).find(|(found, expected)| found != expected);
                assert_eq!(different, None, "{zone} {kind} {week_start:?} {fiscal_year_start}: (readers, engine)");
                assert_eq!(found.len(), expected.len(), "{zone} {kind}");
            }
        }
    }
}

/// An order of an account of its own at each of these times.
fn orders(times: impl IntoIterator<Item = Timestamp>) -> String {
    let mut lines = String::new();
    for (number, time) in times.into_iter().enumerate() {
        let _ = writeln!(
            lines,
            r#"{{"specversion":"1.0","id":"e{number}","source":"s","type":"order.completed","time":"{time}","account":"a{number}","data":{{"order":"e{number}","gross":100,"currency":"USD","channel":"web"}}}}"#
        );
    }
    lines
}

fn at(times: &[&str]) -> impl Iterator<Item = Timestamp> {
    times.iter().map(|time| time.parse().unwrap())
}

/// Start, value and reason of each row of an answer.
fn rows(data: &Data, metric: &str, window: &str, from: &str, to: &str) -> Vec<(String, Option<f64>, Option<String>)> {
    let arguments = ["query", metric, "--window", window, "--from", from, "--to", to, "--format", "json"];
    let out = data.run(arguments).done().out;
    let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rows.map(|row| (text(&row["window"]["start"]).unwrap(), row["value"].as_f64(), text(&row["reason"]))).collect()
}

#[track_caller]
fn assert_rows(data: &Data, metric: &str, window: &str, (from, to): (&str, &str), expected: &[(&str, f64)]) {
    let expected: Vec<_> = expected.iter().map(|(start, value)| ((*start).to_owned(), Some(*value), None)).collect();
    assert_eq!(rows(data, metric, window, from, to), expected, "{metric} {window}");
}

#[test]
fn a_day_that_the_zone_skipped_has_no_row() {
    let data = Data::new().config("[settings]\ntime_zone = \"Pacific/Apia\"\n");
    let times = ["2011-12-29T10:30:00Z", "2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z", "2011-12-31T09:59:59Z"];
    let file = data.file("events.ndjson", orders(at(&times)));
    data.import(&file, &["--until", "2012-02-01"]).done();
    let december = ("2011-12-28", "2012-01-02");
    let days = [("2011-12-28T10:00:00Z", 0.0), ("2011-12-29T10:00:00Z", 2.0), ("2011-12-30T10:00:00Z", 2.0)];
    let later = [("2011-12-31T10:00:00Z", 0.0)];
    // The tenant's first event is of the 29th.
    assert_rows(&data, "orders", "1d", december, &[&days[1..], &later].concat());
    let levels = [("2011-12-29T10:00:00Z", 2.0), ("2011-12-30T10:00:00Z", 4.0), ("2011-12-31T10:00:00Z", 4.0)];
    assert_rows(&data, "customers", "1d", december, &levels);
    assert_rows(&data, "orders", "1w", ("2011-12-20", "2012-01-02"), &[("2011-12-26T10:00:00Z", 4.0)]);
}

#[test]
fn every_metric_is_right_in_zones_that_skip_or_repeat_days_and_change_clocks_at_midnight() {
    for (zone, from) in ZONES.iter().filter(|(zone, _)| !["UTC", "Europe/Berlin"].contains(zone)) {
        let windows = "[1d, 1w, 1mo, trailing 30d]";
        let data = with_windows(windows, &format!("time_zone = \"{zone}\"\nhistory_floor = \"1960-01-01\"\n"));
        let first: Timestamp = from.parse().unwrap();
        let times = (0..100).map(|number| first + jiff::SignedDuration::from_mins(7 * 60 * number + 11 * (number % 5)));
        let file = data.file("events.ndjson", orders(times));
        let until = (first + jiff::SignedDuration::from_hours(24 * 60)).to_string();
        data.import(&file, &["--until", &until]).done();
        let settings = oracle::Settings { zone: TimeZone::get(zone).unwrap(), ..oracle::Settings::default() };
        let mut truth = expected(&data, &settings);
        measured(&mut truth, windows);
        let equal = assert_equal(&data, &truth, zone);
        assert!(equal > 1_000, "only {equal} rows were compared");
    }
}

#[test]
fn weeks_and_years_begin_where_the_settings_say() {
    let times = [
        "2018-12-30T23:59:59Z",
        "2018-12-31T00:00:00Z",
        "2019-01-06T23:59:59Z",
        "2019-01-07T00:00:00Z",
        "2020-12-31T12:00:00Z",
        "2021-01-01T12:00:00Z",
    ];
    let data = Data::new();
    let file = data.file("events.ndjson", orders(at(&times)));
    data.import(&file, &["--until", "2021-02-01"]).done();
    let new_year = ("2018-12-20", "2019-01-10");
    let weeks = [("2018-12-24T00:00:00Z", 1.0), ("2018-12-31T00:00:00Z", 2.0), ("2019-01-07T00:00:00Z", 1.0)];
    assert_rows(&data, "orders", "1w", new_year, &weeks);

    // The same log under other settings: everything is computed again.
    let data = data.config("[settings]\nweek_start = \"sunday\"\nfiscal_year_start = 4\n");
    data.run(["rebuild"]).done();
    let weeks = [("2018-12-30T00:00:00Z", 2.0), ("2019-01-06T00:00:00Z", 2.0)];
    assert_rows(&data, "orders", "1w", new_year, &weeks);
    let all = ("2018-01-01", "2021-02-01");
    let years = [("2018-04-01T00:00:00Z", 4.0), ("2019-04-01T00:00:00Z", 0.0), ("2020-04-01T00:00:00Z", 2.0)];
    assert_rows(&data, "orders", "1y", all, &years);
    let quarters = rows(&data, "orders", "1q", "2018-01-01", "2019-02-01");
    assert_eq!(quarters[0].0, "2018-10-01T00:00:00Z");
    let settings =
        oracle::Settings { week_start: Weekday::Sunday, fiscal_year_start: 4, ..oracle::Settings::default() };
    assert_equal(&data, &expected(&data, &settings), "weeks from Sunday, years from April");
}

#[test]
fn generated_events_in_fiscal_years() {
    let data = Data::new().config("[settings]\nweek_start = \"wednesday\"\nfiscal_year_start = 11\n");
    let file = data.file("events.ndjson", generated::events(11, 1_500, 40, 400));
    data.import(&file, &["--order", "file"]).done();
    let settings =
        oracle::Settings { week_start: Weekday::Wednesday, fiscal_year_start: 11, ..oracle::Settings::default() };
    let equal = assert_equal(&data, &expected(&data, &settings), "years from November");
    assert!(equal > 10_000, "only {equal} rows were compared");
}

/// Value, num, den and reason of every answer to every question; a fill and a row without anything are one. So are
/// lifetime values of a group before its first revenue: there are rows (0, or no churn) where that was cancelled later.
fn all_answers(data: &Data) -> BTreeMap<String, [Value; 4]> {
    let rows = answers(data);
    let mut found = BTreeMap::new();
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let key = ["metric", "window", "dimensions", "account", "currency"].map(|name| row[name].to_string()).join(" ");
        let mut answer = ["value", "num", "den", "reason"].map(|name| row[name].clone());
        if row["metric"] == "customer_lifetime_value" && answer[0].as_f64().is_none_or(|value| value == 0.0) {
            answer = [const { Value::Null }; 4];
        }
        if answer[0].is_null() {
            answer[1..3].iter_mut().filter(|number| **number == 0).for_each(|number| *number = Value::Null);
        }
        assert!(found.insert(key, answer).is_none(), "asked once, answered twice: {row}");
    }
    found
}

/// Imports the two parts in the one order and in the other; every answer is the same.
#[track_caller]
fn assert_any_order(windows: &str, old: &str, new: &str, until: &str) {
    let imported = |parts: [&str; 2]| {
        let data = with_windows(windows, "");
        for (number, part) in parts.iter().enumerate() {
            let file = data.file(&format!("part-{number}.ndjson"), part);
            data.import(&file, &["--until", until]).done();
        }
        data
    };
    let (first, live) = (imported([old, new]), imported([new, old]));
    let (expected, found) = (all_answers(&first), all_answers(&live));
    // Of what was cancelled later a row without anything may be left where it had been published.
    let nothing = |answer: &[Value; 4]| answer[..3].iter().all(|cell| cell.as_f64().is_none_or(|value| value == 0.0));
    let same = |key: &&String| match (expected.get(*key), found.get(*key)) {
        (Some(expected), Some(found)) => expected == found,
        (one, other) => one.or(other).is_some_and(nothing),
    };
    let different = expected.keys().chain(found.keys()).find(|key| !same(key));
    let shown = different.map(|key| (key, expected.get(key), found.get(key)));
    assert_eq!(shown, None, "(imported first, imported into the live log)");
    assert!(expected.values().filter(|answer| !nothing(answer)).count() > 100, "nothing was compared");
    let mut truth = crate::oracle::expected(&live, &oracle::Settings::default());
    measured(&mut truth, windows);
    assert_equal(&live, &truth, "history after the clock");
}

#[test]
fn history_imported_into_a_live_log_gives_the_rows_of_history_imported_first() {
    let old = orders(at(&["2018-01-15T10:00:00Z", "2019-02-15T10:00:00Z", "2018-03-15T10:00:00Z"]));
    let new = orders(at(&["2026-11-01T10:00:00Z"])).replace("e0", "n1").replace("a0", "z");
    assert_any_order("[1d, 1w, 1mo, 1q, 1y, trailing 30d]", &old, &new, "2026-11-20");
}

#[test]
fn generated_history_imported_into_a_live_log_gives_the_same_rows() {
    let all = String::from_utf8(one_content(&generated::events(12, 600, 25, 400))).unwrap();
    let year = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["time"].as_str().unwrap() < "2024-10-01";
    let (old, new): (Vec<&str>, Vec<&str>) = all.lines().partition(year);
    // What happened five years before.
    let old =
        old.join("\n").replace(r#""time":"2024-"#, r#""time":"2019-"#).replace(r#""time":"2025-"#, r#""time":"2020-"#);
    assert_any_order("[1d, 1w, trailing 30d]", &old, &new.join("\n"), "2025-03-01");
}

#[test]
fn an_hour_past_its_keep_is_unknown_and_never_zero() {
    let catalog = "
meaningful: [order]
metrics:
  - {name: orders, title: O, description: D, unit: count, windows: [1h, 1d], measures: {n: {count: order}}, value: n}
  - {name: customers, title: C, description: D, unit: count, windows: [1h, 1d], every_window: true, measures: {c: {level: customer}}, value: c}
";
    let data = Data::new();
    let catalog = data.file("catalog.yaml", catalog);
    let data = data.config(&format!("[settings]\nkeep = \"10d\"\ncatalog = \"{}\"\n", catalog.display()));
    let new = data.file("new.ndjson", orders(at(&["2026-11-01T10:00:00Z"])));
    data.import(&new, &["--until", "2026-11-20"]).done();
    let old = orders(at(&["2026-10-01T10:30:00Z", "2026-10-31T10:30:00Z"])).replace("\"e", "\"o").replace("\"a", "\"b");
    let old = data.file("old.ndjson", old.replace("\"bccount\"", "\"account\""));
    let said = data.import(&old, &[]).done();
    said.says(&["past their keep", "import history first"]);
    // The first tick is of 2026-11-01: ten days before that everything is unknown.
    let unknown = Some("past keep".to_owned());
    for metric in ["orders", "customers"] {
        let found = rows(&data, metric, "1h", "2026-10-01T09:00:00Z", "2026-10-01T12:00:00Z");
        assert!(!found.is_empty() && found.iter().all(|row| row.1.is_none() && row.2 == unknown), "{metric} {found:?}");
    }
    // Frozen by now, but not by the first tick: what was published then stands.
    assert_rows(
        &data,
        "orders",
        "1h",
        ("2026-10-31T10:00:00Z", "2026-10-31T12:00:00Z"),
        &[("2026-10-31T10:00:00Z", 0.0), ("2026-10-31T11:00:00Z", 0.0)],
    );
    assert_rows(&data, "orders", "1d", ("2026-10-01", "2026-10-02"), &[("2026-10-01T00:00:00Z", 1.0)]);
    assert_rows(&data, "customers", "1d", ("2026-10-01", "2026-10-02"), &[("2026-10-01T00:00:00Z", 1.0)]);
}
