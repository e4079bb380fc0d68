//! A write-back cache of one table of a state.
//!
//! Invariants: an entry that changed is held until a flush writes it; a flush writes in the order of keys; each entry is read
//! at most once while it is held. It does not know what keys and values mean.

use std::{borrow::Cow, collections::HashMap, hash::Hash};

use foldhash::fast::FixedState;

use crate::{Batch, Result, State};

/// Entries of a table, as far as they are held in memory.
#[derive(Debug)]
pub struct Cache<K, V> {
    table: &'static str,
    held: HashMap<K, Held<V>, FixedState>,
    /// Keys of the entries that changed since the last flush.
    dirty: Vec<K>,
}

#[derive(Debug)]
struct Held<V> {
    value: V,
    dirty: bool,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    /// A cache of `table` that holds nothing.
    pub fn new(table: &'static str) -> Cache<K, V> {
        Cache { table, held: HashMap::default(), dirty: Vec::new() }
    }

    /// Number of entries that changed since the last flush.
    pub fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// Whether an entry is held.
    pub fn holds(&self, key: &K) -> bool {
        self.held.contains_key(key)
    }

    /// Reads the entries that are not held: `encode` gives the key in the table, `decode` the value of what is stored there.
    ///
    /// # Errors
    /// When storage fails, or what `decode` says.
    pub fn load<B: AsRef<[u8]>>(
        &mut self,
        keys: impl Iterator<Item = K>,
        state: &State,
        encode: impl Fn(&K) -> B,
        decode: impl Fn(&K, Option<Vec<u8>>) -> Result<V>,
    ) -> Result<()> {
        let mut missing: Vec<(B, K)> = keys.filter(|key| !self.holds(key)).map(|key| (encode(&key), key)).collect();
        missing.sort_unstable_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        missing.dedup_by(|(_, a), (_, b)| a == b);

        let (stored_at, keys): (Vec<B>, Vec<K>) = missing.into_iter().unzip();
        for (key, bytes) in keys.into_iter().zip(state.get_many(self.table, &stored_at)?) {
            let value = decode(&key, bytes)?;
            self.held.insert(key, Held { value, dirty: false });
        }
        Ok(())
    }

    /// The value of a held entry, to be changed.
    ///
    /// # Panics
    /// When the entry is not held: load it first.
    pub fn change(&mut self, key: K) -> &mut V {
        let held = self.held.get_mut(&key).expect("an entry is loaded before it is changed");
        if !std::mem::replace(&mut held.dirty, true) {
            self.dirty.push(key);
        }
        &mut held.value
    }

    /// The value of an entry, to be changed; `new` where none is held, of which the table must have none.
    pub fn change_or(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if !self.holds(&key) {
            self.held.insert(key.clone(), Held { value: new(), dirty: false });
        }
        self.change(key)
    }

    /// Writes what changed, as `encode` gives key and value. With more than `keep` entries held, all are forgotten.
    ///
    /// # Errors
    /// When the table does not exist.
    pub fn flush(
        &mut self,
        keep: usize,
        batch: &mut Batch<'_>,
        encode: impl for<'e> Fn(&'e K, &'e V) -> (Cow<'e, [u8]>, Cow<'e, [u8]>),
    ) -> Result<()> {
        let dirty = std::mem::take(&mut self.dirty);
        for key in &dirty {
            self.held.get_mut(key).expect("what changed is held until it is flushed").dirty = false;
        }
        let mut entries: Vec<_> = dirty.iter().map(|key| encode(key, &self.held[key].value)).collect();
        entries.sort_unstable();
        for (key, value) in &entries {
            batch.put(self.table, key, value)?;
        }
        drop(entries);
        if self.held.len() > keep {
            self.held = HashMap::default();
        }
        Ok(())
    }

    /// Forgets all entries.
    ///
    /// # Panics
    /// When something changed since the last flush.
    pub fn forget(&mut self) {
        assert!(self.dirty.is_empty(), "what changed is flushed before it is forgotten");
        self.held = HashMap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Memory;

    fn text(bytes: Option<Vec<u8>>) -> String {
        bytes.map_or_else(|| "none".to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    fn load(cache: &mut Cache<&'static str, String>, keys: &[&'static str], state: &State) {
        cache.load(keys.iter().copied(), state, |key| key.as_bytes().to_vec(), |_, bytes| Ok(text(bytes))).unwrap();
    }

    fn flush(cache: &mut Cache<&'static str, String>, keep: usize, state: &State) {
        let mut batch = state.batch(0);
        cache.flush(keep, &mut batch, |key, value| (key.as_bytes().into(), value.as_bytes().into())).unwrap();
        batch.write(1).unwrap();
    }

    fn state(dir: &tempfile::TempDir) -> State {
        State::open(dir.path(), &["a"], &Memory::new(1 << 20, 1 << 20)).unwrap()
    }

    #[test]
    fn what_changed_is_there_after_a_flush_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir);
        let mut cache = Cache::new("a");
        load(&mut cache, &["y", "x", "x", "z"], &state);
        cache.change("y").push('1');
        cache.change("x").push('2');
        cache.change("x").push('3');
        assert_eq!(cache.dirty(), 2);
        flush(&mut cache, 3, &state);
        assert_eq!((cache.dirty(), cache.holds(&"x")), (0, true));
        assert_eq!(
            state.get_many("a", &["x", "y", "z"]).unwrap(),
            [Some(b"none23".to_vec()), Some(b"none1".to_vec()), None]
        );
    }

    #[test]
    fn above_the_limit_all_are_forgotten_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir);
        let mut cache = Cache::new("a");
        *cache.change_or("x", String::new) = "1".to_owned();
        flush(&mut cache, 0, &state);
        assert!(!cache.holds(&"x"));
        load(&mut cache, &["x"], &state);
        assert_eq!(cache.change("x"), "1");
    }

    #[test]
    #[should_panic(expected = "loaded before it is changed")]
    fn an_entry_that_was_not_loaded_cannot_be_changed() {
        Cache::<&str, String>::new("a").change("x");
    }
}
