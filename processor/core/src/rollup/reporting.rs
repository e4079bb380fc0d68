//! Money in one currency: what a row of a converted metric adds up, over the series of all currencies.
//!
//! Series stay as they are, one a currency. A line of a converted metric reads the sum over currencies only to see when
//! something moves; its amounts are those of the members, each slice at the rate that holds at its start. A level is valued
//! at the last slice of the window (while it is open, at the clock), what is about a window's start at that: so the start and
//! the end of a retention are valued alike, and exchange rates move neither. What has no rate stays out, counts too.

use super::{
    exact::{Rate, Sum},
    rates::{Changed, Rates},
    table::Table,
    windows::Windows,
};
use crate::{
    aggregate::retention::{Basket, Retention},
    calendar::Time,
    map::Map,
    plan::{Bundle, Column, Metric, Plan, Read, Reading, Slicing},
};

/// A currency's series.
#[derive(Debug)]
struct Member {
    series: u32,
    /// What stands for the currency.
    of: Of,
}

#[derive(Debug)]
enum Of {
    Currency(Box<str>),
    /// Retention of accounts with these amounts: the series counts them.
    Basket(Basket),
}

impl Of {
    fn has(&self, currency: &str) -> bool {
        match self {
            Of::Currency(own) => **own == *currency,
            Of::Basket(basket) => basket.amounts().any(|(own, ..)| own == currency),
        }
    }
}

/// Rates, and which series they are for.
#[derive(Debug)]
pub(super) struct Reporting {
    rates: Rates,
    /// By the series of the sum over currencies, those of the currencies.
    members: Map<u32, Vec<Member>>,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) clock: Time,
}

impl Reporting {
    /// Of a plan with a reporting currency.
    pub(super) fn new(plan: &Plan) -> Option<Reporting> {
        let to = plan.settings.reporting_currency.as_deref()?;
        let mut lags: Vec<u16> = plan.bundles.iter().map(|bundle| lag(bundle.slicing)).chain([0]).collect();
        lags.sort_unstable();
        lags.dedup();
        Some(Reporting { rates: Rates::new(to, lags), members: Map::default() })
    }

    /// Adds a rate `times` times.
    pub(super) fn add_rate(&mut self, values: &[&str], times: i128, windows: &mut Windows) {
        self.rates.add(values, times, windows);
    }

    /// Notes that a series is of a currency, and part of the sum over currencies `all`.
    pub(super) fn join(&mut self, all: u32, series: u32, currency: &str) {
        let members = self.members.entry(all).or_default();
        if members.iter().all(|member| member.series != series) {
            let of = Basket::parse(currency).map_or_else(|| Of::Currency(currency.into()), Of::Basket);
            members.push(Member { series, of });
        }
    }

    /// Takes the rates that were added into account; answers where they changed.
    pub(super) fn settle(&mut self, windows: &mut Windows) -> Vec<Changed> {
        self.rates.settle(windows)
    }

    /// Whether levels are worth something else at `to` than at `from`, though nothing happened.
    pub(super) fn turns(&self, from: Time, to: Time) -> bool {
        self.rates.turn(from, to)
    }

    /// Whether a sum over currencies has this one.
    pub(super) fn has(&self, all: u32, currency: &str) -> bool {
        self.members.get(&all).is_some_and(|members| members.iter().any(|member| member.of.has(currency)))
    }

    /// From when on a sum over currencies has anything that has a rate.
    pub(super) fn first(&self, all: u32, tables: &[Table]) -> Option<Time> {
        let member = |member: &Member| {
            let Of::Currency(currency) = &member.of else { return None };
            let rated = self.rates.course(currency, 0)?.first()?;
            Some(tables.get(member.series as usize)?.first()?.max(rated))
        };
        self.members.get(&all)?.iter().filter_map(member).min()
    }

    /// The first instant at which a currency has a rate; [`Time::MAX`] if it has none.
    pub(super) fn rated_from(&self, currency: &str) -> Time {
        self.rates.course(currency, 0).and_then(super::rates::Course::first).unwrap_or(Time::MAX)
    }

    /// What a row reads of a sum over currencies: amounts at their rates, or a number of what has a rate.
    pub(super) fn read(
        &self,
        all: u32,
        (bundle, reading): (&Bundle, &Reading),
        is_amount: bool,
        span: Span,
        tables: &[Table],
    ) -> Sum {
        let mut sum = Sum::default();
        let mut add = |units: i128, rate: Rate| {
            if units != 0 {
                sum.add(units, if is_amount { rate } else { Rate::ONE });
            }
        };
        let Span { start, end, clock } = span;
        let slicing = bundle.slicing;
        for member in self.members.get(&all).into_iter().flatten() {
            let Some(table) = tables.get(member.series as usize) else { continue };
            let currency = match &member.of {
                Of::Currency(currency) => currency,
                Of::Basket(basket) => {
                    self.retained(
                        basket,
                        &bundle.columns[reading.column],
                        table.read(reading, (start, end)),
                        start,
                        &mut add,
                    );
                    continue;
                }
            };
            let Some(course) = self.rates.course(currency, lag(slicing)) else { continue };
            let valued_at = match (slicing, reading.read) {
                (Slicing::Hours | Slicing::Later(_), Read::Window) => {
                    let parts = course.parts(start, end);
                    parts.for_each(|(from, to, rate)| add(table.sum(reading.column, from, to), rate));
                    continue;
                }
                (Slicing::Hours, Read::End) => clock.min(end - 1),
                _ => start,
            };
            if let Some(rate) = course.at(valued_at) {
                add(table.read(reading, (start, end)), rate);
            }
        }
        sum
    }
}

impl Reporting {
    /// What so many accounts with these amounts have more or less of at the end of a window that begins at `start`.
    fn retained(
        &self,
        basket: &Basket,
        column: &Column,
        accounts: i128,
        start: Time,
        add: &mut impl FnMut(i128, Rate),
    ) {
        let Column::Retained { what, .. } = column else { return };
        let rate = |currency| self.rates.course(currency, 0).and_then(|course| course.at(start));
        let rated: Vec<(i128, i128, Rate)> =
            basket.amounts().filter_map(|(currency, s, e)| Some((s, e, rate(currency)?))).collect();
        let mut less = Sum::default();
        rated.iter().for_each(|(start, end, rate)| less.add(start - end, *rate));

        let begins = rated.iter().any(|(start, ..)| *start > 0);
        if begins && (*what == Retention::Changed || less.is_positive()) {
            let sign = if *what == Retention::Changed { -1 } else { 1 };
            rated.iter().for_each(|(start, end, rate)| add(sign * accounts * (start - end), *rate));
        }
    }
}

/// Whether a row of a metric is valued at the end of its window.
pub(super) fn values_levels(metric: &Metric, plan: &Plan) -> bool {
    let level = |reading: &Reading| {
        let bundle = &plan.bundles[reading.bundle];
        reading.read == Read::End && bundle.slicing == Slicing::Hours && bundle.money
    };
    metric.converted && metric.views.iter().any(|view| view.readings.iter().flatten().any(level))
}

/// Days by which slices lie after the facts.
pub(super) fn lag(slicing: Slicing) -> u16 {
    if let Slicing::Later(days) = slicing { days } else { 0 }
}
