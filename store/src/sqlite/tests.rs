//! The suite, what is particular to SQLite, and a measurement.

use std::{fs, sync::Arc, thread};

use tempfile::TempDir;

use super::*;
use crate::{Batch, Fill, Point, Read, Row, Select, Series, Settings, Window, Write, conformance, window::Kind};

struct Folder(Arc<TempDir>);

impl Folder {
    fn new() -> Self {
        Self(Arc::new(TempDir::new().unwrap()))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data").join(FILE)
    }
}

impl conformance::Subject for Folder {
    fn writer(&self) -> Box<dyn Write> {
        Box::new(Writer::open(&self.path()).unwrap())
    }

    fn reader(&self) -> Box<dyn Read> {
        Box::new(Reader::open(&self.path()).unwrap())
    }
}

fn row(account: usize, window: i64, revision_us: i64) -> Row {
    Row {
        series: Arc::new(Series {
            tenant: "default".to_owned(),
            metric: "account_value".to_owned(),
            definition: "account_value@1+0123456789abcdef".to_owned(),
            currency: "USD".to_owned(),
            account: Some(format!("customer-{account}")),
            unit: "money".to_owned(),
            ..Series::default()
        }),
        point: Point {
            window: Window::new(Kind::Day, window * 86_400_000_000, (window + 1) * 86_400_000_000),
            value: Some(12.5),
            num: Some("25".to_owned()),
            den: Some("2".to_owned()),
            revision_us: Some(revision_us),
            is_final: false,
            corrected: false,
            first: None,
            since_us: Some(1),
            reason: String::new(),
        },
    }
}

fn message<T>(result: Result<T>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn conforms() {
    conformance::all(Folder::new);
}

#[test]
fn a_missing_store_is_not_made_by_a_reader() {
    let folder = Folder::new();
    let said = message(Reader::open(&folder.path()));
    assert!(said.contains("there is no store at"), "{said}");
    assert!(!folder.path().exists());
}

#[test]
fn a_newer_store_is_refused_by_both_halves() {
    let folder = Folder::new();
    let writer = Writer::open(&folder.path()).unwrap();
    writer.db.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    drop(writer);
    for said in [message(Writer::open(&folder.path())), message(Reader::open(&folder.path()))] {
        assert!(said.contains("newer version (schema 4, this one reads up to 3)"), "{said}");
    }
}

#[test]
fn a_damaged_store_is_refused() {
    let folder = Folder::new();
    drop(Writer::open(&folder.path()).unwrap());
    fs::write(folder.path(), b"this is no database, whatever its name says").unwrap();
    for said in [message(Writer::open(&folder.path())), message(Reader::open(&folder.path()))] {
        assert!(said.contains("is damaged ("), "{said}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    Connection::open(folder.path()).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let before = fs::read(folder.path()).unwrap();
    assert!(message(Writer::open(&folder.path())).contains("not one of vitals"));
    assert_eq!(fs::read(folder.path()).unwrap(), before);
}

#[test]
fn a_store_that_was_described_before_there_were_groups_says_none() {
    let folder = Folder::new();
    let mut writer = Writer::open(&folder.path()).unwrap();
    let metric = MetricInfo {
        name: "orders".to_owned(),
        definition: "orders@1+0a".to_owned(),
        title: "Orders".to_owned(),
        description: String::new(),
        unit: "count".to_owned(),
        windows: vec![Kind::Day],
        by: vec![Vec::new()],
        per_account: false,
        fill: Fill::Zero,
        fill_reason: String::new(),
        maturity_us: 0,
        additive: true,
        group: "sales".to_owned(),
        direction: Some(Direction::Up),
    };
    writer.describe(std::slice::from_ref(&metric), &Settings::default()).unwrap();
    assert_eq!(Reader::open(&folder.path()).unwrap().catalog().unwrap(), std::slice::from_ref(&metric));
    writer.db.execute("DELETE FROM meta WHERE key IN ('people', 'additive')", []).unwrap();
    let older = MetricInfo { additive: false, group: String::new(), direction: None, ..metric };
    assert_eq!(Reader::open(&folder.path()).unwrap().catalog().unwrap(), [older]);
}

#[test]
fn a_reader_cannot_write_and_does_not_stop_a_writer() {
    let folder = Folder::new();
    let mut writer = Writer::open(&folder.path()).unwrap();
    let reader = Reader::open(&folder.path()).unwrap();
    assert!(reader.db.execute("DELETE FROM meta", []).is_err());
    writer.write(&Batch { rows: vec![row(1, 1, 1)], ..Batch::default() }).unwrap();
}

#[test]
fn readers_see_whole_batches_while_another_connection_writes() {
    let folder = Folder::new();
    drop(Writer::open(&folder.path()).unwrap());
    let path = folder.path();
    let writing = thread::spawn(move || {
        let mut writer = Writer::open(&path).unwrap();
        for revision in 1..=50 {
            let rows = (0..40).map(|account| row(account, 1, revision)).collect();
            writer.write(&Batch { rows, ..Batch::default() }).unwrap();
        }
    });
    let select = Select {
        tenant: "default".to_owned(),
        metric: "account_value".to_owned(),
        definition: "account_value@1+0123456789abcdef".to_owned(),
        kind: Kind::Day,
        by: vec![],
        filter: vec![],
        account: None,
        span: crate::Span::default(),
    };
    let mut reader = Reader::open(&folder.path()).unwrap();
    let mut last = 0;
    while last < 50 {
        reader.refresh().unwrap();
        let mut revisions = Vec::new();
        reader
            .series(&select, &mut |_, points| {
                revisions.extend(points.iter().filter_map(|point| point.revision_us));
                Ok(std::ops::ControlFlow::Continue(()))
            })
            .unwrap();
        assert!(revisions.is_empty() || revisions.len() == 40, "half a batch: {revisions:?}");
        assert!(revisions.windows(2).all(|pair| pair[0] == pair[1]), "two batches mixed: {revisions:?}");
        let seen = revisions.first().copied().unwrap_or(0);
        assert!(seen >= last, "went back from {last} to {seen}");
        last = seen;
    }
    writing.join().unwrap();
}

#[test]
fn a_pool_shares_a_bounded_number_of_readers_that_see_what_is_stored_now() {
    let folder = Folder::new();
    let pool = Arc::new(Pool::new(&folder.path(), 2));
    let missing: Result<()> = pool.read(|_| Ok(()));
    assert!(message(missing).contains("there is no store at"), "it may come later");
    let mut writer = Writer::open(&folder.path()).unwrap();
    for revision in 1..=3 {
        let rows = vec![row(usize::try_from(revision).unwrap(), 1, revision)];
        writer.write(&Batch { rows, ..Batch::default() }).unwrap();
        let count = || {
            pool.read(|read| {
                Ok::<_, Error>(
                    read.db.query_row("SELECT count(*) FROM points", [], |row| row.get::<_, i64>(0)).unwrap(),
                )
            })
        };
        assert_eq!(count().unwrap(), revision);
    }
    let at_work = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (pool, at_work) = (pool.clone(), at_work.clone());
            thread::spawn(move || {
                pool.read(|_| {
                    let now = at_work.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    thread::sleep(Duration::from_millis(5));
                    at_work.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    Ok::<_, Error>(now)
                })
            })
        })
        .collect();
    let most = threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).max();
    assert_eq!(most, Some(2));
}

#[test]
fn an_older_store_is_refused_by_both_halves() {
    let folder = Folder::new();
    let writer = Writer::open(&folder.path()).unwrap();
    writer.db.pragma_update(None, "user_version", SCHEMA - 1).unwrap();
    drop(writer);
    for said in [message(Writer::open(&folder.path())), message(Reader::open(&folder.path()))] {
        assert!(said.contains("older version (schema 2, this one reads 3)"), "{said}");
    }
}

#[test]
fn the_views_are_pleasant() {
    let folder = Folder::new();
    let mut writer = Writer::open(&folder.path()).unwrap();
    writer.write(&Batch { rows: vec![row(1, 1, 1_500_000)], ..Batch::default() }).unwrap();
    let line: String = writer
        .db
        .query_row(
            "SELECT concat_ws(' ', metric, window, start, \"end\", dimensions, account, currency, value, num, den, unit,
             revision, final, corrected, since, definition, ifnull(reason, '-')) FROM metrics_readable",
            [],
            |row| row.get(0),
        )
        .unwrap();
    expect_test::expect![[r#"account_value 1d 1970-01-02T00:00:00Z 1970-01-03T00:00:00Z {} customer-1 USD 12.5 25 2 money 1970-01-01T00:00:01.500000Z 0 0 1970-01-01T00:00:00.000001Z account_value@1+0123456789abcdef -"#]]
    .assert_eq(&line);
    for view in ["alerts_readable", "alert_transitions_readable"] {
        writer.db.query_row(&format!("SELECT count(*) FROM {view}"), [], |row| row.get::<_, i64>(0)).unwrap();
    }
}

/// `cargo test --release --workspace upserts_a_second -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn upserts_a_second() {
    for (name, accounts, span) in [("20 k series, growing", 20_000, 30), ("200 k series, uniform", 200_000, 1)] {
        let folder = Folder::new();
        let mut writer = Writer::open(&folder.path()).unwrap();
        let (mut next, mut total) = (1_u64, Duration::ZERO);
        let batches = 100;
        for batch in 0..batches {
            let rows: Vec<_> = (0..10_000)
                .map(|_| {
                    next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    row(
                        usize::try_from(next >> 33).unwrap() % accounts,
                        i64::from(batch * span / batches),
                        i64::from(batch),
                    )
                })
                .collect();
            let batch = Batch { rows, ..Batch::default() };
            let start = std::time::Instant::now();
            writer.write(&batch).unwrap();
            total += start.elapsed();
        }
        let size = fs::metadata(folder.path()).unwrap().len() / 1_000_000;
        println!("{name}: {:.0} rows/s, {size} MB", f64::from(batches * 10_000) / total.as_secs_f64());
    }
}
