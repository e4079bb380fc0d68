//! What a field is that may not be so, and what it should be: the very text to write, where that can be known.
//!
//! It does not decide what is wrong: [`crate::validate`] does.

use std::borrow::Cow;

use jiff::civil;
use proto::vocabulary::Kind;
use serde_json::value::RawValue;

use crate::{
    Rejection, currency,
    decimal::{self, Decimal},
    given::Given,
    json::{self, Shape},
    render_rfc3339, validate,
};

/// The rejection of a field of this kind; `currency` is that of its event, empty where it is not known.
pub(crate) fn wrong(kind: Kind, given: &Given<'_>, path: &str, currency: &str) -> Rejection {
    let expected = cure(kind, given, currency).map_or_else(|| expected(kind, currency), Cow::Owned);
    Rejection::new(path.to_owned(), format!("is {}, expected {expected}", json::excerpt(&given.written())))
}

/// What is expected of a field of this kind, whatever it is.
pub(crate) fn expected(kind: Kind, currency: &str) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        Kind::Id => "a non-empty string of at most 1024 bytes without control characters",
        Kind::Text => "a string of at most 1024 bytes without control characters",
        Kind::Long => "a string of at most 65536 bytes",
        Kind::Integer(least, greatest) => return format!("a whole number from {least} to {greatest}").into(),
        Kind::Money(least, greatest) => {
            return format!("a whole number from {least} to {greatest} ({})", units(currency)).into();
        }
        Kind::Number => "a number of at most 18 digits",
        Kind::NumberIn(least, greatest) => return format!("a number from {least} to {greatest}").into(),
        Kind::Positive => "a number greater than 0",
        Kind::Flag => "true or false",
        Kind::Currency => "a currency as three capital letters (ISO 4217)",
        Kind::OneOf(values) => return format!("one of {}", values.join(", ")).into(),
        Kind::Date => "a date like \"2026-01-31\"",
        Kind::When => "a date like \"2026-01-31\" or an RFC 3339 time",
        Kind::List(fields) => return format!("a list of {{{}}}", validate::names(fields)).into(),
        Kind::Traits => "an object of traits",
        Kind::Texts => "an object of strings",
    })
}

/// The text to write instead of `given`.
fn cure(kind: Kind, given: &Given<'_>, currency: &str) -> Option<String> {
    let text = given.string("").unwrap_or_else(|_| Cow::Owned(given.written().into_owned()));
    let quoted = given.shape() == Shape::String;
    match kind {
        Kind::Money(least, greatest) => {
            let amount = decimal::of_comma(&text).unwrap_or_else(|| text.trim().to_owned());
            money(Decimal::parse(&amount)?, (least, greatest), currency, quoted)
        }
        Kind::Integer(..) | Kind::Number | Kind::NumberIn(..) | Kind::Positive if quoted => {
            let number = Decimal::parse(text.trim())?;
            let whole = !matches!(kind, Kind::Integer(..)) || number.integer().is_some();
            whole.then(|| format!("{} (a number, without quotes)", text.trim()))
        }
        Kind::Flag if quoted && matches!(&*text, "true" | "false") => Some(format!("{text} (without quotes)")),
        Kind::Id | Kind::Text | Kind::Long => in_quotes(given),
        Kind::Currency => {
            let code = text.trim().to_ascii_uppercase();
            (quoted && currency::is_code(&code)).then(|| format!("\"{code}\" (three capital letters, ISO 4217)"))
        }
        Kind::OneOf(values) => {
            let meant = values.iter().find(|value| value.eq_ignore_ascii_case(text.trim()))?;
            Some(format!("\"{meant}\""))
        }
        _ => None,
    }
}

/// `"18"` for 18, where a string is expected.
pub(crate) fn in_quotes(given: &Given<'_>) -> Option<String> {
    let plain = matches!(given.shape(), Shape::Number | Shape::Flag) && given.written().len() <= 60;
    plain.then(|| format!("\"{}\" (a string, in quotes)", given.written()))
}

/// An amount in major units, or in quotes, as the number of minor units that it most likely is.
fn money(amount: Decimal, (least, greatest): (i64, i64), currency: &str, quoted: bool) -> Option<String> {
    let places = if currency.is_empty() { 2 } else { currency::places(currency) };
    let minor = amount.integer().or_else(|| amount.shifted(places)).filter(|n| (least..=greatest).contains(n));
    let quotes = if quoted { ", a number without quotes" } else { "" };
    match minor {
        Some(minor) if !currency.is_empty() || amount.integer().is_some() => {
            Some(format!("{minor} ({}{quotes})", units(currency)))
        }
        Some(minor) => Some(format!("{minor} (minor units, if the currency has 2 decimal places{quotes})")),
        None if amount.integer().is_some() => None,
        None if places == 0 => Some(format!("a whole number{quotes}: {currency} has no decimal places")),
        None => Some(format!(
            "a whole number of minor units{quotes}: {} has {places} decimal places",
            if currency.is_empty() { "a currency mostly" } else { currency }
        )),
    }
}

fn units(currency: &str) -> Cow<'static, str> {
    if currency.is_empty() { "minor units".into() } else { format!("minor units of {currency}").into() }
}

/// Why a number is no time: the time that it is, if it counts seconds or milliseconds since 1970.
pub(crate) fn time(raw: &RawValue) -> Rejection {
    let count = Decimal::parse(raw.get()).and_then(Decimal::integer);
    let (unit, us) = match count {
        Some(count) if (100_000_000..100_000_000_000).contains(&count) => ("seconds", count * 1_000_000),
        Some(count) if (100_000_000_000..100_000_000_000_000).contains(&count) => ("milliseconds", count * 1_000),
        _ => {
            let problem = "expected a string, RFC 3339 like \"2026-01-31T09:30:00Z\"";
            return Rejection::new("time", format!("is {}, {problem}", json::excerpt(raw.get())));
        }
    };
    let time = render_rfc3339(us);
    Rejection::new("time", format!("is {}, expected a string: \"{time}\" if these are {unit} since 1970", raw.get()))
}

/// Why a text is no time, with the time that it is if only its zone is missing.
pub(crate) fn time_text(text: &str) -> Rejection {
    // Of a date alone, its midnight.
    let local = Some(text).filter(|text| text.len() >= 10).and_then(|text| text.parse::<civil::DateTime>().ok());
    let expected = match local {
        Some(local) => format!("{local}Z if that is UTC, else with its offset, like {local}+01:00"),
        None => "RFC 3339 like 2026-01-31T09:30:00Z".to_owned(),
    };
    Rejection::new("time", format!("is {}, expected {expected}", json::excerpt(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: Kind, json: &str, currency: &str) -> String {
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        wrong(kind, &Given::Json(raw), "f", currency).to_string()
    }

    #[test]
    fn money_is_named_in_minor_units_of_its_currency() {
        let money = Kind::Money(0, 1_000_000_000_000_000);
        for (json, currency, expected) in [
            ("19.99", "USD", "f: is 19.99, expected 1999 (minor units of USD)"),
            ("19.9", "EUR", "f: is 19.9, expected 1990 (minor units of EUR)"),
            ("19.99", "BHD", "f: is 19.99, expected 19990 (minor units of BHD)"),
            ("19.99", "JPY", "f: is 19.99, expected a whole number: JPY has no decimal places"),
            ("19.999", "USD", "f: is 19.999, expected a whole number of minor units: USD has 2 decimal places"),
            ("19.99", "", "f: is 19.99, expected 1999 (minor units, if the currency has 2 decimal places)"),
            ("\"1999\"", "USD", "f: is \"1999\", expected 1999 (minor units of USD, a number without quotes)"),
            ("\"19.99\"", "USD", "f: is \"19.99\", expected 1999 (minor units of USD, a number without quotes)"),
            ("\"19,99\"", "EUR", "f: is \"19,99\", expected 1999 (minor units of EUR, a number without quotes)"),
            ("\"5\"", "JPY", "f: is \"5\", expected 5 (minor units of JPY, a number without quotes)"),
            ("-1", "USD", "f: is -1, expected a whole number from 0 to 1000000000000000 (minor units of USD)"),
            ("\"$5\"", "USD", "f: is \"$5\", expected a whole number from 0 to 1000000000000000 (minor units of USD)"),
        ] {
            assert_eq!(said(money, json, currency), expected);
        }
    }

    #[test]
    fn other_kinds_have_their_cure() {
        for (kind, json, expected) in [
            (Kind::Id, "18", "f: is 18, expected \"18\" (a string, in quotes)"),
            (Kind::Text, "true", "f: is true, expected \"true\" (a string, in quotes)"),
            (Kind::Integer(0, 9), "\"3\"", "f: is \"3\", expected 3 (a number, without quotes)"),
            (Kind::Integer(0, 9), "\"x\"", "f: is \"x\", expected a whole number from 0 to 9"),
            (Kind::NumberIn(0, 1), "\"0.5\"", "f: is \"0.5\", expected 0.5 (a number, without quotes)"),
            (Kind::Flag, "\"true\"", "f: is \"true\", expected true (without quotes)"),
            (Kind::Currency, "\"usd\"", "f: is \"usd\", expected \"USD\" (three capital letters, ISO 4217)"),
            (Kind::OneOf(&["paid", "failed"]), "\"Paid\"", "f: is \"Paid\", expected \"paid\""),
            (Kind::OneOf(&["paid", "failed"]), "\"due\"", "f: is \"due\", expected one of paid, failed"),
        ] {
            assert_eq!(said(kind, json, "USD"), expected);
        }
    }

    #[test]
    fn a_number_for_a_time_is_the_time_that_it_counts() {
        let said = |json: &str| time(serde_json::from_str(json).expect("JSON")).to_string();
        assert_eq!(
            said("1704067200"),
            "time: is 1704067200, expected a string: \"2024-01-01T00:00:00Z\" if these are seconds since 1970"
        );
        assert_eq!(
            said("1704067200000"),
            "time: is 1704067200000, expected a string: \"2024-01-01T00:00:00Z\" if these are milliseconds since 1970"
        );
        assert_eq!(said("5"), "time: is 5, expected a string, RFC 3339 like \"2026-01-31T09:30:00Z\"");
    }

    #[test]
    fn a_time_without_a_zone_is_named_with_one() {
        for (text, expected) in [
            (
                "2026-02-20T12:00:00",
                "2026-02-20T12:00:00Z if that is UTC, else with its offset, like 2026-02-20T12:00:00+01:00",
            ),
            (
                "2026-02-20 12:00",
                "2026-02-20T12:00:00Z if that is UTC, else with its offset, like 2026-02-20T12:00:00+01:00",
            ),
            ("2026-02-20", "2026-02-20T00:00:00Z if that is UTC, else with its offset, like 2026-02-20T00:00:00+01:00"),
            ("20.02.2026", "RFC 3339 like 2026-01-31T09:30:00Z"),
        ] {
            assert_eq!(time_text(text).to_string(), format!("time: is {text}, expected {expected}"));
        }
    }
}
