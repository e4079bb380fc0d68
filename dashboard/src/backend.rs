//! What the API needs of the process beside the store: the log, the rules, and what people do about alerts.
//!
//! The binary implements it with what its commands do; the API knows neither a log nor a rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Why the process could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such thing; the text names it.
    NotFound(String),
    /// What was asked is wrong: the name of the field, and what would be right.
    Wrong(&'static str, String),
    /// Something else was changed meanwhile.
    Conflict(String),
    /// It may work later.
    Later(String),
    /// It failed, and a person has to look.
    Failed(String),
}

/// What the process says of a metric beside the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formula {
    /// The expression of the catalog.
    pub text: String,
    /// Facts and events that its measures read, in order.
    pub sources: Vec<String>,
}

/// A rule of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The group of the rule file.
    pub group: String,
    /// The metric that it reads.
    pub metric: String,
    /// The rule in words.
    pub sentence: String,
    /// The rule as its file has it, key by key.
    pub written: serde_json::Value,
    /// Its labels, as written.
    pub labels: BTreeMap<String, String>,
}

/// What a goal was set to.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalTerms {
    /// Its name.
    pub goal: String,
    /// The metric that it is on.
    pub metric: String,
    /// The dimensions that it is on.
    pub dimensions: BTreeMap<String, String>,
    /// The window, as written; a quarter if it names none.
    pub window: String,
    /// The target, in minor units if it is money.
    pub target: f64,
    /// Currency of the target; empty for none.
    pub currency: String,
    /// When it is due, as written; empty for the end of the window.
    pub due: String,
}

/// Events of an account, the newest first.
#[derive(Debug, Default)]
pub struct Events {
    /// Each as `vitals events` prints it, without its place in the log.
    pub events: Vec<Box<RawValue>>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// What is known of an account beside the store.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Accounts that were merged into it.
    pub aliases: Vec<String>,
    /// Its score, as the components make it.
    pub score: Option<f64>,
    /// What each component of its score adds, and rests on.
    pub components: Vec<Basis>,
    /// When its traits were set last, RFC 3339.
    pub traits_since: Option<String>,
    /// What else is a fact of it now.
    pub facts: Vec<Fact>,
}

/// What a component of a score rests on.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Its name.
    pub component: String,
    /// What it adds; none without input.
    pub points: Option<f64>,
    /// What it added before; none where it had no input, or there was no score.
    pub before: Option<f64>,
    /// What it rests on now, in words.
    pub inputs: String,
    /// The same as numbers.
    pub input: Input,
}

/// What a component of a score looks at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Input {
    /// `days_since`, `days_with`, `satisfaction`, `open_tickets` or `failing_payment`.
    pub kind: String,
    /// Days, days, percent, tickets, or 1 while payment fails; null without input.
    pub value: Option<f64>,
    /// Of `days_with` and `satisfaction`: the number of days that are looked at.
    pub among: Option<i64>,
}

/// A fact of an account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fact {
    /// `customer`, `traits`, or the type of an event: the latest one of it.
    pub name: String,
    /// Since when, or when it happened; RFC 3339.
    pub at: Option<String>,
    /// What it says: of an event its data; of a customer that was lost `until`.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    pub fields: BTreeMap<String, serde_json::Value>,
}

/// A record that could not be used.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Letter {
    /// Names it: `partition-offset` among the dead letters.
    pub id: String,
    /// When it was put aside, RFC 3339.
    pub at: String,
    /// Where it came from.
    pub topic: String,
    /// Its partition there.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// Why it could not be used, in a word or a few.
    pub reason: String,
    /// Who found that, and more.
    pub detail: String,
    /// The record as it came.
    pub bytes_base64: String,
    /// The same as text, if it is an event or UTF-8.
    pub text: Option<String>,
}

/// A page of records that could not be used.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Letters {
    /// The newest first.
    pub letters: Vec<Letter>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
    /// How many there are.
    pub total: u64,
}

/// What somebody does about alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Takes care of an alert.
    Acknowledge {
        /// The alert.
        alert: String,
    },
    /// Silences what all matchers match.
    Silence {
        /// As written: `rule=~"churn.*"`.
        matchers: Vec<String>,
        /// Until this time, microseconds since the Unix epoch.
        until_us: i64,
    },
    /// Ends a silence.
    End {
        /// The silence.
        silence: String,
    },
}

/// A silence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Silence {
    /// Names it.
    pub id: String,
    /// What it matches.
    pub matchers: Vec<String>,
    /// When it began, RFC 3339.
    pub since: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// An acknowledgement of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// Since when, RFC 3339.
    pub at: String,
}

/// What people did about an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The acknowledgement, if there is one.
    pub acknowledged: Option<Acknowledged>,
    /// Until when it is not sent, RFC 3339.
    pub silenced_until: Option<String>,
}

/// The process behind the API.
pub trait Backend: Send + Sync {
    /// Whether the company is simulated.
    fn is_demo(&self) -> bool;

    /// What a metric is made of, if the catalog in force has it.
    fn formula(&self, metric: &str) -> Option<Formula>;

    /// The rules in force.
    fn rules(&self) -> Vec<Rule>;

    /// The goals that are set.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn goals(&self) -> Result<Vec<GoalTerms>, Trouble>;

    /// Events that count for an account.
    ///
    /// # Errors
    /// When the log cannot be read, or the cursor is none.
    fn events(&self, account: &str, cursor: Option<&str>, limit: usize) -> Result<Events, Trouble>;

    /// What is known of an account, and what its score was made of before an instant; none where the process has no quick
    /// way to know.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn known(&self, account: &str, before_us: i64) -> Result<Option<Known>, Trouble>;

    /// Why the score of an account is what it is, and what moved it since a time; as `vitals explain --json` prints it.
    ///
    /// # Errors
    /// When there is no such account, or a time is wrong.
    fn explain(&self, account: &str, at: Option<&str>, since: Option<&str>) -> Result<Box<RawValue>, Trouble>;

    /// Records that could not be used.
    ///
    /// # Errors
    /// When the log cannot be read, or the cursor is none.
    fn letters(&self, cursor: Option<&str>, limit: usize) -> Result<Letters, Trouble>;

    /// Hands a record in again; returns the id under which it went.
    ///
    /// # Errors
    /// When there is no such record, or it cannot be taken.
    fn replay(&self, letter: &str) -> Result<String, Trouble>;

    /// How far each stage is, disk, retention, how events ended, and the process; as `vitals status --json` prints it.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn pipeline(&self) -> Result<serde_json::Value, Trouble>;

    /// What was done about each of these firings, by name and labels, in their order.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn done(&self, alerts: &[(String, BTreeMap<String, String>)]) -> Result<Vec<Done>, Trouble>;

    /// All silences that last.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn silences(&self) -> Result<Vec<Silence>, Trouble>;

    /// Writes what somebody does; durable when it returns the action's id.
    ///
    /// # Errors
    /// When it is wrong, or the log cannot be written.
    fn act(&self, act: &Act, by: &str, comment: &str) -> Result<String, Trouble>;
}
