//! What the cells of a column look like.

use std::collections::BTreeSet;

use jiff::fmt::strtime;

use super::Table;

/// Values that are shown of a column.
const SHOWN: usize = 6;

/// Formats of times that are tried, the likelier of two first.
const FORMATS: [&str; 20] = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%dT%H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d-%m-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%b %d, %Y",
    "%d %b %Y",
    "%Y/%m/%d",
    "%Y%m%d",
];

/// One column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Lower case, words apart by single blanks.
    pub(super) words: String,
    /// Cells that are not empty.
    pub(super) filled: usize,
    /// Whether no value is there twice.
    pub(super) is_unique: bool,
    /// Some of its values.
    pub(super) values: Vec<String>,
    /// Number of different values.
    pub(super) different: usize,
    /// How its times are written, if all are times.
    pub(super) formats: Vec<&'static str>,
    pub(super) numbers: Numbers,
    /// Most digits after a decimal point or comma.
    pub(super) decimals: usize,
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    None,
    /// As in `1234.56`.
    Plain,
    /// With thousands or a currency, and a decimal point.
    Point,
    /// With a decimal comma.
    Comma,
}

impl Column {
    pub(super) fn of(table: &Table, at: usize) -> Self {
        let cells: Vec<&str> = table.rows.iter().map(|row| row[at].as_str()).filter(|cell| !cell.is_empty()).collect();
        let different: BTreeSet<&str> = cells.iter().copied().collect();
        let name = table.header[at].clone();
        Self {
            words: words(&name),
            name,
            filled: cells.len(),
            is_unique: cells.len() > 1 && different.len() == cells.len(),
            values: different.iter().take(SHOWN).map(|value| (*value).to_owned()).collect(),
            different: different.len(),
            formats: formats(&cells),
            numbers: numbers(&cells),
            decimals: cells.iter().map(|cell| decimals(cell)).max().unwrap_or(0),
        }
    }

    /// Whether its name has one of these words.
    pub(super) fn is_called(&self, names: &[&str]) -> bool {
        let padded = format!(" {} ", self.words);
        names.iter().any(|name| padded.contains(&format!(" {name} ")))
    }

    pub(super) fn is_number(&self) -> bool {
        self.numbers != Numbers::None
    }
}

/// `Order ID`, `order_id` and `orderId` are `order id`.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_lowercase();
        if (begins || !c.is_alphanumeric()) && !words.ends_with(' ') {
            words.push(' ');
        }
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        }
        before = c;
    }
    words.trim().to_owned()
}

fn formats(cells: &[&str]) -> Vec<&'static str> {
    if cells.is_empty() {
        return Vec::new();
    }
    if cells.iter().all(|cell| crate::parse_rfc3339(cell).is_some()) {
        return vec![""];
    }
    let fits =
        |format: &&str| cells.iter().all(|cell| strtime::parse(format, cell).is_ok_and(|time| time.to_date().is_ok()));
    let found: Vec<&'static str> = FORMATS.into_iter().filter(|format| fits(format)).collect();
    if !found.is_empty() {
        return found;
    }
    let digits =
        |length| cells.iter().all(|cell| cell.len() == length && cell.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits(10), digits(13)) {
        (true, _) => vec!["unix"],
        (_, true) => vec!["unix_ms"],
        _ => Vec::new(),
    }
}

fn numbers(cells: &[&str]) -> Numbers {
    use crate::mapping::reads_number;
    let all = |decimal: Option<char>| !cells.is_empty() && cells.iter().all(|cell| reads_number(cell, decimal));
    match (all(None), all(Some('.')), all(Some(','))) {
        (true, ..) => Numbers::Plain,
        (_, true, _) => Numbers::Point,
        (.., true) => Numbers::Comma,
        _ => Numbers::None,
    }
}

fn decimals(cell: &str) -> usize {
    cell.rsplit_once(['.', ',']).map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count())
}
