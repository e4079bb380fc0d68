//! Curves: points from 0 to 100 for a number such as an age in days.
//!
//! Invariant: exact; a power of two with a fraction comes from a table of integers, never from a float.

use crate::{calendar::Day, rational::Rational};

/// What a component makes of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Curve {
    /// The points of the first step that the input does not exceed.
    Steps {
        /// Input and points, the inputs ascending.
        steps: Vec<(i64, i64)>,
        /// Points above the last step.
        beyond: i64,
    },
    /// Straight lines from one (input, points) to the next; level before the first and after the last.
    Line(Vec<(i64, i64)>),
    /// 100 points, halved every so many days; rounded to a millionth.
    HalfLife(Day),
}

/// 2^(-1/2), 2^(-1/4), 2^(-1/8), ... in units of 2^-62.
const ROOTS: [u64; 20] = roots();

const ONE: u128 = 1 << 62;

#[expect(clippy::cast_possible_truncation, reason = "the root of a number below 2^124 is below 2^62")]
const fn roots() -> [u64; 20] {
    let mut roots = [0; 20];
    let (mut place, mut last) = (0, ONE / 2);
    while place < roots.len() {
        last = (last << 62).isqrt();
        roots[place] = last as u64;
        place += 1;
    }
    roots
}

impl Curve {
    /// Points that are the input itself.
    pub fn same() -> Curve {
        Curve::Line(vec![(0, 0), (100, 100)])
    }

    /// The points of an input.
    pub fn at(&self, input: Rational) -> Rational {
        let whole = |number: i64| Rational::integer(number.into());
        match self {
            Curve::Steps { steps, beyond } => {
                let up_to = |limit: i64| match input.den() {
                    1 => input.num() <= limit.into(),
                    _ => input.compare(whole(limit)).is_le(),
                };
                whole(steps.iter().find(|(limit, _)| up_to(*limit)).map_or(*beyond, |(_, points)| *points))
            }
            Curve::Line(corners) => {
                let next = corners.iter().position(|(at, _)| input.compare(whole(*at)).is_le());
                match next {
                    None => whole(corners.last().map_or(0, |corner| corner.1)),
                    Some(0) => whole(corners[0].1),
                    Some(next) => between(corners[next - 1], corners[next], input).unwrap_or(Rational::ZERO),
                }
            }
            Curve::HalfLife(days) => halved(input.num() / input.den(), (*days).into()),
        }
    }

    /// The first age above `age` whose points are others.
    pub fn next(&self, age: Day) -> Option<Day> {
        if let Curve::Steps { steps, beyond } = self {
            return next_step(steps, *beyond, age);
        }
        let points = |age: Day| self.at(Rational::integer(age.into()));
        let now = points(age);
        let later = |at: i64| Day::try_from(at).ok().and_then(|at| at.checked_add(1)).filter(|at| *at > age);
        let corners = match self {
            Curve::Line(corners) => corners.as_slice(),
            Curve::Steps { .. } | Curve::HalfLife(_) => &[],
        };
        // Between two corners points move at each day or at none.
        let next = age.checked_add(1)?;
        let mut candidates = std::iter::once(next).chain(corners.iter().filter_map(|(at, _)| later(*at)));
        candidates.find(|candidate| points(*candidate) != now)
    }
}

/// The first age above `age` at which another step begins that has other points.
fn next_step(steps: &[(i64, i64)], beyond: i64, age: Day) -> Option<Day> {
    let at = steps.iter().position(|(limit, _)| i64::from(age) <= *limit)?;
    let points = |place: usize| steps.get(place).map_or(beyond, |(_, points)| *points);
    let last = (at..steps.len()).find(|place| points(place + 1) != points(at))?;
    Day::try_from(steps[last].0).ok()?.checked_add(1)
}

/// The point at `input` of the line through two corners.
fn between(from: (i64, i64), to: (i64, i64), input: Rational) -> Option<Rational> {
    if from.0 == from.1 && to.0 == to.1 {
        return Some(input);
    }
    let whole = |number: i64| Rational::integer(number.into());
    let share = input.sub(whole(from.0))?.div(whole(to.0 - from.0))?;
    whole(from.1).add(whole(to.1 - from.1).mul(share)?)
}

/// 100 x 2^(-age / days), in millionths.
fn halved(age: i128, days: i128) -> Rational {
    let (age, days) = (age.max(0).unsigned_abs(), days.unsigned_abs());
    let (whole, mut rest) = (age / days, age % days);
    let mut factor = ONE;
    for root in ROOTS {
        rest *= 2;
        if rest >= days {
            rest -= days;
            factor = (factor * u128::from(root)) >> 62;
        }
    }
    let millionths = (factor * 100_000_000 + (ONE >> 1)) >> 62;
    let halved = u32::try_from(whole).ok().and_then(|whole| millionths.checked_shr(whole)).unwrap_or(0);
    Rational::new(halved.cast_signed(), 1_000_000).unwrap_or(Rational::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(curve: &Curve, inputs: &[i128]) -> Vec<f64> {
        inputs.iter().map(|input| curve.at(Rational::integer(*input)).to_f64()).collect()
    }

    #[test]
    fn steps_hold_up_to_their_limit() {
        let steps = Curve::Steps { steps: vec![(3, 100), (7, 80)], beyond: 5 };
        assert_eq!(points(&steps, &[0, 3, 4, 7, 8, 900]), [100.0, 100.0, 80.0, 80.0, 5.0, 5.0]);
        assert_eq!([0, 3, 4, 7, 8].map(|age| steps.next(age)), [Some(4), Some(4), Some(8), Some(8), None]);
    }

    #[test]
    fn lines_go_from_corner_to_corner() {
        let line = Curve::Line(vec![(2, 100), (6, 0)]);
        assert_eq!(points(&line, &[0, 2, 3, 5, 6, 9]), [100.0, 100.0, 75.0, 25.0, 0.0, 0.0]);
        assert_eq!([0, 2, 5, 6].map(|age| line.next(age)), [Some(3), Some(3), Some(6), None]);
    }

    #[test]
    fn a_half_life_halves() {
        let curve = Curve::HalfLife(30);
        assert_eq!(points(&curve, &[0, 30, 60, 15]), [100.0, 50.0, 25.0, 70.710_678]);
        // 100 x 2^(-1/30) and 2^(-1/3), to a part in a million.
        for (age, exact) in [(1, 97.715_997), (10, 79.370_053)] {
            assert!((points(&curve, &[age])[0] - exact).abs() < 1e-4, "{age}: {:?}", points(&curve, &[age]));
        }
        assert_eq!((curve.next(0), curve.next(30 * 27)), (Some(1), None), "it ends where nothing is left");
    }
}
