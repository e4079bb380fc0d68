//! Each row for itself: accounts, several dimensions, or any order but that of time.

use store::Row;

use super::{
    Sort,
    answer::{Answer, Legend, aligned},
};
use crate::output::{
    number::{self, Notation},
    table::{self, Side},
};

/// The table.
pub(crate) fn draw(answer: &Answer<'_>) -> String {
    let unicode = answer.terminal.unicode;
    let mut legend = Legend::default();
    let currencies = answer.currencies();
    let keys = keys(answer);
    let mut values: Vec<String> =
        answer.rows.iter().zip(notations(answer)).map(|(row, n)| legend.cell(&row.point, &n, unicode)).collect();
    aligned(&mut values);

    let mut rows = Vec::new();
    for (row, value) in answer.rows.iter().zip(values) {
        legend.open |= keys.window && !row.point.is_final;
        let currency = (currencies.len() > 1).then(|| row.series.currency.clone());
        rows.push(keys.cells(answer, row).into_iter().chain(currency).chain([value]).collect());
    }

    let value = answer.metric.title.to_lowercase();
    let currency = (currencies.len() > 1).then_some(("currency", Side::Name));
    let names = keys.titles.iter().map(|title| (title.as_str(), Side::Left));
    let header: Vec<(&str, Side)> = names.chain(currency).chain([(value.as_str(), Side::Right)]).collect();
    let heading = answer.heading(if currencies.len() == 1 { currencies[0] } else { "" });
    let mut text = format!(" {heading}\n{}", table::draw(&header, rows, answer.terminal));
    text.extend(legend.line(unicode));
    text.extend(left_out(answer));
    text
}

/// What names a row.
pub(crate) struct Keys {
    titles: Vec<String>,
    window: bool,
    account: bool,
    year: Option<i16>,
}

/// Account, dimensions, window: what the rows have of it.
pub(crate) fn keys(answer: &Answer<'_>) -> Keys {
    let account = answer.metric.per_account;
    let window = answer.rows[0].point.window.start_us.is_some();
    let year = answer.year(answer.rows.iter().map(|row| row.point.window));
    let mut titles = Vec::new();
    titles.extend(account.then(|| "account".to_owned()));
    titles.extend(answer.dimensions().into_iter().map(str::to_owned));
    titles.extend(window.then(|| answer.window_title(year)));
    Keys { titles, window, account, year }
}

impl Keys {
    /// The names of a row, in the order of the titles.
    pub(crate) fn cells(&self, answer: &Answer<'_>, row: &Row) -> Vec<String> {
        let account = self.account.then(|| row.series.account.clone().unwrap_or_default());
        let dimensions = row.series.dimensions.values().cloned();
        let window = self.window.then(|| answer.window(&row.point.window, self.year, !row.point.is_final));
        account.into_iter().chain(dimensions).chain(window).collect()
    }
}

/// How each row's value is written: alike within a currency.
pub(crate) fn notations(answer: &Answer<'_>) -> Vec<Notation> {
    let unit = &answer.metric.unit;
    let values = || answer.rows.iter().filter_map(|row| row.point.value);
    let plain = Notation::of(unit, "", values());
    let of = |row: &Row| match row.series.currency.as_str() {
        currency if !currency.is_empty() && number::is_money(unit) => Notation::of(unit, currency, []),
        _ => plain.clone(),
    };
    answer.rows.iter().map(of).collect()
}

/// `10 of 18,234 accounts, greatest first`.
pub(crate) fn left_out(answer: &Answer<'_>) -> Option<String> {
    let noun = if answer.metric.per_account && !keys(answer).window { "account" } else { "row" };
    let order = match answer.args.sort {
        Some(Sort::Value) => ", greatest first",
        Some(Sort::Account) => ", by account",
        Some(Sort::Start) => ", earliest first",
        None => "",
    };
    let shown = answer.rows.len();
    let found = number::count_of(answer.found, noun);
    if shown < answer.found {
        return Some(format!(" {} of {found}{order}\n", number::grouped(&shown.to_string())));
    }
    (shown > 20).then(|| format!(" {found}{order}\n"))
}
