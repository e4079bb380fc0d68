//! The rows of a text as they come: quoted, divided by blanks, or of fixed width.
//!
//! It leaves nothing out but blank lines, and does not know which row is a header or a footer.

use std::{
    borrow::Cow,
    collections::VecDeque,
    io::{BufRead, Result, Write},
    str::Utf8Error,
};

use csv_core::{Reader, ReaderBuilder, Terminator};

use super::{
    Delimiter, Found, fixed,
    row::{Cells, Row},
};
use crate::{
    Rejection, event,
    lines::{self, Line},
};

/// Most lines that a row may span.
pub(super) const LINES_MAX: usize = 1_000;

/// Stands for a delimiter that is no single byte.
const SEPARATOR: u8 = 0x1f;

/// The delimiter that a line such as `sep=;` names, as spreadsheets write it for each other.
fn separator(line: &[u8]) -> Option<Delimiter> {
    let text = std::str::from_utf8(lines::trimmed(line)).ok()?;
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let mut rest = text.get(..4).filter(|name| name.eq_ignore_ascii_case("sep=")).map(|_| text[4..].chars())?;
    let one = rest.next()?;
    rest.next().is_none().then_some(Delimiter::Char(one))
}

/// A row that was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) row: Row,
    /// Its bytes as they were, line ends included.
    pub(super) verbatim: Vec<u8>,
    /// The line on which it begins, from 1.
    pub(super) line: u64,
}

/// Reads all rows of one text.
pub(super) struct Raw<'r> {
    reader: Box<dyn BufRead + 'r>,
    delimiter: Delimiter,
    parser: Reader,
    /// The lines that were skipped.
    before: Vec<u8>,
    /// The row that was found.
    pub(super) read: Read,
    /// Where its lines after the first begin.
    breaks: Vec<usize>,
    /// Lines that were read and are not used yet.
    again: VecDeque<(Line, Vec<u8>)>,
    /// Number of lines used, or of rows where those count.
    used: u64,
    pub(super) counts_rows: bool,
}

impl<'r> Raw<'r> {
    /// Begins with the row after the first `skip` lines and a line that names the delimiter.
    pub(super) fn open(mut reader: Box<dyn BufRead + 'r>, delimiter: Option<Delimiter>, skip: u64) -> Result<Self> {
        let mut first = Vec::new();
        let found = lines::next(&mut reader, &mut first, event::LINE_MAX)?;
        let said = separator(&first);
        let skip = skip.max(u64::from(said.is_some()));
        let mut raw = Self::new(reader, delimiter.or(said).unwrap_or(Delimiter::Char(',')));
        raw.again.extend((found != Line::End).then_some((found, first)));
        for _ in 0..skip {
            if raw.more()? == Line::Long {
                raw.rest(&mut std::io::sink())?;
            }
        }
        raw.before = std::mem::take(&mut raw.read.verbatim);
        Ok(raw)
    }

    /// Begins with the first row.
    pub(super) fn new(reader: Box<dyn BufRead + 'r>, delimiter: Delimiter) -> Self {
        let byte = match delimiter {
            Delimiter::Char(one) => u8::try_from(one).ok().filter(u8::is_ascii).unwrap_or(SEPARATOR),
            Delimiter::Whitespace | Delimiter::Widths(_) => b' ',
        };
        Self {
            reader,
            delimiter,
            // A carriage return within a cell belongs to it.
            parser: ReaderBuilder::new().delimiter(byte).terminator(Terminator::Any(b'\n')).build(),
            before: Vec::new(),
            read: Read::default(),
            breaks: Vec::new(),
            again: VecDeque::new(),
            used: 0,
            counts_rows: false,
        }
    }

    pub(super) fn delimiter(&self) -> &Delimiter {
        &self.delimiter
    }

    pub(super) fn before(&self) -> &[u8] {
        &self.before
    }

    /// Copies what is left of a line that is too long.
    pub(super) fn rest(&mut self, out: &mut dyn Write) -> Result<()> {
        lines::rest(&mut self.reader, out)
    }

    /// Reads one line as it is.
    fn next_line(&mut self) -> Result<Line> {
        self.read.verbatim.clear();
        self.breaks.clear();
        let found = self.more()?;
        self.read.line = self.used;
        Ok(found)
    }

    /// Appends the next line to those of the row.
    fn more(&mut self) -> Result<Line> {
        let found = match self.again.pop_front() {
            Some((found, line)) => {
                self.read.verbatim.extend(line);
                found
            }
            None => lines::next(&mut self.reader, &mut self.read.verbatim, event::LINE_MAX)?,
        };
        let is_row = self.breaks.is_empty();
        self.used += u64::from(found != Line::End && (is_row || !self.counts_rows));
        Ok(found)
    }

    /// Finds the next row; lines without anything are none.
    pub(super) fn next(&mut self) -> Result<Found> {
        loop {
            match self.next_line()? {
                Line::End => return Ok(Found::End),
                Line::Long => return Ok(Found::Long),
                Line::Whole if self.read.verbatim.trim_ascii().is_empty() => {}
                Line::Whole => match self.delimiter {
                    Delimiter::Char(_) => return self.record(),
                    Delimiter::Whitespace | Delimiter::Widths(_) => return Ok(self.line()),
                },
            }
        }
    }

    /// The row on the line just read, which has no quotes.
    fn line(&mut self) -> Found {
        let row = &mut self.read.row;
        row.clear();
        let text = match std::str::from_utf8(lines::trimmed(&self.read.verbatim)) {
            Ok(text) => text,
            Err(error) => return Found::Wrong(not_utf8(error)),
        };
        match &self.delimiter {
            Delimiter::Widths(widths) => match fixed::cut(text, widths, row) {
                Ok(()) => Found::Row,
                Err(reason) => Found::Wrong(reason),
            },
            Delimiter::Char(_) | Delimiter::Whitespace => {
                text.split_ascii_whitespace().for_each(|word| row.push(word));
                Found::Row
            }
        }
    }

    /// The row that begins with the line just read.
    fn record(&mut self) -> Result<Found> {
        let mut cells = Cells::reuse(std::mem::take(&mut self.read.row), self.read.verbatim.len());
        self.parser.reset();
        let mut fed = 0;
        loop {
            let line = lines::trimmed(&self.read.verbatim[fed..]);
            // The parser takes a delimiter of one byte, and one kind of line end.
            let line = match self.delimiter {
                Delimiter::Char(one) if !one.is_ascii() => Cow::Owned(replaced(line, one)),
                _ => Cow::Borrowed(line),
            };
            fed = self.read.verbatim.len();
            cells.feed(&mut self.parser, &line);
            if cells.feed(&mut self.parser, b"\n") {
                break;
            }
            // The quote is still open, so the row continues on the next line.
            let too_long = self.breaks.len() + 1 >= LINES_MAX || self.read.verbatim.len() > event::LINE_MAX;
            self.breaks.push(fed);
            if too_long {
                return Ok(self.unclosed(cells.count() + 1, Line::Whole));
            }
            let found = self.more()?;
            if found != Line::Whole {
                return Ok(self.unclosed(cells.count() + 1, found));
            }
        }
        // Asked of the row as it was: broken characters on both sides of a delimiter can make a whole one without it.
        if let Err(error) = std::str::from_utf8(&self.read.verbatim) {
            return Ok(Found::Wrong(not_utf8(error)));
        }
        Ok(match cells.row() {
            Ok(row) => {
                self.read.row = self.restored(row);
                Found::Row
            }
            Err(error) => Found::Wrong(not_utf8(error)),
        })
    }

    /// The delimiter back in cells that hold it.
    fn restored(&self, row: Row) -> Row {
        let Delimiter::Char(one) = self.delimiter else { return row };
        if one.is_ascii() || !row.holds(char::from(SEPARATOR)) {
            return row;
        }
        let mut restored = Row::default();
        row.cells().for_each(|cell| restored.push(&cell.replace(char::from(SEPARATOR), &one.to_string())));
        restored
    }

    /// Gives the lines after the first back; the last of them may be a long one.
    fn unclosed(&mut self, cell: usize, mut last: Line) -> Found {
        while let Some(begin) = self.breaks.pop() {
            let line = self.read.verbatim.split_off(begin);
            if !line.is_empty() {
                self.again.push_front((last, line));
                self.used -= 1;
            }
            last = Line::Whole;
        }
        Found::Wrong(Rejection::line(format!(
            "cell {cell}: its quote is not closed; a quote that belongs to the text is written twice, in a quoted cell"
        )))
    }
}

/// A line with another delimiter.
fn replaced(line: &[u8], delimiter: char) -> Vec<u8> {
    String::from_utf8_lossy(line).replace(delimiter, char::from(SEPARATOR).encode_utf8(&mut [0; 4])).into_bytes()
}

fn not_utf8(error: Utf8Error) -> Rejection {
    let at = error.valid_up_to() + 1;
    Rejection::line(format!("not UTF-8 at byte {at}; name its encoding in the mapping, such as encoding: windows-1252"))
}
