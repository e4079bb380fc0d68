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
