//! Refunds: of an order, of an invoice, or of neither, which is a credit note.

use crate::{event::Event, vocabulary::payment_refunded as field};

/// What an event pays back, in minor units of `currency`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refund<'a> {
    /// Unique within the account.
    pub refund: &'a str,
    /// The order; empty for none.
    pub order: &'a str,
    /// The invoice; empty for none.
    pub invoice: &'a str,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
}

impl<'a> Refund<'a> {
    /// The refund that an event of that type says.
    pub fn of(event: &'a Event<'_>) -> Refund<'a> {
        let mut refund = Refund::default();
        for (number, value) in event.data.message().each() {
            match number {
                field::REFUND => refund.refund = value.text(),
                field::ORDER => refund.order = value.text(),
                field::INVOICE => refund.invoice = value.text(),
                field::AMOUNT => refund.amount = value.integer().unwrap_or(0),
                field::CURRENCY => refund.currency = value.text(),
                _ => {}
            }
        }
        refund
    }
}
