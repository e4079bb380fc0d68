//! A day of an account: which parts of its life are lived, and in which order.

use crate::{
    account::{Account, Standing, Way},
    billing,
    calendar::Today,
    deals,
    dice::Dice,
    event::Outbox,
    leads, offers, orders, subscription, support, surveys, traits, twins, usage,
};

/// Chance of a day in a million that an account comes back that would.
const RETURN: i64 = 5_000;

/// Lives through a day.
pub(crate) fn live(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    match account.standing {
        Standing::Unknown if today.day < account.joins => return,
        Standing::Unknown => return arrive(account, today, dice, out),
        Standing::Courted(day) if today.day >= day => {
            traits::introduce(account, today, dice, out);
            deals::open(account, today, dice, out, deals::Kind::New);
            account.standing = Standing::Negotiating;
            return;
        }
        Standing::Courted(_) => return,
        Standing::Declined if account.deal.is_none() => return,
        Standing::Gone(day) if today.day > day + 20 && account.returns && dice.chance(RETURN) => {
            come_back(account, today, dice, out);
        }
        _ => {}
    }
    account.age(today.day);
    deals::step(account, today, dice, out);
    subscription::step(account, today, dice, out);
    billing::step(account, today, dice, out);
    if account.standing == Standing::Active {
        act(account, today, dice, out);
    }
}

/// What an account does that uses the product.
fn act(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    usage::step(account, today, dice, out);
    orders::step(account, today, dice, out);
    support::step(account, today, dice, out);
    surveys::step(account, today, dice, out);
    offers::step(account, today, dice, out);
    traits::step(account, today, dice, out);
    twins::step(account, today, dice, out);
}

fn arrive(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    match account.way {
        Way::Lead => {
            let converted = leads::of_account(account, today, dice, out);
            account.standing = Standing::Courted(converted + 1);
        }
        Way::Migrated | Way::Itself => {
            traits::introduce(account, today, dice, out);
            account.standing = Standing::Active;
            if account.shopper {
                account.orders_on = today.day;
                orders::step(account, today, dice, out);
            } else if account.way == Way::Migrated {
                subscription::start(account, today, dice, out);
            } else {
                subscription::try_out(account, today, dice, out);
            }
        }
    }
}

/// A former customer, or a shopper whom nobody saw for long, is won back.
fn come_back(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    account.standing = Standing::Active;
    account.please(30);
    if account.shopper {
        account.orders_on = today.day;
    } else {
        subscription::start(account, today, dice, out);
    }
}
