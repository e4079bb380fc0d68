//! The numbers of a goal on a day: how much of the way is gone, and how much of the time.

use super::terms::{Of, Sort, Terms};
use crate::{
    calendar::{Kind, Time, Window},
    rational::Rational,
    rollup::{Rollup, published},
};

/// Why there is no share.
pub(super) const NO_DENOMINATOR: &str = "no denominator";
const NO_BASELINE: &str = "no baseline";
const TARGET_IS_BASELINE: &str = "target is the baseline";

/// A share of the whole, or why there is none.
pub(super) type Share = Result<Rational, &'static str>;

/// How far a goal is at the end of a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub(super) value: Option<Rational>,
    pub(super) progress: Share,
    pub(super) expected: Share,
}

impl Shares {
    /// By how much progress is ahead.
    pub(super) fn lead(&self) -> Share {
        self.progress?.sub(self.expected?).ok_or(NO_DENOMINATOR)
    }

    /// Met is 2, on track 1, behind 0, missed -1.
    pub(super) fn state(&self, terms: &Terms, day: &Window) -> Share {
        let value = self.value.ok_or_else(|| self.progress.err().unwrap_or(NO_DENOMINATOR))?;
        let side = value.compare(terms.target);
        let met = if terms.down { side.is_le() } else { side.is_ge() };
        let state = match met {
            true => 2,
            false if terms.due < day.end => -1,
            false => i128::from(self.lead()?.compare(Rational::ZERO).is_ge()),
        };
        Ok(Rational::integer(state))
    }
}

impl Rollup {
    /// How far a goal is at the end of a day.
    pub(super) fn shares(&mut self, terms: &Terms, day: &Window) -> Shares {
        let of = match terms.of {
            Ok(of) => of,
            Err(reason) => return Shares { value: None, progress: Err(reason), expected: Err(reason) },
        };
        let own = self.last_window(terms);
        if of.sort == Sort::Sum {
            // Before its window nothing counts yet.
            let so_far = day.end.clamp(own.start, own.end);
            let value = self.value(of, own.start, so_far).unwrap_or(Rational::ZERO);
            let progress = value.div(terms.target).ok_or(NO_DENOMINATOR);
            return Shares { value: Some(value), progress, expected: self.passed(terms, day) };
        }

        let (baseline, value) = match of.sort {
            Sort::Level => {
                let (set, due) = (self.next_midnight(terms.set), self.next_midnight(terms.due));
                (self.value(of, set, set), self.value(of, day.end.min(due), day.end.min(due)))
            }
            _ => {
                let baseline = self.window_so_far(terms, terms.set);
                let now = self.windows.calendar.window(terms.kind, day.end.min(own.end) - 1);
                (baseline, self.value(of, now.start, day.end.min(own.end)))
            }
        };
        let progress = progress(baseline, value, terms.target);
        Shares { value, progress, expected: self.passed(terms, day) }
    }

    /// The value, when the goal was set, of the window in which it was.
    fn window_so_far(&mut self, terms: &Terms, set: Time) -> Option<Rational> {
        let window = self.windows.calendar.window(terms.kind, set);
        let end = self.next_midnight(set).min(window.end);
        terms.of.ok().filter(|_| window.start < end).and_then(|of| self.value(of, window.start, end))
    }

    /// The last window of the goal's kind that ends at or before it is due.
    fn last_window(&mut self, terms: &Terms) -> Window {
        let after = self.windows.calendar.window(terms.kind, terms.due);
        self.windows.calendar.window(terms.kind, after.opens - 1)
    }

    /// The first local midnight at or after an instant.
    fn next_midnight(&mut self, time: Time) -> Time {
        let day = self.windows.calendar.window(Kind::Day, time);
        if day.start == time { time } else { day.end }
    }

    /// The value of a metric in `[start, end)`; of a level before `end`.
    fn value(&self, of: Of, start: Time, end: Time) -> Option<Rational> {
        let mut numbers = Vec::new();
        self.measure(of.line, of.place, (start, end), &mut numbers);
        let metric = &self.plan.metrics[self.line(of.line).metric];
        published::value(metric, &self.plan, &numbers, self.clock.min(end))
    }

    /// The first midnight of the time of a goal, and its last instant: of a sum its window, else from setting to due.
    pub(super) fn time_of(&mut self, terms: &Terms) -> (Time, Time) {
        match terms.of {
            Ok(Of { sort: Sort::Sum, .. }) => {
                let own = self.last_window(terms);
                (self.next_midnight(own.start), own.end)
            }
            _ => (self.next_midnight(terms.set), terms.due),
        }
    }

    /// The share of the whole local days of the time of a goal that ended before the end of a day.
    fn passed(&mut self, terms: &Terms, day: &Window) -> Share {
        let (first, to) = self.time_of(terms);
        let passed = self.days(first, to.min(day.start));
        Rational::new(passed, terms.days).ok_or(NO_DENOMINATOR)
    }

    /// Number of the whole local days from a midnight on.
    pub(super) fn days(&mut self, from: Time, to: Time) -> i128 {
        let mut window = self.windows.calendar.window(Kind::Day, from);
        let mut days = 0;
        while window.end <= to {
            days += 1;
            window = self.windows.calendar.next(&window);
        }
        days
    }
}

/// How much of the way from the baseline to the target is gone.
fn progress(baseline: Option<Rational>, value: Option<Rational>, target: Rational) -> Share {
    let baseline = baseline.ok_or(NO_BASELINE)?;
    let gone = value.and_then(|value| value.sub(baseline)).ok_or(NO_DENOMINATOR)?;
    let way = target.sub(baseline).ok_or(NO_DENOMINATOR)?;
    gone.div(way).ok_or(TARGET_IS_BASELINE)
}
