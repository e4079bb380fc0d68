//! The engine of one partition: hot accounts in memory, events in, changes of slices and of
//! accounts out.
//!
//! Invariants: pure; an event in order advances hot state alone; every other (late, suspected
//! duplicate, `corrects`, `retracted`, cancelled, refunded) folds the account's journal again and
//! adds the difference. What it needs and does not hold it asks for ([`Outcome::NeedsAccount`],
//! [`Outcome::NeedsJournal`]) and the caller tries again: it never reads storage.

use std::collections::{BTreeMap, BTreeSet};
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

/// Silence at the end of local days, with the event that ended it; `None` where there is none any more.
pub type SilenceByDay = BTreeMap<Day, Option<(Silence, Option<EventId>)>>;

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
    pub silence: SilenceByDay,
}

/// An account in memory.
#[derive(Debug)]
struct Held {
    account: Account,
    /// Whether it changed since the last flush.
    dirty: bool,
    /// What it showed before this instant, if the instant touched it.
    touched: Option<Box<Touched>>,
}

impl Held {
    /// Notes the silences of an instant by their day.
    fn note(&mut self, calendar: &mut Calendar, silences: Vec<SilenceChange>) {
        let Some(touched) = &mut self.touched else { return };
        for change in silences {
            touched.silence.insert(calendar.day(change.now.since), Some((change.now, change.cause)));
        }
    }
}

#[derive(Debug, Default)]
struct Touched {
    totals_before: Vec<Total>,
    silence: SilenceByDay,
}

/// The engine of one partition.
#[derive(Debug)]
pub struct Engine {
    tools: Tools,
    accounts: Map<Box<str>, Held>,
    /// Keys of the accounts that are dirty, and touched.
    dirty: Vec<Box<str>>,
    touched: Vec<Box<str>>,
    timers: Vec<(Time, Box<str>)>,
    clock: Time,
}

/// What a fold reads and writes beside the account.
#[derive(Debug)]
struct Tools {
    plan: Arc<Plan>,
    calendar: Calendar,
    profiles: Profiles,
    series: Series,
    deltas: Deltas,
}

impl Tools {
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
}

impl Engine {
    /// An engine without accounts; `clock` is the partition's, [`Time::MIN`] before the first tick.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Engine {
        Engine {
            tools: Tools {
                calendar: Calendar::new(plan.settings.zone.clone()),
                profiles: Profiles::new(&plan),
                series: Series::default(),
                deltas: Deltas::default(),
                plan,
            },
            accounts: Map::default(),
            dirty: Vec::new(),
            touched: Vec::new(),
            timers: Vec::new(),
            clock,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.tools.plan
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
            None => Account::new(self.tools.plan.activities.len()),
            Some(bytes) => Account::decode(bytes, &mut self.tools.profiles, self.tools.plan.traits.len())
                .filter(|account| account.active.len() == self.tools.plan.activities.len())
                .ok_or_else(|| format!("the state of account {key:?} does not decode"))?,
        };
        self.accounts.insert(key.into(), Held { account, dirty: false, touched: None });
        Ok(())
    }

    /// Applies one event of the account `key`; `journal` is all its earlier events, in any order.
    pub fn apply(&mut self, key: &str, event: &Event, journal: Option<Vec<Event>>) -> Outcome {
        if event.time.saturating_sub(event.recorded_at) > self.tools.plan.settings.max_ahead {
            return Outcome::Ahead;
        }
        let Some(Held { account, .. }) = self.accounts.get(key) else { return Outcome::NeedsAccount };
        let (prints, count) = prints(event);
        let prints = &prints[..count];
        let plain = matches!(event.body, Body::Order(_) | Body::Traits(_) | Body::Usage(_) | Body::Other)
            && event.corrects.is_none();
        // What was published and taken back lies behind an event in order, too.
        let settled = account.withdrawn.last().is_none_or(|day| self.tools.calendar.day(event.time) > *day);
        let in_order = event.time > account.last && event.time > account.fired && settled;
        let unknown = !prints.iter().any(|print| account.ids.may_hold(*print));
        let late = event.time < self.clock.saturating_sub(LATE);
        let straight = account.events == 0 || (plain && in_order && unknown);
        match (straight, journal) {
            (true, _) => self.advance(key, event, prints),
            (false, None) => return Outcome::NeedsJournal,
            (false, Some(journal)) if journal.iter().any(|known| known.id == event.id) => return Outcome::Duplicate,
            (false, Some(journal)) => self.refold(key, event, journal, prints),
        }
        Outcome::Applied { late }
    }

    /// The common case: the event comes after everything known.
    fn advance(&mut self, key: &str, event: &Event, prints: &[u32]) {
        let Some(held) = self.accounts.get_mut(key) else { return };
        touch(&mut self.touched, key, held);
        let mut silences = Vec::new();
        let effect = match &event.body {
            Body::Order(order) => Effect::Order(order),
            Body::Traits(_) | Body::Usage(_) | Body::Other => Effect::Plain,
            _ => Effect::Nothing,
        };
        let mut fold = self.tools.fold(1, &mut silences);
        fold.apply(&mut held.account, event, effect);
        // A late event may bring due times that the clock has passed.
        fold.advance(&mut held.account, self.clock, true);
        held.note(&mut self.tools.calendar, silences);
        self.settle(key, prints);
    }

    /// Every other case: the difference between the journal with and without the event.
    fn refold(&mut self, key: &str, event: &Event, mut journal: Vec<Event>, prints: &[u32]) {
        journal.sort_by(|a, b| a.order().cmp(&b.order()));
        let (_, before) = self.replay(&journal, -1);
        let place = journal.partition_point(|known| known.order() < event.order());
        journal.insert(place, event.clone());
        let (mut folded, after) = self.replay(&journal, 1);
        let mut withdrawn =
            self.accounts.get_mut(key).map(|held| std::mem::take(&mut held.account.withdrawn)).unwrap_or_default();
        let changes = self.difference(&before, &after, &mut withdrawn);
        folded.withdrawn = withdrawn;
        let Some(held) = self.accounts.get_mut(key) else { return };
        touch(&mut self.touched, key, held);
        folded.ids = std::mem::take(&mut held.account.ids);
        folded.events = held.account.events;
        folded.timer = held.account.timer;
        held.account = folded;
        if let Some(touched) = &mut held.touched {
            touched.silence.extend(changes);
        }
        self.settle(key, prints);
    }

    /// Folds a whole journal up to the clock.
    fn replay(&mut self, journal: &[Event], sign: i128) -> (Account, Vec<SilenceChange>) {
        let mut account = Account::new(self.tools.plan.activities.len());
        let mut silences = Vec::new();
        let clock = self.clock;
        let mut fold = self.tools.fold(sign, &mut silences);
        for (event, effect) in journal.iter().zip(resolve(journal)) {
            fold.apply(&mut account, event, effect);
        }
        fold.advance(&mut account, clock, true);
        (account, silences)
    }

    /// Ends a step: keeps the new ids, and sets the timer if it has to ring earlier.
    fn settle(&mut self, key: &str, prints: &[u32]) {
        let Some(held) = self.accounts.get_mut(key) else { return };
        let account = &mut held.account;
        for print in prints {
            if !account.ids.may_hold(*print) {
                account.ids.insert(*print);
            }
        }
        account.events += u64::from(!prints.is_empty());
        let mut none = Vec::new();
        if let Some(due) = self.tools.fold(1, &mut none).due(account)
            && due < account.timer
        {
            account.timer = due;
            self.timers.push((due, key.into()));
        }
        if !held.dirty {
            held.dirty = true;
            self.dirty.push(key.into());
        }
    }

    /// The days at whose end the silence differs between two histories.
    fn difference(
        &mut self,
        before: &[SilenceChange],
        after: &[SilenceChange],
        withdrawn: &mut BTreeSet<Day>,
    ) -> SilenceByDay {
        let (before, after) = (self.by_day(before), self.by_day(after));
        withdrawn.extend(before.keys());
        withdrawn.retain(|day| !after.contains_key(day));
        let mut changes = BTreeMap::new();
        for day in before.keys().chain(after.keys()).chain(withdrawn.iter()) {
            let at_end = |history: &BTreeMap<Day, SilenceChange>| {
                history.range(..=*day).next_back().map(|(_, change)| change.clone())
            };
            let (old, new) = (at_end(&before), at_end(&after));
            if old.as_ref().map(|change| change.now) != new.as_ref().map(|change| change.now) {
                changes.insert(*day, new.map(|change| (change.now, change.cause)));
            }
        }
        changes
    }

    fn by_day(&mut self, history: &[SilenceChange]) -> BTreeMap<Day, SilenceChange> {
        history.iter().map(|change| (self.tools.calendar.day(change.now.since), change.clone())).collect()
    }

    /// A timer set for `due` rings as the clock comes to `clock`. The account must be loaded.
    pub fn ring(&mut self, key: &str, due: Time, clock: Time) {
        let Some(held) = self.accounts.get_mut(key).filter(|held| held.account.timer == due) else { return };
        touch(&mut self.touched, key, held);
        held.account.timer = Time::MAX;
        let mut silences = Vec::new();
        self.tools.fold(1, &mut silences).advance(&mut held.account, clock, true);
        held.note(&mut self.tools.calendar, silences);
        self.settle(key, &[]);
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
            .drain(..)
            .filter_map(|key| {
                let held = self.accounts.get_mut(&key)?;
                let touched = held.touched.take()?;
                let totals = &held.account.totals;
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
        (self.tools.deltas.take(), changes)
    }

    /// Bundle and dimension values of a series of [`Rows`].
    pub fn describe(&self, series: u32) -> (usize, Vec<&str>) {
        self.tools.series.describe(series)
    }

    /// The encodings of all accounts changed since the last call, sorted by key. With more than
    /// `keep` accounts held, all are let go afterwards.
    pub fn flush(&mut self, keep: usize) -> Vec<(Box<str>, Vec<u8>)> {
        let mut keys = std::mem::take(&mut self.dirty);
        keys.sort_unstable();
        let encoded = keys
            .into_iter()
            .filter_map(|key| {
                let held = self.accounts.get_mut(&key)?;
                held.dirty = false;
                let mut bytes = Vec::with_capacity(160);
                held.account.encode(&self.tools.profiles, &mut bytes);
                Some((key, bytes))
            })
            .collect();
        if self.accounts.len() > keep {
            self.accounts.retain(|_, held| held.touched.is_some());
        }
        encoded
    }

    /// The local day of an instant.
    pub fn calendar(&mut self) -> &mut Calendar {
        &mut self.tools.calendar
    }
}

/// Remembers what the account showed before this instant.
fn touch(keys: &mut Vec<Box<str>>, key: &str, held: &mut Held) {
    if held.touched.is_none() {
        held.touched = Some(Box::new(Touched { totals_before: held.account.totals.clone(), silence: BTreeMap::new() }));
        keys.push(key.into());
    }
}

/// Fingerprints of everything that a later event may have to find this one by, and their number.
fn prints(event: &Event) -> ([u32; 4], usize) {
    let of = |id: &EventId| Some(print("e", &id.source, &id.id));
    let order = |order: &str| Some(print("o", "", order));
    let (first, second) = match &event.body {
        Body::Order(body) => (order(&body.order), None),
        Body::Cancelled(cancelled) => (order(cancelled), None),
        Body::Refund(refund) => (order(&refund.order), Some(print("r", "", &refund.refund))),
        Body::Retracted(target) => (of(target), None),
        Body::Traits(_) | Body::Usage(_) | Body::Other => (None, None),
    };
    let mut prints = [0; 4];
    let mut count = 0;
    for print in [of(&event.id), event.corrects.as_ref().and_then(of), first, second].into_iter().flatten() {
        prints[count] = print;
        count += 1;
    }
    (prints, count)
}

fn print(kind: &str, source: &str, id: &str) -> u32 {
    let seed = xxh3_64(source.as_bytes()) ^ u64::from(kind.as_bytes()[0]);
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed);
    u32::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests;
