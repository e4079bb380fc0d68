//! What the stages say about themselves. An event has one outcome: those counted and those that wait add up.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::account::Counters;

/// Events by outcome.
pub const EVENTS: &str = "vitals_events_total";
/// Events that wait for another one.
pub const WAITING: &str = "vitals_events_waiting";
/// Changes to rows past their keep.
pub const FROZEN: &str = "vitals_frozen_changes_total";
/// Events for which an account's journal was read.
pub const REFOLDED: &str = "vitals_accounts_refolded_total";
/// Changes of slices of values past `dimension_values_max`, by dimension.
pub const OTHER: &str = "vitals_dimension_other_changes_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 5] = [EVENTS, WAITING, FROZEN, REFOLDED, OTHER];

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(
        EVENTS,
        Unit::Count,
        "Events by outcome: on time, late, duplicate, conflict, quarantined, not measured"
    );
    describe_gauge!(WAITING, Unit::Count, "Events that wait for the order or event that they name");
    describe_counter!(FROZEN, Unit::Count, "Changes to rows past their keep: not published");
    describe_counter!(REFOLDED, Unit::Count, "Events for which an account's journal was read");
    describe_counter!(
        OTHER,
        Unit::Count,
        "Changes of values past dimension_values_max, counted as `other`: by dimension"
    );
}

pub(crate) fn events(partition: u32, counts: &Counters, before: &Counters) {
    for ((outcome, now), (_, then)) in counts.by_outcome().into_iter().zip(before.by_outcome()) {
        if outcome == "waiting" {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
            gauge!(WAITING, "partition" => partition.to_string()).set(now.cast_signed() as f64);
        } else {
            // What counted and waits again is not taken back: a counter never falls.
            let more = now.wrapping_sub(then).cast_signed().max(0);
            counter!(EVENTS, "outcome" => outcome).increment(more.unsigned_abs());
        }
    }
}

pub(crate) fn refolded(accounts: usize) {
    counter!(REFOLDED).increment(accounts as u64);
}

pub(crate) fn frozen(changes: u64) {
    counter!(FROZEN).increment(changes);
}

pub(crate) fn other(dimension: &str, changes: u64) {
    counter!(OTHER, "dimension" => dimension.to_owned()).increment(changes);
}
