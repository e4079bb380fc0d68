//! Members of a ZIP archive.
//!
//! A member is read as a stream, so what it unpacks to takes no memory. It does not know what a member holds.

use std::{
    fs::File,
    io::{BufReader, Error, ErrorKind, Read, Result, Seek, Write},
    path::Path,
};

use zip::{CompressionMethod, ZipArchive, result::ZipError};

/// Most members that a message names.
const SHOWN: usize = 10;

/// The members of an archive.
pub(super) struct Members(Vec<Member>);

/// A member that is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Members {
    /// Reads the directory of an archive. Folders, hidden files and what macOS adds are no members.
    pub(super) fn read(file: impl Read + Seek) -> Result<Self> {
        let archive = ZipArchive::new(BufReader::new(file)).map_err(invalid)?;
        let mut members = Vec::new();
        for at in 0..archive.len() {
            let Some(name) = archive.name_for_index(at) else { continue };
            let name = name.map_err(invalid)?.into_owned();
            let hidden = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
            if !hidden && !name.ends_with('/') {
                members.push(Member { at, name });
            }
        }
        Ok(Self(members))
    }

    /// Whether one has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|member| member.name == name)
    }

    /// Those whose name fits the pattern, in the order of the archive.
    pub(super) fn chosen(self, pattern: Option<&str>) -> Result<Vec<Member>> {
        let Some(pattern) = pattern.filter(|_| !self.0.is_empty()) else {
            return if self.0.is_empty() { Err(wrong("the archive has no file".to_owned())) } else { Ok(self.0) };
        };
        let (chosen, others): (Vec<Member>, Vec<Member>) =
            self.0.into_iter().partition(|member| fits(pattern, &member.name));
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        let mut names: Vec<&str> = others.iter().take(SHOWN).map(|member| member.name.as_str()).collect();
        names.extend((others.len() > SHOWN).then_some("..."));
        Err(wrong(format!("no member is called {pattern}, there are {}", names.join(", "))))
    }
}

/// Writes the text of a member; what was written before an error is not to be trusted.
pub(super) fn unpack(path: &Path, file: impl Read + Seek, at: usize, out: &mut dyn Write) -> Result<()> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(invalid)?;
    let member = archive.by_index_raw(at).map_err(invalid)?;
    let (encrypted, method) = (member.encrypted(), member.compression());
    drop(member);
    let unpack = || format!("unpack it first: unzip {}", path.display());
    if encrypted {
        return Err(wrong(format!("it is encrypted; {} (and give its password)", unpack())));
    }
    if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated | CompressionMethod::Zstd) {
        return Err(wrong(format!("it is packed by {method:?}, expected Stored, Deflated or Zstd; {}", unpack())));
    }
    std::io::copy(&mut archive.by_index(at).map_err(invalid)?, out).map(drop)
}

/// Reads all members whose name fits, and hands each piece to `each` with the name.
pub(super) fn scan(
    file: File,
    fits: impl Fn(&str) -> bool,
    mut each: impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(invalid)?;
    let mut buffer = vec![0; 1 << 16];
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).map_err(invalid)?;
        let name = member.name().map_err(invalid)?.into_owned();
        while fits(&name) {
            match member.read(&mut buffer)? {
                0 => break,
                bytes => each(&name, &buffer[..bytes])?,
            }
        }
    }
    Ok(())
}

/// Whether a name fits a pattern in which `*` stands for any characters and `?` for one. A pattern without a folder is
/// one of the name without it.
fn fits(pattern: &str, name: &str) -> bool {
    let name = if pattern.contains('/') { name } else { name.rsplit('/').next().unwrap_or(name) };
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star is, and up to where in the name it reaches.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(one) if *one == '?' || *one == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, reach)) = &mut star else { return false };
                *reach += 1;
                (p, n) = (*at + 1, *reach);
            }
        }
    }
    pattern[p..].iter().all(|one| *one == '*')
}

/// Why an archive cannot be read.
fn invalid(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => error,
        other => wrong(format!("a ZIP archive that cannot be read ({other})")),
    }
}

pub(super) fn wrong(problem: String) -> Error {
    Error::new(ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("orders*.csv", "orders-1.csv", true),
            ("orders*.csv", "export/orders.csv", true),
            ("orders*.csv", "orders.csv.bak", false),
            ("export/*.csv", "export/orders.csv", true),
            ("export/*.csv", "orders.csv", false),
            ("*a*b?", "xaxbxby", true),
            ("*a*b?", "xaxb", false),
            ("", "a", false),
            ("?", "é", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
