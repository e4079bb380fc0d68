//! Dimensions with more values than are kept apart.

use super::{show, solve_with};
use crate::Settings;
use crate::row::By;

#[test]
fn the_first_values_are_kept_apart_by_instant_and_then_by_value() {
    let settings = Settings { values_max: 2, ..Settings::default() };
    let log = "01-05 a order o1 1 EUR channel=m recorded=01-05\n tick 01-06\n
         01-07 b order o2 2 EUR channel=z recorded=01-07\n 01-07 c order o3 4 EUR channel=b recorded=01-07\n
         01-07 d order o4 8 EUR recorded=01-07\n tick 01-08\n
         01-09 e order o5 16 EUR channel=a recorded=01-09\n 01-09 f order o6 32 EUR channel=other recorded=01-09\n
         tick 01-10";
    let truth = solve_with(&settings, log);
    assert_eq!(
        show(&truth, "net_revenue", "1mo", By::Channel),
        ["01-01 - EUR 8", "01-01 b EUR 4", "01-01 m EUR 1", "01-01 other EUR 50"]
    );
}

#[test]
fn accounts_move_within_other_without_a_trace() {
    let settings = Settings { values_max: 1, ..Settings::default() };
    let log = "01-02 a traits plan=free\n 01-03 a order o1 1 EUR\n tick 01-04\n
         01-05 b traits plan=pro\n 01-06 b order o2 1 EUR\n tick 01-07\n 01-08 b traits plan=team\n tick 01-09";
    let truth = solve_with(&settings, log);
    let of_month = show(&truth, "customers", "1mo", By::Plan);
    assert_eq!(of_month, ["01-01 - 0", "01-01 free 1", "01-01 other 1"]);
}
