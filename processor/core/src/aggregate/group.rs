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
    plan::{Dim, Emission, Field, Followed, Loss, Plan, Trigger},
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
    /// Of measures of accounts: the filter over traits of each term.
    pub filters: Vec<Option<usize>>,
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
    pub cohorts: Vec<(Loss, Kind, usize)>,
    /// For each activity: the active accounts of each kind of window.
    pub engaged: Vec<Vec<(Kind, usize)>>,
    /// For each activity: the filter over its events.
    pub active: Vec<Option<usize>>,
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
            match groups.cohorts.iter().find(|(what, kind, _)| *what == cohort.what && *kind == cohort.kind) {
                Some((_, _, group)) => list[*group].follow(cohort.column),
                None => groups.cohorts.push((cohort.what, cohort.kind, of_accounts(list, &[cohort.column]))),
            }
        }
        for kinds in &plan.engaged {
            groups.engaged.push(kinds.iter().map(|(kind, columns)| (*kind, of_accounts(list, columns))).collect());
        }
        groups.active = plan.activities.iter().map(|activity| plan.filter(activity.filter.as_deref())).collect();
        let kinds = groups.engaged.iter().flatten().map(|(kind, _)| kind);
        let kinds = kinds.chain(groups.cohorts.iter().map(|(_, kind, _)| kind));
        let days = kinds.map(|kind| if let Kind::Trailing(days) = kind { Day::from(*days) } else { 0 });
        groups.longest = days.max().unwrap_or(0);
        let silence = plan.metrics.iter().find(|metric| !metric.silence.is_empty());
        groups.steps = silence.map(|metric| metric.silence.clone()).unwrap_or_default();
        groups
    }
}

/// A group of columns about accounts: traits decide, a term a filter.
fn of_accounts(list: &mut Vec<Group>, columns: &[Followed]) -> usize {
    let mut group =
        Group { dims: Vec::new(), by_traits: true, money: false, width: 0, filters: Vec::new(), targets: Vec::new() };
    columns.iter().for_each(|column| group.follow(*column));
    push(list, group)
}

impl Group {
    /// Adds a column about accounts.
    fn follow(&mut self, column: Followed) {
        let known = self.filters.iter().position(|filter| *filter == column.filter);
        let term = known.unwrap_or_else(|| push(&mut self.filters, column.filter));
        self.width = self.filters.len();
        self.targets.push(Target { bundle: column.bundle, columns: vec![(column.column, term)] });
    }
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
                let (money, targets) = (bundle.money, vec![target]);
                let group = Group { dims, by_traits, money, width: 0, filters: Vec::new(), targets };
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
