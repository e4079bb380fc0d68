//! Rows as last published: what a new value is compared with.
//!
//! Invariants: every row that is not final is held, so that it is known when it becomes final; others may be evicted after
//! a flush and are supplied again when a correction comes to them. A row is held small (some 60 bytes): a group has one for
//! each metric and window, of `trailing 30d` alone thirty.

use std::collections::BTreeMap;

use super::{Key, Published, published};
use crate::{calendar::Time, map::Map};

/// The rows that are held.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// By window, then line: an instant goes through the rows window by window, which then are near each other.
    held: BTreeMap<(u16, Time), Map<u32, Held>>,
    /// Number of rows held.
    count: usize,
    /// Number of rows that changed since the last flush.
    dirty: usize,
    /// Rows that are not final, by when they will be.
    open: BTreeMap<Time, Vec<Key>>,
    reasons: Reasons,
}

/// The rows of one window, taken out while it is gone through.
#[derive(Debug)]
pub(super) struct Shown(Map<u32, Held>);

impl Shown {
    pub(super) fn get(&self, line: u32) -> Option<&Packed> {
        self.0.get(&line).map(|held| &held.row)
    }
}

#[derive(Debug)]
struct Held {
    row: Packed,
    /// Whether it changed since the last flush.
    dirty: bool,
}

/// A row, small.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Packed {
    value: Option<f64>,
    ratio: Ratio,
    reason: u16,
    pub(super) is_final: bool,
    pub(super) corrected: bool,
}

/// Nearly all numerators and denominators fit 64 bits.
#[derive(Debug, Clone, PartialEq)]
enum Ratio {
    None,
    Short(i64, i64),
    Long(Box<(i128, i128)>),
}

impl Packed {
    /// Appends the encoding of the row, as [`Published::decode`] reads it.
    fn encode(&self, reasons: &Reasons, out: &mut Vec<u8>) {
        let ratio = self.ratio.unpack();
        published::encode(self.value, ratio, self.is_final, self.corrected, reasons.text(self.reason), out);
    }

    fn unpack(&self, reasons: &Reasons) -> Published {
        Published {
            value: self.value,
            ratio: self.ratio.unpack(),
            reason: reasons.text(self.reason).to_owned(),
            is_final: self.is_final,
            corrected: self.corrected,
        }
    }

    /// The bits of the value: another sign of zero is another value.
    pub(super) fn bits(&self) -> Option<u64> {
        self.value.map(f64::to_bits)
    }
}

impl Ratio {
    fn unpack(&self) -> Option<(i128, i128)> {
        match self {
            Ratio::None => None,
            Ratio::Short(num, den) => Some((i128::from(*num), i128::from(*den))),
            Ratio::Long(both) => Some(**both),
        }
    }
}

/// Texts of reasons by number, 0 for none: a catalog has few.
#[derive(Debug, Default)]
struct Reasons(Vec<Box<str>>);

impl Reasons {
    fn number(&mut self, reason: &str) -> u16 {
        if reason.is_empty() {
            return 0;
        }
        let place = self.0.iter().position(|known| known.as_ref() == reason).unwrap_or_else(|| {
            self.0.push(reason.into());
            self.0.len() - 1
        });
        u16::try_from(place + 1).expect("a catalog has fewer than 65,536 reasons")
    }

    fn text(&self, number: u16) -> &str {
        number.checked_sub(1).map_or("", |place| &self.0[usize::from(place)])
    }
}

impl Rows {
    pub(super) fn pack(&mut self, row: &Published) -> Packed {
        let ratio = match row.ratio {
            None => Ratio::None,
            Some((num, den)) => match (i64::try_from(num), i64::try_from(den)) {
                (Ok(num), Ok(den)) => Ratio::Short(num, den),
                _ => Ratio::Long(Box::new((num, den))),
            },
        };
        Packed {
            value: row.value,
            ratio,
            reason: self.reasons.number(&row.reason),
            is_final: row.is_final,
            corrected: row.corrected,
        }
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.held.get(&(key.kind, key.opens)).is_some_and(|rows| rows.contains_key(&key.line))
    }

    /// Takes the rows of a window out, of which so many are looked at; they go back with [`Rows::put_back`].
    pub(super) fn take(&mut self, kind: u16, opens: Time, looked_at: usize) -> Shown {
        let mut rows = self.held.get_mut(&(kind, opens)).map(std::mem::take).unwrap_or_default();
        if rows.is_empty() {
            rows.reserve(looked_at);
        }
        Shown(rows)
    }

    pub(super) fn put_back(&mut self, kind: u16, opens: Time, rows: Shown) {
        if !rows.0.is_empty() {
            self.held.insert((kind, opens), rows.0);
        }
    }

    /// Takes a row from storage.
    pub(super) fn supply(&mut self, key: Key, final_at: Time, row: &Published) {
        let row = self.pack(row);
        if !row.is_final {
            self.open.entry(final_at).or_default().push(key);
        }
        let rows = self.held.entry((key.kind, key.opens)).or_default();
        self.count += usize::from(rows.insert(key.line, Held { row, dirty: false }).is_none());
    }

    /// Keeps a changed row among those of its window, and remembers when it becomes final.
    pub(super) fn put(&mut self, shown: &mut Shown, key: Key, final_at: Time, row: Packed) {
        let is_final = row.is_final;
        let before = shown.0.insert(key.line, Held { row, dirty: true });
        self.count += usize::from(before.is_none());
        // A row that was open before is in `open` already.
        if !is_final && before.as_ref().is_none_or(|held| held.row.is_final) {
            self.open.entry(final_at).or_default().push(key);
        }
        self.dirty += usize::from(before.is_none_or(|held| !held.dirty));
    }

    /// Marks a row as final, and answers what it shows; `None` if it was final before.
    pub(super) fn finish(&mut self, shown: &mut Shown, line: u32) -> Option<Published> {
        let Held { row, dirty } = shown.0.get_mut(&line).filter(|held| !held.row.is_final)?;
        row.is_final = true;
        self.dirty += usize::from(!std::mem::replace(dirty, true));
        Some(row.unpack(&self.reasons))
    }

    /// Rows that become final by `clock`.
    pub(super) fn due(&mut self, clock: Time) -> impl Iterator<Item = Key> {
        let later = self.open.split_off(&clock.saturating_add(1));
        std::mem::replace(&mut self.open, later).into_values().flatten()
    }

    /// Number of rows that changed since the last flush.
    pub(super) fn dirty(&self) -> usize {
        self.dirty
    }

    /// Hands out the encodings of the rows that changed since the last call, window by window; those of a window by the
    /// number that `order` gives to their line.
    pub(super) fn flush<E>(
        &mut self,
        order: impl Fn(u32) -> u32,
        mut each: impl FnMut(u16, Time, u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Rows { held, dirty, reasons, .. } = self;
        let (mut changed, mut bytes) = (Vec::new(), Vec::new());
        for ((kind, opens), rows) in held {
            changed.clear();
            changed.extend(rows.iter_mut().filter(|(_, held)| held.dirty).map(|(line, held)| (order(*line), held)));
            changed.sort_unstable_by_key(|(line, _)| *line);
            for (line, held) in &mut changed {
                held.dirty = false;
                bytes.clear();
                held.row.encode(reasons, &mut bytes);
                each(*kind, *opens, *line, &bytes)?;
            }
        }
        *dirty = 0;
        Ok(())
    }

    /// With more than `keep` rows held, evicts those that are final and calls `evicted` for each. After a flush.
    pub(super) fn evict(&mut self, keep: usize, mut evicted: impl FnMut(Key)) {
        if self.count <= keep {
            return;
        }
        self.count = 0;
        self.held.retain(|(kind, opens), rows| {
            rows.retain(|line, held| {
                if held.row.is_final {
                    evicted(Key { kind: *kind, opens: *opens, line: *line });
                }
                !held.row.is_final
            });
            self.count += rows.len();
            !rows.is_empty()
        });
    }
}
