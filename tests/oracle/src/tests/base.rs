//! Customers: runs, churn, engagement, lifetime value, silence; traits at the right instants.

use super::{monthly, show, solve, solve_with};
use crate::Settings;
use crate::row::By;

#[test]
fn a_loss_is_dated_ninety_days_after_the_last_order() {
    // 01-01 + 90 d = 03-31 (2024 is a leap year).
    let truth = solve("01-01T10:00 a order o1 1 EUR\n tick 04-02");
    assert_eq!(monthly(&truth, "customers"), ["01-01 1", "02-01 1", "03-01 0", "04-01 0"]);
    assert_eq!(monthly(&truth, "customers_lost"), ["03-01 1"]);
    assert_eq!(show(&truth, "customers_lost", "1d", By::Nothing), ["03-31 1"]);
    // Due after the clock it has not happened.
    let before = solve("01-01T10:00 a order o1 1 EUR\n tick 03-31T09:59:59");
    assert_eq!(monthly(&before, "customers"), ["01-01 1", "02-01 1", "03-01 1"]);
    assert!(monthly(&before, "customers_lost").is_empty());
    assert_eq!(monthly(&solve("01-01T10:00 a order o1 1 EUR\n tick 03-31T10:00"), "customers_lost"), ["03-01 1"]);
}

#[test]
fn an_order_at_that_instant_prevents_it() {
    let at = solve("01-01T10:00 a order o1 1 EUR\n 03-31T10:00 a order o2 1 EUR\n tick 04-02");
    assert!(monthly(&at, "customers_lost").is_empty());
    let after = solve("01-01T10:00 a order o1 1 EUR\n 03-31T10:00:01 a order o2 1 EUR\n tick 04-02");
    assert_eq!(monthly(&after, "customers_lost"), ["03-01 1"]);
    assert_eq!(monthly(&after, "customers_started"), ["01-01 1", "03-01 1"]);
}

#[test]
fn a_loss_at_a_windows_end_belongs_to_the_next() {
    // Lost exactly at 04-01T00:00 - the state at that instant still has it.
    let truth = solve("01-02 a order o1 1 EUR\n tick 04-02");
    assert_eq!(monthly(&truth, "customers"), ["01-01 1", "02-01 1", "03-01 1", "04-01 0"]);
    assert_eq!(monthly(&truth, "customers_lost"), ["04-01 1"]);
    assert_eq!(monthly(&truth, "customer_churn_rate"), ["01-01 0/0", "02-01 0/1", "03-01 0/1", "04-01 1/1"]);
    // An order at midnight is in the new window and not seen by the state at it.
    let midnight = solve("02-01 a order o1 1 EUR\n 01-05 b other\n tick 02-02");
    assert_eq!(monthly(&midnight, "customers"), ["01-01 0", "02-01 1"]);
}

#[test]
fn an_order_dated_after_the_clock_shows_that_the_loss_happened() {
    let truth = solve("01-01T10:00 a order o1 1 EUR\n 03-31T12:00 a order o2 1 EUR\n tick 03-31T09:00");
    assert_eq!(monthly(&truth, "customers_lost"), ["03-01 1"]);
    assert_eq!(monthly(&truth, "customers"), ["01-01 1", "02-01 1", "03-01 1"]);
}

#[test]
fn churn_rates_side_by_side() {
    // a: lost 03-31, back 04-10. b: stays. c: starts 04-05, never lost in view.
    let truth = solve(
        "01-01T10:00 a order a1 1 EUR\n 01-10 b order b1 1 EUR\n 03-15 b order b2 1 EUR
         04-05 c order c1 1 EUR\n 04-10 a order a2 1 EUR\n tick 07-01",
    );
    // Quarters: at start of q2 only b (a was lost 03-31). b is lost 06-13; a and c live on.
    assert_eq!(show(&truth, "customer_churn_rate", "1q", By::Nothing), ["01-01 0/0", "04-01 1/1", "07-01 0/2"]);
    assert_eq!(show(&truth, "customer_churn_rate_rolling", "1q", By::Nothing), ["01-01 1/2", "04-01 1/3", "07-01 0/2"]);
    assert_eq!(monthly(&truth, "customer_churn_rate")[2..4], ["03-01 1/2", "04-01 0/1"]);
}

#[test]
fn traits_at_the_instant_of_the_denominator() {
    // Customer since 01-05 as free; pro from 02-10; lost 04-04; team from 04-20.
    let truth = solve(
        "01-01 a traits plan=free\n 01-05 a order o1 1 EUR\n 02-10 a traits plan=pro\n 04-20 a traits plan=team
         tick 05-02",
    );
    let by = |metric| show(&truth, metric, "1mo", By::Plan);
    let held: Vec<String> = by("customers").into_iter().filter(|r| r.ends_with(" 1")).collect();
    assert_eq!(held, ["01-01 free 1", "02-01 pro 1", "03-01 pro 1"]);
    let churn: Vec<String> = by("customer_churn_rate").into_iter().filter(|r| !r.contains("/0")).collect();
    assert_eq!(churn, ["02-01 free 0/1", "03-01 pro 0/1", "04-01 pro 1/1"]);
    assert_eq!(by("customers_lost"), ["04-01 pro 1"]);
    let engaged: Vec<String> = by("engagement_rate").into_iter().filter(|r| !r.contains("/0")).collect();
    assert_eq!(engaged, ["01-01 free 1/1", "02-01 pro 0/1", "03-01 pro 0/1"]);
}

#[test]
fn a_rolling_loss_takes_the_traits_of_the_start_that_it_ends() {
    let truth = solve("01-05 a traits plan=free\n 01-05 a order o1 1 EUR\n 02-10 a traits plan=pro\n tick 07-02");
    // Year: start and loss in the window: both free. Second quarter: at its beginning pro.
    let year: Vec<String> = show(&truth, "customer_churn_rate_rolling", "1y", By::Plan);
    assert_eq!(year, ["01-01 - 0/0", "01-01 free 1/1", "01-01 pro 0/0 ?"]);
    let quarter = show(&truth, "customer_churn_rate_rolling", "1q", By::Plan);
    assert!(quarter.contains(&"04-01 pro 1/1".to_owned()) && quarter.contains(&"04-01 free 0/0".to_owned()));
}

#[test]
fn an_event_sees_the_traits_before_it_in_the_order_of_facts() {
    let before = solve("01-05 a traits plan=pro #1\n 01-05 a order o1 1 EUR #2\n tick 02-02");
    assert_eq!(show(&before, "customers_started", "1mo", By::Plan), ["01-01 pro 1"]);
    let after = solve("01-05 a traits plan=pro #3\n 01-05 a order o1 1 EUR #2\n tick 02-02");
    assert_eq!(show(&after, "customers_started", "1mo", By::Plan), ["01-01 - 1"]);
    let unset = solve("01-05 a traits plan=pro\n 01-06 a traits region=eu plan=\n 01-07 a order o1 1 EUR\n tick 02-02");
    assert_eq!(show(&unset, "customers_started", "1mo", By::Plan), ["01-01 - 1"]);
    assert_eq!(show(&unset, "customers_started", "1mo", By::Region), ["01-01 eu 1"]);
}

#[test]
fn engagement_needs_a_meaningful_event_and_a_customer() {
    let truth = solve(
        "01-05 a order o1 1 EUR\n 01-06 b usage\n 02-01 a usage 0\n 02-02 a other\n 03-01 a usage 2\n tick 04-01",
    );
    assert_eq!(monthly(&truth, "engagement_rate"), ["01-01 1/1", "02-01 0/1", "03-01 1/1", "04-01 0/1"]);
}

#[test]
fn lifetime_value_and_why_it_is_null() {
    let settings = Settings { margin: (1, 2), ..Settings::default() };
    // April: a and b at start, a lost 04-04, b at end; b's order of 120 EUR.
    // 1/2 x 120 / ((2 + 1) / 2) / (1/2) = 80.
    let truth = solve_with(
        &settings,
        "01-05 a order a1 10 EUR\n 03-20 b order b1 10 EUR\n 04-20 b order b2 120 EUR\n tick 05-02",
    );
    assert_eq!(
        monthly(&truth, "customer_lifetime_value"),
        [
            "01-01 EUR no denominator",
            "02-01 EUR zero churn",
            "03-01 EUR zero churn",
            "04-01 EUR 80",
            "05-01 EUR zero churn"
        ]
    );
}

#[test]
fn silence_by_steps_to_the_instant() {
    let truth = solve(
        "01-01 a usage\n 01-10T10:00 a order o1 1 EUR\n 01-24T10:00 a usage\n 02-20T12:00 a usage 0
         03-01T11:00 a usage\n 03-03 b usage\n tick 03-08T11:00",
    );
    // 01-17T10 reaches 7; 14 is due at 01-24T10, when an event prevents it and leaves 7.
    assert_eq!(
        show(&truth, "silence", "1d", By::Nothing),
        [
            "01-17 a 7 since 01-17T10:00",
            "01-24 a 0 since 01-24T10:00",
            "01-31 a 7 since 01-31T10:00",
            "02-07 a 14 since 02-07T10:00",
            "02-23 a 30 since 02-23T10:00",
            "03-01 a 0 since 03-01T11:00",
            "03-08 a 7 since 03-08T11:00",
        ]
    );
    let same_day = solve("01-10T10:00 a order o1 1 EUR\n 01-17T12:00 a usage\n tick 01-18");
    assert_eq!(show(&same_day, "silence", "1d", By::Nothing), ["01-17 a 0 since 01-17T12:00 ?"]);
}

#[test]
fn levels_have_rows_from_the_first_event_of_the_group_on() {
    let truth = solve("01-15 x other\n 02-03 a traits plan=pro\n 04-04 a order o1 1 EUR\n tick 05-01");
    assert_eq!(monthly(&truth, "customers"), ["01-01 0", "02-01 0", "03-01 0", "04-01 1", "05-01 1"]);
    let pro: Vec<String> =
        show(&truth, "customers", "1mo", By::Plan).into_iter().filter(|r| r.contains("pro")).collect();
    assert_eq!(pro, ["02-01 pro 0 ?", "03-01 pro 0 ?", "04-01 pro 1", "05-01 pro 1"]);
    assert_eq!(monthly(&truth, "customer_lifetime_value").len(), 2);
}

#[test]
fn final_an_hour_after_the_end() {
    let last = |tick: &str| {
        let truth = solve(&format!("01-05 a order o1 1 EUR\n tick {tick}"));
        truth.rows.iter().filter(|r| r.metric == "orders" && r.window.kind.name() == "1mo").all(|r| r.is_final)
    };
    assert!(!last("02-01T00:59:59"));
    assert!(last("02-01T01:00"));
}

#[test]
fn windows_follow_the_time_zone() {
    let settings = Settings { zone: crate::settings::zone("America/New_York").unwrap(), ..Settings::default() };
    let truth = solve_with(&settings, "02-01T04:59:59 a order o1 1 EUR\n 02-01T05:00 b order o1 1 EUR\n tick 02-02");
    assert_eq!(monthly(&truth, "orders"), ["01-01T05:00 1", "02-01T05:00 1"]);
}
