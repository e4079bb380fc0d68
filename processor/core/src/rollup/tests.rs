//! Rows over time, as text: what is published at which instant.

use expect_test::{Expect, expect};

use super::*;
use crate::{calendar::timestamp, catalog::Catalog, plan::Column, settings::Settings};

const CATALOG: &str = "
meaningful: [order]
metrics:
  - {name: orders, title: O, description: D, unit: count, windows: [1d], measures: {n: {count: order}}, value: n}
  - {name: mean, title: M, description: D, unit: money, windows: [1mo], measures: {s: {sum: order, of: net}, n: {count: order}}, value: s / n}
  - {name: customers, title: C, description: D, unit: count, every_window: true, windows: [1d], measures: {c: {level: customer}}, value: c}
";

struct Scene {
    plan: Arc<Plan>,
    rollup: Rollup,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    shown: String,
}

impl Scene {
    fn new() -> Scene {
        let plan = Arc::new(Plan::lower(&Catalog::parse(CATALOG).unwrap(), &Settings::default()).unwrap());
        Scene { rollup: Rollup::new(plan.clone(), Time::MIN), plan, stored: BTreeMap::new(), shown: String::new() }
    }

    /// `orders` orders of `net` together, and `customers` more customers, in the hour of `at`.
    fn add(&mut self, at: &str, orders: i128, net: i128, customers: i128) -> &mut Scene {
        let at = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        for (number, bundle) in self.plan.bundles.clone().iter().enumerate() {
            let values: &[&str] = if bundle.money { &["EUR"] } else { &[] };
            let row: Vec<i128> = bundle
                .columns
                .iter()
                .map(|column| match column {
                    Column::Fact { trigger: crate::plan::Trigger::Order, amount: None, .. } => orders,
                    Column::Fact { trigger: crate::plan::Trigger::Order, .. } => net,
                    Column::Fact { trigger: crate::plan::Trigger::Event, .. } => 1,
                    Column::Customers { .. } => customers,
                    _ => 0,
                })
                .collect();
            self.rollup.add(number, values, at, &row);
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
        let wanted = self.rollup.prepare(clock);
        self.supply(wanted);
        let changes = self.rollup.close();
        self.stored.extend(self.rollup.flush(0));
        changes
    }

    fn supply(&mut self, wanted: Vec<Wanted>) {
        for (key, bytes) in wanted {
            if let Some(row) = self.stored.get(&bytes) {
                self.rollup.supply(key, Published::decode(row).unwrap());
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
    for (number, bundle) in again.plan.bundles.clone().iter().enumerate() {
        let values: &[&str] = if bundle.money { &["EUR"] } else { &[] };
        let at = "2024-01-01T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let row: Vec<i128> = bundle
            .columns
            .iter()
            .map(|column| match column {
                Column::Fact { trigger: crate::plan::Trigger::Order, amount: Some(_), .. } => 500,
                Column::Fact { trigger: crate::plan::Trigger::Refund, .. } => 0,
                _ => 1,
            })
            .collect();
        again.rollup.restore(number, values, at, &row);
    }
    let wanted = again.rollup.restored();
    again.supply(wanted);
    scene.shown.clear();
    for scene in [&mut scene, &mut again] {
        scene.add("2024-01-01T12:00:00Z", 1, 100, 0).tick("2024-01-02T03:00:00Z");
    }
    assert_eq!(scene.shown, again.shown);
    assert!(scene.shown.contains("orders 2024-01-01  Some(2.0) None final\n"), "{}", scene.shown);
}

#[test]
fn a_row_past_its_keep_is_counted_and_not_published() {
    let mut scene = Scene::new();
    scene.add("2020-01-01T10:00:00Z", 1, 500, 0).tick("2020-01-02T12:00:00Z").tick("2023-01-01T00:00:00Z");
    scene.shown.clear();
    scene.add("2020-01-01T11:00:00Z", 1, 300, 0).tick("2023-01-01T00:00:01Z");
    scene.check(expect![[r#"
        at 2023-01-01T00:00:01Z
          mean 2020-01-01 EUR Some(400.0) Some((800, 2)) final corrected
    "#]]);
    assert_eq!(scene.rollup.frozen(), 1);
}
