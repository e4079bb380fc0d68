//! Windows in the tenant's calendar: the same for the engine, for readers and for the oracle.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use processor_core::calendar::{Calendar, Kind, Time};
use store::window;

/// Zones whose clocks do unusual things, each with an instant shortly before one of them.
const ZONES: [(&str, &str); 11] = [
    ("UTC", "2026-02-25T11:17:00Z"),
    ("Europe/Berlin", "2018-10-20T11:17:00Z"),
    ("Asia/Kolkata", "2018-10-20T11:17:00Z"),
    // Half an hour of daylight saving.
    ("Australia/Lord_Howe", "2018-10-01T11:17:00Z"),
    // Daylight saving begins at midnight, which is no time of that day.
    ("America/Sao_Paulo", "2018-10-30T11:17:00Z"),
    ("Asia/Beirut", "2022-03-20T11:17:00Z"),
    ("Africa/Cairo", "2023-04-20T11:17:00Z"),
    // Clocks that go back over midnight.
    ("America/St_Johns", "2010-10-30T11:17:00Z"),
    // A day that never was, and one that was twice.
    ("Pacific/Apia", "2011-12-20T11:17:00Z"),
    ("Pacific/Kwajalein", "1993-08-10T11:17:00Z"),
    ("Pacific/Kwajalein", "1969-09-20T11:17:00Z"),
];

const KINDS: [&str; 7] = ["1h", "1d", "1w", "1mo", "1q", "1y", "trailing 30d"];

fn instant(text: &str) -> Time {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// Bounds of the windows that the engine cuts from the one that holds `from` on.
fn of_engine(calendar: &mut Calendar, kind: &str, from: Time, count: usize) -> Vec<(Time, Time)> {
    let kind: Kind = kind.parse().unwrap();
    let mut window = calendar.window(kind, from);
    let mut found = Vec::new();
    for _ in 0..count {
        found.push((window.start, window.end));
        window = calendar.next(&window);
    }
    found
}

#[test]
fn readers_fill_in_exactly_the_windows_of_the_engine() {
    for (zone, from) in ZONES {
        for (week_start, fiscal_year_start) in [(Weekday::Monday, 1), (Weekday::Sunday, 4), (Weekday::Saturday, 12)] {
            let settings = store::Settings {
                time_zone: zone.to_owned(),
                week_start,
                fiscal_year_start,
                ..store::Settings::default()
            };
            let readers = window::Calendar::of(&settings).unwrap();
            let mut engine = Calendar::new(TimeZone::get(zone).unwrap(), week_start, fiscal_year_start);
            for kind in KINDS {
                let expected = of_engine(&mut engine, kind, instant(from), 300);
                let clock = expected.last().unwrap().1 - 1;
                let windows = readers.windows(kind.parse().unwrap(), instant(from), clock).unwrap();
                let found: Vec<_> = windows.iter().map(|w| (w.start_us.unwrap(), w.end_us.unwrap())).collect();
                let different = found.iter().zip(&expected).find(|(found, expected)| found != expected);
                assert_eq!(different, None, "{zone} {kind} {week_start:?} {fiscal_year_start}: (readers, engine)");
                assert_eq!(found.len(), expected.len(), "{zone} {kind}");
            }
        }
    }
}
