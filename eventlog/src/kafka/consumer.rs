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
//! are dropped: seeks are rare (a start, and the rewind after a failed commit).
//!
//! It does not know what the owner does with records, nor when it commits.

use std::{
    collections::BTreeMap,
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
use crate::{Assignment, Consumer, Error, Header, Poll, Producer, Record, Result, Stored};

/// A reader of one topic.
pub(super) struct Reader {
    log: Arc<Shared>,
    topic: String,
    client: Arc<Closing<BaseConsumer<Context>>>,
    /// As what it is in a group, if it is in one.
    membership: Option<Membership>,
    cursors: BTreeMap<u32, Cursor>,
    /// Positions changed since the client was told.
    moved: bool,
    /// The client learns of this rebalance with the next poll.
    giving_back: bool,
    /// Read one record too far: it belongs to another partition.
    ahead: Option<(u32, Batch)>,
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
    pub(super) fn new(log: Arc<Shared>, topic: &str, assignment: Assignment) -> Result<Self> {
        log.check(topic, 0)?;
        let full = log.full(topic);
        let (settings, group, manual) = match assignment {
            Assignment::Manual(all) => (log.config.consumer(&log.full("reader")), None, all),
            Assignment::Group(group) => {
                let name = log.full(&group);
                (Config::observed(log.config.member(&name, topic), &name), Some(group), Vec::new())
            }
        };
        for (partition, _) in &manual {
            log.check(topic, *partition)?;
        }
        let fail = |error| errors::broker(format!("consumer of topic {topic}"), &error);
        let client: BaseConsumer<Context> = settings.create_with_context(Context::new(&log.config)).map_err(fail)?;
        if group.is_some() {
            client.subscribe(&[&full]).map_err(fail)?;
        }
        let cursors: BTreeMap<_, _> = manual.into_iter().map(|(p, offset)| (p, Cursor::at(offset))).collect();
        let moved = !cursors.is_empty();
        let closing = Closing::new(client, format!("consumer of topic {topic}"), log.config.request_timeout);
        let (client, topic) = (Arc::new(closing), topic.to_owned());
        let membership = group.map(|group| Membership {
            full: log.full(&group),
            group,
            instance: log.config.member_name(&topic),
            member: Arc::downgrade(&client),
        });
        membership.iter().cloned().for_each(|membership| log.joined(membership));
        Ok(Self {
            log,
            topic,
            client,
            membership,
            cursors,
            moved,
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
            let partitions = partitions.into_iter().filter_map(|partition| u32::try_from(partition).ok());
            self.cursors = partitions.map(|partition| (partition, Cursor::default())).collect();
            // Tells the client that the rebalance is over; nothing is fetched before a seek.
            self.tell()?;
            self.client.context().set_owner(true);
            let partitions: Vec<u32> = self.cursors.keys().copied().collect();
            return Ok((!partitions.is_empty()).then_some(Poll::Assigned(partitions)));
        }
        self.giving_back = true;
        let partitions: Vec<u32> = self.cursors.keys().copied().collect();
        if partitions.is_empty() {
            self.give_back()?;
            return Ok(None);
        }
        Ok(Some(if rebalance == Rebalance::Lost { Poll::Lost(partitions) } else { Poll::Revoked(partitions) }))
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
        let full = self.log.full(&self.topic);
        let mut list = TopicPartitionList::new();
        for (partition, cursor) in &mut self.cursors {
            let Some(position) = cursor.position else { continue };
            if cursor.unchecked {
                cursor.until =
                    check(&self.log, &self.topic, *partition, position).inspect_err(|_| self.moved = true)?;
                cursor.unchecked = false;
            }
            let from = i64::try_from(position).map_err(|_| out_of_reach(&self.topic, *partition))?;
            let added = list.add_partition_offset(&full, number(*partition)?, Offset::Offset(from));
            added.map_err(|error| errors::broker(format!("topic {} partition {partition}", self.topic), &error))?;
        }
        assign::assign(&self.client, &list).map_err(|error| self.fail(&error))
    }

    fn fail(&self, error: &KafkaError) -> Error {
        errors::unreached(format!("consumer of topic {}", self.topic), error, self.client.context())
    }

    /// The next record, with its partition; `None` when a rebalance, an end or the deadline comes first.
    fn next(&mut self, wait: Duration) -> Result<Option<(u32, Batch)>> {
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
            tracing::info!(topic = self.topic, left_out, "kafka: reading goes on");
        }
    }

    /// They are not: comes with every poll.
    fn wait(&mut self, code: Code) {
        if !std::mem::replace(&mut self.waits, true)
            && let Some(left_out) = repeats::of_process(format!("reading waits: {code}"))
        {
            tracing::warn!(topic = self.topic, %code, left_out, "kafka: reading waits for the brokers");
        }
    }

    /// A record of a partition that is read, from its position on, as the first of a batch.
    fn take(&self, message: &BorrowedMessage<'_>) -> Option<(u32, Batch)> {
        let partition = u32::try_from(message.partition()).unwrap_or(u32::MAX);
        let position = self.cursors.get(&partition).and_then(|cursor| cursor.position);
        if position.is_none_or(|position| offset(message.offset()) < position) {
            return None;
        }
        let mut batch = Batch::default();
        batch.push(message);
        Some((partition, batch))
    }

    /// Errors that pass by themselves are logged; the client tries again without being asked.
    fn sort_out(&mut self, error: &KafkaError) -> Result<()> {
        if let KafkaError::PartitionEOF(partition) = error {
            let cursor = u32::try_from(*partition).ok().and_then(|partition| self.cursors.get_mut(&partition));
            if let Some(cursor) = cursor {
                cursor.until = 0;
            }
            self.answered();
            return Ok(());
        }
        match (error, errors::code(error)) {
            (KafkaError::MessageConsumptionFatal(_), _) => Err(self.ended(error)),
            // The partitions are lost: the rebalance says so.
            (_, Some(Code::PollExceeded)) => {
                tracing::warn!(topic = self.topic, "kafka: polled too late, the partitions go to others");
                Ok(())
            }
            (_, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) => Err(self.out_of_range(error)),
            (_, Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition)) => {
                self.log.forget(&self.topic);
                let partition = self.cursors.keys().next().copied().unwrap_or(0);
                Err(Error::Unknown { topic: self.topic.clone(), partition })
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
        for (partition, cursor) in &mut self.cursors {
            let Some(position) = cursor.position else { continue };
            cursor.unchecked = true;
            if let Err(error) = check(&self.log, &self.topic, *partition, position) {
                return error;
            }
        }
        self.fail(error)
    }

    /// Waits for a first record; then takes what of its partition has been fetched already.
    fn gather(&mut self, max_bytes: usize, wait: Duration) -> Result<Option<Poll>> {
        let Some((partition, mut batch)) = self.next(wait)? else { return Ok(None) };
        while batch.bytes.len() < max_bytes && !self.client.context().is_rebalancing() {
            let client = self.client.clone();
            match client.poll(Duration::ZERO) {
                Some(Ok(message)) if number(partition).is_ok_and(|p| p == message.partition()) => {
                    batch.push(&message);
                }
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
        if let (Some(last), Some(cursor)) = (records.last(), self.cursors.get_mut(&partition)) {
            cursor.position = Some(last.offset + 1);
        }
        Ok(Some(Poll::Records { partition, records }))
    }

    /// How long to wait for the next record: as asked, longer while something is known to be there.
    fn left(&self, started: Instant, wait: Duration) -> Result<Option<Duration>> {
        if let Some(left) = wait.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            return Ok(Some(left));
        }
        let Some((partition, cursor)) = self.cursors.iter().find(|(_, cursor)| cursor.is_behind()) else {
            return Ok(None);
        };
        match self.log.config.request_timeout.checked_sub(started.elapsed()) {
            Some(left) => Ok(Some(left)),
            None => {
                let at = cursor.position.unwrap_or(0);
                let what = format!("topic {} partition {partition}: nothing came from offset {at} on", self.topic);
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

    fn seek(&mut self, partition: u32, offset: u64) -> Result<()> {
        let found = self.cursors.get_mut(&partition);
        let cursor = found.ok_or_else(|| Error::Unknown { topic: self.topic.clone(), partition })?;
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
            tracing::warn!(%error, topic = self.topic, "kafka: partitions were not given back");
        }
    }
}

/// That the partition holds the position; returns where it ends now.
fn check(log: &Shared, topic: &str, partition: u32, position: u64) -> Result<u64> {
    let marks = log.watermarks(topic, partition)?;
    if (marks.low..=marks.high).contains(&position) {
        return Ok(marks.high);
    }
    let (low, high) = (marks.low, marks.high);
    Err(Error::OutOfRange { topic: topic.to_owned(), partition, offset: position, low, high })
}

fn out_of_reach(topic: &str, partition: u32) -> Error {
    Error::Invalid { what: format!("topic {topic} partition {partition}: Kafka has no such offset") }
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
