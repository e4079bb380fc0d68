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
    assert_eq!([&outcomes(&data)["events"], &outcomes(&data)["rejected_by_imports"]], [&json!(99), &json!(4)]);
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
        "quarantined": 0, "waiting": 1, "not_measured": 1, "orders_opened_again": 1, "rejected_by_imports": 0});
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

/// Imports rows of orders so that they hold.
fn replace(data: &Data, rows: &str) -> Run {
    import(data, rows, &["--replace"]).done()
}

/// Net revenue of an account to date.
fn revenue_of(data: &Data, account: &str) -> f64 {
    let out = data.run(["query", "account_value", "--account", account, "--format", "json"]).done().out;
    let last = out.lines().rfind(|line| line.starts_with('{'));
    last.map_or(0.0, |line| serde_json::from_str::<Value>(line).unwrap()["value"].as_f64().unwrap_or(0.0))
}

#[test]
fn a_corrected_export_holds_with_replace_and_imported_again_changes_nothing() {
    let data = Data::new();
    import(&data, "A1,2024-01-05,c1,10.00\nA2,2024-01-06,c2,20.00\n", &[]).done();
    assert_eq!(years(&data, "net_revenue"), [3_000.0]);
    let second = "A1,2024-01-05,c1,12.00\nA2,2024-01-06,c2,20.00\nA3,2024-01-07,c2,1.00\n";
    import(&data, second, &[]).done().says(&["1 counted (1 on time, 0 late), 1 duplicate, 1 conflict"]);
    assert_eq!(years(&data, "net_revenue"), [3_100.0], "without --replace the first content holds");

    let run = replace(&data, second);
    run.says(&["1 replaced what the log had", "2 known with this content, not sent again", "1 event and "]);
    assert_eq!(years(&data, "net_revenue"), [3_300.0]);
    replace(&data, second).says(&["3 known with this content", "\n0 events and "]);
    assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (vec![3_300.0], vec![3.0]));

    // Changed back; dated earlier, in another year; moved to another account; and all of it at once.
    for (rows, revenue, orders, accounts) in [
        ("A1,2024-01-05,c1,10.00\n", vec![3_100.0], vec![3.0], (1_000.0, 2_100.0)),
        ("A1,2023-05-05,c1,10.00\n", vec![1_000.0, 2_100.0], vec![1.0, 2.0], (1_000.0, 2_100.0)),
        ("A1,2024-03-05,c1,11.00\n", vec![3_200.0], vec![3.0], (1_100.0, 2_100.0)),
        ("A1,2024-03-05,c2,11.00\n", vec![3_200.0], vec![3.0], (0.0, 3_200.0)),
        ("A1,2024-02-05,c1,11.00\nA2,2024-01-06,c2,30.00\n", vec![4_200.0], vec![3.0], (1_100.0, 3_100.0)),
    ] {
        replace(&data, rows);
        assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (revenue.clone(), orders.clone()), "{rows}");
        assert_eq!((revenue_of(&data, "c1"), revenue_of(&data, "c2")), accounts, "{rows}");
        replace(&data, rows).says(&["\n0 events and "]);
        assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (revenue, orders), "again: {rows}");
    }
    crate::oracle::assert_true(&data, "replaced");
}

#[test]
fn an_order_that_is_cancelled_in_a_later_export_is_none_and_may_come_back() {
    let completed = || order("A1", "shop", "a", "A1", 1_000, "05");
    let cancelled = json!({"id": "A1", "type": "order.cancelled", "time": "2024-01-08T00:00:00Z", "account": "a", "source": "shop",
            "data": {"order": "A1"}});
    let data = Data::new();
    let import = |events: &[Value]| data.import(&data.file("export.ndjson", lines(events)), &["--replace"]).done();
    import(&[completed(), order("A2", "shop", "a", "A2", 500, "06")]);
    for (event, expected) in [(cancelled.clone(), 500.0), (completed(), 1_500.0), (cancelled, 500.0)] {
        import(&[event]);
        assert_eq!(years(&data, "net_revenue"), [expected]);
    }
    // Of two rows of an id the last holds.
    import(&[completed(), order("A1", "shop", "a", "A1", 700, "05")]).says(&["1 not sent: their id comes again"]);
    assert_eq!(years(&data, "net_revenue"), [1_200.0]);
    crate::oracle::assert_true(&data, "cancelled");
}

/// The ids of the imports, by when they began.
fn imports(data: &Data) -> Vec<Value> {
    let out = data.run(["imports", "--json"]).done().out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Takes an import back.
fn undo(data: &Data, import: &Value) -> Run {
    data.run(["import", "--undo", import["import"].as_str().unwrap(), "--yes"]).done()
}

#[test]
fn an_import_is_listed_and_what_exactly_it_brought_is_taken_back() {
    let data = Data::new();
    import(&data, "A1,2024-01-05,c1,10.00\nA2,2024-01-06,c2,20.00\n", &[]).done();
    let second = "A2,2024-01-06,c2,20.00\nA3,2024-01-07,c1,5.00\nA4,2024-01-08,c3,7.00\n";
    import(&data, second, &[]).done();
    let listed = imports(&data);
    assert_eq!(listed.len(), 2, "{listed:?}");
    let file = listed[1]["files"][0].as_str().unwrap();
    assert!(file.ends_with("orders.csv") && listed[1]["mapping"].as_str().unwrap().ends_with("orders.yaml"));
    assert_eq!(
        [&listed[1]["lines"], &listed[1]["events"], &listed[1]["status"]],
        [&json!(3), &json!(3), &json!("done")]
    );

    // Nothing without --yes, and nothing of an import that is not there.
    let id = listed[1]["import"].as_str().unwrap();
    let run = data.run(["import", "--undo", id]);
    run.says(&["appended 3 events", "             2 retracted\n"]);
    run.fails(2, &["nothing was done", "--undo needs --yes"]);
    data.run(["import", "--undo", "x", "--yes"]).fails(2, &["there is no import x; `vitals imports` lists them"]);
    assert_eq!(years(&data, "net_revenue"), [4_200.0]);

    undo(&data, &listed[1]).says(&["2 events and "]);
    assert_eq!(
        (years(&data, "net_revenue"), years(&data, "orders")),
        (vec![3_000.0], vec![2.0]),
        "A2 was there before"
    );
    let listed = imports(&data);
    assert_eq!((&listed[1]["status"], &listed[1]["undone_by"]), (&json!("undone"), &listed[2]["import"]));
    assert_eq!(listed[2]["undoes"], listed[1]["import"]);
    data.run(["imports"]).done().says(&["undone by ", "takes back "]);
    undo(&data, &listed[1]).says(&["0 events and "]);

    // A retraction holds for ever, which is said; with --replace the rows come back under new ids.
    import(&data, second, &[]).done().says(&[
        "3 duplicate",
        "2 events had been retracted, which holds for ever: they count nowhere. --replace brings them back",
    ]);
    assert_eq!(years(&data, "net_revenue"), [3_000.0]);
    replace(&data, second).says(&["2 sent under new ids", "1 known with this content"]);
    assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (vec![4_200.0], vec![4.0]));
    replace(&data, second).says(&["3 known with this content"]);
    assert_eq!(years(&data, "net_revenue"), [4_200.0]);
    data.run(["rebuild"]).done();
    assert_eq!(years(&data, "net_revenue"), [4_200.0]);
    assert_eq!(imports(&data).len(), 7, "a rebuild keeps the list");
    crate::oracle::assert_true(&data, "undone");
}

#[test]
fn what_an_import_replaced_comes_back_when_it_is_undone() {
    let data = Data::new();
    import(&data, "A1,2024-01-05,c1,10.00\nA2,2024-01-06,c2,20.00\n", &[]).done();
    // Another amount, another account.
    replace(&data, "A1,2024-01-05,c1,99.00\nA2,2024-01-06,c3,20.00\n");
    assert_eq!((revenue_of(&data, "c1"), revenue_of(&data, "c2"), revenue_of(&data, "c3")), (9_900.0, 0.0, 2_000.0));
    let listed = imports(&data);
    undo(&data, &listed[1]);
    assert_eq!((revenue_of(&data, "c1"), revenue_of(&data, "c2"), revenue_of(&data, "c3")), (1_000.0, 2_000.0, 0.0));
    assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (vec![3_000.0], vec![2.0]));

    // What was corrected since keeps its content.
    replace(&data, "A1,2024-01-05,c1,11.00\n");
    undo(&data, &listed[0]);
    assert_eq!((years(&data, "net_revenue"), years(&data, "orders")), (vec![1_100.0], vec![1.0]));
    // An undo is an import, too.
    let listed = imports(&data);
    undo(&data, &listed[listed.len() - 1]);
    assert_eq!(years(&data, "net_revenue"), [3_100.0]);
    crate::oracle::assert_true(&data, "undone");
}

#[test]
fn what_is_nobodys_is_taken_back_too() {
    let event = |id: &str, kind: &str, account: Option<&str>, data: Value| {
        let mut event = json!({"id": id, "type": kind, "time": "2024-01-05T00:00:00Z", "source": "shop", "data": data});
        account.into_iter().for_each(|account| event["account"] = json!(account));
        event
    };
    let money = |order: &str, amount: i64| json!({"order": order, "gross": amount, "currency": "EUR"});
    let data = Data::new();
    let stays = [event("s", "order.completed", Some("a"), money("s", 100)), order("x", "shop", "b", "x", 1, "06")];
    data.import(&data.file("stays.ndjson", lines(&stays)), &[]).done();
    let brought = [
        event("g", "order.completed", None, money("g", 1_000)),
        event("r", "payment.refunded", None, json!({"order": "g", "amount": 200, "currency": "EUR"})),
        event("l", "lead.created", None, json!({"lead": "l1", "source": "web"})),
        event("c", "cost.recorded", None, json!({"bucket": "acquisition", "amount": 500, "currency": "EUR"})),
        event("m", "identity.linked", Some("a"), json!({"from": "b", "to": "a"})),
    ];
    data.import(&data.file("brought.ndjson", lines(&brought)), &[]).done();
    assert_eq!(years(&data, "orders"), [3.0]);
    assert_eq!(years(&data, "customers_started"), [1.0]);
    let listed = imports(&data);
    undo(&data, &listed[1]).says(&["             5 retracted\n", "0 waiting"]);
    assert_eq!(years(&data, "orders"), [2.0]);
    assert_eq!(years(&data, "customers_started"), [2.0], "the accounts are two again");
    let left: Vec<Value> =
        data.run(["conflicts", "--json"]).done().out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(left, Vec::<Value>::new());
    undo(&data, &listed[1]).says(&["0 events and "]);
}
