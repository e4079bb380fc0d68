//! Values that several keys have: spans of time, zones, addresses, days.

use std::sync::Arc;

use jiff::{
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde_saphyr::Spanned;

use super::Mistake;

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;

/// The value, or its mistake for the list.
pub(super) fn keep<T>(result: Result<T, Mistake>, mistakes: &mut Vec<Mistake>) -> Option<T> {
    result.map_err(|mistake| mistakes.push(mistake)).ok()
}

/// A span of time such as `30s`, `5m`, `4h` or `7d`, in microseconds.
pub(super) fn span(text: &Spanned<String>) -> Result<i64, Mistake> {
    parse_span(&text.value).ok_or_else(|| {
        Mistake::at(text, format!("`{}` is no span of time; write one like 30s, 5m, 4h or 7d", text.value))
    })
}

pub(in super::super) fn parse_span(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number = number.parse::<u32>().ok()?;
    i64::from(number).checked_mul(seconds * SECOND)
}

/// An IANA zone.
pub(super) fn zone(text: &Spanned<String>) -> Result<TimeZone, Mistake> {
    TimeZone::get(&text.value).map_err(|_| {
        Mistake::at(text, format!("`{}` is no time zone; write an IANA name such as Europe/Berlin", text.value))
    })
}

/// The address of the dashboard, without a slash at its end.
pub(super) fn external_url(text: &Spanned<String>) -> Result<String, Mistake> {
    match url::Url::parse(&text.value) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(text.value.trim_end_matches('/').to_owned()),
        _ => {
            Err(Mistake::at(text, format!("`{}` is no address; write one like https://vitals.example.com", text.value)))
        }
    }
}

/// A receiver that exists.
pub(super) fn known<'a>(
    name: &Spanned<String>,
    receivers: impl Iterator<Item = &'a Arc<str>>,
) -> Result<Arc<str>, Mistake> {
    let all: Vec<&Arc<str>> = receivers.collect();
    all.iter().find(|known| ****known == *name.value).map(|known| (*known).clone()).ok_or_else(|| {
        let names = all.iter().map(|name| name.as_ref()).collect::<Vec<_>>().join(", ");
        Mistake::at(name, format!("there is no receiver `{}`; there are {names}", name.value))
    })
}

/// A time of the day such as `09:00`.
pub(super) fn time(text: &Spanned<String>) -> Result<Time, Mistake> {
    parse_time(&text.value)
        .ok_or_else(|| Mistake::at(text, format!("`{}` is no time of the day; write one like \"09:00\"", text.value)))
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Days of the week; all of them for none.
pub(super) fn days(names: &[Spanned<String>]) -> Result<Vec<Weekday>, Mistake> {
    let day = |name: &Spanned<String>| {
        let known = WEEK.iter().find(|(short, _)| *short == name.value);
        known.map(|(_, day)| *day).ok_or_else(|| {
            Mistake::at(name, format!("`{}` is no day; there are mon, tue, wed, thu, fri, sat and sun", name.value))
        })
    };
    if names.is_empty() {
        return Ok(WEEK.iter().map(|(_, day)| *day).collect());
    }
    names.iter().map(day).collect()
}

/// `daily 09:00` or `weekdays 09:00`.
pub(super) fn digest(text: &Spanned<String>) -> Result<(Time, Vec<Weekday>), Mistake> {
    let all = || WEEK.iter().map(|(_, day)| *day);
    let parsed = text.value.split_once(' ').and_then(|(when, at)| {
        let days = match when {
            "daily" => all().collect(),
            "weekdays" => all().take(5).collect(),
            short => vec![WEEK.iter().find(|(name, _)| *name == short)?.1],
        };
        Some((parse_time(at)?, days))
    });
    parsed.ok_or_else(|| {
        Mistake::at(
            text,
            format!("`{}` is no digest; write `daily 09:00`, `weekdays 09:00` or `mon 09:00`", text.value),
        )
    })
}
