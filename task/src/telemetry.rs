//! What tasks tell about themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::checkpoint::Saved;

const SUPPRESSED: &str = "vitals_task_suppressed_outputs_total";
const OUTPUTS: &str = "vitals_task_outputs_total";
const FLUSH: &str = "vitals_task_flush_seconds";
const CHECKPOINT: &str = "vitals_checkpoint_seconds";
const CHECKPOINT_BYTES: &str = "vitals_checkpoint_bytes";
const CHECKPOINT_UPLOADED: &str = "vitals_checkpoint_uploaded_bytes_total";
const CHECKPOINT_SUCCESS: &str = "vitals_checkpoint_last_success_timestamp_seconds";
const CHECKPOINT_FAILURES: &str = "vitals_checkpoint_failures_total";
const CHECKPOINT_REFUSED: &str = "vitals_checkpoint_refused_total";

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(SUPPRESSED, Unit::Count, "Outputs made again in recovery and not written");
    describe_counter!(OUTPUTS, Unit::Count, "Outputs committed to the log");
    describe_histogram!(FLUSH, Unit::Seconds, "Time to write changed state");
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
}

pub(crate) fn suppressed(task: &str, outputs: usize) {
    counter!(SUPPRESSED, "task" => task.to_owned()).increment(outputs as u64);
}

pub(crate) fn committed(task: &str, outputs: usize) {
    counter!(OUTPUTS, "task" => task.to_owned()).increment(outputs as u64);
}

pub(crate) fn flushed(task: &str, took: Duration) {
    histogram!(FLUSH, "task" => task.to_owned()).record(took.as_secs_f64());
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

fn labels(task: &str, partition: u32) -> [Label; 2] {
    [Label::new("task", task.to_owned()), Label::new("partition", partition.to_string())]
}

/// A gauge is a double.
#[expect(clippy::cast_precision_loss, reason = "exact below 8 PiB")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}
