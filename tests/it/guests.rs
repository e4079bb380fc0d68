//! Orders without an account: they count in orders and revenue, and nobody is a customer for them.

use crate::{data::Data, oracle};

const GUESTS: &str = r#"{"id":"1","type":"order.completed","time":"2024-01-02T10:00:00Z","data":{"order":"g1","gross":5000,"currency":"EUR","channel":"web"}}
{"id":"2","type":"payment.refunded","time":"2024-01-03T10:00:00Z","data":{"order":"g1","amount":2000,"currency":"EUR"}}
{"id":"3","type":"payment.refunded","time":"2024-01-02T10:00:00Z","data":{"order":"g2","amount":100,"currency":"EUR"}}
{"id":"4","type":"order.completed","time":"2024-01-04T10:00:00Z","data":{"order":"g3","gross":700,"currency":"EUR"}}
{"id":"5","type":"order.cancelled","time":"2024-01-05T10:00:00Z","data":{"order":"g3"}}
{"id":"6","type":"order.completed","time":"2024-01-06T10:00:00Z","account":"g1","data":{"order":"g1","gross":900,"currency":"EUR"}}
{"id":"7","type":"payment.refunded","time":"2024-01-06T10:00:00Z","data":{"invoice":"i1","amount":100,"currency":"EUR"}}
"#;

#[test]
fn a_guest_buys_and_is_nobody() {
    let data = Data::new();
    let file = data.file("events.ndjson", GUESTS);
    let rejects = data.file("rejects.ndjson", "");
    let flags = ["--until", "2024-05-01T00:00:00Z", "--rejects", rejects.to_str().unwrap()];
    let run = data.import(&file, &flags).rejects();
    run.says(&["7 lines: 6 accepted, 1 rejected", "account: is missing (payment.refunded needs it)"]);
    let value = |metric: &str| {
        let answer = data.run(["query", metric, "--window", "1y", "--format", "csv"]).done().out;
        answer.lines().nth(1).unwrap_or_default().to_owned()
    };
    for (metric, expected) in [("orders", "2"), ("net_revenue", "39.00"), ("customers_started", "1")] {
        assert!(value(metric).contains(&format!(",{expected}")), "{metric} {expected}: {}", value(metric));
    }
    let accounts = data.run(["query", "account_value", "--format", "csv"]).done().out;
    assert_eq!(accounts.lines().count(), 2, "{accounts}");
    oracle::assert_true(&data, "guests");
}
