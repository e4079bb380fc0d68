//! What librdkafka calls back: log lines, failed deliveries, rebalances, and the wish for a token.
//!
//! Invariants: a rebalance is only noted, and handled by whoever polls, after the poll; a consumer that closes gives
//! everything back at once. Everything here is short and takes no lock that anything waits under.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{
    ClientContext, Message as _, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel as Level,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::DeliveryResult,
    producer::{NoCustomPartitioner, ProducerContext},
    statistics::{Broker, Statistics},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::{
    config::{Config, Sasl},
    repeats, token,
    trouble::Trouble,
};
use crate::telemetry;

/// A change of what a member of a group owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rebalance {
    /// These partitions are ours, of topics as the cluster names them.
    Assigned(Vec<(String, i32)>),
    /// All of ours go back.
    Revoked,
    /// All of ours are gone.
    Lost,
}

/// For so long a client remembers what went wrong: librdkafka repeats it every 30 s.
const TROUBLE_LASTS: Duration = Duration::from_secs(60);

/// What one client remembers of its callbacks.
pub(super) struct Context {
    sasl: Option<Sasl>,
    closing: AtomicBool,
    owner: AtomicBool,
    rebalances: Mutex<VecDeque<Rebalance>>,
    failure: Mutex<Option<Code>>,
    trouble: Mutex<Option<(Trouble, Instant)>>,
    reached: AtomicBool,
    statistics: Mutex<telemetry::Client>,
}

impl Context {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            sasl: config.sasl.clone(),
            closing: AtomicBool::new(false),
            owner: AtomicBool::new(false),
            rebalances: Mutex::default(),
            failure: Mutex::default(),
            trouble: Mutex::default(),
            reached: AtomicBool::new(false),
            statistics: Mutex::default(),
        }
    }

    /// From now on partitions go back at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether the owner was told of partitions, and not yet asked for them back.
    pub(super) fn is_owner(&self) -> bool {
        self.owner.load(Ordering::Acquire)
    }

    pub(super) fn set_owner(&self, owner: bool) {
        self.owner.store(owner, Ordering::Release);
    }

    /// The oldest change not handled yet.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether there is one.
    pub(super) fn is_rebalancing(&self) -> bool {
        !self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Why the first delivery failed, since this was asked last.
    pub(super) fn take_failure(&self) -> Option<Code> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Why brokers could not be reached, lately.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().filter(|(_, at)| at.elapsed() < TROUBLE_LASTS).map(|(trouble, _)| trouble.clone())
    }

    /// They were.
    pub(super) fn reached(&self) {
        self.reached.store(true, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether brokers refuse us in a way that does not pass while this process lives. A token is read again, passwords
    /// and certificates are not.
    pub(super) fn is_refused(&self) -> bool {
        !matches!(self.sasl, Some(Sasl::OauthBearer { .. })) && self.trouble().is_some_and(|trouble| trouble.refused)
    }

    /// Remembers it, unless something graver is known.
    fn note(&self, new: Trouble) {
        if new.refused || self.trouble().is_none_or(|known| !known.refused) {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some((new, Instant::now()));
        }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: Level, facility: &str, message: &str) {
        if facility == "FAIL" {
            self.note(Trouble::told(message, self.reached.load(Ordering::Relaxed)));
        }
        let said = repeats::without_thread(message);
        let Some(left_out) = repeats::of_process(repeats::kind(said)) else { return };
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
                tracing::error!(facility, left_out, "kafka: {said}");
            }
            Level::Warning => tracing::warn!(facility, left_out, "kafka: {said}"),
            Level::Notice | Level::Info => tracing::info!(facility, left_out, "kafka: {said}"),
            Level::Debug => tracing::debug!(facility, left_out, "kafka: {said}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Comes with every end of a partition, too, and with whatever a poll returns.
        tracing::debug!(%error, "kafka: {reason}");
    }

    fn stats(&self, said: Statistics) {
        let brokers = || said.brokers.values();
        let total = |of: fn(&Broker) -> u64| brokers().map(of).sum();
        let partitions = said.topics.values().flat_map(|topic| topic.partitions.values());
        let fetched: u64 = partitions.map(|partition| u64::try_from(partition.fetchq_cnt).unwrap_or(0)).sum();
        let slowest = brokers().filter_map(|broker| broker.rtt.as_ref()).map(|rtt| rtt.p99).max();
        let now = telemetry::Client {
            sent_bytes: total(|broker| broker.txbytes),
            received_bytes: total(|broker| broker.rxbytes),
            errors: total(|broker| broker.txerrs + broker.rxerrs + broker.req_timeouts),
            queued_records: said.msg_cnt + fetched,
            connected: brokers().filter(|broker| broker.state == "UP").count(),
            round_trip: Duration::from_micros(u64::try_from(slowest.unwrap_or(0)).unwrap_or(0)),
        };
        let mut before = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        telemetry::client(&said.client_id, &before, &now);
        *before = now;
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        match &self.sasl {
            Some(Sasl::OauthBearer { token_file }) => Ok(read_token(token_file).inspect_err(|what| {
                if let Some(left_out) = repeats::of_process(repeats::kind(what)) {
                    tracing::warn!(left_out, "kafka: {what}");
                }
                self.note(Trouble { refused: false, what: what.clone() });
            })?),
            _ => Err("no token is configured".into()),
        }
    }
}

/// The token to use now, where the mechanism wants one.
pub(super) fn token(config: &Config) -> Option<Result<OAuthToken, String>> {
    match &config.sasl {
        Some(Sasl::OauthBearer { token_file }) => Some(read_token(token_file)),
        _ => None,
    }
}

fn read_token(file: &Path) -> Result<OAuthToken, String> {
    let place = || format!("sasl.token_file {}", file.display());
    let token = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", place()))?;
    let token = token.trim();
    let claims = token::claims(token)
        .ok_or_else(|| format!("{}: is not a JSON web token with the claims sub and exp", place()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
    if claims.expires_ms <= now_ms {
        let seconds = (now_ms - claims.expires_ms) / 1000;
        return Err(format!("{}: the token expired {seconds} s ago; what renews it has to write a new one", place()));
    }
    Ok(OAuthToken { token: token.to_owned(), principal_name: claims.subject, lifetime_ms: claims.expires_ms })
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Acquire) {
            if let Err(error) = consumer.unassign() {
                tracing::warn!(%error, "kafka: partitions were not given back");
            }
            return;
        }
        let note = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let named = |element: &TopicPartitionListElem<'_>| (element.topic().to_owned(), element.partition());
                Rebalance::Assigned(list.elements().iter().map(named).collect())
            }
            _ if consumer.assignment_lost() => Rebalance::Lost,
            _ => Rebalance::Revoked,
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(note);
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else { return };
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let code = error.rdkafka_error_code();
        // What an abort purges failed because of something else.
        let purged = matches!(code, Some(Code::PurgeQueue | Code::PurgeInflight));
        if failure.is_none() && !purged {
            tracing::warn!(topic = message.topic(), partition = message.partition(), %error, "kafka: not delivered");
            *failure = code;
        }
    }
}
