use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::calendar::DAY;

/// Centre, low, high.
fn range(values: &[f64]) -> (f64, f64, f64) {
    let usual = Usual::of(values).unwrap();
    (usual.centre(), usual.low(), usual.high())
}

fn days(values: &[Option<f64>]) -> Vec<Seen> {
    let ends = (1..).map(|day| day * DAY);
    ends.zip(values).map(|(end, value)| Seen { end, value: *value, is_final: true }).collect()
}

fn utc() -> Calendar {
    Calendar::new(TimeZone::UTC, Weekday::Monday, 1)
}

#[test]
fn centre_and_bounds_are_those_worked_out_by_hand() {
    // Sum 88, differences 7 x 2: 11 -+ 2.66 x 2.
    assert_eq!(range(&[10.0, 12.0, 10.0, 12.0, 10.0, 12.0, 10.0, 12.0]), (11.0, 5.68, 16.32));
    // Sum 55, differences 9 x 1: 5.5 -+ 2.66.
    assert_eq!(range(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]), (5.5, 2.84, 8.16));
    // Sum 600, differences 200 + 6 x 0: 75 -+ 2.66 x 200 / 7 = 76.
    assert_eq!(range(&[-100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0]), (75.0, -1.0, 151.0));
    // Quarters: sum 3, differences 0.25 x 7: 0.375 -+ 0.665.
    assert_eq!(range(&[0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5]), (0.375, -0.29, 1.04));
}

#[test]
fn seven_values_give_no_range_and_eight_do() {
    assert_eq!(Usual::of(&[1.0; 7]), None);
    assert_eq!(range(&[1.0; 8]), (1.0, 1.0, 1.0));
    assert_eq!(Usual::of(&[f64::INFINITY; 8]), None);
}

#[test]
fn bounds_are_inside_and_the_next_double_is_not() {
    // 25 -+ 2.66 x 50: bounds that are doubles.
    let usual = Usual::of(&[0.0, 50.0, 0.0, 50.0, 0.0, 50.0, 0.0, 50.0]).unwrap();
    assert_eq!((usual.low(), usual.high()), (-108.0, 158.0));
    let values = [(-108.0_f64).next_down(), -108.0, 25.0, 158.0, 158.0_f64.next_up()];
    let sides = values.map(|value| usual.side(value));
    assert_eq!(sides, [Ordering::Less, Ordering::Equal, Ordering::Equal, Ordering::Equal, Ordering::Greater]);
}

#[test]
fn what_never_changed_is_usual_whatever_its_digits() {
    // In doubles, eleven times 0.1 by eleven is not 0.1.
    assert_ne!([0.1; 11].iter().sum::<f64>() / 11.0, 0.1);
    for count in VALUES_MIN..=WINDOWS {
        for value in [0.1, 1.0 / 3.0, -7.3, 1e-250, 1e300, f64::MAX, 0.0] {
            let usual = Usual::of(&vec![value; count]).unwrap();
            assert_eq!((usual.centre(), usual.low(), usual.high()), (value, value, value), "{count} times {value}");
            assert_eq!(usual.side(value), Ordering::Equal, "{count} times {value}");
        }
        assert_eq!(Usual::of(&vec![0.1; count]).unwrap().side(0.1_f64.next_up()), Ordering::Greater);
    }
}

#[test]
fn values_far_outside_have_their_side() {
    let usual = Usual::of(&[1.0; 8]).unwrap();
    assert_eq!([f64::MAX, -f64::MAX].map(|value| usual.side(value)), [Ordering::Greater, Ordering::Less]);
    let zero = Usual::of(&[0.0; 8]).unwrap();
    assert_eq!([1e-9, -1e-9].map(|value| zero.side(value)), [Ordering::Greater, Ordering::Less]);
}

#[test]
fn the_good_direction_decides_the_word() {
    let usual = Usual::of(&[1.0; 8]).unwrap();
    let words = |direction| [0.0, 1.0, 2.0].map(|value| usual.verdict(value, direction).name());
    assert_eq!(words(Some(Direction::Up)), ["worse", "usual", "better"]);
    assert_eq!(words(Some(Direction::Down)), ["better", "usual", "worse"]);
    assert_eq!(words(None), ["lower", "usual", "higher"]);
}

#[test]
fn nulls_are_left_out_of_the_last_24_windows() {
    // 30 windows, every third null: of the last 24 before day 30 (days 6 to 29), 16 have a value.
    let values: Vec<Option<f64>> = (1..=30_u8).map(|day| (day % 3 != 0).then(|| f64::from(day))).collect();
    let usual = Usual::before(Kind::Day, 30 * DAY, &days(&values), &mut utc()).unwrap();
    let left: Vec<f64> = values[5..29].iter().flatten().copied().collect();
    assert_eq!((left.len(), Some(usual)), (16, Usual::of(&left)));
    // 7, 8, 10, 11, ... 28, 29: their mean is 18; of 15 differences 8 are 1 and 7 are 2.
    assert_eq!((usual.centre(), usual.high()), (18.0, 18.0 + 2.66 * 22.0 / 15.0));

    // A third of them only, 8 of 24: just enough. One null more, and there is none.
    let mut few: Vec<Option<f64>> = (0..25_u8).map(|day| (day % 3 == 0).then_some(1.0)).collect();
    few[24] = Some(9.0);
    assert_eq!(few[..24].iter().flatten().count(), 8);
    assert_eq!(Usual::before(Kind::Day, 25 * DAY, &days(&few), &mut utc()).map(|usual| usual.centre()), Some(1.0));
    few[0] = None;
    assert_eq!(Usual::before(Kind::Day, 25 * DAY, &days(&few), &mut utc()), None);
}

#[test]
fn windows_that_are_not_final_and_later_ones_do_not_count() {
    let mut seen = days(&[Some(1.0); 12]);
    seen[9].is_final = false;
    seen[9].value = Some(100.0);
    seen[10].value = Some(1_000.0);
    let centre = |end| Usual::before(Kind::Day, end * DAY, &seen, &mut utc()).map(|usual| usual.centre());
    assert_eq!(centre(11), Some(1.0), "nine final ones before, and one that is open");
    assert_eq!(centre(9), Some(1.0));
    assert_eq!(centre(8), None, "the window itself is not one of those before it");
    assert_eq!(centre(12), Some((9.0 + 1_000.0) / 10.0));
}

#[test]
fn trailing_windows_step_by_their_length() {
    // Windows of 3 days that end on each of 40 days, with the number of the day as value.
    let seen = days(&(1..=40_u8).map(|day| Some(f64::from(day))).collect::<Vec<_>>());
    let usual = Usual::before(Kind::Trailing(3), 40 * DAY, &seen, &mut utc()).unwrap();
    // 37, 34, ... 1: thirteen values around 19, each 3 from the next.
    assert_eq!((usual.count, usual.centre(), usual.high()), (13, 19.0, 26.98));
    let few = Usual::before(Kind::Trailing(5), 40 * DAY, &seen, &mut utc());
    assert_eq!(few, None, "35, 30, ... 5 are seven");
}

#[test]
fn trailing_windows_go_by_dates_where_the_zone_skipped_a_day() {
    // Samoa had no 2011-12-30: no window ends with it, and thirty days before 2012-01-28 is the end of that date.
    let mut samoa = Calendar::new(TimeZone::get("Pacific/Apia").unwrap(), Weekday::Monday, 1);
    let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
    let first = samoa.day(at("2011-05-01T00:00:00Z"));
    let mut ends: Vec<Time> = (first..first + 280).map(|day| samoa.midnight(day)).collect();
    ends.dedup();
    assert_eq!(ends.len(), 279);
    let seen: Vec<Seen> = ends.iter().map(|end| Seen { end: *end, value: Some(1.0), is_final: true }).collect();
    let shown = samoa.midnight(first + 279);
    let found = apart(30, shown, &seen, &mut samoa);
    let expected: Vec<Time> = (1..=9).map(|times| samoa.midnight(first + 279 - 30 * times)).collect();
    assert_eq!(found.iter().map(|seen| seen.end).collect::<Vec<_>>(), expected);
}

proptest! {
    #[test]
    fn it_is_what_doubles_come_near(values in prop::collection::vec(-1e9_f64..1e9, 8..24), value in -1e10_f64..1e10) {
        let usual = Usual::of(&values).unwrap();
        let count = values.len() as f64;
        let centre = values.iter().sum::<f64>() / count;
        let half = 2.66 * values.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum::<f64>() / (count - 1.0);
        prop_assert!((usual.centre() - centre).abs() < 1e-3 && (usual.high() - centre - half).abs() < 1e-3);
        let inside = (value - centre).abs() <= half;
        prop_assert_eq!(usual.side(value) == Ordering::Equal, inside);
        let mut reversed = values;
        reversed.reverse();
        prop_assert_eq!(Usual::of(&reversed), Some(usual));
    }
}
