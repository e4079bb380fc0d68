//! `vitals import`: files of history into the log, resumable after a kill to the same outputs.
//!
//! ```text
//!   lines -> validate -> sort by (time, source, id) -> [rows done | rows to do] -> ticks, stamps -> log
//!                                                                ^ position, in the same commit
//! ```
//! What is appended is a function of the files, the mapping, the options and the log's clock. The wall
//! clock of the first run is kept with the position, so that a resumed one accepts the same lines.
//! The final commit deletes the position: a finished file starts over.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use eventlog::Log;
use jiff::tz::TimeZone;
use proto::{Message, v1::Event};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    Error, Rejection, Result,
    amend::{self, Amended, Ground, Rules},
    door::{self, Door},
    files::Texts,
    mapping::{self, Mapping},
    near::UnknownTypes,
    records::Dialect,
    render_rfc3339,
    sort::Order,
    ticks::Grid,
};

mod appending;
mod group;
mod listed;
mod reading;
mod reasons;
mod rejects;

use appending::Appending;
pub use listed::imports;
use reading::Reading;
pub use reasons::{KINDS_MAX, Reason, Reasons};

/// Changes when the same file would give other records: then no old position fits.
const ALGORITHM: u32 = 5;

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The files, sorted together.
    pub files: Vec<PathBuf>,
    /// Mapping of delimited files; none for NDJSON.
    pub mapping: Option<PathBuf>,
    /// [`Order::Time`], or [`Order::File`] to keep theirs.
    pub order: Order,
    /// Where rejected lines go verbatim, with the header of their file, so that they can be imported again once they are
    /// mended; the reasons go beside it, to a file with `.reasons.tsv` added to the name. Existing files are overwritten.
    pub rejects: Option<PathBuf>,
    /// Lets the contents of rows hold whose ids the log knows with other ones; none leaves what the log holds.
    pub replace: Option<Rules>,
    /// Tick on to this time; not after `now_us`.
    pub until_us: Option<i64>,
    /// Span of the grid of ticks; a day means local midnights.
    pub tick_us: i64,
    /// Time zone of the tenant.
    pub zone: TimeZone,
    /// The wall clock.
    pub now_us: i64,
    /// Earlier events are rejected.
    pub floor_us: i64,
    /// What to do with types that are not in the vocabulary.
    pub unknown_types: UnknownTypes,
    /// Source of events without one.
    pub source: String,
    /// Topic of events, without the configurable prefix.
    pub topic: String,
    /// Where the sort keeps what does not fit in memory.
    pub folder: PathBuf,
    /// Memory of the sort, in bytes.
    pub memory_max: usize,
    /// Records of a commit; changes nothing that is appended.
    pub batch_records: usize,
}

impl Options {
    /// Where contents that take the place of others are looked for, up to these ends.
    fn ground<'a>(&'a self, log: &'a dyn Log, ends: &'a [u64]) -> Ground<'a> {
        Ground { log, topic: &self.topic, ends, folder: &self.folder, memory_max: self.memory_max, order: self.order }
    }

    /// The defaults for these files.
    pub fn new(files: Vec<PathBuf>, folder: PathBuf, now_us: i64) -> Self {
        Self {
            files,
            mapping: None,
            order: Order::Time,
            rejects: None,
            replace: None,
            until_us: None,
            tick_us: 86_400_000_000,
            zone: TimeZone::UTC,
            now_us,
            floor_us: crate::HISTORY_FLOOR_US,
            unknown_types: UnknownTypes::default(),
            source: "import".to_owned(),
            topic: crate::EVENTS.to_owned(),
            folder,
            memory_max: 64 << 20,
            batch_records: 4_000,
        }
    }
}

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file, as given.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Why.
    pub reason: Rejection,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Bytes read and validated.
    Reading {
        /// So far.
        done: u64,
        /// Of all files.
        total: u64,
    },
    /// Rows are in the log, durably.
    Appending {
        /// So far, those of an interrupted run included.
        done: u64,
        /// Of all.
        total: u64,
    },
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that are not blank, without the header. `read = accepted + rejected + left out`.
    pub read: u64,
    /// Lines that became events, or parts of them.
    pub accepted: u64,
    /// Lines refused.
    pub rejected: u64,
    /// Lines that become no event, by name: those that are no data, and those that a mapping leaves out.
    pub left_out: BTreeMap<String, u64>,
    /// Events that they became.
    pub events: u64,
    /// Events by type.
    pub types: BTreeMap<String, u64>,
    /// Events left out since they say what the one before of the same account said.
    pub unchanged: u64,
    /// Rows that an interrupted run had appended already.
    pub resumed: u64,
    /// Rows appended by this run.
    pub appended: u64,
    /// Ticks appended by this run.
    pub ticks: u64,
    /// Commits of this run.
    pub commits: u64,
    /// Least and greatest event time accepted.
    pub times_us: Option<(i64, i64)>,
    /// The log's clock at the end.
    pub clock_us: Option<i64>,
    /// Why lines were refused.
    pub reasons: Reasons,
    /// Its id; empty where the log does not list imports.
    pub import: String,
    /// What came of contents that take the place of others.
    pub amended: Amended,
    /// It was told to stop; import again to go on.
    pub stopped: bool,
}

/// Imports the files. `progress` is called often; `stop` ends it at the next commit.
///
/// # Errors
/// When a file, the mapping or an option is wrong, or the log refuses. What was committed stays, and
/// the same call goes on from there.
pub fn run(options: &Options, log: &dyn Log, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
    let mapping = checked(options)?;
    let grid = Grid::new(options.zone.clone(), options.tick_us)?;
    let group = group(options)?;
    let mut door = open(log, options, grid)?;
    let position = position(log, &group, options.replace.is_some().then_some(door.partitions()), options)?;
    let listed = listed::Listed::begin(log, &group, &position, options, "")?;
    listed.mark(&mut door);
    let mut reading = Reading::new(options, mapping.as_ref(), position.now_us)?;
    let Some(rows) = reading.rows(mapping.as_ref(), progress, stop)? else {
        return Ok(Summary { stopped: true, ..reading.summary });
    };
    let mut summary = Summary { resumed: position.done, import: listed.id().to_owned(), ..reading.summary };
    let mut total = summary.events;
    let rows = match &options.replace {
        None => rows,
        Some(rules) => {
            let (rows, amended) = amend::replace(rows, &options.ground(log, &position.ends), rules)?;
            (summary.amended, total) = (amended, total + amended.retracted);
            rows
        }
    };
    Appending { options, group, position, door, listed, total, summary }.run(rows, progress, stop)
}

/// Takes back what an import brought, as if it had never been: see [`crate::amend`]. The files of the options are not read;
/// without `go` it only says what it would do.
///
/// # Errors
/// When there is no such import, or the log refuses. What was committed stays, and the same call goes on from there.
pub fn undo(
    import: &str,
    options: &Options,
    rules: &Rules,
    log: &dyn Log,
    go: bool,
    progress: &mut dyn FnMut(Progress),
    stop: &AtomicBool,
) -> Result<Summary> {
    if !imports(log)?.iter().any(|known| known.id == import) {
        let problem = format!("there is no import {import}; `vitals imports` lists them");
        return Err(Error::Option { option: "--undo", problem });
    }
    let group = format!("undo.{import}");
    if !go {
        let spec = log.topics()?.into_iter().find(|spec| spec.name == options.topic);
        let position = position(log, &group, spec.map(|spec| spec.partitions), options)?;
        let (_, amended) = amend::undo(import, &options.ground(log, &position.ends), rules)?;
        return Ok(Summary { amended, ..Summary::default() });
    }
    let mut door = open(log, options, Grid::new(options.zone.clone(), options.tick_us)?)?;
    let position = position(log, &group, Some(door.partitions()), options)?;
    let listed = listed::Listed::begin(log, &group, &position, options, import)?;
    listed.mark(&mut door);
    let (rows, amended) = amend::undo(import, &options.ground(log, &position.ends), rules)?;
    let total = amended.retracted + amended.replaced + amended.again;
    let import = listed.id().to_owned();
    let summary =
        Summary { resumed: position.done, accepted: total, events: total, import, amended, ..Summary::default() };
    Appending { options, group, position, door, listed, total, summary }.run(rows, progress, stop)
}

fn open(log: &dyn Log, options: &Options, grid: Grid) -> Result<Door> {
    let config = door::Config {
        topic: options.topic.as_str().into(),
        producer: "import".to_owned(),
        batch_records: options.batch_records,
        ..door::Config::default()
    };
    Door::open(log, config, grid)
}

/// That the files are there and hold lines, that the mapping can be read, and that the options make sense: what [`run`] asks
/// first. It changes nothing.
///
/// # Errors
/// When they do not.
pub fn check(options: &Options) -> Result<()> {
    checked(options).map(drop)
}

/// Reads and maps the files as [`run`] does, and appends nothing; `visit` sees every event, in their order.
///
/// # Errors
/// When a file, the mapping or an option is wrong.
pub fn preview(options: &Options, visit: &mut dyn FnMut(&Event)) -> Result<Summary> {
    let mapping = checked(options)?;
    let mut reading = Reading::new(options, mapping.as_ref(), options.now_us)?;
    let rows = reading.rows(mapping.as_ref(), &mut |_| {}, &AtomicBool::new(false))?;
    for row in rows.into_iter().flatten() {
        visit(&Event::decode(row?.payload.as_slice()).map_err(|_| Error::Run("event"))?);
    }
    Ok(reading.summary)
}

/// How the contents of the files differ from those that the log holds of the same ids: what `--replace` would do. Nothing is
/// appended.
///
/// # Errors
/// When a file, the mapping or an option is wrong, or the log refuses.
pub fn compare(options: &Options, rules: &Rules, log: &dyn Log) -> Result<Amended> {
    let mapping = checked(options)?;
    let mut reading = Reading::new(options, mapping.as_ref(), options.now_us)?;
    let Some(rows) = reading.rows(mapping.as_ref(), &mut |_| {}, &AtomicBool::new(false))? else {
        return Ok(Amended::default());
    };
    let spec = log.topics()?.into_iter().find(|spec| spec.name == options.topic);
    let end = |partition| Ok(log.watermarks(&options.topic, partition)?.high);
    let ends: Vec<u64> = (0..spec.map_or(0, |spec| spec.partitions)).map(end).collect::<Result<_>>()?;
    Ok(amend::replace(rows, &options.ground(log, &ends), rules)?.1)
}

/// The same as [`check`], with the mapping that it read.
fn checked(options: &Options) -> Result<Option<Mapping>> {
    let load = |path: &PathBuf| Mapping::load(path, &options.zone, options.unknown_types);
    let mapping = options.mapping.as_ref().map(load).transpose()?;
    options.files.iter().try_for_each(|path| holds_lines(path, mapping.as_ref()))?;
    let Some(until) = options.until_us.filter(|until| *until > options.now_us) else { return Ok(mapping) };
    let problem = format!("is {}, expected not after now ({})", render_rfc3339(until), render_rfc3339(options.now_us));
    Err(Error::Option { option: "--until", problem })
}

const DELIMITED: &str = "delimited text, such as CSV, and no JSON";
const UNMAPPED: &str =
    "give the mapping that says how its columns become events: --mapping FILE (docs/mappings.md has an example)";

/// Whether text has no line that could be an event, and at least one line with columns.
fn is_delimited(begin: &[u8]) -> bool {
    let lines = || begin.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let columns = |line: &[u8]| line.iter().any(|byte| b",;\t|".contains(byte));
    !lines().any(|line| line.contains(&b'{')) && lines().any(columns)
}

/// How the files are written; those of events need no mapping.
fn dialect(mapping: Option<&Mapping>) -> Cow<'_, Dialect> {
    mapping.map_or_else(Cow::default, |mapping| Cow::Borrowed(mapping.dialect()))
}

/// One look instead of a rejection for each line.
fn holds_lines(path: &Path, mapping: Option<&Mapping>) -> Result<()> {
    let fail = |e| Error::file(path, e);
    let not_lines = |what, cure| Err(Error::NotLines { path: path.display().to_string(), what, cure });
    let kind = std::fs::metadata(path).map_err(fail)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return not_lines("not a regular file", "an import reads it twice: write it to one first");
    }
    let mut begin = Vec::new();
    let mut texts = Texts::open(path, &dialect(mapping), &Arc::default())?;
    if let Some(text) = texts.next()? {
        text.reader.take(4_096).read_to_end(&mut begin).map_err(fail)?;
    }
    let events = mapping.is_none();
    let array = events && begin.trim_ascii_start().starts_with(b"[");
    let array = array.then_some(("a JSON array", "an event a line is expected: jq -c '.[]'"));
    let delimited = (events && is_delimited(&begin)).then_some((DELIMITED, UNMAPPED));
    match array.or(delimited) {
        Some((what, cure)) => not_lines(what, cure),
        None => Ok(()),
    }
}

/// The consumer group that keeps the position: a name for exactly this import.
fn group(options: &Options) -> Result<String> {
    let mut hash = Xxh3::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    let zone = options.zone.iana_name().unwrap_or_default();
    let settings =
        (ALGORITHM, options.tick_us, options.floor_us, options.until_us, options.order, &options.source, zone);
    part(format!("{settings:?}{:?}", options.unknown_types).as_bytes());
    if options.replace.is_some() {
        part(b"replace");
    }
    if let Some(path) = &options.mapping {
        part(mapping::ready::text(path)?.as_bytes());
    }
    for path in &options.files {
        part(&contents(path)?.to_le_bytes());
    }
    Ok(format!("import.{:032x}", hash.digest128()))
}

fn contents(path: &Path) -> Result<u128> {
    let fail = |e| Error::file(path, e);
    let mut file = File::open(path).map_err(fail)?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(hash.digest128()),
            bytes => hash.update(&buffer[..bytes]),
        }
    }
}

/// Where an import is: rows done, as the offset, and what it knew when it began.
#[derive(Debug, Clone)]
struct Position {
    done: u64,
    /// The wall clock of its first run.
    now_us: i64,
    /// Where the partitions ended then, where what is appended depends on what they hold.
    ends: Vec<u64>,
    there: bool,
}

impl Position {
    /// `rows since the last tick,wall clock,ends`; the first is for people, the tail of the log says it too.
    fn metadata(&self, rows: u64) -> String {
        let ends: Vec<String> = self.ends.iter().map(u64::to_string).collect();
        let ends = if ends.is_empty() { String::new() } else { format!(",{}", ends.join(".")) };
        format!("{rows},{}{ends}", self.now_us)
    }
}

/// The position of a group; `partitions` where their ends are needed.
fn position(log: &dyn Log, group: &str, partitions: Option<u32>, options: &Options) -> Result<Position> {
    if let Some(committed) = log.committed(group, &options.topic, 0)? {
        let mut parts = committed.metadata.split(',').skip(1);
        let now_us = parts.next().and_then(|now| now.parse().ok()).unwrap_or(options.now_us);
        let ends = parts.next().unwrap_or_default().split('.').filter_map(|end| end.parse().ok()).collect();
        return Ok(Position { done: committed.offset, now_us, ends, there: true });
    }
    let end = |partition| Ok(log.watermarks(&options.topic, partition)?.high);
    let ends = (0..partitions.unwrap_or(0)).map(end).collect::<Result<_>>()?;
    Ok(Position { done: 0, now_us: options.now_us, ends, there: false })
}

#[cfg(test)]
mod tests;
