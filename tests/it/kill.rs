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

/// Starts the import and kills it after `delay`; what it said if it was done by then.
fn killed(data: &Data, file: &Path, flags: &[&str], delay: Duration) -> Option<String> {
    let mut command = data.command(["import".as_ref(), file.as_os_str()]);
    let mut child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    sleep(delay);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.signal() == Some(SIGKILL) {
        return None;
    }
    assert_eq!(output.status.code(), Some(0));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_import_killed_twenty_times_is_the_undisturbed_one() {
    // Where nothing is due any more: a second import, after a kill too late for the first, changes nothing.
    let flags = ["--order", "file", "--until", "2024-10-01T00:00:00Z"];
    let input = generated::padded(&generated::events(2, 1_500, 50, 120), 10);
    let undisturbed = Data::new();
    let file = undisturbed.file("events.ndjson", &input);
    let start = Instant::now();
    undisturbed.import(&file, &flags).done();
    let length_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    let (snapshots, ticks, rows) = (undisturbed.snapshots(), undisturbed.ticks(), undisturbed.rows());

    let mut random = Random(20);
    let (mut kills, mut rounds, mut amid) = (0, 0, 0);
    while kills < KILLS {
        rounds += 1;
        let data = Data::new();
        let mut done = None;
        while done.is_none() {
            if kills == KILLS {
                done = Some(data.import(&file, &flags).done().out);
                break;
            }
            done = killed(&data, &file, &flags, Duration::from_millis(random.below(length_ms)));
            kills += u32::from(done.is_none());
        }
        amid += u32::from(done.is_some_and(|out| out.contains("were there from an interrupted import")));
        let context = format!("round {rounds}, after {kills} kills");
        assert_same_sequences(&data.snapshots(), &snapshots, &context);
        assert_same_rows(&data.rows(), &rows, &context);
        // A kill after the last commit of the import makes the next one a second import: duplicates, and one more tick.
        let found = data.ticks();
        assert_eq!(found.len(), ticks.len(), "{context}");
        assert!(found.iter().all(|(key, values)| values.starts_with(&ticks[key])), "{context}: other ticks");
    }
    eprintln!("{kills} kills in {rounds} rounds, {amid} went on within the import; {length_ms} ms undisturbed, {} keys, {} rows", snapshots.len(), rows.len());
    assert_eq!(kills, KILLS);
    assert!(amid > 0, "no kill fell between two commits of the import: this run shows nothing");
}
