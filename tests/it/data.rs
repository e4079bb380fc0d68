//! A data directory, the program run on it, and all that it has published.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eventlog::{Log, embedded};
use proto::{
    Message,
    v1::{MetricEntry, metric_entry::Entry},
};
use rusqlite::types::ValueRef;
use tempfile::TempDir;

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// Exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Run {
    /// The same, if it is done.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// The same, if it imported something and failed because of the lines that it rejected.
    #[track_caller]
    pub(crate) fn rejects(self) -> Self {
        self.fails(1, &[" were rejected, more than ", "; the others are imported."]);
        self
    }

    /// Fails unless it ended like this, with all these texts on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, texts: &[&str]) {
        for text in texts {
            assert!(self.err.contains(text), "expected {text}\n   found {}\n   out {}", self.err, self.out);
        }
        assert_eq!(self.code, Some(code), "{}", self.err);
    }

    /// Fails unless standard output has all these texts.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.out.contains(text), "expected {text}\n   found {}\n   err {}", self.out, self.err);
        }
    }
}

/// Topic and key; ticks have the key of their partition.
pub(crate) type Key = (String, Vec<u8>);

/// Values of a key in order.
pub(crate) type Sequences = BTreeMap<Key, Vec<Vec<u8>>>;

/// A temporary folder with a data directory and the files of a test.
pub(crate) struct Data {
    folder: TempDir,
    config: Option<PathBuf>,
}

impl Drop for Data {
    /// What a test failed on can be looked at.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}

impl Data {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), config: None }
    }

    /// With `--config` at every run from now on.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        self.config = Some(self.file("vitals.toml", toml));
        self
    }

    /// The data directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file beside the data directory.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The command, not yet started.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
        command.args(arguments).arg("--data").arg(self.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// `vitals import FILE FLAGS`.
    pub(crate) fn import(&self, file: &Path, flags: &[&str]) -> Run {
        self.run(["import".as_ref(), file.as_os_str()].into_iter().chain(flags.iter().map(OsStr::new)))
    }

    /// Every record of the metric topics and the alerts, by key. Ticks too: with the number of their partition as key.
    pub(crate) fn sequences(&self) -> Sequences {
        let log = embedded::Embedded::open(self.path().join("log"), embedded::Config::default()).unwrap();
        let sequences = sequences(log.as_ref());
        assert!(sequences.keys().any(|(topic, _)| topic == "alerts.v1"), "no alert at all: the test shows too little");
        sequences
    }

    /// The snapshots and alerts among them.
    pub(crate) fn snapshots(&self) -> Sequences {
        without_ticks(self.sequences())
    }

    /// The ticks among them.
    pub(crate) fn ticks(&self) -> Sequences {
        let mut sequences = self.sequences();
        sequences.retain(|(topic, _), values| is_ticks(topic, values));
        sequences
    }

    /// Every row of the store as text, sorted; series by their names.
    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows = self.points("revision_us, corrected, value, num, den, since_us, final, reason");
        rows.extend(self.select("alerts", "alerts", "*"));
        rows.extend(self.select("alert_transitions", "alert_transitions", "*"));
        rows
    }

    /// How far the store has come, by topic and partition.
    pub(crate) fn clocks(&self) -> Vec<String> {
        self.select("clock", "clock", "*")
    }

    /// The number of points in the store, if there is one with any.
    pub(crate) fn stored(&self) -> Option<usize> {
        let path = self.path().join(store::sqlite::FILE);
        let db = path.exists().then(|| rusqlite::Connection::open(path).unwrap())?;
        let points = db.query_row("SELECT count(*) FROM points", [], |row| row.get::<_, i64>(0)).ok()?;
        usize::try_from(points).ok().filter(|points| *points > 0)
    }

    /// The points with these columns.
    pub(crate) fn points(&self, columns: &str) -> Vec<String> {
        let names =
            "tenant, metric, definition, kept_by, dimensions, currency, account, unit, window, start_us, end_us";
        self.select("point", "points JOIN series ON series.id = points.series", &format!("{names}, {columns}"))
    }

    fn select(&self, what: &str, from: &str, columns: &str) -> Vec<String> {
        let db = rusqlite::Connection::open(self.path().join(store::sqlite::FILE)).unwrap();
        let mut statement = db.prepare(&format!("SELECT {columns} FROM {from}")).unwrap();
        let width = statement.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            let cells = (0..width).map(|at| row.get_ref(at).map(show));
            Ok(format!("{what}: {}", cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|")))
        };
        let mut rows: Vec<String> = statement.query_map([], text).unwrap().map(|row| row.unwrap()).collect();
        rows.sort_unstable();
        rows
    }
}

fn show(cell: ValueRef<'_>) -> String {
    match cell {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

/// What a log has published.
pub(crate) fn sequences(log: &dyn Log) -> Sequences {
    let mut published = Published::default();
    published.go_on(log);
    published.sequences
}

/// What a log has published, read on from where it was read before.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) sequences: Sequences,
    /// Records that are no ticks.
    pub(crate) snapshots: usize,
    /// Where each partition ended when it was read, and the offset after the last record.
    read: BTreeMap<(String, u32), (u64, u64)>,
}

impl Published {
    /// Reads what came since the last time.
    pub(crate) fn go_on(&mut self, log: &dyn Log) {
        for topic in log.topics().unwrap() {
            if topic.name != "alerts.v1" && !topic.name.starts_with("metrics.") {
                continue;
            }
            for partition in 0..topic.partitions {
                self.read_on(log, &topic.name, partition);
            }
        }
    }

    fn read_on(&mut self, log: &dyn Log, topic: &str, partition: u32) {
        let high = log.watermarks(topic, partition).unwrap().high;
        let (end, next) = self.read.entry((topic.to_owned(), partition)).or_default();
        assert!(high >= *end, "{topic}: partition {partition} was made anew");
        // The end of a transaction takes an offset, too: where nothing was appended, nothing became visible.
        if high == *end {
            return;
        }
        for stored in eventlog::past(log, topic, partition, *next).unwrap().map(Result::unwrap) {
            *next = stored.offset + 1;
            let record = stored.record;
            let is_tick = record.key == processor::topics::TICK_KEY;
            self.snapshots += usize::from(!is_tick);
            let key = if is_tick { vec![u8::try_from(partition).unwrap()] } else { record.key.to_vec() };
            let value = record.value.map(|value| value.to_vec()).unwrap_or_default();
            self.sequences.entry((topic.to_owned(), key)).or_default().push(value);
        }
        *end = high;
    }
}

/// The snapshots and alerts among them. None of a key is published twice, nor after a later one.
#[track_caller]
pub(crate) fn without_ticks(mut sequences: Sequences) -> Sequences {
    sequences.retain(|(topic, _), values| !is_ticks(topic, values));
    for ((topic, _), values) in &sequences {
        let revisions: Vec<(i64, &Vec<u8>)> = values.iter().map(|value| (revision(topic, value), value)).collect();
        // Alerts may fire and be resolved within a second.
        let follows = |a: &(i64, _), b: &(i64, _)| a.0 < b.0 || topic == "alerts.v1" && a.0 == b.0 && a.1 != b.1;
        let shown = || values.iter().map(|value| describe(topic, value)).collect::<Vec<_>>().join("\n  ");
        assert!(revisions.is_sorted_by(follows), "{topic}\n  {}", shown());
    }
    sequences
}

fn revision(topic: &str, value: &[u8]) -> i64 {
    if topic == "alerts.v1" {
        return proto::v1::AlertTransition::decode(value).unwrap().at_us;
    }
    match MetricEntry::decode(value).unwrap().entry {
        Some(Entry::Snapshot(snapshot)) => snapshot.revision_us,
        Some(Entry::Outlook(outlook)) => outlook.revision_us,
        other => panic!("{topic}: {other:?}"),
    }
}

fn is_ticks(topic: &str, values: &[Vec<u8>]) -> bool {
    topic != "alerts.v1" && matches!(MetricEntry::decode(values[0].as_slice()).unwrap().entry, Some(Entry::Tick(_)))
}

/// What a partition holds now.
pub(crate) fn records(log: &dyn Log, topic: &str, partition: u32) -> Vec<eventlog::Record> {
    eventlog::past(log, topic, partition, 0).unwrap().map(|stored| stored.unwrap().record).collect()
}

/// Fails at the first key that does not have the same values in the same order.
#[track_caller]
pub(crate) fn assert_same_sequences(found: &Sequences, expected: &Sequences, context: &str) {
    for (key, values) in expected {
        let show =
            |values: &[Vec<u8>]| values.iter().map(|value| describe(&key.0, value)).collect::<Vec<_>>().join("\n  ");
        match found.get(key) {
            Some(other) if other == values => {}
            Some(other) => panic!("{context}: {}\nexpected\n  {}\nfound\n  {}", key.0, show(values), show(other)),
            None => panic!("{context}: {} has not\n  {}", key.0, show(values)),
        }
    }
    let more = found.iter().find(|(key, _)| !expected.contains_key(*key));
    if let Some((key, values)) = more {
        panic!("{context}: {} has also\n  {}", key.0, describe(&key.0, &values[0]));
    }
}

fn describe(topic: &str, value: &[u8]) -> String {
    if topic == "alerts.v1" {
        return format!("{:?}", proto::v1::AlertTransition::decode(value));
    }
    format!("{:?}", MetricEntry::decode(value))
}

/// Fails at the first row that only one of them has.
#[track_caller]
pub(crate) fn assert_same_rows(found: &[String], expected: &[String], context: &str) {
    assert!(!expected.is_empty(), "{context}: no rows: the test shows nothing");
    let different = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(different, None, "{context}: (found, expected) of {} and {} rows", found.len(), expected.len());
    assert_eq!(found.len(), expected.len(), "{context}");
}
