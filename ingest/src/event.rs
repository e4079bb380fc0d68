//! One line of CloudEvents JSON to one event: accepted completely or refused with the reason.
//!
//! Invariants: never panics, whatever the bytes; the result depends on the line and the [`Context`] only;
//! money and counts never pass through a float. It does not stamp `recorded_at`, see [`crate::ticks`].

use std::borrow::Cow;

use proto::v1::{
    AccountUpdated, CustomField, Event, OrderCancelled, OrderCompleted, OrderLine, PaymentRefunded, Retracted,
    SubjectKind, Trait, UsageRecorded, custom_field, event,
};
use serde_json::value::RawValue;

use crate::{
    Rejection,
    cloudevents::{self, Envelope},
    json::{self, Shape},
    near::UnknownTypes,
    parse_rfc3339, render_rfc3339,
    schema::{self, Subject},
    validate::{self, Data},
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
        return Err(Rejection::line(format!("longer than {LINE_MAX} bytes")));
    }
    let envelope = cloudevents::envelope(json::text(line)?)?;
    let known = schema::find(&envelope.kind);
    if known.is_none() {
        context.unknown_types.check(&envelope.kind)?;
    }
    let mut fields = data_fields(&envelope)?;
    let custom = custom(&mut fields, known.is_some())?;
    let data = match known {
        Some(kind) => validate::data(kind, &fields)?,
        None => Data::default(),
    };
    let subject = known.map_or_else(|| schema::subject_of_unknown(&envelope.kind), |kind| kind.subject);
    let (subject, subject_kind) = whose(subject, &envelope, &fields, context)?;
    let (time_us, time_is_arrival) = (when(&envelope, context)?, envelope.arrived || envelope.time.is_none());
    Ok(Event {
        data: Some(payload(&envelope, fields, &data)?),
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

fn owned(text: Option<Cow<'_, str>>) -> String {
    text.map(Cow::into_owned).unwrap_or_default()
}

fn data_fields<'a>(envelope: &Envelope<'a>) -> Result<json::Fields<'a>, Rejection> {
    match envelope.data {
        None => Ok(Vec::new()),
        Some(raw) if json::shape(raw) == Shape::Object => json::object(raw.get(), "data"),
        Some(raw) => Err(Rejection::new("data", format!("is {}, expected an object", json::excerpt(raw.get())))),
    }
}

fn when(envelope: &Envelope<'_>, context: &Context) -> Result<i64, Rejection> {
    let Some(text) = &envelope.time else { return Ok(context.now_us) };
    let Some(time_us) = parse_rfc3339(text) else {
        let problem = format!("is {}, expected RFC 3339 like 2026-01-31T09:30:00Z", json::excerpt(text));
        return Err(Rejection::new("time", problem));
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

/// Takes `data.custom` out, sorted by name; a null is an absent field.
fn custom(fields: &mut json::Fields<'_>, known: bool) -> Result<Vec<CustomField>, Rejection> {
    let Some(at) = fields.iter().position(|(key, _)| key == "custom") else { return Ok(Vec::new()) };
    let raw = fields[at].1;
    match json::shape(raw) {
        Shape::Object => {}
        Shape::Null => {
            fields.remove(at);
            return Ok(Vec::new());
        }
        _ if !known => return Ok(Vec::new()),
        _ => return Err(Rejection::new("data.custom", format!("is {}, expected an object", json::excerpt(raw.get())))),
    }
    fields.remove(at);
    let mut custom = Vec::new();
    for (key, raw) in json::object(raw.get(), "data.custom")? {
        let path = json::join("data.custom", &key);
        if let Some(problem) = validate::id_problem(&key) {
            return Err(Rejection::new(path, format!("its name {problem}")));
        }
        if let Some(value) = custom_value(raw, &path)? {
            custom.push(CustomField { name: key.into_owned(), value: Some(value) });
        }
    }
    custom.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(custom)
}

fn custom_value(raw: &RawValue, path: &str) -> Result<Option<custom_field::Value>, Rejection> {
    use custom_field::Value;
    Ok(Some(match json::shape(raw) {
        Shape::Null => return Ok(None),
        Shape::String => Value::Text(json::string(raw, path)?.into_owned()),
        Shape::Flag => Value::Flag(raw.get() == "true"),
        Shape::Number => match raw.get().parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => match raw.get().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => return Err(Rejection::new(path.to_owned(), "is a number out of range, expected a double")),
            },
        },
        Shape::List | Shape::Object => {
            let mut text = String::new();
            json::canonical(raw, path, &mut text)?;
            Value::Json(text)
        }
    }))
}

fn whose(
    subject: Subject,
    envelope: &Envelope<'_>,
    fields: &json::Fields<'_>,
    context: &Context,
) -> Result<(String, SubjectKind), Rejection> {
    let tenant = || if context.tenant.is_empty() { TENANT.to_owned() } else { context.tenant.clone() };
    let lead = || match fields.iter().find(|(key, raw)| key == "lead" && json::shape(raw) != Shape::Null) {
        None => Ok(None),
        Some((_, raw)) => {
            let text = json::string(raw, "data.lead")?;
            validate::id_problem(&text).map_or(Ok(()), |problem| Err(Rejection::new("data.lead", problem)))?;
            Ok(Some(text.into_owned()))
        }
    };
    let account = envelope.account.as_deref().map(str::to_owned);
    let missing =
        |field: &'static str| Rejection::new(field, format!("is missing ({} needs it)", json::excerpt(&envelope.kind)));
    match subject {
        Subject::Account => Ok((account.ok_or_else(|| missing("account"))?, SubjectKind::Account)),
        Subject::Lead => Ok((lead()?.ok_or_else(|| missing("data.lead"))?, SubjectKind::Lead)),
        Subject::Tenant => Ok((tenant(), SubjectKind::Tenant)),
        Subject::Named => match (account, lead()?) {
            (Some(_), Some(_)) => Err(Rejection::new("data.lead", "is there beside account, expected one subject")),
            (Some(account), None) => Ok((account, SubjectKind::Account)),
            (None, Some(lead)) => Ok((lead, SubjectKind::Lead)),
            (None, None) => Ok((tenant(), SubjectKind::Tenant)),
        },
    }
}

fn payload(envelope: &Envelope<'_>, fields: json::Fields<'_>, data: &Data<'_>) -> Result<event::Data, Rejection> {
    Ok(match &*envelope.kind {
        "order.completed" => event::Data::OrderCompleted(order(data)?),
        "order.cancelled" => event::Data::OrderCancelled(OrderCancelled { order: data.text("order") }),
        "payment.refunded" => event::Data::PaymentRefunded(PaymentRefunded {
            refund: if data.get("refund").is_some() { data.text("refund") } else { envelope.id.to_string() },
            order: data.text("order"),
            invoice: data.text("invoice"),
            amount: data.integer("amount").unwrap_or_default(),
            currency: data.text("currency"),
        }),
        "account.updated" => event::Data::AccountUpdated(AccountUpdated { traits: traits(data)? }),
        "usage.recorded" => event::Data::UsageRecorded(UsageRecorded {
            user: data.text("user"),
            name: data.text("name"),
            count: data.integer("count").unwrap_or(1),
        }),
        "retracted" => event::Data::Retracted(Retracted {
            lead: data.text("lead"),
            event: data.text("event"),
            of_source: if data.get("of_source").is_some() {
                data.text("of_source")
            } else {
                envelope.of_source.as_deref().unwrap_or_default().to_owned()
            },
        }),
        _ => {
            let mut text = String::new();
            json::canonical_object(fields, "data", &mut text)?;
            event::Data::Json(text)
        }
    })
}

fn order(data: &Data<'_>) -> Result<OrderCompleted, Rejection> {
    let lines = match data.raw("lines") {
        Some(raw) => validate::lines(raw, "data.lines", "")?,
        None => Vec::new(),
    };
    let line =
        |l: validate::Line<'_>| OrderLine { product: l.product.into_owned(), quantity: l.quantity, amount: l.amount };
    Ok(OrderCompleted {
        order: data.text("order"),
        gross: data.integer("gross").unwrap_or_default(),
        discount: data.integer("discount").unwrap_or_default(),
        currency: data.text("currency"),
        channel: data.text("channel"),
        source: data.text("source"),
        lines: lines.into_iter().map(line).collect(),
    })
}

fn traits(data: &Data<'_>) -> Result<Vec<Trait>, Rejection> {
    let Some(raw) = data.raw("traits") else { return Ok(Vec::new()) };
    let one = |(name, value): (Cow<'_, str>, Option<Cow<'_, str>>)| Trait {
        name: name.into_owned(),
        value: value.map(Cow::into_owned),
    };
    Ok(validate::traits(raw, "data.traits")?.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests;
