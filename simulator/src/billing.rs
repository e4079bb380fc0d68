//! Invoices of a subscription: paid, or refused by the bank again and again, until the account loses what it does not
//! pay for.
//!
//! The way of a refused invoice: failed, the day after past_due, a second try after a week, a third after three; then
//! uncollectible, unpaid, and at the end canceled.

use serde_json::json;

use crate::{
    account::{Account, Cause},
    books::{Money, Note},
    calendar::{DAY_US, Today, stamp},
    dice::Dice,
    event::{Outbox, Source},
    subscription::{self, Status},
};

/// Days between invoices.
const MONTH: i64 = 30;

/// What is billed next, and what is still open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Billing {
    /// Day of the next invoice.
    next: i64,
    /// How often the last one was refused; 0 when it is settled.
    tries: i64,
    /// Day of the next step with it.
    retry: i64,
}

impl Billing {
    pub(crate) fn begin(&mut self, day: i64) {
        *self = Billing { next: day + 1, ..Billing::default() };
    }

    /// The last invoice was refused, and is not settled.
    pub(crate) fn is_open(&self) -> bool {
        self.tries > 0
    }
}

fn tell(account: &mut Account, at_us: i64, status: &str, out: &mut Outbox) {
    let amount = account.subscription.as_ref().map_or(0, subscription::Subscription::mrr);
    let money = Money { currency: account.currency, amount };
    let note = if status == "paid" { Note::Paid(money) } else { Note::Nothing };
    let data = json!({"invoice": format!("inv-{}-{}", account.id(), account.invoices), "status": status,
        "amount": amount, "currency": account.currency, "due_at": stamp(at_us + 14 * DAY_US)});
    account.tell(out, at_us, Source::Billing, "invoice.resolved", data, note);
}

/// A day of billing, or of none.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &mut account.subscription else { return };
    let announced = today.day < sub.quiet;
    if sub.billing.is_open() {
        if today.day >= sub.billing.retry {
            insist(account, today, dice, out);
        }
    } else if sub.status == Status::Active && today.day >= sub.billing.next {
        sub.billing.next = today.day + MONTH;
        account.invoices += 1;
        bill(account, announced, today, dice, out);
    }
}

fn bill(account: &mut Account, announced: bool, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let at_us = today.night(dice);
    let refused = dice.chance(if account.poor { 180_000 } else { 12_000 });
    if refused && !announced {
        tell(account, at_us, "failed", out);
        wait(account, 1, today.day + 1);
    } else if dice.chance(4_000) {
        tell(account, at_us, "voided", out);
    } else {
        tell(account, at_us, "paid", out);
        if dice.chance(8_000) {
            give_back(account, at_us + dice.between(3, 15) * DAY_US, dice, out);
        }
    }
}

fn wait(account: &mut Account, tries: i64, retry: i64) {
    if let Some(sub) = &mut account.subscription {
        sub.billing.tries = tries;
        sub.billing.retry = retry;
    }
}

/// The next step with an invoice that was refused.
fn insist(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let tries = account.subscription.as_ref().map_or(0, |sub| sub.billing.tries);
    let pays = dice.percent(60);
    match tries {
        1 => {
            subscription::becomes(account, Status::PastDue, today, dice, out);
            account.hurt(today.day + 2, 14, Cause::Payment);
            wait(account, 2, today.day + 6);
        }
        2 | 3 if pays => {
            tell(account, today.night(dice), "paid", out);
            subscription::becomes(account, Status::Active, today, dice, out);
            wait(account, 0, 0);
        }
        2 => {
            tell(account, today.night(dice), "failed", out);
            account.hurt(today.day, 10, Cause::Payment);
            wait(account, 3, today.day + 14);
        }
        3 => {
            tell(account, today.night(dice), "uncollectible", out);
            wait(account, 4, today.day + 3);
        }
        4 => {
            subscription::becomes(account, Status::Unpaid, today, dice, out);
            wait(account, 5, today.day + 10);
        }
        _ => {
            account.cause = Cause::Payment;
            wait(account, 0, 0);
            subscription::cancel(account, today, dice, out);
        }
    }
}

/// A part of a paid invoice goes back.
fn give_back(account: &mut Account, at_us: i64, dice: &mut Dice, out: &mut Outbox) {
    let invoice = format!("inv-{}-{}", account.id(), account.invoices);
    let paid = account.subscription.as_ref().map_or(0, subscription::Subscription::mrr);
    let money = Money { currency: account.currency, amount: paid * dice.between(20, 101) / 100 };
    let data = json!({"refund": format!("refund-{invoice}"), "invoice": invoice, "amount": money.amount,
        "currency": money.currency});
    account.tell(out, at_us, Source::Billing, "payment.refunded", data, Note::Refund(money));
}
