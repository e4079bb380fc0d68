//! Tickets: opened by customers or agents, answered by bots and people, solved, reopened, merged, and some never
//! answered.
//!
//! What becomes of a ticket is planned when it is opened, and so is what it does to the account: one that nobody answers
//! hurts most, see `account`.

use serde_json::{Value, json};

use crate::{
    account::{Account, Cause},
    books::Note,
    calendar::{DAY_US, HOUR_US, MINUTE_US, Today},
    dice::Dice,
    event::{Outbox, Source},
    surveys,
    words::{TICKET_CHANNELS, TOPICS},
};

/// Chance of a day in a million; of a day on which the product failed.
const OPENS: i64 = 5_500;
const OPENS_AFTER_INCIDENT: i64 = 70_000;

/// A ticket as its events are made.
struct Ticket<'a> {
    id: String,
    account: &'a mut Account,
    out: &'a mut Outbox,
}

impl Ticket<'_> {
    fn tell(&mut self, at_us: i64, kind: &'static str, mut data: Value, note: Note) {
        data["ticket"] = self.id.clone().into();
        self.account.tell(self.out, at_us, Source::Support, kind, data, note);
    }

    fn message(&mut self, at_us: i64, author: &str, public: bool) {
        // Public is what a message is where nothing is said.
        let data = if public { json!({"author": author}) } else { json!({"author": author, "public": false}) };
        self.tell(at_us, "ticket.message", data, Note::Nothing);
    }

    fn becomes(&mut self, at_us: i64, to: &str, note: Note) {
        self.tell(at_us, "ticket.status_changed", json!({"to": to}), note);
    }
}

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let failed = today.incident == Some(account.region);
    let opens = if failed { OPENS_AFTER_INCIDENT } else { OPENS };
    if !dice.chance(if account.mood < 45 { opens * 3 / 2 } else { opens }) {
        return;
    }
    account.tickets += 1;
    let number = account.tickets;
    let id = |number| format!("ticket-{}-{number}", account.id());
    let (own, last) = (id(number), id(number - 1));
    let at_us = today.working(account.region, dice);
    let topic = if failed { "outage" } else { dice.pick(&TOPICS) };
    let by_agent = dice.percent(8);
    let mut data = json!({"channel": dice.pick(&TICKET_CHANNELS), "topic": topic,
        "priority": dice.pick(&[("normal", 80), ("high", 20)])});
    if by_agent {
        data["opened_by"] = "agent".into();
    }
    let mut ticket = Ticket { id: own, account, out };
    ticket.tell(at_us, "ticket.opened", data, Note::TicketOpened);
    if number > 1 && dice.percent(3) {
        let data = json!({"to": "merged", "into": last});
        ticket.tell(at_us + 30 * MINUTE_US, "ticket.status_changed", data, Note::Nothing);
        return;
    }
    if !by_agent && dice.percent(if failed { 25 } else { 5 }) {
        forget(ticket, at_us, today.day, failed, dice);
    } else {
        work(ticket, at_us, today.day, failed, dice);
    }
}

/// Nobody answers but a bot; the customer asks again.
fn forget(mut ticket: Ticket<'_>, at_us: i64, day: i64, failed: bool, dice: &mut Dice) {
    ticket.message(at_us + MINUTE_US, "bot", true);
    if dice.percent(60) {
        ticket.message(at_us + dice.between(24, 96) * HOUR_US, "customer", true);
    }
    ticket.account.hurt(day + 3, 45, if failed { Cause::Outage } else { Cause::Service });
}

/// Somebody answers, and mostly the ticket is solved.
fn work(mut ticket: Ticket<'_>, opened_us: i64, day: i64, failed: bool, dice: &mut Dice) {
    if dice.percent(40) {
        ticket.message(opened_us + MINUTE_US, "bot", true);
    }
    let slow = failed || dice.percent(15);
    let minutes = if slow { dice.between(1_440, 4_320) } else { dice.between(5, 480) };
    let answered_us = opened_us + minutes * MINUTE_US;
    if dice.percent(30) {
        ticket.message(answered_us - 2 * MINUTE_US, "agent", false);
    }
    ticket.message(answered_us, "agent", true);
    if slow {
        ticket.account.hurt(day + 3, 12, Cause::Service);
    } else {
        ticket.account.please(2);
    }
    let mut at_us = answered_us;
    if dice.percent(20) {
        ticket.becomes(at_us + MINUTE_US, "pending", Note::Nothing);
    }
    for _ in 0..dice.below(3) {
        at_us += dice.between(1, 9) * HOUR_US;
        ticket.message(at_us, "customer", true);
        at_us += dice.between(1, 6) * HOUR_US;
        ticket.message(at_us, "agent", true);
    }
    if dice.percent(93) {
        solve(ticket, at_us + dice.between(10, 600) * MINUTE_US, dice);
    }
}

fn solve(mut ticket: Ticket<'_>, solved_us: i64, dice: &mut Dice) {
    // Some are closed without ever having been solved.
    if dice.percent(5) {
        return ticket.becomes(solved_us, "closed", Note::TicketSolved);
    }
    ticket.becomes(solved_us, "solved", Note::TicketSolved);
    let mut end_us = solved_us;
    if dice.percent(7) {
        let again_us = solved_us + dice.between(12, 120) * HOUR_US;
        ticket.becomes(again_us, "reopened", Note::Nothing);
        ticket.message(again_us + dice.between(1, 8) * HOUR_US, "agent", true);
        end_us = again_us + DAY_US;
        ticket.becomes(end_us, "solved", Note::Nothing);
    } else {
        surveys::of_ticket(ticket.account, &ticket.id, solved_us, dice, ticket.out);
    }
    if dice.percent(70) {
        ticket.becomes(end_us + 4 * DAY_US, "closed", Note::Nothing);
    }
}
