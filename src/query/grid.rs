//! Windows as rows, and as columns the values of one dimension, or the currencies: what a spreadsheet calls a pivot.
//!
//! Columns are in the order of their names, the whole last; where not all fit, the greatest are shown and the others
//! counted. Sums and counts have a total below; a level or a ratio has none, since values of several windows do not add
//! up. The column of the whole is the metric's own series, not a sum of the others: an order may count in two products.

use std::collections::{BTreeMap, BTreeSet};

use store::{Point, Row, Window, window::Kind};
use unicode_width::UnicodeWidthStr as _;

use super::answer::{Answer, Legend, aligned};
use crate::output::{
    number::{self, Notation},
    spark,
    table::{self, Side},
};

/// Columns at most, where the output has no width.
const COLUMNS_MAX: usize = 50;
/// What a column takes besides its text.
const GAP: usize = 3;
/// A sparkline in a cell is at least this long.
const TREND_MIN: usize = 6;

/// Columns of one currency, or of all where each is a column.
pub(crate) struct Grid {
    /// The currency of all columns; empty where each has its own, and for what is no money.
    pub(crate) currency: String,
    /// Rows, in order.
    pub(crate) windows: Vec<Window>,
    /// How many windows there were before `--limit`.
    pub(crate) found: usize,
    /// Columns, in order.
    pub(crate) columns: Vec<Column>,
}

/// One series.
pub(crate) struct Column {
    /// Its title.
    pub(crate) title: String,
    /// How its values are written.
    pub(crate) notation: Notation,
    /// A point of each window that it has.
    pub(crate) points: BTreeMap<Window, Point>,
    /// Whether it is the whole beside its parts.
    pub(crate) whole: bool,
}

impl Column {
    fn new(title: String, rows: &[&Row], whole: bool) -> Self {
        let series = &rows[0].series;
        let values = rows.iter().filter_map(|row| row.point.value);
        let notation = Notation::of(&series.unit, &series.currency, values);
        Self { title, notation, points: rows.iter().map(|row| (row.point.window, row.point.clone())).collect(), whole }
    }

    /// Its values over the windows.
    pub(crate) fn values(&self, windows: &[Window]) -> Vec<Option<f64>> {
        windows.iter().map(|window| self.points.get(window).and_then(|point| point.value)).collect()
    }

    fn sum(&self, windows: &[Window]) -> f64 {
        self.values(windows).into_iter().flatten().sum()
    }

    fn size(&self) -> f64 {
        self.points.values().filter_map(|point| point.value).map(f64::abs).sum()
    }
}

/// The grids of an answer: one, or with a dimension one a currency.
pub(crate) fn grids(answer: &Answer<'_>) -> Vec<Grid> {
    if answer.dimensions().is_empty() {
        let currencies = answer.currencies();
        let alone = currencies.len() == 1;
        let title = |row: &Row| if alone { answer.metric.title.to_lowercase() } else { row.series.currency.clone() };
        let rows: Vec<&Row> = answer.rows.iter().collect();
        let currency = if alone { currencies[0] } else { "" };
        return vec![grid(answer, currency, columns(&rows, title, false))];
    }
    let of = |currency: &str| {
        let here = |row: &&Row| row.series.currency == currency;
        let parts: Vec<&Row> = answer.rows.iter().filter(here).collect();
        let whole: Vec<&Row> = answer.all.iter().filter(here).collect();
        let value = |row: &Row| row.series.dimensions.values().next().cloned().unwrap_or_default();
        let title = |row: &Row| Some(value(row)).filter(|text| !text.is_empty()).unwrap_or("(none)".to_owned());
        let mut columns = columns(&parts, title, false);
        columns.extend(self::columns(&whole, |_| "all".to_owned(), true));
        grid(answer, currency, columns)
    };
    answer.currencies().into_iter().map(of).collect()
}

fn columns(rows: &[&Row], title: impl Fn(&Row) -> String, whole: bool) -> Vec<Column> {
    let mut found: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        found.entry(title(row)).or_default().push(row);
    }
    found.into_iter().map(|(title, rows)| Column::new(title, &rows, whole)).collect()
}

fn grid(answer: &Answer<'_>, currency: &str, columns: Vec<Column>) -> Grid {
    let windows: BTreeSet<Window> = columns.iter().flat_map(|column| column.points.keys().copied()).collect();
    let mut windows: Vec<Window> = windows.into_iter().collect();
    let found = windows.len();
    windows.truncate(answer.args.limit.unwrap_or(usize::MAX));
    Grid { currency: currency.to_owned(), windows, found, columns }
}

impl Grid {
    /// Whether any value of a window may still change.
    pub(crate) fn is_open(&self, window: &Window) -> bool {
        self.columns.iter().filter_map(|column| column.points.get(window)).any(|point| !point.is_final)
    }

    /// `10 of 36 months`, if some were left out.
    pub(crate) fn left_out(&self, kind: Kind) -> Option<String> {
        let noun = crate::output::label::noun(kind);
        let (shown, found) = (self.windows.len(), self.found);
        (shown < found)
            .then(|| format!(" {} of {}\n", number::grouped(&shown.to_string()), number::count_of(found, noun)))
    }
}

/// The table.
pub(crate) fn draw(answer: &Answer<'_>) -> String {
    let grids = grids(answer);
    let tables: Vec<String> = grids.into_iter().map(|grid| draw_one(answer, grid)).collect();
    tables.join("\n")
}

fn draw_one(answer: &Answer<'_>, mut grid: Grid) -> String {
    let unicode = answer.terminal.unicode;
    let mut legend = Legend::default();
    let year = answer.year(grid.windows.iter().copied());
    let title = answer.window_title(year);
    let mut labels = Vec::new();
    for window in &grid.windows {
        let open = grid.is_open(window);
        legend.open |= open;
        labels.push(answer.window(window, year, open));
    }
    let total = adds_up(answer) && grid.windows.len() > 1;
    labels.extend(total.then(|| "total".to_owned()));

    let width = labels.iter().chain([&title]).map(|label| label.width()).max().unwrap_or(0) + GAP;
    let mut parts: Vec<Vec<String>> =
        grid.columns.iter().map(|column| cells(column, &grid.windows, total, unicode, &mut legend)).collect();
    let room = answer.terminal.columns().map(|columns| columns.saturating_sub(width));
    let shown = fitting(&grid.columns, &parts, room);
    let left_out = grid.columns.len() - shown.len();
    keep(&mut grid.columns, &shown);
    keep(&mut parts, &shown);

    let heading = heading(answer, &grid, &mut labels, &mut parts);
    let header: Vec<(&str, Side)> = std::iter::once((title.as_str(), Side::Name))
        .chain(grid.columns.iter().map(|column| (column.title.as_str(), Side::Right)))
        .collect();
    let rows = labels.into_iter().enumerate();
    let rows =
        rows.map(|(at, label)| std::iter::once(label).chain(parts.iter().map(|part| part[at].clone())).collect());
    let mut text = heading + &table::draw(&header, rows.collect(), answer.terminal);
    text.extend(legend.line(unicode));
    text.extend(grid.left_out(answer.kind()));
    if left_out > 0 {
        let noun = number::count_of(left_out, "other column");
        text += &format!(" {noun}: use --format csv, or --where to choose\n");
    }
    text
}

/// Whether values of several windows add up to that of the time that they make up.
fn adds_up(answer: &Answer<'_>) -> bool {
    answer.metric.additive && !matches!(answer.kind(), Kind::Trailing(_) | Kind::ToDate)
}

fn cells(column: &Column, windows: &[Window], total: bool, unicode: bool, legend: &mut Legend) -> Vec<String> {
    let point = |window| column.points.get(window);
    let mut cells: Vec<String> = windows
        .iter()
        .map(|window| point(window).map_or(String::new(), |point| legend.cell(point, &column.notation, unicode)))
        .collect();
    cells.extend(total.then(|| column.notation.text(column.sum(windows))));
    aligned(&mut cells);
    cells
}

/// The columns that fit: the whole, and of the others the greatest; all where there is no limit.
fn fitting(columns: &[Column], cells: &[Vec<String>], room: Option<usize>) -> Vec<usize> {
    let width = |at: &usize| {
        let texts = cells[*at].iter().chain([&columns[*at].title]);
        texts.map(|text| text.width()).max().unwrap_or(0) + GAP
    };
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&columns[*a], &columns[*b]);
        b.whole.cmp(&a.whole).then(b.size().total_cmp(&a.size()))
    });
    let mut used = 0;
    let fits = |(nth, at): &(usize, usize)| {
        used += width(at);
        *nth == 0 || room.map_or(*nth < COLUMNS_MAX, |room| used <= room)
    };
    let mut shown: Vec<usize> = order.into_iter().enumerate().take_while(fits).map(|(_, at)| at).collect();
    shown.sort_unstable();
    shown
}

fn keep<T>(of: &mut Vec<T>, shown: &[usize]) {
    let mut at = 0;
    of.retain(|_| {
        at += 1;
        shown.contains(&(at - 1))
    });
}

/// The line above; the course of one series stands in it, that of several is a last row.
fn heading(answer: &Answer<'_>, grid: &Grid, labels: &mut Vec<String>, cells: &mut [Vec<String>]) -> String {
    let unicode = answer.terminal.unicode;
    let heading = format!(" {}", answer.heading(&grid.currency));
    match grid.columns.as_slice() {
        _ if grid.windows.len() < 3 => heading + "\n",
        [only] => {
            let room = answer.terminal.columns().unwrap_or(120).saturating_sub(heading.width() + 3);
            format!("{heading}   {}\n", spark::fitting(&only.values(&grid.windows), room, unicode))
        }
        columns => {
            labels.push("trend".to_owned());
            for (column, cells) in columns.iter().zip(cells) {
                let widest = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
                let room = widest.max(column.title.width()).max(TREND_MIN);
                cells.push(spark::fitting(&column.values(&grid.windows), room, unicode));
            }
            heading + "\n"
        }
    }
}
