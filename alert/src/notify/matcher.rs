//! A matcher on one label, written as Alertmanager writes it: `severity="critical"`, `rule=~"churn_.*"`.
//!
//! Invariants: a regular expression matches the whole value; an absent label has the value `""`.

use std::collections::BTreeMap;

use regex::Regex;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// A condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    negated: bool,
    test: Test,
    written: String,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Regex(Regex),
}

impl Matcher {
    /// Whether the labels satisfy it.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let holds = match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::Regex(regex) => regex.is_match(value),
        };
        holds != self.negated
    }

    /// As it was written.
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl std::str::FromStr for Matcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("`{text}` is no matcher; write name=\"value\", with =, !=, =~ or !~ between them");
        let at = text.find(['=', '!']).ok_or_else(shape)?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.is_empty() || !name.bytes().all(good) {
            return Err(shape());
        }
        let (negated, is_regex, value) = match rest.as_bytes() {
            [b'=', b'~', ..] => (false, true, &rest[2..]),
            [b'!', b'~', ..] => (true, true, &rest[2..]),
            [b'!', b'=', ..] => (true, false, &rest[2..]),
            [b'=', ..] => (false, false, &rest[1..]),
            _ => return Err(shape()),
        };
        let value = unquoted(value.trim()).ok_or_else(shape)?;
        let test = if is_regex {
            let regex = Regex::new(&format!("^(?:{value})$"));
            let first =
                |error: regex::Error| error.to_string().lines().last().unwrap_or_default().replace("error: ", "");
            Test::Regex(regex.map_err(|error| format!("`{value}` is no regular expression: {}", first(error)))?)
        } else {
            Test::Equal(value)
        };
        Ok(Self { name: name.to_owned(), negated, test, written: text.trim().to_owned() })
    }
}

/// The value without its quotes, if it has any.
fn unquoted(text: &str) -> Option<String> {
    match text.strip_prefix('"') {
        None => (!text.contains('"')).then(|| text.to_owned()),
        Some(rest) => {
            let inner = rest.strip_suffix('"')?;
            Some(inner.replace("\\\"", "\"").replace("\\\\", "\\"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_those_of_alertmanager() {
        let labels: Labels = [("severity", "critical"), ("rule", "churn_risk")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let holds = |text: &str| text.parse::<Matcher>().unwrap().matches(&labels);
        for text in ["severity=critical", "severity=\"critical\"", "rule=~churn.*", "rule!~churn", "owner=\"\"", "a!=b"]
        {
            assert!(holds(text), "{text}");
        }
        for text in ["severity!=critical", "rule=~churn", "owner=~.+", "severity=Critical"] {
            assert!(!holds(text), "{text}");
        }
        for text in ["severity", "=x", "a b=c", "rule=~(", "rule=\"x", "rule!x"] {
            assert!(text.parse::<Matcher>().is_err(), "{text}");
        }
    }
}
