//! The read half: a read-only connection that holds one moment until it is refreshed.
//!
//! A held moment keeps the write-ahead log from being reset, so a reader that lives long refreshes often.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

mod accounts;
mod conditions;

use rusqlite::{Connection, OpenFlags, params, types::ValueRef};
use serde::de::DeserializeOwned;

use conditions::Conditions;

use super::{People, Place, connect, version};
use crate::{
    AccountSelect, Accounts, Alert, AlertSelect, AlertState, Clock, Fill, MetricInfo, Point, Read, Result, Select,
    Series, Settings, Span, Visit, account,
    window::{Kind, Window, weekday},
};

// Windows of a kind follow each other by start and by end alike; the start is what the table is sorted by.
const POINTS: &str = "SELECT start_us, end_us, revision_us, value, num, den, since_us, final, corrected, reason, first
  FROM points WHERE series = ?1 AND window = ?2 AND start_us >= ?3 AND start_us < ?4
    AND (NOT ?7 OR (end_us >= ?5 AND end_us < ?6)) ORDER BY start_us, end_us";

const LAST_BEFORE: &str =
    "SELECT start_us, end_us, revision_us, value, num, den, since_us, final, corrected, reason, first
  FROM points WHERE series = ?1 AND window = ?2 AND start_us < ?3 AND (NOT ?4 OR end_us < ?3)
  ORDER BY start_us DESC, end_us DESC LIMIT 1";

const ANY_POINT: &str = "SELECT 1 FROM points WHERE series = ?1 AND window = ?2 LIMIT 1";

const FIRST: &str = "SELECT min(CASE WHEN ?4 THEN end_us ELSE start_us END) FROM points
  WHERE window = ?3 AND series IN (SELECT id FROM series WHERE metric = ?1 AND definition = ?2 AND tenant = ?5)";

const GROUPS: &str = "SELECT count(DISTINCT dimensions) FROM series
  WHERE metric = ?1 AND definition = ?2 AND tenant = ?3 AND kept_by = ?4";

const CATALOG: &str = "SELECT name, definition, title, description, unit, windows, kept_by, per_account, fill,
  fill_reason, maturity_us FROM catalog ORDER BY position";

const CLOCKS: &str = "SELECT topic, partition, at_us, (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'since_us')
  FROM clock ORDER BY topic, partition";

/// The read half of a SQLite store.
#[derive(Debug)]
pub struct Reader {
    pub(super) db: Connection,
    place: Place,
    /// Which file it is.
    file: Option<u64>,
}

impl Reader {
    /// Opens a store that is there.
    ///
    /// # Errors
    /// `Fatal` if it is missing, damaged, of a newer version or not ours.
    pub fn open(path: &Path) -> Result<Self> {
        let place = Place(path.to_owned());
        if !path.is_file() {
            return Err(place.missing());
        }
        let db = connect(&place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.execute_batch("BEGIN").map_err(|error| place.error(error))?;
        if version(&db, &place)? == 0 {
            return Err(place.missing());
        }
        let file = inode(path);
        Ok(Self { db, place, file })
    }

    /// Ends the moment that is held; the next [`Read::refresh`] begins another.
    pub(super) fn let_go(&mut self) -> Result<()> {
        self.db.execute_batch("COMMIT").map_err(|error| self.place.error(error))
    }

    /// Whether the file is still the one that was opened.
    pub(super) fn is_current(&self) -> bool {
        inode(&self.place.0) == self.file
    }

    fn query<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl Fn(&Columns<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(map(row)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Calls `visit` for each row until it says false.
    fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut visit: impl FnMut(&Columns<'_>) -> Result<bool>,
    ) -> Result<()> {
        let error = |error| self.place.error(error);
        let mut statement = self.db.prepare_cached(sql).map_err(error)?;
        let mut rows = statement.query(params).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            if !visit(&Columns { row, place: &self.place })? {
                break;
            }
        }
        Ok(())
    }

    /// JSON that is kept about the metrics; a store that was described before there was this key says nothing.
    fn of_catalog<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T> {
        let text = self.query("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.parsed(0, |text| serde_json::from_str(text).ok())
        })?;
        Ok(text.into_iter().next().unwrap_or_default())
    }

    fn points(&self, series: i64, kind: Kind, span: Span) -> Result<Vec<Point>> {
        let Span { from_us, to_us, with_last_before } = if kind == Kind::ToDate { Span::default() } else { span };
        let name = kind.to_string();
        let trailing = matches!(kind, Kind::Trailing(_));
        let mut points = Vec::new();
        if with_last_before && from_us > i64::MIN {
            points = self.query(LAST_BEFORE, params![series, name, from_us, trailing], |row| point(row, kind))?;
        }
        let least_us = from_us.saturating_sub(longest_us(kind));
        let rows = params![series, name, least_us, to_us, from_us, to_us, trailing];
        points.extend(self.query(POINTS, rows, |row| point(row, kind))?);
        Ok(points)
    }

    fn alert_rows(&self, table: &str, order: &str, select: &AlertSelect) -> Result<Vec<Alert>> {
        let mut conditions = Conditions::default();
        conditions.may_be("state", select.state.map(AlertState::name));
        conditions.may_be("rule", select.rule.as_deref());
        conditions.may_be("account", select.account.as_deref());
        conditions.may_be("id", select.id.as_deref());
        let sql = format!(
            "SELECT tenant, rule, account, dimensions, metric, state, since_us, at_us, value, evidence, about FROM {table}
             WHERE {} ORDER BY rule, account, dimensions, tenant{order}",
            conditions.sql()
        );
        self.query(&sql, conditions.params(), alert)
    }
}

impl Read for Reader {
    fn refresh(&mut self) -> Result<()> {
        let begin = if self.db.is_autocommit() { "BEGIN" } else { "COMMIT; BEGIN" };
        self.db.execute_batch(begin).map_err(|error| self.place.error(error))
    }

    fn catalog(&self) -> Result<Vec<MetricInfo>> {
        let additive: BTreeSet<String> = self.of_catalog("additive")?;
        let people: BTreeMap<String, People> = self.of_catalog("people")?;
        let metric = |row: &Columns<'_>| {
            let metric = metric(row)?;
            let People { group, direction } = people.get(&metric.name).cloned().unwrap_or_default();
            Ok(MetricInfo { additive: additive.contains(&metric.name), group, direction, ..metric })
        };
        self.query(CATALOG, [], metric)
    }

    fn changes(&self) -> Result<u64> {
        let found =
            self.query("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'changes'", [], |row| row.get::<i64>(0))?;
        Ok(found.into_iter().map(i64::unsigned_abs).sum())
    }

    fn settings(&self) -> Result<Settings> {
        let mut settings = Settings::default();
        self.each("SELECT key, value FROM meta", [], |row| {
            match row.text(0)?.as_str() {
                "time_zone" => settings.time_zone = row.text(1)?,
                "week_start" => settings.week_start = row.parsed(1, weekday)?,
                "fiscal_year_start" => settings.fiscal_year_start = row.parsed(1, month)?,
                "keep_us" => settings.keep_us = row.parsed(1, |text| text.parse().ok())?,
                "dimension_values_max" => settings.dimension_values_max = row.parsed(1, |text| text.parse().ok())?,
                "roles" => settings.roles = row.parsed(1, |text| serde_json::from_str(text).ok())?,
                "allowed_lateness_us" => settings.allowed_lateness_us = row.parsed(1, |text| text.parse().ok())?,
                _ => (),
            }
            Ok(true)
        })?;
        Ok(settings)
    }

    fn clocks(&self) -> Result<Vec<Clock>> {
        self.query(CLOCKS, [], |row| {
            Ok(Clock { topic: row.text(0)?, partition: row.get(1)?, at_us: row.get(2)?, since_us: row.get(3)? })
        })
    }

    fn first_us(&self, tenant: &str, metric: &MetricInfo, kind: Kind) -> Result<Option<i64>> {
        let trailing = matches!(kind, Kind::Trailing(_));
        let params = params![metric.name, metric.definition, kind.to_string(), trailing, tenant];
        Ok(self.query(FIRST, params, |row| row.get::<Option<i64>>(0))?.into_iter().flatten().next())
    }

    fn series(&self, select: &Select, visit: &mut Visit<'_>) -> Result<()> {
        let currency = select.filter.iter().find(|(name, _)| name == "currency").map(|(_, value)| value.as_str());
        let mut conditions = Conditions::default();
        conditions.is("metric", &select.metric);
        conditions.is("definition", &select.definition);
        conditions.is("tenant", &select.tenant);
        conditions.is("kept_by", &select.by.join(","));
        if let Some(account) = &select.account {
            conditions.is("account", account);
            // So that the index of accounts is found.
            conditions.add("account <> ''", []);
        }
        conditions.may_be("currency", currency);
        let sql = format!(
            "SELECT id, dimensions, currency, account, unit FROM series WHERE {} ORDER BY dimensions, currency, account",
            conditions.sql()
        );
        self.each(&sql, conditions.params(), |row| {
            let series = Series {
                tenant: select.tenant.clone(),
                metric: select.metric.clone(),
                definition: select.definition.clone(),
                dimensions: row.parsed(1, |text| serde_json::from_str(text).ok())?,
                currency: row.text(2)?,
                account: some(row.text(3)?),
                unit: row.text(4)?,
            };
            if !passes(&series, &select.filter) {
                return Ok(true);
            }
            let id: i64 = row.get(0)?;
            let points = self.points(id, select.kind, select.span)?;
            let known = !points.is_empty()
                || !self.query(ANY_POINT, params![id, select.kind.to_string()], |_| Ok(()))?.is_empty();
            Ok(!known || visit(series, points)?.is_continue())
        })
    }

    fn groups(&self, tenant: &str, metric: &MetricInfo, by: &[String]) -> Result<u64> {
        let params = params![metric.name, metric.definition, tenant, by.join(",")];
        Ok(self.query(GROUPS, params, |row| row.get::<i64>(0))?.into_iter().map(i64::unsigned_abs).sum())
    }

    fn alerts(&self, select: &AlertSelect) -> Result<Vec<Alert>> {
        self.alert_rows("alerts", "", select)
    }

    fn transitions(&self, select: &AlertSelect) -> Result<Vec<Alert>> {
        self.alert_rows("alert_transitions", ", at_us, state", select)
    }

    fn accounts(&self, select: &AccountSelect) -> Result<Accounts> {
        accounts::page(self, select)
    }

    fn bands(&self, tenant: &str, bands: &[account::Band]) -> Result<Vec<(u64, u64)>> {
        accounts::bands(self, tenant, bands)
    }

    fn currencies(&self, tenant: &str) -> Result<Vec<String>> {
        const CURRENCIES: &str = "SELECT DISTINCT currency FROM series s JOIN catalog c ON c.name = s.metric
            AND c.definition = s.definition
          WHERE s.tenant = ?1 AND s.currency <> '' AND s.account = '' ORDER BY currency";
        self.query(CURRENCIES, [tenant], |row| row.text(0))
    }
}

/// The number of a file, where the system has such a thing.
fn inode(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).ok()?).into()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// As long as a trailing window of the kind can be, a change of the clocks included; others are selected by their start.
fn longest_us(kind: Kind) -> i64 {
    const DAY_US: i64 = 86_400_000_000;
    match kind {
        Kind::Trailing(days) => (i64::from(days) + 2) * DAY_US,
        _ => 0,
    }
}

/// The number of a month, 1 to 12.
fn month(text: &str) -> Option<i8> {
    text.parse().ok().filter(|month| (1..=12).contains(month))
}

/// A row of a result, with errors that name the store.
struct Columns<'a> {
    row: &'a rusqlite::Row<'a>,
    place: &'a Place,
}

impl Columns<'_> {
    fn get<T: rusqlite::types::FromSql>(&self, column: usize) -> Result<T> {
        self.row.get(column).map_err(|error| match error {
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
                self.place.damaged(error.to_string())
            }
            other => self.place.error(other),
        })
    }

    fn text(&self, column: usize) -> Result<String> {
        self.get(column)
    }

    fn parsed<T>(&self, column: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| self.place.damaged(format!("column {column} holds {text:?}")))
    }

    fn integer(&self, column: usize) -> Result<Option<String>> {
        let value = self.row.get_ref(column).map_err(|error| self.place.error(error))?;
        match value {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number.to_string())),
            _ => self.get(column).map(Some),
        }
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn passes(series: &Series, filter: &[(String, String)]) -> bool {
    filter.iter().all(|(name, value)| match name.as_str() {
        "currency" => series.currency == *value,
        _ => series.dimensions.get(name) == Some(value),
    })
}

fn point(row: &Columns<'_>, kind: Kind) -> Result<Point> {
    let window = match kind {
        Kind::ToDate => Window::to_date(),
        _ => Window::new(kind, row.get(0)?, row.get(1)?),
    };
    Ok(Point {
        window,
        revision_us: Some(row.get(2)?),
        value: row.get(3)?,
        num: row.integer(4)?,
        den: row.integer(5)?,
        since_us: row.get(6)?,
        is_final: row.get(7)?,
        corrected: row.get(8)?,
        first: row.get(10)?,
        reason: row.text(9)?,
    })
}

fn metric(row: &Columns<'_>) -> Result<MetricInfo> {
    Ok(MetricInfo {
        name: row.text(0)?,
        definition: row.text(1)?,
        title: row.text(2)?,
        description: row.text(3)?,
        unit: row.text(4)?,
        windows: row.parsed(5, |text| serde_json::from_str(text).ok())?,
        by: row.parsed(6, |text| serde_json::from_str(text).ok())?,
        per_account: row.get(7)?,
        fill: row.parsed(8, |text| Fill::ALL.into_iter().find(|fill| fill.name() == text))?,
        fill_reason: row.text(9)?,
        maturity_us: row.get(10)?,
        additive: false,
        group: String::new(),
        direction: None,
    })
}

fn alert(row: &Columns<'_>) -> Result<Alert> {
    Ok(Alert {
        tenant: row.text(0)?,
        rule: row.text(1)?,
        account: some(row.text(2)?),
        dimensions: row.parsed(3, |text| serde_json::from_str(text).ok())?,
        metric: row.text(4)?,
        state: row.parsed(5, AlertState::from_name)?,
        since_us: row.get(6)?,
        at_us: row.get(7)?,
        value: row.get(8)?,
        evidence: row.text(9)?,
        about: row.parsed(10, |text| serde_json::from_str(text).ok())?,
    })
}
