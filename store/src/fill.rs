//! Fills a series in: windows in which nothing happened are not stored, a query shows them nevertheless.
//!
//! A window of an hour that had been past its keep by the first tick of all is null for that reason: what happened in it was
//! counted, not stored.
//!
//! Pure. A filled point has no revision; it is corrected if it carries a level that was, after its own window was final.
//! Every point is final by the clock (those of accounts are stored when they change, not once more when their window
//! closes). It does not know where windows begin: they are given, in order.

use std::{cmp::Ordering, ops::ControlFlow};

use crate::{Fill, Point, Result, Window, window::Kind};

/// How a series is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filling {
    /// Windows that have a point, in order.
    pub windows: Vec<Window>,
    /// The store's clock.
    pub clock_us: i64,
    /// A window is final this long after its end.
    pub grace_us: i64,
    /// What a filled point holds.
    pub fill: Fill,
    /// Why a filled value is null.
    pub reason: String,
    /// Windows of an hour that end up to here were past their keep before the first tick.
    pub past_us: i64,
}

/// Why the value of such a window is null.
pub const PAST_KEEP: &str = "past keep";

impl Filling {
    /// Gives the stored points and those of all other windows, in order.
    ///
    /// # Errors
    /// The visitor's.
    pub fn each(
        &self,
        stored: Vec<Point>,
        mut visit: impl FnMut(Point) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut last: Option<Point> = None;
        let mut stored = stored.into_iter().peekable();
        let mut windows = self.windows.iter().peekable();
        loop {
            let order = match (windows.peek(), stored.peek()) {
                (None, None) => return Ok(ControlFlow::Continue(())),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(window), Some(point)) => (**window).cmp(&point.window),
            };
            let window = if order.is_le() { windows.next() } else { None };
            let point = if order.is_ge() { stored.next() } else { None };
            if self.fill == Fill::Carry && point.is_some() {
                last.clone_from(&point);
            }
            let Some(point) = point.or_else(|| window.map(|window| self.point(*window, last.as_ref()))) else {
                return Ok(ControlFlow::Continue(()));
            };
            let is_final = point.is_final || self.is_final(&point.window, self.clock_us);
            let point = Point { is_final, ..point };
            if visit(point)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn is_final(&self, window: &Window, clock_us: i64) -> bool {
        window.end_us.is_some_and(|end| clock_us >= end.saturating_add(self.grace_us))
    }

    fn point(&self, window: Window, last: Option<&Point>) -> Point {
        let is_final = self.is_final(&window, self.clock_us);
        let blank = Point {
            window,
            value: None,
            num: None,
            den: None,
            revision_us: None,
            is_final,
            corrected: false,
            first: None,
            since_us: None,
            reason: String::new(),
        };
        if window.kind == Kind::Hour && window.end_us.is_some_and(|end| end <= self.past_us) {
            return Point { reason: PAST_KEEP.to_owned(), ..blank };
        }
        match (self.fill, last) {
            (Fill::Carry, Some(last)) => {
                let was_final = last.revision_us.is_some_and(|at| self.is_final(&window, at - 1));
                let corrected = last.corrected && was_final;
                let first = last.first.filter(|_| corrected);
                Point { window, revision_us: None, is_final, corrected, first, ..last.clone() }
            }
            (Fill::Zero, _) => Point { value: Some(0.0), ..blank },
            (Fill::Carry, None) if self.reason.is_empty() => Point { value: Some(0.0), ..blank },
            (Fill::Null | Fill::Carry, _) => Point { reason: self.reason.clone(), ..blank },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(start: i64, value: f64) -> Point {
        Point {
            window: Window::new(Kind::Day, start, start + 10),
            value: Some(value),
            num: Some("6".to_owned()),
            den: Some("2".to_owned()),
            revision_us: Some(99),
            is_final: true,
            corrected: true,
            first: None,
            since_us: Some(7),
            reason: String::new(),
        }
    }

    fn filled(fill: Fill, reason: &str, points: Vec<Point>) -> Vec<Point> {
        let windows = [0, 10, 20, 30].map(|start| Window::new(Kind::Day, start, start + 10)).to_vec();
        let filling = Filling { windows, clock_us: 32, grace_us: 2, fill, reason: reason.to_owned(), past_us: 99 };
        let mut all = Vec::new();
        let end = filling.each(points, |point| {
            all.push(point);
            Ok(ControlFlow::Continue(()))
        });
        assert!(end.unwrap().is_continue());
        all
    }

    fn values(points: &[Point]) -> Vec<(i64, Option<f64>)> {
        points.iter().map(|point| (point.window.start_us.unwrap(), point.value)).collect()
    }

    #[test]
    fn sums_are_zero_where_nothing_is_stored() {
        let all = filled(Fill::Zero, "", vec![stored(10, 3.0)]);
        assert_eq!(values(&all), [(0, Some(0.0)), (10, Some(3.0)), (20, Some(0.0)), (30, Some(0.0))]);
        assert_eq!(all[1], stored(10, 3.0), "a stored point stays as it is");
        assert_eq!(all.iter().map(|point| point.is_final).collect::<Vec<_>>(), [true, true, true, false]);
        assert!(all[0].revision_us.is_none() && all[0].num.is_none() && !all[0].corrected);
    }

    #[test]
    fn hours_that_were_past_their_keep_are_null() {
        for (fill, later) in [(Fill::Zero, Some(0.0)), (Fill::Carry, Some(3.0)), (Fill::Null, None)] {
            let windows = [0, 10, 20, 30].map(|start| Window::new(Kind::Hour, start, start + 10)).to_vec();
            let reason = if fill == Fill::Null { "no denominator" } else { "" }.to_owned();
            let filling = Filling { windows, clock_us: 32, grace_us: 2, fill, reason: reason.clone(), past_us: 20 };
            let point = Point { window: Window::new(Kind::Hour, 0, 10), ..stored(0, 3.0) };
            let mut all = Vec::new();
            let end = filling.each(vec![point], |point| {
                all.push((point.value, point.reason));
                Ok(ControlFlow::Continue(()))
            });
            assert!(end.unwrap().is_continue());
            let later = (later, reason);
            assert_eq!(all, [(Some(3.0), String::new()), (None, PAST_KEEP.to_owned()), later.clone(), later]);
        }
    }

    #[test]
    fn ratios_are_null_with_the_reason() {
        let all = filled(Fill::Null, "no denominator", vec![]);
        assert_eq!(values(&all), [(0, None), (10, None), (20, None), (30, None)]);
        assert!(all.iter().all(|point| point.reason == "no denominator"));
    }

    #[test]
    fn levels_carry_value_and_since_but_no_revision() {
        let all = filled(Fill::Carry, "", vec![stored(10, 3.0)]);
        assert_eq!(values(&all), [(0, Some(0.0)), (10, Some(3.0)), (20, Some(3.0)), (30, Some(3.0))]);
        assert_eq!((all[2].revision_us, all[2].since_us), (None, Some(7)));
        assert!(all[2].is_final && !all[3].is_final);
    }

    #[test]
    fn a_corrected_level_corrects_the_windows_that_were_final_before() {
        // That of 10 is final at 22, that of 20 at 32.
        let corrected = |revision: i64| {
            let point = Point { revision_us: Some(revision), ..stored(0, 3.0) };
            filled(Fill::Carry, "", vec![point]).iter().map(|point| point.corrected).collect::<Vec<_>>()
        };
        assert_eq!(corrected(22), [true, false, false, false]);
        assert_eq!(corrected(23), [true, true, false, false]);
        assert_eq!(corrected(99), [true, true, true, true]);
    }

    #[test]
    fn a_level_with_a_reason_is_null_before_its_first_point() {
        let all = filled(Fill::Carry, "not a customer", vec![stored(20, 3.0)]);
        assert_eq!(values(&all), [(0, None), (10, None), (20, Some(3.0)), (30, Some(3.0))]);
        assert_eq!((all[0].reason.as_str(), all[3].reason.as_str()), ("not a customer", ""));
    }

    #[test]
    fn points_outside_the_windows_are_kept_in_order() {
        let all = filled(Fill::Zero, "", vec![stored(-10, 1.0), stored(15, 2.0), stored(50, 3.0)]);
        assert_eq!(all.iter().map(|p| p.window.start_us.unwrap()).collect::<Vec<_>>(), [-10, 0, 10, 15, 20, 30, 50]);
    }
}
