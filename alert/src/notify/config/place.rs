//! Where a value of the file stands, and where a secret is read from.

use std::path::PathBuf;

use serde_saphyr::Spanned;

use super::{super::secret::Secret, Mistake};

/// What building a receiver needs: the place of its name, the list of its secrets, the list of mistakes.
pub(in super::super) struct Place<'a> {
    /// The receiver's name, where no better place is known.
    pub(in super::super) name: &'a Spanned<String>,
    /// Filled with the secrets that were read.
    pub(in super::super) secrets: &'a mut Vec<Secret>,
    /// Filled with what is wrong.
    pub(in super::super) mistakes: &'a mut Vec<Mistake>,
}

/// Where a secret is: exactly one of both.
pub(in super::super) struct Source<'a> {
    key: &'static str,
    file: Option<&'a Spanned<PathBuf>>,
    env: Option<&'a Spanned<String>>,
}

/// The source of the secret that `KEY_file` or `KEY_env` names.
pub(in super::super) fn source<'a>(
    key: &'static str,
    file: &'a Option<Spanned<PathBuf>>,
    env: &'a Option<Spanned<String>>,
) -> Source<'a> {
    Source { key, file: file.as_ref(), env: env.as_ref() }
}

impl Place<'_> {
    /// A mistake about the receiver as a whole.
    pub(in super::super) fn wrong(&mut self, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(self.name, message));
    }

    /// Keeps the value, or its mistake.
    pub(in super::super) fn keep<T>(&mut self, result: Result<T, Mistake>) -> Option<T> {
        super::check::keep(result, self.mistakes)
    }

    /// A span of time, in microseconds.
    pub(in super::super) fn span(&mut self, text: &Spanned<String>) -> Option<i64> {
        self.keep(super::check::span(text))
    }

    /// Reads a secret, if the file names one.
    pub(in super::super) fn secret(&mut self, source: &Source<'_>) -> Option<Secret> {
        let Source { key, file, env } = source;
        let read = match (file, env) {
            (None, None) => return None,
            (Some(_), Some(env)) => {
                Err(Mistake::at(env, format!("`{key}_file` and `{key}_env` are both there; leave one out")))
            }
            (Some(file), None) => Secret::of_file(&file.value).map_err(|problem| {
                Mistake::at(file, format!("a secret cannot be read: {problem}; name a file that this process may read"))
            }),
            (None, Some(env)) => Secret::of_env(&env.value).map_err(|problem| {
                Mistake::at(env, format!("a secret cannot be read: {problem}; set it where this process is started"))
            }),
        };
        let secret = self.keep(read)?;
        self.secrets.push(secret.clone());
        Some(secret)
    }

    /// Reads a secret that the receiver cannot do without.
    pub(in super::super) fn needed(&mut self, source: &Source<'_>) -> Option<Secret> {
        if source.file.is_none() && source.env.is_none() {
            let key = source.key;
            self.wrong(format!(
                "the receiver needs `{key}_file` or `{key}_env`; secrets are not written into this file"
            ));
        }
        self.secret(source)
    }

    /// A web address: written here, or a secret itself.
    pub(in super::super) fn url(&mut self, open: &Option<Spanned<String>>, hidden: &Source<'_>) -> Option<Secret> {
        let url = match (open, hidden.file.is_some() || hidden.env.is_some()) {
            (Some(open), true) => {
                self.mistakes
                    .push(Mistake::at(open, "`url` is there twice; leave out one of `url`, `url_file` and `url_env`"));
                return None;
            }
            (Some(open), false) => Secret::new(&open.value),
            (None, true) => self.secret(hidden)?,
            (None, false) => {
                self.wrong(
                    "the receiver needs an address; give `url`, or `url_file` or `url_env` where it is a secret",
                );
                return None;
            }
        };
        let good =
            url::Url::parse(url.reveal()).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        if !good {
            let message = "the address is none; write one like https://example.com/hook";
            let place = open.as_ref().unwrap_or(self.name);
            self.mistakes.push(Mistake::at(place, message));
        }
        good.then_some(url)
    }
}
