//! Rows of delimited text, each with its bytes as they were, in bounded memory.
//!
//! Quotes follow RFC 4180: a quoted cell may hold delimiters, quotes (doubled) and line breaks. Invariants: a quote that is
//! not closed costs the line on which it opens, and no other; a row is found again from its bytes. It does not know what
//! columns mean.

use std::{
    borrow::Cow,
    collections::VecDeque,
    io::{BufRead, Result},
    str::Utf8Error,
};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use crate::{
    Rejection, event,
    lines::{self, Line},
};

/// What separates cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// One character; cells may be quoted.
    Char(char),
    /// Any run of spaces and tabs; leading and trailing ones mean nothing.
    Whitespace,
}

/// Most lines that a row may span.
const LINES_MAX: usize = 1_000;

/// Stands for a delimiter that is no single byte.
const SEPARATOR: u8 = 0x1f;

/// What [`Records::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The end of the text.
    End,
    /// A row: [`Records::row`].
    Row,
    /// A row that cannot be read.
    Wrong(Rejection),
    /// The first bytes of a line that is too long; [`lines::rest`] takes the others.
    Long,
}

/// The cells of a row.
#[derive(Debug, Clone, Default)]
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

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }
}

/// Room for the cells of a row while it is parsed.
struct Cells {
    text: Vec<u8>,
    /// Bytes of `text` that are used.
    length: usize,
    ends: Vec<usize>,
    /// Number of cells.
    count: usize,
}

impl Cells {
    /// Room for so many bytes, in the memory of a row before it.
    fn reuse(row: Row, bytes: usize) -> Self {
        let (mut text, mut ends) = (row.text.into_bytes(), row.ends);
        text.resize(bytes.max(64), 0);
        ends.resize(ends.capacity().max(64), 0);
        Self { text, length: 0, ends, count: 0 }
    }

    /// Whether a row ends with these bytes.
    fn feed(&mut self, parser: &mut Reader, mut bytes: &[u8]) -> bool {
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

    fn row(mut self) -> std::result::Result<Row, Utf8Error> {
        self.text.truncate(self.length);
        self.ends.truncate(self.count);
        match String::from_utf8(self.text) {
            Ok(text) => Ok(Row { text, ends: self.ends }),
            Err(error) => Err(error.utf8_error()),
        }
    }
}

/// The delimiter that a line such as `sep=;` names, as spreadsheets write it for each other.
fn separator(line: &[u8]) -> Option<Delimiter> {
    let text = std::str::from_utf8(lines::trimmed(line)).ok()?;
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let mut rest = text.get(..4).filter(|name| name.eq_ignore_ascii_case("sep=")).map(|_| text[4..].chars())?;
    let one = rest.next()?;
    rest.next().is_none().then_some(Delimiter::Char(one))
}

/// Reads the rows of one file.
#[derive(Debug)]
pub(crate) struct Records {
    delimiter: Delimiter,
    parser: Reader,
    /// The lines that were skipped.
    before: Vec<u8>,
    /// Bytes of the row as they were, line ends included.
    verbatim: Vec<u8>,
    /// Where its lines after the first begin.
    breaks: Vec<usize>,
    /// Lines that were read and are not used yet.
    again: VecDeque<Vec<u8>>,
    row: Row,
    line: u64,
    /// Number of lines used.
    used: u64,
}

impl Records {
    /// Begins with the row after the first `skip` lines; a first line such as `sep=;` is skipped in any case, and names the
    /// delimiter where none is given.
    pub(crate) fn open(reader: &mut dyn BufRead, delimiter: Option<Delimiter>, skip: u64) -> Result<Self> {
        let mut first = Vec::new();
        lines::next(reader, &mut first, event::LINE_MAX)?;
        let said = separator(&first);
        let mut records = Self::new(delimiter.or(said).unwrap_or(Delimiter::Char(',')));
        records.again.extend((!first.is_empty()).then_some(first));
        for _ in 0..skip.max(u64::from(said.is_some())) {
            records.more(reader)?;
        }
        records.before = std::mem::take(&mut records.verbatim);
        Ok(records)
    }

    fn new(delimiter: Delimiter) -> Self {
        let byte = match delimiter {
            Delimiter::Char(one) => u8::try_from(one).ok().filter(u8::is_ascii).unwrap_or(SEPARATOR),
            Delimiter::Whitespace => b' ',
        };
        Self {
            delimiter,
            // A carriage return within a cell belongs to it.
            parser: ReaderBuilder::new().delimiter(byte).terminator(Terminator::Any(b'\n')).build(),
            before: Vec::new(),
            verbatim: Vec::new(),
            breaks: Vec::new(),
            again: VecDeque::new(),
            row: Row::default(),
            line: 0,
            used: 0,
        }
    }

    /// What separates cells.
    pub(crate) fn delimiter(&self) -> Delimiter {
        self.delimiter
    }

    /// The lines that were skipped, as they were.
    pub(crate) fn before(&self) -> &[u8] {
        &self.before
    }

    /// The row that was found.
    pub(crate) fn row(&mut self) -> &mut Row {
        &mut self.row
    }

    /// Its bytes as they were.
    pub(crate) fn verbatim(&self) -> &[u8] {
        &self.verbatim
    }

    /// The line on which it begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Reads one line as it is.
    fn next_line(&mut self, reader: &mut dyn BufRead) -> Result<Line> {
        self.verbatim.clear();
        self.breaks.clear();
        let found = self.more(reader)?;
        self.line = self.used;
        Ok(found)
    }

    /// Appends the next line to those of the row.
    fn more(&mut self, reader: &mut dyn BufRead) -> Result<Line> {
        let found = match self.again.pop_front() {
            Some(line) => {
                self.verbatim.extend(line);
                Line::Whole
            }
            None => lines::next(reader, &mut self.verbatim, event::LINE_MAX)?,
        };
        self.used += u64::from(found != Line::End);
        Ok(found)
    }

    /// Finds the next row; lines without anything are none.
    pub(crate) fn next(&mut self, reader: &mut dyn BufRead) -> Result<Found> {
        loop {
            match self.next_line(reader)? {
                Line::End => return Ok(Found::End),
                Line::Long => return Ok(Found::Long),
                Line::Whole if self.verbatim.trim_ascii().is_empty() => {}
                Line::Whole if self.delimiter == Delimiter::Whitespace => return Ok(self.words()),
                Line::Whole => return self.record(reader),
            }
        }
    }

    fn words(&mut self) -> Found {
        self.row.text.clear();
        self.row.ends.clear();
        match std::str::from_utf8(&self.verbatim) {
            Ok(text) => text.split_ascii_whitespace().for_each(|word| self.row.push(word)),
            Err(error) => return Found::Wrong(not_utf8(error)),
        }
        Found::Row
    }

    /// The row that begins with the line just read.
    fn record(&mut self, reader: &mut dyn BufRead) -> Result<Found> {
        let mut cells = Cells::reuse(std::mem::take(&mut self.row), self.verbatim.len());
        self.parser.reset();
        let mut fed = 0;
        loop {
            let line = lines::trimmed(&self.verbatim[fed..]);
            // The parser takes a delimiter of one byte, and one kind of line end.
            let line = match self.delimiter {
                Delimiter::Char(one) if !one.is_ascii() => Cow::Owned(replaced(line, one)),
                _ => Cow::Borrowed(line),
            };
            fed = self.verbatim.len();
            cells.feed(&mut self.parser, &line);
            if cells.feed(&mut self.parser, b"\n") {
                break;
            }
            // The quote is still open, so the row continues on the next line.
            let too_long = self.breaks.len() + 1 >= LINES_MAX || self.verbatim.len() > event::LINE_MAX;
            self.breaks.push(fed);
            if too_long || self.more(reader)? != Line::Whole {
                return Ok(self.unclosed(cells.count + 1));
            }
        }
        Ok(match cells.row() {
            Ok(row) => {
                self.row = self.restored(row);
                Found::Row
            }
            Err(error) => Found::Wrong(not_utf8(std::str::from_utf8(&self.verbatim).err().unwrap_or(error))),
        })
    }

    /// The delimiter back in cells that hold it.
    fn restored(&self, row: Row) -> Row {
        let Delimiter::Char(one) = self.delimiter else { return row };
        if one.is_ascii() || !row.text.contains(char::from(SEPARATOR)) {
            return row;
        }
        let mut restored = Row::default();
        row.cells().for_each(|cell| restored.push(&cell.replace(char::from(SEPARATOR), &one.to_string())));
        restored
    }

    /// Gives the lines after the first back.
    fn unclosed(&mut self, cell: usize) -> Found {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        while let Some(begin) = self.breaks.pop() {
            let line = self.verbatim.split_off(begin);
            if !line.is_empty() {
                lines.push(line);
            }
        }
        self.used -= u64::try_from(lines.len()).unwrap_or(0);
        lines.into_iter().for_each(|line| self.again.push_front(line));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows with the lines on which they begin; what is wrong as one cell.
    fn rows(text: &[u8], delimiter: Delimiter) -> Vec<(u64, Vec<String>)> {
        let (mut reader, mut records, mut rows) = (text, Records::new(delimiter), Vec::new());
        loop {
            match records.next(&mut reader).unwrap() {
                Found::End => return rows,
                Found::Row => rows.push((records.line(), records.row().cells().map(str::to_owned).collect())),
                Found::Wrong(reason) => rows.push((records.line(), vec![reason.to_string()])),
                Found::Long => rows.push((records.line(), vec!["long".to_owned()])),
            }
        }
    }

    fn of(text: &str) -> Vec<(u64, Vec<String>)> {
        rows(text.as_bytes(), Delimiter::Char(','))
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    const OPEN: &str = ": its quote is not closed; a quote that belongs to the text is written twice, in a quoted cell";

    #[test]
    fn quoted_cells_hold_delimiters_quotes_and_line_breaks() {
        let text = "a,,c\r\n\r\n\"a,\"\"b\"\"\",c\n1,\"Main St 1\r\n2nd floor\",x\n5\" pipe,3,\nlast";
        let expected = [
            row(1, &["a", "", "c"]),
            row(3, &["a,\"b\"", "c"]),
            row(4, &["1", "Main St 1\n2nd floor", "x"]),
            row(6, &["5\" pipe", "3", ""]),
            row(7, &["last"]),
        ];
        assert_eq!(of(text), expected);
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_line_alone() {
        assert_eq!(
            of("1,\"a\n2,b\n3,c\n"),
            [row(1, &[&format!("cell 2{OPEN}")]), row(2, &["2", "b"]), row(3, &["3", "c"])]
        );
        assert_eq!(of("1,a\n\"2"), [row(1, &["1", "a"]), row(2, &[&format!("cell 1{OPEN}")])]);
        let many = format!("0,\"a\n{}", "1,b\n".repeat(3 * LINES_MAX));
        let found = of(&many);
        assert_eq!((found.len(), &found[1], found.last().unwrap().0), (3 * LINES_MAX + 1, &row(2, &["1", "b"]), 3_001));
    }

    #[test]
    fn every_delimiter_is_one() {
        assert_eq!(rows("a§\"b§c\"§".as_bytes(), Delimiter::Char('§')), [row(1, &["a", "b§c", ""])]);
        assert_eq!(rows(b" 1  2\t3 \n", Delimiter::Whitespace), [row(1, &["1", "2", "3"])]);
        assert_eq!(rows(b"a;b,c", Delimiter::Char(';')), [row(1, &["a", "b,c"])]);
    }

    #[test]
    fn lines_before_the_header_are_skipped() {
        let first = |text: &str, delimiter, skip| {
            let mut reader = text.as_bytes();
            let mut records = Records::open(&mut reader, delimiter, skip).unwrap();
            assert_eq!(records.next(&mut reader).unwrap(), Found::Row);
            let cells: Vec<String> = records.row().cells().map(str::to_owned).collect();
            (records.line(), cells.join("|"), String::from_utf8_lossy(records.before()).into_owned())
        };
        let expect = |line: u64, row: &str, before: &str| (line, row.to_owned(), before.to_owned());
        assert_eq!(first("a,b\n", None, 0), expect(1, "a|b", ""));
        assert_eq!(first("sep=;\r\na;b\n", None, 0), expect(2, "a|b", "sep=;\r\n"));
        assert_eq!(first("sep=;\na;b\n", None, 1), expect(2, "a|b", "sep=;\n"), "it is one of those that are skipped");
        assert_eq!(first("\"SEP=|\"\na|b;c\n", Some(Delimiter::Char(';')), 0).1, "a|b|c");
        assert_eq!(first("Orders\n\nof \"May\na;b\n", Some(Delimiter::Char(';')), 3).0, 4);
        assert_eq!(first("sep=\ta\n", Some(Delimiter::Char('\t')), 0).1, "sep=|a", "a row of its own");
    }

    #[test]
    fn what_is_no_text_is_located() {
        let found = rows(b"a,b\nx,\xe9t\xe9\n", Delimiter::Char(','));
        let expected = "not UTF-8 at byte 3; name its encoding in the mapping, such as encoding: windows-1252";
        assert_eq!(found[1], row(2, &[expected]));
    }

    #[test]
    fn cells_beyond_the_header_that_are_empty_are_none() {
        let mut row = Row::default();
        ["a", "b", "", ""].into_iter().for_each(|cell| row.push(cell));
        row.trim(3);
        assert_eq!(row.cells().collect::<Vec<_>>(), ["a", "b", ""]);
        row.trim(1);
        assert_eq!(row.len(), 2, "a cell with text stays");
        row.fill(4);
        assert_eq!(row.cells().collect::<Vec<_>>(), ["a", "b", "", ""]);
    }

    proptest! {
        /// Whatever cells hold, what the csv crate writes is read back, as is the line of each row.
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec("[a,;\"\n\u{e9} ]{0,6}", 2..5), 1..20),
            delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
            crlf: bool,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer =
                csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).flexible(true).from_writer(Vec::new());
            let (mut expected, mut line) = (Vec::new(), 1);
            for cells in &table {
                writer.write_record(cells).unwrap();
                let lines = 1 + cells.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
                let blank = cells.len() == 1 && cells[0].trim().is_empty();
                if !blank {
                    expected.push((line, cells.clone()));
                }
                line += lines;
            }
            let bytes = writer.into_inner().unwrap();
            // A row of blanks alone is a blank line where blanks are the delimiter.
            let blank = |(_, cells): &(u64, Vec<String>)| delimiter == b'\t' && cells.iter().all(|cell| cell.trim().is_empty() && !cell.contains('\n'));
            expected.retain(|row| !blank(row));
            prop_assert_eq!(rows(&bytes, Delimiter::Char(delimiter.into())), expected);
        }

        #[test]
        fn hostile_text_is_read_to_its_end(bytes: Vec<u8>, delimiter in prop::sample::select(vec![',', '§', '"'])) {
            rows(&bytes, Delimiter::Char(delimiter));
        }
    }
}
