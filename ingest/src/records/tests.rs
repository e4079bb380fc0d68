use proptest::prelude::*;

use super::{raw::LINES_MAX, *};
use crate::event;

/// Rows with the lines on which they begin; what is wrong as one cell.
fn rows(text: &[u8], delimiter: Delimiter) -> Vec<(u64, Vec<String>)> {
    all(text, &Dialect { delimiter: Some(delimiter), ..Dialect::default() })
}

fn all(text: &[u8], dialect: &Dialect) -> Vec<(u64, Vec<String>)> {
    let (mut records, mut rows) = (Records::open(text, dialect).unwrap(), Vec::new());
    loop {
        match records.next().unwrap() {
            Found::End => return rows,
            Found::Row => rows.push((records.line(), records.row().cells().map(str::to_owned).collect())),
            Found::Wrong(reason) => rows.push((records.line(), vec![reason.to_string()])),
            Found::LeftOut(name) => rows.push((records.line(), vec![format!("({name})")])),
            Found::Long => {
                let mut rest = Vec::new();
                records.rest(&mut rest).unwrap();
                rows.push((records.line(), vec![format!("long, and {} bytes", rest.len())]));
            }
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
        let dialect = Dialect { delimiter, skip, ..Dialect::default() };
        let mut records = Records::open(text.as_bytes(), &dialect).unwrap();
        assert_eq!(records.next().unwrap(), Found::Row);
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
fn the_rows_of_a_footer_are_left_out() {
    let of = |text: &str, footer| all(text.as_bytes(), &Dialect { footer, ..Dialect::default() });
    let left_out = |line| row(line, &["(footer)"]);
    assert_eq!(of("a\n1\n\ntotal,1\n\n", 1), [row(1, &["a"]), row(2, &["1"]), left_out(4)]);
    assert_eq!(of("a\n1\n2\n\"open\n", 2), [row(1, &["a"]), row(2, &["1"]), left_out(3), left_out(4)]);
    assert_eq!(of("a\n1\n", 3), [left_out(1), left_out(2)], "nothing else is there");
}

#[test]
fn a_line_that_is_too_long_waits_for_no_footer() {
    let text = format!("a\n{}\nb\n", "x".repeat(event::LINE_MAX + 10));
    let found = all(text.as_bytes(), &Dialect { footer: 1, ..Dialect::default() });
    assert_eq!(found, [row(2, &["long, and 9 bytes"]), row(1, &["a"]), row(3, &["(footer)"])]);
}

#[test]
fn a_long_line_is_one_wherever_it_stands() {
    let long = "x".repeat(event::LINE_MAX + 10);
    let expected = row(1, &["long, and 9 bytes"]);
    assert_eq!(of(&format!("{long}\n1\n")), [expected, row(2, &["1"])]);
    let open = row(1, &[&format!("cell 1{OPEN}")]);
    assert_eq!(of(&format!("\"a\n{long}\n1\n")), [open, row(2, &["long, and 9 bytes"]), row(3, &["1"])]);
}

#[test]
fn a_header_that_comes_again_is_left_out() {
    let mut records = Records::open(&b"a,b\n1,2\n\"a\",b\r\na,c\n"[..], &Dialect::default()).unwrap();
    assert_eq!(records.next().unwrap(), Found::Row);
    assert_eq!(records.header().cells().collect::<Vec<_>>(), ["a", "b"]);
    let found: Vec<Found> = (0..4).map(|_| records.next().unwrap()).collect();
    assert_eq!(found, [Found::Row, Found::LeftOut("repeated header"), Found::Row, Found::End]);
}

#[test]
fn cells_of_fixed_width_end_where_they_do() {
    let found = rows("name  qty\r\n\r\né     12\nabcdef1\n".as_bytes(), Delimiter::Widths([6, 3].into()));
    assert_eq!(found, [row(1, &["name", "qty"]), row(3, &["é", "12"]), row(4, &["abcdef", "1"])]);
}

#[test]
fn what_is_no_text_is_located() {
    let found = rows(b"a,b\nx,\xe9t\xe9\n", Delimiter::Char(','));
    let expected = "not UTF-8 at byte 3; name its encoding in the mapping, such as encoding: windows-1252";
    assert_eq!(found[1], row(2, &[expected]));
}

#[test]
fn broken_characters_make_no_whole_one_across_a_delimiter() {
    let at = |byte: u8| {
        format!("not UTF-8 at byte {byte}; name its encoding in the mapping, such as encoding: windows-1252")
    };
    assert_eq!(rows(b"\xe2\x82,\xac\n", Delimiter::Char(',')), [row(1, &[&at(1)])]);
    assert_eq!(rows(b"a\xc2\xa7\xe9\n", Delimiter::Char('\u{a7}')), [row(1, &[&at(4)])], "nor a replacement character");
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
    fn hostile_text_is_read_to_its_end(bytes: Vec<u8>, delimiter in prop::sample::select(vec![
        Delimiter::Char(','), Delimiter::Char('§'), Delimiter::Char('"'), Delimiter::Whitespace, Delimiter::Widths([3, 1].into()),
    ]), footer in 0_usize..3) {
        all(&bytes, &Dialect { delimiter: Some(delimiter), footer, ..Dialect::default() });
    }
}
