//! `/accounts/{id}`: one account, with all that its page shows.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use jiff::ToSpan as _;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{
    AlertSelect, Ask, MetricInfo, Read as _,
    account::{BEFORE_DAYS, Roles},
    ask,
    window::Kind,
};
use utoipa::ToSchema;

use crate::{
    accounts::row,
    alerts::forms,
    api::{Answer, Api, Context},
    asked::{Asked, name},
    backend::{Fact, Input, Known},
    desk::Desk,
    fault::Fault,
    form::{AccountRow, Alert, Value, Vital},
    params::Params,
    sheet,
    vital::{Which, kind, series, vital},
};

/// Days of the course of a score.
const DAYS: u32 = 366;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountForm {
    /// As lists show it.
    row: AccountRow,
    /// The score now, with its revision; null without a score.
    score: Option<Value>,
    /// What each component has to do with the score; they add up to it.
    contributions: Vec<Contribution>,
    /// How the score will change if nothing happens.
    projection: Vec<Projected>,
    /// The score by local day, where it changed, and on the newest day.
    scores: Vec<Scored>,
    /// The metrics that each account has.
    values: Vec<Vital>,
    /// Alerts on it, the newest first.
    alerts: Vec<Alert>,
    /// The first local day on which it had a score.
    first_seen: Option<String>,
    /// Accounts that were merged into it.
    aliases: Vec<String>,
    /// What is known of it now: since when it is a customer, its traits, and the latest event of each type.
    facts: Vec<Fact>,
}

/// A component of a score.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contribution {
    /// Its name.
    component: String,
    /// Its name for people.
    title: String,
    /// What it counts for beside the others.
    weight: u32,
    /// What it adds to the score; null without input.
    points: Option<f64>,
    /// What it could add, as the weights of those with input go.
    of: Option<f64>,
    /// What it added 30 days ago; null where it had no input.
    before: Option<f64>,
    /// What it rests on, in words; empty where another process works on the account: its explanation says it.
    inputs: String,
    /// The same as numbers; null where `inputs` is empty.
    input: Option<Input>,
}

/// A coming change of a score.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projected {
    /// The local day.
    day: String,
    /// The score from then on; null where it has none any more.
    score: Option<f64>,
    /// Components that move.
    components: Vec<String>,
}

/// A score of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Scored {
    /// The local day.
    day: String,
    /// The score at its end.
    score: Option<f64>,
}

/// The components of a score, which add up to it.
fn contributions(roles: &Roles, account: &store::Account, known: &Known) -> Vec<Contribution> {
    // Without a score the contributions are those of before.
    let Some(score) = account.score else { return Vec::new() };
    let basis = |name: &str| known.components.iter().find(|basis| basis.component == name);
    #[expect(clippy::cast_precision_loss, reason = "tenths of a score are small")]
    let stored =
        |name: &str| account.contributions.iter().find(|of| of.component == name).map(|of| of.tenths as f64 / 10.0);
    // What a score is made of may change while the score stays, and nothing is published then.
    let is_it = known.score == Some(score);
    let points = |name: &str| if is_it { basis(name).and_then(|basis| basis.points) } else { stored(name) };
    let all: u32 = roles.components.iter().filter(|part| points(&part.name).is_some()).map(|part| part.weight).sum();
    let part = |part: &store::account::Component| {
        let most = f64::from(part.weight) * 100.0 / f64::from(all.max(1));
        let mut title = part.name.replace('_', " ");
        title[..1].make_ascii_uppercase();
        let (points, basis) = (points(&part.name), basis(&part.name));
        Contribution {
            component: part.name.clone(),
            title,
            weight: part.weight,
            points,
            of: points.map(|_| (most * 10.0).round() / 10.0),
            before: basis.and_then(|basis| basis.before),
            inputs: basis.map(|basis| basis.inputs.clone()).unwrap_or_default(),
            input: basis.map(|basis| basis.input.clone()),
        }
    };
    roles.components.iter().map(part).collect()
}

/// The course of a score: the days on which it changed, and the newest.
fn scores(desk: &Desk<'_>, name: &str) -> Result<(Vec<Scored>, Option<Value>), Fault> {
    let Some(metric) = desk.settings.roles.score.as_ref().and_then(|score| desk.metric(score).ok()) else {
        return Ok((Vec::new(), None));
    };
    let which = Which { account: Some(name.to_owned()), ..Which::default() };
    let question = Ask { newest: Some(DAYS), ..which.ask(desk, metric, Kind::Day) };
    let rows = series(desk, &question)?.into_iter().next().unwrap_or_default();
    let mut scores: Vec<Scored> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let changed = scores.last().is_none_or(|last| last.score != row.point.value);
        if changed || at + 1 == rows.len() {
            let day = desk.calendar.date(row.point.window.start_us.unwrap_or_default())?.to_string();
            scores.push(Scored { day, score: row.point.value });
        }
    }
    let now = rows.last().map(|row| Value::of(desk, metric, &row.series, &row.point));
    Ok((scores, now))
}

/// The metrics of accounts in which this one has something.
fn values(desk: &Desk<'_>, name: &str) -> Result<Vec<Vital>, Fault> {
    let score = desk.settings.roles.score.as_ref();
    let mut values = Vec::new();
    let is_one = |metric: &&MetricInfo| metric.per_account && !ask::is_list(metric) && Some(&metric.name) != score;
    for metric in desk.catalog.iter().filter(is_one) {
        let which = Which { account: Some(name.to_owned()), window: Some(kind(metric, None)), ..Which::default() };
        values.extend(vital(desk, metric, &which)?);
    }
    Ok(values)
}

/// The end of the day with which lists compare scores.
fn before_us(desk: &Desk<'_>) -> store::Result<i64> {
    let today = desk.calendar.date(desk.greatest_clock_us().unwrap_or(desk.now_us))?;
    let next = today.saturating_sub((BEFORE_DAYS - 1).days());
    desk.calendar.midnight_us(next)
}

/// All that the page of an account shows.
pub(crate) fn form(context: &Context<'_>, name: &str) -> Result<AccountForm, Fault> {
    let desk = context.desk;
    let account = desk.account(name)?;
    let (scores, score) = scores(desk, name)?;
    let select = AlertSelect { account: Some(name.to_owned()), ..AlertSelect::default() };
    let mut alerts = desk.alerts(&select)?;
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.at_us));
    let day = |at_us: i64| desk.calendar.date(at_us).map(|date| date.to_string());
    let projected = |of: &store::account::Projected| {
        Ok(Projected {
            day: day(of.at_us)?,
            score: of.score,
            components: of.moved.iter().map(|(name, _)| name.clone()).collect(),
        })
    };
    let known = context.backend.known(name, before_us(desk)?)?.unwrap_or_default();
    let traits = account.traits.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let traits = (!account.traits.is_empty()).then(|| Fact {
        name: "traits".to_owned(),
        at: known.traits_since.clone(),
        fields: traits,
    });
    Ok(AccountForm {
        contributions: contributions(&desk.settings.roles, &account, &known),
        projection: account.projection.iter().map(projected).collect::<store::Result<_>>()?,
        first_seen: scores.iter().find(|of| of.score.is_some()).map(|of| of.day.clone()),
        scores,
        score,
        values: values(desk, name)?,
        alerts: forms(alerts, context.backend)?,
        aliases: known.aliases,
        facts: traits.into_iter().chain(known.facts).collect(),
        row: row(desk, account),
    })
}

/// An account: score, components, projection, course, values and alerts.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", params(("id" = String, Path)),
    responses((status = 200, body = AccountForm), (status = 404)))]
pub(crate) async fn account(State(api): State<Api>, Path(id): Path<String>, asked: Asked) -> Response {
    let id = match name("id", id) {
        Ok(id) => id,
        Err(fault) => return fault.into_response(),
    };
    let ask = move |context: &Context<'_>, params: Params| {
        params.done()?;
        Answer::json(&form(context, &id)?)
    };
    api.by_all(asked, ask).await
}

/// A page of events of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    /// The newest first, each as `vitals events` prints it, without its place in the log.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
    /// Where the next page begins; null at the end.
    next: Option<String>,
}

/// Events that count for an account, the newest first; with those of accounts that were merged into it.
#[utoipa::path(get, path = "/accounts/{id}/events", tag = "accounts", params(("id" = String, Path),
    ("cursor" = Option<String>, Query), ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000),
    ("format" = Option<String>, Query)),
    responses((status = 200, body = Events), (status = 400)))]
pub(crate) async fn events(State(api): State<Api>, Path(id): Path<String>, asked: Asked) -> Response {
    let id = match name("id", id) {
        Ok(id) => id,
        Err(fault) => return fault.into_response(),
    };
    let ask = move |context: &Context<'_>, mut params: Params| {
        let cursor = params.take("cursor");
        let limit = params.number("limit", 1, 1_000, 50)?;
        params.done()?;
        let page = context.backend.events(&id, cursor.as_deref(), limit)?;
        if !context.csv {
            return Answer::json(&Events { events: page.events, next: page.next });
        }
        let cells = |event: Box<RawValue>| {
            let event: serde_json::Value = serde_json::from_str(event.get()).unwrap_or_default();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let data = event["data"].to_string();
            vec![text("time"), text("type"), text("source"), text("id"), text("recordedat"), data]
        };
        sheet::answer(&["time", "type", "source", "id", "recorded_at", "data"], page.events.into_iter().map(cells))
    };
    api.by_all(asked, ask).await
}

/// Why the score of an account is what it is.
#[utoipa::path(get, path = "/accounts/{id}/explain", tag = "accounts", params(("id" = String, Path),
    ("at" = Option<String>, Query, description = "before this time: a date or RFC 3339"),
    ("since" = Option<String>, Query, description = "also what moved it since this time"),
    ("metric" = Option<String>, Query), ("window" = Option<String>, Query)),
    responses((status = 200, body = Object), (status = 400), (status = 404)))]
pub(crate) async fn explain(State(api): State<Api>, Path(id): Path<String>, asked: Asked) -> Response {
    let id = match name("id", id) {
        Ok(id) => id,
        Err(fault) => return fault.into_response(),
    };
    let ask = move |context: &Context<'_>, mut params: Params| {
        let (at, since) = (params.take("at"), params.take("since"));
        let (metric, window) = (params.take("metric"), params.window()?);
        params.done()?;
        let score = context.desk.settings.roles.score.as_deref();
        if let Some(metric) = metric.filter(|metric| Some(metric.as_str()) != score) {
            let score = score.unwrap_or("a score, which the catalog does not have");
            return Err(Fault::unfit("metric", format!("is {metric:?}, only {score} is explained")));
        }
        if let Some(window) = window.filter(|window| *window != Kind::Day) {
            return Err(Fault::unfit("window", format!("is {window}, a score is kept by 1d")));
        }
        let explained = context.backend.explain(&id, at.as_deref(), since.as_deref())?;
        Answer::json(&explained)
    };
    api.by_all(asked, ask).await
}
