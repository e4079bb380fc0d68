//! Series and profiles by number, and the changes of an instant.
//!
//! A *series* is a bundle with values of its dimensions; a *profile* is the values of all traits
//! that any metric reads. Both get small numbers while the process runs; state and partials carry
//! the values themselves, so numbers never leave the process.

use crate::{
    calendar::Time,
    map::Map,
    plan::{Bundle, Dim, Plan},
};

/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// Numbers of series.
#[derive(Debug, Default)]
pub struct Series {
    keys: Vec<Box<[u8]>>,
    numbers: Map<Box<[u8]>, u32>,
    scratch: Vec<u8>,
}

impl Series {
    /// The number of the series of `bundle` with these dimension values.
    pub fn number<'a>(&mut self, bundle: usize, values: impl Iterator<Item = &'a str>) -> u32 {
        self.scratch.clear();
        self.scratch.extend_from_slice(&u16::try_from(bundle).unwrap_or(u16::MAX).to_be_bytes());
        for value in values {
            self.scratch.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.scratch.extend_from_slice(value.as_bytes());
        }
        if let Some(number) = self.numbers.get(self.scratch.as_slice()) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(UNKNOWN);
        let key: Box<[u8]> = self.scratch.as_slice().into();
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        number
    }

    /// Bundle and dimension values of a series.
    pub fn describe(&self, number: u32) -> (usize, Vec<&str>) {
        let key = &self.keys[number as usize];
        let (bundle, mut rest) = key.split_at(2);
        let mut values = Vec::new();
        while let Some((length, tail)) = rest.split_at_checked(4) {
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let (value, tail) = tail.split_at(length);
            values.push(std::str::from_utf8(value).unwrap_or_default());
            rest = tail;
        }
        (usize::from(u16::from_be_bytes([bundle[0], bundle[1]])), values)
    }
}

/// Trait values by number; 0 has none set.
#[derive(Debug)]
pub struct Profiles {
    list: Vec<Profile>,
    numbers: Map<Box<[Box<str>]>, u32>,
}

#[derive(Debug)]
struct Profile {
    values: Box<[Box<str>]>,
    /// Its series in each bundle that only traits decide, and the currency where it is of money.
    series: Vec<(Box<str>, Vec<u32>)>,
}

impl Profiles {
    /// Profiles of the traits of a plan.
    pub fn new(plan: &Plan) -> Profiles {
        let mut profiles = Profiles { list: Vec::new(), numbers: Map::default() };
        profiles.number(vec![Box::from(""); plan.traits.len()].into());
        profiles
    }

    /// The number of these values.
    pub fn number(&mut self, values: Box<[Box<str>]>) -> u32 {
        if let Some(number) = self.numbers.get(&values) {
            return *number;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(UNKNOWN);
        self.numbers.insert(values.clone(), number);
        self.list.push(Profile { values, series: Vec::new() });
        number
    }

    /// The values of a profile, one a trait.
    pub fn values(&self, number: u32) -> &[Box<str>] {
        &self.list[number as usize].values
    }

    /// The series of a profile in a bundle that only traits decide; `currency` is empty unless the
    /// bundle is of money.
    pub fn series(&mut self, number: u32, bundle: usize, currency: &str, plan: &Plan, series: &mut Series) -> u32 {
        let Profile { values, series: known } = &mut self.list[number as usize];
        let index = known.iter().position(|(known, _)| **known == *currency).unwrap_or_else(|| {
            known.push((currency.into(), vec![UNKNOWN; plan.bundles.len()]));
            known.len() - 1
        });
        let known = &mut known[index].1[bundle];
        if *known == UNKNOWN {
            let Bundle { dims, money, .. } = &plan.bundles[bundle];
            let dims = dims.iter().map(|dim| if let Dim::Trait(index) = dim { values[*index].as_ref() } else { "" });
            *known = series.number(bundle, dims.chain(money.then_some(currency)));
        }
        *known
    }
}

/// The changed rows of an instant: series, slice, what to add to its columns.
pub type Rows = Vec<((u32, Time), Box<[i128]>)>;

/// What changed since the last instant: integers to add to the columns of slices.
#[derive(Debug, Default)]
pub struct Deltas {
    rows: Map<(u32, Time), Box<[i128]>>,
}

impl Deltas {
    /// The row of a series and slice, to add to.
    pub fn row(&mut self, series: u32, slice: Time, width: usize) -> &mut [i128] {
        self.rows.entry((series, slice)).or_insert_with(|| vec![0; width].into())
    }

    /// All rows that are not zero, in the order of (series, slice); empties itself.
    pub fn take(&mut self) -> Rows {
        let mut rows: Vec<_> = self.rows.drain().filter(|(_, row)| row.iter().any(|value| *value != 0)).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}
