//! What a store says about itself: names and the functions that emit them, once a batch.

use std::time::Duration;

use crate::Written;

/// Rows and alerts inserted or replaced.
pub const APPLIED: &str = "vitals_store_rows_applied_total";
/// Rows and alerts left out for a higher revision.
pub const SUPERSEDED: &str = "vitals_store_rows_superseded_total";
/// Time that a batch took, commit included.
pub const WRITE_SECONDS: &str = "vitals_store_write_seconds";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 3] = [APPLIED, SUPERSEDED, WRITE_SECONDS];

/// Describes all of them to the installed recorder.
pub fn describe() {
    metrics::describe_counter!(APPLIED, "Rows and alerts inserted or replaced");
    metrics::describe_counter!(SUPERSEDED, "Rows and alerts left out for a higher revision");
    metrics::describe_histogram!(WRITE_SECONDS, metrics::Unit::Seconds, "Time that a batch took, commit included");
}

pub(crate) fn written(written: Written, took: Duration) {
    metrics::counter!(APPLIED).increment(written.applied);
    metrics::counter!(SUPERSEDED).increment(written.superseded);
    metrics::histogram!(WRITE_SECONDS).record(took.as_secs_f64());
}
