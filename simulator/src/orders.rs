//! Orders: baskets of lines with discounts; some are cancelled within the hour, some sent back in whole or in part, some
//! billed by an invoice.
//!
//! Invariant: an account orders once a day at most, and cancels before that day is over, so a cancelled order is always
//! its last one.

use serde_json::{Value, json};

use crate::{
    account::{Account, Standing},
    books::{Money, Note},
    calendar::{DAY_US, MINUTE_US, Today},
    dice::{Dice, at, count},
    event::{Outbox, Source},
    words::{CHANNELS, PRODUCTS, SOURCES},
};

/// Chance of a day in a million.
const SHOPPER_ORDERS: i64 = 38_000;
const SUBSCRIBER_ORDERS: i64 = 6_000;
/// Chance of an order in a hundred.
const CANCELLED: i64 = 2;
const REFUNDED: i64 = 5;
const BILLED: i64 = 8;
/// Chance of a day in a million that something is given back for no order in particular.
const GOODWILL: i64 = 150;

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if account.shopper && dice.chance(if account.mood < 40 { 12_000 } else { 1_200 }) {
        // Nobody says so: it just orders no more.
        account.standing = Standing::Gone(today.day);
        return;
    }
    if dice.chance(GOODWILL) {
        credit(account, today, dice, out);
    }
    let usual = if account.shopper { SHOPPER_ORDERS } else { SUBSCRIBER_ORDERS };
    let wanted = if account.mood < 40 { usual / 3 } else { usual };
    let due = account.orders_on > 0 && today.day >= account.orders_on;
    if due || dice.chance(if today.weekend { wanted * 7 / 10 } else { wanted }) {
        account.orders_on = 0;
        order(account, today, dice, out);
    }
}

fn order(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    account.orders += 1;
    let at_us = today.any_time(account.region, dice);
    let order = format!("order-{}-{}", account.id(), account.orders);
    let large = if account.segment == "small" { 3 } else { 12 };
    let (data, net) = basket(&order, account.currency, large, dice);
    let money = Money { currency: account.currency, amount: net };
    let note = Note::Order { account: Some(account.number), money };
    account.tell(out, at_us, Source::Shop, "order.completed", data, note);
    if dice.percent(CANCELLED) {
        let note = Note::Cancelled { account: account.number, ordered_us: at_us, money };
        let later_us = at_us + dice.between(5, 59) * MINUTE_US;
        account.tell(out, later_us, Source::Shop, "order.cancelled", json!({"order": order}), note);
        return;
    }
    if dice.percent(BILLED) {
        let data = json!({"invoice": format!("bill-{order}"), "order": order, "status": "paid", "amount": net,
            "currency": account.currency});
        account.tell(out, at_us + 5 * DAY_US, Source::Billing, "invoice.resolved", data, Note::Nothing);
    }
    if dice.percent(REFUNDED) {
        send_back(account, &order, at_us, net, dice, out);
    }
}

fn send_back(account: &mut Account, order: &str, ordered_us: i64, net: i64, dice: &mut Dice, out: &mut Outbox) {
    let whole = dice.percent(60);
    let parts = if whole { 1 } else { dice.between(1, 3) };
    for part in 1..=parts {
        let amount = if whole { net } else { net * dice.between(10, 45) / 100 };
        let money = Money { currency: account.currency, amount };
        let at_us = ordered_us + dice.between(2, 15) * DAY_US + dice.below(600) * MINUTE_US;
        let data = json!({"refund": format!("refund-{order}-{part}"), "order": order, "amount": amount,
            "currency": account.currency});
        account.tell(out, at_us, Source::Shop, "payment.refunded", data, Note::OrderRefund(money));
    }
}

/// A credit note: money for trouble, of no order and no invoice.
fn credit(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let money = Money { currency: account.currency, amount: dice.between(5, 80) * 100 };
    let data = json!({"amount": money.amount, "currency": money.currency});
    let at_us = today.working(account.region, dice);
    account.tell(out, at_us, Source::Billing, "payment.refunded", data, Note::Refund(money));
}

/// The data of an order, and what is paid for it.
pub(crate) fn basket(order: &str, currency: &str, large: i64, dice: &mut Dice) -> (Value, i64) {
    let (first, kinds) = (dice.below(count(PRODUCTS.len())), dice.between(1, 4));
    let mut gross = 0;
    let mut lines = Vec::new();
    for kind in first..first + kinds {
        let (product, price) = PRODUCTS[at(kind % count(PRODUCTS.len()))];
        let quantity = dice.between(1, large + 1);
        gross += price * quantity;
        lines.push(json!({"product": product, "quantity": quantity, "amount": price * quantity}));
    }
    let discount = if dice.percent(18) { gross * dice.between(5, 21) / 100 } else { 0 };
    let mut data = json!({"order": order, "gross": gross, "currency": currency, "channel": dice.pick(&CHANNELS),
        "source": dice.pick(&SOURCES), "lines": lines});
    if discount > 0 {
        data["discount"] = discount.into();
    }
    (data, gross - discount)
}
