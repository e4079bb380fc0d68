//! Where a lifecycle emits its facts.
//!
//! Invariants: a fact goes to the slice of its time, whatever the clock; taking one back with the values and the traits that
//! it was emitted with leaves nothing of it. It does not know the lifecycles.

use super::{Fact, FactId, Part};
use crate::{
    account::{DaySums, Decoder, Totals, Writer},
    aggregate::{
        cohort::Change,
        fact::{self, Emitter, View},
        group::{Facts, Groups, Measured},
    },
    calendar::{Calendar, Kind, Time},
    event::{Custom, SubjectKind},
    lifecycle::customer::Traits,
    plan::{Activity, Plan, Trigger},
    series::{Deltas, Names, Profiles},
};

/// Everything that a step of an account reads and writes beside the account.
pub struct Context<'a> {
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
    /// 1 to add, -1 to take back, 0 where only the account is of interest.
    pub sign: i128,
}

impl Context<'_> {
    /// Whether slices are changed at all.
    pub fn counts(&self) -> bool {
        self.sign != 0
    }

    /// Adds a fact `times` times to the slice of its time; -1 takes it back.
    pub fn emit<'f>(&mut self, facts: &Facts, fact: &Fact<'f>, times: i128, parts: impl FnOnce() -> Vec<Part<'f>>) {
        if !facts.terms.is_empty()
            && let Some(mut emitter) = self.emitter(fact.time, times, times.max(0))
        {
            emitter.emit(facts, fact, parts);
        }
    }

    /// Where facts of a time go, if anywhere. `entered` says how often something comes to stand.
    fn emitter(&mut self, time: Time, times: i128, entered: i128) -> Option<Emitter<'_>> {
        if !self.counts() {
            return None;
        }
        let slice = self.slice(time);
        let Context { plan, groups, calendar, profiles, names, deltas, sign } = self;
        let (sign, entered) = (*sign * times, *sign * entered);
        Some(Emitter { plan, groups, calendar, profiles, names, deltas, slice, sign, entered })
    }

    /// Adds a fact with money to the account's own sums `times` times: to those to date, and to those of its day.
    pub fn total(&mut self, sums: (&mut Totals, &mut DaySums), id: FactId, fact: &Fact<'_>, times: i128) {
        // A guest has no values of its own.
        if fact.event.is_some_and(|event| event.subject == SubjectKind::Guest) {
            return;
        }
        let Context { plan, groups, calendar, profiles, .. } = self;
        let view = View { fact, part: None, facts: &groups.of[id.place()], plan, profiles };
        let listens = |kept: &Measured| kept.0 == Trigger::Fact(id);
        let add = |columns: &[Measured], (since, sums): (&mut Time, &mut [i128])| {
            for (sum, kept) in sums.iter_mut().zip(columns).filter(|(_, kept)| listens(kept)) {
                let (_, amount, filter) = kept;
                if filter.is_none_or(|filter| plan.filters[filter].holds(&view)) {
                    *sum += times * view.amount(amount);
                    *since = (*since).max(fact.time);
                }
            }
        };

        let (totals, of_day) = sums;
        if groups.totals.iter().any(listens) {
            add(&groups.totals, totals.of(fact.currency.1, groups.totals.len()));
        }
        if groups.day_sums.iter().any(listens) {
            let day = calendar.day(fact.time);
            add(&groups.day_sums, of_day.of(day, fact.currency.1, groups.day_sums.len()));
        }
    }

    /// Start of the slice that holds `time`: a local hour, or a day where no metric looks closer.
    pub fn slice(&mut self, time: Time) -> Time {
        if self.plan.hourly { self.calendar.slice(time) } else { self.calendar.window(Kind::Day, time).start }
    }

    /// Before this no window looks that holds `now`.
    pub fn horizon(&mut self, now: Time) -> Time {
        let day = self.calendar.day(now);
        let trailing = self.calendar.midnight(day - self.groups.longest - 1);
        // A week may begin before its year does.
        let [week, year] = [Kind::Week, Kind::Year].map(|kind| self.calendar.window(kind, now).start);
        week.min(year).min(trailing)
    }

    /// Adds the changes of measures of accounts: to each term whose filter holds for the traits.
    pub fn of_accounts(&mut self, group: usize, currency: u32, changes: &[Change]) {
        if !self.counts() {
            return;
        }
        let filters = &self.groups.list[group].filters;
        for (profile, slice, delta) in changes {
            let traits = fact::Traits { plan: self.plan, values: self.profiles.values(*profile) };
            let set = self.deltas.set(group, currency, *profile, std::iter::empty());
            let row = self.deltas.row(set, *slice, filters.len());
            for (sum, filter) in row.iter_mut().zip(filters) {
                if filter.is_none_or(|filter| self.plan.filters[filter].holds(&traits)) {
                    *sum += self.sign * delta;
                }
            }
        }
    }

    /// The number of a currency.
    pub fn currency<'c>(&mut self, code: &'c str) -> (&'c str, u32) {
        (code, self.names.number(code))
    }

    /// Whether the filter of an activity holds for a fact.
    pub fn passes(&self, activity: usize, facts: &Facts, fact: &Fact<'_>) -> bool {
        let view = View { fact, part: None, facts, plan: self.plan, profiles: self.profiles };
        self.groups.active[activity].is_none_or(|filter| self.plan.filters[filter].holds(&view))
    }
}

/// Where one step of a lifecycle emits: one event, or one due time.
pub struct Out<'a, 'c> {
    /// What the step reads and writes beside the account.
    pub context: &'a mut Context<'c>,
    /// Traits of the account.
    pub traits: &'a Traits,
    /// Sums of the account to date.
    pub totals: &'a mut Totals,
    /// Sums of its latest day.
    pub day_sums: &'a mut DaySums,
    /// The activities that a fact of this step counts as, by their number.
    pub active: &'a mut Vec<bool>,
}

impl Out<'_, '_> {
    /// The traits now: those set before the event or due time.
    pub fn profile(&self) -> u32 {
        self.traits.now()
    }

    /// Whether anything is measured of a fact, or counts it as activity.
    pub fn reads(&self, id: FactId) -> bool {
        let counts = |activity: &Activity| activity.triggers.contains(&Trigger::Fact(id));
        !self.context.groups.of[id.place()].terms.is_empty() || self.context.plan.activities.iter().any(counts)
    }

    /// Adds a fact that happens now. The account is active, where the catalog counts it.
    pub fn happen(&mut self, id: FactId, fact: &Fact<'_>) {
        self.add(id, fact, 1);
        let facts = &self.context.groups.of[id.place()];
        for (number, activity) in self.context.plan.activities.iter().enumerate() {
            let counts = activity.triggers.contains(&Trigger::Fact(id)) && self.context.passes(number, facts, fact);
            self.active[number] |= counts;
        }
    }

    /// Adds a fact `times` times: -1 takes back one that was added with the same values.
    pub fn add(&mut self, id: FactId, fact: &Fact<'_>, times: i128) {
        let groups = self.context.groups;
        self.context.emit(&groups.of[id.place()], fact, times, Vec::new);
        self.context.total((self.totals, self.day_sums), id, fact, times);
    }

    /// Adds one part of a fact alone, `times` times: what only metrics by a dimension of parts read.
    pub fn add_part(&mut self, id: FactId, fact: &Fact<'_>, part: &Part<'_>, times: i128) {
        let facts = &self.context.groups.of[id.place()];
        if !facts.of_parts.is_empty()
            && let Some(mut emitter) = self.context.emitter(fact.time, times, 0)
        {
            emitter.emit_part(facts, fact, part);
        }
    }

    /// Something comes to stand: a level goes up.
    pub fn enter(&mut self, id: FactId, fact: &Fact<'_>) {
        self.add(id, fact, 1);
    }

    /// What came to stand at `since`, with the same values, stands no more. At the same instant it never did.
    pub fn leave(&mut self, id: FactId, fact: &Fact<'_>, since: Time) {
        let facts = &self.context.groups.of[id.place()];
        let entered = -i128::from(since == fact.time);
        if !facts.terms.is_empty()
            && let Some(mut emitter) = self.context.emitter(fact.time, -1, entered)
        {
            emitter.emit(facts, fact, Vec::new);
        }
        self.context.total((self.totals, self.day_sums), id, fact, -1);
    }

    /// The custom fields that a metric reads, kept beyond their event.
    pub fn keep(&self, custom: &[(&str, Custom<'_>)]) -> Kept {
        let read = |name: &str| self.context.plan.customs.iter().any(|known| known == name);
        Kept(custom.iter().filter(|(name, _)| read(name)).map(|(name, value)| ((*name).into(), value.own())).collect())
    }
}

/// Custom fields of an opening event, kept beyond it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept(pub(super) Vec<(Box<str>, Custom<'static>)>);

impl Kept {
    /// Appends them.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.0.iter(), |out, (name, value)| {
            out.text(name);
            match value {
                Custom::Text(text) => out.tagged(0, text),
                Custom::Integer(number) => out.tagged(1, &number.to_string()),
                Custom::Decimal(text) => out.tagged(2, text),
                Custom::Flag(flag) => out.tagged(3, if *flag { "true" } else { "false" }),
            }
        });
    }

    /// Reads what [`Kept::encode`] wrote.
    pub fn decode(from: &mut Decoder<'_, '_>) -> Option<Kept> {
        let one = |from: &mut Decoder<'_, '_>| {
            let name = from.text()?.into();
            let (kind, text) = (from.integer()?, from.text()?);
            let value = match kind {
                0 => Custom::Text(text.to_owned().into()),
                1 => Custom::Integer(text.parse().ok()?),
                2 => Custom::Decimal(text.to_owned()),
                3 => Custom::Flag(text == "true"),
                _ => return None,
            };
            Some((name, value))
        };
        from.list(one).map(Kept)
    }

    /// Adds those of another event that have other names.
    pub fn join(&mut self, other: &Kept) {
        for (name, value) in &other.0 {
            if !self.0.iter().any(|(known, _)| known == name) {
                self.0.push((name.clone(), value.clone()));
            }
        }
    }

    /// As facts carry them.
    pub fn fields(&self) -> Vec<(&str, Custom<'_>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.clone())).collect()
    }
}
