//! `/goals`: what was set, how far it is, and where it should be today.

use axum::{extract::State, response::Response};
use serde::Serialize;
use store::{Ask, goal, window::rfc3339};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::Asked,
    backend::GoalTerms,
    desk::Desk,
    fault::Fault,
    form::{Goal, shown},
    params::Params,
    vital::{Which, kind, main_series, series},
};

/// The goals.
#[derive(Debug, Serialize, ToSchema)]
pub struct Goals {
    /// By name.
    goals: Vec<Goal>,
}

/// All goals that are set.
pub(crate) fn all(context: &Context<'_>) -> Result<Vec<Goal>, Fault> {
    context.backend.goals()?.iter().map(|terms| form(context.desk, terms)).collect()
}

/// The goals that are not over, and those that ended in the last days.
pub(crate) fn current(context: &Context<'_>) -> Result<Vec<Goal>, Fault> {
    const DAYS_US: i64 = 7 * 86_400_000_000;
    let clock = context.desk.greatest_clock_us().unwrap_or(i64::MIN);
    let is_current = |goal: &Goal| {
        let due = goal.by.as_ref().and_then(|by| context.desk.calendar.parse_us(by).ok());
        due.is_none_or(|due| due >= clock.saturating_sub(DAYS_US))
    };
    Ok(all(context)?.into_iter().filter(is_current).collect())
}

fn form(desk: &Desk<'_>, terms: &GoalTerms) -> Result<Goal, Fault> {
    let newest = |metric: &str| newest(desk, metric, &terms.goal);
    let (progress, gone, state) = (newest("goal_progress")?, newest("goal_expected")?, newest("goal_state")?);
    let metric = desk.catalog.iter().find(|known| known.name == terms.metric);
    let adds = metric.is_some_and(|metric| metric.additive);
    let unit = metric.map(|metric| metric.unit.clone()).unwrap_or_default();
    let value = match metric {
        Some(_) if adds => progress.map(|progress| progress * terms.target),
        Some(metric) => level(desk, metric, terms)?,
        None => None,
    };
    let expected = goal::expected(terms.target, value, progress, gone, adds);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let shown = |value: f64| shown(value, &unit, &terms.currency);
    Ok(Goal {
        name: terms.goal.clone(),
        target: shown(terms.target),
        expected: expected.map(shown),
        state: goal::State::of(state).name().to_owned(),
        by: some(&terms.due),
        value: value.map(shown),
        metric: terms.metric.clone(),
        dimensions: terms.dimensions.clone(),
        title: metric.map_or_else(|| terms.metric.clone(), |metric| metric.title.clone()),
        currency: some(&terms.currency),
        progress,
        window: terms.window.clone(),
        unit,
    })
}

/// The newest value of one of the metrics of goals.
fn newest(desk: &Desk<'_>, metric: &str, goal: &str) -> Result<Option<f64>, Fault> {
    let Ok(metric) = desk.metric(metric) else { return Ok(None) };
    let which = Which { segment: Some(("goal".to_owned(), goal.to_owned())), ..Which::default() };
    let kind = kind(metric, None);
    // One that is over has no rows any more: its last one says what it came to.
    let question = Ask { newest: Some(500), ..which.ask(desk, metric, kind) };
    let rows = series(desk, &question)?.into_iter().next().unwrap_or_default();
    Ok(rows.iter().rev().find_map(|row| row.point.value))
}

/// The value of a ratio, a mean or a level, in the window of the goal.
fn level(desk: &Desk<'_>, metric: &store::MetricInfo, terms: &GoalTerms) -> Result<Option<f64>, Fault> {
    let kind = kind(metric, terms.window.parse().ok());
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let which = Which { currency: some(&terms.currency), ..Which::default() };
    let by = terms.dimensions.keys().cloned().collect();
    let mut filter: Vec<_> = terms.dimensions.clone().into_iter().collect();
    filter.extend(some(&terms.currency).map(|code| ("currency".to_owned(), code)));
    let due = desk.calendar.parse_us(&terms.due).ok().zip(desk.greatest_clock_us());
    let to = due.filter(|(due, clock)| due <= clock).map(|(due, _)| rfc3339(due));
    let question = Ask { newest: Some(1), by, filter, to, ..which.ask(desk, metric, kind) };
    // The metric may lack a dimension of the goal: then there is no value, and `goal_state` says why.
    let rows = series(desk, &question).ok().and_then(main_series);
    Ok(rows.and_then(|rows| rows.last()?.point.value))
}

/// All goals, with how far they are.
#[utoipa::path(get, path = "/goals", tag = "goals", responses((status = 200, body = Goals)))]
pub(crate) async fn goals(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        Answer::json(&Goals { goals: all(context)? })
    };
    api.by_all(asked, ask).await
}
