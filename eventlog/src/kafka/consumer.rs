//! Readers: each is a consumer of librdkafka that its owner's thread polls.
//!
//! ```text
//! group gives    callback notes -> poll returns Assigned -> the owner recovers, polling -> seek -> records
//! group takes    callback notes -> poll returns Revoked  -> the owner commits -> the next poll gives them back
//! ```
//!
//! Invariants: only partitions that were sought are fetched; a position is compared with the watermarks before it is
//! fetched from; records come in offset order, from the position on; `Idle` is not said before what was there at the
//! seek has been delivered. A seek fetches every partition of this reader again from its position, prefetched records
//! are dropped: seeks are rare (a start, and the rewind after a failed commit). Partitions take turns in a backlog: the client
//! fetches from each in its turn, and what it fetched waits in one queue.
//!
//! It does not know what the owner does with records, nor when it commits.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};

use super::{
    Context, Shared, assign, closing::Closing, config::Config, context::Rebalance, errors, fence::Membership, native,
    number, offset, producer::Writer, repeats,
};
use crate::{Assignment, Consumer, Error, Header, Poll, Producer, Record, Result, Stored, TopicPartition};

/// A reader of topics.
pub(super) struct Reader {
    log: Arc<Shared>,
    /// What it reads, for the log and errors.
    name: String,
    /// Our names of the topics, by those on the cluster.
    topics: HashMap<String, Arc<str>>,
    client: Arc<Closing<BaseConsumer<Context>>>,
    /// As what it is in a group, if it is in one.
    membership: Option<Membership>,
    cursors: BTreeMap<TopicPartition, Cursor>,
    /// How often an end was reached of a partition of this number, since the client was told: it does not say of which
    /// topic, so the ends of all topics have to come.
    ends: BTreeMap<u32, usize>,
    /// Positions changed since the client was told.
    moved: bool,
    /// The client learns of this rebalance with the next poll.
    giving_back: bool,
    /// Read one record too far: it belongs to another partition.
    ahead: Option<(TopicPartition, Batch)>,
    /// It was said that reading waits for the brokers.
    waits: bool,
    /// What went wrong after records were read that are delivered first.
    failed: Option<Error>,
}

/// Where a reader is in one partition.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    /// Next offset to deliver; `None` before the seek.
    position: Option<u64>,
    /// The position is new and was not compared with the watermarks.
    unchecked: bool,
    /// Up to here there was something when the position was checked.
    until: u64,
}

impl Cursor {
    fn at(position: u64) -> Self {
        Self { position: Some(position), unchecked: true, until: 0 }
    }

    fn is_behind(&self) -> bool {
        self.position.is_some_and(|position| position < self.until)
    }
}

impl Reader {
    pub(super) fn new(log: Arc<Shared>, assignment: Assignment) -> Result<Self> {
        let (group, read, manual) = match assignment {
            Assignment::Manual(all) => (None, all.iter().map(|(at, _)| at.topic.clone()).collect::<Vec<_>>(), all),
            Assignment::Group { group, topics } => (Some(group), topics, Vec::new()),
        };
        manual.iter().try_for_each(|(at, _)| log.check(&at.topic, at.partition))?;
        read.iter().try_for_each(|topic| log.check(topic, 0))?;
        let topics: HashMap<String, Arc<str>> = read.iter().map(|topic| (log.full(topic), topic.clone())).collect();
        let name = match (topics.values().next(), &group) {
            (Some(topic), _) if topics.len() == 1 => format!("consumer of topic {topic}"),
            (_, Some(group)) => format!("consumer of group {group}"),
            _ => format!("consumer of {} topics", topics.len()),
        };
        let instance = group.as_ref().and_then(|group| log.config.member_name(group));
        let settings = match &group {
            None => log.config.consumer(&log.full("reader")),
            Some(group) => {
                let full = log.full(group);
                Config::observed(log.config.member(&full, instance.as_deref()), &full)
            }
        };

        let fail = |error| errors::broker(name.clone(), &error);
        let client: BaseConsumer<Context> = settings.create_with_context(Context::new(&log.config)).map_err(fail)?;
        if group.is_some() {
            let all: Vec<&str> = topics.keys().map(String::as_str).collect();
            client.subscribe(&all).map_err(fail)?;
        }
        let client = Arc::new(Closing::new(client, name.clone(), log.config.request_timeout));
        let membership =
            group.map(|group| Membership { full: log.full(&group), group, instance, member: Arc::downgrade(&client) });
        membership.iter().cloned().for_each(|membership| log.joined(membership));
        let cursors: BTreeMap<_, _> = manual.into_iter().map(|(at, offset)| (at, Cursor::at(offset))).collect();
        Ok(Self {
            log,
            name,
            topics,
            client,
            membership,
            moved: !cursors.is_empty(),
            cursors,
            ends: BTreeMap::new(),
            giving_back: false,
            ahead: None,
            waits: false,
            failed: None,
        })
    }

    /// Handles one rebalance that was noted; none where nothing changes for the owner.
    fn rebalanced(&mut self) -> Result<Option<Poll>> {
        let Some(rebalance) = self.client.context().next_rebalance() else { return Ok(None) };
        if let Rebalance::Assigned(partitions) = rebalance {
            let ours = |(full, partition): (String, i32)| self.place(&full, partition);
            self.cursors = partitions.into_iter().filter_map(ours).map(|at| (at, Cursor::default())).collect();
            // Tells the client that the rebalance is over; nothing is fetched before a seek.
            self.tell()?;
            self.client.context().set_owner(true);
            let partitions: Vec<TopicPartition> = self.cursors.keys().cloned().collect();
            return Ok((!partitions.is_empty()).then_some(Poll::Assigned(partitions)));
        }
        self.giving_back = true;
        let partitions: Vec<TopicPartition> = self.cursors.keys().cloned().collect();
        if partitions.is_empty() {
            self.give_back()?;
            return Ok(None);
        }
        Ok(Some(if rebalance == Rebalance::Lost { Poll::Lost(partitions) } else { Poll::Revoked(partitions) }))
    }

    /// Our name of a partition.
    fn place(&self, full: &str, partition: i32) -> Option<TopicPartition> {
        let topic = self.topics.get(full)?.clone();
        Some(TopicPartition { topic, partition: u32::try_from(partition).ok()? })
    }

    fn give_back(&mut self) -> Result<()> {
        self.client.context().set_owner(false);
        self.giving_back = false;
        self.moved = false;
        self.cursors.clear();
        self.ahead = None;
        assign::unassign(&self.client).map_err(|error| self.fail(&error))
    }

    /// Tells the client what to fetch from where.
    fn tell(&mut self) -> Result<()> {
        self.moved = false;
        self.ahead = None;
        self.ends.clear();
        let mut list = TopicPartitionList::new();
        for (at, cursor) in &mut self.cursors {
            let Some(position) = cursor.position else { continue };
            if cursor.unchecked {
                cursor.until = check(&self.log, at, position).inspect_err(|_| self.moved = true)?;
                cursor.unchecked = false;
            }
            let from = i64::try_from(position).map_err(|_| out_of_reach(at))?;
            let full = self.log.full(&at.topic);
            let added = list.add_partition_offset(&full, number(at.partition)?, Offset::Offset(from));
            added.map_err(|error| errors::broker(at.to_string(), &error))?;
        }
        assign::assign(&self.client, &list).map_err(|error| self.fail(&error))
    }

    fn fail(&self, error: &KafkaError) -> Error {
        errors::unreached(self.name.clone(), error, self.client.context())
    }

    /// One partition of this number has been read to its end. Which topic's is not told, so nothing is known before each
    /// has had time to say so; where others write meanwhile, one may say it twice.
    fn end(&mut self, partition: i32) {
        let Ok(partition) = u32::try_from(partition) else { return };
        let ends = self.ends.entry(partition).or_default();
        *ends += 1;
        let fetched =
            |(at, cursor): &(&TopicPartition, &mut Cursor)| at.partition == partition && cursor.position.is_some();
        if *ends >= self.cursors.iter_mut().filter(fetched).count() {
            self.cursors.iter_mut().filter(fetched).for_each(|(_, cursor)| cursor.until = 0);
        }
    }

    /// The next record, with its partition; `None` when a rebalance, an end or the deadline comes first.
    fn next(&mut self, wait: Duration) -> Result<Option<(TopicPartition, Batch)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let client = self.client.clone();
        match client.poll(wait) {
            None => Ok(None),
            Some(Ok(message)) => {
                self.answered();
                Ok(self.take(&message))
            }
            Some(Err(error)) => self.sort_out(&error).map(|()| None),
        }
    }

    /// The brokers are there.
    fn answered(&mut self) {
        if std::mem::take(&mut self.waits)
            && let Some(left_out) = repeats::of_process("reading goes on".to_owned())
        {
            tracing::info!(of = self.name, left_out, "kafka: reading goes on");
        }
    }

    /// They are not: comes with every poll.
    fn wait(&mut self, code: Code) {
        if !std::mem::replace(&mut self.waits, true)
            && let Some(left_out) = repeats::of_process(format!("reading waits: {code}"))
        {
            tracing::warn!(of = self.name, %code, left_out, "kafka: reading waits for the brokers");
        }
    }

    /// A record of a partition that is read, from its position on, as the first of a batch.
    fn take(&self, message: &BorrowedMessage<'_>) -> Option<(TopicPartition, Batch)> {
        let at = self.place(message.topic(), message.partition())?;
        let position = self.cursors.get(&at).and_then(|cursor| cursor.position);
        if position.is_none_or(|position| offset(message.offset()) < position) {
            return None;
        }
        let mut batch = Batch::default();
        batch.push(message);
        Some((at, batch))
    }

    /// Errors that pass by themselves are logged; the client tries again without being asked.
    fn sort_out(&mut self, error: &KafkaError) -> Result<()> {
        if let KafkaError::PartitionEOF(partition) = error {
            self.end(*partition);
            self.answered();
            return Ok(());
        }
        match (error, errors::code(error)) {
            (KafkaError::MessageConsumptionFatal(_), _) => Err(self.ended(error)),
            // The partitions are lost: the rebalance says so.
            (_, Some(Code::PollExceeded)) => {
                tracing::warn!(of = self.name, "kafka: polled too late, the partitions go to others");
                Ok(())
            }
            (_, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) => Err(self.out_of_range(error)),
            (_, Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition)) => {
                Err(self.gone(error))
            }
            (_, Some(code)) if errors::is_transient(code) => {
                self.wait(code);
                Ok(())
            }
            (_, Some(code @ (Code::Authentication | Code::SSL))) if !self.client.context().is_refused() => {
                self.wait(code);
                Ok(())
            }
            _ => Err(self.fail(error)),
        }
    }

    /// A topic is not there any more: the client does not say which, the brokers know.
    fn gone(&self, error: &KafkaError) -> Error {
        self.topics.values().for_each(|topic| self.log.forget(topic));
        let missing = self.topics.values().find_map(|topic| self.log.check(topic, 0).err());
        let of_one = || match self.topics.len() {
            1 => self.cursors.keys().next(),
            _ => None,
        };
        let unknown = |at: &TopicPartition| Error::Unknown { topic: at.topic.to_string(), partition: at.partition };
        missing.or_else(|| of_one().map(unknown)).unwrap_or_else(|| self.fail(error))
    }

    /// Why librdkafka does nothing more with this consumer.
    fn ended(&self, error: &KafkaError) -> Error {
        let first = self.client.client().fatal_error().map(|(code, _)| code);
        match &self.membership {
            Some(Membership { group, instance: Some(instance), .. }) if first == Some(Code::FencedInstanceId) => {
                Error::Replaced { group: group.clone(), name: instance.clone() }
            }
            _ => self.fail(error),
        }
    }

    /// Retention passed a position while it was read: the client does not say which, the watermarks do.
    fn out_of_range(&mut self, error: &KafkaError) -> Error {
        // The client fetches it no more; the next poll tells it to, and finds the same.
        self.moved = true;
        for (at, cursor) in &mut self.cursors {
            let Some(position) = cursor.position else { continue };
            cursor.unchecked = true;
            if let Err(error) = check(&self.log, at, position) {
                return error;
            }
        }
        self.fail(error)
    }

    /// Waits for a first record; then takes what of its partition has been fetched already.
    fn gather(&mut self, max_bytes: usize, wait: Duration) -> Result<Option<Poll>> {
        let Some((at, mut batch)) = self.next(wait)? else { return Ok(None) };
        let (full, number) = (self.log.full(&at.topic), number(at.partition)?);
        while batch.bytes.len() < max_bytes && !self.client.context().is_rebalancing() {
            let client = self.client.clone();
            match client.poll(Duration::ZERO) {
                Some(Ok(message)) if message.partition() == number && message.topic() == full => batch.push(&message),
                Some(Ok(message)) => {
                    self.ahead = self.take(&message);
                    break;
                }
                // What was read before an error is delivered; the error comes with the next poll.
                Some(Err(error)) => {
                    self.failed = self.sort_out(&error).err();
                    break;
                }
                None => break,
            }
        }
        let records = batch.finish();
        if let (Some(last), Some(cursor)) = (records.last(), self.cursors.get_mut(&at)) {
            cursor.position = Some(last.offset + 1);
        }
        let TopicPartition { topic, partition } = at;
        Ok(Some(Poll::Records { topic, partition, records }))
    }

    /// How long to wait for the next record: as asked, longer while something is known to be there.
    fn left(&self, started: Instant, wait: Duration) -> Result<Option<Duration>> {
        if let Some(left) = wait.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            return Ok(Some(left));
        }
        let Some((place, cursor)) = self.cursors.iter().find(|(_, cursor)| cursor.is_behind()) else {
            return Ok(None);
        };
        match self.log.config.request_timeout.checked_sub(started.elapsed()) {
            Some(left) => Ok(Some(left)),
            None => {
                let at = cursor.position.unwrap_or(0);
                let what = format!("{place}: nothing came from offset {at} on");
                Err(Error::Broker { what, retry: true })
            }
        }
    }
}

impl Consumer for Reader {
    fn poll(&mut self, max_bytes: usize, wait: Duration) -> Result<Poll> {
        if self.giving_back {
            self.give_back()?;
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let started = Instant::now();
        let mut left = wait;
        loop {
            if let Some(event) = self.rebalanced()? {
                return Ok(event);
            }
            if self.moved {
                self.tell()?;
            }
            if let Some(records) = self.gather(max_bytes, left)? {
                return Ok(records);
            }
            if self.client.context().is_rebalancing() {
                continue;
            }
            match self.left(started, wait)? {
                Some(more) => left = more,
                None => return Ok(Poll::Idle),
            }
        }
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        let unknown = || Error::Unknown { topic: at.topic.to_string(), partition: at.partition };
        let cursor = self.cursors.get_mut(at).ok_or_else(unknown)?;
        *cursor = Cursor::at(offset);
        self.moved = true;
        Ok(())
    }

    fn producer(&self, name: &str) -> Result<Box<dyn Producer>> {
        Ok(Box::new(Writer::new(self.log.clone(), name, self.membership.clone())?))
    }
}

impl Drop for Reader {
    /// Leaves the group at once, unless the member is static.
    fn drop(&mut self) {
        self.client.context().close();
        if let Err(error) = assign::unassign(&self.client) {
            tracing::warn!(%error, of = self.name, "kafka: partitions were not given back");
        }
    }
}

/// That the partition holds the position; returns where it ends now.
fn check(log: &Shared, at: &TopicPartition, position: u64) -> Result<u64> {
    let marks = log.watermarks(&at.topic, at.partition)?;
    if (marks.low..=marks.high).contains(&position) {
        return Ok(marks.high);
    }
    let (low, high) = (marks.low, marks.high);
    Err(Error::OutOfRange { topic: at.topic.to_string(), partition: at.partition, offset: position, low, high })
}

fn out_of_reach(at: &TopicPartition) -> Error {
    Error::Invalid { what: format!("{at}: Kafka has no such offset") }
}

/// Records of one poll: their keys and values lie in one allocation.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

struct Span {
    offset: u64,
    timestamp_us: i64,
    key: Range<usize>,
    value: Option<Range<usize>>,
    headers: Vec<(String, Range<usize>)>,
}

impl Batch {
    fn push(&mut self, message: &BorrowedMessage<'_>) {
        let key = self.copy(message.key().unwrap_or_default());
        let value = message.payload().map(|value| self.copy(value));
        let headers = native::headers(message);
        let headers = headers.into_iter().map(|(name, value)| (name, self.copy(value))).collect();
        let timestamp_us = message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000);
        self.spans.push(Span { offset: offset(message.offset()), timestamp_us, key, value, headers });
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn finish(self) -> Vec<Stored> {
        let bytes = Bytes::from(self.bytes);
        let stored = |span: Span| Stored {
            offset: span.offset,
            record: Record {
                key: bytes.slice(span.key),
                value: span.value.map(|value| bytes.slice(value)),
                headers: span.headers.into_iter().map(|(name, v)| Header { name, value: bytes.slice(v) }).collect(),
                timestamp_us: span.timestamp_us,
            },
        };
        self.spans.into_iter().map(stored).collect()
    }
}
