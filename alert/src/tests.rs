//! Rules of every kind over the life of one series, as text; and properties over many.
//!
//! A step is a line: day, time and value of a snapshot whose window is that day (`3 14:30 80`), `null` for no value; after it
//! `since DAY TIME`, `corrected`, `of DAY` for the window of another day, `will DAY VALUE` for a point of the projection; or
//! `DAY TIME tick`, or `DAY TIME stays` with `will` for an outlook. A transition is printed as `DAY TIME state (since DAY
//! TIME) value; what it was compared with`.

use expect_test::{Expect, expect};
use processor_core::{
    calendar::{DAY, Time},
    plan::Plan,
    settings::Settings,
};
use proto::v1::{self, AlertTransition};

use crate::{Judge, Rules};

mod properties;

const MINUTE: Time = 60_000_000;

fn rules(rule: &str) -> Rules {
    let text = format!("groups:\n  - name: g\n    rules:\n      - {rule}");
    Rules::parse(&text, &Plan::built_in(&Settings::default()).unwrap()).unwrap()
}

/// `3 14:30` as an instant: day 0 is 1970-01-01.
fn time(day: &str, clock: &str) -> Time {
    let (hours, minutes) = clock.split_once(':').unwrap();
    let number = |text: &str| text.parse::<i64>().unwrap();
    number(day) * DAY + (number(hours) * 60 + number(minutes)) * MINUTE
}

fn shown(at: Time) -> String {
    let (day, rest) = (at.div_euclid(DAY), at.rem_euclid(DAY) / MINUTE);
    let seconds = at.rem_euclid(MINUTE);
    let odd = if seconds == 0 { String::new() } else { format!("+{}s", seconds as f64 / 1e6) };
    format!("{day} {:02}:{:02}{odd}", rest / 60, rest % 60)
}

fn snapshot(metric: &str, words: &[&str]) -> v1::Snapshot {
    let at = time(words[0], words[1]);
    let mut snapshot = v1::Snapshot {
        metric: metric.to_owned(),
        revision_us: at,
        value: words[2].parse().ok(),
        unit: "points".to_owned(),
        ..v1::Snapshot::default()
    };
    let mut day = at.div_euclid(DAY);
    let mut rest = words[3..].iter();
    while let Some(word) = rest.next() {
        let mut next = || *rest.next().unwrap();
        match *word {
            "since" => snapshot.since_us = Some(time(next(), next())),
            "corrected" => (snapshot.r#final, snapshot.corrected) = (true, true),
            "final" => snapshot.r#final = true,
            "of" => day = next().parse().unwrap(),
            "plan" => snapshot.traits.push(v1::Dimension { name: "plan".to_owned(), value: next().to_owned() }),
            "will" => snapshot.projection.push(v1::Projection {
                at_us: time(next(), "00:00"),
                value: next().parse().ok(),
                ..v1::Projection::default()
            }),
            word => panic!("{word}"),
        }
    }
    let window = v1::Window { kind: "1d".to_owned(), start_us: Some(day * DAY), end_us: Some((day + 1) * DAY) };
    snapshot.key = Some(v1::SnapshotKey {
        tenant: "default".to_owned(),
        definition: format!("{metric}@1+0"),
        account: (!words.contains(&"final") && metric != "csat").then(|| "acme".to_owned()),
        window: Some(window),
        ..v1::SnapshotKey::default()
    });
    snapshot
}

fn run(judge: &mut Judge, metric: &str, steps: &str) -> Vec<AlertTransition> {
    let mut out = Vec::new();
    for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[2] == "tick" {
            judge.tick(time(words[0], words[1]), &mut out);
        } else if words[2] == "stays" {
            let v1::Snapshot { key, metric, revision_us, projection, traits, .. } = snapshot(metric, &words);
            judge.outlook(&v1::Outlook { key, metric, revision_us, projection, traits }, &mut out);
        } else {
            judge.snapshot(&snapshot(metric, &words), &mut out);
        }
    }
    out
}

fn print(transition: &AlertTransition) -> String {
    let evidence = &transition.evidence[0];
    let state = crate::trial::state(transition);
    let reason = if transition.reason.is_empty() { String::new() } else { format!(", {}", transition.reason) };
    let value = transition.value.map_or("null".to_owned(), |value| value.to_string());
    let before = evidence.before.map_or("null".to_owned(), |before| before.to_string());
    let compared =
        if evidence.compared.is_empty() { String::new() } else { format!("; {} {before}", evidence.compared) };
    let (at, since) = (shown(transition.at_us), shown(transition.since_us));
    format!("{at} {state}{reason} (since {since}) {value}{compared}\n")
}

fn check(rule: &str, steps: &str, expected: Expect) {
    let rules = rules(rule);
    let metric = rules.metrics[0].metric.clone();
    let told: String = run(&mut Judge::new(&rules), &metric, steps).iter().map(print).collect();
    expected.assert_eq(&told);
}

#[test]
fn a_level() {
    check(
        "{alert: A, metric: health_score, expr: value < 40}",
        "1 09:00 80
         2 09:00 39.9 since 2 08:59
         2 10:00 39.9 since 2 08:59
         3 09:00 10
         4 09:00 40
         5 09:00 null
         6 09:00 39
         7 09:00 null",
        expect![[r#"
            2 09:00 firing (since 2 08:59) 39.9; the value before 80
            4 09:00 resolved, recovered (since 4 09:00) 40; the value before 10
            6 09:00 firing (since 6 09:00) 39; the value before null
            7 09:00 resolved, no value (since 7 09:00) null; the value before 39
        "#]],
    );
}

#[test]
fn for_and_keep_firing_for() {
    check(
        "{alert: A, metric: health_score, expr: value < 40, for: 2h, keep_firing_for: 1h}",
        "1 09:00 30
         1 10:00 50
         1 11:00 30
         1 12:59 tick
         1 13:00 tick
         1 14:00 60
         1 14:30 30
         1 15:00 60
         1 16:00 tick
         2 09:00 30
         2 12:00 50",
        expect![[r#"
            1 09:00 pending (since 1 09:00) 30; the value before null
            1 10:00 inactive (since 1 10:00) 50; the value before 30
            1 11:00 pending (since 1 11:00) 30; the value before 50
            1 13:00 firing (since 1 13:00) 30; the value before 50
            1 16:00 resolved, recovered (since 1 16:00) 60; the value before 30
            2 09:00 pending (since 2 09:00) 30; the value before 60
            2 11:00 firing (since 2 11:00) 30; the value before 60
        "#]],
    );
}

#[test]
fn a_due_time_that_no_tick_came_for_happens_before_the_next_snapshot() {
    check(
        "{alert: A, metric: health_score, expr: value < 40, for: 2h}",
        "1 09:00 30
         5 09:00 50",
        expect![[r#"
            1 09:00 pending (since 1 09:00) 30; the value before null
            1 11:00 firing (since 1 11:00) 30; the value before null
            5 09:00 resolved, recovered (since 5 09:00) 50; the value before 30
        "#]],
    );
}

#[test]
fn a_band_is_entered_from_outside() {
    check(
        "{alert: A, metric: health_score, enters: critical, recovery: value >= 45}",
        "1 09:00 30
         2 09:00 20
         3 09:00 41
         4 09:00 39
         5 09:00 42
         6 09:00 45
         7 09:00 39.9",
        expect![[r#"
            4 09:00 firing (since 4 09:00) 39; the value before 41
            6 09:00 resolved, recovered (since 6 09:00) 45; the value before 42
            7 09:00 firing (since 7 09:00) 39.9; the value before 45
        "#]],
    );
}

#[test]
fn a_fall_within_days() {
    check(
        "{alert: A, metric: health_score, falls: {by: 25, within: 14d}}",
        "1 00:00 80
         3 00:00 70
         10 00:00 55
         16 00:00 tick
         17 00:00 tick
         18 00:00 46
         31 00:00 tick
         32 00:00 tick",
        expect![[r#"
            10 00:00 firing (since 10 00:00) 55; the highest of the last 14 days 80
            17 00:00 resolved, recovered (since 17 00:00) 55; the highest of the last 14 days 70
        "#]],
    );
    check(
        "{alert: A, metric: health_score, rises: {by: 50%, within: 7d}}",
        "1 00:00 40
         2 00:00 30
         3 00:00 45
         10 00:00 tick",
        expect![[r#"
            3 00:00 firing (since 3 00:00) 45; the lowest of the last 7 days 30
            10 00:00 resolved, recovered (since 10 00:00) 45; the lowest of the last 7 days 45
        "#]],
    );
}

#[test]
fn against_the_own_baseline() {
    check(
        "{alert: A, metric: health_score, baseline: {below: 50%, over: 10d, at_least: 4d}}",
        "1 00:00 100
         3 00:00 40
         4 23:59 tick
         5 00:00 tick
         6 00:00 90
         9 00:00 30
         20 00:00 tick",
        expect![[r#"
            9 00:00 firing (since 9 00:00) 30; its own mean of the last 10 days 73.75
            12 00:00 resolved, recovered (since 12 00:00) 30; its own mean of the last 10 days 58
        "#]],
    );
}

/// From 4 00:00 on as much leaves the last three days as is added to them, and what is known stays five minutes too little.
#[test]
fn a_baseline_waits_for_as_long_as_it_takes() {
    let rules = rules("{alert: A, metric: health_score, baseline: {below: 50%, over: 3d, at_least: 1d}}");
    let stream = &rules.metrics[0].streams[0];
    let (mut state, mut out) = (crate::series::State::default(), Vec::new());
    for step in ["1 00:00 10", "1 11:55 null", "3 12:00 20"] {
        let words: Vec<&str> = step.split(' ').collect();
        state.snapshot(stream, crate::convert::snapshot(snapshot("health_score", &words)), &mut out);
    }
    assert_eq!(state.due().map(|(due, _)| shown(due)).as_deref(), Some("4 12:00"));
}

#[test]
fn outside_the_usual_range() {
    let mut steps: String =
        (1..=10).map(|day| format!("{} 01:00 {} final of {day}\n", day + 1, 80 + day % 2)).collect();
    steps.push_str("12 01:00 60 final of 11\n13 01:00 80 final of 12\n14 01:00 99 final of 13");
    check(
        "{alert: A, metric: csat, window: 1d, final: true, unusual: worse}",
        &steps,
        expect![[r#"
            12 01:00 firing (since 12 01:00) 60; the mean of the windows before; usual is 77.84 to 83.16 80.5
            13 01:00 resolved, recovered (since 13 01:00) 80; the mean of the windows before; usual is 70.92 to 86.35 78.63636363636364
        "#]],
    );
}

#[test]
fn a_projection_that_crosses() {
    check(
        "{alert: A, metric: health_score, will_be: {expr: value < 40, within: 10d}}",
        "1 00:00 80 will 8 60 will 20 35
         9 23:59 tick
         10 00:00 tick
         12 00:00 60 will 20 35
         13 00:00 90 will 60 35
         49 00:00 tick
         50 00:00 tick
         60 00:00 35
         61 00:00 80 will 99 30",
        expect![[r#"
            10 00:00 firing (since 10 00:00) 80; the present value, projected 80
            13 00:00 resolved, recovered (since 13 00:00) 90; the present value, projected 90
            50 00:00 firing (since 50 00:00) 90; the present value, projected 90
            61 00:00 resolved, recovered (since 61 00:00) 80; the present value, projected 80
        "#]],
    );
}

/// Activity that leaves the value as it is puts off what will come.
#[test]
fn a_projection_of_a_value_that_stays() {
    check(
        "{alert: A, metric: health_score, will_be: {expr: value < 40, within: 10d}}",
        "1 00:00 80 will 20 35
         9 12:00 stays will 28 35
         10 00:00 tick
         17 12:00 stays will 36 35
         26 00:00 tick
         26 12:00 stays will 45 35
         30 00:00 stays will 33 35
         31 00:00 30",
        expect![[r#"
            26 00:00 firing (since 26 00:00) 80; the present value, projected 80
            26 12:00 resolved, recovered (since 26 12:00) 80; the present value, projected 80
            30 00:00 firing (since 30 00:00) 80; the present value, projected 80
        "#]],
    );
}

#[test]
fn a_late_correction_withdraws() {
    check(
        "{alert: A, metric: health_score, expr: value < 40}",
        "1 09:00 80
         5 00:00 39 since 5 00:00
         7 12:00 75 of 5 since 4 18:00
         8 00:00 39 since 8 00:00
         9 12:00 50 since 9 12:00",
        expect![[r#"
            5 00:00 firing (since 5 00:00) 39; the value before 80
            7 12:00 resolved, corrected (since 4 18:00) 75; the value before 39
            8 00:00 firing (since 8 00:00) 39; the value before 75
            9 12:00 resolved, recovered (since 9 12:00) 50; the value before 39
        "#]],
    );
}

#[test]
fn cooldown_and_most_a_day() {
    check(
        "{alert: A, metric: health_score, expr: value < 40, cooldown: 2d}",
        "1 00:00 30
         1 01:00 50
         2 00:00 30
         3 00:59 tick
         3 01:00 tick",
        expect![[r#"
            1 00:00 firing (since 1 00:00) 30; the value before null
            1 01:00 resolved, recovered (since 1 01:00) 50; the value before 30
            3 01:00 firing (since 3 01:00) 30; the value before 50
        "#]],
    );
    check(
        "{alert: A, metric: health_score, expr: value < 40, max_per_day: 1}",
        "1 00:00 30
         1 01:00 50
         1 02:00 30
         1 03:00 50
         1 04:00 30
         2 00:00 tick",
        expect![[r#"
            1 00:00 firing (since 1 00:00) 30; the value before null
            1 01:00 resolved, recovered (since 1 01:00) 50; the value before 30
            2 00:00 firing (since 2 00:00) 30; the value before 50
        "#]],
    );
}

#[test]
fn a_filter_and_an_owner() {
    check(
        "{alert: A, metric: health_score, expr: value < 40, where: traits.plan == \"pro\"}",
        "1 09:00 30 plan free
         2 09:00 30 plan pro
         3 09:00 20 plan free",
        expect![[r#"
            2 09:00 firing (since 2 09:00) 30; the value before 30
            3 09:00 resolved, no longer matches (since 3 09:00) 20
        "#]],
    );
}

#[test]
fn a_past_window_and_an_old_revision_change_nothing() {
    check(
        "{alert: A, metric: health_score, expr: value < 40}",
        "5 09:00 30
         6 09:00 80 of 3
         4 09:00 80
         5 09:00 80",
        expect![[r#"
            5 09:00 firing (since 5 09:00) 30; the value before null
        "#]],
    );
}

#[test]
fn a_transition_says_who_what_and_why() {
    let rules = rules(
        "{alert: A, metric: health_score, falls: {by: 10, within: 7d}, severity: critical, owner: 'traits.plan', labels: {team: cs, plan: '{{ traits.plan }}'}, annotations: {summary: '{{ account }}: {{ shown_before }} to {{ shown }} at {{ at }}'}}",
    );
    let mut judge = Judge::new(&rules);
    let mut first = snapshot("health_score", &["1", "00:00", "80"]);
    first.contributions = [("usage", 500), ("tickets", 300)].map(|(name, tenths)| contribution(name, tenths)).to_vec();
    let mut second = snapshot("health_score", &["2", "00:00", "60", "plan", "pro"]);
    second.contributions = [("usage", 350), ("recency", 250)].map(|(name, tenths)| contribution(name, tenths)).to_vec();
    second.causes = vec![v1::EventRef { source: "s".to_owned(), id: "e".to_owned(), time_us: Some(7) }];
    let mut out = Vec::new();
    judge.snapshot(&first, &mut out);
    judge.snapshot(&second, &mut out);
    expect![[r#"
        [
            AlertTransition {
                key: Some(
                    AlertKey {
                        tenant: "default",
                        rule: "A",
                        dimensions: [],
                        account: Some(
                            "acme",
                        ),
                    },
                ),
                metric: "health_score",
                state: Firing,
                since_us: 172800000000,
                at_us: 172800000000,
                value: Some(
                    60.0,
                ),
                evidence: [
                    Evidence {
                        definition: "health_score@1+0",
                        window: Some(
                            Window {
                                kind: "1d",
                                start_us: Some(
                                    172800000000,
                                ),
                                end_us: Some(
                                    259200000000,
                                ),
                            },
                        ),
                        value: Some(
                            60.0,
                        ),
                        revision_us: 172800000000,
                        causes: [
                            EventRef {
                                source: "s",
                                id: "e",
                                time_us: Some(
                                    7,
                                ),
                            },
                        ],
                        before: Some(
                            80.0,
                        ),
                        before_us: None,
                        compared: "the highest of the last 7 days",
                        changes: [
                            Contribution {
                                name: "usage",
                                tenths: -150,
                            },
                            Contribution {
                                name: "recency",
                                tenths: 250,
                            },
                            Contribution {
                                name: "tickets",
                                tenths: -300,
                            },
                        ],
                        projected: None,
                    },
                ],
                id: "8679dd623a8586c3f5b76994371c1324",
                labels: [
                    Dimension {
                        name: "plan",
                        value: "pro",
                    },
                    Dimension {
                        name: "team",
                        value: "cs",
                    },
                    Dimension {
                        name: "severity",
                        value: "critical",
                    },
                ],
                annotations: [
                    Dimension {
                        name: "summary",
                        value: "acme: 80 points to 60 points at 1970-01-03T00:00:00Z",
                    },
                ],
                owner: "pro",
                reason: "",
                fired_us: Some(
                    172800000000,
                ),
                traits: [
                    Dimension {
                        name: "plan",
                        value: "pro",
                    },
                ],
                unit: "points",
            },
        ]"#]]
    .assert_eq(&format!("{out:#?}"));
}

fn contribution(name: &str, tenths: i64) -> v1::Contribution {
    v1::Contribution { name: name.to_owned(), tenths }
}
