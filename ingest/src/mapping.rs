//! A mapping: how the columns of delimited text become the fields of one type of event.
//!
//! A row becomes the parts of an event and goes through [`crate::event::build`] as a line of JSON does, so there is one
//! validation; it is never JSON text in between. Money is moved by decimal places, never through a float.
//!
//! ```yaml
//! name: shop                   # default source of the events
//! encoding: windows-1252       # default: UTF-8, or what the byte order mark says
//! skip: 3                      # lines before the header
//! footer: 1                    # rows at the end that are none
//! delimiter: ","               # a character, or whitespace; or widths: [10, 8, 12] of columns without one
//! header: true                 # or false, with columns: [a, b, c]
//! type: order.completed
//! account: customer
//! id: number                   # default: all columns joined by U+001F (or their hash), then #2, #3, ...
//! time: {column: day, format: "%d.%m.%Y", zone: Europe/Berlin}
//! numbers: {decimal: ","}      # 1.234,56
//! nulls: [NULL, "-"]           # cells that say nothing
//! currency: EUR
//! constants: {channel: web}
//! data:
//!   gross: {column: total, as: major}      # 11.77 -> 1177
//!   custom.items: {column: items, as: integer}
//! ```

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use jiff::tz::TimeZone;
use proto::{
    v1::Event,
    vocabulary::{self, Fill, Kind},
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_saphyr::Spanned;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Error, Rejection, Result,
    cloudevents::{self, Envelope},
    currency, decimal,
    event::{self, Context},
    given::{Fields, Given},
    json,
    near::UnknownTypes,
    records::{Delimiter, Dialect, Records, Row},
    validate,
};

mod dialect;
mod format;
mod number;
mod time;

use number::Numbers;

/// The file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Spanned<String>,
    #[serde(default)]
    encoding: Option<Spanned<String>>,
    #[serde(default)]
    skip: u16,
    #[serde(default)]
    footer: u16,
    #[serde(default)]
    delimiter: Option<Spanned<String>>,
    #[serde(default)]
    widths: Option<Vec<Spanned<u32>>>,
    #[serde(default)]
    ragged: bool,
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
    time: time::Time,
    #[serde(default)]
    numbers: Numbers,
    /// YAML reads a bare `NULL` as none.
    #[serde(default)]
    nulls: Vec<Option<String>>,
    #[serde(default)]
    currency: Option<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    data: BTreeMap<String, Cell>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    column: Spanned<String>,
    #[serde(default)]
    r#as: As,
    /// What to put in the place of a text; one that is not listed stays.
    #[serde(default)]
    table: BTreeMap<String, String>,
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
    dialect: Dialect,
    time: time::Reader,
    constants: Vec<(String, Box<RawValue>)>,
    /// The field that is the event's id where no column is mapped to it.
    filled: Option<&'static str>,
}

/// A mapping bound to the columns of one file.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    mapping: &'a Mapping,
    /// Names, in order.
    columns: Vec<String>,
    account: Option<usize>,
    id: Option<usize>,
    time: time::Places,
    currency: Option<(usize, &'a Cell)>,
    cells: Vec<(&'a str, usize, &'a Cell)>,
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
        let document: Document = serde_saphyr::from_str(text).map_err(|e| fail(unreadable(&e)))?;
        let dialect = dialect::read(&document).map_err(fail)?;
        let time = document.time.reader(zone).map_err(fail)?;
        document.numbers.check().map_err(fail)?;
        check(&document, unknown).map_err(fail)?;
        let constants = document.constants.iter().map(|(name, value)| Ok((name.clone(), to_raw_value(value)?)));
        let constants = constants.collect::<Result<_, serde_json::Error>>().map_err(|e| fail(e.to_string()))?;
        let filled = filled(&document);
        Ok(Self { path: path.to_owned(), document, dialect, time, constants, filled })
    }

    /// Source of the events that it makes.
    pub fn source(&self) -> &str {
        self.document.source.as_ref().map_or(&self.document.name.value, |source| &source.value)
    }

    /// How its files are written.
    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Binds to the columns that it lists; `None` where the header of a file names them.
    pub(crate) fn bind_listed(&self) -> Result<Option<Layout<'_>>> {
        let listed = self.document.columns.as_ref().filter(|_| !self.document.header);
        listed.map(|columns| self.bind_to(columns.clone(), None)).transpose()
    }

    /// Binds to the columns of a header, which is the row just read.
    pub(crate) fn bind(&self, header: &mut Records) -> Result<Layout<'_>> {
        let columns = header.header().cells().map(|cell| cell.trim().to_owned()).collect();
        self.bind_to(columns, Some(header.delimiter()))
    }

    /// Why a file has no header.
    pub(crate) fn of_header(&self, reason: &Rejection) -> Error {
        Error::Mapping { path: self.path.clone(), problem: format!("header: {reason}") }
    }

    fn bind_to(&self, columns: Vec<String>, delimiter: Option<&Delimiter>) -> Result<Layout<'_>> {
        let fail = |problem: String| Error::Mapping { path: self.path.clone(), problem };
        let find = |name: &Spanned<String>| {
            let mut places = (0..columns.len()).filter(|place| columns[*place] == name.value);
            let first = places.next().ok_or_else(|| {
                let other = delimiter.map_or_else(String::new, |delimiter| other_delimiter(&columns, delimiter));
                let known = columns.join(", ") + &other;
                fail(format!("{}: no column {}, there are {known}", at(name), name.value))
            })?;
            match places.next() {
                Some(again) => Err(fail(format!(
                    "{}: column {} is there twice, the {}. and the {}.; expected a name of its own for each",
                    at(name),
                    name.value,
                    first + 1,
                    again + 1
                ))),
                None => Ok(first),
            }
        };
        let document = &self.document;
        let cells = document.data.iter().map(|(name, cell)| Ok((name.as_str(), find(&cell.column)?, cell)));
        let cells: Vec<(&str, usize, &Cell)> = cells.collect::<Result<_>>()?;
        Ok(Layout {
            mapping: self,
            account: document.account.as_ref().map(find).transpose()?,
            id: document.id.as_ref().map(find).transpose()?,
            time: document.time.places(find)?,
            currency: cells.iter().find(|(name, ..)| *name == "currency").map(|(_, at, cell)| (*at, *cell)),
            cells,
            columns,
        })
    }
}

fn filled(document: &Document) -> Option<&'static str> {
    let kind = vocabulary::find(&document.r#type.value)?;
    let field = kind.fields.iter().find(|field| field.fill == Fill::RowId)?;
    let given = document.data.contains_key(field.name) || document.constants.contains_key(field.name);
    (!given).then_some(field.name)
}

fn at<T>(name: &Spanned<T>) -> String {
    place(name.referenced.line(), name.referenced.column())
}

fn place(line: u64, column: u64) -> String {
    format!("line {line}, column {column}")
}

/// Why a text is no mapping, with the place once and in our own form.
fn unreadable(error: &serde_saphyr::Error) -> String {
    let full = error.to_string();
    let first = full.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let message =
        first.split_once(": ").filter(|(place, _)| place.starts_with("line ")).map_or(first, |(_, rest)| rest);
    let message = message.replacen(", expected one of ", "; there are ", 1);
    match error.location() {
        Some(at) => format!("{}: {message}", place(at.line(), at.column())),
        None => message,
    }
}

/// What to write if the only column is a line that another delimiter would divide.
fn other_delimiter(columns: &[String], delimiter: &Delimiter) -> String {
    let (Delimiter::Char(given), [only]) = (delimiter, columns) else { return String::new() };
    let other = [(',', "\",\""), (';', "\";\""), ('\t', "tab"), ('|', "\"|\"")];
    let other = other.into_iter().find(|(other, _)| other != given && only.contains(*other));
    other.map_or_else(String::new, |(_, name)| {
        format!("; is the delimiter another one than {:?}? Write delimiter: {name}", given.to_string())
    })
}

fn check(document: &Document, unknown: UnknownTypes) -> Result<(), String> {
    let kind = &document.r#type;
    unknown.check(&kind.value).map_err(|rejection| format!("{}: {rejection}", at(kind)))?;
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
        (false, Some(columns)) => dialect::check(document, columns)?,
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
    let twice = document
        .constants
        .keys()
        .find(|name| document.data.contains_key(*name) || (*name == "currency" && document.currency.is_some()));
    if let Some(name) = twice {
        return Err(format!("constants.{name}: is there in data or as currency, too, expected one of them"));
    }
    let Some(kind) = vocabulary::find(&document.r#type.value) else { return Ok(()) };
    for name in document.data.keys().chain(document.constants.keys()) {
        let (field, key) = name.split_once('.').map_or((name.as_str(), false), |(field, _)| (field, true));
        let known = kind.field(field).is_some_and(|field| matches!(field.kind, Kind::Traits | Kind::Texts) || !key);
        if !name.starts_with("custom.") && !known {
            let names = validate::names(kind.fields);
            return Err(format!("data.{name}: is no field of {}, expected {names} or custom.NAME", kind.name));
        }
    }
    Ok(())
}

impl Layout<'_> {
    /// Makes the event of a row. The flag says that its id is the joined columns, so that equal rows need numbers.
    pub(crate) fn event(&self, row: &mut Row, context: &Context) -> Result<(Event, bool), Rejection> {
        row.trim(self.columns.len());
        if self.mapping.document.ragged {
            row.fill(self.columns.len());
        }
        let row = &*row;
        if row.len() != self.columns.len() {
            let lacks = row.len() < self.columns.len();
            let cure = if lacks { " (ragged: true in the mapping lets the last ones be left out)" } else { "" };
            let problem = format!("number of cells is {}, expected {}{cure}", row.len(), self.columns.len());
            return Err(Rejection::line(problem));
        }
        let id = match self.id {
            Some(at) => Cow::Borrowed(self.text(row, at)),
            None => Cow::Owned(joined(row)),
        };
        let time_us = self.mapping.time.read(&self.time, &self.columns, row)?;
        let (fields, custom) = self.fields(row, &id)?;
        let account = self.account.map(|at| self.text(row, at)).filter(|account| !account.is_empty());
        let envelope = Envelope {
            id: cloudevents::name(Cow::Borrowed(&*id), "id")?,
            source: Some(Cow::Borrowed(self.mapping.source())),
            kind: Cow::Borrowed(&self.mapping.document.r#type.value),
            time: Some(cloudevents::Time::Us(time_us)),
            account: account.map(|account| cloudevents::name(Cow::Borrowed(account), "account")).transpose()?,
            ..Envelope::default()
        };
        Ok((event::build(envelope, fields, custom, context)?, self.id.is_none()))
    }

    /// The fields of `data`, and those of `data.custom`.
    fn fields<'r>(&'r self, row: &'r Row, id: &'r str) -> Result<(Fields<'r>, Fields<'r>), Rejection> {
        let (mut fields, mut custom) = (Fields::with_capacity(8), Fields::new());
        let mut put = |name: &'r str, value: Given<'r>| match name.split_once('.') {
            Some(("custom", name)) => custom.push((name.into(), value)),
            Some((object, name)) => {
                let known = fields.iter_mut().find(|(known, _)| known == object);
                match known {
                    Some((_, Given::Object(fields))) => fields.push((name.into(), value)),
                    _ => fields.push((object.into(), Given::Object(vec![(name.into(), value)]))),
                }
            }
            None => fields.push((name.into(), value)),
        };
        for (name, at, cell) in &self.cells {
            if let Some(value) = self.cell(row, *at, cell, *name == "currency")? {
                put(name, value);
            }
        }
        self.mapping.constants.iter().for_each(|(name, value)| put(name, Given::Json(value)));
        if let Some(code) = &self.mapping.document.currency {
            put("currency", Given::Text(Cow::Borrowed(&code.value)));
        }
        if let Some(name) = self.mapping.filled {
            put(name, Given::Text(Cow::Borrowed(id)));
        }
        Ok((fields, custom))
    }

    /// The text of a cell; empty where it says nothing.
    fn text<'r>(&self, row: &'r Row, at: usize) -> &'r str {
        let text = row.cell(at).trim();
        let is_it = |null: &Option<String>| match null {
            Some(word) => word == text,
            None => text.eq_ignore_ascii_case("null") || text == "~",
        };
        if self.mapping.document.nulls.iter().any(is_it) { "" } else { text }
    }

    /// The same, or what the table of the field has for it.
    fn looked_up<'r>(&'r self, row: &'r Row, at: usize, cell: &'r Cell) -> &'r str {
        let text = self.text(row, at);
        cell.table.get(text).map_or(text, |value| value.as_str())
    }

    /// The ISO 4217 code of the amounts of a row, in capital letters.
    fn code<'r>(&'r self, row: &'r Row) -> Cow<'r, str> {
        let fixed = || self.mapping.document.currency.as_ref().map_or("", |code| code.value.as_str());
        let text = self.currency.map_or_else(fixed, |(at, cell)| self.looked_up(row, at, cell));
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            Cow::Owned(text.to_ascii_uppercase())
        } else {
            Cow::Borrowed(text)
        }
    }

    /// The value of a cell; an empty one is absent.
    fn cell<'r>(
        &'r self,
        row: &'r Row,
        at: usize,
        cell: &'r Cell,
        is_currency: bool,
    ) -> Result<Option<Given<'r>>, Rejection> {
        let text = self.looked_up(row, at, cell);
        if text.is_empty() {
            return Ok(None);
        }
        let numbers = self.mapping.document.numbers;
        let wrong = |expected: &str| {
            let point = decimal::of_comma(text);
            let cure = point
                .map(|number| format!("{number} with a decimal point, or in the mapping numbers: {{decimal: \",\"}}"));
            let expected = cure.unwrap_or_else(|| expected.to_owned());
            Rejection::line(format!("column {}: is {}, expected {expected}", self.columns[at], json::excerpt(text)))
        };
        let whole = |value: i64| Given::Number(Cow::Owned(value.to_string()));
        let in_places = |places: u32| {
            let number = numbers.read(text)?;
            numbers.round.map_or_else(|| number.shifted(places), |how| number.rounded(places, how))
        };
        Ok(Some(match cell.r#as {
            As::Text if is_currency => Given::Text(self.code(row)),
            As::Text => Given::Text(Cow::Borrowed(text)),
            As::Integer | As::Minor => whole(in_places(0).ok_or_else(|| wrong("a whole number"))?),
            As::Number => {
                let number = numbers.read(text).ok_or_else(|| wrong("a number of at most 18 digits"))?;
                // As it is written, where that is JSON: what is imported again is the same.
                let is_json = numbers.are_plain() && serde_json::from_str::<&RawValue>(text).is_ok();
                Given::Number(if is_json { Cow::Borrowed(text) } else { Cow::Owned(number.to_string()) })
            }
            As::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Given::Flag(true),
                "false" | "no" | "0" => Given::Flag(false),
                _ => return Err(wrong("true or false")),
            },
            As::Major => {
                let places = currency::places(&self.code(row));
                let expected = || format!("an amount with at most {places} decimal places");
                whole(in_places(places).ok_or_else(|| wrong(&expected()))?)
            }
        }))
    }
}

/// The id of a row that names none: its cells, or their hash where they are no id: too long, or with line breaks.
fn joined(row: &Row) -> String {
    let cells: Vec<&str> = row.cells().collect();
    let joined = cells.join("\u{1f}");
    if validate::id_problem(&joined).is_some() { format!("{:032x}", xxh3_128(joined.as_bytes())) } else { joined }
}
