//! Tests of rules, as promtool has them: values in, alerts out, in YAML.
//!
//! ```yaml
//! rules: [churn-risk]
//! tests:
//!   - name: an account that falls
//!     values:
//!       - {at: 2026-03-01T09:00:00Z, metric: health_score, account: acme, value: 80}
//!       - {at: 2026-03-04T10:00:00Z, metric: health_score, account: acme, value: 35, traits: {owner: kim}}
//!     until: 2026-04-01T00:00:00Z
//!     alerts:
//!       - {at: 2026-03-04T10:00:00Z, alert: HealthCritical, state: firing, account: acme, owner: kim}
//! ```
//! Every change of state has to be named, in order, but `pending` and `inactive` only where the test names one of them; of a
//! named one what is not given is not compared. `only` looks at some rules alone. A value is in the metric's unit, money in
//! minor units; its window is the kind that the rule reads, around `at`, or `window_of` another instant.

use std::collections::BTreeMap;

use processor_core::{
    calendar::{Calendar, Kind, Time, timestamp},
    catalog::Error,
    plan::Plan,
};
use proto::v1::{self, AlertTransition};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{Judge, Rules};

/// A file of tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trials {
    /// Rule files, relative to this one, or names of ready packs.
    pub rules: Vec<String>,
    tests: Vec<Trial>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    name: Spanned<String>,
    values: Vec<Given>,
    until: Option<Spanned<String>>,
    only: Option<Vec<Spanned<String>>>,
    alerts: Vec<Spanned<Expected>>,
}

/// A value that is published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    at: Spanned<String>,
    metric: Spanned<String>,
    account: Option<String>,
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    value: Option<f64>,
    num: Option<i128>,
    den: Option<i128>,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    reason: String,
    since: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    window_of: Option<Spanned<String>>,
    #[serde(rename = "final", default)]
    is_final: bool,
    #[serde(default)]
    corrected: bool,
    #[serde(default)]
    traits: BTreeMap<String, String>,
    #[serde(default)]
    contributions: BTreeMap<String, f64>,
    #[serde(default)]
    projection: Vec<Coming>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coming {
    at: Spanned<String>,
    value: Option<f64>,
}

/// A change of state; what is not given is not compared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    at: String,
    alert: String,
    state: String,
    account: Option<String>,
    dimensions: Option<BTreeMap<String, String>>,
    value: Option<f64>,
    since: Option<String>,
    reason: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Line of the file.
    pub line: u64,
    /// What is not as expected, a difference a line; none where all is.
    pub differences: Vec<String>,
}

impl Trials {
    /// Reads a file of tests.
    ///
    /// # Errors
    /// Where the text is not YAML or does not have the shape of such a file.
    pub fn parse(text: &str) -> Result<Trials, Error> {
        serde_saphyr::from_str(text).map_err(|error| Error::of_yaml(&error))
    }

    /// Runs every test.
    ///
    /// # Errors
    /// Every mistake of the file: a time, metric or rule that is none.
    pub fn run(&self, rules: &Rules, plan: &Plan) -> Result<Vec<Outcome>, Vec<Error>> {
        let (mut outcomes, mut errors) = (Vec::new(), Vec::new());
        for trial in &self.tests {
            match trial.run(rules, plan) {
                Ok(differences) => {
                    let (name, line) = (trial.name.value.clone(), trial.name.referenced.line());
                    outcomes.push(Outcome { name, line, differences });
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(outcomes) } else { Err(errors) }
    }
}

impl Trial {
    fn run(&self, rules: &Rules, plan: &Plan) -> Result<Vec<String>, Error> {
        self.check(rules)?;
        let mut snapshots = Vec::new();
        for given in &self.values {
            snapshots.extend(given.snapshots(rules, plan)?);
        }
        snapshots.sort_by_key(|snapshot| snapshot.revision_us);
        let last = snapshots.last().map_or(Time::MIN, |last| last.revision_us);
        let until = self.until.as_ref().map(instant).transpose()?.unwrap_or(last);

        let (mut judge, mut out) = (Judge::new(rules), Vec::new());
        for snapshot in &snapshots {
            // What was due before is published first, as the ticks between them would have it.
            judge.tick(snapshot.revision_us.saturating_sub(1), &mut out);
            judge.snapshot(snapshot, &mut out);
        }
        judge.tick(until, &mut out);
        Ok(self.compare(&out))
    }

    fn check(&self, rules: &Rules) -> Result<(), Error> {
        let known: Vec<&str> = rules.names().collect();
        let unknown = self.only.iter().flatten().find(|name| !known.contains(&name.value.as_str()));
        if let Some(name) = unknown {
            return Err(Error::at(name, format!("there is no rule `{}`; there are {}", name.value, known.join(", "))));
        }
        for expected in &self.alerts {
            let wrong = |message: String| Err(Error::at(expected, message));
            let Expected { at, alert, state, .. } = &expected.value;
            if !known.contains(&alert.as_str()) {
                return wrong(format!("there is no rule `{alert}`; there are {}", known.join(", ")));
            }
            if !["inactive", "pending", "firing", "resolved"].contains(&state.as_str()) {
                return wrong(format!("`{state}` is no state; there are inactive, pending, firing, resolved"));
            }
            for text in [Some(at), expected.value.since.as_ref()].into_iter().flatten() {
                if parse(text).is_none() {
                    return wrong(format!("`{text}` is no time; write one like 2026-03-01T09:00:00Z"));
                }
            }
        }
        Ok(())
    }

    fn compare(&self, out: &[AlertTransition]) -> Vec<String> {
        let named = |state: &str| self.alerts.iter().any(|expected| expected.value.state == state);
        let is_looked_at = |transition: &&AlertTransition| {
            let rule = transition.key.as_ref().map_or("", |key| key.rule.as_str());
            let is_chosen = self.only.as_ref().is_none_or(|only| only.iter().any(|name| name.value == rule));
            let state = state(transition);
            is_chosen && (matches!(state.as_str(), "firing" | "resolved") || named(&state))
        };
        let found: Vec<&AlertTransition> = out.iter().filter(is_looked_at).collect();
        let mut differences = Vec::new();
        for place in 0..found.len().max(self.alerts.len()) {
            match (found.get(place), self.alerts.get(place)) {
                (Some(found), None) => differences.push(format!("not expected: {}", line(found))),
                (None, Some(expected)) => {
                    let expected = &expected.value;
                    let account = expected.account.as_deref().unwrap_or("");
                    let Expected { at, alert, state, .. } = expected;
                    differences.push(format!("missing: {at} {alert} {state} {account}"));
                }
                (Some(found), Some(expected)) => differences.extend(expected.value.difference(found)),
                (None, None) => {}
            }
        }
        differences
    }
}

impl Expected {
    fn difference(&self, found: &AlertTransition) -> Option<String> {
        let key = found.key.clone().unwrap_or_default();
        let pairs = |list: &[v1::Dimension]| -> BTreeMap<String, String> {
            list.iter().map(|it| (it.name.clone(), it.value.clone())).collect()
        };
        let is_same = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        let contains = |all: &[v1::Dimension], some: &BTreeMap<String, String>| {
            let all = pairs(all);
            some.iter().all(|(name, value)| all.get(name) == Some(value))
        };
        let same = parse(&self.at) == Some(found.at_us)
            && self.alert == key.rule
            && self.state == state(found)
            && is_same(&self.account, key.account.as_deref())
            && self.dimensions.as_ref().is_none_or(|dimensions| *dimensions == pairs(&key.dimensions))
            && self.value.is_none_or(|value| Some(value) == found.value)
            && self.since.as_ref().is_none_or(|since| parse(since) == Some(found.since_us))
            && is_same(&self.reason, Some(&found.reason))
            && is_same(&self.owner, Some(&found.owner))
            && contains(&found.labels, &self.labels)
            && contains(&found.annotations, &self.annotations);
        if same {
            return None;
        }
        let account = self.account.as_deref().unwrap_or("");
        Some(format!("expected: {} {} {} {account}\n       found: {}", self.at, self.alert, self.state, line(found)))
    }
}

impl Given {
    /// A snapshot for each kind of window that rules read.
    fn snapshots(&self, rules: &Rules, plan: &Plan) -> Result<Vec<v1::Snapshot>, Error> {
        let metric = plan.metrics.iter().find(|metric| metric.name == self.metric.value);
        let metric = metric.ok_or_else(|| {
            Error::at(&self.metric, format!("there is no metric `{}`; `vitals metrics` lists them", self.metric.value))
        })?;
        let kinds: Vec<String> = match &self.window {
            Some(kind) => vec![kind.value.clone()],
            None => rules.of(&metric.name).streams.iter().map(|stream| stream.window.clone()).collect(),
        };
        let mut calendar = plan.settings.calendar();
        let mut kinds: Vec<Kind> = kinds.iter().filter_map(|kind| kind.parse().ok()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(|kind| self.snapshot(metric, kind, &mut calendar)).collect()
    }

    fn snapshot(
        &self,
        metric: &processor_core::plan::Metric,
        kind: Kind,
        calendar: &mut Calendar,
    ) -> Result<v1::Snapshot, Error> {
        let at = instant(&self.at)?;
        let inside = self.window_of.as_ref().map(instant).transpose()?.unwrap_or(at);
        let window = (kind != Kind::ToDate).then(|| calendar.window(kind, inside));
        let dimension = |(name, value): (&String, &String)| v1::Dimension { name: name.clone(), value: value.clone() };
        let coming =
            |it: &Coming| Ok(v1::Projection { at_us: instant(&it.at)?, value: it.value, ..v1::Projection::default() });
        let mut dimensions: Vec<v1::Dimension> = self.dimensions.iter().map(dimension).collect();
        if !self.currency.is_empty() {
            dimensions.push(v1::Dimension { name: "currency".to_owned(), value: self.currency.clone() });
        }
        let tenths = |(name, points): (&String, &f64)| v1::Contribution {
            name: name.clone(),
            tenths: crate::snapshot::decimal(points * 10.0).map_or(0, |it| i64::try_from(it.round()).unwrap_or(0)),
        };
        Ok(v1::Snapshot {
            key: Some(v1::SnapshotKey {
                tenant: "default".to_owned(),
                definition: metric.definition.clone(),
                dimensions,
                account: self.account.clone(),
                window: Some(v1::Window {
                    kind: kind.to_string(),
                    start_us: window.map(|window| window.start),
                    end_us: window.map(|window| window.end),
                }),
            }),
            metric: metric.name.clone(),
            revision_us: at,
            value: self.value.or_else(|| ratio(self.num?, self.den?)),
            num: self.num.map(|num| num.to_string()),
            den: self.den.map(|den| den.to_string()),
            unit: metric.unit.clone(),
            currency: self.currency.clone(),
            r#final: self.is_final || self.corrected,
            corrected: self.corrected,
            reason: self.reason.clone(),
            since_us: self.since.as_ref().map(instant).transpose()?,
            causes: Vec::new(),
            contributions: self.contributions.iter().map(tenths).collect(),
            projection: self.projection.iter().map(coming).collect::<Result<_, Error>>()?,
            traits: self.traits.iter().map(dimension).collect(),
        })
    }
}

fn ratio(num: i128, den: i128) -> Option<f64> {
    processor_core::rational::Rational::new(num, den).map(processor_core::rational::Rational::to_f64)
}

fn instant(text: &Spanned<String>) -> Result<Time, Error> {
    parse(&text.value)
        .ok_or_else(|| Error::at(text, format!("`{}` is no time; write one like 2026-03-01T09:00:00Z", text.value)))
}

fn parse(text: &str) -> Option<Time> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// The name of the state, as people write it.
pub(crate) fn state(transition: &AlertTransition) -> String {
    transition.state().as_str_name().trim_start_matches("ALERT_STATE_").to_lowercase()
}

/// A transition as a line.
fn line(transition: &AlertTransition) -> String {
    let key = transition.key.clone().unwrap_or_default();
    let value = transition.value.map_or("null".to_owned(), |value| value.to_string());
    let reason = if transition.reason.is_empty() { String::new() } else { format!(" ({})", transition.reason) };
    let account = key.account.unwrap_or_default();
    let (at, state) = (timestamp(transition.at_us), state(transition));
    format!("{at} {} {state} {account} {value}{reason}", key.rule)
}
