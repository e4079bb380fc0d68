//! Invoices: the first payment of one that bills no order is revenue; what is paid back of it, too, at its own time.
//!
//! An invoice bills an order if any of its events names one: it is no revenue of its own, and refunds of it are refunds of
//! that order. Where a later event says so of earlier ones, [`super::journal`] knows before they are applied.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    expr::Type,
    vocabulary::invoice_resolved as field,
};

/// The type of its events.
const KIND: &str = field::TYPE;

// The dimensions of orders, empty: what bills no order has no channel, source and product.
const CHANNEL: FieldType = FieldType::dimension("channel", Spelling::Dimension);
const SOURCE: FieldType = FieldType::dimension("source", Spelling::Dimension);
const PRODUCT: FieldType = FieldType::dimension("product", Spelling::Dimension);
const INVOICE: FieldType = FieldType::new("invoice", Type::Text, Spelling::Both);
const AMOUNT: FieldType = FieldType::new("amount", Type::Money, Spelling::Both);

/// The first payment of an invoice that bills no order. The amount is in minor units.
pub const PAID: FactType = FactType {
    name: "invoice_paid",
    event: "",
    sort: Sort::Happening,
    fields: &[INVOICE, CHANNEL, SOURCE, PRODUCT, AMOUNT],
    whole: 5,
    money: true,
    stays: true,
    has_event: true,
    reads: Invoices::READS,
};
const PAYMENT: FactId = super::id(&PAID);

/// A refund of such an invoice, or a credit note, which names neither order nor invoice; at its own time.
pub const CREDIT: FactType = FactType {
    name: "credit",
    event: "",
    sort: Sort::Happening,
    fields: &[INVOICE, CHANNEL, SOURCE, PRODUCT, AMOUNT],
    whole: 5,
    money: true,
    stays: true,
    has_event: true,
    reads: &["payment.refunded", KIND],
};

/// Values of the fields of [`PAID`] and [`CREDIT`].
pub fn values(invoice: &str, amount: i64) -> [Slot<'_>; 5] {
    [Slot::Text(invoice), Slot::Absent, Slot::Absent, Slot::Absent, Slot::Integer(amount)]
}

/// The invoice that an event is of, and the order that it says that this one bills; an empty one is none.
pub fn billing<'a>(event: &'a Event<'_>) -> Option<(&'a str, &'a str)> {
    (event.number == field::NUMBER).then(|| (event.data.text(field::INVOICE), event.data.text(field::ORDER)))
}

/// One invoice.
#[derive(Debug, Clone, PartialEq)]
struct Invoice {
    id: Box<str>,
    /// Time of its latest event.
    latest: Time,
    /// Whether it bills an order.
    bills: bool,
    /// Whether it was paid.
    paid: bool,
}

/// The invoices of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invoices {
    /// By id.
    list: Vec<Invoice>,
}

impl Lifecycle for Invoices {
    const TAG: u8 = b'i';
    const READS: &'static [&'static str] = &[KIND];
    const FACTS: &'static [&'static FactType] = &[&PAID];

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed(event.data.text(field::INVOICE))
    }

    fn has(&self, about: &str) -> bool {
        self.find(about).is_ok()
    }

    fn knows(&self, event: &Event<'_>) -> bool {
        // The first to name an order changes what the earlier ones were.
        let found = self.find(&Self::about(event)).map(|place| &self.list[place]);
        found.is_ok_and(|invoice| invoice.bills || event.data.text(field::ORDER).is_empty())
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let invoice = self.of(event);
        invoice.latest = event.time;
        invoice.bills |= !event.data.text(field::ORDER).is_empty();
        let pays = event.data.text(field::STATUS) == "paid" && !invoice.paid;
        invoice.paid |= pays;
        if pays && !invoice.bills {
            let values = values(event.data.text(field::INVOICE), event.data.integer(field::AMOUNT).unwrap_or(0));
            let currency = out.context.currency(event.data.text(field::CURRENCY));
            let fact = Fact { currency, values: &values, ..Fact::new(event.time, out.profile(), Some(event)) };
            out.happen(PAYMENT, &fact);
        }
    }

    fn prune(&mut self, horizon: Time) {
        self.list.retain(|invoice| invoice.latest >= horizon);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.list.iter(), |out, invoice| {
            out.text(&invoice.id);
            out.time(invoice.latest);
            out.flag(invoice.bills);
            out.flag(invoice.paid);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Invoices> {
        let list = from.list(|from| {
            Some(Invoice { id: from.text()?.into(), latest: from.time()?, bills: from.flag()?, paid: from.flag()? })
        })?;
        Some(Invoices { list })
    }
}

impl Invoices {
    /// Notes, before the event is applied, that one of the invoice's events names an order.
    pub fn bill(&mut self, event: &Event<'_>) {
        self.of(event).bills = true;
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.list.binary_search_by(|known| known.id.as_ref().cmp(id))
    }

    /// The invoice of an event, new if it is not there.
    fn of(&mut self, event: &Event<'_>) -> &mut Invoice {
        let id = event.data.text(field::INVOICE);
        let place = self.find(id).unwrap_or_else(|place| {
            self.list.insert(place, Invoice { id: id.into(), latest: event.time, bills: false, paid: false });
            place
        });
        &mut self.list[place]
    }
}
