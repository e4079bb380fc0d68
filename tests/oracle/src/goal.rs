//! Goals: `goal_progress`, `goal_expected`, `goal_lead`, `goal_state`, by goal, a row for each local day.
//!
//! A row counts what is dated before the end of its day, and as passed the days that ended before that. A goal has rows
//! from the day on which it is set to the day that begins when it is due, or until it ends.
//!
//! A goal on a sum is about its own window alone. Of any other metric with windows the value is that of the window of the
//! goal's kind in which the day lies, up to the goal's own; the baseline is that of the window in which it is set. Such a
//! goal is measured in whole local days: its baseline, and of a level what counts when it is due, is that of the first
//! midnight at or after.

use crate::base::Seen;
use crate::calendar::{self, Kind, Window};
use crate::decimal::{self, Fraction};
use crate::known::{Known, Over};
use crate::read::Event;
use crate::row::{Answer, By, NO_DENOMINATOR, Row};
use crate::{Error, Micros, local, rational};
use std::collections::{BTreeMap, HashMap};

/// Why there is no progress.
pub const NO_BASELINE: &str = "no baseline";
/// Why there is no progress.
pub const TARGET_IS_BASELINE: &str = "target is the baseline";

/// A goal as it was set once.
#[derive(Clone, Debug)]
struct Goal<'a> {
    name: &'a str,
    metric: &'a str,
    set: Micros,
    /// `None` ends it.
    target: Option<Fraction>,
    down: bool,
    /// The instant at which it is due.
    due: Micros,
    kind: Kind,
    group: (By, &'a str),
    currency: Option<&'a str>,
}

/// Metrics whose value is a sum or a count.
fn is_sum(metric: &str) -> bool {
    metric.ends_with("_mrr")
        || matches!(metric, "orders" | "net_revenue" | "net_new_revenue" | "customers_started" | "customers_lost")
}

/// Metrics that have a value at an instant.
fn is_level(metric: &str) -> bool {
    matches!(
        metric,
        "customers"
            | "pipeline_value"
            | "weighted_pipeline_value"
            | "response_time_waiting"
            | "response_time_oldest_waiting"
            | "health_score_accounts"
    )
}

/// Metrics of which the engine's value may be off by one in a hundred.
fn is_quantile(metric: &str) -> bool {
    metric.ends_with("_p50") || metric.ends_with("_p90")
}

fn goal<'a>(event: &'a Event, known: &Known<'_>) -> Option<Goal<'a>> {
    let kind = event.text("window").unwrap_or("1q");
    let kind = Kind::ALL.into_iter().find(|found| found.name() == kind)?;
    let mut group = (By::Nothing, "");
    let dimensions = event.data.get("dimensions").and_then(serde_json::Value::as_object);
    for (name, value) in dimensions.into_iter().flatten() {
        group = (By::ALL.into_iter().find(|by| by.name() == name)?, value.as_str().unwrap_or_default());
    }
    let own = calendar::windows(kind, known.settings, event.time, event.time).ok()?;
    let own_end = own.last().map(|window| window.end);
    Some(Goal {
        name: event.text("goal").unwrap_or_default(),
        metric: event.text("metric").unwrap_or_default(),
        set: event.time,
        target: event.data.get("target").and_then(decimal::fraction),
        down: event.text("direction") == Some("down"),
        due: event.text("due").and_then(|text| local::end(text, &known.settings.zone)).or(own_end)?,
        kind,
        group,
        currency: event.text("currency").filter(|currency| !currency.is_empty()),
    })
}

/// Works out goals from what is known.
pub struct Goals<'k> {
    known: &'k Known<'k>,
    seen: &'k Seen<'k>,
    over: Over<'k>,
    /// Rows of a window up to an instant, worked out once for all goals of a day.
    rows: HashMap<(Window, Micros), Vec<Row>>,
    /// What a goal's value was when it was set.
    baselines: HashMap<(&'k str, Micros), Option<Range>>,
}

impl<'k> Goals<'k> {
    /// From what is known.
    pub fn of(known: &'k Known<'k>, seen: &'k Seen<'k>) -> Self {
        Self { known, seen, over: known.over(), rows: HashMap::new(), baselines: HashMap::new() }
    }

    /// The rows of all goals on the days (ascending) that exist.
    pub fn rows(&mut self, days: &[Window], rows: &mut Vec<Row>) -> Result<(), Error> {
        let mut settings: BTreeMap<&str, Vec<Goal<'k>>> = BTreeMap::new();
        for event in self.known.events.iter().filter(|event| event.kind == "goal.set") {
            if let Some(goal) = goal(event, self.known) {
                settings.entry(goal.name).or_default().push(goal);
            }
        }
        for day in days {
            for goals in settings.values() {
                // The last setting before the day's end is in force.
                let last = goals.partition_point(|goal| goal.set < day.end);
                let Some(goal) = last.checked_sub(1).map(|at| &goals[at]) else { continue };
                if let Some(target) = goal.target.filter(|_| day.start <= goal.due) {
                    self.row(goal, target, *day, rows)?;
                }
            }
            self.rows.clear();
        }
        Ok(())
    }

    fn row(&mut self, goal: &Goal<'k>, target: Fraction, day: Window, rows: &mut Vec<Row>) -> Result<(), Error> {
        let (value, progress, expected) = match is_sum(goal.metric) {
            true => self.of_sum(goal, target, day)?,
            false => self.of_value(goal, target, day)?,
        };
        let lead = match (&progress, &expected) {
            (Ok((low, high)), Ok((expected, _))) => Ok((minus(*low, *expected), minus(*high, *expected))),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        };
        let state = state(goal, value.ok_or(progress.err().unwrap_or(NO_DENOMINATOR)), target, lead, day);
        let shares =
            [("goal_progress", progress), ("goal_expected", expected), ("goal_lead", lead), ("goal_state", state)];
        for (metric, share) in shares {
            let answer = match share {
                Ok((low, high)) if low == high => Answer::Compound(low.0, low.1),
                Ok((low, high)) => Answer::Between(low, high),
                Err(reason) => Answer::Null(reason),
            };
            rows.push(Row::aggregate(metric, day, (By::Goal, goal.name), None, answer));
        }
        Ok(())
    }

    fn of_sum(&mut self, goal: &Goal<'k>, target: Fraction, day: Window) -> Result<Found, Error> {
        let Some(window) = self.last_window(goal)? else {
            return Ok((None, Err(NO_DENOMINATOR), Err(NO_DENOMINATOR)));
        };
        let value = self.value(goal, window, day.end.min(window.end)).unwrap_or(exactly((0, 1)));
        let progress = divide(value.0, target).map(exactly).ok_or(NO_DENOMINATOR);
        Ok((Some(value), progress, self.passed((window.start, window.end), day)))
    }

    fn of_value(&mut self, goal: &Goal<'k>, target: Fraction, day: Window) -> Result<Found, Error> {
        let expected = self.passed((goal.set, goal.due), day);
        let baseline = match self.baselines.get(&(goal.name, goal.set)) {
            Some(known) => *known,
            None => self.baseline(goal)?,
        };
        let value = match is_level(goal.metric) {
            true => self.level(goal, day.end.min(self.midnight(goal.due)))?,
            false => {
                let own = self.last_window(goal)?;
                let now = own.map_or(day.end, |own| day.end.min(own.end));
                self.holding(goal, now - 1)?.and_then(|window| self.value(goal, window, now))
            }
        };
        let progress = match (baseline, value) {
            (None, _) => Err(NO_BASELINE),
            (_, None) => Err(NO_DENOMINATOR),
            (Some(baseline), Some(value)) => progress(baseline, value, target),
        };
        Ok((value, progress, expected))
    }

    fn baseline(&mut self, goal: &Goal<'k>) -> Result<Option<Range>, Error> {
        let set = self.midnight(goal.set);
        let baseline = match is_level(goal.metric) {
            true => self.level(goal, set)?,
            false => self.holding(goal, goal.set)?.and_then(|window| self.value(goal, window, set)),
        };
        self.baselines.insert((goal.name, goal.set), baseline);
        Ok(baseline)
    }

    /// The first local midnight at or after an instant.
    fn midnight(&self, at: Micros) -> Micros {
        let zone = &self.known.settings.zone;
        (local::day(at, zone)..)
            .find_map(|day| local::midnight_of(day, zone).filter(|midnight| *midnight >= at))
            .unwrap_or(at)
    }

    /// The share of the whole local days of `[from, to)` that ended before the end of `day`.
    fn passed(&self, (from, to): (Micros, Micros), day: Window) -> Share {
        let zone = &self.known.settings.zone;
        let (mut all, mut passed) = (0, 0);
        for number in local::day(from, zone)..=local::day(to, zone) {
            let bounds = local::midnight_of(number, zone).zip(local::midnight_of(number + 1, zone));
            let Some((_, end)) = bounds.filter(|(start, end)| from <= *start && start < end && *end <= to) else {
                continue;
            };
            all += 1;
            passed += i128::from(end < day.end);
        }
        divide((passed, 1), (all, 1)).map(exactly).ok_or(NO_DENOMINATOR)
    }

    /// The last window of the goal's kind that ends at or before it is due.
    fn last_window(&self, goal: &Goal<'_>) -> Result<Option<Window>, Error> {
        const YEARS: Micros = 2 * 366 * 86_400_000_000;
        let windows = calendar::windows(goal.kind, self.known.settings, goal.due - YEARS, goal.due)?;
        Ok(windows.into_iter().rev().find(|window| window.end <= goal.due))
    }

    /// The window of the goal's kind that holds an instant; a trailing one that has it in its last day.
    fn holding(&self, goal: &Goal<'_>, instant: Micros) -> Result<Option<Window>, Error> {
        Ok(calendar::windows(goal.kind, self.known.settings, instant, instant)?.into_iter().next_back())
    }

    fn level(&mut self, goal: &Goal<'k>, at: Micros) -> Result<Option<Range>, Error> {
        let day = calendar::windows(Kind::Day, self.known.settings, at - 1, at - 1)?.into_iter().next_back();
        Ok(day.and_then(|day| self.value(goal, day, at)).or(Some(exactly((0, 1)))))
    }

    /// The value of a window up to an instant: of what is dated before it all that is known now, as of any window. An answer
    /// that a later one replaced is in none.
    fn value(&mut self, goal: &Goal<'k>, window: Window, at: Micros) -> Option<Range> {
        let window = Window { end: window.end.min(at), ..window };
        if window.start >= window.end {
            return None;
        }
        let (known, seen, over) = (self.known, self.seen, &self.over);
        let rows = self.rows.entry((window, at)).or_insert_with(|| {
            let mut rows = Vec::new();
            known.window(window, at, Micros::MAX, seen, over, &mut rows);
            known.levels.oldest(&[window], at, seen, &mut rows);
            rows
        });
        let of_goal = |row: &&Row| {
            let group = row.group.as_ref().map_or((By::Nothing, ""), |(by, value)| (*by, value.as_str()));
            row.metric == goal.metric && group == goal.group && row.currency.as_deref() == goal.currency
        };
        let value = rows.iter().find(of_goal)?.answer.exact()?;
        let part = |part| rational::reduce(value.0 * part, value.1 * 100);
        Some(if is_quantile(goal.metric) { (part(99), part(101)) } else { exactly(value) })
    }
}

/// What a value may be, from the least to the greatest.
type Range = (Fraction, Fraction);

/// A share, or why there is none.
type Share = Result<Range, &'static str>;

/// Value, progress, and what is expected.
type Found = (Option<Range>, Share, Share);

fn exactly(value: Fraction) -> Range {
    (value, value)
}

/// The least and the greatest.
fn range(values: impl Iterator<Item = Fraction>) -> Option<Range> {
    let mut sorted: Vec<Fraction> = values.collect();
    sorted.sort_by(|a, b| minus(*a, *b).0.cmp(&0));
    Some((*sorted.first()?, *sorted.last()?))
}

/// How much of the way from the baseline to the target is gone. It is greatest and least at the ends of both ranges, as
/// long as the target is not among what the baseline may be.
fn progress(baseline: Range, value: Range, target: Fraction) -> Share {
    let way = |baseline| minus(target, baseline).0;
    if baseline.0 != baseline.1 && way(baseline.0) >= 0 && way(baseline.1) <= 0 {
        return Ok(((-i128::from(u32::MAX), 1), (i128::from(u32::MAX), 1)));
    }
    let ends = [(baseline.0, value.0), (baseline.0, value.1), (baseline.1, value.0), (baseline.1, value.1)];
    let shares = ends.into_iter().filter_map(|(from, to)| divide(minus(to, from), minus(target, from)));
    range(shares).ok_or(TARGET_IS_BASELINE)
}

/// Met 2, on track 1, behind 0, missed -1.
fn state(goal: &Goal<'_>, value: Result<Range, &'static str>, target: Fraction, lead: Share, day: Window) -> Share {
    let value = value?;
    let of = |value: Fraction, lead: Option<Fraction>| {
        let beyond = minus(value, target).0;
        let met = if goal.down { beyond <= 0 } else { beyond >= 0 };
        match (met, goal.due < day.end) {
            (true, _) => Some(2),
            (false, true) => Some(-1),
            (false, false) => Some(i128::from(lead?.0 >= 0)),
        }
    };
    let leads = [lead.ok().map(|lead| lead.0), lead.ok().map(|lead| lead.1)];
    let ends = [value.0, value.1].into_iter().flat_map(|value| leads.map(|lead| of(value, lead)));
    let states: Option<Vec<i128>> = ends.collect();
    let states = states.ok_or_else(|| lead.err().unwrap_or(NO_DENOMINATOR))?;
    range(states.into_iter().map(|state| (state, 1))).ok_or(NO_DENOMINATOR)
}

fn minus(a: Fraction, b: Fraction) -> Fraction {
    rational::reduce(a.0 * b.1 - b.0 * a.1, a.1 * b.1)
}

fn divide(a: Fraction, b: Fraction) -> Option<Fraction> {
    (b.0 != 0).then(|| rational::reduce(a.0 * b.1, a.1 * b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lies_between_the_ends_of_what_baseline_and_value_may_be() {
        let about = |value: i128| ((value * 99, 100), (value * 101, 100));
        // From 400 to 200, now at 300: half of the way.
        assert_eq!(progress(exactly((400, 1)), exactly((300, 1)), (200, 1)), Ok(exactly((1, 2))));
        assert_eq!(progress(about(400), about(300), (200, 1)), Ok(((93, 196), (107, 204))));
        assert_eq!(progress(exactly((400, 1)), about(300), (400, 1)), Err(TARGET_IS_BASELINE));
        let (least, greatest) = progress(about(400), about(300), (401, 1)).unwrap();
        assert!(least.0 < 0 && greatest.0 > 0, "the way may be nothing");
    }
}
