//! Everything but the events can be thrown away: it is computed again, to the same.

use std::{
    fs,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use eventlog::{Commit, Log as _, Output, Record, embedded};
use proto::{
    Message as _,
    v1::{Entry, Event, entry},
};

use crate::{
    chaos::recent,
    data::{Data, assert_same_rows, assert_same_sequences, records},
    generated::{self, Random},
    http::{Door, PATIENCE, send},
};

/// What depends on `silent_after`.
const OF_CUSTOMERS: [&str; 18] = [
    "customers",
    "customers_started",
    "customers_lost",
    "customer_churn_rate",
    "customer_churn_rate_rolling",
    "engagement_rate",
    "customer_retention_cost",
    "customer_acquisition_cost",
    "customer_acquisition_cost_lag",
    "upsell_rate",
    "cross_sell_rate",
    "customer_lifetime_value",
    "health_score",
    "health_score_accounts",
    "goal_progress",
    "goal_expected",
    "goal_lead",
    "goal_state",
];

const FLAGS: [&str; 4] = ["--order", "file", "--until", "2024-07-15T00:00:00Z"];

fn imported(seed: u64, events: usize) -> Data {
    let data = Data::new();
    let file = data.file("events.ndjson", generated::events(seed, events, 30, 60));
    data.import(&file, &FLAGS).done();
    data
}

#[track_caller]
fn assert_same(found: &Data, expected: &Data, context: &str) {
    // Not ticks: a new process tells the time once more within the same second.
    assert_same_sequences(&found.snapshots(), &expected.snapshots(), context);
    assert_same_rows(&found.rows(), &expected.rows(), context);
}

#[test]
fn a_rebuild_publishes_the_same() {
    let data = imported(2, 700);
    let (sequences, rows, clocks) = (data.sequences(), data.rows(), data.clocks());
    let run = data.run(["rebuild"]).done();
    assert!(run.out.contains(" events applied again"), "{}", run.out);
    assert_same_sequences(&data.sequences(), &sequences, "rebuilt");
    assert_same_rows(&data.rows(), &rows, "rebuilt");
    assert_same_rows(&data.clocks(), &clocks, "rebuilt");
}

#[test]
fn a_rebuild_ends_where_no_tick_follows_and_the_next_tick_publishes_the_rest() {
    let data = imported(2, 700);
    append_without_tick(&data);
    let before = data.rows();
    data.run(["rebuild"]).done().says(&["1 of them follows the last tick of a partition"]);
    assert_same_rows(&data.rows(), &before, "rebuilt without the tick");
    let nothing = data.file("nothing.ndjson", "");
    data.import(&nothing, &["--until", "2024-07-16T00:00:00Z"]).done();
    assert_ne!(data.rows(), before);
}

/// An order, as a door leaves it that is killed before its tick.
fn append_without_tick(data: &Data) {
    let log = embedded::Embedded::open(data.path().join("log"), embedded::Config::default()).unwrap();
    let order = |record: &Record| match Entry::decode(record.value.clone().unwrap()).unwrap().entry {
        Some(entry::Entry::Event(event)) if event.r#type == "order.completed" => Some(event),
        _ => None,
    };
    let mut records = records(log.as_ref(), "events.v1", 0).into_iter();
    let (record, event) = records.find_map(|record| Some((record.clone(), order(&record)?))).unwrap();
    let event = Event { id: "after the last tick".to_owned(), ..event };
    let value = Some(Entry { entry: Some(entry::Entry::Event(event)) }.encode_to_vec().into());
    let outputs = vec![Output { topic: "events.v1".into(), partition: 0, record: Record { value, ..record } }];
    log.producer("killed").unwrap().commit(Commit { outputs, offsets: Vec::new() }).unwrap();
}

#[test]
fn a_rebuild_begins_with_no_checkpoint_of_before() {
    let checkpoints = tempfile::tempdir().unwrap();
    let data = Data::new().config(&format!("[checkpoints]\nstore = {:?}\nevery = \"1ms\"\n", checkpoints.path()));
    let file = data.file("events.ndjson", recent(2, 700, 30, 3));
    data.import(&file, &[]).done();
    let store = checkpoints.path().as_os_str();
    let list = || data.run(["checkpoints".as_ref(), "list".as_ref(), "--store".as_ref(), store]).done().out;
    // An import may end before a checkpoint is saved; a door stays.
    let door = Door::open(&data);
    door.until("a checkpoint", |_| list().contains("account"));
    assert!(door.stop().success());
    let snapshots = data.snapshots();
    data.run(["rebuild"]).done();
    assert_same_sequences(&data.snapshots(), &snapshots, "rebuilt");
}

#[test]
fn deleted_state_is_computed_again() {
    let (kept, deleted) = (imported(3, 700), imported(3, 700));
    let states = fs::read_dir(deleted.path().join("state")).unwrap();
    for state in states {
        fs::remove_dir_all(state.unwrap().path()).unwrap();
    }
    for data in [&kept, &deleted] {
        let file = data.file("more.ndjson", generated::events(9, 20, 5, 60));
        data.import(&file, &FLAGS).done();
    }
    assert_same(&deleted, &kept, "after the state was deleted");
}

#[test]
fn a_changed_setting_computes_everything_again_and_says_so() {
    let changed = imported(2, 700).config("[settings]\nsilent_after = \"60d\"\n");
    let fresh = Data::new().config("[settings]\nsilent_after = \"60d\"\n");
    let file = fresh.file("events.ndjson", generated::events(2, 700, 30, 60));
    fresh.import(&file, &FLAGS).done();
    let more = fresh.file("more.ndjson", generated::events(9, 20, 5, 60));
    fresh.import(&more, &FLAGS).done();

    let before = changed.rows();
    let run = changed.import(&more, &FLAGS).done();
    let said = run.err.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let message = "the definitions changed: everything is computed again from the log";
    let said: Vec<_> = said.filter(|said| said["fields"]["message"] == message).collect();
    let [said] = said.as_slice() else { panic!("said {} times: {}", said.len(), run.err) };
    for field in ["metrics", "before"] {
        let definitions = said["fields"][field].as_str().unwrap();
        let names: Vec<&str> = definitions.split(", ").map(|name| name.split('@').next().unwrap()).collect();
        assert_eq!(names, OF_CUSTOMERS, "{field}");
    }
    assert_ne!(changed.rows(), before);
    assert_same(&changed, &fresh, "with another silent_after");
}

#[test]
fn a_terminated_import_ends_well_and_goes_on() {
    let input = generated::padded(&generated::events(4, 700, 30, 60), 20);
    let undisturbed = Data::new();
    let file = undisturbed.file("events.ndjson", &input);
    undisturbed.import(&file, &FLAGS).done();

    let mut random = Random(7);
    let mut stopped = 0;
    for attempt in 0..40 {
        let data = Data::new();
        let command = &mut data.command(["import".as_ref(), file.as_os_str()]);
        let child = command.args(FLAGS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !data.path().join(store::sqlite::FILE).exists() {
            assert!(begun.elapsed() < PATIENCE, "attempt {attempt}: there is no store");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(random.below(150)));
        let killed = send("-TERM", child.id());
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "attempt {attempt}: {out}{err}");
        if !killed || !out.contains("stopped before the end; the same command goes on from here") {
            continue;
        }
        stopped += 1;
        data.import(&file, &FLAGS).done();
        assert_same(&data, &undisturbed, &format!("attempt {attempt}"));
        if stopped == 2 {
            break;
        }
    }
    assert!(stopped > 0, "no import was stopped before its end: this run shows nothing");
}
