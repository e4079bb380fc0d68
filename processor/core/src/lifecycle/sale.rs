//! Selling more to customers: upsells and cross-sells.
//!
//! An upsell is MRR up on a running subscription, or an accepted upsell offer. A cross-sell is the first purchase of another
//! product (an order, or the first paid begin of a subscription) more than an hour after the account became a customer for
//! the first time, or an accepted cross-sell offer. A purchase of no product is none.
//!
//! What subscriptions bring about is decided when its instant is over: of the events of one instant the state after them
//! counts. Until then it is kept here as [`News`], which each further event of the instant replaces.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling, order::Order};
use crate::{
    account::{Decoder, Writer},
    calendar::{HOUR, Time},
    event::Event,
};

/// What is bought within this of becoming a customer belongs to the first purchase; inclusive.
const FIRST: Time = HOUR;

const PRODUCT: FieldType = FieldType::dimension("product", Spelling::Short);

/// A fact with a product.
const fn fact(name: &'static str, reads: &'static [&'static str]) -> FactType {
    FactType {
        name,
        event: "",
        sort: Sort::Happening,
        fields: &[PRODUCT],
        whole: 1,
        money: false,
        stays: false,
        has_event: true,
        reads,
    }
}

/// A customer pays more for a subscription, or accepted an upsell.
pub const UPSELL: FactType = fact("upsell", &["subscription.changed", "offer.accepted"]);
/// A customer bought another product, or accepted a cross-sell.
pub const CROSS_SELL: FactType =
    fact("cross_sell", &["order.completed", "order.cancelled", "subscription.changed", "offer.accepted"]);

const UPSOLD: FactId = super::id(&UPSELL);
const CROSS_SOLD: FactId = super::id(&CROSS_SELL);

/// What subscriptions bring about at an instant, as far as its events are known.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The instant.
    pub at: Time,
    /// Traits as of its first event.
    pub profile: u32,
    /// Products of running subscriptions that pay more.
    pub raised: Vec<Box<str>>,
    /// Products of subscriptions that are paid for the first time.
    pub begun: Vec<Box<str>>,
}

/// What an account bought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sales {
    /// When it became a customer for the first time.
    first: Option<Time>,
    /// Products that it bought, sorted.
    bought: Vec<Box<str>>,
    /// Of the latest instant, until it is over.
    news: Option<News>,
}

impl Lifecycle for Sales {
    const TAG: u8 = b'u';
    const READS: &'static [&'static str] = &[];
    const FACTS: &'static [&'static FactType] = &[&UPSELL, &CROSS_SELL];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, _: &Event<'_>, _: &mut Out<'_, '_>) {}

    fn due(&self) -> Option<Time> {
        self.news.as_ref().map(|news| news.at)
    }

    fn fire(&mut self, _: Time, out: &mut Out<'_, '_>) {
        let Some(News { at, profile, raised, begun }) = self.news.take() else { return };
        for product in &raised {
            happen(UPSOLD, at, profile, product, None, out);
        }
        for product in &begun {
            self.buy(product, at, profile, None, out);
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.time(self.first.unwrap_or(Time::MIN));
        out.sorted(self.bought.iter().map(|product| &**product));
        out.list(self.news.iter(), |out, news| {
            out.time(news.at);
            out.profile(news.profile);
            out.list(news.raised.iter(), |out, product| out.text(product));
            out.list(news.begun.iter(), |out, product| out.text(product));
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Sales> {
        let first = Some(from.time()?).filter(|at| *at != Time::MIN);
        let bought = from.sorted()?;
        let mut news = from.list(|from| {
            Some(News {
                at: from.time()?,
                profile: from.profile()?,
                raised: from.list(|from| Some(from.text()?.into()))?,
                begun: from.list(|from| Some(from.text()?.into()))?,
            })
        })?;
        Some(Sales { first, bought, news: news.pop() })
    }
}

impl Sales {
    /// The account became a customer at `at`, perhaps not for the first time.
    pub fn started(&mut self, at: Time, out: &Out<'_, '_>) {
        if out.reads(CROSS_SOLD) {
            self.first = self.first.or(Some(at));
        }
    }

    /// The account ordered.
    pub fn ordered(&mut self, order: &Order<'_>, event: &Event<'_>, out: &mut Out<'_, '_>) {
        if !out.reads(CROSS_SOLD) {
            return;
        }
        for (product, _) in order.lines() {
            self.buy(product, event.time, out.profile(), Some(event), out);
        }
    }

    /// What subscriptions bring about at an instant, with what is known of it now.
    pub fn learn(&mut self, news: News, out: &Out<'_, '_>) {
        let empty = news.raised.is_empty() && news.begun.is_empty();
        if empty && self.news.as_ref().is_some_and(|known| known.at == news.at) {
            self.news = None;
        }
        if !empty && (out.reads(UPSOLD) || out.reads(CROSS_SOLD)) {
            self.news = Some(news);
        }
    }

    fn buy(&mut self, product: &str, at: Time, profile: u32, event: Option<&Event<'_>>, out: &mut Out<'_, '_>) {
        if product.is_empty() {
            return;
        }
        let Err(place) = self.bought.binary_search_by(|known| (**known).cmp(product)) else { return };
        self.bought.insert(place, product.into());
        if self.first.is_some_and(|first| at > first.saturating_add(FIRST)) {
            happen(CROSS_SOLD, at, profile, product, event, out);
        }
    }
}

/// An offer was accepted.
pub fn accepted(kind: &str, product: &str, event: &Event<'_>, out: &mut Out<'_, '_>) {
    let id = if kind == "upsell" { UPSOLD } else { CROSS_SOLD };
    happen(id, event.time, out.profile(), product, Some(event), out);
}

fn happen(id: FactId, at: Time, profile: u32, product: &str, event: Option<&Event<'_>>, out: &mut Out<'_, '_>) {
    out.happen(id, &Fact { values: &[Slot::Text(product)], ..Fact::new(at, profile, event) });
}

#[cfg(test)]
mod tests {
    use crate::{
        calendar::{DAY, Time},
        event::Event,
        lifecycle::golden::{Said, event, sums},
    };

    fn order(day: i64, minutes: Time, product: &'static str) -> Event<'static> {
        let said = Said::order(&format!("{day} {minutes}"), 100, 0, "EUR", &[(product, 100)]);
        said.event(day * DAY + minutes * 60_000_000, "")
    }

    fn pays(day: i64, id: &str, product: &str, mrr: &str) -> Event<'static> {
        let status = if mrr.is_empty() { "canceled" } else { "active" };
        event(day, 0, "subscription.changed", &[(1, id), (2, product), (3, status), (4, mrr), (5, "EUR")])
    }

    const MEASURES: [(&str, &str); 2] = [("cross", "{count: cross_sell}"), ("up", "{count: upsell}")];

    #[test]
    fn another_product_later_than_an_hour_is_a_cross_sell() {
        let events = vec![
            order(1, 0, "a"),
            order(1, 60, "b"),
            order(1, 61, "c"),
            order(3, 0, "a"),
            order(4, 0, ""),
            pays(5, "s", "d", "#10"),
            pays(6, "t", "d", "#10"),
        ];
        assert_eq!(sums(&MEASURES, "[product]", events, 9), ["cross 1 c: 1", "cross 5 d: 1"]);
    }

    #[test]
    fn more_of_a_running_subscription_is_an_upsell_once_its_instant_is_over() {
        let events = vec![
            pays(1, "s", "a", "#10"),
            pays(2, "s", "a", "#20"),
            pays(3, "s", "a", ""),
            pays(4, "s", "a", "#30"),
            pays(5, "s", "a", "#40"),
            pays(5, "s", "a", "#30"),
        ];
        assert_eq!(sums(&MEASURES, "[product]", events, 9), ["up 2 a: 1"]);
    }

    #[test]
    fn an_accepted_offer_counts_at_its_own_time() {
        let accepted = |day, offer, kind| event(day, 0, "offer.accepted", &[(1, offer), (2, kind), (3, "seats")]);
        let events = vec![accepted(1, "a", "upsell"), accepted(2, "b", "cross_sell"), accepted(3, "b", "cross_sell")];
        assert_eq!(sums(&MEASURES, "[product]", events, 9), ["cross 2 seats: 1", "up 1 seats: 1"]);
    }
}
