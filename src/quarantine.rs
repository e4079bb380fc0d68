//! `vitals quarantine`: the events that were dated too far ahead to be applied, from the dead letters. It follows the log:
//! another process may write.
//!
//! An event is listed once it has been processed, at the next tick, and once however often it was: after a rebuild it
//! may be among the letters again. One that was sent again with the right time is still listed: it lies in the log.

use std::{collections::BTreeMap, io::Write, path::Path};

use anyhow::Context as _;
use eventlog::{Log, Stored};
use ingest::{cloudevents, door, outcome::span};
use jiff::{Timestamp, tz::TimeZone};
use processor::topics;
use proto::v1::{DeadLetter, Event, SubjectKind, entry};
use task::dead;

use crate::{
    Usage,
    config::Config,
    output::{self, table::Side},
    site,
};

/// Flags of `vitals quarantine`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line, with the whole event
    #[arg(long)]
    json: bool,
}

const HEADER: [(&str, Side); 7] = [
    ("time", Side::Name),
    ("recorded at", Side::Name),
    ("ahead by", Side::Right),
    ("source", Side::Left),
    ("id", Side::Left),
    ("type", Side::Left),
    ("account", Side::Left),
];

/// What to do about them.
const CURE: &str = "\
They are counted nowhere. Send each again with the right time: its id is free, so the same one may be used.
Where the sender's clock is right, raise [settings] max_ahead and run `vitals rebuild`.";

/// Where an event lies: partition and offset in the topic of events.
type Place = (u32, u64);

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = site::follow(config, path)?;
    let (events, others) = letters(log.as_ref())?;
    if args.json {
        return events.iter().try_for_each(|(place, event)| json(*place, event, out));
    }
    if events.is_empty() {
        writeln!(out, "nothing is quarantined")?;
    } else {
        table(&events, &config.settings().map_err(Usage)?.zone, out)?;
        writeln!(out, "{} quarantined\n{CURE}", events.len())?;
    }
    for letter in others {
        let DeadLetter { topic, partition, offset, stage, reason } = letter;
        writeln!(out, "dead letter: topic {topic} partition {partition} offset {offset}: {reason} (found by {stage})")?;
    }
    Ok(())
}

/// The events that were dated ahead, by their place; and what else is among the letters.
fn letters(log: &dyn Log) -> anyhow::Result<(BTreeMap<Place, Event>, Vec<DeadLetter>)> {
    let (mut events, mut others) = (BTreeMap::new(), BTreeMap::new());
    let there = log.topics()?.into_iter().any(|spec| spec.name == topics::DEAD_LETTERS);
    if !there {
        return Ok((events, Vec::new()));
    }
    for stored in eventlog::past(log, topics::DEAD_LETTERS, 0, 0)? {
        let stored = stored?;
        let letter = dead::detail(&stored.record)
            .with_context(|| format!("{} offset {}: is no dead letter", topics::DEAD_LETTERS, stored.offset))?;
        match ahead(&letter, stored) {
            Some(event) => drop(events.insert((letter.partition, letter.offset), event)),
            None => drop(others.insert((letter.topic.clone(), letter.partition, letter.offset), letter)),
        }
    }
    Ok((events, others.into_values().collect()))
}

/// The event of a letter, if it is one that could be applied but for its time.
fn ahead(letter: &DeadLetter, stored: Stored) -> Option<Event> {
    if letter.topic != topics::EVENTS {
        return None;
    }
    match door::decode(topics::DEAD_LETTERS, 0, &stored).ok()?.entry {
        Some(entry::Entry::Event(event)) if event.time_us > event.recorded_at_us => Some(event),
        _ => None,
    }
}

fn json((partition, offset): Place, event: &Event, out: &mut dyn Write) -> anyhow::Result<()> {
    let position = cloudevents::Position { partition, offset };
    let ahead_us = event.time_us - event.recorded_at_us;
    let whole = cloudevents::render(event, Some(position));
    writeln!(out, "{{\"status\":\"quarantined\",\"ahead_seconds\":{},\"event\":{whole}}}", ahead_us / 1_000_000)?;
    Ok(())
}

fn table(events: &BTreeMap<Place, Event>, zone: &TimeZone, out: &mut dyn Write) -> anyhow::Result<()> {
    let row = |event: &Event| {
        vec![
            local(event.time_us, zone),
            local(event.recorded_at_us, zone),
            span(event.time_us - event.recorded_at_us),
            event.source.clone(),
            event.id.clone(),
            event.r#type.clone(),
            whose(event),
        ]
    };
    output::table(&HEADER, events.values().map(row), out)
}

/// Whose event it is: the account, or what it is about instead.
pub(crate) fn whose(event: &Event) -> String {
    match event.subject_kind() {
        SubjectKind::Account => event.subject.clone(),
        SubjectKind::Lead => format!("lead {}", event.subject),
        SubjectKind::Tenant => String::new(),
        SubjectKind::Guest => format!("order {}", event.subject),
    }
}

/// A time in the tenant's zone, to the second.
pub(crate) fn local(at_us: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at_us).map(|at| at.to_zoned(zone.clone()));
    at.map_or_else(|_| format!("{at_us} us"), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
