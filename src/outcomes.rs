//! `vitals outcomes`: how every event in the log ended, by outcome. The counts add up to the events of the log.
//!
//! It reads the log, not the states of the stages, so that it works beside another process, on Kafka too, and says the same
//! after a restart.

pub(crate) mod scan;

use std::{io::Write, path::Path};

use eventlog::Log;
use ingest::{import::imports, outcome::unread};
use processor::{account::Counters, outcomes::Outcome};
use processor_core::plan::Plan;
use scan::Scan;

use crate::{
    Usage,
    config::Config,
    output::{self, number::plain_count_of, table::Side},
    site,
};

/// Flags of `vitals outcomes`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

const HEADER: [(&str, Side); 3] = [("outcome", Side::Name), ("events", Side::Right), ("", Side::Left)];

/// What is not measured, by type: more are not named.
const TYPES_SHOWN: usize = 5;

/// The events of a log by outcome.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    counters: Counters,
    /// Openings of orders that count nowhere, because another event opens the order with other content.
    opened_again: u64,
    /// Lines that imports refused: they are not in the log.
    rejected: u64,
    /// Types that no metric reads, the first ones.
    unread: Vec<String>,
}

impl Counts {
    /// Counts the events of a log.
    pub(crate) fn of(log: &dyn Log, plan: &Plan, path: &Path) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        let unreadable = Scan::open(log, plan, path)?.groups(|group| {
            counts.opened_again += group.ended.opened_again.len() as u64;
            for (at, outcome) in group.ended.outcomes.iter().enumerate() {
                *counts.of_outcome(outcome) += 1;
                if *outcome == Outcome::NotMeasured && counts.unread.len() < TYPES_SHOWN {
                    let kind = group.event(at)?.r#type;
                    if !counts.unread.contains(&kind) {
                        counts.unread.push(kind);
                    }
                }
            }
            Ok(())
        })?;
        counts.counters.quarantined += unreadable;
        counts.rejected = imports(log)?.iter().map(|import| import.rejected).sum();
        Ok(counts)
    }

    /// How the events of the log ended.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    fn of_outcome(&mut self, outcome: &Outcome) -> &mut u64 {
        let counters = &mut self.counters;
        match outcome {
            Outcome::OnTime => &mut counters.on_time,
            Outcome::Late => &mut counters.late,
            Outcome::Duplicate => &mut counters.duplicate,
            Outcome::Conflict(_) => &mut counters.conflict,
            Outcome::Quarantined => &mut counters.quarantined,
            Outcome::Waiting(_) => &mut counters.waiting,
            Outcome::NotMeasured => &mut counters.not_measured,
        }
    }
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = config.plan().map_err(Usage)?;
    let log = site::follow(config, path)?;
    let counts = Counts::of(log.as_ref(), &plan, path)?;
    if args.json { json(&counts, out) } else { table(&counts, out) }
}

fn json(counts: &Counts, out: &mut dyn Write) -> anyhow::Result<()> {
    let Counts { counters, opened_again, rejected, .. } = counts;
    let all = [("events", counters.accepted()), ("counted", counters.on_time + counters.late)];
    let more = [("orders opened again", *opened_again), ("rejected by imports", *rejected)];
    let fields = all.into_iter().chain(counters.by_outcome()).chain(more);
    let fields = fields.map(|(name, events)| format!("\"{}\":{events}", name.replace(' ', "_")));
    writeln!(out, "{{{}}}", fields.collect::<Vec<_>>().join(","))?;
    Ok(())
}

fn table(counts: &Counts, out: &mut dyn Write) -> anyhow::Result<()> {
    let Counts { counters, opened_again, rejected, unread: kinds } = counts;
    let Counters { on_time, late, .. } = counters;
    let counted = ("counted", on_time + late, format!("{on_time} on time, {late} late"));
    let rest = counters.by_outcome().into_iter().skip(2).map(|(outcome, events)| {
        let note = match outcome {
            _ if events == 0 => String::new(),
            "conflict" => "`vitals conflicts` shows both contents".to_owned(),
            "quarantined" => "`vitals quarantine` lists them".to_owned(),
            "waiting" => "`vitals waiting` lists them".to_owned(),
            "not measured" => kinds.iter().map(|kind| unread(kind)).collect::<Vec<_>>().join("; "),
            _ => String::new(),
        };
        (outcome, events, note)
    });
    let all = ("in the log", counters.accepted(), String::new());
    let rows = [counted].into_iter().chain(rest).chain([all]);
    let row = |(outcome, events, note): (&str, u64, String)| vec![outcome.to_owned(), events.to_string(), note];
    output::table(&HEADER, rows.map(row), out)?;
    if *opened_again > 0 {
        let events = plain_count_of(*opened_again, "event");
        writeln!(
            out,
            "{events} of those counted open an order that another event opens with other content: only the earlier one is in \
             a metric; `vitals conflicts` shows both"
        )?;
    }
    let lines = plain_count_of(*rejected, "line");
    writeln!(out, "rejected, and not in the log: {lines} by imports (`vitals imports`); a door answers the sender")?;
    Ok(())
}
