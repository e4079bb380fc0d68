//! Lines of a file, verbatim, in bounded memory.

use std::io::{BufRead, Read, Result, Write};

/// What [`next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    End,
    /// A whole line, its end included where there is one.
    Whole,
    /// The first bytes of a line that is too long; [`rest`] takes the others.
    Long,
}

/// Reads the next line to the end of `buffer`.
pub(crate) fn next(reader: &mut (impl BufRead + ?Sized), buffer: &mut Vec<u8>, bytes_max: usize) -> Result<Line> {
    let before = buffer.len();
    let limit = u64::try_from(bytes_max + 2).unwrap_or(u64::MAX);
    reader.take(limit).read_until(b'\n', buffer)?;
    let line = &buffer[before..];
    Ok(match line.last() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        Some(_) if line.len() < bytes_max + 2 => Line::Whole,
        Some(_) => Line::Long,
    })
}

/// Copies what is left of a long line, its end included.
pub(crate) fn rest(reader: &mut (impl BufRead + ?Sized), out: &mut (impl Write + ?Sized)) -> Result<()> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let end = chunk.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let used = end.unwrap_or(chunk.len());
        out.write_all(&chunk[..used])?;
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// A line without its end.
pub(crate) fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_lose_nothing_else() {
        let mut reader = &b"abc\r\n0123456789\nd"[..];
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        assert_eq!(next(&mut reader, &mut buffer, 4).expect("read"), Line::Whole);
        assert_eq!(trimmed(&buffer), b"abc");
        buffer.clear();
        assert_eq!(next(&mut reader, &mut buffer, 4).expect("read"), Line::Long);
        out.append(&mut buffer);
        rest(&mut reader, &mut out).expect("read");
        assert_eq!(out, b"0123456789\n");
        assert_eq!(next(&mut reader, &mut buffer, 4).expect("read"), Line::Whole);
        assert_eq!(trimmed(&buffer), b"d");
        assert_eq!(next(&mut reader, &mut buffer, 4).expect("read"), Line::End);
    }
}
