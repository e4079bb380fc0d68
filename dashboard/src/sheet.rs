//! CSV: RFC 4180, and a spreadsheet runs nothing in it.

use crate::{api::Answer, fault::Fault};

/// A table as CSV.
pub(crate) fn answer(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Answer, Fault> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: csv::Error| Fault::of(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| store::sheet::harmless(cell))).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(csv::Error::from(error.into_error())))?;
    Ok(Answer::new("text/csv; charset=utf-8", bytes))
}

/// A cell of what may be missing.
pub(crate) fn cell(of: Option<impl ToString>) -> String {
    of.map(|of| of.to_string()).unwrap_or_default()
}
