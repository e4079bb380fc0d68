//! Serves a router to bounded connections: each has its time for headers, and nobody waits in a queue of ours.
//!
//! `axum::serve` has no header time-out and no bound, hence this loop. It does not know the routes.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Error, Guard, Host,
    refusal::{PROBLEM, Problem, problem},
    telemetry,
};

/// How long those at work may take when the server ends.
const DRAIN: Duration = Duration::from_secs(10);
/// Wait after a failed accept, for instance when no file descriptor is free.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of headers.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Connections over the limit that are told so; more are just closed.
const TOLD_MAX: usize = 64;
const TOLD_WAIT: Duration = Duration::from_secs(1);

const TOO_MANY: (StatusCode, &str) =
    (StatusCode::TOO_MANY_REQUESTS, "too many connections: close some, or try again after Retry-After seconds");
const TOO_SLOW: (StatusCode, &str) = (StatusCode::REQUEST_TIMEOUT, "the headers did not come in time");

/// Serves until `stop` is ready, and then those whose requests were begun.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    host: &Host<'_>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let listener = TcpListener::from_std(listener)?;
    let (config, guard, paths) = (host.config, Guard::new(&host.config.hosts), host.paths);
    // As a whole: the header `allow` is set outside of the layers of a router.
    let router = Router::new()
        .fallback_service(router)
        .layer(middleware::from_fn(move |request, next| complete(request, next, paths)))
        .layer(middleware::from_fn(move |request, next| guard.clone().pass(request, next)));
    let (open, told) = (Arc::new(Semaphore::new(config.connections_max)), Arc::new(Semaphore::new(TOLD_MAX)));
    let (close, closing) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                if let Ok(permit) = open.clone().try_acquire_owned() {
                    let served = connection(stream, router.clone(), config.header_timeout, closing.clone());
                    tasks.spawn(async move {
                        served.await;
                        drop(permit);
                    });
                } else if let Ok(permit) = told.clone().try_acquire_owned() {
                    tasks.spawn(async move {
                        let _ = tokio::time::timeout(TOLD_WAIT, tell(stream, TOO_MANY)).await;
                        drop(permit);
                    });
                }
                telemetry::connections(config.connections_max - open.available_permits());
            }
        }
    }
    drop((listener, close));
    let _ = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

/// One connection, to its end; when `closing` ends, to the end of its request.
async fn connection(stream: TcpStream, router: Router, header_timeout: Duration, mut closing: watch::Receiver<()>) {
    // It only makes answers faster.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(HEADER_BYTES_MAX);
    let mut connection = http.serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        _ = closing.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    // A connection that was idle so long is closed without a word, one that has begun a request is told.
    if ended.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty() {
        let _ = tokio::time::timeout(TOLD_WAIT, tell(parts.io.into_inner(), TOO_SLOW)).await;
    }
}

/// Says it and closes. What the other side still sends is read, else closing would take the answer from it.
async fn tell(mut stream: TcpStream, (status, detail): (StatusCode, &str)) -> std::io::Result<()> {
    stream.write_all(raw(status, detail).as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// A response without a request.
fn raw(status: StatusCode, detail: &str) -> String {
    let body = Problem::new(status, detail).text();
    let retry = if status == StatusCode::TOO_MANY_REQUESTS { "retry-after: 1\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\n{retry}connection: close\r\ncontent-type: {PROBLEM}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Gives a body to what the router refuses: a path that is not there, or another method than it has. OPTIONS is answered
/// with the methods.
async fn complete(request: Request, next: Next, paths: &'static str) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let name = path.chars().take(100).collect::<String>();
    match response.status() {
        // Who refused it has said why.
        _ if response.headers().contains_key(header::CONTENT_TYPE) => response,
        StatusCode::NOT_FOUND => problem(StatusCode::NOT_FOUND, &format!("there is nothing at {name}; {paths}")),
        StatusCode::METHOD_NOT_ALLOWED => {
            let allow = response.headers().get(header::ALLOW).cloned();
            let methods = allow.as_ref().and_then(|allow| allow.to_str().ok()).unwrap_or_default().replace(',', ", ");
            let mut response = match method {
                Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
                _ => problem(response.status(), &format!("{name} takes {methods}, not {method}; {paths}")),
            };
            response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
            response
        }
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_responses_have_the_length_that_they_say() {
        for (status, detail) in [TOO_MANY, TOO_SLOW] {
            let response = raw(status, detail);
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {} ", status.as_u16())), "{head}");
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{response}: {}", body.len());
        }
    }
}
