//! The side of `vitals up`: runs commands of others with its own settings, folder and stages.

use std::{
    io::{Error, ErrorKind, Read as _, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use clap::Parser as _;
use http::{Pool, Refusal};
use tokio::sync::{mpsc, oneshot};

use super::{
    Asked, EXPECTED, Ended, KIND, PATH, Work,
    frame::{self, Frame, Frames},
    upload::{self, Uploads},
};
use crate::{
    Cli, Command, Usage, alerts, code, config::Config, conflicts, engine::Engine, events, explain, import, imports,
    message, metrics, outcomes, output::terminal, quarantine, query, rebuild, status, tail, waiting,
};

/// Threads of commands that read, and how long one waits for them.
const READS: (usize, Duration) = (4, Duration::from_secs(20));
/// Threads of commands that go on at the pace of their clients, of which some never read on.
const FOLLOWS: (usize, Duration) = (16, Duration::from_secs(1));
/// Commands that write come one after another.
const WRITES: (usize, Duration) = (1, Duration::from_secs(1));
/// Frames that wait.
const QUEUE: usize = 16;
/// Bytes that are sent together.
const CHUNK: usize = 32 << 10;
/// How soon a command learns that nobody waits for it any more.
const LOOK: Duration = Duration::from_millis(50);
/// A client that sends nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What commands work on.
struct Host {
    engine: Arc<Engine>,
    config: Config,
    /// The process ends.
    ends: Arc<AtomicBool>,
    reads: Pool,
    follows: Pool,
    writes: Pool,
}

/// The route.
pub(crate) fn router(engine: Arc<Engine>, config: Config, ends: Arc<AtomicBool>) -> Router {
    // A folder that several processes of a fleet share may hold what another one takes in.
    if engine.site.own_log().is_some() {
        upload::clean(&engine.site.path);
    }
    let pool = |name, (threads, wait)| Pool::new(name, threads, wait);
    let (reads, follows, writes) = (pool("commands", READS), pool("follows", FOLLOWS), pool("writes", WRITES));
    let host = Arc::new(Host { engine, config, ends, reads, follows, writes });
    Router::new().route(PATH, post(take)).with_state(host)
}

async fn take(State(host): State<Arc<Host>>, headers: HeaderMap, body: Body) -> Response {
    host.take(&headers, body).await.unwrap_or_else(|refusal| refusal.into_response())
}

impl Host {
    async fn take(self: Arc<Self>, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != KIND) {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected a command of `vitals --server`"));
        }
        let mut frames = Frames::of(body);
        let (cli, asked) = question(&mut frames).await?;
        let pool = match Work::of(&cli.command) {
            Some(Work::Read) => self.reads.clone(),
            Some(Work::Follow) => self.follows.clone(),
            Some(Work::Write) => self.writes.clone(),
            None => return Err(Refusal::new(StatusCode::BAD_REQUEST, EXPECTED)),
        };

        let (parts, given) = mpsc::channel(QUEUE);
        let (answers, answered) = mpsc::channel(QUEUE);
        let (begins, begun) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        tokio::spawn(watch(answers.downgrade(), self.ends.clone(), stop.clone()));
        let job = move || {
            // Whoever asked may be gone.
            let _ = begins.send(());
            self.job(&cli, &asked, given, &stop, answers);
        };
        let job = tokio::spawn(async move { pool.run(job).await });
        if begun.await.is_err() {
            let defect = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect, please report it");
            return Err(job.await.ok().and_then(Result::err).unwrap_or_else(defect));
        }
        pass(&mut frames, &parts).await?;
        drop(parts);
        let mut answered = answered;
        let body = futures_util::stream::poll_fn(move |context| answered.poll_recv(context));
        let body = futures_util::StreamExt::map(body, Ok::<Bytes, std::convert::Infallible>);
        Ok(([(header::CONTENT_TYPE, KIND)], Body::from_stream(body)).into_response())
    }

    /// One command, to its end.
    fn job(
        &self,
        cli: &Cli,
        asked: &Asked,
        mut given: mpsc::Receiver<Frame>,
        stop: &Arc<AtomicBool>,
        answers: mpsc::Sender<Bytes>,
    ) {
        let mut out = Out { answers, buffer: Vec::new() };
        let uploads = Uploads::receive(&mut given, &self.engine.site.path);
        let ended = uploads.and_then(|uploads| {
            terminal::elsewhere(asked.terminal, || self.run(&cli.command, &uploads, stop, &mut out))
        });
        let ended = match ended {
            Ok(()) => Ended { code: 0, message: String::new() },
            Err(error) => Ended { code: code(&error), message: message(&error) },
        };
        // A client that is gone does not read how it ended.
        let _ = out.flush().and_then(|()| out.send(frame::EXIT, &serde_json::to_vec(&ended)?));
    }

    fn run(&self, command: &Command, uploads: &Uploads, stop: &Arc<AtomicBool>, out: &mut Out) -> anyhow::Result<()> {
        let (config, path) = (&self.config, self.engine.site.path.as_path());
        match command {
            Command::Query(args) => query::run(args, Some(config), path, out),
            Command::Alerts(args) => alerts::run(args, Some(config), path, out),
            Command::Metrics(args) => metrics::run(args, Some(config), path, out),
            Command::Explain(on) => {
                let kept = self.engine.ask(crate::node::Node::kept);
                explain::execute(&on.args, config, path, kept.as_deref(), out)
            }
            Command::Events(on) => events::execute(&on.args, config, path, out),
            Command::Imports(on) => imports::execute(&on.args, config, path, out),
            Command::Outcomes(on) => outcomes::execute(&on.args, config, path, out),
            Command::Conflicts(on) => conflicts::execute(&on.args, config, path, out),
            Command::Waiting(on) => waiting::execute(&on.args, config, path, out),
            Command::Quarantine(on) => quarantine::execute(&on.args, config, path, out),
            Command::Tail(on) => tail::execute(&on.args, config, path, Some(stop), out),
            Command::Status(on) => self.status(&on.args, path, out),
            Command::Rebuild(_) => rebuild::beside(&self.engine, stop, out),
            Command::Import(on) => self.import(&on.args, uploads, stop, out),
            _ => Err(Usage(anyhow!(EXPECTED)).into()),
        }
    }

    fn status(&self, args: &status::Args, path: &Path, out: &mut Out) -> anyhow::Result<()> {
        // On Kafka this process has counted a part of the events only.
        let counted = self.engine.site.own_log().and_then(|_| self.engine.ask(crate::node::Node::counters));
        match counted {
            Some(counters) => status::beside(args, self.engine.site.log.as_ref(), path, &counters, out),
            None => status::execute(args, &self.config, path, out),
        }
    }

    fn import(
        &self,
        args: &import::Args,
        uploads: &Uploads,
        stop: &Arc<AtomicBool>,
        out: &mut Out,
    ) -> anyhow::Result<()> {
        let mut said = Vec::new();
        let path = &self.engine.site.path;
        let done = import::execute(&uploads.instead(args)?, &self.config, path, Some((&self.engine, stop)), &mut said);
        out.write_all(uploads.named(&String::from_utf8_lossy(&said), args).as_bytes())?;
        for (path, kind) in uploads.rejects().iter().zip([frame::REJECTS, frame::REASONS]) {
            if path.exists() {
                out.file(kind, path)?;
            }
        }
        done.map_err(|error| Ended { code: code(&error), message: uploads.named(&message(&error), args) }.into())
    }
}

/// The words of the command line, read as any are.
async fn question(frames: &mut Frames) -> Result<(Cli, Asked), Refusal> {
    let wrong = |problem: String| Refusal::new(StatusCode::BAD_REQUEST, problem);
    let asked = match heard(frames).await? {
        Some((frame::ASK, bytes)) => bytes,
        _ => return Err(wrong("expected a question first".to_owned())),
    };
    let asked: Asked = serde_json::from_slice(&asked).map_err(|error| wrong(format!("no question: {error}")))?;
    let words = ["vitals"].into_iter().chain(asked.args.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|error| wrong(error.to_string()))?;
    if cli.config.is_some() || cli.data.is_some() {
        return Err(wrong("--config and --data are those of the server".to_owned()));
    }
    Ok((cli, asked))
}

/// The next frame, from a client that goes on.
async fn heard(frames: &mut Frames) -> Result<Option<Frame>, Refusal> {
    match tokio::time::timeout(SILENCE_MAX, frames.next()).await {
        Ok(frame) => frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("the question {error}"))),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the rest of the question did not come in time")),
    }
}

/// Hands on what comes until its end. A command that takes no more has ended: its answer says why.
async fn pass(frames: &mut Frames, parts: &mpsc::Sender<Frame>) -> Result<(), Refusal> {
    while let Some(frame) = heard(frames).await? {
        let _ = parts.send(frame).await;
    }
    Ok(())
}

/// Stops a command when nobody waits for it any more, or the process ends.
async fn watch(answers: mpsc::WeakSender<Bytes>, ends: Arc<AtomicBool>, stop: Arc<AtomicBool>) {
    while let Some(answers) = answers.upgrade() {
        if answers.is_closed() || ends.load(Ordering::Relaxed) {
            stop.store(true, Ordering::Relaxed);
            return;
        }
        drop(answers);
        tokio::time::sleep(LOOK).await;
    }
}

/// Where a command prints: what is full or flushed goes to the client, at its pace.
struct Out {
    answers: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
}

impl Out {
    fn send(&self, kind: u8, bytes: &[u8]) -> std::io::Result<()> {
        let frame = frame::encode(kind, bytes).map_err(Error::other)?;
        self.answers.blocking_send(frame).map_err(|_| Error::from(ErrorKind::BrokenPipe))
    }

    fn file(&mut self, kind: u8, path: &Path) -> std::io::Result<()> {
        self.flush()?;
        let (mut file, mut chunk) = (std::fs::File::open(path)?, vec![0; CHUNK]);
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(()),
                read => self.send(kind, &chunk[..read])?,
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.send(frame::OUT, &bytes)
    }
}
