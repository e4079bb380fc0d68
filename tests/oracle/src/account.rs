//! Per-account metrics: `account_value`, `silence`, movements of MRR by day.

use crate::calendar::Window;
use crate::fx::{Converter, Money};
use crate::history::Account;
use crate::row::{Answer, Row};
use crate::{Micros, movement};
use std::collections::BTreeMap;

/// The steps of silence, in days of 24 h.
pub const STEPS: [i64; 5] = [7, 14, 30, 60, 90];

const DAY: Micros = 86_400_000_000;

fn row(metric: &'static str, account: &Account<'_>, window: Window, value: i128, unit: &'static str) -> Row {
    Row::of_account(metric, window, account.name, Answer::Whole(value), unit)
}

/// Net revenue to date in each currency of the account's orders, invoices and refunds.
pub fn values(account: &Account<'_>, converter: &Converter, rows: &mut Vec<Row>) {
    for (currency, (sum, since)) in sums(account, Micros::MAX, converter) {
        let mut row = row("account_value", account, Window::TO_DATE, sum.total(), "money").optional_if(since.is_none());
        row.currency = Some(currency.to_owned());
        row.since = since;
        rows.push(row);
    }
}

/// Net revenue before an instant.
pub fn value_at(account: &Account<'_>, currency: &str, instant: Micros, converter: &Converter) -> i128 {
    sums(account, instant, converter).get(currency).map_or(0, |(sum, _)| sum.total())
}

/// Net revenue before an instant by currency, and the time of the last that is in it.
fn sums<'c>(
    account: &Account<'c>,
    before: Micros,
    converter: &'c Converter,
) -> BTreeMap<&'c str, (Money, Option<Micros>)> {
    let mut sums: BTreeMap<&str, (Money, Option<Micros>)> = BTreeMap::new();
    let mut add = |currency, at, amount, counts: bool| {
        if at >= before {
            return;
        }
        let Some((currency, rate)) = converter.rate(currency, at) else { return };
        let (sum, since) = sums.entry(currency).or_default();
        if counts {
            sum.add(amount, rate);
            *since = (*since).max(Some(at));
        }
    };
    for order in &account.orders {
        add(order.currency, order.key.0, order.net, !order.cancelled);
    }
    for invoice in &account.invoices {
        add(invoice.currency, invoice.key.0, invoice.amount, true);
    }
    for refund in &account.refunds {
        add(refund.currency, refund.key.0, -refund.amount, true);
    }
    sums
}

/// Movements of MRR in each local day (ascending) that has one.
pub fn movements(account: &Account<'_>, days: &[Window], converter: &Converter, rows: &mut Vec<Row>) {
    let mut sums: BTreeMap<(&'static str, usize, &str), Money> = BTreeMap::new();
    for movement in movement::movements(account) {
        let at = movement.key.0;
        let day = days.partition_point(|day| day.start <= at).checked_sub(1);
        let Some((day, (currency, rate))) = day.zip(converter.rate(movement.currency, at)) else { continue };
        for (metric, amount) in
            [(of_accounts(movement.kind), movement.amount), ("account_net_new_mrr", movement.signed())]
        {
            sums.entry((metric, day, currency)).or_default().add(amount, rate);
        }
    }
    for ((metric, day, currency), sum) in sums {
        let sum = sum.total();
        let mut row = row(metric, account, days[day], sum, "money").optional_if(sum == 0);
        row.currency = Some(currency.to_owned());
        rows.push(row);
    }
}

/// What accounts show of a kind of movement.
fn of_accounts(kind: &str) -> &'static str {
    match kind {
        "new_mrr" => "account_new_mrr",
        "expansion_mrr" => "account_expansion_mrr",
        "reactivation_mrr" => "account_reactivation_mrr",
        "contraction_mrr" => "account_contraction_mrr",
        _ => "account_churn_mrr",
    }
}

/// The steps reached and left: (when, step), in order.
pub fn steps(account: &Account<'_>, clock: Micros) -> Vec<(Micros, i64)> {
    let Some(start) = account.first_start().map(|key| key.0) else { return Vec::new() };
    // One that becomes a customer after silent days has reached their step at once.
    let from = account.meaningful.partition_point(|&t| t <= start).saturating_sub(1);
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
                changes.push((due.max(start), step));
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
