//! Clients that close within a time.
//!
//! Invariant: whoever drops a client waits for at most so long. Brokers that are away can keep a close for as long as they
//! are away, and a member whose session is over at that moment for longer; its owner has to open another one meanwhile.
//! A client that did not close in time stays behind on a thread of its own. That does no harm: it holds no partition that
//! its successor needs, since the successor takes over its name, and its transaction is taken back.

// 2026-11-27: a sink whose brokers died in a transaction never came back, until it was restarted: no client of a group was
// left, and nothing was logged. What it waited for was not seen, and did not happen again in 25 deaths of a broker.

use std::{
    ops::Deref,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A client, with the time that its close may take.
pub(super) struct Closing<C: Send + 'static> {
    /// There until the drop.
    client: Option<C>,
    name: String,
    wait: Duration,
}

impl<C: Send + 'static> Closing<C> {
    /// `name` is for the log.
    pub(super) fn new(client: C, name: String, wait: Duration) -> Self {
        Self { client: Some(client), name, wait }
    }
}

impl<C: Send + 'static> Deref for Closing<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.client.as_ref().expect("a client is there until it is dropped")
    }
}

impl<C: Send + 'static> Drop for Closing<C> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let (begun, (done, closed)) = (Instant::now(), mpsc::channel());
        thread::spawn(move || {
            drop(client);
            // Nobody waits any more if it took too long.
            let _ = done.send(());
        });
        if closed.recv_timeout(self.wait).is_err() {
            tracing::warn!(name = self.name, waited = ?begun.elapsed(), "kafka: a client does not close, it stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its drop ends when the other end of the channel does.
    struct Slow(mpsc::Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn nobody_waits_for_a_client_that_does_not_close() {
        let (hold, held) = mpsc::channel();
        drop(Closing::new(Slow(held), "slow".to_owned(), Duration::from_millis(10)));
        // The close is still going on: its end of the channel is there.
        hold.send(()).unwrap();
    }

    #[test]
    fn a_client_that_closes_is_closed_after_the_drop() {
        let (hold, held) = mpsc::channel::<()>();
        drop(Closing::new(held, "quick".to_owned(), Duration::from_secs(600)));
        assert!(hold.send(()).is_err());
    }
}
