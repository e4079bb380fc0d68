//! Requests by chance that the document of the API allows, and such that it does not: every answer is one that it names.
//!
//! Schemathesis makes them. It is installed once, at a pinned version, below the target folder; where that is not possible
//! the test says so and is skipped, but fails in CI.

use std::process::Command;

use super::served;
use crate::sdk::{pip, sdk};

const PACKAGE: &str = "schemathesis==4.32.5";

/// What is well-formed may not fit (422, 412), as a window that a metric does not have.
const CONFIG: &str = r#"
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "403", "404", "409", "412", "422", "428"]
"#;

/// All that it can check; a stream has no end, and its own tests.
const RUN: [&str; 12] = [
    "run",
    "--checks=all",
    "--exclude-path=/stream",
    // Which depend on the seed alone: what follows from answers depends on the time that there is.
    "--phases=examples,coverage,fuzzing",
    "--max-examples=8",
    "--request-timeout=30",
    "--seed=7",
    "--continue-on-failure",
    "--no-shrink",
    "--suppress-health-check=all",
    "--no-color",
    "--warnings=off",
];

#[test]
fn what_the_document_allows_is_answered_as_it_says() {
    let Some(folder) = sdk("schemathesis", pip(PACKAGE)) else { return };
    let (data, door) = served();
    let config = data.file("schemathesis.toml", CONFIG);
    let mut command = Command::new("python3");
    command.arg(folder.join("bin/schemathesis")).args(RUN);
    command.arg(format!("http://{}/api/v1/openapi.json", door.address));
    // It keeps what it found where it runs.
    command.env("PYTHONPATH", &folder).env("PYTHONUTF8", "1").current_dir(config.parent().unwrap());
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("generated"), "it tried nothing: {said}");
    assert!(door.stop().success(), "the process still stands");
}
