//! The explanation of a change of a health score between two instants: what time brought, what each event brought, what a
//! correction brought. The parts are tenths of points and add up to the change; no score counts as 0.
//!
//! The walk goes over the account as it is known at the later instant, fact by fact. A state at an instant sees what is
//! dated before it. What the score at the first instant is now known to have been, less what was known of it then, is the
//! correction.

use crate::health::{Bound, COMPONENTS, Inputs, Score};
use crate::history::{Account, due};
use crate::{Micros, Settings, health, local};
use std::collections::BTreeMap;

/// What brought a part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A midnight, or something that fell due.
    Time,
    /// The event of this source and id.
    Event(String, String),
    /// Facts that were not known at the first instant.
    Correction,
}

/// The parts by cause and component, in tenths; those of 0 left out.
pub type Parts = BTreeMap<(Cause, &'static str), i128>;

/// The parts of the change from `from` to `to`, of an account as it is known at `to` and as it was known at `from`.
pub fn explain(
    now: &Account<'_>,
    then: Option<&Account<'_>>,
    (from, to): (Micros, Micros),
    settings: &Settings,
) -> Parts {
    let zone = &settings.zone;
    let inputs = Inputs::of(now, zone);
    let state = |inputs: &Inputs<'_>, at| inputs.score(Bound::Before(due(at)), local::day(at - 1, zone));
    let mut parts = Parts::new();
    let mut add = |cause: &Cause, before: &Option<Score>, after: &Option<Score>| {
        for (at, (component, _)) in COMPONENTS.into_iter().enumerate() {
            let of = |score: &Option<Score>| score.as_ref().map_or(0, |score| score.contributions[at]);
            *parts.entry((cause.clone(), component)).or_default() += of(after) - of(before);
        }
    };

    let known = then.and_then(|then| state(&Inputs::of(then, zone), from));
    let mut before = state(&inputs, from);
    add(&Cause::Correction, &known, &before);
    for (bound, at, cause) in steps(now, from, to, settings) {
        let after = inputs.score(bound, local::day(at, zone));
        add(&cause, &before, &after);
        before = after;
    }
    parts.retain(|_, tenths| *tenths != 0);
    parts
}

/// Each place at which the score may move, from `from` on and before `to`: at an instant first what is due, then its events.
fn steps<'a>(account: &Account<'a>, from: Micros, to: Micros, settings: &Settings) -> Vec<(Bound<'a>, Micros, Cause)> {
    let mut steps: BTreeMap<crate::read::Key<'a>, Cause> = BTreeMap::new();
    let midnights = health::midnights(from, to, settings);
    let losses = account.runs.iter().flat_map(|run| [Some(run.start), run.lost]).flatten().map(|key| key.0);
    for at in midnights.into_iter().chain(losses) {
        steps.insert(due(at), Cause::Time);
    }
    for event in &account.events {
        steps.insert(event.key(), Cause::Event(event.source.clone(), event.id.clone()));
    }
    let within = steps.into_iter().filter(|(key, _)| from <= key.0 && key.0 < to);
    within.map(|(key, cause)| (Bound::Through(key), key.0, cause)).collect()
}
