//! Uploads beside the tasks: a thread that saves checkpoints one after the other and collects garbage.
//!
//! Invariants: a failure is a warning and a counter, never more; of a partition at most one checkpoint
//! waits or is under way, so a slow store makes checkpoints rarer, not memory or disk fuller; the
//! checkpoint directory is deleted in any case. It does not know when to make one.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Instant,
};

use super::{Checkpoints, Error, Identity};
use crate::telemetry;

/// Garbage is collected after so many checkpoints of a partition.
const COLLECT_EVERY: u32 = 10;

/// Partitions, by task, whose checkpoint waits or is under way.
type Busy = Arc<Mutex<HashSet<(String, u32)>>>;

/// A thread that saves checkpoints.
pub struct Uploads {
    checkpoints: Arc<Checkpoints>,
    busy: Busy,
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<(Identity, PathBuf)>>,
    thread: Option<JoinHandle<()>>,
}

impl Uploads {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(checkpoints: Arc<Checkpoints>) -> std::io::Result<Uploads> {
        let (jobs, queue) = mpsc::channel::<(Identity, PathBuf)>();
        let busy = Busy::default();
        let (done, saver) = (busy.clone(), checkpoints.clone());
        let body = move || {
            let mut saves: HashMap<(String, u32), u32> = HashMap::new();
            for (id, dir) in queue {
                let count = saves.entry((id.task.clone(), id.partition)).or_default();
                *count = (*count + 1) % COLLECT_EVERY;
                save(&saver, &id, &dir, *count == 0);
                if let Err(error) = fs::remove_dir_all(&dir) {
                    tracing::warn!(dir = %dir.display(), %error, "a checkpoint directory is left behind");
                }
                lock(&done).remove(&(id.task, id.partition));
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(body)?;
        Ok(Uploads { checkpoints, busy, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Whether the last checkpoint of this partition is still on its way; then it is too early for another.
    pub fn busy(&self, task: &str, partition: u32) -> bool {
        lock(&self.busy).contains(&(task.to_owned(), partition))
    }

    /// Hands over a checkpoint directory, which is deleted afterwards. Not while [`Uploads::busy`].
    pub fn offer(&self, id: Identity, dir: PathBuf) {
        lock(&self.busy).insert((id.task.clone(), id.partition));
        if let Some(jobs) = &self.jobs {
            // The thread ends only after the channel does.
            let _ = jobs.send((id, dir));
        }
    }
}

impl Drop for Uploads {
    /// Breaks off what is under way: what is in the store already is used by the next upload.
    fn drop(&mut self) {
        self.checkpoints.stop();
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(busy: &Busy) -> std::sync::MutexGuard<'_, HashSet<(String, u32)>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

fn save(checkpoints: &Checkpoints, id: &Identity, dir: &Path, collect: bool) {
    let began = Instant::now();
    let saved = checkpoints.save(id, dir);
    match &saved {
        Ok(saved) => {
            telemetry::checkpoint_saved(&id.task, id.partition, saved, began.elapsed());
            tracing::debug!(of = %id, ?saved, took = ?began.elapsed(), "checkpoint saved");
        }
        Err(Error::Stopped) => return,
        Err(error) => failed(id, error, "no checkpoint was saved; the task goes on"),
    }
    if saved.is_ok() && collect {
        match checkpoints.collect(id) {
            Ok(_) | Err(Error::Stopped) => {}
            Err(error) => failed(id, &error, "old checkpoints were not deleted; the task goes on"),
        }
    }
}

fn failed(id: &Identity, error: &Error, what: &str) {
    telemetry::checkpoint_failed(&id.task, id.partition);
    tracing::warn!(of = %id, %error, "{what}");
}
