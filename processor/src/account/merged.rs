//! The stage of merged accounts: one task, which has every account that takes part in a merge.
//!
//! ```text
//!     events.v1, partition p -> account stage, p --- partials of p --------------> rollup
//!                                    | accounts that are linked                      ^
//!                                    '-> moved.v1 -> merged accounts --- partials ---'   as source `partitions`
//! ```
//!
//! An account that an `identity.linked` names, and its target, live in different partitions, and a chain of links in many. So
//! a partition that sees a link, or the claim that the door writes beside it for the accounts of other partitions, takes the
//! account out of its slices and hands it over with its journal; every later event of it follows. All of them meet here, in
//! one task, so that chains, circles, late and retracted links are decided in one place, and nothing ever goes back.
//!
//! Invariants: an instant is handled when every partition has closed it, and the rollup handles it when this stage has, too:
//! what leaves one slice and enters another does so in the same instant, and no window closes in between. Outputs and offsets
//! are one commit, as of every task, so each step of the way is exactly once. An account that is here always has its own
//! journal; merged ones are the journal of all of them, of two events of one id the one that came first. A journal stays
//! here after its link is retracted. It does not read `events.v1`.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::{Output, Stored};
use processor_core::{
    calendar::Time,
    codec::{Reader, put, put_signed, put_text},
    engine::{Found, Outcome},
    event::{Event, EventId},
    lifecycle::customer::Run,
    map::{Map, Set},
    plan::Plan,
    shown::{Which, Withdrawn},
    vocabulary::identity_linked,
};
use proto::{bytes::Bytes, v1};
use task::{Batch, Fold, Progress, Result, State};

use super::{
    Accounts, Config, HOT, IDS, JOURNAL, META, SLICES, Shared, Slot, TIMERS,
    journals::{self, chunk_key},
};
use crate::{
    pending::{self, Pending},
    wire,
};
use graph::{Graph, Key, Link};

pub(crate) mod graph;

/// Accounts that are here: their partition and the links of their own journal.
pub(super) const MEMBERS: &str = "members";
const META_KEY: &[u8] = b"merged";
/// Version of the tables of this stage alone; a state of another one is made again from the log.
const VERSION: u8 = 1;

/// A record of a journal here, by its number.
type Numbered = (u64, Bytes);

/// The fold of `moved.v1`.
pub struct Merged {
    accounts: Accounts,
    /// What was moved in instants that not all partitions have closed.
    pending: Pending<v1::MovedEntry>,
    /// Number of the next record of a journal.
    next: u64,
    /// Partition of each account that is here.
    homes: BTreeMap<Key, u32>,
    graph: Graph,
    /// The account that each account here is counted as, and the other way round.
    roots: BTreeMap<Key, Key>,
    groups: BTreeMap<Key, BTreeSet<Key>>,
    /// Since the last flush.
    new: BTreeMap<Key, Vec<Numbered>>,
    new_bytes: usize,
    changed: BTreeSet<Key>,
}

/// An account that is handed over.
struct HandedOver {
    key: Key,
    home: u32,
    records: Vec<Bytes>,
    withdrawn: Withdrawn,
}

impl Merged {
    /// The fold as its state left it; `partitions` is the number of those of `events.v1`.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    pub fn open(
        plan: std::sync::Arc<Plan>,
        partitions: u32,
        config: Config,
        state: &State,
        shared: std::sync::Arc<Shared>,
    ) -> Result<Merged> {
        let damaged = || state.damaged("the clocks of the partitions do not decode");
        let meta = state.get(META, META_KEY)?;
        let (pending, next) = match &meta {
            Some(bytes) => decode(bytes, partitions).ok_or_else(damaged)?,
            None => (Pending::new(vec![Time::MIN; partitions as usize], 0), 0),
        };
        let mut merged = Merged {
            accounts: Accounts::open(plan, partitions, config, state, shared)?,
            pending,
            next,
            homes: BTreeMap::new(),
            graph: Graph::default(),
            roots: BTreeMap::new(),
            groups: BTreeMap::new(),
            new: BTreeMap::new(),
            new_bytes: 0,
            changed: BTreeSet::new(),
        };
        merged.load(state)?;
        Ok(merged)
    }

    /// The account that this one counts as, where it takes part in a merge.
    pub(crate) fn root(&self, key: &str) -> Option<&str> {
        self.roots.get(key).map(|root| &**root)
    }

    /// See [`Accounts::customers`].
    pub(crate) fn customers(&mut self, state: &State, each: impl FnMut(&str, &[Run])) -> Result<()> {
        self.accounts.customers(state, each)
    }

    fn load(&mut self, state: &State) -> Result<()> {
        let mut intact = true;
        state.scan(MEMBERS, &[], |key, value| {
            let member = std::str::from_utf8(key).ok().zip(decode_member(value));
            intact = member
                .map(|(key, (home, links))| {
                    self.homes.insert(key.into(), home);
                    self.graph.set(key, links);
                })
                .is_some();
            intact
        })?;
        if !(intact && self.pending.load(state)?) {
            return Err(state.damaged("a merged account or waiting entry does not decode"));
        }
        for key in self.homes.keys() {
            let root = Key::from(self.graph.root(key));
            self.groups.entry(root.clone()).or_default().insert(key.clone());
            self.roots.insert(key.clone(), root);
        }
        Ok(())
    }

    /// Handles every instant that all partitions have closed.
    fn handle(&mut self, state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        while let Some((instant, entries)) = self.pending.next_ready() {
            self.instant(entries, state)?;

            let homes = &self.homes;
            let groups = &self.groups;
            let home = |key: &str| {
                let of_group = || groups.get(key).and_then(|members| homes.get(members.first()?)).copied();
                homes.get(key).copied().or_else(of_group).unwrap_or(0)
            };
            self.accounts.publish(instant, state, outputs, home)?;
        }
        Ok(())
    }

    /// Applies what all partitions moved in an instant.
    fn instant(&mut self, entries: impl Iterator<Item = v1::MovedEntry>, state: &State) -> Result<()> {
        let (handed_over, forwarded) = sorted(entries);
        let mut linked: BTreeSet<Key> = BTreeSet::new();
        let mut affected: BTreeSet<Key> = BTreeSet::new();
        for account in handed_over {
            linked.insert(account.key.clone());
            affected.insert(account.key.clone());
            self.take_over(account, state)?;
        }

        let boundary = self.next;
        let news = self.keep(forwarded, &mut linked, state)?;
        for key in linked {
            let links = self.links(&key, state)?;
            if links != self.graph.links(&key) {
                affected.append(&mut self.graph.set(&key, links));
                self.changed.insert(key);
            }
        }

        let regrouped = self.regroup(&affected, boundary, state)?;
        for (key, number, record) in &news {
            let root = self.roots[key].clone();
            let Some(event) = wire::event(record) else { continue };
            if regrouped.contains(&root) {
                self.count(&event);
            } else {
                self.apply(&root, *number, &event, state)?;
            }
        }
        Ok(())
    }

    /// Adds an account that its partition took out of its slices.
    fn take_over(&mut self, account: HandedOver, state: &State) -> Result<()> {
        let HandedOver { key, home, records, withdrawn } = account;
        let others = self.groups.get(&key).cloned().unwrap_or_default();
        let before = self.journal(&others, u64::MAX, state)?;
        records.into_iter().for_each(|record| self.store(&key, record));
        self.homes.insert(key.clone(), home);
        self.changed.insert(key.clone());
        self.roots.insert(key.clone(), key.clone());
        self.groups.entry(key.clone()).or_default().insert(key.clone());

        let own = self.journal(&BTreeSet::from([key.clone()]), u64::MAX, state)?;
        let slot = self.slot(&key, state)?;
        let damaged = || state.damaged(format!("account {key:?} does not decode"));
        let events = parse(&own).ok_or_else(damaged)?;
        let waiting = self.accounts.engine.waiting(&events).all();
        self.accounts.counters.waiting = self.accounts.counters.waiting.wrapping_add(waiting);
        if others.is_empty() {
            // Its partition has shown what it knew before this instant, and nothing of what came since.
            let clock = self.accounts.engine.clock();
            let shown: Vec<Event<'_>> = events.iter().filter(|event| event.recorded_at <= clock).cloned().collect();
            let more = shown.len() < events.len();
            self.accounts.engine.take_over(slot, shown.clone(), withdrawn);
            if more {
                self.accounts.engine.exchange(slot, shown, events);
            }
            return Ok(());
        }
        // Others were merged into it before it came itself.
        let all = self.journal(&self.groups[&key], u64::MAX, state)?;
        let (before, all) = (parse(&before).ok_or_else(damaged)?, parse(&all).ok_or_else(damaged)?);
        self.accounts.engine.exchange(slot, before, all);
        Ok(())
    }

    /// Keeps the events that are new in the journals of their own accounts. Returns them in the order of facts, because that in
    /// which accounts come depends on their partitions; and in `linked` the accounts whose links they may change.
    fn keep(
        &mut self,
        forwarded: Vec<(Key, Bytes)>,
        linked: &mut BTreeSet<Key>,
        state: &State,
    ) -> Result<Vec<(Key, u64, Bytes)>> {
        let mut known: Map<Key, Vec<Numbered>> = Map::default();
        let mut news = Vec::new();
        for (key, record) in forwarded {
            if !self.homes.contains_key(&key) {
                return Err(state.damaged(format!("events of {key:?} came before it was handed over")));
            }
            let own = match known.entry(key.clone()) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(self.journal(&BTreeSet::from([key.clone()]), u64::MAX, state)?)
                }
            };
            let Some(event) = wire::event(&record) else { continue };
            if let Some((_, first)) = own.iter().find(|(_, known)| id(known) == Some(event.id)) {
                let same = journals::same(first, &record);
                *(if same { &mut self.accounts.counters.duplicate } else { &mut self.accounts.counters.conflict }) += 1;
                continue;
            }
            if event.mends() || event.kind == identity_linked::TYPE {
                linked.insert(key.clone());
            }
            // Its number is not known yet, and nobody asks for it here.
            own.push((self.next, record.clone()));
            let (time, source, id) = event.order();
            news.push(((time, source.to_owned(), id.to_owned(), key), record));
        }

        news.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let numbered = news.into_iter().map(|((.., key), record)| {
            self.store(&key, record.clone());
            (key, self.next - 1, record)
        });
        Ok(numbered.collect())
    }

    fn store(&mut self, key: &Key, record: Bytes) {
        self.new_bytes += record.len() + key.len();
        self.new.entry(key.clone()).or_default().push((self.next, record));
        self.next += 1;
    }

    /// The links that hold in the journal of an account.
    fn links(&self, key: &Key, state: &State) -> Result<Vec<Link>> {
        let records = self.journal(&BTreeSet::from([key.clone()]), u64::MAX, state)?;
        let damaged = || state.damaged(format!("the journal of {key:?} does not decode"));
        Ok(Link::of_journal(key, parse(&records).ok_or_else(damaged)?))
    }

    /// Counts accounts as the ones that they are now; events from `boundary` on are new. Returns the accounts that it folded.
    fn regroup(&mut self, affected: &BTreeSet<Key>, boundary: u64, state: &State) -> Result<BTreeSet<Key>> {
        let mut before: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        for key in affected.iter().filter(|key| self.homes.contains_key(*key)) {
            let (old, new) = (self.roots[key].clone(), Key::from(self.graph.root(key)));
            if old == new {
                continue;
            }
            for root in [&old, &new] {
                let members = self.groups.get(root).cloned().unwrap_or_default();
                before.entry(root.clone()).or_insert(members);
            }
            self.groups.entry(old).or_default().remove(key);
            self.groups.entry(new.clone()).or_default().insert(key.clone());
            self.roots.insert(key.clone(), new);
        }
        for (root, members) in &before {
            let old = self.journal(members, boundary, state)?;
            let now = self.groups.get(root).cloned().unwrap_or_default();
            let new = self.journal(&now, u64::MAX, state)?;
            self.exchange(root, &old, &new, state)?;
            if now.is_empty() {
                self.groups.remove(root);
            }
        }
        Ok(before.into_keys().collect())
    }

    fn exchange(&mut self, root: &Key, old: &[Numbered], new: &[Numbered], state: &State) -> Result<()> {
        let damaged = || state.damaged(format!("the journals of {root:?} do not decode"));
        let slot = self.slot(root, state)?;
        let (old, new) = (parse(old).ok_or_else(damaged)?, parse(new).ok_or_else(damaged)?);
        let engine = &mut self.accounts.engine;
        let (waited, waits) = (engine.waiting(&old), engine.waiting(&new));
        engine.exchange(slot, old, new);
        // What waited in one journal may have been found in another, or the other way round.
        self.accounts.counters.found(waited);
        self.accounts.counters.lost(waits);
        Ok(())
    }

    /// Applies a new event to the account that its own one is.
    fn apply(&mut self, root: &Key, number: u64, event: &Event<'_>, state: &State) -> Result<()> {
        let slot = self.slot(root, state)?;
        let mut outcome = self.accounts.engine.apply(slot, event, None);
        if outcome == Outcome::NeedsJournal {
            let records = self.journal(&self.groups[root], number, state)?;
            let damaged = || state.damaged(format!("the journals of {root:?} do not decode"));
            outcome = self.accounts.engine.apply(slot, event, Some(parse(&records).ok_or_else(damaged)?));
        }
        self.accounts.outcome(outcome);
        Ok(())
    }

    /// Counts an event that was folded with others.
    fn count(&mut self, event: &Event<'_>) {
        let (measured, late) = self.accounts.engine.measured(event);
        self.accounts.outcome(Outcome::Applied { late, waits: false, measured, found: Found::default() });
    }

    fn slot(&mut self, key: &str, state: &State) -> Result<Slot> {
        match self.accounts.engine.hot().find(key) {
            Some(slot) => Ok(slot),
            None => Ok(self.accounts.load(&[key], state)?[0]),
        }
    }

    /// The records of these accounts before a number, as they came; of one id the first.
    fn journal(&self, keys: &BTreeSet<Key>, before: u64, state: &State) -> Result<Vec<Numbered>> {
        let mut records = Vec::new();
        for key in keys {
            let prefix = chunk_key(key.as_bytes(), &[]);
            state.scan(JOURNAL, &prefix, |at, record| {
                let number = at.strip_prefix(&prefix[..]).and_then(|at| Some(u64::from_be_bytes(at.try_into().ok()?)));
                records.extend(number.map(|number| (number, Bytes::copy_from_slice(record))));
                number.is_some()
            })?;
            records.extend(self.new.get(key).into_iter().flatten().cloned());
        }
        records.retain(|(number, _)| *number < before);
        records.sort_unstable_by_key(|(number, _)| *number);
        let mut ids: Set<(String, String)> = Set::default();
        records.retain(|(_, record)| id(record).is_none_or(|id| ids.insert((id.source.to_owned(), id.id.to_owned()))));
        Ok(records)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, self.pending.arrived().into());
        put(&mut out, self.next.into());
        self.pending.sources().iter().for_each(|clock| put_signed(&mut out, (*clock).into()));
        out
    }
}

/// What [`Merged::encode`] wrote: what waits, not yet loaded, and the number of the next record.
fn decode(bytes: &[u8], partitions: u32) -> Option<(Pending<v1::MovedEntry>, u64)> {
    let mut from = Reader(bytes.strip_prefix(&[VERSION])?);
    let arrived = u64::try_from(from.get()?).ok()?;
    let next = u64::try_from(from.get()?).ok()?;
    let sources = (0..partitions).map(|_| from.get_time()).collect::<Option<_>>()?;
    from.0.is_empty().then(|| (Pending::new(sources, arrived), next))
}

impl Fold for Merged {
    const TABLES: &'static [&'static str] =
        &[HOT, IDS, JOURNAL, MEMBERS, super::MOVED, pending::TABLE, SLICES, TIMERS, META];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let before = self.accounts.counters;
        let mut progress = Progress { applied: 0, closed: None };
        for stored in records {
            let generation = self.accounts.engine.plan().generation;
            let closes = self.pending.take(stored, generation, "merged", "a moved account")?;
            progress.applied += 1;
            if closes {
                self.handle(state, outputs)?;
                // Every mark is a place to commit: what waits is part of the state.
                progress.closed = Some(stored.offset + 1);
                if pause {
                    break;
                }
            }
        }
        self.accounts.shared.add(&self.accounts.counters, &before);
        Ok(progress)
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        let next = self.next.to_be_bytes();
        self.accounts.write(batch, |_, _, key, ids, batch| {
            if ids.is_empty() {
                return Ok(());
            }
            batch.put(IDS, &chunk_key(key, &next), &ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>())
        })?;
        for (key, records) in std::mem::take(&mut self.new) {
            for (number, record) in records {
                batch.put(JOURNAL, &chunk_key(key.as_bytes(), &number.to_be_bytes()), &record)?;
            }
        }
        self.new_bytes = 0;
        for key in std::mem::take(&mut self.changed) {
            if let Some(home) = self.homes.get(&key) {
                batch.put(MEMBERS, key.as_bytes(), &encode_member(*home, self.graph.links(&key)))?;
            }
        }
        self.pending.flush(batch)?;
        batch.put(META, META_KEY, &self.encode())
    }

    fn dirty(&self) -> usize {
        self.accounts.dirty() + self.new_bytes
    }
}

/// What is handed over, by account, and what follows, in the order of partitions and of their records.
fn sorted(entries: impl Iterator<Item = v1::MovedEntry>) -> (Vec<HandedOver>, Vec<(Key, Bytes)>) {
    let mut handed_over: Vec<HandedOver> = Vec::new();
    let mut forwarded = Vec::new();
    for entry in entries {
        for account in entry.accounts {
            let key = account.key.into_boxed_str();
            if !account.handed_over {
                forwarded.extend(account.records.into_iter().map(|record| (key.clone(), record)));
                continue;
            }
            match handed_over.last_mut().filter(|last| last.key == key) {
                Some(last) => last.records.extend(account.records),
                None => handed_over.push(HandedOver {
                    key,
                    home: entry.source,
                    withdrawn: days(Which::Silence, account.withdrawn)
                        .chain(days(Which::Score, account.withdrawn_scores))
                        .collect(),
                    records: account.records,
                }),
            }
        }
    }
    handed_over.sort_by(|one, other| one.key.cmp(&other.key));
    (handed_over, forwarded)
}

fn days(which: Which, days: Vec<i32>) -> impl Iterator<Item = (Which, i32)> {
    days.into_iter().map(move |day| (which, day))
}

/// The events of records; `None` if one is none.
fn parse(records: &[Numbered]) -> Option<Vec<Event<'_>>> {
    records.iter().map(|(_, record)| wire::event(record)).collect()
}

fn id(record: &[u8]) -> Option<EventId<'_>> {
    wire::event(record).map(|event| event.id)
}

fn encode_member(home: u32, links: &[Link]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, home.into());
    for Link { order: (time, source, id), from, to } in links {
        put_signed(&mut out, (*time).into());
        [source.as_str(), id, from, to].iter().for_each(|text| put_text(&mut out, text));
    }
    out
}

fn decode_member(bytes: &[u8]) -> Option<(u32, Vec<Link>)> {
    let mut from = Reader(bytes.strip_prefix(&[VERSION])?);
    let home = u32::try_from(from.get()?).ok()?;
    let mut links = Vec::new();
    while !from.0.is_empty() {
        let order = (from.get_time()?, from.get_text()?.to_owned(), from.get_text()?.to_owned());
        links.push(Link { order, from: from.get_text()?.into(), to: from.get_text()?.into() });
    }
    Some((home, links))
}
