//! Projection: how the score of an account will change if nothing happens.
//!
//! A pure function of the account's state: the same account with a later clock. What came about equals it wherever nothing
//! happened. It adds nothing to any slice.

use crate::{
    account::Account,
    calendar::{Day, Time},
    fold::Fold,
    lifecycle::Context,
    rational::Rational,
    score::{Rated, Score},
    shown::{Change, Which, points},
};

/// Number of local days ahead.
const DAYS: Day = 90;

/// A change of a score that will come if nothing happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    /// When.
    pub at: Time,
    /// The score from then on, in tenths; `None` where the account will stop being a customer.
    pub tenths: Option<i64>,
    /// Why there is none then; empty where there is one.
    pub reason: &'static str,
    /// The components that will have moved since the change before, each with its points.
    pub moved: Vec<(String, Option<Rational>)>,
}

impl Projected {
    /// The score from then on, in points.
    pub fn value(&self) -> Option<f64> {
        self.tenths.map(points)
    }
}

/// The changes of the score of an account on the local days after that of `clock`, to which its state has come.
pub fn project(context: Context<'_>, account: &Account, clock: Time) -> Vec<Projected> {
    let Some(score) = &context.plan.score else { return Vec::new() };
    let today = context.calendar.day(clock);
    let end = context.calendar.midnight(today.saturating_add(DAYS + 1)) - 1;
    let now = score.rate(account, context.calendar, today);

    let mut changes = Vec::new();
    Fold { context, changes: &mut changes }.advance(&mut account.clone(), end, true);

    let mut before = now.as_ref();
    let mut coming = Vec::new();
    for change in changes.iter().filter(|change| change.which == Which::Score) {
        coming.push(projected(score, before, change));
        before = change.rated.as_deref();
    }
    coming
}

fn projected(score: &Score, before: Option<&Rated>, change: &Change) -> Projected {
    let old = |place: usize| before.and_then(|rated| rated.shares[place].points);
    let new = change.rated.iter().flat_map(|rated| rated.shares.iter().enumerate());
    let moved = new.filter(|(place, share)| old(*place) != share.points);
    let moved = moved.map(|(place, share)| (score.components[place].name.clone(), share.points)).collect();
    Projected { at: change.now.since, tenths: change.now.value, reason: change.reason(), moved }
}
