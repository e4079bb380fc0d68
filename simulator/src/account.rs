//! One account: what it is, how it feels, and where it stands. Compact: a company has many.
//!
//! Causes are here. What hurts an account lowers its mood, at once or some days later; a low mood lowers its usage and
//! its answers, and at the end it leaves. Moods mend slowly.

use serde_json::Value;

use crate::{
    books::Note,
    deals::Deal,
    dice::{Dice, count},
    event::{Event, Outbox, Source},
    subscription::Subscription,
    words::{INDUSTRIES, OWNERS, PLANS, SEGMENTS},
};

/// A mood that nothing troubles; 0 is the worst, 100 the best.
const CALM: i64 = 74;
/// Added to an account's number where an account is its second self, see `twins`.
pub(crate) const TWIN: u32 = 1 << 31;

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody knows it yet.
    Unknown,
    /// A lead, to be converted on this day.
    Courted(i64),
    /// Its first deal is open.
    Negotiating,
    /// It uses the product.
    Active,
    /// It was a customer, and left on this day.
    Gone(i64),
    /// Its first deal was lost.
    Declined,
}

/// What hurt an account last: why it would leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Price,
    Service,
    Outage,
    Payment,
    Need,
}

impl Cause {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Cause::Price => "price",
            Cause::Service => "service",
            Cause::Outage => "outage",
            Cause::Payment => "payment",
            Cause::Need => "no longer needed",
        }
    }
}

/// How an account first comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It was a customer before the simulation began.
    Migrated,
    /// As a lead, with a deal.
    Lead,
    /// By a trial, or at the till.
    Itself,
}

/// An account and its present state.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) number: u32,
    pub(crate) way: Way,
    /// Buys goods only; never subscribes.
    pub(crate) shopper: bool,
    /// Day on which it comes.
    pub(crate) joins: i64,
    pub(crate) region: usize,
    pub(crate) currency: &'static str,
    /// Index of its plan.
    pub(crate) plan: usize,
    pub(crate) segment: &'static str,
    pub(crate) industry: &'static str,
    pub(crate) owner: &'static str,
    pub(crate) contacts: i64,
    /// Its bank refuses often.
    pub(crate) poor: bool,
    /// It may come back after it left.
    pub(crate) returns: bool,
    /// Somebody there opened a second account.
    pub(crate) twin: bool,

    pub(crate) standing: Standing,
    pub(crate) mood: i64,
    pub(crate) cause: Cause,
    /// What will hurt, and on which day.
    pain: (i64, i64),
    pub(crate) subscription: Option<Subscription>,
    pub(crate) deal: Option<Deal>,
    /// Day on which a better plan or another product was agreed on.
    pub(crate) upgrades: i64,
    pub(crate) orders_on: i64,

    events: u32,
    pub(crate) orders: u32,
    pub(crate) tickets: u32,
    pub(crate) invoices: u32,
    pub(crate) deals: u32,
    pub(crate) offers: u32,
    pub(crate) subscriptions: u32,
}

impl Account {
    pub(crate) fn new(seed: u64, linked: i64, number: u32) -> Self {
        let mut dice = Dice::of(seed, [number.into(), -1]);
        let migrated = dice.percent(40);
        let region = dice.pick(&[(0, 50), (1, 35), (2, 15)]);
        let usd = region == 1 || region == 2 && dice.percent(50);
        let segment = dice.pick(&SEGMENTS);
        let way = match migrated {
            true => Way::Migrated,
            false if dice.percent(65) => Way::Lead,
            false => Way::Itself,
        };
        Self {
            number,
            way,
            shopper: way != Way::Lead && dice.percent(35),
            joins: if migrated { dice.between(1, 28) } else { dice.between(1, 730) },
            region,
            currency: if usd { "USD" } else { "EUR" },
            plan: dice.pick(&[(0, 55), (1, 32), (2, 13)]),
            segment,
            industry: dice.pick(&INDUSTRIES),
            owner: dice.any(&OWNERS),
            contacts: dice.between(1, if segment == "small" { 3 } else { 5 }),
            poor: dice.percent(6),
            returns: dice.percent(35),
            twin: dice.percent(linked),
            standing: Standing::Unknown,
            mood: CALM + dice.between(-8, 9),
            cause: Cause::Need,
            pain: (0, 0),
            subscription: None,
            deal: None,
            upgrades: 0,
            orders_on: 0,
            events: 0,
            orders: 0,
            tickets: 0,
            invoices: 0,
            deals: 0,
            offers: 0,
            subscriptions: 0,
        }
    }

    pub(crate) fn id(&self) -> String {
        name(self.number)
    }

    /// Reports something of this account.
    pub(crate) fn tell(
        &mut self,
        out: &mut Outbox,
        at_us: i64,
        source: Source,
        kind: &'static str,
        data: Value,
        note: Note,
    ) {
        self.events += 1;
        let (account, id) = (self.id(), format!("{}.{}", self.id(), self.events));
        out.event(Event { at_us, source, kind, id, account: Some(account), corrects: None, data }, note);
    }

    /// One of its people.
    pub(crate) fn contact(&self, dice: &mut Dice) -> String {
        format!("{}-c{}", self.id(), dice.below(self.contacts) + 1)
    }

    pub(crate) fn price(&self) -> i64 {
        PLANS[self.plan].1
    }

    pub(crate) fn seats(&self, dice: &mut Dice) -> i64 {
        match self.segment {
            "enterprise" => dice.between(30, 120),
            "midsize" => dice.between(8, 40),
            _ => dice.between(1, 10),
        }
    }

    /// A better plan, where there is one.
    pub(crate) fn better_plan(&mut self) -> bool {
        let better = count(PLANS.len()) > count(self.plan) + 1;
        self.plan += usize::from(better);
        better
    }

    /// Something that hurts from a day on.
    pub(crate) fn hurt(&mut self, day: i64, by: i64, cause: Cause) {
        // Two pains at once: the second is felt on the day of the first.
        self.pain = if self.pain.1 > 0 { (self.pain.0, self.pain.1 + by) } else { (day, by) };
        self.cause = cause;
    }

    pub(crate) fn please(&mut self, by: i64) {
        self.mood = (self.mood + by).min(100);
    }

    /// A day goes by: what hurts today hurts, and every tenth day the mood mends a little.
    pub(crate) fn age(&mut self, day: i64) {
        if self.pain.1 > 0 && day >= self.pain.0 {
            self.mood = (self.mood - self.pain.1).max(0);
            self.pain = (0, 0);
        }
        if (day + i64::from(self.number)) % 10 == 0 {
            self.mood += (CALM - self.mood).signum();
        }
    }
}

/// The name of the account of this number.
pub(crate) fn name(number: u32) -> String {
    let twin = if number & TWIN == 0 { "" } else { "-b" };
    format!("a{:05}{twin}", number & !TWIN)
}
