//! A real Kafka of this machine, for tests and benchmarks: one broker a process, started by `deploy/kafka/broker.sh`
//! when it is first asked for, gone with its data when the process ends.
//!
//! Where Java or Maven is missing, who asks is told to skip: loudly, and counted. With `CI=true` that is a failure.
//! `VITALS_TEST_KAFKA=host:port` names a broker that runs already, such as that of `deploy/kafka/compose.yaml`.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// What `broker.sh` ends with when a tool is missing.
const MISSING: i32 = 69;

static BROKER: OnceLock<Result<String, String>> = OnceLock::new();
static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// The address of the broker; `None` if `who` has to be skipped.
///
/// # Panics
/// When the broker does not start, or a tool is missing in CI.
pub fn broker(who: &str) -> Option<String> {
    match BROKER.get_or_init(start) {
        Ok(address) => Some(address.clone()),
        Err(missing) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{who} needs a real Kafka: {missing}");
            let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
            // Not captured, as what tests print is.
            let told = writeln!(std::io::stderr(), "SKIPPED ({count}): {who} needs a real Kafka: {missing}");
            told.ok().and(None)
        }
    }
}

/// A prefix that nobody else has on the broker.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("t{}-{}-{}.", std::process::id(), since.as_millis(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn start() -> Result<String, String> {
    if let Ok(address) = std::env::var("VITALS_TEST_KAFKA") {
        return Ok(address);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/broker.sh");
    let owner = std::process::id().to_string();
    let folder = std::env::temp_dir().join(format!("vitals-kafka-{owner}"));
    let started = Command::new(&script)
        .arg("start")
        .arg(&folder)
        .args(["--until-exit-of", &owner])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    let [said, complained] = [&started.stdout, &started.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    if started.status.code() == Some(MISSING) {
        return Err(complained.trim().to_owned());
    }
    assert!(started.status.success(), "the broker does not start: {complained}");
    Ok(said.trim().to_owned())
}
