//! Levels: what stands from one instant to another, counted at the end of each window.
//!
//! A span that begins at b and ends at e is seen by the states at x with b < x <= e. Where traits change in between, a
//! span is cut, so that each piece has one set of groups.

use crate::base::{Seen, end_of};
use crate::calendar::Window;
use crate::fx::{Converter, Money};
use crate::history::Account;
use crate::money::trait_groups;
use crate::row::{Answer, By, Group, Row};
use crate::values::Kept;
use crate::{Micros, NOW};
use std::collections::{BTreeMap, HashMap};

/// Something that stands for a time.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// Of which metric.
    pub metric: &'static str,
    /// From when on.
    pub from: Micros,
    /// Until when; `None` for what still stands.
    pub to: Option<Micros>,
    /// Each group once.
    pub groups: Vec<Group<'a>>,
    /// ISO 4217; empty where it is no money.
    pub currency: &'a str,
    /// Added to the level while it stands.
    pub amount: i128,
    /// Where the level is an age: since when it counts.
    pub since: Micros,
}

/// The pieces of `[from, to)` between the changes of traits, each with its groups by trait.
pub fn pieces<'a>(
    account: &'a Account<'a>,
    from: Micros,
    to: Option<Micros>,
) -> Vec<(Micros, Option<Micros>, [Group<'a>; 4])> {
    let mut cuts = vec![from];
    let changes = account.traits.iter().map(|(key, _)| key.0);
    cuts.extend(changes.filter(|at| from < *at && to.is_none_or(|to| *at < to)));
    cuts.dedup();
    let ends = cuts.iter().skip(1).copied().map(Some).chain([to]);
    // What stands from a cut on is seen after it, and so are the traits that are set at it.
    cuts.iter().zip(ends).map(|(start, end)| (*start, end, trait_groups(account.traits_at(start + 1)))).collect()
}

type Name<'a> = (&'static str, Group<'a>, &'a str);

/// All levels.
#[derive(Debug, Default)]
pub struct Levels<'a> {
    /// Changes of each series, ascending, each with the level after it.
    steps: HashMap<Name<'a>, Vec<(Micros, i128)>>,
    /// Of levels that are ages: (from, to, since).
    ages: HashMap<Name<'a>, Vec<(Micros, Option<Micros>, Micros)>>,
}

/// Metrics that have a row for every window, also where nothing ever stood; and whether by traits, too.
const COUNTED: [(&str, bool); 2] = [("response_time_waiting", true), ("health_score_accounts", false)];
/// The age of the oldest, in seconds.
const OLDEST: (&str, &str) = ("response_time_waiting", "response_time_oldest_waiting");

impl<'a> Levels<'a> {
    /// Sorts the spans by series.
    pub fn of(spans: &[Span<'a>], kept: &Kept) -> Self {
        let mut changes: HashMap<Name<'a>, BTreeMap<Micros, i128>> = HashMap::new();
        let mut levels = Self::default();
        for span in spans {
            for group in &span.groups {
                let name = (span.metric, kept.shown(*group), span.currency);
                let changes = changes.entry(name).or_default();
                *changes.entry(span.from).or_default() += span.amount;
                if let Some(to) = span.to {
                    *changes.entry(to).or_default() -= span.amount;
                }
                if span.metric == OLDEST.0 {
                    levels.ages.entry(name).or_default().push((span.from, span.to, span.since));
                }
            }
        }
        for (name, changes) in changes {
            let mut level = 0;
            let after = changes.into_iter().map(|(at, change)| {
                level += change;
                (at, level)
            });
            levels.steps.insert(name, after.collect());
        }
        levels
    }

    /// A level that is no money, over the series that are shown in a currency, at the end of a window.
    pub fn count(
        &self,
        metric: &'static str,
        group: Group<'a>,
        shown: &str,
        (window, clock): (Window, Micros),
        converter: &'a Converter,
    ) -> i128 {
        let end = end_of(window, clock);
        let of = |(name, steps): (&Name<'a>, &Vec<(Micros, i128)>)| {
            let own = (name.0, name.1) == (metric, group)
                && converter.rate(name.2, rated_at(end, clock)).is_some_and(|(currency, _)| currency == shown);
            own.then(|| level_at(steps, end))
        };
        self.steps.iter().filter_map(of).sum()
    }

    /// The rows of all windows.
    pub fn rows(
        &self,
        windows: &[Window],
        clock: Micros,
        seen: &Seen<'a>,
        converter: &'a Converter,
        rows: &mut Vec<Row>,
    ) {
        for &window in windows {
            self.levels(window, clock, seen, converter, rows);
        }
        self.oldest(windows, clock, seen, rows);
    }

    /// The rows of the oldest that waits.
    pub fn oldest(&self, windows: &[Window], clock: Micros, seen: &Seen<'a>, rows: &mut Vec<Row>) {
        let mut began: HashMap<Group<'a>, Micros> = HashMap::new();
        for (name, spans) in &self.ages {
            let first = ages(name.1, spans, windows, clock, rows);
            began.insert(name.1, first);
        }
        // Before that a group has rows from its first event on, of any type.
        for &window in windows {
            let waits = |group: &Group<'a>| began.get(group).is_some_and(|first| *first < window.end);
            for (group, sure) in seen.groups(window).filter(|(group, _)| !waits(group)) {
                rows.push(Row::aggregate(OLDEST.1, window, group, None, Answer::Whole(0)).optional_if(!sure));
            }
        }
    }

    /// The rows of a window, but for the oldest.
    pub fn levels(
        &self,
        window: Window,
        clock: Micros,
        seen: &Seen<'a>,
        converter: &'a Converter,
        rows: &mut Vec<Row>,
    ) {
        let end = end_of(window, clock);
        let mut sums: HashMap<Name<'a>, Money> = HashMap::new();
        for (&(metric, group, currency), steps) in &self.steps {
            if steps.first().is_none_or(|first| first.0 >= window.end) {
                continue;
            }
            let Some((currency, rate)) = converter.rate(currency, rated_at(end, clock)) else { continue };
            sums.entry((metric, group, currency)).or_default().add(level_at(steps, end), rate);
        }
        for (metric, by_trait) in COUNTED {
            for (group, sure) in seen.groups(window).filter(|(group, _)| by_trait || group.0 == By::Nothing) {
                if !sums.contains_key(&(metric, group, "")) {
                    rows.push(Row::aggregate(metric, window, group, None, Answer::Whole(0)).optional_if(!sure));
                }
            }
        }
        for ((metric, group, currency), money) in sums {
            let currency = (!currency.is_empty()).then_some(currency);
            rows.push(Row::aggregate(metric, window, group, currency, Answer::Whole(money.total())));
        }
    }
}

/// When a level is valued: in the last hour of the window, or at the clock.
fn rated_at(end: Micros, clock: Micros) -> Micros {
    if end == NOW { clock } else { end - 1 }
}

fn level_at(steps: &[(Micros, i128)], instant: Micros) -> i128 {
    let before = steps.partition_point(|step| step.0 < instant);
    before.checked_sub(1).map_or(0, |last| steps[last].1)
}

/// How long the oldest has stood, at the end of each window from the first span on: forward in time, with what stands by
/// age. Returns when the first of them begins.
fn ages(
    group: Group<'_>,
    spans: &[(Micros, Option<Micros>, Micros)],
    windows: &[Window],
    clock: Micros,
    rows: &mut Vec<Row>,
) -> Micros {
    let mut ordered: Vec<Window> = windows.to_vec();
    ordered.sort_by_key(|window| end_of(*window, clock));
    // (when, begins, since)
    let mut changes: Vec<(Micros, bool, Micros)> = spans.iter().map(|span| (span.0, true, span.2)).collect();
    changes.extend(spans.iter().filter_map(|span| Some((span.1?, false, span.2))));
    changes.sort_unstable();
    let first = changes[0].0;
    let (mut next, mut standing) = (0, BTreeMap::<Micros, i64>::new());
    for window in ordered {
        let end = end_of(window, clock);
        while let Some(&(_, begins, since)) = changes.get(next).filter(|change| change.0 < end) {
            let count = standing.entry(since).or_default();
            *count += if begins { 1 } else { -1 };
            if *count == 0 {
                standing.remove(&since);
            }
            next += 1;
        }
        if first >= window.end {
            continue;
        }
        let now = if end == NOW { clock } else { end };
        let age = standing.first_key_value().map_or(0, |(since, _)| i128::from((now - since).max(0)));
        let mut row = Row::aggregate(OLDEST.1, window, group, None, Answer::Compound(age, crate::mark::SECOND));
        row.unit = "seconds";
        rows.push(row);
    }
    first
}
