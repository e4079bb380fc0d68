//! The core with a simulated clock: no network, no log. [`Sim`] keeps the outputs as the log would, so that a restart is a
//! new notifier that reads them.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::Output;
use proptest::prelude::*;
use proto::{
    Message as _,
    v1::{AlertKey, AlertState, AlertTransition, Dimension, Notification, NotificationKey},
};

use super::*;
use crate::notify::{action::Asked, config::Config};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// 2026-01-15, a Thursday, 12:00 UTC.
const NOON: i64 = 1_768_478_400 * SECOND;

const BASE: &str = "
route:
  receiver: hook
  group_by: [rule]
  repeat_interval: 4h
receivers:
  - name: hook
    webhook: {url: 'https://hook.example'}
";

/// A notifier, its log and its receivers.
struct Sim {
    config: Arc<Config>,
    notifier: Notifier,
    now_us: i64,
    transitions: Vec<AlertTransition>,
    actions: Vec<AlertAction>,
    marks: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    dead: Vec<Output>,
    /// Receivers that are down.
    down: Vec<&'static str>,
    /// (seconds since noon, receiver, `alert state, ...`) of what was delivered.
    sent: Vec<(i64, String, String)>,
    ids: Vec<String>,
    attempts: usize,
}

impl Sim {
    fn new(yaml: &str) -> Self {
        let config = Arc::new(Config::parse(yaml).unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
        let mut notifier = Notifier::new(config.clone(), "alerts.v1");
        notifier.begin(NOON);
        Self {
            config,
            notifier,
            now_us: NOON,
            transitions: Vec::new(),
            actions: Vec::new(),
            marks: BTreeMap::new(),
            dead: Vec::new(),
            down: Vec::new(),
            sent: Vec::new(),
            ids: Vec::new(),
            attempts: 0,
        }
    }

    fn put(&mut self, id: &str, state: AlertState, labels: &[(&str, &str)]) {
        let pair = |(name, value): &(&str, &str)| Dimension { name: (*name).to_owned(), value: (*value).to_owned() };
        let of = |wanted: &str| labels.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        let transition = AlertTransition {
            id: id.to_owned(),
            key: Some(AlertKey {
                rule: of("rule").unwrap_or("churn".to_owned()),
                account: Some(id.to_owned()),
                ..AlertKey::default()
            }),
            state: state.into(),
            owner: of("owner").unwrap_or_default(),
            labels: labels.iter().filter(|(name, _)| *name == "severity").map(pair).collect(),
            at_us: self.now_us,
            fired_us: Some(self.now_us),
            value: Some(41.5),
            ..AlertTransition::default()
        };
        self.transitions.push(transition.clone());
        self.notifier.transition(u64::try_from(self.transitions.len()).unwrap(), transition, self.now_us);
    }

    fn fires(&mut self, id: &str) {
        self.put(id, AlertState::Firing, &[]);
    }

    fn ends(&mut self, id: &str) {
        self.put(id, AlertState::Resolved, &[]);
    }

    fn asks(&mut self, asked: &Asked) -> String {
        let action = asked.action(self.now_us).unwrap();
        self.actions.push(action.clone());
        self.notifier.action(action.clone(), self.now_us).unwrap();
        action.id
    }

    fn keep(&mut self) {
        for output in self.notifier.outputs() {
            if &*output.topic == TOPIC_MARKS {
                self.marks.insert(output.record.key.to_vec(), output.record.value.map(|value| value.to_vec()));
            } else {
                self.dead.push(output);
            }
        }
    }

    /// One round of the loop; what is sent arrives or not.
    fn round(&mut self) {
        let due = self.notifier.due(self.now_us);
        self.keep();
        for delivery in due {
            self.attempts += 1;
            if self.down.contains(&delivery.receiver()) {
                let failure = Failure { reason: "down".to_owned(), ..Failure::default() };
                self.notifier.failed(&delivery, &failure, self.now_us);
            } else {
                self.arrived(&delivery);
                self.notifier.delivered(&delivery, self.now_us);
            }
        }
        self.notifier.due(i64::MIN);
        self.keep();
    }

    fn arrived(&mut self, delivery: &Delivery) {
        let message = self.notifier.message(delivery, self.now_us);
        let alerts: Vec<String> =
            message.alerts.iter().map(|alert| format!("{} {:?}", alert.id, alert.status)).collect();
        let seconds = (self.now_us - NOON) / SECOND;
        self.sent.push((seconds, delivery.receiver().to_owned(), alerts.join(", ")));
        self.ids.push(delivery.id().to_owned());
    }

    /// Time goes on, second by second.
    fn goes(&mut self, span_us: i64) {
        let end = self.now_us + span_us;
        while self.now_us < end {
            self.now_us += SECOND;
            self.round();
        }
    }

    /// A new process reads the log.
    fn restart(&mut self) {
        let mut notifier = Notifier::new(self.config.clone(), "alerts.v1");
        for (key, mark) in &self.marks {
            let key = NotificationKey::decode(key.as_slice()).unwrap();
            notifier.mark(&key, mark.as_ref().map(|mark| Notification::decode(mark.as_slice()).unwrap()));
        }
        notifier.marks_end();
        for action in &self.actions {
            notifier.action(action.clone(), self.now_us).unwrap();
        }
        for (offset, transition) in self.transitions.iter().enumerate() {
            notifier.transition(u64::try_from(offset).unwrap(), transition.clone(), self.now_us);
        }
        notifier.begin(self.now_us);
        self.notifier = notifier;
    }

    fn lines(&self) -> Vec<String> {
        self.sent.iter().map(|(at, receiver, alerts)| format!("{at} {receiver}: {alerts}")).collect()
    }
}

#[test]
fn a_group_waits_then_sends_then_sends_what_is_new() {
    let mut sim = Sim::new(BASE);
    sim.fires("a");
    sim.goes(10 * SECOND);
    sim.fires("b");
    sim.fires("gone");
    sim.ends("gone");
    sim.goes(MINUTE);
    sim.ends("a");
    sim.goes(5 * MINUTE);
    sim.ends("b");
    sim.goes(HOUR);
    assert_eq!(
        sim.lines(),
        ["30 hook: a Firing, b Firing", "330 hook: a Resolved, b Firing", "630 hook: b Resolved"],
        "what ended before it could be sent is not sent"
    );
    assert!(sim.marks.values().all(Option::is_none), "nothing is kept of what is over");
}

#[test]
fn what_fires_is_repeated_until_somebody_acknowledges() {
    let mut sim = Sim::new(BASE);
    sim.fires("a");
    sim.goes(5 * HOUR);
    sim.asks(&Asked { ack: Some("a".to_owned()), by: "anna".to_owned(), ..Asked::default() });
    sim.goes(12 * HOUR);
    sim.ends("a");
    sim.goes(HOUR);
    assert_eq!(sim.lines()[..2], ["30 hook: a Firing", "14430 hook: a Firing"]);
    assert_eq!(sim.sent.len(), 3, "{:?}", sim.lines());
    assert_ne!(sim.ids[0], sim.ids[1], "a repeat is a message of its own");
}

#[test]
fn a_receiver_that_is_down_for_an_hour_gets_everything_in_order_and_delays_nobody() {
    let yaml = BASE.replace("receivers:", "  routes: [{receiver: other, continue: true}, {receiver: hook}]\nreceivers:\n  - {name: other, webhook: {url: 'https://other.example'}}");
    let mut sim = Sim::new(&yaml);
    sim.down = vec!["hook"];
    sim.fires("a");
    sim.goes(30 * MINUTE);
    sim.ends("a");
    sim.fires("b");
    sim.goes(30 * MINUTE);
    assert!((15..30).contains(&sim.attempts), "{} attempts in an hour", sim.attempts);
    assert_eq!(sim.lines()[..2], ["30 other: a Firing", "1801 other: a Resolved, b Firing"]);
    sim.down.clear();
    sim.goes(HOUR);
    let hook: Vec<_> = sim.sent.iter().filter(|(_, receiver, _)| receiver == "hook").collect();
    assert!(hook[0].0 < 3600 + 375, "within the longest pause: {hook:?}");
    assert_eq!([&*hook[0].2, &*hook[1].2], ["a Firing", "a Resolved, b Firing"], "the firing comes before its end");
    assert_eq!(sim.dead, Vec::new());
}

#[test]
fn retry_after_is_waited_for() {
    let mut sim = Sim::new(BASE);
    sim.fires("a");
    sim.now_us += 30 * SECOND;
    let delivery = sim.notifier.due(sim.now_us).remove(0);
    let failure = Failure { reason: "429".to_owned(), permanent: false, after_us: 10 * MINUTE };
    sim.notifier.failed(&delivery, &failure, sim.now_us);
    sim.put("b", AlertState::Firing, &[("rule", "other")]);
    sim.goes(HOUR);
    let mut lines = sim.lines();
    lines.sort();
    assert_eq!(lines, ["630 hook: a Firing", "630 hook: b Firing"], "the whole receiver is left alone");
}

#[test]
fn what_is_refused_or_fails_for_too_long_is_a_dead_letter() {
    let mut sim = Sim::new(&BASE.replace("webhook:", "give_up_after: 1h\n    webhook:"));
    sim.down = vec!["hook"];
    sim.fires("a");
    sim.goes(2 * HOUR);
    assert_eq!(sim.dead.len(), 1);
    let letter = task::dead::detail(&sim.dead[0].record).unwrap();
    assert_eq!((letter.stage.as_str(), letter.reason.as_str(), letter.offset), ("notify hook", "down", 1));
    let kept = AlertTransition::decode(sim.dead[0].record.value.clone().unwrap()).unwrap();
    assert_eq!(kept.id, "a");

    // It may have arrived: its end is sent.
    sim.down.clear();
    sim.ends("a");
    sim.goes(HOUR);
    assert_eq!(sim.sent.len(), 1);
    assert_eq!(sim.sent[0].2, "a Resolved");
}

#[test]
fn a_crash_between_sending_and_marking_sends_again_with_the_same_id() {
    let mut sim = Sim::new(BASE);
    sim.fires("a");
    sim.now_us += 30 * SECOND;
    let delivery = sim.notifier.due(sim.now_us).remove(0);
    sim.keep();
    sim.arrived(&delivery);
    // Killed here: the receiver has it, the log does not know.
    sim.fires("b");
    sim.ends("a");
    sim.restart();
    sim.goes(HOUR);
    assert_eq!(sim.ids[0], sim.ids[1]);
    assert_eq!(sim.sent[0].2, sim.sent[1].2, "with the same content");
    assert_eq!(sim.sent[2].2, "a Resolved, b Firing");

    let sent = sim.sent.len();
    sim.restart();
    sim.goes(HOUR);
    assert_eq!(sim.sent.len(), sent, "after a delivery was marked nothing is sent again: {:?}", sim.lines());
}

#[test]
fn a_silence_holds_until_it_ends() {
    let mut sim = Sim::new(BASE);
    let silence =
        sim.asks(&Asked { silence: vec!["rule=~ch.*".to_owned()], lasts: Some("2h".to_owned()), ..Asked::default() });
    sim.fires("a");
    sim.fires("b");
    sim.goes(HOUR);
    sim.restart();
    sim.ends("b");
    assert_eq!(sim.lines(), Vec::<String>::new());
    sim.goes(HOUR + MINUTE);
    assert_eq!(sim.lines(), ["7200 hook: a Firing"], "what still fires is sent");

    let again =
        sim.asks(&Asked { silence: vec!["account=c".to_owned()], lasts: Some("2h".to_owned()), ..Asked::default() });
    sim.fires("c");
    sim.goes(30 * MINUTE);
    assert_eq!(sim.sent.len(), 1);
    assert_ne!(silence, again);
    sim.asks(&Asked { end: Some(again), ..Asked::default() });
    sim.goes(MINUTE);
    assert_eq!(sim.sent.last().unwrap().2, "c Firing, a Firing");
}

#[test]
fn nobody_acknowledges_so_it_is_escalated_once() {
    let yaml = BASE.replace("repeat_interval: 4h", "repeat_interval: 0s\n  escalate: [{after: 30m, to: boss}]")
        + "  - {name: boss, webhook: {url: 'https://boss.example'}}\n";
    let mut sim = Sim::new(&yaml);
    sim.fires("a");
    sim.put("b", AlertState::Firing, &[("rule", "other")]);
    sim.goes(10 * MINUTE);
    sim.asks(&Asked { ack: Some("b".to_owned()), ..Asked::default() });
    sim.goes(10 * MINUTE);
    sim.restart();
    sim.goes(3 * HOUR);
    sim.restart();
    sim.goes(HOUR);
    let boss: Vec<_> = sim.sent.iter().filter(|(_, receiver, _)| receiver == "boss").collect();
    assert_eq!(boss, [&(1830, "boss".to_owned(), "a Firing".to_owned())]);
    sim.ends("a");
    sim.goes(HOUR);
    assert_eq!(
        sim.sent.iter().filter(|(_, _, alerts)| alerts == "a Resolved").count(),
        2,
        "both are notified of its end"
    );
}

#[test]
fn quiet_hours_hold_all_but_what_is_excepted_and_lose_nothing() {
    let quiet = "quiet: {from: '13:00', to: '15:00', except: [critical]}\n    webhook:";
    let mut sim = Sim::new(&BASE.replace("webhook:", quiet));
    sim.goes(HOUR);
    sim.fires("a");
    sim.fires("short");
    sim.put("bad", AlertState::Firing, &[("severity", "critical"), ("rule", "other")]);
    sim.goes(30 * MINUTE);
    sim.ends("short");
    sim.restart();
    sim.goes(3 * HOUR);
    assert_eq!(sim.lines()[0], "3630 hook: bad Firing");
    assert_eq!(sim.lines()[1], "10800 hook: a Firing, short Resolved", "what came and went is not lost");
    assert_eq!(sim.sent.len(), 2);
}

#[test]
fn a_digest_collects_and_comes_at_its_time() {
    let mut sim = Sim::new(&BASE.replace("webhook:", "digest: daily 14:00\n    webhook:"));
    sim.fires("a");
    sim.put("b", AlertState::Firing, &[("rule", "other")]);
    sim.round();
    sim.restart();
    sim.ends("b");
    sim.goes(5 * HOUR);
    assert_eq!(sim.lines(), ["7200 hook: a Firing, b Resolved"]);
    sim.goes(48 * HOUR);
    assert_eq!(sim.sent.len(), 1, "nothing new, no digest");
    sim.ends("a");
    sim.goes(24 * HOUR);
    assert_eq!(sim.sent[1].2, "a Resolved");
}

#[test]
fn at_most_so_many_a_day_and_the_rest_together() {
    let mut sim = Sim::new(
        &BASE
            .replace("group_by: [rule]", "group_by: [rule]\n  group_interval: 1m")
            .replace("webhook:", "at_most: 2 per day\n    webhook:"),
    );
    for id in ["a", "b", "c", "d"] {
        sim.fires(id);
        sim.goes(10 * MINUTE);
        sim.restart();
    }
    let ends = sim.sent.len();
    assert_eq!(ends, 2, "{:?}", sim.lines());
    sim.goes(12 * HOUR);
    assert_eq!(sim.sent.len(), 3);
    assert!(sim.sent[2].2.starts_with("c Firing, d Firing"), "{:?}", sim.lines());
    assert_eq!(sim.sent[2].0, 12 * 3600, "after midnight");
}

#[test]
fn owners_get_their_own_by_their_address() {
    let yaml = "
route: {receiver: team, to_owner: true}
receivers:
  - name: team
    webhook: {url: 'https://team.example'}
  - name: mail
    email: {smtp: mail.example, from: vitals@example.com, to: [all@example.com]}
owners:
  anna: {receiver: mail, address: anna@example.com}
";
    let mut sim = Sim::new(yaml);
    sim.put("a", AlertState::Firing, &[("owner", "anna")]);
    sim.put("b", AlertState::Firing, &[("owner", "nobody")]);
    sim.now_us += 30 * SECOND;
    let due = sim.notifier.due(sim.now_us);
    let of = |name: &str| due.iter().find(|delivery| delivery.receiver() == name).unwrap();
    let mail = sim.notifier.message(of("mail"), sim.now_us);
    assert_eq!((mail.address.as_deref(), mail.alerts[0].id.as_str()), (Some("anna@example.com"), "a"));
    assert_eq!(sim.notifier.message(of("team"), sim.now_us).alerts[0].id, "b");
}

#[test]
fn alertmanager_gets_everything_that_fires_again_and_again_and_the_end() {
    let yaml = "
route: {receiver: am}
receivers: [{name: am, alertmanager: {url: 'http://am.example:9093'}}]
";
    let mut sim = Sim::new(yaml);
    sim.fires("a");
    sim.goes(SECOND);
    sim.put("b", AlertState::Firing, &[("rule", "other")]);
    sim.goes(70 * SECOND);
    assert_eq!(sim.lines(), ["1 am: a Firing", "2 am: b Firing, a Firing", "62 am: a Firing, b Firing"]);
    let marks = sim.marks.clone();
    sim.goes(10 * MINUTE);
    assert_eq!(sim.marks, marks, "sending again is not worth a record");
    sim.down = vec!["am"];
    sim.goes(10 * SECOND);
    sim.ends("a");
    sim.goes(MINUTE);
    sim.restart();
    sim.down.clear();
    sim.goes(5 * SECOND);
    assert_eq!(sim.sent.last().unwrap().2, "a Resolved, b Firing");
    sim.goes(5 * MINUTE);
    assert_eq!(sim.sent.last().unwrap().2, "b Firing");
}

#[test]
fn a_receiver_that_no_route_leads_to_any_more_is_told_the_end() {
    let both = format!("{BASE}  - {{name: other, webhook: {{url: 'https://other.example'}}}}\n");
    let mut sim = Sim::new(&both);
    sim.fires("a");
    sim.goes(MINUTE);
    sim.config = Arc::new(Config::parse(&both.replace("receiver: hook", "receiver: other")).unwrap());
    sim.restart();
    sim.goes(HOUR);
    sim.ends("a");
    sim.goes(HOUR);
    assert_eq!(sim.lines()[..2], ["30 hook: a Firing", "90 other: a Firing"]);
    let mut ends: Vec<_> = sim.sent[2..].iter().map(|(_, receiver, alerts)| format!("{receiver}: {alerts}")).collect();
    ends.sort();
    assert_eq!(ends, ["hook: a Resolved", "other: a Resolved"]);
}

/// What may happen to a notifier.
#[derive(Debug, Clone, Copy)]
enum Step {
    Fires(u8),
    Ends(u8),
    Goes(u16),
    Down,
    Up,
    Restart,
    /// Sent, and killed before it was marked.
    Killed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6_u8).prop_map(Step::Fires),
        3 => (0..6_u8).prop_map(Step::Ends),
        4 => (1..400_u16).prop_map(Step::Goes),
        1 => Just(Step::Down),
        1 => Just(Step::Up),
        1 => Just(Step::Restart),
        1 => Just(Step::Killed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: the firing of an alert comes before its end, what still fires is known in the end, of what ended
    /// after it was sent the end is known, and the same id always has the same content.
    #[test]
    fn every_alert_is_delivered_in_order_whatever_happens(steps in proptest::collection::vec(step(), 1..60)) {
        let mut sim = Sim::new(BASE);
        let mut firing: BTreeMap<u8, String> = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Fires(series) => {
                    let id = format!("{series}-{number}");
                    if let std::collections::btree_map::Entry::Vacant(free) = firing.entry(series) {
                        sim.fires(&id);
                        free.insert(id);
                    }
                }
                Step::Ends(series) => {
                    if let Some(id) = firing.remove(&series) {
                        sim.ends(&id);
                    }
                }
                Step::Goes(seconds) => sim.goes(i64::from(seconds) * SECOND),
                Step::Down => sim.down = vec!["hook"],
                Step::Up => sim.down.clear(),
                Step::Restart => sim.restart(),
                Step::Killed => {
                    let due = sim.notifier.due(sim.now_us);
                    sim.keep();
                    due.iter().for_each(|delivery| sim.arrived(delivery));
                    sim.restart();
                }
            }
        }
        sim.down.clear();
        sim.goes(2 * HOUR);

        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut contents: BTreeMap<&String, &String> = BTreeMap::new();
        for ((_, _, alerts), id) in sim.sent.iter().zip(&sim.ids) {
            prop_assert_eq!(contents.entry(id).or_insert(alerts), &alerts);
            for alert in alerts.split(", ") {
                let (id, state) = alert.split_once(' ').unwrap();
                let before = known.insert(id.to_owned(), state.to_owned());
                prop_assert!(state == "Firing" || before.is_some(), "{} ended before it fired: {:?}", id, sim.lines());
            }
        }
        for id in firing.values() {
            prop_assert_eq!(known.get(id).map(String::as_str), Some("Firing"), "{:?}", sim.lines());
        }
        for (id, state) in &known {
            prop_assert!(state == "Resolved" || firing.values().any(|alert| alert == id), "{} never ended", id);
        }
    }
}
