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

mod alone;
mod need;
mod prints;

use crate::{
    calendar::Time,
    event::{Event, EventId},
    lifecycle::{invoice::billing, order, refund::Refund},
    map::{Map, Set},
    vocabulary::{identity_linked as linked, order_completed, payment_refunded, retracted},
};

pub use need::Need;
pub(crate) use prints::prints;

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect<'a> {
    /// Nothing but being an event: withdrawn, replaced, a second opening, waiting.
    Nothing,
    /// It completes an order, which counts.
    Order,
    /// It refunds the order that this event completed, and which counts.
    Refund(&'a Event<'a>),
    /// It refunds an invoice that bills no order, or is a credit note.
    Credit,
    /// What its message says, of an invoice that bills an order.
    Billed,
    /// What its message says (traits, usage); of a cancellation that it happened.
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
        if let Some(order) = order::cancelled(event) {
            cancelled.insert(order);
        }
        if let Some(order) = order::completed(event) {
            orders.entry(order).or_insert(index);
        }
        if let Some((invoice, order)) = billing(event) {
            let known = bills.entry(invoice).or_default();
            *known = if known.is_empty() { order } else { known };
        }
    }
    let counted = |id: &str| orders.get(id).filter(|_| !cancelled.contains(id)).copied();
    let mut refund = |event: &'a Event<'a>| {
        let refund = Refund::of(event);
        if !refunds.insert(refund.refund) {
            return Effect::Nothing;
        }
        match refunded(&refund, &bills) {
            None => Effect::Nothing,
            Some("") => Effect::Credit,
            Some(order) => counted(order).map_or(Effect::Nothing, |at| Effect::Refund(&events[at])),
        }
    };
    let bills_order = |event: &Event<'_>| billing(event).is_some_and(|(invoice, _)| !bills[invoice].is_empty());
    let mut effects = vec![Effect::Nothing; events.len()];
    for (index, event) in events.iter().enumerate().filter(|(index, _)| standing[*index]) {
        effects[index] = match event.number {
            order_completed::NUMBER if counted(order::id(event)) == Some(index) => Effect::Order,
            payment_refunded::NUMBER => refund(event),
            order_completed::NUMBER | retracted::NUMBER => Effect::Nothing,
            _ if bills_order(event) => Effect::Billed,
            _ => Effect::Plain,
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
    let holds = events.iter().zip(standing(events)).filter(|(event, holds)| *holds && event.number == linked::NUMBER);
    holds.map(|(event, _)| (event.order(), event.data.text(linked::FROM), event.data.text(linked::TO))).collect()
}

/// Openings of an order that an earlier event opens with other content, and which therefore count nowhere: places of this one
/// and of the one that counts. `events` are sorted.
pub fn opened_again(events: &[Event<'_>]) -> Vec<(usize, usize)> {
    let standing = standing(events);
    let mut orders: Map<&str, usize> = Map::default();
    let mut again = Vec::new();
    for (index, event) in events.iter().enumerate().filter(|(index, _)| standing[*index]) {
        let Some(order) = order::completed(event) else { continue };
        let first = *orders.entry(order).or_insert(index);
        if first != index && events[first].data != event.data {
            again.push((index, first));
        }
    }
    again
}

/// The order that an event opens.
pub fn opens<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    order::completed(event)
}

/// The invoice that an event is about.
pub fn bills<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    billing(event).map(|(invoice, _)| invoice)
}

/// Which events are neither withdrawn nor replaced; `events` are sorted.
pub fn standing(events: &[Event<'_>]) -> Vec<bool> {
    if !events.iter().any(Event::mends) {
        return vec![true; events.len()];
    }
    let retracted: Set<EventId<'_>> = events.iter().filter_map(Event::retracts).collect();
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
    use crate::lifecycle::golden::Said;

    fn event(time: i64, id: &'static str, corrects: &'static str, said: Said) -> Event<'static> {
        let corrects = (!corrects.is_empty()).then_some(EventId { source: "s", id: corrects });
        Event { corrects, ..said.event(time, id) }
    }

    fn order(id: &str) -> Said {
        Said::order(id, 100, 0, "", &[])
    }

    fn refund(id: &str, order: &str) -> Said {
        Said::refund(id, order, "", 10)
    }

    fn refund_of_invoice(id: &str, invoice: &str) -> Said {
        Said::refund(id, "", invoice, 10)
    }

    fn invoice(time: i64, id: &'static str, invoice: &str, order: &str) -> Event<'static> {
        Said::new("invoice.resolved", &[(1, invoice), (2, order), (3, "paid")]).event(time, id)
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
                    event(5, "c", "", Said::cancelled("1")),
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
            ("cancelled", vec![event(1, "a", none, order("1")), event(9, "c", none, Said::cancelled("1"))], "c"),
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
                    event(3, "r", none, Said::retracted("b")),
                ],
                "",
            ),
            (
                "all withdrawn",
                vec![
                    event(1, "a", none, order("1")),
                    event(2, "b", "a", order("1")),
                    event(3, "r", none, Said::retracted("a")),
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
                    event(4, "r", none, Said::retracted("a")),
                ],
                "",
            ),
            (
                "withdrawn before it is known",
                vec![event(2, "b", "a", order("1")), event(3, "r", none, Said::retracted("a"))],
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
