//! The status for people: a table of stages, and a line for each of the rest.

use std::{
    collections::BTreeMap,
    io::{Result, Write},
};

use super::Status;
use crate::output::{
    number::grouped,
    table::{self, Side},
    terminal::Terminal,
};

const HEADER: [(&str, Side); 4] =
    [("stage", Side::Name), ("partitions", Side::Right), ("records read", Side::Right), ("waiting", Side::Right)];

pub(super) fn write(status: &Status, out: &mut dyn Write) -> anyhow::Result<()> {
    write!(out, "{}", table::draw(&HEADER, stages(status), Terminal::of_stdout()))?;
    clock(status, out)?;
    disk(status, out)?;
    retention(status, out)?;
    outcomes(status, out)?;
    Ok(())
}

/// A row a stage, in the order in which records pass.
fn stages(status: &Status) -> Vec<Vec<String>> {
    let mut rows: Vec<(&str, [u64; 3])> = Vec::new();
    for stage in &status.stages {
        if rows.last().is_none_or(|(name, _)| *name != stage.stage) {
            rows.push((stage.stage, [0; 3]));
        }
        if let Some((_, sums)) = rows.last_mut() {
            *sums = [sums[0] + 1, sums[1] + stage.position, sums[2] + stage.lag];
        }
    }
    let row = |(name, sums): (&str, [u64; 3])| {
        [name.to_owned()].into_iter().chain(sums.map(|sum| grouped(&sum.to_string()))).collect()
    };
    rows.into_iter().map(row).collect()
}

fn clock(status: &Status, out: &mut dyn Write) -> Result<()> {
    // All partitions have passed the least of their clocks.
    match status.clocks.iter().map(|clock| &clock.at).min() {
        Some(at) => writeln!(out, "stored up to {at}"),
        None => writeln!(out, "nothing is stored here"),
    }
}

fn disk(status: &Status, out: &mut dyn Write) -> Result<()> {
    let disk = &status.disk;
    let mut parts: Vec<(&String, &u64)> = disk.parts.iter().filter(|(_, bytes)| **bytes > 0).collect();
    parts.sort_by(|a, b| b.1.cmp(a.1));
    let parts: Vec<String> = parts.iter().map(|(name, bytes)| format!("{name} {}", size(**bytes))).collect();
    let (path, used, free) = (disk.path.display(), size(disk.bytes_used), size(disk.bytes_free));
    writeln!(out, "disk: {path} has {used} ({}), {free} are free", parts.join(", "))
}

fn retention(status: &Status, out: &mut dyn Write) -> Result<()> {
    let mut kept: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for topic in &status.retention {
        let (topics, records) = kept.entry(&topic.keeps).or_default();
        (*topics, *records) = (*topics + 1, *records + topic.records);
    }
    for (keeps, (topics, records)) in kept {
        writeln!(out, "retention: {topics} topics keep {keeps}: {} records", grouped(&records.to_string()))?;
    }
    Ok(())
}

fn outcomes(status: &Status, out: &mut dyn Write) -> Result<()> {
    let Some(outcomes) = &status.outcomes else { return Ok(()) };
    let count = |name: &str| grouped(&outcomes.get(name).copied().unwrap_or(0).to_string());
    let rest = outcomes.iter().filter(|(name, _)| *name != "events");
    let rest: Vec<String> =
        rest.map(|(name, events)| format!("{} {}", grouped(&events.to_string()), name.replace('_', " "))).collect();
    writeln!(out, "events: {} ({})", count("events"), rest.join(", "))
}

/// Bytes in the unit that people would use.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal() {
        let sizes = [0, 1023, 1024, 1536, (5 << 20) - 1, 3 << 30].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 kB", "1.5 kB", "4.9 MB", "3.0 GB"]);
    }
}
