//! Events of an account, the newest first, and the goals that were set.

use std::collections::BTreeMap;

use dashboard::backend::{Events, GoalTerms, Trouble};
use eventlog::Log;
use ingest::{
    cloudevents::{Position, render},
    door, partition,
};
use processor::topics::EVENTS;
use proto::v1::{Event, SubjectKind, entry};
use serde_json::{Value, value::RawValue};

use super::failed;

/// A page of the events of an account; a cursor is the number of events before it.
pub(super) fn of_account(
    log: &dyn Log,
    partitions: u32,
    account: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Events, Trouble> {
    let wrong = || Trouble::Wrong("cursor", "is none that a page gave".to_owned());
    let skip: usize = cursor.map_or(Some(0), |cursor| cursor.parse().ok()).ok_or_else(wrong)?;
    let partition = partition::of(account.as_bytes(), partitions);
    let mut found: Vec<(i64, Position, Event)> = Vec::new();
    each(log, partition, 0, |position, event| {
        if event.subject_kind() == SubjectKind::Account && event.subject == account {
            found.push((event.time_us, position, event));
        }
    })
    .map_err(failed)?;
    let total = found.len();
    found.sort_by_key(|(time_us, position, _)| std::cmp::Reverse((*time_us, position.offset)));
    let page = found.into_iter().skip(skip).take(limit);
    let form = |(_, position, event): (i64, Position, Event)| RawValue::from_string(render(&event, Some(position)));
    let events = page.map(form).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let end = skip.saturating_add(events.len());
    let next = (end < total && !events.is_empty()).then(|| end.to_string());
    Ok(Events { events, next })
}

/// Applies the settings of goals from an offset on; returns where the partition ended.
pub(super) fn goals(
    log: &dyn Log,
    partition: u32,
    from: u64,
    goals: &mut BTreeMap<String, GoalTerms>,
) -> eventlog::Result<u64> {
    each(log, partition, from, |_, event| {
        if event.r#type == "goal.set" {
            apply(&event, goals);
        }
    })
}

fn apply(event: &Event, goals: &mut BTreeMap<String, GoalTerms>) {
    let whole: Value = serde_json::from_str(&render(event, None)).unwrap_or_default();
    let data = &whole["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| data[name].as_f64().or_else(|| data[name].as_str()?.parse().ok());
    let goal = text("goal");
    match number("target") {
        None => drop(goals.remove(&goal)),
        Some(target) => {
            let dimensions = data["dimensions"].as_object().into_iter().flatten();
            let dimensions = dimensions.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            let window = Some(text("window")).filter(|window| !window.is_empty());
            let terms = GoalTerms {
                goal: goal.clone(),
                metric: text("metric"),
                dimensions: dimensions.collect(),
                window: window.unwrap_or_else(|| "1q".to_owned()),
                target,
                currency: text("currency"),
                due: text("due"),
            };
            goals.insert(goal, terms);
        }
    }
}

/// Calls `visit` for each event of a partition from an offset on; returns where the partition ended.
fn each(log: &dyn Log, partition: u32, from: u64, mut visit: impl FnMut(Position, Event)) -> eventlog::Result<u64> {
    let mut next = from;
    for stored in eventlog::past(log, EVENTS, partition, from)? {
        let stored = stored?;
        next = stored.offset + 1;
        // What does not decode is a dead letter, which lists of those show.
        if let Some(entry::Entry::Event(event)) = door::decode(EVENTS, partition, &stored).ok().and_then(|it| it.entry)
        {
            visit(Position { partition, offset: stored.offset }, event);
        }
    }
    Ok(next)
}
