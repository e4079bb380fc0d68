//! Writers: one commit is one transaction, and one call does all of it.
//!
//! ```text
//! check -> begin -> send all -> offsets of each group -> flush -> commit        Ok
//!    |                  \___________\______________\---> abort                  nothing was written: Retry or Fatal
//!    Fatal                                                \-> no answer         Fatal: the owner starts from disk
//! ```
//!
//! Invariants: a producer that was fenced, or does not know the outcome of its transaction, does nothing more, and never
//! takes its name back: another process may have it ([`fence`]). A member's commits carry the membership as it is at
//! that moment, so that a member that lost its partitions cannot commit.
//!
//! It does not know what the outputs mean, nor who reads them.

// 2026-11-23: librdkafka waits 100 ms in `flush` and in `commit_transaction` while something is on its way, hence
// `native::flush` before. An abort waits for reports of what it purges, which only a poll takes, hence the second thread.

use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{Consumer as _, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{
    Context, DELETED, Shared,
    closing::Closing,
    config::Config,
    errors,
    fence::{self, Fence, Membership},
    native, number,
};
use crate::{Commit, Committed, Error, GroupOffsets, Output, Producer, Record, Result, failpoint, telemetry};

/// As Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES: usize = 4096;

/// How long one attempt to open takes.
const OPENING: Duration = Duration::from_secs(1);

/// A writer to the log on Kafka.
pub(super) struct Writer {
    log: Arc<Shared>,
    name: String,
    client: Closing<BaseProducer<Context>>,
    membership: Option<Membership>,
    /// Metadata of the groups in which no member stands behind this producer. It never changes.
    outside: HashMap<String, Arc<ConsumerGroupMetadata>>,
    /// When the newest transaction began.
    begun: Instant,
    /// Nothing can be written any more.
    stopped: Option<Stopped>,
}

struct Stopped {
    why: Why,
    what: String,
}

/// Why a producer does nothing more.
#[derive(Clone, Copy)]
enum Why {
    /// A transaction of its own was taken back.
    TookBack,
    /// A newer one of its name is there.
    Fenced,
    /// The brokers took a transaction back that was open for too long.
    Expired,
    /// The brokers did not answer: another one takes back what it left.
    Away,
    /// Anything else.
    Unusable,
}

/// Takes the name from whoever had it. In parts, since it asks for its token in a poll only.
fn open(client: &BaseProducer<Context>, wait: Duration) -> Result<(), KafkaError> {
    let begun = Instant::now();
    loop {
        client.poll(Duration::from_millis(5));
        let error = match client.init_transactions(OPENING.min(wait)) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let goes_on = matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
        client.poll(Duration::from_millis(5));
        if !goes_on || client.context().is_refused() || begun.elapsed() >= wait {
            return Err(error);
        }
    }
}

impl Writer {
    pub(super) fn new(log: Arc<Shared>, name: &str, membership: Option<Membership>) -> Result<Self> {
        let fail = |error| errors::broker(format!("producer {name}"), &error);
        let settings = Config::observed(log.config.producer(&log.full(name)), &log.full(name));
        let client: BaseProducer<Context> = settings.create_with_context(Context::new(&log.config)).map_err(fail)?;
        let client = Closing::new(client, format!("producer {name}"), log.config.request_timeout);
        open(&client, log.config.request_timeout)
            .map_err(|error| errors::unreached(format!("producer {name}"), &error, client.context()))?;
        client.context().reached();
        let (name, outside) = (name.to_owned(), HashMap::new());
        Ok(Self { log, name, client, membership, outside, begun: Instant::now(), stopped: None })
    }

    /// That all topics and partitions are there and all positions are possible.
    fn check(&self, commit: &Commit) -> Result<()> {
        let mut last: Option<&Output> = None;
        for output in &commit.outputs {
            let same = last.is_some_and(|l| l.partition == output.partition && Arc::ptr_eq(&l.topic, &output.topic));
            if !same {
                self.log.check(&output.topic, output.partition)?;
            }
            last = Some(output);
        }
        for group in &commit.offsets {
            for (topic, partition, position) in &group.offsets {
                self.log.check(topic, *partition)?;
                let length = position.as_ref().map_or(0, |position| position.metadata.len());
                if length > METADATA_BYTES {
                    let what = format!("metadata of group {} has {length} bytes, more than 4096", group.group);
                    return Err(Error::Invalid { what: format!("topic {topic} partition {partition}: {what}") });
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, commit: &Commit) -> Result<(), Failure> {
        self.begun = Instant::now();
        self.client.begin_transaction()?;
        let mut full = HashMap::new();
        for output in &commit.outputs {
            let topic = full.entry(&*output.topic).or_insert_with(|| self.log.full(&output.topic));
            self.send(topic, output)?;
        }
        failpoint::pass(failpoint::AFTER_PRODUCE);
        for group in &commit.offsets {
            let list = self.positions(group)?;
            let metadata = self.metadata(&group.group)?;
            self.client.send_offsets_to_transaction(&list, &metadata, self.log.config.transaction_timeout)?;
        }
        self.flush()?;
        failpoint::pass(failpoint::AFTER_OFFSETS);
        // Without a time-out of ours it waits for brokers that are away as long as they are.
        self.client.commit_transaction(self.log.config.transaction_timeout).map_err(Failure::Commit)
    }

    /// Hands one record over; while the buffer is full, waits for what is in it.
    fn send(&self, topic: &str, output: &Output) -> Result<(), Failure> {
        let Record { key, value, headers, timestamp_us } = &output.record;
        let mut record = BaseRecord::<[u8], [u8]>::to(topic)
            .partition(number(output.partition)?)
            .timestamp(timestamp_us.div_euclid(1000));
        if !key.is_empty() {
            record = record.key(key);
        }
        if let Some(value) = value {
            record = record.payload(value);
        }
        if !headers.is_empty() {
            let all = OwnedHeaders::new_with_capacity(headers.len());
            let add = |all: OwnedHeaders, header: &crate::Header| {
                all.insert(Header { key: &header.name, value: Some(&header.value[..]) })
            };
            record = record.headers(headers.iter().fold(all, add));
        }
        let deadline = Instant::now() + self.log.config.transaction_timeout;
        loop {
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), again)) if Instant::now() < deadline => {
                    native::flush(&self.client, Duration::from_millis(10));
                    self.client.poll(Duration::ZERO);
                    record = again;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Waits until everything is with the brokers. What fails is told by the reports, and fails the transaction.
    fn flush(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.log.config.transaction_timeout;
        while !native::flush(&self.client, Duration::from_millis(50)) {
            self.client.poll(Duration::ZERO);
            if Instant::now() >= deadline {
                return Err(KafkaError::Flush(Code::OperationTimedOut).into());
            }
        }
        Ok(())
    }

    fn positions(&self, group: &GroupOffsets) -> Result<TopicPartitionList, Failure> {
        let mut list = TopicPartitionList::new();
        for (topic, partition, position) in &group.offsets {
            let (at, metadata) = match position {
                Some(Committed { offset, metadata }) => (*offset, metadata.as_str()),
                None => (0, DELETED),
            };
            let at = i64::try_from(at).map_err(|_| Error::Invalid { what: format!("Kafka has no offset {at}") })?;
            let mut element = list.add_partition(&self.log.full(topic), number(*partition)?);
            element.set_offset(rdkafka::Offset::Offset(at))?;
            element.set_metadata(metadata);
        }
        Ok(list)
    }

    /// Who commits: the member as it is now, or nobody in particular.
    fn metadata(&mut self, group: &str) -> Result<Arc<ConsumerGroupMetadata>> {
        let left = || Error::Left { group: group.to_owned(), what: "its consumer is closed".to_owned() };
        if let Some(membership) = self.membership.as_ref().filter(|membership| membership.group == group) {
            let member = membership.client().ok_or_else(left)?;
            let metadata = Arc::new(member.group_metadata().ok_or_else(left)?);
            // Of a member that is out, librdkafka gives metadata with which the brokers would let anybody commit.
            if !member.context().is_owner() || member.assignment_lost() {
                let what = "it owns no partitions".to_owned();
                return Err(Error::Left { group: group.to_owned(), what });
            }
            return Ok(metadata);
        }
        if let Some(known) = self.outside.get(group) {
            return Ok(known.clone());
        }
        let metadata = Arc::new(self.log.outsider(group)?.group_metadata().ok_or_else(left)?);
        self.outside.insert(group.to_owned(), metadata.clone());
        Ok(metadata)
    }

    /// What became of a transaction that failed.
    fn settle(&mut self, failure: Failure) -> Error {
        let (error, unsettled) = match failure {
            Failure::Ours(error) => return self.take_back().err().unwrap_or(error),
            Failure::Kafka(error) => (error, false),
            Failure::Commit(error) => {
                let taken_back = matches!(&error, KafkaError::Transaction(error) if error.txn_requires_abort());
                (error, !taken_back)
            }
        };
        if let Some(fatal) = self.fatal(&error) {
            return fatal;
        }
        if unsettled {
            let what = errors::code(&error).map_or_else(|| error.to_string(), |code| code.to_string());
            self.stopped = Some(Stopped { why: Why::Unusable, what: what.clone() });
            return Error::Indefinite { name: self.name.clone(), what };
        }
        // A failed delivery says more than the failed transaction, which refuses whatever follows without a reason.
        self.client.poll(Duration::ZERO);
        let reported = self.client.context().take_failure().or_else(|| errors::code(&error));
        if let Err(error) = self.take_back() {
            return error;
        }
        match reported {
            Some(Code::FencedInstanceId) => self.replaced(),
            Some(code) if errors::has_left(code) => self.left(code),
            Some(Code::State) => Error::Broker {
                what: format!("producer {}: the transaction had failed before", self.name),
                retry: true,
            },
            Some(code) => {
                let error = KafkaError::Global(code);
                errors::unreached(format!("producer {}", self.name), &error, self.client.context())
            }
            None => errors::broker(format!("producer {}", self.name), &error),
        }
    }

    fn left(&self, code: Code) -> Error {
        Error::Left { group: self.group().to_owned(), what: code.to_string() }
    }

    fn replaced(&self) -> Error {
        Error::Replaced { group: self.group().to_owned(), name: self.name.clone() }
    }

    fn group(&self) -> &str {
        self.membership.as_ref().map_or(&self.name, |membership| &membership.group)
    }

    /// Why brokers know a newer epoch than ours.
    fn fenced(&self) -> Why {
        let behind = match &self.membership {
            Some(membership) => vec![membership.clone()],
            None => self.log.owners(),
        };
        let config = &self.log.config;
        match fence::why(&behind, self.begun.elapsed(), config.transaction_timeout, config.request_timeout) {
            Fence::Expired => Why::Expired,
            Fence::Taken => Why::Fenced,
        }
    }

    /// An error after which librdkafka does nothing more with this producer.
    fn fatal(&mut self, error: &KafkaError) -> Option<Error> {
        let says_so = matches!(error, KafkaError::Transaction(error) if error.is_fatal());
        let first = self.client.client().fatal_error();
        if !says_so && first.is_none() {
            return None;
        }
        let code = first.as_ref().map(|(code, _)| *code).or_else(|| errors::code(error));
        let what = first.map_or_else(|| error.to_string(), |(code, text)| format!("{code}: {text}"));
        let why = if code.is_some_and(errors::is_fenced) { self.fenced() } else { Why::Unusable };
        // The brokers have ended the transaction by themselves.
        if code == Some(Code::InvalidTransactionalState) {
            self.stopped = Some(Stopped { why: Why::TookBack, what: String::new() });
            return Some(Error::Indefinite { name: self.name.clone(), what });
        }
        self.stopped = Some(Stopped { why, what });
        self.check_alive().err()
    }

    /// Takes the transaction back, and does nothing more: an answer to it that comes late would be taken for one to the
    /// next, which the brokers then refuse to end.
    fn take_back(&mut self) -> Result<()> {
        self.abort()?;
        self.stopped = Some(Stopped { why: Why::TookBack, what: String::new() });
        Ok(())
    }

    /// Aborts the transaction; whatever it wrote is not seen by anybody.
    fn abort(&mut self) -> Result<()> {
        let (client, wait) = (&self.client, self.log.config.transaction_timeout);
        let aborted = thread::scope(|scope| {
            let aborting = scope.spawn(|| client.abort_transaction(wait));
            while !aborting.is_finished() {
                // With a time of its own a poll spins for its last millisecond.
                client.poll(Duration::ZERO);
                thread::sleep(Duration::from_millis(1));
            }
            aborting.join()
        });
        // What was purged is reported, too.
        self.client.context().take_failure();
        let Ok(Err(error)) = aborted else { return Ok(()) };
        // Nothing of the transaction had come to the brokers: they know of none.
        if errors::code(&error) == Some(Code::InvalidTransactionalState) {
            return Ok(());
        }
        if let Some(fatal) = self.fatal(&error) {
            return Err(fatal);
        }
        // Whoever opens it again takes it back.
        let why = if errors::code(&error).is_some_and(errors::is_transient) { Why::Away } else { Why::Unusable };
        self.stopped = Some(Stopped { why, what: format!("a transaction was not taken back: {error}") });
        self.check_alive()
    }

    fn check_alive(&self) -> Result<()> {
        match &self.stopped {
            None => Ok(()),
            Some(Stopped { why: Why::Fenced, .. }) => Err(Error::Fenced { name: self.name.clone() }),
            Some(Stopped { why: Why::Expired, .. }) => {
                Err(Error::Expired { name: self.name.clone(), limit: self.log.config.transaction_timeout })
            }
            Some(Stopped { why: Why::TookBack, .. }) => {
                let what = format!("producer {}: its last commit was taken back, make another one", self.name);
                Err(Error::Broker { what, retry: true })
            }
            Some(Stopped { why: Why::Away, what }) => Err(Error::Away { name: self.name.clone(), what: what.clone() }),
            Some(Stopped { why: Why::Unusable, what }) => {
                Err(Error::Broker { what: format!("producer {} stopped: {what}", self.name), retry: false })
            }
        }
    }
}

impl Producer for Writer {
    fn commit(&mut self, commit: Commit) -> Result<()> {
        self.check_alive()?;
        if commit.outputs.is_empty() && commit.offsets.iter().all(|group| group.offsets.is_empty()) {
            return Ok(());
        }
        self.check(&commit)?;
        // Who is out of the group begins no transaction.
        commit.offsets.iter().try_for_each(|group| self.metadata(&group.group).map(drop))?;
        self.tend();
        self.write(&commit).map_err(|failure| self.settle(failure))?;
        self.client.context().reached();
        failpoint::pass(failpoint::AFTER_COMMIT);
        let size = |output: &Output| output.record.key.len() + output.record.value.as_ref().map_or(0, |v| v.len());
        telemetry::committed(1, commit.outputs.len() as u64, commit.outputs.iter().map(size).sum());
        Ok(())
    }

    fn tend(&mut self) {
        self.client.poll(Duration::ZERO);
        self.log.serve();
    }
}

/// Where a transaction failed.
enum Failure {
    /// Before anything was asked of the brokers.
    Ours(Error),
    /// Before the end of the transaction: nothing is written.
    Kafka(KafkaError),
    /// At its end.
    Commit(KafkaError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        Self::Kafka(error)
    }
}
