//! `vitals waiting`: the events that wait for the order, invoice or event that they name, and since when. It follows the log:
//! another process may write.

use std::{io::Write, path::Path};

use ingest::{
    cloudevents::{self, Position},
    render_rfc3339,
};
use processor::outcomes::{Logged, Missing, Outcome};
use serde_json::json;

use crate::{
    Usage,
    config::Config,
    outcomes::scan::Scan,
    output::{self, table::Side},
    quarantine::{local, whose},
    site,
};

/// Flags of `vitals waiting`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line, with the whole event
    #[arg(long)]
    json: bool,
}

const HEADER: [(&str, Side); 7] = [
    ("since", Side::Name),
    ("time", Side::Name),
    ("source", Side::Left),
    ("id", Side::Left),
    ("type", Side::Left),
    ("account", Side::Left),
    ("waits for", Side::Left),
];

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let (plan, log) = (config.plan().map_err(Usage)?, site::follow(config, path)?);
    let zone = config.settings().map_err(Usage)?.zone;
    let mut rows = Vec::new();
    Scan::open(log.as_ref(), &plan, path)?.groups(|group| {
        for (at, outcome) in group.ended.outcomes.iter().enumerate() {
            let Outcome::Waiting(missing) = outcome else { continue };
            let event = group.event(at)?;
            if args.json {
                let Logged { partition, offset, .. } = *group.logged(at);
                let whole = cloudevents::render(&event, Some(Position { partition, offset }));
                let (waits, since) = (object(missing), render_rfc3339(event.recorded_at_us));
                writeln!(
                    out,
                    "{{\"status\":\"waiting\",\"waits_for\":{waits},\"since\":\"{since}\",\"event\":{whole}}}"
                )?;
                continue;
            }
            rows.push(vec![
                local(event.recorded_at_us, &zone),
                local(event.time_us, &zone),
                event.source.clone(),
                event.id.clone(),
                event.r#type.clone(),
                whose(&event),
                text(missing),
            ]);
        }
        Ok(())
    })?;
    if args.json {
        return Ok(());
    }
    if rows.is_empty() {
        writeln!(out, "nothing waits")?;
        return Ok(());
    }
    let events = rows.len();
    output::table(&HEADER, rows.into_iter(), out)?;
    writeln!(
        out,
        "{events} waiting\nEach is applied when what it names comes, whatever the order; until then it changes nothing."
    )?;
    Ok(())
}

fn text(missing: &Missing) -> String {
    match missing {
        Missing::Order(id) => format!("order {id}"),
        Missing::Invoice(id) => format!("invoice {id}"),
        Missing::Event(source, id) => format!("event {id} of source {source}"),
    }
}

fn object(missing: &Missing) -> serde_json::Value {
    match missing {
        Missing::Order(id) => json!({"order": id}),
        Missing::Invoice(id) => json!({"invoice": id}),
        Missing::Event(source, id) => json!({"event": id, "source": source}),
    }
}
