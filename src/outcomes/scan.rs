//! Reads the events of a log by account, each with its outcome. Another process may write the log meanwhile.
//!
//! Bounded in memory: events are sorted by account on disk, and one account is in memory at a time. It reads the log once,
//! and three times where accounts are merged: which ones are, what they say, and everything by the account that it counts as.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use eventlog::Log;
use ingest::sort::{Item, Order, Sorter};
use processor::{
    outcomes::{Ended, Logged, Merges, Read, Reader, ended},
    topics,
};
use processor_core::plan::Plan;
use proto::{
    Message as _,
    v1::{Entry, Event, entry},
};

/// Memory of the sort, in bytes.
const MEMORY: usize = 64 << 20;
/// Bits of an offset in the number of an event; the partition is above them.
const OFFSET_BITS: u32 = 48;

/// The events of accounts that count as one.
pub(crate) struct Group {
    /// In the order of their own accounts, then of the log; with the number of the account.
    records: Vec<(usize, Logged)>,
    /// How they ended.
    pub(crate) ended: Ended,
}

impl Group {
    /// Where an event of the group lies.
    pub(crate) fn logged(&self, at: usize) -> &Logged {
        &self.records[at].1
    }

    /// An event of the group.
    pub(crate) fn event(&self, at: usize) -> anyhow::Result<Event> {
        let Logged { partition, offset, value, .. } = self.logged(at);
        let event = match Entry::decode(value.clone()).map(|entry| entry.entry) {
            Ok(Some(entry::Entry::Event(event))) => Some(event),
            _ => None,
        };
        event.with_context(|| format!("{} partition {partition} offset {offset}: no event", topics::EVENTS))
    }
}

/// A log, as it was when it was opened.
pub(crate) struct Scan<'a> {
    log: &'a dyn Log,
    plan: &'a Plan,
    folder: PathBuf,
    /// The offset after the last record of each partition.
    ends: Vec<u64>,
}

impl<'a> Scan<'a> {
    /// Notes where the log ends; what does not fit in memory goes to `path`, or where temporary files are if that is no folder.
    pub(crate) fn open(log: &'a dyn Log, plan: &'a Plan, path: &Path) -> anyhow::Result<Self> {
        let spec = log.topics()?.into_iter().find(|spec| spec.name == topics::EVENTS);
        let partitions = spec.map_or(0, |spec| spec.partitions);
        let end = |partition| Ok(log.watermarks(topics::EVENTS, partition)?.high);
        let ends = (0..partitions).map(end).collect::<eventlog::Result<_>>()?;
        let folder = if path.is_dir() { path.to_owned() } else { std::env::temp_dir() };
        Ok(Self { log, plan, folder, ends })
    }

    /// Hands out each group; returns the number of records that cannot be read.
    pub(crate) fn groups(&self, mut each: impl FnMut(&Group) -> anyhow::Result<()>) -> anyhow::Result<u64> {
        let mut linked = BTreeSet::new();
        let (mut sorter, unreadable) = self.sort(&Merges::default(), &mut linked)?;
        if !linked.is_empty() {
            sorter = self.sort(&self.merges(&linked)?, &mut BTreeSet::new())?.0;
        }
        let mut open: Vec<Item> = Vec::new();
        for item in sorter.finish()? {
            let item = item?;
            if open.first().is_some_and(|first| first.source != item.source) {
                each(&self.group(std::mem::take(&mut open)))?;
            }
            open.push(item);
        }
        if !open.is_empty() {
            each(&self.group(open))?;
        }
        Ok(unreadable)
    }

    /// Reads every record up to the end.
    fn read(&self, mut each: impl FnMut(Read) -> anyhow::Result<()>) -> anyhow::Result<()> {
        for (partition, end) in (0..).zip(&self.ends) {
            let mut reader = Reader::new(partition);
            for stored in eventlog::past(self.log, topics::EVENTS, partition, 0)? {
                let stored = stored?;
                if stored.offset >= *end {
                    break;
                }
                each(reader.read(&stored))?;
            }
        }
        Ok(())
    }

    /// All events by the account that they count for; adds the accounts whose events say something about merges to `linked`.
    fn sort(&self, merges: &Merges, linked: &mut BTreeSet<String>) -> anyhow::Result<(Sorter, u64)> {
        let mut sorter = Sorter::new(Order::Identity, &self.folder, MEMORY);
        let mut unreadable = 0;
        self.read(|read| {
            match read {
                Read::Event { key, logged, links } => {
                    if links {
                        linked.insert(key.clone());
                    }
                    sorter.push(item(merges.root(&key), &key, &logged))?;
                }
                Read::Unreadable => unreadable += 1,
                Read::Other => {}
            }
            Ok(())
        })?;
        Ok((sorter, unreadable))
    }

    /// What the events of these accounts say about merges.
    fn merges(&self, linked: &BTreeSet<String>) -> anyhow::Result<Merges> {
        let mut journals: BTreeMap<String, Vec<Logged>> = BTreeMap::new();
        self.read(|read| {
            if let Read::Event { key, logged, .. } = read
                && linked.contains(&key)
            {
                journals.entry(key).or_default().push(logged);
            }
            Ok(())
        })?;
        let mut merges = Merges::default();
        journals.iter().for_each(|(key, records)| merges.add(key, records, self.plan));
        Ok(merges)
    }

    fn group(&self, items: Vec<Item>) -> Group {
        let mut accounts = 0;
        let mut last: Option<Box<str>> = None;
        let mut records = Vec::with_capacity(items.len());
        for item in items {
            if last.as_ref() != Some(&item.id) {
                accounts += 1;
                last = Some(item.id.clone());
            }
            records.push((accounts, logged(item)));
        }
        let ended = ended(&records, self.plan);
        Group { records, ended }
    }
}

/// An event for the sort: by the account that it counts for, its own account, and the log.
fn item(root: &str, key: &str, logged: &Logged) -> Item {
    let mut payload = Vec::with_capacity(logged.value.len() + 1);
    payload.push(u8::from(logged.late));
    payload.extend_from_slice(&logged.value);
    let sequence = u64::from(logged.partition) << OFFSET_BITS | logged.offset;
    Item { time_us: 0, source: root.into(), id: key.into(), sequence, payload }
}

/// What [`item`] was made of.
fn logged(item: Item) -> Logged {
    let partition = u32::try_from(item.sequence >> OFFSET_BITS).unwrap_or(u32::MAX);
    let offset = item.sequence & ((1 << OFFSET_BITS) - 1);
    let late = item.payload.first() == Some(&1);
    let mut value = proto::bytes::Bytes::from(item.payload);
    let _ = value.split_to(1);
    Logged { partition, offset, late, value }
}
