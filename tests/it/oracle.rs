//! Every metric, window and dimension against the oracle.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    io::BufReader,
    ops::ControlFlow,
    process::Stdio,
};

use oracle::{
    Options, Settings, Truth,
    calendar::Kind,
    diff::Comparison,
    read::{self, Log},
    row::Row,
    settings::Signs,
    truth,
};
use processor_core::catalog::BUILT_IN;
use store::{Point, Read as _, Select, sqlite};

use crate::{
    answers::{STORED, each_answer},
    cdnow,
    data::Data,
    fleet, generated,
};

/// What must stand in a data directory: the rows of the questions that its catalog answers.
pub(crate) fn expected(data: &Data, settings: &Settings) -> Truth {
    let settings = Settings { meaningful: meaningful(BUILT_IN), ..settings.clone() };
    let mut truth = truth(&log(data), &settings).unwrap();
    let catalog = sqlite::Reader::open(&data.path().join(sqlite::FILE)).unwrap().catalog().unwrap();
    let catalog: HashMap<&str, &store::MetricInfo> =
        catalog.iter().map(|metric| (metric.name.as_str(), metric)).collect();
    truth.only(|row| catalog.get(row.metric).is_some_and(|metric| asked(metric, row)));
    truth
}

/// The log of a data directory, as the program prints it.
fn log(data: &Data) -> Log {
    let mut program = data.command(["events", "--ticks"]).stdout(Stdio::piped()).spawn().unwrap();
    let log = read::log(BufReader::new(program.stdout.take().unwrap())).unwrap();
    assert!(program.wait().unwrap().success());
    log
}

/// Whether the catalog has the question that a row answers.
fn asked(metric: &store::MetricInfo, row: &Row) -> bool {
    let by: Vec<&str> = row.group.iter().map(|(by, _)| by.name()).collect();
    let of_accounts = metric.per_account;
    let window = row.window.kind.name();
    metric.windows.iter().any(|kind| kind.to_string() == window)
        && row.account.is_some() == of_accounts
        && (of_accounts || metric.by.iter().any(|set| *set == by))
}

/// What a catalog takes for signs of life.
pub(crate) fn meaningful(catalog: &str) -> Signs {
    let list = catalog.lines().find_map(|line| line.strip_prefix("meaningful:"));
    list.map_or(Signs::ALL, Signs::named)
}

/// Fails unless every answer is the oracle's; returns how many rows were compared.
#[track_caller]
pub(crate) fn assert_true(data: &Data, context: &str) -> usize {
    assert_equal(data, &expected(data, &Settings::default()), context)
}

/// The same with other settings of the oracle.
#[track_caller]
pub(crate) fn assert_true_with(data: &Data, settings: &Settings, context: &str) -> usize {
    assert_equal(data, &expected(data, settings), context)
}

/// The same, with what is expected.
#[track_caller]
pub(crate) fn assert_equal(data: &Data, truth: &Truth, context: &str) -> usize {
    let mut comparison = Comparison::of(truth, Options { limit: 3, only_present: true });
    let asked = each_answer(data, |answer| answer.lines().for_each(|line| comparison.line(line).unwrap()));
    let report = comparison.end();
    let mut shown = Vec::new();
    report.print(&mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    let levels: usize = STORED.iter().map(|metric| levels(data, truth, metric)).sum();
    eprintln!("{context}: {asked} queries, {}; {levels} levels of accounts", shown.lines().last().unwrap_or_default());
    let not_asked = truth.rows.iter().filter(|row| STORED.contains(&row.metric) && !row.optional).count();
    assert_eq!((report.wrong(), report.skipped), (0, not_asked), "{context}\n{shown}");
    report.equal
}

/// Compares the points of a level of accounts as they are stored, not as a query fills them in; returns how many there
/// are, 0 if the catalog does not have it.
fn levels(data: &Data, truth: &Truth, metric: &str) -> usize {
    let reader = sqlite::Reader::open(&data.path().join(sqlite::FILE)).unwrap();
    let Some(info) = reader.catalog().unwrap().into_iter().find(|info| info.name == metric) else { return 0 };
    assert_eq!(info.windows.len(), 1, "{metric}");
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == info.windows[0].to_string()).unwrap();
    let select = Select {
        tenant: "default".to_owned(),
        metric: info.name,
        definition: info.definition,
        kind: info.windows[0],
        by: Vec::new(),
        filter: Vec::new(),
        account: None,
        span: store::Span::default(),
    };
    let (mut stored, mut met, mut differences) = (0, HashSet::new(), String::new());
    let mut compare = |series: store::Series, points: Vec<Point>| {
        let (account, currency) = (series.account.as_deref(), Some(series.currency.as_str()));
        let currency = currency.filter(|currency| !currency.is_empty());
        let wanted = truth.series(&oracle::row::Series { metric, group: None, account, currency, kind });
        stored += points.len();
        for point in points {
            let rows = &truth.rows[wanted.clone()];
            let place = rows.binary_search_by_key(&point.window.end_us, |row| Some(row.window.end));
            met.extend(place.map(|place| wanted.start + place));
            if !is_level(metric, rows, place, &point) {
                let known = place.map(|place| &rows[place]);
                let _ = writeln!(differences, "{metric} {account:?} {currency:?}: {point:?}, expected {known:?}");
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    reader.series(&select, &mut compare).unwrap();
    for (place, row) in truth.rows.iter().enumerate().filter(|(_, row)| row.metric == metric && !row.optional) {
        if !met.contains(&place) {
            let _ = writeln!(differences, "missing: {row:?}");
        }
    }
    assert_eq!(differences, "");
    stored
}

/// Whether a stored point is what the rows of its series say, where the row of its window is or would be.
fn is_level(metric: &str, rows: &[Row], place: Result<usize, usize>, point: &Point) -> bool {
    let said = (point.value, point.since_us);
    let carried = || carried(&rows[..place.unwrap_or_else(|place| place)]).contains(&said);
    match place.map(|place| &rows[place]) {
        Ok(row) => level(row) == said || row.optional && carried(),
        // What was taken back stays stored, restated as what went before it. Sums of a day carry over to no other day.
        Err(_) if metric.ends_with("_mrr") => said.0 == Some(0.0),
        Err(_) => carried(),
    }
}

/// Value and cause.
type Level = (Option<f64>, Option<i64>);

fn level(row: &Row) -> Level {
    (row.answer.value(), row.since)
}

/// What may stand where nothing changed: the last row before, and the last one before that must be there.
fn carried(before: &[Row]) -> Vec<Level> {
    let mut found = Vec::new();
    for row in before.iter().rev() {
        found.push(level(row));
        if !row.optional {
            return found;
        }
    }
    // Nothing before: no customer yet.
    found.extend([(None, None), (Some(0.0), None)]);
    found
}

fn generated_events(seed: u64) {
    let data = Data::new();
    let file = data.file("events.ndjson", generated::events(seed, 5_000, 120, 400));
    data.import(&file, &["--order", "file"]).done();
    let equal = assert_true(&data, &format!("seed {seed}"));
    assert!(equal > 30_000, "only {equal} rows were compared");
}

#[test]
fn generated_events_of_seed_2() {
    generated_events(2);
}

#[test]
fn generated_events_of_seed_3() {
    generated_events(3);
}

#[test]
fn generated_events_of_seed_4() {
    generated_events(4);
}

/// What must stand, of what [`with_windows`] measures, if it is not what would stand if nothing were ever frozen.
#[track_caller]
fn bounded(data: &Data, windows: &str, settings: Settings) -> Truth {
    let unbounded = expected(data, &Settings { keep: i64::MAX, ..settings.clone() });
    let mut truth = expected(data, &settings);
    measured(&mut truth, windows);
    let corrected: HashSet<String> = unbounded.rows.iter().map(|row| row.json().unwrap().to_string()).collect();
    let frozen = truth.rows.iter().filter(|row| !corrected.contains(&row.json().unwrap().to_string())).count();
    assert!(frozen > 100, "only {frozen} frozen rows lack a correction: the test shows too little");
    truth
}

/// Leaves the rows of what [`with_windows`] measures.
pub(crate) fn measured(truth: &mut Truth, windows: &str) {
    truth.rows.retain(|row: &Row| {
        let window = row.window.kind.name();
        let dimension = row.group.as_ref().map_or("", |(by, _)| by.name());
        (windows.contains(window) || row.account.is_some()) && ["", "plan", "product", "band"].contains(&dimension)
    });
}

/// A directory with the built-in catalog, by few dimensions, with these windows and settings.
pub(crate) fn with_windows(windows: &str, settings: &str) -> Data {
    let data = Data::new();
    // Costs are spread by day: by the hour, those of an earlier window mean nothing.
    // Goals are about windows that are not here.
    let catalog = fleet::built_in(|name| name != "customer_acquisition_cost_lag" && !name.starts_with("goal_"))
        .replace("[1d, 1w, 1mo, 1q, 1y, trailing 30d]", windows)
        .replace("[[], [plan], [segment], [region]", "[[], [plan]")
        .replace("[channel], [source], [product]]", "[product]]");
    // What else tells leads, deals and tickets apart.
    let others = ["[source], [owner]", "[stage], [kind], [owner]", "[kind], [owner]", "[channel], [topic]"];
    let catalog = others.iter().fold(catalog, |catalog, by| catalog.replace(&format!("[plan], {by}]"), "[plan]]"));
    assert!(catalog.contains(windows) && !catalog.contains("[region]") && !catalog.contains("[channel]"), "{catalog}");
    let catalog = data.file("catalog.yaml", catalog);
    data.config(&format!("[settings]\n{settings}catalog = \"{}\"\n", catalog.display()))
}

/// Imports late events, then those of a time long past.
fn import_late(data: &Data, late: &[u8], later: &[u8], tick: &str) {
    for events in [late, later] {
        let file = data.file("events.ndjson", events);
        data.import(&file, &["--order", "file", "--tick", tick]).done();
    }
}

#[test]
fn events_years_late_change_every_day() {
    let data = with_windows("[1d, 1mo, trailing 30d]", "");
    import_late(
        &data,
        &generated::late_events(5, 1_500, 30, 1_500, 1_460),
        &generated::late_events(6, 100, 30, 60, 30),
        "1d",
    );
    let mut truth = expected(&data, &Settings::default());
    measured(&mut truth, "[1d, 1mo, trailing 30d]");
    assert_equal(&data, &truth, "years late");
}

#[test]
fn events_weeks_late_change_no_hour_past_its_keep() {
    let windows = "[1h, 1d, 1w]";
    let data = with_windows(windows, "keep = \"35d\"\n");
    import_late(&data, &generated::late_events(7, 500, 15, 80, 75), &generated::late_events(8, 80, 15, 20, 30), "6h");
    let settings = Settings { hours: true, keep: 35 * 86_400_000_000, ..Settings::default() };
    assert_equal(&data, &bounded(&data, windows, settings), "weeks late");
}

#[test]
fn cdnow_sample() {
    let Some(file) = cdnow::file("CDNOW_sample.txt") else { return };
    let data = Data::new();
    let run = data.import(&file, &["--mapping", cdnow::SAMPLE]).done();
    run.says(&[
        "6919 lines: 6919 accepted, 0 rejected",
        "6919 counted (6919 on time, 0 late), 0 duplicate, 0 conflict, 0 quarantined",
    ]);
    let equal = assert_true(&data, "sample");
    assert!(equal > 10_000, "only {equal} rows were compared");
}
