//! A message: what is known when something is sent. A kind makes a request of it.

use serde::Serialize;

use super::{
    config::Receiver,
    matcher::Labels,
    show::{self, Shown, Status},
};

/// A message to one receiver.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    /// The same whenever it is sent again after a failure.
    pub(super) id: String,
    pub(super) receiver: String,
    /// `firing` while one of the alerts is.
    pub(super) status: Status,
    pub(super) test: bool,
    pub(super) digest: bool,
    pub(super) group_key: String,
    pub(super) group_labels: Labels,
    /// News first.
    pub(super) alerts: Vec<Shown>,
    /// Alerts that are not among `alerts`.
    pub(super) truncated: usize,
    pub(super) external_url: String,
    /// Something to be said about the message itself.
    pub(super) note: String,
    /// In the place of the receiver's own.
    #[serde(skip)]
    pub(super) address: Option<String>,
    /// When it is sent; microseconds since the Unix epoch.
    #[serde(skip)]
    pub(super) sent_us: i64,
    pub(super) title: String,
    pub(super) body: String,
}

impl Message {
    /// Fills in the texts, and leaves out what is too much.
    pub(super) fn finish(mut self, receiver: &Receiver) -> Self {
        let max = receiver.max_alerts;
        if max > 0 && self.alerts.len() > max {
            self.truncated = self.alerts.len() - max;
            self.alerts.truncate(max);
        }
        self.title = receiver.templates.title(&self);
        self.body = receiver.templates.body(&self);
        self
    }

    /// What all alerts have in common.
    pub(super) fn common_labels(&self) -> Labels {
        show::common(self.alerts.iter().map(|alert| &alert.labels))
    }
}

/// The text, cut to so many characters.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}
