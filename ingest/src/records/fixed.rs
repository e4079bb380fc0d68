//! Cells of fixed width.

use super::row::Row;
use crate::Rejection;

/// Cuts a line into cells of so many characters each, without the blanks that fill them up. The last may be short, and
/// cells that the line does not reach are not there.
pub(super) fn cut(line: &str, widths: &[usize], row: &mut Row) -> Result<(), Rejection> {
    let mut rest = line;
    for width in widths {
        if rest.is_empty() {
            return Ok(());
        }
        let end = rest.char_indices().nth(*width).map_or(rest.len(), |(end, _)| end);
        row.push(rest[..end].trim());
        rest = &rest[end..];
    }
    if rest.trim().is_empty() {
        return Ok(());
    }
    let (length, all) = (line.trim_end().chars().count(), widths.iter().sum::<usize>());
    Err(Rejection::line(format!("has {length} characters, the widths of the mapping come to {all}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Result<Vec<String>, String> {
        let mut row = Row::default();
        cut(line, &[3, 2, 4], &mut row).map_err(|reason| reason.to_string())?;
        Ok(row.cells().map(str::to_owned).collect())
    }

    #[test]
    fn cells_are_cut_by_characters() {
        assert_eq!(cells("é 1 2 345").expect("fits"), ["é 1", "2", "345"]);
        assert_eq!(cells("abc  1").expect("the last is short"), ["abc", "", "1"]);
        assert_eq!(cells("abc1   23    ").expect("blanks beyond are nothing"), ["abc", "1", "23"]);
        assert_eq!(cells("ab").expect("cells are missing"), ["ab"]);
        assert_eq!(cells("abc 1 1234 5"), Err("has 12 characters, the widths of the mapping come to 9".to_owned()));
    }
}
