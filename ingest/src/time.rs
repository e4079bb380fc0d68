//! RFC 3339 to microseconds since the Unix epoch and back, strictly.

use jiff::Timestamp;

/// Reads an RFC 3339 time, rounded down to the microsecond. `None` when it is none.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    if !is_rfc3339(text.as_bytes()) {
        return None;
    }
    micros(text.parse().ok()?)
}

/// Microseconds since the Unix epoch, rounded down.
pub(crate) fn micros(instant: Timestamp) -> Option<i64> {
    i64::try_from(instant.as_nanosecond().div_euclid(1_000)).ok()
}

/// Writes a time in UTC, with as many fraction digits as it needs.
pub fn render_rfc3339(time_us: i64) -> String {
    Timestamp::from_microsecond(time_us).map_or_else(|_| format!("{time_us}us"), |t| t.to_string())
}

/// `2026-01-31`, on the calendar.
pub(crate) fn parse_date(text: &str) -> Option<jiff::civil::Date> {
    let shape = text.len() == 10 && matches(text.as_bytes(), b"dddd-dd-dd");
    if shape { text.parse().ok() } else { None }
}

fn matches(text: &[u8], pattern: &[u8]) -> bool {
    text.len() >= pattern.len()
        && text.iter().zip(pattern).all(|(byte, want)| if *want == b'd' { byte.is_ascii_digit() } else { byte == want })
}

/// The grammar of RFC 3339 section 5.6; jiff's own is wider.
fn is_rfc3339(text: &[u8]) -> bool {
    let Some((head, tail)) = text.split_at_checked(19) else { return false };
    let head: Vec<u8> = head.iter().map(|b| if *b == b't' { b'T' } else { *b }).collect();
    if !matches(&head, b"dddd-dd-ddTdd:dd:dd") {
        return false;
    }
    let zone = match tail.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        None => tail,
    };
    match zone {
        b"Z" | b"z" => true,
        [b'+' | b'-', rest @ ..] => rest.len() == 5 && matches(rest, b"dd:dd"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_and_floored() {
        for (text, us) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59.9999999Z", Some(-1)),
            ("1970-01-01T01:00:00.000001+01:00", Some(1)),
            ("1970-01-01t00:00:00z", Some(0)),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01 00:00:00Z", None),
            ("1970-01-01T00:00Z", None),
            ("1970-13-01T00:00:00Z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00Z[UTC]", None),
            ("1970-01-01T00:00:00+0100", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text), us, "{text}");
        }
        assert_eq!(render_rfc3339(1), "1970-01-01T00:00:00.000001Z");
    }
}
