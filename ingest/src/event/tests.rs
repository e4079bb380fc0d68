//! Accepted lines come back the same; refused ones say why.

use proptest::prelude::*;
use proto::v1::{Event, event};

use super::{Context, parse};
use crate::cloudevents::render;

mod reference;
mod vocabulary;

fn context() -> Context {
    Context {
        now_us: 1_800_000_000_000_000,
        until_us: 1_800_000_000_000_000,
        floor_us: crate::HISTORY_FLOOR_US,
        source: "import".to_owned(),
        tenant: String::new(),
        unknown_types: crate::near::UnknownTypes::default(),
    }
}

fn refused(line: &str) -> String {
    match parse(line.as_bytes(), &context()) {
        Ok(event) => format!("accepted: {event:?}"),
        Err(rejection) => rejection.to_string(),
    }
}

fn of(kind: &str, data: &str) -> String {
    format!(r#"{{"id":"e","type":"{kind}","time":"2026-01-31T09:30:00Z","account":"a","data":{data}}}"#)
}

fn accepted(line: &str) -> Event {
    parse(line.as_bytes(), &context()).unwrap_or_else(|e| panic!("{line}: {e}"))
}

#[test]
fn refuses_with_the_reason() {
    for (kind, data, reason) in [
        (
            "order.completed",
            r#"{"order":"1","gross":1}"#,
            "data.currency: is missing, expected a currency as three capital letters (ISO 4217) (order.completed needs it)",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1.5,"currency":"EUR"}"#,
            "data.gross: is 1.5, expected 150 (minor units of EUR)",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1e16,"currency":"EUR"}"#,
            "data.gross: is 1e16, expected a whole number from -1000000000000000 to 1000000000000000 (minor units of EUR)",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1,"currency":"eur"}"#,
            "data.currency: is \"eur\", expected \"EUR\" (three capital letters, ISO 4217)",
        ),
        (
            "order.completed",
            r#"{"order":"","gross":1,"currency":"EUR"}"#,
            "data.order: is \"\", expected a non-empty string of at most 1024 bytes without control characters",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1,"currency":"EUR","discout":1}"#,
            "data.discout: is no field of order.completed; free fields belong in data.custom",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1,"gross":2,"currency":"EUR"}"#,
            "data.gross: is there twice; keys must be unique",
        ),
        (
            "order.completed",
            r#"{"order":"1","gross":1,"currency":"EUR","lines":[{"product":"p"}]}"#,
            "data.lines[0].amount: is missing, expected a whole number of minor units",
        ),
        (
            "payment.refunded",
            r#"{"currency":"EUR"}"#,
            "data.amount: is missing, expected a whole number from 0 to 1000000000000000 (minor units) (payment.refunded needs it)",
        ),
        (
            "goal.set",
            r#"{"goal":"g","target":5}"#,
            "data.metric: is missing, expected a non-empty string of at most 1024 bytes without control characters since target is there",
        ),
        (
            "goal.set",
            r#"{"goal":"g","metric":"nps","target":5,"window":"trailing month"}"#,
            "data.window: is trailing month, expected 1h, 1d, 1w, 1mo, 1q, 1y or trailing Nd, as in trailing 30d",
        ),
        (
            "goal.set",
            r#"{"goal":"g","metric":"nps","dimensions":{"plan":5}}"#,
            "data.dimensions.plan: is 5, expected \"5\" (a string, in quotes)",
        ),
        (
            "goal.set",
            r#"{"goal":"g","metric":"health_score","target":80,"dimensions":{"account":"acme"}}"#,
            "data.dimensions.account: is there, but a goal is on a metric of the whole business; leave it out, and name \
             such a metric",
        ),
        (
            "payment.refunded",
            r#"{"order":"1","invoice":"2","amount":1,"currency":"EUR"}"#,
            "data.invoice: is there beside data.order, expected one of them",
        ),
        ("usage.recorded", r#"{"count":-1}"#, "data.count: is -1, expected a whole number from 0 to 1000000000000000"),
        ("usage.recorded", r#"[]"#, "data: is [], expected an object"),
        (
            "account.updated",
            r#"{"traits":{"plan":{}}}"#,
            "data.traits.plan: is {}, expected a string, number, true, false or null",
        ),
        (
            "lead.created",
            r#"{}"#,
            "data.lead: is missing, expected a non-empty string of at most 1024 bytes without control characters (lead.created needs it)",
        ),
        (
            "lead.status_changed",
            r#"{"lead":"l","to":"won"}"#,
            "data.to: is \"won\", expected one of qualified, disqualified, recycled",
        ),
        (
            "opportunity.opened",
            r#"{"opportunity":"o","kind":"new","amount":1,"currency":"EUR","probability":1.01}"#,
            "data.probability: is 1.01, expected a number from 0 to 1",
        ),
        (
            "subscription.changed",
            r#"{"subscription":"s","status":"active"}"#,
            "data.mrr: is missing, expected minor units a month while the status is active",
        ),
        (
            "subscription.changed",
            r#"{"subscription":"s","status":"active","mrr":5}"#,
            "data.currency: is missing, expected a currency as three capital letters (ISO 4217) since mrr is there",
        ),
        (
            "subscription.changed",
            r#"{"subscription":"s","status":"paused","term_start":"2026-02-01","term_end":"2026-02-01"}"#,
            "data.term_end: is 2026-02-01, expected later than term_start (2026-02-01)",
        ),
        (
            "survey.answered",
            r#"{"kind":"nps","score":8,"scale_min":0,"scale_max":5}"#,
            "data.scale_max: is another scale, expected 0 to 10 for nps",
        ),
        (
            "survey.answered",
            r#"{"kind":"nps","score":8.5}"#,
            "data.score: is fractional, expected a whole number for nps",
        ),
        (
            "survey.answered",
            r#"{"kind":"csat","score":6}"#,
            "data.score: is outside the scale (scale_min to scale_max)",
        ),
        (
            "survey.answered",
            r#"{"kind":"csat","score":3,"scale_min":1}"#,
            "data.scale_max: is missing, expected a number of at most 18 digits since scale_min is there",
        ),
        (
            "cost.recorded",
            r#"{"bucket":"acquisition","amount":1,"currency":"EUR","period_from":"2026-01-02","period_to":"2026-01-01"}"#,
            "data.period_to: is 2026-01-01, expected later than period_from (2026-01-02)",
        ),
        (
            "cost.recorded",
            r#"{"bucket":"acquisition","amount":1,"currency":"EUR","period_from":"2026-02-30","period_to":"2026-03-01"}"#,
            "data.period_from: is \"2026-02-30\", expected a date like \"2026-01-31\"",
        ),
        (
            "fx.rate_set",
            r#"{"base":"EUR","quote":"USD","rate":0}"#,
            "data.rate: is 0, expected a number greater than 0",
        ),
        (
            "retracted",
            r#"{}"#,
            "data.event: is missing, expected a non-empty string of at most 1024 bytes without control characters (retracted needs it)",
        ),
    ] {
        assert_eq!(refused(&of(kind, data)), reason);
    }
}

#[test]
fn refuses_broken_envelopes() {
    for (line, reason) in [
        ("", "not valid JSON: EOF while parsing a value (column 0)"),
        ("{", "not valid JSON: EOF while parsing an object (column 1)"),
        ("[]", "not valid JSON: invalid type: sequence, expected an object (column 0)"),
        (r#"{"id":"e"}"#, "type: is missing, expected a type like order.completed"),
        (r#"{"type":"x"}"#, "id: is missing, expected the identity of the event in its source"),
        (r#"{"id":7,"type":"x"}"#, "id: is 7, expected \"7\" (a string, in quotes)"),
        (r#"{"id":"","type":"x"}"#, "id: is empty, expected at least one character"),
        (r#"{"id":"a\u0000","type":"x"}"#, "id: holds a control character"),
        (r#"{"id":"e","type":"x"}"#, "account: is missing (x needs it)"),
        (
            r#"{"id":"e","type":"x","account":"a","time":"yesterday"}"#,
            "time: is yesterday, expected RFC 3339 like 2026-01-31T09:30:00Z",
        ),
        (
            r#"{"id":"e","type":"x","account":"a","time":"2999-01-01T00:00:00Z"}"#,
            "time: is 2999-01-01T00:00:00Z, after the wall clock (2027-01-15T08:00:00Z)",
        ),
        (
            r#"{"id":"e","type":"x","account":"a","time":"1969-12-31T23:59:59Z"}"#,
            "time: is 1969-12-31T23:59:59Z, before the history floor (1990-01-01T00:00:00Z)",
        ),
        (
            r#"{"id":"e","type":"Order Completed","account":"a"}"#,
            "type: is Order Completed, expected order.completed (to keep it as a type of your own, which no metric reads: \
             [settings] unknown_types = \"allow\")",
        ),
        (r#"{"specversion":"0.3","id":"e","type":"x","account":"a"}"#, "specversion: is 0.3, expected 1.0"),
        (
            r#"{"id":"e","type":"x","account":"a","data":{"a":{"b":1,"b":2}}}"#,
            "data.a.b: is there twice; keys must be unique",
        ),
    ] {
        assert_eq!(refused(line), reason, "{line}");
    }
    let deep = format!(r#"{{"id":"e","type":"x","account":"a","data":{}1{}}}"#, "{\"a\":".repeat(40), "}".repeat(40));
    assert_eq!(refused(&deep), "nested deeper than 32 levels");
    assert_eq!(
        parse(b"{\"id\":\"\xff\"}", &context()).expect_err("utf-8").to_string(),
        "not UTF-8 at byte 8; save the file as UTF-8"
    );
    let long = vec![b' '; super::LINE_MAX + 1];
    assert_eq!(parse(&long, &context()).expect_err("long").to_string(), "longer than 1048576 bytes");
}

#[test]
fn defaults() {
    let refund = accepted(&of("payment.refunded", r#"{"order":"1","amount":5,"currency":"EUR"}"#));
    let Some(event::Data::PaymentRefunded(data)) = &refund.data else { panic!("{refund:?}") };
    assert_eq!((data.refund.as_str(), refund.source.as_str()), ("e", "import"));
    let usage = accepted(&format!("\u{feff}{}", of("usage.recorded", "{}")));
    let Some(event::Data::UsageRecorded(data)) = &usage.data else { panic!("{usage:?}") };
    assert_eq!(data.count, 1);
    let unknown = accepted(&of("page.viewed", r#"{"b":1.50,"a":[ true ],"custom":{"z":1,"y":null,"x":[1 ,2]}}"#));
    assert_eq!(unknown.data, Some(event::Data::Json(r#"{"a":[true],"b":1.50}"#.to_owned())));
    assert_eq!(unknown.custom.len(), 2);
    let no_time = parse(br#"{"id":"e","type":"x","account":"a"}"#, &context()).expect("event");
    assert_eq!(no_time.time_us, context().now_us);
}

#[test]
fn rendered_and_read_again_is_the_same() {
    for line in [
        of("order.completed", r#"{"order":"1","gross":100,"discount":5,"currency":"EUR","channel":"web","source":"ad","lines":[{"product":"p","amount":100}],"custom":{"n":1.5,"i":3,"t":"\u001fä\"","f":false,"o":{"b":1,"a":2}}}"#),
        of("order.cancelled", r#"{"order":"1"}"#),
        of("payment.refunded", r#"{"invoice":"1","amount":5,"currency":"EUR"}"#),
        of("account.updated", r#"{"traits":{"plan":"pro","seats":5,"region":null,"custom":{"tier":"a","vip":true}}}"#),
        of("usage.recorded", r#"{"user":"u","name":"login","count":0}"#),
        of("retracted", r#"{"event":"x","of_source":"y"}"#),
        of("survey.answered", r#"{"kind":"ces","score":2.5,"comment":"so\nso","custom":{"a":1}}"#),
        of("page.viewed", r#"{"url":"/"}"#),
        r#"{"id":"e","type":"lead.created","time":"2026-01-31T09:30:00.000001Z","data":{"lead":"l"}}"#.to_owned(),
        r#"{"id":"e","type":"retracted","corrects":"c","ofsource":"s","time":"2026-01-31T09:30:00Z","data":{"event":"x","lead":"l"}}"#.to_owned(),
        r#"{"id":"e","type":"fx.rate_set","time":"2026-01-31T09:30:00Z","data":{"base":"EUR","quote":"USD","rate":1.1}}"#.to_owned(),
    ] {
        let event = accepted(&line);
        let rendered = render(&event, Some(crate::cloudevents::Position { partition: 1, offset: 2 }));
        assert_eq!(accepted(&rendered), event, "{rendered}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &context());
    }

    #[test]
    fn broken_lines_never_panic(at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..400) {
        let mut line = of("order.completed", r#"{"order":"1","gross":100,"currency":"EUR","lines":[{"product":"p","amount":1e2}],"custom":{"a":[{"b":-0.5e-3}]}}"#).into_bytes();
        let length = line.len();
        line[at % length] = byte;
        line.truncate(cut.max(at));
        if let Ok(event) = parse(&line, &context()) {
            let again = parse(render(&event, None).as_bytes(), &context());
            prop_assert_eq!(again, Ok(event));
        }
    }
}
