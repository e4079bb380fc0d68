//! The cells of a row, and room for them while it is parsed.
//!
//! Invariant: a row's memory is used again for the next one. It does not know where rows come from.

use std::str::Utf8Error;

use csv_core::{ReadRecordResult, Reader};

/// The cells of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
}

impl Row {
    /// Number of cells.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A cell; the row has it.
    pub(crate) fn cell(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin..self.ends[at]]
    }

    /// All cells in their order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.cell(at))
    }

    /// Forgets empty cells beyond so many: rows may end with the delimiter, though the header does not.
    pub(crate) fn trim(&mut self, columns: usize) {
        while self.len() > columns && self.cell(self.len() - 1).is_empty() {
            self.ends.pop();
        }
    }

    /// Adds empty cells until there are so many.
    pub(crate) fn fill(&mut self, columns: usize) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.ends.resize(columns.max(self.len()), end);
    }

    /// Forgets all cells, and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Whether a cell holds a character.
    pub(super) fn holds(&self, one: char) -> bool {
        self.text.contains(one)
    }

    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }
}

/// Room for the cells of a row while it is parsed.
pub(super) struct Cells {
    text: Vec<u8>,
    /// Bytes of `text` that are used.
    length: usize,
    ends: Vec<usize>,
    /// Number of cells.
    count: usize,
}

impl Cells {
    /// Room for so many bytes, in the memory of a row before it.
    pub(super) fn reuse(row: Row, bytes: usize) -> Self {
        let (mut text, mut ends) = (row.text.into_bytes(), row.ends);
        text.resize(bytes.max(64), 0);
        ends.resize(ends.capacity().max(64), 0);
        Self { text, length: 0, ends, count: 0 }
    }

    /// Whether a row ends with these bytes.
    pub(super) fn feed(&mut self, parser: &mut Reader, mut bytes: &[u8]) -> bool {
        // No bytes would be the end of the file to the parser.
        while !bytes.is_empty() {
            let (result, read, written, ended) =
                parser.read_record(bytes, &mut self.text[self.length..], &mut self.ends[self.count..]);
            bytes = &bytes[read..];
            self.length += written;
            self.count += ended;
            match result {
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => return true,
            }
        }
        false
    }

    /// Number of cells that are whole.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn row(mut self) -> Result<Row, Utf8Error> {
        self.text.truncate(self.length);
        self.ends.truncate(self.count);
        match String::from_utf8(self.text) {
            Ok(text) => Ok(Row { text, ends: self.ends }),
            Err(error) => Err(error.utf8_error()),
        }
    }
}
