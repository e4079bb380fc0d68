//! Subscriptions: what each pays from which instant on, and its terms.
//!
//! Each event sets the whole state: paid (active or past due, with MRR) or not. Events of one time count together, with
//! the place of the first. A paid event of a term that is still to come changes nothing until the term begins.

use crate::history::due;
use crate::read::{Event, Key};
use crate::{Micros, Settings, local};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What a subscription pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid<'a> {
    /// Minor units a month; above 0.
    pub mrr: i128,
    /// ISO 4217.
    pub currency: &'a str,
    /// The dimension `product`.
    pub product: &'a str,
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The first of the facts that make it.
    pub key: Key<'a>,
    /// What is paid from then on; `None` for nothing.
    pub paid: Option<Paid<'a>>,
}

/// A term: the events that carry one `term_start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term<'a> {
    /// The last end that an event gave it.
    pub end: Option<Micros>,
    /// What its first paid event says; `None` for a term that is not paid.
    pub first: Option<Paid<'a>>,
    /// What its last paid event says.
    pub last: Option<Paid<'a>>,
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription<'a> {
    /// Its id.
    pub id: &'a str,
    /// At most one an instant, ascending.
    pub steps: Vec<Step<'a>>,
    /// By their start.
    pub terms: BTreeMap<Micros, Term<'a>>,
}

/// The subscriptions of an account by id, from its events in the order of facts.
pub fn of<'a>(events: &[&'a Event], settings: &Settings, clock: Micros) -> Vec<Subscription<'a>> {
    let mut by_id: BTreeMap<&str, Vec<&'a Event>> = BTreeMap::new();
    for event in events.iter().filter(|e| e.kind == "subscription.changed") {
        by_id.entry(event.text("subscription").unwrap_or_default()).or_default().push(event);
    }
    by_id
        .into_iter()
        .map(|(id, events)| {
            let (steps, terms) = (steps(&events, &settings.zone, clock), terms(&events, &settings.zone));
            Subscription { id, steps, terms }
        })
        .collect()
}

fn paid(event: &Event) -> Option<Paid<'_>> {
    let mrr = event.amount("mrr");
    let pays = matches!(event.text("status"), Some("active" | "past_due")) && mrr > 0;
    let (currency, product) = (event.text("currency").unwrap_or_default(), event.text("product").unwrap_or_default());
    pays.then_some(Paid { mrr, currency, product })
}

fn start_of(event: &Event, zone: &TimeZone) -> Option<Micros> {
    event.text("term_start").and_then(|text| local::instant(text, zone))
}

fn steps<'a>(events: &[&'a Event], zone: &TimeZone, clock: Micros) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut set = |key: Key<'a>, paid| match steps.last_mut().filter(|last| last.key.0 == key.0) {
        Some(last) => last.paid = paid,
        None => steps.push(Step { key, paid }),
    };
    let mut coming: Option<(Micros, Paid<'a>)> = None;
    let mut present = None;
    for event in events {
        if let Some((at, paid)) = coming.take_if(|(at, _)| *at <= event.time) {
            present = Some(paid);
            set(due(at), present);
        }
        match (paid(event), start_of(event, zone).filter(|start| *start > event.time)) {
            (Some(paid), Some(start)) => coming = Some((start, paid)),
            (Some(paid), None) => present = Some(paid),
            (None, _) => (present, coming) = (None, None),
        }
        set(event.key(), present);
    }
    if let Some((at, paid)) = coming.filter(|(at, _)| *at <= clock) {
        set(due(at), Some(paid));
    }
    steps
}

fn terms<'a>(events: &[&'a Event], zone: &TimeZone) -> BTreeMap<Micros, Term<'a>> {
    let mut terms: BTreeMap<Micros, Term<'a>> = BTreeMap::new();
    for event in events {
        let paid = paid(event);
        if paid.is_none() {
            // It ends the terms that are still to come.
            for (_, term) in terms.range_mut(event.time + 1..) {
                (term.first, term.last) = (None, None);
            }
        }
        let Some(start) = start_of(event, zone) else { continue };
        let term = terms.entry(start).or_default();
        term.end = event.text("term_end").and_then(|text| local::instant(text, zone)).or(term.end);
        term.first = term.first.or(paid);
        term.last = paid.or(term.last);
    }
    terms
}

impl<'a> Subscription<'a> {
    /// The times in which it is paid: (start, end], the end `None` for what lasts.
    pub fn paid_times(&self) -> Vec<(Key<'a>, Option<Key<'a>>)> {
        let mut times: Vec<(Key<'a>, Option<Key<'a>>)> = Vec::new();
        let mut running = false;
        for step in &self.steps {
            match (running, step.paid.is_some()) {
                (false, true) => times.push((step.key, None)),
                (true, false) => times.last_mut().into_iter().for_each(|time| time.1 = Some(step.key)),
                _ => {}
            }
            running = step.paid.is_some();
        }
        times
    }
}
