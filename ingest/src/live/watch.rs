//! The clock of the log as other doors move it: reads one partition, which has every tick.

use std::{sync::Arc, time::Duration};

use eventlog::{Assignment, Consumer, Log, Poll};

use crate::{Result, door};

const POLL_BYTES: usize = 1 << 20;
/// Polls a look may take: a busy log is read in several.
const POLLS_MAX: u32 = 16;

/// Reads the first partition from where it ended when opened.
pub(super) struct Watch {
    topic: Arc<str>,
    consumer: Box<dyn Consumer>,
}

impl Watch {
    pub(super) fn open(log: &dyn Log, topic: Arc<str>) -> Result<Self> {
        let end = log.watermarks(&topic, 0)?.high;
        let consumer = log.consumer(Assignment::manual(&topic, [(0, end)]))?;
        Ok(Self { topic, consumer })
    }

    /// The greatest tick that is new, if there is one.
    pub(super) fn look(&mut self) -> Result<Option<i64>> {
        let mut greatest = None;
        for _ in 0..POLLS_MAX {
            let poll = self.consumer.poll(POLL_BYTES, Duration::ZERO)?;
            let Poll::Records { records, partition, .. } = poll else { break };
            // Ticks have no key: events need not be decoded.
            for stored in records.iter().filter(|stored| stored.record.key.is_empty()) {
                greatest = greatest.max(door::tick(&self.topic, partition, stored)?);
            }
        }
        Ok(greatest)
    }
}
