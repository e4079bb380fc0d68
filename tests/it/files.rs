//! Files in which several peculiarities meet, through the command line; those with one are in `cases`.

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
fn files_come_to_the_numbers_that_a_person_adds_up() {
    let header = "order;date;customer;amount";
    for (what, bytes, keys, expected) in [
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
