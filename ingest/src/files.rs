//! The texts of a file: unpacked and decoded to UTF-8 as it is read, in bounded memory.
//!
//! gzip and Zstandard are known by their first bytes, and UTF-16 and UTF-8 by their byte order mark, which holds against an
//! encoding that is named. Text without a mark and without a named encoding is handed out as it is: who reads it says where
//! it is no UTF-8. It does not know what lines mean.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::{Error, Result, json, records::Dialect};

const BUFFER: usize = 1 << 18;

/// Magic bytes of what is unpacked.
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTANDARD: &[u8] = b"\x28\xb5\x2f\xfd";

/// A text to read.
pub(crate) struct Text {
    /// Its name, for messages.
    pub(crate) name: String,
    /// UTF-8, where it has a byte order mark or its encoding is named.
    pub(crate) reader: Box<dyn BufRead>,
}

/// The texts of one file, one after another.
pub(crate) struct Texts {
    whole: Option<Text>,
}

impl Texts {
    /// Opens a file; `read` counts the bytes that are taken from it.
    pub(crate) fn open(path: &Path, dialect: &Dialect, read: &Arc<AtomicU64>) -> Result<Self> {
        let fail = |e| Error::file(path, e);
        let file = Counted { file: File::open(path).map_err(fail)?, read: read.clone() };
        let reader = decoded(unpacked(file).map_err(fail)?, dialect.encoding).map_err(fail)?;
        Ok(Self { whole: Some(Text { name: path.display().to_string(), reader }) })
    }

    /// The next text.
    pub(crate) fn next(&mut self) -> Result<Option<Text>> {
        Ok(self.whole.take())
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

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn text(bytes: &[u8], encoding: Option<&'static Encoding>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let (read, mut text) = (Arc::default(), Vec::new());
        let dialect = Dialect { encoding, ..Dialect::default() };
        let mut texts = Texts::open(&path, &dialect, &read).unwrap();
        texts.next().unwrap().unwrap().reader.read_to_end(&mut text).unwrap();
        assert!(texts.next().unwrap().is_none());
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64);
        text
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all("é\n".as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(text(&gzip, None), "é\n".as_bytes());
        assert_eq!(text(&[gzip.clone(), gzip].concat(), None), "é\né\n".as_bytes(), "members follow each other");
        assert_eq!(text(&zstd::encode_all("é\n".as_bytes(), 0).unwrap(), None), "é\n".as_bytes());
    }

    #[test]
    fn a_byte_order_mark_holds_against_a_named_encoding() {
        let latin = Encoding::for_label(b"windows-1252");
        assert_eq!(text(b"caf\xe9 \x80", latin), "café €".as_bytes());
        assert_eq!(text(b"\xff\xfeh\0\xe9\0", latin), "hé".as_bytes());
        assert_eq!(text(b"\xfe\xff\0h\0\xe9", None), "hé".as_bytes());
        assert_eq!(text("\u{feff}é".as_bytes(), latin), "é".as_bytes());
        assert_eq!(text(b"caf\xe9", None), b"caf\xe9", "no UTF-8 is left as it is");
        assert_eq!(text(b"h\0\xe9\0", Encoding::for_label(b"utf-16le")), "hé".as_bytes());
    }
}
