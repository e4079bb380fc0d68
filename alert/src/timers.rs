//! When time alone may change a series: all due times, the earliest first.

use std::collections::BTreeSet;

use processor_core::calendar::Time;

use crate::machine::second;

/// Due times of series.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Time, Vec<u8>)>);

impl Timers {
    /// A series was due then, and is due now.
    pub(crate) fn moved(&mut self, key: &[u8], was: Option<Time>, now: Option<Time>) {
        if was == now {
            return;
        }
        if let Some(was) = was {
            self.0.remove(&(was, key.to_vec()));
        }
        if let Some(now) = now {
            self.0.insert((now, key.to_vec()));
        }
    }

    /// The first series that is due by this clock.
    pub(crate) fn first(&self, clock: Time) -> Option<&[u8]> {
        self.0.first().filter(|(due, _)| second(*due) <= clock).map(|(_, key)| key.as_slice())
    }

    /// Up to `most` series that are due by this clock, for reading their states ahead.
    pub(crate) fn due(&self, clock: Time, most: usize) -> Vec<Vec<u8>> {
        let due = self.0.iter().take_while(|(due, _)| second(*due) <= clock);
        due.take(most).map(|(_, key)| key.clone()).collect()
    }
}
