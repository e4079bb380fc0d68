//! Rule files: YAML in Prometheus' shape, checked against the catalog, lowered to [`crate::rule`].
//!
//! Invariants: loaded rules name only metrics, windows, dimensions and fields that exist; every mistake of a file is reported at
//! once, each with line, column and cure. It does not know where files are, nor when they change.

mod document;
mod lower;

use std::collections::BTreeSet;

use processor_core::{catalog::Error, plan::Plan};

use crate::rule::MetricRules;
use document::Document;

/// All rules, by metric.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Metrics that have rules, in the order in which files name them.
    pub metrics: Vec<MetricRules>,
}

/// The rules of a tenant that names none.
const BUILT_IN: &str = include_str!("../../deploy/rules/built-in.yaml");

/// Ready packs, by name.
const READY: [(&str, &str); 4] = [
    ("churn-risk", include_str!("../../deploy/rules/churn-risk.yaml")),
    ("support", include_str!("../../deploy/rules/support.yaml")),
    ("sales", include_str!("../../deploy/rules/sales.yaml")),
    ("revenue", include_str!("../../deploy/rules/revenue.yaml")),
];

/// The text of a ready pack.
pub fn ready(name: &str) -> Option<&'static str> {
    READY.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

impl Rules {
    /// The rules of a tenant that names none: on silence, where the catalog has the metric and the step.
    pub fn built_in(plan: &Plan) -> Rules {
        Rules::parse(BUILT_IN, plan).unwrap_or_default()
    }

    /// Reads a rule file.
    ///
    /// # Errors
    /// Every mistake of it.
    pub fn parse(text: &str, plan: &Plan) -> Result<Rules, Vec<Error>> {
        let document = Document::parse(text).map_err(|error| vec![error])?;
        let json: serde_json::Value = serde_saphyr::from_str(text)
            .map_err(|error| vec![Error { line: 0, column: 0, message: error.to_string() }])?;
        lower::lower(&document, &json, plan)
    }

    /// These rules and those of another file.
    ///
    /// # Errors
    /// For a rule whose name is taken.
    pub fn join(mut self, other: Rules) -> Result<Rules, String> {
        let names: BTreeSet<String> = self.names().map(ToOwned::to_owned).collect();
        if let Some(twice) = other.names().find(|name| names.contains(*name)) {
            return Err(format!("there are two rules `{twice}`; give one of them another name"));
        }
        for more in other.metrics {
            match self.metrics.iter_mut().find(|known| known.metric == more.metric) {
                Some(known) => known.join(more),
                None => self.metrics.push(more),
            }
        }
        Ok(self)
    }

    /// The rules on a metric; none is an empty set.
    pub fn of(&self, metric: &str) -> MetricRules {
        let found = self.metrics.iter().find(|rules| rules.metric == metric).cloned();
        found.unwrap_or_else(|| MetricRules { metric: metric.to_owned(), ..MetricRules::default() })
    }

    /// Each rule by name, in words: what it reads, when it fires, and how it ends.
    pub fn words(&self) -> Vec<(String, String)> {
        let streams = self.metrics.iter().flat_map(|rules| rules.streams.iter().map(|stream| (&rules.metric, stream)));
        let rules = streams.flat_map(|(metric, stream)| stream.rules.iter().map(move |rule| (metric, stream, rule)));
        rules.map(|(metric, stream, rule)| (rule.name.clone(), rule.words(metric, stream))).collect()
    }

    /// Names of all rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let streams = self.metrics.iter().flat_map(|metric| &metric.streams);
        streams.flat_map(|stream| &stream.rules).map(|rule| rule.name.as_str())
    }
}

impl MetricRules {
    /// The rules that [`MetricRules::text`] says; an empty text has none.
    ///
    /// # Errors
    /// The first mistake: the text was written with another catalog, or by a newer version.
    pub fn of_text(metric: &str, text: &str, plan: &Plan) -> Result<MetricRules, Error> {
        if text.is_empty() {
            return Ok(MetricRules { metric: metric.to_owned(), ..MetricRules::default() });
        }
        let rules = Rules::parse(text, plan).map_err(|mut errors| errors.swap_remove(0))?;
        Ok(rules.of(metric))
    }

    fn join(&mut self, other: MetricRules) {
        for more in other.streams {
            match self.streams.iter_mut().find(|known| known.is_of_same(&more)) {
                Some(known) => known.rules.extend(more.rules),
                None => self.streams.push(more),
            }
        }
        // Both are objects with one list of groups.
        let groups = |text: &str| -> Vec<serde_json::Value> {
            let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            value["groups"].as_array().cloned().unwrap_or_default()
        };
        let joined = [groups(&self.text), groups(&other.text)].concat();
        self.text = serde_json::json!({ "groups": joined }).to_string();
    }
}

#[cfg(test)]
mod tests;
