//! Strict JSON reading on borrowed text: duplicate keys, depth and encoding are errors, numbers stay
//! as written.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::Rejection;

/// Greatest nesting of a line.
pub(crate) const DEPTH_MAX: usize = 32;

/// The mark of UTF-8 that some programs begin a file with, and `cat` leaves in the middle of one: it says nothing.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The fields of an object, in the order written.
pub(crate) type Fields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

struct Object<'a>(Fields<'a>);

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields: Fields<'de> = Vec::with_capacity(8);
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    fields.push((key.0, map.next_value()?));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

struct List<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq;
        impl<'de> Visitor<'de> for Seq {
            type Value = List<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(List(items))
            }
        }
        deserializer.deserialize_seq(Seq)
    }
}

/// The line as text, its nesting bounded.
pub(crate) fn text(line: &[u8]) -> Result<&str, Rejection> {
    let line = line.strip_prefix(BOM).unwrap_or(line);
    let text = std::str::from_utf8(line)
        .map_err(|e| Rejection::line(format!("not UTF-8 at byte {}; save the file as UTF-8", e.valid_up_to() + 1)))?;
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Rejection::line(format!("nested deeper than {DEPTH_MAX} levels")));
        }
    }
    Ok(text)
}

/// The fields of an object; keys are unique.
pub(crate) fn object<'a>(text: &'a str, field: &str) -> Result<Fields<'a>, Rejection> {
    let Object(fields) = serde_json::from_str(text).map_err(|e| broken(field, &e))?;
    let mut seen = HashSet::new();
    for (at, (key, _)) in fields.iter().enumerate() {
        let twice = if fields.len() <= 16 { fields[..at].iter().any(|(k, _)| k == key) } else { !seen.insert(key) };
        if twice {
            return Err(Rejection::new(join(field, key), "is there twice; keys must be unique"));
        }
    }
    Ok(fields)
}

/// The items of a list.
pub(crate) fn list<'a>(text: &'a str, field: &str) -> Result<Vec<&'a RawValue>, Rejection> {
    serde_json::from_str(text).map(|List(items)| items).map_err(|e| broken(field, &e))
}

/// A string, unescaped.
pub(crate) fn string<'a>(raw: &'a RawValue, field: &str) -> Result<Cow<'a, str>, Rejection> {
    serde_json::from_str(raw.get()).map(|Key(text)| text).map_err(|e| match shape(raw) {
        Shape::String => broken(field, &e),
        _ => Rejection::new(field.to_owned(), format!("is {}, expected a string", excerpt(raw.get()))),
    })
}

/// What a raw value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    String,
    Number,
    Flag,
    Null,
    List,
    Object,
}

/// What `raw` is.
pub(crate) fn shape(raw: &RawValue) -> Shape {
    match raw.get().as_bytes().first() {
        Some(b'"') => Shape::String,
        Some(b't' | b'f') => Shape::Flag,
        Some(b'n') => Shape::Null,
        Some(b'[') => Shape::List,
        Some(b'{') => Shape::Object,
        _ => Shape::Number,
    }
}

/// Keys sorted bytewise, no white space, strings escaped one way, numbers as written.
pub(crate) fn canonical(raw: &RawValue, field: &str, out: &mut String) -> Result<(), Rejection> {
    match shape(raw) {
        Shape::Object => canonical_object(object(raw.get(), field)?, field, out),
        Shape::List => {
            out.push('[');
            for (at, item) in list(raw.get(), field)?.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(item, field, out)?;
            }
            out.push(']');
            Ok(())
        }
        Shape::String => {
            push_string(&string(raw, field)?, out);
            Ok(())
        }
        _ => {
            out.push_str(raw.get());
            Ok(())
        }
    }
}

/// The same, of fields that were taken apart already.
pub(crate) fn canonical_object(mut fields: Fields<'_>, field: &str, out: &mut String) -> Result<(), Rejection> {
    fields.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    out.push('{');
    for (at, (key, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_string(&key, out);
        out.push(':');
        canonical(value, &join(field, &key), out)?;
    }
    out.push('}');
    Ok(())
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// `data` and `gross` to `data.gross`.
pub(crate) fn join(field: &str, key: &str) -> String {
    let key: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    if field.is_empty() { key } else { format!("{field}.{key}") }
}

/// At most 60 characters of a value, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    let short: String = text
        .chars()
        .take(60)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(60).is_some() { format!("{short}...") } else { short }
}

fn broken(field: &str, error: &serde_json::Error) -> Rejection {
    let text = error.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    if field.is_empty() {
        Rejection::line(format!("not valid JSON: {problem} (column {})", error.column()))
    } else {
        Rejection::new(field.to_owned(), problem.to_owned())
    }
}
