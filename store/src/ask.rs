//! A question about one metric, answered with every window from the tenant's first event to the store's clock.
//!
//! Names are resolved against the catalog of the store; what is not there is an error that lists what is. Only rows of
//! the definition in force are shown. Rows come by series and, within one, in order of time.
//!
//! It does not know how an answer is shown.

use std::{cell::Cell, ops::ControlFlow, sync::Arc};

use crate::{
    Clock, Error, Fill, MetricInfo, Point, Read, Result, Row, Select, Series, Settings, Span,
    fill::Filling,
    window::{Calendar, Kind},
};

/// The metric whose first window dates the tenant's first event.
const EVENTS: &str = "events";
/// Its kinds of windows.
const LONGEST_FIRST: [Kind; 6] = [Kind::Year, Kind::Quarter, Kind::Month, Kind::Week, Kind::Day, Kind::Hour];

/// No question looks back farther by [`Ask::newest`].
const WINDOWS_MAX: u32 = 10_000;

/// A question, as a person writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Tenant.
    pub tenant: String,
    /// Metric.
    pub metric: String,
    /// Kind of window; none: `1mo`, or the metric's only one.
    pub window: Option<String>,
    /// Exactly these dimensions, in any order and in the spelling of the catalog; `currency` is always kept apart and may
    /// be named.
    pub by: Vec<String>,
    /// Only these values of dimensions in `by`, or of `currency`.
    pub filter: Vec<(String, String)>,
    /// Only this account.
    pub account: Option<String>,
    /// Windows that start (trailing: end) at or after this time: RFC 3339, or a date in the tenant's zone.
    pub from: Option<String>,
    /// Windows that start (trailing: end) before this time.
    pub to: Option<String>,
    /// At most this many windows of each series: the newest.
    pub newest: Option<u32>,
}

/// Calls `visit` for each row of the answer until it breaks. Of sums of each account by day only those that are not 0,
/// unless an account is named: nearly all are 0. Of a list only what is still there.
///
/// # Errors
/// `Reject` for a question that cannot be answered, and what the store or the visitor say.
pub fn ask(read: &dyn Read, ask: &Ask, visit: &mut dyn FnMut(Row) -> Result<ControlFlow<()>>) -> Result<()> {
    let catalog = read.catalog()?;
    let metric = find(&catalog, &ask.metric)?;
    if ask.account.is_some() && !metric.per_account {
        return Err(not_per_account(&catalog, metric));
    }
    let settings = read.settings()?;
    let calendar = Calendar::of(&settings)?;
    let clocks = read.clocks()?;
    let mut select = select(ask, metric)?;
    select.span = span(ask, metric, select.kind, &calendar, clock_us(&clocks, &metric.name))?;
    let span = select.span;
    let filling = filling(read, &catalog, metric, &select, &calendar, &settings, &clocks)?;
    let moved_only = metric.per_account && metric.fill == Fill::Zero && ask.account.is_none();
    let is_shown = |point: &Point| match is_list(metric) {
        true => point.value.is_some(),
        false => !(moved_only && point.value == Some(0.0)),
    };
    let any = Cell::new(false);
    let mut each = |series: Series, points: Vec<Point>| {
        any.set(true);
        let series = Arc::new(series);
        filling.each(points, |point| match span.holds(&point.window) && is_shown(&point) {
            true => visit(Row { series: series.clone(), point }),
            false => Ok(ControlFlow::Continue(())),
        })
    };
    read.series(&select, &mut each)?;
    if !any.get()
        && let Some(series) = silent_series(&select, metric)
    {
        let _ = each(series, Vec::new())?;
    }
    Ok(())
}

/// How many values of a dimension are kept apart, where the dimensions of a question have that many groups or more: then
/// `other` may hold all values that came later.
///
/// # Errors
/// `Reject` for a question that cannot be answered, and what the store says.
pub fn crowded(read: &dyn Read, ask: &Ask) -> Result<Option<u64>> {
    let catalog = read.catalog()?;
    let metric = find(&catalog, &ask.metric)?;
    let by = dimensions(ask, metric)?;
    let max = read.settings()?.dimension_values_max;
    Ok((!by.is_empty() && read.groups(&ask.tenant, metric, &by)? >= max).then_some(max))
}

/// The metric of that name.
///
/// # Errors
/// `Reject` with near names.
pub fn find<'a>(catalog: &'a [MetricInfo], name: &str) -> Result<&'a MetricInfo> {
    let found = catalog.iter().find(|metric| metric.name == name);
    found.ok_or_else(|| Error::UnknownMetric { name: name.to_owned(), hint: hint(catalog, name) })
}

/// Names the metric that accounts have instead, if there is one.
fn not_per_account(catalog: &[MetricInfo], metric: &MetricInfo) -> Error {
    let own = format!("account_{}", metric.name);
    let has = catalog.iter().any(|known| known.per_account && known.name == own);
    Error::NotPerAccount { metric: metric.name.clone(), instead: has.then_some(own) }
}

fn hint(catalog: &[MetricInfo], name: &str) -> String {
    let mut near: Vec<_> = catalog
        .iter()
        .map(|metric| (strsim::jaro_winkler(&metric.name, name), metric.name.contains(name), metric.name.as_str()))
        .filter(|(likeness, contains, _)| *likeness > 0.8 || (*contains && !name.is_empty()))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    match near.as_slice() {
        [] if catalog.is_empty() => "the catalog of this store is empty".to_owned(),
        [] => String::new(),
        near => {
            let names: Vec<_> = near.iter().take(5).map(|(_, _, name)| *name).collect();
            format!("did you mean {}?", names.join(", "))
        }
    }
}

/// The kind of windows that a question asks for, and which of them.
pub(crate) fn selected(read: &dyn Read, ask: &Ask, metric: &MetricInfo, calendar: &Calendar) -> Result<(Kind, Span)> {
    let kind = kind(ask, metric)?;
    Ok((kind, span(ask, metric, kind, calendar, clock_us(&read.clocks()?, &metric.name))?))
}

fn select(ask: &Ask, metric: &MetricInfo) -> Result<Select> {
    let by = dimensions(ask, metric)?;
    if let Some((dimension, _)) = ask.filter.iter().find(|(name, _)| name != "currency" && !by.contains(name)) {
        return Err(Error::Filter { dimension: dimension.clone() });
    }
    Ok(Select {
        tenant: ask.tenant.clone(),
        metric: metric.name.clone(),
        definition: metric.definition.clone(),
        kind: kind(ask, metric)?,
        by,
        filter: ask.filter.clone(),
        account: ask.account.clone(),
        span: Span::default(),
    })
}

fn kind(ask: &Ask, metric: &MetricInfo) -> Result<Kind> {
    let asked = ask.window.as_deref();
    let kind = match (asked, metric.windows.as_slice()) {
        (None, [only]) => Some(*only),
        (None, _) => Some(Kind::Month),
        (Some(text), _) => text.parse().ok(),
    };
    kind.filter(|kind| metric.windows.contains(kind)).ok_or_else(|| Error::UnknownWindow {
        metric: metric.name.clone(),
        asked: asked.unwrap_or("1mo").to_owned(),
        hint: asked
            .and_then(|text| meant(text, &metric.windows))
            .map_or_else(String::new, |kind| format!("did you mean `{kind}`? ")),
        known: metric.windows.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", "),
    })
}

/// The kind of window that a person's word most likely means: `month`, `monthly`, `30 days`, `quarter`.
fn meant(text: &str, known: &[Kind]) -> Option<Kind> {
    let text = text.to_ascii_lowercase();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    let unit = words.rfind(|word| !word.is_empty()).unwrap_or_default();
    let begins = |name: &str| unit == &name[..1] || unit.starts_with(name);
    let kind = match digits.parse::<u16>() {
        Ok(days) if days > 1 && (begins("day") || unit == "trailing") => Kind::Trailing(days),
        _ if begins("day") || unit == "daily" => Kind::Day,
        _ if begins("hour") => Kind::Hour,
        _ if begins("week") => Kind::Week,
        _ if begins("month") || unit == "mo" => Kind::Month,
        _ if begins("quarter") => Kind::Quarter,
        _ if begins("year") || unit == "annual" => Kind::Year,
        _ if ["all", "total", "ever", "date", "todate"].contains(&unit) => Kind::ToDate,
        _ => return None,
    };
    known.contains(&kind).then_some(kind)
}

fn dimensions(ask: &Ask, metric: &MetricInfo) -> Result<Vec<String>> {
    let mut by: Vec<_> = ask.by.iter().filter(|name| *name != "currency").cloned().collect();
    // What is listed of an account has one set of dimensions.
    if by.is_empty() && is_list(metric) {
        by.clone_from(&metric.by[0]);
    }
    by.sort();
    by.dedup();
    let mut sets = metric.by.iter().map(|set| {
        let mut set = set.clone();
        set.sort();
        set
    });
    if sets.any(|set| set == by) || (metric.by.is_empty() && by.is_empty()) {
        return Ok(by);
    }
    let sets = metric.by.iter().map(|set| if set.is_empty() { "nothing".to_owned() } else { set.join(",") });
    let known = if metric.by.is_empty() { "nothing".to_owned() } else { sets.collect::<Vec<_>>().join(", ") };
    Err(Error::UnknownDimensions { metric: metric.name.clone(), asked: by.join(","), known })
}

/// Whether an account has several values of it, such as one for each deal.
pub fn is_list(metric: &MetricInfo) -> bool {
    metric.per_account && !metric.by.is_empty()
}

/// What `from`, `to` and `newest` leave.
fn span(ask: &Ask, metric: &MetricInfo, kind: Kind, calendar: &Calendar, clock_us: Option<i64>) -> Result<Span> {
    let time = |text: &Option<String>| text.as_deref().map(|text| calendar.parse_us(text)).transpose();
    let mut from_us = time(&ask.from)?.unwrap_or(i64::MIN);
    let to_us = time(&ask.to)?.unwrap_or(i64::MAX);
    if let (Some(windows @ 1..), Some(clock)) = (ask.newest, clock_us) {
        // The last instant of the newest window.
        let last = clock.min(to_us.saturating_sub(1));
        // Farther back than timestamps reach is all of them.
        let first = calendar.back_us(kind, last, windows.min(WINDOWS_MAX) - 1).unwrap_or(i64::MIN);
        from_us = from_us.max(first);
    }
    Ok(Span { from_us, to_us, with_last_before: metric.fill == Fill::Carry })
}

fn filling(
    read: &dyn Read,
    catalog: &[MetricInfo],
    metric: &MetricInfo,
    select: &Select,
    calendar: &Calendar,
    settings: &Settings,
    clocks: &[Clock],
) -> Result<Filling> {
    let clock_us = clock_us(clocks, &metric.name);
    let since_us = clocks.iter().filter_map(|clock| clock.since_us).min();
    let first_us = first_event_us(read, catalog, metric, select, calendar)?;
    let windows = match (first_us, clock_us) {
        // A trailing window is selected by its end, which is not in its last day any more.
        (Some(first), Some(clock)) => {
            let Span { from_us, to_us, .. } = select.span;
            calendar.windows(select.kind, first.max(from_us.saturating_sub(1)), clock.min(to_us))?
        }
        _ => Vec::new(),
    };
    Ok(Filling {
        windows,
        clock_us: clock_us.unwrap_or(i64::MIN),
        grace_us: settings.allowed_lateness_us.max(metric.maturity_us),
        fill: metric.fill,
        reason: metric.fill_reason.clone(),
        past_us: since_us.map_or(i64::MIN, |since| since.saturating_sub(settings.keep_us)),
    })
}

/// Up to here everything of the metric is in the store: the least clock of the partitions of its topic, or of all
/// topics if its own never ticked.
pub fn clock_us(clocks: &[Clock], metric: &str) -> Option<i64> {
    let topic = format!("metrics.{metric}.v1");
    let own = clocks.iter().filter(|clock| {
        clock.topic.strip_suffix(topic.as_str()).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
    });
    let least = own.map(|clock| clock.at_us).min();
    least.or_else(|| clocks.iter().map(|clock| clock.at_us).min())
}

/// An instant in the window that holds the tenant's first event: the start of the first window of `events` of the
/// shortest kind that knows it. A window of an hour lacks events that came when it took no corrections any more, so a first
/// one counts only where it lies in the first one of each longer kind. Without that metric, the same of the metric itself.
fn first_event_us(
    read: &dyn Read,
    catalog: &[MetricInfo],
    metric: &MetricInfo,
    select: &Select,
    calendar: &Calendar,
) -> Result<Option<i64>> {
    let dated = catalog.iter().find(|metric| metric.name == EVENTS).unwrap_or(metric);
    let (mut first, mut end) = (None, i64::MAX);
    for kind in LONGEST_FIRST.into_iter().filter(|kind| dated.windows.contains(kind)) {
        let Some(start) = read.first_us(&select.tenant, dated, kind)?.filter(|start| *start < end) else {
            continue;
        };
        first = first.max(Some(start));
        let window = calendar.windows(kind, start, start)?;
        end = window.first().and_then(|window| window.end_us).map_or(end, |own| end.min(own));
    }
    if first.is_some() || select.kind == Kind::ToDate {
        return Ok(first);
    }
    // A trailing window is found by its end, which is not in its last day any more.
    let in_window = i64::from(matches!(select.kind, Kind::Trailing(_)));
    Ok(read.first_us(&select.tenant, metric, select.kind)?.map(|at| at - in_window))
}

/// The total of a metric in which nothing happened yet. Of money there is none: its currency is not known.
fn silent_series(select: &Select, metric: &MetricInfo) -> Option<Series> {
    let total = select.by.is_empty() && select.filter.is_empty() && !metric.per_account;
    (total && !metric.unit.starts_with("money")).then(|| Series {
        tenant: select.tenant.clone(),
        metric: metric.name.clone(),
        definition: metric.definition.clone(),
        unit: metric.unit.clone(),
        ..Series::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_people_have_for_windows_are_understood() {
        let known = [Kind::Day, Kind::Week, Kind::Month, Kind::Quarter, Kind::Year, Kind::Trailing(30), Kind::ToDate];
        for (text, expected) in [
            ("month", "1mo"),
            ("Monthly", "1mo"),
            ("months", "1mo"),
            ("1m", "1mo"),
            ("mo", "1mo"),
            ("week", "1w"),
            ("weekly", "1w"),
            ("day", "1d"),
            ("daily", "1d"),
            ("quarter", "1q"),
            ("q", "1q"),
            ("year", "1y"),
            ("annual", "1y"),
            ("30d", "trailing 30d"),
            ("last 30 days", "trailing 30d"),
            ("trailing 30", "trailing 30d"),
            ("trailing-30d", "trailing 30d"),
            ("30", ""),
            ("7d", ""),
            ("hour", ""),
            ("to date", "to-date"),
            ("fortnight", ""),
            ("", ""),
        ] {
            let found = meant(text, &known).map(|kind| kind.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{text}");
        }
    }
}
