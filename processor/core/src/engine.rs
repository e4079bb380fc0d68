//! The engine of one partition: hot accounts in memory, events in, changes of slices and of
//! accounts out.
//!
//! Invariants: pure; an event in order advances hot state alone; every other (late, suspected
//! duplicate, `corrects`, `retracted`, cancelled, refunded) folds the account's journal again and
//! adds the difference. What it needs and does not hold it asks for ([`Outcome::NeedsAccount`],
//! [`Outcome::NeedsJournal`]) and the caller tries again: it never reads storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    account::{Account, Silence, Total},
    calendar::{Calendar, Day, SECOND, Time},
    event::{Body, Event, EventId},
    fold::{Fold, SilenceChange},
    lifecycle::journal::{Effect, resolve},
    map::Map,
    plan::Plan,
    series::{Deltas, Profiles, Rows, Series},
};

/// An event dated this long before the clock is late.
const LATE: Time = 60 * SECOND;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Applied; keep it in the journal.
    Applied {
        /// Dated over a minute before the clock.
        late: bool,
    },
    /// Seen before: nothing changed.
    Duplicate,
    /// Dated too far after its `recorded_at`: not applied.
    Ahead,
    /// Load the account's hot state with [`Engine::load`], then try again.
    NeedsAccount,
    /// Try again with the account's journal.
    NeedsJournal,
}

/// What one account shows after an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// Key of the account.
    pub key: Box<str>,
    /// Sums before the instant.
    pub totals_before: Vec<Total>,
    /// Sums now.
    pub totals: Vec<Total>,
    /// Silence at the end of each local day that changed; `None` where the account no longer has any.
    pub silence: BTreeMap<Day, Option<(Silence, Option<EventId>)>>,
}

#[derive(Debug, Default)]
struct Touched {
    totals_before: Vec<Total>,
    silence: BTreeMap<Day, Option<(Silence, Option<EventId>)>>,
}

/// The engine of one partition.
#[derive(Debug)]
pub struct Engine {
    plan: Arc<Plan>,
    calendar: Calendar,
    profiles: Profiles,
    series: Series,
    deltas: Deltas,
    accounts: Map<Box<str>, Account>,
    dirty: Map<Box<str>, ()>,
    touched: Map<Box<str>, Touched>,
    timers: Vec<(Time, Box<str>)>,
    clock: Time,
}

impl Engine {
    /// An engine without accounts; `clock` is the partition's, [`Time::MIN`] before the first tick.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Engine {
        Engine {
            calendar: Calendar::new(plan.settings.zone.clone()),
            profiles: Profiles::new(&plan),
            series: Series::default(),
            deltas: Deltas::default(),
            accounts: Map::default(),
            dirty: Map::default(),
            touched: Map::default(),
            timers: Vec::new(),
            clock,
            plan,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The greatest tick closed.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// Whether the account's hot state is here.
    pub fn holds(&self, key: &str) -> bool {
        self.accounts.contains_key(key)
    }

    /// Number of accounts held.
    pub fn held(&self) -> usize {
        self.accounts.len()
    }

    /// Takes an account's hot state from storage; `None` for a new one.
    ///
    /// # Errors
    /// The key, if the bytes are damaged.
    pub fn load(&mut self, key: &str, bytes: Option<&[u8]>) -> Result<(), String> {
        let account = match bytes {
            None => Account::new(self.plan.activities.len()),
            Some(bytes) => Account::decode(bytes, &mut self.profiles, self.plan.traits.len())
                .filter(|account| account.active.len() == self.plan.activities.len())
                .ok_or_else(|| format!("the state of account {key:?} does not decode"))?,
        };
        self.accounts.insert(key.into(), account);
        Ok(())
    }

    /// Applies one event of the account `key`; `journal` is all its earlier events, in any order.
    pub fn apply(&mut self, key: &str, event: &Event, journal: Option<Vec<Event>>) -> Outcome {
        if event.time.saturating_sub(event.recorded_at) > self.plan.settings.max_ahead {
            return Outcome::Ahead;
        }
        let Some(account) = self.accounts.get(key) else { return Outcome::NeedsAccount };
        let prints = prints(event);
        let plain = matches!(event.body, Body::Order(_) | Body::Traits(_) | Body::Usage(_) | Body::Other) && event.corrects.is_none();
        let in_order = event.time > account.last && event.time > account.fired;
        let unknown = !prints.iter().any(|print| account.ids.may_hold(*print));
        let late = event.time < self.clock.saturating_sub(LATE);
        let straight = account.events == 0 || (plain && in_order && unknown);
        match (straight, journal) {
            (true, _) => self.advance(key, event, &prints),
            (false, None) => return Outcome::NeedsJournal,
            (false, Some(journal)) if journal.iter().any(|known| known.id == event.id) => return Outcome::Duplicate,
            (false, Some(journal)) => self.refold(key, event, journal, &prints),
        }
        Outcome::Applied { late }
    }

    /// The common case: the event comes after everything known.
    fn advance(&mut self, key: &str, event: &Event, prints: &[u32]) {
        let Some(mut account) = self.accounts.remove(key) else { return };
        self.touch(key, &account);
        let mut silences = Vec::new();
        let effect = match &event.body {
            Body::Order(order) => Effect::Order(order),
            Body::Traits(_) | Body::Usage(_) | Body::Other => Effect::Plain,
            _ => Effect::Nothing,
        };
        let clock = self.clock;
        let mut fold = self.fold(1, &mut silences);
        fold.apply(&mut account, event, effect);
        // A late event may bring due times that the clock has passed.
        fold.advance(&mut account, clock, true);
        self.note(key, silences);
        self.settle(key, account, prints);
    }

    /// Every other case: the difference between the journal with and without the event.
    fn refold(&mut self, key: &str, event: &Event, mut journal: Vec<Event>, prints: &[u32]) {
        let Some(account) = self.accounts.remove(key) else { return };
        self.touch(key, &account);
        journal.sort_by(|a, b| a.order().cmp(&b.order()));
        let (_, before) = self.replay(&journal, -1);
        let place = journal.partition_point(|known| known.order() < event.order());
        journal.insert(place, event.clone());
        let (mut folded, after) = self.replay(&journal, 1);
        folded.ids = account.ids;
        folded.events = account.events;
        folded.timer = account.timer;
        self.note_difference(key, &before, &after);
        self.settle(key, folded, prints);
    }

    /// Folds a whole journal up to the clock.
    fn replay(&mut self, journal: &[Event], sign: i128) -> (Account, Vec<SilenceChange>) {
        let mut account = Account::new(self.plan.activities.len());
        let mut silences = Vec::new();
        let clock = self.clock;
        let mut fold = self.fold(sign, &mut silences);
        for (event, effect) in journal.iter().zip(resolve(journal)) {
            fold.apply(&mut account, event, effect);
        }
        fold.advance(&mut account, clock, true);
        (account, silences)
    }

    fn fold<'a>(&'a mut self, sign: i128, silences: &'a mut Vec<SilenceChange>) -> Fold<'a> {
        Fold {
            plan: &self.plan,
            calendar: &mut self.calendar,
            profiles: &mut self.profiles,
            series: &mut self.series,
            deltas: &mut self.deltas,
            sign,
            silences,
        }
    }

    /// Puts the account back with its new ids, and sets its timer if it has to ring earlier.
    fn settle(&mut self, key: &str, mut account: Account, prints: &[u32]) {
        for print in prints {
            if !account.ids.may_hold(*print) {
                account.ids.insert(*print);
            }
        }
        account.events += u64::from(!prints.is_empty());
        let mut none = Vec::new();
        if let Some(due) = self.fold(1, &mut none).due(&account)
            && due < account.timer
        {
            account.timer = due;
            self.timers.push((due, key.into()));
        }
        self.dirty.insert(key.into(), ());
        self.accounts.insert(key.into(), account);
    }

    /// Remembers what the account showed before this instant.
    fn touch(&mut self, key: &str, account: &Account) {
        if !self.touched.contains_key(key) {
            let touched = Touched { totals_before: account.totals.clone(), silence: BTreeMap::new() };
            self.touched.insert(key.into(), touched);
        }
    }

    fn note(&mut self, key: &str, silences: Vec<SilenceChange>) {
        for change in silences {
            let day = self.calendar.day(change.now.since);
            if let Some(touched) = self.touched.get_mut(key) {
                touched.silence.insert(day, Some((change.now, change.cause)));
            }
        }
    }

    /// Notes the days at whose end the silence differs between two histories.
    fn note_difference(&mut self, key: &str, before: &[SilenceChange], after: &[SilenceChange]) {
        let (before, after) = (self.by_day(before), self.by_day(after));
        let Some(touched) = self.touched.get_mut(key) else { return };
        for day in before.keys().chain(after.keys()) {
            let at_end = |history: &BTreeMap<Day, SilenceChange>| history.range(..=*day).next_back().map(|(_, change)| change.clone());
            let (old, new) = (at_end(&before), at_end(&after));
            if old.as_ref().map(|change| change.now) != new.as_ref().map(|change| change.now) {
                touched.silence.insert(*day, new.map(|change| (change.now, change.cause)));
            }
        }
    }

    fn by_day(&mut self, history: &[SilenceChange]) -> BTreeMap<Day, SilenceChange> {
        history.iter().map(|change| (self.calendar.day(change.now.since), change.clone())).collect()
    }

    /// A timer set for `due` rings as the clock comes to `clock`. The account must be loaded.
    pub fn ring(&mut self, key: &str, due: Time, clock: Time) {
        let Some(mut account) = self.accounts.remove(key) else { return };
        if account.timer != due {
            self.accounts.insert(key.into(), account);
            return;
        }
        self.touch(key, &account);
        account.timer = Time::MAX;
        let mut silences = Vec::new();
        self.fold(1, &mut silences).advance(&mut account, clock, true);
        self.note(key, silences);
        self.settle(key, account, &[]);
    }

    /// Timers set since the last call: (due, account), in the order in which they were set.
    pub fn take_timers(&mut self) -> Vec<(Time, Box<str>)> {
        std::mem::take(&mut self.timers)
    }

    /// Closes the instant: moves the clock and gives what changed since the last one.
    pub fn close(&mut self, clock: Time) -> (Rows, Vec<AccountChange>) {
        self.clock = clock;
        let mut changes: Vec<AccountChange> = self
            .touched
            .drain()
            .filter_map(|(key, touched)| {
                let totals = &self.accounts.get(&key)?.totals;
                let changed = *totals != touched.totals_before || !touched.silence.is_empty();
                changed.then(|| AccountChange {
                    totals: totals.clone(),
                    key,
                    totals_before: touched.totals_before,
                    silence: touched.silence,
                })
            })
            .collect();
        changes.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        (self.deltas.take(), changes)
    }

    /// Bundle and dimension values of a series of [`Rows`].
    pub fn describe(&self, series: u32) -> (usize, Vec<&str>) {
        self.series.describe(series)
    }

    /// The encodings of all accounts changed since the last call, sorted by key. With more than
    /// `keep` accounts held, all are let go afterwards.
    pub fn flush(&mut self, keep: usize) -> Vec<(Box<str>, Vec<u8>)> {
        let mut keys: Vec<Box<str>> = self.dirty.drain().map(|(key, ())| key).collect();
        keys.sort_unstable();
        let encoded = keys
            .into_iter()
            .filter_map(|key| {
                let mut bytes = Vec::with_capacity(160);
                self.accounts.get(&key)?.encode(&self.profiles, &mut bytes);
                Some((key, bytes))
            })
            .collect();
        if self.accounts.len() > keep {
            let touched = &self.touched;
            self.accounts.retain(|key, _| touched.contains_key(key));
        }
        encoded
    }

    /// The local day of an instant.
    pub fn calendar(&mut self) -> &mut Calendar {
        &mut self.calendar
    }
}

/// Fingerprints of everything that a later event may have to find this one by.
fn prints(event: &Event) -> Vec<u32> {
    let mut prints = Vec::with_capacity(2);
    prints.push(print("e", &event.id.source, &event.id.id));
    if let Some(target) = &event.corrects {
        prints.push(print("e", &target.source, &target.id));
    }
    match &event.body {
        Body::Order(order) => prints.push(print("o", "", &order.order)),
        Body::Cancelled(order) => prints.push(print("o", "", order)),
        Body::Refund(refund) => {
            prints.push(print("o", "", &refund.order));
            prints.push(print("r", "", &refund.refund));
        }
        Body::Retracted(target) => prints.push(print("e", &target.source, &target.id)),
        Body::Traits(_) | Body::Usage(_) | Body::Other => {}
    }
    prints
}

fn print(kind: &str, source: &str, id: &str) -> u32 {
    let seed = xxh3_64(source.as_bytes()) ^ u64::from(kind.as_bytes()[0]);
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed);
    u32::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests;
