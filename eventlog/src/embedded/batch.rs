//! The stored form of a batch: records that follow each other in one partition.
//!
//! ```text
//! key      topic u32 BE | partition u32 BE | base offset u64 BE
//! value    version u8 | records u32 | last delta u32 | base time i64 | greatest time i64        (little endian)
//!          1  the records
//!          2  length of the records u32 LE | the records as one LZ4 block
//! records  each: gap | time delta | key | value | headers                                      (LEB128 varints)
//! ```
//!
//! A batch is compressed before it is written, and not by the database when it makes a table of it: records of a topic are
//! much alike, so the write-ahead log, the memory table and every copy of the batch have a tenth of the bytes. Compression
//! that saves little is not used.
//!
//! Invariants: offsets within a batch only grow, and a batch spans `[base, base + last delta]` even when compaction
//! took its last records, so that batches never overlap. A version once written is read for ever.
//!
//! It does not know where batches lie, nor what checks them: RocksDB does.

use bytes::Bytes;

use crate::{Header, Record, Stored};

const PLAIN: u8 = 1;
const PACKED: u8 = 2;
const HEADER: usize = 25;
/// Records of fewer bytes are stored as they are: a few records live have little in common.
const PACK_BYTES: usize = 1024;
/// A block of LZ4 has at most this many times its own size.
const LZ4_RATIO_MAX: usize = 255;

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Collects the records of one batch.
#[derive(Debug)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    records: u32,
    next_delta: u32,
    base_time: i64,
    greatest_time: i64,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEADER], records: 0, next_delta: 0, base_time: 0, greatest_time: i64::MIN }
    }

    /// Bytes so far, the header included.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Adds a record right after the last one.
    pub(super) fn push(&mut self, record: &Record) {
        self.push_at(self.next_delta, record);
    }

    /// Adds a record `delta` offsets after the base; deltas only grow.
    pub(super) fn push_at(&mut self, delta: u32, record: &Record) {
        if self.records == 0 {
            self.base_time = record.timestamp_us;
        }
        self.greatest_time = self.greatest_time.max(record.timestamp_us);
        put_varint(&mut self.bytes, u64::from(delta - self.next_delta));
        put_varint(&mut self.bytes, zigzag(record.timestamp_us.wrapping_sub(self.base_time)));
        put_bytes(&mut self.bytes, &record.key);
        match &record.value {
            None => put_varint(&mut self.bytes, 0),
            Some(value) => {
                put_varint(&mut self.bytes, value.len() as u64 + 1);
                self.bytes.extend_from_slice(value);
            }
        }
        put_varint(&mut self.bytes, record.headers.len() as u64);
        for header in &record.headers {
            put_bytes(&mut self.bytes, header.name.as_bytes());
            put_bytes(&mut self.bytes, &header.value);
        }
        self.records += 1;
        self.next_delta = delta + 1;
    }

    /// The stored value of a batch that ends at its last record.
    pub(super) fn finish(self) -> Vec<u8> {
        let last_delta = self.next_delta.saturating_sub(1);
        self.finish_spanning(last_delta)
    }

    /// The stored value of a batch that spans offsets past its last record (compaction took them).
    pub(super) fn finish_spanning(mut self, last_delta: u32) -> Vec<u8> {
        self.bytes[0] = PLAIN;
        self.bytes[1..5].copy_from_slice(&self.records.to_le_bytes());
        self.bytes[5..9].copy_from_slice(&last_delta.to_le_bytes());
        self.bytes[9..17].copy_from_slice(&self.base_time.to_le_bytes());
        self.bytes[17..HEADER].copy_from_slice(&self.greatest_time.to_le_bytes());
        pack(&self.bytes).unwrap_or(self.bytes)
    }
}

/// The same batch with its records compressed, where that saves an eighth or more.
fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    let (header, records) = plain.split_at(HEADER);
    let length = u32::try_from(records.len()).ok().filter(|_| records.len() >= PACK_BYTES)?;

    let mut packed = Vec::with_capacity(records.len() / 4);
    packed.extend_from_slice(header);
    packed[0] = PACKED;
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(&lz4_flex::block::compress(records));
    (packed.len() < plain.len() / 8 * 7).then_some(packed)
}

/// The records of a batch, as they were before [`pack`].
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (length, block) = packed.split_first_chunk().ok_or(Malformed)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Malformed)?;
    // A length that cannot be is not allocated.
    if length / LZ4_RATIO_MAX > block.len() {
        return Err(Malformed);
    }
    let records = lz4_flex::block::decompress(block, length).map_err(|_| Malformed)?;
    if records.len() == length { Ok(records) } else { Err(Malformed) }
}

/// What the header says, without decoding a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) base: u64,
    /// Last offset that the batch spans.
    pub(super) last: u64,
    pub(super) records: u32,
    base_time: i64,
    /// Greatest record time, in microseconds since the Unix epoch.
    pub(super) greatest_time: i64,
}

impl Summary {
    pub(super) fn read(base: u64, bytes: &[u8]) -> Result<Self, Malformed> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Malformed)?;
        if ![PLAIN, PACKED].contains(&header[0]) {
            return Err(Malformed);
        }
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| i64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let last = base.checked_add(u64::from(word(5))).ok_or(Malformed)?;
        Ok(Self { base, last, records: word(1), base_time: long(9), greatest_time: long(17) })
    }
}

/// Reads the records of a batch one by one; keys, values and headers are slices of one buffer.
#[derive(Debug, Clone)]
pub(super) struct Records {
    /// The records alone.
    bytes: Bytes,
    at: usize,
    left: u32,
    next_offset: u64,
    summary: Summary,
}

impl Records {
    /// Begins with the first record of a stored batch.
    pub(super) fn open(base: u64, value: &[u8]) -> Result<Self, Malformed> {
        let summary = Summary::read(base, value)?;
        let (header, records) = value.split_at(HEADER);
        let bytes = if header[0] == PACKED { Bytes::from(unpack(records)?) } else { Bytes::copy_from_slice(records) };
        Ok(Self { bytes, at: 0, left: summary.records, next_offset: base, summary })
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    /// Number of records that are left, as far as the batch has bytes for them.
    pub(super) fn left(&self) -> usize {
        let bytes = self.bytes.len() - self.at;
        usize::try_from(self.left).map_or(bytes, |left| left.min(bytes))
    }

    /// The next record, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Stored>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        let offset = self.next_offset.checked_add(self.varint()?).ok_or(Malformed)?;
        let timestamp_us = self.summary.base_time.wrapping_add(unzigzag(self.varint()?));
        let key = self.prefixed()?;
        let value = match self.varint()? {
            0 => None,
            n => Some(self.slice(n - 1)?),
        };
        let headers = self.headers()?;
        self.left -= 1;
        self.next_offset = offset + 1;
        if offset > self.summary.last {
            return Err(Malformed);
        }
        Ok(Some(Stored { offset, record: Record { key, value, headers, timestamp_us } }))
    }

    fn headers(&mut self) -> Result<Vec<Header>, Malformed> {
        let mut headers = Vec::new();
        for _ in 0..self.varint()? {
            let name = String::from_utf8(self.prefixed()?.to_vec()).map_err(|_| Malformed)?;
            headers.push(Header { name, value: self.prefixed()? });
        }
        Ok(headers)
    }

    fn prefixed(&mut self) -> Result<Bytes, Malformed> {
        let len = self.varint()?;
        self.slice(len)
    }

    fn slice(&mut self, len: u64) -> Result<Bytes, Malformed> {
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or(Malformed)?;
        let slice = if len == 0 { Bytes::new() } else { self.bytes.slice(self.at..end) };
        self.at = end;
        Ok(slice)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        get_varint(&self.bytes, &mut self.at)
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub(super) fn get_varint(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Malformed)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
    }

    fn record() -> impl Strategy<Value = Record> {
        let header = ("[a-z]{0,9}", bytes()).prop_map(|(name, value)| Header { name, value });
        (bytes(), proptest::option::of(bytes()), proptest::collection::vec(header, 0..3), any::<i64>())
            .prop_map(|(key, value, headers, timestamp_us)| Record { key, value, headers, timestamp_us })
    }

    fn decode(base: u64, value: &[u8]) -> Result<Vec<Stored>, Malformed> {
        let mut records = Records::open(base, value)?;
        let mut all = Vec::new();
        while let Some(stored) = records.next()? {
            all.push(stored);
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn decodes_what_it_encoded(records in proptest::collection::vec((1u32..5, record()), 1..20), base in 0u64..1 << 60) {
            let (mut builder, mut wanted, mut delta) = (Builder::new(), Vec::new(), 0);
            for (gap, record) in records {
                delta += gap;
                builder.push_at(delta, &record);
                wanted.push(Stored { offset: base + u64::from(delta), record });
            }
            let value = builder.finish_spanning(delta + 3);
            let summary = Summary::read(base, &value).unwrap();
            prop_assert_eq!(summary.last, base + u64::from(delta) + 3);
            prop_assert_eq!(summary.greatest_time, wanted.iter().map(|s| s.record.timestamp_us).max().unwrap());
            prop_assert_eq!(decode(base, &value).unwrap(), wanted);
        }

        #[test]
        fn never_panics_on_garbage(
            mut garbage in proptest::collection::vec(any::<u8>(), 0..200),
            version in PLAIN..=PACKED,
        ) {
            if let Some(first) = garbage.first_mut() {
                *first = version;
            }
            let _ = decode(u64::MAX - 9, &garbage);
        }
    }

    fn alike(number: i64) -> Record {
        let text = format!("the value of record {number} is much like that of any other");
        Record { key: format!("{number}").into(), value: Some(text.into()), headers: vec![], timestamp_us: number }
    }

    #[test]
    fn records_that_are_alike_are_compressed() {
        let mut builder = Builder::new();
        (0..1_000).for_each(|number| builder.push(&alike(number)));
        let plain = builder.len();
        let value = builder.finish();
        assert_eq!(value[0], PACKED);
        assert!(value.len() * 3 < plain, "{} of {plain} bytes", value.len());
        let wanted: Vec<Stored> = (7..).zip(0..1_000).map(|(offset, n)| Stored { offset, record: alike(n) }).collect();
        assert_eq!(decode(7, &value).unwrap(), wanted);
    }

    #[test]
    fn a_compressed_batch_that_is_damaged_does_not_decode() {
        let mut builder = Builder::new();
        (0..100).for_each(|number| builder.push(&alike(number)));
        let value = builder.finish();
        let with_length = |length: u32| [&value[..HEADER], &length.to_le_bytes(), &value[HEADER + 4..]].concat();
        for damaged in [with_length(u32::MAX), with_length(9), value[..value.len() / 2].to_vec(), value[..27].to_vec()]
        {
            assert_eq!(decode(7, &damaged), Err(Malformed));
        }
    }

    /// A batch written by the first release; it must be read for ever.
    #[test]
    fn reads_version_1() {
        let hex = "01020000000300000064000000000000006500000000000000\
                   00000161027800\
                   0002016200010168 0179"
            .replace(' ', "");
        let value: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|h| u8::from_str_radix(std::str::from_utf8(h).unwrap(), 16).unwrap())
            .collect();
        let all = decode(7, &value).unwrap();
        let header = Header { name: "h".into(), value: "y".into() };
        let a = Record { key: "a".into(), value: Some("x".into()), headers: vec![], timestamp_us: 100 };
        let b = Record { key: "b".into(), value: None, headers: vec![header], timestamp_us: 101 };
        assert_eq!(all, [Stored { offset: 7, record: a }, Stored { offset: 8, record: b }]);
    }
}
