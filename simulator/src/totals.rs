//! Totals by name, month and group, and who was lost when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::stamp;

/// What the simulator knows by construction. Months are of UTC and written `2025-03`; money is in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    figures: BTreeMap<String, BTreeMap<String, BTreeMap<String, i64>>>,
    /// Accounts that stopped being customers, with the time in microseconds, in this order.
    pub lost: Vec<(i64, String)>,
}

/// Totals as they are written.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    /// By figure, month and group: a currency, a class of answers, or empty.
    figures: BTreeMap<String, BTreeMap<String, BTreeMap<String, i64>>>,
    lost: Vec<Lost>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lost {
    account: String,
    at: String,
}

impl Totals {
    pub(crate) fn add(&mut self, figure: &str, month: &str, group: &str, amount: i64) {
        *self.cell(figure, month, group) += amount;
    }

    pub(crate) fn set(&mut self, figure: &str, month: &str, group: &str, amount: i64) {
        *self.cell(figure, month, group) = amount;
    }

    pub(crate) fn lose(&mut self, at_us: i64, account: String) {
        self.lost.push((at_us, account));
    }

    fn cell(&mut self, figure: &str, month: &str, group: &str) -> &mut i64 {
        let months = self.figures.entry(figure.to_owned()).or_default();
        months.entry(month.to_owned()).or_default().entry(group.to_owned()).or_default()
    }

    /// The months of a figure and a group, in order. Sums of nothing are left out; of `customers` and `mrr`, which are
    /// states at the end of a month, none is.
    #[must_use]
    pub fn series(&self, figure: &str, group: &str) -> Vec<(&str, i64)> {
        let state = ["customers", "mrr"].contains(&figure);
        let months = self.figures.get(figure).into_iter().flatten();
        let cells = months.filter_map(|(month, groups)| Some((month.as_str(), *groups.get(group)?)));
        cells.filter(|(_, amount)| state || *amount != 0).collect()
    }

    /// All figures: name, month, group and amount.
    pub fn figures(&self) -> impl Iterator<Item = (&str, &str, &str, i64)> {
        self.figures.iter().flat_map(|(figure, months)| {
            months.iter().flat_map(move |(month, groups)| {
                groups.iter().map(move |(group, amount)| (figure.as_str(), month.as_str(), group.as_str(), *amount))
            })
        })
    }

    /// JSON with every figure by month and group, and who was lost when.
    #[must_use]
    pub fn json(&self) -> String {
        let lost = self.lost.iter().map(|(at_us, account)| Lost { account: account.clone(), at: stamp(*at_us) });
        let file = File { figures: self.figures.clone(), lost: lost.collect() };
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }
}
