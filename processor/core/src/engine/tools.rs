//! What a fold reads and writes beside the account.
//!
//! Invariant: profiles, names and series are numbered here alone. It does not know accounts in memory, nor the clock.

use std::{collections::btree_map::Entry, sync::Arc};

use crate::{
    account::Account,
    aggregate::group::Groups,
    calendar::{Calendar, Time},
    event::{Event, NUMBERS, TYPES},
    fold::Fold,
    hot::Open,
    lifecycle::{Context, journal::Effect, order},
    plan::Plan,
    score::Looks,
    series::{Deltas, Names, Profiles, Series},
    shown::{AtEnd, Change},
};

/// What a fold reads and writes beside the account.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) plan: Arc<Plan>,
    /// Whether a metric reads events of a type, by its number; asked of each event.
    measured: Vec<bool>,
    pub(super) groups: Groups,
    pub(super) calendar: Calendar,
    pub(super) profiles: Profiles,
    pub(super) names: Names,
    pub(super) series: Series,
    pub(super) deltas: Deltas,
    pub(super) changes: Vec<Change>,
    looks: Looks,
}

/// What the events of an account have come to.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) account: Account,
    /// Changes of values by day.
    pub(super) changes: Vec<Change>,
}

impl Tools {
    /// For this plan.
    pub(super) fn new(plan: Arc<Plan>) -> Tools {
        Tools {
            measured: measured(&plan),
            groups: Groups::new(&plan),
            calendar: plan.settings.calendar(),
            profiles: Profiles::new(&plan),
            names: Names::default(),
            series: Series::default(),
            deltas: Deltas::default(),
            changes: Vec::new(),
            looks: Looks::new(),
            plan,
        }
    }

    /// A fold that adds (1) or takes back (-1), and leaves changes of values by day in `changes`.
    pub(super) fn fold(&mut self, sign: i128) -> Fold<'_> {
        self.changes.clear();
        let Tools { plan, groups, calendar, profiles, names, deltas, changes, looks, .. } = self;
        Fold { context: Context { plan, groups, calendar, profiles, names, deltas, sign }, changes, looks }
    }

    /// The history of an account without events.
    pub(super) fn history(&self) -> History {
        History { account: Account::new(self.plan.activities.len()), changes: Vec::new() }
    }

    /// Folds the next events of a history, in the order of facts.
    pub(super) fn extend<'e>(
        &mut self,
        history: &mut History,
        events: impl Iterator<Item = (&'e Event<'e>, Effect<'e>)>,
        sign: i128,
    ) {
        let (account, mut fold) = self.fold_of(history, sign);
        events.for_each(|(event, effect)| fold.apply(account, event, effect));
    }

    /// Lets all happen in a history that is due up to `clock`.
    pub(super) fn end(&mut self, history: &mut History, sign: i128, clock: Time) {
        let (account, mut fold) = self.fold_of(history, sign);
        fold.advance(account, clock, true);
        account.prune();
    }

    fn fold_of<'a>(&'a mut self, history: &'a mut History, sign: i128) -> (&'a mut Account, Fold<'a>) {
        let Tools { plan, groups, calendar, profiles, names, deltas, looks, .. } = self;
        let context = Context { plan, groups, calendar, profiles, names, deltas, sign };
        (&mut history.account, Fold { context, changes: &mut history.changes, looks })
    }

    /// Whether a metric reads this event.
    pub(super) fn measures(&self, event: &Event<'_>) -> bool {
        match event.number {
            0 => self.plan.measures(event.kind),
            number => self.measured.get(number as usize).is_some_and(|measured| *measured),
        }
    }

    /// Notes the changes of the last fold by their day.
    pub(super) fn note(&mut self, open: &mut Open) {
        for change in self.changes.drain(..) {
            let key = (change.which, self.calendar.day(change.now.since));
            match open.days.entry(key) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    (known.shown, known.changed) = (Some(change), true);
                }
                Entry::Vacant(place) => {
                    let sums_before = change.sums.as_ref().map(|sums| sums.before.clone()).unwrap_or_default();
                    place.insert(Box::new(AtEnd { shown: Some(change), sums_before, changed: true }));
                }
            }
        }
    }
}

/// Whether a metric reads events of each type, by the numbers of the vocabulary. Orders make customers, whatever is
/// measured of them.
fn measured(plan: &Plan) -> Vec<bool> {
    let most = NUMBERS.iter().max().map_or(0, |most| *most as usize);
    let mut measured = vec![false; most + 1];
    for (kind, number) in TYPES.iter().zip(NUMBERS) {
        measured[number as usize] = order::ORDER.reads.contains(kind) || plan.measures(kind);
    }
    measured
}
