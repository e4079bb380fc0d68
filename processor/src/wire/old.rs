//! Records of before their type had a message: the `data` object is JSON, which a door had validated. It becomes the message that
//! a door writes today, by the same table; a test holds the two to each other.
//!
//! It validates nothing: a value that is not as the table has it is left out.

use std::{borrow::Cow, collections::BTreeMap};

use processor_core::rational::Rational;
use proto::{
    prost::encoding::{DecodeContext, WireType, encode_varint},
    v1::{Event, event::Data},
    vocabulary::{self, Field, Fill, Kind, Type, Writer},
};
use serde_json::value::RawValue;

type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The message of a type, from JSON; `None` if that is no object.
pub(super) fn message(kind: &Type, json: &str) -> Option<Vec<u8>> {
    object(kind.fields, json)
}

/// The event as a door writes it today.
pub(crate) fn renewed(event: Event) -> Event {
    let Some(Data::Json(json)) = &event.data else { return event };
    match vocabulary::find(&event.r#type).and_then(|kind| typed(kind, &message(kind, json)?)) {
        Some(data) => Event { data: Some(data), ..event },
        None => event,
    }
}

fn typed(kind: &Type, message: &[u8]) -> Option<Data> {
    let mut bytes = Vec::with_capacity(message.len() + 3);
    encode_varint(u64::try_from(message.len()).ok()?, &mut bytes);
    bytes.extend_from_slice(message);
    let mut data = None;
    let mut rest = bytes.as_slice();
    Data::merge(&mut data, kind.number, WireType::LengthDelimited, &mut rest, DecodeContext::default()).ok()?;
    data
}

fn object(fields: &[Field], json: &str) -> Option<Vec<u8>> {
    let values: Object<'_> = serde_json::from_str(json).ok()?;
    let mut out = Writer::default();
    for field in fields {
        match values.get(field.name).map(|raw| raw.get()).filter(|json| *json != "null") {
            Some(json) => drop(value(field, json, &mut out)),
            None => absent(field, &mut out),
        }
    }
    Some(out.bytes())
}

fn absent(field: &Field, out: &mut Writer) {
    let Fill::Default(text) = field.fill else { return };
    match field.kind {
        Kind::Integer(..) | Kind::Money(..) | Kind::Flag => drop(value(field, text, out)),
        _ => out.text(field, text),
    }
}

fn value(field: &Field, json: &str, out: &mut Writer) -> Option<()> {
    match field.kind {
        Kind::Integer(..) | Kind::Money(..) => out.integer(field, i64::try_from(whole(json)?).ok()?),
        Kind::Flag => out.flag(field, json == "true"),
        Kind::Number | Kind::NumberIn(..) | Kind::Positive => out.text(field, &Rational::parse(json)?.decimal()?),
        Kind::List(fields) => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            items.into_iter().filter_map(|item| object(fields, item.get())).for_each(|item| out.message(field, &item));
        }
        Kind::Traits => traits(json, out, field)?,
        Kind::Texts => {
            let values: BTreeMap<Cow<'_, str>, Option<String>> = serde_json::from_str(json).ok()?;
            values.iter().for_each(|(name, value)| out.named(field, name, value.as_deref()));
        }
        _ => out.text(field, &serde_json::from_str::<String>(json).ok()?),
    }
    Some(())
}

fn whole(json: &str) -> Option<i128> {
    Rational::parse(json).filter(|number| number.den() == 1).map(Rational::num)
}

/// Traits in the order of their names, those of `custom` among them.
fn traits(json: &str, out: &mut Writer, field: &Field) -> Option<()> {
    let mut plain: Object<'_> = serde_json::from_str(json).ok()?;
    let custom: Object<'_> = match plain.remove("custom") {
        Some(custom) => serde_json::from_str(custom.get()).ok()?,
        None => BTreeMap::new(),
    };
    let custom = custom.into_iter().map(|(name, value)| (Cow::Owned(format!("custom.{name}")), value));
    let all: Object<'_> = plain.into_iter().chain(custom).collect();
    all.iter().for_each(|(name, raw)| out.named(field, name, text(raw.get()).as_deref()));
    Some(())
}

/// A trait is a text: a string, or the one text of a number or a flag. Null unsets it.
fn text(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str(json).map(Cow::Owned).ok(),
        b't' | b'f' => Some(Cow::Borrowed(json)),
        _ if json == "-0" => Some(Cow::Borrowed("0")),
        _ if json.contains(['.', 'e', 'E']) => {
            json.parse::<f64>().ok().map(|number| Cow::Owned((number + 0.0).to_string()))
        }
        _ => Some(Cow::Borrowed(json)),
    }
}
