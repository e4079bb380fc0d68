//! Texts, profiles, sets and series by number, and the changes of an instant.
//!
//! A *series* is a bundle with values of its dimensions; a *profile* is the values of all traits
//! that any metric reads; a *set* is all series that the same facts go to: a group of bundles with
//! the values that decide their dimensions. A fact adds to one row a set and slice; the rows are
//! spread to series once an instant.
//!
//! All get small numbers while the process runs; state and partials carry the values themselves, so
//! numbers never leave the process.

use crate::{
    aggregate::group::{Group, Groups},
    calendar::Time,
    codec::{Reader, put_text},
    map::Map,
    plan::{Dim, Plan},
};

/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX;

fn next<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(UNKNOWN)
}

/// Texts by number; 0 is the empty one.
#[derive(Debug)]
pub struct Names {
    list: Vec<Box<str>>,
    numbers: Map<Box<str>, u32>,
}

impl Default for Names {
    fn default() -> Names {
        Names { list: vec!["".into()], numbers: Map::default() }
    }
}

impl Names {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = next(&self.list);
        self.list.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// How many texts have a number, the empty one apart.
    fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The text with this number.
    pub fn text(&self, number: u32) -> &str {
        &self.list[number as usize]
    }
}

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
        if let Some(number) = self.find(bundle, values) {
            return number;
        }
        let number = next(&self.keys);
        let key: Box<[u8]> = self.scratch.as_slice().into();
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        number
    }

    /// The number of that series, if it has one.
    pub fn find<'a>(&mut self, bundle: usize, values: impl Iterator<Item = &'a str>) -> Option<u32> {
        self.scratch.clear();
        self.scratch.extend_from_slice(&u16::try_from(bundle).unwrap_or(u16::MAX).to_be_bytes());
        for value in values {
            self.scratch.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.scratch.extend_from_slice(value.as_bytes());
        }
        self.numbers.get(self.scratch.as_slice()).copied()
    }

    /// How many series have a number.
    fn len(&self) -> usize {
        self.keys.len()
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
    /// By encoding.
    numbers: Map<Box<[u8]>, u32>,
    traits: usize,
}

#[derive(Debug)]
struct Profile {
    values: Box<[Box<str>]>,
    bytes: Box<[u8]>,
}

impl Profiles {
    /// Profiles of the traits of a plan.
    pub fn new(plan: &Plan) -> Profiles {
        let mut profiles = Profiles { list: Vec::new(), numbers: Map::default(), traits: plan.traits.len() };
        profiles.number(vec![Box::from(""); plan.traits.len()].into());
        profiles
    }

    /// The number of these values.
    pub fn number(&mut self, values: Box<[Box<str>]>) -> u32 {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put_text(&mut bytes, value));
        if let Some(number) = self.numbers.get(bytes.as_slice()) {
            return *number;
        }
        let number = next(&self.list);
        let bytes: Box<[u8]> = bytes.into();
        self.numbers.insert(bytes.clone(), number);
        self.list.push(Profile { values, bytes });
        number
    }

    /// How many profiles have a number.
    fn len(&self) -> usize {
        self.list.len()
    }

    /// The values of a profile, one a trait.
    pub fn values(&self, number: u32) -> &[Box<str>] {
        &self.list[number as usize].values
    }

    /// The encoding of a profile: the texts of its values.
    pub fn bytes(&self, number: u32) -> &[u8] {
        &self.list[number as usize].bytes
    }

    /// Reads the encoding of a profile.
    pub fn read(&mut self, from: &mut Reader<'_>) -> Option<u32> {
        let start = from.0;
        for _ in 0..self.traits {
            from.skip_text()?;
        }
        let bytes = &start[..start.len() - from.0.len()];
        if let Some(number) = self.numbers.get(bytes) {
            return Some(*number);
        }
        let mut values = Reader(bytes);
        Some(self.number((0..self.traits).map(|_| values.get_text().map(Box::from)).collect::<Option<_>>()?))
    }
}

/// The changed rows of an instant: series, slice, what to add to its columns.
pub type Rows = Vec<((u32, Time), Box<[i128]>)>;

/// What decides the dimensions of the series of a set: group, currency and profile (0 where they
/// do not matter), then the names of the values of the group's other dimensions.
type SetKey = Box<[u32]>;

#[derive(Debug)]
struct Set {
    key: SetKey,
    /// One a target of the group.
    series: Box<[u32]>,
    /// The row that it added to last.
    latest: u32,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    set: u32,
    slice: Time,
    /// Where its terms begin.
    start: usize,
    width: usize,
}

/// What changed since the last instant: integers to add to the terms of (set, slice).
#[derive(Debug, Default)]
pub struct Deltas {
    sets: Vec<Set>,
    numbers: Map<SetKey, u32>,
    rows: Vec<Row>,
    index: Map<(u32, Time), u32>,
    terms: Vec<i128>,
    key: Vec<u32>,
}

/// How many numbers are given out: what they mean is in memory.
pub(crate) fn count(names: &Names, profiles: &Profiles, series: &Series, deltas: &Deltas) -> usize {
    names.len() + profiles.len() + series.len() + deltas.sets.len()
}

/// What numbers mean.
#[derive(Debug, Clone, Copy)]
pub struct Meaning<'a> {
    /// Bundles.
    pub plan: &'a Plan,
    /// Groups of bundles.
    pub groups: &'a Groups,
    /// Trait values.
    pub profiles: &'a Profiles,
    /// Texts.
    pub names: &'a Names,
}

impl Deltas {
    /// The number of a set.
    pub fn set(&mut self, group: usize, currency: u32, profile: u32, values: impl Iterator<Item = u32>) -> u32 {
        self.key.clear();
        self.key.extend([u32::try_from(group).unwrap_or(UNKNOWN), currency, profile]);
        self.key.extend(values);
        if let Some(number) = self.numbers.get(self.key.as_slice()) {
            return *number;
        }
        let number = next(&self.sets);
        let key: SetKey = self.key.as_slice().into();
        self.numbers.insert(key.clone(), number);
        self.sets.push(Set { key, series: Box::default(), latest: 0 });
        number
    }

    /// The terms of a set in a slice, to add to.
    pub fn row(&mut self, set: u32, slice: Time, width: usize) -> &mut [i128] {
        let latest = &mut self.sets[set as usize].latest;
        let row = match self.rows.get(*latest as usize) {
            Some(row) if row.set == set && row.slice == slice => *row,
            _ => {
                *latest = *self.index.entry((set, slice)).or_insert_with(|| {
                    self.rows.push(Row { set, slice, start: self.terms.len(), width });
                    self.terms.resize(self.terms.len() + width, 0);
                    next(&self.rows) - 1
                });
                self.rows[*latest as usize]
            }
        };
        &mut self.terms[row.start..row.start + row.width]
    }

    /// Spreads all rows to series: those that are not zero, in the order of (series, slice); empties
    /// itself.
    pub fn take(&mut self, meaning: Meaning<'_>, series: &mut Series) -> Rows {
        let mut parts: Vec<(u32, Time, usize, usize)> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            if self.terms[row.start..row.start + row.width].iter().any(|term| *term != 0) {
                let set = &mut self.sets[row.set as usize];
                resolve(set, meaning, series);
                let targets = set.series.iter().enumerate();
                parts.extend(targets.map(|(target, series)| (*series, row.slice, number, target)));
            }
        }
        parts.sort_unstable();
        let mut rows = Rows::with_capacity(parts.len());
        for same in parts.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let mut sums: Box<[i128]> = Box::default();
            for (_, _, row, target) in same {
                let row = self.rows[*row];
                let target = &group_of(&self.sets[row.set as usize], meaning.groups).targets[*target];
                if sums.is_empty() {
                    sums = vec![0; meaning.plan.bundles[target.bundle].columns.len()].into();
                }
                target.columns.iter().for_each(|(column, term)| sums[*column] += self.terms[row.start + term]);
            }
            if sums.iter().any(|sum| *sum != 0) {
                rows.push(((same[0].0, same[0].1), sums));
            }
        }
        self.rows.clear();
        self.index.clear();
        self.terms.clear();
        rows
    }
}

fn group_of<'a>(set: &Set, groups: &'a Groups) -> &'a Group {
    &groups.list[set.key[0] as usize]
}

/// Finds the series of a set, once.
fn resolve(set: &mut Set, meaning: Meaning<'_>, series: &mut Series) {
    if !set.series.is_empty() {
        return;
    }
    let group = group_of(set, meaning.groups);
    let value = |dim: &Dim| match dim {
        Dim::Trait(number) => meaning.profiles.values(set.key[2])[*number].as_ref(),
        dim => group.dims.iter().position(|known| known == dim).map_or("", |at| meaning.names.text(set.key[3 + at])),
    };
    let number = |bundle: usize| {
        let dims = meaning.plan.bundles[bundle].dims.iter().map(value);
        let bucket = group.bucket.map(|_| meaning.names.text(set.key[3 + group.dims.len()]));
        series.number(bundle, dims.chain(group.money.then(|| meaning.names.text(set.key[1]))).chain(bucket))
    };
    set.series = group.targets.iter().map(|target| target.bundle).map(number).collect();
}
