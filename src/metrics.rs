//! `vitals metrics`: the catalog of the store, or before there is one, that of the configuration; with a name, what that
//! metric counts.

use std::{io::Write, path::Path};

use anyhow::Result;
use store::{MetricInfo, Read as _, ask, sqlite, window::Kind};

use crate::{
    Usage, agree,
    config::Config,
    describe,
    output::{self, table::Side},
};

/// Arguments of `vitals metrics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show this metric with its description
    name: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: Option<&Config>, data: &Path, out: &mut dyn Write) -> Result<()> {
    let store = data.join(sqlite::FILE);
    let catalog = if store.exists() {
        let read = sqlite::Reader::open(&store)?;
        if let Some(config) = config {
            agree::check(&read, config)?;
        }
        read.catalog()?
    } else {
        let plan = config.map_or_else(|| Config::default().plan(), Config::plan);
        describe::catalog(&plan.map_err(Usage)?)
    };
    let Some(name) = &args.name else {
        let header = [("name", Side::Name), ("unit", Side::Name), ("windows", Side::Name), ("title", Side::Left)];
        output::table(&header, catalog.iter().map(short), out)?;
        return Ok(writeln!(out, " `vitals metrics NAME` says what it counts, and by which dimensions it is kept")?);
    };
    let metric = ask::find(&catalog, name)?;
    let labels = ["name", "title", "unit", "windows", "by", "definition"];
    for (label, cell) in labels.iter().zip(cells(metric)) {
        writeln!(out, "{label:<12}{cell}")?;
    }
    Ok(writeln!(out, "\n{}", metric.description.trim_end())?)
}

fn short(metric: &MetricInfo) -> Vec<String> {
    vec![metric.name.clone(), metric.unit.clone(), windows(&metric.windows), metric.title.clone()]
}

/// Kinds of windows in few words: three and more that follow each other are a range, `1d-1y`.
fn windows(kinds: &[Kind]) -> String {
    const CALENDAR: [Kind; 6] = [Kind::Hour, Kind::Day, Kind::Week, Kind::Month, Kind::Quarter, Kind::Year];
    let place = |kind: &Kind| CALENDAR.iter().position(|known| known == kind);
    let follows = |a: &Kind, b: &Kind| place(a).zip(place(b)).is_some_and(|(a, b)| b == a + 1);
    let run = |kinds: &[Kind]| match kinds {
        [first, .., last] if kinds.len() > 2 => vec![format!("{first}-{last}")],
        few => few.iter().map(ToString::to_string).collect(),
    };
    kinds.chunk_by(follows).flat_map(run).collect::<Vec<_>>().join(", ")
}

fn cells(metric: &MetricInfo) -> Vec<String> {
    let windows: Vec<_> = metric.windows.iter().map(ToString::to_string).collect();
    let by = metric.by.iter().map(|set| if set.is_empty() { "nothing".to_owned() } else { set.join(",") });
    let by = if metric.per_account { "account".to_owned() } else { by.collect::<Vec<_>>().join("; ") };
    let (name, title, unit) = (metric.name.clone(), metric.title.clone(), metric.unit.clone());
    vec![name, title, unit, windows.join(", "), by, metric.definition.clone()]
}
