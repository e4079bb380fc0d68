//! The health score of an account: weighted components, each 0 to 100, and the steps in which it moves.
//!
//! A score moves at facts and at local midnights. Every instant of both is computed from scratch.

use crate::calendar::Window;
use crate::decimal::{self, Fraction};
use crate::history::{Account, due};
use crate::level::Span;
use crate::read::Key;
use crate::row::{Answer, By, Row};
use crate::survey::{self, Answered};
use crate::{Micros, Settings, local, rational, ticket};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// Names and weights, in the order in which they are listed.
pub const COMPONENTS: [(&str, i128); 6] =
    [("recency", 20), ("usage", 20), ("feedback", 20), ("tickets", 15), ("payments", 15), ("purchases", 10)];

/// Why an account has no score.
pub const NOT_A_CUSTOMER: &str = "not a customer";

/// How far a state sees in the order of facts.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'a> {
    /// All facts before this place.
    Before(Key<'a>),
    /// This one, too.
    Through(Key<'a>),
}

impl Bound<'_> {
    /// Everything dated up to an instant, inclusive.
    pub fn after(at: Micros) -> Self {
        Self::Before(due(at + 1))
    }

    fn sees(self, key: Key<'_>) -> bool {
        match self {
            Self::Before(bound) => key < bound,
            Self::Through(bound) => key <= bound,
        }
    }

    /// How many of the places (ascending) it sees.
    fn count<T>(self, facts: &[T], key: impl Fn(&T) -> Key<'_>) -> usize {
        facts.partition_point(|fact| self.sees(key(fact)))
    }
}

/// A score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// The score in tenths of points.
    pub tenths: i128,
    /// What each component adds, in tenths; they add up to the score.
    pub contributions: [i128; 6],
    /// The value of each component, 0 to 100; `None` for one without input.
    pub values: [Option<Fraction>; 6],
}

/// A change of the score; `None` for an account that stops being a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Micros,
    /// The score from then on.
    pub score: Option<Score>,
}

/// What the score of one account reads.
#[derive(Debug)]
pub struct Inputs<'a> {
    zone: &'a TimeZone,
    account: &'a Account<'a>,
    meaningful: &'a [Micros],
    /// Usage, with its local day.
    usage: Vec<(Key<'a>, i64)>,
    answers: Vec<Answered<'a>>,
    /// The opening of the first ticket.
    first_ticket: Option<Key<'a>>,
    /// Openings and ends of times in which a ticket is open: +1 and -1.
    tickets: Vec<(Key<'a>, i128)>,
    /// Events of invoices and subscriptions: whether each is bad.
    payments: Vec<(Key<'a>, bool)>,
    /// Orders that count.
    orders: Vec<Key<'a>>,
}

impl<'a> Inputs<'a> {
    /// Of one account.
    pub fn of(account: &'a Account<'a>, zone: &'a TimeZone) -> Self {
        let used = account.of_kind("usage.recorded").filter(|e| e.integer("count").unwrap_or(1) >= 1);
        let usage = used.map(|e| (e.key(), local::day(e.time, zone))).collect();
        let all = ticket::tickets(account);
        let mut tickets: Vec<(Key<'a>, i128)> = Vec::new();
        for (from, to) in all.iter().flat_map(ticket::Ticket::open_times) {
            tickets.push((from, 1));
            tickets.extend(to.map(|to| (to, -1)));
        }
        tickets.sort_by_key(|change| change.0);
        let paying = account.events.iter().filter(|e| matches!(&*e.kind, "invoice.resolved" | "subscription.changed"));
        let bad = |status| matches!(status, Some("failed" | "uncollectible" | "past_due" | "unpaid"));
        Self {
            zone,
            account,
            meaningful: &account.meaningful,
            usage,
            answers: survey::answers(account),
            first_ticket: all.first().map(|ticket| ticket.key),
            tickets,
            payments: paying.map(|e| (e.key(), bad(e.text("status")))).collect(),
            orders: account.counted().map(|order| order.key).collect(),
        }
    }

    /// The score of a state on a local day.
    pub fn score(&self, bound: Bound<'_>, today: i64) -> Option<Score> {
        let customer =
            |run: &crate::history::Run<'_>| bound.sees(run.start) && run.lost.is_none_or(|lost| !bound.sees(lost));
        if !self.account.runs.iter().any(customer) {
            return None;
        }
        let values = [
            self.recency(bound, today),
            self.used(bound, today),
            self.feedback(bound, today),
            self.open_tickets(bound),
            self.paid(bound),
            self.purchases(bound, today),
        ];
        weigh(values)
    }

    fn age(&self, at: Micros, today: i64) -> i64 {
        today - local::day(at, self.zone)
    }

    fn recency(&self, bound: Bound<'_>, today: i64) -> Option<Fraction> {
        // Signs have times alone: those of an instant are seen with its first event, and not by what is due then.
        let seen = self.meaningful.partition_point(|at| match bound {
            Bound::Through(key) if key != due(key.0) => *at <= key.0,
            Bound::Before(key) | Bound::Through(key) => *at < key.0,
        });
        let last = *self.meaningful.get(seen.checked_sub(1)?)?;
        Some((step(self.age(last, today), &[(3, 100), (7, 80), (14, 60), (30, 40), (60, 20)]), 1))
    }

    fn used(&self, bound: Bound<'_>, today: i64) -> Option<Fraction> {
        let seen = &self.usage[..bound.count(&self.usage, |usage| usage.0)];
        let last = seen.iter().rev().map(|usage| usage.1).take_while(|day| *day > today - 30);
        let days = last.collect::<BTreeSet<_>>().len();
        let value = match days {
            0 => 0,
            1..=2 => 25,
            3..=5 => 50,
            6..=9 => 75,
            _ => 100,
        };
        (!seen.is_empty()).then_some((value, 1))
    }

    fn feedback(&self, bound: Bound<'_>, today: i64) -> Option<Fraction> {
        let seen = &self.answers[..bound.count(&self.answers, |answer| answer.key)];
        let latest = |kind: &str| seen.iter().rev().find(|answer| answer.kind == kind);
        let fresh = ["nps", "csat", "ces"].into_iter().filter_map(latest);
        let good: Vec<Fraction> =
            fresh.filter(|answer| self.age(answer.key.0, today) <= 180).map(|answer| answer.good).collect();
        let count = i128::try_from(good.len()).ok().filter(|count| *count > 0)?;
        let (num, den) = good
            .into_iter()
            .fold((0, 1), |sum, part| rational::reduce(sum.0 * part.1 + part.0 * sum.1, sum.1 * part.1));
        Some(rational::reduce(100 * num, den * count))
    }

    fn open_tickets(&self, bound: Bound<'_>) -> Option<Fraction> {
        self.first_ticket.filter(|first| bound.sees(*first))?;
        let seen = &self.tickets[..bound.count(&self.tickets, |change| change.0)];
        let open: i128 = seen.iter().map(|change| change.1).sum();
        Some(((100 - 25 * open).max(0), 1))
    }

    fn paid(&self, bound: Bound<'_>) -> Option<Fraction> {
        let last = bound.count(&self.payments, |payment| payment.0).checked_sub(1)?;
        Some((if self.payments[last].1 { 0 } else { 100 }, 1))
    }

    fn purchases(&self, bound: Bound<'_>, today: i64) -> Option<Fraction> {
        let last = self.orders[bound.count(&self.orders, |key| *key).checked_sub(1)?];
        Some((step(self.age(last.0, today), &[(30, 100), (60, 60), (90, 30)]), 1))
    }

    /// Instants at which facts may move the score, within the account's times as a customer.
    fn instants(&self) -> BTreeSet<Micros> {
        let mut at: BTreeSet<Micros> = self.account.events.iter().map(|e| e.time).collect();
        for run in &self.account.runs {
            at.insert(run.start.0);
            at.extend(run.lost.map(|lost| lost.0));
        }
        at
    }

    /// The changes of the score up to the last of the midnights, ascending; each midnight begins a local day.
    pub fn changes(&self, midnights: &[Micros]) -> Vec<Change> {
        let Some(start) = self.account.first_start() else { return Vec::new() };
        let mut instants = self.instants();
        for run in &self.account.runs {
            let from = midnights.partition_point(|at| *at < run.start.0);
            let to = run.lost.map_or(midnights.len(), |lost| midnights.partition_point(|at| *at < lost.0));
            instants.extend(&midnights[from..to.max(from)]);
        }
        let mut changes: Vec<Change> = Vec::new();
        let mut value = None;
        for at in instants.range(start.0..).copied() {
            let score = self.score(Bound::after(at), local::day(at, self.zone));
            let now = score.as_ref().map(|score| score.tenths);
            if now != value {
                changes.push(Change { at, score });
                value = now;
            }
        }
        changes
    }
}

/// The value of the first step that the age does not exceed; 0 beyond the last.
fn step(age: i64, steps: &[(i64, i128)]) -> i128 {
    steps.iter().find(|(limit, _)| age <= *limit).map_or(0, |(_, value)| *value)
}

/// The weighted mean in tenths, half to even, and the contributions: largest remainder, ties to the first.
fn weigh(values: [Option<Fraction>; 6]) -> Option<Score> {
    let weights: i128 = values.iter().zip(COMPONENTS).filter(|(value, _)| value.is_some()).map(|(_, c)| c.1).sum();
    if weights == 0 {
        return None;
    }
    // Each part in tenths, over one denominator.
    let den = values.iter().flatten().fold(1, |den, value| den * value.1) * weights;
    let part = |(value, component): (&Option<Fraction>, (&str, i128))| {
        value.map_or(0, |(num, of)| 10 * component.1 * num * (den / weights / of))
    };
    let parts: Vec<i128> = values.iter().zip(COMPONENTS).map(part).collect();
    let tenths = decimal::round(parts.iter().sum(), den);
    let mut contributions = [0; 6];
    for (whole, part) in contributions.iter_mut().zip(&parts) {
        *whole = part.div_euclid(den);
    }
    let left = tenths - contributions.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..6).filter(|at| values[*at].is_some()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(parts[*at].rem_euclid(den)));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        contributions[at] += 1;
    }
    Some(Score { tenths, contributions, values })
}

/// The band of a score in tenths.
pub fn band(tenths: i128) -> &'static str {
    match tenths {
        700.. => "healthy",
        400.. => "at_risk",
        _ => "critical",
    }
}

/// The rows of an account: one for each local day (ascending) in which its score changes.
pub fn rows(account: &Account<'_>, changes: &[Change], days: &[Window], rows: &mut Vec<Row>) {
    let mut by_day: BTreeMap<usize, &Change> = BTreeMap::new();
    for change in changes {
        let after = days.partition_point(|day| day.start <= change.at);
        if let Some(day) = after.checked_sub(1) {
            by_day.insert(day, change);
        }
    }
    let mut before = None;
    for (day, change) in by_day {
        let value = change.score.as_ref().map(|score| score.tenths);
        let answer = value.map_or(Answer::Null(NOT_A_CUSTOMER), |tenths| Answer::Compound(tenths, 10));
        let mut row = Row::of_account("health_score", days[day], account.name, answer, "points");
        row.since = Some(change.at);
        rows.push(row.optional_if(before == Some(value)));
        before = Some(value);
    }
}

/// The times of an account in each band.
pub fn spans<'a>(changes: &[Change], spans: &mut Vec<Span<'a>>) {
    let of = |change: &Change| change.score.as_ref().map(|score| band(score.tenths));
    let mut at = 0;
    while at < changes.len() {
        let next = (at + 1..changes.len()).find(|next| of(&changes[*next]) != of(&changes[at]));
        if let Some(band) = of(&changes[at]) {
            let (from, to) = (changes[at].at, next.map(|next| changes[next].at));
            let groups = vec![(By::Nothing, ""), (By::Band, band)];
            spans.push(Span {
                metric: "health_score_accounts",
                from,
                to,
                groups,
                currency: "",
                amount: 1,
                since: from,
            });
        }
        at = next.unwrap_or(changes.len());
    }
}

/// The midnights from the local day of `from` on up to `to`, inclusive.
pub fn midnights(from: Micros, to: Micros, settings: &Settings) -> Vec<Micros> {
    let days = local::day(from, &settings.zone)..=local::day(to, &settings.zone);
    let mut found: Vec<Micros> =
        days.filter_map(|day| local::midnight_of(day, &settings.zone)).filter(|at| *at <= to).collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_add_up() {
        let whole = |value| Some((value, 1));
        let score = weigh([whole(100), None, Some((200, 3)), whole(25), None, whole(30)]).unwrap();
        // (20 x 100 + 20 x 200/3 + 15 x 25 + 10 x 30) / 65 = 61.66...
        assert_eq!(score.tenths, 617);
        // 30.769, 0, 20.512, 5.769, 0, 4.615: floors 307 + 205 + 57 + 46 = 615; the two largest remainders are of the
        // first and the fourth (0.69 both, the first listed first).
        assert_eq!(score.contributions, [308, 0, 205, 58, 0, 46]);
        assert_eq!(weigh([None; 6]), None);
    }

    #[test]
    fn half_a_tenth_goes_to_the_even() {
        // (20 x 100 + 20 x 0 + 10 x 30 + 15 x 0 + 15 x 0) / 80 = 28.75.
        let of = |value| Some((value, 1));
        assert_eq!(weigh([of(100), of(0), None, of(0), of(0), of(30)]).unwrap().tenths, 288);
        // (15 x 75 + 15 x 0 + 10 x 30) / 40 = 35.625 -> 35.6; (15 x 25 + 15 x 100 + 10 x 100) / 40 = 71.875.
        assert_eq!(weigh([None, None, None, of(75), of(0), of(30)]).unwrap().tenths, 356);
    }
}
