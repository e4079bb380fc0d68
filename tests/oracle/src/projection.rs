//! The projection of a health score: its changes on the next 90 local days if nothing happens.
//!
//! Nothing happens, so it is the same account with a later clock: what time brings comes, and no event.

use crate::decimal::Fraction;
use crate::health::{COMPONENTS, Inputs};
use crate::history::{self, Account};
use crate::read::Event;
use crate::{Micros, Settings, health, local};

/// How many local days ahead.
pub const DAYS: i64 = 90;

/// One change to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// When.
    pub at: Micros,
    /// The score then, in tenths; `None` where the account will stop being a customer.
    pub tenths: Option<i128>,
    /// The components that move, each with its new value; `None` for one that loses its input.
    pub moved: Vec<(&'static str, Option<Fraction>)>,
}

/// The projection of the account that has these events in effect (in the order of facts), at the clock.
pub fn projection<'a>(name: &'a str, events: &[&'a Event], settings: &Settings, clock: Micros) -> Vec<Projected> {
    let zone = &settings.zone;
    let last = local::midnight_of(local::day(clock, zone) + DAYS + 1, zone).map_or(clock, |end| end - 1);
    let later = history::account(name, false, events.to_vec(), settings, last);
    let Some(first) = events.first() else { return Vec::new() };
    let midnights = health::midnights(first.time, last, settings);
    projected(&later, &midnights, settings, clock)
}

fn projected(later: &Account<'_>, midnights: &[Micros], settings: &Settings, clock: Micros) -> Vec<Projected> {
    let mut before = None;
    let mut found = Vec::new();
    for change in Inputs::of(later, &settings.zone).changes(midnights) {
        if change.at > clock {
            let values = |score: &Option<health::Score>| score.as_ref().map_or([None; 6], |score| score.values);
            let (old, new) = (values(&before), values(&change.score));
            let moved = (0..6).filter(|at| change.score.is_some() && old[*at] != new[*at]);
            let moved = moved.map(|at| (COMPONENTS[at].0, new[at])).collect();
            found.push(Projected { at: change.at, tenths: change.score.as_ref().map(|score| score.tenths), moved });
        }
        before = change.score;
    }
    found
}
