//! Orders, refunds, products, dimensions of events.

use super::{monthly, show, solve};
use crate::row::By;

#[test]
fn refunds_count_at_their_own_time() {
    let truth = solve(
        "01-31 a refund o1 30
         01-02 a order o1 100-10 EUR
         01-03 a order o2 50 USD
         02-05 a refund o1 20
         02-06 a refund unknown 9
         tick 03-01",
    );
    assert_eq!(monthly(&truth, "net_revenue"), ["01-01 EUR 60", "02-01 EUR -20", "01-01 USD 50"]);
    assert_eq!(monthly(&truth, "avg_purchase_value"), ["01-01 EUR 90/1", "02-01 EUR 0/0 ?", "01-01 USD 50/1"]);
    assert_eq!(monthly(&truth, "avg_purchase_value_net"), ["01-01 EUR 60/1", "02-01 EUR -20/0", "01-01 USD 50/1"]);
    assert_eq!(monthly(&truth, "orders"), ["01-01 2", "02-01 0 ?"]);
    let values = show(&truth, "account_value", "to-date", By::Nothing);
    assert_eq!(values.len(), 2);
    assert!(values[0].ends_with("a EUR 40 since 02-05T00:00"), "{values:?}");
    assert!(values[1].ends_with("a USD 50 since 01-03T00:00"), "{values:?}");
}

#[test]
fn refund_ids_opened_twice_are_one() {
    let truth = solve(
        "01-02 a order o1 100 EUR\n 01-03 a order o2 100 EUR\n 01-03 b order o1 100 EUR
         01-09 a refund o1 30 id=r\n 01-08 a refund o2 20 id=r\n 01-09 b refund o1 1 id=r\n tick 02-01",
    );
    assert_eq!(monthly(&truth, "net_revenue"), ["01-01 EUR 279"]);
}

#[test]
fn a_cancelled_order_never_was() {
    let truth = solve(
        "01-02 a order o1 100 EUR\n 01-09 a refund o1 30\n 01-01 a cancel o1\n 02-02 a order o2 7 EUR\n tick 03-01",
    );
    assert_eq!(monthly(&truth, "net_revenue"), ["01-01 EUR 0 ?", "02-01 EUR 7"]);
    assert_eq!(monthly(&truth, "avg_purchase_value"), ["01-01 EUR 0/0 ?", "02-01 EUR 7/1"]);
    assert_eq!(monthly(&truth, "net_new_revenue"), ["02-01 EUR 7"]);
    assert_eq!(monthly(&truth, "customers_started"), ["02-01 1"]);
    let gone = solve("01-02 a order o1 100 EUR\n 01-03 a cancel o1\n tick 02-01");
    assert_eq!(monthly(&gone, "customers"), ["01-01 0", "02-01 0"]);
    assert!(show(&gone, "account_value", "to-date", By::Nothing)[0].ends_with("a EUR 0 ?"));
}

#[test]
fn the_one_order_of_net_new_revenue() {
    // At one instant the lesser (source, id) is first; coming back is not new.
    let truth = solve("01-02 a order o1 100 EUR #2\n 01-02 a order o2 40 EUR #1\n 06-01 a order o3 9 EUR\n tick 07-01");
    assert_eq!(monthly(&truth, "net_new_revenue"), ["01-01 EUR 40"]);
}

#[test]
fn products_share_discounts_and_refunds() {
    // Lines 50 + 30, 20 lacking. Discount 7: 3.5, 2.1, 1.4; the half goes to tea: 4, 2, 1.
    // Refund 33: 16.5, 9.9, 6.6; two left: cup, then "" (0.6 before 0.5): 16, 10, 7.
    let truth = solve(
        "01-02 a order o1 100-7 EUR line:tea=50 line:cup=30 channel=web
         01-05 a refund o1 33\n 01-06 a order o2 10 EUR\n tick 02-01",
    );
    let by = |metric| show(&truth, metric, "1mo", By::Product);
    assert_eq!(by("orders"), ["01-01 - 2", "01-01 cup 1", "01-01 tea 1"]);
    assert_eq!(by("avg_purchase_value"), ["01-01 - EUR 29/2", "01-01 cup EUR 28/1", "01-01 tea EUR 46/1"]);
    assert_eq!(by("net_revenue"), ["01-01 - EUR 22", "01-01 cup EUR 18", "01-01 tea EUR 30"]);
    assert_eq!(by("avg_purchase_value_net"), ["01-01 - EUR 22/2", "01-01 cup EUR 18/1", "01-01 tea EUR 30/1"]);
    assert_eq!(by("net_new_revenue"), ["01-01 - EUR 19", "01-01 cup EUR 28", "01-01 tea EUR 46"]);
    assert_eq!(show(&truth, "net_revenue", "1mo", By::Channel), ["01-01 - EUR 10", "01-01 web EUR 60"]);
}

#[test]
fn lines_of_one_product_are_one() {
    let truth = solve("01-02 a order o1 100 EUR line:tea=50 line:tea=50\n tick 02-01");
    assert_eq!(show(&truth, "orders", "1mo", By::Product), ["01-01 tea 1"]);
    assert_eq!(show(&truth, "net_revenue", "1mo", By::Product), ["01-01 tea EUR 100"]);
}

#[test]
fn a_refund_has_the_orders_channel_and_its_own_traits() {
    let truth = solve(
        "01-01 a traits plan=free\n 01-02 a order o1 100 EUR channel=web\n 01-03 a traits plan=pro
         01-04 a refund o1 30\n tick 02-01",
    );
    assert_eq!(show(&truth, "net_revenue", "1mo", By::Plan), ["01-01 free EUR 100", "01-01 pro EUR -30"]);
    assert_eq!(show(&truth, "net_revenue", "1mo", By::Channel), ["01-01 web EUR 70"]);
}

#[test]
fn trailing_windows_are_whole_days_to_the_coming_midnight() {
    let truth = solve("01-02T10:00 a order o1 100 EUR\n tick 02-02T12:00");
    let rows = show(&truth, "orders", "trailing 30d", By::Nothing);
    // Ends 01-03 to 02-01: starts 12-04 to 01-02.
    assert_eq!(rows.len(), 30);
    assert_eq!(rows[0], "2023-12-04 1");
    assert_eq!(rows[29], "01-02 1");
    let all: Vec<_> =
        truth.rows.iter().filter(|r| r.metric == "customers" && r.window.kind.name() == "trailing 30d").collect();
    let levels = all.iter().filter(|r| r.group.is_none()).count();
    assert_eq!(levels, 32, "a row a day from the first event to today");
}
