//! Offers: a better plan, or another product. What is accepted happens the day after.

use serde_json::json;

use crate::{
    account::Account,
    books::Note,
    calendar::{DAY_US, Today},
    dice::Dice,
    event::{Outbox, Source},
    words::{PLANS, PRODUCTS},
};

/// Chance of a day in a million.
const OFFERS: i64 = 2_200;

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if !dice.chance(OFFERS) {
        return;
    }
    account.offers += 1;
    let upsell = !account.shopper && dice.percent(55);
    let (kind, product, value) = if upsell {
        let (plan, price) = PLANS[(account.plan + 1).min(PLANS.len() - 1)];
        ("upsell", plan, price * 12)
    } else {
        let (product, price) = dice.any(&PRODUCTS);
        ("cross_sell", product, price)
    };
    let data = json!({"offer": format!("offer-{}-{}", account.id(), account.offers), "kind": kind, "product": product,
        "value": value, "currency": account.currency});
    let at_us = today.working(account.region, dice);
    account.tell(out, at_us, Source::Crm, "offer.made", data.clone(), Note::Nothing);
    if dice.percent(if account.mood >= 60 { 30 } else { 8 }) {
        let days = dice.between(1, 11);
        account.tell(out, at_us + days * DAY_US, Source::Crm, "offer.accepted", data, Note::Nothing);
        let day = today.day + days + 1;
        if upsell {
            account.upgrades = day;
        } else {
            account.orders_on = day;
        }
    }
}
