//! Per-account metrics: `account_value`, `silence`.

use crate::Micros;
use crate::calendar::Window;
use crate::history::Account;
use crate::row::{Answer, Row};
use std::collections::BTreeMap;

/// The steps of silence, in days of 24 h.
pub const STEPS: [i64; 5] = [7, 14, 30, 60, 90];

const DAY: Micros = 86_400_000_000;

fn row(metric: &'static str, account: &Account<'_>, window: Window, value: i128, unit: &'static str) -> Row {
    Row {
        metric,
        window,
        group: None,
        account: Some(account.name.to_owned()),
        currency: None,
        answer: Answer::Whole(value),
        unit,
        is_final: false,
        since: None,
        optional: false,
    }
}

/// Net revenue to date in each currency of the account's orders and refunds.
pub fn values(account: &Account<'_>, rows: &mut Vec<Row>) {
    let mut sums: BTreeMap<&str, (i128, Option<Micros>)> = BTreeMap::new();
    for order in &account.orders {
        let (sum, since) = sums.entry(order.currency).or_default();
        if !order.cancelled {
            *sum += order.net;
            *since = (*since).max(Some(order.key.0));
        }
    }
    for refund in &account.refunds {
        let (sum, since) = sums.entry(refund.currency).or_default();
        *sum -= refund.amount;
        *since = (*since).max(Some(refund.key.0));
    }
    for (currency, (sum, since)) in sums {
        let mut row = row("account_value", account, Window::TO_DATE, sum, "money").optional_if(since.is_none());
        row.currency = Some(currency.to_owned());
        row.since = since;
        rows.push(row);
    }
}

/// The steps reached and left: (when, step), in order.
pub fn steps(account: &Account<'_>, clock: Micros) -> Vec<(Micros, i64)> {
    let Some(first) = account.counted().next().map(|o| o.key.0) else { return Vec::new() };
    let from = account.meaningful.partition_point(|&t| t < first);
    let mut changes: Vec<(Micros, i64)> = Vec::new();
    for (i, &event) in account.meaningful.iter().enumerate().skip(from) {
        if changes.last().is_some_and(|&(_, step)| step > 0) {
            changes.push((event, 0));
        }
        let next = account.meaningful.get(i + 1);
        for step in STEPS {
            let due = event + step * DAY;
            // An event at the very instant still prevents the step; a later one shows that it was reached.
            if next.map_or(due <= clock, |&next| due < next) {
                changes.push((due, step));
            }
        }
    }
    changes
}

/// A row for each local day (ascending) in which a step is reached or left.
pub fn silences(account: &Account<'_>, days: &[Window], clock: Micros, rows: &mut Vec<Row>) {
    let mut by_day: BTreeMap<usize, (Micros, i64)> = BTreeMap::new();
    for change in steps(account, clock) {
        // A change dated in a day that does not exist yet shows in the open one.
        let after = days.partition_point(|d| d.start <= change.0);
        if let Some(day) = after.checked_sub(1) {
            by_day.insert(day, change);
        }
    }
    let mut before = 0;
    for (day, (since, step)) in by_day {
        let mut row = row("silence", account, days[day], step.into(), "days").optional_if(step == before);
        row.since = Some(since);
        rows.push(row);
        before = step;
    }
}
