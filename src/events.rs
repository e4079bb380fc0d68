//! `vitals events`: the log as CloudEvents, one a line; importing them gives the same events. It follows the log: another
//! process may write.
//!
//! Ticks, on request, are lines `{"tick":TIME,"partition":N}`, which the import does not read.

use std::{io::Write, sync::Arc};

use anyhow::anyhow;
use clap::ValueEnum;
use eventlog::{Log, Past};
use ingest::{
    cloudevents::{Position, render},
    door, render_rfc3339,
};
use proto::v1::{Entry, entry};

use crate::{Usage, config::Config, site};

/// Flags of `vitals events`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Print ticks too
    #[arg(long)]
    pub(crate) ticks: bool,
    /// By (partition, offset), or all partitions merged by recorded time
    #[arg(long, value_enum, default_value_t = By::Offset)]
    pub(crate) order: By,
    /// This partition only
    #[arg(long)]
    pub(crate) partition: Option<u32>,
    /// Events of this id only, whatever their source
    #[arg(long)]
    pub(crate) id: Option<String>,
}

/// What the lines are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// (partition, offset)
    Offset,
    /// Recorded time, events before ticks
    Recorded,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &std::path::Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = site::follow(config, path)?;
    run(args, &log, processor::topics::EVENTS, out)?;
    Ok(())
}

/// Prints what the topic holds now; returns the number of lines.
///
/// # Errors
/// When the log cannot be read or `out` not be written.
pub(crate) fn run(args: &Args, log: &Arc<dyn Log>, topic: &str, out: &mut dyn Write) -> anyhow::Result<u64> {
    let spec = log.topics()?.into_iter().find(|spec| spec.name == topic);
    let partitions = spec.map_or(0, |spec| spec.partitions);
    if let Some(partition) = args.partition.filter(|partition| *partition >= partitions) {
        let last = partitions.saturating_sub(1);
        return Err(Usage(anyhow!("--partition {partition}: {topic} has the partitions 0 to {last}")).into());
    }
    let mut cursors = Vec::new();
    for partition in (0..partitions).filter(|p| args.partition.is_none_or(|only| only == *p)) {
        cursors.push(Cursor::open(log.as_ref(), topic, partition)?);
    }
    let mut lines = 0;
    loop {
        let mut heads = Vec::new();
        for (at, cursor) in cursors.iter_mut().enumerate() {
            if let Some(key) = cursor.key(topic)? {
                heads.push((key, at));
                if args.order == By::Offset {
                    break;
                }
            }
        }
        let Some((_, at)) = heads.into_iter().min() else { return Ok(lines) };
        let Some((offset, entry)) = cursors[at].head.take() else { return Ok(lines) };
        let partition = cursors[at].partition;
        match entry.entry {
            Some(entry::Entry::Event(event)) if args.id.as_ref().is_none_or(|id| *id == event.id) => {
                writeln!(out, "{}", render(&event, Some(Position { partition, offset })))?
            }
            Some(entry::Entry::Tick(tick)) if args.ticks && args.id.is_none() => {
                writeln!(out, "{{\"tick\":\"{}\",\"partition\":{partition}}}", render_rfc3339(tick.at_us))?;
            }
            _ => continue,
        }
        lines += 1;
    }
}

/// Reads one partition up to where it ended when opened.
struct Cursor {
    partition: u32,
    past: Past,
    head: Option<(u64, Entry)>,
}

impl Cursor {
    fn open(log: &dyn Log, topic: &str, partition: u32) -> anyhow::Result<Self> {
        Ok(Self { partition, past: eventlog::past(log, topic, partition, 0)?, head: None })
    }

    /// (recorded time, tick or not) of the next entry.
    fn key(&mut self, topic: &str) -> anyhow::Result<Option<(i64, bool)>> {
        if self.head.is_none() {
            let Some(stored) = self.past.next().transpose()? else { return Ok(None) };
            self.head = Some((stored.offset, door::decode(topic, self.partition, &stored)?));
        }
        Ok(self.head.as_ref().map(|(_, entry)| match &entry.entry {
            Some(entry::Entry::Event(event)) => (event.recorded_at_us, false),
            Some(entry::Entry::Tick(tick)) => (tick.at_us, true),
            Some(entry::Entry::Claim(_)) | None => (i64::MIN, false),
        }))
    }
}
