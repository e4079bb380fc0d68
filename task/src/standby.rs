//! Warm copies: of partitions that others own the newest checkpoint is kept here, too, where a restore looks for it, so
//! that taking one over has little left to download.
//!
//! Invariants: of a partition either the task is open here or its copy is followed, never both ([`Claims`]); who takes
//! a partition does not wait for the object store, and goes on with what was downloaded; a copy for which there are no
//! checkpoints of the wanted definitions is deleted. A failure is a warning and a counter, and stops nobody.
//! It does not know who the others are: what is not open here is followed.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    checkpoint::{self, Error, Key},
    home::{self, Policy},
    telemetry,
    worker::Input,
};

/// How soon it notices that it shall end.
const NAP: Duration = Duration::from_millis(50);

/// Which partitions of this process are open, or being opened.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<(String, u32), Arc<Claim>>>);

#[derive(Default)]
struct Claim {
    /// More than one while a partition passes from one worker of this process to another.
    owners: AtomicU32,
    /// Held while the copy is written.
    following: Mutex<()>,
}

/// As long as it lives, nobody follows the partition.
pub(crate) struct Owned(Arc<Claim>);

impl Claims {
    fn of(&self, task: &str, partition: u32) -> Arc<Claim> {
        lock(&self.0).entry((task.to_owned(), partition)).or_default().clone()
    }

    /// Takes a partition; a download under way ends first.
    pub(crate) fn take(&self, task: &str, partition: u32) -> Owned {
        let claim = self.of(task, partition);
        claim.owners.fetch_add(1, Ordering::Relaxed);
        drop(lock(&claim.following));
        Owned(claim)
    }
}

impl Claim {
    fn owned(&self) -> bool {
        self.owners.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.owners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread that follows.
pub struct Standby {
    stop: Arc<AtomicBool>,
    /// `None` only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Standby {
    /// Keeps copies in `home` for the tasks of these topics, each with so many partitions, as often as checkpoints are made.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(policy: Arc<Policy>, home: PathBuf, inputs: Vec<(Input, u32)>) -> std::io::Result<Standby> {
        let stop: Arc<AtomicBool> = Arc::default();
        let each = |(input, count): (Input, u32)| (0..count).map(move |partition| (input.clone(), partition));
        let tasks = inputs.into_iter().flat_map(each).collect();
        let known = BTreeMap::new();
        let mut follower = Follower { policy, home, tasks, stop: stop.clone(), known };
        let thread = std::thread::Builder::new().name("standby".to_owned()).spawn(move || follower.run())?;
        Ok(Standby { stop, thread: Some(thread) })
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Follower {
    policy: Arc<Policy>,
    home: PathBuf,
    tasks: Vec<(Input, u32)>,
    stop: Arc<AtomicBool>,
    /// The checkpoints that are here.
    known: BTreeMap<(String, u32), Key>,
}

impl Follower {
    /// Waits first: what is on this disk may be given to this process in a moment.
    fn run(&mut self) {
        while !self.stopped() {
            let began = Instant::now();
            while began.elapsed() < self.policy.every() && !self.stopped() {
                std::thread::sleep(NAP);
            }
            self.turn();
            telemetry::warm(self.known.len());
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Each partition once; none after the object store failed.
    fn turn(&mut self) {
        for (input, partition) in self.tasks.clone() {
            if self.stopped() {
                return;
            }
            match self.follow(&input, partition) {
                Ok(()) | Err(Error::Stopped) => {}
                Err(error) => {
                    telemetry::checkpoint_failed(&input.task, partition);
                    tracing::warn!(task = input.task, partition, %error, "no warm copy is kept for now");
                    if error.kind() == checkpoint::Kind::Retry {
                        return;
                    }
                }
            }
        }
    }

    fn follow(&mut self, input: &Input, partition: u32) -> checkpoint::Result<()> {
        let task = &input.task;
        let (key, claim) = ((task.clone(), partition), self.policy.claims().of(task, partition));
        let _following = lock(&claim.following);
        // Taken: whatever is here is the owner's.
        let before = self.known.remove(&key);
        let given_up = || claim.owned() || self.stopped();
        if given_up() {
            return Ok(());
        }
        let (store, id) = (self.policy.store(), self.policy.identity(task, partition, input.generation));
        let target = self.home.join(home::name(task, partition));
        let newest = store.newest(&id, &given_up)?;
        if newest.is_none() || newest != before {
            match store.follow(&id, &target, &given_up)? {
                Some(manifest) => tracing::debug!(of = %id, offset = manifest.next_offset, "a warm copy is here"),
                None => return store.forget(&target),
            }
        }
        self.known.extend(newest.map(|newest| (key, newest)));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
