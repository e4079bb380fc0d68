//! What a record costs; run with `--ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;

#[test]
#[ignore = "a measurement: it prints and asserts nothing about time"]
fn cost_of_a_record() {
    for batch in [10, 1_000, 50_000] {
        let mut costs: Vec<(f64, f64, f64)> = (0..5).map(|_| measure(batch)).collect();
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (append, wall, _) = costs[2];
        costs.sort_by(|a, b| a.2.total_cmp(&b.2));
        println!("{batch} a commit: append {append:.3} us CPU, {wall:.3} us wall, read {:.3} us CPU", costs[2].2);
    }
}

/// Threads share the wait for the disk.
#[test]
#[ignore = "a measurement: it prints and asserts nothing about time"]
fn commits_of_several_threads() {
    for threads in [1, 2, 4, 8] {
        let harness = Harness::new();
        create(harness.embedded(), threads);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let mut producer = harness.embedded().producer(&thread.to_string()).unwrap();
                scope.spawn(move || {
                    for n in 0..300 {
                        let outputs = outputs(thread, [value(n)]);
                        producer.commit(Commit { outputs, offsets: vec![] }).unwrap();
                    }
                });
            }
        });
        let rate = f64::from(threads) * 300.0 / started.elapsed().as_secs_f64();
        println!("{threads} threads: {rate:.0} commits/s");
    }
}

/// Microseconds a record: append (CPU of the process, and wall), read (CPU).
fn measure(batch: usize) -> (f64, f64, f64) {
    let total = if batch < 100 { 20_000 } else { 500_000 };
    let harness = Harness::new();
    let log = harness.embedded();
    create(log, 4);
    let mut producer = log.producer("p").unwrap();
    let commits: Vec<_> = (0..total / batch).map(|c| outputs(0, (0..batch).map(|i| value(c * batch + i)))).collect();
    let (started, cpu) = (Instant::now(), cpu());
    for outputs in commits {
        producer.commit(Commit { outputs, offsets: vec![] }).unwrap();
    }
    let append = (since(cpu), started.elapsed());
    let cpu = self::cpu();
    let mut consumer = log.consumer(Assignment::manual("t", [(0, 0)])).unwrap();
    let mut read = 0;
    while let Poll::Records { records, .. } = consumer.poll(1 << 20, Duration::ZERO).unwrap() {
        read += records.len();
    }
    assert_eq!(read, total);
    let per = |time: Duration| time.as_secs_f64() * 1e6 / total as f64;
    (per(append.0), per(append.1), per(since(cpu)))
}

fn value(n: usize) -> String {
    format!("{:016x}{:048}{:036x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n % 1000, n * 7919)
}

/// CPU time of the process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = |text: &str| text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let each = tasks.map(|t| std::fs::read_to_string(t.path().join("schedstat")).unwrap_or_default());
    Duration::from_nanos(each.map(|s| nanos(&s)).sum::<u64>().max(nanos(&stat)))
}

fn since(start: Duration) -> Duration {
    cpu().saturating_sub(start)
}
