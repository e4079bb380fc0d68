//! The state machine: inactive, pending, firing, resolved, as a pure function of snapshots and time.
//!
//! Invariants:
//! - a snapshot of a window before the latest one is a correction of the past: conditions may remember it, nothing is judged;
//!   one of a lower revision, and the same snapshot again, change nothing; of one instant later windows count after earlier ones;
//! - a snapshot is judged at its revision; what time alone brings about is dated by the exact due time (`since`), and happens
//!   before any later snapshot, so it does not matter how often ticks come;
//! - a step at one instant leads to no due time at or before it.
//!
//! ```text
//!     inactive --holds--> pending --held for `for`--> firing --ceased, and `keep_firing_for` passed--> resolved
//!         ^------ceased-----'                                                                (inactive again)
//! ```

use processor_core::calendar::{DAY, SECOND, Time};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    condition::{Answer, Context},
    rule::{Rule, Stream},
    series::{Alert, Before, Phase, State},
    snapshot::{Outlook, Series, Snapshot, decimal},
    transition::{Into, Reason, Transition},
};

/// What makes an alert be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A snapshot that has just come.
    Snapshot,
    /// Another projection of the snapshot, which came at this instant.
    Outlook(Time),
    /// A due time; the second one is the instant that it is published at.
    Due(Time, Time),
    /// A change of the rules, at this clock.
    Rules(Time),
}

impl State {
    /// Takes a snapshot of this series.
    pub(crate) fn snapshot(&mut self, stream: &Stream, snapshot: Snapshot, out: &mut Vec<Transition>) {
        self.fire_before(stream, snapshot.revision, out);
        if self.warm(stream, snapshot) {
            for rule in 0..stream.rules.len() {
                self.step(stream, rule, Cause::Snapshot, out);
            }
        }
    }

    /// Takes a snapshot of this series, and judges nothing. Returns whether it is to be judged.
    pub(crate) fn warm(&mut self, stream: &Stream, snapshot: Snapshot) -> bool {
        if let Some(last) = &self.last {
            let (seen, this) = ((last.start(), last.revision), (snapshot.start(), snapshot.revision));
            if this.1 < seen.1 || this == seen {
                return false;
            }
            if this.0 < seen.0 {
                self.remember(stream, &snapshot, true);
                return false;
            }
        }
        self.before = self.last.take().map(|last| Before {
            value: last.number().map(|number| number.to_f64()),
            at: last.revision,
            contributions: last.contributions,
        });
        self.remember(stream, &snapshot, false);
        self.last = Some(snapshot);
        true
    }

    /// Takes another projection of its latest snapshot: only rules that read projections look at it.
    pub(crate) fn outlook(&mut self, stream: &Stream, outlook: Outlook, out: &mut Vec<Transition>) {
        self.fire_before(stream, outlook.revision, out);
        let revision = outlook.revision;
        if self.warm_outlook(outlook) {
            let reads = |rule: &usize| stream.rules[*rule].check.reads_projection();
            for rule in (0..stream.rules.len()).filter(reads) {
                self.step(stream, rule, Cause::Outlook(revision), out);
            }
        }
    }

    /// Takes another projection, and judges nothing. Returns whether it is to be judged.
    pub(crate) fn warm_outlook(&mut self, outlook: Outlook) -> bool {
        let Some(last) = self.last.as_mut().filter(|last| last.revision < outlook.revision) else { return false };
        (last.projection, last.traits) = (outlook.projection, outlook.traits);
        true
    }

    /// What is due first happens. Who calls it knows that the clock has come to [`second`] of that.
    pub(crate) fn fire_due(&mut self, stream: &Stream, out: &mut Vec<Transition>) {
        if let Some((due, rule)) = self.due() {
            self.step(stream, rule, Cause::Due(due, second(due)), out);
        }
    }

    /// Everything due before a snapshot.
    fn fire_before(&mut self, stream: &Stream, revision: Time, out: &mut Vec<Transition>) {
        while let Some((due, rule)) = self.due().filter(|(due, _)| *due < revision) {
            self.step(stream, rule, Cause::Due(due, second(due).min(revision)), out);
        }
    }

    /// The rules of its stream become others, at this clock. An alert whose rule is still there goes on, if the condition still
    /// holds; one whose rule is gone is resolved.
    pub(crate) fn change(&mut self, old: &Stream, new: &Stream, clock: Time, out: &mut Vec<Transition>) {
        let known = std::mem::take(&mut self.alerts);
        let Some(last) = self.last.clone() else { return };
        let mut carried = Vec::new();
        for (place, mut alert) in known {
            let rule = &old.rules[place];
            match new.rules.iter().position(|other| other.name == rule.name) {
                Some(place) => carried.push((place, alert)),
                None => {
                    let answer = Answer::default();
                    let rests_on = (&last, self.before.as_ref(), &answer);
                    out.extend(alert.end(rule, Reason::Removed, (clock, clock), rests_on));
                }
            }
        }
        carried.sort_by_key(|(place, _)| *place);
        self.alerts = carried;
        for (place, rule) in new.rules.iter().enumerate() {
            let same = old.rules.iter().find(|other| other.name == rule.name);
            if same.is_none_or(|same| same.check.words() != rule.check.words()) {
                let mut alert = self.take(place);
                alert.memory.clear();
                rule.check.remember(&mut alert.memory, &context(&last, None, last.revision, false), false);
                self.put(place, alert);
            }
            self.step(new, place, Cause::Rules(clock), out);
        }
    }

    fn remember(&mut self, stream: &Stream, snapshot: &Snapshot, is_past: bool) {
        for (place, rule) in stream.rules.iter().enumerate() {
            let mut alert = self.take(place);
            let context = context(snapshot, self.before.as_ref(), snapshot.revision, alert.phase != Phase::Inactive);
            rule.check.remember(&mut alert.memory, &context, is_past);
            self.put(place, alert);
        }
    }

    fn step(&mut self, stream: &Stream, place: usize, cause: Cause, out: &mut Vec<Transition>) {
        let mut alert = self.take(place);
        let snapshot = self.last.as_ref().expect("an alert is looked at after a snapshot");
        let step = Step { rule: &stream.rules[place], snapshot, before: self.before.as_ref(), cause };
        step.judge(&mut alert, out);
        let now = step.now();
        assert!(alert.due.is_none_or(|due| due > now), "a step leads to no due time at or before it");
        self.put(place, alert);
    }
}

impl Alert {
    /// Ends it: a firing one is resolved, a pending one is inactive.
    fn end(
        &mut self,
        rule: &Rule,
        reason: Reason,
        (since, at): (Time, Time),
        rests_on: (&Snapshot, Option<&Before>, &Answer),
    ) -> Option<Transition> {
        let into = match self.phase {
            Phase::Inactive => return None,
            Phase::Pending => Into::Inactive,
            Phase::Firing => Into::Resolved(reason),
        };
        let transition = Transition::new((rule, self, into), (since, at), rests_on);
        if self.phase == Phase::Firing {
            self.resolved = Some(at);
        }
        (self.phase, self.fired, self.ending) = (Phase::Inactive, None, None);
        Some(transition)
    }
}

/// One look of one rule at its series.
struct Step<'a> {
    rule: &'a Rule,
    snapshot: &'a Snapshot,
    before: Option<&'a Before>,
    cause: Cause,
}

impl Step<'_> {
    /// What time it is for the condition.
    fn now(&self) -> Time {
        match self.cause {
            Cause::Snapshot => self.snapshot.revision,
            Cause::Due(due, _) | Cause::Outlook(due) => due,
            Cause::Rules(clock) => clock.max(self.snapshot.revision),
        }
    }

    /// The instant that a transition is published at.
    fn at(&self) -> Time {
        if let Cause::Due(_, at) = self.cause { at } else { self.now() }
    }

    /// When the present answer came about.
    fn since(&self) -> Time {
        match self.cause {
            Cause::Due(at, _) | Cause::Outlook(at) => at,
            Cause::Snapshot | Cause::Rules(_) => self.snapshot.began(),
        }
    }

    fn judge(&self, alert: &mut Alert, out: &mut Vec<Transition>) {
        let (rule, now) = (self.rule, self.now());
        let context = context(self.snapshot, self.before, now, alert.phase != Phase::Inactive);
        let is_included = rule.filter.as_ref().is_none_or(|filter| filter.holds(&context.view(&rule.names)));
        let answer =
            if is_included { rule.check.check(&alert.memory, &rule.names, &context) } else { Answer::default() };
        alert.due = answer.next;

        let goes_on = alert.phase == Phase::Firing
            && is_included
            && context.value.is_some()
            && rule.recovery.as_ref().is_some_and(|recovery| !recovery.expr.holds(&context.view(&rule.names)));
        if answer.holds || goes_on {
            self.holds(alert, &answer, out);
        } else {
            self.ceased(alert, is_included, &answer, out);
        }
    }

    /// The condition holds: the alert begins, or goes on.
    fn holds(&self, alert: &mut Alert, answer: &Answer, out: &mut Vec<Transition>) {
        alert.ending = None;
        if alert.phase == Phase::Inactive && !self.begin(alert, answer, out) {
            return;
        }
        if alert.phase == Phase::Pending {
            let due = alert.since.saturating_add(self.rule.hold);
            if due > self.now() {
                alert.due = earlier(alert.due, due);
                return;
            }
            self.fire(alert, due, answer, out);
        }
    }

    /// Begins an alert, unless it fired too lately or too often.
    fn begin(&self, alert: &mut Alert, answer: &Answer, out: &mut Vec<Transition>) -> bool {
        let (rule, now) = (self.rule, self.now());
        alert.fires.retain(|fired| fired.saturating_add(DAY) > now);
        let rested = alert.resolved.map(|resolved| resolved.saturating_add(rule.cooldown));
        let often = rule.per_day.and_then(|most| alert.fires.len().checked_sub(most));
        let quiet = often.and_then(|over| alert.fires.get(over)).map(|fired| fired.saturating_add(DAY));
        if let Some(allowed) = rested.max(quiet).filter(|allowed| *allowed > now) {
            alert.due = earlier(alert.due, allowed);
            return false;
        }

        (alert.since, alert.fired) = (self.since(), None);
        alert.id = name(&self.snapshot.series, rule, alert.since, self.at());
        alert.phase = Phase::Pending;
        if rule.hold > 0 {
            out.push(self.transition(alert, Into::Pending, alert.since, answer));
        }
        true
    }

    fn fire(&self, alert: &mut Alert, since: Time, answer: &Answer, out: &mut Vec<Transition>) {
        alert.phase = Phase::Firing;
        alert.fired = Some(self.at());
        if self.rule.per_day.is_some() {
            alert.fires.push(self.at());
        }
        out.push(self.transition(alert, Into::Firing, since, answer));
    }

    /// The condition does not hold: the alert ends, at once or after `keep_firing_for`.
    fn ceased(&self, alert: &mut Alert, is_included: bool, answer: &Answer, out: &mut Vec<Transition>) {
        let reason = self.reason(alert, is_included);
        let (now, keep) = (self.now(), self.rule.keep);
        if alert.phase == Phase::Firing && reason == Reason::Recovered && keep > 0 {
            let ending = *alert.ending.get_or_insert_with(|| now.saturating_add(keep));
            if ending > now {
                alert.due = earlier(alert.due, ending);
                return;
            }
        }
        let rests_on = (self.snapshot, self.before, answer);
        let since = if reason == Reason::Changed { self.at() } else { self.since() };
        out.extend(alert.end(self.rule, reason, (since, self.at()), rests_on));
    }

    fn reason(&self, alert: &Alert, is_included: bool) -> Reason {
        // A value that began before the alert did, or a final window that changed, was never alarming as is known now.
        let is_undone = self.snapshot.since.is_some_and(|since| since < alert.since) || self.snapshot.corrected;
        match self.cause {
            // A condition that ceased under the rules before goes on ending.
            Cause::Rules(_) if alert.ending.is_none() => Reason::Changed,
            _ if self.snapshot.value.is_none() => Reason::NoValue,
            _ if !is_included => Reason::Excluded,
            Cause::Snapshot if is_undone => Reason::Corrected,
            _ => Reason::Recovered,
        }
    }

    fn transition(&self, alert: &Alert, into: Into, since: Time, answer: &Answer) -> Transition {
        Transition::new((self.rule, alert, into), (since, self.at()), (self.snapshot, self.before, answer))
    }
}

fn context<'a>(snapshot: &'a Snapshot, before: Option<&Before>, now: Time, is_active: bool) -> Context<'a> {
    let before = before.map(|before| (before.value.and_then(decimal), before.at));
    Context { snapshot, value: snapshot.number(), before, now, is_active }
}

/// Up to the whole second: when what is due is published.
pub(crate) fn second(due: Time) -> Time {
    due.saturating_add(SECOND - 1).div_euclid(SECOND).saturating_mul(SECOND)
}

fn earlier(due: Option<Time>, other: Time) -> Option<Time> {
    Some(due.map_or(other, |due| due.min(other)))
}

/// The name of an alert: a hash of rule, series, and when it began.
fn name(series: &Series, rule: &Rule, since: Time, at: Time) -> String {
    let mut hash = Xxh3::new();
    let mut part = |text: &str| {
        hash.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(&series.tenant);
    part(&rule.name);
    series.dimensions.iter().for_each(|(name, value)| {
        part(name);
        part(value);
    });
    part(series.account.as_deref().unwrap_or("\0"));
    hash.update(&since.to_le_bytes());
    hash.update(&at.to_le_bytes());
    format!("{:032x}", hash.digest128())
}
