//! Compact integers for state: variable-length, zigzag. Decoding hostile bytes answers `None`.

/// Appends an unsigned integer, seven bits a byte.
pub fn put(out: &mut Vec<u8>, mut value: u128) {
    // Nearly all fit 64 bits, where shifts are cheap.
    if let Ok(short) = u64::try_from(value) {
        return put_short(out, short);
    }
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_short(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a signed integer.
pub fn put_signed(out: &mut Vec<u8>, value: i128) {
    if let Ok(short) = i64::try_from(value) {
        return put_short(out, ((short << 1) ^ (short >> 63)).cast_unsigned());
    }
    put(out, ((value << 1) ^ (value >> 127)).cast_unsigned());
}

/// Appends a length and the bytes.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u128);
    out.extend_from_slice(text.as_bytes());
}

/// Reads from the front of a slice.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next unsigned integer.
    pub fn get(&mut self) -> Option<u128> {
        if let Some(short) = self.get_short() { Some(short.into()) } else { self.get_long() }
    }

    /// The next unsigned integer, if it is no longer than nine bytes; else nothing is read.
    fn get_short(&mut self) -> Option<u64> {
        let mut short = 0_u64;
        for (index, byte) in self.0.iter().take(9).enumerate() {
            short |= u64::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Some(short);
            }
        }
        None
    }

    fn get_long(&mut self) -> Option<u128> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u128::from(first & 0x7f).checked_shl(shift)?;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next signed integer.
    pub fn get_signed(&mut self) -> Option<i128> {
        if let Some(short) = self.get_short() {
            return Some(((short >> 1).cast_signed() ^ -((short & 1).cast_signed())).into());
        }
        let raw = self.get()?;
        Some((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// The next signed integer of 64 bits.
    pub fn get_time(&mut self) -> Option<i64> {
        i64::try_from(self.get_signed()?).ok()
    }

    /// The next count, which cannot be larger than what is left.
    pub fn get_count(&mut self) -> Option<usize> {
        usize::try_from(self.get()?).ok().filter(|count| *count <= self.0.len())
    }

    /// Passes over the next text, whatever its bytes.
    pub fn skip_text(&mut self) -> Option<()> {
        let length = self.get_count()?;
        self.0 = self.0.get(length..)?;
        Some(())
    }

    /// The next text.
    pub fn get_text(&mut self) -> Option<&'a str> {
        let length = self.get_count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(value: i128, text: String) {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            put_text(&mut out, &text);
            let mut reader = Reader(&out);
            prop_assert_eq!((reader.get_signed(), reader.get_text()), (Some(value), Some(text.as_str())));
        }

        #[test]
        fn hostile_bytes_are_no_panic(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            while reader.get_text().is_some() {}
            prop_assert!(Reader(&bytes).get_signed().is_some() || bytes.len() < 20 || bytes[..19].iter().all(|b| b & 0x80 != 0));
        }
    }
}
