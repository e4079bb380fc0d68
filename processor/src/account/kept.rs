//! What the tasks of this process keep of accounts, for whoever explains one: its journal, without a look through the log.
//!
//! Invariants: a state is read as its task last wrote it, a few seconds ago, and says up to which record that was, so that
//! the rest is read from the log; what a task of another process has is not here. It changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use processor_core::calendar::Time;
use proto::{Message as _, bytes::Bytes, v1};
use task::{Lent, Result, State};

use super::{
    JOURNAL, META, META_KEY, MOVED, decode_meta, journals,
    merged::{MEMBERS, graph::Key},
};
use crate::pending;

/// States by the number of their task.
#[derive(Debug, Default)]
pub(super) struct Lending(Mutex<BTreeMap<u32, Lent>>);

/// How far the task of a partition was when it wrote its state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// The offset after the last record that is in it.
    pub(crate) next: u64,
    /// The last tick.
    pub(crate) clock: Option<Time>,
}

impl Position {
    fn of(state: &State) -> Result<Position> {
        let next = state.next_offset()?.unwrap_or(0);
        let clock = state.get(META, META_KEY)?.and_then(|bytes| decode_meta(&bytes)).map(|(clock, _)| clock);
        Ok(Position { next, clock: clock.filter(|clock| *clock != Time::MIN) })
    }
}

/// What the task of its partition has of an account.
#[derive(Debug)]
pub(crate) struct Own {
    /// Up to where.
    pub(crate) position: Position,
    /// Whether it takes part in a merge: later records are with the others.
    pub(crate) is_moved: bool,
    /// Its events, in the order in which they came.
    pub(crate) records: Vec<Bytes>,
}

/// What the stage of merged accounts has.
#[derive(Debug)]
pub(crate) struct Members {
    /// The offset after the last record of its topic that is in it.
    pub(crate) next: u64,
    /// All accounts that take part in a merge.
    pub(crate) keys: BTreeSet<Key>,
    /// Their events; of each in the order in which they came.
    pub(crate) records: Vec<(Key, Bytes)>,
}

impl Members {
    /// Takes what was moved in a record of the topic.
    pub(crate) fn take(&mut self, entry: v1::MovedEntry) {
        for account in entry.accounts {
            let key = account.key.into_boxed_str();
            self.records.extend(account.records.into_iter().map(|record| (key.clone(), record)));
            self.keys.insert(key);
        }
    }
}

impl Lending {
    pub(super) fn lend(&self, task: u32, state: Lent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task, state);
    }

    /// Reads the state of a task; none if it is not here, or cannot be read: the log has all of it.
    fn look<T>(&self, task: u32, read: impl FnOnce(&State) -> Result<T>) -> Option<T> {
        let lent = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&task)?.clone();
        // Its own task says what is wrong with a state.
        lent.look(read).ok()?
    }

    pub(super) fn position(&self, partition: u32) -> Option<Position> {
        self.look(partition, Position::of)
    }

    pub(super) fn own(&self, partition: u32, key: &str) -> Option<Own> {
        self.look(partition, |state| {
            // First of all: what is written meanwhile is then read twice, and nothing is left out.
            let position = Position::of(state)?;
            let is_moved = state.get(MOVED, key.as_bytes())?.is_some();
            let journal = journals::chunks(JOURNAL, key, state)?;
            let records = journals::records(&journal).map(Bytes::copy_from_slice).collect();
            Ok(Own { position, is_moved, records })
        })
    }

    pub(super) fn members(&self, task: u32) -> Option<Members> {
        self.look(task, |state| {
            let mut members =
                Members { next: state.next_offset()?.unwrap_or(0), keys: BTreeSet::new(), records: Vec::new() };
            let mut waiting = Vec::new();
            state.scan(pending::TABLE, &[], |_, value| {
                waiting.extend(v1::MovedEntry::decode(value).ok());
                true
            })?;
            state.scan(MEMBERS, &[], |key, _| {
                members.keys.extend(std::str::from_utf8(key).ok().map(Key::from));
                true
            })?;
            state.scan(JOURNAL, &[], |at, record| {
                let key = at.len().checked_sub(9).and_then(|end| std::str::from_utf8(&at[..end]).ok());
                members.records.extend(key.map(|key| (Key::from(key), Bytes::copy_from_slice(record))));
                true
            })?;
            waiting.into_iter().for_each(|entry| members.take(entry));
            Ok(members)
        })
    }
}
