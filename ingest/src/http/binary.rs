//! CloudEvents in binary mode: attributes are headers (`ce-id`, `ce-type`, `ce-account`, ...), the body is the data.
//!
//! They become one event in structured form, which goes the way of all others, so there is one validation. Header values
//! are unescaped and percent-decoded once, as the HTTP binding of CloudEvents 1.0.2 (3.1.3.2) says.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use http::Refusal;
use serde_json::{Map, Value, value::RawValue};

use crate::json;

/// What every header of an attribute begins with.
const PREFIX: &str = "ce-";

/// The attributes of an event, from its headers.
#[derive(Debug, PartialEq)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// The attributes, if the request is one in binary mode: it has any, and is not said to be a whole CloudEvent.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(Ok(""), |value| value.to_str()).unwrap_or_default();
        let whole = content_type.trim_start().to_ascii_lowercase().starts_with("application/cloudevents");
        let mut attributes = Map::new();
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix(PREFIX) else { continue };
            let text = decode(value).map_err(|problem| bad(format!("the header ce-{name} {problem}")))?;
            if attributes.insert(name.to_owned(), text.into()).is_some() {
                return Err(bad(format!("the header ce-{name} is there twice")));
            }
        }
        if whole || attributes.is_empty() {
            return Ok(None);
        }
        for name in ["specversion", "id", "type"] {
            if !attributes.contains_key(name) {
                return Err(bad(format!(
                    "the header ce-{name} is missing: a CloudEvent in binary mode has ce-specversion (1.0), ce-id, \
                     ce-source and ce-type"
                )));
            }
        }
        data_is_json(content_type)?;
        attributes.remove("datacontenttype");
        Ok(Some(Self(attributes)))
    }

    /// The event with its data, as one JSON text.
    pub(super) fn with(mut self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        // It would be taken for the data.
        if self.0.keys().any(|name| matches!(name.as_str(), "data" | "data_base64")) {
            return Err(bad("the header ce-data is there, expected the data as the body".to_owned()));
        }
        let body = body.strip_prefix(json::BOM).unwrap_or(body);
        if body.trim_ascii().is_empty() {
            return Ok(Value::Object(self.0).to_string().into_bytes());
        }
        let data: &RawValue = serde_json::from_slice(body)
            .map_err(|error| bad(format!("the body, the data of it, is no JSON: {error}")))?;
        let event = Value::Object(std::mem::take(&mut self.0)).to_string();
        let head = event.strip_suffix('}').unwrap_or(&event);
        Ok(format!("{head},\"data\":{}}}", data.get()).into_bytes())
    }
}

/// No content type means JSON, too.
fn data_is_json(content_type: &str) -> Result<(), Refusal> {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = matches!(essence.as_str(), "" | "application/json" | "text/json") || essence.ends_with("+json");
    if json && super::is_utf8(parts) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the content type of the data is {}, expected application/json, in UTF-8", content_type.escape_debug()),
    ))
}

fn bad(reason: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}

/// A header value as the text that it stands for.
fn decode(value: &HeaderValue) -> Result<String, &'static str> {
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| "is not UTF-8, expected it percent-encoded")?;
    let text = unquoted(text.trim());
    String::from_utf8(percent_decoded(&text)).map_err(|_| "is percent-encoded, but not of UTF-8")
}

/// Older versions of the binding put values in double quotes, with backslashes in them.
fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    Cow::Owned(out)
}

/// One round; a `%` without two digits after it stands for itself, since not every sender encodes it.
fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1).and_then(hex).zip(bytes.get(at + 2).and_then(hex));
        match digits.filter(|_| *byte == b'%') {
            Some((high, low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_bytes(value).expect("value"));
        }
        headers
    }

    const LEAST: [(&str, &[u8]); 4] =
        [("ce-specversion", b"1.0"), ("ce-id", b"1"), ("ce-source", b"shop"), ("ce-type", b"order.completed")];

    fn line(more: &[(&'static str, &'static [u8])], body: &str) -> String {
        let attributes = match Attributes::of(&headers(&[&LEAST[..], more].concat())) {
            Ok(Some(attributes)) => attributes,
            other => return format!("{other:?}"),
        };
        attributes
            .with(body.as_bytes())
            .map_or_else(|refusal| format!("{refusal:?}"), |line| String::from_utf8(line).expect("text"))
    }

    #[test]
    fn headers_become_attributes_and_the_body_the_data() {
        let json: [(&str, &[u8]); 2] = [("content-type", b"application/json; charset=utf-8"), ("ce-account", b"a")];
        assert_eq!(
            line(&json, " {\"gross\": 5} "),
            r#"{"account":"a","id":"1","source":"shop","specversion":"1.0","type":"order.completed","data":{"gross": 5}}"#
        );
        let none = r#"{"id":"1","source":"shop","specversion":"1.0","type":"order.completed"}"#;
        assert_eq!(line(&[], ""), none);
        assert_eq!(line(&[("ce-datacontenttype", b"application/json")], "\u{feff}"), none);
    }

    #[test]
    fn values_are_percent_decoded_once() {
        for (value, expected) in [
            (&b"Euro%20%E2%82%AC%20%F0%9F%98%80"[..], "Euro \u{20ac} \u{1f600}"),
            (b"100%", "100%"),
            (b"%2525", "%25"),
            (b"%zz%4", "%zz%4"),
            (b"\"a \\\"b\\\" %43\"", "a \"b\" C"),
            ("M\u{fc}ller".as_bytes(), "M\u{fc}ller"),
        ] {
            assert_eq!(decode(&HeaderValue::from_bytes(value).expect("value")), Ok(expected.to_owned()));
        }
        let latin = HeaderValue::from_bytes(b"M\xfcller").expect("value");
        assert_eq!(decode(&latin), Err("is not UTF-8, expected it percent-encoded"));
        assert_eq!(decode(&HeaderValue::from_static("%FF")), Err("is percent-encoded, but not of UTF-8"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (more, body, expected) in [
            (&[("ce-id", &b"2"[..])][..], "", "the header ce-id is there twice"),
            (&[("ce-data", &b"{}"[..])][..], "", "the header ce-data is there, expected the data as the body"),
            (&[][..], "{", "the body, the data of it, is no JSON: EOF"),
            (&[][..], "{}, \"id\": \"x\"", "the body, the data of it, is no JSON: trailing characters"),
            (&[("content-type", &b"text/xml"[..])][..], "", "the content type of the data is text/xml, expected"),
            (
                &[("content-type", &b"application/json; charset=latin1"[..])][..],
                "",
                "expected application/json, in UTF-8",
            ),
        ] {
            let found = line(more, body);
            assert!(found.contains(expected), "expected {expected}\n   found {found}");
        }
        for missing in ["ce-specversion", "ce-id", "ce-type"] {
            let rest: Vec<_> = LEAST.into_iter().filter(|(name, _)| *name != missing).collect();
            let found = format!("{:?}", Attributes::of(&headers(&rest)).expect_err("missing"));
            assert!(found.contains(&format!("the header {missing} is missing")), "{found}");
        }
    }

    #[test]
    fn a_whole_cloudevent_is_none() {
        let mut whole = headers(&LEAST);
        whole.insert("content-type", HeaderValue::from_static("application/cloudevents+json"));
        assert_eq!(Attributes::of(&whole).expect("no fault"), None);
        assert_eq!(Attributes::of(&HeaderMap::new()).expect("no fault"), None);
    }
}
