//! Counts, sums and levels: a fact adds 1, or one of its fields, to the slice of its time.

use std::borrow::Cow;

use super::{
    group::{Amount, DimensionAt, Facts, Groups},
    quantile::bucket,
};
use crate::{
    calendar::{Calendar, Day, Time},
    event::Custom,
    expr::{Value, Values},
    lifecycle::{Fact, Part, Slot, usage},
    plan::{Field, Plan},
    rational::Rational,
    series::{Deltas, Names, Profiles},
};

/// A fact or one part of it, read by filters and dimensions.
pub struct View<'a> {
    /// The fact.
    pub fact: &'a Fact<'a>,
    /// The part; `None` reads the whole.
    pub part: Option<&'a Part<'a>>,
    /// What measures read of facts of this type.
    pub facts: &'a Facts,
    /// The plan whose fields are asked for.
    pub plan: &'a Plan,
    /// Values of the traits.
    pub profiles: &'a Profiles,
}

impl View<'_> {
    /// The number that a term adds.
    pub fn amount(&self, amount: &Amount) -> i128 {
        match amount {
            Amount::One | Amount::Entered => 1,
            Amount::Slot(place) => match self.slot(*place) {
                Slot::Integer(number) => number.into(),
                _ => 0,
            },
            Amount::Count => self.count().map_or(0, i128::from),
            // Whole numbers only: what is summed is exact.
            Amount::Custom(name) => match self.custom(name) {
                Some(Custom::Integer(number)) => (*number).into(),
                _ => 0,
            },
            Amount::Has(amount) => i128::from(match amount.as_ref() {
                Amount::Count => self.count().is_some(),
                Amount::Custom(name) => matches!(self.custom(name), Some(Custom::Integer(_))),
                Amount::Slot(place) => matches!(self.slot(*place), Slot::Integer(_)),
                Amount::One | Amount::Entered | Amount::Has(_) => true,
            }),
        }
    }

    /// How often something was used; `None` for what is no usage.
    fn count(&self) -> Option<i64> {
        usage::count(self.fact.event?)
    }

    fn slot(&self, place: usize) -> Slot<'_> {
        match self.part {
            Some(part) if place >= self.facts.whole => part[place - self.facts.whole],
            _ => self.fact.values[place],
        }
    }

    /// A custom field: that of the opening, and the event's own where the opening has none.
    fn custom(&self, name: &str) -> Option<&Custom<'_>> {
        let own = self.fact.event.map_or(&[][..], |event| &event.custom);
        self.fact.opening.iter().chain(own).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of a dimension; empty if absent.
    pub fn dimension(&self, dim: &DimensionAt) -> Cow<'_, str> {
        match dim {
            DimensionAt::Slot(place) => match self.slot(*place) {
                Slot::Text(text) => Cow::Borrowed(text),
                Slot::Flag(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
                Slot::Integer(number) => Cow::Owned(number.to_string()),
                Slot::Decimal(text) => Cow::Borrowed(text),
                Slot::Absent => Cow::Borrowed(""),
            },
            DimensionAt::Bucket(place) => match self.slot(*place) {
                Slot::Integer(number) => Cow::Owned(bucket(number).to_string()),
                _ => Cow::Borrowed(""),
            },
            DimensionAt::Number(place) => match self.slot(*place) {
                Slot::Integer(number) => Cow::Owned(number.to_string()),
                _ => Cow::Borrowed(""),
            },
            DimensionAt::Custom(name) => self.custom(name).map_or(Cow::Borrowed(""), Custom::text),
        }
    }
}

/// A text as filters see it: an empty one is missing.
fn present(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Null } else { Value::Text(Cow::Borrowed(text)) }
}

fn value(slot: Slot<'_>) -> Value<'_> {
    match slot {
        Slot::Absent => Value::Null,
        Slot::Text(text) => present(text),
        Slot::Integer(number) => Value::Number(Rational::integer(number.into())),
        Slot::Decimal(text) => Rational::parse(text).map_or(Value::Null, Value::Number),
        Slot::Flag(flag) => Value::Flag(flag),
    }
}

impl Values for View<'_> {
    fn get(&self, variable: usize) -> Value<'_> {
        match &self.plan.fields[variable] {
            Field::Of(_) => self.facts.places[variable].map_or(Value::Null, |place| value(self.slot(place))),
            Field::Currency => present(self.fact.currency.0),
            // A fact that is taken back has the type of the one that was added.
            Field::Type => present(self.fact.event.map_or(self.facts.event, |event| event.kind)),
            Field::User => present(self.fact.event.map_or("", usage::user)),
            Field::Name => present(self.fact.event.map_or("", usage::name)),
            Field::Count => self.count().map_or(Value::Null, |count| Value::Number(Rational::integer(count.into()))),
            Field::Trait(number) => present(&self.profiles.values(self.fact.profile)[*number]),
            Field::Custom(name) => match self.custom(name) {
                Some(Custom::Text(text)) => Value::Text(Cow::Borrowed(text.as_ref())),
                Some(Custom::Integer(number)) => Value::Number(Rational::integer((*number).into())),
                Some(Custom::Decimal(text)) => Rational::parse(text).map_or(Value::Null, Value::Number),
                Some(Custom::Flag(flag)) => Value::Flag(*flag),
                None => Value::Null,
            },
            Field::Has(_) | Field::Entered => unreachable!("terms alone read it, no filter"),
        }
    }
}

/// The traits of an account, read by filters over accounts.
pub struct Traits<'a> {
    /// The plan whose fields are asked for.
    pub plan: &'a Plan,
    /// Values of the traits, of the account.
    pub values: &'a [Box<str>],
}

impl Values for Traits<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        match &self.plan.fields[slot] {
            Field::Trait(number) => present(&self.values[*number]),
            _ => Value::Null,
        }
    }
}

/// Where facts go.
pub struct Emitter<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its groups.
    pub groups: &'a Groups,
    /// Local days.
    pub calendar: &'a mut Calendar,
    /// Values of the traits.
    pub profiles: &'a Profiles,
    /// Texts of dimensions.
    pub names: &'a mut Names,
    /// Rows.
    pub deltas: &'a mut Deltas,
    /// Start of the slice that the fact falls into.
    pub slice: Time,
    /// What it is multiplied with.
    pub sign: i128,
    /// Of a level: how often something comes to stand by it.
    pub entered: i128,
}

impl Emitter<'_> {
    /// Adds all that a fact adds; `parts` are asked for where a dimension tells them apart.
    pub fn emit<'a>(&mut self, facts: &Facts, fact: &Fact<'a>, parts: impl FnOnce() -> Vec<Part<'a>>) {
        if !facts.of_whole.is_empty() {
            self.add(facts, &facts.of_whole, fact, None);
        }
        if !facts.of_parts.is_empty() {
            for part in parts() {
                self.add(facts, &facts.of_parts, fact, Some(&part));
            }
        }
    }

    /// Adds one part of a fact alone.
    pub fn emit_part(&mut self, facts: &Facts, fact: &Fact<'_>, part: &Part<'_>) {
        self.add(facts, &facts.of_parts, fact, Some(part));
    }

    fn add(&mut self, facts: &Facts, groups: &[(usize, Vec<DimensionAt>)], fact: &Fact<'_>, part: Option<&Part<'_>>) {
        let view = View { fact, part, facts, plan: self.plan, profiles: self.profiles };
        for (number, dims) in groups {
            let group = &self.groups.list[*number];
            let currency = if group.money { fact.currency.1 } else { 0 };
            let profile = if group.by_traits { fact.profile } else { 0 };
            let values = dims.iter().map(|dim| self.names.number(&view.dimension(dim)));
            let set = self.deltas.set(*number, currency, profile, values);
            let slice = match group.later {
                0 => self.slice,
                days => {
                    let day = self.calendar.day(fact.time) + Day::from(days);
                    self.calendar.midnight(day)
                }
            };
            let row = self.deltas.row(set, slice, facts.terms.len());
            for ((amount, filter), sum) in facts.terms.iter().zip(row) {
                if filter.is_none_or(|number| self.plan.filters[number].holds(&view)) {
                    let times = if *amount == Amount::Entered { self.entered } else { self.sign };
                    *sum += times * view.amount(amount);
                }
            }
        }
    }
}
