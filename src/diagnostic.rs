//! What is wrong with a catalog, as people see it: where, the line itself, and the cure.
//!
//! Invariants: the first line is `FILE:LINE:COLUMN: MESSAGE`, for editors and scripts; colours only on a terminal.
//! It does not know what may be wrong: the message of an error says it, and after `; ` what would be right.

use std::{io::IsTerminal as _, path::Path};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use processor_core::catalog;

/// The error in the file that has this text.
pub(crate) fn of_catalog(path: &Path, text: &str, error: &catalog::Error) -> anyhow::Error {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    anyhow::anyhow!("{}", render(path, text, error, theme))
}

fn render(path: &Path, text: &str, error: &catalog::Error, theme: GraphicalTheme) -> String {
    let name = path.display().to_string();
    let mut shown = format!("{name}:{error}\n");
    let Some(place) = place(text, error) else { return shown.trim_end().to_owned() };
    let (wrong, cure) = error.message.split_once("; ").unwrap_or((&error.message, ""));
    let mut diagnostic = MietteDiagnostic::new(wrong).with_label(LabeledSpan::at(place, "here"));
    if !cure.is_empty() {
        diagnostic = diagnostic.with_help(cure);
    }
    let report = Report::new(diagnostic).with_source_code(NamedSource::new(name, text.to_owned()));
    // Writing to a text does not fail.
    let _ = GraphicalReportHandler::new_themed(theme).with_width(100).render_report(&mut shown, report.as_ref());
    shown.trim_end().to_owned()
}

/// The bytes of the word at an error's place; none without a place in this text.
fn place(text: &str, error: &catalog::Error) -> Option<std::ops::Range<usize>> {
    let above = usize::try_from(error.line.checked_sub(1)?).ok()?;
    let begins: usize = text.split_inclusive('\n').take(above).map(str::len).sum();
    let line = text[begins..].split_inclusive('\n').next()?;
    let before = usize::try_from(error.column.saturating_sub(1)).ok()?;
    let column = line.char_indices().map(|(at, _)| at).nth(before).unwrap_or(line.trim_end().len());
    let word = line[column..].find(|c: char| !c.is_alphanumeric() && !"._".contains(c)).unwrap_or(line.len() - column);
    let start = begins + column;
    Some(start..start + word.max(1).min(text.len() - start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use processor_core::{catalog::Catalog, plan::Plan, settings::Settings};

    fn check(body: &str, expected: Expect) {
        let text = format!(
            "meaningful: [order]\nmetrics:\n  - name: big_orders\n    title: Big orders\n    description: Orders of 100 EUR.\n    unit: count\n    windows: [1d]\n{body}"
        );
        let error = Catalog::parse(&text).and_then(|catalog| Plan::lower(&catalog, &Settings::default())).unwrap_err();
        let shown = render(Path::new("catalog.yaml"), &text, &error, GraphicalTheme::unicode_nocolor());
        expected.assert_eq(&format!("{shown}\n"));
    }

    #[test]
    fn a_filter_of_another_type() {
        check(
            "    measures:\n      big: {count: order, where: net > currency}\n    value: big\n",
            expect![[r#"
                catalog.yaml:9:38: the left side is money, the right side text; both have to be of one type
                  × the left side is money, the right side text
                    ╭─[catalog.yaml:9:38]
                  8 │     measures:
                  9 │       big: {count: order, where: net > currency}
                    ·                                      ┬
                    ·                                      ╰── here
                 10 │     value: big
                    ╰────
                  help: both have to be of one type
            "#]],
        );
    }

    #[test]
    fn an_unknown_measure_in_an_expression() {
        check(
            "    measures: {big: {count: order}}\n    value: bigg / 2\n",
            expect![[r#"
            catalog.yaml:9:12: there is no measure `bigg`; there are big, the setting margin, and now, the end of the window or the clock
              × there is no measure `bigg`
               ╭─[catalog.yaml:9:12]
             8 │     measures: {big: {count: order}}
             9 │     value: bigg / 2
               ·            ──┬─
               ·              ╰── here
               ╰────
              help: there are big, the setting margin, and now, the end of the window or the clock
        "#]],
        );
    }

    #[test]
    fn an_unknown_fact() {
        check(
            "    measures: {größe: {count: ordr}}\n    value: größe\n",
            expect![[r#"
                catalog.yaml:8:31: there is no fact `ordr`; use order, refund, customer_started, customer_lost, credit, answer, mrr_moved, subscription_begun, term_ended, invoice_paid, lead, lead_converted, lead_qualified, lead_decided, lead_response, deal, deal_closed, deal_time, ticket_opened, customer_contact, ticket_answered, ticket_solved, offer_accepted, upsell, cross_sell, cost, goal, rate, event or an event type such as usage.recorded
                  × there is no fact `ordr`
                   ╭─[catalog.yaml:8:33]
                 7 │     windows: [1d]
                 8 │     measures: {größe: {count: ordr}}
                   ·                               ──┬─
                   ·                                 ╰── here
                 9 │     value: größe
                   ╰────
                  help: use order, refund, customer_started, customer_lost, credit, answer, mrr_moved,
                        subscription_begun, term_ended, invoice_paid, lead, lead_converted, lead_qualified,
                        lead_decided, lead_response, deal, deal_closed, deal_time, ticket_opened,
                        customer_contact, ticket_answered, ticket_solved, offer_accepted, upsell, cross_sell,
                        cost, goal, rate, event or an event type such as usage.recorded
            "#]],
        );
    }

    #[test]
    fn an_unfinished_expression() {
        check(
            "    measures: {big: {count: order}}\n    value: big +\n",
            expect![[r#"
                catalog.yaml:9:17: the expression ends too early; an expression looks like `a + b`, `a == "text" && b > 2` or `a in ["b", "c"]`
                  × the expression ends too early
                   ╭─[catalog.yaml:9:17]
                 8 │     measures: {big: {count: order}}
                 9 │     value: big +
                   ·                 ┬
                   ·                 ╰── here
                   ╰────
                  help: an expression looks like `a + b`, `a == "text" && b > 2` or `a in ["b", "c"]`
            "#]],
        );
    }

    #[test]
    fn a_wrong_key() {
        check(
            "    measure: {big: {count: order}}\n",
            expect![[r#"
                catalog.yaml:8:5: unknown field `measure`; there are name, title, description, group, direction, format, moves, version, unit, per, publish, every_window, maturity, windows, by, measures, value, null_when, silence, goal, score, list
                  × unknown field `measure`
                   ╭─[catalog.yaml:8:5]
                 7 │     windows: [1d]
                 8 │     measure: {big: {count: order}}
                   ·     ───┬───
                   ·        ╰── here
                   ╰────
                  help: there are name, title, description, group, direction, format, moves, version, unit, per,
                        publish, every_window, maturity, windows, by, measures, value, null_when, silence, goal,
                        score, list
            "#]],
        );
    }

    #[test]
    fn no_yaml() {
        check(
            "    measures: {big: [\n",
            expect![[r#"
            catalog.yaml:8:21: expected mapping start
              × expected mapping start
               ╭─[catalog.yaml:8:21]
             7 │     windows: [1d]
             8 │     measures: {big: [
               ·                     ┬
               ·                     ╰── here
               ╰────
        "#]],
        );
    }
}
