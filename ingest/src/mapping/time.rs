//! When the event of a row happened: one column or several, in one format or one of several.
//!
//! Invariants: a time with an offset is an instant; one without is local, in the zone of the mapping or of the row, and a
//! bare date is local midnight; where clocks go back it is the earlier of the two, where they go forward it is moved on by
//! the gap.

use std::borrow::Cow;

use jiff::{Span, civil, fmt::strtime, tz::TimeZone};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{at, format, names::FieldId, value::Value, view::View};
use crate::{
    Rejection,
    decimal::{Decimal, Round},
    json,
    time::micros,
};

/// As the mapping says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    #[serde(default)]
    pub(super) column: Option<Spanned<String>>,
    /// Read as one text, with blanks between: a date and a time of day.
    #[serde(default)]
    pub(super) columns: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) item: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) cel: Option<Spanned<String>>,
    /// The time of what has none.
    #[serde(default)]
    pub(super) default: Option<String>,
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
    pub(super) zone_column: Option<Spanned<String>>,
    /// What has no time happened when it arrived.
    #[serde(default)]
    arrival: bool,
    #[serde(default)]
    pub(super) plus: Option<Plus>,
}

/// A span in a column that is added to the time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plus {
    pub(super) column: Spanned<String>,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    fn micros(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000,
            Self::Minutes => 60_000_000,
            Self::Hours => 3_600_000_000,
            Self::Days => 86_400_000_000,
        }
    }
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

/// How the text of a time is read.
#[derive(Debug)]
pub(super) struct Formats {
    formats: Vec<Format>,
    zone: TimeZone,
}

/// How the time of a record is read.
#[derive(Debug)]
pub(super) struct Reader {
    from: Vec<Value>,
    formats: Formats,
    zone_field: Option<FieldId>,
    arrival: bool,
    plus: Option<(FieldId, Unit)>,
}

impl Time {
    /// Checks it. `from` are the values that are read together, `zone` is the zone of times that name none.
    pub(super) fn reader(
        &self,
        from: Vec<Value>,
        zone_field: Option<FieldId>,
        plus: Option<FieldId>,
        zone: &TimeZone,
    ) -> Result<Reader, String> {
        let ways = [self.column.is_some(), self.item.is_some(), self.cel.is_some(), !self.columns.is_empty()];
        let ways = ways.into_iter().filter(|is_there| *is_there).count();
        if ways != 1 && !(ways == 0 && self.default.is_some()) {
            return Err("time: expected one of column, columns, item and cel".to_owned());
        }
        if self.format.is_some() && !self.formats.is_empty() {
            return Err("time: format is there beside formats, expected one of them".to_owned());
        }
        let formats = Formats::new(self.format.iter().chain(&self.formats), self.zone.as_ref(), zone)?;
        let plus = plus.zip(self.plus.as_ref().map(|plus| plus.unit));
        Ok(Reader { from, formats, zone_field, arrival: self.arrival, plus })
    }
}

impl Formats {
    /// Checks formats; times that name no zone are in the one `named`, else in `zone`.
    pub(super) fn new<'s>(
        formats: impl IntoIterator<Item = &'s Spanned<String>>,
        named: Option<&Spanned<String>>,
        zone: &TimeZone,
    ) -> Result<Self, String> {
        let zone = match named {
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
        Ok(Self { formats: formats.into_iter().map(read).collect::<Result<_, String>>()?, zone })
    }

    /// The instant of a text in microseconds; `zone` replaces the default one.
    pub(super) fn read(&self, text: &str, zone: Option<&TimeZone>) -> Option<i64> {
        if self.formats.is_empty() {
            return crate::parse_rfc3339(text);
        }
        self.formats.iter().find_map(|format| format.read(text, zone.unwrap_or(&self.zone)))
    }

    /// The local day of an instant.
    pub(super) fn day(&self, at_us: i64) -> Option<civil::Date> {
        Some(jiff::Timestamp::from_microsecond(at_us).ok()?.to_zoned(self.zone.clone()).date())
    }

    /// What is expected, for messages.
    pub(super) fn expected(&self) -> String {
        if self.formats.is_empty() {
            return RFC_3339.to_owned();
        }
        let name = |format: &Format| match format {
            Format::Pattern(pattern) => pattern.clone(),
            named => NAMED.iter().find(|(_, known)| known == named).map_or("", |(name, _)| *name).to_owned(),
        };
        self.formats.iter().map(name).collect::<Vec<_>>().join(" or ")
    }
}

impl Reader {
    /// The instant of a record in microseconds; none where it is that of its arrival.
    pub(super) fn read(&self, view: &View<'_>) -> Result<Option<i64>, Rejection> {
        let texts = self.from.iter().map(|from| from.text(view)).collect::<Result<Vec<_>, _>>()?;
        let text = match texts.as_slice() {
            [one] => Cow::Borrowed(one.as_ref()),
            several => Cow::Owned(several.join(" ")),
        };
        let text = text.trim();
        if text.is_empty() && self.arrival {
            return Ok(None);
        }
        let of_record = self.zone_field.map(|field| view.zone(field)).transpose()?.flatten();
        let at_us = self.formats.read(text, of_record.as_ref()).ok_or_else(|| {
            let named: Vec<String> = self.from.iter().map(|from| from.from.describe(view)).collect();
            let found = if text.is_empty() { "empty".to_owned() } else { json::excerpt(text) };
            let problem = format!("{}: is {found}, expected {}", named.join(", "), self.formats.expected());
            Rejection::new("time", problem)
        })?;
        match self.plus {
            Some((field, unit)) => plus(at_us, field, unit, view).map(Some),
            None => Ok(Some(at_us)),
        }
    }
}

/// An instant and the span of a column; an empty one is none.
fn plus(at_us: i64, field: FieldId, unit: Unit, view: &View<'_>) -> Result<i64, Rejection> {
    let text = view.text(field);
    if text.is_empty() {
        return Ok(at_us);
    }
    let span = view.mapping().numbers.read(&text).and_then(|span| span.times(unit.micros(), Round::HalfEven));
    span.and_then(|span| at_us.checked_add(span)).ok_or_else(|| {
        let problem = format!("{}: is {}, expected a number", view.describe(field), json::excerpt(&text));
        Rejection::new("time", problem)
    })
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
