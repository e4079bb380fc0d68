//! The rules of one metric as a task: a fold over one partition of the topic of the metric.
//!
//! Invariants: every record is judged alone, so any record is a place to commit; transitions are published once, in the order
//! of records; what time brings about is published at the tick that closes its second. Which rules are in force is part of the
//! state: they change between two records ([`task::Changes`]). Before there are any, snapshots are remembered and nothing is
//! judged: rules on a metric with a past begin with what is, not with what was.

use std::sync::Arc;

use eventlog::{Output, Record, Stored};
use processor_core::{calendar::Time, plan::Plan};
use proto::{
    Message,
    v1::{MetricEntry, metric_entry::Entry},
};
use task::{Batch, Cache, Fold, Progress};

use crate::{
    codec, convert,
    rule::MetricRules,
    series::State,
    snapshot::{Outlook, Snapshot},
    timers::Timers,
    transition::Transition,
};

const SERIES: &str = "series";
const META: &str = "rules";

/// Keys of the table of rules.
const CLOCK: &[u8] = b"clock";
const TEXT: &[u8] = b"text";

/// Series kept in memory after a flush.
const KEPT: usize = 1_000_000;

/// Series that are read ahead, or changed, at a time.
const CHUNK: usize = 10_000;

type Series = Option<(usize, State)>;

/// Name of the stage of the rules of a metric.
pub fn stage(metric: &str) -> String {
    format!("alert-{metric}")
}

/// The fold of the rules of one metric.
pub struct Alerts {
    plan: Arc<Plan>,
    metric: String,
    topic: Arc<str>,
    rules: MetricRules,
    /// Whether no rules are in force yet: `rules` are those to come.
    is_warming: bool,
    /// Whether other rules are in force than those on disk.
    has_changed: bool,
    clock: Time,
    /// What is known of each series, with the place of its stream.
    series: Cache<Vec<u8>, Series>,
    timers: Timers,
}

impl Alerts {
    /// The fold of the rules of `metric`, as its state left it, with transitions going to `topic`.
    ///
    /// # Errors
    /// When the state cannot be read, or is damaged.
    pub fn open(plan: Arc<Plan>, metric: &str, topic: &str, state: &task::State) -> task::Result<Alerts> {
        let damaged = |what: &str| state.damaged(format!("the {what} of the alerts does not decode"));
        let text = state.get(META, TEXT)?;
        let is_warming = text.is_none();
        let text = String::from_utf8(text.unwrap_or_default()).map_err(|_| damaged("rules"))?;
        let rules = MetricRules::of_text(metric, &text, &plan).map_err(|error| state.damaged(error.to_string()))?;
        let clock = match state.get(META, CLOCK)? {
            Some(bytes) => i64::from_be_bytes(bytes.try_into().map_err(|_| damaged("clock"))?),
            None => Time::MIN,
        };
        let mut alerts = Alerts {
            plan,
            metric: metric.to_owned(),
            topic: topic.into(),
            rules,
            is_warming,
            has_changed: false,
            clock,
            series: Cache::new(SERIES),
            timers: Timers::default(),
        };
        alerts.find_timers(state)?;
        Ok(alerts)
    }

    fn rules_of(&self, body: &[u8], state: &task::State) -> task::Result<MetricRules> {
        let fault = |what: String| state.damaged(format!("the rules of `{}`: {what}", self.metric));
        let text = std::str::from_utf8(body).map_err(|error| fault(error.to_string()))?;
        MetricRules::of_text(&self.metric, text, &self.plan).map_err(|error| fault(error.to_string()))
    }

    fn change_series(
        &mut self,
        old: &MetricRules,
        key: Vec<u8>,
        bytes: &[u8],
        state: &task::State,
        outputs: &mut Vec<Output>,
    ) -> task::Result<()> {
        let fault = |error: crate::Error| state.damaged(error.to_string());
        let Some(was) = codec::stream(&key, old).map_err(fault)? else { return Ok(()) };
        let mut series = codec::decode(bytes, &old.streams[was]).map_err(fault)?;
        let now = codec::stream(&key, &self.rules).map_err(fault)?;

        let mut transitions = Vec::new();
        let gone = crate::rule::Stream { rules: Vec::new(), ..old.streams[was].clone() };
        let stream = now.map_or(&gone, |now| &self.rules.streams[now]);
        series.change(&old.streams[was], stream, self.clock, &mut transitions);
        self.publish(transitions, outputs);

        self.timers.moved(&key, None, now.and(series.due()).map(|it| it.0));
        *self.series.change_or(key, || None) = now.map(|now| (now, series));
        Ok(())
    }

    /// All due times, from disk.
    fn find_timers(&mut self, state: &task::State) -> task::Result<()> {
        let mut from = Vec::new();
        loop {
            let chunk = chunk(state, &from)?;
            let Some((last, _)) = chunk.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            for (key, bytes) in chunk {
                if let Some((_, series)) = decode(&key, &bytes, &self.rules, state)? {
                    self.timers.moved(&key, None, series.due().map(|it| it.0));
                }
            }
        }
    }

    fn load(&mut self, keys: impl Iterator<Item = Vec<u8>>, state: &task::State) -> task::Result<()> {
        let rules = &self.rules;
        self.series.load(keys, state, Clone::clone, |key, bytes| match bytes {
            Some(bytes) if !bytes.is_empty() => decode(key, &bytes, rules, state),
            _ => Ok(None),
        })
    }

    fn judge(&mut self, place: usize, key: Vec<u8>, snapshot: Snapshot, outputs: &mut Vec<Output>) {
        let stream = &self.rules.streams[place];
        let (_, series) = self.series.change(key.clone()).get_or_insert_with(|| (place, State::default()));
        let (was, mut transitions) = (series.due(), Vec::new());
        if self.is_warming {
            series.warm(stream, snapshot);
        } else {
            series.snapshot(stream, snapshot, &mut transitions);
        }
        self.timers.moved(&key, was.map(|it| it.0), series.due().map(|it| it.0));
        self.publish(transitions, outputs);
    }

    fn judge_outlook(&mut self, place: usize, key: Vec<u8>, outlook: Outlook, outputs: &mut Vec<Output>) {
        // Without a snapshot there is nothing that it could be the outlook of.
        let Some((_, series)) = self.series.change(key.clone()) else { return };
        let (was, mut transitions) = (series.due(), Vec::new());
        if self.is_warming {
            series.warm_outlook(outlook);
        } else {
            series.outlook(&self.rules.streams[place], outlook, &mut transitions);
        }
        self.timers.moved(&key, was.map(|it| it.0), series.due().map(|it| it.0));
        self.publish(transitions, outputs);
    }

    /// It is this time: everything due happens.
    fn tick(&mut self, clock: Time, state: &task::State, outputs: &mut Vec<Output>) -> task::Result<()> {
        self.clock = self.clock.max(clock);
        while self.timers.first(clock).is_some() {
            self.load(self.timers.due(clock, CHUNK).into_iter(), state)?;
            for _ in 0..CHUNK {
                let Some(key) = self.timers.first(clock).map(<[u8]>::to_vec) else { break };
                if !self.series.holds(&key) {
                    break;
                }
                let mut transitions = Vec::new();
                let held = self.series.change(key.clone()).as_mut();
                let (stream, series) = held.expect("what is due is a series");
                let was = series.due();
                series.fire_due(&self.rules.streams[*stream], &mut transitions);
                self.timers.moved(&key, was.map(|it| it.0), series.due().map(|it| it.0));
                self.publish(transitions, outputs);
            }
        }
        Ok(())
    }

    fn publish(&self, transitions: Vec<Transition>, outputs: &mut Vec<Output>) {
        for transition in transitions {
            let transition = convert::transition(&self.metric, transition);
            let record = Record {
                key: transition.key.clone().unwrap_or_default().encode_to_vec().into(),
                timestamp_us: transition.at_us,
                value: Some(transition.encode_to_vec().into()),
                headers: Vec::new(),
            };
            outputs.push(Output { topic: self.topic.clone(), partition: 0, record });
        }
    }

    /// The snapshots of a batch that rules read, with the place of the stream and the key of the series, and where ticks are.
    fn read(&self, records: &[Stored]) -> task::Result<Vec<Step>> {
        let mut steps = Vec::new();
        for stored in records {
            let entry = stored.record.value.clone().map(MetricEntry::decode).transpose();
            let entry = entry.map_err(|error| task::Error::Record {
                task: format!("alert-{}", self.metric),
                offset: stored.offset,
                what: format!("a snapshot does not decode: {error}"),
            })?;
            match entry.and_then(|entry| entry.entry) {
                Some(Entry::Snapshot(snapshot)) => self.read_snapshot(convert::snapshot(snapshot), &mut steps),
                Some(Entry::Outlook(outlook)) => self.read_outlook(&convert::outlook(outlook), &mut steps),
                Some(Entry::Tick(tick)) => steps.push(Step::Tick(tick.at_us)),
                None => {}
            }
        }
        Ok(steps)
    }

    fn read_outlook(&self, outlook: &Outlook, steps: &mut Vec<Step>) {
        for (place, stream) in self.rules.streams.iter().enumerate().filter(|(_, stream)| stream.reads_outlook()) {
            steps.push(Step::Outlook(place, codec::key(stream, &outlook.series), Box::new(outlook.clone())));
        }
    }

    fn read_snapshot(&self, snapshot: Snapshot, steps: &mut Vec<Step>) {
        let mut places = self.rules.streams.iter().enumerate().filter(|(_, stream)| stream.reads(&snapshot)).peekable();
        while let Some((place, stream)) = places.next() {
            let key = codec::key(stream, &snapshot.series);
            if places.peek().is_none() {
                return steps.push(Step::Snapshot(place, key, Box::new(snapshot)));
            }
            steps.push(Step::Snapshot(place, key, Box::new(snapshot.clone())));
        }
    }
}

/// What a record asks for.
enum Step {
    Snapshot(usize, Vec<u8>, Box<Snapshot>),
    Outlook(usize, Vec<u8>, Box<Outlook>),
    Tick(Time),
}

impl Fold for Alerts {
    const TABLES: &'static [&'static str] = &[SERIES, META];

    fn apply(
        &mut self,
        records: &[Stored],
        state: &task::State,
        _pause: bool,
        outputs: &mut Vec<Output>,
    ) -> task::Result<Progress> {
        let steps = self.read(records)?;
        let keys: Vec<Vec<u8>> = steps.iter().filter_map(Step::key).cloned().collect();
        self.load(keys.into_iter(), state)?;
        for step in steps {
            match step {
                Step::Snapshot(place, key, snapshot) => self.judge(place, key, *snapshot, outputs),
                Step::Outlook(place, key, outlook) => self.judge_outlook(place, key, *outlook, outputs),
                Step::Tick(clock) => self.tick(clock, state, outputs)?,
            }
        }
        Ok(Progress { applied: records.len(), closed: records.last().map(|last| last.offset + 1) })
    }

    fn prepare(&mut self, body: &[u8], state: &task::State) -> task::Result<()> {
        self.rules = self.rules_of(body, state)?;
        self.find_timers(state)
    }

    fn change(&mut self, body: &[u8], state: &task::State, outputs: &mut Vec<Output>) -> task::Result<()> {
        let new = self.rules_of(body, state)?;
        let old = std::mem::replace(&mut self.rules, new);
        (self.has_changed, self.is_warming) = (true, false);
        (self.timers, self.series) = (Timers::default(), Cache::new(SERIES));

        let mut from = Vec::new();
        loop {
            let chunk = chunk(state, &from)?;
            let Some((last, _)) = chunk.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            for (key, bytes) in chunk {
                self.change_series(&old, key, &bytes, state, outputs)?;
            }
        }
    }

    fn flush(&mut self, _state: &task::State, batch: &mut Batch<'_>) -> task::Result<()> {
        if std::mem::take(&mut self.has_changed) {
            batch.put(META, TEXT, self.rules.text.as_bytes())?;
        }
        batch.put(META, CLOCK, &self.clock.to_be_bytes())?;
        let streams = &self.rules.streams;
        self.series.flush(KEPT, batch, |key, series| {
            // An empty value is a series that no rule reads any more.
            let bytes = series.as_ref().map(|(stream, series)| codec::encode(series, &streams[*stream]));
            (key.into(), bytes.unwrap_or_default().into())
        })
    }

    fn dirty(&self) -> usize {
        self.series.dirty() * 400
    }
}

impl Step {
    fn key(&self) -> Option<&Vec<u8>> {
        match self {
            Step::Snapshot(_, key, _) | Step::Outlook(_, key, _) => Some(key),
            Step::Tick(_) => None,
        }
    }
}

/// Up to [`CHUNK`] series of the table, from a key on.
fn chunk(state: &task::State, from: &[u8]) -> task::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    state.scan(SERIES, from, |key, bytes| {
        if !bytes.is_empty() {
            found.push((key.to_vec(), bytes.to_vec()));
        }
        found.len() < CHUNK
    })?;
    Ok(found)
}

fn decode(key: &[u8], bytes: &[u8], rules: &MetricRules, state: &task::State) -> task::Result<Series> {
    let fault = |error: crate::Error| state.damaged(error.to_string());
    let Some(stream) = codec::stream(key, rules).map_err(fault)? else { return Ok(None) };
    Ok(Some((stream, codec::decode(bytes, &rules.streams[stream]).map_err(fault)?)))
}
