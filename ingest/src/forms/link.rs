//! Links of respondents: who answers which survey, signed.
//!
//! ```text
//!   base64url([kind, account, respondent, survey, ticket, end, language]) . base64url(HMAC-SHA256)
//! ```
//! Invariants: a link of another key, or one of which a bit was changed, is no link; a link that has ended is none. The
//! fields are signed, not hidden: a link shows the account to who has it.

use std::{fs, io, io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};

use super::Kind;

/// Says what is signed, so that the key could sign other things, too.
const PURPOSE: &[u8] = b"vitals form 1\0";
/// Longest link that is looked at, bytes.
const TOKEN_MAX: usize = 4_096;
/// Bytes of a new key.
const KEY: usize = 32;

/// The key that signs links.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    /// The key in a file. Where there is none, a new one is made that only its owner may read.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds no key.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::of_text(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(error),
        }
    }

    fn of_text(text: &str) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "expected 32 bytes or more in base64url");
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().filter(|bytes| bytes.len() >= KEY).ok_or_else(invalid)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; KEY];
        SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A temporary file is its owner's alone; under its name it is whole.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => Self::of_text(&text),
            // Another process was faster.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Self::of_text(&fs::read_to_string(path)?)
            }
            Err(error) => Err(error.error),
        }
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is asked.
    pub kind: Kind,
    /// Account of the answer.
    pub account: String,
    /// Who answers; empty for whoever has the link.
    pub respondent: String,
    /// Survey; empty for none.
    pub survey: String,
    /// Ticket; empty for none.
    pub ticket: String,
    /// When it ends, seconds since the Unix epoch; none for never.
    pub end_s: Option<i64>,
    /// Language of the page; empty for that of the browser.
    pub language: String,
}

/// What is signed, in its order.
#[derive(Serialize, Deserialize)]
struct Payload(Kind, String, String, String, String, Option<i64>, String);

/// Why a text is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It was not signed with this key.
    Invalid,
    /// It has ended.
    Ended,
}

impl Link {
    /// A link that never ends, for whoever has it.
    pub fn new(kind: Kind, account: &str) -> Self {
        let none = String::new;
        Self {
            kind,
            account: account.to_owned(),
            respondent: none(),
            survey: none(),
            ticket: none(),
            end_s: None,
            language: none(),
        }
    }

    /// The last part of the address.
    ///
    /// # Panics
    /// Never: texts and numbers have a form in JSON.
    pub fn sign(&self, key: &Key) -> String {
        let Self { kind, account, respondent, survey, ticket, end_s, language } = self.clone();
        let payload = Payload(kind, account, respondent, survey, ticket, end_s, language);
        let bytes = serde_json::to_vec(&payload).expect("texts and numbers have a form in JSON");
        let tag = hmac::sign(&key.0, &[PURPOSE, &bytes].concat());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(tag))
    }

    /// What the last part of an address says at a time, seconds since the Unix epoch.
    ///
    /// # Errors
    /// When it is no link of this key, or has ended.
    pub fn read(token: &str, key: &Key, now_s: i64) -> Result<Self, Fault> {
        let (payload, tag) = token.split_once('.').filter(|_| token.len() <= TOKEN_MAX).ok_or(Fault::Invalid)?;
        let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Invalid);
        let (bytes, tag) = (decode(payload)?, decode(tag)?);
        hmac::verify(&key.0, &[PURPOSE, &bytes].concat(), &tag).map_err(|_| Fault::Invalid)?;

        let payload: Payload = serde_json::from_slice(&bytes).map_err(|_| Fault::Invalid)?;
        let Payload(kind, account, respondent, survey, ticket, end_s, language) = payload;
        if end_s.is_some_and(|end| end <= now_s) {
            return Err(Fault::Ended);
        }
        Ok(Self { kind, account, respondent, survey, ticket, end_s, language })
    }

    /// Who answers: whoever has the link, where it names nobody. So a later answer by the same link replaces an earlier.
    pub fn respondent(&self, token: &str) -> String {
        if !self.respondent.is_empty() {
            return self.respondent.clone();
        }
        let tag = token.rsplit('.').next().unwrap_or_default();
        format!("link:{}", tag.get(..16).unwrap_or(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (tempfile::TempDir, Key) {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::of_file(&dir.path().join("forms.key")).unwrap();
        (dir, key)
    }

    fn link() -> Link {
        Link {
            respondent: "kim@example.com".to_owned(),
            survey: "2026-q4 \"é\"".to_owned(),
            end_s: Some(100),
            language: "ja".to_owned(),
            ..Link::new(Kind::Nps, "acme")
        }
    }

    #[test]
    fn a_link_says_what_was_signed_until_it_ends() {
        let (_dir, key) = key();
        let token = link().sign(&key);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
        assert_eq!(Link::read(&token, &key, 99), Ok(link()));
        assert_eq!(Link::read(&token, &key, 100), Err(Fault::Ended));
    }

    #[test]
    fn a_link_that_was_changed_is_none() {
        let (_dir, key) = key();
        let token = link().sign(&key);
        for place in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(Link::read(std::str::from_utf8(&other).unwrap(), &key, 0), Err(Fault::Invalid), "{place}");
        }
        for other in ["", ".", "a.b", "é.é", &token[1..], &format!("{token}A"), &"a.".repeat(9_999)] {
            assert_eq!(Link::read(other, &key, 0), Err(Fault::Invalid), "{other}");
        }
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners() {
        let (dir, key) = key();
        let path = dir.path().join("forms.key");
        let token = link().sign(&key);
        assert_eq!(Link::read(&token, &Key::of_file(&path).unwrap(), 0), Ok(link()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        }
        let other = Key::of_file(&dir.path().join("other.key")).unwrap();
        assert_eq!(Link::read(&token, &other, 0), Err(Fault::Invalid));
        assert_eq!(format!("{key:?}"), "***");

        fs::write(&path, "short").unwrap();
        assert!(Key::of_file(&path).unwrap_err().to_string().contains("32 bytes"));
    }

    #[test]
    fn who_has_a_link_is_one_respondent() {
        let (_dir, key) = key();
        let link = Link::new(Kind::Csat, "acme");
        let token = link.sign(&key);
        assert_eq!(link.respondent(&token), link.respondent(&token));
        assert!(link.respondent(&token).starts_with("link:"));
    }
}
