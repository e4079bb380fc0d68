//! Contents that take the place of others in the log: rows of a file for those that their ids had, or for all that an
//! import brought what would hold without it.
//!
//! ```text
//!     rows, log -> by id: what the log knows, and of which account -> by account: journal, contents -> events to append
//! ```
//! What is decided is a function of the rows and of the log up to an end that is kept with the position, so that an import
//! that was killed goes on as it began. Bounded in memory: sorted on disk, an account at a time; the log is read twice.
//! Which events of an account stand is the engine's to say ([`Rules`]). Accounts that were merged are looked at apart.

mod lineage;
mod replace;
mod undo;

use std::{collections::HashSet, fmt, sync::Arc};

use eventlog::{Header, Log, Stored};
use proto::{
    Message,
    bytes::Bytes,
    v1::{Entry, Event, entry},
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Error, Result, door,
    sort::{Item, Merge, Order, Sorter},
};

use lineage::Journal;
pub(crate) use replace::replace;
pub(crate) use undo::undo;

/// Name of the header by which a record of the events topic says which import appended it.
pub const HEADER: &str = "vitals.import";

/// Hashes that a filter keeps; with more of them everything passes.
const FILTER_MAX: usize = 4_000_000;
/// Bits of an offset in the number of an event; the partition is above them.
const OFFSET_BITS: u32 = 48;
/// Marks the number of what is no event of the log: it comes after all that are.
const AFTER_LOG: u64 = 1 << 63;

/// Of records that hold the ids of one account, which are neither withdrawn nor replaced.
type Stands = dyn Fn(&[Bytes]) -> Vec<bool> + Send + Sync;

/// What the engine makes of the events of one account.
#[derive(Clone)]
pub struct Rules {
    /// Setting `max_ahead`: an event dated later than this after it was recorded holds no id.
    pub max_ahead_us: i64,
    stands: Arc<Stands>,
}

impl Rules {
    /// `stands` says of records that hold their ids which are neither withdrawn nor replaced.
    pub fn new(max_ahead_us: i64, stands: impl Fn(&[Bytes]) -> Vec<bool> + Send + Sync + 'static) -> Self {
        Self { max_ahead_us, stands: Arc::new(stands) }
    }

    /// The events that hold their ids, of records in the order of the log.
    fn journal(&self, records: Vec<(Bytes, Event)>) -> Journal {
        let mut known = HashSet::new();
        let (mut values, mut events) = (Vec::new(), Vec::new());
        for (value, event) in records {
            let ahead = event.time_us.saturating_sub(event.recorded_at_us) > self.max_ahead_us;
            if !ahead && known.insert((event.source.clone(), event.id.clone())) {
                values.push(value);
                events.push(event);
            }
        }
        let standing = (self.stands)(&values);
        Journal::new(events, standing)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("max_ahead_us", &self.max_ahead_us).finish_non_exhaustive()
    }
}

/// What came of contents that take the place of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amended {
    /// Events that the import which is taken back had appended.
    pub brought: u64,
    /// Contents sent as corrections of what the log held.
    pub replaced: u64,
    /// Contents sent under new ids, since theirs were retracted.
    pub again: u64,
    /// Contents that the log held already: nothing was sent.
    pub unchanged: u64,
    /// Rows whose id comes again later in the files: the last row holds.
    pub superseded: u64,
    /// Events that were retracted: corrections that no longer hold, and events without a content.
    pub retracted: u64,
}

/// Where a log is read, and where what is sorted goes.
pub(crate) struct Ground<'a> {
    pub(crate) log: &'a dyn Log,
    pub(crate) topic: &'a str,
    /// The offset after the last record of each partition that is looked at.
    pub(crate) ends: &'a [u64],
    pub(crate) folder: &'a std::path::Path,
    /// Memory of all sorts together.
    pub(crate) memory_max: usize,
    /// The order of what is appended.
    pub(crate) order: Order,
}

impl Ground<'_> {
    fn sorter(&self, order: Order) -> Sorter {
        Sorter::new(order, self.folder, self.memory_max / 4)
    }

    /// Reads every event up to the end, with its number.
    fn read(&self, mut each: impl FnMut(u64, &Stored, Event) -> Result<()>) -> Result<()> {
        for (partition, end) in (0..).zip(self.ends) {
            for stored in eventlog::past(self.log, self.topic, partition, 0)? {
                let stored = stored?;
                if stored.offset >= *end {
                    break;
                }
                if let Some(entry::Entry::Event(event)) = door::decode(self.topic, partition, &stored)?.entry {
                    each(u64::from(partition) << OFFSET_BITS | stored.offset, &stored, event)?;
                }
            }
        }
        Ok(())
    }
}

/// Hashes of what is looked for; lets through all of it, and little else.
#[derive(Default)]
struct Filter {
    hashes: HashSet<u64>,
    full: bool,
}

impl Filter {
    fn insert(&mut self, text: &str) {
        self.full |= self.hashes.len() >= FILTER_MAX;
        if !self.full {
            self.hashes.insert(xxh3_64(text.as_bytes()));
        }
    }

    fn has(&self, text: &str) -> bool {
        self.full || self.hashes.contains(&xxh3_64(text.as_bytes()))
    }
}

/// Whose journal an event belongs to.
fn subject(event: &Event) -> String {
    let tenant = if event.tenant.is_empty() { "default" } else { &event.tenant };
    format!("{tenant}\u{1f}{}\u{1f}{}", event.subject_kind, event.subject)
}

/// An event as an item of the sort of what is appended; `sequence` is unique.
fn item(event: &Event, sequence: u64) -> Item {
    Item {
        time_us: event.time_us,
        source: event.source.as_str().into(),
        id: event.id.as_str().into(),
        sequence,
        payload: event.encode_to_vec(),
    }
}

/// Follows each import that [`by_content`] names.
const SEPARATOR: u8 = 0x1e;

/// What the item of an event has as its source, if the event brings back a content that the imports `by` had brought.
fn by_content(event: &Event, by: &str) -> String {
    format!("{}{}{by}", event.source, char::from(SEPARATOR))
}

/// Headers that name the imports which first brought the content of an event: when one of them is taken back, so is what
/// brought its content back. `source` is that of the event's item.
pub(crate) fn brought_by(source: &str, event: &Event) -> impl Iterator<Item = Header> + use<> {
    let imports = source.strip_prefix(event.source.as_str()).unwrap_or_default().split(char::from(SEPARATOR));
    let imports: Vec<String> = imports.filter(|import| !import.is_empty()).map(str::to_owned).collect();
    imports.into_iter().map(|import| Header { name: HEADER.to_owned(), value: import.into() })
}

/// The imports that appended a record, or the content that it brings back.
fn imports(stored: &Stored) -> impl Iterator<Item = &[u8]> {
    stored.record.headers.iter().filter(|header| header.name == HEADER).map(|header| &*header.value)
}

fn decoded(payload: &[u8]) -> Result<Event> {
    Event::decode(payload).map_err(|_| Error::Run("event"))
}

/// The event of a record's value.
fn of_record(value: Bytes) -> Result<(Bytes, Event)> {
    match Entry::decode(value.clone()).ok().and_then(|entry| entry.entry) {
        Some(entry::Entry::Event(event)) => Ok((value, event)),
        _ => Err(Error::Run("record")),
    }
}

/// Hands out the items of one source each, in order.
fn by_source(items: Merge, mut each: impl FnMut(Vec<Item>) -> Result<()>) -> Result<()> {
    let mut open: Vec<Item> = Vec::new();
    for item in items {
        let item = item?;
        if open.first().is_some_and(|first| first.source != item.source) {
            each(std::mem::take(&mut open))?;
        }
        open.push(item);
    }
    if open.is_empty() { Ok(()) } else { each(open) }
}
