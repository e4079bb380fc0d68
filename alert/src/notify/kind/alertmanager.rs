//! Prometheus Alertmanager, API v2: `POST /api/v2/alerts`.
//!
//! It resolves what is not sent again before `endsAt`; so everything that fires is sent every `resend`, with an end four
//! times as far away, as Prometheus does. It groups, silences and repeats by itself. Label names have its letters only.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{
    super::{
        config::{Place, Source, source},
        matcher::Labels,
        message::Message,
        secret::Secret,
        transport::{Call, Request},
    },
    Kind, authorization,
    webhook::annotations,
};
use crate::render::rfc3339;

/// How often everything is sent again, in microseconds.
const RESEND_US: i64 = 60_000_000;

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    url: Option<Spanned<String>>,
    url_file: Option<Spanned<PathBuf>>,
    url_env: Option<Spanned<String>>,
    resend: Option<Spanned<String>>,
    #[serde(default)]
    user: String,
    password_file: Option<Spanned<PathBuf>>,
    password_env: Option<Spanned<String>>,
    token_file: Option<Spanned<PathBuf>>,
    token_env: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Alertmanager {
    url: Secret,
    authorization: Vec<(String, Secret)>,
    resend_us: i64,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let url = place.url(&self.url, &source("url", &self.url_file, &self.url_env));
        let password: Source<'_> = source("password", &self.password_file, &self.password_env);
        let password = place.secret(&password);
        let token = place.secret(&source("token", &self.token_file, &self.token_env));
        let resend_us = match &self.resend {
            None => RESEND_US,
            Some(text) => place.span(text)?,
        };
        let url = Secret::new(format!("{}/api/v2/alerts", url?.reveal().trim_end_matches('/')));
        let authorization = authorization(&self.user, password.as_ref(), token.as_ref());
        Some(Box::new(Alertmanager { url, authorization, resend_us }))
    }
}

impl Kind for Alertmanager {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let alerts: Vec<Value> = message
            .alerts
            .iter()
            .map(|alert| {
                json!({
                    "labels": named(&alert.labels),
                    "annotations": named(&annotations(alert)),
                    "startsAt": rfc3339(alert.starts_us),
                    "endsAt": rfc3339(alert.ends_us.unwrap_or(message.sent_us + 4 * self.resend_us)),
                    "generatorURL": alert.link,
                })
            })
            .collect();
        Ok(Call::Http(Request::json(&self.url, self.authorization.clone(), Value::Array(alerts).to_string())))
    }

    fn resend_us(&self) -> Option<i64> {
        Some(self.resend_us)
    }

    fn max_alerts(&self) -> usize {
        0
    }
}

/// Names as Alertmanager 0.25 takes them: letters, digits and `_`, not a digit first; empty values mean no label.
fn named(labels: &Labels) -> Labels {
    let name = |name: &str| {
        let mut good: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if good.starts_with(|c: char| c.is_ascii_digit()) {
            good.insert(0, '_');
        }
        good
    };
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (name(key), value.clone())).collect()
}
