//! Tickets: `response_time`, `response_time_waiting`, `first_contact_resolution`; which are open, for the health score.

use crate::Micros;
use crate::history::Account;
use crate::level::{self, Span};
use crate::mark::Mark;
use crate::money::trait_groups;
use crate::read::{Event, Key};
use crate::row::{By, Group};
use std::collections::{BTreeMap, HashMap};

const DAY: Micros = 86_400_000_000;

/// One ticket of an account.
#[derive(Debug)]
pub struct Ticket<'a> {
    /// Its opening.
    pub key: Key<'a>,
    /// The dimension `channel`.
    pub channel: &'a str,
    /// The dimension `topic`.
    pub topic: &'a str,
    /// Opened by an agent, not by the customer.
    pub by_agent: bool,
    /// Public messages of agents, in the order of facts.
    pub answers: Vec<Key<'a>>,
    /// Messages of the customer.
    pub customer: Vec<Micros>,
    /// Each status from its place on, after the opening, which makes it open.
    pub statuses: Vec<(Key<'a>, &'a str)>,
}

/// The tickets of an account in the order of their openings. What is dated before the opening is not counted.
pub fn tickets<'a>(account: &Account<'a>) -> Vec<Ticket<'a>> {
    let mut tickets: Vec<Ticket<'a>> = Vec::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for event in account.of_kind("ticket.opened") {
        let text = |name| event.text(name).unwrap_or_default();
        if by_id.contains_key(text("ticket")) {
            continue;
        }
        by_id.insert(text("ticket"), tickets.len());
        tickets.push(Ticket {
            key: event.key(),
            channel: text("channel"),
            topic: text("topic"),
            by_agent: text("opened_by") == "agent",
            answers: Vec::new(),
            customer: Vec::new(),
            statuses: Vec::new(),
        });
    }
    for event in &account.events {
        let Some(ticket) = event.text("ticket").and_then(|id| by_id.get(id)).map(|at| &mut tickets[*at]) else {
            continue;
        };
        if event.time >= ticket.key.0 {
            follow(ticket, event);
        }
    }
    tickets
}

fn follow<'a>(ticket: &mut Ticket<'a>, event: &'a Event) {
    match (event.kind.as_str(), event.text("author")) {
        ("ticket.message", Some("customer")) => ticket.customer.push(event.time),
        ("ticket.message", Some("agent")) if event.flag("public").unwrap_or(true) => ticket.answers.push(event.key()),
        ("ticket.status_changed", _) => ticket.statuses.push((event.key(), event.text("to").unwrap_or_default())),
        _ => {}
    }
}

impl<'a> Ticket<'a> {
    /// The message that answers it: of one that an agent opened the second.
    pub fn answer(&self) -> Option<Key<'a>> {
        self.answers.get(usize::from(self.by_agent)).copied()
    }

    /// The times in which it is open or pending: (from, to], `None` for what lasts.
    pub fn open_times(&self) -> Vec<(Key<'a>, Option<Key<'a>>)> {
        // What has one time counts together: the last of it, at the place of the first.
        let mut states = BTreeMap::from([(self.key.0, (self.key, true))]);
        for (key, status) in &self.statuses {
            states.entry(key.0).or_insert((*key, false)).1 = matches!(*status, "open" | "pending" | "reopened");
        }
        let mut times: Vec<(Key<'a>, Option<Key<'a>>)> = Vec::new();
        let mut open = false;
        for (key, now) in states.into_values() {
            match (open, now) {
                (false, true) => times.push((key, None)),
                (true, false) => times.last_mut().into_iter().for_each(|time| time.1 = Some(key)),
                _ => {}
            }
            open = now;
        }
        times
    }

    /// The solve that counts: the first, or a closing of a ticket that never has one. None of a merged ticket.
    fn solve(&self) -> Option<Key<'a>> {
        let first = |wanted| self.statuses.iter().find(|(_, status)| *status == wanted).map(|(key, _)| *key);
        if first("merged").is_some() {
            return None;
        }
        first("solved").or_else(|| first("closed"))
    }

    fn dimensions(&self) -> [Group<'a>; 2] {
        [(By::Channel, self.channel), (By::Topic, self.topic)]
    }
}

/// Openings and messages by the customer.
pub fn by_the_customer(account: &Account<'_>) -> Vec<Micros> {
    let opened = |ticket: &Ticket<'_>| (!ticket.by_agent).then_some(ticket.key.0);
    tickets(account).iter().flat_map(|ticket| opened(ticket).into_iter().chain(ticket.customer.clone())).collect()
}

/// The marks of an account.
pub fn marks<'a>(account: &'a Account<'a>, marks: &mut Vec<Mark<'a>>) {
    let tickets = tickets(account);
    for ticket in &tickets {
        let groups = |key| trait_groups(account.traits_before(key)).into_iter().chain(ticket.dimensions()).collect();
        if let Some(answer) = ticket.answer() {
            let (time, num) = (answer.0, i128::from(answer.0 - ticket.key.0));
            marks.push(Mark {
                metric: "response_time",
                time,
                at: time,
                groups: groups(answer),
                currency: "",
                num,
                den: 1,
            });
        }
        let Some(solve) = ticket.solve() else { continue };
        let metric = "first_contact_resolution";
        let contacts = ticket.answers.iter().filter(|key| key.0 <= solve.0).count();
        let num = i128::from(contacts <= 1);
        let mark = Mark { metric, time: solve.0, at: solve.0, groups: groups(solve), currency: "", num, den: 1 };
        if let Some(at) = spoilt(ticket, solve, &tickets).filter(|_| num == 1) {
            marks.push(Mark { at, num: -1, den: 0, ..mark.clone() });
        }
        marks.push(mark);
    }
}

/// When it was reopened, or a new ticket of the same topic came, within (solve, solve + 7 d].
fn spoilt(ticket: &Ticket<'_>, solve: Key<'_>, tickets: &[Ticket<'_>]) -> Option<Micros> {
    let reopened = ticket.statuses.iter().filter(|(_, status)| *status == "reopened").map(|(key, _)| key.0);
    let again = tickets.iter().filter(|other| other.topic == ticket.topic).map(|other| other.key.0);
    reopened.chain(again).filter(|at| solve.0 < *at && *at <= solve.0 + 7 * DAY).min()
}

/// Tickets that are open or pending and not answered.
pub fn spans<'a>(account: &'a Account<'a>, spans: &mut Vec<Span<'a>>) {
    for ticket in tickets(account) {
        let answered = ticket.answer().map(|key| key.0);
        for (from, to) in ticket.open_times() {
            let (from, to) = (from.0, [to.map(|key| key.0), answered].into_iter().flatten().min());
            if to.is_some_and(|to| to <= from) {
                continue;
            }
            for (from, to, groups) in level::pieces(account, from, to) {
                let groups = groups.into_iter().chain(ticket.dimensions()).collect();
                let (metric, since) = ("response_time_waiting", ticket.key.0);
                spans.push(Span { metric, from, to, groups, currency: "", amount: 1, since });
            }
        }
    }
}
