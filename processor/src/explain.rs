//! The events of one account, read back from the log: what an explanation is computed from.
//!
//! Invariant: gives what the stages of accounts applied: of two events of one id the first, none that was dated ahead, and of
//! an account that others were merged into the events of all of them.
//!
//! Where the tasks of the account run in this process, their states have its journal, and only what came since they were
//! written is read from the log. Else the log has it: the partition of the account is read from its begin; of an account that
//! takes part in a merge every other partition too, since the others live anywhere, and then once more those in which they do.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Log;
use processor_core::{
    calendar::Time,
    event::{Event, EventId},
    map::Set,
    plan::Plan,
    vocabulary::identity_linked,
};
use proto::{Message as _, bytes::Bytes, v1};

use crate::{
    account::{
        Shared,
        kept::Position,
        merged::graph::{Graph, Key, Link},
    },
    topics,
    wire::{self, Entry, SEPARATOR, Subject},
};

/// What the log has of an account, and of those that it may be merged with.
#[derive(Debug)]
pub struct Found {
    asked: Key,
    /// Records in the order of arrival.
    journals: BTreeMap<Key, Vec<Bytes>>,
    clock: Option<Time>,
}

/// The account that an account is at an instant.
#[derive(Debug)]
pub struct Journal<'a> {
    /// Its name: another one than was asked for, where that was merged into it.
    pub account: String,
    /// The other accounts that count as it.
    pub merged: Vec<&'a str>,
    /// The events of all of them in the order of arrival; those of accounts that were merged into it after the earlier
    /// instant were recorded after it.
    pub events: Vec<Event<'a>>,
    /// The record of each event.
    pub records: Vec<&'a Bytes>,
}

/// A merge that held at the earlier instant and does not hold at the later one: no event takes the one to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The account that counted as the other one.
    pub account: String,
}

impl Found {
    /// Reads what there is of an account, which lives in `partition` of `partitions`: what the tasks of this process keep of
    /// it, and the rest from the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(
        log: &dyn Log,
        kept: Option<&Shared>,
        (partition, partitions): (u32, u32),
        tenant: &str,
        account: &str,
    ) -> eventlog::Result<Found> {
        if let Some(kept) = kept
            && let Some(found) = Self::kept(log, kept, (partition, partitions), tenant, account)?
        {
            return Ok(found);
        }
        Self::of_log(log, (partition, partitions), asked(tenant, account))
    }

    /// The same, if the tasks of the account are in this process: without a look through the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn kept(
        log: &dyn Log,
        kept: &Shared,
        (partition, partitions): (u32, u32),
        tenant: &str,
        account: &str,
    ) -> eventlog::Result<Option<Found>> {
        let asked = &asked(tenant, account);
        let Some(own) = kept.own(partition, asked) else { return Ok(None) };
        let mut scan = Scan::default();
        for record in own.records {
            scan.take(partition, record, |_| true);
        }
        scan.go_on(log, partition, own.position, |key| key == asked)?;
        if own.is_moved || scan.homes.contains_key(asked) {
            return Self::merged(log, kept, partitions, asked);
        }
        Ok(Some(Found { asked: asked.clone(), journals: scan.journals, clock: scan.clock }))
    }

    /// An account that takes part in a merge, by what the tasks keep; none where one of them is not here, or one of the
    /// accounts is not with the others yet.
    fn merged(log: &dyn Log, kept: &Shared, partitions: u32, asked: &Key) -> eventlog::Result<Option<Found>> {
        // Before the members: what a partition has handed over by then, they or the log have.
        let positions: Option<Vec<Position>> = (0..partitions).map(|partition| kept.position(partition)).collect();
        let (Some(positions), Some(mut members)) = (positions, kept.members(partitions)) else { return Ok(None) };
        for stored in eventlog::past(log, topics::MOVED, 0, members.next)? {
            let entry = stored?.record.value.and_then(|value| v1::MovedEntry::decode(value).ok());
            entry.into_iter().for_each(|entry| members.take(entry));
        }

        let mut scan = Scan::default();
        for (_, record) in members.records {
            scan.take(0, record, |_| true);
        }
        for (partition, position) in (0..).zip(positions) {
            scan.go_on(log, partition, position, |key| members.keys.contains(key))?;
        }
        if !members.keys.contains(asked) || scan.homes.keys().any(|key| !members.keys.contains(key)) {
            return Ok(None);
        }
        let group = group(asked, scan.links.iter());
        scan.journals.retain(|key, _| group.contains(key));
        Ok(Some(Found { asked: asked.clone(), journals: scan.journals, clock: scan.clock }))
    }

    fn of_log(log: &dyn Log, (partition, partitions): (u32, u32), asked: Key) -> eventlog::Result<Found> {
        let own = Scan::of(log, [partition], |key| *key == asked)?;
        if !own.homes.contains_key(&asked) {
            return Ok(Found { asked, journals: own.journals, clock: own.clock });
        }

        let others = Scan::of(log, (0..partitions).filter(|other| *other != partition), |_| false)?;
        let group = group(&asked, own.links.iter().chain(&others.links));
        let home = |key: &Key| own.homes.get(key).or_else(|| others.homes.get(key)).copied();
        let homes: BTreeSet<u32> = group.iter().filter_map(home).collect();
        let journals = Scan::of(log, homes, |key| group.contains(key))?.journals;
        Ok(Found { asked, journals, clock: [own.clock, others.clock].into_iter().flatten().min() })
    }

    /// The first instant that the log does not know yet; none of an account without events.
    pub fn end(&self, plan: &Plan) -> Option<Time> {
        let last =
            self.journals.values().flat_map(|records| applied(records, plan)).map(|(_, event)| event.recorded_at).max();
        last.map(|last| self.clock.max(Some(last)).map_or(Time::MAX, |at| at.saturating_add(1)))
    }

    /// The account at an instant, with what is needed to explain a change since an earlier one.
    ///
    /// # Errors
    /// When a merge that held at the earlier instant was undone since.
    pub fn journal<'a>(&'a self, plan: &Plan, since: Option<Time>, at: Time) -> Result<Journal<'a>, Undone> {
        let now = self.graph(plan, at);
        let account = Key::from(now.root(&self.asked));
        let is_now = |key: &str| *key == *account || *now.root(key) == *account;
        let then = since.map(|since| (since, self.graph(plan, since)));
        let was = |key: &str| then.as_ref().is_none_or(|(_, then)| *then.root(key) == *account);
        if let Some(gone) = self.journals.keys().find(|key| then.is_some() && was(key) && !is_now(key)) {
            return Err(Undone { account: name(gone).to_owned() });
        }
        if !was(&account) {
            return Err(Undone { account: name(&account).to_owned() });
        }

        let mut events = Vec::new();
        for (key, records) in self.journals.iter().filter(|(key, _)| is_now(key)) {
            let joined = then.as_ref().filter(|_| !was(key)).map_or(Time::MIN, |(since, _)| *since);
            events.extend(applied(records, plan).map(|(record, event)| (joined, record, event)));
        }
        events.sort_by_key(|(.., event)| event.recorded_at);
        let mut known: Set<EventId<'_>> = Set::default();
        events.retain(|(.., event)| known.insert(event.id));
        let records = events.iter().map(|(_, record, _)| *record).collect();
        let bounded =
            |(joined, _, event): (Time, _, Event<'a>)| Event { recorded_at: event.recorded_at.max(joined), ..event };

        let others = self.journals.keys().filter(|key| is_now(key) && **key != account);
        Ok(Journal {
            account: name(&account).to_owned(),
            merged: others.map(|key| name(key)).collect(),
            events: events.into_iter().map(bounded).collect(),
            records,
        })
    }

    /// Which account each account is, by the links that were recorded before an instant.
    fn graph(&self, plan: &Plan, at: Time) -> Graph {
        let mut graph = Graph::default();
        for (key, records) in &self.journals {
            let mut known: Set<EventId<'_>> = Set::default();
            let events = applied(records, plan).map(|(_, event)| event);
            let events = events.filter(|event| event.recorded_at < at && known.insert(event.id));
            let links = Link::of_journal(key, events.collect());
            graph.set(key, links);
        }
        graph
    }
}

fn asked(tenant: &str, account: &str) -> Key {
    format!("{tenant}{SEPARATOR}a{SEPARATOR}{account}").into()
}

/// The name of an account, from its key.
fn name(key: &str) -> &str {
    key.splitn(3, SEPARATOR).last().unwrap_or(key)
}

/// Events that were not dated ahead, with their records.
fn applied<'a>(records: &'a [Bytes], plan: &Plan) -> impl Iterator<Item = (&'a Bytes, Event<'a>)> + use<'a> {
    let max_ahead = plan.settings.max_ahead;
    let events = records.iter().filter_map(|record| Some((record, wire::event(record)?)));
    events.filter(move |(_, event)| event.time.saturating_sub(event.recorded_at) <= max_ahead)
}

/// The accounts that links join with this one, whichever of them hold.
fn group<'a>(of: &Key, links: impl Iterator<Item = &'a Joined>) -> BTreeSet<Key> {
    let mut joined: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for Joined([one, from, to]) in links {
        joined.entry(one).or_default().extend([from, to]);
        [from, to].into_iter().for_each(|other| joined.entry(other).or_default().push(one));
    }
    let mut found = BTreeSet::new();
    let mut open = vec![of];
    while let Some(key) = open.pop() {
        if found.insert(key.clone()) {
            open.extend(joined.get(key).into_iter().flatten());
        }
    }
    found
}

/// The account whose event links others, and those: all may have a say in which account each of them is.
struct Joined([Key; 3]);

impl Joined {
    fn of(subject: Subject<'_>, event: &Event<'_>) -> Joined {
        let named = |name| key(subject.named(name));
        Joined([
            key(subject),
            named(event.data.text(identity_linked::FROM)),
            named(event.data.text(identity_linked::TO)),
        ])
    }
}

/// What is in some partitions.
#[derive(Default)]
struct Scan {
    /// Records of the accounts that are wanted.
    journals: BTreeMap<Key, Vec<Bytes>>,
    /// All accounts that take part in a merge, with their partition.
    homes: BTreeMap<Key, u32>,
    /// What joins them.
    links: Vec<Joined>,
    /// The least of the last ticks.
    clock: Option<Time>,
}

impl Scan {
    fn of(
        log: &dyn Log,
        partitions: impl IntoIterator<Item = u32>,
        wanted: impl Fn(&Key) -> bool,
    ) -> eventlog::Result<Scan> {
        let mut scan = Scan::default();
        for partition in partitions {
            scan.go_on(log, partition, Position { next: 0, clock: None }, &wanted)?;
        }
        Ok(scan)
    }

    /// Reads a partition from a position on.
    fn go_on(
        &mut self,
        log: &dyn Log,
        partition: u32,
        Position { next, mut clock }: Position,
        wanted: impl Fn(&Key) -> bool,
    ) -> eventlog::Result<()> {
        for stored in eventlog::past(log, topics::EVENTS, partition, next)? {
            let Some(value) = stored?.record.value else { continue };
            clock = clock.max(self.take(partition, value, &wanted));
        }
        self.clock = [self.clock, clock].into_iter().flatten().min();
        Ok(())
    }

    /// Takes a record of a partition; the instant, if it is a tick.
    fn take(&mut self, partition: u32, value: Bytes, wanted: impl Fn(&Key) -> bool) -> Option<Time> {
        match wire::entry(&value) {
            Ok(Entry::Tick(at)) => return Some(at),
            Ok(Entry::Claim(subject)) => drop(self.homes.insert(key(subject), partition)),
            Ok(Entry::Event(subject, event)) => {
                let key = key(subject);
                if event.kind == identity_linked::TYPE {
                    self.homes.insert(key.clone(), partition);
                    self.links.push(Joined::of(subject, &event));
                }
                if wanted(&key) {
                    self.journals.entry(key).or_default().push(value.clone());
                }
            }
            _ => {}
        }
        None
    }
}

fn key(subject: Subject<'_>) -> Key {
    let mut key = String::new();
    subject.write_key(&mut key);
    key.into()
}
