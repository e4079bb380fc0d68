//! Exact rationals over `i128`, for metric values: divided once, at the end.
//!
//! Invariants: the denominator is positive and shares no factor with the numerator; no operation
//! rounds, one that does not fit answers `None`; [`Rational::to_f64`] is the nearest double
//! (ties to even).

use std::cmp::Ordering;

/// `num / den`, reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rational {
    num: i128,
    den: i128,
}

#[expect(clippy::should_implement_trait, reason = "they answer None where the operators could only panic")]
impl Rational {
    /// Zero.
    pub const ZERO: Rational = Rational { num: 0, den: 1 };

    /// An integer.
    #[inline]
    pub fn integer(num: i128) -> Rational {
        Rational { num, den: 1 }
    }

    /// `num / den`; `None` for a zero denominator or where it does not fit.
    pub fn new(num: i128, den: i128) -> Option<Rational> {
        if den == 0 {
            return None;
        }
        if den == 1 {
            return Some(Rational { num, den });
        }
        let (num, den) = match i128::try_from(gcd(num.unsigned_abs(), den.unsigned_abs())).ok()? {
            1 => (num, den),
            factor => (num / factor, den / factor),
        };
        if den < 0 {
            Some(Rational { num: num.checked_neg()?, den: den.checked_neg()? })
        } else {
            Some(Rational { num, den })
        }
    }

    /// A decimal such as `-12.50` or `1e-3`, exactly.
    pub fn parse(text: &str) -> Option<Rational> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let power = 10_i128.checked_pow(scale.unsigned_abs())?;
        if scale < 0 { Rational::new(digits, power) } else { Some(Rational::integer(digits.checked_mul(power)?)) }
    }

    /// The shortest decimal that is this number, `-12.5`; `None` where no decimal is.
    pub fn decimal(self) -> Option<String> {
        let places = (0..=38).find(|places| 10_i128.checked_pow(*places).is_some_and(|power| power % self.den == 0))?;
        let power = 10_i128.checked_pow(places)?;
        let digits = self.num.unsigned_abs().checked_mul((power / self.den).unsigned_abs())?;
        let (whole, fraction) = (digits / power.unsigned_abs(), digits % power.unsigned_abs());
        let sign = if self.num < 0 { "-" } else { "" };
        Some(match usize::try_from(places).ok()? {
            0 => format!("{sign}{whole}"),
            places => format!("{sign}{whole}.{fraction:0places$}"),
        })
    }

    /// Numerator of the reduced form.
    #[inline]
    pub fn num(self) -> i128 {
        self.num
    }

    /// Denominator of the reduced form, positive.
    #[inline]
    pub fn den(self) -> i128 {
        self.den
    }

    /// Sum.
    pub fn add(self, other: Rational) -> Option<Rational> {
        let num = self.num.checked_mul(other.den)?.checked_add(other.num.checked_mul(self.den)?)?;
        Rational::new(num, self.den.checked_mul(other.den)?)
    }

    /// Difference.
    pub fn sub(self, other: Rational) -> Option<Rational> {
        self.add(other.neg()?)
    }

    /// Product.
    pub fn mul(self, other: Rational) -> Option<Rational> {
        let (left, right) = (Rational::new(self.num, other.den)?, Rational::new(other.num, self.den)?);
        Rational::new(left.num.checked_mul(right.num)?, left.den.checked_mul(right.den)?)
    }

    /// Quotient; `None` for zero, too.
    pub fn div(self, other: Rational) -> Option<Rational> {
        if self.den == other.den {
            return Rational::new(self.num, other.num);
        }
        if other.num == 0 { None } else { self.mul(Rational::new(other.den, other.num)?) }
    }

    /// The opposite.
    pub fn neg(self) -> Option<Rational> {
        Some(Rational { num: self.num.checked_neg()?, den: self.den })
    }

    /// Order; exact (a product that does not fit is compared as doubles).
    #[inline]
    pub fn compare(self, other: Rational) -> Ordering {
        if self.den == other.den {
            return self.num.cmp(&other.num);
        }
        match (self.num.checked_mul(other.den), other.num.checked_mul(self.den)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.to_f64().total_cmp(&other.to_f64()),
        }
    }

    /// The nearest whole number, ties to even.
    pub fn round(self) -> i128 {
        let (floor, rest) = (self.num.div_euclid(self.den), self.num.rem_euclid(self.den));
        // Twice the rest against the denominator, without doubling either.
        let up = match rest.cmp(&(self.den - rest)) {
            Ordering::Less => false,
            Ordering::Equal => floor % 2 != 0,
            Ordering::Greater => true,
        };
        floor + i128::from(up)
    }

    /// The nearest double, ties to even.
    pub fn to_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a double holds both exactly")]
        if self.num.unsigned_abs() <= 1 << 53 && self.den <= 1 << 53 {
            // Of two exact doubles the division rounds once, to nearest even.
            return self.num as f64 / self.den as f64;
        }
        self.divided()
    }

    /// The same bit by bit, of numbers of any size.
    fn divided(self) -> f64 {
        let den = self.den.unsigned_abs();
        let (mut quotient, mut rest) = (self.num.unsigned_abs() / den, self.num.unsigned_abs() % den);
        let mut exponent = 0_i32;
        // Two bits more than a double holds, then a sticky one for all that follows.
        while quotient < 1 << 55 && rest != 0 {
            rest <<= 1;
            quotient <<= 1;
            exponent -= 1;
            if rest >= den {
                rest -= den;
                quotient |= 1;
            }
        }
        if rest != 0 {
            quotient |= 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "this is the one rounding, to nearest even")]
        let magnitude = quotient as f64 * 2_f64.powi(exponent);
        if self.num < 0 { -magnitude } else { magnitude }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        // Nearly all numbers fit 64 bits, which are divided in a fraction of the time.
        if let (Ok(a), Ok(b)) = (u64::try_from(a), u64::try_from(b)) {
            return short_gcd(a, b).into();
        }
        (a, b) = (b, a % b);
    }
    a.max(1)
}

fn short_gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_past_64_bits_are_reduced_too() {
        let large = 1_i128 << 70;
        assert_eq!(Rational::new(3 * large, -5 * large), Rational::new(-3, 5));
        assert_eq!(Rational::new(large, 6), Rational::new(large / 2, 3));
        assert_eq!(Rational::new(6, large).map(|of| (of.num(), of.den())), Some((3, large / 2)));
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(Rational::parse("0.75"), Rational::new(3, 4));
        assert_eq!(Rational::parse("-12.50"), Rational::new(-25, 2));
        assert_eq!(Rational::parse("1e3"), Some(Rational::integer(1000)));
        assert_eq!(Rational::parse("1e-3"), Rational::new(1, 1000));
        assert_eq!(Rational::parse("x"), None);
    }

    #[test]
    fn the_shortest_decimal_is_written() {
        for text in ["0", "-12", "12.5", "-0.125", "0.0001", "100"] {
            assert_eq!(Rational::parse(text).unwrap().decimal().unwrap(), text);
        }
        assert_eq!(Rational::parse("12.50").unwrap().decimal().unwrap(), "12.5");
        assert_eq!(Rational::new(1, 3).unwrap().decimal(), None);
    }

    #[test]
    fn zero_has_no_inverse() {
        assert_eq!(Rational::integer(1).div(Rational::ZERO), None);
        assert_eq!(Rational::new(1, 0), None);
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let round = |num, den| Rational::new(num, den).unwrap().round();
        assert_eq!([round(1, 2), round(3, 2), round(-1, 2), round(-3, 2)], [0, 2, 0, -2]);
        assert_eq!([round(7, 3), round(8, 3), round(-7, 3), round(5, 1)], [2, 3, -2, 5]);
    }

    proptest! {
        #[test]
        fn the_double_is_the_one_that_the_hardware_gives(num in -(1_i64 << 53)..(1_i64 << 53), den in 1_i64..(1 << 53)) {
            let number = Rational::new(num.into(), den.into()).unwrap();
            prop_assert_eq!(number.to_f64().to_bits(), number.divided().to_bits());
        }

        #[test]
        fn arithmetic_agrees_with_itself(a in -1_000_000_i128..1_000_000, b in 1_i128..1_000_000, c in -1_000_000_i128..1_000_000, d in 1_i128..1_000_000) {
            let (x, y) = (Rational::new(a, b).unwrap(), Rational::new(c, d).unwrap());
            prop_assert_eq!(x.add(y).unwrap().sub(y).unwrap(), x);
            if c != 0 {
                prop_assert_eq!(x.mul(y).unwrap().div(y).unwrap(), x);
            }
        }
    }
}
