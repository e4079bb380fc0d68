//! `vitals explain`: why the health score of an account is what it is, what moved it, and how it will change if nothing
//! happens; from the log alone. It follows the log: another process may write.

mod json;
mod show;
pub(crate) mod words;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{anyhow, ensure};
use eventlog::Log;
use ingest::partition;
use processor::{
    account::Shared,
    explain::{Found, Journal},
    topics,
};
use processor_core::{
    calendar::Time,
    engine::explain::{self, Explanation, Standing},
    plan::Plan,
    projection::Projected,
    score::Score,
};
use store::window::Calendar;

use crate::{Usage, config::Config, describe, output::label::Labels, site};

/// Flags of `vitals explain`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The account
    account: String,
    /// The score before this time: a date or RFC 3339 [default: after everything that is in the log]
    #[arg(long)]
    at: Option<String>,
    /// Also what moved it since this time
    #[arg(long)]
    since: Option<String>,
    /// The catalog that was in force at --since, where it was another one
    #[arg(long, value_name = "CATALOG", requires = "since")]
    before: Option<PathBuf>,
    /// Tenant of the account
    #[arg(long, default_value = "default")]
    tenant: String,
    /// One JSON object: times in UTC, the score and its parts in tenths
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether a file of whoever asks is to be read.
    pub(crate) fn names_a_file(&self) -> bool {
        self.before.is_some()
    }
}

/// All that there is to say.
struct Answer<'a> {
    /// The account that was asked for.
    asked: &'a str,
    /// The account that it is.
    account: &'a str,
    /// Others that count as that one.
    merged: &'a [&'a str],
    score: &'a Score,
    at: Time,
    standing: Standing,
    coming: Vec<Projected>,
    /// What moved it since an instant.
    change: Option<(Time, Explanation)>,
}

/// Runs the command; beside the stages with what they keep.
pub(crate) fn execute(
    args: &Args,
    config: &Config,
    path: &Path,
    kept: Option<&Shared>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let plan = Arc::new(config.plan().map_err(Usage)?);
    let before = args.before.as_deref().map(|catalog| config.plan_of(catalog)).transpose().map_err(Usage)?;
    let log = site::follow(config, path)?;
    of_log(args, &plan, before.map(Arc::new), (log.as_ref(), kept), out)
}

impl Args {
    /// One JSON object about an account.
    pub(crate) fn json(account: &str, tenant: &str, at: Option<&str>, since: Option<&str>) -> Self {
        Self {
            account: account.to_owned(),
            at: at.map(str::to_owned),
            since: since.map(str::to_owned),
            before: None,
            tenant: tenant.to_owned(),
            json: true,
        }
    }
}

/// Explains from a log that is open, and what stages in this process keep.
pub(crate) fn of_log(
    args: &Args,
    plan: &Arc<Plan>,
    before: Option<Arc<Plan>>,
    (log, kept): (&dyn Log, Option<&Shared>),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let partitions = log.topics()?.iter().find(|spec| spec.name == topics::EVENTS).map_or(0, |spec| spec.partitions);
    ensure!(partitions > 0, "{}: there is no topic of this name in the log", topics::EVENTS);
    let partition = partition::of(args.account.as_bytes(), partitions);
    let found = Found::read(log, kept, (partition, partitions), &args.tenant, &args.account)?;
    let instants = Instants::of(args, plan, &found).map_err(Usage)?;
    let journal = journal(args, plan, &found, &instants).map_err(Usage)?;
    let answer = answer(args, plan, before, &journal, &instants).map_err(Usage)?;
    if args.json {
        json::write(&answer, out)
    } else {
        show::write(&answer, &Labels::of(&describe::settings(plan))?, out)
    }
}

/// The instants between which a change is explained.
struct Instants {
    at: Time,
    since: Option<Time>,
}

impl Instants {
    fn of(args: &Args, plan: &Plan, found: &Found) -> anyhow::Result<Self> {
        let score = plan.metrics.iter().find(|metric| metric.score).map_or("METRIC", |metric| metric.name.as_str());
        let end = found.end(plan).ok_or_else(|| {
            anyhow!("{}: the log has no event of this account; `vitals query {score}` lists accounts", args.account)
        })?;
        let calendar = Calendar::of(&describe::settings(plan))?;
        let time = |flag: &str, text: &str| calendar.parse_us(text).map_err(|error| anyhow!("--{flag}: {error}"));
        let at = args.at.as_deref().map_or(Ok(end), |text| time("at", text))?;
        let since = args.since.as_deref().map(|text| time("since", text)).transpose()?;
        ensure!(since.is_none_or(|since| since < at), "--since: is not before --at");
        ensure!(
            at <= end,
            "--at: the log ends at {}; what comes after it has no score yet",
            ingest::render_rfc3339(end.saturating_sub(1))
        );
        Ok(Self { at, since })
    }
}

/// The events of the account that was asked for, or of the one that it was merged into.
fn journal<'f>(args: &Args, plan: &Plan, found: &'f Found, instants: &Instants) -> anyhow::Result<Journal<'f>> {
    found.journal(plan, instants.since, instants.at).map_err(|undone| {
        anyhow!(
            "{}: {} counted as another account at --since, and that merge was undone; ask for each time alone with --at",
            args.account,
            undone.account
        )
    })
}

fn answer<'a>(
    args: &'a Args,
    plan: &'a Arc<Plan>,
    before: Option<Arc<Plan>>,
    journal: &'a Journal<'_>,
    instants: &Instants,
) -> anyhow::Result<Answer<'a>> {
    let score =
        plan.score.as_ref().ok_or_else(|| anyhow!("the catalog has no metric with a `score`: nothing to explain"))?;
    let (at, events) = (instants.at, &journal.events);
    let (standing, coming) = explain::standing(plan, events, at);
    let change = instants.since.map(|since| (since, explain::explain(plan, before.as_ref(), events, (since, at))));
    let (account, merged) = (&journal.account, &journal.merged);
    Ok(Answer { asked: &args.account, account, merged, score, at, standing, coming, change })
}
