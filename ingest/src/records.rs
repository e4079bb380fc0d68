//! Rows of text, each with its bytes as they were, in bounded memory.
//!
//! Quotes follow RFC 4180: a quoted cell may hold delimiters, quotes (doubled) and line breaks. Invariants: a quote that is
//! not closed costs the line on which it opens, and no other; a row is found again from its bytes; a row that is left out is
//! said by name. It does not know what columns mean.

use std::{
    collections::VecDeque,
    io::{BufRead, Result, Write},
};

use encoding_rs::Encoding;

use crate::Rejection;

mod fixed;
mod raw;
mod row;

use raw::{Raw, Read};
pub(crate) use row::Row;

/// What separates cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// One character; cells may be quoted.
    Char(char),
    /// Any run of spaces and tabs; leading and trailing ones mean nothing.
    Whitespace,
    /// Nothing: each cell has a number of characters, and the last may have fewer.
    Widths(Box<[usize]>),
}

/// How a file is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dialect {
    /// What separates cells, if it is known.
    pub(crate) delimiter: Option<Delimiter>,
    /// The encoding of text that has no byte order mark.
    pub(crate) encoding: Option<&'static Encoding>,
    /// Number of lines before the header, or before the first row where there is none.
    pub(crate) skip: u64,
    /// Number of rows at the end that are none.
    pub(crate) footer: usize,
    /// Which members of an archive are read; `*` and `?` stand for characters.
    pub(crate) member: Option<String>,
    /// Which sheet of a workbook is read; the first, if it is not said.
    pub(crate) sheet: Option<String>,
}

/// What [`Records::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The end of the text.
    End,
    /// A row: [`Records::row`].
    Row,
    /// A row that is no data, and what it is.
    LeftOut(&'static str),
    /// A row that cannot be read.
    Wrong(Rejection),
    /// The first bytes of a line that is too long; [`Records::rest`] takes the others.
    Long,
}

/// Name of the rows at the end that are left out.
pub(crate) const FOOTER: &str = "footer";
/// Name of the rows that are left out because they are the header.
const HEADER: &str = "repeated header";

/// Reads the rows of one text.
pub(crate) struct Records<'r> {
    raw: Raw<'r>,
    /// What was found last.
    read: Read,
    footer: usize,
    /// Rows that are the footer if nothing follows; at most `footer` of them.
    ahead: VecDeque<(Found, Read)>,
    header: Option<Row>,
}

impl<'r> Records<'r> {
    /// Begins with the row after the lines that the dialect skips; a first line such as `sep=;` is skipped in any case, and
    /// names the delimiter where none is given.
    pub(crate) fn open(reader: impl BufRead + 'r, dialect: &Dialect) -> Result<Self> {
        let raw = Raw::open(Box::new(reader), dialect.delimiter.clone(), dialect.skip)?;
        Ok(Self { raw, read: Read::default(), footer: dialect.footer, ahead: VecDeque::new(), header: None })
    }

    /// Says from now on the number of a row, blank ones included, in the place of its line.
    pub(crate) fn count_rows(&mut self) {
        self.raw.counts_rows = true;
    }

    /// What separates cells.
    pub(crate) fn delimiter(&self) -> &Delimiter {
        self.raw.delimiter()
    }

    /// The lines that were skipped, as they were.
    pub(crate) fn before(&self) -> &[u8] {
        self.raw.before()
    }

    /// The row that was found.
    pub(crate) fn row(&mut self) -> &mut Row {
        &mut self.read.row
    }

    /// Its bytes as they were.
    pub(crate) fn verbatim(&self) -> &[u8] {
        &self.read.verbatim
    }

    /// The line on which it begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.read.line
    }

    /// Takes the row that was found as the header: where it comes again, it is left out.
    pub(crate) fn header(&mut self) -> &Row {
        self.header.insert(self.read.row.clone())
    }

    /// Copies what is left of a line that is too long.
    pub(crate) fn rest(&mut self, out: &mut dyn Write) -> Result<()> {
        self.raw.rest(out)
    }

    /// Finds the next row; lines without anything are none.
    pub(crate) fn next(&mut self) -> Result<Found> {
        let found = self.beyond_footer()?;
        let repeated = found == Found::Row && self.header.as_ref() == Some(&self.read.row);
        Ok(if repeated { Found::LeftOut(HEADER) } else { found })
    }

    /// Holds as many rows back as the footer has.
    fn beyond_footer(&mut self) -> Result<Found> {
        loop {
            let found = self.raw.next()?;
            match found {
                Found::End => {
                    let Some((_, read)) = self.ahead.pop_front() else { return Ok(Found::End) };
                    self.read = read;
                    return Ok(Found::LeftOut(FOOTER));
                }
                // It does not fit in memory, so it does not wait, and is no footer.
                found if self.footer == 0 || found == Found::Long => {
                    std::mem::swap(&mut self.read, &mut self.raw.read);
                    return Ok(found);
                }
                found => self.ahead.push_back((found, std::mem::take(&mut self.raw.read))),
            }
            if self.ahead.len() > self.footer
                && let Some((found, read)) = self.ahead.pop_front()
            {
                // The memory of the row before it serves again.
                self.raw.read = std::mem::replace(&mut self.read, read);
                return Ok(found);
            }
        }
    }
}

/// A row again from its bytes; none where they are no row.
pub(crate) fn read_again(delimiter: &Delimiter, verbatim: &[u8]) -> Option<Row> {
    let mut raw = Raw::new(Box::new(verbatim), delimiter.clone());
    matches!(raw.next(), Ok(Found::Row)).then_some(raw.read.row)
}

#[cfg(test)]
mod tests;
