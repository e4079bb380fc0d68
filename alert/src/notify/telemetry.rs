//! What the notifier says about itself: names and the functions that emit them.

/// Messages by receiver and outcome: `delivered`, `failed` (tried again), `dead`.
pub const MESSAGES: &str = "vitals_notify_messages_total";
/// Groups with something to send.
pub const PENDING: &str = "vitals_notify_pending";
/// How long the oldest undelivered message has been tried.
pub const OLDEST: &str = "vitals_notify_oldest_attempt_seconds";
/// Alerts that fire, and those of them that a silence holds back.
pub const ALERTS: &str = "vitals_notify_alerts";

/// All names, for tests of dashboards and alert rules.
pub const NAMES: [&str; 4] = [MESSAGES, PENDING, OLDEST, ALERTS];

/// Describes all of them to the installed recorder.
pub fn describe() {
    metrics::describe_counter!(MESSAGES, "Messages to receivers, by outcome");
    metrics::describe_gauge!(PENDING, "Groups of alerts with something to send");
    metrics::describe_gauge!(
        OLDEST,
        metrics::Unit::Seconds,
        "Time since the first attempt of the oldest undelivered message"
    );
    metrics::describe_gauge!(ALERTS, "Alerts that fire, and of them those that are silenced");
}

pub(super) fn message(receiver: &str, outcome: &'static str) {
    metrics::counter!(MESSAGES, "receiver" => receiver.to_owned(), "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
pub(super) fn state(pending: usize, oldest_us: i64, firing: usize, silenced: usize) {
    metrics::gauge!(PENDING).set(pending as f64);
    metrics::gauge!(OLDEST).set(oldest_us as f64 / 1e6);
    metrics::gauge!(ALERTS, "state" => "firing").set(firing as f64);
    metrics::gauge!(ALERTS, "state" => "silenced").set(silenced as f64);
}
