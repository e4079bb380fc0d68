//! The reader against the generated code.

use proptest::prelude::*;
use proto::{Message, v1};

use super::*;

/// What the generated code reads, in the reader's terms.
fn expected(bytes: &[u8]) -> Option<String> {
    let entry = v1::Entry::decode(bytes).ok()?;
    Some(match &entry.entry {
        Some(v1::entry::Entry::Event(event)) => format!("{:?}", of_event(event)),
        Some(v1::entry::Entry::Tick(tick)) => format!("{:?}", Entry::Tick(tick.at_us)),
        None => format!("{:?}", Entry::Unknown),
    })
}

fn of_event(wire: &v1::Event) -> Entry<'_> {
    let id = |id, source| named(id, source, &wire.source);
    let subject = Subject {
        tenant: &wire.tenant,
        kind: match wire.subject_kind() {
            v1::SubjectKind::Account => 'a',
            v1::SubjectKind::Lead => 'l',
            v1::SubjectKind::Tenant => 't',
        },
        subject: &wire.subject,
    };
    let custom: Vec<(&str, Custom<'_>)> = wire
        .custom
        .iter()
        .filter_map(|field| Some((field.name.as_str(), custom_value(field.value.as_ref()?))))
        .collect();
    let event = Event {
        time: wire.time_us,
        id: EventId { source: &wire.source, id: &wire.id },
        recorded_at: wire.recorded_at_us,
        kind: &wire.r#type,
        corrects: (!wire.corrects.is_empty()).then(|| id(wire.corrects.as_str(), &wire.corrects_source)),
        body: body(wire, id),
        data: processor_core::event::Fields::default(),
        custom,
    };
    Entry::Event(subject, event)
}

fn named<'a>(id: &'a str, source: &'a str, own: &'a str) -> EventId<'a> {
    EventId { id, source: if source.is_empty() { own } else { source } }
}

fn custom_value(value: &v1::custom_field::Value) -> Custom<'_> {
    use v1::custom_field::Value;
    match value {
        Value::Text(text) | Value::Json(text) => Custom::Text(text.as_str().into()),
        Value::Integer(number) => Custom::Integer(*number),
        Value::Number(number) => Custom::Decimal(number.to_string()),
        Value::Flag(flag) => Custom::Flag(*flag),
    }
}

fn body<'a>(wire: &'a v1::Event, id: impl Fn(&'a str, &'a str) -> EventId<'a>) -> Body<'a> {
    use v1::event::Data;
    match &wire.data {
        Some(Data::OrderCompleted(order)) => Body::Order(Order {
            order: &order.order,
            gross: order.gross,
            discount: order.discount,
            currency: &order.currency,
            channel: &order.channel,
            source: &order.source,
            lines: order.lines.iter().map(|line| (line.product.as_str(), line.amount)).collect(),
        }),
        Some(Data::OrderCancelled(cancelled)) => Body::Cancelled(&cancelled.order),
        Some(Data::PaymentRefunded(refund)) if !refund.order.is_empty() => Body::Refund(Refund {
            refund: &refund.refund,
            order: &refund.order,
            amount: refund.amount,
            currency: &refund.currency,
        }),
        Some(Data::AccountUpdated(update)) => {
            Body::Traits(update.traits.iter().map(|t| (t.name.as_str(), t.value.as_deref())).collect())
        }
        Some(Data::UsageRecorded(usage)) => {
            Body::Usage(Usage { user: &usage.user, name: &usage.name, count: usage.count })
        }
        Some(Data::Retracted(retracted)) => Body::Retracted(id(&retracted.event, &retracted.of_source)),
        _ => Body::Other,
    }
}

fn found(bytes: &[u8]) -> Option<String> {
    entry(bytes).ok().map(|entry| format!("{entry:?}"))
}

fn text() -> impl Strategy<Value = String> {
    "[a-zß\u{0}]{0,3}"
}

fn data() -> impl Strategy<Value = Option<v1::event::Data>> {
    use v1::event::Data;
    let line = (text(), any::<i64>(), any::<i64>()).prop_map(|(product, quantity, amount)| v1::OrderLine {
        product,
        quantity,
        amount,
    });
    let order = (text(), any::<i64>(), any::<i64>(), text(), text(), text(), prop::collection::vec(line, 0..3));
    let order = order.prop_map(|(order, gross, discount, currency, channel, source, lines)| {
        Data::OrderCompleted(v1::OrderCompleted { order, gross, discount, currency, channel, source, lines })
    });
    let refund =
        (text(), text(), text(), any::<i64>(), text()).prop_map(|(refund, order, invoice, amount, currency)| {
            Data::PaymentRefunded(v1::PaymentRefunded { refund, order, invoice, amount, currency })
        });
    let traits = (text(), prop::option::of(text())).prop_map(|(name, value)| v1::Trait { name, value });
    let traits =
        prop::collection::vec(traits, 0..3).prop_map(|traits| Data::AccountUpdated(v1::AccountUpdated { traits }));
    let usage = (text(), text(), any::<i64>())
        .prop_map(|(user, name, count)| Data::UsageRecorded(v1::UsageRecorded { user, name, count }));
    let retracted = (text(), text()).prop_map(|(event, of_source)| Data::Retracted(v1::Retracted { event, of_source }));
    let cancelled = text().prop_map(|order| Data::OrderCancelled(v1::OrderCancelled { order }));
    prop::option::of(prop_oneof![order, refund, traits, usage, retracted, cancelled, text().prop_map(Data::Json)])
}

fn custom_field() -> impl Strategy<Value = v1::CustomField> {
    use v1::custom_field::Value;
    let value = prop_oneof![
        text().prop_map(Value::Text),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
        text().prop_map(Value::Json),
    ];
    (text(), prop::option::of(value)).prop_map(|(name, value)| v1::CustomField { name, value })
}

fn wire_event() -> impl Strategy<Value = v1::Event> {
    let names = (text(), text(), text(), text(), text(), text(), text());
    let custom = prop::collection::vec(custom_field(), 0..3);
    (names, any::<i64>(), any::<i64>(), 0..4_i32, data(), custom).prop_map(
        |((id, source, r#type, subject, tenant, corrects, corrects_source), time, recorded, kind, data, custom)| {
            v1::Event {
                id,
                source,
                r#type,
                time_us: time,
                recorded_at_us: recorded,
                subject,
                subject_kind: kind,
                tenant,
                corrects,
                corrects_source,
                time_is_arrival: kind == 3,
                data,
                custom,
            }
        },
    )
}

fn wire_entry() -> impl Strategy<Value = Vec<u8>> {
    let tick = any::<i64>().prop_map(|at_us| v1::entry::Entry::Tick(v1::Tick { at_us }));
    let one = prop_oneof![5 => wire_event().prop_map(v1::entry::Entry::Event), 1 => tick];
    one.prop_map(|entry| v1::Entry { entry: Some(entry) }.encode_to_vec())
}

#[test]
fn a_field_that_is_only_passed_over_has_its_type_too() {
    // An event whose field 11, a flag, is a text of two bytes.
    let bytes = [10, 4, 0x5a, 2, b'a', b'b'];
    assert_eq!(expected(&bytes), None);
    assert_eq!(found(&bytes), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_reads_what_the_generated_code_reads(bytes in wire_entry()) {
        prop_assert_eq!(found(&bytes), expected(&bytes));
    }

    #[test]
    fn messages_that_follow_each_other_are_merged(entries in prop::collection::vec(wire_entry(), 0..4)) {
        let bytes = entries.concat();
        prop_assert_eq!(found(&bytes), expected(&bytes));
    }

    #[test]
    fn it_refuses_what_the_generated_code_refuses(mut bytes in wire_entry(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        for (place, byte) in damage {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        prop_assert_eq!(found(&bytes), expected(&bytes));
    }

    #[test]
    fn hostile_bytes_are_no_panic(bytes: Vec<u8>) {
        prop_assert_eq!(found(&bytes), expected(&bytes));
    }
}
