//! How much memory all requests together may take: a body takes its share as it grows, and gives it back when answered.
//!
//! It does not wait: a request that does not fit is refused, and its sender tries again.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Refusal;

/// What a permit stands for.
const UNIT: usize = 1024;

/// The memory of all requests.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// So much for all.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// Nothing yet.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0, held: None }
    }
}

/// The memory of one request.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// When all requests together would have more than there is.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = self.bytes.div_ceil(UNIT).saturating_sub(held);
        let permits = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(more) = self.budget.0.clone().try_acquire_many_owned(permits) else {
            return Err(Refusal::busy("too many requests are at work"));
        };
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_what_was_answered_is_free() {
        let budget = Budget::new(10 * UNIT);
        let (mut a, mut b) = (budget.share(), budget.share());
        a.grow(4 * UNIT).unwrap();
        a.grow(1).unwrap();
        b.grow(5 * UNIT).unwrap();
        assert!(b.grow(1).is_err(), "11 of 10");
        drop(a);
        b.grow(UNIT).unwrap();
    }
}
