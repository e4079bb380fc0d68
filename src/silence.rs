//! `vitals silence`: alerts that are not sent for a while. What still fires when a silence ends is sent then.

use std::{io::Write, path::Path};

use alert::notify::{
    Matcher,
    action::{Actions, Asked, Silenced},
};
use anyhow::anyhow;
use processor::topics;
use proto::{Message as _, v1::AlertAction};

use crate::{
    Usage,
    actions::{self, Door},
    config::Config,
    help,
    output::{self, table::Side},
    quarantine::local,
    site,
};

/// Silences.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Command {
    /// Silences the alerts that all matchers match, from now on.
    #[command(after_help = help::SILENCE_ADD)]
    Add {
        /// A label and its value: name=value, with =, !=, =~ or !~ between them
        #[arg(long = "matcher", value_name = "MATCHER", required = true)]
        matchers: Vec<String>,
        /// How long, such as 30m, 2h or 7d
        #[arg(long = "for", value_name = "SPAN")]
        lasts: String,
        /// Who
        #[arg(long, value_name = "NAME", default_value = "")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
    /// The silences that last.
    #[command(after_help = help::SILENCE_LIST)]
    List {
        /// Those that are over, too
        #[arg(long)]
        all: bool,
    },
    /// Ends a silence now.
    #[command(after_help = help::SILENCE_END)]
    End {
        /// The silence, as `vitals silence list` names it
        id: String,
        /// Who
        #[arg(long, value_name = "NAME", default_value = "")]
        by: String,
    },
}

const HEADER: [(&str, Side); 5] = [
    ("silence", Side::Name),
    ("matchers", Side::Left),
    ("ends", Side::Name),
    ("by", Side::Left),
    ("comment", Side::Left),
];

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        Command::Add { matchers, lasts, by, comment } => {
            let asked = Asked {
                silence: matchers.clone(),
                lasts: Some(lasts.clone()),
                by: by.clone(),
                comment: comment.clone(),
                ..Asked::default()
            };
            let now_us = jiff::Timestamp::now().as_microsecond();
            asked.action(now_us).map_err(|problem| Usage(anyhow::Error::msg(problem)))?;
            let id = actions::send(&asked, &args.door, config, path)?;
            writeln!(out, "silence {id} for {lasts}: `vitals silence end {id}` ends it")?;
        }
        Command::List { all } => list(*all, config, path, out)?,
        Command::End { id, by } => {
            let known = silences(config, path)?;
            if !known.iter().any(|silence| silence.id == *id) {
                return Err(
                    Usage(anyhow!("there is no silence {id}; `vitals silence list --all` has all of them")).into()
                );
            }
            let asked = Asked { end: Some(id.clone()), by: by.clone(), ..Asked::default() };
            actions::send(&asked, &args.door, config, path)?;
            writeln!(out, "silence {id} is over: what still fires is sent")?;
        }
    }
    Ok(())
}

fn silences(config: &Config, path: &Path) -> anyhow::Result<Vec<Silenced>> {
    let log = site::follow(config, path)?;
    let mut actions = Actions::default();
    if log.topics()?.iter().any(|spec| spec.name == topics::ALERT_ACTIONS) {
        for stored in eventlog::past(log.as_ref(), topics::ALERT_ACTIONS, 0, 0)? {
            let Some(value) = stored?.record.value else { continue };
            // The notifier warns of one that it leaves out.
            let _ = actions.apply(AlertAction::decode(value)?);
        }
    }
    Ok(actions.silences().cloned().collect())
}

fn list(all: bool, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let now_us = jiff::Timestamp::now().as_microsecond();
    let zone = config.settings().map_err(Usage)?.zone;
    let mut shown = silences(config, path)?;
    shown.retain(|silence| all || silence.ends_us > now_us);
    if shown.is_empty() {
        writeln!(out, "no silences")?;
        return Ok(());
    }
    let row = |silence: &Silenced| {
        let matchers: Vec<&str> = silence.matchers.iter().map(Matcher::written).collect();
        vec![
            silence.id.clone(),
            matchers.join(", "),
            local(silence.ends_us, &zone),
            silence.by.clone(),
            silence.comment.clone(),
        ]
    };
    output::table(&HEADER, shown.iter().map(row), out)
}
