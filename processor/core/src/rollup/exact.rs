//! Sums of amounts at exchange rates: exact, and rounded once, half to even.
//!
//! A sum is a whole number and a fraction below 1 for each denominator that occurs. Rates that are set every day have as many
//! denominators as days, and their product has thousands of digits; so fractions of different denominators are never brought
//! to one. They are written digit by digit, all at once, until the digits decide how to round.

use std::collections::BTreeMap;

use crate::{currency, rational::Rational};

/// Numerators and denominators of rates are below this: what is computed here then fits 128 bits.
const LIMIT: u128 = 1 << 90;

/// Bits of a digit.
const DIGIT: u32 = 32;

/// What a minor unit of a currency is worth in minor units of the reporting currency; above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    num: u128,
    den: u128,
}

impl Rate {
    /// The rate of the reporting currency itself.
    pub(super) const ONE: Rate = Rate { num: 1, den: 1 };

    /// The rate of `from` where 1 `from` is `rate` x `to`, in major units. `None` where it is no rate that is above 0, or out
    /// of all bounds.
    pub(super) fn new(rate: Rational, from: &str, to: &str) -> Option<Rate> {
        let minor = |code| Some(Rational::integer(10_i128.checked_pow(currency::places(code))?));
        let exact = rate.mul(minor(to)?)?.div(minor(from)?)?;
        let [num, den] = [exact.num(), exact.den()].map(u128::try_from);
        let (num, den) = (num.ok()?, den.ok()?);
        (num > 0 && num < LIMIT && den < LIMIT).then_some(Rate { num, den })
    }

    /// `amount` at this rate: whole units, and what is left over the denominator.
    fn convert(self, amount: u128) -> (u128, u128) {
        let (whole, part) = (self.num / self.den, self.num % self.den);
        let mut units = 0_u128;
        let mut rest = 0_u128;

        // A long multiplication, so that nothing outgrows 128 bits: amount x part, digit by digit from the highest.
        let digits = (128 - amount.leading_zeros()).div_ceil(DIGIT);
        for digit in (0..digits).rev() {
            let digit = amount >> (digit * DIGIT) & ((1 << DIGIT) - 1);
            let next = (rest << DIGIT) + digit * part;
            units = (units << DIGIT).saturating_add(next / self.den);
            rest = next % self.den;
        }
        (units.saturating_add(whole.saturating_mul(amount)), rest)
    }
}

/// A sum of amounts, each at its rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sum {
    whole: i128,
    /// By denominator, what is above the whole; below it, and not 0.
    parts: BTreeMap<u128, u128>,
}

impl Sum {
    /// Adds an amount.
    pub(super) fn add(&mut self, amount: i128, rate: Rate) {
        let (units, rest) = rate.convert(amount.unsigned_abs());
        let units = i128::try_from(units).unwrap_or(i128::MAX);
        if amount < 0 {
            self.whole = self.whole.saturating_sub(units);
            self.subtract(rate.den, rest);
        } else {
            self.whole = self.whole.saturating_add(units);
            self.put(rate.den, rest);
        }
    }

    /// Adds another sum, or subtracts it.
    pub(super) fn add_all(&mut self, other: &Sum, plus: bool) {
        let whole = if plus { other.whole } else { other.whole.saturating_neg() };
        self.whole = self.whole.saturating_add(whole);
        for (den, rest) in &other.parts {
            if plus { self.put(*den, *rest) } else { self.subtract(*den, *rest) }
        }
    }

    fn subtract(&mut self, den: u128, rest: u128) {
        if rest > 0 {
            self.whole = self.whole.saturating_sub(1);
            self.put(den, den - rest);
        }
    }

    fn put(&mut self, den: u128, rest: u128) {
        if rest == 0 {
            return;
        }
        let part = self.parts.entry(den).or_default();
        *part += rest;
        if *part >= den {
            *part -= den;
            self.whole = self.whole.saturating_add(1);
        }
        if *part == 0 {
            self.parts.remove(&den);
        }
    }

    /// Whether it is above 0, before rounding.
    pub(super) fn is_positive(&self) -> bool {
        let (floor, exact) = floor(self.parts.iter().map(|(den, rest)| (*den, *rest)).collect());
        let whole = self.whole.saturating_add(floor);
        whole > 0 || whole == 0 && !exact
    }

    /// The sum, rounded to a whole number, half to even.
    pub(super) fn rounded(&self) -> i128 {
        let half = (2, 1);
        let parts = self.parts.iter().map(|(den, rest)| (*den, *rest)).chain([half]).collect();
        let (floor, exact) = floor(parts);
        let rounded = self.whole.saturating_add(floor);
        // A sum and a half that is whole was a tie.
        if exact && rounded % 2 != 0 { rounded - 1 } else { rounded }
    }
}

/// The whole part of a sum of fractions below 1, given as (denominator, numerator); and whether nothing is left above it.
///
/// After n digits of each fraction the sum lies between the sum of these and as many units of the last digit above it as
/// fractions have more digits. If no whole number lies between, the whole part is known. Else the digits go on, up to where
/// a sum that is not whole would have shown: it differs from a whole number by at least 1 over the product of all denominators.
fn floor(parts: Vec<(u128, u128)>) -> (i128, bool) {
    let bits: u32 = parts.iter().map(|(den, _)| 128 - den.leading_zeros()).sum();
    let mut parts = Fractions(parts);
    let first = parts.digit();
    let (whole, below) = (first >> DIGIT, first & ((1 << DIGIT) - 1));
    if below == 0 && parts.0.is_empty() {
        return (whole, true);
    }

    // From the digits so far up to the next whole number, in units of the last digit.
    let mut gap = (1 << DIGIT) - below;
    for _ in 0..bits / DIGIT + 3 {
        if gap <= 0 {
            return (whole + 1, gap == 0 && parts.0.is_empty());
        }
        if gap >= i128::try_from(parts.0.len()).unwrap_or(i128::MAX) {
            return (whole, false);
        }
        gap = (gap << DIGIT) - parts.digit();
    }
    (whole + 1, true)
}

/// What is left of fractions after the digits so far.
struct Fractions(Vec<(u128, u128)>);

impl Fractions {
    /// The sum of their next digits.
    fn digit(&mut self) -> i128 {
        let mut sum = 0;
        for (den, rest) in &mut self.0 {
            let next = *rest << DIGIT;
            sum += (next / *den).cast_signed();
            *rest = next % *den;
        }
        self.0.retain(|(_, rest)| *rest > 0);
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(num: u128, den: u128) -> Rate {
        Rate::new(Rational::new(num.cast_signed(), den.cast_signed()).unwrap(), "EUR", "EUR").unwrap()
    }

    fn sum(amounts: &[(i128, u128, u128)]) -> Sum {
        let mut sum = Sum::default();
        amounts.iter().for_each(|(amount, num, den)| sum.add(*amount, rate(*num, *den)));
        sum
    }

    #[test]
    fn a_rate_is_of_major_units() {
        let of =
            |text: &str, from, to| Rate::new(Rational::parse(text).unwrap(), from, to).map(|rate| (rate.num, rate.den));
        assert_eq!(of("0.9", "USD", "EUR"), Some((9, 10)));
        assert_eq!(of("0.00625", "JPY", "EUR"), Some((5, 8)));
        assert_eq!(of("160", "EUR", "JPY"), Some((8, 5)));
        assert_eq!((of("0", "USD", "EUR"), of("-1", "USD", "EUR"), of("1e30", "USD", "EUR")), (None, None, None));
    }

    #[test]
    fn a_sum_is_rounded_once_half_to_even() {
        let rounded = |amounts: &[(i128, u128, u128)]| sum(amounts).rounded();
        // Three times a third of a cent; halves.
        assert_eq!(rounded(&[(1, 1, 3), (1, 1, 3), (1, 1, 3)]), 1);
        let half = |amount| rounded(&[(amount, 1, 2)]);
        assert_eq!([half(5), half(7), half(-5), half(-7), half(1), half(-1)], [2, 4, -2, -4, 0, 0]);
        // A half of several denominators, and a hair above and below it.
        assert_eq!(rounded(&[(1, 1, 3), (1, 1, 6), (2, 1, 1)]), 2);
        let hair = 1_000_000_007_u128 * 998_244_353;
        assert_eq!(rounded(&[(1, 1, 3), (1, 1, 6), (2, 1, 1), (1, 1, hair)]), 3);
        assert_eq!(rounded(&[(1, 1, 3), (1, 1, 6), (3, 1, 1), (-1, 1, hair)]), 3);
    }

    #[test]
    fn days_of_inverse_rates_add_exactly() {
        let days = (1_000_003_i128..1_000_403).map(|den| (den, 1, den.unsigned_abs()));
        let mut all: Vec<(i128, u128, u128)> = days.collect();
        assert_eq!(sum(&all).rounded(), 400);
        all.extend([(1, 1, 7), (-1, 1, 7)]);
        let mut nothing = sum(&all);
        nothing.add_all(&sum(&all), false);
        assert_eq!((nothing.is_positive(), nothing), (false, Sum::default()));
        assert!(sum(&[(1, 1, 3), (-1, 1, 6), (-1, 1, 7)]).is_positive());
        assert!(!sum(&[(1, 1, 3), (-1, 1, 6), (-1, 1, 6)]).is_positive());
        assert!(!sum(&[(1, 1, 3), (-1, 1, 6), (-1, 1, 5)]).is_positive());
    }

    #[test]
    fn the_largest_amounts_neither_overflow_nor_wrap() {
        let odd = 999_999_999_999_999_999;
        let amount = i128::from(i64::MAX) * 1_000;
        assert_eq!(sum(&[(amount, odd - 2, odd), (amount, 2, odd)]).rounded(), amount);
        assert_eq!(sum(&[(i128::MAX, odd, 1), (1, 1, 1)]).rounded(), i128::MAX);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_rationals(amounts in prop::collection::vec((-1_000_000_i128..1_000_000, 1_u128..50, 1_u128..50), 1..6)) {
            let exact = amounts.iter().try_fold(Rational::ZERO, |sum, (amount, num, den)| {
                sum.add(Rational::new(amount * num.cast_signed(), den.cast_signed())?)
            });
            prop_assert_eq!(sum(&amounts).rounded(), exact.unwrap().round());
            let (left, right) = amounts.split_at(amounts.len() / 2);
            let mut both = sum(left);
            both.add_all(&sum(right), true);
            prop_assert_eq!(both, sum(&amounts));
        }
    }
}
