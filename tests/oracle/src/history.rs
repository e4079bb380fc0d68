//! What happened to each account: traits, orders, subscriptions, times as a customer, signs of life.

use crate::order::{self, Invoice, Order, Refund};
use crate::read::{Event, Key, Subject};
use crate::subscription::{self, Subscription};
use crate::{Micros, Settings, sell, ticket};
use serde_json::Value;
use std::collections::BTreeMap;

/// Values of the traits in the order of [`TRAITS`]; absent is `""`.
pub type Traits = [String; 3];

/// The traits that are dimensions.
pub const TRAITS: [&str; 3] = ["plan", "segment", "region"];

static NO_TRAITS: Traits = [String::new(), String::new(), String::new()];

/// The place in the order of facts of what time brings about at an instant: before every event of that instant.
pub fn due<'a>(at: Micros) -> Key<'a> {
    (at, "", "")
}

/// A time as a customer: (start, lost].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// What begins it.
    pub start: Key<'a>,
    /// What ends it; `None` while that has not happened.
    pub lost: Option<Key<'a>>,
}

/// One account; or what belongs to nobody: the orders of one guest, with no traits and no time as a customer.
#[derive(Debug, Default)]
pub struct Account<'a> {
    /// Its name.
    pub name: &'a str,
    /// It is a guest's.
    pub guest: bool,
    /// Its events in effect, in the order of facts.
    pub events: Vec<&'a Event>,
    /// Traits from each update on.
    pub traits: Vec<(Key<'a>, Traits)>,
    /// All orders, in the order of facts.
    pub orders: Vec<Order<'a>>,
    /// Paid invoices that bill no order, in the order of facts.
    pub invoices: Vec<Invoice<'a>>,
    /// Refunds that count, in the order of facts.
    pub refunds: Vec<Refund<'a>>,
    /// By id.
    pub subscriptions: Vec<Subscription<'a>>,
    /// Times as a customer.
    pub runs: Vec<Run<'a>>,
    /// Times of meaningful events, ascending.
    pub meaningful: Vec<Micros>,
    /// Times of upsells, ascending.
    pub upsells: Vec<Micros>,
    /// Times of cross-sells, ascending.
    pub cross_sells: Vec<Micros>,
}

impl<'a> Account<'a> {
    /// Traits that an event sees: those set before it in the order of facts.
    pub fn traits_before(&self, key: Key<'_>) -> &Traits {
        self.nth_traits(self.traits.partition_point(|(k, _)| *k < key))
    }

    /// Traits set by facts dated before `instant`.
    pub fn traits_at(&self, instant: Micros) -> &Traits {
        self.nth_traits(self.traits.partition_point(|(k, _)| k.0 < instant))
    }

    fn nth_traits(&self, count: usize) -> &Traits {
        count.checked_sub(1).map_or(&NO_TRAITS, |i| &self.traits[i].1)
    }

    /// Whether it is a customer at `instant`.
    pub fn customer_at(&self, instant: Micros) -> bool {
        let begun = self.runs.partition_point(|r| r.start.0 < instant);
        begun > 0 && self.runs[begun - 1].lost.is_none_or(|lost| instant <= lost.0)
    }

    /// When it first became a customer.
    pub fn first_start(&self) -> Option<Key<'a>> {
        self.runs.first().map(|run| run.start)
    }

    /// Orders that are not cancelled.
    pub fn counted(&self) -> impl Iterator<Item = &Order<'a>> {
        self.orders.iter().filter(|o| !o.cancelled)
    }

    /// Its events of one type.
    pub fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().copied().filter(move |e| e.kind == kind)
    }
}

/// Whether one of the instants (ascending) lies in `[start, end)`.
pub fn any(instants: &[Micros], start: Micros, end: Micros) -> bool {
    let next = instants.partition_point(|&t| t < start);
    instants.get(next).is_some_and(|&t| t < end)
}

/// The accounts by name, then the guests, from the events in effect in the order of facts.
pub fn accounts<'a>(events: &[&'a Event], settings: &Settings, clock: Micros) -> Vec<Account<'a>> {
    let mut by_subject: BTreeMap<(bool, &str), Vec<&'a Event>> = BTreeMap::new();
    for event in events {
        match &event.subject {
            Subject::Account(name) => by_subject.entry((false, name)).or_default().push(event),
            Subject::Guest(name) => by_subject.entry((true, name)).or_default().push(event),
            Subject::Lead(_) | Subject::Tenant => {}
        }
    }
    by_subject.into_iter().map(|((guest, name), events)| account(name, guest, events, settings, clock)).collect()
}

/// One account, from its events in effect.
pub fn account<'a>(
    name: &'a str,
    guest: bool,
    events: Vec<&'a Event>,
    settings: &Settings,
    clock: Micros,
) -> Account<'a> {
    let (orders, invoices, refunds) = order::money(&events);
    let traits = traits(&events);
    let mut account = Account { name, guest, events, traits, orders, invoices, refunds, ..Account::default() };
    if !guest {
        account.subscriptions = subscription::of(&account.events, settings, clock);
        account.meaningful = meaningful(&account, settings);
        account.runs = runs(&account, settings.silent_after, clock);
        account.upsells = sell::upsells(&account);
        account.cross_sells = sell::cross_sells(&account);
    }
    account
}

/// The traits after each `account.updated`: it sets those that it names, null unsets.
fn traits<'a>(events: &[&'a Event]) -> Vec<(Key<'a>, Traits)> {
    let mut current = NO_TRAITS.clone();
    let mut history = Vec::new();
    for event in events.iter().filter(|e| e.kind == "account.updated") {
        for (value, name) in current.iter_mut().zip(TRAITS) {
            match event.data.get("traits").and_then(|t| t.get(name)) {
                None => {}
                Some(Value::Null) => value.clear(),
                Some(Value::String(text)) => value.clone_from(text),
                Some(other) => *value = other.to_string(),
            }
        }
        history.push((event.key(), current.clone()));
    }
    history
}

/// Times of the signs of life that the settings name.
fn meaningful(account: &Account<'_>, settings: &Settings) -> Vec<Micros> {
    let signs = settings.meaningful;
    let usage = account.of_kind("usage.recorded").filter(|e| e.integer("count").unwrap_or(1) >= 1).map(|e| e.time);
    let mut times: Vec<Micros> = usage.filter(|_| signs.usage).collect();
    if signs.orders {
        times.extend(account.counted().map(|order| order.key.0));
    }
    if signs.answers {
        times.extend(account.of_kind("survey.answered").map(|e| e.time));
    }
    if signs.tickets {
        times.extend(ticket::by_the_customer(account));
    }
    times.sort_unstable();
    times
}

/// A time in which something makes the account a customer: (start, end].
struct Claim<'a> {
    start: Key<'a>,
    /// `None`: it lasts.
    end: Option<Key<'a>>,
}

/// Times as a customer: the union of what orders and subscriptions claim. Times that touch are one.
fn runs<'a>(account: &Account<'a>, silent_after: Micros, clock: Micros) -> Vec<Run<'a>> {
    let of_order = |order: &Order<'a>| Claim { start: order.key, end: Some(due(order.key.0 + silent_after)) };
    let mut claims: Vec<Claim<'a>> = account.counted().map(of_order).collect();
    for subscription in &account.subscriptions {
        claims.extend(subscription.paid_times().into_iter().map(|(start, end)| Claim { start, end }));
    }
    claims.sort_by_key(|claim| claim.start);

    let mut runs: Vec<Run<'a>> = Vec::new();
    for claim in claims {
        match runs.last_mut() {
            // An order at the instant of the loss still prevents it.
            Some(run) if run.lost.is_none_or(|lost| claim.start.0 <= lost.0) => {
                run.lost = run.lost.zip(claim.end).map(|(a, b)| a.max(b));
            }
            _ => runs.push(Run { start: claim.start, lost: claim.end }),
        }
    }
    // What time brings has happened once the clock is there, or something later shows it.
    if let Some(run) = runs.last_mut() {
        run.lost = run.lost.filter(|lost| !lost.1.is_empty() || !lost.2.is_empty() || lost.0 <= clock);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_before_the_events_of_its_instant() {
        assert!(due(5) < (5, "", "a") && due(5) < (5, "a", "") && due(5) > (4, "z", "z"));
    }
}
