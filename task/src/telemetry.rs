//! What tasks tell about themselves.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const SUPPRESSED: &str = "vitals_task_suppressed_outputs_total";
const OUTPUTS: &str = "vitals_task_outputs_total";
const FLUSH: &str = "vitals_task_flush_seconds";

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(SUPPRESSED, Unit::Count, "Outputs made again in recovery and not written");
    describe_counter!(OUTPUTS, Unit::Count, "Outputs committed to the log");
    describe_histogram!(FLUSH, Unit::Seconds, "Time to write changed state");
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
