//! Why lines were refused, by kind: a field or column, and the sort of problem; the values of the line are no part of it.
//!
//! Bounded: the first [`KINDS_MAX`] kinds have a count and an example each, all others are counted together.

use std::collections::HashMap;

use super::Rejected;
use crate::Rejection;

/// Kinds that are counted apart.
pub const KINDS_MAX: usize = 100;

/// One kind of reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Lines refused for it.
    pub count: u64,
    /// The first of them.
    pub first: Rejected,
}

/// All reasons of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    /// In the order in which they were first met.
    kinds: Vec<Reason>,
    /// Place of each kind by its name.
    places: HashMap<String, usize>,
    /// Lines of kinds that came after the first [`KINDS_MAX`].
    others: Option<Reason>,
}

impl Reasons {
    /// Counts a refused line; `rejected` makes its description, which is needed for the first of a kind only.
    pub(super) fn add(&mut self, reason: Rejection, rejected: impl FnOnce(Rejection) -> Rejected) {
        let kind = kind(&reason);
        let place = self.places.get(&kind).copied();
        let known = match place {
            Some(place) => self.kinds.get_mut(place),
            None if self.kinds.len() == KINDS_MAX => self.others.as_mut(),
            None => None,
        };
        if let Some(known) = known {
            known.count += 1;
            return;
        }
        let new = Reason { count: 1, first: rejected(reason) };
        if self.kinds.len() == KINDS_MAX {
            self.others = Some(new);
            return;
        }
        self.places.insert(kind, self.kinds.len());
        self.kinds.push(new);
    }

    /// The kinds, most frequent first; of equal ones that first which was met first.
    pub fn by_count(&self) -> Vec<&Reason> {
        let mut kinds: Vec<&Reason> = self.kinds.iter().collect();
        kinds.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        kinds
    }

    /// Lines of all kinds that have no count of their own, and the first of them.
    pub fn others(&self) -> Option<&Reason> {
        self.others.as_ref()
    }

    /// The one reason for which every refused line was refused.
    pub fn only(&self) -> Option<&Reason> {
        match self.kinds.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// The name of a kind. Problems read `is VALUE, expected FORM`: the value goes, and so does what the rest says about it in
/// figures or in quotes.
fn kind(Rejection { field, problem }: &Rejection) -> String {
    let (what, expected) = problem.rfind(", expected ").map_or((problem.as_str(), ""), |at| problem.split_at(at));
    let is = match what.find("is ") {
        // A value that it has, as `column total: is 19,99` or `is 7`; not the end of a word.
        Some(at) if !expected.is_empty() && (at == 0 || what[..at].ends_with(": ")) => Some(at),
        _ => None,
    };
    let mut name = without_values(field);
    name.push('\n');
    match is {
        Some(at) => {
            name.push_str(&without_values(&what[..at]));
            name.push_str("is …");
        }
        None => name.push_str(&without_values(what)),
    }
    name.push_str(&without_values(expected));
    name
}

/// A text with `…` in the place of whatever stands in quotes, and of each word with a digit.
fn without_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('"').enumerate() {
        if at % 2 == 1 {
            out.push('…');
            continue;
        }
        for word in part.split_inclusive([' ', '.', '[', ']', '(', ')', ':']) {
            let figure = word.bytes().any(|byte| byte.is_ascii_digit());
            out.push_str(if figure { "…" } else { word });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(all: &[(&'static str, &str)]) -> Reasons {
        let mut reasons = Reasons::default();
        for (line, (field, problem)) in (1..).zip(all) {
            let rejected = |reason| Rejected { file: "f".to_owned(), line, reason };
            reasons.add(Rejection::new(*field, *problem), rejected);
        }
        reasons
    }

    #[test]
    fn values_of_the_row_make_no_kind_of_their_own() {
        for (same, one, other) in [
            (
                true,
                ("time", "column date: is 05.01.2024, expected %Y-%m-%d"),
                ("time", "column date: is x, expected %Y-%m-%d"),
            ),
            (
                true,
                ("data.gross", "is 19.99, expected 1999 (minor units of EUR)"),
                ("data.gross", "is 7.50, expected 750 (minor units of EUR)"),
            ),
            (
                true,
                ("", "column total: is a, expected b, expected an amount"),
                ("", "column total: is c, expected an amount"),
            ),
            (true, ("data.lines[0].amount", "is missing"), ("data.lines[12].amount", "is missing")),
            (true, ("", "number of cells is 3, expected 4"), ("", "number of cells is 5, expected 4")),
            (true, ("", "the table has no \"DE\""), ("", "the table has no \"FR\"")),
            (false, ("", "column total: is a, expected an amount"), ("", "column tax: is a, expected an amount")),
            (false, ("data.gross", "is missing"), ("data.order", "is missing")),
            (false, ("data.gross", "is missing"), ("data.gross", "is x, expected a whole number")),
        ] {
            assert_eq!(reasons(&[one, other]).by_count().len() == 1, same, "{one:?} and {other:?}");
        }
    }

    #[test]
    fn the_most_frequent_comes_first_with_its_first_line() {
        let all = reasons(&[("a", "is missing"), ("b", "is missing"), ("b", "is missing"), ("c", "is missing")]);
        let shown: Vec<_> = all.by_count().into_iter().map(|reason| (reason.count, reason.first.line)).collect();
        assert_eq!(shown, [(2, 2), (1, 1), (1, 4)]);
        assert_eq!((all.only(), all.others()), (None, None));
    }

    #[test]
    fn many_kinds_are_counted_together() {
        let names: Vec<String> = (0..=255_u8)
            .map(|at| format!("{}{}", char::from(b'a' + at % 26), "x".repeat(usize::from(at / 26))))
            .collect();
        let mut all = Reasons::default();
        for name in &names {
            all.add(Rejection::new(name.clone(), "is missing"), |reason| Rejected {
                file: name.clone(),
                line: 1,
                reason,
            });
        }
        assert_eq!(all.by_count().len(), KINDS_MAX);
        let others = all.others().expect("more kinds");
        assert_eq!((others.count, &others.first.file), (names.len() as u64 - 100, &names[100]));
    }
}
