//! A value as it came, before anything is known of it: the JSON of a line, or the cell of a row.
//!
//! A cell is text, a number or a flag at once; it is never JSON text in between. What is said of a value in a message is
//! said in JSON, whatever it came from.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{
    Rejection,
    decimal::Decimal,
    json::{self, Shape},
};

/// One value.
#[derive(Debug, Clone)]
pub(crate) enum Given<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
    /// As JSON writes it.
    Number(Cow<'a, str>),
    Flag(bool),
    /// Fields, each with a key of its own.
    Object(Fields<'a>),
    List(Vec<Given<'a>>),
}

/// The fields of `data` as they came, in their order.
pub(crate) type Fields<'a> = Vec<(Cow<'a, str>, Given<'a>)>;

/// The fields of a JSON object.
pub(crate) fn fields(object: json::Fields<'_>) -> Fields<'_> {
    object.into_iter().map(|(key, raw)| (key, Given::Json(raw))).collect()
}

impl<'a> Given<'a> {
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Given::Json(raw) => json::shape(raw),
            Given::Text(_) => Shape::String,
            Given::Number(_) => Shape::Number,
            Given::Flag(_) => Shape::Flag,
            Given::Object(_) => Shape::Object,
            Given::List(_) => Shape::List,
        }
    }

    /// As it is written in JSON.
    pub(crate) fn written(&self) -> Cow<'_, str> {
        match self {
            Given::Json(raw) => Cow::Borrowed(raw.get()),
            Given::Text(text) => {
                let mut out = String::new();
                json::push_string(text, &mut out);
                Cow::Owned(out)
            }
            Given::Number(text) => Cow::Borrowed(text),
            Given::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Given::Object(fields) => {
                let mut out = String::from("{");
                for (at, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    json::push_string(key, &mut out);
                    out.push(':');
                    out.push_str(&value.written());
                }
                Cow::Owned(out + "}")
            }
            Given::List(items) => {
                let items: Vec<Cow<'_, str>> = items.iter().map(Given::written).collect();
                Cow::Owned(format!("[{}]", items.join(",")))
            }
        }
    }

    /// A string, unescaped.
    pub(crate) fn string(&self, path: &str) -> Result<Cow<'a, str>, Rejection> {
        match self {
            Given::Json(raw) => json::string(raw, path),
            Given::Text(text) => Ok(text.clone()),
            _ => {
                let problem = format!("is {}, expected a string", json::excerpt(&self.written()));
                Err(Rejection::new(path.to_owned(), problem))
            }
        }
    }

    /// An exact number of at most 18 digits.
    pub(crate) fn decimal(&self) -> Option<Decimal> {
        match self {
            Given::Json(raw) if json::shape(raw) == Shape::Number => Decimal::parse(raw.get()),
            Given::Number(text) => Decimal::parse(text),
            _ => None,
        }
    }

    /// The fields of an object, whose keys are unique; none of another value.
    pub(crate) fn object(&self, path: &str) -> Result<Option<Fields<'a>>, Rejection> {
        match self {
            Given::Json(raw) if json::shape(raw) == Shape::Object => {
                json::object(raw.get(), path).map(fields).map(Some)
            }
            Given::Object(fields) => Ok(Some(fields.clone())),
            _ => Ok(None),
        }
    }

    /// The items of a list; none of another value.
    pub(crate) fn list(&self, path: &str) -> Result<Option<Vec<Given<'a>>>, Rejection> {
        match self {
            Given::Json(raw) if json::shape(raw) == Shape::List => {
                Ok(Some(json::list(raw.get(), path)?.into_iter().map(Given::Json).collect()))
            }
            Given::List(items) => Ok(Some(items.clone())),
            _ => Ok(None),
        }
    }

    /// Appends it as canonical JSON: keys sorted, no white space, numbers as written.
    pub(crate) fn canonical(&self, path: &str, out: &mut String) -> Result<(), Rejection> {
        match self {
            Given::Json(raw) => json::canonical(raw, path, out)?,
            _ => out.push_str(&self.written()),
        }
        Ok(())
    }
}

/// An object of these fields as canonical JSON.
pub(crate) fn canonical(mut fields: Fields<'_>, path: &str) -> Result<String, Rejection> {
    fields.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut out = String::from("{");
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::push_string(key, &mut out);
        out.push(':');
        value.canonical(&json::join(path, key), &mut out)?;
    }
    out.push('}');
    Ok(out)
}
