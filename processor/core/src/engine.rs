//! The engine of one partition: hot accounts in memory, events in, changes of slices and of
//! accounts out.
//!
//! Invariants: pure; an event in order advances hot state alone; every other (late, suspected
//! duplicate, `corrects`, `retracted`, cancelled, refunded) asks for the account's journal, and
//! unless that shows that it stands alone folds it again, with and without the event from the first
//! place on where that makes a difference, and adds the difference. What the engine
//! needs and does not hold it asks for ([`Outcome::NeedsJournal`]) and the caller tries again: it
//! never reads storage.

use std::collections::BTreeMap;
use std::sync::Arc;

pub mod explain;
mod tools;

use tools::{History, Tools};

use crate::{
    account::Account,
    calendar::{Calendar, Day, SECOND, Time},
    event::Event,
    hot::{Hot, Open, Slot},
    lifecycle::{
        Context, Sections,
        deal::Standing,
        journal::{Effect, prints, resolve},
        traits,
    },
    plan::Plan,
    projection::{self, Projected},
    series::{self, Deltas, Meaning, Names, Profiles, Rows, Series},
    shown::{self, AccountValue, AtEnd, ByDay, Change, Moved, Which, Withdrawn},
};

/// An event dated this long before the clock is late.
pub const LATE: Time = 60 * SECOND;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Applied; keep it in the journal.
    Applied {
        /// Dated over a minute before the clock.
        late: bool,
        /// It cancels, refunds or retracts what is not known yet, and does nothing until that comes.
        waits: bool,
        /// A metric reads its type.
        measured: bool,
        /// Earlier ones that waited for this one.
        found: Found,
    },
    /// Seen before: nothing changed.
    Duplicate,
    /// Dated too far after its `recorded_at`: not applied.
    Ahead,
    /// Try again with the account's journal.
    NeedsJournal,
}

/// Measured events that waited for another one, which came, or that wait for it: by what they count as when it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Those that were not late when they came.
    pub on_time: u64,
    /// Those dated over a minute before they came.
    pub late: u64,
}

impl Found {
    fn count(&mut self, event: &Event<'_>) {
        // As of its own arrival: then the clock was just before the time at which it was recorded.
        let late = event.recorded_at.saturating_sub(event.time) > LATE;
        *(if late { &mut self.late } else { &mut self.on_time }) += 1;
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.on_time + self.late
    }
}

/// After so many local days the projection of an account to which something happens is published again.
const OUTLOOK: Day = 7;

/// What one account shows after an instant.
#[derive(Debug)]
pub struct AccountChange<'a> {
    /// Key of the account.
    pub key: &'a str,
    /// The values that changed.
    pub values: Vec<AccountValue<'a>>,
    /// How its score will change if nothing happens, where that was last published a while ago and the score stays.
    pub outlook: Option<Vec<Projected>>,
    /// The traits that it has now, in the order of their names; none where nothing is published.
    pub traits: Vec<(&'a str, &'a str)>,
}

/// The engine of one partition.
#[derive(Debug)]
pub struct Engine {
    tools: Tools,
    hot: Hot,
    timers: Vec<(Time, Slot)>,
    clock: Time,
}

impl Engine {
    /// An engine without accounts; `clock` is the partition's, [`Time::MIN`] before the first tick.
    pub fn new(plan: Arc<Plan>, clock: Time) -> Engine {
        Engine { tools: Tools::new(plan), hot: Hot::default(), timers: Vec::new(), clock }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.tools.plan
    }

    /// The greatest tick closed.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// The accounts in memory.
    pub fn hot(&self) -> &Hot {
        &self.hot
    }

    /// Takes an account's hot state from storage, empty for a new one, with the ids kept apart.
    ///
    /// # Errors
    /// The key, if the bytes are damaged.
    pub fn load(&mut self, key: &str, bytes: &[u8], ids: impl IntoIterator<Item = u64>) -> Result<Slot, String> {
        let slot = self.hot.insert(key, bytes, ids);
        if bytes.is_empty() {
            return Ok(slot);
        }
        // Opened at once: most are loaded for an event.
        let activities = self.tools.plan.activities.len();
        let Tools { profiles, names, .. } = &mut self.tools;
        let index = self.hot.open(slot, activities, profiles, names);
        let whole = index.is_some_and(|index| self.hot.opened(index).account.active.len() == activities);
        whole.then_some(slot).ok_or_else(|| format!("the state of account {key:?} does not decode"))
    }

    /// Applies one event of an account; `journal` is all its earlier events, in any order.
    pub fn apply<'e>(&mut self, slot: Slot, event: &Event<'e>, journal: Option<Vec<Event<'e>>>) -> Outcome {
        if event.time.saturating_sub(event.recorded_at) > self.tools.plan.settings.max_ahead {
            return Outcome::Ahead;
        }
        let index = self.open(slot);
        let (prints, own, count) = prints(event);
        let prints = &prints[..count];
        let late = event.time < self.clock.saturating_sub(LATE);
        let account = &self.hot.opened(index).account;
        // What was published and taken back lies behind an event in order, too.
        let latest = account.withdrawn.iter().map(|(_, day)| *day).max();
        let settled = latest.is_none_or(|day| self.tools.calendar.day(event.time) > day);
        let in_order = event.time > account.last && event.time > account.fired && settled;
        let empty = account.events == 0;
        let held = account.sections.knows(event);
        let known = |print: &u64| self.hot.may_hold(index, *print);
        // What a lifecycle holds goes on without the journal.
        let about = usize::from(!held && Sections::about(event).is_some());
        let unknown = !prints[..own + about].iter().any(known);
        if empty || (in_order && unknown && event.is_plain()) {
            self.advance(index, event, event.alone(), prints);
            let (waits, measured) = (event.waits(&[]), self.tools.measures(event));
            return Outcome::Applied { late, waits, measured, found: Found::default() };
        }
        let Some(journal) = journal else { return Outcome::NeedsJournal };
        if journal.iter().any(|known| known.id == event.id) {
            return Outcome::Duplicate;
        }
        let (waits, found) = (event.waits(&journal), self.found(event, &journal));
        match event.after(&journal) {
            Some(effect) if in_order => self.advance(index, event, effect, prints),
            _ => self.refold(index, event, journal, prints),
        }
        Outcome::Applied { late, waits, measured: self.tools.measures(event), found }
    }

    /// Which events of a journal waited for this one.
    fn found(&self, event: &Event<'_>, journal: &[Event<'_>]) -> Found {
        let mut found = Found::default();
        let is_it = |known: &&Event<'_>| known.need().is_some_and(|need| need.is(event)) && known.waits(journal);
        let measured = journal.iter().filter(is_it).filter(|known| self.tools.measures(known));
        measured.for_each(|known| found.count(known));
        found
    }

    /// An account by its place among those that are open.
    fn open(&mut self, slot: Slot) -> usize {
        let Tools { plan, profiles, names, .. } = &mut self.tools;
        let index = self.hot.open(slot, plan.activities.len(), profiles, names);
        index.expect("what is in memory was decoded when it was loaded")
    }

    /// The common case: the event comes after everything known.
    fn advance(&mut self, index: usize, event: &Event<'_>, effect: Effect<'_>, prints: &[u64]) {
        let open = self.hot.touch(index);
        let mut fold = self.tools.fold(1);
        fold.apply(&mut open.account, event, effect);
        // A late event may bring due times that the clock has passed.
        fold.advance(&mut open.account, self.clock, true);
        open.account.prune();
        self.tools.note(open);
        self.settle(index, prints);
    }

    /// Every other case: the difference between the journal with and without the event.
    fn refold<'e>(&mut self, index: usize, event: &Event<'e>, mut journal: Vec<Event<'e>>, prints: &[u64]) {
        journal.sort_by(|a, b| a.order().cmp(&b.order()));
        let place = journal.partition_point(|known| known.order() < event.order());
        let mut with_event = journal.clone();
        with_event.insert(place, event.clone());
        self.replace(index, &journal, &with_event);
        self.settle(index, prints);
    }

    /// Puts an account folded from one journal in the place of what was folded from another. Both are sorted.
    fn replace(&mut self, index: usize, before: &[Event<'_>], after: &[Event<'_>]) {
        let (was, is) = (resolve(before), resolve(after));
        let pairs = before.iter().zip(&was).zip(after.iter().zip(&is));
        let common = pairs.take_while(|(before, after)| before == after).count();

        // What both begin with would be taken back and added again: it is folded once, and counts nothing.
        let mut begun = self.tools.history();
        self.tools.extend(&mut begun, after[..common].iter().zip(is[..common].iter().copied()), 0);
        let mut rest = |mut history: History, events: &[Event<'_>], effects: &[Effect<'_>], sign| {
            let rest = events[common..].iter().zip(effects[common..].iter().copied());
            self.tools.extend(&mut history, rest, sign);
            self.tools.end(&mut history, sign, self.clock);
            history
        };
        let before = rest(begun.clone(), before, &was, -1);
        let after = rest(begun, after, &is, 1);
        self.install(index, before.changes, after);
    }

    /// Puts another history of an account in the place of the one with these changes.
    fn install(&mut self, index: usize, before: Vec<Change>, History { account: mut folded, changes }: History) {
        let mut withdrawn = std::mem::take(&mut self.hot.touch(index).account.withdrawn);
        let changes = self.difference(before, changes, &mut withdrawn);
        folded.withdrawn = withdrawn;
        let open = self.hot.touch(index);
        folded.ids = std::mem::take(&mut open.account.ids);
        folded.events = open.account.events;
        (folded.timer, folded.told) = (open.account.timer, open.account.told);
        open.account = folded;
        for (key, mut at_end) in changes {
            // What another event of this instant has changed stays changed.
            if let Some(known) = open.days.remove(&key) {
                at_end.changed |= known.changed;
                at_end.sums_before = known.sums_before;
            }
            open.days.insert(key, at_end);
        }
    }

    /// Ends a step: keeps the new ids, and sets the timer if it has to ring earlier.
    fn settle(&mut self, index: usize, prints: &[u64]) {
        prints.iter().for_each(|print| self.hot.note(index, *print));
        let Open { slot, account, .. } = self.hot.touch(index);
        account.events += u64::from(!prints.is_empty());
        if let Some(due) = self.tools.fold(1).due(account)
            && due < account.timer
        {
            account.timer = due;
            self.timers.push((due, *slot));
        }
    }

    /// Values at the end of the days at which one of two histories has a change.
    fn difference(&mut self, before: Vec<Change>, after: Vec<Change>, withdrawn: &mut Withdrawn) -> ByDay {
        let (before, after) = (self.by_day(before), self.by_day(after));
        // Sums of a day carry over to no other: one that is taken back is of no concern to later ones.
        withdrawn.extend(before.keys().filter(|(which, _)| *which != Which::DaySums));
        withdrawn.retain(|day| !after.contains_key(day));
        let mut changes = ByDay::new();
        for key in before.keys().chain(after.keys()).chain(withdrawn.iter()) {
            let first = if key.0 == Which::DaySums { key.1 } else { Day::MIN };
            let at_end = |history: &BTreeMap<(Which, Day), Change>| {
                history.range((key.0, first)..=*key).next_back().map(|(_, change)| change.clone())
            };
            let (old, new) = (at_end(&before), at_end(&after));
            let changed = old.as_ref().map(|change| change.now) != new.as_ref().map(|change| change.now);
            let sums_before = old.and_then(|change| Some(change.sums?.after)).unwrap_or_default();
            changes.insert(*key, Box::new(AtEnd { shown: new, sums_before, changed }));
        }
        changes
    }

    fn by_day(&mut self, history: Vec<Change>) -> BTreeMap<(Which, Day), Change> {
        let key = |change: Change| ((change.which, self.tools.calendar.day(change.now.since)), change);
        history.into_iter().map(key).collect()
    }

    /// A timer set for `due` rings as the clock comes to `clock`.
    pub fn ring(&mut self, slot: Slot, due: Time, clock: Time) {
        let index = self.open(slot);
        if self.hot.opened(index).account.timer != due {
            return;
        }
        let open = self.hot.touch(index);
        open.account.timer = Time::MAX;
        self.tools.fold(1).advance(&mut open.account, clock, true);
        self.tools.note(open);
        self.settle(index, &[]);
    }

    /// Timers set since the last call, in the order in which they were set.
    pub fn timers(&mut self) -> impl Iterator<Item = (Time, &str)> {
        self.timers.drain(..).map(|(due, slot)| (due, self.hot.key(slot)))
    }

    /// Bytes of the parts of all accounts in memory, as of the last flush.
    pub fn weigh(&mut self) -> BTreeMap<&'static str, usize> {
        let Tools { profiles, names, .. } = &mut self.tools;
        self.hot.weigh(profiles, names)
    }

    /// Closes the instant: moves the clock, hands out the accounts that changed since the last one
    /// in the order in which they were first touched, and gives the changes of slices.
    pub fn close(&mut self, clock: Time, mut each: impl FnMut(AccountChange<'_>)) -> Rows {
        self.clock = clock;
        let Tools { plan, groups, calendar, profiles, names, series, deltas, .. } = &mut self.tools;
        let today = calendar.day(clock);
        self.hot.each_touched(|key, Open { account, before, deals, days, .. }| {
            let mut scores = days.range((Which::Score, Day::MIN)..=(Which::Score, Day::MAX));
            let is_scored_anew = scores.next_back().is_some_and(|(_, day)| day.changed);
            let is_old = account.scored.tenths.is_some() && today.saturating_sub(account.told) >= OUTLOOK;
            let mut coming = None;
            if is_scored_anew || is_old {
                account.told = today;
                let context = Context { plan, groups, calendar, profiles, names, deltas, sign: 0 };
                coming = Some(projection::project(context, account, clock));
            }
            let standing: Vec<Standing> = account.sections.deal.standing().collect();
            let moved = Moved { totals: [before, &account.totals], deals: [deals, &standing], days };
            if coming.is_none() && moved.is_nothing() {
                return;
            }

            let mut values = shown::values(plan, &groups.shown, calendar, names, &moved);
            // What comes is published with the latest score, if there is a new one.
            if let Some(latest) = values.iter_mut().rfind(|value| plan.metrics[value.metric].score) {
                latest.projection = coming.take().unwrap_or_default();
            }
            let is_quiet = values.is_empty() && coming.is_none();
            let traits = if is_quiet { Vec::new() } else { traits::of(plan, profiles, account) };
            each(AccountChange { key, values, outlook: coming, traits });
        });
        self.hot.end(profiles, names);
        deltas.take(Meaning { plan, groups, profiles, names }, series)
    }

    /// How many texts, profiles, series and sets of series have a number: some 100 to 300 bytes each.
    pub fn numbers(&self) -> usize {
        let Tools { names, profiles, series, deltas, .. } = &self.tools;
        series::count(names, profiles, series, deltas)
    }

    /// Forgets every number and with them all accounts, so that memory is bounded whatever the values of dimensions.
    /// Between instants, after a flush; numbers of series that the caller holds mean nothing any more.
    pub fn renumber(&mut self) {
        self.hot.forget();
        let tools = &mut self.tools;
        tools.names = Names::default();
        tools.profiles = Profiles::new(&tools.plan);
        tools.series = Series::default();
        tools.deltas = Deltas::default();
    }

    /// Bundle and dimension values of a series of [`Rows`].
    pub fn describe(&self, series: u32) -> (usize, Vec<&str>) {
        self.tools.series.describe(series)
    }

    /// Hands out all accounts changed since the last call, in the order of keys: slot, key, encoding,
    /// and what to add to the ids kept apart. With more than `keep` accounts held, all are let go
    /// afterwards, and with them their slots. Between instants.
    pub fn flush(&mut self, keep: usize, each: impl FnMut(Slot, &[u8], &[u8], &[u64])) {
        self.hot.flush(&self.tools.profiles, &self.tools.names, each);
        if self.hot.len() > keep {
            self.hot.forget();
        }
    }

    /// An account from its encoding; `None` if that is damaged.
    pub fn decode(&mut self, bytes: &[u8]) -> Option<Account> {
        let Tools { plan, profiles, names, .. } = &mut self.tools;
        let mut account = Account::new(plan.activities.len());
        account.decode(bytes, profiles, names).map(|()| account)
    }

    /// The local day of an instant.
    pub fn calendar(&mut self) -> &mut Calendar {
        &mut self.tools.calendar
    }
}

mod exchange;

#[cfg(test)]
mod tests;
