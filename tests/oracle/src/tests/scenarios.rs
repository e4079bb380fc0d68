//! Every file of `scenarios/`: what a person works out by hand is what the oracle says.

use super::properties::METRICS;
use crate::scenario;
use std::collections::HashSet;
use std::path::Path;

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let (mut wrong, mut expected, mut metrics) = (Vec::new(), 0, HashSet::new());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(file).unwrap();
        let scenario = scenario::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
        expected += scenario.expectations.len();
        metrics.extend(scenario.expectations.iter().map(|wanted| wanted.metric.clone()));
        let rows = scenario.solve().unwrap_or_else(|e| panic!("{name}: {e}"));
        wrong.extend(scenario.differences(&rows).unwrap().into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 30 && expected > 250, "only {} files and {expected} lines", files.len());
    let missing: Vec<_> = METRICS.iter().filter(|metric| !metrics.contains(**metric)).collect();
    assert!(missing.is_empty(), "no scenario has {missing:?}");
}
