//! PagerDuty, Events API v2: <https://developer.pagerduty.com/docs/send-alert-event>.
//!
//! Each alert is an event of its own; its id is the `dedup_key`, so that a repeat opens no second incident.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{
    super::{
        config::{Place, source},
        message::{Message, cut},
        secret::Secret,
        show::Status,
        transport::{Call, Request},
    },
    Kind,
    webhook::annotations,
};
use crate::render::rfc3339;

const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Characters of a summary.
const SUMMARY_MAX: usize = 1_024;

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    routing_key_file: Option<Spanned<PathBuf>>,
    routing_key_env: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
}

#[derive(Debug)]
struct PagerDuty {
    url: Secret,
    routing_key: Secret,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let routing_key = place.needed(&source("routing_key", &self.routing_key_file, &self.routing_key_env));
        let url = match &self.url {
            None => Some(Secret::new(URL)),
            written => place.url(written, &source("url", &None, &None)),
        };
        Some(Box::new(PagerDuty { url: url?, routing_key: routing_key? }))
    }
}

impl Kind for PagerDuty {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let alert = message.alerts.first().ok_or("a message without an alert")?;
        let action = match alert.status {
            Status::Firing => "trigger",
            Status::Acknowledged => "acknowledge",
            Status::Resolved => "resolve",
        };
        let mut event = json!({
            "routing_key": self.routing_key.reveal(),
            "event_action": action,
            "dedup_key": cut(&alert.id, 255),
        });
        // The payload is of a trigger alone.
        if alert.status == Status::Firing {
            event["payload"] = json!({
                "summary": cut(&message.title, SUMMARY_MAX),
                "source": alert.account.as_deref().unwrap_or("vitals"),
                "severity": severity(&alert.severity),
                "timestamp": rfc3339(alert.starts_us),
                "component": alert.metric,
                "group": alert.rule,
                "custom_details": {"labels": alert.labels, "annotations": annotations(alert), "text": message.body},
            });
            event["client"] = json!("Vitals");
            if !alert.link.is_empty() {
                event["client_url"] = json!(alert.link);
                event["links"] = json!([{"href": alert.link, "text": "The account in Vitals"}]);
            }
        }
        Ok(Call::Http(Request::json(&self.url, Vec::new(), event.to_string())))
    }

    fn is_grouped(&self) -> bool {
        false
    }

    fn sends_acknowledged(&self) -> bool {
        true
    }
}

/// One of the four that PagerDuty knows.
fn severity(label: &str) -> &'static str {
    match label.to_ascii_lowercase().as_str() {
        "critical" | "page" | "emergency" | "fatal" => "critical",
        "error" | "high" | "major" => "error",
        "info" | "low" | "none" | "notice" => "info",
        _ => "warning",
    }
}
