//! Which windows a change moves, and which open as time goes on.
//!
//! Kinds of window are numbers here, places in the list of all kinds that any metric has.

use std::collections::BTreeSet;

use crate::{
    calendar::{Calendar, DAY, HOUR, Kind, Time, Window},
    catalog::Per,
    map::Map,
    plan::Plan,
};

/// For how long after its end a window takes corrections; `None` is for ever.
///
/// Windows of an hour 35 days; windows of a day, and trailing ones, of which there is one a day, 3
/// years of 365 days; longer ones for ever. What was stored stays stored.
pub fn keep(kind: Kind) -> Option<Time> {
    match kind {
        Kind::Hour => Some(35 * 24 * HOUR),
        Kind::Day | Kind::Trailing(_) => Some(3 * 365 * DAY),
        _ => None,
    }
}

/// Whether the clock has passed the time in which the window takes corrections.
pub fn frozen(window: &Window, clock: Time) -> bool {
    keep(window.kind).is_some_and(|keep| clock >= window.end.saturating_add(keep))
}

/// The windows of a rollup.
#[derive(Debug)]
pub(super) struct Windows {
    calendar: Calendar,
    kinds: Vec<Kind>,
    /// Starts of the windows that a change moves: by kind, slice, and whether it carries on.
    moved: Map<(u16, Time, bool), Box<[Time]>>,
}

impl Windows {
    pub(super) fn new(plan: &Plan) -> Windows {
        let metrics = plan.metrics.iter().filter(|metric| metric.per == Per::Tenant);
        let kinds: BTreeSet<Kind> = metrics.flat_map(|metric| metric.kinds.iter().copied()).collect();
        Windows { calendar: plan.settings.calendar(), kinds: kinds.into_iter().collect(), moved: Map::default() }
    }

    /// All kinds with their numbers.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (u16, Kind)> + use<> {
        (0..).zip(self.kinds.clone())
    }

    /// The kind of a number.
    pub(super) fn kind(&self, number: u16) -> Kind {
        self.kinds[usize::from(number)]
    }

    /// The number of a kind.
    pub(super) fn number(&self, kind: Kind) -> u16 {
        let place = self.kinds.iter().position(|known| *known == kind).unwrap_or(self.kinds.len());
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    /// Start of the local day that holds `time`.
    pub(super) fn day(&mut self, time: Time) -> Time {
        self.calendar.window(Kind::Day, time).start
    }

    /// The window of a kind that starts at `start`.
    pub(super) fn starting(&mut self, kind: u16, start: Time) -> Window {
        let kind = self.kinds[usize::from(kind)];
        match kind {
            Kind::Trailing(days) => {
                let last = self.calendar.day(start) + i32::from(days) - 1;
                let at = self.calendar.midnight(last);
                self.calendar.window(kind, at)
            }
            kind => self.calendar.window(kind, start),
        }
    }

    /// Starts of the windows that a change at `slice` moves: those that hold it, or, where it
    /// carries on, all later ones. One that does not exist yet is looked at when it opens.
    pub(super) fn moved(&mut self, kind: u16, slice: Time, carries: bool, clock: Time) -> &[Time] {
        let Windows { calendar, kinds, moved } = self;
        moved.entry((kind, slice, carries)).or_insert_with(|| {
            let mut window = calendar.window(kinds[usize::from(kind)], slice);
            let mut starts = Vec::new();
            while window.opens <= clock.max(slice) {
                starts.push(window.start);
                window = calendar.next(&window);
                if !carries && window.start > slice {
                    break;
                }
            }
            starts.into()
        })
    }

    /// Forgets what was asked about the instant.
    pub(super) fn forget(&mut self) {
        self.moved.clear();
    }

    /// The windows of a kind that open after `previous`, up to `clock`.
    pub(super) fn opened(&mut self, kind: Kind, previous: Time, clock: Time) -> Vec<Window> {
        let first = self.calendar.window(kind, previous);
        self.after(first, clock)
    }

    /// The windows of a kind that exist at `clock` and end after `end`.
    pub(super) fn open(&mut self, kind: Kind, end: Time, clock: Time) -> Vec<Window> {
        let first = self.calendar.window(kind, end);
        let mut windows = vec![first];
        windows.append(&mut self.after(first, clock));
        windows.retain(|window| window.opens <= clock);
        windows
    }

    fn after(&mut self, mut window: Window, clock: Time) -> Vec<Window> {
        let mut windows = Vec::new();
        loop {
            window = self.calendar.next(&window);
            if window.opens > clock {
                return windows;
            }
            windows.push(window);
        }
    }
}
