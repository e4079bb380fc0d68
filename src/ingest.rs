//! `vitals ingest`: the live door, and on the embedded log every stage behind it, in one process.
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
    thread::JoinHandle,
    time::Duration,
};

use anyhow::bail;
use ingest::{clock, http, live::Live};

use crate::{
    Usage,
    config::Config,
    node::{Data, Node},
    shutdown, telemetry,
};

/// Flags of `vitals ingest`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to listen: a loopback address; port 0 takes a free one [default: of the configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// How soon the server notices that it shall end.
const LOOK: Duration = Duration::from_millis(20);
/// How long what was accepted may take to be processed at the end; the next start goes on from there.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Runs the command until it is interrupted, or a stage fails.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let mut front = config.http().map_err(Usage)?;
    front.listen = args.listen.unwrap_or(front.listen);
    let door = config.live(plan.settings.zone.clone()).map_err(Usage)?;
    let listener = http::bind(front.listen)?;
    let recorder = telemetry::install()?;
    let data = Data::open(path, plan, config.log.partitions)?;
    let stop = shutdown::flag()?;
    let node = Node::start(&data)?;
    let clock = Arc::new(clock::System);
    let (live, handle) = Live::new(door, data.log.clone(), clock.clone())?;
    let door = std::thread::Builder::new().name("door".to_owned()).spawn(move || live.run())?;
    let (stages, shut) = (Arc::new(node.readiness()), handle.clone());
    let ready = move || shut.refusal().map_or_else(|| stages(), |refusal| Err(refusal.reason));
    let router = http::router(front.clone(), handle, clock).merge(telemetry::router(recorder.clone(), ready));
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .thread_name("http")
        .build()?;
    runtime.spawn(telemetry::upkeep(recorder));
    let ends = ended(&stop, &node, &door);
    let served = runtime.block_on(http::serve(listener, router, &front, ends));
    // With the last request goes the last handle of the door, which then closes.
    runtime.shutdown_timeout(Duration::from_secs(1));
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

/// Until somebody says so, or something failed.
async fn ended<T>(stop: &AtomicBool, node: &Node<'_>, door: &JoinHandle<T>) {
    while !stop.load(Ordering::Relaxed) && !node.failed() && !door.is_finished() {
        tokio::time::sleep(LOOK).await;
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
