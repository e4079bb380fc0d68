//! Imports into a log in memory: what is appended, and that a kill at any commit changes nothing of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use eventlog::{
    Assignment, Cleanup, Commit, Committed, Consumer, Log, Poll, Producer, Record, Stored, TopicPartition, TopicSpec,
    Watermarks,
};
use proto::v1::{Entry, entry, event};

use super::*;
use crate::records::Records;

type Positions = BTreeMap<(String, u32), Committed>;

#[derive(Default)]
struct State {
    partitions: Vec<Vec<Record>>,
    positions: Positions,
    /// The records of the topic of imports, where there is one.
    listed: Option<Vec<Record>>,
    /// Commits still allowed: then every one fails, as if the process had been killed.
    left: u32,
}

/// The least log that a door needs.
#[derive(Clone)]
struct Memory(Arc<Mutex<State>>);

impl Memory {
    fn new(partitions: usize) -> Self {
        let partitions = vec![Vec::new(); partitions];
        Self(Arc::new(Mutex::new(State { partitions, left: u32::MAX, ..State::default() })))
    }

    /// One that lists imports, too.
    fn listing(partitions: usize) -> Self {
        let log = Self::new(partitions);
        log.0.lock().expect("lock").listed = Some(Vec::new());
        log
    }

    /// The records of a partition of a topic.
    fn records(&self, topic: &str, partition: u32) -> Vec<Record> {
        if topic == crate::IMPORTS {
            return self.0.lock().expect("lock").listed.clone().expect("the topic is there");
        }
        self.partitions()[usize::try_from(partition).expect("few")].clone()
    }

    fn allow(&self, commits: u32) {
        self.0.lock().expect("lock").left = commits;
    }

    fn partitions(&self) -> Vec<Vec<Record>> {
        self.0.lock().expect("lock").partitions.clone()
    }

    fn entries(&self) -> Vec<Vec<Entry>> {
        let decode = |record: Record| Entry::decode(record.value.expect("value")).expect("entry");
        self.partitions().into_iter().map(|records| records.into_iter().map(decode).collect()).collect()
    }

    fn events(&self) -> Vec<Event> {
        let event = |entry: Entry| match entry.entry {
            Some(entry::Entry::Event(event)) => Some(event),
            _ => None,
        };
        self.entries().into_iter().flatten().filter_map(event).collect()
    }
}

impl Log for Memory {
    fn delete_topic(&self, _: &str) -> eventlog::Result<()> {
        self.0.lock().expect("lock").partitions.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    fn create_topic(&self, _: &TopicSpec) -> eventlog::Result<()> {
        Ok(())
    }

    fn topics(&self) -> eventlog::Result<Vec<TopicSpec>> {
        let partitions = u32::try_from(self.partitions().len()).expect("few");
        let spec = |name: &str, partitions| TopicSpec { name: name.to_owned(), partitions, cleanup: Cleanup::Keep };
        let lists = self.0.lock().expect("lock").listed.is_some();
        let listed = lists.then(|| spec(crate::IMPORTS, 1));
        Ok([spec(crate::EVENTS, partitions)].into_iter().chain(listed).collect())
    }

    fn watermarks(&self, topic: &str, partition: u32) -> eventlog::Result<Watermarks> {
        let high = self.records(topic, partition).len();
        Ok(Watermarks { low: 0, high: u64::try_from(high).expect("few") })
    }

    fn committed(&self, group: &str, _: &str, partition: u32) -> eventlog::Result<Option<Committed>> {
        Ok(self.0.lock().expect("lock").positions.get(&(group.to_owned(), partition)).cloned())
    }

    fn consumer(&self, assignment: Assignment) -> eventlog::Result<Box<dyn Consumer>> {
        let Assignment::Manual(mut at) = assignment else { panic!("manual only") };
        let (at, offset) = at.remove(0);
        Ok(Box::new(Reader { log: self.clone(), at, offset }))
    }

    fn producer(&self, _: &str) -> eventlog::Result<Box<dyn Producer>> {
        Ok(Box::new(Writer(self.clone())))
    }
}

struct Reader {
    log: Memory,
    at: TopicPartition,
    offset: u64,
}

impl Consumer for Reader {
    fn poll(&mut self, _: usize, _: Duration) -> eventlog::Result<Poll> {
        let records = self.log.records(&self.at.topic, self.at.partition);
        let from = usize::try_from(self.offset).expect("few");
        let records: Vec<_> = (self.offset..)
            .zip(&records[from..])
            .take(7)
            .map(|(offset, r)| Stored { offset, record: r.clone() })
            .collect();
        self.offset += u64::try_from(records.len()).expect("few");
        let TopicPartition { topic, partition } = self.at.clone();
        if records.is_empty() { Ok(Poll::Idle) } else { Ok(Poll::Records { topic, partition, records }) }
    }

    fn seek(&mut self, _: &TopicPartition, _: u64) -> eventlog::Result<()> {
        Ok(())
    }

    fn producer(&self, name: &str) -> eventlog::Result<Box<dyn Producer>> {
        self.log.producer(name)
    }
}

struct Writer(Memory);

impl Producer for Writer {
    fn commit(&mut self, commit: Commit) -> eventlog::Result<()> {
        let mut state = self.0.0.lock().expect("lock");
        if state.left == 0 {
            return Err(eventlog::Error::Fenced { name: "killed".to_owned() });
        }
        state.left -= 1;
        for output in commit.outputs {
            match &mut state.listed {
                Some(listed) if *output.topic == *crate::IMPORTS => listed.push(output.record),
                _ => state.partitions[usize::try_from(output.partition).expect("few")].push(output.record),
            }
        }
        for group in commit.offsets {
            for (_, partition, position) in group.offsets {
                let key = (group.group.clone(), partition);
                match position {
                    Some(position) => state.positions.insert(key, position),
                    None => state.positions.remove(&key),
                };
            }
        }
        Ok(())
    }
}

const NOW: i64 = 1_780_000_000_000_000;

fn quiet(options: &Options, log: &Memory) -> Result<Summary> {
    run(options, log, &mut |_| {}, &AtomicBool::new(false))
}

fn options(folder: &Path, name: &str, text: &[u8]) -> Options {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("file");
    Options::new(vec![path], folder.to_owned(), NOW)
}

fn mapping(folder: &Path) -> PathBuf {
    let path = folder.join("shop.yaml");
    let text = "name: shop\nheader: true\ntype: order.completed\naccount: customer\n\
                time: {column: day, format: \"%Y-%m-%d\", zone: Europe/Berlin}\ncurrency: EUR\n\
                constants: {channel: web}\ndata:\n  gross: {column: total, as: major}\n  custom.n: {column: n, as: integer}\n";
    std::fs::write(&path, text).expect("mapping");
    path
}

const SHOP: &str = "customer,day,n,total\r\nbo,2026-01-03,1,2.50\r\nal,2026-01-02,2,11.77\r\n\r\nal,2026-01-02,2,11.77\r\n\
                    al,2026-01-02,2,11.775\r\nx\r\n\"al\",2026-01-05,2,3\r\nal,2026-01-02,2,11.77";

mod dialects;
mod ready;
mod rules;

#[test]
fn maps_numbers_and_rejects() {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), "shop.csv", SHOP.as_bytes());
    options.mapping = Some(mapping(folder.path()));
    options.rejects = Some(folder.path().join("rejects.csv"));
    let log = Memory::new(1);
    let summary = run(&options, &log, &mut |_| {}, &AtomicBool::new(false)).expect("import");
    let reasons: Vec<String> = summary.reasons.by_count().iter().map(|reason| reason.first.to_string()).collect();
    assert_eq!((summary.read, summary.accepted, summary.rejected, summary.appended), (7, 5, 2, 5));
    let file = folder.path().join("shop.csv").display().to_string();
    assert_eq!(
        reasons,
        [
            format!("{file}:6: column total: is 11.775, expected an amount with at most 2 decimal places"),
            format!(
                "{file}:7: number of cells is 1, expected 4 (ragged: true in the mapping lets the last ones be left out)"
            ),
        ]
    );
    let rejects = std::fs::read_to_string(folder.path().join("rejects.csv")).expect("rejects");
    assert_eq!(rejects, "customer,day,n,total\r\nal,2026-01-02,2,11.775\r\nx\r\n");
    let rows: Vec<_> = log
        .events()
        .into_iter()
        .map(|event| {
            let Some(event::Data::OrderCompleted(order)) = event.data else { panic!("no order") };
            assert_eq!(
                (order.order.as_str(), order.currency.as_str(), order.channel.as_str()),
                (&*event.id, "EUR", "web")
            );
            (event.id.replace('\u{1f}', "|"), render_rfc3339(event.time_us), order.gross)
        })
        .collect();
    let row = |id: &str, time: &str, gross| (id.to_owned(), time.to_owned(), gross);
    assert_eq!(
        rows,
        [
            row("al|2026-01-02|2|11.77", "2026-01-01T23:00:00Z", 1177),
            row("al|2026-01-02|2|11.77#2", "2026-01-01T23:00:00Z", 1177),
            row("al|2026-01-02|2|11.77#3", "2026-01-01T23:00:00Z", 1177),
            row("bo|2026-01-03|1|2.50", "2026-01-02T23:00:00Z", 250),
            row("al|2026-01-05|2|3", "2026-01-04T23:00:00Z", 300),
        ]
    );
}

/// Binds a mapping to a header.
fn bind(mapping: &Mapping, header: &str) -> std::result::Result<(), String> {
    let mut records = Records::open(header.as_bytes(), mapping.dialect()).expect("read");
    records.next().expect("read");
    mapping.bind(&mut records).map(drop).map_err(|error| error.to_string())
}

/// A mapping of orders in EUR with these keys before the rest.
fn orders(keys: &str) -> String {
    format!(
        "name: shop\n{keys}type: order.completed\naccount: customer\ntime: {{column: day, format: \"%d.%m.%Y\"}}\n\
         currency: EUR\ndata:\n  gross: {{column: total, as: major}}\n  custom.note: {{column: note}}\n"
    )
}

/// What a file comes to with a mapping: accounts and amounts in their order, and the first reason of a refusal.
fn read(bytes: &[u8], keys: &str) -> (Vec<String>, Option<String>) {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), "orders.csv", bytes);
    let mapping = folder.path().join("orders.yaml");
    std::fs::write(&mapping, orders(keys)).expect("mapping");
    options.mapping = Some(mapping);
    let log = Memory::new(1);
    let summary = match quiet(&options, &log) {
        Ok(summary) => summary,
        Err(error) => return (Vec::new(), error.to_string().split_once(": ").map(|(_, reason)| reason.to_owned())),
    };
    let row = |event: Event| {
        let Some(event::Data::OrderCompleted(order)) = event.data else { panic!("no order") };
        format!("{} {}", event.subject, order.gross)
    };
    let first = summary.reasons.by_count().first().map(|reason| reason.first.clone());
    (log.events().into_iter().map(row).collect(), first.map(|first| format!("{} {}", first.line, first.reason)))
}

#[test]
fn files_as_people_have_them() {
    let ok = |rows: &[&str]| (rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>(), None);
    let two = ok(&["al 1000", "bo 2000"]);
    let rows = "al;05.01.2024;10.00;x\nbo;06.01.2024;20.00;y\n";
    let header = "customer;day;total;note\n";

    // A line break in a quoted cell is part of it, and of no id.
    let quoted = rows.replace(";x", ";\"2nd floor\r\nMain St 1; left\"");
    assert_eq!(read(format!("{header}{quoted}").as_bytes(), "delimiter: \";\"\n"), two);
    // Lines before the header.
    assert_eq!(read(format!("sep=;\r\n{header}{rows}").as_bytes(), ""), two);
    let titled = format!("Orders;;;\n\nas of 7 January\n{header}{rows}");
    assert_eq!(read(titled.as_bytes(), "skip: 3\ndelimiter: \";\"\n"), two);
    // Rows that end with the delimiter, and rows that lack their last cells.
    let ending = rows.replace('\n', ";\n");
    assert_eq!(read(format!("{header}{ending}").as_bytes(), "delimiter: \";\"\n"), two);
    let short = rows.replace(";x", "");
    let lacks = "2 number of cells is 3, expected 4 (ragged: true in the mapping lets the last ones be left out)";
    let found = read(format!("{header}{short}").as_bytes(), "delimiter: \";\"\n");
    assert_eq!(found, (vec!["bo 2000".to_owned()], Some(lacks.to_owned())));
    assert_eq!(read(format!("{header}{short}").as_bytes(), "ragged: true\ndelimiter: \";\"\n"), two);
    // Encodings, named or marked, and packed files.
    let text = format!("{header}{}", rows.replace("al", "b\u{e9}a"));
    let (latin, wide) = (text.replace('\u{e9}', "?"), text.encode_utf16().flat_map(u16::to_le_bytes));
    let latin: Vec<u8> = latin.bytes().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect();
    let accented = ok(&["b\u{e9}a 1000", "bo 2000"]);
    let semicolon = "delimiter: \";\"\n";
    assert_eq!(read(&latin, &format!("encoding: windows-1252\n{semicolon}")), accented);
    let (_, reason) = read(&latin, semicolon);
    let expected = "2 not UTF-8 at byte 2; name its encoding in the mapping, such as encoding: windows-1252";
    assert_eq!(reason.as_deref(), Some(expected));
    assert_eq!(read(&b"\xff\xfe".iter().copied().chain(wide).collect::<Vec<_>>(), semicolon), accented);
    assert_eq!(read(&zstd::encode_all(text.as_bytes(), 0).expect("packed"), semicolon), accented);
}

/// The events of a file of comma-separated rows, as `vitals events` prints them; and the first reason of a refusal.
fn events(rows: &str, mapping: &str) -> (Vec<String>, Option<String>) {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), "rows.csv", rows.as_bytes());
    let path = folder.path().join("rows.yaml");
    std::fs::write(&path, mapping).expect("mapping");
    options.mapping = Some(path);
    let log = Memory::new(1);
    let summary = quiet(&options, &log).expect("import");
    let print = |event: &Event| {
        let printed = crate::cloudevents::render(event, None);
        let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        format!("{} {} {}", printed["account"], printed["time"], printed["data"]).replace('"', "")
    };
    let reason = summary
        .reasons
        .by_count()
        .first()
        .map(|reason| &reason.first)
        .map(|first| format!("{} {}", first.line, first.reason));
    (log.events().iter().map(print).collect(), reason)
}

#[test]
fn numbers_times_and_nulls_as_files_write_them() {
    let head = "name: shop\ntype: order.completed\naccount: customer\nid: order\n";
    let date = "time: {column: date, format: \"%Y-%m-%d\"}\n";
    let gross = "currency: EUR\ndata: {gross: {column: amount, as: major}}\n";
    let of = |rows: &str, keys: &str| events(rows, &format!("{head}{keys}"));

    let german = "order;date;customer;amount\nA1;2024-01-05;c1;1.234,56 \u{20ac}\nA2;2024-01-06;c2;20,00\n";
    let (found, _) = of(german, &format!("delimiter: \";\"\nnumbers: {{decimal: \",\"}}\n{date}{gross}"));
    let order = |order: &str, account: &str, time: &str, gross: i64| {
        format!("{account} {time} {{currency:EUR,discount:0,gross:{gross},order:{order}}}")
    };
    let days = ["2024-01-05T00:00:00Z", "2024-01-06T00:00:00Z"];
    assert_eq!(found, [order("A1", "c1", days[0], 123_456), order("A2", "c2", days[1], 2_000)]);
    let lines = "order,date,customer,amount\nA1,2024-01-05,c1,2.345\nA2,2024-01-06,c2,2.355\n";
    let (found, _) = of(lines, &format!("numbers: {{round: half_even}}\n{date}{gross}"));
    assert_eq!(found, [order("A1", "c1", days[0], 234), order("A2", "c2", days[1], 236)]);

    // Cells that say nothing: an amount that is missing, and nobody.
    let nulls = "order,date,customer,amount\nA1,2024-01-05,c1,NULL\nA2,2024-01-06,NaN,3.00\nA3,2024-01-06,c3,-1\n";
    let (found, reason) = of(nulls, &format!("nulls: [NULL, NaN, \"-\"]\n{date}{gross}"));
    assert_eq!(found, [order("A2", "null", days[1], 300), order("A3", "c3", days[1], -100)]);
    assert!(reason.is_some_and(|reason| reason.starts_with("2 data.gross: is missing, expected ")));

    // Times.
    let one = |rows: &str, time: &str| of(rows, &format!("time: {time}\n{gross}"));
    let at = |found: (Vec<String>, Option<String>)| match found {
        (events, None) => events[0].split(' ').nth(1).expect("time").to_owned(),
        (_, Some(reason)) => reason,
    };
    let row = |time: &str| format!("order,date,hour,zone,customer,amount\nA1,{time},c1,1\n");
    for (cells, time, expected) in [
        ("1704449400123,,", "{column: date, format: unix_ms}", "2024-01-05T10:10:00.123Z"),
        ("1704449400,,", "{column: date, format: unix}", "2024-01-05T10:10:00Z"),
        ("1704449400.5,,", "{column: date, format: unix}", "2024-01-05T10:10:00.5Z"),
        ("45296.4236111111,,", "{column: date, format: excel}", "2024-01-05T10:10:00Z"),
        (
            "2024-01-05,23:30,",
            "{columns: [date, hour], format: \"%Y-%m-%d %H:%M\", zone: America/New_York}",
            "2024-01-06T04:30:00Z",
        ),
        (
            "2024-01-05,23:30,Asia/Tokyo",
            "{columns: [date, hour], format: \"%Y-%m-%d %H:%M\", zone_column: zone}",
            "2024-01-05T14:30:00Z",
        ),
        ("05.01.2024,,", "{column: date, formats: [\"%Y-%m-%d\", \"%d.%m.%Y\"]}", days[0]),
        (
            "5/1/24,,",
            "{column: date, formats: [\"%Y-%m-%d\", \"%d.%m.%Y\"]}",
            "2 time: column date: is 5/1/24, expected %Y-%m-%d or %d.%m.%Y",
        ),
        (
            "2024-01-05,23:30,PST",
            "{columns: [date, hour], format: \"%Y-%m-%d %H:%M\", zone_column: zone}",
            "2 time: column zone: is PST, expected a zone such as Europe/Berlin",
        ),
        (
            "soon,1,",
            "{columns: [date, hour], format: unix}",
            "2 time: column date, column hour: is soon 1, expected unix",
        ),
    ] {
        assert_eq!(at(one(&row(cells), time)), expected, "{time}");
    }
}

#[test]
fn currencies_and_traits_come_from_columns() {
    let stripe = "id,day,amount,currency,customer\np1,2024-01-31,20.00,usd,c1\np2,2024-01-31,500,\u{a5},c1\n";
    let mapping = "name: stripe\ntype: order.completed\naccount: customer\nid: id\n\
                   time: {column: day, format: \"%Y-%m-%d\"}\ndata:\n  \
                   currency: {column: currency, table: {\u{a5}: jpy}}\n  gross: {column: amount, as: major}\n";
    let (found, reason) = events(stripe, mapping);
    let order = |id: &str, currency: &str, gross: i64| {
        format!("c1 2024-01-31T00:00:00Z {{currency:{currency},discount:0,gross:{gross},order:{id}}}")
    };
    assert_eq!((found, reason), (vec![order("p1", "USD", 2_000), order("p2", "JPY", 500)], None));

    let crm = "customer,day,plan,region\nc1,2024-01-01,pro,\nc2,2024-01-01,free,EU\n";
    let mapping = "name: crm\ntype: account.updated\naccount: customer\ntime: {column: day, format: \"%Y-%m-%d\"}\n\
                   data:\n  traits.plan: {column: plan}\n  traits.region: {column: region}\n";
    let traits = |account: &str, traits: &str| format!("{account} 2024-01-01T00:00:00Z {{traits:{{{traits}}}}}");
    let (found, _) = events(crm, mapping);
    assert_eq!(found, [traits("c1", "plan:pro"), traits("c2", "plan:free,region:EU")]);
}

#[test]
fn what_a_mapping_says_of_its_file_is_checked() {
    let parse = |keys: &str| Mapping::parse("m.yaml", &orders(keys), &TimeZone::UTC, UnknownTypes::default());
    assert_eq!(
        parse("encoding: latin\n").expect_err("unknown").to_string(),
        "mapping m.yaml: line 2, column 11: encoding latin is not known, expected a label such as windows-1252, \
         iso-8859-15 or utf-16le"
    );
    let mapping = parse("").expect("mapping");
    assert_eq!(
        bind(&mapping, "customer,day,total,note,total").expect_err("twice"),
        "mapping m.yaml: line 7, column 19: column total is there twice, the 3. and the 5.; expected a name of its own \
         for each"
    );
    assert_eq!(bind(&mapping, "customer,other,day,total,note,other"), Ok(()), "columns that it does not name");
}

/// What was refused is mended and imported again with the same mapping, whatever came before the header.
#[test]
fn rejects_import_again() {
    let folder = tempfile::tempdir().expect("folder");
    let bytes =
        b"Orders;;;\nsep;x\ncustomer;day;total;note\nb\xe9a;05.01.2024;10,00;\"two\nlines\"\nbo;06.01.2024;20.00;y\nTotal;;30;";
    let mut options = options(folder.path(), "orders.csv", bytes);
    let mapping = folder.path().join("orders.yaml");
    std::fs::write(&mapping, orders("encoding: windows-1252\nskip: 2\nfooter: 1\ndelimiter: \";\"\n"))
        .expect("mapping");
    let rejects = folder.path().join("rejects.csv");
    (options.mapping, options.rejects) = (Some(mapping), Some(rejects.clone()));
    let log = Memory::new(1);
    let summary = quiet(&options, &log).expect("import");
    assert_eq!((summary.accepted, summary.rejected, summary.reasons.by_count()[0].first.line), (1, 1, 4));
    assert_eq!((summary.read, summary.left_out), (3, [("footer".to_owned(), 1)].into()));

    let kept = std::fs::read_to_string(&rejects).expect("rejects");
    assert!(kept.starts_with("\u{feff}Orders;;;\nsep;x\ncustomer;day;total;note\nb\u{e9}a;"), "{kept}");
    let mended = kept.replace("10,00", "10.00");
    std::fs::write(&rejects, mended).expect("mended");
    let again = Options { files: vec![rejects], rejects: None, ..options };
    let summary = quiet(&again, &log).expect("import");
    assert_eq!((summary.accepted, summary.rejected), (1, 0));
    assert_eq!(log.events().iter().map(|event| event.subject.as_str()).collect::<Vec<_>>(), ["bo", "b\u{e9}a"]);
}

/// What is refused of a workbook is CSV, and imports with the same mapping.
#[test]
fn rejects_of_a_workbook_import_again() {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), "orders.xlsx", include_bytes!("../files/orders.xlsx"));
    let mapping = folder.path().join("orders.yaml");
    let keys = "name: shop\nsheet: Orders\nskip: 2\nfooter: 1\nnulls: [\"#N/A\"]\ntype: order.completed\naccount: Customer\n\
        id: Number\ntime: {column: At, format: \"%Y-%m-%dT%H:%M:%S\", zone: UTC}\ncurrency: EUR\ndata:\n  \
        gross: {column: Amount, as: major}\n  custom.paid: {column: Paid, as: flag}\n  custom.note: {column: Note}\n";
    std::fs::write(&mapping, keys).expect("mapping");
    let rejects = folder.path().join("rejects.csv");
    (options.mapping, options.rejects) = (Some(mapping), Some(rejects.clone()));
    let log = Memory::new(1);
    let summary = quiet(&options, &log).expect("import");
    assert_eq!((summary.accepted, summary.rejected), (1, 1));
    let first = &summary.reasons.by_count()[0].first;
    assert_eq!((first.line, first.file.ends_with("/orders.xlsx")), (6, true), "the row of the sheet: {first}");
    let kept = std::fs::read_to_string(&rejects).expect("rejects");
    assert!(kept.contains("A2,2024-01-06,2024-01-06,\"a, b\",0.3,false,#N/A\nTotal,"), "{kept}");
    std::fs::write(&rejects, kept.replace("2024-01-06,2024-01-06,", "2024-01-06,2024-01-06T00:00:00,"))
        .expect("mended");
    let again = Options { files: vec![rejects], rejects: None, ..options };
    assert_eq!(quiet(&again, &log).map(|summary| (summary.accepted, summary.rejected)).expect("import"), (1, 0));
    assert_eq!(log.events().iter().map(|event| event.subject.as_str()).collect::<Vec<_>>(), ["acme", "a, b"]);
}

#[test]
fn mapping_errors_name_the_place() {
    let load = |text: &str| {
        Mapping::parse("m.yaml", text, &TimeZone::UTC, UnknownTypes::default()).expect_err("wrong").to_string()
    };
    let base = "name: m\nheader: false\ncolumns: [a, b]\ntype: order.completed\ntime: {column: b}\n";
    assert_eq!(
        load(&format!("{base}data: {{grss: {{column: a}}}}\n")),
        "mapping m.yaml: data.grss: is no field of order.completed, expected order, gross, discount, currency, channel, source, lines or custom.NAME"
    );
    assert_eq!(
        load(&format!("{base}colour: red\n")),
        "mapping m.yaml: line 6, column 1: unknown field `colour`; there are name, source, format, member, sheet, encoding, skip, footer, delimiter, widths, \
         ragged, header, columns, numbers, nulls, tables, records, leave_out, group, events, type, when, each, account, id, \
         time, currency, constants, data, lines, changes"
    );
    assert_eq!(load(&base.replace("b}", "b")), "mapping m.yaml: line 5, column 7: unclosed bracket '{'");
    assert_eq!(
        load(&format!("{base}currency: euro\n")),
        "mapping m.yaml: line 6, column 11: currency is euro, expected three capital letters (ISO 4217), or {column: NAME}"
    );
    for twice in [
        "constants: {order: x}\ndata: {order: {column: a}, gross: a}\n",
        "constants: {currency: EUR, gross: 1}\ncurrency: EUR\n",
    ] {
        let found = load(&format!("{base}{twice}"));
        assert!(found.ends_with(": is there in data or as currency, too, expected one of them"), "{found}");
    }
    let needs = load(&base.replace("time:", "account: a\ntime:"));
    assert_eq!(needs, "mapping m.yaml: line 4, column 7: order.completed needs data.gross, which nothing is mapped to");
    let base = format!("{base}constants: {{gross: 1, currency: EUR}}\n");
    let mapping = Mapping::parse("m.yaml", &format!("{base}account: c\n"), &TimeZone::UTC, UnknownTypes::default())
        .expect("mapping");
    assert_eq!(
        mapping.bind_listed().expect_err("no column").to_string(),
        "mapping m.yaml: line 7, column 10: no column c, there are a, b"
    );
    let text = "name: m\ntype: usage.recorded\naccount: a\ntime: {column: b}\n";
    let mapping = Mapping::parse("m.yaml", text, &TimeZone::UTC, UnknownTypes::default()).expect("mapping");
    assert_eq!(
        bind(&mapping, "a;b").expect_err("another delimiter"),
        "mapping m.yaml: line 3, column 10: no column a, there are a;b; is the delimiter another one than \",\"? Write \
         delimiter: \";\""
    );
}

fn many(rows: u32) -> Vec<u8> {
    let line = |n: u32| {
        let (day, hour) = (1 + (n * 7) % 28, (n * 5) % 24);
        format!(
            "{{\"id\":\"{n}\",\"type\":\"usage.recorded\",\"account\":\"a{}\",\"time\":\"2026-01-{day:02}T{hour:02}:00:00Z\"}}\n",
            n % 9
        )
    };
    (0..rows).map(line).collect::<String>().into_bytes()
}

#[test]
fn killed_at_any_commit_it_ends_the_same() {
    for order in [Order::Time, Order::File] {
        let folder = tempfile::tempdir().expect("folder");
        let mut options = options(folder.path(), "many.ndjson", &many(300));
        options.order = order;
        options.until_us = crate::parse_rfc3339("2026-03-01T12:00:00Z");
        options.memory_max = 4_000;
        options.batch_records = 10;
        let whole = Memory::new(3);
        let undisturbed = quiet(&options, &whole).expect("import");
        assert!(undisturbed.commits > 20);
        assert_eq!(undisturbed.clock_us, options.until_us);
        for commits in 0..u32::try_from(undisturbed.commits).expect("few") {
            let log = Memory::new(3);
            log.allow(commits);
            quiet(&options, &log).expect_err("killed");
            log.allow(u32::MAX);
            let later = Options { now_us: NOW + 5, batch_records: 7, ..options.clone() };
            quiet(&later, &log).expect("resumed");
            assert_eq!(log.partitions(), whole.partitions(), "{order:?} after {commits} commits");
            assert!(log.0.lock().expect("lock").positions.is_empty());
        }
    }
}

#[test]
fn batches_change_nothing_and_ticks_follow_their_rows() {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options(folder.path(), "many.ndjson", &many(500));
    let whole = Memory::new(2);
    quiet(&options, &whole).expect("import");
    for batch in [1, 3, 1_000] {
        options.batch_records = batch;
        let log = Memory::new(2);
        quiet(&options, &log).expect("import");
        assert_eq!(log.partitions(), whole.partitions());
    }
    for entries in whole.entries() {
        let mut clock = i64::MIN;
        let mut ticks = 0;
        for entry in entries {
            match entry.entry.expect("entry") {
                entry::Entry::Tick(tick) => {
                    assert!(tick.at_us > clock);
                    clock = tick.at_us;
                    ticks += 1;
                }
                entry::Entry::Event(event) => {
                    assert!(event.recorded_at_us > clock && event.recorded_at_us == event.time_us)
                }
                entry::Entry::Claim(claim) => panic!("{claim:?}: no event links accounts"),
            }
        }
        // The midnights of 2026-01-01 (the first row's own) to 2026-01-22, and the last row.
        assert_eq!(ticks, 23);
    }
    // Again: late by now, one more tick.
    let summary = quiet(&options, &whole).expect("import");
    assert_eq!((summary.resumed, summary.appended, summary.ticks), (0, 500, 1));
}

#[test]
fn broken_lines_lose_nothing_else() {
    let folder = tempfile::tempdir().expect("folder");
    let mut text = b"\xef\xbb\xbf{\"id\":\"1\",\"type\":\"usage.recorded\",\"account\":\"a\",\"time\":\"2026-01-01T00:00:00Z\"}\n\xff\n".to_vec();
    text.extend(std::iter::repeat_n(b'x', 3 << 20));
    text.extend(b"\n{\"id\":\"2\",\"type\":\"usage.recorded\",\"account\":\"a\",\"time\":\"2026-01-01T00:00:00Z\"}");
    let mut options = options(folder.path(), "broken.ndjson", &text);
    options.rejects = Some(folder.path().join("rejects"));
    let log = Memory::new(4);
    let summary = quiet(&options, &log).expect("import");
    assert_eq!((summary.read, summary.accepted, summary.rejected), (4, 2, 2));
    assert_eq!(std::fs::read(folder.path().join("rejects")).expect("rejects").len(), 2 + (3 << 20) + 1);
    options.until_us = Some(NOW + 1);
    assert_eq!(
        quiet(&options, &log).expect_err("until").to_string(),
        "--until: is 2026-05-28T20:26:40.000001Z, expected not after now (2026-05-28T20:26:40Z)"
    );
}

/// The whole of CDNOW: `VITALS_CDNOW=FOLDER cargo test ... -- --ignored cdnow`.
#[test]
#[ignore = "needs the files of CDNOW, see VITALS_CDNOW"]
fn cdnow() {
    let files = PathBuf::from(std::env::var("VITALS_CDNOW").expect("VITALS_CDNOW names the folder"));
    let mappings = Path::new("../deploy/mappings");
    let folder = tempfile::tempdir().expect("folder");
    for (file, mapping, events, accounts, cents) in [
        ("CDNOW_master.txt", "cdnow-master.yaml", 69_659, 23_570, Some(250_031_563)),
        ("CDNOW_sample.txt", "cdnow-sample.yaml", 6_919, 2_357, None),
    ] {
        let mut whole = Vec::new();
        for order in [Order::Time, Order::File] {
            let mut options = Options::new(vec![files.join(file)], folder.path().to_owned(), NOW);
            options.mapping = Some(mappings.join(mapping));
            options.order = order;
            let log = Memory::new(4);
            let start = std::time::Instant::now();
            let summary = quiet(&options, &log).expect("import");
            println!("{file} {order:?} {:?} {summary:?}", start.elapsed());
            let all = log.events();
            let mut ids: Vec<_> = all.iter().map(|event| event.id.clone()).collect();
            let mut subjects: Vec<_> = all.iter().map(|event| event.subject.clone()).collect();
            let gross = |event: &Event| match &event.data {
                Some(event::Data::OrderCompleted(order)) => order.gross,
                _ => 0,
            };
            let sum: i64 = all.iter().map(gross).sum();
            println!("numbered {} sum {sum}", ids.iter().filter(|id| id.contains('#')).count());
            ids.sort();
            subjects.sort();
            subjects.dedup();
            assert_eq!((all.len(), subjects.len()), (events, accounts));
            assert!(cents.is_none_or(|cents| cents == sum));
            let distinct = ids.len();
            ids.dedup();
            assert_eq!(ids.len(), distinct);
            whole.push((ids, summary.clock_us));
        }
        assert_eq!(whole[0], whole[1]);
    }
}

/// What the engine makes of a journal, as far as these tests need it: of corrections of one event the greatest stands, unless
/// it was retracted.
fn stands(records: &[proto::bytes::Bytes]) -> Vec<bool> {
    let decode = |value: &proto::bytes::Bytes| match Entry::decode(value.clone()).expect("entry").entry {
        Some(entry::Entry::Event(event)) => event,
        other => panic!("{other:?}"),
    };
    let events: Vec<Event> = records.iter().map(decode).collect();
    let retracted: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.data {
            Some(event::Data::Retracted(of)) => Some(of.event.clone()),
            _ => None,
        })
        .collect();
    let holds = |event: &&Event| !retracted.contains(&event.id) && !retracted.contains(&event.corrects);
    let greatest = |of: &str| {
        events.iter().filter(|event| event.corrects == of).filter(holds).max_by_key(|event| (event.time_us, &event.id))
    };
    let stands = |event: &Event| {
        let wins = event.corrects.is_empty() || greatest(&event.corrects).is_some_and(|other| other.id == event.id);
        holds(&event) && wins && !events.iter().any(|other| other.corrects == event.id)
    };
    events.iter().map(stands).collect()
}

#[test]
fn contents_that_are_replaced_are_the_same_after_a_kill_at_any_commit() {
    let folder = tempfile::tempdir().expect("folder");
    let row = |id: usize, gross: usize| {
        format!(
            "{{\"id\":\"{id}\",\"type\":\"order.completed\",\"time\":\"2026-01-{:02}T00:00:00Z\",\"account\":\"a{}\",\
             \"data\":{{\"order\":\"{id}\",\"gross\":{gross},\"currency\":\"EUR\"}}}}\n",
            id % 28 + 1,
            id % 5
        )
    };
    let file = |name: &str, gross: usize| {
        let text: String = (0..60).map(|id| row(id, if id % 3 == 0 { gross } else { 1 })).collect();
        options(folder.path(), name, text.as_bytes())
    };
    let (first, second, third) = (file("1.ndjson", 1), file("2.ndjson", 2), file("3.ndjson", 3));
    let replacing = |options: Options| Options { replace: Some(Rules::new(0, stands)), batch_records: 7, ..options };
    let (second, third) = (replacing(second), replacing(third));
    let imported = || {
        let log = Memory::new(3);
        quiet(&first, &log).expect("first");
        quiet(&second, &log).expect("second");
        log
    };
    let whole = imported();
    let summary = quiet(&third, &whole).expect("third");
    let amended = Amended { replaced: 20, retracted: 20, unchanged: 40, ..Amended::default() };
    assert_eq!((summary.amended, summary.appended), (amended, 40));
    let again = quiet(&third, &whole).expect("again");
    assert_eq!((again.amended, again.appended), (Amended { unchanged: 60, ..Amended::default() }, 0));
    assert!(summary.commits > 3, "{summary:?}");

    let ids = |log: &Memory| log.events().into_iter().map(|event| (event.id, event.corrects)).collect::<Vec<_>>();
    for commits in 0..u32::try_from(summary.commits).expect("few") {
        let log = imported();
        log.allow(commits);
        quiet(&third, &log).expect_err("killed");
        log.allow(u32::MAX);
        let resumed = quiet(&Options { now_us: NOW + 5, ..third.clone() }, &log).expect("resumed");
        assert_eq!(resumed.amended, amended, "after {commits} commits");
        assert_eq!(ids(&log), ids(&whole), "after {commits} commits");
    }
}

#[test]
fn an_undo_is_the_same_after_a_kill_at_any_commit_and_is_listed_once() {
    let folder = tempfile::tempdir().expect("folder");
    let mut first = options(folder.path(), "1.ndjson", &many(40));
    let mut second = options(folder.path(), "2.ndjson", &many(90));
    (first.batch_records, second.batch_records) = (7, 7);
    let rules = Rules::new(0, stands);
    let undo = |log: &Memory, now_us, go| {
        let id = imports(log).expect("imports")[1].id.clone();
        let options = Options { files: Vec::new(), now_us, ..second.clone() };
        undo(&id, &options, &rules, log, go, &mut |_| {}, &AtomicBool::new(false))
    };
    let imported = || {
        let log = Memory::listing(3);
        quiet(&first, &log).expect("first");
        quiet(&Options { now_us: NOW + 1, ..second.clone() }, &log).expect("second");
        log
    };
    let whole = imported();
    let amended = Amended { brought: 90, retracted: 50, ..Amended::default() };
    assert_eq!(undo(&whole, NOW + 2, false).expect("plan").amended, amended, "40 were there before");
    let summary = undo(&whole, NOW + 2, true).expect("undo");
    assert_eq!((summary.amended, summary.appended), (amended, 50));
    assert_eq!(undo(&whole, NOW + 3, true).expect("again").appended, 0);

    let ids = |log: &Memory| log.events().into_iter().map(|event| event.id).collect::<Vec<_>>();
    for commits in 0..u32::try_from(summary.commits).expect("few") {
        let log = imported();
        log.allow(commits);
        undo(&log, NOW + 2, true).expect_err("killed");
        log.allow(u32::MAX);
        assert_eq!(undo(&log, NOW + 9, true).expect("resumed").amended, amended, "after {commits} commits");
        assert_eq!(ids(&log), ids(&whole), "after {commits} commits");
        let listed = imports(&log).expect("imports");
        assert_eq!(listed.len(), 3, "after {commits} commits");
        assert!(listed[2].ended && listed[2].undoes == listed[1].id, "{listed:?}");
        assert_eq!(listed[2].appended, 50, "{listed:?}");
    }
}

#[test]
fn a_file_that_mends_its_own_events_says_itself_what_holds() {
    let folder = tempfile::tempdir().expect("folder");
    let line = |id: &str, rest: &str, kind: &str, data: &str| {
        format!(
            "{{\"id\":\"{id}\",{rest}\"type\":\"{kind}\",\"time\":\"2026-01-02T00:00:00Z\",\"account\":\"a\",\"data\":{data}}}\n"
        )
    };
    let order = |gross: u32| format!("{{\"order\":\"1\",\"gross\":{gross},\"currency\":\"EUR\"}}");
    let text = [
        line("A", "", "order.completed", &order(1)),
        line("K", "\"corrects\":\"A\",", "order.completed", &order(2)),
        line("B", "", "order.completed", &order(3)),
        line("R", "", "retracted", "{\"event\":\"B\"}"),
        line("C", "", "order.completed", &order(4)),
    ];
    let first = options(folder.path(), "events.ndjson", text.concat().as_bytes());
    let log = Memory::new(1);
    quiet(&first, &log).expect("first");
    let again = Options { replace: Some(Rules::new(0, stands)), ..first };
    let summary = quiet(&again, &log).expect("again");
    assert_eq!(summary.amended, Amended { unchanged: 1, ..Amended::default() });
    let ids: Vec<String> = log.events().into_iter().map(|event| event.id).collect();
    assert_eq!(ids, ["A", "B", "C", "K", "R", "A", "B", "K", "R"]);
}
