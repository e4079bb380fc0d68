//! A process is killed while several of its threads commit; what it leaves is whole.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use super::*;
use crate::GroupOffsets;

const DIR: &str = "VITALS_EVENTLOG_CRASH_DIR";
const THREADS: u32 = 3;
const CYCLES: u64 = 6;

/// The process that is killed; each acknowledged commit is a line `thread commit`.
#[test]
#[ignore = "the crash test starts it in a process of its own"]
fn child() {
    let dir = std::env::var(DIR).expect("started by the crash test");
    let log = Embedded::open(dir, Config { write_buffer_bytes: 64 << 10, ..Config::default() }).unwrap();
    create(&log, THREADS + 1);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = log.clone();
            scope.spawn(move || commit_for_ever(&log, thread));
        }
    });
}

/// Commit `n` of a thread: n % 7 + 1 records to its partition, one to the shared partition, and its position.
fn commit_for_ever(log: &Embedded, thread: u32) {
    let group = format!("g{thread}");
    let mut producer = log.producer(&group).unwrap();
    let next = log.committed(&group, "t", thread).unwrap().map_or(0, |c| c.offset);
    for n in next.. {
        let mut all = outputs(thread, (0..=n % 7).map(|i| format!("{n} {i} {}", "x".repeat(500))));
        all.extend(outputs(THREADS, [format!("{thread} {n}")]));
        let position = Committed { offset: n + 1, metadata: format!("after {n}") };
        let offsets = vec![GroupOffsets { group: group.clone(), offsets: vec![("t".into(), thread, Some(position))] }];
        producer.commit(Commit { outputs: all, offsets }).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nack {thread} {n}").unwrap();
        out.flush().unwrap();
    }
}

/// Runs the child for a while, kills it, returns the last acknowledged commit of each thread.
fn run_and_kill(dir: &Path, commits: u64) -> Vec<Option<u64>> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::tests::crash::child", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = vec![None; THREADS as usize];
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        if words.next() == Some("ack") {
            let mut number = || words.next().and_then(|w| w.parse::<u64>().ok());
            // A line that the kill cut short acknowledges nothing.
            if let (Some(thread), Some(n)) = (number(), number()) {
                acknowledged[usize::try_from(thread).unwrap()].replace(n);
            }
            seen += 1;
        }
        if seen == commits {
            std::thread::sleep(Duration::from_micros(commits * 37 % 2_000));
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= commits, "the child ended by itself after {seen} commits");
    acknowledged
}

/// Checks that each thread's commits are a prefix, each whole, and returns their numbers.
fn check(log: &Embedded) -> Vec<u64> {
    let shared = read_all(log, THREADS).unwrap();
    let whole = |thread: u32| {
        let committed = log.committed(&format!("g{thread}"), "t", thread).unwrap();
        let next = committed.as_ref().map_or(0, |c| c.offset);
        assert!(committed.is_none_or(|c| c.metadata == format!("after {}", next - 1)));
        let wanted: Vec<_> = (0..next).flat_map(|n| (0..=n % 7).map(move |i| format!("{n} {i} "))).collect();
        let found = read_all(log, thread).unwrap();
        assert_eq!(found.len(), wanted.len(), "records of thread {thread} up to its position");
        assert!(found.iter().zip(&wanted).all(|(f, w)| f.starts_with(w.as_str())), "records of thread {thread}");
        let prefix = format!("{thread} ");
        let in_shared: Vec<_> = shared.iter().filter_map(|v| v.strip_prefix(&prefix)).collect();
        assert_eq!(in_shared, (0..next).map(|n| n.to_string()).collect::<Vec<_>>(), "in the shared partition");
        next
    };
    let found: Vec<u64> = (0..THREADS).map(whole).collect();
    assert_eq!(shared.len() as u64, found.iter().sum::<u64>());
    found
}

#[test]
fn a_killed_process_leaves_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    for cycle in 0..CYCLES {
        let acknowledged = run_and_kill(dir.path(), 20 + cycle * 53 % 90);
        let log = Embedded::open(dir.path(), Config::default()).unwrap();
        for (next, last) in check(&log).into_iter().zip(acknowledged) {
            assert!(last.is_none_or(|last| last < next), "commit {last:?} was acknowledged, {next} is the next");
        }
    }
}

/// Wherever the write-ahead log is cut or a bit of it flips, a prefix of whole commits is left.
#[test]
fn a_torn_write_ahead_log_leaves_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fill(&path);
    let wal = files(&path, "log").pop().unwrap();
    let full = std::fs::read(&wal).unwrap();
    let mut counts = std::collections::BTreeSet::new();
    for part in 1..=20 {
        let at = full.len() * part / 20 - 1;
        let mut flipped = full.clone();
        flipped[at] ^= 1;
        for (kind, bytes) in [("cut", &full[..at]), ("flip", &flipped)] {
            let copy = dir.path().join(format!("{kind}-{at}"));
            copy_dir(&path, &copy);
            std::fs::write(copy.join(wal.file_name().unwrap()), bytes).unwrap();
            counts.insert((kind, whole_commits(&copy)));
        }
    }
    assert!(counts.len() > 20, "the cuts and flips fell between commits: {counts:?}");
    assert_eq!(whole_commits(&path), 30);
}

/// 30 commits, each of two records to every partition, all in the write-ahead log.
fn fill(path: &Path) {
    let log = Embedded::open(path, Config::default()).unwrap();
    create(&log, THREADS + 1);
    let mut producer = log.producer("p").unwrap();
    for n in 0..30 {
        let all = (0..=THREADS).flat_map(|p| outputs(p, [n.to_string(), n.to_string()])).collect();
        producer.commit(Commit { outputs: all, offsets: vec![] }).unwrap();
    }
}

/// How many commits of [`fill`] are left; each must be whole.
fn whole_commits(path: &Path) -> usize {
    let log = Embedded::open(path, Config::default()).unwrap();
    if log.topics().unwrap().is_empty() {
        return 0;
    }
    let all: Vec<_> = (0..=THREADS).map(|p| read_all(&log, p).unwrap()).collect();
    let wanted: Vec<String> = (0..all[0].len() / 2).flat_map(|n| [n.to_string(), n.to_string()]).collect();
    assert!(all.iter().all(|values| *values == wanted), "{}: {all:?}", path.display());
    wanted.len() / 2
}

pub(super) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
