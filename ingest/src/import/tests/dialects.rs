//! Random orders, tickets and subscriptions, written as files in random dialects with the mapping for each: the same events
//! come back.

use std::io::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// How a file is written.
#[derive(Debug, Clone)]
struct Written {
    delimiter: char,
    comma: bool,
    crlf: bool,
    encoding: &'static str,
    date: &'static str,
    titles: usize,
    totals: usize,
    packed: &'static str,
    always_quoted: bool,
    nothing: &'static str,
    seed: u64,
}

/// What a system knows.
#[derive(Debug, Clone)]
enum Thing {
    /// Products and amounts in cents.
    Order(Vec<(String, i64)>),
    Ticket(String),
    Subscription(i64),
}

#[derive(Debug, Clone)]
struct Known {
    thing: Thing,
    account: String,
    minute: i64,
    note: String,
}

fn written() -> impl Strategy<Value = Written> {
    let select = |texts: &'static [&'static str]| prop::sample::select(texts);
    (
        (
            prop::sample::select(vec![',', ';', '\t', '|', '§']),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<u64>(),
        ),
        (
            select(&["utf-8", "windows-1252", "utf-16le"]),
            select(&["%Y-%m-%d %H:%M", "%d.%m.%Y %H.%M", "%m/%d/%y %I:%M %p", "unix_ms"]),
            select(&["", "gzip", "zstd", "zip"]),
            select(&["", "NULL", "-"]),
        ),
        (0..3_usize, 0..3_usize),
    )
        .prop_map(
            |((delimiter, comma, crlf, always_quoted, seed), (encoding, date, packed, nothing), (titles, totals))| {
                Written { delimiter, comma, crlf, encoding, date, titles, totals, packed, always_quoted, nothing, seed }
            },
        )
}

fn known() -> impl Strategy<Value = Known> {
    // Something that is no blank at both ends, and anything between them.
    let text = || "[a-zé]([a-z,;|§\"'\n\t é]{0,8}[a-z])?";
    let lines = prop::collection::vec(("[a-z]{1,6}", -1_000_000_000..1_000_000_000_i64), 1..4);
    let thing = prop_oneof![
        lines.prop_map(Thing::Order),
        "[a-z]{1,6}".prop_map(Thing::Ticket),
        (1..10_000_000_i64).prop_map(Thing::Subscription)
    ];
    (thing, "[a-z]{1,4}", 0..6_000_000_i64, text()).prop_map(|(thing, account, minute, note)| Known {
        thing,
        account,
        minute,
        note,
    })
}

const START_US: i64 = 1_400_000_040_000_000;

impl Known {
    fn time_us(&self) -> i64 {
        START_US + self.minute * 60_000_000
    }

    /// The event as it is rendered, of what was said.
    fn expected(&self, at: usize) -> Value {
        let id = format!("N{at}");
        let custom = json!({"note": self.note});
        let (kind, data) = match &self.thing {
            Thing::Order(lines) => {
                let gross: i64 = lines.iter().map(|(_, amount)| amount).sum();
                let lines: Vec<Value> =
                    lines.iter().map(|(product, amount)| json!({"product": product, "amount": amount})).collect();
                (
                    "order.completed",
                    json!({"order": id, "gross": gross, "currency": "EUR", "lines": lines, "custom": custom}),
                )
            }
            Thing::Ticket(topic) => ("ticket.opened", json!({"ticket": id, "topic": topic, "custom": custom})),
            Thing::Subscription(mrr) => {
                let data =
                    json!({"subscription": id, "status": "active", "mrr": mrr, "currency": "EUR", "custom": custom});
                ("subscription.changed", data)
            }
        };
        let time = render_rfc3339(self.time_us());
        json!({"id": format!("{id}/{kind}"), "type": kind, "account": self.account, "time": time, "data": data})
    }

    /// The rows of a file.
    fn rows(&self, at: usize, to: &Written) -> Vec<[String; 7]> {
        let row = |kind: &str, what: &str, amount: Option<i64>| {
            let amount = amount.map_or_else(|| to.nothing.to_owned(), |cents| to.amount(cents));
            let what = if what.is_empty() { to.nothing } else { what };
            let (id, time) = (format!("N{at}"), to.time(self.time_us()));
            [kind.to_owned(), id, time, self.account.clone(), what.to_owned(), amount, self.note.clone()]
        };
        match &self.thing {
            Thing::Order(lines) => lines.iter().map(|(product, amount)| row("order", product, Some(*amount))).collect(),
            Thing::Ticket(topic) => vec![row("ticket", topic, None)],
            Thing::Subscription(mrr) => vec![row("plan", "", Some(*mrr))],
        }
    }
}

impl Written {
    fn amount(&self, cents: i64) -> String {
        let (sign, point) = (if cents < 0 { "-" } else { "" }, if self.comma { "," } else { "." });
        let (whole, part) = (cents.abs() / 100, cents.abs() % 100);
        let digits = whole.to_string();
        let thousands = |at: usize| self.comma && at > 0 && (digits.len() - at).is_multiple_of(3);
        let grouped: String = digits
            .char_indices()
            .flat_map(|(at, digit)| thousands(at).then_some('.').into_iter().chain([digit]))
            .collect();
        format!("{sign}{grouped}{point}{part:02}")
    }

    fn time(&self, us: i64) -> String {
        match self.date {
            "unix_ms" => (us / 1_000).to_string(),
            format => jiff::Timestamp::from_microsecond(us)
                .expect("time")
                .to_zoned(TimeZone::UTC)
                .strftime(format)
                .to_string(),
        }
    }

    fn text(&self, known: &[Known]) -> String {
        let mut rows: Vec<[String; 7]> =
            known.iter().enumerate().flat_map(|(at, known)| known.rows(at, self)).collect();
        // The rows of an order stay in their order, and may stand anywhere.
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_by_key(|at| xxhash_rust::xxh3::xxh3_64_with_seed(&at.to_le_bytes(), self.seed));
        let place = |row: &[String; 7]| order.iter().position(|at| format!("N{at}") == row[1]);
        if self.seed.is_multiple_of(2) {
            rows.sort_by_key(place);
        } else {
            let mut seen = std::collections::HashMap::new();
            let turn: Vec<usize> =
                rows.iter().map(|row| *seen.entry(row[1].clone()).and_modify(|n| *n += 1).or_insert(0)).collect();
            let mut turned: Vec<(usize, [String; 7])> = turn.into_iter().zip(rows).collect();
            turned.sort_by_key(|(turn, row)| (*turn, place(row)));
            rows = turned.into_iter().map(|(_, row)| row).collect();
        }
        let end = if self.crlf { "\r\n" } else { "\n" };
        let mut text = format!("A \"title{end}").repeat(self.titles);
        let mut line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| self.cell(cell)).collect();
            text.push_str(&cells.join(&self.delimiter.to_string()));
            text.push_str(end);
        };
        line(&["kind", "id", "time", "who", "what", "amount", "note"].map(str::to_owned));
        rows.iter().for_each(|row| line(row));
        (0..self.totals).for_each(|_| line(&["Total".to_owned()]));
        text
    }

    fn cell(&self, text: &str) -> String {
        let needs = text.contains(['"', '\n', self.delimiter]);
        if needs || self.always_quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        let text = match self.encoding {
            "windows-1252" => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => text.as_bytes().to_vec(),
        };
        match self.packed {
            "gzip" => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&text).expect("memory");
                gzip.finish().expect("memory")
            }
            "zstd" => zstd::encode_all(&text[..], 0).expect("memory"),
            "zip" => {
                let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
                archive.start_file("export.txt", zip::write::SimpleFileOptions::default()).expect("memory");
                archive.write_all(&text).expect("memory");
                archive.finish().expect("memory").into_inner()
            }
            _ => text,
        }
    }

    fn mapping(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("text");
        format!(
            "name: all\nencoding: {}\nskip: {}\nfooter: {}\ndelimiter: {}\nnumbers: {{decimal: \"{}\"}}\nnulls: [{}]\ngroup: [id]\n\
             account: who\ntime: {{column: time, format: {}, zone: UTC}}\ncurrency: EUR\nevents:\n  - type: order.completed\n    \
             when: row.kind == \"order\"\n    data: {{order: id, custom.note: note}}\n    lines: {{product: what, amount: \
             {{column: amount, as: major}}}}\n  - type: ticket.opened\n    when: row.kind == \"ticket\"\n    data: {{ticket: id, \
             topic: what, custom.note: note}}\n  - type: subscription.changed\n    when: row.kind == \"plan\"\n    constants: \
             {{status: active}}\n    data: {{subscription: id, mrr: {{column: amount, as: major}}, custom.note: note}}\n",
            self.encoding,
            self.titles,
            self.totals,
            quoted(&self.delimiter.to_string()),
            if self.comma { "," } else { "." },
            if self.nothing.is_empty() { String::new() } else { quoted(self.nothing) },
            quoted(self.date),
        )
    }
}

/// Fails unless all that is expected is there.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| holds(found, expected))
        }
        _ => found == expected,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 256 }))]

    #[test]
    fn the_same_events_come_back_in_any_dialect(known in prop::collection::vec(known(), 1..12), to in written()) {
        let folder = tempfile::tempdir().expect("folder");
        let text = to.text(&known);
        let mut options = options(folder.path(), "export", &to.bytes(&text));
        let path = folder.path().join("mapping.yaml");
        std::fs::write(&path, to.mapping()).expect("mapping");
        options.mapping = Some(path);
        let log = Memory::new(1);
        let summary = quiet(&options, &log).map_err(|error| TestCaseError::fail(format!("{error}\n{}\n{text}", to.mapping())))?;
        prop_assert_eq!(summary.rejected, 0, "{:?}\n{}\n{}", summary.reasons.by_count(), to.mapping(), text);
        let mut found: Vec<Value> = log.events().iter().map(|event| serde_json::from_str(&crate::cloudevents::render(event, None)).expect("JSON")).collect();
        let mut expected: Vec<Value> = known.iter().enumerate().map(|(at, known)| known.expected(at)).collect();
        let id = |event: &Value| event["id"].as_str().map(str::to_owned);
        found.sort_by_key(id);
        expected.sort_by_key(id);
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!(holds(found, expected), "found {found}\nexpected {expected}\n{}\n{text}", to.mapping());
        }
    }
}
