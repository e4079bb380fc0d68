//! Headers that keep a page to itself: scripts, styles and data from this host only, nothing inline, no frame around it.
//!
//! They hold for whatever event text a page shows. It does not know the pages.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};

/// Who may put a page into a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nobody.
    Never,
    /// Every site: forms that are made to be embedded.
    Anywhere,
}

const NEVER: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
                     frame-ancestors 'none'";
const ANYWHERE: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                        form-action 'self'; frame-ancestors *";

/// Adds the headers, for `axum::middleware::map_response`.
pub fn page(framing: Framing, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let (policy, referrer) = match framing {
        Framing::Never => (NEVER, "no-referrer"),
        // Under no-referrer a browser sends a form with the origin `null`, which the guard refuses.
        Framing::Anywhere => (ANYWHERE, "same-origin"),
    };
    set(headers, header::CONTENT_SECURITY_POLICY, policy);
    set(headers, header::REFERRER_POLICY, referrer);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if framing == Framing::Never {
        set(headers, header::X_FRAME_OPTIONS, "DENY");
        set(headers, header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        set(headers, header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    }
    response
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_inline_and_no_frame() {
        let response = page(Framing::Never, Response::default());
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[test]
    fn a_form_may_be_embedded_and_sends_its_origin() {
        let response = page(Framing::Anywhere, Response::default());
        assert!(!response.headers().contains_key(header::X_FRAME_OPTIONS));
        assert_eq!(response.headers()[header::REFERRER_POLICY], "same-origin");
    }
}
