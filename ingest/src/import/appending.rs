//! The second half of an import: rows and ticks to the log, with the position in the same commit.
//!
//! Invariants: a row is appended once, however often the import is killed; the last commit deletes the position.

use std::sync::atomic::{AtomicBool, Ordering};

use eventlog::{Committed, GroupOffsets};
use proto::{Message, v1::Event};

use super::{Options, Position, Progress, Summary, listed};
use crate::{Error, Result, amend, door::Door, sort::Merge};

/// The second half: rows and ticks to the log.
pub(super) struct Appending<'a> {
    pub(super) options: &'a Options,
    pub(super) group: String,
    pub(super) position: Position,
    pub(super) door: Door,
    pub(super) listed: listed::Listed,
    /// Rows to append, about.
    pub(super) total: u64,
    pub(super) summary: Summary,
}

impl Appending<'_> {
    pub(super) fn run(mut self, rows: Merge, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
        let mut skip = self.position.done;
        if !self.position.there {
            self.listed.add(&self.summary, self.position.done, false, &mut self.door);
        }
        for row in rows {
            let row = row?;
            if skip > 0 {
                skip -= 1;
                continue;
            }
            while let Some(at_us) = self.door.schedule().before(row.time_us) {
                if self.tick(at_us, progress)? && stop.load(Ordering::Relaxed) {
                    return self.stopped();
                }
            }
            let event = Event::decode(row.payload.as_slice()).map_err(|_| Error::Run("event"))?;
            let brought_by = amend::brought_by(&row.source, &event);
            self.door.append_with(event, brought_by);
            self.position.done += 1;
            self.summary.appended += 1;
            if self.flush(progress)? && stop.load(Ordering::Relaxed) {
                return self.stopped();
            }
        }
        self.close(progress, stop)
    }

    /// The last tick, then on to `--until`; the final commit forgets the position.
    fn close(mut self, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
        if let Some(at_us) = self.door.schedule().last() {
            self.tick(at_us, progress)?;
        }
        if let Some(until_us) = self.options.until_us {
            while let Some(at_us) = self.door.schedule().towards(until_us) {
                if self.tick(at_us, progress)? && stop.load(Ordering::Relaxed) {
                    return self.stopped();
                }
            }
        }
        self.listed.add(&self.summary, self.position.done, true, &mut self.door);
        if self.position.there || !self.door.is_empty() {
            self.commit(None, progress)?;
        }
        Ok(self.end())
    }

    fn tick(&mut self, at_us: i64, progress: &mut dyn FnMut(Progress)) -> Result<bool> {
        if self.door.tick(at_us) {
            self.summary.ticks += 1;
        }
        self.flush(progress)
    }

    fn flush(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<bool> {
        if !self.door.is_full() {
            return Ok(false);
        }
        let metadata = self.position.metadata(self.door.schedule().clock().rows);
        self.commit(Some(Committed { offset: self.position.done, metadata }), progress)?;
        Ok(true)
    }

    fn commit(&mut self, position: Option<Committed>, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.position.there = position.is_some();
        let offsets = vec![(self.options.topic.as_str().into(), 0, position)];
        self.door.commit(vec![GroupOffsets { group: self.group.clone(), offsets }])?;
        self.summary.commits += 1;
        progress(Progress::Appending { done: self.position.done, total: self.total });
        Ok(())
    }

    fn stopped(mut self) -> Result<Summary> {
        self.summary.stopped = true;
        Ok(self.end())
    }

    fn end(mut self) -> Summary {
        self.summary.clock_us = self.door.schedule().clock().at;
        self.summary
    }
}
