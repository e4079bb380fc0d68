//! The live door from outside: results, durability, limits, time; and who reads beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use eventlog::{Commit, Log as _, Output, Record, embedded};
use proto::{
    Message as _,
    v1::{Entry, Tick, entry},
};
use serde_json::{Value, json};

use crate::{
    data::Data,
    http::{Answer, Door, PATIENCE, interrupt, post_once, read},
};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const SECOND_US: i64 = 1_000_000;

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn order(id: &str) -> Value {
    let data = json!({"order": id, "gross": 1_000, "currency": "EUR"});
    json!({"specversion": "1.0", "id": id, "source": "shop", "type": "order.completed", "account": format!("account-{id}"), "data": data})
}

/// The value of the newest row of a metric.
fn value(data: &Data, metric: &str, window: &str) -> Option<f64> {
    let run = data.run(["query", metric, "--window", window, "--format", "json"]);
    let line = run.out.lines().last()?;
    serde_json::from_str::<Value>(line).unwrap()["value"].as_f64()
}

/// Ids in the log, in their order.
fn ids(data: &Data) -> Vec<String> {
    let lines = data.run(["events"]).done().out;
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    lines.lines().map(id).collect()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["type"], &told["status"]), (&json!("about:blank"), &json!(status)), "{told}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(told["detail"].as_str().unwrap().contains(reason), "expected {reason}\n   found {answer:?}");
}

#[test]
fn every_form_is_accepted_and_counted() {
    let data = Data::new();
    let door = Door::open(&data);
    let single = door.post("application/cloudevents+json", &[], order("1").to_string().as_bytes());
    assert_eq!(single.status, 200, "{single:?}");
    let results = json!([{"index": 0, "id": "1", "status": "accepted"}]);
    let expected = json!({"accepted": 1, "quarantined": 0, "not_measured": 0, "rejected": 0, "results": results});
    assert_eq!(single.json(), expected);
    let mut bad = order("3");
    bad["data"]["gross"] = json!("much");
    let list = door.post(
        "application/cloudevents-batch+json; charset=utf-8",
        &[],
        json!([order("2"), bad, 7]).to_string().as_bytes(),
    );
    assert_eq!(list.status, 207, "{list:?}");
    let told = list.json();
    assert_eq!((told["accepted"].clone(), told["rejected"].clone()), (json!(1), json!(2)), "{told}");
    assert_eq!(told["results"][1]["id"], "3");
    assert_eq!(told["results"][1]["status"], "rejected");
    let reason = told["results"][1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("data.gross: is \"much\", expected a whole number from "), "{reason}");
    assert_eq!(told["results"][2]["id"], Value::Null);
    let lines = door.post(LINES, &[], format!("{}\n\nno json\n{}", order("4"), order("5")).as_bytes()).json();
    assert_eq!((lines["accepted"].clone(), lines["rejected"].clone()), (json!(2), json!(1)), "{lines}");
    let text = order("6").to_string();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(door.post(JSON, &["content-encoding: gzip"], &gzip).json()["accepted"], 1);
    let zstd = zstd::encode_all(order("7").to_string().as_bytes(), 3).unwrap();
    assert_eq!(door.post(JSON, &["content-encoding: zstd"], &zstd).json()["accepted"], 1);
    // Sent again, as a client does that got no answer: accepted, and counted once.
    assert_eq!(door.send(&[order("1"), order("7")]).json()["accepted"], 2);
    door.until("six orders", |_| value(&data, "orders", "1d") == Some(6.0));
    assert_eq!(door.figure("vitals_ingest_accepted_total"), 8.0);
    assert_eq!(door.figure("vitals_ingest_rejected_total"), 3.0);
    assert!(door.stop().success());
    assert_eq!(value(&data, "orders", "1d"), Some(6.0));
    assert_eq!(ids(&data).len(), 8);
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_counts_once() {
    const KILLS: usize = 3;
    let data = Data::new();
    let (acknowledged, sent) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    for round in 0..KILLS {
        let door = Door::open(&data);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let senders: Vec<_> = (0..4)
                .map(|sender| {
                    let (address, stop, acknowledged, sent) = (door.address, &stop, &acknowledged, &sent);
                    scope.spawn(move || {
                        let mut number = 0;
                        while !stop.load(Ordering::Relaxed) {
                            let all: Vec<_> = (0..3).map(|n| format!("{round}-{sender}-{}", number + n)).collect();
                            number += 3;
                            sent.lock().unwrap().extend(all.clone());
                            let events: Vec<_> = all.iter().map(|id| order(id)).collect();
                            if post_once(address, JSON, json!(events).to_string().as_bytes()) == Some(200) {
                                acknowledged.lock().unwrap().extend(all);
                            }
                        }
                    })
                })
                .collect();
            let before = acknowledged.lock().unwrap().len();
            door.until("acknowledged", |_| acknowledged.lock().unwrap().len() >= before + 60);
            door.kill();
            stop.store(true, Ordering::Relaxed);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }
    let door = Door::open(&data);
    let found: BTreeSet<String> = ids(&data).into_iter().collect();
    let (acknowledged, sent) = (acknowledged.into_inner().unwrap(), sent.into_inner().unwrap());
    assert!(acknowledged.is_subset(&found), "lost: {:?}", acknowledged.difference(&found).collect::<Vec<_>>());
    assert!(found.is_subset(&sent), "invented: {:?}", found.difference(&sent).collect::<Vec<_>>());
    // Whoever does not know sends again.
    let again: Vec<_> = sent.iter().map(|id| order(id)).collect();
    for part in again.chunks(500) {
        assert_eq!(door.send(part).json()["accepted"], part.len());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let expected = sent.len() as f64;
    // A door that stops does not wait for ever for what it has accepted to be processed.
    door.until("counted", |_| value(&data, "orders", "1y") >= Some(expected));
    assert!(door.stop().success());
    assert_eq!(value(&data, "orders", "1y"), Some(expected), "each counts once");
}

#[test]
fn hostile_requests_are_refused_and_the_door_stays_open() {
    let data = Data::new();
    let door = Door::open(&data);
    refused(&door.post(JSON, &[], b"{\"id\":"), 400, "the body is not JSON");
    refused(&door.post(JSON, &[], b"{\"id\":\"\xff\"}"), 400, "the body is not UTF-8 at byte 8");
    refused(&door.post(JSON, &[], b"7"), 400, "the body is neither an object nor a list");
    refused(&door.post(JSON, &[], b""), 400, "the body is not JSON");
    refused(&door.post("text/plain", &[], b"{}"), 415, "the content type is text/plain");
    refused(&door.post("application/json; charset=latin1", &[], b"{}"), 415, "the content type is");
    refused(&door.post(JSON, &["content-encoding: br"], b"{}"), 415, "the content encoding is br");
    refused(&door.post(JSON, &["content-encoding: gzip"], b"no gzip"), 400, "the body does not decompress");
    let deep = format!("[{}1{}]", "[".repeat(50_000), "]".repeat(50_000));
    let told = door.post(JSON, &[], deep.as_bytes());
    refused(&told, 422, "the event is rejected: results says why");
    let told = told.json();
    assert_eq!(told["results"][0]["reason"], "nested deeper than 32 levels", "{told}");
    refused(&door.post(JSON, &[], &vec![b' '; 10 << 20]), 413, "the body is longer than 8388608 bytes");
    let many = "{}\n".repeat(10_001);
    refused(&door.post(LINES, &[], many.as_bytes()), 413, "the body holds more than 10000 events");
    let zeros = vec![b' '; 300 << 20];
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    refused(&door.post(JSON, &["content-encoding: gzip"], &gzip), 413, "the body is longer than 8388608 bytes");
    let zstd = zstd::encode_all(&*zeros, 1).unwrap();
    refused(&door.post(JSON, &["content-encoding: zstd"], &zstd), 413, "the body is longer than 8388608 bytes");
    let other = b"POST /v1/events HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    refused(&door.raw(other), 421, "the host is not this machine");
    refused(&door.post(JSON, &["origin: http://shop.example"], b"{}"), 403, "the origin is another site");
    assert_eq!(door.post(JSON, &["origin: http://localhost"], b"{}").status, 422, "the page of the host");
    refused(&door.get("/v1/events"), 405, "/v1/events takes POST, not GET; events go to POST /v1/events");
    assert_eq!(door.get("/v1/events").header("allow"), Some("POST"));
    refused(&door.get("/nothing"), 404, "there is nothing at /nothing; events go to POST /v1/events");
    assert_eq!(door.get("/healthz").status, 200);
    assert_eq!(door.send(&[order("1")]).json()["accepted"], 1);
    assert!(door.stop().success());
    assert_eq!(ids(&data), ["1"]);
}

#[test]
fn the_slow_and_the_many_are_told() {
    let data = Data::new().config("[ingest]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\nconnections_max = 8\n");
    let door = Door::open(&data);
    let mut slow = door.connect();
    slow.write_all(b"POST /v1/events HTTP/1.1\r\nhost: local").unwrap();
    let mut body = door.connect();
    let head =
        format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ncontent-length: 100\r\n\r\n{{");
    body.write_all(head.as_bytes()).unwrap();
    let said = String::from_utf8(read(&mut slow)).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    let said = String::from_utf8(read(&mut body)).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    // Idle connections take all places, for a second; each more is told so at once.
    door.until("too many", |door| {
        let _held: Vec<_> = (0..8).map(|_| door.connect()).collect();
        let mut more = door.connect();
        more.shutdown(Shutdown::Write).unwrap();
        let said = String::from_utf8(read(&mut more)).unwrap();
        said.starts_with("HTTP/1.1 429 ") && said.contains("retry-after: 1\r\n")
    });
    let free = |door: &Door| post_once(door.address, JSON, json!([order("1")]).to_string().as_bytes()) == Some(200);
    door.until("free again", free);
    assert!(door.stop().success());
}

#[test]
fn too_much_at_once_is_refused_with_a_time_to_come_back() {
    let data = Data::new().config("[ingest]\nmemory_bytes_max = 65536\n");
    let door = Door::open(&data);
    let answer = door.post(JSON, &[], &vec![b' '; 100 << 10]);
    refused(&answer, 503, "too many requests are at work");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(door.send(&[order("1")]).json()["accepted"], 1);
    assert!(door.stop().success());
}

#[test]
fn only_loopback_is_listened_to() {
    let data = Data::new();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let run = data.run(["ingest", "--listen", listen]);
        run.fails(2, &["--listen: is ", "expected a loopback address such as 127.0.0.1:8080: there are no keys yet"]);
    }
    assert!(!data.path().exists());
}

#[test]
fn time_passes_without_events() {
    let data = Data::new();
    let door = Door::open(&data);
    door.send(&[order("1")]);
    door.until("four ticks", |door| door.figure("vitals_ingest_ticks_total") >= 6.0);
    door.until("stored", |_| value(&data, "orders", "1d") == Some(1.0));
    assert_eq!(door.figure("vitals_events_total").max(1.0), 1.0);
    assert!(door.stop().success());
    let log = data.run(["events", "--ticks", "--partition", "0"]).done().out;
    let ticks: Vec<jiff::Timestamp> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["tick"].as_str().map(|at| at.parse().unwrap()))
        .collect();
    assert!(ticks.is_sorted() && ticks.len() >= 5, "{ticks:?}");
    let whole = ticks.iter().filter(|tick| tick.subsec_nanosecond() == 0).count();
    assert!(whole >= 3, "idle ticks lie on whole seconds: {ticks:?}");
}

#[test]
fn a_door_behind_the_log_is_not_ready_and_says_so() {
    let data = Data::new();
    assert!(Door::open(&data).stop().success());
    {
        let log = embedded::Embedded::open(data.path().join("log"), embedded::Config::default()).unwrap();
        let at_us = now_us() + 3_600 * SECOND_US;
        let tick = Entry { entry: Some(entry::Entry::Tick(Tick { at_us })) };
        let record = Record { value: Some(tick.encode_to_vec().into()), timestamp_us: at_us, ..Record::default() };
        let outputs = (0..4).map(|partition| Output { topic: "events.v1".into(), partition, record: record.clone() });
        log.producer("other").unwrap().commit(Commit { outputs: outputs.collect(), offsets: Vec::new() }).unwrap();
    }
    let door = Door::start(&data);
    let behind = |answer: &Answer| answer.status == 503 && answer.body.contains("s behind the clock of the log");
    door.until("not ready", |door| behind(&door.get("/readyz")));
    let answer = door.send(&[order("1")]);
    assert!(behind(&answer) && answer.header("retry-after").is_some(), "{answer:?}");
    // Who writes the body after the headers has a connection to write to.
    let mut slow = door.connect();
    slow.write_all(b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n")
        .unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(slow.read(&mut [0; 1]).is_err(), "it is answered before its body is there");
    slow.write_all(b"[]").unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(String::from_utf8(read(&mut slow)).unwrap().starts_with("HTTP/1.1 503 "));
    assert_eq!(door.get("/healthz").status, 200);
    assert!(door.stop().success());
    assert_eq!(ids(&data), Vec::<String>::new());
}

#[test]
fn tail_and_events_read_beside_the_door() {
    let data = Data::new();
    let door = Door::open(&data);
    let mut tail = data.command(["tail", "metrics.account_value"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It begins where the topic ends, some time after it was started.
    let (door, seen) = (&door, AtomicBool::new(false));
    let first = thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            for number in 0.. {
                if seen.load(Ordering::Relaxed) || begun.elapsed() > PATIENCE {
                    break;
                }
                assert_eq!(door.send(&[order(&number.to_string())]).status, 200);
                sleep(Duration::from_millis(50));
            }
            if !seen.load(Ordering::Relaxed) {
                interrupt(&tail, "-INT");
            }
        });
        let first = lines.next().expect("tail prints what comes").unwrap();
        seen.store(true, Ordering::Relaxed);
        first
    });
    let row: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&row["metric"], &row["value"]), (&json!("account_value"), &json!(1_000.0)), "{row}");
    interrupt(&tail, "-INT");
    assert!(tail.wait().unwrap().success());
    let account = row["account"].as_str().unwrap();
    assert!(ids(&data).iter().any(|id| format!("account-{id}") == account));

    // From its revision on the row is there again, as `query` shows it.
    let revision = row["revision"].as_str().unwrap();
    let again = data.run(["tail", "metrics.account_value", "--once", "--from", revision]).done().out;
    assert!(again.lines().any(|line| line == first), "{again}");
    let stored = || data.run(["query", "account_value", "--account", account, "--format", "json"]).out;
    door.until("stored", |_| stored() == format!("{first}\n"));
    data.run(["tail", "metrics.nothing"]).fails(2, &["metrics.nothing: is not in the log; `vitals metrics` lists"]);
    data.run(["tail", "nothing"]).fails(2, &["nothing: is neither metrics.NAME nor alerts"]);
    data.run(["tail", "alerts", "--from", "today"]).fails(2, &["--from: is today, expected RFC 3339"]);
}

#[test]
fn telemetry_tells_how_it_is() {
    let data = Data::new();
    let door = Door::open(&data);
    door.send(&[order("1"), order("2")]);
    door.until("lag told", |door| door.get("/metrics").body.contains("vitals_lag_seconds{group=\"account\"}"));
    let page = door.get("/metrics");
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for text in [
        "# TYPE vitals_ingest_accepted_total counter",
        "# HELP vitals_ingest_accepted_total Events accepted by a door, durably",
        "vitals_ingest_accepted_total 2",
        "vitals_ingest_requests_total{status=\"200\"} 1",
        "vitals_ingest_commit_seconds_bucket{le=\"60\"}",
        "vitals_log_sync_seconds_count",
        "vitals_rocksdb_memtable_bytes{db=\"log\"}",
        "vitals_lag_records{group=\"rollup\"}",
    ] {
        assert!(page.body.contains(text), "expected {text}\n   found {}", page.body);
    }
    // Names, types and labels are those of the documentation.
    let documented = documented();
    let said = said(&page.body);
    assert!(said.len() > 20, "{said:?}");
    for (name, metric) in &said {
        assert_eq!(Some(metric), documented.get(name), "{name}");
    }
    door.until("no lag", |door| door.figure("vitals_lag_seconds") < 2.0);
    assert!(door.stop().success());
}

/// Type of a metric and its labels.
type Described = (String, BTreeSet<String>);

/// The table of `deploy/telemetry.md`.
fn documented() -> BTreeMap<String, Described> {
    let rows = include_str!("../../deploy/telemetry.md").lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").map(|label| label.trim_matches('`').to_owned());
        (
            cells[1].trim_matches('`').to_owned(),
            (cells[2].to_owned(), labels.filter(|label| !label.is_empty()).collect()),
        )
    })
    .collect()
}

/// What a page of Prometheus text has samples of; the bounds of buckets are no label.
fn said(page: &str) -> BTreeMap<String, Described> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut said: BTreeMap<String, Described> =
        types.map(|(name, of_type)| (name.to_owned(), (of_type.to_owned(), BTreeSet::new()))).collect();
    for sample in page.lines().filter_map(|line| line.split_once('{').filter(|_| !line.starts_with('#'))) {
        let (name, rest) = sample;
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let (labels, _) = rest.rsplit_once('}').unwrap();
        let labels = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()));
        let metric = said.get_mut(name).unwrap_or_else(|| panic!("{name} has no type"));
        metric.1.extend(labels.filter(|label| label != "le"));
    }
    said
}
