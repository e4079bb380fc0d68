//! Catalogs of a user: what filters, dimensions and keys of a definition mean, and which are refused.

use std::fmt::Write as _;

use oracle::{Settings, filtered};
use processor_core::{
    catalog::{BUILT_IN, Catalog},
    plan::Plan,
};
use serde_json::Value;

use crate::{data::Data, generated, messages::WRONG, oracle::assert_true_with};

/// A metric with one measure, `c`.
fn metric(name: &str, unit: &str, by: &str, measure: &str) -> String {
    format!(
        "  - name: {name}\n    title: {name}\n    description: x\n    unit: {unit}\n    every_window: true\n    \
         windows: [1d, 1mo]\n    by: {by}\n    measures:\n      c: {measure}\n    value: c\n"
    )
}

/// A directory with the metric `events` and these.
fn catalog(metrics: &[String]) -> Data {
    let data = Data::new();
    let events = metric("events", "count", "[[]]", "{count: event}").replace("    every_window: true\n", "");
    let text = format!("meaningful: [order, usage.recorded]\nmetrics:\n{events}{}", metrics.concat());
    let catalog = data.file("catalog.yaml", text);
    data.config(&format!("[settings]\ncatalog = \"{}\"\n", catalog.display()))
}

/// One event; `data` is JSON.
fn event(kind: &str, id: &str, day: &str, account: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","type":"{kind}","time":"{day}T00:00:00Z","account":"{account}","data":{data}}}"#
    ) + "\n"
}

/// An order with more fields, such as `"channel":"web"`.
fn order(id: &str, day: &str, account: &str, gross: u32, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    event(
        "order.completed",
        id,
        day,
        account,
        &format!(r#"{{"order":"{id}","gross":{gross},"currency":"USD"{comma}{more}}}"#),
    )
}

fn traits(id: &str, day: &str, account: &str, traits: &str) -> String {
    event("account.updated", id, day, account, &format!(r#"{{"traits":{traits}}}"#))
}

fn import(data: &Data, events: &str, until: &str) {
    let file = data.file("events.ndjson", events);
    data.import(&file, &["--until", until]).done();
}

/// Rows of a query: month, values of the dimensions, value, num/den; those with value 0 left out.
fn rows(data: &Data, arguments: &[&str]) -> Vec<String> {
    let out = data.run([&["query", "--window", "1mo", "--format", "json"], arguments].concat()).done().out;
    let mut rows = Vec::new();
    for line in out.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut text = row["window"]["start"].as_str().unwrap()[..7].to_owned();
        for value in row["dimensions"].as_object().unwrap().values() {
            write!(text, " {:?}", value.as_str().unwrap()).unwrap();
        }
        write!(text, " {}", row["value"].as_f64().map_or("null".to_owned(), |value| value.to_string())).unwrap();
        if !row["num"].is_null() {
            write!(text, " = {}/{}", row["num"], row["den"]).unwrap();
        }
        if row["value"].as_f64() != Some(0.0) {
            rows.push(text);
        }
    }
    rows
}

#[test]
fn a_level_of_some_customers_follows_their_traits() {
    let level = |name: &str, filter: &str| {
        metric(name, "count", "[[], [region]]", &format!("{{level: customer, where: '{filter}'}}"))
    };
    let data = catalog(&[
        level("pro_customers", "traits.plan == \"pro\""),
        level("pro_customers_in_short", "plan == \"pro\""),
        level("others", "plan != \"pro\""),
        level("real_customers", "!traits.test"),
        level("big_customers", "traits.custom.seats >= 10"),
        metric("all", "count", "[[], [plan]]", "{level: customer}"),
    ]);
    let events = [
        traits("t", "2024-01-01", "t", r#"{"plan":"pro","custom":{"seats":12}}"#),
        order("o1", "2024-01-05", "a", 1000, ""),
        order("o2", "2024-01-05", "t", 99, ""),
        order("o3", "2024-01-06", "b", 99, ""),
        traits("t2", "2024-02-03", "a", r#"{"plan":"pro","test":true,"region":"eu","custom":{"seats":9.5}}"#),
        traits("t3", "2024-03-03", "t", r#"{"plan":"free","test":false,"custom":{"seats":"100"}}"#),
        traits("t4", "2024-04-01", "a", r#"{"test":null}"#),
    ];
    import(&data, &events.concat(), "2024-04-02");
    let months = |name: &str| rows(&data, &[name]);
    let pro = ["2024-01 1", "2024-02 2", "2024-03 1"];
    // Lost on 2024-04-04: not yet.
    assert_eq!(months("pro_customers"), [&pro[..], &["2024-04 1"]].concat());
    assert_eq!(months("pro_customers"), months("pro_customers_in_short"));
    assert_eq!(months("others"), ["2024-01 2", "2024-02 1", "2024-03 2", "2024-04 2"]);
    assert_eq!(months("real_customers"), ["2024-01 3", "2024-02 2", "2024-03 2", "2024-04 3"]);
    assert_eq!(months("big_customers"), ["2024-01 1", "2024-02 1", "2024-03 1", "2024-04 1"]);
    assert_eq!(rows(&data, &["pro_customers", "--by", "region"])[..2], ["2024-01 \"\" 1", "2024-02 \"\" 1"]);
    assert_eq!(rows(&data, &["pro_customers", "--by", "traits.region", "--where", "traits.region=eu"]).len(), 3);
    // The filtered level is the row of its dimension.
    let by_plan = rows(&data, &["all", "--by", "plan", "--where", "plan=pro"]);
    assert_eq!(by_plan, months("pro_customers").iter().map(|row| row.replace(' ', " \"pro\" ")).collect::<Vec<_>>());
}

#[test]
fn test_accounts_are_left_out_of_churn_and_engagement() {
    let two = |name: &str, measures: &str, value: &str| {
        metric(name, "ratio", "[[]]", "").replace("      c: \n    value: c", &format!("{measures}    value: {value}"))
    };
    let churn = "      lost: {cohort: customer, then: lost, where: '!traits.test'}\n      \
                 start: {level: customer, at: start, where: '!traits.test'}\n";
    let engaged = "      on: {distinct: meaningful, among: customer, where: '!traits.test && !data.custom.bot'}\n      \
                   all: {level: customer, where: '!traits.test'}\n";
    let data = catalog(&[
        two("churn", churn, "lost / start"),
        two("engagement", engaged, "on / all"),
        metric(
            "web_buyers",
            "count",
            "[[]]",
            "{distinct: order, where: 'data.channel == \"web\" && !data.custom.bot'}",
        ),
        metric("refunded_accounts", "count", "[[]]", "{distinct: refund}"),
        metric("new_accounts", "count", "[[]]", "{distinct: customer_started, where: '!traits.test'}"),
        metric("lost_accounts", "count", "[[]]", "{distinct: customer_lost, where: '!traits.test'}"),
        metric("cancellations", "count", "[[]]", "{count: order.cancelled}"),
    ]);
    let usage = |id: &str, day: &str, account: &str, custom: &str| {
        event("usage.recorded", id, day, account, &format!(r#"{{"custom":{custom}}}"#))
    };
    let refund = |id: &str, day: &str, account: &str, order: &str| {
        event("payment.refunded", id, day, account, &format!(r#"{{"order":"{order}","amount":5,"currency":"USD"}}"#))
    };
    let events = [
        traits("t", "2024-01-01", "t", r#"{"test":true}"#),
        order("o1", "2024-01-05", "a", 100, r#""channel":"web""#),
        order("o2", "2024-01-05", "b", 100, r#""channel":"web","custom":{"bot":true}"#),
        order("o3", "2024-01-05", "t", 100, r#""channel":"shop""#),
        order("o4", "2024-02-20", "a", 100, r#""channel":"web""#),
        refund("r1", "2024-02-21", "a", "o4"),
        refund("r2", "2024-02-22", "a", "o1"),
        usage("u1", "2024-02-25", "b", r#"{"bot":true}"#),
        usage("u2", "2024-02-26", "t", "{}"),
        order("o5", "2024-03-01", "c", 100, ""),
        event("order.cancelled", "x", "2024-03-02", "c", r#"{"order":"o5"}"#),
    ];
    import(&data, &events.concat(), "2024-05-02");
    // Lost on 04-04: b, and the test account; a only on 05-20.
    let churn = rows(&data, &["churn"]);
    assert!(churn.contains(&"2024-04 0.5 = 1/2".to_owned()), "{churn:?}");
    assert_eq!(rows(&data, &["engagement"])[..2], ["2024-01 0.5 = 1/2", "2024-02 0.5 = 1/2"]);
    assert_eq!(rows(&data, &["web_buyers"]), ["2024-01 1", "2024-02 1"]);
    assert_eq!(rows(&data, &["refunded_accounts"]), ["2024-02 1"]);
    assert_eq!(rows(&data, &["new_accounts"]), ["2024-01 2"]);
    assert_eq!(rows(&data, &["lost_accounts"]), ["2024-04 1"]);
    assert_eq!(rows(&data, &["cancellations"]), ["2024-03 1"]);
}

#[test]
fn values_that_look_alike_are_kept_apart_and_absent_is_empty() {
    let by = "[[], [channel]]";
    let revenue = metric("net_revenue", "money", by, "{sum: order, of: net}").replace("    every_window: true\n", "");
    let data = catalog(&[revenue, metric("orders", "count", "[[data.channel]]", "{count: order}")]);
    let channels = [
        Some(""),
        None,
        Some(" "),
        Some("Web"),
        Some("web"),
        Some("cafe\u{301}"),
        Some("caf\u{e9}"),
        Some("a=b,c\\\"d"),
    ];
    let mut events = String::new();
    for (place, channel) in (0_u32..).zip(channels) {
        let more = channel.map(|channel| format!(r#""channel":"{channel}""#)).unwrap_or_default();
        events += &order(&format!("o{place}"), "2024-01-05", &format!("a{place}"), 100 << place, &more);
    }
    import(&data, &events, "2024-02-01");
    let shown = rows(&data, &["net_revenue", "--by", "channel"]);
    let january: Vec<_> = shown.iter().filter(|row| row.starts_with("2024-01")).map(String::as_str).collect();
    let expected = [
        "2024-01 \"\" 300",
        "2024-01 \" \" 400",
        "2024-01 \"Web\" 800",
        "2024-01 \"a=b,c\\\"d\" 12800",
        "2024-01 \"web\" 1600",
        "2024-01 \"cafe\u{301}\" 3200",
        "2024-01 \"caf\u{e9}\" 6400",
    ];
    assert_eq!(january.len(), expected.len(), "{january:?}");
    // `{:?}` escapes the combining accent.
    let shown: Vec<String> = january.iter().map(|row| row.replace("\\u{301}", "\u{301}")).collect();
    expected.iter().for_each(|row| assert!(shown.iter().any(|found| found == row), "{row} is not in {shown:?}"));
    assert_eq!(rows(&data, &["net_revenue"]), ["2024-01 25500"]);
    for spelling in ["channel", "data.channel"] {
        let filter = format!("{spelling}=a=b,c\"d");
        let one = rows(&data, &["net_revenue", "--by", spelling, "--where", &filter]);
        assert_eq!(one, ["2024-01 \"a=b,c\\\"d\" 12800"]);
        // A group that only orders have is there from its first order on.
        assert_eq!(rows(&data, &["orders", "--by", spelling, "--where", &filter]), ["2024-01 \"a=b,c\\\"d\" 1"]);
    }
}

#[test]
fn numbers_and_flags_are_values_of_dimensions() {
    let by = "[[], [custom.store], [data.custom.price], [custom.gift], [traits.custom.seats], [traits.vip]]";
    let data = catalog(&[
        metric("orders", "count", by, "{count: order}").replace("    every_window: true\n", ""),
        metric("store_12", "count", "[[]]", "{count: order, where: data.custom.store == 12}"),
        metric("text_12", "count", "[[]]", "{count: order, where: 'custom.store == \"12\"'}"),
        metric("net", "money", "[[custom.store]]", "").replace(
            "      c: \n    value: c",
            "      c: {sum: order, of: net}\n      r: {sum: refund, of: amount}\n    value: c - r",
        ),
    ]);
    let events = [
        traits("t1", "2024-01-01", "a", r#"{"vip":true,"custom":{"seats":12}}"#),
        traits("t2", "2024-01-01", "b", r#"{"vip":"true","custom":{"seats":12.0}}"#),
        traits("t3", "2024-01-01", "c", r#"{"vip":false,"custom":{"seats":"12"}}"#),
        order("o1", "2024-01-05", "a", 1000, r#""custom":{"store":12,"price":1.5,"gift":true}"#),
        order("o2", "2024-01-05", "b", 10, r#""custom":{"store":13,"price":2.5,"gift":false}"#),
        order("o3", "2024-01-05", "c", 10, r#""custom":{"store":12.0,"price":1.50,"gift":"true"}"#),
        order("o4", "2024-01-05", "d", 10, r#""custom":{"store":"12","price":null}"#),
        event("payment.refunded", "r", "2024-01-06", "b", r#"{"order":"o2","amount":4,"currency":"USD"}"#),
    ];
    import(&data, &events.concat(), "2024-01-31");
    let by = |name: &str| rows(&data, &["orders", "--by", name]);
    assert_eq!(by("custom.store"), ["2024-01 \"12\" 3", "2024-01 \"13\" 1"]);
    assert_eq!(by("data.custom.store"), by("custom.store"));
    assert_eq!(by("custom.price"), ["2024-01 \"\" 1", "2024-01 \"1.5\" 2", "2024-01 \"2.5\" 1"]);
    assert_eq!(by("custom.gift"), ["2024-01 \"\" 1", "2024-01 \"false\" 1", "2024-01 \"true\" 2"]);
    assert_eq!(by("traits.custom.seats"), ["2024-01 \"\" 1", "2024-01 \"12\" 3"]);
    assert_eq!(by("vip"), ["2024-01 \"\" 1", "2024-01 \"false\" 1", "2024-01 \"true\" 2"]);
    assert_eq!(
        (rows(&data, &["store_12"]), rows(&data, &["text_12"])),
        (vec!["2024-01 3".to_owned()], vec!["2024-01 3".to_owned()])
    );
    // A refund has the custom fields of its order.
    assert_eq!(rows(&data, &["net", "--by", "custom.store"]), ["2024-01 \"12\" 1020", "2024-01 \"13\" 6"]);
    let run = data.run(["query", "orders", "--window", "1mo", "--by", "store"]);
    run.fails(WRONG, &["is not kept by \"store\"; it is kept by nothing, custom.store, custom.price, custom.gift"]);
}

#[test]
fn an_order_without_the_flag_is_no_test_order() {
    let orders =
        |name: &str, filter: &str| metric(name, "count", "[[]]", &format!("{{count: order, where: '{filter}'}}"));
    let data = catalog(&[
        orders("orders", "!data.custom.test"),
        orders("unequal", "data.custom.test != true"),
        orders("compared", "!(data.custom.test == true)"),
        orders("flagged", "data.custom.test"),
        orders("said_not", "data.custom.test == false"),
        orders("missing", "data.custom.test == null"),
        orders("has", "has(data.custom.test)"),
        metric("net", "money", "[[]]", "").replace(
            "      c: \n    value: c",
            "      c: {sum: order, of: net, where: '!data.custom.test'}\n      \
             r: {sum: refund, of: amount, where: '!data.custom.test'}\n    value: c - r",
        ),
    ]);
    let events = [
        order("o1", "2024-01-05", "a", 1000, ""),
        order("o2", "2024-01-05", "t", 99, r#""custom":{"test":true}"#),
        order("o3", "2024-01-06", "b", 10, r#""custom":{"test":false}"#),
        event("payment.refunded", "r", "2024-01-07", "t", r#"{"order":"o2","amount":99,"currency":"USD"}"#),
    ];
    import(&data, &events.concat(), "2024-01-31");
    for (name, count) in
        [("orders", 2), ("unequal", 2), ("compared", 2), ("flagged", 1), ("said_not", 1), ("missing", 1), ("has", 2)]
    {
        assert_eq!(rows(&data, &[name]), [format!("2024-01 {count}")], "{name}");
    }
    assert_eq!(rows(&data, &["net"]), ["2024-01 1010"]);
}

#[test]
fn what_means_nothing_is_refused_where_it_stands() {
    for (by, measure, error) in [
        (
            "[[]]",
            "{level: customer, where: 'nonsense == 1'}",
            ":20:35: there is no field `nonsense` here; there are traits.NAME, traits.custom.NAME",
        ),
        ("[[]]", "{count: order, at: start}", ":20:29: `at` means nothing for a count; it belongs to `level`"),
        (
            "[[]]",
            "{count: order.complete}",
            ":20:18: there is no event type `order.complete`; did you mean `order.completed`?",
        ),
        ("[[plann]]", "{count: order}", ":18:11: there is no dimension `plann`; did you mean `plan`?"),
        ("[[channel]]", "{count: usage.recorded}", ":18:11: `channel` is a dimension of order, refund, "),
    ] {
        let data = catalog(&[metric("wrong", "count", by, measure)]);
        let file = data.file("events.ndjson", order("o", "2024-01-05", "a", 1, ""));
        data.import(&file, &[]).fails(WRONG, &[error]);
        assert!(!data.path().exists(), "nothing was made");
    }
}

#[test]
fn measures_of_some_accounts_agree_with_the_oracle() {
    let data = Data::new();
    let catalog = data.file("catalog.yaml", format!("{BUILT_IN}{}", filtered::CATALOG));
    let data = data.config(&format!("[settings]\ncatalog = \"{}\"\n", catalog.display()));
    let file = data.file("events.ndjson", generated::events(11, 3_000, 90, 400));
    data.import(&file, &["--order", "file"]).done();
    let settings = Settings { filtered: true, ..Settings::default() };
    let equal = assert_true_with(&data, &settings, "filtered");
    assert!(equal > 30_000, "only {equal} rows were compared");
}

/// Every example of the reference loads, all of them in one catalog.
#[test]
fn the_examples_of_the_reference_are_a_catalog() {
    let reference = std::fs::read_to_string("docs/catalog.md").unwrap();
    let examples: Vec<&str> =
        reference.split("```yaml\nmetrics:\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    let text = format!("meaningful: [order, usage.recorded]\nmetrics:\n{}", examples.concat());
    let parsed = Catalog::parse(&text).unwrap();
    let plan = Plan::lower(&parsed, &processor_core::settings::Settings::default())
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(plan.metrics.len(), 5);
}
