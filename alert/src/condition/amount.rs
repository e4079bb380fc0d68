//! By how much a value moves: in its own unit (`15`), or as a share of what it is compared with (`20%`).

use processor_core::rational::Rational;

/// An amount, greater than 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Amount {
    /// In the unit of rules.
    Points(Rational),
    /// A share of one.
    Share(Rational),
}

impl Amount {
    /// Reads `15`, `0.5` or `20%`.
    ///
    /// # Errors
    /// A message with an example.
    pub(crate) fn parse(text: &str) -> Result<Amount, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` is no amount; write points like 15, or a share like 20%");
        let number = |text: &str| Rational::parse(text.trim()).filter(|number| number.num() > 0).ok_or_else(wrong);
        match text.strip_suffix('%') {
            Some(percent) => number(percent)?.div(Rational::integer(100)).map(Amount::Share).ok_or_else(wrong),
            None => number(text).map(Amount::Points),
        }
    }

    /// Whether `to` is below `from` by at least this amount. No share is below a `from` of 0 or less.
    pub(crate) fn is_below(self, from: Rational, to: Rational) -> bool {
        let Some(difference) = from.sub(to) else { return false };
        self.is_reached(from, difference)
    }

    /// Whether `to` is above `from` by at least this amount.
    pub(crate) fn is_above(self, from: Rational, to: Rational) -> bool {
        let Some(difference) = to.sub(from) else { return false };
        self.is_reached(from, difference)
    }

    fn is_reached(self, from: Rational, difference: Rational) -> bool {
        let least = match self {
            Amount::Points(points) => Some(points),
            Amount::Share(share) if from.num() > 0 => from.mul(share),
            Amount::Share(_) => None,
        };
        least.is_some_and(|least| difference.compare(least).is_ge())
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (number, sign) = match self {
            Amount::Points(points) => (Some(*points), ""),
            Amount::Share(share) => (share.mul(Rational::integer(100)), "%"),
        };
        write!(f, "{}{sign}", number.and_then(Rational::decimal).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let number = |text| Rational::parse(text).unwrap();
        let fifth = Amount::parse("20%").unwrap();
        assert!(fifth.is_below(number("0.3"), number("0.24")));
        assert!(!fifth.is_below(number("0.3"), number("0.2400001")));
        assert!(!fifth.is_below(number("0"), number("-5")));
        assert!(Amount::parse("15").unwrap().is_above(number("20"), number("35")));
        assert_eq!(fifth.to_string(), "20%");
        for text in ["", "-3", "0%", "many"] {
            assert!(Amount::parse(text).unwrap_err().contains("no amount"), "{text}");
        }
    }
}
