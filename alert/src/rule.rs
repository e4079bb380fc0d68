//! A rule as data: which metric, and which values of it are alarming.

/// How a value is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// An alert rule. It reads the snapshots of one metric in one kind of window.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name, unique.
    pub name: String,
    /// Metric that it reads.
    pub metric: String,
    /// Kind of window that it reads, as in the catalog.
    pub window: String,
    /// How the value is compared.
    pub op: Op,
    /// What it is compared with, in the metric's unit.
    pub threshold: f64,
}

impl Rule {
    /// Whether the rule reads this series.
    pub fn reads(&self, snapshot: &proto::v1::Snapshot) -> bool {
        let kind = snapshot.key.as_ref().and_then(|key| key.window.as_ref()).map(|window| window.kind.as_str());
        snapshot.metric == self.metric && kind == Some(self.window.as_str())
    }

    /// Whether the condition holds; it never does for null.
    pub fn holds(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| match self.op {
            Op::Less => value < self.threshold,
            Op::AtMost => value <= self.threshold,
            Op::Greater => value > self.threshold,
            Op::AtLeast => value >= self.threshold,
        })
    }
}

/// The rules that every tenant has.
pub fn built_in() -> Vec<Rule> {
    vec![Rule {
        name: "silent_90d".to_owned(),
        metric: "silence".to_owned(),
        window: "1d".to_owned(),
        op: Op::AtLeast,
        threshold: 90.0,
    }]
}
