//! Silences, their ends, and acknowledgements: what people do about alerts. They are records of the log.
//!
//! Invariant: the state of all of them is a fold over `alert-actions.v1`. A silence that was ended stays ended.

use std::collections::BTreeMap;

use proto::{
    Message as _,
    v1::{Acknowledgement, AlertAction, Silence, SilenceEnd, alert_action::Action},
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    TOPIC_ACTIONS,
    config::parse_span,
    matcher::{Labels, Matcher},
};

/// What somebody asks for: the body of `POST /v1/alert-actions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Silences alerts that all of these match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silence: Vec<String>,
    /// Of a silence: how long, such as `2h`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    /// Ends the silence of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Acknowledges the alert of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<String>,
    /// Who.
    pub by: String,
    /// Why.
    pub comment: String,
}

impl Asked {
    /// The action that is asked for, as of `now_us`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn action(&self, now_us: i64) -> Result<AlertAction, String> {
        let action = match (self.silence.is_empty(), &self.end, &self.ack) {
            (false, None, None) => self.silenced(now_us)?,
            (true, Some(silence), None) => Action::SilenceEnd(SilenceEnd { silence: silence.clone() }),
            (true, None, Some(alert)) => Action::Acknowledgement(Acknowledgement { alert: alert.clone() }),
            _ => return Err("an action is exactly one of `silence`, `end` and `ack`".to_owned()),
        };
        let mut action = AlertAction {
            id: String::new(),
            at_us: now_us,
            by: self.by.clone(),
            comment: self.comment.clone(),
            action: Some(action),
        };
        action.id = format!("{:016x}", xxh3_64(&action.encode_to_vec()));
        Ok(action)
    }

    fn silenced(&self, now_us: i64) -> Result<Action, String> {
        for text in &self.silence {
            text.parse::<Matcher>()?;
        }
        let wrong = || "a silence needs `for`, a span of time such as 2h".to_owned();
        let lasts_us = self.lasts.as_deref().and_then(parse_span).filter(|span| *span > 0).ok_or_else(wrong)?;
        let ends_us = now_us.saturating_add(lasts_us);
        Ok(Action::Silence(Silence { matchers: self.silence.clone(), starts_us: now_us, ends_us }))
    }
}

/// The record of an action.
pub fn output(action: &AlertAction) -> eventlog::Output {
    let record = eventlog::Record {
        key: action.id.clone().into_bytes().into(),
        value: Some(action.encode_to_vec().into()),
        headers: Vec::new(),
        timestamp_us: action.at_us,
    };
    eventlog::Output { topic: TOPIC_ACTIONS.into(), partition: 0, record }
}

/// A silence, as it stands.
#[derive(Debug, Clone)]
pub struct Silenced {
    /// Names it.
    pub id: String,
    /// What it matches.
    pub matchers: Vec<Matcher>,
    /// When it begins.
    pub starts_us: i64,
    /// When it ends, or ended.
    pub ends_us: i64,
    /// Who.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// The fold.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    silences: BTreeMap<String, Silenced>,
    acks: BTreeMap<String, AlertAction>,
}

impl Actions {
    /// Takes the next action; says what is wrong with one that is left out.
    ///
    /// # Errors
    /// For a matcher that does not parse.
    pub fn apply(&mut self, action: AlertAction) -> Result<(), String> {
        match action.action.clone() {
            Some(Action::Silence(silence)) => {
                let matchers = silence.matchers.iter().map(|text| text.parse()).collect::<Result<_, String>>()?;
                let Silence { starts_us, ends_us, .. } = silence;
                let AlertAction { id, by, comment, .. } = action;
                self.silences.insert(id.clone(), Silenced { id, matchers, starts_us, ends_us, by, comment });
            }
            Some(Action::SilenceEnd(end)) => {
                if let Some(silence) = self.silences.get_mut(&end.silence) {
                    silence.ends_us = silence.ends_us.min(action.at_us);
                }
            }
            Some(Action::Acknowledgement(ack)) => {
                self.acks.entry(ack.alert).or_insert(action);
            }
            None => {}
        }
        Ok(())
    }

    /// Until when alerts with these labels are silenced; none if they are not.
    pub fn silenced_until(&self, labels: &Labels, now_us: i64) -> Option<i64> {
        let active = self.silences.values().filter(|silence| silence.starts_us <= now_us && now_us < silence.ends_us);
        active.filter(|silence| silence.matchers.iter().all(|m| m.matches(labels))).map(|silence| silence.ends_us).max()
    }

    /// Who acknowledged an alert, if somebody did.
    pub fn acknowledged(&self, alert: &str) -> Option<&AlertAction> {
        self.acks.get(alert)
    }

    /// All silences, by id.
    pub fn silences(&self) -> impl Iterator<Item = &Silenced> {
        self.silences.values()
    }

    /// Forgets silences that are over, and acknowledgements of alerts that are.
    pub(super) fn tidy(&mut self, now_us: i64, is_known: impl Fn(&str) -> bool) {
        self.silences.retain(|_, silence| silence.ends_us > now_us);
        self.acks.retain(|alert, _| is_known(alert));
    }
}
