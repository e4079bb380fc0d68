//! The step of an account: one event or one due time, and what it adds to slices.
//!
//! Invariants: the only code that moves an [`Account`]; the same for events in order, for a journal
//! folded again, and for the old journal taken back (`sign` -1). Due times before an event fire
//! before it, whatever the clock: the event itself shows that the time has passed.

use crate::{
    account::{Account, Silence},
    aggregate::{
        cohort::{self, Change, Standing},
        fact::{self, Emitter, Fact},
        group::{Facts, Groups},
    },
    calendar::{Calendar, DAY, Kind, Time},
    event::{Body, Cause, Event, Order, Refund},
    lifecycle::{
        customer::{Run, prune},
        journal::Effect,
    },
    plan::{Loss, Plan, Trigger},
    series::{Deltas, Names, Profiles},
};

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
        self.emit(&groups.event, &fact);
        if effect != Effect::Nothing
            && !groups.types.is_empty()
            && let Some(facts) = groups.types.get(event.kind)
        {
            self.emit(facts, &fact);
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
        self.active(account, fact, was, |trigger| match trigger {
            Trigger::Type(kind) => kind == event.kind,
            trigger => *trigger == Trigger::Event,
        });
    }

    fn order(&mut self, account: &mut Account, event: &Event<'_>, order: &Order<'_>, fact: Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let first = !account.customer.ever();
        if !was.0 {
            self.start(account, Fact { first, ..fact });
        }
        account.customer.last_order = Some(event.time);
        let money = self.names.number(order.currency);
        let fact = Fact { order: Some(order), currency: order.currency, money, first, ..fact };
        self.emit(&self.groups.order, &fact);
        self.total(account, &Trigger::Order, &fact);
        self.active(account, &fact, was, |trigger| match trigger {
            Trigger::Order | Trigger::Event => true,
            Trigger::Started => !was.0,
            _ => false,
        });
    }

    fn refund(&mut self, account: &mut Account, refund: &Refund<'_>, order: &Order<'_>, fact: Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let money = self.names.number(refund.currency);
        let fact = Fact { order: Some(order), currency: refund.currency, money, refund: refund.amount, ..fact };
        self.emit(&self.groups.refund, &fact);
        self.total(account, &Trigger::Refund, &fact);
        self.active(account, &fact, was, |trigger| match trigger {
            Trigger::Type(kind) => kind == REFUNDED,
            trigger => matches!(trigger, Trigger::Refund | Trigger::Event),
        });
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
        self.emit(&self.groups.started, &fact);
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
        self.emit(&self.groups.lost, &fact);
        self.level(now, due, -1);
        for (what, kind, group) in &self.groups.cohorts {
            let mut changes = Vec::new();
            let (customer, traits) = (&account.customer, &account.traits);
            cohort::lost(self.calendar, *kind, *what, customer, traits, |change| changes.push(change));
            self.cohort(*group, &changes);
        }
        self.active(account, &fact, (true, now), |trigger| *trigger == Trigger::Lost);
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
        fact: &Fact<'_>,
        was: (bool, u32),
        happened: impl Fn(&Trigger) -> bool,
    ) {
        let plan = self.plan;
        for number in 0..account.active.len() {
            let counts = plan.activities[number].triggers.iter().any(&happened) && self.passes(number, fact);
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
    fn passes(&self, activity: usize, fact: &Fact<'_>) -> bool {
        self.groups.active[activity].is_none_or(|filter| {
            let share = fact::whole(fact);
            let view = fact::View { fact: *fact, share, plan: self.plan, profiles: self.profiles };
            self.plan.filters[filter].holds(&view)
        })
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

    fn emit(&mut self, facts: &Facts, fact: &Fact<'_>) {
        if facts.terms.is_empty() {
            return;
        }
        let slice = self.slice(fact.time);
        let Fold { plan, groups, profiles, names, deltas, .. } = self;
        Emitter { plan, groups, profiles, names, deltas }.emit(facts, fact, slice, self.sign);
    }

    /// Start of the slice that holds `time`: a local hour, or a day where no metric looks closer.
    fn slice(&mut self, time: Time) -> Time {
        if self.plan.hourly { self.calendar.slice(time) } else { self.calendar.window(Kind::Day, time).start }
    }

    fn level(&mut self, profile: u32, at: Time, delta: i128) {
        if let Some(group) = self.groups.level {
            let slice = self.slice(at);
            self.cohort(group, &[(profile, slice, delta)]);
        }
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
        let view = fact::View { fact: *fact, share: fact::whole(fact), plan: self.plan, profiles: self.profiles };
        let listens = |trigger: &Trigger| match trigger {
            Trigger::Type(kind) => of_type && *kind == event.kind,
            trigger => *trigger == Trigger::Event,
        };
        for (sum, (trigger, field, filter)) in sums.iter_mut().zip(&self.plan.daily) {
            if listens(trigger) && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                *sum += view.amount(field.as_ref());
            }
        }
    }

    /// Adds an order or refund to the account's own sums.
    fn total(&mut self, account: &mut Account, trigger: &Trigger, fact: &Fact<'_>) {
        if self.plan.totals.is_empty() {
            return;
        }
        let (since, columns) = account.totals.of(fact.money, self.plan.totals.len());
        let view = fact::View { fact: *fact, share: fact::whole(fact), plan: self.plan, profiles: self.profiles };
        for (column, (listens, field, filter)) in columns.iter_mut().zip(&self.plan.totals) {
            if listens == trigger && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                *column += view.amount(field.as_ref());
                *since = (*since).max(fact.time);
            }
        }
    }
}
