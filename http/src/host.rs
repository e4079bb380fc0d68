//! Runs a port: routes of a role, until it shall end, on threads of its own.

use std::{io::Write, net::TcpListener, time::Duration};

use axum::Router;

use crate::{Config, Error, server};

/// How soon the server notices that it shall end.
const LOOK: Duration = Duration::from_millis(20);
/// Threads that serve connections: none of them may block.
const THREADS: usize = 2;
/// What a line says first when the port is open, before its address.
pub const OPEN: &str = "listening on ";

/// What a role serves.
#[derive(Debug)]
pub struct Host<'a> {
    /// Whom it listens to, and how many at a time.
    pub config: &'a Config,
    /// What there is, for who asks for something else.
    pub paths: &'static str,
    /// What to do once it is ready, said with the address before it.
    pub ready: &'static str,
}

/// Says where it listens, and when it is ready; serves until `ended` says so, then answers those whose requests were begun.
/// Runs `beside` as long.
///
/// # Errors
/// When the listener cannot be used, or `out` cannot be written.
pub fn run(
    listener: TcpListener,
    router: Router,
    host: Host<'_>,
    beside: impl Future<Output = ()> + Send + 'static,
    is_ready: impl Fn() -> bool,
    ended: impl Fn() -> bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let address = listener.local_addr()?;
    writeln!(out, "{OPEN}http://{address}")?;
    out.flush()?;
    // What blocks runs in a `Pool`, which has its own bound.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().thread_name("http").build()?;
    runtime.spawn(beside);
    let ends = async {
        let mut said = false;
        while !ended() {
            if !said && is_ready() {
                said = true;
                // Who read the address may have closed the pipe: that is no reason to end.
                let _ = writeln!(out, "ready on http://{address}{}", host.ready).and_then(|()| out.flush());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let served = runtime.block_on(server::serve(listener, router, &host, ends));
    // With the last request goes the last handle of a door, which then closes.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}
