//! Tickets: what is answered, what waits, what is solved at the first contact.
//!
//! A ticket is opened once, by its earliest opening; messages and changes dated before that are nothing. Those of the very
//! instant of the opening count wherever (source, id) puts them.
//!
//! Invariants: `ticket_waiting` and `tickets_open` hold each open ticket once, with the traits of its account as they are now;
//! a ticket is solved once, at its first `solved`, or at its first `closed` while there is no `solved`; a merged one never is.
//! What is solved is taken back and added again, at the time and with the traits of the solve, whenever it means something
//! else than before.

use std::borrow::Cow;

use super::{FactId, FactType, Lifecycle, Out};
use crate::{
    account::{Decoder, Writer},
    calendar::{DAY, Time},
    event::Event,
    vocabulary::{ticket_message, ticket_opened, ticket_status_changed},
};

mod facts;
mod one;
#[cfg(test)]
mod tests;

use one::{Step, Ticket};

const OPENED: &str = ticket_opened::TYPE;
const MESSAGE: &str = ticket_message::TYPE;
const STATUS: &str = ticket_status_changed::TYPE;

const TICKET_OPENED: FactId = super::id(&facts::OPENED);
const CONTACT: FactId = super::id(&facts::CONTACT);
const ANSWERED: FactId = super::id(&facts::ANSWERED);
const SOLVED: FactId = super::id(&facts::SOLVED);
const WAITING: FactId = super::id(&facts::WAITING);
const OPEN: FactId = super::id(&facts::OPEN);

/// For how long after a solve a reopening or a new ticket shows that it was none; inclusive.
const AGAIN: Time = 7 * DAY;

/// The tickets of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tickets {
    /// By opening.
    list: Vec<Ticket>,
    /// Whether there ever was one.
    any: bool,
    /// What happened at the latest instant to tickets that were not opened yet: the opening may follow.
    early: Vec<Early>,
}

/// A step of a ticket that is not opened.
#[derive(Debug, Clone, PartialEq)]
struct Early {
    ticket: Box<str>,
    time: Time,
    step: Step,
}

impl Tickets {
    /// How many tickets are open or pending; `None` before the first ticket.
    pub fn open(&self) -> Option<usize> {
        self.any.then(|| self.list.iter().filter(|ticket| ticket.is_open()).count())
    }

    fn opening(&mut self, id: &str, event: &Event<'_>, out: &mut Out<'_, '_>) {
        if self.list.iter().any(|known| *known.id == *id) {
            return;
        }
        let mut ticket = Ticket::new(id, event, out.keep(&event.custom));
        for other in self.list.iter_mut().filter(|other| other.topic == ticket.topic) {
            other.change(event.time, out, |other| other.returned(event.time));
        }

        ticket.opened(event, out);
        for early in self.early.extract_if(.., |early| *early.ticket == *id) {
            ticket.step(early.step, event, out);
        }
        self.list.push(ticket);
        self.any = true;
    }
}

impl Lifecycle for Tickets {
    const TAG: u8 = b't';
    const READS: &'static [&'static str] = &[OPENED, MESSAGE, STATUS];
    const FACTS: &'static [&'static FactType] =
        &[&facts::OPENED, &facts::CONTACT, &facts::ANSWERED, &facts::SOLVED, &facts::WAITING, &facts::OPEN];
    /// Most messages after a month are about another matter, and the journal has what those of the same are about.
    const KEPT: Time = 35 * DAY;

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed(event.data.text(ticket_opened::TICKET))
    }

    fn has(&self, about: &str) -> bool {
        self.list.iter().any(|ticket| *ticket.id == *about)
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        self.early.retain(|early| early.time == event.time);
        let id = event.data.text(ticket_opened::TICKET);
        // Doors ask for it; what has none would be found by no later event.
        if id.is_empty() {
            return;
        }
        if event.kind == OPENED {
            return self.opening(id, event, out);
        }
        let Some(step) = Step::of(event) else { return };
        match self.list.iter_mut().find(|ticket| *ticket.id == *id) {
            Some(ticket) => ticket.step(step, event, out),
            None => self.early.push(Early { ticket: id.into(), time: event.time, step }),
        }
    }

    fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        for ticket in self.list.iter_mut().filter(|ticket| ticket.is_open()) {
            ticket.regroup(from, to, at, out);
        }
    }

    fn prune(&mut self, horizon: Time) {
        self.list.retain(|ticket| ticket.is_open() || ticket.last >= horizon);
        self.early.retain(|early| early.time >= horizon);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.flag(self.any);
        out.list(self.list.iter(), |out, ticket| ticket.encode(out));
        out.list(self.early.iter(), |out, early| {
            out.text(&early.ticket);
            out.time(early.time);
            early.step.encode(out);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Tickets> {
        let any = from.flag()?;
        let list = from.list(Ticket::decode)?;
        let early = from
            .list(|from| Some(Early { ticket: from.text()?.into(), time: from.time()?, step: Step::decode(from)? }))?;
        Some(Tickets { list, any, early })
    }
}
