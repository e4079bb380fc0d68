//! Lengths of time as people write them: `30s`, `15m`, `2h`, `7d`, `2w`, `1h30m`. A day is 24 hours.

use processor_core::calendar::Time;

const UNITS: [(&str, Time); 5] = [
    ("s", 1_000_000),
    ("m", 60 * 1_000_000),
    ("h", 3_600 * 1_000_000),
    ("d", 86_400 * 1_000_000),
    ("w", 7 * 86_400 * 1_000_000),
];

/// Microseconds of a length of time; 0 only for `0` and `0s`.
///
/// # Errors
/// A message with an example.
pub(crate) fn parse(text: &str) -> Result<Time, String> {
    let wrong = || format!("`{text}` is no length of time; write one like 30s, 15m, 2h, 7d, 2w or 1h30m");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(0);
    }
    let mut total: Time = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: Time = rest[..digits].parse().map_err(|_| wrong())?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = UNITS.iter().find(|(name, _)| *name == &after[..letters]).ok_or_else(wrong)?.1;
        total = number.checked_mul(unit).and_then(|more| total.checked_add(more)).ok_or_else(wrong)?;
        rest = &after[letters..];
    }
    if text.trim().is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A length of time in words: `14 days`, `2 hours`, `90 minutes`.
pub(crate) fn words(span: Time) -> String {
    let (unit, name) = [(UNITS[3].1, "day"), (UNITS[2].1, "hour"), (UNITS[1].1, "minute")]
        .into_iter()
        .find(|(unit, _)| span % unit == 0 && span > 0)
        .unwrap_or((UNITS[0].1, "second"));
    let number = span / unit;
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, seconds) in [("0", 0), ("30s", 30), ("15m", 900), ("1h30m", 5_400), ("2w", 14 * 86_400)] {
            assert_eq!(parse(text), Ok(seconds * 1_000_000), "{text}");
        }
        for text in ["", "7", "7x", "d", "-1d", "1.5h", "99999999999999999d"] {
            assert!(parse(text).unwrap_err().contains("no length of time"), "{text}");
        }
        assert_eq!(words(14 * UNITS[3].1), "14 days");
        assert_eq!(words(5_400_000_000), "90 minutes");
        assert_eq!(words(UNITS[2].1), "1 hour");
    }
}
