//! What this crate says about itself: the only place that names telemetry.

/// Connections that are open.
pub const CONNECTIONS: &str = "vitals_http_connections";
/// Work that was refused because a pool had no free thread in time, by pool.
pub const BUSY: &str = "vitals_http_busy_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 2] = [CONNECTIONS, BUSY];

/// Describes them to the exporter.
pub fn describe() {
    use metrics::Unit::Count;
    metrics::describe_gauge!(CONNECTIONS, Count, "Connections that are open, as of the last one accepted");
    metrics::describe_counter!(BUSY, Count, "Requests that were refused because their pool had no thread free in time");
}

pub(crate) fn connections(open: usize) {
    metrics::gauge!(CONNECTIONS).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
}

pub(crate) fn busy(pool: &'static str) {
    metrics::counter!(BUSY, "pool" => pool).increment(1);
}
