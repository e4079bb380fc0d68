//! Which windows a change moves, and which open as time goes on.
//!
//! Kinds of window are numbers here, places in the list of all kinds that any metric has. A window is known by its kind
//! and the instant from which it exists, which no two of a kind share (trailing ones may begin together, where the zone
//! skipped a day).

use std::collections::BTreeSet;

use crate::{
    calendar::{Calendar, Day, Kind, Time, Window},
    catalog::Per,
    map::Map,
    plan::Plan,
};

/// The windows of a rollup.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) calendar: Calendar,
    kinds: Vec<Kind>,
    /// For how long after its end a window of an hour takes corrections.
    keep: Time,
    /// Windows that hold a slice: by kind and slice.
    holding: Map<(u16, Time), Box<[Time]>>,
}

impl Windows {
    pub(super) fn new(plan: &Plan) -> Windows {
        let metrics = plan.metrics.iter().filter(|metric| metric.per == Per::Tenant);
        let kinds: BTreeSet<Kind> = metrics.flat_map(|metric| metric.kinds.iter().copied()).collect();
        Windows {
            calendar: plan.settings.calendar(),
            kinds: kinds.into_iter().collect(),
            keep: plan.settings.keep,
            holding: Map::default(),
        }
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
        let place = self.kinds.iter().position(|known| *known == kind).expect("every kind of a metric is listed");
        u16::try_from(place).expect("there are at most 737 kinds of window")
    }

    /// Whether the clock has passed the time in which the window takes corrections: windows of an hour have such a time
    /// (the setting `keep`), longer ones take them for ever.
    pub(super) fn frozen(&self, window: &Window, clock: Time) -> bool {
        window.kind == Kind::Hour && clock >= window.end.saturating_add(self.keep)
    }

    /// Start of the local day that holds `time`.
    pub(super) fn day(&mut self, time: Time) -> Time {
        self.calendar.window(Kind::Day, time).start
    }

    /// Start of the first slice that begins at or after `time`.
    pub(super) fn slice_from(&mut self, time: Time) -> Time {
        let hour = self.calendar.window(Kind::Hour, time);
        if hour.start == time { time } else { hour.end }
    }

    /// Start of the local day that lies `days` after the first one that begins at or after `time`.
    pub(super) fn lagged(&mut self, time: Time, days: u16) -> Time {
        let day = self.calendar.day(time);
        let first = if self.calendar.midnight(day) == time { day } else { day + 1 };
        self.calendar.midnight(first + Day::from(days)).max(time)
    }

    /// The windows of a kind that hold any of `[from, to)` and exist at `clock`, by when they open.
    pub(super) fn meeting(&mut self, kind: u16, (from, to): (Time, Time), clock: Time) -> Vec<Time> {
        let mut window = self.opening(kind, from);
        let mut opens = Vec::new();
        while window.opens <= clock && window.start < to {
            opens.push(window.opens);
            window = self.calendar.next(&window);
        }
        opens
    }

    /// The window of a kind that exists from `opens` on.
    pub(super) fn opening(&mut self, kind: u16, opens: Time) -> Window {
        self.calendar.window(self.kinds[usize::from(kind)], opens)
    }

    /// The windows that hold a slice and exist at `clock`, by when they open. One that does not exist yet is looked at when
    /// it opens.
    pub(super) fn holding(&mut self, kind: u16, slice: Time, clock: Time) -> &[Time] {
        let Windows { calendar, kinds, holding, .. } = self;
        holding.entry((kind, slice)).or_insert_with(|| {
            let mut window = calendar.window(kinds[usize::from(kind)], slice);
            let mut opens = Vec::new();
            while window.opens <= clock.max(slice) && window.start <= slice {
                opens.push(window.opens);
                window = calendar.next(&window);
            }
            opens.into()
        })
    }

    /// The windows of a kind from the first that holds `from` on, as far as they exist at `clock`, by when they open.
    pub(super) fn since(&mut self, kind: u16, from: Time, clock: Time) -> Vec<Time> {
        let mut window = self.opening(kind, from);
        let mut opens = Vec::new();
        while window.opens <= clock {
            opens.push(window.opens);
            window = self.calendar.next(&window);
        }
        opens
    }

    /// Forgets what was asked about the instant.
    pub(super) fn forget(&mut self) {
        self.holding.clear();
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
