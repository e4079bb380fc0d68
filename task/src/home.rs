//! Where the state of a task comes from: its folder, else the newest checkpoint, else the log.
//!
//! Invariants: what a fold gets is a state of the wanted definitions, or an empty one; a state that is damaged, or of
//! other definitions, or far behind a checkpoint, is discarded and never repaired, since the log can make it again. A
//! failing object store delays nothing and stops nobody. It does not know R <= G: [`Part`](crate::part) checks that.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use eventlog::{TopicPartition, failpoint};

use crate::{
    Error, Result, State,
    checkpoint::{Checkpoints, Identity, Key, Progress, Uploads},
    standby::{Claims, Owned},
    state::Memory,
    telemetry,
    worker::{Config, Input},
};

/// How long to wait for whoever has the state open: a worker that gives it back, or a process that is ending.
const LOCK_MAX: Duration = Duration::from_secs(30);
const LOCK_LOOK: Duration = Duration::from_millis(10);

/// A state behind the newest checkpoint by more records than this is replaced by it: replay would take longer.
const BEHIND_MAX: u64 = 200_000;

/// How often the progress of a restore is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Marks a state whose damage was met while it was open.
const MARK: &str = "DAMAGED";

/// What the workers of a process share.
#[derive(Clone)]
pub struct Host {
    /// For the states.
    pub memory: Memory,
    /// Where states are kept beside this machine, if anywhere.
    pub checkpoints: Option<Arc<Policy>>,
}

/// Where checkpoints go, and how often.
pub struct Policy {
    store: Arc<Checkpoints>,
    uploads: Uploads,
    every: Duration,
    tenant: String,
    claims: Claims,
}

impl Policy {
    /// Saves a checkpoint of each task this often, when something changed.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new(store: Checkpoints, every: Duration, tenant: &str) -> std::io::Result<Policy> {
        let store = Arc::new(store);
        let uploads = Uploads::start(store.clone())?;
        Ok(Policy { store, uploads, every, tenant: tenant.to_owned(), claims: Claims::default() })
    }

    /// Where they are.
    pub fn store(&self) -> &Checkpoints {
        &self.store
    }

    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Of the checkpoints of a partition, for whoever reads them.
    pub(crate) fn identity(&self, task: &str, partition: u32, generation: u64) -> Identity {
        Identity { tenant: self.tenant.clone(), task: task.to_owned(), partition, generation, epoch: 0 }
    }
}

/// Name of the task of a partition, and of its folder.
pub(crate) fn name(task: &str, partition: u32) -> String {
    format!("{task}-{partition}")
}

/// Saves the checkpoints of one task.
pub(crate) struct Saver {
    policy: Arc<Policy>,
    id: Identity,
    folder: PathBuf,
    due: Instant,
}

impl Saver {
    /// The state was just written: saves a checkpoint of it if one is due and the last one is through.
    pub(crate) fn flushed(&mut self, state: &State) {
        if Instant::now() < self.due || self.policy.uploads.busy(&self.id.task, self.id.partition) {
            return;
        }
        self.due = Instant::now() + self.policy.every;
        // One that a killed process left behind.
        let made = remove(&self.folder).and_then(|()| state.checkpoint(&self.folder));
        failpoint::pass(failpoint::AFTER_CHECKPOINT);
        match made {
            Ok(()) => self.policy.uploads.offer(self.id.clone(), self.folder.clone()),
            Err(error) => {
                telemetry::checkpoint_failed(&self.id.task, self.id.partition);
                tracing::warn!(of = %self.id, %error, "no checkpoint was made; the task goes on");
            }
        }
    }
}

/// What a task lives in.
pub(crate) struct Opened {
    /// Its state.
    pub(crate) state: State,
    /// Who saves its checkpoints, if anybody.
    pub(crate) saver: Option<Saver>,
    /// Keeps the standby away.
    pub(crate) owned: Option<Owned>,
}

/// The home of a partition's task.
pub(crate) fn open(config: &Config, at: &TopicPartition, tables: &[&str], host: &Host) -> Result<Opened> {
    let (input, partition) = (config.input(at), at.partition);
    let owned = host.checkpoints.as_ref().map(|policy| policy.claims.take(&input.task, partition));
    let home = Home { config, input, tables, host, name: config.task(at), partition };
    let (id, newest) = home.identify();
    let state = match home.existing(newest)? {
        Some(state) => state,
        None => {
            id.iter().for_each(|id| home.restore(id));
            let state = home.open()?;
            state.set_generation(input.generation)?;
            state
        }
    };
    let saver = id.zip(host.checkpoints.clone()).map(|(id, policy)| Saver {
        due: Instant::now() + policy.every,
        folder: config.home.join(format!("{}.checkpoint", home.name)),
        id,
        policy,
    });
    Ok(Opened { state, saver, owned })
}

/// Marks a state whose damage was met while it was open as one to discard.
pub(crate) fn condemn(error: &Error) {
    let Error::Damaged { path, .. } = error else { return };
    if let Err(error) = fs::write(Path::new(path).join(MARK), "") {
        tracing::warn!(path, %error, "a damaged state cannot be marked; delete it");
    }
}

struct Home<'a> {
    config: &'a Config,
    input: &'a Input,
    tables: &'a [&'a str],
    host: &'a Host,
    name: String,
    partition: u32,
}

impl Home<'_> {
    fn path(&self) -> PathBuf {
        self.config.home.join(&self.name)
    }

    /// Who this owner is among those of the partition's checkpoints, and the newest of them. Nobody if the object store
    /// cannot be read: then nothing is restored or saved until the task is opened again.
    fn identify(&self) -> (Option<Identity>, Option<Key>) {
        let Some(policy) = &self.host.checkpoints else { return (None, None) };
        let mut id = policy.identity(&self.input.task, self.partition, self.input.generation);
        match policy.store.newest(&id, &|| false) {
            Ok(newest) => {
                id.epoch = newest.map_or(1, |newest| newest.epoch + 1);
                (Some(id), newest)
            }
            Err(error) => {
                telemetry::checkpoint_failed(&id.task, id.partition);
                tracing::warn!(of = %id, %error, "the task begins without checkpoints");
                (None, None)
            }
        }
    }

    /// The state on disk, if it is one to go on with; else it is discarded.
    fn existing(&self, newest: Option<Key>) -> Result<Option<State>> {
        let path = self.path();
        if !path.exists() {
            return Ok(None);
        }
        let why = if path.join(MARK).exists() {
            "damage was met in it".to_owned()
        } else {
            match self.open() {
                Ok(state) => match self.fault(&state, newest)? {
                    None => {
                        self.forget_copy();
                        return Ok(Some(state));
                    }
                    Some(why) => why,
                },
                Err(error @ Error::Damaged { .. }) => error.to_string(),
                Err(error) => return Err(error),
            }
        };
        let task = &self.name;
        tracing::warn!(task, why, "the state is discarded and made again, from a checkpoint or the log");
        telemetry::discarded(task);
        remove(&path)?;
        Ok(None)
    }

    /// Why a state that could be opened is not gone on with.
    fn fault(&self, state: &State, newest: Option<Key>) -> Result<Option<String>> {
        let own = state.next_offset()?;
        if own.is_some() && state.generation()? != Some(self.input.generation) {
            return Ok(Some("other definitions made it".to_owned()));
        }
        let ahead = newest.map_or(0, |newest| newest.next_offset.saturating_sub(own.unwrap_or(0)));
        if ahead > BEHIND_MAX {
            return Ok(Some(format!("a checkpoint is {ahead} records ahead of it")));
        }
        state.set_generation(self.input.generation)?;
        Ok(None)
    }

    /// A warm copy has served, or is not needed.
    fn forget_copy(&self) {
        let Some(policy) = &self.host.checkpoints else { return };
        if let Err(error) = policy.store.forget(&self.path()) {
            tracing::warn!(task = self.name, %error, "a warm copy is left behind");
        }
    }

    /// Puts the newest whole checkpoint where the state shall be; without one the log makes it.
    fn restore(&self, id: &Identity) {
        let Some(policy) = &self.host.checkpoints else { return };
        let (began, mut told, task) = (Instant::now(), Instant::now(), &self.name);
        let mut watch = |Progress { done, total }| {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!(task, done, total, "restoring from a checkpoint");
            }
            ControlFlow::Continue(())
        };
        match policy.store.restore(id, &self.path(), &mut watch) {
            Ok(Some(manifest)) => {
                failpoint::pass(failpoint::AFTER_RESTORE);
                telemetry::restored(task, manifest.size(), began.elapsed());
                let (offset, bytes, took) = (manifest.next_offset, manifest.size(), began.elapsed());
                tracing::info!(task, offset, bytes, ?took, "restored from a checkpoint");
            }
            Ok(None) => {}
            Err(error) => {
                telemetry::checkpoint_failed(&id.task, id.partition);
                tracing::warn!(of = %id, %error, "no checkpoint can be restored; the log makes the state");
            }
        }
    }

    /// Opens or makes the state; waits a while for whoever has it open.
    fn open(&self) -> Result<State> {
        let began = Instant::now();
        loop {
            match State::open(&self.path(), self.tables, &self.host.memory) {
                Err(Error::Locked { .. }) if began.elapsed() < LOCK_MAX => thread::sleep(LOCK_LOOK),
                opened => return opened,
            }
        }
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { path: path.display().to_string(), source })
        }
        _ => Ok(()),
    }
}
