//! What the fuzz targets of `fuzz/` run: anything may come in, and all that may come out is events, rejections and errors.
//!
//! Only there with the feature `fuzzing`.

use std::{io::Read, path::Path, sync::Arc};

use jiff::tz::TimeZone;

use crate::{
    HISTORY_FLOOR_US,
    event::Context,
    files::{Text, Texts},
    mapping::Mapping,
    near::UnknownTypes,
    object::{self, Objects},
    records::{Delimiter, Dialect, Found, Records},
};

/// Bytes that a file may unpack to here: more only takes time.
const UNPACKED_MAX: u64 = 4 << 20;

/// Reads a mapping.
pub fn mapping(text: &str) {
    parsed(text);
}

fn parsed(text: &str) -> Option<Mapping> {
    Mapping::parse("m.yaml", text, &TimeZone::UTC, UnknownTypes::default()).ok()
}

/// Reads rows in a dialect that the first two bytes choose; every byte of the text is in one row, or was skipped.
pub fn records(bytes: &[u8]) {
    let [kind, size, text @ ..] = bytes else { return };
    let delimiter = match kind % 7 {
        0 => None,
        1 => Some(Delimiter::Whitespace),
        2 => Some(Delimiter::Widths([usize::from(size % 5) + 1, 3].into())),
        3 => Some(Delimiter::Char('§')),
        4 => Some(Delimiter::Char('\t')),
        5 => Some(Delimiter::Char(';')),
        _ => Some(Delimiter::Char('\'')),
    };
    let dialect =
        Dialect { delimiter, skip: u64::from(size / 128), footer: usize::from(size / 16 % 8), ..Dialect::default() };
    let mut records = Records::open(text, &dialect).expect("memory is read");
    let (mut seen, mut line) = (records.before().len(), 0);
    loop {
        let found = records.next().expect("memory is read");
        match found {
            Found::End => break,
            Found::Row if seen.is_multiple_of(2) => {
                records.header();
            }
            Found::Row => records.row().trim(2),
            Found::LeftOut(_) | Found::Wrong(_) | Found::Long => {}
        }
        assert!(records.line() > line, "rows are in order");
        line = records.line();
        seen += records.verbatim().len();
        if found == Found::Long {
            let mut rest = Vec::new();
            records.rest(&mut rest).expect("memory is read");
            seen += rest.len();
        }
    }
    assert!(seen <= text.len(), "no byte is read twice");
}

/// Reads all texts of a file.
pub fn files(bytes: &[u8], path: &Path) {
    std::fs::write(path, bytes).expect("the folder can be written");
    let Ok(mut texts) = Texts::open(path, &Dialect::default(), &Arc::default()) else { return };
    for _ in 0..4 {
        let Ok(Some(Text { reader, .. })) = texts.next() else { return };
        let mut text = Vec::new();
        let _ = reader.take(UNPACKED_MAX).read_to_end(&mut text);
    }
}

/// Maps the rows or objects of a text: what comes before the first 0 is the mapping.
pub fn rows(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else { return };
    let Some(mapping) = std::str::from_utf8(&bytes[..end]).ok().and_then(parsed) else { return };
    let text = &bytes[end + 1..];
    let context = Context {
        now_us: 1_800_000_000_000_000,
        until_us: 1_800_000_000_000_000,
        floor_us: HISTORY_FLOOR_US,
        unknown_types: UnknownTypes::default(),
        source: "import".to_owned(),
        tenant: String::new(),
    };
    if mapping.is_json() { objects(&mapping, text, &context) } else { delimited(&mapping, text, &context) }
}

fn delimited(mapping: &Mapping, text: &[u8], context: &Context) {
    let mut records = Records::open(text, mapping.dialect()).expect("memory is read");
    let Ok(mut layout) = mapping.bind_listed() else { return };
    let mut made = Vec::new();
    loop {
        match (records.next().expect("memory is read"), &layout) {
            (Found::End, _) | (Found::Wrong(_) | Found::Long, None) => return,
            (Found::Row, None) => match mapping.bind(&mut records) {
                Ok(bound) => layout = Some(bound),
                Err(_) => return,
            },
            (Found::Row, Some(layout)) => {
                let row = records.row();
                if layout.fit(row).is_ok() && layout.leaves_out(row).is_ok() {
                    made.clear();
                    let fate = if mapping.groups() {
                        layout.group(row).map(drop)
                    } else {
                        layout.row(row, context, &mut made).map(drop)
                    };
                    assert!(fate.is_ok() || made.is_empty(), "all events of a row, or none");
                }
            }
            (Found::Long, Some(_)) => records.rest(&mut std::io::sink()).expect("memory is read"),
            (Found::LeftOut(_) | Found::Wrong(_), _) => {}
        }
    }
}

fn objects(mapping: &Mapping, mut text: &[u8], context: &Context) {
    let (mut objects, mut made) = (Objects::default(), Vec::new());
    loop {
        match objects.next(&mut text).expect("memory is read") {
            object::Found::End => return,
            object::Found::Wrong(_) => {}
            object::Found::Object => {
                let Ok(records) = object::raw(objects.verbatim()).and_then(|raw| mapping.records(raw)) else {
                    continue;
                };
                for record in records {
                    made.clear();
                    let fate = mapping.object(record, context, &mut made);
                    assert!(fate.is_ok() || made.is_empty(), "all events of an object, or none");
                }
            }
        }
    }
}
