//! Which values of a dimension are kept apart: the first, as many as the setting says; all others are `other`.
//!
//! First goes by the instant at whose end something of the value stands, and within an instant by the bytes of the value.
//! The whole log is computed again for each instant: slow, and free of any state.

use crate::history::{self, Account};
use crate::money::{self, Effect, trait_groups};
use crate::read::{Event, Log};
use crate::row::{By, Group};
use crate::{Micros, Settings, known, repair};
use serde_json::Value;
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
            // Bands are the catalog's own, and few.
            Some(_) if matches!(group.0, By::Nothing | By::Band) => group,
            Some(values) if !group.1.is_empty() && !known(values) => (group.0, OTHER),
            _ => group,
        }
    }
}

/// No dimension has more values than this: texts of its name, anywhere in a payload.
fn mentioned(log: &Log) -> usize {
    let mut texts: HashMap<&str, HashSet<&str>> = HashMap::new();
    for event in &log.events {
        collect(&event.data, &mut texts);
    }
    texts.values().map(HashSet::len).max().unwrap_or(0)
}

/// Names of fields that are dimensions.
const NAMES: [&str; 10] =
    ["plan", "segment", "region", "channel", "source", "product", "owner", "topic", "stage", "kind"];

fn collect<'v>(value: &'v Value, texts: &mut HashMap<&'v str, HashSet<&'v str>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if NAMES.contains(&name.as_str()) => {
                        texts.entry(name).or_default().insert(text);
                    }
                    _ => collect(value, texts),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

/// Every group of which something stands at an instant.
fn standing(instant: Micros, log: &Log, settings: &Settings) -> BTreeSet<(By, String)> {
    let events = repair::distinct(log, settings, instant);
    let effective = repair::effective(&events);
    let accounts = history::accounts(&effective, settings, instant);
    let facts = money::facts(&accounts);
    let marks = known::marks(&effective, &accounts, instant);
    let spans = known::spans(&accounts);
    let of_facts = facts.iter().filter(|fact| fact.effect != Effect::Cancelled).flat_map(|fact| &fact.shares);
    let mut found: BTreeSet<(By, String)> = of_facts.map(|((by, value), _)| (*by, (*value).to_owned())).collect();
    let marked = marks.iter().flat_map(|mark| mark.groups.iter());
    let standing = spans.iter().flat_map(|span| &span.groups);
    found.extend(marked.chain(standing).map(|(by, value)| (*by, (*value).to_owned())));
    for event in events {
        let account = accounts.iter().find(|account| !account.guest && Some(account.name) == event.account());
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
