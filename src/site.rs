//! Where a process works: a log, the definitions, and a folder for states and the store.
//!
//! ```text
//!     DIR/log            the embedded log: events are the source of truth
//!     DIR/state/NAME     state of each task; deleting all of it makes it again from the log
//!     DIR/store.sqlite   what queries read
//! ```
//! With the log on Kafka, several processes may share a folder: each takes a seat of its own in it ([`Seat`]).
//!
//! Invariants: states, topics and the store are of the definitions of the plan, or are computed again from the events;
//! on Kafka that is asked for, never done by a process that merely starts. It does not know what runs here.

use std::{
    fs::{File, TryLockError},
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use eventlog::{
    Commit, GroupOffsets, Log, TopicPartition,
    embedded::Embedded,
    kafka::{self, Kafka},
};
use processor::topics;
use processor_core::plan::Plan;
use task::{Host, Partitions, Policy, checkpoint::Checkpoints, state::Memory};

use crate::{Usage, config::Config, rules::RuleFiles};

/// Version of the groups and states beside the events: what another one left is computed again. 2: one group for all topics
/// of the sink, and one for those of the alerts. 3: the store has accounts. 4: it has what was published first.
const LAYOUT: u32 = 4;

/// Block cache and write buffers of all states of a process, bytes each.
const MEMORY: usize = 256 << 20;

/// Topics that nothing makes again: what came in, what people did, and what was sent to others.
const KEPT: [&str; 4] = [topics::EVENTS, topics::IMPORTS, topics::ALERT_ACTIONS, topics::NOTIFICATIONS];

/// What a process works on.
pub(crate) struct Site {
    /// The folder.
    pub(crate) path: PathBuf,
    /// The log.
    pub(crate) log: Arc<dyn Log>,
    /// What is measured.
    pub(crate) plan: Arc<Plan>,
    /// Rules of alerts.
    pub(crate) rules: RuleFiles,
    /// Partitions of the events.
    pub(crate) partitions: u32,
    /// What the workers share.
    pub(crate) host: Host,
    kind: Kind,
}

enum Kind {
    /// The only process.
    Embedded(Arc<Embedded>),
    /// One of a fleet.
    Fleet { settings: Box<kafka::Config>, seat: Seat, workers: usize, standby: bool },
}

/// Where one worker of a stage reads and writes.
pub(crate) struct Place {
    /// Its number in the process.
    pub(crate) number: u32,
    /// What it reads.
    pub(crate) partitions: Partitions,
    /// Name of its producer, which it keeps over restarts.
    pub(crate) producer: String,
    /// The log, as the member of groups that it is.
    pub(crate) log: Arc<dyn Log>,
}

impl Site {
    /// The log of the configuration: on Kafka as a process of this role, else that of the data directory.
    pub(crate) fn open(role: &str, path: &Path, plan: Plan, config: &Config) -> anyhow::Result<Site> {
        match crate::kafka::settings(config).map_err(Usage)? {
            Some(kafka) => Site::fleet(role, path, plan, config, kafka),
            None => Site::embedded(path, plan, config),
        }
    }

    /// Opens or makes a data directory with its own log.
    pub(crate) fn embedded(path: &Path, plan: Plan, config: &Config) -> anyhow::Result<Site> {
        let plan = Arc::new(plan);
        let rules = RuleFiles::open(&config.alerts.rules, plan.clone())?;
        std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
        let embedded = Embedded::open(path.join("log"), eventlog::embedded::Config::default())?;
        let site = Site {
            path: path.to_owned(),
            log: embedded.clone(),
            rules,
            plan,
            partitions: config.log.partitions,
            host: host(config)?,
            kind: Kind::Embedded(embedded),
        };
        site.create_topics()?;
        site.renew()?;
        Ok(site)
    }

    /// Takes a seat of this role beside a log on Kafka, whose topics are there already.
    pub(crate) fn fleet(
        role: &str,
        path: &Path,
        plan: Plan,
        config: &Config,
        settings: kafka::Config,
    ) -> anyhow::Result<Site> {
        let plan = Arc::new(plan);
        let rules = RuleFiles::open(&config.alerts.rules, plan.clone())?;
        let seat = Seat::take(path, role, settings.instance.as_deref())?;
        let settings = kafka::Config { instance: Some(seat.member(0)), ..settings };
        let log: Arc<dyn Log> = Kafka::connect(settings.clone())?;
        let events = log.topics()?.into_iter().find(|topic| topic.name == topics::EVENTS);
        let events = events.with_context(|| {
            format!(
                "{}{} is not on the brokers; `vitals topics create` makes the topics",
                settings.prefix,
                topics::EVENTS
            )
        })?;
        let workers = match config.processor.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        Ok(Site {
            path: path.to_owned(),
            log,
            rules,
            plan,
            partitions: events.partitions,
            host: host(config)?,
            kind: Kind::Fleet { settings: Box::new(settings), seat, workers, standby: config.standby() },
        })
    }

    /// The embedded log, where there is one.
    pub(crate) fn own_log(&self) -> Option<&Arc<Embedded>> {
        match &self.kind {
            Kind::Embedded(embedded) => Some(embedded),
            Kind::Fleet { .. } => None,
        }
    }

    /// The folder of states.
    pub(crate) fn states(&self) -> PathBuf {
        match &self.kind {
            Kind::Embedded(_) => self.path.join("state"),
            Kind::Fleet { seat, .. } => seat.folder.clone(),
        }
    }

    /// Where this process keeps warm copies of what others own, if it shall.
    pub(crate) fn warm(&self) -> Option<(Arc<Policy>, PathBuf)> {
        match (&self.kind, &self.host.checkpoints) {
            (Kind::Fleet { seat, standby: true, .. }, Some(policy)) => Some((policy.clone(), seat.folder.clone())),
            _ => None,
        }
    }

    /// The name of a producer of this process.
    pub(crate) fn producer(&self, name: &str) -> String {
        match &self.kind {
            Kind::Embedded(_) => name.to_owned(),
            Kind::Fleet { seat, .. } => format!("{name}-{}", seat.name),
        }
    }

    /// Where the workers of a stage work that has so many partitions: alone a worker a number of partition, in a fleet
    /// some that the group gives partitions to.
    pub(crate) fn places(&self, stage: &str, all: &[TopicPartition]) -> anyhow::Result<Vec<Place>> {
        let most = all.iter().map(|at| at.partition + 1).max().unwrap_or(0);
        let (settings, seat, workers) = match &self.kind {
            Kind::Embedded(_) => {
                let place = |number| Place {
                    number,
                    partitions: Partitions::These(all.iter().filter(|at| at.partition == number).cloned().collect()),
                    producer: format!("{stage}-{number}"),
                    log: self.log.clone(),
                };
                return Ok((0..most).map(place).collect());
            }
            Kind::Fleet { settings, seat, workers, .. } => (settings, seat, *workers),
        };
        // Accounts are what costs; of the others one worker a process has all.
        let workers = if stage == "account" { workers } else { 1 };
        let place = |number: u32| {
            let member = seat.member(number);
            let log: Arc<dyn Log> = match number {
                0 => self.log.clone(),
                _ => Kafka::connect(kafka::Config { instance: Some(member.clone()), ..(**settings).clone() })?,
            };
            Ok(Place { number, partitions: Partitions::OfGroup, producer: format!("{stage}-{member}"), log })
        };
        (0..most.min(u32::try_from(workers)?)).map(place).collect()
    }

    fn create_topics(&self) -> anyhow::Result<()> {
        let place = || format!("{}: [log] partitions is {} in the configuration", self.path.display(), self.partitions);
        topics::create(self.log.as_ref(), &self.plan, self.partitions).with_context(place)
    }

    /// Rebuilds if the definitions are not those that made the state.
    fn renew(&self) -> anyhow::Result<()> {
        let file = self.path.join("definitions");
        let now: String = self.plan.metrics.iter().map(|metric| format!("{}\n", metric.render())).collect();
        let now = format!("{:016x} {LAYOUT}\n{now}", self.plan.generation);
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

    /// Forgets everything but [`KEPT`]: what runs next computes it again. On Kafka it fails while a processor runs.
    pub(crate) fn reset(&self) -> anyhow::Result<()> {
        // First, because a group that is at work refuses it.
        let events: Arc<str> = topics::EVENTS.into();
        let forget = |group, partition| GroupOffsets { group, offsets: vec![(events.clone(), partition, None)] };
        let groups =
            |partition| [forget(task::state_group("account"), partition), forget("account".to_owned(), partition)];
        let offsets = (0..self.partitions).flat_map(groups).collect();
        self.log
            .producer("rebuild")?
            .commit(Commit { outputs: Vec::new(), offsets })
            .context("stop every processor and sink first")?;
        // They are of what is forgotten: a task that began with one would be ahead of its group.
        if let Some(policy) = &self.host.checkpoints {
            policy.store().delete_all()?;
        }
        let topics = self.log.topics()?.into_iter().map(|topic| topic.name);
        self.log.delete_topics(&topics.filter(|name| !KEPT.contains(&name.as_str())).collect::<Vec<_>>())?;
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "state" || name.to_string_lossy().starts_with("processor-") {
                remove(&entry.path())?;
            }
        }
        for suffix in ["", "-wal", "-shm"] {
            remove(&self.path.join(format!("{}{suffix}", store::sqlite::FILE)))?;
        }
        self.create_topics()
    }
}

/// What the workers of this process share.
fn host(config: &Config) -> anyhow::Result<Host> {
    let checkpoints = match config.checkpoints().map_err(Usage)? {
        None => None,
        Some((address, every, retention)) => {
            Some(Arc::new(Policy::new(Checkpoints::open(&address, retention)?, every, "default")?))
        }
    };
    Ok(Host { memory: Memory::new(MEMORY, MEMORY), checkpoints })
}

/// A place in a folder for one process of a role; another process takes the next one.
pub(crate) struct Seat {
    /// Name in the fleet, which the next process in this seat has again: brokers then know it.
    name: String,
    /// Its states.
    folder: PathBuf,
    /// Locked as long as the process lives.
    _lock: File,
}

impl Seat {
    /// Takes the first free one.
    fn take(path: &Path, role: &str, instance: Option<&str>) -> anyhow::Result<Seat> {
        std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
        let instance = match instance {
            Some(instance) => instance.to_owned(),
            None => instance_of(path)?,
        };
        for number in 0.. {
            let folder = path.join(format!("{role}-{number}"));
            std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
            let file = folder.join("SEAT");
            let lock = File::create(&file).with_context(|| format!("{}: cannot be written", file.display()))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Seat { name: format!("{instance}-{role}-{number}"), folder, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("{}: cannot be locked", file.display()));
                }
            }
        }
        anyhow::bail!("{}: every seat is taken", path.display())
    }

    /// Name of a member of groups: each worker is one.
    fn member(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }
}

/// A name for a folder that no other folder has, made once.
fn instance_of(path: &Path) -> anyhow::Result<String> {
    let file = path.join("instance");
    if let Ok(name) = std::fs::read_to_string(&file) {
        return Ok(name.trim().to_owned());
    }
    let name = format!("{:08x}", RandomState::new().hash_one(std::process::id()) >> 32);
    // Whole or not at all: another process may be starting as well, and the first one names the folder.
    let draft = path.join(format!("instance.{}", std::process::id()));
    std::fs::write(&draft, &name).with_context(|| format!("{}: cannot be written", draft.display()))?;
    let linked = std::fs::hard_link(&draft, &file);
    std::fs::remove_file(&draft).with_context(|| format!("{}: cannot be removed", draft.display()))?;
    match linked {
        Ok(()) => Ok(name),
        Err(_) => {
            let name = std::fs::read_to_string(&file);
            Ok(name.with_context(|| format!("{}: cannot be read", file.display()))?.trim().to_owned())
        }
    }
}

/// The log, for reading: on Kafka, or of a data directory that another process may write.
pub(crate) fn follow(config: &Config, path: &Path) -> anyhow::Result<Arc<dyn Log>> {
    if let Some(settings) = crate::kafka::settings(config).map_err(Usage)? {
        return Ok(Kafka::connect(settings)?);
    }
    Ok(Embedded::follow(log_of(path)?, eventlog::embedded::Config::default())?)
}

/// The folder of the log of a data directory, if there is one.
pub(crate) fn log_of(path: &Path) -> anyhow::Result<PathBuf> {
    let folder = path.join("log");
    ensure!(folder.exists(), "{}: there is no log here; `vitals import FILE --data DIR` makes one", path.display());
    Ok(folder)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_a_seat_and_the_next_one_in_it_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let take = || Seat::take(dir.path(), "processor", None).unwrap();
        let (first, second) = (take(), take());
        assert_ne!(first.member(0), second.member(0));
        let (name, folder) = (first.member(1), first.folder.clone());
        drop(first);
        let again = take();
        assert_eq!((again.member(1), again.folder), (name, folder));
        let sink = Seat::take(dir.path(), "sink", Some("pod-3")).unwrap();
        assert_eq!(sink.member(0), "pod-3-sink-0-0");
    }
}
