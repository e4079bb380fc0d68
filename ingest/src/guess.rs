//! `vitals map new`: looks at the beginning of a file and writes a first mapping, with what was found and what was guessed.
//!
//! Invariants: what it writes can be read as a mapping of that file; it is a function of the file. It guesses by the names of
//! columns and by their values, and says so beside each guess: a person has the last word.

use std::{fmt::Write as _, io::Read, path::Path, sync::Arc};

use encoding_rs::WINDOWS_1252;

use crate::{
    Error, Result,
    files::Texts,
    records::{Delimiter, Dialect, Found, Records},
};

mod columns;
mod roles;

use columns::Column;
use roles::Roles;

/// Bytes of a file that are looked at.
const LOOKED_AT: u64 = 1 << 20;
/// Rows that are looked at.
const ROWS_MAX: usize = 2_000;
/// What may divide cells.
const DELIMITERS: [(char, &str); 4] = [(',', ","), (';', "\";\""), ('\t', "tab"), ('|', "\"|\"")];

/// The beginning of a file as rows.
struct Table {
    encoding: Option<&'static str>,
    delimiter: &'static str,
    /// Lines before the header.
    skip: u64,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Writes a first mapping for a file.
///
/// # Errors
/// When the file cannot be read, or holds no rows.
pub fn mapping(path: &Path) -> Result<String> {
    let table = table(path)?;
    let columns: Vec<Column> = (0..table.header.len()).map(|at| Column::of(&table, at)).collect();
    let roles = Roles::of(&columns);
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or("import");
    Ok(written(name, &table, &columns, &roles))
}

fn table(path: &Path) -> Result<Table> {
    let not_rows = |cure| Error::NotLines { path: path.display().to_string(), what: "no delimited text", cure };
    let plain = beginning(path, Dialect::default())?;
    let (text, encoding) = match String::from_utf8(plain) {
        Ok(text) => (text, None),
        Err(error) if error.utf8_error().error_len().is_none() => {
            // The cut is within a character.
            let end = error.utf8_error().valid_up_to();
            (String::from_utf8_lossy(&error.as_bytes()[..end]).into_owned(), None)
        }
        Err(_) => {
            let dialect = Dialect { encoding: Some(WINDOWS_1252), ..Dialect::default() };
            let text = String::from_utf8_lossy(&beginning(path, dialect)?).into_owned();
            (text, Some("windows-1252"))
        }
    };
    if text.trim_start().starts_with(['{', '[']) {
        return Err(not_rows("JSON is mapped with format: json, see docs/mappings.md for an example"));
    }
    let read = DELIMITERS.map(|(delimiter, name)| (rows(&text, Delimiter::Char(delimiter)), name));
    let best = read.into_iter().max_by_key(|(rows, _)| {
        let width = width(rows);
        (rows.iter().filter(|(_, row)| row.len() == width && width > 1).count(), width)
    });
    // Blanks divide cells only where nothing else does: texts have them, too.
    let blanks = || Some((rows(&text, Delimiter::Whitespace), "whitespace")).filter(|(rows, _)| width(rows) > 1);
    let best = best.filter(|(rows, _)| width(rows) > 1).or_else(blanks);
    let Some((rows, delimiter)) = best.filter(|(rows, _)| !rows.is_empty()) else {
        return Err(not_rows("expected a header and rows below it, with more than one column"));
    };
    let width = width(&rows);
    let mut rows = rows.into_iter().skip_while(|(_, row)| row.len() != width);
    let (line, header) = rows.next().unwrap_or_default();
    let rows = rows.map(|(_, row)| row).filter(|row| row.len() == width).collect();
    Ok(Table { encoding, delimiter, skip: line.saturating_sub(1), header, rows })
}

/// The first bytes of the first text of a file.
fn beginning(path: &Path, dialect: Dialect) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut texts = Texts::open(path, &dialect, &Arc::default())?;
    if let Some(text) = texts.next()? {
        text.reader.take(LOOKED_AT).read_to_end(&mut bytes).map_err(|e| Error::file(path, e))?;
    }
    Ok(bytes)
}

/// Rows with the lines on which they begin.
fn rows(text: &str, delimiter: Delimiter) -> Vec<(u64, Vec<String>)> {
    let dialect = Dialect { delimiter: Some(delimiter), ..Dialect::default() };
    let Ok(mut records) = Records::open(text.as_bytes(), &dialect) else { return Vec::new() };
    let mut rows = Vec::new();
    while rows.len() < ROWS_MAX {
        match records.next() {
            Ok(Found::Row) => {
                let line = records.line();
                rows.push((line, records.row().cells().map(|cell| cell.trim().to_owned()).collect()));
            }
            Ok(Found::End | Found::Long) | Err(_) => break,
            Ok(_) => {}
        }
    }
    rows
}

/// The number of cells that most rows have.
fn width(rows: &[(u64, Vec<String>)]) -> usize {
    let counts = rows.iter().map(|(_, row)| row.len());
    let mut best = (0, 0);
    for width in counts {
        let many = rows.iter().take(200).filter(|(_, row)| row.len() == width).count();
        best = best.max((many, width));
        if many * 2 > rows.len().min(200) {
            break;
        }
    }
    best.1
}

/// The mapping as text.
fn written(name: &str, table: &Table, columns: &[Column], roles: &Roles<'_>) -> String {
    let mut out = String::new();
    let rows = table.rows.len();
    let _ = writeln!(
        out,
        "# A first mapping, by the first {rows} rows. Guesses are marked with a question mark: look at each,"
    );
    out.push_str("# then see what comes out: vitals map try FILE --mapping THIS\n");
    let _ = writeln!(out, "name: {}", quoted(name));
    if let Some(encoding) = table.encoding {
        let _ = writeln!(out, "encoding: {encoding}   # found: it is not UTF-8; iso-8859-15 and others are possible?");
    }
    if table.skip > 0 {
        let _ = writeln!(out, "skip: {}   # found: lines before the header", table.skip);
    }
    if table.delimiter != "," {
        let _ = writeln!(out, "delimiter: {}   # found", table.delimiter);
    }
    out.push_str(&roles.written(columns));
    out
}

/// A name as YAML writes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " _-().".contains(c);
    let is_plain = name.chars().all(plain)
        && name.starts_with(char::is_alphabetic)
        && !["yes", "no", "true", "false", "null", "on", "off"].contains(&name.to_lowercase().as_str())
        && !name.ends_with(' ');
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests;
