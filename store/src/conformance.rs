//! What every store must do. A store's tests call [`all`] with a way to open both halves of an empty one.
//!
//! Each check gets a store of its own and panics where the store does not conform.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use crate::{
    Alert, AlertSelect, AlertState, Ask, Batch, Clock, Direction, Fill, MetricInfo, Point, Read, Row, Select, Series,
    Settings, Window, Write, Written, ask,
    window::{Kind, rfc3339},
};

/// A store under test: both halves of it, opened as often as asked for.
pub trait Subject {
    /// Opens the write half; the first call makes the store.
    fn writer(&self) -> Box<dyn Write>;
    /// Opens the read half of a store that is there.
    fn reader(&self) -> Box<dyn Read>;
}

/// Runs all checks, each on a store that `fresh` makes.
pub fn all<S: Subject>(fresh: impl Fn() -> S) {
    for check in [
        reads_back_what_was_written,
        keeps_the_highest_revision,
        writes_the_highest_revision_of_a_batch,
        keeps_series_apart,
        writes_nothing_of_a_bad_batch,
        holds_one_moment_until_refreshed,
        survives_reopening,
        keeps_clocks_growing,
        keeps_alerts_and_their_history,
        keeps_the_catalog,
        answers_with_every_window,
    ] {
        check(&fresh());
    }
}

const DAY_US: i64 = 86_400_000_000;

fn row(metric: &str, start_us: i64, revision_us: i64, value: f64) -> Row {
    Row {
        series: Arc::new(Series {
            tenant: "default".to_owned(),
            metric: metric.to_owned(),
            definition: format!("{metric}@1+0a"),
            unit: "count".to_owned(),
            ..Series::default()
        }),
        point: Point {
            window: Window::new(Kind::Day, start_us, start_us + DAY_US),
            value: Some(value),
            num: None,
            den: None,
            revision_us: Some(revision_us),
            is_final: false,
            corrected: false,
            since_us: None,
            reason: String::new(),
        },
    }
}

fn metric(name: &str, fill: Fill) -> MetricInfo {
    MetricInfo {
        name: name.to_owned(),
        definition: format!("{name}@1+0a"),
        title: name.to_uppercase(),
        description: "two\nlines, \"quoted\"".to_owned(),
        unit: "count".to_owned(),
        windows: vec![Kind::Day, Kind::Trailing(30), Kind::ToDate],
        by: vec![vec![], vec!["plan".to_owned()]],
        per_account: false,
        fill,
        fill_reason: "no denominator".to_owned(),
        maturity_us: 0,
        additive: fill == Fill::Zero,
        group: if fill == Fill::Zero { "sales" } else { "" }.to_owned(),
        direction: (fill == Fill::Zero).then_some(Direction::Down),
    }
}

fn rows_of(read: &dyn Read, select: &Select) -> Vec<Row> {
    let mut rows = Vec::new();
    let end = read.series(select, &mut |series, points| {
        let series = Arc::new(series);
        rows.extend(points.into_iter().map(|point| Row { series: series.clone(), point }));
        Ok(ControlFlow::Continue(()))
    });
    end.expect("the store reads");
    rows
}

fn total(metric: &str) -> Select {
    Select {
        tenant: "default".to_owned(),
        metric: metric.to_owned(),
        definition: format!("{metric}@1+0a"),
        kind: Kind::Day,
        by: vec![],
        filter: vec![],
        account: None,
    }
}

fn write(write: &mut dyn Write, rows: Vec<Row>) -> Written {
    write.write(&Batch { rows, ..Batch::default() }).expect("the store writes")
}

fn values(rows: &[Row]) -> Vec<Option<f64>> {
    rows.iter().map(|row| row.point.value).collect()
}

fn reads_back_what_was_written(subject: &dyn Subject) {
    let mut full = row("orders", 0, 7, 2.5);
    Arc::make_mut(&mut full.series).account = Some("a\u{1f}1".to_owned());
    Arc::make_mut(&mut full.series).currency = "EUR".to_owned();
    Arc::make_mut(&mut full.series).dimensions = BTreeMap::from([("plan".to_owned(), "\"gold\", ü".to_owned())]);
    full.point = Point {
        num: Some("-123456789012345678901234567890".to_owned()),
        den: Some("2".to_owned()),
        is_final: true,
        corrected: true,
        since_us: Some(-5),
        ..full.point
    };
    let mut null = row("orders", DAY_US, 8, 0.0);
    null.series = full.series.clone();
    null.point.value = None;
    null.point.reason = "no denominator".to_owned();
    let mut to_date = full.clone();
    to_date.point.window = Window::to_date();
    write(&mut *subject.writer(), vec![null.clone(), full.clone(), to_date.clone()]);
    let read = subject.reader();
    let by_plan = Select { by: vec!["plan".to_owned()], ..total("orders") };
    assert_eq!(rows_of(&*read, &by_plan), [full, null]);
    assert_eq!(rows_of(&*read, &Select { kind: Kind::ToDate, ..by_plan }), [to_date]);
    assert_eq!(rows_of(&*read, &total("orders")), []);
}

fn keeps_the_highest_revision(subject: &dyn Subject) {
    let mut writer = subject.writer();
    assert_eq!(write(&mut *writer, vec![row("orders", 0, 5, 1.0)]), Written { applied: 1, superseded: 0 });
    assert_eq!(write(&mut *writer, vec![row("orders", 0, 4, 2.0)]), Written { applied: 0, superseded: 1 });
    assert_eq!(values(&rows_of(&*subject.reader(), &total("orders"))), [Some(1.0)], "a lower revision changes nothing");
    write(&mut *writer, vec![row("orders", 0, 5, 3.0)]);
    assert_eq!(values(&rows_of(&*subject.reader(), &total("orders"))), [Some(3.0)], "an equal one is written again");
    write(&mut *writer, vec![row("orders", 0, 6, 4.0)]);
    assert_eq!(values(&rows_of(&*subject.reader(), &total("orders"))), [Some(4.0)], "a higher one replaces");
}

fn writes_the_highest_revision_of_a_batch(subject: &dyn Subject) {
    let batch = vec![
        row("orders", 0, 5, 1.0),
        row("orders", 0, 9, 2.0),
        row("orders", DAY_US, 1, 7.0),
        row("orders", 0, 7, 3.0),
        row("orders", 0, 9, 4.0),
    ];
    assert_eq!(write(&mut *subject.writer(), batch), Written { applied: 2, superseded: 3 });
    assert_eq!(values(&rows_of(&*subject.reader(), &total("orders"))), [Some(4.0), Some(7.0)]);
}

fn keeps_series_apart(subject: &dyn Subject) {
    let mut rows = vec![row("orders", 0, 1, 1.0); 6];
    Arc::make_mut(&mut rows[1].series).tenant = "other".to_owned();
    Arc::make_mut(&mut rows[2].series).definition = "orders@2+0b".to_owned();
    Arc::make_mut(&mut rows[3].series).currency = "USD".to_owned();
    Arc::make_mut(&mut rows[4].series).account = Some("a".to_owned());
    Arc::make_mut(&mut rows[5].series).dimensions = BTreeMap::from([("plan".to_owned(), String::new())]);
    assert_eq!(write(&mut *subject.writer(), rows).applied, 6);
    let read = subject.reader();
    assert_eq!(rows_of(&*read, &total("orders")).len(), 3, "currency and account are not selected by");
    let account = Select { account: Some("a".to_owned()), ..total("orders") };
    assert_eq!(rows_of(&*read, &account).len(), 1);
    let dollars = Select { filter: vec![("currency".to_owned(), "USD".to_owned())], ..total("orders") };
    assert_eq!(rows_of(&*read, &dollars).len(), 1);
    let by = Select { by: vec!["plan".to_owned()], ..total("orders") };
    assert_eq!(rows_of(&*read, &by).len(), 1);
    let groups = |by: &[String]| read.groups("default", &metric("orders", Fill::Zero), by).expect("the store reads");
    assert_eq!((groups(&by.by), groups(&[])), (1, 1), "groups have no currency and no account");
    assert_eq!(rows_of(&*read, &Select { filter: vec![("plan".to_owned(), "gold".to_owned())], ..by }).len(), 0);
    assert_eq!(rows_of(&*read, &Select { tenant: "other".to_owned(), ..total("orders") }).len(), 1);
}

fn writes_nothing_of_a_bad_batch(subject: &dyn Subject) {
    let mut bad = row("orders", DAY_US, 1, 1.0);
    bad.point.revision_us = None;
    let mut writer = subject.writer();
    let batch = Batch { rows: vec![row("orders", 0, 1, 1.0), bad], ..Batch::default() };
    let error = writer.write(&batch).expect_err("a row without a revision is refused");
    assert_eq!(error.kind(), crate::Kind::Reject);
    assert_eq!(rows_of(&*subject.reader(), &total("orders")), []);
}

fn holds_one_moment_until_refreshed(subject: &dyn Subject) {
    let mut writer = subject.writer();
    write(&mut *writer, vec![row("orders", 0, 1, 1.0)]);
    let mut read = subject.reader();
    assert_eq!(values(&rows_of(&*read, &total("orders"))), [Some(1.0)]);
    write(&mut *writer, vec![row("orders", 0, 2, 2.0)]);
    assert_eq!(values(&rows_of(&*read, &total("orders"))), [Some(1.0)], "writes do not show, and do not wait");
    read.refresh().expect("the store reads");
    assert_eq!(values(&rows_of(&*read, &total("orders"))), [Some(2.0)]);
}

fn survives_reopening(subject: &dyn Subject) {
    write(&mut *subject.writer(), vec![row("orders", 0, 1, 1.0)]);
    write(&mut *subject.writer(), vec![row("orders", 0, 2, 2.0), row("orders", DAY_US, 2, 3.0)]);
    assert_eq!(values(&rows_of(&*subject.reader(), &total("orders"))), [Some(2.0), Some(3.0)]);
}

fn keeps_clocks_growing(subject: &dyn Subject) {
    let clock = |partition, at_us| Clock { topic: "metrics.orders.v1".to_owned(), partition, at_us, since_us: Some(3) };
    let mut writer = subject.writer();
    for clocks in [vec![clock(0, 5), clock(1, 9), clock(0, 7)], vec![clock(1, 8)]] {
        writer.write(&Batch { clocks, ..Batch::default() }).expect("the store writes");
    }
    assert_eq!(subject.reader().clocks().expect("the store reads"), [clock(0, 7), clock(1, 9)]);
}

fn keeps_alerts_and_their_history(subject: &dyn Subject) {
    let fired = Alert {
        tenant: "default".to_owned(),
        rule: "silent_90d".to_owned(),
        account: Some("7".to_owned()),
        dimensions: BTreeMap::new(),
        metric: "silence".to_owned(),
        state: AlertState::Firing,
        since_us: 90,
        at_us: 100,
        value: Some(90.0),
        evidence: "[]".to_owned(),
    };
    let resolved = Alert { state: AlertState::Resolved, since_us: 200, at_us: 200, value: None, ..fired.clone() };
    let other = Alert { account: None, at_us: 50, ..fired.clone() };
    let mut writer = subject.writer();
    for alerts in [vec![fired.clone(), resolved.clone(), other.clone()], vec![fired.clone(), resolved.clone()]] {
        writer.write(&Batch { alerts, ..Batch::default() }).expect("the store writes");
    }
    let read = subject.reader();
    let all = AlertSelect::default();
    assert_eq!(read.alerts(&all).expect("the store reads"), [other.clone(), resolved.clone()]);
    assert_eq!(read.transitions(&all).expect("the store reads"), [other.clone(), fired, resolved.clone()]);
    let firing = AlertSelect { state: Some(AlertState::Firing), ..all.clone() };
    assert_eq!(read.alerts(&firing).expect("the store reads"), [other]);
    let one = AlertSelect { account: Some("7".to_owned()), rule: Some("silent_90d".to_owned()), ..all };
    assert_eq!(read.alerts(&one).expect("the store reads"), [resolved]);
    let none = AlertSelect { rule: Some("no such rule".to_owned()), ..all };
    assert_eq!(read.alerts(&none).expect("the store reads"), []);
}

fn keeps_the_catalog(subject: &dyn Subject) {
    let mut writer = subject.writer();
    let settings = Settings {
        time_zone: "Europe/Berlin".to_owned(),
        week_start: jiff::civil::Weekday::Sunday,
        fiscal_year_start: 4,
        allowed_lateness_us: 5,
        keep_us: 6,
        dimension_values_max: 7,
    };
    let catalog = vec![metric("orders", Fill::Zero), metric("events", Fill::Carry), metric("csat", Fill::Null)];
    writer.describe(&[metric("gone", Fill::Zero)], &Settings::default()).expect("the store writes");
    writer.describe(&catalog, &settings).expect("the store writes");
    let read = subject.reader();
    assert_eq!(read.catalog().expect("the store reads"), catalog);
    assert_eq!(read.settings().expect("the store reads"), settings);
}

fn answers_with_every_window(subject: &dyn Subject) {
    let mut writer = subject.writer();
    let catalog = [metric("orders", Fill::Zero), metric("events", Fill::Zero), metric("csat", Fill::Null)];
    writer.describe(&catalog, &Settings::default()).expect("the store writes");
    let mut gold = row("orders", 2 * DAY_US, 9, 2.0);
    Arc::make_mut(&mut gold.series).dimensions = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
    let clocks = vec![Clock { topic: "metrics.orders.v1".to_owned(), partition: 0, at_us: 4 * DAY_US, since_us: None }];
    let rows = vec![row("events", DAY_US, 9, 3.0), row("orders", 2 * DAY_US, 9, 2.0), gold];
    writer.write(&Batch { rows, clocks, ..Batch::default() }).expect("the store writes");
    let read = subject.reader();
    let question = Ask {
        tenant: "default".to_owned(),
        metric: "orders".to_owned(),
        window: Some("1d".to_owned()),
        ..Ask::default()
    };
    assert_eq!(answer(&*read, &question), ["02 0", "03 2", "04 0", "05 0"]);
    let by_plan = Ask { by: vec!["plan".to_owned()], ..question.clone() };
    assert_eq!(answer(&*read, &by_plan), ["02 0", "03 2", "04 0", "05 0"], "a group goes back as far as the tenant");
    let ranged = Ask { from: Some("1970-01-03".to_owned()), to: Some("1970-01-05".to_owned()), ..question.clone() };
    assert_eq!(answer(&*read, &ranged), ["03 2", "04 0"]);
    let csat = Ask { metric: "csat".to_owned(), ..question };
    assert_eq!(answer(&*read, &csat), ["02 null", "03 null", "04 null", "05 null"], "nothing happened yet");
}

fn answer(read: &dyn Read, question: &Ask) -> Vec<String> {
    let mut lines = Vec::new();
    let end = ask(read, question, &mut |row| {
        let day = rfc3339(row.point.window.start_us.unwrap_or_default());
        let value = row.point.value.map_or("null".to_owned(), |value| value.to_string());
        lines.push(format!("{} {value}", &day[8..10]));
        Ok(ControlFlow::Continue(()))
    });
    end.expect("the question can be answered");
    lines
}
