//! The stages of a process, running: a thread a worker, and one for what goes on beside.
//!
//! Invariants: stages meet in the log only; what fails and passes by itself is opened again from disk after a pause,
//! the first other failure stops all; a node that was stopped has committed and flushed.
//!
//! It does not know which log it is, nor how many processes there are: [`Site`] does.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use alert::task::Alerts;
use anyhow::{Context as _, bail};
use eventlog::TopicPartition;
use processor::{
    account::{self, Accounts, Merged, Shared},
    rollup::Rollups,
    topics,
};
use processor_core::plan::Metric;
use store::Write as _;
use task::{Changes, Fold, Input, Standby, State, Status, Worker};

use crate::{
    lag::Lag,
    rules,
    site::{Place, Site},
    telemetry,
};

/// How often retention and compaction run.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

/// How often the lag is reported: on the embedded log, and on Kafka, where each report costs two requests a partition.
const LAG_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// How often [`Node::drain`] looks.
const LOOK: Duration = Duration::from_millis(2);

/// How long a fleet that stops waits for the next of its threads to end. Longer than a transaction may be open, so that
/// only a log that is away is given up, not a machine that is busy.
const STOP_MAX: Duration = Duration::from_secs(60);

/// How soon a sleeping thread notices that the node stops.
const NAP: Duration = Duration::from_millis(50);

/// Pauses before what failed is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Accounts, rollup and alert rules.
    Processor,
    /// From topics to the store.
    Sink,
    /// Notifications, which [`Node::notify`] starts.
    Notifier,
}

/// What the threads share.
#[derive(Clone, Default)]
struct Common {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Common {
    /// Sleeps, but not longer than the node lives.
    fn sleep(&self, span: Duration) {
        let began = Instant::now();
        while began.elapsed() < span && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(NAP.min(span));
        }
    }

    /// Keeps the first failure and stops everybody.
    fn end(&self, name: &str, result: anyhow::Result<()>) {
        if let Err(error) = result {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error.context(format!("{name} stopped")));
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The stages, running.
pub(crate) struct Node {
    site: Arc<Site>,
    common: Common,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Shared>,
    /// Of each worker, by stage.
    statuses: Vec<(String, Arc<Status>)>,
    /// What the stages fold, with the number of partitions.
    inputs: Vec<(Input, u32)>,
    _standby: Option<Standby>,
    /// Groups and what they read, in the order in which records pass.
    waits: Vec<(String, TopicPartition)>,
}

impl Node {
    /// Starts these parts, and what goes on beside.
    pub(crate) fn start(site: &Arc<Site>, parts: &[Part]) -> anyhow::Result<Node> {
        let mut node = Node {
            site: site.clone(),
            common: Common::default(),
            threads: Vec::new(),
            counters: Arc::default(),
            statuses: Vec::new(),
            inputs: Vec::new(),
            _standby: None,
            waits: Vec::new(),
        };
        for part in parts {
            match part {
                Part::Processor => node.start_processor()?,
                Part::Sink => node.start_sink()?,
                Part::Notifier => {}
            }
        }
        if let Some((policy, folder)) = site.warm() {
            node._standby = Some(Standby::start(policy, folder, node.inputs.clone())?);
        }
        node.start_cleaner()?;
        node.start_lag()?;
        Ok(node)
    }

    fn start_processor(&mut self) -> anyhow::Result<()> {
        let site = self.site.clone();
        let (plan, counters) = (site.plan.clone(), self.counters.clone());
        let open = move |at: &TopicPartition, state: &State| {
            Accounts::open(plan.clone(), at.partition, account::Config::default(), state, counters.clone())
        };
        self.start_stage(
            "account",
            vec![self.input(topics::EVENTS, "account", site.partitions)],
            None,
            Arc::new(open),
        )?;
        let (plan, counters, partitions) = (site.plan.clone(), self.counters.clone(), site.partitions);
        let open = move |_: &TopicPartition, state: &State| {
            Merged::open(plan.clone(), partitions, account::Config::default(), state, counters.clone())
        };
        self.start_stage("merged", vec![self.input(topics::MOVED, "merged", 1)], None, Arc::new(open))?;
        // The partitions, and the stage of merged accounts.
        let (plan, counters, sources) = (site.plan.clone(), self.counters.clone(), site.partitions + 1);
        let open =
            move |_: &TopicPartition, state: &State| Rollups::open(plan.clone(), sources, state, counters.clone());
        self.start_stage("rollup", vec![self.input(topics::PARTIALS, "rollup", 1)], None, Arc::new(open))?;
        self.start_alerts()
    }

    /// One stage for all metrics that have rules, or had some: a task a partition holds all rules on it.
    fn start_alerts(&mut self) -> anyhow::Result<()> {
        let site = self.site.clone();
        let rules = site.rules.rules();
        let tasks = rules.metrics.iter().map(|of| (alert::task::stage(&of.metric), of.text.clone().into()));
        task::found(site.log.as_ref(), topics::RULES, tasks, || site.log.producer(&site.producer("rules")))?;
        let had = task::changed_stages(site.log.as_ref(), topics::RULES)?;

        let (mut inputs, mut metrics) = (Vec::new(), BTreeMap::new());
        for metric in &site.plan.metrics {
            let (task, topic) = (alert::task::stage(&metric.name), topics::metric(&metric.name));
            if rules.of(&metric.name).text.is_empty() && !had.contains(&task) {
                continue;
            }
            inputs.push(self.input(&topic, &task, topics::partitions(metric, site.partitions)));
            metrics.insert(topic, metric.name.clone());
        }
        let (files, plan, metrics) = (site.rules.clone(), site.plan.clone(), Arc::new(metrics));
        let of = metrics.clone();
        let wanted = move |topic: &str| files.text_of(&of[topic]).into();
        let changes = Changes { topic: topics::RULES.into(), wanted: Arc::new(wanted) };
        let open = move |at: &TopicPartition, state: &State| {
            Alerts::open(plan.clone(), &metrics[&*at.topic], topics::ALERTS, state)
        };
        if !inputs.is_empty() {
            self.start_stage("alert", inputs, Some(changes), Arc::new(open))?;
        }
        self.watch_rules()
    }

    /// Rule files that change are read again.
    fn watch_rules(&mut self) -> anyhow::Result<()> {
        let (files, hung_up) = (self.site.rules.clone(), rules::hangups()?);
        self.now_and_then("rules", rules::LOOK, move || {
            files.look(hung_up());
            Ok(())
        })
    }

    /// A topic with so many partitions, whose tasks have names that begin with this.
    fn input(&self, topic: &str, task: &str, partitions: u32) -> (Input, u32) {
        (Input::new(topic, task, self.site.plan.generation), partitions)
    }

    /// The workers of a stage.
    fn start_stage<F: Fold + 'static>(
        &mut self,
        stage: &str,
        inputs: Vec<(Input, u32)>,
        changes: Option<Changes>,
        open: task::Open<F>,
    ) -> anyhow::Result<()> {
        let partitions = |(input, count): &(Input, u32)| {
            let topic = input.topic.clone();
            (0..*count).map(move |partition| TopicPartition::new(topic.clone(), partition))
        };
        let all: Vec<TopicPartition> = inputs.iter().flat_map(partitions).collect();
        self.waits.extend(all.iter().map(|at| (stage.to_owned(), at.clone())));
        let read: Vec<Input> = inputs.iter().map(|(input, _)| input.clone()).collect();
        self.inputs.extend(inputs);
        for place in self.site.places(stage, &all)? {
            self.start_worker(stage, read.clone(), place, changes.clone(), open.clone())?;
        }
        Ok(())
    }

    fn start_worker<F: Fold + 'static>(
        &mut self,
        stage: &str,
        inputs: Vec<Input>,
        place: Place,
        changes: Option<Changes>,
        open: task::Open<F>,
    ) -> anyhow::Result<()> {
        let (name, host, folder) = (format!("{stage}-{}", place.number), self.site.host.clone(), self.site.states());
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let config =
            task::Config { changes, ..task::Config::new(stage, inputs, place.partitions, place.producer, folder) };
        let status: Arc<Status> = Arc::default();
        self.statuses.push((stage.to_owned(), status.clone()));
        let open = move || Worker::open(config.clone(), open.clone(), host.clone(), place.log.clone());
        let run = move |worker: Worker<F>, stop: &AtomicBool| worker.run(stop, &status);
        self.supervise(name, open, run)
    }

    fn start_sink(&mut self) -> anyhow::Result<()> {
        let site = self.site.clone();
        let file = site.path.join(store::sqlite::FILE);
        store::sqlite::Writer::open(&file)?
            .describe(&crate::describe::catalog(&site.plan), &crate::describe::settings(&site.plan))?;
        let metric = |metric: &Metric| (topics::metric(&metric.name), topics::partitions(metric, site.partitions));
        let inputs = site.plan.metrics.iter().map(metric).chain([(topics::ALERTS.to_owned(), 1)]);
        let mut names = Vec::new();
        for (topic, partitions) in inputs {
            let place = |partition| (sink::GROUP.to_owned(), TopicPartition::new(&*topic, partition));
            self.waits.extend((0..partitions).map(place));
            names.push(topic);
        }
        let (log, producer) = (site.log.clone(), site.producer("sink"));
        let open = move || {
            let store = Box::new(store::sqlite::Writer::open(&file)?);
            sink::Writer::open(log.clone(), store, &names, &producer)
        };
        self.supervise("sink".to_owned(), open, sink::Writer::run)
    }

    /// Starts the notifications.
    pub(crate) fn notify(&mut self, config: Arc<alert::notify::Config>) -> anyhow::Result<()> {
        let (log, producer) = (self.site.log.clone(), self.site.producer("notify"));
        let open = move || alert::notify::Worker::open(config.clone(), log.clone(), topics::ALERTS, &producer);
        self.supervise("notify".to_owned(), open, alert::notify::Worker::run)
    }

    /// A thread that opens something and runs it until the node stops; again after what passes by itself. What cannot
    /// be opened at all is told at once.
    fn supervise<T: Send + 'static, E: Passing>(
        &mut self,
        name: String,
        open: impl Fn() -> Result<T, E> + Send + 'static,
        run: impl Fn(T, &AtomicBool) -> Result<(), E> + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut opened = Some(match open() {
            Err(error) if !error.passes() => return Err(error.into()),
            opened => opened,
        });
        let (common, of) = (self.common.clone(), name.clone());
        self.spawn(name, move || {
            let mut pause = PAUSE.0;
            while !common.stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let ended = opened.take().unwrap_or_else(&open).and_then(|it| run(it, &common.stop));
                match ended {
                    Err(error) if error.passes() => {
                        telemetry::restarted(&of);
                        pause = if began.elapsed() > PAUSE.1 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
                        tracing::warn!(name = of, error = error.to_string(), ?pause, "opens again from disk");
                        common.sleep(pause);
                    }
                    ended => return Ok(ended?),
                }
            }
            Ok(())
        })
    }

    /// Starts a thread; one that fails, or panics, stops everybody.
    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (common, thread) = (self.common.clone(), std::thread::Builder::new().name(name.clone()));
        let body = move || {
            let panicked = |_| bail!("it panicked: this is a defect, please report it with the log");
            common.end(&name, catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(panicked));
        };
        self.threads.push(thread.spawn(body)?);
        Ok(())
    }

    /// Retention and compaction of the log, now and then; brokers do it by themselves.
    fn start_cleaner(&mut self) -> anyhow::Result<()> {
        let Some(log) = self.site.own_log().cloned() else { return Ok(()) };
        self.now_and_then("cleaning", CLEAN_EVERY, move || {
            Ok(log.clean(jiff::Timestamp::now().as_microsecond()).map(drop)?)
        })
    }

    /// How far the stages are behind, and how the log is.
    fn start_lag(&mut self) -> anyhow::Result<()> {
        let (log, embedded, mut lag) = (self.site.log.clone(), self.site.own_log().cloned(), Lag::new(&self.waits));
        let every = if embedded.is_some() { LAG_EVERY.0 } else { LAG_EVERY.1 };
        self.now_and_then("telemetry", every, move || {
            embedded.iter().for_each(|embedded| embedded.report());
            // A log that is away says nothing about itself; who reads it notices.
            match lag.report(log.as_ref()) {
                Err(error) if error.kind() != eventlog::Kind::Fatal => Ok(()),
                reported => Ok(reported?),
            }
        })
    }

    fn now_and_then(
        &mut self,
        name: &'static str,
        every: Duration,
        mut act: impl FnMut() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let common = self.common.clone();
        self.spawn(name.to_owned(), move || {
            loop {
                common.sleep(every);
                if common.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                act()?;
            }
        })
    }

    /// Answers whether the stages are running, and have replayed what they had published before.
    pub(crate) fn readiness(&self) -> impl Fn() -> Result<(), String> + Clone + Send + Sync + 'static {
        let (common, statuses) = (self.common.clone(), self.statuses.clone());
        move || {
            let replaying = statuses.iter().filter(|(_, status)| !status.recovered()).count();
            if common.stop.load(Ordering::Relaxed) {
                Err("the stages are stopping".to_owned())
            } else if replaying > 0 {
                Err(format!("{replaying} of {} workers are replaying", statuses.len()))
            } else {
                Ok(())
            }
        }
    }

    /// Names of the stages that run here.
    pub(crate) fn stages(&self) -> BTreeSet<String> {
        self.statuses.iter().map(|(stage, _)| stage.clone()).collect()
    }

    /// What the stages keep of accounts, and have counted.
    pub(crate) fn kept(&self) -> Arc<Shared> {
        self.counters.clone()
    }

    /// What became of all events so far.
    pub(crate) fn counters(&self) -> account::Counters {
        self.counters.counters()
    }

    /// The first events whose id was known with other content.
    pub(crate) fn conflicts(&self) -> Vec<account::Conflict> {
        self.counters.conflicts()
    }

    /// What was found since this node began and changes no outcome.
    pub(crate) fn findings(&self) -> account::Findings {
        self.counters.findings()
    }

    /// Changes to rows past their keep so far.
    pub(crate) fn frozen(&self) -> u64 {
        self.counters.frozen()
    }

    /// Changes that were counted as `other` so far, by dimension.
    pub(crate) fn others(&self) -> BTreeMap<String, u64> {
        self.counters.others()
    }

    /// Waits until everything that is in the log now is processed and stored as far as its ticks go, or a stage failed, or
    /// `stop`; answers how many events no tick follows yet: they are published at the next one. Alone on the log only.
    pub(crate) fn drain(&self, stop: &AtomicBool) -> anyhow::Result<u64> {
        let mut open = 0;
        for (group, at) in &self.waits {
            // What others append meanwhile is not waited for.
            let high = self.site.log.watermarks(&at.topic, at.partition)?.high;
            loop {
                if self.common.stop.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
                    return Ok(open);
                }
                let done =
                    self.site.log.committed(group, &at.topic, at.partition)?.map_or(0, |position| position.offset);
                if done.max(self.settled(group, at)) >= high {
                    open += if &*at.topic == topics::EVENTS { high.saturating_sub(done) } else { 0 };
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(open)
    }

    /// Up to where a stage can do no more; sinks commit all that they read.
    fn settled(&self, stage: &str, at: &TopicPartition) -> u64 {
        let own = self.statuses.iter().filter(|(name, _)| name == stage);
        own.map(|(_, status)| status.settled(at)).max().unwrap_or(0)
    }

    /// Whether a stage failed.
    pub(crate) fn failed(&self) -> bool {
        self.common.stop.load(Ordering::Relaxed)
    }

    /// Stops every stage after its commit and flush; says what failed.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.common.stop.store(true, Ordering::Relaxed);
        let failure = || self.common.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = || self.threads.iter().filter(|thread| !thread.is_finished()).count();
        let (mut left, mut ended) = (running(), Instant::now());

        // Brokers that are away may keep a thread for as long as they like.
        while self.site.own_log().is_none() && left > 0 {
            let before = std::mem::replace(&mut left, running());
            if left < before {
                ended = Instant::now();
            }
            if ended.elapsed() > STOP_MAX {
                let silent = "the log does not answer: what is not committed is done again at the next start";
                return Err(failure().map_or_else(|| anyhow::Error::msg(silent), |failure| failure.context(silent)));
            }
            std::thread::sleep(LOOK);
        }
        // Panics are failures already.
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
        failure().map_or(Ok(()), Err)
    }
}

/// An error of a stage that may pass by itself.
trait Passing: std::error::Error + Send + Sync + 'static {
    /// Whether to open again from disk.
    fn passes(&self) -> bool;
}

impl Passing for task::Error {
    fn passes(&self) -> bool {
        self.kind() == task::Kind::Restart
    }
}

impl Passing for alert::notify::Error {
    fn passes(&self) -> bool {
        alert::notify::Error::passes(self)
    }
}

impl Passing for sink::Error {
    fn passes(&self) -> bool {
        self.kind() == sink::Kind::Retry
    }
}

#[cfg(test)]
mod tests {
    use processor_core::{plan::Plan, settings::Settings};

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_thread_that_panics_stops_everybody_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan::built_in(&Settings::default()).unwrap();
        let site = Arc::new(Site::embedded(dir.path(), plan, &Config::default()).unwrap());
        let mut node = Node::start(&site, &[Part::Processor]).unwrap();
        node.spawn("stage".to_owned(), || panic!("no such luck")).unwrap();
        while !node.failed() {
            std::thread::sleep(LOOK);
        }
        assert!(node.readiness()().is_err());
        let message = format!("{:#}", node.stop().unwrap_err());
        assert_eq!(message, "stage stopped: it panicked: this is a defect, please report it with the log");
    }
}
