//! How the files of a mapping are written: from the keys of the mapping to what the readers of files ask.
//!
//! It does not know what columns mean.

use encoding_rs::Encoding;
use serde_saphyr::Spanned;

use crate::records::{Delimiter, Dialect};

use super::{at, document::Document};

/// Characters of one cell of fixed width.
const WIDTH_MAX: u32 = 1 << 20;

/// Reads and checks the keys.
pub(super) fn read(document: &Document) -> Result<Dialect, String> {
    Ok(Dialect {
        delimiter: cells(document)?,
        encoding: document.encoding.as_ref().map(encoding).transpose()?,
        skip: document.skip.into(),
        footer: document.footer.into(),
        member: document.member.clone(),
        sheet: document.sheet.clone(),
    })
}

/// That columns which are named have widths.
pub(super) fn check(document: &Document, columns: &[String]) -> Result<(), String> {
    match &document.widths {
        Some(widths) if widths.len() != columns.len() => {
            Err(format!("widths: are {}, expected one for each of the {} columns", widths.len(), columns.len()))
        }
        _ => Ok(()),
    }
}

/// What tells cells apart, if the mapping says so.
fn cells(document: &Document) -> Result<Option<Delimiter>, String> {
    match (&document.delimiter, &document.widths) {
        (Some(text), Some(_)) => Err(format!("{}: delimiter is there beside widths, expected one of them", at(text))),
        (Some(text), None) => delimiter(text).map(Some),
        (None, Some(each)) => widths(each).map(Some),
        (None, None) => Ok(None),
    }
}

fn delimiter(text: &Spanned<String>) -> Result<Delimiter, String> {
    let mut chars = text.value.chars();
    match (text.value.as_str(), chars.next(), chars.next()) {
        ("whitespace", ..) => Ok(Delimiter::Whitespace),
        ("tab", ..) => Ok(Delimiter::Char('\t')),
        (_, Some(one), None) if one != '"' => Ok(Delimiter::Char(one)),
        _ => Err(format!("{}: delimiter is {:?}, expected one character, tab or whitespace", at(text), text.value)),
    }
}

fn widths(each: &[Spanned<u32>]) -> Result<Delimiter, String> {
    if each.is_empty() {
        return Err(
            "widths: is empty, expected the number of characters of each column, such as [10, 8, 12]".to_owned()
        );
    }
    if let Some(wrong) = each.iter().find(|width| !(1..=WIDTH_MAX).contains(&width.value)) {
        return Err(format!("{}: a width is {}, expected 1 to {WIDTH_MAX} characters", at(wrong), wrong.value));
    }
    Ok(Delimiter::Widths(each.iter().map(|width| width.value as usize).collect()))
}

fn encoding(label: &Spanned<String>) -> Result<&'static Encoding, String> {
    Encoding::for_label(label.value.as_bytes()).ok_or_else(|| {
        let name = &label.value;
        format!(
            "{}: encoding {name} is not known, expected a label such as windows-1252, iso-8859-15 or utf-16le",
            at(label)
        )
    })
}
