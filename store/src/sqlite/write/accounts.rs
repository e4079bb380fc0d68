//! The table of accounts: what lists show, kept while rows are written.
//!
//! Invariants: a score is replaced by that of the same or a later window and of the same or a higher revision; what it was
//! [`BEFORE_DAYS`] ago is that of the day so long before the day of the clock, for every account, whenever it was written.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{json, series::Known};
use crate::{
    Clock,
    account::{BEFORE_DAYS, Roles, Seen},
};

const INSERT: &str = "INSERT OR IGNORE INTO accounts (tenant, account) VALUES (?1, ?2)";

const SCORE: &str = "UPDATE accounts SET score = ?3, reason = ?4, score_us = ?5, window_us = ?6, series = ?7,
    contributions = ?8, projection = ?9
  WHERE tenant = ?1 AND account = ?2 AND (window_us < ?6 OR (window_us = ?6 AND score_us <= ?5))";

const BEFORE: &str =
    "SELECT value FROM points p WHERE p.series = accounts.series AND p.window = '1d' AND p.start_us <= ?1
  ORDER BY p.start_us DESC LIMIT 1";

const VALUE: &str = "UPDATE accounts SET value = ?3, currency = ?4
  WHERE tenant = ?1 AND account = ?2 AND (value IS NULL OR currency = ?4 OR value < ?3)";

const MRR: &str = "UPDATE accounts SET mrr = m.sum, mrr_currency = ?4
  FROM (SELECT sum(value) AS sum FROM points WHERE series = ?3 AND window = '1d') AS m
  WHERE tenant = ?1 AND account = ?2 AND (mrr IS NULL OR mrr_currency = ?4 OR mrr < m.sum)";

const TRAITS: &str = "UPDATE accounts SET traits = ?3, owner = ?4, name = ?5, traits_us = ?6
  WHERE tenant = ?1 AND account = ?2 AND traits_us <= ?6";

const SEEN: &str = "UPDATE accounts SET seen_us = ?3
  WHERE tenant = ?1 AND account = ?2 AND (seen_us IS NULL OR seen_us < ?3)";

/// What the table is kept by.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    roles: Roles,
    zone: Option<TimeZone>,
    /// The first instant of the day with which scores are compared.
    before_us: Option<i64>,
}

impl Keeping {
    /// As the store says.
    pub(super) fn read(db: &rusqlite::Connection) -> rusqlite::Result<Self> {
        let meta = |key: &str| {
            db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get::<_, String>(0)).optional()
        };
        Ok(Self {
            roles: meta("roles")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            zone: meta("time_zone")?.and_then(|name| TimeZone::get(&name).ok()),
            before_us: meta("before_us")?.and_then(|text| text.parse().ok()),
        })
    }

    /// Takes what accounts show, once their rows are written.
    pub(super) fn put(
        &mut self,
        tx: &Transaction<'_>,
        known: &mut Known,
        seen: &[Seen],
        clocks: &[Clock],
    ) -> rusqlite::Result<()> {
        let latest = clocks.iter().map(|clock| clock.at_us).max();
        let cut = latest.and_then(|at_us| self.cut(at_us)).filter(|cut| self.before_us.is_none_or(|old| *cut > old));
        if let Some(cut) = cut {
            self.before_us = Some(cut);
            tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('before_us', ?1)", [cut.to_string()])?;
        }
        for of in seen {
            self.put_one(tx, known, of)?;
        }
        if let (Some(cut), Some(_)) = (self.before_us, cut) {
            // A new day: every account is compared with another one.
            let sql = format!("UPDATE accounts SET before = ({BEFORE}), change = score - ({BEFORE}) WHERE series > 0");
            tx.prepare_cached(&sql)?.execute([cut])?;
        }
        Ok(())
    }

    /// The first instant of the day [`BEFORE_DAYS`] before that of an instant.
    fn cut(&self, at_us: i64) -> Option<i64> {
        let zone = self.zone.clone()?;
        let today = Timestamp::from_microsecond(at_us).ok()?.to_zoned(zone.clone()).date();
        let then = today.checked_sub(BEFORE_DAYS.days()).ok()?.to_zoned(zone).ok()?;
        Some(then.timestamp().as_microsecond())
    }

    fn put_one(&self, tx: &Transaction<'_>, known: &mut Known, seen: &Seen) -> rusqlite::Result<()> {
        let (tenant, metric) = (&seen.series.tenant, Some(&seen.series.metric));
        let Some(account) = &seen.series.account else { return Ok(()) };
        tx.prepare_cached(INSERT)?.execute(params![tenant, account])?;
        if metric == self.roles.score.as_ref() {
            self.score(tx, known, seen, account)?;
        } else if metric == self.roles.value.as_ref() {
            tx.prepare_cached(VALUE)?.execute(params![tenant, account, seen.value, seen.series.currency])?;
        } else if metric == self.roles.mrr.as_ref() {
            let series = known.number(tx, &seen.series)?;
            tx.prepare_cached(MRR)?.execute(params![tenant, account, series, seen.series.currency])?;
        }
        if !seen.traits.is_empty() {
            let of = |name: &str| seen.traits.get(name).map(String::as_str);
            let owner = of("owner").unwrap_or_default();
            let row = params![tenant, account, json(&seen.traits), owner, of("name"), seen.revision_us];
            tx.prepare_cached(TRAITS)?.execute(row)?;
        }
        if let Some(caused) = seen.caused_us {
            tx.prepare_cached(SEEN)?.execute(params![tenant, account, caused])?;
        }
        Ok(())
    }

    fn score(&self, tx: &Transaction<'_>, known: &mut Known, seen: &Seen, account: &str) -> rusqlite::Result<()> {
        let (tenant, series) = (&seen.series.tenant, known.number(tx, &seen.series)?);
        let projection = if seen.projection.is_empty() { "[]".to_owned() } else { json(&seen.projection) };
        tx.prepare_cached(SCORE)?.execute(params![
            tenant,
            account,
            seen.value,
            seen.reason,
            seen.revision_us,
            seen.window.start_us.unwrap_or(0),
            series,
            json(&seen.contributions),
            projection,
        ])?;
        let Some(cut) = self.before_us else { return Ok(()) };
        // A correction may have changed what it was then, whatever it is now.
        let sql = format!(
            "UPDATE accounts SET before = ({BEFORE}), change = score - ({BEFORE}) WHERE tenant = ?2 AND account = ?3"
        );
        tx.prepare_cached(&sql)?.execute(params![cut, tenant, account])?;
        Ok(())
    }
}
