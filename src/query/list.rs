//! Each row for itself: accounts, several dimensions, or any order but that of time.

use processor_core::usual::{VALUES_MIN, WINDOWS};
use store::{Row, usual::Compared};

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
        rows.push(keys.cells(answer, row).into_iter().chain(currency).chain([value]).collect::<Vec<String>>());
    }
    let ranges = answer.args.usual.then(|| ranges(answer));
    for (row, range) in rows.iter_mut().zip(ranges.iter().flatten()) {
        row.extend(range.clone());
    }

    let value = answer.metric.title.to_lowercase();
    let currency = (currencies.len() > 1).then_some(("currency", Side::Name));
    let names = keys.titles.iter().map(|title| (title.as_str(), Side::Left));
    let header = names.chain(currency).chain([(value.as_str(), Side::Right)]);
    let header: Vec<_> = header.chain(RANGE.into_iter().filter(|_| answer.args.usual)).collect();
    let heading = answer.heading(if currencies.len() == 1 { currencies[0] } else { "" });
    let mut text = format!(" {heading}\n{}", table::draw(&header, rows, answer.terminal));
    text.extend(legend.line(unicode));
    text.extend(answer.args.usual.then(|| usual_legend(answer)));
    text.extend(left_out(answer));
    text
}

/// What `--usual` adds.
const RANGE: [(&str, Side); 4] =
    [("low", Side::Right), ("centre", Side::Right), ("high", Side::Right), ("verdict", Side::Name)];

/// Low, centre, high and verdict of each row; empty where it has no range.
fn ranges(answer: &Answer<'_>) -> Vec<[String; 4]> {
    let bounds = |range: &Compared| [range.low, range.centre, range.high];
    // Decimals of the bounds, not of the values: the mean of counts has some.
    let notations = notations_for(answer, answer.ranges.iter().flatten().flat_map(bounds));
    let cells = |(range, notation): (&Option<Compared>, Notation)| {
        let Some(range) = range else { return Default::default() };
        let [low, centre, high] = bounds(range).map(|bound| notation.text(bound));
        [low, centre, high, range.verdict.map(|verdict| verdict.name().to_owned()).unwrap_or_default()]
    };
    answer.ranges.iter().zip(notations).map(cells).collect()
}

/// What the columns are.
fn usual_legend(answer: &Answer<'_>) -> String {
    let mut text = format!(
        " low to high is usual: mean of up to {WINDOWS} final windows before, +- 2.66 times their mean change\n"
    );
    if answer.rows.iter().any(|row| !row.point.is_final) {
        text += " an open window is compared as far as it has come\n";
    }
    if answer.ranges.iter().any(Option::is_none) {
        text += &format!(" no range: fewer than {VALUES_MIN} values before\n");
    }
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
    notations_for(answer, answer.rows.iter().filter_map(|row| row.point.value))
}

/// How such values are written in each row.
fn notations_for(answer: &Answer<'_>, values: impl Iterator<Item = f64>) -> Vec<Notation> {
    let unit = &answer.metric.unit;
    let plain = Notation::of(unit, "", values);
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
