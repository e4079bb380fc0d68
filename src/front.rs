//! The HTTP side of a role: its routes beside `/metrics`, `/healthz` and `/readyz`, until it shall end.

use std::{io::Write, net::TcpListener, time::Duration};

use axum::Router;
use ingest::http;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::telemetry;

/// How soon the server notices that it shall end.
const LOOK: Duration = Duration::from_millis(20);

/// Says where it listens, then serves until `ended` says so; then answers those whose requests were begun.
pub(crate) fn serve(
    listener: TcpListener,
    router: Router,
    config: &http::Config,
    recorder: PrometheusHandle,
    ended: impl Fn() -> bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .thread_name("http")
        .build()?;
    runtime.spawn(telemetry::upkeep(recorder));
    let ends = async {
        while !ended() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let served = runtime.block_on(http::serve(listener, router, config, ends));
    // With the last request goes the last handle of a door, which then closes.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(served?)
}
