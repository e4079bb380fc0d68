//! One line of CloudEvents JSON to one event: accepted completely or refused with the reason.
//!
//! Invariants: never panics, whatever the bytes; the result depends on the line and the [`Context`] only;
//! money and counts never pass through a float. It does not stamp `recorded_at`, see [`crate::ticks`].

use std::borrow::Cow;

use proto::{
    v1::{CustomField, Event, SubjectKind, custom_field, event},
    vocabulary::{self, Subject, Type},
};

use crate::{
    Rejection,
    cloudevents::{self, Envelope, Time},
    cure,
    encode::{self, Filling},
    given::{self, Fields, Given},
    json::{self, Shape},
    near::UnknownTypes,
    parse_rfc3339, render_rfc3339, validate,
};

/// Longest line, in bytes, without its end.
pub const LINE_MAX: usize = 1024 * 1024;
/// The tenant that an empty one means.
pub const TENANT: &str = "default";

/// What a door knows besides the line.
#[derive(Debug, Clone)]
pub struct Context {
    /// Wall clock: events without a time happened then; microseconds.
    pub now_us: i64,
    /// Later events are refused; microseconds. A live door takes them all: what is dated ahead is quarantined.
    pub until_us: i64,
    /// Earlier events are refused; microseconds.
    pub floor_us: i64,
    /// Source of events that name none.
    pub source: String,
    /// Tenant, from the key of the door; empty means [`TENANT`].
    pub tenant: String,
    /// What to do with types that are not in the vocabulary.
    pub unknown_types: UnknownTypes,
}

/// Reads and validates one line. `recorded_at_us` is left 0.
///
/// # Errors
/// The field, what it is and what is expected.
pub fn parse(line: &[u8], context: &Context) -> Result<Event, Rejection> {
    if line.len() > LINE_MAX {
        return Err(Rejection::too_long());
    }
    let envelope = cloudevents::envelope(json::text(line)?)?;
    let known = vocabulary::find(&envelope.kind);
    if known.is_none() {
        context.unknown_types.check(&envelope.kind)?;
    }
    let mut fields = data_fields(&envelope)?;
    let custom = take_custom(&mut fields, known.is_some())?;
    build(envelope, fields, custom, context)
}

/// Validates and makes an event of its parts, wherever they come from. `recorded_at_us` is left 0.
pub(crate) fn build(
    envelope: Envelope<'_>,
    fields: Fields<'_>,
    custom: Fields<'_>,
    context: &Context,
) -> Result<Event, Rejection> {
    let known = vocabulary::find(&envelope.kind);
    let custom = custom_fields(custom)?;
    let checked = known.map(|kind| validate::data(kind, &fields)).transpose()?;
    let subject = known.map_or_else(|| vocabulary::subject_of_unknown(&envelope.kind), |kind| kind.subject);
    let (subject, subject_kind) = whose(subject, &envelope, &fields, context)?;
    let (time_us, time_is_arrival) = (when(&envelope, context)?, envelope.arrived || envelope.time.is_none());
    let data = match known.zip(checked) {
        Some((kind, data)) => message(kind, &data, &envelope),
        None => event::Data::Json(given::canonical(fields, "data")?),
    };
    Ok(Event {
        data: Some(data),
        source: envelope.source.map_or_else(|| context.source.clone(), Cow::into_owned),
        id: envelope.id.into_owned(),
        r#type: envelope.kind.into_owned(),
        time_us,
        recorded_at_us: 0,
        time_is_arrival,
        subject,
        subject_kind: subject_kind.into(),
        tenant: context.tenant.clone(),
        corrects_source: if envelope.corrects.is_some() { owned(envelope.of_source) } else { String::new() },
        corrects: owned(envelope.corrects),
        custom,
    })
}

fn message(kind: &Type, data: &validate::Data<'_>, envelope: &Envelope<'_>) -> event::Data {
    let of_source = envelope.of_source.as_deref().unwrap_or_default();
    encode::message(kind, data, Filling { id: &envelope.id, of_source })
}

fn owned(text: Option<Cow<'_, str>>) -> String {
    text.map(Cow::into_owned).unwrap_or_default()
}

fn data_fields<'a>(envelope: &Envelope<'a>) -> Result<Fields<'a>, Rejection> {
    match envelope.data {
        None => Ok(Vec::new()),
        Some(raw) if json::shape(raw) == Shape::Object => json::object(raw.get(), "data").map(given::fields),
        Some(raw) => Err(Rejection::new("data", format!("is {}, expected an object", json::excerpt(raw.get())))),
    }
}

fn when(envelope: &Envelope<'_>, context: &Context) -> Result<i64, Rejection> {
    let time_us = match &envelope.time {
        None => return Ok(context.now_us),
        Some(Time::Us(time_us)) => *time_us,
        Some(Time::Text(text)) => parse_rfc3339(text).ok_or_else(|| cure::time_text(text))?,
    };
    bounds(time_us, context)?;
    Ok(time_us)
}

fn bounds(time_us: i64, context: &Context) -> Result<(), Rejection> {
    let time = || render_rfc3339(time_us);
    if time_us > context.until_us {
        return Err(Rejection::new(
            "time",
            format!("is {}, after the wall clock ({})", time(), render_rfc3339(context.until_us)),
        ));
    }
    if time_us < context.floor_us {
        let floor = render_rfc3339(context.floor_us);
        return Err(Rejection::new("time", format!("is {}, before the history floor ({floor})", time())));
    }
    Ok(())
}

/// Takes `data.custom` out.
fn take_custom<'a>(fields: &mut Fields<'a>, known: bool) -> Result<Fields<'a>, Rejection> {
    let Some(at) = fields.iter().position(|(key, _)| key == "custom") else { return Ok(Vec::new()) };
    let value = &fields[at].1;
    match value.shape() {
        Shape::Object | Shape::Null => {
            let (_, value) = fields.remove(at);
            Ok(value.object("data.custom")?.unwrap_or_default())
        }
        _ if !known => Ok(Vec::new()),
        _ => {
            let problem = format!("is {}, expected an object", json::excerpt(&value.written()));
            Err(Rejection::new("data.custom", problem))
        }
    }
}

/// Free fields sorted by name; a null is an absent one.
fn custom_fields(given: Fields<'_>) -> Result<Vec<CustomField>, Rejection> {
    let mut custom = Vec::with_capacity(given.len());
    for (key, value) in given {
        let path = || json::join("data.custom", &key);
        if let Some(problem) = validate::id_problem(&key) {
            return Err(Rejection::new(path(), format!("its name {problem}")));
        }
        if let Some(value) = custom_value(&value, path)? {
            custom.push(CustomField { name: key.into_owned(), value: Some(value) });
        }
    }
    custom.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(custom)
}

fn custom_value(given: &Given<'_>, path: impl Fn() -> String) -> Result<Option<custom_field::Value>, Rejection> {
    use custom_field::Value;
    Ok(Some(match given.shape() {
        Shape::Null => return Ok(None),
        Shape::String => Value::Text(given.string(&path())?.into_owned()),
        Shape::Flag => Value::Flag(given.written() == "true"),
        Shape::Number => match given.written().parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => match given.written().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => return Err(Rejection::new(path(), "is a number out of range, expected a double")),
            },
        },
        Shape::List | Shape::Object => {
            let mut text = String::new();
            given.canonical(&path(), &mut text)?;
            Value::Json(text)
        }
    }))
}

/// An id that names the subject; `None` where it is absent.
fn id(fields: &Fields<'_>, name: &'static str) -> Result<Option<String>, Rejection> {
    let Some((_, value)) = fields.iter().find(|(key, value)| key == name && value.shape() != Shape::Null) else {
        return Ok(None);
    };
    let path = format!("data.{name}");
    let text = value.string(&path)?;
    validate::id_problem(&text).map_or(Ok(()), |problem| Err(Rejection::new(path, problem)))?;
    Ok(Some(text.into_owned()))
}

fn whose(
    subject: Subject,
    envelope: &Envelope<'_>,
    fields: &Fields<'_>,
    context: &Context,
) -> Result<(String, SubjectKind), Rejection> {
    let tenant = || if context.tenant.is_empty() { TENANT.to_owned() } else { context.tenant.clone() };
    let lead = || id(fields, "lead");
    let account = envelope.account.as_deref().map(str::to_owned);
    let missing =
        |field: &'static str| Rejection::new(field, format!("is missing ({} needs it)", json::excerpt(&envelope.kind)));
    match subject {
        Subject::Account => Ok((account.ok_or_else(|| missing("account"))?, SubjectKind::Account)),
        Subject::Lead => Ok((lead()?.ok_or_else(|| missing("data.lead"))?, SubjectKind::Lead)),
        Subject::Tenant => Ok((tenant(), SubjectKind::Tenant)),
        Subject::Buyer => match account {
            Some(account) => Ok((account, SubjectKind::Account)),
            // A refund that names no order has nobody without an account.
            None => Ok((id(fields, "order")?.ok_or_else(|| missing("account"))?, SubjectKind::Guest)),
        },
        Subject::Named => match (account, lead()?) {
            (Some(_), Some(_)) => Err(Rejection::new("data.lead", "is there beside account, expected one subject")),
            (Some(account), None) => Ok((account, SubjectKind::Account)),
            (None, Some(lead)) => Ok((lead, SubjectKind::Lead)),
            (None, None) => Ok((tenant(), SubjectKind::Tenant)),
        },
    }
}

#[cfg(test)]
mod tests;
