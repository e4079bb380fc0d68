//! A bounded pool of readers: each is used by one thread at a time and sees what is stored when it is taken.
//!
//! Invariants: at most so many readers are open; one that returned an error is closed. It does not know who asks.

use std::{
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Reader;
use crate::{Read as _, Result};

/// Readers of one store.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Debug)]
struct Idle {
    readers: Vec<Reader>,
    /// How many more may be opened.
    unopened: usize,
}

impl Pool {
    /// At most `readers` of the store at `path`, which need not be there yet.
    pub fn new(path: &Path, readers: usize) -> Self {
        assert!(readers > 0, "a pool without readers would never answer");
        let idle = Mutex::new(Idle { readers: Vec::new(), unopened: readers });
        Self { path: path.to_owned(), idle, returned: Condvar::new() }
    }

    /// Calls `ask` with a reader that sees what is stored now; waits while all are in use.
    ///
    /// # Errors
    /// When the store cannot be opened or read, and those of `ask`.
    pub fn read<T, E: From<crate::Error>>(&self, ask: impl FnOnce(&mut Reader) -> Result<T, E>) -> Result<T, E> {
        let seat = Seat { pool: self, reader: self.take() };
        let mut seat = seat.refreshed()?;
        let reader = seat.reader.as_mut().expect("a refreshed seat has a reader");
        let answer = ask(reader);
        if answer.is_ok() {
            // Between questions no moment is held: that would keep the write-ahead log from being reset.
            seat.reader = seat.reader.take().and_then(|mut reader| reader.let_go().is_ok().then_some(reader));
        } else {
            seat.reader = None;
        }
        answer
    }

    /// An open reader, or the right to open one.
    fn take(&self) -> Option<Reader> {
        let mut idle = self.lock();
        loop {
            if let Some(reader) = idle.readers.pop() {
                return Some(reader);
            }
            if idle.unopened > 0 {
                idle.unopened -= 1;
                return None;
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the pool, given back whatever happens.
struct Seat<'a> {
    pool: &'a Pool,
    reader: Option<Reader>,
}

impl Seat<'_> {
    fn refreshed(mut self) -> Result<Self> {
        match &mut self.reader {
            // The file may have been replaced, by a rebuild.
            Some(reader) if reader.is_current() => reader.refresh()?,
            _ => self.reader = Some(Reader::open(&self.pool.path)?),
        }
        Ok(self)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.lock();
        match self.reader.take() {
            Some(reader) => idle.readers.push(reader),
            None => idle.unopened += 1,
        }
        drop(idle);
        self.pool.returned.notify_one();
    }
}
