//! What tasks tell about themselves.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

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

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 6] = [SUPPRESSED, OUTPUTS, COMMIT, REPLAYING, RECOVERY, FLUSH];

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(SUPPRESSED, Unit::Count, "Outputs made again in recovery and not written");
    describe_counter!(OUTPUTS, Unit::Count, "Outputs committed to the log");
    describe_histogram!(COMMIT, Unit::Seconds, "Time of a commit to the log");
    describe_gauge!(REPLAYING, Unit::Count, "Tasks of a worker that replay, or whose state is being opened");
    describe_gauge!(RECOVERY, Unit::Seconds, "Time of the last replay of a task, from opening its state");
    describe_histogram!(FLUSH, Unit::Seconds, "Time to write changed state");
}

pub(crate) fn suppressed(task: &str, outputs: usize) {
    counter!(SUPPRESSED, "task" => task.to_owned()).increment(outputs as u64);
}

pub(crate) fn committed(task: &str, outputs: usize) {
    counter!(OUTPUTS, "task" => task.to_owned()).increment(outputs as u64);
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
