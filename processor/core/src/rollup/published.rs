//! What a row shows, and how it is computed from its measures.

use crate::{
    calendar::Time,
    codec::{Reader, put_signed},
    expr::{Expr, Value, Values},
    plan::{Metric, Plan},
    rational::Rational,
};

/// What a row shows; compared with what was last published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The value; `None` is null, `reason` says why.
    pub value: Option<f64>,
    /// Numerator and denominator of ratios and means.
    pub ratio: Option<(i128, i128)>,
    /// Why the value is null; empty if it is not.
    pub reason: String,
    /// The clock has passed the window's end and the allowed lateness.
    pub is_final: bool,
    /// The value changed after it had been published as final.
    pub corrected: bool,
}

impl Published {
    /// A value without a ratio, or why it is null.
    pub(super) fn new(value: Option<f64>, reason: &str) -> Published {
        Published { value, ratio: None, reason: reason.to_owned(), is_final: false, corrected: false }
    }

    /// Reads what [`encode`] wrote; `None` if damaged.
    pub fn decode(bytes: &[u8]) -> Option<Published> {
        let [1, flags, rest @ ..] = bytes else { return None };
        let (value, rest) = rest.split_first_chunk::<8>()?;
        let mut from = Reader(rest);
        let ratio = (from.get_signed()?, from.get_signed()?);
        Some(Published {
            value: (flags & 4 != 0).then(|| f64::from_bits(u64::from_le_bytes(*value))),
            ratio: (flags & 8 != 0).then_some(ratio),
            reason: std::str::from_utf8(from.0).ok()?.to_owned(),
            is_final: flags & 1 != 0,
            corrected: flags & 2 != 0,
        })
    }
}

/// Appends the encoding of a row for storage.
pub(super) fn encode(
    value: Option<f64>,
    ratio: Option<(i128, i128)>,
    is_final: bool,
    corrected: bool,
    reason: &str,
    out: &mut Vec<u8>,
) {
    out.push(1);
    out.push(
        u8::from(is_final) | u8::from(corrected) << 1 | u8::from(value.is_some()) << 2 | u8::from(ratio.is_some()) << 3,
    );
    out.extend_from_slice(&value.unwrap_or_default().to_bits().to_le_bytes());
    let (num, den) = ratio.unwrap_or_default();
    put_signed(out, num);
    put_signed(out, den);
    out.extend_from_slice(reason.as_bytes());
}

/// Measures of a row, then the margin, then the instant as of which it is, then the sums of [`Metric::sums`].
struct Numbers<'a> {
    /// Measures, then sums.
    numbers: &'a [Option<i128>],
    measures: usize,
    margin: Rational,
    /// The end of the window, or the clock while it is open.
    now: Time,
}

impl Values for Numbers<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        let number = match slot.checked_sub(self.measures) {
            None => self.numbers[slot],
            Some(0) => return Value::Number(self.margin),
            Some(1) => Some(self.now.into()),
            Some(_) => self.numbers[slot - 2],
        };
        number.map_or(Value::Null, |number| Value::Number(Rational::integer(number)))
    }
}

/// The exact value of a metric for these measures, as of `now`.
pub(super) fn value(metric: &Metric, plan: &Plan, numbers: &[Option<i128>], now: Time) -> Option<Rational> {
    let values = Numbers { numbers, measures: metric.measures, margin: plan.settings.margin, now };
    match metric.value.as_ref()?.eval(&values) {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// Value, ratio and reason of a metric for these measures; `final` and `corrected` are the caller's.
///
/// `numbers` are those of the measures, then those of [`Metric::sums`]. A number is missing where it is a quantile, minimum
/// or maximum of nothing. `now` is the end of the window, or the clock while it is open.
pub fn evaluate(metric: &Metric, plan: &Plan, numbers: &[Option<i128>], now: Time) -> Published {
    let values = Numbers { numbers, measures: metric.measures, margin: plan.settings.margin, now };
    let number = |expr: &Expr| match expr.eval(&values) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    let ratio = metric.ratio.as_ref().and_then(|(num, den)| {
        // Fractions in either side (a decimal factor) are brought to whole numbers.
        let (num, den) = (number(num)?, number(den)?);
        Some((num.num().checked_mul(den.den())?, den.num().checked_mul(num.den())?))
    });
    let value = match ratio {
        Some((num, den)) => Rational::new(num, den),
        None => metric.value.as_ref().and_then(number),
    };
    let reason = match value {
        Some(_) => String::new(),
        None => metric
            .null_when
            .iter()
            .find(|(condition, _)| condition.holds(&values))
            .map_or_else(|| "no denominator".to_owned(), |(_, reason)| reason.clone()),
    };
    Published { value: value.map(Rational::to_f64), ratio, reason, is_final: false, corrected: false }
}
