//! `vitals up`: all roles on one port, commands from afar by `--server`, pages of other sites refused.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use eventlog::kafka::local;
use serde_json::{Value, json};

use crate::{
    data::{Data, Run},
    http::{Door, PATIENCE, get, interrupt, post_once},
};

const DAY: &str = "2026-01-10T12:00:00Z";

/// The program on a folder, on a free port, with what it says kept in a file.
fn up(data: &Data) -> Door {
    let mut command = data.command(["up", "--listen", "127.0.0.1:0"]);
    command.stderr(fs::File::create(data.file("up.log", "")).unwrap());
    let door = Door::of(command);
    door.until("ready", |door| door.get("/readyz").status == 200);
    door
}

/// A command at the server: without a folder or settings of its own.
fn at(door: &Door, arguments: &[&str]) -> Run {
    let server = format!("http://{}", door.address);
    let output = command(arguments).args(["--server", &server]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
    command.args(arguments).env_remove("RUST_LOG").current_dir(std::env::temp_dir()).stdin(Stdio::null());
    command
}

fn order(id: &str, gross: u64) -> Value {
    let data = json!({"order": id, "gross": gross, "currency": "EUR"});
    json!({"id": id, "type": "order.completed", "account": format!("a-{id}"), "time": DAY, "data": data})
}

/// Lines of events, as a file has them.
fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

const ORDERS: [&str; 5] = ["query", "orders", "--format", "json", "--limit"];

/// Orders of January 2026, as the server says.
fn orders(door: &Door) -> Option<f64> {
    let said = at(door, &[&ORDERS[..], &["1", "--from", "2026-01-01", "--to", "2026-02-01"]].concat());
    let row: Value = serde_json::from_str(said.out.lines().next()?).ok()?;
    row["value"].as_f64()
}

#[test]
fn what_was_posted_is_answered_and_a_kill_changes_nothing() {
    let data = Data::new();
    let door = up(&data);
    assert_eq!(door.send(&[order("1", 1999), order("2", 500)]).json()["accepted"], 2);
    door.until("stored", |door| orders(door) == Some(2.0));

    // From afar and on the folder the answer is the same.
    let asked = ["query", "net_revenue", "--format", "csv", "--from", "2026-01-01", "--to", "2026-02-01"];
    let afar = at(&door, &asked).done().out;
    assert!(afar.contains("24.99"), "{afar}");
    assert_eq!(data.run(asked).done().out, afar);
    let explained = at(&door, &["explain", "a-1", "--json"]).done().out;
    assert!(explained.contains("a-1"), "{explained}");
    let events = at(&door, &["events"]).done().out;
    assert_eq!(events.lines().count(), 2, "{events}");
    assert_eq!(data.run(["events"]).done().out, events);
    let alerts = ["alerts", "--state", "firing", "--format", "json"];
    door.until("alerted", |door| at(door, &alerts).done().out.contains("\"silent_90d\",\"account\":\"a-2\""));
    assert_eq!(at(&door, &alerts).done().out, data.run(alerts).done().out);
    at(&door, &["query", "nothing"]).fails(2, &["nothing"]);

    let before = at(&door, &asked).done().out;
    door.kill();
    let door = up(&data);
    assert_eq!(at(&door, &asked).done().out, before);
    assert_eq!(door.send(&[order("1", 1999)]).json()["accepted"], 1, "sent again");
    assert_eq!(door.send(&[order("3", 1)]).json()["accepted"], 1);
    door.until("stored", |door| orders(door) == Some(3.0));
    assert!(door.stop().success());
}

#[test]
fn files_are_imported_taken_back_and_everything_is_computed_again_while_it_runs() {
    let data = Data::new();
    let door = up(&data);
    assert_eq!(door.send(&[order("1", 100)]).json()["accepted"], 1);
    let bad = "{\"id\":\"x\"}\n";
    let file = data.file("history.ndjson", lines(&[order("2", 200), order("3", 300)]) + bad);
    let rejects = data.file("rejected.ndjson", "");
    let (file, rejected) = (file.to_str().unwrap(), rejects.to_str().unwrap());
    let import = ["import", file, "--rejects", rejected, "--rejected-max", "50%"];
    let said = at(&door, &import).done();
    said.says(&["3 lines: 2 accepted, 1 rejected", "everything is processed and stored", file]);
    assert!(!said.out.contains("upload-"), "{}", said.out);
    assert_eq!(fs::read_to_string(&rejects).unwrap(), bad);
    let reasons = fs::read_to_string(format!("{rejected}.reasons.tsv")).unwrap();
    assert!(reasons.contains("history.ndjson"), "{reasons}");
    assert_eq!(orders(&door), Some(3.0));

    // A correction by a file, and a file that is no file.
    let replaced = data.file("replaced.ndjson", lines(&[order("2", 250)]));
    at(&door, &["import", replaced.to_str().unwrap(), "--replace"]).done();
    let revenue = ["query", "net_revenue", "--format", "csv", "--from", "2026-01-01", "--to", "2026-02-01"];
    let sums = at(&door, &revenue).done().out;
    assert!(sums.contains(",6.5"), "{sums}");
    at(&door, &["import", "/nowhere/at-all.ndjson"]).fails(2, &["/nowhere/at-all.ndjson"]);
    let broken = data.file("broken.ndjson", bad);
    at(&door, &["import", broken.to_str().unwrap()]).fails(1, &["no line became an event"]);

    // The door stays open while everything is computed again.
    at(&door, &["rebuild"]).done().says(&["applied again"]);
    assert_eq!(at(&door, &revenue).done().out, sums);
    assert_eq!(door.send(&[order("4", 100)]).json()["accepted"], 1);
    door.until("stored", |door| orders(door) == Some(4.0));

    let imports = at(&door, &["imports", "--json"]).done().out;
    let imports: Vec<Value> = imports.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let replacing = imports.iter().find(|import| import["replace"] == true).unwrap();
    let id = replacing["import"].as_str().unwrap();
    at(&door, &["import", "--undo", id]).fails(2, &["--undo needs --yes"]);
    at(&door, &["import", "--undo", id, "--yes"]).done();
    let sums = at(&door, &revenue).done().out;
    assert!(sums.contains(",7.00"), "{sums}");
    let left = fs::read_dir(data.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("upload-"));
    assert_eq!(left.count(), 0, "uploads are left");
    assert!(door.stop().success());
}

#[test]
fn the_status_says_lag_disk_retention_and_outcomes() {
    let data = Data::new();
    let door = up(&data);
    door.send(&[order("1", 100), order("1", 100)]);
    door.until("stored", |door| orders(door) == Some(1.0));
    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    door.until("counted", |door| of(&at(door, &["status", "--json"]).done().out)["outcomes"]["duplicate"] == 1);
    let status = of(&at(&door, &["status", "--json"]).done().out);
    assert_eq!((&status["outcomes"]["events"], &status["outcomes"]["counted"]), (&json!(2), &json!(1)), "{status}");
    assert!(status["disk"]["bytes_used"].as_u64().unwrap() > 10_000, "{status}");
    assert!(status["retention"].as_array().unwrap().iter().any(|topic| topic["keeps"] == "everything"), "{status}");
    let stages: Vec<&str> =
        status["stages"].as_array().unwrap().iter().filter_map(|stage| stage["stage"].as_str()).collect();
    for stage in ["account", "merged", "rollup", "sink"] {
        assert!(stages.contains(&stage), "{stage} of {stages:?}");
    }
    at(&door, &["status"]).done().says(&["account", "waiting", "disk: ", "retention: ", "events: 2 "]);
    assert!(door.stop().success());
    // The same from the folder, of which nobody works.
    let alone = of(&data.run(["status", "--json"]).done().out);
    assert_eq!(alone["outcomes"], status["outcomes"]);
}

#[test]
fn a_page_of_another_site_neither_reads_nor_writes() {
    let data = Data::new();
    let door = up(&data);
    let ask = |path: &str, method: &str, headers: &str| {
        door.raw(
            format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: 0\r\n\r\n").as_bytes(),
        )
    };
    for (path, method) in [("/v1/events", "POST"), ("/cli/v1/run", "POST"), ("/metrics", "GET"), ("/readyz", "GET")] {
        let rebound = ask(path, method, "host: evil.example\r\n");
        assert_eq!(rebound.status, 421, "{path}: {rebound:?}");
        for origin in ["http://evil.example", "null", "http://localhost:1"] {
            let other = ask(path, method, &format!("host: localhost:2\r\norigin: {origin}\r\n"));
            assert_eq!(other.status, 403, "{path} {origin}: {other:?}");
            assert_eq!(other.header("content-type"), Some("application/problem+json"));
        }
        let ours = ask(path, method, "host: localhost:2\r\norigin: http://localhost:2\r\n").status;
        assert!(![403, 421].contains(&ours), "{path}: {ours}");
    }
    // What a form of a page may send is no command.
    let form = "host: localhost\r\ncontent-type: text/plain\r\n";
    assert_eq!(ask("/cli/v1/run", "POST", form).status, 415);
    let kind = "host: localhost\r\ncontent-type: application/vnd.vitals.run\r\n";
    assert_eq!(ask("/cli/v1/run", "POST", kind).status, 400);
}

#[test]
fn commands_that_have_no_place_there_are_refused() {
    let data = Data::new();
    let door = up(&data);
    at(&door, &["explain", "a", "--since", "2026-01-01", "--before", "/etc/passwd"]).fails(2, &["--server works with"]);
    at(&door, &["metrics", "check", "/etc/passwd"]).fails(2, &["--server works with"]);
    at(&door, &["demo"]).fails(2, &["--server works with"]);
    at(&door, &["query", "orders", "--data", "elsewhere"]).fails(2, &["--data"]);
    at(&door, &["import", "--undo", "none", "--yes"]).fails(2, &["none"]);
    // What does not come from the client's own program is judged by the server.
    let ask = |args: Value, rest: &[u8]| {
        let asked = json!({"args": args, "terminal": {"width": null, "unicode": true}}).to_string();
        let frame =
            |kind: u8, bytes: &[u8]| [&[kind], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let body = [frame(b'a', asked.as_bytes()), rest.to_vec(), frame(b'e', b"")].concat();
        let head = format!(
            "POST /cli/v1/run HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
             application/vnd.vitals.run\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        door.raw(&[head.as_bytes(), &body].concat())
    };
    assert_eq!(ask(json!(["metrics", "check", "/etc/passwd"]), b"").status, 400);
    assert_eq!(ask(json!(["query", "orders", "--data", "/etc"]), b"").status, 400);
    let local = ask(json!(["import", "/etc/passwd"]), b"");
    assert!(local.body.contains("0 of 1 files came"), "{local:?}");
    let named = json!({"role": "input", "name": "../../escape"}).to_string();
    let escape = [&b"f"[..], &u32::try_from(named.len()).unwrap().to_be_bytes(), named.as_bytes()].concat();
    let told = ask(json!(["import", "escape"]), &escape);
    assert!(told.body.contains("is no name of a file"), "{told:?}");
}

#[test]
fn a_client_that_is_slow_or_gone_does_not_stop_the_door() {
    let data = Data::new();
    let door = up(&data);
    let many: Vec<Value> = (0..3_000).map(|number| order(&format!("{number:05}-{}", "x".repeat(500)), 1)).collect();
    assert_eq!(door.send(&many).json()["accepted"], 3_000);
    // Commands of which nobody reads the answer take every thread that they have, and wait.
    let server = format!("http://{}", door.address);
    let mut slow: Vec<_> = (0..16)
        .map(|_| {
            command(&["events", "--server", &server]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    door.until("full", |door| at(door, &["events", "--id", "none"]).code != Some(0));
    at(&door, &["events", "--id", "none"]).fails(1, &["503", "too many requests are at work"]);

    // The door and the questions have their own.
    for number in 0..20 {
        assert_eq!(door.send(&[order(&format!("while-{number}"), 1)]).json()["accepted"], 1);
    }
    door.until("answered", |door| orders(door) == Some(3_020.0));
    let waiting = slow.iter_mut().filter_map(|child| child.try_wait().unwrap().is_none().then_some(())).count();
    assert!(waiting >= 15, "{waiting} are slow: the test shows nothing");
    for child in &mut slow {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    door.until("free", |door| at(door, &["events", "--id", "none"]).code == Some(0));
    assert!(door.stop().success());
}

#[test]
fn on_kafka_one_process_has_every_role_too() {
    let Some(broker) = local::broker("vitals up") else { return };
    let settings = format!("[kafka]\nprefix = {:?}\nreplication = 1\n", local::prefix());
    let data = Data::new().config(&settings);
    data.run(["topics", "create", "--partitions", "2", "--brokers", broker.as_str()]).done();
    let mut command = data.command(["up", "--listen", "127.0.0.1:0", "--brokers", broker.as_str()]);
    command.stderr(fs::File::create(data.file("up.log", "")).unwrap());
    let door = Door::of(command);
    door.until("ready", |door| door.get("/readyz").status == 200);
    assert_eq!(door.send(&[order("1", 100)]).json()["accepted"], 1);
    door.until("stored", |door| orders(door) == Some(1.0));
    let file = data.file("more.ndjson", lines(&[order("2", 200)]));
    at(&door, &["import", file.to_str().unwrap()]).done().says(&["1 accepted, 0 rejected"]);
    door.until("imported", |door| orders(door) == Some(2.0));
    at(&door, &["rebuild"]).fails(2, &["the log is on Kafka"]);
    let status = data.run(["status", "--brokers", broker.as_str()]).done();
    status.says(&["account", "sink", "events: 2 "]);
    assert!(door.stop().success());
}

#[test]
fn what_is_published_is_followed_from_afar() {
    let data = Data::new();
    let door = up(&data);
    let server = format!("http://{}", door.address);
    let mut tail = command(&["tail", "metrics.orders", "--server", &server]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = tail.stdout.take().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    door.send(&[order("1", 100)]);
    let mut first = [0];
    out.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{");
    // The end of the server is told.
    assert!(door.stop().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("orders"), "{rest}");
    tail.wait().unwrap();
}

#[test]
fn a_new_folder_has_what_it_needs_and_keeps_what_it_has() {
    let data = Data::new();
    let folder = data.path().with_file_name("company");
    let text = folder.to_str().unwrap().to_owned();
    let init = || command(&["init", &text]).output().unwrap();
    let said = String::from_utf8(init().stdout).unwrap();
    assert!(said.contains("vitals up --config vitals.toml --data data"), "{said}");
    let mut configuration = fs::OpenOptions::new().append(true).open(folder.join("vitals.toml")).unwrap();
    configuration.write_all(b"# mine\n").unwrap();
    let again = init();
    assert_eq!(again.status.code(), Some(2));
    assert!(fs::read_to_string(folder.join("vitals.toml")).unwrap().ends_with("# mine\n"));

    let mut command = command(&["up", "--config", "vitals.toml", "--data", "data", "--listen", "127.0.0.1:0"]);
    command.current_dir(&folder).stderr(Stdio::null());
    let door = Door::of(command);
    door.until("ready", |door| door.get("/readyz").status == 200);
    assert_eq!(door.send(&[order("1", 100)]).json()["accepted"], 1);
    door.until("stored", |door| orders(door) == Some(1.0));
    assert!(door.stop().success());
    data.run(["up", "--listen", "0.0.0.0:0"]).fails(2, &["expected a loopback address", "there are no keys yet"]);
}

#[test]
fn the_demo_is_the_same_process_with_a_company_that_sends_events() {
    let data = Data::new();
    let mut command = data.command(["demo", "--accounts", "60", "--pace", "600", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let open = said.find_map(|line| line.unwrap().trim().strip_prefix("open http://").map(str::to_owned)).unwrap();
    // It prints on, and somebody reads it.
    let reading = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let address = open.parse().unwrap();
    let (began, mut ready) = (Instant::now(), false);
    while !ready {
        assert!(began.elapsed() < PATIENCE, "the year never passed");
        std::thread::sleep(Duration::from_millis(20));
        ready = get(address, "/readyz").is_some_and(|answer| answer.status == 200);
    }
    let mine = json!([order("mine", 100)]).to_string();
    assert_eq!(post_once(address, "application/json", mine.as_bytes()), Some(200));
    let server = format!("http://{address}");
    let explain = || command_of(&["events", "--id", "mine", "--server", &server]);
    assert!(explain().contains("order.completed"), "{}", explain());
    let events = || command_of(&["status", "--json", "--server", &server]);
    let count = || serde_json::from_str::<Value>(&events()).unwrap()["outcomes"]["events"].as_u64().unwrap();
    let before = count();
    while count() == before {
        assert!(began.elapsed() < PATIENCE, "the company sends nothing");
    }
    interrupt(&child, "-TERM");
    assert!(child.wait().unwrap().success());
    assert!(reading.join().unwrap().contains("Everything is stored."));
}

/// What a command prints.
fn command_of(arguments: &[&str]) -> String {
    String::from_utf8(command(arguments).output().unwrap().stdout).unwrap()
}
