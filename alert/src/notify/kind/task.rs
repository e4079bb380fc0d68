//! A follow-up task in another system: an HTTP call whose address, headers and body are templates.
//!
//! `deploy/notify/` has ready ones for ClickUp, Jira and Asana. Each alert is a task of its own, and only its firing is sent,
//! unless `send_resolved` says otherwise. Templates see the message (`title`, `body`, `id`, `alert`) and `secret.NAME`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::{
    super::{
        config::{Place, source},
        message::Message,
        secret::Secret,
        show::Shown,
        template,
        transport::{Call, Request},
    },
    Kind,
};

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    #[serde(default = "post")]
    method: Spanned<String>,
    url: Spanned<String>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<String>>,
    body: Spanned<String>,
    #[serde(default)]
    secrets: BTreeMap<String, SecretWritten>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretWritten {
    file: Option<Spanned<PathBuf>>,
    env: Option<Spanned<String>>,
}

fn post() -> Spanned<String> {
    Spanned::new("POST".to_owned(), serde_saphyr::Location::UNKNOWN, serde_saphyr::Location::UNKNOWN)
}

#[derive(Debug)]
struct Task {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    secrets: BTreeMap<String, Secret>,
}

/// What the templates see.
#[derive(Serialize)]
struct Context<'a> {
    #[serde(flatten)]
    message: &'a Message,
    alert: &'a Shown,
    secret: BTreeMap<&'a str, &'a str>,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let method = ["POST", "PUT", "PATCH"].into_iter().find(|method| *method == self.method.value);
        if method.is_none() {
            place.wrong(format!("`{}` is no method of a task; use POST, PUT or PATCH", self.method.value));
        }
        for text in [&self.url, &self.body].into_iter().chain(self.headers.values()) {
            place.keep(template::check(text));
        }
        let mut secrets = BTreeMap::new();
        for (name, written) in &self.secrets {
            let read = place.needed(&source("secrets: NAME", &written.file, &written.env));
            secrets.insert(name.clone(), read?);
        }
        Some(Box::new(Task {
            method: method?,
            url: self.url.value.clone(),
            headers: self.headers.iter().map(|(name, text)| (name.clone(), text.value.clone())).collect(),
            body: self.body.value.clone(),
            secrets,
        }))
    }
}

impl Kind for Task {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let alert = message.alerts.first().ok_or("a message without an alert")?;
        let secret = self.secrets.iter().map(|(name, secret)| (name.as_str(), secret.reveal())).collect();
        let context = Context { message, alert, secret };
        let render = |text: &str| template::render(text, &context);
        let mut headers = Vec::new();
        for (name, text) in &self.headers {
            headers.push((name.clone(), Secret::new(render(text)?)));
        }
        let url = Secret::new(render(&self.url)?.trim());
        let request = Request { method: self.method, ..Request::json(&url, headers, render(&self.body)?) };
        Ok(Call::Http(request))
    }

    fn is_grouped(&self) -> bool {
        false
    }

    fn sends_resolved(&self) -> bool {
        false
    }
}
