//! Topics of the cluster: made, changed, deleted and listed, with what [`Cleanup`] means in Kafka's settings.
//!
//! Invariants: only topics with our prefix are touched; settings that are not ours stay as somebody set them; a topic
//! that `create` returns has a leader for every partition. It does not know which topics Vitals needs.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, OwnedResourceSpecifier,
        ResourceSpecifier, TopicReplication, TopicResult,
    },
    config::FromClientConfigAndContext as _,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::{Metadata, MetadataTopic},
};

use super::{Config, Context, Shared, context, errors, native, number};
use crate::{Cleanup, Error, Result, TopicSpec};

/// A topic that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The topic, without the prefix.
    pub topic: String,
    /// `topic`, `partitions`, `replication`, or one of Kafka's settings.
    pub setting: &'static str,
    /// What it should be.
    pub wanted: String,
    /// What it is.
    pub found: String,
}

impl Drift {
    /// Whether there is no such topic.
    pub fn is_missing(&self) -> bool {
        self.setting == "topic"
    }

    /// Whether making the topic again would repair it: partitions and copies stay as they are.
    pub fn is_repairable(&self) -> bool {
        !["partitions", "replication"].contains(&self.setting)
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}: {} is {}, expected {}", self.topic, self.setting, self.found, self.wanted)
    }
}

/// A client that changes topics, for one change: what librdkafka wants to log piles up in it, since it is not polled.
struct Admin {
    client: AdminClient<Context>,
    options: AdminOptions,
}

impl Admin {
    fn new(config: &Config) -> Result<Self, KafkaError> {
        let settings: ClientConfig = config.client();
        let client = AdminClient::from_config_and_context(&settings, Context::new(config))?;
        if let Some(token) = context::token(config) {
            let given = token.and_then(|token| native::set_token(client.inner(), token));
            given.map_err(KafkaError::AdminOpCreation)?;
        }
        let wait = Some(config.request_timeout);
        Ok(Self { client, options: AdminOptions::new().request_timeout(wait).operation_timeout(wait) })
    }

    fn create(&self, topics: &[NewTopic<'_>]) -> Result<Vec<TopicResult>, KafkaError> {
        pollster::block_on(self.client.create_topics(topics, &self.options))
    }

    fn delete(&self, names: &[&str]) -> Result<Vec<TopicResult>, KafkaError> {
        pollster::block_on(self.client.delete_topics(names, &self.options))
    }

    fn describe(&self, names: &[String]) -> Result<Vec<ConfigResource>, KafkaError> {
        let topics: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let found = pollster::block_on(self.client.describe_configs(&topics, &self.options))?;
        found.into_iter().map(|result| result.map_err(KafkaError::AdminOp)).collect()
    }

    fn alter(&self, change: AlterConfig<'_>) -> Result<(), KafkaError> {
        let done = pollster::block_on(self.client.alter_configs([&change], &self.options))?;
        done.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| KafkaError::AdminOp(code)))
    }
}

/// The result for one topic, by its name on the cluster.
fn outcome(results: &[TopicResult], full: &str) -> Result<(), Code> {
    let failed = results.iter().filter_map(|result| result.as_ref().err()).find(|(name, _)| name == full);
    failed.map_or(Ok(()), |(_, code)| Err(*code))
}

/// Partitions of the one topic in the answer; 0 if it is not there.
pub(super) fn count(metadata: &Metadata) -> u32 {
    let topic = metadata.topics().first().filter(|topic| topic.error().is_none());
    topic.map_or(0, |topic| u32::try_from(topic.partitions().len()).unwrap_or(0))
}

/// Makes the topics, or gives them their cleanup.
pub(super) fn create(log: &Shared, specs: &[TopicSpec]) -> Result<()> {
    if specs.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = specs.iter().map(|spec| log.full(&spec.name)).collect();
    let settings: Vec<_> = specs.iter().map(|spec| settings(spec.cleanup, log.config.replication)).collect();
    let copies = log.config.replication.map_or(-1, i32::from);
    let mut topics = Vec::new();
    for ((spec, full), settings) in specs.iter().zip(&names).zip(&settings) {
        let mut topic = NewTopic::new(full, number(spec.partitions)?, TopicReplication::Fixed(copies));
        topic.config = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        topics.push(topic);
    }

    let what = || specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
    let made = Admin::new(&log.config).and_then(|admin| admin.create(&topics));
    let made = made.map_err(|error| errors::broker(format!("create topic {}", what()), &error))?;
    for (spec, full) in specs.iter().zip(&names) {
        match outcome(&made, full) {
            Ok(()) => await_leaders(log, &spec.name, spec.partitions)?,
            Err(Code::TopicAlreadyExists) => change(log, spec)?,
            Err(code) => {
                return Err(errors::broker(format!("create topic {}", spec.name), &KafkaError::AdminOp(code)));
            }
        }
    }
    Ok(())
}

fn change(log: &Shared, spec: &TopicSpec) -> Result<()> {
    let found = log.count(&spec.name)?;
    if found != spec.partitions {
        return Err(Error::Partitions { topic: spec.name.clone(), found, wanted: spec.partitions });
    }
    let full = log.full(&spec.name);
    let fail = |error| errors::broker(format!("settings of topic {}", spec.name), &error);
    let admin = Admin::new(&log.config).map_err(fail)?;
    let described = admin.describe(std::slice::from_ref(&full)).map_err(fail)?;
    let Some(resource) = described.first() else { return Ok(()) };
    let wanted = settings(spec.cleanup, log.config.replication);
    let value = |key: &str| resource.get(key).and_then(|entry| entry.value.as_deref());
    if wanted.iter().all(|(key, wanted)| value(key) == Some(wanted)) {
        return Ok(());
    }
    // The request replaces all settings of the topic, so those of others go along.
    let mut change = AlterConfig::new(ResourceSpecifier::Topic(&full));
    let others = resource.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
    for entry in others.filter(|entry| wanted.iter().all(|(key, _)| *key != entry.name)) {
        if let Some(value) = &entry.value {
            change = change.set(&entry.name, value);
        }
    }
    for (key, value) in &wanted {
        change = change.set(key, value);
    }
    admin.alter(change).map_err(fail)?;
    await_settings(log, &admin, &full, &wanted)
}

/// A broker answers before it has heard itself of what the controller did.
fn await_settings(log: &Shared, admin: &Admin, full: &str, wanted: &[(&str, String)]) -> Result<()> {
    let deadline = Instant::now() + log.config.request_timeout;
    loop {
        let described = admin.describe(&[full.to_owned()]);
        let described = described.map_err(|error| errors::broker(format!("settings of topic {full}"), &error))?;
        let value = |key: &str| described.first()?.get(key)?.value.as_ref();
        if wanted.iter().all(|(key, wanted)| value(key) == Some(wanted)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::Broker { what: format!("topic {full}: its new settings are not seen"), retry: true });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A broker answers before all of them know the topic.
fn await_leaders(log: &Shared, topic: &str, partitions: u32) -> Result<()> {
    let deadline = Instant::now() + log.config.request_timeout;
    let full = log.full(topic);
    loop {
        let metadata = log.metadata(Some(&full))?;
        let led = metadata.topics().first().is_some_and(|topic| topic.partitions().iter().all(|p| p.leader() >= 0));
        if led && count(&metadata) == partitions {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::Broker {
                what: format!("topic {topic}: not every partition has a leader"),
                retry: true,
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Deletes the topics that are there, and waits until they are gone.
pub(super) fn delete(log: &Shared, names: &[String]) -> Result<()> {
    names.iter().for_each(|name| log.forget(name));
    let full: Vec<String> = names.iter().map(|name| log.full(name)).collect();
    if full.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = full.iter().map(String::as_str).collect();
    let gone = Admin::new(&log.config).and_then(|admin| admin.delete(&all));
    let gone = gone.map_err(|error| errors::broker(format!("delete topic {}", names.join(", ")), &error))?;
    let deadline = Instant::now() + log.config.request_timeout;
    for (name, full) in names.iter().zip(&full) {
        match outcome(&gone, full) {
            Ok(()) => {}
            Err(Code::UnknownTopicOrPartition) => continue,
            Err(code) => return Err(errors::broker(format!("delete topic {name}"), &KafkaError::AdminOp(code))),
        }
        while count(&log.metadata(Some(full))?) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Our topics, by name.
pub(super) fn list(log: &Shared) -> Result<Vec<TopicSpec>> {
    let metadata = log.metadata(None)?;
    let ours = metadata.topics().iter().filter(|t| t.error().is_none() && t.name().starts_with(&log.config.prefix));
    let counts: Vec<(String, usize)> = ours.map(|t| (t.name().to_owned(), t.partitions().len())).collect();
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = counts.iter().map(|(name, _)| name.clone()).collect();
    let described = Admin::new(&log.config)
        .and_then(|admin| admin.describe(&names))
        .map_err(|error| errors::broker("settings of topics", &error))?;
    let mut specs = Vec::new();
    for resource in &described {
        let OwnedResourceSpecifier::Topic(full) = &resource.specifier else { continue };
        let count = counts.iter().find(|(name, _)| name == full).map_or(0, |(_, count)| *count);
        let name = full.strip_prefix(&log.config.prefix).unwrap_or(full).to_owned();
        specs.push(TopicSpec { name, partitions: u32::try_from(count).unwrap_or(0), cleanup: cleanup(resource) });
    }
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(specs)
}

/// In what the cluster differs from these.
pub(super) fn drift(log: &Shared, specs: &[TopicSpec]) -> Result<Vec<Drift>> {
    let metadata = log.metadata(None)?;
    let find = |spec: &TopicSpec| {
        let full = log.full(&spec.name);
        metadata.topics().iter().find(|topic| topic.name() == full && topic.error().is_none())
    };
    let there: Vec<String> = specs.iter().filter_map(|spec| Some(find(spec)?.name().to_owned())).collect();
    let described = if there.is_empty() {
        Vec::new()
    } else {
        let found = Admin::new(&log.config).and_then(|admin| admin.describe(&there));
        found.map_err(|error| errors::broker("settings of topics", &error))?
    };
    let mut all = Vec::new();
    for spec in specs {
        let full = log.full(&spec.name);
        let is_it = |resource: &&ConfigResource| resource.specifier == OwnedResourceSpecifier::Topic(full.clone());
        let mut add = |setting, found: Option<String>, wanted: String| {
            if found.as_ref() != Some(&wanted) {
                let found = found.unwrap_or_else(|| "missing".to_owned());
                all.push(Drift { topic: spec.name.clone(), setting, wanted, found });
            }
        };
        let (Some(topic), Some(resource)) = (find(spec), described.iter().find(is_it)) else {
            add("topic", None, "there".to_owned());
            continue;
        };
        add("partitions", Some(topic.partitions().len().to_string()), spec.partitions.to_string());
        if let Some(copies) = log.config.replication {
            add("replication", Some(fewest_copies(topic).to_string()), copies.to_string());
        }
        for (setting, wanted) in settings(spec.cleanup, log.config.replication) {
            add(setting, resource.get(setting).and_then(|entry| entry.value.clone()), wanted);
        }
    }
    Ok(all)
}

fn fewest_copies(topic: &MetadataTopic) -> usize {
    topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0)
}

/// What a cleanup is in Kafka's words, and when a record counts as written.
fn settings(cleanup: Cleanup, replication: Option<u16>) -> Vec<(&'static str, String)> {
    // Where records go after a time, it counts from when they were written: the instants of a history that is imported
    // today are old, and what was published of them a moment ago is not.
    let time = if cleanup == Cleanup::Keep { "CreateTime" } else { "LogAppendTime" };
    // Old record times are usual here, and those of doors with a fast clock are the door's business.
    let mut settings = vec![
        ("compression.type", "lz4".to_owned()),
        ("message.timestamp.type", time.to_owned()),
        ("message.timestamp.after.max.ms", i64::MAX.to_string()),
    ];
    let (policy, more) = match cleanup {
        // Kafka would delete after a week.
        Cleanup::Keep => ("delete", vec![("retention.ms", "-1".to_owned()), ("retention.bytes", "-1".to_owned())]),
        Cleanup::Delete { retention } => ("delete", vec![("retention.ms", retention.as_millis().to_string())]),
        Cleanup::Compact { min_lag } => ("compact", vec![("min.compaction.lag.ms", min_lag.as_millis().to_string())]),
    };
    settings.push(("cleanup.policy", policy.to_owned()));
    settings.extend(more);
    // One broker may be away, and what was acknowledged is on another still.
    if replication.is_some_and(|copies| copies > 2) {
        settings.push(("min.insync.replicas", "2".to_owned()));
    }
    settings
}

/// The way back.
fn cleanup(resource: &ConfigResource) -> Cleanup {
    let text = |key: &str| resource.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let span = |key: &str| text(key).parse().ok().map(Duration::from_millis);
    if text("cleanup.policy").contains("compact") {
        return Cleanup::Compact { min_lag: span("min.compaction.lag.ms").unwrap_or_default() };
    }
    // A negative retention is none.
    span("retention.ms").map_or(Cleanup::Keep, |retention| Cleanup::Delete { retention })
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::ConfigEntry;

    use super::*;

    #[test]
    fn a_cleanup_comes_back_from_its_settings() {
        let day = Duration::from_secs(86_400);
        for wanted in [Cleanup::Keep, Cleanup::Delete { retention: day }, Cleanup::Compact { min_lag: day }] {
            let entry = |(name, value): (&str, String)| ConfigEntry {
                name: name.to_owned(),
                value: Some(value),
                source: ConfigSource::DynamicTopic,
                is_read_only: false,
                is_default: false,
                is_sensitive: false,
            };
            let entries = settings(wanted, Some(3)).into_iter().map(entry).collect();
            let specifier = OwnedResourceSpecifier::Topic("t".to_owned());
            assert_eq!(cleanup(&ConfigResource { specifier, entries }), wanted);
        }
    }
}
