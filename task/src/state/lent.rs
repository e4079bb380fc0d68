//! A state that others read while its task runs.
//!
//! Invariants: a reader sees what the last [`Batch::write`](super::Batch) left, or a later one; a task that closes its state
//! waits for those who read it, and nobody reads it afterwards, so that the next task finds it closed. Readers are short: they
//! look at a few keys, and write nothing.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use rocksdb::DB;

use super::State;
use crate::Result;

/// The storage, until the task closes it.
type Gate = Arc<RwLock<Option<Arc<DB>>>>;

/// What a task keeps of its gate.
#[derive(Default)]
pub(super) struct Lender(Gate);

impl Lender {
    pub(super) fn lend(&self, state: &State) -> Lent {
        let mut gate = self.0.write().unwrap_or_else(PoisonError::into_inner);
        gate.get_or_insert_with(|| state.db.clone());
        Lent { gate: self.0.clone(), path: state.path.clone() }
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A state of another thread, for reading.
#[derive(Clone)]
pub struct Lent {
    gate: Gate,
    path: PathBuf,
}

impl Lent {
    /// Hands the state to `read`; none when its task has closed it.
    ///
    /// # Errors
    /// What `read` says.
    pub fn look<T>(&self, read: impl FnOnce(&State) -> Result<T>) -> Result<Option<T>> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = gate.as_ref() else { return Ok(None) };
        let state = State::over(db.clone(), self.path.clone());
        read(&state).map(Some)
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lent").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::Memory;

    #[test]
    fn a_lent_state_is_read_until_its_task_closes_it_and_can_be_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 20, 1 << 20);
        let state = State::open(dir.path(), &["a"], &memory).unwrap();
        let lent = state.lend();
        let value = |lent: &Lent| lent.look(|state| Ok((state.next_offset()?, state.get("a", b"k")?))).unwrap();
        assert_eq!(value(&lent), Some((None, None)));
        let mut batch = state.batch(0);
        batch.put("a", b"k", b"v").unwrap();
        batch.write(7).unwrap();
        assert_eq!(value(&lent), Some((Some(7), Some(b"v".to_vec()))));

        let (began, reading) = (Arc::new(std::sync::Barrier::new(2)), lent.clone());
        let reader = {
            let began = began.clone();
            std::thread::spawn(move || {
                reading.look(|state| {
                    began.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    state.get("a", b"k")
                })
            })
        };
        began.wait();
        drop(state);
        assert_eq!(value(&lent), None);
        // It could not be opened while somebody has it open.
        assert_eq!(State::open(dir.path(), &["a"], &memory).unwrap().next_offset().unwrap(), Some(7));
        assert_eq!(reader.join().unwrap().unwrap(), Some(Some(b"v".to_vec())));
    }
}
