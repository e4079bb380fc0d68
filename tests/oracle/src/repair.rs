//! Which events are in effect: identity, corrections, retractions. Where an event stands in the log matters only for
//! identity (the first holds); all the rest holds in any order of arrival.

use crate::read::{Event, Log, Subject};
use crate::{Micros, Settings};
use std::collections::{HashMap, HashSet};

/// (subject, source, id).
type Identity<'a> = (&'a Subject, &'a str, &'a str);

/// The events that take part: before the tick of this time in their partition, not quarantined, each identity once, the first in the log.
pub fn distinct<'l>(log: &'l Log, settings: &Settings, clock: Micros) -> Vec<&'l Event> {
    let mut seen: HashSet<Identity<'_>> = HashSet::new();
    let mut kept = Vec::new();
    for event in &log.events {
        let recorded = event.recorded.unwrap_or(event.time);
        let ahead = event.recorded.is_some() && event.time > recorded + settings.max_ahead;
        let later = match event.after {
            Some(after) => clock <= after,
            None => event.recorded.is_some() && recorded > clock,
        };
        if !ahead && !later && seen.insert((&event.subject, &event.source, &event.id)) {
            kept.push(event);
        }
    }
    kept
}

struct Links<'e, 'a> {
    events: &'e [&'a Event],
    /// For each event: those that correct it.
    corrections: HashMap<usize, Vec<usize>>,
    /// Those that correct a known event.
    correcting: HashSet<usize>,
    retracted: HashSet<usize>,
}

/// The events in effect, in the order of facts.
pub fn effective<'a>(events: &[&'a Event]) -> Vec<&'a Event> {
    let links = link(events);
    let mut found: Vec<&Event> = (0..events.len())
        .filter(|i| !links.correcting.contains(i))
        .filter_map(|i| links.resolve(i))
        .map(|i| events[i])
        .collect();
    found.sort_by_key(|e| e.key());
    found
}

fn link<'e, 'a>(events: &'e [&'a Event]) -> Links<'e, 'a> {
    let index: HashMap<Identity<'_>, usize> =
        events.iter().enumerate().map(|(i, e)| ((&e.subject, e.source.as_str(), e.id.as_str()), i)).collect();
    let mut links =
        Links { events, corrections: HashMap::new(), correcting: HashSet::new(), retracted: HashSet::new() };
    let find = |subject, source, id| index.get(&(subject, source, id)).copied();
    for (i, event) in events.iter().enumerate() {
        if event.kind == "retracted" {
            let source = event.text("of_source").unwrap_or(&event.source);
            links.retracted.extend(find(&event.subject, source, event.text("event").unwrap_or_default()));
        }
        let Some((source, id)) = &event.corrects else { continue };
        if let Some(target) = find(&event.subject, source, id).filter(|&target| target != i) {
            links.corrections.entry(target).or_default().push(i);
            links.correcting.insert(i);
        }
    }
    links
}

impl Links<'_, '_> {
    /// What stands in the place of event `i`.
    fn resolve(&self, i: usize) -> Option<usize> {
        if self.retracted.contains(&i) {
            return None;
        }
        let Some(corrections) = self.corrections.get(&i) else { return Some(i) };
        let standing = corrections.iter().copied().filter(|c| !self.retracted.contains(c));
        self.resolve(standing.max_by_key(|&c| self.events[c].key())?)
    }
}
