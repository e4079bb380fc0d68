//! First mappings of files of many kinds: each can be read, and finds what a person would.

use jiff::tz::TimeZone;

use super::*;
use crate::{mapping::Mapping, near::UnknownTypes};

fn guessed(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let text = mapping(&path).unwrap();
    Mapping::parse("m.yaml", &text, &TimeZone::UTC, UnknownTypes::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    text
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found.starts_with(line)), "no line {line} in\n{text}");
    }
}

#[test]
fn orders_of_many_forms() {
    let text = guessed(
        "orders.csv",
        b"Order ID,Customer ID,Order Date,Total,Status\nA1,c1,2024-01-05,10.00,paid\nA2,c2,2024-01-06,20.00,open\n",
    );
    has(
        &text,
        &[
            "name: orders",
            "type: order.completed",
            "account: Customer ID",
            "id: Order ID",
            "time: {column: Order Date, format: \"%Y-%m-%d\"}",
            "currency: USD",
            "  gross: {column: Total, as: major}",
            "# when: row[\"Status\"] == \"open\"",
        ],
    );
    let german =
        "Rechnungen\n\nNummer;Kunde;Date;Betrag;Email\n1;M?ller;31.01.2024;1.234,50;a@x\n2;Ek;01.02.2024;3,00;b@x\n";
    let german: Vec<u8> = german.bytes().map(|byte| if byte == b'?' { 0xfc } else { byte }).collect();
    has(
        &guessed("german.csv", &german),
        &[
            "encoding: windows-1252",
            "skip: 2",
            "delimiter: \";\"",
            "numbers: {decimal: \",\"}",
            "account: Kunde",
            "id: Nummer",
        ],
    );
    let blanks =
        b"customer_id  date number_of_cds  dollar_value\n00001 19970101   1   11.77\n00002 19970112   1   12.00\n";
    has(
        &guessed("cdnow.txt", blanks),
        &["delimiter: whitespace", "account: customer_id", "time: {column: date, format: \"%Y%m%d\"}"],
    );
    let text = guessed("usd.tsv", b"Customer\tdate\tamount\nc1\t01/02/2024\t$1,234.50\nc2\t03/02/2024\t$3.00\n");
    has(&text, &["delimiter: tab", "numbers: {decimal: \".\"}", "currency: USD"]);
    assert!(text.contains("guessed? %m/%d/%Y would fit, too"), "{text}");
}

#[test]
fn rows_of_one_order_are_grouped() {
    let text = guessed(
        "lines.csv",
        b"Order ID,Order Status,Customer,Date,Product,Quantity,Sales\nA1,x,c1,2024-01-05,desk,1,10.005\nA1,x,c1,2024-01-05,lamp,2,20.00\n",
    );
    has(
        &text,
        &[
            "numbers: {round: half_even}",
            "group: [Order ID]",
            "lines:",
            "  product: Product",
            "  quantity: Quantity",
            "  amount: {column: Sales",
        ],
    );
}

#[test]
fn other_files_have_other_events() {
    has(
        &guessed("t.csv", b"Ticket ID,Requester,Created at\n1,a,2024-01-05T10:00:00Z\n2,b,2024-01-06T10:00:00Z\n"),
        &["type: ticket.opened", "  ticket: Ticket ID", "time: {column: Created at}"],
    );
    has(
        &guessed("c.csv", b"customer,since date,plan,Team size\nc1,2024-01-05,pro,3\nc2,2024-01-06,free,4\n"),
        &["type: account.updated", "  traits.plan: plan", "  traits.custom.team_size: Team size"],
    );
    has(&guessed("x.csv", b"a,b\n1,2\n"), &["type: usage.recorded", "account: {default: somebody}"]);
}

#[test]
fn what_holds_no_rows_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, says) in
        [(&b"{\"a\":1}"[..], "JSON is mapped with format: json"), (b"", "expected a header and rows below it")]
    {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let found = mapping(&path).unwrap_err().to_string();
        assert!(found.contains(says), "{found}");
    }
}

proptest::proptest! {
    /// Whatever a file holds, its first mapping can be read.
    #[test]
    fn a_first_mapping_can_be_read(text in "([A-Za-z\"'#:{}\\[\\],; \u{e9}]{0,12}[,;\n]){1,40}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.csv");
        std::fs::write(&path, &text).unwrap();
        if let Ok(text) = mapping(&path) {
            Mapping::parse("m.yaml", &text, &TimeZone::UTC, UnknownTypes::default())
                .map_err(|e| proptest::test_runner::TestCaseError::fail(format!("{e}\n{text}")))?;
        }
    }
}
