//! Selling more to customers: when an account was sold an upsell or a cross-sell.

use crate::Micros;
use crate::history::Account;
use std::collections::{BTreeMap, HashSet};

/// What is bought within this of becoming a customer, inclusive, belongs to the first purchase.
pub const FIRST: Micros = 60 * 60 * 1_000_000;

/// Times of upsells, ascending: MRR up on a running subscription, and accepted offers.
pub fn upsells(account: &Account<'_>) -> Vec<Micros> {
    let mut times = accepted(account, "upsell");
    for subscription in &account.subscriptions {
        for pair in subscription.steps.windows(2) {
            if let (Some(before), Some(after)) = (pair[0].paid, pair[1].paid)
                && before.currency == after.currency
                && after.mrr > before.mrr
            {
                times.push(pair[1].key.0);
            }
        }
    }
    times.sort_unstable();
    times
}

/// Times of cross-sells, ascending: first purchases of products later than the first hour, and accepted offers.
pub fn cross_sells(account: &Account<'_>) -> Vec<Micros> {
    let mut times = accepted(account, "cross_sell");
    if let Some(start) = account.first_start() {
        times.extend(bought(account).into_values().filter(|at| *at > start.0 + FIRST));
    }
    times.sort_unstable();
    times
}

/// When each product was first bought: ordered, or paid as a subscription.
fn bought<'a>(account: &Account<'a>) -> BTreeMap<&'a str, Micros> {
    let ordered = account.counted().flat_map(|order| order.lines.iter().map(|line| (line.0, order.key.0)));
    let begun = account.subscriptions.iter().flat_map(|subscription| {
        let first = subscription.steps.iter().find(|step| step.paid.is_some());
        first.and_then(|step| Some((step.paid?.product, step.key.0)))
    });
    let mut first: BTreeMap<&str, Micros> = BTreeMap::new();
    for (product, at) in ordered.chain(begun).filter(|(product, _)| !product.is_empty()) {
        let known = first.entry(product).or_insert(at);
        *known = at.min(*known);
    }
    first
}

/// Each offer is accepted once, by its earliest acceptance.
fn accepted(account: &Account<'_>, kind: &str) -> Vec<Micros> {
    let mut known = HashSet::new();
    let accepted = account.of_kind("offer.accepted").filter(|e| known.insert(e.text("offer")));
    accepted.filter(|e| e.text("kind") == Some(kind)).map(|e| e.time).collect()
}
