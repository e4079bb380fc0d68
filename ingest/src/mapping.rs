//! A mapping: how rows of delimited text and JSON objects become events.
//!
//! ```yaml
//! name: shop                   # default source of the events
//! delimiter: ";"
//! numbers: {decimal: ","}      # 1.234,56
//! leave_out:
//!   - {name: test orders, when: row.customer == "test"}
//! type: order.completed
//! account: customer            # a column
//! id: number                   # default: all columns joined (or their hash), then #2, #3, ...
//! time: {column: day, format: "%d.%m.%Y", zone: Europe/Berlin}
//! currency: EUR
//! data:
//!   gross: {column: total, as: major}                # 11,77 -> 1177
//!   channel: {cel: 'lower(row["Sales channel"])'}
//! ```
//! `events` lists several, each of the rows that its `when` chooses; `group` gathers the rows of one order. The parts:
//! [`document`] is the file as it is written, [`build`] checks it and makes [`rule`]s of it, a [`view`] is what a rule
//! looks at, [`value`] reads one value.
//!
//! Invariants: a record becomes all of its events, or it is left out under a name, or it is refused; an event goes through
//! [`crate::event::build`] as a line of JSON does, so there is one validation. Money is moved by decimal places, never
//! through a float.

use std::path::Path as File;

use document::{Document, Format};
use jiff::tz::TimeZone;
use names::{FieldId, Names, Path};
use rule::Rule;
use serde_json::value::RawValue;
use serde_saphyr::Spanned;
use value::Expression;
use view::{Record, View};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Error, Rejection, Result,
    event::Context,
    json,
    near::UnknownTypes,
    records::{Delimiter, Dialect, Records, Row},
    validate,
};

mod build;
mod dialect;
mod document;
mod format;
mod names;
mod number;
pub mod ready;
mod rule;
mod time;
mod value;
mod view;

use number::Numbers;
pub(crate) use rule::Made;

/// The name under which records are left out that no rule fits.
const NO_RULE: &str = "no event fits";

/// Where the id of an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By the id that the mapping gives it.
    Given,
    /// By its content: equal ones of a file need numbers.
    Joined,
}

/// How a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate<'m> {
    /// It became events.
    Mapped,
    /// It became none, for the reason of this name.
    LeftOut(&'m str),
}

/// A mapping, checked.
#[derive(Debug)]
pub struct Mapping {
    path: String,
    name: String,
    source: Option<String>,
    format: Format,
    dialect: Dialect,
    ragged: bool,
    /// The columns of files without a header.
    columns: Option<Vec<String>>,
    numbers: Numbers,
    nulls: Vec<Option<String>>,
    /// The list of a JSON document that holds the records.
    records: Option<Path>,
    names: Names,
    left_out: Vec<(String, Expression)>,
    group: Vec<FieldId>,
    rules: Vec<Rule>,
}

/// A mapping bound to the columns of one file.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    mapping: &'a Mapping,
    /// Number of columns.
    columns: usize,
    /// The column of each name.
    places: Vec<usize>,
}

impl Mapping {
    /// Reads and checks a mapping, of a file or by the name of a ready one; `zone` is the one of times that name none, `unknown` says which types it may make.
    ///
    /// # Errors
    /// With the line and column of what is wrong.
    pub fn load(path: &File, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self> {
        let text = ready::text(path)?;
        Self::parse(&path.display().to_string(), &text, zone, unknown)
    }

    /// The same, from text.
    ///
    /// # Errors
    /// With the line and column of what is wrong.
    pub fn parse(path: &str, text: &str, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self> {
        let fail = |problem: String| Error::Mapping { path: path.to_owned(), problem };
        let document: Document = serde_saphyr::from_str(text).map_err(|e| fail(unreadable(&e)))?;
        Self::checked(path, document, zone, unknown).map_err(fail)
    }

    fn checked(path: &str, mut document: Document, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self, String> {
        check(&document)?;
        let dialect = dialect::read(&document)?;
        document.numbers.check()?;

        let is_listed = !document.events.is_empty();
        let events = build::events(&mut document)?;
        let mut builder = build::Builder {
            names: Names::default(),
            format: document.format,
            tables: &document.tables,
            groups: !document.group.is_empty(),
            zone,
            unknown,
        };
        let left_out = builder.left_out(&document.leave_out)?;
        let group = document.group.iter().map(|column| builder.column(column)).collect();
        let rules = events.into_iter().map(|event| builder.rule(event, &document, is_listed));
        let rules: Vec<Rule> = rules.collect::<Result<_, _>>()?;
        build::check_names(&rules)?;
        Ok(Self {
            path: path.to_owned(),
            names: builder.names,
            name: document.name.value,
            source: document.source.map(|source| source.value),
            format: document.format,
            dialect,
            ragged: document.ragged,
            columns: document.columns.filter(|_| !document.header),
            numbers: document.numbers,
            nulls: document.nulls,
            records: document.records.map(|path| Path::parse(&path.value)),
            left_out,
            group,
            rules,
        })
    }

    /// Source of the events that it makes.
    pub fn source(&self) -> &str {
        self.source.as_ref().unwrap_or(&self.name)
    }

    /// Whether it is of JSON objects, not of rows.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether rows are gathered before they are mapped.
    pub(crate) fn groups(&self) -> bool {
        !self.group.is_empty()
    }

    /// How its files are written.
    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Binds to the columns that it lists; `None` where the header of a file names them.
    pub(crate) fn bind_listed(&self) -> Result<Option<Layout<'_>>> {
        self.columns.as_ref().map(|columns| self.bind_to(columns, None)).transpose()
    }

    /// Binds to the columns of a header, which is the row just read.
    pub(crate) fn bind(&self, header: &mut Records<'_>) -> Result<Layout<'_>> {
        let columns: Vec<String> = header.header().cells().map(|cell| cell.trim().to_owned()).collect();
        self.bind_to(&columns, Some(header.delimiter()))
    }

    /// Why a file has no header.
    pub(crate) fn of_header(&self, reason: &Rejection) -> Error {
        Error::Mapping { path: self.path.clone(), problem: format!("header: {reason}") }
    }

    fn bind_to(&self, columns: &[String], delimiter: Option<&Delimiter>) -> Result<Layout<'_>> {
        let fail = |problem: String| Error::Mapping { path: self.path.clone(), problem };
        let find = |name: &names::Name| {
            let mut places = (0..columns.len()).filter(|place| columns[*place] == name.text);
            let first = places.next().ok_or_else(|| {
                let other = delimiter.map_or_else(String::new, |delimiter| other_delimiter(columns, delimiter));
                let known = columns.join(", ") + &other;
                fail(format!("{}: no column {}, there are {known}", name.place, name.text))
            })?;
            match places.next() {
                Some(again) => Err(fail(format!(
                    "{}: column {} is there twice, the {}. and the {}.; expected a name of its own for each",
                    name.place,
                    name.text,
                    first + 1,
                    again + 1
                ))),
                None => Ok(first),
            }
        };
        let places = self.names.iter().map(find).collect::<Result<_>>()?;
        Ok(Layout { mapping: self, columns: columns.len(), places })
    }

    /// Makes the events of a JSON object.
    pub(crate) fn object(
        &self,
        object: &RawValue,
        context: &Context,
        out: &mut Vec<Made>,
    ) -> Result<Fate<'_>, Rejection> {
        let view = View::new(self, Record::Object { object, item: None });
        if let Some(name) = self.leaves_out(&view)? {
            return Ok(Fate::LeftOut(name));
        }
        let mut canonical = String::new();
        json::canonical(object, "", &mut canonical)?;
        self.events(&view, &hash(&canonical), Identity::Joined, context, out)
    }

    /// The records of a JSON document: the items of its list `records`, those of the document itself where it is a list,
    /// else the document.
    pub(crate) fn records<'d>(&self, document: &'d RawValue) -> Result<Vec<&'d RawValue>, Rejection> {
        let list = self.records.as_ref().and_then(|path| path.find(document)).unwrap_or(document);
        if json::shape(list) == json::Shape::List { json::list(list.get(), "") } else { Ok(vec![list]) }
    }

    fn leaves_out(&self, view: &View<'_>) -> Result<Option<&str>, Rejection> {
        for (name, when) in &self.left_out {
            if value::holds(when, view)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn events(
        &self,
        view: &View<'_>,
        record_id: &str,
        identity: Identity,
        context: &Context,
        out: &mut Vec<Made>,
    ) -> Result<Fate<'_>, Rejection> {
        out.clear();
        self.rules.iter().try_for_each(|rule| rule.make(view, record_id, identity, context, out))?;
        Ok(if out.is_empty() { Fate::LeftOut(NO_RULE) } else { Fate::Mapped })
    }
}

impl Layout<'_> {
    /// Brings a row to the number of columns.
    ///
    /// # Errors
    /// When it has other cells than the header.
    pub(crate) fn fit(&self, row: &mut Row) -> Result<(), Rejection> {
        row.trim(self.columns);
        if self.mapping.ragged {
            row.fill(self.columns);
        }
        if row.len() == self.columns {
            return Ok(());
        }
        let lacks = row.len() < self.columns;
        let cure = if lacks { " (ragged: true in the mapping lets the last ones be left out)" } else { "" };
        Err(Rejection::line(format!("number of cells is {}, expected {}{cure}", row.len(), self.columns)))
    }

    /// The name under which a row is left out.
    pub(crate) fn leaves_out(&self, row: &Row) -> Result<Option<&str>, Rejection> {
        self.mapping.leaves_out(&self.view(std::slice::from_ref(row)))
    }

    /// What the rows of one group share.
    pub(crate) fn group(&self, row: &Row) -> Result<String, Rejection> {
        let view = self.view(std::slice::from_ref(row));
        let parts: Vec<_> = self.mapping.group.iter().map(|field| view.text(*field)).collect();
        match parts.iter().position(|part| part.is_empty()) {
            Some(place) => {
                let column = view.describe(self.mapping.group[place]);
                Err(Rejection::line(format!("{column}: is empty, expected what the rows of one group share")))
            }
            None => Ok(id_of(parts.join("\u{1f}"))),
        }
    }

    /// Makes the events of a row.
    pub(crate) fn row(&self, row: &Row, context: &Context, out: &mut Vec<Made>) -> Result<Fate<'_>, Rejection> {
        let view = self.view(std::slice::from_ref(row));
        let needs_id = self.mapping.rules.iter().any(|rule| rule.id.is_none());
        let id = if needs_id { joined(row) } else { String::new() };
        self.mapping.events(&view, &id, Identity::Joined, context, out)
    }

    /// Makes the events of the rows of a group, which share `id`.
    pub(crate) fn rows(
        &self,
        id: &str,
        rows: &[Row],
        context: &Context,
        out: &mut Vec<Made>,
    ) -> Result<Fate<'_>, Rejection> {
        self.mapping.events(&self.view(rows), id, Identity::Given, context, out)
    }

    fn view<'r>(&'r self, rows: &'r [Row]) -> View<'r> {
        View::new(self.mapping, Record::Rows { rows, places: &self.places })
    }
}

fn at<T>(written: &Spanned<T>) -> String {
    place(written.referenced.line(), written.referenced.column())
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
    let message = message.replace("expected mapping start", "expected an object such as {column: NAME}");
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

/// What fits together on its own, whatever the events.
fn check(document: &Document) -> Result<(), String> {
    for name in [Some(&document.name), document.source.as_ref()].into_iter().flatten() {
        if let Some(problem) = validate::id_problem(&name.value) {
            return Err(format!("{}: {problem}", at(name)));
        }
    }
    if document.format == Format::Json {
        return check_json(document);
    }
    if let Some(records) = &document.records {
        return Err(format!("{}: records is a list in JSON, expected format: json", at(records)));
    }
    match (document.header, &document.columns) {
        (true, Some(_)) => Err("columns: is there beside a header, expected header: false".to_owned()),
        (false, None) => Err("columns: is missing, expected the names in order since header is false".to_owned()),
        (false, Some(columns)) => dialect::check(document, columns),
        (true, None) => Ok(()),
    }
}

/// Refuses what is about rows.
fn check_json(document: &Document) -> Result<(), String> {
    let there = [
        ("delimiter", document.delimiter.is_some()),
        ("widths", document.widths.is_some()),
        ("skip", document.skip > 0),
        ("footer", document.footer > 0),
        ("ragged", document.ragged),
        ("header", !document.header),
        ("columns", document.columns.is_some()),
        ("group", !document.group.is_empty()),
    ];
    match there.into_iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(format!("{key}: is about rows, and format is json")),
        None => Ok(()),
    }
}

/// Whether a text is a number, written as JSON does or with this decimal mark, thousands and signs of currencies.
pub(crate) fn reads_number(text: &str, decimal: Option<char>) -> bool {
    Numbers::with(decimal).read(text).is_some()
}

/// The id of a row that names none: its cells.
fn joined(row: &Row) -> String {
    let cells: Vec<&str> = row.cells().collect();
    id_of(cells.join("\u{1f}"))
}

/// A text as id, or its hash where it is none: too long, or with line breaks.
fn id_of(text: String) -> String {
    if validate::id_problem(&text).is_some() { hash(&text) } else { text }
}

fn hash(text: &str) -> String {
    format!("{:032x}", xxh3_128(text.as_bytes()))
}
