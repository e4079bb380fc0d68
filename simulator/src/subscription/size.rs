//! More or fewer seats, and better plans, within a term.

use serde_json::{Value, json};

use super::tell;
use crate::{account::Account, calendar::Today, dice::Dice, event::Outbox, traits};

/// More seats, or a better plan.
pub(super) fn grow(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    account.upgrades = 0;
    let better = dice.percent(40) && account.better_plan();
    let price = account.price();
    let Some(sub) = &mut account.subscription else { return };
    if !better {
        sub.seats += dice.between(1, 4 + sub.seats / 3);
    }
    sub.mrr = (price * sub.seats).max(sub.mrr + 100);
    tell(account, today, dice, out, json!({"by": "sales"}));
    if better {
        traits::plan_changed(account, today, dice, out);
    }
}

/// Fewer seats for less money.
pub(super) fn shrink(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(sub) = &mut account.subscription else { return };
    sub.seats = (sub.seats * dice.between(50, 85) / 100).max(1);
    sub.mrr = (sub.mrr * dice.between(50, 85) / 100).max(100);
    tell(account, today, dice, out, Value::Null);
}
