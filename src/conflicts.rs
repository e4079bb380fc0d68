//! `vitals conflicts`: two contents for one thing, of which one counts, side by side: events whose id was known with other
//! content, and orders that two events open with other content. It follows the log: another process may write.

use std::{collections::BTreeMap, io::Write, path::Path};

use ingest::cloudevents::{self, Position};
use processor::outcomes::{Logged, Outcome};
use proto::v1::Event;
use serde_json::{Value, json};

use crate::{
    Usage,
    config::Config,
    outcomes::scan::{Group, Scan},
    output::{self, table::Side},
    quarantine::whose,
    site,
};

/// Flags of `vitals conflicts`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line, with both events
    #[arg(long)]
    json: bool,
}

const HEADER: [(&str, Side); 3] = [("field", Side::Left), ("holds", Side::Left), ("does not", Side::Left)];

/// What to do about them.
const CURE: &str = "\
An event that comes again with other content changes nothing. To let the content of a file hold, import it with --replace;
else send an event with `corrects: ID` (docs/events.md).";

/// Attributes of where and when an event was recorded, which are no content.
const NO_CONTENT: [&str; 4] = ["specversion", "recordedat", "partition", "offset"];

/// What has two contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Conflict,
    OpenedAgain,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let (plan, log) = (config.plan().map_err(Usage)?, site::follow(config, path)?);
    let (mut conflicts, mut opened_again) = (0_u64, 0_u64);
    Scan::open(log.as_ref(), &plan, path)?.groups(|group| {
        for (at, outcome) in group.ended.outcomes.iter().enumerate() {
            let Outcome::Conflict(holder) = outcome else { continue };
            conflicts += 1;
            Pair::of(group, Kind::Conflict, *holder, at)?.write(args.json, out)?;
        }
        for (at, holder) in &group.ended.opened_again {
            opened_again += 1;
            Pair::of(group, Kind::OpenedAgain, *holder, *at)?.write(args.json, out)?;
        }
        Ok(())
    })?;
    if args.json {
        return Ok(());
    }
    if conflicts + opened_again == 0 {
        writeln!(out, "nothing is in conflict")?;
        return Ok(());
    }
    writeln!(out, "{conflicts} in conflict, {opened_again} that open an order again\n{CURE}")?;
    Ok(())
}

/// An event that holds, and one that does not because of it.
struct Pair {
    kind: Kind,
    holds: (Event, Value),
    other: (Event, Value),
}

impl Pair {
    fn of(group: &Group, kind: Kind, holder: usize, other: usize) -> anyhow::Result<Self> {
        let one = |at: usize| {
            let (event, Logged { partition, offset, .. }) = (group.event(at)?, group.logged(at));
            let position = Position { partition: *partition, offset: *offset };
            let rendered = serde_json::from_str(&cloudevents::render(&event, Some(position)))?;
            anyhow::Ok((event, rendered))
        };
        Ok(Self { kind, holds: one(holder)?, other: one(other)? })
    }

    /// Fields that differ, with both values; an absent one is empty.
    fn differences(&self) -> Vec<(String, String, String)> {
        let (mut holds, mut other) = (BTreeMap::new(), BTreeMap::new());
        flatten("", &self.holds.1, &mut holds);
        flatten("", &self.other.1, &mut other);
        let names: std::collections::BTreeSet<&String> = holds.keys().chain(other.keys()).collect();
        let value = |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
        let rows = names.into_iter().filter(|name| holds.get(*name) != other.get(*name));
        rows.map(|name| (name.clone(), value(&holds, name), value(&other, name))).collect()
    }

    fn write(&self, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let differences = self.differences();
        if json {
            let status = match self.kind {
                Kind::Conflict => "conflict",
                Kind::OpenedAgain => "order opened again",
            };
            let fields: Vec<&String> = differences.iter().map(|(name, ..)| name).collect();
            let object = json!({"status": status, "fields": fields, "holds": self.holds.1, "other": self.other.1});
            writeln!(out, "{object}")?;
            return Ok(());
        }
        let (event, account) = (&self.holds.0, whose(&self.holds.0));
        match self.kind {
            Kind::Conflict => writeln!(out, "conflict: source {} id {} of {account}", event.source, event.id)?,
            Kind::OpenedAgain => {
                let order = self.holds.1["data"]["order"].as_str().unwrap_or_default();
                writeln!(out, "order {order} of {account} is opened by two events with other content")?;
            }
        }
        let rows = differences.into_iter().map(|(name, holds, other)| vec![name, holds, other]);
        output::table(&HEADER, rows, out)?;
        writeln!(out)?;
        Ok(())
    }
}

/// The leaves of an object by their dotted path.
fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            let content = fields.iter().filter(|(name, _)| !path.is_empty() || !NO_CONTENT.contains(&name.as_str()));
            content.for_each(|(name, value)| flatten(&join(name), value, out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(&format!("{path}[{at}]"), item, out));
        }
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        other => drop(out.insert(path.to_owned(), other.to_string())),
    }
}
