//! A group of alerts at one receiver: what was sent of each, what is on its way, and when to send next.
//!
//! Invariants: one message of a group is on its way at a time; one that was attempted is sent again with the same id and
//! the same alerts until it is delivered or given up; the end of an alert is sent only after its firing was attempted, or
//! while it is held. It does not know routes, nor the log.

use std::{collections::BTreeMap, sync::Arc};

use proto::v1::{AlertState, AlertTransition, Notification, NotificationAttempt, NotificationKey, NotifiedAlert};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{
    action::Actions,
    calendar,
    config::{Receiver, Step, Timing},
    matcher::Labels,
    show::Status,
};

/// Pauses before a message is tried again.
const PAUSE_US: (i64, i64) = (1_000_000, 300_000_000);

/// Names an alert.
pub(super) type AlertId = Arc<str>;

/// A receiver and the values by which its alerts are grouped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId {
    pub(super) receiver: Arc<str>,
    pub(super) group: Arc<str>,
}

impl GroupId {
    pub(super) fn of(key: &NotificationKey) -> Self {
        Self { receiver: key.receiver.as_str().into(), group: key.group.as_str().into() }
    }

    pub(super) fn key(&self) -> NotificationKey {
        NotificationKey { receiver: self.receiver.to_string(), group: self.group.to_string() }
    }
}

/// An alert that fires, or of whose end somebody is not notified yet.
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) firing: AlertTransition,
    pub(super) resolved: Option<AlertTransition>,
    pub(super) labels: Labels,
    /// Offset of the last transition.
    pub(super) offset: u64,
    pub(super) groups: std::collections::BTreeSet<GroupId>,
}

/// An alert in a group.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// What was sent last.
    pub(super) told: Option<Status>,
    /// When its firing was delivered.
    pub(super) told_us: i64,
    /// Whether it is sent though it is over before it could be.
    pub(super) held: bool,
    /// When it last changed.
    pub(super) news_us: i64,
    /// Whether no route leads here any more: only its end is sent.
    pub(super) moved: bool,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) alerts: Vec<(AlertId, Status)>,
    pub(super) since_us: i64,
}

/// The group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) receiver: Arc<Receiver>,
    pub(super) timing: Timing,
    pub(super) escalate: Arc<[Step]>,
    pub(super) address: Option<String>,
    pub(super) labels: Labels,
    pub(super) entries: BTreeMap<AlertId, Entry>,
    pub(super) attempt: Option<Attempt>,
    pub(super) in_flight: bool,
    pub(super) tries: u32,
    /// When to try again.
    pub(super) retry_us: Option<i64>,
    pub(super) delivered_us: i64,
    pub(super) dead: String,
    /// When it is looked at next, as in the schedule.
    pub(super) planned: Option<i64>,
    /// Hash of the mark in the log.
    pub(super) marked: u64,
}

/// What the decisions of a group rest on beside itself.
pub(super) struct View<'a> {
    pub(super) alerts: &'a BTreeMap<AlertId, Alert>,
    pub(super) actions: &'a Actions,
    /// The receiver's day and the messages of that day.
    pub(super) day: &'a (String, u32),
    pub(super) now_us: i64,
}

impl Group {
    /// When to send, if ever as things stand. Marks what is held meanwhile.
    pub(super) fn plan(&mut self, view: &View<'_>) -> Option<i64> {
        if self.in_flight {
            return None;
        }
        if self.retry_us.is_some() {
            return self.retry_us;
        }
        if self.attempt.is_some() {
            return Some(view.now_us);
        }
        let mut first = None;
        let mut held = Vec::new();
        for (id, entry) in &self.entries {
            let Some(alert) = view.alerts.get(id) else { continue };
            let at_us = match self.news(id, entry, alert, view) {
                Some((status, base_us)) => {
                    let release_us = self.release(alert, status == Status::Firing, base_us, view);
                    if base_us <= view.now_us && release_us > view.now_us {
                        held.push(id.clone());
                    }
                    // What will be held is looked at when that begins, so that it is marked.
                    Some(if base_us > view.now_us { base_us } else { release_us })
                }
                None => self.repeat(id, entry, alert, view),
            };
            first = [first, at_us].into_iter().flatten().min();
        }
        for id in held {
            self.entries.entry(id).and_modify(|entry| entry.held = true);
        }
        first
    }

    /// What is new about an alert, and when it would be sent if nothing held it.
    fn news(&self, id: &str, entry: &Entry, alert: &Alert, view: &View<'_>) -> Option<(Status, i64)> {
        let base_us = |status| self.base(entry, status);
        if alert.resolved.is_some() {
            let known = entry.told.is_some() || entry.held;
            return (known && self.receiver.sends_resolved).then(|| (Status::Resolved, base_us(Status::Resolved)));
        }
        match entry.told {
            _ if entry.moved => None,
            None => {
                let base_us = base_us(Status::Firing);
                let until = view.actions.silenced_until(&alert.labels, view.now_us);
                Some((Status::Firing, until.map_or(base_us, |until| until.max(base_us))))
            }
            Some(Status::Firing)
                if self.receiver.kind.sends_acknowledged() && view.actions.acknowledged(id).is_some() =>
            {
                Some((Status::Acknowledged, view.now_us))
            }
            Some(_) => None,
        }
    }

    fn base(&self, entry: &Entry, status: Status) -> i64 {
        if self.receiver.kind.resend_us().is_some() {
            return entry.news_us;
        }
        if let Some(daily) = &self.receiver.digest {
            return daily.next_us(entry.news_us);
        }
        if !self.receiver.kind.is_grouped() && status != Status::Firing {
            return entry.news_us;
        }
        if self.delivered_us == 0 {
            let first = self.entries.values().filter(|entry| entry.told.is_none()).map(|entry| entry.news_us).min();
            return first.unwrap_or(entry.news_us) + self.timing.wait_us;
        }
        entry.news_us.max(self.delivered_us + self.timing.interval_us)
    }

    /// The same, after quiet hours and the limit of a day.
    fn release(&self, alert: &Alert, counts: bool, base_us: i64, view: &View<'_>) -> i64 {
        let mut at_us = base_us.max(view.now_us);
        if let Some(quiet) = &self.receiver.quiet
            && !alert.labels.get("severity").is_some_and(|severity| quiet.except.contains(severity))
        {
            at_us = quiet.end_us(at_us).unwrap_or(at_us);
        }
        // Ends are no burden, and close what is open.
        if let Some(most) = self.receiver.at_most
            && counts
        {
            let (day, next_us) = calendar::day(at_us, &self.receiver.zone);
            if view.day.0 == day && view.day.1 >= most {
                at_us = next_us;
            }
        }
        if at_us <= view.now_us { base_us } else { at_us }
    }

    /// When an alert without news is sent again.
    fn repeat(&self, id: &str, entry: &Entry, alert: &Alert, view: &View<'_>) -> Option<i64> {
        if entry.told.is_none() || entry.moved || alert.resolved.is_some() {
            return None;
        }
        let every_us = match self.receiver.kind.resend_us() {
            Some(every_us) => every_us,
            None if self.receiver.digest.is_some() || view.actions.acknowledged(id).is_some() => return None,
            None => self.timing.repeat_us,
        };
        let at_us = self.delivered_us + every_us;
        let at_us = view.actions.silenced_until(&alert.labels, view.now_us).map_or(at_us, |until| until.max(at_us));
        (every_us > 0).then(|| self.release(alert, true, at_us, view))
    }

    /// Begins a message of what is to be sent now, news first; none if there is nothing.
    pub(super) fn begin(&mut self, id: &GroupId, view: &View<'_>) -> Option<Attempt> {
        let resends = self.receiver.kind.resend_us().is_some();
        if let Some(attempt) = self.attempt.clone().filter(|_| !resends) {
            (self.in_flight, self.retry_us) = (true, None);
            return Some(attempt);
        }
        let (mut news, mut others, mut is_due) = (Vec::new(), Vec::new(), self.retry_us.is_some());
        for (alert_id, entry) in &self.entries {
            let Some(alert) = view.alerts.get(alert_id) else { continue };
            if let Some((status, base_us)) = self.news(alert_id, entry, alert, view) {
                if self.release(alert, status == Status::Firing, base_us, view) <= view.now_us {
                    news.push((alert_id.clone(), status));
                }
            } else if alert.resolved.is_none() && entry.told.is_some() && !entry.moved {
                is_due |= self.repeat(alert_id, entry, alert, view).is_some_and(|at_us| at_us <= view.now_us);
                let acknowledged = view.actions.acknowledged(alert_id).is_some();
                if view.actions.silenced_until(&alert.labels, view.now_us).is_none() {
                    others.push((alert_id.clone(), if acknowledged { Status::Acknowledged } else { Status::Firing }));
                }
            }
        }
        if news.is_empty() && (others.is_empty() || !is_due) {
            self.retry_us = None;
            return None;
        }
        if self.receiver.digest.is_none() {
            news.append(&mut others);
        }
        let attempt = Attempt { id: self.message_id(id, &news), alerts: news, since_us: view.now_us };
        if resends {
            // They may arrive: from now on their end has to be sent.
            for (alert_id, status) in attempt.alerts.iter().filter(|(_, status)| *status != Status::Resolved) {
                self.entries.entry(alert_id.clone()).and_modify(|entry| entry.told = Some(*status));
            }
        }
        self.attempt = Some(attempt.clone());
        (self.in_flight, self.retry_us) = (true, None);
        Some(attempt)
    }

    /// The same for the same alerts in the same states after the same delivery.
    fn message_id(&self, id: &GroupId, alerts: &[(AlertId, Status)]) -> String {
        let mut text = format!("{}\0{}\0{}", id.receiver, id.group, self.delivered_us);
        for (alert, status) in alerts {
            text += &format!("\0{alert}\0{status:?}");
        }
        format!("msg_{:032x}", xxh3_128(text.as_bytes()))
    }

    /// The message is there. Returns the alerts that are first known to the receiver now.
    pub(super) fn delivered(&mut self, now_us: i64) -> Vec<AlertId> {
        let Some(attempt) = self.attempt.take() else { return Vec::new() };
        (self.in_flight, self.retry_us, self.tries, self.delivered_us) = (false, None, 0, now_us);
        self.dead.clear();
        let mut first = Vec::new();
        for (id, status) in attempt.alerts {
            if status == Status::Resolved {
                self.entries.remove(&id);
            } else if let Some(entry) = self.entries.get_mut(&id) {
                if entry.told_us == 0 {
                    entry.told_us = now_us;
                    first.push(id);
                }
                // Who repeats by group does not know what is acknowledged at all.
                entry.told = Some(if self.receiver.kind.sends_acknowledged() { status } else { Status::Firing });
                entry.held = false;
            }
        }
        first
    }

    /// The message is not there. Returns the alerts of it if it is given up.
    pub(super) fn failed(&mut self, failure: &Failure, now_us: i64) -> Option<Attempt> {
        self.in_flight = false;
        self.tries = self.tries.saturating_add(1);
        let attempt = self.attempt.clone()?;
        let resends = self.receiver.kind.resend_us().is_some();
        let gives_up = failure.permanent || now_us - attempt.since_us >= self.receiver.give_up_us;
        if gives_up && !resends {
            self.delivered(now_us);
            self.dead.clone_from(&failure.reason);
            return Some(attempt);
        }
        let pause_us = if failure.permanent { PAUSE_US.1 } else { pause(&attempt.id, self.tries) };
        self.retry_us = Some(now_us + pause_us.max(failure.after_us));
        None
    }

    /// What the log keeps of it; none if there is nothing to keep.
    pub(super) fn mark(&self, id: &GroupId) -> Option<Notification> {
        let resends = self.receiver.kind.resend_us().is_some();
        let state = |status: Option<Status>| match status {
            None => AlertState::Inactive.into(),
            Some(Status::Firing | Status::Acknowledged) => AlertState::Firing.into(),
            Some(Status::Resolved) => AlertState::Resolved.into(),
        };
        let kept = self.entries.iter().filter(|(_, entry)| entry.told.is_some() || entry.held);
        let alerts: Vec<NotifiedAlert> = kept
            .map(|(alert, entry)| NotifiedAlert {
                alert: alert.to_string(),
                state: state(entry.told),
                at_us: if resends { 0 } else { entry.told_us },
                acknowledged: entry.told == Some(Status::Acknowledged),
            })
            .collect();
        let attempt = self.attempt.as_ref().filter(|_| !resends).map(|attempt| NotificationAttempt {
            id: attempt.id.clone(),
            alerts: attempt
                .alerts
                .iter()
                .map(|(alert, status)| NotifiedAlert {
                    alert: alert.to_string(),
                    state: state(Some(*status)),
                    at_us: 0,
                    acknowledged: *status == Status::Acknowledged,
                })
                .collect(),
            since_us: attempt.since_us,
        });
        if alerts.is_empty() && attempt.is_none() {
            return None;
        }
        let delivered_us = if resends { 0 } else { self.delivered_us };
        Some(Notification {
            key: Some(id.key()),
            alerts,
            attempt,
            delivered_us,
            dead: self.dead.clone(),
            ..Notification::default()
        })
    }

    /// Takes what the log keeps, for an alert that joins.
    pub(super) fn restore(&mut self, mark: &Notification) {
        self.delivered_us = mark.delivered_us;
        self.dead.clone_from(&mark.dead);
        self.attempt = mark.attempt.as_ref().map(|attempt| Attempt {
            id: attempt.id.clone(),
            alerts: attempt.alerts.iter().map(|alert| (alert.alert.as_str().into(), status(alert))).collect(),
            since_us: attempt.since_us,
        });
    }
}

/// What was sent of an alert.
fn status(alert: &NotifiedAlert) -> Status {
    match alert.state() {
        AlertState::Resolved => Status::Resolved,
        _ if alert.acknowledged => Status::Acknowledged,
        _ => Status::Firing,
    }
}

impl Entry {
    /// An alert of which the log knows this.
    pub(super) fn restored(mark: Option<&NotifiedAlert>, now_us: i64) -> Self {
        let told = mark.filter(|alert| alert.state() != AlertState::Inactive);
        Self {
            told: told.map(status),
            told_us: told.map_or(0, |alert| alert.at_us),
            held: mark.is_some() && told.is_none(),
            news_us: now_us,
            moved: false,
        }
    }
}

/// Why a message is not there.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// What went wrong, without secrets.
    pub reason: String,
    /// Whether trying again helps nothing.
    pub permanent: bool,
    /// How long the receiver wants to be left alone.
    pub after_us: i64,
}

/// The n-th pause: doubled each time, and spread by a quarter to either side so that receivers are not hit together.
fn pause(id: &str, tries: u32) -> i64 {
    let full = PAUSE_US.0.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(PAUSE_US.1);
    let dice = i64::try_from(xxh3_64(format!("{id} {tries}").as_bytes()) % 512).unwrap_or(0);
    full / 4 * 3 + full / 2 * dice / 512
}
