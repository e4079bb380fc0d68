//! The texts of a file: unpacked and decoded to UTF-8 as it is read, in bounded memory.
//!
//! gzip, Zstandard, ZIP and workbooks are known by their first bytes: an archive has a text for each member, a workbook has
//! one sheet as its text. UTF-16 and UTF-8 are known by their byte order mark, which holds against an encoding that is named.
//! Text without a mark and without a named encoding is handed out as it is: who reads it says where
//! it is no UTF-8. It does not know what lines mean.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::{Error, Result, json, records::Dialect};

mod archive;
mod piped;
mod sheet;

use archive::{Member, Members, wrong};
use piped::Piped;

const BUFFER: usize = 1 << 18;

/// Magic bytes of what is unpacked.
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTANDARD: &[u8] = b"\x28\xb5\x2f\xfd";
/// An archive with members, and one without.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// Workbooks of the old kind, and those with a password.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// A text to read.
pub(crate) struct Text {
    /// Its name, for messages.
    pub(crate) name: String,
    /// UTF-8, where it has a byte order mark or its encoding is named.
    pub(crate) reader: Box<dyn BufRead>,
    /// Whether it was a sheet, of which people count rows, not lines.
    pub(crate) is_sheet: bool,
}

/// The texts of one file, one after another.
pub(crate) struct Texts {
    path: PathBuf,
    encoding: Option<&'static Encoding>,
    read: Arc<AtomicU64>,
    rest: Rest,
}

/// What is still to be read.
enum Rest {
    /// The file, which has one text.
    Whole(Option<Box<dyn Read>>),
    /// A sheet.
    Sheet(Option<Piped>),
    /// Members of an archive.
    Members(std::vec::IntoIter<Member>),
}

impl Texts {
    /// Opens a file; `read` counts the bytes that are taken from it.
    pub(crate) fn open(path: &Path, dialect: &Dialect, read: &Arc<AtomicU64>) -> Result<Self> {
        let rest = Self::rest(path, dialect, read).map_err(|e| Error::file(path, e))?;
        Ok(Self { path: path.to_owned(), encoding: dialect.encoding, read: read.clone(), rest })
    }

    fn rest(path: &Path, dialect: &Dialect, read: &Arc<AtomicU64>) -> std::io::Result<Rest> {
        let mut file = Counted::open(path, read)?;
        let mut begin = Vec::new();
        file.by_ref().take(OLE.len() as u64).read_to_end(&mut begin)?;
        if begin.starts_with(OLE) {
            return Err(wrong(
                "a workbook of the old kind (.xls) or with a password; save it as .xlsx without one, or as CSV"
                    .to_owned(),
            ));
        }
        if !ZIP.iter().any(|magic| begin.starts_with(magic)) {
            return Ok(Rest::Whole(Some(Box::new(Cursor::new(begin).chain(file)))));
        }
        let members = Members::read(File::open(path)?)?;
        match () {
            () if members.has("xl/workbook.bin") => {
                Err(wrong("a binary workbook (.xlsb); save it as .xlsx".to_owned()))
            }
            () if members.has("META-INF/manifest.xml") && members.has("content.xml") => {
                Err(wrong("an OpenDocument file; save it as .xlsx or CSV".to_owned()))
            }
            () if members.has("[Content_Types].xml") => {
                let (path, dialect) = (path.to_owned(), dialect.clone());
                let sheet = Piped::new(move |out| sheet::write(&path, &dialect, out))?;
                Ok(Rest::Sheet(Some(sheet)))
            }
            () => Ok(Rest::Members(members.chosen(dialect.member.as_deref())?.into_iter())),
        }
    }

    /// The next text.
    pub(crate) fn next(&mut self) -> Result<Option<Text>> {
        let whole = || self.path.display().to_string();
        let (name, bytes) = match &mut self.rest {
            Rest::Whole(bytes) => (whole(), bytes.take().map(Ok)),
            Rest::Sheet(sheet) => {
                let Some(sheet) = sheet.take() else { return Ok(None) };
                let reader = Box::new(BufReader::with_capacity(BUFFER, sheet));
                return Ok(Some(Text { name: whole(), reader, is_sheet: true }));
            }
            Rest::Members(members) => {
                let Some(Member { at, name }) = members.next() else { return Ok(None) };
                let (path, read) = (self.path.clone(), self.read.clone());
                let unpack = move |out: &mut dyn Write| archive::unpack(&path, Counted::open(&path, &read)?, at, out);
                let bytes = Piped::new(unpack).map(|piped| Box::new(piped) as Box<dyn Read>);
                (format!("{}/{name}", whole()), Some(bytes))
            }
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let reader = bytes.and_then(|bytes| decoded(unpacked(bytes)?, self.encoding));
        let reader = reader.map_err(|e| Error::file(Path::new(&name), e))?;
        Ok(Some(Text { name, reader, is_sheet: false }))
    }
}

/// Bytes without the packing that their first bytes show.
fn unpacked(bytes: impl Read + 'static) -> std::io::Result<Box<dyn Read>> {
    let mut packed = BufReader::with_capacity(BUFFER, bytes);
    let magic = packed.fill_buf()?;
    Ok(match magic {
        _ if magic.starts_with(GZIP) => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        _ if magic.starts_with(ZSTANDARD) => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        _ => Box::new(packed),
    })
}

/// Bytes as UTF-8.
fn decoded(mut bytes: Box<dyn Read>, encoding: Option<&'static Encoding>) -> std::io::Result<Box<dyn BufRead>> {
    let mut begin = Vec::new();
    let marked = u64::try_from(json::BOM.len()).unwrap_or(0);
    bytes.by_ref().take(marked).read_to_end(&mut begin)?;
    if begin == json::BOM {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, bytes)));
    }
    let mut decoding = DecodeReaderBytesBuilder::new();
    let decoding = decoding.encoding(encoding).bom_override(true).build(Cursor::new(begin).chain(bytes));
    Ok(Box::new(BufReader::with_capacity(BUFFER, decoding)))
}

/// Counts what is read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Counted {
    fn open(path: &Path, read: &Arc<AtomicU64>) -> std::io::Result<Self> {
        Ok(Self { file: File::open(path)?, read: read.clone() })
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
