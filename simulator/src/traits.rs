//! Traits of accounts and their people, and how they change: plan, owner, segment, custom ones.

use serde_json::{Value, json};

use crate::{
    account::Account,
    books::Note,
    calendar::{REGIONS, Today},
    dice::Dice,
    event::{Outbox, Source},
    words::{OWNERS, PLANS, ROLES},
};

/// Chance of a day in a million that something changes.
const CHANGES: i64 = 1_500;

fn update(account: &mut Account, traits: Value, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let at_us = today.working(account.region, dice);
    account.tell(out, at_us, Source::Crm, "account.updated", json!({"traits": traits}), Note::Nothing);
}

/// Everything that is known of a new account, and its people.
pub(crate) fn introduce(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    // Traits are there before what they are traits of.
    let at_us = today.night(dice) - crate::calendar::EARLIEST_US;
    let name = dice.any(&["Harbour", "Nordlicht", "Sun & Söhne", "Blue Gum", "Liberty", "Müller", "O'Neil", "Ferro"]);
    let traits = json!({"name": format!("{name} {}", account.number), "owner": account.owner,
        "plan": plan(account), "segment": account.segment, "region": REGIONS[account.region].0,
        "industry": account.industry, "currency": account.currency,
        "custom": {"store": dice.between(1, 40), "pilot": dice.percent(10)}});
    account.tell(out, at_us, Source::Crm, "account.updated", json!({"traits": traits}), Note::Nothing);
    for number in 1..=account.contacts {
        contact(account, number, today, dice, out);
    }
}

fn plan(account: &Account) -> &'static str {
    if account.shopper { "none" } else { PLANS[account.plan].0 }
}

fn contact(account: &mut Account, number: i64, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let data = json!({"contact": format!("{}-c{number}", account.id()), "role": dice.any(&ROLES),
        "traits": {"language": dice.pick(&[("en", 60), ("de", 30), ("es", 10)])}});
    account.tell(out, today.working(account.region, dice), Source::Crm, "contact.updated", data, Note::Nothing);
}

/// The account has another plan now.
pub(crate) fn plan_changed(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let traits = json!({"plan": plan(account)});
    update(account, traits, today, dice, out);
}

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if !dice.chance(CHANGES) {
        return;
    }
    let traits = match dice.below(100) {
        ..50 => {
            account.owner = dice.any(&OWNERS);
            json!({"owner": account.owner})
        }
        50..62 => {
            account.segment = if account.segment == "small" { "midsize" } else { "enterprise" };
            json!({"segment": account.segment, "custom": {"pilot": null}})
        }
        62..75 => json!({"custom": {"store": dice.between(1, 40)}}),
        75..80 => json!({"industry": null}),
        _ => {
            let number = dice.between(1, account.contacts + 1);
            return contact(account, number, today, dice, out);
        }
    };
    update(account, traits, today, dice, out);
}
