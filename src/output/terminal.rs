//! What the output is shown on: how wide it is, and whether it shows more than ASCII.
//!
//! `COLUMNS` says the width, else the terminal; output that goes elsewhere has none, and nothing in it is wrapped.

use std::{cell::Cell, env};

use serde::{Deserialize, Serialize};

/// Narrower than this nothing can be shown.
const WIDTH_MIN: u16 = 20;

thread_local! {
    /// What a command that this thread runs for another process is shown on.
    static ELSEWHERE: Cell<Option<Terminal>> = const { Cell::new(None) };
}

/// Runs a command whose output is shown by another process.
pub(crate) fn elsewhere<T>(terminal: Terminal, command: impl FnOnce() -> T) -> T {
    /// The thread goes back to a pool, also from a panic.
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            ELSEWHERE.set(None);
        }
    }
    ELSEWHERE.set(Some(Terminal { width: terminal.width.map(|width| width.max(WIDTH_MIN)), ..terminal }));
    let _back = Back;
    command()
}

/// Whether the command of this thread is shown by another process.
pub(crate) fn is_elsewhere() -> bool {
    ELSEWHERE.get().is_some()
}

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terminal {
    /// Columns; none where output is no terminal.
    pub(crate) width: Option<u16>,
    /// Whether lines and blocks can be shown.
    pub(crate) unicode: bool,
}

impl Terminal {
    /// That of standard output, or of whom the command runs for.
    pub(crate) fn of_stdout() -> Self {
        if let Some(terminal) = ELSEWHERE.get() {
            return terminal;
        }
        let columns = env::var("COLUMNS").ok().and_then(|text| text.trim().parse::<u16>().ok());
        let width = columns.filter(|width| *width > 0).or_else(|| comfy_table::Table::new().width());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
        let locale = locale.into_iter().find(|value| !value.is_empty());
        Self { width: width.map(|width| width.max(WIDTH_MIN)), unicode: shows_unicode(locale.as_deref()) }
    }

    /// Columns, where there is a limit.
    pub(crate) fn columns(self) -> Option<usize> {
        self.width.map(usize::from)
    }
}

/// Everything but what a locale rules out: one that names another character set, or the plain `C`.
fn shows_unicode(locale: Option<&str>) -> bool {
    let Some(locale) = locale else { return true };
    match locale.split_once('.') {
        Some((_, charset)) => charset.to_ascii_lowercase().starts_with("utf"),
        None => !matches!(locale, "C" | "POSIX"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_may_rule_out_more_than_ascii() {
        for (locale, expected) in [
            (None, true),
            (Some("de_DE.UTF-8"), true),
            (Some("C.utf8"), true),
            (Some("de_DE"), true),
            (Some("C"), false),
            (Some("POSIX"), false),
            (Some("de_DE.ISO-8859-1"), false),
        ] {
            assert_eq!(shows_unicode(locale), expected, "{locale:?}");
        }
    }
}
