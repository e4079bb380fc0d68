//! `vitals explain`: why the health score of an account is what it is, what moved it, and how it will change if nothing
//! happens; from the log alone. It follows the log: another process may write.

mod json;
mod show;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{anyhow, ensure};
use ingest::partition;
use processor::{explain::Found, topics};
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

/// All that there is to say.
struct Answer<'a> {
    account: &'a str,
    score: &'a Score,
    at: Time,
    standing: Standing,
    coming: Vec<Projected>,
    /// What moved it since an instant.
    change: Option<(Time, Explanation)>,
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = Arc::new(config.plan().map_err(Usage)?);
    let before = args.before.as_deref().map(|catalog| config.plan_of(catalog)).transpose().map_err(Usage)?;
    let log = site::follow(config, path)?;
    let partitions = log.topics()?.iter().find(|spec| spec.name == topics::EVENTS).map_or(0, |spec| spec.partitions);
    ensure!(partitions > 0, "{}: there is no topic of this name in the log", topics::EVENTS);
    let partition = partition::of(args.account.as_bytes(), partitions);
    let found = Found::read(log.as_ref(), partition, &args.tenant, &args.account)?;
    let answer = answer(args, &plan, before.map(Arc::new), &found).map_err(Usage)?;
    if args.json {
        json::write(&answer, out)
    } else {
        show::write(&answer, &Labels::of(&describe::settings(&plan))?, out)
    }
}

fn answer<'a>(
    args: &'a Args,
    plan: &'a Arc<Plan>,
    before: Option<Arc<Plan>>,
    found: &Found,
) -> anyhow::Result<Answer<'a>> {
    let score =
        plan.score.as_ref().ok_or_else(|| anyhow!("the catalog has no metric with a `score`: nothing to explain"))?;
    let account = args.account.as_str();
    ensure!(
        !found.merged,
        "{account}: takes part in a merge of accounts; the score of merged accounts cannot be explained yet"
    );
    let events = found.events(plan);
    ensure!(!events.is_empty(), "{account}: the log has no event of this account; `vitals query` lists accounts");
    let calendar = Calendar::of(&describe::settings(plan))?;
    let time = |flag: &str, text: &str| calendar.parse_us(text).map_err(|error| anyhow!("--{flag}: {error}"));

    let last = events.iter().map(|event| event.recorded_at).max();
    let end = found.clock.max(last).map_or(Time::MAX, |at| at.saturating_add(1));
    let at = args.at.as_deref().map_or(Ok(end), |text| time("at", text))?;
    let since = args.since.as_deref().map(|text| time("since", text)).transpose()?;
    ensure!(since.is_none_or(|since| since < at), "--since: is not before --at");
    ensure!(
        at <= end,
        "--at: the log ends at {}; what comes after it has no score yet",
        ingest::render_rfc3339(end.saturating_sub(1))
    );

    let (standing, coming) = explain::standing(plan, &events, at);
    let change = since.map(|since| (since, explain::explain(plan, before.as_ref(), &events, (since, at))));
    Ok(Answer { account, score, at, standing, coming, change })
}
