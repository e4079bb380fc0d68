//! Between the core and the wire: partials and snapshots.

use processor_core::calendar::{Kind, Time, Window};
use proto::v1;

/// Seconds hold every slice: zones change at whole seconds.
pub(crate) const MICROS: i64 = 1_000_000;

/// The row of a slice: 64-bit where it fits.
pub(crate) fn slice(start: Time, row: &[i128]) -> v1::SlicePartial {
    let columns: Option<Vec<i64>> = row.iter().map(|value| i64::try_from(*value).ok()).collect();
    let wide = match &columns {
        Some(_) => Vec::new(),
        None => row.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    v1::SlicePartial { start_s: start.div_euclid(MICROS), columns: columns.unwrap_or_default(), wide: wide.into() }
}

/// The row that a partial carries.
pub(crate) fn row(partial: &v1::SlicePartial) -> Vec<i128> {
    if partial.wide.is_empty() {
        return partial.columns.iter().map(|value| i128::from(*value)).collect();
    }
    let wide = partial.wide.chunks_exact(16);
    wide.map(|bytes| i128::from_le_bytes(bytes.try_into().unwrap_or_default())).collect()
}

/// A window on the wire.
pub(crate) fn window(window: &Window) -> v1::Window {
    let bounded = window.kind != Kind::ToDate;
    v1::Window {
        kind: window.kind.to_string(),
        start_us: bounded.then_some(window.start),
        end_us: bounded.then_some(window.end),
    }
}
