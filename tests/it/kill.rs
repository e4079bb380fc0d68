//! SIGKILL at random moments of an import: what comes out is what comes out of an undisturbed one.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    data::{Data, assert_same_rows, assert_same_sequences},
    generated::{self, Random},
};

const KILLS: u32 = 20;
const SIGKILL: i32 = 9;

/// Starts the import and kills it after `delay`; whether it was alive then.
fn killed(data: &Data, file: &Path, flags: &[&str], delay: Duration) -> bool {
    let mut command = data.command(["import".as_ref(), file.as_os_str()]);
    let mut child = command.args(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(SIGKILL)
}

#[test]
fn an_import_killed_twenty_times_is_the_undisturbed_one() {
    let flags = ["--order", "file"];
    let input = generated::events(2, 6_000, 150);
    let undisturbed = Data::new();
    let file = undisturbed.file("events.ndjson", &input);
    let start = Instant::now();
    undisturbed.import(&file, &flags).done();
    let length_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    let (snapshots, ticks, rows) = (undisturbed.snapshots(), undisturbed.ticks(), undisturbed.rows());

    let mut random = Random(20);
    let (mut kills, mut rounds, mut resumed) = (0, 0, 0);
    while kills < KILLS {
        rounds += 1;
        let data = Data::new();
        let mut alive = true;
        while alive && kills < KILLS {
            let delay = Duration::from_millis(random.below(length_ms));
            alive = killed(&data, &file, &flags, delay);
            kills += u32::from(alive);
        }
        if alive {
            let run = data.import(&file, &flags).done();
            resumed += u32::from(run.out.contains("were there from an interrupted import"));
        }
        let context = format!("round {rounds}, after {kills} kills");
        assert_same_sequences(&data.snapshots(), &snapshots, &context);
        assert_same_rows(&data.rows(), &rows, &context);
        // A kill after the last commit of the import makes the next one a second import: duplicates, and one more tick.
        let found = data.ticks();
        assert_eq!(found.len(), ticks.len(), "{context}");
        assert!(found.iter().all(|(key, values)| values.starts_with(&ticks[key])), "{context}: other ticks");
    }
    eprintln!("{kills} kills in {rounds} rounds, {resumed} resumed; {length_ms} ms undisturbed, {} keys, {} rows", snapshots.len(), rows.len());
    assert_eq!(kills, KILLS);
}
