//! The transitions do not depend on how often ticks come, nor on storing and loading the state in between.

use proptest::prelude::*;

use super::*;
use crate::{codec, rule::Stream, series::State, snapshot::Snapshot, transition::Transition};

const RULES: [&str; 7] = [
    "expr: value < 40, for: 3h, keep_firing_for: 2h",
    "enters: critical, recovery: value >= 50, cooldown: 1d",
    "falls: {by: 20, within: 2d}",
    "rises: {by: 30%, within: 1d}, for: 1h",
    "baseline: {below: 30%, over: 3d, at_least: 1d}",
    "will_be: {expr: value < 40, within: 2d}",
    "expr: value < 60, max_per_day: 2",
];

/// A value that comes so many minutes after the one before, and where it will go, after how many days.
type Move = (i64, Option<u8>, Option<(i64, u8)>);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let value = proptest::option::weighted(0.9, 0_u8..100);
    let coming = proptest::option::of((1_i64..6, 0_u8..100));
    proptest::collection::vec((1_i64..2_000, value, coming), 1..40)
}

fn snapshots(moves: &[Move]) -> Vec<Snapshot> {
    let mut at = 0;
    let made = |(minutes, value, coming): &Move| {
        at += minutes * MINUTE + 1;
        let mut snapshot = snapshot("health_score", &["0", "00:00", "null"]);
        snapshot.revision_us = at;
        snapshot.value = value.map(f64::from);
        let day = at.div_euclid(DAY);
        let window = v1::Window { kind: "1d".to_owned(), start_us: Some(day * DAY), end_us: Some((day + 1) * DAY) };
        snapshot.key.as_mut().unwrap().window = Some(window);
        snapshot.projection = coming
            .iter()
            .map(|(days, value)| v1::Projection {
                at_us: (day + days) * DAY,
                value: Some((*value).into()),
                ..v1::Projection::default()
            })
            .collect();
        crate::convert::snapshot(snapshot)
    };
    moves.iter().map(made).collect()
}

fn fire_until(state: &mut State, stream: &Stream, clock: Time, out: &mut Vec<Transition>) {
    let mut steps = 0;
    while state.due().is_some_and(|(due, _)| crate::machine::second(due) <= clock) {
        state.fire_due(stream, out);
        steps += 1;
        assert!(steps < 1_000, "a due time that moves on in tiny steps");
    }
}

/// Runs the snapshots with `ticks` ticks before each one. With `stored` the state is encoded and decoded after each.
fn transitions(stream: &Stream, snapshots: &[Snapshot], ticks: i64, stored: bool) -> Vec<Transition> {
    let (mut state, mut out) = (State::default(), Vec::new());
    let mut clock = 0;
    for snapshot in snapshots {
        let length = snapshot.revision - clock;
        for tick in 1..=ticks {
            // Ticks of a metric topic that come before a snapshot are before its instant.
            let told = (clock + length * tick / (ticks + 1)).min(snapshot.revision - 1);
            fire_until(&mut state, stream, told, &mut out);
        }
        clock = snapshot.revision;
        state.snapshot(stream, snapshot.clone(), &mut out);
        if stored {
            state = codec::decode(&codec::encode(&state, stream), stream).unwrap();
        }
    }
    fire_until(&mut state, stream, clock + 30 * DAY, &mut out);
    out
}

proptest! {
    #[test]
    fn ticks_and_restarts_change_nothing(moves in moves(), rule in 0..RULES.len()) {
        let rules = rules(&format!("{{alert: A, metric: health_score, {}}}", RULES[rule]));
        let stream = &rules.metrics[0].streams[0];
        let snapshots = snapshots(&moves);
        // What is due is published at the whole second, or at a snapshot within that second: few ticks or many, it is the same.
        let once = transitions(stream, &snapshots, 0, false);
        prop_assert_eq!(&transitions(stream, &snapshots, 7, false), &once);
        prop_assert_eq!(&transitions(stream, &snapshots, 3, true), &once);
    }

    #[test]
    fn states_follow_each_other(moves in moves(), rule in 0..RULES.len()) {
        let rules = rules(&format!("{{alert: A, metric: health_score, {}}}", RULES[rule]));
        let out = transitions(&rules.metrics[0].streams[0], &snapshots(&moves), 2, false);
        let mut before: Option<AlertTransition> = None;
        for transition in out.into_iter().map(|it| crate::convert::transition("health_score", it)) {
            use v1::AlertState::{Firing, Inactive, Pending, Resolved};
            let was = before.as_ref().map_or(Inactive, |before| before.state());
            let follows = match transition.state() {
                Pending => matches!(was, Inactive | Resolved),
                Inactive => was == Pending,
                Firing => matches!(was, Inactive | Resolved | Pending),
                Resolved => was == Firing,
            };
            prop_assert!(follows, "{was:?} -> {:?}", transition.state());
            prop_assert!(transition.since_us <= transition.at_us);
            prop_assert!(before.as_ref().is_none_or(|before| before.at_us <= transition.at_us));
            if matches!((was, transition.state()), (Pending, _) | (Firing, _)) {
                prop_assert_eq!(&before.as_ref().unwrap().id, &transition.id);
            }
            before = Some(transition);
        }
    }

    #[test]
    fn the_same_rules_again_change_nothing(moves in moves(), rule in 0..RULES.len(), at in 0_usize..40) {
        let rules = rules(&format!("{{alert: A, metric: health_score, {}}}", RULES[rule]));
        let stream = &rules.metrics[0].streams[0];
        let (mut state, mut out) = (State::default(), Vec::new());
        for (place, snapshot) in snapshots(&moves).into_iter().enumerate() {
            let clock = snapshot.revision;
            state.snapshot(stream, snapshot, &mut out);
            if place == at {
                let before = out.len();
                state.change(stream, stream, clock, &mut out);
                prop_assert_eq!(out.len(), before);
            }
        }
    }
}
