//! Threads for work that blocks, a share for each consumer: however slow the queries are, the door has its own.
//!
//! Invariants: at most so many pieces of work of a pool run at a time; one that finds no free thread waits for a bounded
//! time and is then refused; work that was begun keeps its thread to its end, also when nobody waits for it any more.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use crate::{Refusal, telemetry};

/// The share of a consumer.
#[derive(Debug, Clone)]
pub struct Pool {
    name: &'static str,
    threads: Arc<Semaphore>,
    wait: Duration,
}

impl Pool {
    /// So many threads, for which work waits so long; telemetry calls the pool by `name`.
    pub fn new(name: &'static str, threads: usize, wait: Duration) -> Self {
        assert!(threads > 0, "a pool without threads would never work");
        Self { name, threads: Arc::new(Semaphore::new(threads)), wait }
    }

    /// Runs work away from the threads that serve connections.
    ///
    /// # Errors
    /// 503 when no thread became free in time, 500 when the work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let Ok(Ok(thread)) = tokio::time::timeout(self.wait, self.threads.clone().acquire_owned()).await else {
            telemetry::busy(self.name);
            return Err(Refusal::busy("too many requests are at work"));
        };
        let work = move || {
            let done = work();
            drop(thread);
            done
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect, please report it"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::response::IntoResponse as _;

    use super::*;

    fn status(refusal: Refusal) -> StatusCode {
        refusal.into_response().status()
    }

    #[tokio::test]
    async fn a_pool_that_is_at_work_refuses_and_another_goes_on() {
        let wait = Duration::from_millis(20);
        let (queries, door) = (Pool::new("queries", 1, wait), Pool::new("door", 1, wait));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ended) = mpsc::channel();
        let slow = queries.clone();
        let slow = tokio::spawn(async move {
            slow.run(move || {
                begun.send(()).unwrap();
                ended.recv().unwrap();
            })
            .await
        });
        has_begun.await.unwrap();
        assert_eq!(status(queries.run(|| ()).await.unwrap_err()), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(door.run(|| 7).await.unwrap(), 7);

        end.send(()).unwrap();
        slow.await.unwrap().unwrap();
        assert_eq!(queries.run(|| 8).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_thread_back() {
        let pool = Pool::new("queries", 1, Duration::from_secs(60));
        for _ in 0..2 {
            let panics = || -> () { panic!("on purpose") };
            assert_eq!(status(pool.run(panics).await.unwrap_err()), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
