//! Identity, order, corrections, retractions.

use super::{monthly, solve};

fn revenue(scenario: &str) -> Vec<String> {
    monthly(&solve(scenario), "net_revenue")
}

#[test]
fn the_first_in_the_log_holds() {
    let twice = "01-02 a order o1 100 EUR #1\n 01-01 a order o1 900 EUR #1\n 01-03 a order o2 5 EUR #1 @t\n tick 01-04";
    assert_eq!(revenue(twice), ["01-01 EUR 105"]);
}

#[test]
fn an_identity_is_the_accounts_own() {
    assert_eq!(revenue("01-02 a order o1 100 EUR #1\n 01-02 b order o1 30 EUR #1\n tick 01-04"), ["01-01 EUR 130"]);
}

#[test]
fn far_ahead_is_quarantined_and_unpublished_waits() {
    let truth = solve(
        "01-02 a order o1 100 EUR recorded=01-01T23:54
         01-02 a order o2 10 EUR recorded=01-01T23:55
         01-02 a order o3 1 EUR recorded=01-05
         tick 01-04",
    );
    assert_eq!(monthly(&truth, "net_revenue"), ["01-01 EUR 10"]);
    assert_eq!(monthly(&truth, "events"), ["01-01 1"]);
}

#[test]
fn a_correction_replaces_in_any_order_of_arrival() {
    let expected = ["02-01 EUR 70"];
    let first = "02-02 a order o1 70 EUR #2 corrects=1\n 01-02 a order o1 100 EUR #1\n tick 03-01";
    assert_eq!(revenue(first), expected);
    let last = "01-02 a order o1 100 EUR #1\n 02-02 a order o1 70 EUR #2 corrects=1\n tick 03-01";
    assert_eq!(revenue(last), expected);
    // To another type.
    assert!(revenue("01-02 a order o1 100 EUR #1\n 01-02 a usage #2 corrects=1\n tick 03-01").is_empty());
}

#[test]
fn of_two_corrections_the_greater_holds() {
    let two = "01-02 a order o1 100 EUR #1
               01-05 a order o1 50 EUR #2 corrects=1
               01-04 a order o1 70 EUR #3 corrects=1
               tick 02-01";
    assert_eq!(revenue(two), ["01-01 EUR 50"]);
    // Retracted, it leaves the other; both retracted, the old one does not come back.
    assert_eq!(revenue(&format!("01-06 a retract 2\n {two}")), ["01-01 EUR 70"]);
    assert!(revenue(&format!("01-06 a retract 2\n 01-06 a retract 3\n {two}")).is_empty());
}

#[test]
fn corrections_of_corrections() {
    let chain = "01-02 a order o1 100 EUR #1
                 01-02 a order o1 50 EUR #2 corrects=1
                 01-02 a order o1 70 EUR #3 corrects=2
                 tick 02-01";
    assert_eq!(revenue(chain), ["01-01 EUR 70"]);
    // The lesser correction of the old event stays void, and what corrects it.
    assert_eq!(revenue(&format!("01-03 a order o1 9 EUR #4 corrects=1\n {chain}")), ["01-01 EUR 9"]);
    assert!(revenue(&format!("01-03 a retract 1\n {chain}")).is_empty());
    assert!(revenue(&format!("01-03 a retract 2\n {chain}")).is_empty());
    // A circle.
    let circle = "01-02 a order o1 1 EUR #1 corrects=2\n 01-02 a order o2 2 EUR #2 corrects=1\n tick 02-01";
    assert!(revenue(circle).is_empty());
}

#[test]
fn another_subject_or_source_matches_nothing() {
    let other = "01-02 a order o1 100 EUR #1\n 01-02 b order o1 50 EUR #2 corrects=1\n 01-02 b retract 1\n tick 02-01";
    assert_eq!(revenue(other), ["01-01 EUR 150"]);
    let source =
        "01-02 a order o1 100 EUR #1\n 01-03 a order o2 50 EUR #2 @t corrects=1\n 01-02 a retract 1 @t\n tick 02-01";
    assert_eq!(revenue(source), ["01-01 EUR 150"]);
    let named = "01-02 a order o1 100 EUR #1\n 01-03 a order o2 50 EUR #2 @t corrects=1 of=s\n tick 02-01";
    assert_eq!(revenue(named), ["01-01 EUR 50"]);
    let named = "01-02 a order o1 100 EUR #1\n 01-03 a retract 1 @t of=s\n tick 02-01";
    assert!(revenue(named).is_empty());
}

#[test]
fn a_retraction_holds_for_ever() {
    let scenario = "01-02 a order o1 100 EUR #1\n 01-03 a retract 1 #2\n 01-04 a retract 2 #3\n tick 02-01";
    assert!(revenue(scenario).is_empty());
    // Accepted events count, whatever became of them.
    assert_eq!(monthly(&solve(scenario), "events"), ["01-01 3"]);
}

#[test]
fn an_order_opened_twice_is_one_by_order_of_facts() {
    assert_eq!(revenue("01-03 a order o 7 EUR\n 01-02 a order o 5 EUR\n tick 02-01"), ["01-01 EUR 5"]);
    // One time: source, then id, bytewise.
    let tie = "01-02 a order o 7 EUR #b @s\n 01-02 a order o 5 EUR #B @s\n 01-02 a order o 9 EUR #a @t\n tick 02-01";
    assert_eq!(revenue(tie), ["01-01 EUR 5"]);
    assert_eq!(revenue("01-03 a order o 7 EUR\n 01-02 b order o 5 EUR\n tick 02-01"), ["01-01 EUR 12"]);
}
