//! `vitals up`: all roles in one process, on one port, with one configuration, one log and one end. `vitals ingest` is its door
//! alone, where the log is on Kafka.
//!
//! SIGTERM and SIGINT end it: requests that were begun are answered, what was accepted is processed, exit code 0.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::bail;
use axum::Router;
use ingest::{
    clock,
    live::{Handle, Live},
    outcome::Measured,
};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{Usage, actions, config::Config, engine::Engine, node::Part, remote, shutdown, site::Site, telemetry};

/// Flags of `vitals up` and `vitals ingest`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to listen: a loopback address; port 0 takes a free one [default: of the configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// What a process does on a log on Kafka; on its own log it does everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Everything.
    All,
    /// It takes events.
    Door,
}

/// What there is, for who asks for something else.
const PATHS: &str = "events go to POST /v1/events, what a mapping reads to POST /v1/in/NAME, silences and acknowledgements to POST /v1/alert-actions; GET /healthz, /readyz and /metrics say how the process is; GET / is for people";
/// What to do when it is ready.
const READY: &str = ": open it in a browser; POST /v1/events takes CloudEvents in JSON";

/// How long what was accepted may take to be processed at the end; the next start goes on from there.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Runs until it is interrupted, or a stage fails.
pub(crate) fn execute(
    roles: Roles,
    args: &Args,
    config: &Config,
    path: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let port = Port::open(args.listen, config)?;
    let stop = shutdown::flag()?;
    let (engine, live, front) = start(roles, port, config, path, &stop)?;
    let door = run_door(live)?;
    let ended = || stop.load(Ordering::Relaxed) || engine.failed() || door.is_finished();
    let served = front.serve(ended, out);
    close(&engine, door, served)
}

/// The port, taken before anything is made.
pub(crate) struct Port {
    listener: TcpListener,
    config: http::Config,
    recorder: PrometheusHandle,
}

impl Port {
    /// Takes the address of the flag, or that of the configuration.
    pub(crate) fn open(listen: Option<SocketAddr>, config: &Config) -> anyhow::Result<Self> {
        let mut set = config.port().map_err(Usage)?;
        set.listen = listen.unwrap_or(set.listen);
        let listener = http::bind(set.listen)?;
        Ok(Self { listener, config: set, recorder: telemetry::install()? })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }
}

/// Starts everything but the door's own thread, which [`run_door`] starts.
pub(crate) fn start(
    roles: Roles,
    port: Port,
    config: &Config,
    path: &Path,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Arc<Engine>, Live, Front)> {
    let plan = config.plan().map_err(Usage)?;
    let zone = plan.settings.zone.clone();
    let mappings = config.mappings(&zone).map_err(Usage)?;
    let (requests, mut door) = (config.http().map_err(Usage)?, config.live(zone).map_err(Usage)?);
    let notify = config.notify().map_err(Usage)?;
    let forms = config.forms(path).map_err(Usage)?;
    let role = if roles == Roles::All { "up" } else { "ingest" };
    let site = Arc::new(Site::open(role, path, plan, config)?);
    door.name = site.producer(&door.name);
    let all = roles == Roles::All || site.own_log().is_some();
    let parts: &[Part] = if all { &[Part::Processor, Part::Sink] } else { &[] };
    let engine = Engine::start(site.clone(), parts, notify.filter(|_| all))?;

    let clock = Arc::new(clock::System);
    let (live, handle) = Live::new(door, site.log.clone(), clock.clone())?;
    let measured = {
        let plan = site.plan.clone();
        Measured::new(move |kind| plan.measures(kind))
    };
    let ready = {
        let (engine, door) = (engine.clone(), handle.clone());
        move || door.refusal().map_or_else(|| engine.ready(), |refusal| Err(refusal.reason))
    };
    let pages = ingest::http::forms::router(forms, requests.clone(), handle.clone(), clock.clone());
    let router = ingest::http::router(requests, mappings, handle.clone(), clock, measured)
        .merge(pages)
        .merge(actions::router(site.log.clone()))
        .merge(dashboard::assets::router())
        .merge(remote::router(engine.clone(), config.clone(), stop.clone()))
        .merge(crate::api::router(&engine, config, handle.clone())?)
        .merge(telemetry::router(port.recorder.clone(), ready.clone()));
    let front = Front { port, router, ready: Box::new(move || ready().is_ok()), handle };
    Ok((engine, live, front))
}

/// What the port serves.
pub(crate) struct Front {
    port: Port,
    router: Router,
    ready: Box<dyn Fn() -> bool + Send>,
    /// The door, for those who hand in events in this process. The door closes when all handles of it are gone.
    pub(crate) handle: Handle,
}

impl Front {
    /// Serves until it is `ended`, and answers those whose requests were begun.
    pub(crate) fn serve(self, ended: impl Fn() -> bool, out: &mut dyn Write) -> Result<(), http::Error> {
        let Self { port, router, ready, handle } = self;
        drop(handle);
        let host = http::Host { config: &port.config, paths: PATHS, ready: READY };
        http::run(port.listener, router, host, telemetry::upkeep(port.recorder), ready, ended, out)
    }
}

/// Starts the door's thread.
pub(crate) fn run_door(live: Live) -> anyhow::Result<JoinHandle<ingest::Result<()>>> {
    Ok(std::thread::Builder::new().name("door".to_owned()).spawn(move || live.run())?)
}

/// Ends everything once the port is closed: the door, then the stages when they have processed what it accepted.
pub(crate) fn close(
    engine: &Engine,
    door: JoinHandle<ingest::Result<()>>,
    served: Result<(), http::Error>,
) -> anyhow::Result<()> {
    let closed = door.join();
    if !engine.failed() {
        let over = after(DRAIN_MAX)?;
        engine.drain(&over)?;
    }
    // A stage that failed is why the rest did.
    engine.stop()?;
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
