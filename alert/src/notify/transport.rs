//! Sends what a kind made: an HTTP request, or a mail.
//!
//! Invariants: a connection is made only to an address that [`address`](super::address) let pass, whatever the name
//! resolved to before; redirects are not followed and no proxy is asked; everything has a time limit; what is reported of
//! an answer is short and holds no secret. It does not know alerts, nor when to try again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    SmtpTransport, Transport as _,
    address::Envelope,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use reqwest::{
    Client, Method, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header,
    redirect::Policy,
};
use serde::Deserialize;

use super::{
    address,
    config::Receiver,
    secret::{Secret, redact},
};

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 2_048;
/// Characters of an answer that are reported.
const REASON_MAX: usize = 300;
/// A `Retry-After` beyond this is taken as this.
const AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What is sent for a message.
#[derive(Debug)]
pub(super) enum Call {
    /// Over HTTP.
    Http(Request),
    /// Over SMTP.
    Mail(Box<Letter>),
}

/// An HTTP request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) url: Secret,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) body: String,
}

impl Request {
    /// A POST of JSON.
    pub(super) fn json(url: &Secret, headers: Vec<(String, Secret)>, body: String) -> Self {
        Self { method: "POST", url: url.clone(), headers, body }
    }
}

/// A mail, and where it is handed in.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) relay: Relay,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// A server that takes mail.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: super::kind::email::Login,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Security {
    /// TLS after STARTTLS; a server without it gets nothing.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None.
    Plain,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there; with the answer.
    Delivered(String),
    /// Trying again may help.
    Retry {
        /// What went wrong.
        reason: String,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// Trying again helps nothing.
    Refused(String),
}

/// Clients of the receivers.
#[derive(Default)]
pub(super) struct Transport {
    clients: Mutex<BTreeMap<Arc<str>, Client>>,
}

impl Transport {
    /// Sends, and says what came of it. `now_us` is for answers that name a time.
    pub(super) async fn send(&self, receiver: &Receiver, call: Call, now_us: i64) -> Outcome {
        let sent = match call {
            Call::Http(request) => self.http(receiver, request, now_us).await,
            Call::Mail(letter) => mail(receiver, *letter).await,
        };
        let clean = |text: &str| redact(text, &receiver.secrets);
        match sent {
            Outcome::Delivered(answer) => Outcome::Delivered(clean(&answer)),
            Outcome::Retry { reason, after } => Outcome::Retry { reason: clean(&reason), after },
            Outcome::Refused(reason) => Outcome::Refused(clean(&reason)),
        }
    }

    async fn http(&self, receiver: &Receiver, request: Request, now_us: i64) -> Outcome {
        let (client, url) =
            match self.client(receiver).and_then(|client| Ok((client, checked(receiver, &request.url)?))) {
                Ok(both) => both,
                Err(reason) => return Outcome::Refused(reason),
            };
        let Ok(method) = Method::from_bytes(request.method.as_bytes()) else {
            return Outcome::Refused(format!("{} is no method", request.method));
        };
        let mut call = client.request(method, url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &request.headers {
            call = call.header(name.as_str(), value.reveal());
        }
        match call.body(request.body).send().await {
            Ok(answer) => judge(answer, now_us).await,
            Err(error) if is_refused(&error) || error.is_builder() => Outcome::Refused(chain(&error)),
            Err(error) => Outcome::Retry { reason: chain(&error.without_url()), after: None },
        }
    }

    /// The receiver's client; its connections are kept.
    fn client(&self, receiver: &Receiver) -> Result<Client, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&receiver.name) {
            return Ok(client.clone());
        }
        // Another one may be installed already; then it is this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("Vitals/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(receiver.timeout)
            .dns_resolver(Resolver { allow_private: receiver.allow_private });
        if let Some(pem) = &receiver.ca {
            let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| format!("ca_file: {error}"))?;
            builder = builder.tls_certs_merge(found);
        }
        let client = builder.build().map_err(|error| format!("no client: {}", chain(&error)))?;
        clients.insert(receiver.name.clone(), client.clone());
        Ok(client)
    }
}

/// The address, if it is a name or an address that may be sent to.
fn checked(receiver: &Receiver, url: &Secret) -> Result<url::Url, String> {
    let url = url::Url::parse(url.reveal()).map_err(|error| format!("the address is none: {error}"))?;
    let literal = match url.host() {
        Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    match literal {
        Some(address) => allowed(receiver.allow_private, address).map(|()| url),
        None => Ok(url),
    }
}

fn allowed(allow_private: bool, address: IpAddr) -> Result<(), String> {
    match address::refusal(address).filter(|_| !allow_private) {
        None => Ok(()),
        Some(why) => {
            Err(format!("{address} is not sent to: it is {why}; `allow_private: true` of the receiver allows it"))
        }
    }
}

/// What an answer means.
async fn judge(mut answer: reqwest::Response, now_us: i64) -> Outcome {
    let status = answer.status();
    let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| after(value.to_str().ok()?, now_us));
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_MAX {
            break;
        }
    }
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(REASON_MAX).collect();
    let said = format!("{status}: {text}");
    if status.is_success() {
        return Outcome::Delivered(said);
    }
    if status.is_redirection() {
        return Outcome::Refused(format!("{status}: redirects are not followed; write the address that it leads to"));
    }
    let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passes.contains(&status) {
        return Outcome::Retry { reason: said, after };
    }
    Outcome::Refused(said)
}

/// `Retry-After`: seconds, or a date.
fn after(text: &str, now_us: i64) -> Option<Duration> {
    let seconds = match text.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_microsecond();
            u64::try_from(date.saturating_sub(now_us).max(0) / 1_000_000).ok()?
        }
    };
    Some(Duration::from_secs(seconds).min(AFTER_MAX))
}

/// Resolves names, and lets only addresses pass that may be sent to.
struct Resolver {
    allow_private: bool,
}

/// An address that is not sent to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                allowed(allow_private, address.ip()).map_err(Refused)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_refused(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<Refused>())
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The last cause says most.
fn chain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

async fn mail(receiver: &Receiver, letter: Letter) -> Outcome {
    let (timeout, ca, allow_private) = (receiver.timeout, receiver.ca.clone(), receiver.allow_private);
    let resolved = tokio::net::lookup_host((letter.relay.host.clone(), letter.relay.port)).await;
    let address = match resolved {
        Ok(found) => {
            let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            if let Some(reason) = found.iter().find_map(|address| allowed(allow_private, *address).err()) {
                return Outcome::Refused(reason);
            }
            found.first().copied()
        }
        Err(error) => return Outcome::Retry { reason: format!("{}: {error}", letter.relay.host), after: None },
    };
    let Some(address) = address else {
        return Outcome::Retry { reason: format!("{} has no address", letter.relay.host), after: None };
    };
    let sent = tokio::task::spawn_blocking(move || {
        let transport = smtp(&letter.relay, address, timeout, ca.as_deref())?;
        transport.send_raw(&letter.envelope, &letter.bytes)
    });
    match sent.await {
        Ok(Ok(response)) => {
            Outcome::Delivered(format!("{}: {}", response.code(), response.message().collect::<Vec<_>>().join(" ")))
        }
        Ok(Err(error)) if error.is_permanent() => Outcome::Refused(error.to_string()),
        Ok(Err(error)) => Outcome::Retry { reason: error.to_string(), after: None },
        Err(_) => {
            Outcome::Retry { reason: "sending panicked: this is a defect, please report it".to_owned(), after: None }
        }
    }
}

/// A connection to the address that was checked; certificates name the host.
fn smtp(
    relay: &Relay,
    address: IpAddr,
    timeout: Duration,
    ca: Option<&[u8]>,
) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut parameters = TlsParameters::builder(relay.host.clone());
    if let Some(pem) = ca {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
    }
    let tls = match relay.security {
        Security::Plain => Tls::None,
        Security::Starttls => Tls::Required(parameters.build()?),
        Security::Tls => Tls::Wrapper(parameters.build()?),
    };
    let builder =
        SmtpTransport::builder_dangerous(address.to_string()).port(relay.port).timeout(Some(timeout)).tls(tls);
    Ok(match &relay.login {
        None => builder.build(),
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned())).build()
        }
    })
}

/// Posts JSON to a door of ours on this machine; returns its answer.
///
/// # Errors
/// What went wrong, or what the door answered.
pub fn post(url: &str, body: String) -> Result<String, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let builder = Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30));
        let client = builder.build().map_err(|error| chain(&error))?;
        let call = client.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        let answer = call.send().await.map_err(|error| format!("{url}: {}", chain(&error)))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| chain(&error))?;
        if status.is_success() { Ok(text) } else { Err(format!("{url}: {status}: {text}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let seconds = |text| after(text, now.as_microsecond()).map(|span| span.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 2026 00:02:00 GMT"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 2015 00:02:00 GMT"), Some(0));
        assert_eq!(seconds("999999"), Some(3_600));
        assert_eq!(seconds("soon"), None);
    }
}
