//! Offers: each is accepted once, by its earliest acceptance.
//!
//! State is the ids of the accepted offers, so that a later acceptance of the same one is known for what it is.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling, sale};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    expr::Type,
    vocabulary::offer_accepted as field,
};

/// An offer that was accepted, at that time. The value is in minor units, and absent where the event has none.
pub const ACCEPTED: FactType = FactType {
    name: "offer_accepted",
    event: "offer.accepted",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("kind", Spelling::Both),
        FieldType::dimension("product", Spelling::Both),
        FieldType::new("offer", Type::Text, Spelling::Both),
        FieldType::new("value", Type::Money, Spelling::Both),
    ],
    whole: 4,
    money: true,
    stays: true,
    has_event: true,
    reads: Offers::READS,
};
const ACCEPTED_ID: FactId = super::id(&ACCEPTED);

/// The offers that an account accepted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offers {
    /// Time and id, by time.
    accepted: Vec<(Time, Box<str>)>,
}

impl Lifecycle for Offers {
    const TAG: u8 = b'o';
    const READS: &'static [&'static str] = &["offer.accepted"];
    const FACTS: &'static [&'static FactType] = &[&ACCEPTED];

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed(event.data.text(field::OFFER))
    }

    fn has(&self, about: &str) -> bool {
        self.accepted.iter().any(|(_, offer)| **offer == *about)
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let text = |number| event.data.text(number);
        if self.has(text(field::OFFER)) {
            return;
        }
        self.accepted.push((event.time, text(field::OFFER).into()));

        let value = event.data.integer(field::VALUE).map_or(Slot::Absent, Slot::Integer);
        let [kind, product, offer] = [field::KIND, field::PRODUCT, field::OFFER].map(|number| Slot::Text(text(number)));
        let (currency, values) = (out.context.currency(text(field::CURRENCY)), [kind, product, offer, value]);
        let fact = Fact::new(event.time, out.profile(), Some(event));
        out.happen(ACCEPTED_ID, &Fact { currency, values: &values, ..fact });
        sale::accepted(text(field::KIND), text(field::PRODUCT), event, out);
    }

    fn prune(&mut self, horizon: Time) {
        self.accepted.retain(|(at, _)| *at >= horizon);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.accepted.iter(), |out, (at, offer)| {
            out.time(*at);
            out.text(offer);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Offers> {
        let accepted = from.list(|from| Some((from.time()?, from.text()?.into())))?;
        Some(Offers { accepted })
    }
}

#[cfg(test)]
mod tests {
    use crate::lifecycle::golden::{event, sums};

    #[test]
    fn an_offer_is_accepted_once_by_the_earliest_acceptance() {
        let accepted = |day, offer, kind, value| {
            event(day, 0, "offer.accepted", &[(1, offer), (2, kind), (3, "seats"), (4, value), (5, "EUR")])
        };
        let events = vec![
            accepted(1, "a", "upsell", "#500"),
            accepted(2, "a", "cross_sell", "#900"),
            accepted(3, "b", "cross_sell", ""),
        ];
        let measures = [
            ("offers", "{count: offer.accepted}"),
            ("upsells", "{sum: offer_accepted, of: value, where: kind == \"upsell\"}"),
        ];
        let expected =
            ["offers 1 upsell seats EUR: 1", "offers 3 cross_sell seats EUR: 1", "upsells 1 upsell seats EUR: 500"];
        assert_eq!(sums(&measures, "[kind, product]", events, 9), expected);
    }
}
