//! The rows of one group, such as the lines of an order, gathered from wherever they stand in a file.
//!
//! Rows are sorted by their group on disk, each with its line and its bytes, and read again here: what is in memory is one
//! group. It does not know what a group becomes.

use crate::{
    Error, Result,
    mapping::Layout,
    records::{self, Delimiter, Row},
    sort::Item,
};

/// The rows of one group.
#[derive(Default)]
pub(super) struct Group {
    pub(super) id: Box<str>,
    pub(super) rows: Vec<Row>,
    /// Where each stands, and its bytes.
    pub(super) lines: Vec<(u64, Vec<u8>)>,
    /// Number of the last among all rows.
    pub(super) last: u64,
}

/// Most rows of a group.
pub(super) const ROWS_MAX: usize = 10_000;

impl Group {
    /// Adds a row, read again from its bytes.
    pub(super) fn take(&mut self, item: Item, layout: &Layout<'_>, delimiter: &Delimiter) -> Result<()> {
        let (line, verbatim) = item.payload.split_at_checked(size_of::<u64>()).ok_or(Error::Run("row"))?;
        let line = u64::from_le_bytes(line.try_into().map_err(|_| Error::Run("row"))?);
        let mut row = records::read_again(delimiter, verbatim).ok_or(Error::Run("row"))?;
        layout.fit(&mut row).map_err(|_| Error::Run("row"))?;
        if !self.is_full() {
            self.rows.push(row);
        }
        self.lines.push((line, verbatim.to_owned()));
        self.last = item.sequence;
        Ok(())
    }

    /// Whether it has more rows than are mapped together.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() > ROWS_MAX
    }
}
