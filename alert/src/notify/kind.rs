//! The kinds of receivers, a file a kind: each makes one request of a message.
//!
//! Invariant: a request holds text of customers only where the format takes it as text.

pub(super) mod alertmanager;
pub(super) mod email;
pub(super) mod pagerduty;
pub(super) mod slack;
pub(super) mod task;
pub(super) mod teams;
pub(super) mod webhook;

use std::{fmt, path::PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    config::{Place, source},
    message::Message,
    secret::Secret,
    transport::Call,
};

/// A kind of receiver.
pub(super) trait Kind: Send + Sync + fmt::Debug {
    /// What is sent for a message; the error says why nothing can be.
    fn call(&self, message: &Message) -> Result<Call, String>;

    /// Whether alerts are collected into one message; else each is a message by itself.
    fn is_grouped(&self) -> bool {
        true
    }

    /// How often everything that fires is sent, as long as it does; the receiver does the grouping and repeating.
    fn resend_us(&self) -> Option<i64> {
        None
    }

    /// Whether the end of an alert is sent, if the configuration says nothing.
    fn sends_resolved(&self) -> bool {
        true
    }

    /// Whether an acknowledgement is sent.
    fn sends_acknowledged(&self) -> bool {
        false
    }

    /// Whether an owner may have an address of their own.
    fn takes_address(&self) -> bool {
        false
    }

    /// Alerts that are shown of a message, if the configuration says nothing; 0 for all.
    fn max_alerts(&self) -> usize {
        20
    }
}

/// The settings, as written, of a receiver that has an address alone, which is its secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretUrl {
    url_file: Option<Spanned<PathBuf>>,
    url_env: Option<Spanned<String>>,
}

impl SecretUrl {
    /// The address; `None` where it is wrong, which `place` reports.
    fn read(&self, place: &mut Place<'_>) -> Option<Secret> {
        place.url(&None, &source("url", &self.url_file, &self.url_env))
    }
}

/// What of `user`, `password` and `token` a request needs.
pub(super) fn authorization(user: &str, password: Option<&Secret>, token: Option<&Secret>) -> Vec<(String, Secret)> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let value = match (password, token) {
        (_, Some(token)) => format!("Bearer {}", token.reveal()),
        (Some(password), None) => format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))),
        (None, None) => return Vec::new(),
    };
    vec![("authorization".to_owned(), Secret::new(value))]
}
