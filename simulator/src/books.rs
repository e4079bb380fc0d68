//! What the simulator knows by construction: totals that are kept as things happen, by no code of a metric.
//!
//! Invariants: notes come in the order of their times; mistakes that are mended later (drafts, retracted events,
//! duplicates) never get here, so what stands here is what must stand once everything has arrived. Months are of UTC.

mod customers;

use std::collections::BTreeMap;

use crate::{calendar::date, totals::Totals};
use customers::Customers;

/// Minor units of a currency, `EUR` or `USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) currency: &'static str,
    pub(crate) amount: i64,
}

/// Promoter, passive or detractor.
pub(crate) type Class = &'static str;

/// An entry of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// Nothing that a total is made of.
    Nothing,
    LeadCreated,
    /// The lead was created then.
    LeadConverted {
        created_us: i64,
    },
    Won(Money),
    /// A deal that was won then is open again.
    WonReopened {
        closed_us: i64,
        money: Money,
    },
    Lost,
    /// A deal that was lost then is open again.
    LostReopened {
        closed_us: i64,
    },
    /// Net of its discount; a guest has no account.
    Order {
        account: Option<u32>,
        money: Money,
    },
    /// The order of then never was.
    Cancelled {
        account: u32,
        ordered_us: i64,
        money: Money,
    },
    /// Money that goes back, of an order, an invoice or neither.
    Refund(Money),
    /// Money that goes back for an order.
    OrderRefund(Money),
    /// First payment of an invoice that bills no order.
    Paid(Money),
    /// What an account pays a month from now on.
    Paying {
        account: u32,
        money: Money,
    },
    /// An answer to the question for a recommendation; of one respondent only the last one of a survey counts.
    Recommends {
        class: Class,
        replaces: Option<(i64, Class)>,
    },
    TicketOpened,
    TicketSolved,
    /// The second account was the first one all the time.
    Linked {
        into: u32,
        from: u32,
    },
}

/// Totals as they grow.
#[derive(Debug, Default)]
pub(crate) struct Books {
    totals: Totals,
    customers: Customers,
    /// What all accounts together pay a month, by currency.
    paying: BTreeMap<&'static str, i64>,
    /// The month whose notes come in.
    month: String,
    month_end_us: i64,
}

impl Books {
    /// Takes what happens at `at_us`.
    pub(crate) fn note(&mut self, at_us: i64, note: Note) {
        self.reach(at_us);
        let now = self.month.clone();
        let mut add = |figure, month: &str, group: &str, amount| self.totals.add(figure, month, group, amount);
        match note {
            Note::Nothing => {}
            Note::LeadCreated => add("leads_created", &now, "", 1),
            Note::LeadConverted { created_us } => add("leads_converted", &month(created_us), "", 1),
            Note::Won(Money { currency, amount }) => {
                add("deals_won", &now, currency, 1);
                add("deals_won_amount", &now, currency, amount);
            }
            Note::WonReopened { closed_us, money: Money { currency, amount } } => {
                add("deals_won", &month(closed_us), currency, -1);
                add("deals_won_amount", &month(closed_us), currency, -amount);
            }
            Note::Lost => add("deals_lost", &now, "", 1),
            Note::LostReopened { closed_us } => add("deals_lost", &month(closed_us), "", -1),
            Note::Order { account, money } => {
                self.order(&now, money, 1);
                account.into_iter().for_each(|account| self.customers.order(account, at_us));
            }
            Note::Cancelled { account, ordered_us, money } => {
                self.order(&month(ordered_us), money, -1);
                self.customers.cancel(account, ordered_us);
            }
            Note::Refund(Money { currency, amount }) => add("net_revenue", &now, currency, -amount),
            Note::OrderRefund(Money { currency, amount }) => {
                add("net_revenue", &now, currency, -amount);
                add("order_revenue_net", &now, currency, -amount);
            }
            Note::Paid(Money { currency, amount }) => add("net_revenue", &now, currency, amount),
            Note::Paying { account, money } => {
                let before = self.customers.pay(account, at_us, money.amount);
                add("net_new_mrr", &now, money.currency, money.amount - before);
                *self.paying.entry(money.currency).or_default() += money.amount - before;
            }
            Note::Recommends { class, replaces } => {
                add("nps_answers", &now, class, 1);
                replaces.into_iter().for_each(|(at_us, class)| add("nps_answers", &month(at_us), class, -1));
            }
            Note::TicketOpened => add("tickets_opened", &now, "", 1),
            Note::TicketSolved => add("tickets_solved", &now, "", 1),
            Note::Linked { into, from } => self.customers.link(into, from),
        }
    }

    fn order(&mut self, month: &str, Money { currency, amount }: Money, sign: i64) {
        self.totals.add("orders", month, "", sign);
        for figure in ["order_revenue", "order_revenue_net", "net_revenue"] {
            self.totals.add(figure, month, currency, sign * amount);
        }
    }

    /// Ends the months that are over at `at_us`.
    fn reach(&mut self, at_us: i64) {
        while at_us >= self.month_end_us {
            if !self.month.is_empty() {
                self.month_end();
            }
            // A day's step at most: notes come every day.
            let from_us = if self.month.is_empty() { at_us } else { self.month_end_us };
            self.month = month(from_us);
            self.month_end_us = next_month_us(from_us);
        }
    }

    fn month_end(&mut self) {
        for (currency, amount) in &self.paying {
            self.totals.set("mrr", &self.month, currency, *amount);
        }
        self.customers.month_ends(&self.month, self.month_end_us);
    }

    /// What stands at `to_us`, the end of the simulation.
    pub(crate) fn close(mut self, to_us: i64, name: impl Fn(u32) -> String) -> Totals {
        // A state at an instant does not hold what is dated at it.
        self.reach(to_us - 1);
        if self.month_end_us > to_us {
            self.month_end_us = to_us;
        }
        self.month_end();
        self.customers.close(to_us, &mut self.totals, name);
        self.totals.lost.sort_unstable();
        self.totals
    }
}

/// `2025-03`.
fn month(at_us: i64) -> String {
    let mut text = date(at_us);
    text.truncate(7);
    text
}

/// When the month after that of `at_us` begins.
fn next_month_us(at_us: i64) -> i64 {
    use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
    let date = Timestamp::from_microsecond(at_us).unwrap_or_default().to_zoned(TimeZone::UTC).date();
    let next = date.first_of_month().checked_add(1.month()).and_then(|date| date.to_zoned(TimeZone::UTC));
    next.map_or(i64::MAX, |next| next.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests;
