//! Reading the log: one CloudEvents object or tick a line, in the order of the log.
//!
//! The door has validated what is in the log, so anything unreadable is an error with its line number, never skipped.

use crate::{Error, Micros, settings};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::sync::Arc;

/// Whose journal an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An account.
    Account(String),
    /// A lead (`lead.*`).
    Lead(String),
    /// The tenant itself.
    Tenant,
    /// Nobody: what has no account belongs to its order, or to its invoice.
    Guest(String),
}

/// An event as the log holds it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose it is.
    pub subject: Subject,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub kind: String,
    /// When it happened.
    pub time: Micros,
    /// When a door stamped it.
    pub recorded: Option<Micros>,
    /// The clock of its partition where it stands: the instants after this include it. Of a log with partitions only.
    pub after: Option<Micros>,
    /// Source and id of the event that it replaces.
    pub corrects: Option<(String, String)>,
    /// The payload; shared by what is copied of a log.
    pub data: Arc<Value>,
}

/// Position in the order of facts: (time, source, id), compared bytewise.
pub type Key<'a> = (Micros, &'a str, &'a str);

impl Event {
    /// Its place in the order of facts.
    pub fn key(&self) -> Key<'_> {
        (self.time, &self.source, &self.id)
    }

    /// The account, if it is one's.
    pub fn account(&self) -> Option<&str> {
        match &self.subject {
            Subject::Account(name) => Some(name),
            _ => None,
        }
    }

    /// A text field of the payload; absent and null are `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }

    /// An amount of the payload; absent is 0.
    pub fn amount(&self, name: &str) -> i128 {
        self.integer(name).unwrap_or(0)
    }

    /// A flag of the payload.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.data.get(name).and_then(Value::as_bool)
    }

    /// An integer field of the payload.
    pub fn integer(&self, name: &str) -> Option<i128> {
        self.data.get(name).and_then(integer)
    }
}

/// An integer, also when written `12.0`.
pub fn integer(value: &Value) -> Option<i128> {
    if let Some(n) = value.as_i64() {
        return Some(n.into());
    }
    let text = value.as_number()?.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

/// Everything in a log: events in its order, and the ticks of all its partitions.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Events in the order of the log.
    pub events: Vec<Event>,
    /// The ticks.
    pub ticks: BTreeSet<Micros>,
    /// How far each partition has come.
    clocks: BTreeMap<u64, Micros>,
}

/// Reads a whole log.
pub fn log(input: impl BufRead) -> Result<Log, Error> {
    let mut log = Log::default();
    for (number, line) in input.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        push(&mut log, &line).map_err(|e| Error(format!("line {}: {e}", number + 1)))?;
    }
    Ok(log)
}

fn push(log: &mut Log, line: &str) -> Result<(), Error> {
    let value: Value = serde_json::from_str(line).map_err(|e| Error(e.to_string()))?;
    let partition = value.get("partition").and_then(Value::as_u64);
    if let Some(tick) = value.get("tick") {
        let at = settings::instant(tick.as_str().unwrap_or_default())?;
        log.ticks.insert(at);
        if let Some(partition) = partition {
            let clock = log.clocks.entry(partition).or_insert(at);
            *clock = at.max(*clock);
        }
        return Ok(());
    }
    let after = partition.map(|partition| log.clocks.get(&partition).copied().unwrap_or(Micros::MIN));
    log.events.push(Event { after, ..event(value)? });
    Ok(())
}

fn event(mut value: Value) -> Result<Event, Error> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let need = |name: &str| text(name).ok_or_else(|| Error(format!("no {name}")));
    let (source, id, kind, time) = (need("source")?, need("id")?, need("type")?, need("time")?);
    let corrects = text("corrects").map(|id| (text("ofsource").unwrap_or_else(|| source.clone()), id));
    let recorded = text("recordedat").map(|t| settings::instant(&t)).transpose()?;
    let account = text("account");
    let data = value.get_mut("data").map(Value::take).unwrap_or_default();
    let subject = subject(&kind, account, &data);
    let event = Event {
        subject,
        source,
        id,
        kind,
        time: settings::instant(&time)?,
        recorded,
        after: None,
        corrects,
        data: Arc::new(data),
    };
    validate(&event)?;
    Ok(event)
}

fn subject(kind: &str, account: Option<String>, data: &Value) -> Subject {
    let lead = data.get("lead").and_then(Value::as_str).map(|l| Subject::Lead(l.to_owned()));
    let family = kind.split('.').next().unwrap_or_default();
    let named = |name: &str| data.get(name).and_then(Value::as_str);
    match (family, account) {
        ("lead", _) => lead.unwrap_or(Subject::Tenant),
        ("cost" | "fx" | "goal", _) => Subject::Tenant,
        (_, Some(account)) => Subject::Account(account),
        ("order" | "payment" | "invoice", None) => {
            Subject::Guest(named("order").or(named("invoice")).unwrap_or_default().to_owned())
        }
        ("retracted", None) => lead.unwrap_or(Subject::Tenant),
        (_, None) => Subject::Tenant,
    }
}

/// What the sums rely on must be there: a log without it was not validated.
fn validate(event: &Event) -> Result<(), Error> {
    let (texts, integers): (&[&str], &[&str]) = match event.kind.as_str() {
        "order.completed" => (&["order", "currency"], &["gross"]),
        "order.cancelled" => (&["order"], &[]),
        "payment.refunded" => (&["currency"], &["amount"]),
        "retracted" => (&["event"], &[]),
        _ => (&[], &[]),
    };
    let text = texts.iter().find(|n| event.text(n).is_none());
    let integer = integers.iter().find(|n| event.integer(n).is_none());
    if let Some(name) = text {
        return Err(Error(format!("{} without {name}", event.kind)));
    }
    if let Some(name) = integer {
        return Err(Error(format!("{} without an integer {name}", event.kind)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_ticks() {
        let text = r#"{"id":"1","source":"s","type":"order.completed","time":"2024-01-01T00:00:00Z","account":"a","data":{"order":"o","gross":12.0,"currency":"EUR"},"corrects":"0","recordedat":"2024-01-01T00:00:01Z"}
{"tick":"2024-01-02T00:00:00Z","partition":0}
{"tick":"2024-01-01T00:00:00Z","partition":1}
{"id":"2","source":"s","type":"lead.created","time":"2024-01-01T00:00:00Z","account":"a","data":{"lead":"l"}}"#;
        let log = log(text.as_bytes()).unwrap();
        assert_eq!(log.ticks.last(), Some(&settings::instant("2024-01-02T00:00:00Z").unwrap()));
        assert_eq!(log.events[0].integer("gross"), Some(12));
        assert_eq!(log.events[0].corrects, Some(("s".into(), "0".into())));
        assert_eq!(log.events[1].subject, Subject::Lead("l".into()));
    }

    #[test]
    fn an_unreadable_line_is_named() {
        let bad = r#"{"id":"1","source":"s","type":"order.completed","time":"2024-01-01T00:00:00Z","data":{"order":"o","gross":1.5,"currency":"EUR"}}"#;
        assert_eq!(log(bad.as_bytes()).unwrap_err().to_string(), "line 1: order.completed without an integer gross");
    }
}
