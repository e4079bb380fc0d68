//! What happened to each account: traits, orders, refunds, times as a customer, signs of life.

use crate::read::{Event, Key};
use crate::spread::spread;
use crate::{Micros, Settings};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Values of the traits in the order of [`TRAITS`]; absent is `""`.
pub type Traits = [String; 3];

/// The traits that are dimensions.
pub const TRAITS: [&str; 3] = ["plan", "segment", "region"];

static NO_TRAITS: Traits = [String::new(), String::new(), String::new()];

/// An order, cancelled or not.
#[derive(Debug)]
pub struct Order<'a> {
    /// Place in the order of facts.
    pub key: Key<'a>,
    /// ISO 4217.
    pub currency: &'a str,
    /// The dimension `channel`.
    pub channel: &'a str,
    /// The dimension `source`.
    pub source: &'a str,
    /// Gross minus discount.
    pub net: i128,
    /// Product and amount of each line before discount, what they lack to gross as the last.
    pub lines: Vec<(&'a str, i128)>,
    /// Product and net amount of each line.
    pub nets: Vec<(&'a str, i128)>,
    /// It never was.
    pub cancelled: bool,
}

/// A refund of a known order that is not cancelled.
#[derive(Debug)]
pub struct Refund<'a> {
    /// Place in the order of facts.
    pub key: Key<'a>,
    /// ISO 4217.
    pub currency: &'a str,
    /// What was paid back.
    pub amount: i128,
    /// Index of its order.
    pub order: usize,
}

/// A time as a customer: (start, lost].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The order that begins it.
    pub start: Key<'a>,
    /// When it was lost; `None` while that has not happened.
    pub lost: Option<Micros>,
}

/// One account.
#[derive(Debug, Default)]
pub struct Account<'a> {
    /// Its name.
    pub name: &'a str,
    /// Traits from each update on.
    pub traits: Vec<(Key<'a>, Traits)>,
    /// All orders, in the order of facts.
    pub orders: Vec<Order<'a>>,
    /// Refunds that count, in the order of facts.
    pub refunds: Vec<Refund<'a>>,
    /// Times as a customer.
    pub runs: Vec<Run<'a>>,
    /// Times of meaningful events, ascending.
    pub meaningful: Vec<Micros>,
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
        begun > 0 && self.runs[begun - 1].lost.is_none_or(|lost| instant <= lost)
    }

    /// Whether a meaningful event is dated in `[start, end)`.
    pub fn engaged(&self, start: Micros, end: Micros) -> bool {
        let next = self.meaningful.partition_point(|&t| t < start);
        self.meaningful.get(next).is_some_and(|&t| t < end)
    }

    /// Orders that are not cancelled.
    pub fn counted(&self) -> impl Iterator<Item = &Order<'a>> {
        self.orders.iter().filter(|o| !o.cancelled)
    }
}

/// The accounts by name, from the events in effect in the order of facts.
pub fn accounts<'a>(events: &[&'a Event], settings: &Settings, clock: Micros) -> Vec<Account<'a>> {
    let mut by_account: BTreeMap<&str, Vec<&'a Event>> = BTreeMap::new();
    for event in events {
        if let Some(name) = event.account() {
            by_account.entry(name).or_default().push(event);
        }
    }
    by_account.into_iter().map(|(name, events)| account(name, &events, settings, clock)).collect()
}

fn account<'a>(name: &'a str, events: &[&'a Event], settings: &Settings, clock: Micros) -> Account<'a> {
    let orders = orders(events);
    let refunds = refunds(events, &orders);
    let counted: Vec<Key<'a>> = orders.iter().filter(|o| !o.cancelled).map(|o| o.key).collect();
    let usage = events.iter().filter(|e| e.kind == "usage.recorded" && e.integer("count").unwrap_or(1) >= 1);
    let mut meaningful: Vec<Micros> = usage.map(|e| e.time).chain(counted.iter().map(|k| k.0)).collect();
    meaningful.sort_unstable();
    let runs = runs(&counted, settings.silent_after, clock);
    Account { name, traits: traits(events), orders, refunds, runs, meaningful }
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

/// One order an id, opened by its earliest event; cancelled by any cancellation of that id.
fn orders<'a>(events: &[&'a Event]) -> Vec<Order<'a>> {
    let named = |kind: &'static str| events.iter().filter(move |e| e.kind == kind);
    let cancelled: HashSet<&str> = named("order.cancelled").filter_map(|e| e.text("order")).collect();
    let mut opened = HashSet::new();
    named("order.completed")
        .filter_map(|e| Some((e, e.text("order")?)))
        .filter(|(_, id)| opened.insert(*id))
        .map(|(e, id)| order(e, cancelled.contains(id)))
        .collect()
}

fn order(event: &Event, cancelled: bool) -> Order<'_> {
    let gross = event.integer("gross").unwrap_or(0);
    let discount = event.integer("discount").unwrap_or(0);
    let lines = lines(event, gross);
    let weights: Vec<i128> = lines.iter().map(|l| l.1).collect();
    let nets = lines.iter().zip(spread(discount, &weights)).map(|(l, share)| (l.0, l.1 - share)).collect();
    Order {
        key: event.key(),
        currency: event.text("currency").unwrap_or_default(),
        channel: event.text("channel").unwrap_or_default(),
        source: event.text("source").unwrap_or_default(),
        net: gross - discount,
        lines,
        nets,
        cancelled,
    }
}

fn lines<'a>(event: &'a Event, gross: i128) -> Vec<(&'a str, i128)> {
    let listed = event.data.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let amount = |line: &Value| line.get("amount").and_then(crate::read::integer).unwrap_or(0);
    let product = |line: &'a Value| line.get("product").and_then(Value::as_str).unwrap_or_default();
    let mut lines: Vec<(&str, i128)> = listed.iter().map(|l| (product(l), amount(l))).collect();
    let lacking = gross - lines.iter().map(|l| l.1).sum::<i128>();
    if lacking > 0 || lines.is_empty() {
        lines.push(("", lacking));
    }
    lines
}

/// One refund an id, by its earliest event; then those of known orders that are not cancelled.
fn refunds<'a>(events: &[&'a Event], orders: &[Order<'a>]) -> Vec<Refund<'a>> {
    let by_id: HashMap<&str, usize> = open_ids(events).into_iter().zip(0..).collect();
    let mut opened = HashSet::new();
    events
        .iter()
        .filter(|e| e.kind == "payment.refunded")
        .filter(|e| opened.insert(e.text("refund").unwrap_or(&e.id)))
        .filter_map(|e| Some((e, *by_id.get(e.text("order")?)?)))
        .filter(|&(_, order)| !orders[order].cancelled)
        .map(|(e, order)| Refund {
            key: e.key(),
            currency: e.text("currency").unwrap_or_default(),
            amount: e.integer("amount").unwrap_or(0),
            order,
        })
        .collect()
}

/// Order ids in the order in which they were first opened.
fn open_ids<'a>(events: &[&'a Event]) -> Vec<&'a str> {
    let mut opened = HashSet::new();
    let ids = events.iter().filter(|e| e.kind == "order.completed").filter_map(|e| e.text("order"));
    ids.filter(|id| opened.insert(*id)).collect()
}

/// Times as a customer from the orders that count, in the order of facts.
fn runs<'a>(orders: &[Key<'a>], silent_after: Micros, clock: Micros) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut due = Micros::MIN;
    for &key in orders {
        // An order at the instant of the loss still prevents it.
        if runs.is_empty() || key.0 > due {
            if let Some(run) = runs.last_mut() {
                run.lost = Some(due);
            }
            runs.push(Run { start: key, lost: None });
        }
        due = key.0 + silent_after;
    }
    if let Some(run) = runs.last_mut().filter(|_| due <= clock) {
        run.lost = Some(due);
    }
    runs
}
