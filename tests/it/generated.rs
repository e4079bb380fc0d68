//! Seeded events and seeded randomness.

use oracle::generate;

/// Events in order of arrival, as NDJSON.
pub(crate) fn events(seed: u64, events: usize, accounts: u64) -> Vec<u8> {
    let config = generate::Config { seed, events, accounts, ..generate::Config::default() };
    let mut bytes = Vec::new();
    generate::write(&config, &mut bytes).unwrap();
    bytes
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    /// The lines in another order (Fisher and Yates).
    pub(crate) fn shuffled(&mut self, text: &[u8]) -> Vec<u8> {
        let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for end in (1..lines.len()).rev() {
            let at = usize::try_from(self.below(u64::try_from(end + 1).unwrap())).unwrap();
            lines.swap(at, end);
        }
        lines.concat()
    }
}
