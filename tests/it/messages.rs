//! What the user is told, and the exit code: 0 done, 1 failed, 2 wrong usage or input.

use std::{
    fs,
    path::{Path, PathBuf},
};

use eventlog::embedded;
use serde_json::json;

use crate::data::{Data, assert_same_rows};

pub(crate) const WRONG: i32 = 2;
const FAILED: i32 = 1;

/// A purchase of account `a`, as one line.
fn order(id: &str, time: &str) -> String {
    let data = json!({"order": id, "gross": 1_000, "currency": "EUR"});
    let event = json!({"specversion": "1.0", "id": id, "source": "shop", "type": "order.completed", "time": time, "account": "a", "data": data});
    format!("{event}\n")
}

/// Three purchases in order, imported.
fn imported() -> (Data, PathBuf) {
    let data = Data::new();
    let lines =
        [order("1", "2024-01-01T10:00:00Z"), order("2", "2024-01-05T10:00:00Z"), order("3", "2024-02-03T10:00:00Z")];
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &[]).done().says(&[
        "3 lines: 3 accepted, 0 rejected",
        "3 counted (3 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined",
    ]);
    (data, file)
}

/// Imports one line that shall be refused, beside a good one.
fn refused(line: impl AsRef<[u8]>, reason: &str) {
    let data = Data::new();
    let mut bytes = line.as_ref().trim_ascii_end().to_vec();
    bytes.push(b'\n');
    let mut lines = order("good", "2024-01-01T10:00:00Z").into_bytes();
    lines.extend(&bytes);
    let file = data.file("events.ndjson", lines);
    let rejects = data.file("rejects.ndjson", "");
    let run = data.import(&file, &["--rejects", rejects.to_str().unwrap()]).rejects();
    run.says(&[
        "2 lines: 1 accepted, 1 rejected",
        "1 counted (1 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined",
    ]);
    run.says(&[&format!("rejected:\n             1 {}:2: {reason}", file.display())]);
    assert!(!run.err.contains(reason), "said twice: {}", run.err);
    assert_eq!(fs::read(rejects).unwrap(), bytes, "the line is kept as it was");
}

#[test]
fn out_of_order_is_late_and_applied() {
    let data = Data::new();
    let lines =
        [order("1", "2024-01-01T10:00:00Z"), order("2", "2024-03-05T10:00:00Z"), order("3", "2024-01-03T10:00:00Z")];
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &["--order", "file"])
        .done()
        .says(&["3 counted (2 on time, 1 late), 0 duplicate, 0 conflict, 0 quarantined"]);
    let rows = data.run(["query", "orders", "--format", "json"]).done().out;
    let january: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!((&january["value"], &january["corrected"]), (&json!(2.0), &json!(true)), "{january}");
}

#[test]
fn a_second_import_counts_duplicates_and_changes_nothing() {
    let (data, file) = imported();
    let (rows, clocks) = (data.rows(), data.clocks());
    data.import(&file, &[]).done().says(&[
        "3 lines: 3 accepted, 0 rejected",
        "0 counted (0 on time, 0 late), 3 duplicate, 0 conflict, 0 quarantined",
    ]);
    assert_same_rows(&data.rows(), &rows, "imported again");
    assert_eq!(data.clocks(), clocks, "the tick after it is within the second of the last");
}

#[test]
fn far_future_times_are_refused() {
    refused(order("x", "2999-01-01T00:00:00Z"), "time: is 2999-01-01T00:00:00Z, after the wall clock (");
}

#[test]
fn times_before_history_are_refused() {
    let floor = "before the history floor (1990-01-01T00:00:00Z)";
    refused(order("x", "1969-12-31T23:59:59Z"), &format!("time: is 1969-12-31T23:59:59Z, {floor}"));
    refused(
        order("x", "-000044-03-15T12:00:00Z"),
        "time: is -000044-03-15T12:00:00Z, expected RFC 3339 like 2026-01-31T09:30:00Z",
    );
}

#[test]
fn absurd_times_are_refused() {
    let expected = "expected RFC 3339 like 2026-01-31T09:30:00Z";
    for time in ["yesterday", "0", "2024-02-30T00:00:00Z", "99999999-01-01T00:00:00Z", "2024-01-01T25:00:00Z"] {
        refused(order("x", time), &format!("time: is {time}, {expected}"));
    }
    for time in ["-5", "0", "9223372036854775807", "1e300"] {
        refused(order("x", "TIME").replace("\"TIME\"", time), &format!("time: is {time}, expected a string, RFC 3339"));
    }
}

#[test]
fn broken_json_is_refused() {
    refused(r#"{"id": "x", broken"#, "not valid JSON: key must be a string (column 13)");
    refused(r#"{"id": "x""#, "not valid JSON: ");
    refused("[1, 2]", "not valid JSON: invalid type: sequence, expected an object (column 0)");
}

#[test]
fn broken_utf_8_is_refused() {
    refused(b"{\"id\":\"x\xff\"}", "not UTF-8 at byte 9; save the file as UTF-8");
}

#[test]
fn a_missing_currency_is_refused() {
    let line = order("x", "2024-01-01T10:00:00Z").replace("\"currency\":\"EUR\",", "");
    assert!(!line.contains("currency"), "{line}");
    refused(
        line,
        "data.currency: is missing, expected a currency as three capital letters (ISO 4217) (order.completed needs it)",
    );
}

#[test]
fn unknown_types_are_kept_and_counted() {
    let data = Data::new();
    let line = r#"{"id":"x","source":"shop","type":"my.own","time":"2024-01-02T00:00:00Z","account":"a","data":{"any":[1,{"thing":null}]}}"#;
    let file = data.file("events.ndjson", format!("{}{line}\n", order("1", "2024-01-01T10:00:00Z")));
    let run = data.import(&file, &[]).done();
    run.says(&[
        "2 lines: 2 accepted, 0 rejected",
        "1 my.own (not measured: no metric reads the type my.own)\n",
        "1 counted (1 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined, 0 waiting, 1 not measured\n",
    ]);
    let events = data.run(["events"]).done().out;
    let kept = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let kept: Vec<_> = kept.filter(|event| event["type"] == "my.own").collect();
    assert_eq!(kept.len(), 1, "{events}");
    assert_eq!(kept[0]["data"], json!({"any": [1, {"thing": null}]}));
    let counted = data.run(["query", "events", "--format", "json"]).done().out;
    assert!(counted.contains("\"value\":2"), "{counted}");
}

#[test]
fn a_wrong_file_is_named() {
    let data = Data::new();
    let missing = data.path().join("missing.ndjson");
    let run = data.import(&missing, &[]);
    assert_eq!(run.err, format!("error: {}: No such file or directory (os error 2)\n", missing.display()));
    run.fails(WRONG, &[]);
    let folder = data.path().parent().unwrap().to_owned();
    data.import(&folder, &[]).fails(WRONG, &[&format!("error: {}: Is a directory (os error 21)\n", folder.display())]);
    assert!(!data.path().exists(), "nothing was made");
}

#[test]
fn a_file_that_holds_no_lines_is_refused_as_a_whole() {
    let data = Data::new();
    let line = order("1", "2024-01-01T10:00:00Z");
    for (name, bytes, says) in [
        (
            "packed.zip",
            b"PK\x03\x04".to_vec(),
            "a ZIP archive that cannot be read (invalid Zip archive: Could not find EOCD)",
        ),
        (
            "sheet.csv",
            "\u{feff}order;day;total\r\nA-1;10.01.2026;49,00\r\n".into(),
            "is delimited text, such as CSV, and no JSON; give the mapping that says how its columns become events: \
             --mapping FILE (docs/mappings.md has an example)",
        ),
        ("array.json", format!("\n[{line}]").into_bytes(), "is a JSON array; an event a line is expected: jq -c '.[]'"),
    ] {
        let file = data.file(name, bytes);
        let run = data.import(&file, &[]);
        assert_eq!(run.err, format!("error: {}: {says}\n", file.display()));
        run.fails(WRONG, &[]);
    }
    data.import(Path::new("/dev/null"), &[]).fails(WRONG, &["error: /dev/null: is not a regular file; "]);
    let cut = data.file("cut.gz", b"\x1f\x8b\x08\x00\x00");
    data.import(&cut, &[]).fails(WRONG, &["cut.gz: unexpected end of file"]);
    assert!(!data.path().exists(), "nothing was made");
    let file = data.file("other.log", "one line\nanother\n");
    let run = data.import(&file, &[]);
    assert!(run.out.starts_with("2 lines: 0 accepted, 2 rejected\n"), "{}", run.out);
    run.fails(FAILED, &["error: no line became an event: a line has to be a CloudEvent in JSON (docs/events.md), or "]);
}

#[test]
fn a_catalog_with_a_type_error_is_located() {
    let data = Data::new();
    let catalog = data.file(
        "catalog.yaml",
        "meaningful: [order]\nmetrics:\n  - name: orders\n    title: Orders\n    description: Orders.\n    unit: count\n    \
         windows: [1d]\n    measures:\n      orders: {count: order}\n    value: orders + \"one\"\n",
    );
    let data = data.config(&format!("[settings]\ncatalog = \"{}\"\n", catalog.display()));
    let file = data.file("events.ndjson", order("1", "2024-01-01T10:00:00Z"));
    let run = data.import(&file, &[]);
    let first = format!("error: {}:10:21: this is text, a number is expected", catalog.display());
    assert_eq!(run.err.lines().next(), Some(first.as_str()));
    for drawn in [" 10 │     value: orders + \"one\"\n", "╰── here\n"] {
        assert!(run.err.contains(drawn), "expected {drawn}\n   found {}", run.err);
    }
    run.fails(WRONG, &[]);
    assert!(!data.path().exists(), "nothing was made");
}

#[test]
fn all_mistakes_of_a_catalog_are_reported_at_once() {
    let data = Data::new();
    let catalog = data.file(
        "catalog.yaml",
        "meaningful: [order]\nmetrics:\n  - {name: a, title: A, description: D, unit: coins, windows: [1d], measures: {m: {count: order}}, value: m}\n  \
         - {name: b, title: B, description: D, unit: count, windows: [1d], measures: {m: {count: order}}, value: n}\n",
    );
    let file = catalog.display().to_string();
    let wrong = [format!("{file}:3:47: unknown unit `coins`"), format!("{file}:4:107: there is no measure `n`")];
    data.run(["metrics", "check", &file]).fails(WRONG, &[&wrong[0], &wrong[1], "\n2 mistakes"]);
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/catalogs/crm.yaml");
    data.run(["metrics", "check", built_in]).done().says(&[" metrics, nothing is wrong\n"]);
    assert!(!data.path().exists(), "nothing was made");
}

#[test]
fn a_wrong_configuration_is_named() {
    let (data, file) = imported();
    let data = data.config("[log]\npartitons = 4\n");
    data.import(&file, &[])
        .fails(WRONG, &["vitals.toml: unknown field `partitons`, expected `partitions` for key `log`\n"]);
    let data = data.config("[settings]\nsilent_after = \"soon\"\n");
    let expected =
        "vitals.toml: [settings] silent_after: is \"soon\", expected a duration such as \"90d\", \"1h\" or \"500ms\"\n";
    data.import(&file, &[]).fails(WRONG, &[expected]);
    data.config("[log\n").import(&file, &[]).fails(WRONG, &["vitals.toml: TOML parse error at line 1, column 5"]);
}

#[test]
fn other_partitions_than_the_data_has_are_refused() {
    let (data, file) = imported();
    let data = data.config("[log]\npartitions = 7\n");
    let place = data.path();
    let expected = format!(
        "error: {}: [log] partitions is 7 in the configuration: topic events.v1 has 4 partitions, not 7; \
         the number is fixed when the data is made\n",
        place.display()
    );
    let run = data.import(&file, &[]);
    assert_eq!(run.err, expected);
    run.fails(WRONG, &[]);
}

#[test]
fn an_unknown_metric_or_window_is_told_what_there_is() {
    let (data, _) = imported();
    data.run(["query", "order"]).fails(WRONG, &["error: there is no metric \"order\"; did you mean orders?\n"]);
    data.run(["query", "xyzzy"]).fails(WRONG, &["error: there is no metric \"xyzzy\"; `vitals metrics` lists all\n"]);
    data.run(["query", "orders", "--window", "5d"])
        .fails(WRONG, &["error: metric orders has no window \"5d\"; it has `1d`, `1w`, "]);
    data.run(["query", "customers", "--by", "product"]).fails(WRONG, &["error: metric customers is not kept by "]);
    data.run(["query", "account_value", "--by", "plan"]).fails(WRONG, &["by \"plan\"; it is kept by nothing\n"]);
    data.run(["query", "net_new_mrr", "--account", "a"])
        .fails(WRONG, &["metric net_new_mrr is not kept per account; ask account_net_new_mrr\n"]);
    data.run(["query", "orders", "--account", "a"])
        .fails(WRONG, &["metric orders is not kept per account; ask without --account\n"]);
    data.run(["query", "orders", "--from", "9999-12-31"]).fails(WRONG, &["\"9999-12-31\""]);
    data.run(["alerts", "--rule", "nope"])
        .fails(WRONG, &["error: --rule: there is no rule \"nope\"; there is silent_90d\n"]);
    data.run(["events", "--partition", "9"])
        .fails(WRONG, &["error: --partition 9: events.v1 has the partitions 0 to 3\n"]);
}

#[test]
fn no_data_is_said_and_nothing_is_made() {
    let data = Data::new();
    let path = data.path();
    let import = format!("`vitals import FILE --data {}`", path.display());
    data.run(["alerts"]).fails(FAILED, &[&format!("error: there is no store at {}", path.display()), &import]);
    assert!(data.run(["metrics", "orders"]).done().out.starts_with("name        orders\n"), "what there would be");
    data.run(["query", "orders"]).fails(FAILED, &[&import]);
    for command in ["events", "rebuild"] {
        data.run([command]).fails(FAILED, &[&format!("error: {}: there is no log here; ", path.display())]);
    }
    assert!(!path.exists());
}

#[test]
fn a_data_directory_in_use_is_refused_but_can_be_queried() {
    let (data, file) = imported();
    let _held = embedded::Embedded::open(data.path().join("log"), embedded::Config::default()).unwrap();
    let expected = format!(
        "error: {} is in use by another vitals process; stop it, or give another --data\n",
        data.path().join("log").display()
    );
    let ingest = data.run(["ingest", "--listen", "127.0.0.1:0"]);
    for run in [data.import(&file, &[]), data.run(["rebuild"]), ingest] {
        assert!(run.err.ends_with(&expected), "expected {expected}\n   found {}", run.err);
        run.fails(FAILED, &[]);
    }
    data.run(["query", "orders"]).done();
    data.run(["alerts"]).done();
    data.run(["events"]).done();
    data.run(["tail", "alerts", "--once"]).done();
}

/// Writes the version of a format into a RocksDB of ours.
fn set_format(path: &Path, format: &[u8]) {
    let options = rocksdb::Options::default();
    let families = rocksdb::DB::list_cf(&options, path).unwrap();
    rocksdb::DB::open_cf(&options, path, families).unwrap().put("format", format).unwrap();
}

#[test]
fn a_log_of_a_newer_version_is_refused() {
    let (data, file) = imported();
    let log = data.path().join("log");
    set_format(&log, &7_u32.to_be_bytes());
    let expected = format!(
        "error: {} was written by a newer version (format 7, this one reads up to 2); use that version\n",
        log.display()
    );
    for run in [data.import(&file, &[]), data.run(["rebuild"]), data.run(["events"])] {
        assert_eq!(run.err, expected);
        run.fails(FAILED, &[]);
    }
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let (data, file) = imported();
    let state = data.path().join("state").join("rollup-0");
    set_format(&state, &7_u64.to_be_bytes());
    let expected = format!(
        "error: state at {} was written by a newer version (format 7, this one reads up to 2); use that version\n",
        state.display()
    );
    let run = data.import(&file, &[]);
    assert_eq!(run.err, expected);
    run.fails(FAILED, &[]);
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let (data, file) = imported();
    let store = data.path().join(store::sqlite::FILE);
    rusqlite::Connection::open(&store).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let expected = format!(
        "error: {} was written by a newer version (schema 9, this one reads up to 3); use that version\n",
        store.display()
    );
    for run in [data.import(&file, &[]), data.run(["query", "orders"]), data.run(["alerts"])] {
        assert_eq!(run.err, expected);
        run.fails(FAILED, &[]);
    }
}

/// The files of a RocksDB whose names begin or end so, overwritten.
fn damage(path: &Path, is_one: impl Fn(&str) -> bool) {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let hit: Vec<_> = files.filter(|file| is_one(file.file_name().unwrap().to_str().unwrap())).collect();
    assert!(!hit.is_empty(), "{} has no such file", path.display());
    for file in hit {
        let length = fs::metadata(&file).unwrap().len();
        fs::write(file, vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
    }
}

/// A table, the manifest, or the pointer to it.
const PARTS: [fn(&str) -> bool; 3] =
    [|name| name.ends_with(".sst"), |name| name.starts_with("MANIFEST"), |name| name == "CURRENT"];

#[test]
fn a_damaged_log_is_refused() {
    for part in PARTS {
        let (data, file) = imported();
        // A start writes what was only in the write-ahead log into tables.
        data.import(&file, &[]).done();
        let log = data.path().join("log");
        damage(&log, part);
        let expected = format!("{} is damaged: ", log.display());
        for run in [data.import(&file, &[]), data.run(["rebuild"]), data.run(["events"])] {
            run.fails(FAILED, &[&expected, "; restore it from a backup\n"]);
        }
        data.run(["query", "orders"]).done();
    }
}

#[test]
fn damaged_state_is_discarded_and_made_again_from_the_log() {
    for part in PARTS {
        let (data, file) = imported();
        data.import(&file, &[]).done();
        let rows = data.rows();
        damage(&data.path().join("state").join("rollup-0"), part);
        let run = data.import(&file, &[]).done();
        for said in ["the state is discarded and made again", "rollup-0", "is damaged: "] {
            assert!(run.err.contains(said), "expected {said}\n   found {}", run.err);
        }
        assert_same_rows(&data.rows(), &rows, "after the damage");
    }
}

#[test]
fn a_damaged_store_is_refused_and_made_again() {
    let (data, file) = imported();
    let rows = data.rows();
    let store = data.path().join(store::sqlite::FILE);
    fs::write(&store, vec![b'x'; 8192]).unwrap();
    let expected = format!(
        "error: {} is damaged (file is not a database); move it away and make it again from the log with `vitals rebuild`\n",
        store.display()
    );
    for run in [data.import(&file, &[]), data.run(["query", "orders"]), data.run(["alerts"])] {
        assert_eq!(run.err, expected);
        run.fails(FAILED, &[]);
    }
    data.run(["rebuild"]).done();
    assert_same_rows(&data.rows(), &rows, "made again");
}

#[test]
fn a_damaged_mapping_is_named_with_its_place_and_nothing_is_made() {
    let data = Data::new();
    let file = data.file("shop.csv", "order;customer;day;total\nA-1;acme;10.01.2026;19,99\n");
    let good = "name: shop\ndelimiter: \";\"\ntype: order.completed\naccount: customer\nid: order\ncurrency: EUR\n\
                time: {column: day, format: \"%d.%m.%Y\"}\ndata:\n  gross: {column: total, as: major}\n";
    for (from, to, says) in [
        ("name:", "nam:", "shop.yaml: line 1, column 1: unknown field `nam`; there are name, "),
        ("\"%d.%m.%Y\"}", "\"%d.%m.%Y\"", "shop.yaml: line 8, column 1: while parsing a flow mapping, "),
        ("type: order.completed", "type: order.complete", "shop.yaml: line 3, column 7: type: is order.complete, "),
    ] {
        let mapping = data.file("shop.yaml", good.replace(from, to));
        data.import(&file, &["--mapping", mapping.to_str().unwrap()]).fails(WRONG, &[says]);
        assert!(!data.path().exists(), "{says}: something was made");
    }
    let run = data.import(&file, &["--mapping", data.file("shop.yaml", good).to_str().unwrap()]);
    run.says(&[
        "rejected:\n",
        "shop.csv:2: column total: is 19,99, expected 19.99 with a decimal point, or in the mapping ",
    ]);
    run.fails(FAILED, &["no row became an event: mend the mapping or the file by the reasons above"]);
}

#[test]
fn an_order_is_nobodys_only_where_that_is_meant() {
    let line = |account: &str| order("x", "2024-01-01T10:00:00Z").replace("\"account\"", account);
    for name in ["acount", "Account", "account_id", "accounts"] {
        refused(line(&format!("\"{name}\"")), &format!("{name}: is no attribute, expected account"));
    }
    let flat = r#"{"id":"x","type":"order.completed","account":"a","order":"1","gross":1000,"currency":"EUR"}"#;
    refused(flat, "data: is missing, expected an object that has order, gross, currency");
    refused(
        order("x", "2024-01-01T10:00:00"),
        "time: is 2024-01-01T10:00:00, expected 2024-01-01T10:00:00Z if that is UTC, else with its offset, like ",
    );
    // Any other attribute is one of the sender's own.
    let data = Data::new();
    let lines =
        [line("\"agent\""), line("\"account\":\"a\",\"accountid\"").replace("\"id\":\"x\"", "\"id\":\"y\"")].concat();
    data.import(&data.file("events.ndjson", lines), &[]).done().says(&["2 lines: 2 accepted, 0 rejected"]);
}

#[test]
fn a_word_for_a_window_is_understood_and_an_account_that_is_not_there_is_named() {
    let (data, _) = imported();
    for (word, meant) in [("month", "1mo"), ("quarterly", "1q"), ("30d", "trailing 30d")] {
        let says = format!("metric orders has no window {word:?}; did you mean `{meant}`? it has `1d`, ");
        data.run(["query", "orders", "--window", word]).fails(WRONG, &[&says]);
    }
    let run = data.run(["query", "account_value", "--account", "b"]).done();
    assert_eq!(run.out, "no rows of account \"b\"\n");
    data.run(["explain", "b"])
        .fails(WRONG, &["b: the log has no event of this account; `vitals query health_score` lists"]);
}
