//! What the sink says about itself: names and the functions that emit them, once a batch.

/// Records read from metric and alert topics.
pub const RECORDS: &str = "vitals_sink_records_total";
/// Records that went to the dead letters.
pub const DEAD_LETTERS: &str = "vitals_sink_dead_letters_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 2] = [RECORDS, DEAD_LETTERS];

/// Describes all of them to the installed recorder.
pub fn describe() {
    metrics::describe_counter!(RECORDS, "Records read from metric and alert topics");
    metrics::describe_counter!(DEAD_LETTERS, "Records that went to the dead letters");
}

pub(crate) fn batch(records: usize, dead_letters: usize) {
    metrics::counter!(RECORDS).increment(u64::try_from(records).unwrap_or(u64::MAX));
    metrics::counter!(DEAD_LETTERS).increment(u64::try_from(dead_letters).unwrap_or(u64::MAX));
}
