//! What an account shows: values of metrics of accounts, those of an instant and those by local day.
//!
//! Invariants: of an instant only what follows all its facts is shown; the change of a day is the last one in it. It does
//! not know what moves a value, nor how it is published.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::Totals,
    calendar::{Calendar, Day, Kind, Time, Window},
    catalog::Listed,
    event::{Cause, Event},
    lifecycle::deal::{LISTED_BY, Standing},
    plan::{Metric, Plan},
    projection::Projected,
    rollup::evaluate,
    score::{self, NOT_A_CUSTOMER, Rated},
    series::Names,
};

/// Which value of an account is kept by local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// Days of silence, in steps.
    Silence,
    /// The score.
    Score,
    /// Sums of each day: no level, so that a day has nothing of the one before.
    DaySums,
}

/// Days of which a value was published and taken back.
pub type Withdrawn = BTreeSet<(Which, Day)>;

/// A value of an account from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Days of silence, or tenths of a score; `None` without one.
    pub value: Option<i64>,
    /// Since when.
    pub since: Time,
}

/// The sums of a day before and after a change, by currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayMoved {
    /// Before it.
    pub before: Totals,
    /// After it.
    pub after: Totals,
}

/// A change of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub which: Which,
    /// The new value.
    pub now: Now,
    /// The event that brought it; none where time did.
    pub cause: Option<Cause>,
    /// Of a score: what it is made of.
    pub rated: Option<Box<Rated>>,
    /// Of a score: whether the account is a customer.
    pub customer: bool,
    /// Of sums of a day: what they were and are.
    pub sums: Option<Box<DayMoved>>,
}

impl Change {
    /// A change that an event brought, or time, with nothing of what only some values have.
    pub fn new(which: Which, now: Now, event: Option<&Event<'_>>) -> Change {
        let cause = event.map(Cause::from);
        Change { which, now, cause, rated: None, customer: true, sums: None }
    }

    /// Why there is no value; empty where there is one.
    pub fn reason(&self) -> &'static str {
        score::reason(self.now.value.is_some(), self.customer)
    }
}

/// The points of a score in tenths.
#[expect(clippy::cast_precision_loss, reason = "a score is at most 1,000 tenths")]
pub fn points(tenths: i64) -> f64 {
    tenths as f64 / 10.0
}

/// A value at the end of a local day.
#[derive(Debug, Clone, PartialEq)]
pub struct AtEnd {
    /// Its last change; `None` where there is none any more.
    pub shown: Option<Change>,
    /// Sums of a day as they were published before this instant.
    pub sums_before: Totals,
    /// Whether it is another one than before.
    pub changed: bool,
}

/// Values at the end of each local day that changed, and of each later day that has a change of its own in the old or the
/// new history.
///
/// Boxed: most accounts have one, and a map makes room for eleven.
pub type ByDay = BTreeMap<(Which, Day), Box<AtEnd>>;

/// Notes a change; of those of one instant only the last, and none that comes back to the value before it.
pub fn note(changes: &mut Vec<Change>, change: Change) {
    let before = |changes: &[Change]| changes.iter().rposition(|known| known.which == change.which);
    if change.which == Which::Score
        && let Some(last) = before(changes)
        && changes[last].now.since == change.now.since
    {
        changes.remove(last);
        let value = before(changes).and_then(|before| changes[before].now.value);
        if before(changes).is_some() && value == change.now.value {
            return;
        }
    }
    changes.push(change);
}

/// Why a row of a deal has no value.
const MOVED_ON: &str = "moved on or closed";

const TO_DATE: Window = Window { kind: Kind::ToDate, start: Time::MIN, end: Time::MAX, opens: Time::MIN };

/// One value of an account, as it is published.
#[derive(Debug)]
pub struct AccountValue<'a> {
    /// Number of the metric in [`Plan::metrics`].
    pub metric: usize,
    /// Its window.
    pub window: Window,
    /// ISO 4217; empty for what is not money.
    pub currency: &'a str,
    /// Values of further dimensions.
    pub dimensions: Vec<(&'static str, &'a str)>,
    /// `None` means null.
    pub value: Option<f64>,
    /// Why it is null.
    pub reason: &'static str,
    /// Time of its cause.
    pub since: Option<Time>,
    /// The event that brought it.
    pub cause: Option<&'a Cause>,
    /// What it is made of: name, and tenths of the value.
    pub contributions: Vec<(&'a str, i64)>,
    /// How it will change if nothing happens; of the latest day alone.
    pub projection: Vec<Projected>,
}

/// Whether a metric is one of accounts, which [`values`] has.
pub fn is_of_accounts(metric: &Metric) -> bool {
    let by_day = !metric.day_sums.is_empty() || !metric.silence.is_empty() || metric.score;
    by_day || !metric.totals.is_empty() || metric.list.is_some()
}

/// What an instant may have changed of an account.
#[derive(Debug)]
pub struct Moved<'a> {
    /// What it has bought, before and after.
    pub totals: [&'a Totals; 2],
    /// Its open deals, before and after.
    pub deals: [&'a [Standing]; 2],
    /// Its values by local day.
    pub days: &'a ByDay,
}

impl Moved<'_> {
    /// Whether nothing of it changed.
    pub fn is_nothing(&self) -> bool {
        self.totals[0] == self.totals[1] && self.deals[0] == self.deals[1] && self.days.is_empty()
    }
}

/// The values of an account that an instant changed, in the order of `metrics`: those of accounts, by their number.
pub fn values<'a>(
    plan: &'a Plan,
    metrics: &[usize],
    calendar: &mut Calendar,
    names: &'a Names,
    moved: &Moved<'a>,
) -> Vec<AccountValue<'a>> {
    let Moved { totals: [before, totals], deals, days } = *moved;
    let mut values = Vec::new();
    for (number, metric) in metrics.iter().map(|number| (*number, &plan.metrics[*number])) {
        if !metric.totals.is_empty() && before != totals {
            sums(plan, (number, metric), names, (before, totals), &mut values);
        }
        if metric.list == Some(Listed::OpenDeals) {
            open_deals(number, deals, &mut values);
        }
        if !metric.day_sums.is_empty() {
            for ((_, day), at_end) in days.range((Which::DaySums, Day::MIN)..=(Which::DaySums, Day::MAX)) {
                let midnight = calendar.midnight(*day);
                let window = calendar.window(Kind::Day, midnight);
                of_day(plan, (number, metric), names, window, at_end, &mut values);
            }
        }
        let which = match (metric.silence.is_empty(), metric.score) {
            (false, _) => Which::Silence,
            (_, true) => Which::Score,
            _ => continue,
        };
        let of_it = days.range((which, Day::MIN)..=(which, Day::MAX)).filter(|(_, at_end)| at_end.changed);
        for ((_, day), at_end) in of_it {
            let midnight = calendar.midnight(*day);
            let window = calendar.window(Kind::Day, midnight);
            values.push(by_day(plan, number, window, which, at_end.shown.as_ref()));
        }
    }
    values
}

/// The open deals that changed: a row for each by its stage, kind and owner. Where it does not stand any more its row is null.
fn open_deals<'a>(metric: usize, [before, after]: [&'a [Standing]; 2], values: &mut Vec<AccountValue<'a>>) {
    let row = |deal: &'a Standing, is_there: bool| AccountValue {
        metric,
        window: TO_DATE,
        currency: &deal.currency,
        dimensions: LISTED_BY.into_iter().zip(deal.by.iter().map(Box::as_ref)).collect(),
        #[expect(clippy::cast_precision_loss, reason = "as every other amount")]
        value: is_there.then_some(deal.amount as f64),
        reason: if is_there { "" } else { MOVED_ON },
        since: is_there.then_some(deal.since),
        cause: None,
        contributions: Vec::new(),
        projection: Vec::new(),
    };
    let same_row = |one: &Standing, other: &Standing| one.by == other.by && one.currency == other.currency;
    let left = before.iter().filter(|deal| !after.iter().any(|other| same_row(deal, other)));
    values.extend(left.map(|deal| row(deal, false)));
    values.extend(after.iter().filter(|deal| !before.contains(deal)).map(|deal| row(deal, true)));
}

/// The sums that changed, by currency.
fn sums<'a>(
    plan: &'a Plan,
    (number, metric): (usize, &Metric),
    names: &'a Names,
    (before, totals): (&Totals, &Totals),
    values: &mut Vec<AccountValue<'a>>,
) {
    let window = TO_DATE;
    for (currency, text) in currencies(names, [totals, before]) {
        let (was, is) = (sum(metric, before, text), sum(metric, totals, text));
        let value = |of: &Option<(Time, Vec<Option<i128>>)>| {
            of.as_ref().and_then(|(_, numbers)| evaluate(metric, plan, numbers, 0).value)
        };
        let since = is.as_ref().map(|(since, _)| *since);
        let now = value(&is);
        // Most have a later order than before: that is a change whatever the sums.
        if was.as_ref().map(|(since, _)| *since) == since && value(&was) == now {
            continue;
        }
        values.push(AccountValue {
            metric: number,
            window,
            currency,
            dimensions: Vec::new(),
            value: Some(now.unwrap_or_default()),
            reason: "",
            since: since.filter(|since| *since != Time::MIN),
            cause: None,
            contributions: Vec::new(),
            projection: Vec::new(),
        });
    }
}

/// When a currency was last used, and the sums that a metric reads.
fn sum(metric: &Metric, totals: &Totals, currency: u32) -> Option<(Time, Vec<Option<i128>>)> {
    let (_, since, columns) = totals.iter().find(|(known, ..)| *known == currency)?;
    Some((since, metric.totals.iter().map(|column| Some(columns[*column])).collect()))
}

/// The sums of a day that changed, by currency.
fn of_day<'a>(
    plan: &'a Plan,
    (number, metric): (usize, &Metric),
    names: &'a Names,
    window: Window,
    at_end: &'a AtEnd,
    values: &mut Vec<AccountValue<'a>>,
) {
    let none = Totals::default();
    let moved = at_end.shown.as_ref().and_then(|change| change.sums.as_deref());
    let (before, after) = (&at_end.sums_before, moved.map_or(&none, |moved| &moved.after));
    let value = |of: &Totals, currency: u32| {
        let columns = of.iter().find(|(known, ..)| *known == currency).map(|(_, _, columns)| columns);
        let numbers: Vec<Option<i128>> =
            metric.day_sums.iter().map(|column| Some(columns.map_or(0, |columns| columns[*column]))).collect();
        evaluate(metric, plan, &numbers, 0).value.unwrap_or_default()
    };
    for (currency, text) in currencies(names, [before, after]) {
        let (was, is) = (value(before, text), value(after, text));
        if was.to_bits() != is.to_bits() {
            values.push(AccountValue {
                metric: number,
                window,
                currency,
                dimensions: Vec::new(),
                value: Some(is),
                reason: "",
                since: None,
                cause: at_end.shown.as_ref().and_then(|change| change.cause.as_ref()),
                contributions: Vec::new(),
                projection: Vec::new(),
            });
        }
    }
}

/// Currencies that sums have, by their code, with their numbers.
fn currencies<'a>(names: &'a Names, sums: [&Totals; 2]) -> Vec<(&'a str, u32)> {
    let all = sums.into_iter().flat_map(Totals::iter);
    let mut currencies: Vec<(&str, u32)> = all.map(|(currency, ..)| (names.text(currency), currency)).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
}

/// A value at the end of a day.
fn by_day<'a>(
    plan: &'a Plan,
    metric: usize,
    window: Window,
    which: Which,
    shown: Option<&'a Change>,
) -> AccountValue<'a> {
    let number = shown.and_then(|shown| shown.now.value);
    let (value, reason) = match which {
        #[expect(clippy::cast_precision_loss, reason = "days of silence are 16 bits")]
        Which::Silence => (Some(number.unwrap_or(0) as f64), ""),
        Which::Score => (number.map(points), shown.map_or(NOT_A_CUSTOMER, Change::reason)),
        Which::DaySums => unreachable!("sums of a day are by currency, see `of_day`"),
    };
    let shares = shown.and_then(|shown| shown.rated.as_deref()).into_iter().flat_map(|rated| &rated.shares);
    let parts = plan.score.iter().flat_map(|score| &score.components).zip(shares);
    let with_input = parts.filter(|(_, share)| share.points.is_some());
    AccountValue {
        metric,
        window,
        currency: "",
        dimensions: Vec::new(),
        value,
        reason,
        since: shown.map(|shown| shown.now.since),
        cause: shown.and_then(|shown| shown.cause.as_ref()),
        contributions: with_input.map(|(of, share)| (of.name.as_str(), share.tenths)).collect(),
        projection: Vec::new(),
    }
}
