//! Golden cases of lifecycles: events in, sums of measures by day and group out. Only for tests.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    calendar::{DAY, HOUR, Time},
    catalog::Catalog,
    engine::{Engine, Outcome},
    event::{Body, Event, EventId, Fields, SubjectKind},
    plan::Plan,
    series::Rows,
    settings::Settings,
};

/// An event of a type that a lifecycle reads, at a day and hour; its id is its place in a case.
pub(crate) fn event(day: i64, hour: i64, kind: &'static str, fields: &[(u32, &str)]) -> Event<'static> {
    Event {
        time: day * DAY + hour * HOUR,
        id: EventId::default(),
        subject: SubjectKind::of(kind),
        recorded_at: Time::MAX / 2,
        kind,
        corrects: None,
        number: 0,
        body: Body::Other,
        data: Fields::of(fields),
        custom: Vec::new(),
    }
}

/// The traits that an account has from then on.
pub(crate) fn traits(day: i64, values: &[(&'static str, &'static str)]) -> Event<'static> {
    let values = values.iter().map(|(name, value)| (*name, Some(*value))).collect();
    Event { body: Body::Traits(values), ..event(day, 0, "account.updated", &[]) }
}

/// What the measures add up to once the clock is at the day `now`: a line `measure day group: sum` each, without zeros.
pub(crate) fn sums(measures: &[(&str, &str)], by: &str, events: Vec<Event<'static>>, now: i64) -> Vec<String> {
    let written: String = measures.iter().map(|(name, measure)| format!("      {name}: {measure}\n")).collect();
    let mut names: Vec<&str> = measures.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let catalog = format!(
        "meaningful: [order]\nmetrics:\n  - name: m\n    title: M\n    description: D\n    unit: money\n    windows: [1d]\n    by: [{by}]\n    measures:\n{written}    value: {}\n",
        names[0]
    );
    let plan = Plan::lower(&Catalog::parse(&catalog).unwrap(), &Settings::default()).unwrap();
    let readings = plan.metrics[0].views[0].readings[0].clone();

    let (engine, rows) = run(plan, events, now);
    let mut lines = BTreeMap::new();
    for ((series, slice), row) in &rows {
        let (bundle, group) = engine.describe(*series);
        for (name, reading) in names.iter().zip(&readings).filter(|(_, reading)| reading.bundle == bundle) {
            lines.insert((*name, slice / DAY, group.join(" ")), row[reading.column]);
        }
    }
    let shown = lines.into_iter().filter(|(_, sum)| *sum != 0);
    shown.map(|((name, day, group), sum)| format!("{name} {day} {group}: {sum}").replace(" :", ":")).collect()
}

/// Runs the events of one subject through an engine, in any order; gives the changes of slices at the day `now`.
pub(crate) fn run(plan: Plan, events: Vec<Event<'static>>, now: i64) -> (Engine, Rows) {
    let mut engine = Engine::new(Arc::new(plan), Time::MIN);
    let slot = engine.load("a", &[], []).unwrap();
    let mut journal = Vec::new();
    for (place, event) in events.into_iter().enumerate() {
        let id: &'static str = Box::leak(format!("{place:03}").into());
        let event = Event { id: EventId { source: "s", id }, ..event };
        if engine.apply(slot, &event, None) == Outcome::NeedsJournal {
            engine.apply(slot, &event, Some(journal.clone()));
        }
        journal.push(event);
    }
    let due: Vec<Time> = engine.timers().map(|(due, _)| due).collect();
    due.into_iter().filter(|due| *due <= now * DAY).for_each(|due| engine.ring(slot, due, now * DAY));
    let rows = engine.close(now * DAY, |_| {});
    (engine, rows)
}
