//! `/alerts` and `/rules`: what fires, what was done about it, and why it may fire.

use std::collections::{BTreeMap, HashSet};

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{AlertSelect, AlertState, Read as _, window::rfc3339};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::{Asked, name},
    backend::{Backend, Done},
    fault::Fault,
    form::{Alert, shown},
    params::Params,
    sheet::{self, cell},
};

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alerts {
    /// The newest first.
    pub(crate) alerts: Vec<Alert>,
    /// Where the next page begins; null at the end.
    pub(crate) next: Option<String>,
    /// How many there are on all pages.
    pub(crate) total: usize,
    /// How many of all there are in each state, whatever was asked for.
    pub(crate) counts: Counts,
}

/// Numbers of alerts.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Counts {
    /// They fire.
    pub(crate) firing: usize,
    /// They will fire if it stays as it is.
    pub(crate) pending: usize,
    /// They fire, and somebody takes care of them.
    pub(crate) acknowledged: usize,
    /// They fire, and are not sent.
    pub(crate) silenced: usize,
}

/// An alert with its course.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertCourse {
    #[serde(flatten)]
    alert: Alert,
    /// Its changes of state, the first one first.
    history: Vec<Step>,
}

/// A change of state.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// The state from then on.
    state: String,
    /// When.
    at: String,
}

/// The name of an alert; of those of before there were names, one that is made of its key.
fn id(alert: &store::Alert) -> String {
    if alert.about.id.is_empty() { format!("{}:{}", alert.rule, alert.at_us) } else { alert.about.id.clone() }
}

/// As the API shows it.
pub(crate) fn form(alert: store::Alert, done: Done) -> Result<Alert, Fault> {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let about = &alert.about;
    let text = |name: &str| about.annotations.get(name).cloned().unwrap_or_default();
    let currency = alert.dimensions.get("currency").map_or("", String::as_str);
    Ok(Alert {
        id: id(&alert),
        severity: about.labels.get("severity").cloned().unwrap_or_default(),
        state: alert.state.name().to_owned(),
        since: rfc3339(alert.since_us),
        at: rfc3339(alert.at_us),
        fired: about.fired_us.map(rfc3339),
        value: alert.value.map(|value| shown(value, &about.unit, currency)),
        unit: about.unit.clone(),
        summary: text("summary"),
        description: text("description"),
        reason: some(about.reason.clone()),
        owner: some(about.owner.clone()),
        acknowledged: done.acknowledged,
        silenced_until: done.silenced_until,
        evidence: RawValue::from_string(alert.evidence)?,
        annotations: alert.about.annotations,
        labels: alert.about.labels,
        account_name: alert.about.traits.get("name").cloned(),
        rule: alert.rule,
        account: alert.account,
        metric: alert.metric,
        dimensions: alert.dimensions,
    })
}

/// Labels by which silences match an alert: those that notifications have.
fn labels(alert: &store::Alert) -> BTreeMap<String, String> {
    let about = &alert.about;
    let traits = about.traits.iter().map(|(name, value)| (format!("trait_{name}"), value.clone()));
    let mut labels: BTreeMap<String, String> = traits.collect();
    labels.extend(alert.dimensions.clone());
    labels.extend(about.labels.clone());
    let own = [
        ("alertname", alert.rule.as_str()),
        ("rule", &alert.rule),
        ("metric", &alert.metric),
        ("account", alert.account.as_deref().unwrap_or_default()),
        ("tenant", &alert.tenant),
        ("owner", &about.owner),
    ];
    let own = own.into_iter().filter(|(_, value)| !value.is_empty());
    labels.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    labels
}

/// With what was done about them.
pub(crate) fn forms(alerts: Vec<store::Alert>, backend: &dyn Backend) -> Result<Vec<Alert>, Fault> {
    let named: Vec<_> = alerts.iter().map(|alert| (id(alert), labels(alert))).collect();
    let done = backend.done(&named)?;
    alerts.into_iter().zip(done).map(|(alert, done)| form(alert, done)).collect()
}

/// What people did about an alert that fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dealt {
    Acknowledged,
    Silenced,
}

impl Dealt {
    fn holds(self, done: &Done) -> bool {
        match self {
            Self::Acknowledged => done.acknowledged.is_some(),
            Self::Silenced => done.silenced_until.is_some(),
        }
    }
}

/// What of the alerts is asked for.
struct Wanted {
    state: Option<AlertState>,
    dealt: Option<Dealt>,
    rule: Option<String>,
    severity: Option<String>,
    owner: Option<String>,
    account: Option<String>,
    text: Option<String>,
    after: usize,
    limit: usize,
}

impl Wanted {
    fn of(mut params: Params) -> Result<Self, Fault> {
        let states = AlertState::ALL.map(|state| (state.name(), (state, None)));
        let dealt = [("acknowledged", Dealt::Acknowledged), ("silenced", Dealt::Silenced)];
        let dealt = dealt.map(|(name, dealt)| (name, (AlertState::Firing, Some(dealt))));
        let state = params.word("state", &[&states[..], &dealt[..]].concat())?;
        let wanted = Self {
            state: state.map(|(state, _)| state),
            dealt: state.and_then(|(_, dealt)| dealt),
            rule: params.take("rule"),
            severity: params.take("severity"),
            owner: params.take_any("owner"),
            account: params.take("account"),
            text: params.take("q").map(|text| text.to_lowercase()),
            after: params.place()?,
            limit: params.number("limit", 1, 1_000, 50)?,
        };
        params.done()?;
        Ok(wanted)
    }

    fn holds(&self, alert: &store::Alert) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let about = &alert.about;
        let text = |text: &String| {
            let texts = [alert.rule.as_str(), &alert.metric, alert.account.as_deref().unwrap_or_default()];
            let more = about.annotations.values().chain(about.traits.get("name"));
            let all = texts.into_iter().chain(more.map(String::as_str));
            all.into_iter().any(|found| found.to_lowercase().contains(text))
        };
        self.state.is_none_or(|state| state == alert.state)
            && is(&self.rule, &alert.rule)
            && is(&self.severity, about.labels.get("severity").map_or("", String::as_str))
            && is(&self.owner, &about.owner)
            && is(&self.account, alert.account.as_deref().unwrap_or_default())
            && self.text.as_ref().is_none_or(text)
    }
}

/// The newest first; of equals by name, so that pages do not overlap.
fn sort(alerts: &mut [store::Alert]) {
    let name = |alert: &store::Alert| (alert.rule.clone(), alert.account.clone(), id(alert));
    alerts.sort_by(|a, b| b.at_us.cmp(&a.at_us).then_with(|| name(a).cmp(&name(b))));
}

/// The newest of those that fire, and how many fire.
pub(crate) fn newest_firing(context: &Context<'_>, most: usize) -> Result<(Vec<Alert>, usize), Fault> {
    let select = AlertSelect { state: Some(AlertState::Firing), ..AlertSelect::default() };
    let mut firing = context.desk.alerts(&select)?;
    let count = firing.len();
    sort(&mut firing);
    firing.truncate(most);
    Ok((forms(firing, context.backend)?, count))
}

/// The first page of all alerts.
pub(crate) fn first_page(context: &Context<'_>) -> Result<Alerts, Fault> {
    page(context, &Wanted::of(Params::default())?)
}

fn page(context: &Context<'_>, wanted: &Wanted) -> Result<Alerts, Fault> {
    let all = context.desk.alerts(&AlertSelect::default())?;
    let of = |state: AlertState| all.iter().filter(move |alert| alert.state == state);
    let named: Vec<_> = of(AlertState::Firing).map(|alert| (id(alert), labels(alert))).collect();
    let done = context.backend.done(&named)?;
    let counts = Counts {
        firing: named.len(),
        pending: of(AlertState::Pending).count(),
        acknowledged: done.iter().filter(|done| done.acknowledged.is_some()).count(),
        silenced: done.iter().filter(|done| done.silenced_until.is_some()).count(),
    };
    let dealt = |dealt: Dealt| {
        let with = named.iter().zip(&done).filter(move |(_, done)| dealt.holds(done));
        with.map(|((id, _), _)| id.as_str()).collect::<HashSet<_>>()
    };
    let dealt = wanted.dealt.map(dealt);
    // What never fired and does not hold is nothing that happened.
    let shown = |alert: &store::Alert| {
        wanted.holds(alert)
            && (wanted.state.is_some() || alert.state != AlertState::Inactive)
            && dealt.as_ref().is_none_or(|dealt| dealt.contains(id(alert).as_str()))
    };
    let mut found: Vec<_> = all.into_iter().filter(shown).collect();
    let total = found.len();
    sort(&mut found);
    let page: Vec<_> = found.into_iter().skip(wanted.after).take(wanted.limit).collect();
    let end = wanted.after.saturating_add(page.len());
    let next = (end < total && !page.is_empty()).then(|| end.to_string());
    Ok(Alerts { alerts: forms(page, context.backend)?, next, total, counts })
}

const HEADER: [&str; 15] = [
    "id",
    "rule",
    "severity",
    "state",
    "account",
    "account_name",
    "metric",
    "since",
    "at",
    "value",
    "unit",
    "summary",
    "owner",
    "acknowledged_by",
    "silenced_until",
];

fn csv(alerts: Vec<Alert>) -> Result<Answer, Fault> {
    let cells = |alert: Alert| {
        vec![
            alert.id,
            alert.rule,
            alert.severity,
            alert.state,
            cell(alert.account),
            cell(alert.account_name),
            alert.metric,
            alert.since,
            alert.at,
            cell(alert.value),
            alert.unit,
            alert.summary,
            cell(alert.owner),
            cell(alert.acknowledged.map(|by| by.by)),
            cell(alert.silenced_until),
        ]
    };
    sheet::answer(&HEADER, alerts.into_iter().map(cells))
}

/// Alerts, the newest first.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(
    ("state" = Option<String>, Query, description = "pending, firing, resolved or inactive; acknowledged or silenced, of those that fire"),
    ("rule" = Option<String>, Query), ("severity" = Option<String>, Query), ("owner" = Option<String>, Query),
    ("account" = Option<String>, Query), ("q" = Option<String>, Query, description = "part of rule, account, its name, or text"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000), ("format" = Option<String>, Query)),
    responses((status = 200, body = Alerts), (status = 400)))]
pub(crate) async fn alerts(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        let page = page(context, &Wanted::of(params)?)?;
        if context.csv { csv(page.alerts) } else { Answer::json(&page) }
    };
    api.by_all(asked, ask).await
}

/// An alert with its changes of state.
#[utoipa::path(get, path = "/alerts/{id}", tag = "alerts", params(("id" = String, Path)),
    responses((status = 200, body = AlertCourse), (status = 404)))]
pub(crate) async fn one(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    let of = match name("id", of) {
        Ok(of) => of,
        Err(fault) => return fault.into_response(),
    };
    let ask = move |context: &Context<'_>, params: Params| {
        params.done()?;
        let steps = context.desk.transitions(&AlertSelect { id: Some(of), ..AlertSelect::default() })?;
        let last = steps.last().cloned().ok_or_else(|| Fault::missing("there is no alert of this id"))?;
        let step = |alert: &store::Alert| Step { state: alert.state.name().to_owned(), at: rfc3339(alert.at_us) };
        let history = steps.iter().map(step).collect();
        let alert = forms(vec![last], context.backend)?.swap_remove(0);
        Answer::json(&AlertCourse { alert, history })
    };
    api.by_all(asked, ask).await
}

/// The rules in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rules {
    /// In the order of the files.
    rules: Vec<RuleForm>,
}

/// A rule of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleForm {
    /// Its name.
    name: String,
    /// The group of the rule file.
    group: String,
    /// The metric that it reads.
    metric: String,
    /// The rule in words.
    sentence: String,
    /// The rule as its file has it, key by key; for pages that say it in another language.
    #[schema(value_type = Object)]
    written: serde_json::Value,
    /// The label `severity`, as written; empty without one.
    severity: String,
    /// Its labels, as written.
    labels: BTreeMap<String, String>,
    /// How many alerts of it fire.
    firing: usize,
}

/// The rules in force, in words.
#[utoipa::path(get, path = "/rules", tag = "alerts", responses((status = 200, body = Rules)))]
pub(crate) async fn rules(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        let firing = context.desk.alerts(&AlertSelect { state: Some(AlertState::Firing), ..AlertSelect::default() })?;
        let form = |rule: crate::backend::Rule| RuleForm {
            firing: firing.iter().filter(|alert| alert.rule == rule.name).count(),
            severity: rule.labels.get("severity").cloned().unwrap_or_default(),
            name: rule.name,
            group: rule.group,
            metric: rule.metric,
            sentence: rule.sentence,
            written: rule.written,
            labels: rule.labels,
        };
        Answer::json(&Rules { rules: context.backend.rules().into_iter().map(form).collect() })
    };
    api.by_all(asked, ask).await
}
