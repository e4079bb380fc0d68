//! What the total MRR was at the start of each window that is open.

use super::movement::Totals;
use crate::{
    account::{Decoder, Writer},
    aggregate::retention::{self, Basket, Moved},
    calendar::Time,
    lifecycle::Out,
};

/// The totals of one currency.
#[derive(Debug, Clone, PartialEq)]
struct Course {
    currency: Box<str>,
    /// (time, total from then on), oldest first; before the first it is 0.
    steps: Vec<(Time, i128)>,
}

/// Totals by currency, as far back as windows look.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    /// By currency.
    list: Vec<Course>,
}

impl History {
    /// Notes that the totals change at `at`, and adds what that means for retention.
    pub(super) fn step(&mut self, at: Time, before: &Totals, after: &Totals, out: &mut Out<'_, '_>) {
        let horizon = out.context.horizon(at);
        // Amounts that are converted are compared over all currencies together.
        let together = out.context.plan.settings.reporting_currency.is_some();
        for currency in before.keys().chain(after.keys().filter(|currency| !before.contains_key(*currency))) {
            let of = |totals: &Totals| totals.get(currency).copied().unwrap_or(0);
            let moved = Moved { at, from: of(before), to: of(after) };
            if moved.from != moved.to {
                let course = self.course(currency);
                course.set(at, moved.to);
                course.prune(horizon);
                if !together {
                    course.retain(moved, out);
                }
            }
        }
        if together {
            self.retain(at, before, after, out);
        }
        self.list.retain(|course| course.steps.iter().any(|(_, total)| *total != 0));
    }

    /// Adds what a change means for retention, over all currencies.
    fn retain(&self, at: Time, before: &Totals, after: &Totals, out: &mut Out<'_, '_>) {
        let groups = out.context.groups;
        for (what, kind, group) in &groups.retention {
            let basket = |begins: Time, ends: &Totals| {
                let mut basket = Basket::default();
                for course in &self.list {
                    let end = ends.get(&course.currency).copied().unwrap_or(0);
                    basket.put(&course.currency, course.before(begins), end);
                }
                basket.adds(*what).map(|(text, adds)| (text.into_owned(), adds))
            };
            let of_window = |begins: Time| {
                let (was, is) = (basket(begins, before), basket(begins, after));
                (was != is).then(|| (out.traits.before(begins), was, is))
            };
            let mut changes = Vec::new();
            retention::windows(out.context.calendar, *kind, at, of_window, |(profile, was, is), slice, sign| {
                let both = [(was, -sign), (is, sign)].into_iter();
                let adds = both.filter_map(|(adds, sign)| adds.clone().map(|(text, adds)| (text, sign * adds)));
                changes.extend(adds.map(|(text, adds)| (text, (*profile, slice, adds))));
            });
            for (text, change) in changes {
                let (_, currency) = out.context.currency(&text);
                out.context.of_accounts(*group, currency, &[change]);
            }
        }
    }

    fn course(&mut self, currency: &str) -> &mut Course {
        let place = self.list.binary_search_by(|course| course.currency.as_ref().cmp(currency));
        let place = place.unwrap_or_else(|place| {
            self.list.insert(place, Course { currency: currency.into(), steps: Vec::new() });
            place
        });
        &mut self.list[place]
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.list.iter(), |out, course| {
            out.text(&course.currency);
            out.list(course.steps.iter(), |out, (at, total)| {
                out.time(*at);
                out.amount(*total);
            });
        });
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<History> {
        let list = from.list(|from| {
            let currency = from.text()?.into();
            Some(Course { currency, steps: from.list(|from| Some((from.time()?, from.amount()?)))? })
        })?;
        Some(History { list })
    }
}

impl Course {
    /// The total at `x`: after everything before it.
    fn before(&self, x: Time) -> i128 {
        self.steps.iter().rev().find(|(at, _)| *at < x).map_or(0, |(_, total)| *total)
    }

    /// Sets the total from `at` on, the latest time.
    fn set(&mut self, at: Time, total: i128) {
        match self.steps.last_mut() {
            Some(last) if last.0 == at => last.1 = total,
            _ => self.steps.push((at, total)),
        }
    }

    /// Forgets what lies before `horizon`, but for the total at it.
    fn prune(&mut self, horizon: Time) {
        let old = self.steps.iter().take_while(|(at, _)| *at < horizon).count();
        self.steps.drain(..old.saturating_sub(1));
    }

    fn retain(&self, moved: Moved, out: &mut Out<'_, '_>) {
        let (_, currency) = out.context.currency(&self.currency);
        let groups = out.context.groups;
        for (what, kind, group) in &groups.retention {
            let mut changes = Vec::new();
            let start = |x| self.before(x);
            retention::moved(out.context.calendar, *kind, *what, moved, start, out.traits, |change| {
                changes.push(change);
            });
            out.context.of_accounts(*group, currency, &changes);
        }
    }
}
