//! The stages of a process that goes on: a rebuild replaces them under everybody who looks at them.
//!
//! Invariants: at most one [`Node`] runs; while there is none, nobody is told that the process is ready; what ended the
//! stages is told once, by [`Engine::stop`].

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    node::{Node, Part},
    site::Site,
};

/// The stages of a process.
pub(crate) struct Engine {
    /// What they work on.
    pub(crate) site: Arc<Site>,
    parts: Vec<Part>,
    notify: Option<Arc<alert::notify::Config>>,
    node: RwLock<Option<Node>>,
    /// Held while stages are exchanged; whether they have ended for good.
    ended: Mutex<bool>,
    failed: AtomicBool,
    failure: Mutex<Option<anyhow::Error>>,
}

impl Engine {
    /// Starts these parts, and notifications if there are any.
    pub(crate) fn start(
        site: Arc<Site>,
        parts: &[Part],
        notify: Option<alert::notify::Config>,
    ) -> anyhow::Result<Arc<Self>> {
        let engine = Self {
            site,
            parts: parts.to_vec(),
            notify: notify.map(Arc::new),
            node: RwLock::new(None),
            ended: Mutex::new(false),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        };
        engine.open()?;
        Ok(Arc::new(engine))
    }

    fn open(&self) -> anyhow::Result<()> {
        let mut node = Node::start(&self.site, &self.parts)?;
        if let Some(notify) = &self.notify {
            node.notify(notify.clone())?;
        }
        *self.node.write().unwrap_or_else(PoisonError::into_inner) = Some(node);
        Ok(())
    }

    fn close(&self) -> anyhow::Result<()> {
        let node = self.node.write().unwrap_or_else(PoisonError::into_inner).take();
        node.map_or(Ok(()), Node::stop)
    }

    /// What the stages that run say; none while they are started again.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Node) -> T) -> Option<T> {
        self.node.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(question)
    }

    /// Whether the stages run, and have replayed what they had published before.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let none = || Err("everything is computed again from the log".to_owned());
        self.ask(|node| node.readiness()()).unwrap_or_else(none)
    }

    /// Whether a stage failed.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.ask(Node::failed).unwrap_or(false)
    }

    /// Waits until what is in the log now is stored, or `stop`; see [`Node::drain`].
    pub(crate) fn drain(&self, stop: &AtomicBool) -> anyhow::Result<u64> {
        self.ask(|node| node.drain(stop)).unwrap_or(Ok(0))
    }

    /// Computes everything again, as `vitals rebuild` does; what comes in meanwhile waits in the log. Returns when what was
    /// in the log is stored again, or at `stop`.
    pub(crate) fn rebuild(&self, stop: &AtomicBool) -> anyhow::Result<u64> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(!*ended, "nothing was done: the process is ending");
        let opened = self.close().and_then(|()| self.site.reset()).and_then(|()| self.open());
        drop(ended);
        if let Err(error) = opened {
            let message = format!("the rebuild failed, and the process ends: {error:#}");
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error.context("the rebuild failed"));
            self.failed.store(true, Ordering::Relaxed);
            return Err(anyhow::Error::msg(message));
        }
        self.drain(stop)
    }

    /// Stops every stage after its commit and flush; says what failed.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended = true;
        let closed = self.close();
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => closed,
        }
    }
}
