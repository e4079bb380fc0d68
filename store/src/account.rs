//! Accounts as lists show them: the latest of what the metrics of accounts say, one row an account.
//!
//! A list sorts and filters by what is kept here, so that a page costs the same among a hundred accounts and among a
//! hundred thousand. It does not know what a score is made of: [`Roles`] names the metrics.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Series, Window};

/// The span, in local days, over which a list compares scores.
pub const BEFORE_DAYS: i64 = 30;

/// Which metrics of accounts a list shows. None where the catalog has no such metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Roles {
    /// The health score.
    pub score: Option<String>,
    /// What the account bought so far.
    pub value: Option<String>,
    /// Its recurring revenue, as the movements of each day.
    pub mrr: Option<String>,
    /// Components of the score, in the order of the catalog.
    pub components: Vec<Component>,
    /// Bands of the score, from the highest to the lowest.
    pub bands: Vec<Band>,
}

/// A component of the score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// What it counts for beside the others.
    pub weight: u32,
}

/// A range of scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band {
    /// Its name.
    pub name: String,
    /// The least score of it.
    pub from: i64,
}

/// What a snapshot of an account says beside its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The series; it has an account.
    pub series: Arc<Series>,
    /// Its latest window.
    pub window: Window,
    /// The value there.
    pub value: Option<f64>,
    /// Why there is none; empty otherwise.
    pub reason: String,
    /// The instant that published it.
    pub revision_us: i64,
    /// Time of the latest event that caused it.
    pub caused_us: Option<i64>,
    /// Of a score: what each component adds.
    pub contributions: Vec<Contribution>,
    /// Of a score: how it will change if nothing happens.
    pub projection: Vec<Projected>,
    /// The account's traits.
    pub traits: BTreeMap<String, String>,
}

/// What a component adds to a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Name of the component.
    pub component: String,
    /// Tenths of points.
    pub tenths: i64,
}

/// A coming change of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projected {
    /// When, microseconds since the Unix epoch.
    pub at_us: i64,
    /// The score from then on.
    pub score: Option<f64>,
    /// Why there is none; empty otherwise.
    pub reason: String,
    /// The components that move, with their new points; none without input.
    pub moved: Vec<(String, Option<f64>)>,
}

/// An account, as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// Its name.
    pub account: String,
    /// The score.
    pub score: Option<f64>,
    /// Why there is none; empty otherwise.
    pub reason: String,
    /// The instant that published the score.
    pub score_us: Option<i64>,
    /// The score [`BEFORE_DAYS`] ago.
    pub before: Option<f64>,
    /// What it bought so far, in minor units of `currency`.
    pub value: Option<f64>,
    /// Currency of `value`; empty without one. Of several currencies that in which it bought most.
    pub currency: String,
    /// Recurring revenue, in minor units of `mrr_currency`.
    pub mrr: Option<f64>,
    /// Currency of `mrr`; empty without one.
    pub mrr_currency: String,
    /// The latest event that moved one of its numbers.
    pub seen_us: Option<i64>,
    /// Its traits.
    pub traits: BTreeMap<String, String>,
    /// What each component with input adds to the score.
    pub contributions: Vec<Contribution>,
    /// How the score will change if nothing happens, as of `score_us`.
    pub projection: Vec<Projected>,
    /// Alerts that fire on it.
    pub alerts: u64,
}

/// By what a list of accounts is sorted. What has none of it comes last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccountSort {
    /// The lowest score first.
    #[default]
    Score,
    /// The highest score first.
    ScoreDescending,
    /// The deepest fall of the score first.
    Fall,
    /// Who bought most first.
    Value,
    /// Who was not seen for the longest time first.
    LastSeen,
}

impl AccountSort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Score, Self::ScoreDescending, Self::Fall, Self::Value, Self::LastSeen];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::ScoreDescending => "-score",
            Self::Fall => "fall",
            Self::Value => "value",
            Self::LastSeen => "last_seen",
        }
    }

    /// The sort of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// Which accounts to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountSelect {
    /// Tenant.
    pub tenant: String,
    /// Only this account.
    pub account: Option<String>,
    /// Only accounts whose name or trait `name` contains this, whatever the case of ASCII letters.
    pub text: Option<String>,
    /// Only those of this owner; the empty text is nobody's.
    pub owner: Option<String>,
    /// Only scores from the first (included) to the second (not included); a score there has to be.
    pub scores: Option<(f64, f64)>,
    /// Only accounts with all of these traits.
    pub traits: Vec<(String, String)>,
    /// Order of the list.
    pub sort: AccountSort,
    /// After this place of the list.
    pub after: Option<Cursor>,
    /// At most this many.
    pub limit: u64,
}

/// A place in a list of accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// What the list is sorted by, at this place.
    pub key: f64,
    /// The account.
    pub account: String,
}

impl Cursor {
    /// As one word: the key by its bits, then the account, in hexadecimal digits.
    pub fn word(&self) -> String {
        let account: String = self.account.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{:016x}{account}", self.key.to_bits())
    }

    /// The place that a word says.
    pub fn of_word(word: &str) -> Option<Self> {
        let (key, account) = word.split_at_checked(16)?;
        let key = f64::from_bits(u64::from_str_radix(key, 16).ok()?);
        let digits = account.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes =
            digits.chunks(2).map(|pair| if pair.len() == 2 { byte(pair) } else { None }).collect::<Option<_>>()?;
        Some(Self { key, account: String::from_utf8(bytes).ok()? }).filter(|cursor| !cursor.key.is_nan())
    }
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Accounts {
    /// The page.
    pub accounts: Vec<Account>,
    /// Where the next one begins; none at the end.
    pub next: Option<Cursor>,
    /// How many there are on all pages.
    pub total: u64,
    /// How many of them have a score.
    pub scored: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_written_and_nothing_else_is_one() {
        for (key, account) in [(0.1 + 0.2, "a"), (f64::MAX, ""), (-7.0, "株式会社 \u{1f}")] {
            let cursor = Cursor { key, account: account.to_owned() };
            assert_eq!(Cursor::of_word(&cursor.word()), Some(cursor));
        }
        for word in [
            "",
            "0",
            "zzzzzzzzzzzzzzzz",
            "00000000000000000",
            "0000000000000000ff",
            "0000000000000000é",
            "7ff8000000000000",
        ] {
            assert_eq!(Cursor::of_word(word), None, "{word}");
        }
    }
}
