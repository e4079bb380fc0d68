//! The journal of an account, resolved: which of its events hold, and as what.
//!
//! Invariants: a pure function of the set of events, in any order of arrival; at most one effect an
//! event, at its own place in the order of facts (time, source, id).
//!
//! - `retracted` withdraws the named event for ever, and the corrections of it, theirs included.
//! - `corrects` replaces the named event; of several that are not withdrawn the greatest holds. A
//!   withdrawn correction does not bring the old event back.
//! - an order id opened twice is one, opened by the earlier; a cancelled order never was.
//! - a refund id opened twice is one; a refund waits for its order, one of an invoice for any event of that invoice.
//! - an invoice bills an order if any of its events names one; then a refund of it is one of that order.

use crate::{
    calendar::Time,
    event::{Body, Custom, Event, EventId, Order, Refund},
    lifecycle::invoice::billing,
    map::{Map, Set},
    vocabulary::identity_linked as linked,
};

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect<'a> {
    /// Nothing but being an event: withdrawn, replaced, a second opening, waiting.
    Nothing,
    /// An order that counts.
    Order(&'a Order<'a>),
    /// A refund, the order that it is of, and the custom fields of that order; the order counts.
    Refund(&'a Refund<'a>, &'a Order<'a>, &'a [(&'a str, Custom<'a>)]),
    /// A refund of an invoice that bills no order, or a credit note.
    Credit(&'a Refund<'a>),
    /// What its body says, of an invoice that bills an order.
    Billed,
    /// What its body says (traits, usage); of a cancellation that it happened.
    Plain,
}

/// The effect of each event; `events` are sorted by the order of facts.
pub fn resolve<'a>(events: &'a [Event<'a>]) -> Vec<Effect<'a>> {
    let standing = standing(events);
    let mut cancelled: Set<&str> = Set::default();
    let mut orders: Map<&str, usize> = Map::default();
    let mut bills: Map<&str, &str> = Map::default();
    let mut refunds: Set<&str> = Set::default();
    for (index, event) in events.iter().enumerate().filter(|(index, _)| standing[*index]) {
        match &event.body {
            Body::Cancelled(order) => {
                cancelled.insert(order);
            }
            Body::Order(order) => {
                orders.entry(order.order).or_insert(index);
            }
            _ => {}
        }
        if let Some((invoice, order)) = billing(event) {
            let known = bills.entry(invoice).or_default();
            *known = if known.is_empty() { order } else { known };
        }
    }
    let counted = |id: &str| orders.get(id).filter(|_| !cancelled.contains(id)).copied();
    let mut effects = vec![Effect::Nothing; events.len()];
    for (index, event) in events.iter().enumerate().filter(|(index, _)| standing[*index]) {
        effects[index] = match &event.body {
            Body::Order(order) if counted(order.order) == Some(index) => Effect::Order(order),
            Body::Refund(refund) if refunds.insert(refund.refund) => match refunded(refund, &bills) {
                None => Effect::Nothing,
                Some("") => Effect::Credit(refund),
                Some(order) => match counted(order).map(|at| (&events[at].body, &events[at].custom)) {
                    Some((Body::Order(order), custom)) => Effect::Refund(refund, order, custom),
                    _ => Effect::Nothing,
                },
            },
            Body::Other if billing(event).is_some_and(|(invoice, _)| !bills[invoice].is_empty()) => Effect::Billed,
            Body::Traits(_) | Body::Usage(_) | Body::Cancelled(_) | Body::Other => Effect::Plain,
            _ => Effect::Nothing,
        };
    }
    effects
}

/// The order that a refund is of; empty for none, `None` where the invoice is not known.
fn refunded<'a>(refund: &Refund<'a>, bills: &Map<&str, &'a str>) -> Option<&'a str> {
    match (refund.order, refund.invoice) {
        ("", "") => Some(""),
        ("", invoice) => bills.get(invoice).copied(),
        (order, _) => Some(order),
    }
}

/// The links of accounts that hold in a journal: place in the order of facts, `from`, `to`. `events` are sorted.
pub fn links<'a>(events: &'a [Event<'a>]) -> Vec<((Time, &'a str, &'a str), &'a str, &'a str)> {
    let holds = events.iter().zip(standing(events)).filter(|(event, holds)| *holds && event.kind == linked::TYPE);
    holds.map(|(event, _)| (event.order(), event.data.text(linked::FROM), event.data.text(linked::TO))).collect()
}

/// Which events are neither withdrawn nor replaced.
fn standing(events: &[Event<'_>]) -> Vec<bool> {
    let plain = |event: &Event<'_>| event.corrects.is_none() && !matches!(event.body, Body::Retracted(_));
    if events.iter().all(plain) {
        return vec![true; events.len()];
    }
    let retracted: Set<EventId<'_>> =
        events.iter().filter_map(|event| if let Body::Retracted(id) = event.body { Some(id) } else { None }).collect();
    let index: Map<EventId<'_>, usize> = events.iter().enumerate().map(|(index, event)| (event.id, index)).collect();
    // What names an event that is not here, or not yet, is an event like any other.
    let corrects = |at: usize| events[at].corrects.filter(|id| *id != events[at].id && index.contains_key(id));
    let withdrawn: Vec<bool> =
        (0..events.len()).map(|at| chain(events, &index, at).any(|id| retracted.contains(&id))).collect();
    // Of the corrections of one event the greatest that is not withdrawn; events come in order.
    let mut winner: Map<EventId<'_>, usize> = Map::default();
    let mut replaced: Set<EventId<'_>> = Set::default();
    for (at, withdrawn) in withdrawn.iter().enumerate() {
        if let Some(target) = corrects(at) {
            replaced.insert(target);
            if !withdrawn {
                winner.insert(target, at);
            }
        }
    }
    let wins = |at: usize| corrects(at).is_none_or(|target| winner.get(&target) == Some(&at));
    (0..events.len())
        .map(|at| {
            let chain_wins = chain(events, &index, at).all(|id| wins(index[&id]));
            !withdrawn[at] && !replaced.contains(&events[at].id) && chain_wins
        })
        .collect()
}

/// The ids from an event through what it corrects, as far as that is known and a chain of this many can go.
fn chain<'a>(
    events: &'a [Event<'a>],
    index: &'a Map<EventId<'a>, usize>,
    at: usize,
) -> impl Iterator<Item = EventId<'a>> {
    let next = |id: &EventId<'a>| events[index[id]].corrects.filter(|id| index.contains_key(id));
    std::iter::successors(Some(events[at].id), next).take(events.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Fields, SubjectKind};

    fn event<'a>(time: i64, id: &'a str, corrects: &'a str, body: Body<'a>) -> Event<'a> {
        let name = |id: &'a str| EventId { source: "s", id };
        Event {
            time,
            id: name(id),
            subject: SubjectKind::Account,
            recorded_at: time,
            kind: "",
            corrects: (!corrects.is_empty()).then(|| name(corrects)),
            number: 0,
            body,
            data: Fields::default(),
            custom: Vec::new(),
        }
    }

    fn order(id: &str) -> Body<'_> {
        Body::Order(Order { order: id, gross: 100, ..Order::default() })
    }

    fn retract(id: &str) -> Body<'_> {
        Body::Retracted(EventId { source: "s", id })
    }

    fn refund<'a>(id: &'a str, order: &'a str) -> Body<'a> {
        Body::Refund(Refund { refund: id, order, amount: 10, currency: "USD", ..Refund::default() })
    }

    fn refund_of_invoice<'a>(id: &'a str, invoice: &'a str) -> Body<'a> {
        Body::Refund(Refund { refund: id, invoice, amount: 10, currency: "USD", ..Refund::default() })
    }

    fn invoice(time: i64, id: &'static str, invoice: &str, order: &str) -> Event<'static> {
        let data = Fields::of(&[(1, invoice), (2, order), (3, "paid")]);
        Event { kind: "invoice.resolved", data, ..event(time, id, "", Body::Other) }
    }

    #[test]
    fn a_refund_of_an_invoice_is_one_of_the_order_that_it_bills() {
        let refund = || event(1, "f", "", refund_of_invoice("f", "i"));
        for (case, events, expected) in [
            ("waits for the invoice", vec![refund()], "f Nothing"),
            ("it bills no order", vec![refund(), invoice(2, "i", "i", "")], "f Credit, i Plain"),
            ("it bills an unknown one", vec![refund(), invoice(2, "i", "i", "1")], "f Nothing, i Billed"),
            (
                "a later event says so",
                vec![refund(), invoice(2, "i", "i", ""), invoice(3, "j", "i", "1"), event(4, "o", "", order("1"))],
                "f Refund, i Billed, j Billed, o Order",
            ),
            (
                "of a cancelled order",
                vec![
                    refund(),
                    invoice(2, "i", "i", "1"),
                    event(4, "o", "", order("1")),
                    event(5, "c", "", Body::Cancelled("1")),
                ],
                "f Nothing, i Billed, o Nothing, c Plain",
            ),
            ("a credit note", vec![event(1, "f", "", refund_of_invoice("f", ""))], "f Credit"),
        ] {
            let shown = |(event, effect): (&Event<'_>, Effect<'_>)| {
                let effect = format!("{effect:?}");
                format!("{} {}", event.id.id, effect.split('(').next().unwrap_or_default())
            };
            let effects: Vec<String> = events.iter().zip(resolve(&events)).map(shown).collect();
            assert_eq!(effects.join(", "), expected, "{case}");
        }
    }

    fn holding(mut events: Vec<Event<'_>>) -> String {
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        let effects = resolve(&events);
        let held = events.iter().zip(effects).filter(|(_, effect)| *effect != Effect::Nothing);
        held.map(|(event, _)| event.id.id).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_holds() {
        let none = "";
        for (case, events, expected) in [
            ("second opening", vec![event(1, "a", none, order("1")), event(2, "b", none, order("1"))], "a"),
            ("cancelled", vec![event(1, "a", none, order("1")), event(9, "c", none, Body::Cancelled("1"))], "c"),
            ("corrected", vec![event(1, "a", none, order("1")), event(2, "b", "a", order("1"))], "b"),
            (
                "greater correction",
                vec![event(1, "a", none, order("1")), event(2, "b", "a", order("1")), event(3, "c", "a", order("1"))],
                "c",
            ),
            (
                "correction withdrawn",
                vec![
                    event(1, "a", none, order("1")),
                    event(2, "b", "a", order("1")),
                    event(3, "r", none, retract("b")),
                ],
                "",
            ),
            (
                "all withdrawn",
                vec![
                    event(1, "a", none, order("1")),
                    event(2, "b", "a", order("1")),
                    event(3, "r", none, retract("a")),
                ],
                "",
            ),
            (
                "correction of a correction",
                vec![event(1, "a", none, order("1")), event(2, "b", "a", order("1")), event(3, "c", "b", order("1"))],
                "c",
            ),
            (
                "chain withdrawn",
                vec![
                    event(1, "a", none, order("1")),
                    event(2, "b", "a", order("1")),
                    event(3, "c", "b", order("1")),
                    event(4, "r", none, retract("a")),
                ],
                "",
            ),
            (
                "withdrawn before it is known",
                vec![event(2, "b", "a", order("1")), event(3, "r", none, retract("a"))],
                "b",
            ),
            (
                "two corrections of what is not known",
                vec![event(2, "b", "a", order("1")), event(3, "c", "a", order("2"))],
                "b c",
            ),
            ("a cycle", vec![event(1, "a", "b", order("1")), event(2, "b", "a", order("1"))], ""),
            ("waits for nothing", vec![event(1, "f", none, refund("f", "1"))], ""),
            (
                "refund before its order",
                vec![event(1, "f", none, refund("f", "1")), event(2, "a", none, order("1"))],
                "f a",
            ),
            (
                "refund twice",
                vec![
                    event(1, "a", none, order("1")),
                    event(2, "f", none, refund("x", "1")),
                    event(3, "g", none, refund("x", "1")),
                ],
                "a f",
            ),
        ] {
            assert_eq!(holding(events), expected, "{case}");
        }
    }
}
