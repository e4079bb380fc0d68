//! The side of `--server`: sends the question with its files, prints what comes.

use std::{
    ffi::OsString,
    fs,
    io::{Read as _, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use axum::body::{self, Body, Bytes};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Asked, EXPECTED, Ended, File, KIND, PATH, Role, Work,
    frame::{self, Frames},
};
use crate::{Cli, Command, Usage, output::terminal::Terminal};

/// Bytes of a file that are sent together.
const CHUNK: usize = 64 << 10;
/// Frames that wait to be sent.
const QUEUE: usize = 16;
/// Bytes of the reason of a refusal.
const REASON_MAX: usize = 64 << 10;

/// Runs the command line at a server.
pub(crate) fn run(server: &str, cli: &Cli, out: &mut dyn Write) -> Result<()> {
    if Work::of(&cli.command).is_none() {
        return Err(Usage(anyhow!(EXPECTED)).into());
    }
    let text = |word: OsString| {
        word.into_string().map_err(|word| Usage(anyhow!("{}: is not UTF-8, which --server needs", word.display())))
    };
    let args = std::env::args_os().skip(1).map(text).collect::<Result<_, _>>()?;
    let asked = Asked { args, terminal: Terminal::of_stdout() };
    let (files, rejects) = match &cli.command {
        Command::Import(on) => (files(&on.args), on.args.rejects.as_deref()),
        _ => (Vec::new(), None),
    };
    // Before anything is sent.
    for (_, path) in &files {
        fs::File::open(path).with_context(|| path.display().to_string()).map_err(Usage)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ask(server, asked, files, rejects, out))
}

/// The files that go along. A mapping that is no file here is one that comes with the program.
fn files(args: &crate::import::Args) -> Vec<(Role, PathBuf)> {
    let mapping = args.mapping.iter().filter(|path| path.exists()).map(|path| (Role::Mapping, path.clone()));
    args.files.iter().map(|path| (Role::Input, path.clone())).chain(mapping).collect()
}

async fn ask(
    server: &str,
    asked: Asked,
    files: Vec<(Role, PathBuf)>,
    rejects: Option<&Path>,
    out: &mut dyn Write,
) -> Result<()> {
    let (sender, mut parts) = mpsc::channel(QUEUE);
    let sending = std::thread::Builder::new().name("files".to_owned()).spawn(move || send(&sender, &asked, &files))?;
    let parts = futures_util::stream::poll_fn(move |context| parts.poll_recv(context));
    let body = Body::from_stream(futures_util::StreamExt::map(parts, Ok::<Bytes, std::io::Error>));
    let answer = http::client::post(server, PATH, KIND, body).await;
    let answer =
        answer.with_context(|| format!("--server: {server} does not answer; `vitals up` is what listens there"))?;
    let status = answer.status();
    if !status.is_success() {
        let reason = body::to_bytes(answer.into_body(), REASON_MAX).await.unwrap_or_default();
        let problem: Value = serde_json::from_slice(&reason).unwrap_or_default();
        let message = format!("{server}: {status}: {}", problem["detail"].as_str().unwrap_or("no reason is given"));
        return Err(Ended { code: if status.is_client_error() { 2 } else { 1 }, message }.into());
    }
    let ended = print(Frames::of(answer.into_body()), rejects, out).await;
    // Who did not get all files did not say why.
    match (ended, sending.is_finished().then(|| sending.join())) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(Ok(Err(error)))) => Err(error),
        (Err(error), _) => Err(error),
    }
}

/// Writes what comes to where it belongs, until the command has ended.
async fn print(mut frames: Frames, rejects: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    let reasons = rejects.map(|path| PathBuf::from(format!("{}.reasons.tsv", path.display())));
    let create = |path: Option<&Path>| {
        path.map(|path| fs::File::create(path).with_context(|| format!("{}: cannot be written", path.display())))
            .transpose()
    };
    let (mut lines, mut why) = (create(rejects)?, create(reasons.as_deref())?);
    let gone = "the server is gone, and how the command ended is not known: it ends at its next commit";
    while let Some((kind, bytes)) = frames.next().await.context(gone)? {
        match kind {
            frame::OUT => {
                out.write_all(&bytes)?;
                out.flush()?;
            }
            frame::REJECTS => lines.as_mut().map_or(Ok(()), |file| file.write_all(&bytes))?,
            frame::REASONS => why.as_mut().map_or(Ok(()), |file| file.write_all(&bytes))?,
            frame::EXIT => {
                let ended: Ended = serde_json::from_slice(&bytes)?;
                return if ended.code == 0 { Ok(()) } else { Err(ended.into()) };
            }
            other => bail!("the server is of another version: it sent {:?}", char::from(other)),
        }
    }
    bail!(gone)
}

/// Sends everything; a file is read as it is sent.
fn send(to: &mpsc::Sender<Bytes>, asked: &Asked, files: &[(Role, PathBuf)]) -> Result<()> {
    let send = |kind, bytes: &[u8]| to.blocking_send(frame::encode(kind, bytes)?).context("the server takes no more");
    send(frame::ASK, &serde_json::to_vec(asked)?)?;
    for (role, path) in files {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        send(frame::FILE, &serde_json::to_vec(&File { role: *role, name })?)?;
        let mut file = fs::File::open(path).with_context(|| path.display().to_string())?;
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk).with_context(|| path.display().to_string())? {
                0 => break,
                read => send(frame::DATA, &chunk[..read])?,
            }
        }
    }
    send(frame::END, b"")
}
