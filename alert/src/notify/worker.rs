//! The loop: reads the topics, sends what is due, and marks what came of it.
//!
//! Invariants: one notifier of a fleet works at a time, the member of the group `notify` that holds the partition of the
//! alerts; marks are committed before what they announce is sent; a receiver that hangs blocks nobody, since each request
//! is a task of its own with a time limit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver as Results, Sender, channel},
    },
    time::{Duration, Instant},
};

use eventlog::{Assignment, Commit, Consumer, Log, Poll, Producer, Stored, TopicPartition, failpoint};
use proto::{
    Message as _,
    v1::{AlertAction, AlertTransition, Notification, NotificationKey},
};
use tokio::runtime::Runtime;

use super::{
    TOPIC_ACTIONS, TOPIC_MARKS,
    config::Config,
    error::Error,
    group::Failure,
    message::Message,
    notifier::{Delivery, Notifier},
    show::{Shown, Status},
    transport::{Outcome, Transport},
};

const GROUP: &str = "notify";
const POLL_BYTES: usize = 1 << 20;
/// How soon it notices what is new or due.
const WAIT: Duration = Duration::from_millis(50);
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A delivery, and what came of it.
type Ended = (Delivery, Outcome);

/// The notifier of a process.
pub struct Worker {
    config: Arc<Config>,
    log: Arc<dyn Log>,
    alerts_topic: String,
    producer_name: String,
    consumer: Box<dyn Consumer>,
    runtime: Runtime,
    transport: Arc<Transport>,
    results: (Sender<Ended>, Results<Ended>),
}

/// What a worker has while it holds the partition.
struct Held {
    notifier: Notifier,
    actions: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    live: bool,
}

impl Worker {
    /// Joins the group; `alerts_topic` is where transitions come from.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(config: Arc<Config>, log: Arc<dyn Log>, alerts_topic: &str, producer: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("notify-send")
            .enable_all()
            .build()?;
        let consumer = log.consumer(Assignment::group(GROUP, &[alerts_topic]))?;
        Ok(Self {
            config,
            log,
            alerts_topic: alerts_topic.to_owned(),
            producer_name: producer.to_owned(),
            consumer,
            runtime,
            transport: Arc::default(),
            results: channel(),
        })
    }

    /// Runs until it is stopped, or the log fails.
    ///
    /// # Errors
    /// When the log fails, or a record does not decode.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), Error> {
        let (mut held, mut reported) = (None, Instant::now());
        while !stop.load(Ordering::Relaxed) {
            match self.consumer.poll(POLL_BYTES, WAIT)? {
                Poll::Assigned(partitions) if partitions.iter().any(|at| at.partition == 0) => {
                    held = Some(self.hold()?)
                }
                Poll::Assigned(_) => {}
                // What is on its way may arrive; its mark says that it was attempted.
                Poll::Revoked(_) | Poll::Lost(_) => held = None,
                Poll::Records { records, .. } => {
                    if let Some(held) = &mut held {
                        held.transitions(&records, &self.alerts_topic)?;
                    }
                }
                Poll::Idle => {
                    if let Some(held) = held.as_mut().filter(|held| !held.live) {
                        held.live = true;
                        held.notifier.begin(now_us());
                    }
                }
            }
            let Some(held) = &mut held else { continue };
            held.actions()?;
            self.work(held)?;
            if reported.elapsed() >= REPORT_EVERY {
                held.notifier.report();
                reported = Instant::now();
            }
        }
        // Their outcomes are lost with us, their attempts are marked.
        self.runtime.shutdown_background();
        Ok(())
    }

    /// Reads the past of actions and marks, and begins to read the alerts.
    fn hold(&mut self) -> Result<Held, Error> {
        let producer = self.consumer.producer(&self.producer_name)?;
        let mut notifier = Notifier::new(self.config.clone(), &self.alerts_topic);
        for stored in eventlog::past(self.log.as_ref(), TOPIC_MARKS, 0, 0)? {
            let stored = stored?;
            let damaged = |source| Error::Record { topic: TOPIC_MARKS.to_owned(), offset: stored.offset, source };
            let key = NotificationKey::decode(stored.record.key.clone()).map_err(damaged)?;
            let mark = stored.record.value.clone().map(Notification::decode).transpose().map_err(damaged)?;
            notifier.mark(&key, mark);
        }
        notifier.marks_end();
        let low = self.log.watermarks(TOPIC_ACTIONS, 0)?.low;
        let actions = self.log.consumer(Assignment::manual(TOPIC_ACTIONS, [(0, low)]))?;
        let mut held = Held { notifier, actions, producer, live: false };
        held.actions()?;
        let low = self.log.watermarks(&self.alerts_topic, 0)?.low;
        self.consumer.seek(&TopicPartition::new(self.alerts_topic.as_str(), 0), low)?;
        // Results of an earlier hold are of another state.
        self.results = channel();
        Ok(held)
    }

    /// Takes results, commits marks, sends what is due.
    fn work(&mut self, held: &mut Held) -> Result<(), Error> {
        while let Ok((delivery, outcome)) = self.results.1.try_recv() {
            match outcome {
                Outcome::Delivered(_) => held.notifier.delivered(&delivery, now_us()),
                Outcome::Retry { reason, after } => {
                    let after_us = after.map_or(0, |after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
                    held.notifier.failed(&delivery, &Failure { reason, permanent: false, after_us }, now_us());
                }
                Outcome::Refused(reason) => {
                    held.notifier.failed(&delivery, &Failure { reason, permanent: true, after_us: 0 }, now_us());
                }
            }
        }
        let due = held.notifier.due(now_us());
        let outputs = held.notifier.outputs();
        if !outputs.is_empty() {
            held.producer.commit(Commit { outputs, offsets: Vec::new() })?;
        } else {
            held.producer.tend();
        }
        failpoint::pass(failpoint::NOTIFY_DUE);
        for delivery in due {
            let message = held.notifier.message(&delivery, now_us());
            self.send(delivery, &message);
        }
        Ok(())
    }

    fn send(&self, delivery: Delivery, message: &Message) {
        let (transport, results) = (self.transport.clone(), self.results.0.clone());
        let call = delivery.receiver.kind.call(message);
        self.runtime.spawn(async move {
            let outcome = match call {
                Ok(call) => transport.send(&delivery.receiver, call, now_us()).await,
                Err(reason) => Outcome::Refused(reason),
            };
            failpoint::pass(failpoint::NOTIFY_SENT);
            // Nobody reads it after the partition went to another.
            let _ = results.send((delivery, outcome));
        });
    }
}

impl Held {
    fn transitions(&mut self, records: &[Stored], topic: &str) -> Result<(), Error> {
        for stored in records {
            let Some(value) = stored.record.value.clone() else { continue };
            let damaged = |source| Error::Record { topic: topic.to_owned(), offset: stored.offset, source };
            let transition = AlertTransition::decode(value).map_err(damaged)?;
            self.notifier.transition(stored.offset, transition, now_us());
        }
        Ok(())
    }

    /// All actions that are there.
    fn actions(&mut self) -> Result<(), Error> {
        while let Poll::Records { records, .. } = self.actions.poll(POLL_BYTES, Duration::ZERO)? {
            for stored in records {
                let Some(value) = stored.record.value.clone() else { continue };
                let taken = AlertAction::decode(value).map_err(|error| error.to_string());
                if let Err(problem) = taken.and_then(|action| self.notifier.action(action, now_us())) {
                    tracing::warn!(topic = TOPIC_ACTIONS, offset = stored.offset, problem, "an action is left out");
                }
            }
        }
        Ok(())
    }
}

/// The wall clock.
fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Sends a marked test message, and returns what the receiver answered.
///
/// # Errors
/// What went wrong.
pub fn test(config: &Config, receiver: &str) -> Result<String, String> {
    let names = || config.receivers().collect::<Vec<_>>().join(", ");
    let Some(receiver) = config.receivers.get(receiver) else {
        return Err(format!("there is no receiver {receiver}; there are {}", names()));
    };
    let now_us = now_us();
    let message = test_message(config, receiver, now_us);
    let call = receiver.kind.call(&message)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    match runtime.block_on(Transport::default().send(receiver, call, now_us)) {
        Outcome::Delivered(answer) => Ok(answer),
        Outcome::Retry { reason, .. } | Outcome::Refused(reason) => Err(reason),
    }
}

fn test_message(config: &Config, receiver: &super::config::Receiver, now_us: i64) -> Message {
    let firing = AlertTransition {
        key: Some(proto::v1::AlertKey { rule: "test".to_owned(), tenant: "default".to_owned(), ..Default::default() }),
        metric: "test".to_owned(),
        since_us: now_us,
        at_us: now_us,
        value: Some(1.0),
        id: format!("test-{now_us}"),
        labels: vec![proto::v1::Dimension { name: "severity".to_owned(), value: "info".to_owned() }],
        annotations: vec![proto::v1::Dimension {
            name: "summary".to_owned(),
            value: "A test of Vitals: nothing is wrong, and nothing has to be done".to_owned(),
        }],
        fired_us: Some(now_us),
        ..AlertTransition::default()
    };
    let view = super::show::View {
        id: &firing.id,
        status: Status::Firing,
        firing: &firing,
        resolved: None,
        external_url: &config.external_url,
        zone: &receiver.zone,
    };
    let alerts: Vec<Shown> = vec![view.shown()];
    let message = Message {
        id: format!("msg_test_{now_us}"),
        receiver: receiver.name.to_string(),
        status: Status::Firing,
        test: true,
        digest: false,
        group_key: format!("{}/test", receiver.name),
        group_labels: alerts.iter().flat_map(|alert| alert.labels.clone()).collect(),
        alerts,
        truncated: 0,
        external_url: config.external_url.clone(),
        note: String::new(),
        address: None,
        sent_us: now_us,
        title: String::new(),
        body: String::new(),
    };
    message.finish(receiver)
}
