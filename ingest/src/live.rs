//! The live door: requests from many threads become one commit after another; ticks in between.
//!
//! ```text
//!   requests -> queue -> [ gather a few ms | ticks due, stamp | one commit ] -> answers
//!   (bounded)             one thread: the order in the log is the order of the stamps
//! ```
//!
//! Invariants:
//! - a request is answered with success after the commit that holds all of its events; a commit of unknown outcome
//!   ends in a refusal, and whoever sends the same ids again is recognised as a duplicate;
//! - a tick T comes after the records that this door stamped <= T, and before those that it stamped > T;
//! - several doors may write to one log, each under a producer name of its own. A tick that is not after the log's clock
//!   changes nothing, so they need not agree. The last tick of a door that closes is after all that others told before:
//!   it may be the last of all;
//! - while the log is away, or the clock cannot be believed, nothing is kept: everything is refused.
//!
//! The clock is its one input beside requests. It does not know HTTP, and not what an event means.

mod pace;
mod status;
mod watch;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use eventlog::Log;
use jiff::tz::TimeZone;
use proto::v1::Event;
use tokio::sync::oneshot;

use self::{pace::Pace, status::Status, watch::Watch};
use crate::{
    Error, Result,
    clock::{Clock, Now},
    door::{self, Door},
    telemetry,
    ticks::{Grid, ROWS_MAX},
};

pub use status::Refusal;

/// A day: the grid that missed midnights are on.
const DAY_US: i64 = 86_400_000_000;
/// Longest wait of the loop: how soon it notices that the clock was set.
const NAP_MAX: Duration = Duration::from_millis(200);
/// How often the log is asked for the ticks of other doors.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long a door that closes looks for the ticks of others, and how often.
const CLOSING_MAX: Duration = Duration::from_secs(2);
const CLOSING_NAP: Duration = Duration::from_millis(5);
/// Pauses between attempts to open a log that is away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Settings of a live door.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Topic of events, without the configurable prefix.
    pub topic: Arc<str>,
    /// Name of the log's producer: one for each door that may write at the same time.
    pub name: String,
    /// Time zone of the tenant, for midnights.
    pub zone: TimeZone,
    /// An accepted event is followed by a tick within this; a part of a second, from 10 ms.
    pub tick: Duration,
    /// How long a request waits for others to share its commit.
    pub linger: Duration,
    /// Events that end the wait.
    pub batch_events: usize,
    /// Requests that may wait.
    pub queue: usize,
}

impl Config {
    /// The defaults, for the tenant's zone.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            topic: crate::EVENTS.into(),
            name: "http".to_owned(),
            zone,
            tick: Duration::from_millis(100),
            linger: Duration::from_millis(2),
            batch_events: 10_000,
            queue: 1_024,
        }
    }
}

/// When the events of a request were recorded, in their order; or why they were not.
pub type Answer = Result<Vec<i64>, Refusal>;

struct Request {
    events: Vec<Event>,
    answer: oneshot::Sender<Answer>,
}

impl Request {
    /// Whoever asked may be gone.
    fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// Where events are handed in. The door closes when all of them are dropped.
#[derive(Clone)]
pub struct Handle {
    queue: SyncSender<Request>,
    status: Arc<Status>,
}

impl Handle {
    /// Hands in events; the answer comes when all of them are durable.
    ///
    /// # Errors
    /// When the door accepts nothing, or too much waits.
    pub fn submit(&self, events: Vec<Event>) -> Result<oneshot::Receiver<Answer>, Refusal> {
        if let Some(refusal) = self.status.get() {
            return Err(refusal);
        }
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Request { events, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::full(),
            TrySendError::Disconnected(_) => Refusal::closed(),
        })?;
        Ok(answered)
    }

    /// The answer, or what it means that there is none.
    pub async fn answered(answer: oneshot::Receiver<Answer>, wait: Duration) -> Answer {
        tokio::time::timeout(wait, answer).await.ok().and_then(Result::ok).unwrap_or_else(|| Err(Refusal::unknown()))
    }

    /// Waits until the log is open, as it is a moment after the start, or known to be away; at most this long.
    pub async fn opened(&self, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.status.opened()).await;
    }

    /// Why nothing is accepted; none while the door is open.
    pub fn refusal(&self) -> Option<Refusal> {
        self.status.get()
    }
}

/// A live door, not running yet.
pub struct Live {
    config: Config,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    grid: Grid,
    requests: Receiver<Request>,
    status: Arc<Status>,
    start: Now,
    pause: Duration,
}

impl Live {
    /// A door and its handle.
    ///
    /// # Errors
    /// When a setting is wrong.
    pub fn new(config: Config, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<(Self, Handle)> {
        let tick_us = config.tick.as_micros();
        if !(10_000..=1_000_000).contains(&tick_us) || 1_000_000 % tick_us != 0 {
            let problem = "is not a part of a second from 10ms, expected one like 10ms, 50ms or 100ms".to_owned();
            return Err(Error::Option { option: "[ingest] tick", problem });
        }
        let grid = Grid::new(config.zone.clone(), DAY_US)?;
        let (queue, requests) = sync_channel(config.queue);
        let status = Arc::new(Status::new());
        let handle = Handle { queue, status: status.clone() };
        let start = clock.now();
        Ok((Self { config, log, clock, grid, requests, status, start, pause: PAUSE.0 }, handle))
    }

    /// Runs until all handles are dropped; then everything that was handed in is in the log, and a tick after it. A log
    /// that fails is opened again and again.
    ///
    /// # Errors
    /// When a newer door of the same name writes.
    pub fn run(mut self) -> Result<()> {
        loop {
            let served = Open::new(&self).and_then(|mut open| self.serve(&mut open));
            match served {
                Err(error) if !matches!(error, Error::Log(eventlog::Error::Fenced { .. })) => {
                    self.status.set(Some(Refusal::away(&error)));
                    if !self.refuse_for(self.pause) {
                        return Err(error);
                    }
                    self.pause = (2 * self.pause).min(PAUSE.1);
                }
                done => {
                    self.status.set(Some(Refusal::closed()));
                    return done;
                }
            }
        }
    }

    fn serve(&mut self, open: &mut Open) -> Result<()> {
        while self.turn(open)? {}
        Ok(())
    }

    /// One turn: gathers requests, appends what is due, answers. `false` when the door shall close.
    fn turn(&mut self, open: &mut Open) -> Result<bool> {
        let (requests, closing) = self.gather(open);
        let now = self.clock.now();
        open.look(now)?;
        if let Some(fault) = pace::fault(self.start, now, open.door.schedule().clock().at) {
            let refusal = Refusal::fault(fault);
            self.status.set(Some(refusal.clone()));
            requests.into_iter().for_each(|request| request.answer(Err(refusal.clone())));
            return Ok(!closing);
        }
        let (batches, answers): (Vec<_>, Vec<_>) =
            requests.into_iter().map(|request| (request.events, request.answer)).unzip();
        let written = open.write(batches, now, closing);
        let stamps = match &written {
            Ok(stamps) => stamps.iter().cloned().map(Ok).collect(),
            Err(_) => vec![Err(Refusal::unknown()); answers.len()],
        };
        for (asked, answer) in answers.into_iter().zip(stamps) {
            let _ = asked.send(answer);
        }
        written?;
        self.status.set(None);
        self.pause = PAUSE.0;
        Ok(!closing)
    }

    /// Waits for a request or the next tick; then a little for more requests. Says whether none can come any more.
    fn gather(&self, open: &Open) -> (Vec<Request>, bool) {
        let (mut requests, mut events) = (Vec::new(), 0);
        let wait = open.pace.wait(self.clock.now().wall_us, open.door.schedule()).min(NAP_MAX);
        let mut until = Instant::now() + wait;
        loop {
            match self.requests.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(request) => {
                    if requests.is_empty() {
                        until = Instant::now() + self.config.linger;
                    }
                    events += request.events.len();
                    requests.push(request);
                    if events >= self.config.batch_events {
                        return (requests, false);
                    }
                }
                Err(error) => return (requests, error == RecvTimeoutError::Disconnected),
            }
        }
    }

    /// Answers whoever waits; `false` when none can come any more.
    fn refuse_for(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match self.requests.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(request) => {
                    let refusal = self.status.get().unwrap_or_else(Refusal::unknown);
                    request.answer(Err(refusal));
                }
                Err(error) => return error == RecvTimeoutError::Timeout,
            }
        }
    }
}

/// The log, open.
struct Open {
    door: Door,
    watch: Watch,
    pace: Pace,
    looked: Option<Duration>,
}

impl Open {
    fn new(live: &Live) -> Result<Self> {
        let config = &live.config;
        let door =
            door::Config { topic: config.topic.clone(), producer: config.name.clone(), ..door::Config::default() };
        // First the watch: what comes between it and the door is seen twice, not never.
        let watch = Watch::open(live.log.as_ref(), config.topic.clone())?;
        let door = Door::open(live.log.as_ref(), door, live.grid.clone())?;
        Ok(Self { door, watch, pace: Pace::new(config.tick), looked: None })
    }

    /// Now and then learns how far other doors have moved the clock.
    fn look(&mut self, now: Now) -> Result<()> {
        if self.looked.is_some_and(|last| now.steady.saturating_sub(last) < WATCH_EVERY) {
            return Ok(());
        }
        self.looked = Some(now.steady);
        if let Some(at_us) = self.watch.look()? {
            self.door.observe(at_us);
        }
        Ok(())
    }

    /// Appends the events of each request; returns when they were recorded.
    fn write(&mut self, batches: Vec<Vec<Event>>, now: Now, closing: bool) -> Result<Vec<Vec<i64>>> {
        let started = Instant::now();
        self.ticks(now)?;
        let mut stamps = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut recorded = Vec::with_capacity(batch.len());
            for event in batch {
                if self.door.schedule().clock().rows >= ROWS_MAX {
                    self.ticks(now)?;
                }
                recorded.push(self.door.append_at(event, now.wall_us));
            }
            stamps.push(recorded);
        }
        let last_us = closing.then(|| self.door.schedule().closing()).flatten();
        if let Some(last_us) = last_us {
            self.door.tick(last_us);
        }
        if !self.door.is_empty() {
            self.door.commit(Vec::new())?;
            telemetry::committed(started.elapsed());
        }
        last_us.map_or(Ok(()), |last_us| self.close_after(last_us))?;
        Ok(stamps)
    }

    /// A tick after that of a door which was ahead of ours: else ours closes nothing, and no other may ever come.
    fn close_after(&mut self, own_us: i64) -> Result<()> {
        let begun = Instant::now();
        let mut greatest = None;
        // Once our own is read, all that came before it is.
        while greatest.is_none_or(|at_us| at_us < own_us) && begun.elapsed() < CLOSING_MAX {
            greatest = greatest.max(self.watch.look()?);
            thread::sleep(CLOSING_NAP);
        }
        let Some(at_us) = greatest.filter(|at_us| *at_us > own_us) else { return Ok(()) };
        self.door.observe(at_us);
        if let Some(last_us) = self.door.schedule().closing() {
            self.door.tick(last_us);
        }
        self.door.commit(Vec::new())
    }

    /// Appends the ticks that are due.
    fn ticks(&mut self, now: Now) -> Result<()> {
        while let Some(at_us) = self.pace.due(now.wall_us, self.door.schedule()) {
            let after_records = self.door.schedule().clock().rows > 0;
            self.door.tick(at_us);
            self.pace.ticked(after_records);
            // After years of absence there are many midnights.
            if self.door.is_full() {
                self.door.commit(Vec::new())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
