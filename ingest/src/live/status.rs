//! What a live door says about itself to those who knock.

use std::fmt;

use tokio::sync::watch;

use super::pace::Fault;

/// Why nothing is accepted, for the one who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: String,
    /// When to try again.
    pub retry_after_s: u32,
    /// It passes in a moment: the log was never open yet.
    opening: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Refusal {
    fn new(reason: impl Into<String>, retry_after_s: u32) -> Self {
        Self { reason: reason.into(), retry_after_s, opening: false }
    }

    pub(super) fn full() -> Self {
        Self::new("too many events wait for the log", 1)
    }

    pub(super) fn unknown() -> Self {
        Self::new("it is not known whether the events were written: send them again with the same ids", 1)
    }

    pub(super) fn fault(fault: Fault) -> Self {
        Self::new(fault.to_string(), 30)
    }

    pub(super) fn away(error: &crate::Error) -> Self {
        Self::new(format!("the log cannot be written: {error}"), 5)
    }

    pub(super) fn opening() -> Self {
        Self { opening: true, ..Self::new("the log is being opened", 1) }
    }

    pub(super) fn closed() -> Self {
        Self::new("the door is closed", 5)
    }
}

/// The refusal that holds now; none while the door is open.
#[derive(Debug)]
pub(super) struct Status(watch::Sender<Option<Refusal>>);

impl Status {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Some(Refusal::opening())))
    }

    pub(super) fn get(&self) -> Option<Refusal> {
        self.0.borrow().clone()
    }

    /// Waits as long as the log is being opened for the first time.
    pub(super) async fn opened(&self) {
        let opened = |refusal: &Option<Refusal>| refusal.as_ref().is_none_or(|refusal| !refusal.opening);
        // The sender is ours, so it is there.
        let _ = self.0.subscribe().wait_for(opened).await;
    }

    /// Says it in the log when it is news.
    pub(super) fn set(&self, refusal: Option<Refusal>) {
        let held = self.0.send_replace(refusal.clone());
        // Seconds in a reason change all the time: the kind of trouble is what is told once.
        match (held, refusal) {
            (Some(_), None) => tracing::info!("the door is open"),
            (None, Some(why)) => tracing::warn!("nothing is accepted: {why}"),
            _ => {}
        }
    }
}
