//! How far each stage is behind its input, in records and in seconds.
//!
//! A stage is as many seconds behind as it is since the log was first seen to end where the stage has not come yet; so
//! lag needs no clock of the records, and a stage that is done has none.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use eventlog::Log;

use crate::telemetry;

/// Number of ends kept for each partition. With one a second they reach back an hour, which is the longest lag in time
/// that can be reported; with fewer they reach back further.
const SEEN_MAX: usize = 3_600;

/// What is read by whom.
pub(crate) struct Lag(Vec<Input>);

struct Input {
    group: String,
    topic: String,
    partition: u32,
    /// Ends of the partition that the group has not reached, and when they were first seen.
    seen: VecDeque<(u64, Instant)>,
}

impl Lag {
    /// Of these (group, topic, partition).
    pub(crate) fn new(inputs: &[(String, String, u32)]) -> Self {
        let input = |(group, topic, partition): &(String, String, u32)| Input {
            group: group.clone(),
            topic: topic.clone(),
            partition: *partition,
            seen: VecDeque::new(),
        };
        Self(inputs.iter().map(input).collect())
    }

    /// Tells the lag of each group: records of all its inputs, seconds of the one farthest behind.
    pub(crate) fn report(&mut self, log: &dyn Log) -> eventlog::Result<()> {
        let mut groups: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
        for input in &mut self.0 {
            let high = log.watermarks(&input.topic, input.partition)?.high;
            let done = log.committed(&input.group, &input.topic, input.partition)?.map_or(0, |at| at.offset);
            let seconds = input.seconds(high, done);
            let (records, most) = groups.entry(&input.group).or_default();
            *records += high.saturating_sub(done);
            *most = most.max(seconds);
        }
        for (group, (records, seconds)) in groups {
            telemetry::lag(group, records, seconds);
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
        let mut input = Input { group: String::new(), topic: String::new(), partition: 0, seen: VecDeque::new() };
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
