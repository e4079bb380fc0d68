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

use crate::{
    calendar::{Day, Kind},
    map::Map,
    plan::{Column, Dim, Emission, Field, Plan, Trigger},
};

/// What a column adds: 1 or a field, where a filter holds.
pub type Term = (Option<Field>, Option<usize>);

/// A bundle that a group is spread to.
#[derive(Debug)]
pub struct Target {
    /// Bundle.
    pub bundle: usize,
    /// Columns of it, each with its term.
    pub columns: Vec<(usize, usize)>,
}

/// Bundles that are told apart by the same values.
#[derive(Debug)]
pub struct Group {
    /// Dimensions that events decide.
    pub dims: Vec<Dim>,
    /// Whether traits decide, too.
    pub by_traits: bool,
    /// Whether the currency does.
    pub money: bool,
    /// Number of terms of a row.
    pub width: usize,
    /// Where rows go.
    pub targets: Vec<Target>,
}

/// What facts of one trigger add.
#[derive(Debug, Default)]
pub struct Facts {
    /// What is added up.
    pub terms: Vec<Term>,
    /// Groups that a whole fact adds to.
    pub whole: Vec<usize>,
    /// Groups that each product of an order adds to.
    pub by_product: Vec<usize>,
}

/// All groups of a plan.
#[derive(Debug, Default)]
pub struct Groups {
    /// By number.
    pub list: Vec<Group>,
    /// Of any event.
    pub event: Facts,
    /// Of events by type.
    pub types: Map<String, Facts>,
    /// Of orders that count.
    pub order: Facts,
    /// Of refunds of them.
    pub refund: Facts,
    /// Of accounts that become customers.
    pub started: Facts,
    /// Of customers that are lost.
    pub lost: Facts,
    /// The level of customers.
    pub level: Option<usize>,
    /// Columns about losses, by what they follow.
    pub cohorts: Vec<(Column, Kind, usize)>,
    /// For each activity: the active accounts of each kind of window.
    pub engaged: Vec<Vec<(Kind, usize)>>,
    /// Steps of silence, days.
    pub steps: Vec<u16>,
    /// Days of the longest trailing window of a cohort or activity.
    pub longest: Day,
}

impl Groups {
    /// The groups of a plan.
    pub fn new(plan: &Plan) -> Groups {
        let mut groups = Groups::default();
        let list = &mut groups.list;
        let mut of = |trigger| facts(list, plan, plan.emissions(&trigger));
        groups.event = of(Trigger::Event);
        groups.order = of(Trigger::Order);
        groups.refund = of(Trigger::Refund);
        groups.started = of(Trigger::Started);
        groups.lost = of(Trigger::Lost);
        groups.types = plan.types.iter().map(|(kind, emits)| (kind.clone(), facts(list, plan, emits))).collect();
        groups.level = (!plan.levels.is_empty()).then(|| of_accounts(list, &plan.levels));
        for cohort in &plan.cohorts {
            let column = (cohort.bundle, cohort.column);
            match groups.cohorts.iter().find(|(what, kind, _)| *what == cohort.what && *kind == cohort.kind) {
                Some((_, _, group)) => list[*group].targets.extend(targets(&[column])),
                None => groups.cohorts.push((cohort.what.clone(), cohort.kind, of_accounts(list, &[column]))),
            }
        }
        for kinds in &plan.engaged {
            groups.engaged.push(kinds.iter().map(|(kind, columns)| (*kind, of_accounts(list, columns))).collect());
        }
        let kinds = groups.engaged.iter().flatten().map(|(kind, _)| kind);
        let kinds = kinds.chain(groups.cohorts.iter().map(|(_, kind, _)| kind));
        let days = kinds.map(|kind| if let Kind::Trailing(days) = kind { Day::from(*days) } else { 0 });
        groups.longest = days.max().unwrap_or(0);
        let silence = plan.metrics.iter().find(|metric| !metric.silence.is_empty());
        groups.steps = silence.map(|metric| metric.silence.clone()).unwrap_or_default();
        groups
    }
}

/// A group of columns about accounts: traits decide, one term.
fn of_accounts(list: &mut Vec<Group>, columns: &[(usize, usize)]) -> usize {
    let targets = targets(columns).collect();
    list.push(Group { dims: Vec::new(), by_traits: true, money: false, width: 1, targets });
    list.len() - 1
}

fn targets(columns: &[(usize, usize)]) -> impl Iterator<Item = Target> {
    columns.iter().map(|(bundle, column)| Target { bundle: *bundle, columns: vec![(*column, 0)] })
}

fn facts(list: &mut Vec<Group>, plan: &Plan, emissions: &[Emission]) -> Facts {
    let mut facts = Facts::default();
    let first = list.len();
    for emission in emissions {
        let bundle = &plan.bundles[emission.bundle];
        let dims: Vec<Dim> = bundle.dims.iter().filter(|dim| !matches!(dim, Dim::Trait(_))).cloned().collect();
        let by_traits = dims.is_empty() || dims.len() < bundle.dims.len();
        let columns = emission.columns.iter().map(|(column, field, filter)| {
            let term = (field.clone(), *filter);
            let known = facts.terms.iter().position(|known| *known == term);
            (*column, known.unwrap_or_else(|| push(&mut facts.terms, term)))
        });
        let target = Target { bundle: emission.bundle, columns: columns.collect() };
        let same = |group: &Group| group.dims == dims && group.by_traits == by_traits && group.money == bundle.money;
        match list[first..].iter_mut().find(|group| same(group)) {
            Some(group) => group.targets.push(target),
            None => {
                let products = dims.contains(&Dim::Product);
                let group = Group { dims, by_traits, money: bundle.money, width: 0, targets: vec![target] };
                let number = push(list, group);
                if products { &mut facts.by_product } else { &mut facts.whole }.push(number);
            }
        }
    }
    list[first..].iter_mut().for_each(|group| group.width = facts.terms.len());
    facts
}

fn push<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}
