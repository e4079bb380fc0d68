//! JSON objects of a file, one after the other, in bounded memory: one a line, several lines each, or the items of a list.
//!
//! Invariants: what is no object costs its line and no other; an object is found again from its bytes. It does not know
//! what objects mean.

use std::io::{BufRead, Result};

use serde_json::value::RawValue;

use crate::{Rejection, json};

/// Longest object, in bytes: a document may hold the list of all records.
const OBJECT_MAX: usize = 16 << 20;

/// What [`Objects::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The end of the text.
    End,
    /// An object: [`Objects::verbatim`].
    Object,
    /// Text that is none.
    Wrong(Rejection),
}

/// Finds the objects of one file.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    verbatim: Vec<u8>,
    /// Line on which the object begins, from 1.
    line: u64,
    /// Line ends before what comes next.
    ends: u64,
}

/// The object as JSON.
pub(crate) fn raw(verbatim: &[u8]) -> std::result::Result<&RawValue, Rejection> {
    let text = json::text(verbatim)?;
    serde_json::from_str(text).map_err(|e| Rejection::line(format!("is no JSON: {e}")))
}

impl Objects {
    /// The bytes of the object.
    pub(crate) fn verbatim(&self) -> &[u8] {
        &self.verbatim
    }

    /// The line on which it begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Finds the next object; brackets and commas of a list around objects are skipped.
    pub(crate) fn next(&mut self, reader: &mut dyn BufRead) -> Result<Found> {
        self.verbatim.clear();
        loop {
            let Some(byte) = reader.fill_buf()?.first().copied() else { return Ok(Found::End) };
            match byte {
                b'\n' => self.ends += 1,
                b' ' | b'\t' | b'\r' | b'[' | b']' | b',' | 0x1e => {}
                b'{' => break,
                _ => return self.garbage(reader),
            }
            reader.consume(1);
        }
        self.line = self.ends + 1;
        self.object(reader)
    }

    /// Takes the bytes from the opening brace to the closing one.
    fn object(&mut self, reader: &mut dyn BufRead) -> Result<Found> {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        loop {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Found::Wrong(Rejection::line("the object is not closed")));
            }
            let mut end = None;
            for (place, byte) in buffer.iter().enumerate() {
                self.ends += u64::from(*byte == b'\n');
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    b'{' | b'[' if !quoted => depth += 1,
                    b'}' | b']' if !quoted => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = Some(place + 1);
                    break;
                }
            }
            let taken = end.unwrap_or(buffer.len());
            if self.verbatim.len() <= OBJECT_MAX {
                self.verbatim.extend_from_slice(&buffer[..taken]);
            }
            reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        let is_long = self.verbatim.len() > OBJECT_MAX;
        Ok(if is_long {
            Found::Wrong(Rejection::line(format!("longer than {OBJECT_MAX} bytes")))
        } else {
            Found::Object
        })
    }

    /// Takes the rest of a line that begins no object.
    fn garbage(&mut self, reader: &mut dyn BufRead) -> Result<Found> {
        self.line = self.ends + 1;
        loop {
            let buffer = reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            let room = OBJECT_MAX.saturating_sub(self.verbatim.len()).min(taken);
            self.verbatim.extend_from_slice(&buffer[..room]);
            let is_last = end.is_some() || buffer.is_empty();
            reader.consume(taken);
            if is_last {
                break;
            }
        }
        self.ends += 1;
        Ok(Found::Wrong(Rejection::line("is no JSON object, expected {\"...\": ...}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(mut text: &[u8]) -> Vec<(u64, String)> {
        let (mut objects, mut found) = (Objects::default(), Vec::new());
        loop {
            match objects.next(&mut text).unwrap() {
                Found::End => return found,
                Found::Object => found.push((objects.line(), String::from_utf8_lossy(objects.verbatim()).into_owned())),
                Found::Wrong(reason) => found.push((objects.line(), reason.to_string())),
            }
        }
    }

    fn at(line: u64, text: &str) -> (u64, String) {
        (line, text.to_owned())
    }

    #[test]
    fn objects_are_found_in_lines_and_lists() {
        let expected = [at(1, "{\"a\":\"}\\\"\"}"), at(2, "{\"b\":[{}]}")];
        assert_eq!(all(b"{\"a\":\"}\\\"\"}\n{\"b\":[{}]}\n"), expected);
        assert_eq!(all(b"[{\"a\":\"}\\\"\"},\r\n {\"b\":[{}]}]"), expected);
        assert_eq!(all(b"{\n}\n\n{}"), [at(1, "{\n}"), at(4, "{}")]);
    }

    #[test]
    fn what_is_no_object_costs_its_line() {
        let none = "is no JSON object, expected {\"...\": ...}";
        assert_eq!(all(b"hello {}\n{}\n12"), [at(1, none), at(2, "{}"), at(3, none)]);
        assert_eq!(all(b"{}\n{\"a\": "), [at(1, "{}"), at(2, "the object is not closed")]);
    }

    proptest! {
        #[test]
        fn hostile_text_is_read_to_its_end(bytes: Vec<u8>) {
            for (_, object) in all(&bytes) {
                let _ = raw(object.as_bytes());
            }
        }
    }
}
