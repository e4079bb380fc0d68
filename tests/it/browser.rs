//! The dashboard in a real browser on the real binary: each view at three widths, light and dark, in three languages; an event
//! on the screen within a second; a restart of the server; a dashboard by keyboard alone and by pointer; alerts and dead letters
//! dealt with; hostile text; a hundred thousand accounts. What is checked, `dashboard/web/tests` says; here is the server. And the
//! embedded pages are those that the source builds.
//!
//! They need node, npm and Chromium (`deploy/prepare.sh test` installs them on Debian). Where these are absent a test says
//! so and is skipped, but fails in CI.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::{data::Data, http::Door};

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard/web")
}

fn npm<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(web()).stdout(Stdio::null());
    command
}

/// Whether everything is there, with the packages that the lock file names.
fn ready() -> bool {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        for program in ["node".to_owned(), "npm".to_owned(), chromium()] {
            let run = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !run.is_ok_and(|status| status.success()) {
                return Err(format!("there is no {program}"));
            }
        }
        match npm(["ci", "--no-audit", "--no-fund"]).status() {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("npm ci failed: {other:?}")),
        }
    });
    if let Err(why) = ready {
        assert!(env::var_os("CI").is_none(), "the browser tests are needed in CI: {why}");
        eprintln!("SKIPPED, not tested: {why}");
    }
    ready.is_ok()
}

fn chromium() -> String {
    env::var("CHROME").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

/// Every file below a folder, by its path in it.
fn files(folder: &Path, below: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files(folder, &name, found);
        } else {
            found.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
}

#[test]
fn the_embedded_pages_are_those_of_the_source() {
    if !ready() {
        return;
    }
    let data = Data::new();
    let out = data.path().with_file_name("dist");
    for check in [&["exec", "--", "tsc"][..], &["run", "messages"][..], &["run", "budget"][..]] {
        assert!(npm(check).status().unwrap().success(), "npm {check:?} in dashboard/web failed");
    }
    let outcome = npm(["exec", "--", "vite", "build", "--logLevel", "warn", "--outDir"]).arg(&out).status().unwrap();
    assert!(outcome.success(), "vite build failed");
    let (mut built, mut committed) = (Vec::new(), Vec::new());
    files(&out, Path::new(""), &mut built);
    files(&web().join("dist"), Path::new(""), &mut committed);
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let cure = "dashboard/web/dist is not what the source builds: run `npm ci && npm run build` there and commit it";
    assert_eq!(names(&built), names(&committed), "{cure}");
    for ((name, built), (_, committed)) in built.iter().zip(&committed) {
        assert!(built == committed, "{}: {cure}", name.display());
    }
    fs::remove_dir_all(&out).unwrap();
}

/// A small company with a year of history, up to today: its pages are about the present.
fn company() -> Data {
    let data = Data::new();
    let events = data.path().with_extension("ndjson");
    let today = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let since = today.checked_sub(jiff::Span::new().years(1)).unwrap();
    let (since, today) = (since.to_string(), today.to_string());
    let flags = ["simulate", "--accounts", "60", "--from", &since, "--to", &today, "--out"];
    data.run(flags.into_iter().map(OsStr::new).chain([events.as_os_str()])).done();
    data.import(&events, &[]).done();
    fs::remove_file(events).unwrap();
    data
}

fn up(data: &Data, listen: &str) -> Door {
    let mut command = data.command(["up", "--listen", listen]);
    command.stderr(Stdio::null());
    let door = Door::of(command);
    door.until("ready", |door| door.get("/readyz").status == 200);
    door
}

/// The tests of `run.mjs` on the server at this address.
fn node(address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.args(["tests/run.mjs", &format!("http://{address}")]).args(arguments);
    command.current_dir(web()).env("CHROME", chromium());
    command
}

#[test]
fn every_view_in_a_browser() {
    if !ready() {
        return;
    }
    let data = company();
    let mut server = Some(up(&data, "127.0.0.1:0"));
    let address = server.as_ref().unwrap().address.to_string();
    let mut run = node(&address, &["--server"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut answers = run.stdin.take().unwrap();
    // It asks for what only who started the server can do.
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        match line.unwrap().as_str() {
            "stop" => drop(server.take()),
            "start" => server = Some(up(&data, &address)),
            other => panic!("run.mjs said {other:?}"),
        }
        writeln!(answers, "done").unwrap();
    }
    assert!(run.wait().unwrap().success(), "see above what failed");
}

/// What `tests/many.mjs` expects: accounts that bought once each, each more than the one before.
const MANY: i64 = 100_000;

#[test]
fn a_hundred_thousand_accounts_in_a_browser() {
    if !ready() {
        return;
    }
    let data = Data::new();
    let events = data.path().with_extension("ndjson");
    let today = jiff::Timestamp::now();
    let mut file = BufWriter::new(File::create(&events).unwrap());
    for n in 0..MANY {
        let time = today.checked_sub(jiff::SignedDuration::from_hours(24 + n % 500)).unwrap();
        let bought = format!(r#"{{"order":"o{n}","gross":{},"currency":"EUR"}}"#, 1_000 + n);
        let event =
            format!(r#""id":"e{n}","source":"shop","type":"order.completed","account":"b{n:06}","time":"{time}""#);
        writeln!(file, r#"{{{event},"data":{bought}}}"#).unwrap();
    }
    file.flush().unwrap();
    data.import(&events, &[]).done();
    fs::remove_file(events).unwrap();
    let server = up(&data, "127.0.0.1:0");
    let done = node(&server.address.to_string(), &["many"]).status().unwrap();
    assert!(done.success(), "see above what failed");
}
