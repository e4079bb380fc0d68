//! Who may be used by a browser: the host that a request names has to be ours, and the page that it comes from, too.
//!
//! A page of another site can make a browser on this machine send requests here. By its own name, made to point at a
//! loopback address (DNS rebinding), it would read the answers: the header `host` then has that name. By our address it
//! could write: the header `origin` then has the other site. Programs send no `origin`.
//!
//! Ports of hosts are not compared: behind a forwarded port (a container, ssh) the caller's is another, and a name is what
//! tells a site from this one. That of an origin is: another program on this machine is another site.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};

use crate::problem;

/// The names by which this machine may be called beside those of loopback.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    names: Arc<[String]>,
}

impl Guard {
    /// Allows these names, too: those of a proxy that authenticates.
    pub fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Answers a request unless it comes from another site.
    pub async fn pass(self, request: Request, next: Next) -> Response {
        match self.refusal(request.headers()) {
            None => next.run(request).await,
            Some((status, detail)) => problem(status, detail),
        }
    }

    fn refusal(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST);
        if headers.get_all(header::HOST).iter().count() > 1 || host.is_some_and(|host| !self.is_ours(host)) {
            return Some((
                StatusCode::MISDIRECTED_REQUEST,
                "the host is not this machine, expected localhost, a loopback address, or a name of [ingest] hosts",
            ));
        }
        let origin = text(header::ORIGIN)?;
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if host.zip(authority).is_some_and(|(host, authority)| host.eq_ignore_ascii_case(authority)) {
            return None;
        }
        Some((
            StatusCode::FORBIDDEN,
            "the origin is another site, expected that of the host: a page elsewhere may not use this one",
        ))
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            || self.names.iter().any(|known| name.eq_ignore_ascii_case(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_ours() {
        let guard = Guard::new(&["Vitals.example.com".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
            "vitals.example.com",
            "VITALS.example.com:443",
        ] {
            assert!(guard.is_ours(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:8080",
            "10.0.0.1",
            "127.0.0.1.example.com",
            "[::2]:80",
            "evil.vitals.example.com",
            "localhost@example.com",
            "localhost:80:80",
            "::1:x",
        ] {
            assert!(!guard.is_ours(host), "{host}");
        }
    }

    /// The status of a request with these headers; 200 where it passes.
    fn status(headers: &[(header::HeaderName, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().unwrap());
        }
        Guard::default().refusal(&map).map_or(200, |(status, _)| status.as_u16())
    }

    #[test]
    fn an_origin_is_that_of_the_host_or_none() {
        let here = (header::HOST, "localhost:8080");
        assert_eq!(status(&[]), 200, "no browser");
        assert_eq!(status(std::slice::from_ref(&here)), 200);
        for origin in ["http://localhost:8080", "https://LOCALHOST:8080"] {
            assert_eq!(status(&[here.clone(), (header::ORIGIN, origin)]), 200, "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://evil.example",
            "http://localhost:8080.evil.example",
            "file://localhost:8080",
            "localhost:8080",
        ] {
            assert_eq!(status(&[here.clone(), (header::ORIGIN, origin)]), 403, "{origin}");
        }
        assert_eq!(status(&[(header::HOST, "evil.example"), (header::ORIGIN, "http://evil.example")]), 421);
        assert_eq!(status(&[here.clone(), here.clone()]), 421, "two hosts");
        assert_eq!(status(&[(header::ORIGIN, "http://localhost:8080")]), 403, "no host to compare");
    }
}
