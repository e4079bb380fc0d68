//! `vitals notify`: notifications of alerts. On the embedded log `vitals ingest` sends them itself.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use alert::notify;
use anyhow::{Context as _, anyhow, bail};
use processor::topics;
use proto::{
    Message as _,
    v1::{Notification, NotificationKey},
};

use crate::{
    Usage,
    config::Config,
    diagnostic, help,
    node::Part,
    output::{self, table::Side},
    quarantine::local,
    roles, site,
};

/// Notifications.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Command {
    /// Sends notifications: one of a fleet on Kafka.
    #[command(after_help = help::NOTIFY_RUN)]
    Run(roles::Args),
    /// Says every mistake of a configuration of notifications.
    #[command(after_help = help::NOTIFY_CHECK)]
    Check {
        /// The file
        file: PathBuf,
    },
    /// Sends a marked test message, and prints what the receiver answered.
    #[command(after_help = help::NOTIFY_TEST)]
    Test {
        /// The receiver
        receiver: String,
        /// The configuration of notifications [default: [alerts] notify]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// What is on its way to receivers, and what was given up.
    #[command(after_help = help::NOTIFY_LIST)]
    List,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        Command::Run(run) => roles::execute(Part::Notifier, run, config, path, out),
        Command::Check { file } => {
            let checked = read(file).map_err(Usage)?;
            writeln!(out, "{} is right: {} receivers", file.display(), checked.receivers().count())?;
            Ok(())
        }
        Command::Test { receiver, file } => {
            let loaded = match file {
                Some(file) => Some(read(file).map_err(Usage)?),
                None => config.notify().map_err(Usage)?,
            };
            let none = || anyhow!("no configuration is named; give --file FILE, or [alerts] notify in the settings");
            let loaded = loaded.ok_or_else(none).map_err(Usage)?;
            if !loaded.receivers().any(|name| name == receiver) {
                let names = loaded.receivers().collect::<Vec<_>>().join(", ");
                return Err(Usage(anyhow!("there is no receiver {receiver}; there are {names}")).into());
            }
            match notify::test(&loaded, receiver) {
                Ok(answer) => Ok(writeln!(out, "{receiver} answered {answer}")?),
                Err(problem) => bail!("{receiver}: {problem}"),
            }
        }
        Command::List => list(config, path, out),
    }
}

/// Reads a configuration of notifications.
pub(crate) fn read(file: &Path) -> anyhow::Result<notify::Config> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    notify::Config::parse(&text).map_err(|mistakes| {
        let all = mistakes.iter().map(|mistake| diagnostic::of_catalog(file, &text, mistake).to_string());
        anyhow::Error::msg(all.collect::<Vec<_>>().join("\n"))
    })
}

const HEADER: [(&str, Side); 6] = [
    ("receiver", Side::Name),
    ("group", Side::Left),
    ("alerts", Side::Right),
    ("on its way since", Side::Name),
    ("delivered", Side::Name),
    ("given up because", Side::Left),
];

fn list(config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = site::follow(config, path)?;
    let zone = config.settings().map_err(Usage)?.zone;
    let mut marks = std::collections::BTreeMap::new();
    if log.topics()?.iter().any(|spec| spec.name == topics::NOTIFICATIONS) {
        for stored in eventlog::past(log.as_ref(), topics::NOTIFICATIONS, 0, 0)? {
            let record = stored?.record;
            let key = NotificationKey::decode(record.key)?;
            let mark = record.value.map(Notification::decode).transpose()?;
            marks.insert((key.receiver, key.group), mark);
        }
    }
    marks.retain(|(_, group), mark| !group.is_empty() && mark.is_some());
    if marks.is_empty() {
        writeln!(out, "nothing is on its way, and no alert fires that a receiver knows")?;
        return Ok(());
    }
    let time = |at_us: i64| if at_us == 0 { String::new() } else { local(at_us, &zone) };
    let row = |((receiver, group), mark): (&(String, String), &Option<Notification>)| {
        let mark = mark.clone().unwrap_or_default();
        vec![
            receiver.clone(),
            group.clone(),
            mark.alerts.len().to_string(),
            time(mark.attempt.map_or(0, |attempt| attempt.since_us)),
            time(mark.delivered_us),
            mark.dead,
        ]
    };
    output::table(&HEADER, marks.iter().map(row), out)
}
