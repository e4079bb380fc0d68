//! `vitals metrics`: the catalog of the store, or before there is one, that of the configuration; with a name, what that
//! metric counts.

mod list;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use processor_core::{
    catalog::{Catalog, Direction, People},
    plan::Plan,
    settings::Settings,
};
use store::{MetricInfo, Read as _, ask, sqlite};

use crate::{
    Usage, agree,
    config::Config,
    describe, diagnostic, help,
    output::{number::plain_count_of, terminal::Terminal},
};

/// Arguments of `vitals metrics`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Show this metric with its description
    name: Option<String>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Report every mistake in a catalog file, with its place and the cure
    #[command(after_help = help::METRICS_CHECK)]
    Check {
        /// The catalog file
        file: PathBuf,
    },
}

impl Args {
    /// Whether a file of whoever asks is to be read.
    pub(crate) fn names_a_file(&self) -> bool {
        self.command.is_some()
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: Option<&Config>, data: &Path, out: &mut dyn Write) -> Result<()> {
    if let Some(Command::Check { file }) = &args.command {
        return check(file, &config.map_or_else(|| Config::default().settings(), Config::settings)?, out);
    }
    let store = data.join(sqlite::FILE);
    let plan = || config.map_or_else(|| Config::default().plan(), Config::plan);
    let catalog = if store.exists() {
        let read = sqlite::Reader::open(&store)?;
        if let Some(config) = config {
            agree::check(&read, config)?;
        }
        read.catalog()?
    } else {
        describe::catalog(&plan().map_err(Usage)?)
    };
    let Some(name) = &args.name else {
        return list::write(&catalog, Terminal::of_stdout(), out);
    };
    let metric = ask::find(&catalog, name)?;
    let labels = ["name", "title", "unit", "windows", "by", "definition"];
    for (label, cell) in labels.iter().zip(cells(metric)) {
        writeln!(out, "{label:<12}{cell}")?;
    }
    let plan = plan().map_err(Usage)?;
    let people = plan.metrics.iter().find(|known| known.name == metric.name).map(|known| &known.people);
    for (label, cell) in people.into_iter().flat_map(words) {
        writeln!(out, "{label:<12}{cell}")?;
    }
    writeln!(out, "\n{}", metric.description.trim_end())?;
    if let Some(moves) = people.and_then(|people| people.moves.as_ref()) {
        writeln!(out, "\nWhen it moves: {}", moves.trim_end())?;
    }
    Ok(())
}

/// What a catalog says to people in a word each.
fn words(people: &People) -> Vec<(&'static str, String)> {
    let direction = people.direction.map(|direction| match direction {
        Direction::Up => "more is better".to_owned(),
        Direction::Down => "less is better".to_owned(),
    });
    let all = [
        ("group", people.group.map(|group| group.to_string())),
        ("direction", direction),
        ("format", people.format.map(|format| format.to_string())),
    ];
    all.into_iter().filter_map(|(label, word)| Some((label, word?))).collect()
}

/// Reports what is wrong in a catalog file; it is an error where anything is.
fn check(file: &Path, settings: &Settings, out: &mut dyn Write) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let mistakes = match Catalog::parse(&text) {
        Ok(catalog) => {
            let mistakes = Plan::mistakes(&catalog, settings);
            if mistakes.is_empty() {
                let metrics = plain_count_of(catalog.metrics.len() as u64, "metric");
                return Ok(writeln!(out, "{}: {metrics}, nothing is wrong", file.display())?);
            }
            mistakes
        }
        Err(mistake) => vec![mistake],
    };
    let shown: Vec<String> =
        mistakes.iter().map(|mistake| diagnostic::of_catalog(file, &text, mistake).to_string()).collect();
    Err(Usage(anyhow::anyhow!("{}\n{}", shown.join("\n\n"), plain_count_of(mistakes.len() as u64, "mistake"))).into())
}

fn cells(metric: &MetricInfo) -> Vec<String> {
    let windows: Vec<_> = metric.windows.iter().map(ToString::to_string).collect();
    let by = metric.by.iter().map(|set| if set.is_empty() { "nothing".to_owned() } else { set.join(",") });
    let account = metric.per_account.then(|| "account".to_owned());
    let by = account.into_iter().chain(by).collect::<Vec<_>>().join(if metric.per_account { "," } else { "; " });
    let (name, title, unit) = (metric.name.clone(), metric.title.clone(), metric.unit.clone());
    vec![name, title, unit, windows.join(", "), by, metric.definition.clone()]
}
