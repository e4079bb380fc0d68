//! What a rule remembers of a series, and its encoding: a version byte, the state's number, three little-endian i64.

use proto::v1::AlertState;

use crate::{Error, Result};

const VERSION: u8 = 1;
const LENGTH: usize = 26;

/// The state of a rule on one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Where the alert stands.
    pub state: AlertState,
    /// When the condition began to hold, or ceased to; 0 before the first transition.
    pub since_us: i64,
    /// Start of the window of the last snapshot judged; `i64::MIN` for `to-date`.
    pub window_start_us: i64,
    /// Revision of the last snapshot judged.
    pub revision_us: i64,
}

impl Default for State {
    fn default() -> Self {
        Self { state: AlertState::Inactive, since_us: 0, window_start_us: i64::MIN, revision_us: i64::MIN }
    }
}

impl State {
    /// Its bytes.
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1] = number(self.state);
        bytes[2..10].copy_from_slice(&self.since_us.to_le_bytes());
        bytes[10..18].copy_from_slice(&self.window_start_us.to_le_bytes());
        bytes[18..].copy_from_slice(&self.revision_us.to_le_bytes());
        bytes
    }

    /// The state of these bytes.
    ///
    /// # Errors
    /// `Fatal` if they are damaged or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: String| Error::State { what };
        let bytes: &[u8; LENGTH] =
            bytes.try_into().map_err(|_| damaged(format!("{} bytes, not {LENGTH}", bytes.len())))?;
        if bytes[0] != VERSION {
            return Err(damaged(format!("version {}, this program reads {VERSION}", bytes[0])));
        }
        let state = AlertState::try_from(i32::from(bytes[1])).map_err(|_| damaged(format!("state {}", bytes[1])))?;
        let [since_us, window_start_us, revision_us] = [2, 10, 18].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            i64::from_le_bytes(word)
        });
        Ok(Self { state, since_us, window_start_us, revision_us })
    }
}

fn number(state: AlertState) -> u8 {
    match state {
        AlertState::Inactive => 0,
        AlertState::Pending => 1,
        AlertState::Firing => 2,
        AlertState::Resolved => 3,
    }
}
