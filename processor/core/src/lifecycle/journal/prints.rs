//! Fingerprints of ids: under which of them a later event may look an earlier one up.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    event::{Event, EventId},
    lifecycle::{
        Lifecycle, Sections,
        invoice::{Invoices, billing},
        order,
        refund::Refund,
    },
    vocabulary::payment_refunded,
};

/// Fingerprints of everything that a later event may have to find this one by; the number of those by which it finds
/// earlier ones, and that of all.
///
/// The next one after those is of what a lifecycle says that the event is about; then that of the order that it bills.
pub(crate) fn prints(event: &Event<'_>) -> ([u64; 6], usize, usize) {
    let (first, second) = named(event);
    let mut prints = [0; 6];
    let mut count = 0;
    let mut note = |print: Option<u64>| {
        if let Some(print) = print {
            prints[count] = print;
            count += 1;
        }
        count
    };
    note(Some(of_event(event.id)));
    note(event.corrects.map(of_event));
    note(first);
    let own = note(second);
    note(Sections::about(event).map(|(tag, id)| print(tag, "", &id)));
    let all = note(billing(event).and_then(|(_, billed)| of_order(billed)));
    (prints, own, all)
}

/// What the event is about beside itself: an order, an invoice or an event, and the refund.
fn named(event: &Event<'_>) -> (Option<u64>, Option<u64>) {
    if event.number == payment_refunded::NUMBER {
        let refund = Refund::of(event);
        let of_invoice = || Some(print(Invoices::TAG, "", refund.invoice)).filter(|_| !refund.invoice.is_empty());
        return (of_order(refund.order).or_else(of_invoice), Some(print(b'r', "", refund.refund)));
    }
    let order = order::completed(event).or_else(|| order::cancelled(event)).and_then(of_order);
    (order.or_else(|| event.retracts().map(of_event)), None)
}

fn of_event(id: EventId<'_>) -> u64 {
    print(b'e', id.source, id.id)
}

fn of_order(order: &str) -> Option<u64> {
    (!order.is_empty()).then(|| print(b'o', "", order))
}

fn print(tag: u8, source: &str, id: &str) -> u64 {
    let seed = xxh3_64(source.as_bytes()) ^ u64::from(tag);
    xxh3_64_with_seed(id.as_bytes(), seed)
}
