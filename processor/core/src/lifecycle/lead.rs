//! Leads: created, contacted, qualified, converted; the subject of the events is the lead itself.
//!
//! Conversion, qualification and the decision on the answer in time are facts of the creation: they are dated at it, so
//! that the window of the creation is corrected as the lead matures. The response is a fact of the first contact. A lead
//! is decided when it is contacted, converts, or is as old as [`SLA`], whichever comes first; the last is a due time.
//! Automated contacts are none. What is dated before the creation is ignored, whatever its id at the same instant.
//!
//! A lead has no account, so it has no traits. Its whole state is a few times, and is never forgotten.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Kept, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    calendar::{HOUR, Time},
    event::Event,
    expr::Type,
    vocabulary::{lead_contacted, lead_created, lead_status_changed},
};

/// A lead has to be contacted within this, inclusive.
pub const SLA: Time = 24 * HOUR;

const SOURCE: FieldType = FieldType::dimension("source", Spelling::Both);
const OWNER: FieldType = FieldType::dimension("owner", Spelling::Both);

const fn fact(name: &'static str, event: &'static str, fields: &'static [FieldType]) -> FactType {
    let (sort, whole) = (Sort::Happening, fields.len());
    FactType { name, event, sort, fields, whole, money: false, stays: false, has_event: true, reads: Leads::READS }
}

/// A lead, at its creation.
pub const LEAD: FactType = fact("lead", "lead.created", &[SOURCE, OWNER]);
/// A lead that converted, at its creation.
pub const CONVERTED: FactType = fact("lead_converted", "", &[SOURCE, OWNER]);
/// A lead that was ever qualified, at its creation.
pub const QUALIFIED: FactType = fact("lead_qualified", "", &[SOURCE, OWNER]);
/// A lead of which it is decided whether it was contacted in time, at its creation.
pub const DECIDED: FactType =
    fact("lead_decided", "", &[SOURCE, OWNER, FieldType::new("in_time", Type::Flag, Spelling::Short)]);
/// The first contact with a lead; `elapsed` is microseconds since its creation.
pub const RESPONSE: FactType =
    fact("lead_response", "", &[SOURCE, OWNER, FieldType::new("elapsed", Type::Number, Spelling::Short)]);

const LEAD_ID: FactId = super::id(&LEAD);
const CONVERTED_ID: FactId = super::id(&CONVERTED);
const QUALIFIED_ID: FactId = super::id(&QUALIFIED);
const DECIDED_ID: FactId = super::id(&DECIDED);
const RESPONSE_ID: FactId = super::id(&RESPONSE);

/// What a lead was created with.
#[derive(Debug, Clone, PartialEq)]
struct Created {
    time: Time,
    source: Box<str>,
    owner: Box<str>,
    custom: Kept,
}

/// The lead that the subject is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leads {
    created: Option<Created>,
    /// First time of each; before the creation the latest, which counts if it is at the instant of the creation.
    converted: Option<Time>,
    qualified: Option<Time>,
    contacted: Option<Time>,
    /// Whether it became as old as [`SLA`] undecided.
    overdue: bool,
}

impl Lifecycle for Leads {
    const TAG: u8 = b'l';
    const READS: &'static [&'static str] = &["lead.created", "lead.contacted", "lead.status_changed", "lead.converted"];
    const FACTS: &'static [&'static FactType] = &[&LEAD, &CONVERTED, &QUALIFIED, &DECIDED, &RESPONSE];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let before = self.clone();
        match event.kind {
            "lead.created" => self.create(event, out),
            "lead.converted" => self.reach(event.time, |lead| &mut lead.converted),
            "lead.status_changed" if event.data.text(lead_status_changed::TO) == "qualified" => {
                self.reach(event.time, |lead| &mut lead.qualified);
            }
            "lead.contacted" if event.data.flag(lead_contacted::AUTOMATED) != Some(true) => {
                self.reach(event.time, |lead| &mut lead.contacted);
            }
            _ => {}
        }
        self.emit(&before, out);
    }

    fn due(&self) -> Option<Time> {
        self.created.as_ref().filter(|_| self.in_time().is_none()).map(|created| created.time.saturating_add(SLA))
    }

    fn fire(&mut self, _: Time, out: &mut Out<'_, '_>) {
        let before = self.clone();
        self.overdue = true;
        self.emit(&before, out);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.created.iter(), |out, created| {
            out.time(created.time);
            out.text(&created.source);
            out.text(&created.owner);
            created.custom.encode(out);
        });
        [self.converted, self.qualified, self.contacted].iter().for_each(|at| out.time(at.unwrap_or(Time::MIN)));
        out.flag(self.overdue);
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Leads> {
        let mut created = from.list(|from| {
            let (time, source, owner) = (from.time()?, from.text()?.into(), from.text()?.into());
            Some(Created { time, source, owner, custom: Kept::decode(from)? })
        })?;
        if created.len() > 1 {
            return None;
        }
        let mut time = || from.time().map(|at| Some(at).filter(|at| *at != Time::MIN));
        let (converted, qualified, contacted) = (time()?, time()?, time()?);
        Some(Leads { created: created.pop(), converted, qualified, contacted, overdue: from.flag()? })
    }
}

impl Leads {
    /// Creates the lead, once. Of what came before it only what has its time counts.
    fn create(&mut self, event: &Event<'_>, out: &Out<'_, '_>) {
        if self.created.is_some() {
            return;
        }
        self.created = Some(Created {
            time: event.time,
            source: event.data.text(lead_created::SOURCE).into(),
            owner: event.data.text(lead_created::OWNER).into(),
            custom: out.keep(&event.custom),
        });
        for at in [&mut self.converted, &mut self.qualified, &mut self.contacted] {
            *at = at.filter(|at| *at == event.time);
        }
    }

    fn reach(&mut self, at: Time, of: impl FnOnce(&mut Leads) -> &mut Option<Time>) {
        let created = self.created.is_some();
        let reached = of(self);
        if !created || reached.is_none() {
            *reached = Some(at);
        }
    }

    /// Whether the lead was contacted in time; `None` while that is undecided.
    fn in_time(&self) -> Option<bool> {
        let created = self.created.as_ref()?.time;
        let in_time = self.contacted.is_some_and(|at| at <= created.saturating_add(SLA));
        (self.contacted.is_some() || self.converted.is_some() || self.overdue).then_some(in_time)
    }

    /// Emits what is new since `before`.
    fn emit(&self, before: &Leads, out: &mut Out<'_, '_>) {
        let Some(created) = &self.created else { return };
        let was = |at: Option<Time>| before.created.is_some() && at.is_some();
        if before.created.is_none() {
            created.add(LEAD_ID, created.time, Slot::Absent, 1, out);
        }
        for (id, before, now) in
            [(CONVERTED_ID, before.converted, self.converted), (QUALIFIED_ID, before.qualified, self.qualified)]
        {
            if now.is_some() && !was(before) {
                created.add(id, created.time, Slot::Absent, 1, out);
            }
        }
        if let Some(at) = self.contacted.filter(|_| !was(before.contacted)) {
            created.add(RESPONSE_ID, at, Slot::Integer(at.saturating_sub(created.time)), 1, out);
        }

        // A lead that converts first and is contacted then, still in time, was decided otherwise before.
        let (old, new) = (before.in_time(), self.in_time());
        if old != new {
            old.into_iter().for_each(|old| created.add(DECIDED_ID, created.time, Slot::Flag(old), -1, out));
            new.into_iter().for_each(|new| created.add(DECIDED_ID, created.time, Slot::Flag(new), 1, out));
        }
    }
}

impl Created {
    /// Adds a fact of this lead, with the value of its third field, `times` times.
    fn add(&self, id: FactId, time: Time, value: Slot<'_>, times: i128, out: &mut Out<'_, '_>) {
        let values = [Slot::Text(&self.source), Slot::Text(&self.owner), value];
        let opening = self.custom.fields();
        out.add(id, &Fact { values: &values, opening: &opening, ..Fact::new(time, 0, None) }, times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::golden::{event, sums};

    /// Every fact of leads, by owner.
    fn facts(events: Vec<Event<'static>>, now: i64) -> Vec<String> {
        let measures = [
            ("converted", "{count: lead_converted}"),
            ("decided", "{count: lead_decided}"),
            ("in_time", "{count: lead_decided, where: in_time}"),
            ("leads", "{count: lead}"),
            ("qualified", "{count: lead_qualified}"),
            ("responses", "{count: lead_response}"),
            ("took", "{sum: lead_response, of: elapsed}"),
        ];
        sums(&measures, "[owner]", events, now)
    }

    fn created(day: i64) -> Event<'static> {
        event(day, 0, "lead.created", &[(2, "ads"), (3, "ann")])
    }

    fn contacted(day: i64, hour: i64) -> Event<'static> {
        event(day, hour, "lead.contacted", &[])
    }

    #[test]
    fn conversion_and_qualification_are_of_the_creation() {
        let status = |day, to| event(day, 0, "lead.status_changed", &[(2, to)]);
        let events = vec![
            created(1),
            event(2, 0, "lead.created", &[(3, "bob")]),
            status(3, "disqualified"),
            status(4, "qualified"),
            status(5, "disqualified"),
            status(6, "qualified"),
            event(40, 0, "lead.converted", &[]),
            event(41, 0, "lead.converted", &[]),
        ];
        let expected = ["converted 1 ann: 1", "decided 1 ann: 1", "leads 1 ann: 1", "qualified 1 ann: 1"];
        assert_eq!(facts(events, 50), expected, "opened twice it is one, by the earlier");
        let events = vec![created(1), event(2, 0, "lead.converted", &[])];
        assert_eq!(facts(events, 9), ["converted 1 ann: 1", "decided 1 ann: 1", "leads 1 ann: 1"]);
    }

    #[test]
    fn the_answer_in_time_is_decided_by_contact_conversion_or_age() {
        let (decided, in_time, lead) = ("decided 1 ann: 1", "in_time 1 ann: 1", "leads 1 ann: 1");
        let took = |day: i64, hours: i64| format!("took {day} ann: {}", hours * HOUR);
        let automated = event(1, 1, "lead.contacted", &[(3, "?1")]);
        for (case, events, now, expected) in [
            ("young", vec![created(1)], 1, vec![lead]),
            ("a day old", vec![created(1)], 2, vec![decided, lead]),
            ("by a machine", vec![created(1), automated], 2, vec![decided, lead]),
            (
                "after 3 hours, twice",
                vec![created(1), contacted(1, 3), contacted(1, 4)],
                1,
                vec![decided, in_time, lead, "responses 1 ann: 1", &took(1, 3)],
            ),
            (
                "after exactly 24 hours",
                vec![created(1), contacted(2, 0)],
                9,
                vec![decided, in_time, lead, "responses 2 ann: 1", &took(2, 24)],
            ),
            ("too late", vec![created(1), contacted(2, 1)], 9, vec![decided, lead, "responses 2 ann: 1", &took(2, 25)]),
            (
                "converted before a contact in time",
                vec![created(1), event(1, 1, "lead.converted", &[]), contacted(1, 2)],
                9,
                vec!["converted 1 ann: 1", decided, in_time, lead, "responses 1 ann: 1", &took(1, 2)],
            ),
        ] {
            assert_eq!(facts(events, now), expected, "{case}");
        }
    }

    #[test]
    fn what_is_dated_before_the_creation_is_ignored() {
        let converted = |day| event(day, 0, "lead.converted", &[]);
        let events = vec![converted(1), contacted(1, 0), created(2)];
        assert_eq!(facts(events, 2), ["leads 2 ann: 1"]);
        // At the instant of the creation, by a lesser id.
        let events = vec![converted(1), contacted(2, 0), created(2)];
        let expected = ["decided 2 ann: 1", "in_time 2 ann: 1", "leads 2 ann: 1", "responses 2 ann: 1"];
        assert_eq!(facts(events, 2), expected);
    }
}
