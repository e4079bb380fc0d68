//! Every file of `scenarios/`: what a person works out by hand is what the oracle says.

use crate::scenario;
use std::path::Path;

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let (mut wrong, mut expected) = (Vec::new(), 0);
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(file).unwrap();
        let scenario = scenario::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
        expected += scenario.expectations.len();
        let rows = scenario.solve().unwrap_or_else(|e| panic!("{name}: {e}"));
        wrong.extend(scenario.differences(&rows).unwrap().into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 20 && expected > 150, "only {} files and {expected} lines", files.len());
}
