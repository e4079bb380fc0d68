//! `keep`: what comes after a window is frozen changes nothing in it.

use super::{show, solve, solve_with, text};
use crate::row::By;
use crate::{Settings, Truth};

/// 2024-01-05 ends 1095 days before this.
const FROZEN: &str = "2027-01-05";

fn day(truth: &Truth, metric: &str) -> Vec<String> {
    show(truth, metric, "1d", By::Nothing).into_iter().filter(|row| row.starts_with("01-05")).collect()
}

/// An order on 01-05, and another that is recorded three years late and closed by the tick `closes`.
fn late(closes: &str) -> Truth {
    solve(&format!(
        "01-05 a order o1 100 EUR recorded=01-05\n tick 01-06\n 01-05 b order o2 30 EUR recorded=2027-01-04\n
         tick {closes}\n tick 2027-02-01"
    ))
}

#[test]
fn days_are_corrected_for_three_years() {
    let before = late("2027-01-04T23:59:59");
    assert_eq!(day(&before, "net_revenue"), ["01-05 EUR 130"]);
    assert_eq!(day(&before, "customers"), ["01-05 2"]);
    for closes in [FROZEN, "2027-01-06"] {
        let after = late(closes);
        assert_eq!(day(&after, "net_revenue"), ["01-05 EUR 100"], "{closes}");
        assert_eq!(day(&after, "orders"), ["01-05 1"], "{closes}");
        assert_eq!(day(&after, "customers"), ["01-05 1"], "{closes}");
        assert_eq!(day(&after, "events"), ["01-05 1"], "{closes}");
    }
}

#[test]
fn a_trailing_window_is_kept_from_its_own_end_on() {
    let truth = late(FROZEN);
    let rows = show(&truth, "net_revenue", "trailing 30d", By::Nothing);
    // Those that end with 01-05 and with 01-06.
    assert_eq!(rows[..2], ["2023-12-07 EUR 100", "2023-12-08 EUR 130"]);
}

#[test]
fn coarser_windows_are_corrected_for_ever() {
    let truth = late("2027-01-06");
    for kind in ["1w", "1mo", "1q", "1y"] {
        assert_eq!(show(&truth, "net_revenue", kind, By::Nothing), ["01-01 EUR 130"], "{kind}");
    }
    assert_eq!(
        show(&truth, "account_value", "to-date", By::Nothing),
        ["ever a EUR 100 since 01-05T00:00", "ever b EUR 30 since 01-05T00:00"]
    );
}

#[test]
fn a_row_that_was_not_there_stays_away() {
    let truth =
        solve("01-20 a order o1 100 EUR\n tick 01-21\n 01-05 b order o2 30 EUR recorded=2027-01-10\n tick 2027-01-10");
    assert_eq!(show(&truth, "net_revenue", "1d", By::Nothing), ["01-20 EUR 100"]);
    let customers = show(&truth, "customers", "1d", By::Nothing);
    // 01-11 is the first day that 2027-01-10 may still correct: by then b is a customer, a not yet.
    assert_eq!(customers[..2], ["01-11 1", "01-12 1"]);
}

#[test]
fn timers_go_on_until_the_window_is_frozen() {
    // Lost on 04-04, which no tick says before it is frozen but the one of 2027-04-04.
    let silent = |tick: &str| solve(&format!("01-05 a order o1 1 EUR\n tick 01-06\n tick {tick}\n tick 2027-08-01"));
    let of_april = |truth: &Truth| -> Vec<String> {
        show(truth, "customers_lost", "1d", By::Nothing).into_iter().filter(|row| row.starts_with("04-04")).collect()
    };
    assert_eq!(of_april(&silent("2027-04-04")), ["04-04 1"]);
    assert!(of_april(&silent("2027-04-05")).is_empty());
}

#[test]
fn days_of_silence_are_frozen_like_days() {
    let log = |recorded: &str| {
        solve(&format!(
            "01-05 a order o1 1 EUR\n tick 01-06\n tick 01-13\n 01-08 a usage recorded={recorded}\n tick {recorded}\n tick 2027-02-01"
        ))
    };
    let first = |truth: &Truth| show(truth, "silence", "1d", By::Nothing).into_iter().next();
    // 01-12 is frozen from 2027-01-12 on.
    assert_eq!(first(&log("2027-01-11")).as_deref(), Some("01-15 a 7 since 01-15T00:00"));
    assert_eq!(first(&log("2027-01-12")).as_deref(), Some("01-12 a 7 since 01-12T00:00"));
}

#[test]
fn hours_are_corrected_for_35_days() {
    let settings = Settings { hours: true, ..Settings::default() };
    let log = |recorded: &str| {
        let log = format!(
            "01-05T10:20 a order o1 1 EUR\n tick 01-06\n 01-05T10:40 b order o2 2 EUR recorded={recorded}\n tick {recorded}"
        );
        let truth = solve_with(&settings, &log);
        let hours = truth.rows.iter().filter(|row| row.metric == "net_revenue" && row.window.kind.name() == "1h");
        hours.filter(|row| row.group.is_none()).map(text).collect::<Vec<_>>()
    };
    assert_eq!(log("02-09T10:59"), ["01-05T10:00 EUR 3"]);
    assert_eq!(log("02-09T11:00"), ["01-05T10:00 EUR 1"]);
}
