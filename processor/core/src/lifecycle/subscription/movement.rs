//! Movements of MRR: the change of an account's total in one currency at one instant.
//!
//! `new` where the account never had MRR; up from 0 it is an expansion while the account has MRR in another currency, else a
//! reactivation; down to 0 a contraction while MRR in another currency remains, else churn. A movement takes the traits as
//! of the first fact of its instant.

use std::collections::BTreeMap;

use super::{FactType, FieldType, Kept, Lifecycle, Sort, Spelling, Subscriptions, Type};
use crate::{
    calendar::Time,
    lifecycle::{self, Fact, FactId, Out, Slot},
};

/// A movement of MRR; the amount is in minor units, above 0.
pub const MOVED: FactType = FactType {
    name: "mrr_moved",
    event: "",
    sort: Sort::Happening,
    fields: &[FieldType::dimension("kind", Spelling::Short), FieldType::new("amount", Type::Money, Spelling::Short)],
    whole: 2,
    money: true,
    stays: true,
    has_event: true,
    reads: Subscriptions::READS,
};
const ID: FactId = lifecycle::id(&MOVED);

/// Total MRR by currency, in minor units; never 0.
pub(super) type Totals = BTreeMap<Box<str>, i128>;

/// A change of one currency's total: kind, currency, amount above 0.
type Movement = (&'static str, Box<str>, i128);

/// One instant at which subscriptions change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instant {
    pub(super) time: Time,
    /// Traits as of its first fact.
    profile: u32,
    /// Custom fields of its first event.
    custom: Kept,
    /// Totals before it.
    before: Totals,
    /// Whether there was MRR before it.
    had: bool,
    /// Totals after what is known of it.
    after: Totals,
}

impl Instant {
    pub(super) fn new(time: Time, profile: u32, custom: Kept, before: Totals, had: bool) -> Instant {
        Instant { time, profile, custom, after: before.clone(), before, had }
    }

    /// Traits as of its first fact.
    pub(super) fn profile(&self) -> u32 {
        self.profile
    }

    /// The totals after what is known of it.
    pub(super) fn after(&self) -> &Totals {
        &self.after
    }

    /// Whether there was MRR, with this instant.
    pub(super) fn ever(&self) -> bool {
        self.had || !self.after.is_empty()
    }

    /// The totals after one more fact of it: what has moved so far is taken back.
    pub(super) fn end_with(&mut self, totals: Totals, out: &mut Out<'_, '_>) {
        if totals == self.after {
            return;
        }
        self.movements().iter().for_each(|movement| self.add(movement, -1, out));
        self.after = totals;
        self.movements().iter().for_each(|movement| self.add(movement, 1, out));
    }

    fn movements(&self) -> Vec<Movement> {
        let mut currencies: Vec<&str> = self.before.keys().chain(self.after.keys()).map(AsRef::as_ref).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let moved = |currency: &str| {
            let of = |totals: &Totals| totals.get(currency).copied().unwrap_or(0);
            let (from, to) = (of(&self.before), of(&self.after));
            Some((self.kind(currency, from, to)?, currency.into(), (to - from).abs()))
        };
        currencies.into_iter().filter_map(moved).collect()
    }

    /// The kind of a movement; `None` where nothing moves.
    fn kind(&self, currency: &str, from: i128, to: i128) -> Option<&'static str> {
        let others = |totals: &Totals| totals.keys().any(|other| **other != *currency);
        Some(match (from, to) {
            _ if from == to => return None,
            (0, _) if !self.had => "new",
            (0, _) if !others(&self.before) => "reactivation",
            (_, 0) if !others(&self.after) => "churn",
            _ if to > from => "expansion",
            _ => "contraction",
        })
    }

    fn add(&self, (kind, currency, amount): &Movement, times: i128, out: &mut Out<'_, '_>) {
        let amount = i64::try_from(*amount).expect("doors refuse amounts beyond 10^15");
        let values = [Slot::Text(kind), Slot::Integer(amount)];
        let (currency, opening) = (out.context.currency(currency), self.custom.fields());
        let fact = Fact { currency, values: &values, opening: &opening, ..Fact::new(self.time, self.profile, None) };
        if times > 0 { out.happen(ID, &fact) } else { out.add(ID, &fact, times) }
    }
}
