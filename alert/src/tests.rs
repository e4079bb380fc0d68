//! The built-in rule over the lives of accounts.

use proto::v1::{EventRef, SnapshotKey, Window};

use super::*;

const DAY: i64 = 86_400_000_000;

fn silence(day: i64, revision_us: i64, value: Option<f64>, since_us: Option<i64>) -> Snapshot {
    Snapshot {
        key: Some(SnapshotKey {
            tenant: "default".to_owned(),
            definition: "silence@1+0a".to_owned(),
            account: Some("7".to_owned()),
            window: Some(Window { kind: "1d".to_owned(), start_us: Some(day * DAY), end_us: Some((day + 1) * DAY) }),
            ..SnapshotKey::default()
        }),
        metric: "silence".to_owned(),
        revision_us,
        value,
        since_us,
        causes: vec![EventRef { source: "shop".to_owned(), id: "1".to_owned(), time_us: None }],
        ..Snapshot::default()
    }
}

fn run(snapshots: &[Snapshot]) -> Vec<(AlertState, i64, i64)> {
    let rule = built_in().remove(0);
    let mut state = None;
    let mut seen = Vec::new();
    for snapshot in snapshots {
        let (next, transition) = apply(&rule, state, snapshot);
        let stored = State::decode(&next.encode()).unwrap();
        assert_eq!(stored, next);
        state = Some(stored);
        seen.extend(transition.map(|it| (it.state(), it.since_us, it.at_us)));
    }
    seen
}

#[test]
fn fires_at_the_threshold_and_resolves_below_it() {
    let life = [
        silence(60, 600, Some(60.0), Some(590)),
        silence(90, 900, Some(90.0), Some(890)),
        silence(91, 950, Some(0.0), Some(940)),
        silence(181, 1800, Some(90.0), None),
    ];
    use AlertState::{Firing, Resolved};
    assert_eq!(run(&life), [(Firing, 890, 900), (Resolved, 940, 950), (Firing, 1800, 1800)]);
}

#[test]
fn a_correction_of_an_older_window_changes_nothing() {
    let life = [silence(91, 910, Some(0.0), None), silence(90, 920, Some(90.0), None)];
    assert_eq!(run(&life), []);
}

#[test]
fn lower_and_repeated_revisions_change_nothing() {
    let fired = silence(90, 900, Some(90.0), None);
    let life = [fired.clone(), fired, silence(90, 899, Some(0.0), None), silence(90, 900, Some(0.0), None)];
    assert_eq!(run(&life), [(AlertState::Firing, 900, 900)]);
}

#[test]
fn null_resolves() {
    let life = [silence(90, 900, Some(90.0), None), silence(90, 901, None, None)];
    assert_eq!(run(&life), [(AlertState::Firing, 900, 900), (AlertState::Resolved, 901, 901)]);
}

#[test]
fn the_evidence_is_the_snapshot_and_its_causes() {
    let rule = built_in().remove(0);
    let snapshot = silence(90, 900, Some(90.0), Some(890));
    assert!(rule.reads(&snapshot));
    let transition = apply(&rule, None, &snapshot).1.unwrap();
    let key = transition.key.unwrap();
    assert_eq!((key.rule.as_str(), key.account.as_deref()), ("silent_90d", Some("7")));
    let evidence = &transition.evidence[0];
    assert_eq!((evidence.definition.as_str(), evidence.revision_us), ("silence@1+0a", 900));
    assert_eq!(evidence.value, Some(90.0));
    assert_eq!(evidence.causes, snapshot.causes);
    assert_eq!(evidence.window, snapshot.key.unwrap().window);
}

#[test]
fn bytes_of_version_1_still_load() {
    let state = State { state: AlertState::Firing, since_us: 1, window_start_us: -1, revision_us: 258 };
    let mut fixture = vec![1, 2, 1, 0, 0, 0, 0, 0, 0, 0];
    fixture.extend([255; 8]);
    fixture.extend([2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(state.encode().as_slice(), fixture);
    assert_eq!(State::decode(&fixture).unwrap(), state);
    for bad in [&fixture[1..], &[&[9], &fixture[1..]].concat(), &[&[1, 9], &fixture[2..]].concat()] {
        assert!(State::decode(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn windows_of_one_instant_count_in_their_order() {
    use AlertState::{Firing, Resolved};
    let life = [
        silence(90, 1000, Some(90.0), Some(890)),
        silence(95, 1000, Some(0.0), Some(940)),
        silence(95, 1000, Some(0.0), Some(940)),
    ];
    assert_eq!(run(&life), [(Firing, 890, 1000), (Resolved, 940, 1000)]);
}
