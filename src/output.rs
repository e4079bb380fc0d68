//! How answers look: values for people, tables, and CSV that a spreadsheet does not run.

use std::io::Write;

use anyhow::Result;

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One object a line.
    Json,
    /// RFC 4180.
    Csv,
}

/// A table with a header, or "no rows".
pub(crate) fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut dyn Write) -> Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header(header.to_vec());
    let mut any = false;
    for row in rows {
        any = true;
        table.add_row(row);
    }
    if any {
        writeln!(out, "{table}")?
    } else {
        writeln!(out, "no rows")?
    }
    Ok(())
}

/// CSV with a header.
pub(crate) fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut dyn Write) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row.into_iter().map(harmless))?;
    }
    Ok(writer.flush()?)
}

/// A spreadsheet takes what begins like this for a formula; a number is left as it is.
fn harmless(cell: String) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell }
}

/// A value as a person says it: money in major units, ratios in percent, seconds as a duration.
pub(crate) fn value(value: f64, unit: &str, currency: &str) -> String {
    match unit {
        _ if !currency.is_empty() => {
            let digits = minor_digits(currency);
            let scale = (0..digits).fold(1.0, |scale, _| scale * 10.0);
            format!("{:.*} {currency}", digits, value / scale)
        }
        "ratio" => format!("{:.2} %", value * 100.0),
        "seconds" => duration(value),
        _ => format!("{value}"),
    }
}

/// ISO 4217: currencies whose minor unit is not a hundredth.
fn minor_digits(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

fn duration(seconds: f64) -> String {
    match seconds.abs() {
        size if size >= 86_400.0 => format!("{:.1} d", seconds / 86_400.0),
        size if size >= 3_600.0 => format!("{:.1} h", seconds / 3_600.0),
        size if size >= 60.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_for_people() {
        assert_eq!(value(250_031_563.0, "money", "USD"), "2500315.63 USD");
        assert_eq!(value(1234.0, "money", "JPY"), "1234 JPY");
        assert_eq!(value(0.125, "ratio", ""), "12.50 %");
        assert_eq!(value(5_400.0, "seconds", ""), "1.5 h");
        assert_eq!(value(7.0, "count", ""), "7");
    }

    #[test]
    fn formulas_are_escaped_and_numbers_are_not() {
        let mut out = Vec::new();
        csv(&["a"], ["=1+1", "-5", "@x", "a,\"b"].map(|cell| vec![cell.to_owned()]).into_iter(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\r\n'=1+1\r\n-5\r\n'@x\r\n\"a,\"\"b\"\r\n");
    }

    #[test]
    fn an_empty_table_says_so() {
        let mut out = Vec::new();
        table(&["a"], std::iter::empty(), &mut out).unwrap();
        assert_eq!(out, b"no rows\n");
    }
}
