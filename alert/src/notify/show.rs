//! An alert as people and other systems read it: its labels, its values in their unit, its times.
//!
//! Invariant: labels are those of the firing, so that a firing and its end have the same ones. It does not know receivers.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use processor_core::currency;
use proto::v1::{AlertTransition, Contribution, Dimension, Evidence};
use serde::Serialize;

use super::matcher::Labels;

/// How an alert stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It fires.
    Firing,
    /// It fires, and somebody takes care of it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An alert in a message.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) rule: String,
    pub(super) metric: String,
    pub(super) severity: String,
    pub(super) account: Option<String>,
    pub(super) owner: String,
    pub(super) title: String,
    pub(super) summary: String,
    /// In the metric's unit; absent for null.
    pub(super) value: Option<String>,
    pub(super) before: Option<String>,
    pub(super) compared: String,
    pub(super) unit: String,
    pub(super) since: String,
    pub(super) fired: Option<String>,
    pub(super) resolved: Option<String>,
    pub(super) reason: String,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) traits: Labels,
    pub(super) link: String,
    pub(super) events: Vec<Event>,
    pub(super) changes: Vec<Change>,
    pub(super) projected: Option<Projected>,
    /// When it began to fire, and ended; microseconds since the Unix epoch.
    #[serde(skip)]
    pub(super) starts_us: i64,
    #[serde(skip)]
    pub(super) ends_us: Option<i64>,
}

/// An event behind an alert.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    source: String,
    id: String,
    time: Option<String>,
}

impl Event {
    /// Its id at its source.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// By how much a component of a score moved.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    component: String,
    points: String,
}

/// Where a projection crosses the threshold.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Projected {
    value: Option<String>,
    at: String,
}

fn pairs(pairs: &[Dimension]) -> Labels {
    pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect()
}

/// All labels of an alert: the rule's, the key's, the owner, the metric, and the traits as `trait_NAME`.
pub(super) fn labels(firing: &AlertTransition) -> Labels {
    let key = firing.key.clone().unwrap_or_default();
    let mut labels: Labels =
        firing.traits.iter().map(|pair| (format!("trait_{}", pair.name), pair.value.clone())).collect();
    labels.extend(pairs(&key.dimensions));
    labels.extend(pairs(&firing.labels));
    let own = [
        ("alertname", Some(key.rule.clone())),
        ("rule", Some(key.rule)),
        ("metric", Some(firing.metric.clone())),
        ("account", key.account),
        ("tenant", Some(key.tenant)),
        ("owner", Some(firing.owner.clone())),
    ];
    let own =
        own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.filter(|value| !value.is_empty())?)));
    labels.extend(own);
    labels
}

/// What of an alert is shown: its firing, and its end if it is over.
pub(super) struct View<'a> {
    pub(super) id: &'a str,
    pub(super) status: Status,
    pub(super) firing: &'a AlertTransition,
    pub(super) resolved: Option<&'a AlertTransition>,
    pub(super) external_url: &'a str,
    pub(super) zone: &'a TimeZone,
}

impl View<'_> {
    /// The alert, shown.
    pub(super) fn shown(&self) -> Shown {
        let (firing, zone) = (self.firing, self.zone);
        let ended = self.resolved.filter(|_| self.status == Status::Resolved);
        let latest = ended.unwrap_or(firing);
        let key = firing.key.clone().unwrap_or_default();
        let currency = key.dimensions.iter().find(|pair| pair.name == "currency").map_or("", |pair| &pair.value);
        let text = |value: Option<f64>| value.map(|value| number(value, &firing.unit, currency));
        let evidence = latest.evidence.first().cloned().unwrap_or_default();
        let (labels, annotations) = (labels(firing), pairs(&firing.annotations));
        let annotation = |name: &str| annotations.get(name).cloned().unwrap_or_default();
        let about = key.account.clone().unwrap_or_else(|| {
            key.dimensions.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect::<Vec<_>>().join(", ")
        });
        let default = if about.is_empty() { key.rule.clone() } else { format!("{}: {about}", key.rule) };
        let title = ["title", "summary"].map(annotation).into_iter().find(|text| !text.is_empty());
        Shown {
            id: self.id.to_owned(),
            status: self.status,
            severity: labels.get("severity").cloned().unwrap_or_default(),
            metric: firing.metric.clone(),
            owner: firing.owner.clone(),
            title: title.unwrap_or(default),
            summary: annotation("summary"),
            value: text(latest.value),
            before: text(evidence.before),
            compared: evidence.compared.clone(),
            unit: firing.unit.clone(),
            since: time(firing.since_us, zone),
            fired: firing.fired_us.map(|at_us| time(at_us, zone)),
            resolved: ended.map(|ended| time(ended.at_us, zone)),
            reason: ended.map(|ended| ended.reason.clone()).unwrap_or_default(),
            traits: pairs(&firing.traits),
            link: self.link(&key.account),
            events: events(&evidence, zone),
            changes: evidence.changes.iter().map(Change::of).collect(),
            projected: evidence
                .projected
                .map(|point| Projected { value: text(point.value), at: time(point.at_us, zone) }),
            starts_us: firing.fired_us.unwrap_or(firing.at_us),
            ends_us: ended.map(|ended| ended.at_us),
            rule: key.rule,
            account: key.account,
            labels,
            annotations,
        }
    }

    fn link(&self, account: &Option<String>) -> String {
        match (self.external_url, account) {
            ("", _) => String::new(),
            (url, None) => url.to_owned(),
            (url, Some(account)) => {
                // The one way to have a segment encoded as URLs want it.
                let mut parsed = url::Url::parse(url).ok();
                let pushed = parsed.as_mut().and_then(|url| {
                    url.path_segments_mut().ok()?.pop_if_empty().push("accounts").push(account);
                    Some(())
                });
                pushed.and(parsed).map(String::from).unwrap_or_default()
            }
        }
    }
}

impl Change {
    fn of(change: &Contribution) -> Self {
        let (sign, tenths) = (if change.tenths < 0 { "-" } else { "+" }, change.tenths.unsigned_abs());
        Self { component: change.name.clone(), points: format!("{sign}{}.{}", tenths / 10, tenths % 10) }
    }
}

fn events(evidence: &Evidence, zone: &TimeZone) -> Vec<Event> {
    /// More would be a list, not a hint.
    const MAX: usize = 10;
    let event = |cause: &proto::v1::EventRef| Event {
        source: cause.source.clone(),
        id: cause.id.clone(),
        time: cause.time_us.map(|at_us| time(at_us, zone)),
    };
    evidence.causes.iter().take(MAX).map(event).collect()
}

/// A time to the second, with its zone.
pub(super) fn time(at_us: i64, zone: &TimeZone) -> String {
    let stamp = Timestamp::from_microsecond(at_us).unwrap_or_default();
    stamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A published value as people read it; money is published in minor units.
fn number(value: f64, unit: &str, currency: &str) -> String {
    let is_money = unit == "money" && !currency.is_empty();
    let places = if is_money { currency::places(currency) } else { 0 };
    crate::shown(value / f64::from(10_u32.pow(places)), unit, currency).trim().to_owned()
}

/// What all of these have in common.
pub(super) fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = all.next() else { return BTreeMap::new() };
    all.fold(first.clone(), |mut common, labels| {
        common.retain(|name, value| labels.get(name) == Some(value));
        common
    })
}
