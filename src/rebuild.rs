//! `vitals rebuild`: state, topics and store from the events at offset 0.

use std::{io::Write, path::Path};

use crate::{
    Usage,
    config::Config,
    node::{Data, Node},
    shutdown,
};

/// Runs the command; interrupted, the next command goes on from there.
pub(crate) fn run(config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    if !path.join("log").exists() {
        return Err(Usage(anyhow::anyhow!(
            "{}: there is no log here; `vitals import FILE --data DIR` makes one",
            path.display()
        ))
        .into());
    }
    let data = Data::open(path, config.plan().map_err(Usage)?, config.log.partitions)?;
    data.reset()?;
    let stop = shutdown::flag()?;
    let node = Node::start(&data)?;
    node.drain(&stop)?;
    let counters = node.counters();
    node.stop()?;
    let events = counters.on_time + counters.late + counters.duplicate + counters.quarantined;
    writeln!(out, "{events} events applied again")?;
    Ok(())
}
