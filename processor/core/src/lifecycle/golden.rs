//! Golden cases of lifecycles: events in, sums of measures by day and group out. Only for tests.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    calendar::{DAY, HOUR, Time},
    catalog::Catalog,
    engine::{Engine, Outcome},
    event::{Event, EventId, Fields, SubjectKind, number},
    plan::Plan,
    series::Rows,
    settings::Settings,
};

/// What an event says: its type, and the message of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The type.
    pub(crate) kind: &'static str,
    /// The message.
    pub(crate) data: Fields<'static>,
}

impl Said {
    /// These fields of a type, see [`Fields::of`].
    pub(crate) fn new(kind: &'static str, fields: &[(u32, &str)]) -> Said {
        Said { kind, data: Fields::of(fields) }
    }

    /// `order.completed`, with products and amounts of its lines.
    pub(crate) fn order(order: &str, gross: i64, discount: i64, currency: &str, lines: &[(&str, i64)]) -> Said {
        let [gross, discount] = [gross, discount].map(|amount| format!("#{amount}"));
        let fields = [(1, order), (2, &gross), (3, &discount), (4, currency), (5, "web")];
        let line = |(product, amount): &(&str, i64)| Fields::of(&[(1, product), (3, &format!("#{amount}"))]);
        let lines: Vec<Fields<'_>> = lines.iter().map(line).collect();
        Said { kind: "order.completed", data: Fields::of(&fields).with(7, &lines) }
    }

    /// `order.cancelled`
    pub(crate) fn cancelled(order: &str) -> Said {
        Said::new("order.cancelled", &[(1, order)])
    }

    /// `payment.refunded`, of an order, an invoice or neither.
    pub(crate) fn refund(refund: &str, order: &str, invoice: &str, amount: i64) -> Said {
        let fields = [(1, refund), (2, order), (3, invoice), (4, &format!("#{amount}")), (5, "USD")];
        Said::new("payment.refunded", &fields)
    }

    /// `account.updated`; a trait without a value is unset.
    pub(crate) fn traits(values: &[(&str, Option<&str>)]) -> Said {
        let one = |(name, value): &(&str, Option<&str>)| Fields::of(&[(1, name), (2, value.unwrap_or_default())]);
        let traits: Vec<Fields<'_>> = values.iter().map(one).collect();
        Said { kind: "account.updated", data: Fields::default().with(1, &traits) }
    }

    /// `usage.recorded`
    pub(crate) fn usage(count: i64) -> Said {
        Said::new("usage.recorded", &[(1, "u"), (2, "n"), (3, &format!("#{count}"))])
    }

    /// `retracted`, of an event of the same source.
    pub(crate) fn retracted(id: &str) -> Said {
        Said::new("retracted", &[(1, id)])
    }

    /// An event that says it, at a time.
    pub(crate) fn event(self, time: Time, id: &'static str) -> Event<'static> {
        Event {
            time,
            id: EventId { source: "s", id },
            subject: SubjectKind::of(self.kind),
            recorded_at: Time::MAX / 2,
            kind: self.kind,
            corrects: None,
            number: number(self.kind),
            data: self.data,
            custom: Vec::new(),
        }
    }
}

/// An event of a type that a lifecycle reads, at a day and hour; its id is its place in a case.
pub(crate) fn event(day: i64, hour: i64, kind: &'static str, fields: &[(u32, &str)]) -> Event<'static> {
    Event { id: EventId::default(), ..Said::new(kind, fields).event(day * DAY + hour * HOUR, "") }
}

/// The traits that an account has from then on.
pub(crate) fn traits(day: i64, values: &[(&'static str, &'static str)]) -> Event<'static> {
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, Some(*value))).collect();
    Said::traits(&values).event(day * DAY, "")
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
