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
    score::{self, Looks, Score},
    shown::{Which, points},
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
    /// The components that will have moved since the change before, by their place among those of the score, each with its
    /// points.
    pub moved: Vec<(usize, Option<Rational>)>,
}

impl Projected {
    /// The score from then on, in points.
    pub fn value(&self) -> Option<f64> {
        self.tenths.map(points)
    }
}

/// The changes of the score of an account on the local days after that of `clock`, to which its state has come.
pub fn project(mut context: Context<'_>, account: &Account, clock: Time) -> Vec<Projected> {
    let plan = context.plan;
    let Some(score) = &plan.score else { return Vec::new() };
    let today = context.calendar.day(clock);
    let end = context.calendar.midnight(today.saturating_add(DAYS + 1)) - 1;

    if account.customer.is_one() && account.sections.stirs().is_none_or(|at| at > end) {
        return aging(&mut context, score, account, (today, end));
    }

    let now = score.points(account, context.calendar, today);
    let mut changes = Vec::new();
    Fold { context, changes: &mut changes, looks: &mut Looks::new() }.advance(&mut account.clone(), end, true);

    let (mut before, mut coming) = (now, Vec::new());
    for change in changes.iter().filter(|change| change.which == Which::Score) {
        let points: Vec<Option<Rational>> =
            change.rated.iter().flat_map(|rated| rated.shares.iter().map(|share| share.points)).collect();
        let moved = moved(&before, &points);
        coming.push(Projected { at: change.now.since, tenths: change.now.value, reason: change.reason(), moved });
        before = points;
    }
    coming
}

/// The same for a customer whom no lifecycle stirs: only days pass, so that what a score sees stays as it is, and
/// no copy of the account has to be folded. Nearly every projection is one of these.
fn aging(context: &mut Context<'_>, score: &Score, account: &Account, (today, end): (Day, Time)) -> Vec<Projected> {
    let lost = account.customer.due(context.plan.settings.silent_after, account.sections.subscription.claim());
    let lost = lost.filter(|lost| *lost <= end);
    let (mut tenths, mut before, mut coming) = (account.scored.tenths, Vec::new(), Vec::new());
    score.ahead(account, context.calendar, today, |calendar, day, now, points| {
        if day == today {
            before = points.to_vec();
            return true;
        }
        let at = calendar.midnight(day);
        if at > end || lost.is_some_and(|lost| lost <= at) {
            return false;
        }
        if now != tenths {
            let moved = moved(&before, points);
            coming.push(Projected { at, tenths: now, reason: score::reason(now.is_some(), true), moved });
            tenths = now;
            before.clear();
            before.extend_from_slice(points);
        }
        true
    });
    if let Some(at) = lost.filter(|_| tenths.is_some()) {
        coming.push(Projected { at, tenths: None, reason: score::NOT_A_CUSTOMER, moved: Vec::new() });
    }
    coming
}

/// The components whose points are others than before; none where there is no score.
fn moved(before: &[Option<Rational>], now: &[Option<Rational>]) -> Vec<(usize, Option<Rational>)> {
    let old = |place: usize| before.get(place).copied().flatten();
    now.iter().copied().enumerate().filter(|(place, points)| old(*place) != *points).collect()
}
