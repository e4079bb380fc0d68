//! Vital signs: the value now, the one that it is compared with, what is usual, and its course.
//!
//! Like with like: an open window is compared with as many days of the other one, where the metric's days add up.

use std::{ops::ControlFlow, sync::Arc};

use store::{
    Ask, MetricInfo, Row, ask,
    compare::{self, Compare},
    usual::{Compared, Course},
    window::{Kind, rfc3339},
};

use crate::{
    desk::Desk,
    fault::Fault,
    form::{Usual, Value, Verdict, Vital, change, direction, shown},
};

/// Values of the small chart.
const SPARK: usize = 30;
/// Number of windows that a usual range is made of, at most.
pub(crate) const USUAL_WINDOWS: usize = processor_core::usual::WINDOWS;

/// Which value of a metric is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Which {
    /// The kind of window; none is the metric's own.
    pub(crate) window: Option<Kind>,
    /// A dimension and its value.
    pub(crate) segment: Option<(String, String)>,
    /// Currency; none is that with most.
    pub(crate) currency: Option<String>,
    /// Account of a metric of accounts.
    pub(crate) account: Option<String>,
    /// With what it is compared.
    pub(crate) compare: Compare,
}

/// The kind of window in which a metric is shown: as wanted, if it has that; else the last 30 days, a month, or its only one.
pub(crate) fn kind(metric: &MetricInfo, wanted: Option<Kind>) -> Kind {
    let has = |kind: &Kind| metric.windows.contains(kind);
    let known = [wanted, Some(Kind::Trailing(30)), Some(Kind::Month)].into_iter().flatten().find(has);
    known.or_else(|| metric.windows.first().copied()).unwrap_or(Kind::Month)
}

impl Which {
    /// The question to the store.
    pub(crate) fn ask(&self, desk: &Desk<'_>, metric: &MetricInfo, kind: Kind) -> Ask {
        let mut filter: Vec<_> = self.segment.iter().cloned().collect();
        filter.extend(self.currency.iter().map(|code| ("currency".to_owned(), code.clone())));
        let by = self.segment.iter().map(|(name, _)| name.clone()).filter(|name| name != "currency").collect();
        Ask {
            tenant: desk.tenant.to_owned(),
            metric: metric.name.clone(),
            window: Some(kind.to_string()),
            by,
            filter,
            account: self.account.clone(),
            ..Ask::default()
        }
    }
}

/// How many windows say what is usual for the newest one.
fn looked_at(metric: &MetricInfo, desk: &Desk<'_>, kind: Kind) -> u32 {
    const DAY_US: i64 = 86_400_000_000;
    let grace_us = desk.settings.allowed_lateness_us.max(metric.maturity_us);
    let grace_days = u32::try_from(grace_us / DAY_US + 1).unwrap_or(u32::MAX).min(1_000);
    let windows = u32::try_from(USUAL_WINDOWS).unwrap_or(24);
    match kind {
        Kind::Trailing(days) => (windows + 1) * u32::from(days) + grace_days + 2,
        Kind::Hour => windows + 2 + grace_days * 24,
        Kind::Day => windows + 2 + grace_days,
        _ => windows + 3 + grace_days / 7,
    }
}

/// The rows of an answer, by series.
pub(crate) fn series(desk: &Desk<'_>, question: &Ask) -> store::Result<Vec<Vec<Row>>> {
    let mut all: Vec<Vec<Row>> = Vec::new();
    ask(desk, question, &mut |row| {
        let same = |rows: &&mut Vec<Row>| rows.last().is_some_and(|last| Arc::ptr_eq(&last.series, &row.series));
        match all.last_mut().filter(same) {
            Some(rows) => rows.push(row),
            None => all.push(vec![row]),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

/// Of series of several currencies the one with most in its newest window.
pub(crate) fn main_series(all: Vec<Vec<Row>>) -> Option<Vec<Row>> {
    let size = |rows: &[Row]| {
        let last = rows.last();
        let den = last.and_then(|row| row.point.den.as_deref()?.parse::<f64>().ok());
        den.or(last.and_then(|row| row.point.value)).map_or(-1.0, f64::abs)
    };
    // Of equals the first.
    all.into_iter().rev().max_by(|a, b| size(a).total_cmp(&size(b)))
}

/// The sign of a metric; none of a metric of money in which nothing happened yet.
pub(crate) fn vital(desk: &Desk<'_>, metric: &MetricInfo, which: &Which) -> Result<Option<Vital>, Fault> {
    let kind = kind(metric, which.window);
    let question = Ask { newest: Some(looked_at(metric, desk, kind)), ..which.ask(desk, metric, kind) };
    let Some(rows) = main_series(series(desk, &question)?) else { return Ok(None) };
    let Some(row) = rows.last() else { return Ok(None) };
    let range = range_of(desk, metric, &rows)?;
    let now = Value::of(desk, metric, &row.series, &row.point);
    let (other, other_days) = other(desk, metric, which, row)?.unzip();
    let (unit, currency) = (&row.series.unit, &row.series.currency);
    let (change, change_kind) = change(unit, now.value, other.as_ref().and_then(|other| other.value));
    let spark = &rows[rows.len().saturating_sub(SPARK)..];
    Ok(Some(Vital {
        metric: metric.name.clone(),
        title: metric.title.clone(),
        group: metric.group.clone(),
        direction: direction(metric).to_owned(),
        few: now.is_few(),
        now,
        other,
        other_days: other_days.flatten(),
        change,
        change_kind,
        verdict: Verdict::from(range.and_then(|range| range.verdict)),
        usual: range.map(|range| usual(range, unit, currency)),
        goal: None,
        spark: spark.iter().map(|row| row.point.value.map(|value| shown(value, unit, currency))).collect(),
    }))
}

/// A range as it is shown.
pub(crate) fn usual(range: Compared, unit: &str, currency: &str) -> Usual {
    let [low, high, centre] = [range.low, range.high, range.centre].map(|value| shown(value, unit, currency));
    Usual { low, high, centre, windows: USUAL_WINDOWS }
}

/// The usual range of the last row, by those before it.
pub(crate) fn range_of(desk: &Desk<'_>, metric: &MetricInfo, rows: &[Row]) -> Result<Option<Compared>, Fault> {
    let Some((last, before)) = rows.split_last() else { return Ok(None) };
    let mut course = Course::of(metric, &desk.settings)?;
    course.pass(before);
    Ok(course.next(last))
}

/// The value that a row is compared with, and the number of its days that count, unless all do.
fn other(
    desk: &Desk<'_>,
    metric: &MetricInfo,
    which: &Which,
    row: &Row,
) -> Result<Option<(Value, Option<i32>)>, Fault> {
    let Some(window) = compare::other(&row.point.window, which.compare, &desk.calendar)? else { return Ok(None) };
    let Some(clock) = desk.clock_us(&metric.name) else { return Ok(None) };
    let mut which = which.clone();
    if !row.series.currency.is_empty() {
        which.currency = Some(row.series.currency.clone());
    }
    let days = compare::days_passed(&row.point.window, &window, clock, &desk.calendar)?;
    if let Some((from, to)) = days.filter(|_| metric.additive && metric.windows.contains(&Kind::Day)) {
        let counted = (to - from).get_days();
        let (from, to) = (Some(from.to_string()), Some(to.to_string()));
        let question = Ask { from, to, ..which.ask(desk, metric, Kind::Day) };
        let found = series(desk, &question)?.into_iter().next();
        let points: Option<Vec<_>> = found.map(|rows| rows.into_iter().map(|row| row.point).collect());
        let sum = points.filter(|days| !days.is_empty()).map(|days| compare::sum_of(window, &days));
        return Ok(sum.map(|point| (Value::of(desk, metric, &row.series, &point), Some(counted))));
    }
    let Some(selector) = window.selector_us() else { return Ok(None) };
    let (from, to) = (Some(rfc3339(selector)), Some(rfc3339(selector + 1)));
    let question = Ask { from, to, ..which.ask(desk, metric, window.kind) };
    let found = series(desk, &question)?.into_iter().next().and_then(|rows| rows.into_iter().next());
    Ok(found.map(|row| (Value::of(desk, metric, &row.series, &row.point), None)))
}
