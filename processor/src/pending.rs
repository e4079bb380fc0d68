//! Entries of several sources, which wait until every source has closed their instant.
//!
//! Invariants: instants are handed out in their order, each once and whole, with its entries by source and in the order
//! in which they came; what waits is on disk from the next flush on. It does not know what entries say.

use std::collections::BTreeMap;

use eventlog::Stored;
use processor_core::calendar::Time;
use proto::{Message, v1};
use task::{Batch, Result, State};

use crate::account::unreadable;

/// The table of what waits.
pub(crate) const TABLE: &str = "pending";

/// (instant, source, number).
type Key = (Time, u32, u64);

/// What an entry says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    source: u32,
    instant: Time,
    generation: u64,
    closes: bool,
}

/// A message that a source sends for an instant.
pub(crate) trait Entry: Message + Default {
    /// Where it is from, and whether it closes its instant.
    fn mark(&self) -> Mark;
}

impl Entry for v1::PartialEntry {
    fn mark(&self) -> Mark {
        Mark { source: self.source, instant: self.instant_us, generation: self.generation, closes: self.closes }
    }
}

impl Entry for v1::MovedEntry {
    fn mark(&self) -> Mark {
        Mark { source: self.source, instant: self.instant_us, generation: self.generation, closes: self.closes }
    }
}

/// What waits, and how far each source is.
pub(crate) struct Pending<E> {
    /// The last instant that each source has closed.
    sources: Vec<Time>,
    entries: BTreeMap<Key, E>,
    arrived: u64,
    /// Entries up to this number are on disk.
    stored: u64,
    /// Entries on disk that were handed out since.
    handled: Vec<Key>,
}

impl<E: Entry> Pending<E> {
    /// Without entries; `arrived` is how many came so far.
    pub(crate) fn new(sources: Vec<Time>, arrived: u64) -> Self {
        Self { sources, entries: BTreeMap::new(), arrived, stored: arrived, handled: Vec::new() }
    }

    /// Reads what waits; false if it does not decode.
    pub(crate) fn load(&mut self, state: &State) -> Result<bool> {
        let mut intact = true;
        state.scan(TABLE, &[], |key, value| {
            let entry = parse(key).zip(E::decode(value).ok());
            intact = entry.map(|(key, entry)| self.entries.insert(key, entry)).is_some();
            intact
        })?;
        Ok(intact)
    }

    /// The last instant that each source has closed.
    pub(crate) fn sources(&self) -> &[Time] {
        &self.sources
    }

    /// How many entries came so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Takes a record of `task`; whether it closes an instant of its source. `what` says of what it is, for an error.
    pub(crate) fn take(&mut self, stored: &Stored, generation: u64, task: &str, what: &str) -> Result<bool> {
        let Some(Ok(entry)) = stored.record.value.clone().map(E::decode) else {
            return Err(unreadable(task, stored.offset, format!("{what} does not decode")));
        };
        let Mark { source, instant, generation: of, closes } = entry.mark();
        // What another catalog says is not for this one: its own sources will say it again.
        if of != generation {
            return Ok(false);
        }
        let Some(closed) = self.sources.get_mut(source as usize) else {
            return Err(unreadable(task, stored.offset, format!("there is no source partition {source}")));
        };

        if closes {
            *closed = (*closed).max(instant);
        }
        self.entries.insert((instant, source, self.arrived), entry);
        self.arrived += 1;
        Ok(closes)
    }

    /// The next instant that all sources have closed.
    pub(crate) fn next_ready(&mut self) -> Option<(Time, impl Iterator<Item = E> + use<E>)> {
        let ready = self.sources.iter().copied().min().unwrap_or(Time::MIN);
        let instant = self.entries.keys().next().map(|key| key.0).filter(|instant| *instant <= ready)?;
        let later = self.entries.split_off(&(instant.saturating_add(1), 0, 0));
        let entries = std::mem::replace(&mut self.entries, later);
        self.handled.extend(entries.keys().filter(|key| key.2 < self.stored));
        Some((instant, entries.into_values()))
    }

    /// Writes what changed since the last flush.
    pub(crate) fn flush(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        for key in self.handled.drain(..) {
            batch.delete(TABLE, &bytes(&key))?;
        }
        for (key, entry) in self.entries.iter().filter(|(key, _)| key.2 >= self.stored) {
            batch.put(TABLE, &bytes(key), &entry.encode_to_vec())?;
        }
        self.stored = self.arrived;
        Ok(())
    }
}

fn bytes((instant, source, number): &Key) -> Vec<u8> {
    [&instant.to_be_bytes()[..], &source.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn parse(key: &[u8]) -> Option<Key> {
    let (instant, rest) = key.split_first_chunk::<8>()?;
    let (source, number) = rest.split_first_chunk::<4>()?;
    Some((Time::from_be_bytes(*instant), u32::from_be_bytes(*source), u64::from_be_bytes(number.try_into().ok()?)))
}
