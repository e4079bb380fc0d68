//! Why brokers cannot be reached: what librdkafka says about it, and what an operator can do.
//!
//! Invariant: no secret is in it, since librdkafka names files, addresses and settings only. It does not know what was
//! asked of the brokers, nor whether it matters that one of them is away.

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// A broker is there and does not want us, or we do not want it: to ask again gives the same answer.
    pub(super) refused: bool,
    /// Which broker, what happened, and what to look at.
    pub(super) what: String,
}

/// What is in a line, and what to look at then.
const REFUSALS: [(&str, &str); 4] = [
    ("mechanism handshake failed", "check sasl.mechanism, and whether this port has SASL"),
    (
        "SASL authentication error",
        "check sasl.mechanism, and sasl.user and its password, or the token in sasl.token_file",
    ),
    ("certificate verify failed", "check tls.ca_file, and that the certificate of the broker names its host"),
    // An alert is what the other side says.
    ("SSL alert number", "the broker does not accept our certificate: check tls.certificate_file and tls.key_file"),
];

/// The same, where it may also be that a broker is just going away: told only to who never reached one.
const SUSPICIONS: [(&str, &str); 5] = [
    ("in state SSL_HANDSHAKE", "unless it is going away, it may speak no TLS: check the port and tls.enabled"),
    ("wrong version number", "it may speak no TLS: check the port and tls.enabled"),
    ("in state APIVERSION_QUERY", "unless it is going away, it may want TLS: check the port and tls.enabled"),
    ("in state AUTH", "unless it is going away, it may have no SASL: check the port and sasl.mechanism"),
    ("in state UP", "unless it is going away, it may want SASL: check the port and sasl.mechanism"),
];

impl Trouble {
    /// What a line says: `[thrd:BROKER]: BROKER: what happened (after 5ms in state UP)`; whether brokers were reached
    /// before, by the same settings.
    pub(super) fn told(line: &str, reached: bool) -> Self {
        let find =
            |known: &[(&str, &'static str)]| known.iter().find(|(text, _)| line.contains(text)).map(|(_, do_)| *do_);
        let refusal = find(&REFUSALS);
        let hint = refusal.or_else(|| if reached { None } else { find(&SUSPICIONS) });
        let told = line.split_once("]: ").map_or(line, |(_, told)| told);
        let told = told.rsplit_once(" (after ").map_or(told, |(told, _)| told);
        // Which settings it means is said in our words.
        let told = told.split_once(": broker certificate could not").map_or(told, |(told, _)| told);
        let what = hint.map_or_else(|| told.to_owned(), |hint| format!("{told}; {hint}"));
        Self { refused: refusal.is_some(), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_librdkafka_tell_what_to_do() {
        for (line, refused, what) in [
            (
                "[thrd:k:1/bootstrap]: k:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                false,
                "k:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
            ),
            (
                "[thrd:ssl://k:1/1]: ssl://k:1/1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured (after 1ms in state SSL_HANDSHAKE)",
                true,
                "ssl://k:1/1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed; check tls.ca_file, and that the certificate of the broker names its host",
            ),
            (
                "[thrd:k:1/1]: k:1/1: Disconnected: connection closed by peer: receive 0 after POLLIN (after 2ms in state APIVERSION_QUERY)",
                false,
                "k:1/1: Disconnected: connection closed by peer: receive 0 after POLLIN; unless it is going away, it may want TLS: check the port and tls.enabled",
            ),
        ] {
            assert_eq!(Trouble::told(line, false), Trouble { refused, what: what.to_owned() });
        }
        let lost = Trouble::told("[thrd:k:1/1]: k:1/1: Disconnected: reset by peer (after 2000ms in state UP)", true);
        assert_eq!(lost.what, "k:1/1: Disconnected: reset by peer");
    }
}
