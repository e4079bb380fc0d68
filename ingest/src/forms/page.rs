//! The pages of a form, in three languages: the question, thanks, and what went wrong.
//!
//! Invariants: whatever a link or a person says is text in the page, never markup; a page loads its style sheet and nothing
//! else. Every language has every text.

use std::sync::LazyLock;

use minijinja::{Environment, context};
use serde::{Deserialize, Serialize};

use super::{Kind, Wrong};

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("form.css");

const TEMPLATE: &str = include_str!("form.html");

/// Codes of the languages, and their texts.
static LANGUAGES: LazyLock<[(&str, Texts); 3]> = LazyLock::new(|| {
    let read = |text| serde_json::from_str(text).expect("a test reads them");
    [
        ("en", read(include_str!("texts/en.json"))),
        ("ja", read(include_str!("texts/ja.json"))),
        ("id", read(include_str!("texts/id.json"))),
    ]
});

/// Its name ends with `.html`, so that what is put in is escaped.
const NAME: &str = "form.html";

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.add_template(NAME, TEMPLATE).expect("a test renders it");
    pages
});

/// The texts of a language. `{name}` is who asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    language: String,
    us: String,
    title: String,
    nps: Question,
    ces: Question,
    csat: Question,
    why: String,
    send: String,
    no_score: String,
    long_comment: String,
    thanks: String,
    again: String,
    foot: String,
    invalid: String,
    invalid_why: String,
    ended: String,
    ended_why: String,
    later: String,
    later_why: String,
    often: String,
    often_why: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    low: String,
    high: String,
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language(usize);

impl Language {
    /// The first of these that there is: the code of a language, or a list as in `accept-language`; else English.
    pub fn of<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Self {
        let codes = wanted.into_iter().flat_map(|list| list.split(','));
        let code = |text: &'a str| text.split([';', '-', '_']).next().unwrap_or_default().trim();
        let place = |code: &str| LANGUAGES.iter().position(|(known, _)| known.eq_ignore_ascii_case(code));
        Self(codes.map(code).find_map(place).unwrap_or(0))
    }

    fn code(self) -> &'static str {
        LANGUAGES[self.0].0
    }

    fn texts(self) -> &'static Texts {
        &LANGUAGES[self.0].1
    }
}

/// What a page says where it asks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The answer is durable.
    Thanks,
    /// The link is none.
    Invalid,
    /// The link has ended.
    Ended,
    /// The answer was not accepted, or it is not known whether it was.
    Later,
    /// Too many answers in a short time.
    Often,
}

/// What a page that asks shows beside the question.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What is asked.
    pub kind: Kind,
    /// The score that is chosen; empty for none.
    pub score: &'a str,
    /// The comment so far.
    pub comment: &'a str,
    /// Of which showing an answer will be.
    pub view: &'a str,
    /// What was wrong with an answer.
    pub wrong: Option<Wrong>,
}

#[derive(Serialize)]
struct Score {
    value: String,
    label: String,
}

/// The page that asks. `name` is who asks; empty for nobody in particular.
pub fn question(language: Language, name: &str, shown: Shown<'_>) -> String {
    let text = language.texts();
    let asked = match shown.kind {
        Kind::Nps => &text.nps,
        Kind::Ces => &text.ces,
        Kind::Csat => &text.csat,
    };
    let (low, high) = shown.kind.scale();
    let score = |value: u8| Score {
        value: value.to_string(),
        label: match value {
            _ if value == low => format!("{value}, {}", asked.low),
            _ if value == high => format!("{value}, {}", asked.high),
            _ => value.to_string(),
        },
    };
    let error = shown.wrong.map(|wrong| match wrong {
        Wrong::Score => &text.no_score,
        Wrong::Comment => &text.long_comment,
    });
    let named = |text: &str, us: &str| text.replace("{name}", if name.is_empty() { us } else { name });
    let languages = LANGUAGES.iter().map(|(code, texts)| context! { code, name => texts.language });
    render(context! {
        code => language.code(),
        text,
        name,
        languages => languages.collect::<Vec<_>>(),
        question => named(&asked.question, &text.us),
        scores => (low..=high).map(score).collect::<Vec<_>>(),
        chosen => shown.score,
        comment => shown.comment,
        view => shown.view,
        low => format!("{low}: {}", asked.low),
        high => format!("{high}: {}", asked.high),
        foot => named(&text.foot, &text.us),
        error,
    })
}

/// A page that says something.
pub fn message(language: Language, name: &str, message: Message) -> String {
    let text = language.texts();
    let (message, why) = match message {
        Message::Thanks => (&text.thanks, &text.again),
        Message::Invalid => (&text.invalid, &text.invalid_why),
        Message::Ended => (&text.ended, &text.ended_why),
        Message::Later => (&text.later, &text.later_why),
        Message::Often => (&text.often, &text.often_why),
    };
    render(context! { code => language.code(), text, name, message, why })
}

fn render(context: minijinja::Value) -> String {
    let page = PAGES.get_template(NAME).and_then(|page| page.render(context));
    page.expect("the template is ours, and so is what it is given")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Kind) -> Shown<'static> {
        Shown { kind, score: "3", comment: "", view: "v", wrong: None }
    }

    #[test]
    fn every_page_in_every_language() {
        for code in ["en", "ja", "id"] {
            let language = Language::of([code]);
            assert_eq!(language.code(), code);
            for kind in Kind::ALL {
                for name in ["", "Tidewater"] {
                    let page = question(language, name, shown(kind));
                    assert!(!page.contains("{name}") && page.contains(&format!("lang=\"{code}\"")), "{page}");
                    let (low, high) = kind.scale();
                    assert_eq!(page.matches("type=\"radio\"").count(), usize::from(high - low) + 1, "{page}");
                    assert_eq!(page.matches(" checked").count(), 1, "{page}");
                }
            }
            for what in [Message::Thanks, Message::Invalid, Message::Ended, Message::Later, Message::Often] {
                assert!(!message(language, "", what).contains("<form"));
            }
        }
    }

    #[test]
    fn the_language_is_that_of_the_first_that_there_is() {
        let code = |wanted: &[&str]| Language::of(wanted.iter().copied()).code();
        assert_eq!(code(&["", "de-DE,ja;q=0.8,en;q=0.5"]), "ja");
        assert_eq!(code(&["ID", "ja"]), "id");
        assert_eq!(code(&["xx", "*"]), "en");
    }

    #[test]
    fn what_people_say_is_text() {
        let hostile = "</textarea><script>alert(1)</script>\u{202e}\"'";
        let page = question(
            Language::of([]),
            "<b>Tidewater</b> & co",
            Shown {
                score: "\" onclick=\"x",
                comment: hostile,
                view: "\"><i>",
                wrong: Some(Wrong::Score),
                kind: Kind::Nps,
            },
        );
        for bad in ["<script", "<b>", "<i>", "onclick=\"x", "</textarea><"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
        assert!(page.contains("&lt;script&gt;") && page.contains("role=\"alert\""), "{page}");
    }

    #[test]
    fn nothing_is_inline_and_nothing_is_loaded_from_elsewhere() {
        let page = question(Language::of([]), "", shown(Kind::Ces));
        for bad in ["style=", "<style", "<script", "http:", "https:", "//"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
