//! One line of delimited text into its fields.
//!
//! Quotes follow RFC 4180, except that a quoted field ends on its line: so a forgotten quote costs one
//! line and not the rest of the file.

use std::borrow::Cow;

use crate::Rejection;

/// What separates fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// One character; fields may be quoted.
    Char(char),
    /// Any run of spaces and tabs; leading and trailing ones mean nothing.
    Whitespace,
}

/// The fields of a line.
pub(crate) fn split(line: &str, delimiter: Delimiter) -> Result<Vec<Cow<'_, str>>, Rejection> {
    let Delimiter::Char(delimiter) = delimiter else {
        return Ok(line.split_ascii_whitespace().map(Cow::Borrowed).collect());
    };
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, delimiter, fields.len() + 1)?,
            None => match rest.split_once(delimiter) {
                Some((field, after)) => (Cow::Borrowed(field), Some(after)),
                None => (Cow::Borrowed(rest), None),
            },
        };
        fields.push(field);
        let Some(after) = after else { return Ok(fields) };
        rest = after;
    }
}

type Field<'a> = (Cow<'a, str>, Option<&'a str>);

fn quoted_field(text: &str, delimiter: char, number: usize) -> Result<Field<'_>, Rejection> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err(Rejection::line(format!("field {number}: its quote is not closed on this line")));
        };
        field.push_str(part);
        if let Some(more) = after.strip_prefix('"') {
            field.push('"');
            rest = more;
        } else if after.is_empty() {
            return Ok((Cow::Owned(field), None));
        } else if let Some(next) = after.strip_prefix(delimiter) {
            return Ok((Cow::Owned(field), Some(next)));
        } else {
            return Err(Rejection::line(format!("field {number}: text after its closing quote")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let comma = |line| split(line, Delimiter::Char(',')).map_err(|e| e.to_string());
        let ok = |fields: &[&str]| Ok(fields.iter().map(|f| Cow::Owned((*f).to_owned())).collect::<Vec<_>>());
        assert_eq!(comma("a,,c"), ok(&["a", "", "c"]));
        assert_eq!(comma(""), ok(&[""]));
        assert_eq!(comma(r#""a,""b""",c"#), ok(&["a,\"b\"", "c"]));
        assert_eq!(comma(r#"5" pipe,3"#), ok(&["5\" pipe", "3"]));
        assert_eq!(comma(r#"x,"a"#), Err("field 2: its quote is not closed on this line".to_owned()));
        assert_eq!(comma(r#""a"b,c"#), Err("field 1: text after its closing quote".to_owned()));
        assert_eq!(split(" 1  2\t3 ", Delimiter::Whitespace).expect("fields"), ["1", "2", "3"]);
    }
}
