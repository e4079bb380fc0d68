//! Measures to columns: which keys go together, which fields a filter may read.
//!
//! Invariant: a key that would change nothing where it stands is refused, with its place and where it belongs.
//!
//! A filter over a fact is decided where the fact happens. A filter over accounts (levels, cohorts, distinct accounts) is
//! over their traits, at the instant at which the measure takes the traits for its dimensions, so a filtered measure is
//! the row of its dimension. A filter of `distinct` is split: its conditions over the event decide what counts as
//! activity, those over traits decide which accounts count.

use serde_saphyr::Spanned;

use super::{Activity, Among, Bucketed, Builder, Column, Field, Loss, Read, Trigger, names, position_or_push};
use crate::{
    aggregate::retention::Retention,
    catalog::{Error, Measure, Metric},
    expr::{Expr, Scope, Type},
    lifecycle::{self, Sort},
};

/// A column, and how a metric reads it.
pub(super) struct Lowered {
    pub(super) column: Column,
    pub(super) read: Read,
    pub(super) per_window: bool,
    /// The field by whose buckets it is kept.
    pub(super) bucket: Option<Bucketed>,
    /// Days that it looks back.
    pub(super) lag: u16,
    /// Money, or another number.
    pub(super) unit: Type,
}

/// The kinds of measure, each with the keys that it takes.
const KINDS: [(&str, &[&str]); 9] = [
    ("count", &["where", "traits", "lag", "without"]),
    ("sum", &["of", "where", "lag"]),
    ("mean", &["of", "where", "lag"]),
    ("quantile", &["of", "at", "where"]),
    ("level", &["of", "at", "where"]),
    ("distinct", &["among", "at", "where"]),
    ("cohort", &["then", "where"]),
    ("min", &["of", "where"]),
    ("max", &["of", "where"]),
];

/// The keys beside the kind and `where`, which all take, with where they belong.
fn keys(measure: &Measure) -> [(&'static str, &'static str, Option<&Spanned<String>>); 7] {
    [
        ("of", "`sum`, `mean`, `quantile`, `level`, `min` and `max`", measure.of.as_ref()),
        ("at", "`level`, `quantile` and `distinct`", measure.at.as_ref()),
        ("among", "`distinct`", measure.among.as_ref()),
        ("then", "`cohort`", measure.then.as_ref()),
        ("traits", "`count: customer_lost`", measure.traits.as_ref()),
        ("lag", "`count`, `sum` and `mean`", measure.lag.as_ref()),
        ("without", "`count`", measure.without.as_ref()),
    ]
}

impl Builder {
    /// The columns of a measure: one, or sum and count of a mean.
    pub(super) fn measure(&mut self, name: &str, measure: &Measure, metric: &Metric) -> Result<Vec<Lowered>, Error> {
        let (kind, of) = kind(name, measure, metric)?;
        let one = |column: Column, read: Read, per_window: bool| {
            Ok(vec![Lowered { column, read, per_window, bucket: None, lag: 0, unit: Type::Number }])
        };
        match kind {
            "count" => match &measure.traits {
                Some(traits) => {
                    if of.value != "customer_lost" {
                        return Err(Error::at(
                            traits,
                            "`traits` means nothing here; it belongs to `count: customer_lost`",
                        ));
                    }
                    expect_word(traits, &["start"])?;
                    one(Column::Lost { what: Loss::ByStart, filter: self.of_accounts(measure)? }, Read::Window, true)
                }
                None => {
                    let fact = self.fact(measure, of, false)?;
                    Ok(vec![match &measure.without {
                        Some(without) => unrated(without, fact)?,
                        None => fact,
                    }])
                }
            },
            "sum" => Ok(vec![self.fact(measure, of, true)?]),
            "mean" => Ok(vec![self.fact(measure, of, true)?, self.fact(measure, of, false)?]),
            "quantile" => Ok(vec![self.quantile(measure, of)?]),
            "min" | "max" => Ok(vec![self.extreme(measure, of, kind == "max")?]),
            "level" => {
                let trigger = names::level(of)?;
                self.with_score(&trigger, of)?;
                measure.at.as_ref().map_or(Ok(()), |at| expect_word(at, &["start", "end"]))?;
                let starts = measure.at.as_ref().is_some_and(|at| at.value == "start");
                let read = if starts { Read::Start } else { Read::End };
                let of = measure.of.as_ref().map(|of| self.summed(&trigger, of)).transpose()?;
                let unit = if matches!(of, Some((_, Type::Money))) { Type::Money } else { Type::Number };
                let filter = self.filter(&trigger, measure)?;
                let column = Column::Fact { trigger, amount: of.map(|(field, _)| field), filter };
                Ok(vec![Lowered { column, read, per_window: false, bucket: None, lag: 0, unit }])
            }
            "cohort" => {
                expect_word(of, &["customer", "mrr"])?;
                let Some(then) = &measure.then else {
                    return Err(Error::at(of, "a cohort needs `then`, such as lost"));
                };
                if of.value == "mrr" {
                    return self.retained(measure, then);
                }
                expect_word(then, &["lost"])?;
                one(Column::Lost { what: Loss::Churned, filter: self.of_accounts(measure)? }, Read::Window, true)
            }
            _ => one(self.distinct(measure, of)?, Read::Window, true),
        }
    }

    /// What accounts with MRR at the start of a window have more or less of at its end.
    fn retained(&mut self, measure: &Measure, then: &Spanned<String>) -> Result<Vec<Lowered>, Error> {
        expect_word(then, &["changed", "lost"])?;
        let what = if then.value == "lost" { Retention::Lost } else { Retention::Changed };
        let column = Column::Retained { what, filter: self.of_accounts(measure)? };
        Ok(vec![Lowered { column, read: Read::Window, per_window: true, bucket: None, lag: 0, unit: Type::Money }])
    }

    fn distinct(&mut self, measure: &Measure, of: &Spanned<String>) -> Result<Column, Error> {
        let triggers = match of.value.as_str() {
            "meaningful" => self.plan.activities[0].triggers.clone(),
            _ => {
                let trigger = names::trigger(of)?;
                names::with_account(of, &trigger)?;
                vec![trigger]
            }
        };
        let among = among(measure)?;
        let mut accounts = None;
        let mut events = None;
        if let Some(text) = &measure.filter {
            (accounts, events) = self.distinct_filter(&triggers, text)?;
        }
        let activity = Activity { triggers, among, filter: events };
        let activity = position_or_push(&mut self.plan.activities, activity);
        Ok(Column::Engaged { activity, filter: accounts })
    }

    /// The part of a filter over accounts, and that over events.
    fn distinct_filter(
        &mut self,
        triggers: &[Trigger],
        text: &Spanned<String>,
    ) -> Result<(Option<String>, Option<String>), Error> {
        let expr = self.condition(triggers, text)?;
        let (mut accounts, mut events) = (None, None);
        for part in expr.conjuncts() {
            let of_account = |slot: &usize| matches!(self.plan.fields[*slot], Field::Trait(_));
            let slots = part.slots();
            let place = match slots.iter().filter(|slot| of_account(slot)).count() {
                0 => &mut events,
                all if all == slots.len() => &mut accounts,
                _ => {
                    let message = "a condition of `distinct` is over the event or over the account's traits; join the two by `&&`";
                    return Err(Error::at(text, message));
                }
            };
            *place = Some(place.take().map_or(part.clone(), |before: Expr| before.and(part)));
        }
        let mut keep = |what: &str, expr: Option<Expr>| {
            expr.map(|expr| self.keep(format!("{what} of {triggers:?} where {}", text.value), expr))
        };
        Ok((keep("accounts", accounts), keep("events", events)))
    }

    fn fact(&mut self, measure: &Measure, name: &Spanned<String>, sum: bool) -> Result<Lowered, Error> {
        let trigger = names::trigger(name)?;
        let of = match &measure.of {
            Some(of) => Some(self.summed(&trigger, of)?),
            None if sum => return Err(Error::at(name, "a sum or mean needs `of`, the field")),
            None => None,
        };
        let money = matches!(of, Some((_, Type::Money)));
        let amount = match of.map(|(field, _)| field) {
            of if sum => of,
            // The mean of a field is over the facts that have it.
            Some(field @ (Field::Custom(_) | Field::Count)) => Some(Field::Has(Box::new(field))),
            _ => None,
        };
        let filter = self.filter(&trigger, measure)?;
        let unit = if money { Type::Money } else { Type::Number };
        let column = Column::Fact { trigger, amount, filter };
        let lag = measure.lag.as_ref().map_or(Ok(0), days)?;
        Ok(Lowered { column, read: Read::Window, per_window: false, bucket: None, lag, unit })
    }

    /// Counts of facts by the bucket of a field.
    fn quantile(&mut self, measure: &Measure, name: &Spanned<String>) -> Result<Lowered, Error> {
        let trigger = names::trigger(name)?;
        let Some(of) = &measure.of else { return Err(Error::at(name, "a quantile needs `of`, the field")) };
        let (field, unit) = self.summed(&trigger, of)?;
        let Field::Of(bucket) = field else {
            return Err(Error::at(of, "a quantile is over a field of a fact, not of an event alone"));
        };
        self.convertible(of, unit)?;
        let percent = measure.at.as_ref().map_or(Ok(50), percent)?;
        let filter = self.filter(&trigger, measure)?;
        Ok(Lowered {
            column: Column::Fact { trigger, amount: None, filter },
            read: Read::Quantile(percent),
            per_window: false,
            bucket: Some(Bucketed { field: bucket, exact: false }),
            lag: 0,
            unit,
        })
    }

    /// Counts of facts, or of what stands, by each value of a field.
    fn extreme(&mut self, measure: &Measure, name: &Spanned<String>, greatest: bool) -> Result<Lowered, Error> {
        let standing = lifecycle::find(&name.value).is_some_and(|id| lifecycle::fact(id).sort == Sort::Level);
        let trigger = if standing { names::level(name)? } else { names::trigger(name)? };
        let Some(of) = &measure.of else { return Err(Error::at(name, "a min or max needs `of`, the field")) };
        let (Field::Of(field), unit) = self.summed(&trigger, of)? else {
            return Err(Error::at(of, "a min or max is over a field of a fact, not of an event alone"));
        };
        self.convertible(of, unit)?;
        let filter = self.filter(&trigger, measure)?;
        Ok(Lowered {
            column: Column::Fact { trigger, amount: None, filter },
            read: Read::Extreme { greatest, standing },
            per_window: false,
            bucket: Some(Bucketed { field, exact: true }),
            lag: 0,
            unit,
        })
    }

    /// That no amounts of several currencies are set in order.
    fn convertible(&self, of: &Spanned<String>, unit: Type) -> Result<(), Error> {
        if unit == Type::Money && self.plan.settings.reporting_currency.is_some() {
            let message = "a quantile, minimum or maximum of money is not converted to the setting `reporting_currency`; \
                           measure a sum or a mean";
            return Err(Error::at(of, message));
        }
        Ok(())
    }

    /// The filter of a measure of these facts or events.
    pub(super) fn filter(&mut self, trigger: &Trigger, measure: &Measure) -> Result<Option<String>, Error> {
        let Some(text) = &measure.filter else { return Ok(None) };
        let expr = self.condition(std::slice::from_ref(trigger), text)?;
        Ok(Some(self.keep(format!("{trigger:?} where {}", text.value), expr)))
    }

    /// The field that a sum or mean adds, and its type.
    fn summed(&mut self, trigger: &Trigger, of: &Spanned<String>) -> Result<(Field, Type), Error> {
        let path: Vec<&str> = of.value.split('.').collect();
        let (field, kind) = self.field(Some(trigger), &path).map_err(|message| Error::at(of, message))?;
        if !matches!(kind, Type::Number | Type::Money) && !matches!(field, Field::Custom(_)) {
            return Err(Error::at(of, format!("`{}` is not a number that can be summed", of.value)));
        }
        Ok((field, kind))
    }

    /// The filter of a measure of accounts, over their traits.
    fn of_accounts(&mut self, measure: &Measure) -> Result<Option<String>, Error> {
        let Some(text) = &measure.filter else { return Ok(None) };
        let expr = self.condition(&[], text)?;
        Ok(Some(self.keep(format!("accounts where {}", text.value), expr)))
    }

    /// A condition over what facts of all these triggers have; of none: over an account.
    fn condition(&mut self, triggers: &[Trigger], text: &Spanned<String>) -> Result<Expr, Error> {
        lower(text, Type::Flag, &mut Fields { builder: self, triggers })
    }

    /// Keeps a filter under a name that says all that it means.
    fn keep(&mut self, name: String, expr: Expr) -> String {
        if !self.plan.filter_names.contains(&name) {
            self.plan.filter_names.push(name.clone());
            self.plan.filters.push(expr);
        }
        name
    }

    fn field(&mut self, trigger: Option<&Trigger>, path: &[&str]) -> Result<(Field, Type), String> {
        Ok(match names::field(trigger, path)? {
            names::Found::Of(field, kind) => {
                if let Field::Custom(name) = &field {
                    position_or_push(&mut self.plan.customs, name.clone());
                }
                (field, kind)
            }
            names::Found::Trait(name) => (Field::Trait(self.trait_number(&name)), Type::Any),
        })
    }
}

/// The one kind of a measure with what it is of; its other keys belong to that kind.
fn kind<'m>(name: &str, measure: &'m Measure, metric: &Metric) -> Result<(&'static str, &'m Spanned<String>), Error> {
    let given = [
        &measure.count,
        &measure.sum,
        &measure.mean,
        &measure.quantile,
        &measure.level,
        &measure.distinct,
        &measure.cohort,
        &measure.min,
        &measure.max,
    ];
    let mut given = KINDS.iter().zip(given).filter_map(|(kind, of)| Some((kind, of.as_ref()?)));
    let rule = "a measure has exactly one of count, sum, mean, quantile, level, distinct, cohort, min, max";
    let Some(((kind, takes), of)) = given.next() else {
        return Err(Error::at(&metric.name, format!("the measure `{name}` counts nothing; {rule}")));
    };
    if let Some(((other, _), again)) = given.next() {
        return Err(Error::at(again, format!("the measure `{name}` is a {kind} already, no {other}; {rule}")));
    }
    for (key, belongs, found) in keys(measure) {
        if let Some(found) = found.filter(|_| !takes.contains(&key)) {
            let message = format!("`{key}` means nothing for a {kind}; it belongs to {belongs}");
            return Err(Error::at(found, message));
        }
    }
    Ok((kind, of))
}

/// A count of those facts whose amounts cannot be converted.
fn unrated(without: &Spanned<String>, fact: Lowered) -> Result<Lowered, Error> {
    expect_word(without, &["rate"])?;
    let money = matches!(&fact.column, Column::Fact { trigger, .. } if trigger.money());
    if !money || fact.lag > 0 {
        let message = "`without: rate` counts facts with a currency, such as order; it goes with no `lag`";
        return Err(Error::at(without, message));
    }
    Ok(Lowered { read: Read::Unrated, ..fact })
}

/// Which accounts a measure of active ones counts.
fn among(measure: &Measure) -> Result<Among, Error> {
    match (&measure.among, &measure.at) {
        (None, None) => Ok(Among::Everybody),
        (None, Some(at)) => Err(Error::at(at, "`at` of a distinct measure goes with `among: customer`")),
        (Some(among), at) => {
            expect_word(among, &["customer"])?;
            at.as_ref().map_or(Ok(()), |at| expect_word(at, &["start", "end"]))?;
            let starts = at.as_ref().is_some_and(|at| at.value == "start");
            Ok(if starts { Among::CustomersAtStart } else { Among::CustomersAtEnd })
        }
    }
}

/// The days of `30d`.
fn days(lag: &Spanned<String>) -> Result<u16, Error> {
    let days = lag.value.strip_suffix('d').and_then(|number| number.parse().ok());
    days.filter(|days| (1..=366).contains(days))
        .ok_or_else(|| Error::at(lag, format!("`{}` is no lag; give 1 to 366 days, such as 30d", lag.value)))
}

/// The percentage of `p90`.
fn percent(at: &Spanned<String>) -> Result<u8, Error> {
    let percent = at.value.strip_prefix('p').and_then(|number| number.parse().ok());
    percent.filter(|percent| (1..=100).contains(percent)).ok_or_else(|| {
        Error::at(at, format!("`{}` is no quantile; use p50 for the median, p90 for nine in ten", at.value))
    })
}

pub(super) fn expect_word(found: &Spanned<String>, words: &[&str]) -> Result<(), Error> {
    if words.contains(&found.value.as_str()) {
        return Ok(());
    }
    Err(Error::at(found, format!("`{}` is not known here; use {}", found.value, words.join(" or "))))
}

/// Lowers an expression or filter of the catalog.
pub(super) fn lower(text: &Spanned<String>, wanted: Type, scope: &mut dyn Scope) -> Result<Expr, Error> {
    let expr = Expr::lower(&text.value, scope).map_err(|problem| Error::within(text, problem.at, problem.message))?;
    expr.fit(wanted).ok_or_else(|| {
        let message =
            if wanted == Type::Flag { "a condition (true or false) is expected" } else { "a number is expected" };
        Error::at(text, message)
    })
}

/// The fields that facts of all these triggers have.
struct Fields<'a> {
    builder: &'a mut Builder,
    triggers: &'a [Trigger],
}

impl Scope for Fields<'_> {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        let (first, others) = match self.triggers.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, &[][..]),
        };
        let (field, kind) = self.builder.field(first, path)?;
        for other in others {
            if self.builder.field(Some(other), path)?.0 != field {
                return Err(format!("`{}` is another field in some of these facts", path.join(".")));
            }
        }
        Ok((position_or_push(&mut self.builder.plan.fields, field), kind))
    }
}
