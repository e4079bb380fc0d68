//! An answer as bars: a line a window, or a line a row.

use store::Point;

use super::{
    answer::{Answer, Legend},
    grid, list,
};
use crate::output::{
    chart::{self, Bar},
    number::Notation,
};

/// Series that are drawn below each other at most.
const SERIES_MAX: usize = 10;

/// Windows from top to bottom, one series below the other, all on one scale.
pub(crate) fn of_grid(answer: &Answer<'_>) -> String {
    let grids = grid::grids(answer);
    let texts: Vec<String> = grids.iter().map(|grid| of_one(answer, grid)).collect();
    texts.join("\n")
}

fn of_one(answer: &Answer<'_>, grid: &grid::Grid) -> String {
    let mut legend = Legend::default();
    let year = answer.year(grid.windows.iter().copied());
    let parts = grid.columns.iter().filter(|column| !column.whole || grid.columns.len() == 1);
    let shown: Vec<_> = parts.clone().take(SERIES_MAX).collect();
    let mut groups: Vec<Vec<Bar>> = Vec::new();
    for column in &shown {
        let mut bars = Vec::new();
        for window in &grid.windows {
            let Some(point) = column.points.get(window) else { continue };
            legend.open |= !point.is_final;
            bars.push(bar(answer.window(window, year, !point.is_final), point, &column.notation, &mut legend));
        }
        groups.push(bars);
    }
    let draw = |bars: &[Bar]| chart::draw(bars, answer.terminal.columns(), answer.terminal.unicode);
    // Amounts of two currencies have no scale in common.
    let apart = grid.currency.is_empty() && answer.currencies().len() > 1;
    let drawn = if apart { groups.iter().map(|bars| draw(bars)).collect() } else { draw(&groups.concat()) };
    let mut lines = drawn.lines();
    let mut text = format!(" {}{}\n", answer.heading(&grid.currency), year.map_or(String::new(), |y| format!(", {y}")));
    for (column, bars) in shown.iter().zip(&groups) {
        if shown.len() > 1 {
            text += &format!("\n {}\n", column.title);
        }
        lines.by_ref().take(bars.len()).for_each(|line| text += &format!("{line}\n"));
    }
    text.extend(legend.line(answer.terminal.unicode));
    text.extend(grid.left_out(answer.kind()));
    let others = parts.count() - shown.len();
    if others > 0 {
        text += &format!(" {others} other series: use --format csv, or --where to choose\n");
    }
    text
}

/// Rows from top to bottom.
pub(crate) fn of_list(answer: &Answer<'_>) -> String {
    let mut legend = Legend::default();
    let keys = list::keys(answer);
    let currencies = answer.currencies();
    let mut bars = Vec::new();
    for (row, notation) in answer.rows.iter().zip(list::notations(answer)) {
        let mut label = keys.cells(answer, row).join("  ");
        if currencies.len() > 1 {
            label += &format!("  {}", row.series.currency);
        }
        legend.open |= label.ends_with(" *");
        bars.push(bar(label, &row.point, &notation, &mut legend));
    }
    let heading = answer.heading(if currencies.len() == 1 { currencies[0] } else { "" });
    let mut text = format!(" {heading}\n");
    text += &chart::draw(&bars, answer.terminal.columns(), answer.terminal.unicode);
    text.extend(legend.line(answer.terminal.unicode));
    text.extend(list::left_out(answer));
    text
}

/// A null says why in its line.
fn bar(label: String, point: &Point, notation: &Notation, legend: &mut Legend) -> Bar {
    let text = match point.value {
        None if !point.reason.is_empty() => format!("({})", point.reason),
        _ => legend.cell(point, notation, true),
    };
    Bar { label, value: point.value, text }
}
