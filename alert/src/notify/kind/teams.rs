//! Microsoft Teams, by the webhook of a workflow: a message with an Adaptive Card as its attachment.
//!
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>. A message has at
//! most 28 kB. Text of customers is in `TextRun`s, where no markdown is read.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        config::Place,
        message::{Message, cut},
        secret::Secret,
        show::Status,
        transport::{Call, Request},
    },
    Kind, SecretUrl,
};

/// Bytes of a message, with room for what the workflow adds.
const BYTES_MAX: usize = 27 * 1024;

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in super::super) struct Written(SecretUrl);

#[derive(Debug)]
struct Teams {
    url: Secret,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        Some(Box::new(Teams { url: self.0.read(place)? }))
    }
}

impl Kind for Teams {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let paragraphs: Vec<&str> = message.body.split("\n\n").filter(|part| !part.trim().is_empty()).collect();
        let mut shown = paragraphs.len();
        loop {
            let body = attached(card(message, &paragraphs[..shown])).to_string();
            if body.len() <= BYTES_MAX || shown == 0 {
                return Ok(Call::Http(Request::json(&self.url, Vec::new(), body)));
            }
            shown -= 1;
        }
    }
}

fn attached(card: Value) -> Value {
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": card,
    });
    json!({"type": "message", "attachments": [attachment]})
}

fn card(message: &Message, paragraphs: &[&str]) -> Value {
    let color = if message.status == Status::Resolved { "good" } else { "attention" };
    let run = |text: &str| json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]});
    let title = cut(&message.title, 500);
    let title = json!({"type": "TextRun", "text": title, "weight": "bolder", "size": "medium", "color": color});
    let mut body = vec![json!({"type": "RichTextBlock", "inlines": [title]})];
    body.extend(paragraphs.iter().map(|text| run(&cut(text.trim(), 4_000))));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    if let Some(link) = message.alerts.first().map(|alert| &alert.link).filter(|link| !link.is_empty()) {
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": "Open in Vitals", "url": link}]);
    }
    card
}
