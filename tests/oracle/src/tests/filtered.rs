//! Measures of some accounts only, by hand.

use super::{monthly, solve_with};
use crate::Settings;

fn solve(scenario: &str) -> crate::Truth {
    solve_with(&Settings { filtered: true, ..Settings::default() }, scenario)
}

/// A change of the plan moves the account in and out of the level; it is neither a start nor a loss.
#[test]
fn a_level_follows_the_traits() {
    let truth = solve(
        "01-05 a traits plan=pro
         01-06 a order 1 1000 EUR
         01-07 b order 2 1000 EUR
         02-10 b traits plan=pro
         03-10 a traits plan=free
         03-20 b order 3 1000 EUR
         tick 04-02",
    );
    assert_eq!(monthly(&truth, "pro_customers"), ["01-01 1", "02-01 2", "03-01 1", "04-01 1"]);
    assert_eq!(monthly(&truth, "customers"), ["01-01 2", "02-01 2", "03-01 2", "04-01 2"]);
}

/// Churn takes the plan at the start: who changes it within the window stays in the denominator that it was in.
#[test]
fn churn_is_of_those_counted_at_the_start() {
    let truth = solve(
        "01-01T10:00 a order 1 1000 EUR
         01-02T10:00 b traits plan=free
         01-02T11:00 b order 2 1000 EUR
         01-03T10:00 c order 3 1000 EUR
         03-15 a traits plan=free
         03-20 c order 4 1000 EUR
         tick 05-02",
    );
    // Lost 90 days after the order: a on 03-31, b on 04-01.
    assert_eq!(monthly(&truth, "paying_churn_rate")[2..4], ["03-01 1/2", "04-01 0/1"]);
    assert_eq!(monthly(&truth, "customer_churn_rate")[2..4], ["03-01 1/3", "04-01 1/2"]);
    assert_eq!(monthly(&truth, "paying_churn_rate_rolling")[2..4], ["03-01 1/2", "04-01 0/1"]);
}

/// The event decides what counts, the traits at the end who does.
#[test]
fn distinct_accounts_pass_both_parts_of_the_filter() {
    let truth = solve(
        "01-05 a order 1 1000 EUR channel=web
         01-06 a order 2 1000 EUR channel=web
         01-07 b order 3 1000 EUR channel=shop
         01-08 c order 4 1000 EUR channel=web
         01-20 c traits plan=free
         02-03 c order 5 1000 EUR channel=web
         02-09 c traits plan=pro
         tick 02-10",
    );
    assert_eq!(monthly(&truth, "web_buyers"), ["01-01 1", "02-01 1"]);
    assert_eq!(monthly(&truth, "pro_engagement_rate"), ["01-01 0/0", "02-01 1/1"]);
}
