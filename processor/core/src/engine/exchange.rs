//! Journals that change hands: the whole journal of an account is given away to another engine, taken over from one, or
//! exchanged for another journal, where accounts are merged.
//!
//! Invariants: slices get the difference between the two journals; an account that is given away or taken over shows what
//! it showed before, so that only what the new engine changes is published. It does not know which accounts are merged.

use super::{Engine, Found, prints};
use crate::{event::Event, hot::Slot, shown::Withdrawn};

impl Engine {
    /// Folds a journal in the place of the one that an account has.
    pub fn exchange<'e>(&mut self, slot: Slot, mut before: Vec<Event<'e>>, mut after: Vec<Event<'e>>) {
        let index = self.open(slot);
        for journal in [&mut before, &mut after] {
            journal.sort_by(|a, b| a.order().cmp(&b.order()));
        }

        self.hot.touch(index);
        self.replace(index, &before, &after);

        self.hot.touch(index).account.events = after.len() as u64;
        for event in &after {
            let (prints, _, count) = prints(event);
            prints[..count].iter().for_each(|print| self.hot.note(index, *print));
        }
        self.settle(index, &[]);
    }

    /// Takes an account with this journal out of all slices. Returns the days of which it has taken a value back so far.
    pub fn give_away(&mut self, slot: Slot, journal: Vec<Event<'_>>) -> Withdrawn {
        let index = self.open(slot);
        let withdrawn = self.hot.opened(index).account.withdrawn.clone();
        self.exchange(slot, journal, Vec::new());
        self.keep_shown(index);
        withdrawn
    }

    /// Adds an account that another engine gave away with this journal and these days taken back.
    pub fn take_over(&mut self, slot: Slot, journal: Vec<Event<'_>>, withdrawn: Withdrawn) {
        let index = self.open(slot);
        self.hot.touch(index).account.withdrawn = withdrawn;
        self.exchange(slot, Vec::new(), journal);
        self.keep_shown(index);
    }

    /// What an account shows now is no change of this instant.
    fn keep_shown(&mut self, index: usize) {
        let open = self.hot.touch(index);
        open.remember();
        open.days.clear();
    }

    /// Measured events of a journal that wait for another one, by what they count as once that has come.
    pub fn waiting(&self, journal: &[Event<'_>]) -> Found {
        let mut waiting = Found::default();
        let waits = |event: &&Event<'_>| self.tools.measures(event) && event.waits(journal);
        journal.iter().filter(waits).for_each(|event| waiting.count(event));
        waiting
    }

    /// Whether a metric reads this event, and whether it is late as of the clock.
    pub fn measured(&self, event: &Event<'_>) -> (bool, bool) {
        (self.tools.measures(event), event.time < self.clock.saturating_sub(super::LATE))
    }

    /// Whether an event is dated too far after it was recorded.
    pub fn ahead(&self, event: &Event<'_>) -> bool {
        event.time.saturating_sub(event.recorded_at) > self.tools.plan.settings.max_ahead
    }
}
