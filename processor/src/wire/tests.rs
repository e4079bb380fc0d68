//! The reader against the generated code.

use processor_core::event::Message;
use proptest::prelude::*;
use proto::{Message as _, v1, vocabulary};

use super::*;

/// What the generated code reads, in the reader's terms.
fn expected(bytes: &[u8]) -> Option<String> {
    let entry = v1::Entry::decode(bytes).ok()?;
    Some(match &entry.entry {
        Some(v1::entry::Entry::Event(event)) => shown(of_event(event)),
        Some(v1::entry::Entry::Tick(tick)) => shown(Entry::Tick(tick.at_us)),
        Some(v1::entry::Entry::Claim(claim)) => {
            shown(Entry::Claim(Subject { tenant: &claim.tenant, kind: 'a', subject: &claim.account }))
        }
        None => shown(Entry::Unknown),
    })
}

/// An entry with its data as the table reads it.
fn shown(entry: Entry<'_>) -> String {
    let Entry::Event(subject, event) = entry else { return format!("{entry:?}") };
    let fields = vocabulary::by_number(event.number).map_or(&[][..], |kind| kind.fields);
    let data = view(fields, event.data.message());
    format!("{subject:?} {:?} {data}", Event { data: Data::default(), ..event })
}

/// Every field of a message. What has no presence is the same absent and empty.
fn view(fields: &[Field], message: Message<'_>) -> String {
    let one = |field: &Field| {
        let number = field.number;
        let value = match field.kind {
            Kind::Integer(..) | Kind::Money(..) => message.integer(number).unwrap_or_default().to_string(),
            Kind::Flag => message.flag(number).unwrap_or_default().to_string(),
            Kind::List(fields) => message.messages(number).map(|item| view(fields, item)).collect(),
            Kind::Traits | Kind::Texts => {
                let value =
                    |pair: &Message<'_>| (field.kind != Kind::Traits || pair.has(2)).then(|| pair.text(2).to_owned());
                message.messages(number).map(|pair| format!("{:?}", (pair.text(1), value(&pair)))).collect()
            }
            _ => format!("{:?}", message.text(number)),
        };
        format!("{}: {value}{} ", field.name, if field.presence && message.has(number) { "!" } else { "" })
    };
    fields.iter().map(one).collect()
}

fn of_event(wire: &v1::Event) -> Entry<'_> {
    let id = |id, source| named(id, source, &wire.source);
    let subject = Subject {
        tenant: &wire.tenant,
        kind: match wire.subject_kind() {
            v1::SubjectKind::Account => 'a',
            v1::SubjectKind::Lead => 'l',
            v1::SubjectKind::Tenant => 't',
            v1::SubjectKind::Guest => 'g',
        },
        subject: &wire.subject,
    };
    let custom: Vec<(&str, Custom<'_>)> = wire
        .custom
        .iter()
        .filter_map(|field| Some((field.name.as_str(), custom_value(field.value.as_ref()?))))
        .collect();
    let message = wire.data.as_ref().and_then(message);
    let event = Event {
        time: wire.time_us,
        id: EventId { source: &wire.source, id: &wire.id },
        subject: match wire.subject_kind() {
            v1::SubjectKind::Account => SubjectKind::Account,
            v1::SubjectKind::Lead => SubjectKind::Lead,
            v1::SubjectKind::Tenant => SubjectKind::Tenant,
            v1::SubjectKind::Guest => SubjectKind::Guest,
        },
        recorded_at: wire.recorded_at_us,
        kind: &wire.r#type,
        corrects: (!wire.corrects.is_empty()).then(|| id(wire.corrects.as_str(), &wire.corrects_source)),
        number: message.as_ref().map_or(0, |(number, _)| *number),
        data: Data(message.map(|(_, bytes)| bytes).unwrap_or_default().into()),
        custom,
    };
    Entry::Event(subject, event)
}

/// Number and bytes of what the generated code holds; none of JSON.
fn message(data: &v1::event::Data) -> Option<(u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    data.encode(&mut bytes);
    let (number, value) = Fields(&bytes).next().unwrap()?;
    (number != 26).then(|| (number, value.bytes().unwrap().to_vec()))
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

fn found(bytes: &[u8]) -> Option<String> {
    entry(bytes).ok().map(shown)
}

fn text() -> impl Strategy<Value = String> {
    "[a-zß\u{0}]{0,3}"
}

/// A field of a message on the wire. Now and then it is another one than the vocabulary has.
fn raw_field(fields: &'static [Field]) -> BoxedStrategy<Vec<u8>> {
    let chunk = |number: u32, bytes: &[u8]| [&[u8::try_from(number << 3 | 2).unwrap()], &prefixed(bytes)[..]].concat();
    let of = move |field: &'static Field| match field.kind {
        Kind::Integer(..) | Kind::Money(..) | Kind::Flag => any::<i64>()
            .prop_map(|value| v1::UsageRecorded { count: value, ..Default::default() }.encode_to_vec())
            .prop_map(move |mut bytes| {
                if let Some(key) = bytes.first_mut() {
                    *key = u8::try_from(field.number << 3).unwrap();
                }
                bytes
            })
            .boxed(),
        Kind::List(fields) => raw_message(fields).prop_map(move |bytes| chunk(field.number, &bytes)).boxed(),
        Kind::Traits | Kind::Texts => (text(), prop::option::of(text()))
            .prop_map(move |(name, value)| chunk(field.number, &v1::Trait { name, value }.encode_to_vec()))
            .boxed(),
        _ => text().prop_map(move |text| chunk(field.number, text.as_bytes())).boxed(),
    };
    let odd = prop::collection::vec(any::<u8>(), 1..4);
    let known = prop::sample::select(fields).prop_flat_map(move |field| of(Box::leak(Box::new(field))));
    prop_oneof![30 => known, 1 => odd].boxed()
}

fn raw_message(fields: &'static [Field]) -> BoxedStrategy<Vec<u8>> {
    prop::collection::vec(raw_field(fields), 0..8).prop_map(|fields| fields.concat()).boxed()
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    proto::prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// The data of an event on the wire, of any type of the vocabulary: its field in `Event`.
fn raw_data() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vocabulary::TYPES);
    kind.prop_flat_map(|kind| {
        raw_message(kind.fields).prop_map(move |bytes| {
            let mut key = Vec::new();
            proto::prost::encoding::encode_varint(u64::from(kind.number << 3 | 2), &mut key);
            [key, prefixed(&bytes)].concat()
        })
    })
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
    let data = prop::option::of(text().prop_map(v1::event::Data::Json));
    let custom = prop::collection::vec(custom_field(), 0..3);
    (names, any::<i64>(), any::<i64>(), 0..4_i32, data, custom).prop_map(
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
    let tick = any::<i64>()
        .prop_map(|at_us| v1::Entry { entry: Some(v1::entry::Entry::Tick(v1::Tick { at_us })) }.encode_to_vec());
    let event = (wire_event(), prop::collection::vec(raw_data(), 0..3)).prop_map(|(event, data)| {
        let bytes = [event.encode_to_vec(), data.concat()].concat();
        [&[10], &prefixed(&bytes)[..]].concat()
    });
    prop_oneof![5 => event, 1 => tick]
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
