//! When the event of a row happened: one column or several, in one format or one of several.
//!
//! Invariants: a time with an offset is an instant; one without is local, in the zone of the mapping or of the row, and a
//! bare date is local midnight; where clocks go back it is the earlier of the two, where they go forward it is moved on by
//! the gap.

use std::borrow::Cow;

use jiff::{Span, civil, fmt::strtime, tz::TimeZone};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{at, format};
use crate::{
    Rejection,
    decimal::{Decimal, Round},
    json,
    records::Row,
    time::micros,
};

/// As the mapping says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    #[serde(default)]
    column: Option<Spanned<String>>,
    /// Read as one text, with blanks between: a date and a time of day.
    #[serde(default)]
    columns: Vec<Spanned<String>>,
    /// As `strptime`, or one of [`NAMED`]; RFC 3339 when absent.
    #[serde(default)]
    format: Option<Spanned<String>>,
    /// Several, of which the first that fits holds.
    #[serde(default)]
    formats: Vec<Spanned<String>>,
    #[serde(default)]
    zone: Option<Spanned<String>>,
    /// The column of the zone of each row.
    #[serde(default)]
    zone_column: Option<Spanned<String>>,
}

/// Formats that are no pattern.
const NAMED: [(&str, Format); 4] = [
    ("unix", Format::Unix(1_000_000)),
    ("unix_ms", Format::Unix(1_000)),
    ("unix_us", Format::Unix(1)),
    ("excel", Format::Excel),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    /// Since 1970, in units of so many microseconds.
    Unix(i128),
    /// Days since 30 December 1899, local.
    Excel,
    Pattern(String),
}

/// How times are read.
#[derive(Debug)]
pub(super) struct Reader {
    formats: Vec<Format>,
    zone: TimeZone,
}

/// Which columns have them.
#[derive(Debug)]
pub(super) struct Places {
    columns: Vec<usize>,
    zone: Option<usize>,
}

impl Time {
    /// Checks it; `zone` is the one of times that name none.
    pub(super) fn reader(&self, zone: &TimeZone) -> Result<Reader, String> {
        if self.column.is_some() != self.columns.is_empty() {
            return Err("time: expected column, or columns".to_owned());
        }
        if self.format.is_some() && !self.formats.is_empty() {
            return Err("time: format is there beside formats, expected one of them".to_owned());
        }
        let zone = match &self.zone {
            None => zone.clone(),
            Some(name) => TimeZone::get(&name.value).map_err(|e| format!("{}: zone {}: {e}", at(name), name.value))?,
        };
        let read = |written: &Spanned<String>| {
            if let Some((_, named)) = NAMED.iter().find(|(name, _)| *name == written.value) {
                return Ok(named.clone());
            }
            format::check(&written.value).map_err(|problem| format!("{}: time format {problem}", at(written)))?;
            Ok(Format::Pattern(written.value.clone()))
        };
        let formats = self.format.iter().chain(&self.formats).map(read).collect::<Result<_, String>>()?;
        Ok(Reader { formats, zone })
    }

    /// Finds its columns.
    pub(super) fn places<E>(&self, find: impl Fn(&Spanned<String>) -> Result<usize, E>) -> Result<Places, E> {
        Ok(Places {
            columns: self.column.iter().chain(&self.columns).map(&find).collect::<Result<_, E>>()?,
            zone: self.zone_column.as_ref().map(find).transpose()?,
        })
    }
}

impl Reader {
    /// The instant of a row in microseconds. Without a text there is none.
    pub(super) fn read(&self, places: &Places, names: &[String], row: &Row) -> Result<i64, Rejection> {
        let cells: Vec<&str> = places.columns.iter().map(|at| row.cell(*at).trim()).collect();
        let text = cells.join(" ");
        let text = text.trim();
        let wrong = |expected: &str| {
            let columns: Vec<&str> = places.columns.iter().map(|at| names[*at].as_str()).collect();
            let column = if columns.len() == 1 { "column" } else { "columns" };
            let problem = format!("{column} {}: is {}, expected {expected}", columns.join(", "), json::excerpt(text));
            Rejection::new("time", problem)
        };
        if self.formats.is_empty() {
            return crate::parse_rfc3339(text).ok_or_else(|| wrong(RFC_3339));
        }
        let zone = match places.zone.map(|at| (at, row.cell(at).trim())).filter(|(_, name)| !name.is_empty()) {
            None => Cow::Borrowed(&self.zone),
            Some((at, name)) => Cow::Owned(TimeZone::get(name).map_err(|_| {
                let problem =
                    format!("column {}: is {}, expected a zone such as Europe/Berlin", names[at], json::excerpt(name));
                Rejection::new("time", problem)
            })?),
        };
        let read = self.formats.iter().find_map(|format| format.read(text, &zone));
        read.ok_or_else(|| wrong(&self.expected()))
    }

    fn expected(&self) -> String {
        let name = |format: &Format| match format {
            Format::Pattern(pattern) => pattern.clone(),
            named => NAMED.iter().find(|(_, known)| known == named).map_or("", |(name, _)| *name).to_owned(),
        };
        self.formats.iter().map(name).collect::<Vec<_>>().join(" or ")
    }
}

impl Format {
    fn read(&self, text: &str, zone: &TimeZone) -> Option<i64> {
        let pattern = match self {
            Format::Unix(micros) => return Decimal::parse(text)?.times(*micros, Round::HalfEven),
            Format::Excel => return in_zone(serial(text)?, zone),
            Format::Pattern(pattern) => pattern,
        };
        let parsed = strtime::parse(pattern, text).ok()?;
        if let Ok(instant) = parsed.to_timestamp() {
            return micros(instant);
        }
        let local = parsed.to_datetime().or_else(|_| parsed.to_date().map(civil::DateTime::from)).ok()?;
        in_zone(local, zone)
    }
}

/// A day of a spreadsheet with its fraction, to the millisecond: what it keeps is a double.
fn serial(text: &str) -> Option<civil::DateTime> {
    let millis = Decimal::parse(text)?.times(86_400_000, Round::HalfEven)?;
    civil::date(1899, 12, 30).at(0, 0, 0, 0).checked_add(Span::new().try_milliseconds(millis).ok()?).ok()
}

fn in_zone(local: civil::DateTime, zone: &TimeZone) -> Option<i64> {
    micros(local.to_zoned(zone.clone()).ok()?.timestamp())
}

/// What a time is without a format.
const RFC_3339: &str =
    "RFC 3339 like 2026-01-31T09:30:00Z, or a format in the mapping: time: {column: ..., format: \"%d.%m.%Y\"}";
