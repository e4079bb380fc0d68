//! Between the wire and the core: events in; partials and snapshots out.

use processor_core::{
    calendar::{Kind, Time, Window},
    event::{Body, Custom, Event, EventId, Order, Refund, Usage},
};
use proto::v1;

/// Seconds hold every slice: zones change at whole seconds.
pub(crate) const MICROS: i64 = 1_000_000;

/// Between the parts of an account's key: tenant, kind of subject, subject.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// The key of the account that an event belongs to.
pub fn key(wire: &v1::Event) -> String {
    let tenant = if wire.tenant.is_empty() { "default" } else { &wire.tenant };
    let kind = match wire.subject_kind() {
        v1::SubjectKind::Account => 'a',
        v1::SubjectKind::Lead => 'l',
        v1::SubjectKind::Tenant => 't',
    };
    let mut key = String::with_capacity(tenant.len() + wire.subject.len() + 3);
    key.push_str(tenant);
    key.extend([SEPARATOR, kind, SEPARATOR]);
    key.push_str(&wire.subject);
    key
}

/// Converts an event; by move, nothing is copied.
pub fn event(wire: v1::Event) -> Event {
    use v1::event::Data;
    let source = wire.source;
    let other = |name: String| if name.is_empty() { source.clone() } else { name };
    let corrects =
        (!wire.corrects.is_empty()).then(|| EventId { source: other(wire.corrects_source), id: wire.corrects });
    let body = match wire.data {
        Some(Data::OrderCompleted(order)) => Body::Order(Order {
            order: order.order,
            gross: order.gross,
            discount: order.discount,
            currency: order.currency,
            channel: order.channel,
            source: order.source,
            lines: order.lines.into_iter().map(|line| (line.product, line.amount)).collect(),
        }),
        Some(Data::OrderCancelled(cancelled)) => Body::Cancelled(cancelled.order),
        // Refunds of invoices count when invoices have a lifecycle.
        Some(Data::PaymentRefunded(refund)) if !refund.order.is_empty() => Body::Refund(Refund {
            refund: refund.refund,
            order: refund.order,
            amount: refund.amount,
            currency: refund.currency,
        }),
        Some(Data::AccountUpdated(update)) => {
            Body::Traits(update.traits.into_iter().map(|t| (t.name, t.value)).collect())
        }
        Some(Data::UsageRecorded(usage)) => {
            Body::Usage(Usage { user: usage.user, name: usage.name, count: usage.count })
        }
        Some(Data::Retracted(retracted)) => {
            Body::Retracted(EventId { source: other(retracted.of_source), id: retracted.event })
        }
        _ => Body::Other,
    };
    let custom = wire.custom.into_iter().filter_map(|field| Some((field.name, custom(field.value?)))).collect();
    Event {
        time: wire.time_us,
        id: EventId { source, id: wire.id },
        recorded_at: wire.recorded_at_us,
        kind: wire.r#type,
        corrects,
        body,
        custom,
    }
}

fn custom(value: v1::custom_field::Value) -> Custom {
    use v1::custom_field::Value;
    match value {
        Value::Text(text) | Value::Json(text) => Custom::Text(text),
        Value::Integer(number) => Custom::Integer(number),
        Value::Number(number) => Custom::Decimal(number.to_string()),
        Value::Flag(flag) => Custom::Flag(flag),
    }
}

/// The row of a slice: 64-bit where it fits.
pub(crate) fn slice(start: Time, row: &[i128]) -> v1::SlicePartial {
    let columns: Option<Vec<i64>> = row.iter().map(|value| i64::try_from(*value).ok()).collect();
    let wide = match &columns {
        Some(_) => Vec::new(),
        None => row.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    v1::SlicePartial { start_s: start.div_euclid(MICROS), columns: columns.unwrap_or_default(), wide: wide.into() }
}

/// The row that a partial carries.
pub(crate) fn row(partial: &v1::SlicePartial) -> Vec<i128> {
    if partial.wide.is_empty() {
        return partial.columns.iter().map(|value| i128::from(*value)).collect();
    }
    let wide = partial.wide.chunks_exact(16);
    wide.map(|bytes| i128::from_le_bytes(bytes.try_into().unwrap_or_default())).collect()
}

/// A window on the wire.
pub(crate) fn window(window: &Window) -> v1::Window {
    let bounded = window.kind != Kind::ToDate;
    v1::Window {
        kind: window.kind.to_string(),
        start_us: bounded.then_some(window.start),
        end_us: bounded.then_some(window.end),
    }
}
