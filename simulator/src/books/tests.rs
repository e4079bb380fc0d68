//! The books by hand.

use super::*;
use crate::calendar::DAY_US;

/// 2025-01-01T00:00:00Z.
const START_US: i64 = 1_735_689_600_000_000;

fn day(day: i64) -> i64 {
    START_US + day * DAY_US
}

fn eur(amount: i64) -> Money {
    Money { currency: "EUR", amount }
}

fn close(notes: &[(i64, Note)], days: i64) -> Totals {
    let mut books = Books::default();
    notes.iter().for_each(|(at, note)| books.note(day(*at), *note));
    books.close(day(days), |account| format!("a{account}"))
}

#[test]
fn customers_by_orders_are_lost_after_ninety_days() {
    let order = |account| Note::Order { account: Some(account), money: eur(100) };
    let totals = close(&[(0, order(1)), (31, Note::Nothing), (40, order(2)), (59, Note::Nothing), (90, order(1))], 140);
    // The second account ordered on day 40; the first one on day 90, at the instant of its loss: there is none.
    assert_eq!(
        totals.series("customers", ""),
        [("2025-01", 1), ("2025-02", 2), ("2025-03", 2), ("2025-04", 2), ("2025-05", 1)]
    );
    assert_eq!(totals.lost, [(day(130), "a2".to_owned())]);
    assert_eq!(totals.series("orders", ""), [("2025-01", 1), ("2025-02", 1), ("2025-04", 1)]);
    assert_eq!(totals.series("net_revenue", "EUR"), [("2025-01", 100), ("2025-02", 100), ("2025-04", 100)]);
}

#[test]
fn a_cancelled_order_never_was() {
    let order = Note::Order { account: Some(1), money: eur(100) };
    let cancelled = Note::Cancelled { account: 1, ordered_us: day(30), money: eur(100) };
    let totals = close(&[(0, order), (30, order), (31, cancelled)], 100);
    assert_eq!(totals.lost, [(day(90), "a1".to_owned())]);
    assert_eq!(totals.series("orders", ""), [("2025-01", 1)]);
    let first = Note::Cancelled { account: 1, ordered_us: day(0), money: eur(100) };
    let totals = close(&[(0, order), (1, first)], 50);
    assert_eq!(totals.series("customers", ""), [("2025-01", 0), ("2025-02", 0)]);
    assert!(totals.lost.is_empty());
}

#[test]
fn payments_make_customers_and_mrr_at_each_month_end() {
    let pay = |account, amount| Note::Paying { account, money: eur(amount) };
    let totals = close(&[(0, pay(1, 500)), (10, pay(2, 300)), (31, pay(1, 700)), (40, pay(2, 0)), (59, pay(1, 0))], 70);
    // February ends at day 59: what is dated at that instant is not in it.
    assert_eq!(totals.series("mrr", "EUR"), [("2025-01", 800), ("2025-02", 700), ("2025-03", 0)]);
    assert_eq!(totals.series("customers", ""), [("2025-01", 2), ("2025-02", 1), ("2025-03", 0)]);
    assert_eq!(totals.lost, [(day(40), "a2".to_owned()), (day(59), "a1".to_owned())]);
}

#[test]
fn linked_accounts_are_one_customer() {
    let order = |account| Note::Order { account: Some(account), money: eur(100) };
    let totals = close(&[(0, order(1)), (30, order(9)), (31, Note::Linked { into: 1, from: 9 })], 130);
    assert_eq!(
        totals.series("customers", ""),
        [("2025-01", 1), ("2025-02", 1), ("2025-03", 1), ("2025-04", 1), ("2025-05", 0)]
    );
    assert_eq!(totals.lost, [(day(120), "a1".to_owned())]);
}

#[test]
fn what_is_taken_back_leaves_its_own_month() {
    let reopened = Note::WonReopened { closed_us: day(0), money: eur(900) };
    let again = Note::Recommends { class: "promoters", replaces: Some((day(0), "detractors")) };
    let totals = close(
        &[
            (0, Note::Won(eur(900))),
            (0, Note::Recommends { class: "detractors", replaces: None }),
            (0, Note::LeadCreated),
            (33, reopened),
            (34, again),
            (35, Note::Won(eur(1_000))),
            (36, Note::LeadConverted { created_us: day(0) }),
        ],
        40,
    );
    assert_eq!(totals.series("deals_won", "EUR"), [("2025-02", 1)]);
    assert_eq!(totals.series("deals_won_amount", "EUR"), [("2025-02", 1_000)]);
    assert_eq!(totals.series("nps_answers", "detractors"), []);
    assert_eq!(totals.series("nps_answers", "promoters"), [("2025-02", 1)]);
    assert_eq!(totals.series("leads_converted", ""), [("2025-01", 1)]);
}
