//! The step of an account: one event or one due time, and what it adds to slices.
//!
//! Invariants: the only code that moves an [`Account`]; the same for events in order, for a journal
//! folded again, for the old journal taken back (`sign` -1), and for what both begin with (0). Due times
//! before an event fire before it, whatever the clock: the event itself shows that the time has passed.

use crate::{
    account::Account,
    aggregate::{
        cohort::{self, Standing},
        fact::View,
        group::Facts,
    },
    calendar::{DAY, Day, Time},
    event::{Event, SubjectKind},
    lifecycle::{
        self, Context, Fact, FactId, Out, Sections, Slot,
        customer::{self, Run, prune},
        journal::Effect,
        score, usage,
    },
    plan::{Among, Loss, Trigger},
    score::{Glance, Looks},
    shown::{self, Change, DayMoved, Now, Which},
};

pub(crate) const STARTED: FactId = lifecycle::id(&customer::STARTED);
const LOST: FactId = lifecycle::id(&customer::LOST);
const CUSTOMER: FactId = lifecycle::id(&customer::CUSTOMER);
const SCORED: FactId = lifecycle::id(&score::SCORED);

/// The step of an account.
pub struct Fold<'a> {
    /// What it reads and writes beside the account.
    pub context: Context<'a>,
    /// Changes of values by day, in order.
    pub changes: &'a mut Vec<Change>,
    /// What the components of the score saw last.
    pub looks: &'a mut Looks,
}

impl Fold<'_> {
    /// The next due time of an account.
    pub fn due(&self, account: &Account) -> Option<Time> {
        let step = self.next_step(account).map(|(due, _)| due);
        let midnight = Some(account.scored.due).filter(|due| *due != Time::MAX);
        [self.turns(account), step, midnight, account.sections.due()].into_iter().flatten().min()
    }

    /// When the account becomes a customer or is lost, if nothing happens.
    fn turns(&self, account: &Account) -> Option<Time> {
        account.customer.due(self.context.plan.settings.silent_after, account.sections.subscription.claim())
    }

    /// Fires what is due before `limit`, or at it, too, if `inclusive`; at it in any case what comes before the events of its
    /// instant.
    pub fn advance(&mut self, account: &mut Account, limit: Time, inclusive: bool) {
        loop {
            let due = self.due(account).filter(|due| *due < limit || (inclusive && *due == limit));
            let first = account.sections.due_before_events().filter(|first| *first <= limit);
            if let Some(first) = first.filter(|first| due.is_none_or(|due| *first <= due)) {
                self.fire(account, first, true);
                self.show(account, first, None);
                continue;
            }
            let Some(due) = due else { return };
            if self.turns(account) == Some(due) {
                self.turn(account, due);
            }
            if let Some((at, step)) = self.next_step(account)
                && at == due
            {
                self.silent(account, step, due, None);
            }
            self.fire(account, due, false);
            self.show(account, due, None);
        }
    }

    /// Lets lifecycles do what is due at `due`.
    fn fire(&mut self, account: &mut Account, due: Time, before_events: bool) {
        if account.sections.due() == Some(due) {
            let was = (account.customer.is_one(), account.traits.now());
            let active = self.live(account, |sections, out| sections.fire(due, before_events, out));
            self.said(account, due, was, &active);
        }
        account.fired = account.fired.max(due);
    }

    /// Notes the activities of what time brought about.
    fn said(&mut self, account: &mut Account, due: Time, was: (bool, u32), active: &[bool]) {
        if active.contains(&true) {
            let fact = Fact::new(due, was.1, None);
            self.active(account, &self.context.groups.event, &fact, was, active, |_| false);
        }
    }

    /// Applies the next event in the order of facts.
    pub fn apply(&mut self, account: &mut Account, event: &Event<'_>, effect: Effect<'_>) {
        self.advance(account, event.time, false);
        let groups = self.context.groups;
        let fact = Fact::new(event.time, account.traits.now(), Some(event));
        self.context.emit(&groups.event, &fact, 1, Vec::new);
        if effect != Effect::Nothing
            && !groups.types.is_empty()
            && let Some(facts) = groups.types.get(event.kind)
        {
            self.context.emit(facts, &fact, 1, Vec::new);
        }
        self.daily(account, event, &fact, effect != Effect::Nothing);
        match effect {
            Effect::Nothing => {}
            Effect::Order => self.order(account, event, fact),
            Effect::Refund(opening) => self.refund(account, event, opening, fact),
            Effect::Credit => self.credit(account, event, fact),
            Effect::Plain => self.plain(account, event, &fact),
            Effect::Billed => {
                account.sections.invoice.bill(event);
                self.plain(account, event, &fact);
            }
        }
        account.last = account.last.max(event.time);
        self.show(account, event.time, Some(event));
    }

    /// Notes what the account shows after what happened at `at`.
    fn show(&mut self, account: &mut Account, at: Time, event: Option<&Event<'_>>) {
        if let Some((before, after)) = account.day_sums.take_step() {
            let sums = Some(Box::new(DayMoved { before, after }));
            let change = Change::new(Which::DaySums, Now { value: None, since: at }, event);
            shown::note(self.changes, Change { sums, ..change });
        }
        self.rate(account, at, event);
    }

    /// A step of silence is reached or left.
    fn silent(&mut self, account: &mut Account, step: u16, since: Time, event: Option<&Event<'_>>) {
        account.silence = step;
        let now = Now { value: Some(step.into()), since };
        shown::note(self.changes, Change::new(Which::Silence, now, event));
    }

    /// Brings the score to what it is after what happened at `at`, and finds the next midnight that moves it.
    fn rate(&mut self, account: &mut Account, at: Time, event: Option<&Event<'_>>) {
        let Some(score) = &self.context.plan.score else { return };
        let today = self.context.calendar.day(at);
        let customer = account.customer.is_one();
        let Glance { tenths: is, next } =
            if customer { score.glance(account, self.context.calendar, today, self.looks) } else { Glance::default() };
        account.scored.due = next.map_or(Time::MAX, |day| self.context.calendar.midnight(day));
        let was = account.scored.tenths;
        if was == is {
            return;
        }

        let rated = is.and_then(|_| score.rated(self.looks));
        account.scored.tenths = is;
        let bands = [was, is].map(|tenths| tenths.map(|tenths| score.band(tenths)));
        if bands[0] != bands[1] {
            let profile = account.traits.now();
            self.band(account, at, [bands[0].map(|band| (band, profile)), bands[1].map(|band| (band, profile))]);
        }
        let change = Change::new(Which::Score, Now { value: is, since: at }, event);
        shown::note(self.changes, Change { rated: rated.map(Box::new), customer, ..change });
    }

    /// Moves the account from one band, with its traits, to another.
    fn band(&mut self, account: &mut Account, at: Time, [from, to]: [Option<(usize, u32)>; 2]) {
        let Some(score) = &self.context.plan.score else { return };
        let since = account.scored.banded;
        self.live(account, |_, out| {
            let mut level = |(band, profile): (usize, u32), enters: bool| {
                let values = [Slot::Text(&score.bands[band].name)];
                let fact = Fact { values: &values, ..Fact::new(at, profile, None) };
                if enters { out.enter(SCORED, &fact) } else { out.leave(SCORED, &fact, since) }
            };
            from.into_iter().for_each(|band| level(band, false));
            to.into_iter().for_each(|band| level(band, true));
        });
        account.scored.banded = at;
    }

    fn plain(&mut self, account: &mut Account, event: &Event<'_>, fact: &Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let mut active = Vec::new();
        if usage::count(event).is_some_and(|count| count < 1) {
            return;
        }
        if Sections::read(event) {
            active = self.live(account, |sections, out| sections.apply(event, out));
        }
        if let Some(traits) = customer::updated(event) {
            self.set_traits(account, event.time, traits);
        }
        self.active(account, &self.context.groups.event, fact, was, &active, |trigger| match trigger {
            Trigger::Type(kind) => kind == event.kind,
            trigger => *trigger == Trigger::Event,
        });
    }

    /// Lets lifecycles take a step; gives the activities that what happened counts as.
    pub(crate) fn live(
        &mut self,
        account: &mut Account,
        step: impl FnOnce(&mut Sections, &mut Out<'_, '_>),
    ) -> Vec<bool> {
        let mut active = vec![false; account.active.len()];
        let Account { sections, traits, totals, day_sums, .. } = account;
        let mut out = Out { context: &mut self.context, traits, totals, day_sums, active: &mut active };
        step(sections, &mut out);
        sections.share(&out);
        sections.settle();
        active
    }

    /// The account becomes a customer.
    pub(crate) fn start(&mut self, account: &mut Account, fact: Fact<'_>) {
        let at = fact.time;
        if let Some(ended) = account.customer.runs.last().copied() {
            for (_, kind, group) in self.context.groups.cohorts.iter().filter(|(what, ..)| *what == Loss::Churned) {
                let mut changes = Vec::new();
                let (customer, traits) = (&account.customer, &account.traits);
                cohort::returned(self.context.calendar, *kind, at, &ended, customer, traits, |change| {
                    changes.push(change)
                });
                self.context.of_accounts(*group, 0, &changes);
            }
        }
        account.customer.runs.reserve_exact(1);
        account.customer.runs.push(Run { start: at, end: Time::MAX, profile: fact.profile });
        self.forget(account, at);
        self.live(account, |sections, out| sections.sale.started(at, out));
        self.context.emit(&self.context.groups.of[STARTED.place()], &fact, 1, Vec::new);
        self.level(account.traits.now(), at, 1);
    }

    /// The account starts or stops being a customer at `due`.
    fn turn(&mut self, account: &mut Account, due: Time) {
        if account.customer.is_one() {
            return self.lose(account, due);
        }
        let (first, was) = (!account.customer.ever(), (false, account.traits.now()));
        let profile = account.sections.subscription.claim().profile;
        let fact = Fact { values: &[Slot::Flag(first)], ..Fact::new(due, profile, None) };
        self.start(account, fact);
        let mut begun = Vec::new();
        if first {
            begun = self.live(account, |sections, out| sections.subscription.make_customer(due, out));
        }
        let facts = &self.context.groups.of[STARTED.place()];
        self.active(account, facts, &fact, was, &begun, |trigger| *trigger == Trigger::Fact(STARTED));
    }

    fn lose(&mut self, account: &mut Account, due: Time) {
        let now = account.traits.now();
        if let Some(run) = account.customer.runs.last_mut() {
            run.end = due;
        }
        // Of a subscription that ends, as of the event that ends it.
        let claim = account.sections.subscription.claim();
        let profile = if claim.since == due { claim.profile } else { account.traits.before(due) };
        let fact = Fact::new(due, profile, None);
        let facts = &self.context.groups.of[LOST.place()];
        self.context.emit(facts, &fact, 1, Vec::new);
        self.level(now, due, -1);
        let cohorts = if self.context.counts() { self.context.groups.cohorts.as_slice() } else { &[] };
        for (what, kind, group) in cohorts {
            let mut changes = Vec::new();
            let (customer, traits) = (&account.customer, &account.traits);
            cohort::lost(self.context.calendar, *kind, *what, customer, traits, |change| changes.push(change));
            self.context.of_accounts(*group, 0, &changes);
        }
        self.active(account, facts, &fact, (true, now), &[], |trigger| *trigger == Trigger::Fact(LOST));
    }

    fn set_traits<'e>(
        &mut self,
        account: &mut Account,
        at: Time,
        traits: impl Iterator<Item = (&'e str, Option<&'e str>)>,
    ) {
        let old = account.traits.now();
        let mut values: Vec<Box<str>> = self.context.profiles.values(old).to_vec();
        for (name, value) in traits {
            if let Some(number) = self.context.plan.traits.iter().position(|known| *known == *name) {
                values[number] = value.unwrap_or_default().into();
            }
        }
        let new = self.context.profiles.number(values.into());
        if new == old {
            return;
        }
        // Balances move with the traits of before, as they are the ones that they were added with.
        self.live(account, |sections, out| sections.regroup(old, new, at, out));
        account.traits.set(at, new);
        self.forget(account, at);
        if account.customer.is_one() {
            self.level(old, at, -1);
            self.level(new, at, 1);
        }
        if let (Some(score), Some(tenths)) = (&self.context.plan.score, account.scored.tenths) {
            let band = score.band(tenths);
            self.band(account, at, [Some((band, old)), Some((band, new))]);
        }
    }

    /// Forgets what no window looks behind any more.
    fn forget(&mut self, account: &mut Account, now: Time) {
        if self.context.plan.keeps_runs {
            return;
        }
        let horizon = self.context.horizon(now);
        prune(&mut account.customer, &mut account.traits, horizon);
    }

    /// Notes a fact for the activities that it belongs to, and for those that are said already; `was` is (customer, profile)
    /// before it.
    pub(crate) fn active(
        &mut self,
        account: &mut Account,
        facts: &Facts,
        fact: &Fact<'_>,
        was: (bool, u32),
        said: &[bool],
        happened: impl Fn(&Trigger) -> bool,
    ) {
        // Leads and the tenant are no accounts.
        if fact.event.is_some_and(|event| event.subject != SubjectKind::Account) {
            return;
        }
        let plan = self.context.plan;
        for number in 0..account.active.len() {
            let counts = said.get(number) == Some(&true)
                || (plan.activities[number].triggers.iter().any(&happened) && self.context.passes(number, facts, fact));
            let new = counts.then_some(fact.time);
            self.engaged(account, number, fact.time, was, new);
            account.active[number] = new.unwrap_or(account.active[number]);

            // The first activity is what is meaningful: it ends a silence.
            if number == 0 && counts && account.silence > 0 {
                self.silent(account, 0, fact.time, fact.event);
            }
        }
    }

    /// Moves the account in and out of the active accounts of windows; `new` is the new time of the
    /// activity.
    fn engaged(&mut self, account: &Account, number: usize, at: Time, was: (bool, u32), new: Option<Time>) {
        if !self.context.counts() {
            return;
        }
        let among = self.context.plan.activities[number].among;
        if among == Among::CustomersAtStart {
            return self.sold(account, number, new);
        }
        let everybody = among == Among::Everybody;
        let is = (account.customer.is_one(), account.traits.now());
        let active = account.active[number];
        let before = Standing { counts: everybody || was.0, profile: was.1, active };
        let after = Standing { counts: everybody || is.0, profile: is.1, active: new.unwrap_or(active) };
        for (kind, group) in &self.context.groups.engaged[number] {
            let mut changes = [(0, 0, 0); 4];
            let mut count = 0;
            cohort::engaged(self.context.calendar, *kind, at, before, after, |change| {
                changes[count] = change;
                count += 1;
            });
            self.context.of_accounts(*group, 0, &changes[..count]);
        }
    }

    /// Counts the account in the windows of the activity at `new` that hold no earlier one, where it was a customer at
    /// their start.
    fn sold(&mut self, account: &Account, number: usize, new: Option<Time>) {
        let Some(at) = new else { return };
        for (kind, group) in &self.context.groups.engaged[number] {
            let mut changes = Vec::new();
            let (customer, traits, before) = (&account.customer, &account.traits, account.active[number]);
            cohort::sold(self.context.calendar, *kind, at, before, customer, traits, |change| changes.push(change));
            self.context.of_accounts(*group, 0, &changes);
        }
    }

    fn next_step(&self, account: &Account) -> Option<(Time, u16)> {
        let start = account.customer.runs.first()?.start;
        let step = *self.context.groups.steps.iter().find(|step| **step > account.silence)?;
        let last = account.active.first().copied().filter(|at| *at != Time::MIN)?;
        // One that becomes a customer after silent days has reached their step at once.
        Some((last.saturating_add(i64::from(step) * DAY).max(start), step))
    }

    fn level(&mut self, profile: u32, at: Time, delta: i128) {
        self.context.emit(&self.context.groups.of[CUSTOMER.place()], &Fact::new(at, profile, None), delta, Vec::new);
    }

    /// Adds an event to the account's own sums of its day; of its type only if it counts as one.
    fn daily(&mut self, account: &mut Account, event: &Event<'_>, fact: &Fact<'_>, of_type: bool) {
        if self.context.plan.daily.is_empty() {
            return;
        }
        let day = self.context.calendar.day(fact.time);
        let width = self.context.plan.daily.len();
        let facts = &self.context.groups.event;
        let view = View { fact, part: None, facts, plan: self.context.plan, profiles: self.context.profiles };
        let listens = |trigger: &Trigger| match trigger {
            Trigger::Type(kind) => of_type && *kind == event.kind,
            trigger => *trigger == Trigger::Event,
        };
        let latest = account.daily.latest();
        for (place, (trigger, amount, filter)) in self.context.groups.daily.iter().enumerate() {
            if listens(trigger) && filter.is_none_or(|filter| self.context.plan.filters[filter].holds(&view)) {
                account.daily.of(day, width)[place] += view.amount(amount);
            }
        }
        if latest.is_some_and(|latest| latest != day) {
            let since = self.looks_back_to(day, fact.time);
            account.daily.prune(since);
        }
    }

    /// The day up to which nothing looks back to the account's own sums: no score, nor a window where they are kept for more
    /// than a score.
    fn looks_back_to(&mut self, day: Day, at: Time) -> Day {
        let by_score = self.context.plan.score.as_ref().map_or(day, |score| day.saturating_sub(score.longest()));
        if !self.context.plan.keeps_days {
            return by_score;
        }
        let horizon = self.context.horizon(at);
        by_score.min(self.context.calendar.day(horizon).saturating_sub(1))
    }
}
