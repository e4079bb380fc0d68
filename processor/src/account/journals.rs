//! Journals: the events of each account, on disk in chunks, since the last flush in memory.
//!
//! ```text
//!     account 0xFF offset of its first event  ->  (length, record) ...     one chunk an account a flush
//! ```
//!
//! Invariants: events are kept as they came; 0xFF is in no key, which is UTF-8, so that the chunks
//! of an account are neighbours, oldest first; chunks are written with the state that knows them.

use processor_core::{
    codec::{Reader, put},
    event::{Event, EventId},
    hot::Slot,
};
use proto::{Message as _, v1};
use task::{Batch, Result, State};

use crate::wire;

/// Chunks of journals.
pub(super) const JOURNAL: &str = "journal";
/// Fingerprints of ids that are kept apart from the hot state, in chunks with the same keys.
pub(super) const IDS: &str = "ids";

/// No event before this one.
const NONE: u32 = u32::MAX;

/// Events since the last flush.
#[derive(Debug, Default)]
pub(super) struct Journals {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The latest entry of each slot.
    latest: Vec<u32>,
    accounts: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    length: usize,
    offset: u64,
    /// The entry of the same account before it.
    before: u32,
}

impl Journals {
    /// Bytes of events, and number of accounts with any.
    pub(super) fn dirty(&self) -> (usize, usize) {
        (self.bytes.len(), self.accounts)
    }

    /// Keeps an event, as it came.
    pub(super) fn keep(&mut self, slot: Slot, offset: u64, value: &[u8]) {
        let slot = slot as usize;
        if slot >= self.latest.len() {
            self.latest.resize(slot + 1, NONE);
        }
        let start = self.bytes.len();
        put(&mut self.bytes, value.len() as u128);
        self.bytes.extend_from_slice(value);
        let before = std::mem::replace(&mut self.latest[slot], u32::try_from(self.entries.len()).unwrap_or(NONE));
        self.accounts += usize::from(before == NONE);
        self.entries.push(Entry { start, length: self.bytes.len() - start, offset, before });
    }

    /// The entries of an account, latest first.
    fn entries(&self, slot: Slot) -> impl Iterator<Item = Entry> {
        let entry = |at: u32| self.entries.get(at as usize).copied();
        let latest = self.latest.get(slot as usize).copied().unwrap_or(NONE);
        std::iter::successors(entry(latest), move |later| entry(later.before))
    }

    /// All records of an account's journal, one after the other.
    pub(super) fn read(&self, slot: Slot, key: &str, state: &State) -> Result<Vec<u8>> {
        let mut bytes = chunks(JOURNAL, key, state)?;
        let new: Vec<Entry> = self.entries(slot).collect();
        new.iter().rev().for_each(|entry| bytes.extend_from_slice(&self.bytes[entry.start..][..entry.length]));
        Ok(bytes)
    }

    /// Writes the chunk of an account, and the fingerprints that are new.
    pub(super) fn flush(&self, slot: Slot, key: &[u8], ids: &[u64], batch: &mut Batch<'_>) -> Result<()> {
        let mut entries = self.entries(slot);
        let Some(last) = entries.next() else { return Ok(()) };
        let older: Vec<Entry> = entries.collect();
        let first = older.last().copied().unwrap_or(last);
        let key = chunk_key(key, &first.offset.to_be_bytes());
        match older.as_slice() {
            [] => batch.put(JOURNAL, &key, &self.bytes[last.start..][..last.length])?,
            older => {
                let entries = older.iter().rev().chain([&last]);
                let chunk: Vec<&[u8]> = entries.map(|entry| &self.bytes[entry.start..][..entry.length]).collect();
                batch.put(JOURNAL, &key, &chunk.concat())?;
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        batch.put(IDS, &key, &ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Forgets what is flushed; slots may mean others from now on.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.latest.clear();
        self.accounts = 0;
    }
}

/// The records of a journal; a `None` is the last one, where it is damaged.
fn walk(journal: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut from = Reader(journal);
    std::iter::from_fn(move || {
        if from.0.is_empty() {
            return None;
        }
        let parts = from.get_count().and_then(|length| from.0.split_at_checked(length));
        from.0 = parts.map_or(&[], |(_, rest)| rest);
        Some(parts.map(|(record, _)| record))
    })
}

/// The records of a journal, up to where it is damaged.
pub(super) fn records(journal: &[u8]) -> impl Iterator<Item = &[u8]> {
    walk(journal).flatten()
}

/// The events of a journal; `None` if it is damaged.
pub(super) fn events(journal: &[u8]) -> Option<Vec<Event<'_>>> {
    walk(journal).map(|record| wire::event(record?)).collect()
}

/// Whether a journal has the event `id` with the content of `record`, when it was recorded apart. An event without a time
/// of its own has that of its arrival, which is no content.
pub(super) fn has_same(journal: &[u8], id: EventId<'_>, record: &[u8]) -> bool {
    let is_it = |known: &&[u8]| matches!(wire::entry(known), Ok(wire::Entry::Event(_, event)) if event.id == id);
    records(journal).find(is_it).is_some_and(|known| same(known, record))
}

/// Whether two records of one event have the same content.
pub(crate) fn same(known: &[u8], new: &[u8]) -> bool {
    let Some((known, new)) = content(known).zip(content(new)) else { return false };
    let arrival = known.time_is_arrival || new.time_is_arrival;
    let plain = |event: &v1::Event| v1::Event {
        time_us: if arrival { 0 } else { event.time_us },
        time_is_arrival: false,
        ..event.clone()
    };
    plain(&known) == plain(&new)
}

/// An event without the time at which it was recorded. Kept as JSON or as a message of its type it is the same.
fn content(record: &[u8]) -> Option<v1::Event> {
    match v1::Entry::decode(record).ok()?.entry? {
        v1::entry::Entry::Event(event) => Some(wire::renewed(v1::Event { recorded_at_us: 0, ..event })),
        v1::entry::Entry::Tick(_) | v1::entry::Entry::Claim(_) => None,
    }
}

/// The fingerprints kept apart of an account.
pub(super) fn ids(key: &str, state: &State) -> Result<Vec<u64>> {
    let bytes = chunks(IDS, key, state)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|id| u64::from_le_bytes(*id)).collect())
}

/// The chunks of an account in a table, one after the other.
pub(super) fn chunks(table: &'static str, key: &str, state: &State) -> Result<Vec<u8>> {
    let prefix = chunk_key(key.as_bytes(), &[]);
    let mut bytes = Vec::new();
    state.scan(table, &prefix, |key, chunk| {
        let same = key.starts_with(&prefix);
        if same {
            bytes.extend_from_slice(chunk);
        }
        same
    })?;
    Ok(bytes)
}

pub(super) fn chunk_key(key: &[u8], first: &[u8]) -> Vec<u8> {
    [key, &[0xff], first].concat()
}
