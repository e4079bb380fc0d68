//! Timers of a partition: those due before the horizon in memory, later ones on disk.
//!
//! Invariant: a timer rings once, in the order of (due, account); one that the account no longer
//! waits for may ring, too, and is ignored by the engine.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use processor_core::calendar::{DAY, Time};
use task::{Batch, Result, State};

use super::ordered;

/// Due time and key as bytes, without anything else.
pub(super) const TIMERS: &str = "timers";

#[derive(Debug)]
pub(super) struct Timers {
    near: BinaryHeap<Reverse<(Time, Box<str>)>>,
    horizon: Time,
    /// Set (true) and rung (false) since the last flush, in that order.
    writes: Vec<(Time, Box<str>, bool)>,
    /// Those of `writes` that were set beyond the horizon, by day.
    later: BTreeMap<Time, Vec<usize>>,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { near: BinaryHeap::new(), horizon: Time::MIN, writes: Vec::new(), later: BTreeMap::new() }
    }
}

impl Timers {
    /// Sets a timer.
    pub(super) fn set(&mut self, due: Time, key: &str) {
        if due < self.horizon {
            self.near.push(Reverse((due, key.into())));
        } else {
            self.later.entry(due.div_euclid(DAY)).or_default().push(self.writes.len());
        }
        self.writes.push((due, key.into(), true));
    }

    /// Takes all that are due at `clock` or before, in (due, account) order.
    pub(super) fn due(&mut self, clock: Time, state: &State) -> Result<Vec<(Time, Box<str>)>> {
        if clock >= self.horizon {
            self.look_ahead(clock.saturating_add(DAY), state)?;
        }
        let mut due = Vec::new();
        while let Some(Reverse(timer)) = self.near.peek()
            && timer.0 <= clock
        {
            if due.last() != Some(timer) {
                self.writes.push((timer.0, timer.1.clone(), false));
                due.push(timer.clone());
            }
            self.near.pop();
        }
        Ok(due)
    }

    fn look_ahead(&mut self, horizon: Time, state: &State) -> Result<()> {
        let start: &[u8] = if self.horizon == Time::MIN { &[] } else { &ordered(self.horizon) };
        let mut bad = false;
        state.scan(TIMERS, start, |key, _| match parse(key) {
            Some((due, _)) if due >= horizon => false,
            Some((due, account)) => {
                self.near.push(Reverse((due, account.into())));
                true
            }
            None => {
                bad = true;
                false
            }
        })?;
        if bad {
            return Err(state.damaged("a timer does not decode"));
        }
        self.horizon = horizon;
        // The day that the horizon cuts is taken apart, each day but once or twice.
        while let Some(days) = self.later.first_entry()
            && *days.key() <= horizon.div_euclid(DAY)
        {
            let (day, set) = days.remove_entry();
            let (near, later): (Vec<usize>, Vec<usize>) = set.into_iter().partition(|at| self.writes[*at].0 < horizon);
            self.near.extend(near.into_iter().map(|at| Reverse((self.writes[at].0, self.writes[at].1.clone()))));
            if !later.is_empty() {
                self.later.insert(day, later);
                break;
            }
        }
        Ok(())
    }

    /// Writes what changed since the last flush; what was set and has rung in between never was.
    pub(super) fn flush(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.writes.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        for same in self.writes.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1)) {
            let ((due, account, first), last) = (&same[0], same[same.len() - 1].2);
            let key = [&ordered(*due)[..], account.as_bytes()].concat();
            match (first, last) {
                (_, true) => batch.put(TIMERS, &key, &[])?,
                (false, false) => batch.delete(TIMERS, &key)?,
                (true, false) => {}
            }
        }
        self.writes.clear();
        self.later.clear();
        Ok(())
    }
}

fn parse(key: &[u8]) -> Option<(Time, &str)> {
    let (due, account) = key.split_first_chunk::<8>()?;
    Some(((u64::from_be_bytes(*due) ^ (1 << 63)).cast_signed(), std::str::from_utf8(account).ok()?))
}
