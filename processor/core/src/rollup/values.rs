//! Which values of a dimension have rows of their own.
//!
//! Every value of a dimension costs some rows for each metric and window, for ever. A field with a value of its own in
//! each event (an order id taken for a channel) would cost more than all other state together, and nobody could read it. So
//! of each dimension the first values, as many as the setting `dimension_values_max` says, are kept apart, and all later
//! ones are counted together as [`OTHER`].
//!
//! Invariants: *first* goes by (instant, value): of the values that are new at one instant the bytewise least come first.
//! Since instants and the changes that they sum up are the same for any number of partitions and any order of arrival
//! within an instant, so is the choice. A value that is kept apart stays so. The empty value (absent) and `other` are
//! always kept apart and take no place.

use std::collections::BTreeSet;

use crate::{map::Set, plan::Plan};

/// The value that stands for all values past the limit.
pub const OTHER: &str = "other";

/// A dimension, by its place in [`Values`].
type Number = usize;

/// The values of all dimensions that are kept apart.
#[derive(Debug)]
pub(super) struct Values {
    max: usize,
    dimensions: Vec<Dimension>,
    /// For each bundle, its dimensions.
    of_bundle: Vec<Box<[Number]>>,
    /// Kept apart since the last flush.
    new: Vec<(Number, Box<str>)>,
}

#[derive(Debug)]
struct Dimension {
    name: String,
    known: Set<Box<str>>,
    /// Changes of slices that went to `other` since they were last asked for.
    other: u64,
}

impl Values {
    pub(super) fn new(plan: &Plan) -> Values {
        let mut dimensions: Vec<Dimension> = Vec::new();
        let mut number = |name: String| {
            dimensions.iter().position(|known| known.name == name).unwrap_or_else(|| {
                dimensions.push(Dimension { name, known: Set::default(), other: 0 });
                dimensions.len() - 1
            })
        };
        let of_bundle = plan
            .bundles
            .iter()
            .map(|bundle| bundle.dims.iter().map(|dim| number(plan.dimension_name(dim))).collect())
            .collect();
        Values { max: plan.settings.dimension_values_max, dimensions, of_bundle, new: Vec::new() }
    }

    /// The values that are not known yet and for which there may be room.
    pub(super) fn unknown<'a>(&self, bundle: usize, values: &[&'a str]) -> impl Iterator<Item = (Number, &'a str)> {
        let own = self.of_bundle[bundle].iter().copied().zip(values.iter().copied());
        own.filter(|(number, value)| !self.is_full(*number) && !self.knows(*number, value))
    }

    fn is_full(&self, number: Number) -> bool {
        self.dimensions[number].known.len() >= self.max
    }

    fn knows(&self, number: Number, value: &str) -> bool {
        value.is_empty() || value == OTHER || self.dimensions[number].known.contains(value)
    }

    /// Keeps these values of an instant apart, in their order, as long as there is room.
    pub(super) fn admit(&mut self, values: BTreeSet<(Number, &str)>) {
        for (number, value) in values {
            if !self.is_full(number) {
                self.dimensions[number].known.insert(value.into());
                self.new.push((number, value.into()));
            }
        }
    }

    /// The values under which a series of a bundle is shown; what follows the dimensions (a currency) stays.
    pub(super) fn shown<'a>(&self, bundle: usize, values: &[&'a str]) -> Vec<&'a str> {
        let mut shown = values.to_vec();
        for (value, number) in shown.iter_mut().zip(&self.of_bundle[bundle]) {
            if !self.knows(*number, value) {
                *value = OTHER;
            }
        }
        shown
    }

    /// Counts changes of a series whose values are `values` and are shown as `shown`.
    pub(super) fn count(&mut self, bundle: usize, values: &[&str], shown: &[&str], changes: u64) {
        for (number, (value, shown)) in self.of_bundle[bundle].iter().zip(values.iter().zip(shown)) {
            if value != shown {
                self.dimensions[*number].other += changes;
            }
        }
    }

    /// Dimensions and the number of changes that were counted as `other` since the last call.
    pub(super) fn take_others(&mut self) -> Vec<(String, u64)> {
        let counted = self.dimensions.iter_mut().filter(|dimension| dimension.other > 0);
        counted.map(|dimension| (dimension.name.clone(), std::mem::take(&mut dimension.other))).collect()
    }

    /// What was kept apart since the last call, as keys of storage: the dimension's name, a zero byte, the value.
    pub(super) fn flush(&mut self) -> Vec<Vec<u8>> {
        let key = |(number, value): (Number, Box<str>)| {
            [self.dimensions[number].name.as_bytes(), &[0], value.as_bytes()].concat()
        };
        self.new.drain(..).map(key).collect()
    }

    /// Takes a key of storage back; `None` if it is damaged.
    pub(super) fn restore(&mut self, key: &[u8]) -> Option<()> {
        let (name, value) = std::str::from_utf8(key).ok()?.split_once('\0')?;
        let dimension = self.dimensions.iter_mut().find(|dimension| dimension.name == name)?;
        dimension.known.insert(value.into());
        Some(())
    }
}
