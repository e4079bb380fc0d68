//! Scenarios, as text: a log, and the rows that a person computes from it by hand.
//!
//! A line is `TIME ACCOUNT TYPE WORDS...`; the year is 2024 unless TIME names another. `order ID AMOUNT[-DISCOUNT] CURRENCY`, `refund ORDER AMOUNT`,
//! `cancel ORDER`, `usage [COUNT]`, `traits NAME=VALUE... NAME=` (unset), `retract ID`, `other`. Words for all:
//! `#ID` `@SOURCE` `corrects=ID` `of=SOURCE` `recorded=TIME`; for orders `line:PRODUCT=AMOUNT` `channel=` `source=`; for refunds
//! `id=REFUND`. `tick TIME` ticks.

mod base;
mod compare;
mod filtered;
mod health;
mod keep;
mod money;
mod properties;
mod repair;
mod scenarios;
mod values;

use crate::row::{By, Row};
use crate::{Settings, Truth, read, truth};
use serde_json::{Value, json};

/// `02-01` or `02-01T10:00`, with seconds or without, of 2024 unless it says another year.
fn time(text: &str) -> String {
    let (date, hour) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let year = if date.len() == 5 { "2024-" } else { "" };
    format!("{year}{date}T{hour}{}Z", if hour.len() == 5 { ":00" } else { "" })
}

fn line(number: usize, text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words[0] == "tick" {
        return json!({"tick": time(words[1]), "partition": 0}).to_string();
    }
    let (kind, data) = payload(words[2], &words[3..]);
    let mut event = json!({"id": format!("e{number:02}"), "source": "s", "type": kind, "time": time(words[0]),
        "account": words[1], "data": data});
    for word in &words[3..] {
        if let Some(id) = word.strip_prefix('#') {
            event["id"] = json!(id);
        } else if let Some(source) = word.strip_prefix('@') {
            event["source"] = json!(source);
        } else if let Some(id) = word.strip_prefix("corrects=") {
            event["corrects"] = json!(id);
        } else if let Some(source) = word.strip_prefix("of=") {
            event["ofsource"] = json!(source);
            event["data"]["of_source"] = json!(source);
        } else if let Some(at) = word.strip_prefix("recorded=") {
            event["recordedat"] = json!(time(at));
        }
    }
    event.to_string()
}

fn payload(kind: &str, words: &[&str]) -> (&'static str, Value) {
    let integer = |text: &str| text.parse::<i64>().unwrap();
    match kind {
        "order" => ("order.completed", order(words)),
        "refund" => {
            let mut data = json!({"order": words[0], "amount": integer(words[1]), "currency": "EUR"});
            if let Some(id) = words.iter().find_map(|w| w.strip_prefix("id=")) {
                data["refund"] = json!(id);
            }
            ("payment.refunded", data)
        }
        "cancel" => ("order.cancelled", json!({"order": words[0]})),
        "usage" => {
            let count = words.iter().find_map(|w| w.parse::<i64>().ok());
            ("usage.recorded", count.map_or(json!({}), |count| json!({"count": count})))
        }
        "traits" => {
            let pairs = words.iter().filter_map(|w| w.split_once('='));
            let value = |v: &str| if v.is_empty() { Value::Null } else { json!(v) };
            (
                "account.updated",
                json!({"traits": pairs.map(|(n, v)| (n.to_owned(), value(v))).collect::<serde_json::Map<_, _>>()}),
            )
        }
        "retract" => ("retracted", json!({"event": words[0]})),
        _ => ("page.viewed", json!({})),
    }
}

fn order(words: &[&str]) -> Value {
    let integer = |text: &str| text.parse::<i64>().unwrap();
    let (gross, discount) = words[1].split_once('-').unwrap_or((words[1], "0"));
    let mut data =
        json!({"order": words[0], "gross": integer(gross), "discount": integer(discount), "currency": words[2]});
    let mut lines = Vec::new();
    for (name, value) in words.iter().filter_map(|w| w.split_once('=')) {
        match name.strip_prefix("line:") {
            Some(product) => lines.push(json!({"product": product, "amount": integer(value)})),
            None if name == "channel" || name == "source" => data[name] = json!(value),
            None => {}
        }
    }
    if !lines.is_empty() {
        data["lines"] = json!(lines);
    }
    data
}

fn log_text(scenario: &str) -> String {
    let lines = scenario.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.enumerate().map(|(i, l)| line(i, l) + "\n").collect()
}

fn solve_with(settings: &Settings, scenario: &str) -> Truth {
    truth(&read::log(log_text(scenario).as_bytes()).unwrap(), settings).unwrap()
}

fn solve(scenario: &str) -> Truth {
    solve_with(&Settings::default(), scenario)
}

/// One row: start of the window, group, account, currency, `num/den` or value or reason, `?` if optional.
fn text(row: &Row) -> String {
    let start = crate::row::stamp(row.window.start).unwrap_or_else(|_| "ever".to_owned());
    let start = start.trim_start_matches("2024-").trim_end_matches(":00Z").trim_end_matches("T00:00").to_owned();
    let answer = match (row.answer.fraction(), row.answer.reason()) {
        (Some((num, den)), _) => format!("{num}/{den}"),
        (None, Some(reason)) => reason.to_owned(),
        (None, None) => row.answer.value().unwrap().to_string(),
    };
    let since = row.since.map(|at| crate::row::stamp(at).unwrap());
    let since = since.map(|s| format!("since {}", s.trim_start_matches("2024-").trim_end_matches(":00Z")));
    let group = row.group.as_ref().map(|(_, value)| if value.is_empty() { "-".to_owned() } else { value.clone() });
    let optional = row.optional.then(|| "?".to_owned());
    let parts = [Some(start), group, row.account.clone(), row.currency.clone(), Some(answer), since, optional];
    parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The rows of a metric by one dimension in one kind of window.
fn show(truth: &Truth, metric: &str, kind: &str, by: By) -> Vec<String> {
    let wanted = truth.rows.iter().filter(|r| r.metric == metric && r.window.kind.name() == kind);
    wanted.filter(|r| r.group.as_ref().map_or(By::Nothing, |g| g.0) == by).map(text).collect()
}

fn monthly(truth: &Truth, metric: &str) -> Vec<String> {
    show(truth, metric, "1mo", By::Nothing)
}
