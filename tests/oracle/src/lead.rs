//! Leads: `lead_conversion_rate`, `lead_qualification_rate`, `lead_response_time`, `lead_sla_rate`.

use crate::Micros;
use crate::mark::Mark;
use crate::read::{Event, Subject};
use crate::row::{By, Group};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A lead has to be contacted within this, inclusive.
pub const SLA: Micros = 86_400_000_000;

/// The marks of all leads, from the events in effect in the order of facts.
pub fn marks<'a>(events: &[&'a Event], clock: Micros, marks: &mut Vec<Mark<'a>>) {
    let mut leads: BTreeMap<&str, Vec<&'a Event>> = BTreeMap::new();
    for event in events {
        if let Subject::Lead(lead) = &event.subject {
            leads.entry(lead).or_default().push(event);
        }
    }
    for events in leads.values() {
        of_lead(events, clock, marks);
    }
}

fn of_lead<'a>(events: &[&'a Event], clock: Micros, marks: &mut Vec<Mark<'a>>) {
    let Some(created) = events.iter().find(|e| e.kind == "lead.created") else { return };
    let text = |name| created.text(name).unwrap_or_default();
    // A lead has no account, so no traits.
    let traits = [(By::Nothing, ""), (By::Plan, ""), (By::Segment, ""), (By::Region, "")];
    let own = [(By::Source, text("source")), (By::Owner, text("owner"))];
    let groups: Arc<[Group<'a>]> = traits.into_iter().chain(own).collect();

    let opened = created.time;
    let after = || events.iter().filter(|e| e.time >= opened);
    let first = |passes: &dyn Fn(&Event) -> bool| after().find(|e| passes(e)).map(|e| e.time);
    let converted = first(&|e| e.kind == "lead.converted");
    let qualified = first(&|e| e.kind == "lead.status_changed" && e.text("to") == Some("qualified"));
    let contacted = first(&|e| e.kind == "lead.contacted" && !e.flag("automated").unwrap_or(false));

    let mut push = |metric, time, at, num, den| {
        marks.push(Mark { metric, time, at, groups: groups.clone(), currency: "", num, den });
    };
    for (metric, reached) in [("lead_conversion_rate", converted), ("lead_qualification_rate", qualified)] {
        push(metric, opened, opened, 0, 1);
        reached.into_iter().for_each(|at| push(metric, opened, at, 1, 0));
    }
    if let Some(at) = contacted {
        push("lead_response_time", at, at, i128::from(at - opened), 1);
    }
    let in_time = contacted.filter(|at| *at <= opened + SLA);
    let breach = Some(opened + SLA).filter(|at| *at <= clock);
    if let Some(decided) = [in_time, converted, breach, contacted].into_iter().flatten().min() {
        push("lead_sla_rate", opened, decided, 0, 1);
        in_time.into_iter().for_each(|at| push("lead_sla_rate", opened, at, 1, 0));
    }
}
