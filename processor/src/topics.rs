//! Names and settings of the topics.

use std::time::Duration;

use eventlog::{Cleanup, Log, TopicSpec};
use processor_core::{
    catalog::Per,
    plan::{Metric, Plan},
};

/// Events and ticks: the source of truth, kept for ever.
pub const EVENTS: &str = "events.v1";
/// Imports of files: which there were, kept for ever.
pub const IMPORTS: &str = "imports.v1";
/// Accounts that take part in a merge, from the account stage to the stage of merged accounts.
pub const MOVED: &str = "moved.v1";
/// What the account stage tells the rollup stage.
pub const PARTIALS: &str = "partials.v1";
/// Alert transitions.
pub const ALERTS: &str = "alerts.v1";
/// Rules of alerts, each time they became others, kept for ever.
pub const RULES: &str = "rules.v1";
/// Silences, their ends, and acknowledgements: what people do about alerts, kept for ever.
pub const ALERT_ACTIONS: &str = "alert-actions.v1";
/// What receivers of notifications were sent.
pub const NOTIFICATIONS: &str = "notifications.v1";
/// Records that could not be applied, as they came.
pub const DEAD_LETTERS: &str = task::dead::TOPIC;

/// The key of ticks on topics that are compacted, of which the last one of a partition is kept. No snapshot has it: theirs
/// is a protobuf message, and this is none.
pub const TICK_KEY: &[u8] = b"tick";

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The topic of a metric.
pub fn metric(name: &str) -> String {
    format!("metrics.{name}.v1")
}

/// Partitions of a metric's topic: as many as of the events if it is per account.
pub fn partitions(metric: &Metric, events: u32) -> u32 {
    if metric.per == Per::Account { events } else { 1 }
}

/// All topics of a plan.
pub fn all(plan: &Plan, partitions: u32) -> Vec<TopicSpec> {
    let compact = Cleanup::Compact { min_lag: WEEK };
    let spec = |name: &str, partitions, cleanup| TopicSpec { name: name.to_owned(), partitions, cleanup };
    let mut topics = vec![
        spec(EVENTS, partitions, Cleanup::Keep),
        spec(MOVED, 1, Cleanup::Delete { retention: WEEK }),
        spec(PARTIALS, 1, Cleanup::Delete { retention: WEEK }),
        spec(ALERTS, 1, Cleanup::Keep),
        spec(DEAD_LETTERS, 1, Cleanup::Keep),
        spec(IMPORTS, 1, Cleanup::Keep),
        spec(RULES, 1, Cleanup::Keep),
        spec(ALERT_ACTIONS, 1, Cleanup::Keep),
        spec(NOTIFICATIONS, 1, compact),
    ];
    topics.extend(plan.metrics.iter().map(|m| spec(&metric(&m.name), self::partitions(m, partitions), compact)));
    topics
}

/// Creates the topics that are missing.
///
/// # Errors
/// When one exists with another number of partitions.
pub fn create(log: &dyn Log, plan: &Plan, partitions: u32) -> eventlog::Result<()> {
    log.create_topics(&all(plan, partitions))
}
