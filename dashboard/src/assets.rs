//! The pages of the dashboard, built from `dashboard/web` and embedded in the binary.
//!
//! Files under `assets/` carry a hash of their content in their name: a browser may keep them for ever. Everything else is
//! asked for each time, and answered 304 where its ETag is known. What shrinks is compressed once, when the process starts.
//! Addresses of views answer with the same page, which then asks the API for what the address names: whether there is such
//! an account it does not know.

use std::{collections::BTreeMap, io::Write as _, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use http::Framing;
use rust_embed::RustEmbed;
use xxhash_rust::xxh3::xxh3_128;

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

const INDEX: &str = "index.html";
/// The views: each address is the page itself.
const VIEWS: [&str; 11] = [
    "/",
    "/catalog",
    "/metrics/{name}",
    "/pipeline",
    "/accounts",
    "/accounts/{account}",
    "/alerts",
    "/goals",
    "/backtest",
    "/system",
    "/boards/{name}",
];
/// The files beside the page.
const FILES: [&str; 3] = ["/assets/{*name}", "/theme.js", "/icon.svg"];
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK: &str = "no-cache";

/// One file, as it is sent.
#[derive(Debug, Clone)]
struct Asset {
    plain: Bytes,
    /// Absent where it does not shrink.
    gzip: Option<Bytes>,
    etag: HeaderValue,
    kind: &'static str,
    cache: &'static str,
}

impl Asset {
    fn new(name: &str, content: &[u8]) -> Self {
        let gzip = compressed(content).filter(|small| small.len() < content.len()).map(Bytes::from);
        let etag = format!("\"{:032x}\"", xxh3_128(content));
        Self {
            plain: Bytes::copy_from_slice(content),
            gzip,
            etag: HeaderValue::from_str(&etag).expect("hexadecimal digits in quotes are a header value"),
            kind: kind(name),
            cache: if name.starts_with("assets/") { FOR_EVER } else { ASK },
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|tags| names(tags, &self.etag));
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            match self.gzip.as_ref().filter(|_| takes_gzip(asked)) {
                Some(gzip) => ([(header::CONTENT_ENCODING, "gzip")], Body::from(gzip.clone())).into_response(),
                None => Body::from(self.plain.clone()).into_response(),
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        response
    }
}

fn compressed(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Whether a list of tags has this one. A tag that another compression made weak is the same file.
fn names(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let codings = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

type Assets = Arc<BTreeMap<String, Asset>>;

/// The routes of all views and files.
pub fn router() -> Router {
    let assets: BTreeMap<String, Asset> =
        Dist::iter().filter_map(|name| Some((name.to_string(), Asset::new(&name, &Dist::get(&name)?.data)))).collect();
    assert!(assets.contains_key(INDEX), "the dashboard was built before it was embedded");
    let views = VIEWS.iter().fold(Router::new(), |router, view| router.route(view, get(page)));
    let files = FILES.iter().fold(views, |router, name| router.route(name, get(file)));
    files.layer(map_response(|response| async { http::page(Framing::Never, response) })).with_state(Arc::new(assets))
}

async fn page(State(assets): State<Assets>, asked: HeaderMap) -> Response {
    assets[INDEX].answer(&asked)
}

async fn file(State(assets): State<Assets>, uri: Uri, asked: HeaderMap) -> Response {
    match assets.get(uri.path().trim_start_matches('/')) {
        Some(asset) => asset.answer(&asked),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let request = headers
            .iter()
            .fold(Request::get(path), |request, (name, value)| request.header(name, *value))
            .body(Body::empty())
            .unwrap();
        pollster::block_on(async {
            let response = router().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
        })
    }

    /// The files that the page names.
    fn named(page: &str) -> Vec<&str> {
        let after = |text: &'static str| page.split(text).skip(1).filter_map(|rest| rest.split('"').next());
        after("src=\"").chain(after("href=\"")).collect()
    }

    #[test]
    fn each_view_is_the_page_and_all_that_it_names_is_there() {
        let (_, _, page) = get("/", &[]);
        for view in VIEWS {
            let path = view.replace("{name}", "nps").replace("{account}", "a%2Fb%20%E6%97%A5");
            let (status, headers, body) = get(&path, &[]);
            assert_eq!((status, &body), (StatusCode::OK, &page), "{path}");
            assert_eq!(headers[header::CACHE_CONTROL], ASK);
            assert!(!headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("unsafe"));
        }
        let page = String::from_utf8(page.to_vec()).unwrap();
        let files = named(&page);
        assert!(files.len() >= 4, "{page}");
        for name in files {
            let (status, headers, _) = get(name, &[]);
            assert_eq!(status, StatusCode::OK, "{name}");
            let for_ever = headers[header::CACHE_CONTROL] == FOR_EVER;
            assert_eq!(for_ever, name.starts_with("/assets/"), "{name}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let (_, headers, _) = get("/", &[]);
        let etag = headers[header::ETAG].to_str().unwrap();
        for tags in [etag, &format!("\"other\", W/{etag}"), "*"] {
            let (status, headers, body) = get("/", &[(header::IF_NONE_MATCH, tags)]);
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{tags}");
            assert_eq!(headers[header::ETAG], etag);
        }
        assert_eq!(get("/", &[(header::IF_NONE_MATCH, "\"other\"")]).0, StatusCode::OK);
    }

    #[test]
    fn compressed_for_those_who_take_it() {
        let (_, plain, all) = get("/", &[(header::ACCEPT_ENCODING, "br, gzip;q=0")]);
        assert!(!plain.contains_key(header::CONTENT_ENCODING));
        let (_, small, body) = get("/", &[(header::ACCEPT_ENCODING, "br;q=1, GZIP;q=0.5")]);
        assert_eq!(small[header::CONTENT_ENCODING], "gzip");
        let mut decoder = flate2::read::GzDecoder::new(&body[..]);
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
        assert_eq!(text, all);
    }

    #[test]
    fn other_names_are_not_there() {
        for path in ["/assets/none.js", "/assets/../Cargo.toml", "/assets/..%2Findex.html", "/other"] {
            assert_eq!(get(path, &[]).0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
