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
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use eventlog::{Committed, GroupOffsets, Log};
use jiff::tz::TimeZone;
use proto::{Message, v1::Event};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    Error, Rejection, Result,
    door::{self, Door},
    event::{self, Context},
    files::{Text, Texts},
    lines::{self, Line},
    mapping::Mapping,
    near::UnknownTypes,
    number,
    records::{Dialect, FOOTER, Found, Records},
    render_rfc3339,
    sort::{Item, Merge, Order, Sorter},
    telemetry,
    ticks::Grid,
};

mod reasons;
mod rejects;

pub use reasons::{KINDS_MAX, Reason, Reasons};
use rejects::Rejects;

/// Changes when the same file would give other records: then no old position fits.
const ALGORITHM: u32 = 4;
/// Lines between two looks at what was asked meanwhile.
const LOOK: u64 = 1_024;
/// Types counted by name in a summary; more are counted together.
const TYPES_MAX: usize = 1_000;

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
    /// The defaults for these files.
    pub fn new(files: Vec<PathBuf>, folder: PathBuf, now_us: i64) -> Self {
        Self {
            files,
            mapping: None,
            order: Order::Time,
            rejects: None,
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
    /// Lines that became events.
    pub accepted: u64,
    /// Lines refused.
    pub rejected: u64,
    /// Lines that are no data, by what they are.
    pub left_out: BTreeMap<String, u64>,
    /// Accepted events by type.
    pub types: BTreeMap<String, u64>,
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
    let position = position(log, &group, options)?;
    let config = door::Config {
        topic: options.topic.as_str().into(),
        producer: "import".to_owned(),
        batch_records: options.batch_records,
        ..door::Config::default()
    };
    let door = Door::open(log, config, grid)?;
    let mut reading = Reading::new(options, mapping.as_ref(), position.now_us)?;
    let Some(rows) = reading.rows(mapping.as_ref(), progress, stop)? else {
        return Ok(Summary { stopped: true, ..reading.summary });
    };
    let summary = Summary { resumed: position.done, ..reading.summary };
    Appending { options, group, position, door, summary }.run(rows, progress, stop)
}

/// That the files are there and hold lines, that the mapping can be read, and that the options make sense: what [`run`] asks
/// first. It changes nothing.
///
/// # Errors
/// When they do not.
pub fn check(options: &Options) -> Result<()> {
    checked(options).map(drop)
}

/// The same; hands out the mapping that it read.
fn checked(options: &Options) -> Result<Option<Mapping>> {
    let load = |path: &PathBuf| Mapping::load(path, &options.zone, options.unknown_types);
    let mapping = options.mapping.as_ref().map(load).transpose()?;
    options.files.iter().try_for_each(|path| holds_lines(path, mapping.as_ref()))?;
    let Some(until) = options.until_us.filter(|until| *until > options.now_us) else { return Ok(mapping) };
    let problem = format!("is {}, expected not after now ({})", render_rfc3339(until), render_rfc3339(options.now_us));
    Err(Error::Option { option: "--until", problem })
}

/// How a ZIP archive begins.
const ZIP: &[u8] = b"PK\x03\x04";

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
    let zip = begin.starts_with(ZIP).then_some(("a ZIP archive", "unpack it first"));
    let events = mapping.is_none();
    let array = events && begin.trim_ascii_start().starts_with(b"[");
    let array = array.then_some(("a JSON array", "an event a line is expected: jq -c '.[]'"));
    let delimited = (events && is_delimited(&begin)).then_some((DELIMITED, UNMAPPED));
    match zip.or(array).or(delimited) {
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
    if let Some(path) = &options.mapping {
        part(&std::fs::read(path).map_err(|e| Error::file(path, e))?);
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

/// Where an import is: rows done, as the offset, and the wall clock of its first run.
#[derive(Debug, Clone, Copy)]
struct Position {
    done: u64,
    now_us: i64,
    there: bool,
}

/// The metadata is `rows since the last tick,wall clock`; the first is for people, the tail of the log says it too.
fn position(log: &dyn Log, group: &str, options: &Options) -> Result<Position> {
    let start = Position { done: 0, now_us: options.now_us, there: false };
    let Some(committed) = log.committed(group, &options.topic, 0)? else { return Ok(start) };
    let now = committed.metadata.split_once(',').and_then(|(_, now)| now.parse().ok());
    Ok(Position { done: committed.offset, now_us: now.unwrap_or(options.now_us), there: true })
}

/// The first half: lines to sorted rows.
struct Reading<'a> {
    options: &'a Options,
    context: Context,
    rejects: Option<Rejects>,
    nowhere: std::io::Sink,
    /// The rows of the last footer, as they were.
    footer: Vec<Vec<u8>>,
    summary: Summary,
    /// Bytes taken from the files.
    bytes: Arc<AtomicU64>,
    total: u64,
}

/// What rows are sorted by: their time, or first by their identity, as equal rows are numbered.
type Sorters<'s> = (&'s mut Sorter, &'s mut Sorter);

impl<'a> Reading<'a> {
    fn new(options: &'a Options, mapping: Option<&Mapping>, now_us: i64) -> Result<Self> {
        let mut total = 0;
        for path in &options.files {
            total += std::fs::metadata(path).map_err(|e| Error::file(path, e))?.len();
        }
        let context = Context {
            now_us,
            until_us: now_us,
            floor_us: options.floor_us,
            unknown_types: options.unknown_types,
            source: options.source.clone(),
            tenant: String::new(),
        };
        let marked = mapping.is_some_and(|mapping| mapping.dialect().encoding.is_some());
        let open = |path: &PathBuf| Rejects::create(path, options, marked);
        let rejects = options.rejects.as_ref().map(open).transpose()?;
        Ok(Self {
            options,
            context,
            rejects,
            nowhere: std::io::sink(),
            footer: Vec::new(),
            summary: Summary::default(),
            bytes: Arc::default(),
            total,
        })
    }

    /// All rows in their final order; `None` when told to stop.
    fn rows(
        &mut self,
        mapping: Option<&Mapping>,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<Option<Merge>> {
        let sorter = |order| Sorter::new(order, &self.options.folder, self.options.memory_max);
        let (mut plain, mut joined) = (sorter(self.options.order), sorter(Order::Identity));
        let mut starts = Vec::new();
        for path in &self.options.files {
            let mut texts = Texts::open(path, &dialect(mapping), &self.bytes)?;
            while let Some(text) = texts.next()? {
                starts.push(self.summary.read);
                let read = match mapping {
                    None => self.events(text, &mut plain, progress, stop)?,
                    Some(mapping) => self.mapped(text, mapping, (&mut plain, &mut joined), progress, stop)?,
                };
                if !read {
                    return Ok(None);
                }
            }
        }
        if let Some(rejects) = self.rejects.take() {
            rejects.close(&self.footer)?;
        }
        if !joined.is_empty() {
            number::number(joined.finish()?, &starts, &mut plain)?;
        }
        plain.finish().map(Some)
    }

    /// Reads a text of an event a line; false when told to stop.
    fn events(
        &mut self,
        text: Text,
        sorter: &mut Sorter,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let Text { name, mut reader } = text;
        let fail = |e| Error::file(Path::new(&name), e);
        let (mut buffer, mut number) = (Vec::new(), 0);
        loop {
            buffer.clear();
            let found = lines::next(&mut reader, &mut buffer, event::LINE_MAX).map_err(fail)?;
            number += 1;
            let at = Place { text: &name, line: number, header: &[] };
            match found {
                Line::End => return Ok(true),
                Line::Long => {
                    self.reject(at, &buffer, Rejection::too_long())?;
                    lines::rest(&mut reader, self.rejects_out()).map_err(fail)?;
                }
                Line::Whole => {
                    let line = lines::trimmed(&buffer);
                    if !line.trim_ascii().is_empty() {
                        match event::parse(line, &self.context) {
                            Ok(event) => self.take(&event, sorter)?,
                            Err(reason) => self.reject(at, &buffer, reason)?,
                        }
                    }
                }
            }
            if number.is_multiple_of(LOOK) && !self.goes_on(progress, stop) {
                return Ok(false);
            }
        }
    }

    /// Reads a text of rows; false when told to stop.
    fn mapped(
        &mut self,
        text: Text,
        mapping: &Mapping,
        (plain, joined): Sorters<'_>,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let Text { name, reader } = text;
        let fail = |e| Error::file(Path::new(&name), e);
        let mut records = Records::open(reader, mapping.dialect()).map_err(fail)?;
        let mut header = records.before().to_vec();
        let mut layout = mapping.bind_listed()?;
        let (mut rows, mut footer): (u64, _) = (0, Vec::new());
        loop {
            let found = records.next().map_err(fail)?;
            let at = Place { text: &name, line: records.line(), header: &header };
            match (found, &layout) {
                (Found::End, _) => {
                    if footer.len() == mapping.dialect().footer {
                        self.footer = footer;
                    }
                    return Ok(true);
                }
                (Found::LeftOut(name), _) => {
                    self.leave_out(name);
                    if name == FOOTER {
                        footer.push(records.verbatim().to_vec());
                    }
                }
                (Found::Long, _) => {
                    self.reject(at, records.verbatim(), Rejection::too_long())?;
                    records.rest(self.rejects_out()).map_err(fail)?;
                }
                (Found::Wrong(reason), None) => return Err(mapping.of_header(&reason)),
                (Found::Row, None) => {
                    layout = Some(mapping.bind(&mut records)?);
                    header.extend_from_slice(records.verbatim());
                }
                (Found::Wrong(reason), Some(_)) => self.reject(at, records.verbatim(), reason)?,
                (Found::Row, Some(layout)) => match layout.event(records.row(), &self.context) {
                    Ok((event, is_joined)) => self.take(&event, if is_joined { &mut *joined } else { &mut *plain })?,
                    Err(reason) => self.reject(at, records.verbatim(), reason)?,
                },
            }
            rows += 1;
            if rows.is_multiple_of(LOOK) && !self.goes_on(progress, stop) {
                return Ok(false);
            }
        }
    }

    /// Says how far it is; false when told to stop.
    fn goes_on(&self, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> bool {
        progress(Progress::Reading { done: self.bytes.load(Ordering::Relaxed), total: self.total });
        !stop.load(Ordering::Relaxed)
    }

    fn take(&mut self, event: &Event, sorter: &mut Sorter) -> Result<()> {
        self.count(event);
        sorter.push(Item {
            time_us: event.time_us,
            source: event.source.as_str().into(),
            id: event.id.as_str().into(),
            sequence: self.summary.read,
            payload: event.encode_to_vec(),
        })
    }

    fn count(&mut self, event: &Event) {
        let summary = &mut self.summary;
        summary.read += 1;
        summary.accepted += 1;
        let time = event.time_us;
        summary.times_us = Some(summary.times_us.map_or((time, time), |(a, b)| (a.min(time), b.max(time))));
        match summary.types.get_mut(&event.r#type) {
            Some(count) => *count += 1,
            None => {
                let full = summary.types.len() >= TYPES_MAX;
                let name = if full { "(other types)" } else { event.r#type.as_str() };
                *summary.types.entry(name.to_owned()).or_default() += 1;
            }
        }
    }

    /// A row that is no data; nothing else is done with it.
    fn leave_out(&mut self, name: &str) {
        self.summary.read += 1;
        *self.summary.left_out.entry(name.to_owned()).or_default() += 1;
    }

    /// Where what is left of a rejected line goes.
    fn rejects_out(&mut self) -> &mut dyn Write {
        match &mut self.rejects {
            Some(rejects) => rejects.rest(),
            None => &mut self.nowhere,
        }
    }

    fn reject(&mut self, at: Place<'_>, verbatim: &[u8], reason: Rejection) -> Result<()> {
        self.summary.read += 1;
        self.summary.rejected += 1;
        telemetry::rejected(1);
        if let Some(rejects) = &mut self.rejects {
            rejects.take(at, verbatim, &reason)?;
        }
        let rejected = |reason| Rejected { file: at.text.to_owned(), line: at.line, reason };
        self.summary.reasons.add(reason, rejected);
        Ok(())
    }
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The name of the text.
    text: &'a str,
    line: u64,
    /// What comes before the rows of the text, its header included.
    header: &'a [u8],
}

/// The second half: rows and ticks to the log.
struct Appending<'a> {
    options: &'a Options,
    group: String,
    position: Position,
    door: Door,
    summary: Summary,
}

impl Appending<'_> {
    fn run(mut self, rows: Merge, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
        let mut skip = self.position.done;
        for row in rows {
            let row = row?;
            if skip > 0 {
                skip -= 1;
                continue;
            }
            while let Some(at_us) = self.door.schedule().before(row.time_us) {
                if self.tick(at_us, progress)? && stop.load(Ordering::Relaxed) {
                    return self.stopped();
                }
            }
            self.door.append(Event::decode(row.payload.as_slice()).map_err(|_| Error::Run("event"))?);
            self.position.done += 1;
            self.summary.appended += 1;
            if self.flush(progress)? && stop.load(Ordering::Relaxed) {
                return self.stopped();
            }
        }
        self.close(progress, stop)
    }

    /// The last tick, then on to `--until`; the final commit forgets the position.
    fn close(mut self, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
        if let Some(at_us) = self.door.schedule().last() {
            self.tick(at_us, progress)?;
        }
        if let Some(until_us) = self.options.until_us {
            while let Some(at_us) = self.door.schedule().towards(until_us) {
                if self.tick(at_us, progress)? && stop.load(Ordering::Relaxed) {
                    return self.stopped();
                }
            }
        }
        if self.position.there || !self.door.is_empty() {
            self.commit(None, progress)?;
        }
        Ok(self.end())
    }

    fn tick(&mut self, at_us: i64, progress: &mut dyn FnMut(Progress)) -> Result<bool> {
        if self.door.tick(at_us) {
            self.summary.ticks += 1;
        }
        self.flush(progress)
    }

    fn flush(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<bool> {
        if !self.door.is_full() {
            return Ok(false);
        }
        let metadata = format!("{},{}", self.door.schedule().clock().rows, self.position.now_us);
        self.commit(Some(Committed { offset: self.position.done, metadata }), progress)?;
        Ok(true)
    }

    fn commit(&mut self, position: Option<Committed>, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.position.there = position.is_some();
        let offsets = vec![(self.options.topic.as_str().into(), 0, position)];
        self.door.commit(vec![GroupOffsets { group: self.group.clone(), offsets }])?;
        self.summary.commits += 1;
        progress(Progress::Appending { done: self.position.done, total: self.summary.accepted });
        Ok(())
    }

    fn stopped(mut self) -> Result<Summary> {
        self.summary.stopped = true;
        Ok(self.end())
    }

    fn end(mut self) -> Summary {
        self.summary.clock_us = self.door.schedule().clock().at;
        self.summary
    }
}

#[cfg(test)]
mod tests;
