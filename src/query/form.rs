//! Rows for programs: one as a line of JSON, exact, or as a line of CSV with money in major units.

use std::io::Write;

use anyhow::Result;
use store::{Row, form, sheet, usual::Compared};

use crate::output;

/// One line of JSON.
pub(crate) fn json(row: &Row, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &form::row(row)?)?;
    Ok(out.write_all(b"\n")?)
}

/// The same with the usual range.
pub(crate) fn json_with(row: &Row, range: Option<Compared>, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &form::ranged(row, range)?)?;
    Ok(out.write_all(b"\n")?)
}

/// What `--usual` adds.
const RANGE: [&str; 4] = ["usual_low", "usual_centre", "usual_high", "usual_verdict"];

/// Rows as CSV.
pub(crate) struct Csv<'a> {
    out: output::Csv<'a>,
    usual: bool,
}

impl<'a> Csv<'a> {
    /// Writes the header, with the columns of the usual range or without.
    pub(crate) fn open(usual: bool, out: &'a mut dyn Write) -> Result<Self> {
        let header = sheet::COLUMNS.into_iter().chain(RANGE.into_iter().filter(|_| usual)).collect::<Vec<_>>();
        Ok(Self { out: output::Csv::open(&header, out)?, usual })
    }

    /// Writes a row; its range where the header has it.
    pub(crate) fn write(&mut self, row: &Row, range: Option<Compared>) -> Result<()> {
        let mut cells = sheet::cells(row);
        if self.usual {
            cells.extend(range_cells(row, range));
        }
        self.out.write(cells)
    }

    /// Hands everything to the output.
    pub(crate) fn close(self) -> Result<()> {
        self.out.close()
    }
}

fn range_cells(row: &Row, range: Option<Compared>) -> [String; 4] {
    let Some(range) = range else { return Default::default() };
    let [low, centre, high] = [range.low, range.centre, range.high].map(|value| sheet::decimal(row, value));
    [low, centre, high, range.verdict.map(|verdict| verdict.name().to_owned()).unwrap_or_default()]
}
