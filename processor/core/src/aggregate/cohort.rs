//! Columns decided at the account, window by window: churned customers, losses by the traits of
//! their start, active accounts, customers that were sold more.
//!
//! For a calendar kind an account stands in the one window that holds the instant, and a change lies on its day: the sum of
//! the window's days up to x is what the window would be if it ended with x, as goals ask. For `trailing`
//! it stands in the windows of a range of days: +1 on the first day, -1 after the last, so that the
//! sum of all days up to x is the value of the window whose last day is x; days ahead of the clock
//! are harmless, their windows do not exist yet.
//!
//! ```text
//! loss at L:   ....|---- L's day ---- n days ----|....
//!                  +1                            -1
//! ```

use crate::{
    calendar::{Calendar, Day, Kind, Time},
    lifecycle::customer::{Customer, Run, Traits},
    plan::Loss,
};

/// A change: windows of `kind` whose slice is `slice` change by `delta` for the profile.
pub type Change = (u32, Time, i128);

/// What an account is just before or after an instant.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Whether it takes part: a customer, or anybody where the measure is not among customers.
    pub counts: bool,
    /// Its traits.
    pub profile: u32,
    /// Its latest activity; [`Time::MIN`] for none.
    pub active: Time,
}

/// The slice of a change at `at`, in a window of a calendar kind that begins at `start`.
pub(super) fn slice(calendar: &mut Calendar, kind: Kind, start: Time, at: Time) -> Time {
    match kind {
        Kind::Hour | Kind::Day => start,
        _ => calendar.window(Kind::Day, at).start,
    }
}

/// How an account moves in and out of "active in the window" at `at`.
pub fn engaged(
    calendar: &mut Calendar,
    kind: Kind,
    at: Time,
    before: Standing,
    after: Standing,
    mut add: impl FnMut(Change),
) {
    if let Kind::Trailing(days) = kind {
        return engaged_trailing(calendar, i32::from(days), at, before, after, add);
    }
    let start = calendar.window(kind, at).start;
    let stands = |standing: Standing| standing.counts && standing.active >= start;
    let (was, is) = (stands(before), stands(after));
    if was == is && (!was || before.profile == after.profile) {
        return;
    }
    let slice = slice(calendar, kind, start, at);
    if was {
        add((before.profile, slice, -1));
    }
    if is {
        add((after.profile, slice, 1));
    }
}

fn engaged_trailing(
    calendar: &mut Calendar,
    days: Day,
    at: Time,
    before: Standing,
    after: Standing,
    mut add: impl FnMut(Change),
) {
    let same = before.counts == after.counts && before.profile == after.profile;
    if same && (before.active == after.active || !before.counts) {
        return;
    }
    let today = calendar.day(at);
    let mut until = |standing: Standing| match standing.active {
        Time::MIN => today,
        active if standing.counts => (calendar.day(active) + days).max(today),
        _ => today,
    };
    let (was, is) = (until(before), until(after));
    if same && was == is {
        return;
    }
    let mut range = |profile, until: Day, sign: i128| {
        if until > today {
            add((profile, calendar.midnight(today), sign));
            add((profile, calendar.midnight(until), -sign));
        }
    };
    range(before.profile, was, -1);
    range(after.profile, is, 1);
}

/// What the loss that ends the latest run adds.
pub fn lost(
    calendar: &mut Calendar,
    kind: Kind,
    what: Loss,
    customer: &Customer,
    traits: &Traits,
    mut add: impl FnMut(Change),
) {
    let Some(run) = customer.runs.last() else { return };
    let group = |start: Time| match what {
        Loss::Churned => customer.at(start).then(|| traits.before(start)),
        _ if run.start >= start => Some(run.profile),
        _ => Some(traits.before(start)),
    };
    match kind {
        Kind::Trailing(days) => {
            let first = calendar.day(run.end);
            ranges(calendar, first, first + i32::from(days), i32::from(days), &group, 1, add);
        }
        kind => {
            let start = calendar.window(kind, run.end).start;
            if let Some(profile) = group(start) {
                add((profile, slice(calendar, kind, start, run.end), 1));
            }
        }
    }
}

/// What a restart at `at` takes back of the churn of `ended`, the run before; `customer` does not
/// hold the new run yet.
pub fn returned(
    calendar: &mut Calendar,
    kind: Kind,
    at: Time,
    ended: &Run,
    customer: &Customer,
    traits: &Traits,
    mut add: impl FnMut(Change),
) {
    let group = |start: Time| customer.at(start).then(|| traits.before(start));
    match kind {
        Kind::Trailing(days) => {
            let lost = calendar.day(ended.end);
            let first = calendar.day(at).max(lost);
            ranges(calendar, first, lost + i32::from(days), i32::from(days), &group, -1, add);
        }
        kind => {
            let start = calendar.window(kind, at).start;
            if ended.end >= start
                && let Some(profile) = group(start)
            {
                add((profile, slice(calendar, kind, start, at), -1));
            }
        }
    }
}

/// What an activity at `at` adds to the customers at the start of windows that were active in them; `before` is the
/// activity before it, [`Time::MIN`] for none.
pub fn sold(
    calendar: &mut Calendar,
    kind: Kind,
    at: Time,
    before: Time,
    customer: &Customer,
    traits: &Traits,
    mut add: impl FnMut(Change),
) {
    let group = |start: Time| customer.at(start).then(|| traits.before(start));
    match kind {
        Kind::Trailing(days) => {
            let (first, days) = (calendar.day(at), i32::from(days));
            let counted = if before == Time::MIN { first } else { calendar.day(before) + days };
            ranges(calendar, first.max(counted), first + days, days, &group, 1, add);
        }
        kind => {
            let start = calendar.window(kind, at).start;
            if before < start
                && let Some(profile) = group(start)
            {
                add((profile, slice(calendar, kind, start, at), 1));
            }
        }
    }
}

/// Adds `sign` over the days `[first, end)`, each by the group at the start of its window.
fn ranges(
    calendar: &mut Calendar,
    first: Day,
    end: Day,
    days: Day,
    group: &dyn Fn(Time) -> Option<u32>,
    sign: i128,
    mut add: impl FnMut(Change),
) {
    let mut open: Option<u32> = None;
    for day in first..=end {
        let next = if day == end { None } else { group(calendar.midnight(day + 1 - days)) };
        if next == open {
            continue;
        }
        let midnight = calendar.midnight(day);
        if let Some(profile) = open {
            add((profile, midnight, -sign));
        }
        if let Some(profile) = next {
            add((profile, midnight, sign));
        }
        open = next;
    }
}
