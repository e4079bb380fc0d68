//! What a partition holds already, and no more: for those who read the past and end.
//!
//! It ends where the partition ended when the reading began; what is appended meanwhile is left out.

use std::{time::Duration, vec};

use crate::{Assignment, Consumer, Log, Poll, Result, Stored};

/// Bytes of records a poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits where nothing more is known to be there.
const WAIT: Duration = Duration::from_millis(50);

/// Records of a partition in offset order; made by [`past`].
pub struct Past {
    /// `None` when all has been read.
    consumer: Option<Box<dyn Consumer>>,
    high: u64,
    records: vec::IntoIter<Stored>,
}

/// The records of a partition from an offset, or from the first kept one if that is later, to where it ends now.
///
/// # Errors
/// When there is no such partition, or it cannot be read.
pub fn past(log: &dyn Log, topic: &str, partition: u32, from: u64) -> Result<Past> {
    let marks = log.watermarks(topic, partition)?;
    let from = from.max(marks.low);
    let open = || log.consumer(Assignment::manual(topic, [(partition, from)]));
    let consumer = (from < marks.high).then(open).transpose()?;
    Ok(Past { consumer, high: marks.high, records: Vec::new().into_iter() })
}

impl Past {
    fn next_record(&mut self) -> Result<Option<Stored>> {
        loop {
            if let Some(stored) = self.records.next() {
                // Whatever comes after this was appended meanwhile.
                return Ok((stored.offset < self.high).then_some(stored));
            }
            let Some(consumer) = &mut self.consumer else { return Ok(None) };
            match consumer.poll(POLL_BYTES, WAIT)? {
                Poll::Records { records, .. } => {
                    if records.last().is_some_and(|last| last.offset + 1 >= self.high) {
                        self.consumer = None;
                    }
                    self.records = records.into_iter();
                }
                // All that was there has come: on Kafka the ends of transactions take offsets, too.
                _ => self.consumer = None,
            }
        }
    }
}

impl Iterator for Past {
    type Item = Result<Stored>;

    fn next(&mut self) -> Option<Result<Stored>> {
        let next = self.next_record();
        if next.is_err() {
            self.consumer = None;
        }
        next.transpose()
    }
}
