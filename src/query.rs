//! `vitals query`: the rows of one metric, from the store alone, as a table, JSON lines or CSV.
//!
//! JSON and CSV stream; a table is held in memory, of sorted output only what `--limit` leaves. It does not know how
//! windows are filled in.

mod answer;
mod chart;
mod form;
mod grid;
mod list;
mod unrated;

pub(crate) use form::json;

use std::{cmp::Ordering, convert::Infallible, io::Write, ops::ControlFlow, path::Path};

use anyhow::{Result, anyhow};
use processor_core::plan::canonical;
use store::{
    Ask, MetricInfo, Read as _, Row, ask, sqlite,
    usual::{self, Compared},
};

use crate::{
    Usage, agree,
    config::Config,
    output::{Format, label::Labels, terminal::Terminal},
};
use answer::Answer;

/// Arguments of `vitals query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Metric; `vitals metrics` lists all
    metric: Option<String>,
    /// Window: 1h 1d 1w 1mo 1q 1y, "trailing Nd", to-date [default: 1mo, or the metric's only one]
    #[arg(long)]
    window: Option<String>,
    /// Dimensions, separated by commas (`traits.plan` is `plan`); the values of a single one become columns of the table
    #[arg(long, value_delimiter = ',', value_parser = dimension)]
    by: Vec<String>,
    /// Only this value of a dimension
    #[arg(long = "where", value_name = "DIM=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
    /// Only this account; of a sum of each account by day also the days on which it is 0
    #[arg(long)]
    account: Option<String>,
    /// Windows from this time on: a date or RFC 3339
    #[arg(long)]
    from: Option<String>,
    /// Windows before this time
    #[arg(long)]
    to: Option<String>,
    /// Order of the rows
    #[arg(long)]
    sort: Option<Sort>,
    /// At most this many rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
    /// Show where each value usually lies, by up to 24 final windows before it, and whether it is better or worse
    #[arg(long)]
    usual: bool,
    /// Draw bars instead of a table
    #[arg(long, conflicts_with_all = ["format", "usual"])]
    chart: bool,
}

/// A row, and with `--usual` its usual range, if it has one.
type Shown = (Row, Option<Compared>);

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// Greatest first, nulls last
    Value,
    /// Name of the account
    Account,
    /// Earliest first
    Start,
}

/// A dimension in the spelling of the catalog.
fn dimension(name: &str) -> Result<String, Infallible> {
    Ok(canonical(name).to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not DIM=VALUE"))?;
    Ok((canonical(name).to_owned(), value.to_owned()))
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: Option<&Config>, data: &Path, out: &mut dyn Write) -> Result<()> {
    let read = sqlite::Reader::open(&data.join(sqlite::FILE))?;
    if let Some(config) = config {
        agree::check(&read, config)?;
    }
    let catalog = read.catalog()?;
    let Some(name) = &args.metric else { return Err(no_metric(&catalog).into()) };
    let metric = ask::find(&catalog, name)?;
    crowded(args, metric, &read)?;
    match args.format {
        Format::Table => table(args, metric, &read, out),
        Format::Json => stream(args, metric, &read, &mut |(row, range)| match args.usual {
            true => form::json_with(row, *range, out),
            false => json(row, out),
        }),
        Format::Csv => {
            let mut csv = form::Csv::open(args.usual, out)?;
            stream(args, metric, &read, &mut |(row, range)| csv.write(row, *range))?;
            csv.close()
        }
    }
}

/// Says where `other` is not one value but all that came after the limit.
fn crowded(args: &Args, metric: &MetricInfo, read: &sqlite::Reader) -> Result<()> {
    if let Some(max) = ask::crowded(read, &args.ask(metric))? {
        let by = args.by.join(", ");
        tracing::warn!(
            "of {by} the first {max} values are kept apart; `other` holds all later ones ([settings] dimension_values_max)"
        );
    }
    Ok(())
}

fn no_metric(catalog: &[MetricInfo]) -> Usage {
    let names: Vec<&str> = catalog.iter().map(|metric| metric.name.as_str()).collect();
    Usage(anyhow!("a metric is expected: {}; `vitals metrics` describes them", names.join(", ")))
}

/// Gives the rows that the arguments ask for, in their order.
fn stream(
    args: &Args,
    metric: &MetricInfo,
    read: &sqlite::Reader,
    write: &mut dyn FnMut(&Shown) -> Result<()>,
) -> Result<()> {
    if args.sort.is_some() {
        let limit = args.limit.unwrap_or(usize::MAX);
        return kept(args, metric, read, limit)?.0.iter().try_for_each(write);
    }
    let (mut left, mut failed) = (args.limit.unwrap_or(usize::MAX), None);
    each(args, metric, read, &mut |shown| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        match write(&shown) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Calls `visit` for each row that the arguments ask for, until it breaks.
fn each(
    args: &Args,
    metric: &MetricInfo,
    read: &sqlite::Reader,
    visit: &mut dyn FnMut(Shown) -> ControlFlow<()>,
) -> Result<()> {
    if args.usual {
        return Ok(usual::each(read, metric, &args.ask(metric), &mut |row, range| Ok(visit((row, range))))?);
    }
    Ok(ask(read, &args.ask(metric), &mut |row| Ok(visit((row, None))))?)
}

/// The first `limit` rows in the order of `--sort`, and how many there were.
fn kept(args: &Args, metric: &MetricInfo, read: &sqlite::Reader, limit: usize) -> Result<(Vec<Shown>, usize)> {
    let (mut rows, mut found) = (Vec::new(), 0);
    each(args, metric, read, &mut |shown| {
        found += 1;
        match args.sort {
            None if rows.len() >= limit => return ControlFlow::Continue(()),
            Some(sort) if rows.len() >= limit.saturating_mul(2).saturating_add(1_000) => {
                rows.sort_by(|(a, _): &Shown, (b, _)| order(sort, a, b));
                rows.truncate(limit);
            }
            _ => {}
        }
        rows.push(shown);
        ControlFlow::Continue(())
    })?;
    if let Some(sort) = args.sort {
        rows.sort_by(|(a, _), (b, _)| order(sort, a, b));
    }
    rows.truncate(limit);
    Ok((rows, found))
}

fn table(args: &Args, metric: &MetricInfo, read: &sqlite::Reader, out: &mut dyn Write) -> Result<()> {
    // Where windows are rows, they are known only when all series are: none is left out before.
    let limit = if args.may_be_grid(metric) { usize::MAX } else { args.limit.unwrap_or(usize::MAX) };
    let (rows, found) = kept(args, metric, read, limit)?;
    if rows.is_empty() {
        let of = args.account.as_ref().map(|account| format!(" of account {account:?}"));
        return Ok(writeln!(out, "no rows{}", of.unwrap_or_default())?);
    }
    let (rows, ranges): (Vec<Row>, Vec<_>) = rows.into_iter().unzip();
    let note = unrated::note(&args.ask(metric), &rows, &read.catalog()?, read)?;
    let answer = Answer {
        metric,
        all: all(args, metric, read)?,
        rows,
        ranges,
        found,
        args,
        labels: Labels::of(&read.settings()?)?,
        terminal: Terminal::of_stdout(),
    };
    out.write_all(answer.text().as_bytes())?;
    Ok(out.write_all(note.unwrap_or_default().as_bytes())?)
}

/// The series of the whole, beside which those of a dimension stand.
fn all(args: &Args, metric: &MetricInfo, read: &sqlite::Reader) -> Result<Vec<Row>> {
    let dimensions = args.by.iter().filter(|name| *name != "currency").count();
    let filtered = args.filter.iter().any(|(name, _)| name != "currency");
    let mut rows = Vec::new();
    if dimensions != 1 || filtered || args.usual || args.sort.is_some() || !metric.by.iter().any(Vec::is_empty) {
        return Ok(rows);
    }
    ask(read, &Ask { by: Vec::new(), ..args.ask(metric) }, &mut |row| {
        rows.push(row);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

impl Args {
    /// Whether windows can be the rows of a table and series its columns: in their order, of one dimension at most, of one
    /// account, and a number each.
    fn may_be_grid(&self, metric: &MetricInfo) -> bool {
        let dimensions = self.by.iter().filter(|name| *name != "currency").count();
        let ordered = self.sort.is_none_or(|sort| sort == Sort::Start);
        ordered && !self.usual && dimensions <= 1 && (!metric.per_account || self.account.is_some())
    }

    fn ask(&self, metric: &MetricInfo) -> Ask {
        Ask {
            tenant: "default".to_owned(),
            metric: metric.name.clone(),
            window: self.window.clone(),
            by: self.by.clone(),
            filter: self.filter.clone(),
            account: self.account.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            newest: None,
        }
    }
}

fn order(sort: Sort, a: &Row, b: &Row) -> Ordering {
    match sort {
        Sort::Account => a.series.account.cmp(&b.series.account),
        Sort::Start => a.point.window.selector_us().cmp(&b.point.window.selector_us()),
        Sort::Value => {
            let value = |row: &Row| row.point.value.unwrap_or(f64::NEG_INFINITY);
            value(b).total_cmp(&value(a))
        }
    }
}
