//! Subscriptions, orders and invoices: golden cases by hand.

use super::*;
use crate::plan::Metric;

/// One event of an account in hours: id, subscription, status, MRR, currency, term in days.
type Row = (Time, &'static str, &'static str, i64, &'static str, (i32, i32));

const NO_TERM: (i32, i32) = (0, 0);

fn subscription(number: u32, (hour, id, status, mrr, currency, term): Row) -> Event<'static> {
    let term = if term == NO_TERM { ("", "") } else { (date(term.0), date(term.1)) };
    let said = subscribed(id, status, &format!("#{mrr}"), currency, "", term);
    event(hour * HOUR, number, None, said)
}

fn order(number: u32, hour: Time, gross: i64) -> Event<'static> {
    event(hour * HOUR, number, None, Said::order(text(number), gross, 0, "EUR", &[]))
}

/// The sums of each metric by measure and day, not 0; of the whole, by currency.
fn shown(catalog: &str, events: &[Event<'static>], end: Time) -> Vec<String> {
    let (plan, sums) = summed(catalog, events, end);
    plan.metrics
        .iter()
        .flat_map(|metric| of_metric(metric, 0, &sums).map(|line| format!("{} {line}", metric.name)))
        .collect()
}

/// The same of the one metric, in the kind of window at a place.
fn of_kind(catalog: &str, events: &[Event<'static>], kind: usize) -> Vec<String> {
    let (plan, sums) = summed(catalog, events, 50 * DAY);
    of_metric(&plan.metrics[0], kind, &sums).collect()
}

fn summed(catalog: &str, events: &[Event<'static>], end: Time) -> (Arc<Plan>, Sums) {
    let catalog = Catalog::parse(&format!("meaningful: [order, usage.recorded]\nmetrics:\n{catalog}")).unwrap();
    let plan = Arc::new(Plan::lower(&catalog, &Settings::default()).unwrap());
    let (sums, ..) = run_with(&plan, events, &[], end);
    (plan, sums)
}

fn of_metric(metric: &Metric, kind: usize, sums: &Sums) -> impl Iterator<Item = String> {
    sums.0.iter().flat_map(move |((bundle, values, slice), row)| {
        let readings =
            metric.views[0].readings[kind].iter().zip(0..).filter(move |(reading, _)| reading.bundle == *bundle);
        let shown = readings.filter(|(reading, _)| row[reading.column] != 0);
        shown.map(move |(reading, place)| {
            format!("{place} day {}{} {}", slice / DAY, values.join(" "), row[reading.column])
        })
    })
}

const BASE: &str = "
  - name: base
    title: Customers
    description: Starts, losses, balance.
    unit: count
    windows: [1d]
    measures:
      a_started: {count: customer_started}
      b_first: {count: customer_started, where: first}
      c_lost: {count: customer_lost}
    value: a_started + b_first + c_lost
";

const MOVEMENTS: &str = "
  - name: moved
    title: Movements
    description: By kind.
    unit: money
    windows: [1d]
    measures:
      a_new: {sum: mrr_moved, of: amount, where: kind == \"new\"}
      b_expansion: {sum: mrr_moved, of: amount, where: kind == \"expansion\"}
      c_reactivation: {sum: mrr_moved, of: amount, where: kind == \"reactivation\"}
      d_contraction: {sum: mrr_moved, of: amount, where: kind == \"contraction\"}
      e_churn: {sum: mrr_moved, of: amount, where: kind == \"churn\"}
    value: a_new + b_expansion + c_reactivation + d_contraction + e_churn
";

const TERMS: &str = "
  - name: terms
    title: Terms
    description: Ends.
    unit: money
    windows: [1d]
    measures:
      a_ended: {sum: term_ended, of: mrr}
      b_kept: {sum: term_ended, of: kept, where: renewed}
    value: a_ended + b_kept
";

fn check(catalog: &str, rows: &[Row], days: Time, expected: &[&str]) {
    let events: Vec<Event<'static>> = (0..).zip(rows).map(|(number, row)| subscription(number, *row)).collect();
    assert_eq!(shown(catalog, &events, days * DAY), expected);
}

#[test]
fn a_movement_is_the_change_of_the_total_at_one_instant() {
    let rows = [
        (24, "a", "active", 100, "EUR", NO_TERM),
        (48, "a", "active", 150, "EUR", NO_TERM),
        // Together 150 -> 170.
        (72, "a", "active", 130, "EUR", NO_TERM),
        (72, "b", "active", 40, "EUR", NO_TERM),
        (96, "b", "canceled", 0, "", NO_TERM),
        // Another currency is no first MRR.
        (120, "c", "active", 30, "USD", NO_TERM),
        (144, "c", "canceled", 0, "", NO_TERM),
        (168, "a", "unpaid", 130, "EUR", NO_TERM),
        (192, "a", "past_due", 20, "EUR", NO_TERM),
        // Nothing happened.
        (216, "a", "canceled", 0, "EUR", NO_TERM),
        (216, "d", "active", 20, "EUR", NO_TERM),
    ];
    let expected = [
        "moved 0 day 1EUR 100",
        "moved 1 day 2EUR 50",
        "moved 1 day 3EUR 20",
        "moved 3 day 4EUR 40",
        "moved 4 day 7EUR 130",
        "moved 2 day 8EUR 20",
        "moved 1 day 5USD 30",
        "moved 3 day 6USD 30",
    ];
    check(MOVEMENTS, &rows, 20, &expected);
}

#[test]
fn a_term_to_come_counts_from_its_start_and_replaces_the_present() {
    let rows = [
        (24, "s", "active", 10, "EUR", NO_TERM),
        (48, "s", "active", 25, "EUR", (10, 40)),
        // Of what runs: the term to come stays.
        (72, "s", "active", 12, "EUR", NO_TERM),
        (96, "t", "active", 5, "EUR", (20, 40)),
        (120, "t", "canceled", 0, "", NO_TERM),
    ];
    let expected = ["moved 0 day 1EUR 10", "moved 1 day 3EUR 2", "moved 1 day 10EUR 13"];
    check(MOVEMENTS, &rows, 60, &expected);
    check(MOVEMENTS, &rows, 9, &expected[..2]);
}

#[test]
fn a_term_is_renewed_until_thirty_days_after_its_end() {
    let first = (24, "s", "active", 100, "EUR", (1, 101));
    for (next, expected) in [
        // Early, dearer.
        (
            Some((90 * 24, "s", "active", 120, "EUR", (90, 190))),
            &["terms 0 day 101EUR 100", "terms 1 day 101EUR 100"][..],
        ),
        // On the last day, cheaper.
        (Some((131 * 24, "s", "active", 60, "EUR", (131, 231))), &["terms 0 day 101EUR 100", "terms 1 day 101EUR 60"]),
        // Too late; another subscription; cancelled.
        (Some((132 * 24, "s", "active", 60, "EUR", (132, 232))), &["terms 0 day 101EUR 100"]),
        (Some((110 * 24, "x", "active", 60, "EUR", (110, 210))), &["terms 0 day 101EUR 100"]),
        (Some((50 * 24, "s", "canceled", 0, "", NO_TERM)), &["terms 0 day 101EUR 100"]),
        // Announced.
        (Some((50 * 24, "s", "active", 70, "EUR", (110, 210))), &["terms 0 day 101EUR 100", "terms 1 day 101EUR 70"]),
        (Some((50 * 24, "s", "active", 70, "EUR", (140, 240))), &["terms 0 day 101EUR 100"]),
        // The last amount of the term counts.
        (Some((50 * 24, "s", "active", 70, "EUR", (1, 101))), &["terms 0 day 101EUR 70"]),
        (None, &["terms 0 day 101EUR 100"]),
    ] {
        let rows: Vec<Row> = std::iter::once(first).chain(next).collect();
        check(TERMS, &rows, 150, expected);
    }
}

/// Subscriptions, orders (hour, gross), starts, first ones and losses by day.
type Case<'a> = (&'a [Row], &'a [(Time, i64)], &'a [&'static str]);

#[test]
fn a_paid_subscription_makes_a_customer_and_the_later_cause_ends_it() {
    let active = |hour, id| (hour, id, "active", 10, "EUR", NO_TERM);
    let gone = |hour, id| (hour, id, "canceled", 0, "", NO_TERM);
    let cases: [Case<'_>; 6] = [
        (&[active(24, "a"), gone(240, "a")], &[], &["0 day 1 1", "1 day 1 1", "2 day 10 1"]),
        // Kept by another one, until that ends.
        (
            &[active(24, "a"), active(48, "b"), gone(240, "a"), gone(480, "b")],
            &[],
            &["0 day 1 1", "1 day 1 1", "2 day 20 1"],
        ),
        // An order keeps it for 90 days.
        (&[active(24, "a"), gone(240, "a")], &[(48, 5)], &["0 day 1 1", "1 day 1 1", "2 day 92 1"]),
        // A subscription keeps it after that.
        (&[active(48, "a"), gone(2400, "a")], &[(24, 5)], &["0 day 1 1", "1 day 1 1", "2 day 100 1"]),
        // An order at the very instant of the end.
        (&[active(24, "a"), gone(240, "a")], &[(240, 5)], &["0 day 1 1", "1 day 1 1", "2 day 100 1"]),
        // Begun and ended at one instant: it never was.
        (&[active(24, "a"), gone(24, "a")], &[], &[]),
    ];
    for (rows, orders, expected) in cases {
        let subscriptions = (0..).zip(rows).map(|(number, row)| subscription(number, *row));
        let orders = (100..).zip(orders).map(|(number, (hour, gross))| order(number, *hour, *gross));
        let mut events: Vec<Event<'static>> = subscriptions.chain(orders).collect();
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        let found: Vec<String> = shown(BASE, &events, 300 * DAY).iter().map(|line| line.replace("base ", "")).collect();
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "{rows:?}");
    }
}

#[test]
fn the_subscriptions_of_the_first_hour_are_new_revenue() {
    const NEW: &str = "
  - name: new
    title: New
    description: New revenue.
    unit: money
    windows: [1d]
    measures:
      a_sold: {sum: order, of: net, where: first}
      b_begun: {sum: subscription_begun, of: mrr}
    value: a_sold + b_begun
";
    let active = |minute: Time, number, id, mrr| {
        let event = subscription(number, (0, id, "active", mrr, "EUR", NO_TERM));
        Event { time: minute * HOUR / 60, ..event }
    };
    let begun = vec![active(60, 1, "a", 10), active(90, 2, "b", 5), active(120, 3, "c", 3), active(121, 4, "d", 70)];
    let of = |events: &[Event<'static>]| shown(NEW, events, 9 * DAY);
    assert_eq!(of(&begun), ["new 1 day 0EUR 18"]);
    let later = [begun.clone(), vec![order(9, 3, 500)]].concat();
    assert_eq!(of(&later), ["new 1 day 0EUR 18"], "it is a customer already");
    let mut at_once = [begun, vec![order(9, 1, 500)]].concat();
    at_once.sort_by(|a, b| a.order().cmp(&b.order()));
    assert_eq!(of(&at_once), ["new 0 day 0EUR 500"], "an order is among the facts of the first instant");
}

#[test]
fn retention_is_of_those_with_mrr_at_the_start_of_the_window() {
    const RETAINED: &str = "
  - name: retained
    title: Retained
    description: More and less at the end.
    unit: money
    windows: [1w, trailing 3d]
    measures:
      a_changed: {cohort: mrr, then: changed}
      b_lost: {cohort: mrr, then: lost}
    value: a_changed - b_lost
";
    // Thursday is day 0: weeks begin on days 4 and 11.
    let rows = [
        (24, "a", "active", 100, "EUR", NO_TERM),
        (5 * 24, "a", "active", 130, "EUR", NO_TERM),
        (6 * 24, "a", "active", 80, "EUR", NO_TERM),
        (6 * 24, "b", "active", 7, "USD", NO_TERM),
        (12 * 24, "a", "canceled", 0, "", NO_TERM),
    ];
    let events: Vec<Event<'static>> = (0..).zip(rows).map(|(number, row)| subscription(number, row)).collect();
    // Each change on its day: 130, then 80 of 100; then nothing of 80.
    let week = ["0 day 5EUR 30", "0 day 6EUR -50", "1 day 6EUR 20", "0 day 12EUR -80", "1 day 12EUR 80"];
    let found = of_kind(RETAINED, &events, 0);
    assert_eq!(found, week);
    // Windows that end with days 5 to 7 begin with 100 and end with 130, then 80; the one of day 8 begins with 130.
    let mut sums = BTreeMap::new();
    for line in of_kind(RETAINED, &events, 1) {
        let parts: Vec<&str> = line.split([' ']).collect();
        let day: Time = parts[2].trim_end_matches("EUR").parse().unwrap();
        *sums.entry((parts[0].to_owned(), day)).or_insert(0) += parts[3].parse::<i64>().unwrap();
    }
    let at = |measure: &str, last: Time| {
        sums.iter().filter(|((name, day), _)| name == measure && *day <= last).map(|(_, sum)| *sum).sum::<i64>()
    };
    let changed: Vec<i64> = (4..16).map(|day| at("0", day)).collect();
    assert_eq!(changed, [0, 30, -20, -20, -50, 0, 0, 0, -80, -80, -80, 0]);
    let lost: Vec<i64> = (4..16).map(|day| at("1", day)).collect();
    assert_eq!(lost, [0, 0, 20, 20, 50, 0, 0, 0, 80, 80, 80, 0]);
}
