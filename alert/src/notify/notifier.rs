//! The core: what is sent to whom and when, as a fold over transitions, actions and marks. Pure: the wall clock comes in as
//! an argument, and nothing is read or sent here.
//!
//! ```text
//!   marks, actions, transitions of the past -> begin -> [ transition, action -> due -> (send) -> delivered | failed ]
//!                                                                        outputs: marks and dead letters for the log
//! ```
//! Invariants: what `due` returns is marked in `outputs` before it is sent; a receiver that fails delays no other; memory
//! holds what fires and what is undelivered, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use eventlog::{Output, Record, Stored};
use proto::{
    Message as _,
    v1::{AlertAction, AlertState, AlertTransition, Notification, NotificationKey},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    TOPIC_MARKS,
    action::Actions,
    calendar,
    config::{Config, Receiver, Step, Timing},
    group::{Alert, AlertId, Attempt, Entry, Failure, Group, GroupId, View},
    matcher::Labels,
    message::Message,
    show::{self, Status},
    telemetry,
};

/// Messages on their way to one receiver.
const IN_FLIGHT_MAX: usize = 4;

/// Something to send.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(super) group: GroupId,
    pub(super) receiver: Arc<Receiver>,
    pub(super) attempt: Attempt,
}

impl Delivery {
    /// The receiver's name.
    pub fn receiver(&self) -> &str {
        &self.receiver.name
    }

    /// Identifies the message to the receiver.
    pub fn id(&self) -> &str {
        &self.attempt.id
    }
}

/// What is known of a receiver as a whole.
#[derive(Debug, Default)]
struct Station {
    in_flight: usize,
    blocked_us: i64,
    /// The day, and the messages of it.
    day: (String, u32),
}

/// The core.
pub struct Notifier {
    config: Arc<Config>,
    alerts_topic: String,
    alerts: BTreeMap<AlertId, Alert>,
    /// The alert of a series that fires, by the bytes of its key.
    by_key: BTreeMap<Vec<u8>, AlertId>,
    groups: BTreeMap<GroupId, Group>,
    /// What the log says of groups that have no alert yet.
    marks: BTreeMap<GroupId, Notification>,
    /// The groups of an alert in those marks.
    marked: BTreeMap<AlertId, BTreeSet<GroupId>>,
    stations: BTreeMap<Arc<str>, Station>,
    schedule: BTreeSet<(i64, GroupId)>,
    /// Groups to be planned again.
    stale: BTreeSet<GroupId>,
    escalations: BTreeSet<(i64, AlertId, GroupId, usize)>,
    actions: Actions,
    outputs: Vec<Output>,
    live: bool,
    now_us: i64,
}

/// Where a route sends an alert.
struct Place {
    id: GroupId,
    receiver: Arc<Receiver>,
    timing: Timing,
    escalate: Arc<[Step]>,
    address: Option<String>,
    labels: Labels,
}

impl Notifier {
    /// One that knows nothing yet; `alerts_topic` is where its transitions come from.
    pub fn new(config: Arc<Config>, alerts_topic: &str) -> Self {
        Self {
            config,
            alerts_topic: alerts_topic.to_owned(),
            alerts: BTreeMap::new(),
            by_key: BTreeMap::new(),
            groups: BTreeMap::new(),
            marks: BTreeMap::new(),
            marked: BTreeMap::new(),
            stations: BTreeMap::new(),
            schedule: BTreeSet::new(),
            stale: BTreeSet::new(),
            escalations: BTreeSet::new(),
            actions: Actions::default(),
            outputs: Vec::new(),
            live: false,
            now_us: 0,
        }
    }

    /// Takes a mark of the past; before any transition.
    pub fn mark(&mut self, key: &NotificationKey, mark: Option<Notification>) {
        let id = GroupId::of(key);
        if id.group.is_empty() {
            let day = mark.map(|mark| (mark.day, mark.day_count)).unwrap_or_default();
            self.stations.entry(id.receiver).or_default().day = day;
            return;
        }
        match mark {
            None => drop(self.marks.remove(&id)),
            Some(mark) => drop(self.marks.insert(id, mark)),
        }
    }

    /// All marks were taken.
    pub fn marks_end(&mut self) {
        for (id, mark) in &self.marks {
            let sending = mark.attempt.iter().flat_map(|attempt| &attempt.alerts);
            for alert in mark.alerts.iter().chain(sending) {
                self.marked.entry(alert.alert.as_str().into()).or_default().insert(id.clone());
            }
        }
    }

    /// Takes an action.
    ///
    /// # Errors
    /// What is wrong with it; nothing changes then.
    pub fn action(&mut self, action: AlertAction, now_us: i64) -> Result<(), String> {
        self.now_us = now_us;
        self.actions.apply(action)?;
        self.stale.extend(self.groups.keys().cloned());
        Ok(())
    }

    /// Takes a transition.
    pub fn transition(&mut self, offset: u64, transition: AlertTransition, now_us: i64) {
        self.now_us = now_us;
        let state = transition.state();
        if !matches!(state, AlertState::Firing | AlertState::Resolved) {
            return;
        }
        let key = transition.key.clone().unwrap_or_default().encode_to_vec();
        let id = self.id_of(&transition, &key);
        if state == AlertState::Firing {
            self.by_key.insert(key, id.clone());
        } else {
            self.by_key.remove(&key);
        }
        if let Some(alert) = self.alerts.get_mut(&id) {
            alert.offset = offset;
            match state {
                AlertState::Firing => alert.firing = transition,
                _ => self.ended(&id, transition),
            }
            return;
        }
        let labels = show::labels(&transition);
        let (firing, resolved) = (transition.clone(), (state == AlertState::Resolved).then_some(transition));
        let alert = Alert { firing, resolved, labels, offset, groups: BTreeSet::new() };
        let places = if alert.resolved.is_none() { self.places(&id, &alert) } else { Vec::new() };
        self.alerts.insert(id.clone(), alert);
        for place in places {
            self.join(&id, place, false);
        }
        // Receivers that know it already, though no route leads there any more.
        for group in self.marked.remove(&id).unwrap_or_default() {
            self.join_marked(&id, group);
        }
        self.forget_if_over(&id);
    }

    /// Its id; of records without one, a name for this firing of the series.
    fn id_of(&self, transition: &AlertTransition, key: &[u8]) -> AlertId {
        if !transition.id.is_empty() {
            return transition.id.as_str().into();
        }
        match self.by_key.get(key) {
            Some(id) => id.clone(),
            None => format!("{:016x}", xxh3_64(&[key, &transition.since_us.to_le_bytes()].concat())).into(),
        }
    }

    fn ended(&mut self, id: &AlertId, transition: AlertTransition) {
        let Some(alert) = self.alerts.get_mut(id) else { return };
        alert.resolved = Some(transition);
        for group_id in alert.groups.clone() {
            let Some(group) = self.groups.get_mut(&group_id) else { continue };
            let attempted = group.attempt.iter().flat_map(|attempt| &attempt.alerts).any(|(sent, _)| sent == id);
            let sends = group.receiver.sends_resolved;
            match group.entries.get_mut(id) {
                Some(entry) if attempted || (sends && (entry.told.is_some() || entry.held)) => {
                    entry.news_us = self.now_us
                }
                _ => self.leave(id, &group_id),
            }
            self.stale.insert(group_id);
        }
        self.forget_if_over(id);
    }

    fn leave(&mut self, id: &AlertId, group_id: &GroupId) {
        if let Some(group) = self.groups.get_mut(group_id) {
            group.entries.remove(id);
        }
        if let Some(alert) = self.alerts.get_mut(id) {
            alert.groups.remove(group_id);
        }
    }

    fn forget_if_over(&mut self, id: &AlertId) {
        if self.alerts.get(id).is_some_and(|alert| alert.resolved.is_some() && alert.groups.is_empty()) {
            self.alerts.remove(id);
        }
    }

    /// Where the routes send an alert.
    fn places(&self, id: &AlertId, alert: &Alert) -> Vec<Place> {
        let routes = self.config.routes(&alert.labels);
        let place = |route: &&super::config::Route| {
            let owner = self.config.owners.get(&alert.firing.owner).filter(|_| route.to_owner);
            let name = owner.map_or(&route.receiver, |owner| &owner.receiver);
            let receiver = self.config.receivers.get(name)?.clone();
            let address = owner.and_then(|owner| owner.address.clone());
            let labels: Labels = match &route.group_by {
                None => alert.labels.clone(),
                Some(names) => names
                    .iter()
                    .filter_map(|name| alert.labels.get_key_value(name))
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect(),
            };
            let (group, labels) = match &receiver {
                _ if receiver.kind.resend_us().is_some() => ("all".to_owned(), Labels::new()),
                _ if !receiver.kind.is_grouped() || route.group_by.is_none() => (id.to_string(), labels),
                _ if receiver.digest.is_some() => ("digest".to_owned(), Labels::new()),
                _ => (format!("{{{}}}", written(&labels)), labels),
            };
            let group = address.as_ref().map_or(group.clone(), |address| format!("{address} {group}"));
            let id = GroupId { receiver: receiver.name.clone(), group: group.into() };
            Some(Place { id, receiver, timing: route.timing, escalate: route.escalate.clone(), address, labels })
        };
        routes.iter().filter_map(place).collect()
    }

    /// Puts an alert into a group, as far as the log says that it was there before.
    fn join(&mut self, id: &AlertId, place: Place, moved: bool) {
        let digests = place.receiver.digest.is_some();
        let mark = self.marks.get(&place.id);
        let group = self.groups.entry(place.id.clone()).or_insert_with(|| {
            let mut group = Group {
                receiver: place.receiver,
                timing: place.timing,
                escalate: place.escalate,
                address: place.address,
                labels: place.labels,
                entries: BTreeMap::new(),
                attempt: None,
                in_flight: false,
                tries: 0,
                retry_us: None,
                delivered_us: 0,
                dead: String::new(),
                planned: None,
                marked: 0,
            };
            mark.iter().for_each(|mark| group.restore(mark));
            group
        });
        if group.entries.contains_key(id) {
            return;
        }
        let known = mark.and_then(|mark| mark.alerts.iter().find(|alert| *alert.alert == **id));
        let mut entry = Entry::restored(known, self.now_us);
        (entry.moved, entry.held) = (moved, entry.held || (digests && self.live));
        let told_us = entry.told_us;
        group.entries.insert(id.clone(), entry);
        if let Some(alert) = self.alerts.get_mut(id) {
            alert.groups.insert(place.id.clone());
        }
        if told_us > 0 {
            self.escalate_later(id, &place.id, told_us);
        }
        self.stale.insert(place.id);
    }

    fn join_marked(&mut self, id: &AlertId, group: GroupId) {
        let Some(receiver) = self.config.receivers.get(&group.receiver).cloned() else { return };
        let timing = Timing { wait_us: 0, interval_us: 0, repeat_us: 0 };
        let place = Place { id: group, receiver, timing, escalate: Arc::new([]), address: None, labels: Labels::new() };
        self.join(id, place, true);
    }

    /// The past was read: from now on what comes is new.
    pub fn begin(&mut self, now_us: i64) {
        (self.live, self.now_us) = (true, now_us);
        let alerts = &self.alerts;
        self.actions.tidy(now_us, |id| alerts.contains_key(id));
        for (id, group) in &mut self.groups {
            for entry in group.entries.values_mut() {
                entry.held |= group.receiver.digest.is_some() && entry.told.is_none();
            }
            self.stale.insert(id.clone());
        }
    }

    /// What to send now. Their marks are in [`Notifier::outputs`], to be written first.
    pub fn due(&mut self, now_us: i64) -> Vec<Delivery> {
        self.now_us = now_us;
        if !self.live {
            return Vec::new();
        }
        self.escalate(now_us);
        self.plan();
        let mut deliveries = Vec::new();
        let due: Vec<_> = self.schedule.iter().take_while(|(at_us, _)| *at_us <= now_us).cloned().collect();
        for (at_us, id) in due {
            let station = self.stations.entry(id.receiver.clone()).or_default();
            if station.in_flight >= IN_FLIGHT_MAX || station.blocked_us > now_us {
                continue;
            }
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let view = View { alerts: &self.alerts, actions: &self.actions, day: &station.day, now_us };
            self.schedule.remove(&(at_us, id.clone()));
            group.planned = None;
            self.stale.insert(id.clone());
            if let Some(attempt) = group.begin(&id, &view) {
                station.in_flight += 1;
                deliveries.push(Delivery { receiver: group.receiver.clone(), group: id, attempt });
            }
        }
        self.plan();
        deliveries
    }

    /// Plans groups that changed, and marks them where what the log keeps of them changed.
    fn plan(&mut self) {
        for id in std::mem::take(&mut self.stale) {
            let station = self.stations.entry(id.receiver.clone()).or_default();
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let view = View { alerts: &self.alerts, actions: &self.actions, day: &station.day, now_us: self.now_us };
            let planned = group.plan(&view);
            if planned != group.planned {
                if let Some(before) = group.planned {
                    self.schedule.remove(&(before, id.clone()));
                }
                self.schedule.extend(planned.map(|at_us| (at_us, id.clone())));
                group.planned = planned;
            }
            let mark = group.mark(&id);
            let bytes = mark.map(|mark| mark.encode_to_vec());
            let hash = bytes.as_ref().map_or(0, |bytes| xxh3_64(bytes));
            if hash != group.marked {
                group.marked = hash;
                self.outputs.push(output(&id.key(), bytes, self.now_us));
            }
            if group.entries.is_empty() && group.attempt.is_none() {
                self.groups.remove(&id);
                self.marks.remove(&id);
            }
        }
    }

    /// The message is there.
    pub fn delivered(&mut self, delivery: &Delivery, now_us: i64) {
        self.now_us = now_us;
        telemetry::message(&delivery.receiver.name, "delivered");
        let resolved = delivery.attempt.alerts.iter().filter(|(_, status)| *status == Status::Resolved);
        let gone: Vec<AlertId> = resolved.map(|(id, _)| id.clone()).collect();
        let Some(group) = self.groups.get_mut(&delivery.group) else { return };
        let first = group.delivered(now_us);
        let station = self.stations.entry(delivery.receiver.name.clone()).or_default();
        station.in_flight = station.in_flight.saturating_sub(1);
        let repeats = delivery.attempt.alerts.iter().all(|(_, status)| *status == Status::Firing);
        if (repeats || !first.is_empty()) && delivery.receiver.at_most.is_some() {
            self.count(&delivery.receiver, now_us);
        }
        for id in first {
            self.escalate_later(&id, &delivery.group, now_us);
        }
        self.over(&delivery.group, gone);
    }

    /// Alerts whose end is known to the receiver, or that ended before they were.
    fn over(&mut self, group: &GroupId, gone: Vec<AlertId>) {
        for id in gone {
            self.leave(&id, group);
            self.forget_if_over(&id);
        }
        let sends = self.groups.get(group).is_none_or(|group| group.receiver.sends_resolved);
        let ended: Vec<AlertId> = self.groups.get(group).map_or_else(Vec::new, |group| {
            let over = |id: &&AlertId| self.alerts.get(*id).is_some_and(|alert| alert.resolved.is_some());
            group.entries.keys().filter(|_| !sends).filter(over).cloned().collect()
        });
        for id in ended {
            self.leave(&id, group);
            self.forget_if_over(&id);
        }
        self.stale.insert(group.clone());
    }

    /// One more message of the day.
    fn count(&mut self, receiver: &Receiver, now_us: i64) {
        let (day, _) = calendar::day(now_us, &receiver.zone);
        let station = self.stations.entry(receiver.name.clone()).or_default();
        if station.day.0 != day {
            station.day = (day, 0);
        }
        station.day.1 += 1;
        let key = NotificationKey { receiver: receiver.name.to_string(), group: String::new() };
        let (day, day_count) = station.day.clone();
        let mark = Notification { key: Some(key.clone()), day, day_count, ..Notification::default() };
        self.outputs.push(output(&key, Some(mark.encode_to_vec()), now_us));
        self.stale.extend(self.groups.keys().filter(|id| id.receiver == receiver.name).cloned());
    }

    /// The message is not there.
    pub fn failed(&mut self, delivery: &Delivery, failure: &Failure, now_us: i64) {
        self.now_us = now_us;
        let name = &delivery.receiver.name;
        let station = self.stations.entry(name.clone()).or_default();
        station.in_flight = station.in_flight.saturating_sub(1);
        if failure.after_us > 0 {
            station.blocked_us = now_us + failure.after_us;
        }
        let Some(group) = self.groups.get_mut(&delivery.group) else { return };
        let given_up = group.failed(failure, now_us);
        self.stale.insert(delivery.group.clone());
        let id = delivery.id();
        let Some(attempt) = given_up else {
            tracing::warn!(
                receiver = name.as_ref(),
                id,
                reason = failure.reason,
                "a notification failed, and is tried again"
            );
            telemetry::message(name, "failed");
            return;
        };
        tracing::error!(
            receiver = name.as_ref(),
            id,
            reason = failure.reason,
            "a notification is given up: it is a dead letter"
        );
        telemetry::message(name, "dead");
        for (alert, _) in &attempt.alerts {
            self.outputs.extend(self.dead_letter(alert, name, &failure.reason));
        }
        let resolved = attempt.alerts.into_iter().filter(|(_, status)| *status == Status::Resolved);
        let gone = resolved.map(|(id, _)| id).collect();
        self.over(&delivery.group, gone);
    }

    fn dead_letter(&self, id: &AlertId, receiver: &str, reason: &str) -> Option<Output> {
        let alert = self.alerts.get(id)?;
        let transition = alert.resolved.as_ref().unwrap_or(&alert.firing);
        let record = Record {
            key: transition.key.clone().unwrap_or_default().encode_to_vec().into(),
            value: Some(transition.encode_to_vec().into()),
            headers: Vec::new(),
            timestamp_us: self.now_us,
        };
        let stored = Stored { offset: alert.offset, record };
        Some(task::dead::letter(&self.alerts_topic, 0, &stored, &format!("notify {receiver}"), reason))
    }

    fn escalate_later(&mut self, id: &AlertId, group: &GroupId, told_us: i64) {
        let Some(steps) = self.groups.get(group).map(|group| group.escalate.clone()) else { return };
        for (at, step) in steps.iter().enumerate() {
            self.escalations.insert((told_us + step.after_us, id.clone(), group.clone(), at));
        }
    }

    /// Alerts that nobody acknowledged go to the next receiver.
    fn escalate(&mut self, now_us: i64) {
        while let Some((at_us, id, from, at)) = self.escalations.first().cloned() {
            if at_us > now_us {
                return;
            }
            self.escalations.pop_first();
            let Some(alert) = self.alerts.get(&id) else { continue };
            if alert.resolved.is_some() || self.actions.acknowledged(&id).is_some() {
                continue;
            }
            if let Some(until_us) = self.actions.silenced_until(&alert.labels, now_us) {
                self.escalations.insert((until_us, id, from, at));
                continue;
            }
            let Some((step, group)) = self.groups.get(&from).and_then(|group| Some((group.escalate.get(at)?, group)))
            else {
                continue;
            };
            let Some(receiver) = self.config.receivers.get(&step.to).cloned() else { continue };
            let resends = receiver.kind.resend_us().is_some();
            let group_key = if resends { "all".to_owned() } else { format!("escalated {}", from.group) };
            let place = Place {
                id: GroupId { receiver: receiver.name.clone(), group: group_key.into() },
                timing: Timing { wait_us: 0, ..group.timing },
                escalate: Arc::new([]),
                address: None,
                labels: group.labels.clone(),
                receiver,
            };
            self.join(&id, place, false);
            // It may be there by its mark, as one that no route leads to.
        }
    }

    /// The message of a delivery, as of now.
    pub(super) fn message(&self, delivery: &Delivery, now_us: i64) -> Message {
        let receiver = &delivery.receiver;
        let shown = |(id, status): &(AlertId, Status)| {
            let alert = self.alerts.get(id)?;
            let view = show::View {
                id,
                status: *status,
                firing: &alert.firing,
                resolved: alert.resolved.as_ref(),
                external_url: &self.config.external_url,
                zone: &receiver.zone,
            };
            Some(view.shown())
        };
        let alerts: Vec<_> = delivery.attempt.alerts.iter().filter_map(shown).collect();
        let group = self.groups.get(&delivery.group);
        let message = Message {
            id: delivery.attempt.id.clone(),
            receiver: receiver.name.to_string(),
            status: alerts.iter().map(|alert| alert.status).min().unwrap_or(Status::Resolved),
            test: false,
            digest: receiver.digest.is_some(),
            group_key: format!("{}/{}", delivery.group.receiver, delivery.group.group),
            group_labels: group.map(|group| group.labels.clone()).unwrap_or_default(),
            alerts,
            truncated: 0,
            external_url: self.config.external_url.clone(),
            note: self.note(receiver, now_us),
            address: group.and_then(|group| group.address.clone()),
            sent_us: now_us,
            title: String::new(),
            body: String::new(),
        };
        message.finish(receiver)
    }

    /// That the limit of the day is reached by this message.
    fn note(&self, receiver: &Receiver, now_us: i64) -> String {
        let Some(most) = receiver.at_most else { return String::new() };
        let (day, _) = calendar::day(now_us, &receiver.zone);
        let sent =
            self.stations.get(&receiver.name).filter(|station| station.day.0 == day).map_or(0, |station| station.day.1);
        if sent + 1 < most {
            return String::new();
        }
        format!("This is message {} of at most {most} today. Further alerts follow together after midnight.", sent + 1)
    }

    /// Marks and dead letters for the log.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Reports how much there is.
    pub(super) fn report(&self) {
        let firing = self.alerts.values().filter(|alert| alert.resolved.is_none());
        let silenced = firing.clone().filter(|alert| self.actions.silenced_until(&alert.labels, self.now_us).is_some());
        let pending = self.groups.values().filter_map(|group| group.attempt.as_ref());
        let oldest = pending.clone().map(|attempt| self.now_us - attempt.since_us).max().unwrap_or(0);
        telemetry::state(pending.count(), oldest, firing.count(), silenced.count());
    }
}

/// A record of `notifications.v1`.
fn output(key: &NotificationKey, value: Option<Vec<u8>>, now_us: i64) -> Output {
    let record = Record {
        key: key.encode_to_vec().into(),
        value: value.map(Into::into),
        headers: Vec::new(),
        timestamp_us: now_us,
    };
    Output { topic: TOPIC_MARKS.into(), partition: 0, record }
}

/// Labels as one text.
fn written(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
