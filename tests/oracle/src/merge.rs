//! Merged accounts: `identity.linked` gives everything of the account `from`, whenever it is dated, to the account `to`.
//!
//! Links are those in effect before any merge; one that is retracted or corrected away merges nothing. Of two links of
//! one account the later in the order of facts holds. Links are followed to the end; a circle of links merges nothing.

use crate::read::{Event, Log, Subject};
use crate::{Micros, Settings, repair};
use std::collections::HashMap;

/// The log as if every merged account had always been the one that it was merged into.
pub fn merged<'l>(log: &'l Log, settings: &Settings, clock: Micros) -> std::borrow::Cow<'l, Log> {
    if !log.events.iter().any(|event| event.kind == "identity.linked") {
        return std::borrow::Cow::Borrowed(log);
    }
    let links = links(log, settings, clock);
    let mut merged = log.clone();
    for event in &mut merged.events {
        if let Subject::Account(name) = &event.subject
            && let Some(target) = target(name, &links)
        {
            event.subject = Subject::Account(target.to_owned());
        }
    }
    std::borrow::Cow::Owned(merged)
}

fn links(log: &Log, settings: &Settings, clock: Micros) -> HashMap<String, String> {
    let distinct = repair::distinct(log, settings, clock);
    let of = |event: &Event, name| event.text(name).unwrap_or_default().to_owned();
    let links = repair::effective(&distinct).into_iter().filter(|event| event.kind == "identity.linked");
    links.map(|event| (of(event, "from"), of(event, "to"))).collect()
}

/// Where the links of an account end; `None` for one that is not merged.
fn target<'t>(name: &str, links: &'t HashMap<String, String>) -> Option<&'t str> {
    let mut target = links.get(name)?;
    for _ in 0..links.len() {
        match links.get(target) {
            Some(next) => target = next,
            None => return Some(target),
        }
    }
    None
}
