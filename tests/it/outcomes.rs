//! Nothing vanishes: what an import refuses is said by kind and ends it with status 1, every event in the log has one
//! outcome, and what one import brought can be replaced or taken back.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::data::{Data, Run};

/// A mapping of orders: an order a row, its number as the id.
const ORDERS: &str = "name: shop\ntype: order.completed\naccount: customer\nid: order\n\
    time: {column: date, format: \"%Y-%m-%d\"}\ncurrency: EUR\ndata:\n  gross: {column: amount, as: major}\n";

/// A file of orders, with the rows given, and the mapping.
fn files(data: &Data, rows: &str) -> (PathBuf, PathBuf) {
    let text = format!("order,date,customer,amount\n{rows}");
    (data.file("orders.csv", text), data.file("orders.yaml", ORDERS))
}

/// Imports rows of orders.
fn import(data: &Data, rows: &str, flags: &[&str]) -> Run {
    let (file, mapping) = files(data, rows);
    data.import(&file, &[&["--mapping", mapping.to_str().unwrap()], flags].concat())
}

/// The rows of a metric by year, that are not 0.
fn years(data: &Data, metric: &str) -> Vec<f64> {
    let out = data.run(["query", metric, "--window", "1y", "--format", "json"]).done().out;
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap()["value"].as_f64().unwrap();
    out.lines().map(value).filter(|value| *value != 0.0).collect()
}

/// Good rows, one a day.
fn good(rows: usize) -> String {
    (0..rows).map(|row| format!("G{row},2024-01-{:02},c{},1.00\n", row % 28 + 1, row % 7)).collect()
}

#[test]
fn an_import_that_rejects_more_than_its_share_fails_after_it_said_why() {
    let rows = good(99) + "B1,2024-01-05,c1,x\n";
    let data = Data::new();
    import(&data, &rows, &[]).done().says(&["100 lines: 99 accepted, 1 rejected"]);
    assert_eq!(years(&data, "orders"), [99.0]);

    let more = format!("{rows}B2,2024-01-05,c1,y\nB3,05.01.2024,c1,1.00\nB4,2024-01-05,c1,z\n");
    let data = Data::new();
    let run = import(&data, &more, &[]).rejects();
    run.says(&[
        "103 lines: 99 accepted, 4 rejected\n",
        "rejected:\n             3 ",
        "orders.csv:101: column amount: is x, expected ",
        "\n             1 ",
        "orders.csv:103: time: column date: is 05.01.2024, expected %Y-%m-%d",
        "accepted: 99 counted",
    ]);
    assert!(!run.out.contains(":102:"), "one example of each kind: {}", run.out);
    run.fails(1, &["4 of 103 lines (3.8 %) were rejected, more than 1% (--rejected-max, or [import] rejected_max)"]);
    assert_eq!(years(&data, "orders"), [99.0], "what it accepted stays");

    let data = Data::new();
    import(&data, &more, &["--rejected-max", "4%"]).done();
    let data = Data::new().config("[import]\nrejected_max = \"0%\"\n");
    import(&data, &rows, &[]).rejects().fails(1, &["1 of 100 lines (1.0 %)", "more than 0%"]);
    import(&data, &rows, &["--rejected-max", "x"]).fails(2, &["is \"x\", expected a share such as \"1%\""]);
}

#[test]
fn a_mistake_of_the_mapping_is_told_once_as_the_mappings() {
    let rows = "A1,05.01.2024,c1,1.00\nA2,06.01.2024,c1,2.00\nA3,07.01.2024,c1,3.00\n";
    let data = Data::new();
    let run = import(&data, rows, &[]);
    run.says(&["3 lines: 0 accepted, 3 rejected\n", "rejected:\n             3 "]);
    assert_eq!(run.out.matches("expected %Y-%m-%d").count(), 1, "{}", run.out);
    run.fails(
        1,
        &[
            "no row became an event, all 3 for the same reason, most likely a mistake of the mapping: mend ",
            "orders.yaml (docs/mappings.md): time: column date: is 05.01.2024, expected %Y-%m-%d",
        ],
    );
}

#[test]
fn rejected_lines_of_json_are_imported_again() {
    let order = |id: &str, gross: Value| {
        let data = json!({"order": id, "gross": gross, "currency": "EUR"});
        json!({"id": id, "type": "order.completed", "time": "2024-01-05T00:00:00Z", "account": "a", "data": data})
    };
    let data = Data::new();
    let lines = format!("{}\n{}\nno json\n", order("1", json!(100)), order("2", json!(2.5)));
    let (file, rejects) = (data.file("events.ndjson", lines), data.file("rejects.ndjson", ""));
    data.import(&file, &["--rejects", rejects.to_str().unwrap()]).rejects();
    let kept = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(kept, format!("{}\nno json\n", order("2", json!(2.5))));
    let reasons = std::fs::read_to_string(format!("{}.reasons.tsv", rejects.display())).unwrap();
    let beside: Vec<&str> = reasons.lines().skip(1).collect();
    assert!(beside[0].starts_with("1\t") && beside[0].contains("events.ndjson\t2\tdata.gross: is 2.5, "), "{reasons}");
    assert!(beside[1].starts_with("2\t") && beside[1].contains("events.ndjson\t3\tnot valid JSON"), "{reasons}");

    let mended = kept.replace("2.5", "250").replace("no json\n", "");
    data.import(&data.file("mended.ndjson", mended), &[]).done().says(&["1 line: 1 accepted, 0 rejected"]);
    assert_eq!(years(&data, "net_revenue"), [350.0]);
}

/// An order of a source.
fn order(id: &str, source: &str, account: &str, order: &str, gross: i64, day: &str) -> Value {
    let data = json!({"order": order, "gross": gross, "currency": "USD"});
    let time = format!("2024-01-{day}T00:00:00Z");
    json!({"id": id, "type": "order.completed", "time": time, "account": account, "source": source, "data": data})
}

/// A refund of an order.
fn refund(id: &str, account: &str, order: &str) -> Value {
    let data = json!({"order": order, "amount": 10, "currency": "USD"});
    let time = "2024-01-09T00:00:00Z";
    json!({"id": id, "type": "payment.refunded", "time": time, "account": account, "source": "web", "data": data})
}

/// Events, one a line.
fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// What `vitals outcomes --json` says.
fn outcomes(data: &Data) -> Value {
    serde_json::from_str(&data.run(["outcomes", "--json"]).done().out).unwrap()
}

#[test]
fn every_event_in_the_log_has_one_outcome_that_is_counted_and_listed() {
    let late = json!({"id": "l", "type": "order.completed", "time": "2023-12-01T00:00:00Z", "account": "b", "source": "web",
        "data": {"order": "o9", "gross": 1, "currency": "USD"}});
    let all = [
        order("o1", "web", "a", "o1", 1_000, "05"),
        order("o1", "web", "a", "o1", 9_000, "05"),
        order("z9", "erp", "a", "o1", 5_000, "04"),
        order("o1", "web2", "b", "o1", 100, "06"),
        order("o1", "web2", "b", "o1", 100, "06"),
        refund("r1", "a", "o1"),
        refund("r2", "a", "o7"),
        json!({"id": "p", "type": "page.viewed", "time": "2024-01-07T00:00:00Z", "account": "a"}),
        late,
    ];
    let data = Data::new();
    let run = data.import(&data.file("events.ndjson", lines(&all)), &["--order", "file"]).done();
    run.says(&[
        "1 late), 1 duplicate, 1 conflict, 0 quarantined, 1 waiting, 1 not measured",
        "1 event of those counted open an order that another event opens with other content, such as order o1 of a: ",
    ]);
    let found = outcomes(&data);
    let expected = json!({"events": 9, "counted": 5, "on_time": 4, "late": 1, "duplicate": 1, "conflict": 1,
        "quarantined": 0, "waiting": 1, "not_measured": 1, "orders_opened_again": 1});
    assert_eq!(found, expected);
    data.run(["outcomes"]).done().says(&["counted", "4 on time, 1 late", "in the log", "page.viewed"]);

    let conflicts = data.run(["conflicts"]).done();
    conflicts.says(&[
        "conflict: source web id o1 of a\n",
        "data.gross",
        "1000",
        "9000",
        "order o1 of a is opened by two events with other content\n",
        "1 in conflict, 1 that open an order again\n",
    ]);
    let listed = data.run(["conflicts", "--json"]).done().out;
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!((&listed[0]["status"], &listed[0]["fields"]), (&json!("conflict"), &json!(["data.gross"])));
    let gross = |pair: &Value| [&pair["holds"], &pair["other"]].map(|event| event["data"]["gross"].as_i64().unwrap());
    assert_eq!(gross(&listed[0]), [1_000, 9_000]);
    assert_eq!((&listed[1]["status"], gross(&listed[1])), (&json!("order opened again"), [5_000, 1_000]));

    data.run(["waiting"]).done().says(&["r2", "payment.refunded", "order o7", "1 waiting\n"]);
    let waits: Value = serde_json::from_str(&data.run(["waiting", "--json"]).done().out).unwrap();
    assert_eq!((&waits["waits_for"], &waits["event"]["id"]), (&json!({"order": "o7"}), &json!("r2")));

    // What waited is counted once its order is there, and nothing changes that a rebuild does not change.
    data.import(&data.file("later.ndjson", lines(&[order("o7", "web", "a", "o7", 70, "08")])), &[]).done();
    let found = outcomes(&data);
    assert_eq!([&found["events"], &found["counted"], &found["waiting"]], [&json!(10), &json!(7), &json!(0)]);
    assert_eq!(data.run(["waiting"]).done().out, "nothing waits\n");
    data.run(["rebuild"]).done();
    assert_eq!(outcomes(&data), found);
}

#[test]
fn outcomes_of_a_company_are_those_that_its_import_counted() {
    let data = Data::new();
    let file = data.file("events.ndjson", "");
    let out = file.to_str().unwrap();
    let flags = ["simulate", "--accounts", "60", "--from", "2024-01-01", "--to", "2024-07-01", "--out", out];
    let messy = ["--shuffle-days", "20", "--duplicates", "5%", "--repairs", "3%"];
    data.run(flags.into_iter().chain(messy)).done();
    let run = data.import(&file, &["--order", "file"]).done();
    let found = outcomes(&data);
    let says = format!(
        "accepted: {} counted ({} on time, {} late), {} duplicate, {} conflict, {} quarantined, {} waiting, {} not measured",
        found["counted"],
        found["on_time"],
        found["late"],
        found["duplicate"],
        found["conflict"],
        found["quarantined"],
        found["waiting"],
        found["not_measured"],
    );
    run.says(&[&says]);
    assert!(found["late"].as_u64() > Some(0) && found["duplicate"].as_u64() > Some(0), "{found}");
}
