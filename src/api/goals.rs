//! The goals that were set: a fold of their events.

use std::collections::BTreeMap;

use dashboard::backend::GoalTerms;
use eventlog::Log;
use ingest::{cloudevents::render, door};
use processor::topics::EVENTS;
use proto::v1::{Event, entry};
use serde_json::Value;

/// Applies the settings of goals from an offset on; returns where the partition ended.
pub(super) fn read(
    log: &dyn Log,
    partition: u32,
    from: u64,
    goals: &mut BTreeMap<String, GoalTerms>,
) -> eventlog::Result<u64> {
    each(log, partition, from, |event| {
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
fn each(log: &dyn Log, partition: u32, from: u64, mut visit: impl FnMut(Event)) -> eventlog::Result<u64> {
    let mut next = from;
    for stored in eventlog::past(log, EVENTS, partition, from)? {
        let stored = stored?;
        next = stored.offset + 1;
        // What does not decode is a dead letter, which lists of those show.
        if let Some(entry::Entry::Event(event)) = door::decode(EVENTS, partition, &stored).ok().and_then(|it| it.entry)
        {
            visit(event);
        }
    }
    Ok(next)
}
