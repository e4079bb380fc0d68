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
/// More are tried while none found a part stored, then when there is one: how long a start takes, nobody knows.
const KILLS_MAX: u32 = 200;
const SIGKILL: i32 = 9;

/// When an import is killed.
#[derive(Clone, Copy)]
enum When {
    After(Duration),
    /// When the store has a part of it.
    Amid,
}

/// Starts the import and kills it; whether it was still running.
fn killed(data: &Data, file: &Path, flags: &[&str], when: When) -> bool {
    let mut command = data.command(["import".as_ref(), file.as_os_str()]);
    let mut child = command.args(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    match when {
        When::After(delay) => sleep(delay),
        When::Amid => {
            let before = data.stored();
            while data.stored() <= before && child.try_wait().unwrap().is_none() {
                sleep(Duration::from_millis(1));
            }
        }
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(SIGKILL), "it failed: {status}");
    !status.success()
}

#[test]
fn an_import_killed_twenty_times_is_the_undisturbed_one() {
    // Where nothing is due any more: a second import, after a kill too late for the first, changes nothing.
    let flags = ["--order", "file", "--until", "2024-05-15T00:00:00Z"];
    let input = generated::padded(&generated::events(2, 400, 20, 20), 5);
    let undisturbed = Data::new();
    let file = undisturbed.file("events.ndjson", &input);
    let start = Instant::now();
    undisturbed.import(&file, &flags).done();
    let length_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    let (snapshots, ticks, rows) = (undisturbed.snapshots(), undisturbed.ticks(), undisturbed.rows());

    let last = undisturbed.stored().unwrap();

    let mut random = Random(20);
    let (mut kills, mut rounds, mut amid) = (0, 0, 0);
    while kills < KILLS || (amid == 0 && kills < KILLS_MAX) {
        rounds += 1;
        let data = Data::new();
        let mut done = false;
        while !done {
            if kills >= KILLS && (amid > 0 || kills >= KILLS_MAX) {
                data.import(&file, &flags).done();
                break;
            }
            let after = When::After(Duration::from_millis(random.below(length_ms)));
            done = !killed(&data, &file, &flags, if kills < KILLS { after } else { When::Amid });
            kills += u32::from(!done);
            amid += u32::from(!done && data.stored().is_some_and(|points| points < last));
        }
        let context = format!("round {rounds}, after {kills} kills");
        assert_same_sequences(&data.snapshots(), &snapshots, &context);
        assert_same_rows(&data.rows(), &rows, &context);
        // A kill after the last commit of the import makes the next one a second import: duplicates, and one more tick.
        let found = data.ticks();
        assert_eq!(found.len(), ticks.len(), "{context}");
        assert!(found.iter().all(|(key, values)| values.starts_with(&ticks[key])), "{context}: other ticks");
    }
    eprintln!(
        "{kills} kills in {rounds} rounds, {amid} of them with a part stored; {length_ms} ms undisturbed, {} keys, {} rows",
        snapshots.len(),
        rows.len()
    );
    assert!(kills >= KILLS);
    assert!(amid > 0, "no kill found a part stored: this run shows nothing");
}
