//! Terms: begun, and at their end renewed early, on time or late, or not at all.

use serde_json::Value;

use super::{Status, tell};
use crate::{
    account::{Account, Cause},
    calendar::Today,
    deals,
    dice::Dice,
    event::Outbox,
};

/// What happens at the end of the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Open,
    Renew(i64),
    Leave,
}

/// Days before the end of a term on which the account decides.
pub(super) const DECIDES: i64 = 25;

/// A paid term begins today.
pub(super) fn begin(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let (price, seats) = (account.price(), account.seats(dice));
    let Some(sub) = &mut account.subscription else { return };
    (sub.status, sub.seats, sub.mrr) = (Status::Active, seats, price * seats);
    (sub.start, sub.end, sub.decision) = (today.day, today.day + sub.term, Decision::Open);
    sub.billing.begin(today.day);
    tell(account, today, dice, out, Value::Null);
}

/// The account decides by its mood; of a long term somebody talks with it.
pub(super) fn decide(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &mut account.subscription else { return };
    sub.decision = decision(account.mood, sub.end, today.day, dice);
    if sub.decision == Decision::Leave && account.cause == Cause::Need && dice.percent(50) {
        account.cause = Cause::Price;
    }
    if sub.term > 100 {
        deals::open(account, today, dice, out, deals::Kind::Renewal);
    }
}

fn decision(mood: i64, end: i64, day: i64, dice: &mut Dice) -> Decision {
    let leaves = match mood {
        ..30 => 65,
        30..45 => 35,
        45..60 => 10,
        _ => 4,
    };
    if dice.percent(leaves) {
        return Decision::Leave;
    }
    let renews = match dice.below(100) {
        ..15 => end - dice.between(1, 21),
        15..83 => end,
        83..97 => end + dice.between(1, 21),
        _ => end + dice.between(31, 46),
    };
    Decision::Renew(renews.max(day + 1))
}

/// The next term, announced, begun or made up for.
pub(super) fn renew(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &mut account.subscription else { return };
    // After a month it is a new beginning, else the terms follow each other without a gap.
    let start = if today.day > sub.end + 30 { today.day } else { sub.end };
    if dice.percent(25) {
        sub.mrr = sub.mrr * dice.between(102, 116) / 100;
    }
    (sub.start, sub.end, sub.decision) = (start, start + sub.term, Decision::Open);
    sub.quiet = start;
    tell(account, today, dice, out, Value::Null);
}
