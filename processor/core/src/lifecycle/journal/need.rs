//! What an event names and waits for: it does nothing until that is in the journal.

use crate::{
    event::{Event, EventId},
    lifecycle::{invoice::billing, order, refund::Refund},
    vocabulary::payment_refunded,
};

/// What an event names and waits for.
#[derive(Debug, Clone, Copy)]
pub enum Need<'a> {
    /// The order that it cancels or refunds.
    Order(&'a str),
    /// The invoice that it refunds.
    Invoice(&'a str),
    /// The event that it retracts.
    Event(EventId<'a>),
}

impl Need<'_> {
    /// Whether this is it; also one that was corrected or withdrawn since: it is known.
    pub fn is(&self, event: &Event<'_>) -> bool {
        match self {
            Need::Order(id) => order::completed(event) == Some(*id),
            Need::Invoice(id) => billing(event).is_some_and(|(invoice, _)| invoice == *id),
            Need::Event(id) => event.id == *id,
        }
    }
}

impl Event<'_> {
    /// What it does nothing without. A correction is none: without the event that it replaces it is one like any other.
    pub fn need(&self) -> Option<Need<'_>> {
        if self.number == payment_refunded::NUMBER {
            return match Refund::of(self) {
                Refund { order: "", invoice: "", .. } => None,
                Refund { order: "", invoice, .. } => Some(Need::Invoice(invoice)),
                Refund { order, .. } => Some(Need::Order(order)),
            };
        }
        order::cancelled(self).map(Need::Order).or_else(|| self.retracts().map(Need::Event))
    }

    /// Whether it needs something that is not in the journal.
    pub(crate) fn waits(&self, journal: &[Event<'_>]) -> bool {
        self.need().is_some_and(|need| !journal.iter().any(|known| need.is(known)))
    }
}
