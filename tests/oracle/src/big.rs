//! Natural numbers of any size: as much as exact sums of exchange rates need.

use std::cmp::Ordering;

/// Digits in base 2^32, the least first, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Big(Vec<u32>);

const LOW: u64 = 0xFFFF_FFFF;

/// The lower 32 bits.
fn low(value: u64) -> u32 {
    u32::try_from(value & LOW).expect("32 bits fit")
}

impl From<u128> for Big {
    fn from(mut value: u128) -> Self {
        let mut digits = Vec::new();
        while value > 0 {
            digits.push(u32::try_from(value & u128::from(LOW)).expect("32 bits fit"));
            value >>= 32;
        }
        Self(digits)
    }
}

impl Big {
    fn trimmed(mut digits: Vec<u32>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self(digits)
    }

    fn digit(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0).into()
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let mut digits = Vec::new();
        for at in 0..=self.0.len().max(other.0.len()) {
            let sum = self.digit(at) + other.digit(at) + carry;
            digits.push(low(sum));
            carry = sum >> 32;
        }
        Self::trimmed(digits)
    }

    /// The difference; `other` must not be greater.
    pub fn minus(&self, other: &Self) -> Self {
        let mut borrow = 0;
        let mut digits = Vec::new();
        for at in 0..self.0.len() {
            let difference = (1 << 32) + self.digit(at) - other.digit(at) - borrow;
            digits.push(low(difference));
            borrow = 1 - (difference >> 32);
        }
        Self::trimmed(digits)
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        let mut digits = vec![0u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for j in 0..other.0.len() {
                let sum = u64::from(digits[i + j]) + u64::from(*a) * other.digit(j) + carry;
                digits[i + j] = low(sum);
                carry = sum >> 32;
            }
            digits[i + other.0.len()] = low(carry);
        }
        Self::trimmed(digits)
    }

    /// `self / den`, half to even; the result must fit.
    pub fn rounded(&self, den: &Self) -> i128 {
        // As on paper: the largest multiple of a power of two that still fits, then the next smaller.
        let mut powers = vec![den.clone()];
        while powers.last().is_some_and(|power| power <= self) {
            powers.push(powers[powers.len() - 1].times(&Self::from(2)));
        }
        let (mut quotient, mut rest) = (0i128, self.clone());
        for power in powers.iter().rev() {
            quotient *= 2;
            if *power <= rest {
                rest = rest.minus(power);
                quotient += 1;
            }
        }
        match rest.times(&Self::from(2)).cmp(den) {
            Ordering::Less => quotient,
            Ordering::Greater => quotient + 1,
            Ordering::Equal => quotient + quotient % 2,
        }
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calculates() {
        let (a, b) = (Big::from(u128::MAX / 3), Big::from(1 << 70));
        assert_eq!(a.plus(&b).minus(&b), a);
        assert_eq!(a.times(&b).rounded(&b), i128::try_from(u128::MAX / 3).unwrap());
        assert_eq!(a.times(&b).plus(&Big::from(1 << 69)).rounded(&b), i128::try_from(u128::MAX / 3).unwrap() + 1);
        assert_eq!(Big::from(5).rounded(&Big::from(2)), 2);
        assert_eq!(Big::from(7).rounded(&Big::from(2)), 4);
        assert_eq!(Big::from(0).rounded(&Big::from(2)), 0);
        assert!(b > Big::from(u128::from(u64::MAX)));
    }
}
