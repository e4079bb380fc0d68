//! `vitals rebuild`: state, topics and store from the events at offset 0.

use std::{
    io::Write,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use crate::{
    Usage,
    config::Config,
    engine::Engine,
    node::{Node, Part},
    output::number::plain_count_of,
    shutdown,
    site::{self, Site},
};

/// Arguments of `vitals rebuild`: none of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command; interrupted, the next command goes on from there. On Kafka what was computed is forgotten, and the
/// processors and sinks that are started next compute it again.
pub(crate) fn run(_: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
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
    let site = Arc::new(Site::embedded(path, plan, config)?);
    site.reset()?;
    let stop = shutdown::flag()?;
    let node = Node::start(&site, &[Part::Processor, Part::Sink])?;
    let open = node.drain(&stop)?;
    let events = node.counters().accepted();
    node.stop()?;
    say(events, open, out)
}

/// The same in the process that has the log: its stages end and begin again, and its door stays open.
pub(crate) fn beside(engine: &Engine, stop: &AtomicBool, out: &mut dyn Write) -> anyhow::Result<()> {
    if engine.site.own_log().is_none() {
        let problem =
            "the log is on Kafka: end every processor and sink, and run `vitals rebuild --brokers HOST:PORT,...`";
        return Err(Usage(anyhow::Error::msg(problem)).into());
    }
    let open = engine.rebuild(stop)?;
    let events = engine.ask(|node| node.counters().accepted()).unwrap_or(0);
    say(events, open, out)
}

fn say(events: u64, open: u64, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{} applied again", plain_count_of(events, "event"))?;
    if open > 0 {
        let follow = if open == 1 { "follows" } else { "follow" };
        writeln!(
            out,
            "{open} of them {follow} the last tick of a partition: the next import or ingest publishes what changes"
        )?;
    }
    Ok(())
}
