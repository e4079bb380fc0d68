//! What a person reads: windows and times of the tenant's zone, numbers, tables as wide as the terminal, and CSV.

use serde_json::json;

use crate::data::{Data, Run};

/// An order, as one line.
fn order(id: &str, time: &str, gross: i64, currency: &str, channel: &str) -> String {
    let data = json!({"order": id, "gross": gross, "currency": currency, "channel": channel});
    let event = json!({"specversion": "1.0", "id": id, "source": "shop", "type": "order.completed", "time": time, "account": format!("account-{id}"), "data": data});
    format!("{event}\n")
}

/// A shop of two channels in Berlin, imported until a day in June.
fn shop(settings: &str) -> Data {
    let data = Data::new().config(&format!("[settings]\ntime_zone = \"Europe/Berlin\"\n{settings}"));
    let lines = [
        order("1", "2024-01-31T23:30:00Z", 123_456_789, "EUR", "web"),
        order("2", "2024-02-10T10:00:00Z", 100, "EUR", "shop"),
        order("3", "2024-04-03T10:00:00Z", 4_050, "EUR", "web"),
    ];
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &["--until", "2024-06-20"]).done();
    data
}

/// The program with `COLUMNS`, and more of the environment.
fn shown(data: &Data, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = data.command(arguments);
    command.env_remove("COLUMNS").env("LC_ALL", "C.UTF-8").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }.done()
}

fn text(data: &Data, arguments: &[&str]) -> String {
    shown(data, arguments, &[]).out
}

/// Width of the widest line.
fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn months_are_those_of_the_zone() {
    expect_test::expect![[r#"
         Net revenue in EUR, by month (Europe/Berlin)   █▁▁▁▁
        ──────────────────────────
         month        net revenue
        ──────────────────────────
         2024-02     1,234,568.89
         2024-03             0.00
         2024-04            40.50
         2024-05             0.00
         2024-06 *           0.00
         total       1,234,609.39
        ──────────────────────────
         * still open
    "#]]
    .assert_eq(&text(&shop(""), &["query", "net_revenue"]));
}

#[test]
fn one_dimension_is_columns_beside_the_whole() {
    expect_test::expect![[r#"
         Net revenue in EUR, by quarter and channel (Europe/Berlin)
        ────────────────────────────────────────────────
         quarter     shop            web            all
        ────────────────────────────────────────────────
         Q1 2024     1.00   1,234,567.89   1,234,568.89
         Q2 2024 *   0.00          40.50          40.50
         total       1.00   1,234,608.39   1,234,609.39
        ────────────────────────────────────────────────
         * still open
    "#]]
    .assert_eq(&text(&shop(""), &["query", "net_revenue", "--by", "channel", "--window", "1q"]));
}

#[test]
fn every_kind_of_window_has_its_label() {
    let data = shop("");
    for (window, first, last) in [
        ("1d", " 1 Feb ", " 20 Jun * "),
        ("1w", " 2024-W05 ", " 2024-W25 * "),
        ("1mo", " 2024-02 ", " 2024-06 * "),
        ("1q", " Q1 2024 ", " Q2 2024 * "),
        ("1y", " 2024 * ", " 2024 * "),
        ("trailing 30d", " 30 days to 1 Feb ", " 30 days to 20 Jun * "),
    ] {
        let out = text(&data, &["query", "orders", "--window", window]);
        let lines: Vec<&str> = out.lines().skip(4).filter(|line| !line.starts_with(" total")).collect();
        let end = lines.iter().position(|line| line.starts_with('─')).unwrap();
        assert!(lines[0].starts_with(first), "{window}: {out}");
        assert!(lines[end - 1].starts_with(last), "{window}: {out}");
    }
    let days = text(&data, &["query", "orders", "--window", "1d", "--limit", "2"]);
    assert!(days.contains(" day, 2024 ") && days.ends_with(" 2 of 141 days\n"), "{days}");
}

#[test]
fn levels_and_ratios_have_no_total() {
    let data = shop("");
    for (metric, total) in
        [("orders", true), ("customers_lost", true), ("customers", false), ("customer_churn_rate", false)]
    {
        let out = text(&data, &["query", metric]);
        assert_eq!(out.contains("\n total "), total, "{metric}: {out}");
    }
    let trailing = text(&data, &["query", "orders", "--window", "trailing 30d"]);
    assert!(!trailing.contains("\n total "), "days would count many times: {trailing}");
}

#[test]
fn nulls_say_why_and_corrections_are_marked() {
    let data = Data::new();
    let lines = [
        order("1", "2024-01-01T10:00:00Z", 1_000, "EUR", "web"),
        order("2", "2024-03-05T10:00:00Z", 2_000, "EUR", "web"),
        order("3", "2024-01-03T10:00:00Z", 3_000, "EUR", "web"),
    ];
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &["--order", "file", "--until", "2024-03-06"]).done();
    expect_test::expect![[r#"
         Average purchase value in EUR, by month (UTC)   ▄ ▄
        ────────────────────────────────────
         month       average purchase value
        ────────────────────────────────────
         2024-01                    20.00 ~
         2024-02                        –
         2024-03 *                  20.00
        ────────────────────────────────────
         * still open   ~ corrected after it was final   – no denominator
    "#]]
    .assert_eq(&text(&data, &["query", "avg_purchase_value"]));
}

#[test]
fn currencies_are_columns_and_never_added() {
    let data = Data::new();
    let lines = [
        order("1", "2024-01-01T10:00:00Z", 1_000, "EUR", "web"),
        order("2", "2024-01-05T10:00:00Z", 2_000, "JPY", "web"),
    ];
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &[]).done();
    expect_test::expect![[r#"
         Net revenue, by month (UTC)
        ───────────────────────────
         month         EUR     JPY
        ───────────────────────────
         2024-01 *   10.00   2,000
        ───────────────────────────
         * still open
    "#]]
    .assert_eq(&text(&data, &["query", "net_revenue"]));
    let apart = text(&data, &["query", "net_revenue", "--by", "channel"]);
    for heading in
        [" Net revenue in EUR, by month and channel (UTC)\n", " Net revenue in JPY, by month and channel (UTC)\n"]
    {
        assert!(apart.contains(heading), "{apart}");
    }
}

/// Two subscribers, one of euros and one of yen, whose MRR changes in February.
fn subscribers() -> Data {
    let subscribed = |id: &str, day: &str, mrr: i64, currency: &str| {
        let data = format!(
            r#"{{"subscription":"s-{currency}","product":"p","status":"active","mrr":{mrr},"currency":"{currency}"}}"#
        );
        let time = format!("2024-{day}T10:00:00Z");
        format!(
            r#"{{"id":"{id}","type":"subscription.changed","time":"{time}","account":"{currency}","data":{data}}}{}"#,
            '\n'
        )
    };
    let lines = [
        subscribed("1", "01-01", 10_000, "EUR"),
        subscribed("2", "01-01", 10_000, "JPY"),
        subscribed("3", "02-05", 9_000, "EUR"),
        subscribed("4", "02-05", 12_000, "JPY"),
    ];
    let data = Data::new();
    let file = data.file("events.ndjson", lines.concat());
    data.import(&file, &["--until", "2024-03-01"]).done();
    data
}

#[test]
fn of_sums_of_accounts_by_day_only_an_account_that_is_named_lists_days_of_0() {
    let data = subscribers();
    let rows = |more: &[&str]| {
        let rows = data.run(["query", "account_net_new_mrr", "--format", "csv"].iter().chain(more)).done().out;
        rows.lines().skip(1).count()
    };
    assert_eq!(rows(&[]), 4);
    assert_eq!(rows(&["--account", "EUR", "--from", "2024-02-04", "--to", "2024-02-08"]), 4);
}

#[test]
fn a_ratio_by_currency_is_no_money() {
    let data = subscribers();
    expect_test::expect![[r#"
         Net revenue retention, by month (UTC)
        ─────────────────────────────────
         month            EUR        JPY
        ─────────────────────────────────
         2024-01            –          –
         2024-02 *    90.00 %   120.00 %
         2024-03 *   100.00 %   100.00 %
         trend             ▁█         █▁
        ─────────────────────────────────
         * still open   – no denominator
    "#]]
    .assert_eq(&text(&data, &["query", "net_revenue_retention"]));

    let csv = data.run(["query", "net_revenue_retention", "--format", "csv"]).done().out;
    for row in [",EUR,0.9,9000,10000,ratio,", ",JPY,1.2,12000,10000,ratio,"] {
        assert!(csv.contains(row), "{csv}");
    }
}

#[test]
fn accounts_are_a_list_that_says_how_many_there_are() {
    expect_test::expect![[r#"
         Account value in EUR so far, by account
        ───────────────────────────
         account     account value
        ───────────────────────────
         account-1    1,234,567.89
         account-3           40.50
        ───────────────────────────
         2 of 3 accounts, greatest first
    "#]]
    .assert_eq(&text(&shop(""), &["query", "account_value", "--sort", "value", "--limit", "2"]));
}

#[test]
fn what_a_limit_leaves_out_is_said() {
    let data = shop("");
    for (arguments, says) in [
        (&["silence"] as &[&str], " 4 of 423 rows\n"),
        (&["silence", "--account", "account-1"], " 4 of 141 days\n"),
        (&["orders", "--by", "channel", "--window", "1d", "--sort", "start"], " 4 of 141 days\n"),
        (&["orders", "--by", "channel", "--window", "1d", "--sort", "value"], " 4 of 282 rows, greatest first\n"),
    ] {
        let out = text(&data, &[&["query"], arguments, &["--limit", "4"]].concat());
        assert!(out.ends_with(says), "{arguments:?}: {out}");
    }
}

#[test]
fn bars_are_drawn() {
    let data = shop("");
    let environment = [("COLUMNS", "60")];
    let chart = shown(&data, &["query", "net_revenue", "--window", "1q", "--chart"], &environment).out;
    let expected = [
        " Net revenue in EUR, by quarter (Europe/Berlin)",
        " Q1 2024   │██████████████████████████████████ 1,234,568.89",
        " Q2 2024 * │ 40.50",
        " * still open",
    ];
    assert_eq!(chart.lines().collect::<Vec<_>>(), expected, "{chart}");
    let plain = [("COLUMNS", "40"), ("LC_ALL", "C")];
    let chart = shown(&data, &["query", "net_revenue", "--window", "1q", "--chart"], &plain).out;
    assert!(chart.is_ascii() && chart.contains("|######"), "{chart}");
    data.run(["query", "orders", "--chart", "--format", "csv"]).fails(2, &["cannot be used with"]);
}

#[test]
fn tables_fit_the_terminal() {
    let data = shop("");
    for columns in ["80", "140"] {
        let environment = [("COLUMNS", columns)];
        let most: usize = columns.parse().unwrap();
        for arguments in [
            &["metrics"] as &[&str],
            &["query", "net_revenue", "--by", "channel", "--window", "1d"],
            &["query", "avg_purchase_value_net", "--window", "trailing 30d"],
            &["query", "silence"],
            &["alerts", "--history"],
        ] {
            let out = shown(&data, arguments, &environment).out;
            assert!(width(&out) <= most, "{arguments:?} at {columns}:\n{out}");
        }
    }
    let piped = text(&data, &["metrics"]);
    let line = piped.lines().find(|line| line.trim().starts_with("customer_churn_rate_rolling ")).unwrap();
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let whole = ["customer_churn_rate_rolling", "ratio", "Customer churn rate, rolling"];
    assert_eq!(cells, whole, "{piped}");
}

#[test]
fn columns_that_do_not_fit_are_counted() {
    let data = Data::new();
    let channel =
        |at: i64| order(&at.to_string(), "2024-01-01T10:00:00Z", at * 100_000, "EUR", &format!("channel-{at}"));
    let file = data.file("events.ndjson", (1..=9).map(channel).collect::<Vec<_>>().concat());
    data.import(&file, &[]).done();
    let arguments = ["query", "net_revenue", "--by", "channel"];
    let narrow = shown(&data, &arguments, &[("COLUMNS", "60")]).out;
    assert!(width(&narrow) <= 60, "{narrow}");
    assert!(
        narrow.contains("channel-9         all\n") && !narrow.contains("channel-1 "),
        "the greatest stay: {narrow}"
    );
    assert!(narrow.ends_with(" 6 other columns: use --format csv, or --where to choose\n"), "{narrow}");
    let piped = text(&data, &arguments);
    assert!(piped.contains("channel-1 ") && !piped.contains("other column"), "{piped}");
}

#[test]
fn csv_has_major_units_and_says_so_and_json_is_exact() {
    let data = shop("");
    let csv = text(&data, &["query", "net_revenue", "--window", "1q", "--format", "csv"]);
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|title| *title == name).unwrap();
    let first = |name: &str| rows[1][column(name)];
    assert_eq!((first("value"), first("currency"), first("unit")), ("1234568.89", "EUR", "EUR"));
    assert_eq!(first("start"), "2023-12-31T23:00:00Z");
    let mean = text(&data, &["query", "avg_purchase_value", "--window", "1q", "--format", "csv"]);
    assert!(mean.contains(",617284.44,123456889,2,EUR,"), "{mean}");
    let json = text(&data, &["query", "net_revenue", "--window", "1q", "--format", "json"]);
    assert!(json.contains("\"start\":\"2023-12-31T23:00:00Z\"") && json.contains("\"value\":123456889.0"), "{json}");
}

#[test]
fn alerts_are_in_the_tenants_time() {
    let data = shop("");
    let out = text(&data, &["alerts", "--account", "account-2"]);
    expect_test::expect![[r#"
        ────────────────────────────────────────────────────────────────────
         rule         account     metric    state    since, 2024      value
        ────────────────────────────────────────────────────────────────────
         silent_90d   account-2   silence   firing   10 May 12:00   90 days
        ────────────────────────────────────────────────────────────────────
         1 alert; times are in Europe/Berlin
    "#]]
    .assert_eq(&out);
    let history = text(&data, &["alerts", "--account", "account-2", "--history"]);
    assert!(history.contains(" at, 2024 ") && history.contains(" 11 May 00:00   firing   10 May 12:00 "), "{history}");
    assert!(history.ends_with(" 1 change; times are in Europe/Berlin\n"), "{history}");
    let json = text(&data, &["alerts", "--account", "account-2", "--format", "json"]);
    assert!(json.contains("\"since\":\"2024-05-10T10:00:00Z\""), "{json}");
}

#[test]
fn a_metric_that_is_not_named_or_not_known_is_suggested() {
    let data = shop("");
    data.run(["query"]).fails(2, &["error: a metric is expected: events, orders, net_revenue, "]);
    data.run(["query", "net_revenu"]).fails(2, &["did you mean net_revenue"]);
}

#[test]
fn a_configuration_that_is_named_is_read_by_every_command() {
    let data = shop("");
    let says = "shown as computed with another configuration: time_zone is UTC here, Europe/Berlin in the store";
    let data = data.config("[settings]\ntime_zone = \"UTC\"\n");
    for arguments in [&["query", "orders"] as &[&str], &["alerts"], &["metrics"]] {
        let run = data.run(arguments).done();
        assert!(run.err.contains(says), "{arguments:?}: {}", run.err);
    }
    let data = data.config("[settings]\nzone = \"UTC\"\n");
    for arguments in [
        &["query", "orders"] as &[&str],
        &["alerts"],
        &["metrics"],
        &["checkpoints", "list", "--store", "."],
        &["events"],
        &["tail", "alerts", "--once"],
        &["topics", "check"],
        &["rebuild"],
        &["demo", "--once"],
    ] {
        data.run(arguments).fails(2, &["unknown field `zone`"]);
    }
}

#[test]
fn checkpoints_are_looked_for_where_the_configuration_keeps_them() {
    let data = Data::new().config("[checkpoints]\nstore = \"/nowhere/at/all\"\n");
    data.run(["checkpoints", "list"]).fails(2, &["/nowhere/at/all: there is no directory here"]);
    let data = data.config("");
    data.run(["checkpoints", "list"]).fails(2, &["no store is named: give --store, or [checkpoints] store in the "]);
}

#[test]
fn a_command_that_reads_no_log_refuses_brokers() {
    let data = Data::new();
    data.run(["query", "orders", "--brokers", "localhost:9092"]).fails(2, &["unexpected argument '--brokers'"]);
    data.run(["tail", "alerts", "--brokers", "localhost"]).fails(2, &["\"localhost\", expected HOST:PORT"]);
}

#[test]
fn weeks_and_years_are_called_as_the_settings_say() {
    let data = shop("week_start = \"sunday\"\nfiscal_year_start = 4\n");
    for (window, labels) in [
        ("1w", [" week of 2024-01-28 ", " week of 2024-06-16 * "]),
        ("1q", [" FY2024 Q4 ", " FY2025 Q1 * "]),
        ("1y", [" FY2024 ", " FY2025 * "]),
    ] {
        let out = text(&data, &["query", "orders", "--window", window]);
        for label in labels {
            assert!(out.contains(&format!("\n{label}")), "{window}: {out}");
        }
    }
}
