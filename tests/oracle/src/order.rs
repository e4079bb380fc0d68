//! Orders, invoices and refunds of an account.

use crate::read::{Event, Key};
use crate::spread::spread;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

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

/// What a refund pays back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// The order of this index.
    Order(usize),
    /// An invoice that bills no order.
    Invoice,
    /// Neither: a credit note.
    Nothing,
}

/// A refund that counts: of a known order that is not cancelled, of a known invoice, or a credit note.
#[derive(Debug)]
pub struct Refund<'a> {
    /// Place in the order of facts.
    pub key: Key<'a>,
    /// ISO 4217.
    pub currency: &'a str,
    /// What was paid back.
    pub amount: i128,
    /// Of what.
    pub of: Refunded,
}

/// An invoice that bills no order, at its first payment.
#[derive(Debug)]
pub struct Invoice<'a> {
    /// Place in the order of facts.
    pub key: Key<'a>,
    /// ISO 4217.
    pub currency: &'a str,
    /// What was paid.
    pub amount: i128,
}

/// Orders, paid invoices and refunds, each in the order of facts.
pub type Money<'a> = (Vec<Order<'a>>, Vec<Invoice<'a>>, Vec<Refund<'a>>);

/// Reads the events in effect of an account, in the order of facts.
pub fn money<'a>(events: &[&'a Event]) -> Money<'a> {
    let orders = orders(events);
    let billed = billed(events);
    let mut paid = HashSet::new();
    let payments = events.iter().filter(|e| e.kind == "invoice.resolved" && e.text("status") == Some("paid"));
    let invoices = payments
        .filter(|e| e.text("invoice").is_some_and(|id| billed.get(id) == Some(&None) && paid.insert(id)))
        .map(|e| Invoice { key: e.key(), currency: e.text("currency").unwrap_or_default(), amount: e.amount("amount") })
        .collect();
    let refunds = refunds(events, &orders, &billed);
    (orders, invoices, refunds)
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
    let (gross, discount) = (event.amount("gross"), event.amount("discount"));
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

/// The order that each known invoice bills, if one of its events names it.
fn billed<'a>(events: &[&'a Event]) -> HashMap<&'a str, Option<&'a str>> {
    let mut billed: HashMap<&str, Option<&str>> = HashMap::new();
    for event in events.iter().filter(|e| e.kind == "invoice.resolved") {
        let Some(invoice) = event.text("invoice") else { continue };
        let order = billed.entry(invoice).or_default();
        *order = order.or(event.text("order"));
    }
    billed
}

/// One refund an id, by its earliest event; then those that count.
fn refunds<'a>(
    events: &[&'a Event],
    orders: &[Order<'a>],
    billed: &HashMap<&'a str, Option<&'a str>>,
) -> Vec<Refund<'a>> {
    let by_id: HashMap<&str, usize> = open_ids(events).into_iter().zip(0..).collect();
    let order = |id: &str| by_id.get(id).copied().filter(|at| !orders[*at].cancelled).map(Refunded::Order);
    let mut opened = HashSet::new();
    events
        .iter()
        .filter(|e| e.kind == "payment.refunded")
        .filter(|e| opened.insert(e.text("refund").unwrap_or(&e.id)))
        .filter_map(|e| {
            let of = match (e.text("order"), e.text("invoice")) {
                (Some(id), _) => order(id)?,
                (None, Some(invoice)) => match billed.get(invoice)? {
                    Some(id) => order(id)?,
                    None => Refunded::Invoice,
                },
                (None, None) => Refunded::Nothing,
            };
            let currency = e.text("currency").unwrap_or_default();
            Some(Refund { key: e.key(), currency, amount: e.amount("amount"), of })
        })
        .collect()
}

/// Order ids in the order in which they were first opened.
fn open_ids<'a>(events: &[&'a Event]) -> Vec<&'a str> {
    let mut opened = HashSet::new();
    let ids = events.iter().filter(|e| e.kind == "order.completed").filter_map(|e| e.text("order"));
    ids.filter(|id| opened.insert(*id)).collect()
}
