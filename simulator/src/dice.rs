//! Dice without state outside: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
//!
//! Invariant: what falls depends on the seed and on the number of throws before, on any machine. Each account has dice of
//! its own for each day, so that the order in which accounts are visited does not matter.

/// One million: chances are given in parts of it.
const MILLION: i64 = 1_000_000;

/// A sequence of numbers that depends on its seed alone.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

fn mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Dice {
    /// Dice of one purpose: `parts` tell it from all others of the same seed.
    pub(crate) fn of(seed: u64, parts: [i64; 2]) -> Self {
        let join = |state: u64, part: i64| {
            mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ part.cast_unsigned().wrapping_mul(0xd6e8_feb8_6659_fd93))
        };
        Self(parts.into_iter().fold(mix(seed), join))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// One of `0..bound`; the bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        (self.roll() >> 1).cast_signed() % bound.max(1)
    }

    /// One of `from..to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from)
    }

    /// True in `of_million` of a million throws.
    pub(crate) fn chance(&mut self, of_million: i64) -> bool {
        self.below(MILLION) < of_million
    }

    /// True in `percent` of a hundred throws.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    /// One of them, by weight; there is at least one.
    pub(crate) fn pick<T: Copy>(&mut self, weighted: &[(T, i64)]) -> T {
        let mut left = self.below(weighted.iter().map(|(_, weight)| weight).sum());
        for (one, weight) in weighted {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        weighted[0].0
    }

    /// One of them; there is at least one.
    pub(crate) fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[at(self.below(count(of.len())))]
    }
}

/// A length as the signed number that all sums here are made of.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// An index that is known not to be negative.
pub(crate) fn at(index: i64) -> usize {
    usize::try_from(index).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_falls_the_same_and_another_one_does_not() {
        let falls = |mut dice: Dice| [(); 8].map(|()| dice.below(1_000));
        assert_eq!(falls(Dice::of(7, [1, 2])), falls(Dice::of(7, [1, 2])));
        for other in [Dice::of(8, [1, 2]), Dice::of(7, [2, 2]), Dice::of(7, [1, 3]), Dice::of(7, [2, 1])] {
            assert_ne!(falls(Dice::of(7, [1, 2])), falls(other));
        }
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::of(1, [0, 0]);
        let rare = (0..10_000).filter(|_| dice.pick(&[("rare", 1), ("common", 9)]) == "rare").count();
        assert!((900..1_100).contains(&rare), "{rare}");
        assert!((0..1_000).all(|_| (3..5).contains(&dice.between(3, 5))));
    }
}
