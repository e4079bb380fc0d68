//! `vitals topics`: the topics of the catalog on a Kafka cluster, made, and compared with what they should be.
//!
//! Invariants: nothing is deleted, and settings that are not ours stay; what cannot be changed in place (partitions,
//! copies) is said and left to a person. Exit code 1 as long as anything differs.

use std::io::Write;

use anyhow::{Context as _, bail};
use eventlog::{
    Log as _, TopicSpec,
    kafka::{Drift, Kafka},
};
use processor::topics;

use crate::{
    Usage,
    config::Config,
    help, kafka,
    output::{self, Format, table::Side},
};

/// Topics on a Kafka cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Partitions of the events, fixed when their topic is made [default: as many as it has; 12 for a new one]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: Option<u32>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes those that are missing, repairs the settings of the others, and says what still differs.
    #[command(after_help = help::TOPICS_CREATE)]
    Create,
    /// Says what is missing or differs; exits with 1 if anything does.
    #[command(after_help = help::TOPICS_CHECK)]
    Check {
        /// Form of the output.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

/// Partitions of the events of a new cluster.
const PARTITIONS: u32 = 12;

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = kafka::settings(config).map_err(Usage)?;
    let settings = settings
        .context("no broker is named: give --brokers HOST:PORT, or [kafka] brokers in the configuration")
        .map_err(Usage)?;
    let log = Kafka::connect(settings)?;
    let wanted = topics::all(&config.plan()?, partitions(args, &log)?);
    let format = match args.command {
        Command::Create => {
            repair(&log, &wanted, out)?;
            Format::Table
        }
        Command::Check { format } => format,
    };
    let drifts = log.drift(&wanted)?;
    if drifts.is_empty() && format == Format::Table {
        writeln!(out, "all {} topics are as they should be", wanted.len())?;
        return Ok(());
    }
    tell(&drifts, format, out)?;
    if drifts.is_empty() {
        return Ok(());
    }
    out.flush()?;
    bail!("{} of {} topics are not as they should be", count(&drifts), wanted.len())
}

fn partitions(args: &Args, log: &Kafka) -> eventlog::Result<u32> {
    if let Some(partitions) = args.partitions {
        return Ok(partitions);
    }
    let events = log.topics()?.into_iter().find(|topic| topic.name == topics::EVENTS);
    Ok(events.map_or(PARTITIONS, |events| events.partitions))
}

/// Brings the topics as near to what they should be as can be done in place.
fn repair(log: &Kafka, wanted: &[TopicSpec], out: &mut dyn Write) -> anyhow::Result<()> {
    let drifts = log.drift(wanted)?;
    let of = |spec: &TopicSpec| drifts.iter().filter(|drift| drift.topic == spec.name).collect::<Vec<_>>();
    let can = |drifts: &[&Drift]| {
        let fixed = drifts.iter().any(|drift| drift.setting == "partitions");
        !fixed && drifts.iter().any(|drift| drift.is_repairable())
    };
    let specs: Vec<TopicSpec> = wanted.iter().filter(|spec| can(&of(spec))).cloned().collect();
    log.create_topics(&specs)?;
    for spec in &specs {
        let missing = of(spec).iter().any(|drift| drift.is_missing());
        writeln!(out, "{} {}", if missing { "made" } else { "repaired" }, spec.name)?;
    }
    Ok(())
}

/// How many topics these are about; those of a topic stand together.
fn count(drifts: &[Drift]) -> usize {
    drifts.chunk_by(|a, b| a.topic == b.topic).count()
}

const HEADER: [&str; 4] = ["topic", "setting", "is", "should_be"];

fn tell(drifts: &[Drift], format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    let row =
        |drift: &Drift| [drift.topic.as_str(), drift.setting, &drift.found, &drift.wanted].map(str::to_owned).to_vec();
    match format {
        Format::Table => {
            let titles =
                [("topic", Side::Name), ("setting", Side::Name), ("is", Side::Left), ("should be", Side::Left)];
            output::table(&titles, drifts.iter().map(row), out)
        }
        Format::Csv => output::csv(&HEADER, drifts.iter().map(row), out),
        Format::Json => drifts.iter().try_for_each(|drift| {
            let object: serde_json::Map<String, serde_json::Value> =
                HEADER.into_iter().map(str::to_owned).zip(row(drift).into_iter().map(Into::into)).collect();
            serde_json::to_writer(&mut *out, &object)?;
            Ok(out.write_all(b"\n")?)
        }),
    }
}
