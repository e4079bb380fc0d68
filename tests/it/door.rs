//! The door says what happened to each event, in words and figures that add up: over HTTP, and of files.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    data::{Data, Run},
    http::{Answer, Door},
};

const JSON: &str = "application/json";

/// A mapping of orders by day, its type and its time format as given.
fn mapping(kind: &str, format: &str) -> String {
    format!(
        "name: shop\ntype: {kind}\naccount: customer\nid: order\ntime: {{column: date, format: \"{format}\"}}\n\
         currency: EUR\ndata:\n  gross: {{column: amount, as: major}}\n"
    )
}

/// Imports `text` with a mapping.
fn import(data: &Data, text: &str, mapping: &str, flags: &[&str]) -> Run {
    let (file, mapping) = (data.file("orders.csv", text), data.file("mapping.yaml", mapping));
    data.import(&file, &[&["--mapping", mapping.to_str().unwrap()], flags].concat())
}

/// Values of a metric by the start of their window.
fn values(data: &Data, metric: &str, window: &str) -> Vec<(String, f64)> {
    let out = data.run(["query", metric, "--window", window, "--format", "json"]).done().out;
    let one = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["window"]["start"].as_str().unwrap().to_owned(), row["value"].as_f64().unwrap())
    };
    out.lines().map(one).filter(|(_, value)| *value != 0.0).collect()
}

/// A time from now, RFC 3339.
fn ahead(seconds: u64) -> String {
    let at = jiff::Timestamp::try_from(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn order(id: &str, gross: Value) -> Value {
    json!({"id": id, "type": "order.completed", "source": "shop", "account": "a", "data": {"order": id, "gross": gross, "currency": "USD"}})
}

fn post(door: &Door, body: &Value) -> Answer {
    door.post(JSON, &[], body.to_string().as_bytes())
}

/// (status, reason) of each event of an answer.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = answer.json()["results"].as_array().unwrap().clone();
    for (index, one) in all.iter().enumerate() {
        assert_eq!(one["index"], json!(index), "{answer:?}");
    }
    all.iter().map(|one| (text(&one["status"]), text(&one["reason"]))).collect()
}

#[test]
fn what_happened_to_each_event_is_answered() {
    let data = Data::new();
    let door = Door::open(&data);
    let mut future = order("2", json!(500));
    future["time"] = json!(ahead(3_600));
    let own = json!({"id": "3", "type": "page.viewed", "account": "a"});
    let misspelt = json!({"id": "4", "type": "order.complete", "account": "a", "data": {}});
    let all = json!([order("1", json!(500)), future, own, misspelt, order("5", json!(19.99))]);
    let some = post(&door, &all);
    assert_eq!((some.status, some.header("content-type")), (207, Some("application/json")), "{some:?}");
    let counts =
        ["accepted", "quarantined", "not_measured", "rejected"].map(|name| some.json()[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 2]);
    let told = told(&some);
    let status: Vec<_> = told.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(status, ["accepted", "quarantined", "not measured", "rejected", "rejected"]);
    for (at, begin) in [
        (1, "dated 59m "),
        (2, "no metric reads the type page.viewed"),
        (3, "type: is order.complete, expected order.completed (to keep it as a type of your own, "),
        (4, "data.gross: is 19.99, expected 1999 (minor units of USD)"),
    ] {
        assert!(told[at].1.starts_with(begin), "expected {begin}\n   found {}", told[at].1);
    }
    assert!(told[1].1.contains("more than 5m (max_ahead)"), "{}", told[1].1);

    // None of them, as problem details with the same lists.
    let none = post(&door, &json!([order("6", json!("1999")), {"id": 18, "type": "order.completed"}]));
    assert_eq!((none.status, none.header("content-type")), (422, Some("application/problem+json")), "{none:?}");
    let body = none.json();
    assert_eq!((&body["status"], &body["rejected"]), (&json!(422), &json!(2)), "{body}");
    assert_eq!(body["detail"], "all 2 events are rejected: results says why of each");
    assert_eq!(
        body["results"][0]["reason"],
        "data.gross: is \"1999\", expected 1999 (minor units of USD, a number without quotes)"
    );
    assert_eq!(body["results"][1]["reason"], "id: is 18, expected \"18\" (a string, in quotes)");

    // All: what is quarantined or not measured is in the log, too.
    let all = post(&door, &json!([{"id": "7", "type": "page.viewed", "account": "a"}]));
    assert_eq!(all.status, 200, "{all:?}");
    for (outcome, events) in [("accepted", 1), ("quarantined", 1), ("not measured", 2), ("rejected", 4)] {
        let line = format!("vitals_ingest_answered_total{{outcome=\"{outcome}\"}} {events}\n");
        let page = door.get("/metrics").body;
        assert!(page.contains(&line), "expected {line}   found {page}");
    }
    assert!(door.stop().success());
    assert_eq!(data.run(["events"]).done().out.lines().count(), 4);
}

#[test]
fn amounts_are_cured_in_the_digits_of_their_currency() {
    let data = Data::new();
    let door = Door::open(&data);
    for (currency, cure) in [
        ("USD", "expected 1999 (minor units of USD)"),
        ("BHD", "expected 19990 (minor units of BHD)"),
        ("JPY", "expected a whole number: JPY has no decimal places"),
    ] {
        let mut event = order("1", json!(19.99));
        event["data"]["currency"] = json!(currency);
        assert_eq!(told(&post(&door, &event))[0].1, format!("data.gross: is 19.99, {cure}"));
    }
    assert!(door.stop().success());
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let data = Data::new();
    let door = Door::open(&data);
    let bom = |text: String| format!("\u{feff}{text}");
    for (number, (kind, body)) in [
        (JSON, bom(order("1", json!(100)).to_string())),
        ("application/cloudevents-batch+json", bom(json!([order("2", json!(100))]).to_string())),
        (
            "application/x-ndjson",
            bom(format!("{}\n{}\n", order("3", json!(100)), bom(order("4", json!(100)).to_string()))),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = door.post(kind, &[], body.as_bytes());
        assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(number.max(1))), "{answer:?}");
    }
    assert!(door.stop().success());

    // Files too, joined by cat for instance.
    let day = |id: &str| {
        let mut event = order(id, json!(100));
        event["time"] = json!("2024-01-05T00:00:00Z");
        bom(format!("{event}\n"))
    };
    let data = Data::new();
    let file = data.file("joined.ndjson", [day("1"), day("2")].concat());
    data.import(&file, &[]).done().says(&["2 lines: 2 accepted, 0 rejected"]);
    let array = data.file("array.json", bom(format!("[{}]", order("1", json!(1)))));
    data.import(&array, &[]).fails(2, &["is a JSON array; an event a line is expected: jq -c '.[]'"]);
}

#[test]
fn binary_mode_is_taken() {
    let data = Data::new();
    let door = Door::open(&data);
    let least = ["ce-specversion: 1.0", "ce-id: b1", "ce-type: order.completed", "ce-source: shop"];
    let body = br#"{"order":"b1","gross":500,"currency":"USD"}"#;
    let send = |more: &[&str], body: &[u8]| door.post(JSON, &[&least[..], more].concat(), body);
    let answer = send(&["CE-Account: M%C3%BCller"], body);
    assert_eq!((answer.status, &answer.json()["results"][0]["id"]), (200, &json!("b1")), "{answer:?}");
    let corrected = [&least[..1], &["ce-id: b2", "ce-type: order.completed", "ce-source: erp"]].concat();
    let corrects = ["ce-account: M%C3%BCller", "ce-corrects: b1", "ce-ofsource: shop", "ce-time: 2024-01-05T00:00:00Z"];
    let answer =
        door.post(JSON, &[corrected, corrects.to_vec()].concat(), br#"{"order":"b1","gross":700,"currency":"USD"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");

    // What is wrong with it is said, of the event and of its form.
    let usage = ["ce-specversion: 1.0", "ce-id: b3", "ce-type: usage.recorded", "ce-source: shop"];
    let answer = door.post(JSON, &usage, b"{}");
    assert_eq!((answer.status, told(&answer)[0].1.as_str()), (422, "account: is missing (usage.recorded needs it)"));
    let refused = |answer: &Answer, status: u16, detail: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(detail), "expected {detail}\n   found {answer:?}");
    };
    let missing = "the header ce-specversion is missing: a CloudEvent in binary mode has ce-specversion (1.0), ce-id, ";
    refused(&door.post(JSON, &least[1..], body), 400, missing);
    refused(&door.post("text/plain", &least, body), 415, "the content type of the data is text/plain, expected");
    refused(&send(&["ce-account: a"], b"gross=5"), 400, "the body, the data of it, is no JSON");
    refused(&door.post("text/plain", &[], body), 415, "or the headers of a CloudEvent in binary mode");
    assert!(door.stop().success());
    let last = data.run(["events"]).done().out;
    let events: Vec<Value> = last.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{last}");
    assert_eq!((&events[0]["account"], &events[0]["source"]), (&json!("M\u{fc}ller"), &json!("shop")));
    let second = &events[1];
    assert_eq!(
        (&second["corrects"], &second["ofsource"], &second["time"]),
        (&json!("b1"), &json!("shop"), &json!("2024-01-05T00:00:00Z"))
    );
}

#[test]
fn every_answer_has_a_body_that_says_what_to_do() {
    let data = Data::new();
    let door = Door::open(&data);
    let ask = |method: &str, path: &str| {
        door.raw(
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                .as_bytes(),
        )
    };
    for (method, path, status, detail, allow) in [
        ("GET", "/nothing", 404, "there is nothing at /nothing; events go to POST /v1/events", None),
        (
            "POST",
            "/v1/in/paddle",
            404,
            "there is no mapping paddle for JSON, there are segment, shopify, stripe; ",
            None,
        ),
        ("GET", "/v1/events", 405, "/v1/events takes POST, not GET; events go to POST /v1/events", Some("POST")),
        ("DELETE", "/v1/events", 405, "/v1/events takes POST, not DELETE; ", Some("POST")),
        ("POST", "/healthz", 405, "/healthz takes GET, HEAD, not POST; ", Some("GET,HEAD")),
        ("POST", "/v1/events", 415, "the content type is missing, expected application/json", None),
    ] {
        let answer = ask(method, path);
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let body = answer.json();
        assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)), "{body}");
        assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
        assert!(body["detail"].as_str().unwrap().starts_with(detail), "expected {detail}\n   found {body}");
    }
    let options = ask("OPTIONS", "/v1/events");
    assert_eq!((options.status, options.header("allow"), options.body.as_str()), (204, Some("POST"), ""));
    let head = ask("HEAD", "/healthz");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(ask("HEAD", "/nothing").status, 404);
    assert!(door.stop().success());
}

#[test]
fn the_first_request_waits_until_the_door_is_open_and_then_it_says_so() {
    let data = Data::new();
    let mut child = data.command(["ingest", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap().strip_prefix("listening on http://").unwrap().to_owned();
    let body = order("1", json!(100)).to_string();
    let status = crate::http::post_once(address.parse().unwrap(), JSON, body.as_bytes());
    assert_eq!(status, Some(200), "sent before it was ready");
    let ready = lines.next().unwrap().unwrap();
    assert_eq!(
        ready,
        format!("ready on http://{address}: open it in a browser; POST /v1/events takes CloudEvents in JSON")
    );
    crate::http::interrupt(&child, "-TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_misspelt_type_is_refused_with_the_right_one() {
    let rows = "order,date,customer,amount\nA1,2024-01-05,c1,10.00\n";
    let data = Data::new();
    let run = import(&data, rows, &mapping("order.complete", "%Y-%m-%d"), &[]);
    run.fails(2, &["mapping.yaml: line 2, column 7: type: is order.complete, expected order.completed (to keep it "]);
    let line = json!({"specversion": "1.0", "id": "u1", "type": "Order Completed", "time": "2024-01-05T00:00:00Z", "account": "a", "data": {"total": 19.99}});
    let file = data.file("event.json", line.to_string());
    let run = data.import(&file, &[]);
    assert!(run.out.starts_with("1 line: 0 accepted, 1 rejected\n"), "{}", run.out);
    run.says(&["event.json:1: type: is Order Completed, expected order.completed (to keep it as a type of your own"]);
    run.fails(1, &["no line became an event"]);

    // The setting keeps it, and it is said not to be measured.
    let data = Data::new().config("[settings]\nunknown_types = \"allow\"\n");
    let run = import(&data, rows, &mapping("order.complete", "%Y-%m-%d"), &[]).done();
    run.says(&[
        "1 line: 1 accepted, 0 rejected\n",
        "1 order.complete (not measured: no metric reads the type order.complete; near order.completed)",
    ]);
    run.says(&["0 counted (0 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined, 0 waiting, 1 not measured"]);
    assert_eq!(values(&data, "orders", "1d"), []);
    let data = Data::new().config("[settings]\nunknown_types = \"refuse\"\n");
    let line = json!({"id": "u1", "type": "my.own", "time": "2024-01-05T00:00:00Z", "account": "a"});
    let file = data.file("event.json", line.to_string());
    data.import(&file, &[]).says(&["type: is my.own, which is no known type ([settings] unknown_types is refuse)"]);
}

#[test]
fn a_time_format_that_cannot_be_read_is_refused_with_the_mapping() {
    let rows = "order,date,customer,amount\nA1,2024-01-05 10:00:00 PST,c1,10.00\n";
    for (format, says) in [
        (
            "%Y-%m-%d %H:%M:%S %Z",
            "time format is \"%Y-%m-%d %H:%M:%S %Z\", but %Z, the abbreviation of a zone, cannot be read",
        ),
        ("YYYY-MM-DD", "time format is \"YYYY-MM-DD\", which has no directives; expected \"%Y-%m-%d\""),
        ("%H:%M", "which names no day"),
    ] {
        let data = Data::new();
        let run = import(&data, rows, &mapping("order.completed", format), &[]);
        run.fails(2, &["mapping.yaml: line 5, column 30: ", says]);
        assert_eq!(run.out, "", "no row was read");
    }
}

#[test]
fn equal_rows_count_as_often_as_in_the_file_with_most_of_them() {
    let january = "date,customer,amount\n2024-01-30,c1,10.00\n2024-01-31,c1,5.00\n2024-01-31,c1,5.00\n";
    let february = "date,customer,amount\n2024-01-31,c1,5.00\n2024-01-31,c1,5.00\n2024-02-01,c1,7.00\n";
    let mapping = mapping("order.completed", "%Y-%m-%d").replace("id: order\n", "");
    let expected = [("2024-01-01T00:00:00Z".to_owned(), 2_000.0), ("2024-02-01T00:00:00Z".to_owned(), 700.0)];
    for apart in [false, true] {
        let data = Data::new();
        let (first, second) = (data.file("jan.csv", january), data.file("feb.csv", february));
        let mapping = data.file("mapping.yaml", &mapping);
        let flags = ["--mapping", mapping.to_str().unwrap()];
        if apart {
            data.import(&first, &flags).done();
            data.import(&second, &flags).done().says(&["1 counted (1 on time, 0 late), 2 duplicate"]);
        } else {
            let run = data.import(&first, &[&[second.to_str().unwrap()][..], &flags].concat()).done();
            run.says(&["6 lines: 6 accepted, 0 rejected", "4 counted (4 on time, 0 late), 2 duplicate, 0 conflict"]);
        }
        assert_eq!(values(&data, "net_revenue", "1mo"), expected, "apart: {apart}");
        let orders: f64 = values(&data, "orders", "1mo").iter().map(|(_, orders)| orders).sum();
        assert_eq!(orders, 4.0);
    }
}

#[test]
fn rejected_rows_are_imported_again_with_the_mapping_mended() {
    let data = Data::new();
    let rows = "order,date,customer,amount\nA1,2024-01-05,c1,1.00\nA2,05.01.2024,c1,2.00\n";
    let rejects = data.file("rejects.csv", "");
    let flags = ["--rejects", rejects.to_str().unwrap()];
    let run = import(&data, rows, &mapping("order.completed", "%Y-%m-%d"), &flags).rejects();
    run.says(&["2 lines: 1 accepted, 1 rejected", "orders.csv:3: time: column date: is 05.01.2024, expected %Y-%m-%d"]);
    let kept = fs::read_to_string(&rejects).unwrap();
    assert_eq!(kept, "order,date,customer,amount\nA2,05.01.2024,c1,2.00\n");
    let reasons = fs::read_to_string(format!("{}.reasons.tsv", rejects.display())).unwrap();
    let file = rejects.with_file_name("orders.csv");
    let reason = "time: column date: is 05.01.2024, expected %Y-%m-%d";
    assert!(
        reasons.starts_with(&format!("line\tfile\tline of file\treason\n2\t{}\t3\t{reason}", file.display())),
        "{reasons}"
    );
    import(&data, &kept, &mapping("order.completed", "%d.%m.%Y"), &[]).done().says(&["1 line: 1 accepted, 0 rejected"]);
    assert_eq!(values(&data, "net_revenue", "1d"), [("2024-01-05T00:00:00Z".to_owned(), 300.0)]);
}

#[test]
fn the_outcomes_of_an_import_add_up() {
    let event = |id: &str, source: &str, account: &str, order: &str, gross: i64, day: &str| {
        let data = json!({"order": order, "gross": gross, "currency": "USD"});
        json!({"id": id, "type": "order.completed", "time": format!("2024-01-{day}T00:00:00Z"), "account": account, "source": source, "data": data})
    };
    let refund = |id: &str, order: &str| {
        let data = json!({"order": order, "amount": 10, "currency": "USD"});
        json!({"id": id, "type": "payment.refunded", "time": "2024-01-09T00:00:00Z", "account": "a", "source": "web", "data": data})
    };
    let lines = |events: &[Value]| events.iter().map(|event| format!("{event}\n")).collect::<String>();
    let all = [
        event("o1", "web", "a", "o1", 1_000, "05"),
        event("o1", "web", "a", "o1", 9_000, "05"),
        event("z9", "erp", "a", "o1", 5_000, "04"),
        event("o1", "web2", "b", "o1", 100, "06"),
        event("o1", "web2", "b", "o1", 100, "06"),
        refund("r1", "o1"),
        refund("r2", "o7"),
        json!({"id": "p", "type": "page.viewed", "time": "2024-01-07T00:00:00Z", "account": "a"}),
        json!({"id": "q", "type": "order.completed", "account": "a", "data": {"gross": 5}}),
    ];
    let data = Data::new();
    let file = data.file("events.ndjson", lines(&all));
    let run = data.import(&file, &["--until", "2024-06-01"]).rejects();
    run.says(&[
        "9 lines: 8 accepted, 1 rejected\n",
        "1 page.viewed (not measured: no metric reads the type page.viewed)\n",
        "rejected:\n",
        "events.ndjson:9: data.order: is missing, ",
        "accepted: 4 counted (4 on time, 0 late), 1 duplicate, 1 conflict, 0 quarantined, 1 waiting, 1 not measured\n",
        "1 in all wait for the order or event that they name\n",
        "conflict: source web id o1 was there with other content, which holds (",
        "`vitals events --id 'o1'` shows both",
    ]);
    let month = "2024-01-01T00:00:00Z".to_owned();
    assert_eq!(values(&data, "net_revenue", "1mo"), [(month.clone(), 5_090.0)], "5,000 + 100 - 10");
    assert_eq!(values(&data, "orders", "1mo"), [(month, 2.0)]);
    let both = data.run(["events", "--id", "o1"]).done().out;
    let gross = |line: &str| serde_json::from_str::<Value>(line).unwrap()["data"]["gross"].as_i64().unwrap();
    let mut shown: Vec<_> = both.lines().map(gross).collect();
    shown.sort_unstable();
    assert_eq!(shown, [100, 100, 1_000, 9_000]);

    // What waited is counted once its order is there.
    let file = data.file("later.ndjson", lines(&[event("o7", "web", "a", "o7", 70, "08")]));
    let run = data.import(&file, &[]).done();
    run.says(&[
        "1 line: 1 accepted, 0 rejected\n",
        "accepted: 2 counted (1 on time, 1 late), 0 duplicate, 0 conflict, 0 quarantined, 0 waiting, 0 not measured; \
         1 of them had waited\n",
    ]);
}

#[test]
fn an_event_without_a_time_sent_again_is_a_duplicate_and_no_conflict() {
    let data = Data::new();
    let door = Door::open(&data);
    for gross in [500, 500, 700] {
        assert_eq!(post(&door, &order("1", json!(gross))).status, 200);
    }
    assert!(door.stop().success());
    let door = Door::open(&data);
    assert_eq!(post(&door, &order("1", json!(900))).status, 200);
    assert!(door.stop().success());
    let events = data.run(["events"]).done().out;
    assert_eq!(events.matches("\"arrived\":true").count(), 4, "{events}");
    // Read back, they are what they were.
    let file = data.file("events.ndjson", &events);
    let other = Data::new();
    let file = other.file("again.ndjson", fs::read(file).unwrap());
    let run = other.import(&file, &[]).done();
    run.says(&["accepted: 1 counted (1 on time, 0 late), 1 duplicate, 2 conflict"]);
}

#[test]
fn what_is_dated_ahead_is_listed() {
    let data = Data::new();
    let door = Door::open(&data);
    assert_eq!(data.run(["quarantine"]).done().out, "nothing is quarantined\n");
    let mut future = order("f1", json!(500));
    future["time"] = json!("2999-01-01T00:00:00Z");
    assert_eq!(post(&door, &json!([future, order("now", json!(100))])).json()["quarantined"], 1);
    door.until("listed", |_| data.run(["quarantine"]).done().out.contains("f1"));
    let lists = data.run(["quarantine"]).done();
    lists.says(&[
        "ahead by",
        "2999-01-01 00:00:00",
        "shop",
        "f1",
        "order.completed",
        "1 quarantined\n",
        "Send each again with the right time",
    ]);
    let line: Value = serde_json::from_str(&data.run(["quarantine", "--json"]).done().out).unwrap();
    assert_eq!(line["status"], "quarantined");
    assert_eq!((&line["event"]["id"], &line["event"]["account"]), (&json!("f1"), &json!("a")));
    assert!(line["ahead_seconds"].as_i64().unwrap() > 365 * 86_400, "{line}");
    // Its id is free.
    future["time"] = json!(ahead(0));
    assert_eq!(post(&door, &future).json()["accepted"], 1);
    door.until("two orders", |_| values(&data, "orders", "1y").first().is_some_and(|(_, orders)| *orders == 2.0));
    assert!(door.stop().success());
    assert_eq!(data.run(["quarantine", "--json"]).done().out.lines().count(), 1);
    data.run(["rebuild"]).done();
    assert_eq!(data.run(["quarantine", "--json"]).done().out.lines().count(), 1, "once, after a rebuild too");
    data.run(["quarantine", "--help"])
        .done()
        .says(&["vitals quarantine --data company\n", "vitals quarantine --json --brokers "]);
}
