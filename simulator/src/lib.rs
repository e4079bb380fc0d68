//! A simulated company: leads, deals, subscriptions, orders, invoices, usage, surveys, tickets, offers, costs and goals,
//! as lines of CloudEvents JSON, with causes that one can find and totals that are known by construction.
//!
//! Invariants: a pure function of [`Settings`] and the instants asked for, on any machine; days come in order and in
//! bounded memory. One part of life is one file. It knows no log, no clock and no metric; that a door accepts every line
//! is held by a test.

mod account;
mod billing;
mod books;
mod calendar;
mod company;
mod deals;
mod dice;
mod event;
mod leads;
mod life;
mod money;
mod noise;
mod offers;
mod orders;
mod subscription;
mod support;
mod surveys;
mod totals;
mod traits;
mod twins;
mod usage;
mod words;

pub use company::{Arrival, Company};
pub use totals::Totals;

use jiff::civil::Date;

/// Longest time for which [`Shares::shuffle_days`] may hold lines back: they are kept in memory.
pub const SHUFFLE_DAYS_MAX: i64 = 366;

/// [`Settings::linked`] of a company that says nothing else.
pub const LINKED: i64 = 2;

/// What a company is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Another seed is another company.
    pub seed: u64,
    /// Accounts: two fifths are there in the first weeks, the others come evenly over two years.
    pub accounts: u32,
    /// Of a hundred accounts so many have a second one, which later turns out to be the same (`identity.linked`).
    pub linked: i64,
    /// Its first day, in UTC.
    pub from: Date,
    /// How events arrive.
    pub shares: Shares,
}

/// How events arrive. Whatever they are, the totals are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Events that arrive one to four days late, in a million.
    pub late: i64,
    /// Events that arrive twice, in a million.
    pub duplicates: i64,
    /// Events that are first sent wrong and corrected, or accompanied by one that is retracted, in a million.
    pub repairs: i64,
    /// Each event arrives at a random moment within so many days; 0 for the order of time, with late ones.
    pub shuffle_days: i64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { late: 8_000, duplicates: 4_000, repairs: 4_000, shuffle_days: 0 }
    }
}

/// Why there is no company.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A date, or a time zone that this machine does not know.
    #[error("the calendar of the company: {0}")]
    Calendar(#[from] jiff::Error),
}
