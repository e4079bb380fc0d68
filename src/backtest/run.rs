//! The replay of a log with rules on it: alerts as of each instant, outcomes as of the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alert::{
    Rules,
    backtest::{Account, Firing, Firings, Judges, Outcomes},
};
use anyhow::{Context as _, bail, ensure};
use eventlog::{Log, Output};
use indicatif::{ProgressBar, ProgressStyle};
use processor::{
    replay::{Instant, Replay},
    topics,
};
use processor_core::{calendar::Time, plan::Plan};
use proto::{
    Message as _,
    v1::{MetricEntry, metric_entry::Entry},
};
use task::state::Memory;

use super::outcome::{self, Outcome, Values};
use crate::shutdown;

/// Block cache and write buffers of the states, bytes each.
const MEMORY: usize = 128 << 20;
/// The bar moves after so many records.
const SHOWN_EVERY: u64 = 20_000;

/// What came of it.
pub(crate) struct Played {
    /// Alerts by file, in the order in which they fired.
    pub(crate) firings: Vec<Vec<Firing>>,
    /// What was to be foreseen.
    pub(crate) outcomes: Outcomes,
    /// First instant of the log.
    pub(crate) begin: Time,
    /// Last instant of the log that every partition holds.
    pub(crate) end: Time,
    /// Records that were read.
    pub(crate) records: u64,
}

/// Plays a log.
pub(crate) fn play(log: &dyn Log, plan: &Arc<Plan>, files: Vec<Rules>, outcome: &Outcome) -> anyhow::Result<Played> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let stop = shutdown::flag()?;
    let bar = bar(log)?;
    let mut replay = Replay::open(log, plan, folder.path(), &Memory::new(MEMORY, MEMORY))?;
    let mut desk = Desk::new(files, outcome);
    let (mut begin, mut shown) = (None, 0);
    while let Some(instant) = replay.advance()? {
        begin.get_or_insert(instant.at);
        desk.take(&instant)?;
        if replay.records() - shown >= SHOWN_EVERY {
            shown = replay.records();
            bar.set_position(shown);
            if stop.load(Ordering::Relaxed) {
                bail!("stopped");
            }
        }
    }
    bar.finish_and_clear();
    let times = begin.zip(replay.clock());
    let (begin, end) = times.context("the log holds no instant yet: there is nothing to test rules on")?;
    let Desk { firings, values, .. } = desk;
    let outcomes = outcome::all(outcome, values, plan, &mut replay)?;
    let root = |account: Account| Account { name: replay.root(&account.tenant, &account.name).to_owned(), ..account };
    let by_root = |firings: Firings| {
        let list = firings.into_list().into_iter();
        list.map(|firing| Firing { account: firing.account.map(root), ..firing }).collect()
    };
    let firings = firings.into_iter().map(by_root).collect();
    Ok(Played { firings, outcomes, begin, end, records: replay.records() })
}

/// Judges what is published.
struct Desk {
    judges: Vec<Judges>,
    firings: Vec<Firings>,
    /// The topic of the metric that the outcome reads.
    watched: Option<String>,
    /// The topics of metrics that have rules.
    ruled: BTreeSet<String>,
    values: Values,
}

impl Desk {
    fn new(files: Vec<Rules>, outcome: &Outcome) -> Self {
        let ruled = files.iter().flat_map(|rules| &rules.metrics).map(|of| topics::metric(&of.metric)).collect();
        Self {
            firings: files.iter().map(|_| Firings::default()).collect(),
            judges: files.into_iter().map(Judges::new).collect(),
            watched: outcome.metric().map(topics::metric),
            ruled,
            values: Values::default(),
        }
    }

    fn take(&mut self, instant: &Instant) -> anyhow::Result<()> {
        for output in &instant.snapshots {
            self.snapshot(output)?;
        }
        let partitions: BTreeMap<u32, ()> = instant.ticks.iter().map(|tick| (tick.partition, ())).collect();
        for partition in partitions.into_keys() {
            self.judge(|judges, out| judges.tick(partition, instant.at, out));
        }
        Ok(())
    }

    fn snapshot(&mut self, output: &Output) -> anyhow::Result<()> {
        let (is_watched, is_ruled) =
            (self.watched.as_deref() == Some(&*output.topic), self.ruled.contains(&*output.topic));
        if !is_watched && !is_ruled {
            return Ok(());
        }
        let entry = MetricEntry::decode(output.record.value.clone().unwrap_or_default())?;
        match entry.entry {
            Some(Entry::Snapshot(snapshot)) => {
                if is_watched {
                    self.values.add(&snapshot);
                }
                if is_ruled {
                    self.judge(|judges, out| judges.snapshot(output.partition, &snapshot, out));
                }
            }
            Some(Entry::Outlook(outlook)) if is_ruled => {
                self.judge(|judges, out| judges.outlook(output.partition, &outlook, out));
            }
            _ => {}
        }
        Ok(())
    }

    fn judge(&mut self, each: impl Fn(&mut Judges, &mut Vec<proto::v1::AlertTransition>)) {
        for (judges, firings) in self.judges.iter_mut().zip(&mut self.firings) {
            let mut out = Vec::new();
            each(judges, &mut out);
            out.iter().for_each(|transition| firings.add(transition));
        }
    }
}

/// Draws on a terminal only.
fn bar(log: &dyn Log) -> anyhow::Result<ProgressBar> {
    let spec = log.topics()?.into_iter().find(|spec| spec.name == topics::EVENTS);
    let spec = spec.with_context(|| format!("{}: there is no topic of this name in the log", topics::EVENTS))?;
    ensure!(spec.partitions > 0, "{}: the topic has no partitions", topics::EVENTS);
    let mut total = 0;
    for partition in 0..spec.partitions {
        let marks = log.watermarks(topics::EVENTS, partition)?;
        total += marks.high.saturating_sub(marks.low);
    }
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {percent:>3} %  {elapsed_precise}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message("replaying");
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}
