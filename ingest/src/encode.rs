//! Checked fields to the protobuf message of their type, by the table: the one encoder of every door.
//!
//! The bytes are what the generated code reads; a test of every type and field holds them to it.

use std::borrow::Cow;

use proto::{
    prost::encoding::{DecodeContext, WireType, encode_varint},
    v1::event,
    vocabulary::{Field, Fill, Kind, Type, Writer},
};

use crate::validate::{Data, Value};

/// What absent fields of an event are taken from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'a> {
    /// Id of the event.
    pub(crate) id: &'a str,
    /// Its attribute `ofsource`; empty for none.
    pub(crate) of_source: &'a str,
}

/// The message of an event of this type.
pub(crate) fn message(kind: &Type, data: &Data<'_>, filling: Filling<'_>) -> event::Data {
    typed(kind, &object(kind.fields, data, filling))
}

/// The bytes of a message as the generated type.
pub(crate) fn typed(kind: &Type, message: &[u8]) -> event::Data {
    let mut bytes = Vec::with_capacity(message.len() + 3);
    encode_varint(u64::try_from(message.len()).unwrap_or_default(), &mut bytes);
    bytes.extend_from_slice(message);
    let mut data = None;
    let merged = event::Data::merge(
        &mut data,
        kind.number,
        WireType::LengthDelimited,
        &mut bytes.as_slice(),
        DecodeContext::default(),
    );
    data.filter(|_| merged.is_ok()).expect("the encoder writes what the generated code reads")
}

fn object(fields: &[Field], data: &Data<'_>, filling: Filling<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    for field in fields {
        match data.get(field.name) {
            Some(value) => write(field, value, filling, &mut out),
            None => fill(field, filling, &mut out),
        }
    }
    out.bytes()
}

fn write(field: &Field, value: &Value<'_>, filling: Filling<'_>, out: &mut Writer) {
    match (value, field.kind) {
        (Value::Text(text), _) => out.text(field, text),
        (Value::Integer(value), _) => out.integer(field, *value),
        (Value::Number(value), _) => out.text(field, &value.to_string()),
        (Value::Flag(value), _) => out.flag(field, *value),
        (Value::List(items), Kind::List(fields)) => {
            items.iter().for_each(|item| out.message(field, &object(fields, item, filling)));
        }
        (Value::Pairs(pairs), _) => {
            pairs.iter().for_each(|(name, value): &(Cow<'_, str>, Option<Cow<'_, str>>)| {
                out.named(field, name, value.as_deref());
            });
        }
        (Value::List(_), _) => {}
    }
}

fn fill(field: &Field, filling: Filling<'_>, out: &mut Writer) {
    match (field.fill, field.kind) {
        (Fill::Nothing | Fill::RowId, _) => {}
        (Fill::Default(text), Kind::Integer(..) | Kind::Money(..)) => {
            out.integer(field, text.parse().unwrap_or_default())
        }
        (Fill::Default(text), Kind::Flag) => out.flag(field, text == "true"),
        (Fill::Default(text), _) => out.text(field, text),
        (Fill::EventId, _) => out.text(field, filling.id),
        (Fill::OfSource, _) => out.text(field, filling.of_source),
    }
}
