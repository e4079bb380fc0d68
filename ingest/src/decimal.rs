//! Exact decimal numbers as JSON and delimited files write them: no floats anywhere near money.
//!
//! At most 18 significant digits and 18 fraction digits, so that comparisons fit an `i128`.

use std::{cmp::Ordering, fmt};

use expr::rational::Rational;
use serde::Deserialize;

/// `digits / 10^scale`, without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    scale: u32,
}

const MAX: i128 = 1_000_000_000_000_000_000;

/// How a number with more decimal places than there may be is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Round {
    /// To the nearest, a half to the even neighbour.
    HalfEven,
    /// To the nearest, a half away from zero.
    HalfUp,
    /// Towards zero.
    Down,
}

impl Decimal {
    pub(crate) const fn whole(value: i64) -> Self {
        Self { digits: value as i128, scale: 0 }
    }

    /// Reads `-12.50e3`; `None` when it is no number or outside the limits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match rest.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok().filter(|e| e.abs() <= 64)?),
            None => (rest, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (number.contains('.') && fraction.is_empty()) {
            return None;
        }
        let mut digits: i128 = 0;
        let mut scale: i32 = 0;
        // Zeros are held back until a digit follows, so that trailing ones cost nothing.
        let mut zeros: u32 = 0;
        for (at, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
            if !byte.is_ascii_digit() {
                return None;
            }
            zeros += 1;
            if byte != b'0' {
                digits = 10_i128.checked_pow(zeros).and_then(|by| digits.checked_mul(by))? + i128::from(byte - b'0');
                zeros = 0;
                scale = i32::try_from(at + 1).ok()? - i32::try_from(whole.len()).ok()?;
            }
            if digits >= MAX {
                return None;
            }
            if digits == 0 {
                zeros = 0;
            }
        }
        if digits == 0 {
            return Some(Self::whole(0));
        }
        let scale = scale - exponent;
        let digits = if negative { -digits } else { digits };
        match u32::try_from(scale) {
            Ok(scale) if scale <= 18 => Some(Self { digits, scale }),
            Ok(_) => None,
            Err(_) => {
                let digits = 10_i128.checked_pow(scale.unsigned_abs()).and_then(|by| digits.checked_mul(by))?;
                (digits.abs() <= MAX).then_some(Self { digits, scale: 0 })
            }
        }
    }

    /// The integer, if it is one.
    pub(crate) fn integer(self) -> Option<i64> {
        self.shifted(0)
    }

    /// `self * 10^places` if that is an integer: major units to minor ones.
    pub(crate) fn shifted(self, places: u32) -> Option<i64> {
        let up = places.checked_sub(self.scale)?;
        i64::try_from(self.digits.checked_mul(10_i128.checked_pow(up)?)?).ok()
    }
}

impl Decimal {
    /// The same as a quotient.
    pub(crate) fn rational(self) -> Option<Rational> {
        Rational::new(self.digits, 10_i128.checked_pow(self.scale)?)
    }

    /// `self * 10^places`, rounded.
    pub(crate) fn rounded(self, places: u32, how: Round) -> Option<i64> {
        self.times(10_i128.checked_pow(places)?, how)
    }

    /// `self * factor`, rounded.
    pub(crate) fn times(self, factor: i128, how: Round) -> Option<i64> {
        let (product, over) = (self.digits.checked_mul(factor)?, 10_i128.checked_pow(self.scale)?);
        let (whole, rest) = (product / over, (product % over).abs());
        let away = match (how, (2 * rest).cmp(&over)) {
            (Round::Down, _) | (_, Ordering::Less) => false,
            (_, Ordering::Greater) | (Round::HalfUp, Ordering::Equal) => true,
            (Round::HalfEven, Ordering::Equal) => whole % 2 != 0,
        };
        i64::try_from(whole + if away { product.signum() } else { 0 }).ok()
    }
}

/// The number that a text with a decimal comma means: `1.234,5` is `1234.5`. None for `1,234`, which may be either.
pub(crate) fn of_comma(text: &str) -> Option<String> {
    let (whole, fraction) = text.trim().split_once(',').filter(|(_, fraction)| fraction.len() != 3)?;
    let number = format!("{}.{fraction}", whole.replace('.', ""));
    Decimal::parse(&number).map(|_| number)
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        let at = |d: &Self| d.digits * 10_i128.pow(scale - d.scale);
        at(self).cmp(&at(other))
    }
}

/// The shortest text: `12.5`, `-0.25`, `0`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10_i128.pow(self.scale).unsigned_abs();
        let (whole, fraction) = (self.digits.unsigned_abs() / power, self.digits.unsigned_abs() % power);
        let sign = if self.digits < 0 { "-" } else { "" };
        match usize::try_from(self.scale) {
            Ok(scale) if scale > 0 => write!(f, "{sign}{whole}.{fraction:0scale$}"),
            _ => write!(f, "{sign}{whole}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly() {
        for (text, places, minor) in [
            ("11.77", 2, Some(1177)),
            ("11.7", 2, Some(1170)),
            ("12", 2, Some(1200)),
            ("0.00", 2, Some(0)),
            ("-0.01", 2, Some(-1)),
            ("11.775", 2, None),
            ("11.770", 2, Some(1177)),
            ("1e3", 0, Some(1000)),
            ("1.5e3", 0, Some(1500)),
            ("1500e-3", 1, Some(15)),
            ("0.1", 0, None),
            ("100000.0", 0, Some(100_000)),
            ("1000000000000000", 0, Some(1_000_000_000_000_000)),
        ] {
            assert_eq!(Decimal::parse(text).and_then(|d| d.shifted(places)), minor, "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e", "1e999", "x", "1 2", "+1", "9999999999999999999", "1e-30", "--1", "1_0"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for (text, shortest) in
            [("8.50", "8.5"), ("-0.25", "-0.25"), ("1e3", "1000"), ("-0.0", "0"), ("5e-18", "0.000000000000000005")]
        {
            assert_eq!(Decimal::parse(text).expect("a decimal").to_string(), shortest);
        }
        assert!(Decimal::parse("9.5") > Decimal::parse("9"));
        assert!(Decimal::parse("-1") < Decimal::parse("0.5"));
    }

    #[test]
    fn rounds_as_it_is_asked_to() {
        for (text, even, up, down) in [
            ("2.345", 234, 235, 234),
            ("2.355", 236, 236, 235),
            ("-2.345", -234, -235, -234),
            ("-0.006", -1, -1, 0),
            ("2.3", 230, 230, 230),
        ] {
            let of = |how| Decimal::parse(text).and_then(|number| number.rounded(2, how));
            assert_eq!(
                [Round::HalfEven, Round::HalfUp, Round::Down].map(of),
                [Some(even), Some(up), Some(down)],
                "{text}"
            );
        }
    }

    #[test]
    fn a_decimal_comma_is_a_point() {
        let of = |text| of_comma(text).unwrap_or_default();
        assert_eq!(["19,99", "1.234,5", "-0,5"].map(of), ["19.99", "1234.5", "-0.5"]);
        assert_eq!(["1,234", "19.99", "a,b", "1,2,3", ","].map(of), [""; 5]);
    }
}
