//! What this crate says about itself: the only place that names telemetry.

use std::time::Duration;

use crate::outcome::Counts;

/// Events accepted by a door.
pub const ACCEPTED: &str = "vitals_ingest_accepted_total";
/// Events refused by a door.
pub const REJECTED: &str = "vitals_ingest_rejected_total";
/// Events that the HTTP door answered about, by outcome as far as it knows it.
pub const ANSWERED: &str = "vitals_ingest_answered_total";
/// Ticks appended (each to every partition, counted once).
pub const TICKS: &str = "vitals_ingest_ticks_total";
/// Time from gathering a batch to its being durable.
pub const COMMIT: &str = "vitals_ingest_commit_seconds";
/// Requests by status.
pub const REQUESTS: &str = "vitals_ingest_requests_total";
/// Time of a request.
pub const REQUEST: &str = "vitals_ingest_request_seconds";

/// Answers of survey forms, by kind and whether they were saved.
pub const FORMS: &str = "vitals_ingest_form_answers_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 8] = [ACCEPTED, REJECTED, ANSWERED, TICKS, COMMIT, REQUESTS, REQUEST, FORMS];

/// Describes them to the exporter.
pub fn describe() {
    use metrics::Unit::{Count, Seconds};
    metrics::describe_counter!(ACCEPTED, Count, "Events accepted by a door, durably");
    metrics::describe_counter!(REJECTED, Count, "Events refused by a door");
    metrics::describe_counter!(
        ANSWERED,
        Count,
        "Events that the HTTP door answered about, by outcome: accepted, quarantined, not measured, rejected"
    );
    metrics::describe_counter!(TICKS, Count, "Ticks appended");
    metrics::describe_histogram!(COMMIT, Seconds, "Time of a commit of the live door");
    metrics::describe_counter!(REQUESTS, Count, "Requests to the door by status");
    metrics::describe_counter!(FORMS, Count, "Answers of survey forms, by kind and whether they were saved");
    metrics::describe_histogram!(REQUEST, Seconds, "Time of a request, body included");
}

pub(crate) fn appended(rows: u64, ticks: u64) {
    metrics::counter!(ACCEPTED).increment(rows);
    metrics::counter!(TICKS).increment(ticks);
}

pub(crate) fn form(kind: &'static str, saved: bool) {
    metrics::counter!(FORMS, "kind" => kind, "saved" => if saved { "yes" } else { "no" }).increment(1);
}

pub(crate) fn answered(counts: &Counts) {
    for (outcome, events) in [
        ("accepted", counts.accepted),
        ("quarantined", counts.quarantined),
        ("not measured", counts.not_measured),
        ("rejected", counts.rejected),
    ] {
        metrics::counter!(ANSWERED, "outcome" => outcome).increment(u64::try_from(events).unwrap_or(0));
    }
    rejected(u64::try_from(counts.rejected).unwrap_or(0));
}

pub(crate) fn rejected(lines: u64) {
    metrics::counter!(REJECTED).increment(lines);
}

pub(crate) fn committed(took: Duration) {
    metrics::histogram!(COMMIT).record(took.as_secs_f64());
}

pub(crate) fn request(status: u16, took: Duration) {
    metrics::counter!(REQUESTS, "status" => status.to_string()).increment(1);
    metrics::histogram!(REQUEST).record(took.as_secs_f64());
}
