//! `vitals tail`: what is published on a topic as it comes, one JSON object a line, as `query` and `alerts` print it.
//!
//! It follows the log: another process may write. A line may come again after a crash of that process; the highest
//! revision of a key holds.

use std::{
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use eventlog::{Assignment, Log, Poll, Stored};
use ingest::parse_rfc3339;
use processor::topics;
use sink::convert::{self, Said};

use crate::{Usage, alerts, config::Config, query, shutdown, site};

/// Flags of `vitals tail`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// metrics.NAME or alerts
    topic: String,
    /// Also what was published before, from this revision on (RFC 3339) [default: only what is new]
    #[arg(long, value_name = "REVISION")]
    from: Option<String>,
    /// End where the topic ends now, instead of waiting for more; without --from everything that is there
    #[arg(long)]
    once: bool,
}

const POLL_BYTES: usize = 1 << 20;
const WAIT: Duration = Duration::from_millis(200);

/// Runs the command until `stop`, or without one until it is interrupted.
pub(crate) fn execute(
    args: &Args,
    config: &Config,
    path: &Path,
    stop: Option<&Arc<AtomicBool>>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let from_us = args.from.as_deref().map(revision).transpose()?;
    let log = site::follow(config, path)?;
    run(args, from_us, log.as_ref(), stop, out)
}

fn revision(text: &str) -> anyhow::Result<i64> {
    let wrong = || anyhow::anyhow!("--from: is {text}, expected RFC 3339 like 2026-01-31T00:00:00Z");
    Ok(parse_rfc3339(text).ok_or_else(wrong).map_err(Usage)?)
}

fn run(
    args: &Args,
    from_us: Option<i64>,
    log: &dyn Log,
    stop: Option<&Arc<AtomicBool>>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let topic = match args.topic.strip_prefix("metrics.") {
        Some(name) => topics::metric(name),
        None if args.topic == "alerts" => topics::ALERTS.to_owned(),
        None => return Err(Usage(anyhow::anyhow!("{}: is neither metrics.NAME nor alerts", args.topic)).into()),
    };
    let Some(spec) = log.topics()?.into_iter().find(|spec| spec.name == topic) else {
        return Err(
            Usage(anyhow::anyhow!("{}: is not in the log; `vitals metrics` lists the metrics", args.topic)).into()
        );
    };
    let since = from_us.unwrap_or(i64::MIN);
    if args.once {
        for partition in 0..spec.partitions {
            for stored in eventlog::past(log, &topic, partition, 0)? {
                print(&topic, partition, &stored?, since, out)?;
            }
        }
        return Ok(out.flush()?);
    }
    let begin = |partition| {
        let marks = log.watermarks(&topic, partition)?;
        Ok((partition, if from_us.is_some() { marks.low } else { marks.high }))
    };
    let begins = (0..spec.partitions).map(begin).collect::<eventlog::Result<Vec<_>>>()?;
    let mut consumer = log.consumer(Assignment::manual(&topic, begins))?;
    let stop = stop.map_or_else(shutdown::flag, |stop| Ok(stop.clone()))?;
    while !stop.load(Ordering::Relaxed) {
        if let Poll::Records { partition, records, .. } = consumer.poll(POLL_BYTES, WAIT)? {
            for stored in &records {
                print(&topic, partition, stored, since, out)?;
            }
            out.flush()?;
        }
    }
    Ok(())
}

fn print(topic: &str, partition: u32, stored: &Stored, from_us: i64, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(value) = stored.record.value.as_deref() else { return Ok(()) };
    let said = if topic == topics::ALERTS { convert::transition(value) } else { convert::metric_entry(value) };
    match said {
        Ok(Said::Row(row)) if row.point.revision_us.is_some_and(|revision| revision >= from_us) => {
            query::json(&row, out)
        }
        Ok(Said::Alert(alert)) if alert.at_us >= from_us => alerts::json(&alert, out),
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(topic, partition, offset = stored.offset, %error, "a record is left out");
            Ok(())
        }
    }
}
