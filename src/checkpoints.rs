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
use task::checkpoint::{Checkpoints, Entry, Identity, Manifest, Progress, Retention};

use crate::{
    Usage,
    output::{self, Format},
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
    List {
        #[command(flatten)]
        of: Of,
        /// Form of the output.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Reads checkpoints back and compares every byte; exits with 1 if one is not whole.
    Verify {
        #[command(flatten)]
        of: Of,
        /// Only whether everything is there and has the right size.
        #[arg(long)]
        quick: bool,
    },
    /// Makes the newest whole checkpoint of each task a state again.
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
    #[arg(long, value_name = "DIR|URL")]
    store: String,
    /// Of this task only
    #[arg(long)]
    task: Option<String>,
    /// Of this partition only
    #[arg(long)]
    partition: Option<u32>,
}

impl Of {
    fn open(&self) -> anyhow::Result<Checkpoints> {
        if !self.store.contains("://") && !Path::new(&self.store).is_dir() {
            return Err(Usage(anyhow::anyhow!("{}: there is no directory here", self.store)).into());
        }
        Ok(Checkpoints::open(&self.store, Retention::default())?)
    }

    /// The checkpoints that are meant; none is a mistake, unless the store is empty.
    fn entries(&self, checkpoints: &Checkpoints) -> anyhow::Result<Vec<Entry>> {
        let all = checkpoints.list()?;
        let empty = all.is_empty();
        let meant = |entry: &Entry| {
            self.task.as_ref().is_none_or(|task| *task == entry.task)
                && self.partition.is_none_or(|partition| partition == entry.partition)
        };
        let entries: Vec<Entry> = all.into_iter().filter(meant).collect();
        if entries.is_empty() && !empty {
            return Err(Usage(anyhow::anyhow!("{}: no checkpoint of this task and partition", self.store)).into());
        }
        Ok(entries)
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, data: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        Command::List { of, format } => list(&of.entries(&of.open()?)?, *format, out),
        Command::Verify { of, quick } => verify(of, *quick, out),
        Command::Restore { of, state } => {
            let folder = state.clone().unwrap_or_else(|| data.join("state"));
            restore(of, &folder, out)
        }
    }
}

const HEADER: [&str; 9] =
    ["task", "partition", "epoch", "next_offset", "saved", "files", "bytes", "generation", "fault"];

fn list(entries: &[Entry], format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows = entries.iter().map(|entry| row(entry, format));
    match format {
        Format::Table => output::table(&HEADER, rows.map(Vec::from), out),
        Format::Csv => output::csv(&HEADER, rows.map(Vec::from), out),
        Format::Json => {
            for row in rows {
                let object: serde_json::Map<_, _> =
                    HEADER.iter().map(ToString::to_string).zip(row.into_iter().map(number)).collect();
                serde_json::to_writer(&mut *out, &object)?;
                writeln!(out)?;
            }
            Ok(())
        }
    }
}

fn row(entry: &Entry, format: Format) -> [String; 9] {
    let saved = jiff::Timestamp::from_microsecond(entry.modified).map(|at| at.to_string()).unwrap_or_default();
    let [files, bytes, generation, fault] = match &entry.manifest {
        Ok(manifest) => {
            let size = manifest.size();
            let bytes = if format == Format::Table { HumanBytes(size).to_string() } else { size.to_string() };
            [manifest.files.len().to_string(), bytes, format!("{:016x}", manifest.generation), String::new()]
        }
        Err(refusal) => [String::new(), String::new(), String::new(), refusal.to_string()],
    };
    let (partition, epoch, offset) =
        (entry.partition.to_string(), entry.key.epoch.to_string(), entry.key.next_offset.to_string());
    [entry.task.clone(), partition, epoch, offset, saved, files, bytes, generation, fault]
}

/// Numbers of JSON are those without a leading zero: a generation is text.
fn number(cell: String) -> serde_json::Value {
    match cell.parse::<u64>() {
        Ok(number) if number.to_string() == cell => number.into(),
        _ if cell.is_empty() => serde_json::Value::Null,
        _ => cell.into(),
    }
}

fn verify(of: &Of, quick: bool, out: &mut dyn Write) -> anyhow::Result<()> {
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

fn restore(of: &Of, folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let checkpoints = of.open()?;
    let entries = of.entries(&checkpoints)?;
    std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let mut restored = 0;
    for id in newest(&entries)? {
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
        restored += 1;
    }
    if restored == 0 {
        bail!("{}: there is no checkpoint", of.store);
    }
    Ok(())
}

/// Whose the newest readable checkpoint of each task and partition is.
fn newest(entries: &[Entry]) -> anyhow::Result<Vec<Identity>> {
    let mut ids: Vec<Identity> = Vec::new();
    for group in entries.chunk_by(|a, b| (&a.task, a.partition) == (&b.task, b.partition)) {
        let Some(manifest) = group.iter().rev().find_map(|entry| entry.manifest.as_ref().ok()) else {
            bail!(
                "{}/{}: no checkpoint can be read; `vitals checkpoints list` says why",
                group[0].task,
                group[0].partition
            );
        };
        ids.push(Identity {
            tenant: manifest.tenant.clone(),
            task: manifest.task.clone(),
            partition: manifest.partition,
            generation: manifest.generation,
            epoch: manifest.epoch,
        });
    }
    Ok(ids)
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
