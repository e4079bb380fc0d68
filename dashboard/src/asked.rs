//! What a request asks: its target, its parameters, and whether CSV is wanted.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use crate::{fault::Fault, params::Params};

/// A name of more characters is none that anything has.
pub(crate) const NAME_MAX: usize = 4_096;

/// A request without its body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path and query, as sent.
    pub(crate) target: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its parameters, without `format`.
    pub(crate) params: Params,
    /// CSV is wanted.
    pub(crate) csv: bool,
    /// YAML is wanted.
    pub(crate) yaml: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::of(parts).map_err(Fault::into_response)
    }
}

impl Asked {
    fn of(parts: &Parts) -> Result<Self, Fault> {
        #[derive(Clone, Copy, PartialEq)]
        enum Format {
            Json,
            Csv,
            Yaml,
        }
        let mut params = Params::parse(parts.uri.query().unwrap_or_default())?;
        let words = [("json", Format::Json), ("csv", Format::Csv), ("yaml", Format::Yaml)];
        let format = params.word("format", &words)?;
        let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let wants = |kind: &str| accept.split(',').next().is_some_and(|first| first.trim().starts_with(kind));
        Ok(Self {
            target: parts.uri.to_string(),
            headers: parts.headers.clone(),
            params,
            csv: format.map_or_else(|| wants("text/csv"), |format| format == Format::Csv),
            yaml: format.map_or_else(|| wants("application/yaml"), |format| format == Format::Yaml),
        })
    }
}

/// A name in a path.
pub(crate) fn name(parameter: &'static str, text: String) -> Result<String, Fault> {
    if text.is_empty() || text.chars().count() > NAME_MAX {
        return Err(Fault::wrong(parameter, format!("is empty or longer than {NAME_MAX} characters")));
    }
    Ok(text)
}
