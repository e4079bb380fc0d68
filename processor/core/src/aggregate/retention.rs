//! Retention of an amount: what accounts that had some at the start of a window have more or less of at its end.
//!
//! Of start s > 0 and end e, a window adds up e - s or max(s - e, 0), by the traits at its start. So sum e and sum min(s, e)
//! are the level at the start plus the one and less the other: accounts to which nothing happens cost nothing. In time it
//! lies as [`super::cohort`] has it: a change moves the one window of a calendar kind that holds it, and of `trailing` those
//! of a range of days.

use crate::{
    aggregate::cohort::{Change, slice},
    calendar::{Calendar, Kind, Time},
    lifecycle::customer::Traits,
};

/// What a window adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retention {
    /// e - s.
    Changed,
    /// max(s - e, 0).
    Lost,
}

impl Retention {
    fn of(self, start: i128, end: i128) -> i128 {
        match self {
            Retention::Changed => end - start,
            Retention::Lost => (start - end).max(0),
        }
    }
}

/// A change of an amount.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    /// When.
    pub at: Time,
    /// Amount before it.
    pub from: i128,
    /// Amount after it.
    pub to: i128,
}

/// What a change adds; `start` is the amount at the start of a window that begins at or before it.
pub fn moved(
    calendar: &mut Calendar,
    kind: Kind,
    what: Retention,
    moved: Moved,
    start: impl Fn(Time) -> i128,
    traits: &Traits,
    mut add: impl FnMut(Change),
) {
    let of_window = |begins: Time| {
        let amount = start(begins);
        let delta = what.of(amount, moved.to) - what.of(amount, moved.from);
        (amount > 0 && delta != 0).then(|| (traits.before(begins), delta))
    };
    let Kind::Trailing(days) = kind else {
        let begins = calendar.window(kind, moved.at).start;
        let slice = slice(calendar, kind, begins, moved.at);
        return of_window(begins).into_iter().for_each(|(profile, delta)| add((profile, slice, delta)));
    };

    let (first, days) = (calendar.day(moved.at), i32::from(days));
    let mut open = None;
    for day in first..=first + days {
        let next = if day == first + days { None } else { of_window(calendar.midnight(day + 1 - days)) };
        if next == open {
            continue;
        }
        let midnight = calendar.midnight(day);
        if let Some((profile, delta)) = open {
            add((profile, midnight, -delta));
        }
        if let Some((profile, delta)) = next {
            add((profile, midnight, delta));
        }
        open = next;
    }
}
