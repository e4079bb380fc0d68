//! Decimal numbers of payloads as exact fractions, and rounding half to even.

use serde_json::Value;

/// Numerator and denominator; the denominator is positive.
pub type Fraction = (i128, i128);

/// The fraction that a JSON number writes, bare or as text: `4.5` is 45/10, `1e-3` is 1/1000. `None` for what is no
/// number, or too long.
pub fn fraction(value: &Value) -> Option<Fraction> {
    match value.as_str() {
        Some(text) => parse(text),
        None => parse(&value.as_number()?.to_string()),
    }
}

/// The fraction that a decimal text writes.
pub fn parse(text: &str) -> Option<Fraction> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, digits) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let number: i128 = format!("{whole}{digits}").parse().ok()?;
    let power = exponent.checked_sub(i32::try_from(digits.len()).ok()?)?;
    let ten = 10i128.checked_pow(power.unsigned_abs())?;
    if power < 0 { Some((number, ten)) } else { Some((number.checked_mul(ten)?, 1)) }
}

/// `num / den` as a whole number, half to even. `den` must be positive.
pub fn round(num: i128, den: i128) -> i128 {
    let (floor, rest) = (num.div_euclid(den), num.rem_euclid(den));
    match (2 * rest).cmp(&den) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}

/// Millionths of `num / den`, half to even.
pub fn millionths((num, den): Fraction) -> i128 {
    round(num * 1_000_000, den)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimals() {
        assert_eq!(parse("4.5"), Some((45, 10)));
        assert_eq!(parse("-0.25"), Some((-25, 100)));
        assert_eq!(parse("1e-3"), Some((1, 1000)));
        assert_eq!(parse("12"), Some((12, 1)));
        assert_eq!(parse("x"), None);
    }

    #[test]
    fn rounds_half_to_even() {
        let rounded: Vec<i128> = [1, 2, 3, 5, 7, -1, -2, -3, -5].map(|n| round(n, 2)).to_vec();
        assert_eq!(rounded, [0, 1, 2, 2, 4, 0, -1, -2, -2]);
        assert_eq!(millionths((1, 3)), 333_333);
        assert_eq!(millionths((2, 3)), 666_667);
    }
}
