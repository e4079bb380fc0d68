//! Explanation of a score: what it is made of, what will come, and what moved it between two instants.
//!
//! A pure function of the events of an account. A state at an instant knows what was recorded before it and sees what is
//! dated before it. Invariant: the parts of a change are tenths of points and add up to it, exactly; where there is no
//! score, it counts as 0. It does not know where events are kept, nor how an explanation is printed.

use std::{collections::BTreeMap, sync::Arc};

use super::tools::Tools;
use crate::{
    account::Account,
    calendar::Time,
    event::{Cause, Event},
    lifecycle::{customer::Run, journal::resolve},
    plan::Plan,
    projection::{self, Projected},
    score::{self, Rated},
};

/// The score of an account at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether the account is a customer.
    pub customer: bool,
    /// The score; `None` where the account is no customer, or no component has input.
    pub rated: Option<Rated>,
}

impl Standing {
    /// The score in tenths.
    pub fn tenths(&self) -> Option<i64> {
        self.rated.as_ref().map(|rated| rated.tenths)
    }

    /// Why there is no score; empty where there is one.
    pub fn reason(&self) -> &'static str {
        score::reason(self.rated.is_some(), self.customer)
    }
}

/// What brought a part of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// A midnight, or something that fell due.
    Time,
    /// An event, at its own time.
    Event(Cause),
    /// An event that was recorded later than the earlier instant, and changes what the score was then.
    Correction(Cause),
    /// Another definition of the score.
    Definition,
}

/// A part of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// When it moved the score; of corrections and definitions the earlier instant.
    pub at: Time,
    /// What brought it.
    pub brought: Brought,
    /// The score after it, in tenths.
    pub tenths: Option<i64>,
    /// What each component added to the change, in tenths; those that added nothing are left out.
    pub by: BTreeMap<String, i64>,
}

/// A change between two instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was published for the earlier instant then.
    pub published: Standing,
    /// What stands at the later one.
    pub now: Standing,
    /// In the order in which they take the one to the other.
    pub parts: Vec<Part>,
}

impl Explanation {
    /// The change in tenths, to which the parts add up; where there is no score it counts as 0.
    pub fn change(&self) -> i64 {
        self.now.tenths().unwrap_or(0) - self.published.tenths().unwrap_or(0)
    }
}

/// The score of an account at an instant, and how it will change if nothing happens.
///
/// `events` are those of the account in the order of arrival, without duplicates and without those dated ahead.
pub fn standing(plan: &Arc<Plan>, events: &[Event<'_>], at: Time) -> (Standing, Vec<Projected>) {
    let mut teller = Teller::new(plan);
    let account = teller.account(&known(events, at), at);
    let standing = teller.standing(&account, at);
    (standing, projection::project(teller.tools.fold(0).context, &account, at.saturating_sub(1)))
}

/// The score at an instant, as it is known now: with what was recorded after it.
///
/// `events` as for [`standing`].
pub fn stood(plan: &Arc<Plan>, events: &[Event<'_>], at: Time) -> Standing {
    let mut teller = Teller::new(plan);
    let account = teller.account(&known(events, Time::MAX), at);
    teller.standing(&account, at)
}

/// The times as a customer before an instant, the oldest first.
///
/// `events` as for [`standing`].
pub fn customer(plan: &Arc<Plan>, events: &[Event<'_>], at: Time) -> Vec<Run> {
    Teller::new(plan).account(&known(events, at), at).customer.runs
}

/// The change of a score from one instant to a later one. `earlier` is the plan that was in force at the first, where it
/// was another one.
///
/// `events` as for [`standing`].
pub fn explain(
    plan: &Arc<Plan>,
    earlier: Option<&Arc<Plan>>,
    events: &[Event<'_>],
    (from, to): (Time, Time),
) -> Explanation {
    let mut teller = Teller::new(plan);
    let then = known(events, from);
    let account = teller.account(&then, from);
    let mut before = teller.standing(&account, from);
    let mut published = before.clone();
    let mut parts = Vec::new();

    if let Some(earlier) = earlier {
        let mut of_then = Teller::new(earlier);
        let account = of_then.account(&then, from);
        published = of_then.standing(&account, from);
        let by = moved((&of_then, &published), (&teller, &before));
        parts.push(Part { at: from, brought: Brought::Definition, tenths: before.tenths(), by });
    }

    let late: Vec<&Event<'_>> = events.iter().filter(|event| (from..to).contains(&event.recorded_at)).collect();
    let whole = known(events, to);
    let account = teller.account(&whole, from);
    let corrected = teller.standing(&account, from);
    // Hardly any later event changes what was; where the likely ones do not explain it all, each is tried.
    let likely = |event: &Event<'_>| event.time < from || !event.is_plain();
    let (mut corrections, mut came_to) = teller.corrections(&then, &late, (from, &before), likely);
    if came_to != corrected {
        (corrections, came_to) = teller.corrections(&then, &late, (from, &before), |_| true);
    }
    assert_eq!(came_to, corrected, "all late events together are the correction");
    parts.append(&mut corrections);

    before = corrected;
    let now = teller.walk(&whole, account, (from, to), before, &mut parts);
    parts.retain(|part| !part.by.is_empty());
    Explanation { published, now, parts }
}

/// What was recorded before an instant, in the order of facts.
fn known<'e>(events: &[Event<'e>], at: Time) -> Vec<Event<'e>> {
    let mut known: Vec<Event<'e>> = events.iter().filter(|event| event.recorded_at < at).cloned().collect();
    known.sort_by(|a, b| a.order().cmp(&b.order()));
    known
}

/// What each component adds to the change from one standing to another.
fn moved((old, before): (&Teller, &Standing), (new, after): (&Teller, &Standing)) -> BTreeMap<String, i64> {
    let mut by: BTreeMap<String, i64> = BTreeMap::new();
    for (teller, standing, sign) in [(old, before, -1), (new, after, 1)] {
        let components = teller.tools.plan.score.iter().flat_map(|score| &score.components);
        let shares = standing.rated.iter().flat_map(|rated| &rated.shares);
        for (component, share) in components.zip(shares) {
            *by.entry(component.name.clone()).or_default() += sign * share.tenths;
        }
    }
    by.retain(|_, tenths| *tenths != 0);
    by
}

/// Folds an account to see how its score stands.
struct Teller {
    tools: Tools,
}

impl Teller {
    fn new(plan: &Arc<Plan>) -> Teller {
        Teller { tools: Tools::new(plan.clone()) }
    }

    /// The account of these events as it stands before what is dated `at`.
    fn account(&mut self, known: &[Event<'_>], at: Time) -> Account {
        let before = known.iter().zip(resolve(known)).filter(|(event, _)| event.time < at);
        let mut history = self.tools.history();
        self.tools.extend(&mut history, before, 0);
        self.tools.end(&mut history, 0, at.saturating_sub(1));
        history.account
    }

    /// How it stands on the local day that ends or goes on at `at`.
    fn standing(&mut self, account: &Account, at: Time) -> Standing {
        let Tools { plan, calendar, .. } = &mut self.tools;
        let today = calendar.day(at.saturating_sub(1));
        let customer = account.customer.is_one();
        let score = plan.score.as_ref().filter(|_| customer);
        Standing { customer, rated: score.and_then(|score| score.rate(account, calendar, today)) }
    }

    /// What each of these later events changes in the score at an instant, one after the other, and what it comes to;
    /// only those are tried that `may` change it.
    fn corrections<'e>(
        &mut self,
        then: &[Event<'e>],
        late: &[&Event<'e>],
        (at, before): (Time, &Standing),
        may: impl Fn(&Event<'e>) -> bool,
    ) -> (Vec<Part>, Standing) {
        let (mut known, mut before, mut parts) = (then.to_vec(), before.clone(), Vec::new());
        for event in late {
            let place = known.partition_point(|known| known.order() < event.order());
            known.insert(place, (*event).clone());
            if !may(event) {
                continue;
            }
            let account = self.account(&known, at);
            let after = self.standing(&account, at);
            let by = moved((self, &before), (self, &after));
            parts.push(Part { at, brought: Brought::Correction((*event).into()), tenths: after.tenths(), by });
            before = after;
        }
        (parts, before)
    }

    /// Takes the account from one instant to another, step by step.
    fn walk(
        &mut self,
        known: &[Event<'_>],
        mut account: Account,
        (from, to): (Time, Time),
        mut before: Standing,
        parts: &mut Vec<Part>,
    ) -> Standing {
        for (event, effect) in known.iter().zip(resolve(known)) {
            if !(from..to).contains(&event.time) {
                continue;
            }
            self.pass(&mut account, event.time, &mut before, parts);
            self.tools.fold(0).advance(&mut account, event.time, false);
            self.step(&account, event.time, Brought::Time, &mut before, parts);
            self.tools.fold(0).apply(&mut account, event, effect);
            self.step(&account, event.time, Brought::Event(event.into()), &mut before, parts);
        }
        self.pass(&mut account, to, &mut before, parts);
        // Ages have grown since the last step, and moved no component.
        self.standing(&account, to)
    }

    /// What falls due before `limit`, one after the other.
    fn pass(&mut self, account: &mut Account, limit: Time, before: &mut Standing, parts: &mut Vec<Part>) {
        while let Some(due) = self.tools.fold(0).due(account).filter(|due| *due < limit) {
            self.tools.fold(0).advance(account, due, true);
            self.step(account, due, Brought::Time, before, parts);
        }
    }

    /// Notes what a step at `at` has moved.
    fn step(&mut self, account: &Account, at: Time, brought: Brought, before: &mut Standing, parts: &mut Vec<Part>) {
        let after = self.standing(account, at.saturating_add(1));
        let by = moved((self, before), (self, &after));
        parts.push(Part { at, brought, tenths: after.tenths(), by });
        *before = after;
    }
}
