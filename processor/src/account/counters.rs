//! How the events of a partition ended so far, one outcome each, and the sums over all partitions.
//!
//! ```text
//!     accepted = on time + late + duplicate + conflict + quarantined + waiting + not measured
//! ```
//! An event that waits counts as on time or late once what it names has come, and waits again where merged accounts are
//! taken apart; every other outcome stays. An event that one task counted may wait in another, so the count of one task
//! alone may be below zero, and wraps; the sum over all tasks does not. It does not know what a door refused.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use processor_core::engine::Found;
use task::Lent;

use super::kept::{Lending, Members, Own, Position};
use crate::telemetry;

/// Number of outcomes.
pub(super) const OUTCOMES: usize = 7;
/// Conflicts that are kept to be shown.
const CONFLICTS_MAX: usize = 100;

/// Events by outcome; accepted is their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Applied, not late.
    pub on_time: u64,
    /// Applied, dated over a minute before the clock.
    pub late: u64,
    /// Known already, with the same content.
    pub duplicate: u64,
    /// Known already, with other content: the first holds.
    pub conflict: u64,
    /// Dated too far ahead, or not readable: in the dead letters.
    pub quarantined: u64,
    /// Waiting now for the order or event that they name.
    pub waiting: u64,
    /// Of a type that no metric reads.
    pub not_measured: u64,
}

impl Counters {
    /// Counts with the word of each, in the order in which people are shown them.
    pub fn by_outcome(&self) -> [(&'static str, u64); OUTCOMES] {
        [
            ("on time", self.on_time),
            ("late", self.late),
            ("duplicate", self.duplicate),
            ("conflict", self.conflict),
            ("quarantined", self.quarantined),
            ("waiting", self.waiting),
            ("not measured", self.not_measured),
        ]
    }

    /// All of them.
    pub fn accepted(&self) -> u64 {
        self.by_outcome().into_iter().map(|(_, count)| count).sum()
    }

    pub(super) fn from_counts(counts: [u64; OUTCOMES]) -> Self {
        let [on_time, late, duplicate, conflict, quarantined, waiting, not_measured] = counts;
        Self { on_time, late, duplicate, conflict, quarantined, waiting, not_measured }
    }

    /// Some wait no more.
    pub(super) fn found(&mut self, found: Found) {
        self.on_time = self.on_time.wrapping_add(found.on_time);
        self.late = self.late.wrapping_add(found.late);
        self.waiting = self.waiting.wrapping_sub(found.all());
    }

    /// Some that counted wait again.
    pub(super) fn lost(&mut self, lost: Found) {
        self.on_time = self.on_time.wrapping_sub(lost.on_time);
        self.late = self.late.wrapping_sub(lost.late);
        self.waiting = self.waiting.wrapping_add(lost.all());
    }
}

/// An event whose id was known with other content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// Source of both.
    pub source: String,
    /// Id of both.
    pub id: String,
    /// Partition of the events topic.
    pub partition: u32,
    /// Offset of the one that is not applied.
    pub offset: u64,
}

/// What was found since this process began and changes no outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Openings of an order that another event opens with other content: the later one is in no metric.
    pub opened_again: u64,
    /// The first order that was opened again, and its account.
    pub first_opened_again: Option<(String, String)>,
    /// Events that came again after they had been retracted, which holds.
    pub retracted: u64,
}

/// The counters of all partitions, as of the last record, for whoever wants to look.
#[derive(Debug, Default)]
pub struct Shared {
    outcomes: [AtomicU64; OUTCOMES],
    frozen: AtomicU64,
    conflicts: Mutex<Vec<Conflict>>,
    findings: Mutex<Findings>,
    /// By dimension.
    others: Mutex<BTreeMap<String, u64>>,
    /// By task; that of merged accounts follows those of the partitions.
    states: Lending,
}

impl Shared {
    /// The sums now.
    pub fn counters(&self) -> Counters {
        Counters::from_counts(std::array::from_fn(|at| self.outcomes[at].load(Ordering::Relaxed)))
    }

    /// Changes to rows past their keep: counted, not published.
    pub fn frozen(&self) -> u64 {
        self.frozen.load(Ordering::Relaxed)
    }

    /// The first conflicts since this process began, by source and id.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = self.conflicts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        conflicts.sort();
        conflicts
    }

    /// What was found since this process began.
    pub fn findings(&self) -> Findings {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lend(&self, task: u32, state: Lent) {
        self.states.lend(task, state);
    }

    /// How far the task of a partition was when it wrote its state, if it is one of this process.
    pub(crate) fn position(&self, partition: u32) -> Option<Position> {
        self.states.position(partition)
    }

    /// What the task of a partition has of an account.
    pub(crate) fn own(&self, partition: u32, key: &str) -> Option<Own> {
        self.states.own(partition, key)
    }

    /// What the stage of merged accounts has, beside so many partitions.
    pub(crate) fn members(&self, partitions: u32) -> Option<Members> {
        self.states.members(partitions)
    }

    pub(super) fn opened_again(&self, order: &str, account: &str) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.opened_again += 1;
        findings.first_opened_again.get_or_insert_with(|| (order.to_owned(), account.to_owned()));
    }

    pub(super) fn retracted(&self) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).retracted += 1;
    }

    pub(super) fn conflict(&self, conflict: Conflict) {
        let mut conflicts = self.conflicts.lock().unwrap_or_else(PoisonError::into_inner);
        if conflicts.len() < CONFLICTS_MAX {
            conflicts.push(conflict);
        }
    }

    /// Changes that were counted as `other`, since their dimension has as many values as are kept apart; by dimension.
    pub fn others(&self) -> BTreeMap<String, u64> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts changes that went to `other`.
    pub(crate) fn add_others(&self, changes: Vec<(String, u64)>) {
        for (dimension, changes) in changes {
            telemetry::other(&dimension, changes);
            *self.others.lock().unwrap_or_else(PoisonError::into_inner).entry(dimension).or_default() += changes;
        }
    }

    /// Counts changes to rows past their keep.
    pub(crate) fn add_frozen(&self, changes: u64) {
        self.frozen.fetch_add(changes, Ordering::Relaxed);
        telemetry::frozen(changes);
    }

    pub(super) fn add(&self, now: &Counters, before: &Counters) {
        for ((outcome, (_, now)), (_, before)) in self.outcomes.iter().zip(now.by_outcome()).zip(before.by_outcome()) {
            // Those that wait become fewer; a difference below zero wraps, and so does the sum, back to what it is.
            outcome.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_task_counted_may_be_found_and_wait_again_in_another() {
        let (one, found) = (Counters { on_time: 2, waiting: 1, ..Counters::default() }, Found { on_time: 1, late: 0 });
        let mut other = Counters::default();
        let shared = Shared::default();
        shared.add(&one, &Counters::default());
        for _ in 0..3 {
            let before = other;
            other.found(found);
            shared.add(&other, &before);
            assert_eq!(shared.counters(), Counters { on_time: 3, ..Counters::default() });

            let before = other;
            other.lost(found);
            shared.add(&other, &before);
            assert_eq!(shared.counters(), one);
        }
    }
}
