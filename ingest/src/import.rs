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
    amend::{self, Amended, Ground, Rules},
    door::{self, Door},
    event::{self, Context},
    files::{Text, Texts},
    lines::{self, Line},
    mapping::{self, Fate, Identity, Layout, Made, Mapping},
    near::UnknownTypes,
    number,
    object::{self, Objects},
    records::{Delimiter, Dialect, FOOTER, Found, Records},
    render_rfc3339,
    sort::{Item, Merge, Order, Sorter},
    telemetry,
    ticks::Grid,
};

mod group;
mod listed;
mod reasons;
mod rejects;

use group::Group;
pub use listed::imports;
pub use reasons::{KINDS_MAX, Reason, Reasons};
use rejects::Rejects;

/// Changes when the same file would give other records: then no old position fits.
const ALGORITHM: u32 = 5;
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

/// Where events go by what has to be done with them.
struct Sorters {
    /// To the log.
    plain: Sorter,
    /// Equal ones are numbered.
    joined: Sorter,
    /// Those that say nothing new are left out.
    changes: Sorter,
}

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
        let [plain, joined, changes] = [self.options.order, Order::Identity, Order::History].map(sorter);
        let mut sorters = Sorters { plain, joined, changes };
        let mut starts = Vec::new();
        for path in &self.options.files {
            let mut texts = Texts::open(path, &dialect(mapping), &self.bytes)?;
            while let Some(text) = texts.next()? {
                starts.push(self.summary.read);
                let read = match mapping {
                    None => self.events(text, &mut sorters.plain, progress, stop)?,
                    Some(mapping) if mapping.is_json() => self.objects(text, mapping, &mut sorters, progress, stop)?,
                    Some(mapping) => self.mapped(text, mapping, &mut sorters, progress, stop)?,
                };
                if !read {
                    return Ok(None);
                }
            }
        }
        if let Some(rejects) = self.rejects.take() {
            rejects.close(&self.footer)?;
        }
        let Sorters { mut plain, joined, changes } = sorters;
        if !joined.is_empty() {
            number::number(joined.finish()?, &starts, &mut plain)?;
        }
        if !changes.is_empty() {
            self.changes(changes.finish()?, &mut plain)?;
        }
        plain.finish().map(Some)
    }

    /// Keeps the events that say other things than the one before of the same rule and account.
    fn changes(&mut self, events: Merge, plain: &mut Sorter) -> Result<()> {
        let mut last: Option<(Box<str>, Event)> = None;
        for item in events {
            let item = item?;
            let event = Event::decode(item.payload.as_slice()).map_err(|_| Error::Run("event"))?;
            let says_it = |(of, last): &(Box<str>, Event)| {
                *of == item.id && last.data == event.data && last.custom == event.custom
            };
            if last.as_ref().is_some_and(says_it) {
                self.summary.unchanged += 1;
                continue;
            }
            self.push(&event, item.sequence, plain)?;
            last = Some((item.id, event));
        }
        Ok(())
    }

    /// Reads a text of an event a line; false when told to stop.
    fn events(
        &mut self,
        text: Text,
        sorter: &mut Sorter,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let Text { name, mut reader, .. } = text;
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
        sorters: &mut Sorters,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let Text { name, reader, is_sheet } = text;
        let fail = |e| Error::file(Path::new(&name), e);
        let mut records = Records::open(reader, mapping.dialect()).map_err(fail)?;
        if is_sheet {
            records.count_rows();
        }
        let mut header = records.before().to_vec();
        let mut layout = mapping.bind_listed()?;
        let mut groups = mapping.groups().then(|| self.groups());
        let (mut rows, mut made, mut footer): (u64, _, _) = (0, Vec::new(), Vec::new());
        loop {
            let found = records.next().map_err(fail)?;
            let at = Place { text: &name, line: records.line(), header: &header };
            match (found, &layout) {
                (Found::End, _) => break,
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
                (Found::Row, Some(layout)) => match &mut groups {
                    Some(groups) => self.gather(at, layout, &mut records, groups)?,
                    None => {
                        let row = records.row();
                        let fate = layout.fit(row).and_then(|()| match layout.leaves_out(row)? {
                            Some(name) => Ok(Fate::LeftOut(name)),
                            None => layout.row(row, &self.context, &mut made),
                        });
                        self.end(at, records.verbatim(), fate, &mut made, sorters)?;
                    }
                },
            }
            rows += 1;
            if rows.is_multiple_of(LOOK) && !self.goes_on(progress, stop) {
                return Ok(false);
            }
        }
        if footer.len() == mapping.dialect().footer {
            self.footer = footer;
        }
        match (groups, &layout) {
            (Some(groups), Some(layout)) => {
                let file = Place { text: &name, line: 0, header: &header };
                self.gathered(file, layout, records.delimiter(), groups, sorters, stop)
            }
            _ => Ok(true),
        }
    }

    /// Reads a text of JSON objects; false when told to stop.
    fn objects(
        &mut self,
        text: Text,
        mapping: &Mapping,
        sorters: &mut Sorters,
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<bool> {
        let Text { name, mut reader, .. } = text;
        let (mut objects, mut made) = (Objects::default(), Vec::new());
        let mut count: u64 = 0;
        loop {
            let found = objects.next(&mut reader).map_err(|e| Error::file(Path::new(&name), e))?;
            let at = Place { text: &name, line: objects.line(), header: &[] };
            match found {
                object::Found::End => return Ok(true),
                object::Found::Wrong(reason) => self.reject(at, objects.verbatim(), reason)?,
                object::Found::Object => {
                    let records = object::raw(objects.verbatim()).and_then(|document| mapping.records(document));
                    match records {
                        Err(reason) => self.reject(at, objects.verbatim(), reason)?,
                        Ok(records) => {
                            for record in records {
                                let fate = mapping.object(record, &self.context, &mut made);
                                self.end(at, record.get().as_bytes(), fate, &mut made, sorters)?;
                            }
                        }
                    }
                }
            }
            count += 1;
            if count.is_multiple_of(LOOK) && !self.goes_on(progress, stop) {
                return Ok(false);
            }
        }
    }

    /// Where the rows of groups are gathered.
    fn groups(&self) -> Sorter {
        Sorter::new(Order::Identity, &self.options.folder, self.options.memory_max)
    }

    /// Keeps a row until all of its group are there.
    fn gather(
        &mut self,
        at: Place<'_>,
        layout: &Layout<'_>,
        records: &mut Records<'_>,
        groups: &mut Sorter,
    ) -> Result<()> {
        let row = records.row();
        let group = layout.fit(row).and_then(|()| match layout.leaves_out(row)? {
            Some(name) => Ok(Err(name)),
            None => layout.group(row).map(Ok),
        });
        match group {
            Ok(Ok(id)) => {
                self.summary.read += 1;
                let payload = [&at.line.to_le_bytes(), records.verbatim()].concat();
                groups.push(Item { time_us: 0, source: "".into(), id: id.into(), sequence: self.summary.read, payload })
            }
            Ok(Err(name)) => {
                self.leave_out(name);
                Ok(())
            }
            Err(reason) => self.reject(at, records.verbatim(), reason),
        }
    }

    /// Maps the rows of each group; false when told to stop.
    fn gathered(
        &mut self,
        file: Place<'_>,
        layout: &Layout<'_>,
        delimiter: &Delimiter,
        groups: Sorter,
        sorters: &mut Sorters,
        stop: &AtomicBool,
    ) -> Result<bool> {
        let mut group = Group::default();
        let mut made = Vec::new();
        for item in groups.finish()?.map(Some).chain([None]) {
            let item = item.transpose()?;
            let same = item.as_ref().is_some_and(|item| item.id == group.id);
            if !same && !group.rows.is_empty() {
                self.grouped(file, layout, &group, &mut made, sorters)?;
                if stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
            }
            let Some(item) = item else { break };
            if !same {
                group = Group { id: item.id.clone(), ..Group::default() };
            }
            group.take(item, layout, delimiter)?;
        }
        Ok(true)
    }

    fn grouped(
        &mut self,
        file: Place<'_>,
        layout: &Layout<'_>,
        group: &Group,
        made: &mut Vec<Made>,
        sorters: &mut Sorters,
    ) -> Result<()> {
        let count = u64::try_from(group.lines.len()).unwrap_or(u64::MAX);
        let fate = match group.is_full() {
            true => Err(Rejection::line(format!("more than {} rows are of its group", group::ROWS_MAX))),
            false => layout.rows(&group.id, &group.rows, &self.context, made),
        };
        match fate {
            Ok(Fate::Mapped) => {
                self.summary.accepted += count;
                self.take_made(made, group.last, sorters)
            }
            Ok(Fate::LeftOut(name)) => {
                *self.summary.left_out.entry(name.to_owned()).or_default() += count;
                Ok(())
            }
            Err(reason) => {
                // Each row was counted as read when it was gathered.
                self.summary.read -= count;
                let first = group.lines.first().map_or(0, |(line, _)| *line);
                let problem = format!("{} (the rows of its group begin on line {first})", reason.problem);
                let reason = Rejection { problem, ..reason };
                for (line, verbatim) in &group.lines {
                    self.reject(Place { line: *line, ..file }, verbatim, reason.clone())?;
                }
                Ok(())
            }
        }
    }

    /// Counts a record and takes what it became.
    fn end(
        &mut self,
        at: Place<'_>,
        verbatim: &[u8],
        fate: Result<Fate<'_>, Rejection>,
        made: &mut Vec<Made>,
        sorters: &mut Sorters,
    ) -> Result<()> {
        match fate {
            Ok(Fate::Mapped) => {
                self.summary.read += 1;
                self.summary.accepted += 1;
                self.take_made(made, self.summary.read, sorters)
            }
            Ok(Fate::LeftOut(name)) => {
                self.leave_out(name);
                Ok(())
            }
            Err(reason) => self.reject(at, verbatim, reason),
        }
    }

    fn take_made(&mut self, made: &mut Vec<Made>, sequence: u64, sorters: &mut Sorters) -> Result<()> {
        for Made { event, identity, changes_of } in made.drain(..) {
            match (changes_of, identity) {
                (Some(rule), _) => sorters.changes.push(Item {
                    time_us: event.time_us,
                    source: rule.into(),
                    id: event.subject.as_str().into(),
                    sequence,
                    payload: event.encode_to_vec(),
                })?,
                (None, Identity::Joined) => self.push(&event, sequence, &mut sorters.joined)?,
                (None, Identity::Given) => self.push(&event, sequence, &mut sorters.plain)?,
            }
        }
        Ok(())
    }

    /// Says how far it is; false when told to stop.
    fn goes_on(&self, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> bool {
        progress(Progress::Reading { done: self.bytes.load(Ordering::Relaxed), total: self.total });
        !stop.load(Ordering::Relaxed)
    }

    fn take(&mut self, event: &Event, sorter: &mut Sorter) -> Result<()> {
        self.summary.read += 1;
        self.summary.accepted += 1;
        self.push(event, self.summary.read, sorter)
    }

    fn push(&mut self, event: &Event, sequence: u64, sorter: &mut Sorter) -> Result<()> {
        self.count(event);
        sorter.push(Item {
            time_us: event.time_us,
            source: event.source.as_str().into(),
            id: event.id.as_str().into(),
            sequence,
            payload: event.encode_to_vec(),
        })
    }

    fn count(&mut self, event: &Event) {
        let summary = &mut self.summary;
        summary.events += 1;
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
    listed: listed::Listed,
    /// Rows to append, about.
    total: u64,
    summary: Summary,
}

impl Appending<'_> {
    fn run(mut self, rows: Merge, progress: &mut dyn FnMut(Progress), stop: &AtomicBool) -> Result<Summary> {
        let mut skip = self.position.done;
        if !self.position.there {
            self.listed.add(&self.summary, self.position.done, false, &mut self.door);
        }
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
            let event = Event::decode(row.payload.as_slice()).map_err(|_| Error::Run("event"))?;
            let brought_by = amend::brought_by(&row.source, &event);
            self.door.append_with(event, brought_by);
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
        self.listed.add(&self.summary, self.position.done, true, &mut self.door);
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
        let metadata = self.position.metadata(self.door.schedule().clock().rows);
        self.commit(Some(Committed { offset: self.position.done, metadata }), progress)?;
        Ok(true)
    }

    fn commit(&mut self, position: Option<Committed>, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.position.there = position.is_some();
        let offsets = vec![(self.options.topic.as_str().into(), 0, position)];
        self.door.commit(vec![GroupOffsets { group: self.group.clone(), offsets }])?;
        self.summary.commits += 1;
        progress(Progress::Appending { done: self.position.done, total: self.total });
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
