//! Exact rationals to doubles, correctly rounded.
//!
//! The quotient of two integers is divided bit by bit, as on paper, until it has 54 significant bits; the remainder
//! says whether anything is left. The last bit and the rest decide, half to even. No floating-point division occurs,
//! so the result is the double nearest to the rational by construction.

/// The double nearest to `num / den`, half to even. `den` must not be 0.
pub fn nearest(num: i128, den: i128) -> f64 {
    let magnitude = divide(num.unsigned_abs(), den.unsigned_abs());
    if (num < 0) == (den < 0) || num == 0 { magnitude } else { -magnitude }
}

/// Numerator and denominator without common factors, the denominator positive.
pub fn reduce(num: i128, den: i128) -> (i128, i128) {
    let (mut a, mut b) = (num.unsigned_abs(), den.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let factor = i128::try_from(a).expect("a divisor of an i128 fits").max(1) * den.signum();
    (num / factor, den / factor)
}

fn divide(num: u128, den: u128) -> f64 {
    let (mut quotient, mut rest) = (num / den, num % den);
    if num == 0 {
        return 0.0;
    }
    let mut exponent = 0i64;
    let mut sticky = false;
    while quotient >= 1 << 54 {
        sticky |= quotient & 1 == 1;
        quotient >>= 1;
        exponent += 1;
    }
    while quotient < 1 << 53 {
        // rest < den <= 2^127, so doubling fits.
        rest *= 2;
        quotient = quotient * 2 + u128::from(rest >= den);
        rest = if rest >= den { rest - den } else { rest };
        exponent -= 1;
    }
    sticky |= rest != 0;
    // 54 bits now: 53 and the one that decides.
    let up = quotient & 1 == 1 && (sticky || quotient & 2 == 2);
    let mantissa = (quotient >> 1) + u128::from(up);
    scale(mantissa, exponent + 1)
}

/// `mantissa` x 2^`exponent`, exactly: the mantissa has at most 53 bits, the exponent is far from the limits.
fn scale(mantissa: u128, exponent: i64) -> f64 {
    let power = u64::try_from(1023 + exponent).expect("128-bit quotients are normal doubles") << 52;
    u64::try_from(mantissa).expect("53 bits") as f64 * f64::from_bits(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_quotients_equal_hardware_division() {
        for num in -300i32..300 {
            for den in 1i32..300 {
                let expected = f64::from(num) / f64::from(den);
                assert_eq!(nearest(num.into(), den.into()), expected, "{num}/{den}");
            }
        }
    }

    #[test]
    fn large_ones_round_half_to_even() {
        let two53 = 1i128 << 53;
        assert_eq!(nearest(two53 + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(nearest(two53 + 3, 1), 9_007_199_254_740_996.0);
        assert_eq!(nearest(2 * two53 + 3, 2), 9_007_199_254_740_994.0);
        assert_eq!(nearest(-(two53 + 1) * 1_000_003, 1_000_003), -9_007_199_254_740_992.0);
        assert_eq!(nearest(i128::MAX, i128::MAX - 1), 1.0);
        assert_eq!(nearest(1 << 100, 3), (1i128 << 100) as f64 / 3.0);
    }

    #[test]
    fn reduces() {
        assert_eq!(reduce(-6, 4), (-3, 2));
        assert_eq!(reduce(6, -4), (-3, 2));
        assert_eq!(reduce(0, 5), (0, 1));
    }
}
