//! Series by number: a series is looked up once and then known by its number.
//!
//! Rows share their series with rows of later batches, too, so a series is known first of all by its address, and compared with
//! nothing. It is held here as long as its address is: no other one can come to lie there.
//!
//! The numbers of a transaction that failed are forgotten: the series may not be there.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;
use rusqlite::{OptionalExtension as _, ToSql, Transaction};

use super::json;
use crate::Series;

/// So many series are known by number at a time: 100 to 200 bytes each.
const MAX: usize = 500_000;

/// So many are held: some 500 bytes each, which a reader that shares them with its rows has, too.
const HELD_MAX: usize = 65_536;

const FIND_SERIES: &str = "SELECT id FROM series WHERE metric = ?1 AND definition = ?2 AND tenant = ?3
  AND kept_by = ?4 AND dimensions = ?5 AND currency = ?6 AND account = ?7";

const INSERT_SERIES: &str = "INSERT INTO series
  (metric, definition, tenant, kept_by, dimensions, currency, account, unit) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Numbers of series.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By address, with the series that is there.
    held: HashMap<usize, (i64, Arc<Series>), FixedState>,
    /// By identity.
    numbers: HashMap<Vec<u8>, i64, FixedState>,
    key: Vec<u8>,
}

impl Known {
    /// Forgets them all when there are very many.
    pub(super) fn bound(&mut self) {
        if self.numbers.len() > MAX {
            self.forget();
        }
    }

    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.numbers.clear();
    }

    /// The number of a series, given to it when it is first seen.
    pub(super) fn number(&mut self, tx: &Transaction<'_>, series: &Arc<Series>) -> rusqlite::Result<i64> {
        let address = Arc::as_ptr(series).addr();
        if let Some((id, _)) = self.held.get(&address) {
            return Ok(*id);
        }
        let id = self.number_of(tx, series)?;
        if self.held.len() >= HELD_MAX {
            self.held.clear();
        }
        self.held.insert(address, (id, series.clone()));
        Ok(id)
    }

    fn number_of(&mut self, tx: &Transaction<'_>, series: &Series) -> rusqlite::Result<i64> {
        identity(series, &mut self.key);
        if let Some(id) = self.numbers.get(self.key.as_slice()) {
            return Ok(*id);
        }
        let id = find_or_insert(tx, series)?;
        self.numbers.insert(self.key.clone(), id);
        Ok(id)
    }
}

fn find_or_insert(tx: &Transaction<'_>, series: &Series) -> rusqlite::Result<i64> {
    let account = series.account.as_deref().unwrap_or_default();
    let (by, dimensions) = (kept_by(series), json(&series.dimensions));
    let identity: [&dyn ToSql; 7] =
        [&series.metric, &series.definition, &series.tenant, &by, &dimensions, &series.currency, &account];
    let found = tx.prepare_cached(FIND_SERIES)?.query_row(identity, |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(id),
        None => {
            let row = identity.into_iter().chain([&series.unit as &dyn ToSql]);
            tx.prepare_cached(INSERT_SERIES)?.insert(rusqlite::params_from_iter(row))
        }
    }
}

/// Each part is preceded by its length, so that no two series share a key.
fn identity(series: &Series, key: &mut Vec<u8>) {
    key.clear();
    let fixed = [&series.definition, &series.metric, &series.tenant, &series.currency];
    let account = series.account.iter();
    for part in fixed.into_iter().chain(account).chain(series.dimensions.iter().flat_map(|(k, v)| [k, v])) {
        key.extend_from_slice(&part.len().to_le_bytes());
        key.extend_from_slice(part.as_bytes());
    }
    key.push(u8::from(series.account.is_some()));
}

fn kept_by(series: &Series) -> String {
    series.dimensions.keys().map(String::as_str).collect::<Vec<_>>().join(",")
}
