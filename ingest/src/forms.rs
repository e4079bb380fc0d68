//! Survey forms: one question on a page, whose answer is an event `survey.answered`.
//!
//! ```text
//!   a link, signed ([`link`]) -> GET /f/LINK: the page ([`page`]) -> POST -> an event -> the door
//! ```
//! Invariants: who answers, and what, is said by the link and signed, so that nobody answers for others; a page needs neither
//! scripts nor cookies, and may stand in a frame of another site; what is answered with thanks is durable.
//!
//! A form is a door: it accepts, validates and appends. It does not know HTTP ([`crate::http::forms`] does), nor who was
//! asked.

pub mod link;
pub mod page;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use link::Link;

/// Characters of a comment.
pub const COMMENT_MAX: usize = 2_000;

/// Source of the events.
pub const SOURCE: &str = "form";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// How likely a recommendation is, 0 to 10.
    Nps,
    /// How much effort it took, 1 to 7: less is better.
    Ces,
    /// How satisfied somebody is, 1 to 5.
    Csat,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nps, Self::Ces, Self::Csat];

    /// Its name, as in the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::Ces => "ces",
            Self::Csat => "csat",
        }
    }

    /// The lowest and the highest score.
    pub fn scale(self) -> (u8, u8) {
        match self {
            Self::Nps => (0, 10),
            Self::Ces => (1, 7),
            Self::Csat => (1, 5),
        }
    }

    /// The score that a text is.
    fn score(self, text: &str) -> Option<u8> {
        let (low, high) = self.scale();
        text.parse().ok().filter(|score| (low..=high).contains(score))
    }
}

/// What somebody sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The score, as text; empty where none was chosen.
    pub score: String,
    /// The comment.
    pub comment: String,
    /// Which showing of the page it came from.
    pub view: String,
}

impl Sent {
    /// Reads the body of a form (`application/x-www-form-urlencoded`); fields that a form does not have are left out.
    pub fn read(body: &[u8]) -> Self {
        let mut sent = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            match &*name {
                "score" => sent.score = value.into_owned(),
                // Browsers send line ends as CR LF.
                "comment" => sent.comment = value.replace("\r\n", "\n").trim().to_owned(),
                "view" => sent.view = value.into_owned(),
                _ => {}
            }
        }
        sent
    }
}

/// Why what somebody sent is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// No number of the scale was chosen.
    Score,
    /// The comment is longer than [`COMMENT_MAX`].
    Comment,
}

/// The answer as a CloudEvent in JSON. The same showing of the page sent again with the same answer is the same event.
///
/// # Errors
/// What is wrong with it.
pub fn event(link: &Link, token: &str, sent: &Sent, now: Timestamp) -> Result<Vec<u8>, Wrong> {
    let score = link.kind.score(&sent.score).ok_or(Wrong::Score)?;
    if sent.comment.chars().count() > COMMENT_MAX {
        return Err(Wrong::Comment);
    }
    let mut hash = Xxh3::new();
    for part in [token, &sent.view, &sent.score, &sent.comment] {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut data = json!({ "kind": link.kind.name(), "score": score, "respondent": link.respondent(token) });
    let optional = [("survey", &link.survey), ("ticket", &link.ticket), ("comment", &sent.comment)];
    for (name, value) in optional.into_iter().filter(|(_, value)| !value.is_empty()) {
        data[name] = json!(value);
    }
    let event = json!({
        "specversion": "1.0",
        "id": format!("{:032x}", hash.digest128()),
        "source": SOURCE,
        "type": "survey.answered",
        "time": now.to_string(),
        "account": link.account,
        "data": data,
    });
    Ok(event.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn link() -> Link {
        Link { kind: Kind::Csat, account: "acme".to_owned(), ticket: "t-7".to_owned(), ..Link::new(Kind::Csat, "acme") }
    }

    fn answer(body: &str) -> Result<Value, Wrong> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        event(&link(), "payload.tag", &Sent::read(body.as_bytes()), now)
            .map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn an_answer_is_an_event_with_what_the_link_says() {
        let event = answer("score=4&comment=+quick%0D%0Aand+kind+&view=1&account=other").unwrap();
        assert_eq!(event["account"], "acme");
        assert_eq!(
            event["data"],
            json!({"kind": "csat", "score": 4, "respondent": "link:tag", "ticket": "t-7", "comment": "quick\nand kind"})
        );
        assert_eq!(event["time"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn sent_twice_it_is_one_event_and_another_answer_is_another() {
        let id = |body| answer(body).unwrap()["id"].clone();
        assert_eq!(id("score=4&view=1"), id("score=4&view=1"));
        let all = ["score=4&view=1", "score=3&view=1", "score=4&view=2", "score=4&comment=a&view=1"].map(id);
        assert!(all.iter().enumerate().all(|(place, id)| !all[..place].contains(id)), "{all:?}");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for body in ["", "score=", "score=0", "score=6", "score=4.5", "score=-1", "comment=a"] {
            assert_eq!(answer(body).unwrap_err(), Wrong::Score, "{body}");
        }
        let long = format!("score=4&comment={}", "é".repeat(COMMENT_MAX + 1));
        assert_eq!(answer(&long).unwrap_err(), Wrong::Comment);
        assert!(answer(&long[..long.len() - 2]).is_ok());
    }
}
