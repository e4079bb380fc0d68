//! Places where a test may end or stop the process: a crash or a long pause there must cost nothing.
//!
//! Passing one costs about as much as a look into an empty map, and they stand at commits, flushes and files, never at
//! records. [`NAMES`] has them all, and a test of a fleet aborts at each.

/// Every place.
pub const NAMES: [&str; 16] = [
    AFTER_POLL,
    IN_REBALANCE,
    AFTER_PRODUCE,
    AFTER_OFFSETS,
    AFTER_COMMIT,
    BEFORE_STATE,
    AFTER_STATE,
    BETWEEN_TASKS,
    AFTER_CHECKPOINT,
    BEFORE_UPLOAD,
    BEFORE_MANIFEST,
    AFTER_MANIFEST,
    IN_COLLECTION,
    IN_DOWNLOAD,
    AFTER_RESTORE,
    STORED,
];

/// Places of the notifier, which a fleet need not have.
pub const OF_NOTIFIER: [&str; 2] = [NOTIFY_DUE, NOTIFY_SENT];

/// A worker has records that it has not applied.
pub const AFTER_POLL: &str = "after-poll";
/// A worker handles partitions that are given or taken.
pub const IN_REBALANCE: &str = "in-rebalance";
/// Records of a transaction are sent.
pub const AFTER_PRODUCE: &str = "after-produce";
/// Offsets of a transaction are sent; its end is not.
pub const AFTER_OFFSETS: &str = "after-offsets";
/// A transaction is over.
pub const AFTER_COMMIT: &str = "after-commit";
/// Outputs are committed, and state is to be written.
pub const BEFORE_STATE: &str = "before-state";
/// State is written.
pub const AFTER_STATE: &str = "after-state";
/// The state of one task of a worker is written, and of others not.
pub const BETWEEN_TASKS: &str = "between-tasks";
/// A checkpoint is made and not saved.
pub const AFTER_CHECKPOINT: &str = "after-checkpoint";
/// An object of a checkpoint is to be uploaded, others may be there.
pub const BEFORE_UPLOAD: &str = "before-upload";
/// All objects are there, the manifest is not.
pub const BEFORE_MANIFEST: &str = "before-manifest";
/// The manifest is there.
pub const AFTER_MANIFEST: &str = "after-manifest";
/// Manifests of old checkpoints are deleted, their objects are not.
pub const IN_COLLECTION: &str = "in-collection";
/// A file of a restore is downloaded, others may not be.
pub const IN_DOWNLOAD: &str = "in-download";
/// A state is restored and not opened yet.
pub const AFTER_RESTORE: &str = "after-restore";
/// A sink has stored a batch and not committed its offsets.
pub const STORED: &str = "stored";
/// A notification is marked as attempted and not sent.
pub const NOTIFY_DUE: &str = "notify-due";
/// A notification is sent and not marked as delivered.
pub const NOTIFY_SENT: &str = "notify-sent";

/// Aborts or stops the process if [`arm`] asked for it.
pub fn pass(name: &str) {
    fail::fail_point!(name, |how| if how.as_deref() == Some(STOP) { stop() } else { std::process::abort() });
}

/// Has the process stop instead of abort.
const STOP: &str = "stop";

/// Until somebody sends SIGCONT. A signal takes a moment to stop all threads: the child ends only when it has.
fn stop() {
    // A bare Linux has no `ps`, other systems have no /proc.
    let script = r#"kill -STOP "$1"
        until if [ -d /proc/self ]; then grep -q '^State:.T' "/proc/$1/status"; else ps -o state= -p "$1" | grep -q T; fi
        do sleep 0.02; done"#;
    let itself = std::process::id().to_string();
    let stopped = std::process::Command::new("sh").args(["-c", script, "sh", &itself]).status();
    tracing::info!(?stopped, "goes on after a stop");
}

/// Aborts the process when it has passed a place so many times: `NAME` or `NAME:TIMES`. `NAME:TIMES:stop` stops it
/// there, once.
///
/// # Errors
/// What cannot be understood.
pub fn arm(text: &str) -> Result<(), String> {
    let mut parts = text.split(':');
    let (name, times, how) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("0"), parts.next());
    let wrong = || format!("{text}: expected NAME, NAME:TIMES or NAME:TIMES:{STOP}");
    let times: u32 = times.parse().map_err(|_| wrong())?;
    if !NAMES.contains(&name) && !OF_NOTIFIER.contains(&name) {
        return Err(format!("{name}: expected one of {}", NAMES.join(", ")));
    }
    let act = match (how, parts.next()) {
        (None, _) => "return".to_owned(),
        (Some(STOP), None) => format!("1*return({STOP})->off"),
        _ => return Err(wrong()),
    };
    fail::cfg(name, &if times == 0 { act } else { format!("{times}*off->{act}") })
}
