//! What is known of one account, from its journal: its events, what its score rests on, and what is a fact of it.
//!
//! The stages of this process keep journals; of an account of another process the log has it, which takes as long as its
//! partition is long. It does not know the store.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use dashboard::backend::{Basis, Events, Fact, Input, Known, Trouble};
use eventlog::Log;
use ingest::{cloudevents::render, event::TENANT, partition};
use processor::{
    account::Shared,
    explain::{Found, Journal},
};
use processor_core::{
    calendar::Time,
    engine::explain::{self, Standing},
    event::Event,
    plan::Plan,
    rational::Rational,
    score::Score,
    shown::points,
};
use proto::{
    Message as _,
    v1::{Entry, entry},
};
use serde_json::{Value, value::RawValue};
use store::window::rfc3339;

use super::failed;
use crate::explain::words::{NOTHING, kind, words};

/// Sets traits, which have a fact of their own.
const UPDATED: &str = "account.updated";

/// Where an account is looked up.
pub(super) struct Place<'a> {
    pub(super) log: &'a dyn Log,
    pub(super) kept: Option<&'a Shared>,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) partitions: u32,
}

impl Place<'_> {
    fn partition(&self, account: &str) -> (u32, u32) {
        (partition::of(account.as_bytes(), self.partitions), self.partitions)
    }

    /// A page of the events that count for an account, the newest first; a cursor is the number of events before it.
    pub(super) fn events(&self, account: &str, cursor: Option<&str>, limit: usize) -> Result<Events, Trouble> {
        let wrong = || Trouble::Wrong("cursor", "is none that a page gave".to_owned());
        let skip: usize = cursor.map_or(Some(0), |cursor| cursor.parse().ok()).ok_or_else(wrong)?;
        let found = Found::read(self.log, self.kept, self.partition(account), TENANT, account).map_err(failed)?;
        let journal = journal(&found, self.plan, Time::MAX)?;
        let newest = newest_first(&journal);
        let page = newest.iter().skip(skip).take(limit);
        let form = |at: &usize| RawValue::from_string(text(&journal, *at)?).map_err(failed);
        let events = page.map(form).collect::<Result<Vec<_>, _>>()?;
        let end = skip.saturating_add(events.len());
        let next = (end < newest.len() && !events.is_empty()).then(|| end.to_string());
        Ok(Events { events, next })
    }

    /// What is known of an account now, and what its score was made of before `before_us`. None of an account without
    /// events, or of one that another process works on.
    pub(super) fn known(&self, account: &str, before_us: i64) -> Result<Option<Known>, Trouble> {
        let Some(kept) = self.kept else { return Ok(None) };
        let found = Found::kept(self.log, kept, self.partition(account), TENANT, account).map_err(failed)?;
        let Some((found, end)) = found.and_then(|found| found.end(self.plan).map(|end| (found, end))) else {
            return Ok(None);
        };
        let journal = journal(&found, self.plan, end)?;
        let (now, _) = explain::standing(self.plan, &journal.events, end);
        let components = self.plan.score.as_ref().map(|score| self.components(score, &journal, &now, before_us));
        Ok(Some(Known {
            score: now.tenths().map(points),
            aliases: journal.merged.iter().map(|name| (*name).to_owned()).collect(),
            components: components.unwrap_or_default(),
            traits_since: journal
                .events
                .iter()
                .filter(|event| event.kind == UPDATED)
                .map(|of| of.time)
                .max()
                .map(rfc3339),
            facts: self.facts(&journal, end)?,
        }))
    }

    fn components(&self, score: &Score, journal: &Journal<'_>, now: &Standing, before_us: Time) -> Vec<Basis> {
        let before = explain::stood(self.plan, &journal.events, before_us);
        let share = |standing: &Standing, at: usize| Some(standing.rated.as_ref()?.shares[at]);
        let adds = |standing: &Standing, at: usize| {
            share(standing, at).filter(|share| share.points.is_some()).map(|share| points(share.tenths))
        };
        let basis = |at: usize| {
            let of = &score.components[at];
            let input = share(now, at).and_then(|share| share.input);
            let (kind, among) = kind(of);
            Basis {
                component: of.name.clone(),
                points: adds(now, at),
                before: adds(&before, at),
                inputs: input.map_or_else(|| NOTHING.to_owned(), |input| words(of, input)),
                input: Input { kind: kind.to_owned(), value: input.map(Rational::to_f64), among },
            }
        };
        (0..score.components.len()).map(basis).collect()
    }

    /// Since when it is a customer, or was one; and the latest event of each type.
    fn facts(&self, journal: &Journal<'_>, end: Time) -> Result<Vec<Fact>, Trouble> {
        let mut facts = Vec::new();
        if let Some(run) = explain::customer(self.plan, &journal.events, end).last() {
            let until = (run.end < end).then(|| ("until".to_owned(), Value::String(rfc3339(run.end))));
            facts.push(Fact {
                name: "customer".to_owned(),
                at: Some(rfc3339(run.start)),
                fields: until.into_iter().collect(),
            });
        }
        let mut latest: HashMap<&str, usize> = HashMap::new();
        let newest = newest_first(journal);
        let firsts = newest.into_iter().filter(|at| {
            let kind = journal.events[*at].kind;
            kind != UPDATED && latest.insert(kind, *at).is_none()
        });
        for at in firsts.collect::<Vec<_>>() {
            let event: BTreeMap<String, Value> = serde_json::from_str(&text(journal, at)?).map_err(failed)?;
            let fields = event.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
            facts.push(Fact {
                name: journal.events[at].kind.to_owned(),
                at: Some(rfc3339(journal.events[at].time)),
                fields: fields.into_iter().collect(),
            });
        }
        Ok(facts)
    }
}

fn journal<'a>(found: &'a Found, plan: &Plan, at: Time) -> Result<Journal<'a>, Trouble> {
    // Only a change since an earlier instant can meet a merge that was undone.
    found.journal(plan, None, at).map_err(|undone| failed(format!("the merge of {} was undone", undone.account)))
}

/// Places of the events, the newest first.
fn newest_first(journal: &Journal<'_>) -> Vec<usize> {
    let order = |event: &Event<'_>| (event.time, event.recorded_at);
    let mut places: Vec<usize> = (0..journal.events.len()).collect();
    places.sort_by_key(|at| Reverse((order(&journal.events[*at]), *at)));
    places
}

/// An event as the door would take it.
fn text(journal: &Journal<'_>, at: usize) -> Result<String, Trouble> {
    match Entry::decode(journal.records[at].clone()).map(|entry| entry.entry) {
        Ok(Some(entry::Entry::Event(event))) => Ok(render(&event, None)),
        _ => Err(failed("a record of a journal is no event")),
    }
}
