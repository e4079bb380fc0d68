//! External sort with bounded memory: sorted runs on disk, then a k-way merge.
//!
//! Stable: `sequence` (the row's number) decides last, so the order is total and the same whatever the
//! memory. Runs are unnamed temporary files, gone with the process.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// What is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Event time, microseconds.
    pub time_us: i64,
    /// Source of the event.
    pub source: Box<str>,
    /// Id of the event.
    pub id: Box<str>,
    /// Number of the row over all files.
    pub sequence: u64,
    /// The encoded event.
    pub payload: Vec<u8>,
}

/// What to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// (time, source, id), bytewise: the order of facts.
    Time,
    /// As in the files.
    File,
    /// (source, id): equal rows beside each other.
    Identity,
    /// (source, id, time): what is about one thing, in the order in which it happened.
    History,
}

impl Order {
    fn compare(self, a: &Item, b: &Item) -> Ordering {
        let identity =
            || a.source.as_bytes().cmp(b.source.as_bytes()).then_with(|| a.id.as_bytes().cmp(b.id.as_bytes()));
        let first = match self {
            Self::Time => a.time_us.cmp(&b.time_us).then_with(identity),
            Self::File => Ordering::Equal,
            Self::Identity => identity(),
            Self::History => identity().then(a.time_us.cmp(&b.time_us)),
        };
        first.then(a.sequence.cmp(&b.sequence))
    }
}

/// More runs than this are merged into one, to bound open files.
const RUNS_MAX: usize = 64;
const OVERHEAD: usize = size_of::<Item>() + 48;

/// Takes items in any order.
#[derive(Debug)]
pub struct Sorter {
    order: Order,
    folder: PathBuf,
    memory_max: usize,
    memory: usize,
    items: Vec<Item>,
    runs: Vec<File>,
    length: u64,
}

impl Sorter {
    /// Keeps at most about `memory_max` bytes, the rest in temporary files of `folder`.
    pub fn new(order: Order, folder: &Path, memory_max: usize) -> Self {
        let folder = folder.to_owned();
        Self { order, folder, memory_max, memory: 0, items: Vec::new(), runs: Vec::new(), length: 0 }
    }

    /// Adds one item.
    ///
    /// # Errors
    /// When a run cannot be written.
    pub fn push(&mut self, item: Item) -> Result<()> {
        self.memory += OVERHEAD + item.source.len() + item.id.len() + item.payload.capacity();
        self.length += 1;
        self.items.push(item);
        if self.memory < self.memory_max {
            return Ok(());
        }
        let items = self.sorted();
        self.spill(items.map(Ok))?;
        if self.runs.len() < RUNS_MAX {
            return Ok(());
        }
        let merged = Merge::new(self.order, std::mem::take(&mut self.runs), Vec::new().into_iter(), &self.folder)?;
        self.spill(merged)
    }

    /// Items pushed.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All items in order.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn finish(mut self) -> Result<Merge> {
        let items = self.sorted();
        Merge::new(self.order, std::mem::take(&mut self.runs), items, &self.folder)
    }

    fn sorted(&mut self) -> std::vec::IntoIter<Item> {
        self.memory = 0;
        let mut items = std::mem::take(&mut self.items);
        items.sort_unstable_by(|a, b| self.order.compare(a, b));
        items.into_iter()
    }

    fn spill(&mut self, items: impl Iterator<Item = Result<Item>>) -> Result<()> {
        let fail = |e| Error::file(&self.folder, e);
        let mut run = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&self.folder).map_err(fail)?);
        for item in items {
            write(&mut run, &item?).map_err(fail)?;
        }
        let mut file = run.into_inner().map_err(|e| fail(e.into_error()))?;
        file.rewind().map_err(fail)?;
        self.runs.push(file);
        Ok(())
    }
}

/// Items in order.
#[derive(Debug)]
pub struct Merge {
    heap: BinaryHeap<Reverse<Head>>,
    runs: Vec<BufReader<File>>,
    memory: std::vec::IntoIter<Item>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Head {
    order: Order,
    item: Item,
    /// Index of the run; one past the last means memory.
    run: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(&self.item, &other.item)
    }
}

impl Merge {
    fn new(order: Order, runs: Vec<File>, memory: std::vec::IntoIter<Item>, folder: &Path) -> Result<Self> {
        let runs: Vec<_> = runs.into_iter().map(|run| BufReader::with_capacity(1 << 16, run)).collect();
        let mut merge = Self { heap: BinaryHeap::new(), runs, memory, folder: folder.to_owned() };
        for run in 0..=merge.runs.len() {
            if let Some(item) = merge.pull(run)? {
                merge.heap.push(Reverse(Head { order, item, run }));
            }
        }
        Ok(merge)
    }

    fn pull(&mut self, run: usize) -> Result<Option<Item>> {
        match self.runs.get_mut(run) {
            None => Ok(self.memory.next()),
            Some(reader) => read(reader, &self.folder),
        }
    }
}

impl Iterator for Merge {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        let Reverse(Head { order, item, run }) = self.heap.pop()?;
        match self.pull(run) {
            Err(error) => return Some(Err(error)),
            Ok(Some(item)) => self.heap.push(Reverse(Head { order, item, run })),
            Ok(None) => {}
        }
        Some(Ok(item))
    }
}

/// time, sequence, three lengths (little endian), then source, id, payload.
fn write(out: &mut impl Write, item: &Item) -> std::io::Result<()> {
    out.write_all(&item.time_us.to_le_bytes())?;
    out.write_all(&item.sequence.to_le_bytes())?;
    for length in [item.source.len(), item.id.len(), item.payload.len()] {
        let length = u32::try_from(length).map_err(std::io::Error::other)?;
        out.write_all(&length.to_le_bytes())?;
    }
    out.write_all(item.source.as_bytes())?;
    out.write_all(item.id.as_bytes())?;
    out.write_all(&item.payload)
}

fn read(run: &mut BufReader<File>, folder: &Path) -> Result<Option<Item>> {
    let fail = |e| Error::file(folder, e);
    if std::io::BufRead::fill_buf(run).map_err(fail)?.is_empty() {
        return Ok(None);
    }
    let time_us = i64::from_le_bytes(fixed(run).map_err(fail)?);
    let sequence = u64::from_le_bytes(fixed(run).map_err(fail)?);
    let mut parts = [const { Vec::new() }; 3];
    let lengths: [[u8; 4]; 3] = [fixed(run).map_err(fail)?, fixed(run).map_err(fail)?, fixed(run).map_err(fail)?];
    for (part, length) in parts.iter_mut().zip(lengths) {
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| Error::Run("length"))?;
        part.resize(length, 0);
        run.read_exact(part).map_err(fail)?;
    }
    let [source, id, payload] = parts;
    let text = |bytes| String::from_utf8(bytes).map(String::into_boxed_str).map_err(|_| Error::Run("text"));
    Ok(Some(Item { time_us, source: text(source)?, id: text(id)?, sequence, payload }))
}

fn fixed<const N: usize>(run: &mut BufReader<File>) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    run.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_the_sort_in_memory(rows in prop::collection::vec((0_i64..5, "[ab#]{0,2}", "[a-c\u{e9}]{0,3}"), 0..300), memory in 1_usize..4_000) {
            let folder = tempfile::tempdir().expect("folder");
            for order in [Order::Time, Order::File, Order::Identity] {
                let mut sorter = Sorter::new(order, folder.path(), memory);
                let mut expected = Vec::new();
                for (sequence, (time_us, source, id)) in (0..).zip(&rows) {
                    let item = Item { time_us: *time_us, source: (**source).into(), id: (**id).into(), sequence, payload: vec![7; id.len()] };
                    expected.push(item.clone());
                    sorter.push(item).expect("push");
                }
                expected.sort_by(|a, b| order.compare(a, b));
                let merged: Vec<_> = sorter.finish().expect("finish").collect::<Result<_>>().expect("merge");
                prop_assert_eq!(merged, expected);
            }
        }
    }
}
