//! Rows as last published: what a new value is compared with.
//!
//! Invariants: every row that is not final is held, so that it is known when it becomes final; others may be let go after
//! a flush and are supplied again when a correction comes to them. A row is held small (some 60 bytes): a group has one for
//! each metric and window, of `trailing 30d` alone thirty.

use std::collections::BTreeMap;

use super::{Key, Published};
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
    /// The bits of the value: another sign of zero is another value.
    pub(super) fn bits(&self) -> Option<u64> {
        self.value.map(f64::to_bits)
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

    fn unpack(&self, row: &Packed) -> Published {
        Published {
            value: row.value,
            ratio: match &row.ratio {
                Ratio::None => None,
                Ratio::Short(num, den) => Some((i128::from(*num), i128::from(*den))),
                Ratio::Long(both) => Some(**both),
            },
            reason: self.reasons.text(row.reason).to_owned(),
            is_final: row.is_final,
            corrected: row.corrected,
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Packed> {
        Some(&self.held.get(&(key.kind, key.opens))?.get(&key.line)?.row)
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    fn insert(&mut self, key: Key, held: Held) -> Option<Held> {
        let before = self.held.entry((key.kind, key.opens)).or_default().insert(key.line, held);
        self.count += usize::from(before.is_none());
        before
    }

    /// Takes a row from storage.
    pub(super) fn supply(&mut self, key: Key, final_at: Time, row: &Published) {
        let row = self.pack(row);
        if !row.is_final {
            self.open.entry(final_at).or_default().push(key);
        }
        self.insert(key, Held { row, dirty: false });
    }

    /// Keeps a changed row, and remembers when it becomes final.
    pub(super) fn put(&mut self, key: Key, final_at: Time, row: Packed) {
        let is_final = row.is_final;
        let before = self.insert(key, Held { row, dirty: true });
        // A row that was open before is in `open` already.
        if !is_final && before.as_ref().is_none_or(|held| held.row.is_final) {
            self.open.entry(final_at).or_default().push(key);
        }
        self.dirty += usize::from(before.is_none_or(|held| !held.dirty));
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

    /// Hands out the rows that changed since the last call.
    pub(super) fn flush(&mut self, mut each: impl FnMut(Key, Published)) {
        let mut changed = Vec::with_capacity(self.dirty);
        for ((kind, opens), rows) in &mut self.held {
            for (line, held) in rows.iter_mut().filter(|(_, held)| held.dirty) {
                held.dirty = false;
                changed.push((Key { kind: *kind, opens: *opens, line: *line }, held.row.clone()));
            }
        }
        self.dirty = 0;
        changed.into_iter().for_each(|(key, row)| each(key, self.unpack(&row)));
    }

    /// With more than `keep` rows held, those that are final are let go, each told to `gone`. After a flush.
    pub(super) fn let_go(&mut self, keep: usize, mut gone: impl FnMut(Key)) {
        if self.count <= keep {
            return;
        }
        self.count = 0;
        self.held.retain(|(kind, opens), rows| {
            rows.retain(|line, held| {
                if held.row.is_final {
                    gone(Key { kind: *kind, opens: *opens, line: *line });
                }
                !held.row.is_final
            });
            self.count += rows.len();
            !rows.is_empty()
        });
    }
}
