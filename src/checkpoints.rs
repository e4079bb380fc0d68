//! `vitals checkpoints`: what an object store holds, whether it is whole, and back to disk.
//!
//! Invariants: nothing in the store is changed; a state that is there is never replaced. It needs no
//! log and no running node.

use std::{
    io::{self, IsTerminal as _, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;
use store::window::rfc3339;
use task::checkpoint::{Checkpoints, Entry, Identity, Manifest, Progress, Retention};

use crate::{
    Usage,
    config::Config,
    help,
    output::{self, Format, table::Side},
};

/// Checkpoints of states in an object store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every checkpoint, oldest first.
    #[command(after_help = help::CHECKPOINTS_LIST)]
    List {
        #[command(flatten)]
        of: Of,
        /// Form of the output.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Reads checkpoints back and compares every byte; exits with 1 if one is not whole.
    #[command(after_help = help::CHECKPOINTS_VERIFY)]
    Verify {
        #[command(flatten)]
        of: Of,
        /// Only whether everything is there and has the right size.
        #[arg(long)]
        quick: bool,
    },
    /// Makes the newest whole checkpoint of each task a state again.
    #[command(after_help = help::CHECKPOINTS_RESTORE)]
    Restore {
        #[command(flatten)]
        of: Of,
        /// Folder of the states, each in TASK-PARTITION [default: DIR/state of --data]
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
}

/// Which checkpoints.
#[derive(Debug, clap::Args)]
struct Of {
    /// The object store: a directory, or s3://BUCKET/PREFIX (credentials, region and endpoint: AWS_* in the environment)
    /// [default: `[checkpoints] store` of the configuration]
    #[arg(long, value_name = "DIR|URL")]
    store: Option<String>,
    /// Of this task only
    #[arg(long)]
    task: Option<String>,
    /// Of this partition only
    #[arg(long)]
    partition: Option<u32>,
}

/// Checkpoints of a store that is known.
struct Named<'a> {
    of: &'a Of,
    store: &'a str,
}

impl<'a> Named<'a> {
    fn new(of: &'a Of, configured: Option<&'a str>) -> anyhow::Result<Self> {
        let store = of.store.as_deref().or(configured);
        let missing =
            || anyhow::anyhow!("no store is named: give --store, or [checkpoints] store in the configuration");
        Ok(Self { of, store: store.ok_or_else(missing).map_err(Usage)? })
    }

    fn open(&self) -> anyhow::Result<Checkpoints> {
        if !self.store.contains("://") && !Path::new(self.store).is_dir() {
            return Err(Usage(anyhow::anyhow!("{}: there is no directory here", self.store)).into());
        }
        Ok(Checkpoints::open(self.store, Retention::default())?)
    }

    /// The checkpoints that are meant; none is a mistake, unless the store is empty.
    fn entries(&self, checkpoints: &Checkpoints) -> anyhow::Result<Vec<Entry>> {
        let all = checkpoints.list()?;
        let empty = all.is_empty();
        let meant = |entry: &Entry| {
            self.of.task.as_ref().is_none_or(|task| *task == entry.task)
                && self.of.partition.is_none_or(|partition| partition == entry.partition)
        };
        let entries: Vec<Entry> = all.into_iter().filter(meant).collect();
        if entries.is_empty() && !empty {
            return Err(Usage(anyhow::anyhow!("{}: no checkpoint of this task and partition", self.store)).into());
        }
        Ok(entries)
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, data: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let configured = config.checkpoints().map_err(Usage)?.map(|(store, ..)| store);
    let configured = configured.as_deref();
    match &args.command {
        Command::List { of, format } => {
            let named = Named::new(of, configured)?;
            list(&named.entries(&named.open()?)?, *format, out)
        }
        Command::Verify { of, quick } => verify(&Named::new(of, configured)?, *quick, out),
        Command::Restore { of, state } => {
            let folder = state.clone().unwrap_or_else(|| data.join("state"));
            restore(&Named::new(of, configured)?, &folder, out)
        }
    }
}

const HEADER: [&str; 9] =
    ["task", "partition", "epoch", "next_offset", "saved", "files", "bytes", "generation", "fault"];

const TITLES: [(&str, Side); 9] = [
    ("task", Side::Name),
    ("partition", Side::Right),
    ("epoch", Side::Right),
    ("next offset", Side::Right),
    ("saved", Side::Left),
    ("files", Side::Right),
    ("size", Side::Right),
    ("generation", Side::Left),
    ("fault", Side::Left),
];

#[derive(Debug, Serialize)]
struct Json<'a> {
    task: &'a str,
    partition: u32,
    epoch: u64,
    next_offset: u64,
    saved: String,
    files: Option<usize>,
    bytes: Option<u64>,
    generation: Option<String>,
    fault: Option<String>,
}

fn list(entries: &[Entry], format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        Format::Json => entries.iter().try_for_each(|entry| {
            serde_json::to_writer(&mut *out, &json(entry))?;
            Ok(out.write_all(b"\n")?)
        }),
        Format::Csv => output::csv(&HEADER, entries.iter().map(|entry| cells(entry, |bytes| bytes.to_string())), out),
        Format::Table => {
            output::table(&TITLES, entries.iter().map(|entry| cells(entry, |bytes| HumanBytes(bytes).to_string())), out)
        }
    }
}

fn json(entry: &Entry) -> Json<'_> {
    let manifest = entry.manifest.as_ref();
    Json {
        task: &entry.task,
        partition: entry.partition,
        epoch: entry.key.epoch,
        next_offset: entry.key.next_offset,
        saved: rfc3339(entry.modified),
        files: manifest.ok().map(|manifest| manifest.files.len()),
        bytes: manifest.ok().map(Manifest::size),
        generation: manifest.ok().map(|manifest| format!("{:016x}", manifest.generation)),
        fault: manifest.err().map(ToString::to_string),
    }
}

fn cells(entry: &Entry, size: impl Fn(u64) -> String) -> Vec<String> {
    let row = json(entry);
    vec![
        row.task.to_owned(),
        row.partition.to_string(),
        row.epoch.to_string(),
        row.next_offset.to_string(),
        row.saved,
        row.files.map(|files| files.to_string()).unwrap_or_default(),
        row.bytes.map(size).unwrap_or_default(),
        row.generation.unwrap_or_default(),
        row.fault.unwrap_or_default(),
    ]
}

fn verify(of: &Named<'_>, quick: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let checkpoints = of.open()?;
    let entries = of.entries(&checkpoints)?;
    let mut broken = 0;
    for entry in &entries {
        let faults = match &entry.manifest {
            Ok(manifest) => checkpoints.verify(manifest, quick)?,
            Err(refusal) => vec![refusal.to_string()],
        };
        broken += usize::from(!faults.is_empty());
        let said = if faults.is_empty() { "whole".to_owned() } else { faults.join("; ") };
        writeln!(out, "{}/{} {}: {said}", entry.task, entry.partition, entry.key)?;
    }
    if broken > 0 {
        bail!("{broken} of {} checkpoints are not whole", entries.len());
    }
    Ok(())
}

fn restore(of: &Named<'_>, folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let checkpoints = of.open()?;
    let entries = of.entries(&checkpoints)?;
    std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let ids = newest(&entries)?;
    if ids.is_empty() {
        bail!("{}: there is no checkpoint", of.store);
    }
    for id in ids {
        let target = folder.join(format!("{}-{}", id.task, id.partition));
        let began = Instant::now();
        let bar = bar(&id);
        let mut show = |progress: Progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            ControlFlow::Continue(())
        };
        let manifest = checkpoints.restore(&id, &target, &mut show)?;
        bar.finish_and_clear();
        let manifest = manifest.with_context(|| format!("{id}: its checkpoint is gone"))?;
        say(&manifest, &target, began, out)?;
    }
    Ok(())
}

/// Whose the newest readable checkpoint of each task and partition is.
fn newest(entries: &[Entry]) -> anyhow::Result<Vec<Identity>> {
    let groups = entries.chunk_by(|a, b| (&a.task, a.partition) == (&b.task, b.partition));
    groups.map(newest_of).collect()
}

fn newest_of(group: &[Entry]) -> anyhow::Result<Identity> {
    let mut manifests = group.iter().rev().filter_map(|entry| entry.manifest.as_ref().ok());
    let manifest = manifests.next().with_context(|| {
        let of = group.first().map(|entry| format!("{}/{}", entry.task, entry.partition)).unwrap_or_default();
        format!("{of}: no checkpoint can be read; `vitals checkpoints list` says why")
    })?;
    Ok(Identity {
        tenant: manifest.tenant.clone(),
        task: manifest.task.clone(),
        partition: manifest.partition,
        generation: manifest.generation,
        epoch: manifest.epoch,
    })
}

fn say(manifest: &Manifest, target: &Path, began: Instant, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "{}/{} at offset {}: {} in {:.1?} -> {}",
        manifest.task,
        manifest.partition,
        manifest.next_offset,
        HumanBytes(manifest.size()),
        began.elapsed(),
        target.display()
    )?;
    Ok(())
}

fn bar(id: &Identity) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(0).with_prefix(id.to_string());
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
