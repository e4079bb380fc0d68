//! The demo by a fleet on a real Kafka: the numbers are those of the demo in one process, and nothing stays behind.

use std::{fs, path::Path, process::Command};

use eventlog::kafka::local;

use crate::data::Data;

/// A company small enough for a test.
const COMPANY: [&str; 4] = ["demo", "--once", "--accounts", "60"];

/// Rows of a metric in all months but the current one, whose revision is the time of the run.
fn past(data: &Data, metric: &str) -> Vec<String> {
    let rows = data.run(["query", metric, "--window", "1mo", "--format", "csv"]).done().out;
    let start = |line: &str| line.split(',').nth(2).unwrap().to_owned();
    let current = start(rows.lines().last().unwrap());

    let past: Vec<String> = rows.lines().filter(|line| start(line) != current).map(str::to_owned).collect();
    assert!(past.len() > 12, "{rows}");
    past
}

/// Command lines of the running processes that have a path among their arguments. Process ids are no proof that one is
/// gone: on a busy machine another process soon has the same.
fn running_on(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let lines: Vec<String> = match fs::read_dir("/proc") {
        Ok(processes) => {
            let arguments = processes.map(|process| fs::read(process.unwrap().path().join("cmdline")));
            arguments.flatten().map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
        }
        // A bare Linux has no `ps`, other systems have no /proc.
        Err(_) => {
            let said = Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
            String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
        }
    };
    lines.into_iter().filter(|line| line.contains(path)).collect()
}

#[test]
fn a_fleet_makes_the_numbers_of_one_process_and_ends() {
    let Some(brokers) = local::broker("the demo by a fleet") else { return };
    let prefix = local::prefix();
    let fleet =
        Data::new().config(&format!("[kafka]\nprefix = {prefix:?}\nreplication = 1\n[processor]\nworkers = 1\n"));
    fleet.run(["topics", "create", "--brokers", brokers.as_str(), "--partitions", "4"]).done();
    let run = fleet.run(COMPANY.into_iter().chain(["--brokers", brokers.as_str()])).done();
    run.says(&["processor-2", "sink-0", "3 processors, 1 sink", "The first metric was there after"]);

    assert_eq!(run.out.lines().filter(|line| line.contains(" pid ")).count(), 4, "{}", run.out);
    assert_eq!(running_on(&fleet.path()), Vec::<String>::new(), "are left");

    let alone = Data::new();
    alone.run(COMPANY).done();
    for metric in ["orders", "net_revenue", "customers", "events"] {
        assert_eq!(past(&fleet, metric), past(&alone, metric), "{metric}");
    }
}
