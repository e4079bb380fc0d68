//! What every store must do. A store's tests call [`all`] with a way to open both halves of an empty one.
//!
//! Each check gets a store of its own and panics where the store does not conform.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use crate::{
    AccountSelect, AccountSort, Alert, AlertSelect, AlertState, Ask, Batch, Clock, Direction, Fill, MetricInfo, Point,
    Read, Row, Select, Series, Settings, Span, Window, Write, Written,
    account::{Band, Contribution, Roles, Seen},
    ask,
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
        remembers_what_was_published_before_a_correction,
        keeps_series_apart,
        writes_nothing_of_a_bad_batch,
        holds_one_moment_until_refreshed,
        survives_reopening,
        keeps_clocks_growing,
        keeps_alerts_and_their_history,
        keeps_the_catalog,
        answers_with_every_window,
        reads_the_span_and_the_last_point_before_it,
        answers_with_the_newest_windows_alone,
        lists_accounts_in_every_order,
        compares_scores_with_those_of_days_ago,
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
            first: None,
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
        span: Span::default(),
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
        first: None,
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

fn remembers_what_was_published_before_a_correction(subject: &dyn Subject) {
    let at = |revision_us, value, corrected| {
        let mut row = row("orders", 0, revision_us, value);
        row.point.corrected = corrected;
        row
    };
    let firsts = |subject: &dyn Subject| {
        let rows = rows_of(&*subject.reader(), &total("orders"));
        rows.iter().map(|row| (row.point.value, row.point.first)).collect::<Vec<_>>()
    };
    let mut writer = subject.writer();
    write(&mut *writer, vec![at(1, 1.0, false), at(2, 2.0, false)]);
    assert_eq!(firsts(subject), [(Some(2.0), None)]);
    write(&mut *writer, vec![at(3, 3.0, true)]);
    assert_eq!(firsts(subject), [(Some(3.0), Some(2.0))]);
    write(&mut *writer, vec![at(3, 3.0, true), at(5, 5.0, true), at(4, 4.0, true)]);
    assert_eq!(firsts(subject), [(Some(5.0), Some(2.0))], "it is the first one that is remembered");

    let next_day = |mut row: Row| {
        row.point.window = Window::new(Kind::Day, DAY_US, 2 * DAY_US);
        row
    };
    let rows = [at(1, 1.0, false), at(2, 2.0, false), at(3, 3.0, true), at(4, 4.0, true)].map(next_day);
    assert_eq!(write(&mut *writer, rows.to_vec()), Written { applied: 1, superseded: 3 });
    assert_eq!(firsts(subject)[1], (Some(4.0), Some(2.0)), "in one batch, too");
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
    let before = read.changes().expect("the store reads");
    write(&mut *writer, vec![row("orders", 0, 2, 2.0)]);
    assert_eq!(values(&rows_of(&*read, &total("orders"))), [Some(1.0)], "writes do not show, and do not wait");
    assert_eq!(read.changes().expect("the store reads"), before);
    read.refresh().expect("the store reads");
    assert_ne!(read.changes().expect("the store reads"), before, "what was answered before may be wrong now");
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
        about: crate::About { id: "f00d".to_owned(), owner: "East desk".to_owned(), ..crate::About::default() },
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
    let one = AlertSelect { account: Some("7".to_owned()), rule: Some("silent_90d".to_owned()), ..all.clone() };
    assert_eq!(read.alerts(&one).expect("the store reads"), [resolved]);
    let named = AlertSelect { id: Some("f00d".to_owned()), ..all.clone() };
    assert_eq!(read.alerts(&named).expect("the store reads").len(), 2);
    let unknown = AlertSelect { id: Some("beef".to_owned()), ..all.clone() };
    assert_eq!(read.transitions(&unknown).expect("the store reads"), []);
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
        roles: Roles {
            score: Some("health_score".to_owned()),
            bands: vec![Band { name: "healthy".to_owned(), from: 70 }],
            ..Roles::default()
        },
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

fn reads_the_span_and_the_last_point_before_it(subject: &dyn Subject) {
    let mut rows: Vec<Row> =
        (0..4).map(|day| row("orders", day * DAY_US, 1, f64::from(i32::try_from(day).unwrap_or(0)))).collect();
    // Trailing windows are selected by their end.
    rows.extend((0..4).map(|day| {
        let mut row = row("orders", 0, 1, f64::from(i32::try_from(day).unwrap_or(0)));
        row.point.window = Window::new(Kind::Trailing(30), (day - 30) * DAY_US, day * DAY_US);
        row
    }));
    write(&mut *subject.writer(), rows);
    let read = subject.reader();
    let of = |kind, from: i64, to: i64, with_last_before| {
        let span = Span { from_us: from * DAY_US, to_us: to * DAY_US, with_last_before };
        values(&rows_of(&*read, &Select { kind, span, ..total("orders") }))
    };
    for kind in [Kind::Day, Kind::Trailing(30)] {
        assert_eq!(of(kind, 1, 3, false), [Some(1.0), Some(2.0)], "{kind}: the end is not included");
        assert_eq!(of(kind, 2, 9, true), [Some(1.0), Some(2.0), Some(3.0)], "{kind}");
        assert_eq!(of(kind, 9, 10, true), [Some(3.0)], "{kind}: nothing in the span, and the level before");
        assert_eq!(of(kind, -5, 0, true), [], "{kind}");
    }
    let mut seen = 0;
    let none = Select { span: Span { from_us: 90 * DAY_US, ..Span::default() }, ..total("orders") };
    let visited = read.series(&none, &mut |_, points| {
        assert!(points.is_empty(), "{points:?}");
        seen += 1;
        Ok(ControlFlow::Continue(()))
    });
    visited.expect("the store reads");
    assert_eq!(seen, 1, "a series is known whether or not it has points in the span");
}

fn answers_with_the_newest_windows_alone(subject: &dyn Subject) {
    let mut writer = subject.writer();
    let mut level = metric("customers", Fill::Carry);
    level.fill_reason.clear();
    writer.describe(&[metric("events", Fill::Zero), level], &Settings::default()).expect("the store writes");
    let clocks = vec![Clock { topic: "metrics.x.v1".to_owned(), partition: 0, at_us: 9 * DAY_US + 5, since_us: None }];
    let rows = vec![row("events", 0, 9, 3.0), row("customers", 2 * DAY_US, 9, 2.0)];
    writer.write(&Batch { rows, clocks, ..Batch::default() }).expect("the store writes");
    let read = subject.reader();
    let newest = |metric: &str, newest| Ask {
        tenant: "default".to_owned(),
        metric: metric.to_owned(),
        window: Some("1d".to_owned()),
        newest: Some(newest),
        ..Ask::default()
    };
    assert_eq!(answer(&*read, &newest("events", 2)), ["09 0", "10 0"], "up to the one that is open");
    assert_eq!(answer(&*read, &newest("customers", 3)), ["08 2", "09 2", "10 2"], "a level carries over from before");
    let ended = Ask { to: Some("1970-01-04".to_owned()), ..newest("customers", 2) };
    assert_eq!(answer(&*read, &ended), ["02 0", "03 2"]);
    assert_eq!(answer(&*read, &newest("events", u32::MAX)).len(), 10);
}

fn seen(account: &str, metric: &str, day: i64, value: Option<f64>) -> (Row, Seen) {
    let mut row = row(metric, day * DAY_US, 100 + day, value.unwrap_or_default());
    Arc::make_mut(&mut row.series).account = Some(account.to_owned());
    row.point.value = value;
    let of = Seen {
        series: row.series.clone(),
        window: row.point.window,
        value,
        reason: if value.is_none() { "not a customer".to_owned() } else { String::new() },
        revision_us: 100 + day,
        caused_us: Some(day * 7),
        contributions: vec![Contribution { component: "usage".to_owned(), tenths: 5 }],
        projection: Vec::new(),
        traits: BTreeMap::from([
            ("owner".to_owned(), format!("desk of {account}")),
            ("plan".to_owned(), "gold".to_owned()),
        ]),
    };
    (row, of)
}

fn with_scores(writer: &mut dyn Write, of: impl IntoIterator<Item = (Row, Seen)>, clock_us: i64) {
    let roles = Roles { score: Some("score".to_owned()), value: Some("value".to_owned()), ..Roles::default() };
    writer
        .describe(&[metric("score", Fill::Carry)], &Settings { roles, ..Settings::default() })
        .expect("the store writes");
    let (rows, accounts) = of.into_iter().unzip();
    let clocks = vec![Clock { topic: "t".to_owned(), partition: 0, at_us: clock_us, since_us: None }];
    writer.write(&Batch { rows, accounts, clocks, ..Batch::default() }).expect("the store writes");
}

fn lists_accounts_in_every_order(subject: &dyn Subject) {
    let mut writer = subject.writer();
    let of = (0..9).map(|at| {
        let score = (at != 4).then(|| f64::from(at % 3) * 30.0);
        seen(&format!("a{at}"), "score", 1, score)
    });
    with_scores(&mut *writer, of, DAY_US);
    let read = subject.reader();
    for sort in AccountSort::ALL {
        let mut select = AccountSelect { tenant: "default".to_owned(), sort, limit: 2, ..AccountSelect::default() };
        let (mut names, mut scores) = (Vec::new(), Vec::new());
        loop {
            let page = read.accounts(&select).expect("the store reads");
            assert_eq!(page.total, 9);
            names.extend(page.accounts.iter().map(|account| account.account.clone()));
            scores.extend(page.accounts.iter().map(|account| account.score));
            let Some(next) = page.next else { break };
            select.after = Some(next);
        }
        let mut each = names.clone();
        each.sort();
        each.dedup();
        assert_eq!((names.len(), each.len()), (9, 9), "{sort:?}: pages have every account once: {names:?}");
        let known: Vec<f64> = scores.iter().flatten().copied().collect();
        match sort {
            AccountSort::Score => assert!(known.is_sorted() && scores[8].is_none(), "{scores:?}"),
            AccountSort::ScoreDescending => {
                assert!(known.iter().rev().is_sorted() && scores[8].is_none(), "{scores:?}")
            }
            _ => {}
        }
    }
    let count = |select: AccountSelect| {
        let select = AccountSelect { tenant: "default".to_owned(), limit: 100, ..select };
        read.accounts(&select).expect("the store reads").total
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(count(AccountSelect { owner: text("desk of a3"), ..AccountSelect::default() }), 1);
    assert_eq!(count(AccountSelect { text: text("A3"), ..AccountSelect::default() }), 1);
    assert_eq!(count(AccountSelect { scores: Some((30.0, 60.0)), ..AccountSelect::default() }), 2);
    let gold = vec![("plan".to_owned(), "gold".to_owned())];
    assert_eq!(count(AccountSelect { traits: gold, ..AccountSelect::default() }), 9);
    let odd = vec![("pl\"an'$.".to_owned(), "gold".to_owned())];
    assert_eq!(count(AccountSelect { traits: odd, ..AccountSelect::default() }), 0);
    let bands = [("good", 60), ("bad", 0)].map(|(name, from)| Band { name: name.to_owned(), from });
    assert_eq!(read.bands("default", &bands).expect("the store reads"), [(3, 0), (5, 0)]);
}

fn compares_scores_with_those_of_days_ago(subject: &dyn Subject) {
    let mut writer = subject.writer();
    let score = |read: &dyn Read| {
        let select = AccountSelect { tenant: "default".to_owned(), limit: 9, ..AccountSelect::default() };
        let page = read.accounts(&select).expect("the store reads");
        page.accounts.iter().map(|account| (account.score, account.before)).collect::<Vec<_>>()
    };
    with_scores(&mut *writer, [seen("a", "score", 3, Some(80.0)), seen("a", "score", 9, Some(50.0))], 20 * DAY_US);
    assert_eq!(score(&*subject.reader()), [(Some(50.0), None)], "it had no score then");
    with_scores(&mut *writer, [], 33 * DAY_US);
    assert_eq!(score(&*subject.reader()), [(Some(50.0), Some(80.0))], "of the day 30 days before");
    with_scores(&mut *writer, [seen("a", "score", 2, Some(70.0))], 33 * DAY_US);
    assert_eq!(score(&*subject.reader()), [(Some(50.0), Some(80.0))], "an older window is neither now nor then");
    with_scores(&mut *writer, [seen("a", "score", 34, None)], 40 * DAY_US);
    assert_eq!(score(&*subject.reader()), [(None, Some(50.0))], "no customer any more");
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
