//! The log: append records, read a partition from an offset, and the heart: commit outputs and
//! consumer offsets atomically.
//!
//! One trait, implementations that all pass one suite ([`conformance`]). Invariants:
//! - a [`Commit`] is all or nothing, and durable when [`Producer::commit`] returns (readers see it then; on Kafka moments
//!   later, when the ends of the transaction are written);
//! - offsets of a partition only grow; a reader sees committed records only, in offset order;
//! - a second producer of the same name fences the first.
//!
//! It does not know what records mean: keys, values and topics are bytes and names.
//!
//! How Apache Kafka fits is named at each method by the rdkafka call behind it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

pub mod conformance;
pub mod embedded;
mod error;
pub mod failpoint;
pub mod kafka;
mod past;
pub mod telemetry;

pub use error::{Error, Kind, Result};
pub use past::{Past, past};

/// A header of a record: name and raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name, ASCII by custom.
    pub name: String,
    /// Raw bytes.
    pub value: Bytes,
}

/// One record as a producer gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Partitioning and compaction key; may be empty.
    pub key: Bytes,
    /// Payload. `None` is a tombstone: compaction removes the key.
    pub value: Option<Bytes>,
    /// Headers, usually none.
    pub headers: Vec<Header>,
    /// Time of the record for retention; microseconds since the Unix epoch.
    pub timestamp_us: i64,
}

/// One record as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Position in the partition. Compaction and (on Kafka) control records leave gaps.
    pub offset: u64,
    /// The record.
    pub record: Record,
}

/// A record and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic, shared by the outputs of a commit.
    pub topic: Arc<str>,
    /// Partition of the topic.
    pub partition: u32,
    /// The record.
    pub record: Record,
}

/// A committed position of a group in one partition. The log does not check it against the watermarks: a group may
/// count what it likes (an import counts rows), but retention and compaction wait for every group of the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Offset of the next record to read.
    pub offset: u64,
    /// Free text kept with it (Kafka limits it to 4096 bytes).
    pub metadata: String,
}

/// Offsets that a commit moves, all of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffsets {
    /// Consumer group.
    pub group: String,
    /// (topic, partition, position); `None` deletes the position.
    pub offsets: Vec<(Arc<str>, u32, Option<Committed>)>,
}

/// What is written together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Records, appended in this order within each partition.
    pub outputs: Vec<Output>,
    /// Consumer offsets, of any number of groups.
    pub offsets: Vec<GroupOffsets>,
}

/// What a topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Everything, for ever.
    Keep,
    /// Records younger than this, and whatever a group has still to read (embedded only; Kafka does not wait).
    Delete {
        /// Retention.
        retention: Duration,
    },
    /// The latest record of each key, and everything younger than the lag or (embedded only) still to be read by a
    /// group. Records without a key are kept; Kafka refuses them.
    Compact {
        /// `min.compaction.lag.ms`.
        min_lag: Duration,
    },
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Partitions, fixed when the topic is made.
    pub partitions: u32,
    /// Retention or compaction.
    pub cleanup: Cleanup,
}

impl TopicSpec {
    /// As Kafka names topics.
    pub(crate) fn check(&self) -> Result<()> {
        let name = &self.name;
        let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if good && !name.is_empty() && name.len() <= 249 && self.partitions > 0 {
            return Ok(());
        }
        let what = format!(
            "topic {name:?} with {} partitions: a topic has a name of 1-249 letters, digits, `.`, `_`, `-`, \
             and at least one partition",
            self.partitions
        );
        Err(Error::Invalid { what })
    }
}

/// The half-open range of offsets that a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Offset of the first record kept (Kafka: low watermark).
    pub low: u64,
    /// Offset that the next record will get (Kafka: last stable offset).
    pub high: u64,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic, shared by its partitions.
    pub topic: Arc<str>,
    /// Number of the partition, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {} partition {}", self.topic, self.partition)
    }
}

/// How a consumer gets its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// These partitions from these offsets (Kafka: `assign`).
    Manual(Vec<(TopicPartition, u64)>),
    /// A share of the partitions of all the topics in this group (Kafka: `subscribe`, eager, `group.protocol=classic`,
    /// the assignor `roundrobin`: it spreads many topics of one partition evenly).
    /// Each partition is delivered only after [`Consumer::seek`]. The embedded log has one process and no
    /// rebalances: every member of a group is given all partitions at its first poll; producers fence.
    Group {
        /// Name of the group.
        group: String,
        /// The topics that all its members read.
        topics: Vec<Arc<str>>,
    },
}

impl Assignment {
    /// Partitions of one topic, each from an offset.
    pub fn manual(topic: &str, from: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let topic: Arc<str> = topic.into();
        let each = |(partition, offset)| (TopicPartition::new(topic.clone(), partition), offset);
        Self::Manual(from.into_iter().map(each).collect())
    }

    /// A share of the topics in a group.
    pub fn group(group: &str, topics: &[&str]) -> Self {
        Self::Group { group: group.to_owned(), topics: topics.iter().map(|topic| (*topic).into()).collect() }
    }
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The group gave these partitions: recover, then `seek` each.
    Assigned(Vec<TopicPartition>),
    /// The group takes these back: commit now.
    Revoked(Vec<TopicPartition>),
    /// The group gave these to somebody else already: abort.
    Lost(Vec<TopicPartition>),
    /// Records of one partition, in offset order, never empty.
    Records {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// The records.
        records: Vec<Stored>,
    },
    /// Nothing came within the wait.
    Idle,
}

/// The log. Shared by all stages of a process.
pub trait Log: Send + Sync {
    /// Creates the topic if it is not there; with the same spec it changes nothing, with another cleanup it takes
    /// that. Kafka: `AdminClient::create_topics`, `alter_configs`.
    ///
    /// # Errors
    /// `Fatal` if it exists with another number of partitions, or the name is not allowed.
    fn create_topic(&self, spec: &TopicSpec) -> Result<()>;

    /// The same with several topics. Kafka: one request, since each client that asks takes a while to connect.
    ///
    /// # Errors
    /// Those of [`Log::create_topic`]; some of the topics may be there then.
    fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        specs.iter().try_for_each(|spec| self.create_topic(spec))
    }

    /// Deletes a topic with all its records and positions, if it is there; nobody may be reading or
    /// writing it. Kafka: `AdminClient::delete_topics`.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn delete_topic(&self, name: &str) -> Result<()>;

    /// The same with several topics. Kafka: one request.
    ///
    /// # Errors
    /// When the log cannot be written; some of the topics may be gone then.
    fn delete_topics(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| self.delete_topic(name))
    }

    /// All topics, by name. Kafka: `fetch_metadata`.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn topics(&self) -> Result<Vec<TopicSpec>>;

    /// First kept and next offset of a partition. Kafka: `fetch_watermarks` (read_committed).
    ///
    /// # Errors
    /// `Fatal` if the partition does not exist.
    fn watermarks(&self, topic: &str, partition: u32) -> Result<Watermarks>;

    /// A group's committed position. Kafka: `committed_offsets` of a consumer in the group.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Committed>>;

    /// A group's committed positions in these partitions, in their order. Kafka: one request.
    ///
    /// # Errors
    /// Those of [`Log::committed`].
    fn all_committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>> {
        partitions.iter().map(|at| self.committed(group, &at.topic, at.partition)).collect()
    }

    /// A reader of any number of topics. Kafka: a `BaseConsumer`, `isolation.level=read_committed`,
    /// `auto.offset.reset=error`.
    ///
    /// # Errors
    /// `Fatal` if one of the topics does not exist.
    fn consumer(&self, assignment: Assignment) -> Result<Box<dyn Consumer>>;

    /// A writer. A newer producer of the same `name` fences this one; once it is returned, nothing of the older ones
    /// is still on its way.
    /// Kafka: a `BaseProducer` with `transactional.id=name`, `init_transactions`.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn producer(&self, name: &str) -> Result<Box<dyn Producer>>;
}

/// Reads partitions of any number of topics. Kafka: `BaseConsumer` on its own thread.
///
/// It is fair: while several partitions have records, each gets its turn, however much the others have.
pub trait Consumer: Send {
    /// The next event: an assignment change, up to about `max_bytes` of records of one partition
    /// (at least one record), or `Idle` after `wait`, but not before all that was committed at a partition's seek has
    /// been delivered: a reader of the past ends with `Idle`. (On Kafka a reader of several topics may say so early where
    /// others write to them meanwhile; [`past`] reads one.) What was announced as revoked goes back with the next poll.
    /// A member of a group polls while it recovers, too, or loses its partitions. Kafka: `BaseConsumer::poll`.
    ///
    /// # Errors
    /// `Fatal` when the position is below the low watermark (retention passed it) or above the
    /// high one (the topic was recreated); `Retry` when what is there does not come.
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Poll>;

    /// Delivers an assigned partition from this offset on; the next poll checks the offset. Kafka: `assign`, since
    /// nothing may be fetched before.
    ///
    /// # Errors
    /// `Fatal` if the partition is not assigned.
    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()>;

    /// A writer as of [`Log::producer`], which commits offsets of this consumer's group as the member that it is: after
    /// the group has given its partitions to others, such a commit fails. Kafka: `group_metadata`, asked at each commit.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn producer(&self, name: &str) -> Result<Box<dyn Producer>>;
}

/// Writes commits. Kafka: `begin_transaction`, `send`, `send_offsets_to_transaction` with fresh
/// group metadata, `commit_transaction`.
pub trait Producer: Send {
    /// Writes all of it durably, or nothing.
    ///
    /// # Errors
    /// `Fatal` when fenced, when a topic or partition is unknown, or when the outcome is not known: then the owner
    /// starts again from its state; `Retry` when the outcome is known to be "nothing written" and trying again may help, by
    /// another producer.
    fn commit(&mut self, commit: Commit) -> Result<()>;

    /// Takes what waits beside commits: log lines, statistics, the wish for a new token. Owners call it now and then
    /// while they have nothing to commit. Kafka: `rd_kafka_poll`.
    fn tend(&mut self) {}
}
