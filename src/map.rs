//! `vitals map`: a first mapping from a look at a file, and what would come of a file, before anything is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
};

use ingest::{amend::Rules, import, outcome::Measured, render_rfc3339};
use jiff::Timestamp;
use proto::{
    v1::{Event, SubjectKind},
    vocabulary::{self, Kind},
};
use serde_json::Value;

use crate::{
    Usage,
    config::Config,
    help,
    import::summary,
    output::number::{exact_decimal, grouped, plain_count_of},
    site,
};

/// Flags of `vitals map`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Looks at a file and prints a first mapping, with what was found and what was guessed.
    #[command(after_help = help::MAP_NEW)]
    New {
        /// A file of delimited text, packed or not, or a workbook
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// What would come of files: events by type, sums by currency, times, accounts, and what is left out and why. Nothing
    /// is written.
    #[command(after_help = help::MAP_TRY)]
    Try {
        /// Files as for `vitals import`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How rows become events: a file, or the name of a ready mapping
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        /// Print this many of the events, too
        #[arg(long, value_name = "N", default_value_t = 3)]
        events: usize,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        Command::New { file } => {
            write!(out, "{}", ingest::guess::mapping(file).map_err(|error| Usage(error.into()))?)?;
            Ok(())
        }
        Command::Try { files, mapping, events } => attempt(files, mapping, *events, config, path, out),
    }
}

fn attempt(
    files: &[PathBuf],
    mapping: &Path,
    shown: usize,
    config: &Config,
    path: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let folder = std::env::temp_dir();
    let options = import::Options {
        mapping: Some(mapping.to_owned()),
        zone: plan.settings.zone.clone(),
        floor_us: config.history_floor().map_err(Usage)?,
        unknown_types: config.unknown_types().map_err(Usage)?,
        ..import::Options::new(files.to_vec(), folder, Timestamp::now().as_microsecond())
    };
    let mut found = Totals::default();
    let mut first = Vec::new();
    let max_ahead_us = plan.settings.max_ahead;
    let summary = import::preview(&options, &mut |event| {
        found.add(event);
        if first.len() < shown {
            // It is not recorded yet.
            let text = ingest::cloudevents::render(event, None);
            first.push(text.replacen("\"recordedat\":\"1970-01-01T00:00:00Z\",", "", 1));
        }
    })?;
    let measured = Measured::new(move |kind| plan.measures(kind));
    write!(out, "{}", summary::counts(&summary, &measured))?;
    for ((kind, field, currency), minor) in &found.money {
        writeln!(out, "  sum of {kind} {field}: {} {currency}", grouped(&exact_decimal(*minor, currency)))?;
    }
    writeln!(out, "{}", plain_count_of(found.accounts.len(), "account"))?;
    if let Some((from, to)) = summary.times_us {
        writeln!(out, "dated {} to {}", render_rfc3339(from), render_rfc3339(to))?;
    }
    if site::log_of(path).is_ok() {
        let rules = Rules::new(max_ahead_us, processor::outcomes::standing);
        let found = import::compare(&options, &rules, site::follow(config, path)?.as_ref())?;
        let (differ, same) = (found.replaced + found.again, found.unchanged);
        let have = if differ + same == 1 { "has an id" } else { "have ids" };
        writeln!(
            out,
            "{} {have} that the log of {} knows: {same} with this content (duplicates), {differ} with another one \
             (conflicts; --replace makes these hold)",
            differ + same,
            path.display()
        )?;
    }
    for event in &first {
        writeln!(out, "{event}")?;
    }
    writeln!(out, "nothing was written; `vitals import` with the same files and mapping does")?;
    Ok(())
}

/// What events come to.
#[derive(Default)]
struct Totals {
    /// Minor units by type, field and currency.
    money: BTreeMap<(String, &'static str, String), i128>,
    accounts: BTreeSet<String>,
}

impl Totals {
    fn add(&mut self, event: &Event) {
        if event.subject_kind() == SubjectKind::Account {
            self.accounts.insert(event.subject.clone());
        }
        let Some(kind) = vocabulary::find(&event.r#type) else { return };
        let fields = kind.fields.iter().filter(|field| matches!(field.kind, Kind::Money(..)));
        let mut fields = fields.peekable();
        if fields.peek().is_none() {
            return;
        }
        let Ok(event) = serde_json::from_str::<Value>(&ingest::cloudevents::render(event, None)) else { return };
        let currency = event["data"]["currency"].as_str().unwrap_or_default();
        for field in fields {
            if let Some(minor) = event["data"][field.name].as_i64().filter(|minor| *minor != 0) {
                let key = (kind.name.to_owned(), field.name, currency.to_owned());
                *self.money.entry(key).or_default() += i128::from(minor);
            }
        }
    }
}
