//! Changes between two records: each happens once, wherever the process ends.

use bytes::Bytes;

use super::*;
use crate::Changes;

/// The factor that should hold.
type Wanted = Arc<Mutex<u64>>;

/// Where a process ends while it changes.
#[derive(Debug, Clone, Copy)]
enum End {
    BeforeCommit,
    AfterCommit,
    AfterState,
}

fn changing(fixture: &Fixture, home: &str, wanted: &Wanted) -> Worker<Sum> {
    let spec = TopicSpec { name: CHANGES.to_owned(), partitions: 1, cleanup: Cleanup::Keep };
    fixture.log.create_topic(&spec).unwrap();
    let wanted = wanted.clone();
    let wanted = move |_: &str| Bytes::copy_from_slice(&wanted.lock().unwrap().to_be_bytes());
    let changes = Some(Changes { topic: CHANGES.into(), wanted: Arc::new(wanted) });
    fixture.open(Config { changes, ..fixture.config(home, Partitions::These(places(&[0]))) }).unwrap()
}

fn steps(worker: &mut Worker<Sum>) {
    (0..4).for_each(|_| worker.step().unwrap());
}

/// Ends a process in the middle of a change.
fn end(mut worker: Worker<Sum>, wanted: u64, end: End) {
    if matches!(end, End::AfterState) {
        return worker.change().unwrap();
    }
    let part = worker.parts.get_mut(&place(0)).unwrap();
    let (outputs, closed) = part.begin_change(Bytes::copy_from_slice(&wanted.to_be_bytes())).unwrap();
    if matches!(end, End::AfterCommit) {
        let offsets = vec![worker.config.position(&place(0), closed)];
        let groups = vec![GroupOffsets { group: STAGE.to_owned(), offsets }];
        worker.producer.commit(Commit { outputs, offsets: groups }).unwrap();
    }
}

#[test]
fn a_change_happens_once_wherever_the_process_ends() {
    for place in [End::BeforeCommit, End::AfterCommit, End::AfterState] {
        let (fixture, wanted) = (Fixture::new(), Wanted::new(Mutex::new(1)));
        let mut worker = changing(&fixture, "a", &wanted);
        steps(&mut worker);
        fixture.append(0, &[1, TICK, 2, TICK]);
        steps(&mut worker);
        assert_eq!(fixture.sums(0), [1_000, 1, 3], "{place:?}");

        *wanted.lock().unwrap() = 10;
        end(worker, 10, place);
        let mut worker = changing(&fixture, "a", &wanted);
        fixture.append(0, &[3, TICK]);
        steps(&mut worker);
        worker.rest().unwrap();
        drop(worker);
        assert_eq!(fixture.sums(0), [1_000, 1, 3, 10_000, 33], "{place:?}");

        // The whole past again, from an empty state, with yet another factor to come: nothing is published twice.
        fs::remove_dir_all(fixture.state("a", 0)).unwrap();
        *wanted.lock().unwrap() = 2;
        let mut worker = changing(&fixture, "a", &wanted);
        steps(&mut worker);
        fixture.append(0, &[4, TICK]);
        steps(&mut worker);
        worker.rest().unwrap();
        assert_eq!(fixture.sums(0), [1_000, 1, 3, 10_000, 33, 2_000, 41], "{place:?}");
    }
}

#[test]
fn the_first_change_comes_at_the_end_of_what_was_there() {
    let (fixture, wanted) = (Fixture::new(), Wanted::new(Mutex::new(7)));
    fixture.append(0, &[1, TICK]);
    let mut worker = changing(&fixture, "a", &wanted);
    steps(&mut worker);
    fixture.append(0, &[1, TICK]);
    steps(&mut worker);
    assert_eq!(fixture.sums(0), [1, 7_000, 8]);
}

#[test]
fn a_founding_holds_from_the_first_record_on() {
    let (fixture, wanted) = (Fixture::new(), Wanted::new(Mutex::new(7)));
    drop(changing(&fixture, "b", &wanted));
    let body = |factor: u64| (STAGE.to_owned(), Bytes::copy_from_slice(&factor.to_be_bytes()));
    let producer = || fixture.log.producer("test");
    crate::found(fixture.log.as_ref(), CHANGES, [body(7)].into_iter(), producer).unwrap();
    // There is one already.
    crate::found(fixture.log.as_ref(), CHANGES, [body(9)].into_iter(), producer).unwrap();
    fixture.append(0, &[1, TICK]);
    let mut worker = changing(&fixture, "a", &wanted);
    steps(&mut worker);
    assert_eq!(fixture.sums(0), [7]);
    *wanted.lock().unwrap() = 2;
    fixture.append(0, &[1, TICK]);
    steps(&mut worker);
    assert_eq!(fixture.sums(0), [7, 2_000, 9]);
}

#[test]
fn the_same_again_changes_nothing() {
    let (fixture, wanted) = (Fixture::new(), Wanted::new(Mutex::new(1)));
    let mut worker = changing(&fixture, "a", &wanted);
    steps(&mut worker);
    worker.rest().unwrap();
    drop(worker);
    steps(&mut changing(&fixture, "a", &wanted));
    assert_eq!(fixture.sums(0), [1_000]);
}
