//! Every type and every field of the vocabulary, from the table alone: a new type is tested here without a line of code,
//! unless two of its fields depend on each other.

use processor::wire;
use processor_core::{
    event::{Fields, Message},
    rational::Rational,
};
use proto::{
    Message as _,
    v1::{Entry, Event, entry, event},
    vocabulary::{Field, Fill, Kind, Need, Subject, TYPES, Type},
};
use serde_json::{Map, Value, json};

use super::{context, parse, refused, render};

/// A value that the field may have. Those by name are of rules that need two fields.
fn sample(kind: &Type, field: &Field) -> Value {
    match (kind.name, field.name) {
        ("identity.linked", "to") => json!("other"),
        ("subscription.changed", "term_end") | ("cost.recorded", "period_to") => json!("2026-02-28"),
        ("survey.answered", "score") => json!(8),
        ("survey.answered", "scale_min") => json!(0),
        ("survey.answered", "scale_max") => json!(10),
        ("goal.set", "window") => json!("trailing 30d"),
        ("fx.rate_set", "quote") => json!("USD"),
        _ => of_kind(field.kind),
    }
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Id => json!("A-1"),
        Kind::Text => json!("ä \"text\""),
        Kind::Long => json!("two\nlines"),
        Kind::Integer(..) => json!(7),
        Kind::Money(..) => json!(1234),
        Kind::Number => json!(-8.5),
        Kind::NumberIn(..) => json!(0.25),
        Kind::Positive => json!(1.1),
        Kind::Flag => json!(true),
        Kind::Currency => json!("EUR"),
        Kind::OneOf(values) => json!(values[0]),
        Kind::Date | Kind::When => json!("2026-01-31"),
        Kind::List(fields) => {
            let item: Map<String, Value> = fields.iter().map(|f| (f.name.to_owned(), of_kind(f.kind))).collect();
            json!([item, item])
        }
        Kind::Traits => json!({"plan": "pro", "region": null, "custom": {"tier": ""}}),
        Kind::Texts => json!({"plan": "pro", "region": ""}),
    }
}

/// What every event of the type has, with these fields too.
fn data(kind: &Type, more: &[&Field]) -> Map<String, Value> {
    let with = |field: &Field| more.iter().any(|m| matches!(m.need, Need::With(other) if other == field.name));
    let there = |field: &Field| {
        let needed = matches!(field.need, Need::With(other) if more.iter().any(|m| m.name == other));
        field.need == Need::Required || needed || with(field) || more.contains(&field)
    };
    kind.fields.iter().filter(|f| there(f)).map(|f| (f.name.to_owned(), sample(kind, f))).collect()
}

fn line(kind: &Type, data: &Value) -> String {
    let account = matches!(kind.subject, Subject::Account | Subject::Buyer)
        || (kind.subject == Subject::Named && data.get("lead").is_none());
    let mut event = json!({"id": "e", "source": "s", "type": kind.name, "time": "2026-01-31T09:30:00Z", "data": data});
    if account {
        event["account"] = json!("acme");
    }
    event.to_string()
}

/// `data` as it is kept: with what absent fields are filled with.
fn kept(kind: &Type, mut data: Map<String, Value>) -> Map<String, Value> {
    for field in kind.fields.iter().filter(|field| !data.contains_key(field.name)).collect::<Vec<_>>() {
        let value = match (field.fill, field.kind) {
            (Fill::Default(text), Kind::Integer(..) | Kind::Flag) => serde_json::from_str(text).unwrap(),
            (Fill::Default(text), _) => json!(text),
            (Fill::EventId, _) => json!("e"),
            (_, Kind::Integer(..) | Kind::Money(..)) if !field.presence => json!(0),
            _ => continue,
        };
        data.insert(field.name.to_owned(), value);
    }
    data
}

/// The least event of a type, one with each field, and one with all that may be there together.
fn cases() -> impl Iterator<Item = (&'static Type, Map<String, Value>)> {
    TYPES.iter().flat_map(|kind| {
        let each = kind.fields.iter().map(|field| data(kind, &[field]));
        let all: Vec<&Field> =
            kind.fields.iter().filter(|f| (kind.name, f.name) != ("payment.refunded", "invoice")).collect();
        each.chain([data(kind, &[]), data(kind, &all)]).map(move |data| (kind, data))
    })
}

fn accepted(line: &str) -> Event {
    parse(line.as_bytes(), &context()).unwrap_or_else(|problem| panic!("{line}: {problem}"))
}

fn record(event: &Event) -> Vec<u8> {
    Entry { entry: Some(entry::Entry::Event(event.clone())) }.encode_to_vec()
}

/// Number and message of the type, as the engine reads them.
fn read<'a>(record: &'a [u8]) -> (u32, Fields<'a>) {
    let wire::Entry::Event(_, event) = wire::entry(record).unwrap() else { panic!("no event") };
    (event.number, event.data)
}

/// A field as JSON, by its number.
fn by_number(field: &Field, message: Message<'_>) -> Value {
    let number = field.number;
    match field.kind {
        Kind::Integer(..) | Kind::Money(..) => json!(message.integer(number).unwrap_or_default()),
        Kind::Flag => json!(message.flag(number)),
        Kind::Number | Kind::NumberIn(..) | Kind::Positive => {
            let decimal = message.decimal(number).and_then(Rational::decimal).unwrap_or_default();
            serde_json::from_str(&decimal).unwrap_or_default()
        }
        Kind::List(fields) => {
            let item = |item| fields.iter().map(|f| (f.name.to_owned(), by_number(f, item))).collect();
            message.messages(number).map(|message| Value::Object(item(message))).collect()
        }
        Kind::Traits | Kind::Texts => {
            let (mut pairs, mut custom) = (Map::new(), Map::new());
            for pair in message.messages(number) {
                let value = if pair.has(2) || field.kind == Kind::Texts { json!(pair.text(2)) } else { Value::Null };
                match pair.text(1).strip_prefix("custom.") {
                    Some(name) => custom.insert(name.to_owned(), value),
                    None => pairs.insert(pair.text(1).to_owned(), value),
                };
            }
            if !custom.is_empty() {
                pairs.insert("custom".to_owned(), Value::Object(custom));
            }
            Value::Object(pairs)
        }
        _ => json!(message.text(number)),
    }
}

#[test]
fn every_field_is_kept_printed_and_read_as_it_was_sent() {
    let mut seen = 0;
    for (kind, data) in cases() {
        let line = line(kind, &Value::Object(data.clone()));
        let event = accepted(&line);
        let kept = kept(kind, data);

        let printed: Value = serde_json::from_str(&render(&event, None)).unwrap();
        assert_eq!(printed["data"], Value::Object(kept.clone()), "{line}");
        assert_eq!(accepted(&render(&event, None)), event, "printed and sent again: {line}");

        let record = record(&event);
        let (number, message) = read(&record);
        assert_eq!(number, kind.number, "{line}");
        for field in kind.fields.iter().filter(|field| kept.contains_key(field.name)) {
            assert_eq!(by_number(field, message.message()), kept[field.name], "{}: {line}", field.name);
            seen += 1;
        }
        assert!(!matches!(event.data, Some(event::Data::Json(_))), "{line}");
    }
    assert!(seen > 300, "only {seen} fields were compared");
}

#[test]
fn a_record_of_before_its_type_had_a_message_reads_the_same() {
    for (kind, data) in cases().filter(|(kind, _)| kind.number > 27) {
        let json = Value::Object(data.clone()).to_string();
        let event = accepted(&line(kind, &Value::Object(data)));
        let old = Event { data: Some(event::Data::Json(json.clone())), ..event.clone() };
        assert_eq!(read(&record(&old)), read(&record(&event)), "{json}");
        let printed: Value = serde_json::from_str(&render(&old, None)).unwrap();
        assert_eq!(printed["data"].to_string(), json);
    }
}

#[test]
fn numbers_have_one_text() {
    let survey = |score: &str| {
        let line = format!(
            r#"{{"id":"e","type":"survey.answered","time":"2026-01-31T09:30:00Z","account":"a","data":{{"kind":"ces","score":{score}}}}}"#
        );
        let event = accepted(&line);
        let json = format!(r#"{{"kind":"ces","score":{score}}}"#);
        let old = Event { data: Some(event::Data::Json(json)), ..event.clone() };
        let (new, old) = (record(&event), record(&old));
        assert_eq!(read(&new), read(&old));
        read(&new).1.text(5).to_owned()
    };
    for (written, kept) in [("2.50", "2.5"), ("5.0", "5"), ("0.35e1", "3.5"), ("700e-2", "7")] {
        assert_eq!(survey(written), kept);
    }
}

/// Values of other kinds than the field's.
fn wrong(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Integer(..) => vec![json!("x"), json!(1.5), json!(-1), json!(true), json!([])],
        Kind::Money(..) => vec![json!("x"), json!(1.5), json!(10_000_000_000_000_000_i64), json!({})],
        Kind::Number => vec![json!("x"), json!(true), json!([])],
        Kind::NumberIn(..) => vec![json!(1.5), json!("x"), json!(-1)],
        Kind::Positive => vec![json!(0), json!(-1), json!("x")],
        Kind::Flag => vec![json!("true"), json!(1), json!({})],
        Kind::Id => vec![json!(""), json!(5), json!("a\u{0}"), json!({})],
        Kind::Text => vec![json!(5), json!("a\nb"), json!(true), json!([])],
        Kind::Long => vec![json!(5), json!([]), json!("x".repeat(64 * 1024 + 1))],
        Kind::Currency => vec![json!("eur"), json!("EURO"), json!(978)],
        Kind::OneOf(_) => vec![json!("none of them"), json!(1)],
        Kind::Date => vec![json!("2026-02-30"), json!("2026-01-31T00:00:00Z"), json!(20_260_131)],
        Kind::When => vec![json!("tomorrow"), json!("2026-02-30"), json!(0)],
        Kind::List(_) => vec![json!(5), json!({}), json!([5]), json!([{"none": 1}]), json!([{}])],
        Kind::Traits => vec![json!(5), json!([]), json!({"plan": {}}), json!({"custom": 1}), json!({"": "x"})],
        Kind::Texts => vec![json!(5), json!([]), json!({"plan": 5})],
    }
}

#[test]
fn whatever_a_field_may_not_be_is_refused_by_its_name() {
    for kind in TYPES {
        for field in kind.fields {
            for value in wrong(field.kind) {
                let mut data = data(kind, &[field]);
                data.insert(field.name.to_owned(), value);
                let line = line(kind, &Value::Object(data));
                let said = refused(&line);
                let path = format!("data.{}", field.name);
                assert!(
                    said.starts_with(&path) && said.contains("expected") || said.contains("its name"),
                    "{line}\n{said}"
                );
            }
            if field.need == Need::Required {
                let mut data = data(kind, &[]);
                data.remove(field.name);
                let said = refused(&line(kind, &Value::Object(data)));
                assert!(said.starts_with(&format!("data.{}: is missing, expected ", field.name)), "{said}");
            }
        }
        let mut data = data(kind, &[]);
        data.insert("none".to_owned(), json!(1));
        let said = refused(&line(kind, &Value::Object(data)));
        assert_eq!(said, format!("data.none: is no field of {}; free fields belong in data.custom", kind.name));
    }
}
