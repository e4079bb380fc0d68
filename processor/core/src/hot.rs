//! The accounts of a partition in memory: each at rest as bytes in an arena, those touched lately
//! open.
//!
//! ```text
//!     key -> hash -> slot -> [ key | encoding ]      at rest
//!                         -> Open { Account, .. }    from its first event until too many are open
//! ```
//!
//! Invariants: a slot is good until [`Hot::forget`]; an account at rest is its encoding, so that a
//! flush copies bytes; none rests, is flushed or forgotten within an instant that touches it. It does
//! not know what events do.

mod arena;

use std::{collections::BTreeMap, hash::BuildHasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use arena::{Arena, Place, small};

use crate::{
    account::{Account, Totals},
    lifecycle::deal::Standing,
    map::Map,
    series::{Names, Profiles},
    shown::ByDay,
};

/// Number of an account in memory.
pub type Slot = u32;

/// Not open, as flushed.
const CLEAN: u32 = u32::MAX;
/// Not open, changed since the last flush.
const DIRTY: u32 = u32::MAX - 1;

/// An account at rest.
#[derive(Debug, Clone, Copy)]
struct Resting {
    place: Place,
    /// Length of the key.
    key: u32,
    /// Length of key and encoding; a new account has no encoding.
    length: u32,
    /// Where it is open, or [`CLEAN`] or [`DIRTY`].
    open: u32,
}

impl Resting {
    /// Key and encoding.
    fn parts<'a>(&self, arena: &'a Arena) -> (&'a [u8], &'a [u8]) {
        arena.get(self.place, self.length as usize).split_at(self.key as usize)
    }

    fn key<'a>(&self, arena: &'a Arena) -> &'a [u8] {
        arena.get(self.place, self.key as usize)
    }
}

/// An account that was touched lately, or looked at.
#[derive(Debug)]
pub struct Open {
    /// Its slot.
    pub slot: Slot,
    /// The account.
    pub account: Account,
    /// What it had bought before the instant, if that touched it.
    pub before: Totals,
    /// Its open deals before the instant, if that touched it.
    pub deals: Vec<Standing>,
    /// Its values by local day that the instant changed.
    pub days: ByDay,
    /// Whether the instant changed it.
    touched: bool,
    /// Whether its encoding is of before it changed.
    stale: bool,
    /// Whether it changed since the last flush.
    dirty: bool,
}

impl Open {
    /// What it shows now is what it showed before the instant.
    pub fn remember(&mut self) {
        self.before.copy(&self.account.totals);
        self.deals.clear();
        self.deals.extend(self.account.sections.deal.standing());
    }
}

/// With more accounts open at the end of an instant, all are packed: about 1.3 kB each.
const OPEN: usize = 1 << 15;

/// Fingerprints of an account beyond those in its state; each is its own hash.
#[derive(Debug, Default)]
struct Ids {
    all: HashTable<u64>,
    /// Since the last flush.
    new: Vec<u64>,
}

impl Ids {
    fn has(&self, print: u64) -> bool {
        self.all.find(print, |known| *known == print).is_some()
    }

    fn insert(&mut self, print: u64) {
        self.all.insert_unique(print, print, |known| *known);
    }
}

/// The accounts.
#[derive(Debug, Default)]
pub struct Hot {
    hasher: FixedState,
    slots: HashTable<Slot>,
    resting: Vec<Resting>,
    arena: Arena,
    #[expect(clippy::vec_box, reason = "an account is large, and is moved from one list to another")]
    open: Vec<Box<Open>>,
    /// Those that the instant has touched, in the order in which it did.
    touched: Vec<u32>,
    /// Memory of accounts that were open.
    #[expect(clippy::vec_box, reason = "as above")]
    spare: Vec<Box<Open>>,
    ids: Map<Slot, Ids>,
    dirty: Vec<Slot>,
    scratch: Vec<u8>,
}

impl Hot {
    /// The slot of an account.
    pub fn find(&self, key: &str) -> Option<Slot> {
        let is = |slot: &Slot| self.resting[*slot as usize].key(&self.arena) == key.as_bytes();
        self.slots.find(self.hasher.hash_one(key.as_bytes()), is).copied()
    }

    /// The key of an account.
    pub fn key(&self, slot: Slot) -> &str {
        // Keys go in as text.
        std::str::from_utf8(self.resting[slot as usize].key(&self.arena)).unwrap_or_default()
    }

    /// Number of accounts.
    pub(crate) fn len(&self) -> usize {
        self.resting.len()
    }

    /// Bytes reserved for the accounts at rest, fingerprints that are kept apart not counted.
    pub fn reserved(&self) -> usize {
        self.arena.reserved() + self.resting.capacity() * size_of::<Resting>() + self.slots.allocation_size()
    }

    /// Takes in an account that is not there: its encoding, empty for a new one, and the
    /// fingerprints kept apart.
    pub fn insert(&mut self, key: &str, encoding: &[u8], ids: impl IntoIterator<Item = u64>) -> Slot {
        let slot = small(self.resting.len());
        let bytes = [key.as_bytes(), encoding].concat();
        let place = self.arena.add(slot, &bytes);
        self.resting.push(Resting { place, key: small(key.len()), length: small(bytes.len()), open: CLEAN });
        let (hasher, resting, arena) = (&self.hasher, &self.resting, &self.arena);
        let hash = |slot: &Slot| hasher.hash_one(resting[*slot as usize].key(arena));
        self.slots.insert_unique(hasher.hash_one(key.as_bytes()), slot, hash);
        for print in ids {
            self.ids.entry(slot).or_default().insert(print);
        }
        slot
    }

    /// Opens an account; `None` if its encoding is damaged.
    pub fn open(&mut self, slot: Slot, activities: usize, profiles: &mut Profiles, names: &mut Names) -> Option<usize> {
        let resting = &mut self.resting[slot as usize];
        if resting.open < DIRTY {
            return Some(resting.open as usize);
        }
        let mut open = self.spare.pop().unwrap_or_else(|| {
            Box::new(Open {
                slot,
                account: Account::new(activities),
                before: Totals::default(),
                deals: Vec::new(),
                days: ByDay::default(),
                touched: false,
                stale: false,
                dirty: false,
            })
        });
        match resting.parts(&self.arena).1 {
            [] => open.account.reset(activities),
            bytes => open.account.decode(bytes, profiles, names)?,
        }
        (open.slot, open.stale, open.dirty) = (slot, false, resting.open == DIRTY);
        resting.open = small(self.open.len());
        self.open.push(open);
        Some(self.open.len() - 1)
    }

    /// An open account.
    pub fn opened(&self, index: usize) -> &Open {
        &self.open[index]
    }

    /// An open account, to change: what it showed before this instant is remembered.
    pub fn touch(&mut self, index: usize) -> &mut Open {
        let open = &mut self.open[index];
        if !open.touched {
            (open.touched, open.stale) = (true, true);
            open.remember();
            self.touched.push(small(index));
            if !open.dirty {
                open.dirty = true;
                self.dirty.push(open.slot);
            }
        }
        open
    }

    /// Whether an open account may have an event, order or refund with this fingerprint.
    pub fn may_hold(&self, index: usize, print: u64) -> bool {
        let Open { slot, account, .. } = &*self.open[index];
        account.ids.may_hold(print) || (account.ids.apart() && self.ids.get(slot).is_some_and(|ids| ids.has(print)))
    }

    /// Adds a fingerprint, unless it is there.
    pub fn note(&mut self, index: usize, print: u64) {
        if self.may_hold(index, print) {
            return;
        }
        let Open { slot, account, .. } = &mut *self.open[index];
        if !account.ids.insert(print) {
            let ids = self.ids.entry(*slot).or_default();
            ids.insert(print);
            ids.new.push(print);
        }
    }

    /// Calls `each` with the key and the account of those that the instant has touched, in the order in which it did.
    pub fn each_touched(&mut self, mut each: impl FnMut(&str, &mut Open)) {
        for index in &self.touched {
            let open = &mut *self.open[*index as usize];
            // Keys go in as text.
            let key = std::str::from_utf8(self.resting[open.slot as usize].key(&self.arena)).unwrap_or_default();
            each(key, open);
        }
    }

    /// Bytes of the parts of all encodings, for who wants to know where they go.
    pub fn weigh(&self, profiles: &mut Profiles, names: &mut Names) -> BTreeMap<&'static str, usize> {
        let (mut sums, mut account) = (BTreeMap::new(), Account::new(0));
        for resting in &self.resting {
            let (key, encoding) = resting.parts(&self.arena);
            *sums.entry("key").or_default() += key.len();
            if account.decode(encoding, profiles, names).is_some() {
                account
                    .weigh(profiles, names)
                    .into_iter()
                    .for_each(|(part, bytes)| *sums.entry(part).or_default() += bytes);
            }
        }
        sums
    }

    /// Ends an instant.
    pub fn end(&mut self, profiles: &Profiles, names: &Names) {
        for index in self.touched.drain(..) {
            let open = &mut self.open[index as usize];
            open.touched = false;
            open.days.clear();
        }
        if self.open.len() > OPEN {
            self.rest(profiles, names);
        }
    }

    /// Packs all accounts. Between instants.
    pub(crate) fn rest(&mut self, profiles: &Profiles, names: &Names) {
        (0..self.open.len()).for_each(|index| self.pack(index, profiles, names));
        for open in self.open.drain(..) {
            self.resting[open.slot as usize].open = if open.dirty { DIRTY } else { CLEAN };
            self.spare.push(open);
        }
        self.spare.truncate(OPEN);
        self.sweep();
    }

    /// Sees to it that the encoding of an open account is that of now.
    fn pack(&mut self, index: usize, profiles: &Profiles, names: &Names) {
        let open = &mut self.open[index];
        if !std::mem::take(&mut open.stale) {
            return;
        }
        let resting = &mut self.resting[open.slot as usize];
        self.scratch.clear();
        self.scratch.extend_from_slice(resting.key(&self.arena));
        open.account.encode(profiles, names, &mut self.scratch);
        resting.length = small(self.scratch.len());
        if !self.arena.set(resting.place, &self.scratch) {
            self.arena.free(resting.place);
            resting.place = self.arena.add(open.slot, &self.scratch);
        }
    }

    fn sweep(&mut self) {
        self.arena.sweep(|slot, place| self.resting[slot as usize].place = place);
    }

    /// Hands out the accounts that changed since the last call, in the order of keys: key, encoding,
    /// fingerprints to add to those kept apart. Between instants.
    pub fn flush(&mut self, profiles: &Profiles, names: &Names, mut each: impl FnMut(Slot, &[u8], &[u8], &[u64])) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for slot in &dirty {
            match &mut self.resting[*slot as usize].open {
                open @ &mut DIRTY => *open = CLEAN,
                open => {
                    let index = *open as usize;
                    self.pack(index, profiles, names);
                    self.open[index].dirty = false;
                }
            }
        }
        self.sweep();
        self.sort(&mut dirty);
        for slot in dirty {
            let (key, encoding) = self.resting[slot as usize].parts(&self.arena);
            let ids = if self.ids.is_empty() { None } else { self.ids.get_mut(&slot) };
            let new = ids.map(|ids| std::mem::take(&mut ids.new)).unwrap_or_default();
            each(slot, key, encoding, &new);
        }
    }

    /// Sorts slots by key: by the eight bytes after what all keys have in common, which is mostly
    /// enough.
    pub fn sort(&self, slots: &mut [Slot]) {
        let key = |slot: Slot| self.resting[slot as usize].key(&self.arena);
        let Some(first) = slots.first().map(|slot| key(*slot)) else { return };
        let same = |other: &[u8]| first.iter().zip(other).take_while(|(a, b)| a == b).count();
        let common = slots.iter().map(|slot| same(key(*slot))).min().unwrap_or(0);
        let mut keyed: Vec<(u64, Slot)> = slots.iter().map(|slot| (eight(&key(*slot)[common..]), *slot)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))));
        slots.iter_mut().zip(keyed).for_each(|(slot, (_, sorted))| *slot = sorted);
    }

    /// Lets all accounts go, which must be flushed; slots mean nothing any more.
    pub fn forget(&mut self) {
        self.slots.clear();
        self.resting.clear();
        self.arena = Arena::default();
        self.ids.clear();
        self.spare.append(&mut self.open);
        self.spare.truncate(OPEN);
    }
}

/// The first eight bytes as a number in their order.
fn eight(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(first)
}
