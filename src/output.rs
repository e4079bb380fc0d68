//! How answers look: tables for people, JSON lines and CSV for programs.
//!
//! Tables say times in the tenant's zone and money in major units. JSON is exact: UTC and minor units. CSV has exact
//! times in UTC, and a spreadsheet runs nothing in it.

pub(crate) mod chart;
pub(crate) mod label;
pub(crate) mod number;
pub(crate) mod spark;
pub(crate) mod table;
pub(crate) mod terminal;

use std::io::Write;

use anyhow::Result;
use store::sheet;

use table::Side;
use terminal::Terminal;

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people: local time, major units, as wide as the terminal
    Table,
    /// One object a line, exact: UTC, money in minor units
    Json,
    /// RFC 4180: UTC, money in major units
    Csv,
}

/// Writes a table, or "no rows".
pub(crate) fn table(
    header: &[(&str, Side)],
    rows: impl Iterator<Item = Vec<String>>,
    out: &mut dyn Write,
) -> Result<()> {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(writeln!(out, "no rows")?);
    }
    Ok(out.write_all(table::draw(header, rows, Terminal::of_stdout()).as_bytes())?)
}

/// CSV with a header, a row at a time.
pub(crate) struct Csv<'a>(csv::Writer<&'a mut dyn Write>);

impl<'a> Csv<'a> {
    /// Writes the header.
    pub(crate) fn open(header: &[&str], out: &'a mut dyn Write) -> Result<Self> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(header)?;
        Ok(Self(writer))
    }

    /// Writes a row.
    pub(crate) fn write(&mut self, cells: Vec<String>) -> Result<()> {
        Ok(self.0.write_record(cells.iter().map(|cell| sheet::harmless(cell)))?)
    }

    /// Hands everything to the output.
    pub(crate) fn close(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

/// Writes CSV with a header.
pub(crate) fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut dyn Write) -> Result<()> {
    let mut csv = Csv::open(header, out)?;
    for row in rows {
        csv.write(row)?;
    }
    csv.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_escaped_and_numbers_are_not() {
        let mut out = Vec::new();
        csv(&["a"], ["=1+1", "-5", "@x", "a,\"b"].map(|cell| vec![cell.to_owned()]).into_iter(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\r\n'=1+1\r\n-5\r\n'@x\r\n\"a,\"\"b\"\r\n");
    }

    #[test]
    fn an_empty_table_says_so() {
        let mut out = Vec::new();
        table(&[("a", Side::Left)], std::iter::empty(), &mut out).unwrap();
        assert_eq!(out, b"no rows\n");
    }
}
