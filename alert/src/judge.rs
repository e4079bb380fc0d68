//! All series of all rules in memory: for a backtest, and for tests of rules. The task does the same on its state.

use std::collections::BTreeMap;

use processor_core::calendar::Time;
use proto::v1;

use crate::{
    codec, convert,
    rule::MetricRules,
    rules::Rules,
    series::State,
    snapshot::{Outlook, Snapshot},
    timers::Timers,
    transition::Transition,
};

/// Judges the snapshots of one partition of each metric.
#[derive(Debug)]
pub struct Judge(BTreeMap<String, OfMetric>);

#[derive(Debug)]
struct OfMetric {
    rules: MetricRules,
    series: BTreeMap<Vec<u8>, (usize, State)>,
    timers: Timers,
}

impl Judge {
    /// With these rules, before the first snapshot.
    pub fn new(rules: &Rules) -> Judge {
        let of =
            |rules: &MetricRules| OfMetric { rules: rules.clone(), series: BTreeMap::new(), timers: Timers::default() };
        Judge(rules.metrics.iter().map(|rules| (rules.metric.clone(), of(rules))).collect())
    }

    /// Takes a snapshot.
    pub fn snapshot(&mut self, snapshot: &v1::Snapshot, out: &mut Vec<v1::AlertTransition>) {
        let Some(of) = self.0.get_mut(&snapshot.metric) else { return };
        let mut transitions = Vec::new();
        of.snapshot(&convert::snapshot(snapshot.clone()), &mut transitions);
        out.extend(transitions.into_iter().map(|it| convert::transition(&snapshot.metric, it)));
    }

    /// Takes an outlook.
    pub fn outlook(&mut self, outlook: &v1::Outlook, out: &mut Vec<v1::AlertTransition>) {
        let Some(of) = self.0.get_mut(&outlook.metric) else { return };
        let mut transitions = Vec::new();
        of.outlook(&convert::outlook(outlook.clone()), &mut transitions);
        out.extend(transitions.into_iter().map(|it| convert::transition(&outlook.metric, it)));
    }

    /// It is this time: of every metric, all snapshots up to now were taken.
    pub fn tick(&mut self, at: Time, out: &mut Vec<v1::AlertTransition>) {
        for (metric, of) in &mut self.0 {
            let mut transitions = Vec::new();
            of.tick(at, &mut transitions);
            out.extend(transitions.into_iter().map(|it| convert::transition(metric, it)));
        }
    }
}

impl OfMetric {
    fn snapshot(&mut self, snapshot: &Snapshot, out: &mut Vec<Transition>) {
        for (place, stream) in self.rules.streams.iter().enumerate().filter(|(_, stream)| stream.reads(snapshot)) {
            let key = codec::key(stream, &snapshot.series);
            let (_, state) = self.series.entry(key.clone()).or_insert_with(|| (place, State::default()));
            let was = state.due();
            state.snapshot(stream, snapshot.clone(), out);
            self.timers.moved(&key, was.map(|it| it.0), state.due().map(|it| it.0));
        }
    }

    fn outlook(&mut self, outlook: &Outlook, out: &mut Vec<Transition>) {
        for stream in self.rules.streams.iter().filter(|stream| stream.reads_outlook()) {
            let key = codec::key(stream, &outlook.series);
            let Some((_, state)) = self.series.get_mut(&key) else { continue };
            let was = state.due();
            state.outlook(stream, outlook.clone(), out);
            self.timers.moved(&key, was.map(|it| it.0), state.due().map(|it| it.0));
        }
    }

    fn tick(&mut self, clock: Time, out: &mut Vec<Transition>) {
        while let Some(key) = self.timers.first(clock).map(<[u8]>::to_vec) {
            let (stream, state) = self.series.get_mut(&key).expect("what is due is a series");
            let was = state.due();
            state.fire_due(&self.rules.streams[*stream], out);
            self.timers.moved(&key, was.map(|it| it.0), state.due().map(|it| it.0));
        }
    }
}
