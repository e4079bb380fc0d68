//! Lifecycles: what an account's events mean. One file each; pure functions of the journal.
//!
//! Each declares the facts that it emits. [`facts`] lists them all, once; the catalog, the plan and the aggregates know a
//! fact by its [`FactId`] and its [`FactType`] and name none.

pub mod customer;
pub mod fact;
pub mod journal;
pub mod order;

pub use fact::{Fact, FactId, FactType, FieldType, Part, Slot, Sort, Spelling};

/// Every fact type.
const FACTS: &[&FactType] = &[&order::ORDER, &order::REFUND, &customer::STARTED, &customer::LOST, &customer::CUSTOMER];

/// Every fact type, by the number of its [`FactId`].
pub fn facts() -> impl Iterator<Item = (FactId, &'static FactType)> {
    (0..).map(FactId).zip(FACTS.iter().copied())
}

/// The type of a fact.
pub fn fact(id: FactId) -> &'static FactType {
    FACTS[id.place()]
}

/// The fact type of this name.
pub fn find(name: &str) -> Option<FactId> {
    facts().find(|(_, fact)| fact.name == name).map(|(id, _)| id)
}

/// The number of a fact type that is listed; else the build fails.
#[expect(clippy::cast_possible_truncation, reason = "there are a few dozen fact types")]
pub(crate) const fn id(fact: &FactType) -> FactId {
    let mut place = 0;
    while place < FACTS.len() {
        if same(FACTS[place].name, fact.name) {
            return FactId(place as u16);
        }
        place += 1;
    }
    panic!("the fact type is not listed")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that a part has room for.
    const MOST: usize = size_of::<Part<'_>>() / size_of::<Slot<'_>>();

    #[test]
    fn every_fact_has_a_name_of_its_own_and_few_enough_fields_of_parts() {
        for (id, fact) in facts() {
            assert_eq!(find(fact.name), Some(id), "{} is there twice", fact.name);
            assert_eq!(format!("{id:?}"), fact.name);
            assert!(fact.fields.len() - fact.whole <= MOST, "{}: parts have more fields", fact.name);
        }
    }
}
