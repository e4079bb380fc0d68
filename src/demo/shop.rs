//! The simulated shop: accounts that arrive, order, use, return goods, fall silent and sometimes come back.
//!
//! Invariants: what is planned is a function of the seed, the number of accounts and the first day, however its
//! [`Course`] is asked for it; every event is one that a door accepts; an event never arrives before it happened.
//! It does not know the log, nor the wall clock.

use std::collections::BTreeMap;

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use proto::v1::{
    AccountUpdated, Event, OrderCancelled, OrderCompleted, OrderLine, PaymentRefunded, SubjectKind, Trait,
    UsageRecorded, event,
};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
const SOURCE: &str = "shop";
const CURRENCY: &str = "EUR";

const PLANS: [(&str, u64); 3] = [("starter", 55), ("team", 32), ("business", 13)];
const SEGMENTS: [(&str, u64); 3] = [("small", 60), ("midsize", 30), ("enterprise", 10)];
const REGIONS: [(&str, u64); 3] = [("EMEA", 50), ("Americas", 35), ("APAC", 15)];
const CHANNELS: [(&str, u64); 3] = [("web", 60), ("app", 30), ("store", 10)];
const SOURCES: [(&str, u64); 4] = [("direct", 40), ("search", 30), ("newsletter", 20), ("partner", 10)];
const FEATURES: [(&str, u64); 3] = [("login", 60), ("report", 30), ("export", 10)];
/// Price in cents by product.
const PRODUCTS: [(&str, i64); 6] =
    [("beans", 1_490), ("grinder", 8_900), ("kettle", 4_950), ("filters", 690), ("cups", 2_400), ("machine", 39_900)];

/// Everything below is in chances of a million, an account and a day, unless said otherwise.
const LAPSE: u64 = 1_700;
const RETURN: u64 = 4_000;
const CHANGE: u64 = 400;
/// Of an order.
const REFUND: u64 = 45_000;
/// Of an order.
const CANCEL: u64 = 20_000;
/// Of an event: sent days after it happened.
const LATE: u64 = 8_000;
/// Of an event: sent twice.
const TWICE: u64 = 4_000;

/// Dice without state outside: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`; the bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    /// One of `from..to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to - from).unwrap_or(1);
        from + i64::try_from(self.below(span)).unwrap_or(0)
    }

    fn chance(&mut self, of_million: u64) -> bool {
        self.below(1_000_000) < of_million
    }

    fn pick(&mut self, weighted: &[(&'static str, u64)]) -> &'static str {
        let mut left = self.below(weighted.iter().map(|(_, weight)| weight).sum());
        for (name, weight) in weighted {
            if left < *weight {
                return name;
            }
            left -= weight;
        }
        ""
    }
}

#[derive(Debug)]
struct Account {
    id: String,
    /// Day of the year on which it first orders.
    joins: i64,
    plan: &'static str,
    segment: &'static str,
    region: &'static str,
    /// Chance of an order a day.
    orders: u64,
    /// Chance of usage a day.
    usage: u64,
    lapsed: bool,
    returns: bool,
    /// Its latest order and what was paid for it.
    latest: Option<(String, i64)>,
}

/// The shop.
#[derive(Debug)]
pub(crate) struct Shop {
    dice: Dice,
    accounts: Vec<Account>,
    sequence: u64,
    /// What will arrive, by time of arrival and sequence.
    coming: BTreeMap<(i64, u64), Event>,
}

impl Shop {
    /// A shop on the morning of its first day.
    pub(crate) fn new(seed: u64, accounts: u64) -> Self {
        let mut dice = Dice::new(seed);
        let accounts = (1..=accounts).map(|number| account(number, &mut dice)).collect();
        Self { dice, accounts, sequence: 0, coming: BTreeMap::new() }
    }

    /// Plans a day `[start_us, end_us)`, the `index`th: each once, one after the other.
    fn plan(&mut self, index: i64, start_us: i64, end_us: i64) {
        for at in 0..self.accounts.len() {
            self.live_through(at, index, start_us, end_us);
        }
    }

    /// What arrives before `until_us` and was not asked for yet, with the times of arrival, in their order.
    fn arrivals(&mut self, until_us: i64) -> Vec<(i64, Event)> {
        let later = self.coming.split_off(&(until_us, 0));
        let arrived = std::mem::replace(&mut self.coming, later);
        arrived.into_iter().map(|((at_us, _), event)| (at_us, event)).collect()
    }

    fn live_through(&mut self, at: usize, index: i64, start_us: i64, end_us: i64) {
        let dice = &mut self.dice;
        let account = &mut self.accounts[at];
        if index < account.joins {
            return;
        }
        let joins = index == account.joins;
        let comes_back = account.lapsed && account.returns && dice.chance(RETURN);
        account.lapsed = account.lapsed && !comes_back || !joins && !account.lapsed && dice.chance(LAPSE);
        if account.lapsed {
            return;
        }
        let time_us = waking_hour(dice, start_us, end_us);
        if joins || dice.chance(CHANGE) {
            if !joins {
                account.plan = dice.pick(&PLANS);
            }
            self.update(at, time_us);
        }
        // People buy less at the weekend, and more before the holidays.
        let weekday = (start_us.div_euclid(DAY_US) + 3).rem_euclid(7);
        let eager = if weekday >= 5 { 7 } else { 10 };
        let (orders, usage) = (self.accounts[at].orders * eager / 10, self.accounts[at].usage * eager / 10);
        if joins || comes_back || self.dice.chance(orders) {
            let time_us = waking_hour(&mut self.dice, time_us, end_us);
            self.order(at, time_us);
        }
        if self.dice.chance(usage) {
            let time_us = waking_hour(&mut self.dice, start_us.max(if joins { time_us } else { start_us }), end_us);
            let data = self.usage();
            self.send(at, "usage.recorded", time_us, data);
        }
    }

    fn update(&mut self, at: usize, time_us: i64) {
        let account = &self.accounts[at];
        let traits = [("plan", account.plan), ("region", account.region), ("segment", account.segment)];
        let traits = traits.map(|(name, value)| Trait { name: name.to_owned(), value: Some(value.to_owned()) });
        self.send(
            at,
            "account.updated",
            time_us,
            event::Data::AccountUpdated(AccountUpdated { traits: traits.into() }),
        );
    }

    fn usage(&mut self) -> event::Data {
        let (user, name) = (self.dice.below(4) + 1, self.dice.pick(&FEATURES));
        let count = self.dice.between(1, 9);
        event::Data::UsageRecorded(UsageRecorded { user: format!("user-{user}"), name: name.to_owned(), count })
    }

    fn order(&mut self, at: usize, time_us: i64) {
        self.sequence += 1;
        let order = format!("order-{}", self.sequence);
        let (data, paid) = self.basket(at, order.clone());
        self.accounts[at].latest = Some((order.clone(), paid));
        self.send(at, "order.completed", time_us, event::Data::OrderCompleted(data));
        if self.dice.chance(CANCEL) {
            let later_us = time_us + self.dice.between(600, 86_400) * SECOND_US;
            self.send(at, "order.cancelled", later_us, event::Data::OrderCancelled(OrderCancelled { order }));
        } else if self.dice.chance(REFUND) {
            let later_us = time_us + self.dice.between(2 * 86_400, 14 * 86_400) * SECOND_US;
            let data = self.refund(order, paid);
            self.send(at, "payment.refunded", later_us, data);
        }
    }

    fn basket(&mut self, at: usize, order: String) -> (OrderCompleted, i64) {
        let size = match self.accounts[at].segment {
            "enterprise" => 12,
            "midsize" => 4,
            _ => 1,
        };
        let first = self.dice.below(6);
        let kinds = self.dice.below(3) + 1;
        let lines: Vec<OrderLine> = (first..first + kinds)
            .map(|product| {
                let (product, price) = PRODUCTS[usize::try_from(product % 6).unwrap_or(0)];
                let quantity = self.dice.between(1, size + 3);
                OrderLine { product: product.to_owned(), quantity, amount: price * quantity }
            })
            .collect();
        let gross: i64 = lines.iter().map(|line| line.amount).sum();
        let discount = if self.dice.chance(180_000) { gross * self.dice.between(5, 21) / 100 } else { 0 };
        let order = OrderCompleted {
            order,
            gross,
            discount,
            currency: CURRENCY.to_owned(),
            channel: self.dice.pick(&CHANNELS).to_owned(),
            source: self.dice.pick(&SOURCES).to_owned(),
            lines,
        };
        (order, gross - discount)
    }

    fn refund(&mut self, order: String, paid: i64) -> event::Data {
        let amount = if self.dice.chance(600_000) { paid } else { paid * self.dice.between(10, 90) / 100 };
        let refund = format!("refund-{order}");
        let (invoice, currency) = (String::new(), CURRENCY.to_owned());
        event::Data::PaymentRefunded(PaymentRefunded { refund, order, invoice, amount, currency })
    }

    /// Puts an event on its way; some take days, some arrive twice.
    fn send(&mut self, at: usize, kind: &str, time_us: i64, data: event::Data) {
        self.sequence += 1;
        let event = envelope(format!("e{}", self.sequence), kind, &self.accounts[at].id, time_us, data);
        let late = self.dice.chance(LATE);
        let arrives_us = time_us + if late { self.dice.between(DAY_US, 4 * DAY_US) } else { 0 };
        if self.dice.chance(TWICE) {
            let again_us = arrives_us + self.dice.between(SECOND_US, 3_600 * SECOND_US);
            self.sequence += 1;
            self.coming.insert((again_us, self.sequence), event.clone());
        }
        self.coming.insert((arrives_us, self.sequence), event);
    }

    /// One event that happens now, in a shop that is open; `None` when no account is awake. What is planned stays
    /// as it is, its ids included: after a restart it is planned again, without this.
    fn now(&mut self, now_us: i64, dice: &mut Dice) -> Option<Event> {
        let awake: Vec<usize> = (0..self.accounts.len()).filter(|at| !self.accounts[*at].lapsed).collect();
        let at = *awake.get(usize::try_from(dice.below(u64::try_from(awake.len()).ok()?)).ok()?)?;
        std::mem::swap(&mut self.dice, dice);
        let (kind, data) = match (self.dice.below(100), self.accounts[at].latest.take()) {
            (0..4, Some((order, paid))) => ("payment.refunded", self.refund(order, paid)),
            (4..40, _) => {
                let (data, paid) = self.basket(at, format!("order-{now_us}"));
                self.accounts[at].latest = Some((data.order.clone(), paid));
                ("order.completed", event::Data::OrderCompleted(data))
            }
            (_, latest) => {
                self.accounts[at].latest = latest;
                ("usage.recorded", self.usage())
            }
        };
        let late_us = if self.dice.chance(30_000) { self.dice.between(120, 1_200) * SECOND_US } else { 0 };
        std::mem::swap(&mut self.dice, dice);
        Some(envelope(format!("live-{now_us}"), kind, &self.accounts[at].id, now_us - late_us, data))
    }
}

/// A shop whose days are planned as they begin.
#[derive(Debug)]
pub(crate) struct Course {
    shop: Shop,
    /// Its first day.
    from: Date,
    zone: TimeZone,
    /// Days that are planned.
    days: i64,
    /// How far it was asked for.
    at_us: i64,
}

impl Course {
    /// On the morning of the first day.
    pub(crate) fn new(shop: Shop, from: Date, zone: TimeZone) -> Result<Self, jiff::Error> {
        let mut course = Self { shop, from, zone, days: 0, at_us: 0 };
        course.at_us = course.midnight(0)?;
        Ok(course)
    }

    /// When the `index`th day begins.
    pub(crate) fn midnight(&self, index: i64) -> Result<i64, jiff::Error> {
        let date = self.from.checked_add(index.days())?;
        Ok(date.to_zoned(self.zone.clone())?.timestamp().as_microsecond())
    }

    /// How far it was asked for.
    pub(crate) fn at_us(&self) -> i64 {
        self.at_us
    }

    /// Goes on towards `now_us`, at most to the end of the day: until when, and what arrives before that.
    pub(crate) fn towards(&mut self, now_us: i64) -> Result<(i64, Vec<(i64, Event)>), jiff::Error> {
        let mut end_us = self.midnight(self.days)?;
        if self.at_us >= end_us && self.at_us < now_us {
            let start_us = end_us;
            end_us = self.midnight(self.days + 1)?;
            self.shop.plan(self.days, start_us, end_us);
            self.days += 1;
        }
        self.at_us = self.at_us.max(end_us.min(now_us));
        Ok((self.at_us, self.shop.arrivals(self.at_us)))
    }

    /// One event that was not planned, see [`Shop::now`].
    pub(crate) fn now(&mut self, now_us: i64, dice: &mut Dice) -> Option<Event> {
        self.shop.now(now_us, dice)
    }
}

fn account(number: u64, dice: &mut Dice) -> Account {
    let (plan, segment, region) = (dice.pick(&PLANS), dice.pick(&SEGMENTS), dice.pick(&REGIONS));
    // Half were there before the year began, and order in its first weeks.
    let joins = if dice.chance(500_000) { dice.between(0, 28) } else { dice.between(0, 365) };
    let every_days = match segment {
        "enterprise" => 12,
        "midsize" => 20,
        _ => 28,
    };
    let usage = match plan {
        "business" => 500_000,
        "team" => 300_000,
        _ => 120_000,
    };
    Account {
        id: format!("acct-{number:05}"),
        joins,
        plan,
        segment,
        region,
        orders: 1_000_000 / every_days,
        usage,
        lapsed: false,
        returns: dice.chance(400_000),
        latest: None,
    }
}

fn envelope(id: String, kind: &str, account: &str, time_us: i64, data: event::Data) -> Event {
    Event {
        id,
        source: SOURCE.to_owned(),
        r#type: kind.to_owned(),
        time_us,
        subject: account.to_owned(),
        subject_kind: SubjectKind::Account.into(),
        data: Some(data),
        ..Event::default()
    }
}

/// A moment of `[start_us, end_us)`, near its middle rather than at its ends, in whole milliseconds.
fn waking_hour(dice: &mut Dice, start_us: i64, end_us: i64) -> i64 {
    let span_ms = ((end_us - start_us) / 1_000).max(2);
    let offset_ms = (dice.between(0, span_ms) + dice.between(0, span_ms)) / 2;
    start_us + offset_ms * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 20_000 * DAY_US;

    fn course(seed: u64, accounts: u64) -> Course {
        let from = jiff::civil::date(2024, 10, 4);
        let course = Course::new(Shop::new(seed, accounts), from, TimeZone::UTC).unwrap();
        assert_eq!(course.at_us(), START_US);
        course
    }

    /// What arrives until `to_us`, by a clock that goes on in steps of up to `step_us`.
    fn pass(course: &mut Course, to_us: i64, step_us: i64) -> Vec<(i64, Event)> {
        let mut events = Vec::new();
        while course.at_us() < to_us {
            let (before_us, now_us) = (course.at_us(), to_us.min(course.at_us() + step_us));
            let (until_us, arrivals) = course.towards(now_us).unwrap();
            assert!(before_us < until_us && until_us <= now_us);
            assert!(arrivals.iter().all(|(at_us, _)| (before_us..until_us).contains(at_us)));
            events.extend(arrivals);
        }
        events
    }

    fn days(seed: u64, count: i64) -> Vec<(i64, Event)> {
        pass(&mut course(seed, 200), START_US + count * DAY_US, DAY_US)
    }

    #[test]
    fn the_same_seed_is_the_same_year() {
        assert_eq!(days(7, 60), days(7, 60));
        assert_ne!(days(7, 60), days(8, 60));
    }

    #[test]
    fn a_door_accepts_every_event_as_it_is() {
        let context = ingest::event::Context {
            now_us: START_US + 500 * DAY_US,
            until_us: START_US + 500 * DAY_US,
            floor_us: 0,
            source: String::new(),
            tenant: String::new(),
            unknown_types: ingest::near::UnknownTypes::default(),
        };
        let mut course = course(7, 50);
        let planned = pass(&mut course, START_US + 200 * DAY_US, DAY_US);
        let mut events: Vec<Event> = planned.into_iter().map(|(_, event)| event).collect();
        let mut dice = Dice::new(1);
        events.extend((0..500).filter_map(|n| course.now(START_US + 300 * DAY_US + n, &mut dice)));
        for event in events {
            let line = ingest::cloudevents::render(&event, None);
            let parsed = ingest::event::parse(line.as_bytes(), &context);
            assert_eq!(parsed.map_err(|rejection| rejection.to_string()), Ok(event));
        }
    }

    #[test]
    fn live_days_go_on_as_planned() {
        const HOUR_US: i64 = 3_600 * SECOND_US;
        let (live_us, end_us) = (START_US + 60 * DAY_US + 10 * HOUR_US, START_US + 90 * DAY_US);
        let mut course = course(7, 200);
        let mut events = pass(&mut course, live_us, 2 * DAY_US);
        let lapsed = |course: &Course| course.shop.accounts.iter().filter(|account| account.lapsed).count();
        let before = lapsed(&course);
        // Live, with other events between; the clock stands, and once the machine slept for some days.
        let mut live = Vec::new();
        let mut dice = Dice::new(1);
        for to_us in [live_us + 7 * DAY_US, live_us + 11 * DAY_US, end_us] {
            live.extend(pass(&mut course, to_us, if to_us < end_us { 7 * HOUR_US } else { 5 * DAY_US }));
            assert_eq!(course.towards(to_us).unwrap(), (to_us, Vec::new()));
            course.now(to_us, &mut dice).unwrap();
        }
        assert!(lapsed(&course) > before + 3, "{} of {before} lapsed accounts", lapsed(&course));
        let refunds = live.iter().filter(|(_, event)| event.r#type == "payment.refunded").count();
        assert!(refunds > 3, "{refunds} refunds");
        events.extend(live);
        assert_eq!(events, days(7, 90));
    }

    #[test]
    fn a_year_has_everything_that_happens_to_a_shop() {
        let events = days(7, 365);
        let count = |kind: &str| events.iter().filter(|(_, event)| event.r#type == kind).count();
        for kind in ["account.updated", "order.completed", "order.cancelled", "payment.refunded", "usage.recorded"] {
            assert!(count(kind) > 10, "{kind}: {}", count(kind));
        }
        let late = events.iter().filter(|(at_us, event)| at_us - event.time_us >= DAY_US).count();
        let distinct: std::collections::BTreeSet<_> = events.iter().map(|(_, event)| &event.id).collect();
        assert!(late > 10, "late: {late}");
        assert!(events.len() - distinct.len() > 10, "duplicate: {}", events.len() - distinct.len());
        assert!(events.iter().all(|(at_us, event)| *at_us >= event.time_us));
    }
}
