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
        let mut looks = Looks::new();
        self.glance(account, calendar, today, &mut looks);
        self.rated(&looks)
    }

    /// The score that components come to that saw this.
    pub fn rated(&self, looks: &Looks) -> Option<Rated> {
        let share = |look: &Option<Look>| Share {
            input: look.map(|look| look.input),
            points: look.map(|look| look.points),
            tenths: 0,
        };
        weigh(&self.components, looks.iter().map(share).collect())
    }

    /// What [`Score::rate`] comes to, and when that may change: what is asked at each event, at a fraction of its cost.
    /// Leaves in `looks` what each component saw.
    pub fn glance(&self, account: &Account, calendar: &mut Calendar, today: Day, looks: &mut Looks) -> Glance {
        let (mut mean, mut next) = (Mean::default(), None);
        looks.clear();
        for component in &self.components {
            let look = component.look(account, calendar, today);
            if let Some(look) = look {
                next = earlier(next, look.next);
                mean.add(component.weight, look.points);
            }
            looks.push(look);
        }
        Glance { tenths: mean.tenths(), next }
    }

    /// How the score will change if only days pass, from `today` on: the day, the score in tenths, and the points of each
    /// component. It ends where `each` says so, or where nothing moves any more.
    pub fn ahead(
        &self,
        account: &Account,
        calendar: &mut Calendar,
        today: Day,
        mut each: impl FnMut(&mut Calendar, Day, Option<i64>, &[Option<Rational>]) -> bool,
    ) {
        let look = |of: &Component, calendar: &mut Calendar, day: Day| {
            let look = of.look(account, calendar, day);
            (look.map(|look| look.points), look.and_then(|look| look.next))
        };
        let (mut points, mut moves): (Vec<_>, Vec<_>) =
            self.components.iter().map(|component| look(component, calendar, today)).unzip();
        let mut day = today;
        loop {
            let mut mean = Mean::default();
            let having = self.components.iter().zip(&points).filter_map(|(of, points)| Some((of, (*points)?)));
            having.for_each(|(of, points)| mean.add(of.weight, points));
            let next = moves.iter().copied().fold(None, earlier);
            if !each(calendar, day, mean.tenths(), &points) {
                return;
            }
            let Some(next) = next else { return };
            day = next;
            for (component, (points, moves)) in self.components.iter().zip(points.iter_mut().zip(&mut moves)) {
                if *moves == Some(day) {
                    (*points, *moves) = look(component, calendar, day);
                }
            }
        }
    }

    /// The points of each component on a local day; `None` for one without input.
    pub fn points(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Vec<Option<Rational>> {
        let points = |component: &Component| Some(component.look(account, calendar, today)?.points);
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

/// What each component sees; `None` without input.
pub type Looks = Vec<Option<Look>>;

/// What a component sees.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    input: Rational,
    points: Rational,
    /// The next local day on which its points are others if nothing happens.
    next: Option<Day>,
}

impl Component {
    /// What it sees, if it has input.
    fn look(&self, account: &Account, calendar: &mut Calendar, today: Day) -> Option<Look> {
        let whole = |number: usize| Rational::integer(number as i128);
        let (input, next) = match &self.input {
            Input::DaysSince(activity) => {
                let since = calendar.day(last(account, *activity)?);
                let age = today.saturating_sub(since);
                let next = self.curve.next(age).map(|age| since.saturating_add(age));
                (Rational::integer(age.into()), next)
            }
            Input::DaysWith { column, among } => {
                let days = account.daily.days(*column, today.saturating_sub(*among))?;
                let count = days.clone().count();
                let points = |left: usize| self.curve.at(whole(left));
                // The days that go, the oldest first, until that changes the points.
                let (mut gone, mut before) = (days.zip(1..), points(count));
                let moves = gone.find(|(_, gone)| {
                    let now = points(count - gone);
                    std::mem::replace(&mut before, now) != now
                });
                (whole(count), moves.map(|(day, _)| day.saturating_add(*among)))
            }
            Input::Satisfaction { kinds, within } => {
                let (mut sum, mut count, mut next) = (Rational::ZERO, 0, None);
                for of in latest(account, kinds) {
                    let last = calendar.day(of.time).saturating_add(*within);
                    if last >= today {
                        sum = if count == 0 { of.satisfaction } else { sum.add(of.satisfaction)? };
                        (count, next) = (count + 1, earlier(next, Some(last + 1)));
                    }
                }
                let over = sum.den().checked_mul(count)?;
                (Rational::new(sum.num().checked_mul(100)?, over)?, next)
            }
            Input::OpenTickets => (whole(account.sections.ticket.open()?), None),
            Input::FailingPayment => (whole(account.sections.payment.fails()?.into()), None),
        };
        Some(Look { input, points: self.curve.at(input), next })
    }
}

/// The earlier of two days.
fn earlier(one: Option<Day>, other: Option<Day>) -> Option<Day> {
    one.into_iter().chain(other).min()
}

/// A weighted mean of points, exact until it is asked for.
#[derive(Debug, Clone, Copy)]
struct Mean {
    /// Ten times the weighted points, over `den`; `None` where it does not fit.
    sum: Option<i128>,
    den: i128,
    weights: i128,
}

impl Default for Mean {
    fn default() -> Mean {
        Mean { sum: Some(0), den: 1, weights: 0 }
    }
}

impl Mean {
    fn add(&mut self, weight: u32, points: Rational) {
        let weight = i128::from(weight);
        self.weights += weight;
        // Points are mostly whole, and so is the sum then.
        if points.den() == 1 && self.den == 1 {
            self.sum = self.sum.and_then(|sum| sum.checked_add(points.num().checked_mul(10 * weight)?));
            return;
        }
        let add = |sum: i128, den: i128| {
            let own = points.num().checked_mul(10 * weight)?.checked_mul(den)?;
            Some((sum.checked_mul(points.den())?.checked_add(own)?, den.checked_mul(points.den())?))
        };
        match self.sum.and_then(|sum| add(sum, self.den)) {
            Some((sum, den)) => (self.sum, self.den) = (Some(sum), den),
            None => self.sum = None,
        }
    }

    /// In tenths, half to even; `None` without weights.
    fn tenths(self) -> Option<i64> {
        let (sum, over) = (self.sum?, self.den.checked_mul(self.weights).filter(|over| *over > 0)?);
        match (i64::try_from(sum), i64::try_from(over)) {
            (Ok(sum @ 0..=0x3fff_ffff_ffff), Ok(over @ ..=0x3fff_ffff_ffff)) => Some(nearest(sum, over)),
            _ => i64::try_from(Rational::new(sum, over)?.round()).ok(),
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
    let part = |of: &Component, points: Rational| {
        // Points are mostly whole.
        let over = if den == weights { 1 } else { den / weights / points.den() };
        (10 * i128::from(of.weight)).checked_mul(points.num())?.checked_mul(over)
    };
    let sum = having().try_fold(0, |sum: i128, (of, points)| sum.checked_add(part(of, points)?))?;
    let tenths = i64::try_from(Rational::new(sum, den)?.round()).ok()?;

    // Whole tenths, and what is left of each.
    let (mut left, mut rests) = (tenths, Vec::with_capacity(shares.len()));
    for (place, (of, share)) in components.iter().zip(&mut shares).enumerate() {
        if let Some(points) = share.points {
            let (whole, rest) = divide(part(of, points)?, den);
            share.tenths = i64::try_from(whole).ok()?;
            left -= share.tenths;
            rests.push((std::cmp::Reverse(rest), place));
        }
    }
    rests.sort_unstable();
    for (_, place) in rests.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[place].tenths += 1;
    }
    Some(Rated { tenths, shares })
}

/// Quotient and remainder of numbers that are not negative; those that fit 64 bits are divided in a fraction of the time.
fn divide(num: i128, den: i128) -> (i128, i128) {
    match (u64::try_from(num), u64::try_from(den)) {
        (Ok(num), Ok(den)) => ((num / den).into(), (num % den).into()),
        _ => (num.div_euclid(den), num.rem_euclid(den)),
    }
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
        fn points_are_weighed_the_short_way(points in proptest::collection::vec((0_i128..=100, 1_i128..4), 6)) {
            let mut mean = Mean::default();
            points.iter().zip(WEIGHTS).for_each(|((num, den), weight)| mean.add(weight, Rational::new(*num, *den).unwrap()));
            let exact: Vec<Option<(i128, i128)>> = points.into_iter().map(Some).collect();
            prop_assert_eq!(mean.tenths(), weighed(&exact, &WEIGHTS).map(|rated| rated.tenths));
        }

        #[test]
        fn contributions_add_up(points in proptest::collection::vec(proptest::option::of((0_i128..1000, 1_i128..11)), 6)) {
            if let Some(rated) = weighed(&points, &WEIGHTS) {
                prop_assert_eq!(rated.shares.iter().map(|share| share.tenths).sum::<i64>(), rated.tenths);
            }
        }
    }
}
