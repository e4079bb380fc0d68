//! Parameters of a query: each is taken by its name, and what nobody took is an error that names it.

use std::{fmt::Display, str::FromStr};

use crate::fault::Fault;

/// A value of more characters is none that the API understands.
pub(crate) const LENGTH_MAX: usize = 1_024;

/// The parameters of a request that were not taken yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a query string. An empty value is as good as none.
    pub(crate) fn parse(query: &str) -> Result<Self, Fault> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
            if params.iter().any(|(known, _)| *known == name) {
                return Err(Fault::wrong(&shown, "is given twice, expected once"));
            }
            if value.chars().count() > LENGTH_MAX {
                return Err(Fault::wrong(&shown, format!("is longer than {LENGTH_MAX} characters")));
            }
            if value.chars().any(char::is_control) {
                return Err(Fault::wrong(&shown, "has a control character"));
            }
            if name.len() > LENGTH_MAX {
                return Err(Fault::wrong(&shown, "there is no such parameter"));
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    /// Takes a parameter.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1).filter(|value| !value.is_empty())
    }

    /// Takes a parameter that may be the empty text.
    pub(crate) fn take_any(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes those whose names begin with this, without it.
    pub(crate) fn take_all(&mut self, prefix: &str) -> Vec<(String, String)> {
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for (name, value) in std::mem::take(&mut self.0) {
            match name.strip_prefix(prefix) {
                Some(name) => taken.push((name.to_owned(), value)),
                None => rest.push((name, value)),
            }
        }
        self.0 = rest;
        taken
    }

    /// Takes a number from `least` to `most`.
    pub(crate) fn number<T>(&mut self, name: &str, least: T, most: T, default: T) -> Result<T, Fault>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.take(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
        number.ok_or_else(|| Fault::wrong(name, format!("is {text:?}, expected a number from {least} to {most}")))
    }

    /// Takes a cursor that is a number of rows before it.
    pub(crate) fn place(&mut self) -> Result<usize, Fault> {
        let Some(text) = self.take("cursor") else { return Ok(0) };
        text.parse().map_err(|_| Fault::unfit("cursor", "is none that a page gave"))
    }

    /// Takes one of some words.
    pub(crate) fn word<T>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Fault>
    where
        T: Copy,
    {
        let Some(text) = self.take(name) else { return Ok(None) };
        let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, of)| *of);
        found.map(Some).ok_or_else(|| Fault::wrong(name, format!("is {text:?}, expected one of {}", known())))
    }

    /// Takes a dimension and its value, `dimension:value`.
    pub(crate) fn segment(&mut self) -> Result<Option<(String, String)>, Fault> {
        let Some(text) = self.take("segment") else { return Ok(None) };
        let pair = text.split_once(':').filter(|(name, _)| !name.is_empty());
        let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.map(Some).ok_or_else(|| Fault::wrong("segment", format!("is {text:?}, expected dimension:value")))
    }

    /// Takes a kind of window; `30d` is `trailing 30d`.
    pub(crate) fn window(&mut self) -> Result<Option<store::window::Kind>, Fault> {
        let Some(text) = self.take("window") else { return Ok(None) };
        let trailing = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok()).filter(|days| *days > 1);
        let kind = trailing.map_or_else(|| text.parse(), |days| Ok(store::window::Kind::Trailing(days)));
        kind.map(Some).map_err(|error: store::Error| Fault::wrong("window", error))
    }

    /// Nothing is left.
    pub(crate) fn done(self) -> Result<(), Fault> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
                Err(Fault::wrong(&shown, "there is no such parameter here"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{http::StatusCode, response::IntoResponse as _};

    use super::*;

    fn is_bad<T>(result: Result<T, Fault>) -> bool {
        result.err().is_some_and(|fault| fault.into_response().status() == StatusCode::BAD_REQUEST)
    }

    #[test]
    fn parameters_are_taken_once_and_the_rest_is_an_error() {
        let mut params = Params::parse("window=30d&segment=plan:Team+A&limit=5&q=&trait.region=%E6%9D%B1&x=1").unwrap();
        assert_eq!(params.window().unwrap().map(|kind| kind.to_string()).as_deref(), Some("trailing 30d"));
        assert_eq!(params.segment().unwrap(), Some(("plan".to_owned(), "Team A".to_owned())));
        assert_eq!(params.number("limit", 1, 100, 50).unwrap(), 5);
        assert_eq!(params.take("q"), None);
        assert_eq!(params.take_all("trait."), [("region".to_owned(), "東".to_owned())]);
        assert!(is_bad(params.done()), "x is none");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let long = format!("q={}", "a".repeat(10_000));
        for query in ["a=1&a=2", "q=%00", "q=a%0Ab", long.as_str()] {
            assert!(is_bad(Params::parse(query)), "{query:.20}");
        }
        for limit in ["limit=0", "limit=101", "limit=-1", "limit=1e9", "limit=NaN"] {
            assert!(is_bad(Params::parse(limit).unwrap().number("limit", 1, 100, 50)), "{limit}");
        }
        for window in ["window=1x", "window=0d", "window=99999d", "window=1d+"] {
            let found = Params::parse(window).unwrap().window();
            assert!(is_bad(found), "{window}");
        }
        assert!(is_bad(Params::parse("segment=plan").unwrap().segment()));
    }
}
