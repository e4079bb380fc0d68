//! Customer: while a subscription is paid, and from an order until `silent_after` has passed without another.
//!
//! Invariants: runs are in order and do not overlap; an account is a customer at x if a run has
//! `start < x <= end`; a loss is dated last order + `silent_after`, unless an order is completed at
//! or before that instant, or when the last paid subscription ends, whichever is later. Whether a subscription makes or
//! unmakes a customer is decided when its instant is over: of the facts of one instant the state after them decides. The
//! same holds for traits: those at x are the ones set before x.

use super::{FactType, FieldType, Sort, Spelling};
use crate::{
    calendar::Time,
    event::{Event, Message},
    expr::Type,
    vocabulary::account_updated,
};

/// What makes and unmakes a customer.
const READS: &[&str] = &["order.completed", "order.cancelled", "subscription.changed"];

/// An account became a customer, for the first time or again.
pub const STARTED: FactType = FactType {
    name: "customer_started",
    event: "",
    sort: Sort::Happening,
    fields: &[FieldType::new("first", Type::Flag, Spelling::Short)],
    whole: 1,
    money: false,
    stays: false,
    has_event: false,
    reads: READS,
};

/// An account stopped being a customer.
pub const LOST: FactType = FactType {
    name: "customer_lost",
    event: "",
    sort: Sort::Happening,
    fields: &[],
    whole: 0,
    money: false,
    stays: false,
    has_event: false,
    reads: READS,
};

/// The accounts that are customers.
pub const CUSTOMER: FactType = FactType {
    name: "customer",
    event: "",
    sort: Sort::Level,
    fields: &[],
    whole: 0,
    money: false,
    stays: false,
    has_event: false,
    reads: READS,
};

/// The traits that an event sets, each with its value, `None` where it unsets it; none for an event of another type.
pub fn updated<'e>(event: &'e Event<'_>) -> Option<impl Iterator<Item = (&'e str, Option<&'e str>)> + use<'e>> {
    use account_updated::{
        NUMBER, TRAITS,
        traits::{NAME, VALUE},
    };
    let one = |item: Message<'e>| (item.text(NAME), item.has(VALUE).then(|| item.text(VALUE)));
    (event.number == NUMBER).then(|| event.data.messages(TRAITS).map(one))
}

/// One time as a customer: the state at x is "customer" for `start < x <= end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Time of the order or subscription that began it.
    pub start: Time,
    /// When it was lost; [`Time::MAX`] while it lasts.
    pub end: Time,
    /// Traits at its start.
    pub profile: u32,
}

/// An account's history as a customer, as far back as windows look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// Times as a customer, oldest first.
    pub runs: Vec<Run>,
    /// Time of the last order.
    pub last_order: Option<Time>,
}

/// Whether subscriptions make an account a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whether any is paid.
    pub paid: bool,
    /// Since when; [`Time::MIN`] if none ever was.
    pub since: Time,
    /// Traits that the fact behind it saw.
    pub profile: u32,
}

impl Default for Claim {
    fn default() -> Claim {
        Claim { paid: false, since: Time::MIN, profile: 0 }
    }
}

impl Customer {
    /// Whether it is one now.
    pub fn is_one(&self) -> bool {
        self.runs.last().is_some_and(|run| run.end == Time::MAX)
    }

    /// Whether it ever was one.
    pub fn ever(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Whether it was one at `x`.
    pub fn at(&self, x: Time) -> bool {
        self.runs.iter().rev().any(|run| run.start < x && x <= run.end)
    }

    /// When it will become one or be lost, if nothing happens.
    pub fn due(&self, silent_after: Time, claim: Claim) -> Option<Time> {
        match (self.is_one(), claim.paid) {
            (true, false) => {
                let silent = self.last_order.map_or(Time::MIN, |last| last.saturating_add(silent_after));
                Some(silent.max(claim.since))
            }
            (false, true) => Some(claim.since),
            _ => None,
        }
    }
}

/// An account's traits over time: numbers of profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// (time, profile from then on), oldest first; before the first it is profile 0.
    pub changes: Vec<(Time, u32)>,
}

impl Traits {
    /// The traits now.
    pub fn now(&self) -> u32 {
        self.changes.last().map_or(0, |change| change.1)
    }

    /// The traits at `x`: those set before it.
    pub fn before(&self, x: Time) -> u32 {
        self.changes.iter().rev().find(|change| change.0 < x).map_or(0, |change| change.1)
    }

    /// Sets the traits from `time` on; not before the last change.
    pub fn set(&mut self, time: Time, profile: u32) {
        match self.changes.last_mut() {
            Some(last) if last.0 == time => last.1 = profile,
            _ => {
                self.changes.reserve_exact(1);
                self.changes.push((time, profile));
            }
        }
    }
}

/// Forgets what lies before `horizon`, which no window looks behind.
pub fn prune(customer: &mut Customer, traits: &mut Traits, horizon: Time) {
    let keep = customer.runs.len().saturating_sub(1);
    let old = customer.runs[..keep].iter().take_while(|run| run.end < horizon).count();
    customer.runs.drain(..old);
    let base = traits.changes.iter().take_while(|change| change.0 < horizon).count();
    traits.changes.drain(..base.saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_at_an_instant_is_what_happened_before_it() {
        let runs = vec![Run { start: 10, end: 100, profile: 0 }, Run { start: 150, end: Time::MAX, profile: 0 }];
        let customer = Customer { runs, last_order: Some(150) };
        let states: Vec<bool> = [10, 11, 100, 101, 150, 151].iter().map(|x| customer.at(*x)).collect();
        assert_eq!(states, [false, true, true, false, false, true]);
        assert_eq!(customer.due(90, Claim::default()), Some(240));
    }

    #[test]
    fn the_later_of_order_and_subscription_decides_the_loss() {
        let run = Run { start: 10, end: Time::MAX, profile: 0 };
        let customer = Customer { runs: vec![run], last_order: Some(150) };
        let claim = |paid, since| Claim { paid, since, profile: 0 };
        for (claim, due) in [(claim(true, 10), None), (claim(false, 200), Some(240)), (claim(false, 300), Some(300))] {
            assert_eq!(customer.due(90, claim), due, "{claim:?}");
        }
        assert_eq!(Customer::default().due(90, claim(true, 10)), Some(10));
        assert_eq!(Customer::default().due(90, claim(false, 10)), None);
    }

    #[test]
    fn traits_count_from_after_their_time_and_survive_pruning() {
        let mut traits = Traits::default();
        traits.set(10, 1);
        traits.set(20, 2);
        traits.set(20, 3);
        assert_eq!([traits.before(10), traits.before(11), traits.before(20), traits.before(21)], [0, 1, 1, 3]);
        let mut customer = Customer::default();
        prune(&mut customer, &mut traits, 25);
        assert_eq!((traits.changes.len(), traits.before(25), traits.now()), (1, 3, 3));
    }
}
