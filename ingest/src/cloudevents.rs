//! CloudEvents 1.0 JSON: the envelope of a line, and an event written back as one.
//!
//! Attributes that Vitals has no use for (`dataschema`, `subject`, foreign extensions) are accepted and
//! not kept; so are `recordedat`, `partition` and `offset`, which [`render`] adds: an event that goes
//! through the door again is stamped again. `arrived` says that the time is the one at which it came. `account` on a `lead.*` event is not kept either: its subject is the lead.

use std::borrow::Cow;

use proto::{
    v1::{CustomField, Event, SubjectKind, custom_field},
    vocabulary,
};
use serde_json::{Value, value::RawValue};

use crate::{
    Rejection, cure,
    given::Given,
    json::{self, Shape},
    render, render_rfc3339, validate,
};

/// When an event happened, as far as it is read already.
#[derive(Debug)]
pub(crate) enum Time<'a> {
    Text(Cow<'a, str>),
    /// Microseconds since the Unix epoch.
    Us(i64),
}

/// The attributes of one line that matter.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) source: Option<Cow<'a, str>>,
    pub(crate) kind: Cow<'a, str>,
    pub(crate) time: Option<Time<'a>>,
    /// The time is that of its arrival, at this door or an earlier one.
    pub(crate) arrived: bool,
    pub(crate) account: Option<Cow<'a, str>>,
    pub(crate) corrects: Option<Cow<'a, str>>,
    pub(crate) of_source: Option<Cow<'a, str>>,
    pub(crate) data: Option<&'a RawValue>,
}

/// Reads the envelope of a line.
pub(crate) fn envelope(text: &str) -> Result<Envelope<'_>, Rejection> {
    let mut envelope = Envelope::default();
    let (mut id, mut kind, mut others) = (None, None, Vec::new());
    for (key, raw) in json::object(text, "")? {
        if json::shape(raw) == Shape::Null {
            continue;
        }
        match &*key {
            "id" => id = Some(identity(raw, "id")?),
            "type" => kind = Some(identity(raw, "type")?),
            "source" => envelope.source = Some(identity(raw, "source")?),
            "time" if json::shape(raw) == Shape::Number => return Err(cure::time(raw)),
            "time" => envelope.time = Some(Time::Text(json::string(raw, "time")?)),
            "arrived" => envelope.arrived = raw.get() == "true",
            "account" => envelope.account = Some(identity(raw, "account")?),
            "corrects" => envelope.corrects = Some(identity(raw, "corrects")?),
            "ofsource" => envelope.of_source = Some(identity(raw, "ofsource")?),
            "data" => envelope.data = Some(raw),
            "specversion" => version(&json::string(raw, "specversion")?)?,
            "datacontenttype" => content_type(&json::string(raw, "datacontenttype")?)?,
            "data_base64" => {
                return Err(Rejection::new("data_base64", "is not supported, expected data as a JSON object"));
            }
            _ => others.push(key),
        }
    }
    envelope.id =
        id.ok_or_else(|| Rejection::new("id", "is missing, expected the identity of the event in its source"))?;
    envelope.kind = kind.ok_or_else(|| Rejection::new("type", "is missing, expected a type like order.completed"))?;
    if !others.is_empty() {
        slips(&envelope, &others)?;
    }
    Ok(envelope)
}

/// Refuses attributes that most likely are others, misspelt or in the wrong place: without them the event would count as
/// nobody's.
fn slips(envelope: &Envelope<'_>, others: &[Cow<'_, str>]) -> Result<(), Rejection> {
    if envelope.account.is_none()
        && let Some(key) = others.iter().find(|key| is_account(key))
    {
        return Err(Rejection::new(key.clone().into_owned(), "is no attribute, expected account"));
    }
    let fields = vocabulary::find(&envelope.kind).map_or(&[][..], |kind| kind.fields);
    let outside: Vec<&str> =
        others.iter().map(|key| &**key).filter(|key| fields.iter().any(|field| field.name == *key)).collect();
    if envelope.data.is_none() && !outside.is_empty() {
        let problem = format!("is missing, expected an object that has {}", outside.join(", "));
        return Err(Rejection::new("data", problem));
    }
    Ok(())
}

/// `acount`, `Account`, `account_id`.
fn is_account(key: &str) -> bool {
    let letters = key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    letters == "accountid" || strsim::osa_distance(&letters, "account") <= 1
}

fn identity<'a>(raw: &'a RawValue, field: &'static str) -> Result<Cow<'a, str>, Rejection> {
    if let Some(cure) = cure::in_quotes(&Given::Json(raw)) {
        return Err(Rejection::new(field, format!("is {}, expected {cure}", raw.get())));
    }
    name(json::string(raw, field)?, field)
}

/// The text of an attribute that names something.
pub(crate) fn name<'a>(text: Cow<'a, str>, field: &'static str) -> Result<Cow<'a, str>, Rejection> {
    match validate::id_problem(&text) {
        Some(problem) => Err(Rejection::new(field, problem)),
        None => Ok(text),
    }
}

fn version(text: &str) -> Result<(), Rejection> {
    if text == "1.0" {
        return Ok(());
    }
    Err(Rejection::new("specversion", format!("is {}, expected 1.0", json::excerpt(text))))
}

fn content_type(text: &str) -> Result<(), Rejection> {
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Rejection::new("datacontenttype", format!("is {}, expected application/json", json::excerpt(text))))
}

/// Where a record was found; written as extension attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Partition of `events.v1`.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
}

/// Writes an event as one line of CloudEvents JSON, without the line end. Read back by
/// [`crate::event::parse`] it is the same event.
pub fn render(event: &Event, position: Option<Position>) -> String {
    let mut out = String::with_capacity(256);
    out.push_str("{\"specversion\":\"1.0\"");
    push(&mut out, "id", &event.id);
    push(&mut out, "source", &event.source);
    push(&mut out, "type", &event.r#type);
    push(&mut out, "time", &render_rfc3339(event.time_us));
    if event.time_is_arrival {
        out.push_str(",\"arrived\":true");
    }
    if event.subject_kind() == SubjectKind::Account {
        push(&mut out, "account", &event.subject);
    }
    if !event.corrects.is_empty() {
        push(&mut out, "corrects", &event.corrects);
    }
    if !event.corrects_source.is_empty() {
        push(&mut out, "ofsource", &event.corrects_source);
    }
    push(&mut out, "recordedat", &render_rfc3339(event.recorded_at_us));
    if let Some(at) = position {
        out.push_str(&format!(",\"partition\":{},\"offset\":{}", at.partition, at.offset));
    }
    if !event.tenant.is_empty() {
        push(&mut out, "tenant", &event.tenant);
    }
    out.push_str(",\"data\":");
    out.push_str(&with_custom(render::data(event), &event.custom));
    out.push('}');
    out
}

fn push(out: &mut String, name: &str, text: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    json::push_string(text, out);
}

/// Adds `custom` to an object that is JSON text; its numbers stay as written.
fn with_custom(object: String, custom: &[CustomField]) -> String {
    let Some(body) = object.strip_suffix('}').filter(|_| !custom.is_empty()) else { return object };
    let mut out = body.to_owned();
    out.push_str(if body == "{" { "\"custom\":{" } else { ",\"custom\":{" });
    for (at, field) in custom.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::push_string(&field.name, &mut out);
        out.push(':');
        match &field.value {
            Some(custom_field::Value::Text(text)) => json::push_string(text, &mut out),
            Some(custom_field::Value::Integer(value)) => out.push_str(&value.to_string()),
            Some(custom_field::Value::Number(value)) => out.push_str(&Value::from(*value).to_string()),
            Some(custom_field::Value::Flag(value)) => out.push_str(if *value { "true" } else { "false" }),
            Some(custom_field::Value::Json(text)) => out.push_str(text),
            None => out.push_str("null"),
        }
    }
    out.push_str("}}");
    out
}
