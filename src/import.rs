//! `vitals import`: files of history into the log.
//!
//! Flags to [`ingest::import::Options`], a progress bar on a terminal, a summary that counts everything.
//! The caller opens the log and may run the stages in the same process meanwhile.

pub(crate) mod summary;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Usage,
    config::{self, Config, Share},
    engine::Engine,
    node::{Node, Part},
    output::terminal,
    shutdown,
    site::{self, Site},
};
use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use eventlog::Log;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::{
    amend::Rules,
    import::{Options, Progress, Summary},
    outcome::Measured,
    parse_rfc3339,
    sort::Order,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Flags of `vitals import`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Files of CloudEvents JSON, one event a line; with --mapping of delimited text
    #[arg(required_unless_present = "undo", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How columns become events, see docs/mappings.md
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Append by (time, source, id), or as in the files
    #[arg(long, value_enum, default_value_t = By::Time)]
    pub(crate) order: By,
    /// Write rejected lines here, verbatim, and the reasons to FILE.reasons.tsv
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Fail if more of the lines than this share are rejected [default: 1%, or of the configuration]
    #[arg(long, value_name = "SHARE")]
    pub(crate) rejected_max: Option<Share>,
    /// Let the contents of the files hold, where the log knows an id with another one: they are sent as corrections
    #[arg(long)]
    pub(crate) replace: bool,
    /// Take back what this import brought (`vitals imports` lists them); what was there without it stays
    #[arg(long, value_name = "IMPORT", conflicts_with_all = ["files", "mapping", "rejects", "rejected_max", "replace", "order"])]
    pub(crate) undo: Option<String>,
    /// Do what --undo says
    #[arg(long, requires = "undo")]
    pub(crate) yes: bool,
    /// Let time go on to then (RFC 3339, a date, or now), so that windows close and silences are noticed
    #[arg(long, value_name = "T")]
    pub(crate) until: Option<String>,
    /// How often time is told: 1d (each local midnight), or less, like 1h or 15m
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    pub(crate) tick: String,
}

/// What the rows are appended by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// (time, source, id)
    Time,
    /// The order of the files
    File,
}

impl Args {
    /// The options of the import; `folder` holds the sort, `zone` is the tenant's.
    ///
    /// # Errors
    /// When a flag is wrong.
    pub(crate) fn options(&self, folder: &Path, zone: &TimeZone) -> anyhow::Result<Options> {
        let now_us = Timestamp::now().as_microsecond();
        let order = match self.order {
            By::Time => Order::Time,
            By::File => Order::File,
        };
        Ok(Options {
            mapping: self.mapping.clone(),
            order,
            rejects: self.rejects.clone(),
            until_us: self.until.as_deref().map(|text| until(text, zone, now_us)).transpose()?,
            tick_us: span(&self.tick)?,
            zone: zone.clone(),
            ..Options::new(self.files.clone(), folder.to_owned(), now_us)
        })
    }
}

fn until(text: &str, zone: &TimeZone, now_us: i64) -> anyhow::Result<i64> {
    if text == "now" {
        return Ok(now_us);
    }
    if let Some(time_us) = parse_rfc3339(text) {
        return Ok(time_us);
    }
    let date: Result<Date, _> = text.parse();
    let Some(date) = date.ok().filter(|_| text.len() == 10) else {
        bail!("--until: is {text}, expected RFC 3339 like 2026-01-31T00:00:00Z, a date, or now");
    };
    let midnight = date.to_zoned(zone.clone()).with_context(|| format!("--until {text}"))?;
    Ok(midnight.timestamp().as_microsecond())
}

fn span(text: &str) -> anyhow::Result<i64> {
    // The grid of ticks has whole minutes.
    match config::span_us(text).filter(|span| *span > 0 && *span % 60_000_000 == 0) {
        Some(span) => Ok(span),
        None => bail!("--tick: is {text}, expected 1d, or hours or minutes like 1h or 15m"),
    }
}

/// Runs the command. On the embedded log all stages run in this process, until everything is processed and stored; on
/// Kafka the events are handed to the fleet. Beside the stages of a process that has the log it uses those.
pub(crate) fn execute(
    args: &Args,
    config: &Config,
    path: &Path,
    beside: Option<Beside<'_>>,
    out: &mut dyn io::Write,
) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let mut options = args.options(path, &plan.settings.zone).map_err(Usage)?;
    options.floor_us = config.history_floor().map_err(Usage)?;
    options.unknown_types = config.unknown_types().map_err(Usage)?;
    let home = Home { config, path, beside };
    let rules = Rules::new(plan.settings.max_ahead, processor::outcomes::standing);
    if let Some(import) = &args.undo {
        return undo(args, import, &options, &rules, home, out);
    }
    options.replace = args.replace.then_some(rules);
    let rejected_max = args.rejected_max.clone().map_or_else(|| config.rejected_max(), Ok).map_err(Usage)?;
    // Before a data directory is made.
    ingest::import::check(&options)?;
    let job = |log: &Arc<dyn Log>, stop: &AtomicBool| run(&options, log, stop);
    let summary = process(home, &job, &summary::lines, out)?;
    verdict(args, &rejected_max, &summary)
}

/// The stages that run in this process already, and when to end.
pub(crate) type Beside<'a> = (&'a Engine, &'a Arc<AtomicBool>);

/// Where an import works.
#[derive(Clone, Copy)]
struct Home<'a> {
    config: &'a Config,
    path: &'a Path,
    beside: Option<Beside<'a>>,
}

/// Takes an import back; without `--yes` it says what that would do.
fn undo(
    args: &Args,
    import: &str,
    options: &Options,
    rules: &Rules,
    home: Home<'_>,
    out: &mut dyn io::Write,
) -> anyhow::Result<()> {
    let take_back = |log: &dyn Log, go, stop: &AtomicBool| {
        let bar = bar();
        let mut report = |progress: Progress| advance(&bar, progress);
        let summary = ingest::import::undo(import, options, rules, log, go, &mut report, stop);
        bar.finish_and_clear();
        anyhow::Ok(summary?)
    };
    let log = site::follow(home.config, home.path)?;
    let plan = take_back(log.as_ref(), false, &AtomicBool::new(false))?;
    drop(log);
    write!(out, "{}", summary::plan_of_undo(import, &plan.amended))?;
    if !args.yes {
        let problem = anyhow!("nothing was done: retractions hold for ever, so --undo needs --yes");
        return Err(Usage(problem).into());
    }
    let job = |log: &Arc<dyn Log>, stop: &AtomicBool| take_back(log.as_ref(), true, stop);
    let lines = |summary: &Summary, _: &Measured| summary::appended(summary);
    process(home, &job, &lines, out).map(drop)
}

/// Runs one import or undo over the log until it ends or `stop` is set.
type Job<'a> = &'a dyn Fn(&Arc<dyn Log>, &AtomicBool) -> anyhow::Result<Summary>;

/// Lets `job` append events, has them processed, and says how they ended after what `lines` says.
fn process(
    home: Home<'_>,
    job: Job<'_>,
    lines: &dyn Fn(&Summary, &Measured) -> String,
    out: &mut dyn io::Write,
) -> anyhow::Result<Summary> {
    let Home { config, path, beside } = home;
    if let Some((engine, stop)) = beside.filter(|(engine, _)| engine.site.own_log().is_some()) {
        return process_beside(engine, stop, job, lines, out);
    }
    let plan = config.plan().map_err(Usage)?;
    let site = Arc::new(Site::open("import", path, plan, config)?);
    let stop = beside.map_or_else(shutdown::flag, |(_, stop)| Ok(stop.clone()))?;
    let measured = measured(&site);
    if site.own_log().is_none() {
        let summary = job(&site.log, &stop)?;
        write!(out, "{}", lines(&summary, &measured))?;
        writeln!(out, "the processors of the fleet count them: vitals_events_total at their /metrics")?;
        return Ok(summary);
    }
    let node = Node::start(&site, &[Part::Processor, Part::Sink])?;
    let (before, found_before) = (node.counters(), node.findings());
    let imported = job(&site.log, &stop);
    if imported.is_ok() {
        node.drain(&stop)?;
    }
    let (after, frozen, conflicts, others) = (node.counters(), node.frozen(), node.conflicts(), node.others());
    let found = node.findings();
    node.stop()?;
    let summary = imported?;
    let unfinished = stop.load(Ordering::Relaxed) && !summary.stopped;
    write!(out, "{}", lines(&summary, &measured))?;
    write!(out, "{}", summary::outcomes(&summary, &before, &after))?;
    write!(out, "{}", summary::conflicts(&conflicts))?;
    write!(out, "{}", summary::findings(&found_before, &found))?;
    if frozen > 0 {
        writeln!(
            out,
            "{frozen} changes to windows of 1h past their keep were counted, not published: import history first, or set \
             [settings] keep"
        )?;
    }
    for (dimension, changes) in others {
        writeln!(
            out,
            "{dimension} has more than {max} values: {changes} changes of later ones were counted as `other` ([settings] \
             dimension_values_max)",
            max = site.plan.settings.dimension_values_max
        )?;
    }
    if unfinished {
        writeln!(out, "stopped before everything was processed; the next import or rebuild goes on from here")?;
    }
    Ok(summary)
}

/// The same where the stages run already, and count what comes to the door meanwhile, too.
fn process_beside(
    engine: &Engine,
    stop: &AtomicBool,
    job: Job<'_>,
    lines: &dyn Fn(&Summary, &Measured) -> String,
    out: &mut dyn io::Write,
) -> anyhow::Result<Summary> {
    let summary = job(&engine.site.log, stop)?;
    engine.drain(stop)?;
    write!(out, "{}", lines(&summary, &measured(&engine.site)))?;
    if stop.load(Ordering::Relaxed) {
        writeln!(out, "stopped before everything was processed; the stages go on with it")?;
    } else {
        writeln!(out, "everything is processed and stored; `vitals outcomes` says how the events of the log ended")?;
    }
    Ok(summary)
}

/// Which types a metric reads.
fn measured(site: &Site) -> Measured {
    let plan = site.plan.clone();
    Measured::new(move |kind| plan.measures(kind))
}

/// Fails where more lines were rejected than may be: most likely it is another file, or the mapping of another one.
fn verdict(args: &Args, max: &Share, summary: &Summary) -> anyhow::Result<()> {
    let Summary { read, accepted, rejected, .. } = *summary;
    if summary.stopped || !max.is_exceeded(rejected, read) {
        return Ok(());
    }
    if accepted > 0 {
        let tenths = rejected * 1_000 / read;
        bail!(
            "{rejected} of {read} lines ({}.{} %) were rejected, more than {max} (--rejected-max, or [import] \
             rejected_max); the others are imported. Mend {} by the reasons above and import it",
            tenths / 10,
            tenths % 10,
            args.rejects.as_ref().map_or_else(
                || "the file (--rejects FILE keeps the rejected lines)".to_owned(),
                |path| path.display().to_string()
            )
        );
    }
    let Some(mapping) = &args.mapping else {
        bail!(
            "no line became an event: a line has to be a CloudEvent in JSON (docs/events.md), or a row of which --mapping \
             FILE says how it becomes one (docs/mappings.md)"
        );
    };
    if let Some(only) = summary.reasons.only().filter(|only| only.count > 1) {
        bail!(
            "no row became an event, all {read} for the same reason, most likely a mistake of the mapping: mend {} \
             (docs/mappings.md): {}",
            mapping.display(),
            only.first.reason
        );
    }
    bail!("no row became an event: mend the mapping or the file by the reasons above (docs/mappings.md)")
}

/// Imports into an open log that has the topic of events; returns when all is durable there, or at the
/// next commit after `stop` was set. The summary names the first lines that were rejected.
///
/// # Errors
/// When a file, the mapping or a flag is wrong, or the log refuses; the same command goes on from there.
pub(crate) fn run(options: &Options, log: &Arc<dyn Log>, stop: &AtomicBool) -> anyhow::Result<Summary> {
    let bar = bar();
    let mut report = |progress: Progress| advance(&bar, progress);
    let summary = ingest::import::run(options, log.as_ref(), &mut report, stop);
    bar.finish_and_clear();
    Ok(summary?)
}

/// Draws on a terminal only, and on that of whoever asked.
fn bar() -> ProgressBar {
    if terminal::is_elsewhere() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {percent:>3} %  {elapsed_precise}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn advance(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Reading { done, total } => show(bar, "reading", done, total),
        Progress::Appending { done, total } => show(bar, "appending", done, total),
    }
}

fn show(bar: &ProgressBar, phase: &'static str, done: u64, total: u64) {
    if bar.message() != phase {
        bar.set_message(phase);
    }
    bar.set_length(total);
    bar.set_position(done);
}
