//! One port for everything that speaks HTTP: the door, telemetry, the API and the dashboard stand on this crate.
//!
//! ```text
//!   listener -> server (bounded connections, time for headers) -> guard (which host, which origin) -> routes
//!   a route  -> body, within a Budget of memory -> Pool (its own share of threads) -> answer, or Refusal
//! ```
//! Invariants: every refusal is problem details that say what to do ([`problem`]); memory and threads are bounded whatever
//! is sent ([`Budget`], [`Pool`]), and no consumer can use up what another needs; no page of another site reads or writes
//! through the browser of somebody here ([`Guard`]); nobody but this machine is listened to until there are keys
//! ([`bind`]). It does not know what is served.

pub mod body;
mod budget;
pub mod client;
mod guard;
mod host;
mod page;
mod pool;
mod refusal;
mod server;
pub mod telemetry;

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

pub use budget::{Budget, Share};
pub use guard::Guard;
pub use host::{Host, OPEN, run};
pub use page::{Framing, page};
pub use pool::Pool;
pub use refusal::{PROBLEM, Problem, Refusal, problem};

/// Settings of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens: on loopback.
    pub listen: SocketAddr,
    /// Names of this machine beside those of loopback, which requests may give as their host.
    pub hosts: Vec<String>,
    /// Connections at a time.
    pub connections_max: usize,
    /// Time limit for request headers, and for an idle connection.
    pub header_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            hosts: Vec::new(),
            connections_max: 512,
            header_timeout: Duration::from_secs(10),
        }
    }
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is open to others.
    #[error(
        "--listen: is {0}, expected a loopback address such as 127.0.0.1:8080: there are no keys yet, so anybody who \
         reaches this port may read and write; put a proxy that authenticates before it"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("{address}: {source}; another process may listen there, --listen names another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Serving failed.
    #[error("the HTTP port stopped: {0}")]
    Io(#[from] std::io::Error),
}

/// Takes the address, which has to be a loopback one.
///
/// # Errors
/// When it is not, or is taken.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let fail = |source| Error::Bind { address, source };
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}
