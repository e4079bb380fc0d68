//! CSV: RFC 4180, and a spreadsheet runs nothing in it.

use crate::{api::Answer, fault::Fault};

/// A table as CSV.
pub(crate) fn answer(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Answer, Fault> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: csv::Error| Fault::of(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell))).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(csv::Error::from(error.into_error())))?;
    Ok(Answer::new("text/csv; charset=utf-8", bytes))
}

/// A spreadsheet takes what begins like this for a formula; a number is left as it is.
fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell of what may be missing.
pub(crate) fn cell(of: Option<impl ToString>) -> String {
    of.map(|of| of.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_numbers_are_numbers() {
        let cells = ["=1+1", "+1", "-5", "@x", "\tx", "\r", "a,\"b", "-x"];
        let expected = ["'=1+1", "+1", "-5", "'@x", "'\tx", "'\r", "a,\"b", "'-x"];
        assert_eq!(cells.map(harmless), expected);
    }
}
