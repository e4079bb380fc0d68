//! A real Kafka that wants encryption and to know who is there, for tests: one broker a process, with a listener for
//! each way in. Its certificates are made by `openssl` when it starts, and are valid for a day.
//!
//! Where `openssl` is missing, who asks is told to skip, as where Java is.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Outcome, run_with};

/// Who may come, by each mechanism.
pub const USER: &str = "vitals";
/// Its password.
pub const PASSWORD: &str = "correct-horse";
/// What the key of the client is encrypted with.
pub const KEY_PASSWORD: &str = "battery-staple";

/// Addresses of a broker, and its files.
#[derive(Debug)]
pub struct Secured {
    folder: PathBuf,
    /// Speaks no TLS.
    pub plaintext: String,
    /// Asks for no certificate.
    pub tls: String,
    /// Asks for one.
    pub mutual: String,
    /// Has a certificate for another host.
    pub misnamed: String,
    /// TLS, then SASL.
    pub sasl: String,
}

/// The broker; `None` if `who` has to be skipped.
///
/// # Panics
/// When the broker does not start, or a tool is missing in CI.
pub fn broker(who: &str) -> Option<&'static Secured> {
    static STARTED: OnceLock<(Outcome, Secured)> = OnceLock::new();
    let (outcome, secured) = STARTED.get_or_init(start);
    outcome.or_skip(who).map(|_| secured)
}

impl Secured {
    /// `ca.pem`, which has signed the others; `other-ca.pem`, which has not; `client.pem` with `client.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a token that is valid for so many seconds from now on, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_token(&self, name: &str, seconds: i64) -> io::Result<PathBuf> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(Duration::ZERO, |since| since);
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = part(json!({ "sub": USER, "iat": now.min(now + seconds - 1), "exp": now + seconds }));
        let (file, draft) = (self.file(name), self.file(&format!("{name}.draft")));
        fs::write(&draft, format!("{}.{claims}.\n", part(json!({ "alg": "none" }))))?;
        fs::rename(draft, &file)?;
        Ok(file)
    }
}

fn start() -> (Outcome, Secured) {
    let folder = std::env::temp_dir().join(format!("vitals-kafka-secured-{}", std::process::id()));
    let [tls, mutual, misnamed, sasl] =
        ports().map_or_else(|_| Default::default(), |ports| ports.map(|p| p.to_string()));
    let at = |port: &str| format!("127.0.0.1:{port}");
    let mut secured = Secured {
        plaintext: String::new(),
        tls: at(&tls),
        mutual: at(&mutual),
        misnamed: at(&misnamed),
        sasl: at(&sasl),
        folder: folder.clone(),
    };
    let properties = include_str!("secured.properties")
        .replace("@TLS@", &tls)
        .replace("@MUTUAL@", &mutual)
        .replace("@MISNAMED@", &misnamed)
        .replace("@SASL@", &sasl)
        .replace("@FILES@", &folder.display().to_string())
        .replace("@USER@", USER)
        .replace("@PASSWORD@", PASSWORD);
    let file = folder.join("secured.properties");
    let user = |mechanism| format!("--add-scram={mechanism}=[name={USER},password={PASSWORD}]");
    let users = format!("{} {}", user("SCRAM-SHA-256"), user("SCRAM-SHA-512"));
    let begun = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, properties))
        .and_then(|()| certificates(&folder))
        .and_then(|()| {
            run_with(&folder, &[("KAFKA_PROPERTIES", file.as_os_str()), ("KAFKA_FORMAT_OPTIONS", users.as_ref())])
        });
    let outcome = match begun {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Outcome::ToolIsMissing("openssl is missing".to_owned())
        }
        Err(error) => Outcome::Failed(error.to_string()),
    };
    if let Outcome::Runs { address } = &outcome {
        secured.plaintext.clone_from(address);
    }
    (outcome, secured)
}

/// Free ones, below the range from which the system takes ports for outgoing connections.
fn ports() -> io::Result<[u16; 4]> {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    let held: Vec<TcpListener> =
        (first..32_000).filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).take(4).collect();
    let mut ports = [0; 4];
    for (port, held) in ports.iter_mut().zip(&held) {
        *port = held.local_addr()?.port();
    }
    Ok(ports)
}

/// Two authorities, and what the first one has signed.
fn certificates(folder: &Path) -> io::Result<()> {
    for name in ["ca", "other-ca"] {
        openssl(
            folder,
            &format!("req -x509 -days 1 {NEW_KEY} -nodes -subj /CN={name} -keyout {name}.key -out {name}.pem"),
        )?;
    }
    for (name, host, key) in [
        ("broker", "IP:127.0.0.1", "-nodes".to_owned()),
        ("elsewhere", "DNS:kafka.example", "-nodes".to_owned()),
        ("client", "DNS:client.example", format!("-passout pass:{KEY_PASSWORD}")),
    ] {
        fs::write(folder.join("extensions"), format!("subjectAltName={host}\n"))?;
        openssl(folder, &format!("req {NEW_KEY} {key} -subj /CN={name} -keyout {name}.key -out {name}.request"))?;
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions";
        openssl(folder, &format!("x509 -req -days 1 -in {name}.request {by} -out {name}.pem"))?;
        let [key, certificate] = ["key", "pem"].map(|end| fs::read_to_string(folder.join(format!("{name}.{end}"))));
        fs::write(folder.join(format!("{name}.keystore")), key? + &certificate?)?;
    }
    Ok(())
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";

/// Runs it; arguments have no spaces.
fn openssl(folder: &Path, arguments: &str) -> io::Result<()> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("openssl {arguments}: {said}"))) }
}
