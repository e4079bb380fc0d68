//! One request to a port of ours, whose answer may go on for as long as it likes.
//!
//! It speaks plain HTTP, as the port does: what encrypts is a proxy before it.

use std::io::{Error, Result};

use axum::{body::Body, http::header, response::Response};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Posts a body to a path of `http://HOST:PORT`; the answer comes when its head is there.
///
/// # Errors
/// When the address is none, nobody listens there, or what answers does not speak HTTP.
pub async fn post(server: &str, path: &str, content_type: &'static str, body: Body) -> Result<Response> {
    let wrong = || Error::other(format!("is {server}, expected an address such as http://127.0.0.1:8080"));
    let authority = server.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).ok_or_else(wrong)?;
    if authority.is_empty() || authority.contains(['/', '@', '?', '#']) {
        return Err(wrong());
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let address = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let stream = TcpStream::connect(&address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::other)?;
    // It ends with the answer, or when nobody reads that any more.
    tokio::spawn(connection);
    let request = Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(Error::other)?;
    Ok(sender.send_request(request).await.map_err(Error::other)?.map(Body::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_address_is_named() {
        for server in ["", "localhost:8080", "https://localhost:8080", "http://", "http://a/b", "http://a@b:1"] {
            let error = post(server, "/", "text/plain", Body::empty()).await.unwrap_err().to_string();
            assert!(error.contains("expected an address such as"), "{server}: {error}");
        }
    }
}
