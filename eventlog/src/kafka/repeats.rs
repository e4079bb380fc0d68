//! Lines that repeat while brokers are away: the first of each kind is told, then one a minute.
//!
//! Invariant: what is left out is counted, and the next line of its kind says how many. It does not know who says them:
//! there is one memory for the process, since each of its clients notices the same.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long the others of a kind are left out.
const QUIET: Duration = Duration::from_secs(60);
/// Kinds that are remembered; more begin anew.
const KINDS_MAX: usize = 256;

static PROCESS: Repeats = Repeats::new();

/// Whether to tell a line of this kind, and then how many were left out since the last one.
pub(super) fn of_process(kind: String) -> Option<Option<u64>> {
    PROCESS.tell(kind, Instant::now())
}

struct Repeats(Mutex<BTreeMap<String, Kind>>);

struct Kind {
    told: Instant,
    left_out: u64,
}

impl Repeats {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn tell(&self, kind: String, now: Instant) -> Option<Option<u64>> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS_MAX {
            kinds.clear();
        }
        let before = match kinds.get_mut(&kind) {
            Some(known) if now.duration_since(known.told) < QUIET => {
                known.left_out += 1;
                return None;
            }
            Some(known) => known.left_out,
            None => 0,
        };
        kinds.insert(kind, Kind { told: now, left_out: 0 });
        Some((before > 0).then_some(before))
    }
}

/// A line of librdkafka, `[thrd:NAME]: NAME: what happened (after 5ms in state UP)`, without its thread.
pub(super) fn without_thread(line: &str) -> &str {
    line.strip_prefix("[thrd:").and_then(|line| line.split_once("]: ")).map_or(line, |(_, said)| said)
}

/// What the repetitions of such a line have in common: the address, and what happened but for its figures.
pub(super) fn kind(said: &str) -> String {
    let said =
        said.strip_prefix("GroupCoordinator: ").or_else(|| said.strip_prefix("TxnCoordinator: ")).unwrap_or(said);
    let said = said.rsplit_once(" (after ").map_or(said, |(said, _)| said);
    let (name, happened) = match said.split_once(": ") {
        Some((name, happened)) if !name.contains(' ') => (name, happened),
        _ => ("", said),
    };
    // Of `host:port/1` and `host:port/bootstrap`.
    let address = name.rsplit_once('/').map_or(name, |(address, _)| address);
    happened.chars().fold(format!("{address} "), |mut kind, c| {
        if !c.is_ascii_digit() {
            kind.push(c);
        }
        kind
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_one_a_minute_with_the_number_left_out() {
        let (repeats, begun) = (Repeats::new(), Instant::now());
        let tell = |kind: &str, seconds| repeats.tell(kind.to_owned(), begun + Duration::from_secs(seconds));
        assert_eq!([tell("a", 0), tell("a", 1), tell("b", 1), tell("a", 59)], [Some(None), None, Some(None), None]);
        assert_eq!([tell("a", 60), tell("a", 61)], [Some(Some(2)), None]);
        assert_eq!(tell("a", 300), Some(Some(1)));
    }

    #[test]
    fn the_clients_of_a_broker_say_the_same() {
        let kind = |line| kind(without_thread(line));
        let refused = "Connect to ipv#... failed: Connection refused";
        for line in [
            "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT, 11 identical error(s) suppressed)",
            "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 3ms in state CONNECT)",
            "[thrd:GroupCoordinator]: GroupCoordinator: 127.0.0.1:9092: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        ] {
            assert_eq!(kind(line), "127.0.0.1:9092 ".to_owned() + &refused.replace("#...", "#...:"), "{line}");
        }
        let timed_out = |after| format!("[thrd:main]: Consumer group session timed out after {after} ms");
        assert_eq!(kind(&timed_out(2021)), kind(&timed_out(999)));
    }
}
