//! `vitals alerts`: the current state of each alert, or every change of state, from the store alone.

use std::{io::Write, path::Path};

use anyhow::{Result, anyhow};
use store::{Alert, AlertSelect, AlertState, MetricInfo, Read as _, form, sqlite, window::rfc3339};

use crate::{
    Usage, agree,
    config::Config,
    output::{
        self, Format,
        label::Labels,
        number,
        table::{self, Side},
        terminal::Terminal,
    },
};

/// Arguments of `vitals alerts`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this state: inactive, pending, firing or resolved
    #[arg(long, value_parser = state)]
    state: Option<AlertState>,
    /// Only this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only this account
    #[arg(long)]
    account: Option<String>,
    /// Every change of state, oldest first, instead of the current states
    #[arg(long)]
    history: bool,
    /// Form of the output
    #[arg(long, default_value = "table")]
    format: Format,
}

fn state(text: &str) -> Result<AlertState, String> {
    AlertState::from_name(text).ok_or_else(|| format!("{text:?} is none of inactive, pending, firing, resolved"))
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: Option<&Config>, data: &Path, out: &mut dyn Write) -> Result<()> {
    let read = sqlite::Reader::open(&data.join(sqlite::FILE))?;
    if let Some(config) = config {
        agree::check(&read, config)?;
    }
    let select = AlertSelect { state: args.state, rule: args.rule.clone(), account: args.account.clone(), id: None };
    let plan = config.map_or_else(|| Config::read(None, None).and_then(|config| config.plan()), Config::plan)?;
    let known = || alert::Rules::built_in(&plan).names().map(ToOwned::to_owned).collect::<Vec<_>>();
    let alerts = if args.history { read.transitions(&select)? } else { read.alerts(&select)? };
    if let Some(rule) = args.rule.as_ref().filter(|rule| alerts.is_empty() && !known().contains(rule)) {
        return Err(Usage(anyhow!("--rule: there is no rule {rule:?}; there is {}", known().join(", "))).into());
    }
    let header = ["rule", "account", "metric", "state", "since", "at", "value"];
    match args.format {
        Format::Json => alerts.iter().try_for_each(|alert| json(alert, out)),
        Format::Csv => output::csv(&header, alerts.iter().map(cells), out),
        Format::Table => shown(&alerts, args.history, &read.catalog()?, &Labels::of(&read.settings()?)?, out),
    }
}

/// The alerts as a table, with the tenant's times. A history has the time of each change in place of the metric, which
/// the rule names too.
fn shown(alerts: &[Alert], history: bool, catalog: &[MetricInfo], labels: &Labels, out: &mut dyn Write) -> Result<()> {
    if alerts.is_empty() {
        return Ok(writeln!(out, "no alerts")?);
    }
    let year = labels.year_of_all(alerts.iter().flat_map(|alert| [alert.since_us, alert.at_us]));
    let time = |at_us| labels.moment(at_us, year.is_none());
    let row = |alert: &Alert| {
        let metric = catalog.iter().find(|metric| metric.name == alert.metric);
        vec![
            alert.rule.clone(),
            alert.account.clone().unwrap_or_default(),
            if history { time(alert.at_us) } else { alert.metric.clone() },
            alert.state.name().to_owned(),
            time(alert.since_us),
            alert.value.map(|value| readable(value, metric, alert)).unwrap_or_default(),
        ]
    };
    let suffix = year.map(|year| format!(", {year}")).unwrap_or_default();
    let (since, at) = (format!("since{suffix}"), format!("at{suffix}"));
    let header = [
        ("rule", Side::Name),
        ("account", Side::Left),
        if history { (at.as_str(), Side::Name) } else { ("metric", Side::Left) },
        ("state", Side::Name),
        (since.as_str(), Side::Name),
        ("value", Side::Right),
    ];
    let table = table::draw(&header, alerts.iter().map(row).collect(), Terminal::of_stdout());
    let count = number::count_of(alerts.len(), if history { "change" } else { "alert" });
    Ok(writeln!(out, "{table} {count}; times are in {}", labels.zone())?)
}

/// The value that was judged. Money of which no currency is known stays in minor units, and says so.
fn readable(value: f64, metric: Option<&MetricInfo>, alert: &Alert) -> String {
    let currency = alert.dimensions.get("currency").map_or("", String::as_str);
    let unit = metric.map_or("", |metric| metric.unit.as_str());
    let text = number::alone(value, unit, currency);
    if currency.is_empty() && number::is_money(unit) { format!("{text} minor units") } else { text }
}

/// One line of JSON.
pub(crate) fn json(alert: &Alert, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &form::alert(alert)?)?;
    Ok(out.write_all(b"\n")?)
}

fn cells(alert: &Alert) -> Vec<String> {
    vec![
        alert.rule.clone(),
        alert.account.clone().unwrap_or_default(),
        alert.metric.clone(),
        alert.state.name().to_owned(),
        rfc3339(alert.since_us),
        rfc3339(alert.at_us),
        alert.value.map(|value| value.to_string()).unwrap_or_default(),
    ]
}
