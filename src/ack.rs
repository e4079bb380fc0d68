//! `vitals ack`: somebody takes care of an alert.

use std::{io::Write, path::Path};

use alert::notify::action::Asked;
use anyhow::anyhow;
use processor::topics;
use proto::{Message as _, v1::AlertTransition};

use crate::{
    Usage,
    actions::{self, Door},
    config::Config,
    site,
};

/// Flags of `vitals ack`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The alert, as notifications name it
    #[arg(value_name = "ALERT")]
    alert: String,
    /// Who takes care of it
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
    /// What is done about it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    #[command(flatten)]
    door: Door,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let alert = find(&args.alert, config, path)?;
    let rule = alert.key.map(|key| key.rule).unwrap_or_default();
    let asked =
        Asked { ack: Some(args.alert.clone()), by: args.by.clone(), comment: args.comment.clone(), ..Asked::default() };
    actions::send(&asked, &args.door, config, path)?;
    writeln!(out, "acknowledged {} ({rule}): it is not sent again, and not escalated", args.alert)?;
    Ok(())
}

/// The last transition of the alert.
fn find(id: &str, config: &Config, path: &Path) -> anyhow::Result<AlertTransition> {
    let log = site::follow(config, path)?;
    let mut found = None;
    for stored in eventlog::past(log.as_ref(), topics::ALERTS, 0, 0)? {
        let Some(value) = stored?.record.value else { continue };
        let transition = AlertTransition::decode(value)?;
        if transition.id == id {
            found = Some(transition);
        }
    }
    let none =
        || anyhow!("there is no alert {id}; a notification names the id of each alert, `vitals tail alerts` too");
    Ok(found.ok_or_else(none).map_err(Usage)?)
}
