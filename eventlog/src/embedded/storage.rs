//! The RocksDB database under the log: options, keys, and what its errors mean.
//!
//! Two column families: `default` holds topics, next and low offsets and group positions, `log` holds the batches.
//! Invariants: the write-ahead log is on and recovered to a point in time, so that what survives a crash is a
//! prefix of the writes; checksums are verified on every read; one process holds the directory.
//!
//! A *follower* opens it as a RocksDB secondary beside the process that writes, and sees what that one wrote, synced or
//! not, after [`Storage::catch_up`].
//!
//! It does not know what a commit is.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, ErrorKind, Options,
    ReadOptions, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use super::Config;
use crate::{Error, Result};

/// The newest format that this version reads, and the one it writes: since 2 batches may be compressed.
pub(super) const FORMAT: u32 = 2;

const BATCHES: &str = "log";
const FORMAT_KEY: &[u8] = b"format";
const NEXT: u8 = b'n';
const LOW: u8 = b'l';
const CLEANED: u8 = b'c';
const GROUP: u8 = b'g';
/// First byte of the keys that hold topics; the name follows.
pub(super) const TOPIC: u8 = b't';

/// Key of the partition's next offset.
pub(super) fn next_key(topic: u32, partition: u32) -> Vec<u8> {
    partition_key(NEXT, topic, partition)
}

/// Key of the partition's first kept offset.
pub(super) fn low_key(topic: u32, partition: u32) -> Vec<u8> {
    partition_key(LOW, topic, partition)
}

/// Key of the offset up to which a partition was compacted.
pub(super) fn cleaned_key(topic: u32, partition: u32) -> Vec<u8> {
    partition_key(CLEANED, topic, partition)
}

/// Key of a group's position; all groups of a partition lie together.
pub(super) fn group_key(topic: u32, partition: u32, group: &str) -> Vec<u8> {
    let mut key = partition_key(GROUP, topic, partition);
    key.extend_from_slice(group.as_bytes());
    key
}

/// Key of a batch.
pub(super) fn batch_key(topic: u32, partition: u32, base: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&topic.to_be_bytes());
    key[4..8].copy_from_slice(&partition.to_be_bytes());
    key[8..].copy_from_slice(&base.to_be_bytes());
    key
}

fn partition_key(kind: u8, topic: u32, partition: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.push(kind);
    key.extend_from_slice(&topic.to_be_bytes());
    key.extend_from_slice(&partition.to_be_bytes());
    key
}

/// The open database.
pub(super) struct Storage {
    db: DB,
    path: String,
    sync: bool,
    /// Where a follower keeps what RocksDB says about it; none in the process that writes.
    scratch: Option<TempDir>,
}

impl Storage {
    /// Opens or creates the database and checks its format.
    pub(super) fn open(path: &Path, config: &Config) -> Result<Self> {
        let shown = path.display().to_string();
        let options = database_options(config);
        let mut names = if path.join("CURRENT").exists() { families(&options, path)? } else { Vec::new() };
        let fresh = names.is_empty();
        for name in ["default", BATCHES] {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        let db = DB::open_cf_descriptors(&options, path, describe(names, config)).map_err(|e| opening(&shown, e))?;
        let storage = Self { db, path: shown, sync: config.sync, scratch: None };
        storage.check_format(fresh)?;
        Ok(storage)
    }

    /// Opens what another process may be writing.
    pub(super) fn follow(path: &Path, config: &Config) -> Result<Self> {
        let shown = path.display().to_string();
        let mut options = database_options(config);
        options.create_if_missing(false);
        // The writer removes write-ahead logs meanwhile: that is no damage.
        options.set_track_and_verify_wals_in_manifest(false);
        let scratch = tempfile::Builder::new().prefix("vitals-follower-").tempdir();
        let scratch = scratch.map_err(|e| Error::Invalid { what: format!("no temporary directory: {e}") })?;
        let names = families(&options, path)?;
        let db = DB::open_cf_descriptors_as_secondary(&options, path, scratch.path(), describe(names, config));
        let db = db.map_err(|e| opening(&shown, e))?;
        let storage = Self { db, path: shown, sync: false, scratch: Some(scratch) };
        storage.catch_up()?;
        storage.check_format(false)?;
        Ok(storage)
    }

    /// The directory, for messages.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether another process writes.
    pub(super) fn follows(&self) -> bool {
        self.scratch.is_some()
    }

    /// Sees what was written since.
    pub(super) fn catch_up(&self) -> Result<()> {
        self.db.try_catch_up_with_primary().map_err(|e| self.error(e))
    }

    fn check_format(&self, fresh: bool) -> Result<()> {
        match self.get(FORMAT_KEY)? {
            Some(bytes) => match bytes.try_into().map(u32::from_be_bytes) {
                Ok(found) if found > FORMAT => Err(Error::Newer { path: self.path.clone(), found, known: FORMAT }),
                // An earlier version could not read what is written from now on, and is refused.
                Ok(found) if found < FORMAT && !self.follows() => self.put_format(),
                Ok(_) => Ok(()),
                Err(_) => Err(self.damaged("the format is not a number".to_owned())),
            },
            // A crash between creating the database and this write leaves one without any key.
            None if fresh || self.scan(&[])?.is_empty() => self.put_format(),
            None => Err(self.damaged("the format is missing".to_owned())),
        }
    }

    fn put_format(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.put(FORMAT_KEY, FORMAT.to_be_bytes());
        self.write(batch, true)
    }

    /// The value of a key of the `default` family.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(|e| self.error(e))
    }

    /// A key of the `default` family that holds an offset.
    pub(super) fn offset(&self, key: &[u8]) -> Result<Option<u64>> {
        let Some(bytes) = self.get(key)? else { return Ok(None) };
        let offset = bytes.try_into().map_err(|_| self.damaged("a stored offset is not a number".to_owned()))?;
        Ok(Some(u64::from_be_bytes(offset)))
    }

    /// All keys of the `default` family that begin with `prefix`, with their values.
    pub(super) fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut iterator = self.db.raw_iterator();
        iterator.seek(prefix);
        while let Some((key, value)) = iterator.item().filter(|(key, _)| key.starts_with(prefix)) {
            found.push((key.to_vec(), value.to_vec()));
            iterator.next();
        }
        iterator.status().map_err(|e| self.error(e))?;
        Ok(found)
    }

    /// The batches of a partition that have a base offset below `end`, from the one that holds `from`, or else from
    /// the first one after it. Shows the log as it is now, whatever is written later.
    pub(super) fn batches(&self, topic: u32, partition: u32, from: u64, end: u64) -> Batches<'_> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(batch_key(topic, partition, 0));
        options.set_iterate_upper_bound(batch_key(topic, partition, end));
        let mut iterator = self.db.raw_iterator_cf_opt(self.family(), options);
        let key = batch_key(topic, partition, from);
        iterator.seek_for_prev(key);
        if !iterator.valid() && iterator.status().is_ok() {
            iterator.seek(key);
        }
        Batches { storage: self, iterator, started: false }
    }

    /// Writes all of it or nothing; when `durable`, returns after the fsync.
    pub(super) fn write(&self, batch: WriteBatch, durable: bool) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(durable && self.sync);
        self.db.write_opt(batch, &options).map_err(|e| self.error(e))
    }

    /// Deletes a topic with its batches, offsets and positions.
    pub(super) fn delete_topic(&self, topic: u32, name: &str) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.delete([&[TOPIC], name.as_bytes()].concat());
        for kind in [NEXT, LOW, CLEANED, GROUP] {
            let prefix = [&[kind][..], &topic.to_be_bytes()].concat();
            self.scan(&prefix)?.iter().for_each(|(key, _)| batch.delete(key));
        }
        batch.delete_range_cf(self.family(), batch_key(topic, 0, 0), batch_key(topic + 1, 0, 0));
        self.write(batch, true)
    }

    pub(super) fn put_batch(&self, to: &mut WriteBatch, key: [u8; 16], value: &[u8]) {
        to.put_cf(self.family(), key, value);
    }

    pub(super) fn delete_batch(&self, to: &mut WriteBatch, key: [u8; 16]) {
        to.delete_cf(self.family(), key);
    }

    /// A figure of RocksDB, over both column families.
    pub(super) fn figure(&self, property: &str) -> Option<u64> {
        let of = |family| self.db.property_int_value_cf(family, property).ok().flatten();
        let all = ["default", BATCHES].into_iter().filter_map(|name| of(self.db.cf_handle(name)?));
        all.reduce(|a, b| a + b)
    }

    /// The error for bytes that do not decode.
    pub(super) fn damaged(&self, what: String) -> Error {
        Error::Damaged { path: self.path.clone(), what }
    }

    #[cfg(test)]
    pub(super) fn flush(&self) {
        self.db.flush_cf(self.family()).unwrap();
    }

    fn family(&self) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(BATCHES).expect("open names this column family")
    }

    fn error(&self, source: rocksdb::Error) -> Error {
        storage_error(&self.path, source)
    }
}

/// Walks over the batches of one partition.
pub(super) struct Batches<'a> {
    storage: &'a Storage,
    iterator: rocksdb::DBRawIterator<'a>,
    started: bool,
}

impl Batches<'_> {
    /// Base offset and stored value of the next batch.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>> {
        if self.started {
            self.iterator.next();
        }
        self.started = true;
        if !self.iterator.valid() {
            self.started = false;
            self.iterator.status().map_err(|e| self.storage.error(e))?;
            return Ok(None);
        }
        let (key, value) = self.iterator.item().expect("a valid iterator has an item");
        let base =
            key.last_chunk().ok_or_else(|| self.storage.damaged("the key of a batch is cut short".to_owned()))?;
        Ok(Some((u64::from_be_bytes(*base), value)))
    }
}

/// A newer version may have more column families: RocksDB wants all of them named.
fn families(options: &Options, path: &Path) -> Result<Vec<String>> {
    DB::list_cf(options, path).map_err(|e| opening(&path.display().to_string(), e))
}

fn describe(names: Vec<String>, config: &Config) -> impl Iterator<Item = ColumnFamilyDescriptor> {
    names.into_iter().map(|name| {
        let options = if name == BATCHES { batch_options(config) } else { Options::default() };
        ColumnFamilyDescriptor::new(name, options)
    })
}

fn database_options(config: &Config) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_max_total_wal_size(4 * config.write_buffer_bytes as u64);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Batches come in order of offset within a partition and are read in order, some soon after they were written.
fn batch_options(config: &Config) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(config.cache_bytes));
    // From 6 on the footer of a table is checked too.
    table.set_format_version(6);
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(config.write_buffer_bytes);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_block_based_table_factory(&table);
    options
}

/// What an error while opening means to the person who started the process.
fn opening(path: &str, source: rocksdb::Error) -> Error {
    let text = source.as_ref().to_ascii_lowercase();
    if source.kind() == ErrorKind::IOError && (text.contains("lock file") || text.contains("lock hold")) {
        return Error::InUse { path: path.to_owned() };
    }
    let missing = text.contains("no such file") || text.contains("file size mismatch");
    if missing && Path::new(path).join("CURRENT").exists() {
        return Error::Damaged { path: path.to_owned(), what: source.into_string() };
    }
    storage_error(path, source)
}

fn storage_error(path: &str, source: rocksdb::Error) -> Error {
    match source.kind() {
        ErrorKind::Corruption => Error::Damaged { path: path.to_owned(), what: source.into_string() },
        _ => Error::Storage { path: path.to_owned(), source },
    }
}
