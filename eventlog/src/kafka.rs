//! The log on Apache Kafka: how Vitals grows past one machine. The only place that names rdkafka.
//!
//! Invariants:
//! - one [`Commit`](crate::Commit) is one Kafka transaction, offsets of groups included ([`producer`]); readers see
//!   committed records only; a producer never takes its name back from a newer one by itself;
//! - a position is checked against the watermarks before it is read from, and never replaced by another ([`consumer`]);
//! - everything on the cluster begins with the prefix of the [`Config`]; nothing else there is touched.
//!
//! ```text
//! Log        -> Admin         topics, watermarks, positions of groups: a client of its own, and one that asks
//! Consumer   -> BaseConsumer  its owner's thread polls; rebalances are noted in the callback, handled outside
//! Producer   -> BaseProducer  begin, send, offsets, flush, commit: all in one call, on its owner's thread
//! ```
//!
//! It does not know what records mean. Kafka differs from the embedded log in what it does by itself: offsets of
//! groups without members expire after a week (`offsets.retention.minutes`), retention and compaction wait for
//! nobody, record times have milliseconds and one of 0 becomes the time of writing, and a transaction takes an offset
//! of its own in each partition that it touches.

// 2026-11-23: a deleted position is a position with a mark in its metadata, since a transaction cannot delete one.
// 2026-11-23: a group asked about from outside (`committed`, and commits of a producer that no member made) is asked by
// a consumer that never subscribes. One a group is kept: lag is asked for all the time, and to connect costs 100 ms.
// 2026-11-28: where a member of the group is open in this process, that one is asked: no client is made beside it.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
};

mod assign;
mod closing;
mod config;
mod consumer;
mod context;
mod errors;
mod fence;
pub mod local;
mod native;
mod producer;
mod repeats;
mod token;
mod topics;
mod trouble;

#[cfg(test)]
mod tests;

pub use config::{Config, Sasl, Secret, Tls, User};
pub use topics::Drift;

use self::{closing::Closing, consumer::Reader, context::Context, fence::Membership, producer::Writer};
use crate::{Assignment, Committed, Consumer, Error, Log, Producer, Result, TopicPartition, TopicSpec, Watermarks};

/// Metadata of a position that counts as none.
const DELETED: &str = "\u{0}vitals: deleted";

/// How long the first attempt to ask something waits, before it looks whether brokers refuse us. The next wait longer.
const FIRST_ATTEMPT: Duration = Duration::from_millis(250);

/// The log on a Kafka cluster.
pub struct Kafka {
    shared: Arc<Shared>,
}

/// What readers and writers share.
struct Shared {
    config: Config,
    /// Asks for metadata and watermarks; reads nothing.
    asking: BaseConsumer<Context>,
    /// Partitions of the topics seen so far, which never change.
    partitions: RwLock<HashMap<Arc<str>, u32>>,
    /// Ask for the positions of groups, one each, and never join them.
    outsiders: Mutex<HashMap<String, Arc<BaseConsumer<Context>>>>,
    /// The members of groups that were opened here.
    members: Mutex<Vec<Membership>>,
}

/// A client that names a group.
enum Asks {
    Member(Arc<Closing<BaseConsumer<Context>>>),
    Outsider(Arc<BaseConsumer<Context>>),
}

impl Deref for Asks {
    type Target = BaseConsumer<Context>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Member(client) => client,
            Self::Outsider(client) => client,
        }
    }
}

impl Kafka {
    /// Connects, and checks that a broker answers.
    ///
    /// # Errors
    /// `Fatal` for settings that are unsafe or not accepted, and where a broker refuses us; `Retry` when no broker
    /// answers.
    pub fn connect(config: Config) -> Result<Arc<Self>> {
        config.check()?;
        if let Some(Err(what)) = context::token(&config) {
            return Err(Error::Broker { what, retry: true });
        }
        let fail = |error: KafkaError| match config.unusable(&error) {
            Some(what) => Error::Invalid { what },
            None => errors::broker("connect", &error),
        };
        // A group is named because librdkafka serves callbacks only to those that have one.
        let settings = config.consumer(&format!("{}asking", config.prefix));
        let asking: BaseConsumer<Context> = settings.create_with_context(Context::new(&config)).map_err(fail)?;
        let shared = Shared {
            config,
            asking,
            partitions: RwLock::default(),
            outsiders: Mutex::default(),
            members: Mutex::default(),
        };
        shared.metadata(None)?;
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// In what the topics of the cluster differ from these.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn drift(&self, topics: &[TopicSpec]) -> Result<Vec<Drift>> {
        topics::drift(&self.shared, topics)
    }
}

impl Shared {
    /// The name on the cluster of a topic, group or producer.
    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.config.prefix)
    }

    fn metadata(&self, topic: Option<&str>) -> Result<rdkafka::metadata::Metadata> {
        let (begun, client) = (Instant::now(), self.asking.context());
        let mut wait = FIRST_ATTEMPT.min(self.config.request_timeout);
        loop {
            self.serve();
            let asked = Instant::now();
            let error = match self.asking.fetch_metadata(topic, wait) {
                Ok(metadata) => {
                    client.reached();
                    return Ok(metadata);
                }
                Err(error) => error,
            };
            let waited = asked.elapsed() >= wait;
            self.serve();
            let refused = client.trouble().is_some_and(|trouble| trouble.refused);
            let left = self.config.request_timeout.saturating_sub(begun.elapsed());
            if refused || !waited || left.is_zero() {
                let what = format!("metadata of {}", topic.unwrap_or("all topics"));
                return Err(errors::unreached(what, &error, client));
            }
            wait = left.min(2 * wait);
        }
    }

    /// Gives the clients that only ask their callbacks: without a token they wait for ever, and log lines pile up.
    fn serve(&self) {
        while self.asking.poll(Duration::ZERO).is_some() {}
        let outsiders = self.outsiders.lock().unwrap_or_else(PoisonError::into_inner);
        for outsider in outsiders.values() {
            while outsider.poll(Duration::ZERO).is_some() {}
        }
    }

    /// How many partitions a topic has; 0 if there is no such topic.
    fn count(&self, topic: &str) -> Result<u32> {
        let known = self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let count = topics::count(&self.metadata(Some(&self.full(topic)))?);
        if count > 0 {
            self.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(topic.into(), count);
        }
        Ok(count)
    }

    fn forget(&self, topic: &str) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    fn check(&self, topic: &str, partition: u32) -> Result<()> {
        if partition < self.count(topic)? {
            return Ok(());
        }
        Err(Error::Unknown { topic: topic.to_owned(), partition })
    }

    fn watermarks(&self, topic: &str, partition: u32) -> Result<Watermarks> {
        self.check(topic, partition)?;
        self.serve();
        let (name, number, wait) = (self.full(topic), number(partition)?, self.config.request_timeout);
        let found = errors::until_led(wait, || self.asking.fetch_watermarks(&name, number, wait));
        let (low, high) = found.map_err(|error| match errors::code(&error) {
            Some(Code::UnknownPartition | Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                self.forget(topic);
                Error::Unknown { topic: topic.to_owned(), partition }
            }
            _ => {
                self.serve();
                let what = format!("watermarks of topic {topic} partition {partition}");
                errors::unreached(what, &error, self.asking.context())
            }
        })?;
        Ok(Watermarks { low: offset(low), high: offset(high) })
    }

    /// Remembers a member of a group, for as long as it is open.
    fn joined(&self, membership: Membership) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.client().is_some());
        members.push(membership);
    }

    /// The members of groups that own partitions now.
    fn owners(&self) -> Vec<Membership> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let owns = |member: &&Membership| member.client().is_some_and(|client| client.context().is_owner());
        members.iter().filter(owns).cloned().collect()
    }

    /// Who asks for the positions of a group: the member of it that is open here, else one that never joins it.
    fn asks_for(&self, group: &str) -> Result<Asks> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let member = members.iter().filter(|member| member.group == group).find_map(Membership::client);
        drop(members);
        match member {
            Some(client) => Ok(Asks::Member(client)),
            None => Ok(Asks::Outsider(self.outsider(group)?)),
        }
    }

    /// A consumer that names the group and never joins it.
    fn outsider(&self, group: &str) -> Result<Arc<BaseConsumer<Context>>> {
        let mut outsiders = self.outsiders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = outsiders.get(group) {
            return Ok(known.clone());
        }
        let settings = self.config.consumer(&self.full(group));
        let made: Result<BaseConsumer<Context>, _> = settings.create_with_context(Context::new(&self.config));
        let made = Arc::new(made.map_err(|error| errors::broker(format!("group {group}"), &error))?);
        outsiders.insert(group.to_owned(), made.clone());
        Ok(made)
    }
}

impl Log for Kafka {
    fn create_topic(&self, spec: &TopicSpec) -> Result<()> {
        self.create_topics(std::slice::from_ref(spec))
    }

    fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        specs.iter().try_for_each(TopicSpec::check)?;
        topics::create(&self.shared, specs)
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.delete_topics(&[name.to_owned()])
    }

    fn delete_topics(&self, names: &[String]) -> Result<()> {
        topics::delete(&self.shared, names)
    }

    fn topics(&self) -> Result<Vec<TopicSpec>> {
        topics::list(&self.shared)
    }

    fn watermarks(&self, topic: &str, partition: u32) -> Result<Watermarks> {
        self.shared.watermarks(topic, partition)
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Committed>> {
        let found = self.all_committed(group, &[TopicPartition::new(topic, partition)])?;
        Ok(found.into_iter().next().flatten())
    }

    fn all_committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::new();
        for at in partitions {
            self.shared.check(&at.topic, at.partition)?;
            list.add_partition(&self.shared.full(&at.topic), number(at.partition)?);
        }
        let asked = self.shared.asks_for(group)?;
        self.shared.serve();
        let fail = |error| {
            self.shared.serve();
            let silent = errors::code(&error) == Some(Code::OperationTimedOut) && asked.context().trouble().is_none();
            let hint = if silent { HANGING } else { "" };
            let what = format!("position of group {group} in {}{hint}", places(partitions));
            errors::unreached(what, &error, asked.context())
        };
        // Waits for transactions of the group that are not over yet, since it reads what is committed only.
        let wait = self.shared.config.request_timeout;
        let found = match (asked.committed_offsets(list.clone(), wait), &asked) {
            // It may be closing at this moment.
            (Err(_), Asks::Member(_)) => self.shared.outsider(group)?.committed_offsets(list, wait),
            (found, _) => found,
        };
        let found = found.map_err(fail)?;
        asked.context().reached();
        let mut positions = Vec::with_capacity(partitions.len());
        for at in partitions {
            let element = found.find_partition(&self.shared.full(&at.topic), number(at.partition)?);
            let Some(element) = element else {
                positions.push(None);
                continue;
            };
            element.error().map_err(fail)?;
            let position = element.offset().to_raw().filter(|at| *at >= 0 && element.metadata() != DELETED);
            positions
                .push(position.map(|at| Committed { offset: offset(at), metadata: element.metadata().to_owned() }));
        }
        Ok(positions)
    }

    fn consumer(&self, assignment: Assignment) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(Reader::new(self.shared.clone(), assignment)?))
    }

    fn producer(&self, name: &str) -> Result<Box<dyn Producer>> {
        Ok(Box::new(Writer::new(self.shared.clone(), name, None)?))
    }
}

/// What to look at where brokers answer, but do not tell a position.
const HANGING: &str = ", kept back while a transaction of the group is open (if it stays so: kafka-transactions.sh \
                       find-hanging)";

/// Where a question was about, for an error: all of them would fill a screen.
fn places(partitions: &[TopicPartition]) -> String {
    match partitions {
        [at] => format!("{}/{}", at.topic, at.partition),
        [at, others @ ..] => format!("{}/{} and {} others", at.topic, at.partition, others.len()),
        [] => "no partition".to_owned(),
    }
}

/// A partition as Kafka counts them.
fn number(partition: u32) -> Result<i32> {
    i32::try_from(partition).map_err(|_| Error::Invalid { what: format!("there is no partition {partition}") })
}

/// An offset of Kafka's; those below 0 mean something else and are sorted out before.
fn offset(raw: i64) -> u64 {
    u64::try_from(raw).unwrap_or(0)
}
