//! What an event does where the journal need not be resolved for it: nearly always.

use super::Effect;
use crate::{
    event::{Event, TypeSet},
    lifecycle::{Sections, invoice::billing, order, refund::Refund},
    vocabulary::{order_cancelled, order_completed, payment_refunded, retracted},
};

/// Types of events that are about others.
const ABOUT_OTHERS: TypeSet = TypeSet::of(&[order_cancelled::TYPE, payment_refunded::TYPE, retracted::TYPE]);

impl Event<'_> {
    /// Whether it is about no other event.
    pub(crate) fn is_plain(&self) -> bool {
        !ABOUT_OTHERS.has(self.number) && self.corrects.is_none()
    }

    /// What it does where no other event has to do with it.
    pub(crate) fn alone(&self) -> Effect<'_> {
        match self.number {
            order_completed::NUMBER => Effect::Order,
            payment_refunded::NUMBER => match Refund::of(self) {
                Refund { order: "", invoice: "", .. } => Effect::Credit,
                _ => Effect::Nothing,
            },
            retracted::NUMBER => Effect::Nothing,
            _ => Effect::Plain,
        }
    }

    /// What it does after a journal that it does not change: one where it is about no other event
    /// (a fingerprint was mistaken), or the first refund of an order. `None` if that cannot be said
    /// without resolving the journal.
    pub(crate) fn after<'j>(&self, journal: &'j [Event<'_>]) -> Option<Effect<'j>> {
        if self.corrects.is_some() || journal.iter().any(Event::mends) {
            return None;
        }
        match self.number {
            order_completed::NUMBER => {
                let order = order::id(self);
                (!journal.iter().any(|known| is_about(known, order))).then_some(Effect::Order)
            }
            payment_refunded::NUMBER => first_refund(Refund::of(self), journal),
            order_cancelled::NUMBER | retracted::NUMBER => None,
            // What its lifecycle has forgotten comes back by the journal alone.
            _ if Sections::about(self).is_some() => None,
            _ => Some(Effect::Plain),
        }
    }
}

/// Whether an event names this order.
fn is_about(event: &Event<'_>, order: &str) -> bool {
    match event.number {
        order_completed::NUMBER | order_cancelled::NUMBER => order::id(event) == order,
        payment_refunded::NUMBER => Refund::of(event).order == order,
        _ => billing(event).is_some_and(|(_, billed)| billed == order),
    }
}

/// What a refund does whose id is in no earlier one and whose order was not cancelled.
fn first_refund<'j>(refund: Refund<'_>, journal: &'j [Event<'_>]) -> Option<Effect<'j>> {
    let about = |known: &Event<'_>| match known.number {
        payment_refunded::NUMBER => Refund::of(known).refund == refund.refund,
        order_cancelled::NUMBER => order::id(known) == refund.order,
        _ => false,
    };
    let of_invoice = refund.order.is_empty() && !refund.invoice.is_empty();
    if of_invoice || journal.iter().any(about) {
        return None;
    }
    if refund.order.is_empty() {
        return Some(Effect::Credit);
    }
    let named = journal.iter().filter(|known| order::completed(known) == Some(refund.order));
    named.min_by_key(|known| known.order()).map(Effect::Refund)
}
