//! Measures of some accounts only: the metrics of the catalog that end-to-end tests add to the built-in one.
//!
//! - `pro_customers`: customers at end whose plan is then `pro`.
//! - `paying_churn_rate`, `paying_churn_rate_rolling`: churn of those whose plan is not `free`; no plan is another plan,
//!   too. Traits as for the same rates of all customers.
//! - `pro_engagement_rate`: of the customers at end with plan `pro` those with a meaningful event.
//! - `web_buyers`: accounts with an order through the channel `web` in the window, whose plan is not `free` at its end.

use crate::base::{self, Counts, Seen};
use crate::calendar::Window;
use crate::history::{Account, Traits};
use crate::money::trait_groups;
use crate::row::{Answer, Group, Row};
use crate::{Micros, Settings};
use std::collections::HashMap;

/// The catalog of these metrics, to be appended to the built-in one.
pub const CATALOG: &str = include_str!("filtered.yaml");

fn is_pro(traits: &Traits) -> bool {
    traits[0] == "pro"
}

fn is_paying(traits: &Traits) -> bool {
    traits[0] != "free"
}

/// The rows of a window, where the settings ask for them.
pub fn rows(
    accounts: &[Account<'_>],
    window: Window,
    clock: Micros,
    seen: &Seen<'_>,
    settings: &Settings,
    rows: &mut Vec<Row>,
) {
    if !settings.filtered {
        return;
    }
    let pro = base::count_where(accounts, window, clock, &is_pro);
    let paying = base::count_where(accounts, window, clock, &is_paying);
    for (group, sure) in seen.groups(window) {
        let of = |table: &base::Table<'_>| table.get(&group).copied().unwrap_or_default();
        for (metric, answer) in rates(of(&pro), of(&paying)) {
            let fill = answer.is_fill();
            rows.push(Row::aggregate(metric, window, group, None, answer).optional_if(fill && !sure));
        }
    }
    for (group, count) in web_buyers(accounts, window, clock) {
        rows.push(Row::aggregate("web_buyers", window, group, None, Answer::Whole(count)));
    }
}

fn rates(pro: Counts, paying: Counts) -> [(&'static str, Answer); 4] {
    [
        ("pro_customers", Answer::Whole(pro.at_end)),
        ("pro_engagement_rate", Answer::Ratio(pro.engaged, pro.at_end)),
        ("paying_churn_rate", Answer::Ratio(paying.churned, paying.at_start)),
        ("paying_churn_rate_rolling", Answer::Ratio(paying.lost_of_base, paying.at_start + paying.started)),
    ]
}

fn web_buyers<'a>(accounts: &'a [Account<'a>], window: Window, clock: Micros) -> HashMap<Group<'a>, i128> {
    let mut counts = HashMap::new();
    for account in accounts {
        let traits = account.traits_at(base::end_of(window, clock));
        let bought = account.counted().any(|order| order.channel == "web" && window.holds(order.key.0));
        if bought && is_paying(traits) {
            trait_groups(traits).into_iter().for_each(|group| *counts.entry(group).or_default() += 1);
        }
    }
    counts
}
