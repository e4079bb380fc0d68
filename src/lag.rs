//! How far each stage is behind its input, in records and in seconds.
//!
//! A stage is as many seconds behind as it is since the log was first seen to end where the stage has not come yet; so
//! lag needs no clock of the records, and a stage that is done has none.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use eventlog::{Log, TopicPartition};

use crate::telemetry;

/// Number of ends kept for each partition. With one a second they reach back an hour, which is the longest lag in time
/// that can be reported; with fewer they reach back further.
const SEEN_MAX: usize = 3_600;

/// What is read by whom: the inputs of each group.
pub(crate) struct Lag(BTreeMap<String, Vec<Input>>);

struct Input {
    at: TopicPartition,
    /// Ends of the partition that the group has not reached, and when they were first seen.
    seen: VecDeque<(u64, Instant)>,
}

impl Lag {
    /// Of these groups and partitions.
    pub(crate) fn new(inputs: &[(String, TopicPartition)]) -> Self {
        let mut groups: BTreeMap<String, Vec<Input>> = BTreeMap::new();
        for (group, at) in inputs {
            groups.entry(group.clone()).or_default().push(Input { at: at.clone(), seen: VecDeque::new() });
        }
        Self(groups)
    }

    /// Tells the lag of each group: records of all its inputs, seconds of the one farthest behind.
    pub(crate) fn report(&mut self, log: &dyn Log) -> eventlog::Result<()> {
        for (group, inputs) in &mut self.0 {
            let (mut records, mut most) = (0_u64, 0.0_f64);
            let places: Vec<TopicPartition> = inputs.iter().map(|input| input.at.clone()).collect();
            let committed = log.all_committed(group, &places)?;
            for (input, done) in inputs.iter_mut().zip(committed) {
                let high = log.watermarks(&input.at.topic, input.at.partition)?.high;
                let done = done.map_or(0, |done| done.offset);
                records += high.saturating_sub(done);
                most = most.max(input.seconds(high, done));
            }
            telemetry::lag(group, records, most);
        }
        Ok(())
    }
}

impl Input {
    fn seconds(&mut self, high: u64, done: u64) -> f64 {
        while self.seen.front().is_some_and(|(end, _)| *end <= done) {
            self.seen.pop_front();
        }
        let known = self.seen.back().is_some_and(|(end, _)| *end == high);
        if high > done && !known && self.seen.len() < SEEN_MAX {
            self.seen.push_back((high, Instant::now()));
        }
        self.seen.front().map_or(0.0, |(_, at)| at.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lag_is_since_the_log_ended_where_one_is_not_yet() {
        let mut input = Input { at: TopicPartition::new("t", 0), seen: VecDeque::new() };
        assert_eq!(input.seconds(5, 5), 0.0);
        input.seconds(9, 5);
        std::thread::sleep(Duration::from_millis(20));
        let behind = input.seconds(12, 5);
        assert!(behind >= 0.02, "{behind}");
        let less = input.seconds(12, 9);
        assert!(less < behind, "{less}");
        assert_eq!(input.seconds(12, 12), 0.0);
    }
}
