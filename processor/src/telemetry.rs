//! What the stages tell about themselves.

use metrics::{Unit, counter, describe_counter};

/// Events by what became of them.
pub const EVENTS: &str = "vitals_events_total";
/// Changes to rows past their keep.
pub const FROZEN: &str = "vitals_frozen_changes_total";
/// Events for which an account's journal was read.
pub const REFOLDED: &str = "vitals_accounts_refolded_total";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 3] = [EVENTS, FROZEN, REFOLDED];

/// Describes the telemetry of this crate to the recorder.
pub fn describe() {
    describe_counter!(EVENTS, Unit::Count, "Events by what became of them: on_time, late, duplicate, quarantined");
    describe_counter!(FROZEN, Unit::Count, "Changes to rows past their keep: not published");
    describe_counter!(REFOLDED, Unit::Count, "Events for which an account's journal was read");
}

pub(crate) fn events(counts: &crate::account::Counters, before: &crate::account::Counters) {
    for (fate, now, then) in [
        ("on_time", counts.on_time, before.on_time),
        ("late", counts.late, before.late),
        ("duplicate", counts.duplicate, before.duplicate),
        ("quarantined", counts.quarantined, before.quarantined),
    ] {
        counter!(EVENTS, "fate" => fate).increment(now - then);
    }
}

pub(crate) fn refolded(accounts: usize) {
    counter!(REFOLDED).increment(accounts as u64);
}

pub(crate) fn frozen(changes: u64) {
    counter!(FROZEN).increment(changes);
}
