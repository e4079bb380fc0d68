//! The answer to every question that a store's catalog allows, as `vitals query --format json` prints it.
//!
//! There are some 1,500 questions: they are asked here in one process, by the same function that the program calls. One
//! question of each metric, each time another window and dimension, is asked of the program as well, and must print the
//! same text.

use std::{collections::BTreeMap, ops::ControlFlow};

use serde::Serialize;
use store::{Ask, MetricInfo, Read as _, Row, ask, sqlite, window::rfc3339};

use crate::data::Data;

/// Levels of each account and day: compared as they are stored, since a query fills in every day of every account.
pub(crate) const STORED: [&str; 8] = [
    "silence",
    "health_score",
    "account_net_new_mrr",
    "account_new_mrr",
    "account_expansion_mrr",
    "account_reactivation_mrr",
    "account_contraction_mrr",
    "account_churn_mrr",
];

/// The answer to every question that the catalog allows, but for [`STORED`].
pub(crate) fn answers(data: &Data) -> String {
    let mut out = String::new();
    each_answer(data, |answer| out.push_str(answer));
    out
}

/// Hands out the answer to each question that the catalog allows, but for [`STORED`]; returns how many there were.
pub(crate) fn each_answer(data: &Data, mut read: impl FnMut(&str)) -> usize {
    let reader = sqlite::Reader::open(&data.path().join(sqlite::FILE)).unwrap();
    let catalog = reader.catalog().unwrap();
    let mut asked = 0;
    for (place, metric) in catalog.iter().filter(|metric| !STORED.contains(&metric.name.as_str())).enumerate() {
        let questions = questions(metric);
        for (number, question) in questions.iter().enumerate() {
            let answer = answer(&reader, question);
            if number == place % questions.len() {
                assert_eq!(printed(data, question), answer, "(program, store) {question:?}");
            }
            read(&answer);
        }
        asked += questions.len();
    }
    asked
}

/// Every window of a metric by each of its sets of dimensions.
fn questions(metric: &MetricInfo) -> Vec<Ask> {
    let by = if metric.by.is_empty() { &vec![Vec::new()] } else { &metric.by };
    let question = |window: &store::window::Kind, by: &Vec<String>| Ask {
        tenant: "default".to_owned(),
        metric: metric.name.clone(),
        window: Some(window.to_string()),
        by: by.clone(),
        ..Ask::default()
    };
    metric.windows.iter().flat_map(|window| by.iter().map(move |by| question(window, by))).collect()
}

/// What the program prints.
fn printed(data: &Data, question: &Ask) -> String {
    let (window, by) = (question.window.as_deref().unwrap(), question.by.join(","));
    let mut arguments = vec!["query", &question.metric, "--window", window, "--format", "json"];
    if !by.is_empty() {
        arguments.extend(["--by", &by]);
    }
    data.run(arguments).done().out
}

fn answer(reader: &sqlite::Reader, question: &Ask) -> String {
    let mut answer = String::new();
    let mut write = |row: Row| {
        answer.push_str(&line(&row));
        Ok(ControlFlow::Continue(()))
    };
    ask(reader, question, &mut write).unwrap();
    answer
}

/// A row as the program prints it.
fn line(row: &Row) -> String {
    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }
    let (series, point) = (&row.series, &row.point);
    let time = |at: Option<i64>| json(at.map(rfc3339));
    let some = |text: &String| json((!text.is_empty()).then_some(text));
    let dimensions: &BTreeMap<String, String> = &series.dimensions;
    format!(
        concat!(
            r#"{{"metric":{},"window":{{"kind":{},"start":{},"end":{}}},"dimensions":{},"account":{},"currency":{},"#,
            r#""value":{},"num":{},"den":{},"unit":{},"revision":{},"final":{},"corrected":{},"since":{},"#,
            r#""definition":{},"reason":{}}}"#,
            "\n"
        ),
        json(&series.metric),
        json(point.window.kind),
        time(point.window.start_us),
        time(point.window.end_us),
        json(dimensions),
        json(&series.account),
        some(&series.currency),
        json(point.value),
        point.num.as_deref().unwrap_or("null"),
        point.den.as_deref().unwrap_or("null"),
        json(&series.unit),
        time(point.revision_us),
        point.is_final,
        point.corrected,
        time(point.since_us),
        json(&series.definition),
        some(&point.reason),
    )
}
