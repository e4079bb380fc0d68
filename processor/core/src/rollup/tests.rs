//! Rows over time, as text: what is published at which instant.

use expect_test::{Expect, expect};

use super::*;
use crate::{
    aggregate::quantile::bucket,
    calendar::timestamp,
    catalog::Catalog,
    lifecycle::{self, FactId, order},
    plan::{Column, Field, Trigger},
    settings::Settings,
};

mod goals;
mod reporting;

const ORDER: FactId = lifecycle::id(&order::ORDER);
const REFUND: FactId = lifecycle::id(&order::REFUND);

const CATALOG: &str = "
meaningful: [order]
metrics:
  - {name: orders, title: O, description: D, unit: count, windows: [1d], measures: {n: {count: order}}, value: n}
  - {name: mean, title: M, description: D, unit: money, windows: [1mo], measures: {s: {sum: order, of: net}, n: {count: order}}, value: s / n}
  - {name: customers, title: C, description: D, unit: count, every_window: true, windows: [1d], measures: {c: {level: customer}}, value: c}
";

/// What an instant changed.
fn closed(rollup: &mut Rollup) -> Vec<Change> {
    let mut changes = Vec::new();
    rollup.close(|_, change| changes.push(change.clone()));
    changes
}

struct Scene {
    plan: Arc<Plan>,
    rollup: Rollup,
    changes: Changes,
    stored: BTreeMap<StoredKey, Vec<u8>>,
    lines: Vec<(Vec<u8>, u32)>,
    shown: String,
}

impl Scene {
    fn new() -> Scene {
        Scene::of(CATALOG)
    }

    fn of(catalog: &str) -> Scene {
        Scene::with(catalog, &Settings::default())
    }

    fn with(catalog: &str, settings: &Settings) -> Scene {
        let plan = Arc::new(Plan::lower(&Catalog::parse(catalog).unwrap(), settings).unwrap());
        Scene {
            rollup: Rollup::new(plan.clone(), Time::MIN),
            changes: Changes::default(),
            plan,
            stored: BTreeMap::new(),
            lines: Vec::new(),
            shown: String::new(),
        }
    }

    /// `orders` orders of `net` together, and `customers` more customers, in the hour of `at`.
    fn add(&mut self, at: &str, orders: i128, net: i128, customers: i128) -> &mut Scene {
        let at = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let plan = self.plan.clone();
        for (number, bundle) in plan.bundles.iter().enumerate().filter(|(number, _)| plan.goals != Some(*number)) {
            let values: &[&str] = if bundle.money { &["EUR"] } else { &[] };
            let row: Vec<i128> = bundle
                .columns
                .iter()
                .map(|column| match column {
                    Column::Fact { trigger: Trigger::Event, .. } => 1,
                    Column::Fact { trigger: Trigger::Fact(fact), amount, .. } => {
                        match (lifecycle::fact(*fact).name, amount) {
                            ("order", None) => orders,
                            ("order", Some(_)) => net,
                            ("customer", _) => customers,
                            _ => 0,
                        }
                    }
                    _ => 0,
                })
                .collect();
            self.changes.add(number, values, at, &row);
        }
        self
    }

    fn tick(&mut self, at: &str) -> &mut Scene {
        let clock = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        self.shown.push_str(&format!("at {at}\n"));
        for change in self.close(clock) {
            let row = &change.row;
            let line = self.rollup.line(change.line);
            self.shown.push_str(&format!(
                "  {} {} {} {:?} {:?}{}{}{}\n",
                self.plan.metrics[line.metric].name,
                timestamp(change.window.start).strftime("%F"),
                line.currency(&self.plan),
                row.value,
                row.ratio,
                if row.is_final { " final" } else { "" },
                if row.corrected { " corrected" } else { "" },
                row.reason,
            ));
        }
        self
    }

    /// Closes an instant over the rows that were flushed.
    fn close(&mut self, clock: Time) -> Vec<Change> {
        self.rollup.merge(std::mem::take(&mut self.changes));
        let wanted = self.rollup.prepare(clock);
        self.supply(wanted);
        let changes = closed(&mut self.rollup);
        let Scene { rollup, stored, lines, .. } = self;
        let flushed: Result<(), ()> = rollup.flush(0, |key, row| {
            stored.insert(*key, row.to_vec());
            Ok(())
        });
        flushed.unwrap();
        lines.append(&mut rollup.flush_lines());
        changes
    }

    fn supply(&mut self, wanted: Vec<Wanted>) {
        for (key, bytes) in wanted {
            if let Some(row) = self.stored.get(&bytes) {
                self.rollup.supply(key, &Published::decode(row).unwrap());
            }
        }
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.shown);
    }
}

#[test]
fn rows_open_close_and_are_corrected() {
    let mut scene = Scene::new();
    scene.add("2024-01-01T10:00:00Z", 1, 500, 1).tick("2024-01-01T10:00:01Z");
    scene.tick("2024-01-01T10:00:02Z").tick("2024-01-02T00:00:00Z").tick("2024-01-02T01:00:00Z");
    scene.add("2024-01-01T11:00:00Z", 1, 250, 0).tick("2024-01-02T02:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T10:00:01Z
          orders 2024-01-01  Some(1.0) None
          customers 2024-01-01  Some(1.0) None
          mean 2024-01-01 EUR Some(500.0) Some((500, 1))
        at 2024-01-01T10:00:02Z
        at 2024-01-02T00:00:00Z
          customers 2024-01-02  Some(1.0) None
        at 2024-01-02T01:00:00Z
          orders 2024-01-01  Some(1.0) None final
          customers 2024-01-01  Some(1.0) None final
        at 2024-01-02T02:00:00Z
          orders 2024-01-01  Some(2.0) None final corrected
          mean 2024-01-01 EUR Some(375.0) Some((750, 2))
    "#]]);
}

#[test]
fn a_late_start_moves_every_later_level_and_a_gap_opens_every_window() {
    let mut scene = Scene::new();
    scene.add("2024-01-03T10:00:00Z", 0, 0, 1).tick("2024-01-04T12:00:00Z");
    scene.add("2024-01-02T10:00:00Z", 0, 0, 1).tick("2024-01-04T12:00:01Z");
    scene.check(expect![[r#"
        at 2024-01-04T12:00:00Z
          customers 2024-01-03  Some(1.0) None final
          customers 2024-01-04  Some(1.0) None
        at 2024-01-04T12:00:01Z
          customers 2024-01-02  Some(1.0) None final corrected
          customers 2024-01-03  Some(2.0) None final corrected
          customers 2024-01-04  Some(2.0) None
    "#]]);
}

#[test]
fn a_rollup_restored_goes_on_as_if_it_had_not_stopped() {
    let mut scene = Scene::new();
    scene.add("2024-01-01T10:00:00Z", 1, 500, 1).tick("2024-01-01T10:00:01Z");
    let mut again = Scene::new();
    again.rollup = Rollup::new(again.plan.clone(), scene.rollup.clock());
    again.stored = scene.stored.clone();
    // Not in the order in which they were made: lines of a restored rollup have other numbers, and the same ids.
    scene.lines.iter().rev().for_each(|(name, id)| again.rollup.restore_line(name, *id));
    let mut slices = Changes::default();
    for (number, bundle) in again.plan.bundles.clone().iter().enumerate() {
        let values: &[&str] = if bundle.money { &["EUR"] } else { &[] };
        let at = "2024-01-01T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let row: Vec<i128> = bundle
            .columns
            .iter()
            .map(|column| match column {
                Column::Fact { trigger, amount: Some(_), .. } if *trigger == Trigger::Fact(ORDER) => 500,
                Column::Fact { trigger, .. } if *trigger == Trigger::Fact(REFUND) => 0,
                _ => 1,
            })
            .collect();
        slices.add(number, values, at, &row);
    }
    let wanted = again.rollup.restore(slices);
    again.supply(wanted);
    scene.shown.clear();
    for scene in [&mut scene, &mut again] {
        scene.add("2024-01-01T12:00:00Z", 1, 100, 0).tick("2024-01-02T03:00:00Z");
    }
    assert_eq!(scene.shown, again.shown);
    assert!(scene.shown.contains("orders 2024-01-01  Some(2.0) None final\n"), "{}", scene.shown);
}

#[test]
fn a_window_is_final_after_the_maturity_of_its_metric() {
    let mut scene =
        Scene::of(&CATALOG.replace("windows: [1d], measures: {n:", "windows: [1d], maturity: 7d, measures: {n:"));
    scene.add("2024-01-01T10:00:00Z", 1, 500, 1).tick("2024-01-02T12:00:00Z");
    scene.add("2024-01-01T10:00:00Z", 1, 500, 0).tick("2024-01-08T23:59:59Z").tick("2024-01-09T00:00:00Z");
    scene.add("2024-01-01T10:00:00Z", 1, 500, 0).tick("2024-01-09T00:00:01Z");
    let orders: Vec<&str> = scene.shown.lines().filter_map(|line| line.strip_prefix("  orders 2024-01-01  ")).collect();
    assert_eq!(orders, ["Some(1.0) None", "Some(2.0) None", "Some(2.0) None final", "Some(3.0) None final corrected"]);

    // A restart asks for every row that may be open.
    let day = crate::calendar::DAY;
    let first = "2024-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let mut again = Rollup::new(scene.plan.clone(), first + 4 * day);
    let mut slices = Changes::default();
    for (number, bundle) in scene.plan.bundles.iter().enumerate() {
        let values: &[&str] = if bundle.money { &["EUR"] } else { &[] };
        slices.add(number, values, first, &vec![1; bundle.columns.len()]);
    }
    let wanted = again.restore(slices);
    let of = |name: &str| {
        let is_it = |(key, _): &&Wanted| scene.plan.metrics[again.line(key.line).metric].name == name;
        wanted.iter().filter(is_it).count()
    };
    assert_eq!(
        (of("orders"), of("customers")),
        (8, 2),
        "since 29 December, a week before yesterday's end; since yesterday"
    );
}

#[test]
fn a_day_takes_corrections_for_ever_and_an_hour_until_its_keep() {
    let mut scene = Scene::of(&CATALOG.replace("windows: [1d], measures: {n:", "windows: [1h, 1d], measures: {n:"));
    scene.add("2020-01-01T10:00:00Z", 1, 500, 0).tick("2020-01-02T12:00:00Z").tick("2023-01-01T00:00:00Z");
    scene.shown.clear();
    scene.add("2020-01-01T10:00:00Z", 1, 300, 0).tick("2023-01-01T00:00:01Z");
    scene.check(expect![[r#"
        at 2023-01-01T00:00:01Z
          orders 2020-01-01  Some(2.0) None final corrected
          mean 2020-01-01 EUR Some(400.0) Some((800, 2)) final corrected
    "#]]);
    assert_eq!(scene.rollup.frozen(), 1);
}

const BY_CHANNEL: &str = "
meaningful: [order]
metrics:
  - {name: orders, title: O, description: D, unit: count, windows: [1d], by: [[channel]], measures: {n: {count: order}}, value: n}
";

/// Values with their orders as of the last instant; `instants` are lists of (channel, orders).
fn by_channel(max: usize, instants: &[&[(&str, i128)]]) -> (BTreeMap<String, f64>, Vec<(String, u64)>) {
    let settings = Settings { dimension_values_max: max, ..Settings::default() };
    let plan = Arc::new(Plan::lower(&Catalog::parse(BY_CHANNEL).unwrap(), &settings).unwrap());
    let bundle = plan.bundles.iter().position(|bundle| !bundle.dims.is_empty()).unwrap();
    let mut rollup = Rollup::new(plan.clone(), Time::MIN);
    let (mut shown, mut other) = (BTreeMap::new(), Vec::new());
    for (clock, orders) in (1..).zip(instants) {
        let mut changes = Changes::default();
        for (channel, count) in *orders {
            changes.add(bundle, &[channel, "EUR"], 0, &vec![*count; plan.bundles[bundle].columns.len()]);
        }
        rollup.merge(changes);
        assert!(rollup.prepare(clock * crate::calendar::HOUR).is_empty());
        for change in closed(&mut rollup) {
            let channel = rollup.line(change.line).values(&plan)[0].to_string();
            shown.insert(channel, change.row.value.unwrap());
        }
        other.append(&mut rollup.take_others());
    }
    (shown, other)
}

#[test]
fn the_first_values_are_kept_apart_by_instant_and_then_by_value() {
    let instants: &[&[(&str, i128)]] =
        &[&[("m", 1)], &[("z", 2), ("b", 3), ("", 4), ("other", 5)], &[("a", 6), ("b", 7)]];
    let (shown, other) = by_channel(2, instants);
    let expected = [("", 4.0), ("b", 10.0), ("m", 1.0), ("other", 13.0)].map(|(name, value)| (name.to_owned(), value));
    assert_eq!(shown, BTreeMap::from(expected), "z and a came too late, the absent and the real `other` take no place");
    assert_eq!(other, [("channel".to_owned(), 1), ("channel".to_owned(), 1)]);
}

#[test]
fn a_value_whose_changes_cancel_out_is_not_there_yet() {
    // Of two partitions: one says +1, the other -1. One partition alone would say nothing.
    let (shown, _) = by_channel(1, &[&[("x", 1), ("x", -1), ("y", 1)], &[("x", 1)]]);
    assert_eq!(shown, BTreeMap::from([("y".to_owned(), 1.0), ("other".to_owned(), 1.0)]));
}

#[test]
fn values_that_are_kept_apart_survive_a_restart() {
    let settings = Settings { dimension_values_max: 1, ..Settings::default() };
    let plan = Arc::new(Plan::lower(&Catalog::parse(BY_CHANNEL).unwrap(), &settings).unwrap());
    let bundle = plan.bundles.iter().position(|bundle| !bundle.dims.is_empty()).unwrap();
    let changes = |channel: &str| {
        let mut changes = Changes::default();
        changes.add(bundle, &[channel, "EUR"], 0, &vec![1; plan.bundles[bundle].columns.len()]);
        changes
    };
    let mut before = Rollup::new(plan.clone(), Time::MIN);
    before.merge(changes("z"));
    let keys = before.flush_values();
    let mut after = Rollup::new(plan.clone(), 1);
    keys.iter().for_each(|key| after.restore_value(key).unwrap());
    assert!(after.restore_value(b"channel").is_none(), "no value");
    after.restore(changes("z"));
    after.merge(changes("a"));
    after.prepare(2);
    let lines: Vec<_> =
        closed(&mut after).iter().map(|change| after.line(change.line).values(&plan)[0].to_string()).collect();
    assert_eq!(lines, ["other"]);
}

#[test]
fn an_old_history_in_one_instant_looks_at_each_row_once() {
    // 30 years of days, each with a change of the level: every later day is moved by all of them.
    let mut scene = Scene::new();
    scene.tick("2026-01-01T00:00:00Z");
    let first = "1996-01-01T10:00:00Z".parse::<jiff::Timestamp>().unwrap();
    for day in 0..10_000 {
        let at = first + jiff::SignedDuration::from_hours(24 * day);
        scene.add(&at.to_string(), 1, 1, 1);
    }
    let changes = scene.close("2026-01-01T00:00:01Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
    let levels = changes.iter().filter(|change| {
        let line = scene.rollup.line(change.line);
        scene.plan.metrics[line.metric].name == "customers"
    });
    // 1996-01-01 to 2026-01-01.
    assert_eq!(levels.count(), 10_959);
}

const QUANTILES: &str = "
meaningful: [order]
metrics:
  - {name: median, title: M, description: D, unit: points, windows: [1d], measures: {m: {quantile: answer, of: effort}}, value: m}
  - {name: most, title: M, description: D, unit: points, windows: [1mo], measures: {m: {quantile: answer, of: effort, at: p90}}, value: m / 2}
";

#[test]
fn a_quantile_is_that_of_all_in_the_window_and_of_nothing_is_null() {
    let mut scene = Scene::of(QUANTILES);
    let answers = |scene: &mut Scene, at: &str, effort: i64, count: i128| {
        let at = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        for number in 0..scene.plan.bundles.len() {
            scene.changes.add(number, &[&bucket(effort).to_string()], at, &[count]);
        }
    };
    for effort in 1..=10 {
        answers(&mut scene, "2024-01-01T00:00:00Z", effort, 1);
    }
    answers(&mut scene, "2024-01-02T00:00:00Z", 100, 1);
    scene.tick("2024-01-02T10:00:00Z");
    // The latest of the second day is taken back: its median is of nothing.
    answers(&mut scene, "2024-01-02T00:00:00Z", 100, -1);
    scene.tick("2024-01-02T10:00:01Z");
    scene.check(expect![[r#"
        at 2024-01-02T10:00:00Z
          median 2024-01-01  Some(5.0) None final
          median 2024-01-02  Some(100.0) None
          most 2024-01-01  Some(5.0) None
        at 2024-01-02T10:00:01Z
          median 2024-01-02  None Noneno denominator
          most 2024-01-01  Some(4.5) None
    "#]]);
}

const BESIDE_MONEY: &str = "
meaningful: [order]
metrics:
  - {name: each, title: E, description: D, unit: money, windows: [1d], measures: {s: {sum: order, of: net}, c: {level: customer}}, value: s / c}
  - {name: every, title: E, description: D, unit: money, every_window: true, windows: [1d], measures: {s: {sum: order, of: net}, c: {level: customer}}, value: s / c}
";

/// Customers are of no currency: they make no rows in one that is not there yet, or was taken back.
#[test]
fn a_currency_has_rows_from_its_first_amount_on_as_long_as_that_stands() {
    let mut scene = Scene::of(BESIDE_MONEY);
    scene.add("2024-01-01T10:00:00Z", 0, 0, 1).tick("2024-01-01T12:00:00Z");
    scene.add("2024-01-02T10:00:00Z", 1, 500, 0).tick("2024-01-02T12:00:00Z");
    scene.tick("2024-01-03T01:00:00Z");
    scene.add("2024-01-02T10:00:00Z", -1, -500, 0).tick("2024-01-03T02:00:00Z");
    scene.tick("2024-01-04T01:00:00Z");
    scene.add("2024-01-04T10:00:00Z", 1, 300, 0).tick("2024-01-04T12:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T12:00:00Z
        at 2024-01-02T12:00:00Z
          each 2024-01-02 EUR Some(500.0) Some((500, 1))
          every 2024-01-02 EUR Some(500.0) Some((500, 1))
        at 2024-01-03T01:00:00Z
          each 2024-01-02 EUR Some(500.0) Some((500, 1)) final
          every 2024-01-02 EUR Some(500.0) Some((500, 1)) final
          every 2024-01-03 EUR Some(0.0) Some((0, 1))
        at 2024-01-03T02:00:00Z
          each 2024-01-02 EUR None Some((0, 0)) final correctedno denominator
          every 2024-01-02 EUR None Some((0, 0)) final correctedno denominator
          every 2024-01-03 EUR None Some((0, 0))no denominator
        at 2024-01-04T01:00:00Z
          every 2024-01-03 EUR None Some((0, 0)) finalno denominator
        at 2024-01-04T12:00:00Z
          each 2024-01-04 EUR Some(300.0) Some((300, 1))
          every 2024-01-04 EUR Some(300.0) Some((300, 1))
    "#]]);
}

const EXTREMES: &str = "
meaningful: [order]
metrics:
  - {name: oldest, title: O, description: D, unit: seconds, every_window: true, windows: [1d], measures: {o: {min: ticket_waiting, of: opened}, n: {level: ticket_waiting}}, value: 'n > 0 ? (now - o) / 1000000 : 0'}
";

#[test]
fn the_oldest_that_waits_grows_older_with_the_clock() {
    let mut scene = Scene::of(EXTREMES);
    let time = |at: &str| at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    // A ticket, by its opening, begins (1) or ends (-1) to wait at a time.
    let ticket = |scene: &mut Scene, at: &str, opened: &str, count: i128| {
        for (number, bundle) in scene.plan.bundles.clone().iter().enumerate() {
            let row: Vec<i128> = bundle.columns.iter().map(|column| of_tickets(column, count)).collect();
            let opened = time(opened).to_string();
            let values: &[&str] = if bundle.bucket.is_some() { &[&opened] } else { &[] };
            scene.changes.add(number, values, time(&format!("{}T00:00:00Z", &at[..10])), &row);
        }
    };
    ticket(&mut scene, "2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z", 1);
    ticket(&mut scene, "2024-01-01T11:00:00Z", "2024-01-01T11:00:00Z", 1);
    scene.tick("2024-01-01T12:00:00Z");
    // Once a minute.
    scene.tick("2024-01-01T12:00:59Z").tick("2024-01-01T12:01:00Z").tick("2024-01-01T12:01:30Z");
    scene.tick("2024-01-02T00:00:10Z");
    // The older one is answered, so that the younger one is the oldest.
    ticket(&mut scene, "2024-01-02T01:00:00Z", "2024-01-01T10:00:00Z", -1);
    scene.tick("2024-01-02T01:00:00Z");
    ticket(&mut scene, "2024-01-02T01:00:00Z", "2024-01-01T11:00:00Z", -1);
    scene.tick("2024-01-02T02:00:00Z");
    scene.tick("2024-01-02T02:00:01Z");
    scene.check(expect![[r#"
        at 2024-01-01T12:00:00Z
          oldest 2024-01-01  Some(7200.0) None
        at 2024-01-01T12:00:59Z
        at 2024-01-01T12:01:00Z
          oldest 2024-01-01  Some(7260.0) None
        at 2024-01-01T12:01:30Z
        at 2024-01-02T00:00:10Z
          oldest 2024-01-01  Some(50400.0) None
          oldest 2024-01-02  Some(50410.0) None
        at 2024-01-02T01:00:00Z
          oldest 2024-01-01  Some(50400.0) None final
          oldest 2024-01-02  Some(50400.0) None
        at 2024-01-02T02:00:00Z
          oldest 2024-01-02  Some(0.0) None
        at 2024-01-02T02:00:01Z
    "#]]);
}

/// What a ticket that begins (1) or ends (-1) to wait adds to a column.
fn of_tickets(column: &Column, count: i128) -> i128 {
    match column {
        Column::Fact { trigger: Trigger::Event, .. } => 1,
        Column::Fact { trigger: Trigger::Fact(fact), .. } if lifecycle::fact(*fact).name == "ticket_waiting" => count,
        _ => 0,
    }
}

#[test]
fn a_level_of_money_carries_on_by_currency_from_the_first_that_stood() {
    let mut scene = Scene::of(
        "
meaningful: [order]
metrics:
  - {name: at_end, title: P, description: D, unit: money, every_window: true, windows: [1d], by: [[stage]], measures: {a: {level: deal_open, of: amount}}, value: a}
  - {name: at_start, title: P, description: D, unit: money, every_window: true, windows: [1d], by: [[stage]], measures: {a: {level: deal_open, of: amount, at: start}}, value: a}
  - {name: open, title: O, description: D, unit: count, every_window: true, windows: [1d], by: [[stage]], measures: {n: {level: deal_open}}, value: n}
",
    );
    let day = "2024-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    // What stands in dollars is gone by the end of the day.
    for (currency, amount, open) in [("EUR", 100, 1), ("USD", 0, 0)] {
        for (number, bundle) in scene.plan.bundles.iter().enumerate() {
            let number_of = |column: &Column| match column {
                Column::Fact { amount: None, .. } => open,
                Column::Fact { amount: Some(Field::Entered), .. } => 1,
                _ => amount,
            };
            let row: Vec<i128> = bundle.columns.iter().map(number_of).collect();
            let values: &[&str] = if bundle.money { &["demo", currency] } else { &["demo"] };
            if row.iter().any(|number| *number != 0) {
                scene.changes.add(number, values, day, &row);
            }
        }
    }
    scene.tick("2024-01-01T12:00:00Z").tick("2024-01-02T12:00:00Z");

    let mut rows: Vec<&str> = scene.shown.lines().filter(|line| line.ends_with("None")).map(str::trim).collect();
    rows.sort_unstable();
    let expected = [
        "at_end 2024-01-01 EUR Some(100.0) None",
        "at_end 2024-01-01 USD Some(0.0) None",
        "at_end 2024-01-02 EUR Some(100.0) None",
        "at_end 2024-01-02 USD Some(0.0) None",
        "at_start 2024-01-01 EUR Some(0.0) None",
        "at_start 2024-01-01 USD Some(0.0) None",
        "at_start 2024-01-02 EUR Some(100.0) None",
        "at_start 2024-01-02 USD Some(0.0) None",
        "open 2024-01-01  Some(1.0) None",
        "open 2024-01-02  Some(1.0) None",
    ];
    assert_eq!(rows, expected);
}
