//! A webhook with Alertmanager's body, version 4, and the headers of Standard Webhooks.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>,
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
//! With two secrets there are two signatures: receivers accept either during a rotation.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{
    super::{
        config::{Place, source},
        matcher::Labels,
        message::Message,
        secret::Secret,
        show::{self, Shown, Status},
        transport::{Call, Request},
    },
    Kind, authorization,
};
use crate::render::rfc3339;

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    url: Option<Spanned<String>>,
    url_file: Option<Spanned<PathBuf>>,
    url_env: Option<Spanned<String>>,
    secret_file: Option<Spanned<PathBuf>>,
    secret_env: Option<Spanned<String>>,
    old_secret_file: Option<Spanned<PathBuf>>,
    old_secret_env: Option<Spanned<String>>,
    token_file: Option<Spanned<PathBuf>>,
    token_env: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Webhook {
    url: Secret,
    keys: Vec<hmac::Key>,
    token: Option<Secret>,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let url = place.url(&self.url, &source("url", &self.url_file, &self.url_env));
        let sources = [
            source("secret", &self.secret_file, &self.secret_env),
            source("old_secret", &self.old_secret_file, &self.old_secret_env),
        ];
        let secrets: Vec<Secret> = sources.iter().filter_map(|source| place.secret(source)).collect();
        let keys: Vec<_> = secrets.iter().filter_map(key).collect();
        if keys.len() < secrets.len() {
            place.wrong("the secret of a webhook is none of Standard Webhooks; write whsec_ and base64 after it");
            return None;
        }
        let token = place.secret(&source("token", &self.token_file, &self.token_env));
        Some(Box::new(Webhook { url: url?, keys, token }))
    }
}

/// The key of a secret as Standard Webhooks writes it.
fn key(secret: &Secret) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(secret.reveal().strip_prefix("whsec_")?).ok()?;
    (!bytes.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

impl Kind for Webhook {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let body = body(message).to_string();
        let timestamp = message.sent_us.div_euclid(1_000_000);
        let mut headers = vec![
            ("webhook-id".to_owned(), Secret::new(&message.id)),
            ("webhook-timestamp".to_owned(), Secret::new(timestamp.to_string())),
        ];
        if !self.keys.is_empty() {
            let signed = format!("{}.{timestamp}.{body}", message.id);
            let sign = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
            let signatures: Vec<String> = self.keys.iter().map(sign).collect();
            headers.push(("webhook-signature".to_owned(), Secret::new(signatures.join(" "))));
        }
        headers.extend(authorization("", None, self.token.as_ref()));
        Ok(Call::Http(Request::json(&self.url, headers, body)))
    }

    fn max_alerts(&self) -> usize {
        0
    }
}

/// Alertmanager's body, version 4.
fn body(message: &Message) -> Value {
    let annotations: Vec<Labels> = message.alerts.iter().map(annotations).collect();
    let alerts: Vec<Value> =
        message.alerts.iter().zip(&annotations).map(|(shown, notes)| alert(shown, notes)).collect();
    json!({
        "version": "4",
        "groupKey": message.group_key,
        "truncatedAlerts": message.truncated,
        "status": status(message.status),
        "receiver": message.receiver,
        "groupLabels": message.group_labels,
        "commonLabels": message.common_labels(),
        "commonAnnotations": show::common(annotations.iter()),
        "externalURL": message.external_url,
        "alerts": alerts,
    })
}

fn alert(shown: &Shown, annotations: &Labels) -> Value {
    json!({
        "status": status(shown.status),
        "labels": shown.labels,
        "annotations": annotations,
        "startsAt": rfc3339(shown.starts_us),
        // What Go writes for no time, as Alertmanager does.
        "endsAt": shown.ends_us.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339),
        "generatorURL": shown.link,
        "fingerprint": shown.id,
    })
}

/// Alertmanager knows two.
fn status(status: Status) -> &'static str {
    match status {
        Status::Firing | Status::Acknowledged => "firing",
        Status::Resolved => "resolved",
    }
}

/// The rule's, and what was seen where the rule has nothing of that name.
pub(super) fn annotations(shown: &Shown) -> Labels {
    let mut notes = shown.annotations.clone();
    let events: Vec<&str> = shown.events.iter().map(show::Event::id).collect();
    let own = [
        ("title", shown.title.clone()),
        ("value", shown.value.clone().unwrap_or_default()),
        ("before", shown.before.clone().unwrap_or_default()),
        ("compared", shown.compared.clone()),
        ("since", shown.since.clone()),
        ("reason", shown.reason.clone()),
        ("events", events.join(", ")),
        ("link", shown.link.clone()),
    ];
    for (name, value) in own {
        if !value.is_empty() {
            notes.entry(name.to_owned()).or_insert(value);
        }
    }
    notes
}
