//! What must be, and how a row is compared with it.
//!
//! ```text
//! expect METRIC in WINDOW [by DIMENSION] [of ACCOUNT]
//!     START [VALUE OF THE DIMENSION] [CURRENCY] ANSWER [since TIME]
//! ```
//!
//! START is the first day of the window (`2024-01-05`, or `2024-01` for the first of a month), of a trailing window its
//! last day, of `to-date` the word `ever`. `-` is no value of the dimension. ANSWER is
//!
//! - `12`, `0.5`, and with a currency `12.50` in major units: the value;
//! - `3/4`: numerator and denominator, which give the value; `0/0` is null for lack of a denominator;
//! - `=3/4`: the value alone, as a fraction;
//! - `2h`, `30m`, `1d`, `5s`, and so `3h/2`: times, in seconds;
//! - `~10`: the value within one in a hundred;
//! - `none REASON`: null, and why;
//! - `nothing`: no row, or one that says nothing: a sum or level of 0, or no ratio.

use crate::decimal::{self, Fraction};
use crate::{Error, Micros, local, rational, row, settings};
use jiff::tz::TimeZone;
use serde_json::Value;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    metric: String,
    window: String,
    by: Option<String>,
    account: Option<String>,
}

impl Question {
    pub(super) fn parse(words: &[&str]) -> Result<Self, Error> {
        let wrong = || Error("expected: expect METRIC in WINDOW [by DIMENSION] [of ACCOUNT]".to_owned());
        let (metric, rest) = words.split_first().ok_or_else(wrong)?;
        let until = rest.iter().position(|word| matches!(*word, "by" | "of")).unwrap_or(rest.len());
        let (window, rest) = rest.split_at(until);
        if window.first() != Some(&"in") || window.len() < 2 {
            return Err(wrong());
        }
        let named = |name: &str| {
            let at = rest.iter().position(|word| *word == name)?;
            rest.get(at + 1).map(|word| (*word).to_owned())
        };
        Ok(Self { metric: (*metric).to_owned(), window: window[1..].join(" "), by: named("by"), account: named("of") })
    }
}

/// A number in an answer: exactly this many (minor units, seconds).
pub type Number = Fraction;

/// What a row must say.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This value.
    Value(Number),
    /// About this value.
    About(Number),
    /// This numerator and denominator.
    Ratio(Number, Number),
    /// Null, and why.
    Null(String),
    /// Nothing.
    Nothing,
}

/// One line of what is expected.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Where it stands in the file.
    pub line: usize,
    /// Name of the metric.
    pub metric: String,
    /// Kind of the window, as `1mo`.
    pub window: String,
    /// Which window, as written.
    pub start: String,
    /// Dimension and its value.
    pub group: Option<(String, String)>,
    /// The account.
    pub account: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What the row says.
    pub wanted: Wanted,
    /// The cause's time; microseconds.
    pub since: Option<Micros>,
}

impl Expectation {
    pub(super) fn parse(question: &Question, line: usize, words: &[&str], zone: &TimeZone) -> Result<Self, Error> {
        let mut rest = words.iter().copied();
        let mut next = || rest.next().ok_or_else(|| Error("the answer is missing".to_owned()));
        let start = next()?.to_owned();
        let group = match &question.by {
            Some(by) => Some((by.clone(), Some(next()?).filter(|value| *value != "-").unwrap_or_default().to_owned())),
            None => None,
        };
        let mut answer = next()?;
        let mut currency = None;
        if answer.len() == 3 && answer.bytes().all(|byte| byte.is_ascii_uppercase()) {
            currency = Some(answer.to_owned());
            answer = next()?;
        }
        let rest: Vec<&str> = rest.collect();
        let since = rest.iter().position(|word| *word == "since");
        let reason = rest[..since.unwrap_or(rest.len())].join(" ");
        let since = since.and_then(|at| rest.get(at + 1)).map(|text| super::time(text, zone)).transpose()?;
        let wanted = wanted(answer, reason, currency.is_some())?;
        let (metric, window) = (question.metric.clone(), question.window.clone());
        Ok(Self { line, metric, window, start, group, account: question.account.clone(), currency, wanted, since })
    }

    /// How the rows differ from it.
    pub(super) fn difference(&self, rows: &[&Value], zone: &TimeZone) -> Option<String> {
        let row = rows.iter().copied().find(|row| self.is_of(row, zone));
        let right = match (row, &self.wanted) {
            (None, wanted) => *wanted == Wanted::Nothing,
            (Some(row), wanted) => says(row, wanted) && (self.since.is_none() || instant(&row["since"]) == self.since),
        };
        let found = row.map_or_else(
            || "no row".to_owned(),
            |row| {
                format!(
                    "value {} num {} den {} reason {} since {}",
                    row["value"], row["num"], row["den"], row["reason"], row["since"]
                )
            },
        );
        let (group, since) =
            (self.group.as_ref().map_or("", |group| &group.1), self.since.and_then(|at| row::stamp(at).ok()));
        let (metric, window, start, wanted) = (&self.metric, &self.window, &self.start, &self.wanted);
        (!right).then(|| {
            format!(
                "line {}: {metric} {window} {start} {group}: expected {wanted:?} {since:?}, found {found}",
                self.line
            )
        })
    }

    fn is_of(&self, row: &Value, zone: &TimeZone) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let window = &row["window"];
        let group = self.group.as_ref();
        let dimensions = row["dimensions"].as_object();
        text(&row["metric"]) == self.metric
            && text(&window["kind"]) == self.window
            && dimensions.map_or(0, serde_json::Map::len) == group.iter().len()
            && group.is_none_or(|(by, value)| row["dimensions"].get(by) == Some(&Value::from(value.as_str())))
            && row["account"].as_str() == self.account.as_deref()
            && text(&row["currency"]) == self.currency.clone().unwrap_or_default()
            && self.is_in(window, zone)
    }

    /// Whether a window is the one that was named.
    fn is_in(&self, window: &Value, zone: &TimeZone) -> bool {
        if self.start == "ever" {
            return window["start"].is_null();
        }
        let day = if self.start.len() == 7 { format!("{}-01", self.start) } else { self.start.clone() };
        match self.window.starts_with("trailing") {
            true => local::end(&day, zone).is_some_and(|end| instant(&window["end"]) == Some(end)),
            false => local::instant(&day, zone).is_some_and(|start| instant(&window["start"]) == Some(start)),
        }
    }
}

fn instant(value: &Value) -> Option<Micros> {
    settings::instant(value.as_str()?).ok()
}

fn wanted(answer: &str, reason: String, money: bool) -> Result<Wanted, Error> {
    let number = |text: &str| number(text, money).ok_or_else(|| Error(format!("not an answer: {text}")));
    Ok(match (answer, answer.split_once('/')) {
        ("none", _) => Wanted::Null(reason),
        ("nothing", _) => Wanted::Nothing,
        (_, Some((num, den))) if num.starts_with('=') => {
            let (num, den) = (number(&num[1..])?, number(den)?);
            Wanted::Value(rational::reduce(num.0 * den.1, num.1 * den.0))
        }
        (_, Some((num, den))) => Wanted::Ratio(number(num)?, number(den)?),
        (_, None) => match answer.strip_prefix('~') {
            Some(about) => Wanted::About(number(about)?),
            None => Wanted::Value(number(answer)?),
        },
    })
}

/// A number; a time in seconds; with a currency what has a decimal point in minor units.
fn number(text: &str, money: bool) -> Option<Number> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 0,
    };
    let (num, den) = decimal::parse(text.trim_end_matches(['s', 'm', 'h', 'd']))?;
    let factor = if unit > 0 {
        unit
    } else if money && text.contains('.') {
        100
    } else {
        1
    };
    Some((num * factor, den))
}

fn says(row: &Value, wanted: &Wanted) -> bool {
    let value = row["value"].as_f64().or_else(|| row["value"].as_str()?.parse().ok());
    let nearest = |number: &Number| rational::nearest(number.0, number.1);
    match wanted {
        Wanted::Value(number) => value == Some(nearest(number)),
        Wanted::About(number) => {
            value.is_some_and(|said| (said - nearest(number)).abs() <= nearest(number).abs() / 100.0)
        }
        Wanted::Ratio(num, den) if den.0 == 0 => value.is_none() && fraction(row, *num, *den),
        Wanted::Ratio(num, den) => {
            let (a, b) = rational::reduce(num.0 * den.1, num.1 * den.0);
            value == Some(rational::nearest(a, b)) && fraction(row, *num, *den)
        }
        Wanted::Null(reason) => value.is_none() && row["reason"].as_str() == Some(reason),
        Wanted::Nothing => value.is_none_or(|value| value == 0.0 && row["num"].is_null()),
    }
}

/// Whether the row's numerator and denominator are these; both may be given in millionths.
fn fraction(row: &Value, num: Number, den: Number) -> bool {
    let of = |name: &str| {
        let text = row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
        decimal::parse(&text)
    };
    let same = |said: Option<Number>, wanted: Number, times: i128| {
        said.is_some_and(|said| said.0 * wanted.1 == wanted.0 * times * said.1)
    };
    [1, 1_000_000].into_iter().any(|times| same(of("num"), num, times) && same(of("den"), den, times))
}
