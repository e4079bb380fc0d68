//! A mapping: how the columns of delimited text become the fields of one type of event.
//!
//! A row becomes a line of CloudEvents JSON and goes through [`crate::event::parse`] like every other,
//! so there is one validation. Money is moved by decimal places, never through a float.
//!
//! ```yaml
//! name: shop                   # default source of the events
//! delimiter: ","               # a character, or whitespace
//! header: true                 # or false, with columns: [a, b, c]
//! type: order.completed
//! account: customer
//! id: number                   # default: all columns joined by U+001F, then #2, #3, ...
//! time: {column: day, format: "%d.%m.%Y", zone: Europe/Berlin}
//! currency: EUR
//! constants: {channel: web}
//! data:
//!   gross: {column: total, as: major}      # 11.77 -> 1177
//!   custom.items: {column: items, as: integer}
//! ```

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use jiff::{civil, fmt::strtime, tz::TimeZone};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{
    Error, Rejection, Result, currency, decimal::Decimal, delimited, delimited::Delimiter, json, near::UnknownTypes,
    schema, validate,
};

mod format;

/// The file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Spanned<String>,
    #[serde(default)]
    delimiter: Option<Spanned<String>>,
    #[serde(default = "yes")]
    header: bool,
    #[serde(default)]
    columns: Option<Vec<String>>,
    r#type: Spanned<String>,
    #[serde(default)]
    account: Option<Spanned<String>>,
    #[serde(default)]
    id: Option<Spanned<String>>,
    #[serde(default)]
    source: Option<Spanned<String>>,
    time: Time,
    #[serde(default)]
    currency: Option<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    data: BTreeMap<String, Cell>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    column: Spanned<String>,
    /// As `strptime`; RFC 3339 when absent.
    #[serde(default)]
    format: Option<Spanned<String>>,
    #[serde(default)]
    zone: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    column: Spanned<String>,
    #[serde(default)]
    r#as: As,
}

/// How the text of a cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    #[default]
    Text,
    Integer,
    Number,
    Flag,
    /// Money in major units: `11.77`.
    Major,
    /// Money in minor units: `1177`.
    Minor,
}

fn yes() -> bool {
    true
}

/// A mapping, checked.
#[derive(Debug)]
pub struct Mapping {
    path: String,
    document: Document,
    delimiter: Delimiter,
    zone: TimeZone,
}

/// A mapping bound to the columns of one file.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    mapping: &'a Mapping,
    width: usize,
    account: Option<usize>,
    id: Option<usize>,
    time: usize,
    currency: Option<usize>,
    cells: Vec<(&'a str, usize, As)>,
}

/// A row as a line of CloudEvents JSON.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: String,
    /// The id is the joined columns, so that equal rows need numbers.
    pub(crate) joined: bool,
}

impl Mapping {
    /// Reads and checks a mapping; `zone` is the one of times that name none, `unknown` says which types it may make.
    ///
    /// # Errors
    /// With the line and column of what is wrong.
    pub fn load(path: &Path, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
        Self::parse(&path.display().to_string(), &text, zone, unknown)
    }

    /// The same, from text.
    ///
    /// # Errors
    /// With the line and column of what is wrong.
    pub fn parse(path: &str, text: &str, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self> {
        let fail = |problem: String| Error::Mapping { path: path.to_owned(), problem };
        let document: Document = serde_saphyr::from_str(text).map_err(|e| fail(e.to_string()))?;
        let delimiter = delimiter(document.delimiter.as_ref()).map_err(fail)?;
        let zone = match &document.time.zone {
            None => zone.clone(),
            Some(name) => {
                TimeZone::get(&name.value).map_err(|e| fail(format!("{}: zone {}: {e}", at(name), name.value)))?
            }
        };
        check(&document, unknown).map_err(fail)?;
        Ok(Self { path: path.to_owned(), document, delimiter, zone })
    }

    /// Source of the events that it makes.
    pub fn source(&self) -> &str {
        self.document.source.as_ref().map_or(&self.document.name.value, |source| &source.value)
    }

    /// Whether the first line of a file names the columns.
    pub(crate) fn header(&self) -> bool {
        self.document.header
    }

    /// Binds to the columns: those of the header, or the ones listed.
    pub(crate) fn bind(&self, header: Option<&str>) -> Result<Layout<'_>> {
        let fail = |problem: String| Error::Mapping { path: self.path.clone(), problem };
        let columns: Vec<String> = match header {
            None => self.document.columns.clone().unwrap_or_default(),
            Some(line) => {
                let fields = delimited::split(line, self.delimiter).map_err(|e| fail(format!("header: {e}")))?;
                fields.into_iter().map(|field| field.trim().to_owned()).collect()
            }
        };
        let find = |name: &Spanned<String>| {
            columns.iter().position(|column| *column == name.value).ok_or_else(|| {
                fail(format!("{}: no column {}, there are {}", at(name), name.value, columns.join(", ")))
            })
        };
        let document = &self.document;
        let cells = document.data.iter().map(|(name, cell)| Ok((name.as_str(), find(&cell.column)?, cell.r#as)));
        Ok(Layout {
            mapping: self,
            account: document.account.as_ref().map(find).transpose()?,
            id: document.id.as_ref().map(find).transpose()?,
            time: find(&document.time.column)?,
            currency: document.data.get("currency").map(|cell| find(&cell.column)).transpose()?,
            cells: cells.collect::<Result<_>>()?,
            width: columns.len(),
        })
    }
}

fn at(name: &Spanned<String>) -> String {
    format!("line {}, column {}", name.referenced.line(), name.referenced.column())
}

fn delimiter(text: Option<&Spanned<String>>) -> Result<Delimiter, String> {
    let Some(text) = text else { return Ok(Delimiter::Char(',')) };
    let mut chars = text.value.chars();
    match (text.value.as_str(), chars.next(), chars.next()) {
        ("whitespace", ..) => Ok(Delimiter::Whitespace),
        ("tab", ..) => Ok(Delimiter::Char('\t')),
        (_, Some(one), None) if one != '"' => Ok(Delimiter::Char(one)),
        _ => Err(format!("{}: delimiter is {:?}, expected one character, tab or whitespace", at(text), text.value)),
    }
}

fn check(document: &Document, unknown: UnknownTypes) -> Result<(), String> {
    let kind = &document.r#type;
    unknown.check(&kind.value).map_err(|rejection| format!("{}: {rejection}", at(kind)))?;
    if let Some(format) = &document.time.format {
        format::check(&format.value).map_err(|problem| format!("{}: time format {problem}", at(format)))?;
    }
    for name in [Some(&document.name), document.source.as_ref()].into_iter().flatten() {
        if let Some(problem) = validate::id_problem(&name.value) {
            return Err(format!("{}: {problem}", at(name)));
        }
    }
    match (document.header, &document.columns) {
        (true, Some(_)) => return Err("columns: is there beside a header, expected header: false".to_owned()),
        (false, None) => {
            return Err("columns: is missing, expected the names in order since header is false".to_owned());
        }
        _ => {}
    }
    if let Some(code) = document.currency.as_ref().filter(|code| !currency::is_code(&code.value)) {
        return Err(format!("{}: currency is {}, expected three capital letters (ISO 4217)", at(code), code.value));
    }
    if document.currency.is_some() && document.data.contains_key("currency") {
        return Err("currency: is there beside data.currency, expected one of them".to_owned());
    }
    let needs = document.data.iter().find(|(_, cell)| cell.r#as == As::Major);
    if let Some((name, cell)) = needs.filter(|_| document.currency.is_none() && !document.data.contains_key("currency"))
    {
        return Err(format!("{}: data.{name} is in major units, expected a currency beside it", at(&cell.column)));
    }
    let Some(kind) = schema::find(&document.r#type.value) else { return Ok(()) };
    for name in document.data.keys().chain(document.constants.keys()) {
        let known = name.starts_with("custom.") || kind.fields.iter().any(|field| field.name == name);
        if !known {
            let names: Vec<_> = kind.fields.iter().map(|field| field.name).collect();
            return Err(format!(
                "data.{name}: is no field of {}, expected {} or custom.NAME",
                kind.name,
                names.join(", ")
            ));
        }
    }
    Ok(())
}

impl Layout<'_> {
    /// Makes the event of a row.
    pub(crate) fn row(&self, line: &str) -> Result<Row, Rejection> {
        let fields = delimited::split(line, self.mapping.delimiter)?;
        if fields.len() != self.width {
            return Err(Rejection::line(format!("has {} fields, expected {}", fields.len(), self.width)));
        }
        let document = &self.mapping.document;
        let id = match self.id {
            Some(at) => Cow::Borrowed(fields[at].trim()),
            None => Cow::Owned(fields.join("\u{1f}")),
        };
        let mut out = String::with_capacity(256);
        out.push('{');
        push(&mut out, "id", &id);
        push(&mut out, "source", self.mapping.source());
        push(&mut out, "type", &document.r#type.value);
        push(&mut out, "time", &crate::render_rfc3339(self.time(fields[self.time].trim())?));
        if let Some(account) = self.account.map(|at| fields[at].trim()).filter(|account| !account.is_empty()) {
            push(&mut out, "account", account);
        }
        out.push_str(",\"data\":{");
        self.data(&fields, &id, &mut out)?;
        out.push_str("}}");
        Ok(Row { line: out, joined: self.id.is_none() })
    }

    fn data(&self, fields: &[Cow<'_, str>], id: &str, out: &mut String) -> Result<(), Rejection> {
        let document = &self.mapping.document;
        let mut custom = String::new();
        let start = out.len();
        for (name, at, kind) in &self.cells {
            if let Some(value) = self.cell(&fields[*at], *kind, *at, fields)? {
                put(name, &value, out, &mut custom);
            }
        }
        for (name, value) in &document.constants {
            put(name, &value.to_string(), out, &mut custom);
        }
        if let Some(code) = &document.currency {
            put("currency", &serde_json::Value::from(code.value.as_str()).to_string(), out, &mut custom);
        }
        let given = document.data.contains_key("order") || document.constants.contains_key("order");
        if document.r#type.value == "order.completed" && !given {
            put("order", &serde_json::Value::from(id).to_string(), out, &mut custom);
        }
        if !custom.is_empty() {
            out.push_str(",\"custom\":{");
            out.push_str(&custom[1..]);
            out.push('}');
        }
        // Each field brought a comma before it; the first has none.
        if out[start..].starts_with(',') {
            out.remove(start);
        }
        Ok(())
    }

    /// The JSON of a cell; an empty one is absent.
    fn cell(&self, text: &str, kind: As, at: usize, fields: &[Cow<'_, str>]) -> Result<Option<String>, Rejection> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |expected: &str| {
            Rejection::line(format!("field {}: is {}, expected {expected}", at + 1, json::excerpt(text)))
        };
        Ok(Some(match kind {
            As::Text => serde_json::Value::from(text).to_string(),
            As::Integer | As::Minor => {
                let value = plain(text).and_then(Decimal::integer);
                value.ok_or_else(|| wrong("a whole number"))?.to_string()
            }
            As::Number => {
                plain(text).ok_or_else(|| wrong("a number of at most 18 digits"))?;
                serde_json::from_str::<&serde_json::value::RawValue>(text)
                    .map_err(|_| wrong("a number"))?
                    .get()
                    .to_owned()
            }
            As::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => "true".to_owned(),
                "false" | "no" | "0" => "false".to_owned(),
                _ => return Err(wrong("true or false")),
            },
            As::Major => {
                let code = self.currency.map_or_else(
                    || self.mapping.document.currency.as_ref().map_or("", |code| code.value.as_str()),
                    |at| fields[at].trim(),
                );
                let places = currency::places(code);
                let value = plain(text).and_then(|d| d.shifted(places));
                value.ok_or_else(|| wrong(&format!("an amount with at most {places} decimal places")))?.to_string()
            }
        }))
    }

    fn time(&self, text: &str) -> Result<i64, Rejection> {
        let wrong = |expected: &str| {
            Rejection::new("time", format!("field {}: is {}, expected {expected}", self.time + 1, json::excerpt(text)))
        };
        let Some(format) = &self.mapping.document.time.format else {
            return crate::parse_rfc3339(text).ok_or_else(|| wrong("RFC 3339 like 2026-01-31T09:30:00Z"));
        };
        let format = format.value.as_str();
        let parsed = strtime::parse(format, text).map_err(|_| wrong(format))?;
        // A time with an offset or a zone is an instant; one without is local; a bare date is local midnight.
        if let Ok(instant) = parsed.to_timestamp() {
            return i64::try_from(instant.as_nanosecond().div_euclid(1_000)).map_err(|_| wrong(format));
        }
        let local = parsed.to_datetime().or_else(|_| parsed.to_date().map(civil::DateTime::from));
        let zoned = local.and_then(|local| local.to_zoned(self.mapping.zone.clone())).map_err(|_| wrong(format))?;
        i64::try_from(zoned.timestamp().as_nanosecond().div_euclid(1_000)).map_err(|_| wrong(format))
    }
}

/// A number as files write it: a leading plus and `.5` are fine there.
fn plain(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    match text.strip_prefix('-').map_or(("", text), |rest| ("-", rest)) {
        (sign, rest) if rest.starts_with('.') => Decimal::parse(&format!("{sign}0{rest}")),
        _ => Decimal::parse(text),
    }
}

fn push(out: &mut String, name: &str, text: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    json::push_string(name, out);
    out.push(':');
    json::push_string(text, out);
}

fn put(name: &str, value: &str, out: &mut String, custom: &mut String) {
    let (name, out) = match name.strip_prefix("custom.") {
        Some(name) => (name, custom),
        None => (name, out),
    };
    out.push(',');
    json::push_string(name, out);
    out.push(':');
    out.push_str(value);
}
