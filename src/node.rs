//! All stages in one process, over the embedded log: a thread a task, and the sink.
//!
//! Invariants: stages meet in the log only; the first that fails stops all; a node that was stopped
//! has committed and flushed. The data directory:
//!
//!     DIR/log            the embedded log: events are the source of truth
//!     DIR/state/NAME     state of each task; deleting all of it rebuilds it from the log
//!     DIR/store.sqlite   what queries read

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use eventlog::{Commit, GroupOffsets, Log, embedded::Embedded};
use processor::{
    account::{self, Accounts, Shared},
    rollup::Rollups,
    topics,
};
use processor_core::{catalog::Per, plan::Plan};
use sink::alert::task::Alerts;
use store::Write as _;
use task::{Fold, Partitions, State, Worker, state::Memory};

use crate::lag::Lag;

/// How often retention and compaction run.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

/// How often the lag is told.
const LAG_EVERY: Duration = Duration::from_secs(1);

/// How often [`Node::drain`] looks.
const LOOK: Duration = Duration::from_millis(2);

/// A data directory, open for writing.
pub(crate) struct Data {
    /// Its folder.
    pub(crate) path: PathBuf,
    /// Its log.
    pub(crate) log: Arc<dyn Log>,
    embedded: Arc<Embedded>,
    /// What is measured.
    pub(crate) plan: Arc<Plan>,
    /// Partitions of the events.
    pub(crate) partitions: u32,
}

impl Data {
    /// Opens or makes a data directory.
    pub(crate) fn open(path: &Path, plan: Plan, partitions: u32) -> anyhow::Result<Data> {
        std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
        let embedded = Embedded::open(path.join("log"), eventlog::embedded::Config::default())?;
        let data = Data { path: path.to_owned(), log: embedded.clone(), embedded, plan: Arc::new(plan), partitions };
        data.create_topics()?;
        data.renew()?;
        Ok(data)
    }

    fn create_topics(&self) -> anyhow::Result<()> {
        let place = || format!("{}: [log] partitions is {} in the configuration", self.path.display(), self.partitions);
        topics::create(self.log.as_ref(), &self.plan, self.partitions).with_context(place)
    }

    /// Rebuilds if the definitions are not those that made the state.
    fn renew(&self) -> anyhow::Result<()> {
        let file = self.path.join("definitions");
        let now: String = self.plan.metrics.iter().map(|metric| format!("{}\n", metric.render())).collect();
        let now = format!("{:016x}\n{now}", self.plan.generation);
        match std::fs::read_to_string(&file) {
            Ok(before) if before == now => return Ok(()),
            Ok(before) => {
                tracing::warn!(
                    metrics = lacking(&before, &now).join(", "),
                    before = lacking(&now, &before).join(", "),
                    "the definitions changed: everything is computed again from the log"
                );
                self.reset()?;
            }
            Err(_) => {}
        }
        std::fs::write(&file, now).with_context(|| format!("{}: cannot be written", file.display()))
    }

    /// Forgets everything but the events: the next node computes it again.
    pub(crate) fn reset(&self) -> anyhow::Result<()> {
        for topic in self.log.topics()? {
            if topic.name != topics::EVENTS {
                self.log.delete_topic(&topic.name)?;
            }
        }
        let events: Arc<str> = topics::EVENTS.into();
        let forget = |group, partition| GroupOffsets { group, offsets: vec![(events.clone(), partition, None)] };
        let groups =
            |partition| [forget(task::state_group("account"), partition), forget("account".to_owned(), partition)];
        let offsets = (0..self.partitions).flat_map(groups).collect();
        self.log.producer("rebuild")?.commit(Commit { outputs: Vec::new(), offsets })?;
        remove(&self.path.join("state"))?;
        for suffix in ["", "-wal", "-shm"] {
            remove(&self.path.join(format!("{}{suffix}", store::sqlite::FILE)))?;
        }
        self.create_topics()
    }
}

/// Opens the log of a data directory for reading; another process may write it.
pub(crate) fn follow(path: &Path) -> anyhow::Result<Arc<Embedded>> {
    let folder = path.join("log");
    anyhow::ensure!(
        folder.exists(),
        "{}: there is no log here; `vitals import FILE --data DIR` makes one",
        path.display()
    );
    Ok(Embedded::follow(folder, eventlog::embedded::Config::default())?)
}

/// The definitions of `lines` with no such line among `known`; the first line is about all of them.
fn lacking<'a>(known: &str, lines: &'a str) -> Vec<&'a str> {
    let new = lines.lines().skip(1).filter(|line| !known.lines().any(|other| other == *line));
    new.filter_map(|line| line.split(' ').next()).collect()
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// What the threads share.
#[derive(Clone, Default)]
struct Common {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Common {
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
pub(crate) struct Node<'a> {
    data: &'a Data,
    common: Common,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Shared>,
    recovered: Vec<Arc<AtomicBool>>,
    /// (group, topic, partition), in the order in which records pass.
    waits: Vec<(String, String, u32)>,
}

impl<'a> Node<'a> {
    /// Starts every stage.
    pub(crate) fn start(data: &'a Data) -> anyhow::Result<Node<'a>> {
        let memory = Memory::new(256 << 20, 256 << 20);
        let mut node = Node {
            data,
            common: Common::default(),
            threads: Vec::new(),
            counters: Arc::default(),
            recovered: Vec::new(),
            waits: Vec::new(),
        };
        for partition in 0..data.partitions {
            let (plan, counters) = (data.plan.clone(), node.counters.clone());
            let open = move |partition, state: &State| {
                Accounts::open(plan.clone(), partition, account::Config::default(), state, counters.clone())
            };
            node.spawn(&memory, "account", topics::EVENTS, partition, Arc::new(open))?;
        }
        let (plan, counters, sources) = (data.plan.clone(), node.counters.clone(), data.partitions);
        let open = move |_, state: &State| Rollups::open(plan.clone(), sources, state, counters.clone());
        node.spawn(&memory, "rollup", topics::PARTIALS, 0, Arc::new(open))?;
        for rule in sink::alert::built_in() {
            let Some(metric) = data.plan.metrics.iter().find(|metric| metric.name == rule.metric) else { continue };
            let stage = format!("alert-{}", rule.name);
            for partition in 0..if metric.per == Per::Account { data.partitions } else { 1 } {
                let rule = rule.clone();
                let open = move |_, _: &State| Ok(Alerts::new(rule.clone(), topics::ALERTS));
                node.spawn(&memory, &stage, &topics::metric(&metric.name), partition, Arc::new(open))?;
            }
        }
        node.spawn_sink()?;
        node.spawn_cleaner()?;
        node.spawn_lag()?;
        Ok(node)
    }

    /// A worker for one partition.
    fn spawn<F: Fold + 'static>(
        &mut self,
        memory: &Memory,
        stage: &str,
        topic: &str,
        partition: u32,
        open: task::Open<F>,
    ) -> anyhow::Result<()> {
        let name = format!("{stage}-{partition}");
        let folder = self.data.path.join("state");
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let config = task::Config::new(stage, topic, Partitions::These(vec![partition]), name.clone(), folder);
        let worker = Worker::open(config, open, memory.clone(), self.data.log.clone())?;
        self.recovered.push(worker.recovered());
        self.waits.push((stage.to_owned(), topic.to_owned(), partition));
        let common = self.common.clone();
        let thread = std::thread::Builder::new().name(name.clone());
        self.threads.push(thread.spawn(move || common.end(&name, worker.run(&common.stop).map_err(Into::into)))?);
        Ok(())
    }

    fn spawn_sink(&mut self) -> anyhow::Result<()> {
        let data = self.data;
        let mut store = store::sqlite::Writer::open(&data.path.join(store::sqlite::FILE))?;
        store.describe(&crate::describe::catalog(&data.plan), &crate::describe::settings(&data.plan))?;
        let mut inputs: Vec<sink::Topic> = Vec::new();
        for metric in &data.plan.metrics {
            let partitions = if metric.per == Per::Account { data.partitions } else { 1 };
            inputs.push(sink::Topic { name: topics::metric(&metric.name), partitions });
        }
        inputs.push(sink::Topic { name: topics::ALERTS.to_owned(), partitions: 1 });
        for input in &inputs {
            self.waits.extend(
                (0..input.partitions).map(|partition| (sink::group(&input.name), input.name.clone(), partition)),
            );
        }
        let writer = sink::Writer::open(data.log.clone(), Box::new(store), &inputs, "sink")?;
        let common = self.common.clone();
        let body = move || common.end("sink", writer.run(&common.stop).map_err(Into::into));
        self.threads.push(std::thread::Builder::new().name("sink".to_owned()).spawn(body)?);
        Ok(())
    }

    /// Retention and compaction of the log, now and then.
    fn spawn_cleaner(&mut self) -> anyhow::Result<()> {
        let (common, log) = (self.common.clone(), self.data.embedded.clone());
        let body = move || {
            let mut last = Instant::now();
            while !common.stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                if last.elapsed() >= CLEAN_EVERY {
                    last = Instant::now();
                    common.end(
                        "cleaning",
                        log.clean(jiff::Timestamp::now().as_microsecond()).map(drop).map_err(Into::into),
                    );
                }
            }
        };
        self.threads.push(std::thread::Builder::new().name("cleaner".to_owned()).spawn(body)?);
        Ok(())
    }

    /// Says now and then how far the stages are behind, and how the log is.
    fn spawn_lag(&mut self) -> anyhow::Result<()> {
        let (common, log, embedded) = (self.common.clone(), self.data.log.clone(), self.data.embedded.clone());
        let mut lag = Lag::new(&self.waits);
        let body = move || {
            let mut last: Option<Instant> = None;
            while !common.stop.load(Ordering::Relaxed) {
                if last.is_none_or(|last| last.elapsed() >= LAG_EVERY) {
                    last = Some(Instant::now());
                    embedded.report();
                    common.end("telemetry", lag.report(log.as_ref()).map_err(Into::into));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        self.threads.push(std::thread::Builder::new().name("lag".to_owned()).spawn(body)?);
        Ok(())
    }

    /// Answers whether the stages are running, and have replayed what they had published before.
    pub(crate) fn readiness(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let (common, recovered) = (self.common.clone(), self.recovered.clone());
        move || {
            let replaying = recovered.iter().filter(|flag| !flag.load(Ordering::Relaxed)).count();
            if common.stop.load(Ordering::Relaxed) {
                Err("the stages are stopping".to_owned())
            } else if replaying > 0 {
                Err(format!("{replaying} of {} tasks are replaying", recovered.len()))
            } else {
                Ok(())
            }
        }
    }

    /// What became of all events so far.
    pub(crate) fn counters(&self) -> account::Counters {
        self.counters.counters()
    }

    /// Changes to rows past their keep so far.
    pub(crate) fn frozen(&self) -> u64 {
        self.counters.frozen()
    }

    /// Waits until everything in the log is processed and stored, or a stage failed, or `stop`.
    pub(crate) fn drain(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        for (group, topic, partition) in &self.waits {
            loop {
                if self.common.stop.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let high = self.data.log.watermarks(topic, *partition)?.high;
                let done = self.data.log.committed(group, topic, *partition)?.map_or(0, |position| position.offset);
                if done >= high {
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Whether a stage failed.
    pub(crate) fn failed(&self) -> bool {
        self.common.stop.load(Ordering::Relaxed)
    }

    /// Stops every stage after its commit and flush; says what failed.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.common.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                bail!("a stage panicked: this is a defect, please report it with the log");
            }
        }
        let failure = self.common.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }
}
