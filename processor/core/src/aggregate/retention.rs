//! Retention of an amount: what accounts that had some at the start of a window have more or less of at its end.
//!
//! Of start s > 0 and end e, a window adds up e - s or max(s - e, 0), by the traits at its start. So sum e and sum min(s, e)
//! are the level at the start plus the one and less the other: accounts to which nothing happens cost nothing. In time it
//! lies as [`super::cohort`] has it: a change moves the one window of a calendar kind that holds it, and of `trailing` those
//! of a range of days.

use std::{borrow::Cow, fmt};

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
    windows(calendar, kind, moved.at, of_window, |(profile, delta), slice, sign| add((*profile, slice, sign * delta)));
}

/// Adds what a change at `at` means for each window that holds it: to the slices in which it begins to stand (1) and from
/// which on it no longer does (-1). `of_window` is asked by the window's start.
pub fn windows<T: PartialEq>(
    calendar: &mut Calendar,
    kind: Kind,
    at: Time,
    of_window: impl Fn(Time) -> Option<T>,
    mut add: impl FnMut(&T, Time, i128),
) {
    let Kind::Trailing(days) = kind else {
        let begins = calendar.window(kind, at).start;
        let slice = slice(calendar, kind, begins, at);
        return of_window(begins).iter().for_each(|change| add(change, slice, 1));
    };

    let (first, days) = (calendar.day(at), i32::from(days));
    let mut open = None;
    for day in first..=first + days {
        let next = if day == first + days { None } else { of_window(calendar.midnight(day + 1 - days)) };
        if next == open {
            continue;
        }
        let midnight = calendar.midnight(day);
        open.iter().for_each(|change| add(change, midnight, -1));
        next.iter().for_each(|change| add(change, midnight, 1));
        open = next;
    }
}

/// Amounts of an account in several currencies, at the start of a window and at its end: what is more and less of them
/// together is known only where their rates are. It takes the place of a currency, as a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basket(Vec<(Box<str>, i128, i128)>);

impl Basket {
    /// Puts the amounts of a currency in: at the start and at the end.
    pub fn put(&mut self, currency: &str, start: i128, end: i128) {
        if start != 0 || end != 0 {
            self.0.push((currency.into(), start, end));
        }
    }

    /// The amounts by currency: at the start and at the end.
    pub fn amounts(&self) -> impl Iterator<Item = (&str, i128, i128)> {
        self.0.iter().map(|(currency, start, end)| (currency.as_ref(), *start, *end))
    }

    /// What it adds, and under which currency: where there is one alone, the amount; else 1 under the text of all.
    pub fn adds(&self, what: Retention) -> Option<(Cow<'_, str>, i128)> {
        let starts = self.0.iter().any(|(_, start, _)| *start > 0);
        let (currency, adds) = match self.0.as_slice() {
            [(currency, start, end)] => (Cow::Borrowed(currency.as_ref()), what.of(*start, *end)),
            amounts => (Cow::Owned(self.to_string()), i128::from(amounts.iter().any(|(_, start, end)| start != end))),
        };
        (starts && adds != 0).then_some((currency, adds))
    }

    /// Reads what it is written as; `None` for a currency.
    pub fn parse(text: &str) -> Option<Basket> {
        let words: Vec<&str> = text.split(' ').collect();
        if words.len() < 2 {
            return None;
        }
        let one = |three: &[&str]| match three {
            [currency, start, end] => Some(((*currency).into(), start.parse().ok()?, end.parse().ok()?)),
            _ => None,
        };
        words.chunks(3).map(one).collect::<Option<_>>().map(Basket)
    }
}

impl fmt::Display for Basket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (currency, start, end)) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{currency} {start} {end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_currency_is_an_amount_and_several_are_a_text() {
        let of = |amounts: &[(&str, i128, i128)]| {
            let mut basket = Basket::default();
            amounts.iter().for_each(|(currency, start, end)| basket.put(currency, *start, *end));
            assert_eq!(Basket::parse(&basket.to_string()), (!basket.0.is_empty()).then(|| basket.clone()));
            [Retention::Changed, Retention::Lost]
                .map(|what| basket.adds(what).map(|(text, adds)| format!("{text}: {adds}")).unwrap_or_default())
        };
        assert_eq!(of(&[("EUR", 100, 30), ("USD", 0, 0)]), ["EUR: -70", "EUR: 70"]);
        assert_eq!(of(&[("EUR", 100, 130)]), ["EUR: 30", ""]);
        assert_eq!(of(&[("EUR", 100, 0), ("USD", 0, 90)]), ["EUR 100 0 USD 0 90: 1"; 2]);
        // Nothing at the start, nothing changed.
        assert_eq!(of(&[("EUR", 0, 5), ("USD", 0, 90)]), ["", ""]);
        assert_eq!(of(&[("EUR", 5, 5), ("USD", 9, 9)]), ["", ""]);
        assert_eq!(Basket::parse("EUR"), None);
    }
}
