//! Who was a customer when: the spans of each account, by payments and by orders.
//!
//! Invariants: a span `(from, to]` holds the instants at whose start the account was a customer, so what is dated at an
//! instant is not in it yet; a customer by orders stays one for 90 days after the last of them. A cancelled order is the
//! account's last one so far, so one step back is enough.

use std::collections::BTreeMap;

use crate::{calendar::DAY_US, totals::Totals};

/// How long an order makes a customer.
const SILENT_US: i64 = 90 * DAY_US;

/// The past of one account.
#[derive(Debug, Default)]
struct Past {
    /// By orders.
    orders: Vec<(i64, i64)>,
    /// By payments; the last one is open while `mrr > 0`.
    paid: Vec<(i64, i64)>,
    mrr: i64,
    /// The last span by orders before the last order: how it was, or that it was not there.
    before: Option<(i64, i64)>,
}

/// All accounts that ever ordered or paid.
#[derive(Debug, Default)]
pub(super) struct Customers {
    past: BTreeMap<u32, Past>,
    /// From an account to the one that it turned out to be.
    linked: BTreeMap<u32, u32>,
    /// Name and end of each month.
    months: Vec<(String, i64)>,
}

impl Customers {
    pub(super) fn order(&mut self, account: u32, at_us: i64) {
        let past = self.past.entry(account).or_default();
        past.before = past.orders.last().copied();
        match past.orders.last_mut() {
            Some(span) if span.1 >= at_us => span.1 = at_us + SILENT_US,
            _ => past.orders.push((at_us, at_us + SILENT_US)),
        }
    }

    pub(super) fn cancel(&mut self, account: u32, ordered_us: i64) {
        let Some(past) = self.past.get_mut(&account) else { return };
        debug_assert_eq!(past.orders.last().map(|span| span.1), Some(ordered_us + SILENT_US), "another order between");
        past.orders.pop();
        if let Some(before) = past.before.filter(|before| before.1 >= ordered_us) {
            past.orders.push(before);
        }
    }

    /// Sets what an account pays a month; returns what it paid before.
    pub(super) fn pay(&mut self, account: u32, at_us: i64, mrr: i64) -> i64 {
        let past = self.past.entry(account).or_default();
        let before = std::mem::replace(&mut past.mrr, mrr);
        match (before > 0, mrr > 0) {
            (false, true) => past.paid.push((at_us, i64::MAX)),
            (true, false) => past.paid.last_mut().into_iter().for_each(|span| span.1 = at_us),
            _ => {}
        }
        before
    }

    pub(super) fn link(&mut self, into: u32, from: u32) {
        self.linked.insert(from, into);
    }

    pub(super) fn month_ends(&mut self, month: &str, at_us: i64) {
        self.months.push((month.to_owned(), at_us));
    }

    /// Counts the customers at each month's end, and lists who was lost when, before `to_us`.
    pub(super) fn close(mut self, to_us: i64, totals: &mut Totals, name: impl Fn(u32) -> String) {
        for (from, into) in std::mem::take(&mut self.linked) {
            let Some(past) = self.past.remove(&from) else { continue };
            let whole = self.past.entry(into).or_default();
            whole.orders.extend(past.orders);
            whole.paid.extend(past.paid);
        }
        for (account, past) in self.past {
            let spans = union(past.orders.into_iter().chain(past.paid).collect());
            for (month, at_us) in &self.months {
                let is_one = spans.iter().any(|(from, to)| from < at_us && at_us <= to);
                totals.add("customers", month, "", i64::from(is_one));
            }
            let ends = spans.iter().map(|(_, to)| *to).filter(|to| *to < to_us);
            ends.for_each(|at_us| totals.lose(at_us, name(account)));
        }
    }
}

/// Spans that touch or overlap are one.
fn union(mut spans: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    spans.sort_unstable();
    let mut whole: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match whole.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => whole.push((from, to)),
        }
    }
    whole
}
