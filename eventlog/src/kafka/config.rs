//! Settings of the log on Kafka, and what librdkafka is told.
//!
//! Invariants: nothing goes unencrypted to another machine unless that is allowed by name; a password is never shown,
//! neither by `Debug` nor in an error. It does not know where the settings come from.

use std::{fmt, fs::File, net::IpAddr, path::PathBuf, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};

use crate::{Error, Result};

/// Where Kafka is, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `host:port` of some brokers; the others are learnt from them.
    pub brokers: Vec<String>,
    /// Begins the name of every topic, group and transactional id, so that several systems can share a cluster.
    pub prefix: String,
    /// Copies of each partition of a new topic; `None` for the default of the cluster.
    pub replication: Option<u16>,
    /// Encryption; `None` for none.
    pub tls: Option<Tls>,
    /// Who we are; `None` for nobody.
    pub sasl: Option<Sasl>,
    /// Whether to go without encryption to brokers that are not on this machine.
    pub allow_plaintext: bool,
    /// A name that members of groups keep over restarts, so that a quick one moves no partition (static membership).
    /// One process has one consumer in a group, each process a name of its own.
    pub instance: Option<String>,
    /// A member of a group that is silent for so long loses its partitions.
    pub session_timeout: Duration,
    /// A member of a group that does not poll for so long loses its partitions.
    pub poll_interval: Duration,
    /// A transaction left open is aborted after this; readers stall no longer.
    pub transaction_timeout: Duration,
    /// How long a question to the brokers may take.
    pub request_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:19092".to_owned()],
            prefix: "vitals.".to_owned(),
            replication: None,
            tls: None,
            sasl: None,
            allow_plaintext: false,
            instance: None,
            session_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(300),
            transaction_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// TLS, by the certificate authorities of the system unless others are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities in PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate in PEM, where brokers ask for one.
    pub certificate_file: Option<PathBuf>,
    /// Its key in PEM.
    pub key_file: Option<PathBuf>,
    /// What the key is encrypted with.
    pub key_password: Option<Secret>,
}

impl Tls {
    /// The files that are named: our name of each, librdkafka's, and the path.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'static str, &PathBuf)> {
        let files = [
            ("ca_file", "ssl.ca.location", &self.ca_file),
            ("certificate_file", "ssl.certificate.location", &self.certificate_file),
            ("key_file", "ssl.key.location", &self.key_file),
        ];
        files.into_iter().filter_map(|(name, key, file)| Some((name, key, file.as_ref()?)))
    }
}

/// How we say who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// User and password, as they are: only over TLS.
    Plain(User),
    /// SCRAM-SHA-256.
    ScramSha256(User),
    /// SCRAM-SHA-512.
    ScramSha512(User),
    /// OAUTHBEARER with the JSON web token in a file, which something else keeps fresh.
    OauthBearer {
        /// Read whenever a new token is needed.
        token_file: PathBuf,
    },
}

/// A user of the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What clients without a name of their own call themselves.
const CLIENT: &str = "vitals";

/// How often a client says how it is.
const STATISTICS_EVERY: Duration = Duration::from_secs(5);

impl Config {
    /// Refuses what is not safe or cannot work.
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::Invalid { what });
        if self.brokers.is_empty() {
            return invalid("kafka: no broker is named".to_owned());
        }
        let remote = self.brokers.iter().find(|broker| !is_loopback(broker));
        if let (Some(broker), None, false) = (remote, &self.tls, self.allow_plaintext) {
            return invalid(format!(
                "kafka: broker {broker} is on another machine and TLS is off; turn it on, or allow plaintext"
            ));
        }
        for (name, _, file) in self.tls.iter().flat_map(Tls::files) {
            // librdkafka would not say which one.
            if let Err(error) = File::open(file) {
                return invalid(format!("kafka: tls.{name} {}: {error}", file.display()));
            }
        }
        // Below, a message would outlive its transaction, or a broker would refuse the transaction (its limit is 15 min).
        if self.transaction_timeout < Duration::from_secs(5) || self.transaction_timeout > Duration::from_secs(900) {
            return invalid("kafka: the transaction time-out is not between 5 s and 15 min".to_owned());
        }
        Ok(())
    }

    /// Which file librdkafka complains of: it says what is wrong with it, and not where it is.
    pub(super) fn unusable(&self, error: &KafkaError) -> Option<String> {
        let KafkaError::ClientCreation(told) = error else { return None };
        let (name, _, file) = self.tls.iter().flat_map(Tls::files).find(|(_, key, _)| told.contains(key))?;
        let mut what = format!("kafka: tls.{name} {} cannot be used: {told}", file.display());
        if name == "key_file" {
            what.push_str("; if it is encrypted, check tls.key_password_file");
        }
        Some(what)
    }

    /// What every client is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.brokers.join(","));
        client.set("client.id", CLIENT);
        client.set_log_level(RDKafkaLogLevel::Info);
        client.set("socket.keepalive.enable", "true");
        // Its default of ten seconds is how long nobody would notice that the brokers are back.
        client.set("reconnect.backoff.max.ms", "1000");
        client.set("security.protocol", self.protocol());
        if let Some(tls) = &self.tls {
            set_tls(&mut client, tls);
        }
        if let Some(sasl) = &self.sasl {
            set_sasl(&mut client, sasl);
        }
        client
    }

    fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }

    /// The settings of a client that is polled for as long as it lives, which then says how it is under this name.
    pub(super) fn observed(mut settings: ClientConfig, name: &str) -> ClientConfig {
        settings.set("client.id", name);
        settings.set("statistics.interval.ms", millis(STATISTICS_EVERY));
        settings
    }

    /// A consumer. The group is only a name unless it subscribes.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut client = self.client();
        client.set("group.id", group);
        client.set("group.protocol", "classic");
        // By range, topics of one partition would all go to one member. It is named second for members of an older
        // version, which know no other: a group takes what all its members know.
        client.set("partition.assignment.strategy", "roundrobin,range");
        client.set("session.timeout.ms", millis(self.session_timeout));
        client.set("heartbeat.interval.ms", millis(self.session_timeout / 10));
        client.set("max.poll.interval.ms", millis(self.poll_interval.max(self.session_timeout)));
        client.set("isolation.level", "read_committed");
        // Its default, latest, loses what lies between in silence.
        client.set("auto.offset.reset", "error");
        client.set("enable.auto.commit", "false");
        client.set("enable.auto.offset.store", "false");
        client.set("enable.partition.eof", "true");
        client.set("allow.auto.create.topics", "false");
        // An empty fetch comes back after this, and only then is the end of a partition known.
        client.set("fetch.wait.max.ms", "100");
        // The default of a second starves a consumer that is slower than the broker.
        client.set("fetch.queue.backoff.ms", "5");
        client
    }

    /// A member of a group.
    pub(super) fn member(&self, full: &str, name: Option<&str>) -> ClientConfig {
        let mut client = self.consumer(full);
        if let Some(name) = name {
            client.set("group.instance.id", name);
        }
        client
    }

    /// The name that a member of a group keeps over restarts; none where nobody gave it one.
    pub(super) fn member_name(&self, group: &str) -> Option<String> {
        self.instance.as_ref().map(|instance| format!("{instance}.{group}"))
    }

    /// A transactional producer.
    pub(super) fn producer(&self, transactional_id: &str) -> ClientConfig {
        let mut client = self.client();
        client.set("transactional.id", transactional_id);
        client.set("enable.idempotence", "true");
        client.set("transaction.timeout.ms", millis(self.transaction_timeout));
        client.set("message.timeout.ms", millis(self.transaction_timeout * 2 / 3));
        client.set("compression.type", "lz4");
        // A commit soon after another finds that one still ending, and is asked to come again: 100 ms is far too late.
        client.set("retry.backoff.ms", "5");
        // A report of each record would have to be polled for; a failure is reported, and fails the transaction.
        client.set("delivery.report.only.error", "true");
        client
    }
}

fn set_tls(client: &mut ClientConfig, tls: &Tls) {
    for (_, key, file) in tls.files() {
        client.set(key, file.to_string_lossy());
    }
    if let Some(Secret(password)) = &tls.key_password {
        client.set("ssl.key.password", password);
    }
}

fn set_sasl(client: &mut ClientConfig, sasl: &Sasl) {
    let (mechanism, user) = match sasl {
        Sasl::Plain(user) => ("PLAIN", Some(user)),
        Sasl::ScramSha256(user) => ("SCRAM-SHA-256", Some(user)),
        Sasl::ScramSha512(user) => ("SCRAM-SHA-512", Some(user)),
        Sasl::OauthBearer { .. } => ("OAUTHBEARER", None),
    };
    client.set("sasl.mechanism", mechanism);
    if let Some(User { name, password: Secret(password) }) = user {
        client.set("sasl.username", name);
        client.set("sasl.password", password);
    }
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

/// Whether `host:port` is this machine.
fn is_loopback(broker: &str) -> bool {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_stays_on_this_machine() {
        let check = |broker: &str, tls: bool, allow_plaintext| {
            let tls = tls.then(Tls::default);
            Config { brokers: vec![broker.to_owned()], tls, allow_plaintext, ..Config::default() }.check().is_ok()
        };
        for broker in ["localhost:9092", "127.0.0.1:9092", "127.1.2.3:9092", "[::1]:9092"] {
            assert!(check(broker, false, false), "{broker}");
        }
        for broker in ["kafka:9092", "10.0.0.1:9092", "[fe80::1]:9092", "localhost.example.org:9092", "kafka"] {
            assert!(!check(broker, false, false), "{broker}");
            assert!(check(broker, true, false), "{broker} with TLS");
            assert!(check(broker, false, true), "{broker}, allowed");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let user = User { name: "vitals".to_owned(), password: Secret::new("hunter2") };
        let tls = Tls { key_password: Some(Secret::new("hunter2")), ..Tls::default() };
        let config = Config { sasl: Some(Sasl::Plain(user)), tls: Some(tls), ..Config::default() };
        let shown = format!("{config:?} {config:#?}");
        assert!(shown.contains("vitals") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(config.client().get("sasl.password"), Some("hunter2"));
        assert_eq!(config.client().get("security.protocol"), Some("sasl_ssl"));
    }

    #[test]
    fn a_message_never_outlives_its_transaction() {
        let producer = Config::default().producer("p");
        let number = |key| producer.get(key).unwrap().parse::<u32>().unwrap();
        assert!(number("message.timeout.ms") < number("transaction.timeout.ms"));
    }
}
