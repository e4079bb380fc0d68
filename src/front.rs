//! The HTTP side of a role: its routes beside `/metrics`, `/healthz` and `/readyz`, until it shall end.

use std::{io::Write, net::TcpListener, time::Duration};

use axum::Router;
use ingest::http::{self, Limits};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::telemetry;

/// How soon the server notices that it shall end.
const LOOK: Duration = Duration::from_millis(20);

/// What a role serves.
pub(crate) struct Port<'a> {
    /// Limits of its connections.
    pub(crate) limits: &'a Limits,
    /// What there is, for who asks for something else.
    pub(crate) paths: &'static str,
    /// What to do once it is ready, said with the address before it.
    pub(crate) ready: &'static str,
    /// What it tells about itself.
    pub(crate) recorder: PrometheusHandle,
}

/// Says where it listens, and when it is ready; serves until `ended` says so, then answers those whose requests were begun.
pub(crate) fn serve(
    listener: TcpListener,
    router: Router,
    port: Port<'_>,
    is_ready: impl Fn() -> bool,
    ended: impl Fn() -> bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .thread_name("http")
        .build()?;
    runtime.spawn(telemetry::upkeep(port.recorder));
    let ends = async {
        let mut said = false;
        while !ended() {
            if !said && is_ready() {
                said = true;
                // Who read the address may have closed the pipe: that is no reason to end.
                let _ = writeln!(out, "ready on http://{address}{}", port.ready).and_then(|()| out.flush());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let served = runtime.block_on(http::serve(listener, router, port.limits, port.paths, ends));
    // With the last request goes the last handle of a door, which then closes.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(served?)
}
