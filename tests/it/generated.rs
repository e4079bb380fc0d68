//! Seeded events and seeded randomness.

use oracle::generate;

/// Events from 2024-01-01 on in order of arrival, as NDJSON.
pub(crate) fn events(seed: u64, events: usize, accounts: u64, days: i64) -> Vec<u8> {
    made(&generate::Config { seed, events, accounts, days, ..generate::Config::default() })
}

/// Events of every type of the vocabulary: exchange rates that come late, are corrected and retracted, and amounts in a
/// currency that never has one.
pub(crate) fn of_every_type(seed: u64, events: usize, accounts: u64, days: i64) -> Vec<u8> {
    made(&generate::Config { seed, events, accounts, days, all: true, ..generate::Config::default() })
}

/// Events from 2019-01-01 on, one in twenty up to `late_days` late.
pub(crate) fn late_events(seed: u64, events: usize, accounts: u64, days: i64, late_days: i64) -> Vec<u8> {
    let start = 1_546_300_800_000_000;
    made(&generate::Config { seed, events, accounts, start, days, late_days, ..generate::Config::default() })
}

/// Events of the days up to `now_us`, as a live door gets them: what is years late changes every day since then.
pub(crate) fn recent(seed: u64, events: usize, accounts: u64, days: i64, now_us: i64) -> Vec<u8> {
    let start = now_us - days * 86_400_000_000;
    made(&generate::Config { seed, events, accounts, start, days, ..generate::Config::default() })
}

fn made(config: &generate::Config) -> Vec<u8> {
    let mut bytes = Vec::new();
    generate::write(config, &mut bytes).unwrap();
    bytes
}

/// The same with `each` events after every one that nothing but `events` reads: many commits of an import, little work.
pub(crate) fn padded(text: &[u8], each: usize) -> Vec<u8> {
    let mut padded = Vec::new();
    for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        padded.extend_from_slice(line);
        for pad in 0..each {
            let id = at * each + pad;
            let (account, day) = (id % 7, 1 + at % 28);
            let event = format!(
                r#"{{"id":"{id}","source":"pad","type":"pad.added","time":"2024-03-{day:02}T00:00:00Z","account":"pad-{account}","data":{{}}}}"#
            );
            padded.extend_from_slice(event.as_bytes());
            padded.push(b'\n');
        }
    }
    padded
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
