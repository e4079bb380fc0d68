//! Whether a time format can be read at all: asked once, when the mapping loads, not row by row.
//!
//! A sample time is written with the format and read back. So what can be written but not read (`%Z`), what no directive
//! is (`YYYY-MM-DD`) and what names no day are found without a list of directives of our own.

use jiff::{
    civil::date,
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};

/// Words of other notations, with their directives; longer ones first.
const WORDS: [(&str, &str); 15] = [
    ("YYYY", "%Y"),
    ("yyyy", "%Y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("YY", "%y"),
    ("yy", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("SS", "%S"),
    ("ss", "%S"),
    ("Z", "%z"),
];

/// Says why rows cannot be read with this format, and what to write instead.
pub(super) fn check(format: &str) -> Result<(), String> {
    if !format.contains('%') {
        return Err(format!("is {format:?}, which has no directives; expected {:?}", translated(format)));
    }
    if format.contains("%Z") {
        return Err(format!(
            "is {format:?}, but %Z, the abbreviation of a zone, cannot be read: CST has four meanings; expected %z for \
             an offset such as -0800; or cut it off, and name the zone: {{column: ..., format: ..., zone: \
             America/Los_Angeles}}"
        ));
    }
    // Two digits of everything, and a fraction.
    let sample = date(2023, 11, 22).at(13, 45, 56, 123_456_000).to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
    let read = strtime::format(format, &sample).and_then(|text| strtime::parse(format, text));
    let read = read.map_err(|error| format!("is {format:?}, which cannot be read: {error}"))?;
    if !names_a_day(&read) {
        return Err(format!("is {format:?}, which names no day; expected year, month and day such as %Y-%m-%d"));
    }
    Ok(())
}

fn names_a_day(read: &BrokenDownTime) -> bool {
    read.to_timestamp().is_ok() || read.to_datetime().is_ok() || read.to_date().is_ok()
}

/// The format in directives, as far as its words are known.
fn translated(format: &str) -> String {
    let (mut out, mut rest) = (String::new(), format);
    while let Some(first) = rest.chars().next() {
        match WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, directive)) => {
                out.push_str(directive);
                rest = &rest[word.len()..];
            }
            None => {
                // ISO 8601 in the notation of Java: yyyy-MM-dd'T'HH:mm.
                out.extend(Some(first).filter(|c| *c != '\''));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if out == format { "%Y-%m-%d".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_passes() {
        for format in [
            "%Y-%m-%d",
            "%d.%m.%Y",
            "%m/%d/%y",
            "%Y%m%d",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%d %H:%M:%S %z",
            "%Y-%m-%dT%H:%M:%S%.f%:z",
            "%d %b %Y",
            "%A, %B %d, %Y",
            "%m/%d/%Y %I:%M %p",
            "%s",
            "%F %T",
            "%Y-%j",
        ] {
            assert_eq!(check(format), Ok(()), "{format}");
        }
    }

    #[test]
    fn what_cannot_is_refused_with_the_cure() {
        for (format, expected) in [
            ("YYYY-MM-DD", "is \"YYYY-MM-DD\", which has no directives; expected \"%Y-%m-%d\""),
            ("DD.MM.YYYY HH:mm:ss", "which has no directives; expected \"%d.%m.%Y %H:%M:%S\""),
            ("yyyy-MM-dd'T'HH:mm", "expected \"%Y-%m-%dT%H:%M\""),
            ("iso", "which has no directives; expected \"%Y-%m-%d\""),
            ("%Y-%m-%d %H:%M:%S %Z", "but %Z, the abbreviation of a zone, cannot be read"),
            ("%H:%M", "which names no day; expected year, month and day such as %Y-%m-%d"),
            ("%Y-%m", "which names no day"),
            ("%Y-%m-%d %E", "which cannot be read: "),
        ] {
            let found = check(format).expect_err(format);
            assert!(found.contains(expected), "expected {expected}\n   found {found}");
        }
    }
}
