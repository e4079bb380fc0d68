//! A dimension with very many values beside one with five: time and memory of the whole import, store included.
//!
//!     cargo bench --workspace --bench cardinality -- [--events 60000] [--days 365]
//!
//! Orders evenly over the days, each with a `channel`: one of five, or one of its own. The real program imports each file
//! into an empty directory, one after the other; printed are wall and CPU seconds, peak memory (resident, as the kernel
//! counts it), the size of the store, and what the many cost in multiples of the five.
//!
//! The first 10,000 values have rows of their own (`dimension_values_max`): some 170 for each, one for every metric and window
//! that holds its order, published when it opens or changes and once more when it becomes final. So this measures what a
//! published row costs from the rollup through the log to the store; most of that is the store. `RESULTS.md` has the steps.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use common::option;
use jiff::{SignedDuration, Timestamp};

/// What an import took.
struct Cost {
    wall: f64,
    cpu: f64,
    memory_mb: f64,
    store_mb: f64,
}

fn main() {
    if common::flag("test") {
        return;
    }
    let (events, days) = (option("events", 60_000), option("days", 365));
    let folder = tempfile::tempdir().unwrap();
    println!("{events} orders over {days} days\n");
    println!("| values of the dimension | wall s | CPU s | peak MB | store MB |\n| ---: | ---: | ---: | ---: | ---: |");
    let mut costs = Vec::new();
    for values in [5, events] {
        let file = folder.path().join(format!("{values}.ndjson"));
        fs::write(&file, orders(events, values, days)).unwrap();
        let cost = import(&file, &folder.path().join(format!("{values}")));
        let Cost { wall, cpu, memory_mb, store_mb } = cost;
        println!("| {values} | {wall:.1} | {cpu:.1} | {memory_mb:.0} | {store_mb:.0} |");
        costs.push(cost);
    }
    let [few, many] = costs.as_slice() else { return };
    let times = |of: fn(&Cost) -> f64| of(many) / of(few);
    println!(
        "\ntime x {:.2}, CPU x {:.2}, memory x {:.2}",
        times(|cost| cost.wall),
        times(|cost| cost.cpu),
        times(|cost| cost.memory_mb)
    );
}

fn orders(events: usize, values: usize, days: usize) -> String {
    let first: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    let step = i64::try_from(days * 86_400 / events.max(1)).unwrap();
    let mut lines = String::new();
    for number in 0..events {
        let time = first + SignedDuration::from_secs(step * i64::try_from(number).unwrap());
        let (account, amount, channel) = (number % 1_000, 1_000 + number % 100, number % values);
        let _ = writeln!(
            lines,
            r#"{{"specversion":"1.0","id":"e{number}","source":"b","type":"order.completed","time":"{time}","account":"a{account}","data":{{"order":"o{number}","gross":{amount},"currency":"EUR","channel":"c{channel}"}}}}"#
        );
    }
    lines
}

fn import(file: &Path, data: &Path) -> Cost {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(["import".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (cpu, memory_mb) = watch(&mut child);
    let wall = begun.elapsed().as_secs_f64();
    let store = fs::metadata(data.join("store.sqlite")).unwrap().len();
    Cost { wall, cpu, memory_mb, store_mb: store as f64 / 1e6 }
}

/// CPU seconds and peak resident memory of a process, looked at until it ends.
fn watch(child: &mut Child) -> (f64, f64) {
    let process = child.id();
    let of = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
    let (mut cpu, mut memory_mb) = (0.0_f64, 0.0_f64);
    loop {
        let (status, stat) = (of("status"), of("stat"));
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).and_then(|peak| peak.parse::<f64>().ok());
        memory_mb = memory_mb.max(peak.unwrap_or(0.0) / 1e3);
        // User and system time are fields 14 and 15, in hundredths of a second; the name before them may have spaces.
        let fields: Vec<f64> =
            stat.rsplit(") ").next().unwrap_or_default().split(' ').filter_map(|field| field.parse().ok()).collect();
        cpu = cpu.max(fields.get(10..12).map_or(0.0, |times| times.iter().sum::<f64>() / 100.0));
        if child.try_wait().unwrap().is_some() {
            return (cpu, memory_mb);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
