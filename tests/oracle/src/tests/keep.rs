//! `keep`: hours take corrections for some time after their end, longer windows for ever.

use super::{show, solve, solve_with, text};
use crate::row::By;
use crate::{Settings, Truth};

const DAY: crate::Micros = 86_400_000_000;

fn day(truth: &Truth, metric: &str) -> Vec<String> {
    show(truth, metric, "1d", By::Nothing).into_iter().filter(|row| row.starts_with("01-05")).collect()
}

#[test]
fn days_and_longer_windows_are_corrected_for_ever() {
    let truth = solve(
        "01-05 a order o1 100 EUR recorded=01-05\n tick 01-06\n 01-05 b order o2 30 EUR recorded=2044-01-04\n
         tick 2044-01-05\n tick 2044-02-01",
    );
    assert_eq!(day(&truth, "net_revenue"), ["01-05 EUR 130"]);
    assert_eq!(day(&truth, "customers"), ["01-05 2"]);
    assert_eq!(
        show(&truth, "net_revenue", "trailing 30d", By::Nothing)[..2],
        ["2023-12-07 EUR 130", "2023-12-08 EUR 130"]
    );
    for kind in ["1w", "1mo", "1q", "1y"] {
        assert_eq!(show(&truth, "net_revenue", kind, By::Nothing), ["01-01 EUR 130"], "{kind}");
    }
}

#[test]
fn history_older_than_everything_has_its_rows() {
    let truth =
        solve("01-20 a order o1 100 EUR\n tick 01-21\n 01-05 b order o2 30 EUR recorded=2034-01-10\n tick 2034-01-10");
    assert_eq!(show(&truth, "net_revenue", "1d", By::Nothing), ["01-05 EUR 30", "01-20 EUR 100"]);
    assert_eq!(show(&truth, "customers", "1d", By::Nothing)[..2], ["01-05 1", "01-06 1"]);
    let log = "01-05 a order o1 1 EUR\n tick 01-06\n tick 01-13\n 01-08 a usage recorded=2034-01-12\n tick 2034-01-12";
    assert_eq!(show(&solve(log), "silence", "1d", By::Nothing)[0], "01-15 a 7 since 01-15T00:00");
}

/// Rows of net revenue by the hour.
fn hours(log: &str) -> (Vec<String>, Truth) {
    let settings = Settings { hours: true, keep: 35 * DAY, ..Settings::default() };
    let truth = solve_with(&settings, log);
    let hours = truth.rows.iter().filter(|row| row.metric == "net_revenue" && row.window.kind.name() == "1h");
    (hours.filter(|row| row.group.is_none()).map(text).collect(), truth)
}

#[test]
fn hours_are_corrected_until_their_keep() {
    let log = |recorded: &str| {
        format!(
            "01-05T10:20 a order o1 1 EUR\n tick 01-06\n 01-05T10:40 b order o2 2 EUR recorded={recorded}\n tick {recorded}"
        )
    };
    assert_eq!(hours(&log("02-09T10:59")).0, ["01-05T10:00 EUR 3"]);
    assert_eq!(hours(&log("02-09T11:00")).0, ["01-05T10:00 EUR 1"]);
}

#[test]
fn hours_that_were_past_their_keep_at_the_first_tick_are_unknown() {
    let (rows, truth) = hours("01-05T10:20 a order o1 1 EUR\n tick 02-09T11:00\n");
    assert!(rows.is_empty());
    let end = crate::settings::instant("2024-01-05T11:00:00Z").unwrap();
    assert_eq!(truth.past_keep, end);
}
