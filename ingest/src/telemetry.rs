//! What this crate says about itself: the only place that names telemetry.

/// Lines accepted by a door.
pub const ACCEPTED: &str = "vitals_ingest_accepted_total";
/// Lines refused by a door.
pub const REJECTED: &str = "vitals_ingest_rejected_total";
/// Ticks appended (each to every partition, counted once).
pub const TICKS: &str = "vitals_ingest_ticks_total";

/// Describes them to the exporter.
pub fn describe() {
    metrics::describe_counter!(ACCEPTED, "lines accepted by a door");
    metrics::describe_counter!(REJECTED, "lines refused by a door");
    metrics::describe_counter!(TICKS, "ticks appended");
}

pub(crate) fn appended(rows: u64, ticks: u64) {
    metrics::counter!(ACCEPTED).increment(rows);
    metrics::counter!(TICKS).increment(ticks);
}

pub(crate) fn rejected(lines: u64) {
    metrics::counter!(REJECTED).increment(lines);
}
