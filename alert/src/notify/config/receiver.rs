//! A receiver: its kind, and what all kinds have: limits, quiet hours, digest, templates.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    super::{
        calendar::{Daily, Quiet},
        kind::{self, Kind},
        secret::Secret,
        template::Templates,
    },
    Mistake, Place, check,
};

/// A receiver, ready to be sent to.
#[derive(Debug)]
pub(in super::super) struct Receiver {
    /// Its name.
    pub(in super::super) name: Arc<str>,
    /// How messages are made.
    pub(in super::super) kind: Box<dyn Kind>,
    /// Whether it is notified of resolved alerts.
    pub(in super::super) sends_resolved: bool,
    /// How long a request may take.
    pub(in super::super) timeout: Duration,
    /// Whether its address may be a private one.
    pub(in super::super) allow_private: bool,
    /// A certificate authority of its own, PEM.
    pub(in super::super) ca: Option<Vec<u8>>,
    /// How long a message is tried.
    pub(in super::super) give_up_us: i64,
    /// Hours in which messages are held.
    pub(in super::super) quiet: Option<Quiet>,
    /// When messages are collected for.
    pub(in super::super) digest: Option<Daily>,
    /// Messages a day; the others wait for the next day.
    pub(in super::super) at_most: Option<u32>,
    /// Its zone, for days and for times in texts.
    pub(in super::super) zone: TimeZone,
    /// Alerts that are shown of a message; 0 for all.
    pub(in super::super) max_alerts: usize,
    /// Title and body.
    pub(in super::super) templates: Templates,
    /// What must not be shown of an answer.
    pub(in super::super) secrets: Vec<Secret>,
}

/// A receiver as written; exactly one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) name: Spanned<String>,
    alertmanager: Option<kind::alertmanager::Written>,
    webhook: Option<kind::webhook::Written>,
    slack: Option<kind::slack::Written>,
    pagerduty: Option<kind::pagerduty::Written>,
    teams: Option<kind::teams::Written>,
    email: Option<kind::email::Written>,
    task: Option<kind::task::Written>,
    send_resolved: Option<bool>,
    timeout: Option<Spanned<String>>,
    #[serde(default)]
    allow_private: bool,
    ca_file: Option<Spanned<PathBuf>>,
    give_up_after: Option<Spanned<String>>,
    quiet: Option<QuietWritten>,
    digest: Option<Spanned<String>>,
    at_most: Option<Spanned<String>>,
    zone: Option<Spanned<String>>,
    max_alerts: Option<usize>,
    title: Option<Spanned<String>>,
    body: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuietWritten {
    from: Spanned<String>,
    to: Spanned<String>,
    zone: Option<Spanned<String>>,
    #[serde(default)]
    days: Vec<Spanned<String>>,
    #[serde(default)]
    except: Vec<String>,
}

impl Written {
    /// The receiver, if nothing is wrong with it.
    pub(super) fn build(&self, zone: &TimeZone, mistakes: &mut Vec<Mistake>) -> Option<Receiver> {
        let mut secrets = Vec::new();
        let mut place = Place { name: &self.name, secrets: &mut secrets, mistakes };
        let kind = self.kind(&mut place);
        let zone = self.zone.as_ref().map_or(Ok(zone.clone()), check::zone);
        let zone = place.keep(zone)?;
        let span = |text: &Option<Spanned<String>>, default: i64| text.as_ref().map_or(Ok(default), check::span);
        let timeout_us = place.keep(span(&self.timeout, 10_000_000));
        let give_up_us = place.keep(span(&self.give_up_after, 86_400_000_000));
        let ca = self.ca_file.as_ref().map(|file| {
            std::fs::read(&file.value).map_err(|error| {
                Mistake::at(file, format!("{}: {error}; name a file of certificates in PEM", file.value.display()))
            })
        });
        let ca = place.keep(ca.transpose());
        let quiet = self.quiet.as_ref().map(|quiet| quiet.build(&zone)).transpose();
        let quiet = place.keep(quiet);
        let digest = self
            .digest
            .as_ref()
            .map(|text| check::digest(text).map(|(at, days)| Daily { at, days, zone: zone.clone() }));
        let digest = place.keep(digest.transpose());
        let at_most = self.at_most.as_ref().map(at_most).transpose();
        let at_most = place.keep(at_most);
        let templates = Templates::new(self.title.as_ref(), self.body.as_ref());
        let templates = place.keep(templates);
        let kind = kind?;
        if !kind.is_grouped() && self.digest.is_some() {
            place.wrong("a receiver of this kind takes each alert by itself; leave `digest` out");
            return None;
        }
        Some(Receiver {
            name: self.name.value.as_str().into(),
            sends_resolved: self.send_resolved.unwrap_or(kind.sends_resolved()),
            timeout: Duration::from_micros(u64::try_from(timeout_us?).unwrap_or_default()),
            allow_private: self.allow_private,
            ca: ca?,
            give_up_us: give_up_us?,
            quiet: quiet?,
            digest: digest?,
            at_most: at_most?,
            zone,
            max_alerts: self.max_alerts.unwrap_or(kind.max_alerts()),
            templates: templates?,
            kind,
            secrets,
        })
    }

    fn kind(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let Written { alertmanager, webhook, slack, pagerduty, teams, email, task, .. } = self;
        let count = [
            alertmanager.is_some(),
            webhook.is_some(),
            slack.is_some(),
            pagerduty.is_some(),
            teams.is_some(),
            email.is_some(),
            task.is_some(),
        ];
        if count.into_iter().filter(|is| *is).count() != 1 {
            place.wrong("a receiver has exactly one of alertmanager, webhook, slack, pagerduty, teams, email and task");
            return None;
        }
        alertmanager
            .as_ref()
            .map(|written| written.build(place))
            .or_else(|| webhook.as_ref().map(|written| written.build(place)))
            .or_else(|| slack.as_ref().map(|written| written.build(place)))
            .or_else(|| pagerduty.as_ref().map(|written| written.build(place)))
            .or_else(|| teams.as_ref().map(|written| written.build(place)))
            .or_else(|| email.as_ref().map(|written| written.build(place)))
            .or_else(|| task.as_ref().map(|written| written.build(place)))?
    }
}

impl QuietWritten {
    fn build(&self, zone: &TimeZone) -> Result<Quiet, Mistake> {
        Ok(Quiet {
            from: check::time(&self.from)?,
            to: check::time(&self.to)?,
            zone: self.zone.as_ref().map_or(Ok(zone.clone()), check::zone)?,
            days: check::days(&self.days)?,
            except: self.except.clone(),
        })
    }
}

/// `20 per day`.
fn at_most(text: &Spanned<String>) -> Result<u32, Mistake> {
    let number =
        text.value.strip_suffix(" per day").and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Mistake::at(text, format!("`{}` is no limit; write one like `20 per day`", text.value)))
}
