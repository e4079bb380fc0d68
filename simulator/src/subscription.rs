//! Subscriptions: tried out, begun, renewed early, on time or late, made larger or smaller, paused, ended.
//!
//! Invariants: at most one event of a subscription a day and account, in working hours, so they are in order; nothing is
//! said between an early renewal and the term that it announces, for that would take its place. What an account pays
//! counts from its term on where the term is still to come.

mod size;
mod term;

use serde_json::{Value, json};

use crate::{
    account::{Account, Standing},
    books::{Money, Note},
    calendar::{DAY_US, Today, stamp},
    dice::Dice,
    event::{Outbox, Source},
    words::PLANS,
};
use term::{DECIDES, Decision};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Begins on the day of `next`.
    Agreed,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Trialing => "trialing",
            Status::Agreed | Status::Active => "active",
            Status::PastDue => "past_due",
            Status::Unpaid => "unpaid",
            Status::Paused => "paused",
            Status::Canceled => "canceled",
        }
    }
}

/// The subscription of an account.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    number: u32,
    pub(crate) status: Status,
    /// Minor units a month.
    mrr: i64,
    seats: i64,
    /// Days of a term.
    term: i64,
    /// Days on which the term begins and ends.
    start: i64,
    end: i64,
    /// Nothing is said before this day.
    pub(crate) quiet: i64,
    /// Day on which a trial, a pause or the time before the first term ends.
    next: i64,
    decision: Decision,
    pub(crate) billing: crate::billing::Billing,
}

impl Subscription {
    pub(crate) fn mrr(&self) -> i64 {
        self.mrr
    }
}

fn fresh(account: &mut Account, status: Status, next: i64, dice: Option<&mut Dice>) {
    // Who comes back takes up the old subscription, or makes a new one.
    let again = account.subscription.is_some() && account.number % 5 < 3;
    account.subscriptions += u32::from(!again);
    let seats = dice.map_or(0, |dice| account.seats(dice));
    account.subscription = Some(Subscription {
        number: account.subscriptions,
        status,
        mrr: 0,
        seats,
        term: if account.number.is_multiple_of(2) { 365 } else { 91 },
        start: 0,
        end: 0,
        quiet: 0,
        next,
        decision: Decision::Open,
        billing: crate::billing::Billing::default(),
    });
}

/// A paid term begins on a later day.
pub(crate) fn agree(account: &mut Account, day: i64) {
    fresh(account, Status::Agreed, day, None);
}

/// A paid term begins today.
pub(crate) fn start(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    fresh(account, Status::Agreed, today.day, None);
    term::begin(account, today, dice, out);
}

/// Two weeks for nothing.
pub(crate) fn try_out(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    fresh(account, Status::Trialing, today.day + 14, Some(dice));
    tell(account, today, dice, out, json!({"trial_days": 14}));
}

/// Says the present state, with custom fields; the books hear what is paid from now on.
fn tell(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox, custom: Value) {
    let at_us = today.working(account.region, dice);
    let Some(sub) = &account.subscription else { return };
    let midnight = |day: i64| today.start_us + (day - today.day) * DAY_US;
    let mut data = json!({"subscription": format!("sub-{}-{}", account.id(), sub.number),
        "product": PLANS[account.plan].0, "status": sub.status.name(), "quantity": sub.seats});
    let paid = matches!(sub.status, Status::Active | Status::PastDue);
    if paid {
        data["mrr"] = sub.mrr.into();
        data["currency"] = account.currency.into();
    }
    if paid || sub.status == Status::Paused {
        data["term_start"] = stamp(midnight(sub.start)).into();
        data["term_end"] = stamp(midnight(sub.end)).into();
        data["auto_renew"] = (sub.term < 100).into();
    }
    if sub.status == Status::Canceled {
        data["cause"] = account.cause.name().into();
    }
    if !custom.is_null() {
        data["custom"] = custom;
    }
    let money = Money { currency: account.currency, amount: if paid { sub.mrr } else { 0 } };
    let note = Note::Paying { account: account.number, money };
    let counts_us = if paid { midnight(sub.start) } else { at_us };
    if counts_us > at_us {
        out.note(counts_us, note);
    }
    let note = if counts_us > at_us { Note::Nothing } else { note };
    account.tell(out, at_us, Source::Billing, "subscription.changed", data, note);
}

/// Another status; `billing` has its own.
pub(crate) fn becomes(account: &mut Account, status: Status, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if let Some(sub) = &mut account.subscription {
        sub.status = status;
        tell(account, today, dice, out, Value::Null);
    }
}

/// The account leaves.
pub(crate) fn cancel(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    becomes(account, Status::Canceled, today, dice, out);
    account.standing = Standing::Gone(today.day);
}

/// A day of the subscription, or of none.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &account.subscription else { return };
    match sub.status {
        Status::Agreed if today.day >= sub.next => term::begin(account, today, dice, out),
        Status::Trialing if today.day >= sub.next => {
            if dice.percent(account.mood - 15) {
                term::begin(account, today, dice, out);
            } else {
                cancel(account, today, dice, out);
            }
        }
        Status::Paused if today.day >= sub.next => becomes(account, Status::Active, today, dice, out),
        Status::Active if today.day >= sub.quiet => active(account, today, dice, out),
        _ => {}
    }
}

fn active(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &mut account.subscription else { return };
    if sub.billing.is_open() {
        return;
    }
    if sub.decision == Decision::Open && today.day >= sub.end - DECIDES {
        return term::decide(account, today, dice, out);
    }
    match sub.decision {
        Decision::Renew(day) if today.day >= day => return term::renew(account, today, dice, out),
        Decision::Leave if today.day >= sub.end => return cancel(account, today, dice, out),
        _ => {}
    }
    let leaves = match account.mood {
        ..25 => 12_000,
        25..40 => 3_000,
        _ => 150,
    };
    if account.upgrades > 0 && today.day >= account.upgrades {
        size::grow(account, today, dice, out);
    } else if dice.chance(leaves) {
        cancel(account, today, dice, out);
    } else if account.mood < 45 && dice.chance(2_000) {
        size::shrink(account, today, dice, out);
    } else if dice.chance(120) {
        sub.next = today.day + 30;
        becomes(account, Status::Paused, today, dice, out);
    }
}
