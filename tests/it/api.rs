//! The API of a running process: its numbers are those of `vitals query`, what is wrong is refused by its name, pages have
//! every account once, and what people do is there at once.

mod account;
mod schema;

use std::{collections::BTreeSet, io::Read as _, io::Write as _, process::Stdio};

use serde_json::{Value, json};

use crate::{
    data::Data,
    http::{Answer, Door},
};

/// A company small enough for a test.
const COMPANY: [&str; 6] = ["demo", "--once", "--accounts", "60", "--seed", "7"];

/// The company, and a process that serves it.
fn served() -> (Data, Door) {
    let data = Data::new();
    data.run(COMPANY).done();
    let mut command = data.command(["up", "--listen", "127.0.0.1:0"]);
    command.stderr(Stdio::null());
    let door = Door::of(command);
    door.until("ready", |door| door.get("/readyz").status == 200);
    (data, door)
}

fn api(door: &Door, path: &str) -> Answer {
    door.get(&format!("/api/v1{path}"))
}

#[track_caller]
fn json(door: &Door, path: &str) -> Value {
    let answer = api(door, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// A request with a body and more headers.
fn send(door: &Door, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    door.raw(format!("{request}\r\n{body}").as_bytes())
}

const JSON: &str = "content-type: application/json";

/// Start of a window, currency, and value.
type Shown = (String, String, Option<f64>);

/// What there is of `vitals query --format csv`.
fn queried(data: &Data, metric: &str, window: &str) -> Vec<Shown> {
    let csv = data.run(["query", metric, "--window", window, "--format", "csv"]).done().out;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|known| known == name).unwrap();
    let (start, currency, value) = (at("start"), at("currency"), at("value"));
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[start].to_owned(), row[currency].to_owned(), row[value].parse().ok())).collect()
}

#[test]
fn numbers_are_those_of_query() {
    let (data, door) = served();
    let mut values = 0;
    for (metric, window) in
        [("orders", "1mo"), ("net_revenue", "1mo"), ("nps", "1q"), ("customers", "1w"), ("csat", "30d")]
    {
        let expected = queried(&data, metric, &window.replace("30d", "trailing 30d"));
        let series = json(&door, &format!("/metrics/{metric}/series?window={window}&limit=5000"));
        let mut shown = Vec::new();
        for one in series["series"].as_array().unwrap() {
            for point in one["points"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                shown.push((text(&point["window"]["start"]), text(&one["currency"]), point["value"].as_f64()));
            }
        }
        // The newest window may have changed between the two.
        let is_past = |row: &&Shown| row.0 < expected.last().unwrap().0;
        let (past, expected): (Vec<_>, Vec<_>) =
            (shown.iter().filter(is_past).collect(), expected.iter().filter(is_past).collect());
        // JSON is read back to the nearest double but one.
        let near = |a: &Option<f64>, b: &Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
            (a, b) => a == b,
        };
        let same = |(a, b): (&&Shown, &&Shown)| (&a.0, &a.1) == (&b.0, &b.1) && near(&a.2, &b.2);
        assert!(
            past.len() == expected.len() && past.iter().zip(&expected).all(same),
            "{metric}: {past:?} {expected:?}"
        );
        values += past.len();
    }
    assert!(values > 100, "{values}");

    let whole = json(&door, "/overview?window=1mo&compare=year");
    assert!(whole["sentence"]["total"].as_u64().unwrap() > 20);
    let groups: Vec<&str> =
        whole["groups"].as_array().unwrap().iter().map(|group| group["id"].as_str().unwrap()).collect();
    assert_eq!(groups, ["loyalty", "revenue", "sales", "support"]);
    let bands = whole["bands"].as_object().unwrap();
    let scored: u64 = bands.values().map(|count| count.as_u64().unwrap()).sum();
    let pages = json(&door, "/accounts?limit=1000");
    assert_eq!(pages["scored"], scored);
    let with_score = pages["accounts"].as_array().unwrap().iter().filter(|account| !account["score"].is_null()).count();
    assert_eq!(scored, with_score as u64, "bands hold the accounts that have a score");

    let parts = json(&door, "/metrics/orders/breakdown?by=plan&window=1mo");
    let sum: f64 = parts["parts"].as_array().unwrap().iter().filter_map(|part| part["now"]["value"].as_f64()).sum();
    assert_eq!(Some(sum), parts["total"]["now"]["value"].as_f64());
    let effects: f64 = parts["parts"].as_array().unwrap().iter().filter_map(|part| part["effect"].as_f64()).sum();
    let total = |side: &str| parts["total"][side]["value"].as_f64().unwrap();
    assert!((effects - (total("now") - total("other"))).abs() < 1e-9, "{parts}");
    assert!(door.stop().success());
}

/// Two visits of `demo` ended, after 2 and 4 days: 3 days are usual there, and nothing is known of `call`.
#[test]
fn a_deal_has_stopped_that_is_in_its_stage_over_twice_as_long_as_usual() {
    let now = jiff::Timestamp::now();
    let mut events = String::new();
    let mut event = |days: i64, kind: &str, account: &str, deal: &str, mut data: Value| {
        if !deal.is_empty() {
            data["opportunity"] = json!(deal);
        }
        let time = now - jiff::SignedDuration::from_hours(24 * days);
        let id = events.lines().count();
        let event = json!({ "type": kind, "id": format!("e{id}"), "source": "crm", "time": time.to_string(), "account": account, "data": data });
        events.push_str(&format!("{event}\n"));
    };
    let fields = |stage: &str, amount: i64| json!({ "kind": "new", "stage": stage, "amount": amount, "currency": "EUR", "owner": "ann" });
    event(20, "account.updated", "acme", "", json!({ "traits": { "name": "Acme Ltd" } }));
    event(20, "opportunity.opened", "acme", "d1", fields("demo", 10_000));
    event(18, "opportunity.changed", "acme", "d1", json!({ "stage": "call" }));
    event(20, "opportunity.opened", "beta", "d2", fields("demo", 20_000));
    event(16, "opportunity.closed", "beta", "d2", json!({ "outcome": "lost" }));
    event(9, "opportunity.opened", "acme", "d3", fields("demo", 30_050));
    event(5, "opportunity.opened", "beta", "d4", fields("demo", 40_000));
    let data = Data::new();
    data.import(&data.file("deals.jsonl", &events), &[]).done();
    let mut command = data.command(["up", "--listen", "127.0.0.1:0"]);
    command.stderr(Stdio::null());
    let door = Door::of(command);
    // The clock of the log comes to now with the first tick.
    door.until("a deal that has stopped", |door| json(door, "/deals")["stopped"] == 1);

    let page = json(&door, "/deals");
    let shown = |deal: &Value| {
        let days = |value: &Value| value.as_f64().map(|seconds| (seconds / 86_400.0).floor());
        let text = |name: &str| deal[name].as_str().unwrap_or("null").to_owned();
        let (opportunity, name, stage, stopped) = (text("opportunity"), text("name"), text("stage"), &deal["stopped"]);
        format!(
            "{opportunity} {name} {stage} {} {:?} {:?} {stopped}",
            deal["amount"],
            days(&deal["seconds"]),
            days(&deal["usual_seconds"])
        )
    };
    let deals: Vec<String> = page["deals"].as_array().unwrap().iter().map(shown).collect();
    let expected = [
        "d3 Acme Ltd demo 300.5 Some(9.0) Some(3.0) true",
        "d4 null demo 400.0 Some(5.0) Some(3.0) false",
        "d1 Acme Ltd call 100.0 Some(18.0) None false",
    ];
    assert_eq!(deals, expected);

    let second = json(&door, "/deals?limit=1&cursor=1&owner=ann&currency=EUR");
    assert_eq!((&second["deals"][0]["opportunity"], &second["next"]), (&json!("d4"), &json!("2")), "{second}");
    assert_eq!(json(&door, "/deals?stopped=true")["total"], 1);
    assert_eq!(json(&door, "/deals?owner=bob")["total"], 0);
    assert_eq!(api(&door, "/deals?stopped=perhaps").status, 400);
    let csv = api(&door, "/deals?stage=call&format=csv").body;
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("d1,acme,Acme Ltd,new,call,ann,100,EUR,")), "{csv}");
    assert!(door.stop().success());
}

#[test]
fn pages_have_every_account_once_in_every_order() {
    let (_data, door) = served();
    let total = usize::try_from(json(&door, "/accounts?limit=1")["total"].as_u64().unwrap()).unwrap();
    assert!(total > 30, "{total}");
    for sort in ["score", "-score", "fall", "value", "last_seen"] {
        let (mut seen, mut cursor, mut rows) = (BTreeSet::new(), String::new(), 0);
        loop {
            let page = json(&door, &format!("/accounts?sort={sort}&limit=7&cursor={cursor}"));
            for account in page["accounts"].as_array().unwrap() {
                rows += 1;
                seen.insert(account["account"].as_str().unwrap().to_owned());
            }
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!((rows, seen.len()), (total, total), "{sort}");
    }

    let worst = json(&door, "/accounts?limit=1");
    let name = worst["accounts"][0]["account"].as_str().unwrap();
    let page = json(&door, &format!("/accounts/{name}"));
    assert_eq!(page["row"], worst["accounts"][0]);
    let parts = page["contributions"].as_array().unwrap().iter().filter_map(|part| part["points"].as_f64());
    let sum = parts.fold(0.0, |sum, points| sum + points * 10.0).round() / 10.0;
    assert_eq!(Some(sum), page["row"]["score"].as_f64(), "the parts of a score add up to it");
    let explained = json(&door, &format!("/accounts/{name}/explain"));
    let tenths = explained["tenths"].as_f64().map(|tenths| tenths / 10.0);
    assert_eq!(tenths, page["row"]["score"].as_f64(), "{explained}");
    let events = json(&door, &format!("/accounts/{name}/events?limit=3"));
    assert_eq!(events["events"].as_array().unwrap().len(), 3);
    assert!(events["events"][0]["time"].as_str() >= events["events"][2]["time"].as_str(), "the newest first");
}

#[test]
fn what_is_wrong_is_refused_by_its_name() {
    let (_data, door) = served();
    let long = "a".repeat(10_000);
    for (path, status, detail) in [
        ("/overview?window=5x".to_owned(), 400, "window: "),
        ("/overview?compare=later".to_owned(), 400, "compare: "),
        ("/overview?segment=plan".to_owned(), 400, "segment: "),
        ("/overview?segment=shoe:blue".to_owned(), 422, "segment: "),
        ("/overview?colour=red".to_owned(), 400, "colour: "),
        ("/accounts?sort=best".to_owned(), 400, "sort: "),
        ("/accounts?limit=0".to_owned(), 400, "limit: "),
        ("/accounts?limit=1e9".to_owned(), 400, "limit: "),
        ("/accounts?cursor=zz".to_owned(), 422, "cursor: "),
        ("/accounts?band=fine".to_owned(), 422, "band: "),
        (format!("/accounts?q={long}"), 400, "q: "),
        ("/accounts?q=%00".to_owned(), 400, "q: "),
        ("/accounts?q=a&q=b".to_owned(), 400, "q: "),
        (format!("/accounts/{long}"), 400, "id: "),
        ("/accounts/nobody%00%0a%3Cscript%3E".to_owned(), 404, "there is no account"),
        ("/metrics/orders/series?from=yesterday".to_owned(), 422, "from, to: "),
        ("/metrics/orders/series?window=2h".to_owned(), 400, "window: "),
        ("/metrics/orders/series?by=shoe".to_owned(), 422, "by: "),
        ("/metrics/orders/series?limit=-1".to_owned(), 400, "limit: "),
        ("/metrics/orders/value?account=a".to_owned(), 422, "account: "),
        ("/metrics/order".to_owned(), 404, "did you mean orders?"),
        ("/metrics/orders/breakdown".to_owned(), 400, "by: "),
        ("/alerts?state=loud".to_owned(), 400, "state: "),
        ("/alerts/none".to_owned(), 404, "there is no alert"),
        ("/alerts?cursor=-1".to_owned(), 422, "cursor: "),
        ("/accounts/a/explain?at=soon".to_owned(), 404, "no event of this account"),
        ("/dashboards/..%2Fstore".to_owned(), 400, "name: "),
        ("/backtests/..%2Fstore".to_owned(), 404, "there is no backtest"),
        ("/stream?topics=weather".to_owned(), 400, "topics: "),
    ] {
        let answer = api(&door, &path);
        let shown: String = path.chars().take(60).collect();
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{shown}");
        let found = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(found.starts_with(detail) || found.contains(detail), "{shown}: {found}");
    }
    let silence = json!({"matchers": ["rule=x"], "until": "2099-01-01", "by": "me"}).to_string();
    assert_eq!(send(&door, "POST", "/silences", &["content-type: text/plain"], &silence).status, 415);
    let foreign = ["origin: http://evil.example", JSON];
    assert_eq!(send(&door, "POST", "/silences", &foreign, &silence).status, 403);
    assert_eq!(send(&door, "POST", "/silences", &[JSON], "{").status, 400);
    let list = json!([["rule=x"], "2099-01-01", "me", ""]).to_string();
    assert_eq!(send(&door, "POST", "/silences", &[JSON], &list).status, 400, "a list is no object");
    let past = json!({"matchers": ["rule=x"], "until": "2001-01-01", "by": "me"}).to_string();
    assert_eq!(send(&door, "POST", "/silences", &[JSON], &past).status, 422);
    let nothing = json!({"matchers": [], "until": "2099-01-01", "by": "me"}).to_string();
    assert_eq!(send(&door, "POST", "/silences", &[JSON], &nothing).status, 400);
}

#[test]
fn an_answer_that_is_known_is_not_sent_again_and_sheets_run_nothing() {
    let (_data, door) = served();
    let path = "/metrics/orders/series?window=1y";
    let first = api(&door, path);
    let tag = first.header("etag").expect("an ETag").to_owned();
    let known = send(&door, "GET", path, &[&format!("if-none-match: {tag}")], "");
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let other = send(&door, "GET", path, &["if-none-match: \"x\""], "");
    assert_eq!((other.status, &other.body), (200, &first.body));

    let sheet = send(&door, "GET", "/accounts?limit=5", &["accept: text/csv"], "");
    assert_eq!(sheet.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(sheet.body.lines().count(), 6, "{}", sheet.body);
    assert_eq!(sheet.body, api(&door, "/accounts?limit=5&format=csv").body);
    let event = json!({"id": "h-1", "type": "order.completed", "account": "=1+1", "data": {"order": "h-1", "gross": 100, "currency": "EUR"}});
    assert_eq!(door.send(&[event]).status, 200);
    door.until("listed", |door| api(door, "/accounts?q=%3D1&format=csv").body.contains("'=1+1"));
}

#[test]
fn what_people_do_is_there_at_once() {
    let (_data, door) = served();
    let firing = json(&door, "/alerts?state=firing&limit=1");
    let id = firing["alerts"][0]["id"].as_str().expect("somebody is silent in a year").to_owned();
    let body = json!({"by": "Ada", "note": "calls them"}).to_string();
    assert_eq!(send(&door, "POST", &format!("/alerts/{id}/acknowledge"), &[JSON], &body).status, 200);
    let alert = json(&door, &format!("/alerts/{id}"));
    assert_eq!(alert["acknowledged"]["by"], "Ada");
    assert_eq!(alert["history"].as_array().unwrap().last().unwrap()["state"], "firing");
    assert_eq!(json(&door, "/alerts")["counts"]["acknowledged"], 1);
    assert_eq!(send(&door, "POST", "/alerts/none/acknowledge", &[JSON], &body).status, 404);

    let body =
        json!({"matchers": ["rule=silent_90d"], "until": "2099-01-01", "by": "Ada", "comment": "holidays"}).to_string();
    let made = send(&door, "POST", "/silences", &[JSON], &body);
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(json(&door, "/silences")["silences"][0]["comment"], "holidays");
    assert!(json(&door, &format!("/alerts/{id}"))["silenced_until"].is_string());
    let silence = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(send(&door, "DELETE", &format!("/silences/{silence}"), &[], "").status, 200);
    assert_eq!(json(&door, "/silences")["silences"], json!([]));
    assert_eq!(send(&door, "DELETE", "/silences/none", &[], "").status, 404);

    let board =
        json!({"title": "Mine", "cards": [{"id": "a", "kind": "value", "size": 1, "metric": "nps"}]}).to_string();
    let saved = send(&door, "PUT", "/dashboards/mine", &[JSON, "if-none-match: *"], &board);
    assert_eq!(saved.status, 200, "{}", saved.body);
    assert_eq!(send(&door, "PUT", "/dashboards/mine", &[JSON], &board).status, 428);
    let tag = format!("if-match: {}", saved.header("etag").unwrap());
    assert_eq!(send(&door, "PUT", "/dashboards/mine", &[JSON, &tag], &board.replace("Mine", "Ours")).status, 200);
    assert_eq!(send(&door, "PUT", "/dashboards/mine", &[JSON, &tag], &board).status, 412);
    assert_eq!(send(&door, "PUT", "/dashboards/sales", &[JSON], &board).status, 403);
    let yaml = api(&door, "/dashboards/mine?format=yaml").body;
    assert!(yaml.contains("title: Ours"), "{yaml}");
    assert_eq!(send(&door, "PUT", "/dashboards/copy", &["content-type: application/yaml"], &yaml).status, 200);
    assert_eq!(json(&door, "/dashboards")["dashboards"].as_array().unwrap().len(), 6);
    assert_eq!(send(&door, "DELETE", "/dashboards/mine", &[], "").status, 204);
}

/// Reads a stream until it has a whole frame of this kind.
fn until(stream: &mut impl std::io::Read, event: &str) -> String {
    let (mut found, mut chunk) = (String::new(), [0; 16_384]);
    let is_whole = |found: &str| found.split_once(event).is_some_and(|(_, rest)| rest.contains("\n\n"));
    while !is_whole(&found) {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "it ended without {event}: {found}");
        found += &String::from_utf8_lossy(&chunk[..read]);
    }
    found
}

fn streamed(door: &Door, topics: &str, last: &str) -> std::net::TcpStream {
    let mut stream = door.connect();
    let request = format!("GET /api/v1/stream?topics={topics}&window=1d HTTP/1.1\r\nhost: localhost\r\n{last}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn a_stream_begins_with_a_snapshot_and_goes_on_with_what_changed() {
    let (_data, door) = served();
    let mut stream = streamed(&door, "metric:orders", "");
    let first = until(&mut stream, "event: snapshot");
    assert!(first.contains("\"topic\":\"metric:orders\""), "{first}");
    let event = json!({"id": "s-1", "type": "order.completed", "account": "me", "data": {"order": "s-1", "gross": 100, "currency": "EUR"}});
    assert_eq!(door.send(&[event]).status, 200);
    let delta = until(&mut stream, "event: delta");
    let delta = delta.split_once("event: delta").map_or("", |(_, frame)| frame);
    let id = delta.split("id: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
    drop(stream);

    let mut unknown = streamed(&door, "metric:orders", "last-event-id: another-7\r\n");
    assert!(until(&mut unknown, "event: ").contains("event: snapshot"));
    let mut resumed = streamed(&door, "metric:orders", &format!("last-event-id: {id}\r\n"));
    let rest = until(&mut resumed, "event: ");
    assert!(!rest.contains("event: snapshot"), "it was seen: {rest}");
}

#[test]
fn the_document_of_the_api_names_what_is_there() {
    let (_data, door) = served();
    let document = json(&door, "/openapi.json");
    let committed = include_str!("../../dashboard/openapi.json");
    assert_eq!(document, serde_json::from_str::<Value>(committed).unwrap());
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let plain = methods["get"].is_object() && !path.contains('{') && path != "/stream";
        if plain {
            asked += 1;
            assert_eq!(api(&door, path).status, 200, "{path}");
        }
    }
    assert!(asked > 10, "{asked}");
    let mut body = String::new();
    let mut stream = door.connect();
    stream.write_all(b"HEAD /api/v1/site HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut body).unwrap();
    assert!(body.starts_with("HTTP/1.1 200"), "{body}");
}
