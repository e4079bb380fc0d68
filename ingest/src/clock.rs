//! What time it is: the one input of a live door that is not in its requests, injected so that tests can drive it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Two clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Microseconds since the Unix epoch. Somebody may set it.
    pub wall_us: i64,
    /// Time since some moment. Nobody can set it; it also counts while the machine sleeps.
    pub steady: Duration,
}

/// Where a door gets the time from.
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Now;
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

/// A laptop that slept has not had its clock set: the monotonic clock of Linux stands still meanwhile, this one does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

impl Clock for System {
    fn now(&self) -> Now {
        let steady = clock_gettime(STEADY);
        let seconds = u64::try_from(steady.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(steady.tv_nsec).unwrap_or_default();
        Now { wall_us: jiff::Timestamp::now().as_microsecond(), steady: Duration::new(seconds, nanos) }
    }
}
