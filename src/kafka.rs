//! `[kafka]`: which brokers, and how to speak to them.
//!
//! Invariants: secrets come from files or the environment, never from flags or the file of settings, and go only into
//! types that do not show them. It does not connect.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use eventlog::kafka::{self, Sasl, Secret, Tls, User};
use serde::Deserialize;

use crate::config::{self, Config};

/// The password, where no file has it.
const PASSWORD: &str = "VITALS_KAFKA_PASSWORD";

/// `[kafka]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) brokers: Vec<String>,
    prefix: String,
    replication: u16,
    instance: String,
    allow_plaintext: bool,
    session_timeout: String,
    transaction_timeout: String,
    tls: TlsSettings,
    sasl: SaslSettings,
}

/// `[kafka.tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TlsSettings {
    enabled: bool,
    ca_file: PathBuf,
    certificate_file: PathBuf,
    key_file: PathBuf,
    key_password_file: PathBuf,
}

/// `[kafka.sasl]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct SaslSettings {
    mechanism: String,
    user: String,
    password_file: PathBuf,
    token_file: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            brokers: Vec::new(),
            prefix: "vitals.".to_owned(),
            replication: 0,
            instance: String::new(),
            allow_plaintext: false,
            session_timeout: "30s".to_owned(),
            transaction_timeout: "15s".to_owned(),
            tls: TlsSettings::default(),
            sasl: SaslSettings::default(),
        }
    }
}

/// Where the log on Kafka is; none where neither `--brokers` nor the file names a broker.
pub(crate) fn settings(config: &Config) -> anyhow::Result<Option<kafka::Config>> {
    let set = &config.kafka;
    if set.brokers.is_empty() {
        return Ok(None);
    }
    for broker in &set.brokers {
        let port = broker.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
        ensure!(matches!(port, Some(Ok(_))), "brokers: is {broker:?}, expected HOST:PORT");
    }
    let time = |name, text: &str| config::time("kafka", name, text);
    Ok(Some(kafka::Config {
        brokers: set.brokers.clone(),
        prefix: set.prefix.clone(),
        replication: (set.replication > 0).then_some(set.replication),
        tls: set.tls.read()?,
        sasl: set.sasl.read()?,
        allow_plaintext: set.allow_plaintext,
        instance: (!set.instance.is_empty()).then(|| set.instance.clone()),
        session_timeout: time("session_timeout", &set.session_timeout)?,
        transaction_timeout: time("transaction_timeout", &set.transaction_timeout)?,
        ..kafka::Config::default()
    }))
}

impl TlsSettings {
    fn read(&self) -> anyhow::Result<Option<Tls>> {
        if !self.enabled {
            ensure!(*self == Self::default(), "[kafka.tls] enabled: is false, but files are named; expected true");
            return Ok(None);
        }
        Ok(Some(Tls {
            ca_file: named(&self.ca_file),
            certificate_file: named(&self.certificate_file),
            key_file: named(&self.key_file),
            key_password: named(&self.key_password_file).map(|file| secret(&file)).transpose()?,
        }))
    }
}

impl SaslSettings {
    fn read(&self) -> anyhow::Result<Option<Sasl>> {
        Ok(Some(match self.mechanism.as_str() {
            "" => {
                ensure!(*self == Self::default(), "[kafka.sasl] mechanism: is empty, expected one beside a user");
                return Ok(None);
            }
            "PLAIN" => Sasl::Plain(self.user()?),
            "SCRAM-SHA-256" => Sasl::ScramSha256(self.user()?),
            "SCRAM-SHA-512" => Sasl::ScramSha512(self.user()?),
            "OAUTHBEARER" => Sasl::OauthBearer {
                token_file: named(&self.token_file).context("[kafka.sasl] token_file: is empty, expected a path")?,
            },
            other => bail!(
                "[kafka.sasl] mechanism: is {other:?}, expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
            ),
        }))
    }

    fn user(&self) -> anyhow::Result<User> {
        ensure!(!self.user.is_empty(), "[kafka.sasl] user: is empty, expected a name");
        let password = match named(&self.password_file) {
            Some(file) => secret(&file)?,
            None => Secret::new(std::env::var(PASSWORD).with_context(|| {
                format!("[kafka.sasl] password_file: is empty, expected a path, or the password in {PASSWORD}")
            })?),
        };
        Ok(User { name: self.user.clone(), password })
    }
}

fn named(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

/// The text of a file, without the end of its line.
fn secret(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> anyhow::Result<Option<kafka::Config>> {
        settings(&Config::parse(text)?)
    }

    #[test]
    fn the_defaults_are_those_of_the_log() {
        assert_eq!(of("").unwrap(), None);
        let found = settings(&Config::read(None, Some("127.0.0.1:19092")).unwrap()).unwrap();
        assert_eq!(found, Some(kafka::Config::default()));
    }

    #[test]
    fn a_password_comes_from_a_file_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let text = format!(
            "[kafka]\nbrokers = [\"k:9093\"]\n[kafka.tls]\nenabled = true\n\
             [kafka.sasl]\nmechanism = \"SCRAM-SHA-512\"\nuser = \"vitals\"\npassword_file = {file:?}\n"
        );
        let found = of(&text).unwrap().unwrap();
        let expected = User { name: "vitals".to_owned(), password: Secret::new("hunter2") };
        assert_eq!(found.sasl, Some(Sasl::ScramSha512(expected)));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("brokers = [\"localhost\"]", "brokers: is \"localhost\", expected HOST:PORT"),
            (
                "brokers = [\"k:1\"]\nsasl = { mechanism = \"NTLM\" }",
                "[kafka.sasl] mechanism: is \"NTLM\", expected PLAIN",
            ),
            ("brokers = [\"k:1\"]\nsasl = { mechanism = \"PLAIN\" }", "[kafka.sasl] user: is empty"),
            ("brokers = [\"k:1\"]\ntls = { ca_file = \"ca.pem\" }", "[kafka.tls] enabled: is false"),
            ("brokers = [\"k:1\"]\nsession_timeout = \"long\"", "[kafka] session_timeout: is \"long\""),
        ] {
            let found = of(&format!("[kafka]\n{text}\n")).unwrap_err().to_string();
            assert!(found.contains(expected), "expected {expected}\n   found {found}");
        }
    }
}
