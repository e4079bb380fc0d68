//! Scores: weighted components of 0 to 100 points, each a curve over something that the account's state says.
//!
//! Invariants: a score is the weighted mean of the components that have input, rounded once, to a tenth, half to even; the
//! contributions are tenths by largest remainder and add up to it. Ages are whole local days, so that a score moves at
//! events and at local midnights only. It does not know the catalog, nor what is published.

mod curve;

pub use curve::Curve;

use crate::{
    account::Account,
    calendar::{Calendar, Day, Time},
    lifecycle::feedback::Latest,
    rational::Rational,
};

/// What a component looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Whole local days since the latest of this activity, by its number in [`crate::plan::Plan::activities`].
    DaysSince(usize),
    /// Distinct days, today included, on which the account's own sum by day is above 0.
    DaysWith {
        /// Number of the sum in [`crate::plan::Plan::daily`].
        column: usize,
        /// Number of days looked at.
        among: Day,
    },
    /// 100 times the mean satisfaction of the latest answer of each of these kinds of surveys.
    Satisfaction {
        /// Places in [`crate::lifecycle::feedback::KINDS`].
        kinds: Vec<usize>,
        /// An answer counts up to this age, days.
        within: Day,
    },
    /// Tickets that are open or pending.
    OpenTickets,
    /// 1 if the latest event of invoices and subscriptions says that payment fails, else 0.
    FailingPayment,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// What it counts for beside the others.
    pub weight: u32,
    /// What it looks at.
    pub input: Input,
    /// What it makes of that.
    pub curve: Curve,
}

/// A range of scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Its name.
    pub name: String,
    /// The least score of it, in points.
    pub from: i64,
}

/// A score as the catalog defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Number of its metric in [`crate::plan::Plan::metrics`].
    pub metric: usize,
    /// Its definition as text, of which hashes are made.
    pub text: String,
    /// In the order in which they are listed.
    pub components: Vec<Component>,
    /// From the highest to the lowest, which begins at 0.
    pub bands: Vec<Band>,
}

/// The score of an account at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rated {
    /// In tenths of points.
    pub tenths: i64,
    /// What each component has to do with it, in the order in which they are listed.
    pub shares: Vec<Share>,
}

/// A component's share of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What the component looks at; `None` without input.
    pub input: Option<Rational>,
    /// Its points, 0 to 100; `None` without input.
    pub points: Option<Rational>,
    /// What it adds to the score, in tenths.
    pub tenths: i64,
}

/// A score without its shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance {
    /// In tenths of points; `None` where no component has input.
    pub tenths: Option<i64>,
    /// The next local day on which a component moves if nothing happens.
    pub next: Option<Day>,
}

/// Why an account has no score.
pub const NOT_A_CUSTOMER: &str = "not a customer";
/// Why a customer has none, where no component has input.
pub const NO_INPUT: &str = "no input";

/// Why there is no score; empty where there is one.
pub fn reason(has_score: bool, is_customer: bool) -> &'static str {
    match (has_score, is_customer) {
        (true, _) => "",
        (false, true) => NO_INPUT,
        (false, false) => NOT_A_CUSTOMER,
    }
}

impl Score {
    /// The score of an account as it stands on a local day; `None` where no component has input.
    pub fn rate(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Option<Rated> {
        let share = |component: &Component| {
            let input = component.look(account, calendar, today).map(|(input, _)| input);
            Share { input, points: input.map(|input| component.curve.at(input)), tenths: 0 }
        };
        weigh(&self.components, self.components.iter().map(share).collect())
    }

    /// What [`Score::rate`] comes to, and when that may change: what is asked at each event, at a fraction of its cost.
    pub fn glance(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Glance {
        let (mut sum, mut weights, mut next) = (0, 0, None::<Day>);
        let mut whole = true;
        for component in &self.components {
            let Some((input, moves)) = component.look(account, calendar, today) else { continue };
            next = next.into_iter().chain(moves).min();
            let (points, weight) = (component.curve.at(input), i64::from(component.weight));
            match i64::try_from(points.num()) {
                Ok(points_whole @ 0..=100) if points.den() == 1 => sum += 10 * weight * points_whole,
                _ => whole = false,
            }
            weights += weight;
        }
        let tenths = match whole {
            true => (weights > 0).then(|| nearest(sum, weights)),
            false => self.rate(account, calendar, today).map(|rated| rated.tenths),
        };
        Glance { tenths, next }
    }

    /// The points of each component on a local day; `None` for one without input.
    pub fn points(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Vec<Option<Rational>> {
        let points = |component: &Component| {
            let (input, _) = component.look(account, calendar, today)?;
            Some(component.curve.at(input))
        };
        self.components.iter().map(points).collect()
    }

    /// The number of the band of a score in tenths.
    pub fn band(&self, tenths: i64) -> usize {
        let found = self.bands.iter().position(|band| tenths >= 10 * band.from);
        found.unwrap_or(self.bands.len() - 1)
    }

    /// For how many days its components look back at sums by day.
    pub fn longest(&self) -> Day {
        let among = |of: &Component| if let Input::DaysWith { among, .. } = of.input { among } else { 0 };
        self.components.iter().map(among).max().unwrap_or(0)
    }
}

impl Component {
    /// Its input, if there is any, and the next local day on which its points are others if nothing happens.
    fn look(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Option<(Rational, Option<Day>)> {
        let whole = |number: usize| Rational::integer(number as i128);
        match &self.input {
            Input::DaysSince(activity) => {
                let since = calendar.day(last(account, *activity)?);
                let age = today.saturating_sub(since);
                let next = self.curve.next(age).map(|age| since.saturating_add(age));
                Some((Rational::integer(age.into()), next))
            }
            Input::DaysWith { column, among } => {
                let days = account.daily.days(*column, today.saturating_sub(*among))?;
                let points = |left: usize| self.curve.at(whole(left));
                let moves = |gone: &usize| points(days.len() - gone) != points(days.len() - gone + 1);
                let gone = (1..=days.len()).find(moves);
                Some((whole(days.len()), gone.map(|gone| days[gone - 1].saturating_add(*among))))
            }
            Input::Satisfaction { kinds, within } => {
                let last = |calendar: &mut Calendar, of: &Latest| calendar.day(of.time).saturating_add(*within);
                let (mut sum, mut count, mut next) = (Rational::ZERO, 0, None::<Day>);
                for of in latest(account, kinds) {
                    let last = last(calendar, &of);
                    if last >= today {
                        (sum, count) = (sum.add(of.satisfaction)?, count + 1);
                        next = next.into_iter().chain([last + 1]).min();
                    }
                }
                Some((Rational::integer(100).mul(sum.div(whole(count))?)?, next))
            }
            Input::OpenTickets => account.sections.ticket.open().map(|open| (whole(open), None)),
            Input::FailingPayment => account.sections.payment.fails().map(|fails| (whole(fails.into()), None)),
        }
    }
}

/// When an activity was last seen.
fn last(account: &Account, activity: usize) -> Option<Time> {
    account.active.get(activity).copied().filter(|at| *at != Time::MIN)
}

/// The latest answers of these kinds.
fn latest<'a>(account: &'a Account, kinds: &'a [usize]) -> impl Iterator<Item = Latest> + 'a {
    kinds.iter().filter_map(|kind| account.sections.feedback.latest(*kind))
}

/// The whole number nearest to a quotient of numbers that are not negative, ties to even.
fn nearest(num: i64, den: i64) -> i64 {
    let (floor, twice_rest) = (num / den, 2 * (num % den));
    floor + i64::from(twice_rest > den || (twice_rest == den && floor % 2 == 1))
}

/// The weighted mean in tenths, half to even, and what each share adds: largest remainder, ties to the first.
fn weigh(components: &[Component], mut shares: Vec<Share>) -> Option<Rated> {
    let having = || components.iter().zip(&shares).filter_map(|(of, share)| Some((of, share.points?)));
    let weights: i128 = having().map(|(of, _)| i128::from(of.weight)).sum();
    if weights == 0 {
        return None;
    }

    // Each part in tenths, over one denominator.
    let den = having().try_fold(weights, |den, (_, points)| den.checked_mul(points.den()))?;
    let part = |(of, share): (&Component, &Share)| {
        let Some(points) = share.points else { return Some(0) };
        // Points are mostly whole.
        let over = if den == weights { 1 } else { den / weights / points.den() };
        (10 * i128::from(of.weight)).checked_mul(points.num())?.checked_mul(over)
    };
    let parts: Vec<i128> = components.iter().zip(&shares).map(part).collect::<Option<_>>()?;
    let narrow = |tenths: i128| i64::try_from(tenths).ok();
    let tenths = narrow(Rational::new(parts.iter().sum(), den)?.round())?;

    for (share, part) in shares.iter_mut().zip(&parts) {
        share.tenths = narrow(part.div_euclid(den))?;
    }
    let left = tenths - shares.iter().map(|share| share.tenths).sum::<i64>();
    let mut order: Vec<usize> = (0..parts.len()).filter(|at| shares[*at].points.is_some()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(parts[*at].rem_euclid(den)));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[at].tenths += 1;
    }
    Some(Rated { tenths, shares })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weighed(points: &[Option<(i128, i128)>], weights: &[u32]) -> Option<Rated> {
        let component = |weight: &u32| Component {
            name: String::new(),
            weight: *weight,
            input: Input::OpenTickets,
            curve: Curve::same(),
        };
        let components: Vec<Component> = weights.iter().map(component).collect();
        let share = |points: &Option<(i128, i128)>| {
            let points = points.and_then(|(num, den)| Rational::new(num, den));
            Share { input: points, points, tenths: 0 }
        };
        weigh(&components, points.iter().map(share).collect())
    }

    const WEIGHTS: [u32; 6] = [20, 20, 20, 15, 15, 10];

    #[test]
    fn contributions_go_by_largest_remainder() {
        // (20 x 100 + 20 x 200/3 + 15 x 25 + 10 x 30) / 65 = 61.66: 30.769, 20.512, 5.769, 4.615.
        let points = [Some((100, 1)), None, Some((200, 3)), Some((25, 1)), None, Some((30, 1))];
        let rated = weighed(&points, &WEIGHTS).unwrap();
        let added: Vec<i64> = rated.shares.iter().map(|share| share.tenths).collect();
        assert_eq!((rated.tenths, added), (617, vec![308, 0, 205, 58, 0, 46]));
        assert_eq!(weighed(&[None; 6], &WEIGHTS), None);
    }

    #[test]
    fn half_a_tenth_goes_to_the_even() {
        // (20 x 100 + 10 x 30) / 80 = 28.75.
        let points = [Some((100, 1)), Some((0, 1)), None, Some((0, 1)), Some((0, 1)), Some((30, 1))];
        assert_eq!(weighed(&points, &WEIGHTS).unwrap().tenths, 288);
    }

    proptest! {
        #[test]
        fn whole_points_are_weighed_the_short_way(points in proptest::collection::vec(0_i64..=100, 6)) {
            let (sum, weights) = points.iter().zip(WEIGHTS).fold((0, 0), |(sum, weights), (points, weight)| {
                (sum + 10 * points * i64::from(weight), weights + i64::from(weight))
            });
            let exact: Vec<Option<(i128, i128)>> = points.iter().map(|points| Some((i128::from(*points), 1))).collect();
            prop_assert_eq!(nearest(sum, weights), weighed(&exact, &WEIGHTS).unwrap().tenths);
        }

        #[test]
        fn contributions_add_up(points in proptest::collection::vec(proptest::option::of((0_i128..1000, 1_i128..11)), 6)) {
            if let Some(rated) = weighed(&points, &WEIGHTS) {
                prop_assert_eq!(rated.shares.iter().map(|share| share.tenths).sum::<i64>(), rated.tenths);
            }
        }
    }
}
