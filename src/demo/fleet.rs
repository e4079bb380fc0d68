//! The fleet of a demo on Kafka: processes of every role on this machine, on one data folder.
//!
//! Invariants: each is started by us and ended by its process id, and what it says is in a file of its own; with the
//! demo ends its fleet, unless the demo is killed with SIGKILL. A role does as long as one of its processes lives: kill
//! one and see its partitions move. It does not know the company.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use ingest::cloudevents;
use proto::v1::Event;
use rustix::process::{Pid, Signal, kill_process};

/// Roles of the fleet and what they are called, in the order in which they end: a door lets go of what it accepted
/// first.
const ROLES: [(&str, &str); 3] = [("ingest", "doors"), ("processor", "processors"), ("sink", "sink")];
/// How long a process may take to end, before it is killed.
const END_MAX: Duration = Duration::from_secs(30);
const END_LOOK: Duration = Duration::from_millis(20);
/// How long a door may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Processes on one data folder.
pub(crate) struct Fleet {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    members: Vec<Member>,
    /// The door whose turn it is.
    turn: usize,
}

struct Member {
    role: &'static str,
    name: String,
    child: Child,
    /// Open as long as it lives: it says where it listens.
    said: BufReader<ChildStdout>,
    address: Option<SocketAddr>,
}

impl Member {
    fn lives(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Fleet {
    /// An empty one; `config` is what every process reads.
    pub(crate) fn new(path: &Path, brokers: &str, config: Option<&Path>) -> anyhow::Result<Fleet> {
        let mut arguments: Vec<OsString> =
            vec!["--brokers".into(), brokers.into(), "--data".into(), path.as_os_str().to_owned()];
        if let Some(config) = config {
            arguments.extend(["--config".into(), config.as_os_str().to_owned()]);
        }
        let program = std::env::current_exe().context("this program cannot be found")?;
        Ok(Fleet { program, arguments, folder: path.to_owned(), members: Vec::new(), turn: 0 })
    }

    /// Starts so many of a role.
    pub(crate) fn start(&mut self, role: &'static str, count: usize) -> anyhow::Result<()> {
        for number in 0..count {
            let member = self.spawn(role, number)?;
            self.members.push(member);
        }
        Ok(())
    }

    fn spawn(&self, role: &'static str, number: usize) -> anyhow::Result<Member> {
        let name = format!("{role}-{number}");
        let file = self.folder.join(format!("{name}.log"));
        let log = File::create(&file).with_context(|| format!("{}: cannot be written", file.display()))?;
        let mut command = Command::new(&self.program);
        command.arg(role).args(&self.arguments).args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        // Ctrl-C is for the demo, which then ends the others in their order.
        command.process_group(0);
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let said = child.stdout.take().context("its standard output is piped")?;
        Ok(Member { role, name, child, said: BufReader::new(said), address: None })
    }

    /// Waits until all that were started listen, and says where.
    pub(crate) fn settle(&mut self) -> anyhow::Result<String> {
        let mut lines = String::new();
        for member in self.members.iter_mut().filter(|member| member.address.is_none()) {
            let mut line = String::new();
            member.said.read_line(&mut line)?;
            let address = line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
            let log = self.folder.join(format!("{}.log", member.name));
            let address: SocketAddr =
                address.with_context(|| format!("{} did not start, see {}", member.name, log.display()))?;
            member.address = Some(address);
            let (name, pid) = (&member.name, member.child.id());
            let paths = if member.role == "ingest" { "/v1/events, /metrics" } else { "/metrics" };
            lines.push_str(&format!(" {name:<12} pid {pid:<8} http://{address}  {paths}\n"));
        }
        Ok(lines)
    }

    /// How many of each role live.
    pub(crate) fn alive(&mut self) -> [(&'static str, usize); 3] {
        ROLES.map(|(role, called)| {
            let of_role = self.members.iter_mut().filter(|member| member.role == role);
            (called, of_role.map(Member::lives).filter(|lives| *lives).count())
        })
    }

    /// Where the first door listens.
    pub(crate) fn door(&self) -> Option<SocketAddr> {
        self.members.iter().filter(|member| member.role == "ingest").find_map(|member| member.address)
    }

    /// Hands events to the doors in turn; to the next one where a door refuses or is gone. False: nobody took them, or
    /// nobody knows, and they shall be handed in again.
    pub(crate) fn post(&mut self, events: &[Event]) -> bool {
        let doors: Vec<SocketAddr> =
            self.members.iter().filter(|member| member.role == "ingest").filter_map(|member| member.address).collect();
        let lines: Vec<String> = events.iter().map(|event| cloudevents::render(event, None)).collect();
        let body = format!("[{}]", lines.join(","));
        doors.iter().any(|_| {
            self.turn += 1;
            let door = doors[self.turn % doors.len()];
            let answer = post(door, &body);
            tracing::debug!(%door, ?answer, "handed in");
            matches!(answer, Ok(200..300))
        })
    }

    /// Ends those of a role.
    pub(crate) fn end(&mut self, role: &str) -> anyhow::Result<()> {
        let (ending, staying) = std::mem::take(&mut self.members).into_iter().partition(|member| member.role == role);
        self.members = staying;
        let mut ending: Vec<Member> = ending;
        for member in &mut ending {
            if member.lives()
                && let Some(pid) = i32::try_from(member.child.id()).ok().and_then(Pid::from_raw)
            {
                kill_process(pid, Signal::TERM)?;
            }
        }
        let began = Instant::now();
        for member in &mut ending {
            while member.child.try_wait()?.is_none() {
                if began.elapsed() > END_MAX {
                    tracing::warn!(name = member.name, "does not end and is killed");
                    member.child.kill()?;
                }
                sleep(END_LOOK);
            }
        }
        Ok(())
    }

    /// Ends all.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        ROLES.into_iter().try_for_each(|(role, _)| self.end(role))
    }

    /// Fails when nobody of a role is left that was started.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for ((role, _), (_, alive)) in ROLES.into_iter().zip(self.alive()) {
            if alive == 0 && self.members.iter().any(|member| member.role == role) {
                bail!("no {role} lives any more, see {}", self.folder.join(format!("{role}-0.log")).display());
            }
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "a process of the fleet may be left");
        }
    }
}

/// The status of a door's answer.
fn post(door: SocketAddr, body: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&door, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let length = body.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: {door}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer of HTTP"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_status_of_an_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let answers = std::thread::spawn(move || {
            for answer in ["HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", "no"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                assert!(String::from_utf8_lossy(&request[..read]).ends_with("content-length: 2\r\n\r\n[]"));
            }
        });
        assert_eq!(post(door, "[]").unwrap(), 202);
        assert_eq!(post(door, "[]").unwrap_err().kind(), io::ErrorKind::InvalidData);
        answers.join().unwrap();
    }
}
