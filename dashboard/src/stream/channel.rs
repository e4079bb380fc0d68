//! A topic that streams show: its data now, and the last frames of what changed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    account, alerts,
    api::Context,
    fault::Fault,
    overview::{Wanted, overview},
    series::sign,
    vital::Which,
};

/// Frames that are kept for streams that were away for a moment, and for slow ones.
const KEPT: usize = 64;

/// What a stream shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    name: String,
    window: Option<store::window::Kind>,
    compare: &'static str,
    segment: Option<(String, String)>,
}

impl Topic {
    /// The topic of that name.
    pub(crate) fn of(name: &str, wanted: &Wanted) -> Result<Self, Fault> {
        let has_part = |prefix: &str| name.strip_prefix(prefix).is_some_and(|part| !part.is_empty());
        if !["overview", "alerts"].contains(&name) && !has_part("metric:") && !has_part("account:") {
            let problem = format!("is {name:?}, expected overview, alerts, metric:NAME or account:ID");
            return Err(Fault::wrong("topics", problem));
        }
        let Wanted { window, compare, segment } = wanted.clone();
        Ok(Self { name: name.to_owned(), window, compare: compare.name(), segment })
    }

    /// Its data, in the shape of the reads.
    pub(crate) fn data(&self, context: &Context<'_>) -> Result<Value, Fault> {
        let compare = store::compare::Compare::from_name(self.compare).unwrap_or_default();
        let (window, segment) = (self.window, self.segment.clone());
        Ok(match self.name.split_once(':') {
            Some(("metric", name)) => {
                // One stream has one window for all of its topics: a metric without it shows its own.
                let known = &context.desk.metric(name)?.windows;
                let window = window.filter(|kind| known.contains(kind));
                serde_json::to_value(sign(context, name, &Which { window, segment, compare, ..Which::default() })?)?
            }
            Some((_, id)) => serde_json::to_value(account::form(context, id)?)?,
            None if self.name == "alerts" => serde_json::to_value(alerts::first_page(context)?)?,
            None => serde_json::to_value(overview(context, &Wanted { window, compare, segment })?)?,
        })
    }

    /// What a frame says that takes the data from `old` to `new`; none where nothing changed.
    fn delta(&self, old: &Value, new: &Value, clock: Option<&str>) -> Option<Value> {
        if old == new {
            return None;
        }
        if self.name != "overview" {
            return Some(new.clone());
        }
        let vitals = |data: &Value| -> Vec<Value> {
            let groups = data["groups"].as_array().into_iter().flatten();
            groups.flat_map(|group| group["vitals"].as_array().cloned().unwrap_or_default()).collect()
        };
        let known = vitals(old);
        let changed: Vec<Value> = vitals(new).into_iter().filter(|vital| !known.contains(vital)).collect();
        let mut delta = json!({ "vitals": changed, "clock": clock });
        for part in ["sentence", "alerts", "alerts_firing", "bands", "bands_before", "at_risk", "goals"] {
            if old[part] != new[part] {
                delta[part] = new[part].clone();
            }
        }
        Some(delta)
    }
}

/// What is written to a stream.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Its number; 0 for what is not resumed from.
    number: u64,
    pub(crate) id: Arc<str>,
    pub(crate) event: &'static str,
    pub(crate) data: Arc<str>,
}

impl Frame {
    pub(crate) fn new(epoch: &str, number: u64, event: &'static str, data: &Value) -> Self {
        let id = if number == 0 { String::new() } else { format!("{epoch}-{number}") };
        Self { number, id: id.into(), event, data: data.to_string().into() }
    }
}

/// A topic with its frames.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) topic: Option<Topic>,
    epoch: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    data: Value,
    /// Number of the newest frame.
    number: u64,
    /// The newest ones, in order; all since `from` are there.
    frames: VecDeque<Frame>,
    from: u64,
}

impl Channel {
    /// A topic whose data are these now, as of a frame of this number.
    pub(crate) fn new(topic: Option<Topic>, epoch: Arc<str>, data: Value, number: u64) -> Self {
        let state = State { data, number, frames: VecDeque::new(), from: number };
        Self { topic, epoch, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes new data; `next` numbers the frame that they may need.
    pub(crate) fn update(&self, data: Value, clock: Option<&str>, next: impl FnOnce() -> u64) {
        let mut state = self.state();
        let Some(topic) = &self.topic else { return };
        let Some(delta) = topic.delta(&state.data, &data, clock) else { return };
        let frame = Frame::new(&self.epoch, next(), "delta", &json!({ "topic": topic.name, "data": delta }));
        state.data = data;
        state.push(frame);
    }

    /// Adds a frame that nobody resumes from.
    pub(crate) fn say(&self, event: &'static str, data: &Value) {
        let mut state = self.state();
        let number = state.number + 1;
        state.push(Frame { number, ..Frame::new("", 0, event, data) });
    }

    fn snapshot(&self, state: &State) -> Vec<Frame> {
        let Some(topic) = &self.topic else { return Vec::new() };
        let data = json!({ "topic": topic.name, "data": state.data });
        vec![Frame::new(&self.epoch, state.number, "snapshot", &data)]
    }

    /// The first frames of a stream that has seen those up to `last`, and what gives it the next ones.
    pub(crate) fn listen(self: &Arc<Self>, last: Option<u64>) -> (Vec<Frame>, Listener) {
        let state = self.state();
        let frames = match last {
            Some(last) if last >= state.from && last <= state.number => state.after(last),
            _ => self.snapshot(&state),
        };
        (frames, Listener { channel: self.clone(), seen: state.number })
    }
}

impl State {
    fn push(&mut self, frame: Frame) {
        self.number = frame.number;
        self.frames.push_back(frame);
        if self.frames.len() > KEPT
            && let Some(gone) = self.frames.pop_front()
        {
            self.from = gone.number;
        }
    }

    fn after(&self, number: u64) -> Vec<Frame> {
        self.frames.iter().filter(|frame| frame.number > number).cloned().collect()
    }
}

/// What a stream has seen of a channel.
#[derive(Debug)]
pub(crate) struct Listener {
    channel: Arc<Channel>,
    seen: u64,
}

impl Listener {
    /// The frames since the last time; a snapshot where some of them are gone.
    pub(crate) fn take(&mut self) -> Vec<Frame> {
        let state = self.channel.state();
        if state.number == self.seen {
            return Vec::new();
        }
        let frames = if self.seen < state.from { self.channel.snapshot(&state) } else { state.after(self.seen) };
        self.seen = state.number;
        // Of the clock the newest is enough.
        match self.channel.topic {
            Some(_) => frames,
            None => state.frames.back().cloned().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Arc<Channel> {
        let topic = Topic::of("overview", &Wanted::default()).unwrap();
        Arc::new(Channel::new(Some(topic), "e".into(), data(0, 0), 10))
    }

    fn data(nps: u64, firing: u64) -> Value {
        let vitals = json!([{ "metric": "nps", "now": nps }, { "metric": "csat", "now": 1 }]);
        json!({ "groups": [{ "id": "loyalty", "vitals": vitals }], "alerts_firing": firing })
    }

    fn texts(frames: &[Frame]) -> Vec<String> {
        frames.iter().map(|frame| format!("{} {} {}", frame.id, frame.event, frame.data)).collect()
    }

    #[test]
    fn a_delta_has_only_what_changed() {
        let channel = channel();
        let (first, mut listener) = channel.listen(None);
        assert!(texts(&first)[0].starts_with("e-10 snapshot {"), "{first:?}");
        channel.update(data(0, 0), None, || 11);
        assert!(listener.take().is_empty(), "nothing changed");
        channel.update(data(5, 0), Some("T"), || 12);
        assert_eq!(
            texts(&listener.take()),
            [r#"e-12 delta {"data":{"clock":"T","vitals":[{"metric":"nps","now":5}]},"topic":"overview"}"#]
        );
        channel.update(data(5, 2), None, || 13);
        assert_eq!(
            texts(&listener.take()),
            [r#"e-13 delta {"data":{"alerts_firing":2,"clock":null,"vitals":[]},"topic":"overview"}"#]
        );
        assert!(listener.take().is_empty());
    }

    #[test]
    fn a_stream_resumes_from_its_last_frame_or_gets_a_snapshot() {
        let channel = channel();
        for number in 11..=13 {
            channel.update(data(number, 0), None, || number);
        }
        let ids = |last| texts(&channel.listen(last).0).iter().map(|text| text[..9].to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(Some(11)), ["e-12 delt", "e-13 delt"]);
        assert_eq!(ids(Some(13)), Vec::<String>::new());
        for last in [None, Some(9), Some(14)] {
            assert_eq!(ids(last), ["e-13 snap"], "{last:?}");
        }
    }

    #[test]
    fn a_slow_stream_loses_its_backlog_and_gets_a_snapshot() {
        let channel = channel();
        let (_, mut listener) = channel.listen(None);
        for number in 11..=11 + KEPT as u64 + 5 {
            channel.update(data(number, 0), None, || number);
        }
        let frames = listener.take();
        assert_eq!((frames.len(), frames[0].event), (1, "snapshot"));
    }
}
