//! Goals over time: each row as it is published.

use super::*;
use crate::{catalog::Goal, lifecycle::goal::GOAL};

const CATALOG: &str = "
meaningful: [order]
metrics:
  - {name: orders, title: O, description: D, unit: count, windows: [1d, 1w], measures: {n: {count: order}}, value: n}
  - {name: mean, title: M, description: D, unit: money, windows: [1w], measures: {s: {sum: order, of: net}, n: {count: order}}, value: s / n}
  - {name: customers, title: C, description: D, unit: count, every_window: true, windows: [1d], measures: {c: {level: customer}}, value: c}
  - {name: value, title: V, description: D, unit: money, per: account, windows: [to-date], measures: {s: {sum: order, of: net}}, value: s}
  - {name: progress, title: P, description: D, unit: ratio, windows: [1d], by: [[goal]], goal: progress}
  - {name: expected, title: E, description: D, unit: ratio, windows: [1d], by: [[goal]], goal: expected}
  - {name: lead, title: L, description: D, unit: ratio, windows: [1d], by: [[goal]], goal: lead}
  - {name: state, title: S, description: D, unit: state, windows: [1d], by: [[goal]], goal: state}
";

/// A goal with these terms is set (1), or the setting is taken back (-1).
fn set(scene: &mut Scene, at: &str, terms: &[(&str, &str)], times: i128) {
    let at = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let set = at.to_string();
    let mut values: Vec<&str> = vec![""; GOAL.fields.len()];
    for (name, value) in [("set", set.as_str()), ("set_by", "s"), ("set_as", "e")].iter().chain(terms) {
        values[GOAL.place(name).unwrap()] = value;
    }
    scene.changes.add(scene.plan.goals.unwrap(), &values, at - at.rem_euclid(crate::calendar::DAY), &[times]);
}

/// What an instant publishes of goals: goal, day, and of progress, expected, lead and state what changed.
fn tick(scene: &mut Scene, at: &str) -> Vec<String> {
    let mut rows: BTreeMap<(String, Time), Vec<String>> = BTreeMap::new();
    for change in scene.close(at.parse::<jiff::Timestamp>().unwrap().as_microsecond()) {
        let line = scene.rollup.line(change.line);
        if scene.plan.metrics[line.metric].goal.is_none() {
            continue;
        }
        let is_state = scene.plan.metrics[line.metric].goal == Some(Goal::State);
        let text = |value: f64| match value.round() {
            _ if !is_state => format!("{value:.4}"),
            2.0 => "met".to_owned(),
            1.0 => "on track".to_owned(),
            0.0 => "behind".to_owned(),
            _ => "missed".to_owned(),
        };
        let value = change.row.value.map_or(change.row.reason, text);
        let marks = [(change.row.is_final, "!"), (change.row.corrected, "?")];
        let marks: String = marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
        let goal = line.values(&scene.plan)[0].to_string();
        rows.entry((goal, change.window.start)).or_default().push(format!("{value}{marks}"));
    }
    let day = |at: Time| timestamp(at).strftime("%d").to_string();
    rows.into_iter().map(|((goal, start), shares)| format!("{goal} {}: {}", day(start), shares.join(" "))).collect()
}

/// The week of 1 to 7 January 2024.
const WEEK: [(&str, &str); 2] = [("window", "1w"), ("due", "2024-01-07")];

#[test]
fn a_goal_on_a_count_goes_by_its_window_and_each_midnight_expects_more() {
    let mut scene = Scene::of(CATALOG);
    let terms = [&WEEK[..], &[("goal", "g"), ("metric", "orders"), ("target", "4")]].concat();
    set(&mut scene, "2024-01-01T09:00:00Z", &terms, 1);
    scene.add("2024-01-01T10:00:00Z", 1, 500, 0);
    assert_eq!(tick(&mut scene, "2024-01-01T12:00:00Z"), ["g 01: 0.2500 0.0000 0.2500 on track"]);
    assert_eq!(tick(&mut scene, "2024-01-01T13:00:00Z"), [""; 0]);
    assert_eq!(tick(&mut scene, "2024-01-02T00:00:00Z"), ["g 02: 0.2500 0.1429 0.1071 on track"]);
    assert_eq!(tick(&mut scene, "2024-01-02T01:00:00Z"), ["g 01: 0.2500! 0.0000! 0.2500! on track!"]);
    // A late order moves the days from its own on.
    scene.add("2024-01-01T23:00:00Z", 1, 500, 0);
    assert_eq!(tick(&mut scene, "2024-01-02T02:00:00Z"), ["g 01: 0.5000!? 0.5000!?", "g 02: 0.5000 0.3571"]);
    // After a gap every day is there; the day after the window has what it came to, and the next ones nothing.
    scene.add("2024-01-06T10:00:00Z", 3, 500, 0).add("2024-01-08T10:00:00Z", 1, 500, 0);
    let days = tick(&mut scene, "2024-01-10T12:00:00Z");
    assert_eq!(days.len(), 7, "{days:?}");
    assert_eq!(
        days[4..],
        [
            "g 06: 1.2500! 0.7143! 0.5357! met!",
            "g 07: 1.2500! 0.8571! 0.3929! met!",
            "g 08: 1.2500! 1.0000! 0.2500! met!"
        ]
    );
}

#[test]
fn before_its_window_begins_nothing_counts_for_a_goal() {
    let mut scene = Scene::of(CATALOG);
    let next_week = [("window", "1w"), ("due", "2024-01-14"), ("goal", "g"), ("metric", "orders"), ("target", "4")];
    set(&mut scene, "2024-01-06T09:00:00Z", &next_week, 1);
    scene.add("2024-01-06T10:00:00Z", 1, 500, 0).add("2024-01-08T10:00:00Z", 2, 500, 0);
    assert_eq!(
        tick(&mut scene, "2024-01-09T00:00:00Z"),
        [
            "g 06: 0.0000! 0.0000! 0.0000! on track!",
            "g 07: 0.0000! 0.0000! 0.0000! on track!",
            "g 08: 0.5000 0.0000 0.5000 on track",
            "g 09: 0.5000 0.1429 0.3571 on track"
        ]
    );
}

#[test]
fn a_goal_that_is_set_again_is_another_one_and_one_without_a_target_ends() {
    let mut scene = Scene::of(CATALOG);
    let with = |target| [&WEEK[..], &[("goal", "g"), ("metric", "orders"), ("target", target)]].concat();
    scene.add("2024-01-01T10:00:00Z", 1, 500, 0);
    set(&mut scene, "2024-01-01T09:00:00Z", &with("4"), 1);
    set(&mut scene, "2024-01-02T09:00:00Z", &with("2"), 1);
    set(&mut scene, "2024-01-03T09:00:00Z", &[("goal", "g")], 1);
    let days = tick(&mut scene, "2024-01-04T00:00:00Z");
    assert_eq!(days, ["g 01: 0.2500! 0.0000! 0.2500! on track!", "g 02: 0.5000! 0.1429! 0.3571! on track!"]);
    // The end is withdrawn, and comes back: what was said of those days is taken back, too.
    set(&mut scene, "2024-01-03T09:00:00Z", &[("goal", "g")], -1);
    let days = tick(&mut scene, "2024-01-04T00:00:01Z");
    assert_eq!(days, ["g 03: 0.5000 0.2857 0.2143 on track", "g 04: 0.5000 0.4286 0.0714 on track"]);
    set(&mut scene, "2024-01-03T09:00:00Z", &[("goal", "g")], 1);
    let nothing = ["no denominator"; 4].join(" ");
    assert_eq!(tick(&mut scene, "2024-01-04T00:00:02Z"), [format!("g 03: {nothing}"), format!("g 04: {nothing}")]);
    // The first setting was wrong.
    set(&mut scene, "2024-01-01T09:00:00Z", &with("4"), -1);
    let nothing = ["no denominator!?"; 4].join(" ");
    assert_eq!(tick(&mut scene, "2024-01-04T00:00:03Z"), [format!("g 01: {nothing}")]);
}

#[test]
fn a_goal_on_a_level_or_mean_counts_from_what_it_was_when_it_was_set() {
    let mut scene = Scene::of(CATALOG);
    let level = [("goal", "level"), ("metric", "customers"), ("target", "6"), ("due", "2024-01-10")];
    let mean = [("goal", "mean"), ("metric", "mean"), ("target", "100"), ("direction", "down"), ("currency", "EUR")];
    scene.add("2024-01-02T10:00:00Z", 2, 400, 2);
    tick(&mut scene, "2024-01-03T00:00:00Z");
    set(&mut scene, "2024-01-03T00:00:00Z", &level, 1);
    set(&mut scene, "2024-01-03T00:00:00Z", &[&WEEK[..], &mean].concat(), 1);
    scene.add("2024-01-03T10:00:00Z", 2, 240, 1);
    // 3 of 2 to 6 customers; a mean of 640 / 4 on its way from 200 to 100. A quarter has no mean: its window is the week.
    assert_eq!(
        tick(&mut scene, "2024-01-03T12:00:00Z"),
        ["level 03: 0.2500 0.0000 0.2500 on track", "mean 03: 0.4000 0.0000 0.4000 on track"]
    );
    // What is late for the baseline moves the baseline.
    scene.add("2024-01-02T11:00:00Z", 0, 0, -1);
    assert_eq!(tick(&mut scene, "2024-01-03T13:00:00Z"), ["level 03: 0.2000 0.2000"]);
    assert_eq!(
        tick(&mut scene, "2024-01-04T00:00:00Z"),
        ["level 04: 0.2000 0.1250 0.0750 on track", "mean 04: 0.4000 0.2000 0.2000 on track"]
    );
}

#[test]
fn a_goal_says_why_it_has_no_numbers() {
    let mut scene = Scene::of(CATALOG);
    scene.add("2024-01-01T10:00:00Z", 2, 400, 2);
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("metric", "churn")], "no such metric"),
        (&[("metric", "progress")], "no such metric"),
        (&[("metric", "value")], "a goal is on a metric of the whole business, not of each account"),
        (&[("metric", "orders"), ("window", "1y")], "no such window of the metric"),
        (&[("metric", "orders"), ("dimensions", "4:plan3:pro")], "no such dimensions of the metric"),
        (&[("metric", "mean")], "a goal on money needs its currency"),
        (&[("metric", "mean"), ("currency", "USD")], "no baseline"),
        (&[("metric", "mean"), ("currency", "EUR"), ("target", "200")], "target is the baseline"),
        (&[("metric", "orders"), ("target", "0")], "no denominator"),
    ];
    for (number, (terms, _)) in cases.iter().enumerate() {
        let name = number.to_string();
        let all = [&WEEK[..], &[("goal", name.as_str()), ("target", "5")], terms].concat();
        set(&mut scene, "2024-01-02T00:00:00Z", &all, 1);
    }
    let found = tick(&mut scene, "2024-01-02T12:00:00Z");
    let reasons: Vec<&str> = cases.iter().map(|(_, reason)| *reason).collect();
    for (number, (row, reason)) in found.iter().zip(&reasons).enumerate() {
        let expected = match number {
            0..=5 => format!("{number} 02: {reason} {reason} {reason} {reason}"),
            8 => format!("8 02: {reason} 0.1429 {reason} met"),
            6 => format!("6 02: {reason} 0.0000 {reason} {reason}"),
            _ => format!("7 02: {reason} 0.0000 {reason} met"),
        };
        assert_eq!(*row, expected);
    }
    assert_eq!(found.len(), cases.len());
}

#[test]
fn a_rollup_restored_goes_on_with_its_goals() {
    let terms = [&WEEK[..], &[("goal", "g"), ("metric", "orders"), ("target", "4")]].concat();
    let begin = |scene: &mut Scene| {
        set(scene, "2024-01-01T09:00:00Z", &terms, 1);
        scene.add("2024-01-01T10:00:00Z", 1, 500, 0);
    };
    let mut scene = Scene::of(CATALOG);
    begin(&mut scene);
    tick(&mut scene, "2024-01-01T12:00:00Z");

    let mut again = Scene::of(CATALOG);
    again.rollup = Rollup::new(again.plan.clone(), scene.rollup.clock());
    again.stored = scene.stored.clone();
    scene.lines.iter().for_each(|(name, id)| again.rollup.restore_line(name, *id));
    begin(&mut again);
    let wanted = again.rollup.restore(std::mem::take(&mut again.changes));
    again.supply(wanted);
    for scene in [&mut scene, &mut again] {
        assert_eq!(tick(scene, "2024-01-01T13:00:00Z"), [""; 0]);
        scene.add("2024-01-01T11:00:00Z", 1, 500, 0);
        let days = tick(scene, "2024-01-02T12:00:00Z");
        assert_eq!(days, ["g 01: 0.5000! 0.0000! 0.5000! on track!", "g 02: 0.5000 0.1429 0.3571 on track"]);
    }
}
