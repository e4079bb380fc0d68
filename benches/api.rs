//! How fast the API is on a large store while events come in, and what open streams cost.
//!
//!     cargo bench --workspace --locked --profile release --bench api -- load [--accounts N] [--copies N] [--rate N] [--seconds N]
//!     cargo bench --workspace --locked --profile release --bench api -- streams [--accounts N] [--copies N] [--streams N]
//!     cargo bench --workspace --locked --profile release --bench api -- account [--events N]
//!
//! `vitals up` is a process of its own, on the simulated company. Its accounts are copied in the store, with all their rows,
//! until there are some ten million. `load` sends requests at a steady rate and counts from when each was due, so that one
//! that waits for another counts its wait. `account` says what the events and the explanation of one account cost in a long log.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use common::{option, resident_of};
use serde_json::{Value, json};

/// Connections of the load.
const CONNECTIONS: usize = 16;
/// Events of a request, one each tenth of a second.
const BATCH: usize = 20;

fn main() {
    let command = std::env::args().nth(1).unwrap_or_default();
    match command.as_str() {
        "load" => load(),
        "streams" => streams(),
        "account" => account(),
        // As a test of all benches runs it, too.
        _ => println!("api: load, streams or account, see benches/api.rs"),
    }
}

fn vitals() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vitals"))
}

/// A running process; killed when dropped.
struct Up {
    child: Child,
    address: String,
}

impl Up {
    fn start(data: &Path) -> Up {
        let mut command = vitals();
        command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        let up = Up { child, address };
        while up.connect().get("/readyz").0 != 200 {
            sleep(Duration::from_millis(50));
        }
        up
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { reader: BufReader::new(stream) }
    }

    /// CPU so far, user and system.
    fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A connection that is kept open.
struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn ask(&mut self, request: &str) -> (u16, Vec<u8>) {
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "it closed the connection");
            let line = line.trim().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        (status, body)
    }

    fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    }

    fn send(&mut self, events: &[Value]) {
        let body = json!(events).to_string();
        let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
        let (status, answer) = self.ask(&format!("{head} {}\r\n\r\n{body}", body.len()));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    }
}

/// The simulated company, with so many copies of each account in the store; names of its accounts, and of some copies.
fn company(folder: &Path) -> (Vec<String>, Vec<String>) {
    let (accounts, copies) = (option("accounts", 500).to_string(), option("copies", 200));
    let mut command = vitals();
    command.args(["demo", "--once", "--seed", "7", "--accounts", &accounts, "--data"]).arg(folder);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let db = rusqlite::Connection::open(folder.join("store.sqlite")).unwrap();
    db.execute_batch(&format!(
        "PRAGMA synchronous = off; PRAGMA cache_size = -500000; BEGIN;
         CREATE TEMP TABLE k AS WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {copies}) SELECT n FROM k;
         CREATE TEMP TABLE a AS SELECT * FROM accounts;
         CREATE TEMP TABLE s AS SELECT * FROM series WHERE account <> '';
         INSERT INTO series (tenant, metric, definition, kept_by, dimensions, currency, account, unit)
           SELECT tenant, metric, definition, kept_by, dimensions, currency, account || '-' || n, unit FROM s, k;
         CREATE TEMP TABLE pairs AS SELECT c.id AS copy, s.id AS own FROM s, k JOIN series c ON c.metric = s.metric
           AND c.definition = s.definition AND c.tenant = s.tenant AND c.kept_by = s.kept_by
           AND c.dimensions = s.dimensions AND c.currency = s.currency AND c.account = s.account || '-' || k.n;
         INSERT INTO points SELECT pairs.copy, p.window, p.start_us, p.end_us, p.revision_us, p.value, p.num, p.den, p.since_us,
           p.final, p.corrected, p.reason, p.first FROM pairs JOIN points p ON p.series = pairs.own ORDER BY pairs.copy;
         UPDATE a SET series = 0;
         INSERT INTO accounts SELECT tenant, account || '-' || n, name, owner, score, reason, score_us, window_us, series, before,
           change, value, currency, mrr, mrr_currency, seen_us, traits_us, traits, contributions, projection FROM a, k;
         COMMIT;"
    ))
    .unwrap();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        db.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    println!("{} points, {} series, {} accounts", count("points"), count("series"), count("accounts"));
    let mut all = db.prepare("SELECT account FROM temp.a").unwrap();
    let own: Vec<String> = all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let copies = own.iter().enumerate().map(|(at, name)| format!("{name}-{}", at % copies + 1)).collect();
    (own, copies)
}

/// Sends events of these accounts until told to stop.
fn traffic(up: &Up, accounts: Vec<String>, stop: &Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let (mut connection, stop) = (up.connect(), stop.clone());
    thread::spawn(move || {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            let event = |at: usize| {
                let account = &accounts[at * 7 % accounts.len()];
                match at % 2 {
                    0 => json!({"id": format!("b{at}"), "type": "order.completed", "account": account,
                        "data": {"order": format!("b{at}"), "gross": 1_000 + at, "currency": "EUR"}}),
                    _ => json!({"id": format!("b{at}"), "type": "usage.recorded", "account": account,
                        "data": {"count": 1}}),
                }
            };
            connection.send(&(sent..sent + BATCH).map(event).collect::<Vec<_>>());
            sent += BATCH;
            sleep(Duration::from_millis(100));
        }
        sent
    })
}

/// What is asked for at a place of the schedule, and the kind that it is.
fn path(at: usize, own: &[String], copies: &[String]) -> (&'static str, String) {
    const METRICS: [&str; 8] =
        ["orders", "net_revenue", "nps", "csat", "customers", "net_new_mrr", "customer_churn_rate", "engagement_rate"];
    let turn = at / 10;
    let metric = METRICS[turn % METRICS.len()];
    let (kind, path) = match at % 10 {
        0 => ("overview", format!("overview?window={}", ["30d", "1mo"][turn % 2])),
        1 | 2 => ("series", format!("metrics/{metric}/series?window=1mo&limit={}", 12 + at % 10)),
        3 => ("breakdown", format!("metrics/orders/breakdown?by={}&window=1mo", ["plan", "region"][turn % 2])),
        4 => ("accounts", format!("accounts?sort={}", ["score", "fall", "value", "last_seen"][turn % 4])),
        5 => ("accounts", format!("accounts?band={}&sort=fall", ["at_risk", "critical"][turn % 2])),
        6 | 7 => ("account", format!("accounts/{}", copies[turn * 13 % copies.len()])),
        _ => ("account", format!("accounts/{}", own[turn * 13 % own.len()])),
    };
    (kind, format!("/api/v1/{path}"))
}

fn load() {
    let folder = tempfile::tempdir().unwrap();
    let (own, copies) = company(folder.path());
    let up = Up::start(folder.path());
    let (rate, seconds) = (option("rate", 100), option("seconds", 60));
    let stop = Arc::<AtomicBool>::default();
    let traffic = traffic(&up, own.clone(), &stop);
    // What is read for the first time comes before.
    let mut first = up.connect();
    for at in 0..80 {
        first.get(&path(at, &own, &copies).1);
    }

    let (next, waits) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<&str, Vec<f64>>::new()));
    let (begun, cpu) = (Instant::now(), up.cpu());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = up.connect();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= rate * seconds {
                        break;
                    }
                    let due = begun + Duration::from_secs_f64(at as f64 / rate as f64);
                    sleep(due.saturating_duration_since(Instant::now()));
                    let (kind, path) = path(at, &own, &copies);
                    let (status, _) = connection.get(&path);
                    assert_eq!(status, 200, "{path}");
                    let wait = due.elapsed().as_secs_f64();
                    waits.lock().unwrap().entry(kind).or_default().push(wait);
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let sent = traffic.join().unwrap() as f64;
    let cores = (up.cpu() - cpu).as_secs_f64() / took;
    println!("{:.0} requests/s and {:.0} events/s: {cores:.2} cores", (rate * seconds) as f64 / took, sent / took);
    println!("| asked for | requests | p50 ms | p99 ms | most |\n| --- | ---: | ---: | ---: | ---: |");
    let mut waits = waits.into_inner().unwrap();
    waits.insert("all", waits.values().flatten().copied().collect());
    for (kind, mut waits) in waits {
        waits.sort_by(f64::total_cmp);
        let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize] * 1e3;
        println!("| {kind} | {} | {:.1} | {:.1} | {:.1} |", waits.len(), at(0.5), at(0.99), at(1.0));
    }
}

fn streams() {
    let folder = tempfile::tempdir().unwrap();
    let (own, _) = company(folder.path());
    let up = Up::start(folder.path());
    let stop = Arc::<AtomicBool>::default();
    let traffic = traffic(&up, own.clone(), &stop);
    let cores = |seconds: u64| {
        let cpu = up.cpu();
        sleep(Duration::from_secs(seconds));
        (up.cpu() - cpu).as_secs_f64() / seconds as f64
    };
    sleep(Duration::from_secs(10));
    let (idle, before) = (cores(20), resident_of(up.child.id()));
    let bytes = Arc::<AtomicUsize>::default();
    let count = option("streams", 500);
    // A tab in ten shows an account of its own, the others what all show.
    for at in 0..count {
        let topics = match at % 10 {
            0 => format!("account:{}", own[at / 10 % own.len()]),
            1..6 => "overview,alerts".to_owned(),
            _ => "metric:orders".to_owned(),
        };
        let mut stream = TcpStream::connect(&up.address).unwrap();
        write!(stream, "GET /api/v1/stream?topics={topics}&window=30d HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let bytes = bytes.clone();
        let read = move || {
            let mut chunk = vec![0; 65_536];
            while let Ok(read) = stream.read(&mut chunk) {
                if read == 0 {
                    break;
                }
                bytes.fetch_add(read, Ordering::Relaxed);
            }
        };
        thread::Builder::new().stack_size(131_072).spawn(read).unwrap();
    }
    sleep(Duration::from_secs(10));
    let from = bytes.load(Ordering::Relaxed);
    let busy = cores(30);
    let sent = (bytes.load(Ordering::Relaxed) - from) as f64 / 30.0 / count as f64;
    let after = resident_of(up.child.id());
    println!("| streams | resident MB | cores | bytes/s a stream |\n| ---: | ---: | ---: | ---: |");
    println!("| 0 | {:.0} | {idle:.2} | |", before as f64 / 1e6);
    println!("| {count} | {:.0} | {busy:.2} | {sent:.0} |", after as f64 / 1e6);
    stop.store(true, Ordering::Relaxed);
    traffic.join().unwrap();
}

/// Events, explanation and page of an account in a log of so many events, by the stages and by the log.
fn account() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("events.ndjson"), folder.path().join("data"));
    let events = option("events", 1_000_000);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    for at in 0..events {
        let (account, second) = (at % (events / 20), at * 7_776_000 / events);
        let time = jiff::Timestamp::from_second(1_767_225_600 + second as i64).unwrap();
        let data = format!(r#"{{"order":"o{at}","gross":1000,"currency":"EUR"}}"#);
        writeln!(
            out,
            r#"{{"id":"e{at}","source":"s","type":"order.completed","time":"{time}","account":"a{account}","data":{data}}}"#
        )
        .unwrap();
    }
    drop(out);
    let begun = Instant::now();
    let mut import = vitals();
    import.arg("import").arg(&file).args(["--order", "file", "--data"]).arg(&data);
    assert!(import.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    println!("{events} events, imported in {:.0} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let mut explain = vitals();
    explain.args(["explain", "a3", "--json", "--data"]).arg(&data);
    assert!(explain.stdout(Stdio::null()).status().unwrap().success());
    println!("| `vitals explain`, by the log | {:.0} ms |", begun.elapsed().as_secs_f64() * 1e3);
    let up = Up::start(&data);
    let mut connection = up.connect();
    for path in ["accounts/a3/events", "accounts/a3/explain", "accounts/a3"] {
        let mut waits: Vec<f64> = (0..50)
            .map(|_| {
                let begun = Instant::now();
                assert_eq!(connection.get(&format!("/api/v1/{path}")).0, 200);
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        println!("| GET /{path} | {:.1} ms, at most {:.1} |", waits[25], waits[49]);
    }
}
