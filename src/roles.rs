//! `vitals processor` and `vitals sink`: the stages as processes of a fleet that shares a log on Kafka.
//!
//! Each is scaled by starting more: Kafka's groups spread the partitions. SIGTERM and SIGINT end it after a commit and a
//! flush, exit code 0; one that another has replaced exits with 1.

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    Usage,
    config::Config,
    node::{Node, Part},
    shutdown,
    site::Site,
    telemetry,
};

/// Flags of `vitals processor` and `vitals sink`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where /metrics, /healthz and /readyz are: a loopback address; port 0 takes a free one [default: of the
    /// configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// What there is, for who asks for something else.
const PATHS: &str = "GET /healthz, /readyz and /metrics say how the process is; events go to a door (`vitals ingest`)";

/// Runs a part until it is interrupted, or fails.
pub(crate) fn execute(
    part: Part,
    args: &Args,
    config: &Config,
    path: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let role = match part {
        Part::Processor => "processor",
        Part::Sink => "sink",
        Part::Notifier => "notify",
    };
    let Some(kafka) = crate::kafka::settings(config).map_err(Usage)? else {
        let problem = format!(
            "vitals {role} works on a log on Kafka, expected --brokers or [kafka] brokers; \
             on the embedded log `vitals ingest --data DIR` runs every stage"
        );
        return Err(Usage(anyhow::Error::msg(problem)).into());
    };
    let plan = config.plan().map_err(Usage)?;
    let listen = args.listen.map_or_else(|| config.telemetry_listen(), Ok).map_err(Usage)?;
    let listener = http::bind(listen)?;
    let recorder = telemetry::install()?;
    let stop = shutdown::flag()?;
    let site = Arc::new(Site::fleet(role, path, plan, config, kafka)?);
    if part == Part::Processor && site.host.checkpoints.is_none() {
        tracing::warn!(
            "[checkpoints] store is empty: a lost state is made again from the whole log, and where retention passed \
             its beginning only `vitals rebuild` helps"
        );
    }
    let mut node = Node::start(&site, &[part])?;
    if part == Part::Notifier {
        let notify = config.notify().map_err(Usage)?;
        let none = || anyhow::anyhow!("[alerts] notify is empty, expected the file that says who is notified");
        node.notify(Arc::new(notify.ok_or_else(none).map_err(Usage)?))?;
    }
    let ready = node.readiness();
    let host = http::Host { config: &http::Config::default(), paths: PATHS, ready: "" };
    let upkeep = telemetry::upkeep(recorder.clone());
    let router = telemetry::router(recorder, ready.clone());
    let ended = || stop.load(Ordering::Relaxed) || node.failed();
    let served = http::run(listener, router, host, upkeep, || ready().is_ok(), ended, out);
    // A stage that failed is why the rest did.
    node.stop()?;
    Ok(served?)
}
