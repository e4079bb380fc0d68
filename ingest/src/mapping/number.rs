//! Numbers as files write them: with a decimal comma, groups of thousands, the sign of a currency, parentheses, a minus at
//! the end, a percent sign.
//!
//! Invariants: exact; only what a mapping asks for is taken off, so that `1,234` is never read in two ways. Without a word
//! about numbers a file writes them as JSON does, but for a leading plus and `.5`.

use serde::Deserialize;

use crate::decimal::{Decimal, Round};

/// How a file writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    #[serde(default)]
    decimal: Option<char>,
    #[serde(default)]
    thousands: Option<char>,
    /// What to do with more decimal places than an amount may have.
    #[serde(default)]
    pub(super) round: Option<Round>,
}

impl Numbers {
    /// Those with this decimal mark; as JSON writes them without one.
    pub(super) fn with(decimal: Option<char>) -> Self {
        Self { decimal, ..Self::default() }
    }

    /// Says what is wrong with it.
    pub(super) fn check(self) -> Result<(), String> {
        let (decimal, thousands) = self.separators();
        let wrong = |one: char| one.is_alphanumeric() || one == '-';
        match (wrong(decimal) || wrong(thousands), decimal == thousands) {
            (true, _) => {
                Err("numbers: a separator is a letter, digit or minus, expected a mark such as \",\"".to_owned())
            }
            (_, true) => Err(format!("numbers: {decimal:?} separates decimals and thousands, expected two marks")),
            _ => Ok(()),
        }
    }

    fn separators(self) -> (char, char) {
        let decimal = self.decimal.unwrap_or(if self.thousands == Some('.') { ',' } else { '.' });
        (decimal, self.thousands.unwrap_or(if decimal == ',' { '.' } else { ',' }))
    }

    /// Whether numbers are written as JSON does.
    pub(super) fn are_plain(self) -> bool {
        self.decimal.is_none() && self.thousands.is_none()
    }

    /// The number that a text means; a percentage is a share of 1.
    pub(super) fn read(self, text: &str) -> Option<Decimal> {
        if self.are_plain() {
            return plain(text);
        }
        let (text, share) = match text.strip_suffix('%') {
            Some(rest) => (rest.trim(), true),
            None => (text, false),
        };
        let (negative, text) = signed(text);
        let number = self.unsigned(text)?;
        let (sign, exponent) = (if negative { "-" } else { "" }, if share { "e-2" } else { "" });
        Decimal::parse(&format!("{sign}{number}{exponent}"))
    }

    /// Digits with a point, of digits in groups.
    fn unsigned(self, text: &str) -> Option<String> {
        let (decimal, thousands) = self.separators();
        let (whole, fraction) = match text.split_once(decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let groups: Vec<&str> = whole.split(|one| alike(one) == alike(thousands)).collect();
        let (first, rest) = groups.split_first()?;
        // Of two digits, too, as India writes them; the last group has three.
        let grouped = rest.iter().all(|group| digits(group) && (2..=3).contains(&group.len()))
            && rest.last().is_none_or(|last| last.len() == 3 && (1..=3).contains(&first.len()));
        let first_is_right = digits(first) || (first.is_empty() && rest.is_empty() && fraction.is_some());
        let fraction_is_right = fraction.is_none_or(digits);
        let whole = if first.is_empty() { "0".to_owned() } else { groups.concat() };
        (grouped && first_is_right && fraction_is_right)
            .then(|| fraction.map_or_else(|| whole.clone(), |fraction| format!("{whole}.{fraction}")))
    }
}

/// Marks that people take for each other: blanks that do not break, and both apostrophes.
fn alike(one: char) -> char {
    match one {
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '\u{2019}' => '\'',
        one => one,
    }
}

/// Takes the sign and the currency off, on either side and in either order.
fn signed(text: &str) -> (bool, &str) {
    let (mut negative, mut text) = (false, text.trim());
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        (negative, text) = (true, inner.trim());
    }
    let minus = ['-', '\u{2212}'];
    loop {
        let before = text;
        for (stripped, is_minus) in
            [(text.strip_prefix(minus).or_else(|| text.strip_suffix(minus)), true), (text.strip_prefix('+'), false)]
        {
            if let Some(rest) = stripped.filter(|_| !(is_minus && negative)) {
                (negative, text) = (negative || is_minus, rest.trim());
                break;
            }
        }
        text = without_currency(text).trim();
        if text == before {
            return (negative, text);
        }
    }
}

/// Takes off a sign such as `€` or `kr.`, or a code such as `USD`.
fn without_currency(text: &str) -> &str {
    let is_sign = |one: char| one.is_alphabetic() || "$£¥€¢₹₽₩₺₴₫₦₱₪₡₲₵₸₼₾¤".contains(one);
    let short = |name: &str| (1..=4).contains(&name.chars().count());
    let leading = text.trim_start_matches(is_sign);
    if leading.len() < text.len() && short(&text[..text.len() - leading.len()]) {
        return leading.strip_prefix('.').filter(|rest| rest.starts_with(char::is_whitespace)).unwrap_or(leading);
    }
    let trailing = text.trim_end_matches('.').trim_end_matches(is_sign);
    if trailing.len() < text.len() && short(text[trailing.len()..].trim_end_matches('.')) { trailing } else { text }
}

/// A number as JSON writes it; a leading plus and `.5` are fine, too.
fn plain(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    match text.strip_prefix('-').map_or(("", text), |rest| ("-", rest)) {
        (sign, rest) if rest.starts_with('.') => Decimal::parse(&format!("{sign}0{rest}")),
        _ => Decimal::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(decimal: char, thousands: char) -> Numbers {
        Numbers { decimal: Some(decimal), thousands: Some(thousands), round: None }
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let comma = Numbers { decimal: Some(','), ..Numbers::default() };
        let point = Numbers { decimal: Some('.'), ..Numbers::default() };
        for (how, text, expected) in [
            (comma, "1234,56", "1234.56"),
            (comma, "1.234,56 €", "1234.56"),
            (comma, "-950,00 €", "-950"),
            (comma, "€ 1.234.567", "1234567"),
            (comma, "kr. 12,5", "12.5"),
            (comma, ",5", "0.5"),
            (point, "1,234.56", "1234.56"),
            (point, "$20.99 ", "20.99"),
            (point, "($5.00)", "-5"),
            (point, "12.50-", "-12.5"),
            (point, "-$12.50", "-12.5"),
            (point, "$-12.50", "-12.5"),
            (point, "USD 3.00", "3"),
            (point, "3.00 CHF", "3"),
            (point, "\u{2212}3", "-3"),
            (point, "12,34,567.8", "1234567.8"),
            (point, "12.5 %", "0.125"),
            (numbers(',', ' '), "1\u{202f}234,5", "1234.5"),
            (numbers('.', '\''), "1’234.50", "1234.5"),
            (Numbers::default(), "+.5", "0.5"),
        ] {
            assert_eq!(how.read(text).map(|number| number.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_may_be_two_numbers_is_none() {
        let comma = Numbers { decimal: Some(','), ..Numbers::default() };
        for text in
            ["1,234.56", "1.23,4", "1.2345", "1..234", "12,", "", "€", "--5", "(-5)", "12 34", "1,2,3", "abcde 5"]
        {
            assert_eq!(comma.read(text), None, "{text}");
        }
        assert_eq!(["1,234.56", "$5", "(5)"].map(|text| Numbers::default().read(text)), [None; 3]);
        for (decimal, thousands) in [(',', ','), ('x', '.'), ('.', '5')] {
            assert!(numbers(decimal, thousands).check().is_err());
        }
        assert_eq!(comma.check(), Ok(()));
    }
}
