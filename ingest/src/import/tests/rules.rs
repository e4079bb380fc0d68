//! Rules of a mapping: conditions, several events a row, groups of rows, expressions, JSON; and what becomes no event.

use super::*;

/// What a file comes to with a mapping.
pub(super) struct Outcome {
    /// Events as `ID TYPE ACCOUNT DATA`, in the order of their ids.
    pub(super) events: Vec<String>,
    pub(super) summary: Summary,
}

pub(super) fn map(file: &str, text: &str, mapping: &str) -> Outcome {
    map_to(file, text, mapping, None)
}

fn map_to(file: &str, text: &str, mapping: &str, rejects: Option<PathBuf>) -> Outcome {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), file, text.as_bytes());
    let path = folder.path().join("mapping.yaml");
    std::fs::write(&path, mapping).expect("mapping");
    (options.mapping, options.rejects) = (Some(path), rejects);
    let log = Memory::new(1);
    let summary = quiet(&options, &log).expect("import");
    let print = |event: &Event| {
        let printed: serde_json::Value = serde_json::from_str(&crate::cloudevents::render(event, None)).expect("JSON");
        let text = |key: &str| printed[key].as_str().unwrap_or("nobody").to_owned();
        format!("{} {} {} {}", text("id"), text("type"), text("account"), printed["data"]).replace('"', "")
    };
    let mut events: Vec<String> = log.events().iter().map(print).collect();
    events.sort();
    assert_eq!(summary.events, u64::try_from(events.len()).expect("few"));
    let left_out: u64 = summary.left_out.values().sum();
    assert_eq!(summary.read, summary.accepted + summary.rejected + left_out, "no line vanishes");
    Outcome { events, summary }
}

/// The first reason of each kind, in the order of lines.
fn reasons(outcome: &Outcome) -> Vec<String> {
    let kinds = outcome.summary.reasons.by_count();
    let mut first: Vec<_> = kinds.iter().map(|reason| (reason.first.line, &reason.first.reason)).collect();
    first.sort_by_key(|(line, _)| *line);
    first.iter().map(|(line, reason)| format!("{line} {reason}")).collect()
}

pub(super) fn left_out(outcome: &Outcome) -> Vec<(&str, u64)> {
    outcome.summary.left_out.iter().map(|(name, count)| (name.as_str(), *count)).collect()
}

const SHOP: &str = "name: shop\naccount: customer\ntime: {column: date, format: \"%Y-%m-%d\"}\ncurrency: EUR\n";

#[test]
fn the_rows_of_an_order_become_its_lines_wherever_they_stand() {
    let mapping = format!(
        "{SHOP}group: [order]\ntype: order.completed\ndata:\n  channel: {{column: way}}\nlines:\n  product: product\n  \
         amount: {{column: amount, as: major}}\n"
    );
    let rows = "order,date,customer,product,amount,way\nA1,2024-01-05,c1,desk,100.00,\nA2,2024-01-06,c2,lamp,20.00,\n\
                A1,,,lamp,20.00,web\nA1,2024-01-05,c1,chair,30.00,\nA2,2024-01-06,c2,desk,100.00,shop\n";
    let found = map("orders.csv", rows, &mapping);
    let line = |product: &str, amount: u32| format!("{{amount:{amount},product:{product},quantity:1}}");
    let order = |id: &str, account: &str, way: &str, gross: u32, lines: &[String]| {
        let lines = lines.join(",");
        format!(
            "{id} order.completed {account} {{channel:{way},currency:EUR,discount:0,gross:{gross},lines:[{lines}],order:{id}}}"
        )
    };
    let of_first = [line("desk", 10_000), line("lamp", 2_000), line("chair", 3_000)];
    let of_second = [line("lamp", 2_000), line("desk", 10_000)];
    assert_eq!(
        found.events,
        [order("A1", "c1", "web", 15_000, &of_first), order("A2", "c2", "shop", 12_000, &of_second)]
    );
    assert_eq!((found.summary.read, found.summary.accepted), (5, 5));

    // Without lines, a sum; what is rounded is rounded in each row.
    let mapping = format!(
        "{SHOP}numbers: {{round: half_even}}\ngroup: [order]\ntype: order.completed\ndata:\n  gross: {{column: amount, as: \
         major, gather: sum}}\n  channel: {{column: way, gather: last}}\n"
    );
    let found = map("orders.csv", &rows.replace("20.00", "0.005").replace("30.00", "0.015"), &mapping);
    let gross =
        |event: &String| event.split_once("gross:").expect("gross").1.split(',').next().expect("gross").to_owned();
    assert_eq!(found.events.iter().map(gross).collect::<Vec<_>>(), ["10002", "10000"]);
}

#[test]
fn a_group_is_refused_as_a_whole_and_imports_again() {
    let mapping =
        format!("{SHOP}group: [order]\ntype: order.completed\nlines:\n  amount: {{column: amount, as: major}}\n");
    let rows = "order,date,customer,amount\nA1,2024-01-05,c1,1.00\nA2,2024-01-05,c2,2.00\n,2024-01-05,c2,2.00\nA1,2024-01-05,c1,much\n";
    let folder = tempfile::tempdir().expect("folder");
    let rejects = folder.path().join("rejects.csv");
    let found = map_to("orders.csv", rows, &mapping, Some(rejects.clone()));
    assert_eq!(found.events.len(), 1);
    assert_eq!(
        reasons(&found),
        [
            "2 column amount: is much, expected an amount with at most 2 decimal places (the rows of its group begin on line 2)",
            "4 column order: is empty, expected what the rows of one group share",
        ]
    );
    let again = std::fs::read_to_string(rejects).expect("rejects").replace("much", "3.00").replace("\n,", "\nA3,");
    let found = map("orders.csv", &again, &mapping);
    assert_eq!((found.events.len(), found.summary.accepted, found.summary.rejected), (2, 3, 0));
}

#[test]
fn conditions_choose_rows_and_what_they_leave_out_is_counted_by_name() {
    let mapping = format!(
        "{SHOP}id: order\nleave_out:\n  - {{name: test orders, when: row.customer.startsWith(\"test\")}}\ntype: \
         order.completed\nwhen: row.status == \"Completed\"\ndata:\n  gross: {{column: amount, as: major}}\n"
    );
    let rows = "order,date,customer,amount,status\nA1,2024-01-05,c1,100.00,Completed\nA2,2024-01-06,c2,50.00,Cancelled\n\
                A3,2024-01-06,test1,much,Completed\nA4,2024-01-06,c4,,Completed\n";
    let found = map("orders.csv", rows, &mapping);
    assert_eq!(found.events, ["A1 order.completed c1 {currency:EUR,discount:0,gross:10000,order:A1}"]);
    assert_eq!(left_out(&found), [("no event fits", 1), ("test orders", 1)]);
    let expected = "5 data.gross: is missing, expected a whole number from -1000000000000000 to 1000000000000000 (minor units) (order.completed needs it) (column amount is empty)";
    assert_eq!(reasons(&found), [expected]);
}

#[test]
fn a_row_becomes_several_events_or_none() {
    let mapping = "name: stripe\naccount: Customer ID\nid: id\ntime: {column: Created, format: \"%Y-%m-%d\"}\n\
                   currency: {column: Currency}\nevents:\n  - type: order.completed\n    when: row.Status == \"Paid\"\n    \
                   data: {gross: {column: Amount, as: major}}\n  - name: refund\n    type: payment.refunded\n    when: \
                   row.Status == \"Paid\" && row[\"Amount Refunded\"] > 0\n    data: {order: id, amount: {column: Amount \
                   Refunded, as: major}}\n";
    let rows = "id,Created,Amount,Amount Refunded,Currency,Status,Customer ID\npi_1,2024-01-31,20.00,5.00,usd,Paid,cus_1\n\
                pi_2,2024-01-31,10.00,0.00,usd,Failed,cus_2\npi_3,2024-01-31,10.00,,jpy,Paid,\n\
                pi_4,2024-01-31,10.00,none,usd,Paid,cus_4\n,2024-01-31,1.00,0,usd,Paid,cus_5\n";
    let found = map("payments.csv", rows, mapping);
    assert_eq!(
        found.events,
        [
            "pi_1/order.completed order.completed cus_1 {currency:USD,discount:0,gross:2000,order:pi_1}",
            "pi_1/refund payment.refunded cus_1 {amount:500,currency:USD,order:pi_1,refund:pi_1/refund}",
            "pi_3/order.completed order.completed nobody {currency:JPY,discount:0,gross:10,order:pi_3}",
        ]
    );
    assert_eq!((left_out(&found), found.summary.accepted), (vec![("no event fits", 1)], 2));
    let reason =
        "5 cel row.Status == \"Paid\" && row[\"Amount Refunded\"] > 0: none is no number, which is expected there";
    let no_id = "6 id: is empty, expected at least one character (column id)";
    assert_eq!(reasons(&found), [reason, no_id], "no event of these rows");
}

#[test]
fn values_are_expressions_tables_and_defaults() {
    let mapping = "name: shop\ntables:\n  ways: {W: web, P: phone, X: null}\ntype: order.completed\naccount: {cel: \
                   'nfc(lower(row.mail)).trim()', default: walk-in}\nid: {cel: 'row.shop + \"-\" + text(row.number)'}\n\
                   time: {cel: 'row.day + \" \" + default(row.hour, \"00:00\")', format: \"%Y-%m-%d %H:%M\"}\n\
                   currency: {column: money, table: {\"€\": EUR}, default: USD}\nnumbers: {decimal: \",\"}\ndata:\n  \
                   gross: {cel: 'row.price * row.count', as: major}\n  discount: {cel: 'row.money == \"UGX\" ? \
                   row.off / 100 : row.off', as: minor}\n  channel: {column: way, table: ways}\n  custom.vip: {cel: \
                   'row.count >= 10', as: flag}\n  custom.note: {cel: 'default(row.note, \"none\").upper()'}\n";
    let rows = "shop;number;mail;day;hour;money;price;count;off;way;note\n\
                b;1; A\u{308}nn@X.org ;2024-01-05;10:30;€;2,50;12;5;W;\nb;2;;2024-01-05;;UGX;100;2;500;P;hi\n\
                b;3;c;2024-01-05;;;1;1;0;X;\n";
    let found = map("orders.csv", rows, &format!("delimiter: \";\"\n{mapping}"));
    assert_eq!(
        found.events,
        [
            "b-1 order.completed \u{e4}nn@x.org {channel:web,currency:EUR,custom:{note:NONE,vip:true},discount:5,gross:3000,order:b-1}",
            "b-2 order.completed walk-in {channel:phone,currency:UGX,custom:{note:HI,vip:false},discount:5,gross:200,order:b-2}",
            "b-3 order.completed c {currency:USD,custom:{note:NONE,vip:false},discount:0,gross:100,order:b-3}",
        ]
    );
}

#[test]
fn traits_are_events_once_a_change() {
    let mapping = format!(
        "{SHOP}events:\n  - {{type: order.completed, data: {{gross: {{column: amount, as: major}}}}}}\n  - {{type: \
         account.updated, name: plan, when: row.plan != \"\", data: {{traits.plan: plan}}}}\n"
    );
    let rows = "date,customer,amount,plan\n2024-01-07,c1,3.00,pro\n2024-01-05,c1,1.00,free\n2024-01-06,c1,2.00,free\n\
                2024-01-06,c2,2.00,free\n2024-01-06,c2,2.00,free\n2024-01-08,c1,4.00,\n2024-01-09,c1,5.00,free\n";
    let found = map("orders.csv", rows, &mapping);
    let traits: Vec<_> = found
        .events
        .iter()
        .filter(|event| event.contains("account.updated"))
        .map(|event| event.split('\u{1f}').next().expect("day").to_owned() + &event[event.find("c").unwrap()..][..2])
        .collect();
    assert_eq!(traits, ["2024-01-05c1", "2024-01-06c2", "2024-01-07c1", "2024-01-09c1"]);
    assert_eq!((found.summary.accepted, found.summary.events, found.summary.unchanged), (7, 11, 2));
    assert!(found.events.iter().any(|event| event.contains("/order.completed#2")), "equal rows are numbered");
}

#[test]
fn json_is_mapped_by_the_same_rules() {
    let mapping = "name: web\nformat: json\nrecords: orders\naccount: customer.id\ntime: {column: created_at}\ncurrency: \
                   {column: money}\nid: id\nevents:\n  - type: order.completed\n    data: {channel: source_name, custom: \
                   extra}\n    lines: {each: line_items, product: {item: sku}, quantity: {item: quantity, as: integer}, \
                   amount: {cel: 'number(item.price) * item.quantity', as: major}}\n  - type: payment.refunded\n    each: \
                   refunds\n    id: {item: id}\n    time: {item: at}\n    data: {order: id, amount: {item: amount, as: \
                   major}}\n";
    let order = "{\"id\":17,\"customer\":{\"id\":\"c1\"},\"created_at\":\"2024-01-05T10:00:00Z\",\"money\":\"eur\",\
                 \"source_name\":null,\"extra\":{\"a\":1,\"b\":[true]},\"line_items\":[{\"sku\":\"desk\",\"quantity\":2,\
                 \"price\":\"10.50\"},{\"sku\":\"lamp\",\"quantity\":1,\"price\":3}],\"refunds\":[{\"id\":\"r1\",\"at\":\
                 \"2024-01-06T10:00:00Z\",\"amount\":0.5}]}";
    let expected = [
        "17/order.completed order.completed c1 {currency:EUR,custom:{a:1,b:[true]},discount:0,gross:2400,lines:[{amount:2100,\
         product:desk,quantity:2},{amount:300,product:lamp,quantity:1}],order:17}",
        "r1 payment.refunded c1 {amount:50,currency:EUR,order:17,refund:r1}",
    ];
    for text in [order.to_owned(), format!("[{order}]"), format!("{{\"orders\":[{order}]}}")] {
        let found = map("orders.json", &text, mapping);
        assert_eq!((&found.events[..], reasons(&found)), (&expected.map(str::to_owned)[..], Vec::new()), "{text}");
    }
    let found = map("orders.json", &format!("{order}\nno JSON\n{{\"id\":\"18\"}}\n"), mapping);
    assert_eq!(found.events, expected);
    assert_eq!(
        reasons(&found),
        [
            "2 is no JSON object, expected {\"...\": ...}",
            "3 time: field created_at: is empty, expected RFC 3339 like 2026-01-31T09:30:00Z, or a format in the mapping: \
             time: {column: ..., format: \"%d.%m.%Y\"}",
        ]
    );
}

#[test]
fn mistakes_of_rules_are_told_when_the_mapping_is_read() {
    let load = |text: &str| {
        let found = Mapping::parse("m.yaml", text, &TimeZone::UTC, UnknownTypes::default());
        found.expect_err(text).to_string().replace("mapping m.yaml: ", "")
    };
    let gross = "data: {gross: {column: g, as: major}}\n";
    let one = format!("{SHOP}type: order.completed\n{gross}");
    for (text, expected) in [
        (
            format!("{one}when: row.a ==\n"),
            "line 7, column 7: in the expression row.a ==>>: the expression ends too early; ",
        ),
        (
            format!("{one}when: row.a.b == \"\"\n"),
            "in the expression >>row.a.b == \"\": a cell has no parts; a column of this name is row[\"a.b\"]",
        ),
        (
            format!("{one}when: status == \"paid\"\n"),
            "there is no `status`; a field of the row is row.status or row[\"status\"]",
        ),
        (format!("{one}when: item.a == \"\"\n"), "there is no item here: what has `each` has one"),
        (format!("{one}each: items\n"), "each is of lists in JSON (format: json); rows are gathered by group"),
        (
            format!("{one}events: [{{type: order.completed}}]\n"),
            "type: is there beside events, expected it in one of them",
        ),
        (SHOP.to_owned(), "type: is missing, expected the type of the events, or events with several of them"),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: {{column: g, gather: sum}}}}\n"),
            "gather is of the rows of a group, expected group: [COLUMN] in the mapping",
        ),
        (
            format!("{SHOP}group: [o]\ntype: order.completed\ndata: {{gross: {{column: g, gather: sum}}}}\n"),
            "gather: sum adds whole numbers and money, expected as: integer, major or minor",
        ),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: {{column: g, table: t}}}}\n"),
            "no table t in tables, there are ",
        ),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: total}}\n"),
            "data.gross is money, expected as: major or as: minor",
        ),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: {{cel: row.total}}}}\n"),
            "data.gross is money, expected as: major or as: minor",
        ),
        (
            one.replace("time: {column: date, format: \"%Y-%m-%d\"}", "time: date"),
            "line 3, column 7: expected an object such as {column: NAME}",
        ),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: {{as: major}}}}\n"),
            "expected one of column, item and cel",
        ),
        (
            format!("{SHOP}type: order.completed\ndata: {{gross: {{colum: g}}}}\n"),
            "unknown field `colum`; there are column, item, cel, each, as, format, table, default, gather",
        ),
        (
            format!(
                "{SHOP}events:\n  - type: ticket.opened\n    data: {{ticket: a}}\n  - type: ticket.opened\n    data: {{ticket: a}}\n"
            ),
            "events: ticket.opened is there twice, expected a name of its own for each",
        ),
        (
            format!("{SHOP}type: ticket.opened\ndata: {{channel: a}}\n"),
            "ticket.opened needs data.ticket, which nothing is mapped to",
        ),
        (
            format!("{SHOP}type: ticket.opened\nlines: {{amount: a}}\n"),
            "lines: ticket.opened has none, expected order.completed",
        ),
        (
            "name: a\ntype: ticket.opened\ntime: {column: t}\ndata: {ticket: a}\n".to_owned(),
            "ticket.opened needs an account, expected account: COLUMN",
        ),
        (
            format!("{SHOP}format: json\ndelimiter: \";\"\ntype: ticket.opened\ndata: {{ticket: a}}\n"),
            "delimiter: is about rows, and format is json",
        ),
        (format!("{one}records: a\n"), "records is a list in JSON, expected format: json"),
    ] {
        let found = load(&text);
        assert!(found.contains(expected), "expected {expected}\n   found {found}");
    }
}
