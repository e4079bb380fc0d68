//! The hub: looks at the store for all streams, and tells their channels what changed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::response::Response;
use serde_json::json;
use store::{Read as _, window::rfc3339};

use super::{
    Topic,
    channel::{Channel, Frame, Listener},
};
use crate::{api::Api, fault::Fault};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often the clock is sent.
const CLOCK: Duration = Duration::from_secs(1);
/// How long a channel is kept for a stream that broke off.
const KEPT: Duration = Duration::from_secs(60);

/// The channels that somebody shows.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Tells the ids of this process from those of the one before.
    epoch: Arc<str>,
    number: AtomicU64,
    clock: Mutex<Weak<Channel>>,
    state: Mutex<State>,
}

/// A channel, and when somebody last listened to it.
#[derive(Debug)]
struct Shown {
    channel: Arc<Channel>,
    at: Instant,
}

#[derive(Debug, Default)]
struct State {
    channels: HashMap<Topic, Shown>,
    runs: bool,
}

impl Default for Hub {
    fn default() -> Self {
        let epoch = format!("{:x}", jiff::Timestamp::now().as_microsecond());
        Self { epoch: epoch.into(), number: AtomicU64::new(1), clock: Mutex::default(), state: Mutex::default() }
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The channel of the clock.
    pub(crate) fn clock(&self) -> Listener {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = clock.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Channel::new(None, self.epoch.clone(), serde_json::Value::Null, 0));
            *clock = Arc::downgrade(&new);
            new
        });
        channel.listen(None).1
    }

    /// The first frames of a topic for a stream that has seen those up to `last`, and what gives it the next ones.
    pub(crate) async fn listen(
        &self,
        api: &Api,
        topic: Topic,
        last: Option<&str>,
    ) -> Result<(Vec<Frame>, Listener), Response> {
        let last = last.and_then(|id| id.strip_prefix(&*self.epoch)?.strip_prefix('-')?.parse().ok());
        let known = self.state().channels.get(&topic).map(|shown| shown.channel.clone());
        let channel = match known {
            Some(channel) => channel,
            None => {
                let of = topic.clone();
                let data = api.look(move |context| of.data(context)).await?;
                let new = Channel::new(Some(topic.clone()), self.epoch.clone(), data, self.next());
                let mut state = self.state();
                // Somebody else may have been faster.
                let shown = Shown { channel: Arc::new(new), at: Instant::now() };
                state.channels.entry(topic).or_insert(shown).channel.clone()
            }
        };
        self.start(api);
        Ok(channel.listen(last))
    }

    fn start(&self, api: &Api) {
        let mut state = self.state();
        if !state.runs {
            state.runs = true;
            tokio::spawn(run(api.clone()));
        }
    }

    /// The channels that somebody shows, or did a moment ago; none ends the hub.
    fn live(&self) -> Vec<Arc<Channel>> {
        let mut state = self.state();
        state.channels.retain(|_, shown| {
            if Arc::strong_count(&shown.channel) > 1 {
                shown.at = Instant::now();
            }
            shown.at.elapsed() < KEPT
        });
        let live: Vec<_> = state.channels.values().map(|shown| shown.channel.clone()).collect();
        state.runs = !live.is_empty();
        live
    }

    fn tell_clock(&self, clock: Option<String>, lag_seconds: Option<f64>) {
        let channel = self.clock.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(channel) = channel {
            channel.say("clock", &json!({ "clock": clock, "lag_seconds": lag_seconds }));
        }
    }
}

/// Looks until nobody streams any more.
async fn run(api: Api) {
    let (mut changes, mut told) = (None, Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        let live = api.hub().live();
        if live.is_empty() {
            return;
        }
        let known = changes;
        let looked = api.look(move |context| {
            let now = context.desk.changes()?;
            let clock = context.desk.greatest_clock_us().map(rfc3339);
            let new = (Some(now) != known).then(|| {
                let data = |channel: &Arc<Channel>| channel.topic.as_ref().map(|topic| topic.data(context));
                live.iter().map(|channel| (channel.clone(), data(channel))).collect::<Vec<_>>()
            });
            Ok::<_, Fault>((now, clock, context.desk.lag_seconds(), new))
        });
        // A store that is made again is there in a moment.
        let Ok((now, clock, lag, new)) = looked.await else { continue };
        changes = Some(now);
        for (channel, data) in new.into_iter().flatten() {
            match data {
                Some(Ok(data)) => channel.update(data, clock.as_deref(), || api.hub().next()),
                // An account that is gone, for one: what was shown stays.
                Some(Err(fault)) => tracing::debug!(?fault, "a topic cannot be read"),
                None => {}
            }
        }
        if told.elapsed() >= CLOCK {
            told = Instant::now();
            api.hub().tell_clock(clock, lag);
        }
    }
}
