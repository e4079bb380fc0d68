//! The comparison with the engine, and the generator.

use super::solve;
use crate::generate::{self, Config};
use crate::{Options, Settings, Truth, diff, read, truth};

fn rows(truth: &Truth) -> Vec<String> {
    truth.rows.iter().map(|r| r.json().unwrap().to_string()).collect()
}

fn wrong(truth: &Truth, engine: &[String]) -> usize {
    diff(truth, engine.join("\n").as_bytes(), Options::default()).unwrap().wrong()
}

fn shop() -> Truth {
    solve("01-02 a order o1 100 EUR\n 01-09 a order o2 50 EUR\n 02-03 b order o1 3 EUR\n tick 04-05")
}

#[test]
fn equal_to_itself() {
    let truth = shop();
    assert_eq!(wrong(&truth, &rows(&truth)), 0);
}

#[test]
fn every_kind_of_difference_is_found() {
    let truth = shop();
    let all = rows(&truth);
    let at =
        all.iter().position(|r| r.contains("avg_purchase_value\"") && r.contains("1mo") && r.contains("150")).unwrap();
    let change = |from: &str, to: &str| {
        let mut rows = all.clone();
        assert!(rows[at].contains(from), "{}", rows[at]);
        rows[at] = rows[at].replace(from, to);
        wrong(&truth, &rows)
    };
    assert_eq!(change("\"value\":75.0", "\"value\":75.00000000000001"), 1);
    assert_eq!(change("\"num\":150", "\"num\":75"), 1);
    assert_eq!(change("\"final\":true", "\"final\":false"), 1);
    assert_eq!(change("\"reason\":null", "\"reason\":\"zero churn\""), 1);
    assert_eq!(change("\"since\":null", "\"since\":\"2024-01-02T00:00:00Z\""), 1);
    assert_eq!(change("2024-01-01", "2024-01-02"), 1);
    // Another window: one row too many and one missing.
    assert_eq!(change("2024-02-01", "2024-02-02"), 2);
    let mut fewer = all.clone();
    fewer.remove(at);
    assert_eq!(wrong(&truth, &fewer), 1);
}

#[test]
fn filled_rows_must_equal_the_fill() {
    let truth = shop();
    let filled = |row: &str| {
        let mut all = rows(&truth);
        all.push(row.to_owned());
        wrong(&truth, &all)
    };
    let row = |metric: &str, rest: &str| {
        format!(
            r#"{{"metric":"{metric}","window":{{"kind":"1mo","start":"2024-03-01T00:00:00Z","end":"2024-04-01T00:00:00Z"}},"dimensions":{{}},"account":null,"final":true,"since":null,{rest}}}"#
        )
    };
    let ok = r#""currency":"EUR","value":0,"num":null,"den":null,"reason":null"#;
    assert_eq!(filled(&row("net_revenue", ok)), 0);
    assert_eq!(filled(&row("net_revenue", &ok.replace("\"value\":0", "\"value\":1"))), 1);
    let null = r#""currency":"EUR","value":null,"num":0,"den":"0","reason":"no denominator""#;
    assert_eq!(filled(&row("avg_purchase_value", null)), 0);
    assert_eq!(filled(&row("avg_purchase_value", ok)), 1);
}

#[test]
fn a_carried_step_of_silence() {
    let truth = shop();
    let row = |start: u32, value: i32| {
        let mut all = rows(&truth);
        all.push(format!(
            r#"{{"metric":"silence","window":{{"kind":"1d","start":"2024-01-{start}T00:00:00Z","end":"2024-01-{}T00:00:00Z"}},"dimensions":{{}},"account":"a","final":true,"since":null,"currency":null,"value":{value},"num":null,"den":null,"reason":null}}"#,
            start + 1
        ));
        wrong(&truth, &all)
    };
    // Last order 01-09: 7 from 01-16 on, 14 from 01-23 on.
    assert_eq!((row(12, 0), row(18, 7), row(18, 0), row(25, 14)), (0, 0, 1, 0));
}

#[test]
fn absent_queries_can_be_left_out() {
    let truth = shop();
    let some: Vec<String> =
        rows(&truth).into_iter().filter(|r| r.contains("\"orders\"") && r.contains("1mo")).collect();
    assert!(wrong(&truth, &some) > 0);
    let options = Options { only_present: true, ..Options::default() };
    let report = diff(&truth, some.join("\n").as_bytes(), options).unwrap();
    assert_eq!((report.wrong(), report.equal), (0, some.len()));
}

fn generated(config: &Config) -> String {
    let mut out = Vec::new();
    generate::write(config, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_generator_repeats_itself_and_is_readable() {
    let config = Config { events: 1_500, accounts: 60, days: 120, log: true, ..Config::default() };
    let text = generated(&config);
    assert_eq!(text, generated(&config));
    assert_ne!(text, generated(&Config { seed: 2, ..config }));
    let truth = truth(&read::log(text.as_bytes()).unwrap(), &Settings::default()).unwrap();
    assert_eq!(wrong(&truth, &rows(&truth)), 0);
    for word in ["corrects", "retracted", "order.cancelled", "payment.refunded", "lead.created", "JPY"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn customers_add_up_and_the_order_of_arrival_does_not_matter() {
    let text = generated(&Config { events: 1_500, accounts: 60, days: 200, log: true, ..Config::default() });
    let solve = |text: &str| truth(&read::log(text.as_bytes()).unwrap(), &Settings::default()).unwrap();
    let straight = solve(&text);
    let whole = |metric: &str, start| {
        let found = straight.rows.iter().find(|r| {
            r.metric == metric && r.window.kind.name() == "1w" && r.group.is_none() && r.window.start == start
        });
        found.and_then(|r| r.answer.value()).unwrap_or(0.0)
    };
    let weeks = &straight.windows.iter().find(|(kind, _)| kind.name() == "1w").unwrap().1;
    let mut before = 0.0;
    for week in weeks {
        let after = before + whole("customers_started", week.start) - whole("customers_lost", week.start);
        assert_eq!(whole("customers", week.start), after);
        before = after;
    }
    // Without what was sent twice with other content, the log can be read backwards.
    let mut seen = std::collections::HashSet::new();
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|l| {
            let event: serde_json::Value = serde_json::from_str(l).unwrap();
            event.get("tick").is_some()
                || seen.insert((event["source"].to_string(), event["id"].to_string(), event["account"].to_string()))
        })
        .collect();
    lines.reverse();
    assert_eq!(rows(&solve(&lines.join("\n"))), rows(&straight));
}
