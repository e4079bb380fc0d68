//! A table: titles, rows, numbers to the right, and no wider than what it is shown on.
//!
//! Text wraps where there is a width; numbers never do. Which columns there are is the caller's choice.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};

use super::terminal::Terminal;

/// On which side of a column its cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Text.
    Left,
    /// Text that is not wrapped: names to copy.
    Name,
    /// Numbers, which are not wrapped either.
    Right,
}

/// Lines above, below and under the titles only.
pub(crate) const fn style(unicode: bool) -> TableStyle {
    let line = if unicode { '─' } else { '-' };
    let rule = LineStyle::none().fill(line).junction(line);
    TableStyle::new().top_border(rule).header_separator(rule).bottom_border(rule)
}

/// The lines of a table, the last one with its newline.
pub(crate) fn draw(header: &[(&str, Side)], rows: Vec<Vec<String>>, terminal: Terminal) -> String {
    let mut table = Table::new();
    table.force_no_tty().load_style(style(terminal.unicode));
    table.set_header(header.iter().map(|(title, _)| *title));
    table.add_rows(rows);
    if let Some(width) = terminal.width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for (at, (_, side)) in header.iter().enumerate() {
        let Some(column) = table.column_mut(at) else { continue };
        if *side == Side::Right {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if *side != Side::Left {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    format!("{}\n", table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn drawn(width: Option<u16>, unicode: bool) -> String {
        let rows = [["orders", "12", "Orders completed and not cancelled"], ["net_revenue", "1,234.50", "Net"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        draw(&[("name", Side::Name), ("value", Side::Right), ("title", Side::Left)], rows, Terminal { width, unicode })
    }

    #[test]
    fn numbers_stand_to_the_right() {
        expect![[r#"
            ─────────────────────────────────────────────────────────────
             name             value   title
            ─────────────────────────────────────────────────────────────
             orders              12   Orders completed and not cancelled
             net_revenue   1,234.50   Net
            ─────────────────────────────────────────────────────────────
        "#]]
        .assert_eq(&drawn(None, true));
    }

    #[test]
    fn text_wraps_at_the_width() {
        expect![[r#"
            ----------------------------------------
             name             value   title
            ----------------------------------------
             orders              12   Orders
                                      completed and
                                      not cancelled
             net_revenue   1,234.50   Net
            ----------------------------------------
        "#]]
        .assert_eq(&drawn(Some(40), false));
    }
}
