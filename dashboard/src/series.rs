//! `/metrics/{name}/value`, `/series` and `/breakdown`: a metric now, through time, and by its parts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use store::{Ask, MetricInfo, Row, compare, window::rfc3339};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::{Asked, name},
    fault::Fault,
    form::{Goal, Usual, Value, Vital, shown},
    goals,
    overview::Wanted,
    params::Params,
    sheet::{self, cell},
    vital::{Which, kind, main_series, series, vital},
};

/// The most windows of a series that one answer has.
const WINDOWS_MAX: u32 = 5_000;
/// The most series that one answer has; the rest is left out, the smallest first.
const SERIES_MAX: usize = 200;

/// A metric through time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesForm {
    /// Its name.
    metric: String,
    /// Unit of its values.
    unit: String,
    /// Currency, if all series have the same.
    currency: Option<String>,
    /// Time zone of the windows.
    zone: String,
    /// One for each set of values of the dimensions, and currency.
    series: Vec<One>,
    /// Where the newest value usually lies, if there is one series.
    usual: Option<Usual>,
    /// The goal on it.
    goal: Option<Goal>,
}

/// A line through time.
#[derive(Debug, Serialize, ToSchema)]
pub struct One {
    /// Values of the dimensions.
    dimensions: BTreeMap<String, String>,
    /// ISO 4217, of what is kept by currency.
    currency: Option<String>,
    /// The account of a metric of accounts.
    account: Option<String>,
    /// In order of time.
    points: Vec<Point>,
}

/// A value in a window.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    #[serde(flatten)]
    value: Value,
    /// Of a corrected value: what it was before it was corrected for the first time. Null of any other, and where the store
    /// has not seen that.
    first: Option<f64>,
}

/// What of a metric is asked for.
fn which(params: &mut Params) -> Result<Which, Fault> {
    let Wanted { window, compare, segment } = Wanted::take(params)?;
    let (currency, account) = (params.take("currency"), params.take("account"));
    Ok(Which { window, segment, currency, account, compare })
}

/// A metric that has the window; what is asked for by name is not replaced by another one.
fn asked_kind(metric: &MetricInfo, which: &Which) -> Result<store::window::Kind, Fault> {
    match which.window.filter(|kind| !metric.windows.contains(kind)) {
        None => Ok(kind(metric, which.window)),
        Some(other) => {
            let known: Vec<String> = metric.windows.iter().map(ToString::to_string).collect();
            let name = &metric.name;
            Err(Fault::unfit("window", format!("metric {name} has no window {other}; it has {}", known.join(", "))))
        }
    }
}

/// Runs with the name of the path.
macro_rules! with_name {
    ($api:ident, $of:ident, $asked:ident, $method:ident, $ask:expr) => {
        match name("name", $of) {
            Ok(of) => {
                let ask = $ask;
                $api.$method($asked, move |context: &Context<'_>, params: Params| ask(context, &of, params)).await
            }
            Err(fault) => fault.into_response(),
        }
    };
}

/// A metric now, with what it is compared with.
#[utoipa::path(get, path = "/metrics/{name}/value", tag = "metrics", params(("name" = String, Path),
    ("window" = Option<String>, Query), ("compare" = Option<String>, Query), ("segment" = Option<String>, Query),
    ("currency" = Option<String>, Query), ("account" = Option<String>, Query)),
    responses((status = 200, body = Vital), (status = 400), (status = 404)))]
pub(crate) async fn value(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, of: &str, mut params: Params| {
        let which = which(&mut params)?;
        params.done()?;
        Answer::json(&sign(context, of, &which)?)
    };
    with_name!(api, of, asked, by_store, ask)
}

/// The sign of a metric of that name.
pub(crate) fn sign(context: &Context<'_>, of: &str, which: &Which) -> Result<Vital, Fault> {
    let metric = context.desk.metric(of)?;
    asked_kind(metric, which)?;
    if metric.per_account && which.account.is_none() {
        return Err(Fault::unfit("account", format!("metric {of} is kept per account: name one")));
    }
    let found = vital(context.desk, metric, which)?;
    let mut found = found.ok_or_else(|| Fault::missing("nothing of it is stored yet: nothing happened in it"))?;
    found.goal = goal_on(context, metric, which)?;
    Ok(found)
}

fn goal_on(context: &Context<'_>, metric: &MetricInfo, which: &Which) -> Result<Option<Goal>, Fault> {
    let dimensions: BTreeMap<String, String> = which.segment.iter().cloned().collect();
    let goals = goals::current(context)?;
    Ok(goals.into_iter().find(|goal| goal.metric == metric.name && goal.dimensions == dimensions))
}

fn get_series(context: &Context<'_>, of: &str, mut params: Params) -> Result<Answer, Fault> {
    let metric = context.desk.metric(of)?;
    let which = which(&mut params)?;
    let kind = asked_kind(metric, &which)?;
    let by = params.take("by");
    let (from, to) = (params.take("from"), params.take("to"));
    let limit = params.number("limit", 1, WINDOWS_MAX, 60)?;
    params.done()?;
    if metric.per_account && which.account.is_none() {
        return Err(Fault::unfit("account", format!("metric {of} is kept per account: name one")));
    }
    let mut question = Ask { newest: Some(limit), from, to, ..which.ask(context.desk, metric, kind) };
    let dimensions = by.iter().flat_map(|by| by.split(','));
    question.by.extend(dimensions.map(|name| processor_core::plan::canonical(name).to_owned()));
    let mut all = series(context.desk, &question)?;
    let newest = |rows: &[Row]| rows.last().and_then(|row| row.point.value).unwrap_or(f64::NEG_INFINITY);
    if all.len() > SERIES_MAX {
        all.sort_by(|a, b| newest(b).total_cmp(&newest(a)));
        all.truncate(SERIES_MAX);
    }
    if context.csv {
        let rows = all.iter().flatten().map(store::sheet::cells);
        return sheet::answer(&store::sheet::COLUMNS, rows);
    }
    Answer::json(&form(context, metric, &which, all)?)
}

fn form(context: &Context<'_>, metric: &MetricInfo, which: &Which, all: Vec<Vec<Row>>) -> Result<SeriesForm, Fault> {
    let desk = context.desk;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut currencies: Vec<&str> = all.iter().flatten().map(|row| row.series.currency.as_str()).collect();
    currencies.dedup();
    let currency = if currencies.len() == 1 { some(currencies[0]) } else { None };
    let range = if all.len() == 1 { vital(desk, metric, which)?.and_then(|vital| vital.usual) } else { None };
    let one = |rows: Vec<Row>| {
        let series = rows.first().map(|row| row.series.clone()).unwrap_or_default();
        let first = |point: &store::Point| point.first.map(|value| shown(value, &series.unit, &series.currency));
        let point = |row: &Row| Point { value: Value::of(desk, metric, &series, &row.point), first: first(&row.point) };
        let points = rows.iter().map(point);
        One {
            points: points.collect(),
            dimensions: series.dimensions.clone(),
            currency: some(&series.currency),
            account: series.account.clone(),
        }
    };
    Ok(SeriesForm {
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        currency,
        zone: desk.settings.time_zone.clone(),
        goal: goal_on(context, metric, which)?,
        usual: range,
        series: all.into_iter().map(one).collect(),
    })
}

/// A metric through time.
#[utoipa::path(get, path = "/metrics/{name}/series", tag = "metrics", params(("name" = String, Path),
    ("window" = Option<String>, Query), ("from" = Option<String>, Query, description = "a date or RFC 3339"),
    ("to" = Option<String>, Query, description = "before this date or time"),
    ("segment" = Option<String>, Query), ("currency" = Option<String>, Query), ("account" = Option<String>, Query),
    ("by" = Option<String>, Query, description = "dimensions, separated by commas"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "the newest windows, 60 by default"),
    ("compare" = Option<String>, Query), ("format" = Option<String>, Query)),
    responses((status = 200, body = SeriesForm), (status = 400), (status = 404)))]
pub(crate) async fn series_of(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    with_name!(api, of, asked, by_store, get_series)
}

/// A metric by its parts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breakdown {
    /// The dimension.
    by: String,
    /// The greatest first.
    parts: Vec<PartOf>,
    /// The whole.
    total: Vital,
}

/// A part of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartOf {
    /// Value of the dimension.
    key: String,
    /// The value now.
    now: Option<Value>,
    /// The value that it is compared with.
    other: Option<Value>,
    /// What the part adds to the change of the whole; all parts add up to it. Null where values cannot be split.
    effect: Option<f64>,
    /// Its share of the whole: of the cases, of a ratio.
    share: Option<f64>,
}

/// The values of the parts in one window, by key.
fn parts_in(
    context: &Context<'_>,
    metric: &MetricInfo,
    which: &Which,
    by: &str,
    window: &store::Window,
) -> Result<BTreeMap<String, Row>, Fault> {
    let selector = window.selector_us();
    let question = Ask {
        by: vec![by.to_owned()],
        from: selector.map(rfc3339),
        to: selector.map(|at| rfc3339(at + 1)),
        ..which.ask(context.desk, metric, window.kind)
    };
    let mut parts = BTreeMap::new();
    for row in series(context.desk, &question)?.into_iter().flatten() {
        parts.insert(row.series.dimensions.get(by).cloned().unwrap_or_default(), row);
    }
    Ok(parts)
}

fn get_breakdown(context: &Context<'_>, of: &str, mut params: Params) -> Result<Answer, Fault> {
    let desk = context.desk;
    let metric = desk.metric(of)?;
    let mut which = which(&mut params)?;
    let by = params.take("by").ok_or_else(|| Fault::wrong("by", "is missing, expected a dimension"))?;
    let by = processor_core::plan::canonical(&by).to_owned();
    params.done()?;
    if metric.per_account {
        return Err(Fault::unfit("name", format!("metric {of} is kept per account: it has no parts")));
    }
    let kind = asked_kind(metric, &which)?;
    let whole = series(desk, &Ask { newest: Some(1), ..which.ask(desk, metric, kind) })?;
    let rows = main_series(whole).ok_or_else(|| Fault::missing("nothing of it is stored yet"))?;
    let Some(last) = rows.last().cloned() else { return Err(Fault::missing("nothing of it is stored yet")) };
    if !last.series.currency.is_empty() {
        which.currency = Some(last.series.currency.clone());
    }
    let total = sign(context, of, &which)?;
    let now = parts_in(context, metric, &which, &by, &last.point.window)?;
    let window = compare::other(&last.point.window, which.compare, &desk.calendar)?;
    let before = match &window {
        Some(window) => others(context, metric, &which, &by, &last.point.window, window)?,
        None => BTreeMap::new(),
    };
    let parts = parts(context, metric, &total, &now, &before, window.is_some());
    if context.csv {
        return csv_of_parts(parts);
    }
    Answer::json(&Breakdown { by, parts, total })
}

/// The parts of the other window: of an open window as many days of it, where days add up.
fn others(
    context: &Context<'_>,
    metric: &MetricInfo,
    which: &Which,
    by: &str,
    now: &store::Window,
    other: &store::Window,
) -> Result<BTreeMap<String, Row>, Fault> {
    let desk = context.desk;
    let clock = desk.clock_us(&metric.name).unwrap_or(i64::MIN);
    let days = compare::days_passed(now, other, clock, &desk.calendar)?;
    let day = store::window::Kind::Day;
    let Some((from, to)) = days.filter(|_| metric.additive && metric.windows.contains(&day)) else {
        return parts_in(context, metric, which, by, other);
    };
    let question = Ask {
        by: vec![by.to_owned()],
        from: Some(from.to_string()),
        to: Some(to.to_string()),
        ..which.ask(desk, metric, day)
    };
    let mut parts = BTreeMap::new();
    for rows in series(desk, &question)? {
        let Some(series) = rows.first().map(|row| Arc::clone(&row.series)) else { continue };
        let key = series.dimensions.get(by).cloned().unwrap_or_default();
        let points: Vec<_> = rows.into_iter().map(|row| row.point).collect();
        parts.insert(key, Row { series, point: compare::sum_of(*other, &points) });
    }
    Ok(parts)
}

/// Numerator of a part, and the denominator of the whole.
fn terms(part: Option<&Row>, whole: &Value) -> Option<(f64, f64)> {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    Some((number(&part?.point.num)?, number(&whole.den)?))
}

fn parts(
    context: &Context<'_>,
    metric: &MetricInfo,
    total: &Vital,
    now: &BTreeMap<String, Row>,
    before: &BTreeMap<String, Row>,
    compared: bool,
) -> Vec<PartOf> {
    let value = |row: Option<&Row>| row.map(|row| Value::of(context.desk, metric, &row.series, &row.point));
    let keys: std::collections::BTreeSet<&String> = now.keys().chain(before.keys()).collect();
    let is_ratio = total.now.num.is_some() && total.now.den.is_some();
    let part = |key: &String| {
        let (row, old) = (now.get(key), before.get(key));
        let (now, other) = (value(row), value(old));
        let effect = match &total.other {
            Some(whole) if is_ratio => compare::effect(terms(row, &total.now), terms(old, whole)),
            Some(_) if metric.additive || metric.fill == store::Fill::Carry => {
                let of = |value: &Option<Value>| value.as_ref().map_or(Some(0.0), |value| value.value);
                of(&now).zip(of(&other)).map(|(now, other)| now - other)
            }
            _ => None,
        };
        let cases = |value: &Value| value.den.as_ref().and_then(|den| den.parse::<f64>().ok());
        let size = |value: &Value| if is_ratio { cases(value) } else { value.value };
        let share = now.as_ref().and_then(size).zip(size(&total.now)).filter(|(_, whole)| *whole != 0.0);
        let share = share.map(|(part, whole)| part / whole);
        PartOf { key: key.clone(), now, other, effect: effect.filter(|_| compared), share }
    };
    let mut parts: Vec<PartOf> = keys.into_iter().map(part).collect();
    let size = |part: &PartOf| part.share.unwrap_or(f64::NEG_INFINITY);
    parts.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.key.cmp(&b.key)));
    parts
}

fn csv_of_parts(parts: Vec<PartOf>) -> Result<Answer, Fault> {
    let value = |value: Option<Value>| cell(value.and_then(|value| value.value));
    let cells = |part: PartOf| vec![part.key, value(part.now), value(part.other), cell(part.effect), cell(part.share)];
    sheet::answer(&["key", "now", "other", "effect", "share"], parts.into_iter().map(cells))
}

/// A metric by its parts, and what each adds to the change.
#[utoipa::path(get, path = "/metrics/{name}/breakdown", tag = "metrics", params(("name" = String, Path),
    ("by" = String, Query, description = "a dimension"), ("window" = Option<String>, Query),
    ("compare" = Option<String>, Query), ("currency" = Option<String>, Query), ("segment" = Option<String>, Query),
    ("account" = Option<String>, Query), ("format" = Option<String>, Query)),
    responses((status = 200, body = Breakdown), (status = 400), (status = 404)))]
pub(crate) async fn breakdown(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    with_name!(api, of, asked, by_store, get_breakdown)
}
