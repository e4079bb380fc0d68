//! The reporting currency: amounts at the rate that is valid at the start of their local hour, added exactly, rounded
//! once to the minor unit, half to even.
//!
//! A rate set later, in the order of facts, replaces one that is valid from the same instant. A pair may be named either
//! way round; two currencies that meet only through a third have no rate.

use crate::big::Big;
use crate::read::Event;
use crate::{Micros, Settings, decimal, local};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap};

/// One minor unit in minor units of the reporting currency: numerator and denominator.
pub type Rate = (i128, i128);

/// Knows the rates.
#[derive(Debug)]
pub struct Converter {
    to: Option<String>,
    zone: TimeZone,
    /// By currency: the rate from each instant on.
    rates: HashMap<String, BTreeMap<Micros, Rate>>,
}

impl Converter {
    /// From the events in effect, in the order of facts.
    pub fn of(events: &[&Event], settings: &Settings) -> Self {
        let (to, zone) = (settings.reporting_currency.clone(), settings.zone.clone());
        let mut rates: HashMap<String, BTreeMap<Micros, Rate>> = HashMap::new();
        for event in events.iter().filter(|event| event.kind == "fx.rate_set") {
            let Some((currency, rate)) = to.as_deref().and_then(|to| rate_to(event, to)) else { continue };
            let from = event.text("valid_from").and_then(|text| local::instant(text, &zone)).unwrap_or(event.time);
            rates.entry(currency.to_owned()).or_default().insert(from, rate);
        }
        Self { to, zone, rates }
    }

    /// What leaves every currency as it is.
    pub fn native(&self) -> Self {
        Self { to: None, zone: self.zone.clone(), rates: HashMap::new() }
    }

    /// Whether all is converted to one currency.
    pub fn converts(&self) -> bool {
        self.to.is_some()
    }

    /// The currency in which what is there since an instant is shown, and from when on. `None` without any rate.
    pub fn since<'c>(&'c self, currency: &'c str, at: Micros) -> Option<(&'c str, Micros)> {
        let Some(to) = self.to.as_deref().filter(|to| !currency.is_empty() && *to != currency) else {
            return Some((currency, at));
        };
        // From the first hour that begins with a rate.
        let first = self.rates.get(currency)?.keys().next()?;
        let begun = local::hour(*first, &self.zone);
        let hour = if begun == *first { begun } else { local::hour(begun + 3_600_000_000, &self.zone) };
        Some((to, at.max(hour)))
    }

    /// The currency in which an amount is shown, and its rate if it is another one. `None` for an amount without a rate.
    pub fn rate<'c>(&'c self, currency: &'c str, at: Micros) -> Option<(&'c str, Option<Rate>)> {
        let Some(to) = self.to.as_deref().filter(|to| !currency.is_empty() && *to != currency) else {
            return Some((currency, None));
        };
        let hour = local::hour(at, &self.zone);
        let rate = self.rates.get(currency)?.range(..=hour).next_back()?.1;
        Some((to, Some(*rate)))
    }
}

/// 1 base = rate x quote, in major units.
fn rate_to<'e>(event: &'e Event, to: &str) -> Option<(&'e str, Rate)> {
    let (base, quote) = (event.text("base")?, event.text("quote")?);
    let (num, den) = decimal::fraction(event.data.get("rate")?)?;
    let (currency, (num, den)) = match () {
        () if quote == to => (base, (num, den)),
        () if base == to => (quote, (den, num)),
        () => return None,
    };
    let units = |code| 10i128.pow(digits(code));
    Some((currency, (num * units(to), den * units(currency))))
}

/// Digits of the minor unit (ISO 4217).
fn digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// A sum of amounts, each with its rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Money {
    plain: i128,
    rated: BTreeMap<Rate, i128>,
}

impl Money {
    /// Adds an amount; without a rate it is in the currency of the sum.
    pub fn add(&mut self, amount: i128, rate: Option<Rate>) {
        match rate {
            None => self.plain += amount,
            Some(rate) => *self.rated.entry(rate).or_default() += amount,
        }
    }

    /// Whether nothing is in it.
    pub fn is_zero(&self) -> bool {
        self.plain == 0 && self.rated.values().all(|amount| *amount == 0)
    }

    /// Adds another sum, as many times.
    pub fn add_all(&mut self, other: &Self, times: i128) {
        self.plain += other.plain * times;
        for (rate, amount) in &other.rated {
            self.add(amount * times, Some(*rate));
        }
    }

    /// Whether it is above 0, exactly.
    pub fn is_positive(&self) -> bool {
        let (gains, losses, _) = self.sides();
        gains > losses
    }

    /// The sum in minor units, rounded once.
    pub fn total(&self) -> i128 {
        if self.rated.is_empty() {
            return self.plain;
        }
        let (gains, losses, den) = self.sides();
        if gains >= losses { gains.minus(&losses).rounded(&den) } else { -losses.minus(&gains).rounded(&den) }
    }

    /// Gains, losses, and what both are divided by.
    fn sides(&self) -> (Big, Big, Big) {
        // Over the product of all denominators: gains and losses apart.
        let den = self.rated.keys().fold(Big::from(1), |den, rate| den.times(&Big::from(rate.1.unsigned_abs())));
        let whole = Big::from(self.plain.unsigned_abs()).times(&den);
        let (mut gains, mut losses) = if self.plain < 0 { (Big::from(0), whole) } else { (whole, Big::from(0)) };
        for (rate, amount) in &self.rated {
            let mut part = Big::from(amount.unsigned_abs()).times(&Big::from(rate.0.unsigned_abs()));
            for other in self.rated.keys().filter(|other| *other != rate) {
                part = part.times(&Big::from(other.1.unsigned_abs()));
            }
            let side = if *amount < 0 { &mut losses } else { &mut gains };
            *side = side.plus(&part);
        }
        (gains, losses, den)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_rounded_once() {
        let mut money = Money::default();
        // 1 USD = 1/3 EUR, three times.
        for _ in 0..3 {
            money.add(1, Some((1, 3)));
        }
        assert_eq!(money.total(), 1);
        // Half to even: 2.5 and 3.5; losses mirror gains.
        let half = |amount| {
            let mut money = Money::default();
            money.add(amount, Some((1, 2)));
            money.total()
        };
        assert_eq!([half(5), half(7), half(-5), half(-7)], [2, 4, -2, -4]);
    }

    #[test]
    fn many_inverse_rates_add_exactly() {
        let mut money = Money::default();
        for den in 1_000_003..1_000_043 {
            money.add(den, Some((1, den)));
        }
        money.add(-40, None);
        assert_eq!(money.total(), 0);
    }
}
