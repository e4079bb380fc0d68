//! What rules are to foresee: what became of accounts, as it is known at the end of the log.
//!
//! Losses and returns are the account's times as a customer; every other outcome is a value of a metric of accounts, as it was
//! last corrected, that begins to meet a condition. It does not know rules.

use std::collections::BTreeMap;

use alert::backtest::{Account, Outcomes};
use anyhow::{anyhow, ensure};
use processor::replay::Replay;
use processor_core::{calendar::Time, catalog::Per, plan::Plan};
use proto::v1;

/// What rules are to foresee.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// A customer is lost; it may come back.
    Churned,
    /// A customer is lost, and not back by the end of the log.
    Left,
    /// A customer that was lost is one again.
    Reactivated,
    /// A value of an account begins to meet a condition.
    Value { metric: String, op: Op, bound: f64 },
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// The longer first: one begins with the other.
const OPS: [(&str, Op); 4] = [("<=", Op::AtMost), (">=", Op::AtLeast), ("<", Op::Less), (">", Op::Greater)];

/// Of metrics by day: whether the MRR of an account shrank.
const DOWNGRADED: &str = "account_contraction_mrr";

impl std::str::FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "churned" => return Ok(Self::Churned),
            "left" => return Ok(Self::Left),
            "reactivated" => return Ok(Self::Reactivated),
            "downgraded" => return Ok(Self::Value { metric: DOWNGRADED.to_owned(), op: Op::Greater, bound: 0.0 }),
            _ => {}
        }
        let parts = OPS.iter().find_map(|(sign, op)| text.split_once(sign).map(|(metric, bound)| (metric, *op, bound)));
        let value = parts.and_then(|(metric, op, bound)| {
            let bound = bound.trim().parse().ok().filter(|bound: &f64| bound.is_finite())?;
            Some(Self::Value { metric: metric.trim().to_owned(), op, bound })
        });
        value.ok_or_else(|| {
            format!(
                "is {text:?}, expected churned, left, reactivated, downgraded, or a metric, one of < <= > >=, and a number, \
                 such as 'health_score < 40'"
            )
        })
    }
}

impl Op {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

impl Outcome {
    /// The metric that it reads, if it reads one.
    pub(crate) fn metric(&self) -> Option<&str> {
        match self {
            Self::Value { metric, .. } => Some(metric),
            _ => None,
        }
    }

    /// That the metric is there and one of accounts.
    pub(crate) fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        let Some(name) = self.metric() else { return Ok(()) };
        let metric = plan.metrics.iter().find(|metric| metric.name == name);
        let metric = metric.ok_or_else(|| {
            anyhow!("--outcome: there is no metric `{name}` in the catalog; `vitals metrics` lists them")
        })?;
        ensure!(
            metric.per == Per::Account,
            "--outcome: `{name}` is not a metric of accounts; an outcome is of an account"
        );
        Ok(())
    }

    /// What happened to accounts, after `that`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Churned => "churned".to_owned(),
            Self::Left => "left for good".to_owned(),
            Self::Reactivated => "came back".to_owned(),
            Self::Value { metric, op, bound } => {
                let sign = OPS.iter().find(|(_, known)| known == op).map_or("", |(sign, _)| sign);
                format!("came to {metric} {sign} {bound}")
            }
        }
    }
}

/// The values of a metric of accounts as they were last corrected.
#[derive(Debug, Default)]
pub(crate) struct Values(BTreeMap<(Account, Vec<String>), Windows>);

/// By its start: the value of a window, and the time of its cause.
type Windows = BTreeMap<i64, (Option<f64>, Time)>;

impl Values {
    /// Takes a snapshot; a later one of the same window replaces it.
    pub(crate) fn add(&mut self, snapshot: &v1::Snapshot) {
        let Some(key) = &snapshot.key else { return };
        let Some(name) = key.account.clone() else { return };
        let account = Account { tenant: key.tenant.clone(), name };
        let dimensions = key.dimensions.iter().map(|of| of.value.clone()).collect();
        let start = key.window.as_ref().and_then(|window| window.start_us).unwrap_or(i64::MIN);
        let caused = snapshot.causes.iter().filter_map(|cause| cause.time_us).max();
        let at = snapshot.since_us.or(caused).unwrap_or(if start == i64::MIN { snapshot.revision_us } else { start });
        self.0.entry((account, dimensions)).or_default().insert(start, (snapshot.value, at));
    }

    /// When values began to meet the condition. `apart` says that each window stands alone.
    fn outcomes(self, op: Op, bound: f64, apart: bool, outcomes: &mut Vec<(Account, Time)>) {
        for ((account, _), windows) in self.0 {
            let mut held = false;
            for (value, at) in windows.into_values() {
                let holds = value.is_some_and(|value| op.holds(value, bound));
                if holds && (apart || !held) {
                    outcomes.push((account.clone(), at));
                }
                held = holds;
            }
        }
    }
}

/// All outcomes, by the accounts that accounts count as at the end of the log.
pub(crate) fn all(outcome: &Outcome, values: Values, plan: &Plan, replay: &mut Replay) -> anyhow::Result<Outcomes> {
    let mut found: Vec<(Account, Time)> = Vec::new();
    if let Outcome::Value { metric, op, bound } = outcome {
        let apart = plan.metrics.iter().any(|known| known.name == *metric && !known.day_sums.is_empty());
        values.outcomes(*op, *bound, apart, &mut found);
    } else {
        replay.customers(|customer| {
            let account = Account { tenant: customer.tenant, name: customer.account };
            let ends = customer.runs.iter().map(|run| run.end).filter(|end| *end != Time::MAX);
            let times: Vec<Time> = match outcome {
                Outcome::Churned => ends.collect(),
                Outcome::Left => {
                    customer.runs.last().map(|run| run.end).filter(|end| *end != Time::MAX).into_iter().collect()
                }
                _ => customer.runs.iter().skip(1).map(|run| run.start).collect(),
            };
            found.extend(times.into_iter().map(|at| (account.clone(), at)));
        })?;
    }
    let mut outcomes = Outcomes::new();
    for (account, at) in found {
        let name = replay.root(&account.tenant, &account.name).to_owned();
        outcomes.entry(Account { name, ..account }).or_default().push(at);
    }
    outcomes.values_mut().for_each(|times| times.sort_unstable());
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_named_or_conditions() {
        let value = |metric: &str, op, bound| Ok(Outcome::Value { metric: metric.to_owned(), op, bound });
        assert_eq!("left".parse(), Ok::<_, String>(Outcome::Left));
        assert_eq!("health_score<40".parse::<Outcome>(), value("health_score", Op::Less, 40.0));
        assert_eq!("silence >= 30".parse::<Outcome>(), value("silence", Op::AtLeast, 30.0));
        for wrong in ["", "gone", "health_score", "health_score < x", "health_score < inf"] {
            assert!(wrong.parse::<Outcome>().unwrap_err().contains("expected churned"), "{wrong}");
        }
    }
}
