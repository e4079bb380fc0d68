//! The state of a series in its table: protobuf, internal.

use proto::{Message as _, v1};

use crate::{
    Error, Result,
    condition::Point,
    convert,
    rule::{MetricRules, Stream},
    series::{Alert, Before, Phase, State},
    snapshot::Series,
};

/// The key of a series of a stream.
pub(crate) fn key(stream: &Stream, series: &Series) -> Vec<u8> {
    let dimension = |(name, value): &(String, String)| v1::Dimension { name: name.clone(), value: value.clone() };
    v1::AlertSeriesKey {
        window: stream.window.clone(),
        r#final: stream.is_final,
        tenant: series.tenant.clone(),
        dimensions: series.dimensions.iter().map(dimension).collect(),
        account: series.account.clone(),
    }
    .encode_to_vec()
}

/// The place of the stream that a key is of; none if these rules do not have it.
///
/// # Errors
/// `Fatal` if the key is damaged.
pub(crate) fn stream(key: &[u8], rules: &MetricRules) -> Result<Option<usize>> {
    let key = v1::AlertSeriesKey::decode(key).map_err(damaged)?;
    let mut by: Vec<String> = key.dimensions.into_iter().map(|it| it.name).filter(|name| name != "currency").collect();
    by.sort();
    let is_it = |stream: &Stream| stream.window == key.window && stream.is_final == key.r#final && stream.by == by;
    Ok(rules.streams.iter().position(is_it))
}

/// The bytes of a state.
pub(crate) fn encode(state: &State, stream: &Stream) -> Vec<u8> {
    v1::AlertSeries {
        last: state.last.as_ref().map(convert::stored),
        before: state.before.as_ref().map(|before| v1::AlertBefore {
            value: before.value,
            at_us: before.at,
            contributions: convert::contributions(&before.contributions),
        }),
        alerts: state.alerts.iter().map(|(rule, alert)| alert_of(&stream.rules[*rule].name, alert)).collect(),
    }
    .encode_to_vec()
}

/// The state of these bytes.
///
/// # Errors
/// `Fatal` if they are damaged, or name a rule that the stream does not have.
pub(crate) fn decode(bytes: &[u8], stream: &Stream) -> Result<State> {
    let series = v1::AlertSeries::decode(bytes).map_err(damaged)?;
    let alert = |from: v1::AlertOf| {
        let rule = stream.rules.iter().position(|rule| rule.name == from.rule);
        let rule = rule.ok_or_else(|| damaged(format!("it names a rule `{}` that is not in force", from.rule)))?;
        Ok((rule, alert(from)?))
    };
    Ok(State {
        last: series.last.map(convert::snapshot),
        before: series.before.map(|before| Before {
            value: before.value,
            at: before.at_us,
            contributions: before.contributions.into_iter().map(|it| (it.name, it.tenths)).collect(),
        }),
        alerts: series.alerts.into_iter().map(alert).collect::<Result<_>>()?,
    })
}

fn alert_of(rule: &str, alert: &Alert) -> v1::AlertOf {
    let point = |it: &Point| v1::AlertPoint { at_us: it.at, value: it.value, flag: it.flag };
    v1::AlertOf {
        rule: rule.to_owned(),
        phase: match alert.phase {
            Phase::Inactive => 0,
            Phase::Pending => 1,
            Phase::Firing => 2,
        },
        id: alert.id.clone(),
        since_us: alert.since,
        fired_us: alert.fired,
        ending_us: alert.ending,
        resolved_us: alert.resolved,
        fires_us: alert.fires.clone(),
        due_us: alert.due,
        memory: alert.memory.iter().map(point).collect(),
    }
}

fn alert(from: v1::AlertOf) -> Result<Alert> {
    let point = |it: v1::AlertPoint| Point { at: it.at_us, value: it.value, flag: it.flag };
    Ok(Alert {
        phase: match from.phase {
            0 => Phase::Inactive,
            1 => Phase::Pending,
            2 => Phase::Firing,
            other => return Err(damaged(format!("phase {other}"))),
        },
        id: from.id,
        since: from.since_us,
        fired: from.fired_us,
        ending: from.ending_us,
        resolved: from.resolved_us,
        fires: from.fires_us,
        due: from.due_us,
        memory: from.memory.into_iter().map(point).collect(),
    })
}

fn damaged(what: impl ToString) -> Error {
    Error::State { what: what.to_string() }
}
