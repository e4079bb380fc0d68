//! The body of a request to its events: one, a list, or one a line; a result for each.
//!
//! Invariants: never panics, whatever the bytes; one bad event spoils no other. It does not know HTTP.

use std::borrow::Cow;

use proto::v1::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Rejection,
    event::{self, Context},
    json, lines,
    mapping::{Fate, Made, Mapping},
    object,
};

/// How events are written in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One object.
    Single,
    /// A list of objects.
    List,
    /// An object or a list.
    Either,
    /// An object a line; blank lines are none.
    Lines,
}

impl Form {
    /// The form of a media type.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type.to_ascii_lowercase().as_str() {
            "application/cloudevents+json" => Some(Self::Single),
            "application/cloudevents-batch+json" => Some(Self::List),
            "application/json" => Some(Self::Either),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// One event of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id, where it could be read.
    pub id: Option<String>,
    /// How it ended here.
    pub end: End,
}

/// How one event of a body ends where it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is the next of [`Batch::events`].
    Taken,
    /// The mapping leaves it out, under this name.
    LeftOut(String),
    /// It is refused.
    Refused(Rejection),
}

/// The events of a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Those accepted, in order. `recorded_at_us` is left 0.
    pub events: Vec<Event>,
    /// All of them, in order.
    pub items: Vec<Item>,
}

/// Why a body is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not JSON of its form.
    Malformed(String),
    /// It holds more events than this.
    TooMany(usize),
}

/// Reads and validates a body of at most `events_max` events.
///
/// # Errors
/// When nothing in it can be told apart.
pub fn parse(form: Form, body: &[u8], context: &Context, events_max: usize) -> Result<Batch, Problem> {
    let mut batch = Batch::default();
    let body = body.strip_prefix(json::BOM).unwrap_or(body);
    if form == Form::Lines {
        let texts = body.split(|byte| *byte == b'\n').map(lines::trimmed).filter(|line| !line.trim_ascii().is_empty());
        texts.into_iter().try_for_each(|line| batch.take(line, context, events_max))?;
        return Ok(batch);
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Problem::Malformed(format!("the body is not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
    let list = text.trim_start().starts_with('[');
    match form {
        Form::Single if list => Err(malformed("is a list, expected an object (cloudevents-batch+json has lists)")),
        Form::List if !list => Err(malformed("is no list, expected one (cloudevents+json has single objects)")),
        _ if list => {
            let items = json::list(text, "").map_err(|rejection| Problem::Malformed(rejection.to_string()))?;
            items.into_iter().try_for_each(|item| batch.take(item.get().as_bytes(), context, events_max))?;
            Ok(batch)
        }
        _ => {
            let object: &RawValue =
                serde_json::from_str(text).map_err(|error| malformed(&format!("is not JSON: {error}")))?;
            if json::shape(object) != json::Shape::Object {
                return Err(malformed("is neither an object nor a list"));
            }
            batch.take(object.get().as_bytes(), context, events_max)?;
            Ok(batch)
        }
    }
}

/// Reads a body of JSON objects of another system and maps them to at most `events_max` events.
///
/// # Errors
/// When nothing in it can be told apart.
pub fn map(mapping: &Mapping, body: &[u8], context: &Context, events_max: usize) -> Result<Batch, Problem> {
    let wrong = |rejection: Rejection| malformed(&format!("cannot be read: {rejection}"));
    let document = object::raw(body).map_err(wrong)?;
    let records = mapping.records(document).map_err(wrong)?;
    let mut batch = Batch::default();
    records.into_iter().try_for_each(|record| batch.map(mapping, record, context, events_max))?;
    Ok(batch)
}

fn malformed(problem: &str) -> Problem {
    Problem::Malformed(format!("the body {problem}"))
}

impl Batch {
    fn take(&mut self, text: &[u8], context: &Context, events_max: usize) -> Result<(), Problem> {
        if self.items.len() >= events_max {
            return Err(Problem::TooMany(events_max));
        }
        let item = match event::parse(text, context) {
            Ok(event) => {
                let id = Some(event.id.clone());
                self.events.push(event);
                Item { id, end: End::Taken }
            }
            Err(rejection) => Item { id: id(text), end: End::Refused(rejection) },
        };
        self.items.push(item);
        Ok(())
    }

    /// Maps one record of a body; an item for each of its events.
    fn map(
        &mut self,
        mapping: &Mapping,
        record: &RawValue,
        context: &Context,
        events_max: usize,
    ) -> Result<(), Problem> {
        let mut made = Vec::new();
        let end = match mapping.object(record, context, &mut made) {
            Ok(Fate::Mapped) => None,
            Ok(Fate::LeftOut(name)) => Some(End::LeftOut(name.to_owned())),
            Err(rejection) => Some(End::Refused(rejection)),
        };
        if self.items.len() + made.len().max(1) > events_max {
            return Err(Problem::TooMany(events_max));
        }
        if let Some(end) = end {
            self.items.push(Item { id: id(record.get().as_bytes()), end });
            return Ok(());
        }
        for Made { event, .. } in made {
            self.items.push(Item { id: Some(event.id.clone()), end: End::Taken });
            self.events.push(event);
        }
        Ok(())
    }
}

/// The id of an event that was refused for something else.
fn id(text: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let named: Named<'_> = serde_json::from_slice(text).ok()?;
    crate::validate::id_problem(&named.id).is_none().then(|| named.id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            now_us: 0,
            until_us: i64::MAX,
            floor_us: i64::MIN,
            source: "http".into(),
            tenant: String::new(),
            unknown_types: crate::near::UnknownTypes::default(),
        }
    }

    fn event(id: &str) -> String {
        format!(r#"{{"id":"{id}","type":"usage.recorded","account":"a","data":{{}}}}"#)
    }

    /// The outcomes as text.
    fn said(form: Form, body: impl AsRef<[u8]>) -> Vec<String> {
        let batch = match parse(form, body.as_ref(), &context(), 3) {
            Ok(batch) => batch,
            Err(problem) => return vec![format!("{problem:?}")],
        };
        assert_eq!(batch.events.len(), batch.items.iter().filter(|item| item.end == End::Taken).count());
        let one = |item: Item| match item.end {
            End::Refused(rejection) => format!("{}: {rejection}", item.id.unwrap_or_default()),
            _ => item.id.unwrap_or_default(),
        };
        batch.items.into_iter().map(one).collect()
    }

    #[test]
    fn every_form_has_its_events() {
        assert_eq!(said(Form::Single, event("1")), ["1"]);
        assert_eq!(said(Form::Either, event("1")), ["1"]);
        let list = format!(" [{},{}]", event("1"), event("2"));
        assert_eq!(said(Form::List, &list), ["1", "2"]);
        assert_eq!(said(Form::Either, &list), ["1", "2"]);
        assert_eq!(said(Form::Lines, format!("{}\r\n\n{}", event("1"), event("2"))), ["1", "2"]);
        assert_eq!(said(Form::List, "[]"), Vec::<String>::new());
    }

    #[test]
    fn one_bad_event_spoils_no_other() {
        let bad = r#"{"id":"2","type":"order.completed","account":"a","data":{}}"#;
        let gross = "2: data.order: is missing, expected a non-empty string of at most 1024 bytes without control characters (order.completed needs it)";
        assert_eq!(said(Form::List, format!("[{},{bad},7]", event("1")))[..2], ["1", gross]);
        let lines = [event("1").as_bytes(), b"\n{\"id\":\"\xff\"}\nnot json\n"].concat();
        let found = said(Form::Lines, lines);
        assert_eq!(found[1], ": not UTF-8 at byte 8; save the file as UTF-8");
        assert!(found[2].starts_with(": not valid JSON"), "{found:?}");
    }

    #[test]
    fn what_is_no_body_is_refused_whole() {
        for (form, body, expected) in [
            (
                Form::Single,
                &b"{\"id\""[..],
                "Malformed(\"the body is not JSON: EOF while parsing an object at line 1 column 5\")",
            ),
            (Form::Single, b"", "Malformed(\"the body is not JSON: EOF while parsing a value at line 1 column 0\")"),
            (Form::Single, b"7", "Malformed(\"the body is neither an object nor a list\")"),
            (
                Form::Single,
                b"[]",
                "Malformed(\"the body is a list, expected an object (cloudevents-batch+json has lists)\")",
            ),
            (
                Form::List,
                b"{}",
                "Malformed(\"the body is no list, expected one (cloudevents+json has single objects)\")",
            ),
            (Form::Either, b"{\"id\":\"\xff\"}", "Malformed(\"the body is not UTF-8 at byte 8\")"),
            (Form::Lines, b"1\n2\n3\n4", "TooMany(3)"),
        ] {
            assert_eq!(said(form, body), [expected]);
        }
        let deep = "[".repeat(1_000_000);
        assert!(said(Form::Either, &deep)[0].starts_with("Malformed"), "depth");
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(said(Form::List, format!("[{deep}]")), [": nested deeper than 32 levels"]);
    }
}
