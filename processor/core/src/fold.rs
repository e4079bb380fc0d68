//! The step of an account: one event or one due time, and what it adds to slices.
//!
//! Invariants: the only code that moves an [`Account`]; the same for events in order, for a journal
//! folded again, and for the old journal taken back (`sign` -1). Due times before an event fire
//! before it, whatever the clock: the event itself shows that the time has passed.

use crate::{
    account::{Account, Silence, Total},
    aggregate::{
        cohort::{self, Change, Standing},
        fact::{self, Fact},
    },
    calendar::{Calendar, DAY, Kind, Time},
    event::{Body, Event, EventId, Order, Refund},
    lifecycle::{
        customer::{Run, prune},
        journal::Effect,
    },
    plan::{Column, Emission, Plan, Trigger},
    series::{Deltas, Profiles, Series},
};

/// A step of silence reached or left, and the event that left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceChange {
    /// The new silence.
    pub now: Silence,
    /// The event that ended it; none for a step reached.
    pub cause: Option<EventId>,
}

/// Everything that a step reads and writes beside the account.
pub struct Fold<'a> {
    /// What is measured.
    pub plan: &'a Plan,
    /// Slices and windows.
    pub calendar: &'a mut Calendar,
    /// Traits by number.
    pub profiles: &'a mut Profiles,
    /// Series by number.
    pub series: &'a mut Series,
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
    pub fn apply(&mut self, account: &mut Account, event: &Event, effect: Effect<'_>) {
        self.advance(account, event.time, false);
        let plan = self.plan;
        let fact = Fact {
            time: event.time,
            profile: account.traits.now(),
            event: Some(event),
            order: None,
            refund: 0,
            currency: "",
            first: false,
        };
        self.emit(plan.emissions(&Trigger::Event), &fact);
        if effect != Effect::Nothing {
            self.emit(plan.of_type(&event.kind), &fact);
        }
        self.daily(account, event, &fact, effect != Effect::Nothing);
        match effect {
            Effect::Nothing => {}
            Effect::Order(order) => self.order(account, event, order, fact),
            Effect::Refund(refund, order) => self.refund(account, refund, order, fact),
            Effect::Plain => self.plain(account, event),
        }
        account.last = account.last.max(event.time);
    }

    fn plain(&mut self, account: &mut Account, event: &Event) {
        let was = (account.customer.is_one(), account.traits.now());
        match &event.body {
            Body::Traits(traits) => self.set_traits(account, event.time, traits),
            Body::Usage(usage) if usage.count < 1 => return,
            _ => {}
        }
        self.active(account, event, false, was);
    }

    fn order(&mut self, account: &mut Account, event: &Event, order: &Order, fact: Fact<'_>) {
        let was = (account.customer.is_one(), account.traits.now());
        let first = !account.customer.ever();
        if !was.0 {
            self.start(account, Fact { first, ..fact });
        }
        account.customer.last_order = Some(event.time);
        let fact = Fact { order: Some(order), currency: &order.currency, first, ..fact };
        let plan = self.plan;
        self.emit(plan.emissions(&Trigger::Order), &fact);
        self.total(account, &Trigger::Order, &fact);
        self.active(account, event, true, was);
    }

    fn refund(&mut self, account: &mut Account, refund: &Refund, order: &Order, fact: Fact<'_>) {
        let fact = Fact { order: Some(order), currency: &refund.currency, refund: refund.amount, ..fact };
        let plan = self.plan;
        self.emit(plan.emissions(&Trigger::Refund), &fact);
        self.total(account, &Trigger::Refund, &fact);
    }

    /// The account becomes a customer.
    fn start(&mut self, account: &mut Account, fact: Fact<'_>) {
        let (plan, at) = (self.plan, fact.time);
        if let Some(ended) = account.customer.runs.last().copied() {
            for column in plan.cohorts.iter().filter(|cohort| cohort.what == Column::Churned) {
                let mut changes = Vec::new();
                let (customer, traits) = (&account.customer, &account.traits);
                cohort::returned(self.calendar, column.kind, at, &ended, customer, traits, |change| {
                    changes.push(change)
                });
                self.cohort(column.bundle, column.column, &changes);
            }
        }
        account.customer.runs.reserve_exact(1);
        account.customer.runs.push(Run { start: at, end: Time::MAX, profile: fact.profile });
        self.forget(account, at);
        self.emit(plan.emissions(&Trigger::Started), &fact);
        self.level(fact.profile, at, 1);
    }

    /// The account stops being a customer at `due`.
    fn lose(&mut self, account: &mut Account, due: Time) {
        let plan = self.plan;
        let now = account.traits.now();
        if let Some(run) = account.customer.runs.last_mut() {
            run.end = due;
        }
        let profile = account.traits.before(due);
        let fact = Fact { time: due, profile, event: None, order: None, refund: 0, currency: "", first: false };
        self.emit(plan.emissions(&Trigger::Lost), &fact);
        self.level(now, due, -1);
        for column in &plan.cohorts {
            let mut changes = Vec::new();
            let (customer, traits) = (&account.customer, &account.traits);
            cohort::lost(self.calendar, column.kind, &column.what, customer, traits, |change| changes.push(change));
            self.cohort(column.bundle, column.column, &changes);
        }
        self.engaged(account, due, (true, now), |_| None);
    }

    fn set_traits(&mut self, account: &mut Account, at: Time, traits: &[(String, Option<String>)]) {
        let old = account.traits.now();
        let mut values: Vec<Box<str>> = self.profiles.values(old).to_vec();
        for (name, value) in traits {
            if let Some(number) = self.plan.traits.iter().position(|known| known == name) {
                values[number] = value.as_deref().unwrap_or_default().into();
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
        let kinds = self
            .plan
            .engaged
            .iter()
            .flatten()
            .map(|(kind, _)| kind)
            .chain(self.plan.cohorts.iter().map(|cohort| &cohort.kind));
        let longest = kinds.map(|kind| if let Kind::Trailing(days) = kind { i32::from(*days) } else { 0 }).max();
        let day = self.calendar.day(now);
        let trailing = self.calendar.midnight(day - longest.unwrap_or(0) - 1);
        let horizon = self.calendar.window(Kind::Year, now).start.min(trailing);
        prune(&mut account.customer, &mut account.traits, horizon);
    }

    /// Notes an event for the activities that it belongs to; `was` is (customer, profile) before it.
    fn active(&mut self, account: &mut Account, event: &Event, order: bool, was: (bool, u32)) {
        let plan = self.plan;
        let hits = |number: usize| {
            plan.activities[number].triggers.iter().any(|trigger| match trigger {
                Trigger::Order => order,
                Trigger::Event => true,
                Trigger::Type(kind) => *kind == event.kind,
                _ => false,
            })
        };
        self.engaged(account, event.time, was, |number| hits(number).then_some(event.time));
        for number in 0..account.active.len() {
            if hits(number) {
                account.active[number] = event.time;
            }
        }
        if account.silence.step > 0 && hits(0) {
            account.silence = Silence { step: 0, since: event.time };
            self.silences.push(SilenceChange { now: account.silence, cause: Some(event.id.clone()) });
        }
    }

    /// Moves the account in and out of the active accounts of windows; `new` gives the new time of
    /// an activity.
    fn engaged(&mut self, account: &Account, at: Time, was: (bool, u32), new: impl Fn(usize) -> Option<Time>) {
        let plan = self.plan;
        let is = (account.customer.is_one(), account.traits.now());
        for (number, kinds) in plan.engaged.iter().enumerate() {
            let everybody = !plan.activities[number].among_customers;
            let active = account.active[number];
            let before = Standing { counts: everybody || was.0, profile: was.1, active };
            let after = Standing { counts: everybody || is.0, profile: is.1, active: new(number).unwrap_or(active) };
            for (kind, columns) in kinds {
                let mut changes = [(0, 0, 0); 4];
                let mut count = 0;
                cohort::engaged(self.calendar, *kind, at, before, after, |change| {
                    changes[count] = change;
                    count += 1;
                });
                for (bundle, column) in columns {
                    self.cohort(*bundle, *column, &changes[..count]);
                }
            }
        }
    }

    fn next_step(&self, account: &Account) -> Option<(Time, u16)> {
        if !account.customer.ever() {
            return None;
        }
        let steps = self
            .plan
            .metrics
            .iter()
            .find(|metric| !metric.silence.is_empty())
            .map_or(&[][..], |metric| &metric.silence);
        let step = *steps.iter().find(|step| **step > account.silence.step)?;
        let last = account.active.first().copied().filter(|at| *at != Time::MIN)?;
        Some((last.saturating_add(i64::from(step) * DAY), step))
    }

    fn emit(&mut self, emissions: &[Emission], fact: &Fact<'_>) {
        if emissions.is_empty() {
            return;
        }
        let place = (self.slice(fact.time), self.sign);
        for emission in emissions {
            fact::emit(self.plan, self.profiles, self.series, self.deltas, emission, fact, place);
        }
    }

    /// Start of the slice that holds `time`: a local hour, or a day where no metric looks closer.
    fn slice(&mut self, time: Time) -> Time {
        if self.plan.hourly { self.calendar.slice(time) } else { self.calendar.window(Kind::Day, time).start }
    }

    fn level(&mut self, profile: u32, at: Time, delta: i128) {
        let slice = self.slice(at);
        for (bundle, column) in &self.plan.levels {
            let series = self.profiles.series(profile, *bundle, "", self.plan, self.series);
            self.deltas.row(series, slice, self.plan.bundles[*bundle].columns.len())[*column] += self.sign * delta;
        }
    }

    fn cohort(&mut self, bundle: usize, column: usize, changes: &[Change]) {
        let width = self.plan.bundles[bundle].columns.len();
        for (profile, slice, delta) in changes {
            let series = self.profiles.series(*profile, bundle, "", self.plan, self.series);
            self.deltas.row(series, *slice, width)[column] += self.sign * delta;
        }
    }

    /// Adds an event to the account's own sums of its day; of its type only if it counts as one.
    fn daily(&mut self, account: &mut Account, event: &Event, fact: &Fact<'_>, of_type: bool) {
        if self.plan.daily.is_empty() {
            return;
        }
        let day = self.calendar.day(fact.time);
        let view = fact::View { fact: *fact, share: fact::whole(fact), plan: self.plan, profiles: self.profiles };
        let listens = |trigger: &Trigger| match trigger {
            Trigger::Type(kind) => of_type && *kind == event.kind,
            trigger => *trigger == Trigger::Event,
        };
        for (number, (trigger, field, filter)) in self.plan.daily.iter().enumerate() {
            if listens(trigger) && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                account.daily.row(day, self.plan.daily.len())[number] += view.amount(field.as_ref());
            }
        }
    }

    /// Adds an order or refund to the account's own sums.
    fn total(&mut self, account: &mut Account, trigger: &Trigger, fact: &Fact<'_>) {
        if self.plan.totals.is_empty() {
            return;
        }
        let index = account.totals.iter().position(|total| *total.currency == *fact.currency).unwrap_or_else(|| {
            let columns = vec![0; self.plan.totals.len()];
            account.totals.reserve_exact(1);
            account.totals.push(Total { currency: fact.currency.into(), columns, since: Time::MIN });
            account.totals.len() - 1
        });
        let total = &mut account.totals[index];
        let view = fact::View { fact: *fact, share: fact::whole(fact), plan: self.plan, profiles: self.profiles };
        for (number, (listens, field, filter)) in self.plan.totals.iter().enumerate() {
            if listens == trigger && filter.is_none_or(|filter| self.plan.filters[filter].holds(&view)) {
                total.columns[number] += view.amount(field.as_ref());
                total.since = total.since.max(fact.time);
            }
        }
    }
}
