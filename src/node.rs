//! All stages in one process, over the embedded log: a thread a task, and the sink.
//!
//! Invariants: stages meet in the log only; the first that fails stops all; a node that is stopped
//! has committed and flushed. The data directory:
//!
//!     DIR/log            the embedded log
//!     DIR/state/NAME     state of each task; deleting it rebuilds it from the log
//!     DIR/store.sqlite   what queries read

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, bail};
use eventlog::{Log, embedded::Embedded};
use processor::{
    account::{self, Accounts, Shared},
    rollup::Rollups,
    topics,
};
use processor_core::{catalog::Per, plan::Plan};
use sink::alert::task::Alerts;
use task::{Fold, State, Task, state::Memory};

/// How often `drain` looks.
const LOOK: Duration = Duration::from_millis(2);

/// The stages, running.
pub(crate) struct Node {
    log: Arc<dyn Log>,
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
    threads: Vec<JoinHandle<()>>,
    /// What became of events, over all partitions.
    pub(crate) counters: Arc<Shared>,
    /// (group, topic, partition) in the order in which records pass.
    waits: Vec<(String, String, u32)>,
}

/// Opens the log of a data directory, with the topics of the plan.
pub(crate) fn open_log(data: &Path, plan: &Plan, partitions: u32) -> anyhow::Result<Arc<dyn Log>> {
    std::fs::create_dir_all(data).with_context(|| format!("{}: cannot be made", data.display()))?;
    let log: Arc<dyn Log> = Embedded::open(data.join("log"), eventlog::embedded::Config::default())?;
    topics::create(log.as_ref(), plan, partitions)
        .with_context(|| format!("{}: [log] partitions is {partitions}", data.display()))?;
    Ok(log)
}

impl Node {
    /// Starts every stage.
    pub(crate) fn start(data: &Path, plan: Arc<Plan>, log: Arc<dyn Log>, partitions: u32) -> anyhow::Result<Node> {
        let memory = Memory::new(256 << 20, 256 << 20);
        let mut node = Node {
            log,
            stop: Arc::default(),
            failure: Arc::default(),
            threads: Vec::new(),
            counters: Arc::default(),
            waits: Vec::new(),
        };
        for partition in 0..partitions {
            let (plan, shared) = (plan.clone(), node.counters.clone());
            let open = move |state: &State| Accounts::open(plan, partition, account::Config::default(), state, shared);
            node.spawn(data, &memory, plan_of(&open_generation(data)), "account", topics::EVENTS, partition, open)?;
        }
        let rollup_plan = plan.clone();
        let open = move |state: &State| Rollups::open(rollup_plan, partitions, state);
        node.spawn(data, &memory, None, "rollup", topics::PARTIALS, 0, open)?;
        for rule in sink::alert::built_in() {
            let Some(metric) = plan.metrics.iter().find(|metric| metric.name == rule.metric) else { continue };
            let inputs = if metric.per == Per::Account { partitions } else { 1 };
            for partition in 0..inputs {
                let rule = rule.clone();
                let topic = topics::metric(&metric.name);
                node.spawn(data, &memory, None, &format!("alert-{}", rule.name), &topic, partition, move |_| Ok(Alerts::new(rule)))?;
            }
        }
        node.spawn_sink(data, &plan, partitions)?;
        Ok(node)
    }
}
