//! Counts and sums: a fact adds 1, or one of its fields, to the slice of its time.

use std::borrow::Cow;

use super::group::{Facts, Groups};
use crate::{
    calendar::Time,
    event::{Body, Custom, Event, Order, Usage},
    expr::{Value, Values},
    lifecycle::order::{Share, shares},
    plan::{Dim, Field, Plan},
    rational::Rational,
    series::{Deltas, Names, Profiles},
};

/// One dated fact; amounts in minor units.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    /// When.
    pub time: Time,
    /// Traits as of it.
    pub profile: u32,
    /// The event behind it, unless time brought it about.
    pub event: Option<&'a Event<'a>>,
    /// The order that it is about.
    pub order: Option<&'a Order<'a>>,
    /// Of a refund: the custom fields of its order.
    pub opening: &'a [(&'a str, Custom<'a>)],
    /// Amount of the refund, if it is one.
    pub refund: i64,
    /// ISO 4217; empty without money.
    pub currency: &'a str,
    /// Its number.
    pub money: u32,
    /// Whether it makes the account a customer for the first time.
    pub first: bool,
}

impl<'a> Fact<'a> {
    /// A fact without an order or money.
    pub fn new(time: Time, profile: u32, event: Option<&'a Event<'a>>) -> Fact<'a> {
        Fact { time, profile, event, order: None, opening: &[], refund: 0, currency: "", money: 0, first: false }
    }
}

/// A fact with the share of one product, read by filters and dimensions.
pub struct View<'a> {
    /// The fact.
    pub fact: Fact<'a>,
    /// The share; of the whole order where the dimensions do not split it.
    pub share: Share<'a>,
    /// The plan whose fields are asked for.
    pub plan: &'a Plan,
    /// Values of the traits.
    pub profiles: &'a Profiles,
}

impl View<'_> {
    /// The number that a column adds.
    pub fn amount(&self, field: Option<&Field>) -> i128 {
        match field {
            None => 1,
            Some(Field::Net) => self.share.gross - self.share.discount,
            Some(Field::Gross) => self.share.gross,
            Some(Field::Discount) => self.share.discount,
            Some(Field::Amount) => self.share.refund,
            Some(Field::Count) => self.usage().map_or(0, |usage| usage.count.into()),
            // Whole numbers only: what is summed is exact.
            Some(Field::Custom(name)) => match self.custom(name) {
                Some(Custom::Integer(number)) => (*number).into(),
                _ => 0,
            },
            Some(Field::Has(field)) => i128::from(match field.as_ref() {
                Field::Count => self.usage().is_some(),
                Field::Custom(name) => matches!(self.custom(name), Some(Custom::Integer(_))),
                _ => true,
            }),
            Some(_) => 0,
        }
    }

    fn usage(&self) -> Option<&Usage<'_>> {
        match &self.fact.event?.body {
            Body::Usage(usage) => Some(usage),
            _ => None,
        }
    }

    /// The text of a field; empty if absent.
    fn text(&self, field: &Field) -> &str {
        let order = self.fact.order;
        match field {
            Field::Currency => self.fact.currency,
            Field::Order => order.map_or("", |order| order.order),
            Field::Channel => order.map_or("", |order| order.channel),
            Field::Source => order.map_or("", |order| order.source),
            Field::Type => self.fact.event.map_or("", |event| event.kind),
            Field::User => self.usage().map_or("", |usage| usage.user),
            Field::Name => self.usage().map_or("", |usage| usage.name),
            Field::Trait(number) => &self.profiles.values(self.fact.profile)[*number],
            _ => "",
        }
    }

    /// A custom field: of a refund that of its order, and the refund's own where the order has none.
    fn custom(&self, name: &str) -> Option<&Custom<'_>> {
        let own = self.fact.event.map_or(&[][..], |event| &event.custom);
        self.fact.opening.iter().chain(own).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of a dimension; empty if absent.
    pub fn dimension(&self, dim: &Dim) -> Cow<'_, str> {
        Cow::Borrowed(match dim {
            Dim::Trait(number) => &self.profiles.values(self.fact.profile)[*number],
            Dim::Channel => self.text(&Field::Channel),
            Dim::Source => self.text(&Field::Source),
            Dim::Product => self.share.product,
            Dim::Custom(name) => return self.custom(name).map_or(Cow::Borrowed(""), Custom::text),
        })
    }
}

/// A text as filters see it: an empty one is missing.
fn present(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Null } else { Value::Text(Cow::Borrowed(text)) }
}

impl Values for View<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        match &self.plan.fields[slot] {
            Field::Count if self.usage().is_none() => Value::Null,
            field @ (Field::Net | Field::Gross | Field::Discount | Field::Amount | Field::Count) => {
                Value::Number(Rational::integer(self.amount(Some(field))))
            }
            Field::First => Value::Flag(self.fact.first),
            Field::Custom(name) => match self.custom(name) {
                Some(Custom::Text(text)) => Value::Text(Cow::Borrowed(text)),
                Some(Custom::Integer(number)) => Value::Number(Rational::integer((*number).into())),
                Some(Custom::Decimal(text)) => Rational::parse(text).map_or(Value::Null, Value::Number),
                Some(Custom::Flag(flag)) => Value::Flag(*flag),
                None => Value::Null,
            },
            field => present(self.text(field)),
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

/// The share of the whole fact.
pub fn whole<'a>(fact: &Fact<'a>) -> Share<'a> {
    let (gross, discount) = fact.order.map_or((0, 0), |order| (order.gross.into(), order.discount.into()));
    Share { product: "", gross, discount, refund: fact.refund.into() }
}

/// Where facts go.
pub struct Emitter<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its groups.
    pub groups: &'a Groups,
    /// Values of the traits.
    pub profiles: &'a Profiles,
    /// Texts of dimensions.
    pub names: &'a mut Names,
    /// Rows.
    pub deltas: &'a mut Deltas,
}

impl Emitter<'_> {
    /// Adds all that a fact adds to the slice that begins at `slice`, times `sign`.
    pub fn emit(&mut self, facts: &Facts, fact: &Fact<'_>, slice: Time, sign: i128) {
        if !facts.whole.is_empty() {
            self.add(facts, &facts.whole, fact, whole(fact), (slice, sign));
        }
        match fact.order {
            _ if facts.by_product.is_empty() => {}
            Some(order) => {
                for share in shares(order, fact.refund) {
                    self.add(facts, &facts.by_product, fact, share, (slice, sign));
                }
            }
            None => self.add(facts, &facts.by_product, fact, whole(fact), (slice, sign)),
        }
    }

    fn add(&mut self, facts: &Facts, groups: &[usize], fact: &Fact<'_>, share: Share<'_>, at: (Time, i128)) {
        let (slice, sign) = at;
        let view = View { fact: *fact, share, plan: self.plan, profiles: self.profiles };
        for number in groups {
            let group = &self.groups.list[*number];
            let currency = if group.money { fact.money } else { 0 };
            let profile = if group.by_traits { fact.profile } else { 0 };
            let values = group.dims.iter().map(|dim| self.names.number(&view.dimension(dim)));
            let set = self.deltas.set(*number, currency, profile, values);
            let row = self.deltas.row(set, slice, facts.terms.len());
            for ((field, filter), sum) in facts.terms.iter().zip(row) {
                if filter.is_none_or(|number| self.plan.filters[number].holds(&view)) {
                    *sum += sign * view.amount(field.as_ref());
                }
            }
        }
    }
}
