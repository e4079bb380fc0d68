//! The events of one account, read back from the log: what an explanation is computed from.
//!
//! Invariant: gives what the stage of accounts applied, in the same order: of two events of one id the first, none that was
//! dated ahead. It reads one partition from its begin; it does not know states.

use eventlog::Log;
use processor_core::{
    calendar::Time,
    event::{Event, EventId},
    map::Set,
    plan::Plan,
    vocabulary::identity_linked,
};
use proto::bytes::Bytes;

use crate::{
    topics,
    wire::{self, Entry, SEPARATOR, Subject},
};

/// What the log has of an account.
#[derive(Debug, Default)]
pub struct Found {
    records: Vec<Bytes>,
    /// The last tick of its partition.
    pub clock: Option<Time>,
    /// Whether it takes part in a merge of accounts.
    pub merged: bool,
}

impl Found {
    /// Reads the partition of an account.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(log: &dyn Log, partition: u32, tenant: &str, account: &str) -> eventlog::Result<Found> {
        let wanted = format!("{tenant}{SEPARATOR}a{SEPARATOR}{account}");
        let (mut found, mut key) = (Found::default(), String::new());
        let mut is_of_it = |subject: Subject<'_>| {
            key.clear();
            subject.write_key(&mut key);
            key == wanted
        };
        for stored in eventlog::past(log, topics::EVENTS, partition, 0)? {
            let Some(value) = stored?.record.value else { continue };
            match wire::entry(&value) {
                Ok(Entry::Tick(at)) => found.clock = found.clock.max(Some(at)),
                Ok(Entry::Claim(subject)) => found.merged |= is_of_it(subject),
                Ok(Entry::Event(subject, event)) if is_of_it(subject) => {
                    found.merged |= event.kind == identity_linked::TYPE;
                    found.records.push(value.clone());
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Its events in the order of arrival.
    pub fn events(&self, plan: &Plan) -> Vec<Event<'_>> {
        let mut known: Set<EventId<'_>> = Set::default();
        let events = self.records.iter().filter_map(|record| wire::event(record));
        let applied = events.filter(|event| event.time.saturating_sub(event.recorded_at) <= plan.settings.max_ahead);
        applied.filter(|event| known.insert(event.id)).collect()
    }
}
