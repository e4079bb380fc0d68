//! The step of an account: one event or one due time, and what it adds to slices.
//!
//! Invariants: the only code that moves an [`Account`]; the same for events in order, for a journal
//! folded again, and for the old journal taken back (`sign` -1). Due times before an event fire
//! before it, whatever the clock: the event itself shows that the time has passed.

use crate::{
    account::{Account, Silence},
    aggregate::{
        cohort::{self, Change, Standing},
        fact::{self, Emitter, View},
        group::{Facts, Groups},
    },
    calendar::{Calendar, DAY, Kind, Time},
    event::{Body, Cause, Event, Order, Refund},
    lifecycle::{
        self, Fact, FactId, Part, Slot,
        customer::{self, Run, prune},
        journal::Effect,
        order::{self, order_part, order_values, refund_part, refund_values, shares},
    },
    plan::{Loss, Plan, Trigger},
    series::{Deltas, Names, Profiles},
};

const ORDER: FactId = lifecycle::id(&order::ORDER);
const REFUND: FactId = lifecycle::id(&order::REFUND);
const STARTED: FactId = lifecycle::id(&customer::STARTED);
const LOST: FactId = lifecycle::id(&customer::LOST);
const CUSTOMER: FactId = lifecycle::id(&customer::CUSTOMER);

/// The type of refunds, also of invoices.
const REFUNDED: &str = "payment.refunded";

/// A step of silence reached or left, and the event that left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceChange {
    /// The new silence.
    pub now: Silence,
    /// The event that ended it; none for a step reached.
    pub cause: Option<Cause>,
}

/// Everything that a step reads and writes beside the account.
pub struct Fold<'a> {
    /// What is measured.
    pub plan: &'a Plan,
    /// Where it goes.
    pub groups: &'a Groups,
    /// Slices and windows.
    pub calendar: &'a mut Calendar,
    /// Traits by number.
    pub profiles: &'a mut Profiles,
    /// Texts by number.
    pub names: &'a mut Names,
    /// Where changes go.
    pub deltas: &'a mut Deltas,
    /// 1 to add, -1 to take back.
    pub sign: i128,
    /// Steps of silence reached and left, in order.
    pub silences: &'a mut Vec<SilenceChange>,
}

impl Fold<'_> {
    /// The next due time of an account.
    pub fn due(&self, account: &Account) -> Option<Time> {
        let loss = account.customer.due(self.plan.settings.silent_after);
        let step = self.next_step(account).map(|(due, _)| due);
        [loss, step].into_iter().flatten().min()
    }

    /// Fires what is due before `limit`, or at it, too, if `inclusive`.
    pub fn advance(&mut self, account: &mut Account, limit: Time, inclusive: bool) {
        while let Some(due) = self.due(account).filter(|due| *due < limit || (inclusive && *due == limit)) {
            if account.customer.due(self.plan.settings.silent_after) == Some(due) {
                self.lose(account, due);
            }
            if let Some((at, step)) = self.next_step(account)
                && at == due
            {
                account.silence = Silence { step, since: due };
                self.silences.push(SilenceChange { now: account.silence, cause: None });
            }
            account.fired = account.fired.max(due);
        }
    }

    /// Applies the next event in the order of facts.
    pub fn apply(&mut self, account: &mut Account, event: &Event<'_>, effect: Effect<'_>) {
        self.advance(account, event.time, false);
        let groups = self.groups;
        let fact = Fact::new(event.time, account.traits.now(), Some(event));
        self.emit(&groups.event, &fact, 1, Vec::new);
        if effect != Effect::Nothing
            && !groups.types.is_empty()
            && let Some(facts) = groups.types.get(event.kind)
        {
            self.emit(facts, &fact, 1, Vec::new);
        }
        self.daily(account, event, &fact, effect != Effect::Nothing);
        match effect {
            Effect::Nothing => {}
            Effect::Order(order) => self.order(account, event, order, fact),
            Effect::Refund(refund, order, opening) => self.refund(account, refund, order, Fact { opening, ..fact }),
            Effect::Plain => self.plain(account, event, &fact),
        }
        account.last = account.last.max(event.time);
    }

    fn plain(&mut self, account: &mut Account, event: &Event<'_>, fact: &Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        match &event.body {
            Body::Traits(traits) => self.set_traits(account, event.time, traits),
            Body::Usage(usage) if usage.count < 1 => return,
            _ => {}
        }
        self.active(account, &self.groups.event, fact, was, |trigger| match trigger {
            Trigger::Type(kind) => kind == event.kind,
            trigger => *trigger == Trigger::Event,
        });
    }

    fn order(&mut self, account: &mut Account, event: &Event<'_>, order: &Order<'_>, fact: Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let first = !account.customer.ever();
        if !was.0 {
            self.start(account, Fact { values: &[Slot::Flag(first)], ..fact });
        }
        account.customer.last_order = Some(event.time);
        let (currency, values) = (self.currency(order.currency), order_values(order, first));
        let fact = Fact { currency, values: &values, ..fact };
        let facts = &self.groups.of[ORDER.place()];
        self.emit(facts, &fact, 1, || shares(order, 0).iter().map(order_part).collect());
        self.total(account, ORDER, &fact);
        self.active(account, facts, &fact, was, |trigger| match trigger {
            Trigger::Event => true,
            Trigger::Fact(id) => *id == ORDER || (*id == STARTED && !was.0),
            Trigger::Type(_) => false,
        });
    }

    fn refund(&mut self, account: &mut Account, refund: &Refund<'_>, order: &Order<'_>, fact: Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let (currency, values) = (self.currency(refund.currency), refund_values(order, refund));
        let fact = Fact { currency, values: &values, ..fact };
        let facts = &self.groups.of[REFUND.place()];
        self.emit(facts, &fact, 1, || shares(order, refund.amount).iter().map(refund_part).collect());
        self.total(account, REFUND, &fact);
        self.active(account, facts, &fact, was, |trigger| match trigger {
            Trigger::Event => true,
            Trigger::Fact(id) => *id == REFUND,
            Trigger::Type(kind) => kind == REFUNDED,
        });
    }

    fn currency<'c>(&mut self, code: &'c str) -> (&'c str, u32) {
        (code, self.names.number(code))
    }

    /// The account becomes a customer.
    fn start(&mut self, account: &mut Account, fact: Fact<'_>) {
        let at = fact.time;
        if let Some(ended) = account.customer.runs.last().copied() {
            for (_, kind, group) in self.groups.cohorts.iter().filter(|(what, ..)| *what == Loss::Churned) {
                let mut changes = Vec::new();
                let (customer, traits) = (&account.customer, &account.traits);
                cohort::returned(self.calendar, *kind, at, &ended, customer, traits, |change| changes.push(change));
                self.cohort(*group, &changes);
            }
        }
        account.customer.runs.reserve_exact(1);
        account.customer.runs.push(Run { start: at, end: Time::MAX, profile: fact.profile });
        self.forget(account, at);
        self.emit(&self.groups.of[STARTED.place()], &fact, 1, Vec::new);
        self.level(fact.profile, at, 1);
    }

    /// The account stops being a customer at `due`.
    fn lose(&mut self, account: &mut Account, due: Time) {
        let now = account.traits.now();
        if let Some(run) = account.customer.runs.last_mut() {
            run.end = due;
        }
        let profile = account.traits.before(due);
        let fact = Fact::new(due, profile, None);
        let facts = &self.groups.of[LOST.place()];
        self.emit(facts, &fact, 1, Vec::new);
        self.level(now, due, -1);
        for (what, kind, group) in &self.groups.cohorts {
            let mut changes = Vec::new();
            let (customer, traits) = (&account.customer, &account.traits);
            cohort::lost(self.calendar, *kind, *what, customer, traits, |change| changes.push(change));
            self.cohort(*group, &changes);
        }
        self.active(account, facts, &fact, (true, now), |trigger| *trigger == Trigger::Fact(LOST));
    }

    fn set_traits(&mut self, account: &mut Account, at: Time, traits: &[(&str, Option<&str>)]) {
        let old = account.traits.now();
        let mut values: Vec<Box<str>> = self.profiles.values(old).to_vec();
        for (name, value) in traits {
            if let Some(number) = self.plan.traits.iter().position(|known| known == name) {
                values[number] = value.unwrap_or_default().into();
            }
        }
        let new = self.profiles.number(values.into());
        if new == old {
            return;
        }
        account.traits.set(at, new);
        self.forget(account, at);
        if account.customer.is_one() {
            self.level(old, at, -1);
            self.level(new, at, 1);
        }
    }

    /// Forgets what no window looks behind any more.
    fn forget(&mut self, account: &mut Account, now: Time) {
        let day = self.calendar.day(now);
        let trailing = self.calendar.midnight(day - self.groups.longest - 1);
        // A week may begin before its year does.
        let [week, year] = [Kind::Week, Kind::Year].map(|kind| self.calendar.window(kind, now).start);
        let horizon = week.min(year).min(trailing);
        prune(&mut account.customer, &mut account.traits, horizon);
    }

    /// Notes a fact for the activities that it belongs to; `was` is (customer, profile) before it.
    fn active(
        &mut self,
        account: &mut Account,
        facts: &Facts,
        fact: &Fact<'_>,
        was: (bool, u32),
        happened: impl Fn(&Trigger) -> bool,
    ) {
        let plan = self.plan;
        for number in 0..account.active.len() {
            let counts = plan.activities[number].triggers.iter().any(&happened) && self.passes(number, facts, fact);
            let new = counts.then_some(fact.time);
            self.engaged(account, number, fact.time, was, new);
            account.active[number] = new.unwrap_or(account.active[number]);

            // The first activity is what is meaningful: it ends a silence.
            if let Some(event) = fact.event.filter(|_| number == 0 && counts && account.silence.step > 0) {
                account.silence = Silence { step: 0, since: fact.time };
                self.silences.push(SilenceChange { now: account.silence, cause: Some(event.id.into()) });
            }
        }
    }

    /// Whether the activity's filter holds for a fact.
    fn passes(&self, activity: usize, facts: &Facts, fact: &Fact<'_>) -> bool {
        let view = View { fact, part: None, facts, plan: self.plan, profiles: self.profiles };
        self.groups.active[activity].is_none_or(|filter| self.plan.filters[filter].holds(&view))
    }

    /// Moves the account in and out of the active accounts of windows; `new` is the new time of the
    /// activity.
    fn engaged(&mut self, account: &Account, number: usize, at: Time, was: (bool, u32), new: Option<Time>) {
        let everybody = !self.plan.activities[number].among_customers;
        let is = (account.customer.is_one(), account.traits.now());
        let active = account.active[number];
        let before = Standing { counts: everybody || was.0, profile: was.1, active };
        let after = Standing { counts: everybody || is.0, profile: is.1, active: new.unwrap_or(active) };
        for (kind, group) in &self.groups.engaged[number] {
            let mut changes = [(0, 0, 0); 4];
            let mut count = 0;
            cohort::engaged(self.calendar, *kind, at, before, after, |change| {
                changes[count] = change;
                count += 1;
            });
            self.cohort(*group, &changes[..count]);
        }
    }

    fn next_step(&self, account: &Account) -> Option<(Time, u16)> {
        if !account.customer.ever() {
            return None;
        }
        let step = *self.groups.steps.iter().find(|step| **step > account.silence.step)?;
        let last = account.active.first().copied().filter(|at| *at != Time::MIN)?;
        Some((last.saturating_add(i64::from(step) * DAY), step))
    }

    /// Adds a fact `times` times to the slices of its time; -1 takes it back.
    fn emit<'f>(&mut self, facts: &Facts, fact: &Fact<'f>, times: i128, parts: impl FnOnce() -> Vec<Part<'f>>) {
        if facts.terms.is_empty() {
            return;
        }
        let slice = self.slice(fact.time);
        let Fold { plan, groups, profiles, names, deltas, .. } = self;
        let mut emitter = Emitter { plan, groups, profiles, names, deltas, slice, sign: self.sign * times };
        emitter.emit(facts, fact, parts);
    }

    /// Start of the slice that holds `time`: a local hour, or a day where no metric looks closer.
    fn slice(&mut self, time: Time) -> Time {
        if self.plan.hourly { self.calendar.slice(time) } else { self.calendar.window(Kind::Day, time).start }
    }

    fn level(&mut self, profile: u32, at: Time, delta: i128) {
        self.emit(&self.groups.of[CUSTOMER.place()], &Fact::new(at, profile, None), delta, Vec::new);
    }

    /// Adds the changes of measures of accounts: to each term whose filter holds for the traits.
    fn cohort(&mut self, group: usize, changes: &[Change]) {
        let filters = &self.groups.list[group].filters;
        for (profile, slice, delta) in changes {
            let traits = fact::Traits { plan: self.plan, values: self.profiles.values(*profile) };
            let set = self.deltas.set(group, 0, *profile, std::iter::empty());
            let row = self.deltas.row(set, *slice, filters.len());
            for (sum, filter) in row.iter_mut().zip(filters) {
                if filter.is_none_or(|filter| self.plan.filters[filter].holds(&traits)) {
                    *sum += self.sign * delta;
                }
            }
        }
    }

    /// Adds an event to the account's own sums of its day; of its type only if it counts as one.
    fn daily(&mut self, account: &mut Account, event: &Event<'_>, fact: &Fact<'_>, of_type: bool) {
        if self.plan.daily.is_empty() {
            return;
        }
        let sums = account.daily.of(self.calendar.day(fact.time), self.plan.daily.len());
        let facts = &self.groups.event;
        let view = View { fact, part: None, facts, plan: self.plan, profiles: self.profiles };
        let listens = |trigger: &Trigger| match trigger {
            Trigger::Type(kind) => of_type && *kind == event.kind,
            trigger => *trigger == Trigger::Event,
        };
        for (sum, (trigger, amount, filter)) in sums.iter_mut().zip(&self.groups.daily) {
            if listens(trigger) && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                *sum += view.amount(amount);
            }
        }
    }

    /// Adds a fact with money to the account's own sums.
    fn total(&mut self, account: &mut Account, id: FactId, fact: &Fact<'_>) {
        if self.plan.totals.is_empty() {
            return;
        }
        let (since, columns) = account.totals.of(fact.currency.1, self.plan.totals.len());
        let facts = &self.groups.of[id.place()];
        let view = View { fact, part: None, facts, plan: self.plan, profiles: self.profiles };
        for (column, (listens, amount, filter)) in columns.iter_mut().zip(&self.groups.totals) {
            if *listens == Trigger::Fact(id) && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                *column += view.amount(amount);
                *since = (*since).max(fact.time);
            }
        }
    }
}
