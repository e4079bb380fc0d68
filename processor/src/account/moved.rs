//! Accounts that the stage of merged accounts has: which they are, and what goes to it at the end of the instant.
//!
//! Invariants: an account is handed over once, with all its events so far, and every later event follows; each instant
//! ends with a mark, whether anything was moved or not. It does not know what is merged with what.

use std::sync::Arc;

use eventlog::Output;
use processor_core::{
    calendar::Time,
    map::Set,
    shown::{Which, Withdrawn},
};
use proto::{Message as _, v1};
use task::{Batch, Result, State};

use super::output;
use crate::topics;

/// Keys of the accounts that were handed over.
pub(super) const MOVED: &str = "moved";

/// Bytes of records in an entry, about: a journal may be longer than a record of the log.
const ENTRY_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Moved {
    keys: Set<Box<str>>,
    /// Since the last flush.
    new: Vec<Box<str>>,
    /// Of this instant, in order.
    accounts: Vec<v1::MovedAccount>,
}

impl Moved {
    /// Those that the state knows.
    pub(super) fn load(state: &State) -> Result<Moved> {
        let mut moved = Moved::default();
        let mut intact = true;
        state.scan(MOVED, &[], |key, _| {
            intact = std::str::from_utf8(key).map(|key| moved.keys.insert(key.into())).is_ok();
            intact
        })?;
        if intact { Ok(moved) } else { Err(state.damaged("the key of a moved account does not decode")) }
    }

    /// Whether an account was handed over.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains(key)
    }

    /// Hands over an account with all its records.
    pub(super) fn hand_over<'r>(
        &mut self,
        key: String,
        records: impl Iterator<Item = &'r [u8]>,
        withdrawn: &Withdrawn,
    ) {
        self.keys.insert(key.as_str().into());
        self.new.push(key.as_str().into());
        let days = |which: Which| withdrawn.iter().filter(|(of, _)| *of == which).map(|(_, day)| *day).collect();
        let mut account = v1::MovedAccount {
            key: key.clone(),
            handed_over: true,
            records: Vec::new(),
            withdrawn: days(Which::Silence),
            withdrawn_scores: days(Which::Score),
        };
        let mut bytes = 0;
        for record in records {
            if bytes > ENTRY_BYTES {
                let next = v1::MovedAccount { key: key.clone(), handed_over: true, ..v1::MovedAccount::default() };
                self.accounts.push(std::mem::replace(&mut account, next));
                bytes = 0;
            }
            bytes += record.len();
            account.records.push(record.to_vec().into());
        }
        self.accounts.push(account);
    }

    /// Hands on an event of an account that was handed over.
    pub(super) fn forward(&mut self, key: &str, record: &[u8]) {
        let records = vec![record.to_vec().into()];
        self.accounts.push(v1::MovedAccount { key: key.to_owned(), records, ..v1::MovedAccount::default() });
    }

    /// What goes out with the instant, of which the last entry closes it.
    pub(super) fn close(&mut self, clock: Time, source: u32, generation: u64, outputs: &mut Vec<Output>) {
        let topic: Arc<str> = Arc::from(topics::MOVED);
        let entry = || v1::MovedEntry { source, instant_us: clock, generation, accounts: Vec::new(), closes: false };
        let mut entries = vec![entry()];
        let mut bytes = 0;
        for account in self.accounts.drain(..) {
            let last = entries.len() - 1;
            bytes += account.records.iter().map(|record| record.len()).sum::<usize>();
            entries[last].accounts.push(account);
            if bytes > ENTRY_BYTES {
                entries.push(entry());
                bytes = 0;
            }
        }
        entries.last_mut().expect("an instant has an entry").closes = true;
        outputs.extend(entries.into_iter().map(|entry| output(&topic, 0, Vec::new(), entry.encode_to_vec(), clock)));
    }

    /// Writes what is new since the last flush.
    pub(super) fn flush(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.new.drain(..).try_for_each(|key| batch.put(MOVED, key.as_bytes(), &[]))
    }
}
