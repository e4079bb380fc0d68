//! Rows of a batch into the table of points: each series looked up once, the highest revision of each row, in the order
//! of the tree.
//!
//! There are very many rows, so nothing is allocated for one: what rows of a series share is bound once.

use rusqlite::{Statement, ToSql, Transaction, types::Null};

use super::series::Known;
use crate::{Point, Row, Window, window::Kind};

const UPSERT_POINT: &str = "INSERT INTO points
  (series, window, start_us, end_us, revision_us, value, num, den, since_us, final, corrected, reason)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
  ON CONFLICT DO UPDATE SET revision_us = excluded.revision_us, value = excluded.value, num = excluded.num,
    den = excluded.den, since_us = excluded.since_us, final = excluded.final, corrected = excluded.corrected,
    reason = excluded.reason, first = CASE WHEN excluded.corrected AND NOT corrected THEN value ELSE first END
  WHERE excluded.revision_us >= revision_us";

/// Where a row of the batch belongs, in the order of the tree. Small, as there are very many to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    series: i64,
    kind: Kind,
    /// Start and end, as they are stored.
    span: (i64, i64),
    revision_us: i64,
    /// Its place in the batch: of equal revisions the last one given holds.
    row: u32,
}

impl Place {
    fn new(series: i64, point: &Point, row: usize) -> Self {
        let revision_us = point.revision_us.expect("a row without a revision was refused");
        let row = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
        Self { series, kind: point.window.kind, span: span(&point.window), revision_us, row }
    }

    fn key(&self) -> (i64, Kind, (i64, i64)) {
        (self.series, self.kind, self.span)
    }
}

/// Start and end of a window in the table; 0 for one without.
fn span(window: &Window) -> (i64, i64) {
    (window.start_us.unwrap_or(0), window.end_us.unwrap_or(0))
}

/// Writes the rows; returns how many were inserted or replaced.
pub(super) fn put(tx: &Transaction<'_>, known: &mut Known, rows: &[Row]) -> rusqlite::Result<usize> {
    let mut places = places(tx, known, rows)?;
    places.sort_unstable();

    let mut statement = tx.prepare_cached(UPSERT_POINT)?;
    let mut bound = Bound::default();
    let mut applied = 0;
    for (i, place) in places.iter().enumerate() {
        let point = &rows[place.row as usize].point;
        let next = places.get(i + 1).filter(|next| next.key() == place.key());
        // Of rows of one window the last holds; and the last before a correction, which says what was published first.
        let is_first = |next: &Place| !point.corrected && rows[next.row as usize].point.corrected;
        if next.is_none_or(is_first) {
            bound.bind(&mut statement, place.series, point)?;
            let changed = statement.raw_execute()?;
            applied += if next.is_none() { changed } else { 0 };
        }
    }
    Ok(applied)
}

fn places(tx: &Transaction<'_>, known: &mut Known, rows: &[Row]) -> rusqlite::Result<Vec<Place>> {
    let mut places = Vec::with_capacity(rows.len());
    for (row, Row { series, point }) in rows.iter().enumerate() {
        places.push(Place::new(known.number(tx, series)?, point, row));
    }
    Ok(places)
}

/// What the statement holds from the row before: bindings stay until they are replaced.
#[derive(Default)]
struct Bound<'a> {
    series: Option<i64>,
    kind: Option<Kind>,
    reason: Option<&'a str>,
}

impl<'a> Bound<'a> {
    fn bind(&mut self, statement: &mut Statement<'_>, series: i64, point: &'a Point) -> rusqlite::Result<()> {
        if self.series.replace(series) != Some(series) {
            statement.raw_bind_parameter(1, series)?;
        }
        if self.kind.replace(point.window.kind) != Some(point.window.kind) {
            statement.raw_bind_parameter(2, point.window.kind.to_string())?;
        }
        if self.reason.replace(&point.reason) != Some(&point.reason) {
            statement.raw_bind_parameter(12, point.reason.as_str())?;
        }

        let (start, end) = span(&point.window);
        statement.raw_bind_parameter(3, start)?;
        statement.raw_bind_parameter(4, end)?;
        statement.raw_bind_parameter(5, point.revision_us)?;
        statement.raw_bind_parameter(6, point.value)?;
        integer(statement, 7, point.num.as_deref())?;
        integer(statement, 8, point.den.as_deref())?;
        statement.raw_bind_parameter(9, point.since_us)?;
        statement.raw_bind_parameter(10, point.is_final)?;
        statement.raw_bind_parameter(11, point.corrected)
    }
}

/// Binds an integer where 64 bits hold it and it reads back as written, else text.
fn integer(statement: &mut Statement<'_>, parameter: usize, text: Option<&str>) -> rusqlite::Result<()> {
    let number = text.and_then(canonical);
    let value: &dyn ToSql = match (&number, &text) {
        (_, None) => &Null,
        (Some(number), _) => number,
        (None, Some(text)) => text,
    };
    statement.raw_bind_parameter(parameter, value)
}

/// The number, unless it is written in another way than numbers are printed (`007`, `+7`, `-0`).
fn canonical(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let written = digits.starts_with(|first: char| ('1'..='9').contains(&first)) || text == "0";
    text.parse().ok().filter(|_| written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_that_reads_back_as_written_is_an_integer() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(canonical(&number.to_string()), Some(number));
        }
        for text in ["", "-", "007", "-0", "+7", "--7", "1.0", " 1", "9223372036854775808"] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }
}
