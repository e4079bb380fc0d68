//! How each event of a log ended, found by reading the log: exact, the same as the stages count, and without their states.
//!
//! ```text
//!     records -> Reader (clock of the partition) -> Logged -> grouped by account -> ended
//! ```
//! Invariants: each event has one outcome, so the outcomes add up to the events; of two events of one (account, source, id)
//! the first in the log holds. Accounts that were merged are one group, in which an event finds what it names, while ids
//! are each account's own. It does not sort: the caller brings the records of a group together.

use std::collections::{HashMap, HashSet};

use eventlog::Stored;
use processor_core::{
    calendar::Time,
    engine::LATE,
    event::{Event, EventId},
    lifecycle::journal::{self, Need},
    plan::Plan,
    vocabulary::identity_linked,
};
use proto::bytes::Bytes;

use crate::{
    account::{
        merged::graph::{Graph, Link},
        same,
    },
    wire::{self, Entry},
};

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Partition of the events topic.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// Dated over a minute before the clock of its partition.
    pub late: bool,
    /// The record's value.
    pub value: Bytes,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// An event.
    Event {
        /// Key of its account.
        key: String,
        /// The event.
        logged: Logged,
        /// It says that accounts are one.
        links: bool,
    },
    /// A record that cannot be read: quarantined.
    Unreadable,
    /// No event.
    Other,
}

/// Reads the records of one partition in order.
#[derive(Debug)]
pub struct Reader {
    partition: u32,
    clock: Time,
}

impl Reader {
    /// From the begin of a partition.
    pub fn new(partition: u32) -> Self {
        Self { partition, clock: Time::MIN }
    }

    /// The next record.
    pub fn read(&mut self, stored: &Stored) -> Read {
        let value = stored.record.value.clone().unwrap_or_default();
        let entry = wire::entry(&value);
        match entry {
            Ok(Entry::Event(subject, event)) => {
                let mut key = String::new();
                subject.write_key(&mut key);
                let late = event.time < self.clock.saturating_sub(LATE);
                let links = event.kind == identity_linked::TYPE;
                let logged = Logged { partition: self.partition, offset: stored.offset, late, value: value.clone() };
                Read::Event { key, logged, links }
            }
            Ok(Entry::Tick(at)) => {
                self.clock = self.clock.max(at);
                Read::Other
            }
            Ok(Entry::Claim(_)) => Read::Other,
            Ok(Entry::Unknown) | Err(_) => Read::Unreadable,
        }
    }
}

/// Which accounts count as another one.
#[derive(Debug, Default)]
pub struct Merges(Graph);

impl Merges {
    /// Adds what the events of one account say about merges; `records` are in the order of the log.
    pub fn add(&mut self, key: &str, records: &[Logged], plan: &Plan) {
        let events: Vec<Event<'_>> = records.iter().filter_map(|logged| wire::event(&logged.value)).collect();
        let firsts = firsts(&events, |_| 0, plan);
        let holding = events.into_iter().zip(firsts).filter(|(_, first)| *first == First::Holds);
        let links = Link::of_journal(key, holding.map(|(event, _)| event).collect());
        self.0.set(key, links);
    }

    /// The key of the account that this one counts as.
    pub fn root<'a>(&'a self, key: &'a str) -> &'a str {
        self.0.root(key)
    }
}

/// How an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Counted, on time.
    OnTime,
    /// Counted, late.
    Late,
    /// Known already, with the same content.
    Duplicate,
    /// Known already with other content, which holds: that of the event at this place of the group.
    Conflict(usize),
    /// Dated too far ahead.
    Quarantined,
    /// Waiting for this.
    Waiting(Missing),
    /// Of a type that no metric reads.
    NotMeasured,
}

/// What an event waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The order of this id.
    Order(String),
    /// The invoice of this id.
    Invoice(String),
    /// The event of this source and id.
    Event(String, String),
}

/// How the events of a group ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Of each event, in the order of the records.
    pub outcomes: Vec<Outcome>,
    /// Openings of an order that another event opens with other content: places of this one and of the one that counts.
    pub opened_again: Vec<(usize, usize)>,
}

/// Whether an event holds its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Holds,
    Ahead,
    /// The event at this place holds it.
    After(usize),
}

/// How the events of accounts that count as one ended; `records` are in the order of the log, with the number of their own
/// account.
pub fn ended(records: &[(usize, Logged)], plan: &Plan) -> Ended {
    let events: Vec<Event<'_>> = records.iter().filter_map(|(_, logged)| wire::event(&logged.value)).collect();
    assert_eq!(events.len(), records.len(), "records that are no events were left out by the reader");
    let firsts = firsts(&events, |at| records[at].0, plan);
    let known =
        Known::of(events.iter().zip(&firsts).filter(|(_, first)| **first == First::Holds).map(|(event, _)| event));
    let outcome = |(at, first): (usize, &First)| {
        let (_, logged) = &records[at];
        match first {
            First::Ahead => Outcome::Quarantined,
            First::After(holder) if same(&records[*holder].1.value, &logged.value) => Outcome::Duplicate,
            First::After(holder) => Outcome::Conflict(*holder),
            First::Holds if !plan.measures(events[at].kind) => Outcome::NotMeasured,
            First::Holds => match known.missing(&events[at]) {
                Some(missing) => Outcome::Waiting(missing),
                None if logged.late => Outcome::Late,
                None => Outcome::OnTime,
            },
        }
    };
    let outcomes = firsts.iter().enumerate().map(outcome).collect();
    Ended { outcomes, opened_again: opened_again(&events, &firsts) }
}

/// Which events hold their ids: of one (account, source, id) the first that is not dated ahead.
fn firsts(events: &[Event<'_>], account: impl Fn(usize) -> usize, plan: &Plan) -> Vec<First> {
    let mut known: HashMap<(usize, EventId<'_>), usize> = HashMap::new();
    let first = |(at, event): (usize, &Event<'_>)| {
        if event.time.saturating_sub(event.recorded_at) > plan.settings.max_ahead {
            return First::Ahead;
        }
        let holder = *known.entry((account(at), events[at].id)).or_insert(at);
        if holder == at { First::Holds } else { First::After(holder) }
    };
    events.iter().enumerate().map(first).collect()
}

/// Which of these records, which hold the ids of one account, are neither withdrawn nor replaced.
pub fn standing(records: &[Bytes]) -> Vec<bool> {
    let events: Vec<Event<'_>> = records.iter().filter_map(|value| wire::event(value)).collect();
    assert_eq!(events.len(), records.len(), "each record is an event");
    let mut places: Vec<usize> = (0..events.len()).collect();
    places.sort_by(|one, other| events[*one].order().cmp(&events[*other].order()));
    let sorted: Vec<Event<'_>> = places.iter().map(|at| events[*at].clone()).collect();
    let mut standing = vec![false; events.len()];
    places.into_iter().zip(journal::standing(&sorted)).for_each(|(at, stands)| standing[at] = stands);
    standing
}

fn opened_again(events: &[Event<'_>], firsts: &[First]) -> Vec<(usize, usize)> {
    let mut places: Vec<usize> = (0..events.len()).filter(|at| firsts[*at] == First::Holds).collect();
    places.sort_by(|one, other| events[*one].order().cmp(&events[*other].order()));
    let sorted: Vec<Event<'_>> = places.iter().map(|at| events[*at].clone()).collect();
    let again = journal::opened_again(&sorted);
    again.into_iter().map(|(again, holder)| (places[again], places[holder])).collect()
}

/// What events of a group may name.
#[derive(Default)]
struct Known<'a> {
    orders: HashSet<&'a str>,
    invoices: HashSet<&'a str>,
    events: HashSet<EventId<'a>>,
}

impl<'a> Known<'a> {
    fn of(events: impl Iterator<Item = &'a Event<'a>>) -> Self {
        let mut known = Self::default();
        for event in events {
            known.events.insert(event.id);
            known.orders.extend(journal::opens(event));
            known.invoices.extend(journal::bills(event));
        }
        known
    }

    fn missing(&self, event: &Event<'_>) -> Option<Missing> {
        match event.need()? {
            Need::Order(id) => (!self.orders.contains(id)).then(|| Missing::Order(id.to_owned())),
            Need::Invoice(id) => (!self.invoices.contains(id)).then(|| Missing::Invoice(id.to_owned())),
            Need::Event(id) => {
                (!self.events.contains(&id)).then(|| Missing::Event(id.source.to_owned(), id.id.to_owned()))
            }
        }
    }
}
