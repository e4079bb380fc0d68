//! `vitals metrics`: the catalog of the store, or before there is one, that of the configuration; with a name, what that
//! metric counts.

use std::{io::Write, path::Path};

use anyhow::Result;
use store::{MetricInfo, Read as _, ask, sqlite};

use crate::{Usage, config::Config, describe, output};

/// Arguments of `vitals metrics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show this metric with its description.
    name: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, data: &Path, out: &mut dyn Write) -> Result<()> {
    let store = data.join(sqlite::FILE);
    let catalog = if store.exists() {
        sqlite::Reader::open(&store)?.catalog()?
    } else {
        describe::catalog(&config.plan().map_err(Usage)?)
    };
    let header = ["name", "title", "unit", "windows", "by", "definition"];
    let Some(name) = &args.name else { return output::table(&header, catalog.iter().map(cells), out) };
    let metric = ask::find(&catalog, name)?;
    for (label, cell) in header.iter().zip(cells(metric)) {
        writeln!(out, "{label:<12}{cell}")?;
    }
    Ok(writeln!(out, "\n{}", metric.description.trim_end())?)
}

fn cells(metric: &MetricInfo) -> Vec<String> {
    let windows: Vec<_> = metric.windows.iter().map(ToString::to_string).collect();
    let by = metric.by.iter().map(|set| if set.is_empty() { "nothing".to_owned() } else { set.join(",") });
    let by = if metric.per_account { "account".to_owned() } else { by.collect::<Vec<_>>().join("; ") };
    let (name, title, unit) = (metric.name.clone(), metric.title.clone(), metric.unit.clone());
    vec![name, title, unit, windows.join(", "), by, metric.definition.clone()]
}
