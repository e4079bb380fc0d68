//! Conditions of a question in SQL: only those that were asked for, so that an index is found for them.
//!
//! Invariant: what is asked for stands for a question mark, never in the text.

use rusqlite::types::Value;

/// Conditions that all hold, with what stands for their question marks.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// The conditions, joined; `1` without any.
    sql: String,
    /// In their order.
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// One more.
    pub(super) fn add(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql += if self.sql.is_empty() { "" } else { " AND " };
        self.sql += sql;
        self.values.extend(values);
    }

    /// One more, of a column that has this text.
    pub(super) fn is(&mut self, column: &str, wanted: &str) {
        self.add(&format!("{column} = ?"), [Value::Text(wanted.to_owned())]);
    }

    /// The same, if it is asked for.
    pub(super) fn may_be(&mut self, column: &str, wanted: Option<&str>) {
        wanted.into_iter().for_each(|wanted| self.is(column, wanted));
    }

    /// All of them.
    pub(super) fn sql(&self) -> &str {
        if self.sql.is_empty() { "1" } else { &self.sql }
    }

    /// What stands for the question marks.
    pub(super) fn params(&self) -> rusqlite::ParamsFromIter<&[Value]> {
        rusqlite::params_from_iter(&self.values)
    }
}
