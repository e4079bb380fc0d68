//! Which values of a dimension are kept apart: the first, as many as the setting says; all others are `other`.
//!
//! First goes by the instant at whose end something of the value stands, and within an instant by the bytes of the value.
//! The whole log is computed again for each instant: slow, and free of any state.

use crate::history::{self, Account};
use crate::money::{self, Effect, trait_groups};
use crate::read::{Event, Log};
use crate::row::{By, Group};
use crate::{Micros, Settings, repair};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What stands for the values that are not kept apart.
const OTHER: &str = "other";

/// The values that are kept apart, by dimension.
#[derive(Debug)]
pub struct Kept {
    /// `None` where no dimension has too many.
    values: Option<HashMap<By, HashSet<String>>>,
}

impl Kept {
    /// The choice as of `clock`.
    pub fn of(log: &Log, settings: &Settings, clock: Micros) -> Self {
        if mentioned(log) <= settings.values_max {
            return Self { values: None };
        }
        let mut values: HashMap<By, HashSet<String>> = HashMap::new();
        for instant in log.ticks.range(..=clock) {
            // Ascending, so within each dimension by the bytes of the value.
            for (by, value) in standing(*instant, log, settings) {
                let known = values.entry(by).or_default();
                if !value.is_empty() && value != OTHER && known.len() < settings.values_max {
                    known.insert(value);
                }
            }
        }
        Self { values: Some(values) }
    }

    /// The group in which a group is shown.
    pub fn shown<'a>(&self, group: Group<'a>) -> Group<'a> {
        let known =
            |values: &HashMap<By, HashSet<String>>| values.get(&group.0).is_some_and(|values| values.contains(group.1));
        match &self.values {
            Some(values) if group.0 != By::Nothing && !group.1.is_empty() && !known(values) => (group.0, OTHER),
            _ => group,
        }
    }
}

/// At most so many values has any dimension: texts in the log, whatever they are.
fn mentioned(log: &Log) -> usize {
    log.events.iter().map(|event| event.data.to_string().matches('"').count()).sum()
}

/// Every group of which something stands at an instant.
fn standing(instant: Micros, log: &Log, settings: &Settings) -> BTreeSet<(By, String)> {
    let events = repair::distinct(log, settings, instant);
    let accounts = history::accounts(&repair::effective(&events), settings, instant);
    let facts = money::facts(&accounts);
    let of_facts = facts.iter().filter(|fact| fact.effect != Effect::Cancelled).flat_map(|fact| &fact.shares);
    let mut found: BTreeSet<(By, String)> = of_facts.map(|((by, value), _)| (*by, (*value).to_owned())).collect();
    for event in events {
        let account = accounts.iter().find(|account| Some(account.name) == event.account());
        found.extend(account.into_iter().flat_map(|account| of_event(account, event)));
    }
    found
}

/// An event counts in the groups of its account; so does a customer, from the update on that brought it into a group.
fn of_event(account: &Account<'_>, event: &Event) -> Vec<(By, String)> {
    let mut groups = trait_groups(account.traits_before(event.key())).to_vec();
    if account.customer_at(event.time) {
        let after = account.traits.partition_point(|(key, _)| *key <= event.key());
        groups.extend(after.checked_sub(1).into_iter().flat_map(|at| trait_groups(&account.traits[at].1)));
    }
    groups.into_iter().map(|(by, value)| (by, value.to_owned())).collect()
}
