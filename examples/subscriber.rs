//! Follows one metric of Vitals from outside, with rdkafka and the contract (`proto/`) only: prints each newest value.
//!
//!     cargo run --release --example subscriber -- net_revenue 127.0.0.1:19092 [PREFIX] [--once]
//!
//! It reads what is committed only, from the beginning of the topic (which is compacted: the newest of each key), and
//! keeps the highest revision of each key, because a key may be seen again. `--once` ends at the end of the topic.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context as _, bail};
use proto::{
    Message as _,
    v1::{MetricEntry, Snapshot, metric_entry::Entry},
};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

fn main() -> anyhow::Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let once = words.iter().position(|word| word == "--once").map(|at| words.remove(at)).is_some();
    let mut words = words.into_iter();
    let metric = words.next().context("say which metric, such as net_revenue")?;
    let brokers = words.next().unwrap_or_else(|| "127.0.0.1:19092".to_owned());
    let prefix = words.next().unwrap_or_else(|| "vitals.".to_owned());
    subscribe(&brokers, &format!("{prefix}metrics.{metric}.v1"), once)
}

fn subscribe(brokers: &str, topic: &str, once: bool) -> anyhow::Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // Named because the client wants it; no offset is committed, since state starts empty at each run.
        .set("group.id", "vitals-example-rust")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()?;
    let mut reading = assign(&consumer, topic)?;
    let mut newest: HashMap<Vec<u8>, i64> = HashMap::new();
    while !reading.is_empty() || !once {
        let message = match consumer.poll(Duration::from_secs(1)) {
            None => continue,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                reading.remove(&partition);
                continue;
            }
            Some(message) => message?,
        };
        let key = message.key().unwrap_or_default();
        let Some(value) = message.payload() else {
            // A tombstone: the key is forgotten.
            newest.remove(key);
            continue;
        };
        // A tick says that everything up to now is as of its time.
        let Some(Entry::Snapshot(snapshot)) = MetricEntry::decode(value)?.entry else { continue };
        let known = newest.entry(key.to_vec()).or_insert(i64::MIN);
        if snapshot.revision_us >= *known {
            *known = snapshot.revision_us;
            println!("{}", line(&snapshot));
        }
    }
    Ok(())
}

/// All partitions from their beginning.
fn assign(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<BTreeSet<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30))?;
    let found = metadata.topics().first().context("the brokers do not say what topics there are")?;
    if let Some(error) = found.error() {
        bail!("{topic}: {}", rdkafka::types::RDKafkaErrorCode::from(error));
    }
    let partitions: BTreeSet<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
    let mut list = TopicPartitionList::new();
    for partition in &partitions {
        list.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(partitions)
}

/// `metric [dimensions] account window start: value unit (revision)`; times in microseconds since the Unix epoch.
fn line(snapshot: &Snapshot) -> String {
    let key = snapshot.key.clone().unwrap_or_default();
    let dimensions: Vec<String> = key.dimensions.iter().map(|d| format!("{}={}", d.name, d.value)).collect();
    let window = key.window.unwrap_or_default();
    format!(
        "{} [{}] {} {} {}: {} {} (revision {}{}{})",
        snapshot.metric,
        dimensions.join(", "),
        key.account.unwrap_or_default(),
        window.kind,
        window.start_us.map(|at| at.to_string()).unwrap_or_default(),
        snapshot.value.map_or_else(|| format!("null, {}", snapshot.reason), |value| value.to_string()),
        snapshot.unit,
        snapshot.revision_us,
        if snapshot.r#final { ", final" } else { "" },
        if snapshot.corrected { ", corrected" } else { "" },
    )
}
