//! Revenue retention over accounts with MRR at the start of a window: `net_revenue_retention`,
//! `gross_revenue_retention`, `revenue_churn_rate`, by currency and the traits at the start.
//!
//! In a reporting currency both amounts of an account are converted at the rate of the window's start, and its
//! currencies are compared together.

use crate::Micros;
use crate::base::end_of;
use crate::calendar::Window;
use crate::fx::{Converter, Money};
use crate::history::Account;
use crate::level::pieces;
use crate::money::trait_groups;
use crate::movement::{self, Totals};
use crate::read::Key;
use crate::row::{Answer, Group, Row};
use crate::values::Kept;
use std::collections::HashMap;

/// An account that ever had MRR.
#[derive(Debug)]
pub struct Payer<'a> {
    account: &'a Account<'a>,
    totals: Vec<(Key<'a>, Totals<'a>)>,
    currencies: Vec<&'a str>,
}

/// The accounts that ever had MRR.
pub fn payers<'a>(accounts: &'a [Account<'a>]) -> Vec<Payer<'a>> {
    let mut payers = Vec::new();
    for account in accounts.iter().filter(|account| !account.subscriptions.is_empty()) {
        let totals = movement::totals(account);
        let mut currencies: Vec<&str> = totals.iter().flat_map(|(_, totals)| totals.keys().copied()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        if !currencies.is_empty() {
            payers.push(Payer { account, totals, currencies });
        }
    }
    payers
}

/// Start amounts, end amounts, the lesser of both, what was lost.
type Sums = [Money; 4];

/// The rows of a window. `since` has the first MRR of each (group, currency): rows are from there on.
pub fn rows<'a>(
    payers: &[Payer<'a>],
    window: Window,
    clock: Micros,
    since: &HashMap<(Group<'a>, &'a str), Micros>,
    kept: &Kept,
    converter: &'a Converter,
    rows: &mut Vec<Row>,
) {
    let mut table = sums(payers, window, clock, kept, converter);
    for ((group, currency), first) in since {
        if *first < window.end {
            table.entry((*group, *currency)).or_default();
        }
    }
    for ((group, currency), [start, end, least, lost]) in &table {
        let den = start.total();
        for (metric, num) in
            [("net_revenue_retention", end), ("gross_revenue_retention", least), ("revenue_churn_rate", lost)]
        {
            rows.push(Row::aggregate(metric, window, *group, Some(currency), Answer::Ratio(num.total(), den)));
        }
    }
}

/// The sums of a window.
pub fn sums<'a>(
    payers: &[Payer<'a>],
    window: Window,
    clock: Micros,
    kept: &Kept,
    converter: &'a Converter,
) -> HashMap<(Group<'a>, &'a str), Sums> {
    let end = end_of(window, clock);
    let mut table: HashMap<(Group<'a>, &'a str), Sums> = HashMap::new();
    for payer in payers {
        let mut amounts: HashMap<&'a str, [Money; 2]> = HashMap::new();
        for &currency in &payer.currencies {
            let Some((shown, rate)) = converter.rate(currency, window.start) else { continue };
            let of_account = amounts.entry(shown).or_default();
            for (sum, instant) in of_account.iter_mut().zip([window.start, end]) {
                sum.add(movement::at(&payer.totals, currency, instant), rate);
            }
        }
        let groups = trait_groups(payer.account.traits_at(window.start));
        for (currency, [start, end]) in amounts.into_iter().filter(|(_, [start, _])| start.is_positive()) {
            for group in groups {
                add(table.entry((kept.shown(group), currency)).or_default(), &start, &end);
            }
        }
    }
    table
}

fn add(sums: &mut Sums, start: &Money, end: &Money) {
    let [starts, ends, least, lost] = sums;
    starts.add_all(start, 1);
    ends.add_all(end, 1);
    let mut loss = start.clone();
    loss.add_all(end, -1);
    let less = loss.is_positive();
    least.add_all(if less { end } else { start }, 1);
    lost.add_all(&loss, i128::from(less));
}

/// The first MRR of each (group, currency); also of one into which a change of traits moves an account that has some.
pub fn since<'a>(payers: &[Payer<'a>], kept: &Kept, converter: &'a Converter) -> HashMap<(Group<'a>, &'a str), Micros> {
    let mut since: HashMap<(Group<'a>, &'a str), Micros> = HashMap::new();
    for payer in payers {
        for (step, (key, totals)) in payer.totals.iter().enumerate() {
            let next = payer.totals.get(step + 1).map(|(key, _)| key.0);
            let moved = pieces(payer.account, key.0, next).into_iter().skip(1).map(|(at, _, groups)| (at, groups));
            let begun = (key.0, trait_groups(payer.account.traits_before(*key)));
            for (at, groups) in std::iter::once(begun).chain(moved) {
                for currency in totals.keys() {
                    let Some((shown, at)) = converter.since(currency, at) else { continue };
                    for group in groups {
                        let first = since.entry((kept.shown(group), shown)).or_insert(at);
                        *first = at.min(*first);
                    }
                }
            }
        }
    }
    since
}
