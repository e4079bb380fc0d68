//! Goals: how far the value of a metric is on its way to a target, a row for each local day.
//!
//! A row counts what is dated before the end of its day, and as passed the days that ended before that. It is moved by what
//! moves the metric, from the day of the change on, and by the midnight at which its day begins. A goal is measured in
//! whole local days: the value when it was set is that of the first midnight at or after, and until then that of now.
//!
//! Invariants: a goal is a function of the settings that stand and of the slices, whatever the instants in which both came:
//! of the settings of a goal the last before the end of a day is in force on it. A goal reads its metric through a line of
//! it, which is made with the goal, so that changes of slices lead to the goal without a look-up by text.

mod share;
mod terms;

use std::collections::BTreeMap;

use self::terms::Terms;
use super::{Published, Rollup, moved};
use crate::{
    calendar::{Kind, Time, Window},
    catalog::Goal,
    map::Map,
    plan::Plan,
    rational::Rational,
};

/// Number of a goal.
type Number = usize;

/// All goals.
#[derive(Debug)]
pub(super) struct Goals {
    /// The bundle of their settings.
    pub(super) bundle: Option<usize>,
    /// Their metrics, each with the number that it shows.
    metrics: Vec<(usize, Goal)>,
    list: Vec<OfName>,
    numbers: BTreeMap<Box<str>, Number>,
    /// By a line of theirs: the goal, and the number that it shows.
    shown: Map<u32, (Number, Goal)>,
    /// By a line that goals read.
    readers: Map<u32, Vec<Number>>,
}

/// Everything that was ever said of a goal of one name.
#[derive(Debug, Default)]
struct OfName {
    lines: Vec<u32>,
    /// By their order.
    settings: BTreeMap<Order, Setting>,
    /// From here on rows may have changed in this instant.
    moved: Option<Time>,
}

/// Time, source and id of a setting, and its other terms.
type Order = (Time, Box<str>, Box<str>, Box<[Box<str>]>);

#[derive(Debug)]
struct Setting {
    /// How often it was added, less how often it was taken back.
    count: i128,
    /// `None` ends the goal.
    terms: Option<Terms>,
}

impl OfName {
    /// The terms in force at the end of a day.
    fn before(&self, end: Time) -> Option<&Terms> {
        let settings = self.settings.iter().rev().filter(|(_, setting)| setting.count > 0);
        settings.skip_while(|((set, ..), _)| *set >= end).map(|(_, setting)| setting.terms.as_ref()).next()?
    }

    fn touch(&mut self, from: Time) {
        self.moved = Some(self.moved.map_or(from, |known| known.min(from)));
    }
}

impl Goals {
    pub(super) fn new(plan: &Plan) -> Goals {
        let metrics = plan.metrics.iter().enumerate().filter_map(|(number, metric)| Some((number, metric.goal?)));
        Goals {
            bundle: plan.goals,
            metrics: metrics.collect(),
            list: Vec::new(),
            numbers: BTreeMap::new(),
            shown: Map::default(),
            readers: Map::default(),
        }
    }

    /// Whether a line shows a goal.
    pub(super) fn shows(&self, line: u32) -> bool {
        self.shown.contains_key(&line)
    }

    /// A line changes from a slice on.
    pub(super) fn note(&mut self, line: u32, from: Time) {
        for number in self.readers.get(&line).into_iter().flatten() {
            self.list[*number].touch(from);
        }
    }
}

impl Rollup {
    /// Takes changes of the settings of goals: the values of their series, and what is added to each.
    pub(super) fn set_goals(&mut self, changes: Vec<(Vec<Box<str>>, i128)>, publish: bool) {
        for (values, change) in changes {
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            let Some((name, order)) = terms::order(&values) else { continue };
            let number = self.goal(name, publish);
            if !self.goals.list[number].settings.contains_key(&order) {
                let terms = self.terms(&values, order.0, publish);
                if let Some(Ok(of)) = terms.as_ref().map(|terms| &terms.of) {
                    self.goals.readers.entry(of.line).or_default().push(number);
                }
                self.goals.list[number].settings.insert(order.clone(), Setting { count: 0, terms });
            }
            let goal = &mut self.goals.list[number];
            if publish {
                goal.touch(order.0);
            }
            let setting = goal.settings.get_mut(&order).expect("it was put in above");
            setting.count += change;
        }
    }

    /// The goal of a name, with its lines.
    fn goal(&mut self, name: &str, publish: bool) -> Number {
        if let Some(number) = self.goals.numbers.get(name) {
            return *number;
        }
        let number = self.goals.list.len();
        self.goals.numbers.insert(name.into(), number);
        self.goals.list.push(OfName::default());
        for (metric, share) in self.goals.metrics.clone() {
            let line = self.line_of(metric, 0, &[name], publish);
            self.goals.shown.insert(line, (number, share));
            self.goals.list[number].lines.push(line);
        }
        number
    }

    /// Notes the rows of goals that this instant may move.
    pub(super) fn touch_goals(&mut self) {
        if self.goals.list.is_empty() {
            return;
        }
        let kind = self.windows.number(Kind::Day);
        let previous = Some(self.previous).filter(|previous| *previous != Time::MIN);
        let ages_now = self.passes_minute();
        let opened = previous.and_then(|previous| {
            self.windows.opened(Kind::Day, previous, self.clock).first().map(|window| window.opens)
        });
        for number in 0..self.goals.list.len() {
            let goal = &mut self.goals.list[number];
            let first = goal.settings.keys().next().map_or(Time::MAX, |(set, ..)| *set);
            let ages = goal.settings.values().any(|setting| setting.terms.as_ref().is_some_and(|terms| terms.ages));
            let from = [goal.moved.take(), opened, previous.filter(|_| ages && ages_now)].into_iter().flatten().min();
            let Some(from) = from.map(|from| from.max(first)).filter(|from| *from <= self.clock) else { continue };

            for opens in self.windows.since(kind, from, self.clock) {
                let lines = self.goals.list[number].lines.iter();
                self.touched.extend(lines.map(|line| moved(kind, opens, *line)));
            }
        }
    }

    /// What a line of a goal shows on a day; `None` where no goal is in force.
    pub(super) fn goal_row(&mut self, line: u32, day: &Window) -> Option<Published> {
        let (number, share) = *self.goals.shown.get(&line)?;
        let terms = self.goals.list[number].before(day.end).filter(|terms| day.start <= terms.due)?.clone();
        let shares = self.shares(&terms, day);
        let shown = match share {
            Goal::Progress => shares.progress,
            Goal::Expected => shares.expected,
            Goal::Lead => shares.lead(),
            Goal::State => shares.state(&terms, day),
        };
        Some(Published::new(shown.ok().map(Rational::to_f64), shown.err().unwrap_or_default()))
    }
}
