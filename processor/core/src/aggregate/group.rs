//! Groups: bundles that the same facts go to, told apart by the same values.
//!
//! An order adds the same count and sums to the bundle of all, by plan, by region: the traits and
//! the currency decide the series in each of them. So it adds to one row, and the row is spread to
//! the bundles at the tick.
//!
//! ```text
//!     order -> terms (1, net) -> group {traits} -> [] [plan] [segment] [region]
//!                             -> group {channel} -> [channel]
//!     each of its products    -> group {product} -> [product]
//! ```
//!
//! Invariant: every column of every bundle is the target of exactly one group.

use std::collections::BTreeMap;

use super::retention::Retention;
use crate::{
    calendar::{Day, Kind},
    lifecycle::{self, FactType},
    map::Map,
    plan::{Bucketed, Column, Dim, Field, Kept, Loss, Plan, Slicing, Trigger},
    shown::is_of_accounts,
};

/// A number that a fact adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// 1.
    One,
    /// The field at this place among those of the fact.
    Slot(usize),
    /// `data.count` of usage.
    Count,
    /// A custom field, where it is a whole number.
    Custom(String),
    /// 1 where the fact has that number, else 0.
    Has(Box<Amount>),
    /// How often something came to stand, see [`Field::Entered`].
    Entered,
}

/// What a column adds, where its filter holds.
pub type Term = (Amount, Option<usize>);

/// Where the value of a dimension is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DimensionAt {
    /// The field at this place among those of the fact.
    Slot(usize),
    /// A custom field of the event.
    Custom(String),
    /// The bucket of the number at this place among the fields of the fact.
    Bucket(usize),
    /// The number at this place itself, of a minimum or maximum.
    Number(usize),
}

/// A bundle that a group is spread to.
#[derive(Debug)]
pub struct Target {
    /// Bundle.
    pub bundle: usize,
    /// Columns of it, each with its term.
    pub columns: Vec<(usize, usize)>,
}

/// Bundles that are told apart by the same values.
#[derive(Debug, Default)]
pub struct Group {
    /// Dimensions that events decide.
    pub dims: Vec<Dim>,
    /// Whether traits decide, too.
    pub by_traits: bool,
    /// Whether the currency does.
    pub money: bool,
    /// The field whose bucket does, last.
    pub bucket: Option<Bucketed>,
    /// Days that rows lie after the facts.
    pub later: u16,
    /// Of measures of accounts: the filter over traits of each term.
    pub filters: Vec<Option<usize>>,
    /// Where rows go.
    pub targets: Vec<Target>,
}

/// What facts of one type add.
#[derive(Debug, Default)]
pub struct Facts {
    /// What is added up.
    pub terms: Vec<Term>,
    /// Groups that a whole fact adds to, with the places of their dimensions.
    pub of_whole: Vec<(usize, Vec<DimensionAt>)>,
    /// Groups that each part of a fact adds to.
    pub of_parts: Vec<(usize, Vec<DimensionAt>)>,
    /// The event type that the fact is counted for; empty for none.
    pub event: &'static str,
    /// Number of fields of the whole fact, see [`FactType::whole`].
    pub whole: usize,
    /// For each of [`Plan::fields`], its place among the fields of the fact.
    pub places: Vec<Option<usize>>,
}

/// A sum that each account has of its own: what it reads, what it adds, and the filter.
pub type Measured = (Trigger, Amount, Option<usize>);

/// All groups of a plan.
#[derive(Debug, Default)]
pub struct Groups {
    /// By number.
    pub list: Vec<Group>,
    /// Of any event.
    pub event: Facts,
    /// Of events by type.
    pub types: Map<String, Facts>,
    /// Of facts, by the place of their [`lifecycle::FactId`].
    pub of: Vec<Facts>,
    /// Columns about losses, by what they follow.
    pub cohorts: Vec<(Loss, Kind, usize)>,
    /// Columns about amounts that accounts keep and lose.
    pub retention: Vec<(Retention, Kind, usize)>,
    /// For each activity: the active accounts of each kind of window.
    pub engaged: Vec<Vec<(Kind, usize)>>,
    /// For each activity: the filter over its events.
    pub active: Vec<Option<usize>>,
    /// Sums of each account and currency, see [`Plan::totals`].
    pub totals: Vec<Measured>,
    /// Sums of each account, currency and local day, see [`Plan::day_sums`].
    pub day_sums: Vec<Measured>,
    /// Sums of each account and local day, see [`Plan::daily`].
    pub daily: Vec<Measured>,
    /// Metrics of accounts, by their number in [`Plan::metrics`].
    pub shown: Vec<usize>,
    /// Steps of silence, days.
    pub steps: Vec<u16>,
    /// Days of the longest trailing window of a cohort or activity.
    pub longest: Day,
}

/// A column that facts add to: bundle, column of it, term.
type Added = (usize, usize, Option<Field>, Option<usize>);

/// A column about accounts: bundle, column of it, filter over traits.
type Followed = (usize, usize, Option<usize>);

/// The columns of a plan, by what moves them.
#[derive(Default)]
struct Moved {
    by_fact: BTreeMap<Trigger, Vec<Added>>,
    by_loss: BTreeMap<(Loss, Kind), Vec<Followed>>,
    by_retention: BTreeMap<(Retention, Kind), Vec<Followed>>,
    by_activity: BTreeMap<(usize, Kind), Vec<Followed>>,
}

impl Moved {
    fn new(plan: &Plan) -> Moved {
        let mut moved = Moved::default();
        for (number, bundle) in plan.bundles.iter().enumerate() {
            let kind = match bundle.slicing {
                Slicing::Window(kind) => kind,
                Slicing::Trailing(days) => Kind::Trailing(days),
                Slicing::Hours | Slicing::Later(_) => Kind::Hour,
            };
            for (place, column) in bundle.columns.iter().enumerate() {
                let followed = |filter: &Option<String>| (number, place, plan.filter(filter.as_deref()));
                match column {
                    Column::Fact { trigger, amount, filter } => {
                        let added = (number, place, amount.clone(), plan.filter(filter.as_deref()));
                        moved.by_fact.entry(trigger.clone()).or_default().push(added);
                    }
                    Column::Lost { what, filter } => {
                        moved.by_loss.entry((*what, kind)).or_default().push(followed(filter));
                    }
                    Column::Retained { what, filter } => {
                        moved.by_retention.entry((*what, kind)).or_default().push(followed(filter));
                    }
                    Column::Engaged { activity, filter } => {
                        moved.by_activity.entry((*activity, kind)).or_default().push(followed(filter));
                    }
                }
            }
        }
        moved
    }
}

impl Groups {
    /// The groups of a plan.
    pub fn new(plan: &Plan) -> Groups {
        let mut groups = Groups::default();
        let list = &mut groups.list;
        let moved = Moved::new(plan);

        let none = Vec::new();
        let added = |trigger: &Trigger| moved.by_fact.get(trigger).unwrap_or(&none);
        groups.event = facts(list, plan, None, added(&Trigger::Event));
        groups.of =
            lifecycle::facts().map(|(id, fact)| facts(list, plan, Some(fact), added(&Trigger::Fact(id)))).collect();
        for (trigger, added) in &moved.by_fact {
            if let Trigger::Type(kind) = trigger {
                groups.types.insert(kind.clone(), facts(list, plan, None, added));
            }
        }

        groups.engaged = vec![Vec::new(); plan.activities.len()];
        for ((what, kind), columns) in &moved.by_loss {
            groups.cohorts.push((*what, *kind, of_accounts(list, columns, false)));
        }
        for ((what, kind), columns) in &moved.by_retention {
            groups.retention.push((*what, *kind, of_accounts(list, columns, true)));
        }
        for ((activity, kind), columns) in &moved.by_activity {
            groups.engaged[*activity].push((*kind, of_accounts(list, columns, false)));
        }
        groups.active = plan.activities.iter().map(|activity| plan.filter(activity.filter.as_deref())).collect();

        let kept = |(trigger, field, filter): &Kept| (trigger.clone(), amount(trigger.fact(), field.as_ref()), *filter);
        groups.totals = plan.totals.iter().map(kept).collect();
        groups.day_sums = plan.day_sums.iter().map(kept).collect();
        groups.daily = plan.daily.iter().map(kept).collect();

        let kinds = moved.by_activity.keys().map(|(_, kind)| kind).chain(moved.by_loss.keys().map(|(_, kind)| kind));
        let kinds = kinds.chain(moved.by_retention.keys().map(|(_, kind)| kind));
        let days = kinds.map(|kind| if let Kind::Trailing(days) = kind { Day::from(*days) } else { 0 });
        groups.longest = days.max().unwrap_or(0);
        let metrics = plan.metrics.iter().enumerate();
        groups.shown = metrics.filter(|(_, metric)| is_of_accounts(metric)).map(|(number, _)| number).collect();
        let silence = plan.metrics.iter().find(|metric| !metric.silence.is_empty());
        groups.steps = silence.map(|metric| metric.silence.clone()).unwrap_or_default();
        groups
    }
}

/// A group of columns about accounts: traits decide, of money the currency, too; a term a filter.
fn of_accounts(list: &mut Vec<Group>, columns: &[Followed], money: bool) -> usize {
    let mut group = Group { by_traits: true, money, ..Group::default() };
    for (bundle, column, filter) in columns {
        let known = group.filters.iter().position(|known| known == filter);
        let term = known.unwrap_or_else(|| push(&mut group.filters, *filter));
        group.targets.push(Target { bundle: *bundle, columns: vec![(*column, term)] });
    }
    push(list, group)
}

/// What facts of a type add; `None` is an event.
fn facts(list: &mut Vec<Group>, plan: &Plan, of: Option<&FactType>, added: &[Added]) -> Facts {
    let place = |field: &Field| match field {
        Field::Of(name) => of.and_then(|fact| fact.place(name)),
        _ => None,
    };
    let places = plan.fields.iter().map(place).collect();
    let (event, whole) = of.map_or(("", 0), |fact| (fact.event, fact.whole));
    let mut facts = Facts { event, whole, places, ..Facts::default() };
    let first = list.len();
    for same in added.chunk_by(|a, b| a.0 == b.0) {
        let bundle = &plan.bundles[same[0].0];
        let columns = same.iter().map(|(_, column, field, filter)| {
            let term = (amount(of, field.as_ref()), *filter);
            let known = facts.terms.iter().position(|known| *known == term);
            (*column, known.unwrap_or_else(|| push(&mut facts.terms, term)))
        });
        let target = Target { bundle: same[0].0, columns: columns.collect() };

        let dims: Vec<Dim> = bundle.dims.iter().filter(|dim| !matches!(dim, Dim::Trait(_))).cloned().collect();
        let later = if let Slicing::Later(days) = bundle.slicing { days } else { 0 };
        let by_traits = dims.is_empty() || dims.len() < bundle.dims.len();
        let alike = |group: &Group| {
            let same = (&group.dims, group.by_traits, group.money, group.bucket, group.later);
            same == (&dims, by_traits, bundle.money, bundle.bucket, later)
        };
        if let Some(group) = list[first..].iter_mut().find(|group| alike(group)) {
            group.targets.push(target);
            continue;
        }
        let mut places: Vec<DimensionAt> = dims.iter().map(|dim| dimension(of, dim)).collect();
        let of_parts = places.iter().any(|place| matches!(place, DimensionAt::Slot(at) if *at >= facts.whole));
        places.extend(bundle.bucket.map(|bucket| {
            let place = place_of(of, bucket.field);
            if bucket.exact { DimensionAt::Number(place) } else { DimensionAt::Bucket(place) }
        }));
        let (money, bucket) = (bundle.money, bundle.bucket);
        let group = Group { dims, by_traits, money, bucket, later, targets: vec![target], ..Group::default() };
        let number = push(list, group);
        if of_parts { &mut facts.of_parts } else { &mut facts.of_whole }.push((number, places));
    }
    facts
}

fn amount(of: Option<&FactType>, field: Option<&Field>) -> Amount {
    match field {
        None => Amount::One,
        Some(Field::Count) => Amount::Count,
        Some(Field::Entered) => Amount::Entered,
        Some(Field::Custom(name)) => Amount::Custom(name.clone()),
        Some(Field::Has(field)) => Amount::Has(Box::new(amount(of, Some(field)))),
        Some(Field::Of(name)) => Amount::Slot(place_of(of, name)),
        Some(field) => unreachable!("{field:?} is no number"),
    }
}

fn dimension(of: Option<&FactType>, dim: &Dim) -> DimensionAt {
    match dim {
        Dim::Custom(name) => DimensionAt::Custom(name.clone()),
        Dim::Of(name) => DimensionAt::Slot(place_of(of, name)),
        Dim::Trait(_) => unreachable!("traits are no dimensions of events"),
    }
}

fn place_of(of: Option<&FactType>, name: &str) -> usize {
    of.and_then(|fact| fact.place(name)).expect("a measure reads fields that its fact has")
}

fn push<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}
