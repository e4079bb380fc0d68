//! The events of one account, read back from the log: what an explanation is computed from.
//!
//! Invariant: gives what the stages of accounts applied: of two events of one id the first, none that was dated ahead, and of
//! an account that others were merged into the events of all of them. It reads the partition of the account from its begin;
//! of an account that takes part in a merge every other partition too, since the others live anywhere, and then once more
//! those in which they do. It does not know states.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Log;
use processor_core::{
    calendar::Time,
    event::{Event, EventId},
    map::Set,
    plan::Plan,
    vocabulary::identity_linked,
};
use proto::bytes::Bytes;

use crate::{
    account::merged::graph::{Graph, Key, Link},
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
}

/// A merge that held at the earlier instant and does not hold at the later one: no event takes the one to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The account that counted as the other one.
    pub account: String,
}

impl Found {
    /// Reads the partition of an account, which is `partition` of `partitions`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(
        log: &dyn Log,
        (partition, partitions): (u32, u32),
        tenant: &str,
        account: &str,
    ) -> eventlog::Result<Found> {
        let asked: Key = format!("{tenant}{SEPARATOR}a{SEPARATOR}{account}").into();
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
            self.journals.values().flat_map(|records| applied(records, plan)).map(|event| event.recorded_at).max();
        last.map(|last| self.clock.max(Some(last)).map_or(Time::MAX, |at| at.saturating_add(1)))
    }

    /// The account at an instant, with what is needed to explain a change since an earlier one.
    ///
    /// # Errors
    /// When a merge that held at the earlier instant was undone since.
    pub fn journal(&self, plan: &Plan, since: Option<Time>, at: Time) -> Result<Journal<'_>, Undone> {
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
            events.extend(applied(records, plan).map(|event| (event.recorded_at, joined, event)));
        }
        events.sort_by_key(|(recorded_at, ..)| *recorded_at);
        let mut known: Set<EventId<'_>> = Set::default();
        events.retain(|(.., event)| known.insert(event.id));
        let bounded =
            |(recorded_at, joined, event): (Time, Time, _)| Event { recorded_at: recorded_at.max(joined), ..event };

        let others = self.journals.keys().filter(|key| is_now(key) && **key != account);
        Ok(Journal {
            account: name(&account).to_owned(),
            merged: others.map(|key| name(key)).collect(),
            events: events.into_iter().map(bounded).collect(),
        })
    }

    /// Which account each account is, by the links that were recorded before an instant.
    fn graph(&self, plan: &Plan, at: Time) -> Graph {
        let mut graph = Graph::default();
        for (key, records) in &self.journals {
            let mut known: Set<EventId<'_>> = Set::default();
            let events = applied(records, plan).filter(|event| event.recorded_at < at && known.insert(event.id));
            let links = Link::of_journal(key, events.collect());
            graph.set(key, links);
        }
        graph
    }
}

/// The name of an account, from its key.
fn name(key: &str) -> &str {
    key.splitn(3, SEPARATOR).last().unwrap_or(key)
}

/// Events that were not dated ahead.
fn applied<'a>(records: &'a [Bytes], plan: &Plan) -> impl Iterator<Item = Event<'a>> {
    let max_ahead = plan.settings.max_ahead;
    let events = records.iter().filter_map(|record| wire::event(record));
    events.filter(move |event| event.time.saturating_sub(event.recorded_at) <= max_ahead)
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
            let mut clock = None;
            for stored in eventlog::past(log, topics::EVENTS, partition, 0)? {
                let Some(value) = stored?.record.value else { continue };
                match wire::entry(&value) {
                    Ok(Entry::Tick(at)) => clock = clock.max(Some(at)),
                    Ok(Entry::Claim(subject)) => drop(scan.homes.insert(key(subject), partition)),
                    Ok(Entry::Event(subject, event)) => {
                        let key = key(subject);
                        if event.kind == identity_linked::TYPE {
                            scan.homes.insert(key.clone(), partition);
                            scan.links.push(Joined::of(subject, &event));
                        }
                        if wanted(&key) {
                            scan.journals.entry(key).or_default().push(value.clone());
                        }
                    }
                    _ => {}
                }
            }
            scan.clock = [scan.clock, clock].into_iter().flatten().min();
        }
        Ok(scan)
    }
}

fn key(subject: Subject<'_>) -> Key {
    let mut key = String::new();
    subject.write_key(&mut key);
    key.into()
}
