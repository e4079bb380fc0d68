//! What a rule on silence would have caught in a shop whose orders are known by day: counted from the orders alone.
//!
//! Days are numbers; everything happens at their first instant. A step of `step` days is reached when no order comes in the
//! `step` days after one, that day included; so is a loss after `gone` days. An alert stands from the step to the next order.

use std::collections::{BTreeMap, BTreeSet};

/// Days with orders, by account.
pub type Orders = BTreeMap<String, BTreeSet<i64>>;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Days of silence that fire an alert.
    pub step: i64,
    /// Days without an order after which a customer is lost.
    pub gone: i64,
    /// Days after an alert in which a loss was foreseen by it.
    pub horizon: i64,
    /// The last day of the log.
    pub end: i64,
    /// Only losses of those who never came back.
    pub for_good: bool,
}

/// The counts, leads in days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Alerts.
    pub alerts: u64,
    /// Accounts that they are of.
    pub accounts: u64,
    /// Alerts whose horizon passes the end.
    pub censored: u64,
    /// The others that were followed by a loss within the horizon.
    pub right: u64,
    /// Losses.
    pub outcomes: u64,
    /// Losses with an alert in the horizon before them.
    pub caught: u64,
    /// Quartiles of the days from the first such alert to the loss.
    pub leads: Option<[i64; 3]>,
    /// Alerts that an order ended on the day after.
    pub short: u64,
}

/// Counts.
pub fn figures(orders: &Orders, ask: Question) -> Figures {
    let mut all = Figures::default();
    let mut leads = Vec::new();
    for days in orders.values() {
        // Each order with the next one, if there is one.
        let days: Vec<i64> = days.iter().copied().collect();
        let next = |at: usize| days.get(at + 1).copied();
        let reached = |at: usize, length: i64| {
            days[at] + length <= ask.end && next(at).is_none_or(|next| next > days[at] + length)
        };
        let places = || 0..days.len();
        let alerts: Vec<i64> = places().filter(|at| reached(*at, ask.step)).map(|at| days[at] + ask.step).collect();
        let is_meant = |at: &usize| reached(*at, ask.gone) && (!ask.for_good || next(*at).is_none());
        let losses: Vec<i64> = places().filter(is_meant).map(|at| days[at] + ask.gone).collect();

        all.alerts += alerts.len() as u64;
        all.accounts += u64::from(!alerts.is_empty());
        for alert in &alerts {
            let foreseen = losses.iter().any(|loss| loss > alert && *loss <= alert + ask.horizon);
            if alert + ask.horizon > ask.end {
                all.censored += 1;
            } else if foreseen {
                all.right += 1;
            }
            all.short += u64::from(days.contains(&(alert + 1)));
        }
        for loss in &losses {
            all.outcomes += 1;
            if let Some(first) = alerts.iter().find(|alert| **alert < *loss && **alert >= loss - ask.horizon) {
                all.caught += 1;
                leads.push(loss - first);
            }
        }
    }
    leads.sort_unstable();
    let rank = |quarter: usize| leads[(leads.len() * quarter).div_ceil(4).max(1) - 1];
    all.leads = (!leads.is_empty()).then(|| [rank(1), rank(2), rank(3)]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_customers_by_hand() {
        // One bought twice and left; one came back the day after its alert; one is silent at the end.
        let orders = Orders::from([
            ("a".to_owned(), BTreeSet::from([0, 10])),
            ("b".to_owned(), BTreeSet::from([0, 61, 190])),
            ("c".to_owned(), BTreeSet::from([100])),
        ]);
        let ask = Question { step: 60, gone: 90, horizon: 40, end: 199, for_good: false };
        let all = figures(&orders, ask);
        // Alerts: a 70; b 60, 121; c 160. Losses: a 100; b 151; c 190.
        let expected = Figures {
            alerts: 4,
            accounts: 3,
            censored: 1,
            right: 2,
            outcomes: 3,
            caught: 3,
            leads: Some([30, 30, 30]),
            short: 1,
        };
        assert_eq!(all, expected);
        let good = figures(&orders, Question { for_good: true, ..ask });
        assert_eq!((good.right, good.outcomes), (1, 2), "b came back");
    }
}
