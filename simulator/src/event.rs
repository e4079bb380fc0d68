//! What happens, before it is sent: an event for the door, an entry of the books, or both.
//!
//! Invariant: ids are made of an actor and its own count, so they do not depend on the order in which actors are visited.

use serde_json::Value;

use crate::{books::Note, calendar::stamp};

/// The program that reports an event: the `source` of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    App,
    Billing,
    Crm,
    Finance,
    Shop,
    Support,
    Surveys,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::App => "app",
            Source::Billing => "billing",
            Source::Crm => "crm",
            Source::Finance => "finance",
            Source::Shop => "shop",
            Source::Support => "support",
            Source::Surveys => "surveys",
        }
    }
}

/// An event as the door reads it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at_us: i64,
    pub(crate) source: Source,
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    /// None where the event is of a lead, of the whole company, or of a guest.
    pub(crate) account: Option<String>,
    /// The id of the event that this one replaces.
    pub(crate) corrects: Option<String>,
    pub(crate) data: Value,
}

impl Event {
    /// One line of CloudEvents JSON, without its end. Ids are plain ASCII without quotes.
    pub(crate) fn line(&self) -> String {
        let mut line = String::with_capacity(320);
        line.push_str("{\"specversion\":\"1.0\"");
        push(&mut line, "id", &self.id);
        push(&mut line, "source", self.source.name());
        push(&mut line, "type", self.kind);
        push(&mut line, "time", &stamp(self.at_us));
        if let Some(account) = &self.account {
            push(&mut line, "account", account);
        }
        if let Some(id) = &self.corrects {
            push(&mut line, "corrects", id);
        }
        line.push_str(",\"data\":");
        line.push_str(&self.data.to_string());
        line.push('}');
        line
    }
}

fn push(line: &mut String, name: &str, text: &str) {
    for part in [",\"", name, "\":\"", text, "\""] {
        line.push_str(part);
    }
}

/// What happens at one moment.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) at_us: i64,
    pub(crate) event: Option<Event>,
    pub(crate) note: Note,
}

/// What a day brings about, in no order.
#[derive(Debug, Default)]
pub(crate) struct Outbox(pub(crate) Vec<Happening>);

impl Outbox {
    /// An event, and what it means to the books.
    pub(crate) fn event(&mut self, event: Event, note: Note) {
        self.0.push(Happening { at_us: event.at_us, event: Some(event), note });
    }

    /// Something that only the books hear of.
    pub(crate) fn note(&mut self, at_us: i64, note: Note) {
        self.0.push(Happening { at_us, event: None, note });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_a_cloud_event() {
        let event = Event {
            at_us: 1_735_689_600_123_000,
            source: Source::Shop,
            kind: "order.cancelled",
            id: "a00001.7".to_owned(),
            account: Some("a00001".to_owned()),
            corrects: Some("a00001.6".to_owned()),
            data: json!({"order": "o1"}),
        };
        let expected = json!({"specversion": "1.0", "id": "a00001.7", "source": "shop", "type": "order.cancelled",
            "time": "2025-01-01T00:00:00.123Z", "account": "a00001", "corrects": "a00001.6", "data": {"order": "o1"}});
        assert_eq!(serde_json::from_str::<Value>(&event.line()).unwrap(), expected);
    }
}
