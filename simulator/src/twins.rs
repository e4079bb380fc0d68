//! A second account of the same customer: somebody signs up again, orders and asks, until both are found to be one.
//!
//! Invariant: the second account is quiet once it is linked, whatever is still on its way.

use serde_json::json;

use crate::{
    account::{Account, TWIN, name},
    books::{Money, Note},
    calendar::{DAY_US, HOUR_US, REGIONS, Today},
    dice::Dice,
    event::{Event, Outbox, Source},
    orders,
};

/// Chance of a day in a million.
const SIGNS_UP: i64 = 8_000;

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if !account.twin || !dice.chance(SIGNS_UP) {
        return;
    }
    account.twin = false;
    let twin = account.number | TWIN;
    let id = name(twin);
    let at_us = today.working(account.region, dice);
    let mut told = 0;
    let mut tell = |at_us, source, kind, data, note| {
        told += 1;
        let event =
            Event { at_us, source, kind, id: format!("{id}.{told}"), account: Some(id.clone()), corrects: None, data };
        out.event(event, note);
    };
    let traits = json!({"traits": {"plan": "none", "segment": account.segment, "region": REGIONS[account.region].0}});
    tell(at_us, Source::Crm, "account.updated", traits, Note::Nothing);
    for day in 0..dice.between(1, 6) {
        let data = json!({"user": format!("{id}-c1"), "name": "report", "count": 1});
        tell(at_us + day * DAY_US + HOUR_US, Source::App, "usage.recorded", data, Note::Nothing);
    }
    let (data, amount) = orders::basket(&format!("order-{id}-1"), account.currency, 3, dice);
    let money = Money { currency: account.currency, amount };
    tell(at_us + 3 * HOUR_US, Source::Shop, "order.completed", data, Note::Order { account: Some(twin), money });
    let ticket = format!("ticket-{id}-1");
    let data = json!({"ticket": ticket, "channel": "email", "topic": "question"});
    tell(at_us + 2 * HOUR_US, Source::Support, "ticket.opened", data, Note::TicketOpened);
    let data = json!({"ticket": ticket, "author": "agent"});
    tell(at_us + 5 * HOUR_US, Source::Support, "ticket.message", data, Note::Nothing);
    let data = json!({"ticket": ticket, "to": "solved"});
    tell(at_us + 6 * HOUR_US, Source::Support, "ticket.status_changed", data, Note::TicketSolved);
    let data = json!({"from": id, "to": account.id()});
    let note = Note::Linked { into: account.number, from: twin };
    tell(at_us + dice.between(8, 20) * DAY_US, Source::Crm, "identity.linked", data, note);
}
