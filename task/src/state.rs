//! The state of a task: one RocksDB, few column families.
//!
//! Invariants: written only by [`Batch::write`], one `WriteBatch` over all tables with
//! `next_offset`; not synced, because R only moves back and replay repairs; keys sorted by the
//! caller where it matters. It does not know what the bytes mean.
//!
//! RocksDB takes a manifest whose rest is unreadable for one that a crash cut short: it opens what the beginning names, with
//! files missing from some tables. So every table counts the batches that it holds, and a state in which a count is not the
//! number of batches written is damaged.

mod lent;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction,
    IteratorMode, MergeOperands, Options, WriteBatch, WriteBufferManager, WriteOptions, checkpoint::Checkpoint,
};

pub use lent::Lent;

use crate::{Error, Result};

/// Version of the layout.
pub(crate) const FORMAT: u32 = 2;
const FORMAT_KEY: &[u8] = b"format";
const OFFSET_KEY: &[u8] = b"next_offset";
const GENERATION_KEY: &[u8] = b"generation";
const CHANGES_KEY: &[u8] = b"changes";
/// Number of batches that were written.
const BATCHES_KEY: &[u8] = b"batches";

/// The key of each table under which it counts its batches; no fold has an empty key.
const COUNT_KEY: &[u8] = b"";

/// Memory that the tasks of a process share.
#[derive(Clone)]
pub struct Memory {
    cache: Cache,
    buffers: WriteBufferManager,
}

impl Memory {
    /// A block cache and write buffers of these sizes, bytes.
    pub fn new(cache: usize, buffers: usize) -> Memory {
        Memory {
            cache: Cache::new_lru_cache(cache),
            buffers: WriteBufferManager::new_write_buffer_manager(buffers, false),
        }
    }
}

/// The state of one task.
pub struct State {
    /// Closed first: then nobody else has the storage open.
    lender: lent::Lender,
    db: Arc<DB>,
    path: PathBuf,
    tables: Vec<String>,
    batches: AtomicU64,
}

impl State {
    /// Opens or creates the state at `path` with these tables.
    ///
    /// # Errors
    /// `Newer`, `Damaged`, or what the storage engine says.
    pub fn open(path: &Path, tables: &[&str], memory: &Memory) -> Result<State> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_manager(&memory.buffers);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_max_total_wal_size(512 << 20);
        options.set_keep_log_file_num(2);
        options.set_max_background_jobs(2);
        let describe = |name: &str| ColumnFamilyDescriptor::new(name, table_options(memory));
        let families = std::iter::once("default").chain(tables.iter().copied()).map(describe);
        let text = path.display().to_string();
        let db = DB::open_cf_descriptors(&options, path, families).map_err(|source| match source.kind() {
            rocksdb::ErrorKind::Corruption => Error::Damaged { path: text.clone(), what: source.to_string() },
            // RocksDB has no kind of its own for it.
            _ if source.to_string().contains("LOCK") => Error::Locked { path: text.clone() },
            _ => Error::Storage { path: text.clone(), source },
        })?;
        let tables = tables.iter().map(|&table| table.to_owned()).collect();
        let state = State { tables, ..State::over(Arc::new(db), path.to_owned()) };
        match state.number(FORMAT_KEY)? {
            Some(found) if found > u64::from(FORMAT) => {
                return Err(Error::Newer {
                    path: text,
                    found: u32::try_from(found).unwrap_or(u32::MAX),
                    known: FORMAT,
                });
            }
            Some(found) if found == u64::from(FORMAT) => {}
            _ => state.db.put(FORMAT_KEY, u64::from(FORMAT).to_be_bytes()).map_err(|e| state.storage(e))?,
        }
        state.count_batches()?;
        Ok(state)
    }

    /// A state over open storage, whose tables are not counted.
    fn over(db: Arc<DB>, path: PathBuf) -> State {
        State { lender: lent::Lender::default(), db, path, tables: Vec::new(), batches: AtomicU64::new(0) }
    }

    /// Lends it to others, to read it for as long as its task runs.
    pub fn lend(&self) -> Lent {
        self.lender.lend(self)
    }

    /// Compares what the tables count with the number of batches; a state of format 1 has neither.
    fn count_batches(&self) -> Result<()> {
        let written = self.number(BATCHES_KEY)?.unwrap_or(0);
        for table in &self.tables {
            let count = self.db.get_cf(self.table(table)?, COUNT_KEY).map_err(|e| self.storage(e))?;
            let held = count.map_or(Some(0), |bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
            if held != Some(written) {
                let held = held.map_or("an unknown number".to_owned(), |held| held.to_string());
                return Err(self.damaged(format!("table {table} holds {held} of {written} writes")));
            }
        }
        self.batches.store(written, Ordering::Relaxed);
        Ok(())
    }

    /// R: the offset after the last record that the state holds.
    ///
    /// # Errors
    /// When storage fails.
    pub fn next_offset(&self) -> Result<Option<u64>> {
        self.number(OFFSET_KEY)
    }

    /// Hash of the definitions that made the state.
    ///
    /// # Errors
    /// When storage fails.
    pub fn generation(&self) -> Result<Option<u64>> {
        self.number(GENERATION_KEY)
    }

    /// Number of changes ([`crate::Changes`]) that the state holds.
    ///
    /// # Errors
    /// When storage fails.
    pub fn changes(&self) -> Result<u64> {
        Ok(self.number(CHANGES_KEY)?.unwrap_or(0))
    }

    /// Records the definitions that make the state, before anything else is in it.
    ///
    /// # Errors
    /// When storage fails.
    pub fn set_generation(&self, generation: u64) -> Result<()> {
        self.db.put(GENERATION_KEY, generation.to_be_bytes()).map_err(|e| self.storage(e))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When storage fails.
    pub fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.table(table)?, key).map_err(|e| self.storage(e))
    }

    /// The values of many keys, in their order.
    ///
    /// # Errors
    /// When storage fails.
    pub fn get_many<K: AsRef<[u8]>>(&self, table: &'static str, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>> {
        let family = self.table(table)?;
        let values = self.db.multi_get_cf(keys.iter().map(|key| (family, key.as_ref())));
        values.into_iter().map(|value| value.map_err(|e| self.storage(e))).collect()
    }

    /// Calls `each(key, value)` from `from` on, in the order of keys, while it answers true.
    ///
    /// # Errors
    /// When storage fails.
    pub fn scan(&self, table: &'static str, from: &[u8], mut each: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        for item in self.db.iterator_cf(self.table(table)?, IteratorMode::From(from, Direction::Forward)) {
            let (key, value) = item.map_err(|e| self.storage(e))?;
            if key.as_ref() != COUNT_KEY && !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    /// A figure of RocksDB, over all tables.
    pub(crate) fn figure(&self, property: &str) -> Option<u64> {
        let of = |table: &String| self.db.property_int_value_cf(self.db.cf_handle(table)?, property).ok().flatten();
        self.tables.iter().filter_map(of).reduce(|a, b| a + b)
    }

    /// Makes a checkpoint in `dir`, which must not exist yet, on the same filesystem: files that never
    /// change are hard links. What the last [`Batch::write`] wrote is in it.
    ///
    /// # Errors
    /// When storage fails.
    pub fn checkpoint(&self, dir: &Path) -> Result<()> {
        let made = Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(dir));
        made.map_err(|e| self.storage(e))
    }

    /// An empty batch with room for so many bytes.
    pub fn batch(&self, bytes: usize) -> Batch<'_> {
        Batch { state: self, writes: WriteBatch::with_capacity_bytes(bytes) }
    }

    /// An error about bytes that do not decode.
    pub fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.display().to_string(), what: what.into() }
    }

    fn number(&self, key: &[u8]) -> Result<Option<u64>> {
        let Some(bytes) = self.db.get(key).map_err(|e| self.storage(e))? else { return Ok(None) };
        let bytes = bytes
            .try_into()
            .map_err(|_| self.damaged(format!("{} has another length", String::from_utf8_lossy(key))))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    fn table(&self, name: &str) -> Result<&ColumnFamily> {
        self.db.cf_handle(name).ok_or_else(|| self.damaged(format!("table {name} is missing")))
    }

    fn storage(&self, source: rocksdb::Error) -> Error {
        match source.kind() {
            rocksdb::ErrorKind::Corruption => self.damaged(source.to_string()),
            _ => Error::Storage { path: self.path.display().to_string(), source },
        }
    }
}

/// What the files of a state say about themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// R.
    pub next_offset: Option<u64>,
    /// Hash of the definitions that made it.
    pub generation: Option<u64>,
}

impl Inside {
    /// Reads it from a checkpoint, or from a state that nobody has open, and changes neither.
    ///
    /// # Errors
    /// When the files are not those of a state, or not all of them.
    pub fn read(dir: &Path) -> Result<Inside> {
        let path = dir.display().to_string();
        let db = DB::open_cf_for_read_only(&Options::default(), dir, ["default"], false)
            .map_err(|source| Error::Storage { path, source })?;
        let state = State::over(Arc::new(db), dir.to_owned());
        Ok(Inside { next_offset: state.next_offset()?, generation: state.generation()? })
    }
}

fn table_options(memory: &Memory) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&memory.cache);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_cache_index_and_filter_blocks(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(64 << 20);
    options.set_merge_operator_associative("count", sum);
    options
}

/// The sum of counts.
fn sum(_key: &[u8], existing: Option<&[u8]>, more: &MergeOperands) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    let sum = existing.into_iter().chain(more).try_fold(0_u64, |sum, bytes| sum.checked_add(number(bytes)?));
    sum.map(|sum| sum.to_be_bytes().to_vec())
}

/// Writes of one flush.
pub struct Batch<'a> {
    state: &'a State,
    writes: WriteBatch,
}

impl Batch<'_> {
    /// Sets a key.
    ///
    /// # Errors
    /// When the table does not exist.
    pub fn put(&mut self, table: &'static str, key: &[u8], value: &[u8]) -> Result<()> {
        debug_assert!(key != COUNT_KEY, "the empty key of a table is its count");
        self.writes.put_cf(self.state.table(table)?, key, value);
        Ok(())
    }

    /// Removes a key.
    ///
    /// # Errors
    /// When the table does not exist.
    pub fn delete(&mut self, table: &'static str, key: &[u8]) -> Result<()> {
        self.writes.delete_cf(self.state.table(table)?, key);
        Ok(())
    }

    /// Sets the number of changes that the state holds.
    pub(crate) fn set_changes(&mut self, changes: u64) {
        self.writes.put(CHANGES_KEY, changes.to_be_bytes());
    }

    /// Writes all of it with the new `next_offset`, or nothing.
    pub fn write(mut self, next_offset: u64) -> Result<()> {
        self.writes.put(OFFSET_KEY, next_offset.to_be_bytes());
        self.count()?;
        self.state.db.write_opt(self.writes, &WriteOptions::default()).map_err(|e| self.state.storage(e))
    }

    /// One more, for all tables.
    fn count(&mut self) -> Result<()> {
        // Also when the write fails: then the state is given up.
        let batches = self.state.batches.fetch_add(1, Ordering::Relaxed) + 1;
        self.writes.put(BATCHES_KEY, batches.to_be_bytes());
        for table in &self.state.tables {
            self.writes.merge_cf(self.state.table(table)?, COUNT_KEY, 1_u64.to_be_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_batch_is_there_after_reopening_with_its_offset() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 20, 1 << 20);
        {
            let state = State::open(dir.path(), &["a", "j"], &memory).unwrap();
            assert_eq!(state.next_offset().unwrap(), None);
            let mut batch = state.batch(0);
            batch.put("a", b"k", b"v").unwrap();
            batch.put("j", b"k", b"12").unwrap();
            batch.write(7).unwrap();
        }
        let state = State::open(dir.path(), &["a", "j"], &memory).unwrap();
        assert_eq!(state.next_offset().unwrap(), Some(7));
        assert_eq!(state.get_many("j", &[b"k"]).unwrap(), [Some(b"12".to_vec())]);
    }

    /// A manifest that is cut at every fifth byte: what opens holds all of some batches, or is damaged.
    #[test]
    fn a_manifest_cut_short_opens_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (memory, tables) = (Memory::new(1 << 20, 1 << 20), ["a", "b"]);
        let written = dir.path().join("written");
        {
            let state = State::open(&written, &tables, &memory).unwrap();
            for number in 1..=2_u64 {
                let mut batch = state.batch(0);
                tables.iter().for_each(|table| batch.put(table, b"k", &number.to_be_bytes()).unwrap());
                batch.write(number).unwrap();
                // As a checkpoint does: files of all tables, one after the other.
                state.checkpoint(&dir.path().join(format!("at-{number}"))).unwrap();
            }
            let mut keys = Vec::new();
            let all = |key: &[u8], _: &[u8]| {
                keys.push(key.to_vec());
                true
            };
            state.scan("a", b"", all).unwrap();
            assert_eq!(keys, [b"k"]);
        }

        let newest = |dir: &Path| {
            let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST")).max().unwrap()
        };
        let (mut opened, mut damaged) = (0, 0);
        let manifest = fs::read(newest(&written)).unwrap();
        for cut in (0..manifest.len()).step_by(5) {
            let copy = dir.path().join(format!("cut-{cut}"));
            fs::create_dir(&copy).unwrap();
            for entry in fs::read_dir(&written).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
            }
            fs::write(newest(&copy), &manifest[..cut]).unwrap();
            match State::open(&copy, &tables, &memory) {
                Ok(state) => {
                    let offset = state.next_offset().unwrap();
                    for table in tables {
                        let value = state.get(table, b"k").unwrap().map(|v| u64::from_be_bytes(v.try_into().unwrap()));
                        assert_eq!(value, offset, "cut at {cut}");
                    }
                    opened += 1;
                }
                Err(Error::Damaged { .. }) => damaged += 1,
                Err(error) => panic!("cut at {cut}: {error}"),
            }
            fs::remove_dir_all(copy).unwrap();
        }
        assert!(opened > 0 && damaged > 0, "{opened} opened, {damaged} damaged");
    }

    #[test]
    fn a_checkpoint_says_where_it_is_while_the_state_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 20, 1 << 20);
        let state = State::open(&dir.path().join("state"), &["j"], &memory).unwrap();
        state.set_generation(5).unwrap();
        let mut batch = state.batch(0);
        batch.put("j", b"k", b"1").unwrap();
        batch.write(7).unwrap();
        let checkpoint = dir.path().join("checkpoint");
        state.checkpoint(&checkpoint).unwrap();
        state.batch(0).write(8).unwrap();
        let inside = Inside { next_offset: Some(7), generation: Some(5) };
        assert_eq!(Inside::read(&checkpoint).unwrap(), inside);
        let message = state.checkpoint(&checkpoint).unwrap_err().to_string();
        assert!(message.contains("exists"), "{message}");
        assert!(Inside::read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_newer_state_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 20, 1 << 20);
        State::open(dir.path(), &[], &memory).unwrap().db.put(FORMAT_KEY, 9_u64.to_be_bytes()).unwrap();
        let message = State::open(dir.path(), &[], &memory).err().unwrap().to_string();
        assert!(
            message.ends_with("was written by a newer version (format 9, this one reads up to 2); use that version"),
            "{message}"
        );
    }
}
