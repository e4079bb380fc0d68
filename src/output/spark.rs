//! A series as one line of marks: `▁▂▃▅▇`, a gap where it is null.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ',', '-', '~', '=', '+', '#'];

/// One mark a value, from the least to the greatest; from 0 if the least is less than half of the greatest.
pub(crate) fn spark(values: &[Option<f64>], unicode: bool) -> String {
    let marks = if unicode { BLOCKS } else { ASCII };
    let known = || values.iter().flatten().copied();
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let base = if least >= 0.0 && least <= most / 2.0 { 0.0 } else { least };
    let mark = |value: f64| {
        let flat = if value == 0.0 { 0.0 } else { 0.5 };
        let share = if most > base { (value - base) / (most - base) } else { flat };
        let steps = (1_u8..8).filter(|step| share * 8.0 > f64::from(*step)).count();
        marks[steps]
    };
    values.iter().map(|value| value.map_or(' ', mark)).collect()
}

/// The last values that fit into so many columns.
pub(crate) fn fitting(values: &[Option<f64>], columns: usize, unicode: bool) -> String {
    spark(&values[values.len().saturating_sub(columns)..], unicode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_scale_to_the_greatest_and_nulls_are_gaps() {
        assert_eq!(spark(&[Some(1.0), None, Some(4.0), Some(8.0)], true), "▁ ▄█");
        assert_eq!(spark(&[Some(0.0), None], true), "▁ ");
        assert_eq!(spark(&[], true), "");
        assert_eq!(spark(&[Some(1.0), None, Some(4.0), Some(8.0)], false), "_ -#");
    }

    #[test]
    fn what_moves_far_from_zero_still_shows() {
        assert_eq!(spark(&[Some(1_000.0), Some(1_010.0), Some(1_020.0)], true), "▁▄█");
        assert_eq!(spark(&[Some(-10.0), Some(0.0), Some(10.0)], true), "▁▄█");
        assert_eq!(spark(&[Some(5.0), Some(5.0)], true), "▄▄", "neither low nor high");
    }

    #[test]
    fn the_last_values_are_kept() {
        assert_eq!(fitting(&[Some(9.0), Some(0.0), Some(8.0)], 2, true), "▁█");
    }
}
