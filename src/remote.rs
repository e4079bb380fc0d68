//! Commands that run in the process of `vitals up`: `--server URL` sends the words of the command line to it, and it answers with
//! what the command prints and how it ended.
//!
//! ```text
//!   client: ASK {args, terminal}  (FILE {role, name}  DATA*)*  END     POST /cli/v1/run, frames of `frame`
//!   server: OUT*  (REJECTS* REASONS*)  EXIT {code, message}
//! ```
//! One door for all commands, because each is a function of its flags, the settings, the folder and where it prints: nothing is
//! written twice, and what a command learns it can do from afar, too. Files go along with the question, and no path is opened
//! on the server: who may ask may not read what only the server may.
//!
//! Invariants: the server's settings and folder hold, never the client's; at most one command that writes runs at a time; a
//! command whose client is gone ends at its next commit or line.

mod client;
mod frame;
mod server;
mod upload;

use serde::{Deserialize, Serialize};

use crate::{Command, output::terminal::Terminal};

pub(crate) use client::run;
pub(crate) use server::router;

/// Where questions go.
const PATH: &str = "/cli/v1/run";
/// What questions and answers are. A page of another site cannot send it unasked.
const KIND: &str = "application/vnd.vitals.run";

/// The question.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// The words after the name of the program.
    args: Vec<String>,
    /// What the answer is shown on.
    terminal: Terminal,
}

/// A file that goes along.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    role: Role,
    /// Its name without folders.
    name: String,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Input,
    Mapping,
}

/// How a command ended there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Exit code.
    pub(crate) code: u8,
    /// What was wrong; empty if nothing was.
    message: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Ended {}

/// How a command works, which says whose threads it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It reads, and ends.
    Read,
    /// It goes on until its client has enough, or has read the log at its pace.
    Follow,
    /// It writes.
    Write,
}

impl Work {
    /// None of a command that does not run there.
    fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Tail(_) | Command::Events(_) => Some(Self::Follow),
            Command::Import(_) | Command::Rebuild(_) => Some(Self::Write),
            Command::Query(_)
            | Command::Alerts(_)
            | Command::Imports(_)
            | Command::Outcomes(_)
            | Command::Conflicts(_)
            | Command::Waiting(_)
            | Command::Quarantine(_)
            | Command::Status(_) => Some(Self::Read),
            Command::Explain(on) if !on.args.names_a_file() => Some(Self::Read),
            Command::Metrics(args) if !args.names_a_file() => Some(Self::Read),
            _ => None,
        }
    }
}

/// Which commands do.
const EXPECTED: &str = "--server works with query, alerts, explain, tail, events, metrics, status, imports, outcomes, conflicts, \
                        waiting, quarantine, import and rebuild, without flags that name a catalog";
