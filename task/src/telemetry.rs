//! What tasks tell about themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::checkpoint::Saved;

/// Outputs made again in recovery and not written.
pub const SUPPRESSED: &str = "vitals_task_suppressed_outputs_total";
/// Outputs committed to the log.
pub const OUTPUTS: &str = "vitals_task_outputs_total";
/// Time of a commit.
pub const COMMIT: &str = "vitals_task_commit_seconds";
/// Tasks of a worker that replay.
pub const REPLAYING: &str = "vitals_task_replaying";
/// Time of the last replay.
pub const RECOVERY: &str = "vitals_task_recovery_seconds";
/// Time to write changed state.
pub const FLUSH: &str = "vitals_task_flush_seconds";

/// States that were discarded: damaged, of other definitions, or far behind a checkpoint.
pub const DISCARDED: &str = "vitals_task_states_discarded_total";
/// Bytes restored from checkpoints.
pub const RESTORED: &str = "vitals_checkpoint_restored_bytes_total";
/// Time of a restore.
pub const RESTORE: &str = "vitals_checkpoint_restore_seconds";
/// Time to upload a checkpoint.
pub const CHECKPOINT: &str = "vitals_checkpoint_seconds";
/// Size of the newest checkpoint.
pub const CHECKPOINT_BYTES: &str = "vitals_checkpoint_bytes";
/// Bytes of checkpoints that were uploaded.
pub const CHECKPOINT_UPLOADED: &str = "vitals_checkpoint_uploaded_bytes_total";
/// When the newest checkpoint was saved.
pub const CHECKPOINT_SUCCESS: &str = "vitals_checkpoint_last_success_timestamp_seconds";
/// Checkpoints not saved, or old ones not deleted.
pub const CHECKPOINT_FAILURES: &str = "vitals_checkpoint_failures_total";
/// Checkpoints that a restore had to pass over.
pub const CHECKPOINT_REFUSED: &str = "vitals_checkpoint_refused_total";
/// Partitions of others whose newest checkpoint is kept here.
pub const WARM: &str = "vitals_checkpoint_warm_copies";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 16] = [
    SUPPRESSED,
    OUTPUTS,
    COMMIT,
    REPLAYING,
    RECOVERY,
    FLUSH,
    DISCARDED,
    RESTORED,
    RESTORE,
    CHECKPOINT,
    CHECKPOINT_BYTES,
    CHECKPOINT_UPLOADED,
    CHECKPOINT_SUCCESS,
    CHECKPOINT_FAILURES,
    CHECKPOINT_REFUSED,
    WARM,
];

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(SUPPRESSED, Unit::Count, "Outputs made again in recovery and not written");
    describe_counter!(OUTPUTS, Unit::Count, "Outputs committed to the log");
    describe_histogram!(COMMIT, Unit::Seconds, "Time of a commit to the log");
    describe_gauge!(REPLAYING, Unit::Count, "Tasks of a worker that replay, or whose state is being opened");
    describe_gauge!(RECOVERY, Unit::Seconds, "Time of the last replay of a task, from opening its state");
    describe_histogram!(FLUSH, Unit::Seconds, "Time to write changed state");
    describe_counter!(DISCARDED, Unit::Count, "States discarded: damaged, of other definitions, or far behind");
    describe_counter!(RESTORED, Unit::Bytes, "Bytes of states restored from checkpoints");
    describe_histogram!(RESTORE, Unit::Seconds, "Time to restore a state from a checkpoint");
    describe_histogram!(CHECKPOINT, Unit::Seconds, "Time to upload a checkpoint");
    describe_gauge!(CHECKPOINT_BYTES, Unit::Bytes, "Size of the newest checkpoint");
    describe_counter!(CHECKPOINT_UPLOADED, Unit::Bytes, "Bytes of checkpoints that were not in the object store yet");
    describe_gauge!(
        CHECKPOINT_SUCCESS,
        Unit::Seconds,
        "When the newest checkpoint was saved, Unix time; its age is what to watch"
    );
    describe_counter!(CHECKPOINT_FAILURES, Unit::Count, "Checkpoints not saved, or old ones not deleted");
    describe_counter!(CHECKPOINT_REFUSED, Unit::Count, "Checkpoints that a restore had to pass over");
    describe_gauge!(WARM, Unit::Count, "Partitions of others whose newest checkpoint is kept here");
}

pub(crate) fn suppressed(task: &str, outputs: usize) {
    counter!(SUPPRESSED, "task" => task.to_owned()).increment(outputs as u64);
}

pub(crate) fn committed(stage: &str, outputs: usize) {
    counter!(OUTPUTS, "stage" => stage.to_owned()).increment(outputs as u64);
}

pub(crate) fn commit_took(stage: &str, took: Duration) {
    histogram!(COMMIT, "stage" => stage.to_owned()).record(took.as_secs_f64());
}

pub(crate) fn replaying(worker: &str, tasks: usize) {
    gauge!(REPLAYING, "worker" => worker.to_owned()).set(tasks as f64);
}

pub(crate) fn recovered(task: &str, took: Duration) {
    gauge!(RECOVERY, "task" => task.to_owned()).set(took.as_secs_f64());
}

pub(crate) fn flushed(task: &str, took: Duration) {
    histogram!(FLUSH, "task" => task.to_owned()).record(took.as_secs_f64());
}

pub(crate) fn discarded(task: &str) {
    counter!(DISCARDED, "task" => task.to_owned()).increment(1);
}

pub(crate) fn restored(task: &str, bytes: u64, took: Duration) {
    counter!(RESTORED, "task" => task.to_owned()).increment(bytes);
    histogram!(RESTORE, "task" => task.to_owned()).record(took.as_secs_f64());
}

pub(crate) fn checkpoint_saved(task: &str, partition: u32, saved: &Saved, took: Duration) {
    let labels = labels(task, partition);
    histogram!(CHECKPOINT, labels.iter()).record(took.as_secs_f64());
    gauge!(CHECKPOINT_BYTES, labels.iter()).set(bytes(saved.bytes_total));
    counter!(CHECKPOINT_UPLOADED, labels.iter()).increment(saved.bytes_uploaded);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!(CHECKPOINT_SUCCESS, labels.iter()).set(now.as_secs_f64());
}

pub(crate) fn checkpoint_failed(task: &str, partition: u32) {
    counter!(CHECKPOINT_FAILURES, labels(task, partition).iter()).increment(1);
}

pub(crate) fn checkpoint_refused(task: &str, partition: u32) {
    counter!(CHECKPOINT_REFUSED, labels(task, partition).iter()).increment(1);
}

pub(crate) fn warm(copies: usize) {
    gauge!(WARM).set(copies as f64);
}

fn labels(task: &str, partition: u32) -> [Label; 2] {
    [Label::new("task", task.to_owned()), Label::new("partition", partition.to_string())]
}

/// A gauge is a double.
#[expect(clippy::cast_precision_loss, reason = "exact below 8 PiB")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}
