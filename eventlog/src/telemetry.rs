//! What the log says about itself: names and the functions that emit them, once a commit or a cleaning.
//!
//! It does not know who listens; without a recorder these calls cost nothing worth naming.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

/// Records appended.
pub const RECORDS: &str = "vitals_log_records_appended_total";
/// Commits written.
pub const COMMITS: &str = "vitals_log_commits_total";
/// Bytes given to the storage engine, before compression.
pub const BYTES: &str = "vitals_log_bytes_appended_total";
/// Writes to disk; several commits may share one.
pub const SYNCS: &str = "vitals_log_sync_seconds";
/// Records removed because they were older than the retention.
pub const EXPIRED: &str = "vitals_log_records_expired_total";
/// Records removed because a newer one has their key.
pub const COMPACTED: &str = "vitals_log_records_compacted_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 6] = [RECORDS, COMMITS, BYTES, SYNCS, EXPIRED, COMPACTED];

/// Describes everything to the recorder.
pub fn describe() {
    describe_counter!(RECORDS, Unit::Count, "Records appended to the log");
    describe_counter!(COMMITS, Unit::Count, "Commits written to the log");
    describe_counter!(BYTES, Unit::Bytes, "Bytes appended to the log, before compression");
    describe_histogram!(SYNCS, Unit::Seconds, "Time of one durable write, which may hold several commits");
    describe_counter!(EXPIRED, Unit::Count, "Records removed because they were older than the retention");
    describe_counter!(COMPACTED, Unit::Count, "Records removed because a newer one has their key");
}

pub(crate) fn synced(took: Duration) {
    histogram!(SYNCS).record(took.as_secs_f64());
}

pub(crate) fn committed(commits: usize, records: u64, bytes: usize) {
    counter!(COMMITS).increment(commits as u64);
    counter!(RECORDS).increment(records);
    counter!(BYTES).increment(bytes as u64);
}

pub(crate) fn cleaned(expired: u64, compacted: u64) {
    counter!(EXPIRED).increment(expired);
    counter!(COMPACTED).increment(compacted);
}
