//! A row of the answer, and how it is printed.

use crate::calendar::{Kind, Window};
use crate::decimal::Fraction;
use crate::{Error, Micros, rational};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A dimension to group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// No dimension.
    Nothing,
    /// Trait.
    Plan,
    /// Trait.
    Segment,
    /// Trait.
    Region,
    /// Of the order, or of the ticket.
    Channel,
    /// Of the order, or of the lead.
    Source,
    /// Of the order's lines, or of the subscription.
    Product,
    /// Of the lead, or of the deal.
    Owner,
    /// Of the ticket.
    Topic,
    /// Of the deal.
    Stage,
    /// Of the deal.
    Kind,
    /// Of the health score.
    Band,
    /// The goal.
    Goal,
    /// An open deal: [`DEAL_BY`] in one, divided by `/`.
    Deal,
}

/// Dimensions of a deal that is open.
pub const DEAL_BY: [&str; 4] = ["opportunity", "stage", "kind", "owner"];

impl By {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Plan,
        Self::Segment,
        Self::Region,
        Self::Channel,
        Self::Source,
        Self::Product,
        Self::Owner,
        Self::Topic,
        Self::Stage,
        Self::Kind,
        Self::Band,
        Self::Goal,
        Self::Deal,
    ];

    /// What every aggregate has.
    pub const TRAITS: [Self; 4] = [Self::Nothing, Self::Plan, Self::Segment, Self::Region];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Plan => "plan",
            Self::Segment => "segment",
            Self::Region => "region",
            Self::Channel => "channel",
            Self::Source => "source",
            Self::Product => "product",
            Self::Owner => "owner",
            Self::Topic => "topic",
            Self::Stage => "stage",
            Self::Kind => "kind",
            Self::Band => "band",
            Self::Goal => "goal",
            Self::Deal => "deal",
        }
    }
}

/// A dimension and its value.
pub type Group<'a> = (By, &'a str);

/// No dimension.
pub const ALL: Group<'static> = (By::Nothing, "");

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A sum, a count or a level.
    Whole(i128),
    /// A ratio or mean: numerator and denominator; null when the denominator is 0.
    Ratio(i128, i128),
    /// A compound value, as an exact rational.
    Compound(i128, i128),
    /// A quantile, as an exact rational; the engine's may be off by one in a hundred.
    Quantile(i128, i128),
    /// What is made of quantiles: the engine's is between these, both included.
    Between(Fraction, Fraction),
    /// Null, and why.
    Null(&'static str),
}

/// Why nobody knows what a window holds.
pub const PAST_KEEP: &str = "past keep";

/// Why there is no ratio.
pub const NO_DENOMINATOR: &str = "no denominator";

/// Why there is no lifetime value.
pub const ZERO_CHURN: &str = "zero churn";

impl Answer {
    /// The double nearest to the value.
    pub fn value(&self) -> Option<f64> {
        match *self {
            Self::Whole(n) => Some(rational::nearest(n, 1)),
            Self::Ratio(_, 0) | Self::Null(_) => None,
            Self::Ratio(num, den) | Self::Compound(num, den) | Self::Quantile(num, den) => {
                Some(rational::nearest(num, den))
            }
            Self::Between(..) => self.exact().map(|(num, den)| rational::nearest(num, den)),
        }
    }

    /// The value exactly, with a positive denominator.
    pub fn exact(&self) -> Option<(i128, i128)> {
        match *self {
            Self::Whole(n) => Some((n, 1)),
            Self::Ratio(_, 0) | Self::Null(_) => None,
            Self::Ratio(num, den) | Self::Compound(num, den) | Self::Quantile(num, den) => {
                Some(rational::reduce(num, den))
            }
            // The middle.
            Self::Between(low, high) => Some(rational::reduce(low.0 * high.1 + high.0 * low.1, 2 * low.1 * high.1)),
        }
    }

    /// Numerator and denominator, where they are published.
    pub fn fraction(&self) -> Option<(i128, i128)> {
        match *self {
            Self::Ratio(num, den) => Some((num, den)),
            _ => None,
        }
    }

    /// Why the value is null.
    pub fn reason(&self) -> Option<&'static str> {
        match *self {
            Self::Ratio(_, 0) => Some(NO_DENOMINATOR),
            Self::Null(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether it is what stands where nothing happened: 0, or no ratio.
    pub fn is_fill(&self) -> bool {
        matches!(self, Self::Whole(0) | Self::Ratio(0, 0) | Self::Null(NO_DENOMINATOR))
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the metric.
    pub metric: &'static str,
    /// Its window.
    pub window: Window,
    /// Dimension and value, if any.
    pub group: Option<(By, String)>,
    /// The account of a per-account metric.
    pub account: Option<String>,
    /// The currency of a money metric.
    pub currency: Option<String>,
    /// Value, numerator, denominator, reason.
    pub answer: Answer,
    /// `money`, `ratio`, `count`, `days`.
    pub unit: &'static str,
    /// Whether the clock has passed end + allowed lateness.
    pub is_final: bool,
    /// Time of the cause of a per-account level.
    pub since: Option<Micros>,
    /// The engine may have it or not.
    pub optional: bool,
}

/// What the rows of one question and one value of its dimension have in common; rows are sorted by it, and then by window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series<'a> {
    /// Name of the metric.
    pub metric: &'a str,
    /// Dimension and value, if any.
    pub group: Option<Group<'a>>,
    /// The account of a per-account metric.
    pub account: Option<&'a str>,
    /// The currency of a money metric.
    pub currency: Option<&'a str>,
    /// The kind of its windows.
    pub kind: Kind,
}

impl Row {
    /// The series that it belongs to.
    pub fn series(&self) -> Series<'_> {
        Series {
            metric: self.metric,
            group: self.group.as_ref().map(|(by, value)| (*by, value.as_str())),
            account: self.account.as_deref(),
            currency: self.currency.as_deref(),
            kind: self.window.kind,
        }
    }

    /// An aggregate; `money` by currency, else without.
    pub fn aggregate(
        metric: &'static str,
        window: Window,
        group: Group<'_>,
        currency: Option<&str>,
        answer: Answer,
    ) -> Self {
        let group = (group.0 != By::Nothing).then(|| (group.0, group.1.to_owned()));
        let unit = match (&answer, currency) {
            (_, Some(_)) => "money",
            (Answer::Ratio(..), None) => "ratio",
            _ => "count",
        };
        let currency = currency.map(str::to_owned);
        Self {
            metric,
            window,
            group,
            account: None,
            currency,
            answer,
            unit,
            is_final: false,
            since: None,
            optional: false,
        }
    }

    /// What one account shows.
    pub fn of_account(metric: &'static str, window: Window, account: &str, answer: Answer, unit: &'static str) -> Self {
        let row = Self::aggregate(metric, window, ALL, None, answer);
        Self { account: Some(account.to_owned()), unit, ..row }
    }

    /// The same, optional if `condition`.
    pub fn optional_if(mut self, condition: bool) -> Self {
        self.optional |= condition;
        self
    }

    /// As `vitals query --format json` prints it, without revision, definition and corrected.
    pub fn json(&self) -> Result<Value, Error> {
        let to_date = self.window.kind == Kind::ToDate;
        let bound = |at| if to_date { Ok(Value::Null) } else { stamp(at).map(Value::from) };
        let fraction = self.answer.fraction();
        let dimensions: Map<String, Value> =
            self.group.iter().map(|(by, value)| (by.name().to_owned(), json!(value))).collect();
        let mut row = json!({
            "metric": self.metric,
            "window": {"kind": self.window.kind.name(), "start": bound(self.window.start)?, "end": bound(self.window.end)?},
            "dimensions": dimensions,
            "account": self.account,
            "currency": self.currency,
            "value": self.number(),
            "num": fraction.map(|f| whole(f.0)),
            "den": fraction.map(|f| whole(f.1)),
            "unit": self.unit,
            "final": self.is_final,
            "since": self.since.map(stamp).transpose()?,
            "reason": self.answer.reason(),
        });
        if self.optional {
            row["optional"] = json!(true);
        }
        Ok(row)
    }

    fn number(&self) -> Value {
        match self.answer {
            Answer::Whole(n) => whole(n),
            _ => json!(self.answer.value()),
        }
    }
}

/// An integer as JSON; one that no JSON reader would keep exactly becomes text.
fn whole(n: i128) -> Value {
    i64::try_from(n).map_or_else(|_| json!(n.to_string()), |n| json!(n))
}

/// RFC 3339 in UTC.
pub fn stamp(at: Micros) -> Result<String, Error> {
    let stamp = Timestamp::from_microsecond(at).map_err(|e| Error(format!("time out of range: {e}")))?;
    Ok(stamp.to_string())
}
