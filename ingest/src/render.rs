//! The data of an event as JSON again, by the table: what [`crate::encode`] wrote, with the names of the fields.
//!
//! Keys are sorted. What has no presence in its message is printed unless it is an empty text; a whole number is printed
//! even as 0, since 0 is an amount.

use proto::{
    prost::encoding::{WireType, decode_key, decode_varint},
    v1::{Event, SubjectKind, event},
    vocabulary::{self, Field, Kind, Need, Type},
};

use crate::json;

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The data of an event as a JSON object, without `custom`.
pub(crate) fn data(event: &Event) -> String {
    let Some(data) = &event.data else { return "{}".to_owned() };
    if let event::Data::Json(text) = data {
        return text.clone();
    }
    let Some((kind, bytes)) = message(data) else { return "{}".to_owned() };
    let mut pairs = pairs(kind.fields, &bytes);
    // Retractions of before `lead` was a field of theirs have it as the subject alone.
    let of_lead = event.subject_kind() == SubjectKind::Lead && kind.field("lead").is_some();
    if of_lead && !pairs.iter().any(|(name, _)| *name == "lead") {
        pairs.push(("lead", quoted(&event.subject)));
    }
    joined(pairs)
}

/// Type and bytes of a message; none of JSON.
pub(crate) fn message(data: &event::Data) -> Option<(&'static Type, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(data.encoded_len());
    data.encode(&mut bytes);
    let mut rest = bytes.as_slice();
    let (number, WireType::LengthDelimited) = decode_key(&mut rest).ok()? else { return None };
    decode_varint(&mut rest).ok()?;
    Some((vocabulary::by_number(number)?, rest.to_vec()))
}

/// The fields of a message, in the order of their numbers. Those of types that the vocabulary has not end it.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = (u32, Wire<'_>)> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let (number, wire) = decode_key(&mut rest).ok()?;
        let value = decode_varint(&mut rest).ok()?;
        match wire {
            WireType::Varint => Some((number, Wire::Number(value))),
            WireType::LengthDelimited => {
                let (bytes, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                rest = after;
                Some((number, Wire::Bytes(bytes)))
            }
            _ => None,
        }
    })
}

fn pairs(known: &[Field], message: &[u8]) -> Vec<(&'static str, String)> {
    known.iter().filter_map(|field| Some((field.name, value(field, message)?))).collect()
}

fn value(field: &Field, message: &[u8]) -> Option<String> {
    let found = || fields(message).filter(|(number, _)| *number == field.number).map(|(_, wire)| wire);
    let number = || found().find_map(|wire| if let Wire::Number(value) = wire { Some(value) } else { None });
    let text = || found().find_map(|wire| if let Wire::Bytes(bytes) = wire { Some(utf8(bytes)) } else { None });
    let items = || found().filter_map(|wire| if let Wire::Bytes(bytes) = wire { Some(bytes) } else { None });
    Some(match field.kind {
        Kind::Integer(..) | Kind::Money(..) => match number() {
            Some(value) => value.cast_signed().to_string(),
            None if field.presence => return None,
            None => "0".to_owned(),
        },
        Kind::Flag => (number()? != 0).to_string(),
        Kind::Number | Kind::NumberIn(..) | Kind::Positive => text()?.to_owned(),
        Kind::List(_) | Kind::Traits | Kind::Texts if field.need != Need::Required && items().next().is_none() => {
            return None;
        }
        Kind::List(fields) => {
            let items: Vec<String> = items().map(|item| joined(pairs(fields, item))).collect();
            format!("[{}]", items.join(","))
        }
        Kind::Traits => traits(items()),
        Kind::Texts => {
            joined(items().map(named).map(|(name, value)| (name, value.map_or("\"\"".into(), quoted))).collect())
        }
        _ => quoted(text()?),
    })
}

/// Traits by name, those named `custom.NAME` in an object of their own. A trait without a value unsets it.
fn traits<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let (mut plain, mut custom) = (Vec::new(), Vec::new());
    for (name, value) in items.map(named) {
        let value = value.map_or_else(|| "null".to_owned(), quoted);
        match name.strip_prefix("custom.") {
            Some(name) => custom.push((name, value)),
            None => plain.push((name, value)),
        }
    }
    if !custom.is_empty() {
        plain.push(("custom", joined(custom)));
    }
    joined(plain)
}

fn named(pair: &[u8]) -> (&str, Option<&str>) {
    let (mut name, mut value) = ("", None);
    for (number, wire) in fields(pair) {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => name = utf8(bytes),
            (2, Wire::Bytes(bytes)) => value = Some(utf8(bytes)),
            _ => {}
        }
    }
    (name, value)
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    json::push_string(text, &mut out);
    out
}

fn joined(mut pairs: Vec<(&str, String)>) -> String {
    pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut out = String::from("{");
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::push_string(name, &mut out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}
