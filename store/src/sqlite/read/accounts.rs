//! Pages of the table of accounts, by the index of their order.

use rusqlite::types::Value;

use super::{Columns, Reader, conditions::Conditions};
use crate::{
    Account, AccountSelect, AccountSort, Accounts, Result,
    account::{Band, Cursor},
};

const COLUMNS: &str = "account, score, reason, score_us, before, value, currency, mrr, mrr_currency, seen_us, traits,
  contributions, projection, (SELECT count(*) FROM alerts a
    WHERE a.tenant = accounts.tenant AND a.account = accounts.account AND a.state = 'firing')";

/// The score as an index has it.
const SCORE: &str = "coalesce(score, 1e300)";
/// Where there is none.
const NO_SCORE: f64 = 1e300;

/// By what an order sorts, and whether the greatest comes first. Each has an index of its own.
fn key(sort: AccountSort) -> (&'static str, bool) {
    match sort {
        AccountSort::Score => (SCORE, false),
        AccountSort::ScoreDescending => ("coalesce(score, -1e300)", true),
        AccountSort::Fall => ("coalesce(change, 1e300)", false),
        AccountSort::Value => ("coalesce(value, -1e300)", true),
        AccountSort::LastSeen => ("coalesce(seen_us, 1e300)", false),
    }
}

fn conditions(select: &AccountSelect) -> Conditions {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut conditions = Conditions::default();
    conditions.is("tenant", &select.tenant);
    conditions.may_be("account", select.account.as_deref());
    conditions.may_be("owner", select.owner.as_deref());
    if let Some((from, to)) = select.scores {
        conditions.add(&format!("{SCORE} >= ? AND {SCORE} < ?"), [Value::Real(from), Value::Real(to.min(NO_SCORE))]);
    }
    if let Some(part) = &select.text {
        let part = part.to_ascii_lowercase();
        let sql = "(instr(lower(account), ?) > 0 OR instr(lower(coalesce(name, '')), ?) > 0)";
        conditions.add(sql, [text(&part), text(&part)]);
    }
    for (name, value) in &select.traits {
        let sql = "EXISTS (SELECT 1 FROM json_each(traits) t WHERE t.key = ? AND t.value = ?)";
        conditions.add(sql, [text(name), text(value)]);
    }
    conditions
}

pub(super) fn page(read: &Reader, select: &AccountSelect) -> Result<Accounts> {
    let (key, descending) = key(select.sort);
    let mut conditions = conditions(select);
    // By the index alone: rows are long.
    let scored = format!("count(*) FILTER (WHERE {SCORE} < {NO_SCORE:e})");
    let count = format!("SELECT count(*), {scored} FROM accounts WHERE {}", conditions.sql());
    let counts = |row: &Columns<'_>| Ok((row.get::<i64>(0)?.unsigned_abs(), row.get::<i64>(1)?.unsigned_abs()));
    let (total, scored) = read.query(&count, conditions.params(), counts)?.into_iter().next().unwrap_or_default();

    let (after, direction) = if descending { ("<", " DESC") } else { (">", "") };
    if let Some(cursor) = &select.after {
        let place = [Value::Real(cursor.key), Value::Real(cursor.key), Value::Text(cursor.account.clone())];
        // The first bound is what the index is entered by.
        conditions.add(&format!("{key} {after}= ? AND ({key}, account) {after} (?, ?)"), place);
    }
    // Few accounts have a text: to read them all and to sort what is found is faster than to follow the index through all.
    let by = if select.text.is_some() { format!("+{key}") } else { key.to_owned() };
    let sql = format!(
        "SELECT {COLUMNS}, CAST({key} AS REAL) FROM accounts WHERE {} ORDER BY {by}{direction}, account{direction} LIMIT ?",
        conditions.sql()
    );
    // One more says whether there is a next page.
    let limit = i64::try_from(select.limit).unwrap_or(i64::MAX).saturating_add(1);
    conditions.values.push(Value::Integer(limit));
    let mut rows = read.query(&sql, conditions.params(), |row| Ok((account(row)?, row.get::<f64>(14)?)))?;
    let more = rows.len() as u64 > select.limit;
    rows.truncate(usize::try_from(select.limit).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more);
    let next = last.map(|(of, key)| Cursor { key: *key, account: of.account.clone() });
    Ok(Accounts { accounts: rows.into_iter().map(|(account, _)| account).collect(), next, total, scored })
}

fn account(row: &Columns<'_>) -> Result<Account> {
    Ok(Account {
        account: row.text(0)?,
        score: row.get(1)?,
        reason: row.text(2)?,
        score_us: row.get::<Option<i64>>(3)?.filter(|at| *at != 0),
        before: row.get(4)?,
        value: row.get(5)?,
        currency: row.text(6)?,
        mrr: row.get(7)?,
        mrr_currency: row.text(8)?,
        seen_us: row.get(9)?,
        traits: row.parsed(10, |text| serde_json::from_str(text).ok())?,
        contributions: row.parsed(11, |text| serde_json::from_str(text).ok())?,
        projection: row.parsed(12, |text| serde_json::from_str(text).ok())?,
        alerts: row.get::<i64>(13)?.unsigned_abs(),
    })
}

/// How many scores lie in each band now and before.
pub(super) fn bands(read: &Reader, tenant: &str, bands: &[Band]) -> Result<Vec<(u64, u64)>> {
    let count = |key: &str| format!("SELECT count(*) FROM accounts WHERE tenant = ?1 AND {key} >= ?2 AND {key} < ?3");
    let (now, before) = (count(SCORE), count("before"));
    let mut counts = Vec::new();
    let mut to = NO_SCORE;
    for band in bands {
        #[expect(clippy::cast_precision_loss, reason = "bounds of bands are small")]
        let from = band.from as f64;
        let of = |sql: &str| {
            let params = rusqlite::params![tenant, from, to];
            let found = read.query(sql, params, |row| Ok(row.get::<i64>(0)?.unsigned_abs()))?;
            Ok(found.into_iter().sum())
        };
        counts.push((of(&now)?, of(&before)?));
        to = from;
    }
    Ok(counts)
}
