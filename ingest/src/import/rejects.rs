//! The file of rejected lines, and beside it the one of the reasons.
//!
//! ```text
//!     NAME               the lines as they were, with the header of their file: mended, it is imported with the same mapping
//!     NAME.reasons.tsv   a row for each: its first line in NAME, file and line that it came from, why
//! ```
//! The reasons are in a file of their own because a line stays what it was, whatever its form: a broken one, too.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{Options, reading::Place};
use crate::{Error, Rejection, Result, event, json};

/// Added to the name of the file of lines.
const SUFFIX: &str = ".reasons.tsv";

/// Where rejected lines go.
pub(super) struct Rejects {
    out: Counted,
    reasons: (PathBuf, BufWriter<File>),
    /// The header that was written last.
    header: Option<Vec<u8>>,
}

/// A file, and how many lines it has.
struct Counted {
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

impl Rejects {
    /// Makes both files; `marked` says that the lines are UTF-8, against what the mapping says of the files.
    pub(super) fn create(path: &Path, options: &Options, marked: bool) -> Result<Self> {
        let reasons = PathBuf::from(format!("{}{SUFFIX}", path.display()));
        if [path, &reasons].iter().any(|path| options.files.iter().any(|file| file == path)) {
            let problem = "is one of the files to import, expected another one".to_owned();
            return Err(Error::Option { option: "--rejects", problem });
        }
        let create = |path: &Path| File::create(path).map(BufWriter::new).map_err(|e| Error::file(path, e));
        let mut out = Counted { path: path.to_owned(), file: create(path)?, lines: 0 };
        if marked {
            out.file.write_all(json::BOM).map_err(|e| Error::file(path, e))?;
        }
        let mut why = create(&reasons)?;
        why.write_all(b"line\tfile\tline of file\treason\n").map_err(|e| Error::file(&reasons, e))?;
        Ok(Self { out, reasons: (reasons, why), header: None })
    }

    /// Writes a line as it is, and what comes before the rows of its file before the first one; beside it the reason.
    pub(super) fn take(&mut self, at: Place<'_>, line: &[u8], reason: &Rejection) -> Result<()> {
        if !at.header.is_empty() && self.header.as_deref() != Some(at.header) {
            self.out.line(at.header)?;
            self.header = Some(at.header.to_vec());
        }
        let number = self.out.lines + 1;
        self.out.line(line)?;
        let (path, why) = &mut self.reasons;
        let plain = |text: String| text.replace(['\t', '\n', '\r'], " ");
        let (file, reason) = (plain(at.text.to_owned()), plain(reason.to_string()));
        writeln!(why, "{number}\t{file}\t{}\t{reason}", at.line).map_err(|e| Error::file(path, e))
    }

    /// Where the rest of a line that was too long is copied.
    pub(super) fn rest(&mut self) -> &mut dyn Write {
        self.out.lines += 1;
        &mut self.out.file
    }

    /// Writes what is still in memory, after the footer that the mapping leaves out where there are lines before it.
    pub(super) fn close(mut self, footer: &[Vec<u8>]) -> Result<()> {
        if self.out.lines > 0 {
            footer.iter().try_for_each(|row| self.out.line(row))?;
        }
        self.out.file.flush().map_err(|e| Error::file(&self.out.path, e))?;
        let (path, mut why) = self.reasons;
        why.flush().map_err(|e| Error::file(&path, e))
    }
}

impl Counted {
    /// The last line of a file may lack its end; the next file's lines begin a new one.
    fn line(&mut self, line: &[u8]) -> Result<()> {
        let ends = line.ends_with(b"\n") || line.len() > event::LINE_MAX;
        let written = self.file.write_all(line).and_then(|()| self.file.write_all(if ends { b"" } else { b"\n" }));
        written.map_err(|e| Error::file(&self.path, e))?;
        let breaks = line.iter().filter(|byte| **byte == b'\n').count();
        self.lines += u64::try_from(breaks).unwrap_or(0) + u64::from(!ends);
        Ok(())
    }
}
