//! Movements of MRR: `new_mrr`, `expansion_mrr`, `reactivation_mrr`, `contraction_mrr`, `churn_mrr`, `net_new_mrr`.
//!
//! A movement is the change of an account's total MRR in one currency at one instant. `new` where the account never had
//! MRR; up from 0 it is an expansion while the account has MRR in another currency, else a reactivation; down to 0 a
//! contraction while MRR in another currency remains, else churn.

use crate::Micros;
use crate::history::Account;
use crate::mark::Mark;
use crate::money::trait_groups;
use crate::read::Key;
use crate::row::Group;
use crate::subscription::Step;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Total MRR by currency; never 0.
pub type Totals<'a> = BTreeMap<&'a str, i128>;

/// A change of one currency's total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement<'a> {
    /// The first of the facts that make it.
    pub key: Key<'a>,
    /// Its metric.
    pub kind: &'static str,
    /// ISO 4217.
    pub currency: &'a str,
    /// Above 0.
    pub amount: i128,
}

/// The totals after each instant at which a subscription changes, ascending, with the first fact of the instant.
pub fn totals<'a>(account: &Account<'a>) -> Vec<(Key<'a>, Totals<'a>)> {
    let mut steps: Vec<(Key<'a>, usize, Step<'a>)> = Vec::new();
    for (at, subscription) in account.subscriptions.iter().enumerate() {
        steps.extend(subscription.steps.iter().map(|step| (step.key, at, *step)));
    }
    steps.sort_by_key(|(key, at, _)| (*key, *at));
    let mut present = vec![None; account.subscriptions.len()];
    let mut found: Vec<(Key<'a>, Totals<'a>)> = Vec::new();
    for (key, at, step) in steps {
        present[at] = step.paid;
        let mut totals = Totals::new();
        for paid in present.iter().flatten() {
            *totals.entry(paid.currency).or_default() += paid.mrr;
        }
        match found.last_mut().filter(|last| last.0.0 == key.0) {
            Some(last) => last.1 = totals,
            None => found.push((key, totals)),
        }
    }
    found
}

/// The total in a currency at an instant.
pub fn at(totals: &[(Key<'_>, Totals<'_>)], currency: &str, instant: Micros) -> i128 {
    let before = totals.partition_point(|(key, _)| key.0 < instant);
    before.checked_sub(1).and_then(|last| totals[last].1.get(currency)).copied().unwrap_or(0)
}

/// The movements of an account, in the order of facts.
pub fn movements<'a>(account: &Account<'a>) -> Vec<Movement<'a>> {
    let mut found = Vec::new();
    let (mut before, mut ever) = (Totals::new(), false);
    for (key, after) in totals(account) {
        let mut currencies: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
        currencies.sort_unstable();
        currencies.dedup();
        for currency in currencies {
            let of = |totals: &Totals<'_>| totals.get(currency).copied().unwrap_or(0);
            let others = |totals: &Totals<'_>| totals.keys().any(|other| *other != currency);
            let (from, to) = (of(&before), of(&after));
            let kind = match (from, to) {
                _ if from == to => continue,
                (0, _) if !ever => "new_mrr",
                (0, _) if !others(&before) => "reactivation_mrr",
                (_, 0) if !others(&after) => "churn_mrr",
                _ if to > from => "expansion_mrr",
                _ => "contraction_mrr",
            };
            found.push(Movement { key, kind, currency, amount: (to - from).abs() });
        }
        ever |= !after.is_empty();
        before = after;
    }
    found
}

impl Movement<'_> {
    /// Its part of `net_new_mrr`.
    pub fn signed(&self) -> i128 {
        if matches!(self.kind, "contraction_mrr" | "churn_mrr") { -self.amount } else { self.amount }
    }
}

/// The marks of an account.
pub fn marks<'a>(account: &'a Account<'a>, marks: &mut Vec<Mark<'a>>) {
    for movement in movements(account) {
        let groups: Arc<[Group<'a>]> = trait_groups(account.traits_before(movement.key)).into();
        let (time, currency) = (movement.key.0, movement.currency);
        for (metric, num) in [(movement.kind, movement.amount), ("net_new_mrr", movement.signed())] {
            marks.push(Mark { metric, time, at: time, groups: groups.clone(), currency, num, den: 0 });
        }
    }
}
