use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::records::Delimiter;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

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
    let gzip = gzip("é\n".as_bytes());
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

/// All texts of a file with their names, or why there are none.
fn texts(name: &str, bytes: &[u8], dialect: &Dialect) -> std::result::Result<Vec<(String, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let bare = |text: &str| text.replace(&format!("{}/", folder.path().display()), "");
    let read = || {
        let (mut texts, mut all) = (Texts::open(&path, dialect, &Arc::default())?, Vec::new());
        while let Some(mut text) = texts.next()? {
            let mut bytes = Vec::new();
            text.reader.read_to_end(&mut bytes).map_err(|e| Error::file(Path::new(&text.name), e))?;
            all.push((bare(&text.name), String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(all)
    };
    read().map_err(|error: Error| bare(&error.to_string()))
}

fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn of(expected: &[(&str, &str)]) -> std::result::Result<Vec<(String, String)>, String> {
    Ok(expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

const MEMBERS: [(&str, &[u8]); 6] = [
    ("export/", b""),
    ("export/orders-1.csv", b"a\n1\n"),
    ("__MACOSX/export/._orders-1.csv", b"\0\x05"),
    (".hidden", b"x"),
    ("export/orders-2.csv", b"\xff\xfea\0\n\0"),
    ("read me.txt", b"caf\xe9"),
];

#[test]
fn a_text_for_each_member_of_an_archive() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated, CompressionMethod::Zstd] {
        let bytes = zip(&MEMBERS, method);
        let encoding = Encoding::for_label(b"windows-1252");
        let found = texts("export.zip", &bytes, &Dialect { encoding, ..Dialect::default() });
        let expected = [
            ("export.zip/export/orders-1.csv", "a\n1\n"),
            ("export.zip/export/orders-2.csv", "a\n"),
            ("export.zip/read me.txt", "café"),
        ];
        assert_eq!(found, of(&expected));
        let member = |pattern: &str| Dialect { member: Some(pattern.to_owned()), ..Dialect::default() };
        assert_eq!(texts("e.zip", &bytes, &member("*1.csv")), of(&[("e.zip/export/orders-1.csv", "a\n1\n")]));
        assert_eq!(
            texts("e.zip", &bytes, &member("*.tsv")).unwrap_err(),
            "e.zip: no member is called *.tsv, there are export/orders-1.csv, export/orders-2.csv, read me.txt"
        );
    }
    let packed = zip(&[("a.csv.gz", &gzip(b"a\n"))], CompressionMethod::Stored);
    assert_eq!(texts("a.zip", &packed, &Dialect::default()), of(&[("a.zip/a.csv.gz", "a\n")]));
    let empty = zip(&[], CompressionMethod::Stored);
    assert_eq!(texts("a.zip", &empty, &Dialect::default()).unwrap_err(), "a.zip: the archive has no file");
}

#[test]
fn what_is_damaged_or_encrypted_is_said_with_the_file() {
    let bytes = zip(&[("a.csv", b"a,b\n1,2\n")], CompressionMethod::Stored);
    let at = bytes.windows(7).position(|window| window == b"a,b\n1,2").unwrap();
    let mut damaged = bytes.clone();
    damaged[at] ^= 1;
    assert_eq!(texts("a.zip", &damaged, &Dialect::default()).unwrap_err(), "a.zip/a.csv: Invalid checksum");
    for end in 4..bytes.len() - 1 {
        let error = texts("a.zip", &bytes[..end], &Dialect::default()).unwrap_err();
        assert!(error.starts_with("a.zip: a ZIP archive that cannot be read"), "{error}");
    }
    let mut encrypted = bytes;
    encrypted[6] |= 1;
    let directory = encrypted.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    encrypted[directory + 8] |= 1;
    let error = texts("a.zip", &encrypted, &Dialect::default()).unwrap_err();
    assert!(error.starts_with("a.zip/a.csv: it is encrypted; unpack it first: unzip "), "{error}");
    let old = texts("a.xls", &[OLE, b"rest"].concat(), &Dialect::default()).unwrap_err();
    assert!(old.starts_with("a.xls: a workbook of the old kind (.xls) or with a password; save it as .xlsx"), "{old}");
}

/// Written by openpyxl: a title, a header, two orders with dates, a note of two lines, a flag, an error, a row without cells.
const WORKBOOK: &[u8] = include_bytes!("orders.xlsx");

fn sheet(sheet: Option<&str>, delimiter: Option<Delimiter>) -> Dialect {
    Dialect { sheet: sheet.map(str::to_owned), delimiter, ..Dialect::default() }
}

#[test]
fn a_sheet_of_a_workbook_is_text() {
    let orders = "Orders of January\n\nNumber,Date,At,Customer,Amount,Paid,Note\n\
        A1,2024-01-05,2024-01-05T10:10:00,acme,19.99,true,\"two\nlines\"\n\n\
        A2,2024-01-06,2024-01-06,\"a, b\",0.3,false,#N/A\nTotal,,,,20.29,,\n";
    let found = |dialect: &Dialect| texts("orders.xlsx", WORKBOOK, dialect);
    assert_eq!(found(&sheet(None, None)), of(&[("orders.xlsx", orders)]));
    let customers = sheet(Some("Customers"), Some(Delimiter::Char(';')));
    assert_eq!(found(&customers), of(&[("orders.xlsx", "id;plan\nacme;pro\n")]));
    assert_eq!(
        found(&sheet(Some("Order"), None)).unwrap_err(),
        "orders.xlsx: no sheet Order, there are Orders, Customers"
    );
    assert_eq!(
        found(&sheet(None, Some(Delimiter::Whitespace))).unwrap_err(),
        "orders.xlsx: a workbook has cells; leave delimiter and widths out of its mapping"
    );
    for end in (4..WORKBOOK.len() - 1).step_by(97) {
        let error = texts("orders.xlsx", &WORKBOOK[..end], &Dialect::default()).unwrap_err();
        assert!(error.starts_with("orders.xlsx: "), "{error}");
    }
}

#[test]
fn a_workbook_that_unpacks_to_too_much_is_refused() {
    let text = format!("<t>{}</t>", "x".repeat(2 << 20));
    let members: [(&str, &[u8]); 2] = [("[Content_Types].xml", b"<a/>"), ("xl/sharedStrings.xml", text.as_bytes())];
    assert_eq!(
        texts("b.xlsx", &zip(&members, CompressionMethod::Deflated), &Dialect::default()).unwrap_err(),
        "b.xlsx: a workbook whose longest text has more than 1 MiB unpacked; save the sheet as CSV"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes are, they are read to their end, or an error names the file.
    #[test]
    fn hostile_files_are_errors(
        magic in prop::sample::select(vec![GZIP, ZSTANDARD, ZIP[0], ZIP[1], OLE]),
        bytes: Vec<u8>,
        flips in prop::collection::vec((0..WORKBOOK.len(), any::<u8>()), 1..20),
    ) {
        let archive = zip(&MEMBERS, CompressionMethod::Deflated);
        for bytes in [[magic, &bytes].concat(), flipped(WORKBOOK, &flips), flipped(&archive, &flips)] {
            if let Err(error) = texts("file", &bytes, &Dialect::default()) {
                prop_assert!(error.starts_with("file"), "{}", error);
            }
        }
    }
}

fn flipped(bytes: &[u8], flips: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte) in flips {
        let length = bytes.len();
        bytes[at % length] = *byte;
    }
    bytes
}
