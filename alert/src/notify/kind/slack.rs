//! Slack, by an incoming webhook with Block Kit: <https://api.slack.com/reference/block-kit/blocks>.
//!
//! The address is the secret. Limits: 50 blocks; 150 characters of a header, 3,000 of a section, 40,000 of the text.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        config::Place,
        message::{Message, cut},
        secret::Secret,
        show::{Shown, Status},
        transport::{Call, Request},
    },
    Kind, SecretUrl,
};

const BLOCKS_MAX: usize = 50;
const HEADER_MAX: usize = 150;
const SECTION_MAX: usize = 3_000;

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in super::super) struct Written(SecretUrl);

#[derive(Debug)]
struct Slack {
    url: Secret,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        Some(Box::new(Slack { url: self.0.read(place)? }))
    }
}

impl Kind for Slack {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let title = cut(&message.title, HEADER_MAX);
        let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}})];
        blocks.extend(message.body.split("\n\n").filter(|part| !part.trim().is_empty()).map(section));
        let link = message.alerts.first().map(|alert| alert.link.as_str()).filter(|link| !link.is_empty());
        let context = context(&message.alerts);
        // The last two are the link and the context.
        blocks.truncate(BLOCKS_MAX - 2);
        if let Some(link) = link {
            let button =
                json!({"type": "button", "text": {"type": "plain_text", "text": "Open in Vitals"}, "url": link});
            blocks.push(json!({"type": "actions", "elements": [button]}));
        }
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
        // The text is what notifications show.
        let body = json!({"text": escaped(&title), "blocks": blocks});
        Ok(Call::Http(Request::json(&self.url, Vec::new(), body.to_string())))
    }
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut_escaped(text.trim(), SECTION_MAX), "verbatim": true}})
}

fn context(alerts: &[Shown]) -> String {
    let count = |status| alerts.iter().filter(|alert| alert.status == status).count();
    format!("{} firing, {} resolved", count(Status::Firing), count(Status::Resolved))
}

/// Slack's three control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escaped, and not longer than so many characters, without a cut inside an escape.
fn cut_escaped(text: &str, max: usize) -> String {
    let mut length = 0;
    let kept = text.chars().take_while(|c| {
        length += match c {
            '&' => 5,
            '<' | '>' => 4,
            _ => 1,
        };
        length < max
    });
    let kept: String = kept.collect();
    let more = if kept.len() < text.len() { "…" } else { "" };
    escaped(&kept) + more
}
