//! Vitals: the command line. A subcommand a file; this one only dispatches.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or input. Logs go to stderr, human on a terminal, else JSON.

mod ack;
mod actions;
mod agree;
mod alerts;
mod api;
mod backtest;
mod checkpoints;
mod config;
mod conflicts;
mod cure;
mod demo;
mod describe;
mod diagnostic;
mod engine;
mod events;
mod explain;
mod forms;
mod help;
mod import;
mod imports;
mod init;
mod kafka;
mod lag;
mod map;
mod metrics;
mod node;
mod notify;
mod outcomes;
mod output;
mod quarantine;
mod query;
mod rebuild;
mod remote;
mod roles;
mod rules;
mod shutdown;
mod silence;
mod simulate;
mod site;
mod status;
mod tail;
mod telemetry;
mod topics;
mod up;
mod waiting;

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use node::Part;
use up::Roles;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The vital signs of a customer base in real time.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Settings; without it the defaults (see deploy/config/default.toml)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [default: vitals-data; of the demo: a new temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run the command in the process of `vitals up` that listens there, on its data
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["config", "data"])]
    server: Option<String>,
    #[command(subcommand)]
    command: Command,
}

/// Arguments of a command that works on the log.
#[derive(Debug, clap::Args)]
struct OnLog<T: clap::Args> {
    #[command(flatten)]
    args: T,
    /// The log is on Kafka, on these brokers [default: of the configuration, else the log of the data directory]
    #[arg(long, global = true, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads files of history into the log, and processes and stores everything.
    #[command(after_help = help::IMPORT)]
    Import(OnLog<import::Args>),
    /// A first mapping from a look at a file, and what would come of files before anything is written.
    Map(map::Args),
    /// Everything in one process on one port: takes events, keeps metrics and alerts, stores them, notifies, answers.
    #[command(after_help = help::UP)]
    Up(OnLog<up::Args>),
    /// A new folder with a commented configuration, a copy of the catalog and a file of rules.
    #[command(after_help = help::INIT)]
    Init(init::Args),
    /// How far each stage is, disk, retention, and how events ended.
    #[command(after_help = help::STATUS)]
    Status(OnLog<status::Args>),
    /// Takes events over HTTP: one door of a fleet on Kafka; on the embedded log the same as `up`.
    #[command(after_help = help::INGEST)]
    Ingest(OnLog<up::Args>),
    /// Keeps the aggregates of a share of the partitions: one of a fleet on Kafka.
    #[command(after_help = help::PROCESSOR)]
    Processor(OnLog<roles::Args>),
    /// Writes metrics and alerts to the store: one of a fleet on Kafka.
    #[command(after_help = help::SINK)]
    Sink(OnLog<roles::Args>),
    /// Rows of a metric.
    #[command(after_help = help::QUERY)]
    Query(query::Args),
    /// Alerts and their states.
    #[command(after_help = help::ALERTS)]
    Alerts(alerts::Args),
    /// Rules of alerts: mistakes of a file, the rules in words, tests of rules.
    Rules(rules::command::Args),
    /// What rules would have caught: their alerts over the history of the log, against what became of the accounts.
    #[command(after_help = help::BACKTEST)]
    Backtest(OnLog<backtest::Args>),
    /// Takes care of an alert: it is not sent again, and not escalated.
    #[command(after_help = help::ACK)]
    Ack(OnLog<ack::Args>),
    /// Survey forms: links for respondents.
    Forms(forms::Args),
    /// Silences: alerts that are not sent for a while.
    Silence(OnLog<silence::Args>),
    /// Notifications of alerts: runs them, checks their configuration, sends a test.
    Notify(OnLog<notify::Args>),
    /// The catalog of metrics.
    #[command(after_help = help::METRICS)]
    Metrics(metrics::Args),
    /// Why the health score of an account is what it is, what moved it, and how it will change if nothing happens.
    #[command(after_help = help::EXPLAIN)]
    Explain(OnLog<explain::Args>),
    /// Computes everything again from the log.
    #[command(after_help = help::REBUILD)]
    Rebuild(OnLog<rebuild::Args>),
    /// Checkpoints of states in an object store.
    Checkpoints(checkpoints::Args),
    /// The log as CloudEvents JSON, one event a line.
    #[command(after_help = help::EVENTS)]
    Events(OnLog<events::Args>),
    /// Which imports there were, and how each ended.
    #[command(after_help = help::IMPORTS)]
    Imports(OnLog<imports::Args>),
    /// How every event in the log ended: the counts add up.
    #[command(after_help = help::OUTCOMES)]
    Outcomes(OnLog<outcomes::Args>),
    /// Events whose id was known with other content, and orders opened twice: both contents side by side.
    #[command(after_help = help::CONFLICTS)]
    Conflicts(OnLog<conflicts::Args>),
    /// Events that wait for the order, invoice or event that they name.
    #[command(after_help = help::WAITING)]
    Waiting(OnLog<waiting::Args>),
    /// Events that were dated ahead of their arrival, and therefore not applied.
    #[command(after_help = help::QUARANTINE)]
    Quarantine(OnLog<quarantine::Args>),
    /// What is published, as it comes: values of a metric, or alerts.
    #[command(after_help = help::TAIL)]
    Tail(OnLog<tail::Args>),
    /// Topics on a Kafka cluster.
    Topics(OnLog<topics::Args>),
    /// A simulated company: its past year, then live; with --brokers by a fleet of processes.
    #[command(after_help = help::DEMO)]
    Demo(OnLog<demo::Args>),
    /// The events of a simulated company as NDJSON, and the totals that must come out.
    #[command(after_help = help::SIMULATE)]
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    // Tests end the process where it hurts most.
    if let Ok(place) = std::env::var("VITALS_ABORT_AT")
        && let Err(problem) = eventlog::failpoint::arm(&place)
    {
        tracing::warn!("VITALS_ABORT_AT: {problem}");
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let done = run(&cli, &mut out);
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if stderr is closed too.
            let _ = writeln!(io::stderr(), "error: {}", message(&error));
            ExitCode::from(code(&error))
        }
    }
}

fn run(cli: &Cli, out: &mut dyn io::Write) -> anyhow::Result<()> {
    if let Some(server) = &cli.server {
        return remote::run(server, cli, out);
    }
    let file = cli.config.as_deref();
    let read = |brokers: Option<&str>| config::Config::read(file, brokers).map_err(Usage);
    let of = |brokers: &Option<String>| read(brokers.as_deref());
    // Readers of the store compare it with a configuration only where one is named.
    let named = || file.map(|_| read(None)).transpose();
    let data = cli.data.as_deref().unwrap_or(Path::new("vitals-data"));
    match &cli.command {
        Command::Query(args) => query::run(args, named()?.as_ref(), data, out),
        Command::Alerts(args) => alerts::run(args, named()?.as_ref(), data, out),
        Command::Rules(args) => rules::command::run(args, &read(None)?, out),
        Command::Ack(on) => ack::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Forms(args) => forms::run(args, &read(None)?, data, out),
        Command::Silence(on) => silence::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Notify(on) => notify::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Metrics(args) => metrics::run(args, named()?.as_ref(), data, out),
        Command::Import(on) => import::execute(&on.args, &of(&on.brokers)?, data, None, out),
        Command::Map(args) => map::run(args, &read(None)?, data, out),
        Command::Up(on) => up::execute(Roles::All, &on.args, &of(&on.brokers)?, data, out),
        Command::Init(args) => init::run(args, out),
        Command::Status(on) => status::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Ingest(on) => up::execute(Roles::Door, &on.args, &of(&on.brokers)?, data, out),
        Command::Processor(on) => roles::execute(Part::Processor, &on.args, &of(&on.brokers)?, data, out),
        Command::Sink(on) => roles::execute(Part::Sink, &on.args, &of(&on.brokers)?, data, out),
        Command::Tail(on) => tail::execute(&on.args, &of(&on.brokers)?, data, None, out),
        Command::Backtest(on) => backtest::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Explain(on) => explain::execute(&on.args, &of(&on.brokers)?, data, None, out),
        Command::Rebuild(on) => rebuild::run(&on.args, &of(&on.brokers)?, data, out),
        Command::Checkpoints(args) => checkpoints::run(args, &read(None)?, data, out),
        Command::Events(on) => events::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Quarantine(on) => quarantine::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Imports(on) => imports::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Outcomes(on) => outcomes::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Conflicts(on) => conflicts::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Waiting(on) => waiting::execute(&on.args, &of(&on.brokers)?, data, out),
        Command::Topics(on) => topics::run(&on.args, &of(&on.brokers)?, out),
        Command::Demo(on) => {
            let place = demo::Where { path: cli.data.as_deref(), file };
            demo::run(&on.args, &of(&on.brokers)?, &place, out)
        }
        Command::Simulate(args) => simulate::run(args, out),
    }
}

/// Wrong usage or input: exit code 2.
#[derive(Debug)]
struct Usage(anyhow::Error);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&message(&self.0))
    }
}

impl std::error::Error for Usage {}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() { logs.init() } else { logs.json().init() }
}

/// Whoever read our output has enough of it, as `head` does: that is no failure.
fn broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        io.or(json).or(csv) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes, each once: some name their cause themselves.
fn message(error: &anyhow::Error) -> String {
    let join = |said: String, cause: String| if said.ends_with(&cause) { said } else { format!("{said}: {cause}") };
    let said = error.chain().map(ToString::to_string).reduce(join).unwrap_or_default();
    let cure = error.chain().find_map(|cause| cure::of(cause.downcast_ref()?));
    match cure.filter(|cure| !said.ends_with(cure)) {
        Some(cure) => said + &cure,
        None => said,
    }
}

/// 2 for a question that cannot be answered as asked, else 1.
fn code(error: &anyhow::Error) -> u8 {
    if let Some(ended) = error.downcast_ref::<remote::Ended>() {
        return ended.code;
    }
    let rejected = error.downcast_ref::<store::Error>().is_some_and(|error| error.kind() == store::Kind::Reject)
        || error.downcast_ref::<ingest::Error>().is_some_and(|error| error.kind() == ingest::Kind::Reject)
        || error.is::<http::Error>()
        || matches!(error.downcast_ref(), Some(eventlog::Error::Partitions { .. }))
        || error.downcast_ref::<Usage>().is_some();
    if rejected { 2 } else { 1 }
}
