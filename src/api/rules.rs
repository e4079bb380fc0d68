//! Rules in words.

use std::collections::{BTreeMap, HashMap};

use alert::Rules;
use dashboard::backend::Rule;
use serde_json::Value;

/// All rules, by metric, in the order of the files.
pub(super) fn all(rules: &Rules) -> Vec<Rule> {
    let words: HashMap<String, String> = rules.words().into_iter().collect();
    let mut all = Vec::new();
    for of in &rules.metrics {
        // The rules as they were written, group by group.
        let document: Value = serde_json::from_str(&of.text).unwrap_or_default();
        for group in document["groups"].as_array().into_iter().flatten() {
            let written = group["rules"].as_array().into_iter().flatten();
            all.extend(written.filter_map(|rule| self::rule(group, rule, &of.metric, &words)));
        }
    }
    all
}

fn rule(group: &Value, rule: &Value, metric: &str, words: &HashMap<String, String>) -> Option<Rule> {
    let name = rule["alert"].as_str()?;
    let mut labels = texts(&group["labels"]);
    labels.extend(texts(&rule["labels"]));
    labels.extend(rule["severity"].as_str().map(|severity| ("severity".to_owned(), severity.to_owned())));
    Some(Rule {
        name: name.to_owned(),
        group: group["name"].as_str().unwrap_or_default().to_owned(),
        metric: metric.to_owned(),
        sentence: words.get(name)?.clone(),
        written: rule.clone(),
        labels,
    })
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
