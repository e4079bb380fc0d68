//! Numbers as people read them: grouped, money in major units, ratios in percent, spans of time in two units.
//!
//! Money is rounded once, to the minor unit, half to even, as everywhere. It does not know where a number stands; a
//! [`Notation`] is chosen for a column, so that its decimal points stand below each other.

use store::sheet::{major, places, shifted};

/// How the values of one column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Major units of a currency with so many decimals; the code is not written.
    Money(usize),
    /// Hundredths.
    Percent,
    /// Seconds.
    Duration,
    /// Days.
    Days,
    /// Of a goal, in words.
    State,
    /// With so many decimals.
    Plain(usize),
}

impl Notation {
    /// For values of this unit; money needs its currency, without one it stays in minor units. What is counted by
    /// currency, such as the retention of revenue, is no money.
    pub(crate) fn of(unit: &str, currency: &str, values: impl IntoIterator<Item = f64>) -> Self {
        match unit {
            _ if is_money(unit) && !currency.is_empty() => Notation::Money(places(currency)),
            "ratio" => Notation::Percent,
            "seconds" => Notation::Duration,
            "days" => Notation::Days,
            "state" => Notation::State,
            _ => Notation::Plain(values.into_iter().map(decimals).max().unwrap_or(0)),
        }
    }

    /// A value.
    pub(crate) fn text(&self, value: f64) -> String {
        match self {
            Notation::Money(places) => grouped(&major(value, *places)),
            Notation::Percent => grouped(&format!("{:.2} %", unsigned_zero(value * 100.0, 2))),
            Notation::Duration => duration(value),
            Notation::Days => counted(value, "day"),
            Notation::State => state(value).to_owned(),
            Notation::Plain(decimals) => grouped(&format!("{:.*}", *decimals, unsigned_zero(value, *decimals))),
        }
    }
}

/// What a state of a goal is called.
fn state(value: f64) -> &'static str {
    match value {
        value if value > 1.5 => "met",
        value if value > 0.5 => "on track",
        value if value > -0.5 => "behind",
        _ => "missed",
    }
}

/// Whether values of this unit are amounts: `money`, `money per day`.
pub(crate) fn is_money(unit: &str) -> bool {
    unit.starts_with("money")
}

/// A value on its own, with its currency: `12.50 EUR`, `98.50 % (EUR)`.
pub(crate) fn alone(value: f64, unit: &str, currency: &str) -> String {
    let text = Notation::of(unit, currency, [value]).text(value);
    match currency {
        "" => text,
        _ if is_money(unit) => format!("{text} {currency}"),
        _ => format!("{text} ({currency})"),
    }
}

/// A sum of minor units in major units, with all the currency's decimals, whatever its size.
pub(crate) fn exact_decimal(minor: i128, currency: &str) -> String {
    shifted(&minor.unsigned_abs().to_string(), minor < 0, places(currency))
}

/// How many, and of what, for tables: `1 line`, `1,234 lines`.
pub(crate) fn count_of(count: impl ToString, noun: &str) -> String {
    grouped(&plain_count_of(count, noun))
}

/// The same in summaries, which scripts read too: `1234 lines`.
pub(crate) fn plain_count_of(count: impl ToString, noun: &str) -> String {
    let digits = count.to_string();
    let plural = if digits == "1" { "" } else { "s" };
    format!("{digits} {noun}{plural}")
}

/// Thousands apart: `1234567.80 EUR` is `1,234,567.80 EUR`.
pub(crate) fn grouped(number: &str) -> String {
    let digits = number.trim_start_matches('-').bytes().take_while(u8::is_ascii_digit).count();
    let start = number.len() - number.trim_start_matches('-').len();
    let mut out = number[..start].to_owned();
    for (at, digit) in number[start..start + digits].chars().enumerate() {
        if at > 0 && (digits - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + &number[start + digits..]
}

/// Decimals that a value needs, at most two.
fn decimals(value: f64) -> usize {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').rsplit_once('.').map_or(0, |(_, rest)| rest.len())
}

/// What rounds to zero has no sign.
fn unsigned_zero(value: f64, decimals: usize) -> f64 {
    let shown = format!("{value:.decimals$}");
    if shown.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { value } else { 0.0 }
}

/// `850 ms`, `12.5 s`, `4 min 30 s`, `2 h 5 min`, `3 d 4 h`.
fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let size = seconds.abs();
    let pair = |unit: f64, name: &str, part: f64, below: &str| {
        let parts = (size / part).round();
        let rest = parts % (unit / part);
        let first = grouped(&format!("{:.0}", (parts - rest) / (unit / part)));
        if rest == 0.0 { format!("{first} {name}") } else { format!("{first} {name} {rest:.0} {below}") }
    };
    // Each limit is where the smaller form would round up to the larger unit.
    let text = match size {
        0.0 => "0 s".to_owned(),
        _ if size < 0.9995 => format!("{:.0} ms", size * 1_000.0),
        _ if size < 59.95 => format!("{size:.1} s"),
        _ if size < 3_599.5 => pair(60.0, "min", 1.0, "s"),
        _ if size < 86_370.0 => pair(3_600.0, "h", 60.0, "min"),
        _ => pair(86_400.0, "d", 3_600.0, "h"),
    };
    format!("{sign}{text}")
}

fn counted(value: f64, noun: &str) -> String {
    count_of(format!("{:.*}", decimals(value), value), noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_for_people() {
        for (value, unit, currency, expected) in [
            (250_031_563.0, "money", "USD", "2,500,315.63 USD"),
            (-5.0, "money", "EUR", "-0.05 EUR"),
            (-0.4, "money", "EUR", "0.00 EUR"),
            (1_234.0, "money", "JPY", "1,234 JPY"),
            (1_234.0, "money", "KWD", "1.234 KWD"),
            (9_007_199_254_740_993.0, "money", "EUR", "90,071,992,547,409.92 EUR"),
            (1_234.5, "money", "EUR", "12.34 EUR"),
            (1_235.5, "money", "EUR", "12.36 EUR"),
            (1_250.0, "money per day", "EUR", "12.50 EUR"),
            (0.125, "ratio", "", "12.50 %"),
            (1.014_149, "ratio", "EUR", "101.41 % (EUR)"),
            (7.0, "count", "EUR", "7 (EUR)"),
            (-0.000_01, "ratio", "", "0.00 %"),
            (12.5, "ratio", "", "1,250.00 %"),
            (7.0, "count", "", "7"),
            (1_234_567.0, "count", "", "1,234,567"),
            (33.333, "points", "", "33.33"),
            (72.5, "points", "", "72.5"),
            (2.0, "state", "", "met"),
            (1.0, "state", "", "on track"),
            (0.0, "state", "", "behind"),
            (-1.0, "state", "", "missed"),
            (7.0, "days", "", "7 days"),
            (1.0, "days", "", "1 day"),
        ] {
            assert_eq!(alone(value, unit, currency), expected, "{value} {unit}");
        }
    }

    #[test]
    fn spans_of_time_have_two_units() {
        for (seconds, expected) in [
            (0.0, "0 s"),
            (0.85, "850 ms"),
            (12.5, "12.5 s"),
            (59.96, "1 min"),
            (270.0, "4 min 30 s"),
            (3_599.6, "1 h"),
            (7_500.0, "2 h 5 min"),
            (86_399.0, "1 d"),
            (273_600.0, "3 d 4 h"),
            (-90.0, "-1 min 30 s"),
            (86_400_000.0, "1,000 d"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn a_column_has_the_decimals_of_its_longest() {
        let points = Notation::of("points", "", [72.5, 80.0]);
        assert_eq!([72.5, 80.0].map(|value| points.text(value)), ["72.5", "80.0"]);
    }

    #[test]
    fn minor_units_are_written_with_the_digits_of_their_currency() {
        let of = exact_decimal;
        assert_eq!(
            [of(-5, "EUR"), of(123_456, "USD"), of(12, "JPY"), of(1_234, "KWD")],
            ["-0.05", "1234.56", "12", "1.234"]
        );
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 1_234].map(|count| count_of(count, "line")), ["0 lines", "1 line", "1,234 lines"]);
    }

    #[test]
    fn numbers_are_grouped() {
        for (plain, expected) in [
            ("0", "0"),
            ("999", "999"),
            ("1234567.80 EUR", "1,234,567.80 EUR"),
            ("-1234", "-1,234"),
            ("12.50 %", "12.50 %"),
        ] {
            assert_eq!(grouped(plain), expected);
        }
    }
}
