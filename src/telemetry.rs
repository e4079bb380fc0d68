//! What Vitals says about itself, for machines: `/metrics` for Prometheus, `/healthz`, `/readyz`.
//!
//! Every name is in `deploy/telemetry.md`, which a test holds to the names of the crates.

use std::time::Duration;

use anyhow::Context as _;
use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse as _,
    routing::get,
};
use http::problem;
use metrics::Unit;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Records that a group of readers has still to read.
const LAG_RECORDS: &str = "vitals_lag_records";
/// Seconds that it is behind.
const LAG_SECONDS: &str = "vitals_lag_seconds";

/// Times that a stage was opened again after a failure that passes.
const RESTARTS: &str = "vitals_stage_restarts_total";

/// How often histograms are tidied when nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Upper bounds of every histogram, which all are seconds.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Starts to collect; once in a process.
pub(crate) fn install() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("telemetry was started already")?;
    eventlog::telemetry::describe();
    http::telemetry::describe();
    ingest::telemetry::describe();
    task::telemetry::describe();
    processor::telemetry::describe();
    sink::telemetry::describe();
    alert::notify::telemetry::describe();
    store::telemetry::describe();
    metrics::describe_gauge!(LAG_RECORDS, Unit::Count, "Records that a group of readers has still to read");
    metrics::describe_gauge!(LAG_SECONDS, Unit::Seconds, "Time since the log went past what a group has read");
    metrics::describe_counter!(
        RESTARTS,
        Unit::Count,
        "Times that a stage was opened again after a failure that passes"
    );
    Ok(handle)
}

/// A stage is opened again.
pub(crate) fn restarted(name: &str) {
    metrics::counter!(RESTARTS, "name" => name.to_owned()).increment(1);
}

/// The routes; `ready` says why the process is not.
pub(crate) fn router(
    handle: PrometheusHandle,
    ready: impl Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
) -> Router {
    let metrics = move || {
        let text = handle.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    let ready = move || {
        let answer = match ready() {
            Ok(()) => "ready\n".into_response(),
            Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {why}")),
        };
        async move { answer }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
}

/// Keeps the collected figures small, for ever.
pub(crate) async fn upkeep(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

/// How far a group of readers is behind.
pub(crate) fn lag(group: &str, records: u64, seconds: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
    metrics::gauge!(LAG_RECORDS, "group" => group.to_owned()).set(records as f64);
    metrics::gauge!(LAG_SECONDS, "group" => group.to_owned()).set(seconds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_name_and_no_other() {
        let page = include_str!("../deploy/telemetry.md");
        let mut listed: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)).collect();
        let mut names = [
            &eventlog::telemetry::NAMES[..],
            &http::telemetry::NAMES,
            &ingest::telemetry::NAMES,
            &task::telemetry::NAMES,
            &processor::telemetry::NAMES,
            &sink::telemetry::NAMES,
            &alert::notify::telemetry::NAMES,
            &store::telemetry::NAMES,
            &[LAG_RECORDS, LAG_SECONDS, RESTARTS],
        ]
        .concat();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, names);
    }
}
