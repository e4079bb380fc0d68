//! What a setting of a goal says: which value, its target, and when it is due.

use super::Order;
use crate::{
    calendar::{DAY, Kind, Time},
    catalog::Per,
    lifecycle::goal::{GOAL, parse_dimensions},
    plan::{Metric, canonical},
    rational::Rational,
    rollup::Rollup,
};

/// The terms of a goal.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) target: Rational,
    /// Whether the target is met by what is not above it.
    pub(super) down: bool,
    pub(super) set: Time,
    pub(super) due: Time,
    pub(super) kind: Kind,
    /// Number of whole local days of its time.
    pub(super) days: i128,
    /// Whether its value changes as time passes, though nothing happens.
    pub(super) ages: bool,
    /// The value that it is about, or why there is none.
    pub(super) of: Result<Of, &'static str>,
}

/// The value that a goal is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    /// A line of the metric.
    pub(super) line: u32,
    /// Place of the kind of window among those of the metric.
    pub(super) place: usize,
    pub(super) sort: Sort,
}

/// The metric, view, place of the kind of window and group that a setting names.
type Aim = (usize, usize, usize, Vec<Box<str>>);

/// How a value becomes one of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A sum or count adds up over the window.
    Sum,
    /// A level is that of an instant.
    Level,
    /// A ratio, mean or quantile is that of a window as far as it has come.
    Share,
}

impl Sort {
    fn of(metric: &Metric) -> Sort {
        match metric.fill() {
            "zero" => Sort::Sum,
            "carry" => Sort::Level,
            _ => Sort::Share,
        }
    }
}

/// The value of a term in the values of a series.
fn term<'v>(values: &[&'v str], name: &str) -> &'v str {
    GOAL.place(name).and_then(|place| values.get(place)).copied().unwrap_or_default()
}

/// The name of a goal, and the order of this setting of it; `None` for values that no fact has.
pub(super) fn order<'v>(values: &[&'v str]) -> Option<(&'v str, Order)> {
    let own = |name| Box::from(term(values, name));
    let rest = values.iter().skip(4).map(|value| Box::from(*value)).collect();
    let set = term(values, "set").parse().ok()?;
    Some((term(values, "goal"), (set, own("set_by"), own("set_as"), rest)))
}

impl Rollup {
    /// The terms of a setting; `None` if it ends the goal.
    pub(super) fn terms(&mut self, values: &[&str], set: Time, publish: bool) -> Option<Terms> {
        let target = Rational::parse(term(values, "target"))?;
        let kind = match term(values, "window") {
            "" => Ok(Kind::Quarter),
            text => text.parse(),
        };
        let kind = kind.ok().filter(|kind| *kind != Kind::ToDate);
        let due = self.due(term(values, "due"), kind.unwrap_or(Kind::Quarter), set);
        let found = kind.ok_or(NO_WINDOW).and_then(|kind| self.aim(values, kind));
        let ages = found.as_ref().is_ok_and(|(metric, ..)| self.plan.metrics[*metric].ages());
        let of = found.map(|(metric, view, place, group)| {
            let group: Vec<&str> = group.iter().map(AsRef::as_ref).collect();
            let line = self.line_of(metric, view, &group, publish);
            Of { line, place, sort: Sort::of(&self.plan.metrics[metric]) }
        });
        let down = term(values, "direction") == "down";
        let mut terms = Terms { target, down, set, due, kind: kind.unwrap_or(Kind::Quarter), days: 0, ages, of };
        let (first, to) = self.time_of(&terms);
        terms.days = self.days(first, to);
        Some(terms)
    }

    /// A date means its end; without one a goal is due at the end of the window in which it is set. What is too far ahead
    /// to mean anything is cut off, so that its days can be counted.
    fn due(&mut self, text: &str, kind: Kind, set: Time) -> Time {
        match self.windows.calendar.instant(text).map(|due| due.clamp(set - FURTHEST, set + FURTHEST)) {
            Some(start) if text.len() == DATE => self.windows.calendar.window(Kind::Day, start).end,
            Some(instant) => instant,
            None => self.windows.calendar.window(kind, set).end,
        }
    }

    /// What a setting is about, or what of it is not there.
    fn aim(&self, values: &[&str], kind: Kind) -> Result<Aim, &'static str> {
        let name = term(values, "metric");
        let number = self.plan.metrics.iter().position(|metric| metric.name == name && metric.goal.is_none());
        let number = number.ok_or(NO_METRIC)?;
        let metric = &self.plan.metrics[number];
        if metric.per == Per::Account {
            return Err(BY_ACCOUNT);
        }

        let place = metric.kinds.iter().position(|known| *known == kind);
        let place = place.or((Sort::of(metric) == Sort::Level).then_some(0)).ok_or(NO_WINDOW)?;
        let named = parse_dimensions(term(values, "dimensions")).ok_or(NO_DIMENSION)?;
        let named: Vec<(&str, &str)> = named.into_iter().map(|(name, value)| (canonical(name), value)).collect();
        let has = |name: &String| named.iter().any(|(known, _)| known == name);
        let is_it = |by: &Vec<String>| by.len() == named.len() && by.iter().all(has);
        let view = metric.views.iter().position(|view| is_it(&view.by)).ok_or(NO_DIMENSION)?;

        let value_of = |name: &String| named.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        let mut group: Vec<Box<str>> = metric.views[view].by.iter().map(|name| value_of(name).into()).collect();
        if metric.money() {
            let currency = Some(term(values, "currency")).filter(|currency| !currency.is_empty());
            group.push(currency.ok_or(NO_CURRENCY)?.into());
        }
        Ok((number, view, place, group))
    }
}

/// A hundred years.
const FURTHEST: Time = 36_525 * DAY;

/// Length of `2026-01-31`.
const DATE: usize = 10;

const NO_METRIC: &str = "no such metric";
const NO_WINDOW: &str = "no such window of the metric";
const NO_DIMENSION: &str = "no such dimensions of the metric";
const NO_CURRENCY: &str = "a goal on money needs its currency";
/// The values of accounts are not known here.
const BY_ACCOUNT: &str = "a goal is on a metric of the whole business, not of each account";
