//! The first half of an import: lines and rows to events, sorted.
//!
//! Invariants: a line ends accepted, left out under a name, or rejected with a reason, and the counts add up; memory is
//! bounded, as what does not fit is sorted on disk. It does not know the log.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use proto::{Message, v1::Event};

use super::{
    Options, Progress, Rejected, Summary, dialect,
    group::{self, Group},
    rejects::Rejects,
};
use crate::{
    Error, Rejection, Result,
    event::{self, Context},
    files::{Text, Texts},
    lines::{self, Line},
    mapping::{Fate, Identity, Layout, Made, Mapping},
    number,
    object::{self, Objects},
    records::{Delimiter, FOOTER, Found, Records},
    sort::{Item, Merge, Order, Sorter},
    telemetry,
};

/// Lines between two looks at what was asked meanwhile.
const LOOK: u64 = 1_024;
/// Types counted by name in a summary; more are counted together.
const TYPES_MAX: usize = 1_000;

/// The first half: lines to sorted rows.
pub(super) struct Reading<'a> {
    options: &'a Options,
    context: Context,
    rejects: Option<Rejects>,
    nowhere: std::io::Sink,
    /// The rows of the last footer, as they were.
    footer: Vec<Vec<u8>>,
    pub(super) summary: Summary,
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
    pub(super) fn new(options: &'a Options, mapping: Option<&Mapping>, now_us: i64) -> Result<Self> {
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
    pub(super) fn rows(
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
pub(super) struct Place<'a> {
    /// The name of the text.
    pub(super) text: &'a str,
    pub(super) line: u64,
    /// What comes before the rows of the text, its header included.
    pub(super) header: &'a [u8],
}
