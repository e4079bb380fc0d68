//! A real Alertmanager and a real SMTP server. Where they cannot be had the tests say so and are skipped, but fail in CI.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{everything, orders, receiver::Receiver, silent};
use crate::{
    data::Data,
    http::{Door, PATIENCE, get},
    sdk::{pip, sdk},
};

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[track_caller]
fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a program is there.
fn is_there(name: &str) -> bool {
    let is = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(is || std::env::var_os("CI").is_none(), "{name} is needed in CI");
    if !is {
        eprintln!("SKIPPED: no {name}, so this test shows nothing");
    }
    is
}

fn alertmanager(data: &Data, next: &Receiver) -> (Server, std::net::SocketAddr) {
    let config = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\nreceivers:\n  - name: hook\n    webhook_configs: [{{url: '{}', send_resolved: true}}]\n",
        next.url()
    );
    let file = data.file("alertmanager.yml", config);
    let port = free_port();
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", file.display())).arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.arg(format!("--storage.path={}", file.with_file_name("am").display())).arg("--cluster.listen-address=");
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let address = ([127, 0, 0, 1], port).into();
    until("ready", || get(address, "/-/ready").filter(|answer| answer.status == 200));
    (server, address)
}

#[test]
fn a_real_alertmanager_delivers_resolves_and_sees_no_alert_twice() {
    if !is_there("prometheus-alertmanager") {
        return;
    }
    let (next, folder) = (Receiver::new(), Data::new());
    let (_server, address) = alertmanager(&folder, &next);
    let receiver =
        format!("  - {{name: am, alertmanager: {{url: 'http://{address}', resend: 2s}}, allow_private: true}}\n");
    let data = silent(&["acme", "globex"], &everything(&["am"], &receiver));
    let active = || -> Vec<Value> {
        let answer = get(address, "/api/v2/alerts?active=true").unwrap();
        serde_json::from_str(&answer.body).unwrap()
    };
    let door = Door::start(&data);
    let alerts = until("two alerts", || Some(active()).filter(|alerts| alerts.len() == 2));
    assert_eq!(alerts[0]["labels"]["alertname"], "silent_90d");
    let first = next.wait(1).remove(0).json();
    assert_eq!((&first["status"], first["alerts"].as_array().map(Vec::len)), (&"firing".into(), Some(2)));

    // Killed and started again: the same alerts.
    door.kill();
    let door = Door::open(&data);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(active().len(), 2);
    assert_eq!(next.all().len(), 1, "sent again and again, delivered once");

    orders(&door, "acme");
    let second = next.wait(2).remove(1).json();
    let states: Vec<(&Value, &Value)> = second["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| (&alert["labels"]["account"], &alert["status"]))
        .collect();
    assert!(states.contains(&(&"acme".into(), &"resolved".into())), "{second}");
    until("one alert", || (active().len() == 1).then_some(()));
    assert!(door.stop().success());

    // What nobody sends any more ends by itself, four times `resend` later.
    until("resolved", || active().is_empty().then_some(()));
    let last = next.wait(3).remove(2).json();
    assert_eq!(last["status"], "resolved");
}

/// aiosmtpd with STARTTLS: keeps each mail in a file.
const SMTP: &str = r#"
import sys, ssl, time, itertools
from aiosmtpd.controller import Controller
folder, port, cert, key = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
number = itertools.count()

class Handler:
    async def handle_DATA(self, server, session, envelope):
        if session.ssl is None:
            return "530 Must issue a STARTTLS command first"
        with open(f"{folder}/{next(number)}.eml.new", "wb") as file:
            file.write(f"X-Rcpt: {','.join(envelope.rcpt_tos)}\r\n".encode() + envelope.content)
        import os
        os.rename(file.name, file.name[:-4])
        return "250 kept"

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
Controller(Handler(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True).start()
print("listening", flush=True)
time.sleep(1000)
"#;

/// What Python's own parser makes of a mail.
const PARSE: &str = r#"
import sys, json, email, email.policy
mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
defects = [str(defect) for part in mail.walk() for defect in part.defects]
parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
print(json.dumps({"headers": dict(mail.items()), "parts": parts, "type": mail.get_content_type(), "defects": defects}))
"#;

fn certificate(folder: &Path) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"));
    openssl.output().is_ok_and(|done| done.status.success())
}

#[test]
fn a_real_smtp_server_takes_mail_after_starttls() {
    let Some(library) = sdk("python-aiosmtpd-1.4.6", pip("aiosmtpd==1.4.6")) else { return };
    if !is_there("openssl") {
        return;
    }
    let folder = Data::new();
    let script = folder.file("smtp.py", SMTP);
    let place = script.parent().unwrap().to_owned();
    assert!(certificate(&place), "openssl made no certificate");
    let mails = place.join("mails");
    fs::create_dir(&mails).unwrap();
    let port = free_port();
    let mut command = Command::new("python3");
    command.arg(&script).arg(&mails).arg(port.to_string()).arg(place.join("cert.pem")).arg(place.join("key.pem"));
    command.env("PYTHONPATH", &library).stdout(Stdio::null());
    let _server = Server(command.spawn().unwrap());
    until("listening", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());

    let receiver = format!(
        "  - name: mail\n    allow_private: true\n    ca_file: {}\n    email: {{smtp: 'localhost:{port}', from: 'Vitals <vitals@example.com>', to: [team@example.com, 'Anna B\u{f6}hm <anna@example.com>']}}\n",
        place.join("cert.pem").display()
    );
    let hostile = "M\u{fc}ller & <b>S\u{f6}hne</b>";
    let data = silent(&[hostile], &everything(&["mail"], &receiver));
    let door = Door::start(&data);
    let parse = place.join("parse.py");
    fs::write(&parse, PARSE).unwrap();
    let mail = |number: usize| -> Value {
        let file = until("mail", || Some(mails.join(format!("{number}.eml"))).filter(|file| file.exists()));
        let parsed = Command::new("python3").arg(&parse).arg(file).output().unwrap();
        assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
        serde_json::from_slice(&parsed.stdout).unwrap()
    };
    let first = mail(0);
    orders(&door, hostile);
    let second = mail(1);
    for (mail, state) in [(&first, "FIRING"), (&second, "RESOLVED")] {
        assert_eq!((&mail["type"], &mail["defects"]), (&"multipart/alternative".into(), &serde_json::json!([])));
        let (headers, parts) = (&mail["headers"], &mail["parts"]);
        assert_eq!(headers["X-Rcpt"], "team@example.com,anna@example.com");
        assert!(headers["Subject"].as_str().unwrap().contains(state), "{headers}");
        assert!(parts["text/plain"].as_str().unwrap().contains(hostile), "{parts}");
        let html = parts["text/html"].as_str().unwrap();
        assert!(html.contains("M\u{fc}ller &amp; &lt;b&gt;S\u{f6}hne&lt;/b&gt;") && !html.contains("<b>"), "{html}");
        assert!(headers["Date"].is_string() && headers["From"] == "Vitals <vitals@example.com>", "{headers}");
    }
    assert_eq!(first["headers"]["References"], second["headers"]["References"], "one thread");
    assert_ne!(first["headers"]["Message-ID"], second["headers"]["Message-ID"]);
    assert!(door.stop().success());
}
