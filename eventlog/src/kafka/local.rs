//! A real Kafka of this machine, for tests and benchmarks: one broker a process, started by `deploy/kafka/broker.sh`
//! when it is first asked for, gone with its data when the process ends.
//!
//! Where Java or Maven is missing, who asks is told to skip: loudly, and counted. With `CI=true` that is a failure.
//! `VITALS_TEST_KAFKA=host:port` names a broker that runs already, such as that of `deploy/kafka/compose.yaml`.

pub mod secured;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What `broker.sh` ends with when a tool is missing.
const MISSING: i32 = 69;
/// In which it has fetched the jars, and the broker answers.
const LIMIT: Duration = Duration::from_secs(300);

static BROKER: OnceLock<Outcome> = OnceLock::new();
static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// What became of the one attempt to start a broker.
#[derive(Debug)]
enum Outcome {
    Runs { address: String },
    ToolIsMissing(String),
    Failed(String),
}

/// The address of the broker; `None` if `who` has to be skipped.
///
/// # Panics
/// When the broker does not start, or a tool is missing in CI.
pub fn broker(who: &str) -> Option<String> {
    BROKER.get_or_init(start).or_skip(who).cloned()
}

impl Outcome {
    /// The address, or why there is none.
    fn or_skip(&self, who: &str) -> Option<&String> {
        let (problem, skips) = match self {
            Outcome::Runs { address } => return Some(address),
            Outcome::ToolIsMissing(which) => (which, std::env::var("CI").as_deref() != Ok("true")),
            Outcome::Failed(what) => (what, false),
        };
        assert!(skips, "{who} needs a real Kafka: {problem}");
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        // Not captured, as what tests print is.
        let told = writeln!(io::stderr(), "SKIPPED ({count}): {who} needs a real Kafka: {problem}");
        told.ok().and(None)
    }
}

/// A prefix that nobody else has on the broker.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("t{}-{}-{}.", std::process::id(), since.as_millis(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn start() -> Outcome {
    if let Ok(address) = std::env::var("VITALS_TEST_KAFKA") {
        return Outcome::Runs { address };
    }
    let folder = std::env::temp_dir().join(format!("vitals-kafka-{}", std::process::id()));
    run_with(&folder, &[]).unwrap_or_else(|error| Outcome::Failed(format!("broker.sh: {error}")))
}

/// The address of a broker of the test's own, which it may kill and start again in the same folder.
#[cfg(test)]
pub(super) fn own(folder: &Path) -> String {
    run_with(folder, &[]).unwrap().or_skip("a broker of its own").unwrap().clone()
}

/// The script that runs brokers. Tests run in the folder of their package; the path at compile time may be that of another
/// clone.
///
/// # Errors
/// When no folder from here up has it.
pub fn script() -> io::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let mut scripts = here.ancestors().map(|folder| folder.join("deploy/kafka/broker.sh"));
    scripts.find(|script| script.is_file()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Runs the script with these variables. What it says goes to files: a pipe would end only with the last process that has it, and the broker
/// stays.
fn run_with(folder: &Path, variables: &[(&str, &OsStr)]) -> io::Result<Outcome> {
    let said = tempfile::tempdir()?;
    let [out, err] = ["out", "err"].map(|name| said.path().join(name));
    let mut child = Command::new(script()?)
        .envs(variables.iter().copied())
        .arg("start")
        .arg(folder)
        .args(["--until-exit-of", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            let complained = fs::read_to_string(&err)?;
            return Ok(Outcome::Failed(format!("it has not answered after {LIMIT:?}: {complained}")));
        }
        thread::sleep(Duration::from_millis(20));
    };
    Ok(outcome(status, &fs::read_to_string(&out)?, &fs::read_to_string(&err)?))
}

fn outcome(status: ExitStatus, said: &str, complained: &str) -> Outcome {
    match status.code() {
        Some(0) => Outcome::Runs { address: said.trim().to_owned() },
        Some(MISSING) => Outcome::ToolIsMissing(complained.trim().to_owned()),
        _ => Outcome::Failed(format!("{status}: {complained}")),
    }
}
