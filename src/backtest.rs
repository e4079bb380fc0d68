//! `vitals backtest`: what rules would have caught, before they go live.
//!
//! ```text
//!     the log's past -> replay (the stages) -> rules of each file -> firings ->
//!                                |                                              scores -> table, JSON, page
//!                                '-> outcomes, as known at the end ----------->
//! ```
//! Invariants: it follows the log, which another process may write, and writes nothing into the data directory: states are in a
//! temporary folder that is removed. Only the metrics that rules or the outcome read are computed, with the definitions that
//! they have live.

mod json;
mod outcome;
mod page;
mod report;
mod run;
mod table;

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use alert::{Rules, backtest::Span};
use anyhow::{Context as _, anyhow, ensure};
use processor_core::{
    calendar::Kind,
    catalog::{BUILT_IN, Catalog},
    plan::Plan,
};
use store::window::Calendar;

use crate::{
    Usage,
    config::{self, Config},
    describe, diagnostic,
    output::label::Labels,
    site,
};
use outcome::Outcome;
use report::Report;
use run::{Played, play};

/// Flags of `vitals backtest`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Rules, see docs/alerts.md; twice to have two files side by side
    #[arg(long, required = true, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Catalog of the metrics [default: that of the configuration]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Count alerts and outcomes from here on: a date or RFC 3339 [default: the begin of the log]
    #[arg(long)]
    from: Option<String>,
    /// Count alerts and outcomes up to here [default: the end of the log]
    #[arg(long)]
    to: Option<String>,
    /// What the rules are to foresee: churned, left, reactivated, downgraded, or a condition such as 'health_score < 40'
    #[arg(long, default_value = "churned")]
    outcome: Outcome,
    /// How far an outcome may lie after an alert that foresaw it
    #[arg(long, default_value = "60d", value_parser = horizon)]
    horizon: i64,
    /// Form of the output
    #[arg(long, value_enum, default_value = "table")]
    format: Form,
    /// Also a page with charts, whole in one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also every alert as CSV: when it fired and was resolved, and whether it was right
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One object: times in UTC, spans in seconds
    Json,
}

fn horizon(text: &str) -> Result<i64, String> {
    let span = config::span_us(text).filter(|span| *span > 0);
    span.ok_or_else(|| format!("is {text:?}, expected days or hours such as 60d or 48h"))
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let (whole, catalog) = catalog(args, config).map_err(Usage)?;
    ensure!(args.rules.len() <= 2, Usage(anyhow!("--rules: two files at most can stand side by side")));
    let files = args.rules.iter().map(|file| rules(file, &whole)).collect::<anyhow::Result<Vec<_>>>().map_err(Usage)?;
    args.outcome.check(&whole).map_err(Usage)?;
    let calendar = Calendar::of(&describe::settings(&whole))?;
    let time = |flag: &str, text: &Option<String>| {
        let parse = |text: &String| calendar.parse_us(text).map_err(|error| Usage(anyhow!("--{flag}: {error}")));
        text.as_ref().map(parse).transpose()
    };
    let (from, to) = (time("from", &args.from)?, time("to", &args.to)?);
    ensure!(from.zip(to).is_none_or(|(from, to)| from < to), Usage(anyhow!("--to: is not after --from")));

    let mut read: BTreeSet<String> =
        files.iter().flat_map(|rules| &rules.metrics).map(|of| of.metric.clone()).collect();
    read.extend(args.outcome.metric().map(str::to_owned));
    let plan = Arc::new(narrowed(whole, catalog, &read));
    let log = site::follow(config, path)?;
    let played = play(log.as_ref(), &plan, files.clone(), &args.outcome)?;
    let span = span(&plan, &played, from, to, args.horizon).map_err(Usage)?;
    let names = args.rules.iter().map(|file| file.display().to_string());
    let report = Report::of(names.zip(&files), &played, &args.outcome, span);
    let labels = Labels::of(&describe::settings(&plan))?;
    if let Some(file) = &args.html {
        std::fs::write(file, page::draw(&report, &labels))
            .with_context(|| format!("{}: cannot be written", file.display()))?;
    }
    if let Some(file) = &args.alerts {
        let mut out = std::fs::File::create(file).with_context(|| format!("{}: cannot be written", file.display()))?;
        report::alerts(&report, &played, &mut out)?;
    }
    match args.format {
        Form::Table => table::write(&report, &labels, out),
        Form::Json => json::write(&report, out),
    }
}

/// The plan of a catalog, and the catalog.
fn catalog(args: &Args, config: &Config) -> anyhow::Result<(Plan, Catalog)> {
    let file = args.catalog.as_deref().or_else(|| config.catalog());
    let text = match file {
        None => BUILT_IN.to_owned(),
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?,
    };
    let settings = config.settings()?;
    let lowered = Catalog::parse(&text).and_then(|catalog| Ok((Plan::lower(&catalog, &settings)?, catalog)));
    lowered.map_err(|error| diagnostic::of_catalog(file.unwrap_or(Path::new("catalog")), &text, &error))
}

/// The rules of a file.
fn rules(file: &Path, plan: &Plan) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    Rules::parse(&text, plan).map_err(|errors| {
        let shown: Vec<String> =
            errors.iter().map(|error| diagnostic::of_catalog(file, &text, error).to_string()).collect();
        anyhow!("{}", shown.join("\n"))
    })
}

/// The plan of these metrics alone, if it has them with the same definitions; else the whole one.
fn narrowed(whole: Plan, mut catalog: Catalog, read: &BTreeSet<String>) -> Plan {
    catalog.restrict(read);
    let narrow = Plan::lower(&catalog, &whole.settings).ok().filter(|narrow| {
        let same = |name: &String| {
            let definition = |plan: &Plan| {
                plan.metrics.iter().find(|metric| metric.name == *name).map(|metric| metric.definition.clone())
            };
            definition(narrow) == definition(&whole)
        };
        read.iter().all(same)
    });
    let mut plan = narrow.unwrap_or(whole);
    plan.keeps_runs = true;
    plan
}

/// What is looked at, within what the log holds.
fn span(plan: &Plan, played: &Played, from: Option<i64>, to: Option<i64>, horizon: i64) -> anyhow::Result<Span> {
    let (begin, end) = (played.begin, played.end);
    ensure!(from.is_none_or(|from| from < end), "--from: the log ends at {}", ingest::render_rfc3339(end));
    let to = to.map_or(end, |to| to.min(end));
    ensure!(to > begin, "--to: the log begins at {}", ingest::render_rfc3339(begin));
    let mut calendar = plan.settings.calendar();
    let mut weeks = Vec::new();
    let mut at = from.unwrap_or(begin).max(begin);
    while at <= to {
        let week = calendar.window(Kind::Week, at);
        weeks.push(week.start);
        at = week.end;
    }
    Ok(Span { from, to, end, horizon, weeks })
}
