//! Exchange rates: each that is set, as a fact whose dimensions say all of it.
//!
//! Its subject is the tenant. Rates know nothing of each other here, so there is no state: which of them holds at an instant
//! decides the rollup, which has all of them and all amounts.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    event::Event,
    vocabulary::fx_rate_set as field,
};

/// A rate, at the instant from which it is valid. 1 `base` is `rate` x `quote`, in major units.
pub const RATE: FactType = FactType {
    name: "rate",
    event: "",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("base", Spelling::Both),
        FieldType::dimension("quote", Spelling::Both),
        FieldType::dimension("rate", Spelling::Both),
        // Microseconds since 1970.
        FieldType::dimension("valid_from", Spelling::Short),
        // A text that sorts as the order of facts: of two rates valid from one instant the greater holds.
        FieldType::dimension("order", Spelling::Short),
    ],
    whole: 5,
    money: false,
    stays: false,
    has_event: true,
    reads: Rates::READS,
};
/// Number of [`RATE`].
pub const ID: FactId = super::id(&RATE);

/// Exchange rates of the tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates;

impl Lifecycle for Rates {
    const TAG: u8 = b'x';
    const READS: &'static [&'static str] = &[field::TYPE];
    const FACTS: &'static [&'static FactType] = &[&RATE];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        if !out.reads(ID) {
            return;
        }
        let from = out.context.calendar.instant(event.data.text(field::VALID_FROM)).unwrap_or(event.time);
        let (time, source, id) = event.order();
        // The digits sort as the times do.
        let order = format!("{:016x} {source}\0{id}", time.cast_unsigned() ^ (1 << 63));
        let from_text = from.to_string();
        let [base, quote, rate] =
            [field::BASE, field::QUOTE, field::RATE].map(|number| Slot::Text(event.data.text(number)));
        let values = [base, quote, rate, Slot::Text(&from_text), Slot::Text(&order)];
        out.add(ID, &Fact { values: &values, ..Fact::new(from, out.profile(), Some(event)) }, 1);
    }

    fn encode(&self, _: &mut Writer<'_>) {}

    fn decode(_: &mut Decoder<'_, '_>) -> Option<Rates> {
        Some(Rates)
    }
}
