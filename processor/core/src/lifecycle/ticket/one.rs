//! One ticket: its steps, and the facts that each adds and takes back.
//!
//! It knows nothing of other tickets.

use super::{AGAIN, ANSWERED, CONTACT, MESSAGE, OPEN, SOLVED, STATUS, TICKET_OPENED, WAITING};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    lifecycle::{Fact, FactId, Kept, Out, Slot},
    vocabulary::{ticket_message, ticket_opened, ticket_status_changed},
};

/// What an event does to a ticket that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A public message of an agent.
    Answer,
    /// A message of the customer.
    Contact,
    /// `open` or `pending`.
    Open,
    Reopened,
    Solved,
    Closed,
    Merged,
}

/// By number, as state has them.
const STEPS: [Step; 7] =
    [Step::Answer, Step::Contact, Step::Open, Step::Reopened, Step::Solved, Step::Closed, Step::Merged];

impl Step {
    /// `None` for an event that changes nothing: a message of a bot, a private one of an agent.
    pub(super) fn of(event: &Event<'_>) -> Option<Step> {
        match event.kind {
            MESSAGE => match event.data.text(ticket_message::AUTHOR) {
                "customer" => Some(Step::Contact),
                "agent" if event.data.flag(ticket_message::PUBLIC) != Some(false) => Some(Step::Answer),
                _ => None,
            },
            STATUS => match event.data.text(ticket_status_changed::TO) {
                "open" | "pending" => Some(Step::Open),
                "reopened" => Some(Step::Reopened),
                "solved" => Some(Step::Solved),
                "closed" => Some(Step::Closed),
                "merged" => Some(Step::Merged),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn encode(self, out: &mut Writer<'_>) {
        out.integer(self as i64);
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Step> {
        STEPS.get(usize::try_from(from.integer()?).ok()?).copied()
    }
}

/// A ticket from its opening on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticket {
    pub(super) id: Box<str>,
    pub(super) topic: Box<str>,
    channel: Box<str>,
    priority: Box<str>,
    by_agent: bool,
    /// Of the opening.
    custom: Kept,
    opened: Time,
    /// Time of its latest event.
    pub(super) last: Time,
    /// Public messages of agents.
    answers: i64,
    /// Open or pending.
    open: bool,
    /// When it came into the levels, with the traits that its account has now.
    since: Time,
    /// Merged into another ticket, once and for all.
    merged: bool,
    solve: Option<Solve>,
}

/// The first `solved`; the first `closed` while there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Solve {
    time: Time,
    profile: u32,
    closed: bool,
    /// Public messages of agents up to it.
    answers: i64,
    /// Reopened, or asked again, within [`AGAIN`].
    returned: bool,
}

/// What facts say of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counted {
    open: bool,
    waiting: bool,
    solved: Option<Solved>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Solved {
    time: Time,
    profile: u32,
    first_contact: bool,
}

impl Ticket {
    pub(super) fn new(id: &str, event: &Event<'_>, custom: Kept) -> Ticket {
        let text = |number: u32| event.data.text(number).into();
        Ticket {
            id: id.into(),
            topic: text(ticket_opened::TOPIC),
            channel: text(ticket_opened::CHANNEL),
            priority: text(ticket_opened::PRIORITY),
            by_agent: event.data.text(ticket_opened::OPENED_BY) == "agent",
            custom,
            opened: event.time,
            last: event.time,
            answers: 0,
            open: true,
            since: event.time,
            merged: false,
            solve: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Adds what the opening adds.
    pub(super) fn opened(&self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        self.happen(TICKET_OPENED, event, Slot::Absent, out);
        if !self.by_agent {
            self.happen(CONTACT, event, Slot::Absent, out);
        }
        self.enter(out.profile(), event.time, out);
    }

    /// Takes a step, and adds what it adds.
    pub(super) fn step(&mut self, step: Step, event: &Event<'_>, out: &mut Out<'_, '_>) {
        self.last = event.time;
        let profile = out.profile();
        self.change(event.time, out, |ticket| ticket.take(step, event.time, profile));
        match step {
            Step::Contact => self.happen(CONTACT, event, Slot::Absent, out),
            Step::Answer if self.answers == self.needed() => {
                self.happen(ANSWERED, event, Slot::Integer(event.time.saturating_sub(self.opened)), out);
            }
            _ => {}
        }
    }

    fn take(&mut self, step: Step, at: Time, profile: u32) {
        let solve = |closed, answers| Some(Solve { time: at, profile, closed, answers, returned: false });
        match step {
            Step::Contact => {}
            Step::Answer => {
                self.answers += 1;
                // One at the very instant of the solve is up to it, too.
                if let Some(solve) = self.solve.as_mut().filter(|solve| solve.time == at) {
                    solve.answers = self.answers;
                }
            }
            Step::Open => self.open = true,
            Step::Reopened => {
                self.open = true;
                self.returned(at);
            }
            Step::Solved => {
                self.open = false;
                if self.solve.is_none_or(|solve| solve.closed) {
                    self.solve = solve(false, self.answers);
                }
            }
            Step::Closed => {
                self.open = false;
                self.solve = self.solve.or(solve(true, self.answers));
            }
            Step::Merged => {
                self.open = false;
                self.merged = true;
            }
        }
    }

    /// The customer is back about this: by a reopening, or by a new ticket of the topic.
    pub(super) fn returned(&mut self, at: Time) {
        let within = |solve: &&mut Solve| solve.time < at && at <= solve.time.saturating_add(AGAIN);
        if let Some(solve) = self.solve.as_mut().filter(within) {
            solve.returned = true;
        }
    }

    /// Number of the public message of an agent that answers: its opening is the first one of an agent's ticket.
    fn needed(&self) -> i64 {
        1 + i64::from(self.by_agent)
    }

    fn counted(&self) -> Counted {
        let solved = |solve: Solve| Solved {
            time: solve.time,
            profile: solve.profile,
            first_contact: solve.answers <= 1 && !solve.returned,
        };
        Counted {
            open: self.open,
            waiting: self.open && self.answers < self.needed(),
            solved: self.solve.filter(|_| !self.merged).map(solved),
        }
    }

    /// Changes the ticket at `at`; what it means now takes the place of what it meant before.
    pub(super) fn change(&mut self, at: Time, out: &mut Out<'_, '_>, change: impl FnOnce(&mut Ticket)) {
        let before = self.counted();
        change(self);
        let after = self.counted();

        let (profile, opened) = (out.profile(), Slot::Integer(self.opened));
        for (level, was, is) in [(OPEN, before.open, after.open), (WAITING, before.waiting, after.waiting)] {
            match (was, is) {
                (false, true) => self.fact(at, profile, opened, |fact| out.enter(level, fact)),
                (true, false) => self.fact(at, profile, opened, |fact| out.leave(level, fact, self.since)),
                _ => {}
            }
        }
        // What waits comes in with what is open: an answer is never taken back.
        if !before.open && after.open {
            self.since = at;
        }
        if before.solved != after.solved {
            before.solved.into_iter().for_each(|solved| self.solved(solved, at, -1, out));
            after.solved.into_iter().for_each(|solved| self.solved(solved, at, 1, out));
        }
    }

    /// Moves the ticket from the levels of one group of accounts to those of another.
    pub(super) fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        for level in self.levels() {
            self.fact(at, from, Slot::Integer(self.opened), |fact| out.leave(level, fact, self.since));
        }
        self.enter(to, at, out);
        self.since = at;
    }

    fn enter(&self, profile: u32, at: Time, out: &mut Out<'_, '_>) {
        for level in self.levels() {
            self.fact(at, profile, Slot::Integer(self.opened), |fact| out.enter(level, fact));
        }
    }

    /// The levels that it is in.
    fn levels(&self) -> impl Iterator<Item = FactId> + use<> {
        let Counted { open, waiting, .. } = self.counted();
        [(OPEN, open), (WAITING, waiting)].into_iter().filter(|(_, counts)| *counts).map(|(level, _)| level)
    }

    /// Adds the solve `times` times; it happens where it is added at its own time.
    fn solved(&self, solved: Solved, now: Time, times: i128, out: &mut Out<'_, '_>) {
        let value = Slot::Flag(solved.first_contact);
        self.fact(solved.time, solved.profile, value, |fact| {
            if times > 0 && solved.time == now { out.happen(SOLVED, fact) } else { out.add(SOLVED, fact, times) }
        });
    }

    fn happen(&self, id: FactId, event: &Event<'_>, value: Slot<'_>, out: &mut Out<'_, '_>) {
        self.fact(event.time, out.profile(), value, |fact| out.happen(id, &Fact { event: Some(event), ..*fact }));
    }

    /// A fact of the ticket. It has no event where it may be taken back: only what the ticket keeps is there then, too.
    fn fact(&self, time: Time, profile: u32, value: Slot<'_>, give: impl FnOnce(&Fact<'_>)) {
        let opened_by = if self.by_agent { "agent" } else { "customer" };
        let [channel, topic, priority] = [&self.channel, &self.topic, &self.priority].map(|text| Slot::Text(text));
        let values = [channel, topic, priority, Slot::Text(opened_by), value];
        let opening = self.custom.fields();
        give(&Fact { values: &values, opening: &opening, ..Fact::new(time, profile, None) });
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        [&self.id, &self.topic, &self.channel, &self.priority].into_iter().for_each(|text| out.text(text));
        self.custom.encode(out);
        out.time(self.opened);
        out.time(self.last);
        out.time(self.since);
        out.integer(self.answers);
        [self.by_agent, self.open, self.merged].into_iter().for_each(|flag| out.flag(flag));
        out.list(self.solve.iter(), |out, solve| {
            out.time(solve.time);
            out.profile(solve.profile);
            out.integer(solve.answers);
            out.flag(solve.closed);
            out.flag(solve.returned);
        });
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Ticket> {
        let [id, topic, channel, priority] = [from.text()?, from.text()?, from.text()?, from.text()?].map(Box::from);
        let custom = Kept::decode(from)?;
        let (opened, last, since, answers) = (from.time()?, from.time()?, from.time()?, from.integer()?);
        let [by_agent, open, merged] = [from.flag()?, from.flag()?, from.flag()?];
        let solve = from.list(|from| {
            let (time, profile, answers) = (from.time()?, from.profile()?, from.integer()?);
            Some(Solve { time, profile, answers, closed: from.flag()?, returned: from.flag()? })
        })?;
        let solve = solve.first().copied();
        Some(Ticket {
            id,
            topic,
            channel,
            priority,
            by_agent,
            custom,
            opened,
            last,
            answers,
            open,
            since,
            merged,
            solve,
        })
    }
}
