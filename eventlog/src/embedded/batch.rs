//! The stored form of a batch: records that follow each other in one partition.
//!
//! ```text
//! key    topic u32 BE | partition u32 BE | base offset u64 BE
//! value  version u8 = 1 | records u32 | last delta u32 | base time i64 | greatest time i64      (little endian)
//!        per record: gap | time delta | key | value | headers                                  (LEB128 varints)
//! ```
//!
//! Invariants: offsets within a batch only grow, and a batch spans `[base, base + last delta]` even when compaction
//! took its last records, so that batches never overlap. A version once written is read for ever.
//!
//! It does not know where batches lie, nor what compresses or checks them: RocksDB does both.

use bytes::Bytes;

use crate::{Header, Record, Stored};

const VERSION: u8 = 1;
const HEADER: usize = 25;

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
        self.bytes[0] = VERSION;
        self.bytes[1..5].copy_from_slice(&self.records.to_le_bytes());
        self.bytes[5..9].copy_from_slice(&last_delta.to_le_bytes());
        self.bytes[9..17].copy_from_slice(&self.base_time.to_le_bytes());
        self.bytes[17..HEADER].copy_from_slice(&self.greatest_time.to_le_bytes());
        self.bytes
    }
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
        if header[0] != VERSION {
            return Err(Malformed);
        }
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| i64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let last = base.checked_add(u64::from(word(5))).ok_or(Malformed)?;
        Ok(Self { base, last, records: word(1), base_time: long(9), greatest_time: long(17) })
    }
}

/// Reads the records of a batch one by one; keys, values and headers are slices of it.
#[derive(Debug, Clone)]
pub(super) struct Records {
    bytes: Bytes,
    at: usize,
    left: u32,
    next_offset: u64,
    summary: Summary,
}

impl Records {
    pub(super) fn open(base: u64, bytes: Bytes) -> Result<Self, Malformed> {
        let summary = Summary::read(base, &bytes)?;
        Ok(Self { bytes, at: HEADER, left: summary.records, next_offset: base, summary })
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
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

    fn decode(base: u64, value: Vec<u8>) -> Result<Vec<Stored>, Malformed> {
        let mut records = Records::open(base, Bytes::from(value))?;
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
            prop_assert_eq!(decode(base, value).unwrap(), wanted);
        }

        #[test]
        fn never_panics_on_garbage(mut garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = garbage.first_mut() {
                *first = VERSION;
            }
            let _ = decode(u64::MAX - 9, garbage);
        }
    }

    /// A batch written by the first release; it must be read for ever.
    #[test]
    fn reads_version_1() {
        let hex = "0102000000030000006400000000000000640000000000000000000161020178006302\
                   01620000";
        let value: Vec<u8> =
            hex.as_bytes().chunks(2).map(|h| u8::from_str_radix(std::str::from_utf8(h).unwrap(), 16).unwrap()).collect();
        let all = decode(7, value).unwrap();
        let seen: Vec<_> = all.iter().map(|s| (s.offset, &s.record.key[..], s.record.timestamp_us)).collect();
        assert_eq!(seen, [(7, &b"a"[..], 100), (8, &b"b"[..], 100)]);
    }
}
