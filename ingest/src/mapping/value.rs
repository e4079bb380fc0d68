//! One value of an event: where it comes from, and how its text is read.
//!
//! Invariants: money and numbers never pass through a float; what cannot be read is a rejection that names the column, and
//! never an absent value. An empty text is an absent value.

use std::borrow::Cow;

use expr::{Expr, Value as Found, rational::Rational};
use serde_json::value::RawValue;

use super::{
    document::{As, Gather},
    names::{FieldId, List},
    time,
    view::View,
};
use crate::{
    Rejection, currency,
    decimal::{self, Decimal, Round},
    given::Given,
    json::{self, Shape},
    render_rfc3339,
};

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum From {
    Field(FieldId),
    Expression(Box<Expression>),
    Text(String),
}

/// An expression and its source, for messages.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) lowered: Expr,
    pub(super) source: String,
}

/// A value of the mapping, checked.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) from: From,
    /// The list in JSON whose items give it.
    pub(super) each: Option<List>,
    pub(super) r#as: Option<As>,
    /// How a time is read.
    pub(super) format: Option<time::Formats>,
    /// Whether a time is a day.
    pub(super) is_day: bool,
    pub(super) table: Vec<(String, Option<String>)>,
    pub(super) default: Option<String>,
    pub(super) gather: Gather,
}

/// What a record says.
#[derive(Debug)]
enum Said<'r> {
    Nothing,
    Text(Cow<'r, str>),
    Number(Rational),
    Flag(bool),
    /// A value of a JSON object that is no text.
    Json(&'r RawValue),
}

impl From {
    /// `column NAME`, for messages.
    pub(super) fn describe(&self, view: &View<'_>) -> String {
        match self {
            Self::Field(field) => view.describe(*field),
            Self::Expression(expression) => format!("cel {}", expression.source),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Value {
    pub(super) fn new(from: From) -> Self {
        Self {
            from,
            each: None,
            r#as: None,
            format: None,
            is_day: false,
            table: Vec::new(),
            default: None,
            gather: Gather::First,
        }
    }

    /// The text of a name, such as an account or an id; empty where there is none.
    pub(super) fn text<'v>(&'v self, view: &View<'v>) -> Result<Cow<'v, str>, Rejection> {
        Ok(match self.said(view)? {
            Said::Nothing => Cow::Borrowed(""),
            Said::Text(text) => text,
            Said::Number(number) => Cow::Owned(self.decimal_of(number, view)?),
            Said::Flag(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            Said::Json(raw) => Cow::Borrowed(raw.get()),
        })
    }

    /// The value that an event gets; `code` is the currency of its amounts. An empty text is none.
    pub(super) fn given<'v>(&'v self, view: &View<'v>, code: &str) -> Result<Option<Given<'v>>, Rejection> {
        if self.gather == Gather::Sum {
            return self.sum(view, code);
        }
        let said = self.said(view)?;
        let given = match self.r#as {
            None => match said {
                Said::Nothing => None,
                Said::Text(text) => Some(Given::Text(text)),
                Said::Number(number) => Some(Given::Number(self.decimal_of(number, view)?.into())),
                Said::Flag(flag) => Some(Given::Flag(flag)),
                Said::Json(raw) => Some(Given::Json(raw)),
            },
            Some(_) if matches!(said, Said::Nothing) => None,
            Some(As::Text) => Some(Given::Text(self.text(view)?)),
            Some(As::Number) => Some(Given::Number(self.number(said, view)?)),
            Some(As::Flag) => Some(Given::Flag(self.flag(&said, view)?)),
            Some(As::Time) => Some(Given::Text(self.time(&said, view)?.into())),
            Some(As::Integer | As::Minor | As::Major) => {
                Some(Given::Number(self.whole(&said, view, code)?.to_string().into()))
            }
        };
        Ok(given)
    }

    /// The instant or day that a text means, as events write it.
    fn time(&self, said: &Said<'_>, view: &View<'_>) -> Result<String, Rejection> {
        let text = said.written();
        let written = self.format.as_ref().and_then(|format| {
            let at_us = format.read(&text, None)?;
            if self.is_day { Some(format.day(at_us)?.to_string()) } else { Some(render_rfc3339(at_us)) }
        });
        let expected = || self.format.as_ref().map(time::Formats::expected).unwrap_or_default();
        written.ok_or_else(|| self.wrong(view, &text, &expected()))
    }

    /// The rows of a group, or the items of the list, each alone.
    fn parts<'v>(&self, view: &View<'v>) -> Result<Vec<View<'v>>, Rejection> {
        match &self.each {
            Some(list) => view.each_item(list),
            None => Ok(view.each_row()),
        }
    }

    /// The sum over the rows of a group, or the items of a list.
    fn sum<'v>(&'v self, view: &View<'v>, code: &str) -> Result<Option<Given<'v>>, Rejection> {
        let mut sum = None;
        for row in self.parts(view)? {
            let said = self.filled(self.alone(&row)?);
            if !matches!(said, Said::Nothing) {
                let whole = self.whole(&said, &row, code)?;
                let added = sum.unwrap_or(0_i64).checked_add(whole);
                sum = Some(added.ok_or_else(|| self.wrong(view, "the rows", "a sum that fits 64 bits"))?);
            }
        }
        Ok(sum.map(|sum| Given::Number(sum.to_string().into())))
    }

    /// What a record says: of the rows of a group or the items of a list the first or last that say something.
    fn said<'v>(&'v self, view: &View<'v>) -> Result<Said<'v>, Rejection> {
        // Of a group the first is what the view itself shows.
        if self.each.is_none() && self.gather != Gather::Last {
            return Ok(self.filled(self.alone(view)?));
        }
        let mut parts = self.parts(view)?;
        if self.gather == Gather::Last {
            parts.reverse();
        }
        for part in &parts {
            let said = self.alone(part)?;
            if !said.is_blank() {
                return Ok(said);
            }
        }
        Ok(self.filled(Said::Nothing))
    }

    fn alone<'v>(&'v self, view: &View<'v>) -> Result<Said<'v>, Rejection> {
        let said = match &self.from {
            From::Text(text) => Said::Text(Cow::Borrowed(text)),
            From::Expression(expression) => evaluated(expression, view)?,
            From::Field(field) => of_field(*field, view),
        };
        Ok(self.looked_up(said))
    }

    /// What the table has in the place of a text.
    fn looked_up<'v>(&'v self, said: Said<'v>) -> Said<'v> {
        let found = |text: &str| self.table.iter().find(|(key, _)| key == text);
        let Some((_, value)) = (match &said {
            _ if self.table.is_empty() => None,
            Said::Text(text) => found(text),
            Said::Json(raw) => found(raw.get()),
            Said::Nothing => found(""),
            Said::Number(number) => number.decimal().and_then(|text| found(&text)),
            Said::Flag(flag) => found(if *flag { "true" } else { "false" }),
        }) else {
            return said;
        };
        value.as_ref().map_or(Said::Nothing, |value| Said::Text(Cow::Borrowed(value)))
    }

    fn filled<'v>(&'v self, said: Said<'v>) -> Said<'v> {
        match &self.default {
            Some(default) if said.is_blank() => Said::Text(Cow::Borrowed(default)),
            _ if said.is_blank() => Said::Nothing,
            _ => said,
        }
    }

    fn wrong(&self, view: &View<'_>, found: &str, expected: &str) -> Rejection {
        let point = decimal::of_comma(found);
        let cure =
            point.map(|number| format!("{number} with a decimal point, or in the mapping numbers: {{decimal: \",\"}}"));
        let expected = cure.unwrap_or_else(|| expected.to_owned());
        let problem = format!("{}: is {}, expected {expected}", self.from.describe(view), json::excerpt(found));
        Rejection::line(problem)
    }

    /// A number as JSON writes it.
    fn number<'v>(&self, said: Said<'v>, view: &View<'v>) -> Result<Cow<'v, str>, Rejection> {
        let wrong = |text: &str| self.wrong(view, text, "a number of at most 18 digits");
        match said {
            Said::Number(number) => Ok(self.decimal_of(number, view)?.into()),
            Said::Json(raw) if json::shape(raw) == Shape::Number => Ok(raw.get().into()),
            Said::Text(text) => {
                let numbers = view.mapping().numbers;
                let number = numbers.read(&text).ok_or_else(|| wrong(&text))?;
                // As it is written, where that is JSON: what is imported again is the same.
                let is_json = numbers.are_plain() && serde_json::from_str::<&RawValue>(&text).is_ok();
                Ok(if is_json { text } else { number.to_string().into() })
            }
            other => Err(wrong(&other.written())),
        }
    }

    fn flag(&self, said: &Said<'_>, view: &View<'_>) -> Result<bool, Rejection> {
        let text = match said {
            Said::Flag(flag) => return Ok(*flag),
            other => other.written(),
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true),
            "false" | "no" | "0" => Ok(false),
            _ => Err(self.wrong(view, &text, "true or false")),
        }
    }

    /// A whole number: of minor units, where it is money.
    fn whole(&self, said: &Said<'_>, view: &View<'_>, code: &str) -> Result<i64, Rejection> {
        let (numbers, is_major) = (view.mapping().numbers, self.r#as == Some(As::Major));
        let places = if is_major { currency::places(code) } else { 0 };
        let whole = match said {
            Said::Number(number) => in_places(*number, places, numbers.round),
            other => {
                let number = match other {
                    Said::Json(raw) => Decimal::parse(raw.get()),
                    other => numbers.read(&other.written()),
                };
                number.and_then(|number| match numbers.round {
                    Some(how) => number.rounded(places, how),
                    None => number.shifted(places),
                })
            }
        };
        whole.ok_or_else(|| {
            let amount = format!("an amount with at most {places} decimal places");
            self.wrong(view, &said.written(), if is_major { &amount } else { "a whole number" })
        })
    }

    fn decimal_of(&self, number: Rational, view: &View<'_>) -> Result<String, Rejection> {
        number.decimal().ok_or_else(|| {
            let quotient = format!("{}/{}", number.num(), number.den());
            self.wrong(view, &quotient, "a number with an end; as: major or minor, and numbers: {round: half_even}")
        })
    }
}

impl Said<'_> {
    fn is_blank(&self) -> bool {
        matches!(self, Self::Nothing) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// As a person would write it.
    fn written(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => {
                Cow::Owned(number.decimal().unwrap_or_else(|| format!("{}/{}", number.num(), number.den())))
            }
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Json(raw) => Cow::Borrowed(raw.get()),
        }
    }
}

fn of_field<'v>(field: FieldId, view: &View<'v>) -> Said<'v> {
    match view.raw(field) {
        Some(raw) if json::shape(raw) == Shape::Flag => Said::Flag(raw.get() == "true"),
        Some(raw) if json::shape(raw) != Shape::String => Said::Json(raw),
        _ => Said::Text(view.text(field)),
    }
}

/// The value of an expression; a text in it that is no number where one is needed refuses the record.
fn evaluated<'v>(expression: &'v Expression, view: &View<'v>) -> Result<Said<'v>, Rejection> {
    let said = match expression.lowered.eval(view) {
        Found::Null => Said::Nothing,
        Found::Number(number) => Said::Number(number),
        Found::Flag(flag) => Said::Flag(flag),
        Found::Text(text) => Said::Text(Cow::Owned(text.into_owned())),
    };
    numbers_read(expression, view)?;
    Ok(said)
}

/// Whether a record fits the condition of a rule.
pub(super) fn holds(condition: &Expression, view: &View<'_>) -> Result<bool, Rejection> {
    let holds = condition.lowered.holds(view);
    numbers_read(condition, view)?;
    Ok(holds)
}

fn numbers_read(expression: &Expression, view: &View<'_>) -> Result<(), Rejection> {
    let Some(text) = view.take_no_number() else { return Ok(()) };
    let problem = format!("cel {}: {} is no number, which is expected there", expression.source, json::excerpt(&text));
    Err(Rejection::line(problem))
}

/// `number * 10^places`, if it is whole or may be rounded.
fn in_places(number: Rational, places: u32, round: Option<Round>) -> Option<i64> {
    let scaled = number.mul(Rational::integer(10_i128.checked_pow(places)?))?;
    let whole = match round {
        _ if scaled.den() == 1 => scaled.num(),
        None => return None,
        Some(Round::HalfEven) => scaled.round(),
        Some(Round::Down) => scaled.num() / scaled.den(),
        Some(Round::HalfUp) => {
            // The magnitude and a half, cut off.
            let (num, den) = (scaled.num().checked_mul(2)?, scaled.den().checked_mul(2)?);
            num.checked_add(num.signum() * scaled.den())? / den
        }
    };
    i64::try_from(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_rounded_as_asked_for() {
        let of = |num, den, round| in_places(Rational::new(num, den).unwrap(), 2, round);
        for (num, den, expected) in [
            (1, 200, [None, Some(0), Some(1), Some(0)]),
            (3, 200, [None, Some(2), Some(2), Some(1)]),
            (-1, 200, [None, Some(0), Some(-1), Some(0)]),
            (1, 3, [None, Some(33), Some(33), Some(33)]),
            (-2, 3, [None, Some(-67), Some(-67), Some(-66)]),
            (5, 4, [Some(125); 4]),
        ] {
            let found = [None, Some(Round::HalfEven), Some(Round::HalfUp), Some(Round::Down)];
            assert_eq!(found.map(|round| of(num, den, round)), expected, "{num}/{den}");
        }
    }
}
