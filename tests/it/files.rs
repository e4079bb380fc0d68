//! Files as other systems write them, through the command line: the right numbers, and nothing left out without a word.

use crate::data::Data;

/// A mapping of orders with these keys before the rest.
fn mapping(keys: &str) -> String {
    format!(
        "name: shop\n{keys}type: order.completed\naccount: customer\nid: order\ncurrency: EUR\ndata:\n  \
         gross: {{column: amount, as: major}}\n"
    )
}

const DATE: &str = "time: {column: date, format: \"%Y-%m-%d\"}\n";

/// Orders and net revenue of 2024 that a file comes to, in EUR.
fn year(bytes: &[u8], keys: &str) -> [String; 2] {
    let data = Data::new();
    let (file, mapping) = (data.file("orders.csv", bytes), data.file("orders.yaml", mapping(keys)));
    data.import(&file, &["--mapping", mapping.to_str().unwrap()]).done().says(&[" 0 rejected"]);
    ["orders", "net_revenue"].map(|metric| {
        let answer = data.run(["query", metric, "--window", "1y", "--format", "csv"]).done().out;
        let row = answer.lines().find(|line| line.contains(",2024-01-01T00:00:00Z,")).unwrap_or_default();
        let header: Vec<&str> = answer.lines().next().unwrap().split(',').collect();
        let place = header.iter().position(|name| *name == "value").unwrap();
        row.split(',').nth(place).unwrap_or_default().to_owned()
    })
}

#[test]
fn exports_come_to_the_numbers_that_a_person_adds_up() {
    let header = "order;date;customer;amount";
    for (what, bytes, keys, expected) in [
        (
            "a line break in a quoted cell",
            b"order,date,customer,amount,note\nA1,2024-01-05,c1,10.00,\"Main St 1\n2nd floor\"\nA2,2024-01-06,c2,20.00,x\n"
                .to_vec(),
            DATE.to_owned(),
            ["2", "30.00"],
        ),
        (
            "a line that names the delimiter",
            format!("sep=;\n{header}\nA1;2024-01-05;c1;10.00\n").into(),
            DATE.to_owned(),
            ["1", "10.00"],
        ),
        (
            "titles, an encoding, decimal commas, a delimiter at the end of rows, words for nothing",
            format!("Bestellungen\n\n{header}\nA1;2024-01-05;M?ller;1.234,56 EUR;\nA2;2024-01-06;-;20,00;\n")
                .bytes()
                .map(|byte| if byte == b'?' { 0xfc } else { byte })
                .collect(),
            format!(
                "encoding: iso-8859-1\nskip: 2\ndelimiter: \";\"\nnumbers: {{decimal: \",\"}}\nnulls: [\"-\"]\n{DATE}"
            ),
            ["2", "1254.56"],
        ),
        (
            "milliseconds, packed",
            zstd::encode_all(&b"order,date,customer,amount\nA1,1704449400123,c1,10.00\n"[..], 0).unwrap(),
            "time: {column: date, format: unix_ms}\n".to_owned(),
            ["1", "10.00"],
        ),
    ] {
        assert_eq!(year(&bytes, &keys), expected, "{what}");
    }
}

#[test]
fn traits_come_from_a_file_of_customers() {
    let data = Data::new();
    let orders = data.file("orders.csv", "order,date,customer,amount\nA1,2024-01-05,c1,10.00\nA2,2024-01-05,c2,5.00\n");
    let of_orders = data.file("orders.yaml", mapping(DATE));
    let customers = data.file("customers.csv", "customer,date,plan\nc1,2024-01-01,pro\nc2,2024-01-01,free\n");
    let of_customers = data.file(
        "customers.yaml",
        format!("name: crm\ntype: account.updated\naccount: customer\n{DATE}data:\n  traits.plan: {{column: plan}}\n"),
    );
    data.import(&customers, &["--mapping", of_customers.to_str().unwrap()]).done();
    data.import(&orders, &["--mapping", of_orders.to_str().unwrap()]).done();
    let answer = data.run(["query", "net_revenue", "--window", "1y", "--by", "plan", "--format", "csv"]).done().out;
    for (plan, value) in [("pro", "10.00"), ("free", "5.00")] {
        assert!(answer.lines().any(|line| line.contains(plan) && line.contains(value)), "{plan}: {answer}");
    }
}
