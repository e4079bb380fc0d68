//! What the log says about itself: names and the functions that emit them, once a commit or a cleaning.
//!
//! It does not know who listens; without a recorder these calls cost nothing worth naming.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

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

/// Bytes of live data in a RocksDB, estimated.
pub const LIVE: &str = "vitals_rocksdb_live_bytes";
/// Bytes in its memtables.
pub const MEMTABLES: &str = "vitals_rocksdb_memtable_bytes";
/// Bytes that its compaction is behind.
pub const PENDING: &str = "vitals_rocksdb_pending_compaction_bytes";
/// Its files of level 0.
pub const LEVEL0: &str = "vitals_rocksdb_level0_files";
/// 1 while it refuses writes.
pub const STOPPED: &str = "vitals_rocksdb_write_stopped";

/// What RocksDB calls them.
const FIGURES: [(&str, &str); 5] = [
    (LIVE, "rocksdb.estimate-live-data-size"),
    (MEMTABLES, "rocksdb.cur-size-all-mem-tables"),
    (PENDING, "rocksdb.estimate-pending-compaction-bytes"),
    (LEVEL0, "rocksdb.num-files-at-level0"),
    (STOPPED, "rocksdb.is-write-stopped"),
];

/// Bytes that a client of Kafka sent.
pub const SENT: &str = "vitals_kafka_sent_bytes_total";
/// Bytes that it received.
pub const RECEIVED: &str = "vitals_kafka_received_bytes_total";
/// Its requests that failed or were not answered in time.
pub const ERRORS: &str = "vitals_kafka_request_errors_total";
/// Records that it has still to send, or to hand over.
pub const QUEUED: &str = "vitals_kafka_queued_records";
/// Brokers that it is connected to.
pub const CONNECTED: &str = "vitals_kafka_brokers_connected";
/// p99 of its round trips to the slowest broker.
pub const ROUND_TRIP: &str = "vitals_kafka_round_trip_seconds";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 17] = [
    RECORDS, COMMITS, BYTES, SYNCS, EXPIRED, COMPACTED, LIVE, MEMTABLES, PENDING, LEVEL0, STOPPED, SENT, RECEIVED,
    ERRORS, QUEUED, CONNECTED, ROUND_TRIP,
];

/// Describes everything to the recorder.
pub fn describe() {
    describe_counter!(RECORDS, Unit::Count, "Records appended to the log");
    describe_counter!(COMMITS, Unit::Count, "Commits written to the log");
    describe_counter!(BYTES, Unit::Bytes, "Bytes appended to the log, before compression");
    describe_histogram!(SYNCS, Unit::Seconds, "Time of one durable write, which may hold several commits");
    describe_counter!(EXPIRED, Unit::Count, "Records removed because they were older than the retention");
    describe_counter!(COMPACTED, Unit::Count, "Records removed because a newer one has their key");
    describe_gauge!(LIVE, Unit::Bytes, "Live data in a RocksDB, estimated");
    describe_gauge!(MEMTABLES, Unit::Bytes, "Memtables of a RocksDB");
    describe_gauge!(PENDING, Unit::Bytes, "What compaction of a RocksDB is behind, estimated");
    describe_gauge!(LEVEL0, Unit::Count, "Files of level 0 of a RocksDB");
    describe_gauge!(STOPPED, Unit::Count, "1 while a RocksDB refuses writes");
    describe_counter!(SENT, Unit::Bytes, "Bytes that a client of Kafka sent");
    describe_counter!(RECEIVED, Unit::Bytes, "Bytes that a client of Kafka received");
    describe_counter!(ERRORS, Unit::Count, "Requests to Kafka that failed or were not answered in time");
    describe_gauge!(QUEUED, Unit::Count, "Records that a client of Kafka has still to send, or to hand over");
    describe_gauge!(CONNECTED, Unit::Count, "Brokers that a client of Kafka is connected to");
    describe_gauge!(ROUND_TRIP, Unit::Seconds, "p99 of the round trips to the slowest broker, of the last 5 s");
}

/// Reports on the database `db`; `figure` gives a property of RocksDB, summed over its column families.
pub fn rocksdb(db: &str, figure: impl Fn(&str) -> Option<u64>) {
    for (name, property) in FIGURES {
        if let Some(value) = figure(property) {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
            gauge!(name, "db" => db.to_owned()).set(value as f64);
        }
    }
}

/// How a client of Kafka is; counts since it was made.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) errors: u64,
    pub(crate) queued_records: u64,
    pub(crate) connected: usize,
    pub(crate) round_trip: Duration,
}

/// Reports on the client of this name, which may be one of several over time: only what was added counts.
pub(crate) fn client(name: &str, before: &Client, now: &Client) {
    let label = || [("client", name.to_owned())];
    counter!(SENT, &label()).increment(now.sent_bytes.saturating_sub(before.sent_bytes));
    counter!(RECEIVED, &label()).increment(now.received_bytes.saturating_sub(before.received_bytes));
    counter!(ERRORS, &label()).increment(now.errors.saturating_sub(before.errors));
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
    gauge!(QUEUED, &label()).set(now.queued_records as f64);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
    gauge!(CONNECTED, &label()).set(now.connected as f64);
    gauge!(ROUND_TRIP, &label()).set(now.round_trip.as_secs_f64());
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
