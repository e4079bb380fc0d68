//! Title and body of a message, by templates (minijinja).
//!
//! Invariants: a template that does not parse is a mistake of the configuration, with its line; one that fails while it is
//! rendered falls back to the default, so that the message goes out.

use minijinja::Environment;
use serde::Serialize;
use serde_saphyr::Spanned;

use super::config::Mistake;

/// One line.
pub(super) const TITLE: &str = include_str!("../../../deploy/notify/title.jinja");
/// Plain text; each kind escapes it for where it is shown.
pub(super) const BODY: &str = include_str!("../../../deploy/notify/body.jinja");

/// The templates of a receiver.
#[derive(Debug)]
pub(super) struct Templates {
    title: String,
    body: String,
}

impl Templates {
    /// These, or the defaults.
    pub(super) fn new(title: Option<&Spanned<String>>, body: Option<&Spanned<String>>) -> Result<Self, Mistake> {
        let checked = |text: Option<&Spanned<String>>, default: &str| match text {
            None => Ok(default.to_owned()),
            Some(text) => check(text).map(|()| text.value.clone()),
        };
        Ok(Self { title: checked(title, TITLE)?, body: checked(body, BODY)? })
    }

    /// The title, on one line.
    pub(super) fn title(&self, context: &impl Serialize) -> String {
        let text = self.text(&self.title, TITLE, context);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The body.
    pub(super) fn body(&self, context: &impl Serialize) -> String {
        self.text(&self.body, BODY, context).trim().to_owned()
    }

    fn text(&self, template: &str, default: &str, context: &impl Serialize) -> String {
        let rendered = render(template, context).or_else(|problem| {
            tracing::warn!(problem, "a template failed: the default one is used");
            render(default, context)
        });
        rendered.unwrap_or_default()
    }
}

/// That a template parses.
pub(super) fn check(text: &Spanned<String>) -> Result<(), Mistake> {
    let parsed = environment().template_from_str(&text.value).map(drop);
    parsed.map_err(|error| {
        let line = error.line().map(|line| format!("line {line} of ")).unwrap_or_default();
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Mistake::at(text, format!("{line}the template does not parse: {what}"))
    })
}

/// A template, rendered.
pub(super) fn render(template: &str, context: &impl Serialize) -> Result<String, String> {
    environment().render_str(template, context).map_err(|error| error.to_string())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // Blocks stand on lines of their own.
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment
}
