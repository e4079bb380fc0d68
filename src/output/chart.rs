//! Bars in the terminal: a line a value, negative ones to the left of the axis.
//!
//! All bars have one scale, from 0. A null has no bar but its reason.

use unicode_width::UnicodeWidthStr as _;

/// Width where the output has none of its own.
const WIDTH: usize = 80;
/// Bars are at least this wide, even if lines get too long.
const BARS_MIN: usize = 10;
/// A bar ends in one of these eighths of a cell.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// What it is about.
    pub(crate) label: String,
    /// Its length; none is null.
    pub(crate) value: Option<f64>,
    /// The value as text, or why there is none.
    pub(crate) text: String,
}

/// Lines of bars, each with its newline.
pub(crate) fn draw(bars: &[Bar], columns: Option<usize>, unicode: bool) -> String {
    let widest = |text: fn(&Bar) -> &str| bars.iter().map(|bar| text(bar).width()).max().unwrap_or(0);
    let (labels, texts) = (widest(|bar| &bar.label), widest(|bar| &bar.text));
    let room = columns.unwrap_or(WIDTH).saturating_sub(labels + texts + 5).max(BARS_MIN);
    let scale = Scale::new(bars.iter().filter_map(|bar| bar.value), room);
    let axis = if unicode { '│' } else { '|' };
    let line = |bar: &Bar| {
        let (left, right) = scale.bar(bar.value.unwrap_or(0.0), unicode);
        let label = format!("{}{}", bar.label, " ".repeat(labels - bar.label.width()));
        let left = format!("{}{left}", " ".repeat(scale.left - left.width()));
        format!(" {label} {left}{axis}{right} {}\n", bar.text)
    };
    bars.iter().map(line).collect()
}

/// Cells on both sides of the axis.
struct Scale {
    left: usize,
    /// Cells of one unit.
    per_unit: f64,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64> + Clone, room: usize) -> Self {
        let least = values.clone().fold(0.0, f64::min);
        let most = values.fold(0.0, f64::max);
        let cells = f64::from(u16::try_from(room).unwrap_or(u16::MAX));
        let per_unit = if most > least { cells / (most - least) } else { 0.0 };
        Self { left: whole(-least * per_unit), per_unit }
    }

    /// What is left and right of the axis.
    fn bar(&self, value: f64, unicode: bool) -> (String, String) {
        let cells = value.abs() * self.per_unit;
        let block = if unicode { "█" } else { "#" };
        if value < 0.0 {
            return (block.repeat(whole(cells).min(self.left)), String::new());
        }
        if !unicode {
            return (String::new(), block.repeat(whole(cells)));
        }
        let eighths = whole(cells * 8.0);
        (String::new(), block.repeat(eighths / 8) + EIGHTHS[eighths % 8])
    }
}

/// The nearest whole number that is not negative.
fn whole(cells: f64) -> usize {
    format!("{:.0}", cells.max(0.0)).parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn bars(values: &[(&str, Option<f64>)]) -> Vec<Bar> {
        let bar = |(label, value): &(&str, Option<f64>)| Bar {
            label: (*label).to_owned(),
            value: *value,
            text: value.map_or("no denominator".to_owned(), |value| value.to_string()),
        };
        values.iter().map(bar).collect()
    }

    /// Lines with an edge, which `expect!` does not take for indentation.
    fn drawn(values: &[(&str, Option<f64>)], columns: usize, unicode: bool) -> String {
        draw(&bars(values), Some(columns), unicode).lines().map(|line| format!(":{line}\n")).collect()
    }

    #[test]
    fn bars_begin_at_zero() {
        expect![[r#"
            : 2026-01 │█████████████████ 8
            : 2026-02 │█████████ 4.25
            : 2026-03 │ no denominator
        "#]]
        .assert_eq(&drawn(&[("2026-01", Some(8.0)), ("2026-02", Some(4.25)), ("2026-03", None)], 43, true));
    }

    #[test]
    fn negative_values_are_left_of_the_axis() {
        expect![[r#"
            : a       │███████████████ 30
            : bb █████│ -10
        "#]]
        .assert_eq(&drawn(&[("a", Some(30.0)), ("bb", Some(-10.0))], 30, true));
    }

    #[test]
    fn ascii_serves_where_nothing_else_is_shown() {
        expect![[r#"
            : a      |############## 30
            : b #####| -10
            : c      | 0
        "#]]
        .assert_eq(&drawn(&[("a", Some(30.0)), ("b", Some(-10.0)), ("c", Some(0.0))], 28, false));
    }

    #[test]
    fn nothing_but_zeros_is_drawn() {
        assert_eq!(drawn(&[("a", Some(0.0))], 30, true), ": a │ 0\n");
    }
}
