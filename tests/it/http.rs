//! A live door of our own, and raw HTTP to it: what is sent is what the test says, byte by byte.

use std::{
    fmt::Display,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::data::Data;

/// How long anything may take, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A running `vitals ingest`; killed when dropped.
pub(crate) struct Door {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Door {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(data: &Data) -> Self {
        let mut command = data.command(["ingest", "--listen", "127.0.0.1:0"]);
        command.stderr(Stdio::null());
        Self::of(command)
    }

    /// The same with a command of the test's own.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { address: address.parse().unwrap(), child }
    }

    /// The same, and waits until it is ready.
    pub(crate) fn open(data: &Data) -> Self {
        let door = Self::start(data);
        door.until("ready", |door| door.get("/readyz").status == 200);
        door
    }

    /// Waits.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < PATIENCE, "never {what}");
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.address, path).expect("the door listens")
    }

    /// Sends bytes while it reads the answer: it may come before all is sent.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        let mut writer = stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            // The door may have closed: the answer says why.
            scope.spawn(move || drop(writer.write_all(bytes)));
            Answer::parse(&read(&mut stream))
        })
    }

    /// `POST /v1/events` with more headers.
    pub(crate) fn post(&self, kind: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut request = format!(
            "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
            body.len()
        );
        headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
        request.push_str("\r\n");
        self.raw(&[request.as_bytes(), body].concat())
    }

    /// Sends events as a list.
    pub(crate) fn send(&self, events: &[Value]) -> Answer {
        self.post("application/json", &[], json!(events).to_string().as_bytes())
    }

    /// The sum of a counter or gauge over its labels.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let lines =
            text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    /// SIGTERM; how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        interrupt(&self.child, "-TERM");
        self.child.wait().unwrap()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal.
pub(crate) fn interrupt(child: &Child, signal: &str) {
    assert!(send(signal, child.id()));
}

/// Sends a signal to a process; whether there is one. The shell has `kill`, a bare machine has no program of that name.
pub(crate) fn send(signal: &str, pid: impl Display) -> bool {
    let kill = format!("kill {signal} {pid}");
    Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap().success()
}

/// One `GET`; none when the connection broke.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let bytes = read(&mut stream);
    (!bytes.is_empty()).then(|| Answer::parse(&bytes))
}

/// The status of one request; none when the connection broke.
pub(crate) fn post_once(address: SocketAddr, kind: &str, body: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    String::from_utf8(read(&mut stream)).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Everything up to the end, or until the other side breaks off.
pub(crate) fn read(stream: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    bytes
}
