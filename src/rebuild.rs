//! `vitals rebuild`: state, topics and store from the events at offset 0.

use std::{io::Write, path::Path};

use crate::{
    Usage,
    config::Config,
    node::{Node, Part},
    shutdown,
    site::{self, Site},
};

/// Runs the command; interrupted, the next command goes on from there. On Kafka what was computed is forgotten, and the
/// processors and sinks that are started next compute it again.
pub(crate) fn run(config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    if let Some(kafka) = crate::kafka::settings(config).map_err(Usage)? {
        Site::fleet("rebuild", path, plan, config, kafka)?.reset()?;
        writeln!(
            out,
            "start processors and sinks to compute everything again; states and stores elsewhere: delete them"
        )?;
        return Ok(());
    }
    site::log_of(path)?;
    let site = Site::embedded(path, plan, config)?;
    site.reset()?;
    let stop = shutdown::flag()?;
    let node = Node::start(&site, &[Part::Processor, Part::Sink])?;
    let open = node.drain(&stop)?;
    let counters = node.counters();
    node.stop()?;
    let events = counters.on_time + counters.late + counters.duplicate + counters.quarantined;
    writeln!(out, "{events} events applied again")?;
    if open > 0 {
        writeln!(
            out,
            "{open} of them follow the last tick of their partition: the next import or ingest publishes what they change"
        )?;
    }
    Ok(())
}
