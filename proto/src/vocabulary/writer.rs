//! Writes a message of the vocabulary field by field, as the generated code would: what a field without presence has when it is
//! absent is not written.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::Field;

/// A message being written. Fields are given in the order of their numbers; the caller knows their kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A field that is kept as text.
    pub fn text(&mut self, field: &Field, text: &str) {
        if field.presence || !text.is_empty() {
            self.chunk(field.number, text.as_bytes());
        }
    }

    /// A whole number.
    pub fn integer(&mut self, field: &Field, value: i64) {
        if field.presence || value != 0 {
            encode_key(field.number, WireType::Varint, &mut self.0);
            encode_varint(value.cast_unsigned(), &mut self.0);
        }
    }

    /// True or false.
    pub fn flag(&mut self, field: &Field, value: bool) {
        self.integer(field, i64::from(value));
    }

    /// One message of a list.
    pub fn message(&mut self, field: &Field, message: &[u8]) {
        self.chunk(field.number, message);
    }

    /// One trait or text of an object: name and value. No value unsets a trait.
    pub fn named(&mut self, field: &Field, name: &str, value: Option<&str>) {
        let mut pair = Writer::default();
        if !name.is_empty() {
            pair.chunk(1, name.as_bytes());
        }
        if let Some(value) = value.filter(|value| field.presence_of_values() || !value.is_empty()) {
            pair.chunk(2, value.as_bytes());
        }
        self.chunk(field.number, &pair.0);
    }

    /// The bytes of the message.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn chunk(&mut self, number: u32, bytes: &[u8]) {
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        encode_varint(u64::try_from(bytes.len()).unwrap_or_default(), &mut self.0);
        self.0.extend_from_slice(bytes);
    }
}
