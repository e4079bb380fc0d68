//! The files that came along with a question, in a folder that goes with its end.
//!
//! Each has a folder of its own, so that it keeps its name. What a command says about them is said with the names that the
//! client gave.

use std::{
    fs,
    io::Write as _,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{
    File, Role,
    frame::{self, Frame},
};
use crate::{Usage, import};

/// What the folders begin with; those of a process that was killed are removed by the next one.
const PREFIX: &str = "upload-";

/// What came.
pub(super) struct Uploads {
    folder: TempDir,
    files: Vec<(Role, PathBuf)>,
}

/// Removes what a process that was killed has left.
pub(super) fn clean(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // The next start tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Uploads {
    /// Takes everything up to the end of the question.
    pub(super) fn receive(frames: &mut mpsc::Receiver<Frame>, path: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(path)?;
        let (mut files, mut open) = (Vec::new(), None);
        while let Some((kind, bytes)) = frames.blocking_recv() {
            match (kind, &mut open) {
                (frame::FILE, _) => {
                    let File { role, name } = serde_json::from_slice(&bytes)?;
                    let place = folder.path().join(files.len().to_string());
                    let path = place.join(plain(&name)?);
                    fs::create_dir(&place)?;
                    open = Some(fs::File::create(&path)?);
                    files.push((role, path));
                }
                (frame::DATA, Some(file)) => file.write_all(&bytes).context("a file that was sent cannot be kept")?,
                (frame::END, _) => return Ok(Self { folder, files }),
                _ => bail!("the client is of another version: it sent {:?}", char::from(kind)),
            }
        }
        bail!("nothing was done: the client was gone before all was sent")
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().filter(move |(of, _)| *of == role).map(|(_, path)| path)
    }

    /// Where rejected lines, and their reasons, are written for the client.
    pub(super) fn rejects(&self) -> [PathBuf; 2] {
        ["rejects", "rejects.reasons.tsv"].map(|name| self.folder.path().join(name))
    }

    /// The flags of an import with the files that came in the place of those that it names.
    pub(super) fn instead(&self, args: &import::Args) -> Result<import::Args> {
        let files: Vec<PathBuf> = self.of(Role::Input).cloned().collect();
        ensure!(files.len() == args.files.len(), "{} of {} files came", files.len(), args.files.len());
        let mapping = self.of(Role::Mapping).next().cloned();
        if let (None, Some(named)) = (&mapping, &args.mapping)
            && (named.components().count() != 1 || named.exists())
        {
            return Err(Usage(anyhow!("mapping {}: no such file", named.display())).into());
        }
        let mapping = mapping.or_else(|| args.mapping.clone());
        let [rejects, _] = self.rejects();
        Ok(import::Args { files, mapping, rejects: args.rejects.as_ref().map(|_| rejects), ..args.clone() })
    }

    /// A text about the files, with the names that the client gave.
    pub(super) fn named(&self, text: &str, args: &import::Args) -> String {
        let given = self.of(Role::Input).zip(&args.files);
        let given = given.chain(self.of(Role::Mapping).zip(&args.mapping));
        let mut text = given.fold(text.to_owned(), |text, (here, there)| replaced(&text, here, there));
        if let Some(there) = &args.rejects {
            text = replaced(&text, &self.rejects()[0], there);
        }
        text
    }
}

fn replaced(text: &str, here: &Path, there: &Path) -> String {
    text.replace(&here.display().to_string(), &there.display().to_string())
}

/// A name that leads nowhere else.
fn plain(name: &str) -> Result<&str> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => bail!("{name:?} is no name of a file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(plain("events.ndjson").unwrap(), "events.ndjson");
        for name in ["", ".", "..", "/", "a/b", "../a", "/etc/passwd", "a/"] {
            assert!(plain(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_question_that_broke_off_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (sender, mut frames) = mpsc::channel(4);
        let file = serde_json::to_vec(&File { role: Role::Input, name: "a".to_owned() }).unwrap();
        sender.blocking_send((frame::FILE, file)).unwrap();
        sender.blocking_send((frame::DATA, b"half".to_vec())).unwrap();
        drop(sender);
        let error = Uploads::receive(&mut frames, dir.path()).err().unwrap().to_string();
        assert!(error.contains("before all was sent"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something stayed");
    }
}
