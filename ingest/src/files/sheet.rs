//! A sheet of a workbook (.xlsx) as delimited text, so that it is read like any file.
//!
//! Rows and cells are written as they come, so a sheet takes no memory; its texts and formats do, within a limit. A cell is
//! what a spreadsheet shows without its format: `19.99`, `2024-01-05`, `2024-01-05T10:10:00`, `10:10:00`, `true`, `#N/A`. It does not
//! know what columns mean.

use std::{
    fs::File,
    io::{BufReader, Error, Result, Write},
    path::Path,
};

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};

use super::archive::{scan, wrong};
use crate::records::{Delimiter, Dialect};

/// Unpacked bytes of what is kept in memory: texts, formats, names.
const SHARED_MAX: usize = 256 << 20;
/// Unpacked bytes of all sheets.
const SHEETS_MAX: usize = 2 << 30;
/// Bytes between two tags, so of one text.
const TEXT_MAX: usize = 1 << 20;

/// Significant digits of a number: what spreadsheets keep and show.
const DIGITS: usize = 15;

/// Writes a sheet, with the delimiter of the dialect.
pub(super) fn write(path: &Path, dialect: &Dialect, out: &mut dyn Write) -> Result<()> {
    let delimiter = match &dialect.delimiter {
        None => ',',
        Some(Delimiter::Char(one)) => *one,
        Some(Delimiter::Whitespace | Delimiter::Widths(_)) => {
            return Err(wrong("a workbook has cells; leave delimiter and widths out of its mapping".to_owned()));
        }
    };
    measure(path)?;
    let mut workbook = Xlsx::new(BufReader::new(File::open(path)?)).map_err(|e| invalid(&e))?;
    let name = name(&workbook, dialect.sheet.as_deref())?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(|e| invalid(&e))?;
    let mut rows = Rows { out, delimiter, row: Vec::new(), at: (0, 0), width: 0 };
    while let Some(cell) = cells.next_cell().map_err(|e| invalid(&e))? {
        let text = text(cell.get_value());
        if !text.is_empty() {
            rows.cell(cell.get_position(), &text)?;
        }
    }
    rows.end()
}

/// That a workbook is no larger than it may be, before anything of it is kept.
fn measure(path: &Path) -> Result<()> {
    let (mut shared, mut sheets, mut text) = (0, 0, 0);
    let too_large = |what: &str, max: usize| {
        let mib = max >> 20;
        Err(wrong(format!("a workbook whose {what} more than {mib} MiB unpacked; save the sheet as CSV")))
    };
    scan(
        File::open(path)?,
        |name| name.ends_with(".xml") || name.ends_with(".rels"),
        |name, bytes| {
            let is_sheet = name.to_ascii_lowercase().contains("worksheets/");
            *(if is_sheet { &mut sheets } else { &mut shared }) += bytes.len();
            for (at, piece) in bytes.split(|byte| *byte == b'<').enumerate() {
                text = if at == 0 { text + piece.len() } else { piece.len() };
                if text > TEXT_MAX {
                    return too_large("longest text has", TEXT_MAX);
                }
            }
            match () {
                () if shared > SHARED_MAX => too_large("texts and formats have", SHARED_MAX),
                () if sheets > SHEETS_MAX => too_large("sheets have", SHEETS_MAX),
                () => Ok(()),
            }
        },
    )
}

/// The sheet with this name, or the first that is shown.
fn name<R: std::io::Read + std::io::Seek>(workbook: &Xlsx<R>, wanted: Option<&str>) -> Result<String> {
    let sheets = || workbook.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let first = || sheets().find(|sheet| sheet.visible == SheetVisible::Visible).or_else(|| sheets().next());
    let found = wanted.map_or_else(first, |wanted| sheets().find(|sheet| sheet.name == wanted));
    found.map(|sheet| sheet.name.clone()).ok_or_else(|| {
        let names: Vec<&str> = sheets().map(|sheet| sheet.name.as_str()).collect();
        match wanted {
            Some(wanted) => wrong(format!("no sheet {wanted}, there are {}", names.join(", "))),
            None => wrong("the workbook has no sheet".to_owned()),
        }
    })
}

fn invalid(error: &XlsxError) -> Error {
    match error {
        XlsxError::Password => wrong("the workbook has a password; save it without one".to_owned()),
        other => wrong(format!("a workbook that cannot be read ({other})")),
    }
}

/// A cell as text.
fn text(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => decimal(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::DateTime(time) => date(time),
        DataRef::Error(error) => error.to_string(),
    }
}

/// The shortest decimal with the digits that spreadsheets keep; all digits of a whole number.
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return "#NUM!".to_owned();
    }
    let whole = number.trunc() == number && number.abs() < 1e18;
    let kept = if whole { number } else { format!("{number:.*e}", DIGITS - 1).parse().unwrap_or(number) };
    format!("{}", if kept == 0.0 { 0.0 } else { kept })
}

/// A date, a time of day or both; hours may exceed a day where the cell is a duration.
fn date(time: &ExcelDateTime) -> String {
    let days = time.as_f64();
    let clock = |(hour, minute, second, milli): (u64, u8, u8, u16)| match milli {
        0 => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    };
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let of_day = clock((hour.into(), minute, second, milli));
    match () {
        () if time.is_duration() => duration(days).map_or_else(|| decimal(days), clock),
        () if (0.0..1.0).contains(&days) => of_day,
        () if (hour, minute, second, milli) == (0, 0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
        () => format!("{year:04}-{month:02}-{day:02}T{of_day}"),
    }
}

/// Hours, minutes, seconds and milliseconds of a number of days; none of a negative one.
fn duration(days: f64) -> Option<(u64, u8, u8, u16)> {
    let millis = format!("{:.0}", days * 86_400_000.0).parse::<u64>().ok()?;
    let part = |span: u64, of: u64| u16::try_from(millis / span % of).unwrap_or(0);
    let small = |span| u8::try_from(part(span, 60)).unwrap_or(0);
    Some((millis / 3_600_000, small(60_000), small(1_000), part(1, 1_000)))
}

/// Writes cells as lines of delimited text; a line for each row of the sheet, also for one without cells.
struct Rows<'o> {
    out: &'o mut dyn Write,
    delimiter: char,
    /// The line so far.
    row: Vec<u8>,
    /// Rows that are written, and cells of the line.
    at: (u32, u32),
    /// Cells of the longest row so far: the others are filled up to it.
    width: u32,
}

impl Rows<'_> {
    /// A cell with text; `to` is its row and column, from 0.
    fn cell(&mut self, to: (u32, u32), text: &str) -> Result<()> {
        if to.0 < self.at.0 || (to.0 == self.at.0 && to.1 < self.at.1) {
            return Err(wrong(format!("a workbook whose cells are out of order in row {}", to.0 + 1)));
        }
        while self.at.0 < to.0 {
            self.line()?;
        }
        self.fill(to.1 + 1);
        let quoted = text.contains(['"', '\n', '\r', self.delimiter]);
        if quoted {
            self.row.push(b'"');
            self.row.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            self.row.push(b'"');
        } else {
            self.row.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    /// Goes on to the cell before this column.
    fn fill(&mut self, column: u32) {
        let mut bytes = [0; 4];
        let delimiter = self.delimiter.encode_utf8(&mut bytes).as_bytes();
        while self.at.1 < column {
            if self.at.1 > 0 {
                self.row.extend_from_slice(delimiter);
            }
            self.at.1 += 1;
        }
    }

    fn line(&mut self) -> Result<()> {
        if self.at.1 > 0 {
            self.width = self.width.max(self.at.1);
            self.fill(self.width);
        }
        self.row.push(b'\n');
        self.out.write_all(&self.row)?;
        self.row.clear();
        self.at = (self.at.0 + 1, 0);
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        if self.at.1 > 0 { self.line() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn numbers_are_as_a_spreadsheet_shows_them() {
        for (number, expected) in [
            (19.99, "19.99"),
            (0.1 + 0.2, "0.3"),
            (19.990_000_000_000_002, "19.99"),
            (-0.0, "0"),
            (1e-7, "0.0000001"),
            (12_345_678_901_234_568.0, "12345678901234568"),
            (1234567.875, "1234567.875"),
            (f64::NAN, "#NUM!"),
        ] {
            assert_eq!(decimal(number), expected);
        }
    }

    #[test]
    fn dates_are_iso_8601() {
        for (days, kind, expected) in [
            (45_296.0, DateTime, "2024-01-05"),
            (45_296.423_611_111_11, DateTime, "2024-01-05T10:10:00"),
            (45_943.541, DateTime, "2025-10-13T12:59:02.400"),
            (0.423_611_111_11, DateTime, "10:10:00"),
            (1.5, TimeDelta, "36:00:00"),
            (-1.5, TimeDelta, "-1.5"),
        ] {
            assert_eq!(date(&ExcelDateTime::new(days, kind, false)), expected);
        }
        assert_eq!(date(&ExcelDateTime::new(0.0 + 43_834.0, DateTime, true)), "2024-01-05");
    }

    #[test]
    fn rows_have_the_cells_of_the_widest_before_them() {
        let mut out = Vec::new();
        let mut rows = Rows { out: &mut out, delimiter: ';', row: Vec::new(), at: (0, 0), width: 0 };
        let cells =
            [((0, 0), "title"), ((2, 0), "a"), ((2, 2), "c"), ((3, 1), "x;\"y\"\nz"), ((5, 0), "1"), ((5, 3), "4")];
        cells.into_iter().for_each(|(at, text)| rows.cell(at, text).expect("in order"));
        assert!(rows.cell((5, 3), "again").is_err());
        assert!(rows.cell((4, 9), "before").is_err());
        rows.end().expect("written");
        assert_eq!(String::from_utf8_lossy(&out), "title\n\na;;c\n;\"x;\"\"y\"\"\nz\";\n\n1;;;4\n");
    }
}
