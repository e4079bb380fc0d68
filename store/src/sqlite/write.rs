//! The write half: one transaction a batch, prepared statements, rows in the order of the tree ([`points`]).

use std::{collections::BTreeMap, path::Path, time::Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

mod accounts;
mod points;
mod series;

use accounts::Keeping;
use series::Known;

use super::{APPLICATION_ID, People, Place, SCHEMA, connect, version};
use crate::{
    Alert, Batch, Clock, Error, MetricInfo, Result, Settings, Write, Written, telemetry, window::weekday_name,
};

const UPSERT_CLOCK: &str = "INSERT INTO clock (topic, partition, at_us) VALUES (?1, ?2, ?3)
  ON CONFLICT DO UPDATE SET at_us = excluded.at_us WHERE excluded.at_us > at_us";

const UPSERT_SINCE: &str = "INSERT INTO meta (key, value) VALUES ('since_us', ?1)
  ON CONFLICT DO UPDATE SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) < CAST(value AS INTEGER)";

const UPSERT_ALERT: &str = "INSERT INTO alerts
  (tenant, rule, account, dimensions, metric, state, since_us, at_us, value, evidence, id, about)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
  ON CONFLICT DO UPDATE SET metric = excluded.metric, state = excluded.state, since_us = excluded.since_us,
    at_us = excluded.at_us, value = excluded.value, evidence = excluded.evidence, id = excluded.id, about = excluded.about
  WHERE excluded.at_us >= at_us";

const COUNT_CHANGE: &str = "INSERT INTO meta (key, value) VALUES ('changes', '1')
  ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1";

const INSERT_TRANSITION: &str = "INSERT OR REPLACE INTO alert_transitions
  (tenant, rule, account, dimensions, metric, state, since_us, at_us, value, evidence, id, about)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// The write half of a SQLite store.
#[derive(Debug)]
pub struct Writer {
    pub(super) db: Connection,
    place: Place,
    known: Known,
    keeping: Keeping,
}

impl Writer {
    /// Opens the store, or makes it with its directory.
    ///
    /// # Errors
    /// `Fatal` if the file is damaged, of a newer version or not ours.
    pub fn open(path: &Path) -> Result<Self> {
        let place = Place(path.to_owned());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| place.damaged(format!("its directory cannot be made: {error}")))?;
        }
        let mut db = connect(&place, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let found = version(&db, &place)?;
        tune(&db).map_err(|error| place.error(error))?;
        if found == 0 {
            create(&mut db).map_err(|error| place.error(error))?;
        }
        let keeping = Keeping::read(&db).map_err(|error| place.error(error))?;
        Ok(Self { db, place, known: Known::default(), keeping })
    }
}

impl Write for Writer {
    fn write(&mut self, batch: &Batch) -> Result<Written> {
        if let Some(row) = batch.rows.iter().find(|row| row.point.revision_us.is_none()) {
            let metric = row.series.metric.clone();
            return Err(Error::Row { metric, what: "a row without a revision cannot be stored".to_owned() });
        }
        let start = Instant::now();
        self.known.bound();
        let written = write_all(&mut self.db, &mut self.known, &mut self.keeping, batch).map_err(|error| {
            self.known.forget();
            self.keeping = Keeping::read(&self.db).unwrap_or_default();
            self.place.error(error)
        })?;
        telemetry::written(written, start.elapsed());
        Ok(written)
    }

    fn describe(&mut self, catalog: &[MetricInfo], settings: &Settings) -> Result<()> {
        let described = describe(&mut self.db, catalog, settings);
        self.keeping = described.and_then(|()| Keeping::read(&self.db)).map_err(|error| self.place.error(error))?;
        Ok(())
    }
}

fn tune(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // Points get the numbers of series that the same transaction looked up or inserted; asking again costs a tenth of each row.
    db.pragma_update(None, "foreign_keys", false)?;
    // 32 MiB of log before it is folded into the file, and as much again of pages in memory.
    db.pragma_update(None, "wal_autocheckpoint", 8192)?;
    db.pragma_update(None, "journal_size_limit", 67_108_864)?;
    db.pragma_update(None, "cache_size", -65_536)
}

fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0 {
        tx.execute_batch(include_str!("schema.sql"))?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
        put_settings(&tx, &Settings::default())?;
    }
    tx.commit()
}

fn write_all(
    db: &mut Connection,
    known: &mut Known,
    keeping: &mut Keeping,
    batch: &Batch,
) -> rusqlite::Result<Written> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rows = count(points::put(&tx, known, &batch.rows)?);
    let alerts = put_alerts(&tx, &batch.alerts)?;
    put_clocks(&tx, &batch.clocks)?;
    keeping.put(&tx, known, &batch.accounts, &batch.clocks)?;
    tx.prepare_cached(COUNT_CHANGE)?.execute([])?;
    tx.commit()?;
    let given = count(batch.rows.len() + batch.alerts.len());
    Ok(Written { applied: rows + alerts, superseded: given - rows - alerts })
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings, lists and maps of strings are JSON")
}

fn put_alerts(tx: &Transaction<'_>, alerts: &[Alert]) -> rusqlite::Result<u64> {
    let mut current = tx.prepare_cached(UPSERT_ALERT)?;
    let mut history = tx.prepare_cached(INSERT_TRANSITION)?;
    let mut applied = 0;
    for alert in alerts {
        let dimensions = json(&alert.dimensions);
        let row = params![
            alert.tenant,
            alert.rule,
            alert.account.as_deref().unwrap_or_default(),
            dimensions,
            alert.metric,
            alert.state.name(),
            alert.since_us,
            alert.at_us,
            alert.value,
            alert.evidence,
            alert.about.id,
            json(&alert.about),
        ];
        applied += current.execute(row)?;
        history.execute(row)?;
    }
    Ok(count(applied))
}

fn put_clocks(tx: &Transaction<'_>, clocks: &[Clock]) -> rusqlite::Result<()> {
    let mut upsert = tx.prepare_cached(UPSERT_CLOCK)?;
    for clock in clocks {
        upsert.execute(params![clock.topic, clock.partition, clock.at_us])?;
    }
    if let Some(since) = clocks.iter().filter_map(|clock| clock.since_us).min() {
        tx.prepare_cached(UPSERT_SINCE)?.execute(params![since.to_string()])?;
    }
    Ok(())
}

fn describe(db: &mut Connection, catalog: &[MetricInfo], settings: &Settings) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("DELETE FROM catalog", [])?;
    for (position, metric) in catalog.iter().enumerate() {
        tx.prepare_cached("INSERT INTO catalog VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?.execute(
            params![
                i64::try_from(position).unwrap_or(i64::MAX),
                metric.name,
                metric.definition,
                metric.title,
                metric.description,
                metric.unit,
                json(&metric.windows),
                json(&metric.by),
                metric.per_account,
                metric.fill.name(),
                metric.fill_reason,
                metric.maturity_us,
            ],
        )?;
    }
    put_settings(&tx, settings)?;
    tx.execute(COUNT_CHANGE, [])?;
    let additive: Vec<&str> = catalog.iter().filter(|metric| metric.additive).map(|metric| &*metric.name).collect();
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('additive', ?1)", [json(&additive)])?;
    let people: BTreeMap<&str, People> = catalog.iter().map(|metric| (&*metric.name, People::of(metric))).collect();
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('people', ?1)", [json(&people)])?;
    tx.commit()
}

fn put_settings(tx: &Transaction<'_>, settings: &Settings) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?;
    put.execute(params!["time_zone", settings.time_zone])?;
    put.execute(params!["week_start", weekday_name(settings.week_start)])?;
    put.execute(params!["fiscal_year_start", settings.fiscal_year_start.to_string()])?;
    put.execute(params!["keep_us", settings.keep_us.to_string()])?;
    put.execute(params!["dimension_values_max", settings.dimension_values_max.to_string()])?;
    put.execute(params!["allowed_lateness_us", settings.allowed_lateness_us.to_string()])?;
    put.execute(params!["roles", json(&settings.roles)])?;
    Ok(())
}
