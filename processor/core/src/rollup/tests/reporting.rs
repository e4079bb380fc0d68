//! Money in one currency: at which rate, when rates come late, what has none.

use super::*;
use crate::plan::Slicing;

const CATALOG: &str = "
meaningful: [order]
metrics:
  - {name: sold, title: S, description: D, unit: money, windows: [1d], measures: {s: {sum: order, of: net}, r: {sum: refund, of: amount}}, value: s - r}
  - {name: mean, title: M, description: D, unit: money, windows: [1d], measures: {s: {sum: order, of: net}, n: {count: order}}, value: s / n}
  - {name: orders, title: O, description: D, unit: count, windows: [1d], measures: {n: {count: order}}, value: n}
  - {name: lack, title: L, description: D, unit: count, windows: [1d], measures: {n: {count: order, without: rate}}, value: n}
  - {name: open, title: O, description: D, unit: money, every_window: true, windows: [1d], measures: {a: {level: deal_open, of: amount}}, value: a}
";

fn scene() -> Scene {
    Scene::with(CATALOG, &Settings { reporting_currency: Some("EUR".to_owned()), ..Settings::default() })
}

fn time(at: &str) -> Time {
    at.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// A rate that is set (1) or taken back (-1), in this place of the order of facts.
fn rate(scene: &mut Scene, (base, rate, quote): (&str, &str, &str), from: &str, order: &str, times: i128) {
    let from = time(from).to_string();
    let bundle = scene.plan.rates.unwrap();
    scene.changes.add(bundle, &[base, quote, rate, &from, order], 0, &[times]);
}

/// Adds what facts of these names are worth to all series of a currency.
fn add(scene: &mut Scene, at: &str, currency: &str, facts: &[(&str, i128, i128)]) {
    let number = |column: &Column| match column {
        Column::Fact { trigger: Trigger::Fact(fact), amount, .. } => {
            let own = facts.iter().find(|(name, ..)| lifecycle::fact(*fact).name == *name);
            own.map_or(0, |(_, count, sum)| if matches!(amount, Some(Field::Of(_))) { *sum } else { *count })
        }
        _ => 0,
    };
    for (place, bundle) in scene.plan.bundles.clone().iter().enumerate() {
        let row: Vec<i128> = bundle.columns.iter().map(number).collect();
        if bundle.slicing == Slicing::Hours && row.iter().any(|number| *number != 0) {
            let values: &[&str] = if bundle.money { &[currency] } else { &[] };
            scene.changes.add(place, values, time(at), &row);
        }
    }
}

fn order(scene: &mut Scene, at: &str, currency: &str, net: i128) {
    add(scene, at, currency, &[("order", 1, net)]);
}

#[test]
fn an_amount_is_worth_its_rate_at_the_start_of_its_hour_and_a_late_rate_corrects_it() {
    let mut scene = scene();
    rate(&mut scene, ("USD", "0.9", "EUR"), "2024-01-01T00:00:00Z", "a", 1);
    // From half past on: not yet in the hour that has begun.
    rate(&mut scene, ("EUR", "1.25", "USD"), "2024-01-01T12:30:00Z", "b", 1);
    order(&mut scene, "2024-01-01T12:00:00Z", "USD", 1005);
    order(&mut scene, "2024-01-01T13:00:00Z", "USD", 1000);
    order(&mut scene, "2024-01-01T13:00:00Z", "EUR", 7);
    scene.tick("2024-01-01T14:00:00Z").tick("2024-01-02T01:00:00Z");
    // Known a day later: the rate at noon was another one.
    rate(&mut scene, ("USD", "0.5", "EUR"), "2024-01-01T12:00:00Z", "c", 1);
    scene.tick("2024-01-02T02:00:00Z");
    // It was a mistake.
    rate(&mut scene, ("USD", "0.5", "EUR"), "2024-01-01T12:00:00Z", "c", -1);
    scene.tick("2024-01-02T03:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T14:00:00Z
          sold 2024-01-01 EUR Some(1712.0) None
          mean 2024-01-01 EUR Some(570.6666666666666) Some((1712, 3))
          orders 2024-01-01  Some(3.0) None
          open 2024-01-01 EUR Some(0.0) None
        at 2024-01-02T01:00:00Z
          sold 2024-01-01 EUR Some(1712.0) None final
          mean 2024-01-01 EUR Some(570.6666666666666) Some((1712, 3)) final
          orders 2024-01-01  Some(3.0) None final
          open 2024-01-01 EUR Some(0.0) None final
          open 2024-01-02 EUR Some(0.0) None
        at 2024-01-02T02:00:00Z
          sold 2024-01-01 EUR Some(1310.0) None final corrected
          mean 2024-01-01 EUR Some(436.6666666666667) Some((1310, 3)) final corrected
        at 2024-01-02T03:00:00Z
          sold 2024-01-01 EUR Some(1712.0) None final corrected
          mean 2024-01-01 EUR Some(570.6666666666666) Some((1712, 3)) final corrected
    "#]]);
}

#[test]
fn an_amount_without_a_rate_stays_out_of_sums_and_counts_and_is_counted() {
    let mut scene = scene();
    rate(&mut scene, ("USD", "0.9", "EUR"), "2024-01-01T06:00:00Z", "a", 1);
    order(&mut scene, "2024-01-01T05:00:00Z", "USD", 1000);
    order(&mut scene, "2024-01-01T06:00:00Z", "USD", 1000);
    order(&mut scene, "2024-01-01T06:00:00Z", "GBP", 1000);
    // Two currencies that meet only through a third have no rate.
    rate(&mut scene, ("GBP", "1.3", "USD"), "2024-01-01T00:00:00Z", "b", 1);
    scene.tick("2024-01-01T14:00:00Z");
    rate(&mut scene, ("USD", "0.8", "EUR"), "2024-01-01T05:00:00Z", "c", 1);
    scene.tick("2024-01-01T15:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T14:00:00Z
          sold 2024-01-01 EUR Some(900.0) None
          mean 2024-01-01 EUR Some(900.0) Some((900, 1))
          orders 2024-01-01  Some(3.0) None
          open 2024-01-01 EUR Some(0.0) None
          lack 2024-01-01 USD Some(1.0) None
          lack 2024-01-01 GBP Some(1.0) None
        at 2024-01-01T15:00:00Z
          sold 2024-01-01 EUR Some(1700.0) None
          mean 2024-01-01 EUR Some(850.0) Some((1700, 2))
          lack 2024-01-01 USD Some(0.0) None
    "#]]);
}

#[test]
fn a_level_is_valued_at_the_clock_and_then_in_the_last_hour_of_the_window() {
    let mut scene = scene();
    rate(&mut scene, ("USD", "0.9", "EUR"), "2024-01-01T00:00:00Z", "a", 1);
    rate(&mut scene, ("USD", "0.8", "EUR"), "2024-01-01T23:00:00Z", "b", 1);
    rate(&mut scene, ("USD", "0.7", "EUR"), "2024-01-02T00:00:00Z", "c", 1);
    add(&mut scene, "2024-01-01T10:00:00Z", "USD", &[("deal_open", 1, 1000)]);
    scene.tick("2024-01-01T12:00:00Z").tick("2024-01-01T22:59:00Z").tick("2024-01-01T23:00:00Z");
    scene.tick("2024-01-02T00:30:00Z").tick("2024-01-02T01:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T12:00:00Z
          open 2024-01-01 EUR Some(900.0) None
        at 2024-01-01T22:59:00Z
        at 2024-01-01T23:00:00Z
          open 2024-01-01 EUR Some(800.0) None
        at 2024-01-02T00:30:00Z
          open 2024-01-02 EUR Some(700.0) None
        at 2024-01-02T01:00:00Z
          open 2024-01-01 EUR Some(800.0) None final
    "#]]);
}

#[test]
fn of_two_rates_from_one_instant_the_later_in_the_order_of_facts_holds() {
    let mut scene = scene();
    for (order, value) in [("b", "0.5"), ("a", "0.9")] {
        rate(&mut scene, ("USD", value, "EUR"), "2024-01-01T00:00:00Z", order, 1);
    }
    order(&mut scene, "2024-01-01T00:00:00Z", "USD", 1000);
    scene.tick("2024-01-01T14:00:00Z");
    rate(&mut scene, ("USD", "0.5", "EUR"), "2024-01-01T00:00:00Z", "b", -1);
    scene.tick("2024-01-01T15:00:00Z");
    scene.check(expect![[r#"
        at 2024-01-01T14:00:00Z
          sold 2024-01-01 EUR Some(500.0) None
          mean 2024-01-01 EUR Some(500.0) Some((500, 1))
          orders 2024-01-01  Some(1.0) None
          open 2024-01-01 EUR Some(0.0) None
        at 2024-01-01T15:00:00Z
          sold 2024-01-01 EUR Some(900.0) None
          mean 2024-01-01 EUR Some(900.0) Some((900, 1))
    "#]]);
}
