//! How a goal stands: its state in words, and where its value should be today.
//!
//! The engine publishes how much of the way (`progress`) and of the time (`expected`) is gone; here both become a value of the
//! goal's metric. Pure: it knows neither the store nor where a goal was set.

use serde::{Deserialize, Serialize};

/// How a goal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its value is at or beyond the target.
    Met,
    /// It is as far as its time, or farther.
    OnTrack,
    /// It is not.
    Behind,
    /// Its time is over, and it is not met.
    Missed,
    /// Nothing is known yet.
    NoData,
}

impl State {
    /// Of a value of the metric `goal_state`.
    pub fn of(value: Option<f64>) -> Self {
        match value {
            Some(value) if value >= 2.0 => Self::Met,
            Some(value) if value >= 1.0 => Self::OnTrack,
            Some(value) if value >= 0.0 => Self::Behind,
            Some(_) => Self::Missed,
            None => Self::NoData,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::OnTrack => "on_track",
            Self::Behind => "behind",
            Self::Missed => "missed",
            Self::NoData => "no_data",
        }
    }
}

/// The value at which a goal would be exactly on track. `adds` says that its metric is a sum or a count, which begins at 0;
/// all others begin at the value that they had when the goal was set, which follows from how far they came.
pub fn expected(target: f64, value: Option<f64>, progress: Option<f64>, gone: Option<f64>, adds: bool) -> Option<f64> {
    let gone = gone?;
    if adds {
        return Some(target * gone);
    }
    let (value, progress) = (value?, progress?);
    if (1.0 - progress).abs() < 1e-9 {
        // On the target: from where it came cannot be told any more.
        return Some(target);
    }
    let baseline = (value - progress * target) / (1.0 - progress);
    Some(baseline + (target - baseline) * gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_the_metric() {
        let names = [Some(2.0), Some(1.0), Some(0.0), Some(-1.0), None].map(|value| State::of(value).name());
        assert_eq!(names, ["met", "on_track", "behind", "missed", "no_data"]);
    }

    #[test]
    fn a_sum_grows_with_the_days_and_a_level_goes_from_its_baseline_to_the_target() {
        assert_eq!(expected(600.0, Some(412.0), Some(412.0 / 600.0), Some(0.5), true), Some(300.0));
        // From 2.6 to 1.5, now 1.9: 7/11 of the way; half of the time.
        let half = expected(1.5, Some(1.9), Some(0.7 / 1.1), Some(0.5), false).unwrap();
        assert!((half - 2.05).abs() < 1e-9, "{half}");
        assert_eq!(expected(45.0, Some(45.0), Some(1.0), Some(0.2), false), Some(45.0));
        assert_eq!(expected(45.0, None, None, Some(0.2), false), None);
    }
}
