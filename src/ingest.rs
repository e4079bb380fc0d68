//! `vitals ingest`: the live door. On the embedded log every stage is behind it, in one process; on Kafka it is one of
//! several doors, and processors and sinks are processes of their own.
//!
//! SIGTERM and SIGINT end it: requests that were begun are answered, what was accepted is processed, exit code 0.

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use ingest::{clock, live::Live, outcome::Measured};

use crate::{
    Usage, actions,
    config::Config,
    node::{Node, Part},
    shutdown,
    site::Site,
    telemetry,
};

/// Flags of `vitals ingest`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to listen: a loopback address; port 0 takes a free one [default: of the configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// What there is, for who asks for something else.
const PATHS: &str = "events go to POST /v1/events, what a mapping reads to POST /v1/in/NAME, silences and acknowledgements to POST /v1/alert-actions; GET /healthz, /readyz and /metrics say how the door is";
/// What to do when it is ready.
const READY: &str = ": POST /v1/events takes CloudEvents in JSON";

/// How long what was accepted may take to be processed at the end; the next start goes on from there.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Runs the command until it is interrupted, or a stage fails.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let mut port = config.port().map_err(Usage)?;
    port.listen = args.listen.unwrap_or(port.listen);
    let requests = config.http().map_err(Usage)?;
    let mappings = config.mappings(&plan.settings.zone).map_err(Usage)?;
    let mut door = config.live(plan.settings.zone.clone()).map_err(Usage)?;
    let notify = config.notify().map_err(Usage)?;
    let kafka = crate::kafka::settings(config).map_err(Usage)?;
    let listener = http::bind(port.listen)?;
    let recorder = telemetry::install()?;
    let (site, parts): (_, &[Part]) = match kafka {
        Some(kafka) => (Site::fleet("ingest", path, plan, config, kafka)?, &[]),
        None => (Site::embedded(path, plan, config)?, &[Part::Processor, Part::Sink]),
    };
    door.name = site.producer(&door.name);
    let stop = shutdown::flag()?;
    let mut node = Node::start(&site, parts)?;
    if let Some(notify) = notify {
        // On Kafka `vitals notify run` is a process of its own.
        if site.own_log().is_some() {
            node.notify(notify)?;
        }
    }
    let clock = Arc::new(clock::System);
    let (live, handle) = Live::new(door, site.log.clone(), clock.clone())?;
    let door = std::thread::Builder::new().name("door".to_owned()).spawn(move || live.run())?;
    let (stages, shut) = (node.readiness(), handle.clone());
    let ready = move || shut.refusal().map_or_else(&stages, |refusal| Err(refusal.reason));
    let measured = {
        let plan = site.plan.clone();
        Measured::new(move |kind| plan.measures(kind))
    };
    let host = http::Host { config: &port, paths: PATHS, ready: READY };
    let upkeep = telemetry::upkeep(recorder.clone());
    let router = ingest::http::router(requests, mappings, handle, clock, measured)
        .merge(actions::router(site.log.clone()))
        .merge(telemetry::router(recorder, ready.clone()));
    let ended = || stop.load(Ordering::Relaxed) || node.failed() || door.is_finished();
    // It holds a handle of the door, which closes when all are gone.
    let served = http::run(listener, router, host, upkeep, move || ready().is_ok(), ended, out);
    let closed = door.join();
    if !node.failed() {
        let over = after(DRAIN_MAX)?;
        node.drain(&over)?;
    }
    // A stage that failed is why the rest did.
    node.stop()?;
    served?;
    match closed {
        Ok(closed) => Ok(closed?),
        Err(_) => bail!("the door panicked: this is a defect, please report it with the log"),
    }
}

/// A flag that becomes true by itself.
fn after(wait: Duration) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let over = flag.clone();
    std::thread::Builder::new().name("patience".to_owned()).spawn(move || {
        std::thread::sleep(wait);
        over.store(true, Ordering::Relaxed);
    })?;
    Ok(flag)
}
