//! The embedded store: one SQLite file in WAL mode, one writer, any number of readers in any process.
//!
//! Invariants:
//! - `synchronous=FULL`: a batch is on disk before its offsets are committed to the log, so a power cut loses nothing;
//! - `user_version` is the schema's version, `application_id` marks the file as ours;
//! - a reader opens read-only: it makes no store and takes no lock that a writer waits for.
//!
//! The schema is documented in `sqlite/schema.sql`, with views for reading by hand.

mod pool;
mod read;
mod write;

use std::{path::PathBuf, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::{Direction, Error, MetricInfo, Result};

pub use pool::Pool;
pub use read::Reader;
pub use write::Writer;

/// Name of the file in the data directory.
pub const FILE: &str = "store.sqlite";

/// Version of the schema that this program writes.
pub const SCHEMA: i64 = 3;

/// "VITL" in ASCII.
const APPLICATION_ID: i64 = 0x5649_544c;

const BUSY: Duration = Duration::from_secs(10);

/// Translates what SQLite says about the store at a path.
#[derive(Debug, Clone)]
struct Place(PathBuf);

impl Place {
    fn error(&self, source: rusqlite::Error) -> Error {
        let path = self.0.clone();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Damaged { path, what: source.to_string() }
            }
            _ => Error::Engine { path, source: source.into() },
        }
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged { path: self.0.clone(), what: what.into() }
    }

    fn missing(&self) -> Error {
        Error::Missing { path: self.0.clone() }
    }
}

/// What of a metric is for people; JSON in the table `meta`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct People {
    group: String,
    direction: Option<Direction>,
}

impl People {
    fn of(metric: &MetricInfo) -> Self {
        Self { group: metric.group.clone(), direction: metric.direction }
    }
}

fn connect(place: &Place, flags: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(&place.0, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| place.error(error))?;
    db.busy_timeout(BUSY).map_err(|error| place.error(error))?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// The version of the schema in the file; 0 in an empty one.
fn version(db: &Connection, place: &Place) -> Result<i64> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version").map_err(|error| place.error(error))?;
    let id = pragma("application_id").map_err(|error| place.error(error))?;
    let tables = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let empty = tables.map_err(|error| place.error(error))? == 0;
    match (id == APPLICATION_ID, empty) {
        (false, true) if found == 0 => Ok(0),
        (false, _) => Err(Error::Foreign { path: place.0.clone() }),
        (true, _) if found > SCHEMA => Err(Error::Newer { path: place.0.clone(), found, known: SCHEMA }),
        (true, true) => Err(place.damaged("its tables are missing")),
        (true, false) if found < 1 => Err(place.damaged("its version is missing")),
        (true, false) if found < SCHEMA => Err(Error::Older { path: place.0.clone(), found, known: SCHEMA }),
        (true, false) => Ok(found),
    }
}

#[cfg(test)]
mod tests;
